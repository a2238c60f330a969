//! `comptoir demo`: a simulated ERP, a gateway in front of it, and a little storefront traffic. Nothing to configure.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::config::{ADMIN, LISTEN};
use crate::app::{Config, Gateway};
use crate::clock::Clock;
use crate::erp::connectors::simulated::{Behaviour, CatalogueConfig, Simulator, SimulatorConfig};
use crate::sim;
use crate::stock::StockConfig;

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Where the gateway answers gRPC and HTTP.
    #[arg(long, default_value = LISTEN, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are.
    #[arg(long, default_value = ADMIN, value_name = "ADDRESS")]
    pub admin: SocketAddr,
    /// Where the simulated ERP listens.
    #[arg(long, default_value = "127.0.0.1:7080", value_name = "ADDRESS")]
    pub erp_listen: SocketAddr,
    /// Send no traffic of its own.
    #[arg(long)]
    pub no_traffic: bool,
    /// Keep the demo's data here: what survives a restart, and its addresses, in `addresses.toml`. Default: a folder that goes with the demo.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// The preset the demo's gateway reaches its ERP with, so that the demo needs no files.
const PRESET: &str = include_str!("../../examples/erp/simulated.toml");

const LINE_EVERY: Duration = Duration::from_secs(2);

pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let end = super::end_signal()?;
    let stop = CancellationToken::new();
    let clock = Clock::system();

    let config = SimulatorConfig { catalogue: CatalogueConfig::default(), behaviour: Behaviour::demo() };
    let erp = Simulator::new(config, clock);
    let erp_listener =
        TcpListener::bind(args.erp_listen).await.with_context(|| format!("cannot listen on {}", args.erp_listen))?;
    let erp_address = erp_listener.local_addr()?;
    let serving_erp = tokio::spawn(sim::serve(erp.clone(), erp_listener, stop.clone().cancelled_owned()));

    let data = DataFolder::open(args.data)?;
    let mut config = Config::for_demo(PRESET, &format!("http://{erp_address}"), args.listen, args.admin)?;
    config.data = Some(data.path.clone());
    config.stock = Some(StockConfig { any_source: true, ..StockConfig::default() });
    let gateway = Gateway::start(config).await?;
    let addresses = format!(
        "gateway = \"http://{}\"\nadmin = \"http://{}\"\nerp = \"http://{erp_address}\"\n",
        gateway.listen, gateway.admin
    );
    std::fs::write(data.path.join("addresses.toml"), addresses)
        .with_context(|| format!("cannot write into {}", data.path.display()))?;

    println!("ready gateway=http://{} admin=http://{} erp=http://{erp_address}", gateway.listen, gateway.admin);
    println!("{}", hints(gateway.listen, gateway.admin, erp_address));

    let latencies = Arc::new(Mutex::new(Vec::new()));
    if !args.no_traffic {
        tokio::spawn(traffic(gateway.listen, clock, latencies.clone(), stop.clone()));
    }
    tokio::spawn(summary(gateway.service.clone(), erp, latencies, stop.clone()));

    let failed = tokio::select! {
        () = end => None,
        error = gateway.broken() => Some(error),
    };
    println!("\nstopping");
    let stopped = gateway.stop().await;
    stop.cancel();
    serving_erp.await?.context("the simulated ERP failed")?;
    failed.map_or(stopped, Err)
}

/// One change, as any source may push it here.
const PUSH: &str = r#"{"source": "me", "changes": [{"sequence": "1", "kind": "SET", "sku": "BOLT-8", "location": "PARIS", "measure": "ON_HAND", "quantity": "7"}]}"#;

fn hints(gateway: SocketAddr, admin: SocketAddr, erp: SocketAddr) -> String {
    format!(
        "\
Try, in another terminal:
  curl -s 'http://{gateway}/v1/offers?customer=C-00042&sku=BOLT-8&quantity=3&unit=BOX'
  curl -s 'http://{gateway}/v1/stock/changes' -H 'content-type: application/json' -d '{PUSH}'     # and ask again: 7 in PARIS
  curl -s -X POST 'http://{erp}/sim/faults' -d '{{\"down\": true}}'     # the ERP goes away; {{}} brings it back
  curl -s 'http://{admin}/metrics' | grep comptoir_
Ctrl-C ends it."
    )
}

/// The demo's folder; a temporary one is removed with it.
struct DataFolder {
    path: PathBuf,
    temporary: bool,
}

impl DataFolder {
    fn open(wanted: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = wanted.is_none();
        let path = wanted.unwrap_or_else(|| std::env::temp_dir().join(format!("comptoir-demo-{}", std::process::id())));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, temporary })
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary {
            // Should it stay, it is a small file in the system's folder for such.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// One line that is written over every two seconds.
async fn summary(
    service: Arc<crate::offer::OfferService>,
    erp: Arc<Simulator>,
    latencies: Arc<Mutex<Vec<Duration>>>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(LINE_EVERY)).await.is_some() {
        let totals = service.totals();
        let calls = erp.stats().calls;
        let hits = (totals.facts_held * 100).checked_div(totals.facts).unwrap_or(0);
        let mut recent = std::mem::take(&mut *latencies.lock());
        recent.sort_unstable();
        let p99 = recent.get((recent.len() * 99 / 100).min(recent.len().saturating_sub(1)));
        let p99 = p99.map_or("-".into(), |p99| format!("{p99:.1?}"));
        print!("\r{} requests, {hits}% of facts from memory, {calls} ERP calls, p99 {p99}      ", totals.pages);
        // A terminal that is gone ends the line, not the demo.
        let _ = std::io::stdout().flush();
    }
}

/// A few list pages a second, popular articles and customers more often than others.
async fn traffic(gateway: SocketAddr, clock: Clock, latencies: Arc<Mutex<Vec<Duration>>>, stop: CancellationToken) {
    const PAGE_EVERY: Duration = Duration::from_millis(200);
    let client = reqwest::Client::builder().no_proxy().build();
    let Ok(client) = client else { return };
    let mut dice = Dice(0x5eed);
    while stop.run_until_cancelled(tokio::time::sleep(PAGE_EVERY)).await.is_some() {
        let customer = 1 + dice.skewed(40);
        // Pages of a catalogue: neighbours together.
        let page = dice.skewed(60) * 24;
        let lines: Vec<String> = (1..=24).map(|n| format!("{{\"sku\":\"SKU-{:06}\"}}", page + n)).collect();
        let body = format!("{{\"customer\":\"C-{customer:05}\",\"purpose\":\"LIST\",\"lines\":[{}]}}", lines.join(","));
        let start = clock.mono();
        let request = client
            .post(format!("http://{gateway}/v1/offers"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body);
        let Ok(answer) = request.send().await else { continue };
        if answer.bytes().await.is_ok() {
            latencies.lock().push(clock.mono().since(start));
        }
    }
}

/// Repeatable pseudo-random numbers (Marsaglia's xorshift64).
struct Dice(u64);

impl Dice {
    /// 0 to `below` - 1, small numbers more often: the smaller of two throws.
    fn skewed(&mut self, below: u64) -> u64 {
        self.throw(below).min(self.throw(below))
    }

    fn throw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
