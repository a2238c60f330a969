//! One remembered stock answer, compact: all locations of one SKU in one allocation, as text ready to be answered.

use std::fmt::Display;
use std::sync::Arc;

use hashbrown::HashSet;
use parking_lot::Mutex;
use triomphe::ThinArc;

use super::book::Row;
use super::text::{Text, write_text};
use crate::clock::{Reading, Stamp};
use crate::domain::{Incoming, LocationId, LocationLevel, Quantity, Stock, Unit};

/// What many stock rows have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StockShape {
    pub base_unit: Option<Unit>,
    pub locations: Box<[LocationId]>,
}

/// Shares equal shapes: one per set of locations and unit, so there are few and they are kept.
#[derive(Debug, Default)]
pub struct StockShapes {
    /// A mutex, held for one lookup; only fills come here, never readers.
    set: Mutex<HashSet<Arc<StockShape>, foldhash::fast::RandomState>>,
}

impl StockShapes {
    fn share(&self, shape: StockShape) -> Arc<StockShape> {
        /// Beyond this an ERP is inventing locations; its rows then keep shapes of their own.
        const SHARED_MAX: usize = 10_000;
        let mut set = self.set.lock();
        if let Some(shared) = set.get(&shape) {
            return shared.clone();
        }
        let shared = Arc::new(shape);
        if set.len() < SHARED_MAX {
            set.insert(shared.clone());
        }
        shared
    }
}

#[derive(Debug)]
struct Head {
    stamp: Stamp,
    observed: Reading,
    shape: Arc<StockShape>,
    /// Over all locations, floored at 0.
    available: Quantity,
    levels: u16,
    incoming: u16,
    key_len: u8,
    available_len: u8,
    tracked: bool,
    /// Read back from what was saved, not asked by this process.
    saved: bool,
}

/// One remembered stock answer. Cheap to clone: a counter.
///
/// The bytes behind the head: SKU, total available, then the levels and the incoming, each a location's number in the shape
/// and texts with their lengths; a length of 255 is "not told".
#[derive(Clone, Debug)]
pub struct StockRow(ThinArc<Head, u8>);

/// One location's figures, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelText<'a> {
    pub location: &'a LocationId,
    pub on_hand: Option<Text<'a>>,
    pub reserved: Option<Text<'a>>,
    pub available: Text<'a>,
}

/// One expected delivery, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingText<'a> {
    pub location: &'a LocationId,
    pub quantity: Text<'a>,
    pub expected_on: Option<Text<'a>>,
}

const NOT_TOLD: u8 = u8::MAX;

impl StockRow {
    /// `None` if the figures add up to more than a quantity can hold.
    pub fn new(sku: &str, stock: &Stock, stamp: Stamp, observed: Reading, shapes: &StockShapes) -> Option<Self> {
        Self::made(sku, stock, stamp, observed, shapes, false)
    }

    /// The same for a row read back from where it was saved.
    pub fn saved(sku: &str, stock: &Stock, stamp: Stamp, observed: Reading, shapes: &StockShapes) -> Option<Self> {
        Self::made(sku, stock, stamp, observed, shapes, true)
    }

    fn made(
        sku: &str,
        stock: &Stock,
        stamp: Stamp,
        observed: Reading,
        shapes: &StockShapes,
        saved: bool,
    ) -> Option<Self> {
        let (base_unit, locations, incoming): (_, &[LocationLevel], &[Incoming]) = match stock {
            Stock::Untracked => (None, &[], &[]),
            Stock::Levels { base_unit, locations, incoming } => (base_unit.clone(), locations, incoming),
        };
        let mut names: Vec<LocationId> = locations.iter().map(|level| level.location.clone()).collect();
        for coming in incoming {
            if !names.contains(&coming.location) {
                names.push(coming.location.clone());
            }
        }
        let available = sum_available(locations.iter().map(|level| level.available))?;
        let mut bytes = Vec::with_capacity(sku.len() + locations.len() * 24 + incoming.len() * 24 + 8);
        bytes.extend_from_slice(sku.as_bytes());
        let available_len = write_text(&mut bytes, available);
        let number = |location: &LocationId| {
            let index = names.iter().position(|name| name == location).unwrap_or_default();
            u16::try_from(index).ok().map(u16::to_le_bytes)
        };
        for level in locations {
            bytes.extend(number(&level.location)?);
            put(&mut bytes, level.on_hand);
            put(&mut bytes, level.reserved);
            put(&mut bytes, Some(level.available));
        }
        for coming in incoming {
            bytes.extend(number(&coming.location)?);
            put(&mut bytes, Some(coming.quantity));
            put(&mut bytes, coming.expected_on);
        }
        let head = Head {
            stamp,
            observed,
            shape: shapes.share(StockShape { base_unit, locations: names.into_boxed_slice() }),
            available,
            levels: u16::try_from(locations.len()).ok()?,
            incoming: u16::try_from(incoming.len()).ok()?,
            key_len: u8::try_from(sku.len()).ok()?,
            available_len,
            tracked: *stock != Stock::Untracked,
            saved,
        };
        Some(Self(ThinArc::from_header_and_slice(head, &bytes)))
    }

    pub fn stamp(&self) -> Stamp {
        self.head().stamp
    }

    pub fn observed(&self) -> Reading {
        self.head().observed
    }

    /// Whether this process has it from where it was saved.
    pub fn is_saved(&self) -> bool {
        self.head().saved
    }

    pub fn is_tracked(&self) -> bool {
        self.head().tracked
    }

    pub fn base_unit(&self) -> Option<&Unit> {
        self.head().shape.base_unit.as_ref()
    }

    /// Over all locations, floored at 0; and its text.
    pub fn available(&self) -> (Quantity, Text<'_>) {
        let head = self.head();
        let start = usize::from(head.key_len);
        (head.available, Text(&self.0.slice[start..start + usize::from(head.available_len)]))
    }

    pub fn levels(&self) -> impl Iterator<Item = LevelText<'_>> {
        let head = self.head();
        let mut rest = self.after_available();
        (0..head.levels).map(move |_| {
            let location = take_location(&mut rest, &head.shape);
            let on_hand = take(&mut rest);
            let reserved = take(&mut rest);
            let available = take(&mut rest).unwrap_or(Text(b""));
            LevelText { location, on_hand, reserved, available }
        })
    }

    pub fn incoming(&self) -> impl Iterator<Item = IncomingText<'_>> {
        let head = self.head();
        let mut rest = self.after_available();
        for _ in 0..head.levels {
            take_location(&mut rest, &head.shape);
            (0..3).for_each(|_| {
                take(&mut rest);
            });
        }
        (0..head.incoming).map(move |_| {
            let location = take_location(&mut rest, &head.shape);
            let quantity = take(&mut rest).unwrap_or(Text(b""));
            IncomingText { location, quantity, expected_on: take(&mut rest) }
        })
    }

    pub fn has_incoming(&self) -> bool {
        self.head().incoming > 0
    }

    fn head(&self) -> &Head {
        &self.0.header.header
    }

    fn after_available(&self) -> &[u8] {
        let head = self.head();
        &self.0.slice[usize::from(head.key_len) + usize::from(head.available_len)..]
    }
}

/// The signed figures added up. `None`: more than a quantity can hold.
pub fn sum(figures: impl IntoIterator<Item = Quantity>) -> Option<Quantity> {
    figures.into_iter().try_fold(Quantity::ZERO, Quantity::plus)
}

/// The same, floored at 0 last.
pub fn sum_available(figures: impl IntoIterator<Item = Quantity>) -> Option<Quantity> {
    sum(figures).map(|total| total.max(Quantity::ZERO))
}

impl Row for StockRow {
    fn key(&self) -> &[u8] {
        &self.0.slice[..usize::from(self.head().key_len)]
    }

    fn version(&self) -> (Stamp, Reading) {
        (self.stamp(), self.observed())
    }

    fn bytes(&self) -> usize {
        size_of::<Head>() + self.0.slice.len() + 3 * size_of::<usize>()
    }
}

fn put(bytes: &mut Vec<u8>, value: Option<impl Display>) {
    let length = bytes.len();
    bytes.push(NOT_TOLD);
    if let Some(value) = value {
        bytes[length] = write_text(bytes, value);
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<Text<'a>> {
    let (&length, tail) = rest.split_first().expect("written by new");
    if length == NOT_TOLD {
        *rest = tail;
        return None;
    }
    let (found, tail) = tail.split_at(usize::from(length));
    *rest = tail;
    Some(Text(found))
}

fn take_location<'a>(rest: &mut &[u8], shape: &'a StockShape) -> &'a LocationId {
    let (number, tail) = rest.split_first_chunk::<2>().expect("written by new");
    *rest = tail;
    &shape.locations[usize::from(u16::from_le_bytes(*number))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(location: &str, on_hand: &str, reserved: Option<&str>, available: &str) -> LocationLevel {
        LocationLevel {
            location: LocationId::new(location).unwrap(),
            on_hand: Some(on_hand.parse().unwrap()),
            reserved: reserved.map(|r| r.parse().unwrap()),
            available: available.parse().unwrap(),
        }
    }

    #[test]
    fn a_row_gives_back_what_it_was_made_from() {
        let stock = Stock::Levels {
            base_unit: Some(Unit::new("EA").unwrap()),
            locations: vec![level("PARIS", "500", Some("80"), "420"), level("LYON", "3", None, "-2")],
            incoming: vec![Incoming {
                location: LocationId::new("PARIS").unwrap(),
                quantity: "1000".parse().unwrap(),
                expected_on: Some(jiff::civil::date(2026, 12, 1)),
            }],
        };
        let row = StockRow::new("BOLT-8", &stock, Stamp(1), Reading::default(), &StockShapes::default()).unwrap();
        assert_eq!(row.available().1, "418");
        let levels: Vec<_> = row
            .levels()
            .map(|l| {
                (l.location.as_str(), l.on_hand.map(Text::as_str), l.reserved.map(Text::as_str), l.available.as_str())
            })
            .collect();
        assert_eq!(levels, [("PARIS", Some("500"), Some("80"), "420"), ("LYON", Some("3"), None, "-2")]);
        let incoming: Vec<_> = row
            .incoming()
            .map(|i| (i.location.as_str(), i.quantity.as_str(), i.expected_on.map(Text::as_str)))
            .collect();
        assert_eq!(incoming, [("PARIS", "1000", Some("2026-12-01"))]);
    }

    #[test]
    fn the_total_is_floored_after_adding() {
        let stock = Stock::Levels {
            base_unit: None,
            locations: vec![level("A", "0", None, "-5"), level("B", "3", None, "3")],
            incoming: vec![],
        };
        let row = StockRow::new("X", &stock, Stamp(0), Reading::default(), &StockShapes::default()).unwrap();
        assert_eq!(row.available().1, "0");
    }
}
