//! The working state of one channel: from what is there, and what was told, to rows and their numbers. Pure: it is given
//! figures and the time, and says what happened; whoever runs it makes that durable, and then shows it.
//!
//! Everything that must be known after a start is the fold of [`Event`]s ([`Machine::apply`]), made live by the same code as at
//! replay. The rest is made anew from it: when to look at a row again, which prices to ask, which doubts are judged. While
//! events are not durable yet the machine is ahead of what readers see; where storage fails it is thrown away.

mod count;
mod derive;
mod explain;
mod fold;
mod modes;
mod prices;
mod report;
mod scan;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasher as _;

use hashbrown::HashTable;

pub use self::derive::Seat;
pub use self::explain::Compared;
pub use self::prices::Due;
use self::scan::Scans;
pub use self::scan::{Part, Scanned};
use super::event::{Event, Kept, Own};
use super::log::{Change, Condition, Purged};
use super::page::{ChannelState, Mode};
use super::policy::Policy;
use super::pricing::Pricing;
use super::report::{Delivery, HeldLocation};
use super::row::RowKey;
use crate::clock::Timestamp;
use crate::domain::{LocationId, Sku};
use crate::stock::changes::{History, Rebuild};

/// A log that knows nothing begins with the version that belongs to the time: a log takes 47 bits, which last until 2042.
/// 2025-01-01.
const VERSIONS_BEGIN: Timestamp = Timestamp(1_735_689_600_000);

/// More than a log gives out, but in a burst.
const VERSIONS_PER_MS: u64 = 256;

/// One channel's.
#[derive(Debug)]
pub struct Machine {
    policy: Policy,
    // The fold.
    /// By number. A number is a row's for as long as the process lives.
    entries: Vec<Option<Box<Entry>>>,
    /// The first of each SKU's.
    by_sku: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    own: Own,
    purged: Purged,
    history: Vec<(u64, u64)>,
    /// The last id that was given out.
    highest: u64,
    // What follows from it.
    tally: Tally,
    held: BTreeMap<LocationId, (HeldLocation, usize)>,
    /// Removed rows, by when they were.
    removed: BTreeSet<(Timestamp, u32)>,
    /// Rows of which some version was not heard of, by when that was published.
    unsaid: BTreeSet<(Timestamp, u32)>,
    // What is only for now.
    changes: Vec<Change>,
    timers: BTreeSet<(Timestamp, u32)>,
    dirty: VecDeque<u32>,
    scans: Scans,
    pricing: Pricing,
    /// Rows that an invalidation would zero, if the guard lets it.
    blocked: Vec<u32>,
    /// How many of them the guard has refused.
    blocked_judged: usize,
    /// Why something is not published until somebody insists.
    guard: Guarded,
    opened_at: Timestamp,
    /// What was given out before this start is no later.
    began: u64,
    is_live: bool,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    deliveries: Vec<Delivery>,
    /// The next of the same SKU's.
    next: Option<u32>,
    wake: Option<Timestamp>,
    is_dirty: bool,
}

/// Published rows, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    listed: u64,
    zeroed: u64,
    removed: u64,
    /// At zero because their price was declared wrong for too long.
    invalidated: u64,
}

/// What the guard refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Guarded {
    /// Doubts that began up to then.
    stock: Option<Timestamp>,
    price: bool,
}

impl Machine {
    /// Before its events are replayed.
    pub fn new(policy: Policy) -> Self {
        let refresh_after = policy.config().price.as_ref().map(|price| price.refresh_after).unwrap_or_default();
        Self {
            policy,
            entries: Vec::new(),
            by_sku: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            own: Own::default(),
            purged: Purged::default(),
            history: Vec::new(),
            highest: 0,
            tally: Tally::default(),
            held: BTreeMap::new(),
            removed: BTreeSet::new(),
            unsaid: BTreeSet::new(),
            changes: Vec::new(),
            timers: BTreeSet::new(),
            dirty: VecDeque::new(),
            scans: Scans::default(),
            pricing: Pricing::new(refresh_after),
            blocked: Vec::new(),
            blocked_judged: 0,
            guard: Guarded::default(),
            opened_at: Timestamp(0),
            began: 0,
            is_live: false,
        }
    }

    /// All that was kept is replayed: begins to work. `random` names this start. What it did is for the journal, and is to be
    /// durable before any cursor is given out.
    pub fn start(&mut self, random: u64, now: Timestamp, events: &mut Vec<Event>) {
        self.opened_at = now;
        self.emit(Event::Started { random, watermark: self.highest }, events);
        self.is_live = true;
        // What was given out after a copy of the folder was made is not known here: nothing is given out twice.
        let by_the_clock = u64::try_from(now.0 - VERSIONS_BEGIN.0).unwrap_or(0).saturating_mul(VERSIONS_PER_MS);
        if !crate::mutants::mutant!(VersionsBeginAnew) {
            self.highest = self.highest.max(by_the_clock);
        }
        self.began = self.highest;
        let customer = &self.policy.config().customer;
        if self.own.customer != *customer {
            self.emit(Event::Own(Box::new(Own { customer: customer.clone(), ..self.own.clone() })), events);
        }
        if self.own.anew || self.own.policy != Some(self.policy.hash()) {
            self.work_out_anew(events);
        }
        for number in 0..self.entries.len() as u32 {
            let Some(entry) = &self.entries[number as usize] else { continue };
            let Kept { waiting, price, invalidated_at, is_unreachable, .. } = &entry.kept;
            let by_time = *waiting != Default::default() || invalidated_at.is_some() || *is_unreachable;
            if by_time || price.ends().is_some() {
                self.wake(number, Some(now));
            }
            self.know_price(number, now);
        }
    }

    /// The order in which rows changed, as kept, and the rows by number. To be called once, after [`start`](Self::start).
    pub fn published(&self) -> (crate::stock::ChangeLog<u32>, Vec<Option<std::sync::Arc<super::row::ChannelRow>>>) {
        let mut rebuild = Rebuild::default();
        let rows: Vec<_> =
            self.entries.iter().map(|entry| entry.as_ref().and_then(|entry| entry.kept.row.clone())).collect();
        for (number, row) in rows.iter().enumerate() {
            if let Some(row) = row {
                rebuild.take(&(number as u32), row.version, super::log::is_urgent(row));
            }
        }
        rebuild.pass(self.history.last().map_or(0, |(_, watermark)| *watermark));
        let mut history = History::default();
        self.history.iter().for_each(|(random, watermark)| history.start(*random, *watermark));
        (rebuild.start(history), rows)
    }

    /// As if nothing had ever been kept.
    pub fn forget_all(&mut self) {
        let numbers = self.entries.len() as u32;
        (0..numbers).for_each(|number| self.remove(number));
        self.own = Own::default();
        self.purged = Purged::default();
        self.history.clear();
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn purged(&self) -> Purged {
        self.purged
    }

    pub fn condition(&self) -> Condition {
        let recomputing = self.own.anew && self.own.mode != Mode::Held;
        let state = match self.own.mode {
            Mode::Held => ChannelState::Held,
            Mode::Zeroed => ChannelState::Zeroed,
            Mode::Live if recomputing => ChannelState::Recomputing,
            Mode::Live => ChannelState::Live,
        };
        Condition { state, recomputing, policy: self.policy.hash() }
    }

    /// What readers are to see of the events since the last time.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// SKUs to be derived again because time has come to look at them, or something was told of them.
    pub fn take_due(&mut self, now: Timestamp, most: usize, skus: &mut Vec<Sku>) {
        if self.own.mode == Mode::Held {
            return;
        }
        let end = skus.len() + most;
        while skus.len() < end
            && let Some(&(at, number)) = self.timers.first()
            && at <= now
        {
            self.wake(number, None);
            skus.extend(self.sku(number));
        }
        while skus.len() < end
            && let Some(number) = self.dirty.pop_front()
        {
            if let Some(entry) = &mut self.entries[number as usize] {
                entry.is_dirty = false;
                skus.push(entry.kept.key.sku.clone());
            }
        }
    }

    /// Whether there is more to do at once.
    pub fn has_work(&self, now: Timestamp) -> bool {
        self.own.mode != Mode::Held
            && (!self.dirty.is_empty() || self.scans.is_on() || self.timers.first().is_some_and(|(at, _)| *at <= now))
    }

    fn emit(&mut self, event: Event, events: &mut Vec<Event>) {
        self.apply(&event);
        events.push(event);
    }

    fn own_changed(&mut self, own: Own, events: &mut Vec<Event>) {
        if own != self.own {
            self.emit(Event::Own(Box::new(own)), events);
        }
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)?.as_deref()
    }

    fn sku(&self, number: u32) -> Option<Sku> {
        self.entry(number).map(|entry| entry.kept.key.sku.clone())
    }

    fn first(&self, sku: &Sku) -> Option<u32> {
        let is_it = |number: &u32| self.entry(*number).is_some_and(|entry| entry.kept.key.sku == *sku);
        self.by_sku.find(self.hasher.hash_one(sku), is_it).copied()
    }

    /// The rows of a SKU.
    fn of_sku(&self, sku: &Sku) -> impl Iterator<Item = u32> {
        std::iter::successors(self.first(sku), |number| self.entry(*number)?.next)
    }

    fn find(&self, key: &RowKey) -> Option<u32> {
        self.of_sku(&key.sku).find(|number| self.entry(*number).is_some_and(|entry| *entry.kept.key == *key))
    }

    /// To be looked at then; at no other time, unless something happens.
    fn wake(&mut self, number: u32, at: Option<Timestamp>) {
        let Some(entry) = &mut self.entries[number as usize] else { return };
        if entry.wake == at {
            return;
        }
        let before = std::mem::replace(&mut entry.wake, at);
        if let Some(before) = before {
            self.timers.remove(&(before, number));
        }
        if let Some(at) = at {
            self.timers.insert((at, number));
        }
    }

    fn look_again(&mut self, number: u32) {
        if let Some(entry) = &mut self.entries[number as usize]
            && !entry.is_dirty
        {
            entry.is_dirty = true;
            self.dirty.push_back(number);
        }
    }
}

#[cfg(test)]
mod tests;
