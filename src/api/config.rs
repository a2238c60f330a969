//! Limits and patience of the wires.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Most lines in one request. Default 500.
    pub lines_max: usize,
    /// Most locations a request may name. Default 500.
    pub locations_max: usize,
    /// Longest request body. Bytes, default 1 MiB.
    pub body_bytes_max: usize,
    /// How much of a body that is too long is read and thrown away, so that an HTTP/1.1 client that is still sending gets to
    /// see the answer. Bytes, default 32 MiB.
    pub body_drain_bytes_max: usize,
    /// Longest wait for the whole of a request body. Default 10 s.
    pub body_read_timeout: Duration,
    /// When a caller that says nothing is answered with what is known. Default 2 s.
    pub timeout_default: Duration,
    /// The longest a caller may be willing to wait; more is clamped. Default 60 s.
    pub timeout_max: Duration,
    /// Most changes of stock in one request, and on their way unanswered in one stream. Default 10,000.
    pub changes_max: usize,
    /// Longest request of changes of stock. Bytes, default 8 MiB.
    pub changes_bytes_max: usize,
    /// Records of a stream that wait for a slow reader. Default 64.
    pub stream_queue_max: usize,
    /// Connections at a time; more wait to be accepted. Default 10,000.
    pub connections_max: usize,
    /// Calls at a time on one HTTP/2 connection. Default 200.
    pub streams_max: u32,
    /// Longest silence on an HTTP/1.1 connection between two requests, and longest wait for a request's head. Default 75 s.
    pub idle_timeout: Duration,
    /// How long calls in flight may take to finish when the gateway stops. Default 10 s.
    pub grace: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            lines_max: 500,
            locations_max: 500,
            body_bytes_max: 1 << 20,
            body_drain_bytes_max: 32 << 20,
            body_read_timeout: Duration::from_secs(10),
            timeout_default: Duration::from_secs(2),
            timeout_max: Duration::from_secs(60),
            changes_max: 10_000,
            changes_bytes_max: 8 << 20,
            stream_queue_max: 64,
            connections_max: 10_000,
            streams_max: 200,
            idle_timeout: Duration::from_secs(75),
            grace: Duration::from_secs(10),
        }
    }
}
