//! Runs the machine: reads the clock, makes the calls, wakes the pages.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::ask::Ask;
use super::budget::Budget;
use super::lane::{Account, Lane};
use super::machine::{Demand, Departure, Ended, Load, Machine, Terms, Whereabouts};
use super::metrics::Metrics;
use super::page::{Page, Place};
use super::refusal::Refusal;
use super::watch::{SeenEnd, Watches};
use crate::clock::{Clock, Mono, Reading, Stamp};
use crate::erp::connector::{Call, Connector, Reply};
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
    /// Note what becomes of it: see [`Page::watch`].
    pub watched: bool,
}

pub struct Dispatcher<L: Landing> {
    /// A mutex around pure code: held to decide, never across anything that waits.
    core: Mutex<Core<L::Outcome>>,
    connector: Arc<dyn Connector>,
    landing: L,
    clock: Clock,
    timeout: Duration,
    metrics: Metrics,
    watches: Watches,
}

struct Core<O> {
    machine: Machine<Place<O>>,
    /// When a task wakes it next.
    wakes_at: Mono,
}

/// What the machine decided, to be acted on without its lock.
struct Decided<O> {
    departures: Vec<Departure>,
    refused: Vec<(Place<O>, Refusal)>,
    /// A task is to wake the machine then.
    wake: Option<Mono>,
}

impl<O> Core<O> {
    fn decide(&mut self, now: Reading, stamp: Stamp) -> Decided<O> {
        let departures = self.machine.pump(now, stamp);
        let refused = self.machine.take_refused();
        let wake = self.machine.next_wake(now).filter(|at| *at < self.wakes_at);
        if let Some(at) = wake {
            self.wakes_at = at;
        }
        Decided { departures, refused, wake }
    }
}

impl<L: Landing> Dispatcher<L> {
    pub fn new(connector: Arc<dyn Connector>, landing: L, budget: Budget, clock: Clock) -> Arc<Self> {
        let machine = Machine::new(connector.capabilities().clone(), &budget, clock.mono());
        let core = Mutex::new(Core { machine, wakes_at: Mono::FAR_FUTURE });
        Arc::new(Self {
            core,
            connector,
            landing,
            clock,
            timeout: budget.timeout,
            metrics: Metrics::new(),
            watches: Watches::default(),
        })
    }

    pub fn landing(&self) -> &L {
        &self.landing
    }

    pub fn connector(&self) -> &dyn Connector {
        &*self.connector
    }

    /// Asks for a whole page in one step.
    pub fn ask(self: &Arc<Self>, page_ask: PageAsk<'_>) -> Page<L::Outcome> {
        let PageAsk { wants, lane, account, deadline, asked_by, every_landing, watched } = page_ask;
        let places = wants.iter().filter(|want| want.need == Need::Awaited).count();
        let watch = watched.then(|| self.watches.begin());
        let page = Page::new(places, every_landing, deadline, watch.clone());
        let now = self.clock.read();
        let decided = {
            let mut core = self.core.lock();
            let terms = Terms { lane, account: &account, deadline, asked_by, now };
            for (index, want) in wants.into_iter().enumerate() {
                let place = (want.need == Need::Awaited).then(|| page.place(index));
                let seen = watch.as_ref().map(|watch| (watch, want.clone()));
                let asked = core.machine.ask(&terms, want, place);
                if let Some((watch, want)) = seen {
                    watch.asked(want, asked);
                }
            }
            let decided = core.decide(now, self.landing.stamp());
            if let Some(watch) = &watch {
                watch.settled(&mut core.machine, now);
            }
            decided
        };
        self.act(decided);
        page
    }

    /// From here on no call leaves. What is in the air lands as ever.
    pub fn close(&self) {
        self.core.lock().machine.close();
    }

    /// The hard limit of one call.
    pub fn call_limit(&self) -> Duration {
        self.timeout
    }

    /// What is going on.
    pub fn load(&self) -> Load {
        self.core.lock().machine.load(self.clock.mono())
    }

    /// Where one key is: in which calls, or waiting in which lane behind whom.
    pub fn whereabouts(&self, ask: &Ask) -> Whereabouts {
        self.core.lock().machine.whereabouts(ask, self.clock.mono())
    }

    /// Brings gauges up to date.
    pub fn set_gauges(&self) {
        self.metrics.set_gauges(&self.load());
    }

    fn act(self: &Arc<Self>, decided: Decided<L::Outcome>) {
        // The ERP first, then those who are told.
        for departure in decided.departures {
            self.metrics.departed(&departure);
            tokio::spawn(self.clone().fly(departure));
        }
        if let Some(at) = decided.wake {
            tokio::spawn(self.clone().wake(at));
        }
        for (place, refusal) in decided.refused {
            self.metrics.refused(refusal);
            place.fill(self.landing.refused(refusal));
        }
    }

    /// One call from departure to landing: a task of the gateway's own, whoever asked for it.
    async fn fly(self: Arc<Self>, departure: Departure) {
        let Departure { id, call, asks, start, stamp, asked_by, .. } = departure;
        self.watches.saw(id, &call, &asks, start, None);
        let attempt = AssertUnwindSafe(self.connector.call(&call)).catch_unwind();
        let reply = match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(ErpError::Garbled("the connector panicked".into())),
            Err(_) => Err(ErpError::Timeout(self.timeout)),
        };
        let took = self.clock.mono().since(start.mono);
        self.metrics.landed(call.operation(), call.lines(), took, reply.as_ref().err());
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
        let failed = reply.as_ref().err().map(ErpError::reason);
        self.watches.saw(id, &call, &asks, start, Some(SeenEnd { took, failed }));
        let ended = reply.as_ref().map_or_else(Ended::from, |_| Ended::Answered);
        let span = tracing::info_span!("landing", call = id.0, request_id = %asked_by);
        let landed = Landed { call: &call, asks: &asks, reply, start, stamp };
        let outcomes = span.in_scope(|| self.landing.land(landed));
        debug_assert_eq!(outcomes.len(), asks.len());
        let (waiters, decided) = {
            let mut core = self.core.lock();
            let now = self.clock.read();
            let waiters = core.machine.land(id, ended, now.mono);
            (waiters, core.decide(now, self.landing.stamp()))
        };
        self.act(decided);
        for (outcome, places) in outcomes.into_iter().zip(waiters) {
            for place in places {
                place.fill(outcome.clone());
            }
        }
    }

    /// Wakes the machine at a moment from which on more may leave. One that was overtaken by an earlier one does no harm.
    fn wake(self: Arc<Self>, at: Mono) -> BoxFuture<'static, ()> {
        async move {
            tokio::time::sleep_until(self.clock.instant(at)).await;
            let decided = {
                let mut core = self.core.lock();
                if core.wakes_at == at {
                    core.wakes_at = Mono::FAR_FUTURE;
                }
                core.decide(self.clock.read(), self.landing.stamp())
            };
            self.act(decided);
        }
        .boxed()
    }
}
