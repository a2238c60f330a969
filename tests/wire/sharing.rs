//! Many callers, few ERP calls, over real sockets.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::rig::{Erp, Gateway, lines, skus, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_first_callers_of_one_price_are_one_line_at_the_erp() {
    let erp = Erp::start();
    erp.faults(json!({ "latency": "300ms" })).await;
    let gateway = Arc::new(Gateway::simulated(&erp.url()));
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let gateway = gateway.clone();
        // Where a thousand take longer to come than the call does, the last are content with what it brought.
        let request =
            json!({ "customer": "C-00042", "purpose": "LIST", "timeout": "30s", "lines": lines(["SKU-000001"]) });
        callers.spawn(async move { gateway.post(request).await });
    }
    let answers = callers.join_all().await;
    let truth = erp.truth("C-00042", "SKU-000001", "1").await;
    for answer in &answers {
        assert_eq!(text(&answer.offers()[0], "/price/netPrice"), text(&truth, "/netPrice"));
    }
    let stats = erp.stats().await;
    assert_eq!((answers.len(), &stats["lines"]), (1_000, &json!(1)), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_list_pages_at_once_cost_two_calls() {
    let erp = Erp::start();
    let gateway = Arc::new(Gateway::simulated(&erp.url()));
    let mut callers = JoinSet::new();
    for turn in 0..20 {
        let gateway = gateway.clone();
        let mut skus = skus(48);
        skus.rotate_left(turn);
        callers.spawn(async move {
            gateway.post(json!({ "customer": "C-00042", "purpose": "LIST", "lines": lines(skus) })).await
        });
    }
    for answer in callers.join_all().await {
        assert!(answer.offers().iter().all(|offer| offer["status"] == "OK"), "{}", answer.json);
    }
    let stats = erp.stats().await;
    assert!(stats["calls"].as_u64().unwrap() <= 2, "who the customer is, and the prices: {stats}");
    assert_eq!(stats["lines"], 48, "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_costs_the_next_one_nothing() {
    let erp = Erp::start();
    let gateway = Arc::new(Gateway::simulated(&erp.url()));
    erp.faults(json!({ "latency": "1s" })).await;
    let request = || json!({ "purpose": "LIST", "timeout": "20s", "lines": lines(skus(48)) });
    let first = tokio::spawn({
        let (gateway, request) = (gateway.clone(), request());
        async move { gateway.post(request).await }
    });
    until("the first caller's call", async || erp.stats().await["inFlight"] == 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = gateway.post(request()).await;
    assert!(second.offers().iter().all(|offer| offer["status"] == "OK"), "{}", second.json);
    let stats = erp.stats().await;
    assert_eq!((&stats["calls"], &stats["lines"]), (&json!(1), &json!(48)), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_erp_is_never_asked_more_at_once_than_the_budget_allows() {
    let erp = Erp::start();
    let gateway = Arc::new(Gateway::serve("simulated.toml", &erp.url(), "erp.budget.concurrency = 2\n"));
    let mut callers = JoinSet::new();
    for customer in 1..=30 {
        let gateway = gateway.clone();
        let customer = format!("C-{customer:05}");
        callers.spawn(async move {
            gateway.post(json!({ "customer": customer, "timeout": "30s", "lines": lines(skus(10)) })).await
        });
    }
    for answer in callers.join_all().await {
        assert!(answer.offers().iter().all(|offer| offer["status"] == "OK"), "{}", answer.json);
    }
    assert_eq!(erp.stats().await["inFlightPeak"], 2);
}
