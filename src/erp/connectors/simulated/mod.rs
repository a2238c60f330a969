//! A whole ERP in this process, for demos, tests and trials.
//!
//! Owns: a catalogue that is a pure function of a seed ([`catalogue`]), what a call costs and when it is served
//! ([`gate`], [`faults`]), what goes wrong on request ([`faults`], [`garble`]), and what was asked ([`stats`]). One
//! [`Simulator`] may be asked from two sides at once: by [`SimulatedConnector`], and by the HTTP face on a higher
//! layer. It never knows of caches or budgets, and never reads a clock but tokio's, so everything here runs under
//! paused time. Tests: `tests.rs`.

pub mod catalogue;
pub mod connector;
pub mod faults;
pub mod garble;
pub mod gate;
pub mod overrides;
pub mod question;
pub mod simulator;
pub mod stats;

pub use catalogue::{Catalogue, CatalogueConfig};
pub use connector::{SimulatedConnector, SimulatedOptions};
pub use faults::{Behaviour, Faults, Garbage, Only};
pub use overrides::ControlError;
pub use question::{Answer, CustomerRow, OfferRow, Question, Refusal, Rows, Status, StockLine};
pub use simulator::{Simulator, SimulatorConfig};
pub use stats::{CallRecord, Stats};

#[cfg(test)]
mod tests;
