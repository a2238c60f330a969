//! Real threads, real time: prices only ever rise, so whatever is older than the last invalidation that returned before a
//! read began shows at once. Five seconds in the suite; `COMPTOIR_HAMMER_SECONDS` for longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use comptoir::domain::{CustomerId, Purpose, Sku};
use comptoir::erp::connectors::simulated::{Behaviour, Faults, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{Invalidation, LineStatus, Named};

use crate::rig::{Rig, net, rig_behaving};

const C: &str = "C-00042";
const S: &str = "SKU-000001";
const READERS: usize = 8;

fn named(turn: u64) -> Named {
    let customers = vec![CustomerId::new(C).unwrap()];
    let skus = vec![Sku::new(S).unwrap()];
    match turn % 4 {
        0 => Named { customers, skus, ..Named::default() },
        1 => Named { skus, ..Named::default() },
        2 => Named { customers, ..Named::default() },
        _ => Named { all: true, ..Named::default() },
    }
}

fn seconds() -> u64 {
    std::env::var("COMPTOIR_HAMMER_SECONDS").map_or(5, |text| text.parse().expect("a number of seconds"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_ever_sees_a_price_older_than_the_last_invalidation() {
    // A millisecond a call: as many fills as possible land around as many invalidations.
    let options = SimulatedOptions::default();
    let behaviour = Behaviour::fixed(Duration::from_millis(1), 4);
    let rig = Arc::new(rig_behaving(behaviour, options, Budget::default()));
    let promised = Arc::new(AtomicU64::new(1));
    let over = Arc::new(AtomicBool::new(false));
    set_price(&rig, 1);

    let (reads, gone) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let (rig, promised, over) = (rig.clone(), promised.clone(), over.clone());
        let (reads, gone) = (reads.clone(), gone.clone());
        readers.push(tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let at_least = promised.load(Ordering::SeqCst);
                let mut query = rig.query(Some(C), [S]);
                query.purpose = Purpose::List;
                let line = rig.ask(query).await.lines.remove(0);
                match net(&line) {
                    Some(price) => {
                        let version: u64 = price.split('.').next().unwrap().parse().unwrap();
                        assert!(version >= at_least, "version {version} after {at_least} was promised");
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    None => {
                        assert_eq!(line.status, LineStatus::Unavailable, "{line:?}");
                        gone.fetch_add(1, Ordering::Relaxed);
                    }
                }
                tokio::task::yield_now().await;
            }
        }));
    }

    let start = rig.clock.mono();
    let run = Duration::from_secs(seconds());
    let mut version = 1;
    while rig.clock.mono().since(start) < run {
        // In the middle third the ERP is off: what was invalidated stays gone.
        let elapsed = rig.clock.mono().since(start);
        let off = elapsed > run / 3 && elapsed < run / 3 * 2;
        rig.faults(Faults { down: off, ..Faults::default() });
        version += 1;
        set_price(&rig, version);
        let invalidation = Invalidation { named: named(version), at: None, settle: None, request_id: "hammer".into() };
        rig.service.invalidate(invalidation).await.unwrap();
        promised.store(version, Ordering::SeqCst);
        // Sometimes at once, sometimes long enough for fresh hits between.
        if version % 3 != 0 {
            tokio::time::sleep(Duration::from_micros(200 * (version % 16))).await;
        }
    }
    over.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let (reads, gone) = (reads.load(Ordering::SeqCst), gone.load(Ordering::SeqCst));
    println!("{version} invalidations, {reads} reads, {gone} unavailable while the ERP was off, none too old");
    assert!(reads > 1_000 && gone > 0 && version > 100, "{reads} reads, {gone} gone, {version} invalidations");
}

fn set_price(rig: &Rig, version: u64) {
    let customer = CustomerId::new(C).unwrap();
    let price = format!("{version}.0000").parse().unwrap();
    rig.erp.set_price(Some(customer), Sku::new(S).unwrap(), Some(price)).unwrap();
}
