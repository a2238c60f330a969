//! What callers send that is wrong: a problem document or an INVALID line with a stable reason, and nothing else disturbed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Erp, Gateway, lines, text};

/// A gateway over a simulated ERP that must not notice anything.
fn gateway() -> (Erp, Gateway) {
    let erp = Erp::start();
    let gateway = Gateway::simulated(&erp.url());
    (erp, gateway)
}

const JSON: &str = "application/json";
const LINE: &str = r#""lines":[{"sku":"BOLT-8"}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_is_a_problem_with_a_reason() {
    let (erp, gateway) = gateway();
    let cases = [
        (String::new(), 400, "malformed_json", ""),
        ("{".into(), 400, "malformed_json", ""),
        ("\u{1}\u{0}".into(), 400, "malformed_json", ""),
        ("null".into(), 400, "wrong_type", ""),
        ("[]".into(), 400, "wrong_type", ""),
        ("[".repeat(100_000), 400, "", ""),
        ("{}".into(), 400, "lines_empty", "lines"),
        (r#"{"lines":[]}"#.into(), 400, "lines_empty", "lines"),
        (json!({ "lines": lines(vec!["BOLT-8"; 501]) }).to_string(), 400, "over_limit", "lines"),
        (format!(r#"{{{LINE},"colour":"red"}}"#), 400, "unknown_field", "colour"),
        (r#"{"lines":[{"sku":"BOLT-8","qty":"1"}]}"#.into(), 400, "unknown_field", "lines[0].qty"),
        (format!(r#"{{{LINE},"customer":"A","customer":"B"}}"#), 400, "duplicate_key", "customer"),
        (r#"{"lines":[{"sku":"BOLT-8","quantity":12}]}"#.into(), 400, "malformed_decimal", "lines[0].quantity"),
        (r#"{"lines":[{"sku":"BOLT-8","quantity":1e400}]}"#.into(), 400, "malformed_decimal", "lines[0].quantity"),
        (r#"{"lines":[{"sku":"BOLT-8","quantity":NaN}]}"#.into(), 400, "malformed_json", ""),
        (r#"{"lines":[{"sku":8}]}"#.into(), 400, "wrong_type", "lines[0].sku"),
        (format!(r#"{{{LINE},"customer":""}}"#), 400, "customer_empty", "customer"),
        (format!(r#"{{{LINE},"customer":null}}"#), 400, "customer_empty", "customer"),
        (format!(r#"{{{LINE},"customer":"A\u0000B"}}"#), 400, "malformed_id", "customer"),
        (format!(r#"{{{LINE},"customer":"{}"}}"#, "9".repeat(65)), 400, "malformed_id", "customer"),
        (format!(r#"{{{LINE},"currency":"EURO"}}"#), 400, "malformed_currency", "currency"),
        (format!(r#"{{{LINE},"priceDate":"2026-02-30"}}"#), 400, "malformed_date", "priceDate"),
        (format!(r#"{{{LINE},"priceDate":"22/11/2026"}}"#), 400, "malformed_date", "priceDate"),
        (format!(r#"{{{LINE},"purpose":"BROWSE"}}"#), 400, "unknown_value", "purpose"),
        (format!(r#"{{{LINE},"timeout":"soon"}}"#), 400, "malformed_duration", "timeout"),
        (format!(r#"{{{LINE},"timeout":"-1s"}}"#), 400, "malformed_duration", "timeout"),
    ];
    for (body, status, reason, path) in cases {
        for resource in ["/v1/offers", "/v1/offers:stream"] {
            let shown: String = body.chars().take(80).collect();
            let answer = gateway.send(Method::POST, resource, JSON, body.clone()).await;
            assert_eq!(answer.status, status, "{shown}: {}", answer.json);
            if !reason.is_empty() {
                assert_eq!(answer.reason(), reason, "{shown}: {}", answer.json);
            }
            if !path.is_empty() {
                assert_eq!(text(&answer.json, "/path"), path, "{shown}: {}", answer.json);
            }
        }
        gateway.still_answers().await;
    }
    assert_eq!(erp.stats().await["lines"], 1, "nothing but the good question reached the ERP");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_where_a_decimal_string_is_due_is_refused_by_name() {
    let (_erp, gateway) = gateway();
    let body = r#"{"lines":[{"sku":"BOLT-8","quantity":12}]}"#;
    let answer = gateway.send(Method::POST, "/v1/offers", JSON, body).await;
    assert_eq!(text(&answer.json, "/detail"), "lines[0].quantity: write \"12\"");
    let limit = gateway.post(json!({ "lines": lines(vec!["BOLT-8"; 501]) })).await;
    assert_eq!(text(&limit.json, "/limit"), "500");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_invalid_and_the_others_are_answered() {
    let (_erp, gateway) = gateway();
    let cases = [
        (json!({ "sku": "BOLT-8", "quantity": "0" }), "out_of_range"),
        (json!({ "sku": "BOLT-8", "quantity": "-1" }), "out_of_range"),
        (json!({ "sku": "BOLT-8", "quantity": "NaN" }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": "1e400" }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": "9".repeat(40) }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": "1.0000000000" }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": "" }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": " 1" }), "malformed_decimal"),
        (json!({ "sku": "BOLT-8", "quantity": "٣" }), "malformed_decimal"),
        (json!({ "sku": "" }), "malformed_sku"),
        (json!({}), "malformed_sku"),
        (json!({ "sku": "BOLT\u{7}8" }), "malformed_sku"),
        (json!({ "sku": "BOLT\u{0}8" }), "malformed_sku"),
        (json!({ "sku": " BOLT-8" }), "malformed_sku"),
        (json!({ "sku": "é".repeat(33) }), "malformed_sku"),
        (json!({ "sku": "BOLT-8", "unit": "\n" }), "malformed_unit"),
        (json!({ "sku": "BOLT-8", "unit": "PALLET" }), "unit_unknown"),
        (json!({ "sku": "BOLT-8", "reference": "r".repeat(129) }), "malformed_reference"),
    ];
    let good = json!({ "sku": "BOLT-8", "reference": "good" });
    for (bad, reason) in &cases {
        let request = json!({ "lines": [good, bad, good] });
        let answer = gateway.post(request.clone()).await;
        let [before, offer, after] = answer.offers() else { panic!("{}", answer.json) };
        assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("INVALID", *reason), "{bad}: {offer}");
        assert!(offer["price"].is_null() && offer["availability"].is_null(), "{offer}");
        for good in [before, after] {
            assert_eq!(text(good, "/price/netPrice"), "23.40");
        }
        assert_eq!(text(&gateway.grpc_offers(&request)[1], "/reason"), *reason);
    }
    let all: Vec<_> = cases.iter().map(|(bad, _)| bad.clone()).collect();
    let answer = gateway.post(json!({ "lines": all })).await;
    let reasons: Vec<_> = answer.offers().iter().map(|offer| text(offer, "/reason")).collect();
    assert_eq!(reasons, cases.map(|(_, reason)| reason));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_asked_twice_is_answered_twice() {
    let (erp, gateway) = gateway();
    let quantities = ["1", "100", "1", "100.0"];
    let lines: Vec<_> = quantities.iter().map(|quantity| json!({ "sku": "BOLT-8", "quantity": quantity })).collect();
    let answer = gateway.post(json!({ "lines": lines })).await;
    let prices: Vec<_> = answer.offers().iter().map(|offer| text(offer, "/price/netPrice")).collect();
    assert_eq!(prices, ["23.40", "21.90", "23.40", "21.90"]);
    let echoed: Vec<_> = answer.offers().iter().map(|offer| text(offer, "/quantity")).collect();
    assert_eq!(echoed, quantities);
    assert_eq!(erp.stats().await["lines"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_the_erp_does_not_have_is_no_price_of_another() {
    let (_erp, gateway) = gateway();
    let answer = gateway.post(json!({ "currency": "JPY", "lines": lines(["BOLT-8"]) })).await;
    let offer = &answer.offers()[0];
    assert_eq!((text(offer, "/status"), text(offer, "/reason")), ("INVALID", "currency_not_supported"), "{offer}");
    assert!(offer["price"].is_null(), "{offer}");
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_refused() {
    let (_erp, gateway) = gateway();
    let answer = gateway.send(Method::POST, "/v1/offers", JSON, vec![b' '; 10 << 20]).await;
    assert_eq!((answer.status, answer.reason(), text(&answer.json, "/limit")), (413, "over_limit", "1048576"));
    gateway.still_answers().await;
    let long = json!({ "lines": [{ "sku": "BOLT-8", "reference": "x".repeat(10 << 20) }] });
    let grpc = gateway.grpc("GetOffers", &long);
    assert_eq!((grpc.code.as_str(), grpc.reason.as_str()), ("RESOURCE_EXHAUSTED", "over_limit"), "{grpc:?}");
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_not_read() {
    let (_erp, gateway) = gateway();
    let body = json!({ "lines": lines(["BOLT-8"]) }).to_string();
    for content_type in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json;charset=latin1"]
    {
        let answer = gateway.send(Method::POST, "/v1/offers", content_type, body.clone()).await;
        assert_eq!((answer.status, answer.reason()), (415, "unsupported_media_type"), "{content_type}");
    }
    let latin1 = gateway.send(Method::POST, "/v1/offers", JSON, b"{\"lines\":[{\"sku\":\"\xe9\"}]}".to_vec()).await;
    assert_eq!((latin1.status, latin1.reason()), (400, "malformed_json"));
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_so() {
    let (_erp, gateway) = gateway();
    for (method, path, status, reason) in [
        (Method::GET, "/", 404, "no_such_resource"),
        (Method::GET, "/v1/offer?sku=BOLT-8", 404, "no_such_resource"),
        (Method::DELETE, "/v1/offers", 405, "method_not_allowed"),
        (Method::GET, "/v1/offers:stream", 405, "method_not_allowed"),
        (Method::GET, "/v1/offers?sku=BOLT-8&colour=red", 400, "unknown_field"),
        (Method::GET, "/v1/offers?sku=BOLT-8&customer=", 400, "customer_empty"),
        (Method::GET, "/v1/offers?sku=A&sku=B&sku=C&quantity=1&quantity=2", 400, "count_mismatch"),
        (Method::GET, "/v1/offers?sku=%ff", 400, "malformed_query"),
        (Method::GET, "/v1/offers", 400, "lines_empty"),
    ] {
        let answer = gateway.send(method, path, "", "").await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{path}");
    }
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_protobuf_is_refused() {
    let (_erp, gateway) = gateway();
    for bytes in [&b"\xff"[..], b"\x0a\xff", b"\x6a\x04\x0a\x02\xc3\x28", &[0x0b; 10_000]] {
        let answer = gateway.peer.call_with_bytes(&gateway.address, bytes);
        assert_eq!(
            (answer.code.as_str(), answer.reason.as_str()),
            ("INVALID_ARGUMENT", "malformed_protobuf"),
            "{bytes:?}"
        );
    }
    gateway.still_answers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_the_reasons_are_the_same() {
    let (_erp, gateway) = gateway();
    let line = lines(["BOLT-8"]);
    let cases: [(Value, &str, &str); 7] = [
        (json!({}), "lines_empty", "lines"),
        (json!({ "lines": lines(vec!["BOLT-8"; 501]) }), "over_limit", "lines"),
        (json!({ "lines": line, "customer": "" }), "customer_empty", "customer"),
        (json!({ "lines": line, "currency": "EURO" }), "malformed_currency", "currency"),
        (json!({ "lines": line, "priceDate": "2026-02-30" }), "malformed_date", "priceDate"),
        (json!({ "lines": line, "purpose": 99 }), "unknown_value", "purpose"),
        (json!({ "lines": line, "maxAge": "-1s" }), "malformed_duration", "maxAge"),
    ];
    for (request, reason, path) in cases {
        for method in ["GetOffers", "StreamOffers"] {
            let answer = gateway.grpc(method, &request);
            let told = (answer.code.as_str(), answer.reason.as_str(), answer.path.as_str());
            assert_eq!(told, ("INVALID_ARGUMENT", reason, path), "{request}: {answer:?}");
        }
    }
    gateway.still_answers().await;
}
