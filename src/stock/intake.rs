//! The writer: one thread that judges, makes durable, shows and answers, in this order and for everything.
//!
//! A round takes all that waits, judges it on figures that run ahead of what is visible, and appends what it did to the
//! journal; then one sync for all of it. Only what is durable is shown, and only what is shown is answered: also to whoever
//! repeats themselves, for their first try may be in the same round. Meanwhile the next round gathers.
//!
//! Where storage fails, what the rules believe is ahead of the disk: nothing more is taken until a start reads the disk
//! again. What is visible stays to be read.

pub mod queue;
pub mod tally;
mod waiting;
mod working;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::oneshot;

use self::queue::{Held, Job, Pushed, Queue, Ticket};
use self::tally::Tally;
use self::waiting::Waiting;
pub use self::working::{PLACES_MAX, Room, Working};
use super::bell::Bell;
use super::changes::ChangeLog;
use super::config::StockConfig;
use super::event::{Batch, Event, Verdict};
use super::judge::{Decision, Judge, Restated, Staged};
use super::levels::{Levels, Standing};
use super::pack::pack;
use super::report::SourceReport;
use super::request::{Answer, IntakeError, Request, SnapshotAnswer, SnapshotError};
use super::store::Lazy;
use crate::clock::{Clock, Mono, Reading, Timestamp};
use crate::domain::Sku;
use crate::domain::ids::SourceId;
use crate::journal::{GroupJournal, JournalError};
use crate::mutants::mutant;

/// What readers see.
#[derive(Debug)]
pub struct Visible {
    pub levels: Levels,
    /// Held by the writer for one request's rows, and by readers for one page.
    pub log: RwLock<ChangeLog<Sku>>,
    /// Replaced after each round, for the sources that were in it.
    pub reports: RwLock<HashMap<SourceId, SourceReport>>,
    /// How long after it was true at its source the newest of a source's changes became visible, where it said when.
    pub lags: RwLock<HashMap<SourceId, Duration>>,
    /// When this process began to listen.
    pub started: Timestamp,
    /// Rung when something new is to be seen.
    pub bells: RwLock<Vec<Arc<Bell>>>,
}

impl Visible {
    fn ring(&self) {
        self.bells.read().iter().for_each(|bell| bell.ring());
    }
}

pub(super) struct Intake {
    judge: Judge,
    journal: GroupJournal,
    visible: Arc<Visible>,
    queue: Arc<Queue>,
    lazy: Arc<Lazy>,
    clock: Clock,
    waiting: Waiting,
    callers: HashMap<Ticket, oneshot::Sender<Result<Answer, IntakeError>>>,
    tickets: Ticket,
    next_id: u64,
    record: Vec<u8>,
    /// Of the round before: each would else grow from nothing.
    room: Room,
    tally: Tally,
}

/// Changes of one round, about. More would only make those who came first wait longer, and take memory that is not given
/// back soon.
const ROUND_CHANGES: usize = 4096;

/// Rows that end in one round.
const ENDED_AT_ONCE: usize = 1000;

/// Places in the change log taken in while its readers wait.
const LOGGED_AT_ONCE: usize = 1000;

/// Of the record that is packed. Bytes.
const RECORD_BYTES_KEPT: usize = 1 << 20;

/// What one request did, until it is durable.
struct Done {
    batch: Batch,
    standing: Standing,
    changes: usize,
    /// When the newest of what was taken was true at its source.
    effective_at: Option<Timestamp>,
    caller: Caller,
}

enum Caller {
    Push(oneshot::Sender<Pushed>, Answer),
    Held(Option<oneshot::Sender<Result<Answer, IntakeError>>>, Answer),
    Skip(oneshot::Sender<Result<SourceReport, IntakeError>>),
    /// Time did it.
    Nobody,
}

/// Whoever still waits when the thread ends, however it ends, is told so.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        // Where it ended by itself the queue is closed already; what a panic left behind is not to be believed.
        match std::thread::panicking() {
            true => self.0.give_up(IntakeError::Broken),
            false => self.0.close(IntakeError::ReadOnly),
        }
        let mut jobs = Vec::new();
        while self.0.take(usize::MAX, &mut jobs).is_some() {
            jobs.drain(..).for_each(|job| refuse(job, &self.0));
        }
    }
}

impl Intake {
    pub fn new(
        judge: Judge,
        journal: GroupJournal,
        visible: Arc<Visible>,
        queue: Arc<Queue>,
        lazy: Arc<Lazy>,
        clock: Clock,
        config: &StockConfig,
    ) -> Self {
        let next_id = visible.log.read().next_id();
        Self {
            judge,
            journal,
            visible,
            queue,
            lazy,
            clock,
            waiting: Waiting::new(config),
            callers: HashMap::new(),
            tickets: 0,
            next_id,
            record: Vec::new(),
            room: Room::default(),
            tally: Tally::new(config),
        }
    }

    /// Until the queue is closed and empty, or storage fails.
    pub fn run(mut self) {
        let ending = Ending(Arc::clone(&self.queue));
        let mut jobs = Vec::new();
        while self.queue.take(ROUND_CHANGES, &mut jobs).is_some() {
            if let Err(error) = self.round(&mut jobs) {
                tracing::error!(%error, reason = "intake_read_only", "nothing more is taken into the ledger");
                self.queue.close(IntakeError::ReadOnly);
                break;
            }
        }
        let why = self.queue.closed().unwrap_or(IntakeError::Stopped);
        for (_, caller) in self.callers.drain() {
            // Whoever does not wait any more does not miss it.
            let _ = caller.send(Err(why));
        }
        drop(ending);
    }

    fn round(&mut self, jobs: &mut Vec<Job>) -> Result<(), Failed> {
        let visible = Arc::clone(&self.visible);
        let mut working = Working::within(std::mem::take(&mut self.room), &visible.levels, self.next_id);
        let now = self.clock.read();
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            match job {
                Job::Push { request, reply } => self.push(request, reply, &mut working, now, &mut done),
                Job::Skip { source, to, reply } => self.skip(source, to, reply, &mut working, now.wall, &mut done),
                // It comes alone: nothing was decided before it that is not visible.
                Job::Snapshot { staged, reply } => {
                    let source = staged.source().clone();
                    self.snapshot(*staged, reply, now.wall)?;
                    working = Working::new(&visible.levels, self.next_id);
                    self.go_on(&source, &mut working, now.wall, &mut done);
                }
                Job::Tick => self.tick(&mut working, now, &mut done),
                Job::Gone(ticket) => self.withdraw(ticket),
            }
        }
        self.next_id = working.next_id();
        self.room = working.into_room();
        self.finish(done)
    }

    /// A snapshot is judged on what is visible, made durable, and shown in small steps that nobody waits for.
    fn snapshot(
        &mut self,
        staged: Staged,
        reply: oneshot::Sender<Result<SnapshotAnswer, SnapshotError>>,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let visible = Arc::clone(&self.visible);
        let mut working = Working::new(&visible.levels, self.next_id);
        let source = staged.source().clone();
        let Restated { answer, mut events, planes } = match self.judge.put_snapshot(&mut working, staged, now) {
            Ok(restated) => restated,
            Err(error) => {
                self.queue.done(1);
                // Whoever does not wait any more comes back for it.
                let _ = reply.send(Err(error));
                return Ok(());
            }
        };
        working.log(now, &mut events);
        self.next_id = working.next_id();
        drop(working);
        let batch = Batch { source, at: now, events };
        let committed = self.put(&batch).and_then(|()| self.journal.commit());
        let end = match committed {
            Ok(end) => end,
            Err(error) => {
                self.queue.done(1);
                let _ = reply.send(Err(IntakeError::ReadOnly.into()));
                return Err(error.into());
            }
        };
        visible.levels.restate(&batch, &planes, self.judge.standing(&batch.source));
        for some in batch.events.chunks(LOGGED_AT_ONCE) {
            let mut log = visible.log.write();
            for event in some {
                if let Event::Logged { sku, id, urgent, .. } = event {
                    log.stage(sku, *id, *urgent);
                }
            }
        }
        visible.log.write().publish();
        visible.ring();
        self.report(HashSet::from([&batch.source]));
        self.queue.done(1);
        let _ = reply.send(Ok(answer));
        self.lazy.take(std::iter::once(batch), end).map_err(|_| Failed::Rows)
    }

    fn finish(&mut self, done: Vec<Done>) -> Result<(), Failed> {
        if mutant!(VisibleBeforeDurable) {
            self.show(&done);
        }
        let mut batches = done.iter().map(|done| &done.batch);
        let committed = batches.try_for_each(|batch| self.put(batch)).and_then(|()| self.journal.commit());
        let end = match committed {
            Ok(end) => end,
            Err(error) if mutant!(AcknowledgedBeforeDurable) => {
                self.answer(done);
                return Err(error.into());
            }
            Err(error) => {
                done.into_iter().for_each(|done| done.caller.refuse(done.changes, &self.queue));
                return Err(error.into());
            }
        };
        if !mutant!(VisibleBeforeDurable) {
            self.show(&done);
        }
        let batches = self.answer(done);
        let batches = batches.into_iter().filter(|batch| !batch.events.is_empty());
        self.lazy.take(batches, end).map_err(|_| Failed::Rows)
    }

    fn push(
        &mut self,
        request: Request,
        reply: oneshot::Sender<Pushed>,
        working: &mut Working<'_>,
        now: Reading,
        done: &mut Vec<Done>,
    ) {
        let changes = request.changes.len().max(1);
        let request = if self.judge.must_wait(&request) && !mutant!(EarlyIsNotHeld) {
            match self.hold(request, now.mono) {
                Ok(held) => {
                    self.queue.done(changes);
                    if let Err(Pushed::Held(held)) = reply.send(Pushed::Held(held)) {
                        self.withdraw(held.ticket);
                    }
                    return;
                }
                Err(request) => request,
            }
        } else {
            request
        };
        let caller = |answer| Caller::Push(reply, answer);
        self.decide(&request, working, now.wall, changes, caller, done);
        self.go_on(&request.source, working, now.wall, done);
    }

    fn skip(
        &mut self,
        source: SourceId,
        to: Option<u64>,
        reply: oneshot::Sender<Result<SourceReport, IntakeError>>,
        working: &mut Working<'_>,
        now: Timestamp,
        done: &mut Vec<Done>,
    ) {
        match self.judge.skip_gap(working, &source, to, now) {
            Ok(decision) => {
                done.push(self.done(&source, decision.events, working, now, 1, Caller::Skip(reply)));
                self.go_on(&source, working, now, done);
            }
            Err(error) => {
                self.queue.done(1);
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Some time may be over: that of requests that are held, and of rows.
    fn tick(&mut self, working: &mut Working<'_>, now: Reading, done: &mut Vec<Done>) {
        while let Some((ticket, request)) = self.waiting.expired(now.mono) {
            self.decide_held(ticket, &request, working, now.wall, done);
            self.go_on(&request.source, working, now.wall, done);
        }
        for (source, events) in self.judge.expire(working, now.wall, ENDED_AT_ONCE) {
            done.push(self.done(&source, events, working, now.wall, 0, Caller::Nobody));
        }
    }

    fn hold(&mut self, request: Request, now: Mono) -> Result<Held, Request> {
        let ticket = self.tickets;
        let until = self.waiting.hold(request, ticket, now)?;
        self.tickets += 1;
        let (caller, answer) = oneshot::channel();
        self.callers.insert(ticket, caller);
        Ok(Held { ticket, until, answer })
    }

    fn withdraw(&mut self, ticket: Ticket) {
        self.waiting.withdraw(ticket);
        self.callers.remove(&ticket);
    }

    /// The source's position may have moved: what waited for that goes on.
    fn go_on(&mut self, source: &SourceId, working: &mut Working<'_>, now: Timestamp, done: &mut Vec<Done>) {
        while let Some((ticket, request)) = self.waiting.ready(source, |request| self.judge.must_wait(request)) {
            self.decide_held(ticket, &request, working, now, done);
        }
    }

    fn decide_held(
        &mut self,
        ticket: Ticket,
        request: &Request,
        working: &mut Working<'_>,
        now: Timestamp,
        done: &mut Vec<Done>,
    ) {
        let caller = self.callers.remove(&ticket);
        self.decide(request, working, now, 0, |answer| Caller::Held(caller, answer), done);
    }

    fn decide(
        &mut self,
        request: &Request,
        working: &mut Working<'_>,
        now: Timestamp,
        changes: usize,
        caller: impl FnOnce(Answer) -> Caller,
        done: &mut Vec<Done>,
    ) {
        let Decision { outcomes, last_sequence, expected_sequence, events } = self.judge.decide(working, request, now);
        debug_assert_eq!(outcomes.len(), request.changes.len(), "one outcome per change");
        let taken = request.changes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.verdict == Verdict::Applied);
        let effective_at = taken.filter_map(|(change, _)| change.effective_at).max();
        let answer = Answer::of(outcomes, last_sequence, expected_sequence);
        let done_now = self.done(&request.source, events, working, now, changes, caller(answer));
        done.push(Done { effective_at, ..done_now });
    }

    fn done(
        &mut self,
        source: &SourceId,
        mut events: Vec<Event>,
        working: &mut Working<'_>,
        now: Timestamp,
        changes: usize,
        caller: Caller,
    ) -> Done {
        working.log(now, &mut events);
        let batch = Batch { source: source.clone(), at: now, events };
        Done { batch, standing: self.judge.standing(source), changes, effective_at: None, caller }
    }

    fn put(&mut self, batch: &Batch) -> Result<(), JournalError> {
        if batch.events.is_empty() {
            return Ok(());
        }
        self.record.clear();
        pack(batch, &mut self.record);
        self.journal.put(&self.record)?;
        // That of a snapshot was a large one.
        self.record.shrink_to(RECORD_BYTES_KEPT);
        Ok(())
    }

    /// Figures first, then that they changed: whoever hears of a change finds it.
    fn show(&self, done: &[Done]) {
        let Visible { levels, log, .. } = &*self.visible;
        for Done { batch, standing, .. } in done {
            if batch.events.is_empty() && *standing == Standing::default() {
                // A name that nobody knows leaves no trace.
                continue;
            }
            levels.apply_with(batch, *standing);
            let mut log = log.write();
            for event in &batch.events {
                if let Event::Logged { sku, id, urgent, .. } = event {
                    log.apply(sku, *id, *urgent);
                }
            }
            log.publish();
        }
        self.visible.ring();
        self.report(done.iter().map(|done| &done.batch.source).collect());
        let now = self.clock.read().wall;
        for Done { batch, effective_at, .. } in done {
            if let Some(at) = effective_at {
                self.visible.lags.write().insert(batch.source.clone(), at.until(now));
            }
        }
    }

    fn report(&self, sources: HashSet<&SourceId>) {
        let now = self.clock.read().wall;
        let new: Vec<_> = sources.into_iter().filter_map(|source| self.judge.report(source, now)).collect();
        let mut reports = self.visible.reports.write();
        for report in new {
            reports.insert(report.source.clone(), report);
        }
    }

    fn answer(&mut self, done: Vec<Done>) -> Vec<Batch> {
        // There is room again before anybody who is answered comes with more.
        self.queue.done(done.iter().map(|done| done.changes).sum());
        let answered = done.into_iter().map(|done| {
            if let Caller::Push(_, answer) | Caller::Held(_, answer) = &done.caller {
                self.tally.count(&done.batch.source, &answer.outcomes);
            }
            // Whoever does not wait any more comes back for it.
            match done.caller {
                Caller::Push(caller, answer) => drop(caller.send(Pushed::Answered(Ok(answer)))),
                Caller::Held(caller, answer) => drop(caller.map(|caller| caller.send(Ok(answer)))),
                Caller::Nobody => {}
                Caller::Skip(caller) => {
                    let report = self.visible.reports.read().get(&done.batch.source).cloned();
                    drop(caller.send(report.ok_or(IntakeError::UnknownSource)));
                }
            }
            done.batch
        });
        answered.collect()
    }
}

impl Caller {
    fn refuse(self, changes: usize, queue: &Queue) {
        queue.done(changes);
        let why = IntakeError::ReadOnly;
        match self {
            Caller::Push(caller, _) => drop(caller.send(Pushed::Answered(Err(why)))),
            Caller::Held(caller, _) => drop(caller.map(|caller| caller.send(Err(why)))),
            Caller::Skip(caller) => drop(caller.send(Err(why))),
            Caller::Nobody => {}
        }
    }
}

fn refuse(job: Job, queue: &Queue) {
    queue.done(job.changes());
    let why = queue.closed().unwrap_or(IntakeError::ReadOnly);
    match job {
        Job::Push { reply, .. } => drop(reply.send(Pushed::Answered(Err(why)))),
        Job::Skip { reply, .. } => drop(reply.send(Err(why))),
        Job::Snapshot { reply, .. } => drop(reply.send(Err(why.into()))),
        Job::Tick | Job::Gone(_) => {}
    }
}

/// Why the thread ends.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the ledger's rows are not written any more, and the journal would only grow")]
    Rows,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_panics_is_not_one_whose_storage_failed() {
        for (panics, why) in [(true, IntakeError::Broken), (false, IntakeError::ReadOnly)] {
            let queue = Arc::new(Queue::new(10));
            let (reply, skipped) = oneshot::channel();
            queue.put(Job::Skip { source: SourceId::new("wms").unwrap(), to: None, reply }, 1).unwrap();
            let ending = Ending(queue.clone());
            let writer = std::thread::spawn(move || {
                let _ending = ending;
                assert!(!panics, "on purpose");
            });
            assert_eq!(writer.join().is_err(), panics);
            assert_eq!((queue.closed(), skipped.blocking_recv().unwrap().unwrap_err()), (Some(why), why));
            assert_eq!(queue.changes(), 0);
        }
    }
}
