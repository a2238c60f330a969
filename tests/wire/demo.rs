//! `comptoir demo`: what a newcomer sees first.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Gateway, LONG, lines, skus, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_48_lines_in_order_and_then_from_memory() {
    let demo = Gateway::demo(&["--no-traffic"]);
    let stats_url = format!("http://{}/sim/stats", demo.process.address("erp"));
    let stats = async || -> Value {
        let text = reqwest::get(&stats_url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let request = json!({ "customer": "C-00042", "lines": lines(skus(48)) });

    let first = demo.post(request.clone()).await;
    let asked: Vec<_> = first.offers().iter().map(|offer| text(offer, "/sku")).collect();
    assert_eq!(asked, skus(48));
    for offer in first.offers() {
        assert_eq!(text(offer, "/status"), "OK", "{offer}");
        assert_eq!(text(offer, "/price/freshness/source"), "ERP");
        let net_price = text(offer, "/price/netPrice");
        // The customer's own digits, exactly: four decimals that end in 0042 or half a euro more.
        assert!(net_price.ends_with(".0042") || net_price.ends_with(".5042"), "{net_price}");
    }
    let bolt = &demo.one("C-00042", "BOLT-8").await;
    assert_eq!((text(bolt, "/price/netPrice"), text(bolt, "/price/baseQuantity")), ("23.40", "100"));

    let before = stats().await;
    let second = demo.post(request).await;
    for (then, now) in first.offers().iter().zip(second.offers()) {
        for part in ["price", "availability"] {
            assert_eq!(text(now, &format!("/{part}/freshness/source")), "MEMORY");
            let observed = format!("/{part}/freshness/observedAt");
            assert_eq!(text(then, &observed), text(now, &observed));
            assert_eq!(now[part]["freshness"]["stale"], false);
        }
        assert_eq!(then["price"]["netPrice"], now["price"]["netPrice"]);
    }
    assert_eq!(before, stats().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_traffic_and_ends_cleanly_on_ctrl_c() {
    let mut demo = Gateway::demo(&[]);
    demo.process.line_with("curl -s");
    assert_eq!(demo.admin_page("/healthz").await.0, 200);
    assert_eq!(demo.admin_page("/readyz").await.0, 200);
    demo.still_answers().await;
    let metrics = demo.admin_page("/metrics").await.1;
    assert!(metrics.contains("comptoir_"), "{metrics}");
    demo.process.interrupt();
    let status = demo.process.ended(LONG);
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_writes_its_addresses_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Gateway::demo(&["--no-traffic", "--data", folder.path().to_str().unwrap()]);
    let addresses = std::fs::read_to_string(folder.path().join("addresses.toml")).unwrap();
    assert!(addresses.contains(&demo.url("")), "{addresses}");
    let answer = demo.send(Method::GET, "/v1/nothing", "", "").await;
    assert_eq!((answer.status, answer.reason()), (404, "no_such_resource"));
}
