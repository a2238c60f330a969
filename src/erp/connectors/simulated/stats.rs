//! What was asked of the simulated ERP, counted where the calls arrive.
//!
//! A call is in flight from its arrival until it is answered or ends, waiting for its turn included: what a budget
//! promises is how much reaches the ERP, not how much the ERP gets done.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Mono;
use crate::erp::Operation;

/// How many calls are listed one by one.
pub const RECENT_MAX: usize = 1_000;

const MINUTE: Duration = Duration::from_secs(60);

/// One call. Times since the simulator started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    pub operation: Operation,
    /// Price or stock lines asked; customers are none.
    pub lines: u64,
    pub start: Duration,
    /// Absent while it runs.
    pub end: Option<Duration>,
}

/// The figures since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub calls: u64,
    /// Of them, turned away as busy.
    pub refused: u64,
    pub lines: u64,
    pub in_flight: u64,
    pub in_flight_peak: u64,
    /// The most calls that started within any 60 s.
    pub calls_per_minute_peak: u64,
    /// The last [`RECENT_MAX`], by start.
    pub recent: Vec<CallRecord>,
}

/// Keeps the figures.
#[derive(Default)]
pub struct Ledger {
    started: Mono,
    figures: Stats,
    /// The number of the next call: never reset, so that a late end finds only its own call.
    next_number: u64,
    recent: VecDeque<(u64, CallRecord)>,
    /// Starts within the last minute.
    minute: VecDeque<Mono>,
}

impl Ledger {
    pub fn starting_at(started: Mono) -> Self {
        Self { started, ..Self::default() }
    }

    /// A call arrives; its number.
    pub fn begin(&mut self, now: Mono, operation: Operation, lines: usize) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let lines = lines as u64;
        self.figures.calls += 1;
        self.figures.lines += lines;
        self.figures.in_flight += 1;
        self.figures.in_flight_peak = self.figures.in_flight_peak.max(self.figures.in_flight);
        while self.minute.front().is_some_and(|&at| now.since(at) >= MINUTE) {
            self.minute.pop_front();
        }
        self.minute.push_back(now);
        self.figures.calls_per_minute_peak = self.figures.calls_per_minute_peak.max(self.minute.len() as u64);
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        let record = CallRecord { operation, lines, start: now.since(self.started), end: None };
        self.recent.push_back((number, record));
        number
    }

    /// The call of that number is over.
    pub fn end(&mut self, now: Mono, number: u64) {
        self.figures.in_flight -= 1;
        if let Ok(index) = self.recent.binary_search_by_key(&number, |(number, _)| *number) {
            self.recent[index].1.end = Some(now.since(self.started));
        }
    }

    /// The call of that number was turned away, and is over.
    pub fn refuse(&mut self, now: Mono, number: u64) {
        self.figures.refused += 1;
        self.end(now, number);
    }

    pub fn read(&self) -> Stats {
        Stats { recent: self.recent.iter().map(|(_, record)| record.clone()).collect(), ..self.figures.clone() }
    }

    /// Forgets what was, except the calls still in flight.
    pub fn reset(&mut self) {
        let in_flight = self.figures.in_flight;
        self.figures = Stats { in_flight, in_flight_peak: in_flight, ..Stats::default() };
        self.recent.clear();
        self.minute.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    #[test]
    fn the_worst_minute_is_any_sixty_seconds() {
        let mut ledger = Ledger::starting_at(at(0));
        for seconds in [0, 50, 59, 100, 110, 118, 300] {
            let number = ledger.begin(at(seconds), Operation::Offers, 48);
            ledger.end(at(seconds + 1), number);
        }
        let stats = ledger.read();
        // 59, 100, 110 and 118 lie within one minute; 0 and 60 would not.
        assert_eq!((stats.calls, stats.lines, stats.calls_per_minute_peak, stats.in_flight_peak), (7, 7 * 48, 4, 1));
    }

    #[test]
    fn a_reset_keeps_what_is_in_flight_and_the_list_is_bounded() {
        let mut ledger = Ledger::starting_at(at(0));
        let early = ledger.begin(at(0), Operation::Stock, 1);
        ledger.reset();
        assert_eq!((ledger.read().in_flight, ledger.read().in_flight_peak, ledger.read().calls), (1, 1, 0));
        for seconds in 0..RECENT_MAX as u64 + 5 {
            let number = ledger.begin(at(seconds), Operation::Customers, 0);
            ledger.end(at(seconds), number);
        }
        ledger.end(at(9_999), early);
        let stats = ledger.read();
        assert_eq!((stats.recent.len(), stats.in_flight), (RECENT_MAX, 0));
        assert!(stats.recent.iter().all(|call| call.end == Some(call.start)));
    }
}
