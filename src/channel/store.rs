//! Where channels are kept: one journal for all of them, and now and then a checkpoint of all there is.
//!
//! A checkpoint is written bit by bit while changes go on: it begins at a place in the journal, has each row as it stands when
//! its turn comes, and is valid once its end is named in one small file that is replaced whole. A start reads it, and then the
//! journal from that place on: what is in both is the same, or older and followed by the newer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::pack::{Record, unpack};
use crate::journal::group::drop_segments_before;
use crate::journal::pack::{Packer, Unpacker};
use crate::journal::{GroupJournal, JournalError, Position, read_whole, write_whole};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
}

impl StoreError {
    pub fn reason(&self) -> &'static str {
        match self {
            StoreError::Journal(error) => error.reason(),
            StoreError::Folder { .. } => "storage_failed",
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            StoreError::Journal(error) => error.is_retryable(),
            StoreError::Folder { .. } => true,
        }
    }
}

/// A journal shorter than this is not worth a checkpoint. Bytes.
pub const CHECKPOINT_BYTES_MIN: u64 = 64 << 20;

#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    journal: GroupJournal,
    /// Put since the last checkpoint began. Bytes.
    journal_bytes: u64,
    checkpoint: Checkpoint,
    writing: Option<Writing>,
    bytes_min: u64,
    #[cfg(test)]
    is_broken: bool,
}

/// The one that counts.
#[derive(Clone, Copy, Debug, Default)]
struct Checkpoint {
    /// Its folder; 0: there is none.
    number: u64,
    /// Where it ends.
    end: Position,
    /// Where the journal goes on from it.
    from: Position,
    bytes: u64,
}

/// One that does not count yet.
#[derive(Debug)]
struct Writing {
    number: u64,
    rows: GroupJournal,
    from: Position,
    bytes: u64,
}

/// The journal's folder in the channels'.
pub fn journal_folder(folder: &Path) -> PathBuf {
    folder.join("journal")
}

impl Store {
    /// Goes through all that is kept.
    pub fn open(folder: &Path, mut each: impl FnMut(Record)) -> Result<Self, StoreError> {
        let journals = journal_folder(folder);
        create(&journals)?;
        let checkpoint = read_checkpoint(&folder.join(CHECKPOINT))?;
        drop_others(folder, checkpoint.number)?;
        let mut take = |record: &[u8]| {
            each(unpack(record).ok_or("a record is not one of the channels'")?);
            Ok(())
        };
        let mut from = None;
        if checkpoint.number > 0 {
            let rows = rows_folder(folder, checkpoint.number);
            let read = GroupJournal::open(&rows, None, |_, record| take(record))?;
            if read.synced() != checkpoint.end {
                let (at, what) = (read.synced().at, "a checkpoint has lost its end");
                return Err(JournalError::Damaged { path: rows, at, what }.into());
            }
            from = Some(checkpoint.from);
        }
        let mut journal_bytes = 0;
        let journal = GroupJournal::open(&journals, from, |_, record| {
            journal_bytes += record.len() as u64;
            take(record)
        })?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            journal,
            journal_bytes,
            checkpoint,
            writing: None,
            bytes_min: CHECKPOINT_BYTES_MIN,
            #[cfg(test)]
            is_broken: false,
        })
    }

    /// When a checkpoint is due, at least. Bytes.
    pub fn set_checkpoint_bytes_min(&mut self, bytes: u64) {
        self.bytes_min = bytes;
    }

    /// See [`GroupJournal::witness`].
    pub fn witness(&mut self, path: &Path) -> Result<(), StoreError> {
        Ok(self.journal.witness(path)?)
    }

    pub fn put(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.journal_bytes += record.len() as u64;
        Ok(self.journal.put(record)?)
    }

    /// Makes all that was put durable.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.journal.commit()?;
        #[cfg(test)]
        if self.is_broken {
            return Err(JournalError::Poisoned { path: self.folder.clone() }.into());
        }
        Ok(())
    }

    /// The next commit is written, and said to have failed.
    #[cfg(test)]
    pub fn break_disk(&mut self) {
        self.is_broken = true;
    }

    pub fn is_checkpoint_due(&self) -> bool {
        self.writing.is_none() && self.journal_bytes > self.bytes_min.max(self.checkpoint.bytes)
    }

    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// All that is durable by now is to be put into it.
    pub fn begin_checkpoint(&mut self) -> Result<(), StoreError> {
        let number = self.checkpoint.number + 1;
        let path = rows_folder(&self.folder, number);
        create(&path)?;
        let rows = GroupJournal::open(&path, None, |_, _| Ok(()))?;
        self.journal_bytes = 0;
        self.writing = Some(Writing { number, rows, from: self.journal.synced(), bytes: 0 });
        Ok(())
    }

    pub fn put_in_checkpoint(&mut self, record: &[u8]) -> Result<(), StoreError> {
        if let Some(writing) = &mut self.writing {
            writing.rows.put(record)?;
            writing.bytes += record.len() as u64;
            writing.rows.commit()?;
        }
        Ok(())
    }

    /// From here on it counts, and what was before it goes.
    pub fn end_checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(Writing { number, mut rows, from, bytes }) = self.writing.take() else { return Ok(()) };
        let checkpoint = Checkpoint { number, end: rows.commit()?, from, bytes };
        let mut out = Packer::default();
        for value in [number, checkpoint.end.segment, checkpoint.end.at, from.segment, from.at, bytes] {
            out.number(value);
        }
        write_whole(&self.folder.join(CHECKPOINT), &[&out.0])?;
        self.checkpoint = checkpoint;
        drop_others(&self.folder, number)?;
        Ok(drop_segments_before(&journal_folder(&self.folder), from)?)
    }
}

const CHECKPOINT: &str = "checkpoint";

fn rows_folder(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("rows-{number:010}"))
}

fn create(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint, StoreError> {
    let Some(bytes) = read_whole(path)? else { return Ok(Checkpoint::default()) };
    let mut from = Unpacker(&bytes);
    let position = |from: &mut Unpacker<'_>| Some(Position { segment: from.number()?, at: from.number()? });
    let mut read = || {
        let (number, end, journal) = (from.number()?, position(&mut from)?, position(&mut from)?);
        Some(Checkpoint { number, end, from: journal, bytes: from.number()? })
    };
    let what = "it is not where a checkpoint ends";
    read().ok_or_else(|| JournalError::Damaged { path: path.to_owned(), at: 0, what }.into())
}

/// Checkpoints that do not count: replaced ones, and one that was never finished.
fn drop_others(folder: &Path, number: u64) -> Result<(), StoreError> {
    let failed = |source| StoreError::Folder { path: folder.to_owned(), source };
    let kept = rows_folder(folder, number);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_rows = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("rows-"));
        if is_rows && path != kept {
            fs::remove_dir_all(&path).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
