//! The journal of one who has much to write: many records, one sync.
//!
//! Records are put together in memory, written in one piece and synced once; whoever put them waits for that. After a
//! failure nothing more is written or synced: the kernel may have dropped the pages it could not write and call the next
//! sync a success, so what is on the disk is known only to whoever reads it again.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::frame::{self, RECORD_BYTES_MAX};
use super::segments::{MAGIC, create, numbers, path_of, scan};
use super::{JournalError, at_path};

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub segment: u64,
    /// Bytes from the segment's beginning.
    pub at: u64,
}

/// When a new segment is begun. Bytes.
pub const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug)]
pub struct GroupJournal {
    folder: PathBuf,
    file: File,
    synced: Position,
    /// Framed, and not written yet.
    pending: Vec<u8>,
    segment_bytes: u64,
    poisoned: bool,
    /// Told how far the journal is synced.
    witness: Option<File>,
}

impl GroupJournal {
    /// Opens the journal of a folder, which must exist, and goes through what stands in it after `from`: each record with the
    /// place where it ends. `from` is what its user kept elsewhere; `None`: nothing. An end that was never finished is cut off.
    pub fn open(
        folder: &Path,
        from: Option<Position>,
        mut each: impl FnMut(Position, &[u8]) -> Result<(), &'static str>,
    ) -> Result<Self, JournalError> {
        let first = from.map_or(1, |from| from.segment);
        drop_segments_before(folder, from.unwrap_or_default())?;
        let mut segments = numbers(folder)?;
        if segments.is_empty() && from.is_none() {
            create(folder, 1)?;
            segments.push(1);
        }
        let newest = segments.last().copied().unwrap_or(first);
        if !segments.iter().copied().eq(first..=newest) {
            let missing = (first..=newest).find(|number| !segments.contains(number)).unwrap_or(first);
            return Err(JournalError::Damaged { path: path_of(folder, missing), at: 0, what: "it is missing" });
        }
        let mut length = 0;
        for segment in first..=newest {
            let start = from.filter(|from| from.segment == segment).map_or(0, |from| from.at);
            length = scan(&path_of(folder, segment), start, segment == newest, &mut |at, record| {
                each(Position { segment, at }, record)
            })?;
        }
        let path = path_of(folder, newest);
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(at_path(&path))?;
        // What was read may never have been synced: from here on it counts.
        let kept = file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).and_then(|_| file.sync_all());
        kept.map_err(at_path(&path))?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
            synced: Position { segment: newest, at: length },
            pending: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            poisoned: false,
            witness: None,
        })
    }

    /// Keeps how far the journal is synced in a file of its own, readable from outside (see [`witnessed`]), before anybody who
    /// waits for a sync hears of it. For tests that take away what was not synced.
    pub fn witness(&mut self, path: &Path) -> Result<(), JournalError> {
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        self.witness = Some(open.map_err(at_path(path))?);
        self.testify()
    }

    /// Appends a record to what the next [`commit`](Self::commit) makes durable.
    pub fn put(&mut self, record: &[u8]) -> Result<(), JournalError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(JournalError::TooLong { bytes: record.len() });
        }
        frame::put(&mut self.pending, record);
        Ok(())
    }

    /// Makes all that was put durable and says where it ends. After a failure it is not known what of it is there, and every
    /// further attempt fails.
    pub fn commit(&mut self) -> Result<Position, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned { path: self.path() });
        }
        if self.pending.is_empty() {
            return Ok(self.synced);
        }
        self.poisoned = true;
        if self.synced.at >= self.segment_bytes {
            let segment = self.synced.segment + 1;
            self.file = create(&self.folder, segment)?;
            self.synced = Position { segment, at: MAGIC.len() as u64 };
        }
        self.file.write_all(&self.pending).and_then(|()| self.file.sync_data()).map_err(at_path(&self.path()))?;
        self.synced.at += self.pending.len() as u64;
        self.testify()?;
        self.poisoned = false;
        self.pending.clear();
        // One large round does not keep its room for ever.
        self.pending.shrink_to(PENDING_KEPT);
        Ok(self.synced)
    }

    /// What is durable ends here.
    pub fn synced(&self) -> Position {
        self.synced
    }

    /// The next record begins a new segment where the newest has so many bytes.
    pub fn set_segment_bytes(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    fn path(&self) -> PathBuf {
        path_of(&self.folder, self.synced.segment)
    }

    fn testify(&self) -> Result<(), JournalError> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let mut both = [0; 16];
        both[..8].copy_from_slice(&self.synced.segment.to_le_bytes());
        both[8..].copy_from_slice(&self.synced.at.to_le_bytes());
        witness.write_all_at(&both, 0).map_err(at_path(&self.path()))
    }
}

/// Room that is kept for the next round. Bytes.
const PENDING_KEPT: usize = 1 << 20;

/// How far a journal was synced when its process ended, from the file it was told to keep that in.
pub fn witnessed(path: &Path) -> Result<Position, JournalError> {
    let bytes = fs::read(path).map_err(at_path(path))?;
    let Some((segment, at)) =
        bytes.split_first_chunk::<8>().and_then(|(segment, at)| Some((segment, at.first_chunk()?)))
    else {
        return Err(JournalError::Damaged { path: path.to_owned(), at: 0, what: "it is too short" });
    };
    Ok(Position { segment: u64::from_le_bytes(*segment), at: u64::from_le_bytes(*at) })
}

/// The file of a segment.
pub fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    path_of(folder, segment)
}

/// Drops the segments before a position its user kept, durably, together with all that the journal says up to there. The
/// oldest first, so that what is left has no holes.
pub fn drop_segments_before(folder: &Path, kept: Position) -> Result<(), JournalError> {
    for number in numbers(folder)?.into_iter().filter(|number| *number < kept.segment) {
        let path = path_of(folder, number);
        fs::remove_file(&path).map_err(at_path(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Held = Vec<(Position, Vec<u8>)>;

    fn open(folder: &Path, from: Option<Position>) -> Result<(GroupJournal, Held), JournalError> {
        let mut held = Vec::new();
        let journal = GroupJournal::open(folder, from, |end, record| {
            held.push((end, record.to_vec()));
            Ok(())
        })?;
        Ok((journal, held))
    }

    fn records(held: &[(Position, Vec<u8>)]) -> Vec<&[u8]> {
        held.iter().map(|(_, record)| record.as_slice()).collect()
    }

    #[test]
    fn many_records_are_durable_with_one_sync_and_replayed_from_any_place() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None).unwrap();
        journal.set_segment_bytes(60);
        for round in 0..5u8 {
            journal.put(&[round; 10]).unwrap();
            journal.put(&[round; 11]).unwrap();
            journal.commit().unwrap();
        }
        let end = journal.synced();
        assert!(end.segment > 1, "{end:?}");
        drop(journal);
        let (journal, held) = open(folder.path(), None).unwrap();
        assert_eq!((held.len(), journal.synced(), held[9].0), (10, end, end));
        for (index, (place, _)) in held.iter().enumerate() {
            let (_, rest) = open(folder.path(), Some(*place)).unwrap();
            assert_eq!(rest, held[index + 1..], "from {place:?}");
        }
        // The segments before a place that was kept are gone by now, and the place must be there.
        assert!(matches!(open(folder.path(), None), Err(JournalError::Damaged { .. })));
        fs::remove_file(path_of(folder.path(), end.segment)).unwrap();
        assert!(matches!(open(folder.path(), Some(end)), Err(JournalError::Damaged { .. })));
    }

    #[test]
    fn what_is_kept_elsewhere_and_missing_here_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None).unwrap();
        journal.put(b"kept elsewhere").unwrap();
        let end = journal.commit().unwrap();
        drop(journal);
        let path = path_of(folder.path(), 1);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            fs::write(&path, &bytes[..at]).unwrap();
            assert!(matches!(open(folder.path(), Some(end)), Err(JournalError::Damaged { .. })), "cut at {at}");
        }
    }

    #[test]
    fn cut_beyond_what_is_synced_nothing_synced_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let witness = folder.path().join("synced");
        let (mut journal, _) = open(folder.path(), None).unwrap();
        journal.witness(&witness).unwrap();
        journal.put(b"one").unwrap();
        journal.commit().unwrap();
        let synced = witnessed(&witness).unwrap();
        assert_eq!(synced, journal.synced());
        // As far as a crash before the next sync may have come.
        journal.put(b"two").unwrap();
        journal.put(b"three").unwrap();
        journal.file.write_all(&journal.pending).unwrap();
        drop(journal);
        let path = segment_path(folder.path(), synced.segment);
        let bytes = fs::read(&path).unwrap();
        for at in usize::try_from(synced.at).unwrap()..=bytes.len() {
            fs::write(&path, &bytes[..at]).unwrap();
            let (_, held) = open(folder.path(), None).unwrap();
            assert_eq!(records(&held), [&b"one"[..], b"two", b"three"][..held.len()], "cut at {at}");
            assert!(!held.is_empty());
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_synced_any_more() {
        // One takes no byte, the other takes them all and cannot sync.
        for bad in ["/dev/full", "/dev/null"] {
            let folder = tempfile::tempdir().unwrap();
            let (mut journal, _) = open(folder.path(), None).unwrap();
            journal.put(b"one").unwrap();
            let synced = journal.commit().unwrap();
            let good = std::mem::replace(&mut journal.file, OpenOptions::new().write(true).open(bad).unwrap());
            journal.put(b"lost").unwrap();
            assert!(matches!(journal.commit(), Err(JournalError::Io { .. })), "{bad}");
            journal.file = good;
            journal.put(b"two").unwrap();
            assert!(matches!(journal.commit(), Err(JournalError::Poisoned { .. })), "{bad}");
            assert_eq!(journal.synced(), synced);
            drop(journal);
            assert_eq!(records(&open(folder.path(), None).unwrap().1), [b"one"], "{bad}");
        }
    }

    #[test]
    fn a_record_its_user_cannot_read_is_damage_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None).unwrap();
        journal.put(b"good").unwrap();
        let end = journal.commit().unwrap();
        journal.put(b"bad").unwrap();
        journal.commit().unwrap();
        let read =
            GroupJournal::open(folder.path(), None, |_, record| if record == b"bad" { Err("no") } else { Ok(()) });
        assert!(matches!(read, Err(JournalError::Damaged { at, what: "no", .. }) if at == end.at));
    }
}
