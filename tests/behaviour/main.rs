//! What the gateway promises, below the socket: the whole library over the simulated ERP, in virtual time. One file per
//! promise; names are sentences.

mod breaker;
mod budget;
mod coalescing;
mod deadlines;
mod edges;
mod explain;
mod fairness;
mod freshness;
mod goodput;
mod hammer;
mod invalidation;
mod isolation;
mod ledger_in_offers;
mod overload;
mod poorer_erps;
mod recovery;
mod replies;
mod restart;
mod rig;
mod sharing;
mod units;
