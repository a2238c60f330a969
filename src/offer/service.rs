//! The whole read path: who is it, what do we hold, what must be asked, wait, answer.

mod parties;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::{Semaphore, mpsc};

use super::ahead::Ahead;
use super::answer::{LineAnswer, LineStatus, OfferAnswer, PartyAnswer, PolicyAnswer};
use super::assemble::{Common, assemble};
use super::calendar::Calendar;
use super::config::OfferConfig;
use super::error::OfferError;
use super::explain::{self, Explanation, Facts, Reasons, Trace, Unkept};
use super::freshness::{Decision, Held, Limits, Moment, WhyGone, spread};
use super::invalidation::due::DueList;
use super::invalidation::{Invalidated, Invalidation, InvalidationError, Invalidator};
use super::landing::{Knowledge, OfferLanding, Outcome, no_key};
use super::ledger::LedgerPage;
use super::lookup::{Lookup, PENDING};
use super::metrics::{Metrics, Totals};
use super::party::{KnownParty, Parties};
use super::query::OfferQuery;
use super::reader::{self, Reader};
use super::store::Store;
use super::warm::{self, Counts, Unread};
use crate::cache::epochs::{Needed, words_of_facts};
use crate::cache::{CacheConfig, Epochs, Memory, Negatives};
use crate::clock::{Clock, Mono, Reading, Stamp, Timestamp};
use crate::domain::{Currency, Purpose};
use crate::erp::connector::Connector;
use crate::erp::dispatch::{Account, Ask, Budget, Dispatcher, Load, Maintenance, Need, Page, PageAsk, Refusal, Want};
use crate::journal::pack::Unpacker;
use crate::journal::{JournalError, write_whole};
use crate::mutants::mutant;
use crate::stock::Levels;

/// Customers whose facts are remembered at the same time.
const CUSTOMERS_MAX: u64 = 200_000;

/// Answers pages. One per ERP.
pub struct OfferService {
    knowledge: Arc<Knowledge>,
    dispatcher: Arc<Dispatcher<OfferLanding>>,
    config: OfferConfig,
    /// When the ERP cannot be asked by plan.
    maintenance: Maintenance,
    clock: Clock,
    metrics: Metrics,
    invalidator: Invalidator,
    store: Option<Arc<Store>>,
    /// What sources told of stock, where there is a ledger. Set once, before the first page.
    ledger: OnceLock<Arc<dyn AsRef<Levels> + Send + Sync>>,
    saved_bytes_max: usize,
    /// One permit for each page that is asked for on behalf of a caller who has been answered.
    follow_ups: Arc<Semaphore>,
}

/// Pages asked for after their callers were answered, at the same time; beyond, they are left to the next caller.
const FOLLOW_UPS_MAX: usize = 1_000;

/// A piece of a streamed answer.
#[derive(Debug)]
pub enum StreamItem {
    /// First, once.
    Head { query: Arc<OfferQuery>, party: PartyAnswer, policy: PolicyAnswer },
    /// Lines by their position in the question, each once, in any order.
    Offers(Vec<(usize, LineAnswer)>),
    /// Last, once.
    Done { answered: usize, answered_at: Timestamp },
}

/// The party of one request, resolved as far as it went.
struct Party {
    known: Arc<KnownParty>,
    currency: Currency,
    /// The ERP was waited for: it is later now than the request's arrival.
    waited: bool,
}

enum Resolved {
    Party(Party),
    /// Every line gets this reason.
    Unavailable(&'static str),
}

/// One page between its question and its answer.
struct PageUnderWay {
    query: Arc<OfferQuery>,
    party: PartyAnswer,
    limits: (Limits, Limits),
    today: Date,
    /// As they were when memory was read.
    known: Option<Arc<KnownParty>>,
    announced: u64,
    progress: Progress,
}

#[expect(clippy::large_enum_variant, reason = "there is one a page, and a box would be an allocation a page")]
enum Progress {
    /// Every line has the same answer.
    Whole(LineStatus, &'static str),
    Lines(Lookup, Option<Page<Outcome>>),
}

impl OfferService {
    pub fn new(
        connector: Arc<dyn Connector>,
        config: OfferConfig,
        cache: &CacheConfig,
        budget: Budget,
        calendar: Calendar,
        clock: Clock,
    ) -> Arc<Self> {
        Self::build(connector, config, cache, budget, calendar, clock, None)
    }

    /// With what the process before left in `store`.
    pub fn with_store(
        connector: Arc<dyn Connector>,
        config: OfferConfig,
        cache: &CacheConfig,
        budget: Budget,
        calendar: Calendar,
        clock: Clock,
        store: Store,
    ) -> Arc<Self> {
        Self::build(connector, config, cache, budget, calendar, clock, Some(Arc::new(store)))
    }

    fn build(
        connector: Arc<dyn Connector>,
        config: OfferConfig,
        cache: &CacheConfig,
        budget: Budget,
        calendar: Calendar,
        clock: Clock,
        store: Option<Arc<Store>>,
    ) -> Arc<Self> {
        let now = clock.read();
        let file = store.as_ref().and_then(|store| store.read_saved()).unwrap_or_default();
        let mut from = Unpacker(&file);
        let fingerprint = store.as_ref().map_or("", |store| &store.fingerprint);
        let segments = store.as_ref().map_or(0..=0, |store| store.segments());
        let opened = (!file.is_empty()).then(|| warm::open(&mut from, fingerprint, segments, now.wall));
        let head = match opened {
            Some(Ok(head)) => Some(head),
            Some(Err(why)) => {
                tracing::warn!(?why, "what was saved is not read: starting cold");
                if why == Unread::WithoutJournal
                    && let Some(store) = &store
                {
                    // A later journal could come to the same number.
                    store.drop_saved();
                }
                None
            }
            None => None,
        };
        let knowledge = Arc::new(Knowledge {
            memory: Memory::new(cache),
            negatives: Negatives::new(cache.negatives_bytes()),
            parties: Parties::new(CUSTOMERS_MAX),
            epochs: head.as_ref().map_or_else(Epochs::new, |head| Epochs::keyed(head.epochs_key)),
            calendar,
            capabilities: connector.capabilities().clone(),
        });
        if let Some(head) = &head {
            match warm::restore(&mut from, head, &knowledge, now) {
                Ok(counts) => {
                    let took = clock.mono().since(now.mono);
                    tracing::info!(?counts, ?took, "starting warm: hot figures of the process before are back");
                }
                Err(why) => tracing::error!(?why, "what was saved is read in part only"),
            }
        }
        let invalidator = Invalidator::new(knowledge.clone(), store.clone(), clock);
        if let Some(store) = &store {
            invalidator.replay(store.take_found(), head.map(|head| head.journal_from), now);
        }
        let landing = OfferLanding::new(knowledge.clone());
        let maintenance = budget.maintenance.clone();
        let dispatcher = Dispatcher::new(connector, landing, budget, clock);
        Arc::new(Self {
            knowledge,
            dispatcher,
            config,
            maintenance,
            clock,
            metrics: Metrics::new(),
            invalidator,
            store,
            ledger: OnceLock::new(),
            saved_bytes_max: cache.saved_bytes(),
            follow_ups: Arc::new(Semaphore::new(FOLLOW_UPS_MAX)),
        })
    }

    /// From now on what the ledger's sources tell is told from there, not asked. Once.
    pub fn use_ledger(&self, ledger: Arc<dyn AsRef<Levels> + Send + Sync>) {
        assert!(self.ledger.set(ledger).is_ok(), "there is one ledger");
    }

    /// How long the journal has grown since hot figures were last saved. Bytes.
    pub fn journal_bytes(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.journal_bytes())
    }

    /// Saves hot figures for the process after this one, where there is a store. Blocks on the disk.
    pub fn save(&self) -> Result<Counts, JournalError> {
        let Some(store) = &self.store else { return Ok(Counts::default()) };
        let now = self.clock.read();
        self.invalidator.forget_untold_if_nobody_listens();
        let entries = |due: &DueList| Invalidator::waiting_entries(due, now);
        let journal_from = store.begin_segment(self.invalidator.due(), entries)?;
        let (parts, counts) =
            warm::save(&self.knowledge, &store.fingerprint, journal_from, self.clock.read(), self.saved_bytes_max);
        write_whole(&store.saved, &[&parts[0], &parts[1]])?;
        // Only now: the old file needs the old segments.
        store.drop_before(journal_from)?;
        Ok(counts)
    }

    pub fn clock(&self) -> Clock {
        self.clock
    }

    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Asks for tomorrow's prices before midnight, for as long as it is polled.
    pub fn ask_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        Ahead::new(self.knowledge.clone(), self.dispatcher.clone(), self.clock, self.config.ahead).run()
    }

    /// Declares figures wrong. What was asked before it returns is not served to anybody who asks after.
    pub async fn invalidate(&self, invalidation: Invalidation) -> Result<Invalidated, InvalidationError> {
        self.invalidator.invalidate(invalidation).await
    }

    /// What takes effect later.
    pub fn invalidator(&self) -> &Invalidator {
        &self.invalidator
    }

    /// The hard limit of one ERP call.
    pub fn call_limit(&self) -> Duration {
        self.dispatcher.call_limit()
    }

    /// No more calls leave. Waits for those in the air, no longer than one may take; whether all of them ended.
    pub async fn leave_the_erp(&self) -> bool {
        self.dispatcher.close();
        let until = self.clock.mono().plus(self.call_limit());
        while self.dispatcher.load().in_flight > 0 {
            if self.clock.mono() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// What was answered since the start.
    pub fn totals(&self) -> Totals {
        self.metrics.totals()
    }

    /// What waits for the ERP, what is in the air, and what the budget is.
    pub fn erp_load(&self) -> Load {
        self.dispatcher.load()
    }

    /// Brings the gauges of all that up to date.
    pub fn set_erp_gauges(&self) {
        self.dispatcher.set_gauges();
    }

    /// Answers when everything is known, or at the query's deadline with what is. Dropping the future costs nobody else
    /// anything: what was asked of the ERP is fetched all the same.
    pub async fn answer(self: &Arc<Self>, query: OfferQuery) -> Result<OfferAnswer, OfferError> {
        self.answer_with(query, Unkept).await
    }

    /// The same for one line, and how its offer came about.
    pub async fn explain(self: &Arc<Self>, query: OfferQuery) -> Result<Explanation, OfferError> {
        debug_assert_eq!(query.lines.len(), 1, "the steps of several lines cannot be told apart");
        let trace = Trace::default();
        let answer = self.answer_with(query, &trace).await?;
        Ok(Explanation { answer, steps: trace.into_steps() })
    }

    async fn answer_with<R: Reasons>(
        self: &Arc<Self>,
        query: OfferQuery,
        reasons: R,
    ) -> Result<OfferAnswer, OfferError> {
        let until = query.deadline;
        let mut page = self.begin(query, false, until, reasons).await?;
        self.follow_up(&page);
        let mut answered_at = self.clock.read();
        if let Progress::Lines(lookup, Some(asked)) = &mut page.progress {
            asked.wait(&self.clock, page.query.deadline).await;
            reasons.keep(|steps| explain::calls(steps, asked.watch(), self.clock.read()));
            lookup.arrive(asked.take(), self.clock.read());
            let by_name = lookup.ask_by_name(&page.query, &self.knowledge);
            if !by_name.is_empty() {
                let asked = self.dispatcher.ask(page_ask(&page.query, by_name, false, page.query.deadline, reasons));
                reasons.keep(|steps| explain::flights(steps, asked.watch(), &self.maintenance, &page.query));
                asked.wait(&self.clock, page.query.deadline).await;
                reasons.keep(|steps| explain::calls(steps, asked.watch(), self.clock.read()));
                lookup.arrive(asked.take(), self.clock.read());
            }
            answered_at = self.clock.read();
            self.withdraw(&page.query, page.known.as_deref(), page.announced, lookup, answered_at);
            lookup.give_up(PENDING, answered_at);
        }
        let lines = match &page.progress {
            Progress::Whole(status, reason) => vec![LineAnswer::whole(*status, reason); page.query.lines.len()],
            Progress::Lines(lookup, _) => {
                let common = self.common(&page, lookup);
                let offer = |(index, (asked, line))| {
                    let answer = assemble(&common, asked, line, lookup.ledger(index));
                    reasons.keep(|steps| explain::units(steps, asked, line, &answer));
                    reasons.keep(|steps| explain::levels(steps, &common, &answer.availability));
                    answer
                };
                page.query.lines.iter().zip(&lookup.lines).enumerate().map(offer).collect()
            }
        };
        reasons.keep(|steps| lines.iter().for_each(|line| explain::answered(steps, line)));
        self.metrics.page();
        self.metrics.answered(&lines);
        Ok(OfferAnswer {
            policy: page.limits.0.answer(),
            party: page.party,
            answered_at: answered_at.wall,
            lines,
            query: page.query,
        })
    }

    /// The same, each line as soon as it is known. Ends early, without an error, when nobody receives any more.
    pub async fn stream(self: &Arc<Self>, query: OfferQuery, out: mpsc::Sender<StreamItem>) -> Result<(), OfferError> {
        let until = query.deadline;
        let mut page = self.begin(query, true, until, Unkept).await?;
        self.follow_up(&page);
        let head =
            StreamItem::Head { query: page.query.clone(), party: page.party.clone(), policy: page.limits.0.answer() };
        if out.send(head).await.is_err() {
            return Ok(());
        }
        let total = page.query.lines.len();
        let mut sent = vec![false; total];
        loop {
            let (ready, complete) = self.ready(&mut page, &mut sent);
            if !ready.is_empty() && out.send(StreamItem::Offers(ready)).await.is_err() {
                return Ok(());
            }
            if complete {
                break;
            }
            let Progress::Lines(lookup, Some(asked)) = &mut page.progress else { break };
            let in_time = asked.wait_for_some(&self.clock, page.query.deadline).await;
            let now = self.clock.read();
            lookup.arrive(asked.take(), now);
            self.withdraw(&page.query, page.known.as_deref(), page.announced, lookup, now);
            if asked.is_complete() {
                let by_name = lookup.ask_by_name(&page.query, &self.knowledge);
                if !by_name.is_empty() {
                    *asked = self.dispatcher.ask(page_ask(&page.query, by_name, true, page.query.deadline, Unkept));
                }
            }
            if !in_time {
                lookup.give_up(PENDING, now);
            }
        }
        self.metrics.page();
        let done = StreamItem::Done { answered: total, answered_at: self.clock.read().wall };
        // A receiver that left just now misses nothing it waits for.
        let _ = out.send(done).await;
        Ok(())
    }

    /// The caller's time was up before it was known who they are, so their lines were not asked for yet. They are once it is
    /// known: warming up works for customers never seen before, and an impatient caller finds more the next time.
    fn follow_up(self: &Arc<Self>, page: &PageUnderWay) {
        let Progress::Whole(LineStatus::Unavailable, reason) = page.progress else { return };
        if ![PENDING, Refusal::TooLate.reason()].contains(&reason) {
            return;
        }
        let Ok(permit) = self.follow_ups.clone().try_acquire_owned() else { return };
        let mut query = OfferQuery::clone(&page.query);
        query.deadline = query.deadline.max(self.clock.mono()).plus(self.dispatcher.call_limit());
        let service = self.clone();
        tokio::spawn(async move {
            // Whatever comes of it is in memory, or asked for; there is nobody to tell.
            let _ = service.begin(query, false, Mono::default(), Unkept).await;
            drop(permit);
        });
    }

    /// Lines that are known and were not sent, and whether that was the last of them.
    fn ready(&self, page: &mut PageUnderWay, sent: &mut [bool]) -> (Vec<(usize, LineAnswer)>, bool) {
        let ready: Vec<(usize, LineAnswer)> = match &page.progress {
            Progress::Whole(status, reason) => {
                (0..sent.len()).map(|index| (index, LineAnswer::whole(*status, reason))).collect()
            }
            Progress::Lines(lookup, _) => {
                let common = self.common(page, lookup);
                let known = |index: &usize| {
                    let line = &lookup.lines[*index];
                    !sent[*index] && !line.price.is_waiting() && !line.stock.is_waiting()
                };
                let offer = |index: usize| {
                    assemble(&common, &page.query.lines[index], &lookup.lines[index], lookup.ledger(index))
                };
                (0..sent.len()).filter(known).map(|index| (index, offer(index))).collect()
            }
        };
        for (index, line) in &ready {
            sent[*index] = true;
            self.metrics.answered(std::slice::from_ref(line));
        }
        (ready, sent.iter().all(|sent| *sent))
    }

    /// Resolves the party, reads memory and asks for what is missing. `until`: how long somebody waits for the page.
    async fn begin<R: Reasons>(
        self: &Arc<Self>,
        query: OfferQuery,
        streaming: bool,
        until: Mono,
        reasons: R,
    ) -> Result<PageUnderWay, OfferError> {
        let query = Arc::new(query);
        let knowledge = &*self.knowledge;
        self.invalidator.come_due(query.arrival);
        let patience = self.config.patience(query.purpose);
        let limits = Limits::of(&query, patience);
        reasons.keep(|steps| explain::policy(steps, &query, patience, &limits));
        let today = knowledge.calendar.day(query.arrival.wall);
        let price_date = query.price_date.unwrap_or(today);
        let party = self.resolve(&query, limits.0, until, reasons).await?;
        let announced = self.invalidator.announced();
        let page = |party: PartyAnswer, progress| {
            let query = query.clone();
            PageUnderWay { query, party, limits, today, known: None, announced, progress }
        };
        let mut answer = PartyAnswer { currency: query.currency, price_date: Some(price_date), blocked: None };
        let party = match party {
            Resolved::Party(party) => party,
            Resolved::Unavailable(reason) => {
                return Ok(page(answer, Progress::Whole(LineStatus::Unavailable, reason)));
            }
        };
        answer.currency = Some(party.currency);
        answer.blocked = Some(party.known.facts.blocked);
        if price_date != today && !knowledge.capabilities.dated && query.parts.price {
            return Ok(page(answer, Progress::Whole(LineStatus::Invalid, "price_date_unsupported")));
        }
        let currencies = &knowledge.capabilities.currencies;
        if query.parts.price && !currencies.is_empty() && !currencies.contains(&party.currency) {
            return Ok(page(answer, Progress::Whole(LineStatus::Invalid, "currency_not_supported")));
        }
        if party.known.facts.blocked && query.purpose == Purpose::Checkout {
            return Ok(page(answer, Progress::Whole(LineStatus::NotForSale, "customer_blocked")));
        }
        let reader = reader::Page {
            query: &query,
            party: &party.known,
            currency: party.currency,
            price_date,
            knowledge,
            moment: self.moment(&query),
            no: self.config.no,
            invalidator: &self.invalidator,
        };
        let reader = Reader::new(reader, reasons);
        let capabilities = &knowledge.capabilities;
        let can_ask = capabilities.stock || capabilities.offers;
        let ledger = self.ledger.get().filter(|_| query.parts.availability);
        let ledger = ledger.map(|levels| LedgerPage::read((**levels).as_ref(), &query, can_ask));
        let mut lookup = Lookup::new(&query, reader, limits, party.known.observed, ledger);
        if party.waited {
            // Memory was judged by the arrival; a told end may have passed since.
            lookup.end(self.clock.read());
        }
        let wants = lookup.take_wants();
        let asked =
            (!wants.is_empty()).then(|| self.dispatcher.ask(page_ask(&query, wants, streaming, until, reasons)));
        reasons.keep(|steps| explain::flights(steps, asked.as_ref().and_then(Page::watch), &self.maintenance, &query));
        Ok(PageUnderWay { known: Some(party.known), ..page(answer, Progress::Lines(lookup, asked)) })
    }

    /// Nothing announced is crossed by who waits: what was held when the page began is looked at once more if an
    /// announcement has taken effect since.
    fn withdraw(
        &self,
        query: &OfferQuery,
        known: Option<&KnownParty>,
        announced: u64,
        lookup: &mut Lookup,
        now: Reading,
    ) {
        self.invalidator.come_due(now);
        let Some(known) = known.filter(|_| self.invalidator.announced() != announced) else { return };
        if mutant!(AnnouncedWhileWaiting) {
            return;
        }
        let party = self.knowledge.epochs.party(reader::names_of(query, &known.facts));
        lookup.withdraw(query, &party, &self.knowledge.epochs);
    }

    fn moment(&self, query: &OfferQuery) -> Moment<'_> {
        Moment { arrival: query.arrival, maintenance: &self.maintenance }
    }

    fn common<'a>(&'a self, page: &'a PageUnderWay, lookup: &Lookup) -> Common<'a> {
        Common {
            query: &page.query,
            prices: lookup.prices,
            stocks: lookup.stocks,
            today: page.today,
            low_stock: self.config.low_stock,
            no: self.config.no,
            calendar: &self.knowledge.calendar,
            shapes: &self.knowledge.memory.stock_shapes,
        }
    }
}

fn page_ask<R: Reasons>(
    query: &OfferQuery,
    wants: Vec<Want>,
    every_landing: bool,
    deadline: Mono,
    _: R,
) -> PageAsk<'_> {
    PageAsk {
        wants,
        lane: query.purpose.into(),
        account: Account::of(query.customer.as_ref(), query.visitor.as_ref()),
        deadline,
        asked_by: &query.request_id,
        every_landing,
        watched: R::KEPT,
    }
}
