//! Flights, queue, batches and budget as one pure state machine: no clock, no lock, no await. The same calls with the same
//! times give the same results.
//!
//! A key is asked once however many wait for it. Whoever asks ([`Machine::ask`]) joins the call that is in the air if it left
//! late enough for them, else the ask that still waits, which moves up into their lane if that is higher, else queues a new
//! one. [`Machine::pump`] sends what may leave; [`Machine::land`] gives the waiters of a call back that is over, or has its
//! keys asked once more. Who is told at once that nothing will come is in [`Machine::take_refused`].
//!
//! Each of these is a file: `asking`, `departing`, `landing`; `view` shows what is going on to people.

mod asking;
mod departing;
mod landing;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::again::Again;
use super::ask::{Ask, StockAsk};
use super::budget::{Budget, Usage};
use super::denied::Denied;
use super::flights::Flights;
use super::lane::{Account, Lane};
use super::queue::{OPERATIONS, Queue};
use super::refusal::Refusal;
use crate::clock::{Mono, Reading, Stamp};
use crate::domain::Sku;
use crate::erp::ErpError;
use crate::erp::breaker::Breaker;
use crate::erp::connector::{Call, Capabilities, Operation};
use crate::erp::limit::Limit;
pub use view::{LaneLoad, Load, Waiting, Whereabouts};

/// From when on a call must have left to be good enough for a caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// The caller's arrival less the age it accepts.
    pub not_before: Mono,
    /// The newest invalidation that concerns it.
    pub min_stamp: Stamp,
}

/// Somebody waiting for one ask.
pub trait Waiter {
    /// Whether they will still be there then.
    fn waits_at(&self, at: Mono) -> bool;
}

/// What all asks of a page have in common.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub lane: Lane,
    pub account: &'a Account,
    pub deadline: Mono,
    pub asked_by: &'a Arc<str>,
    pub now: Reading,
}

/// A call that is to be made now.
#[derive(Debug)]
pub struct Departure {
    pub id: CallId,
    pub call: Call,
    /// What it lands, in the order of the call's own lines; stock that comes along follows.
    pub asks: Vec<Ask>,
    pub start: Reading,
    pub stamp: Stamp,
    /// The lane whose turn it was.
    pub lane: Lane,
    /// Whether nobody waited for it.
    pub background: bool,
    /// The request that asked first, for the log.
    pub asked_by: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A call that is already in the air will answer.
    JoinedAir,
    /// The key waits already.
    JoinedQueue,
    Queued,
    /// The caller is refused, the key waits in the background.
    Background(Refusal),
    /// The caller is refused and the key is not asked.
    Refused(Refusal),
}

impl Asked {
    /// Whether the key waits for a call to leave.
    fn waits(self) -> bool {
        matches!(self, Asked::JoinedQueue | Asked::Queued | Asked::Background(_))
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered,
    /// It reached no working ERP, which may soon be there again.
    Unreached,
    /// It may still run.
    TimedOut,
    /// The ERP answered with an error, or nothing that can be used.
    Erred,
}

impl From<&ErpError> for Ended {
    fn from(error: &ErpError) -> Self {
        match error {
            ErpError::Timeout(_) => Ended::TimedOut,
            ErpError::Unreachable(_) | ErpError::Busy(_) => Ended::Unreached,
            ErpError::Refused(_) | ErpError::Garbled(_) | ErpError::Unprepared(_) => Ended::Erred,
        }
    }
}

/// A key's calls in the air, at most this many: one that left too early for somebody, and the one that left for them.
const AIR_MAX: usize = 2;
/// One departure in so many goes to the lowest lane that waits.
const LOWEST_EVERY: u64 = 16;
/// Riders remembered; the oldest are forgotten first.
const RIDERS_MAX: usize = 10_000;
/// How long a rider is remembered.
const RIDER_LIFE: Duration = Duration::from_secs(60);

/// A call in the air.
#[derive(Debug)]
struct InAir {
    /// Its lines' keys, then the stock that comes along.
    keys: Vec<u32>,
    lines: usize,
    operation: usize,
    start: Mono,
    low: bool,
    /// Part of the search for a bad line.
    half: bool,
    /// No other call was in the air when it left.
    alone: bool,
}

/// What happened so far, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub retries: u64,
    pub bisections: u64,
    /// Calls made to find bad lines.
    pub halves: u64,
    pub denied: u64,
    pub breaker_openings: u64,
    /// Foreground keys nobody waited for any more.
    pub sunk: u64,
    /// Keys dropped to make room.
    pub shed: u64,
    pub riders_taken: u64,
    pub riders_forgotten: u64,
}

#[derive(Debug)]
pub struct Machine<W> {
    capabilities: Capabilities,
    usage: Usage,
    limit: Limit,
    breakers: [Breaker; OPERATIONS],
    queue: Queue,
    flights: Flights<W>,
    again: Again,
    denied: Denied,
    queue_lines_max: usize,
    /// Keys that wait for a call to leave, wherever they stand; riders do not wait.
    waiting: usize,
    calls: HashMap<CallId, InAir, RandomState>,
    next_call: u64,
    refused: Vec<(W, Refusal)>,
    /// The price asked just before, and what came of it: the stock of its SKU may ride with it.
    price_before: Option<(Asked, Option<u32>)>,
    /// Lines that failed alone since the operation last succeeded.
    lone_failures: [u32; OPERATIONS],
    /// A search among the lines of a failed call ended without any success, and there has been none since.
    hopeless: [bool; OPERATIONS],
    /// Whether those who waited when maintenance began have been told.
    told_closed: bool,
    /// Nothing leaves any more.
    closed: bool,
    tally: Tally,
}

impl<W: Waiter> Machine<W> {
    pub fn new(capabilities: Capabilities, budget: &Budget, start: Mono) -> Self {
        Self {
            capabilities,
            usage: Usage::new(budget, start),
            limit: Limit::new(budget.concurrency),
            breakers: Default::default(),
            queue: Queue::default(),
            flights: Flights::default(),
            again: Again::default(),
            denied: Denied::default(),
            queue_lines_max: budget.queue_lines_max,
            waiting: 0,
            calls: HashMap::default(),
            next_call: 0,
            refused: Vec::new(),
            price_before: None,
            lone_failures: [0; OPERATIONS],
            hopeless: [false; OPERATIONS],
            told_closed: false,
            closed: false,
            tally: Tally::default(),
        }
    }

    /// Those who are told at once that nothing will come, since this was last asked.
    pub fn take_refused(&mut self) -> Vec<(W, Refusal)> {
        std::mem::take(&mut self.refused)
    }

    /// From here on no call leaves.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// When a call may leave that may not now, if only time is missing for it.
    pub fn next_wake(&mut self, now: Reading) -> Option<Mono> {
        if self.waiting == 0 || self.closed {
            return None;
        }
        let usage = self.usage.next_change(self.limit.current(), now);
        let breakers = self.breakers.iter().filter_map(Breaker::opens_until);
        breakers.chain(usage).chain(self.again.next_due()).filter(|at| *at > now.mono).min()
    }

    /// Takes a waiting key's waiters out of its flight: they are told. A riding stock's too, when its price is refused.
    fn tell(&mut self, key: u32, refusal: Refusal) {
        let stock = self.riding_stock(key);
        for key in std::iter::once(key).chain(stock) {
            if let Some(wait) = &mut self.flights.get_mut(key).wait {
                self.refused.extend(wait.waiters.drain(..).map(|waiter| (waiter, refusal)));
            }
        }
    }

    /// Forgets a key that waits outside of the queue, and the stock that rides with it. Who waits must have been told.
    fn forget(&mut self, key: u32) {
        let stock = self.riding_stock(key);
        for key in std::iter::once(key).chain(stock) {
            if self.flights.get_mut(key).wait.take().is_some() {
                self.waiting -= 1;
            }
            self.flights.tidy(key);
        }
    }

    /// The stock that rides with this price.
    fn riding_stock(&self, key: u32) -> Option<u32> {
        if !self.capabilities.offers {
            return None;
        }
        let Ask::Price(header, line) = &self.flights.get(key).ask else { return None };
        let ask = Ask::Stock(StockAsk { sku: line.sku.clone(), header: header.clone() });
        let stock = self.flights.find(&ask).1?;
        self.flights
            .get(stock)
            .wait
            .as_ref()
            .is_some_and(|wait| wait.standing == super::flights::Standing::Rides)
            .then_some(stock)
    }

    /// Whether somebody will still be there at `at` to whom this key's answer matters.
    fn is_awaited(&self, key: u32, at: Mono) -> bool {
        let waits = |key: u32| {
            let wait = self.flights.get(key).wait.as_ref();
            wait.is_some_and(|wait| wait.waiters.iter().any(|waiter| waiter.waits_at(at)))
        };
        waits(key) || self.riding_stock(key).is_some_and(waits)
    }

    fn enqueue(&mut self, key: u32) {
        let flight = self.flights.get_mut(key);
        let operation = operation_of(&flight.ask);
        let group = flight.ask.group(&self.capabilities);
        let is_full = flight.air.len() >= AIR_MAX;
        let Some(wait) = &mut flight.wait else { return };
        if is_full {
            // It queues when one of its calls lands.
            wait.standing = super::flights::Standing::Parked;
            return;
        }
        wait.standing = super::flights::Standing::Queued;
        let spot = super::queue::Spot { lane: wait.lane, class: wait.class, operation };
        self.queue.insert(key, spot, &wait.account, group);
    }

    /// Lines in one call, by kind of operation.
    fn call_sizes(&self) -> [usize; OPERATIONS] {
        [&self.capabilities.customers_batch, &self.capabilities.prices_batch, &self.capabilities.stock_batch]
            .map(|rules| rules.max_items.max(1))
    }
}

/// The kind that brings prices.
const PRICES: usize = 1;

/// Kinds of operations that fail apart from each other: customers, prices (with or without stock), stock.
fn operation_of(ask: &Ask) -> usize {
    match ask {
        Ask::Customer(_) => 0,
        Ask::Price(..) => PRICES,
        Ask::Stock(_) => 2,
    }
}

/// The operation of the connector that an index stands for.
fn operation_name(index: usize, capabilities: &Capabilities) -> Operation {
    match index {
        0 => Operation::Customers,
        1 if capabilities.offers => Operation::Offers,
        1 => Operation::Prices,
        _ => Operation::Stock,
    }
}

/// The stock of a SKU, asked with the header of a call that brings it.
fn stock_ask(sku: &Sku, header: &Arc<crate::erp::Header>) -> Ask {
    Ask::Stock(StockAsk { sku: sku.clone(), header: header.clone() })
}
