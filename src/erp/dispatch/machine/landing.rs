//! A call is over: its waiters are given back, or its keys are asked once more.

use super::{CallId, Ended, InAir, Machine, Waiter};
use crate::clock::Mono;
use crate::erp::breaker::State;
use crate::erp::dispatch::Refusal;
use crate::erp::dispatch::ask::Ask;
use crate::erp::dispatch::flights::Standing;
use crate::erp::limit::Sample;
use crate::mutants::mutant;

/// What becomes of the keys of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Their waiters get what it came to.
    Answered,
    Retried,
    Searched,
}

impl<W: Waiter> Machine<W> {
    /// A call is over: gives its waiters back, by ask, in the order of [`super::Departure::asks`]. Those whose keys are asked
    /// once more go on waiting.
    pub fn land(&mut self, id: CallId, ended: Ended, now: Mono) -> Vec<Vec<W>> {
        let Some(call) = self.calls.remove(&id) else { return Vec::new() };
        let alone = call.alone && self.usage.in_flight() == 1 && self.next_call == id.0 + 1;
        let refused = !matches!(ended, Ended::Answered | Ended::TimedOut);
        let sample = Sample { lines: call.lines, start: call.start, end: now, alone, refused };
        self.limit.observe(call.operation, sample);
        self.usage.give_back(call.low, now);
        let fate = self.judge(id, &call, ended, now);
        let mut landed = Vec::with_capacity(call.keys.len());
        let mut again = Vec::new();
        for (index, &key) in call.keys.iter().enumerate() {
            landed.push(self.land_key(key, id, fate, index < call.lines, &mut again));
        }
        match fate {
            Fate::Answered => {}
            Fate::Retried => self.again.retry(call.operation, again, now),
            Fate::Searched => {
                self.tally.bisections += u64::from(!call.half && !self.again.is_searching(call.operation));
                self.again.search(call.operation, again, call.half);
            }
        }
        self.end_search(call.operation, call.start, now, false);
        landed
    }

    fn land_key(&mut self, key: u32, id: CallId, fate: Fate, leads: bool, again: &mut Vec<u32>) -> Vec<W> {
        let flight = self.flights.get_mut(key);
        let Some(at) = flight.air.iter().position(|air| air.call == id) else { return Vec::new() };
        let mut was = flight.air.remove(at).was;
        let goes_on = fate != Fate::Answered && (leads || !was.waiters.is_empty());
        if goes_on && flight.wait.take_if(|wait| wait.standing == Standing::Rider).is_some() {
            self.queue.remove(key);
        }
        let waiters = match &mut flight.wait {
            // Whoever was content with an older call is content with the next.
            Some(wait) if goes_on => {
                wait.waiters.append(&mut was.waiters);
                let rides = wait.standing == Standing::Rides;
                self.raise(key, (was.class, was.lane), &was.account, rides);
                Vec::new()
            }
            Some(_) => was.waiters,
            None if goes_on => {
                was.standing = if leads { Standing::Again } else { Standing::Rides };
                was.retried |= fate == Fate::Retried;
                flight.wait = Some(was);
                self.waiting += 1;
                if leads {
                    again.push(key);
                }
                Vec::new()
            }
            None => was.waiters,
        };
        if self.flights.get(key).wait.as_ref().is_some_and(|wait| wait.standing == Standing::Parked) {
            self.enqueue(key);
        }
        self.flights.tidy(key);
        waiters
    }

    /// What a call's end says about the operation, and what becomes of its keys. The breaker hears of every call: that it
    /// succeeded, that it failed, or that nothing can be said yet.
    fn judge(&mut self, id: CallId, call: &InAir, ended: Ended, now: Mono) -> Fate {
        let operation = call.operation;
        match ended {
            Ended::Answered => {
                self.breakers[operation].succeeded(call.start);
                self.lone_failures[operation] = 0;
                self.hopeless[operation] = false;
                for ask in self.again.works(operation, call.half) {
                    self.deny(ask, now);
                }
                Fate::Answered
            }
            Ended::TimedOut | Ended::Unreached => {
                if call.half {
                    self.again.undecided(operation);
                }
                let opened = self.operation_failed(operation, call.start, now);
                let may_still_run = ended == Ended::TimedOut && !mutant!(RetryTimedOut);
                let again = !opened && !may_still_run && !call.half && self.is_first_try(id, call);
                if again && self.again.take_retry() { Fate::Retried } else { Fate::Answered }
            }
            Ended::Erred if call.lines == 1 => {
                self.judge_lone(call, now);
                Fate::Answered
            }
            Ended::Erred => {
                if mutant!(PoisonOpensBreaker) {
                    self.operation_failed(operation, call.start, now);
                }
                let searching = self.again.is_searching(operation);
                // Not while everything fails: then the breaker finds out sooner. But its probes are searched, or one bad line
                // in every batch would keep it open for good.
                let probe = matches!(self.breakers[operation].state(now), State::HalfOpen { .. });
                let worth_it = searching || probe || !self.hopeless[operation];
                if worth_it && self.again.has_room(operation) && !mutant!(NoBisection) {
                    self.breakers[operation].undecided(call.start);
                    return Fate::Searched;
                }
                if searching {
                    self.again.unsearched(operation);
                    self.breakers[operation].undecided(call.start);
                } else {
                    self.operation_failed(operation, call.start, now);
                }
                Fate::Answered
            }
        }
    }

    /// A single line failed: is it to blame?
    fn judge_lone(&mut self, call: &InAir, now: Mono) {
        let operation = call.operation;
        let ask = self.flights.get(call.keys[0]).ask.clone();
        if mutant!(PoisonOpensBreaker) {
            self.operation_failed(operation, call.start, now);
        }
        if call.half {
            self.breakers[operation].undecided(call.start);
            if let Some(ask) = self.again.found(operation, ask) {
                self.deny(ask, now);
            }
            return;
        }
        // One whose SKU failed before is denied; the first after something succeeded is suspected, be the breaker half open:
        // or a bad line that is the first to be tried each time would open it again for good. A second one in a row is
        // rather the operation.
        let first = self.lone_failures[operation] == 0;
        self.lone_failures[operation] += 1;
        if self.denied.is_suspect(&ask, now) {
            self.breakers[operation].undecided(call.start);
            self.deny(ask, now);
        } else if first {
            self.breakers[operation].undecided(call.start);
            self.denied.suspect(&ask, now);
        } else {
            self.operation_failed(operation, call.start, now);
        }
    }

    fn deny(&mut self, ask: Ask, now: Mono) {
        tracing::warn!(?ask, "the ERP fails whenever it is asked for this; it is not asked again for a while");
        self.denied.deny(ask, now);
        self.tally.denied += 1;
    }

    /// `true`: that opened the breaker. Whoever waits is told.
    fn operation_failed(&mut self, operation: usize, start: Mono, now: Mono) -> bool {
        let opened = self.breakers[operation].failed(start, now);
        if opened {
            self.tally.breaker_openings += 1;
            self.answer_all(operation, Refusal::BreakerOpen);
            for key in self.again.drop_retries(operation) {
                self.tell(key, Refusal::BreakerOpen);
                self.forget(key);
            }
            self.end_search(operation, start, now, true);
        }
        opened
    }

    /// Gives a search up in which nothing succeeds, or any (`force`).
    fn end_search(&mut self, operation: usize, start: Mono, now: Mono, force: bool) {
        let Some(given_up) = self.again.give_up(operation, force) else { return };
        for key in given_up.keys {
            self.tell(key, if force { Refusal::BreakerOpen } else { Refusal::Denied });
            self.forget(key);
        }
        if !force {
            self.hopeless[operation] |= given_up.calls > 0;
            for _ in 0..given_up.calls {
                self.operation_failed(operation, start, now);
            }
        }
    }

    fn is_first_try(&self, id: CallId, call: &InAir) -> bool {
        let tried = |key: &u32| self.flights.get(*key).air.iter().any(|air| air.call == id && air.was.retried);
        !call.keys[..call.lines].iter().any(tried)
    }
}
