//! A caller is answered in time with what is known.

use std::time::Duration;

use comptoir::domain::{Purpose, Quantity};
use comptoir::erp::connectors::simulated::Faults;
use comptoir::offer::{LineStatus, PriceAnswer, Source, StreamItem};
use futures_util::future::join_all;

use crate::rig::{price_freshness, rig, skus};

#[tokio::test(start_paused = true)]
async fn a_slow_erp_does_not_hold_up_what_is_cached() {
    let rig = rig();
    rig.ask(rig.query(Some("C-00042"), skus(5))).await;
    rig.faults(Faults { latency: Some(Duration::from_secs(5)), ..Faults::default() });
    let mut query = rig.query(Some("C-00042"), skus(10));
    query.deadline = query.arrival.mono.plus(Duration::from_millis(300));
    let answer = rig.ask(query).await;
    let took = rig.clock.mono().since(answer.query.arrival.mono);
    assert!(took <= Duration::from_millis(310), "{took:?}");
    for line in &answer.lines[..5] {
        assert_eq!(line.status, LineStatus::Ok);
    }
    for line in &answer.lines[5..] {
        assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("pending")));
    }
    // The fetch goes on and fills.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let answer = rig.ask(rig.query(Some("C-00042"), skus(10))).await;
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_answers_at_once_and_warms_up() {
    let rig = rig();
    rig.know("C-00042").await;
    let mut query = rig.query(Some("C-00042"), skus(3));
    query.deadline = query.arrival.mono;
    query.purpose = Purpose::Warmup;
    let answer = rig.ask(query).await;
    assert_eq!(rig.clock.mono(), answer.query.arrival.mono);
    assert!(answer.lines.iter().all(|line| line.reason == Some("pending")));
    tokio::time::sleep(Duration::from_millis(60)).await;
    let answer = rig.ask(rig.query(Some("C-00042"), skus(3))).await;
    assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().source == Source::Memory));
}

#[tokio::test(start_paused = true)]
async fn a_customer_never_seen_before_can_be_warmed_up() {
    let rig = rig();
    let mut query = rig.query(Some("C-00042"), skus(3));
    query.deadline = query.arrival.mono;
    query.purpose = Purpose::Warmup;
    let answer = rig.ask(query).await;
    assert!(answer.lines.iter().all(|line| line.reason == Some("pending")));
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(rig.erp.stats().lines, 3);
    let answer = rig.ask(rig.query(Some("C-00042"), skus(3))).await;
    assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().source == Source::Memory));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline_whatever_the_queue() {
    let rig = rig();
    rig.faults(Faults { latency: Some(Duration::from_secs(3)), ..Faults::default() });
    let asks = (0..50).map(|n| {
        let mut query = rig.query(Some(&format!("C-{:05}", n + 1)), skus(20));
        query.deadline = query.arrival.mono.plus(Duration::from_millis(100 + 10 * n));
        let rig = &rig;
        async move {
            let deadline = query.deadline;
            rig.ask(query).await;
            rig.clock.mono().since(deadline)
        }
    });
    let late = join_all(asks).await.into_iter().max().unwrap();
    assert!(late <= Duration::from_millis(5), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_gives_what_is_known_first_and_says_when_it_is_done() {
    let rig = rig();
    rig.ask(rig.query(Some("C-00042"), skus(2))).await;
    let (out, mut items) = tokio::sync::mpsc::channel(4);
    let query = rig.query(Some("C-00042"), skus(4));
    let start = query.arrival.mono;
    let service = rig.service.clone();
    let streaming = tokio::spawn(async move { service.stream(query, out).await });
    assert!(matches!(items.recv().await, Some(StreamItem::Head { .. })));
    let Some(StreamItem::Offers(first)) = items.recv().await else { panic!() };
    assert_eq!(first.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(rig.clock.mono(), start, "at once");
    let mut rest = Vec::new();
    let answered = loop {
        match items.recv().await {
            Some(StreamItem::Offers(offers)) => rest.extend(offers.into_iter().map(|(index, _)| index)),
            Some(StreamItem::Done { answered, .. }) => break answered,
            other => panic!("{other:?}"),
        }
    };
    rest.sort_unstable();
    assert_eq!((rest, answered), (vec![2, 3], 4));
    streaming.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bad_lines_fail_alone() {
    let rig = rig();
    let mut query = rig.query(Some("C-00042"), ["SKU-000001", "", "NO-SUCH-SKU", "SKU-000002"]);
    query.lines[3].amount.0 = "999999999999999999".parse::<Quantity>().unwrap();
    let answer = rig.ask(query).await;
    let fates: Vec<_> = answer.lines.iter().map(|line| (line.status, line.reason)).collect();
    assert_eq!(
        fates,
        [
            (LineStatus::Ok, None),
            (LineStatus::Invalid, Some("malformed_sku")),
            (LineStatus::UnknownSku, Some("unknown_sku")),
            (LineStatus::Ok, None),
        ]
    );
    assert!(matches!(answer.lines[1].price, PriceAnswer::NotAsked));
}
