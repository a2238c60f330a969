//! The storefronts' side of the wire: HTTP/1.1 with as many connections as pages are under way, as web servers have them,
//! and gRPC with a few that everybody shares.
//!
//! Lives on one thread. A page that is given up on drops its request, as a storefront does.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::answer::problem_reason;

/// HTTP connections at once; further pages wait for one, on their own time.
pub const HTTP_CONNECTIONS_MAX: usize = 1_000;

const GET_OFFERS: &str = "/comptoir.v1.OfferService/GetOffers";

/// A server, found.
#[derive(Clone, Debug)]
pub struct Target {
    /// For the `Host` header.
    authority: String,
    address: SocketAddr,
}

impl Target {
    /// `http://host:port` or `host:port`. A load is a weapon: it is pointed at another machine on purpose or not at all.
    pub async fn find(text: &str, allow_remote: bool) -> anyhow::Result<Self> {
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = url.parse().with_context(|| format!("{text} is no address: write http://127.0.0.1:7070"))?;
        ensure!(uri.scheme_str() == Some("http"), "{text}: only http:// is spoken");
        ensure!(uri.path().trim_end_matches('/').is_empty(), "{text}: name the server alone, without a path");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(80);
        let found = tokio::net::lookup_host((host, port)).await.with_context(|| format!("cannot find {host}"))?;
        let addresses: Vec<SocketAddr> = found.collect();
        let Some(&address) = addresses.first() else { bail!("{host} has no address") };
        if !allow_remote && !addresses.iter().all(|address| address.ip().is_loopback()) {
            bail!("{text} is not this machine: pages would be sent to {address}; say --allow-remote if that is meant");
        }
        Ok(Self { authority: uri.authority().map(ToString::to_string).unwrap_or_default(), address })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }

    async fn connect(&self) -> Result<TokioIo<TcpStream>, Failure> {
        let stream = TcpStream::connect(self.address).await.map_err(|_| Failure::Unreachable)?;
        stream.set_nodelay(true).map_err(|_| Failure::Unreachable)?;
        Ok(TokioIo::new(stream))
    }
}

/// Why a page has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no connection")]
    Unreachable,
    #[error("connection broken")]
    Broken,
    #[error("no answer in time")]
    NoAnswer,
    /// A status that is no success, and the reason beside it.
    #[error("{0}")]
    Refused(String),
    #[error("unreadable answer")]
    Unreadable,
}

impl From<hyper::Error> for Failure {
    fn from(_: hyper::Error) -> Self {
        Failure::Broken
    }
}

/// HTTP/1.1, a pool that grows with the pages under way.
pub struct Http {
    target: Target,
    idle: RefCell<Vec<http1::SendRequest<Full<Bytes>>>>,
    places: Semaphore,
}

impl Http {
    pub fn new(target: Target) -> Self {
        Self { target, idle: RefCell::default(), places: Semaphore::new(HTTP_CONNECTIONS_MAX) }
    }

    /// Opens so many beforehand.
    pub async fn open(&self, connections: usize) -> Result<(), Failure> {
        for _ in 0..connections {
            let connection = self.connection().await?;
            self.idle.borrow_mut().push(connection);
        }
        Ok(())
    }

    /// Asks a page; the body of its answer.
    pub async fn page(&self, question: Bytes) -> Result<Bytes, Failure> {
        let request = Request::post(self.target.url("/v1/offers")).header(header::CONTENT_TYPE, "application/json");
        self.send(request, question).await
    }

    pub async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Request::get(self.target.url(path)), Bytes::new()).await
    }

    pub async fn post(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Request::post(self.target.url(path)), Bytes::new()).await
    }

    async fn send(&self, request: http::request::Builder, body: Bytes) -> Result<Bytes, Failure> {
        let request = request
            .header(header::HOST, self.target.authority.as_str())
            .body(Full::new(body))
            .map_err(|_| Failure::Broken)?;
        let _place = self.places.acquire().await.map_err(|_| Failure::Broken)?;
        // One that was hung up on meanwhile is no page's misfortune.
        let mut connection = loop {
            let Some(mut idle) = self.pick() else { break self.connection().await? };
            if idle.ready().await.is_ok() {
                break idle;
            }
        };
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.idle.borrow_mut().push(connection);
        if head.status.is_success() {
            return Ok(body);
        }
        let reason = problem_reason(&body).unwrap_or_default();
        Err(Failure::Refused(format!("HTTP {} {reason}", head.status.as_u16()).trim_end().to_owned()))
    }

    fn pick(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        self.idle.borrow_mut().pop()
    }

    async fn connection(&self) -> Result<http1::SendRequest<Full<Bytes>>, Failure> {
        let (mut sender, connection) = http1::handshake(self.target.connect().await?).await?;
        // Ends when the sender is dropped or the server hangs up; who asks then sees it.
        tokio::task::spawn_local(connection);
        sender.ready().await?;
        Ok(sender)
    }
}

/// gRPC over a fixed number of connections, taken in turn.
pub struct Grpc {
    target: Target,
    connections: Vec<RefCell<Option<http2::SendRequest<Full<Bytes>>>>>,
    turn: Cell<usize>,
}

impl Grpc {
    pub fn new(target: Target, connections: usize) -> Self {
        Self { target, connections: (0..connections.max(1)).map(|_| RefCell::default()).collect(), turn: Cell::new(0) }
    }

    pub async fn open(&self) -> Result<(), Failure> {
        for place in &self.connections {
            let connection = self.connection().await?;
            place.replace(Some(connection));
        }
        Ok(())
    }

    /// Asks a page; the framed message of its answer.
    pub async fn page(&self, question: Bytes) -> Result<Bytes, Failure> {
        let place = &self.connections[self.turn.get() % self.connections.len()];
        self.turn.set(self.turn.get().wrapping_add(1));
        let held = place.borrow().as_ref().filter(|connection| !connection.is_closed()).cloned();
        let mut connection = match held {
            Some(connection) => connection,
            None => {
                let connection = self.connection().await?;
                place.replace(Some(connection.clone()));
                connection
            }
        };
        let request = Request::post(self.target.url(GET_OFFERS))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(question))
            .map_err(|_| Failure::Broken)?;
        connection.ready().await?;
        read(connection.send_request(request).await?).await
    }

    async fn connection(&self) -> Result<http2::SendRequest<Full<Bytes>>, Failure> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            // Room for many answers, so that the wire is not measured by its window.
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(16 << 20)
            .handshake(self.target.connect().await?)
            .await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}

async fn read(answer: http::Response<Incoming>) -> Result<Bytes, Failure> {
    let (head, body) = answer.into_parts();
    let body = body.collect().await?;
    // A refusal is all trailers: its status comes in the head.
    let status =
        |headers: &HeaderMap| headers.get("grpc-status").and_then(|code| code.to_str().ok()).map(str::to_owned);
    match body.trailers().and_then(status).or_else(|| status(&head.headers)).as_deref() {
        Some("0") => Ok(body.to_bytes()),
        Some(code) => Err(Failure::Refused(format!("gRPC {code}"))),
        None => Err(Failure::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine_unless_told_otherwise() {
        for local in ["http://127.0.0.1:7070", "127.0.0.1:7070", "http://[::1]:7070/", "127.9.9.9:1"] {
            Target::find(local, false).await.unwrap();
        }
        for remote in ["http://192.0.2.1:7070", "198.51.100.7:80", "http://[2001:db8::1]:7070", "0.0.0.0:7070"] {
            let refused = Target::find(remote, false).await.unwrap_err().to_string();
            assert!(refused.contains("--allow-remote"), "{refused}");
            Target::find(remote, true).await.unwrap();
        }
        for wrong in ["https://127.0.0.1:7070", "http://127.0.0.1:7070/v1/offers", "http://", "no address"] {
            assert!(Target::find(wrong, true).await.is_err(), "{wrong}");
        }
    }
}
