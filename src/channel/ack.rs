//! What came of rows that were handed out: whoever sends them on says so.

use crate::clock::Timestamp;
use crate::domain::Sku;

/// What a marketplace did with one version of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub sku: Sku,
    /// Which row of the SKU; `None`: the one that has its name.
    pub channel_sku: Option<Sku>,
    pub version: u64,
    pub result: AckResult,
    /// The marketplace's own words, where it refused.
    pub reason: Option<Box<str>>,
    /// When it was so; `None`: now.
    pub at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckResult {
    /// On its way.
    Sent,
    Accepted,
    Refused,
}

impl AckResult {
    pub fn as_str(self) -> &'static str {
        match self {
            AckResult::Sent => "SENT",
            AckResult::Accepted => "ACCEPTED",
            AckResult::Refused => "REFUSED",
        }
    }
}

/// What was noted, durably.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    pub taken: u64,
    /// The first [`UNKNOWN_NAMED_MAX`] that are about no row of the channel, or about a version it never had: by their place.
    pub unknown: Vec<usize>,
}

pub const UNKNOWN_NAMED_MAX: usize = 20;
