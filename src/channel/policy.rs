//! From what is known of a SKU to what one channel publishes of it.
//!
//! Owns: which rows a SKU has here ([`assortment`]), what is shown of the stock ([`quantity`]), what is asked for it ([`price`]),
//! and what of that is published now ([`next`]). Pure: it is given facts and the time. The same code explains: it is generic over
//! [`Why`], and says at each decision what it was made from ([`explain`]).

pub mod assortment;
mod explain;
mod hash;
pub mod next;
mod price;
mod quantity;
#[cfg(test)]
mod tests;

use self::assortment::Selection;
pub use self::assortment::{Fault, Place, Unfit};
pub use self::next::{Next, Rising, Shown, Waiting};
use self::price::Verdict;
use super::config::ChannelConfig;
use super::fact::{Facts, PriceFact};
pub use super::page::PolicyHash;
use super::row::{Listing, Presence, RowKey};
use crate::clock::Timestamp;
use crate::domain::{Quantity, Sku};
pub use crate::offer::explain::Reasons as Why;

/// A channel's configuration, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    config: ChannelConfig,
    selection: Selection,
    hash: PolicyHash,
}

impl Policy {
    /// Lists may come in any order, and name things twice.
    pub fn new(mut config: ChannelConfig) -> Self {
        let assortment = &mut config.assortment;
        for list in [&mut assortment.include_skus, &mut assortment.exclude_skus] {
            list.sort_unstable();
            list.dedup();
        }
        Self { selection: Selection::new(&config), hash: PolicyHash::of(&config), config }
    }

    pub fn config(&self) -> &ChannelConfig {
        &self.config
    }

    /// Another one means that rows may come out differently.
    pub fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// SKUs that are in the channel also before the ledger has heard of them.
    pub fn listed_skus(&self) -> impl Iterator<Item = &Sku> {
        let skus = &self.config.assortment.include_skus;
        skus.iter().filter(|sku| self.selection.includes(&self.config.assortment, sku))
    }

    /// The rows of a SKU, with the base units in one of what each sells. None where it is not sold here.
    pub fn rows(&self, sku: &Sku) -> Vec<(RowKey, Quantity)> {
        let mut rows = Vec::new();
        self.selection.each(&self.config, sku, |channel_sku, pack, fault| {
            if fault.is_none() {
                rows.push((RowKey { sku: sku.clone(), channel_sku: channel_sku.clone() }, pack));
            }
        });
        rows
    }

    /// Where this row stands. It holds as long as the policy does.
    pub fn place(&self, key: &RowKey) -> Place {
        self.selection.place(&self.config, key)
    }

    /// What keeps names of this SKU out of the channel although it is in the assortment.
    pub fn unfit(&self, sku: &Sku) -> Vec<Unfit> {
        let mut unfit = Vec::new();
        self.selection.each(&self.config, sku, |channel_sku, _, fault| {
            if let Some(fault) = fault {
                unfit.push(Unfit { sku: sku.clone(), channel_sku: channel_sku.clone(), fault });
            }
        });
        unfit
    }

    /// The same of all SKUs the configuration itself names: those of its lists and its aliases.
    pub fn unfit_named(&self) -> Vec<Unfit> {
        let mut named: Vec<&Sku> =
            self.listed_skus().chain(self.config.aliases.iter().map(|alias| &alias.sku)).collect();
        named.sort_unstable();
        named.dedup();
        named.into_iter().flat_map(|sku| self.unfit(sku)).collect()
    }

    /// What there is to publish of a row. `why` is told each step; `Unkept` where nobody asks.
    ///
    /// The price in `facts` was told to this channel's customer for one pack of this row: one that was asked otherwise is
    /// [`PriceFact::Unknown`].
    pub fn listing(&self, place: Place, facts: &Facts<'_>, now: Timestamp, why: impl Why) -> Listing {
        let pack = match place {
            Place::Sold(pack) => pack,
            Place::Not(reason) => {
                why.keep(|steps| steps.push(explain::not_here(reason)));
                return self.without_price(Presence::Leaving, None, [reason].into_iter());
            }
        };
        let counted = quantity::count(&self.config.quantity, pack, facts.locations, why);
        let lead_time_days = self.lead_time(facts.price);
        let Some(policy) = &self.config.price else {
            let (quantity, reasons) = (counted.quantity, counted.reasons);
            let listing = Listing { presence: Presence::Listed, quantity, price: None, lead_time_days, reasons };
            why.keep(|steps| steps.push(explain::listing(&listing)));
            return listing;
        };
        let listing = match price::judge(policy, self.config.hold_after, pack, facts, now, why) {
            Verdict::Sold { price, held } => Listing {
                presence: Presence::Listed,
                quantity: counted.quantity,
                price: Some(price),
                lead_time_days,
                reasons: held.into_iter().chain(counted.reasons.iter()).collect(),
            },
            Verdict::Not(presence, reasons) => {
                self.without_price(presence, lead_time_days, reasons.iter().chain(counted.reasons.iter()))
            }
        };
        why.keep(|steps| steps.push(explain::listing(&listing)));
        listing
    }

    /// When the same facts may come out differently, by time alone.
    pub fn edge(&self, facts: &Facts<'_>, now: Timestamp) -> Option<Timestamp> {
        self.config.price.as_ref().and_then(|policy| price::edge(policy, self.config.hold_after, facts, now))
    }

    fn without_price(
        &self,
        presence: Presence,
        lead_time_days: Option<u16>,
        reasons: impl Iterator<Item = &'static str>,
    ) -> Listing {
        Listing { presence, quantity: self.zero(), price: None, lead_time_days, reasons: reasons.collect() }
    }

    /// The quantity of what is not to be sold.
    fn zero(&self) -> Option<Quantity> {
        (!self.config.quantity.fulfilled_by_channel).then_some(Quantity::ZERO)
    }

    fn lead_time(&self, price: &PriceFact) -> Option<u16> {
        let told = match price {
            PriceFact::Told { lead_time_days, .. } if self.config.price.is_some() => *lead_time_days,
            _ => None,
        };
        let days = told.or(self.config.lead_time.default_days)?;
        Some(days.saturating_add(self.config.lead_time.extra_days))
    }
}
