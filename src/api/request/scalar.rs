//! The values that every wire writes as text: durations, dates, names of enums.

use std::time::Duration;

use jiff::civil::Date;

use crate::api::proto::{part, purpose};

/// The longest duration protobuf allows, about 10,000 years. Seconds.
const SECONDS_MAX: i64 = 315_576_000_000;

/// `"1.5s"`: seconds, with at most nine digits behind the point, never negative.
pub fn duration(text: &str) -> Option<prost_types::Duration> {
    let (whole, fraction) = match text.strip_suffix('s')?.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.strip_suffix('s')?, None),
    };
    let seconds = digits(whole, 12)?;
    let nanos = match fraction {
        Some(fraction) => digits(fraction, 9)? * 10i64.pow(9 - fraction.len() as u32),
        None => 0,
    };
    (seconds <= SECONDS_MAX).then_some(prost_types::Duration { seconds, nanos: nanos as i32 })
}

/// What protobuf calls a duration, if it is one and not negative.
pub fn checked(told: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(told.seconds).ok().filter(|seconds| *seconds <= SECONDS_MAX as u64)?;
    let nanos = u32::try_from(told.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// `YYYY-MM-DD` and nothing else.
pub fn date(text: &str) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| digits(text, 4));
    let (year, month, day) = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    Date::new(year as i16, month as i8, day as i8).ok()
}

/// RFC 3339 with its offset, to the second or finer.
pub fn instant(text: &str) -> Option<prost_types::Timestamp> {
    let shaped = text.as_bytes().get(10).is_some_and(|b| matches!(b, b'T' | b't'));
    let plain = text.len() <= 35 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+:.".contains(&b));
    let at: jiff::Timestamp = text.parse().ok().filter(|_| shaped && plain)?;
    // Before 1970 jiff counts both parts down, protobuf only the seconds.
    let nanos = at.subsec_nanosecond().rem_euclid(1_000_000_000);
    let seconds = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    Some(prost_types::Timestamp { seconds, nanos })
}

/// A purpose by its name.
pub fn purpose(name: &str) -> Option<i32> {
    purpose::Value::from_str_name(name).map(Into::into)
}

/// A part by its name.
pub fn part(name: &str) -> Option<i32> {
    part::Value::from_str_name(name).map(Into::into)
}

fn digits(text: &str, digits_max: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= digits_max && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds, nanos) in [
            ("0s", 0, 0),
            ("60s", 60, 0),
            ("1.5s", 1, 500_000_000),
            ("0.000000001s", 0, 1),
            ("315576000000s", SECONDS_MAX, 0),
        ] {
            assert_eq!(duration(text), Some(prost_types::Duration { seconds, nanos }), "{text}");
        }
        for bad in
            ["", "s", "1", "1.s", ".5s", "-1s", "+1s", "1e3s", "1.0000000001s", "315576000001s", "1 s", "1S", "١s"]
        {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
        assert_eq!(checked(prost_types::Duration { seconds: 1, nanos: -1 }), None);
        assert_eq!(checked(prost_types::Duration { seconds: -1, nanos: 0 }), None);
        assert_eq!(checked(prost_types::Duration { seconds: 1, nanos: 1_000_000_000 }), None);
    }

    #[test]
    fn dates() {
        assert_eq!(date("2026-11-22"), Some(jiff::civil::date(2026, 11, 22)));
        for bad in ["", "2026-02-30", "2026-13-01", "20261122", "2026-11-22T00:00:00", "2026-1-2", "+026-11-22"] {
            assert_eq!(date(bad), None, "{bad:?}");
        }
    }
}
