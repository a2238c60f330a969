//! Comptoir: a real-time price and stock gateway for B2B commerce.
//!
//! Modules in layer order; each imports only from layers above its line (see ARCHITECTURE.md, checked by
//! `tests/layering.rs`).

pub mod clock;
pub mod hash;
pub mod human;
pub mod journal;
pub mod mutants;

pub mod domain;

pub mod cache;
pub mod erp;
pub mod stock;

pub mod offer;

pub mod channel;

pub mod api;
pub mod sim;

pub mod app;

pub mod cli;
