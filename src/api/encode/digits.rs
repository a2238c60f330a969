//! Decimals, dates and instants as text, written into a small array on the stack. A page prints a few hundred of these, and
//! the general formatters cost more than all the rest of the page.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::clock::Timestamp;

/// Room for the longest: a decimal of 29 digits, sign and point, or an instant of 24.
#[derive(Debug)]
pub struct Digits {
    bytes: [u8; 40],
    /// Where the text begins; it ends at `end`.
    start: usize,
    end: usize,
}

impl Digits {
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn from_text(text: &str) -> Self {
        let mut bytes = [0; 40];
        let end = text.len().min(bytes.len());
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Self { bytes, start: 0, end }
    }

    /// The decimal with the scale it has, as its `Display` prints it.
    pub fn decimal(value: Decimal) -> Self {
        let scale = value.scale() as usize;
        let mantissa = value.mantissa();
        let Ok(mut rest) = u64::try_from(mantissa.unsigned_abs()) else {
            return Self::from_text(&value.to_string());
        };
        if scale > 18 {
            return Self::from_text(&value.to_string());
        }
        let mut bytes = [0; 40];
        let end = bytes.len();
        let mut start = end;
        let mut written = 0;
        // Back to front, with at least one digit before the point.
        loop {
            if written == scale && scale > 0 {
                start -= 1;
                bytes[start] = b'.';
            }
            start -= 1;
            bytes[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            written += 1;
            if rest == 0 && written > scale {
                break;
            }
        }
        if mantissa < 0 {
            start -= 1;
            bytes[start] = b'-';
        }
        Self { bytes, start, end }
    }

    /// `YYYY-MM-DD`.
    pub fn date(date: Date) -> Self {
        match u32::try_from(date.year()) {
            Ok(year) => {
                let mut bytes = [0; 40];
                put_date(&mut bytes, year, date.month() as u8, date.day() as u8);
                Self { bytes, start: 0, end: 10 }
            }
            Err(_) => Self::from_text(&date.to_string()),
        }
    }

    /// RFC 3339 in UTC, with milliseconds only where there are any.
    pub fn instant(at: Timestamp) -> Self {
        let at = in_range(at);
        let days = at.0.div_euclid(DAY_MS);
        let in_day = at.0.rem_euclid(DAY_MS) as u32;
        let (year, month, day) = civil(days);
        let mut bytes = [0; 40];
        put_date(&mut bytes, year, month, day);
        bytes[10] = b'T';
        put_two(&mut bytes, 11, (in_day / 3_600_000) as u8);
        bytes[13] = b':';
        put_two(&mut bytes, 14, (in_day / 60_000 % 60) as u8);
        bytes[16] = b':';
        put_two(&mut bytes, 17, (in_day / 1000 % 60) as u8);
        let millis = in_day % 1000;
        let mut end = 19;
        if millis > 0 {
            bytes[19] = b'.';
            bytes[20] = b'0' + (millis / 100) as u8;
            put_two(&mut bytes, 21, (millis % 100) as u8);
            end = 23;
        }
        bytes[end] = b'Z';
        Self { bytes, start: 0, end: end + 1 }
    }
}

const DAY_MS: i64 = 86_400_000;

/// What both wires can carry: the years 1 to 9999.
pub fn in_range(at: Timestamp) -> Timestamp {
    const FIRST: i64 = -62_135_596_800_000;
    const LAST: i64 = 253_402_300_799_999;
    Timestamp(at.0.clamp(FIRST, LAST))
}

/// Days since 1970 to year, month and day, by counting in eras of 400 years that begin in March.
fn civil(days: i64) -> (u32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u8, day as u8)
}

fn put_two(bytes: &mut [u8; 40], at: usize, value: u8) {
    bytes[at] = b'0' + value / 10;
    bytes[at + 1] = b'0' + value % 10;
}

fn put_date(bytes: &mut [u8; 40], year: u32, month: u8, day: u8) {
    put_two(bytes, 0, (year / 100) as u8);
    put_two(bytes, 2, (year % 100) as u8);
    bytes[4] = b'-';
    put_two(bytes, 5, month);
    bytes[7] = b'-';
    put_two(bytes, 8, day);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(digits: &Digits) -> String {
        String::from_utf8(digits.as_bytes().to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn decimals_print_as_they_do_elsewhere(mantissa in -(1i128 << 95)..(1i128 << 95), scale in 0u32..28) {
            for mantissa in [mantissa, mantissa >> 40, mantissa >> 80, mantissa % 100] {
                let value = Decimal::from_i128_with_scale(mantissa, scale);
                prop_assert_eq!(text(&Digits::decimal(value)), value.to_string());
            }
        }

        #[test]
        fn instants_print_as_they_do_elsewhere(at in -62_135_596_800_000i64..253_402_200_000_000, whole: bool) {
            let at = Timestamp(if whole { at.div_euclid(1000) * 1000 } else { at });
            prop_assert_eq!(text(&Digits::instant(at)), at.to_string());
        }
    }

    #[test]
    fn the_edges_of_time_stay_within_the_wire() {
        assert_eq!(text(&Digits::instant(Timestamp(i64::MAX))), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(&Digits::instant(Timestamp(i64::MIN))), "0001-01-01T00:00:00Z");
        assert_eq!(text(&Digits::date(jiff::civil::date(2026, 2, 9))), "2026-02-09");
        assert_eq!(text(&Digits::decimal(Decimal::ZERO)), "0");
    }
}
