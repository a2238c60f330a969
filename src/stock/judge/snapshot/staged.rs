//! A snapshot as it arrives, beside everything else that happens.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::domain::change::{RowKey, Unreadable};
use crate::domain::ids::SourceId;
use crate::stock::request::{LINES_NAMED_MAX, SnapshotError, SnapshotHead, SnapshotLine};
use jiff::civil::Date;

pub(super) type Fast<V> = HashMap<RowKey, V, foldhash::fast::RandomState>;

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub quantity: Quantity,
    pub expected_on: Option<Date>,
    pub expires_at: Option<Timestamp>,
}

impl Figure {
    pub const ZERO: Figure = Figure { quantity: Quantity::ZERO, expected_on: None, expires_at: None };
}

/// What arrived of it so far.
#[derive(Debug)]
pub struct Staged {
    pub(super) head: SnapshotHead,
    /// And the lines they came in.
    pub(super) rows: Fast<(u64, Figure)>,
    /// Rows that cannot be read, of which the key can.
    pub(super) spoiled: Vec<RowKey>,
    pub(super) read: u64,
    pub(super) rejected: u64,
    /// The first of them.
    pub(super) rejects: Vec<(u64, Unreadable)>,
    /// The first lines that keep it from being taken.
    unreadable: Vec<u64>,
    doubled: Vec<u64>,
    rows_max: usize,
}

impl Staged {
    /// `rows_max`: with more it is refused, for it could not be kept.
    pub fn new(head: SnapshotHead, rows_max: usize) -> Self {
        Self {
            head,
            rows: Fast::default(),
            spoiled: Vec::new(),
            read: 0,
            rejected: 0,
            rejects: Vec::new(),
            unreadable: Vec::new(),
            doubled: Vec::new(),
            rows_max,
        }
    }

    pub fn take(&mut self, lines: Vec<SnapshotLine>) -> Result<(), SnapshotError> {
        for SnapshotLine { line, row } in lines {
            self.read += 1;
            let (key, figure) = match row {
                Ok(row) => {
                    let (quantity, expected_on, expires_at) = (row.quantity, row.expected_on, row.expires_at);
                    (row.key, Some(Figure { quantity, expected_on, expires_at }))
                }
                Err(Unreadable { key: None, .. }) => {
                    note(&mut self.unreadable, line);
                    continue;
                }
                Err(Unreadable { key: Some(key), reason, detail }) => {
                    self.rejected += 1;
                    if self.rejects.len() < LINES_NAMED_MAX {
                        self.rejects.push((line, Unreadable { reason, detail, key: Some(key.clone()) }));
                    }
                    (key, None)
                }
            };
            match self.rows.entry(key) {
                Entry::Occupied(_) => note(&mut self.doubled, line),
                // That of a row which cannot be read stands for its key alone.
                Entry::Vacant(free) => {
                    if figure.is_none() {
                        self.spoiled.push(free.key().clone());
                    }
                    free.insert((line, figure.unwrap_or(Figure::ZERO)));
                }
            }
        }
        if self.rows.len() > self.rows_max {
            return Err(SnapshotError::LedgerFull { limit: self.rows_max });
        }
        Ok(())
    }

    /// There are no more. `rows`: how many there were, where that is said here.
    pub fn end(&self, rows: Option<u64>) -> Result<(), SnapshotError> {
        for (reason, what, lines) in [
            ("malformed_row", "a row whose key cannot be read", &self.unreadable),
            ("duplicate_key", "a row that was there before", &self.doubled),
        ] {
            if !lines.is_empty() {
                return Err(SnapshotError::Lines { reason, what, lines: lines.clone() });
            }
        }
        let said = rows.or(self.head.rows).ok_or(SnapshotError::RowsUnsaid)?;
        if self.head.rows.is_some_and(|head| head != said) || said != self.read {
            return Err(SnapshotError::RowsDiffer { said, read: self.read });
        }
        Ok(())
    }

    pub fn source(&self) -> &SourceId {
        &self.head.source
    }

    /// So many rows arrived.
    pub fn read(&self) -> u64 {
        self.read
    }
}

fn note(lines: &mut Vec<u64>, line: u64) {
    if lines.len() < LINES_NAMED_MAX {
        lines.push(line);
    }
}
