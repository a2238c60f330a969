//! What the lines of one page have in common is encoded once and copied: the freshness of figures that were asked together,
//! and the parts of a price that thousands of rows share.

use super::sink::Sink;
use crate::cache::price_row::PriceShape;
use crate::offer::Freshness;

/// Fields that were written once, and what they were made of.
#[derive(Debug)]
pub struct Slot<K> {
    key: Option<K>,
    fields: Vec<u8>,
}

impl<K> Default for Slot<K> {
    fn default() -> Self {
        Self { key: None, fields: Vec::new() }
    }
}

impl<K: PartialEq> Slot<K> {
    /// Copies what was last written for `key`, or writes and keeps it.
    #[inline]
    pub fn put<S: Sink>(&mut self, sink: &mut S, key: K, write: impl FnOnce(&mut S)) {
        if self.key.as_ref() == Some(&key) {
            sink.again(&self.fields);
            return;
        }
        let start = sink.bytes().len();
        write(sink);
        self.fields.clear();
        self.fields.extend_from_slice(&sink.bytes()[start..]);
        self.key = Some(key);
    }
}

/// A shape by its place in memory: rows of one page that share it point to the same. Valid while the answer is borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Same<'a>(pub &'a PriceShape);

impl PartialEq for Same<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// The memory of one page.
#[derive(Debug, Default)]
pub struct Memo<'a> {
    pub price_freshness: Slot<Freshness>,
    pub availability_freshness: Slot<Freshness>,
    pub location_freshness: Slot<Freshness>,
    pub price_basis: Slot<Same<'a>>,
    pub price_tail: Slot<Same<'a>>,
    pub terms_before: Slot<Same<'a>>,
    pub terms_after: Slot<Same<'a>>,
}
