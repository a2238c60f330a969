//! What rows are called.

use crate::clock::Timestamp;
use crate::domain::change::RowKey;
use crate::domain::ids::SourceId;

pub(super) const EPOCH: u8 = b'e';
pub(super) const MISSED: u8 = b'm';
pub(super) const COMPLETE: u8 = b'c';
pub(super) const SEQUENCE: u8 = b'n';
pub(super) const HEARD: u8 = b't';
pub(super) const GAP: u8 = b'g';
pub(super) const UNBEGUN: u8 = b'u';
pub(super) const UNCOVERED: u8 = b'v';

/// Identities have no control characters: a zero ends each.
pub(super) fn split(key: &[u8]) -> Option<(&str, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&key[..end]).ok()?, &key[end + 1..]))
}

pub(super) fn prefix(source: &SourceId) -> Vec<u8> {
    [source.as_str().as_bytes(), &[0]].concat()
}

/// That a row of the level went stands before its rows, and comes back before them.
pub(super) const LEVEL: u8 = 0;
pub(super) const ROW: u8 = 1;

pub(super) fn level_key(key: &RowKey) -> Vec<u8> {
    let (sku, location) = (key.sku.as_str().as_bytes(), key.location.as_str().as_bytes());
    [sku, &[0], location, &[0, key.measure as u8, LEVEL]].concat()
}

pub(super) fn row_key(key: &RowKey) -> Vec<u8> {
    let (sku, location) = (key.sku.as_str().as_bytes(), key.location.as_str().as_bytes());
    [sku, &[0], location, &[0, key.measure as u8, ROW], key.row.as_str().as_bytes()].concat()
}

/// A time whose bytes lie in the order of time.
pub(super) fn sortable(at: Timestamp) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(super) fn sortable_time(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}
