//! The handle with its thread: who waits is answered, storage that fails, what is dropped from the configuration.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::channel::ack::{Ack, AckResult};
use crate::channel::config::ChannelConfig;
use crate::channel::formats::FileFacts;
use crate::channel::page::{ChannelState, From, Mode};
use crate::channel::reader::{Channels, Storage};
use crate::channel::{ChannelError, ChannelPage};
use crate::clock::{Clock, Timestamp};
use crate::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::stock::{Ledger, Request, StockConfig};

const NOW: Timestamp = Timestamp(1_795_600_000_000);

fn ledger(folder: &Path) -> Ledger {
    let config = StockConfig { any_source: true, ..StockConfig::default() };
    let storage = crate::stock::ledger::Storage::default();
    Ledger::open(config, &folder.join("stock"), Clock::starting_at(NOW), storage).unwrap()
}

fn shop() -> ChannelConfig {
    ChannelConfig { price: None, ..ChannelConfig::named("shop") }
}

fn open(folder: &Path, ledger: &Ledger, configs: Vec<ChannelConfig>) -> Channels {
    Channels::open(configs, &folder.join("channels"), ledger.clone(), Clock::starting_at(NOW)).unwrap()
}

async fn set(ledger: &Ledger, sequence: u64, sku: &str, quantity: u64) {
    let key = RowKey {
        sku: Sku::new(sku).unwrap(),
        location: LocationId::new("PARIS").unwrap(),
        measure: Measure::OnHand,
        row: RowId::default(),
    };
    let quantity = quantity.to_string().parse().unwrap();
    let movement = Movement { kind: ChangeKind::Set, key, quantity, expected_on: None, expires_at: None };
    let change = Change {
        sequence: Some(sequence),
        after: None,
        event_id: None,
        effective_at: None,
        movement: Ok(movement),
        hash: sequence,
    };
    let source = SourceId::new("wms").unwrap();
    let request = Request { source, epoch: Epoch::default(), changes: vec![change], heartbeat: None };
    assert_eq!(ledger.push(request).await.unwrap().applied, 1);
}

/// The page with so many rows, once there is one.
async fn rows(channels: &Channels, count: usize) -> ChannelPage {
    let mut published = channels.published("shop").unwrap();
    loop {
        let page = channels.changes("shop", From::Beginning, 100).unwrap();
        if page.rows.len() == count {
            return page;
        }
        published.changed().await.unwrap();
    }
}

async fn live(channels: &Channels) {
    while channels.report("shop").unwrap().state == ChannelState::Recomputing {
        tokio::task::yield_now().await;
    }
}

fn first_sku(page: &ChannelPage) -> &str {
    page.rows[0].key.sku.as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_stock_reaches_whoever_waits_without_anybody_ticking() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    assert_eq!(first_sku(&rows(&channels, 1).await), "A");
    set(&ledger, 2, "B", 5).await;
    rows(&channels, 2).await;
    // Reports are brought up to date behind the rows.
    loop {
        let [report] = channels.list().try_into().unwrap();
        assert_eq!(report.name, "shop");
        if (report.rows, report.listed, report.state, report.lag) == (2, 2, ChannelState::Live, 0) {
            break;
        }
        tokio::task::yield_now().await;
    }
    for unknown in [channels.changes("web", From::Now, 1).err(), channels.explain("web", "A").err()] {
        assert_eq!(unknown, Some(ChannelError::UnknownChannel));
    }
    assert_eq!(channels.acknowledge("web", Vec::new()).await, Err(ChannelError::UnknownChannel));
    let explained = channels.explain("shop", "A").unwrap();
    assert_eq!(explained.offers[0].row.as_ref().unwrap().quantity, Some("5".parse().unwrap()));
    assert!(!explained.offers[0].steps.is_empty());
    assert_eq!(channels.explain("shop", "NONE").unwrap().offers[0].row, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    let page = rows(&channels, 1).await;
    live(&channels).await;
    let version = page.rows[0].version;
    let ack = Ack {
        sku: Sku::new("A").unwrap(),
        channel_sku: None,
        version,
        result: AckResult::Accepted,
        reason: None,
        at: None,
    };
    assert_eq!(channels.acknowledge("shop", vec![ack]).await.unwrap().taken, 1);
    let facts = FileFacts { rows: 10, zeros: 2, watermark: version };
    channels.file_taken("shop", "amazon", facts).await.unwrap();
    assert_eq!(channels.set_mode("shop", Mode::Held, false).await.unwrap().state, ChannelState::Held);
    channels.close();
    assert_eq!(channels.acknowledge("shop", Vec::new()).await, Err(ChannelError::Stopped));
    drop(channels);
    let channels = open(folder.path(), &ledger, vec![shop()]);
    assert_eq!(channels.last_file("shop", "amazon").await.unwrap(), Some(facts));
    assert_eq!(channels.last_file("shop", "google").await.unwrap(), None);
    assert_eq!(channels.report("shop").unwrap().state, ChannelState::Held);
    let page_now = channels.changes("shop", From::Beginning, 10).unwrap();
    assert_eq!(page_now.rows, page.rows);
    let after = channels.changes("shop", From::Cursor(&page.cursor), 10).unwrap();
    assert!(after.rows.is_empty() && !after.more, "a cursor holds over a start");
    assert_eq!(channels.explain("shop", "A").unwrap().offers[0].deliveries[0].version, version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_storage_fails_channels_are_read_and_take_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    rows(&channels, 1).await;
    live(&channels).await;
    channels.0.working.lock().break_disk();
    assert_eq!(channels.set_mode("shop", Mode::Zeroed, false).await.unwrap_err(), ChannelError::NotDurable);
    assert_eq!(channels.closed(), Some(ChannelError::NotDurable));
    let page = channels.changes("shop", From::Beginning, 10).unwrap();
    assert_eq!((page.rows.len(), page.state), (1, ChannelState::Live), "what is not durable is not seen");
    assert_eq!(channels.acknowledge("shop", Vec::new()).await, Err(ChannelError::NotDurable));
    assert_eq!(channels.explain("shop", "A").unwrap_err(), ChannelError::NotDurable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_writer_is_told_to_whoever_waits() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    rows(&channels, 1).await;
    let panics = channels.ask("shop", |machine, _, _| machine.numbers().checked_sub(usize::MAX).expect("on purpose"));
    assert_eq!(panics.await, Err(ChannelError::NotDurable));
    assert_eq!(channels.changes("shop", From::Beginning, 10).unwrap().rows.len(), 1);
    assert_eq!(channels.acknowledge("shop", Vec::new()).await, Err(ChannelError::NotDurable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_was_not_configured_for_a_while_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    let before = rows(&channels, 1).await;
    drop(channels);
    drop(open(folder.path(), &ledger, vec![ChannelConfig { price: None, ..ChannelConfig::named("other") }]));
    set(&ledger, 2, "A", 0).await;
    let config = vec![shop()];
    let clock = Clock::starting_at(NOW.plus(Duration::from_secs(60)));
    let channels = Channels::open(config, &folder.path().join("channels"), ledger.clone(), clock).unwrap();
    let page = rows(&channels, 1).await;
    assert!(page.rows[0].version > before.rows[0].version);
    assert_eq!(page.rows[0].quantity, Some("0".parse().unwrap()));
    let old = channels.changes("shop", From::Cursor(&before.cursor), 10);
    assert_eq!(old.unwrap_err().reason(), "resync_required");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_rows_and_skus_that_are_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    for (number, sku) in ["A", "B", "C"].into_iter().enumerate() {
        set(&ledger, number as u64 + 1, sku, 5).await;
    }
    let mut config = shop();
    config.assortment.exclude = vec!["C".to_owned()];
    let channels = open(folder.path(), &ledger, vec![config.clone()]);
    rows(&channels, 2).await;
    live(&channels).await;
    let same = channels.dry_run(config).unwrap();
    assert_eq!((same.rows, same.changed), (2, 0));
    let mut other = shop();
    other.assortment.exclude = vec!["A".to_owned()];
    other.quantity.cap = Some("3".parse().unwrap());
    let dry = channels.dry_run(other).unwrap();
    assert_eq!((dry.rows, dry.changed, dry.added, dry.gone, dry.to_zero, dry.quantity), (3, 3, 1, 1, 1, 2));
    assert_eq!(dry.first.len(), 3);
    assert_eq!(rows(&channels, 2).await.rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_a_flipped_byte_is_named_and_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    set(&ledger, 1, "A", 5).await;
    let channels = open(folder.path(), &ledger, vec![shop()]);
    rows(&channels, 1).await;
    drop(channels);
    let journals = crate::channel::store::journal_folder(&folder.path().join("channels"));
    let path = crate::journal::group::segment_path(&journals, 1);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&path, &bad).unwrap();
        let opened = Channels::open_parts(
            vec![shop()],
            &folder.path().join("channels"),
            ledger.clone(),
            Clock::starting_at(NOW),
            Storage::default(),
        );
        assert_eq!(opened.err().map(|error| error.reason()), Some("storage_damaged"), "byte {at}");
    }
}
