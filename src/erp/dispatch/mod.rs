//! When a call may leave, and who waits for it.
//!
//! Flights (one fetch per key, whoever asks), the queue, the batches and the ERP's budget are one machine, because each of
//! them decides for the others: a key waits only while no permit is free, and what has gathered meanwhile leaves together.
//! [`machine`] is that machine, pure and on a given clock; [`driver`] runs it: it reads the clock, makes the calls as tasks
//! of its own and wakes the pages. A fetch belongs to no caller.
//!
//! What the machine is made of, each pure and a file: `flights` (who waits for what), `queue` (whose turn it is, over `links`),
//! [`budget`] with [`maintenance`] (whether a call may leave), `again` and `denied` (what becomes of calls that fail). Urgency
//! and turns are [`lane`]'s words, why somebody need not wait [`refusal`]'s.
//!
//! Tested in `machine` as tables and at random, and end to end under virtual time in `tests/behaviour`.

mod again;
pub mod ask;
pub mod budget;
mod denied;
pub mod driver;
mod flights;
pub mod lane;
mod links;
pub mod machine;
pub mod maintenance;
mod metrics;
pub mod page;
mod queue;
pub mod refusal;
pub mod watch;

pub use ask::{Ask, StockAsk};
pub use budget::Budget;
pub use driver::{Dispatcher, Landed, Landing, Need, PageAsk, Want};
pub use lane::{Account, Lane};
pub use machine::{Asked, Demand, LaneLoad, Load, Tally, Waiting, Whereabouts};
pub use maintenance::Maintenance;
pub use page::Page;
pub use refusal::Refusal;
pub use watch::{Seen, SeenAsk, SeenCall, Watch};
