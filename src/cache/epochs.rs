//! Invalidation in constant time and constant memory.
//!
//! Every figure is stamped with the counter's value from before its ERP call left. An invalidation takes the next value and
//! writes it into the cell of each word it names. A figure counts only while its stamp is at least as new as every cell of
//! the words of the REQUEST that reads it. So a call that left before an invalidation can never become visible after it,
//! whatever order they land in, and no reader waits for anybody.
//!
//! Cells are a fixed table addressed by a keyed hash of the words: two words may share a cell, which can only invalidate too
//! much. Nothing grows and nothing is collected.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

use crate::clock::Stamp;

/// What an invalidation can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word<'a> {
    All,
    Customer(&'a str),
    PriceList(&'a str),
    Sku(&'a str),
    CustomerSku(&'a str, &'a str),
    PriceListSku(&'a str, &'a str),
}

/// Cells of the table: 32 MiB of them.
const CELLS: usize = 1 << 22;

#[derive(Debug)]
pub struct Epochs {
    counter: AtomicU64,
    cells: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// The cells that one party's requests have in common, read once a page after it arrived.
#[derive(Clone, Copy, Debug)]
pub struct PartyWords<'a> {
    customer: Option<&'a str>,
    price_list: Option<&'a str>,
    /// The newest of all, customer and price list.
    newest: Stamp,
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

impl Epochs {
    pub fn new() -> Self {
        let cells = std::iter::repeat_with(|| AtomicU64::new(0)).take(CELLS).collect();
        Self { counter: AtomicU64::new(0), cells, hasher: RandomState::default() }
    }

    /// To be taken before the first byte of an ERP call leaves. A figure with the stamp of now needs no look at the cells:
    /// none can hold more than this.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.counter.load(Ordering::SeqCst))
    }

    /// Makes every figure that was asked for before now, and that a request with this word would read, unusable.
    /// In effect when it returns.
    pub fn invalidate(&self, word: Word<'_>) -> Stamp {
        let now = self.counter.fetch_add(1, Ordering::SeqCst) + 1;
        self.cell(word).fetch_max(now, Ordering::SeqCst);
        Stamp(now)
    }

    /// The part of a request's words that does not change from line to line.
    pub fn party<'a>(&self, customer: Option<&'a str>, price_list: Option<&'a str>) -> PartyWords<'a> {
        let newest = [Some(Word::All), customer.map(Word::Customer), price_list.map(Word::PriceList)]
            .into_iter()
            .flatten()
            .map(|word| self.load(word))
            .max()
            .unwrap_or_default();
        PartyWords { customer, price_list, newest }
    }

    /// The oldest stamp with which a price of this SKU may still be read by this party.
    pub fn needed_for_price(&self, party: &PartyWords<'_>, sku: &str) -> Stamp {
        let mut newest = party.newest.max(self.load(Word::Sku(sku)));
        if let Some(customer) = party.customer {
            newest = newest.max(self.load(Word::CustomerSku(customer, sku)));
        }
        if let Some(list) = party.price_list {
            newest = newest.max(self.load(Word::PriceListSku(list, sku)));
        }
        newest
    }

    /// The oldest stamp with which facts of a customer may still be read.
    pub fn needed_for_facts(&self, customer: Option<&str>) -> Stamp {
        self.party(customer, None).newest
    }

    /// The oldest stamp with which stock of this SKU may still be read.
    pub fn needed_for_stock(&self, sku: &str) -> Stamp {
        self.load(Word::All).max(self.load(Word::Sku(sku)))
    }

    fn load(&self, word: Word<'_>) -> Stamp {
        Stamp(self.cell(word).load(Ordering::SeqCst))
    }

    fn cell(&self, word: Word<'_>) -> &AtomicU64 {
        // `str` hashes its own end mark, so ("1", "23") and ("12", "3") differ.
        &self.cells[self.hasher.hash_one(word) as usize % CELLS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalidation_reaches_exactly_the_requests_it_names() {
        let cases: [(Word, [bool; 4]); 6] = [
            // (customer C list L sku S), (C L T), (D L S), (D M T)
            (Word::All, [true, true, true, true]),
            (Word::Customer("C"), [true, true, false, false]),
            (Word::PriceList("L"), [true, true, true, false]),
            (Word::Sku("S"), [true, false, true, false]),
            (Word::CustomerSku("C", "S"), [true, false, false, false]),
            (Word::PriceListSku("L", "S"), [true, false, true, false]),
        ];
        for (word, reached) in cases {
            let epochs = Epochs::new();
            let before = epochs.stamp();
            epochs.invalidate(word);
            let requests = [("C", "L", "S"), ("C", "L", "T"), ("D", "L", "S"), ("D", "M", "T")];
            for ((customer, list, sku), reached) in requests.into_iter().zip(reached) {
                let needed = epochs.needed_for_price(&epochs.party(Some(customer), Some(list)), sku);
                assert_eq!(before < needed, reached, "{word:?} and {customer} {list} {sku}");
                // A call that leaves now is always good enough.
                assert!(epochs.stamp() >= needed);
            }
        }
    }

    #[test]
    fn words_do_not_run_into_each_other() {
        let epochs = Epochs::new();
        let before = epochs.stamp();
        epochs.invalidate(Word::CustomerSku("1", "23"));
        assert!(epochs.needed_for_price(&epochs.party(Some("12"), None), "3") <= before);
    }
}
