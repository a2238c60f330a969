//! The operator's pages: is it alive, is it ready, what does it count.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the pages show.
pub struct Admin {
    /// Whether the gateway should be sent traffic.
    ready: Arc<AtomicBool>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// For people, under the word that says whether it is ready.
    detail: Box<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl Admin {
    /// `ready` says whether the gateway should be sent traffic; `metrics` gives all of them in Prometheus' text format.
    pub fn new(ready: Arc<AtomicBool>, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { ready, metrics: Box::new(metrics), detail: Box::new(String::new) }
    }

    /// `detail`: lines for people below readiness. They never change whether the gateway is ready.
    pub fn with_detail(self, detail: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { detail: Box::new(detail), ..self }
    }

    fn page(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (status, text) = match path {
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" if self.ready.load(Ordering::Relaxed) => (StatusCode::OK, format!("ready\n{}", (self.detail)())),
            "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}", (self.detail)())),
            "/metrics" => (StatusCode::OK, (self.metrics)()),
            _ => (StatusCode::NOT_FOUND, "there is /healthz, /readyz and /metrics\n".to_owned()),
        };
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let (status, text) =
            if is_read { (status, text) } else { (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()) };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        if !is_read {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

/// Serves the pages until `shutdown` completes; they are up as long as the process drains.
pub async fn serve_admin(admin: Admin, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    /// More than a few is not an operator.
    const CONNECTIONS_MAX: usize = 100;
    let admin = Arc::new(admin);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(75));
    let builder = Arc::new(builder);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let (admin, builder) = (admin.clone(), builder.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let page = admin.page(request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(page) }
            });
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let ready = Arc::new(AtomicBool::new(false));
        let admin = Admin::new(ready.clone(), || "a 1\n".into());
        let status = |path| admin.page(&Method::GET, path).status().as_u16();
        assert_eq!((status("/healthz"), status("/readyz"), status("/metrics"), status("/")), (200, 503, 200, 404));
        ready.store(true, Ordering::Relaxed);
        assert_eq!(status("/readyz"), 200);
        assert_eq!(admin.page(&Method::POST, "/healthz").status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
