//! Exact decimals from whatever text an ERP writes: `35.8100`, `1e2`, `12,50`. No float on any path.

use rust_decimal::Decimal;

use crate::domain::money::{FRACTION_DIGITS_MAX, WHOLE_DIGITS_MAX};

/// Longest text worth reading. Bytes; a float written out in full has less.
const TEXT_BYTES_MAX: usize = 400;

/// How numbers of one kind are written and kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notation {
    pub decimal_comma: bool,
    /// More decimals are rounded to this many, half away from zero.
    pub decimals: Option<u8>,
}

/// Why a text is not a figure we can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    #[error("is not a number")]
    Malformed,
    #[error("is too large to be carried exactly")]
    TooLarge,
    #[error("has more than {FRACTION_DIGITS_MAX} decimals, and no rounding is declared")]
    TooFine,
}

/// Reads a decimal exactly. The scale is kept as written; exponents are worked out.
pub fn read_decimal(text: &str, notation: Notation) -> Result<Decimal, NumberError> {
    let text = text.trim_matches(' ');
    if let Some(value) = read_plain(text, notation) {
        return Ok(value);
    }
    let mut number = Digits::read(text, notation.decimal_comma)?;
    if let Some(decimals) = notation.decimals {
        number.round(i64::from(decimals));
    }
    number.fit()
}

/// What nearly every number is: up to 18 digits, perhaps with a point among them, and nothing to round. `None` says
/// nothing.
fn read_plain(text: &str, notation: Notation) -> Option<Decimal> {
    const DIGITS_MAX: usize = 18;
    let point = if notation.decimal_comma { b',' } else { b'.' };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut number = 0u64;
    let mut fraction_start = None;
    if digits.len() > DIGITS_MAX + 1 {
        return None;
    }
    for (index, byte) in digits.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            _ if byte == point && index > 0 && fraction_start.is_none() => fraction_start = Some(index + 1),
            _ => return None,
        }
    }
    let fraction = fraction_start.map(|start| digits.len() - start);
    let count = digits.len() - usize::from(fraction.is_some());
    let decimals_max = notation.decimals.map_or(FRACTION_DIGITS_MAX, |most| FRACTION_DIGITS_MAX.min(most.into()));
    if count == 0 || count > DIGITS_MAX || fraction == Some(0) || fraction.is_some_and(|count| count > decimals_max) {
        return None;
    }
    let signed = if digits.len() < text.len() { -(number as i64) } else { number as i64 };
    Some(Decimal::new(signed, fraction.unwrap_or(0) as u32))
}

/// `digits * 10^-scale`.
struct Digits {
    negative: bool,
    /// 0 to 9 each, most significant first.
    digits: Vec<u8>,
    scale: i64,
}

impl Digits {
    fn read(text: &str, decimal_comma: bool) -> Result<Self, NumberError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NumberError::Malformed);
        }
        let (negative, text) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let point = if decimal_comma { ',' } else { '.' };
        let (whole, fraction) = match mantissa.split_once(point) {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(NumberError::Malformed),
            None => (mantissa, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(NumberError::Malformed);
        }
        let digits: Vec<u8> =
            whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').skip_while(|&digit| digit == 0).collect();
        let scale = i64::try_from(fraction.len()).map_err(|_| NumberError::Malformed)? - exponent;
        Ok(Self { negative, digits, scale })
    }

    /// To `decimals`, half away from zero.
    fn round(&mut self, decimals: i64) {
        while self.scale > decimals && self.digits.len() > 1 && self.scale - decimals > 1 {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.scale <= decimals {
            return;
        }
        // Either one digit is left to drop, or at most one digit is left and it is far below what is kept.
        let up = self.scale - decimals == 1 && self.digits.pop().is_some_and(|last| last >= 5);
        if self.scale - decimals > 1 {
            self.digits.clear();
        }
        self.scale = decimals;
        if up {
            for digit in self.digits.iter_mut().rev() {
                if *digit < 9 {
                    *digit += 1;
                    return;
                }
                *digit = 0;
            }
            self.digits.insert(0, 1);
        }
    }

    fn fit(mut self) -> Result<Decimal, NumberError> {
        let limit = FRACTION_DIGITS_MAX as i64;
        if self.digits.is_empty() {
            // Zero: its scale says nothing that could be lost.
            self.scale = self.scale.clamp(0, limit);
        }
        while self.scale > limit && self.digits.last() == Some(&0) {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.scale > limit {
            return Err(NumberError::TooFine);
        }
        let whole = self.digits.len() as i64 - self.scale;
        if whole > WHOLE_DIGITS_MAX as i64 {
            return Err(NumberError::TooLarge);
        }
        while self.scale < 0 {
            self.digits.push(0);
            self.scale += 1;
        }
        // At most 27 digits by now.
        let magnitude = self.digits.iter().fold(0i128, |sum, &digit| sum * 10 + i128::from(digit));
        let scale = u32::try_from(self.scale).map_err(|_| NumberError::TooFine)?;
        let signed = if self.negative { -magnitude } else { magnitude };
        Decimal::try_from_i128_with_scale(signed, scale).map_err(|_| NumberError::TooLarge)
    }
}

fn read_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::Malformed);
    }
    let magnitude: i64 = digits.parse().map_err(|_| NumberError::Malformed)?;
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// `dividend / divisor` if that is a decimal that ends and can be carried.
pub fn divide_exactly(dividend: Decimal, divisor: Decimal) -> Option<Decimal> {
    let quotient = dividend.checked_div(divisor)?.normalize();
    // The division rounds at 28 digits; a rounded quotient has more decimals than can be carried.
    (quotient.scale() as usize <= FRACTION_DIGITS_MAX && quotient.checked_mul(divisor)? == dividend).then_some(quotient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, NumberError> {
        read_decimal(text, Notation::default()).map(|value| value.to_string())
    }

    #[test]
    fn numbers_are_read_to_the_digit() {
        for (text, want) in [
            ("35.8100", "35.8100"),
            ("7.0", "7.0"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("1.25e1", "12.5"),
            ("12e-3", "0.012"),
            ("0.1", "0.1"),
            ("123456789012345678.123456789", "123456789012345678.123456789"),
            ("9007199254740993", "9007199254740993"),
            ("0.30000000000000000000", "0.300000000"),
            ("-0.5", "-0.5"),
            ("007", "7"),
            ("0e9999", "0"),
            ("0.0000000000", "0.000000000"),
            (" 4 ", "4"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_or_cannot_be_carried_is_told() {
        for (text, why) in [
            ("", NumberError::Malformed),
            ("-", NumberError::Malformed),
            (".5", NumberError::Malformed),
            ("5.", NumberError::Malformed),
            ("1,5", NumberError::Malformed),
            ("1e", NumberError::Malformed),
            ("1e99999", NumberError::Malformed),
            ("NaN", NumberError::Malformed),
            ("Infinity", NumberError::Malformed),
            ("0x10", NumberError::Malformed),
            ("١", NumberError::Malformed),
            ("1 000", NumberError::Malformed),
            ("1e18", NumberError::TooLarge),
            ("1e400", NumberError::TooLarge),
            ("0.30000000000000004", NumberError::TooFine),
            ("1e-10", NumberError::TooFine),
        ] {
            assert_eq!(read(text), Err(why), "{text}");
        }
        assert_eq!(read(&"1".repeat(1000)), Err(NumberError::Malformed));
    }

    proptest! {
        #[test]
        fn a_plain_number_is_what_it_is_digit_by_digit(
            text in "-?[0-9]{0,20}([.,][0-9]{0,11})?(e-?[0-9])?",
            decimal_comma in any::<bool>(),
            decimals in prop::option::of(0u8..10),
        ) {
            let notation = Notation { decimal_comma, decimals };
            if let Some(plain) = read_plain(&text, notation) {
                let mut number = Digits::read(&text, decimal_comma).unwrap();
                if let Some(decimals) = decimals {
                    number.round(i64::from(decimals));
                }
                // With its scale and its sign.
                prop_assert_eq!(plain.to_string(), number.fit().unwrap().to_string());
            }
        }
    }

    #[test]
    fn most_numbers_are_plain() {
        for (text, want) in [("35.8100", true), ("-7", true), ("0.30", true), ("1e2", false), ("0.0000000001", false)] {
            assert_eq!(read_plain(text, Notation::default()).is_some(), want, "{text}");
        }
    }

    #[test]
    fn declared_rounding_is_half_away_from_zero() {
        for (text, decimals, want) in [
            ("2.345", 2, "2.35"),
            ("-2.345", 2, "-2.35"),
            ("2.3449999", 2, "2.34"),
            ("0.30000000000000004", 9, "0.300000000"),
            ("9.999", 2, "10.00"),
            ("0.5", 0, "1"),
            ("0.4", 0, "0"),
            ("0.05", 0, "0"),
            ("0.005", 2, "0.01"),
            ("0.0005", 2, "0.00"),
            ("1e-400", 2, "0.00"),
            ("7.1", 4, "7.1"),
        ] {
            let notation = Notation { decimals: Some(decimals), ..Notation::default() };
            assert_eq!(read_decimal(text, notation).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn a_decimal_comma_has_to_be_declared_and_then_excludes_the_point() {
        let comma = Notation { decimal_comma: true, ..Notation::default() };
        assert_eq!(read_decimal("12,50", comma).unwrap().to_string(), "12.50");
        assert_eq!(read_decimal("1.234", comma), Err(NumberError::Malformed));
    }

    #[test]
    fn only_divisions_that_end_have_a_quotient() {
        let divide = |a: &str, b: &str| divide_exactly(a.parse().unwrap(), b.parse().unwrap()).map(|q| q.to_string());
        assert_eq!(divide("1", "0.001").as_deref(), Some("1000"));
        assert_eq!(divide("12.0", "1.0").as_deref(), Some("12"));
        assert_eq!(divide("1", "12"), None);
        assert_eq!(divide("1", "0"), None);
        assert_eq!(divide("0.028349523125", "1"), None);
    }
}
