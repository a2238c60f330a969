//! Rules for snapshots.

use super::numbers::head;
use super::*;

fn at(sequence: u64) -> SnapshotHead {
    SnapshotHead { sequence: Some(sequence), ..head() }
}

fn of(location: &str, head: SnapshotHead) -> SnapshotHead {
    SnapshotHead { locations: vec![LocationId::new(location).unwrap()], ..head }
}

#[test]
fn what_is_not_in_it_is_zero_and_known_to_be() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "NUT", "2"), set(3, "BOLT PARIS RESERVED o1", "1")]);
    court.pass(1000);
    let answer = court.snapshot(at(3), &[("BOLT", "1"), ("SCREW", "7")]).unwrap();
    assert_eq!((answer.rows, answer.changed, answer.zeroed, answer.last_sequence), (2, 3, 1, 3));
    assert_eq!(court.figure("BOLT").as_deref(), Some("1"));
    assert_eq!(court.row("BOLT").unwrap().changed_at, NOW, "it did not move");
    assert_eq!(court.figure("NUT").as_deref(), Some("0"));
    assert_eq!(court.row("NUT").unwrap().changed_at, court.now);
    assert_eq!(court.figure("BOLT PARIS RESERVED o1"), None);
    for restarts in [false, true] {
        if restarts {
            court.restart();
        }
        assert_eq!(court.net("NEVER"), Net::Known(q("0")));
        assert_eq!(court.net("SCREW"), Net::Known(q("7")), "a net figure that nobody gave is not zero");
    }
}

#[test]
fn changes_after_its_number_are_laid_over_it() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![
        set(1, "BOLT", "10"),
        set(2, "NUT", "20"),
        add(3, "BOLT", "-1"),
        set(4, "SCREW", "5"),
        broken(5, Some("NUT")),
        set(6, "BOLT PARIS RESERVED o1", "2"),
        set(7, "BOLT PARIS RESERVED o2", "2"),
        set(8, "BOLT PARIS RESERVED o2", "0"),
    ]);
    // As of 2, from a source that counted again: there were 12.
    let rows = [("BOLT", "12"), ("NUT", "20"), ("BOLT PARIS RESERVED o2", "1")];
    let answer = court.snapshot(at(2), &rows).unwrap();
    assert_eq!((answer.last_sequence, court.report().last_sequence), (8, 8), "a position never goes back");
    assert_eq!(court.figure("BOLT").as_deref(), Some("11"));
    assert_eq!(court.figure("SCREW").as_deref(), Some("5"));
    assert_eq!(court.figure("BOLT PARIS RESERVED o1").as_deref(), Some("2"));
    assert_eq!(court.figure("BOLT PARIS RESERVED o2"), None);
    assert!(court.is_suspect("NUT"), "5 was about it, and nobody knows what it said");
    assert_eq!(court.snapshot(at(2), &rows), Err(SnapshotError::OutOfDate), "it was taken already");
    court.snapshot(at(5), &[("BOLT", "11"), ("NUT", "21"), ("SCREW", "5")]).unwrap();
    assert!(!court.is_suspect("NUT"));
    court.restart();
    assert_eq!(court.figure("BOLT PARIS RESERVED o1").as_deref(), Some("2"));
}

#[test]
fn a_number_that_is_not_remembered_is_too_old() {
    let mut court = court(vec![SourceConfig { on_gap: OnGap::Continue, ..source("wms") }]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "BOLT", "2"), after(4, set(5, "BOLT", "5"))]);
    let too_old = court.snapshot(at(2), &[("BOLT", "2")]);
    assert_eq!(too_old, Err(SnapshotError::TooOld { remembered: 4 }), "3 and 4 never came");
    court.snapshot(at(4), &[("BOLT", "4")]).unwrap();
    assert_eq!(court.figure("BOLT").as_deref(), Some("5"));
    let many = (6..=10_006).map(|number| set(number, "NUT", "1")).collect();
    court.push(many);
    assert_eq!(court.snapshot(at(5), &[("BOLT", "5")]), Err(SnapshotError::TooOld { remembered: 6 }));
    court.restart();
    assert_eq!(court.snapshot(at(5), &[("BOLT", "5")]), Err(SnapshotError::TooOld { remembered: 6 }));
    court.snapshot(at(6), &[("BOLT", "5")]).unwrap();
}

#[test]
fn a_later_number_ends_a_gap() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    court.push(vec![set(9, "BOLT", "9")]);
    court.snapshot(at(5), &[("BOLT", "5")]).unwrap();
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::Gap, 5), "9 was seen");
    court.snapshot(at(9), &[("BOLT", "9")]).unwrap();
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::InSequence, 9));
    assert_eq!(court.verdicts(vec![set(9, "BOLT", "9"), set(10, "BOLT", "10")]), [DUPLICATE, APPLIED]);
}

#[test]
fn a_part_moves_the_position_and_leaves_the_rest_behind_until_it_is_covered_too() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "BOLT LYON", "2")]);
    let measures = vec![OnHand];
    let part = |location, sequence| SnapshotHead { measures: measures.clone(), ..of(location, at(sequence)) };
    court.snapshot(part("PARIS", 7), &[("BOLT", "7")]).unwrap();
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::Gap, 7));
    assert!(court.is_suspect("BOLT LYON") && !court.is_suspect("BOLT"));
    court.restart();
    assert_eq!(court.state(), SourceState::Gap);
    assert_eq!(court.verdicts(vec![set(8, "BOLT", "8")]), [APPLIED], "changes go on");
    assert_eq!(court.state(), SourceState::Gap);
    assert_eq!(court.snapshot(part("LYON", 6), &[("BOLT LYON", "3")]), Err(SnapshotError::TooOld { remembered: 7 }));
    court.snapshot(part("LYON", 7), &[("BOLT LYON", "3")]).unwrap();
    assert_eq!(court.state(), SourceState::InSequence);
    assert!(!court.is_suspect("BOLT LYON"));
    // Given up instead, it stays marked.
    court.snapshot(part("PARIS", 20), &[("BOLT", "7")]).unwrap();
    assert_eq!(court.state(), SourceState::Gap);
    court.skip(None).unwrap();
    assert_eq!(court.state(), SourceState::InSequence);
    assert!(court.is_suspect("BOLT LYON"));
}

#[test]
fn a_bad_row_keeps_its_figure_and_a_bad_key_refuses_all() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "NUT", "2")]);
    let good = |at: &str, quantity: &str| {
        Ok(SnapshotRow { key: key(at), quantity: q(quantity), expected_on: None, expires_at: None })
    };
    let bad =
        |at: Option<&str>| Err(Unreadable { reason: "malformed_decimal", detail: "\"1,5\"".into(), key: at.map(key) });
    let answer = court.lines(at(3), vec![good("BOLT", "5"), bad(Some("NUT")), bad(Some("SCREW"))]).unwrap();
    assert_eq!((answer.rows, answer.rejected), (3, 2));
    assert_eq!(answer.rejects.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(court.figure("NUT").as_deref(), Some("2"));
    assert!(court.is_suspect("NUT") && court.is_suspect("SCREW") && !court.is_suspect("BOLT"));
    // Whatever was added to it since is in that figure.
    court.push(vec![add(4, "BOLT", "-1"), add(5, "NUT", "-1")]);
    court.lines(at(4), vec![good("BOLT", "4"), bad(Some("NUT"))]).unwrap();
    assert_eq!(court.figure("NUT").as_deref(), Some("1"));
    let lines = |result| match result {
        Err(SnapshotError::Lines { reason, lines, .. }) => (reason, lines),
        other => panic!("{other:?}"),
    };
    let doubled = court.lines(at(5), vec![good("BOLT", "6"), good("NUT", "6"), good("BOLT", "7"), bad(Some("NUT"))]);
    assert_eq!(lines(doubled), ("duplicate_key", vec![3, 4]));
    let unreadable = court.lines(at(5), (0..30).map(|_| bad(None)).collect());
    assert_eq!(lines(unreadable), ("malformed_row", (1..=20).collect()));
    assert_eq!(court.figure("BOLT").as_deref(), Some("4"));
}

#[test]
fn rows_outside_of_its_scope_refuse_it() {
    let wms = SourceConfig { locations: vec![LocationId::new("PARIS").unwrap()], ..source("wms") };
    let mut court = court(vec![wms, source("erp")]);
    let outside = court.snapshot(at(1), &[("BOLT", "1"), ("BOLT LYON", "1")]);
    assert_eq!(outside.unwrap_err().reason(), "not_owner");
    let foreign = court.snapshot(of("LYON", at(1)), &[]);
    assert_eq!(foreign.unwrap_err().reason(), "not_owner");
    let on_hand = SnapshotHead { measures: vec![OnHand], ..at(1) };
    let outside = court.snapshot(on_hand, &[("BOLT", "1"), ("BOLT PARIS RESERVED o", "1")]);
    assert_eq!(outside.unwrap_err().reason(), "out_of_scope");
    assert!(court.history.is_empty());
}

#[test]
fn its_count_must_match() {
    let end = |head_rows, end_rows| {
        let mut staged = Staged::new(SnapshotHead { rows: head_rows, ..at(1) }, 10);
        let row = SnapshotRow { key: key("BOLT"), quantity: q("1"), expected_on: None, expires_at: None };
        staged.take(vec![SnapshotLine { line: 1, row: Ok(row) }]).unwrap();
        staged.end(end_rows)
    };
    assert_eq!(end(Some(1), None), Ok(()));
    assert_eq!(end(None, Some(1)), Ok(()));
    assert_eq!(end(None, None), Err(SnapshotError::RowsUnsaid));
    assert_eq!(end(Some(2), None), Err(SnapshotError::RowsDiffer { said: 2, read: 1 }));
    assert_eq!(end(Some(1), Some(2)), Err(SnapshotError::RowsDiffer { said: 2, read: 1 }));
}

#[test]
fn an_emptied_file_is_refused_until_it_is_said_twice_or_forced() {
    let skus: Vec<String> = (0..100).map(|n| format!("S{n}")).collect();
    let rows = |count: usize| skus[..count].iter().map(|sku| (sku.as_str(), "1")).collect::<Vec<_>>();
    let full = || {
        let mut court = court(vec![source("wms")]);
        court.snapshot(at(1), &rows(100)).unwrap();
        court
    };
    let mut court = full();
    assert_eq!(court.snapshot(at(2), &rows(50)).map(|answer| answer.zeroed), Ok(50), "not more than 50");
    let mut court = full();
    let tried = court.snapshot(SnapshotHead { dry_run: true, ..at(2) }, &[]).unwrap();
    assert_eq!((tried.zeroed, tried.dry_run, tried.last_sequence), (100, true, 2));
    assert_eq!(court.snapshot(at(2), &[]), Err(SnapshotError::TooManyZeros { zeroed: 100, rows: 100 }));
    assert_eq!(court.figure("S0").as_deref(), Some("1"));
    assert_eq!(court.report().last_sequence, 1);
    assert_eq!(
        court.snapshot(at(3), &rows(40)),
        Err(SnapshotError::TooManyZeros { zeroed: 60, rows: 100 }),
        "that is another one"
    );
    assert_eq!(court.snapshot(at(4), &rows(37)).map(|answer| answer.zeroed), Ok(63), "about the same again");
    let mut court = full();
    assert_eq!(court.snapshot(SnapshotHead { force: true, ..at(2) }, &[]).map(|answer| answer.zeroed), Ok(100));
    assert_eq!(court.figure("S0").as_deref(), Some("0"));
    // Another place emptied is not this one said twice, nor is this one a day later.
    let mut court = full();
    let lyon: Vec<String> = (0..100).map(|n| format!("S{n} LYON")).collect();
    let both = |lyon: &[String]| {
        let rows = rows(100).into_iter().map(|(at, quantity)| (at.to_owned(), quantity));
        rows.chain(lyon.iter().map(|at| (at.clone(), "1"))).collect::<Vec<_>>()
    };
    let told = both(&lyon);
    court.snapshot(at(2), &told.iter().map(|(at, quantity)| (at.as_str(), *quantity)).collect::<Vec<_>>()).unwrap();
    assert!(court.snapshot(of("PARIS", at(3)), &[]).is_err());
    assert!(court.snapshot(of("LYON", at(4)), &[]).is_err());
    court.pass(25 * 3600 * 1000);
    assert!(court.snapshot(of("LYON", at(5)), &[]).is_err());
    court.snapshot(of("LYON", at(6)), &[]).unwrap();
    // Few of many may be emptied.
    let many: Vec<String> = (0..1000).map(|n| format!("M{n}")).collect();
    let rows = |from: usize| many[from..].iter().map(|sku| (sku.as_str(), "1")).collect::<Vec<_>>();
    let mut court = self::court(vec![source("wms")]);
    court.snapshot(at(1), &rows(0)).unwrap();
    assert_eq!(court.snapshot(at(2), &rows(200)).map(|answer| answer.zeroed), Ok(200));
}

#[test]
fn a_try_does_nothing() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let before = court.history.len();
    let answer = court.snapshot(SnapshotHead { dry_run: true, ..at(9) }, &[("NUT", "1")]).unwrap();
    assert_eq!((answer.changed, answer.zeroed, answer.last_sequence), (2, 1, 9));
    assert!(court.history[before..].iter().all(|batch| batch.events.is_empty()));
    assert_eq!((court.figure("NUT"), court.report().last_sequence), (None, 1));
}

#[test]
fn a_first_contact_may_be_a_snapshot() {
    let mut court = court(vec![source("wms")]);
    court.snapshot(at(500), &[("BOLT", "1")]).unwrap();
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::InSequence, 500));
    court.restart();
    assert_eq!(court.verdicts(vec![set(500, "BOLT", "9"), set(501, "BOLT", "2")]), [DUPLICATE, APPLIED]);
    let unnumbered = court.snapshot(head(), &[("BOLT", "1")]);
    assert_eq!(unnumbered.unwrap_err().reason(), "sequence_missing");
    let nobody = SnapshotHead { source: SourceId::new("nobody").unwrap(), ..at(1) };
    assert_eq!(court.snapshot(nobody, &[]).unwrap_err().reason(), "unknown_source");
    let gone = SnapshotHead { epoch: Epoch::new("e2").unwrap(), ..at(1) };
    court.snapshot(gone, &[("BOLT", "1")]).unwrap();
    assert_eq!(court.snapshot(at(900), &[("BOLT", "1")]), Err(SnapshotError::OutOfDate), "its epoch is over");
}

#[test]
fn net_figures_are_complete_where_they_are_given() {
    let mut court = court(vec![source("wms")]);
    court.snapshot(at(1), &[("BOLT PARIS AVAILABLE", "4"), ("BOLT", "9")]).unwrap();
    assert_eq!(court.net("BOLT"), Net::Known(q("4")));
    assert_eq!(court.net("NEVER"), Net::Known(q("0")));
    court.snapshot(at(2), &[("BOLT", "9")]).unwrap();
    assert_eq!(court.net("BOLT"), Net::Known(q("0")), "it was given, and is given no more");
    let mut court = self::court(vec![source("wms")]);
    court.snapshot(at(1), &[("BOLT LYON AVAILABLE", "4"), ("BOLT", "9")]).unwrap();
    assert_eq!(court.net("BOLT"), Net::Known(q("9")), "given elsewhere, it says nothing of here");
}

#[test]
fn pending_orders_that_a_snapshot_reserves_are_over() {
    let shop = SourceConfig { measures: vec![Pending], ..source("shop") };
    let mut court = court(vec![source("wms"), shop]);
    let shop = SourceId::new("shop").unwrap();
    court.push(vec![set(1, "BOLT", "10")]);
    let changes = vec![set(1, "BOLT PARIS PENDING o1", "2"), set(2, "BOLT PARIS PENDING o2", "2")];
    court.request(&Request { source: shop.clone(), epoch: Epoch::default(), changes, heartbeat: None });
    court.snapshot(at(2), &[("BOLT", "10"), ("BOLT PARIS RESERVED o1", "2")]).unwrap();
    assert_eq!(court.net("BOLT"), Net::Known(q("6")), "10 - 2 reserved - 2 pending");
    assert_eq!(court.figure("BOLT PARIS PENDING o1"), None);
    assert_eq!(court.state(), SourceState::InSequence, "ending an order of the shop's is not speaking of it");
    let restored = SnapshotHead { epoch: Epoch::new("e2").unwrap(), ..at(1) };
    court.snapshot(restored, &[("BOLT", "10"), ("BOLT PARIS RESERVED o1", "2")]).unwrap();
    // And the other way round.
    let rows = [("BOLT PARIS PENDING o1", "2"), ("BOLT PARIS PENDING o2", "2")];
    court.snapshot(SnapshotHead { source: shop, ..at(3) }, &rows).unwrap();
    assert_eq!(court.figure("BOLT PARIS PENDING o1"), None);
    assert_eq!(court.net("BOLT"), Net::Known(q("6")));
}

#[test]
fn what_another_source_told_before_is_its_new_owners_from_then_on() {
    let (old, new) = (source("old"), source("wms"));
    let mut court = court(vec![old.clone()]);
    let told = SnapshotHead { source: old.name.clone(), ..at(1) };
    court.snapshot(told, &[("BOLT", "9"), ("NUT", "0")]).unwrap();
    court.config = StockConfig { sources: vec![new], ..StockConfig::default() };
    let mut judge = Judge::new(&court.config);
    court.history.iter().for_each(|batch| judge.apply(batch));
    court.judge = judge;
    court.snapshot(at(1), &[("BOLT", "9"), ("NUT", "0")]).unwrap();
    court.levels.for_each(|told, by| assert_eq!(by.as_str(), "wms", "{told:?}"));
}

#[test]
fn who_numbers_from_zero_numbers() {
    let mut court = court(vec![source("wms")]);
    court.snapshot(at(0), &[("BOLT", "1")]).unwrap();
    court.restart();
    assert_eq!(court.snapshot(head(), &[("BOLT", "1")]).unwrap_err().reason(), "sequence_missing");
    assert_eq!(court.verdicts(vec![set(1, "BOLT", "2")]), [APPLIED]);
}
