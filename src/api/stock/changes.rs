//! `POST /v1/stock/changes`: one request, as a JSON object or as NDJSON of a change a line.

use std::sync::Arc;

use http::header::EXPECT;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;

use super::{Stock, answered, answers, json};
use crate::api::body::{self, Body};
use crate::api::http as json_http;
use crate::api::request::stock;
use crate::api::request::told::json::{envelope, lines};
use crate::api::server::Api;
use crate::api::status::{Fault, Refusal};

pub const NDJSON: &[&str] = &["application/x-ndjson", "application/ndjson", "application/jsonl"];

pub async fn over_http<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::POST {
        return Err(json_http::wrong_method("POST"));
    }
    let is_lines = !json_http::is_json(request.headers()) && json_http::is_of(request.headers(), NDJSON);
    if !is_lines && !json_http::is_json(request.headers()) {
        return Err(Refusal::new(
            Fault::UnsupportedMediaType,
            "send application/json or application/x-ndjson in UTF-8",
        ));
    }
    let known: &[&str] = if is_lines { &["source", "epoch", "sequence"] } else { &[] };
    let query = stock::query(request.uri().query().unwrap_or_default(), known)?;
    let drain = request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
    let body = body::read(request.into_body(), &api.config, api.config.changes_bytes_max, drain).await?;
    let (pushed, lines) = if is_lines {
        let source = query.source()?;
        let read = lines(&body, api.config.changes_max)?;
        (stock::request(source, query.epoch()?, read.changes, query.sequence)?, Some(read.lines))
    } else {
        (stock::push_of(envelope(&body, api.config.changes_max)?)?, None)
    };
    drop(body);
    let answer = ledger.push(pushed).await?;
    Ok(answered(json::pushed(&answers::pushed(answer, lines.as_deref(), None))))
}
