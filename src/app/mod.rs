//! Builds, starts and drains the gateway: sees every module, is seen by none but the command line.

pub mod config;
pub mod data;
pub mod gateway;
pub mod ledger;
pub mod telemetry;
pub mod unknown_key;

pub use config::Config;
pub use gateway::Gateway;
