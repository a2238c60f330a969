//! Clients that are not ours: Python's gRPC, buf, curl.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, environment, lines, skus};

fn buf(gateway: &Gateway, arguments: &[&str]) -> Output {
    Command::new(environment("COMPTOIR_TEST_BUF"))
        .args(["curl", "--http2-prior-knowledge", "--protocol", "grpc"])
        .args(arguments)
        .arg(gateway.url(""))
        .output()
        .unwrap()
}

fn buf_call(gateway: &Gateway, method: &str, request: &Value) -> String {
    let output = Command::new(environment("COMPTOIR_TEST_BUF"))
        .args(["curl", "--http2-prior-knowledge", "--protocol", "grpc", "--data", &request.to_string()])
        .arg(gateway.url(&format!("/comptoir.v1.OfferService/{method}")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_and_http_are_told_the_same() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let mut all = skus(160);
    all.extend(["BOLT-8".into(), "NO-SUCH".into()]);
    for customer in ["C-00042", "C-00013", "C-00097"] {
        let request = json!({ "customer": customer, "purpose": "LIST", "timeout": "20s", "lines": lines(&all) });
        // The first brings the figures into memory, so that the others say the same of their source.
        gateway.post(request.clone()).await;
        let http = gateway.post(request.clone()).await;
        let grpc = gateway.grpc("GetOffers", &request);
        assert_eq!(grpc.code, "OK", "{grpc:?}");
        for part in ["party", "policy", "offers"] {
            assert_eq!(http.json[part], grpc.responses[0][part], "{part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_serving() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for service in ["", "comptoir.v1.OfferService"] {
        assert_eq!(gateway.peer.health(&gateway.address, service), "SERVING", "{service:?}");
    }
    assert_eq!(gateway.peer.health(&gateway.address, "no.such.Service"), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn buf_curl_asks_by_reflection() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    let listed = buf(&gateway, &["--list-methods"]);
    let methods = String::from_utf8_lossy(&listed.stdout);
    for method in ["GetOffers", "StreamOffers", "ExplainOffer"].map(|name| format!("comptoir.v1.OfferService/{name}")) {
        assert!(methods.contains(&method), "{methods}{}", String::from_utf8_lossy(&listed.stderr));
    }
    let request = json!({ "customer": "C-00042", "purpose": "LIST", "lines": lines(skus(48)) });
    gateway.post(request.clone()).await;
    let http = gateway.post(request.clone()).await;
    let told: Value = serde_json::from_str(&buf_call(&gateway, "GetOffers", &request)).unwrap();
    assert_eq!(told["offers"], http.json["offers"]);
    let streamed = buf_call(&gateway, "StreamOffers", &request);
    let records: Vec<Value> =
        serde_json::Deserializer::from_str(&streamed).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!((records.len(), &records[48]["answered"]), (49, &json!(48)));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_http_1_and_2_on_the_same_port() {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    for (version, told) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let output = Command::new("curl")
            .args(["-sS", version, "-w", "\n%{http_version} %{http_code}", "-d", r#"{"lines":[{"sku":"BOLT-8"}]}"#])
            .args(["-H", "content-type: application/json", &gateway.url("/v1/offers")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, outcome) = text.rsplit_once('\n').unwrap();
        assert_eq!(outcome, format!("{told} 200"), "{}", String::from_utf8_lossy(&output.stderr));
        gateway.peer.read("GetOffersResponse", body);
    }
}
