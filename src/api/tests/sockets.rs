//! Both wires on one port, over loopback sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use super::samples::SampleOffers;
use crate::api::proto::offer_service_client::OfferServiceClient;
use crate::api::proto::price_service_client::PriceServiceClient;
use crate::api::proto::{GetOffersRequest, InvalidatePricesRequest, OfferLine};
use crate::api::{Api, ApiConfig, serve};
use crate::clock::Clock;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) task: tokio::task::JoinHandle<()>,
}

async fn start() -> Server {
    start_with(ApiConfig::default()).await
}

async fn start_with(config: ApiConfig) -> Server {
    start_api(Api::new(Arc::new(SampleOffers), config, Clock::system())).await
}

pub(super) async fn start_api(api: Api<SampleOffers>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let api = Arc::new(api);
    let task = tokio::spawn(serve(api, listener, stop.clone().cancelled_owned()));
    Server { address, stop, task }
}

pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (told, value) = line.split_once(':')?;
            told.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn reason(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["requestId"].as_str(), self.header("request-id"));
        problem["reason"].as_str().unwrap().to_owned()
    }
}

impl Server {
    /// One request on a connection of its own.
    pub(super) async fn http(&self, head: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length =
            if head.starts_with("GET") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|line| format!("{}\r\n", line.trim())).collect();
        let head = format!("{first} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{length}{headers}\r\n");
        let (mut reader, mut writer) = stream.split();
        let send = async {
            // A server that refuses early may close while we still send.
            let _ = writer.write_all(head.as_bytes()).await;
            let _ = writer.write_all(body).await;
        };
        let mut read = Vec::new();
        let receive = async {
            let _ = reader.read_to_end(&mut read).await;
        };
        tokio::join!(send, receive);
        reply(&read)
    }

    async fn post(&self, body: &str) -> Reply {
        self.http("POST /v1/offers\ncontent-type: application/json", body.as_bytes()).await
    }

    pub(super) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }
}

fn reply(read: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(read);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let mut whole = body.to_owned();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        whole = body.split("\r\n").enumerate().filter(|(n, _)| n % 2 == 1).map(|(_, chunk)| chunk).collect();
    }
    Reply { status, head: head.to_owned(), body: whole }
}

fn request(customer: &str, skus: &[&str]) -> GetOffersRequest {
    GetOffersRequest {
        customer: (!customer.is_empty()).then(|| customer.to_owned()),
        lines: skus.iter().map(|sku| OfferLine { sku: (*sku).to_owned(), ..Default::default() }).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_same_offers_over_both_wires_of_one_port() {
    let server = start().await;
    let posted = server.post(r#"{"customer":"C-1","lines":[{"sku":"A"},{"sku":"B"},{"sku":"A"}]}"#).await;
    assert_eq!(posted.status, 200, "{}", posted.body);
    assert_eq!(posted.header("content-type"), Some("application/json"));
    let json = posted.json();
    let skus: Vec<_> = json["offers"].as_array().unwrap().iter().map(|offer| offer["sku"].as_str().unwrap()).collect();
    assert_eq!(skus, ["A", "B", "A"]);
    assert_eq!(json["offers"][0]["price"]["netPrice"], "23.40");

    let got = server.http("GET /v1/offers?customer=C-1&sku=A&sku=B&sku=A", b"").await;
    assert_eq!((got.status, &got.json()), (200, &json));

    let mut client = OfferServiceClient::new(server.channel().await);
    let answer = client.get_offers(request("C-1", &["A", "B", "A"])).await.unwrap();
    assert!(answer.metadata().get("request-id").is_some());
    let message = answer.into_inner();
    assert_eq!(message.offers.len(), 3);
    assert_eq!(message.offers[0].price.as_ref().unwrap().net_price.as_deref(), Some("23.40"));
    assert_eq!(message.party.unwrap().customer.as_deref(), Some("C-1"));
}

#[tokio::test]
async fn http_json_over_http2_without_tls() {
    let server = start().await;
    let body = Full::from(r#"{"lines":[{"sku":"A"}]}"#).map_err(|never| match never {});
    let request = http::Request::post(format!("http://{}/v1/offers", server.address))
        .header("content-type", "application/json")
        .body(tonic::body::Body::new(body))
        .unwrap();
    let response = server.channel().await.oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["offers"][0]["sku"], "A");
}

#[tokio::test]
async fn what_caches_are_told() {
    let server = start().await;
    let public = server.http("GET /v1/offers?sku=A", b"").await;
    assert_eq!(public.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(public.header("cache-status"), Some("comptoir; hit; ttl=60"));
    assert_eq!(public.header("etag"), None);

    let own = server.http("GET /v1/offers?customer=C-1&sku=A", b"").await;
    assert_eq!(own.header("cache-control"), Some("private, no-cache"));
    let tag = own.header("etag").unwrap();
    let again = server.http(&format!("GET /v1/offers?customer=C-1&sku=A\nif-none-match: \"x\", {tag}"), b"").await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag)));
    let other = server.http(&format!("GET /v1/offers?customer=C-2&sku=A\nif-none-match: {tag}"), b"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let server = start().await;
    let json = "content-type: application/json";
    let post = format!("POST /v1/offers\n{json}");
    let invalidate = format!("POST /v1/prices/invalidations\n{json}");
    for (head, body, status, reason) in [
        (post.as_str(), "{", 400, "malformed_json"),
        (&post, r#"{"lines":[]}"#, 400, "lines_empty"),
        (&post, r#"{"lines":[{"sku":"A"}],"x":1}"#, 400, "unknown_field"),
        (&post, r#"{"customer":"NOBODY","lines":[{"sku":"A"}]}"#, 404, "customer_unknown"),
        (&post, r#"{"customer":"PANIC","lines":[{"sku":"A"}]}"#, 500, "internal"),
        ("POST /v1/offers\ncontent-type: text/plain", "{}", 415, "unsupported_media_type"),
        (
            "POST /comptoir.v1.OfferService/GetOffers\ncontent-type: application/json",
            "{}",
            415,
            "unsupported_media_type",
        ),
        ("POST /comptoir.v1.OfferService/GetOffers\ncontent-type: application/grpc", "", 400, "http2_required"),
        ("PUT /v1/offers", "", 405, "method_not_allowed"),
        ("GET /v1/offers:stream", "", 405, "method_not_allowed"),
        (&invalidate, "{}", 400, "nothing_named"),
        (&invalidate, r#"{"contracts":["K"]}"#, 400, "not_resolvable"),
        (&invalidate, r#"{"customers":["UNWRITTEN"]}"#, 503, "not_durable"),
        (&invalidate, r#"{"customers":["MANY"]}"#, 429, "over_limit"),
        (&invalidate, r#"{"skus":["S"],"until":1}"#, 400, "unknown_field"),
        ("GET /v1/prices/invalidations", "", 405, "method_not_allowed"),
        ("GET /", "", 404, "no_such_resource"),
        ("GET /v1/offers/A", "", 404, "no_such_resource"),
        ("GET /v1/offers?sku=A&colour=red", "", 400, "unknown_field"),
        ("GET /v1/offers?sku=A&customer=NOBODY", "", 404, "customer_unknown"),
    ] {
        let reply = server.http(head, body.as_bytes()).await;
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{head} {body}");
    }
    let wrong = server.http("DELETE /v1/offers", b"").await;
    assert_eq!(wrong.header("allow"), Some("GET, POST"));
    // Nothing of it disturbed the others.
    assert_eq!(server.post(r#"{"lines":[{"sku":"A"}]}"#).await.status, 200);
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused_and_the_answer_arrives() {
    let server = start().await;
    let body = vec![b' '; 10 << 20];
    let reply = server.http("POST /v1/offers\ncontent-type: application/json", &body).await;
    assert_eq!((reply.status, reply.reason().as_str()), (413, "over_limit"));
    assert_eq!(reply.json()["limit"], "1048576");

    let mut channel = server.channel().await;
    let mut message = vec![0];
    message.extend_from_slice(&(body.len() as u32).to_be_bytes());
    message.extend_from_slice(&body);
    let status = raw_grpc(&mut channel, &server, message).await;
    assert_eq!(status, "8");
}

async fn raw_grpc(channel: &mut Channel, server: &Server, body: Vec<u8>) -> String {
    let request = http::Request::post(format!("http://{}/comptoir.v1.OfferService/GetOffers", server.address))
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(Full::from(body).map_err(|never| match never {})))
        .unwrap();
    let response = channel.ready().await.unwrap().clone().oneshot(request).await.unwrap();
    response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn grpc_refusals_carry_the_same_reasons() {
    let server = start().await;
    let mut client = OfferServiceClient::new(server.channel().await);
    for (request, code, reason) in [
        (request("", &[]), Code::InvalidArgument, "lines_empty"),
        (request("NOBODY", &["A"]), Code::NotFound, "customer_unknown"),
        (request("PANIC", &["A"]), Code::Internal, "internal"),
        (
            GetOffersRequest { customer: Some(String::new()), ..request("", &["A"]) },
            Code::InvalidArgument,
            "customer_empty",
        ),
        (GetOffersRequest { purpose: 99, ..request("", &["A"]) }, Code::InvalidArgument, "unknown_value"),
        (request("", &["A"; 501]), Code::InvalidArgument, "over_limit"),
    ] {
        let status = client.get_offers(request).await.unwrap_err();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, "comptoir"));
        assert!(status.metadata().get("request-id").is_some());
    }
    let mut channel = server.channel().await;
    assert_eq!(raw_grpc(&mut channel, &server, b"\0\0\0\0\x03\xff\xff\xff".to_vec()).await, "3");
    assert_eq!(raw_grpc(&mut channel, &server, Vec::new()).await, "3");
    assert_eq!(raw_grpc(&mut channel, &server, b"\x01\0\0\0\0".to_vec()).await, "12");
    // An unknown method.
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/comptoir.v1.OfferService/NoSuch");
    let codec = tonic_prost::ProstCodec::<GetOffersRequest, GetOffersRequest>::default();
    let status = grpc.unary(tonic::Request::new(request("", &["A"])), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_grpc_deadline_gives_an_answer_in_time() {
    let server = start().await;
    let mut client = OfferServiceClient::new(server.channel().await);
    let mut slow = tonic::Request::new(request("SLOW", &["A"]));
    slow.set_timeout(Duration::from_millis(300));
    assert_eq!(client.get_offers(slow).await.unwrap().into_inner().offers.len(), 1);
}

#[tokio::test]
async fn one_offer_is_explained_over_both_wires() {
    let server = start().await;
    let body = br#"{"customer":"C-1","lines":[{"sku":"A"}]}"#;
    let mut client = OfferServiceClient::new(server.channel().await);
    let told = client.explain_offer(request("C-1", &["A"])).await.unwrap().into_inner();
    assert_eq!(told.offer.unwrap().sku, "A");
    assert_eq!((told.steps[0].about.as_str(), told.steps[0].facts.len()), ("price", 2));
    for path in ["/v1/offers:explain", "/v1/offers%3Aexplain", "/v1/offers%3aexplain"] {
        let reply = server.http(&format!("POST {path}\ncontent-type: application/json"), body).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{}", reply.body);
        let json = reply.json();
        assert_eq!((&json["offer"]["sku"], &json["party"]["customer"]), (&"A".into(), &"C-1".into()));
        assert_eq!(json["steps"][0]["facts"][0], serde_json::json!({ "name": "age", "value": "1.5s" }));
    }
    // The same refusals as when asking, and one more: of two lines the steps could not be told apart.
    for (body, status, reason) in [
        (&br#"{"lines":[{"sku":"A"},{"sku":"B"}]}"#[..], 400, "over_limit"),
        (br#"{"lines":[]}"#, 400, "lines_empty"),
        (br#"{"customer":null,"lines":[{"sku":"A"}]}"#, 400, "customer_empty"),
        (br#"{"customer":"NOBODY","lines":[{"sku":"A"}]}"#, 404, "customer_unknown"),
    ] {
        let reply = server.http("POST /v1/offers:explain\ncontent-type: application/json", body).await;
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason));
    }
    assert_eq!(server.http("GET /v1/offers:explain", b"").await.status, 405);
    let refused = client.explain_offer(request("C-1", &["A", "B"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn streams_over_both_wires_have_their_end() {
    let server = start().await;
    let body = br#"{"customer":"C-1","lines":[{"sku":"A"},{"sku":"B"}]}"#;
    let reply = server.http("POST /v1/offers:stream\ncontent-type: application/json", body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")));
    let records: Vec<Value> = reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second, last] = records.as_slice() else { panic!("{}", reply.body) };
    assert_eq!(
        (&first["index"], &first["offer"]["sku"], &first["party"]["customer"]),
        (&1.into(), &"B".into(), &"C-1".into())
    );
    assert_eq!((&second["index"], second.get("party")), (&0.into(), None));
    assert_eq!((&last["done"], &last["answered"]), (&true.into(), &2.into()));

    let mut client = OfferServiceClient::new(server.channel().await);
    let mut stream = client.stream_offers(request("C-1", &["A", "B"])).await.unwrap().into_inner();
    let mut indexes = Vec::new();
    let mut done = None;
    while let Some(record) = stream.message().await.unwrap() {
        indexes.extend(record.index);
        done = record.done;
    }
    assert_eq!((indexes, done), (vec![1, 0], Some(true)));
    let status = client.stream_offers(request("NOBODY", &["A"])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let mut cut = client.stream_offers(request("CUT", &["A"])).await.unwrap().into_inner();
    assert!(cut.message().await.unwrap().is_some());
    assert_eq!(cut.message().await.unwrap_err().code(), Code::Internal);
    let panicked = server.http(
        "POST /v1/offers:stream\ncontent-type: application/json",
        br#"{"customer":"PANIC","lines":[{"sku":"A"}]}"#,
    );
    assert_eq!(panicked.await.reason(), "internal");
}

#[tokio::test]
async fn an_invalidation_is_the_same_over_both_wires() {
    let server = start().await;
    let head = "POST /v1/prices/invalidations\ncontent-type: application/json";
    let reply = server.http(head, br#"{"customers":["C-1","C-2"],"settle":"5s"}"#).await;
    let expected = serde_json::json!({
        "effectiveAt": "2026-11-22T10:04:32.120Z", "settledAt": "2026-11-22T10:04:37.120Z", "marked": 2, "widened": false
    });
    assert_eq!((reply.status, reply.json()), (200, expected));
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let mut client = PriceServiceClient::new(server.channel().await);
    let request = InvalidatePricesRequest { customers: vec!["C-1".into()], ..Default::default() };
    let answer = client.invalidate_prices(request).await.unwrap().into_inner();
    assert_eq!((answer.marked, answer.widened, answer.settled_at), (Some(1), Some(false), None));
    assert_eq!(answer.effective_at.unwrap().seconds, 1_795_341_872);
    let request = InvalidatePricesRequest { contracts: vec!["K".into()], ..Default::default() };
    let status = client.invalidate_prices(request).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "not_resolvable");
}

#[tokio::test]
async fn the_longest_invalidation_fits() {
    let server = start().await;
    let list = |kind: &str| vec![format!("\"{kind}{}\"", "x".repeat(63)); 10_000].join(",");
    let body = format!("{{\"customers\":[{}],\"priceLists\":[{}],\"skus\":[{}]}}", list("C"), list("L"), list("S"));
    let reply = server.http("POST /v1/prices/invalidations\ncontent-type: application/json", body.as_bytes()).await;
    assert_eq!((reply.status, &reply.json()["marked"]), (200, &serde_json::json!(30_000)));
}

#[tokio::test]
async fn health_and_reflection_answer() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let server = start().await;
    let mut health = HealthClient::new(server.channel().await);
    for service in ["", "comptoir.v1.OfferService", "comptoir.v1.PriceService"] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service}");
    }
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let mut answers = reflection.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("a list of services")
    };
    for name in ["comptoir.v1.OfferService", "comptoir.v1.PriceService"] {
        assert!(list.service.iter().any(|service| service.name == name), "{name}");
    }
}

#[tokio::test]
async fn an_id_is_kept_and_a_connection_reused() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for round in 0..2 {
        let request = format!("GET /v1/offers?sku=A HTTP/1.1\r\nhost: x\r\nrequest-id: order/{round}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = vec![0; 64 << 10];
        let mut length = 0;
        // One answer is one segment or a few; it ends with the last offer's closing brackets.
        while !read[..length].ends_with(b"}]}") {
            length += stream.read(&mut read[length..]).await.unwrap();
        }
        assert_eq!(reply(&read[..length]).header("request-id"), Some(format!("order/{round}").as_str()));
    }
}

#[tokio::test]
async fn a_stop_lets_calls_in_flight_finish() {
    let server = start().await;
    let body = r#"{"customer":"SLOW","timeout":"0.3s","lines":[{"sku":"A"}]}"#;
    let in_flight = server.post(body);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.stop.cancel();
    };
    let (reply, ()) = tokio::join!(in_flight, stop);
    assert_eq!(reply.status, 200);
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_its_grace() {
    let server = start_with(ApiConfig { grace: Duration::from_millis(100), ..ApiConfig::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let body = r#"{"customer":"SLOW","timeout":"60s","lines":[{"sku":"A"}]}"#;
    let head = format!("POST /v1/offers HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
}
