//! What the gateway promises, below the socket: the whole library over the simulated ERP, in virtual time. One file per
//! promise; names are sentences.

mod budget;
mod coalescing;
mod deadlines;
mod edges;
mod freshness;
mod isolation;
mod poorer_erps;
mod replies;
mod rig;
mod sharing;
mod units;
