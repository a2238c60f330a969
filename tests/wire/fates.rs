//! Every fate a line can have, in canonical JSON, and the same over the other forms of the question.

use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, lines, skus, text};

#[tokio::test(flavor = "multi_thread")]
async fn each_line_has_its_own_fate() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let fates = [
        ("BOLT-8", "OK", ""),
        ("NO-SUCH", "UNKNOWN_SKU", ""),
        ("SKU-000150", "NOT_FOR_SALE", ""),
        ("SKU-000151", "ON_REQUEST", "no_price"),
        ("SKU-000152", "OK", ""),
        ("SKU-000153", "OK", ""),
        ("SKU-000154", "OK", ""),
        ("BOLT-8", "OK", ""),
    ];
    let answer = gateway.post(json!({ "lines": lines(fates.map(|(sku, ..)| sku)) })).await;
    assert_eq!(answer.offers().len(), fates.len());
    for (offer, (sku, status, reason)) in answer.offers().iter().zip(fates) {
        assert_eq!((text(offer, "/sku"), text(offer, "/status")), (sku, status), "{offer}");
        if status != "OK" {
            assert!(offer["reason"].is_string() && offer["price"]["netPrice"].is_null(), "{offer}");
        }
        if !reason.is_empty() {
            assert_eq!(text(offer, "/reason"), reason);
        }
    }
    assert_eq!(text(&answer.offers()[4], "/availability/status"), "UNTRACKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_the_erps_own_digit_for_digit() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for customer in ["C-00001", "C-00013", "C-04999"] {
        for quantity in ["1", "10", "99.5", "100"] {
            let skus: Vec<_> = (1..=30).map(|n| format!("SKU-{:06}", n * 37)).collect();
            let lines: Vec<_> = skus.iter().map(|sku| json!({ "sku": sku, "quantity": quantity })).collect();
            let answer = gateway.post(json!({ "customer": customer, "lines": lines })).await;
            for (sku, offer) in skus.iter().zip(answer.offers()) {
                let truth = erp.truth(customer, sku, quantity).await;
                if truth["status"] != "OK" {
                    assert_ne!(offer["status"], "OK", "{offer}");
                    continue;
                }
                for (ours, theirs) in [
                    ("/price/netPrice", "/netPrice"),
                    ("/price/listPrice", "/listPrice"),
                    ("/price/baseQuantity", "/baseQuantity"),
                    ("/price/currency", "/currency"),
                    ("/unit", "/unit"),
                    ("/unitFactor", "/unitFactor"),
                    ("/baseUnit", "/baseUnit"),
                    ("/availability/available", "/available"),
                ] {
                    assert_eq!(text(offer, ours), text(&truth, theirs), "{ours}: {offer}\n{truth}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_customer_sees_prices_and_cannot_check_out() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let page = |purpose: &str| json!({ "customer": "C-00097", "purpose": purpose, "lines": lines(["SKU-000001"]) });
    let shown = gateway.post(page("LIST")).await;
    assert_eq!(shown.json["party"]["orderBlock"], "BLOCKED");
    assert_eq!(shown.offers()[0]["status"], "OK");
    let checkout = gateway.post(page("CHECKOUT")).await;
    let offer = &checkout.offers()[0];
    assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("NOT_FOR_SALE", "customer_blocked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_customer_is_never_the_public() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for _ in 0..2 {
        let answer = gateway.post(json!({ "customer": "NOBODY", "lines": lines(["SKU-000001"]) })).await;
        assert_eq!((answer.status, answer.reason()), (404, "customer_unknown"));
    }
    let grpc = gateway.grpc("GetOffers", &json!({ "customer": "NOBODY", "lines": lines(["SKU-000001"]) }));
    assert_eq!((grpc.code.as_str(), grpc.reason.as_str()), ("NOT_FOUND", "customer_unknown"));
    assert_eq!(erp.stats().await["lines"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_every_line_and_says_when_it_is_done() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let request = json!({ "customer": "C-00042", "lines": lines(skus(120)) });
    let records = gateway.stream(request.clone()).await;
    let (last, offers) = records.split_last().unwrap();
    assert_eq!((last["done"].clone(), last["answered"].clone()), (json!(true), json!(120)));
    assert_eq!(records[0]["party"]["customer"], "C-00042");
    let mut indexes: Vec<_> = offers.iter().map(|record| record["index"].as_i64().unwrap()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..120).collect::<Vec<_>>());

    let plain = gateway.post(request.clone()).await;
    for record in offers {
        let offer = &plain.offers()[record["index"].as_u64().unwrap() as usize];
        assert_eq!(record["offer"]["sku"], offer["sku"]);
        assert_eq!(record["offer"]["price"]["netPrice"], offer["price"]["netPrice"]);
    }
    let grpc = gateway.grpc("StreamOffers", &request);
    assert_eq!((grpc.code.as_str(), grpc.responses.len()), ("OK", 121));
    assert_eq!(grpc.responses[120]["done"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_string_asks_the_same_question() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let lines = json!([{ "sku": "BOLT-8", "quantity": "3", "unit": "BOX" }, { "sku": "SKU-000003", "quantity": "3", "unit": "BOX" }]);
    let posted = gateway.post(json!({ "customer": "C-00042", "purpose": "LIST", "lines": lines })).await;
    let posted: Vec<Value> = gateway_free(posted.offers());
    for query in [
        "customer=C-00042&purpose=LIST&sku=BOLT-8&sku=SKU-000003&quantity=3&unit=BOX",
        "customer=C-00042&purpose=LIST&sku[]=BOLT-8&sku[]=SKU-000003&quantity=3&quantity=3&unit=BOX",
        "customer=C-00042&purpose=LIST&sku[1]=SKU-000003&sku[0]=BOLT-8&quantity=3&unit=BOX",
    ] {
        let answer = gateway.get(query).await;
        assert_eq!(gateway_free(answer.offers()), posted, "{query}");
    }
}

/// Offers without what differs between two moments.
fn gateway_free(offers: &[Value]) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("freshness");
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut offers = offers.to_vec();
    offers.iter_mut().for_each(strip);
    offers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let query = "customer=C-00042&sku=BOLT-8&purpose=LIST";
    gateway.get(query).await;
    let first = gateway.get(query).await;
    assert_eq!((first.header("cache-control"), first.header("cache-status").is_empty()), ("private, no-cache", false));
    let again = reqwest::Client::new().get(gateway.url(&format!("/v1/offers?{query}")));
    let again = again.header("if-none-match", first.header("etag")).send().await.unwrap();
    assert_eq!(gateway.judge(again).await.status, 304);
    let public = gateway.get("sku=BOLT-8").await;
    assert!(public.header("cache-control").starts_with("public, max-age="), "{public:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_places_and_units_are_as_asked() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let bolt = json!([{ "sku": "BOLT-8", "quantity": "3", "unit": "BOX", "reference": "row 1 \u{1f529}\u{2028}\"" }]);
    let priced = gateway.post(json!({ "parts": ["PRICE"], "lines": bolt })).await;
    let offer = &priced.offers()[0];
    assert!(offer["availability"].is_null() && offer["price"].is_object(), "{offer}");
    // 3 boxes of 12 are 36 pieces, below the break at 100; the price is per 100 pieces.
    for (pointer, due) in [
        ("/reference", "row 1 \u{1f529}\u{2028}\""),
        ("/quantity", "3"),
        ("/unit", "BOX"),
        ("/baseUnit", "EA"),
        ("/unitFactor", "12"),
        ("/price/netPrice", "23.40"),
        ("/price/baseQuantity", "100"),
        ("/terms/orderQuantity", "36"),
    ] {
        assert_eq!(text(offer, pointer), due, "{pointer}");
    }
    let there =
        gateway.post(json!({ "parts": ["AVAILABILITY"], "locations": ["PARIS", "ATLANTIS"], "lines": bolt })).await;
    let offer = &there.offers()[0];
    assert!(offer["price"].is_null(), "{offer}");
    let locations = offer["availability"]["locations"].as_array().unwrap();
    let unknown = locations.iter().find(|location| location["location"] == "ATLANTIS").unwrap();
    assert_eq!((text(unknown, "/status"), unknown["available"].is_null()), ("UNKNOWN", true));
    assert_eq!(locations.len(), 2);
}
