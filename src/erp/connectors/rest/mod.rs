//! Any ERP that speaks JSON over HTTP, described by a preset file: no code per ERP.
//!
//! Owns: the preset's format ([`config`], [`row_config`]), the templates its requests are written with ([`template`]),
//! its answers as read (`document`), what they are read with ([`selector`], [`field`], [`condition`]), the way to the ERP
//! with session, lookups, pages and verdicts (`wire`), and exact numbers ([`number`]). `connector` joins them behind the
//! trait all kinds share.
//!
//! Never: matches rows to asked lines, caches prices or stock, retries (but once for a session that ended), waits for
//! permits or budgets; all that is the same for every kind and stands elsewhere. No number passes through a float.
//!
//! Tested: each file beside its code, the whole against a small server in the process (`tests.rs`).

mod auth;
pub mod condition;
pub mod config;
mod connector;
mod customer_row;
mod document;
pub mod field;
mod http;
pub mod number;
mod operations;
mod price_row;
mod request;
pub mod row_config;
pub mod selector;
mod stock_row;
pub mod template;
mod verdict;
mod wire;

#[cfg(test)]
mod tests;

pub use config::{RestConfig, RestConfigError, RestSite};
pub use connector::RestConnector;
