//! The gateway from outside: real processes, real sockets, and clients that are not ours (Python, buf, curl). Every HTTP
//! answer is read and printed back by Python's protobuf on its way through `rig`.

mod bad_input;
mod clients;
mod demo;
mod explain;
mod fates;
mod load;
mod outage;
mod push;
mod replies;
mod restart;
mod sharing;
mod stock;
mod stock_refusals;
mod stock_storage;

#[path = "../rig/mod.rs"]
mod rig;
