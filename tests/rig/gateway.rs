//! `comptoir serve` or `comptoir demo`, asked over HTTP and gRPC. Every HTTP answer goes past the peer.

use std::path::Path;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::answer::Answer;
use super::peer::{Grpc, Peer};
use super::process::Process;

pub struct Gateway {
    pub process: Process,
    /// gRPC and HTTP: `host:port`.
    pub address: String,
    pub admin: String,
    pub peer: Peer,
    client: reqwest::Client,
    /// Its configuration, and its data.
    folder: Option<TempDir>,
}

/// A client that hides nothing: no redirects, no decompression, no retries.
pub fn http_client() -> reqwest::Client {
    // The first one stays; there is only this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

impl Gateway {
    /// In front of the ERP at `url`, described by a preset of `examples/erp`; `more` is further configuration, as dotted keys.
    pub fn serve(preset: &str, url: &str, more: &str) -> Self {
        Self::serve_preset(&Self::preset(preset), url, more)
    }

    /// The text of a preset of `examples/erp`.
    pub fn preset(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/erp").join(name);
        std::fs::read_to_string(path).unwrap()
    }

    /// The same with the preset's text.
    pub fn serve_preset(preset: &str, url: &str, more: &str) -> Self {
        let folder = Self::configured(preset, url, more);
        let file = folder.path().join("gateway.toml");
        Self::new(Process::start(["serve".as_ref(), "--config".as_ref(), file.as_os_str()]), Some(folder))
    }

    /// One that is told when a file may not grow, instead of being ended: the limit is set later, with `prlimit`.
    pub fn serve_on_a_small_disk(preset: &str, url: &str, more: &str) -> Self {
        let folder = Self::configured(preset, url, more);
        let file = folder.path().join("gateway.toml");
        let arguments = ["serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        Self::new(Process::start_after("trap '' XFSZ", arguments), Some(folder))
    }

    fn configured(preset: &str, url: &str, more: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let config = format!(
            "server.listen = \"127.0.0.1:0\"\nserver.admin = \"127.0.0.1:0\"\nerp.preset = \"preset.toml\"\n\
             erp.url = \"{url}\"\nerp.time_zone = \"UTC\"\n{more}"
        );
        std::fs::write(folder.path().join("preset.toml"), preset).unwrap();
        std::fs::write(&file, config).unwrap();
        folder
    }

    /// Ends it as an operator does, or (`crash`) as a crash does, and starts it again as it was.
    pub fn restart(mut self, crash: bool) -> Self {
        if crash {
            self.process.kill();
        } else {
            self.process.interrupt();
            assert!(self.process.ended(super::LONG).success());
        }
        let folder = self.folder.take().expect("one that has a configuration");
        let file = folder.path().join("gateway.toml");
        Self::new(Process::start(["serve".as_ref(), "--config".as_ref(), file.as_os_str()]), Some(folder))
    }

    /// Its configuration file.
    pub fn config(&self) -> std::path::PathBuf {
        self.folder.as_ref().expect("one that has a configuration").path().join("gateway.toml")
    }

    pub fn simulated(erp_url: &str) -> Self {
        Self::serve("simulated.toml", erp_url, "")
    }

    /// `comptoir demo` on free ports.
    pub fn demo(more: &[&str]) -> Self {
        let free = "127.0.0.1:0";
        let ports = ["demo", "--listen", free, "--admin", free, "--erp-listen", free];
        Self::new(Process::start(ports.iter().chain(more)), None)
    }

    fn new(process: Process, folder: Option<TempDir>) -> Self {
        let (address, admin) = (process.address("gateway"), process.address("admin"));
        Self { process, address, admin, peer: Peer::start(), client: http_client(), folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends one request; fails unless the answer is canonical JSON of its message.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.client.request(method, self.url(path)).body(body);
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let message = match path {
            path if path.contains("/prices/") => "InvalidatePricesResponse",
            path if path.contains("/stock/changes") => "PushChangesResponse",
            path if path.contains("/stock/snapshots") => "PutSnapshotResponse",
            path if path.contains("/stock/levels") => "GetLevelsResponse",
            path if path.ends_with("/stock/sources:skip") => "StockSource",
            path if path.contains("/stock/sources") => "ListSourcesResponse",
            path if path.ends_with("explain") => "ExplainOfferResponse",
            _ => "GetOffersResponse",
        };
        self.judge_as(message, request.send().await.unwrap()).await
    }

    pub async fn judge(&self, response: reqwest::Response) -> Answer {
        self.judge_as("GetOffersResponse", response).await
    }

    async fn judge_as(&self, message: &str, response: reqwest::Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = String::from_utf8(response.bytes().await.unwrap().to_vec()).expect("UTF-8");
        let mut answer = Answer { status, headers, json: Value::Null };
        assert!(!answer.header("request-id").is_empty(), "{answer:?}");
        let records = match status {
            304 => {
                assert_eq!(body, "");
                return answer;
            }
            400.. => {
                assert_eq!(answer.header("content-type"), "application/problem+json");
                self.peer.read("Problem", &body);
                answer.json = serde_json::from_str(&body).unwrap();
                assert_eq!(answer.json["status"], status);
                assert_eq!(answer.json["requestId"], answer.header("request-id"));
                return answer;
            }
            _ if answer.header("content-type") == "application/json" => {
                self.peer.read(message, &body);
                answer.json = serde_json::from_str(&body).unwrap();
                return answer;
            }
            _ => body.lines(),
        };
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let read = |record: &str| -> Value {
            self.peer.read("StreamOffersResponse", record);
            serde_json::from_str(record).unwrap()
        };
        answer.json = records.map(read).collect();
        answer
    }

    pub async fn post(&self, request: Value) -> Answer {
        self.send(Method::POST, "/v1/offers", "application/json", request.to_string()).await
    }

    pub async fn explain(&self, request: Value) -> Answer {
        self.send(Method::POST, "/v1/offers:explain", "application/json", request.to_string()).await
    }

    pub async fn invalidate(&self, request: Value) -> Answer {
        self.send(Method::POST, "/v1/prices/invalidations", "application/json", request.to_string()).await
    }

    /// Changes of one source, as one JSON object.
    pub async fn push(&self, request: Value) -> Answer {
        self.send(Method::POST, "/v1/stock/changes", "application/json", request.to_string()).await
    }

    /// What is held of a SKU, row by row.
    pub async fn levels(&self, sku: &str) -> Vec<Value> {
        let answer = self.send(Method::GET, &format!("/v1/stock/levels?sku={sku}"), "", "").await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json["levels"].as_array().cloned().unwrap_or_default()
    }

    pub async fn get(&self, query: &str) -> Answer {
        self.send(Method::GET, &format!("/v1/offers?{query}"), "", "").await
    }

    /// The records of a streamed answer.
    pub async fn stream(&self, request: Value) -> Vec<Value> {
        let answer = self.send(Method::POST, "/v1/offers:stream", "application/json", request.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json.as_array().unwrap().clone()
    }

    /// The same over gRPC, by the Python client.
    pub fn grpc(&self, method: &str, request: &Value) -> Grpc {
        self.peer.call(&self.address, method, request, "120")
    }

    /// The offers of one GetOffers over gRPC.
    pub fn grpc_offers(&self, request: &Value) -> Vec<Value> {
        let answer = self.grpc("GetOffers", request);
        assert_eq!(answer.code, "OK", "{answer:?}");
        answer.responses[0]["offers"].as_array().unwrap().clone()
    }

    /// One line for this customer, now.
    pub async fn one(&self, customer: &str, sku: &str) -> Value {
        self.post(json!({ "customer": customer, "lines": [{ "sku": sku }] })).await.offers()[0].clone()
    }

    /// Fails unless it answers an ordinary question.
    pub async fn still_answers(&self) {
        let offer = self.one("C-00042", "BOLT-8").await;
        assert_eq!(offer["price"]["netPrice"], "23.40", "{offer}");
    }

    /// A page of the operator's.
    pub async fn admin_page(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("http://{}{path}", self.admin)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}
