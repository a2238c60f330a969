//! What the ERP can bear. Pure.
//!
//! A call takes a permit, a slot of the minute and a token of the burst when it leaves. The permit comes back when the call ends (or at its hard
//! limit: an ERP goes on working on a call nobody waits for). The slot comes back 60 s after the END of the call: counting
//! from the start, calls delayed on the way could bunch up at the ERP and exceed its limit by what the network jitters.
//! Tokens flow back at the rate of the minute, so that of the calls a minute allows no more than the burst leave at one
//! moment; the background takes one only when none is missing.
//!
//! The low lanes are under a ceiling: all permits but one, four fifths of the minute and of the tokens that flow back. With a
//! single permit there is nothing to hold back, and a call of a low lane that is in the air delays an urgent one by its whole
//! length. Did they take each token as it comes, whoever is urgent would wait for the next.
//!
//! What cannot be known is the minute before this process started: its calls still count at the ERP. After an unclean end
//! even its permits may be taken, so until the hard limit has passed there is one call at a time and no burst.

use std::collections::VecDeque;
use std::time::Duration;

use super::maintenance::Maintenance;
use crate::clock::{Mono, Reading, Timestamp};
use crate::mutants::mutant;

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
/// A token of the burst, in the unit in which it flows back: one call a minute gives one of these a microsecond.
const TOKEN: u64 = 60_000_000;

/// What kind of call wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Under the ceiling of the low lanes.
    pub low: bool,
    /// Of the background: it leaves the burst to those who wait.
    pub paced: bool,
}

/// How much of the budget is used.
#[derive(Debug)]
pub struct Usage {
    concurrency: usize,
    calls_per_minute: Option<usize>,
    burst: usize,
    timeout: Duration,
    maintenance: Maintenance,
    /// No burst and one permit until then.
    careful_until: Option<Mono>,
    in_flight: usize,
    low_in_flight: usize,
    /// Ends of calls whose slots are not back yet, oldest first, and whether they were under the ceiling. At most
    /// `calls_per_minute` of them.
    ended: VecDeque<(Mono, bool)>,
    low_ended: usize,
    /// What is left of the burst, in parts of [`TOKEN`], what of it the low lanes may take, and when that was worked out.
    level: u64,
    low_level: u64,
    level_at: Mono,
    closed: Closed,
}

/// Whether maintenance forbids departures, worked out once for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Closed {
    is: bool,
    from: Timestamp,
    /// Absent: for ever.
    to: Option<Timestamp>,
}

impl Usage {
    pub fn new(budget: &Budget, start: Mono) -> Self {
        let concurrency = budget.concurrency.max(1);
        let burst = budget.burst.unwrap_or(concurrency * 2).max(1);
        let careful = budget.unclean_start && !mutant!(UncleanStartOff);
        let mut usage = Self {
            concurrency,
            calls_per_minute: budget.calls_per_minute.map(|calls| calls.max(1)),
            burst,
            timeout: budget.timeout,
            maintenance: budget.maintenance.clone(),
            careful_until: careful.then(|| start.plus(budget.timeout)),
            in_flight: 0,
            low_in_flight: 0,
            ended: VecDeque::new(),
            low_ended: 0,
            level: 0,
            low_level: 0,
            level_at: start,
            closed: Closed::default(),
        };
        usage.level = usage.capacity(start);
        usage.low_level = usage.low_capacity(start);
        usage
    }

    /// Whether a call of this weight may leave now, of at most `limit` at a time.
    pub fn may_depart(&mut self, weight: Weight, limit: usize, now: Mono) -> bool {
        self.catch_up(now);
        let permits = self.permits(limit, now);
        if self.in_flight >= permits && !mutant!(PermitsOff) {
            return false;
        }
        let ceiling = weight.low && !mutant!(CeilingOff);
        if ceiling && permits >= 2 && self.low_in_flight >= permits - 1 {
            return false;
        }
        let Some(calls) = self.calls_per_minute else { return true };
        if self.in_flight + self.ended.len() >= calls {
            return false;
        }
        if ceiling && self.low_in_flight + self.low_ended >= low_share(calls) {
            return false;
        }
        if ceiling && self.low_level < TOKEN && !mutant!(LowLanesTakeEachToken) {
            return false;
        }
        let needed = if weight.paced { self.capacity(now) } else { TOKEN };
        self.level >= needed || mutant!(BurstOff)
    }

    /// A call leaves: a permit, a slot and a token are taken.
    pub fn depart(&mut self, low: bool) {
        self.in_flight += 1;
        self.low_in_flight += usize::from(low);
        self.level = self.level.saturating_sub(TOKEN);
        if low {
            self.low_level = self.low_level.saturating_sub(TOKEN);
        }
    }

    /// A call is over.
    pub fn give_back(&mut self, low: bool, now: Mono) {
        debug_assert!(self.in_flight > 0, "a permit is given back once");
        self.in_flight = self.in_flight.saturating_sub(1);
        self.low_in_flight = self.low_in_flight.saturating_sub(usize::from(low));
        if self.calls_per_minute.is_some() && !mutant!(SlotBackAtEnd) {
            self.ended.push_back((now, low));
            self.low_ended += usize::from(low);
        }
    }

    /// When something changes that lets a call leave which may not now, if it is only time that is missing.
    pub fn next_change(&mut self, limit: usize, now: Reading) -> Option<Mono> {
        self.catch_up(now.mono);
        if self.is_closed(now.wall) {
            // Looked at again now and then: the wall clock may be set meanwhile.
            let left = self.closed.to.map_or(MINUTE, |to| millis(to.0 - now.wall.0));
            return Some(now.mono.plus(left.clamp(Duration::from_millis(1), MINUTE)));
        }
        if self.in_flight >= self.permits(limit, now.mono) {
            return self.careful_until.filter(|_| self.in_flight < self.concurrency.min(limit));
        }
        let calls = self.calls_per_minute?;
        let slot = self.ended.front().map(|(end, _)| end.plus(MINUTE));
        if self.in_flight + self.ended.len() >= calls {
            return slot;
        }
        // The next token for those who wait, or all of them for the background.
        let needed = if self.level < TOKEN { TOKEN } else { self.capacity(now.mono) };
        let flows = |level: u64, needed: u64, calls: usize| {
            (level < needed).then(|| now.mono.plus(Duration::from_micros((needed - level).div_ceil(calls as u64))))
        };
        let token = flows(self.level, needed, calls);
        let low_token = flows(self.low_level, TOKEN, low_share(calls));
        let low = (self.low_in_flight + self.low_ended >= low_share(calls)).then_some(slot).flatten();
        token.into_iter().chain(low_token).chain(low).min()
    }

    /// How long at least until the next of `ahead` further calls has left. A lower bound.
    pub fn soonest(&mut self, ahead: usize, limit: usize, now: Mono) -> Duration {
        self.catch_up(now);
        let Some(calls) = self.calls_per_minute else { return Duration::ZERO };
        let tokens = (ahead as u64 + 1) * TOKEN;
        let token = Duration::from_micros(tokens.saturating_sub(self.level) / calls as u64);
        let full = self.in_flight < self.permits(limit, now) && self.in_flight + self.ended.len() >= calls;
        let slot = self.ended.front().filter(|_| full).map(|(end, _)| end.plus(MINUTE).since(now));
        token.max(slot.unwrap_or_default())
    }

    /// Whether nothing leaves: the ERP is in a maintenance window, or a call that left now could still run in the next.
    pub fn is_closed(&mut self, wall: Timestamp) -> bool {
        if self.maintenance.is_empty() || mutant!(MaintenanceOff) {
            return false;
        }
        let known = wall >= self.closed.from && self.closed.to.is_none_or(|to| wall < to);
        if !known || self.closed.to.is_none() {
            self.closed = self.look(wall);
        }
        self.closed.is
    }

    fn look(&self, wall: Timestamp) -> Closed {
        let early = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        if let Some(end) = self.maintenance.end_after(wall) {
            return Closed { is: true, from: wall, to: Some(end) };
        }
        match self.maintenance.next_start(wall) {
            Some(start) if start.0 - early <= wall.0 => {
                Closed { is: true, from: wall, to: self.maintenance.end_after(start) }
            }
            start => Closed { is: false, from: wall, to: start.map(|start| Timestamp(start.0 - early)) },
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Slots of the minute in use.
    pub fn used(&self) -> usize {
        self.in_flight + self.ended.len()
    }

    fn permits(&mut self, limit: usize, now: Mono) -> usize {
        if self.careful_until.is_some_and(|until| now >= until) {
            self.careful_until = None;
        }
        if self.careful_until.is_some() { 1 } else { self.concurrency.min(limit).max(1) }
    }

    fn capacity(&self, now: Mono) -> u64 {
        let careful = self.careful_until.is_some_and(|until| now < until);
        TOKEN * if careful { 1 } else { self.burst as u64 }
    }

    /// The low lanes leave one to the others, if there is more than one.
    fn low_capacity(&self, now: Mono) -> u64 {
        (self.capacity(now) - TOKEN).max(TOKEN)
    }

    fn catch_up(&mut self, now: Mono) {
        while let Some(&(end, low)) = self.ended.front()
            && end.plus(MINUTE) <= now
        {
            self.ended.pop_front();
            self.low_ended -= usize::from(low);
        }
        if let Some(calls) = self.calls_per_minute {
            let passed = now.since(self.level_at).as_micros() as u64;
            let gained = |calls: usize| passed.saturating_mul(calls as u64);
            self.level = self.level.saturating_add(gained(calls)).min(self.capacity(now));
            self.low_level = self.low_level.saturating_add(gained(low_share(calls))).min(self.low_capacity(now));
            self.level_at = self.level_at.max(now);
        }
    }
}

/// What the low lanes may use of a minute: four fifths.
fn low_share(calls: usize) -> usize {
    (calls * 4 / 5).max(1)
}

fn millis(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
