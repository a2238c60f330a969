//! What is counted while the load runs.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::answer::{Figure, Line};
use super::client::Failure;
use crate::domain::Purpose;

/// A line answered later than this is of no use to a page.
pub const IN_TIME: Duration = Duration::from_secs(1);

/// Latencies in microseconds, to three digits.
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        const LONGEST: u64 = 600_000_000;
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order"))
    }
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    /// Microseconds that so many of a thousand were not beyond; 0 when there are none.
    #[allow(clippy::float_arithmetic, reason = "the histogram asks for a share")]
    pub fn at_permille(&self, permille: u32) -> u64 {
        self.0.value_at_quantile(f64::from(permille) / f64::from(1_000))
    }

    pub fn most(&self) -> u64 {
        self.0.max()
    }
}

/// How often each of a few words came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(String, u64)>);

impl Counts {
    /// The word is `first`, and `second` behind a space if there is one; it is put together only at first sight.
    pub fn add(&mut self, first: &str, second: &str) {
        let is = |word: &str| match word.strip_prefix(first) {
            Some("") => second.is_empty(),
            Some(rest) => rest.strip_prefix(' ').is_some_and(|rest| !second.is_empty() && rest == second),
            None => false,
        };
        match self.0.iter_mut().find(|(word, _)| is(word)) {
            Some((_, count)) => *count += 1,
            None => self.0.push((format!("{first} {second}").trim_end().to_owned(), 1)),
        }
    }

    /// The most frequent first.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(word, count)| (word.as_str(), *count)).collect();
        all.sort_by(|one, two| two.1.cmp(&one.1).then(one.0.cmp(two.0)));
        all
    }

    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

/// Where the figures of one kind came from.
#[derive(Default)]
pub struct Figures {
    pub sources: Counts,
    pub stale: u64,
}

impl Figures {
    fn add(&mut self, figure: Figure<'_>) {
        self.sources.add(figure.source, "");
        self.stale += u64::from(figure.stale);
    }
}

/// The pages of one purpose.
#[derive(Default)]
pub struct OfPurpose {
    pub pages: u64,
    pub lines: u64,
    pub lines_in_time: u64,
    pub latencies: Latencies,
}

#[derive(Default)]
pub struct Tally {
    pub purposes: [OfPurpose; Purpose::ALL.len()],
    /// Of pages that were answered, and of those given up on: they took at least as long.
    pub latencies: Latencies,
    /// How late pages left: what of a latency is the client's own fault.
    pub lateness: Latencies,
    pub pages_sent: u64,
    pub pages_answered: u64,
    pub bytes: u64,
    pub failures: Counts,
    /// Of answered pages.
    pub statuses: Counts,
    pub lines_answered: u64,
    pub lines_in_time: u64,
    pub prices: Figures,
    pub stock: Figures,
}

impl Tally {
    pub fn sent(&mut self, purpose: Purpose, lines: usize, late: Duration) {
        self.pages_sent += 1;
        self.lateness.record(late);
        let own = &mut self.purposes[purpose as usize];
        own.pages += 1;
        own.lines += lines as u64;
    }

    /// An answer came, so long after it was due.
    pub fn answered(&mut self, purpose: Purpose, latency: Duration, bytes: usize) {
        self.pages_answered += 1;
        self.bytes += bytes as u64;
        self.latencies.record(latency);
        self.purposes[purpose as usize].latencies.record(latency);
    }

    pub fn failed(&mut self, purpose: Purpose, latency: Duration, failure: &Failure) {
        self.failures.add(&failure.to_string(), "");
        if *failure == Failure::NoAnswer {
            self.latencies.record(latency);
            self.purposes[purpose as usize].latencies.record(latency);
        }
    }

    /// One line of an answer that came so long after it was due.
    pub fn line(&mut self, purpose: Purpose, latency: Duration, line: Line<'_>) {
        self.statuses.add(line.status, line.reason);
        // The ERP's "no" is an answer. That it could not be asked is none, nor that the question was wrong.
        if matches!(line.status, "OK" | "ON_REQUEST" | "UNKNOWN_SKU" | "NOT_FOR_SALE") {
            let in_time = u64::from(latency <= IN_TIME);
            self.lines_answered += 1;
            self.lines_in_time += in_time;
            self.purposes[purpose as usize].lines_in_time += in_time;
        }
        if let Some(price) = line.price {
            self.prices.add(price);
        }
        match line.stock {
            Some(stock) => self.stock.add(stock),
            None if line.stock_status.is_empty() => {}
            None => self.stock.sources.add(line.stock_status, ""),
        }
    }

    pub fn pages_failed(&self) -> u64 {
        self.failures.total()
    }

    pub fn lines_asked(&self) -> u64 {
        self.purposes.iter().map(|own| own.lines).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: &'static str, reason: &'static str) -> Line<'static> {
        Line { status, reason, price: None, stock: None, stock_status: "" }
    }

    #[test]
    fn an_answer_counts_if_it_says_something_and_comes_within_a_second() {
        let mut tally = Tally::default();
        tally.sent(Purpose::List, 6, Duration::ZERO);
        for status in ["OK", "ON_REQUEST", "UNKNOWN_SKU", "NOT_FOR_SALE", "UNAVAILABLE", "INVALID"] {
            tally.line(Purpose::List, Duration::from_secs(1), line(status, ""));
        }
        tally.line(Purpose::Cart, Duration::from_micros(1_000_001), line("OK", ""));
        assert_eq!((tally.lines_answered, tally.lines_in_time, tally.lines_asked()), (5, 4, 6));
        assert_eq!(tally.purposes[Purpose::List as usize].lines_in_time, 4);
        assert_eq!(tally.purposes[Purpose::Cart as usize].lines_in_time, 0);
    }

    #[test]
    fn words_are_counted_with_their_reasons() {
        let mut counts = Counts::default();
        for (status, reason) in [
            ("OK", ""),
            ("UNAVAILABLE", "pending"),
            ("UNAVAILABLE", ""),
            ("OK", ""),
            ("UNAVAILABLE", "pend"),
            ("OKAY", ""),
        ] {
            counts.add(status, reason);
        }
        let expected =
            [("OK", 2), ("OKAY", 1), ("UNAVAILABLE", 1), ("UNAVAILABLE pend", 1), ("UNAVAILABLE pending", 1)];
        assert_eq!((counts.sorted(), counts.total()), (expected.to_vec(), 6));
    }

    #[test]
    fn figures_are_counted_by_source_and_stock_without_one_by_its_status() {
        let mut tally = Tally::default();
        let price = Some(Figure { source: "MEMORY", stale: true });
        tally.line(Purpose::List, Duration::ZERO, Line { price, stock_status: "UNTRACKED", ..line("OK", "") });
        let stock = Some(Figure { source: "ERP", stale: false });
        tally.line(Purpose::List, Duration::ZERO, Line { stock, stock_status: "OK", ..line("OK", "") });
        assert_eq!((tally.prices.sources.sorted(), tally.prices.stale), (vec![("MEMORY", 1)], 1));
        assert_eq!((tally.stock.sources.sorted(), tally.stock.stale), (vec![("ERP", 1), ("UNTRACKED", 1)], 0));
    }

    #[test]
    fn who_was_given_up_on_took_at_least_as_long_and_who_was_refused_is_no_latency() {
        let mut tally = Tally::default();
        tally.answered(Purpose::List, Duration::from_millis(10), 5_000);
        tally.failed(Purpose::List, Duration::from_secs(4), &Failure::NoAnswer);
        tally.failed(Purpose::List, Duration::ZERO, &Failure::Refused("HTTP 503 over_limit".into()));
        assert_eq!((tally.latencies.0.len(), tally.pages_failed()), (2, 2));
        assert!(tally.latencies.most().abs_diff(4_000_000) < 4_000);
        assert!(tally.latencies.at_permille(500).abs_diff(10_000) < 10);
    }
}
