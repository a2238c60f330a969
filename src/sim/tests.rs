use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::{router, serve};
use crate::clock::{Clock, Timestamp};
use crate::erp::connectors::simulated::{Behaviour, Garbage, Simulator, SimulatorConfig};

fn simulator() -> Arc<Simulator> {
    let behaviour = Behaviour::fixed(Duration::from_millis(50), 4);
    let clock = Clock::starting_at(Timestamp(1_795_341_872_000));
    Simulator::new(SimulatorConfig { behaviour, ..SimulatorConfig::default() }, clock)
}

async fn send(simulator: &Arc<Simulator>, method: &str, path: &str, body: &str) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    let response = router(Arc::clone(simulator)).oneshot(request).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
}

async fn json(simulator: &Arc<Simulator>, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, bytes) = send(simulator, method, path, &body).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn ask(skus: &[&str]) -> Value {
    let lines: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "unit": null, "quantity": null})).collect();
    json!({"customer": "C-00042", "company": "FR01", "currency": "EUR", "priceDate": "2026-11-22", "lines": lines})
}

#[tokio::test(start_paused = true)]
async fn the_contracts_example_to_the_letter() {
    let (status, answer) = json(&simulator(), "POST", "/api/offers", ask(&["BOLT-8", "SKU-999999"])).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        answer,
        json!({"currency": "EUR", "lines": [
            {"sku": "BOLT-8", "status": "OK", "listPrice": "26.00", "netPrice": "23.40", "baseQuantity": "100",
             "baseUnit": "EA", "salesUnit": "EA", "units": [{"unit": "BOX", "factor": "12"}],
             "taxBasis": "NET", "taxRate": "0.20",
             "breaks": [{"minQuantity": "1", "netPrice": "23.40"}, {"minQuantity": "100", "netPrice": "21.90"}],
             "validFrom": "2026-01-01", "validUntil": "2026-12-31", "minOrderQuantity": "12", "orderMultiple": "12",
             "backorderAllowed": true, "leadTimeDays": 5, "priceList": null, "ownPrice": false,
             "stock": {"tracked": true, "locations": [{"location": "PARIS", "onHand": "500", "reserved": "80"}],
                       "incoming": [{"location": "PARIS", "quantity": "1000", "expectedOn": "2026-12-01"}]}},
            {"sku": "SKU-999999", "status": "UNKNOWN", "stock": null}
        ]})
    );
}

#[tokio::test(start_paused = true)]
async fn stock_customers_and_the_single_offer() {
    let simulator = simulator();
    let (_, stock) = json(&simulator, "POST", "/api/stock", json!({"skus": ["BOLT-8", "SKU-000152", "NO"]})).await;
    assert_eq!(stock["lines"][0]["locations"], json!([{"location": "PARIS", "onHand": "500", "reserved": "80"}]));
    assert_eq!(stock["lines"][0]["baseUnit"], "EA");
    assert_eq!((&stock["lines"][1]["tracked"], &stock["lines"][2]["status"]), (&json!(false), &json!("UNKNOWN")));
    let (_, customers) = json(&simulator, "POST", "/api/customers", json!({"customers": ["C-00097", "NO"]})).await;
    assert_eq!(customers["customers"][0]["blocked"], true);
    assert!(customers["customers"][0]["priceList"].as_str().unwrap().starts_with("L-"));
    assert_eq!(customers["customers"][1]["found"], false);

    let single = Request::get("/api/offers?customer=C-00042&sku=BOLT-8").body(Body::empty()).unwrap();
    let response = router(Arc::clone(&simulator)).oneshot(single).await.unwrap();
    assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=600");
    let (_, stats) = json(&simulator, "GET", "/sim/stats", Value::Null).await;
    assert_eq!((&stats["calls"], &stats["lines"], &stats["inFlight"]), (&json!(3), &json!(4), &json!(0)));
    assert_eq!(stats["recent"][2], json!({"operation": "offers", "lines": 1, "start": 100, "end": 150}));
    let (_, stats) = json(&simulator, "DELETE", "/sim/stats", Value::Null).await;
    assert_eq!((&stats["calls"], &stats["callsPerMinutePeak"], &stats["recent"]), (&json!(0), &json!(0), &json!([])));
}

#[tokio::test(start_paused = true)]
async fn prices_and_stock_can_be_set_and_the_truth_follows() {
    let simulator = simulator();
    let truth = async |query: &str| json(&simulator, "GET", &format!("/sim/truth?{query}"), Value::Null).await.1;
    let bolt = truth("customer=C-00042&sku=BOLT-8&quantity=3&unit=BOX").await;
    assert_eq!(
        (&bolt["netPrice"], &bolt["unitFactor"], &bolt["available"]),
        (&json!("23.40"), &json!("12"), &json!("420"))
    );
    let bolt = truth("sku=BOLT-8&quantity=9&unit=BOX").await;
    assert_eq!((&bolt["netPrice"], &bolt["break"]["minQuantity"]), (&json!("21.90"), &json!("100")));

    let price = json!({"customer": "C-00042", "sku": "SKU-000001", "netPrice": "3.5000"});
    assert_eq!(json(&simulator, "PUT", "/sim/prices", price).await.0, StatusCode::NO_CONTENT);
    let stock = json!({"sku": "SKU-000001", "location": "PARIS", "onHand": "0"});
    assert_eq!(json(&simulator, "PUT", "/sim/stock", stock).await.0, StatusCode::NO_CONTENT);
    let set = truth("customer=C-00042&sku=SKU-000001&quantity=100").await;
    assert_eq!((&set["netPrice"], &set["break"], &set["breaks"]), (&json!("3.5000"), &Value::Null, &json!([])));
    assert_eq!(set["locations"][0]["onHand"], "0");
    let (_, asked) = json(&simulator, "POST", "/api/offers", ask(&["SKU-000001"])).await;
    assert_eq!(asked["lines"][0]["netPrice"], "3.5000");
    assert_ne!(truth("sku=SKU-000001").await["netPrice"], "3.5000");

    let back = json!({"customer": "C-00042", "sku": "SKU-000001", "netPrice": null});
    json(&simulator, "PUT", "/sim/prices", back).await;
    assert_ne!(truth("customer=C-00042&sku=SKU-000001").await["netPrice"], "3.5000");
    assert_eq!(simulator.stats().calls, 1, "the controls are not counted");
}

#[tokio::test(start_paused = true)]
async fn faults_read_back_as_they_were_set() {
    let simulator = simulator();
    let set = json!({"latency": "3.2ms", "perLine": "0ms", "concurrency": 4, "callsPerMinute": 600,
        "failureRate": "0.1", "hang": true, "garbage": "html", "only": "prices", "skus": ["A"], "poison": ["B"],
        "times": 3});
    let (status, read) = json(&simulator, "POST", "/sim/faults", set.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let mut expected = set;
    expected["only"] = json!(["prices"]);
    assert_eq!(read, expected);
    assert_eq!(json(&simulator, "GET", "/sim/faults", Value::Null).await.1, expected);
    assert_eq!(json(&simulator, "POST", "/sim/faults", json!({})).await.1, json!({}));
}

#[tokio::test(start_paused = true)]
async fn bad_control_input_is_refused_by_name() {
    let simulator = simulator();
    let price = |field: &str, value: Value| {
        let mut price = json!({"customer": null, "sku": "SKU-000001", "netPrice": "1"});
        price[field] = value;
        price
    };
    for (method, path, body, expected) in [
        ("POST", "/sim/faults", json!({"latancy": "1s"}), "latancy"),
        ("POST", "/sim/faults", json!({"latency": "soon"}), "latency"),
        ("POST", "/sim/faults", json!({"perLine": "-1s"}), "perLine"),
        ("POST", "/sim/faults", json!({"latency": 50}), "latency"),
        ("POST", "/sim/faults", json!({"failureRate": 0.1}), "failureRate"),
        ("POST", "/sim/faults", json!({"failureRate": "1.5"}), "failureRate"),
        ("POST", "/sim/faults", json!({"failureRate": "0.0001"}), "failureRate"),
        ("POST", "/sim/faults", json!({"garbage": "rubbish"}), "wrong_currency"),
        ("POST", "/sim/faults", json!({"only": ["price"]}), "only"),
        ("POST", "/sim/faults", json!({"concurrency": 0}), "concurrency"),
        ("POST", "/sim/faults", json!({"poison": [""]}), "poison[0]"),
        ("POST", "/sim/faults", json!([]), "expected"),
        ("PUT", "/sim/prices", price("netPrice", json!(1)), "netPrice"),
        ("PUT", "/sim/prices", price("netPrice", json!("1e3")), "netPrice"),
        ("PUT", "/sim/prices", price("netPrice", json!("-1")), "netPrice"),
        ("PUT", "/sim/prices", price("customer", json!("C-99999")), "customer"),
        ("PUT", "/sim/prices", price("sku", json!("NO")), "sku"),
        ("PUT", "/sim/prices", json!({"sku": "SKU-000001"}), "netPrice"),
        ("PUT", "/sim/stock", json!({"sku": "SKU-000001", "location": "ROME", "onHand": "1"}), "location"),
        ("PUT", "/sim/stock", json!({"sku": "SKU-000001", "location": "LYON", "onHand": "many"}), "onHand"),
        ("GET", "/sim/truth", Value::Null, "sku"),
        ("GET", "/sim/truth?sku=BOLT-8&quantity=NaN", Value::Null, "quantity"),
        ("GET", "/sim/truth?sku=BOLT-8&unit=PALLET", Value::Null, "unit"),
        ("GET", "/sim/truth?sku=BOLT-8&colour=red", Value::Null, "colour"),
        ("POST", "/api/offers", json!({"lines": []}), "lines"),
        ("POST", "/api/offers", json!({"lines": [{"sku": "a\nb"}]}), "lines[0]"),
        ("POST", "/api/offers", json!({"lines": [{"sku": "A"}], "priceDate": "tomorrow"}), "priceDate"),
    ] {
        let (status, answer) = json(&simulator, method, path, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(why.contains(expected), "{path} {body}: {why}");
    }
    assert_eq!(send(&simulator, "POST", "/sim/faults", "{} {}").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn garbage_and_refusals_on_the_wire() {
    let simulator = simulator();
    let spoil = async |faults: Value| {
        json(&simulator, "POST", "/sim/faults", faults).await;
        send(&simulator, "POST", "/api/offers", &ask(&["SKU-000001", "SKU-000002", "SKU-000003"]).to_string()).await
    };
    for garbage in Garbage::ALL.map(Garbage::as_str) {
        let (status, bytes) = spoil(json!({"garbage": garbage})).await;
        assert_eq!(status, StatusCode::OK, "{garbage}");
        let answer: Value = match garbage {
            "huge" => {
                assert!(bytes.len() > 100_000_000);
                continue;
            }
            _ => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        };
        let skus: Vec<_> =
            answer["lines"].as_array().into_iter().flatten().map(|line| line["sku"].as_str().unwrap()).collect();
        let (a, b, c) = ("SKU-000001", "SKU-000002", "SKU-000003");
        match garbage {
            "truncated" | "html" => assert_eq!(answer, Value::Null, "{garbage}"),
            "shuffled" => assert!(skus != [a, b, c] && skus.len() == 3),
            "duplicated" => assert_eq!(skus, [a, a, b, b, c, c]),
            "wrong_sku" => assert!(skus.iter().all(|sku| sku.starts_with("OTHER-"))),
            "wrong_currency" => assert_eq!(answer["currency"], "USD"),
            "missing" => assert_eq!(skus, [b]),
            "null_price" => assert_eq!(
                (&answer["lines"][0]["status"], &answer["lines"][0]["netPrice"]),
                (&json!("OK"), &Value::Null)
            ),
            _ => assert_ne!(answer["lines"][0]["netPrice"], answer["lines"][1]["netPrice"]),
        }
    }
    let (status, bytes) = spoil(json!({"callsPerMinute": 0})).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::SERVICE_UNAVAILABLE, &b"{\"error\":\"busy\"}"[..]));
    assert_eq!(spoil(json!({"failureRate": "1"})).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

/// Sends one request over a socket and reads until the server closes or answers.
async fn over_socket(stream: &mut TcpStream, path: &str, body: &str) -> Vec<u8> {
    let request = format!("POST {path} HTTP/1.1\r\nhost: erp\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 16 * 1024];
    let read = stream.read(&mut answer).await.unwrap_or(0);
    answer.truncate(read);
    answer
}

#[tokio::test]
async fn down_closes_connections_without_a_word_and_comes_back() {
    let clock = Clock::system();
    let behaviour = Behaviour::fixed(Duration::ZERO, 4);
    let simulator = Simulator::new(SimulatorConfig { behaviour, ..SimulatorConfig::default() }, clock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(Arc::clone(&simulator), listener, async move {
        let _ = stopped.await;
    }));
    let stock = json!({"skus": ["BOLT-8"]}).to_string();
    let mut kept = TcpStream::connect(address).await.unwrap();
    assert!(over_socket(&mut kept, "/api/stock", &stock).await.starts_with(b"HTTP/1.1 200"));
    let mut control = TcpStream::connect(address).await.unwrap();
    assert!(over_socket(&mut control, "/sim/faults", "{\"down\":true}").await.starts_with(b"HTTP/1.1 200"));
    assert!(over_socket(&mut kept, "/api/stock", &stock).await.is_empty());
    let mut fresh = TcpStream::connect(address).await.unwrap();
    assert!(over_socket(&mut fresh, "/api/stock", &stock).await.is_empty());
    assert!(over_socket(&mut control, "/sim/faults", "{}").await.starts_with(b"HTTP/1.1 200"));
    let mut again = TcpStream::connect(address).await.unwrap();
    assert!(over_socket(&mut again, "/api/stock", &stock).await.starts_with(b"HTTP/1.1 200"));
    // A clean end: idle connections do not hold it up.
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
