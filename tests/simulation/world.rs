//! One run: the event loop, and the machine between the model callers and the model ERP as the driver would run it.
//!
//! Time is a number. What happens at the same instant happens in the order it was scheduled. Nothing here is decided by a
//! hash map's order, a thread or a real clock.

mod calls;
mod declared;
mod ends;
mod pages;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use comptoir::cache::Epochs;
use comptoir::clock::{Mono, Reading, Stamp, Timestamp};
use comptoir::erp::connector::{AbsentLine, BatchRules, Capabilities, Reply};
use comptoir::erp::dispatch::machine::{Load, Machine};
use comptoir::erp::dispatch::{Budget, Maintenance};
use comptoir::erp::{Call, ErpError};
use comptoir::offer::invalidation::due::DueList;
use jiff::tz::TimeZone;

use self::declared::Declared;
use crate::budget::Books;
use crate::callers::{Entry, Invalidations, Page, Place};
use crate::coverage::{Coverage, Path};
use crate::erp::{Erp, Then};
use crate::key::{Asks, Key};
use crate::ledger::Ledger;
use crate::scenario::{Kind, Scenario, Setup, What};
use crate::trace::Trace;
use crate::turns::Fairness;

/// An hour after the clock's beginning. Microseconds.
const START: u64 = 3_600_000_000;
/// Saturday 2026-11-21, 21:00 UTC. Milliseconds.
const START_WALL: i64 = 1_795_294_800_000;

/// What the loop does next.
#[derive(Debug)]
pub enum Event {
    /// The scenario's step of this number.
    Step(usize),
    /// A call arrives at the ERP.
    Arrive(u64),
    /// The ERP is done with a call.
    Finish(u64),
    /// The answer is back.
    Answer(u64, Result<Reply, ErpError>),
    /// The hard limit of a call.
    HardLimit(u64),
    /// A page is answered with what there is.
    Deadline(usize),
    /// A caller hangs up.
    Leave(usize),
    /// The machine wished to be woken.
    Wake,
    FaultEnds(usize),
}

struct Scheduled {
    at: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// A call between departure and landing.
struct Aloft {
    call: Call,
    asks: Vec<comptoir::erp::dispatch::Ask>,
    keys: Vec<Key>,
    start: Reading,
    stamp: Stamp,
    tick: u64,
    low: bool,
}

pub struct World<'a> {
    scenario: &'a Scenario,
    asks: Asks,
    machine: Machine<Place>,
    epochs: &'a Epochs,
    maintenance: Maintenance,
    /// What the epochs' counter was when the run began.
    stamp_base: u64,
    erp: Erp,
    now: u64,
    /// How far the wall clock was set. Milliseconds.
    wall_step: i64,
    tick: u64,
    events: BinaryHeap<Reverse<Scheduled>>,
    sequence: u64,
    wakes_at: u64,
    memory: BTreeMap<Key, Entry>,
    invalidations: Invalidations,
    /// Ends of settling.
    settled: Invalidations,
    due: DueList,
    declared: Vec<Declared>,
    pages: Vec<Page>,
    calls: BTreeMap<u64, Aloft>,
    /// How the last call of a key ended, where its keys wait to be asked again.
    failed: BTreeMap<Key, comptoir::erp::dispatch::machine::Ended>,
    ledger: Ledger,
    books: Books,
    fairness: Fairness,
    load: Load,
    pub coverage: Coverage,
    pub trace: Trace,
}

impl<'a> World<'a> {
    pub fn new(scenario: &'a Scenario, epochs: &'a Epochs, record: bool) -> Self {
        let setup = &scenario.setup;
        let maintenance = maintenance(setup);
        let budget = Budget {
            concurrency: setup.concurrency,
            calls_per_minute: setup.calls_per_minute,
            timeout: setup.timeout,
            burst: setup.burst,
            queue_lines_max: setup.queue_lines_max,
            maintenance: maintenance.clone(),
            unclean_start: setup.unclean_start,
        };
        let mut machine = Machine::new(capabilities(setup), &budget, Mono(START));
        let load = machine.load(Mono(START));
        let mut world = Self {
            scenario,
            asks: Asks::new(setup.customers, setup.skus),
            machine,
            epochs,
            maintenance,
            stamp_base: epochs.stamp().0,
            erp: Erp::new(scenario.seed, setup),
            now: START,
            wall_step: 0,
            tick: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            wakes_at: u64::MAX,
            memory: BTreeMap::new(),
            invalidations: Invalidations::default(),
            settled: Invalidations::default(),
            due: DueList::default(),
            declared: Vec::new(),
            pages: Vec::new(),
            calls: BTreeMap::new(),
            failed: BTreeMap::new(),
            ledger: Ledger::default(),
            books: Books::new(setup, START),
            fairness: Fairness::default(),
            load,
            coverage: Coverage::default(),
            trace: Trace::recording(record),
        };
        for (number, step) in scenario.steps.iter().enumerate() {
            world.schedule(START + step.at * 1000, Event::Step(number));
        }
        world
    }

    /// How many events there were.
    pub fn events_seen(&self) -> u64 {
        self.tick
    }

    /// Runs to the end, and then sees whether all is well again.
    pub fn run(&mut self) -> Result<(), String> {
        self.run_until_quiet()?;
        self.ended()
    }

    fn run_until_quiet(&mut self) -> Result<(), String> {
        /// Far more than any run needs: then it goes round in circles.
        const EVENTS_MAX: u64 = 200_000;
        while let Some(Reverse(Scheduled { at, event, .. })) = self.events.pop() {
            self.now = at;
            self.tick += 1;
            if self.tick > EVENTS_MAX {
                return Err("P5: it never comes to rest".into());
            }
            self.happens(event)?;
        }
        Ok(())
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Step(number) => self.step(number),
            Event::Arrive(call) => self.arrives(call),
            Event::Finish(call) => {
                let then = self.erp.finish(call, self.reading().wall.0);
                self.follow(then);
                Ok(())
            }
            Event::Answer(call, reply) => self.land(call, reply),
            Event::HardLimit(call) if self.calls.contains_key(&call) => {
                self.coverage.saw(Path::TimedOut);
                self.land(call, Err(ErpError::Timeout(self.scenario.setup.timeout)))
            }
            Event::HardLimit(_) => Ok(()),
            Event::Deadline(page) => self.deadline(page),
            Event::Leave(page) => {
                self.leave(page);
                Ok(())
            }
            Event::Wake => {
                if self.wakes_at == self.now {
                    self.wakes_at = u64::MAX;
                }
                self.trace.note(self.now, "wake", &[]);
                self.decide()
            }
            Event::FaultEnds(number) => {
                self.trace.note(self.now, "fault ends", &[number as u64]);
                let then = self.erp.fault_ends(number);
                self.follow(then);
                Ok(())
            }
        }
    }

    fn step(&mut self, number: usize) -> Result<(), String> {
        let scenario = self.scenario;
        match &scenario.steps[number].what {
            What::Page(page) => self.page(page),
            What::Change(change) => {
                self.trace.note(self.now, "the ERP changes", &[number as u64]);
                self.erp.truth.change(*change);
                Ok(())
            }
            What::Invalidate(words, when) => {
                self.trace.note(self.now, "invalidation", &[number as u64]);
                self.declare(*words, *when)
            }
            What::Fault(fault) => {
                self.trace.note(self.now, "fault begins", &[number as u64]);
                let (number, then) = self.erp.fault_begins(*fault);
                self.coverage.saw_if(Path::CutOff, !then.is_empty());
                self.follow(then);
                self.schedule(self.now + fault.lasts * 1000, Event::FaultEnds(number));
                Ok(())
            }
            What::ClockStep(by) => {
                self.trace.note(self.now, "the wall clock is set", &[by.unsigned_abs()]);
                self.coverage.saw(Path::ClockStepped);
                self.wall_step += by;
                Ok(())
            }
        }
    }

    fn follow(&mut self, then: Vec<Then>) {
        for then in then {
            match then {
                Then::Finish(call, cost) => self.schedule(self.now + cost, Event::Finish(call)),
                Then::Answer(call, reply) => {
                    let way = self.way(call, 4);
                    self.schedule(self.now + way, Event::Answer(call, reply));
                }
            }
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse(Scheduled { at, sequence: self.sequence, event }));
    }

    fn reading(&self) -> Reading {
        let wall = START_WALL + ((self.now - START) / 1000) as i64 + self.wall_step;
        Reading { mono: Mono(self.now), wall: Timestamp(wall) }
    }

    /// A stamp as it is in the trace: runs share one table of cells.
    fn plain(&self, stamp: Stamp) -> u64 {
        stamp.0.saturating_sub(self.stamp_base)
    }
}

fn maintenance(setup: &Setup) -> Maintenance {
    let Some((from, to)) = setup.maintenance else { return Maintenance::default() };
    let time = |milliseconds: u64| format!("21:{:02}", milliseconds / 60_000);
    let window = format!("Sat {}-{}", time(from), time(to));
    Maintenance::new(&[window], TimeZone::UTC).expect("a window")
}

fn capabilities(setup: &Setup) -> Capabilities {
    let batch = BatchRules { max_items: setup.max_items, one_quantity: setup.quantities, one_unit: false };
    Capabilities {
        breaks: !setup.quantities,
        offers: setup.offers,
        absent_line: AbsentLine::Failed,
        customers_batch: BatchRules::up_to(setup.max_items),
        prices_batch: batch,
        stock_batch: BatchRules::up_to(setup.max_items),
        company_matters: true,
        contract_matters: true,
        ..Capabilities::plain()
    }
}

/// The place of a kind among the machine's operations.
fn operation(kind: Kind) -> usize {
    match kind {
        Kind::Customers => 0,
        Kind::Prices => 1,
        Kind::Stock => 2,
    }
}
