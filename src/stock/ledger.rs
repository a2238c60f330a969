//! The ledger as everybody else uses it: push and be answered when it is durable and visible, read without waiting.
//!
//! Opening it is a fold: the rows as they were written last, then what the journal says after them. Closing it takes what
//! waits, answers it, and writes the rows.

use std::fs;
use std::hash::BuildHasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::bell::Bell;
use super::changes::{Cursor, History, Page, Rebuild, ResyncRequired};
use super::config::StockConfig;
use super::event::{Batch, Event};
use super::intake::queue::{Held, Job, Pushed, Queue, Ticket};
use super::intake::{Intake, Visible};
use super::judge::{Judge, Staged};
use super::levels::Levels;
use super::pack::Unpacking;
use super::report::{SourceReport, SourceState};
use super::request::{Answer, IntakeError, Request, SnapshotAnswer, SnapshotError, SnapshotHead, SnapshotPart};
use super::store::{Dirty, Lazy, Pace, Store, StoreError};
use crate::clock::Clock;
use crate::domain::Sku;
use crate::domain::ids::SourceId;
use crate::journal::group::SEGMENT_BYTES;
use crate::journal::{GroupJournal, JournalError};

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("a thread of the ledger cannot be started: {0}")]
    Thread(io::Error),
}

impl LedgerError {
    pub fn reason(&self) -> &'static str {
        match self {
            LedgerError::Journal(error) => error.reason(),
            LedgerError::Store(error) => error.reason(),
            LedgerError::Folder { .. } | LedgerError::Thread(_) => "storage_failed",
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            LedgerError::Journal(error) => error.is_retryable(),
            LedgerError::Store(error) => error.is_retryable(),
            LedgerError::Folder { .. } | LedgerError::Thread(_) => true,
        }
    }
}

/// How it is kept on disk. The default is what a gateway runs with.
#[derive(Clone, Debug)]
pub struct Storage {
    pub pace: Pace,
    /// When a new segment of the journal is begun. Bytes.
    pub segment_bytes: u64,
    /// Kept in this file: how far the journal is synced (see `journal::group::witnessed`). For tests that take away what was
    /// not.
    pub witness: Option<PathBuf>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { pace: Pace::default(), segment_bytes: SEGMENT_BYTES, witness: None }
    }
}

impl AsRef<Levels> for Ledger {
    fn as_ref(&self) -> &Levels {
        self.levels()
    }
}

/// Whether changes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intaking {
    Open,
    /// Storage failed: what is there can be read.
    ReadOnly,
    /// The writer panicked: nobody knows what it left, so the process has to end.
    Broken,
    Closed,
}

/// The ledger. Cheap to copy; the last one that is dropped closes it.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    visible: Arc<Visible>,
    queue: Arc<Queue>,
    lazy: Arc<Lazy>,
    clock: Clock,
    config: StockConfig,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Each holds all its rows until it is taken.
    snapshots: Semaphore,
}

/// Snapshots that arrive at the same time.
const SNAPSHOTS_AT_ONCE: usize = 4;

/// What a source's rate is counted over.
const RATE_OVER: Duration = Duration::from_secs(60);

/// The journal's folder in the ledger's.
pub fn journal_folder(folder: &Path) -> PathBuf {
    folder.join("journal")
}

impl Ledger {
    /// Opens what is in the folder, or begins anew in an empty one. Reads all of it: not for a thread that has else to do.
    pub fn open(config: StockConfig, folder: &Path, clock: Clock, storage: Storage) -> Result<Self, LedgerError> {
        let (journals, rows) = (journal_folder(folder), folder.join("rows"));
        for path in [&journals, &rows] {
            fs::create_dir_all(path).map_err(|source| LedgerError::Folder { path: path.clone(), source })?;
        }
        let mut store = Store::open(&rows, &config)?;
        let judge = Judge::new(&config);
        let mut fold = Fold { judge, levels: Levels::new(&config, clock.read().wall), log: Rebuild::default() };
        store.load(|batch| fold.take(batch))?;
        let from = store.position()?;
        let (mut dirty, mut unpacking) = (Dirty::default(), Unpacking::default());
        let mut failed = None;
        let opened = GroupJournal::open(&journals, from, |end, record| {
            let batch = unpacking.batch(record).ok_or("a record is not one of the ledger's")?;
            fold.take(&batch);
            dirty.take(batch, end);
            if dirty.len() >= storage.pace.rows_due {
                failed = store.write(&mut dirty).err();
            }
            if failed.is_some() { Err("what follows cannot be kept") } else { Ok(()) }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut journal = opened?;
        journal.set_segment_bytes(storage.segment_bytes);
        if let Some(witness) = &storage.witness {
            journal.witness(witness)?;
        }
        let written = from.unwrap_or_default();
        if !dirty.is_empty() {
            store.write(&mut dirty)?;
        }
        let history = match store.history()? {
            Some(bytes) => History::from_bytes(&bytes).ok_or(StoreError::Damaged("the starts of the change log"))?,
            None => History::default(),
        };
        let (visible, judge) = fold.start(history, &store, clock)?;
        let queue = Arc::new(Queue::new(config.queue_changes_max));
        let lazy = Lazy::start(store, journals, storage.pace, written).map_err(LedgerError::Thread)?;
        let (visible, lazy) = (Arc::new(visible), Arc::new(lazy));
        let intake = Intake::new(judge, journal, visible.clone(), queue.clone(), lazy.clone(), clock, &config);
        // Where time is virtual, it is the runtime's: the thread looks at the same clock.
        let runtime = tokio::runtime::Handle::try_current().ok();
        let run = move || {
            let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
            intake.run();
        };
        let writer = thread::Builder::new().name("stock-intake".into()).spawn(run).map_err(LedgerError::Thread)?;
        Ok(Self(Arc::new(Inner {
            visible,
            queue,
            lazy,
            clock,
            config,
            writer: Mutex::new(Some(writer)),
            snapshots: Semaphore::new(SNAPSHOTS_AT_ONCE),
        })))
    }

    /// In line when this returns; answered when all of it is durable and visible. Whoever gives up waiting does not know what
    /// became of it, and may ask again: what was taken is not taken twice.
    pub fn push(&self, request: Request) -> impl Future<Output = Result<Answer, IntakeError>> + Send + 'static + use<> {
        let changes = request.changes.len().max(1);
        let (reply, pushed) = oneshot::channel();
        let queued = match request.changes.is_empty() && !self.may_push(&request.source) {
            // There is no change to say it of.
            true => Err(IntakeError::UnknownSource),
            false => self.0.queue.put(Job::Push { request, reply }, changes),
        };
        let ledger = self.clone();
        async move {
            queued?;
            match pushed.await {
                Ok(Pushed::Answered(answer)) => answer,
                Ok(Pushed::Held(held)) => ledger.wait(held).await,
                Err(_) => Err(ledger.ended()),
            }
        }
    }

    async fn wait(&self, held: Held) -> Result<Answer, IntakeError> {
        let Held { ticket, until, mut answer } = held;
        let mut waiter = Waiter { queue: &self.0.queue, ticket: Some(ticket) };
        tokio::select! {
            biased;
            answered = &mut answer => {
                waiter.ticket = None;
                return answered.unwrap_or_else(|_| Err(self.ended()));
            }
            () = tokio::time::sleep_until(self.0.clock.instant(until)) => self.0.queue.tell(Job::Tick),
        }
        let answered = answer.await;
        waiter.ticket = None;
        answered.unwrap_or_else(|_| Err(self.ended()))
    }

    /// What the source misses will not come: up to `to`, or up to the first number that did. In line when this returns.
    pub fn skip_gap(
        &self,
        source: SourceId,
        to: Option<u64>,
    ) -> impl Future<Output = Result<SourceReport, IntakeError>> + Send + 'static + use<> {
        let (reply, skipped) = oneshot::channel();
        let queued = self.0.queue.put(Job::Skip { source, to, reply }, 1);
        let ledger = self.clone();
        async move {
            queued?;
            skipped.await.unwrap_or_else(|_| Err(ledger.ended()))
        }
    }

    /// A snapshot, whose rows follow in parts: nothing of it is taken before its end has come. Answered when it is durable and
    /// visible. Whoever gives up waiting after the end does not know what became of it, and may send it again.
    pub fn put_snapshot(
        &self,
        head: SnapshotHead,
        mut parts: mpsc::Receiver<SnapshotPart>,
    ) -> impl Future<Output = Result<SnapshotAnswer, SnapshotError>> + Send + 'static + use<> {
        let ledger = self.clone();
        async move {
            if !ledger.may_push(&head.source) {
                return Err(IntakeError::UnknownSource.into());
            }
            let room = ledger.0.snapshots.try_acquire();
            let _room = room.map_err(|_| IntakeError::Snapshots { limit: SNAPSHOTS_AT_ONCE })?;
            let mut staged = Box::new(Staged::new(head, ledger.0.config.levels_max));
            let rows = loop {
                match parts.recv().await {
                    Some(SnapshotPart::Rows(lines)) => staged.take(lines)?,
                    Some(SnapshotPart::End { rows }) => break rows,
                    None => return Err(SnapshotError::Cut { rows: staged.read() }),
                }
            };
            staged.end(rows)?;
            let (reply, taken) = oneshot::channel();
            ledger.0.queue.put(Job::Snapshot { staged, reply }, 1)?;
            taken.await.unwrap_or_else(|_| Err(ledger.ended().into()))
        }
    }

    /// To be called now and then: rows whose time is over get their place in the change log. That they count no more readers
    /// see without it.
    pub fn tick(&self) {
        self.0.queue.tell(Job::Tick);
    }

    fn may_push(&self, source: &SourceId) -> bool {
        self.0.config.any_source || self.is_declared(source)
    }

    fn ended(&self) -> IntakeError {
        self.0.queue.closed().unwrap_or(IntakeError::ReadOnly)
    }

    /// As far as it is durable. Who may push and was never heard is at 0.
    pub fn source(&self, source: &SourceId) -> Option<SourceReport> {
        let report = self.0.visible.reports.read().get(source).cloned();
        let report = report.or_else(|| self.may_push(source).then(|| SourceReport::unheard(source.clone())));
        report.map(|report| self.as_of_now(report))
    }

    /// By name.
    pub fn sources(&self) -> Vec<SourceReport> {
        let mut reports: Vec<_> = self.0.visible.reports.read().values().cloned().collect();
        reports.sort_unstable_by(|one, other| one.source.cmp(&other.source));
        reports.into_iter().map(|report| self.as_of_now(report)).collect()
    }

    /// Whether the source is one that is configured, and not one that just came.
    pub fn is_declared(&self, source: &SourceId) -> bool {
        self.0.config.sources.iter().any(|declared| declared.name == *source)
    }

    /// How long after it was true there the newest of the source's changes became visible. `None`: it never said when.
    pub fn lag(&self, source: &SourceId) -> Option<Duration> {
        self.0.visible.lags.read().get(source).copied()
    }

    /// Silence is nothing that happens.
    fn as_of_now(&self, mut report: SourceReport) -> SourceReport {
        let now = self.0.clock.read().wall;
        let heard = report.last_heard.unwrap_or(self.0.visible.started).max(self.0.visible.started);
        if heard.until(now) >= RATE_OVER {
            report.rate = 0;
        }
        let config = self.0.config.sources.iter().find(|source| source.name == report.source);
        let silent_after = config.and_then(|source| source.silent_after);
        if let (Some(after), SourceState::InSequence) = (silent_after, report.state)
            && heard.until(now) > after
        {
            report.state = SourceState::Silent;
        }
        report
    }

    /// What readers see.
    pub fn levels(&self) -> &Levels {
        &self.0.visible.levels
    }

    /// Has the bell rung whenever there is something new to be seen, as long as this ledger is.
    pub fn ring(&self, bell: Arc<Bell>) {
        self.0.visible.bells.write().push(bell);
    }

    /// What changed since; without a cursor, everything.
    pub fn changes(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Sku>, ResyncRequired> {
        self.0.visible.log.read().page(cursor, limit)
    }

    /// The last change that can be seen.
    pub fn watermark(&self) -> u64 {
        self.0.visible.log.read().watermark()
    }

    /// From here on: to be taken before all levels are read.
    pub fn head(&self) -> Cursor {
        self.0.visible.log.read().head()
    }

    /// Changes that wait, of [`StockConfig::queue_changes_max`].
    pub fn waiting(&self) -> usize {
        self.0.queue.changes()
    }

    pub fn intaking(&self) -> Intaking {
        match self.0.queue.closed() {
            None => Intaking::Open,
            Some(IntakeError::Stopped) => Intaking::Closed,
            Some(IntakeError::Broken) => Intaking::Broken,
            Some(_) => Intaking::ReadOnly,
        }
    }

    /// Takes what waits, answers it, writes the rows and ends the threads. What is held for earlier numbers is not taken, and
    /// told so. Blocks for as long as the disk takes.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn close(&self) {
        self.queue.close(IntakeError::Stopped);
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer had panicked");
        }
        if self.lazy.close().is_err() {
            tracing::warn!("the ledger's rows are older than its journal: the next start takes longer");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whoever waits for a request that is held. If they leave, it is not taken.
struct Waiter<'a> {
    queue: &'a Queue,
    ticket: Option<Ticket>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.queue.tell(Job::Gone(ticket));
        }
    }
}

/// The state as it is put together at the start.
struct Fold {
    judge: Judge,
    levels: Levels,
    log: Rebuild<Sku>,
}

impl Fold {
    fn take(&mut self, batch: &Batch) {
        self.levels.apply(batch);
        self.judge.apply(batch);
        for event in &batch.events {
            if let Event::Logged { sku, id, urgent, .. } = event {
                let sku = self.levels.sku(sku.as_str()).unwrap_or_else(|| sku.clone());
                self.log.take(&sku, *id, *urgent);
            }
        }
    }

    fn start(self, mut history: History, store: &Store, clock: Clock) -> Result<(Visible, Judge), StoreError> {
        let Self { judge, levels, log } = self;
        let now = clock.read().wall;
        // Keyed anew in every process, and by the time: nobody else will choose it.
        let random = std::collections::hash_map::RandomState::new().hash_one(now);
        history.start(random, log.highest());
        store.keep_history(&history.to_bytes())?;
        let sources = judge.sources();
        sources.iter().for_each(|source| levels.note(source, judge.standing(source)));
        let reports = sources.iter().filter_map(|source| judge.report(source, now));
        let reports = reports.map(|report| (report.source.clone(), report)).collect();
        let visible = Visible {
            levels,
            log: RwLock::new(log.start(history)),
            reports: RwLock::new(reports),
            lags: RwLock::default(),
            started: now,
            bells: RwLock::default(),
        };
        Ok((visible, judge))
    }
}

#[cfg(test)]
mod tests;
