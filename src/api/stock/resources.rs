//! How sources stand, gaps given up, and what is held.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use prost::Message;

use super::{Stock, answered, answers, json};
use crate::api::body::{self, Body};
use crate::api::context::Call;
use crate::api::request::stock;
use crate::api::server::Api;
use crate::api::status::{Fault, Refusal};
use crate::api::{grpc, http as json_http};
use crate::domain::ids::SourceId;
use crate::stock::report::SourceReport;

/// `GET /v1/stock/sources`.
pub fn sources(ledger: &Arc<dyn Stock>, request: &Request<Incoming>) -> Result<Response<Body>, Refusal> {
    only(request, Method::GET, "GET")?;
    let query = stock::query(request.uri().query().unwrap_or_default(), &["source"])?;
    let reports = match query.source {
        Some(_) => vec![report(ledger, &query.source()?)?],
        None => ledger.sources(),
    };
    Ok(answered(json::sources(&answers::sources(reports))))
}

/// `POST /v1/stock/sources:skip`.
pub async fn skip<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    only(&request, Method::POST, "POST")?;
    let body = json_http::read_body(api, request, api.config.body_bytes_max).await?;
    let (source, to) = stock::skip(&body)?;
    let report = ledger.skip_gap(source, to).await?;
    Ok(answered(json::source(&answers::source(report))))
}

/// `GET /v1/stock/levels`.
pub fn levels<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    request: &Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    only(request, Method::GET, "GET")?;
    let query = stock::query(request.uri().query().unwrap_or_default(), &["sku"])?;
    let skus = query.skus(api.config.lines_max)?;
    Ok(answered(json::levels(&answers::levels(ledger.rows(&skus, call.arrival.wall)))))
}

/// The calls with one message each way.
pub async fn over_grpc<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    method: &str,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let limit = api.config.body_bytes_max;
    let body = body::read(request.into_body(), &api.config, limit + grpc::PREFIX_BYTES, false).await?;
    let message: Bytes = grpc::message_in(body)?;
    Ok(match method {
        "GetSource" => {
            let (source, _) = stock::skip_in(&message, false)?;
            one(&answers::source(report(ledger, &source)?))
        }
        "SkipGap" => {
            let (source, to) = stock::skip_in(&message, true)?;
            one(&answers::source(ledger.skip_gap(source, to).await?))
        }
        "GetLevels" => {
            let skus = stock::levels_in(&message, api.config.lines_max)?;
            one(&answers::levels(ledger.rows(&skus, call.arrival.wall)))
        }
        _ => {
            if !message.is_empty() {
                return Err(Refusal::new(Fault::UnknownField, "the request has no fields"));
            }
            one(&answers::sources(ledger.sources()))
        }
    })
}

fn one(answer: &impl Message) -> Response<Body> {
    let bytes = answer.encode_to_vec();
    grpc::respond(Body::message(grpc::message_of(Vec::new(), |sink| sink.buffer.extend_from_slice(&bytes))))
}

fn report(ledger: &Arc<dyn Stock>, source: &SourceId) -> Result<SourceReport, Refusal> {
    let unknown = || Refusal::at(Fault::UnknownSource, "source", format_args!("there is no source {source}"));
    ledger.source(source).ok_or_else(unknown)
}

fn only(request: &Request<Incoming>, method: Method, name: &'static str) -> Result<(), Refusal> {
    if *request.method() == method { Ok(()) } else { Err(json_http::wrong_method(name)) }
}
