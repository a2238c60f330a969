//! Keys. Which book a request reads, and which row of it.
//!
//! A book key holds every request field that can change a price, each with its length before it, so that no two different
//! requests share a key ("1" + "23" is not "12" + "3"). Equality is on the whole text, never on a hash.

use jiff::civil::Date;

use crate::domain::{Currency, Quantity, Scope};

/// One scope: a party, under what it buys, in which currency, on which day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BookKey(Box<[u8]>);

impl BookKey {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it was written by another process.
    pub fn from_saved(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

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
    pub scope: Scope<'a>,
    pub company: Option<&'a str>,
    pub ship_to: Option<&'a str>,
    pub currency: Currency,
    /// Absent where the ERP prices for now alone: an age bounds such a price, no date does.
    pub price_date: Option<Date>,
}

/// The first byte of a book key. What else is remembered under a key begins with another.
mod tag {
    pub const PUBLIC: u8 = 1;
    pub const PRICE_LIST: u8 = 2;
    pub const CUSTOMER: u8 = 3;
    pub const CONTRACT: u8 = 4;
}

impl<'a> BookScope<'a> {
    /// Writes the key into `buffer`, which is cleared first. A reader keeps one buffer and allocates no keys.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        let (tag, names) = match self.scope {
            Scope::Public => (tag::PUBLIC, [None, None]),
            Scope::PriceList(list) => (tag::PRICE_LIST, [Some(list), None]),
            Scope::Customer(customer) => (tag::CUSTOMER, [Some(customer), None]),
            Scope::Contract { customer, contract } => (tag::CONTRACT, [customer, Some(contract)]),
        };
        buffer.push(tag);
        for field in names.into_iter().chain([self.company, self.ship_to]) {
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
        // No date has month 0.
        let (year, month, day) = self.price_date.map_or((0, 0, 0), |date| (date.year(), date.month(), date.day()));
        buffer.extend_from_slice(&year.to_le_bytes());
        buffer.extend([month, day].map(|n| n.unsigned_abs()));
    }

    pub fn key(&self) -> BookKey {
        let mut buffer = Vec::new();
        self.write(&mut buffer);
        BookKey(buffer.into_boxed_slice())
    }

    /// What a key was made of. `None`: these bytes are no book's key.
    pub fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        bytes = rest;
        let mut text = || -> Option<Option<&'a str>> {
            let (&length, rest) = bytes.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(length))?;
            bytes = rest;
            if text.is_empty() { Some(None) } else { std::str::from_utf8(text).ok().map(Some) }
        };
        let names = (text()?, text()?);
        let (company, ship_to) = (text()?, text()?);
        let scope = match (tag, names) {
            (tag::PUBLIC, (None, None)) => Scope::Public,
            (tag::PRICE_LIST, (Some(list), None)) => Scope::PriceList(list),
            (tag::CUSTOMER, (Some(customer), None)) => Scope::Customer(customer),
            (tag::CONTRACT, (customer, Some(contract))) => Scope::Contract { customer, contract },
            _ => return None,
        };
        let &[a, b, c, low, high, month, day] = bytes else { return None };
        let currency = std::str::from_utf8(&[a, b, c]).ok()?.parse().ok()?;
        let price_date = match (month, day) {
            (0, 0) => None,
            (month, day) => {
                let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
                Some(Date::new(i16::from_le_bytes([low, high]), month, day).ok()?)
            }
        };
        Some(Self { scope, company, ship_to, currency, price_date })
    }
}

/// What a row's key was made of: SKU, unit, quantity.
pub fn read_row_key(key: &[u8]) -> Option<(&str, Option<&str>, Option<Quantity>)> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let Some(end) = key.iter().position(|&byte| byte == SEPARATOR) else { return Some((text(key)?, None, None)) };
    let (sku, rest) = (text(&key[..end])?, &key[end + 1..]);
    let end = rest.iter().position(|&byte| byte == SEPARATOR)?;
    let (unit, quantity) = (text(&rest[..end])?, &rest[end + 1..]);
    let quantity = match quantity {
        [] => None,
        bytes => Some(Quantity::new(rust_decimal::Decimal::deserialize(bytes.try_into().ok()?))?),
    };
    Some((sku, Some(unit).filter(|unit| !unit.is_empty()), quantity))
}

/// Between the parts of a row's key.
const SEPARATOR: u8 = 0;

/// Writes a row's key: the SKU, and the unit and quantity where they are part of the ERP's question. SKUs and units hold no
/// control characters, so the separator is unambiguous.
pub fn write_row_key(buffer: &mut Vec<u8>, sku: &str, unit: Option<&str>, quantity: Option<Quantity>) {
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

    fn scope<'a>(scope: Scope<'a>, company: Option<&'a str>, ship_to: Option<&'a str>) -> BookScope<'a> {
        let price_date = Some(jiff::civil::date(2026, 11, 22));
        BookScope { scope, company, ship_to, currency: "EUR".parse().unwrap(), price_date }
    }

    #[test]
    fn different_scopes_have_different_keys() {
        let (customer, list) = (Scope::Customer, Scope::PriceList);
        let contract = |customer, contract| Scope::Contract { customer, contract };
        let scopes = [
            scope(customer("1"), Some("23"), None),
            scope(customer("12"), Some("3"), None),
            scope(customer("123"), None, None),
            scope(customer("1"), None, Some("23")),
            scope(list("123"), None, None),
            scope(list("1"), Some("23"), None),
            scope(contract(Some("1"), "23"), None, None),
            scope(contract(Some("12"), "3"), None, None),
            scope(contract(None, "123"), None, None),
            scope(Scope::Public, Some("123"), None),
            scope(Scope::Public, None, None),
            BookScope { price_date: None, ..scope(Scope::Public, None, None) },
        ];
        for (i, a) in scopes.iter().enumerate() {
            for b in &scopes[i + 1..] {
                assert_ne!(a.key(), b.key(), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_key_says_what_it_was_made_of() {
        for made in [
            scope(Scope::Customer("C-1"), Some("FR01"), None),
            scope(Scope::PriceList("L"), None, None),
            scope(Scope::Contract { customer: None, contract: "B-77" }, None, Some("S1")),
            BookScope { price_date: None, ..scope(Scope::Public, None, None) },
        ] {
            let key = made.key();
            let read = BookScope::read(&key.0).unwrap();
            assert_eq!(read.key(), key);
            assert_eq!((read.scope, read.price_date), (made.scope, made.price_date));
            assert!(BookScope::read(&key.0[1..]).is_none() && BookScope::read(&key.0[..key.0.len() - 1]).is_none());
        }
    }

    #[test]
    fn a_row_key_says_what_it_was_made_of() {
        for (unit, quantity) in [(None, None), (Some("BOX"), None), (None, Some("12")), (Some("é"), Some("0.5"))] {
            let quantity: Option<Quantity> = quantity.map(|text: &str| text.parse().unwrap());
            let mut key = Vec::new();
            write_row_key(&mut key, "vis à tête", unit, quantity);
            assert_eq!(read_row_key(&key), Some(("vis à tête", unit, quantity)));
        }
        assert_eq!(read_row_key(b"A\0B"), None);
        assert_eq!(read_row_key(b"A\0B\0x23"), None);
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
