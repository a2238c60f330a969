//! Bad and odd requests, as tables.

use std::time::Duration;

use super::*;
use crate::api::context::RequestIds;
use crate::api::proto::OfferLine;
use crate::clock::{Mono, Timestamp};
use crate::offer::LineFault;

fn call() -> Call {
    let arrival = crate::clock::Reading { mono: Mono(1_000_000), wall: Timestamp(0) };
    Call { id: RequestIds::default().take(&::http::HeaderMap::new()), arrival }
}

fn from_json(body: &str) -> Result<OfferQuery, Refusal> {
    check(json::decode(body.as_bytes())?, &ApiConfig::default(), &call(), None)
}

fn from_form(query: &str) -> Result<OfferQuery, Refusal> {
    check(form::decode(query)?, &ApiConfig::default(), &call(), None)
}

#[test]
fn the_contract_s_example_is_understood() {
    let query = from_json(
        r#"{ "customer": "C-00042", "company": "FR01", "shipTo": "S1", "contract": "B-77", "currency": "EUR",
             "priceDate": "2026-11-22", "purpose": "LIST", "maxAge": "60s", "staleIfError": "3600s", "timeout": "0.5s",
             "parts": ["PRICE"], "locations": ["PARIS", "PARIS"], "visitor": "v1",
             "lines": [ { "sku": "BOLT-8", "quantity": "3", "unit": "BOX", "reference": "row1" }, {"sku": "x"} ] }"#,
    )
    .unwrap();
    assert_eq!(query.customer.unwrap().as_str(), "C-00042");
    assert_eq!(query.ship_to.unwrap().as_str(), "S1");
    assert_eq!(query.currency.unwrap().as_str(), "EUR");
    assert_eq!(query.price_date, Some(jiff::civil::date(2026, 11, 22)));
    assert_eq!(query.purpose, Purpose::List);
    assert_eq!((query.max_age, query.stale_if_error), (Some(Duration::from_secs(60)), Some(Duration::from_secs(3600))));
    assert_eq!(query.deadline, Mono(1_500_000));
    assert_eq!(query.parts, Parts { price: true, availability: false });
    assert_eq!(query.locations.len(), 1);
    assert_eq!(query.lines[0].unit.as_deref(), Some("BOX"));
    assert_eq!(query.lines[1].quantity, None);
}

#[test]
fn both_spellings_numbers_for_names_and_null_for_absent() {
    let query = from_json(
        r#"{"ship_to":"S","price_date":null,"stale_if_error":"0s","max_age":"0.25s","purpose":1,"parts":[2],
            "company":null,"locations":null,"lines":[{"sku":"A","quantity":null}]}"#,
    )
    .unwrap();
    assert_eq!(query.ship_to.unwrap().as_str(), "S");
    assert_eq!((query.price_date, query.company), (None, None));
    assert_eq!((query.max_age, query.purpose), (Some(Duration::from_millis(250)), Purpose::List));
    assert_eq!(query.parts, Parts { price: false, availability: true });
    assert_eq!(query.deadline, Mono(3_000_000));
    assert_eq!(from_json(r#"{"lines":[{"sku":"A"}],"purpose":"UNSPECIFIED"}"#).unwrap().purpose, Purpose::Detail);
}

#[test]
fn what_is_wrong_with_a_body_is_said() {
    let too_many = format!(r#"{{"lines":[{}]}}"#, vec![r#"{"sku":"A"}"#; 501].join(","));
    let long = "x".repeat(65);
    let long_visitor = format!(r#"{{"lines":[{{"sku":"A"}}],"visitor":"{long}"}}"#);
    let ok = r#""lines":[{"sku":"A"}]"#;
    let with = |field: &str| format!("{{{ok},{field}}}");
    for (body, reason, path) in [
        ("", "malformed_json", None),
        ("{", "malformed_json", None),
        ("nonsense", "malformed_json", None),
        ("{}x", "malformed_json", None),
        (r#"{"lines":[{"sku":"\ud800"}]}"#, "malformed_json", None),
        ("[]", "wrong_type", None),
        ("null", "wrong_type", None),
        ("12", "wrong_type", None),
        ("{}", "lines_empty", Some("lines")),
        (r#"{"lines":[]}"#, "lines_empty", Some("lines")),
        (r#"{"lines":null}"#, "lines_empty", Some("lines")),
        (r#"{"lines":{}}"#, "wrong_type", Some("lines")),
        (r#"{"lines":["A"]}"#, "wrong_type", Some("lines[0]")),
        (r#"{"lines":[["A","1"]]}"#, "wrong_type", Some("lines[0]")),
        (r#"{"lines":[{"sku":12}]}"#, "wrong_type", Some("lines[0].sku")),
        (r#"{"lines":[{"sku":["A"]}]}"#, "wrong_type", Some("lines[0].sku")),
        (r#"{"lines":[{"sku":"A","quantity":12}]}"#, "malformed_decimal", Some("lines[0].quantity")),
        (r#"{"lines":[{"sku":"A","quantity":true}]}"#, "wrong_type", Some("lines[0].quantity")),
        (r#"{"lines":[{"sku":"A"},{"sku":"B","qty":"1"}]}"#, "unknown_field", Some("lines[1].qty")),
        (r#"{"lines":[{"sku":"A","sku":"B"}]}"#, "duplicate_key", Some("lines[0].sku")),
        (&with(r#""colour":1"#), "unknown_field", Some("colour")),
        (&with(r#""shipTo":"a","ship_to":"b""#), "duplicate_key", Some("shipTo")),
        (&with(r#""customer":"""#), "customer_empty", Some("customer")),
        (&with(r#""customer":null"#), "customer_empty", Some("customer")),
        (&with(r#""customer":7"#), "wrong_type", Some("customer")),
        (&with(r#""customer":" A""#), "malformed_id", Some("customer")),
        (&with(&format!(r#""company":"{long}""#)), "malformed_id", Some("company")),
        (&with(r#""shipTo":"""#), "malformed_id", Some("shipTo")),
        (&with(r#""contract":"a\u0000""#), "malformed_id", Some("contract")),
        (&with(r#""currency":"euro""#), "malformed_currency", Some("currency")),
        (&with(r#""priceDate":"22/11/2026""#), "malformed_date", Some("priceDate")),
        (&with(r#""purpose":"BROWSE""#), "unknown_value", Some("purpose")),
        (&with(r#""purpose":99"#), "unknown_value", Some("purpose")),
        (&with(r#""purpose":1e400"#), "unknown_value", Some("purpose")),
        (&with(r#""parts":["PRICE","COLOUR"]"#), "unknown_value", Some("parts[1]")),
        (&with(r#""parts":[0]"#), "unknown_value", Some("parts[0]")),
        (&with(r#""maxAge":"60""#), "malformed_duration", Some("maxAge")),
        (&with(r#""maxAge":60"#), "malformed_duration", Some("maxAge")),
        (&with(r#""timeout":"-1s""#), "malformed_duration", Some("timeout")),
        (&with(r#""staleIfError":"1.0000000001s""#), "malformed_duration", Some("staleIfError")),
        (&with(r#""locations":["PARIS",""]"#), "malformed_id", Some("locations[1]")),
        (&with(r#""locations":[null]"#), "wrong_type", Some("locations[0]")),
        (&too_many, "over_limit", Some("lines")),
        (&long_visitor, "malformed_id", Some("visitor")),
    ] {
        let refusal = from_json(body).expect_err(body);
        let (status, _, told, _) = refusal.fault.facts();
        assert_eq!((told, refusal.path.as_deref(), status), (reason, path, 400), "{body}: {refusal:?}");
    }
}

#[test]
fn the_words_of_a_refusal() {
    let detail = |body: &str| from_json(body).unwrap_err().detail.into_owned();
    assert_eq!(detail(r#"{"lines":[{"sku":"A","quantity":12}]}"#), "lines[0].quantity: write \"12\"");
    assert_eq!(detail(r#"{"lines":[{"sku":"A","quantity":1.50}]}"#), "lines[0].quantity: write \"1.50\"");
    assert_eq!(detail(r#"{"lines":[{"sku":4711}]}"#), "lines[0].sku: write \"4711\"");
    assert!(detail("{\n  \"lines\": [,]}").ends_with("at line 2 column 13"), "{}", detail("{\n  \"lines\": [,]}"));
    let many = format!(r#"{{"lines":[{}]}}"#, vec![r#"{"sku":"A"}"#; 501].join(","));
    assert_eq!(from_json(&many).unwrap_err().limit, Some(500));
}

#[test]
fn a_line_s_fault_is_the_line_s_alone() {
    let body = r#"{"lines":[{"sku":"A"},{},{"sku":"B","quantity":"0"},{"sku":"B","quantity":"1e400"},
        {"sku":"a\u0001"},{"sku":"A","unit":""},{"sku":"A","quantity":"-3"},{"sku":"A"}]}"#;
    let faults: Vec<_> = from_json(body).unwrap().lines.into_iter().map(|line| line.fault).collect();
    assert_eq!(
        faults,
        [
            None,
            Some(LineFault::MalformedSku),
            Some(LineFault::OutOfRange),
            Some(LineFault::MalformedDecimal),
            Some(LineFault::MalformedSku),
            Some(LineFault::MalformedUnit),
            Some(LineFault::OutOfRange),
            None,
        ]
    );
}

#[test]
fn query_strings_in_every_form_shops_write() {
    let lines = |query: &str| -> Vec<String> {
        let query = from_form(query).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"));
        query.lines.into_iter().map(|line| format!("{}*{}", line.sku, line.quantity.unwrap_or_default())).collect()
    };
    assert_eq!(lines("sku=A&sku=B"), ["A*", "B*"]);
    assert_eq!(lines("sku=A&sku=B&quantity=3"), ["A*3", "B*3"]);
    assert_eq!(lines("sku=A&quantity=3&sku=B&quantity=4&"), ["A*3", "B*4"]);
    assert_eq!(lines("sku[]=A&sku%5B%5D=B&quantity[]=1&quantity[]=2"), ["A*1", "B*2"]);
    assert_eq!(lines("sku[1]=B&sku[0]=A&quantity[0]=1&quantity[1]=2"), ["A*1", "B*2"]);
    assert_eq!(lines("sku=vis+%C3%A0+t%C3%AAte&sku=A%2BB"), ["vis à tête*", "A+B*"]);
    let query = from_form("customer=C-1&shipTo=S&purpose=CART&maxAge=0.5s&timeout=1s&parts=PRICE&location=PARIS&location=LYON&currency=EUR&priceDate=2026-11-22&sku=A&unit=BOX&reference=r").unwrap();
    assert_eq!((query.customer.unwrap().as_str(), query.purpose, query.locations.len()), ("C-1", Purpose::Cart, 2));
    assert_eq!((query.lines[0].unit.as_deref(), query.lines[0].reference.as_deref()), (Some("BOX"), Some("r")));
}

#[test]
fn what_is_wrong_with_a_query_string_is_said() {
    for (query, reason) in [
        ("", "lines_empty"),
        ("customer=C", "lines_empty"),
        ("sku=A&customer=", "customer_empty"),
        ("sku=A&colour=red", "unknown_field"),
        ("sku=A&filter[x]=1", "unknown_field"),
        ("sku=A&customer=1&customer=2", "duplicate_key"),
        ("sku=A&sku=B&sku=C&quantity=1&quantity=2", "count_mismatch"),
        ("quantity=1&quantity=2", "count_mismatch"),
        ("quantity[0]=1", "count_mismatch"),
        ("sku[0]=A&sku[1]=B&quantity[0]=1&quantity[2]=2", "count_mismatch"),
        ("sku[0]=A&sku[0]=B", "duplicate_key"),
        ("sku[0]=A&sku=B", "malformed_query"),
        ("sku[x]=A", "malformed_query"),
        ("sku[99999999999]=A", "malformed_query"),
        ("sku=%FF", "malformed_query"),
        ("sku=A&timeout=5", "malformed_duration"),
        ("sku=A&purpose=x", "unknown_value"),
        ("sku=A&part=x", "unknown_value"),
        ("sku=A&currency=eur", "malformed_currency"),
    ] {
        let refusal = from_form(query).expect_err(query);
        assert_eq!(refusal.fault.facts().2, reason, "{query}: {refusal:?}");
    }
}

#[test]
fn the_nearer_deadline_wins_and_patience_is_bounded() {
    let deadline = |timeout: Option<u64>, wire: Option<u64>| {
        let request = GetOffersRequest {
            timeout: timeout.map(|seconds| prost_types::Duration { seconds: seconds as i64, nanos: 0 }),
            lines: vec![OfferLine::default()],
            ..Default::default()
        };
        let query = check(request, &ApiConfig::default(), &call(), wire.map(Duration::from_secs)).unwrap();
        query.deadline.since(Mono(1_000_000)).as_secs()
    };
    for (timeout, wire, seconds) in [
        (None, None, 2),
        (None, Some(1), 1),
        (None, Some(10), 2),
        (Some(5), Some(3), 3),
        (Some(5), Some(9), 5),
        (Some(0), None, 0),
        (Some(1000), None, 60),
        (Some(1000), Some(1000), 60),
    ] {
        assert_eq!(deadline(timeout, wire), seconds, "{timeout:?} {wire:?}");
    }
}
