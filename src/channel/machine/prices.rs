//! What the channel's party pays: which rows are to be asked, and what comes of it.

use std::sync::Arc;

use super::Machine;
use crate::channel::event::{Event, Kept, Reach};
use crate::channel::fact::{Asked, PriceFact};
use crate::channel::policy::assortment::Place;
use crate::channel::row::RowKey;
use crate::clock::Timestamp;
use crate::domain::Quantity;
use std::time::Duration;

/// A row whose price is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What the answer is told under.
    pub number: u32,
    pub key: Arc<RowKey>,
    /// Base units it is asked for.
    pub pack: Quantity,
}

impl Machine {
    /// Up to `most` rows to be asked now. Each is told of with [`told`](Self::told), or asked again after ten minutes.
    pub fn take_prices(&mut self, now: Timestamp, most: usize) -> Vec<Due> {
        let mut numbers = Vec::new();
        self.pricing.take(now, most, &mut numbers);
        let due = |number: u32| {
            let key = self.entry(number)?.kept.key.clone();
            match self.policy.place(&key) {
                Place::Sold(pack) => Some(Due { number, key, pack }),
                Place::Not(_) => None,
            }
        };
        numbers.into_iter().filter_map(due).collect()
    }

    /// When there is something to ask: a time that has passed if there is already.
    pub fn next_price(&self) -> Option<Timestamp> {
        self.pricing.next_due()
    }

    pub fn told(&mut self, number: u32, asked: Asked, now: Timestamp, events: &mut Vec<Event>) {
        let Some(entry) = self.entry(number) else { return };
        let Place::Sold(pack) = self.policy.place(&entry.kept.key) else { return };
        let before = entry.kept.clone();
        let mut kept = before.clone();
        match asked {
            // It was declared wrong after the question had left: this is no answer to that.
            Asked::Price(fact) if !self.pricing.is_answered(number) => {
                self.pricing.told(number, &fact, true, now);
                return;
            }
            Asked::Price(fact) => {
                self.pricing.told(number, &fact, false, now);
                kept = Kept { price: fact, priced_for: pack, invalidated_at: None, is_unreachable: false, ..kept };
            }
            Asked::Failed(_) => {
                self.pricing.failed(number, now);
                kept.is_unreachable = true;
            }
        }
        if kept != before {
            self.emit(Event::Row(Box::new(kept)), events);
            self.look_again(number);
        }
    }

    /// Prices were declared wrong: the rows stay as they are, and are asked again before all others.
    pub fn invalidate(&mut self, reach: Reach, now: Timestamp, events: &mut Vec<Event>) {
        let numbers: Vec<u32> = match &reach {
            Reach::All => (0..self.entries.len() as u32).filter(|number| self.entry(*number).is_some()).collect(),
            Reach::Skus(skus) => skus.iter().flat_map(|sku| self.of_sku(sku)).collect(),
        };
        if numbers.is_empty() {
            return;
        }
        self.emit(Event::Invalidated { reach, at: now }, events);
        for number in numbers {
            self.pricing.invalidated(number, now);
            self.look_again(number);
        }
    }

    /// What is known of the price, after a start.
    pub(super) fn know_price(&mut self, number: u32, now: Timestamp) {
        let Some(entry) = self.entry(number) else { return };
        let Place::Sold(_) = self.policy.place(&entry.kept.key) else { return };
        let (price, is_invalidated) = (entry.kept.price.clone(), entry.kept.invalidated_at.is_some());
        self.want_price(number, now);
        if price != PriceFact::Unknown {
            self.pricing.told(number, &price, false, now);
        }
        if is_invalidated {
            self.pricing.invalidated(number, now);
        }
    }

    pub(super) fn want_price(&mut self, number: u32, now: Timestamp) {
        if self.policy.config().price.is_some() {
            self.pricing.wanted(number, now);
        }
    }

    /// Since when the price counts as declared wrong: not for long enough to zero the row, unless the guard let it.
    pub(super) fn invalidated_at(&self, kept: &Kept, now: Timestamp) -> Option<Timestamp> {
        let at = kept.invalidated_at?;
        let zero_after = self.policy.config().price.as_ref().and_then(|price| price.zero_after);
        let Some(zero_after) = zero_after.filter(|after| at.until(now) >= *after) else { return Some(at) };
        if self.own.zeros.price >= Some(at) {
            return Some(at);
        }
        Some(now.minus(zero_after).plus(Duration::from_millis(1)))
    }
}
