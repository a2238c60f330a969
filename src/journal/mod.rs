//! Bytes that survive: an append-only journal in segments, and whole files replaced in one step.
//!
//! Owns: how a record is framed and checked ([`frame`]), the segments and their replay ([`segments`]), many records with
//! one sync ([`group`]), and files that are
//! either the old one or the new one, never half ([`whole`]). Never knows what the bytes mean.
//!
//! What was acknowledged is there after a crash. What is damaged is an error somebody has to look at, never skipped; only an
//! end that was never acknowledged, because the crash came in the middle of writing it, is cut off. Tested by flipping every
//! byte and cutting at every length.

pub mod frame;
pub mod group;
pub mod pack;
pub mod segments;
pub mod whole;

use std::io;
use std::path::PathBuf;

pub use self::group::{GroupJournal, Position};
pub use self::segments::{Journal, Record};
pub use self::whole::{read_whole, write_whole};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    /// What was acknowledged cannot be read any more.
    #[error("{path} is damaged at byte {at}: {what}", path = path.display())]
    Damaged { path: PathBuf, at: u64, what: &'static str },
    /// An earlier failure left it open what is on the disk.
    #[error("{path} failed before: nothing more is written to it", path = path.display())]
    Poisoned { path: PathBuf },
    #[error("{bytes} bytes are more than a record holds")]
    TooLong { bytes: usize },
}

impl JournalError {
    pub fn reason(&self) -> &'static str {
        match self {
            JournalError::Io { .. } | JournalError::Poisoned { .. } => "storage_failed",
            JournalError::Damaged { .. } => "storage_damaged",
            JournalError::TooLong { .. } => "over_limit",
        }
    }

    pub fn is_retryable(&self) -> bool {
        matches!(self, JournalError::Io { .. })
    }
}

fn at_path(path: &std::path::Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}
