//! What follows a request through the gateway: its id, and the trace it belongs to.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Reading;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// One call, from arrival on.
#[derive(Debug)]
pub struct Call {
    pub id: RequestId,
    pub arrival: Reading,
}

/// The id of one request, the caller's or ours: visible ASCII.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Makes ids that are unique in this process, and as good as unique among processes.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u32,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The standard hasher is seeded by the operating system once per process: randomness enough for a name.
        let seed = std::collections::hash_map::RandomState::new().hash_one(std::process::id());
        Self { prefix: seed as u32, next: AtomicU64::new(0) }
    }
}

impl RequestIds {
    /// The caller's id if it is sane, else a new one.
    pub fn take(&self, headers: &HeaderMap) -> RequestId {
        for name in ["request-id", "x-request-id"] {
            if let Some(told) = headers.get(name).filter(|value| is_sane(value.as_bytes())) {
                return RequestId(told.clone());
            }
        }
        let made = format!("{:08x}-{:06x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        RequestId(HeaderValue::try_from(made).expect("hexadecimal digits and a dash"))
    }
}

/// Short enough to log, and nothing that could be mistaken for something else in a log.
fn is_sane(id: &[u8]) -> bool {
    const ID_BYTES_MAX: usize = 128;
    !id.is_empty()
        && id.len() <= ID_BYTES_MAX
        && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(b))
}

/// The trace id of a W3C `traceparent` header.
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
    // Version ff is forbidden; a later version may have more parts than the first, which has four.
    let well_formed = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let complete = version != "00" || parts.next().is_none();
    (well_formed && complete && !is_zero(trace) && !is_zero(parent)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_sane_id_is_kept_and_another_replaced() {
        let ids = RequestIds::default();
        assert_eq!(ids.take(&headers("request-id", "order/42")).as_str(), "order/42");
        assert_eq!(ids.take(&headers("x-request-id", "abc")).as_str(), "abc");
        for bad in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert_ne!(ids.take(&headers("request-id", bad)).as_str(), bad);
        }
        let empty = HeaderMap::new();
        assert_ne!(ids.take(&empty).as_str(), ids.take(&empty).as_str());
    }

    #[test]
    fn traces() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let told = headers("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
        assert_eq!(trace_id(&told), Some(trace));
        for bad in [
            String::new(),
            format!("00-{trace}-00f067aa0ba902b7"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-00f067aa0ba902b7-01-x"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
        ] {
            assert_eq!(trace_id(&headers("traceparent", &bad)), None, "{bad}");
        }
    }
}
