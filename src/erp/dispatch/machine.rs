//! Flights, queue, batches and budget as one pure state machine: no clock, no lock, no await. Everything happens in
//! [`Machine::ask`], [`Machine::pump`] and [`Machine::land`].
//!
//! A key is asked once however many wait for it. Whoever asks joins the call that is in the air if it left late enough for
//! them, else the ask that still waits, else queues a new one. What waits is grouped by what may leave together; groups
//! leave in the order in which their first key came.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::ask::{Ask, Group, StockAsk};
use super::budget::{Budget, Usage};
use crate::clock::{Mono, Reading, Stamp};
use crate::domain::Sku;
use crate::erp::connector::{Call, Capabilities};
use crate::mutants::mutant;

/// From when on a call must have left to be good enough for a caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// The caller's arrival less the age it accepts.
    pub not_before: Mono,
    /// The newest invalidation that concerns it.
    pub min_stamp: Stamp,
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
}

/// A key's calls in the air, at most this many: one that left too early for somebody, and the one that left for them.
const AIR_MAX: usize = 2;

#[derive(Debug)]
struct Flight<W> {
    /// Oldest first.
    air: Vec<Air<W>>,
    wait: Option<Wait<W>>,
}

#[derive(Debug)]
struct Air<W> {
    call: CallId,
    start: Mono,
    stamp: Stamp,
    waiters: Vec<W>,
}

#[derive(Debug)]
struct Wait<W> {
    waiters: Vec<W>,
    asked_by: Arc<str>,
    standing: Standing,
}

/// Where a waiting key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// In its group's queue.
    Queued,
    /// Nowhere: two calls are in the air, and it queues when one lands.
    Parked,
    /// Nowhere: the price of its SKU waits, and the call for that brings the stock too.
    Rides,
}

/// What waits in one group, oldest first. A key taken along by another call stays behind as a ghost and is passed over.
#[derive(Debug, Default)]
struct Queue {
    keys: VecDeque<Ask>,
}

#[derive(Debug)]
pub struct Machine<W> {
    capabilities: Capabilities,
    usage: Usage,
    queue_lines_max: usize,
    flights: HashMap<Ask, Flight<W>>,
    groups: HashMap<Group, Queue>,
    /// Groups by the arrival of their oldest key.
    order: VecDeque<Group>,
    /// Keys that wait, parked ones included.
    waiting: usize,
    calls: HashMap<CallId, Vec<Ask>>,
    next_call: u64,
}

impl<W> Machine<W> {
    pub fn new(capabilities: Capabilities, budget: &Budget) -> Self {
        Self {
            capabilities,
            usage: Usage::new(budget),
            queue_lines_max: budget.queue_lines_max,
            flights: HashMap::new(),
            groups: HashMap::new(),
            order: VecDeque::new(),
            waiting: 0,
            calls: HashMap::new(),
            next_call: 0,
        }
    }

    /// Asks for one key. Every key of a page is asked before [`Machine::pump`] is called, or the first would leave alone.
    /// `rides`: this is stock, and the price of its SKU was just asked and waits, so that one call will bring both.
    /// `Err` gives the waiter back: too much waits already.
    pub fn ask(&mut self, ask: Ask, demand: Demand, waiter: W, asked_by: &Arc<str>, rides: bool) -> Result<Asked, W> {
        let rides = rides && self.capabilities.offers;
        match self.flights.entry(ask) {
            Entry::Occupied(mut entry) => {
                let flight = entry.get_mut();
                let good = |air: &&mut Air<W>| {
                    (air.start >= demand.not_before || mutant!(JoinOlderAir))
                        && (air.stamp >= demand.min_stamp || mutant!(JoinBeforeInvalidation))
                };
                if let Some(air) = flight.air.iter_mut().rev().find(good) {
                    air.waiters.push(waiter);
                    return Ok(Asked::JoinedAir);
                }
                if let Some(wait) = &mut flight.wait {
                    wait.waiters.push(waiter);
                    return Ok(Asked::JoinedQueue);
                }
                if self.waiting >= self.queue_lines_max {
                    return Err(waiter);
                }
                let standing = match (rides, flight.air.len() >= AIR_MAX) {
                    (true, _) => Standing::Rides,
                    (false, true) => Standing::Parked,
                    (false, false) => Standing::Queued,
                };
                flight.wait = Some(Wait { waiters: vec![waiter], asked_by: asked_by.clone(), standing });
                self.waiting += 1;
                if standing == Standing::Queued {
                    let ask = entry.key().clone();
                    self.enqueue(ask);
                }
            }
            Entry::Vacant(entry) => {
                if self.waiting >= self.queue_lines_max {
                    return Err(waiter);
                }
                let ask = entry.key().clone();
                let standing = if rides { Standing::Rides } else { Standing::Queued };
                let wait = Wait { waiters: vec![waiter], asked_by: asked_by.clone(), standing };
                entry.insert(Flight { air: Vec::new(), wait: Some(wait) });
                self.waiting += 1;
                if standing == Standing::Queued {
                    self.enqueue(ask);
                }
            }
        }
        Ok(Asked::Queued)
    }

    /// Sends what may leave: one call after another while permits and slots last.
    pub fn pump(&mut self, now: Reading, stamp: Stamp) -> Vec<Departure> {
        let mut departures = Vec::new();
        while let Some(group) = self.next_group() {
            if !self.usage.take(now.mono) {
                self.order.push_front(group);
                break;
            }
            departures.push(self.depart(group, now, stamp));
        }
        departures
    }

    /// A call is over: gives its waiters back, by ask, in the order of [`Departure::asks`].
    pub fn land(&mut self, id: CallId, now: Mono) -> Vec<Vec<W>> {
        let Some(asks) = self.calls.remove(&id) else { return Vec::new() };
        self.usage.give_back(now);
        let mut landed = Vec::with_capacity(asks.len());
        for ask in asks {
            let Entry::Occupied(mut entry) = self.flights.entry(ask) else {
                landed.push(Vec::new());
                continue;
            };
            let flight = entry.get_mut();
            let position = flight.air.iter().position(|air| air.call == id);
            landed.push(position.map(|at| flight.air.remove(at).waiters).unwrap_or_default());
            match &mut flight.wait {
                Some(wait) if wait.standing == Standing::Parked => {
                    wait.standing = Standing::Queued;
                    let ask = entry.key().clone();
                    self.enqueue(ask);
                }
                Some(_) => {}
                None if flight.air.is_empty() => {
                    entry.remove();
                }
                None => {}
            }
        }
        landed
    }

    /// When the next call may leave, if only time is missing for it.
    pub fn next_wake(&self) -> Option<Mono> {
        (self.waiting > 0).then(|| self.usage.next_slot()).flatten()
    }

    /// Keys that wait for a call to leave.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Calls in the air.
    pub fn in_flight(&self) -> usize {
        self.usage.in_flight()
    }

    fn enqueue(&mut self, ask: Ask) {
        let group = ask.group(&self.capabilities);
        match self.groups.entry(group) {
            Entry::Occupied(mut entry) => entry.get_mut().keys.push_back(ask),
            Entry::Vacant(entry) => {
                self.order.push_back(entry.key().clone());
                entry.insert(Queue { keys: VecDeque::from([ask]) });
            }
        }
    }

    /// The first group that still has a key waiting.
    fn next_group(&mut self) -> Option<Group> {
        for _ in 0..self.order.len() {
            let group = self.order.pop_front()?;
            let Some(queue) = self.groups.get_mut(&group) else { continue };
            while queue.keys.front().is_some_and(|ask| !waits(&self.flights, ask)) {
                queue.keys.pop_front();
            }
            if queue.keys.is_empty() {
                self.groups.remove(&group);
            } else {
                return Some(group);
            }
        }
        None
    }

    fn depart(&mut self, group: Group, now: Reading, stamp: Stamp) -> Departure {
        let id = CallId(self.next_call);
        self.next_call += 1;
        let operation_batch = match &group {
            Group::Customers => self.capabilities.customers_batch,
            Group::Prices { .. } => self.capabilities.prices_batch,
            Group::Stock => self.capabilities.stock_batch,
        };
        let mut asks = Vec::new();
        let mut asked_by = None;
        let mut queue = self.groups.remove(&group).unwrap_or_default();
        while asks.len() < operation_batch.max_items.max(1) {
            let Some(ask) = queue.keys.pop_front() else { break };
            if let Some(by) = self.take_off(&ask, id, now.mono, stamp) {
                asked_by.get_or_insert(by);
                asks.push(ask);
            }
        }
        let call = self.call(&group, &asks);
        if let Call::Offers(header, lines) = &call {
            self.take_stock_along(id, header.clone(), lines.clone(), &mut asks, now.mono, stamp);
        }
        if !queue.keys.is_empty() {
            self.groups.insert(group.clone(), queue);
            self.order.push_back(group);
        }
        self.calls.insert(id, asks.clone());
        Departure { id, call, asks, start: now, stamp, asked_by: asked_by.unwrap_or_else(|| "".into()) }
    }

    /// Moves a waiting key into the air. `None`: it does not wait any more.
    fn take_off(&mut self, ask: &Ask, call: CallId, start: Mono, stamp: Stamp) -> Option<Arc<str>> {
        let flight = self.flights.get_mut(ask)?;
        let wait = flight.wait.take_if(|wait| wait.standing == Standing::Queued)?;
        self.waiting -= 1;
        flight.air.push(Air { call, start, stamp, waiters: wait.waiters });
        Some(wait.asked_by)
    }

    /// An offers call brings the stock of its SKUs: whoever waits for that waits for this call now, and whoever asks for it
    /// from here on may join.
    fn take_stock_along(
        &mut self,
        call: CallId,
        header: Arc<crate::erp::Header>,
        lines: Vec<crate::erp::AskedLine>,
        asks: &mut Vec<Ask>,
        start: Mono,
        stamp: Stamp,
    ) {
        let mut skus: Vec<Sku> = lines.into_iter().map(|line| line.sku).collect();
        skus.sort();
        skus.dedup();
        for sku in skus {
            let ask = Ask::Stock(StockAsk { sku, header: header.clone() });
            let flight = self.flights.entry(ask.clone()).or_insert_with(|| Flight { air: Vec::new(), wait: None });
            let waiters = match flight.wait.take() {
                Some(wait) => {
                    self.waiting -= 1;
                    wait.waiters
                }
                None => Vec::new(),
            };
            // More than two at a time is no harm here: these cost no call of their own.
            flight.air.push(Air { call, start, stamp, waiters });
            asks.push(ask);
        }
    }

    fn call(&self, group: &Group, asks: &[Ask]) -> Call {
        match group {
            Group::Customers => Call::Customers(
                asks.iter()
                    .filter_map(|ask| match ask {
                        Ask::Customer(customer) => Some(customer.clone()),
                        _ => None,
                    })
                    .collect(),
            ),
            Group::Prices { header, .. } => {
                let lines = asks
                    .iter()
                    .filter_map(|ask| match ask {
                        Ask::Price(_, line) => Some(line.clone()),
                        _ => None,
                    })
                    .collect();
                if self.capabilities.offers {
                    Call::Offers(header.clone(), lines)
                } else {
                    Call::Prices(header.clone(), lines)
                }
            }
            Group::Stock => {
                let stock: Vec<&StockAsk> = asks
                    .iter()
                    .filter_map(|ask| match ask {
                        Ask::Stock(stock) => Some(stock),
                        _ => None,
                    })
                    .collect();
                let header = stock.first().map(|first| first.header.clone()).expect("a group that leads is not empty");
                Call::Stock(header, stock.into_iter().map(|ask| ask.sku.clone()).collect())
            }
        }
    }
}

fn waits<W>(flights: &HashMap<Ask, Flight<W>>, ask: &Ask) -> bool {
    flights.get(ask).and_then(|flight| flight.wait.as_ref()).is_some_and(|wait| wait.standing == Standing::Queued)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
