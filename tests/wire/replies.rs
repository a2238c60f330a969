//! ERP replies that are not what was asked for: refused for those lines only, and no value is ever invented.

use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, lines, skus, text};

/// No price; with a reason.
fn has_no_price(offer: &Value) {
    assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("UNAVAILABLE", "erp_error"), "{offer}");
    assert!(offer["price"]["netPrice"].is_null() && offer["price"]["breaks"].is_null(), "{offer}");
}

/// No price and no stock; with a reason.
fn has_nothing(offer: &Value) {
    has_no_price(offer);
    assert_eq!(text(offer, "/availability/status"), "UNAVAILABLE", "{offer}");
    assert!(offer["availability"]["available"].is_null(), "{offer}");
}

/// A page of six SKUs that nobody asked for before, answered with this garbage; and how the ERP would have priced them.
async fn page(erp: &Erp, gateway: &Gateway, garbage: &str, round: usize) -> (Vec<Value>, Vec<Value>) {
    let skus: Vec<_> = (1..=6).map(|n| format!("SKU-{:06}", round * 6 + n)).collect();
    erp.faults(json!({ "garbage": garbage, "only": "prices" })).await;
    let answer = gateway.post(json!({ "customer": "C-00042", "timeout": "30s", "lines": lines(&skus) })).await;
    erp.no_faults().await;
    let mut truths = Vec::new();
    for sku in &skus {
        truths.push(erp.truth("C-00042", sku, "1").await);
    }
    (answer.offers().to_vec(), truths)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_cannot_be_read_gives_no_value() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    gateway.still_answers().await;
    for (round, garbage) in ["truncated", "html", "huge", "contradictory"].into_iter().enumerate() {
        let (offers, _) = page(&erp, &gateway, garbage, round).await;
        offers.iter().for_each(has_nothing);
        gateway.still_answers().await;
    }
    // Stock has no currency; what was said of it stands.
    page(&erp, &gateway, "wrong_currency", 4).await.0.iter().for_each(has_no_price);
    let metrics = gateway.admin_page("/metrics").await.1;
    assert!(metrics.lines().any(|line| line.starts_with("comptoir_erp_") && line.contains("erp_error")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_another_order_or_told_twice_are_still_the_right_ones() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for (round, garbage) in ["shuffled", "duplicated"].into_iter().enumerate() {
        let (offers, truths) = page(&erp, &gateway, garbage, round).await;
        for (offer, truth) in offers.iter().zip(&truths) {
            assert_eq!(text(offer, "/sku"), text(truth, "/sku"));
            assert_eq!(text(offer, "/price/netPrice"), text(truth, "/netPrice"), "{garbage}: {offer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_for_something_else_and_missing_rows_leave_their_lines_without_a_value() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let (offers, _) = page(&erp, &gateway, "wrong_sku", 0).await;
    offers.iter().for_each(has_nothing);
    let (offers, truths) = page(&erp, &gateway, "missing", 1).await;
    for (index, (offer, truth)) in offers.iter().zip(&truths).enumerate() {
        // The first, third and fifth row were left out.
        if index % 2 == 0 {
            has_nothing(offer);
        } else {
            assert_eq!(text(offer, "/price/netPrice"), text(truth, "/netPrice"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_price_is_on_request_and_never_nothing_to_pay() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let (offers, _) = page(&erp, &gateway, "null_price", 0).await;
    for offer in offers {
        assert_eq!((text(&offer, "/status"), text(&offer, "/reason")), ("ON_REQUEST", "no_price"), "{offer}");
        assert!(offer["price"]["netPrice"].is_null(), "{offer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_figures_outlive_a_bad_reply() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let warm = gateway.post(json!({ "purpose": "LIST", "lines": lines(skus(5)) })).await;
    erp.faults(json!({ "garbage": "html" })).await;
    let request = json!({ "purpose": "LIST", "maxAge": "0s", "lines": lines(skus(5)) });
    let answer = gateway.post(request).await;
    for (then, offer) in warm.offers().iter().zip(answer.offers()) {
        assert_eq!(offer["price"]["netPrice"], then["price"]["netPrice"]);
        let freshness = &offer["price"]["freshness"];
        assert_eq!((&freshness["stale"], text(freshness, "/reason")), (&json!(true), "erp_error"), "{offer}");
    }
}
