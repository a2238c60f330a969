//! What the ERP was promised, counted from outside: the model ERP's own books.

use std::collections::VecDeque;
use std::time::Duration;

use comptoir::erp::dispatch::Lane;

use crate::coverage::{Coverage, Path};
use crate::scenario::Setup;

const MINUTE: u64 = 60_000_000;

pub struct Books {
    concurrency: usize,
    calls_per_minute: Option<usize>,
    burst: usize,
    careful_until: u64,
    in_flight: usize,
    low_in_flight: usize,
    /// Ends of calls of low lanes within the minute.
    low_ended: VecDeque<u64>,
    /// Arrivals at the ERP within the minute.
    arrived: VecDeque<u64>,
    /// Tokens of the burst times 60 million, and when.
    level: u64,
    level_at: u64,
    pub departures: u64,
}

impl Books {
    pub fn new(setup: &Setup, start: u64) -> Self {
        let burst = setup.burst.unwrap_or(setup.concurrency * 2).max(1);
        let careful = if setup.unclean_start { setup.timeout } else { Duration::ZERO };
        Self {
            concurrency: setup.concurrency,
            calls_per_minute: setup.calls_per_minute,
            burst,
            careful_until: start + careful.as_micros() as u64,
            in_flight: 0,
            low_in_flight: 0,
            low_ended: VecDeque::new(),
            arrived: VecDeque::new(),
            level: MINUTE * if setup.unclean_start { 1 } else { burst as u64 },
            level_at: start,
            departures: 0,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a call of this kind is under the ceiling of the low lanes.
    pub fn is_low(lane: Lane, background: bool) -> bool {
        lane >= Lane::List || background
    }

    /// A call leaves. `limit`: how many at a time the gateway itself thinks right.
    pub fn depart(&mut self, now: u64, low: bool, limit: usize, coverage: &mut Coverage) -> Result<(), String> {
        self.departures += 1;
        self.in_flight += 1;
        self.low_in_flight += usize::from(low);
        let careful = now < self.careful_until;
        let permits = if careful { 1 } else { self.concurrency.min(limit).max(1) };
        coverage.saw_if(Path::UncleanStart, careful);
        // P17: never more at a time than permits; one after an unclean end.
        if self.in_flight > permits {
            return Err(format!("P17: {} calls in flight, {permits} permitted", self.in_flight));
        }
        // The low lanes leave one permit to the others.
        if low && permits >= 2 && self.low_in_flight > permits - 1 {
            return Err(format!("P15: {} calls of low lanes in flight of {permits}", self.low_in_flight));
        }
        coverage.saw_if(Path::CeilingHeld, low && permits >= 2 && self.low_in_flight == permits - 1);
        let Some(calls) = self.calls_per_minute else { return Ok(()) };
        while self.low_ended.front().is_some_and(|end| end + MINUTE <= now) {
            self.low_ended.pop_front();
        }
        // And a fifth of the minute.
        let share = (calls * 4 / 5).max(1);
        let used = self.low_in_flight + self.low_ended.len();
        if low && used > share {
            return Err(format!("P15: the low lanes use {used} calls of a minute, their share is {share}"));
        }
        // P12: in any span at most the burst and what the rate gives meanwhile.
        let capacity = MINUTE * if careful { 1 } else { self.burst as u64 };
        self.level = self.level.saturating_add((now - self.level_at) * calls as u64).min(capacity);
        self.level_at = now;
        if self.level < MINUTE {
            return Err(format!("P12: a burst of more than {}", self.burst));
        }
        self.level -= MINUTE;
        coverage.saw_if(Path::BurstExhausted, self.level < MINUTE);
        Ok(())
    }

    /// A call is over for the gateway.
    pub fn end(&mut self, now: u64, low: bool) {
        self.in_flight -= 1;
        if low {
            self.low_in_flight -= 1;
            self.low_ended.push_back(now);
        }
    }

    /// A call arrives at the ERP, by a way of any length.
    pub fn arrive(&mut self, now: u64, coverage: &mut Coverage) -> Result<(), String> {
        while self.arrived.front().is_some_and(|at| at + MINUTE <= now) {
            self.arrived.pop_front();
        }
        self.arrived.push_back(now);
        let Some(calls) = self.calls_per_minute else { return Ok(()) };
        coverage.saw_if(Path::WindowExhausted, self.arrived.len() == calls);
        // P17, P12: exact in any 60 s as the ERP counts.
        if self.arrived.len() > calls {
            return Err(format!("P17: the ERP counts {} calls in 60 s, {calls} are allowed", self.arrived.len()));
        }
        Ok(())
    }
}
