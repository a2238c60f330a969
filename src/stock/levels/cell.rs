//! One level's unnamed row in 32 bytes, for there may be millions; the rare row that says more, or larger things, is kept
//! apart.

use std::num::NonZeroU8;

use rust_decimal::Decimal;

use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::domain::change::Measure;
use crate::stock::event::Row;

/// A level: SKU × location × measure. Its SKU is the one whose cells it lies among.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The quantity's digits; its scale is among the flags.
    digits: i64,
    stated: u64,
    /// From `stated` to the number or, for a source without numbers, to when the figure was true there.
    beyond: i32,
    changed_low: u32,
    changed_high: i16,
    place: u16,
    /// Who said it last.
    pub source: u16,
    pub plane: Plane,
    /// And from `SCALE` on the quantity's scale.
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
/// What is `beyond` is `effective_at`.
const EFFECTIVE: u8 = 8;
/// Places the scale is moved by.
const SCALE: u32 = 4;

const _: () = assert!(size_of::<Cell>() == 32);

/// Times a cell can hold, in milliseconds: some 4,400 years from 1970, both ways.
const TIMES: std::ops::Range<i64> = -(1 << 47)..1 << 47;

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
        let place = u16::try_from(place).expect("a page looks at every place: there are not so many");
        let (digits, stated, beyond, flags) = (0, 0, 0, 0);
        let mut cell = Self { digits, stated, beyond, changed_low: 0, changed_high: 0, place, source, plane, flags };
        cell.change(at);
        cell
    }

    pub fn place(&self) -> u32 {
        u32::from(self.place)
    }

    pub fn position(&self) -> (u32, Plane) {
        (self.place(), self.plane)
    }

    /// Takes the row in. `false`: it says more than a cell holds.
    pub fn put(&mut self, row: &Row, source: u16) -> bool {
        let (sequence, effective) = match (row.effective_at, row.sequence) {
            (None, sequence) => (sequence, 0),
            (Some(at), 0) => (at.0.cast_unsigned(), EFFECTIVE),
            (Some(_), _) => return false,
        };
        let quantity = row.quantity.get();
        let (digits, beyond) = (i64::try_from(quantity.mantissa()), sequence.wrapping_sub(row.stated).cast_signed());
        let (Ok(digits), Ok(beyond)) = (digits, i32::try_from(beyond)) else { return false };
        // A zero below zero would come back as one that is not.
        let is_plain = quantity.scale() < 1 << (u8::BITS - SCALE) && (digits != 0 || quantity.is_sign_positive());
        let is_dated = row.expected_on.is_some() || row.expires_at.is_some();
        if is_dated || !is_plain || !TIMES.contains(&row.changed_at.0) {
            return false;
        }
        (self.digits, self.stated, self.beyond, self.source) = (digits, row.stated, beyond, source);
        self.change(row.changed_at);
        let suspect = if row.suspect { SUSPECT } else { 0 };
        self.flags = (self.flags & APART) | PLAIN | effective | suspect | (quantity.scale() as u8) << SCALE;
        true
    }

    /// There is no unnamed row in the cell any more.
    pub fn take(&mut self) {
        self.flags &= APART;
    }

    pub fn row(&self) -> Option<Row> {
        if self.flags & PLAIN == 0 {
            return None;
        }
        let is_effective = self.flags & EFFECTIVE != 0;
        let sequence = self.stated.wrapping_add_signed(i64::from(self.beyond));
        Some(Row {
            quantity: Quantity::new(Decimal::new(self.digits, u32::from(self.flags >> SCALE)))?,
            expected_on: None,
            expires_at: None,
            changed_at: self.changed_at(),
            effective_at: is_effective.then(|| Timestamp(sequence.cast_signed())),
            sequence: if is_effective { 0 } else { sequence },
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
        Timestamp(i64::from(self.changed_high) << u32::BITS | i64::from(self.changed_low))
    }

    fn change(&mut self, at: Timestamp) {
        let at = at.0.clamp(TIMES.start, TIMES.end - 1);
        (self.changed_high, self.changed_low) = ((at >> u32::BITS) as i16, at as u32);
    }

    /// A row kept apart moved or went. Beside an unnamed row the cell has no room for when that was: of several rows, those
    /// that are left say when they moved.
    pub fn moved(&mut self, at: Timestamp, source: u16) {
        if self.flags & PLAIN == 0 {
            self.change(self.changed_at().max(at));
            self.source = source;
        }
    }
}
