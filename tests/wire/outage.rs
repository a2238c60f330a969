//! The ERP gone, slow, and back, without the gateway being touched.

use std::cell::RefCell;
use std::time::Instant;

use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, lines, skus, text, until};

fn page(purpose: &str) -> Value {
    json!({ "customer": "C-00042", "purpose": purpose, "lines": lines(skus(20)) })
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_erp_gone_lists_are_stale_checkouts_wait_and_its_return_is_noticed() {
    let mut erp = Erp::start();
    let address = erp.address.clone();
    // Nothing is fresh for longer than a moment, so that age does not have to be waited for.
    let ages = "freshness.LIST = { max_age = \"1ms\", stale_while_revalidate = \"0s\", stock_max_age = \"1ms\", \
                stock_stale_while_revalidate = \"0s\" }
";
    let gateway = Gateway::serve("simulated.toml", &erp.url(), ages);
    let warm = gateway.post(page("LIST")).await;
    assert!(warm.offers().iter().all(|offer| offer["status"] == "OK"), "{}", warm.json);
    assert_eq!(gateway.post(page("CHECKOUT")).await.offers()[0]["status"], "OK");

    erp.process.kill();
    let list = gateway.post(page("LIST")).await;
    for (then, offer) in warm.offers().iter().zip(list.offers()) {
        assert_eq!(text(offer, "/status"), "OK", "{offer}");
        assert_eq!(offer["price"]["netPrice"], then["price"]["netPrice"]);
        for part in ["price", "availability"] {
            let freshness = &offer[part]["freshness"];
            assert_eq!((&freshness["stale"], text(freshness, "/reason")), (&json!(true), "erp_unreachable"), "{offer}");
        }
    }
    let checkout = gateway.post(page("CHECKOUT")).await;
    for offer in checkout.offers() {
        assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("UNAVAILABLE", "erp_unreachable"), "{offer}");
        assert_eq!(text(offer, "/availability/status"), "UNAVAILABLE");
        assert!(offer["price"]["netPrice"].is_null() && offer["availability"]["available"].is_null(), "{offer}");
    }
    assert_eq!(gateway.admin_page("/readyz").await.0, 200, "without its ERP a gateway still serves");

    let _erp = Erp::start_at(&address);
    until("a checkout after the ERP is back", async || {
        gateway.post(page("CHECKOUT")).await.offers().iter().all(|offer| offer["status"] == "OK")
    })
    .await;
    let list = gateway.post(page("LIST")).await;
    assert!(list.offers().iter().all(|offer| offer["price"]["freshness"]["stale"] == false), "{}", list.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_starts_without_its_erp() {
    let erp = Erp::start();
    let address = erp.address.clone();
    drop(erp);
    let gateway = Gateway::simulated(&format!("http://{address}"));
    let answer = gateway.post(json!({ "lines": lines(["BOLT-8"]) })).await;
    let offer = &answer.offers()[0];
    assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("UNAVAILABLE", "erp_unreachable"));
    let _erp = Erp::start_at(&address);
    until("an answer once the ERP is there", async || {
        gateway.post(json!({ "lines": lines(["BOLT-8"]) })).await.offers()[0]["status"] == "OK"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_a_hurry_gets_what_is_held_while_the_erp_is_slow() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    gateway.post(json!({ "customer": "C-00042", "purpose": "LIST", "lines": lines(skus(10)) })).await;
    // Longer than any test.
    erp.faults(json!({ "latency": "1000s" })).await;
    let mut request = page("LIST");
    request["timeout"] = json!("0.3s");

    let start = Instant::now();
    let answer = gateway.post(request.clone()).await;
    println!("answered after {:?} over HTTP; due within 350 ms", start.elapsed());
    request.as_object_mut().unwrap().remove("timeout");
    // Where the caller itself has to wait for its turn a deadline may pass on the way.
    let told = RefCell::new(None);
    until("an answer before the caller's deadline", async || {
        let start = Instant::now();
        let answer = gateway.peer.call(&gateway.address, "GetOffers", &request, "0.3");
        println!("answered after {:?} over gRPC; due within 350 ms", start.elapsed());
        let in_time = answer.code == "OK";
        told.replace(Some(answer));
        in_time
    })
    .await;
    let grpc = told.into_inner().unwrap();

    for offers in [answer.offers(), grpc.responses[0]["offers"].as_array().unwrap()] {
        for (index, offer) in offers.iter().enumerate() {
            if index < 10 {
                assert_eq!(text(offer, "/price/freshness/source"), "MEMORY", "{offer}");
            } else {
                assert_eq!(text(offer, "/status"), "UNAVAILABLE", "{offer}");
                assert!(!text(offer, "/reason").is_empty() && offer["price"]["netPrice"].is_null(), "{offer}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_did_not_wait_for_is_there_for_the_next() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let mut request = page("WARMUP");
    request["timeout"] = json!("0s");
    let warming = gateway.post(request).await;
    assert!(warming.offers().iter().all(|offer| offer["status"] == "UNAVAILABLE"), "{}", warming.json);
    until("the warm-up's fetch", async || {
        let stats = erp.stats().await;
        stats["lines"] == 20 && stats["inFlight"] == 0
    })
    .await;
    let calls = erp.calls().await;
    let page = gateway.post(page("LIST")).await;
    assert!(page.offers().iter().all(|offer| offer["price"]["freshness"]["source"] == "MEMORY"), "{}", page.json);
    assert_eq!(erp.calls().await, calls);
}
