//! Which rows there are and where each stands. A row gets a number when it first comes; it keeps it for good.

use std::hash::{BuildHasher as _, Hash};

use hashbrown::HashTable;

use crate::stock::parts::part_of;

/// Where a row stands. Ids of 47 bits: a million changes a second for four years, in two thirds of the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    place_low: u32,
    version_low: u32,
    /// And whether it is urgent.
    place_high: u16,
    version_high: u16,
}

/// The top bit of a place.
const URGENT: u16 = 1 << 15;

const _: () = assert!(size_of::<Entry>() == 12);

impl Entry {
    pub fn new(place: u64, version: u64, urgent: bool) -> Self {
        assert!(place.max(version) >> 47 == 0, "ids are given out one by one: {place} {version}");
        Self {
            place_low: place as u32,
            version_low: version as u32,
            place_high: (place >> 32) as u16 | if urgent { URGENT } else { 0 },
            version_high: (version >> 32) as u16,
        }
    }

    pub fn place(self) -> u64 {
        u64::from(self.place_high & !URGENT) << 32 | u64::from(self.place_low)
    }

    /// The id of its last change.
    pub fn version(self) -> u64 {
        u64::from(self.version_high) << 32 | u64::from(self.version_low)
    }

    pub fn is_urgent(self) -> bool {
        self.place_high & URGENT != 0
    }
}

/// Kept in equal blocks: growing copies nothing, and leaves no room unused.
#[derive(Debug)]
struct Blocks<T>(Vec<Vec<T>>);

const BLOCK: usize = 4096;

impl<T> Blocks<T> {
    fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(value),
            _ => {
                let mut block = Vec::with_capacity(if self.0.is_empty() { 0 } else { BLOCK });
                block.push(value);
                self.0.push(block);
            }
        }
    }

    fn get(&self, number: u32) -> &T {
        &self.0[number as usize / BLOCK][number as usize % BLOCK]
    }

    fn len(&self) -> usize {
        self.0.len().saturating_sub(1) * BLOCK + self.0.last().map_or(0, Vec::len)
    }
}

/// Small tables: one that grows does so in microseconds.
const TABLES: usize = 256;

#[derive(Debug)]
pub(super) struct Index<K> {
    tables: Box<[HashTable<u32>]>,
    keys: Blocks<K>,
    entries: Blocks<Entry>,
    hasher: foldhash::fast::RandomState,
}

impl<K: Eq + Hash> Index<K> {
    pub fn new() -> Self {
        Self {
            tables: (0..TABLES).map(|_| HashTable::new()).collect(),
            keys: Blocks(Vec::new()),
            entries: Blocks(Vec::new()),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    pub fn find(&self, key: &K) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.tables[table_of(hash)].find(hash, |number| self.keys.get(*number) == key).copied()
    }

    /// A row that was not there.
    pub fn insert(&mut self, key: K, entry: Entry) -> u32 {
        let number = self.keys.len() as u32;
        let hash = self.hasher.hash_one(&key);
        self.keys.push(key);
        self.entries.push(entry);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.tables[table_of(hash)].insert_unique(hash, number, |number| hasher.hash_one(keys.get(*number)));
        number
    }

    pub fn key(&self, number: u32) -> &K {
        self.keys.get(number)
    }

    pub fn entry(&self, number: u32) -> Entry {
        *self.entries.get(number)
    }

    pub fn set(&mut self, number: u32, entry: Entry) {
        self.entries.0[number as usize / BLOCK][number as usize % BLOCK] = entry;
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Without the keys themselves.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let entries: usize = self.entries.0.iter().map(|block| block.capacity() * size_of::<Entry>()).sum();
        entries + self.tables.iter().map(HashTable::allocation_size).sum::<usize>()
    }
}

fn table_of(hash: u64) -> usize {
    part_of(hash, TABLES)
}
