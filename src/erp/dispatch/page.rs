//! Who waits: a page, with one place per ask. It is woken once, when its last place is filled (or at every landing, for a
//! caller that streams), not once per line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::machine::Waiter;
use super::watch::Watch;
use crate::clock::{Clock, Mono};

/// Where outcomes of a page's asks arrive. Dropping it costs nobody else anything: the flights go on.
#[derive(Debug)]
pub struct Page<O> {
    shared: Arc<Shared<O>>,
    watch: Option<Arc<Watch>>,
}

#[derive(Debug)]
struct Shared<O> {
    /// A mutex, held to put in or take out; a landing call and the page meet here.
    arrived: Mutex<Vec<(usize, O)>>,
    missing: AtomicUsize,
    wake: Notify,
    every_landing: bool,
    /// Until when somebody waits, unless they leave before.
    deadline: Mono,
    left: AtomicBool,
}

/// One place of a page.
#[derive(Debug)]
pub struct Place<O> {
    shared: Arc<Shared<O>>,
    index: usize,
}

impl<O> Page<O> {
    /// A page that waits for `places` asks. `every_landing`: wake whenever something has arrived, not only at the end.
    /// Nobody waits for it any more after `deadline`.
    pub(super) fn new(places: usize, every_landing: bool, deadline: Mono, watch: Option<Arc<Watch>>) -> Self {
        let shared = Shared {
            arrived: Mutex::new(Vec::new()),
            missing: AtomicUsize::new(places),
            wake: Notify::new(),
            every_landing,
            deadline,
            left: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), watch }
    }

    pub(super) fn place(&self, index: usize) -> Place<O> {
        Place { shared: self.shared.clone(), index }
    }

    /// What becomes of it, where that was asked for.
    pub fn watch(&self) -> Option<&Watch> {
        self.watch.as_deref()
    }

    pub fn is_complete(&self) -> bool {
        self.shared.missing.load(Ordering::Acquire) == 0
    }

    /// Waits until everything has arrived, or until the deadline.
    pub async fn wait(&self, clock: &Clock, deadline: Mono) {
        if self.is_complete() || deadline <= clock.mono() {
            return;
        }
        let complete = async {
            while !self.is_complete() {
                self.shared.wake.notified().await;
            }
        };
        let _ = tokio::time::timeout_at(clock.instant(deadline), complete).await;
    }

    /// Waits until something has arrived that was not taken yet. `false`: the deadline came first.
    pub async fn wait_for_some(&self, clock: &Clock, deadline: Mono) -> bool {
        let some = async {
            while self.shared.arrived.lock().is_empty() {
                self.shared.wake.notified().await;
            }
        };
        tokio::time::timeout_at(clock.instant(deadline), some).await.is_ok()
    }

    /// What has arrived since the last time, by place.
    pub fn take(&self) -> Vec<(usize, O)> {
        std::mem::take(&mut *self.shared.arrived.lock())
    }
}

impl<O> Drop for Page<O> {
    /// Whoever waited has left; the dispatcher sees it when it is the turn of one of the page's asks.
    fn drop(&mut self) {
        self.shared.left.store(true, Ordering::Relaxed);
    }
}

impl<O> Waiter for Place<O> {
    fn waits_at(&self, at: Mono) -> bool {
        at <= self.shared.deadline && !self.shared.left.load(Ordering::Relaxed)
    }
}

impl<O> Place<O> {
    pub(super) fn fill(self, outcome: O) {
        let Self { shared, .. } = &self;
        shared.arrived.lock().push((self.index, outcome));
        let last = shared.missing.fetch_sub(1, Ordering::AcqRel) == 1;
        if last || shared.every_landing {
            shared.wake.notify_one();
        }
    }
}
