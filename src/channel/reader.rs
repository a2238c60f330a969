//! Channels as everybody else uses them: read without waiting, ask for something and be answered when it is durable.

mod dry;

use std::collections::HashSet;
use std::fs;
use std::hash::BuildHasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub use self::dry::DryRun;
use super::ack::{Ack, Acknowledged};
use super::config::ChannelConfig;
use super::deriver::{Deriver, Job, Queue, Working, read};
use super::error::ChannelError;
use super::event::{Event, Reach};
use super::fact::Asked;
use super::formats::FileFacts;
use super::log::{Shown, Snapshot};
use super::machine::{Due, Machine};
use super::pack::{Record, pack_events};
use super::page::{ChannelPage, From, Mode};
use super::policy::Policy;
use super::report::{ChannelExplanation, ChannelReport};
use super::store::{CHECKPOINT_BYTES_MIN, Store, StoreError};
use crate::clock::{Clock, Timestamp};
use crate::domain::Sku;
use crate::journal::pack::Packer;
use crate::stock::Ledger;
use crate::stock::changes::Cursor;

/// Why channels cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ChannelsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the channels' thread cannot be started: {0}")]
    Thread(io::Error),
}

impl ChannelsError {
    pub fn reason(&self) -> &'static str {
        match self {
            ChannelsError::Store(error) => error.reason(),
            ChannelsError::Folder { .. } | ChannelsError::Thread(_) => "storage_failed",
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            ChannelsError::Store(error) => error.is_retryable(),
            ChannelsError::Folder { .. } | ChannelsError::Thread(_) => true,
        }
    }
}

/// How they are kept on disk. The default is what a gateway runs with.
#[derive(Clone, Debug)]
pub struct Storage {
    /// A checkpoint is written when the journal is longer. Bytes.
    pub checkpoint_bytes_min: u64,
    /// Kept in this file: how far the journal is synced (see `journal::group::witnessed`). For tests.
    pub witness: Option<PathBuf>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { checkpoint_bytes_min: CHECKPOINT_BYTES_MIN, witness: None }
    }
}

/// All channels. Cheap to copy; the last one that is dropped closes them.
#[derive(Clone, Debug)]
pub struct Channels(Arc<Inner>);

struct Inner {
    shown: Vec<Arc<Shown>>,
    /// Held by the writer from what it works out until that is durable and shown: whoever looks behind what is shown waits for
    /// a sync of the disk.
    working: Arc<Mutex<Working>>,
    queue: Arc<Queue>,
    ledger: Ledger,
    clock: Clock,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channels").field("shown", &self.shown.len()).finish_non_exhaustive()
    }
}

impl Channels {
    /// Opens what is in the folder, or begins anew. Reads all of it: not for a thread that has else to do. The channels' names
    /// differ.
    pub fn open(
        configs: Vec<ChannelConfig>,
        folder: &Path,
        ledger: Ledger,
        clock: Clock,
    ) -> Result<Self, ChannelsError> {
        Self::open_with(configs, folder, ledger, clock, Storage::default())
    }

    pub fn open_with(
        configs: Vec<ChannelConfig>,
        folder: &Path,
        ledger: Ledger,
        clock: Clock,
        storage: Storage,
    ) -> Result<Self, ChannelsError> {
        let (channels, deriver) = Self::open_parts(configs, folder, ledger, clock, storage)?;
        // Where time is virtual, it is the runtime's: the thread looks at the same clock.
        let runtime = tokio::runtime::Handle::try_current().ok();
        let run = move || {
            let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
            deriver.run();
        };
        let writer = thread::Builder::new().name("channels".into()).spawn(run).map_err(ChannelsError::Thread)?;
        *channels.0.writer.lock() = Some(writer);
        Ok(channels)
    }

    /// Without its thread: whoever has the second part runs the rounds.
    fn open_parts(
        configs: Vec<ChannelConfig>,
        folder: &Path,
        ledger: Ledger,
        clock: Clock,
        storage: Storage,
    ) -> Result<(Self, Deriver), ChannelsError> {
        fs::create_dir_all(folder).map_err(|source| ChannelsError::Folder { path: folder.to_owned(), source })?;
        let mut machines: Vec<Machine> = configs.into_iter().map(|config| Machine::new(Policy::new(config))).collect();
        let (mut stock, mut others) = (None, HashSet::new());
        let mut store = Store::open(folder, |record| replay(record, &mut machines, &mut stock, &mut others))?;
        store.set_checkpoint_bytes_min(storage.checkpoint_bytes_min);
        if let Some(witness) = &storage.witness {
            store.witness(witness)?;
        }
        let now = clock.read().wall;
        let mut put = |name: &str, events: &[Event]| {
            let mut out = Packer::default();
            pack_events(name, events.iter(), &mut out);
            store.put(&out.0)
        };
        for other in &others {
            put(other, &[Event::Dropped])?;
        }
        let mut channels = Vec::with_capacity(machines.len());
        for mut machine in machines {
            let name = machine.policy().config().name.clone();
            let mut events = Vec::new();
            // Keyed anew in every process, and by the time: nobody else will choose it.
            let random = std::collections::hash_map::RandomState::new().hash_one((now, &name));
            machine.start(random, now, &mut events);
            put(&name, &events)?;
            let (log, rows) = machine.published();
            let report = machine.report(log.watermark(), 0);
            let shown = Shown::new(log, rows, machine.purged(), machine.condition(), report);
            channels.push((machine, Arc::new(shown)));
        }
        store.commit()?;
        let shown = channels.iter().map(|(_, shown)| shown.clone()).collect();
        let working = Arc::new(Mutex::new(Working::new(store, channels, stock, now)));
        let queue = Arc::new(Queue::default());
        ledger.ring(queue.bell().clone());
        let deriver = Deriver { working: working.clone(), queue: queue.clone(), ledger: ledger.clone(), clock };
        let channels = Self(Arc::new(Inner { shown, working, queue, ledger, clock, writer: Mutex::new(None) }));
        Ok((channels, deriver))
    }

    /// In the order they are configured.
    pub fn list(&self) -> Vec<ChannelReport> {
        self.0.shown.iter().map(|shown| shown.report()).collect()
    }

    pub fn report(&self, channel: &str) -> Result<ChannelReport, ChannelError> {
        Ok(self.shown(channel)?.report())
    }

    pub fn changes(&self, channel: &str, from: From<'_>, limit: usize) -> Result<ChannelPage, ChannelError> {
        self.shown(channel)?.page(from, limit, self.now())
    }

    /// The highest version that readers may see, whenever it grows.
    pub fn published(&self, channel: &str) -> Result<watch::Receiver<u64>, ChannelError> {
        Ok(self.shown(channel)?.watermark())
    }

    /// All rows but removed ones, read as one asks for them.
    pub fn snapshot(&self, channel: &str) -> Result<Snapshot, ChannelError> {
        Snapshot::begin(self.shown(channel)?.clone(), self.now())
    }

    /// Durable when it is answered. Like all that follow here: in line when this returns.
    pub fn acknowledge(
        &self,
        channel: &str,
        acks: Vec<Ack>,
    ) -> impl Future<Output = Result<Acknowledged, ChannelError>> + Send + 'static + use<> {
        self.ask(channel, move |machine, now, events| machine.acknowledge(acks, now, events))
    }

    /// `force`: what the guard holds back is let through.
    pub fn set_mode(
        &self,
        channel: &str,
        mode: Mode,
        force: bool,
    ) -> impl Future<Output = Result<ChannelReport, ChannelError>> + Send + 'static + use<> {
        let shown = self.shown(channel).cloned();
        let set = self.ask(channel, move |machine, _, events| machine.set_mode(mode, force, events));
        async move {
            set.await?;
            Ok(shown?.report())
        }
    }

    /// Rows whose prices are to be asked now, and when there are more. Each is in flight until something is told of it.
    pub fn take_prices(
        &self,
        channel: &str,
        most: usize,
    ) -> impl Future<Output = Result<(Vec<Due>, Option<Timestamp>), ChannelError>> + Send + 'static + use<> {
        self.ask(channel, move |machine, now, _| (machine.take_prices(now, most), machine.next_price()))
    }

    /// What came of rows whose prices were asked, by their numbers.
    pub fn told(
        &self,
        channel: &str,
        answers: Vec<(u32, Asked)>,
    ) -> impl Future<Output = Result<(), ChannelError>> + Send + 'static + use<> {
        self.ask(channel, move |machine, now, events| {
            answers.into_iter().for_each(|(number, asked)| machine.told(number, asked, now, events));
        })
    }

    /// Completes when prices may have come due before their time was to come.
    pub fn prices_due(&self, channel: &str) -> impl Future<Output = ()> + Send + 'static + use<> {
        let shown = self.shown(channel).cloned();
        async move {
            match shown {
                Ok(shown) => shown.wait_for_prices().await,
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Prices of the channel's party were declared wrong.
    pub fn invalidate(
        &self,
        channel: &str,
        reach: Reach,
    ) -> impl Future<Output = Result<(), ChannelError>> + Send + 'static + use<> {
        self.ask(channel, move |machine, now, events| machine.invalidate(reach, now, events))
    }

    /// The last full file of the format that was let out.
    pub fn last_file(
        &self,
        channel: &str,
        format: &str,
    ) -> impl Future<Output = Result<Option<FileFacts>, ChannelError>> + Send + 'static + use<> {
        let format = format.to_owned();
        self.ask(channel, move |machine, _, _| machine.last_file(&format))
    }

    pub fn file_taken(
        &self,
        channel: &str,
        format: &str,
        file: FileFacts,
    ) -> impl Future<Output = Result<(), ChannelError>> + Send + 'static + use<> {
        let format = format.to_owned();
        self.ask(channel, move |machine, _, events| machine.file_taken(&format, file, events))
    }

    /// Every row of the SKU, or of what the channel calls it. May wait for a sync of the disk.
    pub fn explain(&self, channel: &str, sku: &str) -> Result<ChannelExplanation, ChannelError> {
        let number = self.number(channel)?;
        let Ok(sku) = Sku::new(sku) else { return Ok(self.nothing(number)) };
        let working = self.behind()?;
        let now = self.now();
        let machine = &working.channels[number].machine;
        let seats = |sku: &Sku| {
            let mut seats = Vec::new();
            read(&self.0.ledger.levels().view(now), sku, &mut seats);
            seats
        };
        let condition = machine.condition();
        let offers = machine.explain(&sku, seats, now);
        Ok(ChannelExplanation { state: condition.state, policy: condition.policy, offers })
    }

    /// To be called now and then: what time alone changes is looked at.
    pub fn tick(&self) {
        self.0.queue.bell().ring();
    }

    /// Why nothing is taken any more, if so. What is published can be read all the same.
    pub fn closed(&self) -> Option<ChannelError> {
        self.0.queue.closed()
    }

    /// Ends the thread. Blocks for as long as the disk takes.
    pub fn close(&self) {
        self.0.close();
    }

    fn ask<T, F>(
        &self,
        channel: &str,
        act: F,
    ) -> impl Future<Output = Result<T, ChannelError>> + Send + 'static + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Machine, Timestamp, &mut Vec<Event>) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let known = self.number(channel);
        if let Ok(channel) = known {
            let answer = Arc::new(Mutex::new(Some(answer)));
            let refused = answer.clone();
            self.0.queue.put(Job {
                channel,
                act: Box::new(move |machine, now, events| {
                    let done = act(machine, now, events);
                    Box::new(move |durable| send(&answer, durable.map(|()| done)))
                }),
                refused: Box::new(move |why| {
                    if let Err(why) = why {
                        send(&refused, Err(why));
                    }
                }),
            });
        }
        let queue = self.0.queue.clone();
        async move {
            known?;
            let ended = || queue.closed().unwrap_or(ChannelError::NotDurable);
            answered.await.unwrap_or_else(|_| Err(ended()))
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.read().wall
    }

    fn number(&self, channel: &str) -> Result<usize, ChannelError> {
        self.0.shown.iter().position(|shown| shown.name == channel).ok_or(ChannelError::UnknownChannel)
    }

    fn shown(&self, channel: &str) -> Result<&Arc<Shown>, ChannelError> {
        self.number(channel).map(|number| &self.0.shown[number])
    }

    /// Where storage failed it is ahead of the disk.
    fn behind(&self) -> Result<parking_lot::MutexGuard<'_, Working>, ChannelError> {
        let working = self.0.working.lock();
        match self.0.queue.closed() {
            Some(ChannelError::NotDurable) => Err(ChannelError::NotDurable),
            _ => Ok(working),
        }
    }

    fn nothing(&self, number: usize) -> ChannelExplanation {
        let report = self.0.shown[number].report();
        ChannelExplanation { state: report.state, policy: report.policy, offers: Vec::new() }
    }
}

impl Inner {
    fn close(&self) {
        self.queue.close(ChannelError::Stopped);
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the channels' writer had panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

type Asker<T> = Mutex<Option<oneshot::Sender<Result<T, ChannelError>>>>;

/// Whoever does not wait any more comes back for it.
fn send<T>(to: &Asker<T>, said: Result<T, ChannelError>) {
    if let Some(to) = to.lock().take() {
        let _ = to.send(said);
    }
}

fn replay(record: Record, machines: &mut [Machine], stock: &mut Option<Cursor>, others: &mut HashSet<Box<str>>) {
    match record {
        Record::Stock(cursor) => *stock = Some(cursor),
        Record::Channel(name, events) => {
            let machine = machines.iter_mut().find(|machine| *machine.policy().config().name == *name);
            let is_dropped = events.contains(&Event::Dropped);
            match machine {
                // It was not configured for a while: nothing of it was kept up.
                Some(machine) if is_dropped => machine.forget_all(),
                Some(machine) => events.iter().for_each(|event| machine.apply(event)),
                None if is_dropped => {
                    others.remove(&name);
                }
                None => {
                    others.insert(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
