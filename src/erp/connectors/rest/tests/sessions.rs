//! Every way of proving who we are, lookups, customers, and stock that is asked location by location.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const ONE_PRICE: &str = r#"{"lines": [{"sku": "A", "price": "1"}]}"#;

#[tokio::test]
async fn static_credentials_stand_in_their_header() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-a-file\n").unwrap();
    let erp = Erp::start(|_| Told::text(200, ONE_PRICE)).await;
    for (auth, header, want) in [
        ("kind = \"none\"", "authorization", None),
        (
            "kind = \"basic\"\nuser = \"u\"\npassword = \"{{ secret.key }}\"",
            "authorization",
            Some("Basic dTpmcm9tLWEtZmlsZQ=="),
        ),
        ("kind = \"bearer\"\ntoken = \"{{ secret.key }}\"", "authorization", Some("Bearer from-a-file")),
        ("kind = \"header\"\nname = \"X-Key\"\nvalue = \"k {{ secret.key }}\"", "x-key", Some("k from-a-file")),
    ] {
        let preset = format!("{PLAIN}\n[secrets]\nkey_file = {:?}\n[auth]\n{auth}", file.path());
        let connector = erp.connect(&preset);
        connector.call(&prices(&["A"])).await.unwrap();
        assert_eq!(erp.asked().last().unwrap().header(header), want, "{auth}");
        assert!(!format!("{connector:?}").contains("from-a-file"));
    }
}

const SESSION: &str = r#"
    [secrets]
    password = "pw"
    [auth]
    kind = "session"
    login = { path = "/login", body = '{"password": {{ secret.password }}}' }
    capture = { token = "$.token" }
    headers = { Authorization = "Session {{ session.token }}" }
"#;

/// Hands out tokens 1, 2, 3 and accepts only the newest from `valid_from` on.
async fn erp_with_sessions(valid_from: usize, login_status: u16) -> Erp {
    let logins = AtomicUsize::new(0);
    Erp::start(move |asked| {
        if asked.line.ends_with("/login") {
            assert_eq!(asked.json()["password"], "pw");
            let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return Told::text(login_status, json!({ "token": number }).to_string());
        }
        let token: usize = asked.header("authorization").unwrap().trim_start_matches("Session ").parse().unwrap();
        if token >= valid_from { Told::text(200, ONE_PRICE) } else { Told::text(401, "") }
    })
    .await
}

#[tokio::test]
async fn concurrent_calls_share_one_login_and_one_renewal() {
    let erp = erp_with_sessions(2, 200).await;
    let connector = erp.connect(&format!("{PLAIN}{SESSION}"));
    let call = prices(&["A"]);
    let answers = futures_util::future::join_all((0..20).map(|_| connector.call(&call))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(erp.count("/login"), 2);
    connector.call(&call).await.unwrap();
    assert_eq!(erp.count("/login"), 2);
}

#[tokio::test]
async fn a_session_that_stays_refused_is_given_up_after_one_renewal() {
    let erp = erp_with_sessions(usize::MAX, 200).await;
    let error = erp.connect(&format!("{PLAIN}{SESSION}")).call(&prices(&["A"])).await.unwrap_err();
    assert!(matches!(error, ErpError::Refused(_)), "{error:?}");
    assert_eq!((erp.count("/login"), erp.count("/prices")), (2, 2));
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_at_once() {
    let erp = erp_with_sessions(0, 401).await;
    let connector = erp.connect(&format!("{PLAIN}{SESSION}"));
    for _ in 0..5 {
        assert!(matches!(connector.call(&prices(&["A"])).await, Err(ErpError::Refused(_))));
    }
    assert_eq!((erp.count("/login"), erp.count("/prices")), (1, 0));
}

#[tokio::test]
async fn a_session_may_end_by_age_or_by_what_the_body_says() {
    let erp = erp_with_sessions(0, 200).await;
    let connector = erp.connect(&format!("{PLAIN}{SESSION}\nmax_age = \"0s\""));
    connector.call(&prices(&["A"])).await.unwrap();
    connector.call(&prices(&["A"])).await.unwrap();
    assert_eq!(erp.count("/login"), 2);

    let logins = AtomicUsize::new(0);
    let erp = Erp::start(move |asked| match asked.line.ends_with("/login") {
        true => Told::json(json!({"token": logins.fetch_add(1, Ordering::SeqCst)})),
        false if asked.header("authorization") == Some("Session 0") => Told::json(json!({"code": 40})),
        false => Told::text(200, ONE_PRICE),
    })
    .await;
    let rule = "[[errors]]\nkind = \"expired\"\nat = \"$.code\"\nis = [\"40\"]\n";
    let connector = erp.connect(&format!("{PLAIN}{rule}{SESSION}"));
    assert_eq!(said(&connector.call(&prices(&["A"])).await.unwrap(), 0), "1");
}

/// Warehouses by lookup, one request each; the unit and the quantity shared by a call.
const BY_LOCATION: &str = r#"
    kind = "rest"
    url = "http://erp.invalid"
    [capabilities]
    matters = ["unit"]
    by_facts = true
    absent_line = "unknown_sku"
    [lookups.places]
    request = { path = "/places" }
    rows = "$"
    key = "$.code"
    value = "$.id"
    [stock]
    rows = "$"
    per_location = { lookup = "places" }
    request = { path = "/stock/{{ lookup.places[location] }}", body = '[{{ skus }}, {{ today.iso }}]' }
    row = { sku = "$.sku", base_unit = "$.unit", locations = { on_hand = "$.there", reserved = "$.taken" } }
    [prices]
    rows = "$"
    batch = { max_items = 50, one_quantity = true, one_unit = true }
    row = { sku = "$.sku", unit = { asked = "unit" }, quantity = { asked = "quantity" }, net_price = "$.price" }
    [prices.request]
    path = "/prices"
    body = '''{"list": {{ facts.price_list | number }}, "quantity": {{ quantity | number }}, "unit": {{ unit }},
        "area": {{ facts.attributes.area }},
        "on": [{{ price_date.year }}, {{ price_date.month }}, {{ price_date.day }}]}'''
    [prices.absent]
    rows = "$"
    sku = "$.sku"
    request = { path = "/why", body = '{{ skus }}' }
    outcome = { not_for_sale = { at = "$.sold", is = ["false"] } }
    [customers]
    request = { path = "/customers", body = '{{ customers }}' }
    rows = "$"
    absent_is_unknown = true
    [customers.row]
    customer = "$.code"
    blocked = "$.blocked"
    currency = { at = "$.money", map = { E = "EUR" } }
    price_list = ["$.list", { default = "{{ lookup.places.N }}" }]
    attributes = { area = "$.area" }
    [public]
    from = "facts"
    currency = "EUR"
    price_list = "1"
"#;

async fn erp_by_location() -> Erp {
    Erp::start(|asked| {
        Told::json(match asked.line.as_str() {
            "GET /places" => {
                json!([{"code": "N", "id": 5}, {"code": "S", "id": 12}, {"code": "X", "id": 1}, {"code": "X", "id": 2}])
            }
            "POST /stock/5" => {
                json!([{"sku": "A", "unit": "u", "there": 7.0, "taken": 2}, {"sku": "B", "unit": "u", "there": 1}])
            }
            "POST /stock/12" => {
                json!([{"sku": "B", "unit": "u", "there": "oops"}, {"sku": "A", "unit": "u", "there": 0.5}])
            }
            "POST /prices" => json!([{"sku": "A", "price": 3}]),
            "POST /why" => json!([{"sku": "B", "sold": false}, {"sku": "C", "sold": true}]),
            "POST /customers" => json!([
                {"code": "C1", "money": "E", "list": 4, "area": "FR", "blocked": true},
                {"code": "C2", "money": "E"},
                {"code": "C3", "money": "?"},
                {"code": "C4", "list": 1}, {"code": "C4", "list": 2},
                {"code": "stranger"}]),
            other => panic!("{other}"),
        })
    })
    .await
}

#[tokio::test]
async fn stock_of_all_locations_is_one_row_each_and_the_lookup_is_asked_once() {
    let erp = erp_by_location().await;
    let connector = erp.connect(BY_LOCATION);
    let call =
        Call::Stock(header(None, CustomerFacts::default()), vec![Sku::new("A").unwrap(), Sku::new("B").unwrap()]);
    for _ in 0..2 {
        let reply = connector.call(&call).await.unwrap();
        assert_eq!(reply.stock.len(), 2);
        let Said::Told(Stock::Levels { locations, base_unit, .. }) = &reply.stock[0].said else { panic!() };
        assert_eq!(base_unit.as_ref().unwrap().as_str(), "u");
        let levels: Vec<String> =
            locations.iter().map(|level| format!("{}={}", level.location, level.available)).collect();
        assert_eq!(levels, ["N=5", "S=0.5"]);
        assert!(matches!(&reply.stock[1].said, Said::Failed(why) if why.contains("oops")));
    }
    assert_eq!((erp.count("/places"), erp.count("/stock/")), (1, 4));
    let there = jiff::tz::TimeZone::get("Pacific/Kiritimati").unwrap();
    let today = jiff::Timestamp::now().to_zoned(there).date();
    let asked = erp.asked().last().unwrap().json()[1].as_str().unwrap().parse().unwrap();
    assert!(today == asked || today.yesterday().unwrap() == asked);
    assert_eq!(connector.read_lookups().await, [("places".to_owned(), Ok(2))]);
}

#[tokio::test]
async fn a_call_by_quantity_says_what_its_lines_share() {
    let erp = erp_by_location().await;
    let connector = erp.connect(BY_LOCATION);
    let facts = CustomerFacts {
        price_list: Some(crate::domain::PriceListId::new("4").unwrap()),
        attributes: [("area".to_owned(), "FR".to_owned())].into(),
        ..CustomerFacts::default()
    };
    let lines = |quantities: [&str; 3]| {
        ["A", "B", "C"]
            .into_iter()
            .zip(quantities)
            .map(|(sku, quantity)| line(sku, Some("bo\"x"), Some(quantity)))
            .collect()
    };
    let reply = connector.call(&Call::Prices(header(Some("C1"), facts.clone()), lines(["2.50"; 3]))).await.unwrap();
    let asked = erp.asked().into_iter().find(|asked| asked.line.ends_with("/prices")).unwrap();
    assert!(asked.body.contains("\"quantity\": 2.50,"), "{}", asked.body);
    assert_eq!(asked.json()["unit"], "bo\"x");
    assert_eq!((&asked.json()["on"], &asked.json()["area"]), (&json!([2026, 11, 22]), &json!("FR")));
    assert_eq!(reply.prices[0].quantity, Some("2.5".parse().unwrap()));
    assert_eq!(reply.prices[0].unit.as_deref(), Some("bo\"x"));
    // B is explained, C stays absent.
    assert_eq!(shorts(&reply), [("A".into(), "3".into()), ("B".into(), "not for sale".to_owned())]);
    let error = connector.call(&Call::Prices(header(None, facts), lines(["1", "2", "1"]))).await.unwrap_err();
    assert!(matches!(error, ErpError::Unprepared(_)));
}

#[tokio::test]
async fn customers_are_told_unknown_or_an_error_of_their_own() {
    let erp = erp_by_location().await;
    let connector = erp.connect(BY_LOCATION);
    let asked: Vec<Option<CustomerId>> = [None, Some("C1"), Some("C2"), Some("C3"), Some("C4"), Some("C5")]
        .map(|one| one.map(|id| CustomerId::new(id).unwrap()))
        .into();
    let reply = connector.call(&Call::Customers(asked)).await.unwrap();
    let told = |id: Option<&str>| reply.customers.iter().find(|(one, _)| one.as_ref().map(CustomerId::as_str) == id);
    let facts = |id| told(id).unwrap().1.clone().unwrap();
    assert_eq!(facts(None).price_list.unwrap().as_str(), "1");
    let first = facts(Some("C1"));
    assert!(first.blocked && first.attributes["area"] == "FR" && first.price_list.unwrap().as_str() == "4");
    assert_eq!(facts(Some("C2")).price_list.unwrap().as_str(), "5");
    assert!(told(Some("C3")).is_none() && told(Some("C4")).is_none());
    assert_eq!(told(Some("C5")).unwrap().1, None);
    assert_eq!(reply.customers.len(), 4);
}
