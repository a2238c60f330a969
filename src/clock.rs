//! The one source of time.
//!
//! Ages and deadlines are decided on a monotonic clock, dates and ends of validity on the wall clock; a [`Reading`] is both
//! at one instant, so that no decision mixes two moments. Nothing else in the crate reads a clock: the API reads it on
//! arrival, the dispatcher on departure. Under tokio's paused time the clock is virtual, so tests need no real waiting.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// Monotonic time. Microseconds, from long before the clock was made: what was observed by another process before this one
/// has its place too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// What a clock shows when it is made: ten years. Microseconds.
const ORIGIN: u64 = 10 * 365 * 24 * 3600 * 1_000_000;

impl Mono {
    /// Later than every reading.
    pub const FAR_FUTURE: Mono = Mono(u64::MAX);

    pub fn plus(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(micros(duration)))
    }

    /// `self - duration`, or the beginning of time.
    pub fn minus(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_sub(micros(duration)))
    }

    /// How long from `earlier` to `self`; zero if it is not earlier.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time. Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from `self` to `later`; zero if it is not later.
    pub fn until(self, later: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

/// RFC 3339 in UTC, with milliseconds only where there are any (the canonical JSON of a protobuf timestamp).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0.rem_euclid(1000) == 0 { 0 } else { 3 };
        write!(f, "{:.precision$}", self.to_jiff())
    }
}

/// Both clocks at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub mono: Mono,
    pub wall: Timestamp,
}

impl Reading {
    pub fn plus(self, duration: Duration) -> Reading {
        Reading { mono: self.mono.plus(duration), wall: self.wall.plus(duration) }
    }

    /// The older of two.
    pub fn older(self, other: Reading) -> Reading {
        if other.mono < self.mono { other } else { self }
    }
}

/// Logical time: how many invalidations there had been when an ERP call left. See `cache::epochs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// Reads the time. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// The wall clock at `origin` in tests; the system's clock is asked when absent.
    fixed_wall: Option<Timestamp>,
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self { origin: Instant::now(), fixed_wall: None }
    }

    /// A clock whose wall time starts at `wall` and moves with tokio's time: virtual where that is paused.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { origin: Instant::now(), fixed_wall: Some(wall) }
    }

    pub fn mono(&self) -> Mono {
        Mono(ORIGIN.saturating_add(micros(self.origin.elapsed())))
    }

    pub fn read(&self) -> Reading {
        let elapsed = self.origin.elapsed();
        let wall = match self.fixed_wall {
            Some(start) => start.plus(elapsed),
            None => Timestamp(jiff::Timestamp::now().as_millisecond()),
        };
        Reading { mono: Mono(ORIGIN.saturating_add(micros(elapsed))), wall }
    }

    /// The tokio instant of a monotonic time, to sleep until.
    pub fn instant(&self, at: Mono) -> Instant {
        // Far enough to be never, near enough that the addition cannot overflow.
        const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
        self.origin + at.since(Mono(ORIGIN)).min(self.origin.elapsed() + NEVER)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_protobuf_json_does() {
        let whole = Timestamp(1_795_341_872_000);
        assert_eq!(whole.to_string(), "2026-11-22T10:04:32Z");
        assert_eq!(Timestamp(whole.0 + 120).to_string(), "2026-11-22T10:04:32.120Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_moves_both_clocks_together() {
        let clock = Clock::starting_at(Timestamp(1_000_000));
        let before = clock.read();
        tokio::time::advance(Duration::from_millis(1500)).await;
        let after = clock.read();
        assert_eq!(after.mono.since(before.mono), Duration::from_millis(1500));
        assert_eq!(after.wall.0 - before.wall.0, 1500);
    }
}
