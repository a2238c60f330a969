//! The journal: records one after the other, in files of their own numbers.
//!
//! A new segment is begun by whoever keeps a summary of all before it; once that summary is safe, the older ones go.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::frame::{self, Framed, RECORD_BYTES_MAX};
use super::whole::sync_folder_of;
use super::{JournalError, at_path};

/// What a segment begins with: who wrote it, and in which way.
pub(super) const MAGIC: &[u8; 8] = b"cptjrnl1";

/// One record of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of the segment it stands in.
    pub segment: u64,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    oldest: u64,
    segment: u64,
    file: File,
    /// What is written and synced; beyond may be the remains of an append that failed.
    length: u64,
    clean: bool,
}

impl Journal {
    /// Opens the journal of a folder, which must exist, and reads what is in it. An end that was never finished is cut off.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let mut numbers = numbers(folder)?;
        if numbers.is_empty() {
            create(folder, 1)?;
            numbers.push(1);
        }
        let (oldest, newest) = (numbers[0], numbers[numbers.len() - 1]);
        let mut records = Vec::new();
        let mut length = 0;
        for segment in numbers {
            length = scan(&path_of(folder, segment), 0, segment == newest, &mut |_, bytes| {
                records.push(Record { segment, bytes: bytes.to_vec() });
                Ok(())
            })?;
        }
        let path = path_of(folder, newest);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(at_path(&path))?;
        let mut journal = Self { folder: folder.to_owned(), oldest, segment: newest, file, length, clean: false };
        journal.clean_up()?;
        Ok((journal, records))
    }

    /// Durable when it returns. After a failure nothing of the record counts.
    pub fn append(&mut self, record: &[u8]) -> Result<(), JournalError> {
        self.append_all(&[record])
    }

    /// All of them or none.
    pub fn append_all(&mut self, records: &[&[u8]]) -> Result<(), JournalError> {
        let mut bytes = Vec::with_capacity(records.iter().map(|record| record.len() + frame::HEAD_BYTES).sum());
        for record in records {
            if record.len() > RECORD_BYTES_MAX {
                return Err(JournalError::TooLong { bytes: record.len() });
            }
            frame::put(&mut bytes, record);
        }
        if !self.clean {
            self.clean_up()?;
        }
        self.clean = false;
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(at_path(&self.path()))?;
        self.length += bytes.len() as u64;
        self.clean = true;
        Ok(())
    }

    /// Begins a new segment with these records, and gives its number.
    pub fn begin_segment(&mut self, records: &[&[u8]]) -> Result<u64, JournalError> {
        let number = self.segment + 1;
        let path = path_of(&self.folder, number);
        let file = create(&self.folder, number)?;
        let (folder, oldest) = (self.folder.clone(), self.oldest);
        let mut begun = Self { folder, oldest, segment: number, file, length: MAGIC.len() as u64, clean: true };
        if let Err(error) = begun.append_all(records) {
            // An empty one would do no harm, half of it would be taken for whole.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        *self = begun;
        Ok(number)
    }

    /// Drops all segments before this one.
    pub fn drop_before(&mut self, segment: u64) -> Result<(), JournalError> {
        for number in numbers(&self.folder)?.into_iter().filter(|number| *number < segment.min(self.segment)) {
            let path = path_of(&self.folder, number);
            fs::remove_file(&path).map_err(at_path(&path))?;
            self.oldest = number + 1;
        }
        Ok(())
    }

    /// The segments that are there.
    pub fn segments(&self) -> RangeInclusive<u64> {
        self.oldest..=self.segment
    }

    /// The newest segment's number.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// The newest segment's length. Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn path(&self) -> PathBuf {
        path_of(&self.folder, self.segment)
    }

    /// Cuts off what an append that failed, or a crash, may have left.
    fn clean_up(&mut self) -> Result<(), JournalError> {
        let cut = |file: &mut File, length| {
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            file.sync_all()
        };
        cut(&mut self.file, self.length).map_err(at_path(&self.path()))?;
        self.clean = true;
        Ok(())
    }
}

pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.journal"))
}

pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(at_path(folder))? {
        let name = entry.map_err(at_path(folder))?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".journal")).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn create(folder: &Path, number: u64) -> Result<File, JournalError> {
    // One that is there already was never begun: nothing in it was acknowledged.
    let path = path_of(folder, number);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(at_path(&path))?;
    file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(at_path(&path))?;
    sync_folder_of(&path)?;
    Ok(file)
}

/// Takes a record and the place where it ends; or says why it cannot be one.
pub(super) type Each<'a> = dyn FnMut(u64, &[u8]) -> Result<(), &'static str> + 'a;

/// Reads the records of a segment from `from` on (0: from its beginning), each with the place where it ends, and says where
/// the good part of the segment does.
pub(super) fn scan(path: &Path, from: u64, newest: bool, each: &mut Each<'_>) -> Result<u64, JournalError> {
    let bytes = fs::read(path).map_err(at_path(path))?;
    let damaged = |at: usize, what| JournalError::Damaged { path: path.to_owned(), at: at as u64, what };
    if !bytes.starts_with(MAGIC) {
        // The crash came while it was created, so nothing in it was acknowledged.
        let begun = newest && from == 0 && (MAGIC.starts_with(&bytes) || bytes.iter().all(|byte| *byte == 0));
        if begun {
            fs::write(path, MAGIC).map_err(at_path(path))?;
            return Ok(MAGIC.len() as u64);
        }
        return Err(damaged(0, "it does not begin as a journal does"));
    }
    let from = usize::try_from(from).unwrap_or(usize::MAX).max(MAGIC.len());
    let mut rest = bytes.get(from..).ok_or_else(|| damaged(bytes.len(), "its end is missing"))?;
    loop {
        let at = bytes.len() - rest.len();
        match frame::take(rest) {
            Framed::Record(record, tail) => {
                each((bytes.len() - tail.len()) as u64, record).map_err(|what| damaged(at, what))?;
                rest = tail;
            }
            Framed::End => return Ok(at as u64),
            Framed::Torn if newest => {
                tracing::warn!(path = %path.display(), at, "an append that never finished is cut off");
                return Ok(at as u64);
            }
            // Whoever began the next segment had finished this one.
            Framed::Torn => return Err(damaged(at, "what followed is missing")),
            Framed::Damaged(what) => return Err(damaged(at, what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, records: &[&[u8]]) {
        let (mut journal, held) = Journal::open(folder).unwrap();
        assert!(held.is_empty());
        for record in records {
            journal.append(record).unwrap();
        }
    }

    fn read_back(folder: &Path) -> Result<Vec<Vec<u8>>, JournalError> {
        Journal::open(folder).map(|(_, records)| records.into_iter().map(|record| record.bytes).collect())
    }

    const RECORDS: [&[u8]; 4] = [b"first", b"", b"the third one", b"last"];

    #[test]
    fn what_was_appended_is_there_again_in_order() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &RECORDS);
        assert_eq!(read_back(folder.path()).unwrap(), RECORDS);
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(b"later").unwrap();
        drop(journal);
        assert_eq!(read_back(folder.path()).unwrap().last().unwrap(), b"later");
    }

    #[test]
    fn every_flipped_byte_is_noticed_and_never_applied() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &RECORDS);
        let path = path_of(folder.path(), 1);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            for bit in [0x01, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                fs::write(&path, &bad).unwrap();
                let read = read_back(folder.path());
                assert!(matches!(read, Err(JournalError::Damaged { .. })), "byte {at}: {read:?}");
            }
        }
    }

    #[test]
    fn cut_anywhere_it_is_what_was_finished_before_and_goes_on_from_there() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &RECORDS);
        let path = path_of(folder.path(), 1);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            fs::write(&path, &good[..at]).unwrap();
            let read = read_back(folder.path()).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            assert!(read.len() < RECORDS.len() && read == RECORDS[..read.len()], "cut at {at}: {read:?}");
            let (mut journal, _) = Journal::open(folder.path()).unwrap();
            journal.append(b"next").unwrap();
            drop(journal);
            let again = read_back(folder.path()).unwrap();
            assert_eq!((again.len(), again.last().unwrap().as_slice()), (read.len() + 1, &b"next"[..]), "cut at {at}");
        }
    }

    #[test]
    fn a_new_segment_begins_with_its_summary_and_the_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &RECORDS);
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        let second = journal.begin_segment(&[b"summary"]).unwrap();
        journal.append(b"more").unwrap();
        drop(journal);
        let (mut journal, records) = Journal::open(folder.path()).unwrap();
        assert_eq!((records.len(), journal.segments()), (RECORDS.len() + 2, 1..=second));
        assert!(
            records
                .iter()
                .filter(|record| record.segment == second)
                .map(|record| &record.bytes[..])
                .eq([&b"summary"[..], b"more"])
        );
        journal.drop_before(second).unwrap();
        assert_eq!(journal.segments(), second..=second);
        drop(journal);
        assert_eq!(read_back(folder.path()).unwrap(), [&b"summary"[..], b"more"]);
        // An old segment that lost its end had been acknowledged whole.
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.begin_segment(&[]).unwrap();
        drop(journal);
        let path = path_of(folder.path(), second);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(read_back(folder.path()), Err(JournalError::Damaged { .. })));
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(b"one").unwrap();
        let path = journal.path();
        // A handle that cannot write stands for a disk that is full.
        let writable = std::mem::replace(&mut journal.file, File::open(&path).unwrap());
        assert!(journal.append(b"lost").unwrap_err().is_retryable());
        assert!(journal.append(b"lost too").is_err());
        journal.file = writable;
        journal.append(b"two").unwrap();
        drop(journal);
        assert_eq!(read_back(folder.path()).unwrap(), [b"one", b"two"]);
    }
}
