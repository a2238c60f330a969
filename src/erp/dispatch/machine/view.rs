//! What is going on, for people: figures for gauges, and where one key is.

use super::{CallId, Machine, Tally, Waiter, operation_name};
use crate::clock::Mono;
use crate::erp::breaker::State;
use crate::erp::connector::Operation;
use crate::erp::dispatch::ask::Ask;
use crate::erp::dispatch::flights::Standing;
use crate::erp::dispatch::lane::Lane;
use crate::erp::dispatch::queue::{Class, OPERATIONS};

/// Lines waiting in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneLoad {
    pub foreground: usize,
    pub background: usize,
}

/// The dispatcher at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// In the order of [`Lane::ALL`].
    pub lanes: [LaneLoad; Lane::COUNT],
    /// Lines that wait, wherever they stand.
    pub waiting: usize,
    pub riders: usize,
    pub flights: usize,
    pub in_flight: usize,
    /// Calls at a time just now.
    pub limit: usize,
    /// Slots of the minute in use.
    pub window_used: usize,
    pub breakers: [(Operation, State); OPERATIONS],
    pub denied: usize,
    pub tally: Tally,
}

/// Where one key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Calls it is in, and since when, oldest first.
    pub air: Vec<(CallId, Mono)>,
    pub waiting: Option<Waiting>,
    /// The ERP fails whenever it is asked for this.
    pub denied: bool,
}

/// How one key waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub lane: Lane,
    pub background: bool,
    pub since: Mono,
    /// Why it is not in the queue: `rider`, `parked`, `rides`, `again`; or `queued`.
    pub standing: &'static str,
    /// Keys of its own account in front of it.
    pub keys_before: usize,
    /// Accounts whose turn comes first.
    pub accounts_before: usize,
}

impl<W: Waiter> Machine<W> {
    pub fn load(&mut self, now: Mono) -> Load {
        let lane = |lane| LaneLoad {
            foreground: self.queue.lines(lane, Class::Foreground),
            background: self.queue.lines(lane, Class::Background),
        };
        let lanes = Lane::ALL.map(lane);
        let states = self.breakers.each_mut().map(|breaker| breaker.state(now));
        Load {
            lanes,
            waiting: self.waiting,
            riders: self.queue.riders(),
            flights: self.flights.len(),
            in_flight: self.usage.in_flight(),
            limit: self.limit.current(),
            window_used: self.usage.used(),
            breakers: std::array::from_fn(|at| (operation_name(at, &self.capabilities), states[at])),
            denied: self.denied.len(),
            tally: self.tally,
        }
    }

    /// Lines that wait for a call.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Calls in the air.
    pub fn in_flight(&self) -> usize {
        self.usage.in_flight()
    }

    /// What a call in the air asks for, and how many lines of it.
    pub fn call_of(&self, id: CallId) -> Option<(Operation, usize)> {
        self.calls.get(&id).map(|air| (operation_name(air.operation, &self.capabilities), air.lines))
    }

    pub fn whereabouts(&self, ask: &Ask, now: Mono) -> Whereabouts {
        let denied = self.denied.is_denied(ask, now);
        let Some(key) = self.flights.find(ask).1 else { return Whereabouts { denied, ..Whereabouts::default() } };
        let flight = self.flights.get(key);
        let waiting = flight.wait.as_ref().map(|wait| {
            let standing = match wait.standing {
                Standing::Queued => "queued",
                Standing::Rider => "rider",
                Standing::Parked => "parked",
                Standing::Rides => "rides",
                Standing::Again => "again",
            };
            let (keys_before, accounts_before) =
                if wait.standing == Standing::Queued { self.queue.place(key) } else { (0, 0) };
            let background = wait.class == Class::Background;
            Waiting { lane: wait.lane, background, since: wait.since, standing, keys_before, accounts_before }
        });
        Whereabouts { air: flight.air.iter().map(|air| (air.call, air.start)).collect(), waiting, denied }
    }
}
