//! Stands between the pusher and the gateway: an address that stays when the gateway restarts, notes of what was sent, and
//! an answer that gets lost on its way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;

/// One request, and what the gateway answered.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    /// Null where it is no JSON.
    pub body: Value,
    /// Null where there was none.
    pub answer: Value,
}

impl Sent {
    pub fn changes(&self) -> &[Value] {
        self.body["changes"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The numbers of its changes.
    pub fn numbers(&self) -> Vec<u64> {
        self.changes().iter().map(|change| change["sequence"].as_str().unwrap().parse().unwrap()).collect()
    }
}

#[derive(Default)]
struct State {
    gateway: Mutex<String>,
    loses_answer: AtomicBool,
    sent: Mutex<Vec<Sent>>,
}

pub struct Wire {
    pub url: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

impl Wire {
    pub async fn start() -> Self {
        let state = Arc::<State>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (for_calls, client) = (state.clone(), crate::rig::http_client());
        let router =
            axum::Router::new().fallback(async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                for_calls.pass(&client, method, uri, headers, body).await
            });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, serving }
    }

    /// From now on to the gateway at this `host:port`.
    pub fn leads_to(&self, address: &str) {
        self.state.gateway.lock().unwrap().replace_range(.., address);
    }

    /// What the gateway answers to the next changes does not arrive.
    pub fn loses_an_answer(&self) {
        self.state.loses_answer.store(true, Ordering::SeqCst);
    }

    /// What the gateway was asked or told, in order; what did not reach it is not here.
    pub fn sent(&self) -> Vec<Sent> {
        self.state.sent.lock().unwrap().clone()
    }

    /// Those that told changes.
    pub fn pushes(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| !sent.changes().is_empty()).collect()
    }

    pub fn snapshots(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| sent.method == "PUT").collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn pass(
        &self,
        client: &reqwest::Client,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<axum::body::Body> {
        let lost = || Response::builder().status(StatusCode::BAD_GATEWAY).body("nobody answers".into()).unwrap();
        let url = format!("http://{}{uri}", self.gateway.lock().unwrap());
        let mut request = client.request(method.clone(), url).body(body.clone());
        if let Some(kind) = headers.get("content-type") {
            request = request.header("content-type", kind);
        }
        let Ok(response) = request.send().await else { return lost() };
        let status = response.status();
        let Ok(answer) = response.bytes().await else { return lost() };
        self.sent.lock().unwrap().push(Sent {
            method: method.to_string(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            answer: serde_json::from_slice(&answer).unwrap_or_default(),
        });
        let is_push = self.sent.lock().unwrap().last().is_some_and(|sent| !sent.changes().is_empty());
        if is_push && self.loses_answer.swap(false, Ordering::SeqCst) {
            return lost();
        }
        Response::builder().status(status).header("content-type", "application/json").body(answer.into()).unwrap()
    }
}
