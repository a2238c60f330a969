//! The stock service over real sockets, before a ledger that says what it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;

mod streams;

use super::samples::SampleOffers;
use super::sockets::{Reply, Server, start_api};
use crate::api::proto::stock_service_client::StockServiceClient;
use crate::api::{Api, ApiConfig, Stock, proto};
use crate::clock::{Clock, Timestamp};
use crate::domain::change::{Measure, RowId, RowKey, Unreadable};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::stock::event::{Original, Row, Verdict};
use crate::stock::levels::Told;
use crate::stock::report::{Reject, SourceReport, SourceState};
use crate::stock::request::{
    Answer, IntakeError, Outcome, Request, SnapshotAnswer, SnapshotError, SnapshotHead, SnapshotLine, SnapshotPart,
};

type Later<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// Takes everything, keeps what it was given, and fails by the source's name.
struct Ledger {
    pushed: Mutex<Vec<Request>>,
    heads: Mutex<Vec<SnapshotHead>>,
    rows: Arc<Mutex<Vec<SnapshotLine>>>,
    ends: Arc<Mutex<Vec<Option<u64>>>>,
    /// A push is answered when there is a permit, and takes it.
    gate: Arc<Semaphore>,
}

const AT: Timestamp = Timestamp(1_795_341_872_120);

fn report(source: &str) -> SourceReport {
    SourceReport {
        source: SourceId::new(source).unwrap(),
        epoch: Default::default(),
        last_sequence: 7,
        state: SourceState::Gap,
        last_heard: Some(AT),
        gap_since: Some(Timestamp(AT.0 + 1)),
        rate: 0,
        rejects: vec![Reject {
            at: AT,
            verdict: Verdict::Rejected,
            reason: "not_owner",
            detail: "\"LYON\" is another's".into(),
            sequence: Some(5),
            event_id: None,
            sku: Some(Sku::new("BOLT-8").unwrap()),
            location: None,
        }],
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    Outcome { verdict, reason: None, detail: None, change_id: None, original: None, expected_sequence: None }
}

impl Stock for Ledger {
    fn push(&self, request: Request) -> Later<Result<Answer, IntakeError>> {
        self.pushed.lock().unwrap().push(request.clone());
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            match request.source.as_str() {
                "broken" => return Err(IntakeError::ReadOnly),
                "crowd" => return Err(IntakeError::Full { limit: 100_000 }),
                "late" => return Err(IntakeError::Stopped),
                _ => {}
            }
            let outcomes = request.changes.iter().map(|change| match &change.movement {
                Ok(_) => Outcome { change_id: change.sequence, ..outcome(Verdict::Applied) },
                Err(Unreadable { reason, detail, .. }) => {
                    Outcome { reason: Some(reason), detail: Some(detail.clone()), ..outcome(Verdict::Rejected) }
                }
            });
            let outcomes: Vec<_> = outcomes.collect();
            let applied = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Applied).count() as u64;
            let rejected = outcomes.len() as u64 - applied;
            let last_sequence = request.changes.iter().filter_map(|change| change.sequence).max().unwrap_or(0);
            let expected_sequence = request.heartbeat.map(|_| 1);
            Ok(Answer { outcomes, last_sequence, applied, rejected, expected_sequence })
        })
    }

    fn put_snapshot(
        &self,
        head: SnapshotHead,
        mut parts: mpsc::Receiver<SnapshotPart>,
    ) -> Later<Result<SnapshotAnswer, SnapshotError>> {
        self.heads.lock().unwrap().push(head.clone());
        let (rows, ends) = (self.rows.clone(), self.ends.clone());
        Box::pin(async move {
            match head.source.as_str() {
                "broken" => return Err(IntakeError::ReadOnly.into()),
                "old" => return Err(SnapshotError::TooOld { remembered: 9 }),
                _ => {}
            }
            let mut count = 0;
            let said = loop {
                match parts.recv().await {
                    Some(SnapshotPart::Rows(part)) => {
                        count += part.len() as u64;
                        rows.lock().unwrap().extend(part);
                    }
                    Some(SnapshotPart::End { rows }) => break rows,
                    None => return Err(SnapshotError::Cut { rows: count }),
                }
            };
            ends.lock().unwrap().push(said);
            match head.source.as_str() {
                "later" => Err(SnapshotError::OutOfDate),
                "unsaid" => Err(SnapshotError::RowsUnsaid),
                "empty" => Err(SnapshotError::TooManyZeros { zeroed: 900, rows: 1000 }),
                "full" => Err(SnapshotError::LedgerFull { limit: 5 }),
                "small" => Err(SnapshotError::ScopeTooSmall),
                "strange" => Err(SnapshotError::NotOwner { what: "LYON".into() }),
                "twice" => {
                    Err(SnapshotError::Lines { reason: "duplicate_key", what: "a row comes again", lines: vec![3, 9] })
                }
                _ => Ok(SnapshotAnswer {
                    rows: count,
                    rejected: 1,
                    changed: 2,
                    zeroed: 0,
                    last_sequence: 7,
                    dry_run: head.dry_run,
                    rejects: vec![(3, Unreadable { reason: "malformed_decimal", detail: "x".into(), key: None })],
                }),
            }
        })
    }

    fn skip_gap(&self, source: SourceId, _: Option<u64>) -> Later<Result<SourceReport, IntakeError>> {
        Box::pin(async move {
            match source.as_str() {
                "wms" => Ok(report("wms")),
                "whole" => Err(IntakeError::NoGap),
                _ => Err(IntakeError::UnknownSource),
            }
        })
    }

    fn source(&self, source: &SourceId) -> Option<SourceReport> {
        (source.as_str() == "wms").then(|| report("wms"))
    }

    fn sources(&self) -> Vec<SourceReport> {
        vec![report("wms"), report("shop")]
    }

    fn rows(&self, skus: &[Sku], _: Timestamp) -> Vec<(Told, SourceId)> {
        let told = |sku: &Sku| Told {
            key: RowKey {
                sku: sku.clone(),
                location: LocationId::new("PARIS").unwrap(),
                measure: Measure::Incoming,
                row: RowId::default(),
            },
            row: Row {
                quantity: "-1.50".parse().unwrap(),
                expected_on: Some(jiff::civil::date(2026, 12, 1)),
                expires_at: None,
                changed_at: AT,
                effective_at: None,
                sequence: 1,
                stated: 1,
                suspect: false,
            },
            suspect: false,
        };
        skus.iter().map(|sku| (told(sku), SourceId::new("wms").unwrap())).collect()
    }
}

async fn start_with(config: ApiConfig, permits: usize) -> (Server, Arc<Ledger>) {
    let ledger = Arc::new(Ledger {
        pushed: Mutex::default(),
        heads: Mutex::default(),
        rows: Arc::default(),
        ends: Arc::default(),
        gate: Arc::new(Semaphore::new(permits)),
    });
    let api = Api::new(Arc::new(SampleOffers), config, Clock::system()).with_stock(ledger.clone());
    (start_api(api).await, ledger)
}

async fn start() -> (Server, Arc<Ledger>) {
    start_with(ApiConfig::default(), 1_000_000).await
}

fn line(sequence: u64) -> String {
    json!({ "sequence": sequence.to_string(), "kind": "SET", "sku": "A", "location": "P", "measure": "ON_HAND", "quantity": "1" })
        .to_string()
}

async fn push(server: &Server, query: &str, kind: &str, body: &str) -> Reply {
    server.http(&format!("POST /v1/stock/changes{query}\ncontent-type: {kind}"), body.as_bytes()).await
}

#[tokio::test]
async fn a_push_in_json_is_answered_change_by_change() {
    let (server, ledger) = start().await;
    let bad = line(2).replace("\"quantity\":\"1\"", "\"quantity\":1");
    let body = format!(r#"{{"source":"wms","epoch":"e","changes":[{},{bad}]}}"#, line(1));
    let reply = push(&server, "", "application/json", &body).await;
    assert_eq!(
        (reply.status, reply.json()),
        (
            200,
            json!({ "results": [
                { "verdict": "APPLIED", "changeId": "1" },
                { "verdict": "REJECTED", "reason": "malformed_decimal", "detail": "changes[1].quantity: write \"1\"" },
            ], "lastSequence": "2", "applied": "1", "rejected": "1" })
        )
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let pushed = ledger.pushed.lock().unwrap().remove(0);
    assert_eq!((pushed.source.as_str(), pushed.epoch.as_str(), pushed.heartbeat), ("wms", "e", None));
    let reply = push(&server, "", "application/json", r#"{"source":"wms","sequence":"9"}"#).await;
    assert_eq!(reply.json(), json!({ "lastSequence": "0", "applied": "0", "rejected": "0", "expectedSequence": "1" }));
}

#[tokio::test]
async fn a_push_in_lines_rejects_the_broken_one_and_takes_the_others() {
    let (server, ledger) = start().await;
    let body = format!("{}\n\n{{\"sequence\":\"2\",\n{}\n", line(1), line(3));
    let reply = push(&server, "?source=wms&epoch=e%2B1", "application/x-ndjson", &body).await;
    let answer = reply.json();
    assert_eq!((reply.status, &answer["applied"], &answer["rejected"]), (200, &json!("2"), &json!("1")));
    let broken = &answer["results"][1];
    assert_eq!(
        (&broken["verdict"], &broken["reason"], &broken["line"]),
        (&json!("REJECTED"), &json!("malformed_json"), &json!("3"))
    );
    let pushed = ledger.pushed.lock().unwrap();
    assert_eq!(pushed[0].epoch.as_str(), "e+1");
    let numbers: Vec<_> = pushed[0].changes.iter().map(|change| change.sequence).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)], "the broken one takes its number");
}

#[tokio::test]
async fn what_is_wrong_with_a_whole_request_is_a_problem() {
    let (server, ledger) = start_with(ApiConfig { changes_max: 2, ..ApiConfig::default() }, 1000).await;
    let json = "application/json";
    let lines = "application/x-ndjson";
    let three = format!("{}\n{}\n{}\n", line(1), line(2), line(3));
    let cut = &three[..three.len() - 5];
    for (query, kind, body, status, reason) in [
        ("", json, "{", 400, "malformed_json"),
        ("", json, r#"{"source":""}"#, 400, "malformed_id"),
        ("", json, r#"{"source":"a","colour":"red"}"#, 400, "unknown_field"),
        ("", json, r#"{"source":"a","changes":[{},{},{}]}"#, 400, "over_limit"),
        ("?source=a", json, r#"{"source":"a"}"#, 400, "unknown_field"),
        ("", lines, &three, 400, "malformed_id"),
        ("?source=a", lines, &three, 400, "over_limit"),
        ("?source=a&source=b", lines, "", 400, "duplicate_key"),
        ("?source=a&sequence=x", lines, "", 400, "out_of_range"),
        ("?source=a", lines, &cut[line(1).len() + 1..], 400, "cut_off"),
        ("?source=a", "text/csv", "", 415, "unsupported_media_type"),
        ("", json, r#"{"source":"broken"}"#, 503, "intake_read_only"),
        ("", json, r#"{"source":"crowd"}"#, 503, "over_limit"),
        ("", json, r#"{"source":"late"}"#, 503, "stopping"),
    ] {
        let reply = push(&server, query, kind, body).await;
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{query} {body}");
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
    }
    assert!(ledger.pushed.lock().unwrap().iter().all(|pushed| pushed.changes.is_empty()), "nothing of them was taken");
    for head in
        ["GET /v1/stock/changes", "PUT /v1/stock/sources", "POST /v1/stock/levels", "GET /v1/stock/sources:skip"]
    {
        assert_eq!(server.http(head, b"").await.reason(), "method_not_allowed", "{head}");
    }
    assert_eq!(server.http("GET /v1/stock/", b"").await.reason(), "no_such_resource");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken() {
    let (server, ledger) = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let body = format!("{}\n{}\n", line(1), line(2));
    let head = format!(
        "POST /v1/stock/changes?source=wms HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n{}",
        body.len(),
        &body[..body.len() - 5]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(!String::from_utf8_lossy(&read).contains(" 200 "), "{}", String::from_utf8_lossy(&read));
    assert!(ledger.pushed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_ledger_there_is_no_stock() {
    let api = Api::new(Arc::new(SampleOffers), ApiConfig::default(), Clock::system());
    let server = start_api(api).await;
    assert_eq!(server.http("GET /v1/stock/sources", b"").await.reason(), "no_such_resource");
    let mut client = StockServiceClient::new(server.channel().await);
    let status = client.list_sources(proto::ListSourcesRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn sources_and_levels_on_both_wires() {
    let (server, _) = start().await;
    let mut client = StockServiceClient::new(server.channel().await);
    let source = json!({
        "source": "wms", "epoch": "", "lastSequence": "7", "state": "GAP", "lastHeardAt": "2026-11-22T10:04:32.120Z",
        "gapSince": "2026-11-22T10:04:32.121Z", "rate": "0",
        "rejects": [{ "at": "2026-11-22T10:04:32.120Z", "verdict": "REJECTED", "reason": "not_owner",
            "detail": "\"LYON\" is another's", "sequence": "5", "sku": "BOLT-8" }],
    });
    let reply = server.http("GET /v1/stock/sources?source=wms", b"").await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "sources": [source] })));
    assert_eq!(server.http("GET /v1/stock/sources", b"").await.json()["sources"].as_array().unwrap().len(), 2);
    let reply = server.http("GET /v1/stock/sources?source=x", b"").await;
    assert_eq!((reply.status, reply.reason().as_str()), (404, "unknown_source"));
    let ask = |source: &str| proto::GetSourceRequest { source: source.into() };
    let told = client.get_source(ask("wms")).await.unwrap().into_inner();
    assert_eq!((told.last_sequence, told.rejects.len()), (Some(7), 1));
    assert_eq!(client.get_source(ask("x")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.list_sources(proto::ListSourcesRequest {}).await.unwrap().into_inner().sources.len(), 2);

    let skip = "POST /v1/stock/sources:skip\ncontent-type: application/json";
    assert_eq!(server.http(skip, br#"{"source":"wms","to":"9"}"#).await.json(), source);
    for (body, status, reason) in [
        (r#"{"source":"whole"}"#, 409, "no_gap"),
        (r#"{"source":"x"}"#, 404, "unknown_source"),
        (r#"{"source":"wms","to":"-1"}"#, 400, "out_of_range"),
        (r#"{"source":"wms","up":"1"}"#, 400, "unknown_field"),
    ] {
        let reply = server.http(skip, body.as_bytes()).await;
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{body}");
    }
    let skipped = client.skip_gap(proto::SkipGapRequest { source: "wms".into(), to: Some(9) }).await.unwrap();
    assert_eq!(skipped.into_inner().source, "wms");

    let reply = server.http("GET /v1/stock/levels?sku=A&sku=B%20C", b"").await;
    let level = |sku: &str| {
        json!({ "sku": sku, "location": "PARIS", "measure": "INCOMING", "row": "", "quantity": "-1.50",
            "expectedOn": "2026-12-01", "changedAt": "2026-11-22T10:04:32.120Z", "suspect": false, "source": "wms" })
    };
    assert_eq!(reply.json(), json!({ "levels": [level("A"), level("B C")] }));
    assert_eq!(server.http("GET /v1/stock/levels", b"").await.reason(), "nothing_named");
    let levels = client.get_levels(proto::GetLevelsRequest { skus: vec!["A".into()] }).await.unwrap().into_inner();
    assert_eq!(levels.levels[0].measure, i32::from(proto::measure::Value::Incoming));
    let many = proto::GetLevelsRequest { skus: vec!["A".into(); 501] };
    assert_eq!(
        client.get_levels(many).await.unwrap_err().get_error_details().error_info().unwrap().reason,
        "over_limit"
    );
}

#[tokio::test]
async fn snapshots_in_lines_and_csv_are_handed_on_row_by_row() {
    let (server, ledger) = start().await;
    let put = |query: &str, kind: &str| format!("PUT /v1/stock/snapshots{query}\ncontent-type: {kind}");
    let body = "{\"sku\":\"A\",\"quantity\":\"1\"}\r\n\n{\"sku\":\"B\",\"quantity\":2}\n{\"rows\":\"2\"}";
    let query = "?source=wms&epoch=e&sequence=7&location=P&measure=ON_HAND&force=true&dryRun=true";
    let reply = server.http(&put(query, "application/x-ndjson"), body.as_bytes()).await;
    assert_eq!(
        (reply.status, reply.json()),
        (
            200,
            json!({ "rows": "2", "rejected": "1", "changed": "2", "zeroed": "0", "lastSequence": "7", "dryRun": true,
            "rejects": [{ "line": "3", "reason": "malformed_decimal", "detail": "x" }] })
        )
    );
    let head = ledger.heads.lock().unwrap().remove(0);
    assert_eq!((head.sequence, head.rows, head.force, head.dry_run), (Some(7), None, true, true));
    assert_eq!((head.locations[0].as_str(), head.measures[0]), ("P", Measure::OnHand));
    assert_eq!(*ledger.ends.lock().unwrap(), [Some(2)]);
    let rows = std::mem::take(&mut *ledger.rows.lock().unwrap());
    let key = &rows[0].row.as_ref().unwrap().key;
    assert_eq!((key.location.as_str(), key.measure), ("P", Measure::OnHand), "what the scope says");
    let bad = rows[1].row.as_ref().unwrap_err();
    assert_eq!((rows[1].line, bad.reason, bad.key.is_some()), (3, "malformed_decimal", true), "as an editor counts");

    let mut csv = String::from("sku,location,measure,quantity\n");
    (0..2500).for_each(|row| csv.push_str(&format!("SKU-{row},P,ON_HAND,{row}\n")));
    let reply = server.http(&put("?source=wms&rows=2500", "text/csv; charset=utf-8"), csv.as_bytes()).await;
    assert_eq!((reply.status, &reply.json()["rows"]), (200, &json!("2500")));
    let rows = ledger.rows.lock().unwrap();
    assert!(rows.iter().enumerate().all(|(index, row)| row.line == index as u64 + 2 && row.row.is_ok()));
    assert_eq!(rows[2499].row.as_ref().unwrap().key.sku.as_str(), "SKU-2499");
}

#[tokio::test]
async fn a_snapshot_that_is_not_taken_says_why() {
    let (server, ledger) = start().await;
    let lines = "application/x-ndjson";
    for (query, kind, body, status, reason) in [
        ("?source=broken", lines, "", 503, "intake_read_only"),
        ("?source=old", lines, "", 409, "snapshot_too_old"),
        ("?source=later", lines, "", 409, "out_of_date"),
        ("?source=unsaid", lines, "", 400, "count_mismatch"),
        ("?source=empty", lines, "", 409, "too_many_zeros"),
        ("?source=full", lines, "", 409, "ledger_full"),
        ("?source=small", lines, "", 409, "snapshot_required"),
        ("?source=strange", lines, "", 409, "not_owner"),
        ("?source=twice", lines, "", 400, "duplicate_key"),
        ("", lines, "", 400, "malformed_id"),
        ("?source=a&measure=STOCK", lines, "", 400, "unknown_value"),
        ("?source=a&force=yes", lines, "", 400, "wrong_type"),
        ("?source=a&colour=red", lines, "", 400, "unknown_field"),
        ("?source=a", "application/json", "", 415, "unsupported_media_type"),
        ("?source=a", "text/csv", "sku;price\n", 400, "unknown_field"),
        ("?source=a", lines, "{\"rows\":\"0\"}\n{\"sku\":\"A\"}\n", 400, "contradictory"),
        ("?source=a", lines, &"x".repeat(70_000), 413, "over_limit"),
    ] {
        let head = format!("PUT /v1/stock/snapshots{query}\ncontent-type: {kind}");
        let reply = server.http(&head, body.as_bytes()).await;
        let shown = &body[..body.len().min(40)];
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{query} {shown}");
    }
    let twice = server.http("PUT /v1/stock/snapshots?source=twice\ncontent-type: text/csv", b"sku,quantity\n").await;
    assert_eq!(twice.json()["detail"], "a row comes again in lines [3, 9]");
    // Broken off: the ledger never hears of an end.
    ledger.ends.lock().unwrap().clear();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /v1/stock/snapshots?source=wms&rows=1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
                content-length: 1000\r\n\r\n{\"sku\":\"A\",\"quantity\":\"1\"}\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(ledger.ends.lock().unwrap().is_empty());
    // Refused while it still sends: the answer arrives.
    let long = "{\"sku\":\"A\"}\n".repeat(400_000);
    let reply =
        server.http("PUT /v1/stock/snapshots?source=old\ncontent-type: application/x-ndjson", long.as_bytes()).await;
    assert_eq!(reply.reason(), "snapshot_too_old");
}
