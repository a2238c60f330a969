//! What is made of good, odd and damaged answers.

use super::*;

async fn ask_plain(told: Told) -> Result<Reply, ErpError> {
    let erp = Erp::start(move |_| told.clone()).await;
    erp.connect(PLAIN).call(&prices(&["A", "B"])).await
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn figures_arrive_to_the_digit() {
    let body = r#"{"lines": [
        {"sku": "A", "price": 0.30}, {"sku": "B", "price": "35.8100"}, {"sku": "C", "price": 1e2},
        {"sku": "D", "price": 9007199254740993.1}, {"sku": "E", "price": 123456789012345678.123456789},
        {"sku": "F", "price": 12.345, "per": 100.0}, {"sku": "G", "price": 0.30000000000000004},
        {"sku": "H", "price": 1e400}, {"sku": "I", "price": "12,50"}, {"sku": "J", "price": {"decimal": "1"}},
        {"sku": "K", "price": -1}]}"#;
    let reply = ask_plain(Told::text(200, body)).await.unwrap();
    let told: Vec<String> = shorts(&reply).into_iter().map(|(_, said)| said).collect();
    assert_eq!(told[..6], ["0.30", "35.8100", "100", "9007199254740993.1", "123456789012345678.123456789", "12.345"]);
    assert!(told[6..].iter().all(|said| said.starts_with("failed: ")), "{told:?}");
    assert!(told[6].contains("more than 9 decimals"), "{told:?}");
    let Said::Told(line) = &reply.prices[5].said else { panic!() };
    assert_eq!(line.base_quantity.to_string(), "100");
}

#[tokio::test]
async fn no_price_is_never_zero_and_zero_is_what_the_preset_says() {
    let body = json!({"lines": [{"sku": "A", "price": null}, {"sku": "B"}, {"sku": "C", "price": ""},
        {"sku": "D", "price": "0.00"}]});
    let erp = Erp::start(move |_| Told::json(body.clone())).await;
    let all = |reply: &Reply| shorts(reply).into_iter().map(|(_, said)| said).collect::<Vec<_>>();
    let reply = erp.connect(PLAIN).call(&prices(&["A"])).await.unwrap();
    assert_eq!(all(&reply), ["on request: no_price", "on request: no_price", "on request: no_price", "0.00"]);
    let strict = format!("{PLAIN}\n[capabilities]\nzero_price = \"on_request\"");
    let reply = erp.connect(&strict).call(&prices(&["A"])).await.unwrap();
    assert_eq!(said(&reply, 3), "on request: zero_price");
}

#[tokio::test]
async fn damaged_answers_are_errors_of_the_call() {
    let whole = r#"{"lines": [{"sku": "A", "price": "1"}]}"#;
    for (what, told) in [
        ("HTML", Told::text(200, "<!doctype html><h1>Maintenance</h1>")),
        ("empty", Told::text(200, "")),
        ("cut JSON", Told::text(200, &whole[..20])),
        ("cut short", Told { announced: Some(500), ..Told::text(200, whole) }),
        ("nested too deep", Told::text(200, "[".repeat(100_000))),
        ("not UTF-8", Told::text(200, b"{\"lines\": [\"\xe9\"]}".to_vec())),
        ("no list", Told::json(json!({"error": null}))),
        ("null list", Told::json(json!({"lines": null}))),
        ("text for a list", Told::json(json!({"lines": "none"}))),
        ("too large", Told::text(200, vec![b' '; (16 << 20) + 1])),
        ("too large, announced", Told { announced: Some(100 << 20), ..Told::text(200, whole) }),
        ("too large unpacked", Told::text(200, gzip(&" ".repeat(17 << 20)))),
    ] {
        let error = ask_plain(told).await.unwrap_err();
        assert!(matches!(error, ErpError::Garbled(_)), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn damaged_rows_are_errors_of_their_line() {
    let body = json!({"lines": [
        {"price": "1"}, null, [], "text", {"sku": {"a": 1}, "price": "1"}, {"sku": "", "price": "1"},
        {"sku": "A", "price": "1", "per": 0}, {"sku": "B", "price": "1", "currency": "euro"}, {"sku": 7, "price": [1]},
        {"sku": "C", "price": "3"}]});
    let reply = ask_plain(Told::json(body)).await.unwrap();
    assert_eq!(reply.unreadable, 6);
    let told = shorts(&reply);
    assert!(told[..3].iter().all(|(_, said)| said.starts_with("failed: ")), "{told:?}");
    assert_eq!(told[3], ("C".to_owned(), "3".to_owned()));
}

#[tokio::test]
async fn gzip_is_what_begins_like_gzip() {
    let body = r#"{"lines": [{"sku": "A", "price": "1.50"}]}"#;
    for (headers, sent) in [
        ("Content-Encoding: gzip\r\n", body.as_bytes().to_vec()),
        ("Content-Encoding: gzip\r\n", gzip(body)),
        ("", gzip(body)),
    ] {
        let reply = ask_plain(Told { headers, ..Told::text(200, sent) }).await.unwrap();
        assert_eq!(said(&reply, 0), "1.50");
    }
}

#[tokio::test]
async fn the_status_speaks_unless_a_rule_does() {
    for (status, reason) in
        [(503, "erp_busy"), (429, "erp_busy"), (502, "erp_unreachable"), (500, "erp_error"), (302, "erp_error")]
    {
        let error = ask_plain(Told::text(status, "{}")).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{status}");
    }
    let rules = format!("{PLAIN}\n[[errors]]\nkind = \"busy\"\nat = \"$.error\"\ncontains = [\"locked\"]");
    let erp = Erp::start(|_| Told::json(json!({"error": "the article is locked"}))).await;
    let error = erp.connect(&rules).call(&prices(&["A"])).await.unwrap_err();
    assert!(matches!(error, ErpError::Busy(_)), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let site = RestSite { url: Some(url), ..RestSite::default() };
    let connector = RestConnector::new(RestConfig::from_toml(PLAIN).unwrap().with(site)).unwrap();
    let error = connector.call(&prices(&["A"])).await.unwrap_err();
    assert!(matches!(error, ErpError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn hostile_skus_arrive_as_they_are() {
    let erp = Erp::start(|asked| {
        let lines: Vec<Json> =
            asked.json()["skus"].as_array().unwrap().iter().map(|sku| json!({"sku": sku, "price": "1"})).collect();
        Told::json(json!({ "lines": lines }))
    })
    .await;
    let skus = ["A\"B", "back\\slash", "\"],\"x\":[\"", "é☃\u{1F600}", "{{ secret }}", "A/../B?c=d"];
    let reply = erp.connect(PLAIN).call(&prices(&skus)).await.unwrap();
    assert_eq!(shorts(&reply).into_iter().map(|(sku, _)| sku).collect::<Vec<_>>(), skus);
    assert_eq!(erp.asked()[0].header("accept-encoding"), Some("gzip"));
    // In a path likewise: one segment, whatever it holds.
    let by_path =
        PLAIN.replace("path = \"/prices\"", "path = \"/items/{{ skus[0] }}/price\"\nquery = { c = \"{{ skus[0] }}\" }");
    erp.connect(&by_path).call(&prices(&["A/../B?c=d e"])).await.unwrap();
    assert_eq!(erp.asked()[1].line, "POST /items/A%2F..%2FB%3Fc%3Dd%20e/price?c=A%2F..%2FB%3Fc%3Dd+e");
    let error = erp.connect(&by_path).call(&prices(&[".."])).await.unwrap_err();
    assert!(matches!(error, ErpError::Unprepared(_)), "{error:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_written_is_not_sent() {
    let erp = Erp::start(|_| Told::json(json!({"lines": []}))).await;
    for body in
        ["{\"skus\": {{ skuss }}}", "{\"skus\": {{ skus }}", "{\"n\": {{ skus[0] | number }}}", "{{ quantity }}"]
    {
        let preset = PLAIN.replace("{\"skus\": {{ skus }}}", body);
        let error = erp.connect(&preset).call(&prices(&["A"])).await.unwrap_err();
        assert!(matches!(error, ErpError::Unprepared(_)), "{body}: {error:?}");
    }
    assert!(erp.asked().is_empty());
}

#[tokio::test]
async fn pages_are_followed_to_the_last_and_no_further_than_allowed() {
    let erp = Erp::start(|asked| {
        let page = asked.json()["page"].clone();
        let sku = format!("S{}", asked.json()["offset"]);
        let next = if page == json!(null) {
            json!("p2")
        } else if page == json!("p2") {
            json!("p3")
        } else {
            json!(null)
        };
        Told::json(json!({"lines": [{"sku": sku, "price": "1"}], "next": next}))
    })
    .await;
    let paged = |pages: &str| {
        PLAIN.replace(
            "{\"skus\": {{ skus }}}'",
            &format!("{{\"page\": {{{{ page.next }}}}, \"offset\": {{{{ page.offset }}}}}}'\n{pages}"),
        )
    };
    let reply = erp.connect(&paged("pages = { next = \"$.next\" }")).call(&prices(&["S0"])).await.unwrap();
    assert_eq!(shorts(&reply).len(), 3);
    assert_eq!(reply.prices[2].sku, "S2");
    let error = erp.connect(&paged("pages = { next = \"$.next\", max = 2 }")).call(&prices(&["S0"])).await.unwrap_err();
    assert!(matches!(error, ErpError::Garbled(_)));
    // By size: a page that is not full is the last.
    let before = erp.asked().len();
    erp.connect(&paged("pages = { size = 2 }")).call(&prices(&["S0"])).await.unwrap();
    assert_eq!(erp.asked().len(), before + 1);
}

#[tokio::test]
async fn breaks_units_and_terms_of_one_row() {
    let preset = r#"
        kind = "rest"
        url = "http://erp.invalid"
        [numbers]
        decimal_comma = true
        price_decimals = 4
        [prices]
        rows = "$"
        [prices.request]
        path = "/p"
        [prices.row]
        sku = "$.no"
        net_price = ["$.special", "$.price"]
        price_unit = "$.per"
        base_unit = "$.base"
        sales_unit = "$.sold"
        tax_basis = { at = "$.tax", map = { I = "GROSS", E = "NET" } }
        valid_before = "$.until"
        lead_time_days = "$.days"
        backorder_allowed = "$.back"
        units = { rows = "$.units", unit = "$.u", factor = { at = "$.n", divide_by = "$.d" } }
        breaks = { rows = "$.steps", min_quantity = "$.from", net_price = "$.price" }
        components = { rows = "$.parts", kind = "$.k", label = "$.l", amount = "$.a", not_included = "$.extra" }
    "#;
    let row = json!({"no": "A", "special": null, "price": "12,34565", "per": "BOX", "base": "EA", "sold": "BOX",
        "tax": "E", "until": "2026-12-01T00:00:00", "days": 5, "back": 1,
        "units": [{"u": "BOX", "n": 12.0, "d": 1}, {"u": "THIRD", "n": 1, "d": 3}, {"u": "EA", "n": 1, "d": 1}],
        "steps": [{"from": 120, "price": "11"}, {"from": "24,0", "price": "12"}, {"from": 24, "price": "12,0"}],
        "parts": [{"k": "fee", "l": "Eco", "a": "0,10", "extra": true}]});
    let with = |key: &str, value: Json| {
        let mut row = row.clone();
        row[key] = value;
        row
    };
    let rows = vec![
        row.clone(),
        with("tax", json!("?")),
        with("per", json!("THIRD")),
        with("steps", json!([{"from": 1, "price": "1"}, {"from": 1, "price": "2"}])),
        with("steps", json!([{"from": 1, "price": null}])),
        with("sold", json!("CRATE")),
    ];
    let erp = Erp::start(move |_| Told::json(json!(rows))).await;
    let reply = erp.connect(preset).call(&prices(&["A"])).await.unwrap();
    let Said::Told(line) = &reply.prices[0].said else { panic!("{:?}", reply.prices[0].said) };
    assert_eq!(line.net_price.to_string(), "12.3457");
    assert_eq!(line.base_quantity.to_string(), "12");
    assert_eq!(line.units.iter().map(|(unit, factor)| format!("{unit}={factor}")).collect::<Vec<_>>(), ["BOX=12"]);
    assert_eq!(
        line.breaks.iter().map(|b| format!("{}:{}", b.min_quantity, b.net_price)).collect::<Vec<_>>(),
        ["24:12", "120:11"]
    );
    assert_eq!(line.valid_until, Some("2026-11-30".parse().unwrap()));
    assert_eq!(line.terms.lead_time_days, Some(5));
    assert_eq!(line.terms.backorder_allowed, Some(true));
    assert!(!line.components[0].included && line.components[0].label == "Eco");
    for index in 1..6 {
        assert!(said(&reply, index).starts_with("failed: "), "{index}: {}", said(&reply, index));
    }
}
