//! The offers resource in HTTP JSON.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPECT, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::Offers;
use super::body::{self, Body};
use super::caching::{self, Kept};
use super::context::{Call, RequestId};
use super::encode::{self, Json};
use super::request::{self, form, json};
use super::server::Api;
use super::status::{Fault, Refusal};
use super::stream::{self, Framing};
use crate::offer::OfferQuery;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What one line takes in JSON, more or less. Bytes.
const LINE_BYTES: usize = 1024;

/// `POST /v1/offers` and `GET /v1/offers`.
pub async fn offers<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let (query, if_none_match) = match *request.method() {
        Method::POST => (read_query(api, request, call).await?, None),
        Method::GET => {
            let asked = form::decode(request.uri().query().unwrap_or_default())?;
            let query = request::check(asked, &api.config, call, None)?;
            (query, request.headers().get(IF_NONE_MATCH).cloned())
        }
        _ => return Err(wrong_method("GET, POST")),
    };
    let is_public = query.customer.is_none();
    let answer = api.offers.answer(query).await?;
    let mut sink = Json { buffer: Vec::with_capacity(512 + answer.lines.len() * LINE_BYTES) };
    let mut answered_at = 0..0;
    sink.object(|sink| answered_at = encode::answer(sink, &answer));

    let kept = Kept::of(&answer);
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(CACHE_CONTROL, kept.cache_control(is_public, answer.answered_at));
    headers.insert(CACHE_STATUS, kept.cache_status(answer.answered_at));
    if !is_public {
        let tag = caching::entity_tag(&sink.buffer, answered_at);
        let unchanged = if_none_match.is_some_and(|asked| caching::matches(&asked, &tag));
        headers.insert(ETAG, tag);
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::full(sink.buffer);
    Ok(response)
}

/// `POST /v1/offers:explain`.
pub async fn offers_explain<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::POST {
        return Err(wrong_method("POST"));
    }
    let query = request::one_line(read_query(api, request, call).await?)?;
    let explanation = api.offers.explain(query).await?;
    let mut sink = Json { buffer: Vec::new() };
    sink.object(|sink| encode::explanation(sink, &explanation));
    let mut response = Response::new(Body::full(sink.buffer));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST /v1/offers:stream`: one JSON record per line.
pub async fn offers_stream<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::POST {
        return Err(wrong_method("POST"));
    }
    let query = read_query(api, request, call).await?;
    let records = stream::start(api, query, Framing::Lines).await?;
    let mut response = Response::new(Body::Records(Box::new(records)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn read_query<O: Offers>(api: &Api<O>, request: Request<Incoming>, call: &Call) -> Result<OfferQuery, Refusal> {
    let body = read_body(api, request, api.config.body_bytes_max).await?;
    request::check(json::decode(&body)?, &api.config, call, None)
}

/// A JSON body, unread.
pub async fn read_body<O>(api: &Api<O>, request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, Refusal> {
    if !is_json(request.headers()) {
        return Err(Refusal::new(Fault::UnsupportedMediaType, "send application/json in UTF-8"));
    }
    // Over HTTP/2 the answer overtakes the body; a client that waits to be told to go on sends none.
    let drain = request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
    body::read(request.into_body(), &api.config, bytes_max, drain).await
}

/// Whether the body says it is JSON, or does not say.
pub fn is_json(headers: &HeaderMap) -> bool {
    is_of(headers, &["application/json"])
}

/// Whether the body says it is of one of these types and UTF-8, or does not say.
pub fn is_of(headers: &HeaderMap, types: &[&str]) -> bool {
    let Some(told) = headers.get(CONTENT_TYPE) else { return true };
    let Ok(told) = told.to_str() else { return false };
    let mut parts = told.split(';');
    let media_type = parts.next().unwrap_or_default().trim();
    types.iter().any(|one| media_type.eq_ignore_ascii_case(one))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = charset.trim().trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

pub fn wrong_method(allow: &'static str) -> Refusal {
    let mut refusal = Refusal::new(Fault::MethodNotAllowed, format!("use {allow}"));
    refusal.allow = Some(allow);
    refusal
}

/// A refusal as a problem document.
pub fn problem(refusal: &Refusal, request_id: &RequestId) -> Response<Body> {
    let status = refusal.fault.http_status();
    let mut response = Response::new(Body::full(refusal.problem(request_id)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status, 429 | 503) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(allow) = refusal.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_for_json() {
        let says = |told: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(told).unwrap())]));
        assert!(is_json(&HeaderMap::new()));
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
            assert!(says(good), "{good}");
        }
        for bad in ["", "text/plain", "application/json; charset=latin1", "application/jsonx", "application/xml"] {
            assert!(!says(bad), "{bad}");
        }
    }
}
