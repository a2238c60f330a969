//! The listener of both wires: one port, HTTP/1.1 and HTTP/2 without TLS, told apart by the first bytes.
//!
//! The path to an offer is kept short on purpose: a path is matched, a body read, a question answered and encoded, with no
//! layers in between. Only health and reflection go through tonic.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::body::Body;
use super::config::ApiConfig;
use super::context::{Call, REQUEST_ID, RequestIds, trace_id};
use super::metrics::{ApiMetrics, Outcome, Wire};
use super::standard::Standard;
use super::status::{Fault, Refusal};
use super::stock::{self, Stock};
use super::{Offers, grpc, http as json_http, invalidations};
use crate::clock::Clock;

/// Everything a call needs.
pub struct Api<O> {
    pub(super) offers: Arc<O>,
    pub(super) config: ApiConfig,
    /// `None`: the gateway keeps no stock.
    pub(super) stock: Option<Arc<dyn Stock>>,
    /// Cancelled when the gateway begins to stop: calls without an end of their own come to one.
    pub(super) stopping: CancellationToken,
    clock: Clock,
    ids: RequestIds,
    metrics: ApiMetrics,
    standard: Standard,
}

impl<O: Offers> Api<O> {
    pub fn new(offers: Arc<O>, config: ApiConfig, clock: Clock) -> Self {
        Self {
            offers,
            config,
            stock: None,
            stopping: CancellationToken::new(),
            clock,
            ids: RequestIds::default(),
            metrics: ApiMetrics::default(),
            standard: Standard::default(),
        }
    }

    pub fn with_stock(self, stock: Arc<dyn Stock>) -> Self {
        Self { stock: Some(stock), ..self }
    }

    /// Answers one request, whatever happens.
    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let call = Call { id: self.ids.take(request.headers()), arrival: self.clock.read() };
        let wire = if grpc::is_grpc(request.headers()) { Wire::Grpc } else { Wire::Http };
        let span = tracing::debug_span!(
            "request",
            path = request.uri().path(),
            request_id = call.id.as_str(),
            trace_id = trace_id(request.headers())
        );
        // A panic ends this request and nothing else; what it may have left half done is behind locks that do not poison.
        let routed = AssertUnwindSafe(self.route(request, &call)).catch_unwind().instrument(span).await;
        let answered =
            routed.unwrap_or_else(|_| Err(Refusal::new(Fault::Internal, "the request could not be answered")));
        let (mut response, outcome) = match answered {
            Ok(response) => (response, Outcome::Ok),
            Err(refusal) => {
                let is_ours = refusal.fault.http_status() >= 500;
                if is_ours {
                    tracing::error!(request_id = call.id.as_str(), detail = &*refusal.detail, "request failed");
                }
                let response = match wire {
                    Wire::Grpc if refusal.fault != Fault::Http2Required => grpc::refusal(&refusal, &call.id),
                    _ => json_http::problem(&refusal, &call.id),
                };
                (response, if is_ours { Outcome::Failed } else { Outcome::Refused })
            }
        };
        response.headers_mut().insert(REQUEST_ID, call.id.header());
        self.metrics.record(wire, outcome, self.clock.mono().since(call.arrival.mono));
        response
    }

    async fn route(&self, request: Request<Incoming>, call: &Call) -> Result<Response<Body>, Refusal> {
        let path = request.uri().path();
        match path {
            "/v1/offers" => return json_http::offers(self, request, call).await,
            // Some clients encode the colon.
            "/v1/offers:stream" | "/v1/offers%3Astream" | "/v1/offers%3astream" => {
                return json_http::offers_stream(self, request, call).await;
            }
            "/v1/offers:explain" | "/v1/offers%3Aexplain" | "/v1/offers%3aexplain" => {
                return json_http::offers_explain(self, request, call).await;
            }
            "/v1/prices/invalidations" => return invalidations::over_http(self, request, call).await,
            path if stock::is_here(path) => return stock::over_http(self, request, call).await,
            _ => {}
        }
        let is_ours = path.starts_with("/comptoir.v1.");
        if !is_ours && !path.starts_with("/grpc.") && !grpc::is_grpc(request.headers()) {
            return Err(no_such_resource(path));
        }
        grpc::check_transport(request.version(), request.headers())?;
        match path {
            "/comptoir.v1.OfferService/GetOffers" => grpc::get_offers(self, request, call).await,
            "/comptoir.v1.OfferService/StreamOffers" => grpc::stream_offers(self, request, call).await,
            "/comptoir.v1.OfferService/ExplainOffer" => grpc::explain_offer(self, request, call).await,
            "/comptoir.v1.PriceService/InvalidatePrices" => invalidations::over_grpc(self, request, call).await,
            _ if path.starts_with(STOCK_SERVICE) => {
                let method = path[STOCK_SERVICE.len()..].to_owned();
                stock::over_grpc(self, &method, request, call).await
            }
            _ if self.standard.has(path) => Ok(self.standard.call(request).await),
            _ => Err(no_such_resource(path)),
        }
    }
}

const STOCK_SERVICE: &str = "/comptoir.v1.StockService/";

pub fn no_such_resource(path: &str) -> Refusal {
    // A path may be long, and is the caller's.
    let shown: String = path.chars().take(100).collect();
    Refusal::new(Fault::NoSuchResource, format!("there is nothing at {shown}"))
}

/// Serves until `shutdown` completes, then lets calls in flight finish for the configured grace.
pub async fn serve<O: Offers>(api: Arc<Api<O>>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    api.standard.start().await;
    let mut shutdown = pin!(shutdown);
    let protocols = Arc::new(Protocols::new(&api.config));
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(api.config.connections_max));
    let mut connections = JoinSet::new();
    // Connections that have not said anything yet are in nobody's way.
    let closing = CancellationToken::new();
    loop {
        let accepted = async {
            let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Mostly too many open files: it passes as connections close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (api, protocols, watcher) = (api.clone(), protocols.clone(), graceful.watcher());
        let closing = closing.clone();
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = protocols.serve(api, stream, watcher, closing).await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.cancel();
    api.stopping.cancel();
    api.standard.stop().await;
    if tokio::time::timeout(api.config.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "stopped with calls still in flight");
    }
    connections.shutdown().await;
}

/// Both protocols, set up once.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

/// What a connection of HTTP/2 begins with, as far as it takes to tell it from a method of HTTP/1.
const HTTP2_BEGINS: &[u8; 3] = b"PRI";

impl Protocols {
    fn new(config: &ApiConfig) -> Self {
        const STREAM_WINDOW: u32 = 1 << 20;
        // Half of it bounds how many small frames may wait; a peer that sends many is cut off beyond.
        const CONNECTION_WINDOW: u32 = 16 << 20;
        // A query string of 500 SKUs is a header too.
        const HEADERS_BYTES_MAX: u32 = 128 << 10;
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(config.idle_timeout)
            .max_buf_size(HEADERS_BYTES_MAX as usize);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.streams_max)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS_BYTES_MAX);
        Self { http1, http2 }
    }

    /// Serves one connection to its end.
    async fn serve<O: Offers>(
        &self,
        api: Arc<Api<O>>,
        stream: TcpStream,
        watcher: Watcher,
        closing: CancellationToken,
    ) -> hyper::Result<()> {
        // Without it an answer of two segments waits for an acknowledgement. Failing is harmless.
        let _ = stream.set_nodelay(true);
        let begins = tokio::time::timeout(api.config.idle_timeout, begins_http2(&stream));
        let Some(Ok(is_http2)) = closing.run_until_cancelled_owned(begins).await else { return Ok(()) };
        let io = TokioIo::new(stream);
        if is_http2 {
            let service = service_fn(move |request| {
                let api = api.clone();
                async move { Ok::<_, Infallible>(api.handle(request).await) }
            });
            watcher.watch(self.http2.serve_connection(io, service)).await
        } else {
            let service = service_fn(move |request| {
                let api = api.clone();
                async move {
                    let response = api.handle(request).await;
                    // Everything else that is ready is answered before the first answer is written: answers then leave in
                    // one go, and whoever waits for several is woken once and not for each.
                    tokio::task::yield_now().await;
                    Ok::<_, Infallible>(response)
                }
            });
            watcher.watch(self.http1.serve_connection(io, service)).await
        }
    }
}

/// Looks at what a connection begins with, without taking it.
async fn begins_http2(stream: &TcpStream) -> bool {
    let mut first = [0; HTTP2_BEGINS.len()];
    loop {
        let Ok(seen) = stream.peek(&mut first).await else { return false };
        // Nothing more will come of a connection that is closed already: either protocol finds that out.
        if seen == 0 || seen == first.len() || !HTTP2_BEGINS.starts_with(&first[..seen]) {
            return &first == HTTP2_BEGINS;
        }
        // So few bytes come alone only from somebody who types them.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
