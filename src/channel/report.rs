//! How channels stand, and how one of their rows came about, for operators.

use std::sync::Arc;

use super::ack::AckResult;
use super::page::{ChannelState, PolicyHash};
use super::row::{ChannelRow, RowKey};
use crate::clock::Timestamp;
use crate::domain::LocationId;
use crate::offer::explain::Step;

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelReport {
    pub name: String,
    pub state: ChannelState,
    pub policy: PolicyHash,
    /// The highest version that readers may see.
    pub watermark: u64,
    /// All of them, removed ones too.
    pub rows: u64,
    pub listed: u64,
    pub zeroed: u64,
    pub removed: u64,
    /// When the oldest version was published that nobody said anything of. The one alarm.
    pub oldest_unacknowledged: Option<Timestamp>,
    /// Whose sources are in doubt for longer than the channel accepts.
    pub held_locations: Vec<HeldLocation>,
    /// Why something is not published until somebody insists (`too_many_zeros`).
    pub guard: Option<&'static str>,
    pub prices: PriceReport,
    /// Changes of stock that are not worked in yet.
    pub lag: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLocation {
    pub location: LocationId,
    /// `source_gap`, `source_silent`.
    pub reason: &'static str,
    pub since: Timestamp,
    /// It counts zero by now.
    pub is_zero: bool,
}

/// How many rows' prices are still to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceReport {
    /// All of these, and those that are merely old.
    pub due: u64,
    /// Declared wrong, and not asked again yet.
    pub invalidated: u64,
    /// The last attempt failed.
    pub failed: u64,
    /// What is wrong with the customer the channel prices as: `customer_unknown`, `customer_blocked`.
    pub party: Option<&'static str>,
}

/// Every row of one SKU, or of one name the channel has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelExplanation {
    pub state: ChannelState,
    pub policy: PolicyHash,
    /// At least one: what is no row of the channel is explained too.
    pub offers: Vec<ExplainedOffer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedOffer {
    pub key: Arc<RowKey>,
    /// What is published; `None`: never was.
    pub row: Option<Arc<ChannelRow>>,
    /// In the order they were taken: what would be published now. Where that is not what is published, the last say why.
    pub steps: Vec<Step>,
    pub published_at: Option<Timestamp>,
    /// The last of each kind.
    pub deliveries: Vec<Delivery>,
}

/// What was said of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub result: AckResult,
    pub version: u64,
    pub at: Timestamp,
    pub reason: Option<Box<str>>,
}
