//! Files that are replaced whole: written beside, synced, renamed over the old one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::frame::checksum;
use super::{JournalError, at_path};

/// Replaces `path` by these parts and a checksum of them. Durable when it returns; a crash before leaves the old file.
pub fn write_whole(path: &Path, parts: &[&[u8]]) -> Result<(), JournalError> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(at_path(&beside))?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    written
        .and_then(|()| file.write_all(&checksum(parts).to_le_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(at_path(&beside))?;
    fs::rename(&beside, path).map_err(at_path(path))?;
    sync_folder_of(path)
}

/// The bytes of such a file; `None` if there is none.
pub fn read_whole(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    let mut bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at_path(path)(error)),
    };
    let damaged = |at| JournalError::Damaged {
        path: path.to_owned(),
        at,
        what: "the bytes before it are not as they were written",
    };
    let Some((_, own)) = bytes.split_last_chunk::<4>() else { return Err(damaged(0)) };
    let (own, length) = (u32::from_le_bytes(*own), bytes.len() - 4);
    bytes.truncate(length);
    if checksum(&[&bytes]) != own {
        return Err(damaged(length as u64));
    }
    Ok(Some(bytes))
}

/// A new or renamed file is there after a crash only once its folder is synced.
pub fn sync_folder_of(path: &Path) -> Result<(), JournalError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at_path(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_what_was_written_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("saved");
        assert!(read_whole(&path).unwrap().is_none());
        write_whole(&path, &[b"old"]).unwrap();
        write_whole(&path, &[b"new ", b"content"]).unwrap();
        assert_eq!(read_whole(&path).unwrap().unwrap(), b"new content");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            assert!(matches!(read_whole(&path), Err(JournalError::Damaged { .. })), "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert!(matches!(read_whole(&path), Err(JournalError::Damaged { .. })), "cut at {at}");
        }
    }
}
