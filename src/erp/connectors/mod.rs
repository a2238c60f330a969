//! One module per kind of ERP.

pub mod rest;
pub mod simulated;
