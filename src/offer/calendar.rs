//! Days as the ERP counts them.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// The ERP's time zone (IANA), so that days begin where its clock says, summer time included.
#[derive(Clone, Debug)]
pub struct Calendar(pub TimeZone);

impl Calendar {
    pub fn day(&self, at: Timestamp) -> Date {
        at.to_jiff().to_zoned(self.0.clone()).date()
    }

    /// The first instant that is no longer `day`.
    pub fn end_of(&self, day: Date) -> Option<Timestamp> {
        let next = day.tomorrow().ok()?.to_zoned(self.0.clone()).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_the_erps_midnight() {
        let paris = Calendar(TimeZone::get("Europe/Paris").unwrap());
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(paris.day(at("2026-11-22T22:59:59Z")), day("2026-11-22"));
        assert_eq!(paris.day(at("2026-11-22T23:00:00Z")), day("2026-11-23"));
        assert_eq!(paris.end_of(day("2026-11-22")), Some(at("2026-11-22T23:00:00Z")));
        // The day summer time begins has 23 hours, the day it ends 25.
        assert_eq!(paris.end_of(day("2026-03-28")), Some(at("2026-03-28T23:00:00Z")));
        assert_eq!(paris.end_of(day("2026-03-29")), Some(at("2026-03-29T22:00:00Z")));
        assert_eq!(paris.end_of(day("2026-10-25")), Some(at("2026-10-25T23:00:00Z")));
    }

    #[test]
    fn where_clocks_change_at_midnight_a_day_begins_with_its_first_instant() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let day = |text: &str| text.parse::<Date>().unwrap();
        // In Cairo the clock jumps from 23:59:59 to 01:00: that Friday has no midnight.
        let cairo = Calendar(TimeZone::get("Africa/Cairo").unwrap());
        assert_eq!(cairo.end_of(day("2024-04-25")), Some(at("2024-04-25T22:00:00Z")));
        assert_eq!(cairo.day(at("2024-04-25T21:59:59Z")), day("2024-04-25"));
        assert_eq!(cairo.day(at("2024-04-25T22:00:00Z")), day("2024-04-26"));
        // In Havana the hour after midnight comes twice: the day begins with the first.
        let havana = Calendar(TimeZone::get("America/Havana").unwrap());
        assert_eq!(havana.end_of(day("2024-11-02")), Some(at("2024-11-03T04:00:00Z")));
        for zone in ["Europe/Paris", "Africa/Cairo", "America/Havana", "Asia/Beirut"] {
            let calendar = Calendar(TimeZone::get(zone).unwrap());
            // Days have no gaps and do not overlap, every day of three years.
            let mut date = day("2023-01-01");
            while date < day("2026-01-01") {
                let end = calendar.end_of(date).unwrap();
                assert_eq!(calendar.day(Timestamp(end.0 - 1)), date, "{zone}");
                date = date.tomorrow().unwrap();
                assert_eq!(calendar.day(end), date, "{zone}");
            }
        }
    }
}
