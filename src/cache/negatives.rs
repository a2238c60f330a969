//! Remembered "no"s: an SKU the ERP does not know, a price it does not give, a customer that does not exist.
//!
//! In a small cache of their own, so that somebody who walks through made-up SKUs evicts no prices. Each is remembered
//! briefly and stamped like any other figure.

use std::sync::Arc;

use moka::sync::Cache;

use crate::clock::{Reading, Stamp};

/// What the ERP said instead of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    UnknownSku,
    /// With the stable reason.
    OnRequest(&'static str),
    /// With the stable reason.
    NotForSale(&'static str),
    UnknownUnit,
    UnknownCustomer,
    /// Asked for a list, the ERP answered with somebody's own price: this row is to be asked by name. Never an answer.
    NotShared,
}

#[derive(Clone, Debug)]
pub struct Negative {
    pub no: No,
    pub stamp: Stamp,
    pub observed: Reading,
}

#[derive(Debug)]
pub struct Negatives {
    entries: Cache<Box<[u8]>, Arc<Negative>, foldhash::fast::RandomState>,
}

impl Negatives {
    pub fn new(bytes_max: u64) -> Self {
        // Weighed: key, entry, and what moka keeps for each.
        Self {
            entries: Cache::<Box<[u8]>, Arc<Negative>>::builder()
                .max_capacity(bytes_max)
                .weigher(|key, _| u32::try_from(key.len() + 256).unwrap_or(u32::MAX))
                .build_with_hasher(foldhash::fast::RandomState::default()),
        }
    }

    /// The key is a book's key followed by a row's, or a customer's key.
    pub fn get(&self, key: &[u8]) -> Option<Arc<Negative>> {
        self.entries.get(key)
    }

    /// Remembers unless something newer is remembered.
    pub fn insert(&self, key: &[u8], negative: Negative) {
        let newer = |held: &Negative| (held.stamp, held.observed.mono) > (negative.stamp, negative.observed.mono);
        if !self.entries.get(key).is_some_and(|held| newer(&held)) {
            self.entries.insert(key.into(), Arc::new(negative));
        }
    }

    pub fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
