//! Channels on a real ledger and a real folder, their rounds run by hand: readers of all kinds beside them, from seeds.

mod model;
mod rules;
