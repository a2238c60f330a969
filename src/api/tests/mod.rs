//! The wires over real sockets, with answers that are made up.

pub mod samples;
mod sockets;
mod stock;
