//! What is asked of the ledger, and what it answers.

use super::event::{Original, Verdict};
use crate::clock::Timestamp;
use crate::domain::change::{Change, Epoch, Measure, RowKey, Unreadable};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Quantity};
use jiff::civil::Date;

/// Changes of one source that become visible together; or none, and the number it is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub source: SourceId,
    pub epoch: Epoch,
    pub changes: Vec<Change>,
    /// "I am at this number."
    pub heartbeat: Option<u64>,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    /// For CONFLICT and REJECTED: one of the contract's reasons.
    pub reason: Option<&'static str>,
    /// For people.
    pub detail: Option<Box<str>>,
    /// For APPLIED, where a figure moved.
    pub change_id: Option<u64>,
    /// For DUPLICATE, where it is still known.
    pub original: Option<Original>,
    /// For GAP.
    pub expected_sequence: Option<u64>,
}

impl Outcome {
    pub fn of(verdict: Verdict) -> Self {
        Self { verdict, reason: None, detail: None, change_id: None, original: None, expected_sequence: None }
    }

    /// CONFLICT or REJECTED.
    pub fn not_taken(verdict: Verdict, reason: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self { reason: Some(reason), detail: Some(detail.into()), ..Self::of(verdict) }
    }
}

/// What became of a request: durable and visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// One per change, in their order.
    pub outcomes: Vec<Outcome>,
    pub last_sequence: u64,
    pub applied: u64,
    pub rejected: u64,
    /// A heartbeat was beyond what is known: changes from here on are missing.
    pub expected_sequence: Option<u64>,
}

impl Answer {
    pub fn of(outcomes: Vec<Outcome>, last_sequence: u64, expected_sequence: Option<u64>) -> Self {
        let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count() as u64;
        let (applied, rejected) = (count(Verdict::Applied), count(Verdict::Rejected));
        Self { outcomes, last_sequence, applied, rejected, expected_sequence }
    }
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    pub source: SourceId,
    pub epoch: Epoch,
    /// All up to here is in its rows, nothing after. `None`: the source does not number.
    pub sequence: Option<u64>,
    /// Empty: all that the source owns.
    pub locations: Vec<LocationId>,
    /// Empty: all that the source owns.
    pub measures: Vec<Measure>,
    /// How many rows it has, where that is said at the beginning.
    pub rows: Option<u64>,
    pub force: bool,
    pub dry_run: bool,
}

/// One row of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    pub key: RowKey,
    pub quantity: Quantity,
    pub expected_on: Option<Date>,
    pub expires_at: Option<Timestamp>,
}

/// One line of it, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotLine {
    /// From 1.
    pub line: u64,
    pub row: Result<SnapshotRow, Unreadable>,
}

/// A part of a snapshot, as it arrives. One that ends without an `End` was cut off, and is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPart {
    Rows(Vec<SnapshotLine>),
    /// `rows`: how many there were, where that is said at the end.
    End {
        rows: Option<u64>,
    },
}

/// What a snapshot did, or (`dry_run`) would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotAnswer {
    pub rows: u64,
    pub rejected: u64,
    pub changed: u64,
    pub zeroed: u64,
    pub last_sequence: u64,
    pub dry_run: bool,
    /// The first of the rejected rows: line, reason, what is wrong.
    pub rejects: Vec<(u64, Unreadable)>,
}

/// Rows of which a refusal or an answer names each.
pub const LINES_NAMED_MAX: usize = 20;

/// Why a request was not taken at all. It is safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    #[error(
        "what is sent cannot be made durable: the ledger can be read, and takes nothing until the gateway is restarted"
    )]
    ReadOnly,
    /// A fault of ours, not of the disk.
    #[error("the ledger's writer has failed: what was acknowledged is kept, and the gateway ends")]
    Broken,
    #[error("{limit} changes wait to be taken")]
    Full { limit: usize },
    #[error("{limit} snapshots are on their way already")]
    Snapshots { limit: usize },
    #[error("the gateway stops")]
    Stopped,
    #[error("there is no such source")]
    UnknownSource,
    #[error("the source has no gap")]
    NoGap,
    #[error("the gap reaches from {from} to {to}")]
    OutOfGap { from: u64, to: u64 },
}

impl IntakeError {
    pub fn reason(&self) -> &'static str {
        match self {
            IntakeError::ReadOnly | IntakeError::Broken => "intake_read_only",
            IntakeError::Full { .. } | IntakeError::Snapshots { .. } => "over_limit",
            IntakeError::Stopped => "stopping",
            IntakeError::UnknownSource => "unknown_source",
            IntakeError::NoGap => "no_gap",
            IntakeError::OutOfGap { .. } => "out_of_range",
        }
    }

    pub fn is_retryable(&self) -> bool {
        let is_later = matches!(self, IntakeError::Full { .. } | IntakeError::Snapshots { .. } | IntakeError::Stopped);
        is_later || matches!(self, IntakeError::ReadOnly | IntakeError::Broken)
    }
}

/// Why a snapshot was not taken. Nothing of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error("it was cut off after {rows} rows")]
    Cut { rows: u64 },
    #[error("it says it has {said} rows, and has {read}")]
    RowsDiffer { said: u64, read: u64 },
    #[error("its source numbers its changes: it needs the number up to which they are in it")]
    Unnumbered,
    #[error("neither its head nor its end says how many rows it has")]
    RowsUnsaid,
    #[error("what is known goes further: a later snapshot was taken already")]
    OutOfDate,
    #[error("changes after its number are not remembered any more: send one of a later number, {remembered} or more")]
    TooOld { remembered: u64 },
    /// A key that cannot be read, comes twice, or is outside its scope or what the source owns.
    #[error("{what} in line{s} {lines:?}", s = if lines.len() == 1 { "" } else { "s" })]
    Lines { reason: &'static str, what: &'static str, lines: Vec<u64> },
    #[error("the source does not own {what}")]
    NotOwner { what: Box<str> },
    #[error("a new epoch needs a snapshot of all the source owns")]
    ScopeTooSmall,
    #[error("it would empty {zeroed} of {rows} rows: send it again if that is so, or force it")]
    TooManyZeros { zeroed: u64, rows: u64 },
    #[error("the ledger holds its {limit} levels")]
    LedgerFull { limit: usize },
}

impl SnapshotError {
    pub fn reason(&self) -> &'static str {
        match self {
            SnapshotError::Intake(error) => error.reason(),
            SnapshotError::Cut { .. } => "cut_off",
            SnapshotError::RowsDiffer { .. } | SnapshotError::RowsUnsaid => "count_mismatch",
            SnapshotError::Unnumbered => "sequence_missing",
            SnapshotError::OutOfDate => "out_of_date",
            SnapshotError::TooOld { .. } => "snapshot_too_old",
            SnapshotError::Lines { reason, .. } => reason,
            SnapshotError::NotOwner { .. } => "not_owner",
            SnapshotError::ScopeTooSmall => "snapshot_required",
            SnapshotError::TooManyZeros { .. } => "too_many_zeros",
            SnapshotError::LedgerFull { .. } => "ledger_full",
        }
    }

    pub fn is_retryable(&self) -> bool {
        matches!(self, SnapshotError::Intake(error) if error.is_retryable())
    }
}
