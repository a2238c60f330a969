//! A book: the rows of one scope, by key, in one compact table.
//!
//! A page reads one book and probes it once per line. Locks are held for a probe or an insert, never across anything that
//! waits. A book is bounded in bytes by itself: when a shard is full, a clock hand passes over its rows and the first one
//! that was not read since the last pass makes room.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::RwLock;

use crate::clock::{Reading, Stamp};

/// What a book holds.
pub trait Row: Clone {
    fn key(&self) -> &[u8];
    /// What makes one row newer than another: its stamp, then when it was observed.
    fn version(&self) -> (Stamp, Reading);
    /// What it takes up, allocation included.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct Slot<R> {
    row: R,
    /// Read since the clock hand last passed.
    used: AtomicBool,
}

#[derive(Debug)]
struct Shard<R> {
    table: HashTable<Slot<R>>,
    bytes: usize,
    hand: usize,
}

#[derive(Debug)]
pub struct Book<R> {
    /// Read-write locks: readers are many and short. One shard unless the book is shared by everybody.
    shards: Box<[RwLock<Shard<R>>]>,
    shard_bytes_max: usize,
    bytes: AtomicUsize,
    /// What the store was last told this book weighs.
    weighed: AtomicUsize,
    hasher: RandomState,
}

/// What a book without rows takes up. Bytes, roughly.
const EMPTY_BYTES: usize = 256;

impl<R: Row> Book<R> {
    /// `shards` is raised to a power of two.
    pub fn new(shards: usize, bytes_max: usize) -> Self {
        let shards = shards.next_power_of_two();
        let empty = || RwLock::new(Shard { table: HashTable::new(), bytes: 0, hand: 0 });
        Self {
            shards: std::iter::repeat_with(empty).take(shards).collect(),
            shard_bytes_max: bytes_max / shards,
            bytes: AtomicUsize::new(EMPTY_BYTES),
            weighed: AtomicUsize::new(EMPTY_BYTES),
            hasher: RandomState::default(),
        }
    }

    pub fn get(&self, key: &[u8]) -> Option<R> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        let slot = shard.table.find(hash, |slot| slot.row.key() == key)?;
        // Writing only on change keeps the cache line shared among readers.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        Some(slot.row.clone())
    }

    /// Puts a row in unless a newer one is there. Returns whether it went in.
    pub fn insert(&self, row: R) -> bool {
        let hash = self.hash(row.key());
        let bytes = slot_bytes(&row);
        let mut shard = self.shard(hash).write();
        let before = shard.bytes;
        let found = shard.table.find_mut(hash, |slot| slot.row.key() == row.key());
        if let Some(slot) = found {
            if newer(slot.row.version(), row.version()) {
                return false;
            }
            let replaced = slot_bytes(&slot.row);
            slot.row = row;
            shard.bytes = shard.bytes - replaced + bytes;
        } else {
            while shard.bytes + bytes > self.shard_bytes_max && evict_one(&mut shard) {}
            let slot = Slot { row, used: AtomicBool::new(false) };
            shard.table.insert_unique(hash, slot, |slot| self.hash(slot.row.key()));
            shard.bytes += bytes;
        }
        let after = shard.bytes;
        drop(shard);
        if after >= before {
            self.bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
        true
    }

    /// Puts a row in where an older one of its key is, and nowhere else.
    pub fn replace(&self, row: R) -> bool {
        let hash = self.hash(row.key());
        let held = self.shard(hash).read().table.find(hash, |slot| slot.row.key() == row.key()).is_some();
        held && self.insert(row)
    }

    /// Whether there is a row of this key. Does not count as reading it.
    pub fn contains(&self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        self.shard(hash).read().table.find(hash, |slot| slot.row.key() == key).is_some()
    }

    /// Keys of the rows that were read since the clock hand last passed them.
    pub fn used_keys(&self) -> Vec<Box<[u8]>> {
        let used = |slot: &&Slot<R>| slot.used.load(Ordering::Relaxed);
        let keys = |shard: &RwLock<Shard<R>>| -> Vec<Box<[u8]>> {
            shard.read().table.iter().filter(used).map(|slot| slot.row.key().into()).collect()
        };
        self.shards.iter().flat_map(keys).collect()
    }

    /// How many those are.
    pub fn used_count(&self) -> usize {
        let used = |slot: &&Slot<R>| slot.used.load(Ordering::Relaxed);
        self.shards.iter().map(|shard| shard.read().table.iter().filter(used).count()).sum()
    }

    /// Shows every row, and whether it was read since the clock hand last passed. No lock is held for more than a few rows;
    /// rows that move meanwhile may be missed or shown twice.
    pub fn visit(&self, mut show: impl FnMut(&R, bool)) {
        const AT_ONCE: usize = 256;
        for shard in &self.shards {
            let mut from = 0;
            loop {
                let rows: Vec<(R, bool)> = {
                    let shard = shard.read();
                    if from >= shard.table.num_buckets() {
                        break;
                    }
                    let buckets = from..shard.table.num_buckets().min(from + AT_ONCE);
                    let slots = buckets.filter_map(|at| shard.table.get_bucket(at));
                    slots.map(|slot| (slot.row.clone(), slot.used.load(Ordering::Relaxed))).collect()
                };
                from += AT_ONCE;
                rows.iter().for_each(|(row, used)| show(row, *used));
            }
        }
    }

    /// What the book takes up.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().table.len()).sum()
    }

    /// Whether the book has grown by a quarter since it was last weighed; if so it counts as weighed now.
    pub(super) fn outgrew_weight(&self) -> bool {
        let (bytes, weighed) = (self.bytes(), self.weighed.load(Ordering::Relaxed));
        let outgrew = bytes > weighed + weighed / 4;
        if outgrew {
            self.weighed.store(bytes, Ordering::Relaxed);
        }
        outgrew
    }

    fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> &RwLock<Shard<R>> {
        // The table uses the low and the top seven bits.
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }
}

fn newer(held: (Stamp, Reading), offered: (Stamp, Reading)) -> bool {
    (held.0, held.1.mono) > (offered.0, offered.1.mono)
}

fn slot_bytes<R: Row>(row: &R) -> usize {
    // The table keeps one byte of its own per slot and is at least half full.
    row.bytes() + 2 * (size_of::<Slot<R>>() + 1)
}

/// Moves the clock hand to the first row that was not read since it last came by, and drops it.
fn evict_one<R: Row>(shard: &mut Shard<R>) -> bool {
    let buckets = shard.table.num_buckets();
    // Two rounds: the first may only clear marks.
    for _ in 0..2 * buckets {
        let at = shard.hand % buckets;
        shard.hand = (at + 1) % buckets;
        let Some(slot) = shard.table.get_bucket(at) else { continue };
        if slot.used.swap(false, Ordering::Relaxed) {
            continue;
        }
        if let Ok(entry) = shard.table.get_bucket_entry(at) {
            let (slot, _) = entry.remove();
            shard.bytes -= slot_bytes(&slot.row);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Mono;

    #[derive(Clone, Debug, PartialEq)]
    struct Plain {
        key: Vec<u8>,
        stamp: u64,
        at: u64,
        value: u32,
    }

    impl Row for Plain {
        fn key(&self) -> &[u8] {
            &self.key
        }
        fn version(&self) -> (Stamp, Reading) {
            (Stamp(self.stamp), Reading { mono: Mono(self.at), ..Reading::default() })
        }
        fn bytes(&self) -> usize {
            100
        }
    }

    fn row(key: u32, stamp: u64, at: u64, value: u32) -> Plain {
        Plain { key: key.to_le_bytes().to_vec(), stamp, at, value }
    }

    #[test]
    fn an_older_row_never_replaces_a_newer_one() {
        let book = Book::new(1, 1 << 20);
        assert!(book.insert(row(1, 5, 10, 1)));
        assert!(!book.insert(row(1, 4, 99, 2)), "older stamp, read later");
        assert!(!book.insert(row(1, 5, 9, 3)), "same stamp, read earlier");
        assert!(book.insert(row(1, 5, 11, 4)));
        assert_eq!(book.get(&1u32.to_le_bytes()).unwrap().value, 4);
        assert_eq!(book.rows(), 1);
    }

    #[test]
    fn a_book_stays_within_its_bytes_and_keeps_what_is_read() {
        let book = Book::new(4, 100_000);
        for hot in 0..50 {
            book.insert(row(hot, 0, 0, hot));
        }
        for cold in 100..5000 {
            book.insert(row(cold, 0, 0, cold));
            for hot in 0..50u32 {
                book.get(&hot.to_le_bytes());
            }
        }
        assert!(book.bytes() <= 100_000 + EMPTY_BYTES, "{}", book.bytes());
        let kept = (0..50u32).filter(|hot| book.get(&hot.to_le_bytes()).is_some()).count();
        assert_eq!(kept, 50, "hot rows kept");
        assert!(book.rows() < 1000);
    }

    #[test]
    fn bytes_follow_rows() {
        let book = Book::new(1, 1 << 20);
        for key in 0..10 {
            book.insert(row(key, 0, 0, 0));
            book.insert(row(key, 1, 0, 0));
        }
        assert_eq!(book.bytes(), EMPTY_BYTES + 10 * slot_bytes(&row(0, 0, 0, 0)));
    }
}
