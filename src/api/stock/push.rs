//! `PushChanges`: requests in a stream, answered in their order, many on their way at once.
//!
//! What a peer may have on its way is bounded by the changes in it. Beyond, or while it does not read its answers, nothing
//! more is read from it: its own flow control then holds it, and nobody else.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Later, Stock, answers};
use crate::api::body::{Body, ok_trailers};
use crate::api::config::ApiConfig;
use crate::api::context::{Call, RequestId};
use crate::api::grpc;
use crate::api::messages::{Messages, Sender, Sent};
use crate::api::request::stock;
use crate::api::request::told::message;
use crate::api::server::Api;
use crate::api::status::{Fault, Refusal};
use crate::domain::change::Epoch;
use crate::domain::ids::SourceId;
use crate::stock::request::{Answer, IntakeError};

/// Begins to answer.
pub fn start<O>(api: &Api<O>, ledger: Arc<dyn Stock>, request: Request<Incoming>, call: &Call) -> Response<Body> {
    let ApiConfig { changes_max, changes_bytes_max, body_read_timeout, .. } = api.config;
    let messages = Messages::new(request.into_body(), changes_bytes_max, body_read_timeout);
    let (answers, sent) = Sent::new();
    let stream = Stream {
        ledger,
        messages,
        answers,
        changes_max,
        source: None,
        waiting: Waiting::default(),
        stopping: api.stopping.clone(),
    };
    // A task of its own: it goes on while the peer takes its time to read, and ends when the peer is gone.
    tokio::spawn(stream.run(call.id.clone()).in_current_span());
    grpc::respond(Body::Sent(sent))
}

struct Stream {
    ledger: Arc<dyn Stock>,
    messages: Messages,
    answers: Sender,
    /// Changes on their way at most, and in one request.
    changes_max: usize,
    /// What the last request named.
    source: Option<(SourceId, Epoch)>,
    waiting: Waiting,
    stopping: CancellationToken,
}

/// Requests that are not answered yet, in their order.
#[derive(Default)]
struct Waiting {
    requests: VecDeque<(usize, Later<Result<Answer, IntakeError>>)>,
    /// What they count for in all.
    under_way: usize,
}

impl Waiting {
    /// One with so many changes. One without any takes a place where all wait, too: it counts as one.
    fn push(&mut self, changes: usize, answer: Later<Result<Answer, IntakeError>>) {
        let counts = changes.max(1);
        self.under_way += counts;
        self.requests.push_back((counts, answer));
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The answer to the oldest; for ever, where there is none.
    async fn front(&mut self) -> Result<Answer, IntakeError> {
        let Some((counts, answer)) = self.requests.front_mut() else { return std::future::pending().await };
        let (counts, answer) = (*counts, answer.as_mut().await);
        self.requests.pop_front();
        self.under_way -= counts;
        answer
    }
}

/// The peer is gone.
struct Gone;

impl Stream {
    async fn run(mut self, id: RequestId) {
        let ended = self.serve().await;
        let trailers = match ended {
            Ok(Ok(())) => ok_trailers(),
            Ok(Err(refusal)) => {
                if refusal.fault.http_status() >= 500 {
                    tracing::warn!(request_id = id.as_str(), detail = &*refusal.detail, "a push ended");
                }
                let mut trailers = HeaderMap::new();
                match refusal.to_status(&id).add_header(&mut trailers) {
                    Ok(()) => trailers,
                    Err(_) => grpc::cut_trailers(),
                }
            }
            Err(Gone) => return,
        };
        // Nobody to tell is as good as told.
        let _ = self.answers.send(Err(trailers)).await;
    }

    /// Until the peer ends, or something ends it.
    async fn serve(&mut self) -> Result<Result<(), Refusal>, Gone> {
        let stopping = self.stopping.clone();
        let ended = loop {
            let may_read = self.waiting.under_way < self.changes_max;
            tokio::select! {
                biased;
                answer = self.waiting.front() => {
                    if let Err(refusal) = self.answer(answer).await? {
                        return Ok(Err(refusal));
                    }
                }
                () = stopping.cancelled() => {
                    break Err(Refusal::new(Fault::Stopping, "the gateway stops: send what was not answered again"));
                }
                message = self.messages.next(), if may_read => {
                    match message.and_then(|message| message.map(|message| self.take(&message)).transpose()) {
                        Ok(Some(())) => {}
                        Ok(None) => break Ok(()),
                        Err(refusal) => break Err(refusal),
                    }
                }
            }
        };
        // What was taken in is answered all the same.
        while !self.waiting.is_empty() {
            let answer = self.waiting.front().await;
            if let Err(refusal) = self.answer(answer).await? {
                return Ok(Err(refusal));
            }
        }
        Ok(ended)
    }

    fn take(&mut self, message: &Bytes) -> Result<(), Refusal> {
        let push = message::push(message, self.changes_max)?;
        let request = stock::push_in(push, self.source.as_ref())?;
        self.source = Some((request.source.clone(), request.epoch.clone()));
        let changes = request.changes.len();
        self.waiting.push(changes, self.ledger.push(request));
        Ok(())
    }

    async fn answer(&mut self, answer: Result<Answer, IntakeError>) -> Result<Result<(), Refusal>, Gone> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error.into())),
        };
        // Counted from what this answers: what is on its way by now is known to the peer alone.
        let credits = self.changes_max as u64;
        let message = answers::pushed(answer, None, Some(credits));
        let length = message.encoded_len();
        let bytes = grpc::message_of(Vec::with_capacity(length + grpc::PREFIX_BYTES), |sink| {
            // A vector takes whatever is put.
            message.encode_raw(&mut sink.buffer);
        });
        self.answers.send(Ok(bytes.into())).await.map_err(|_| Gone)?;
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_without_changes_counts_too() {
        let mut waiting = Waiting::default();
        for changes in [0, 3, 0] {
            waiting.push(changes, Box::pin(async { Err(IntakeError::Stopped) }));
        }
        assert_eq!(waiting.under_way, 5);
        for left in [4, 1, 0] {
            assert!(waiting.front().await.is_err());
            assert_eq!(waiting.under_way, left);
        }
        assert!(waiting.is_empty());
    }
}
