//! Why does this customer see this price? Asked from outside, over both wires.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, text};

/// The value of a fact of the first step about this that has it.
fn fact(told: &Value, about: &str, name: &str) -> String {
    let steps = told["steps"].as_array().unwrap().iter().filter(|step| text(step, "/about") == about);
    let mut facts = steps.flat_map(|step| step["facts"].as_array().into_iter().flatten());
    let found = facts.find(|fact| text(fact, "/name") == name);
    text(found.unwrap_or_else(|| panic!("no {about}.{name}: {told}")), "/value").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explained_offer_is_the_one_that_is_answered_and_says_why() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let request = json!({
        "customer": "C-00042", "purpose": "LIST", "timeout": "20s",
        "lines": [{ "sku": "BOLT-8", "quantity": "9", "unit": "BOX" }]
    });
    let first = gateway.explain(request.clone()).await;
    assert_eq!(first.status, 200, "{}", first.json);
    assert_eq!(fact(&first.json, "price", "outcome"), "miss");
    assert_eq!(fact(&first.json, "call", "outcome"), "answered");
    assert_eq!(fact(&first.json, "units", "base_quantity"), "108");
    // From memory the three say the same.
    let asked = gateway.post(request.clone()).await;
    let explained = gateway.explain(request.clone()).await;
    let grpc = gateway.grpc("ExplainOffer", &request);
    assert_eq!(grpc.code, "OK", "{grpc:?}");
    assert_eq!(asked.offers()[0], explained.json["offer"]);
    for part in ["offer", "party", "policy"] {
        assert_eq!(explained.json[part], grpc.responses[0][part], "{part}");
    }
    for told in [&explained.json, &grpc.responses[0]] {
        assert_eq!(fact(told, "price", "outcome"), "hit");
        assert_eq!(fact(told, "flight", "outcome"), "nothing_asked");
        assert_eq!(fact(told, "key", "customer"), "C-00042");
        assert_eq!(fact(told, "units", "break_net_price"), text(told, "/offer/price/netPrice"));
    }
    let encoded = gateway.send(Method::POST, "/v1/offers%3Aexplain", "application/json", request.to_string()).await;
    assert_eq!(encoded.json["offer"], explained.json["offer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_and_an_outage_are_explained() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let request = json!({ "customer": "C-00042", "purpose": "LIST", "lines": [{ "sku": "BOLT-8" }] });
    gateway.post(request.clone()).await;
    assert_eq!(gateway.invalidate(json!({ "customers": ["C-00042"], "skus": ["BOLT-8"] })).await.status, 200);
    erp.faults(json!({ "down": true })).await;
    let told = gateway.explain(request).await.json;
    assert_eq!(text(&told, "/offer/price/reason"), "invalidated", "{told}");
    assert_eq!(fact(&told, "stamp", "loses_to"), "customer_sku");
    assert_eq!(fact(&told, "call", "outcome"), "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_when_asking_is_refused_when_explaining() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for (request, status, reason, path) in [
        (json!({ "lines": [{ "sku": "A" }, { "sku": "B" }] }), 400, "over_limit", "lines"),
        (json!({ "lines": [] }), 400, "lines_empty", "lines"),
        (json!({ "customer": "", "lines": [{ "sku": "A" }] }), 400, "customer_empty", "customer"),
        (json!({ "customer": "NOBODY", "lines": [{ "sku": "A" }] }), 404, "customer_unknown", "customer"),
        (json!({ "colour": "red", "lines": [{ "sku": "A" }] }), 400, "unknown_field", "colour"),
    ] {
        let told = gateway.explain(request).await;
        assert_eq!((told.status, text(&told.json, "/reason"), text(&told.json, "/path")), (status, reason, path));
    }
    let grpc = gateway.grpc("ExplainOffer", &json!({ "lines": [{ "sku": "A" }, { "sku": "B" }] }));
    assert_eq!((grpc.code.as_str(), grpc.reason.as_str()), ("INVALID_ARGUMENT", "over_limit"));
}
