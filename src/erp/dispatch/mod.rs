//! When a call may leave, and who waits for it.
//!
//! Flights (one fetch per key, whoever asks), the queue, the batches and the ERP's budget are one machine, because each of
//! them decides for the others: a key waits only while no permit is free, and what has gathered meanwhile leaves together.
//! [`machine`] is that machine, pure and on a given clock; [`driver`] runs it: it reads the clock, makes the calls as tasks
//! of its own and wakes the pages. A fetch belongs to no caller.
//!
//! Tested in `machine` as tables, in `driver` under virtual time, and end to end in `tests/behaviour`.

pub mod ask;
pub mod budget;
pub mod driver;
pub mod lane;
pub mod machine;
pub mod maintenance;
pub mod page;
pub mod refusal;

pub use ask::{Ask, StockAsk};
pub use budget::Budget;
pub use driver::{Dispatcher, Landed, Landing, Need, PageAsk, Want};
pub use lane::{Account, Lane};
pub use machine::Demand;
pub use maintenance::Maintenance;
pub use page::Page;
pub use refusal::Refusal;
