//! A deploy, a crash, a second process: what is known stays, what was declared wrong stays gone, one gateway at a time.

use reqwest::Method;
use serde_json::json;

use crate::rig::{Erp, Gateway, text};

const LIST: &str = "LIST";

async fn list(gateway: &Gateway, sku: &str) -> serde_json::Value {
    let request = json!({ "customer": "C-00042", "purpose": LIST, "lines": [{ "sku": sku }] });
    gateway.post(request).await.offers()[0].clone()
}

#[tokio::test]
async fn a_deploy_while_the_erp_is_down_does_not_empty_the_shop() {
    let mut erp = Erp::start();
    let gateway = Gateway::serve("simulated.toml", &erp.url(), "server.data = \"data\"\n");
    let before = list(&gateway, "BOLT-8").await;
    list(&gateway, "SKU-000001").await;
    let done = gateway.invalidate(json!({ "skus": ["SKU-000001"] })).await;
    assert_eq!((done.status, &done.json["marked"]), (200, &json!(1)), "{}", done.json);
    assert_eq!(gateway.grpc("InvalidatePrices", &json!({ "customers": ["C-00007"] })).code, "OK");
    erp.process.kill();

    let gateway = gateway.restart(false);
    let after = list(&gateway, "BOLT-8").await;
    assert_eq!(after["price"]["netPrice"], before["price"]["netPrice"]);
    assert_eq!(after["price"]["freshness"]["observedAt"], before["price"]["freshness"]["observedAt"]);
    assert_eq!(text(&after, "/price/freshness/source"), "SHARED");
    let gone = list(&gateway, "SKU-000001").await;
    assert_eq!((text(&gone, "/status"), text(&gone, "/reason")), ("UNAVAILABLE", "invalidated"), "{gone}");
}

#[tokio::test]
async fn an_invalidation_after_the_last_saving_survives_a_crash() {
    let mut erp = Erp::start();
    let gateway = Gateway::serve("simulated.toml", &erp.url(), "server.data = \"data\"\n");
    list(&gateway, "BOLT-8").await;
    list(&gateway, "SKU-000001").await;
    let gateway = gateway.restart(false);
    erp.process.kill();
    let done = gateway.invalidate(json!({ "customers": ["C-00042"], "skus": ["SKU-000001"] })).await;
    assert_eq!(done.status, 200, "{}", done.json);
    let gateway = gateway.restart(true);
    assert_eq!(text(&list(&gateway, "BOLT-8").await, "/status"), "OK");
    assert_eq!(text(&list(&gateway, "SKU-000001").await, "/reason"), "invalidated");
}

#[tokio::test]
async fn a_second_gateway_on_one_data_folder_does_not_start() {
    let erp = Erp::start();
    let gateway = Gateway::serve("simulated.toml", &erp.url(), "server.data = \"data\"\n");
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_comptoir"))
        .args(["serve".as_ref(), "--config".as_ref(), gateway.config().as_os_str()])
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another gateway uses the data folder"), "{said}");
    let page = gateway.send(Method::GET, "/v1/offers?sku=BOLT-8", "", "").await;
    assert_eq!(page.status, 200, "the first goes on");
}

#[tokio::test]
async fn a_connection_that_says_nothing_holds_up_no_stop() {
    let erp = Erp::start();
    let mut gateway = Gateway::simulated(&erp.url());
    let _silent = std::net::TcpStream::connect(&gateway.address).unwrap();
    // One that was used and is kept is no reason to wait either.
    assert_eq!(gateway.send(Method::GET, "/v1/offers?sku=BOLT-8", "", "").await.status, 200);
    gateway.process.interrupt();
    assert!(gateway.process.ended(std::time::Duration::from_secs(8)).success());
}

#[tokio::test]
async fn a_change_announced_to_a_gateway_that_keeps_nothing_is_refused() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let announced = json!({ "skus": ["BOLT-8"], "at": tomorrow.to_string() });
    let refused = gateway.invalidate(announced.clone()).await;
    assert_eq!((refused.status, text(&refused.json, "/reason")), (503, "not_durable"), "{}", refused.json);
    assert!(text(&refused.json, "/detail").contains("server.data"), "{}", refused.json);
    assert_eq!(gateway.invalidate(json!({ "skus": ["BOLT-8"] })).await.status, 200);
    let keeping = Gateway::serve("simulated.toml", &erp.url(), "server.data = \"data\"\n");
    assert_eq!(keeping.invalidate(announced).await.status, 200);
}
