//! Stock over gRPC: streams of changes, and snapshots in parts.

use super::*;

fn change(sequence: u64) -> proto::StockChange {
    proto::StockChange {
        sequence: Some(sequence),
        kind: 1,
        sku: "A".into(),
        location: "P".into(),
        measure: 1,
        quantity: "1".into(),
        ..Default::default()
    }
}

fn request(source: &str, sequences: std::ops::RangeInclusive<u64>) -> proto::PushChangesRequest {
    proto::PushChangesRequest { source: source.into(), changes: sequences.map(change).collect(), ..Default::default() }
}

struct Pusher {
    requests: mpsc::Sender<proto::PushChangesRequest>,
    answers: tonic::Streaming<proto::PushChangesResponse>,
}

async fn pusher(server: &Server) -> Pusher {
    let (requests, queue) = mpsc::channel(1);
    let mut client = StockServiceClient::new(server.channel().await);
    let answers = client.push_changes(ReceiverStream::new(queue)).await.unwrap().into_inner();
    Pusher { requests, answers }
}

impl Pusher {
    async fn answer(&mut self) -> proto::PushChangesResponse {
        self.answers.message().await.unwrap().expect("an answer")
    }

    async fn end(mut self) -> tonic::Status {
        drop(self.requests);
        loop {
            match self.answers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return tonic::Status::ok(""),
                Err(status) => return status,
            }
        }
    }
}

fn reason(status: &tonic::Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn requests_of_a_stream_are_answered_in_their_order() {
    let (server, ledger) = start_with(ApiConfig::default(), 0).await;
    let mut pusher = pusher(&server).await;
    pusher.requests.send(request("wms", 1..=3)).await.unwrap();
    pusher.requests.send(request("", 4..=4)).await.unwrap();
    pusher.requests.send(proto::PushChangesRequest { sequence: Some(4), ..Default::default() }).await.unwrap();
    // All are on their way before the first is answered.
    while ledger.pushed.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    ledger.gate.add_permits(3);
    let first = pusher.answer().await;
    assert_eq!((first.results.len(), first.last_sequence, first.applied), (3, Some(3), Some(3)));
    assert_eq!(first.credits, Some(10_000));
    assert_eq!(first.results[0].verdict, i32::from(proto::verdict::Value::Applied));
    assert_eq!(pusher.answer().await.last_sequence, Some(4));
    assert_eq!(pusher.answer().await.expected_sequence, Some(1), "a heartbeat");
    let sources: Vec<_> = ledger.pushed.lock().unwrap().iter().map(|pushed| pushed.source.clone()).collect();
    assert!(sources.iter().all(|source| source.as_str() == "wms"), "{sources:?}");
    assert_eq!(pusher.end().await.code(), Code::Ok);
}

#[tokio::test]
async fn a_stream_ends_with_a_reason() {
    let (server, _) = start_with(ApiConfig { changes_max: 5, ..ApiConfig::default() }, 1000).await;
    for (bad, code, why) in [
        (request("broken", 1..=1), Code::Unavailable, "intake_read_only"),
        (request("crowd", 1..=1), Code::Unavailable, "over_limit"),
        (request("", 1..=1), Code::InvalidArgument, "malformed_id"),
        (request("wms", 1..=6), Code::InvalidArgument, "over_limit"),
        (
            proto::PushChangesRequest { sequence: Some(1), ..request("wms", 1..=1) },
            Code::InvalidArgument,
            "contradictory",
        ),
    ] {
        let pusher = pusher(&server).await;
        pusher.requests.send(bad).await.unwrap();
        let status = pusher.end().await;
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    }
    // What was taken before is answered first.
    let mut pusher = pusher(&server).await;
    pusher.requests.send(request("wms", 1..=2)).await.unwrap();
    pusher.requests.send(request("wms", 1..=6)).await.unwrap();
    assert_eq!(pusher.answer().await.results.len(), 2);
    assert_eq!(reason(&pusher.end().await), "over_limit");
}

#[tokio::test]
async fn a_stopping_gateway_answers_what_it_took_and_ends_streams() {
    let (server, ledger) = start_with(ApiConfig::default(), 0).await;
    let mut pusher = pusher(&server).await;
    pusher.requests.send(request("wms", 1..=2)).await.unwrap();
    while ledger.pushed.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    server.stop.cancel();
    ledger.gate.add_permits(1);
    assert_eq!(pusher.answer().await.results.len(), 2);
    let status = pusher.end().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "stopping"));
    tokio::time::timeout(Duration::from_secs(5), server.task).await.expect("nothing holds it").unwrap();
}

#[tokio::test]
async fn who_does_not_read_answers_is_not_read_from_and_harms_nobody() {
    let (server, ledger) = start_with(ApiConfig { changes_max: 100, ..ApiConfig::default() }, 1_000_000).await;
    // Two streams on one connection: one never reads.
    let channel = server.channel().await;
    let (requests, queue) = mpsc::channel(1);
    let mut client = StockServiceClient::new(channel.clone());
    let stalled = client.push_changes(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let sender = tokio::spawn(async move {
        let mut sent = 0_u64;
        // More than any window of flow control takes.
        while sent < 20_000 {
            let sending = requests.send(request("stalled", sent * 100 + 1..=sent * 100 + 100));
            match tokio::time::timeout(Duration::from_secs(3), sending).await {
                Ok(Ok(())) => sent += 1,
                _ => break,
            }
        }
        (sent, requests)
    });
    let (requests, queue) = mpsc::channel(1);
    let mut good =
        StockServiceClient::new(channel).push_changes(ReceiverStream::new(queue)).await.unwrap().into_inner();
    for number in 1..=200 {
        requests.send(request("good", number..=number)).await.unwrap();
        assert_eq!(good.message().await.unwrap().unwrap().last_sequence, Some(number));
    }
    let (sent, _requests) = sender.await.unwrap();
    let taken =
        ledger.pushed.lock().unwrap().iter().filter(|pushed| pushed.source.as_str() == "stalled").count() as u64;
    // What is not read lies in the windows of flow control; what is, waits for answers to be.
    assert!(sent > taken + 100, "{sent} were sent, {taken} read");
    assert!(taken < 8000, "{taken} were read");
    drop(stalled);
}

#[tokio::test(start_paused = true)]
async fn half_a_message_is_not_waited_for_without_end() {
    let (server, _) = start().await;
    let pusher = http::Request::post(format!("http://{}/comptoir.v1.StockService/PushChanges", server.address));
    let (frames, queue) = mpsc::channel::<Result<hyper::body::Frame<bytes::Bytes>, tonic::Status>>(1);
    let body = tonic::body::Body::new(http_body_util::StreamBody::new(ReceiverStream::new(queue)));
    let request = pusher.header("content-type", "application/grpc").body(body).unwrap();
    let channel = server.channel().await;
    let response = tower::ServiceExt::oneshot(channel, request).await.unwrap();
    frames.send(Ok(hyper::body::Frame::data(bytes::Bytes::from_static(b"\0\0\0\0\x09ab")))).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(body.trailers().unwrap().get("grpc-status").unwrap(), "4");
}

#[tokio::test]
async fn snapshots_over_grpc() {
    let (server, ledger) = start().await;
    let head = |source: &str, rows| proto::SnapshotHead {
        source: source.into(),
        sequence: Some(7),
        locations: vec!["P".into()],
        measures: vec![1],
        rows,
        ..Default::default()
    };
    let mut client = StockServiceClient::new(server.channel().await);
    let message = |head, rows: usize, end| proto::PutSnapshotRequest { head, rows: rows_of(rows), end };
    let end = || Some(proto::SnapshotEnd { rows: Some(2503) });
    let good = vec![message(Some(head("wms", None)), 3, None), message(None, 2500, None), message(None, 0, end())];
    let answer = client.put_snapshot(tokio_stream::iter(good)).await.unwrap().into_inner();
    assert_eq!((answer.rows, answer.last_sequence, answer.dry_run), (Some(2503), Some(7), Some(false)));
    assert_eq!(*ledger.ends.lock().unwrap(), [Some(2503)]);
    let lines: Vec<_> = ledger.rows.lock().unwrap().iter().map(|row| row.line).collect();
    assert_eq!(lines, (1..=2503).collect::<Vec<_>>());
    let counted = vec![message(Some(head("wms", Some(3))), 3, None)];
    assert!(client.put_snapshot(tokio_stream::iter(counted)).await.is_ok());
    for (messages, code, why) in [
        (vec![], Code::InvalidArgument, "nothing_named"),
        (vec![message(None, 1, None)], Code::InvalidArgument, "nothing_named"),
        (vec![message(Some(head("wms", None)), 1, None)], Code::InvalidArgument, "cut_off"),
        (vec![message(Some(head("", None)), 1, None)], Code::InvalidArgument, "malformed_id"),
        (vec![message(Some(head("old", None)), 1, end())], Code::FailedPrecondition, "snapshot_too_old"),
        (vec![message(Some(head("empty", None)), 1, end())], Code::FailedPrecondition, "too_many_zeros"),
        (
            vec![message(Some(head("wms", None)), 1, None), message(Some(head("wms", None)), 1, end())],
            Code::InvalidArgument,
            "contradictory",
        ),
        (
            vec![message(Some(head("wms", None)), 1, end()), message(None, 1, None)],
            Code::InvalidArgument,
            "contradictory",
        ),
    ] {
        let status = client.put_snapshot(tokio_stream::iter(messages)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    }
}

fn rows_of(count: usize) -> Vec<proto::SnapshotRow> {
    (0..count)
        .map(|row| proto::SnapshotRow { sku: format!("S{row}"), quantity: "1".into(), ..Default::default() })
        .collect()
}

#[tokio::test]
async fn the_original_verdict_is_told() {
    let answer = Answer {
        outcomes: vec![Outcome {
            original: Some(Original { verdict: Verdict::Rejected, reason: Some("not_owner"), change_id: None }),
            ..outcome(Verdict::Duplicate)
        }],
        last_sequence: 7,
        applied: 0,
        rejected: 0,
        expected_sequence: None,
    };
    let message = crate::api::stock::pushed(answer);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&message).unwrap(),
        json!({ "results": [{ "verdict": "DUPLICATE", "original": { "verdict": "REJECTED", "reason": "not_owner" } }],
            "lastSequence": "7", "applied": "0", "rejected": "0" })
    );
}
