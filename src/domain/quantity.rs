//! Exact quantities and the factors between units.

use super::money::exact;

exact!(/** A quantity; the unit stands beside it. */ Quantity);
exact!(/** Base units in one of another unit. */ Factor);

impl Quantity {
    pub const ONE: Quantity = Quantity(rust_decimal::Decimal::ONE);
    pub const ZERO: Quantity = Quantity(rust_decimal::Decimal::ZERO);

    pub fn is_positive(self) -> bool {
        self.0 > rust_decimal::Decimal::ZERO
    }

    /// The same in base units, unless that is more than the wire can carry.
    pub fn in_base_units(self, factor: Factor) -> Option<Quantity> {
        self.0.checked_mul(factor.get()).and_then(Quantity::new)
    }

    pub fn plus(self, other: Quantity) -> Option<Quantity> {
        self.0.checked_add(other.0).and_then(Quantity::new)
    }

    pub fn minus(self, other: Quantity) -> Option<Quantity> {
        self.0.checked_sub(other.0).and_then(Quantity::new)
    }

    /// Without trailing zeros: equal quantities have one text. For keys.
    pub fn normalized(self) -> Quantity {
        Quantity(self.0.normalize())
    }

    /// Raised to `minimum`, then up to a multiple of `multiple`.
    pub fn raised(self, minimum: Option<Quantity>, multiple: Option<Quantity>) -> Option<Quantity> {
        let at_least = minimum.map_or(self, |minimum| self.max(minimum));
        let Some(step) = multiple.filter(|m| m.is_positive()) else { return Some(at_least) };
        match at_least.0.checked_rem(step.0)? {
            rest if rest.is_zero() => Some(at_least),
            rest => at_least.0.checked_sub(rest)?.checked_add(step.0).and_then(Quantity::new),
        }
    }
}

impl Factor {
    pub const ONE: Factor = Factor(rust_decimal::Decimal::ONE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn order_quantity_is_raised_to_minimum_and_multiple() {
        for (asked, minimum, multiple, want) in [
            ("36", Some("12"), Some("12"), "36"),
            ("3", Some("12"), Some("12"), "12"),
            ("13", Some("12"), Some("12"), "24"),
            ("13", None, Some("12"), "24"),
            ("5", Some("7"), None, "7"),
            ("5", Some("7"), Some("5"), "10"),
            ("0.3", None, Some("0.25"), "0.50"),
            ("5", None, None, "5"),
            ("5", None, Some("0"), "5"),
        ] {
            assert_eq!(
                q(asked).raised(minimum.map(q), multiple.map(q)),
                Some(q(want)),
                "{asked} {minimum:?} {multiple:?}"
            );
        }
    }

    #[test]
    fn nothing_overflows_silently() {
        let huge = q("999999999999999999");
        assert_eq!(huge.in_base_units("12".parse().unwrap()), None);
        assert_eq!(huge.plus(huge), None);
    }
}
