//! Streams of gRPC messages: those that come, one at a time and within bounds, and those that answer them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::body::{self, BodyError};
use super::grpc::{self, PREFIX_BYTES};
use super::status::{Fault, Refusal};

/// The messages of a request, as they come.
#[derive(Debug)]
pub struct Messages {
    body: Incoming,
    gathered: BytesMut,
    bytes_max: usize,
    /// Longest wait for the rest of a message that has begun. For one to begin there is none.
    patience: Duration,
    rest_due: Option<Pin<Box<Sleep>>>,
}

impl Messages {
    pub fn new(body: Incoming, bytes_max: usize, patience: Duration) -> Self {
        Self { body, gathered: BytesMut::new(), bytes_max, patience, rest_due: None }
    }

    /// The next one, or `None` at the good end. Nothing is lost if it is dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if let Some(message) = self.whole()? {
                return Ok(Some(message));
            }
            let frame = if self.gathered.is_empty() {
                self.body.frame().await
            } else {
                let due = self.rest_due.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
                tokio::select! {
                    biased;
                    frame = self.body.frame() => frame,
                    () = due => {
                        return Err(Refusal::new(Fault::BodyTimeout, "the rest of a message did not arrive in time"));
                    }
                }
            };
            let Some(frame) = frame else {
                let is_end = self.gathered.is_empty();
                return if is_end { Ok(None) } else { Err(Refusal::new(Fault::CutOff, "the last message is cut off")) };
            };
            let frame = frame.map_err(|error| Refusal::new(Fault::CutOff, format!("the call broke off: {error}")))?;
            if let Ok(data) = frame.into_data() {
                self.gathered.extend_from_slice(&data);
            }
        }
    }

    fn whole(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(prefix) = self.gathered.get(..PREFIX_BYTES) else { return Ok(None) };
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        match prefix[0] {
            0 => {}
            1 => return Err(Refusal::new(Fault::CompressedMessage, "send messages without compression")),
            _ => return Err(Refusal::new(Fault::MalformedProtobuf, "there is no message where one is due")),
        }
        if length > self.bytes_max {
            return Err(body::too_long(self.bytes_max));
        }
        if self.gathered.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.gathered.advance(PREFIX_BYTES);
        let message = self.gathered.split_to(length).freeze();
        self.rest_due = None;
        if self.gathered.is_empty() {
            // What was gathered for a long message is not kept for short ones.
            self.gathered = BytesMut::new();
        }
        Ok(Some(message))
    }
}

/// The messages of a response. Bounded: a peer that does not read them keeps its sender waiting.
#[derive(Debug)]
pub struct Sent {
    queue: mpsc::Receiver<Result<Bytes, HeaderMap>>,
    ended: bool,
}

/// Responses that wait for the peer.
const QUEUE_MAX: usize = 4;

/// Where responses are put: messages, then trailers.
pub type Sender = mpsc::Sender<Result<Bytes, HeaderMap>>;

impl Sent {
    pub fn new() -> (Sender, Self) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        (sender, Self { queue, ended: false })
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let trailers = match std::task::ready!(self.queue.poll_recv(cx)) {
            Some(Ok(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
            Some(Err(trailers)) => trailers,
            // Whoever answered is gone without an end.
            None => grpc::cut_trailers(),
        };
        self.ended = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}
