//! How much memory do a million levels take, and how long does a page wait behind a request of 256 changes?
//!
//! Budget: 200 bytes a level all in, of which some 50 are left for the change log's index. Counted is what the process
//! holds more than before, by the kernel's count, so the allocator's own waste is in it. Run: `cargo bench --bench
//! stock_memory`. What a whole gateway holds, while they are pushed and after a start: `benches/peers/stock`.

use std::time::{Duration, Instant};

use comptoir::clock::Timestamp;
use comptoir::domain::change::{Measure, RowId, RowKey};
use comptoir::domain::ids::SourceId;
use comptoir::domain::{LocationId, Sku};
use comptoir::stock::event::Batch;
use comptoir::stock::{Event, Levels, Row, StockConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LEVELS: u64 = 1_000_000;
const AT_ONCE: u64 = 256;
const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// How a million levels lie.
struct Shape {
    name: &'static str,
    locations: u64,
    measures: &'static [Measure],
    /// Each so-and-so-manieth level is an order line with a name and a day; 0: none.
    named_every: u64,
}

const SHAPES: &[Shape] = &[
    Shape { name: "one level per SKU", locations: 1, measures: &[Measure::OnHand], named_every: 0 },
    Shape {
        name: "5 locations, 2 measures",
        locations: 5,
        measures: &[Measure::OnHand, Measure::Reserved],
        named_every: 0,
    },
    Shape {
        name: "the same, 1 in 20 a named row",
        locations: 5,
        measures: &[Measure::OnHand, Measure::Incoming],
        named_every: 20,
    },
];

fn main() {
    println!("{LEVELS} levels; bytes as the kernel counts them");
    for shape in SHAPES {
        let before = resident_bytes();
        let levels = Levels::new(&StockConfig { any_source: true, ..StockConfig::default() }, NOW);
        let mut longest = Duration::ZERO;
        let begun = Instant::now();
        for first in (0..LEVELS).step_by(AT_ONCE as usize) {
            let events = (first..(first + AT_ONCE).min(LEVELS)).map(|n| event(shape, n)).collect();
            let batch = Batch { source: SourceId::new("wms").expect("a name"), at: NOW, events };
            let applied = Instant::now();
            levels.apply(&batch);
            longest = longest.max(applied.elapsed());
        }
        let took = begun.elapsed();
        assert_eq!(levels.len() as u64, LEVELS);
        let bytes = resident_bytes() - before;
        println!(
            "{}: {} bytes a level; filled in {took:.1?}, longest request {longest:.1?}",
            shape.name,
            bytes / LEVELS,
        );
        // Kept: memory given back would be taken again by the next, and not be counted.
        std::mem::forget(levels);
    }
}

fn event(shape: &Shape, n: u64) -> Event {
    let per_sku = shape.locations * shape.measures.len() as u64;
    let measure = shape.measures[(n % shape.measures.len() as u64) as usize];
    let is_named = shape.named_every > 0 && n % shape.named_every == 1;
    let name = if is_named { format!("PO-{n}") } else { String::new() };
    let row = Row {
        quantity: (n % 1000).to_string().parse().expect("a decimal"),
        expected_on: is_named.then(|| jiff::civil::date(2026, 12, 1)),
        expires_at: None,
        changed_at: NOW,
        effective_at: None,
        sequence: n,
        stated: n,
        suspect: false,
    };
    let key = RowKey {
        sku: Sku::new(&format!("SKU-{:08}", n / per_sku)).expect("an identity"),
        location: LocationId::new(&format!("L{}", n / shape.measures.len() as u64 % shape.locations))
            .expect("an identity"),
        measure,
        row: RowId::new(&name).expect("a name"),
    };
    Event::Row { key, row: Some(row) }
}

/// From `/proc/self/status`.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the line");
    let kibibytes: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kibibytes * 1024
}
