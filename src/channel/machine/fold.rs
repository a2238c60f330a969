//! What each event makes of the state.

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::ops::Range;

use super::{Entry, Machine, Tally};
use crate::channel::ack::AckResult;
use crate::channel::event::{Event, Heard, Held, Kept, Reach};
use crate::channel::fact::PriceFact;
use crate::channel::log::Change;
use crate::channel::report::{Delivery, HeldLocation};
use crate::channel::row::{ChannelRow, RowState};
use crate::clock::Timestamp;

impl Machine {
    /// Takes in what happened. Twice is harmless, and so is an event from before what is known of the row, as long as those
    /// after it follow.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Row(kept) => {
                let number = self.find(&kept.key).unwrap_or_else(|| self.insert(Kept::new((*kept.key).clone())));
                self.set(number, (**kept).clone());
            }
            Event::Gone(key) => {
                if let Some(number) = self.find(key) {
                    self.remove(number);
                }
            }
            Event::Said(key, delivery) => {
                if let Some(number) = self.find(key) {
                    self.said(number, delivery);
                }
            }
            Event::Invalidated { reach: Reach::All, at } => {
                (0..self.entries.len() as u32).for_each(|number| self.invalidate_row(number, *at));
            }
            Event::Invalidated { reach: Reach::Skus(skus), at } => {
                for sku in skus {
                    let numbers: Vec<u32> = self.of_sku(sku).collect();
                    numbers.into_iter().for_each(|number| self.invalidate_row(number, *at));
                }
            }
            Event::Own(own) => {
                if self.own.customer != own.customer {
                    self.forget_prices();
                }
                let told_more = own.heard != self.own.heard;
                self.own = (**own).clone();
                if told_more {
                    self.unsaid = self.count_unsaid();
                }
            }
            Event::Purged { purged, before } => {
                self.purged = *purged;
                self.highest = self.highest.max(purged.at);
                while let Some(&(at, number)) = self.removed.first()
                    && at < *before
                {
                    let Some(entry) = &self.entries[number as usize] else { break };
                    let forgotten = Kept { row: None, unsaid_since: None, ..entry.kept.clone() };
                    self.set(number, forgotten);
                }
                self.change(Change::Purged(*purged));
            }
            Event::Started { random, watermark } => {
                self.history.push((*random, *watermark));
                self.highest = self.highest.max(*watermark);
            }
            Event::Dropped => {}
        }
    }

    /// All of the state, for a checkpoint: `number` rows from the first on are to follow by [`Self::row_events`].
    pub fn own_events(&self) -> Vec<Event> {
        let started = self.history.iter().map(|(random, watermark)| (*random, *watermark));
        let mut events: Vec<Event> = started.map(|(random, watermark)| Event::Started { random, watermark }).collect();
        events.push(Event::Own(Box::new(self.own.clone())));
        events.push(Event::Purged { purged: self.purged, before: Timestamp(i64::MIN) });
        events
    }

    /// Numbers end here.
    pub fn numbers(&self) -> usize {
        self.entries.len()
    }

    /// The state of these rows.
    pub fn row_events(&self, numbers: Range<usize>) -> Vec<Event> {
        let mut events = Vec::new();
        for entry in self.entries[numbers].iter().flatten() {
            events.push(Event::Row(Box::new(entry.kept.clone())));
            let said = entry.deliveries.iter();
            events.extend(said.map(|delivery| Event::Said(entry.kept.key.clone(), delivery.clone())));
        }
        events
    }

    fn change(&mut self, change: Change) {
        // At replay nobody looks on.
        if self.is_live {
            self.changes.push(change);
        }
    }

    fn insert(&mut self, kept: Kept) -> u32 {
        let number = self.entries.len() as u32;
        let sku = kept.key.sku.clone();
        let hash = self.hasher.hash_one(&sku);
        let next = self.first(&sku);
        self.entries.push(Some(Box::new(Entry { kept, deliveries: Vec::new(), next, wake: None, is_dirty: false })));
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash_of =
            |number: &u32| entries[*number as usize].as_ref().map_or(0, |entry| hasher.hash_one(&entry.kept.key.sku));
        match self.by_sku.find_mut(hash, |known| Some(*known) == next) {
            Some(first) => *first = number,
            None => {
                self.by_sku.insert_unique(hash, number, hash_of);
            }
        }
        number
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.wake(number, None);
        let Some(entry) = self.entries[number as usize].as_ref() else { return };
        let (key, next) = ((*entry.kept.key).clone(), entry.next);
        let sku = key.sku.clone();
        self.set(number, Kept::new(key));
        let before = self.of_sku(&sku).find(|other| self.entry(*other).is_some_and(|entry| entry.next == Some(number)));
        match before {
            Some(before) => {
                if let Some(entry) = &mut self.entries[before as usize] {
                    entry.next = next;
                }
            }
            None => {
                if let Ok(first) = self.by_sku.find_entry(self.hasher.hash_one(&sku), |known| *known == number) {
                    match next {
                        Some(next) => *first.into_mut() = next,
                        None => {
                            let _ = first.remove();
                        }
                    }
                }
            }
        }
        self.entries[number as usize] = None;
        self.pricing.forgotten(number);
    }

    /// The one place where a row changes: what follows from it follows.
    fn set(&mut self, number: u32, kept: Kept) {
        let Some(entry) = self.entries[number as usize].as_deref_mut() else { return };
        let now = kept.clone();
        let was = std::mem::replace(&mut entry.kept, kept);
        self.count(number, &was, false);
        self.count(number, &now, true);
        match (&was.row, &now.row) {
            (was, Some(row)) if was.as_ref().is_none_or(|was| was.version != row.version) => {
                self.highest = self.highest.max(row.version);
                self.change(Change::Row(number, row.clone()));
            }
            (Some(_), None) => self.change(Change::Forgotten(number)),
            _ => {}
        }
    }

    fn count(&mut self, number: u32, kept: &Kept, there: bool) {
        if let Some(row) = &kept.row {
            self.tally.count(row, there);
            if row.state == RowState::Removed {
                let _ = if there {
                    self.removed.insert((kept.published_at, number))
                } else {
                    self.removed.remove(&(kept.published_at, number))
                };
            }
        }
        if let Some(since) = kept.unsaid_since.filter(|_| self.own.heard != Heard::Nothing) {
            let _ = if there { self.unsaid.insert((since, number)) } else { self.unsaid.remove(&(since, number)) };
        }
        for held in &kept.held {
            let Held { location, reason, since, is_zero, .. } = held.clone();
            let now_held = HeldLocation { location, reason, since, is_zero };
            if there {
                let (of, count) = self.held.entry(held.location.clone()).or_insert((now_held.clone(), 0));
                *of = now_held;
                *count += 1;
            } else if let Some((_, count)) = self.held.get_mut(&held.location) {
                *count -= 1;
                if *count == 0 {
                    self.held.remove(&held.location);
                }
            }
        }
    }

    fn said(&mut self, number: u32, delivery: &Delivery) {
        let Some(entry) = self.entries[number as usize].as_deref_mut() else { return };
        match entry.deliveries.iter_mut().find(|known| known.result == delivery.result) {
            Some(known) => *known = delivery.clone(),
            None => entry.deliveries.push(delivery.clone()),
        }
        let kept = entry.kept.clone();
        let unsaid_since = self.unsaid_since(number);
        self.set(number, Kept { unsaid_since, ..kept });
    }

    /// Where only results count, that it was sent does not.
    fn unsaid_since(&self, number: u32) -> Option<Timestamp> {
        let entry = self.entry(number)?;
        let row = entry.kept.row.as_ref()?;
        let counts = |delivery: &&Delivery| self.own.heard != Heard::Results || delivery.result != AckResult::Sent;
        let heard = entry.deliveries.iter().filter(counts).map(|delivery| delivery.version).max();
        match heard {
            Some(version) if version >= row.version => None,
            // Of what came after, the newest is known.
            _ => entry.kept.unsaid_since.or(Some(entry.kept.published_at)),
        }
    }

    fn count_unsaid(&mut self) -> BTreeSet<(Timestamp, u32)> {
        let mut unsaid = BTreeSet::new();
        for number in 0..self.entries.len() as u32 {
            let since = self.unsaid_since(number);
            if let Some(entry) = &mut self.entries[number as usize] {
                entry.kept.unsaid_since = since;
                unsaid.extend(since.map(|since| (since, number)));
            }
        }
        unsaid
    }

    fn invalidate_row(&mut self, number: u32, at: Timestamp) {
        if let Some(entry) = &mut self.entries[number as usize]
            && entry.kept.price != PriceFact::Unknown
        {
            entry.kept.invalidated_at.get_or_insert(at);
        }
    }

    fn forget_prices(&mut self) {
        for entry in self.entries.iter_mut().flatten() {
            entry.kept.price = PriceFact::Unknown;
            entry.kept.invalidated_at = None;
            entry.kept.is_unreachable = false;
        }
    }
}

impl Tally {
    fn count(&mut self, row: &ChannelRow, there: bool) {
        let add = |count: &mut u64| *count = if there { *count + 1 } else { *count - 1 };
        match row.state {
            RowState::Listed => add(&mut self.listed),
            RowState::Zeroed => add(&mut self.zeroed),
            RowState::Removed => add(&mut self.removed),
        }
        if row.state == RowState::Zeroed && row.reasons.iter().next() == Some("invalidated") {
            add(&mut self.invalidated);
        }
    }
}
