//! What a load shows at its end, for people and for scripts.

#![allow(clippy::float_arithmetic, reason = "rates and shares of what was counted; no money comes here")]

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::erp::Counters;
use super::runner::Outcome;
use super::tally::{Counts, Figures, Latencies};
use crate::domain::Purpose;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was asked for.
    rate: f64,
    seed: u64,
    /// Until the last answer.
    seconds: f64,
    pages: Pages,
    lines: Lines,
    latency: Milliseconds,
    purposes: Vec<OfPurpose>,
    /// Lines by status and reason, the most first.
    statuses: Vec<Share>,
    prices: Sources,
    stock: Sources,
    failures: Vec<Share>,
    /// How late pages left; what of the latencies is the client's own.
    lateness: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    erp: Option<ErpUse>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pages {
    sent: u64,
    answered: u64,
    failed: u64,
    sent_per_second: f64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lines {
    asked: u64,
    answered: u64,
    within_a_second: u64,
    answered_per_second: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfPurpose {
    purpose: &'static str,
    pages: u64,
    lines: u64,
    lines_within_a_second: u64,
    latency: Milliseconds,
}

#[derive(Debug, Serialize)]
struct Share {
    what: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Sources {
    sources: Vec<Share>,
    stale: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Milliseconds {
    p50: f64,
    p99: f64,
    p999: f64,
    most: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErpUse {
    #[serde(flatten)]
    counters: Counters,
    /// Absent where no line was.
    calls_per_thousand_lines_within_a_second: Option<f64>,
}

impl Report {
    pub fn new(outcome: &Outcome, rate: f64, seed: u64, planned: Duration) -> Self {
        let tally = &outcome.tally;
        let seconds = outcome.took.as_secs_f64();
        let per_second = |count: u64, seconds: f64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let purposes = Purpose::ALL.iter().zip(&tally.purposes).filter(|(_, own)| own.pages > 0);
        Self {
            rate,
            seed,
            seconds,
            pages: Pages {
                sent: tally.pages_sent,
                answered: tally.pages_answered,
                failed: tally.pages_failed(),
                // Sending ends with the plan, or earlier if it was stopped; what follows is waiting.
                sent_per_second: per_second(tally.pages_sent, seconds.min(planned.as_secs_f64())),
                bytes: tally.bytes,
            },
            lines: Lines {
                asked: tally.lines_asked(),
                answered: tally.lines_answered,
                within_a_second: tally.lines_in_time,
                answered_per_second: per_second(tally.lines_answered, seconds),
            },
            latency: (&tally.latencies).into(),
            purposes: purposes
                .map(|(purpose, own)| OfPurpose {
                    purpose: purpose.as_str(),
                    pages: own.pages,
                    lines: own.lines,
                    lines_within_a_second: own.lines_in_time,
                    latency: (&own.latencies).into(),
                })
                .collect(),
            statuses: shares(&tally.statuses),
            prices: (&tally.prices).into(),
            stock: (&tally.stock).into(),
            failures: shares(&tally.failures),
            lateness: (&tally.lateness).into(),
            erp: outcome.erp.map(|counters| ErpUse {
                calls_per_thousand_lines_within_a_second: (tally.lines_in_time > 0)
                    .then(|| counters.calls as f64 * 1000.0 / tally.lines_in_time as f64),
                counters,
            }),
        }
    }
}

fn shares(counts: &Counts) -> Vec<Share> {
    counts.sorted().into_iter().map(|(what, count)| Share { what: what.to_owned(), count }).collect()
}

impl From<&Figures> for Sources {
    fn from(figures: &Figures) -> Self {
        Self { sources: shares(&figures.sources), stale: figures.stale }
    }
}

impl From<&Latencies> for Milliseconds {
    fn from(latencies: &Latencies) -> Self {
        let at = |permille| latencies.at_permille(permille) as f64 / 1000.0;
        Self { p50: at(500), p99: at(990), p999: at(999), most: latencies.most() as f64 / 1000.0 }
    }
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds, with as many digits as mean something.
pub fn millis(micros: u64) -> String {
    shown(micros as f64 / 1000.0)
}

fn shown(milliseconds: f64) -> String {
    let digits = if milliseconds < 10.0 { 2 } else { usize::from(milliseconds < 100.0) };
    format!("{milliseconds:.digits$}")
}

pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}

fn listed(shares: &[Share]) -> String {
    let whole = shares.iter().map(|share| share.count).sum();
    let each = shares.iter().map(|share| format!("{} {}", share.what, percent(share.count, whole)));
    if shares.is_empty() { "none".into() } else { each.collect::<Vec<_>>().join(", ") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, lines, .. } = self;
        writeln!(
            f,
            "pages     {} sent ({:.1}/s of {}/s), {} answered, {} failed; {:.1} s, seed {}",
            grouped(pages.sent),
            pages.sent_per_second,
            self.rate,
            grouped(pages.answered),
            grouped(pages.failed),
            self.seconds,
            self.seed,
        )?;
        if !self.failures.is_empty() {
            let each = self.failures.iter().map(|share| format!("{} {}", grouped(share.count), share.what));
            writeln!(f, "failed    {}", each.collect::<Vec<_>>().join(", "))?;
        }
        writeln!(
            f,
            "lines     {} asked, {} answered ({:.0}/s), {} within 1 s",
            grouped(lines.asked),
            percent(lines.answered, lines.asked),
            lines.answered_per_second,
            percent(lines.within_a_second, lines.asked),
        )?;
        writeln!(f, "          {}", listed(&self.statuses))?;
        for (what, figures) in [("prices", &self.prices), ("stock", &self.stock)] {
            let whole = figures.sources.iter().map(|share| share.count).sum();
            writeln!(f, "{what:<9} {}; stale {}", listed(&figures.sources), percent(figures.stale, whole))?;
        }
        writeln!(f)?;
        writeln!(f, "ms from when due      pages       p50       p99     p99.9      most   lines within 1 s")?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, pages: u64, ms: &Milliseconds, share: String| {
            let [p50, p99, p999, most] = [ms.p50, ms.p99, ms.p999, ms.most].map(shown);
            writeln!(f, "{name:<16} {:>10} {p50:>9} {p99:>9} {p999:>9} {most:>9}{share}", grouped(pages))
        };
        let within = |part, whole| format!("   {}", percent(part, whole));
        for own in &self.purposes {
            row(f, own.purpose, own.pages, &own.latency, within(own.lines_within_a_second, own.lines))?;
        }
        row(f, "all", pages.sent, &self.latency, within(lines.within_a_second, lines.asked))?;
        row(f, "of it sent late", pages.sent, &self.lateness, String::new())?;
        if let Some(erp) = &self.erp {
            let Counters { calls, refused, lines, in_flight_peak, calls_per_minute_peak } = erp.counters;
            let per_thousand = erp.calls_per_thousand_lines_within_a_second;
            let per_thousand = per_thousand.map_or("-".into(), |calls| format!("{calls:.2}"));
            writeln!(f)?;
            writeln!(
                f,
                "ERP       {} calls ({} refused) for {} lines: {per_thousand} per 1,000 lines answered within 1 s",
                grouped(calls),
                grouped(refused),
                grouped(lines),
            )?;
            writeln!(
                f,
                "          at most {in_flight_peak} in flight, at most {} in any 60 s",
                grouped(calls_per_minute_peak)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::Tally;
    use super::*;

    fn outcome() -> Outcome {
        let mut tally = Tally::default();
        for _ in 0..20 {
            tally.sent(Purpose::List, 50, Duration::from_micros(60));
        }
        for _ in 0..19 {
            tally.answered(Purpose::List, Duration::from_millis(2), 1_000);
        }
        tally.failed(Purpose::List, Duration::ZERO, &super::super::client::Failure::Broken);
        tally.lines_answered = 900;
        tally.lines_in_time = 800;
        tally.statuses.add("OK", "");
        let erp = Counters { calls: 12, refused: 1, lines: 480, in_flight_peak: 4, calls_per_minute_peak: 12 };
        Outcome { tally, took: Duration::from_secs(5), erp: Some(erp) }
    }

    #[test]
    fn rates_and_ratios_are_what_they_are_called() {
        let report = Report::new(&outcome(), 5.0, 1, Duration::from_secs(4));
        let json = serde_json::to_value(&report).unwrap();
        // Sent over the plan's four seconds, answered over all five.
        assert_eq!(json["pages"]["sentPerSecond"], 5.0);
        assert_eq!(json["lines"]["answeredPerSecond"], 180.0);
        assert_eq!((json["lines"]["asked"].as_u64(), json["pages"]["failed"].as_u64()), (Some(1_000), Some(1)));
        assert_eq!(json["erp"]["callsPerThousandLinesWithinASecond"], 15.0);
        assert_eq!(json["erp"]["inFlightPeak"], 4);
        assert_eq!(json["purposes"].as_array().unwrap().len(), 1);
        assert_eq!(json["latency"]["p999"], 2.0);
    }

    #[test]
    fn nothing_answered_is_no_ratio() {
        let none = Outcome { tally: Tally::default(), took: Duration::ZERO, erp: Some(Counters::default()) };
        let json = serde_json::to_value(Report::new(&none, 5.0, 1, Duration::ZERO)).unwrap();
        assert_eq!(json["erp"]["callsPerThousandLinesWithinASecond"], serde_json::Value::Null);
        assert_eq!(json["pages"]["sentPerSecond"], 0.0);
    }

    #[test]
    fn people_read_it_on_one_screen() {
        let text = Report::new(&outcome(), 5.0, 1, Duration::from_secs(4)).to_string();
        for part in [
            "20 sent (5.0/s of 5/s), 19 answered, 1 failed",
            "failed    1 connection broken",
            "1,000 asked, 90.0 % answered (180/s), 80.0 % within 1 s",
            "ERP       12 calls (1 refused) for 480 lines: 15.00 per 1,000 lines answered within 1 s",
            "at most 4 in flight, at most 12 in any 60 s",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(text.lines().count() < 25 && text.lines().all(|line| line.len() <= 100), "{text}");
    }

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([40, 9_990, 10_000, 123_456].map(millis), ["0.04", "9.99", "10.0", "123"]);
        assert_eq!((percent(1, 3), percent(0, 0)), ("33.3 %".into(), "-".into()));
    }
}
