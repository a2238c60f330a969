//! What does it cost to ask once for many? A cold page's way through the dispatcher, without the ERP's own time.
//!
//! Budget: a cold page of 48 lines spends at most 5 ms beyond the ERP's round trip, all told; here at most 1 % of that, and
//! a waiter who joins at most 1 µs a key.
//!
//! A page asks for price and stock of each line, in one step; what left lands, and the places of all waiters are filled.
//! The rival is a map of flights with a channel for every waiter of every key: no batches, no budget, nobody told apart by
//! how fresh an answer they need.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use comptoir::clock::{Clock, Mono, Reading, Stamp};
use comptoir::domain::{CustomerId, Sku};
use comptoir::erp::connector::{AskedLine, Capabilities, Connector as _, Header, KnownFacts};
use comptoir::erp::connectors::simulated::{SimulatedConnector, Simulator, SimulatorConfig};
use comptoir::erp::dispatch::machine::{Ended, Machine, Terms, Waiter};
use comptoir::erp::dispatch::{Account, Ask, Budget, Demand, Lane, Need, StockAsk, Want};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LINES: usize = 48;

fn coalescer(criterion: &mut Criterion) {
    let capabilities = SimulatedConnector::new(Simulator::new(SimulatorConfig::default(), Clock::system()));
    let capabilities = capabilities.capabilities();
    for (name, pages, lines) in
        [("cold page of 48", 1, LINES), ("20 pages of the same 48", 20, LINES), ("1,000 waiters on one key", 1_000, 1)]
    {
        let mut group = criterion.benchmark_group(name);
        // Callers bring keys of their own.
        let asks = || (0..pages).map(|_| page(lines)).collect::<Vec<_>>();
        group.bench_function("machine", |bencher| {
            bencher.iter_batched(asks, |asks| machine(capabilities, asks), BatchSize::SmallInput);
        });
        group.bench_function("rival: a channel per waiter", |bencher| {
            bencher.iter_batched(asks, rival, BatchSize::SmallInput);
        });
        group.finish();
    }
}

/// Who waits: a place of a page.
struct Place(usize, usize);

impl Waiter for Place {
    fn waits_at(&self, _: Mono) -> bool {
        std::hint::black_box(self.0 <= usize::MAX - self.1)
    }
}

/// The asks of one page: the price of each line, then the stock of each.
fn page(lines: usize) -> Vec<Ask> {
    let header = Arc::new(Header {
        customer: Some(CustomerId::new("C-00042").unwrap()),
        for_list: None,
        company: None,
        ship_to: None,
        contract: None,
        currency: "EUR".parse().unwrap(),
        price_date: jiff::civil::date(2026, 11, 22),
        facts: KnownFacts::given(Arc::default(), Reading::default()),
    });
    let skus: Vec<Sku> = (1..=lines).map(|number| Sku::new(&format!("SKU-{number:06}")).unwrap()).collect();
    let price = |sku: &Sku| Ask::Price(header.clone(), AskedLine { sku: sku.clone(), unit: None, quantity: None });
    let stock = |sku: &Sku| Ask::Stock(StockAsk { sku: sku.clone(), header: header.clone() });
    skus.iter().map(price).chain(skus.iter().map(stock)).collect()
}

/// Pages come, one call leaves, one lands. Gives back how many places were filled.
fn machine(capabilities: &Capabilities, pages: Vec<Vec<Ask>>) -> usize {
    let expected = pages.iter().map(Vec::len).sum::<usize>();
    let budget = Budget { concurrency: 1, ..Budget::default() };
    let mut machine = Machine::new(capabilities.clone(), &budget, Mono::default());
    let account = Account::Customer(CustomerId::new("C-00042").unwrap());
    let asked_by: Arc<str> = "bench".into();
    let mut departures = Vec::new();
    for (page, asks) in pages.into_iter().enumerate() {
        let now = Reading::default();
        let terms =
            Terms { lane: Lane::Detail, account: &account, deadline: Mono::FAR_FUTURE, asked_by: &asked_by, now };
        for (place, ask) in asks.into_iter().enumerate() {
            let want = Want { ask, demand: Demand::default(), need: Need::Awaited, with_price: false };
            machine.ask(&terms, want, Some(Place(page, place)));
        }
        departures.extend(machine.pump(Reading::default(), Stamp::default()));
    }
    assert_eq!(departures.len(), 1, "all join the first call");
    let landed = machine.land(departures[0].id, Ended::Answered, Mono(50_000));
    let filled = landed.iter().map(Vec::len).sum();
    assert_eq!(filled, expected);
    filled
}

fn rival(pages: Vec<Vec<Ask>>) -> usize {
    let mut flights: HashMap<Ask, Vec<oneshot::Sender<u64>>> = HashMap::new();
    let mut waiting = Vec::new();
    for ask in pages.into_iter().flatten() {
        let (sender, receiver) = oneshot::channel();
        flights.entry(ask).or_default().push(sender);
        waiting.push(receiver);
    }
    for (_, waiters) in flights.drain() {
        for waiter in waiters {
            waiter.send(1).unwrap();
        }
    }
    waiting.into_iter().filter_map(|mut waiter| waiter.try_recv().ok()).count()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = coalescer
}
criterion_main!(benches);
