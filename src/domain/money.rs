//! Exact money. A price keeps the scale it was told with: `35.8100` stays `35.8100`.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// Most digits before the point on the wire.
pub const WHOLE_DIGITS_MAX: usize = 18;
/// Most digits after the point on the wire.
pub const FRACTION_DIGITS_MAX: usize = 9;

/// The text is not `-?` 1 to 18 digits, optionally a point and 1 to 9 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a decimal: an optional minus, 1 to 18 digits, optionally a point and 1 to 9 digits")]
pub struct MalformedDecimal;

/// Reads a decimal of the wire, to the letter: no plus, no exponent, no bare point.
pub(super) fn parse_decimal(text: &str) -> Result<Decimal, MalformedDecimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits =
        |part: &str, max: usize| !part.is_empty() && part.len() <= max && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole, WHOLE_DIGITS_MAX) || !fraction.is_none_or(|f| all_digits(f, FRACTION_DIGITS_MAX)) {
        return Err(MalformedDecimal);
    }
    // At most 27 digits: always exact in 96 bits.
    Decimal::from_str_exact(text).map_err(|_| MalformedDecimal)
}

/// A decimal that was computed or told by an ERP, if the wire can carry it.
pub(super) fn fit_decimal(value: Decimal) -> Option<Decimal> {
    let value = if value.scale() as usize > FRACTION_DIGITS_MAX { value.normalize() } else { value };
    if value.scale() as usize > FRACTION_DIGITS_MAX {
        return None;
    }
    // At most 27 digits: far from what 128 bits hold.
    let limit = 10u128.pow(WHOLE_DIGITS_MAX as u32 + value.scale());
    (value.mantissa().unsigned_abs() < limit).then_some(value)
}

macro_rules! exact {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(rust_decimal::Decimal);

        impl $name {
            /// The value, if the wire can carry it exactly (18 digits before the point, 9 after).
            pub fn new(value: rust_decimal::Decimal) -> Option<Self> {
                $crate::domain::money::fit_decimal(value).map(Self)
            }

            pub fn get(self) -> rust_decimal::Decimal {
                self.0
            }

            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::money::MalformedDecimal;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::domain::money::parse_decimal(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}
pub(super) use exact;

exact!(/** An amount of money; its currency stands beside it. */ Money);

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }
}

/// The text is not three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an ISO 4217 currency code (three capital letters)")]
pub struct NotACurrency;

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(NotACurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_decimal_to_the_letter() {
        for good in ["0", "12", "12.0", "-3", "000", "35.8105", "999999999999999999.999999999", "-0.000000001"] {
            assert_eq!(
                good.parse::<Money>().unwrap().to_string().trim_start_matches('0').len(),
                good.trim_start_matches('0').len(),
                "{good}"
            );
        }
        for bad in [
            "",
            "-",
            "+1",
            "1.",
            ".5",
            "1e3",
            "1E400",
            "NaN",
            "inf",
            " 1",
            "1 ",
            "1,5",
            "0x1",
            "--1",
            "1.2.3",
            "1234567890123456789",
            "0.1234567890",
            "١",
            "1_000",
        ] {
            assert_eq!(bad.parse::<Money>(), Err(MalformedDecimal), "{bad:?}");
        }
    }

    #[test]
    fn a_price_keeps_its_scale_and_equals_its_value() {
        let told: Money = "35.8100".parse().unwrap();
        assert_eq!(told.to_string(), "35.8100");
        assert_eq!(told, "35.81".parse().unwrap());
    }

    #[test]
    fn what_the_wire_cannot_carry_is_not_money() {
        assert!(Money::new("0.1234567890".parse().unwrap()).is_some_and(|m| m.to_string() == "0.123456789"));
        assert!(Money::new("0.12345678901".parse().unwrap()).is_none());
        assert!(Money::new("1000000000000000000".parse().unwrap()).is_none());
    }

    #[test]
    fn currencies() {
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "EUR");
        for bad in ["", "eur", "EU", "EURO", "E R", "€UR"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad}");
        }
    }
}
