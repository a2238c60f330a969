//! A question, checked but not yet looked up.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use crate::clock::{Mono, Reading};
use crate::domain::{CompanyId, ContractId, Currency, CustomerId, LocationId, Purpose, Quantity, ShipToId, VisitorId};

/// A page's question: who asks, for what, how fresh, until when.
#[derive(Clone, Debug)]
pub struct OfferQuery {
    /// Absent: the public offer.
    pub customer: Option<CustomerId>,
    pub company: Option<CompanyId>,
    pub ship_to: Option<ShipToId>,
    pub contract: Option<ContractId>,
    pub currency: Option<Currency>,
    /// Who among the public asks, where the shop says: serves fairness only, and is part of no key.
    pub visitor: Option<VisitorId>,
    /// Absent: today in the ERP's time zone, on arrival.
    pub price_date: Option<Date>,
    pub purpose: Purpose,
    pub max_age: Option<Duration>,
    pub stale_if_error: Option<Duration>,
    pub parts: Parts,
    /// Empty: all.
    pub locations: Vec<LocationId>,
    pub lines: Vec<LineQuery>,
    /// Names the request in the log, down to the ERP call it causes.
    pub request_id: Arc<str>,
    /// When the request came in.
    pub arrival: Reading,
    /// When the caller is answered with what is known.
    pub deadline: Mono,
}

/// Which parts of an offer are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub price: bool,
    pub availability: bool,
}

impl Parts {
    pub const BOTH: Parts = Parts { price: true, availability: true };
}

/// One line. Texts are kept as written, to be echoed; they are owned by the decoded request, so nothing is copied.
#[derive(Clone, Debug, Default)]
pub struct LineQuery {
    pub sku: String,
    pub unit: Option<String>,
    pub reference: Option<String>,
    /// As written. Absent: one.
    pub quantity: Option<String>,
    /// What is wrong with the line itself; the rest of the page is answered all the same.
    pub fault: Option<LineFault>,
    /// `quantity` understood; one where there is a fault.
    pub amount: Amount,
}

/// The asked quantity, in the asked unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Quantity);

impl Default for Amount {
    fn default() -> Self {
        Self(Quantity::ONE)
    }
}

/// Why a line is INVALID before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// The SKU is empty, too long, or holds control characters or outer spaces.
    MalformedSku,
    /// The unit likewise.
    MalformedUnit,
    /// The reference is too long or holds control characters.
    MalformedReference,
    /// The quantity is not a decimal of the wire.
    MalformedDecimal,
    /// The quantity is zero or negative.
    OutOfRange,
}

impl LineFault {
    pub fn reason(self) -> &'static str {
        match self {
            LineFault::MalformedSku => "malformed_sku",
            LineFault::MalformedUnit => "malformed_unit",
            LineFault::MalformedReference => "malformed_reference",
            LineFault::MalformedDecimal => "malformed_decimal",
            LineFault::OutOfRange => "out_of_range",
        }
    }
}

impl LineQuery {
    /// Checks one line of a request.
    pub fn new(sku: String, quantity: Option<String>, unit: Option<String>, reference: Option<String>) -> Self {
        let (amount, fault) = match check(&sku, quantity.as_deref(), unit.as_deref(), reference.as_deref()) {
            Ok(amount) => (amount, None),
            Err(fault) => (Amount::default(), Some(fault)),
        };
        Self { sku, unit, reference, quantity, fault, amount }
    }
}

/// The longest reference. Bytes.
pub const REFERENCE_BYTES_MAX: usize = 128;

fn check(sku: &str, quantity: Option<&str>, unit: Option<&str>, reference: Option<&str>) -> Result<Amount, LineFault> {
    use crate::domain::ids::check_id;
    check_id(sku).map_err(|_| LineFault::MalformedSku)?;
    if let Some(unit) = unit {
        check_id(unit).map_err(|_| LineFault::MalformedUnit)?;
    }
    if reference.is_some_and(|text| text.len() > REFERENCE_BYTES_MAX || text.chars().any(char::is_control)) {
        return Err(LineFault::MalformedReference);
    }
    let Some(quantity) = quantity else { return Ok(Amount::default()) };
    let amount: Quantity = quantity.parse().map_err(|_| LineFault::MalformedDecimal)?;
    if !amount.is_positive() {
        return Err(LineFault::OutOfRange);
    }
    Ok(Amount(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_says_why() {
        let fault = |sku: &str, quantity: Option<&str>, unit: Option<&str>| {
            LineQuery::new(sku.into(), quantity.map(Into::into), unit.map(Into::into), None).fault
        };
        assert_eq!(fault("BOLT-8", Some("3"), Some("BOX")), None);
        assert_eq!(fault("BOLT-8", None, None), None);
        for (sku, quantity, unit, expected) in [
            ("", None, None, LineFault::MalformedSku),
            ("a\u{1}", None, None, LineFault::MalformedSku),
            (" a", None, None, LineFault::MalformedSku),
            ("A", Some("0"), None, LineFault::OutOfRange),
            ("A", Some("-1"), None, LineFault::OutOfRange),
            ("A", Some("NaN"), None, LineFault::MalformedDecimal),
            ("A", Some("1e400"), None, LineFault::MalformedDecimal),
            ("A", Some(""), None, LineFault::MalformedDecimal),
            ("A", Some("1111111111111111111111111111111111111111"), None, LineFault::MalformedDecimal),
            ("A", Some("1"), Some(""), LineFault::MalformedUnit),
        ] {
            assert_eq!(fault(sku, quantity, unit), Some(expected), "{sku:?} {quantity:?} {unit:?}");
        }
    }
}
