//! Pages, snapshots and what is forgotten, over rows that are made up.

use std::collections::BTreeMap;

use super::*;
use crate::channel::page::PolicyHash;
use crate::channel::report::PriceReport;
use crate::channel::row::{Reasons, RowKey};
use crate::domain::{Quantity, Sku};
use crate::stock::changes::{History, Rebuild};

const LIVE: Condition = Condition { state: ChannelState::Live, recomputing: false, policy: PolicyHash(1) };
const NOW: Timestamp = Timestamp(1_795_600_000_000);

pub fn empty_report(name: &str) -> ChannelReport {
    ChannelReport {
        name: name.to_owned(),
        state: ChannelState::Live,
        policy: PolicyHash(1),
        watermark: 0,
        rows: 0,
        listed: 0,
        zeroed: 0,
        removed: 0,
        oldest_unacknowledged: None,
        held_locations: Vec::new(),
        guard: None,
        prices: PriceReport::default(),
        lag: 0,
    }
}

fn shown() -> Arc<Shown> {
    let mut history = History::default();
    history.start(7, 0);
    let log = Rebuild::default().start(history);
    Arc::new(Shown::new(log, Vec::new(), Purged::default(), LIVE, empty_report("shop")))
}

fn row(number: u32, version: u64, quantity: u64, state: RowState) -> Change {
    let sku = Sku::new(&format!("S{number}")).unwrap();
    let key = Arc::new(RowKey { sku: sku.clone(), channel_sku: sku });
    let quantity = Some(quantity.to_string().parse::<Quantity>().unwrap());
    Change::Row(
        number,
        Arc::new(ChannelRow {
            key,
            version,
            state,
            quantity,
            quantity_version: version,
            price: None,
            price_version: version,
            lead_time_days: None,
            reasons: Reasons::default(),
        }),
    )
}

fn listed(number: u32, version: u64, quantity: u64) -> Change {
    row(number, version, quantity, RowState::Listed)
}

fn names(page: &ChannelPage) -> Vec<(&str, u64)> {
    page.rows.iter().map(|row| (row.key.sku.as_str(), row.version)).collect()
}

#[test]
fn a_zero_behind_a_hundred_thousand_pending_changes_is_in_the_readers_first_page() {
    let shown = shown();
    let rows = 100_000;
    shown.take(&(0..rows).map(|n| listed(n, u64::from(n) + 1, 5)).collect::<Vec<_>>(), LIVE);
    let cursor = shown.page(From::Now, 1, NOW).unwrap().cursor;
    let all = u64::from(rows);
    let mut changes: Vec<Change> = (0..rows - 1).map(|n| listed(n, all + u64::from(n) + 1, 6)).collect();
    changes.push(listed(rows - 1, 2 * all, 0));
    shown.take(&changes, LIVE);
    let page = shown.page(From::Cursor(&cursor), 100, NOW).unwrap();
    assert_eq!(page.rows.len(), 100);
    assert!(page.rows.iter().any(|row| *row.key.sku.as_str() == *format!("S{}", rows - 1)), "the zero overtook");
    assert!(page.more);
    // So does a row that is taken out of sale.
    shown.take(&[row(rows / 2, 2 * all + 1, 0, RowState::Removed)], LIVE);
    let page = shown.page(From::Cursor(&page.cursor), 100, NOW).unwrap();
    assert!(page.rows.iter().any(|row| row.state == RowState::Removed));
}

#[test]
fn a_snapshot_and_what_changes_after_its_beginning_is_all_there_is() {
    let shown = shown();
    shown.take(&(0..2500).map(|n| listed(n, u64::from(n) + 1, 5)).collect::<Vec<_>>(), LIVE);
    let mut snapshot = Snapshot::begin(shown.clone(), NOW).unwrap();
    let mut chunk = Vec::new();
    assert!(snapshot.next_chunk(&mut chunk));
    assert_eq!(chunk.len(), CHUNK_ROWS);
    // One that was read, one that was not, one that is new, one that goes.
    let changes =
        [listed(3, 3001, 0), listed(2400, 3002, 9), listed(2500, 3003, 1), row(2499, 3004, 0, RowState::Removed)];
    shown.take(&changes, LIVE);
    while snapshot.next_chunk(&mut chunk) {}
    let mut known: BTreeMap<String, (u64, RowState)> =
        chunk.iter().map(|row| (row.key.sku.to_string(), (row.version, row.state))).collect();
    assert!(!known.contains_key("S2499"), "what is removed is in no snapshot");
    let page = shown.page(From::Cursor(&snapshot.cursor), 100, NOW).unwrap();
    for row in &page.rows {
        known.insert(row.key.sku.to_string(), (row.version, row.state));
    }
    assert!(!page.more);
    known.retain(|_, (_, state)| *state != RowState::Removed);
    assert_eq!(known.len(), 2500);
    assert_eq!(known["S3"].0, 3001);
    assert_eq!(known["S2400"].0, 3002);
    assert_eq!(known["S2500"].0, 3003);
}

#[test]
fn who_may_have_had_a_forgotten_row_reads_again_and_whoever_begins_later_does_not() {
    let shown = shown();
    shown.take(&[listed(0, 1, 5), listed(1, 2, 5), listed(2, 3, 5)], LIVE);
    let early = shown.page(From::Beginning, 2, NOW).unwrap().cursor;
    let late = {
        shown.take(&[row(1, 4, 0, RowState::Removed)], LIVE);
        shown.page(From::Now, 1, NOW).unwrap().cursor
    };
    shown.take(&[Change::Forgotten(1), Change::Purged(Purged { through: 4, at: 5 })], LIVE);
    assert_eq!(shown.page(From::Cursor(&early), 10, NOW).unwrap_err().reason(), "resync_required");
    assert_eq!(names(&shown.page(From::Cursor(&late), 10, NOW).unwrap()), [], "it knew that it was removed");
    // Slowly, from the beginning, although its first rows are older than what was forgotten.
    let page = shown.page(From::Beginning, 1, NOW).unwrap();
    assert_eq!(names(&page), [("S0", 1)]);
    let page = shown.page(From::Cursor(&page.cursor), 1, NOW).unwrap();
    assert_eq!(names(&page), [("S2", 3)]);
    assert!(!shown.page(From::Cursor(&page.cursor), 1, NOW).unwrap().more);
    // It comes again.
    shown.take(&[listed(1, 6, 5)], LIVE);
    assert_eq!(names(&shown.page(From::Cursor(&page.cursor), 10, NOW).unwrap()), [("S1", 6)]);
}

#[test]
fn a_watermark_is_told_once_for_what_is_shown_together() {
    let shown = shown();
    let mut watermark = shown.watermark();
    shown.take(&(0..2 * SHOWN_AT_ONCE as u32).map(|n| listed(n, u64::from(n) + 1, 5)).collect::<Vec<_>>(), LIVE);
    assert!(watermark.has_changed().unwrap());
    assert_eq!(*watermark.borrow_and_update(), 2 * SHOWN_AT_ONCE as u64);
    shown.take(&[], LIVE);
    assert!(!watermark.has_changed().unwrap());
}

#[test]
fn while_rows_are_worked_out_anew_there_is_no_snapshot_and_pages_say_so() {
    let shown = shown();
    let anew = Condition { state: ChannelState::Recomputing, recomputing: true, policy: PolicyHash(2) };
    shown.take(&[listed(0, 1, 5)], anew);
    let page = shown.page(From::Beginning, 10, NOW).unwrap();
    assert_eq!((page.state, page.policy), (ChannelState::Recomputing, PolicyHash(2)));
    assert_eq!(Snapshot::begin(shown.clone(), NOW).unwrap_err(), ChannelError::Recomputing);
    shown.take(&[], Condition { policy: PolicyHash(2), ..LIVE });
    assert!(Snapshot::begin(shown, NOW).is_ok());
}
