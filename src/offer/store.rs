//! What of the knowledge survives a restart: invalidations in a journal, hot figures in a file that is replaced whole.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::invalidation::due::{Due, DueList};
use super::invalidation::entry::Entry;
use crate::journal::whole::sync_folder_of;
use crate::journal::{Journal, JournalError, Record, read_whole};

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Somebody has to decide: what was acknowledged is not forgotten without a word.
    #[error(
        "{found}. It is the journal of invalidations, which holds announced changes that wait for their time, and what was \
         declared wrong since prices were last saved. Put it back from a backup, or start without it: move the whole \
         folder {journals} aside. Changes announced for later are then forgotten and have to be announced again, and the \
         gateway starts cold, for nobody can tell which of the saved prices were declared wrong",
        journals = journals.display()
    )]
    Damaged { found: JournalError, journals: PathBuf },
}

impl StoreError {
    pub fn reason(&self) -> &'static str {
        match self {
            StoreError::Journal(error) | StoreError::Damaged { found: error, .. } => error.reason(),
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            StoreError::Journal(error) | StoreError::Damaged { found: error, .. } => error.is_retryable(),
        }
    }
}

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
    pub fn open(folder: &Path, fingerprint: String) -> Result<Self, StoreError> {
        let journals = folder.join("invalidations");
        fs::create_dir_all(&journals).map_err(|source| JournalError::Io { path: journals.clone(), source })?;
        let (journal, found) = Journal::open(&journals).map_err(|error| match error {
            JournalError::Damaged { .. } => StoreError::Damaged { found: error, journals },
            other => StoreError::Journal(other),
        })?;
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

    /// The journal's segments.
    pub(super) fn segments(&self) -> RangeInclusive<u64> {
        self.journal.lock().segments()
    }

    /// What was saved is not to be believed, not even by a process that comes later.
    pub(super) fn drop_saved(&self) {
        if let Err(error) = fs::remove_file(&self.saved) {
            tracing::error!(%error, path = %self.saved.display(), "cannot be removed");
        } else if let Err(error) = sync_folder_of(&self.saved) {
            tracing::error!(%error, "cannot be synced");
        }
    }

    /// What the journal held when it was opened; once.
    pub(super) fn take_found(&self) -> Vec<Record> {
        std::mem::take(&mut self.found.lock())
    }

    /// Writes it down and adds what `waits` to the list; durable when it returns. Where the list has no room neither is done,
    /// and it says how many wait.
    pub(super) fn keep(
        &self,
        entries: &[Entry],
        waits: Option<Due>,
        list: &DueList,
    ) -> Result<Result<(), usize>, JournalError> {
        let bytes: Vec<Vec<u8>> = entries.iter().map(Entry::to_bytes).collect();
        let records: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let mut journal = self.journal.lock();
        // Under the lock: of two that come together where there is room for one, one is not written down.
        if let Some(waiting) = waits.as_ref().and_then(|waits| list.has_room(waits).err()) {
            return Ok(Err(waiting));
        }
        journal.append_all(&records)?;
        Ok(waits.map_or(Ok(()), |waits| list.add(waits)))
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::clock::{Reading, Timestamp};
    use crate::domain::Sku;
    use crate::erp::connector::Capabilities;
    use crate::offer::invalidation::due::{Effect, IDS_MAX, Moment};
    use crate::offer::invalidation::invalidator::entry_of;
    use crate::offer::invalidation::{Named, Reach};

    fn announced(sku: &str, times: usize) -> Due {
        let named = Named { skus: vec![Sku::new(sku).unwrap(); times], ..Named::default() };
        let reach = Reach::of(&named, &Capabilities::plain()).unwrap();
        let (moment, effect) = (Moment::Wall(Timestamp(5000)), Effect::Invalidate { settle: None });
        Due { moment, effect, named: Arc::new(named), reach, request_id: "test".into() }
    }

    #[test]
    fn what_is_refused_for_want_of_room_is_not_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "this ERP".into()).unwrap();
        let list = DueList::default();
        list.add(announced("OTHERS", IDS_MAX - 1)).unwrap();
        // Room for one, and eight who come at the same moment.
        let together = Barrier::new(8);
        let taken = std::thread::scope(|scope| {
            let come = |number: usize| {
                let (store, list, together) = (&store, &list, &together);
                move || {
                    let due = announced(&format!("S{number}"), 1);
                    let entry = entry_of(&due, Reading::default());
                    together.wait();
                    store.keep(&[entry], Some(due), list).unwrap().is_ok()
                }
            };
            let threads: Vec<_> = (0..8).map(|number| scope.spawn(come(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|taken| *taken).count()
        });
        assert_eq!((taken, list.len()), (1, 2));
        drop(store);
        let store = Store::open(folder.path(), "this ERP".into()).unwrap();
        assert_eq!(store.take_found().len(), 1);
    }

    #[test]
    fn a_damaged_journal_says_where_and_what_can_be_done() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "this ERP".into()).unwrap();
        let due = announced("S", 1);
        store.keep(&[entry_of(&due, Reading::default())], Some(due), &DueList::default()).unwrap().unwrap();
        drop(store);
        let file = folder.path().join("invalidations/0000000001.journal");
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        let error = Store::open(folder.path(), "this ERP".into()).unwrap_err();
        assert_eq!((error.reason(), error.is_retryable()), ("storage_damaged", false));
        let said = error.to_string();
        let journals = folder.path().join("invalidations");
        for part in [
            &format!("{} is damaged at byte 8: ", file.display()),
            "the bytes of a record are not as they were written",
            &format!("move the whole folder {} aside", journals.display()),
            "have to be announced again",
            "starts cold",
        ] {
            assert!(said.contains(part), "{part:?} in {said}");
        }
    }
}
