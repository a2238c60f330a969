//! Logs to standard error and metrics for the operator's port.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// The rows' engine tells of every file it makes.
const DEFAULT_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// Starts logging. `COMPTOIR_LOG` sets what is logged (default `info`), in the syntax of tracing's filters;
/// `COMPTOIR_LOG_FORMAT=json` writes one JSON object a line.
pub fn start_logging() {
    let filter = EnvFilter::try_from_env("COMPTOIR_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that cannot be written, its disk full, would be said on the log, and that failing is a panic.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start (tests) keeps the first.
    let _ = match std::env::var("COMPTOIR_LOG_FORMAT").as_deref() {
        Ok("json") => subscriber.json().try_init(),
        _ => subscriber.try_init(),
    };
}

/// Seconds: a hit takes microseconds, an ERP call up to its hard limit.
const BUCKETS: [f64; 16] =
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Collects metrics from here on. Its `run_upkeep` must be called now and then, or histograms grow.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)?
        .install_recorder()?)
}
