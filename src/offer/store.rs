//! What of the knowledge survives a restart: invalidations in a journal, hot figures in a file that is replaced whole.

use std::fs;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::invalidation::due::DueList;
use super::invalidation::entry::Entry;
use crate::journal::{Journal, JournalError, Record, read_whole};

/// A data folder, opened.
#[derive(Debug)]
pub struct Store {
    /// A mutex, held while something is written: one at a time, and in the order of the list of what waits.
    journal: Mutex<Journal>,
    found: Mutex<Vec<Record>>,
    /// The file of hot figures.
    pub(super) saved: PathBuf,
    /// Which ERP, asked in which way, the figures are of.
    pub(super) fingerprint: String,
}

impl Store {
    /// `fingerprint` tells ERPs and ways to ask them apart: figures of another are not read.
    pub fn open(folder: &Path, fingerprint: String) -> Result<Self, JournalError> {
        let journals = folder.join("invalidations");
        fs::create_dir_all(&journals).map_err(|source| JournalError::Io { path: journals.clone(), source })?;
        let (journal, found) = Journal::open(&journals)?;
        let (journal, found) = (Mutex::new(journal), Mutex::new(found));
        Ok(Self { journal, found, saved: folder.join("hot"), fingerprint })
    }

    /// The file of hot figures, unread; `None` if there is none that can be believed.
    pub(super) fn read_saved(&self) -> Option<Vec<u8>> {
        match read_whole(&self.saved) {
            Ok(file) => file,
            Err(error) => {
                tracing::error!(%error, "what was saved is not read: starting cold");
                None
            }
        }
    }

    /// What the journal held when it was opened; once.
    pub(super) fn take_found(&self) -> Vec<Record> {
        std::mem::take(&mut self.found.lock())
    }

    /// Durable when it returns, and then `and_then` has run before anybody else writes. Nothing is written if there is no
    /// `room`.
    pub(super) fn append_if<E>(
        &self,
        room: Result<(), E>,
        entries: &[Entry],
        and_then: impl FnOnce() -> Result<(), E>,
    ) -> Result<Result<(), E>, JournalError> {
        if room.is_err() {
            return Ok(room);
        }
        let bytes: Vec<Vec<u8>> = entries.iter().map(Entry::to_bytes).collect();
        let records: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let mut journal = self.journal.lock();
        journal.append_all(&records)?;
        Ok(and_then())
    }

    /// Begins a segment with what waits, so that the ones before hold nothing that a new file of hot figures lacks.
    pub(super) fn begin_segment(
        &self,
        waiting: &DueList,
        entries: impl FnOnce(&DueList) -> Vec<Entry>,
    ) -> Result<u64, JournalError> {
        let mut journal = self.journal.lock();
        let bytes: Vec<Vec<u8>> = entries(waiting).iter().map(Entry::to_bytes).collect();
        let records: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        journal.begin_segment(&records)
    }

    pub(super) fn drop_before(&self, segment: u64) -> Result<(), JournalError> {
        self.journal.lock().drop_before(segment)
    }

    /// Bytes since the last file of hot figures.
    pub fn journal_bytes(&self) -> u64 {
        self.journal.lock().length()
    }
}
