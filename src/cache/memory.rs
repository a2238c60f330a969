//! The memory of one process: a book of prices for each scope, bounded in bytes over all of them, and one book of stock for
//! everybody.
//!
//! moka decides which scopes stay (a page is then all hit or all miss); what is fresh, stale or invalid is not its business.

use std::sync::Arc;

use moka::sync::Cache;

use super::book::Row;
use super::stock_row::StockShapes;
use super::{Book, BookKey, CacheConfig, PriceRow, Shapes, StockRow};

#[derive(Debug)]
pub struct Memory {
    books: Cache<BookKey, Arc<Book<PriceRow>>, foldhash::fast::RandomState>,
    book_bytes_max: usize,
    pub price_shapes: Shapes,
    pub stock: Book<StockRow>,
    pub stock_shapes: StockShapes,
}

/// Everybody's stock is one book; shards keep its writers out of its readers' way.
const STOCK_SHARDS: usize = 64;

impl Memory {
    pub fn new(config: &CacheConfig) -> Self {
        let prices_bytes = config.prices_bytes();
        let weigh =
            |key: &BookKey, book: &Arc<Book<PriceRow>>| u32::try_from(key.bytes() + book.bytes()).unwrap_or(u32::MAX);
        Self {
            books: Cache::builder()
                .max_capacity(prices_bytes)
                .weigher(weigh)
                .build_with_hasher(foldhash::fast::RandomState::default()),
            // One scope may take half of all the room, no more.
            book_bytes_max: usize::try_from(prices_bytes / 2).unwrap_or(usize::MAX),
            price_shapes: Shapes::default(),
            stock: Book::new(STOCK_SHARDS, usize::try_from(config.stock_bytes()).unwrap_or(usize::MAX)),
            stock_shapes: StockShapes::default(),
        }
    }

    /// The book of a scope, by its key as written by [`super::key::BookScope::write`].
    pub fn book(&self, key: &[u8]) -> Option<Arc<Book<PriceRow>>> {
        self.books.get(key)
    }

    pub fn book_of(&self, key: &BookKey) -> Option<Arc<Book<PriceRow>>> {
        self.books.get(key)
    }

    /// Puts rows into the book of a scope, newer over older only.
    pub fn insert_prices(&self, key: &BookKey, rows: impl IntoIterator<Item = PriceRow>) {
        let book = self.books.get_with_by_ref(key, || Arc::new(Book::new(1, self.book_bytes_max)));
        for row in rows {
            book.insert(row);
        }
        if book.outgrew_weight() {
            // moka weighs on insertion only.
            self.books.insert(key.clone(), book);
        }
    }

    /// All books there are, in no order. Does not count as reading them.
    pub fn books(&self) -> impl Iterator<Item = (Arc<BookKey>, Arc<Book<PriceRow>>)> + '_ {
        self.books.iter()
    }

    /// Replaces rows the book of a scope has, and adds none.
    pub fn replace_prices(&self, key: &BookKey, rows: impl IntoIterator<Item = PriceRow>) {
        let Some(book) = self.books.get(key) else { return };
        for row in rows {
            book.replace(row);
        }
    }

    pub fn usage(&self) -> Usage {
        self.books.run_pending_tasks();
        Usage {
            books: self.books.entry_count(),
            price_bytes: self.books.weighted_size(),
            stock_bytes: self.stock.bytes() as u64,
            stock_rows: self.stock.rows() as u64,
        }
    }
}

/// What the memory holds, for gauges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub books: u64,
    pub price_bytes: u64,
    pub stock_bytes: u64,
    pub stock_rows: u64,
}

/// A row's key, for tests and explanations.
pub fn row_key<R: Row>(row: &R) -> &[u8] {
    row.key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::BookScope;
    use crate::clock::{Reading, Stamp};
    use crate::domain::{PricedLine, Scope};

    fn key(customer: &str) -> BookKey {
        BookScope {
            scope: Scope::Customer(customer),
            company: None,
            ship_to: None,
            currency: "EUR".parse().unwrap(),
            price_date: Some(jiff::civil::date(2026, 11, 22)),
        }
        .key()
    }

    #[test]
    fn memory_stays_within_its_bytes() {
        let memory = Memory::new(&CacheConfig { memory_bytes: 4 << 20 });
        let line = PricedLine::plain("EUR".parse().unwrap(), "1.00".parse().unwrap());
        for customer in 0..400 {
            let rows = (0..100).map(|sku| {
                let key = format!("SKU-{sku:06}");
                PriceRow::new(key.as_bytes(), &line, None, Stamp(0), Reading::default(), &memory.price_shapes)
            });
            memory.insert_prices(&key(&format!("C-{customer}")), rows);
        }
        let usage = memory.usage();
        assert!(usage.price_bytes <= 3 << 20, "{usage:?}");
        assert!(usage.books > 50, "{usage:?}");
    }
}
