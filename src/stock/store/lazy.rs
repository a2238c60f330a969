//! Writes the rows behind the journal, on a thread of its own: nobody who pushes waits for it, unless it falls far behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Dirty, Store};
use crate::journal::Position;
use crate::journal::group::drop_segments_before;
use crate::stock::event::Batch;

/// When rows are written, and how many may wait.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// As soon as so many wait.
    pub rows_due: usize,
    /// Or after so long.
    pub interval: Duration,
    /// With more, the writer of the journal waits.
    pub rows_max: usize,
    /// So long at most: then the storage counts as failed.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows_due: 6000, interval: Duration::from_secs(10), rows_max: 18_000, patience: Duration::from_secs(120) }
    }
}

/// The thread, and what waits for it.
#[derive(Debug)]
pub struct Lazy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held for moments only: by the writer of the journal after each round, and by the thread to take what waits. Parking
    /// lot's, as everywhere: a panic of one side must not become one of the other.
    state: Mutex<State>,
    changed: Condvar,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    dirty: Dirty,
    /// What was written last ends in this segment.
    written: u64,
    stop: bool,
    ended: bool,
    failed: bool,
}

/// The rows cannot be written any more: the journal would only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFailed;

impl Lazy {
    /// `journals`: the folder whose segments go once their rows are written.
    pub fn start(store: Store, journals: PathBuf, pace: Pace, written: Position) -> std::io::Result<Self> {
        let state = State { written: written.segment, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), pace });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("stock-rows".into()).spawn(move || of_thread.run(store, &journals))?;
        Ok(Self { shared })
    }

    /// Takes in what became durable, up to `end`.
    pub fn take(&self, batches: impl Iterator<Item = Batch>, end: Position) -> Result<(), StoreFailed> {
        let pace = &self.shared.pace;
        let mut state = self.shared.state.lock();
        while state.dirty.len() >= pace.rows_max && !state.failed {
            if self.shared.changed.wait_for(&mut state, pace.patience).timed_out() {
                tracing::error!("the ledger's rows were not written for {:?}: the storage hangs", pace.patience);
                state.failed = true;
            }
        }
        if state.failed || state.ended {
            return Err(StoreFailed);
        }
        batches.for_each(|batch| state.dirty.take(batch, end));
        if self.shared.is_due(&state) {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Writes what waits and ends the thread. `Err`: the rows are older than the journal; the next start replays it.
    pub fn close(&self) -> Result<(), StoreFailed> {
        let mut state = self.shared.state.lock();
        state.stop = true;
        self.shared.changed.notify_all();
        while !state.ended {
            if self.shared.changed.wait_for(&mut state, self.shared.pace.patience).timed_out() {
                tracing::error!("the ledger's rows could not be written at the end");
                return Err(StoreFailed);
            }
        }
        if state.failed { Err(StoreFailed) } else { Ok(()) }
    }
}

impl Shared {
    /// Many rows, or a whole segment that could go.
    fn is_due(&self, state: &State) -> bool {
        state.dirty.len() >= self.pace.rows_due || state.dirty.position.segment > state.written
    }

    fn run(&self, mut store: Store, journals: &std::path::Path) {
        // Two take turns: one is filled while the other is written, and neither grows anew each time.
        let mut dirty = Dirty::default();
        let failed = loop {
            let stop = self.wait(&mut dirty);
            if !dirty.is_empty() {
                let position = dirty.position;
                if let Err(error) = store.write(&mut dirty) {
                    tracing::error!(%error, reason = error.reason(), "the ledger's rows cannot be written");
                    break true;
                }
                // A snapshot may have needed more room than ever again.
                dirty.shrink_to(self.pace.rows_max);
                if let Err(error) = drop_segments_before(journals, position) {
                    tracing::warn!(%error, "segments of the ledger's journal that are not needed stay");
                }
                let mut state = self.state.lock();
                state.written = position.segment;
                self.changed.notify_all();
            }
            if stop {
                break false;
            }
        };
        // Whoever opens the folder next finds the engine's own lock free.
        drop(store);
        let mut state = self.state.lock();
        state.failed |= failed;
        state.ended = true;
        self.changed.notify_all();
    }

    /// Puts what is to be written now in place of an empty one, and says whether that is the last.
    fn wait(&self, dirty: &mut Dirty) -> bool {
        let mut state = self.state.lock();
        while !state.stop && !self.is_due(&state) {
            if self.changed.wait_for(&mut state, self.pace.interval).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut state.dirty, dirty);
        state.dirty.position = dirty.position;
        // Nobody waits while this is written, unless as much again comes meanwhile.
        self.changed.notify_all();
        state.stop
    }
}
