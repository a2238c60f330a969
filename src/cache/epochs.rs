//! Invalidation in constant time and constant memory.
//!
//! Every figure is stamped with the counter's value from before its ERP call left. An invalidation takes the next value and
//! writes it into the cell of each word it names. A figure counts only while its stamp is at least as new as every cell of
//! the words of the REQUEST that reads it. So a call that left before an invalidation can never become visible after it,
//! whatever order they land in, and no reader waits for anybody.
//!
//! A second table of the same kind holds expiries: a figure older than one of those is still servable where stale figures
//! are, and no longer fresh.
//!
//! Cells are fixed tables addressed by a keyed hash of the words: two words may share a cell, which can only invalidate too
//! much. Nothing grows and nothing is collected. Tested as tables next door, and under thousands of interleavings in
//! `tests/interleavings.rs`, which compiles this very file with a scheduler's atomics.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering;

use foldhash::quality::FixedState;

use super::atomic::{AtomicU64, zeros};
use crate::clock::Stamp;
use crate::mutants::mutant;

/// What an invalidation can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word<'a> {
    All,
    Customer(&'a str),
    PriceList(&'a str),
    Contract(&'a str),
    /// `None`: whoever names no company and is answered for the ERP's default one.
    Company(Option<&'a str>),
    Sku(&'a str),
    CustomerSku(&'a str, &'a str),
    PriceListSku(&'a str, &'a str),
    ContractSku(&'a str, &'a str),
}

/// Cells for invalidations: 32 MiB of them. A hundred thousand words fill 2.4% of it.
const CELLS: usize = 1 << 22;

/// Cells for expiries: 2 MiB. They are rarer, and a collision costs one question to the ERP.
const EXPIRY_CELLS: usize = 1 << 18;

#[derive(Debug)]
pub struct Epochs {
    counter: AtomicU64,
    key: u64,
    invalidated: Cells,
    expired: Cells,
}

/// The cells of one kind of mark.
#[derive(Debug)]
struct Cells {
    cells: Box<[AtomicU64]>,
    /// The newest mark anywhere: a figure that is no older needs no look at the cells.
    newest: AtomicU64,
    hasher: FixedState,
}

/// Who a request is for, as far as invalidations can name it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartyNames<'a> {
    pub customer: Option<&'a str>,
    pub price_list: Option<&'a str>,
    pub contract: Option<&'a str>,
    pub company: Option<&'a str>,
}

/// The cells that one party's requests have in common, read once a page after it arrived.
#[derive(Clone, Copy, Debug)]
pub struct PartyWords<'a> {
    names: PartyNames<'a>,
    newest: Needed,
}

/// How new a figure's stamp must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Below this it was invalidated: it is gone.
    pub gone_below: Stamp,
    /// Below this it expired: it is served only where a stale figure may be.
    pub expired_below: Stamp,
}

impl Needed {
    /// What an ERP call must have been stamped with for its answer to be fresh.
    pub fn fresh(self) -> Stamp {
        self.gone_below.max(self.expired_below)
    }

    fn newer(self, other: Needed) -> Needed {
        Needed {
            gone_below: self.gone_below.max(other.gone_below),
            expired_below: self.expired_below.max(other.expired_below),
        }
    }
}

impl<'a> PartyWords<'a> {
    /// Every word that concerns a price of this SKU for this party.
    pub fn of_price(&self, sku: &'a str) -> impl Iterator<Item = Word<'a>> + use<'a> {
        self.names.words().chain(self.names.words_with(sku))
    }
}

/// Every word that concerns facts of a customer.
pub fn words_of_facts(customer: Option<&str>) -> impl Iterator<Item = Word<'_>> {
    [Some(Word::All), customer.map(Word::Customer)].into_iter().flatten()
}

/// Every word that concerns the stock of a SKU.
pub fn words_of_stock(sku: &str) -> [Word<'_>; 2] {
    [Word::All, Word::Sku(sku)]
}

impl<'a> PartyNames<'a> {
    fn words(&self) -> impl Iterator<Item = Word<'a>> + use<'a> {
        let named = [
            self.customer.map(Word::Customer),
            self.price_list.map(Word::PriceList),
            self.contract.map(Word::Contract),
        ];
        [Word::All, Word::Company(self.company)].into_iter().chain(named.into_iter().flatten())
    }

    fn words_with(&self, sku: &'a str) -> impl Iterator<Item = Word<'a>> + use<'a> {
        let pairs = [
            self.customer.map(|customer| Word::CustomerSku(customer, sku)),
            self.price_list.map(|list| Word::PriceListSku(list, sku)),
            self.contract.map(|contract| Word::ContractSku(contract, sku)),
        ];
        let pairs = if mutant!(PairWordsIgnored) { [None; 3] } else { pairs };
        std::iter::once(Word::Sku(sku)).chain(pairs.into_iter().flatten())
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

impl Epochs {
    /// Hashed with a key the operating system gives, so that nobody outside can make words meet.
    pub fn new() -> Self {
        Self::keyed(std::collections::hash_map::RandomState::new().hash_one(CELLS))
    }

    /// With the key of a table whose marks are to be restored.
    pub fn keyed(key: u64) -> Self {
        Self::with_cells(CELLS, EXPIRY_CELLS, key)
    }

    /// The same with other sizes, for tests.
    pub fn with_cells(invalidations: usize, expiries: usize, key: u64) -> Self {
        Self {
            counter: AtomicU64::new(0),
            key,
            invalidated: Cells::new(invalidations, key),
            expired: Cells::new(expiries, key),
        }
    }

    /// Where a table with this key puts words, as a number: marks of a program that hashes otherwise say nothing here.
    pub fn layout_of(key: u64) -> u64 {
        let hasher = FixedState::with_seed(key);
        let words =
            [Word::All, Word::Company(Some("F")), Word::Company(None), Word::Customer("C"), Word::PriceList("L")];
        let pairs = [Word::Contract("B"), Word::Sku("S"), Word::CustomerSku("C", "S"), Word::PriceListSku("L", "S")];
        let last = [Word::ContractSku("B", "S")];
        words.iter().chain(&pairs).chain(&last).fold(0, |sum: u64, word| sum.rotate_left(7) ^ hasher.hash_one(word))
    }

    pub fn key(&self) -> u64 {
        self.key
    }

    /// The marks that could concern a figure with this stamp or a newer one: of invalidations, then of expiries, each a
    /// cell's number and its stamp.
    pub fn marks_above(&self, oldest: Stamp) -> [Vec<(u64, Stamp)>; 2] {
        [&self.invalidated, &self.expired].map(|cells| {
            let marks = cells.cells.iter().enumerate();
            let marks = marks.map(|(at, cell)| (at as u64, Stamp(cell.load(Ordering::SeqCst))));
            marks.filter(|(_, stamp)| *stamp > oldest).collect()
        })
    }

    /// Puts such marks back. `counter` is what [`Epochs::stamp`] was after they were taken.
    pub fn restore(&self, marks: [Vec<(u64, Stamp)>; 2], counter: Stamp) {
        self.counter.fetch_max(counter.0, Ordering::SeqCst);
        for (cells, marks) in [&self.invalidated, &self.expired].into_iter().zip(marks) {
            for (at, stamp) in marks {
                cells.newest.fetch_max(stamp.0, Ordering::SeqCst);
                if let Some(cell) = usize::try_from(at).ok().and_then(|at| cells.cells.get(at)) {
                    cell.fetch_max(stamp.0, Ordering::SeqCst);
                }
            }
        }
    }

    /// To be taken before the first byte of an ERP call leaves. A figure with the stamp of now needs no look at the cells:
    /// none can hold more than this.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.counter.load(Ordering::SeqCst))
    }

    /// Makes every figure that was asked for before now, and that a request with one of these words would read, unusable.
    /// In effect when it returns.
    pub fn invalidate<'a>(&self, words: impl IntoIterator<Item = Word<'a>>) -> Stamp {
        // The counter first: what leaves between the two is stamped new, and its call does leave after this began.
        let now = self.next();
        let now = if mutant!(MarkWithOldStamp) { Stamp(now.0 - 1) } else { now };
        self.invalidated.mark(words, now);
        now
    }

    /// Makes them no longer fresh: see [`Needed::expired_below`].
    pub fn expire<'a>(&self, words: impl IntoIterator<Item = Word<'a>>) -> Stamp {
        let now = self.next();
        self.expired.mark(words, now);
        now
    }

    /// The part of a request's words that does not change from line to line.
    pub fn party<'a>(&self, names: PartyNames<'a>) -> PartyWords<'a> {
        PartyWords { names, newest: self.newest(names.words()) }
    }

    /// What the stamp must be of a price of this SKU that this party reads.
    pub fn needed_for_price(&self, party: &PartyWords<'_>, sku: &str) -> Needed {
        party.newest.newer(self.newest(party.names.words_with(sku)))
    }

    /// What the stamp must be of facts of a customer.
    pub fn needed_for_facts(&self, customer: Option<&str>) -> Needed {
        self.newest(words_of_facts(customer))
    }

    /// What the stamp must be of the stock of this SKU.
    pub fn needed_for_stock(&self, sku: &str) -> Needed {
        self.newest(words_of_stock(sku))
    }

    /// What each of these words asks for by itself, for explanations.
    pub fn by_word<'a>(&self, words: impl IntoIterator<Item = Word<'a>>) -> Vec<(Word<'a>, Needed)> {
        words.into_iter().map(|word| (word, self.newest([word]))).collect()
    }

    fn next(&self) -> Stamp {
        Stamp(self.counter.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn newest<'a>(&self, words: impl IntoIterator<Item = Word<'a>>) -> Needed {
        let expiries = self.expired.are_any();
        let mut needed = Needed::default();
        for word in words {
            needed.gone_below = needed.gone_below.max(self.invalidated.load(word));
            if expiries {
                needed.expired_below = needed.expired_below.max(self.expired.load(word));
            }
        }
        needed
    }
}

impl Cells {
    fn new(count: usize, key: u64) -> Self {
        Self { cells: zeros(count), newest: AtomicU64::new(0), hasher: FixedState::with_seed(key) }
    }

    fn mark<'a>(&self, words: impl IntoIterator<Item = Word<'a>>, stamp: Stamp) {
        // Before the cells, so that nobody takes them for empty.
        self.newest.fetch_max(stamp.0, Ordering::SeqCst);
        for word in words {
            self.cell(word).fetch_max(stamp.0, Ordering::SeqCst);
        }
    }

    fn are_any(&self) -> bool {
        self.newest.load(Ordering::SeqCst) > 0
    }

    fn load(&self, word: Word<'_>) -> Stamp {
        Stamp(self.cell(word).load(Ordering::SeqCst))
    }

    fn cell(&self, word: Word<'_>) -> &AtomicU64 {
        // `str` hashes its own end mark, so ("1", "23") and ("12", "3") differ.
        &self.cells[self.hasher.hash_one(word) as usize % self.cells.len()]
    }
}
