//! What the wires count. Handles are made once: nothing is looked up while answering.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Grpc,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, whatever the lines' fate.
    Ok,
    /// The request's fault.
    Refused,
    /// Ours.
    Failed,
}

pub struct ApiMetrics {
    grpc: WireMetrics,
    http: WireMetrics,
}

struct WireMetrics {
    ok: Counter,
    refused: Counter,
    failed: Counter,
    duration: Histogram,
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self { grpc: WireMetrics::new("grpc"), http: WireMetrics::new("http") }
    }
}

impl WireMetrics {
    fn new(wire: &'static str) -> Self {
        let requests =
            |outcome: &'static str| counter!("comptoir_api_requests_total", "wire" => wire, "outcome" => outcome);
        Self {
            ok: requests("ok"),
            refused: requests("refused"),
            failed: requests("failed"),
            duration: histogram!("comptoir_api_request_duration_seconds", "wire" => wire),
        }
    }
}

impl ApiMetrics {
    pub fn record(&self, wire: Wire, outcome: Outcome, duration: Duration) {
        let metrics = match wire {
            Wire::Grpc => &self.grpc,
            Wire::Http => &self.http,
        };
        match outcome {
            Outcome::Ok => &metrics.ok,
            Outcome::Refused => &metrics.refused,
            Outcome::Failed => &metrics.failed,
        }
        .increment(1);
        metrics.duration.record(duration);
    }
}
