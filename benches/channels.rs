//! What does a channel cost: from an acknowledged change to a reader's hands, for each row in memory, in a snapshot, and for a
//! reader who stalls while everything changes?
//!
//! Budget: a change is a sync of the disk and little else away from whoever waits for it; a snapshot takes no memory that grows
//! with its rows, at 1,000,000 rows/s before any encoding; a stalled reader takes none at all, and gets each row once. In
//! process: what the wires cost is not in it. Compared with the disk's own sync, measured beside it. Run:
//! `cargo bench --bench channels`; `BENCH_ROWS` is how many SKUs there are.

use std::time::{Duration, Instant};

use comptoir::channel::page::{Cursor, From};
use comptoir::channel::{ChannelConfig, ChannelState, Channels};
use comptoir::clock::Clock;
use comptoir::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use comptoir::domain::ids::SourceId;
use comptoir::domain::{LocationId, Sku};
use comptoir::journal::GroupJournal;
use comptoir::stock::ledger::Storage;
use comptoir::stock::{Ledger, Request, StockConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AT_ONCE: u64 = 1000;
const WAITS: u64 = 2000;
const PAGE: usize = 1000;

fn main() {
    let rows = std::env::var("BENCH_ROWS").map_or(1_000_000, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_FOLDER").unwrap_or_else(|| "target".into()))
        .expect("a folder on the disk that is measured");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let _context = runtime.enter();
    let clock = Clock::system();
    let config = StockConfig { any_source: true, ..StockConfig::default() };
    let ledger = Ledger::open(config, &folder.path().join("stock"), clock, Storage::default()).expect("it opens");
    let mut capped = ChannelConfig { price: None, ..ChannelConfig::named("shop") };
    capped.quantity.cap = Some("5".parse().expect("a quantity"));
    capped.quantity.reserve = comptoir::channel::config::Reserve::SafetyStock("2".parse().expect("a quantity"));
    let mut bench = Bench { ledger, rows, sequence: 0, skus: (0..rows).map(sku).collect() };
    runtime.block_on(bench.all(1, 50));
    let before = resident_bytes();
    let begun = Instant::now();
    let channels = Channels::open(vec![capped.clone()], &folder.path().join("channels"), bench.ledger.clone(), clock)
        .expect("it opens");
    caught_up(&channels);
    let (took, bytes) = (begun.elapsed(), resident_bytes() - before);
    println!("{rows} rows worked out and kept in {took:.1?}; {} bytes a row", bytes / rows);
    runtime.block_on(bench.hands(&channels, folder.path()));
    snapshot(&channels);
    runtime.block_on(bench.stalled(&channels));
    runtime.block_on(bench.share(&channels));
    channels.close();
    drop(channels);
    let begun = Instant::now();
    let channels =
        Channels::open(vec![capped], &folder.path().join("channels"), bench.ledger.clone(), clock).expect("it opens");
    println!("open again: {:.1?}", begun.elapsed());
    channels.close();
    bench.ledger.close();
}

struct Bench {
    ledger: Ledger,
    rows: u64,
    sequence: u64,
    skus: Vec<Sku>,
}

impl Bench {
    async fn push(&mut self, levels: impl Iterator<Item = (u64, u64)>) {
        let changes = levels.map(|(number, quantity)| {
            self.sequence += 1;
            change(self.sequence, self.skus[number as usize].clone(), quantity)
        });
        let changes = changes.collect();
        let source = SourceId::new("wms").expect("a name");
        let request = Request { source, epoch: Epoch::default(), changes, heartbeat: None };
        self.ledger.push(request).await.expect("it is taken");
    }

    /// Every SKU, at a quantity between.
    async fn all(&mut self, least: u64, most: u64) {
        for first in (0..self.rows).step_by(AT_ONCE as usize) {
            let end = (first + AT_ONCE).min(self.rows);
            self.push((first..end).map(|number| (number, least + number % (most - least + 1)))).await;
        }
    }

    /// One change at a time, from when it is acknowledged until somebody who waits has read it.
    async fn hands(&mut self, channels: &Channels, folder: &std::path::Path) {
        let mut published = channels.published("shop").expect("it is there");
        let mut cursor = channels.changes("shop", From::Now, 1).expect("a page").cursor;
        let mut waits = Vec::new();
        for turn in 0..WAITS {
            let number = turn * 7919 % self.rows;
            self.push([(number, if turn % 2 == 0 { 0 } else { 4 })].into_iter()).await;
            let acknowledged = Instant::now();
            loop {
                let page = channels.changes("shop", From::Cursor(&cursor), PAGE).expect("a page");
                cursor = page.cursor;
                if page.rows.iter().any(|row| row.key.sku == self.skus[number as usize]) {
                    break;
                }
                published.changed().await.expect("it goes on");
            }
            waits.push(acknowledged.elapsed());
        }
        let (p50, p99) = percentiles(&mut waits);
        let (sync50, sync99) = disk(folder);
        println!(
            "from acknowledged to a reader's hands: {p50:?} (p50), {p99:?} (p99); a sync of this disk: {sync50:?}, {sync99:?}: {} % of the p50",
            sync50.as_nanos() * 100 / p50.as_nanos().max(1)
        );
    }

    /// Everything changes three times while a reader reads nothing.
    async fn stalled(&mut self, channels: &Channels) {
        let mut cursor = channels.changes("shop", From::Now, 1).expect("a page").cursor;
        let before = resident_bytes();
        for turn in 0..3 {
            self.all(turn % 2, turn % 2 + 6).await;
            caught_up(channels);
            let grown = resident_bytes().saturating_sub(before) >> 20;
            println!("a reader stalls while {} rows change, time {}: {grown} MiB more", self.rows, turn + 1);
        }
        let begun = Instant::now();
        let (mut rows, mut seen) = (0_u64, std::collections::HashSet::new());
        loop {
            let page = channels.changes("shop", From::Cursor(&cursor), PAGE).expect("a page");
            rows += page.rows.len() as u64;
            seen.extend(page.rows.iter().map(|row| row.key.sku.clone()));
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        println!("  and resumes: {rows} rows, {} of them different, in {:.1?}", seen.len(), begun.elapsed());
    }

    /// A million changes of stock: those the channel's cap and buffer let through.
    async fn share(&mut self, channels: &Channels) {
        let watermark = || *channels.published("shop").expect("it is there").borrow();
        let (before, begun, mut draw) = (watermark(), Instant::now(), 1_u64);
        for _ in 0..1000 {
            let rows = self.rows;
            let levels: Vec<(u64, u64)> = (0..AT_ONCE)
                .map(|_| {
                    draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ((draw >> 33) % rows, (draw >> 20) % 40)
                })
                .collect();
            self.push(levels.into_iter()).await;
        }
        caught_up(channels);
        let (changes, took) = (watermark() - before, begun.elapsed());
        println!(
            "1,000,000 changes of stock in {took:.1?}: {changes} changes of the channel, {} %; cap 5, buffer 2",
            changes / 10_000
        );
    }
}

/// Waits until everything is worked in.
fn caught_up(channels: &Channels) {
    loop {
        let report = channels.report("shop").expect("it is there");
        if report.lag == 0 && report.state == ChannelState::Live {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn snapshot(channels: &Channels) {
    let before = resident_bytes();
    let (begun, mut rows, mut chunk, mut longest) = (Instant::now(), 0_u64, Vec::new(), Duration::ZERO);
    let mut snapshot = channels.snapshot("shop").expect("a snapshot");
    let mut read = Instant::now();
    while snapshot.next_chunk(&mut chunk) {
        longest = longest.max(read.elapsed());
        rows += chunk.len() as u64;
        chunk.clear();
        read = Instant::now();
    }
    let took = begun.elapsed();
    println!(
        "a snapshot of {rows} rows: {} rows/s, {} KiB more in memory, the writer waits {longest:?} at most",
        u128::from(rows) * 1_000_000 / took.as_micros().max(1),
        resident_bytes().saturating_sub(before) >> 10,
    );
    let cursor: Cursor = snapshot.cursor;
    assert!(!channels.changes("shop", From::Cursor(&cursor), PAGE).expect("a page").more);
}

fn sku(number: u64) -> Sku {
    Sku::new(&format!("SKU-{number:08}")).expect("a name")
}

fn change(sequence: u64, sku: Sku, quantity: u64) -> Change {
    let location = LocationId::new("PARIS").expect("a name");
    let key = RowKey { sku, location, measure: Measure::OnHand, row: RowId::default() };
    let quantity = quantity.to_string().parse().expect("a quantity");
    let movement = Movement { kind: ChangeKind::Set, key, quantity, expected_on: None, expires_at: None };
    Change {
        sequence: Some(sequence),
        after: None,
        event_id: None,
        effective_at: None,
        movement: Ok(movement),
        hash: sequence,
    }
}

/// Syncs alone, of what a round with one row writes.
fn disk(folder: &std::path::Path) -> (Duration, Duration) {
    let path = folder.join("disk");
    std::fs::create_dir(&path).expect("a folder");
    let mut journal = GroupJournal::open(&path, None, |_, _| Ok(())).expect("it opens");
    let record = vec![7; 200];
    let mut syncs: Vec<Duration> = (0..500)
        .map(|_| {
            let begun = Instant::now();
            journal.put(&record).and_then(|()| journal.commit()).expect("it is written");
            begun.elapsed()
        })
        .collect();
    percentiles(&mut syncs)
}

fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[(times.len() - 1) / 2], times[(times.len() - 1) * 99 / 100])
}

/// From `/proc/self/status`.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the line");
    let kibibytes: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kibibytes * 1024
}
