//! One remembered price, compact: a row is one allocation holding its key and its own texts; what thousands of rows have in
//! common (currency, units, tax, validity, terms) is one shared [`PriceShape`].
//!
//! Everything in a row is independent of the request that reads it, and is text already, so that an answer is put together
//! by copying.

use std::sync::Arc;

use hashbrown::HashSet;
use jiff::civil::Date;
use parking_lot::Mutex;
use rust_decimal::Decimal;
use triomphe::ThinArc;

use super::book::Row;
use super::text::{Text, write_text};
use crate::clock::{Reading, Stamp, Timestamp};
use crate::domain::{Currency, Factor, PriceComponent, PricedLine, Quantity, TaxBasis, ToldScope, Unit};

/// What many prices have in common. Amounts are kept as the text they are answered with.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PriceShape {
    pub currency: Currency,
    pub base_quantity: Box<str>,
    pub base_unit: Option<Unit>,
    pub sales_unit: Option<Unit>,
    pub units: Box<[(Unit, Factor)]>,
    pub tax_basis: Option<TaxBasis>,
    pub tax_rate: Option<Box<str>>,
    pub valid_from: Option<Box<str>>,
    pub valid_until: Option<Box<str>>,
    /// The end of `valid_until`, to decide by.
    pub ends: Option<Timestamp>,
    pub terms: Option<ShapeTerms>,
    pub scope: Option<ToldScope>,
    pub components: Box<[(PriceComponent, Box<str>)]>,
    pub net_amount: Option<Box<str>>,
}

/// Terms of sale, each with its text.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ShapeTerms {
    pub min_order_quantity: Option<(Quantity, Box<str>)>,
    pub order_multiple: Option<(Quantity, Box<str>)>,
    pub backorder_allowed: Option<bool>,
    pub lead_time_days: Option<u16>,
}

impl PriceShape {
    fn of(line: &PricedLine, ends: Option<Timestamp>) -> Self {
        let text = |q: Quantity| q.to_string().into_boxed_str();
        let date = |d: Date| d.to_string().into_boxed_str();
        let terms = &line.terms;
        let has_terms = *terms != Default::default();
        Self {
            currency: line.currency,
            base_quantity: text(line.base_quantity),
            base_unit: line.base_unit.clone(),
            sales_unit: line.sales_unit.clone(),
            units: line.units.clone().into_boxed_slice(),
            tax_basis: line.tax_basis,
            tax_rate: line.tax_rate.map(text),
            valid_from: line.valid_from.map(date),
            valid_until: line.valid_until.map(date),
            ends,
            terms: has_terms.then(|| ShapeTerms {
                min_order_quantity: terms.min_order_quantity.map(|q| (q, text(q))),
                order_multiple: terms.order_multiple.map(|q| (q, text(q))),
                backorder_allowed: terms.backorder_allowed,
                lead_time_days: terms.lead_time_days,
            }),
            scope: line.scope.clone(),
            components: line.components.iter().map(|c| (c.clone(), c.amount.to_string().into_boxed_str())).collect(),
            net_amount: line.net_amount.map(|amount| amount.to_string().into_boxed_str()),
        }
    }

    /// The unit a line is taken in and its factor to the base unit: the asked one, or else the one the SKU is sold in.
    /// `None`: the SKU is not known to come in that unit.
    pub fn unit(&self, asked: Option<&str>) -> Option<(Option<&str>, Factor)> {
        let base = self.base_unit.as_ref().map(Unit::as_str);
        let Some(name) = asked.or(self.sales_unit.as_ref().map(Unit::as_str)) else {
            return Some((base, Factor::ONE));
        };
        if base == Some(name) {
            return Some((base, Factor::ONE));
        }
        self.units.iter().find(|(unit, _)| unit.as_str() == name).map(|(unit, factor)| (Some(unit.as_str()), *factor))
    }
}

/// Shares equal shapes. Those that no row uses any more are dropped when the set has doubled.
#[derive(Debug, Default)]
pub struct Shapes {
    /// A mutex, held for one lookup; only fills come here, never readers.
    set: Mutex<ShapeSet>,
}

#[derive(Debug, Default)]
struct ShapeSet {
    shapes: HashSet<Arc<PriceShape>, foldhash::fast::RandomState>,
    sweep_at: usize,
}

impl Shapes {
    fn share(&self, shape: PriceShape) -> Arc<PriceShape> {
        const SWEEP_FROM: usize = 1024;
        let mut set = self.set.lock();
        if let Some(shared) = set.shapes.get(&shape) {
            return shared.clone();
        }
        if set.shapes.len() >= set.sweep_at.max(SWEEP_FROM) {
            set.shapes.retain(|shape| Arc::strong_count(shape) > 1);
            set.sweep_at = set.shapes.len() * 2;
        }
        let shared = Arc::new(shape);
        set.shapes.insert(shared.clone());
        shared
    }

    pub fn len(&self) -> usize {
        self.set.lock().shapes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug)]
struct Head {
    stamp: Stamp,
    observed: Reading,
    shape: Arc<PriceShape>,
    breaks: u16,
    key_len: u8,
    net_len: u8,
    /// 0: no list price.
    list_len: u8,
    /// Read back from what was saved, not asked by this process.
    saved: bool,
}

/// One remembered price. Cheap to clone: a counter.
///
/// The bytes behind the head: row key, net price, list price, then for each break its minimum as 16 bytes to compare with,
/// two lengths, and both texts.
#[derive(Clone, Debug)]
pub struct PriceRow(ThinArc<Head, u8>);

/// One price break of a row, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakText<'a> {
    pub min_quantity: Text<'a>,
    pub net_price: Text<'a>,
}

impl PriceRow {
    /// `ends` is the instant after the line's last valid day.
    pub fn new(
        key: &[u8],
        line: &PricedLine,
        ends: Option<Timestamp>,
        stamp: Stamp,
        observed: Reading,
        shapes: &Shapes,
    ) -> Self {
        Self::made(key, line, ends, stamp, observed, shapes, false)
    }

    /// The same for a row read back from where it was saved.
    pub fn saved(
        key: &[u8],
        line: &PricedLine,
        ends: Option<Timestamp>,
        stamp: Stamp,
        observed: Reading,
        shapes: &Shapes,
    ) -> Self {
        Self::made(key, line, ends, stamp, observed, shapes, true)
    }

    fn made(
        key: &[u8],
        line: &PricedLine,
        ends: Option<Timestamp>,
        stamp: Stamp,
        observed: Reading,
        shapes: &Shapes,
        saved: bool,
    ) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + 32 + line.breaks.len() * 40);
        bytes.extend_from_slice(key);
        let net_len = write_text(&mut bytes, line.net_price);
        let list_len = line.list_price.map_or(0, |price| write_text(&mut bytes, price));
        let breaks = &line.breaks[..line.breaks.len().min(usize::from(u16::MAX))];
        for step in breaks {
            bytes.extend_from_slice(&step.min_quantity.get().serialize());
            let lengths = bytes.len();
            bytes.extend([0; 2]);
            bytes[lengths] = write_text(&mut bytes, step.min_quantity);
            bytes[lengths + 1] = write_text(&mut bytes, step.net_price);
        }
        let head = Head {
            stamp,
            observed,
            shape: shapes.share(PriceShape::of(line, ends)),
            breaks: breaks.len() as u16,
            key_len: u8::try_from(key.len()).expect("a row key is at most 64 + 64 + 18 bytes"),
            net_len,
            list_len,
            saved,
        };
        Self(ThinArc::from_header_and_slice(head, &bytes))
    }

    pub fn stamp(&self) -> Stamp {
        self.0.header.header.stamp
    }

    pub fn observed(&self) -> Reading {
        self.0.header.header.observed
    }

    /// Whether this process has it from where it was saved.
    pub fn is_saved(&self) -> bool {
        self.0.header.header.saved
    }

    pub fn shape(&self) -> &PriceShape {
        &self.0.header.header.shape
    }

    pub fn list_price(&self) -> Option<Text<'_>> {
        let head = &self.0.header.header;
        let start = usize::from(head.key_len) + usize::from(head.net_len);
        (head.list_len > 0).then(|| Text(&self.0.slice[start..start + usize::from(head.list_len)]))
    }

    /// The net price at a quantity in base units: that of the last break it reaches.
    pub fn net_price_at(&self, quantity: Quantity) -> Text<'_> {
        let head = &self.0.header.header;
        let start = usize::from(head.key_len);
        let net = Text(&self.0.slice[start..start + usize::from(head.net_len)]);
        self.break_at(quantity).map_or(net, |step| step.net_price)
    }

    /// The last break that a quantity in base units reaches.
    pub fn break_at(&self, quantity: Quantity) -> Option<BreakText<'_>> {
        let reached = self.steps().take_while(|(minimum, _)| quantity.get() >= Decimal::deserialize(**minimum));
        reached.last().map(|(_, step)| step)
    }

    pub fn breaks(&self) -> impl Iterator<Item = BreakText<'_>> {
        self.steps().map(|(_, step)| step)
    }

    /// Each minimum as the bytes to compare with: answering needs the texts alone.
    fn steps(&self) -> impl Iterator<Item = (&[u8; 16], BreakText<'_>)> {
        let head = &self.0.header.header;
        let start = usize::from(head.key_len) + usize::from(head.net_len) + usize::from(head.list_len);
        let mut rest = &self.0.slice[start..];
        (0..head.breaks).map(move |_| {
            let (minimum, tail) = rest.split_first_chunk::<16>().expect("written by new");
            let (lengths, tail) = tail.split_first_chunk::<2>().expect("written by new");
            let (minimum_text, tail) = tail.split_at(usize::from(lengths[0]));
            let (price, tail) = tail.split_at(usize::from(lengths[1]));
            rest = tail;
            (minimum, BreakText { min_quantity: Text(minimum_text), net_price: Text(price) })
        })
    }
}

impl Row for PriceRow {
    fn key(&self) -> &[u8] {
        &self.0.slice[..usize::from(self.0.header.header.key_len)]
    }

    fn version(&self) -> (Stamp, Reading) {
        (self.stamp(), self.observed())
    }

    fn bytes(&self) -> usize {
        // The allocation, its counter and length, and the table's pointer.
        size_of::<Head>() + self.0.slice.len() + 3 * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PriceBreak;

    /// The contract's example: sold by the box of 12, priced per 100 pieces, breaks in pieces.
    fn bolt() -> PricedLine {
        let step =
            |min: &str, net: &str| PriceBreak { min_quantity: min.parse().unwrap(), net_price: net.parse().unwrap() };
        PricedLine {
            list_price: Some("26.00".parse().unwrap()),
            base_quantity: "100".parse().unwrap(),
            base_unit: Some(Unit::new("EA").unwrap()),
            units: vec![(Unit::new("BOX").unwrap(), "12".parse().unwrap())],
            breaks: vec![step("1", "23.40"), step("100", "21.90")],
            ..PricedLine::plain("EUR".parse().unwrap(), "23.40".parse().unwrap())
        }
    }

    #[test]
    fn a_row_gives_back_what_it_was_made_from() {
        let shapes = Shapes::default();
        let row = PriceRow::new(b"BOLT-8", &bolt(), None, Stamp(7), Reading::default(), &shapes);
        assert_eq!(row.key(), b"BOLT-8");
        assert_eq!(row.stamp(), Stamp(7));
        assert_eq!(row.list_price().unwrap(), "26.00");
        let breaks: Vec<_> = row.breaks().map(|b| (b.min_quantity.as_str(), b.net_price.as_str())).collect();
        assert_eq!(breaks, [("1", "23.40"), ("100", "21.90")]);
        assert!(row.bytes() < 200, "{} bytes", row.bytes());
    }

    #[test]
    fn the_last_break_reached_counts() {
        let row = PriceRow::new(b"BOLT-8", &bolt(), None, Stamp(0), Reading::default(), &Shapes::default());
        for (pieces, price) in
            [("0.5", "23.40"), ("1", "23.40"), ("99.999", "23.40"), ("100", "21.90"), ("1000", "21.90")]
        {
            assert_eq!(row.net_price_at(pieces.parse().unwrap()), price, "{pieces}");
        }
    }

    #[test]
    fn units_resolve_to_base_units() {
        let shape = PriceShape::of(&bolt(), None);
        assert_eq!(shape.unit(None), Some((Some("EA"), Factor::ONE)));
        assert_eq!(shape.unit(Some("EA")), Some((Some("EA"), Factor::ONE)));
        assert_eq!(shape.unit(Some("BOX")), Some((Some("BOX"), "12".parse().unwrap())));
        assert_eq!(shape.unit(Some("box")), None);
        let sold_by_box = PricedLine { sales_unit: Some(Unit::new("BOX").unwrap()), ..bolt() };
        assert_eq!(PriceShape::of(&sold_by_box, None).unit(None), Some((Some("BOX"), "12".parse().unwrap())));
    }

    #[test]
    fn equal_shapes_are_shared_and_unused_ones_go() {
        let shapes = Shapes::default();
        let kept = PriceRow::new(b"kept", &bolt(), None, Stamp(0), Reading::default(), &shapes);
        for n in 0..5000 {
            let line = PricedLine { base_quantity: n.to_string().parse().unwrap(), ..bolt() };
            drop(PriceRow::new(b"A", &line, None, Stamp(0), Reading::default(), &shapes));
        }
        assert!(shapes.len() < 2100, "{}", shapes.len());
        let again = PriceRow::new(b"B", &bolt(), None, Stamp(0), Reading::default(), &shapes);
        assert!(std::ptr::eq(kept.shape(), again.shape()));
    }
}
