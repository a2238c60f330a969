//! What sources send that is wrong: each change's own fault, or a refusal with a stable reason; nothing else disturbed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, text};
use crate::stock::{CSV, NDJSON, SOURCES, applied, change, figure, gateway, offer, request, set, source};

const JSON: &str = "application/json";

fn earlier(by: Duration) -> String {
    (jiff::Timestamp::now() - by).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_change_rejects_itself_uses_up_its_number_and_says_why() {
    let (_erp, gateway) = gateway();
    applied(&gateway, request("wms", [set(1, "A", "5"), set(2, "BIG", "999999999999999999")])).await;
    let good = set(9, "A", "5").to_string();
    let with = |from: &str, to: &str| {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        bad
    };
    let cases = [
        (with("\"5\"", "5"), "malformed_decimal"),
        (with("\"5\"", "\"1e3\""), "malformed_decimal"),
        (with("\"5\"", "\"1.0000000000\""), "malformed_decimal"),
        (with("\"5\"", "null"), "malformed_decimal"),
        (with("\"A\"", "\"\""), "malformed_id"),
        (with("\"A\"", "8"), "wrong_type"),
        (with("\"SET\"", "\"PUT\""), "unknown_value"),
        (with("\"ON_HAND\"", "\"STOCK\""), "unknown_value"),
        (with("\"sku\"", "\"colour\""), "unknown_field"),
        (with("\"kind\"", "\"sku\":\"B\",\"kind\""), "duplicate_key"),
        (with("\"kind\"", "\"expectedOn\":\"01.12.2026\",\"kind\""), "malformed_date"),
        (with("\"kind\"", "\"effectiveAt\":\"2026-11-22T10:00:00\",\"kind\""), "malformed_instant"),
        (with("\"PARIS\"", "\"LYON\""), "not_owner"),
        (change(9, "ADD", "NEVER-SET", "1").to_string(), "no_base_figure"),
        (change(9, "ADD", "BIG", "1").to_string(), "out_of_range"),
    ];
    for (nth, (bad, reason)) in cases.iter().enumerate() {
        let sequence = 3 + nth as u64 * 2;
        let bad = bad.replace("\"9\"", &format!("\"{sequence}\""));
        let body =
            format!("{{\"source\":\"wms\",\"changes\":[{bad},{}]}}", set(sequence + 1, "OTHER", &sequence.to_string()));
        let answer = gateway.send(Method::POST, "/v1/stock/changes", JSON, body).await;
        assert_eq!(answer.status, 200, "{bad}: {}", answer.json);
        let [rejected, taken] = &answer.json["results"].as_array().unwrap()[..] else { panic!("{}", answer.json) };
        assert_eq!((text(rejected, "/verdict"), text(rejected, "/reason")), ("REJECTED", *reason), "{bad}: {rejected}");
        assert!(!text(rejected, "/detail").is_empty(), "{bad}: {rejected}");
        assert_eq!(text(taken, "/verdict"), "APPLIED", "{bad}: {taken}");
        assert_eq!(text(&answer.json, "/lastSequence"), (sequence + 1).to_string());
        assert_eq!(figure(&gateway, "OTHER").await, sequence.to_string());
    }
    assert_eq!(figure(&gateway, "A").await, "5");
    assert_eq!(gateway.levels("A").await[0]["suspect"], true, "a change of it was not taken");
    let report = source(&gateway, "wms").await;
    assert_eq!(report["rejects"].as_array().unwrap().len(), cases.len());
    let newest = &report["rejects"][0];
    let told = ["/reason", "/sku", "/location", "/sequence"].map(|path| text(newest, path));
    assert_eq!(told, ["out_of_range", "BIG", "PARIS", "31"], "the newest first: {newest}");
    // Stated again, it is believed again.
    applied(&gateway, request("wms", [set(33, "A", "6")])).await;
    assert_eq!(gateway.levels("A").await[0]["suspect"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_the_reasons_are_the_same() {
    let (_erp, gateway) = gateway();
    let with = |sequence: u64, name: &str, value: Value| {
        let mut change = set(sequence, "A", "5");
        change[name] = value;
        change
    };
    let changes = [
        (with(1, "quantity", "x".into()), "malformed_decimal"),
        (with(2, "sku", "".into()), "malformed_id"),
        (with(3, "measure", 99.into()), "unknown_value"),
        (with(4, "kind", 0.into()), "unknown_value"),
        (with(5, "location", "LYON".into()), "not_owner"),
        (with(6, "kind", "ADD".into()), "no_base_figure"),
        (with(7, "expectedOn", "tomorrow".into()), "malformed_date"),
    ];
    let sent: Vec<Value> = changes.iter().map(|(change, _)| change.clone()).collect();
    let answer = gateway.peer.call_in_stream(&gateway.address, "PushChanges", &json!([request("wms", sent)]));
    assert_eq!(answer.code, "OK", "{answer:?}");
    let reasons: Vec<_> =
        answer.responses[0]["results"].as_array().unwrap().iter().map(|r| text(r, "/reason")).collect();
    assert_eq!(reasons, changes.map(|(_, reason)| reason));
    assert_eq!(text(&answer.responses[0], "/lastSequence"), "7");
    for (call, why) in [
        (json!({ "changes": [set(1, "A", "5")] }), "malformed_id"),
        (json!({ "source": "wms", "sequence": "8", "changes": [set(8, "A", "5")] }), "contradictory"),
        (json!({ "source": "wms", "changes": vec![set(8, "A", "5"); 10_001] }), "over_limit"),
        (json!({ "source": "nobody", "sequence": "8" }), "unknown_source"),
    ] {
        let refused = gateway.peer.call_in_stream(&gateway.address, "PushChanges", &json!([call]));
        assert_eq!(refused.reason, why, "{refused:?}");
    }
    let nobody = gateway.grpc("GetSource", &json!({ "source": "nobody" }));
    assert_eq!((nobody.code.as_str(), nobody.reason.as_str()), ("NOT_FOUND", "unknown_source"), "{nobody:?}");
    assert_eq!(text(&source(&gateway, "wms").await, "/lastSequence"), "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_numbers_have_rules_of_their_own() {
    let (_erp, gateway) = gateway();
    let change = |kind: &str, sku: &str, at: Option<String>, id: Option<&str>, quantity: &str| {
        let mut change =
            json!({ "kind": kind, "sku": sku, "location": "LYON", "measure": "ON_HAND", "quantity": quantity });
        if let Some(at) = at {
            change["effectiveAt"] = at.into();
        }
        if let Some(id) = id {
            change["eventId"] = id.into();
        }
        change
    };
    let ahead = (jiff::Timestamp::now() + Duration::from_secs(600)).to_string();
    let (now, old) = (earlier(Duration::from_secs(60)), earlier(Duration::from_secs(2 * 24 * 3600)));
    applied(&gateway, request("erp", [change("SET", "A", Some(now.clone()), Some("e-1"), "5")])).await;
    let cases = [
        (change("SET", "A", None, None, "6"), "REJECTED", "effective_at_missing"),
        (change("SET", "A", Some(ahead), None, "6"), "REJECTED", "clock_ahead"),
        (change("ADD", "A", Some(now.clone()), None, "6"), "REJECTED", "event_id_missing"),
        (change("ADD", "A", Some(old.clone()), Some("e-2"), "6"), "REJECTED", "too_old_to_deduplicate"),
        (change("SET", "A", Some(now.clone()), Some("e-1"), "6"), "CONFLICT", "event_id_reused"),
        (change("SET", "A", Some(now.clone()), Some("e-1"), "5"), "DUPLICATE", ""),
        (change("SET", "A", Some(old), None, "6"), "OUT_OF_DATE", ""),
    ];
    for (change, verdict, reason) in cases {
        let answer = gateway.push(request("erp", [change.clone()])).await;
        let result = &answer.json["results"][0];
        assert_eq!((text(result, "/verdict"), text(result, "/reason")), (verdict, reason), "{change}: {result}");
        assert_eq!(figure(&gateway, "A").await, "5");
    }
    // Once it numbers, it numbers.
    let numbered = json!({ "sequence": "1", "kind": "SET", "sku": "A", "location": "LYON", "measure": "ON_HAND", "quantity": "7" });
    applied(&gateway, request("erp", [numbered])).await;
    let answer = gateway.push(request("erp", [change("SET", "A", Some(earlier(Duration::ZERO)), None, "8")])).await;
    assert_eq!(text(&answer.json, "/results/0/reason"), "sequence_missing", "{}", answer.json);
    let path = "/v1/stock/snapshots?source=erp&location=LYON&measure=ON_HAND&rows=0&force=true";
    let snapshot = gateway.send(Method::PUT, path, NDJSON, "").await;
    assert_eq!((snapshot.status, snapshot.reason()), (400, "sequence_missing"), "{}", snapshot.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_epochs_that_cannot_be_are_told_from_repetitions() {
    let (_erp, gateway) = gateway();
    applied(&gateway, request("wms", [set(1, "A", "5")])).await;
    let reused = gateway.push(request("wms", [set(1, "A", "6")])).await;
    let result = &reused.json["results"][0];
    assert_eq!((text(result, "/verdict"), text(result, "/reason")), ("CONFLICT", "sequence_reused"), "{result}");
    let far = gateway.push(request("wms", [set(5_000_000, "A", "6")])).await;
    let result = &far.json["results"][0];
    assert_eq!((text(result, "/verdict"), text(result, "/reason")), ("REJECTED", "out_of_range"), "{result}");
    let mut anew = request("wms", [set(2, "A", "6")]);
    anew["epoch"] = "restored".into();
    let epoch = gateway.push(anew.clone()).await;
    let result = &epoch.json["results"][0];
    assert_eq!((text(result, "/verdict"), text(result, "/reason")), ("CONFLICT", "snapshot_required"), "{result}");
    assert_eq!(text(&source(&gateway, "wms").await, "/state"), "SNAPSHOT_REQUIRED");
    let part = "/v1/stock/snapshots?source=wms&epoch=restored&sequence=1&measure=RESERVED&rows=0";
    let part = gateway.send(Method::PUT, part, NDJSON, "").await;
    assert_eq!((part.status, part.reason()), (409, "snapshot_required"), "{}", part.json);
    let all = "/v1/stock/snapshots?source=wms&epoch=restored&sequence=1&rows=1";
    let row = "{\"sku\":\"A\",\"location\":\"PARIS\",\"measure\":\"ON_HAND\",\"quantity\":\"4\"}\n";
    let all = gateway.send(Method::PUT, all, NDJSON, row).await;
    assert_eq!(all.status, 200, "{}", all.json);
    applied(&gateway, anew).await;
    let left = gateway.push(request("wms", [set(3, "A", "9")])).await;
    assert_eq!(text(&left.json, "/results/0/verdict"), "OUT_OF_DATE", "an epoch that was left: {}", left.json);
    assert_eq!(figure(&gateway, "A").await, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_configured_may_say_nothing() {
    let (_erp, gateway) = gateway();
    let rejected = gateway.push(request("nobody", [set(1, "A", "5")])).await;
    let result = &rejected.json["results"][0];
    assert_eq!((text(result, "/verdict"), text(result, "/reason")), ("REJECTED", "unknown_source"), "{result}");
    let heartbeat = gateway.push(json!({ "source": "nobody", "sequence": "1" })).await;
    assert_eq!((heartbeat.status, heartbeat.reason()), (404, "unknown_source"), "{}", heartbeat.json);
    for (method, path, body) in [
        (Method::GET, "/v1/stock/sources?source=nobody", ""),
        (Method::POST, "/v1/stock/sources:skip", "{\"source\":\"nobody\"}"),
        (Method::PUT, "/v1/stock/snapshots?source=nobody&rows=0", ""),
    ] {
        let kind = if method == Method::POST { JSON } else { NDJSON };
        let answer = gateway.send(method, path, kind, body).await;
        assert_eq!((answer.status, answer.reason()), (404, "unknown_source"), "{path}: {}", answer.json);
    }
    let all = gateway.send(Method::GET, "/v1/stock/sources", "", "").await;
    let names: Vec<_> = all.json["sources"].as_array().unwrap().iter().map(|one| text(one, "/source")).collect();
    assert_eq!(names, ["erp", "shop", "wms"], "and is not remembered");
    assert_eq!(gateway.levels("A").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_snapshots_are_refused_with_a_reason() {
    let (_erp, gateway) = gateway();
    applied(&gateway, request("wms", [set(1, "A", "5")])).await;
    let early = gateway.push(request("wms", [set(10, "A", "5")])).await;
    assert_eq!(text(&early.json, "/results/0/verdict"), "GAP");
    let skip = async |body: &str| gateway.send(Method::POST, "/v1/stock/sources:skip", JSON, body.to_owned()).await;
    let beyond = skip("{\"source\":\"wms\",\"to\":\"50\"}").await;
    assert_eq!(
        (beyond.status, beyond.reason(), text(&beyond.json, "/path")),
        (400, "out_of_range", "to"),
        "{}",
        beyond.json
    );
    assert_eq!(text(&skip("{\"source\":\"wms\",\"to\":\"10\"}").await.json, "/lastSequence"), "10");
    let none = skip("{\"source\":\"wms\"}").await;
    assert_eq!((none.status, none.reason()), (409, "no_gap"), "{}", none.json);
    let a = "{\"sku\":\"A\",\"quantity\":\"1\"}\n";
    let paris = "source=wms&sequence=20&location=PARIS&measure=ON_HAND";
    let cases: Vec<(String, &str, String, u16, &str)> = vec![
        (paris.into(), NDJSON, a.into(), 400, "count_mismatch"),
        (format!("{paris}&rows=2"), NDJSON, a.into(), 400, "count_mismatch"),
        (format!("{paris}&rows=2"), NDJSON, a.repeat(2), 400, "duplicate_key"),
        (format!("{paris}&rows=1"), NDJSON, "{\"sku\":\"\",\"quantity\":\"1\"}\n".into(), 400, "malformed_row"),
        (format!("{paris}&rows=1"), NDJSON, "{\"sku\":\"A\",\"quan".into(), 400, "malformed_row"),
        (format!("{paris}&rows=1"), CSV, "sku,amount\nA,1\n".into(), 400, "unknown_field"),
        (format!("{paris}&rows=1"), CSV, "\"sku,quantity\nA,1\n".into(), 400, "malformed_csv"),
        (format!("{paris}&rows=1"), CSV, "sku,quantity\nA\n".into(), 400, "malformed_row"),
        ("source=wms&sequence=20&location=LYON&rows=0".into(), NDJSON, String::new(), 409, "not_owner"),
        (
            "source=wms&sequence=20&measure=ON_HAND&rows=1".into(),
            NDJSON,
            "{\"sku\":\"A\",\"location\":\"LYON\",\"quantity\":\"1\"}\n".into(),
            400,
            "not_owner",
        ),
        (
            format!("{paris}&rows=1"),
            NDJSON,
            "{\"sku\":\"A\",\"measure\":\"RESERVED\",\"quantity\":\"1\"}\n".into(),
            400,
            "out_of_scope",
        ),
        ("source=wms&sequence=5&measure=ON_HAND&rows=0".into(), NDJSON, String::new(), 409, "snapshot_too_old"),
        ("source=wms&sequence=20&colour=red".into(), NDJSON, String::new(), 400, "unknown_field"),
        ("source=wms&sequence=20&measure=STOCK".into(), NDJSON, String::new(), 400, "unknown_value"),
        ("source=wms&sequence=x".into(), NDJSON, String::new(), 400, "out_of_range"),
        ("source=wms&sequence=20".into(), JSON, String::new(), 415, "unsupported_media_type"),
    ];
    for (query, kind, body, status, reason) in cases {
        let answer = gateway.send(Method::PUT, &format!("/v1/stock/snapshots?{query}"), kind, body.clone()).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{query} {body}: {}", answer.json);
    }
    assert_eq!(figure(&gateway, "A").await, "5");
    let once = format!("/v1/stock/snapshots?{paris}&rows=1");
    assert_eq!(gateway.send(Method::PUT, &once, NDJSON, a).await.status, 200);
    let again = gateway.send(Method::PUT, &once, NDJSON, a).await;
    assert_eq!((again.status, again.reason()), (409, "out_of_date"), "{}", again.json);
    for (method, path, kind, body, status, reason) in [
        (Method::GET, "/v1/stock/changes", "", "", 405, "method_not_allowed"),
        (Method::POST, "/v1/stock/changes", CSV, "", 415, "unsupported_media_type"),
        (Method::POST, "/v1/stock/changes", JSON, "{", 400, "malformed_json"),
        (Method::POST, "/v1/stock/changes", JSON, "{\"source\":\"wms\",\"colour\":1}", 400, "unknown_field"),
        (Method::POST, "/v1/stock/changes", JSON, "{\"source\":\"wms\",\"source\":\"erp\"}", 400, "duplicate_key"),
        (Method::POST, "/v1/stock/changes", JSON, "{}", 400, "malformed_id"),
        (Method::POST, "/v1/stock/changes?source=wms&sku=A", NDJSON, "", 400, "unknown_field"),
        (Method::GET, "/v1/stock/levels", "", "", 400, "nothing_named"),
        (Method::GET, "/v1/stock/levels?sku=%01", "", "", 400, "malformed_id"),
        (Method::GET, "/v1/stock/nothing", "", "", 404, "no_such_resource"),
    ] {
        let answer = gateway.send(method, path, kind, body).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{path} {body}: {}", answer.json);
    }
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_ledger_takes_no_new_levels_and_goes_on_with_those_it_has() {
    let erp = Erp::start();
    let full =
        format!("server.data = \"data\"\nstock.levels_max = 2\n{}", SOURCES.replace("server.data = \"data\"\n", ""));
    let gateway = Gateway::serve("simulated.toml", &erp.url(), &full);
    let answer =
        gateway.push(request("wms", [set(1, "A", "1"), set(2, "B", "2"), set(3, "C", "3"), set(4, "A", "4")])).await;
    let results: Vec<_> =
        answer.json["results"].as_array().unwrap().iter().map(|result| text(result, "/verdict")).collect();
    assert_eq!(results, ["APPLIED", "APPLIED", "REJECTED", "APPLIED"], "{}", answer.json);
    assert_eq!(text(&answer.json, "/results/2/reason"), "ledger_full");
    assert_eq!(figure(&gateway, "A").await, "4");
    let rows = "sku,quantity\nA,1\nB,2\nC,3\n";
    let path = "/v1/stock/snapshots?source=wms&sequence=9&location=PARIS&measure=ON_HAND&rows=3";
    let snapshot = gateway.send(Method::PUT, path, CSV, rows).await;
    assert_eq!(
        (snapshot.status, snapshot.reason(), text(&snapshot.json, "/limit")),
        (409, "ledger_full", "2"),
        "{}",
        snapshot.json
    );
    assert_eq!(figure(&gateway, "A").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_the_ledger_is_asked_for_in_units_the_erp_knows() {
    let (_erp, gateway) = gateway();
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    let request = json!({ "lines": [{ "sku": "BOLT-8", "unit": "PALLET" }, { "sku": "BOLT-8", "unit": "BOX" }] });
    let answer = gateway.post(request).await;
    let [bad, good] = answer.offers() else { panic!("{}", answer.json) };
    assert_eq!((text(bad, "/status"), text(bad, "/reason")), ("INVALID", "unit_unknown"), "{bad}");
    assert_eq!(text(good, "/availability/available"), "7", "in base units: {good}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_is_rejected_with_its_number_and_the_others_are_taken() {
    let (_erp, gateway) = gateway();
    let body = format!("{}\n\n{{\"sequence\":\"2\",\"kind\":\"SET\",\"sk\n{}\n", set(1, "A", "1"), set(3, "A", "3"));
    let answer = gateway.send(Method::POST, "/v1/stock/changes?source=wms", NDJSON, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let [first, broken, last] = &answer.json["results"].as_array().unwrap()[..] else { panic!("{}", answer.json) };
    assert_eq!([text(first, "/verdict"), text(last, "/verdict")], ["APPLIED"; 2]);
    let told = ["/verdict", "/reason", "/line"].map(|path| text(broken, path));
    assert_eq!(told, ["REJECTED", "malformed_json", "3"], "{broken}");
    assert_eq!((text(&answer.json, "/lastSequence"), figure(&gateway, "A").await), ("3", "3".to_owned()));
}

/// Sends this, and the end of the connection.
fn cut(gateway: &Gateway, head: &str, body: &str, said: usize) {
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    write!(stream, "{head}\r\nhost: a\r\ncontent-type: {NDJSON}\r\ncontent-length: {said}\r\n\r\n{body}").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_is_not_taken() {
    let (_erp, gateway) = gateway();
    let body = format!("{}\n{}\n{}", set(1, "A", "1"), set(2, "A", "2"), set(3, "A", "3"));
    let mid = &body[..body.len() - 9];
    let answer = gateway.send(Method::POST, "/v1/stock/changes?source=wms", NDJSON, mid.to_owned()).await;
    assert_eq!((answer.status, answer.reason()), (400, "cut_off"), "{}", answer.json);
    cut(&gateway, "POST /v1/stock/changes?source=wms HTTP/1.1", mid, body.len());
    let rows = "{\"sku\":\"A\",\"quantity\":\"1\"}\n{\"sku\":\"B\",\"quantity\":\"1\"}\n";
    let put = "PUT /v1/stock/snapshots?source=wms&sequence=1&location=PARIS&measure=ON_HAND&rows=2 HTTP/1.1";
    cut(&gateway, put, &rows[..rows.len() - 20], rows.len());
    assert_eq!(text(&source(&gateway, "wms").await, "/lastSequence"), "0");
    assert_eq!(gateway.levels("A").await.len(), 0);
    let whole = gateway.send(Method::POST, "/v1/stock/changes?source=wms", NDJSON, body).await;
    assert_eq!(text(&whole.json, "/applied"), "3", "the last line needs no end of line: {}", whole.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pusher_that_does_not_read_its_answers_is_held_and_nobody_else_is() {
    let (_erp, gateway) = gateway();
    let changes: Vec<_> = (1..=250)
        .map(|n| {
            json!({ "sequence": n.to_string(), "kind": "SET", "sku": format!("S-{n}"),
        "location": "LYON", "measure": "ON_HAND", "quantity": "1", "reference": "r".repeat(200) })
        })
        .collect();
    let before = gateway.process.resident();
    let (times, each) = (20_000, changes.len() as u64);
    let taken = gateway.peer.stall(&gateway.address, &request("erp", changes), times);
    assert!(taken > 0 && taken < times, "it is held: {taken}");
    let grown = gateway.process.resident().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes for a pusher that has {taken} requests of {each} changes under way");
    for number in 1..=50 {
        applied(&gateway, request("wms", [set(number, "BOLT-8", &number.to_string())])).await;
    }
    assert_eq!(text(&offer(&gateway, "LIST", "BOLT-8").await, "/availability/locations/0/available"), "50");
    // A connection that sends half a request and waits holds nobody up either.
    let mut half = TcpStream::connect(&gateway.address).unwrap();
    write!(half, "POST /v1/stock/changes?source=wms HTTP/1.1\r\nhost: a\r\ncontent-type: {NDJSON}\r\ncontent-length: 99\r\n\r\n{{").unwrap();
    applied(&gateway, request("wms", [set(51, "BOLT-8", "51")])).await;
    gateway.still_answers().await;
}
