//! One running gateway: built from its configuration, started on its two ports, drained on the way out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tokio::task;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::Config;
use super::data::DataFolder;
use super::{ledger, telemetry};
use crate::api::{self, Admin, Api};
use crate::clock::Clock;
use crate::erp::connectors::rest::RestConnector;
use crate::offer::{OfferService, Store};
use crate::stock::Ledger;

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
    data: Option<DataFolder>,
    /// What sources pushed, where that is configured.
    pub ledger: Option<Ledger>,
}

/// How often histograms are tidied and gauges set.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

impl Gateway {
    /// Ready when it returns. An ERP that is down keeps no gateway from starting.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let metrics = telemetry::start_metrics().context("metrics")?;
        // Rather than a feed that says nothing: whoever configured one would wait for it.
        ensure!(
            config.channels.is_empty(),
            "[[channels]]: they are checked, and not served yet: take them out to start"
        );
        let clock = Clock::system();
        let connector = RestConnector::new(config.erp).context("erp")?;
        let data = config.data.as_deref().map(DataFolder::open).transpose().context("server.data")?;
        let mut budget = config.budget;
        let (connector, offer, cache) = (Arc::new(connector), config.offer, &config.cache);
        let service = match &data {
            None => {
                tracing::warn!(
                    "there is no server.data: hot prices do not survive a restart, and announced changes are refused"
                );
                OfferService::new(connector, offer, cache, budget, config.calendar, clock)
            }
            Some(data) => {
                budget.unclean_start |= data.unclean;
                let store = Store::open(&data.path, config.fingerprint).context("server.data")?;
                OfferService::with_store(connector, offer, cache, budget, config.calendar, clock, store)
            }
        };
        let ledger = ledger::open(config.stock, config.stock_storage, data.as_ref(), clock).await?;
        if let Some(ledger) = &ledger {
            service.use_ledger(Arc::new(ledger.clone()));
        }
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        };
        let (listener, admin_listener) = (bind(config.listen).await?, bind(config.admin).await?);
        let (listen, admin) = (listener.local_addr()?, admin_listener.local_addr()?);
        let (stop, tasks, ready) = (CancellationToken::new(), TaskTracker::new(), Arc::new(AtomicBool::new(true)));

        let grace = config.api.grace;
        let mut api = Api::new(service.clone(), config.api, clock);
        if let Some(ledger) = &ledger {
            api = api.with_stock(Arc::new(ledger.clone()));
            tasks.spawn(ledger::tick(ledger.clone(), stop.clone()));
        }
        let api = Arc::new(api);
        tasks.spawn(api::serve(api, listener, stop.clone().cancelled_owned()));
        let render = metrics.clone();
        let mut pages = Admin::new(ready.clone(), move || render.render());
        if let Some(ledger) = ledger.clone() {
            pages = pages.with_detail(move || ledger::detail(&ledger, clock.read().wall));
        }
        tasks.spawn(api::serve_admin(pages, admin_listener, stop.clone().cancelled_owned()));
        let ahead = service.ask_ahead();
        let stopped = stop.clone();
        tasks.spawn(async move {
            stopped.run_until_cancelled(ahead).await;
        });
        let (timed, until) = (service.clone(), stop.clone());
        tasks.spawn(async move {
            until.run_until_cancelled(timed.invalidator().keep_time()).await;
        });
        if data.is_some() {
            tasks.spawn(save_now_and_then(service.clone(), stop.clone()));
        }
        tasks.spawn(upkeep(service.clone(), ledger.clone(), metrics, stop.clone()));
        Ok(Self { listen, admin, service, ready, stop, tasks, grace, data, ledger })
    }

    /// Returns where it cannot go on, and why: it is to be stopped, and the process to end with a failure. Not ready any more.
    pub async fn broken(&self) -> anyhow::Error {
        let Some(ledger) = &self.ledger else { return std::future::pending().await };
        ledger::watch(|| ledger.intaking(), &self.ready).await;
        anyhow::anyhow!("the stock ledger's writer panicked; what was acknowledged is kept, and is there after a start")
    }

    /// Takes no more requests and finishes those in flight, within the grace period.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.ready.store(false, Ordering::Release);
        self.stop.cancel();
        self.tasks.close();
        // The servers keep to the grace period themselves; this is the end of all patience.
        let patience = self.grace + Duration::from_secs(5);
        let finished =
            tokio::time::timeout(patience, self.tasks.wait()).await.context("some requests did not finish in time");
        if let Some(ledger) = self.ledger {
            ledger::close(ledger).await?;
        }
        let Some(data) = self.data else { return finished };
        // Whatever became of the requests: the next process starts with what this one knows.
        save(self.service.clone()).await.context("hot figures could not be saved")?;
        finished?;
        // Calls the ERP still works on would not be known to the next process.
        if !self.service.leave_the_erp().await {
            tracing::warn!("the ERP still works on our calls: the next start is careful");
            return Ok(());
        }
        data.close()
    }
}

/// How often hot figures are saved.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// From this length on the journal of invalidations is a reason to save sooner. Bytes.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

async fn save_now_and_then(service: Arc<OfferService>, stop: CancellationToken) {
    let mut saved = service.clock().mono();
    while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        let now = service.clock().mono();
        if now.since(saved) < SAVE_EVERY && service.journal_bytes() < JOURNAL_BYTES_MAX {
            continue;
        }
        saved = now;
        if let Err(error) = save(service.clone()).await {
            tracing::error!(%error, "hot figures could not be saved");
        }
    }
}

async fn save(service: Arc<OfferService>) -> anyhow::Result<()> {
    let counts = task::spawn_blocking(move || service.save()).await??;
    tracing::info!(?counts, "hot figures saved");
    Ok(())
}

/// Keeps histograms small and gauges true.
async fn upkeep(
    service: Arc<OfferService>,
    ledger: Option<Ledger>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    stop: CancellationToken,
) {
    let gauges = [
        "comptoir_cache_books",
        "comptoir_cache_price_bytes",
        "comptoir_cache_stock_bytes",
        "comptoir_cache_stock_rows",
        "comptoir_invalidations_waiting",
    ]
    .map(|name| metrics::gauge!(name));
    while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        metrics.run_upkeep();
        let usage = service.knowledge().memory.usage();
        service.set_erp_gauges();
        if let Some(ledger) = &ledger {
            ledger::set_gauges(ledger, service.clock().read().wall);
        }
        let waiting = service.invalidator().waiting() as u64;
        let values = [usage.books, usage.price_bytes, usage.stock_bytes, usage.stock_rows, waiting];
        for (gauge, value) in gauges.iter().zip(values) {
            gauge.set(value as f64);
        }
    }
}
