//! Runs the machine: reads the clock, makes the calls, wakes the pages.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;

use super::ask::Ask;
use super::budget::Budget;
use super::lane::{Account, Lane};
use super::machine::{Asked, Demand, Departure, Machine};
use super::page::{Page, Place};
use super::refusal::Refusal;
use crate::clock::{Clock, Mono, Reading, Stamp};
use crate::erp::connector::{Call, Connector, Operation, Reply};
use crate::erp::error::ErpError;

/// What becomes of a call that is over. Whoever builds the dispatcher says it; the dispatcher knows no caches.
pub trait Landing: Send + Sync + 'static {
    /// What a waiting page gets for one ask.
    type Outcome: Clone + Send + 'static;

    /// Taken before the first byte of a call leaves.
    fn stamp(&self) -> Stamp;

    /// Remembers what the call brought and says what each ask comes to, in the order of `landed.asks`. Whatever is
    /// remembered must be readable when this returns: from then on new askers find no flight to join.
    fn land(&self, landed: Landed<'_>) -> Vec<Self::Outcome>;

    /// What an ask comes to that will not be answered now.
    fn refused(&self, refusal: Refusal) -> Self::Outcome;
}

/// A call that is over.
#[derive(Debug)]
pub struct Landed<'a> {
    pub call: &'a Call,
    pub asks: &'a [Ask],
    pub reply: Result<Reply, ErpError>,
    pub start: Reading,
    pub stamp: Stamp,
}

/// How much somebody needs the answer to one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The page waits for it.
    Awaited,
    /// Nobody waits: it is fetched in the background, for the next who asks.
    Refresh,
    /// It would be good to know: it fills a free place of a call of its group that leaves anyway, never causes one, and is
    /// forgotten after a while.
    Rider,
}

/// One ask of a page, and how fresh its answer must be.
#[derive(Clone, Debug)]
pub struct Want {
    pub ask: Ask,
    pub demand: Demand,
    pub need: Need,
    /// It is the stock of the SKU whose price is the want before it.
    pub with_price: bool,
}

/// A page, asked for in one step.
#[derive(Clone, Debug)]
pub struct PageAsk<'a> {
    /// The page's places are the positions in here.
    pub wants: Vec<Want>,
    pub lane: Lane,
    /// Who is charged.
    pub account: Account,
    /// Until when somebody waits for the page. What cannot come by then is refused at once and fetched in the background;
    /// where it has passed already nobody waits, and nothing is refused for it.
    pub deadline: Mono,
    /// The request, for the log.
    pub asked_by: &'a Arc<str>,
    /// Wake whenever something has arrived, not only at the end.
    pub every_landing: bool,
}

pub struct Dispatcher<L: Landing> {
    /// A mutex around pure code: held to decide, never across anything that waits.
    machine: Mutex<Machine<Place<L::Outcome>>>,
    connector: Arc<dyn Connector>,
    landing: L,
    clock: Clock,
    budget: Budget,
    /// A task sleeps until the next slot of the minute comes back.
    timer_set: AtomicBool,
    metrics: Metrics,
}

impl<L: Landing> Dispatcher<L> {
    pub fn new(connector: Arc<dyn Connector>, landing: L, budget: Budget, clock: Clock) -> Arc<Self> {
        let machine = Mutex::new(Machine::new(connector.capabilities().clone(), &budget));
        let metrics = Metrics::new();
        Arc::new(Self { machine, connector, landing, clock, budget, timer_set: AtomicBool::new(false), metrics })
    }

    pub fn landing(&self) -> &L {
        &self.landing
    }

    pub fn connector(&self) -> &dyn Connector {
        &*self.connector
    }

    /// Asks for a whole page in one step.
    pub fn ask(self: &Arc<Self>, page_ask: PageAsk<'_>) -> Page<L::Outcome> {
        let PageAsk { wants, asked_by, every_landing, .. } = page_ask;
        let page = Page::new(wants.iter().filter(|want| want.need == Need::Awaited).count(), every_landing);
        let mut refused = Vec::new();
        let departures = {
            let mut machine = self.machine.lock();
            let mut price_waits = false;
            for (index, want) in wants.into_iter().enumerate() {
                if want.need == Need::Rider {
                    // It causes no call; what it could ride in leaves without it.
                    continue;
                }
                let place = page.place(index, want.need == Need::Awaited);
                let rides = want.with_price && price_waits;
                let asked = machine.ask(want.ask, want.demand, place, asked_by, rides);
                price_waits = matches!(asked, Ok(Asked::Queued | Asked::JoinedQueue));
                refused.extend(asked.err());
            }
            machine.pump(self.clock.read(), self.landing.stamp())
        };
        self.metrics.refused.increment(refused.len() as u64);
        for place in refused {
            place.fill(self.landing.refused(Refusal::QueueFull));
        }
        self.send(departures);
        page
    }

    /// The hard limit of one call.
    pub fn call_limit(&self) -> Duration {
        self.budget.timeout
    }

    /// Keys waiting and calls in the air, for gauges.
    pub fn load(&self) -> (usize, usize) {
        let machine = self.machine.lock();
        (machine.waiting(), machine.in_flight())
    }

    fn send(self: &Arc<Self>, departures: Vec<Departure>) {
        for departure in departures {
            tokio::spawn(self.clone().fly(departure));
        }
        self.set_timer();
    }

    /// One call from departure to landing: a task of the gateway's own, whoever asked for it.
    async fn fly(self: Arc<Self>, departure: Departure) {
        let Departure { id, call, asks, start, stamp, asked_by } = departure;
        let attempt = AssertUnwindSafe(self.connector.call(&call)).catch_unwind();
        let reply = match tokio::time::timeout(self.budget.timeout, attempt).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(ErpError::Garbled("the connector panicked".into())),
            Err(_) => Err(ErpError::Timeout(self.budget.timeout)),
        };
        let took = self.clock.mono().since(start.mono);
        self.metrics.call(call.operation(), call.lines(), took, reply.as_ref().err());
        match &reply {
            Ok(_) => tracing::debug!(
                call = id.0, operation = call.operation().as_str(), lines = call.lines(), ?took, request_id = %asked_by,
                "ERP call"
            ),
            Err(error) => tracing::warn!(
                call = id.0, operation = call.operation().as_str(), lines = call.lines(), ?took, request_id = %asked_by,
                reason = error.reason(), %error, "ERP call failed"
            ),
        }
        let span = tracing::info_span!("landing", call = id.0, request_id = %asked_by);
        let landed = Landed { call: &call, asks: &asks, reply, start, stamp };
        let outcomes = span.in_scope(|| self.landing.land(landed));
        debug_assert_eq!(outcomes.len(), asks.len());
        let (waiters, departures) = {
            let mut machine = self.machine.lock();
            let now = self.clock.read();
            let waiters = machine.land(id, now.mono);
            (waiters, machine.pump(now, self.landing.stamp()))
        };
        // The ERP first, then those who waited for it.
        self.send(departures);
        for (outcome, places) in outcomes.into_iter().zip(waiters) {
            for place in places {
                place.fill(outcome.clone());
            }
        }
    }

    /// Wakes the machine when a slot of the minute comes back, if that is what it waits for.
    fn set_timer(self: &Arc<Self>) {
        let Some(at) = self.machine.lock().next_wake() else { return };
        if self.timer_set.swap(true, Ordering::AcqRel) {
            return;
        }
        let dispatcher = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(dispatcher.clock.instant(at)).await;
            dispatcher.timer_set.store(false, Ordering::Release);
            let departures = dispatcher.machine.lock().pump(dispatcher.clock.read(), dispatcher.landing.stamp());
            dispatcher.send(departures);
        });
    }
}

struct Metrics {
    refused: metrics::Counter,
}

impl Metrics {
    fn new() -> Self {
        metrics::describe_counter!("comptoir_erp_calls_total", "ERP calls by operation and outcome");
        metrics::describe_counter!("comptoir_erp_lines_total", "Lines asked of the ERP by operation");
        metrics::describe_histogram!("comptoir_erp_call_seconds", metrics::Unit::Seconds, "Duration of ERP calls");
        metrics::describe_counter!("comptoir_erp_refused_lines_total", "Lines there was no room for in the queue");
        Self { refused: metrics::counter!("comptoir_erp_refused_lines_total") }
    }

    fn call(&self, operation: Operation, lines: usize, took: Duration, error: Option<&ErpError>) {
        let operation = operation.as_str();
        let outcome = error.map_or("ok", ErpError::reason);
        metrics::counter!("comptoir_erp_calls_total", "operation" => operation, "outcome" => outcome).increment(1);
        metrics::counter!("comptoir_erp_lines_total", "operation" => operation).increment(lines as u64);
        metrics::histogram!("comptoir_erp_call_seconds", "operation" => operation).record(took);
    }
}
