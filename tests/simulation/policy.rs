//! The readers' patience, by lane: shorter than in a shop, so that all of a figure's life happens in a run.

use std::time::Duration;

use comptoir::cache::epochs::Needed;
use comptoir::clock::{Reading, Stamp, Timestamp};
use comptoir::erp::dispatch::{Lane, Maintenance};
use comptoir::offer::config::Ages;
use comptoir::offer::freshness::{Decision, Held, Limits, Moment};

const fn ages(max_age: u64, stale_while_revalidate: u64, stale_if_error: u64) -> Ages {
    Ages {
        max_age: Duration::from_millis(max_age),
        stale_while_revalidate: Duration::from_millis(stale_while_revalidate),
        stale_if_error: Duration::from_millis(stale_if_error),
    }
}

pub fn of(lane: Lane) -> Ages {
    match lane {
        Lane::Checkout | Lane::Audit => ages(0, 0, 0),
        Lane::Cart => ages(1_000, 0, 10_000),
        Lane::Detail => ages(3_000, 5_000, 30_000),
        Lane::List => ages(10_000, 10_000, 120_000),
        Lane::Feed | Lane::Warmup => ages(15_000, 15_000, 120_000),
    }
}

/// What one reader accepts, and the same in plain words.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub limits: Limits,
    pub max_age: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
}

impl Patience {
    pub fn new(lane: Lane, max_age: Option<u64>) -> Self {
        let ages = of(lane);
        let wish = max_age.map(Duration::from_millis);
        Self {
            limits: Limits::new(&ages, wish, None),
            max_age: wish.map_or(ages.max_age, |wish| wish.min(ages.max_age)),
            stale_while_revalidate: if wish.is_some() { Duration::ZERO } else { ages.stale_while_revalidate },
            stale_if_error: ages.stale_if_error,
        }
    }

    pub fn decide(
        &self,
        (observed, stamp, ends): (Reading, Stamp, Option<i64>),
        needed: Needed,
        arrival: Reading,
        maintenance: &Maintenance,
        key: u64,
    ) -> Decision {
        let held = Held { observed, stamp, ends: ends.map(Timestamp) };
        self.limits.decide(&held, needed, &Moment { arrival, maintenance }, || key)
    }
}
