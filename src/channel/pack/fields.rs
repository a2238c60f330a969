//! How the values in rows lie there.

use rust_decimal::Decimal;

use crate::clock::Timestamp;
use crate::domain::{Currency, Money, Quantity, Sku, TaxBasis};
use crate::journal::pack::{Packer, Unpacker, unzigzag, zigzag};

/// Most of them are short.
pub fn list<T>(out: &mut Packer, values: impl ExactSizeIterator<Item = T>, mut put: impl FnMut(&mut Packer, T)) {
    out.short(values.len() as u128);
    values.for_each(|value| put(out, value));
}

pub fn told_list<T>(from: &mut Unpacker<'_>, mut take: impl FnMut(&mut Unpacker<'_>) -> Option<T>) -> Option<Vec<T>> {
    let count = from.short()?;
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(take(from)?);
    }
    Some(values)
}

pub fn time(out: &mut Packer, at: Timestamp) {
    out.signed(at.0);
}

pub fn told_time(from: &mut Unpacker<'_>) -> Option<Timestamp> {
    from.signed().map(Timestamp)
}

pub fn decimal(out: &mut Packer, value: Decimal) {
    out.byte(value.scale() as u8);
    out.short(zigzag(value.mantissa()));
}

pub fn told_decimal(from: &mut Unpacker<'_>) -> Option<Decimal> {
    let scale = u32::from(from.byte()?);
    Decimal::try_from_i128_with_scale(unzigzag(from.short()?), scale).ok()
}

pub fn quantity(from: &mut Unpacker<'_>) -> Option<Quantity> {
    told_decimal(from).and_then(Quantity::new)
}

pub fn money(from: &mut Unpacker<'_>) -> Option<Money> {
    told_decimal(from).and_then(Money::new)
}

pub fn days(from: &mut Unpacker<'_>) -> Option<u16> {
    u16::try_from(from.short()?).ok()
}

pub fn sku(from: &mut Unpacker<'_>) -> Option<Sku> {
    Sku::new(from.name()?).ok()
}

pub fn currency(from: &mut Unpacker<'_>) -> Option<Currency> {
    from.name()?.parse().ok()
}

pub fn basis_byte(basis: TaxBasis) -> u8 {
    match basis {
        TaxBasis::Net => 0,
        TaxBasis::Gross => 1,
    }
}

pub fn basis(from: &mut Unpacker<'_>) -> Option<TaxBasis> {
    match from.byte()? {
        0 => Some(TaxBasis::Net),
        1 => Some(TaxBasis::Gross),
        _ => None,
    }
}
