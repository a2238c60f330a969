//! What happened, as the journal keeps it. All state of the ledger is the fold of events, in their order: the judge makes
//! them, and the same code applies them when they happen and when they are replayed. Figures in events are absolute, never
//! "so much more": applying one twice changes nothing.

use jiff::civil::Date;

use crate::clock::Timestamp;
use crate::domain::change::{Epoch, Measure, Movement, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Quantity, Sku};

/// One row of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// In the SKU's base unit; signed.
    pub quantity: Quantity,
    pub expected_on: Option<Date>,
    pub expires_at: Option<Timestamp>,
    /// When the figure last moved.
    pub changed_at: Timestamp,
    /// A source without numbers: when the newest of what the figure was made from was true there.
    pub effective_at: Option<Timestamp>,
    /// The number of the source's last change of this row; 0: it does not number.
    pub sequence: u64,
    /// The number at which the whole figure was last stated (SET or a snapshot): what was missed before it matters no more.
    /// Without numbers: the time it was stated for, in ms.
    pub stated: u64,
    /// A change of it was rejected since: the figure may be wrong until it is stated again.
    pub suspect: bool,
}

impl Row {
    /// It counts no more: its time is over, or it only remembers that it was removed.
    pub fn is_over(&self, key: &RowKey, now: Timestamp) -> bool {
        let Some(end) = self.expires_at else { return false };
        end <= now || (self.quantity == Quantity::ZERO && !key.row.is_empty())
    }

    /// A figure that nobody said, and that follows from a snapshot; what was said of it since could not be taken.
    pub fn doubtful_zero(now: Timestamp) -> Row {
        Row {
            quantity: Quantity::ZERO,
            expected_on: None,
            expires_at: None,
            changed_at: now,
            effective_at: None,
            sequence: 0,
            stated: 0,
            suspect: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Applied,
    Duplicate,
    OutOfDate,
    Gap,
    Conflict,
    Rejected,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Applied => "APPLIED",
            Verdict::Duplicate => "DUPLICATE",
            Verdict::OutOfDate => "OUT_OF_DATE",
            Verdict::Gap => "GAP",
            Verdict::Conflict => "CONFLICT",
            Verdict::Rejected => "REJECTED",
        }
    }
}

/// What was once said to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    pub verdict: Verdict,
    /// For CONFLICT and REJECTED: one of the contract's reasons.
    pub reason: Option<&'static str>,
    /// For APPLIED, where a figure moved.
    pub change_id: Option<u64>,
}

/// What a judged change did: a snapshot of an earlier number has it laid over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    Applied(Movement),
    /// It was not taken, so that the row may be wrong.
    Rejected(RowKey),
}

impl Trace {
    pub fn key(&self) -> &RowKey {
        match self {
            Trace::Applied(movement) => &movement.key,
            Trace::Rejected(key) => key,
        }
    }
}

/// One thing that happened to a source or to what it owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The row is now this; `None`: it is gone (a named row set to zero). The unnamed row stays, at zero.
    Row { key: RowKey, row: Option<Row> },
    /// A SKU's figures moved: its place in the change log. `urgent`: what is available of it somewhere came to zero.
    Logged { sku: Sku, id: u64, version: u64, urgent: bool },
    /// A number was judged for good, and is the last.
    Numbered { sequence: u64, hash: u64, original: Original, trace: Option<Trace> },
    /// An `eventId` was judged for good.
    Named { event_id: Box<str>, hash: u64, original: Original },
    /// Everything up to this number is taken, whether or not each was seen.
    Position { sequence: u64 },
    /// The source counts anew under this epoch, from this number.
    Epoch { epoch: Epoch, sequence: u64 },
    /// It counts under an epoch that it has not begun yet: a snapshot of all it owns is missing. The current one: no more.
    Unbegun { epoch: Epoch, since: Timestamp },
    /// Numbers up to `seen` exist; the lowest of those that came too early follows `after`. A gap, until `seen` is reached.
    /// It may have been open before, for other numbers: hence since when.
    Gap { after: u64, seen: u64, since: Timestamp },
    /// Numbers up to this one were missed for good: rows stated before it are suspect until they are stated again.
    Missed { before: u64 },
    /// A snapshot of a part of what it owns moved its position here, past changes that never came: a gap, until all of it is
    /// covered by snapshots of this number or later. 0: that is given up.
    Uncovered { up_to: u64, since: Timestamp },
    /// All rows of it have been stated: an absent one is zero, not unknown.
    Complete { location: LocationId, measure: Measure, sequence: u64 },
    /// It was there, with nothing new.
    Heard,
}

impl Event {
    /// Its source said something, just then: other events may as well follow from time, or an operator's word.
    pub fn is_heard(&self) -> bool {
        match self {
            Event::Numbered { .. }
            | Event::Named { .. }
            | Event::Epoch { .. }
            | Event::Unbegun { .. }
            | Event::Complete { .. }
            | Event::Heard => true,
            Event::Row { .. }
            | Event::Logged { .. }
            | Event::Position { .. }
            | Event::Gap { .. }
            | Event::Missed { .. }
            | Event::Uncovered { .. } => false,
        }
    }
}

/// All that one request, or one snapshot, did: visible together, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub source: SourceId,
    pub at: Timestamp,
    pub events: Vec<Event>,
}
