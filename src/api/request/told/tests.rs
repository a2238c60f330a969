//! Changes and rows in all their forms, good and bad.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::super::stock;
use super::json::{envelope, lines};
use super::*;
use crate::api::proto;

const GOOD: &str = r#"{"sequence":"1001","after":"1000","kind":"ADD","sku":"BOLT-8","location":"PARIS","measure":"ON_HAND",
    "row":"","quantity":"-12","expectedOn":"2026-12-01","effectiveAt":"2026-11-22T10:00:00+01:00","eventId":"e-1","reference":"BL 123"}"#;

fn one(json: &str) -> Change {
    let body = format!("{{\"source\":\"wms\",\"epoch\":\"\",\"changes\":[{json}]}}");
    envelope(body.as_bytes(), 10).unwrap().changes.remove(0)
}

fn same_in_protobuf() -> proto::StockChange {
    proto::StockChange {
        sequence: Some(1001),
        after: Some(1000),
        kind: proto::change_kind::Value::Add.into(),
        sku: "BOLT-8".into(),
        location: "PARIS".into(),
        measure: proto::measure::Value::OnHand.into(),
        row: None,
        quantity: "-12".into(),
        expected_on: Some("2026-12-01".into()),
        effective_at: Some(prost_types::Timestamp { seconds: 1_795_338_000, nanos: 0 }),
        event_id: Some("e-1".into()),
        reference: Some("BL 123".into()),
        expires_at: None,
    }
}

#[test]
fn a_change_is_the_same_over_every_wire() {
    let change = one(GOOD);
    let movement = change.movement.clone().unwrap();
    assert_eq!((change.sequence, change.after), (Some(1001), Some(1000)));
    assert_eq!(movement.kind, ChangeKind::Add);
    assert_eq!(movement.key.sku.as_str(), "BOLT-8");
    assert_eq!(movement.quantity.to_string(), "-12");
    assert_eq!(movement.expected_on, Some(jiff::civil::date(2026, 12, 1)));
    assert_eq!(change.effective_at, Some(Timestamp(1_795_338_000_000)));
    assert_eq!(change.event_id.as_deref(), Some("e-1"));

    let line = GOOD.replace('\n', " ");
    assert_eq!(lines(line.as_bytes(), 10).unwrap().changes[..], [&change].map(Clone::clone));
    let message = proto::PushChangesRequest {
        source: "wms".into(),
        epoch: "2".into(),
        changes: vec![same_in_protobuf()],
        sequence: None,
    };
    let bytes = message.encode_to_vec();
    let push = message::push(&bytes, 10).unwrap();
    assert_eq!((push.source, push.epoch, push.sequence), ("wms", "2", None));
    assert_eq!(push.changes, [change]);
}

#[test]
fn hashes_are_written_down_and_stay() {
    assert_eq!(one(GOOD).hash, 1_837_701_424_603_487_292);
    assert_eq!(hash_of(b"broken"), 6_280_636_221_138_683_314);
    // The same said otherwise: a decimal has one value, and where a change stands is not what it is.
    for same in [
        GOOD.replace("\"-12\"", "\"-12.00\""),
        GOOD.replace("\"after\":\"1000\",", ""),
        GOOD.replace("\"1000\"", "\"7\""),
    ] {
        assert_eq!(one(&same).hash, one(GOOD).hash, "{same}");
    }
    for other in [
        GOOD.replace("\"-12\"", "\"12\""),
        GOOD.replace("\"-12\"", "\"-12.000000001\""),
        GOOD.replace("BL 123", "BL 124"),
    ] {
        assert_ne!(one(&other).hash, one(GOOD).hash, "{other}");
    }
}

#[test]
fn the_hash_of_a_wrong_change_is_of_what_it_says_and_not_of_what_we_say() {
    let message = |change: proto::StockChange| {
        let bytes = proto::PushChangesRequest { changes: vec![change], ..Default::default() }.encode_to_vec();
        message::push(&bytes, 10).unwrap().changes.remove(0)
    };
    for (from, to, change) in [
        ("\"ADD\"", "9", proto::StockChange { kind: 9, ..same_in_protobuf() }),
        ("\"ON_HAND\"", "9", proto::StockChange { measure: 9, ..same_in_protobuf() }),
        ("\"-12\"", "\"x\"", proto::StockChange { quantity: "x".into(), ..same_in_protobuf() }),
    ] {
        let (by_name, by_number) = (one(&GOOD.replacen(from, to, 1)), message(change));
        assert!(by_name.movement.is_err() && by_number.movement.is_err(), "{to}");
        assert_eq!(by_name.hash, by_number.hash, "the same over both wires: {from}");
    }
    // Written down like the others: other words for the same faults change nothing.
    let two = GOOD.replace("\"-12\"", "-12").replace("\"BOLT-8\"", "8");
    assert_eq!(one(&two).hash, 6_681_226_236_023_050_039);
    // Which of several faults is told depends on their order, what was sent does not.
    let turned = two.replace("\"quantity\":-12,", "").replace("{", "{\"quantity\":-12,");
    assert_ne!(one(&turned).movement, one(&two).movement);
    assert_eq!(one(&turned).hash, one(&two).hash);
    let (unknown, known) = (GOOD.replace("\"reference\"", "\"colour\""), GOOD.replace(",\"reference\":\"BL 123\"", ""));
    assert_ne!(one(&unknown).hash, one(&known).hash);
}

#[test]
fn one_bad_field_is_that_changes_own_fault() {
    for (from, to, reason, detail) in [
        ("\"-12\"", "-12", "malformed_decimal", "changes[0].quantity: write \"-12\""),
        ("\"-12\"", "1.50", "malformed_decimal", "changes[0].quantity: write \"1.50\""),
        ("\"-12\"", "1e3", "malformed_decimal", "changes[0].quantity: write a decimal string such as \"12\""),
        ("\"-12\"", "\"+12\"", "malformed_decimal", "changes[0].quantity: is not a decimal"),
        ("\"-12\"", "null", "malformed_decimal", "changes[0].quantity: is missing"),
        ("\"BOLT-8\"", "8", "wrong_type", "changes[0].sku: write \"8\""),
        ("\"BOLT-8\"", "\"\"", "malformed_id", "changes[0].sku: is empty"),
        ("\"PARIS\"", "\" PARIS\"", "malformed_id", "changes[0].location: begins or ends"),
        ("\"ADD\"", "\"PUT\"", "unknown_value", "changes[0].kind: there is no value \"PUT\""),
        ("\"ADD\"", "7", "unknown_value", "changes[0].kind: there is no value \"7\""),
        ("\"ON_HAND\"", "\"on_hand\"", "unknown_value", "changes[0].measure: there is no value"),
        ("\"2026-12-01\"", "\"01.12.2026\"", "malformed_date", "changes[0].expectedOn"),
        ("\"2026-11-22T10:00:00+01:00\"", "\"2026-11-22T10:00:00\"", "malformed_instant", "changes[0].effectiveAt"),
        ("\"2026-11-22T10:00:00+01:00\"", "1795338000", "malformed_instant", "changes[0].effectiveAt"),
        ("\"e-1\"", "\"\"", "malformed_id", "changes[0].eventId: is empty"),
        ("\"reference\"", "\"colour\"", "unknown_field", "changes[0].colour: there is no such field"),
        ("\"reference\"", "\"sku\"", "duplicate_key", "changes[0].sku: is given twice"),
        ("\"1001\"", "\"1e3\"", "out_of_range", "changes[0].sequence"),
        ("\"1001\"", "9007199254740993", "out_of_range", "changes[0].sequence: write \"9007199254740993\""),
        ("\"1001\"", "\"0\"", "out_of_range", "changes[0].sequence: numbers begin at 1"),
        ("\"1000\"", "\"1001\"", "out_of_range", "changes[0].after: 1001 is not before 1001"),
        ("\"sequence\":\"1001\",", "", "contradictory", "changes[0].after: there is no sequence"),
    ] {
        let json = GOOD.replacen(from, to, 1);
        assert_ne!(json, GOOD, "{from}");
        let fault = one(&json).movement.expect_err(&json);
        assert_eq!(fault.reason, reason, "{json}");
        assert!(fault.detail.starts_with(detail), "{}", fault.detail);
    }
    let long = GOOD.replace("BL 123", &"x".repeat(257));
    assert_eq!(one(&long).movement.unwrap_err().reason, "out_of_range");
    assert_eq!(one("7").movement.unwrap_err().reason, "wrong_type");
    // What is not exact enough to be wrong.
    assert_eq!(one(&GOOD.replace("\"1001\"", "1001")), one(GOOD));
    assert_eq!(one(&GOOD.replace("\"BL 123\"", "null")).movement, one(GOOD).movement);
}

#[test]
fn a_bad_change_keeps_its_number_and_its_row_where_they_can_be_read() {
    let bad = one(&GOOD.replace("\"-12\"", "-12"));
    assert_eq!((bad.sequence, bad.after), (Some(1001), Some(1000)));
    assert_eq!(bad.movement.unwrap_err().key, one(GOOD).movement.ok().map(|movement| movement.key));
    assert_eq!(one(&GOOD.replace("BOLT-8", "")).movement.unwrap_err().key, None);
    let after_itself = one(&GOOD.replace("\"1000\"", "\"1001\""));
    assert_eq!((after_itself.sequence, after_itself.after), (Some(1001), None));
    let twice = [GOOD.replace("\"-12\"", "-12"), GOOD.replace("\"-12\"", "-13")].map(|json| one(&json).hash);
    assert_ne!(twice[0], twice[1], "another content");
}

#[test]
fn a_broken_line_takes_its_number_where_it_can_be_seen() {
    let row = |sequence: u64, after: u64| {
        format!(
            "{{\"sequence\":\"{sequence}\",\"after\":\"{after}\",\"kind\":\"SET\",\"sku\":\"A\",\"location\":\"P\",\
             \"measure\":\"ON_HAND\",\"quantity\":\"1\"}}"
        )
    };
    let numbers = |body: &str| {
        let read = lines(body.as_bytes(), 100).unwrap();
        let changes = read.changes.iter().map(|change| (change.sequence, change.after, change.movement.is_ok()));
        changes.collect::<Vec<_>>()
    };
    // On the line itself.
    let cut = &row(20, 10)[..row(20, 10).len() - 8];
    assert_eq!(
        numbers(&format!("{}\n{cut}\n{}\n", row(10, 0), row(30, 20))),
        [(Some(10), Some(0), true), (Some(20), Some(10), false), (Some(30), Some(20), true)]
    );
    // From its neighbours.
    assert_eq!(
        numbers(&format!("{}\n\r\n{{\"sequence\":\"2\n{}\r\n", row(10, 0), row(30, 20))),
        [(Some(10), Some(0), true), (Some(20), Some(10), false), (Some(30), Some(20), true)]
    );
    // Of two, the one before the gap has it.
    assert_eq!(
        numbers(&format!("{}\nnonsense\n[]\n{}\n", row(10, 0), row(30, 20))),
        [(Some(10), Some(0), true), (None, None, false), (Some(20), Some(10), false), (Some(30), Some(20), true)]
    );
    // Of several, where there are as many numbers as changes.
    let next = |sequence: u64| row(sequence, 0).replace("\"after\":\"0\",", "");
    let numbered = |body: &str| numbers(body).iter().map(|(sequence, ..)| *sequence).collect::<Vec<_>>();
    assert_eq!(
        numbered(&format!("{}\nnonsense\n[]\n{}\n7\n{}\n", next(10), next(13), row(15, 14))),
        [10, 11, 12, 13, 14, 15].map(Some)
    );
    for unsure in [
        format!("{}\nnonsense\n{}\n", next(9), next(15)),
        format!("{}\nnonsense\n[]\n{}\n", next(9), next(11)),
        format!("{}\nnonsense\n{}\n", next(9), row(15, 9)),
        format!("{}\nnonsense\n{}\n", next(9), next(10)),
        format!("{}\nnonsense\n{}\n", next(9), next(3)),
        format!("\nnonsense\n{}\n", next(15)),
    ] {
        let broken = |line: &&str| !line.is_empty() && !line.starts_with("{");
        let without = numbered(&unsure).into_iter().filter(Option::is_none).count();
        assert_eq!(without, unsure.lines().filter(broken).count(), "{unsure}");
    }
    // Nobody says.
    assert_eq!(numbers("nonsense\n"), [(None, None, false)]);
    let read = lines(format!("\n{}\nnonsense\n", row(1, 0)).as_bytes(), 100).unwrap();
    assert_eq!(read.lines, [2, 3]);
    let fault = read.changes[1].movement.clone().unwrap_err();
    assert_eq!(fault.reason, "malformed_json");
    assert!(fault.detail.starts_with("line 3: "), "{}", fault.detail);
}

#[test]
fn what_a_wrong_change_leaves_out_hides_nothing_that_is_missing() {
    let change = |told: &str, quantity: &str| {
        let rest = "\"kind\":\"SET\",\"sku\":\"A\",\"location\":\"P\",\"measure\":\"ON_HAND\"";
        format!("{{{told},{rest},\"quantity\":\"{quantity}\"}}")
    };
    for (told, after) in [
        // It follows 13, and 11 to 13 are not there.
        ("\"sequence\":\"14\"", None),
        ("\"sequence\":\"14\",\"after\":null", None),
        ("\"sequence\":\"14\",\"after\":\"14\"", None),
        ("\"sequence\":\"14\",\"after\":\"12\"", Some(12)),
        // It says that some are left out, and not which.
        ("\"sequence\":\"14\",\"after\":\"x\"", Some(10)),
    ] {
        let changes = [change("\"sequence\":\"10\"", "1"), change(told, "x"), change("\"sequence\":\"15\"", "1")];
        let in_one = envelope(format!("{{\"source\":\"wms\",\"changes\":[{}]}}", changes.join(",")).as_bytes(), 10);
        let by_line = lines(changes.join("\n").as_bytes(), 10);
        for read in [in_one.unwrap().changes, by_line.unwrap().changes] {
            let places: Vec<_> = read.iter().map(|change| (change.sequence, change.after)).collect();
            assert_eq!(places, [(Some(10), None), (Some(14), after), (Some(15), None)], "{told}");
        }
    }
    // On a line that is broken, too.
    for (broken, after) in [
        ("{\"sequence\":\"14\",\"kind\":", None),
        ("{\"sequence\":\"14\",\"after\":\"12\",", Some(12)),
        ("{\"sequence\":\"14\",\"after\":\"14\",", None),
        ("{\"sequence\":\"14\",\"after\":\"1", Some(10)),
    ] {
        let body = format!("{}\n{broken}\n", change("\"sequence\":\"10\"", "1"));
        let read = lines(body.as_bytes(), 10).unwrap();
        assert_eq!((read.changes[1].sequence, read.changes[1].after), (Some(14), after), "{broken}");
    }
    // A change without a number is one without, right or wrong.
    let body = [change("\"sequence\":\"10\"", "1"), change("\"row\":\"\"", "x"), change("\"sequence\":\"12\"", "1")];
    assert_eq!(lines(body.join("\n").as_bytes(), 10).unwrap().changes[1].sequence, None);
}

#[test]
fn a_body_cut_off_in_a_line_is_refused_whole() {
    let line = GOOD.replace('\n', " ");
    let body = format!("{line}\n{}", line.replace("1001", "1002").replace("1000", "1001"));
    assert_eq!(lines(body.as_bytes(), 10).unwrap().changes.len(), 2, "the last line needs no end");
    for cut in line.len() + 2..body.len() {
        let refusal = lines(&body.as_bytes()[..cut], 10).unwrap_err();
        assert_eq!(refusal.fault, Fault::CutOff, "cut at {cut}");
    }
    assert_eq!(lines(b"", 10).unwrap().changes, []);
}

#[test]
fn envelopes_are_checked() {
    let fault = |body: &str| envelope(body.as_bytes(), 2).and_then(stock::push_of).map_err(|refusal| refusal.fault);
    assert!(fault(r#"{"source":"wms","epoch":"","changes":[]}"#).is_ok());
    let heartbeat = envelope(br#"{"source":"wms","sequence":"7"}"#, 2).and_then(stock::push_of).unwrap();
    assert_eq!(heartbeat.heartbeat, Some(7));
    for (body, why) in [
        ("", Fault::MalformedJson),
        ("[]", Fault::WrongType),
        ("{", Fault::MalformedJson),
        (r#"{"epoch":""}"#, Fault::MalformedId),
        (r#"{"source":7}"#, Fault::WrongType),
        (r#"{"source":"a","source":"b"}"#, Fault::DuplicateKey),
        (r#"{"source":"a","change":[]}"#, Fault::UnknownField),
        (r#"{"source":"a","changes":{}}"#, Fault::WrongType),
        (r#"{"source":"a","changes":[{}]"#, Fault::MalformedJson),
        (r#"{"source":"a","changes":[{},{},{}]}"#, Fault::OverLimit),
        (r#"{"source":"a","changes":[{}],"sequence":"1"}"#, Fault::Contradictory),
        (r#"{"source":"a","sequence":"x"}"#, Fault::OutOfRange),
    ] {
        assert_eq!(fault(body).unwrap_err(), why, "{body}");
    }
}

#[test]
fn messages_are_checked() {
    let good = proto::PushChangesRequest {
        source: "wms".into(),
        changes: vec![same_in_protobuf(), same_in_protobuf()],
        ..Default::default()
    };
    let bytes = good.encode_to_vec();
    for cut in 1..bytes.len() {
        let read = message::push(&bytes[..cut], 10);
        assert!(read.is_err() || read.unwrap().changes.len() < 2, "cut at {cut}");
    }
    assert_eq!(message::push(&bytes, 1).unwrap_err().limit, Some(1));
    assert_eq!(message::push(b"\x28\x01", 10).unwrap_err().path.as_deref(), Some("#5"));
    assert_eq!(message::push(b"\x0a\x01\xff", 10).unwrap_err().fault, Fault::MalformedProtobuf);
    // A field of a change that is not known: its own fault.
    let push = message::push(b"\x1a\x02\x70\x01", 10).unwrap();
    let fault = push.changes[0].movement.clone().unwrap_err();
    assert_eq!((fault.reason, &*fault.detail), ("unknown_field", "changes[0].#14: there is no such field"));
    let unknown = proto::StockChange { kind: 9, ..same_in_protobuf() };
    let bytes = proto::PushChangesRequest { changes: vec![unknown], ..good }.encode_to_vec();
    let fault = message::push(&bytes, 10).unwrap().changes[0].movement.clone().unwrap_err();
    assert_eq!((fault.reason, &*fault.detail), ("unknown_value", "changes[0].kind: there is no value 9"));
    // The same source as before, or another.
    let before = (stock::source("wms").unwrap(), stock::epoch("2").unwrap());
    let again = stock::push_in(message::push(b"", 10).unwrap(), Some(&before)).unwrap();
    assert_eq!((again.source, again.epoch), before);
    assert_eq!(stock::push_in(message::push(b"", 10).unwrap(), None).unwrap_err().fault, Fault::MalformedId);
}

#[test]
fn the_fields_are_those_of_the_descriptors() {
    let set = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let messages: Vec<_> = set.file.iter().flat_map(|file| &file.message_type).collect();
    for (name, highest) in [
        ("PushChangesRequest", 4),
        ("StockChange", 13),
        ("PutSnapshotRequest", 3),
        ("SnapshotHead", 8),
        ("SnapshotRow", 7),
        ("SnapshotEnd", 1),
        ("SkipGapRequest", 2),
        ("GetSourceRequest", 1),
        ("GetLevelsRequest", 1),
        ("ListSourcesRequest", 0),
    ] {
        let message = messages.iter().find(|message| message.name() == name).unwrap();
        let mut numbers: Vec<i32> = message.field.iter().map(|field| field.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=highest).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn rows_of_a_snapshot() {
    let mut names = Names::default();
    let json =
        br#"{"sku":"A","location":"P","measure":"INCOMING","row":"PO-1","quantity":"5","expectedOn":"2026-12-01"}"#;
    let from_json = json::row(json, 2).into_line(2, &mut names);
    let columns = csv::Columns::read(b"\xef\xbb\xbfsku;location;measure;row;quantity;expectedOn;expires_at").unwrap();
    let from_csv = columns.row(b"A;P;INCOMING;\"PO-1\";5;2026-12-01;", 2).into_line(2, &mut names);
    let message = proto::SnapshotRow {
        sku: "A".into(),
        location: Some("P".into()),
        measure: Some(3),
        row: Some("PO-1".into()),
        quantity: "5".into(),
        expected_on: Some("2026-12-01".into()),
        expires_at: None,
    };
    let bytes = message.encode_to_vec();
    let from_protobuf = message::row(&bytes, 2).unwrap().into_line(2, &mut names);
    assert_eq!(from_json.row.as_ref().unwrap().key.row.as_str(), "PO-1");
    assert_eq!(from_json, from_csv);
    assert_eq!(from_json, from_protobuf);

    assert_eq!(json::row(br#"{"rows":"7"}"#, 1).rows, Some(7));
    for (line, reason) in [
        (&br#"{"sku":"A","location":"P","measure":"ON_HAND","quantity":5}"#[..], "malformed_decimal"),
        (br#"{"sku":"A","location":"P","measure":"ON_HAND","quantity":"5","sequence":"1"}"#, "unknown_field"),
        (b"{", "malformed_json"),
        (b"[]", "wrong_type"),
    ] {
        assert_eq!(json::row(line, 1).into_line(1, &mut names).row.unwrap_err().reason, reason);
    }
}

#[test]
fn csv_as_it_comes() {
    let mut names = Names::default();
    let columns = csv::Columns::read(b"quantity,sku,location,measure").unwrap();
    let read = |line: &'static [u8], names: &mut Names| columns.row(line, 2).into_line(2, names).row;
    let row = read(b"1.5,\"a \"\"8\"\", b\",P,ON_HAND", &mut names).unwrap();
    assert_eq!((row.key.sku.as_str(), row.quantity.to_string()), ("a \"8\", b", "1.5".to_owned()));
    for (line, reason) in [
        (&b"1,A,P"[..], "malformed_csv"),
        (b"1,A,P,ON_HAND,", "malformed_csv"),
        (b"1,\"A,P,ON_HAND", "malformed_csv"),
        (b"1,\"A\"x,P,ON_HAND", "malformed_csv"),
        (b"1,\xff,P,ON_HAND", "malformed_csv"),
        (b"1,,P,ON_HAND", "malformed_id"),
        (b"1,A,P,", "unknown_value"),
        (b"1,A,P,STOCK", "unknown_value"),
        (b",A,P,ON_HAND", "malformed_decimal"),
        (b"\"1,5\",A,P,ON_HAND", "malformed_decimal"),
    ] {
        assert_eq!(read(line, &mut names).unwrap_err().reason, reason, "{}", String::from_utf8_lossy(line));
    }
    for (head, fault) in [
        (&b"sku,price,quantity"[..], Fault::UnknownField),
        (b"sku,sku,quantity", Fault::DuplicateKey),
        (b"sku,location", Fault::MalformedCsv),
        (b"", Fault::UnknownField),
        (b"\"sku", Fault::MalformedCsv),
        (b"\xff", Fault::MalformedCsv),
    ] {
        assert_eq!(csv::Columns::read(head).unwrap_err().fault, fault, "{}", String::from_utf8_lossy(head));
    }
}

proptest! {
    #[test]
    fn nothing_makes_a_reader_fall_over(bytes in vec(any::<u8>(), 0..200), text in "[\\{\\}\\[\\]:,\"a-z0-9\\\\ \n]{0,120}") {
        for input in [&bytes[..], text.as_bytes()] {
            let _ = message::push(input, 10);
            let _ = message::snapshot(input, |_| Ok(()));
            let _ = message::row(input, 1);
            let _ = stock::head_in(input);
            let _ = envelope(input, 10);
            let _ = lines(input, 100);
            let _ = json::row(input, 1).into_line(1, &mut Names::default());
            let _ = csv::Columns::read(input);
            if let Ok(columns) = csv::Columns::read(b"sku,quantity") {
                let _ = columns.row(input, 1).into_line(1, &mut Names::default());
            }
        }
    }

    /// Damage to one byte of a message is seen, or makes another message; it is never half of one.
    #[test]
    fn a_flipped_bit_is_another_message_or_none(at in 0..100_usize, bit in 0..8_u8) {
        let good = proto::PushChangesRequest { source: "wms".into(), changes: vec![same_in_protobuf()], ..Default::default() };
        let mut bytes = good.encode_to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        if let (Ok(push), Ok(theirs)) = (message::push(&bytes, 10), proto::PushChangesRequest::decode(&bytes[..])) {
            prop_assert_eq!(push.changes.len(), theirs.changes.len());
            for (change, theirs) in push.changes.iter().zip(&theirs.changes) {
                if let Ok(movement) = &change.movement {
                    prop_assert_eq!(movement.key.sku.as_str(), &theirs.sku);
                    prop_assert_eq!(movement.quantity, theirs.quantity.parse().unwrap());
                    prop_assert_eq!(change.sequence, theirs.sequence);
                }
            }
        }
    }
}
