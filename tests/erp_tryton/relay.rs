//! Stands between the gateway and the ERP: notes every call, and passes it on, changes it, holds it or answers it itself.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::rig::text;
use crate::truth::tryton_url;

pub enum Act {
    Pass,
    /// Passed on as if the caller could not read compressed answers.
    PassPlain,
    /// Passed on when [`Relay::release`] allows it.
    Hold,
    /// Status, content type, content encoding, body.
    Answer(u16, &'static str, &'static str, Vec<u8>),
}

/// An answer in JSON.
pub fn json_reply(body: &str) -> Act {
    Act::Answer(200, "application/json", "", body.as_bytes().to_vec())
}

type Decide = Box<dyn Fn(&Value) -> Act + Send + Sync>;

struct State {
    decide: Decide,
    calls: Mutex<Vec<Value>>,
    held: Semaphore,
    client: reqwest::Client,
}

pub struct Relay {
    pub url: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

impl Relay {
    /// `decide` is given each call's body.
    pub async fn start(decide: impl Fn(&Value) -> Act + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            decide: Box::new(decide),
            calls: Mutex::default(),
            held: Semaphore::new(0),
            client: crate::rig::http_client(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tryton", listener.local_addr().unwrap());
        let for_calls = state.clone();
        let router = axum::Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            for_calls.answer(uri, headers, body).await
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, serving }
    }

    /// The bodies of the calls of one method, in the order they came.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let calls = self.state.calls.lock().unwrap();
        calls.iter().filter(|call| text(call, "/method") == method).cloned().collect()
    }

    /// Calls for prices.
    pub fn price_calls(&self) -> Vec<Value> {
        let calls = self.calls("model.product.product.search_read");
        calls.into_iter().filter(is_for_prices).collect()
    }

    /// Lets all held calls go, and those to come.
    pub fn release(&self) {
        self.state.held.add_permits(1_000);
    }
}

/// Whether a call asks for prices.
pub fn is_for_prices(call: &Value) -> bool {
    call.pointer("/params/4").is_some_and(|fields| fields.to_string().contains("sale_price_uom"))
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn answer(&self, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<axum::body::Body> {
        let call: Value = serde_json::from_slice(&body).unwrap();
        let act = (self.decide)(&call);
        self.calls.lock().unwrap().push(call);
        if let Act::Answer(status, content_type, encoding, body) = act {
            let mut response = Response::builder().status(status).header("content-type", content_type);
            if !encoding.is_empty() {
                response = response.header("content-encoding", encoding);
            }
            return response.body(body.into()).unwrap();
        }
        if matches!(act, Act::Hold) {
            self.held.acquire().await.unwrap().forget();
        }
        let path = uri.path().strip_prefix("/tryton").unwrap();
        let mut request = self.client.post(format!("{}{path}", tryton_url())).body(body);
        for name in ["content-type", "authorization", "accept-encoding"] {
            if let Some(value) = headers.get(name) {
                let plain = name == "accept-encoding" && matches!(act, Act::PassPlain);
                request = request.header(name, if plain { "identity".parse().unwrap() } else { value.clone() });
            }
        }
        let reply = request.send().await.unwrap();
        let mut response = Response::builder().status(StatusCode::from_u16(reply.status().as_u16()).unwrap());
        for name in ["content-type", "content-encoding"] {
            if let Some(value) = reply.headers().get(name) {
                response = response.header(name, value);
            }
        }
        response.body(reply.bytes().await.unwrap().into()).unwrap()
    }
}
