//! What a row is made from: what is there, location by location, and what the channel's party pays.

use crate::clock::Timestamp;
use crate::domain::{Currency, LocationId, Money, Quantity, TaxBasis};

/// Everything known of one SKU for one row of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// One per location of the channel that says anything, each once.
    pub locations: &'a [LocationFact],
    pub price: &'a PriceFact,
    /// The ERP declared the price wrong at this time, and it could not be asked again yet.
    pub invalidated_at: Option<Timestamp>,
    /// Asking again failed since the price was told.
    pub is_unreachable: bool,
}

/// What one location contributes, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationFact {
    pub location: LocationId,
    /// Signed, in base units: after reservations and pending orders. `None`: not all of it was ever said.
    pub available: Option<Quantity>,
    /// How it came to that, where known: for who asks why.
    pub on_hand: Option<Quantity>,
    pub reserved: Option<Quantity>,
    pub pending: Quantity,
    pub standing: Standing,
}

/// Whether a location's figure is what was last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// Its source is in doubt for longer than the channel accepts: this is the figure from before.
    Held(&'static str),
    /// For longer than the channel lets it be sold from: it counts zero.
    Zero(&'static str),
}

/// What the channel's party pays, as last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PriceFact {
    /// Never answered.
    #[default]
    Unknown,
    Told {
        /// Per `base_quantity` base units, at the quantity of one channel unit (a pack).
        net_price: Money,
        base_quantity: Quantity,
        currency: Currency,
        tax_basis: Option<TaxBasis>,
        /// A share: 0.20 is 20 %.
        tax_rate: Option<Quantity>,
        lead_time_days: Option<u16>,
        /// It is not valid from here on.
        ends: Option<Timestamp>,
        observed_at: Timestamp,
    },
    /// A definite no: `unknown_sku`, `not_for_sale`, `no_price`…: the SKU leaves the channel.
    No { reason: &'static str, observed_at: Timestamp },
}

impl PriceFact {
    /// When it ends, if that was told.
    pub fn ends(&self) -> Option<Timestamp> {
        match self {
            PriceFact::Told { ends, .. } => *ends,
            PriceFact::Unknown | PriceFact::No { .. } => None,
        }
    }
}

/// What asking for one row brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Price(PriceFact),
    /// It could not be asked, in the contract's word.
    Failed(&'static str),
}
