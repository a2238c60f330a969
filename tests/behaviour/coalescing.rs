//! However many ask, the ERP is asked once, in as few calls as may be.

use std::time::Duration;

use comptoir::offer::{LineStatus, Source};
use futures_util::future::join_all;

use crate::rig::{price_freshness, rig, skus};

#[tokio::test(start_paused = true)]
async fn a_thousand_first_requests_for_one_key_are_one_line() {
    let rig = rig();
    let pages = (0..1000).map(|_| rig.ask(rig.query(Some("C-00042"), ["SKU-000001"])));
    let answers = join_all(pages).await;
    assert!(answers.iter().all(|answer| answer.lines[0].status == LineStatus::Ok));
    assert_eq!(rig.erp.stats().lines, 1);
}

#[tokio::test(start_paused = true)]
async fn twenty_cold_list_pages_of_one_customer_are_two_calls() {
    let rig = rig();
    let pages = (0..20).map(|_| rig.ask(rig.query(Some("C-00042"), skus(48))));
    let answers = join_all(pages).await;
    let lines: usize = answers.iter().map(|answer| answer.lines.len()).sum();
    assert_eq!(lines, 960);
    assert!(answers.iter().flat_map(|answer| &answer.lines).all(|line| line.status == LineStatus::Ok));
    let stats = rig.erp.stats();
    assert_eq!((stats.calls, stats.lines), (2, 48), "one for the customer, one for the page");
}

#[tokio::test(start_paused = true)]
async fn asked_again_everything_comes_from_memory() {
    let rig = rig();
    let first = rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    let calls = rig.erp.stats().calls;
    let second = rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    assert_eq!(rig.erp.stats().calls, calls);
    for (first, second) in first.lines.iter().zip(&second.lines) {
        assert_eq!(price_freshness(first).unwrap().source, Source::Erp);
        assert_eq!(price_freshness(second).unwrap().source, Source::Memory);
        assert_eq!(price_freshness(first).unwrap().observed_at, price_freshness(second).unwrap().observed_at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_page_of_a_known_customer_costs_one_round_trip_exactly() {
    let rig = rig();
    rig.know("C-00042").await;
    let before = rig.clock.mono();
    rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    let took = rig.clock.mono().since(before);
    assert!(took >= Duration::from_millis(50) && took <= Duration::from_millis(51), "{took:?}");
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_costs_the_others_nothing() {
    let rig = rig();
    rig.know("C-00042").await;
    let query = rig.query(Some("C-00042"), skus(10));
    let service = rig.service.clone();
    let leaver = tokio::spawn(async move { service.answer(query).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let stays = rig.ask(rig.query(Some("C-00042"), skus(10)));
    leaver.abort();
    let answer = stays.await;
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok));
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_for_a_caller_who_left_is_there_for_the_next() {
    let rig = rig();
    rig.know("C-00042").await;
    let query = rig.query(Some("C-00042"), skus(10));
    let service = rig.service.clone();
    let leaver = tokio::spawn(async move { service.answer(query).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    leaver.abort();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let answer = rig.ask(rig.query(Some("C-00042"), skus(10))).await;
    assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().source == Source::Memory));
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_sku_asked_twice_is_answered_twice_and_asked_once() {
    let rig = rig();
    rig.know("C-00042").await;
    let answer = rig.ask(rig.query(Some("C-00042"), ["SKU-000001", "SKU-000002", "SKU-000001"])).await;
    assert_eq!(answer.lines.len(), 3);
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok));
    assert_eq!(rig.erp.stats().lines, 2);
}
