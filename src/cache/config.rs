//! How much is remembered.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Room for all rows together. Bytes; default 512 MiB. Three quarters are for prices, a fifth for stock, the rest for
    /// remembered "no"s.
    pub memory_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { memory_bytes: 512 << 20 }
    }
}

impl CacheConfig {
    pub fn prices_bytes(&self) -> u64 {
        self.memory_bytes / 4 * 3
    }

    pub fn stock_bytes(&self) -> u64 {
        self.memory_bytes / 5
    }

    /// Room for what is saved for the next process.
    pub fn saved_bytes(&self) -> usize {
        usize::try_from(self.memory_bytes / 4).unwrap_or(usize::MAX)
    }

    pub fn negatives_bytes(&self) -> u64 {
        self.memory_bytes / 20
    }
}
