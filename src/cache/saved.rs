//! Rows as bytes, to be read back by another process. Figures are written as their texts and read through the same checks as
//! an ERP's; what does not pass is left out.

use std::collections::HashMap;

use super::book::Row as _;
use super::price_row::ShapeTerms;
use super::stock_row::StockShapes;
use super::{PriceRow, PriceShape, Shapes, StockRow};
use crate::clock::{Reading, Stamp, Timestamp};
use crate::domain::{
    Incoming, LocationId, LocationLevel, Money, PriceBreak, PriceComponent, PriceListId, PricedLine, Quantity, Stock,
    TaxBasis, Terms, ToldScope, Unit,
};
use crate::journal::pack::{Packer, Unpacker};

/// Changes whenever what is written here, or the keys of books and rows, are made otherwise: what another layout wrote is not
/// read.
pub const LAYOUT: u64 = 1;

/// Numbers of the shapes already written, each with a row that keeps it where it is.
#[derive(Debug, Default)]
pub struct ShapeNumbers(HashMap<usize, (u64, PriceRow)>);

/// A shape read back, as the line all its rows are made from.
#[derive(Debug)]
pub struct ShapeLine {
    line: PricedLine,
    ends: Option<Timestamp>,
}

/// Writes a price, and its shape with its first row.
pub fn pack_price(to: &mut Packer, row: &PriceRow, shapes: &mut ShapeNumbers) {
    let next = shapes.0.len() as u64;
    let address = std::ptr::from_ref(row.shape()).addr();
    let number = shapes.0.entry(address).or_insert_with(|| (next, row.clone())).0;
    to.number(number);
    if number == next {
        pack_shape(to, row.shape());
    }
    to.bytes(row.key());
    to.text(row.net_price_at(Quantity::ZERO).as_str());
    to.optional(row.list_price(), |to, text| to.text(text.as_str()));
    let breaks: Vec<_> = row.breaks().collect();
    to.list(breaks.into_iter(), |to, step| {
        to.text(step.min_quantity.as_str());
        to.text(step.net_price.as_str());
    });
}

pub fn unpack_price(
    from: &mut Unpacker<'_>,
    known: &mut Vec<ShapeLine>,
    stamp: Stamp,
    observed: Reading,
    shapes: &Shapes,
) -> Option<PriceRow> {
    let number = usize::try_from(from.number()?).ok()?;
    if number == known.len() {
        known.push(unpack_shape(from)?);
    }
    let key = from.bytes().filter(|key| key.len() <= usize::from(u8::MAX))?;
    let net_price = from.text()?.parse().ok()?;
    let list_price = from.optional(money)?;
    let breaks = from.list(|from| {
        Some(PriceBreak { min_quantity: from.text()?.parse().ok()?, net_price: from.text()?.parse().ok()? })
    })?;
    let ShapeLine { line, ends } = known.get(number)?;
    let line = PricedLine { net_price, list_price, breaks, ..line.clone() };
    Some(PriceRow::saved(key, &line, *ends, stamp, observed, shapes))
}

fn pack_shape(to: &mut Packer, shape: &PriceShape) {
    let PriceShape {
        currency,
        base_quantity,
        base_unit,
        sales_unit,
        units,
        tax_basis,
        tax_rate,
        valid_from,
        valid_until,
        ends,
        terms,
        scope,
        components,
        net_amount,
    } = shape;
    let text = |to: &mut Packer, text: &str| to.text(text);
    let unit = |to: &mut Packer, unit: &Unit| to.text(unit.as_str());
    to.text(currency.as_str());
    to.text(base_quantity);
    to.optional(base_unit.as_ref(), unit);
    to.optional(sales_unit.as_ref(), unit);
    to.list(units.iter(), |to, (unit, factor)| {
        to.text(unit.as_str());
        to.text(&factor.to_string());
    });
    to.optional(tax_basis.as_ref(), |to, basis| to.byte(u8::from(*basis == TaxBasis::Gross)));
    for field in [tax_rate, valid_from, valid_until, net_amount] {
        to.optional(field.as_deref(), text);
    }
    to.optional(*ends, |to, end| to.signed(end.0));
    to.optional(terms.as_ref(), |to, terms| {
        let ShapeTerms { min_order_quantity, order_multiple, backorder_allowed, lead_time_days } = terms;
        to.optional(min_order_quantity.as_ref(), |to, (_, told)| to.text(told));
        to.optional(order_multiple.as_ref(), |to, (_, told)| to.text(told));
        to.optional(*backorder_allowed, |to, allowed| to.byte(u8::from(allowed)));
        to.optional(*lead_time_days, |to, days| to.number(u64::from(days)));
    });
    to.optional(scope.as_ref(), |to, scope| match scope {
        ToldScope::Own => to.byte(0),
        ToldScope::PriceList(list) => {
            to.byte(1);
            to.text(list.as_str());
        }
    });
    to.list(components.iter(), |to, (component, amount)| {
        to.text(&component.kind);
        to.text(&component.code);
        to.text(&component.label);
        to.text(amount);
        to.byte(u8::from(component.included));
    });
}

fn unpack_shape(from: &mut Unpacker<'_>) -> Option<ShapeLine> {
    let currency = from.text()?.parse().ok()?;
    let base_quantity = from.text()?.parse().ok()?;
    let base_unit = from.optional(unit)?;
    let sales_unit = from.optional(unit)?;
    let units = from.list(|from| Some((unit(from)?, from.text()?.parse().ok()?)))?;
    let tax_basis = from.optional(|from| Some(if from.flag()? { TaxBasis::Gross } else { TaxBasis::Net }))?;
    let tax_rate = from.optional(quantity)?;
    let valid_from = from.optional(|from| from.text()?.parse().ok())?;
    let valid_until = from.optional(|from| from.text()?.parse().ok())?;
    let net_amount = from.optional(money)?;
    let ends = from.optional(Unpacker::signed)?.map(Timestamp);
    let terms = from.optional(|from| {
        Some(Terms {
            min_order_quantity: from.optional(quantity)?,
            order_multiple: from.optional(quantity)?,
            backorder_allowed: from.optional(Unpacker::flag)?,
            lead_time_days: from.optional(|from| u16::try_from(from.number()?).ok())?,
        })
    })?;
    let scope = from.optional(|from| match from.byte()? {
        0 => Some(ToldScope::Own),
        1 => PriceListId::new(from.text()?).ok().map(ToldScope::PriceList),
        _ => None,
    })?;
    let components = from.list(|from| {
        let (kind, code, label) = (from.text()?.to_owned(), from.text()?.to_owned(), from.text()?.to_owned());
        Some(PriceComponent { kind, code, label, amount: money(from)?, included: from.flag()? })
    })?;
    // Each row brings its own prices.
    let line = PricedLine {
        base_quantity,
        base_unit,
        sales_unit,
        units,
        tax_basis,
        tax_rate,
        components,
        net_amount,
        valid_from,
        valid_until,
        terms: terms.unwrap_or_default(),
        scope,
        ..PricedLine::plain(currency, "0".parse().ok()?)
    };
    Some(ShapeLine { line, ends })
}

pub fn pack_stock(to: &mut Packer, row: &StockRow) {
    to.bytes(row.key());
    to.byte(u8::from(row.is_tracked()));
    to.optional(row.base_unit(), |to, unit| to.text(unit.as_str()));
    let levels: Vec<_> = row.levels().collect();
    to.list(levels.into_iter(), |to, level| {
        to.text(level.location.as_str());
        to.optional(level.on_hand, |to, text| to.text(text.as_str()));
        to.optional(level.reserved, |to, text| to.text(text.as_str()));
        to.text(level.available.as_str());
    });
    let incoming: Vec<_> = row.incoming().collect();
    to.list(incoming.into_iter(), |to, coming| {
        to.text(coming.location.as_str());
        to.text(coming.quantity.as_str());
        to.optional(coming.expected_on, |to, text| to.text(text.as_str()));
    });
}

pub fn unpack_stock(
    from: &mut Unpacker<'_>,
    stamp: Stamp,
    observed: Reading,
    shapes: &StockShapes,
) -> Option<StockRow> {
    let sku = from.text()?;
    let tracked = from.flag()?;
    let base_unit = from.optional(unit)?;
    let locations = from.list(|from| {
        Some(LocationLevel {
            location: LocationId::new(from.text()?).ok()?,
            on_hand: from.optional(quantity)?,
            reserved: from.optional(quantity)?,
            available: quantity(from)?,
        })
    })?;
    let incoming = from.list(|from| {
        Some(Incoming {
            location: LocationId::new(from.text()?).ok()?,
            quantity: quantity(from)?,
            expected_on: from.optional(|from| from.text()?.parse().ok())?,
        })
    })?;
    let stock = if tracked { Stock::Levels { base_unit, locations, incoming } } else { Stock::Untracked };
    StockRow::saved(sku, &stock, stamp, observed, shapes)
}

fn money(from: &mut Unpacker<'_>) -> Option<Money> {
    from.text()?.parse().ok()
}

fn quantity(from: &mut Unpacker<'_>) -> Option<Quantity> {
    from.text()?.parse().ok()
}

fn unit(from: &mut Unpacker<'_>) -> Option<Unit> {
    Unit::new(from.text()?).ok()
}
