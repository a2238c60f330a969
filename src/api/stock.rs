//! The stock service on both wires: what sources tell the ledger, how they stand, and what is held.
//!
//! Answers are built as the generated messages, and written as JSON from those, so that the wires cannot differ.

mod answers;
mod changes;
mod json;
mod ledger;
mod push;
mod resources;
mod snapshots;

use std::pin::Pin;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::Offers;
use super::body::Body;
use super::context::Call;
use super::server::Api;
use super::status::{Fault, Refusal};
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::domain::ids::SourceId;
use crate::stock::levels::Told;
use crate::stock::report::SourceReport;
use crate::stock::request::{
    Answer, IntakeError, Request as Push, SnapshotAnswer, SnapshotError, SnapshotHead, SnapshotPart,
};

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the wires need of the ledger; a seam, so that they are tested without a disk.
pub trait Stock: Send + Sync + 'static {
    /// In line when it returns; answered when durable and visible.
    fn push(&self, request: Push) -> Later<Result<Answer, IntakeError>>;

    /// Rows follow in parts. A channel that closes without an end was cut off.
    fn put_snapshot(
        &self,
        head: SnapshotHead,
        parts: mpsc::Receiver<SnapshotPart>,
    ) -> Later<Result<SnapshotAnswer, SnapshotError>>;

    fn skip_gap(&self, source: SourceId, to: Option<u64>) -> Later<Result<SourceReport, IntakeError>>;

    fn source(&self, source: &SourceId) -> Option<SourceReport>;

    fn sources(&self) -> Vec<SourceReport>;

    /// All rows of these, SKU by SKU, with who said so; one state of the ledger.
    fn rows(&self, skus: &[Sku], now: Timestamp) -> Vec<(Told, SourceId)>;
}

/// A path of the resources, if it is one.
pub fn is_here(path: &str) -> bool {
    path.starts_with("/v1/stock/")
}

/// A request over HTTP.
pub async fn over_http<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let stock = ledger(api)?;
    match request.uri().path() {
        "/v1/stock/changes" => changes::over_http(api, stock, request).await,
        "/v1/stock/snapshots" => snapshots::over_http(api, stock, request).await,
        "/v1/stock/sources" => resources::sources(stock, &request),
        // Some clients encode the colon.
        "/v1/stock/sources:skip" | "/v1/stock/sources%3Askip" | "/v1/stock/sources%3askip" => {
            resources::skip(api, stock, request).await
        }
        "/v1/stock/levels" => resources::levels(api, stock, &request, call),
        path => Err(super::server::no_such_resource(path)),
    }
}

/// A call of the service, by its method's name.
pub async fn over_grpc<O: Offers>(
    api: &Api<O>,
    method: &str,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let stock = ledger(api)?;
    match method {
        "PushChanges" => Ok(push::start(api, stock.clone(), request, call)),
        "PutSnapshot" => snapshots::over_grpc(api, stock, request).await,
        "GetSource" | "ListSources" | "SkipGap" | "GetLevels" => {
            resources::over_grpc(api, stock, method, request, call).await
        }
        _ => Err(super::server::no_such_resource(request.uri().path())),
    }
}

fn ledger<O>(api: &Api<O>) -> Result<&std::sync::Arc<dyn Stock>, Refusal> {
    let none = || Refusal::new(Fault::NoSuchResource, "this gateway keeps no stock: [stock] is not configured");
    api.stock.as_ref().ok_or_else(none)
}

fn answered(json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::full(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer in JSON.
#[cfg(test)]
pub fn pushed(answer: Answer) -> Vec<u8> {
    json::pushed(&answers::pushed(answer, None, None))
}
