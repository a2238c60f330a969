//! A restart keeps what was known, with its age, and what was declared wrong.

use std::path::Path;
use std::time::Duration;

use comptoir::clock::Timestamp;
use comptoir::domain::{CustomerId, Purpose, Sku};
use comptoir::erp::connectors::simulated::Faults;
use comptoir::offer::{Invalidation, LineAnswer, LineStatus, Named, Source, Store};

use crate::rig::{Rig, net, price_freshness, rig_keeping, skus, stock_freshness};

const C: &str = "C-00042";
const S: &str = "SKU-000001";

fn store(folder: &Path) -> Store {
    Store::open(folder, "this ERP".into()).unwrap()
}

/// The next process, with clocks of its own, `later` after what the one before shows.
fn restarted(before: &Rig, folder: &Path, later: Duration) -> Rig {
    let wall = before.clock.read().wall.plus(later);
    let rig = rig_keeping(store(folder), wall);
    rig.faults(Faults { down: true, ..Faults::default() });
    rig
}

fn first(folder: &Path) -> Rig {
    rig_keeping(store(folder), crate::rig::START)
}

fn named(customers: &[&str], skus: &[&str]) -> Named {
    Named {
        customers: customers.iter().map(|id| CustomerId::new(id).unwrap()).collect(),
        skus: skus.iter().map(|id| Sku::new(id).unwrap()).collect(),
        ..Named::default()
    }
}

async fn invalidate(rig: &Rig, named: Named, at: Option<Timestamp>, settle: Option<Duration>) {
    rig.service.invalidate(Invalidation { named, at, settle, request_id: "test".into() }).await.unwrap();
}

async fn list(rig: &Rig, customer: &str, sku: &str) -> LineAnswer {
    let mut query = rig.query(Some(customer), [sku]);
    query.purpose = Purpose::List;
    rig.ask(query).await.lines.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_restart_while_the_erp_is_down_does_not_empty_the_shop() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    let told = before.one(C, S).await;
    let (price, observed) = (net(&told), price_freshness(&told).unwrap().observed_at);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let counts = before.service.save().unwrap();
    assert_eq!((counts.customers, counts.stock, counts.prices), (1, 1, 1));

    let after = restarted(&before, folder.path(), Duration::from_secs(30));
    let line = list(&after, C, S).await;
    let freshness = price_freshness(&line).unwrap();
    assert_eq!((net(&line), freshness.observed_at), (price.clone(), observed));
    assert_eq!((freshness.source, freshness.stale), (Source::Shared, None), "90 s old, and LIST allows ten minutes");
    assert_eq!(stock_freshness(&line).unwrap().source, Source::Shared);

    // Long before this process began, as it counts: the age is the figure's own.
    let late = restarted(&before, folder.path(), Duration::from_secs(3600));
    let line = list(&late, C, S).await;
    let freshness = price_freshness(&line).unwrap();
    assert_eq!((net(&line), freshness.observed_at), (price, observed));
    assert_eq!((freshness.source, freshness.stale), (Source::Shared, Some("erp_unreachable")));
    // And back again: asked, and this process's own from then on.
    late.faults(Faults::default());
    let mut cart = late.query(Some(C), [S]);
    cart.purpose = Purpose::Cart;
    assert_eq!(price_freshness(&late.ask(cart).await.lines[0]).unwrap().source, Source::Erp);
    assert_eq!(price_freshness(&list(&late, C, S).await).unwrap().source, Source::Memory);
}

#[tokio::test(start_paused = true)]
async fn what_was_declared_wrong_before_or_after_the_saving_stays_gone() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    for sku in skus(4) {
        before.one(C, &sku).await;
    }
    invalidate(&before, named(&[C], &["SKU-000001"]), None, None).await;
    before.service.save().unwrap();
    // The process dies without saving again.
    invalidate(&before, named(&[], &["SKU-000002"]), None, None).await;
    invalidate(&before, named(&["C-00043"], &[]), None, None).await;

    let after = restarted(&before, folder.path(), Duration::from_secs(1));
    for (sku, status) in [
        ("SKU-000001", LineStatus::Unavailable),
        ("SKU-000002", LineStatus::Unavailable),
        ("SKU-000003", LineStatus::Ok),
        ("SKU-000004", LineStatus::Ok),
    ] {
        let line = list(&after, C, sku).await;
        assert_eq!(line.status, status, "{sku} {line:?}");
        assert!(status == LineStatus::Ok || line.reason == Some("invalidated"), "{line:?}");
    }
    // And once more through a second saving.
    after.service.save().unwrap();
    let again = restarted(&after, folder.path(), Duration::from_secs(1));
    assert_eq!(list(&again, C, "SKU-000002").await.reason, Some("invalidated"));
    assert_eq!(list(&again, C, "SKU-000003").await.status, LineStatus::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_announced_change_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    before.one(C, S).await;
    before.service.save().unwrap();
    let at = before.clock.read().wall.plus(Duration::from_secs(60));
    invalidate(&before, named(&[C], &[]), Some(at), None).await;

    let after = restarted(&before, folder.path(), Duration::from_secs(30));
    assert_eq!(after.service.invalidator().waiting(), 1);
    assert_eq!(list(&after, C, S).await.status, LineStatus::Ok, "not yet");
    // Saved with it waiting: the new segment of the journal has it too.
    after.service.save().unwrap();
    let again = restarted(&after, folder.path(), Duration::from_millis(29_999));
    assert_eq!(list(&again, C, S).await.status, LineStatus::Ok);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(list(&again, C, S).await.reason, Some("invalidated"));
    // Its moment came while no process ran.
    let late = restarted(&after, folder.path(), Duration::from_secs(300));
    assert_eq!(list(&late, C, S).await.reason, Some("invalidated"));
}

#[tokio::test(start_paused = true)]
async fn what_settles_expires_although_the_process_ended() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    invalidate(&before, named(&[C], &[S]), None, Some(Duration::from_secs(60))).await;
    before.one(C, S).await;
    before.service.save().unwrap();
    let after = restarted(&before, folder.path(), Duration::from_secs(30));
    assert_eq!(price_freshness(&list(&after, C, S).await).unwrap().stale, None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let freshness = price_freshness(&list(&after, C, S).await).unwrap();
    assert_eq!(freshness.stale, Some("erp_unreachable"), "expired, and served only because nothing else can be");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_or_not_whole_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    before.one(C, S).await;
    before.service.save().unwrap();
    let wall = before.clock.read().wall;
    let status = async |rig: Rig| {
        rig.faults(Faults { down: true, ..Faults::default() });
        list(&rig, C, S).await.status
    };
    assert_eq!(status(rig_keeping(store(folder.path()), wall)).await, LineStatus::Ok);
    let other = Store::open(folder.path(), "another ERP".into()).unwrap();
    assert_eq!(status(rig_keeping(other, wall)).await, LineStatus::Unavailable, "of another ERP");
    let earlier = Timestamp(wall.0 - 1000);
    assert_eq!(status(rig_keeping(store(folder.path()), earlier)).await, LineStatus::Unavailable, "from the future");

    let file = folder.path().join("hot");
    let good = std::fs::read(&file).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        assert_eq!(status(rig_keeping(store(folder.path()), wall)).await, LineStatus::Unavailable, "byte {at}");
    }
    std::fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert_eq!(status(rig_keeping(store(folder.path()), wall)).await, LineStatus::Unavailable, "half of it");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_prices_are_back_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    // 200 customers, 500 articles each.
    for customer in 1..=200 {
        let mut query = before.query(Some(&format!("C-{customer:05}")), skus(500));
        query.deadline = query.arrival.mono.plus(Duration::from_secs(60));
        before.ask(query).await;
    }
    let counts = before.service.save().unwrap();
    // Some articles have no price, or none of every customer's.
    assert!(counts.customers == 200 && counts.stock > 450 && counts.prices > 90_000, "{counts:?}");
    let bytes = std::fs::metadata(folder.path().join("hot")).unwrap().len();
    // Virtual time stands still meanwhile.
    let start = std::time::Instant::now();
    let after = restarted(&before, folder.path(), Duration::from_secs(1));
    let took = start.elapsed();
    println!("{} prices, {bytes} bytes: back in {took:?}", counts.prices);
    for customer in [1, 100, 200] {
        let line = list(&after, &format!("C-{customer:05}"), "SKU-000001").await;
        assert_eq!(price_freshness(&line).unwrap().source, Source::Shared);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_declared_wrong_to_a_process_that_knew_nothing_of_what_was_saved_stays_gone() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    // Many invalidations: the saved figures have stamps that the next process would take long to reach.
    for _ in 0..20 {
        invalidate(&before, named(&["C-00043"], &[]), None, None).await;
    }
    before.one(C, S).await;
    before.service.save().unwrap();
    drop(before);
    // Another way to ask the ERP: the file is not read, and counting begins anew. It dies before it saves anything.
    let other = rig_keeping(Store::open(folder.path(), "asked in another way".into()).unwrap(), crate::rig::START);
    invalidate(&other, named(&[C], &[]), None, None).await;
    // Back to the first way.
    let after = restarted(&other, folder.path(), Duration::from_secs(1));
    drop(other);
    assert_eq!(list(&after, C, S).await.reason, Some("invalidated"));
}

#[tokio::test(start_paused = true)]
async fn prices_whose_journal_was_taken_away_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let before = first(folder.path());
    before.one(C, S).await;
    before.service.save().unwrap();
    // It is in the journal only.
    invalidate(&before, named(&[C], &[]), None, None).await;
    let aside = folder.path().join("aside");
    std::fs::rename(folder.path().join("invalidations"), aside).unwrap();
    let after = restarted(&before, folder.path(), Duration::from_secs(1));
    assert_eq!(list(&after, C, S).await.reason, Some("erp_unreachable"));
    // A new journal comes to the number of the old one some day.
    assert!(!folder.path().join("hot").exists());
}
