//! Channels: what one marketplace may see of the offers, kept current, numbered and durable.
//!
//! Owns: what a channel publishes ([`config`]), and how it comes to that ([`policy`]: from [`fact`] to [`row`]). Never decides a
//! price and never asks the ERP itself: it reads the stock ledger, and prices as any reader of offers gets them.

pub mod ack;
pub mod asking;
pub mod config;
mod error;
pub mod fact;
pub mod formats;
pub mod page;
pub mod policy;
pub mod pricing;
pub mod report;
pub mod row;

pub use self::ack::{Ack, AckResult, Acknowledged};
pub use self::config::ChannelConfig;
pub use self::error::ChannelError;
pub use self::fact::{Asked, Facts, LocationFact, PriceFact, Standing};
pub use self::page::{ChannelPage, ChannelState, Mode, PolicyHash};
pub use self::policy::Policy;
pub use self::report::{ChannelExplanation, ChannelReport};
pub use self::row::{ChannelPrice, ChannelRow, Listing, Presence, Reasons, RowKey, RowState};
