//! Reads one page's lines out of memory, and says what must be asked.
//!
//! A price is looked for in the party's own book; then, where the party may share its list's prices, in the list's; then, if
//! the day has changed and the caller named none, in the books of the days before. Where the first look finds it fresh there
//! is no second.

mod days;
mod headers;
mod stock;

use std::sync::Arc;

use jiff::civil::Date;

pub(super) use self::headers::price_ask;
use super::answer::Source;
use super::config::NoAges;
use super::explain::{self, Reasons, Step};
use super::freshness::{Decision, Held, Limits, Moment, spread};
use super::invalidation::Invalidator;
use super::landing::{Knowledge, no_key};
use super::lookup::{DAY_CHANGED, Fact, Fallback, Kind, Line, Lookup, PENDING};
use super::party::KnownParty;
use super::query::{LineQuery, OfferQuery};
use super::sharing::Asker;
use crate::cache::epochs::{Needed, PartyNames, PartyWords, Word};
use crate::cache::key::write_row_key;
use crate::cache::negatives::No;
use crate::cache::{Book, Negative, PriceRow};
use crate::clock::{Mono, Reading, Stamp, Timestamp};
use crate::domain::{Currency, CustomerFacts, PriceListId, Sku, ToldScope};
use crate::erp::connector::{Header, SharesByList};
use crate::erp::dispatch::Need;
use crate::mutants::mutant;

/// What a page is read with.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub query: &'a OfferQuery,
    pub party: &'a KnownParty,
    pub currency: Currency,
    /// Concrete: as asked, or today on arrival.
    pub price_date: Date,
    pub knowledge: &'a Knowledge,
    pub moment: Moment<'a>,
    pub no: NoAges,
    pub invalidator: &'a Invalidator,
}

pub struct Reader<'a, R> {
    page: Page<'a>,
    reasons: R,
    asker: Asker<'a>,
    own_key: Vec<u8>,
    own: Option<Arc<Book<PriceRow>>>,
    /// Where the party may share by list.
    shared: Option<Shared<'a>>,
    /// The days before, latest first. Looked up when something is missing in today's books.
    earlier: Option<Vec<Earlier>>,
    by_name: Option<Arc<Header>>,
    for_list: Option<Arc<Header>>,
    words: PartyWords<'a>,
    /// A figure with this stamp is newer than every invalidation.
    newest: Stamp,
    row_key: Vec<u8>,
    no_key: Vec<u8>,
}

/// The books of a list.
struct Shared<'a> {
    list: &'a PriceListId,
    key: Vec<u8>,
    /// Looked up when the own book does not have everything.
    book: Option<Option<Arc<Book<PriceRow>>>>,
}

/// A day that is over.
struct Earlier {
    end: Timestamp,
    own: Option<Arc<Book<PriceRow>>>,
    shared: Option<Arc<Book<PriceRow>>>,
}

/// A row that was found, and what may be done with it.
struct Found {
    row: PriceRow,
    observed: Reading,
    decision: Decision,
    place: Place,
    /// The end of its day, where that is over.
    day_end: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Own,
    List,
    EarlierDay,
}

/// Days before today in whose books is looked: more than any sensible `stale_if_error`.
const EARLIER_DAYS_MAX: usize = 7;

/// Who the page's prices are for, in the words of an invalidation.
pub fn names_of<'a>(query: &'a OfferQuery, facts: &'a CustomerFacts) -> PartyNames<'a> {
    PartyNames {
        customer: query.customer.as_ref().map(|id| id.as_str()),
        price_list: facts.price_list.as_ref().map(|list| list.as_str()),
        contract: query.contract.as_ref().map(|id| id.as_str()),
        company: query.company.as_ref().map(|id| id.as_str()),
    }
}

impl<'a, R: Reasons> Reader<'a, R> {
    pub fn new(page: Page<'a>, reasons: R) -> Self {
        let Page { query, party, knowledge, .. } = page;
        let (company, ship_to, contract) = (query.company.as_ref(), query.ship_to.as_ref(), query.contract.as_ref());
        let capabilities = &knowledge.capabilities;
        let asker = Asker::new(query.customer.as_ref(), company, ship_to, contract, &party.facts, capabilities);
        // Read after the request arrived: an invalidation that returned before that is in it.
        let newest = knowledge.epochs.stamp();
        let names = names_of(query, &party.facts);
        let mut own_key = Vec::with_capacity(128);
        asker.own_book(page.currency, page.price_date, capabilities.dated).write(&mut own_key);
        let own = knowledge.memory.book(&own_key);
        let shared = asker.list(capabilities.shares_by_list).map(|list| {
            let mut key = Vec::with_capacity(128);
            asker.list_book(list, page.currency, page.price_date, capabilities.dated).write(&mut key);
            Shared { list, key, book: None }
        });
        Self {
            asker,
            own_key,
            own,
            shared,
            earlier: None,
            by_name: None,
            for_list: None,
            words: knowledge.epochs.party(names),
            newest,
            row_key: Vec::new(),
            no_key: Vec::new(),
            reasons,
            page,
        }
    }

    pub(super) fn read(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Line {
        let parts = self.page.query.parts;
        let price = if parts.price { self.price(index, line, lookup) } else { Fact::NotAsked };
        if parts.price {
            self.reasons.keep(|steps| steps.push(self.edges(line, &price)));
        }
        let whole_line_no = matches!(&price, Fact::No(no, _) if !matches!(no.no, No::OnRequest(_)));
        let stock = if parts.availability && !whole_line_no { self.stock(index, line, lookup) } else { Fact::NotAsked };
        let units = if parts.price { None } else { self.row_for_units(line) };
        Line { price, stock, units }
    }

    fn row_for_units(&mut self, line: &LineQuery) -> Option<PriceRow> {
        self.own_row(line).or_else(|| self.list_row(line))
    }

    /// The bytes a row is found by: usually the SKU alone.
    fn is_keyed_by_sku(&self) -> bool {
        let capabilities = &self.page.knowledge.capabilities;
        capabilities.breaks && !capabilities.unit_matters
    }

    fn probe(&mut self, book: &Book<PriceRow>, line: &LineQuery) -> Option<PriceRow> {
        if self.is_keyed_by_sku() {
            return book.get(line.sku.as_bytes());
        }
        self.write_row_key(line);
        book.get(&self.row_key)
    }

    fn own_row(&mut self, line: &LineQuery) -> Option<PriceRow> {
        if self.is_keyed_by_sku() {
            return self.own.as_ref()?.get(line.sku.as_bytes());
        }
        self.write_row_key(line);
        self.own.as_ref()?.get(&self.row_key)
    }

    fn list_row(&mut self, line: &LineQuery) -> Option<PriceRow> {
        let memory = &self.page.knowledge.memory;
        let Shared { key, book, .. } = self.shared.as_mut()?;
        let book = book.get_or_insert_with(|| memory.book(key)).clone()?;
        self.probe(&book, line)
    }

    fn write_row_key(&mut self, line: &LineQuery) {
        let capabilities = &self.page.knowledge.capabilities;
        let unit = line.unit.as_deref().filter(|_| capabilities.unit_matters);
        let quantity = (!capabilities.breaks).then_some(line.amount.0);
        write_row_key(&mut self.row_key, &line.sku, unit, quantity);
    }

    fn price(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Fact<PriceRow> {
        let limits = lookup.prices;
        self.reasons.keep(|steps| steps.push(self.key(line)));
        let own = self.own_row(line);
        let mut found = None;
        if own.is_none() {
            self.reasons.keep(|steps| steps.push(explain::no_row(Place::Own)));
        }
        if let Some(row) = own {
            let observed = row.observed();
            let decision = self.decide(&row, observed, &limits, line, Place::Own);
            if decision == Decision::Fresh {
                return held(row, observed, None);
            }
            found = Some(Found { row, observed, decision, place: Place::Own, day_end: None });
        }
        // A price the ERP called the party's own is never looked for anywhere else.
        let is_own = found.as_ref().is_some_and(|found| found.row.shape().scope == Some(ToldScope::Own));
        let listed = if self.shared.is_some() && !is_own { self.list_row(line) } else { None };
        if self.shared.is_some() && !is_own && listed.is_none() {
            self.reasons.keep(|steps| steps.push(explain::no_row(Place::List)));
        }
        if let Some(row) = listed {
            let observed = self.with_facts(row.observed());
            let decision = self.decide(&row, observed, &limits, line, Place::List);
            if decision == Decision::Fresh {
                return held(row, observed, None);
            }
            let shared = Found { row, observed, decision, place: Place::List, day_end: None };
            found = match found {
                Some(own) if own.rank() >= shared.rank() => Some(own),
                _ => Some(shared),
            };
        }
        self.aged_price(index, line, lookup, found, is_own)
    }

    fn decide(&self, row: &PriceRow, observed: Reading, limits: &Limits, line: &LineQuery, place: Place) -> Decision {
        let held = Held { observed, stamp: row.stamp(), ends: row.shape().ends };
        let key = || match (place, &self.shared) {
            (Place::List, Some(shared)) => spread(&shared.key, line.sku.as_bytes()),
            _ => spread(&self.own_key, line.sku.as_bytes()),
        };
        let needed = self.needed_for(row, line);
        let decision = limits.decide(&held, needed, &self.page.moment, key);
        self.reasons.keep(|steps| {
            let soft_time = limits.soft_time(key());
            let arrival = self.page.moment.arrival;
            steps.push(explain::row(&explain::Row { row, observed, place, decision, limits, arrival, soft_time }));
            steps.push(self.stamp("price", row.stamp(), needed, self.words.of_price(&line.sku)));
        });
        decision
    }

    /// The reader's facts are part of a price that a list shares.
    fn with_facts(&self, observed: Reading) -> Reading {
        if mutant!(FactsHaveNoAge) { observed } else { observed.older(self.page.party.observed) }
    }

    /// The newest invalidation that concerns the row; not looked up for a row that is newer than all.
    fn needed_for(&self, row: &PriceRow, line: &LineQuery) -> Needed {
        if row.stamp() >= self.newest {
            return Needed::default();
        }
        self.page.knowledge.epochs.needed_for_price(&self.words, &line.sku)
    }

    /// A price that is not simply there: near its expiry, past it, or missing.
    fn aged_price(
        &mut self,
        index: usize,
        line: &LineQuery,
        lookup: &mut Lookup,
        found: Option<Found>,
        is_own: bool,
    ) -> Fact<PriceRow> {
        let limits = lookup.prices;
        let arrival = self.page.query.arrival;
        let found = match found {
            // What was asked ahead of its day and has aged since may be worse than what was read as the day before ended.
            Some(found) if !found.serves_now() => match self.earlier_price(line, &limits) {
                Some(earlier) if earlier.is_better_than(&found) => Some(earlier),
                _ => Some(found),
            },
            None => self.earlier_price(line, &limits),
            found => found,
        };
        // Where only the party's facts are old: they are being asked again, which is all there is to do for this price.
        let facts_alone = found
            .as_ref()
            .is_some_and(|found| found.place == Place::List && limits.is_young(found.row.observed(), arrival));
        let mut fallback = None;
        let mut gone = None;
        let (need, fact) = match found {
            None => (Need::Awaited, None),
            Some(Found { row, observed, decision, place, .. }) => {
                let day_over = place == Place::EarlierDay;
                match decision {
                    Decision::Fresh => return held(row, observed, None),
                    Decision::FreshRide => (Need::Rider, Some(held(row, observed, None))),
                    Decision::FreshRefresh => (Need::Refresh, Some(held(row, observed, None))),
                    Decision::ServeAndRefresh => {
                        let reason = if day_over { DAY_CHANGED } else { PENDING };
                        (Need::Refresh, Some(held(row, observed, Some(reason))))
                    }
                    Decision::FetchOrServe => {
                        fallback = Some(Fallback { source: source_of(&row), row, observed, day_over });
                        (Need::Awaited, None)
                    }
                    Decision::Fetch(why) => {
                        gone = Some(why);
                        (Need::Awaited, None)
                    }
                }
            }
        };
        if facts_alone && let Some(fact) = fact {
            self.reasons.keep(|steps| {
                let text = "Only what is known of the party is old, and that is being asked again: the price is not.";
                steps.push(Step::new("price", text).fact("outcome", "hit"));
            });
            return fact;
        }
        let needed = self.page.knowledge.epochs.needed_for_price(&self.words, &line.sku);
        self.write_row_key(line);
        if fact.is_none() {
            no_key::price(&mut self.no_key, &self.own_key, &self.row_key);
            if let Some(no) = self.remembered_no("price", needed, limits, true) {
                return Fact::No(no, Source::Memory);
            }
        }
        let mut for_list = false;
        if let Some(shared) = &self.shared
            && !is_own
        {
            no_key::price(&mut self.no_key, &shared.key, &self.row_key);
            let facts_are_young = limits.is_young(self.page.party.observed, arrival);
            match self.remembered_no("list_price", needed, limits, fact.is_none() && facts_are_young) {
                Some(no) if no.no == No::NotShared => {}
                // What a list does not sell is no younger than the knowledge that this is the party's list.
                Some(no) if fact.is_none() && facts_are_young => return Fact::No(no, Source::Memory),
                _ => {
                    let by_question = self.page.knowledge.capabilities.shares_by_list == Some(SharesByList::Question);
                    for_list = by_question && facts_are_young;
                }
            }
        }
        let demand = limits.demand(arrival.mono, needed);
        let (header, kind) = match for_list {
            true => (self.header_for_list(), Kind::ListPrice),
            false => (self.header_by_name(), Kind::Price),
        };
        let ask = price_ask(line, header, &self.page.knowledge.capabilities);
        lookup.want(ask, demand, need, (index, kind), false);
        fact.unwrap_or(Fact::Waiting { fallback, gone })
    }

    /// `would_answer` is for explanations: whether it is answered with if it is believed.
    fn remembered_no(
        &self,
        of: &'static str,
        needed: Needed,
        limits: Limits,
        would_answer: bool,
    ) -> Option<Arc<Negative>> {
        let no = self.page.knowledge.negatives.get(&self.no_key)?;
        let own = self.page.no.of(&no.no);
        // A price is asked by name or for a list whatever its age may be.
        let max_age = if no.no == No::NotShared || mutant!(NoWithoutMaxAge) { own } else { own.min(limits.max_age) };
        let arrival = self.page.query.arrival;
        let is_young = no.observed.mono >= arrival.mono.minus(max_age);
        let is_new_enough = no.stamp >= needed.fresh();
        self.reasons.keep(|steps| {
            let (negative, lifetime) = (&*no, max_age);
            let told = explain::Remembered { of, negative, lifetime, is_new_enough, is_young, would_answer };
            steps.push(explain::no(&told, arrival));
        });
        (is_new_enough && is_young).then_some(no)
    }

    fn key(&self, line: &LineQuery) -> Step {
        let Page { knowledge, currency, price_date, .. } = self.page;
        explain::key(&self.asker, self.shared.is_some(), currency, price_date, line, &knowledge.capabilities)
    }

    fn stamp<'w>(
        &self,
        of: &'static str,
        stamp: Stamp,
        needed: Needed,
        words: impl IntoIterator<Item = Word<'w>>,
    ) -> Step {
        explain::stamp(of, stamp, needed, &self.page.knowledge.epochs.by_word(words))
    }

    fn edges(&self, line: &LineQuery, price: &Fact<PriceRow>) -> Step {
        let Page { query, knowledge, price_date, invalidator, .. } = self.page;
        let held = match price {
            Fact::Held { row, .. } => Some(row),
            Fact::Waiting { fallback, .. } => fallback.as_ref().map(|fallback| &fallback.row),
            _ => None,
        };
        let by_day = knowledge.capabilities.dated && query.price_date.is_none();
        let words: Vec<Word<'_>> = self.words.of_price(&line.sku).collect();
        let edges = explain::Edges {
            told_end: held.and_then(|row| row.shape().ends),
            day_ends_at: by_day.then(|| knowledge.calendar.end_of(price_date)).flatten(),
            to_come: invalidator.to_come(&words, query.arrival),
        };
        explain::edges(query, &edges)
    }
}

impl Found {
    /// It is served without waiting for the ERP.
    fn serves_now(&self) -> bool {
        !matches!(self.decision, Decision::FetchOrServe | Decision::Fetch(_))
    }

    /// Of a day that is over, against one that was asked ahead of its own day.
    fn is_better_than(&self, ahead: &Found) -> bool {
        self.rank() > ahead.rank() && self.day_end.is_some_and(|end| ahead.observed.wall < end)
    }

    /// The higher, the better it serves.
    fn rank(&self) -> (u8, Mono) {
        let rank = match self.decision {
            Decision::Fresh => 5,
            Decision::FreshRide => 4,
            Decision::FreshRefresh => 3,
            Decision::ServeAndRefresh => 2,
            Decision::FetchOrServe => 1,
            Decision::Fetch(_) => 0,
        };
        (rank, self.observed.mono)
    }
}

fn held(row: PriceRow, observed: Reading, stale: Option<&'static str>) -> Fact<PriceRow> {
    Fact::Held { source: source_of(&row), row, observed, stale }
}

fn source_of(row: &PriceRow) -> Source {
    if row.is_saved() { Source::Shared } else { Source::Memory }
}

fn known_sku(line: &LineQuery) -> Sku {
    Sku::new(&line.sku).expect("checked with the line")
}
