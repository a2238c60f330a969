//! How long does a page wait while stock is pushed as fast as it is taken?
//!
//! Budget: no longer than beside anything else that takes the processor: readers wait for no disk and no round, only for the
//! memory writes of one request. So the same pages are timed alone, beside full intake (256 changes a request, 64 requests
//! open, each durable), and beside neutral burners: threads that only count. Run: `cargo bench --bench stock_reads`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use comptoir::cache::CacheConfig;
use comptoir::clock::Clock;
use comptoir::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use comptoir::domain::ids::SourceId;
use comptoir::domain::{CustomerId, LocationId, Purpose, Sku};
use comptoir::erp::connectors::simulated::{
    Behaviour, CatalogueConfig, SimulatedConnector, SimulatedOptions, Simulator, SimulatorConfig,
};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::config::{Ages, Patience};
use comptoir::offer::{Calendar, LineQuery, OfferConfig, OfferQuery, OfferService, Parts};
use comptoir::stock::ledger::Storage;
use comptoir::stock::{Ledger, Request, SourceConfig, StockConfig};
use futures_util::FutureExt as _;
use jiff::tz::TimeZone;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SKUS: u64 = 20_000;
const PAGE: u64 = 48;
const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 2;
const AT_ONCE: u64 = 256;
const OPEN: usize = 64;

fn main() {
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_FOLDER").unwrap_or_else(|| "target".into()))
        .expect("a folder on the disk that is measured");
    let clock = Clock::system();
    let wms = SourceId::new("wms").expect("a name");
    let config = StockConfig { sources: vec![SourceConfig::named(wms.clone())], ..StockConfig::default() };
    let ledger = Ledger::open(config, folder.path(), clock, Storage::default()).expect("it opens");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let _context = runtime.enter();
    let service = runtime.block_on(warm(clock, &ledger));
    let pushed = Arc::new(AtomicU64::new(0));
    let pusher = Pusher { ledger: ledger.clone(), wms, next: Arc::new(AtomicU64::new(1)), pushed: pushed.clone() };
    runtime.block_on(pusher.push(Until::All));
    for _ in 0..ROUNDS {
        report("alone", read(&service, clock));
        let stop = Arc::new(AtomicBool::new(false));
        let (before, begun) = (pushed.load(Ordering::Relaxed), Instant::now());
        let pushing = runtime.spawn({
            let (pusher, stop) = (pusher.clone(), stop.clone());
            async move { pusher.push(Until::Stopped(stop)).await }
        });
        report("beside full intake", read(&service, clock));
        let rate = u128::from(pushed.load(Ordering::Relaxed) - before) * 1000 / begun.elapsed().as_millis().max(1);
        stop.store(true, Ordering::Relaxed);
        runtime.block_on(pushing).expect("it runs");
        println!("  meanwhile {rate} changes/s were durable");
        for (number, name) in ["beside a burner", "beside two burners"].into_iter().enumerate() {
            let stop = Arc::new(AtomicBool::new(false));
            let burners: Vec<_> = (0..=number).map(|_| burner(stop.clone())).collect();
            report(name, read(&service, clock));
            stop.store(true, Ordering::Relaxed);
            burners.into_iter().for_each(|burner| burner.join().expect("it runs"));
        }
    }
    ledger.close();
}

/// Intake keeps two threads busy at least: whoever pushes, and the writer.
fn burner(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut count = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            count = std::hint::black_box(count.wrapping_mul(31).wrapping_add(1));
        }
    })
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000];
    println!("{name}: {} pages of {PAGE}; p50 {:?}, p99 {:?}, p99.9 {:?}", times.len(), at(500), at(990), at(999));
}

fn read(service: &Arc<OfferService>, clock: Clock) -> Vec<Duration> {
    let (begun, mut times, mut first) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < TIME {
        first = (first + 7919) % (SKUS - PAGE);
        let query = query(clock, first..first + PAGE);
        let asked = Instant::now();
        let answer = service.answer(query).now_or_never().expect("a hit").expect("an answer");
        times.push(asked.elapsed());
        assert_eq!(answer.lines.len() as u64, PAGE);
    }
    times
}

async fn warm(clock: Clock, ledger: &Ledger) -> Arc<OfferService> {
    let behaviour = Behaviour::fixed(Duration::ZERO, 4);
    let erp = Simulator::new(SimulatorConfig { catalogue: CatalogueConfig::default(), behaviour }, clock);
    let options = SimulatedOptions { max_items: 500, ..SimulatedOptions::default() };
    let connector = Arc::new(SimulatedConnector::with(erp, options));
    // Nothing is asked again while it is measured.
    let max_age = Duration::from_secs(4 * 3600);
    let ages = Ages { max_age, stale_while_revalidate: Duration::ZERO, stale_if_error: Duration::ZERO };
    let mut config = OfferConfig { customers: ages, ..OfferConfig::default() };
    let no = &mut config.no;
    for no in [&mut no.unknown_sku, &mut no.no_price, &mut no.not_for_sale, &mut no.unknown_unit] {
        *no = max_age;
    }
    *config.patience_mut(Purpose::List) = Patience { price: ages, stock: ages };
    let calendar = Calendar(TimeZone::UTC);
    let service = OfferService::new(connector, config, &CacheConfig::default(), Budget::default(), calendar, clock);
    service.use_ledger(Arc::new(ledger.clone()));
    for first in (0..SKUS).step_by(500) {
        service.answer(query(clock, first..first + 500)).await.expect("an answer");
    }
    service
}

fn sku(number: u64) -> String {
    format!("SKU-{:06}", number + 1)
}

fn query(clock: Clock, skus: std::ops::Range<u64>) -> OfferQuery {
    let arrival = clock.read();
    OfferQuery {
        customer: Some(CustomerId::new("C-00042").expect("a name")),
        company: None,
        ship_to: None,
        contract: None,
        currency: None,
        visitor: None,
        price_date: None,
        purpose: Purpose::List,
        max_age: None,
        stale_if_error: None,
        parts: Parts::BOTH,
        locations: Vec::new(),
        lines: skus.map(|number| LineQuery::new(sku(number), None, None, None)).collect(),
        request_id: "bench".into(),
        arrival,
        deadline: arrival.mono.plus(Duration::from_secs(30)),
    }
}

enum Until {
    /// Every SKU has a figure.
    All,
    Stopped(Arc<AtomicBool>),
}

#[derive(Clone)]
struct Pusher {
    ledger: Ledger,
    wms: SourceId,
    next: Arc<AtomicU64>,
    pushed: Arc<AtomicU64>,
}

impl Pusher {
    async fn push(&self, until: Until) {
        let location = LocationId::new("PARIS").expect("a name");
        let mut waiting = std::collections::VecDeque::new();
        loop {
            let is_over = match &until {
                Until::All => self.next.load(Ordering::Relaxed) > SKUS,
                Until::Stopped(stop) => stop.load(Ordering::Relaxed),
            };
            if !is_over && waiting.len() < OPEN {
                let first = self.next.fetch_add(AT_ONCE, Ordering::Relaxed);
                let changes = (first..first + AT_ONCE).map(|number| {
                    let sku = Sku::new(&sku(number % SKUS)).expect("a name");
                    let key =
                        RowKey { sku, location: location.clone(), measure: Measure::OnHand, row: RowId::default() };
                    let quantity = (number % 997).to_string().parse().expect("a quantity");
                    let movement =
                        Movement { kind: ChangeKind::Set, key, quantity, expected_on: None, expires_at: None };
                    let (after, event_id, effective_at) = (None, None, None);
                    Change {
                        sequence: Some(number),
                        after,
                        event_id,
                        effective_at,
                        movement: Ok(movement),
                        hash: number,
                    }
                });
                let changes = changes.collect();
                let request = Request { source: self.wms.clone(), epoch: Epoch::default(), changes, heartbeat: None };
                waiting.push_back(self.ledger.push(request));
                continue;
            }
            let Some(answer) = waiting.pop_front() else { return };
            let answer = answer.await.expect("it is taken");
            self.pushed.fetch_add(answer.applied, Ordering::Relaxed);
        }
    }
}
