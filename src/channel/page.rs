//! What readers get: pages of what changed, and snapshots to begin with.

use std::fmt;
use std::sync::Arc;

use super::row::ChannelRow;
use crate::clock::Timestamp;
pub use crate::stock::changes::{Cursor, MalformedCursor};

/// Where a reader goes on.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// Everything, then what changes.
    Beginning,
    /// What changes from here on.
    Now,
    Cursor(&'a Cursor),
}

/// One part of what changed since a cursor.
#[derive(Clone, Debug)]
pub struct ChannelPage {
    pub rows: Vec<Arc<ChannelRow>>,
    /// To read on from, once these rows are taken in.
    pub cursor: Cursor,
    /// There is more already.
    pub more: bool,
    /// The highest version that readers may see.
    pub watermark: u64,
    /// When the channel stood so.
    pub as_of: Timestamp,
    pub policy: PolicyHash,
    pub state: ChannelState,
}

/// What a channel does just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    Live,
    /// Nothing is published.
    Held,
    /// Everything is published at zero.
    Zeroed,
    /// Rows are worked out anew, bit by bit: some are still as before.
    Recomputing,
}

impl ChannelState {
    pub fn as_str(self) -> &'static str {
        match self {
            ChannelState::Live => "LIVE",
            ChannelState::Held => "HELD",
            ChannelState::Zeroed => "ZEROED",
            ChannelState::Recomputing => "RECOMPUTING",
        }
    }
}

/// What somebody wants a channel to do; kept until they want something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Live,
    Held,
    Zeroed,
}

/// Names the configuration rows were worked out by: another one, another hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PolicyHash(pub u64);

impl fmt::Display for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
