//! Rules for sources that number their changes.

use super::*;

#[test]
fn a_level_is_the_sum_of_its_rows() {
    let mut court = court(vec![source("wms")]);
    let changes = vec![
        set(1, "BOLT", "10"),
        set(2, "BOLT PARIS RESERVED order-1", "3"),
        set(3, "BOLT PARIS RESERVED order-2", "1.5"),
        add(4, "BOLT", "-0.5"),
    ];
    let decision = court.push(changes);
    assert_eq!(said(&decision), [APPLIED; 4]);
    assert_eq!(decision.last_sequence, 4);
    assert_eq!(court.net("BOLT"), Net::Known(q("5")));
    // One place in the change log for all that a request does to a SKU.
    assert!(decision.outcomes.iter().all(|outcome| outcome.change_id == Some(1)));
    court.push(vec![set(5, "BOLT PARIS RESERVED order-1", "0")]);
    assert_eq!(court.figure("BOLT PARIS RESERVED order-1"), None, "SET 0 removes a named row");
    assert_eq!(court.net("BOLT"), Net::Known(q("8")));
    court.push(vec![set(6, "BOLT", "0")]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("0"), "that there is none is known");
}

#[test]
fn a_figure_that_does_not_move_has_no_change() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "10")]);
    court.pass(5000);
    let decision = court.push(vec![set(2, "BOLT", "10.0"), add(3, "BOLT", "0"), set(4, "NUT", "0")]);
    let ids: Vec<_> = decision.outcomes.iter().map(|outcome| outcome.change_id).collect();
    assert_eq!(ids, [None, None, Some(2)], "that there is none of it is news");
    assert_eq!(court.row("BOLT").unwrap().changed_at, NOW);
    assert_eq!(court.row("BOLT").unwrap().sequence, 3);
}

#[test]
fn numbers_are_ordered_not_gapless() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let decision = court.push(vec![after(1, set(5, "BOLT", "5")), after(3, set(9, "NUT", "9"))]);
    assert_eq!(said(&decision), [APPLIED; 2], "what it follows is known, whatever lies between");
    assert_eq!(decision.last_sequence, 9);
    assert_eq!(court.verdicts(vec![set(7, "BOLT", "7")]), [DUPLICATE], "it was passed over");
    assert_eq!(court.figure("BOLT").as_deref(), Some("5"));
}

#[test]
fn what_was_said_once_is_said_again() {
    let mut court = court(vec![source("wms")]);
    let changes = || vec![set(1, "BOLT", "1"), broken(2, Some("BOLT")), set(3, "NUT", "3")];
    let first = court.push(changes());
    assert_eq!(said(&first), [APPLIED, ("REJECTED", "malformed_decimal"), APPLIED]);
    for restarts in [false, true] {
        if restarts {
            court.restart();
        }
        let again = court.push(changes());
        assert_eq!(said(&again), [DUPLICATE; 3]);
        for (first, again) in first.outcomes.iter().zip(&again.outcomes) {
            let original = Original { verdict: first.verdict, reason: first.reason, change_id: first.change_id };
            assert_eq!(again.original, Some(original));
        }
    }
    assert_eq!(court.history.last().unwrap().events, [], "a repetition does nothing");
}

#[test]
fn a_rejected_change_takes_its_number_and_marks_its_row() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let decision = court.push(vec![broken(2, Some("BOLT")), broken(3, None), set(4, "NUT", "4")]);
    assert_eq!(
        said(&decision),
        [("REJECTED", "malformed_decimal"), ("REJECTED", "malformed_decimal"), APPLIED],
        "one bad change rejects only itself"
    );
    assert_eq!((decision.last_sequence, court.state()), (4, SourceState::InSequence));
    assert!(court.is_suspect("BOLT"));
    assert_eq!(court.figure("BOLT").as_deref(), Some("1"));
    court.push(vec![add(5, "BOLT", "1")]);
    assert!(court.is_suspect("BOLT"), "what is added to a wrong figure is wrong");
    court.push(vec![set(6, "BOLT", "2")]);
    assert!(!court.is_suspect("BOLT"));
    let rejects = court.report().rejects;
    assert_eq!(rejects.iter().map(|reject| reject.sequence).collect::<Vec<_>>(), [Some(3), Some(2)]);
    assert_eq!(rejects[1].sku.as_ref().unwrap().as_str(), "BOLT");
}

#[test]
fn a_line_of_noise_before_the_others_stops_nobody() {
    let noise = || Change {
        sequence: None,
        movement: Err(Unreadable { reason: "malformed_json", detail: "".into(), key: None }),
        ..set(1, "BOLT", "1")
    };
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let changes = || vec![noise(), set(3, "BOLT", "3"), set(4, "NUT", "4")];
    let request = Request { source: wms(), epoch: Epoch::default(), changes: changes(), heartbeat: None };
    assert!(court.judge.must_wait(&request), "what is missing may be on its way");
    let rejected = ("REJECTED", "malformed_json");
    assert_eq!(court.verdicts(changes()), [rejected, APPLIED, APPLIED]);
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::InSequence, 4));
    assert_eq!(court.verdicts(changes()), [rejected, DUPLICATE, DUPLICATE]);
    assert_eq!(
        court.verdicts(vec![set(2, "BOLT", "2")]),
        [("CONFLICT", "sequence_reused")],
        "it was given up for lost"
    );
    assert!(court.is_suspect("BOLT"));
    // It is no heading, and not two changes.
    assert_eq!(court.verdicts(vec![noise(), set(5, "NUT", "5")]), [rejected, APPLIED]);
    assert_eq!(court.verdicts(vec![noise(), set(8, "NUT", "8")]), [rejected, GAP]);
    let unnumbered = Change { sequence: None, ..broken(6, Some("NUT")) };
    assert_eq!(court.verdicts(vec![unnumbered, set(7, "NUT", "7")])[1], GAP);
}

#[test]
fn an_add_needs_a_figure_to_be_added_to() {
    let mut court = court(vec![source("wms")]);
    assert_eq!(court.verdicts(vec![add(1, "BOLT", "1")]), [("REJECTED", "no_base_figure")]);
    assert_eq!(court.net("BOLT"), Net::Unknown, "no figure is better than an invented one");
    court.push(vec![set(2, "BOLT", "5"), set(3, "BOLT PARIS RESERVED o", "1"), set(4, "BOLT PARIS RESERVED o", "0")]);
    let again = court.verdicts(vec![add(5, "BOLT PARIS RESERVED o", "1"), add(6, "BOLT", "-7")]);
    assert_eq!(again, [("REJECTED", "no_base_figure"), APPLIED]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("-2"), "figures are signed");
    // Where all is known, what is not there is zero.
    court.snapshot(SnapshotHead { sequence: Some(6), ..head() }, &[("BOLT", "-2")]).unwrap();
    assert_eq!(court.verdicts(vec![add(7, "NUT", "3")]), [APPLIED]);
    assert_eq!(court.figure("NUT").as_deref(), Some("3"));
}

#[test]
fn what_comes_too_early_is_not_taken() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let request = |changes| Request { source: wms(), epoch: Epoch::default(), changes, heartbeat: None };
    assert!(court.judge.must_wait(&request(vec![set(3, "BOLT", "3")])));
    assert!(court.judge.must_wait(&request(vec![set(2, "BOLT", "2"), set(4, "BOLT", "4")])), "it is held whole");
    assert!(!court.judge.must_wait(&request(vec![set(2, "BOLT", "2"), set(3, "BOLT", "3"), set(1, "BOLT", "1")])));
    assert!(!court.judge.must_wait(&request(vec![after(1, set(9, "BOLT", "9"))])));
    let decision = court.push(vec![set(3, "BOLT", "3"), set(4, "BOLT", "4")]);
    assert_eq!(said(&decision), [GAP; 2]);
    assert_eq!(decision.outcomes[1].expected_sequence, Some(2));
    assert_eq!(court.figure("BOLT").as_deref(), Some("1"));
    assert_eq!((court.state(), court.report().gap_since), (SourceState::Gap, Some(NOW)));
    court.pass(100);
    court.restart();
    assert_eq!(court.report().gap_since, Some(NOW));
    assert_eq!(court.verdicts(vec![set(2, "BOLT", "2"), set(3, "BOLT", "3")]), [APPLIED; 2]);
    assert_eq!(court.state(), SourceState::Gap, "it said that there is a 4");
    assert_eq!(court.verdicts(vec![set(4, "BOLT", "4")]), [APPLIED]);
    assert_eq!((court.state(), court.report().gap_since), (SourceState::InSequence, None));
}

#[test]
fn a_number_far_beyond_is_not_believed_and_something_is_missing() {
    let mut court = court(vec![SourceConfig { gap_max: 100, ..source("wms") }]);
    court.push(vec![set(1, "BOLT", "1")]);
    let far = 1_000_000_000_000_000_000;
    assert_eq!(court.verdicts(vec![set(far, "BOLT", "3")]), [("REJECTED", "out_of_range")]);
    assert!(court.is_suspect("BOLT"), "what it said is lost");
    assert_eq!(court.heartbeat(far).expected_sequence, Some(2));
    assert_eq!(court.state(), SourceState::Gap, "whatever comes after 1, something does");
    assert_eq!(court.skip(Some(102)), Err(IntakeError::OutOfGap { from: 2, to: 101 }));
    assert_eq!(court.verdicts(vec![set(102, "BOLT", "3")]), [GAP]);
    assert_eq!(court.verdicts(vec![after(1, set(5000, "BOLT", "3"))]), [APPLIED], "nothing is missing before it");
    assert_eq!(court.state(), SourceState::InSequence, "one wrong number does not stop a source for ever");
    // Who goes on over gaps does not go that far either.
    let goes_on = SourceConfig { gap_max: 100, on_gap: OnGap::Continue, ..source("wms") };
    let mut court = self::court(vec![goes_on]);
    court.push(vec![set(1, "BOLT", "1")]);
    assert_eq!((court.heartbeat(far).expected_sequence, court.state()), (Some(2), SourceState::Gap));
    assert_eq!((court.verdicts(vec![set(2, "BOLT", "2")]), court.report().last_sequence), (vec![APPLIED], 2));
}

#[test]
fn a_source_may_go_on_over_a_gap() {
    let mut court = court(vec![SourceConfig { on_gap: OnGap::Continue, ..source("wms") }]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "NUT", "2"), set(3, "SCREW", "3")]);
    let early = |at| Request { source: wms(), epoch: Epoch::default(), changes: Vec::new(), heartbeat: Some(at) };
    assert!(court.judge.must_wait(&early(4)), "what was lost may still be on its way");
    let decision = court.push(vec![set(6, "NUT", "6"), add(7, "SCREW", "1")]);
    assert_eq!(said(&decision), [APPLIED; 2]);
    assert_eq!((decision.last_sequence, court.state()), (7, SourceState::InSequence));
    assert!(court.is_suspect("BOLT") && court.is_suspect("SCREW"), "4 or 5 may have been about them");
    assert!(!court.is_suspect("NUT"), "it was stated since");
    court.restart();
    assert!(court.is_suspect("BOLT"));
    court.push(vec![set(8, "BOLT", "8")]);
    assert!(!court.is_suspect("BOLT"));
    assert_eq!(court.heartbeat(9).last_sequence, 9);
    assert!(court.is_suspect("BOLT"), "9 was lost");
    assert_eq!(court.verdicts(vec![set(9, "BOLT", "9")]), [DUPLICATE]);
}

#[test]
fn a_heartbeat_beyond_what_is_known_is_a_gap() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1")]);
    court.pass(60_000);
    let decision = court.heartbeat(1);
    assert_eq!((decision.expected_sequence, court.state()), (None, SourceState::InSequence));
    assert_eq!(court.report().last_heard, Some(court.now));
    court.restart();
    assert_eq!(court.report().last_heard, Some(court.now), "that it was heard is known after a start");
    court.pass(10);
    assert_eq!(court.heartbeat(1).events, [], "not each is written");
    assert_eq!(court.heartbeat(3).expected_sequence, Some(2));
    assert_eq!(court.state(), SourceState::Gap);
    court.push(vec![set(2, "BOLT", "2"), set(3, "BOLT", "3")]);
    assert_eq!(court.state(), SourceState::InSequence);
}

#[test]
fn a_gap_is_skipped_up_to_what_came_and_no_further() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "NUT", "2")]);
    assert_eq!(court.skip(None), Err(IntakeError::NoGap));
    court.push(vec![after(7, set(8, "NUT", "8"))]);
    court.push(vec![after(5, set(6, "NUT", "6"))]);
    assert_eq!(court.skip(Some(2)), Err(IntakeError::OutOfGap { from: 3, to: 8 }));
    assert_eq!(court.skip(Some(9)), Err(IntakeError::OutOfGap { from: 3, to: 8 }), "9 is still to come");
    assert_eq!(court.skip(None), Ok(5));
    assert!(court.is_suspect("BOLT"), "what was given up may have been about it");
    assert_eq!(court.state(), SourceState::Gap, "8 was seen");
    assert_eq!(court.verdicts(vec![after(5, set(6, "NUT", "6"))]), [APPLIED]);
    assert!(!court.is_suspect("NUT"));
    assert_eq!(court.skip(None), Ok(7), "the highest that came is not lost");
    assert_eq!(court.verdicts(vec![after(7, set(8, "BOLT", "8"))]), [APPLIED]);
    assert_eq!(court.state(), SourceState::InSequence);
    assert!(!court.is_suspect("BOLT"));
    court.heartbeat(10);
    assert_eq!(court.skip(None), Ok(10));
    court.restart();
    assert_eq!(court.report().last_sequence, 10);
}

#[test]
fn the_first_contact_begins_with_one_or_is_a_gap() {
    let mut court = court(vec![source("wms")]);
    assert_eq!(court.verdicts(vec![set(7, "BOLT", "7")]), [GAP]);
    assert_eq!((court.state(), court.report().last_sequence), (SourceState::Gap, 0));
    court.restart();
    assert_eq!(court.verdicts(vec![set(1, "BOLT", "1")]), [APPLIED]);
}

#[test]
fn a_restored_source_is_noticed() {
    let mut court = court(vec![source("wms")]);
    court.push(vec![set(1, "BOLT", "1"), set(2, "NUT", "2")]);
    court.restart();
    let said = court.verdicts(vec![set(2, "BOLT", "9"), set(1, "BOLT", "1")]);
    assert_eq!(said, [("CONFLICT", "sequence_reused"), DUPLICATE]);
    assert_eq!(court.figure("BOLT").as_deref(), Some("1"));
    assert!(court.is_suspect("BOLT"), "its source says otherwise");
    assert_eq!(court.report().rejects[0].reason, "sequence_reused");
}

#[test]
fn a_new_epoch_needs_a_snapshot_of_all_and_the_old_one_is_over() {
    let mut court = court(vec![source("wms")]);
    let under = |epoch: &str, changes| {
        let epoch = Epoch::new(epoch).unwrap();
        Request { source: wms(), epoch, changes, heartbeat: None }
    };
    court.request(&under("one", vec![set(1, "BOLT", "1"), set(2, "BOLT LYON", "2")]));
    let early = court.request(&under("two", vec![set(1, "BOLT", "5")]));
    assert_eq!(said(&early), [("CONFLICT", "snapshot_required")]);
    assert_eq!(court.state(), SourceState::SnapshotRequired);
    assert!(!court.judge.must_wait(&under("two", vec![set(9, "BOLT", "5")])));
    court.restart();
    assert_eq!(court.state(), SourceState::SnapshotRequired);
    assert_eq!(
        said(&court.request(&under("one", vec![set(3, "BOLT", "3")]))),
        [APPLIED],
        "the old one goes on till then"
    );
    let two = SnapshotHead { epoch: Epoch::new("two").unwrap(), sequence: Some(1), ..head() };
    let paris = SnapshotHead { locations: vec![LocationId::new("PARIS").unwrap()], ..two.clone() };
    assert_eq!(court.snapshot(paris, &[("BOLT", "5")]), Err(SnapshotError::ScopeTooSmall));
    court.snapshot(two, &[("BOLT", "5")]).unwrap();
    assert_eq!((court.state(), court.report().epoch.as_str()), (SourceState::InSequence, "two"));
    assert_eq!(court.figure("BOLT LYON").as_deref(), Some("0"));
    for restarts in [false, true] {
        if restarts {
            court.restart();
        }
        assert_eq!(said(&court.request(&under("one", vec![set(4, "BOLT", "4")]))), [OUT_OF_DATE]);
    }
    assert_eq!(
        said(&court.request(&under("two", vec![set(1, "BOLT", "4"), set(2, "BOLT", "6")]))),
        [DUPLICATE, APPLIED]
    );
    assert_eq!(court.row("BOLT").unwrap().stated, 2);
}

#[test]
fn what_was_missed_under_the_old_epoch_does_not_hide_what_is_missed_under_the_new() {
    let mut court = court(vec![SourceConfig { on_gap: OnGap::Continue, ..source("wms") }]);
    court.push(vec![set(900, "BOLT", "1")]);
    let two = Epoch::new("two").unwrap();
    let snapshot = SnapshotHead { epoch: two.clone(), sequence: Some(5), ..head() };
    court.snapshot(snapshot, &[("BOLT", "1"), ("NUT", "1")]).unwrap();
    assert!(!court.is_suspect("BOLT"), "the old numbers mean nothing any more");
    let changes = vec![set(8, "NUT", "2")];
    court.request(&Request { source: wms(), epoch: two, changes, heartbeat: None });
    assert!(court.is_suspect("BOLT"), "6 or 7 may have been about it");
}

#[test]
fn others_do_not_speak_of_what_a_source_owns() {
    let wms = SourceConfig { locations: vec![LocationId::new("PARIS").unwrap()], ..source("wms") };
    let shop = SourceConfig { measures: vec![Pending], ..source("shop") };
    let mut court = court(vec![wms, shop, source("erp")]);
    court.push(vec![set(1, "BOLT", "1")]);
    let of = |name: &str, changes| Request {
        source: SourceId::new(name).unwrap(),
        epoch: Epoch::default(),
        changes,
        heartbeat: None,
    };
    let foreign = court.request(&of("erp", vec![set(1, "BOLT", "9"), set(2, "BOLT LYON", "9")]));
    assert_eq!(said(&foreign), [("REJECTED", "not_owner"), APPLIED]);
    assert!(!court.is_suspect("BOLT"), "a stranger casts no doubt");
    assert_eq!(court.verdicts(vec![set(2, "BOLT LYON", "3")]), [("REJECTED", "not_owner")]);
    let unknown = court.request(&of("nobody", vec![set(1, "BOLT", "9")]));
    assert_eq!((said(&unknown), unknown.events.len()), (vec![("REJECTED", "unknown_source")], 0));
}

#[test]
fn a_pending_order_ends_when_it_is_reserved_whichever_is_told_first() {
    let shop = SourceConfig { measures: vec![Pending], ..source("shop") };
    let mut court = court(vec![source("wms"), shop]);
    let of_shop =
        |changes| Request { source: SourceId::new("shop").unwrap(), epoch: Epoch::default(), changes, heartbeat: None };
    court.push(vec![set(1, "BOLT", "10")]);
    court.request(&of_shop(vec![set(1, "BOLT PARIS PENDING o1", "2")]));
    assert_eq!(court.net("BOLT"), Net::Known(q("8")));
    let reserved = court.push(vec![set(2, "BOLT PARIS RESERVED o1", "2")]);
    assert_eq!(court.net("BOLT"), Net::Known(q("8")), "it is not taken off twice");
    assert_eq!(court.figure("BOLT PARIS PENDING o1"), None);
    assert!(reserved.outcomes[0].change_id.is_some());
    court.push(vec![set(3, "BOLT PARIS RESERVED o2", "1")]);
    let late = court.request(&of_shop(vec![set(2, "BOLT PARIS PENDING o2", "1")]));
    assert_eq!(said(&late), [APPLIED]);
    assert_eq!(court.net("BOLT"), Net::Known(q("7")), "the reservation was faster");
    court.restart();
    assert_eq!(court.net("BOLT"), Net::Known(q("7")));
}

#[test]
fn a_pending_order_ends_with_its_time() {
    let mut court = court(vec![source("wms")]);
    let end = NOW.plus(Duration::from_secs(60));
    let mut pending = movement(ChangeKind::Set, "BOLT PARIS PENDING o1", "2");
    pending.expires_at = Some(end);
    court.push(vec![set(1, "BOLT", "10"), change(2, pending)]);
    assert_eq!(court.judge.next_expiry(), Some(end));
    assert_eq!(court.net("BOLT"), Net::Known(q("8")));
    court.restart();
    court.pass(60_000);
    assert_eq!(court.net("BOLT"), Net::Known(q("10")), "readers do not wait for the writer");
    let before = court.next_id;
    court.tick();
    assert_eq!(court.next_id, before + 1, "channels hear of it");
    assert_eq!(court.judge.next_expiry(), None);
    let heard = court.report().last_heard;
    assert_eq!(heard, Some(NOW), "its source said nothing");
    court.restart();
    court.tick();
    assert_eq!(court.next_id, before + 1);
    let again = court.verdicts(vec![add(3, "BOLT PARIS PENDING o1", "1")]);
    assert_eq!(again, [("REJECTED", "no_base_figure")]);
}

#[test]
fn the_ledger_has_a_size() {
    let config = StockConfig { sources: vec![source("wms")], levels_max: 2, ..StockConfig::default() };
    let mut court = Court::new(config);
    let said = court.verdicts(vec![
        set(1, "A", "1"),
        set(2, "B", "1"),
        set(3, "C", "1"),
        set(4, "A PARIS RESERVED", "1"),
        set(5, "B", "2"),
    ]);
    assert_eq!(said, [APPLIED, APPLIED, ("REJECTED", "ledger_full"), ("REJECTED", "ledger_full"), APPLIED]);
    let full = court.snapshot(SnapshotHead { sequence: Some(6), ..head() }, &[("D", "1")]);
    assert_eq!(full, Err(SnapshotError::LedgerFull { limit: 2 }));
    court.restart();
    assert_eq!(court.verdicts(vec![set(6, "D", "1")]), [("REJECTED", "ledger_full")]);
    let rows = (0..10_001).map(|n| set(7 + n, &format!("A PARIS ON_HAND r{n}"), "1"));
    let said = court.verdicts(rows.collect());
    assert_eq!((said[9_999], said[10_000]), (APPLIED, ("REJECTED", "ledger_full")), "a level has a size");
}

#[test]
fn a_sum_beyond_what_a_quantity_holds_is_not_taken() {
    let mut court = court(vec![source("wms")]);
    let most = "9999999999999999";
    let said = court.verdicts(vec![set(1, "BOLT", most), add(2, "BOLT", most)]);
    match court.figure("BOLT").as_deref() {
        Some(figure) if figure == most => {
            assert_eq!(said[1], ("REJECTED", "out_of_range"));
            assert!(court.is_suspect("BOLT"));
        }
        other => assert_eq!((said[1], other), (APPLIED, Some("19999999999999998"))),
    }
}

#[test]
fn dates_and_ends_are_part_of_a_row() {
    let mut court = court(vec![source("wms")]);
    let mut incoming = movement(ChangeKind::Set, "BOLT PARIS INCOMING po-1", "40");
    incoming.expected_on = Some(date(2026, 12, 1));
    let moved = |decision: &Decision| decision.outcomes[0].change_id.is_some();
    assert!(moved(&court.push(vec![change(1, incoming.clone())])));
    assert!(!moved(&court.push(vec![change(2, incoming.clone())])));
    incoming.expected_on = Some(date(2026, 12, 8));
    assert!(moved(&court.push(vec![change(3, incoming)])), "a later date is news");
    // A receipt: the order line lower, and the shelf fuller, seen together.
    court.push(vec![set(4, "BOLT PARIS INCOMING po-1", "0"), set(5, "BOLT", "40")]);
    assert_eq!(court.net("BOLT"), Net::Known(q("40")));
}

pub(super) fn head() -> SnapshotHead {
    SnapshotHead {
        source: wms(),
        epoch: Epoch::default(),
        sequence: None,
        locations: Vec::new(),
        measures: Vec::new(),
        rows: None,
        force: false,
        dry_run: false,
    }
}
