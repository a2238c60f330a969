//! When the ERP is not to be asked: weekly windows in its own time zone. Pure.
//!
//! A window is written as people say it, `"Sat 22:00-Sun 04:00"`, and means wall-clock times there, whatever summer time does
//! to the hours between. [`Maintenance::paused_between`] says how much of a span lay in windows, for clocks that stop
//! meanwhile.

use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// Weekly windows, in one time zone. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Absent: there are no windows.
    zone: Option<TimeZone>,
    windows: Vec<Window>,
}

/// From a time on one day of the week to a time on the same or another. Shorter than a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: (Weekday, Time),
    to: (Weekday, Time),
}

/// The text is not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a maintenance window: write \"Sat 22:00-Sun 04:00\" or \"Tue 02:00-03:30\"")]
pub struct MalformedWindow(String);

/// The most windows one ERP may have.
pub const WINDOWS_MAX: usize = 50;

const WEEK_DAYS: i32 = 7;

impl Maintenance {
    /// Windows as written, in the ERP's time zone.
    pub fn new(windows: &[impl AsRef<str>], zone: TimeZone) -> Result<Self, MalformedWindow> {
        if windows.len() > WINDOWS_MAX {
            return Err(MalformedWindow(format!("{} windows", windows.len())));
        }
        let windows = windows
            .iter()
            .map(|text| Window::parse(text.as_ref()).ok_or_else(|| MalformedWindow(text.as_ref().to_owned())))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { zone: (!windows.is_empty()).then_some(zone), windows })
    }

    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Whether the ERP is in a window. Its first instant belongs to it, its last does not.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.end_after(at).is_some()
    }

    /// When the window that is open at `at` ends, with those that follow without a gap.
    pub fn end_after(&self, at: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        // Windows may overlap or touch; each round swallows at least one, and a week full of them has no end worth naming.
        for _ in 0..=WINDOWS_MAX {
            let reached = end.unwrap_or(at);
            let further = self.around(reached).filter(|&(from, to)| from <= reached && reached < to);
            match further.map(|(_, to)| to).max() {
                Some(to) => end = Some(to),
                None => break,
            }
        }
        end
    }

    /// When the next window begins, if none is open at `at`.
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return None;
        }
        self.around(at).map(|(from, _)| from).filter(|&from| from > at).min()
    }

    /// When it changes next: the end of the open window, or the start of the next.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.end_after(at).or_else(|| self.next_start(at))
    }

    /// How much of the span from `from` to `to` lay in windows.
    pub fn paused_between(&self, from: Timestamp, to: Timestamp) -> Duration {
        let mut paused = 0;
        let mut at = from;
        while at < to {
            let next = match self.end_after(at) {
                Some(end) => {
                    paused += end.min(to).0 - at.0;
                    end
                }
                None => match self.next_start(at) {
                    Some(start) => start,
                    None => break,
                },
            };
            debug_assert!(next > at);
            at = next;
        }
        Duration::from_millis(u64::try_from(paused).unwrap_or(0))
    }

    /// The occurrences that may hold `at` or follow it next: those that begin from a week before to a week after.
    fn around(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let today = self.zone.as_ref().map(|zone| at.to_jiff().to_zoned(zone.clone()).date());
        today.into_iter().flat_map(move |today| {
            // A day more on each side: a window's first day may be yesterday's where the zone jumps over midnight.
            (-WEEK_DAYS - 1..=WEEK_DAYS + 1).flat_map(move |days| {
                let day = today.checked_add(jiff::Span::new().days(days)).unwrap_or(today);
                self.windows.iter().filter_map(move |window| self.on(window, day))
            })
        })
    }

    /// The occurrence that begins on this day, if it is the window's day.
    fn on(&self, window: &Window, day: Date) -> Option<(Timestamp, Timestamp)> {
        if day.weekday() != window.from.0 {
            return None;
        }
        let days = window.from.0.until(window.to.0);
        let wraps = days == 0 && window.to.1 <= window.from.1;
        let days = i32::from(days) + if wraps { WEEK_DAYS } else { 0 };
        let last_day = day.checked_add(jiff::Span::new().days(days)).ok()?;
        let instant = |day: Date, time: Time| {
            // A time that summer time skips is read as the instant an hour later, one that happens twice as the first.
            let zoned = day.to_datetime(time).to_zoned(self.zone.clone()?).ok()?;
            Some(Timestamp(zoned.timestamp().as_millisecond()))
        };
        Some((instant(day, window.from.1)?, instant(last_day, window.to.1)?))
    }
}

impl Window {
    /// `"Sat 22:00-Sun 04:00"`; the second day may be left out where it is the first.
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let from = moment(from.trim(), None)?;
        let to = moment(to.trim(), Some(from.0))?;
        (from != to).then_some(Self { from, to })
    }
}

fn moment(text: &str, default_day: Option<Weekday>) -> Option<(Weekday, Time)> {
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (weekday(day)?, time.trim()),
        None => (default_day?, text),
    };
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str| if text.len() == 2 { text.parse::<i8>().ok() } else { None };
    Some((day, Time::new(number(hours)?, number(minutes)?, 0, 0).ok()?))
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let name = text.to_ascii_lowercase();
    NAMES.into_iter().find(|(short, _)| *short == name).map(|(_, day)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn paris(windows: &[&str]) -> Maintenance {
        Maintenance::new(windows, TimeZone::get("Europe/Paris").unwrap()).unwrap()
    }

    #[test]
    fn a_window_is_open_from_its_first_instant_to_before_its_last() {
        let maintenance = paris(&["Sat 22:00-Sun 04:00"]);
        // Paris is an hour ahead in winter; 2026-11-21 is a Saturday.
        for (instant, open) in [
            ("2026-11-21T20:59:59.999Z", false),
            ("2026-11-21T21:00:00Z", true),
            ("2026-11-22T02:59:59.999Z", true),
            ("2026-11-22T03:00:00Z", false),
            ("2026-11-25T12:00:00Z", false),
        ] {
            assert_eq!(maintenance.is_open(at(instant)), open, "{instant}");
        }
        assert_eq!(maintenance.next_change(at("2026-11-20T00:00:00Z")), Some(at("2026-11-21T21:00:00Z")));
        assert_eq!(maintenance.next_change(at("2026-11-21T21:00:00Z")), Some(at("2026-11-22T03:00:00Z")));
        assert_eq!(maintenance.next_start(at("2026-11-22T03:00:00Z")), Some(at("2026-11-28T21:00:00Z")));
    }

    #[test]
    fn summer_time_moves_windows_with_the_wall_clock() {
        // On 2026-03-29 the clock in Paris jumps from 02:00 to 03:00, on 2026-10-25 back from 03:00 to 02:00.
        let maintenance = paris(&["Sat 22:00-Sun 04:00"]);
        let hours = |from: &str, to: &str| maintenance.paused_between(at(from), at(to)).as_secs() / 3600;
        assert_eq!(hours("2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z"), 5);
        assert_eq!(hours("2026-10-23T00:00:00Z", "2026-10-27T00:00:00Z"), 7);
        assert_eq!(hours("2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z"), 6);
        // A time that does not exist that day: the window begins when the clock has passed it.
        let skipped = paris(&["Sun 02:30-Sun 05:00"]);
        assert_eq!(skipped.next_start(at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn a_span_counts_only_what_lay_in_windows() {
        let maintenance = paris(&["Sat 22:00-Sun 04:00", "Tue 02:00-03:30"]);
        let minutes = |from: &str, to: &str| maintenance.paused_between(at(from), at(to)).as_secs() / 60;
        assert_eq!(minutes("2026-11-21T22:00:00Z", "2026-11-21T23:00:00Z"), 60, "all of it inside");
        assert_eq!(minutes("2026-11-21T20:00:00Z", "2026-11-21T22:00:00Z"), 60, "half of it");
        assert_eq!(minutes("2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"), 90 + 360, "a week");
        assert_eq!(minutes("2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z"), 0);
        assert_eq!(minutes("2026-11-26T00:00:00Z", "2026-11-25T00:00:00Z"), 0, "backwards");
        assert_eq!(paris(&[]).paused_between(at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), Duration::ZERO);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let maintenance = paris(&["Sat 22:00-Sun 01:00", "Sun 01:00-02:00", "Sun 00:30-01:30"]);
        assert_eq!(maintenance.end_after(at("2026-11-21T22:00:00Z")), Some(at("2026-11-22T01:00:00Z")));
        assert_eq!(maintenance.next_start(at("2026-11-21T22:00:00Z")), None, "it is open");
    }

    #[test]
    fn a_window_may_last_nearly_a_week() {
        let maintenance = paris(&["Mon 12:00-Mon 11:00"]);
        assert!(maintenance.is_open(at("2026-11-29T23:00:00Z")));
        assert!(!maintenance.is_open(at("2026-11-23T10:30:00Z")));
        assert_eq!(maintenance.end_after(at("2026-11-23T11:00:00Z")), Some(at("2026-11-30T10:00:00Z")));
    }

    #[test]
    fn what_is_not_a_window_is_refused() {
        let zone = TimeZone::UTC;
        for text in ["", "Sat", "Sat 22:00", "Sat 22:00-", "Sam 22:00-Sun 04:00", "Sat 25:00-Sun 04:00", "22:00-23:00"]
        {
            assert_eq!(Maintenance::new(&[text], zone.clone()), Err(MalformedWindow(text.into())), "{text:?}");
        }
        assert!(Maintenance::new(&["Sat 22:00-Sat 22:00"], zone.clone()).is_err(), "empty");
        assert!(Maintenance::new(&["sat 22:00 - sun 04:00"], zone).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn spans_add_up(start in 1_750_000_000_000i64..1_800_000_000_000, first in 0i64..2_000_000_000, second in 0i64..2_000_000_000) {
            let maintenance = paris(&["Sat 22:00-Sun 04:00", "Wed 23:30-Thu 00:30"]);
            let (from, middle, to) = (Timestamp(start), Timestamp(start + first), Timestamp(start + first + second));
            let paused = |from, to| maintenance.paused_between(from, to);
            proptest::prop_assert_eq!(paused(from, middle) + paused(middle, to), paused(from, to));
            proptest::prop_assert_eq!(
                maintenance.is_open(from),
                paused(from, Timestamp(start + 1)) == Duration::from_millis(1)
            );
        }
    }
}
