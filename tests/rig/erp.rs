//! `comptoir erp`, and its controls.

use serde_json::{Value, json};

use super::gateway::http_client;
use super::process::Process;

pub struct Erp {
    pub process: Process,
    pub address: String,
    client: reqwest::Client,
}

impl Erp {
    /// On a free port: 20 ms a call, four at a time.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    pub fn start_at(address: &str) -> Self {
        let costs = ["--latency", "20ms", "--per-line", "0ms", "--concurrency", "4"];
        let process = Process::start(["erp", "--listen", address].into_iter().chain(costs));
        let address = process.address("erp");
        Self { process, address, client: http_client() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn sim(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let request = self.client.request(method, format!("{}/sim/{path}", self.url()));
        let response = request.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub async fn stats(&self) -> Value {
        self.sim(reqwest::Method::GET, "stats", None).await
    }

    pub async fn reset_stats(&self) {
        self.sim(reqwest::Method::POST, "stats/reset", None).await;
    }

    pub async fn calls(&self) -> u64 {
        self.stats().await["calls"].as_u64().unwrap()
    }

    pub async fn faults(&self, faults: Value) {
        self.sim(reqwest::Method::POST, "faults", Some(faults)).await;
    }

    pub async fn no_faults(&self) {
        self.faults(json!({})).await;
    }

    /// What a gateway should answer for this SKU, in the unit it is sold in.
    pub async fn truth(&self, customer: &str, sku: &str, quantity: &str) -> Value {
        let path = format!("truth?customer={customer}&sku={sku}&quantity={quantity}");
        self.sim(reqwest::Method::GET, &path, None).await
    }
}
