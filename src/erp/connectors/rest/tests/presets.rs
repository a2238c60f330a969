//! Presets are checked when they are loaded, and those we ship are right.

use super::*;

fn problem(preset: &str) -> String {
    match RestConfig::from_toml(preset).and_then(RestConnector::new) {
        Ok(_) => panic!("accepted: {preset}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_wrong_with_a_preset_is_said_with_its_key() {
    let changed = |from: &str, to: &str| {
        assert!(PLAIN.contains(from), "{from}");
        problem(&PLAIN.replace(from, to))
    };
    for (what, key) in [
        (changed("$.sku", "$."), "prices.row.sku: "),
        (changed("$.lines", "lines"), "prices.rows: "),
        (changed("{{ skus }}", "{{ skus"), "prices.request.body: "),
        (changed("{{ skus }}", "{{ lookup.units.x }}"), "prices.request: there is no lookup \"units\""),
        (changed("/prices", "prices"), "prices.request.path: "),
        (changed("http://erp.invalid", "erp.invalid"), "url: "),
        (changed("net_price", "nett_price"), "prices.row.nett_price: unknown field"),
        (changed("\"$.sku\"", "7"), "prices.row.sku: "),
        (changed("kind = \"rest\"", "kind = \"soap\""), "kind: "),
        (problem("kind = \"rest\"\nurl = \"http://a\""), "prices: "),
        (problem(&format!("{PLAIN}\n[vars]\nrate = 0.5")), "vars.rate: "),
        (problem(&format!("{PLAIN}\n[http]\nanswer_max = \"16\"")), "http.answer_max: "),
        (problem(&format!("{PLAIN}\n[http]\nconnect_timeout = \"soon\"")), "http.connect_timeout: "),
        (problem(&format!("{PLAIN}\n[secrets]\nkey_file = \"/does/not/exist\"")), "secrets.key_file: "),
        (problem(&format!("{PLAIN}\n[public]\nfrom = \"customers\"")), "public.from: "),
        (problem(&format!("{PLAIN}\n[headers]\n\"a b\" = \"c\"")), "headers.a b: "),
    ] {
        assert!(what.starts_with(key), "{what:?} does not name {key:?}");
    }
    let in_circles =
        "[lookups.a]\nrequest = { path = \"/{{ lookup.b.x }}\" }\nrows = \"$\"\nkey = \"$.k\"\nvalue = \"$.v\"\n";
    let both = format!(
        "{PLAIN}\n{in_circles}{}",
        in_circles.replace("lookup.b", "lookup.a").replace("lookups.a", "lookups.b")
    );
    assert!(problem(&both).contains("needs itself"));
}

#[test]
fn a_site_replaces_address_values_and_secrets() {
    let site: RestSite =
        toml::from_str("url = \"http://erp.example\"\nvars = { a = 1 }\nsecrets = { key = \"k\" }").unwrap();
    let preset = format!("{PLAIN}\n[vars]\na = 2\nb = 3\n[secrets]\nkey_file = \"/does/not/exist\"");
    let config = RestConfig::from_toml(&preset).unwrap().with(site);
    assert_eq!(config.url, "http://erp.example");
    assert_eq!(config.vars.values().map(toml::Value::as_integer).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert!(RestConnector::new(config).is_ok());
}

#[test]
fn the_presets_we_ship_compile() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/erp");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.lines().take(10).any(|line| line.starts_with("# Verified against: ")), "{}", path.display());
            if let Err(error) = RestConfig::from_toml(&text).and_then(RestConnector::new) {
                panic!("{}: {error}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[tokio::test]
async fn the_simulated_erp_is_understood() {
    let offers = json!({"currency": "EUR", "lines": [
        {"sku": "SKU-2", "status": "UNKNOWN"},
        {"sku": "SKU-1", "status": "OK", "listPrice": "26.00", "netPrice": "23.40", "baseQuantity": "100",
         "baseUnit": "EA", "salesUnit": "EA", "units": [{"unit": "BOX", "factor": "12"}], "taxBasis": "NET",
         "taxRate": "0.20", "breaks": [{"minQuantity": "1", "netPrice": "23.40"}], "validFrom": null,
         "validUntil": null, "minOrderQuantity": "12", "orderMultiple": 12, "backorderAllowed": true,
         "leadTimeDays": 5, "priceList": null, "stock": {"tracked": true,
            "locations": [{"location": "PARIS", "onHand": "500", "reserved": "80"}],
            "incoming": [{"location": "PARIS", "quantity": "1000", "expectedOn": "2026-12-01"}]}},
        {"sku": "SKU-3", "status": "OK", "netPrice": null,
         "stock": {"tracked": false, "locations": [], "incoming": []}},
        {"sku": "SKU-4", "status": "BROKEN"}]});
    let erp = Erp::start(move |asked| {
        Told::json(match asked.line.as_str() {
            "POST /api/offers" => offers.clone(),
            "POST /api/customers" => json!({"customers": [
                {"customer": "C-1", "found": true, "currency": "EUR", "priceList": "L-03", "blocked": false},
                {"customer": "C-2", "found": false}]}),
            _ => json!({"error": "no such thing"}),
        })
    })
    .await;
    let connector = erp.connect(include_str!("../../../../../examples/erp/simulated.toml"));
    let lines = ["SKU-1", "SKU-2", "SKU-3", "SKU-4"].map(|sku| line(sku, None, None)).into();
    let reply = connector.call(&Call::Offers(header(None, CustomerFacts::default()), lines)).await.unwrap();
    assert_eq!(
        erp.asked()[0].json(),
        json!({"customer": null, "currency": "EUR", "priceDate": "2026-11-22", "lines": [
            {"sku": "SKU-1", "unit": null, "quantity": null}, {"sku": "SKU-2", "unit": null, "quantity": null},
            {"sku": "SKU-3", "unit": null, "quantity": null}, {"sku": "SKU-4", "unit": null, "quantity": null}]})
    );
    assert_eq!(said(&reply, 0), "unknown");
    assert_eq!(said(&reply, 2), "on request: no_price");
    assert!(said(&reply, 3).starts_with("failed: "));
    let Said::Told(told) = &reply.prices[1].said else { panic!("{:?}", reply.prices[1].said) };
    assert_eq!((told.net_price.to_string(), told.base_quantity.to_string()), ("23.40".into(), "100".into()));
    assert_eq!(reply.stock[0].said, Said::UnknownSku);
    let Said::Told(Stock::Levels { locations, incoming, .. }) = &reply.stock[1].said else { panic!() };
    assert_eq!((locations[0].available.to_string(), incoming.len()), ("420".to_owned(), 1));
    assert_eq!(reply.stock[2].said, Said::Told(Stock::Untracked));
    let asked = ["C-1", "C-2"].map(|id| Some(CustomerId::new(id).unwrap())).into();
    let reply = connector.call(&Call::Customers(asked)).await.unwrap();
    assert_eq!(reply.customers[0].1.as_ref().unwrap().price_list.as_ref().unwrap().as_str(), "L-03");
    assert_eq!(reply.customers[1].1, None);
}

/// Customers on a list share its prices, by a question of its own.
const BY_LIST: &str = r#"
    kind = "rest"
    url = "http://erp.invalid"
    [capabilities]
    shares_by_list = "question"
    [customers]
    rows = "$.customers"
    row = { customer = "$.id", price_list = "$.list", own_prices = "$.special" }
    [customers.request]
    path = "/customers"
    body = '{"ids": {{ customers }}}'
    [prices]
    rows = "$.lines"
    row = { sku = "$.sku", net_price = "$.price", price_list = "$.list", own_price = "$.special" }
    [prices.request]
    path = "/prices"
    body = '{"customer": {{ customer }}, "skus": {{ skus }}}'
    [prices.list_request]
    path = "/prices"
    body = '{"list": {{ price_list }}, "skus": {{ skus }}}'
"#;

#[test]
fn a_question_for_a_list_can_read_nobody() {
    assert!(RestConfig::from_toml(BY_LIST).and_then(RestConnector::new).is_ok());
    let list = "\"list\": {{ price_list }}";
    for somebody in [
        "\"list\": {{ customer }}",
        "\"list\": {% if skus | length > 99 %}{{ customer }}{% else %}1{% endif %}",
        " {% set who = customer %}\"list\": {{ who }}",
        "\"list\": {{ facts.price_list }}",
        "\"list\": {{ facts[\"attributes\"] }}",
        "\"list\": {{ ship_to }}",
        "\"list\": {{ contract }}",
    ] {
        let what = problem(&BY_LIST.replace(list, somebody));
        assert!(what.starts_with("prices.list_request: reads `"), "{somebody}: {what}");
    }
    let without = |from: &str| {
        assert!(BY_LIST.contains(from), "{from}");
        problem(&BY_LIST.replace(from, ""))
    };
    for (what, key) in [
        (without(", own_prices = \"$.special\""), "customers.row.own_prices: "),
        (
            problem(&BY_LIST.replace(", price_list = \"$.list\", own_prices", ", own_prices")),
            "customers.row.price_list: ",
        ),
        (without("shares_by_list = \"question\""), "prices.list_request: "),
        (
            problem(&BY_LIST.replace(
                "[prices.list_request]",
                "[prices.absent]\nrows = \"$\"\nsku = \"$\"\n[prices.absent.request]",
            )),
            "prices.list_request: ",
        ),
        (problem(&BY_LIST.replace("\"question\"", "\"answer\"")), "prices.list_request: "),
    ] {
        assert!(what.starts_with(key), "{what:?} does not name {key:?}");
    }
}

#[tokio::test]
async fn a_list_is_asked_for_without_a_customer() {
    let erp = Erp::start(|asked| {
        let own = asked.body.contains("customer");
        Told::json(json!({"lines": [
            {"sku": "A", "price": "1.00", "list": "L-1", "special": own}, {"sku": "B", "price": "2.00"}]}))
    })
    .await;
    let connector = erp.connect(BY_LIST);
    let facts =
        CustomerFacts { price_list: Some(crate::domain::PriceListId::new("L-1").unwrap()), ..Default::default() };
    let by_name = header(Some("C-1"), facts.clone());
    let by_list = Header { for_list: facts.price_list.clone(), customer: None, ..Header::clone(&by_name) };
    let lines = || vec![line("A", None, None), line("B", None, None)];
    let scopes = |reply: Reply| {
        let scope = |row: PriceRow| match row.said {
            Said::Told(line) => line.scope,
            other => panic!("{other:?}"),
        };
        reply.prices.into_iter().map(scope).collect::<Vec<_>>()
    };
    let list = facts.price_list.map(crate::domain::ToldScope::PriceList);
    let reply = connector.call(&Call::Prices(Arc::new(by_list), lines())).await.unwrap();
    assert_eq!(scopes(reply), [list, None]);
    let reply = connector.call(&Call::Prices(by_name, lines())).await.unwrap();
    assert_eq!(scopes(reply), [Some(crate::domain::ToldScope::Own), None]);
    assert_eq!(erp.asked()[0].json(), json!({"list": "L-1", "skus": ["A", "B"]}));
    assert_eq!(erp.asked()[1].json(), json!({"customer": "C-1", "skus": ["A", "B"]}));
}
