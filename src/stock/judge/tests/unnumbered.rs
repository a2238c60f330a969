//! Rules for sources that do not number: `eventId` and `effectiveAt`.

use super::*;

fn timed(event_id: &str, at: Timestamp, movement: Movement) -> Change {
    let hash = crc(&format!("{event_id} {movement:?}"));
    let event_id = (!event_id.is_empty()).then(|| event_id.into());
    Change { sequence: None, after: None, event_id, effective_at: Some(at), movement: Ok(movement), hash }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

fn set(event_id: &str, time: Timestamp, row: &str, quantity: &str) -> Change {
    timed(event_id, time, movement(ChangeKind::Set, row, quantity))
}

fn add(event_id: &str, time: Timestamp, row: &str, quantity: &str) -> Change {
    timed(event_id, time, movement(ChangeKind::Add, row, quantity))
}

#[test]
fn the_newest_set_wins_and_equal_times_go_by_arrival() {
    let mut court = court(vec![source("wms")]);
    assert_eq!(court.verdicts(vec![set("a", at(10), "BOLT", "10")]), [APPLIED]);
    assert_eq!(court.verdicts(vec![set("b", at(5), "BOLT", "5")]), [OUT_OF_DATE]);
    assert_eq!(court.verdicts(vec![set("c", at(10), "BOLT", "11")]), [APPLIED]);
    court.restart();
    assert_eq!(court.figure("BOLT").as_deref(), Some("11"));
    let again = court.push(vec![set("b", at(5), "BOLT", "5")]);
    assert_eq!(said(&again), [DUPLICATE]);
    assert_eq!(again.outcomes[0].original.unwrap().verdict, Verdict::OutOfDate);
    assert_eq!(court.verdicts(vec![set("b", at(5), "BOLT", "6")]), [("CONFLICT", "event_id_reused")]);
    assert_eq!(court.report().last_heard, Some(NOW));
}

#[test]
fn what_is_missing_is_said() {
    let mut court = court(vec![source("wms")]);
    let timeless = |change: Change| Change { effective_at: None, ..change };
    assert_eq!(
        court.verdicts(vec![
            timeless(set("a", NOW, "BOLT", "1")),
            set("", NOW, "BOLT", "1"),
            add("", NOW, "BOLT", "1"),
            timeless(add("b", NOW, "BOLT", "1")),
            add("c", NOW, "BOLT", "1"),
        ]),
        [
            ("REJECTED", "effective_at_missing"),
            APPLIED,
            ("REJECTED", "event_id_missing"),
            ("REJECTED", "effective_at_missing"),
            APPLIED
        ]
    );
    assert_eq!(court.figure("BOLT").as_deref(), Some("2"));
}

#[test]
fn a_clock_that_is_ahead_is_not_believed() {
    let mut court = court(vec![source("wms")]);
    let ahead = |seconds| set("", at(seconds), "BOLT", "3");
    assert_eq!(court.verdicts(vec![ahead(300), ahead(301)]), [APPLIED, ("REJECTED", "clock_ahead")]);
    assert!(court.is_suspect("BOLT"));
}

#[test]
fn an_add_older_than_what_is_remembered_is_not_taken() {
    let limits = SourceConfig { dedupe_window: Duration::from_secs(60), ..source("wms") };
    let mut court = court(vec![limits]);
    court.push(vec![set("base", at(-500), "BOLT", "10")]);
    let late = add("late", at(-61), "BOLT", "1");
    assert_eq!(court.verdicts(vec![late.clone()]), [("REJECTED", "too_old_to_deduplicate")]);
    assert!(court.is_suspect("BOLT"));
    let kept = add("kept", at(-59), "BOLT", "1");
    assert_eq!(court.verdicts(vec![kept.clone()]), [APPLIED]);
    court.pass(50_000);
    court.restart();
    assert_eq!(court.verdicts(vec![kept.clone()]), [DUPLICATE], "as long as it may come again it is known");
    court.pass(1_000_000);
    court.push(vec![set("other", court.now, "NUT", "1")]);
    assert_eq!(court.verdicts(vec![kept]), [("REJECTED", "too_old_to_deduplicate")]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("11"), "never twice");
}

#[test]
fn what_a_set_already_holds_is_not_added_to_it() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set("a", at(0), "BOLT", "10"), set("b", at(10), "BOLT", "13")]);
    assert_eq!(court.verdicts(vec![add("c", at(5), "BOLT", "3")]), [OUT_OF_DATE], "the 13 has it");
    assert_eq!(court.verdicts(vec![add("d", at(20), "BOLT", "1")]), [APPLIED]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("14"));
    assert!(!court.is_suspect("BOLT"));
    // Told late, between the last SET and an ADD: what of the ADD is in it?
    assert_eq!(court.verdicts(vec![set("e", at(15), "BOLT", "20")]), [APPLIED]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("20"));
    assert!(court.is_suspect("BOLT"));
    court.push(vec![set("f", at(25), "BOLT", "21")]);
    assert!(!court.is_suspect("BOLT"));
}

#[test]
fn a_late_word_does_not_bring_a_removed_row_back() {
    let limits = SourceConfig { dedupe_window: Duration::from_secs(60), ..source("wms") };
    let mut court = court(vec![limits]);
    let row = "BOLT PARIS PENDING o1";
    court.push(vec![set("a", at(0), "BOLT", "10"), set("b", at(1), row, "2"), set("c", at(5), row, "0")]);
    assert_eq!(court.figure(row), None);
    court.restart();
    assert_eq!(court.verdicts(vec![set("d", at(3), row, "2")]), [OUT_OF_DATE]);
    assert_eq!(court.net("BOLT"), Net::Known(q("10")));
    assert_eq!(court.verdicts(vec![add("e", at(6), row, "2")]), [("REJECTED", "no_base_figure")]);
    court.pass(60_000);
    court.tick();
    assert_eq!(court.levels.row(&key(row)), None, "it is not remembered for ever");
}

#[test]
fn who_once_numbered_must_number() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set("a", at(0), "BOLT", "10")]);
    assert_eq!(court.verdicts(vec![super::set(1, "BOLT", "1")]), [APPLIED]);
    court.restart();
    assert_eq!(court.verdicts(vec![set("b", at(9), "BOLT", "10")]), [("REJECTED", "sequence_missing")]);
    let unreadable = Change { sequence: None, ..broken(2, Some("BOLT")) };
    assert_eq!(court.verdicts(vec![unreadable]), [("REJECTED", "malformed_decimal")], "what is wrong is said first");
    assert!(court.is_suspect("BOLT"));
}

#[test]
fn a_snapshot_without_a_number_is_of_now() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set("a", at(0), "BOLT", "10"), set("b", at(0), "NUT", "4")]);
    court.pass(60_000);
    court.snapshot(numbers::head(), &[("BOLT", "10"), ("NUT", "5")]).unwrap();
    assert_eq!(court.verdicts(vec![set("c", at(30), "BOLT", "8")]), [OUT_OF_DATE], "the snapshot is newer");
    assert_eq!(
        court.verdicts(vec![add("d", at(30), "SCREW", "8")]),
        [OUT_OF_DATE],
        "so are the zeros that follow from it"
    );
    assert_eq!(court.verdicts(vec![add("e", at(61), "SCREW", "8")]), [APPLIED]);
    assert_eq!(court.figure("SCREW").as_deref(), Some("8"));
    court.restart();
    assert_eq!(court.verdicts(vec![set("f", at(30), "BOLT", "8")]), [OUT_OF_DATE]);
    // Once it numbers, its numbers are what counts.
    assert_eq!(court.verdicts(vec![super::set(1, "BOLT", "7")]), [APPLIED]);
    let numbered = SnapshotHead { sequence: Some(2), ..numbers::head() };
    court.snapshot(numbered, &[("BOLT", "6"), ("NUT", "5"), ("SCREW", "8")]).unwrap();
    assert_eq!(court.figure("BOLT").as_deref(), Some("6"));
}
