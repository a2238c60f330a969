//! Bodies: a request's, read within bounds, and a response's, in the few forms we answer in.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};

use super::config::ApiConfig;
use super::messages::Sent;
use super::status::{Fault, Refusal};
use super::stream::Records;

/// Why a response broke off.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// What a response carries.
#[derive(Debug)]
pub enum Body {
    /// All of it, at once.
    Full(Option<Bytes>),
    /// One gRPC message and its good end.
    Message { message: Option<Bytes>, ended: bool },
    /// Records as they become known.
    Records(Box<Records>),
    /// gRPC messages that answer others.
    Sent(Sent),
    /// From the services that tonic brings along.
    Tonic(tonic::body::Body),
}

impl Default for Body {
    fn default() -> Self {
        Body::Full(None)
    }
}

impl Body {
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Body::Full(Some(bytes.into()))
    }

    pub fn message(bytes: impl Into<Bytes>) -> Self {
        Body::Message { message: Some(bytes.into()), ended: false }
    }
}

/// The trailers of a call that went well.
pub fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Body::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Message { message, ended } => Poll::Ready(match message.take() {
                Some(message) => Some(Ok(Frame::data(message))),
                None if *ended => None,
                None => {
                    *ended = true;
                    Some(Ok(Frame::trailers(ok_trailers())))
                }
            }),
            Body::Records(records) => records.poll_frame(cx),
            Body::Sent(sent) => sent.poll_frame(cx),
            Body::Tonic(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Full(bytes) => bytes.is_none(),
            Body::Message { ended, .. } => *ended,
            Body::Records(_) | Body::Sent(_) => false,
            Body::Tonic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Body::Tonic(body) => body.size_hint(),
            Body::Message { .. } | Body::Records(_) | Body::Sent(_) => SizeHint::default(),
        }
    }
}

/// Reads a request's body, within its limits of size and time.
pub async fn read(body: Incoming, config: &ApiConfig, limit: usize, drain: bool) -> Result<Bytes, Refusal> {
    let read = read_within(body, config, limit, drain);
    match tokio::time::timeout(config.body_read_timeout, read).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::new(Fault::BodyTimeout, "the body did not arrive in time")),
    }
}

async fn read_within(mut body: Incoming, config: &ApiConfig, limit: usize, drain: bool) -> Result<Bytes, Refusal> {
    use hyper::body::Body as _;
    let told = body.size_hint().lower();
    if told > limit as u64 {
        if drain && told <= config.body_drain_bytes_max as u64 {
            throw_away(body, config.body_drain_bytes_max).await;
        }
        return Err(too_long(limit));
    }
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::new(Fault::BodyTimeout, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + gathered.len() + data.len() > limit {
            if drain {
                throw_away(body, config.body_drain_bytes_max).await;
            }
            return Err(too_long(limit));
        }
        // Most bodies are one frame, and are then not copied.
        if first.is_empty() && gathered.is_empty() {
            first = data;
        } else {
            gathered.reserve(first.len() + data.len());
            gathered.extend_from_slice(&std::mem::take(&mut first));
            gathered.extend_from_slice(&data);
        }
    }
    Ok(if gathered.is_empty() { first } else { gathered.freeze() })
}

/// Reads on without keeping anything: a client that finds its connection reset while it sends never reads the answer.
pub async fn throw_away(mut body: Incoming, bytes_max: usize) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > bytes_max {
            return;
        }
    }
}

pub fn too_long(limit: usize) -> Refusal {
    Refusal::new(Fault::BodyTooLong, format!("the body is longer than {limit} bytes")).limited(limit)
}
