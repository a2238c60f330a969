//! One page under way: what memory holds for each line, what is missing, and what has arrived since.

use std::sync::Arc;

use super::answer::Source;
use super::freshness::{Decision, Held, Limits, WhyGone};
use super::landing::{Knowledge, Outcome, no_key};
use super::query::{LineQuery, OfferQuery};
use crate::cache::key::write_row_key;
use crate::cache::negatives::No;
use crate::cache::{Book, Negative, PriceRow, StockRow};
use crate::clock::{Reading, Stamp};
use crate::domain::{Sku, Unit};
use crate::erp::connector::{AskedLine, Header};
use crate::erp::dispatch::{Ask, Need, StockAsk, Want};

/// One fact of one line.
#[derive(Clone, Debug)]
pub enum Fact<R> {
    NotAsked,
    Held {
        row: R,
        source: Source,
        /// Why it is served although it is not fresh.
        stale: Option<&'static str>,
    },
    No(Arc<Negative>, Source),
    /// Asked; this is what is left if nothing comes.
    Waiting {
        fallback: Option<R>,
        gone: Option<WhyGone>,
    },
    Failed(&'static str),
}

impl<R: Clone> Fact<R> {
    pub fn is_waiting(&self) -> bool {
        matches!(self, Fact::Waiting { .. })
    }

    /// Nothing (more) will come: `reason` says why.
    fn give_up(&mut self, reason: &'static str) {
        if let Fact::Waiting { fallback, gone } = self {
            *self = match (fallback.take(), gone) {
                (Some(row), _) => Fact::Held { row, source: Source::Memory, stale: Some(reason) },
                (None, Some(WhyGone::Invalidated)) => Fact::Failed("invalidated"),
                (None, _) => Fact::Failed(reason),
            };
        }
    }
}

/// Both facts of a line.
#[derive(Clone, Debug)]
pub struct Line {
    pub price: Fact<PriceRow>,
    pub stock: Fact<StockRow>,
    /// A held price that was not asked for: tells the SKU's units.
    pub units: Option<PriceRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Price,
    Stock,
}

/// The page under way.
pub struct Lookup {
    pub lines: Vec<Line>,
    pub prices: Limits,
    pub stocks: Limits,
    /// Asks and, in the same order, the line and fact each is for.
    wants: Vec<Want>,
    targets: Vec<(usize, Kind)>,
}

/// The reason of what is missing only because the caller's time is up.
pub const PENDING: &str = "pending";

impl Lookup {
    /// Reads memory for every line and notes what must be asked.
    pub fn new(
        query: &OfferQuery,
        header: &HeaderSource<'_>,
        knowledge: &Knowledge,
        limits: (Limits, Limits),
        no_max_age: std::time::Duration,
    ) -> Self {
        let (prices, stocks) = limits;
        let mut lookup = Self {
            lines: Vec::with_capacity(query.lines.len()),
            prices,
            stocks,
            wants: Vec::new(),
            targets: Vec::new(),
        };
        let mut reader = Reader::new(query, header, knowledge, no_max_age);
        for (index, line) in query.lines.iter().enumerate() {
            let found = if line.fault.is_some() {
                Line { price: Fact::NotAsked, stock: Fact::NotAsked, units: None }
            } else {
                reader.read(index, line, &mut lookup)
            };
            lookup.lines.push(found);
        }
        lookup
    }

    /// What is to be asked; empty when memory holds everything, fresh.
    pub fn take_wants(&mut self) -> Vec<Want> {
        std::mem::take(&mut self.wants)
    }

    fn want(&mut self, want: Want, line: usize, kind: Kind) {
        self.wants.push(want);
        self.targets.push((line, kind));
    }

    /// Puts arrived outcomes in their lines and says which lines they were.
    pub fn arrive(&mut self, arrived: Vec<(usize, Outcome)>, arrival: Reading) -> Vec<usize> {
        let mut touched = Vec::with_capacity(arrived.len());
        for (place, outcome) in arrived {
            let Some(&(index, kind)) = self.targets.get(place) else { continue };
            let line = &mut self.lines[index];
            match (kind, outcome) {
                (Kind::Price, Outcome::Price(row)) => {
                    let ended = row.shape().ends.is_some_and(|end| arrival.wall >= end);
                    line.price = if ended {
                        Fact::Failed("validity_ended")
                    } else {
                        Fact::Held { row, source: Source::Erp, stale: None }
                    };
                }
                (Kind::Stock, Outcome::Stock(row)) => {
                    line.stock = Fact::Held { row, source: Source::Erp, stale: None };
                }
                (Kind::Price, Outcome::No(no)) => line.price = Fact::No(no, Source::Erp),
                (Kind::Stock, Outcome::No(no)) => line.stock = Fact::No(no, Source::Erp),
                (Kind::Price, Outcome::Failed(reason)) => line.price.give_up(reason),
                (Kind::Stock, Outcome::Failed(reason)) => line.stock.give_up(reason),
                (kind, other) => {
                    debug_assert!(false, "{kind:?} was answered with {other:?}");
                }
            }
            touched.push(index);
        }
        touched
    }

    /// The caller's time is up: what still waits is answered with what is left of it.
    pub fn give_up(&mut self, reason: &'static str) {
        for line in &mut self.lines {
            line.price.give_up(reason);
            line.stock.give_up(reason);
        }
    }
}

/// The header of the page's ERP questions, made only if there is a question.
pub struct HeaderSource<'a> {
    pub make: &'a dyn Fn() -> Arc<Header>,
    pub book_key: &'a [u8],
    pub price_list: Option<&'a str>,
}

/// Reads one page's lines out of memory.
struct Reader<'a> {
    query: &'a OfferQuery,
    header: &'a HeaderSource<'a>,
    made: Option<Arc<Header>>,
    knowledge: &'a Knowledge,
    book: Option<Arc<Book<PriceRow>>>,
    party: crate::cache::epochs::PartyWords<'a>,
    /// A figure with this stamp is newer than every invalidation.
    newest: Stamp,
    no_max_age: std::time::Duration,
    row_key: Vec<u8>,
    no_key: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(
        query: &'a OfferQuery,
        header: &'a HeaderSource<'a>,
        knowledge: &'a Knowledge,
        no_max_age: std::time::Duration,
    ) -> Self {
        // Read after the request arrived: an invalidation that returned before that is in it.
        let newest = knowledge.epochs.stamp();
        let customer = query.customer.as_ref().map(|id| id.as_str());
        Self {
            query,
            header,
            made: None,
            knowledge,
            book: knowledge.memory.book(header.book_key),
            party: knowledge.epochs.party(customer, header.price_list),
            newest,
            no_max_age,
            row_key: Vec::new(),
            no_key: Vec::new(),
        }
    }

    fn read(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Line {
        let price = if self.query.parts.price { self.price(index, line, lookup) } else { Fact::NotAsked };
        let whole_line_no = matches!(&price, Fact::No(no, _) if !matches!(no.no, No::OnRequest(_)));
        let stock = if self.query.parts.availability && !whole_line_no {
            self.stock(index, line, lookup)
        } else {
            Fact::NotAsked
        };
        let units = if self.query.parts.price { None } else { self.held_price(line) };
        Line { price, stock, units }
    }

    fn held_price(&mut self, line: &LineQuery) -> Option<PriceRow> {
        let book = self.book.as_ref()?;
        let capabilities = &self.knowledge.capabilities;
        if capabilities.breaks && !capabilities.unit_matters {
            return book.get(line.sku.as_bytes());
        }
        self.write_row_key(line);
        self.book.as_ref()?.get(&self.row_key)
    }

    fn write_row_key(&mut self, line: &LineQuery) {
        let capabilities = &self.knowledge.capabilities;
        let unit = line.unit.as_deref().filter(|_| capabilities.unit_matters);
        let quantity = (!capabilities.breaks).then_some(line.amount.0);
        write_row_key(&mut self.row_key, &line.sku, unit, quantity);
    }

    fn price(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Fact<PriceRow> {
        let arrival = self.query.arrival;
        let limits = lookup.prices;
        let mut fallback = None;
        let mut gone = None;
        let mut need = Need::Awaited;
        let mut fact = None;
        // What the question must be newer than: only looked up when something is asked or an old row is found.
        let epochs = &self.knowledge.epochs;
        if let Some(row) = self.held_price(line) {
            let needed =
                if row.stamp() >= self.newest { Stamp(0) } else { epochs.needed_for_price(&self.party, &line.sku) };
            let held = Held { observed: row.observed(), stamp: row.stamp(), ends: row.shape().ends };
            match limits.decide(&held, needed, arrival) {
                Decision::Fresh => return Fact::Held { row, source: Source::Memory, stale: None },
                Decision::ServeAndRefresh => {
                    need = Need::Refresh;
                    fact = Some(Fact::Held { row, source: Source::Memory, stale: Some(PENDING) });
                }
                Decision::FetchOrServe => fallback = Some(row),
                Decision::Fetch(why) => gone = Some(why),
            }
        }
        let needed = epochs.needed_for_price(&self.party, &line.sku);
        if fact.is_none() {
            self.write_row_key(line);
            no_key::price(&mut self.no_key, self.header.book_key, &self.row_key);
            if let Some(no) = self.remembered_no(needed, limits) {
                return Fact::No(no, Source::Memory);
            }
        }
        let ask = self.price_ask(line);
        let demand = limits.demand(arrival.mono, needed);
        lookup.want(Want { ask, demand, need, with_price: false }, index, Kind::Price);
        fact.unwrap_or(Fact::Waiting { fallback, gone })
    }

    fn stock(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Fact<StockRow> {
        let capabilities = &self.knowledge.capabilities;
        if !capabilities.stock && !capabilities.offers {
            return Fact::Failed("stock_not_told");
        }
        let arrival = self.query.arrival;
        let limits = lookup.stocks;
        let epochs = &self.knowledge.epochs;
        let mut fallback = None;
        let mut gone = None;
        let mut need = Need::Awaited;
        let mut fact = None;
        if let Some(row) = self.knowledge.memory.stock.get(line.sku.as_bytes()) {
            let needed = if row.stamp() >= self.newest { Stamp(0) } else { epochs.needed_for_stock(&line.sku) };
            let held = Held { observed: row.observed(), stamp: row.stamp(), ends: None };
            match limits.decide(&held, needed, arrival) {
                Decision::Fresh => return Fact::Held { row, source: Source::Memory, stale: None },
                Decision::ServeAndRefresh => {
                    need = Need::Refresh;
                    fact = Some(Fact::Held { row, source: Source::Memory, stale: Some(PENDING) });
                }
                Decision::FetchOrServe => fallback = Some(row),
                Decision::Fetch(why) => gone = Some(why),
            }
        }
        let needed = epochs.needed_for_stock(&line.sku);
        if fact.is_none() {
            no_key::stock(&mut self.no_key, &line.sku);
            if let Some(no) = self.remembered_no(needed, limits) {
                return Fact::No(no, Source::Memory);
            }
        }
        let demand = limits.demand(arrival.mono, needed);
        if !capabilities.stock {
            // This ERP tells stock only together with prices.
            let ask = self.price_ask(line);
            lookup.want(Want { ask, demand, need: Need::Refresh, with_price: false }, index, Kind::Price);
        }
        let ask = Ask::Stock(StockAsk { sku: known_sku(line), header: self.header() });
        let with_price = lookup.targets.last() == Some(&(index, Kind::Price));
        lookup.want(Want { ask, demand, need, with_price }, index, Kind::Stock);
        fact.unwrap_or(Fact::Waiting { fallback, gone })
    }

    fn remembered_no(&self, needed: Stamp, limits: Limits) -> Option<Arc<Negative>> {
        let no = self.knowledge.negatives.get(&self.no_key)?;
        let max_age = self.no_max_age.min(limits.max_age);
        let fresh = no.observed.mono >= self.query.arrival.mono.minus(max_age);
        (no.stamp >= needed && fresh).then_some(no)
    }

    fn price_ask(&mut self, line: &LineQuery) -> Ask {
        let capabilities = &self.knowledge.capabilities;
        let asked = AskedLine {
            sku: known_sku(line),
            unit: line
                .unit
                .as_deref()
                .filter(|_| capabilities.unit_matters)
                .map(|unit| Unit::new(unit).expect("checked with the line")),
            quantity: (!capabilities.breaks).then_some(line.amount.0),
        };
        Ask::Price(self.header(), asked)
    }

    fn header(&mut self) -> Arc<Header> {
        self.made.get_or_insert_with(|| (self.header.make)()).clone()
    }
}

fn known_sku(line: &LineQuery) -> Sku {
    Sku::new(&line.sku).expect("checked with the line")
}
