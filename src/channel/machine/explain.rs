//! How a row came about, and what another policy would make of it.

use std::sync::Arc;

use super::Machine;
use super::derive::{Seat, stand};
use crate::channel::event::Kept;
use crate::channel::fact::{Facts, PriceFact};
use crate::channel::page::Mode;
use crate::channel::policy::assortment::Place;
use crate::channel::policy::{Policy, Shown, Waiting};
use crate::channel::report::ExplainedOffer;
use crate::channel::row::{Listing, RowKey, RowState};
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::offer::explain::{Step, Trace, Unkept};

/// What a row would be by another policy, beside what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub key: Arc<RowKey>,
    pub is: Option<Shown>,
    pub would_be: Option<Shown>,
}

impl Machine {
    /// Every row of the SKU, or of the channel's name.
    pub fn explain(&self, name: &Sku, seats: impl Fn(&Sku) -> Vec<Seat>, now: Timestamp) -> Vec<ExplainedOffer> {
        let aliases = self.policy.config().aliases.iter().filter(|alias| alias.channel_sku == *name);
        let mut keys: Vec<RowKey> =
            aliases.map(|alias| RowKey { sku: alias.sku.clone(), channel_sku: alias.channel_sku.clone() }).collect();
        keys.extend(self.of_sku(name).filter_map(|number| Some((*self.entry(number)?.kept.key).clone())));
        keys.extend(self.policy.rows(name).into_iter().map(|(key, _)| key));
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            keys.push(RowKey { sku: name.clone(), channel_sku: name.clone() });
        }
        keys.into_iter().map(|key| self.explain_row(key, &seats, now)).collect()
    }

    fn explain_row(&self, key: RowKey, seats: &impl Fn(&Sku) -> Vec<Seat>, now: Timestamp) -> ExplainedOffer {
        let entry = self.find(&key).and_then(|number| self.entry(number));
        let unknown = Kept::new(key);
        let kept = entry.map_or(&unknown, |entry| &entry.kept);
        let trace = Trace::default();
        self.work_out(kept, self.policy.place(&kept.key), &seats(&kept.key.sku), now, &trace);
        let zeroed = match self.own.mode {
            Mode::Zeroed => Some("The channel is told to show everything at zero."),
            Mode::Held => Some("The channel is told to publish nothing: what is published stays."),
            Mode::Live => None,
        };
        ExplainedOffer {
            key: kept.key.clone(),
            row: kept.row.clone(),
            steps: trace.into_steps().into_iter().chain(zeroed.map(|text| Step::new("mode", text))).collect(),
            published_at: kept.row.as_ref().map(|_| kept.published_at),
            deliveries: entry.map(|entry| entry.deliveries.clone()).unwrap_or_default(),
        }
    }

    /// What another policy would publish of a SKU, as if it had always been so: nothing waits, and nobody doubts anew.
    pub fn compare(&self, policy: &Policy, sku: &Sku, seats: &[Seat], now: Timestamp, rows: &mut Vec<Compared>) {
        let same_party = policy.config().customer == self.own.customer;
        let mut keys: Vec<RowKey> =
            self.of_sku(sku).filter_map(|number| Some((*self.entry(number)?.kept.key).clone())).collect();
        keys.extend(policy.rows(sku).into_iter().map(|(key, _)| key));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let entry = self.find(&key).and_then(|number| self.entry(number));
            let unknown = Kept::new(key);
            let kept = entry.map_or(&unknown, |entry| &entry.kept);
            let is = kept.row.as_deref().filter(|row| row.state != RowState::Removed).map(Shown::from);
            let place = policy.place(&kept.key);
            // A price for another party or another quantity says nothing.
            let pack = if let Place::Sold(pack) = place { Some(pack) } else { None };
            let price = if same_party && pack == Some(kept.priced_for) { &kept.price } else { &PriceFact::Unknown };
            let (locations, _) = stand(policy.config(), self.opened_at, &kept.held, seats, now, self.own.zeros.stock);
            let facts = Facts {
                locations: &locations,
                price,
                invalidated_at: kept.invalidated_at,
                is_unreachable: kept.is_unreachable,
            };
            let listing = policy.listing(place, &facts, now, Unkept);
            let would_be = would_be(policy, is.as_ref(), &listing, now);
            if is.is_some() || would_be.is_some() {
                rows.push(Compared { key: kept.key.clone(), is, would_be });
            }
        }
    }

    /// SKUs of rows from this number on, some of them.
    pub fn skus_from(&self, from: usize, most: usize, skus: &mut Vec<Sku>) -> Option<usize> {
        let to = (from + most).min(self.entries.len());
        skus.extend((from as u32..to as u32).filter_map(|number| self.sku(number)));
        (to < self.entries.len()).then_some(to)
    }

    pub fn has_sku(&self, sku: &Sku) -> bool {
        self.first(sku).is_some()
    }
}

/// As it would stand once nothing waits any more.
fn would_be(policy: &Policy, is: Option<&Shown>, listing: &Listing, now: Timestamp) -> Option<Shown> {
    let next = policy.next(is, listing, Waiting::default(), now, Unkept);
    let shown = next.publish.or(is.copied());
    if next.waiting.rising.is_none() {
        return shown;
    }
    let Listing { quantity, price, lead_time_days, reasons, .. } = *listing;
    let price = shown.and_then(|shown| shown.price).or(price);
    Some(Shown { state: RowState::Listed, quantity, price, lead_time_days, reasons })
}
