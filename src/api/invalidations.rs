//! The invalidations resource on both wires. Seldom called and short, so its answer goes through the generated message.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use prost::Message as _;

use super::body::{Body, read};
use super::context::Call;
use super::request::{invalidation, protobuf};
use super::server::Api;
use super::status::{Fault, Refusal};
use super::{Offers, grpc, http as json_http, proto};
use crate::clock::Timestamp;
use crate::offer::{Invalidated, InvalidationError};

/// Four lists of 10,000 of the longest ids fit. Bytes.
const BODY_BYTES_MAX: usize = 4 << 20;

/// `POST /v1/prices/invalidations`.
pub async fn over_http<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::POST {
        return Err(json_http::wrong_method("POST"));
    }
    let body = json_http::read_body(api, request, BODY_BYTES_MAX).await?;
    let done = api.offers.invalidate(invalidation::check(invalidation::decode(&body)?, call)?).await?;
    let mut response = Response::new(Body::full(json(&done)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `PriceService.InvalidatePrices`.
pub async fn over_grpc<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let body = read(request.into_body(), &api.config, BODY_BYTES_MAX + grpc::PREFIX_BYTES, false).await?;
    let asked = protobuf::decode_invalidation(grpc::message_in(body)?)?;
    let done = api.offers.invalidate(invalidation::check(asked, call)?).await?;
    let answer = proto::InvalidatePricesResponse {
        effective_at: Some(instant(done.effective_at)),
        settled_at: done.settled_at.map(instant),
        marked: Some(i32::try_from(done.marked).unwrap_or(i32::MAX)),
        widened: Some(done.widened),
    };
    let message = grpc::message_of(Vec::new(), |sink| sink.buffer.extend_from_slice(&answer.encode_to_vec()));
    Ok(grpc::respond(Body::message(message)))
}

/// Canonical JSON of the response message.
fn json(done: &Invalidated) -> String {
    let Invalidated { effective_at, settled_at, marked, widened } = done;
    let settled_at = settled_at.map(|at| format!("\"settledAt\":\"{at}\",")).unwrap_or_default();
    format!("{{\"effectiveAt\":\"{effective_at}\",{settled_at}\"marked\":{marked},\"widened\":{widened}}}")
}

fn instant(at: Timestamp) -> prost_types::Timestamp {
    let nanos = at.0.rem_euclid(1000) * 1_000_000;
    prost_types::Timestamp { seconds: at.0.div_euclid(1000), nanos: nanos as i32 }
}

impl From<InvalidationError> for Refusal {
    fn from(error: InvalidationError) -> Self {
        match error {
            InvalidationError::NothingNamed => Refusal::new(Fault::NothingNamed, error.to_string()),
            InvalidationError::Contradictory => Refusal::at(Fault::Contradictory, "all", error),
            InvalidationError::NotResolvable { field, why } => Refusal::at(Fault::NotResolvable, field, why),
            InvalidationError::TooManyWaiting { waiting } => {
                Refusal::new(Fault::TooManyWaiting, error.to_string()).limited(waiting)
            }
            InvalidationError::NotDurable { .. } => Refusal::new(Fault::NotDurable, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_wires_say_the_same() {
        let done = Invalidated {
            effective_at: Timestamp(1_795_341_872_120),
            settled_at: Some(Timestamp(1_795_341_877_000)),
            marked: 0,
            widened: false,
        };
        assert_eq!(
            json(&done),
            "{\"effectiveAt\":\"2026-11-22T10:04:32.120Z\",\"settledAt\":\"2026-11-22T10:04:37Z\",\"marked\":0,\
             \"widened\":false}"
        );
        assert_eq!(instant(done.effective_at), prost_types::Timestamp { seconds: 1_795_341_872, nanos: 120_000_000 });
        assert_eq!(instant(Timestamp(-1)), prost_types::Timestamp { seconds: -1, nanos: 999_000_000 });
    }
}
