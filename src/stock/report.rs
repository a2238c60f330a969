//! How sources stand, for those who push and for operators.

use super::event::Verdict;
use crate::clock::Timestamp;
use crate::domain::change::Epoch;
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    InSequence,
    Gap,
    Silent,
    SnapshotRequired,
}

impl SourceState {
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::InSequence => "IN_SEQUENCE",
            SourceState::Gap => "GAP",
            SourceState::Silent => "SILENT",
            SourceState::SnapshotRequired => "SNAPSHOT_REQUIRED",
        }
    }
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    pub source: SourceId,
    pub epoch: Epoch,
    /// 0: never heard.
    pub last_sequence: u64,
    pub state: SourceState,
    pub last_heard: Option<Timestamp>,
    pub gap_since: Option<Timestamp>,
    /// Changes judged in the last minute.
    pub rate: u64,
    /// The last that were not taken, the newest first; [`REJECTS_KEPT_MAX`] at most.
    pub rejects: Vec<Reject>,
}

impl SourceReport {
    pub fn unheard(source: SourceId) -> Self {
        Self {
            source,
            epoch: Epoch::default(),
            last_sequence: 0,
            state: SourceState::InSequence,
            last_heard: None,
            gap_since: None,
            rate: 0,
            rejects: Vec::new(),
        }
    }
}

/// Changes not taken that are kept to be shown, of each source.
pub const REJECTS_KEPT_MAX: usize = 20;

/// A change that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub at: Timestamp,
    /// CONFLICT or REJECTED.
    pub verdict: Verdict,
    pub reason: &'static str,
    pub detail: Box<str>,
    pub sequence: Option<u64>,
    pub event_id: Option<Box<str>>,
    pub sku: Option<Sku>,
    pub location: Option<LocationId>,
}
