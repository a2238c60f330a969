//! May this be served? Pure: a figure's age and stamp, the reader's patience, one instant.
//!
//! A figure's life: for nine tenths of its max age nothing happens. Then it may ride in a call that leaves anyway, and from
//! its soft time on, which differs from key to key, it is asked again while it is still fresh; so figures that were asked
//! together are not all missing together. Past its max age it is stale: served marked while it is asked again, then only if
//! it cannot be asked. What was told to end is gone at its end, and what was invalidated is gone at once.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use super::answer::{Freshness, PolicyAnswer, Source};
use super::config::{Ages, Patience};
use super::query::OfferQuery;
use crate::cache::epochs::Needed;
use crate::clock::{Mono, Reading, Stamp, Timestamp};
use crate::erp::dispatch::{Demand, Maintenance};
use crate::mutants::mutant;

/// What one reader accepts of one fact, after the caller's wishes were clamped to the purpose's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_age: Duration,
    /// Up to this age nothing happens but a hit.
    calm: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
}

/// What is known of a figure, whatever it is a figure of.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub observed: Reading,
    pub stamp: Stamp,
    /// The told end of its validity: it is served until this instant and never after.
    pub ends: Option<Timestamp>,
}

/// When a request is decided, and when the ERP may not be asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub arrival: Reading,
    pub maintenance: &'a Maintenance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Fresh,
    /// Fresh; it may ride in a call that leaves anyway.
    FreshRide,
    /// Fresh; have it asked again.
    FreshRefresh,
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
    /// the ERP can be asked, and is not the one for whom it is asked ahead of that.
    pub fn new(ages: &Ages, max_age: Option<Duration>, stale_if_error: Option<Duration>) -> Self {
        let effective = max_age.map_or(ages.max_age, |wish| wish.min(ages.max_age));
        Self {
            max_age: effective,
            calm: if max_age.is_some() || mutant!(NoSoftTime) { effective } else { share(effective, SOFT_FROM) },
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
    pub fn demand(&self, arrival: Mono, needed: Needed) -> Demand {
        Demand { not_before: arrival.minus(self.max_age), min_stamp: needed.fresh() }
    }

    /// Whether what was observed then is within the max age.
    pub fn is_young(&self, observed: Reading, arrival: Reading) -> bool {
        observed.mono >= arrival.mono.minus(self.max_age)
    }

    /// The age from which a figure of this key is asked again although it is fresh. `None`: no sooner than it expires.
    pub fn soft_time(&self, key: u64) -> Option<Duration> {
        (self.calm < self.max_age).then(|| soft_time(self.max_age, key))
    }

    /// How long past a figure's expiry anything of it may be served.
    pub fn longest_stale(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error)
    }

    /// `needed` is what the newest invalidation and expiry ask for that concern the reader's request; `key` a number of the
    /// figure's own, always the same ([`spread`]), worked out only near its expiry.
    #[inline]
    pub fn decide(&self, held: &Held, needed: Needed, moment: &Moment<'_>, key: impl FnOnce() -> u64) -> Decision {
        if let Some(why) = gone(held, needed, moment.arrival) {
            return Decision::Fetch(why);
        }
        if was_expired(held, needed) {
            return self
                .decide_unaskable(moment.arrival.mono.since(held.observed.mono).saturating_sub(self.max_age), moment);
        }
        if held.observed.mono >= moment.arrival.mono.minus(self.calm) {
            return Decision::Fresh;
        }
        // At least zero here: what was read after the arrival is fresh.
        let age = moment.arrival.mono.since(held.observed.mono);
        if age > self.max_age {
            return self.decide_expired(age.saturating_sub(self.max_age), moment);
        }
        if age < soft_time(self.max_age, key()) { Decision::FreshRide } else { Decision::FreshRefresh }
    }

    /// The same for a figure that was asked for a day that is over: at its end it expired, if it had not before.
    pub fn decide_day_over(&self, held: &Held, day_end: Timestamp, needed: Needed, moment: &Moment<'_>) -> Decision {
        if let Some(why) = gone(held, needed, moment.arrival) {
            return Decision::Fetch(why);
        }
        let age = moment.arrival.mono.since(held.observed.mono);
        let excess = age.saturating_sub(self.max_age).max(day_end.until(moment.arrival.wall));
        if was_expired(held, needed) {
            return self.decide_unaskable(excess, moment);
        }
        self.decide_expired(excess, moment)
    }

    /// `excess`: how long ago it expired.
    fn decide_expired(&self, excess: Duration, moment: &Moment<'_>) -> Decision {
        if excess <= self.stale_while_revalidate && !self.stale_while_revalidate.is_zero() {
            return Decision::ServeAndRefresh;
        }
        self.decide_unaskable(excess, moment)
    }

    /// Whether it is served should the ERP not answer.
    fn decide_unaskable(&self, excess: Duration, moment: &Moment<'_>) -> Decision {
        if self.stale_if_error.is_zero() {
            return Decision::Fetch(WhyGone::TooOld);
        }
        if excess <= self.stale_if_error {
            return Decision::FetchOrServe;
        }
        // While the ERP is in maintenance nothing can be asked, so that time does not count.
        let now = moment.arrival.wall;
        if mutant!(MaintenanceCounts) {
            return Decision::Fetch(WhyGone::TooOld);
        }
        let counted = excess.saturating_sub(moment.maintenance.paused_between(now.minus(excess), now));
        if counted <= self.stale_if_error { Decision::FetchOrServe } else { Decision::Fetch(WhyGone::TooOld) }
    }

    /// What the answer says about a figure that is served.
    pub fn describe(&self, held: &Held, source: Source, stale: Option<&'static str>) -> Freshness {
        let expires_at = held.observed.wall.plus(self.max_age);
        Freshness {
            source,
            observed_at: held.observed.wall,
            expires_at: held.ends.map_or(expires_at, |end| end.min(expires_at)),
            stale,
            changed_at: None,
        }
    }
}

#[inline]
fn gone(held: &Held, needed: Needed, arrival: Reading) -> Option<WhyGone> {
    if held.stamp < needed.gone_below && !mutant!(ServeInvalidated) {
        return Some(WhyGone::Invalidated);
    }
    let ended = held.ends.is_some_and(|end| arrival.wall >= end) && !mutant!(CrossToldEnd);
    ended.then_some(WhyGone::ValidityEnded)
}

/// What expired by word of the ERP may well be wrong: whoever can wait for better does, however young it is.
#[inline]
fn was_expired(held: &Held, needed: Needed) -> bool {
    held.stamp < needed.expired_below && !mutant!(SettleNeverExpires)
}

/// Soft times lie between these shares of the max age, in thousandths.
const SOFT_FROM: u64 = 900;
const SOFT_TO: u64 = 1000;

fn share(whole: Duration, thousandths: u64) -> Duration {
    let micros = whole.as_micros() * u128::from(thousandths) / 1000;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// The age from which a figure is asked again although it is fresh.
pub fn soft_time(max_age: Duration, key: u64) -> Duration {
    let late = if mutant!(SoftTimePastMaxAge) { SOFT_TO - SOFT_FROM + 1 } else { 0 };
    share(max_age, SOFT_FROM + key % (SOFT_TO - SOFT_FROM + 1) + late)
}

/// A number for a row of a book, the same in every process.
pub fn spread(book: &[u8], row: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    hasher.write(book);
    hasher.write(row);
    hasher.finish()
}
#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn ages(max_age: u64, revalidate: u64, error: u64) -> Ages {
        Ages {
            max_age: Duration::from_secs(max_age),
            stale_while_revalidate: Duration::from_secs(revalidate),
            stale_if_error: Duration::from_secs(error),
        }
    }

    fn limits(max_age: u64, revalidate: u64, error: u64) -> Limits {
        Limits::new(&ages(max_age, revalidate, error), None, None)
    }

    fn at(milliseconds: u64) -> Reading {
        Reading { mono: Mono(milliseconds * 1000), wall: Timestamp(1_000_000 + milliseconds as i64) }
    }

    fn below(stamp: u64) -> Needed {
        Needed { gone_below: Stamp(stamp), expired_below: Stamp(0) }
    }

    fn held(observed: u64) -> Held {
        Held { observed: at(observed), stamp: Stamp(3), ends: None }
    }

    /// With a key whose soft time is the earliest.
    fn decide(limits: &Limits, held: &Held, needed: u64, arrival: Reading) -> Decision {
        decide_as(limits, held, needed, arrival, 0)
    }

    fn decide_as(limits: &Limits, held: &Held, needed: u64, arrival: Reading, key: u64) -> Decision {
        let maintenance = Maintenance::default();
        limits.decide(held, below(needed), &Moment { arrival, maintenance: &maintenance }, || key)
    }

    #[test]
    fn every_boundary_to_the_millisecond() {
        let limits = limits(60, 30, 3600);
        for (age, decision) in [
            (0, Decision::Fresh),
            (54_000, Decision::Fresh),
            (54_001, Decision::FreshRefresh),
            (60_000, Decision::FreshRefresh),
            (60_001, Decision::ServeAndRefresh),
            (90_000, Decision::ServeAndRefresh),
            (90_001, Decision::FetchOrServe),
            (3_660_000, Decision::FetchOrServe),
            (3_660_001, Decision::Fetch(WhyGone::TooOld)),
        ] {
            assert_eq!(decide(&limits, &held(5000), 3, at(5000 + age)), decision, "{age} ms");
        }
    }

    #[test]
    fn soft_times_differ_from_key_to_key_between_nine_tenths_and_the_whole() {
        let limits = limits(60, 30, 3600);
        for key in 0..1000 {
            let soft = 54_000 + key % 101 * 60;
            let of = |age| decide_as(&limits, &held(5000), 3, at(5000 + age), key);
            assert_eq!(of(54_000), Decision::Fresh, "nothing happens before nine tenths");
            if soft > 54_001 {
                assert_eq!(of(54_001), Decision::FreshRide);
                assert_eq!(of(soft - 1), Decision::FreshRide);
            }
            assert_eq!(of(soft.max(54_001)), Decision::FreshRefresh);
            // Whatever the key, it is asked again before it is stale.
            assert_eq!(of(60_000), Decision::FreshRefresh);
            assert_eq!(of(60_001), Decision::ServeAndRefresh);
        }
        let softs: std::collections::HashSet<u64> =
            (0..1000u32).map(|n| spread(b"book", &n.to_le_bytes()) % 101).collect();
        assert_eq!(softs.len(), 101, "keys are spread over all of them");
    }

    #[test]
    fn a_caller_who_names_a_max_age_is_given_fresh_or_asks() {
        let limits = Limits::new(&ages(60, 30, 3600), Some(Duration::from_secs(10)), None);
        assert_eq!(decide(&limits, &held(0), 0, at(10_000)), Decision::Fresh);
        assert_eq!(decide(&limits, &held(0), 0, at(10_001)), Decision::FetchOrServe);
    }

    #[test]
    fn max_age_zero_serves_only_what_was_read_since_the_caller_asked() {
        let limits = limits(0, 0, 0);
        assert_eq!(decide(&limits, &held(5000), 0, at(5000)), Decision::Fresh);
        assert_eq!(decide(&limits, &held(5000), 0, at(4999)), Decision::Fresh);
        assert_eq!(decide(&limits, &held(5000), 0, at(5001)), Decision::Fetch(WhyGone::TooOld));
    }

    #[test]
    fn invalidated_is_gone_however_young() {
        let limits = limits(60, 60, 3600);
        assert_eq!(decide(&limits, &held(0), 4, at(0)), Decision::Fetch(WhyGone::Invalidated));
    }

    #[test]
    fn expired_by_word_is_asked_again_and_served_only_where_that_fails() {
        let expired = Needed { gone_below: Stamp(3), expired_below: Stamp(4) };
        let maintenance = Maintenance::default();
        let of = |limits: Limits, now| {
            limits.decide(&held(0), expired, &Moment { arrival: at(now), maintenance: &maintenance }, || 0)
        };
        assert_eq!(of(limits(60, 60, 3600), 0), Decision::FetchOrServe, "however young, and not while it is asked");
        assert_eq!(of(limits(60, 60, 3600), 3_660_000), Decision::FetchOrServe);
        assert_eq!(of(limits(60, 60, 3600), 3_660_001), Decision::Fetch(WhyGone::TooOld));
        assert_eq!(of(limits(60, 60, 0), 0), Decision::Fetch(WhyGone::TooOld));
        assert_eq!(limits(60, 60, 3600).demand(at(0).mono, expired).min_stamp, Stamp(4));
    }

    #[test]
    fn nothing_crosses_a_told_end() {
        let limits = limits(60, 60, 3600);
        let ending = Held { ends: Some(at(1000).wall), ..held(0) };
        assert_eq!(decide(&limits, &ending, 0, at(999)), Decision::Fresh);
        assert_eq!(decide(&limits, &ending, 0, at(1000)), Decision::Fetch(WhyGone::ValidityEnded));
        assert_eq!(decide(&limits, &ending, 0, at(100_000)), Decision::Fetch(WhyGone::ValidityEnded), "stale neither");
        assert_eq!(limits.describe(&ending, Source::Memory, None).expires_at, at(1000).wall);
    }

    #[test]
    fn a_day_that_is_over_expired_at_its_end_if_not_before() {
        let limits = limits(60, 30, 3600);
        let maintenance = Maintenance::default();
        let of = |observed: u64, day_end: u64, now: u64, ends: Option<u64>, needed: u64| {
            let held = Held { ends: ends.map(|end| at(end).wall), ..held(observed) };
            let moment = Moment { arrival: at(now), maintenance: &maintenance };
            limits.decide_day_over(&held, at(day_end).wall, below(needed), &moment)
        };
        let day_end = 10_000_000;
        // Read a second before the end of its day: expired at the end, however young.
        assert_eq!(of(day_end - 1000, day_end, day_end, None, 0), Decision::ServeAndRefresh);
        assert_eq!(of(day_end - 1000, day_end, day_end + 30_000, None, 0), Decision::ServeAndRefresh);
        assert_eq!(of(day_end - 1000, day_end, day_end + 30_001, None, 0), Decision::FetchOrServe);
        assert_eq!(of(day_end - 1000, day_end, day_end + 3_600_000, None, 0), Decision::FetchOrServe);
        assert_eq!(of(day_end - 1000, day_end, day_end + 3_600_001, None, 0), Decision::Fetch(WhyGone::TooOld));
        // Expired half an hour before that already.
        let early = day_end - 60_000 - 1_800_000;
        assert_eq!(of(early, day_end, day_end + 1_800_000, None, 0), Decision::FetchOrServe);
        assert_eq!(of(early, day_end, day_end + 1_800_001, None, 0), Decision::Fetch(WhyGone::TooOld));
        // Neither a told end nor an invalidation is crossed.
        assert_eq!(of(day_end - 1000, day_end, day_end, Some(day_end), 0), Decision::Fetch(WhyGone::ValidityEnded));
        assert_eq!(of(day_end - 1000, day_end, day_end, None, 4), Decision::Fetch(WhyGone::Invalidated));
    }

    #[test]
    fn while_the_erp_is_in_maintenance_the_clock_of_stale_if_error_stands() {
        // A Saturday, 21:00 UTC; the window is the three hours from 22:00.
        let saturday = "2026-11-21T21:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let hours =
            |n: u64| Reading { mono: Mono(n * 3_600_000_000), wall: Timestamp(saturday + n as i64 * 3_600_000) };
        let maintenance = Maintenance::new(&["Sat 22:00-Sun 01:00"], TimeZone::UTC).unwrap();
        let limits = Limits::new(&ages(0, 0, 2 * 3600), None, None);
        let held = Held { observed: hours(0), stamp: Stamp(0), ends: None };
        let after = |n: u64, maintenance: &Maintenance| {
            limits.decide(&held, Needed::default(), &Moment { arrival: hours(n), maintenance }, || 0)
        };
        assert_eq!(after(2, &maintenance), Decision::FetchOrServe);
        assert_eq!(after(5, &maintenance), Decision::FetchOrServe, "five hours, three of them in the window");
        assert_eq!(after(6, &maintenance), Decision::Fetch(WhyGone::TooOld));
        assert_eq!(after(3, &Maintenance::default()), Decision::Fetch(WhyGone::TooOld));
    }

    #[test]
    fn tightening_is_honoured_and_loosening_clamped() {
        let policy = ages(60, 60, 600);
        let seconds = |n| Some(Duration::from_secs(n));
        let tight = Limits::new(&policy, seconds(10), seconds(20));
        assert_eq!(
            tight.answer(),
            PolicyAnswer { max_age: Duration::from_secs(10), stale_if_error: Duration::from_secs(20) }
        );
        assert_eq!(
            decide(&tight, &held(0), 3, at(10_001)),
            Decision::FetchOrServe,
            "no stale before the ERP was asked"
        );
        assert_eq!(decide(&tight, &held(0), 3, at(30_001)), Decision::Fetch(WhyGone::TooOld));
        let loose = Limits::new(&policy, seconds(1000), seconds(100_000));
        assert_eq!(loose.answer().max_age, policy.max_age);
        assert_eq!(loose.answer().stale_if_error, policy.stale_if_error);
    }
}
