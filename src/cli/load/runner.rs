//! Sends the plan's pages when they are due, whatever became of those before.
//!
//! A thread of its own makes each page and sleeps until its instant: it is never held up by answers, and latency counts
//! from that instant, so that a server that stalls is charged for everybody who came meanwhile (no coordinated omission).
//! All else is one thread: the machine under test is often this one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answer::{Line, read_grpc, read_json};
use super::client::{Failure, Grpc, Http, Target};
use super::erp::{Counters, Erp};
use super::plan::{Plan, Traffic};
use super::progress::Progress;
use super::tally::Tally;
use super::{Timeouts, question};
use crate::clock::{Clock, Mono};
use crate::domain::Purpose;

/// Which wire the pages take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wire {
    Http,
    Grpc,
    /// In turn.
    Both,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Load {
    pub traffic: Traffic,
    pub wire: Wire,
    pub target: Target,
    /// Of each wire; of HTTP more are opened while all are busy.
    pub connections: usize,
    pub timeouts: Timeouts,
    pub erp: Option<Target>,
}

/// What came of it.
pub struct Outcome {
    pub tally: Tally,
    /// From the first page's beginning to the last answer, or to the end of the plan if that was later.
    pub took: Duration,
    pub erp: Option<Counters>,
}

/// What a client waits beyond the time it gave the gateway. A gateway that keeps its word never needs it.
const GRACE: Duration = Duration::from_secs(2);

/// Pages made but not yet sent: more than a stall of this thread gathers.
const MADE_MAX: usize = 10_000;

/// So that the first pages are made before the first is due.
const RUN_UP: Duration = Duration::from_millis(100);

struct Made {
    due: Mono,
    purpose: Purpose,
    lines: usize,
    grpc: bool,
    question: Bytes,
}

/// Runs to the plan's end, or until `stop`. Within a `LocalSet`.
pub async fn run(load: Load, clock: Clock, stop: impl Future<Output = ()>) -> anyhow::Result<Outcome> {
    let http = Rc::new(Http::new(load.target.clone()));
    let grpc = Rc::new(Grpc::new(load.target.clone(), load.connections));
    if load.wire != Wire::Grpc {
        http.open(load.connections).await?;
    }
    if load.wire != Wire::Http {
        grpc.open().await?;
    }
    let erp = match load.erp.clone() {
        Some(target) => Some(Rc::new(Erp::begin(target).await?)),
        None => None,
    };
    let tally = Rc::new(RefCell::new(Tally::default()));
    let start = clock.mono().plus(RUN_UP);
    let (made, mut pages) = mpsc::channel(MADE_MAX);
    let plan = Plan::new(load.traffic.clone());
    let (wire, timeouts) = (load.wire, load.timeouts.clone());
    // It ends with the plan, or when nobody takes its pages any more.
    std::thread::spawn(move || pace(plan, wire, &timeouts, clock, start, &made));

    let progress = Progress::new(load.traffic.duration, tally.clone(), erp.clone(), clock, start);
    let progress = tokio::task::spawn_local(progress.run());
    let mut in_the_air = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            page = pages.recv() => match page {
                Some(page) => {
                    let patience = load.timeouts.of(page.purpose) + GRACE;
                    in_the_air.spawn_local(ask(page, patience, http.clone(), grpc.clone(), tally.clone(), clock));
                }
                None => break,
            },
            Some(_) = in_the_air.join_next() => {}
        }
    }
    let in_plan = clock.mono().since(start).min(load.traffic.duration);
    // Those under way are waited for, each as long as its patience lasts.
    while in_the_air.join_next().await.is_some() {}
    progress.abort();
    let _ = progress.await;
    let took = clock.mono().since(start).max(in_plan);
    let erp = match erp {
        Some(erp) => Some(erp.counters().await?),
        None => None,
    };
    let tally = std::mem::take(&mut *tally.borrow_mut());
    Ok(Outcome { tally, took, erp })
}

fn pace(plan: Plan, wire: Wire, timeouts: &Timeouts, clock: Clock, start: Mono, made: &mpsc::Sender<Made>) {
    for (number, page) in plan.enumerate() {
        let grpc = match wire {
            Wire::Http => false,
            Wire::Grpc => true,
            Wire::Both => number % 2 == 1,
        };
        let timeout = timeouts.of(page.purpose);
        let question = if grpc { question::grpc(&page, timeout) } else { question::json(&page, timeout) };
        let due = start.plus(page.at);
        std::thread::sleep(due.since(clock.mono()));
        let page = Made { due, purpose: page.purpose, lines: page.skus.len(), grpc, question };
        if made.blocking_send(page).is_err() {
            return;
        }
    }
}

async fn ask(page: Made, patience: Duration, http: Rc<Http>, grpc: Rc<Grpc>, tally: Rc<RefCell<Tally>>, clock: Clock) {
    tally.borrow_mut().sent(page.purpose, page.lines, clock.mono().since(page.due));
    let asking = async { if page.grpc { grpc.page(page.question).await } else { http.page(page.question).await } };
    let left = page.due.plus(patience);
    let answer = tokio::time::timeout_at(clock.instant(left), asking).await.unwrap_or(Err(Failure::NoAnswer));
    let latency = clock.mono().since(page.due);
    let mut tally = tally.borrow_mut();
    match answer {
        Ok(body) => {
            let mut lines = 0;
            let mut count = |line: Line<'_>| {
                lines += 1;
                tally.line(page.purpose, latency, line);
            };
            let read = if page.grpc { read_grpc(&body, &mut count) } else { read_json(&body, &mut count) };
            match read {
                Ok(()) if lines == page.lines => tally.answered(page.purpose, latency, body.len()),
                _ => tally.failed(page.purpose, latency, &Failure::Unreadable),
            }
        }
        Err(failure) => tally.failed(page.purpose, latency, &failure),
    }
}
