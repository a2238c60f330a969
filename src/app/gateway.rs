//! One running gateway: built from its configuration, started on its two ports, drained on the way out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::Config;
use super::telemetry;
use crate::api::{self, Admin, Api};
use crate::clock::Clock;
use crate::erp::connectors::rest::RestConnector;
use crate::offer::OfferService;

pub struct Gateway {
    /// Where both wires are answered.
    pub listen: SocketAddr,
    /// Where the operator is.
    pub admin: SocketAddr,
    pub service: Arc<OfferService>,
    ready: Arc<AtomicBool>,
    stop: CancellationToken,
    tasks: TaskTracker,
    grace: Duration,
}

/// How often histograms are tidied and gauges set.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

impl Gateway {
    /// Ready when it returns. An ERP that is down keeps no gateway from starting.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let metrics = telemetry::start_metrics().context("metrics")?;
        let clock = Clock::system();
        let connector = RestConnector::new(config.erp).context("erp")?;
        let service =
            OfferService::new(Arc::new(connector), config.offer, &config.cache, config.budget, config.calendar, clock);
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        };
        let (listener, admin_listener) = (bind(config.listen).await?, bind(config.admin).await?);
        let (listen, admin) = (listener.local_addr()?, admin_listener.local_addr()?);
        let (stop, tasks, ready) = (CancellationToken::new(), TaskTracker::new(), Arc::new(AtomicBool::new(true)));

        let grace = config.api.grace;
        let api = Arc::new(Api::new(service.clone(), config.api, clock));
        tasks.spawn(api::serve(api, listener, stop.clone().cancelled_owned()));
        let render = metrics.clone();
        let pages = Admin::new(ready.clone(), move || render.render());
        tasks.spawn(api::serve_admin(pages, admin_listener, stop.clone().cancelled_owned()));
        let ahead = service.ask_ahead();
        let stopped = stop.clone();
        tasks.spawn(async move {
            stopped.run_until_cancelled(ahead).await;
        });
        tasks.spawn(upkeep(service.clone(), metrics, stop.clone()));
        Ok(Self { listen, admin, service, ready, stop, tasks, grace })
    }

    /// Takes no more requests and finishes those in flight, within the grace period.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.ready.store(false, Ordering::Release);
        self.stop.cancel();
        self.tasks.close();
        // The servers keep to the grace period themselves; this is the end of all patience.
        let patience = self.grace + Duration::from_secs(5);
        tokio::time::timeout(patience, self.tasks.wait()).await.context("some requests did not finish in time")
    }
}

/// Keeps histograms small and gauges true.
async fn upkeep(
    service: Arc<OfferService>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    stop: CancellationToken,
) {
    let gauges = [
        "comptoir_cache_books",
        "comptoir_cache_price_bytes",
        "comptoir_cache_stock_bytes",
        "comptoir_cache_stock_rows",
    ]
    .map(|name| metrics::gauge!(name));
    while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        metrics.run_upkeep();
        let usage = service.knowledge().memory.usage();
        service.set_erp_gauges();
        let values = [usage.books, usage.price_bytes, usage.stock_bytes, usage.stock_rows];
        for (gauge, value) in gauges.iter().zip(values) {
            gauge.set(value as f64);
        }
    }
}
