//! What is asked of channels and waits for the writer. Each of these has a caller who waits for the answer, so there are no
//! more of them than callers.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::channel::error::ChannelError;
use crate::channel::event::Event;
use crate::channel::machine::Machine;
use crate::clock::Timestamp;
use crate::stock::Bell;

/// Tells whoever asked, once it is durable and shown, or why it is not.
pub type Reply = Box<dyn FnOnce(Result<(), ChannelError>) + Send>;

pub type Act = Box<dyn FnOnce(&mut Machine, Timestamp, &mut Vec<Event>) -> Reply + Send>;

/// Something to be done to one channel.
pub struct Job {
    pub channel: usize,
    pub act: Act,
    pub refused: Reply,
}

impl Job {
    pub fn refuse(self, why: ChannelError) {
        (self.refused)(Err(why));
    }
}

#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    closed: Option<ChannelError>,
}

impl Queue {
    pub fn put(&self, job: Job) {
        let mut state = self.state.lock();
        if let Some(why) = state.closed {
            drop(state);
            return job.refuse(why);
        }
        state.jobs.push(job);
        drop(state);
        self.bell.ring();
    }

    pub fn take(&self) -> Vec<Job> {
        std::mem::take(&mut self.state.lock().jobs)
    }

    /// Nothing more is taken.
    pub fn close(&self, why: ChannelError) {
        self.state.lock().closed.get_or_insert(why);
        self.bell.ring();
    }

    pub fn closed(&self) -> Option<ChannelError> {
        self.state.lock().closed
    }

    /// Rung for whatever the writer has to look at.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }
}
