//! The fragile upstream.
//!
//! Owns: what an ERP can be asked ([`connector`]), how each kind of ERP is asked (`connectors`), which answers are believed
//! ([`matching`]), and when a call may leave (`dispatch`). Never knows of caches: what a call brought is handed to whoever
//! built the dispatcher.

pub mod breaker;
pub mod connector;
pub mod connectors;
pub mod dispatch;
pub mod error;
pub mod limit;
pub mod matching;

pub use connector::{
    AbsentLine, AskedLine, BatchRules, Call, Capabilities, Connector, Header, Operation, PriceRow, Reply, Said,
    SharesByList, StockRow,
};
pub use error::ErpError;
