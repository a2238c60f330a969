//! Tomorrow's prices, asked before tomorrow begins, from budget nobody else wants.
//!
//! Where an ERP prices by the day, every price ends at midnight, and so do those it was told an end for: ends are days. What
//! was read today is asked with tomorrow's date as late as it can all be asked in time, in the lowest lane but one, one call
//! after the other, and only while nothing else waits; each row once. What comes is in tomorrow's books with its own age, so
//! nobody is told that it is younger than it is.
//!
//! When to begin and what to ask are pure; the task only waits and asks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::freshness::spread;
use super::landing::{Knowledge, OfferLanding, Outcome};
use super::sharing::facts_of_list;
use crate::cache::key::{BookScope, read_row_key};
use crate::cache::{Book, BookKey, PriceRow};
use crate::clock::{Clock, Stamp};
use crate::domain::{
    CompanyId, ContractId, CustomerFacts, CustomerId, PriceListId, Purpose, Scope, ShipToId, Sku, Unit,
};
use crate::erp::connector::{AskedLine, Header, KnownFacts, SharesByList};
use crate::erp::dispatch::{Account, Ask, Demand, Dispatcher, Need, Page, PageAsk, Want};

/// How often it is looked whether to begin.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether something else waits.
const PAUSE: Duration = Duration::from_millis(100);
/// What a call is taken to cost before one was made.
const CALL_GUESSED: Duration = Duration::from_secs(1);
/// Rows that are asked ahead for one day.
pub const ROWS_MAX: usize = 500_000;

/// How long before the day's end to begin: as late as there is time for all rows, with a quarter to spare, so that they are
/// young when the day begins.
pub fn begin_before_end(rows: usize, rows_a_call: usize, call: Duration, ahead: Duration) -> Duration {
    let calls = u32::try_from(rows.div_ceil(rows_a_call.max(1))).unwrap_or(u32::MAX);
    (call.saturating_mul(calls) / 4 * 5).saturating_add(LOOK_EVERY).min(ahead)
}

/// The rows of a book to be asked next, of those that were read today: not asked ahead yet, not there for tomorrow. They
/// count as asked now.
fn choose(
    key: &[u8],
    used: &mut impl Iterator<Item = Box<[u8]>>,
    tomorrow: Option<&Book<PriceRow>>,
    rows_a_call: usize,
    asked: &mut HashSet<u64>,
) -> Vec<AskedLine> {
    let mut lines = Vec::new();
    while lines.len() < rows_a_call && asked.len() < ROWS_MAX {
        let Some(row) = used.next() else { break };
        if tomorrow.is_some_and(|book| book.contains(&row)) || !asked.insert(spread(key, &row)) {
            continue;
        }
        lines.extend(asked_line(&row));
    }
    lines
}

fn asked_line(row: &[u8]) -> Option<AskedLine> {
    let (sku, unit, quantity) = read_row_key(row)?;
    let unit = unit.map(Unit::new).transpose().ok()?;
    Some(AskedLine { sku: Sku::new(sku).ok()?, unit, quantity })
}

/// The task's state.
pub struct Ahead {
    knowledge: Arc<Knowledge>,
    dispatcher: Arc<Dispatcher<OfferLanding>>,
    clock: Clock,
    /// How long before midnight it may begin.
    ahead: Duration,
    /// What a call cost lately.
    call: Duration,
    /// Rows asked for the day that comes.
    asked: HashSet<u64>,
    lines: metrics::Counter,
}

impl Ahead {
    pub fn new(
        knowledge: Arc<Knowledge>,
        dispatcher: Arc<Dispatcher<OfferLanding>>,
        clock: Clock,
        ahead: Duration,
    ) -> Self {
        metrics::describe_counter!("comptoir_ahead_lines_total", "Lines asked with tomorrow's date before midnight");
        let lines = metrics::counter!("comptoir_ahead_lines_total");
        Self { knowledge, dispatcher, clock, ahead, call: CALL_GUESSED, asked: HashSet::new(), lines }
    }

    /// Looks again and again, for ever. To be dropped at any await: what was asked is remembered all the same.
    pub async fn run(mut self) {
        if self.ahead.is_zero() || !self.knowledge.capabilities.dated {
            return;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.clock.read().wall;
            let today = self.knowledge.calendar.day(now);
            let Some((tomorrow, end)) = today.tomorrow().ok().zip(self.knowledge.calendar.end_of(today)) else {
                continue;
            };
            let left = now.until(end);
            if left > self.ahead {
                self.asked.clear();
                continue;
            }
            let books = self.books(today);
            let rows = books.iter().map(|(_, book)| book.used_count()).sum();
            let rows_a_call = self.knowledge.capabilities.prices_batch.max_items;
            if left <= begin_before_end(rows, rows_a_call, self.call, self.ahead) {
                self.round(books, tomorrow).await;
            }
        }
    }

    fn books(&self, day: Date) -> Vec<(Arc<BookKey>, Arc<Book<PriceRow>>)> {
        let is_of_day =
            |key: &BookKey| BookScope::read(key.as_bytes()).is_some_and(|scope| scope.price_date == Some(day));
        self.knowledge.memory.books().filter(|(key, _)| is_of_day(key)).collect()
    }

    /// Asks for everything of these books, once.
    async fn round(&mut self, books: Vec<(Arc<BookKey>, Arc<Book<PriceRow>>)>, tomorrow: Date) {
        let rows_a_call = self.knowledge.capabilities.prices_batch.max_items;
        let someone = self.knowledge.parties.one_of_each_list();
        for (key, book) in books {
            let Some(scope) = BookScope::read(key.as_bytes()) else { continue };
            let Some(header) = self.header(&scope, tomorrow, &someone).map(Arc::new) else { continue };
            let next_key = BookScope { price_date: Some(tomorrow), ..scope }.key();
            // What is read from here on is asked when the day has come.
            let mut used = book.used_keys().into_iter();
            loop {
                while self.dispatcher.load().waiting > 0 {
                    tokio::time::sleep(PAUSE).await;
                }
                if self.knowledge.calendar.day(self.clock.read().wall) >= tomorrow {
                    return;
                }
                let next = self.knowledge.memory.book_of(&next_key);
                let lines = choose(key.as_bytes(), &mut used, next.as_deref(), rows_a_call, &mut self.asked);
                if lines.is_empty() {
                    break;
                }
                self.ask(&header, lines).await;
            }
        }
    }

    async fn ask(&mut self, header: &Arc<Header>, lines: Vec<AskedLine>) {
        self.lines.increment(lines.len() as u64);
        let before = self.clock.mono();
        let demand = Demand { not_before: before, min_stamp: Stamp(0) };
        let want =
            |line| Want { ask: Ask::Price(header.clone(), line), demand, need: Need::Awaited, with_price: false };
        let deadline = before.plus(self.dispatcher.call_limit());
        let page: Page<Outcome> = self.dispatcher.ask(PageAsk {
            wants: lines.into_iter().map(want).collect(),
            lane: Purpose::Warmup.into(),
            account: Account::Gateway,
            deadline,
            asked_by: &"ahead".into(),
            every_landing: false,
            watched: false,
        });
        page.wait(&self.clock, deadline).await;
        self.call = self.clock.mono().since(before);
        // Whatever comes later than that is remembered all the same.
        tokio::time::sleep(PAUSE).await;
    }

    /// The question a book's rows are asked with. `None`: what it is made of is not known any more.
    fn header(&self, scope: &BookScope<'_>, date: Date, someone: &HashMap<PriceListId, CustomerId>) -> Option<Header> {
        let capabilities = &self.knowledge.capabilities;
        let now = self.clock.read();
        let company = scope.company.map(CompanyId::new).transpose().ok()?;
        let ship_to = scope.ship_to.map(ShipToId::new).transpose().ok()?;
        let header = |customer: Option<CustomerId>, contract: Option<&str>| {
            let known = match (&customer, &capabilities.public) {
                (Some(_), _) if capabilities.resolves_customers => None,
                (_, Some(public)) => Some(KnownFacts::given(public.clone(), now)),
                (_, None) => None,
            };
            let facts = match known {
                Some(facts) => facts,
                None => {
                    let known = self.knowledge.parties.get(customer.as_ref())?;
                    // What was declared wrong asks no price.
                    let needed = self.knowledge.epochs.needed_for_facts(customer.as_ref().map(CustomerId::as_str));
                    (known.stamp >= needed.fresh()).then(|| known.known_facts())?
                }
            };
            Some(Header {
                customer,
                for_list: None,
                company: company.clone(),
                ship_to: ship_to.clone(),
                contract: contract.map(ContractId::new).transpose().ok()?,
                currency: scope.currency,
                price_date: date,
                facts,
            })
        };
        match scope.scope {
            Scope::Public => header(None, None),
            Scope::Customer(customer) => header(Some(CustomerId::new(customer).ok()?), None),
            Scope::Contract { customer, contract } => {
                header(customer.map(CustomerId::new).transpose().ok()?, Some(contract))
            }
            Scope::PriceList(list) => {
                let list = PriceListId::new(list).ok()?;
                match capabilities.shares_by_list? {
                    SharesByList::Question => {
                        let facts: Arc<CustomerFacts> = Arc::new(facts_of_list(&list, scope.currency));
                        Some(Header {
                            for_list: Some(list),
                            facts: KnownFacts::given(facts, now),
                            ..header_of_nobody(scope, company, date)
                        })
                    }
                    // Anybody on the list will do: the answer says that it is the list's.
                    SharesByList::Answer => header(Some(someone.get(&list)?.clone()), None),
                }
            }
        }
    }
}

fn header_of_nobody(scope: &BookScope<'_>, company: Option<CompanyId>, price_date: Date) -> Header {
    Header {
        customer: None,
        for_list: None,
        company,
        ship_to: None,
        contract: None,
        currency: scope.currency,
        price_date,
        facts: KnownFacts::given(Arc::default(), Default::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Shapes;
    use crate::clock::Reading;
    use crate::domain::PricedLine;

    #[test]
    fn it_begins_as_late_as_there_is_time_for_all() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        for (rows, rows_a_call, expected) in [
            (0, 100, 60),
            (1, 100, 60 + 1),
            (100, 100, 60 + 1),
            (40_000, 100, 60 + 500),
            (1_000_000, 100, 3600),
            (usize::MAX, 1, 3600),
            (100, 0, 60 + 125),
        ] {
            let before = begin_before_end(rows, rows_a_call, second, hour);
            assert_eq!(before.as_secs(), expected, "{rows} by {rows_a_call}");
        }
    }

    #[test]
    fn a_row_is_asked_once_if_it_was_read_and_is_not_there_yet() {
        let shapes = Shapes::default();
        let line = PricedLine::plain("EUR".parse().unwrap(), "1.00".parse().unwrap());
        let row = |sku: &str| PriceRow::new(sku.as_bytes(), &line, None, Stamp(0), Reading::default(), &shapes);
        let (today, tomorrow) = (Book::new(1, 1 << 20), Book::new(1, 1 << 20));
        for sku in ["READ-1", "READ-2", "THERE", "NEVER-READ"] {
            today.insert(row(sku));
        }
        tomorrow.insert(row("THERE"));
        for sku in ["READ-1", "READ-2", "THERE"] {
            today.get(sku.as_bytes());
        }
        let mut asked = HashSet::new();
        let mut next = |rows| {
            let mut used = today.used_keys().into_iter();
            let lines = choose(b"book", &mut used, Some(&tomorrow), rows, &mut asked);
            lines.into_iter().map(|line| line.sku.to_string()).collect::<Vec<_>>()
        };
        let mut all = [next(1), next(1)].concat();
        all.sort();
        assert_eq!(all, ["READ-1", "READ-2"]);
        assert!(next(10).is_empty());
    }
}
