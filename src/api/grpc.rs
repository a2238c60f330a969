//! The offer service over gRPC, by hand: one length-prefixed message in, one or many out, the status in the trailers. Answers
//! are encoded from the gateway's own structures, so the generated service and its layers would only be in the way.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use hyper::body::Incoming;

use super::Offers;
use super::body::{self, Body};
use super::context::{Call, RequestId};
use super::encode::{self, Protobuf};
use super::request::{self, protobuf};
use super::server::Api;
use super::status::{Fault, Refusal};
use super::stream::{self, Framing};
use crate::offer::OfferQuery;

/// A flag byte and four of length before every message.
pub const PREFIX_BYTES: usize = 5;

/// What one line takes in protobuf, more or less. Bytes.
const LINE_BYTES: usize = 640;

/// `GetOffers`.
pub async fn get_offers<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let query = read_query(api, request, call).await?;
    let answer = api.offers.answer(query).await?;
    let buffer = Vec::with_capacity(512 + answer.lines.len() * LINE_BYTES);
    let message = message_of(buffer, |sink| {
        encode::answer(sink, &answer);
    });
    Ok(respond(Body::message(message)))
}

/// `ExplainOffer`.
pub async fn explain_offer<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let query = request::one_line(read_query(api, request, call).await?)?;
    let explanation = api.offers.explain(query).await?;
    let message = message_of(Vec::new(), |sink| encode::explanation(sink, &explanation));
    Ok(respond(Body::message(message)))
}

/// `StreamOffers`.
pub async fn stream_offers<O: Offers>(
    api: &Api<O>,
    request: Request<Incoming>,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let query = read_query(api, request, call).await?;
    let records = stream::start(api, query, Framing::Messages).await?;
    Ok(respond(Body::Records(Box::new(records))))
}

pub fn respond(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

async fn read_query<O: Offers>(api: &Api<O>, request: Request<Incoming>, call: &Call) -> Result<OfferQuery, Refusal> {
    let timeout = timeout(request.headers()).map(|timeout| timeout.saturating_sub(margin(timeout)));
    let limit = api.config.body_bytes_max;
    let body = body::read(request.into_body(), &api.config, limit + PREFIX_BYTES, false).await?;
    request::check(protobuf::decode(message_in(body)?)?, &api.config, call, timeout)
}

/// The one message of a request.
pub fn message_in(mut body: Bytes) -> Result<Bytes, Refusal> {
    if body.len() < PREFIX_BYTES {
        return Err(Refusal::new(Fault::MalformedProtobuf, "there is no message"));
    }
    let flag = body.get_u8();
    let length = body.get_u32() as usize;
    if flag == 1 {
        return Err(Refusal::new(Fault::CompressedMessage, "send the message without compression"));
    }
    if flag != 0 || length != body.len() {
        return Err(Refusal::new(Fault::MalformedProtobuf, "the message's length is not what its prefix says"));
    }
    Ok(body)
}

/// Appends one message, with its prefix.
pub fn message_of(mut buffer: Vec<u8>, fill: impl FnOnce(&mut Protobuf)) -> Vec<u8> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; PREFIX_BYTES]);
    let mut sink = Protobuf { buffer };
    fill(&mut sink);
    let mut buffer = sink.buffer;
    // 500 lines are a few hundred kilobytes; the prefix ends at four gigabytes.
    let length = (buffer.len() - start - PREFIX_BYTES) as u32;
    buffer[start + 1..start + PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    buffer
}

/// Whether the content is gRPC in protobuf.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let told = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let Some(rest) = told.strip_prefix(b"application/grpc") else { return false };
    matches!(rest.strip_prefix(b"+proto").unwrap_or(rest), [] | [b';', ..])
}

/// Refuses what cannot be a gRPC call at all.
pub fn check_transport(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    if !is_grpc(headers) {
        return Err(Refusal::new(Fault::UnsupportedMediaType, "send application/grpc"));
    }
    if version != Version::HTTP_2 {
        return Err(Refusal::new(Fault::Http2Required, "call over HTTP/2"));
    }
    Ok(())
}

/// A refusal as a response that is all trailers.
pub fn refusal(refusal: &Refusal, request_id: &RequestId) -> Response<Body> {
    refusal.to_status(request_id).into_http()
}

/// The end of a stream that has no last record.
pub fn cut_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from_static("13"));
    trailers.insert("grpc-message", HeaderValue::from_static("the answer was cut"));
    trailers
}

/// What the caller allows: at most eight digits and a unit. What is malformed is as if it were not there.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(amount * 3600),
        'M' => Duration::from_secs(amount * 60),
        'S' => Duration::from_secs(amount),
        'm' => Duration::from_millis(amount),
        'u' => Duration::from_micros(amount),
        'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// How much earlier than its deadline the caller is answered, so that a partial answer is not lost on its way back.
fn margin(timeout: Duration) -> Duration {
    (timeout / 20).clamp(Duration::from_millis(1), Duration::from_millis(20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        let told = |text: &str| {
            timeout(&HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                HeaderValue::from_str(text).unwrap(),
            )]))
        };
        assert_eq!(told("300m"), Some(Duration::from_millis(300)));
        assert_eq!(told("1S"), Some(Duration::from_secs(1)));
        assert_eq!(told("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(told("0n"), Some(Duration::ZERO));
        for bad in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_message_whole_and_plain() {
        let fault = |bytes: &'static [u8]| message_in(Bytes::from_static(bytes)).map_err(|refusal| refusal.fault);
        assert_eq!(fault(b"\0\0\0\0\x02ab"), Ok(Bytes::from_static(b"ab")));
        assert_eq!(fault(b"\x01\0\0\0\x02ab"), Err(Fault::CompressedMessage));
        for bad in [&b""[..], b"\0\0", b"\0\0\0\0\x03ab", b"\0\0\0\0\x01ab", b"\x02\0\0\0\x02ab", b"\0\xff\xff\xff\xff"]
        {
            assert_eq!(fault(bad), Err(Fault::MalformedProtobuf), "{bad:?}");
        }
    }

    #[test]
    fn what_passes_for_grpc() {
        let says = |told: &str| is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(told).unwrap())]));
        for good in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
            assert!(says(good), "{good}");
        }
        for bad in ["", "application/json", "application/grpc-web", "application/grpc+json"] {
            assert!(!says(bad), "{bad}");
        }
    }
}
