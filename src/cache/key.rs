//! Keys. Which book a request reads, and which row of it.
//!
//! A book key holds every request field that can change a price, each with its length before it, so that no two different
//! requests share a key ("1" + "23" is not "12" + "3"). Equality is on the whole text, never on a hash.

use jiff::civil::Date;

use crate::domain::{Currency, Quantity};

/// One scope: a party, under what it buys, in which currency, on which day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BookKey(Box<[u8]>);

impl BookKey {
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl std::borrow::Borrow<[u8]> for BookKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// What is in a book key. Fields the ERP declares not to matter are left out by whoever fills this in.
#[derive(Clone, Copy, Debug)]
pub struct BookScope<'a> {
    /// Absent: the public.
    pub customer: Option<&'a str>,
    pub company: Option<&'a str>,
    pub ship_to: Option<&'a str>,
    pub contract: Option<&'a str>,
    pub currency: Currency,
    pub price_date: Date,
}

impl BookScope<'_> {
    /// Writes the key into `buffer`, which is cleared first. A reader keeps one buffer and allocates no keys.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        for field in [self.customer, self.company, self.ship_to, self.contract] {
            match field {
                // Identities are 1 to 64 bytes, so 0 is free to mean absent.
                None => buffer.push(0),
                Some(text) => {
                    buffer.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                    buffer.extend_from_slice(text.as_bytes());
                }
            }
        }
        buffer.extend_from_slice(self.currency.as_str().as_bytes());
        buffer.extend_from_slice(&self.price_date.year().to_le_bytes());
        buffer.extend([self.price_date.month(), self.price_date.day()].map(|n| n.unsigned_abs()));
    }

    pub fn key(&self) -> BookKey {
        let mut buffer = Vec::new();
        self.write(&mut buffer);
        BookKey(buffer.into_boxed_slice())
    }
}

/// Writes a row's key: the SKU, and the unit and quantity where they are part of the ERP's question. SKUs and units hold no
/// control characters, so the separator is unambiguous.
pub fn write_row_key(buffer: &mut Vec<u8>, sku: &str, unit: Option<&str>, quantity: Option<Quantity>) {
    const SEPARATOR: u8 = 0;
    buffer.clear();
    buffer.extend_from_slice(sku.as_bytes());
    if unit.is_none() && quantity.is_none() {
        return;
    }
    buffer.push(SEPARATOR);
    buffer.extend_from_slice(unit.unwrap_or_default().as_bytes());
    buffer.push(SEPARATOR);
    if let Some(quantity) = quantity {
        buffer.extend_from_slice(&quantity.normalized().get().serialize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope<'a>(customer: Option<&'a str>, company: Option<&'a str>) -> BookScope<'a> {
        BookScope {
            customer,
            company,
            ship_to: None,
            contract: None,
            currency: "EUR".parse().unwrap(),
            price_date: jiff::civil::date(2026, 11, 22),
        }
    }

    #[test]
    fn different_scopes_have_different_keys() {
        let keys = [
            scope(Some("1"), Some("23")).key(),
            scope(Some("12"), Some("3")).key(),
            scope(Some("123"), None).key(),
            scope(None, Some("123")).key(),
            scope(None, None).key(),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn equal_quantities_have_one_row_key() {
        let key = |unit, quantity: Option<&str>| {
            let mut buffer = Vec::new();
            write_row_key(&mut buffer, "A", unit, quantity.map(|q| q.parse().unwrap()));
            buffer
        };
        assert_eq!(key(None, Some("12")), key(None, Some("12.0")));
        assert_ne!(key(None, Some("12")), key(None, Some("1.2")));
        assert_ne!(key(Some("BOX"), Some("12")), key(None, Some("12")));
        assert_ne!(key(None, None), key(None, Some("1")));
    }
}
