//! Durations and sizes as people write them in configuration files: `"250ms"`, `"10m"`, `"512MiB"`; lines of their files.

pub mod csv;

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};

/// The text is not a duration or a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{0:?} is not a duration: write \"250ms\", \"1.5s\", \"10m\" or \"1h 30m\"")]
    Duration(String),
    #[error("{0:?} is not a size: write \"64KiB\", \"512MiB\" or \"2GiB\"")]
    Size(String),
}

/// Reads `"250ms"`, `"1.5s"`, `"10m"`, `"1h 30m"`. Never negative.
pub fn duration(text: &str) -> Result<Duration, Malformed> {
    let malformed = || Malformed::Duration(text.to_owned());
    let signed: jiff::SignedDuration = text.parse().map_err(|_| malformed())?;
    Duration::try_from(signed).map_err(|_| malformed())
}

/// Reads `"512MiB"`, `"64 KiB"`, `"1000B"`: a whole number and its unit.
pub fn size(text: &str) -> Result<u64, Malformed> {
    let malformed = || Malformed::Size(text.to_owned());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(malformed()),
    };
    let number: u64 = number.parse().map_err(|_| malformed())?;
    number.checked_mul(1 << shift).ok_or_else(malformed)
}

/// Writes a duration as protobuf's JSON does: `1.500s`, whole seconds as `90s`.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        // No digits, or as many groups of three as are needed.
        match nanos {
            0 => write!(f, "{seconds}s"),
            n if n % 1_000_000 == 0 => write!(f, "{seconds}.{:03}s", n / 1_000_000),
            n if n % 1000 == 0 => write!(f, "{seconds}.{:06}s", n / 1000),
            n => write!(f, "{seconds}.{n:09}s"),
        }
    }
}

/// For serde's `deserialize_with`.
pub fn deserialize_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).map_err(D::Error::custom)
}

/// For serde's `deserialize_with`; the key may be left out with `default`.
pub fn deserialize_optional_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    deserialize_duration(from).map(Some)
}

/// For serde's `deserialize_with`.
pub fn deserialize_size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    size(&text).map_err(D::Error::custom)
}

/// For serde's `deserialize_with`; the key may be left out with `default`.
pub fn deserialize_optional_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    deserialize_size(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [("250ms", 250), ("1.5s", 1500), ("10m", 600_000), ("1h 30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "10", "-1s", "soon", "1 fortnight"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("1000B", 1000), ("64KiB", 65_536), ("512 MiB", 512 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "1000", "MiB", "1MB", "-1", "1.5GiB", "99999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
