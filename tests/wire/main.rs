//! The gateway from outside: real processes, real sockets, and clients that are not ours (Python, buf, curl). Every HTTP
//! answer is read and printed back by Python's protobuf on its way through `rig`.

mod bad_input;
mod clients;
mod demo;
mod explain;
mod fates;
mod load;
mod outage;
mod replies;
mod restart;
mod sharing;

#[path = "../rig/mod.rs"]
mod rig;
