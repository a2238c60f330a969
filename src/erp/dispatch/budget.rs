//! What the ERP can bear. Pure.
//!
//! A call takes a permit and a slot of the minute when it leaves. The permit comes back when the call ends (or at its hard
//! limit: an ERP goes on working on a call nobody waits for). The slot comes back 60 s after the END of the call: counting
//! from the start, calls delayed on the way could bunch up at the ERP and exceed its limit by what the network jitters.

use std::collections::VecDeque;
use std::time::Duration;

use super::maintenance::Maintenance;
use crate::clock::Mono;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls at the same time. Default 4; at least 1.
    pub concurrency: usize,
    /// Calls in any 60 s. Absent: as many as concurrency allows.
    pub calls_per_minute: Option<usize>,
    /// Hard limit of one call. Default 10 s.
    pub timeout: Duration,
    /// Calls that may leave at the same moment, where there is a limit a minute; from then on they leave evenly. Default
    /// twice the concurrency; at least 1.
    pub burst: Option<usize>,
    /// Lines that may wait for a permit; beyond, what is least urgent is dropped. Default 20,000.
    pub queue_lines_max: usize,
    /// When nothing is asked. Default never.
    pub maintenance: Maintenance,
    /// The gateway before this one may have left calls running in the ERP: one call at a time and no burst until the hard
    /// limit has passed. Default false.
    pub unclean_start: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            concurrency: 4,
            calls_per_minute: None,
            timeout: Duration::from_secs(10),
            burst: None,
            queue_lines_max: 20_000,
            maintenance: Maintenance::default(),
            unclean_start: false,
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// How much of the budget is used.
#[derive(Debug)]
pub struct Usage {
    concurrency: usize,
    calls_per_minute: Option<usize>,
    in_flight: usize,
    /// Ends of calls whose slots are not back yet, oldest first. At most `calls_per_minute` of them.
    ended: VecDeque<Mono>,
}

impl Usage {
    pub fn new(budget: &Budget) -> Self {
        Self {
            concurrency: budget.concurrency.max(1),
            calls_per_minute: budget.calls_per_minute.map(|calls| calls.max(1)),
            in_flight: 0,
            ended: VecDeque::new(),
        }
    }

    /// Takes a permit and a slot, if there are.
    pub fn take(&mut self, now: Mono) -> bool {
        while self.ended.front().is_some_and(|&end| end.plus(MINUTE) <= now) {
            self.ended.pop_front();
        }
        let slot = self.calls_per_minute.is_none_or(|calls| self.in_flight + self.ended.len() < calls);
        let free = slot && self.in_flight < self.concurrency;
        self.in_flight += usize::from(free);
        free
    }

    /// A call is over.
    pub fn give_back(&mut self, now: Mono) {
        debug_assert!(self.in_flight > 0, "a permit is given back once");
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.calls_per_minute.is_some() {
            self.ended.push_back(now);
        }
    }

    /// When a slot comes back, if it is a slot that is missing and not a permit.
    pub fn next_slot(&self) -> Option<Mono> {
        (self.in_flight < self.concurrency).then(|| self.ended.front().map(|end| end.plus(MINUTE))).flatten()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(concurrency: usize, calls_per_minute: Option<usize>) -> Usage {
        Usage::new(&Budget { concurrency, calls_per_minute, ..Budget::default() })
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    #[test]
    fn never_more_than_concurrency() {
        let mut usage = usage(2, None);
        assert!(usage.take(at(0)) && usage.take(at(0)));
        assert!(!usage.take(at(0)));
        assert_eq!(usage.next_slot(), None, "waiting for a permit, not for time");
        usage.give_back(at(1));
        assert!(usage.take(at(1)));
    }

    #[test]
    fn a_slot_is_back_sixty_seconds_after_the_end_of_its_call() {
        let mut usage = usage(4, Some(2));
        assert!(usage.take(at(0)) && usage.take(at(0)));
        assert!(!usage.take(at(1)));
        usage.give_back(at(5));
        usage.give_back(at(7));
        assert!(!usage.take(at(64)));
        assert_eq!(usage.next_slot(), Some(at(65)));
        assert!(usage.take(at(65)));
        assert!(!usage.take(at(66)));
        assert!(usage.take(at(67)));
    }

    #[test]
    fn no_minute_at_the_erp_sees_more_than_the_limit_whatever_the_jitter() {
        // Calls reach the ERP anywhere between their start and their end.
        let mut usage = usage(3, Some(10));
        let mut running: Vec<(Mono, Mono)> = Vec::new();
        let mut seen: Vec<Mono> = Vec::new();
        let mut random = 12345u64;
        for tick in 0..4_000u64 {
            let now = Mono(tick * 100_000);
            running.retain(|&(end, arrival)| {
                if end <= now {
                    usage.give_back(end);
                    seen.push(arrival);
                }
                end > now
            });
            while usage.take(now) {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let length = random >> 44;
                running.push((Mono(now.0 + length), Mono(now.0 + (random >> 20) % (length + 1))));
            }
        }
        seen.sort();
        let worst = seen.iter().map(|&from| seen.iter().filter(|&&t| t >= from && t < from.plus(MINUTE)).count()).max();
        assert!(worst.unwrap() <= 10, "{worst:?}");
        assert!(seen.len() > 50, "the budget is used: {}", seen.len());
    }
}
