//! One page under way: what memory holds for each line, what is missing, and what has arrived since.

use std::sync::Arc;

use super::answer::Source;
use super::explain::Reasons;
use super::freshness::{Limits, WhyGone};
use super::landing::{Knowledge, Outcome};
use super::ledger::{LedgerLine, LedgerPage};
use super::query::OfferQuery;
use super::reader::{Reader, price_ask};
use crate::cache::epochs::{Needed, PartyWords};
use crate::cache::{Epochs, Negative, PriceRow, StockRow};
use crate::clock::{Reading, Stamp};
use crate::erp::connector::Header;
use crate::erp::dispatch::{Ask, Demand, Need, Want};
use crate::mutants::mutant;

/// One fact of one line.
#[derive(Clone, Debug)]
pub enum Fact<R> {
    NotAsked,
    Held {
        row: R,
        /// How old the figure is for this reader: of a price that a list shares, the reader's own facts are a part.
        observed: Reading,
        source: Source,
        /// Why it is served although it is not fresh.
        stale: Option<&'static str>,
    },
    No(Arc<Negative>, Source),
    /// Asked; this is what is left if nothing comes.
    Waiting {
        fallback: Option<Fallback<R>>,
        gone: Option<WhyGone>,
    },
    Failed(&'static str),
}

/// What may be served, marked stale, if the ERP cannot be asked in time.
#[derive(Clone, Debug)]
pub struct Fallback<R> {
    pub row: R,
    pub observed: Reading,
    pub source: Source,
    /// It is of a day that is over.
    pub day_over: bool,
}

/// The reason of what is missing only because the caller's time is up.
pub const PENDING: &str = "pending";
/// The reason of a price of a day that is over.
pub const DAY_CHANGED: &str = "day_changed";
/// The reason of a price whose told end has passed.
const VALIDITY_ENDED: &str = "validity_ended";

impl<R: Clone> Fact<R> {
    pub fn is_waiting(&self) -> bool {
        matches!(self, Fact::Waiting { .. })
    }

    fn withdraw(&mut self, needed: Needed, stamp: impl Fn(&R) -> Stamp) {
        let is_gone = |row: &R| stamp(row) < needed.gone_below;
        match self {
            Fact::Held { row, source, .. } if *source != Source::Erp && is_gone(row) => {
                *self = Fact::Failed("invalidated");
            }
            Fact::No(no, source) if *source != Source::Erp && no.stamp < needed.gone_below => {
                *self = Fact::Failed("invalidated");
            }
            Fact::Waiting { fallback, gone } if fallback.as_ref().is_some_and(|left| is_gone(&left.row)) => {
                *fallback = None;
                *gone = Some(WhyGone::Invalidated);
            }
            _ => {}
        }
    }

    /// Nothing (more) will come: `reason` says why.
    fn give_up(&mut self, reason: &'static str) {
        if let Fact::Waiting { fallback, gone } = self {
            *self = match (fallback.take(), gone) {
                (Some(Fallback { row, observed, source, day_over }), _) => {
                    Fact::Held { row, observed, source, stale: Some(if day_over { DAY_CHANGED } else { reason }) }
                }
                (None, Some(WhyGone::Invalidated)) => Fact::Failed("invalidated"),
                (None, _) => Fact::Failed(reason),
            };
        }
    }
}

impl Fact<PriceRow> {
    /// Nothing that was told to end is answered from its end on, however it came to be held.
    fn end(&mut self, now: Reading) {
        if let Fact::Held { row, .. } = self
            && row.shape().ends.is_some_and(|end| now.wall >= end)
            && !mutant!(EndWhileWaiting)
        {
            *self = Fact::Failed(VALIDITY_ENDED);
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
pub(super) enum Kind {
    Price,
    /// A price asked for a list: the reader's own facts are part of its age.
    ListPrice,
    Stock,
}

/// The page under way.
pub struct Lookup {
    pub lines: Vec<Line>,
    pub prices: Limits,
    pub stocks: Limits,
    /// What the stock ledger says of the lines, where there is one and stock was asked for.
    ledger: Option<LedgerPage>,
    /// How old the party's facts are, where a price of this page is shared by list.
    facts_observed: Reading,
    /// Asks and, in the same order, the line and fact each is for.
    wants: Vec<Want>,
    targets: Vec<(usize, Kind)>,
    /// Lines whose price is to be asked by name, and the header to ask with.
    by_name: Vec<usize>,
    header: Option<Arc<Header>>,
}

impl Lookup {
    /// Reads memory for every line and notes what must be asked.
    pub fn new<R: Reasons>(
        query: &OfferQuery,
        mut reader: Reader<'_, R>,
        limits: (Limits, Limits),
        facts_observed: Reading,
        ledger: Option<LedgerPage>,
    ) -> Self {
        let (prices, stocks) = limits;
        let mut lookup = Self {
            lines: Vec::with_capacity(query.lines.len()),
            prices,
            stocks,
            ledger,
            facts_observed,
            wants: Vec::new(),
            targets: Vec::new(),
            by_name: Vec::new(),
            header: None,
        };
        for (index, line) in query.lines.iter().enumerate() {
            let found = if line.fault.is_some() {
                Line { price: Fact::NotAsked, stock: Fact::NotAsked, units: None }
            } else {
                reader.read(index, line, &mut lookup)
            };
            lookup.lines.push(found);
        }
        // Whatever is asked for a list may have to be asked by name.
        if lookup.targets.iter().any(|(_, kind)| *kind == Kind::ListPrice) {
            lookup.header = Some(reader.header_by_name());
        }
        lookup
    }

    pub fn ledger(&self, line: usize) -> Option<LedgerLine<'_>> {
        self.ledger.as_ref().map(|page| page.line(line)).filter(|line| !line.is_empty())
    }

    /// What is to be asked; empty when memory holds everything, fresh.
    pub fn take_wants(&mut self) -> Vec<Want> {
        std::mem::take(&mut self.wants)
    }

    pub(super) fn want(&mut self, ask: Ask, demand: Demand, need: Need, (line, kind): (usize, Kind), with_price: bool) {
        self.wants.push(Want { ask, demand, need, with_price });
        self.targets.push((line, kind));
    }

    /// Whether the last want is for this line's price.
    pub(super) fn asks_price_of(&self, line: usize) -> bool {
        self.targets.last().is_some_and(|(last, kind)| *last == line && *kind != Kind::Stock)
    }

    /// Puts arrived outcomes in their lines.
    pub fn arrive(&mut self, arrived: Vec<(usize, Outcome)>, now: Reading) {
        for (place, outcome) in arrived {
            let Some(&(index, kind)) = self.targets.get(place) else { continue };
            let line = &mut self.lines[index];
            match (kind, outcome) {
                (Kind::Price | Kind::ListPrice, Outcome::Price(row)) => {
                    let observed = match kind {
                        Kind::ListPrice if !mutant!(FactsHaveNoAge) => row.observed().older(self.facts_observed),
                        _ => row.observed(),
                    };
                    line.price = Fact::Held { row, observed, source: Source::Erp, stale: None };
                }
                (Kind::Stock, Outcome::Stock(row)) => {
                    line.stock = Fact::Held { observed: row.observed(), row, source: Source::Erp, stale: None };
                }
                (Kind::ListPrice, Outcome::NotShared) => self.by_name.push(index),
                (Kind::Price | Kind::ListPrice, Outcome::No(no)) => line.price = Fact::No(no, Source::Erp),
                (Kind::Stock, Outcome::No(no)) => line.stock = Fact::No(no, Source::Erp),
                (Kind::Price | Kind::ListPrice, Outcome::Failed(reason)) => line.price.give_up(reason),
                (Kind::Stock, Outcome::Failed(reason)) => line.stock.give_up(reason),
                (kind, other) => {
                    debug_assert!(false, "{kind:?} was answered with {other:?}");
                }
            }
        }
        self.end(now);
    }

    /// What has to be asked again, by name: a question that named nobody was answered with somebody's own price, and who
    /// that is cannot be known. To be called when everything asked has arrived; places count anew.
    pub fn ask_by_name(&mut self, query: &OfferQuery, knowledge: &Knowledge) -> Vec<Want> {
        let Some(header) = self.header.take().filter(|_| !self.by_name.is_empty()) else { return Vec::new() };
        self.targets.clear();
        for index in std::mem::take(&mut self.by_name) {
            let ask = price_ask(&query.lines[index], header.clone(), &knowledge.capabilities);
            let now = Needed { gone_below: knowledge.epochs.stamp(), ..Needed::default() };
            let demand = self.prices.demand(query.arrival.mono, now);
            self.want(ask, demand, Need::Awaited, (index, Kind::Price), false);
        }
        self.take_wants()
    }

    /// The caller's time is up: what still waits is answered with what is left of it.
    pub fn give_up(&mut self, reason: &'static str, now: Reading) {
        for line in &mut self.lines {
            line.price.give_up(reason);
            line.stock.give_up(reason);
        }
        self.end(now);
    }

    /// What was held when the page began, and has been declared wrong since, is not answered. What the ERP was asked for by
    /// this page stays: it was asked before.
    pub fn withdraw(&mut self, query: &OfferQuery, party: &PartyWords<'_>, epochs: &Epochs) {
        for (line, asked) in self.lines.iter_mut().zip(&query.lines) {
            line.price.withdraw(epochs.needed_for_price(party, &asked.sku), PriceRow::stamp);
            line.stock.withdraw(epochs.needed_for_stock(&asked.sku), StockRow::stamp);
        }
    }

    /// What was told to end before now is not answered.
    pub fn end(&mut self, now: Reading) {
        self.lines.iter_mut().for_each(|line| line.price.end(now));
    }
}
