//! One file per command.

pub mod erp;
