//! A row as readers get it: absolute figures, and nothing that changes by itself.

use std::sync::Arc;

use crate::domain::{Currency, Money, Quantity, Sku, TaxBasis};

/// Which row of a channel: one SKU may be sold under several names, by the piece and by the pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub sku: Sku,
    /// What the channel calls it; the SKU itself unless there is an alias.
    pub channel_sku: Sku,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// On sale, if the quantity says so.
    Listed,
    /// Not to be sold, whatever there is: `reasons` say why. It may come back, or be removed.
    Zeroed,
    /// Gone from the channel.
    Removed,
}

impl RowState {
    pub fn as_str(self) -> &'static str {
        match self {
            RowState::Listed => "LISTED",
            RowState::Zeroed => "ZEROED",
            RowState::Removed => "REMOVED",
        }
    }
}

/// What is asked of the channel's buyers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelPrice {
    /// For one of what the channel sells: a pack where it sells packs.
    pub amount: Money,
    pub currency: Currency,
    pub tax_basis: TaxBasis,
}

/// Stable words (`price_held`, `source_gap`), the first the most telling. Usually none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons([Option<&'static str>; Reasons::MAX]);

impl Reasons {
    pub const MAX: usize = 3;

    /// One more, once, while there is room.
    pub fn add(&mut self, reason: &'static str) {
        if self.iter().any(|known| known == reason) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|reason| reason.is_none()) {
            *free = Some(reason);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flatten().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }
}

impl FromIterator<&'static str> for Reasons {
    fn from_iter<I: IntoIterator<Item = &'static str>>(reasons: I) -> Self {
        let mut all = Self::default();
        reasons.into_iter().for_each(|reason| all.add(reason));
        all
    }
}

/// Whether what policy came to is to be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Listed,
    /// Zero for as long as the reason lasts.
    Zeroed,
    /// Zero, and removed after a while: it is not this channel's any more.
    Leaving,
}

/// What policy makes of the facts, before it is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    pub presence: Presence,
    /// Absent: the channel itself keeps the count.
    pub quantity: Option<Quantity>,
    pub price: Option<ChannelPrice>,
    /// Working days until it leaves.
    pub lead_time_days: Option<u16>,
    pub reasons: Reasons,
}

/// A published row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    pub key: Arc<RowKey>,
    /// Grows with every change of the row, also over a lost log.
    pub version: u64,
    pub state: RowState,
    pub quantity: Option<Quantity>,
    /// The version that last changed the quantity.
    pub quantity_version: u64,
    pub price: Option<ChannelPrice>,
    pub price_version: u64,
    pub lead_time_days: Option<u16>,
    pub reasons: Reasons,
}
