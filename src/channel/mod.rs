//! Channels: what one marketplace may see of the offers, kept current, numbered and durable.
//!
//! Owns: what a channel publishes ([`config`], [`fact`] to [`row`]). Never decides a price and never asks the ERP itself: it
//! reads the stock ledger, and prices as any reader of offers gets them.

pub mod config;
pub mod fact;
pub mod row;

pub use self::config::ChannelConfig;
pub use self::fact::{Asked, Facts, LocationFact, PriceFact, Standing};
pub use self::row::{ChannelPrice, ChannelRow, Listing, Presence, Reasons, RowKey, RowState};
