//! What the ERP told us, and how old it is.
//!
//! Owns: the rows ([`price_row`], [`stock_row`]), the books they live in ([`book`]), the bounded store of books ([`memory`]),
//! remembered "no"s ([`negatives`]) and the invalidation stamps every row carries ([`epochs`]). Never decides whether a row
//! may be served: that is the reader's question, asked with the reader's policy (`offer::freshness`).

mod atomic;
pub mod book;
pub mod config;
pub mod epochs;
#[cfg(test)]
mod epochs_tests;
pub mod key;
pub mod memory;
pub mod negatives;
pub mod price_row;
pub mod saved;
pub mod stock_row;
pub mod text;

pub use book::Book;
pub use config::CacheConfig;
pub use epochs::Epochs;
pub use key::BookKey;
pub use memory::Memory;
pub use negatives::{Negative, Negatives};
pub use price_row::{PriceRow, PriceShape, Shapes};
pub use stock_row::{StockRow, StockShape};
pub use text::Text;
