//! The ledger's state as rows on disk, written behind: so a start reads rows and a short end of the journal, not its history.
//!
//! Owns: which row holds what, and that rows and the place in the journal they correspond to are written in one step. Never
//! the truth alone: what it says up to its place, the journal says after it. Rows come back as the events that made them,
//! so a start is a fold like any other. Tested by starting from it after every batch of random histories.
//!
//! Its own writes are synced where they matter: when the journal's older segments are about to go.

mod dirty;
mod keys;
mod lazy;
mod load;
mod write;

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

pub use self::dirty::{Dirty, NUMBERS_KEPT};
pub use self::lazy::{Lazy, Pace};
use super::config::StockConfig;
use crate::domain::ids::SourceId;
use crate::journal::Position;
use crate::journal::pack::Unpacker;

/// Why the rows cannot be read, or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the ledger's rows: {0}")]
    Engine(#[from] fjall::Error),
    /// What was kept cannot be understood.
    #[error("the ledger's rows are damaged: {0}")]
    Damaged(&'static str),
    #[error("the ledger's rows were written by another version ({found:?})")]
    Format { found: Box<[u8]> },
}

impl StoreError {
    pub fn reason(&self) -> &'static str {
        match self {
            StoreError::Engine(_) => "storage_failed",
            StoreError::Damaged(_) | StoreError::Format { .. } => "storage_damaged",
        }
    }

    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// What a change of this crate's way of keeping rows would raise.
const FORMAT: &[u8] = b"1";

/// The rows.
pub struct Store {
    database: Database,
    /// Key: SKU, location, measure, row. Value: source, time, the row.
    rows: Keyspace,
    /// Key: SKU. Value: its place in the change log.
    log: Keyspace,
    /// Key: source, what. Value: of that kind.
    sources: Keyspace,
    /// Key: source, number without its low bits. Value: up to 256 numbers.
    numbers: Keyspace,
    /// Key: source, time, `eventId`.
    names: Keyspace,
    meta: Keyspace,
    kept: HashMap<SourceId, Kept>,
    config: StockConfig,
}

/// What has to be known of a source's older rows to write the next ones.
#[derive(Debug, Default)]
struct Kept {
    epochs: u64,
    missed: u64,
    /// The chunks of numbers there are, the oldest first, and how many are in each.
    chunks: VecDeque<(u64, usize)>,
    numbers: usize,
    /// The newest chunk as it is written.
    newest: Vec<u8>,
    names: usize,
}

impl Store {
    pub fn open(folder: &Path, config: &StockConfig) -> Result<Self, StoreError> {
        // All of it is read once, at the start, and only written from then on: a small cache does.
        let database = Database::builder(folder)
            .cache_size(4 << 20)
            .worker_threads(1)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .manual_journal_persist(true)
            .open()?;
        let keyspace = |name| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX).manual_journal_persist(true)
            })
        };
        let store = Self {
            rows: keyspace("rows")?,
            log: keyspace("log")?,
            sources: keyspace("sources")?,
            numbers: keyspace("numbers")?,
            names: keyspace("names")?,
            meta: keyspace("meta")?,
            database,
            kept: HashMap::new(),
            config: config.clone(),
        };
        match store.meta.get("format")? {
            Some(found) if *found != *FORMAT => return Err(StoreError::Format { found: found.as_ref().into() }),
            Some(_) => {}
            None => store.put_meta("format", FORMAT)?,
        }
        Ok(store)
    }

    /// The place in the journal whose state this is. `None`: nothing was ever written.
    pub fn position(&self) -> Result<Option<Position>, StoreError> {
        let Some(bytes) = self.meta.get("position")? else { return Ok(None) };
        let mut from = Unpacker(&bytes);
        let position = from.number().zip(from.number()).map(|(segment, at)| Position { segment, at });
        position.map(Some).ok_or(StoreError::Damaged("the place in the journal"))
    }

    /// The starts of the change log, as they were kept.
    pub fn history(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.meta.get("history")?.map(|bytes| bytes.to_vec()))
    }

    /// Durable when it returns.
    pub fn keep_history(&self, history: &[u8]) -> Result<(), StoreError> {
        self.put_meta("history", history)
    }

    fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.meta.insert(name, value)?;
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}

/// Of the engine's own journals, before it writes its tables. The least it takes. Bytes.
const JOURNALS_BYTES_MAX: u64 = 64 << 20;
/// Of each keyspace's rows that are not in its tables yet; in memory they take twice as much, also after a start.
const MEMTABLE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests;
