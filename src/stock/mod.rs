//! The stock ledger: the gateway's own durable copy of what sources said, and the only thing it cannot ask for again.
//!
//! A request comes by the [`ledger`], is judged by pure rules ([`judge`]), made durable and shown by one thread ([`intake`]), kept
//! in a journal and in rows behind it ([`store`]), and read from memory ([`levels`], [`changes`]). Never asks the ERP, never
//! knows a wire. State is the fold of [`event::Event`]s, live and at replay by the same code.

pub mod bell;
pub mod changes;
pub mod config;
pub mod event;
pub mod intake;
pub mod judge;
pub mod ledger;
pub mod levels;
pub mod pack;
mod parts;
pub mod report;
pub mod request;
pub mod store;

pub use self::bell::Bell;
pub use self::changes::{ChangeLog, Cursor, ResyncRequired};
pub use self::config::{SourceConfig, StockConfig};
pub use self::event::{Event, Original, Row, Trace, Verdict};
pub use self::ledger::{Ledger, LedgerError};
pub use self::levels::Levels;
pub use self::report::{Reject, SourceReport, SourceState};
pub use self::request::{Answer, IntakeError, Outcome, Request, SnapshotError};
