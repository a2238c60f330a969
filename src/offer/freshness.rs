//! May this be served? Pure: a figure's age and stamp, the reader's patience, one instant.

use std::time::Duration;

use super::answer::{Freshness, PolicyAnswer, Source};
use super::config::{Ages, Patience};
use super::query::OfferQuery;
use crate::clock::{Mono, Reading, Stamp, Timestamp};
use crate::erp::dispatch::Demand;

/// What one reader accepts of one fact, after the caller's wishes were clamped to the purpose's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_age: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
}

/// What is known of a figure, whatever it is a figure of.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub observed: Reading,
    pub stamp: Stamp,
    /// The told end of its validity: it is served until this instant and never after.
    pub ends: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Fresh,
    /// Serve it marked stale, and have it asked again.
    ServeAndRefresh,
    /// Ask first; should that fail, it may be served marked stale.
    FetchOrServe,
    /// Ask first; it may not be served.
    Fetch(WhyGone),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyGone {
    TooOld,
    Invalidated,
    ValidityEnded,
}

impl Limits {
    /// Tightening is honoured, loosening clamped. A caller who says how old a figure may be gets none that is older while
    /// the ERP can be asked.
    pub fn new(ages: &Ages, max_age: Option<Duration>, stale_if_error: Option<Duration>) -> Self {
        Self {
            max_age: max_age.map_or(ages.max_age, |wish| wish.min(ages.max_age)),
            stale_while_revalidate: if max_age.is_some() { Duration::ZERO } else { ages.stale_while_revalidate },
            stale_if_error: stale_if_error.map_or(ages.stale_if_error, |wish| wish.min(ages.stale_if_error)),
        }
    }

    /// The limits for prices and for stock of one request.
    pub fn of(query: &OfferQuery, patience: &Patience) -> (Self, Self) {
        let of = |ages| Self::new(ages, query.max_age, query.stale_if_error);
        (of(&patience.price), of(&patience.stock))
    }

    pub fn answer(&self) -> PolicyAnswer {
        PolicyAnswer { max_age: self.max_age, stale_if_error: self.stale_if_error }
    }

    /// What an ERP call must satisfy for a reader with these limits to join it.
    pub fn demand(&self, arrival: Mono, min_stamp: Stamp) -> Demand {
        Demand { not_before: arrival.minus(self.max_age), min_stamp }
    }

    /// `needed` is the newest invalidation that concerns the reader's request.
    pub fn decide(&self, held: &Held, needed: Stamp, arrival: Reading) -> Decision {
        if held.stamp < needed {
            return Decision::Fetch(WhyGone::Invalidated);
        }
        if held.ends.is_some_and(|end| arrival.wall >= end) {
            return Decision::Fetch(WhyGone::ValidityEnded);
        }
        if held.observed.mono >= arrival.mono.minus(self.max_age) {
            return Decision::Fresh;
        }
        // At least zero here: what was read after the arrival is fresh.
        let excess = arrival.mono.since(held.observed.mono).saturating_sub(self.max_age);
        if excess <= self.stale_while_revalidate && !self.stale_while_revalidate.is_zero() {
            Decision::ServeAndRefresh
        } else if excess <= self.stale_if_error && !self.stale_if_error.is_zero() {
            Decision::FetchOrServe
        } else {
            Decision::Fetch(WhyGone::TooOld)
        }
    }

    /// What the answer says about a figure that is served.
    pub fn describe(&self, held: &Held, source: Source, stale: Option<&'static str>) -> Freshness {
        let expires_at = held.observed.wall.plus(self.max_age);
        Freshness {
            source,
            observed_at: held.observed.wall,
            expires_at: held.ends.map_or(expires_at, |end| end.min(expires_at)),
            stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_age: u64, revalidate: u64, error: u64) -> Limits {
        let ages = Ages {
            max_age: Duration::from_secs(max_age),
            stale_while_revalidate: Duration::from_secs(revalidate),
            stale_if_error: Duration::from_secs(error),
        };
        Limits::new(&ages, None, None)
    }

    fn at(milliseconds: u64) -> Reading {
        Reading { mono: Mono(milliseconds * 1000), wall: Timestamp(1_000_000 + milliseconds as i64) }
    }

    fn held(observed: u64) -> Held {
        Held { observed: at(observed), stamp: Stamp(3), ends: None }
    }

    #[test]
    fn every_boundary_to_the_millisecond() {
        let limits = limits(60, 30, 3600);
        for (age, decision) in [
            (0, Decision::Fresh),
            (60_000, Decision::Fresh),
            (60_001, Decision::ServeAndRefresh),
            (90_000, Decision::ServeAndRefresh),
            (90_001, Decision::FetchOrServe),
            (3_660_000, Decision::FetchOrServe),
            (3_660_001, Decision::Fetch(WhyGone::TooOld)),
        ] {
            assert_eq!(limits.decide(&held(5000), Stamp(3), at(5000 + age)), decision, "{age} ms");
        }
    }

    #[test]
    fn max_age_zero_serves_only_what_was_read_since_the_caller_asked() {
        let limits = limits(0, 0, 0);
        assert_eq!(limits.decide(&held(5000), Stamp(0), at(5000)), Decision::Fresh);
        assert_eq!(limits.decide(&held(5000), Stamp(0), at(4999)), Decision::Fresh);
        assert_eq!(limits.decide(&held(5000), Stamp(0), at(5001)), Decision::Fetch(WhyGone::TooOld));
    }

    #[test]
    fn invalidated_is_gone_however_young() {
        let limits = limits(60, 60, 3600);
        assert_eq!(limits.decide(&held(0), Stamp(4), at(0)), Decision::Fetch(WhyGone::Invalidated));
    }

    #[test]
    fn nothing_crosses_a_told_end() {
        let limits = limits(60, 60, 3600);
        let ending = Held { ends: Some(at(1000).wall), ..held(0) };
        assert_eq!(limits.decide(&ending, Stamp(0), at(999)), Decision::Fresh);
        assert_eq!(limits.decide(&ending, Stamp(0), at(1000)), Decision::Fetch(WhyGone::ValidityEnded));
        assert_eq!(limits.describe(&ending, Source::Memory, None).expires_at, at(1000).wall);
    }

    #[test]
    fn tightening_is_honoured_and_loosening_clamped() {
        let policy = Ages {
            max_age: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(60),
            stale_if_error: Duration::from_secs(600),
        };
        let seconds = |n| Some(Duration::from_secs(n));
        let tight = Limits::new(&policy, seconds(10), seconds(20));
        assert_eq!(
            tight.answer(),
            PolicyAnswer { max_age: Duration::from_secs(10), stale_if_error: Duration::from_secs(20) }
        );
        assert_eq!(
            tight.decide(&held(0), Stamp(0), at(10_001)),
            Decision::FetchOrServe,
            "no stale before the ERP was asked"
        );
        let loose = Limits::new(&policy, seconds(1000), seconds(100_000));
        assert_eq!(loose.answer().max_age, policy.max_age);
        assert_eq!(loose.answer().stale_if_error, policy.stale_if_error);
    }
}
