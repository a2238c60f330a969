//! Stock that is pushed: over both wires, and in the next offer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, text};

pub const NDJSON: &str = "application/x-ndjson";
pub const CSV: &str = "text/csv";

/// A warehouse system, a shop that tells of its orders there, and an ERP for everything else.
pub const SOURCES: &str = r#"
server.data = "data"

[[stock.sources]]
name = "wms"
locations = ["PARIS"]
reorder_wait = "20ms"
gap_grace = "0s"

[[stock.sources]]
name = "shop"
locations = ["PARIS"]
measures = ["PENDING"]

[[stock.sources]]
name = "erp"
reorder_wait = "20ms"
zeroed_rows_min = 2
"#;

pub fn gateway() -> (Erp, Gateway) {
    let erp = Erp::start();
    let gateway = Gateway::serve("simulated.toml", &erp.url(), SOURCES);
    (erp, gateway)
}

/// A change of what is there in PARIS.
pub fn change(sequence: u64, kind: &str, sku: &str, quantity: &str) -> Value {
    json!({ "sequence": sequence.to_string(), "kind": kind, "sku": sku, "location": "PARIS", "measure": "ON_HAND",
        "quantity": quantity })
}

pub fn set(sequence: u64, sku: &str, quantity: &str) -> Value {
    change(sequence, "SET", sku, quantity)
}

pub fn request(source: &str, changes: impl Into<Vec<Value>>) -> Value {
    json!({ "source": source, "changes": changes.into() })
}

/// Fails unless all of it is applied.
pub async fn applied(gateway: &Gateway, request: Value) -> Value {
    let answer = gateway.push(request).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let results = answer.json["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["verdict"] == "APPLIED"), "{}", answer.json);
    answer.json
}

pub async fn source(gateway: &Gateway, name: &str) -> Value {
    let answer = gateway.send(Method::GET, &format!("/v1/stock/sources?source={name}"), "", "").await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["sources"][0].clone()
}

/// The figure of a SKU's only row.
pub async fn figure(gateway: &Gateway, sku: &str) -> String {
    let levels = gateway.levels(sku).await;
    assert_eq!(levels.len(), 1, "{levels:?}");
    text(&levels[0], "/quantity").to_owned()
}

pub async fn offer(gateway: &Gateway, purpose: &str, sku: &str) -> Value {
    let request = json!({ "customer": "C-00042", "purpose": purpose, "timeout": "10s", "lines": [{ "sku": sku }] });
    gateway.post(request).await.offers()[0].clone()
}

/// What is available, from where, and whether it says it is old and why.
pub fn availability(offer: &Value) -> (&str, &str, &str) {
    let reason = text(offer, "/availability/freshness/reason");
    assert_eq!(offer["availability"]["freshness"]["stale"], !reason.is_empty(), "{offer}");
    (text(offer, "/availability/available"), text(offer, "/availability/freshness/source"), reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_in_the_next_offer() {
    let (erp, gateway) = gateway();
    let before = offer(&gateway, "LIST", "BOLT-8").await;
    assert_eq!(availability(&before), ("420", "ERP", ""), "nobody pushed yet");
    for number in 1..=60_u64 {
        let request = request("wms", [set(number, "BOLT-8", &number.to_string())]);
        if number % 2 == 0 {
            applied(&gateway, request).await;
        } else {
            let answer = gateway.peer.call_in_stream(&gateway.address, "PushChanges", &json!([request]));
            assert_eq!((answer.code.as_str(), text(&answer.responses[0], "/applied")), ("OK", "1"), "{answer:?}");
        }
        let figures = if number % 3 == 0 {
            let request = json!({ "customer": "C-00042", "purpose": "LIST", "lines": [{ "sku": "BOLT-8" }] });
            gateway.grpc_offers(&request)[0].clone()
        } else {
            offer(&gateway, "LIST", "BOLT-8").await
        };
        assert_eq!(text(&figures, "/availability/available"), number.to_string(), "at once");
        assert_eq!(text(&figures, "/availability/freshness/source"), "LEDGER");
    }
    let last = offer(&gateway, "LIST", "BOLT-8").await;
    let place = &last["availability"]["locations"][0];
    assert_eq!((text(place, "/location"), text(place, "/onHand")), ("PARIS", "60"));
    assert!(text(place, "/freshness/changedAt") >= text(&before, "/availability/freshness/observedAt"), "{place}");
    // Prices are asked as ever, stock is not.
    assert_eq!(erp.stats().await["lines"], 1, "the first page's");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_stream_are_answered_in_their_order_with_credits() {
    let (_erp, gateway) = gateway();
    let mut requests: Vec<_> = (0..20_u64)
        .map(|n| json!({ "changes": (1..=100).map(|i| set(n * 100 + i, &format!("SKU-{i}"), &n.to_string())).collect::<Vec<_>>() }))
        .collect();
    requests[0]["source"] = "wms".into();
    requests.push(json!({ "sequence": "2000" }));
    requests.push(json!({ "sequence": "2002" }));
    let answer = gateway.peer.call_in_stream(&gateway.address, "PushChanges", &requests.into());
    assert_eq!((answer.code.as_str(), answer.responses.len()), ("OK", 22), "{answer:?}");
    for (n, response) in answer.responses[..20].iter().enumerate() {
        assert_eq!(text(response, "/applied"), "100");
        assert_eq!(text(response, "/lastSequence"), ((n + 1) * 100).to_string());
        assert_eq!(text(response, "/credits"), "10000");
    }
    let [.., here, beyond] = &answer.responses[..] else { panic!() };
    assert!(here["expectedSequence"].is_null(), "{here}");
    assert_eq!(text(beyond, "/expectedSequence"), "2001", "the last changes were lost");
    let report = gateway.grpc("GetSource", &json!({ "source": "wms" }));
    assert_eq!((text(&report.responses[0], "/state"), text(&report.responses[0], "/rate")), ("GAP", "2000"));
    assert_eq!(report.responses[0], source(&gateway, "wms").await, "the same over HTTP");
    let skipped = gateway.grpc("SkipGap", &json!({ "source": "wms", "to": "2002" }));
    assert_eq!(text(&skipped.responses[0], "/lastSequence"), "2002", "{skipped:?}");
    assert_eq!(text(&skipped.responses[0], "/state"), "IN_SEQUENCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_the_same_over_every_wire_and_however_it_is_written() {
    let (_erp, gateway) = gateway();
    let sent = json!({ "sequence": "7", "after": "0", "kind": "SET", "sku": "A", "location": "PARIS", "measure": "INCOMING",
        "row": "order 1", "quantity": "12", "expectedOn": "2026-12-01", "effectiveAt": "2026-11-22T10:00:00.123+01:00",
        "eventId": "e-1", "reference": "BL 123" });
    let first = applied(&gateway, request("wms", [sent.clone()])).await;
    let id = text(&first, "/results/0/changeId");
    let with = |name: &str, value: &str| {
        let mut change = sent.clone();
        change[name] = value.into();
        change
    };
    let mut alone = sent.clone();
    alone.as_object_mut().unwrap().remove("after");
    let again = [
        sent.clone(),
        alone,
        with("after", "3"),
        with("quantity", "12.000"),
        with("effectiveAt", "2026-11-22T09:00:00.123456Z"),
    ];
    for change in again {
        let over_http = gateway.push(request("wms", [change.clone()])).await.json["results"][0].clone();
        let line = change.to_string();
        let in_lines = gateway.send(Method::POST, "/v1/stock/changes?source=wms", NDJSON, line).await;
        let streamed =
            gateway.peer.call_in_stream(&gateway.address, "PushChanges", &json!([request("wms", [change.clone()])]));
        let over_grpc = streamed.responses[0]["results"][0].clone();
        for result in [&over_http, &in_lines.json["results"][0], &over_grpc] {
            assert_eq!(text(result, "/verdict"), "DUPLICATE", "{change}: {result}");
            assert_eq!((text(result, "/original/verdict"), text(result, "/original/changeId")), ("APPLIED", id));
        }
    }
    let other = gateway.push(request("wms", [with("quantity", "13")])).await;
    assert_eq!(text(&other.json, "/results/0/reason"), "sequence_reused", "{}", other.json);
    let level = &gateway.levels("A").await[0];
    let told = ["/row", "/measure", "/quantity", "/expectedOn", "/source"].map(|path| text(level, path));
    assert_eq!(told, ["order 1", "INCOMING", "12", "2026-12-01", "wms"]);
    assert_eq!(level["suspect"], true, "its number was used for something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_are_told_row_by_row_and_removed_rows_are_not() {
    let (_erp, gateway) = gateway();
    let row = |sequence: u64, measure: &str, row: &str, quantity: &str| {
        json!({ "sequence": sequence.to_string(), "kind": "SET", "sku": "A", "location": "PARIS", "measure": measure, "row": row,
            "quantity": quantity })
    };
    let rows = [
        row(1, "RESERVED", "o-2", "3"),
        row(2, "RESERVED", "o-1", "2"),
        row(3, "ON_HAND", "", "10.50"),
        row(4, "RESERVED", "o-2", "0"),
        row(5, "ON_HAND", "", "0"),
    ];
    applied(&gateway, request("wms", &rows[..3])).await;
    let orders = |quantity: &str, at: &str| {
        json!({ "kind": "SET", "sku": "A", "location": "PARIS", "measure": "PENDING", "row": "o-9", "quantity": quantity,
            "effectiveAt": at, "eventId": at })
    };
    let now = jiff::Timestamp::now();
    let earlier = |seconds: i64| (now - jiff::SignedDuration::from_secs(seconds)).to_string();
    applied(&gateway, request("shop", [orders("1", &earlier(20))])).await;
    let told = |levels: &[Value]| -> Vec<String> {
        let line = |level: &Value| ["/measure", "/row", "/quantity", "/source"].map(|path| text(level, path)).join(" ");
        levels.iter().map(line).collect()
    };
    let levels = gateway.levels("A").await;
    let all = ["ON_HAND  10.50 wms", "RESERVED o-1 2 wms", "RESERVED o-2 3 wms", "PENDING o-9 1 shop"];
    assert_eq!(told(&levels), all);
    let over_grpc = gateway.grpc("GetLevels", &json!({ "skus": ["A", "NOTHING", "A"] }));
    assert_eq!(over_grpc.responses[0]["levels"].as_array().unwrap().len(), 8, "asked twice, answered twice");
    applied(&gateway, request("wms", &rows[3..])).await;
    applied(&gateway, request("shop", [orders("0", &earlier(10))])).await;
    // The shop does not number: what is removed is remembered, so that nothing older comes back; it is not shown.
    assert_eq!(told(&gateway.levels("A").await), ["ON_HAND  0 wms", "RESERVED o-1 2 wms"]);
    let late = gateway.push(request("shop", [orders("7", &earlier(15))])).await;
    assert_eq!(text(&late.json, "/results/0/verdict"), "OUT_OF_DATE", "{}", late.json);
    assert_eq!(gateway.levels("A").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_states_everything() {
    let (erp, gateway) = gateway();
    let put = async |query: &str, kind: &str, body: &str| {
        let path = format!("/v1/stock/snapshots?source=erp&{query}");
        gateway.send(Method::PUT, &path, kind, body.to_owned()).await
    };
    let csv = "sku;quantity\nBOLT-8;41\nSKU-000001;42\nSKU-000002;43\n";
    let query = "sequence=10&location=LYON&measure=ON_HAND&rows=3";
    let tried = put(&format!("{query}&dryRun=true"), CSV, csv).await;
    assert_eq!(
        (tried.status, text(&tried.json, "/changed"), &tried.json["dryRun"]),
        (200, "3", &json!(true)),
        "{}",
        tried.json
    );
    assert_eq!(gateway.levels("BOLT-8").await.len(), 0, "nothing was done");
    let taken = put(query, CSV, csv).await;
    let told = ["/rows", "/changed", "/zeroed", "/lastSequence"].map(|path| text(&taken.json, path));
    assert_eq!((taken.status, told), (200, ["3", "3", "0", "10"]), "{}", taken.json);
    let lyon = |offer: &Value| -> Option<String> {
        let all = offer["availability"]["locations"].as_array().unwrap().clone();
        all.iter().find(|place| place["location"] == "LYON").map(|place| text(place, "/available").to_owned())
    };
    assert_eq!(lyon(&offer(&gateway, "LIST", "BOLT-8").await).as_deref(), Some("41"));
    assert_eq!(
        lyon(&offer(&gateway, "LIST", "SKU-000009").await).as_deref(),
        Some("0"),
        "absent from everything is zero"
    );
    // Later changes stay on top of an earlier snapshot.
    let add = json!({ "sequence": "11", "kind": "ADD", "sku": "BOLT-8", "location": "LYON", "measure": "ON_HAND",
        "quantity": "-1" });
    applied(&gateway, request("erp", [add])).await;
    let lines = "{\"sku\":\"BOLT-8\",\"location\":\"LYON\",\"quantity\":\"51\"}\n\n{\"sku\":\"SKU-000001\",\"location\":\"LYON\",\
                 \"quantity\":42}\n{\"rows\":\"2\"}\n";
    let second = put("sequence=10&measure=ON_HAND", NDJSON, lines).await;
    assert_eq!((second.status, second.reason()), (409, "out_of_date"), "the same number: {}", second.json);
    let second = put("sequence=12&measure=ON_HAND", NDJSON, lines).await;
    let told = ["/rows", "/rejected", "/changed", "/zeroed", "/lastSequence"].map(|path| text(&second.json, path));
    assert_eq!((second.status, told), (200, ["2", "1", "2", "1", "12"]), "{}", second.json);
    let reject = &second.json["rejects"][0];
    assert_eq!((text(reject, "/line"), text(reject, "/reason")), ("3", "malformed_decimal"), "{reject}");
    let kept = &gateway.levels("SKU-000001").await[0];
    assert_eq!((text(kept, "/quantity"), &kept["suspect"]), ("42", &json!(true)), "as it was, and said to be doubtful");
    let marked = offer(&gateway, "LIST", "SKU-000001").await;
    assert_eq!(availability(&marked).2, "row_rejected", "{marked}");
    // Over gRPC, in messages.
    let message = |rows: Value| json!({ "rows": rows });
    let head =
        json!({ "source": "erp", "sequence": "13", "locations": ["LYON"], "measures": ["ON_HAND"], "force": true });
    let requests = json!([{ "head": head }, message(json!([{ "sku": "BOLT-8", "quantity": "61" }])),
        message(json!([{ "sku": "SKU-000001", "quantity": "0" }])), { "end": { "rows": "2" } }]);
    let answer = gateway.peer.call_in_stream(&gateway.address, "PutSnapshot", &requests);
    assert_eq!((answer.code.as_str(), text(&answer.responses[0], "/changed")), ("OK", "2"), "{answer:?}");
    assert_eq!(figure(&gateway, "BOLT-8").await, "61");
    drop(erp);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_empties_the_shelves_is_not_believed_at_once() {
    let (_erp, gateway) = gateway();
    let put = async |query: &str, rows: &[u32]| {
        let mut csv = String::from("sku,quantity\n");
        rows.iter().for_each(|row| csv.push_str(&format!("S-{row},{row}\n")));
        let query = format!("location=LYON&measure=ON_HAND&rows={}&{query}", rows.len());
        gateway.send(Method::PUT, &format!("/v1/stock/snapshots?source=erp&{query}"), CSV, csv).await
    };
    let all: Vec<u32> = (1..=20).collect();
    assert_eq!(put("sequence=1", &all).await.status, 200);
    let refused = put("sequence=2", &all[..5]).await;
    assert_eq!((refused.status, refused.reason()), (409, "too_many_zeros"), "{}", refused.json);
    assert!(text(&refused.json, "/detail").contains("15 of 20"), "{}", refused.json);
    assert_eq!(figure(&gateway, "S-20").await, "20", "nothing of it was taken");
    let again = put("sequence=3", &all[..5]).await;
    assert_eq!((again.status, text(&again.json, "/zeroed")), (200, "15"), "said twice it is so: {}", again.json);
    assert_eq!(figure(&gateway, "S-20").await, "0");
    assert_eq!(put("sequence=4", &[]).await.reason(), "too_many_zeros");
    assert_eq!(put("sequence=4&force=true", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_asks_the_erp_while_the_ledger_is_in_doubt_and_the_ledger_stays_as_it_is() {
    let (erp, gateway) = gateway();
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    for purpose in ["LIST", "CART", "CHECKOUT"] {
        assert_eq!(availability(&offer(&gateway, purpose, "BOLT-8").await), ("7", "LEDGER", ""), "{purpose}");
    }
    let early = gateway.push(request("wms", [set(3, "BOLT-8", "9")])).await;
    let result = &early.json["results"][0];
    assert_eq!((text(result, "/verdict"), text(result, "/expectedSequence")), ("GAP", "2"), "{}", early.json);
    assert_eq!(availability(&offer(&gateway, "LIST", "BOLT-8").await), ("7", "LEDGER", "source_gap"));
    applied(
        &gateway,
        request(
            "erp",
            [json!({ "sequence": "1", "kind": "SET", "sku": "BOLT-8", "location": "LYON",
        "measure": "ON_HAND", "quantity": "3" })],
        ),
    )
    .await;
    for purpose in ["CART", "CHECKOUT"] {
        let asked = offer(&gateway, purpose, "BOLT-8").await;
        let [paris, lyon] = &asked["availability"]["locations"].as_array().unwrap()[..] else { panic!("{asked}") };
        let told = |place| ["/available", "/freshness/source"].map(|path| text(place, path));
        // What the page before brought along with the price was asked after the ledger's figure, and may do for a cart.
        assert_eq!(told(paris), ["420", if purpose == "CART" { "MEMORY" } else { "ERP" }], "{purpose}: {asked}");
        assert_eq!(told(lyon), ["3", "LEDGER"], "nobody doubts that: {asked}");
    }
    let levels = gateway.levels("BOLT-8").await;
    let figures: Vec<_> = levels.iter().map(|level| text(level, "/quantity")).collect();
    assert_eq!(figures, ["3", "7"], "what was asked is nobody's stock");
    assert_eq!(text(&source(&gateway, "wms").await, "/lastSequence"), "1");
    erp.faults(json!({ "down": true })).await;
    let checkout = offer(&gateway, "CHECKOUT", "BOLT-8").await;
    assert_eq!(text(&checkout, "/availability/status"), "UNAVAILABLE", "{checkout}");
    // What was missing comes.
    erp.no_faults().await;
    applied(&gateway, request("wms", [set(2, "BOLT-8", "8"), set(3, "BOLT-8", "9")])).await;
    assert_eq!(availability(&offer(&gateway, "CART", "BOLT-8").await), ("12", "LEDGER", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_heard_for_long_is_marked() {
    let erp = Erp::start();
    let sources = SOURCES.replace("gap_grace = \"0s\"", "silent_after = \"1s\"");
    let gateway = Gateway::serve("simulated.toml", &erp.url(), &sources);
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    crate::rig::until("it is silent", async || text(&source(&gateway, "wms").await, "/state") == "SILENT").await;
    assert_eq!(availability(&offer(&gateway, "LIST", "BOLT-8").await), ("7", "LEDGER", "source_silent"));
    // Silence is a second, and so may the machine's be: what is heard now is told now, and may be old again after.
    let heard = gateway.push(json!({ "source": "wms", "changes": [], "sequence": "1" })).await;
    assert_eq!((heard.status, text(&heard.json, "/lastSequence")), (200, "1"), "{}", heard.json);
    assert!(
        text(&source(&gateway, "wms").await, "/lastHeardAt") > text(&source(&gateway, "erp").await, "/lastHeardAt")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_never_stated_and_the_erp_does_not_tell_is_not_complete() {
    let erp = Erp::start();
    let preset = Gateway::preset("simulated.toml");
    // An ERP that tells prices and no stock.
    let (start, end) = (preset.find("[offers.stock]").unwrap(), preset.find("[customers]").unwrap());
    let without = format!("{}{}", &preset[..start], &preset[end..]).replace("[offers", "[prices");
    let gateway = Gateway::serve_preset(&without, &erp.url(), SOURCES);
    applied(&gateway, request("wms", [set(1, "BOLT-8", "7")])).await;
    assert_eq!(availability(&offer(&gateway, "LIST", "BOLT-8").await), ("7", "LEDGER", ""));
    let unsaid = offer(&gateway, "LIST", "SKU-000001").await;
    assert_eq!(text(&unsaid, "/status"), "OK", "its price is there: {unsaid}");
    let stock = ["/availability/status", "/availability/reason"].map(|path| text(&unsaid, path));
    assert_eq!(stock, ["UNAVAILABLE", "not_complete"], "{unsaid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_every_source() {
    let (_erp, gateway) = gateway();
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(5);
    let mut late = set(1, "BOLT-8", "7");
    late["effectiveAt"] = at.to_string().into();
    applied(&gateway, request("wms", [late])).await;
    gateway.push(request("wms", [set(1, "BOLT-8", "8"), change(2, "ADD", "UNKNOWN", "1")])).await;
    let ready = gateway.admin_page("/readyz").await;
    assert_eq!(ready.0, 200);
    let line = |name: &str| ready.1.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{}", ready.1));
    assert!(ready.1.starts_with("ready\nstock: changes are taken; 0 wait; 1 levels\n"), "{}", ready.1);
    let wms = line("source wms");
    for part in ["IN_SEQUENCE at 2", "heard 0 s ago", "lag ", "3 changes", "2 not taken", "REJECTED no_base_figure"] {
        assert!(wms.contains(part), "{part}: {wms}");
    }
    assert!(line("source erp").contains("never heard"));
    let expected = [
        "comptoir_stock_changes_total{source=\"wms\",verdict=\"CONFLICT\",reason=\"sequence_reused\"} 1",
        "comptoir_stock_changes_total{source=\"wms\",verdict=\"APPLIED\",reason=\"\"} 1",
        "comptoir_stock_source_state{source=\"wms\",state=\"IN_SEQUENCE\"} 1",
        "comptoir_stock_source_sequence{source=\"wms\"} 2",
        "comptoir_stock_source_gap_seconds{source=\"wms\"} 0",
        "comptoir_stock_source_rate{source=\"wms\"} 3",
        "comptoir_stock_source_lag_seconds{source=\"wms\"} 5.",
        "comptoir_stock_source_heard_seconds{source=\"wms\"} ",
        "comptoir_stock_intake_open 1",
        "comptoir_stock_levels 1",
    ];
    crate::rig::until("metrics of the ledger", async || {
        let metrics = gateway.admin_page("/metrics").await.1;
        expected.iter().all(|line| metrics.contains(line))
    })
    .await;
}
