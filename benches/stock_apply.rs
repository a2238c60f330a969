//! How many changes a second are durable, visible and acknowledged, and what is a sync of this disk?
//!
//! Budget: 1.5 times what a `redis-server --appendfsync always` takes on the same machine in the same run (benches/peers); here
//! is only our side of it, in process: what the wires cost is not in it. Compared with a naive writer: one sync for each request. Run: `cargo bench --bench stock_apply`.

use std::time::{Duration, Instant};

use comptoir::clock::Clock;
use comptoir::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use comptoir::domain::ids::SourceId;
use comptoir::domain::{LocationId, Sku};
use comptoir::journal::GroupJournal;
use comptoir::stock::ledger::Storage;
use comptoir::stock::{Ledger, Request, StockConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AT_ONCE: u64 = 256;
const SKUS: u64 = 100_000;
const TIME: Duration = Duration::from_secs(5);

/// A stream of requests of one source, made before they are needed.
fn requests(source: SourceId, size: u64, skus: Vec<Sku>) -> impl Iterator<Item = Request> {
    let location = LocationId::new("PARIS").expect("a name");
    (0..).map(move |request| {
        let changes = (request * size + 1..=(request + 1) * size).map(|number| {
            // A stride that goes round all of them in no order of theirs.
            let sku = skus[(number * 7919 % skus.len() as u64) as usize].clone();
            let key = RowKey { sku, location: location.clone(), measure: Measure::OnHand, row: RowId::default() };
            let quantity = (number % 1000).to_string().parse().expect("a quantity");
            let movement = Movement { kind: ChangeKind::Set, key, quantity, expected_on: None, expires_at: None };
            Change {
                sequence: Some(number),
                after: None,
                event_id: None,
                effective_at: None,
                movement: Ok(movement),
                hash: number,
            }
        });
        Request { source: source.clone(), epoch: Epoch::default(), changes: changes.collect(), heartbeat: None }
    })
}

struct Shape {
    name: &'static str,
    pushers: usize,
    size: u64,
    /// Requests of a pusher that wait for their answers.
    open: usize,
}

const SHAPES: &[Shape] = &[
    Shape { name: "one stream, 256 a request, 64 open", pushers: 1, size: AT_ONCE, open: 64 },
    Shape { name: "one caller, 256 a request", pushers: 1, size: AT_ONCE, open: 1 },
    Shape { name: "64 callers on 64 sources, 1 a request", pushers: 64, size: 1, open: 1 },
];

fn main() {
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_FOLDER").unwrap_or_else(|| "target".into()))
        .expect("a folder on the disk that is measured");
    disk(folder.path());
    let skus: Vec<Sku> = (0..SKUS).map(|n| Sku::new(&format!("BOLT-{n:06}")).expect("a name")).collect();
    for (number, shape) in SHAPES.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
        let (changes, took, mut waits) = runtime.block_on(push(shape, &path, &skus));
        waits.sort_unstable();
        let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
        let rate = u128::from(changes) * 1_000_000 / took.as_micros().max(1);
        println!("{}: {rate} changes/s; an answer after {:?} (p50), {:?} (p99)", shape.name, at(50), at(99));
        let begun = Instant::now();
        let ledger = open(&path);
        println!("  open again with {} levels: {:?}", ledger.levels().len(), begun.elapsed());
    }
}

fn open(path: &std::path::Path) -> Ledger {
    let config = StockConfig { any_source: true, ..StockConfig::default() };
    Ledger::open(config, path, Clock::system(), Storage::default()).expect("it opens")
}

/// Syncs alone, of what a request of 256 changes writes: what no writer of one request at a time can beat.
fn disk(folder: &std::path::Path) {
    let path = folder.join("disk");
    std::fs::create_dir(&path).expect("a folder");
    let mut journal = GroupJournal::open(&path, None, |_, _| Ok(())).expect("it opens");
    let record = vec![7; 256 * 80];
    let mut syncs: Vec<Duration> = (0..500)
        .map(|_| {
            let begun = Instant::now();
            journal.put(&record).and_then(|()| journal.commit()).expect("it is written");
            begun.elapsed()
        })
        .collect();
    let rate = u128::from(AT_ONCE) * 500 * 1_000_000 / syncs.iter().sum::<Duration>().as_micros().max(1);
    syncs.sort_unstable();
    let (p50, p99) = (syncs[250], syncs[495]);
    println!("the disk: a write of 20 kB with its sync takes {p50:?} (p50), {p99:?} (p99); naive: {rate} changes/s");
}

async fn push(shape: &Shape, path: &std::path::Path, skus: &[Sku]) -> (u64, Duration, Vec<Duration>) {
    let ledger = open(path);
    let begun = Instant::now();
    let pushers: Vec<_> = (0..shape.pushers)
        .map(|number| {
            let (ledger, skus) = (ledger.clone(), skus.to_vec());
            let (size, open) = (shape.size, shape.open);
            tokio::spawn(async move {
                let source = SourceId::new(&format!("source {number}")).expect("a name");
                let mut requests = requests(source, size, skus);
                let mut waiting = std::collections::VecDeque::new();
                let mut waits = Vec::new();
                let mut changes = 0;
                while begun.elapsed() < TIME || !waiting.is_empty() {
                    if begun.elapsed() < TIME && waiting.len() < open {
                        let request = requests.next().expect("there are always more");
                        let ledger = ledger.clone();
                        let sent = Instant::now();
                        let answer = tokio::spawn(async move { ledger.push(request).await });
                        waiting.push_back((sent, answer));
                        // In order: the writer's queue is filled by whoever is polled first.
                        tokio::task::yield_now().await;
                        continue;
                    }
                    let Some((sent, answer)) = waiting.pop_front() else { break };
                    changes += answer.await.expect("it runs").expect("it is taken").applied;
                    waits.push(sent.elapsed());
                }
                (changes, waits)
            })
        })
        .collect();
    let (mut changes, mut waits) = (0, Vec::new());
    for pusher in pushers {
        let (some, times) = pusher.await.expect("it runs");
        changes += some;
        waits.extend(times);
    }
    let took = begun.elapsed();
    tokio::task::spawn_blocking(move || ledger.close()).await.expect("it ends");
    (changes, took, waits)
}
