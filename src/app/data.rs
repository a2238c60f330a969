//! The data folder: one gateway at a time, and whether the one before ended well.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::journal::whole::sync_folder_of;

/// A data folder that is ours. The system lets go of it when the process is gone, however it went.
#[derive(Debug)]
pub struct DataFolder {
    pub path: PathBuf,
    /// The gateway before did not end by itself: calls of its may still run in the ERP.
    pub unclean: bool,
    _lock: File,
}

impl DataFolder {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let lock = path.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&lock);
        let file = file.with_context(|| format!("cannot open {}", lock.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => bail!("another gateway uses the data folder {}", path.display()),
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        let marker = marker(path);
        let unclean = marker.exists();
        File::create(&marker)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("cannot write {}", marker.display()))?;
        sync_folder_of(&marker)?;
        Ok(Self { path: path.to_owned(), unclean, _lock: file })
    }

    /// Nothing of ours runs any more.
    pub fn close(self) -> anyhow::Result<()> {
        let marker = marker(&self.path);
        fs::remove_file(&marker).with_context(|| format!("cannot remove {}", marker.display()))?;
        sync_folder_of(&marker)?;
        Ok(())
    }
}

fn marker(path: &Path) -> PathBuf {
    path.join("running")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_at_a_time_and_a_crash_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let first = DataFolder::open(&path).unwrap();
        assert!(!first.unclean);
        assert!(DataFolder::open(&path).unwrap_err().to_string().contains("another gateway"));
        first.close().unwrap();
        let second = DataFolder::open(&path).unwrap();
        assert!(!second.unclean, "the first ended well");
        // As a crash does: the lock is gone with the process, the marker stays.
        drop(second);
        assert!(DataFolder::open(&path).unwrap().unclean);
    }
}
