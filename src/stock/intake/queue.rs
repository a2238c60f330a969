//! What waits for the writer: bounded in changes, over all requests.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::clock::Mono;
use crate::domain::ids::SourceId;
use crate::stock::judge::Staged;
use crate::stock::report::SourceReport;
use crate::stock::request::{Answer, IntakeError, Request, SnapshotAnswer, SnapshotError};

/// A request that waits for numbers before its own.
pub type Ticket = u64;

#[derive(Debug)]
pub enum Job {
    Push {
        request: Request,
        reply: oneshot::Sender<Pushed>,
    },
    Skip {
        source: SourceId,
        to: Option<u64>,
        reply: oneshot::Sender<Result<SourceReport, IntakeError>>,
    },
    Snapshot {
        staged: Box<Staged>,
        reply: oneshot::Sender<Result<SnapshotAnswer, SnapshotError>>,
    },
    /// The wait of a held request may be over, or the time of a row.
    Tick,
    /// Nobody waits for a held request any more.
    Gone(Ticket),
}

/// What becomes of a request at first.
#[derive(Debug)]
pub enum Pushed {
    Answered(Result<Answer, IntakeError>),
    /// It came too early. The writer has no clock to wait by: whoever pushed says when it is time.
    Held(Held),
}

#[derive(Debug)]
pub struct Held {
    pub ticket: Ticket,
    pub until: Mono,
    pub answer: oneshot::Receiver<Result<Answer, IntakeError>>,
}

#[derive(Debug)]
pub struct Queue {
    /// A condition rather than a channel: the writer takes all there is at once, and the bound is in changes.
    state: Mutex<State>,
    filled: Condvar,
    changes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Of jobs that wait, and of those in the round that runs.
    changes: usize,
    closed: Option<IntakeError>,
}

impl Queue {
    pub fn new(changes_max: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), changes_max }
    }

    /// `changes`: at least 1.
    pub fn put(&self, job: Job, changes: usize) -> Result<(), IntakeError> {
        let mut state = self.state.lock();
        if let Some(why) = state.closed {
            return Err(why);
        }
        if state.changes + changes > self.changes_max {
            return Err(IntakeError::Full { limit: self.changes_max });
        }
        state.changes += changes;
        state.jobs.push_back(job);
        self.filled.notify_one();
        Ok(())
    }

    /// Tells the writer something about a request it has. There are no more of these than held requests.
    pub fn tell(&self, job: Job) {
        let mut state = self.state.lock();
        if state.closed.is_none() {
            state.jobs.push_back(job);
            self.filled.notify_one();
        }
    }

    /// Waits until there is something and takes it: about as many changes as `most`, and a snapshot alone: it is judged on
    /// what is visible. `None`: closed, and all is taken.
    pub fn take(&self, most: usize, jobs: &mut Vec<Job>) -> Option<()> {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.closed.is_some() {
                return None;
            }
            self.filled.wait(&mut state);
        }
        let mut changes = 0;
        while changes < most
            && let Some(job) = state.jobs.pop_front()
        {
            let is_alone = matches!(job, Job::Snapshot { .. });
            if is_alone && !jobs.is_empty() {
                state.jobs.push_front(job);
                break;
            }
            changes += job.changes();
            jobs.push(job);
            if is_alone {
                break;
            }
        }
        Some(())
    }

    /// So many changes were answered, or are held.
    pub fn done(&self, changes: usize) {
        self.state.lock().changes -= changes;
    }

    /// Changes that wait, or are in the round that runs.
    pub fn changes(&self) -> usize {
        self.state.lock().changes
    }

    /// Nothing more is taken. What waits is still there to be.
    pub fn close(&self, why: IntakeError) {
        let mut state = self.state.lock();
        // Storage that failed does not become a gateway that stops.
        state.closed.get_or_insert(why);
        self.filled.notify_one();
    }

    /// The same, whatever was said before.
    pub fn give_up(&self, why: IntakeError) {
        let mut state = self.state.lock();
        state.closed = Some(why);
        self.filled.notify_one();
    }

    pub fn closed(&self) -> Option<IntakeError> {
        self.state.lock().closed
    }
}

impl Job {
    /// What it counts for in the queue.
    pub fn changes(&self) -> usize {
        match self {
            Job::Push { request, .. } => request.changes.len().max(1),
            Job::Skip { .. } | Job::Snapshot { .. } => 1,
            Job::Tick | Job::Gone(_) => 0,
        }
    }
}
