use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use crate::domain::{LocationId, Quantity};
use crate::journal::group::{segment_path, witnessed};
use crate::stock::event::Verdict;
use crate::stock::levels::Net;
use crate::stock::report::SourceState;
use crate::stock::request::{SnapshotLine, SnapshotRow};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn wms() -> SourceId {
    SourceId::new("wms").unwrap()
}

fn key(sku: &str) -> RowKey {
    RowKey {
        sku: Sku::new(sku).unwrap(),
        location: LocationId::new("PARIS").unwrap(),
        measure: Measure::OnHand,
        row: RowId::default(),
    }
}

fn set(sequence: u64, sku: &str, quantity: u64) -> Change {
    let quantity: Quantity = quantity.to_string().parse().unwrap();
    let movement = Movement { kind: ChangeKind::Set, key: key(sku), quantity, expected_on: None, expires_at: None };
    Change {
        sequence: Some(sequence),
        after: None,
        event_id: None,
        effective_at: None,
        movement: Ok(movement),
        hash: sequence,
    }
}

fn request(changes: Vec<Change>) -> Request {
    Request { source: wms(), epoch: Epoch::default(), changes, heartbeat: None }
}

fn open_with(folder: &Path, storage: Storage) -> Result<Ledger, LedgerError> {
    let clock = Clock::starting_at(NOW);
    let config = StockConfig { any_source: true, ..StockConfig::default() };
    Ledger::open(config, folder, clock, storage)
}

fn open(folder: &Path) -> Ledger {
    open_with(folder, Storage::default()).unwrap()
}

/// Rows are written behind often, and segments are short.
fn busy() -> Storage {
    let pace = Pace { rows_due: 3, interval: Duration::from_millis(1), ..Pace::default() };
    Storage { pace, segment_bytes: 200, ..Storage::default() }
}

/// Nothing is written behind.
fn journal_only() -> Storage {
    Storage { pace: Pace { interval: Duration::from_secs(3600), ..Pace::default() }, ..Storage::default() }
}

/// Virtual time stands while this lives: it goes on by itself where nothing but the writer's thread is busy.
fn time_stands() -> std::sync::mpsc::Sender<()> {
    let (until, dropped) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || dropped.recv());
    until
}

fn figure(ledger: &Ledger, sku: &str) -> Option<String> {
    ledger.levels().row(&key(sku)).map(|row| row.quantity.to_string())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if let Err(error) = fs::copy(entry.path(), to.join(entry.file_name())) {
            // A segment whose rows were written meanwhile.
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn what_is_answered_is_visible_and_survives_a_crash_and_a_good_end() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let answer = ledger.push(request(vec![set(1, "BOLT", 12), set(2, "NUT", 0)])).await.unwrap();
    assert_eq!((answer.applied, answer.last_sequence), (2, 2));
    assert_eq!(answer.outcomes.iter().map(|outcome| outcome.change_id).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(figure(&ledger, "BOLT").as_deref(), Some("12"));
    let page = ledger.changes(None, 10).unwrap();
    // What came to zero goes first.
    assert_eq!(page.rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["NUT", "BOLT"]);
    assert_eq!(ledger.source(&wms()).unwrap().last_sequence, 2);
    // As a crash leaves it.
    let crashed = tempfile::tempdir().unwrap();
    copy(folder.path(), crashed.path());
    ledger.close();
    assert_eq!(ledger.push(request(vec![])).await, Err(IntakeError::Stopped));
    assert_eq!(ledger.intaking(), Intaking::Closed);
    drop(ledger);
    for folder in [crashed.path(), folder.path()] {
        let ledger = open(folder);
        assert_eq!(figure(&ledger, "BOLT").as_deref(), Some("12"));
        assert_eq!(ledger.source(&wms()).unwrap().last_sequence, 2);
        let again = ledger.changes(Some(&page.cursor), 10).unwrap();
        assert_eq!((again.rows.len(), again.watermark), (0, 2), "a cursor outlives the process");
        let answer = ledger.push(request(vec![set(2, "NUT", 0), set(3, "NUT", 5)])).await.unwrap();
        assert_eq!(answer.outcomes[0].verdict, Verdict::Duplicate);
        assert_eq!(answer.outcomes[0].original.unwrap().change_id, Some(2));
        assert_eq!(answer.outcomes[1].change_id, Some(3));
        let page = ledger.changes(Some(&page.cursor), 10).unwrap();
        assert_eq!(page.rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["NUT"]);
    }
}

#[tokio::test]
async fn a_start_at_any_time_continues_where_rows_and_journal_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut sequence = 0;
    for start in 0..12 {
        let ledger = open_with(folder.path(), busy()).unwrap();
        assert_eq!(ledger.source(&wms()).map_or(0, |report| report.last_sequence), sequence);
        for sku in 0..7.min(sequence) {
            // The last of its residue.
            let last = sequence - (sequence + 7 - sku) % 7;
            let told = figure(&ledger, &format!("S{sku}"));
            assert_eq!(told.as_deref(), (last > 0).then(|| last.to_string()).as_deref(), "start {start}, S{sku}");
        }
        for _ in 0..start * 3 {
            sequence += 1;
            let answer = ledger.push(request(vec![set(sequence, &format!("S{}", sequence % 7), sequence)])).await;
            assert_eq!(answer.unwrap().outcomes[0].change_id, Some(sequence), "ids go on");
        }
        if start % 2 == 0 {
            ledger.close();
        } else {
            // As after a crash, but for the rows folder's lock.
            let crashed = tempfile::tempdir().unwrap();
            copy(&journal_folder(folder.path()), crashed.path());
            ledger.close();
            fs::remove_dir_all(journal_folder(folder.path())).unwrap();
            copy(crashed.path(), &journal_folder(folder.path()));
        }
    }
    let segments = fs::read_dir(journal_folder(folder.path())).unwrap().count();
    assert!(segments < 20, "{segments} segments: those whose rows are written go");
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_early_waits_for_what_is_before_it_or_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let early = |sequence| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.push(request(vec![set(sequence, "BOLT", sequence)])).await })
    };
    let still = time_stands();
    let (third, second) = (early(3), early(2));
    let begun = tokio::time::Instant::now();
    ledger.push(request(vec![set(1, "BOLT", 1)])).await.unwrap();
    let (second, third) = (second.await.unwrap().unwrap(), third.await.unwrap().unwrap());
    assert_eq!((second.applied, third.applied), (1, 1));
    assert_eq!(figure(&ledger, "BOLT").as_deref(), Some("3"));
    assert!(begun.elapsed().is_zero(), "nobody waited for the end");
    drop(still);
    // Nothing before it comes.
    let begun = tokio::time::Instant::now();
    let answer = ledger.push(request(vec![set(5, "BOLT", 5)])).await.unwrap();
    assert_eq!(answer.outcomes[0].verdict, Verdict::Gap);
    assert_eq!(answer.outcomes[0].expected_sequence, Some(4));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let report = ledger.skip_gap(wms(), Some(4)).await.unwrap();
    assert_eq!(report.last_sequence, 4);
    assert_eq!(ledger.push(request(vec![set(5, "BOLT", 5)])).await.unwrap().applied, 1);
    assert_eq!(ledger.skip_gap(wms(), None).await, Err(IntakeError::NoGap));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_taken_and_held_requests_are_refused_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let left = tokio::time::timeout(Duration::from_millis(500), ledger.push(request(vec![set(2, "BOLT", 2)]))).await;
    assert!(left.is_err(), "it is held for a second");
    assert_eq!(ledger.push(request(vec![set(1, "BOLT", 1)])).await.unwrap().last_sequence, 1);
    assert_eq!(figure(&ledger, "BOLT").as_deref(), Some("1"));
    let still = time_stands();
    let held = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.push(request(vec![set(9, "BOLT", 9)])).await }
    });
    tokio::task::yield_now().await;
    // Behind the held one in the queue.
    ledger.push(request(vec![set(2, "BOLT", 2)])).await.unwrap();
    ledger.close();
    assert_eq!(held.await.unwrap(), Err(IntakeError::Stopped));
    drop(still);
}

#[tokio::test]
async fn storage_that_fails_ends_the_intake_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_with(folder.path(), Storage { segment_bytes: 1, ..journal_only() }).unwrap();
    ledger.push(request(vec![set(1, "BOLT", 1)])).await.unwrap();
    // The next commit begins a segment, which has nowhere to be.
    let journals = journal_folder(folder.path());
    let aside = folder.path().join("aside");
    fs::rename(&journals, &aside).unwrap();
    let lost = ledger.push(request(vec![set(2, "BOLT", 2)])).await;
    assert_eq!(lost, Err(IntakeError::ReadOnly));
    assert_eq!(figure(&ledger, "BOLT").as_deref(), Some("1"), "what is not durable is not shown");
    assert_eq!(ledger.source(&wms()).unwrap().last_sequence, 1, "nor said");
    assert_eq!(ledger.changes(None, 10).unwrap().watermark, 1);
    // It stays so, whatever becomes of the disk: the rules believe more than it knows.
    fs::rename(&aside, &journals).unwrap();
    for _ in 0..3 {
        assert_eq!(ledger.push(request(vec![set(2, "BOLT", 2)])).await, Err(IntakeError::ReadOnly));
    }
    assert_eq!(ledger.intaking(), Intaking::ReadOnly);
    ledger.close();
    assert_eq!(ledger.intaking(), Intaking::ReadOnly, "a good end does not make it good");
    drop(ledger);
    let ledger = open(folder.path());
    assert_eq!(ledger.push(request(vec![set(2, "BOLT", 2)])).await.unwrap().applied, 1);
}

#[tokio::test(start_paused = true)]
async fn since_when_a_source_is_behind_is_known_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut gap_since = None;
    for storage in [busy(), journal_only(), busy()] {
        let ledger = open_with(folder.path(), storage).unwrap();
        let stands = time_stands();
        if gap_since.is_none() {
            ledger.push(request(vec![set(1, "BOLT", 1)])).await.unwrap();
        }
        for more in 1..4 {
            let heartbeat = ledger.source(&wms()).unwrap().last_sequence + more * 2;
            ledger.push(Request { heartbeat: Some(heartbeat), ..request(vec![]) }).await.unwrap();
            let report = ledger.source(&wms()).unwrap();
            assert_eq!(report.state, SourceState::Gap);
            assert_eq!(*gap_since.get_or_insert(report.gap_since), report.gap_since, "it is the same gap");
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        drop(stands);
        ledger.close();
    }
}

#[tokio::test]
async fn requests_are_in_line_when_they_are_pushed_whoever_is_awaited_first() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.source(&wms()).unwrap().last_sequence, 0, "it may push");
    let pushed: Vec<_> = (1..=20).map(|number| ledger.push(request(vec![set(number, "A", number)]))).collect();
    for (before, answer) in pushed.into_iter().enumerate().rev() {
        assert_eq!(answer.await.unwrap().outcomes[0].change_id, Some(before as u64 + 1));
    }
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::starting_at(NOW));
    let ledger = Ledger::open(StockConfig::default(), folder.path(), clock, Storage::default()).unwrap();
    assert_eq!(ledger.source(&wms()), None, "nobody may push");
    assert_eq!(ledger.push(request(Vec::new())).await, Err(IntakeError::UnknownSource));
}

#[tokio::test]
async fn whoever_works_behind_it_is_woken_by_what_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let bell = Arc::new(Bell::default());
    ledger.ring(bell.clone());
    assert!(!bell.is_rung());
    ledger.push(request(vec![set(1, "A", 1)])).await.unwrap();
    bell.wait();
    assert_eq!(ledger.watermark(), 1);
    let (parts, receiver) = mpsc::channel(4);
    parts.send(SnapshotPart::Rows(vec![row(1, "B", 9)])).await.unwrap();
    parts.send(SnapshotPart::End { rows: Some(1) }).await.unwrap();
    ledger.put_snapshot(snapshot_head(1), receiver).await.unwrap();
    bell.wait();
    assert!(ledger.watermark() > 1);
}

#[tokio::test]
async fn the_queue_is_bounded_in_changes() {
    let folder = tempfile::tempdir().unwrap();
    let config = StockConfig { queue_changes_max: 3, any_source: true, ..StockConfig::default() };
    let clock = Clock::starting_at(NOW);
    let ledger = Ledger::open(config, folder.path(), clock, Storage::default()).unwrap();
    let changes = |range: std::ops::RangeInclusive<u64>| request(range.map(|number| set(number, "A", 1)).collect());
    assert_eq!(ledger.push(changes(1..=4)).await, Err(IntakeError::Full { limit: 3 }));
    for first in [1, 4, 7] {
        assert_eq!(ledger.push(changes(first..=first + 2)).await.unwrap().applied, 3, "room comes back");
    }
    assert_eq!(ledger.waiting(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_it_is_closed_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_with(folder.path(), busy()).unwrap();
    let pushers: Vec<_> = (0..8)
        .map(|pusher| {
            let ledger = ledger.clone();
            let source = SourceId::new(&format!("p{pusher}")).unwrap();
            tokio::spawn(async move {
                let mut last = 0;
                loop {
                    let changes = vec![set(last + 1, "A", last), set(last + 2, &format!("P{pusher}"), last + 2)];
                    match ledger.push(Request { source: source.clone(), ..request(changes) }).await {
                        Ok(answer) => last = answer.last_sequence,
                        Err(error) => return (pusher, last, error),
                    }
                }
            })
        })
        .collect();
    while ledger.changes(None, 1).unwrap().watermark < 500 && ledger.intaking() == Intaking::Open {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking({
        let ledger = ledger.clone();
        move || ledger.close()
    })
    .await
    .unwrap();
    let mut ends = Vec::new();
    for pusher in pushers {
        ends.push(pusher.await.unwrap());
    }
    drop(ledger);
    let ledger = open(folder.path());
    for (pusher, last, error) in ends {
        assert_eq!(error, IntakeError::Stopped);
        let source = SourceId::new(&format!("p{pusher}")).unwrap();
        assert_eq!(ledger.source(&source).map_or(0, |report| report.last_sequence), last);
        assert_eq!(figure(&ledger, &format!("P{pusher}")), (last > 0).then(|| last.to_string()));
    }
}

/// The journal of three requests of two changes, in a folder without rows.
async fn small_journal() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("synced");
    let ledger = open_with(folder.path(), Storage { witness: Some(witness.clone()), ..journal_only() }).unwrap();
    for first in [1, 3, 5] {
        ledger.push(request(vec![set(first, "A", first), set(first + 1, "B", first)])).await.unwrap();
    }
    let copied = tempfile::tempdir().unwrap();
    copy(&journal_folder(folder.path()), &journal_folder(copied.path()));
    let synced = witnessed(&witness).unwrap();
    ledger.close();
    let path = segment_path(&journal_folder(copied.path()), synced.segment);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, synced.at);
    (copied, path, bytes)
}

/// What a start reads of a journal, without the rows beside it.
fn replayed(folder: &Path, path: &Path, bytes: &[u8]) -> Result<Vec<Batch>, JournalError> {
    fs::write(path, bytes).unwrap();
    let (mut batches, mut unpacking) = (Vec::new(), Unpacking::default());
    GroupJournal::open(&journal_folder(folder), None, |_, record| {
        batches.push(unpacking.batch(record).ok_or("not one of the ledger's")?);
        Ok(())
    })?;
    Ok(batches)
}

fn opened(folder: &Path, path: &Path, bytes: &[u8]) -> Result<Ledger, LedgerError> {
    let _ = fs::remove_dir_all(folder.join("rows"));
    fs::write(path, bytes).unwrap();
    open_with(folder, journal_only())
}

/// Every so many bytes all of the ledger is opened: a start of the rows' engine takes its time.
const OPENED_EVERY: usize = 37;

#[tokio::test]
async fn a_journal_cut_anywhere_has_whole_requests_or_none() {
    let (folder, path, bytes) = small_journal().await;
    let all = replayed(folder.path(), &path, &bytes).unwrap();
    assert_eq!(all.len(), 3);
    for at in 0..bytes.len() {
        let batches = replayed(folder.path(), &path, &bytes[..at]).unwrap();
        assert!(batches.len() < 3 && batches == all[..batches.len()], "cut at {at}");
        if at % OPENED_EVERY == 0 {
            let ledger = opened(folder.path(), &path, &bytes[..at]).unwrap();
            let last = ledger.source(&wms()).map_or(0, |report| report.last_sequence);
            assert_eq!(last, batches.len() as u64 * 2, "cut at {at}");
            assert_eq!(figure(&ledger, "A"), figure(&ledger, "B"), "cut at {at}");
        }
    }
}

#[tokio::test]
async fn a_journal_with_a_flipped_byte_is_named_and_not_opened() {
    let (folder, path, bytes) = small_journal().await;
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        match replayed(folder.path(), &path, &bad) {
            Err(JournalError::Damaged { path: named, .. }) => assert_eq!(named, path),
            other => panic!("byte {at}: {other:?}"),
        }
        if at % OPENED_EVERY == 0 {
            let error = opened(folder.path(), &path, &bad).unwrap_err();
            assert_eq!(error.reason(), "storage_damaged", "byte {at}: {error}");
        }
    }
}

#[tokio::test]
async fn rows_without_their_journal_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    ledger.push(request(vec![set(1, "A", 1)])).await.unwrap();
    ledger.close();
    drop(ledger);
    fs::remove_dir_all(journal_folder(folder.path())).unwrap();
    let opened = open_with(folder.path(), Storage::default());
    assert_eq!(opened.unwrap_err().reason(), "storage_damaged");
}

#[tokio::test]
async fn pending_orders_decide_what_is_urgent() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let mut changes = vec![set(1, "A", 5), set(2, "A", 5), set(3, "B", 5)];
    if let Ok(movement) = &mut changes[1].movement {
        movement.key.measure = Measure::Pending;
        movement.key.row = RowId::new("order 1").unwrap();
    }
    ledger.push(request(changes)).await.unwrap();
    let page = ledger.changes(None, 10).unwrap();
    let urgent: Vec<_> = page.rows.iter().map(|row| (row.key.as_str(), row.urgent)).collect();
    assert_eq!(urgent, [("A", true), ("B", false)]);
    let mut net = None;
    ledger.levels().view(NOW).figures("A", |figures| net = Some(figures.net), &mut Vec::new());
    assert_eq!(net, Some(Net::Known(Quantity::ZERO)));
    // A request in the same round as another sees what that did.
    let (one, other) =
        tokio::join!(ledger.push(request(vec![set(4, "B", 0)])), ledger.push(request(vec![set(5, "B", 7)])),);
    assert_eq!((one.unwrap().applied, other.unwrap().applied), (1, 1));
    let page = ledger.changes(Some(&page.cursor), 10).unwrap();
    assert_eq!(page.rows.iter().map(|row| row.urgent).collect::<Vec<_>>(), [false]);
}

fn snapshot_head(sequence: u64) -> SnapshotHead {
    SnapshotHead {
        source: wms(),
        epoch: Epoch::default(),
        sequence: Some(sequence),
        locations: Vec::new(),
        measures: Vec::new(),
        rows: None,
        force: false,
        dry_run: false,
    }
}

fn row(line: u64, sku: &str, quantity: u64) -> SnapshotLine {
    let quantity = quantity.to_string().parse().unwrap();
    SnapshotLine { line, row: Ok(SnapshotRow { key: key(sku), quantity, expected_on: None, expires_at: None }) }
}

fn added(sequence: u64, sku: &str) -> Change {
    let mut change = set(sequence, sku, 1);
    if let Ok(movement) = &mut change.movement {
        movement.kind = ChangeKind::Add;
    }
    change
}

/// `COMPTOIR_SNAPSHOT_ROWS` is how many rows; 20,000 where it is not set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_beside_live_changes_ends_in_exactly_what_its_source_holds() {
    let rows: u64 = std::env::var("COMPTOIR_SNAPSHOT_ROWS").map_or(20_000, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_with(folder.path(), Storage { pace: busy().pace, ..Storage::default() }).unwrap();
    // Twice, so that there are figures that stay, move and go.
    let (mut sequence, mut held) = (0, BTreeMap::new());
    for (round, from) in [0, rows / 100].into_iter().enumerate() {
        for _ in 0..10 {
            let changes = (0..100).map(|n| set(sequence + 1 + n, &format!("S{n}"), sequence + n)).collect();
            ledger.push(request(changes)).await.unwrap();
            sequence += 100;
        }
        let at = sequence;
        held.clear();
        held.extend((0..100).map(|n| (format!("S{n}"), at - 100 + n)));
        held.extend((from.max(100)..from + rows).map(|n| (format!("S{n}"), n % 9 + 1 + round as u64 % 2)));
        let (parts, receiver) = mpsc::channel(4);
        let put = tokio::spawn(ledger.put_snapshot(snapshot_head(at), receiver));
        let lines: Vec<_> = held.iter().zip(1..).map(|((sku, quantity), line)| row(line, sku, *quantity)).collect();
        let count = lines.len() as u64;
        let live = tokio::spawn({
            let ledger = ledger.clone();
            async move {
                let mut sequence = sequence;
                for _ in 0..200 {
                    let changes = (1..=20).map(|n| added(sequence + n, &format!("S{}", (sequence + n) % 97)));
                    ledger.push(request(changes.collect())).await.unwrap();
                    sequence += 20;
                }
                sequence
            }
        });
        for some in lines.chunks(1000) {
            parts.send(SnapshotPart::Rows(some.to_vec())).await.unwrap();
        }
        parts.send(SnapshotPart::End { rows: Some(count) }).await.unwrap();
        let answer = put.await.unwrap().unwrap();
        assert_eq!((answer.rows, answer.rejected), (count, 0));
        sequence = live.await.unwrap();
        for number in at + 1..=sequence {
            *held.entry(format!("S{}", number % 97)).or_insert(0) += 1;
        }
        let check = |ledger: &Ledger| {
            let mut left = held.clone();
            ledger.levels().for_each(|told, _| {
                let figure = left.remove(told.key.sku.as_str()).unwrap_or(0);
                assert_eq!(told.row.quantity.to_string(), figure.to_string(), "{}", told.key.sku);
                assert!(!told.suspect);
            });
            assert_eq!(left, BTreeMap::new());
            assert_eq!(ledger.source(&wms()).unwrap().last_sequence, sequence);
        };
        check(&ledger);
    }
    let watermark = ledger.changes(None, 1).unwrap().watermark;
    ledger.close();
    drop(ledger);
    let ledger = open(folder.path());
    assert_eq!(ledger.changes(None, 1).unwrap().watermark, watermark);
    let mut total = 0;
    ledger.levels().for_each(|told, _| {
        assert_eq!(told.row.quantity.to_string(), held.get(told.key.sku.as_str()).unwrap_or(&0).to_string());
        total += 1;
    });
    assert!(total >= held.len());
    let net = |sku: &str| {
        let mut net = Net::Unknown;
        ledger.levels().view(NOW).figures(sku, |figures| net = figures.net, &mut Vec::new());
        net
    };
    assert_eq!(net("NEVER"), Net::Known(Quantity::ZERO), "all of it is known");
}

#[tokio::test]
async fn a_snapshot_that_is_cut_off_or_refused_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    ledger.push(request(vec![set(1, "A", 5)])).await.unwrap();
    let (parts, receiver) = mpsc::channel(4);
    let put = tokio::spawn(ledger.put_snapshot(snapshot_head(1), receiver));
    parts.send(SnapshotPart::Rows(vec![row(1, "A", 9), row(2, "B", 9)])).await.unwrap();
    drop(parts);
    assert_eq!(put.await.unwrap(), Err(SnapshotError::Cut { rows: 2 }));
    // Some that never end keep the next one out, until they are given up.
    let open: Vec<_> = (0..SNAPSHOTS_AT_ONCE).map(|_| mpsc::channel(1)).collect();
    let (open, receivers): (Vec<_>, Vec<_>) = open.into_iter().unzip();
    let staged: Vec<_> =
        receivers.into_iter().map(|receiver| tokio::spawn(ledger.put_snapshot(snapshot_head(1), receiver))).collect();
    tokio::task::yield_now().await;
    let full = ledger.put_snapshot(snapshot_head(1), mpsc::channel(1).1).await;
    assert_eq!(full, Err(IntakeError::Snapshots { limit: SNAPSHOTS_AT_ONCE }.into()));
    drop(open);
    for staged in staged {
        assert_eq!(staged.await.unwrap(), Err(SnapshotError::Cut { rows: 0 }));
    }
    for (told, taken) in [(3, false), (2, true)] {
        let (parts, receiver) = mpsc::channel(4);
        parts.send(SnapshotPart::Rows(vec![row(1, "A", 9), row(2, "B", 9)])).await.unwrap();
        parts.send(SnapshotPart::End { rows: Some(told) }).await.unwrap();
        let answer = ledger.put_snapshot(snapshot_head(1), receiver).await;
        assert_eq!(answer.is_ok(), taken, "{answer:?}");
        assert_eq!(figure(&ledger, "A").as_deref(), Some(if taken { "9" } else { "5" }));
    }
    ledger.close();
    let (_, receiver) = mpsc::channel(1);
    assert_eq!(ledger.put_snapshot(snapshot_head(2), receiver).await, Err(SnapshotError::Cut { rows: 0 }));
}
