//! One level's unnamed row in 48 bytes, for there may be millions; the rare row that says more is kept apart.

use std::num::NonZeroU8;

use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::domain::change::Measure;
use crate::stock::event::Row;

/// A level: SKU × location × measure. Its SKU is the one whose cells it lies among.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    quantity: Quantity,
    changed_at: Timestamp,
    /// Or, for a source without numbers, when the figure was true there.
    sequence: u64,
    stated: u64,
    pub place: u32,
    /// Who said it last.
    pub source: u16,
    pub plane: Plane,
    flags: u8,
}

/// A measure of a location, and which of its two tables: the one that is read, or the one a snapshot prepares. Not zero, so
/// that a SKU's only cell and a list of them need no byte to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Plane(NonZeroU8);

/// The unnamed row is in the cell.
const PLAIN: u8 = 1;
/// Rows of the level are kept apart.
const APART: u8 = 2;
const SUSPECT: u8 = 4;
/// `sequence` is `effective_at`.
const EFFECTIVE: u8 = 8;

const _: () = assert!(size_of::<Cell>() == 48);

impl Plane {
    pub fn new(measure: Measure, second: bool) -> Self {
        let bits = (measure as u8) << 1 | u8::from(second);
        Self(NonZeroU8::new(bits).expect("no measure is 0"))
    }

    pub fn measure(self) -> Measure {
        Measure::ALL[usize::from(self.0.get() >> 1) - 1]
    }

    pub fn other(self) -> Self {
        Self(NonZeroU8::new(self.0.get() ^ 1).expect("no measure is 0"))
    }
}

impl Cell {
    /// A level of which nothing is left but that it is known: zero.
    pub fn empty(place: u32, plane: Plane, source: u16, at: Timestamp) -> Self {
        Self { quantity: Quantity::ZERO, changed_at: at, sequence: 0, stated: 0, place, source, plane, flags: 0 }
    }

    pub fn position(&self) -> (u32, Plane) {
        (self.place, self.plane)
    }

    /// Takes the row in. `false`: it says more than a cell holds.
    pub fn put(&mut self, row: &Row, source: u16) -> bool {
        let (sequence, effective) = match (row.effective_at, row.sequence) {
            (None, sequence) => (sequence, 0),
            (Some(at), 0) => (at.0.cast_unsigned(), EFFECTIVE),
            (Some(_), _) => return false,
        };
        if row.expected_on.is_some() || row.expires_at.is_some() {
            return false;
        }
        self.quantity = row.quantity;
        self.changed_at = row.changed_at;
        self.sequence = sequence;
        self.stated = row.stated;
        self.source = source;
        self.flags = (self.flags & APART) | PLAIN | effective | if row.suspect { SUSPECT } else { 0 };
        true
    }

    /// There is no unnamed row in the cell any more.
    pub fn take(&mut self) {
        self.flags &= APART;
        self.quantity = Quantity::ZERO;
    }

    pub fn row(&self) -> Option<Row> {
        let is_effective = self.flags & EFFECTIVE != 0;
        (self.flags & PLAIN != 0).then(|| Row {
            quantity: self.quantity,
            expected_on: None,
            expires_at: None,
            changed_at: self.changed_at,
            effective_at: is_effective.then(|| Timestamp(self.sequence.cast_signed())),
            sequence: if is_effective { 0 } else { self.sequence },
            stated: self.stated,
            suspect: self.flags & SUSPECT != 0,
        })
    }

    pub fn has_apart(&self) -> bool {
        self.flags & APART != 0
    }

    pub fn set_apart(&mut self, apart: bool) {
        self.flags = if apart { self.flags | APART } else { self.flags & !APART };
    }

    /// When the unnamed row last moved or, without one, any row.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// A row kept apart moved or went. Beside an unnamed row the cell has no room for when that was: of several rows, those
    /// that are left say when they moved.
    pub fn moved(&mut self, at: Timestamp, source: u16) {
        if self.flags & PLAIN == 0 {
            self.changed_at = self.changed_at.max(at);
            self.source = source;
        }
    }
}
