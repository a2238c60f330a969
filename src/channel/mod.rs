//! Channels: what one marketplace may see of the offers, kept current, numbered and durable.
//!
//! Owns: what a channel publishes ([`config`]), how it comes to that ([`policy`]: from [`fact`] to [`row`]), and the log readers
//! follow. One thread ([`deriver`]) works behind the stock ledger: [`machine`] is the working state, pure, and says what
//! happened as [`event`]s; these are made durable ([`store`]), then shown ([`log`]), then answered ([`reader`]). A start is
//! the fold of the same events. Never decides a price and never asks the ERP itself: it reads the stock ledger, and prices
//! as any reader of offers gets them.

pub mod ack;
pub mod asking;
pub mod config;
pub mod deriver;
mod error;
pub mod event;
pub mod fact;
pub mod formats;
pub mod log;
pub mod machine;
pub mod pack;
pub mod page;
pub mod policy;
pub mod pricing;
pub mod reader;
pub mod report;
pub mod row;
pub mod store;
mod words;

pub use self::ack::{Ack, AckResult, Acknowledged};
pub use self::config::ChannelConfig;
pub use self::error::ChannelError;
pub use self::fact::{Asked, Facts, LocationFact, PriceFact, Standing};
pub use self::log::Snapshot;
pub use self::page::{ChannelPage, ChannelState, Mode, PolicyHash};
pub use self::policy::Policy;
pub use self::reader::{Channels, ChannelsError, DryRun};
pub use self::report::{ChannelExplanation, ChannelReport};
pub use self::row::{ChannelPrice, ChannelRow, Listing, Presence, Reasons, RowKey, RowState};
