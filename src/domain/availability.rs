//! What an ERP says about the stock of one SKU. Quantities in the SKU's base unit, signed as told.

use jiff::civil::Date;

use super::{LocationId, Quantity, Unit};

/// What one location holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationLevel {
    pub location: LocationId,
    pub on_hand: Option<Quantity>,
    pub reserved: Option<Quantity>,
    /// May be sold now: told by the ERP, or on hand less reserved.
    pub available: Quantity,
}

/// More is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub location: LocationId,
    pub quantity: Quantity,
    pub expected_on: Option<Date>,
}

/// The stock of one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stock {
    /// Not held in stock: services, drop-ship.
    Untracked,
    Levels {
        base_unit: Option<Unit>,
        /// Every location the ERP knows for the SKU; no location twice.
        locations: Vec<LocationLevel>,
        /// By date, the undated last.
        incoming: Vec<Incoming>,
    },
}
