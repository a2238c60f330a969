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
}
