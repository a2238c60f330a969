//! A streamed answer: each record leaves as soon as it is known, through a bounded channel. The same for both wires, which
//! differ in how a record is framed and how a good end is told from a cut.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::Offers;
use super::body::{BodyError, ok_trailers};
use super::encode::{self, Head, Json};
use super::grpc;
use super::server::Api;
use super::status::{Fault, Refusal};
use crate::offer::{OfferError, OfferQuery, StreamItem};

/// How records follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// JSON, one record per line.
    Lines,
    /// gRPC messages.
    Messages,
}

/// The rest of a streamed answer.
#[derive(Debug)]
pub struct Records {
    framing: Framing,
    query: Arc<OfferQuery>,
    /// Until the first record has taken it along.
    head: Option<Head>,
    /// Bounded: a slow reader slows the sender, never the memory.
    items: mpsc::Receiver<StreamItem>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// The last record is out.
    Done,
    Ended,
}

/// Starts to answer. Fails if there is nobody to answer for; from then on every trouble is a line's.
pub async fn start<O: Offers>(api: &Api<O>, query: OfferQuery, framing: Framing) -> Result<Records, Refusal> {
    let (out, mut items) = mpsc::channel(api.config.stream_queue_max);
    let offers = api.offers.clone();
    // A task of its own: it runs ahead while the connection is busy, ends when the receiver is gone, and a panic is its own.
    let task = tokio::spawn(async move { offers.stream(query, out).await }.in_current_span());
    match items.recv().await {
        Some(StreamItem::Head { query, party, policy }) => {
            Ok(Records { framing, query, head: Some(Head { party, policy }), items, state: State::Running })
        }
        Some(_) => Err(Refusal::new(Fault::Internal, "the answer began in its middle")),
        None => Err(why(task).await),
    }
}

async fn why(task: JoinHandle<Result<(), OfferError>>) -> Refusal {
    match task.await {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => Refusal::new(Fault::Internal, "the answer ended before it began"),
        Err(_) => Refusal::new(Fault::Internal, "the answer could not be made"),
    }
}

impl Records {
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match (self.state, self.framing) {
            (State::Running, _) => {}
            (State::Done, Framing::Messages) => {
                self.state = State::Ended;
                return Poll::Ready(Some(Ok(Frame::trailers(ok_trailers()))));
            }
            (State::Done, Framing::Lines) | (State::Ended, _) => return Poll::Ready(None),
        }
        loop {
            return Poll::Ready(match std::task::ready!(self.items.poll_recv(cx)) {
                Some(StreamItem::Head { .. }) => continue,
                Some(StreamItem::Offers(lines)) => {
                    let mut bytes = Vec::with_capacity(lines.len() * 1024);
                    for (index, line) in &lines {
                        let head = self.head.take();
                        bytes = match self.framing {
                            Framing::Lines => line_of(bytes, |sink| {
                                encode::record(sink, &self.query, *index, line, head.as_ref());
                            }),
                            Framing::Messages => grpc::message_of(bytes, |sink| {
                                encode::record(sink, &self.query, *index, line, head.as_ref());
                            }),
                        };
                    }
                    if bytes.is_empty() {
                        continue;
                    }
                    Some(Ok(Frame::data(bytes.into())))
                }
                Some(StreamItem::Done { answered, answered_at }) => {
                    self.state = State::Done;
                    let head = self.head.take();
                    let bytes = match self.framing {
                        Framing::Lines => line_of(Vec::new(), |sink| {
                            encode::last_record(sink, &self.query, head.as_ref(), answered, answered_at);
                        }),
                        Framing::Messages => grpc::message_of(Vec::new(), |sink| {
                            encode::last_record(sink, &self.query, head.as_ref(), answered, answered_at);
                        }),
                    };
                    Some(Ok(Frame::data(bytes.into())))
                }
                // The sender is gone without a last record: the reader must see that it was cut.
                None => {
                    self.state = State::Ended;
                    Some(match self.framing {
                        Framing::Lines => Err("the answer was cut".into()),
                        Framing::Messages => Ok(Frame::trailers(grpc::cut_trailers())),
                    })
                }
            });
        }
    }
}

fn line_of(buffer: Vec<u8>, fill: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut sink = Json { buffer };
    sink.object(fill);
    sink.buffer.push(b'\n');
    sink.buffer
}
