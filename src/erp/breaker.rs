//! When to stop asking for a while: one breaker per operation. Pure, on a given clock.
//!
//! Closed, calls leave. When too many in a row fail, or half of the last ones, it opens: nothing leaves for a pause, and
//! whoever waits is told so. Then exactly [`PROBES`] calls may leave to find out; if all succeed it closes, if one fails it
//! opens again for twice as long. It is told of calls that say something about the operation as a whole; a call that fails
//! for one bad line does not, and the dispatcher finds out which it was before it tells.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Mono;
use crate::mutants::mutant;

/// Failures in a row that open it.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// Calls that leave to find out whether it works again.
pub const PROBES: u32 = 2;
/// The last calls of which half must fail to open it.
pub const RECENT: usize = 20;
/// The first pause; each further one is twice as long, up to [`PAUSE_MAX`].
pub const PAUSE: Duration = Duration::from_secs(1);
pub const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed,
    /// Nothing leaves until then.
    Open(Mono),
    /// So many probes may still leave, so many have succeeded.
    HalfOpen {
        left: u32,
        succeeded: u32,
    },
}

#[derive(Debug)]
pub struct Breaker {
    state: State,
    in_a_row: u32,
    /// Whether each of the last calls failed, oldest first.
    recent: VecDeque<bool>,
    /// Pauses since it last closed.
    pauses: u32,
    /// When it opened last: calls that left before say nothing about what is now.
    opened: Mono,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            in_a_row: 0,
            recent: VecDeque::with_capacity(RECENT),
            pauses: 0,
            opened: Mono::default(),
        }
    }
}

impl Breaker {
    /// The state now: a pause that is over has become a time for probes.
    pub fn state(&mut self, now: Mono) -> State {
        if let State::Open(until) = self.state
            && now >= until
        {
            self.state = State::HalfOpen { left: PROBES, succeeded: 0 };
        }
        self.state
    }

    /// Whether whoever asks is told at once that it will not come.
    pub fn is_open(&mut self, now: Mono) -> bool {
        matches!(self.state(now), State::Open(_))
    }

    /// Whether a call may leave.
    pub fn may_depart(&mut self, now: Mono) -> bool {
        match self.state(now) {
            State::Closed => true,
            State::Open(_) => false,
            State::HalfOpen { left, .. } => left > 0 || mutant!(ProbesWithoutEnd),
        }
    }

    /// A call leaves.
    pub fn departed(&mut self) {
        if let State::HalfOpen { left, .. } = &mut self.state {
            *left = left.saturating_sub(1);
        }
    }

    /// A call that left at `start` came to a good end.
    pub fn succeeded(&mut self, start: Mono) {
        if self.is_old_news(start) {
            return;
        }
        self.in_a_row = 0;
        self.note(false);
        if let State::HalfOpen { succeeded, .. } = &mut self.state {
            *succeeded += 1;
            if *succeeded >= PROBES {
                *self = Self { opened: self.opened, ..Self::default() };
            }
        }
    }

    /// A call that left at `start` failed. `true`: that opened it.
    pub fn failed(&mut self, start: Mono, now: Mono) -> bool {
        if self.is_old_news(start) || mutant!(BreakerNeverOpens) {
            return false;
        }
        self.in_a_row += 1;
        self.note(true);
        let failures = self.recent.iter().filter(|failed| **failed).count();
        let half = self.recent.len() == RECENT && failures * 2 >= RECENT;
        let opens = match self.state {
            State::Closed => self.in_a_row >= FAILURES_IN_A_ROW || half,
            State::HalfOpen { .. } => true,
            State::Open(_) => false,
        };
        if opens {
            let pause = PAUSE.saturating_mul(1 << self.pauses.min(10)).min(PAUSE_MAX);
            self.state = State::Open(now.plus(pause));
            self.pauses += 1;
            self.opened = now;
            self.recent.clear();
            self.in_a_row = 0;
        }
        opens
    }

    /// A probe ended without saying anything about the operation: another may leave in its place.
    pub fn undecided(&mut self, start: Mono) {
        if self.is_old_news(start) {
            return;
        }
        if let State::HalfOpen { left, .. } = &mut self.state {
            *left = (*left + 1).min(PROBES);
        }
    }

    /// When it lets probes through, if it is open.
    pub fn opens_until(&self) -> Option<Mono> {
        match self.state {
            State::Open(until) => Some(until),
            _ => None,
        }
    }

    fn is_old_news(&self, start: Mono) -> bool {
        self.pauses > 0 && start < self.opened
    }

    fn note(&mut self, failed: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Mono {
        Mono(milliseconds * 1000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for n in 1..FAILURES_IN_A_ROW as u64 {
            assert!(!breaker.failed(at(n), at(n)));
        }
        assert!(breaker.failed(at(10), at(10)));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not_count_them_together() {
        let mut breaker = Breaker::default();
        for n in 0..4 {
            breaker.failed(at(n), at(n));
        }
        breaker.succeeded(at(4));
        for n in 5..9 {
            assert!(!breaker.failed(at(n), at(n)));
        }
        assert!(breaker.may_depart(at(9)));
        assert!(breaker.failed(at(9), at(9)));
        assert!(breaker.is_open(at(9)) && !breaker.may_depart(at(9)));
    }

    #[test]
    fn half_of_the_last_calls_open_it_too() {
        let mut breaker = Breaker::default();
        let opened: Vec<u64> = (0..40)
            .filter(|n| {
                if n % 2 == 0 {
                    breaker.succeeded(at(*n));
                    false
                } else {
                    breaker.failed(at(*n), at(*n))
                }
            })
            .collect();
        assert_eq!(opened.first(), Some(&(RECENT as u64 - 1)));
    }

    #[test]
    fn exactly_so_many_probes_leave() {
        let mut breaker = opened();
        assert!(!breaker.may_depart(at(1009)));
        let mut left = 0;
        while breaker.may_depart(at(1010)) && left < 100 {
            breaker.departed();
            left += 1;
        }
        assert_eq!(left, PROBES);
        breaker.succeeded(at(1010));
        assert!(!breaker.may_depart(at(1100)), "one of them is still out");
        breaker.succeeded(at(1010));
        assert_eq!(breaker.state(at(1100)), State::Closed);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut breaker = opened();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let until = breaker.opens_until().unwrap();
            assert!(breaker.may_depart(until));
            breaker.departed();
            assert!(breaker.failed(until, until));
            pauses.push(breaker.opens_until().unwrap().since(until).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30, 30]);
        let until = breaker.opens_until().unwrap();
        assert!(breaker.may_depart(until));
        for _ in 0..PROBES {
            breaker.succeeded(until);
        }
        for n in 0..FAILURES_IN_A_ROW as u64 {
            breaker.failed(until.plus(Duration::from_secs(n)), until);
        }
        assert_eq!(breaker.opens_until().map(|end| end.since(until)), Some(PAUSE), "closed, it starts over");
    }

    #[test]
    fn what_left_before_it_opened_says_nothing_now() {
        let mut breaker = opened();
        assert!(breaker.may_depart(at(2000)));
        assert!(!breaker.failed(at(5), at(2000)), "it left in the bad time");
        breaker.succeeded(at(5));
        assert_eq!(breaker.state(at(2000)), State::HalfOpen { left: PROBES, succeeded: 0 });
    }
}
