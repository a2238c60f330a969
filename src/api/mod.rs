//! How callers reach us: gRPC and HTTP JSON on one port, the operator's pages on another.
//!
//! Owns: the wire contract (paths, headers, statuses, problems, limits), from bytes to a checked [`OfferQuery`] and from an
//! [`OfferAnswer`] to bytes. Never decides what an offer says, and is the only place that knows proto, HTTP or status codes.
//! Tested by tables of bad input beside the parsers, by differential tests beside the encoders, and over real sockets.

mod admin;
mod body;
mod caching;
mod config;
mod context;
pub mod encode;
mod grpc;
mod http;
mod invalidations;
mod messages;
mod metrics;
pub mod proto;
mod request;
mod server;
mod standard;
mod status;
mod stock;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::mpsc;

pub use self::admin::{Admin, serve_admin};
pub use self::config::ApiConfig;
pub use self::server::{Api, serve};
pub use self::stock::Stock;
use crate::offer::{
    Explanation, Invalidated, Invalidation, InvalidationError, OfferAnswer, OfferError, OfferQuery, OfferService,
    StreamItem,
};

/// What the wires need of the layer below; a seam, so that they are tested without an ERP.
pub trait Offers: Send + Sync + 'static {
    fn answer(self: &Arc<Self>, query: OfferQuery) -> impl Future<Output = Result<OfferAnswer, OfferError>> + Send;

    fn stream(
        self: &Arc<Self>,
        query: OfferQuery,
        out: mpsc::Sender<StreamItem>,
    ) -> impl Future<Output = Result<(), OfferError>> + Send;

    /// For exactly one line.
    fn explain(self: &Arc<Self>, query: OfferQuery) -> impl Future<Output = Result<Explanation, OfferError>> + Send;

    fn invalidate(
        &self,
        invalidation: Invalidation,
    ) -> impl Future<Output = Result<Invalidated, InvalidationError>> + Send;
}

impl Offers for OfferService {
    fn answer(self: &Arc<Self>, query: OfferQuery) -> impl Future<Output = Result<OfferAnswer, OfferError>> + Send {
        OfferService::answer(self, query)
    }

    fn stream(
        self: &Arc<Self>,
        query: OfferQuery,
        out: mpsc::Sender<StreamItem>,
    ) -> impl Future<Output = Result<(), OfferError>> + Send {
        OfferService::stream(self, query, out)
    }

    fn explain(self: &Arc<Self>, query: OfferQuery) -> impl Future<Output = Result<Explanation, OfferError>> + Send {
        OfferService::explain(self, query)
    }

    fn invalidate(
        &self,
        invalidation: Invalidation,
    ) -> impl Future<Output = Result<Invalidated, InvalidationError>> + Send {
        OfferService::invalidate(self, invalidation)
    }
}
