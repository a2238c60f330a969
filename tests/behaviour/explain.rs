//! Why an offer says what it says: what is explained is what happened, and nothing of anybody else.

use std::time::Duration;

use comptoir::domain::{CustomerId, LocationId, Purpose, Sku};
use comptoir::erp::SharesByList;
use comptoir::erp::connectors::simulated::{Behaviour, CatalogueConfig, Faults, Only, SimulatedOptions};
use comptoir::erp::dispatch::{Budget, Maintenance};
use comptoir::offer::{Explanation, Invalidation, LineQuery, LineStatus, Named, OfferQuery, Parts, Step};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::rig::{Rig, net, price_freshness, rig, rig_behaving, rig_of, rig_with, rig_with_data};

const C: &str = "C-00042";
const S: &str = "SKU-000001";

async fn explain(rig: &Rig, query: OfferQuery) -> Explanation {
    rig.service.explain(query).await.unwrap()
}

fn price(rig: &Rig, purpose: Purpose) -> OfferQuery {
    let mut query = rig.query(Some(C), [S]);
    query.purpose = purpose;
    query.parts = Parts { price: true, availability: false };
    query
}

fn steps<'a>(told: &'a Explanation, about: &str) -> Vec<&'a Step> {
    told.steps.iter().filter(|step| step.about == about).collect()
}

/// The first step about this for which `name` is `value`.
fn step<'a>(told: &'a Explanation, about: &str, name: &str, value: &str) -> &'a Step {
    let is_it = |step: &&&Step| step.get(name) == Some(value);
    let found = steps(told, about);
    found.iter().find(is_it).unwrap_or_else(|| panic!("no {about} with {name} = {value}: {:#?}", told.steps))
}

fn says(step: &Step, facts: &[(&str, &str)]) {
    for (name, value) in facts {
        assert_eq!(step.get(name), Some(*value), "{name}: {step:#?}");
    }
}

fn is_told_nowhere(told: &Explanation, secret: &str) {
    let text = format!("{:?}", told.steps);
    assert!(!text.contains(secret), "{secret}: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_hit_says_where_it_is_held_how_old_it_is_and_that_nothing_was_asked() {
    let rig = rig();
    rig.know(C).await;
    rig.one(C, S).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    rig.erp.reset_stats();
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    says(
        step(&told, "policy", "purpose", "DETAIL"),
        &[("max_age", "300s"), ("stock_max_age", "60s"), ("timeout", "2s")],
    );
    let party = step(&told, "party", "outcome", "hit");
    says(party, &[("customer", C), ("fresh", "true"), ("own_prices", "false"), ("decision", "fresh")]);
    let key = steps(&told, "key")[0];
    says(key, &[("scope", "customer"), ("customer", C), ("sku", S), ("currency", "EUR"), ("price_date", "2026-11-22")]);
    let left_out: Vec<&str> = key.get("left_out").unwrap().split(", ").collect();
    assert!(left_out.contains(&"unit") && left_out.contains(&"quantity"), "{left_out:?}");
    says(
        steps(&told, "price")[0],
        &[("place", "own"), ("outcome", "hit"), ("decision", "fresh"), ("age", "30.050s"), ("held_from", "erp")],
    );
    let soft = steps(&told, "price")[0].get("soft_time").unwrap();
    let whole_seconds: u32 = soft.split(['.', 's']).next().unwrap().parse().unwrap();
    assert!((270..=300).contains(&whole_seconds), "{soft}");
    let stamp = step(&told, "stamp", "of", "price");
    says(stamp, &[("all", "0"), ("customer", "0"), ("sku", "0"), ("customer_sku", "0")]);
    assert_eq!(stamp.get("loses_to"), None);
    says(step(&told, "edges", "day_ends_at", "2026-11-22T23:00:00Z"), &[]);
    says(steps(&told, "stock")[0], &[("outcome", "hit")]);
    says(step(&told, "flight", "outcome", "nothing_asked"), &[]);
    says(step(&told, "answer", "status", "OK"), &[("price_source", "MEMORY"), ("stock_source", "MEMORY")]);
    assert_eq!(rig.erp.stats().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_miss_asks_like_any_request_and_says_which_calls_it_took() {
    let rig = rig();
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    assert_eq!(told.answer.lines[0].status, LineStatus::Ok);
    assert_eq!(rig.erp.stats().calls, 2);
    step(&told, "party", "outcome", "miss");
    step(&told, "party", "outcome", "asked");
    says(step(&told, "flight", "of", "party"), &[("outcome", "left"), ("lane", "DETAIL"), ("breaker", "closed")]);
    says(steps(&told, "price")[0], &[("place", "own"), ("outcome", "miss")]);
    says(
        step(&told, "flight", "of", "price"),
        &[("outcome", "left"), ("asked_for", "customer"), ("calls_in_flight", "1")],
    );
    for (operation, start) in [("customers", "2026-11-22T10:00:00Z"), ("offers", "2026-11-22T10:00:00.050Z")] {
        let call = step(&told, "call", "operation", operation);
        says(call, &[("lines", "1"), ("started_at", start), ("took", "0.050s"), ("outcome", "answered")]);
    }
    says(
        step(&told, "answer", "status", "OK"),
        &[("price_source", "ERP"), ("price_observed_at", "2026-11-22T10:00:00.050Z")],
    );
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_a_call_is_in_the_air_is_told_that_it_was_joined() {
    let rig = rig();
    rig.know(C).await;
    let (service, first) = (rig.service.clone(), rig.query(Some(C), [S, "SKU-000002"]));
    let first = tokio::spawn(async move { service.answer(first).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    says(step(&told, "flight", "of", "price"), &[("outcome", "joined_air")]);
    let call = steps(&told, "call")[0];
    says(call, &[("lines", "2"), ("took", "0.050s"), ("outcome", "answered")]);
    first.await.unwrap().unwrap();
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_still_in_the_air_when_the_time_is_up_is_told_as_that() {
    let rig = rig();
    rig.know(C).await;
    rig.faults(Faults { hang: true, ..Faults::default() });
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    says(steps(&told, "call")[0], &[("outcome", "in_the_air"), ("lines", "1")]);
    says(step(&told, "answer", "status", "UNAVAILABLE"), &[("reason", "pending")]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_price_says_so_and_that_it_is_asked_again() {
    let rig = rig();
    explain(&rig, price(&rig, Purpose::Detail)).await;
    tokio::time::sleep(Duration::from_secs(360)).await;
    let told = explain(&rig, price(&rig, Purpose::Detail)).await;
    says(steps(&told, "price")[0], &[("outcome", "stale"), ("decision", "serve_and_refresh"), ("max_age", "300s")]);
    says(step(&told, "flight", "of", "price"), &[("outcome", "left")]);
    says(steps(&told, "answer")[0], &[("price_source", "MEMORY"), ("price_stale", "pending")]);
    // The ERP goes down: what is left is served only because it cannot be asked.
    tokio::time::sleep(Duration::from_secs(700)).await;
    rig.faults(Faults { down: true, ..Faults::default() });
    let told = explain(&rig, price(&rig, Purpose::Detail)).await;
    says(steps(&told, "price")[0], &[("outcome", "stale"), ("decision", "fetch_or_serve")]);
    says(step(&told, "call", "outcome", "failed"), &[("reason", "erp_unreachable")]);
    says(steps(&told, "answer")[0], &[("price_stale", "erp_unreachable")]);
}

#[tokio::test(start_paused = true)]
async fn tightening_is_honoured_and_loosening_clamped_and_both_are_told() {
    let rig = rig();
    explain(&rig, price(&rig, Purpose::Detail)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut tighter = price(&rig, Purpose::Detail);
    tighter.max_age = Some(Duration::from_secs(30));
    let told = explain(&rig, tighter).await;
    let policy = steps(&told, "policy")[0];
    says(policy, &[("asked_max_age", "30s"), ("purpose_max_age", "300s"), ("max_age", "30s")]);
    says(policy, &[("stale_while_revalidate", "0s")]);
    says(steps(&told, "price")[0], &[("outcome", "stale"), ("decision", "fetch_or_serve")]);
    assert_eq!(steps(&told, "price")[0].get("soft_time"), None);
    let mut looser = price(&rig, Purpose::Detail);
    looser.max_age = Some(Duration::from_secs(9000));
    let told = explain(&rig, looser).await;
    let policy = steps(&told, "policy")[0];
    says(policy, &[("asked_max_age", "9000s"), ("max_age", "300s")]);
    assert!(policy.text.contains("clamped"), "{}", policy.text);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_no_says_how_old_it_is_and_how_long_it_lives() {
    let rig = rig();
    rig.one(C, "NO-SUCH").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let told = explain(&rig, rig.query(Some(C), ["NO-SUCH"])).await;
    assert_eq!(told.answer.lines[0].status, LineStatus::UnknownSku);
    says(
        step(&told, "no", "of", "price"),
        &[("kind", "unknown_sku"), ("outcome", "hit"), ("age", "10.050s"), ("lifetime", "60s")],
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    let told = explain(&rig, rig.query(Some(C), ["NO-SUCH"])).await;
    says(step(&told, "no", "of", "price"), &[("outcome", "too_old")]);
    says(step(&told, "flight", "of", "price"), &[("outcome", "left")]);
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_price_says_which_word_it_loses_to() {
    let list = |rig: &Rig| {
        let facts = rig.erp.customer(Some(&CustomerId::new(C).unwrap())).unwrap();
        facts.price_list.expect("the simulated ERP has lists")
    };
    let named = |rig: &Rig, words: &str| Named {
        all: words == "all",
        customers: words.contains("customer").then(|| CustomerId::new(C).unwrap()).into_iter().collect(),
        price_lists: words.contains("price_list").then(|| list(rig)).into_iter().collect(),
        skus: words.contains("sku").then(|| Sku::new(S).unwrap()).into_iter().collect(),
        ..Named::default()
    };
    for word in ["all", "customer", "sku", "customer_sku", "price_list", "price_list_sku"] {
        let rig = rig();
        let old = net(&rig.one(C, S).await).unwrap();
        let other = CustomerId::new(C).unwrap();
        rig.erp.set_price(Some(other), Sku::new(S).unwrap(), Some("1234.5678".parse().unwrap())).unwrap();
        let (named, request_id) = (named(&rig, word), "test".into());
        rig.service.invalidate(Invalidation { named, at: None, settle: None, request_id }).await.unwrap();
        let told = explain(&rig, rig.query(Some(C), [S])).await;
        says(step(&told, "price", "decision", "invalidated"), &[("outcome", "miss")]);
        says(step(&told, "stamp", "of", "price"), &[("row", "0"), ("loses_to", word), (word, "1")]);
        assert_eq!(net(&told.answer.lines[0]).as_deref(), Some("1234.5678"));
        // What was declared wrong is not told as a reason either.
        is_told_nowhere(&told, &old);
    }
}

#[tokio::test(start_paused = true)]
async fn an_announced_change_is_an_edge() {
    let rig = rig_with_data();
    rig.one(C, S).await;
    let at = rig.clock.read().wall.plus(Duration::from_secs(3600));
    let named =
        Named { customers: vec![CustomerId::new(C).unwrap(), CustomerId::new("C-00077").unwrap()], ..Named::default() };
    let announced = Invalidation { named, at: Some(at), settle: None, request_id: "test".into() };
    rig.service.invalidate(announced).await.unwrap();
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    says(steps(&told, "edges")[0], &[("invalidated_at", &at.to_string())]);
    is_told_nowhere(&told, "C-00077");
    let told = explain(&rig, rig.query(Some("C-00099"), [S])).await;
    assert_eq!(steps(&told, "edges")[0].get("invalidated_at"), None, "it concerns others");
}

#[tokio::test(start_paused = true)]
async fn after_midnight_yesterdays_price_is_told_as_that() {
    let rig = rig();
    tokio::time::sleep(Duration::from_secs(12 * 3600 + 59 * 60)).await;
    explain(&rig, price(&rig, Purpose::List)).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let told = explain(&rig, price(&rig, Purpose::List)).await;
    says(step(&told, "key", "price_date", "2026-11-23"), &[]);
    let yesterday = step(&told, "price", "place", "earlier_day");
    says(yesterday, &[("outcome", "stale"), ("decision", "serve_and_refresh")]);
    says(steps(&told, "edges")[0], &[("day_ends_at", "2026-11-23T23:00:00Z")]);
    says(steps(&told, "answer")[0], &[("price_stale", "day_changed")]);
}

#[tokio::test(start_paused = true)]
async fn a_price_shared_by_list_names_the_list_and_nobody_on_it() {
    for shares in [SharesByList::Question, SharesByList::Answer] {
        let catalogue = CatalogueConfig { list_priced: true, ..CatalogueConfig::default() };
        let options = SimulatedOptions { shares_by_list: Some(shares), ..SimulatedOptions::default() };
        let rig = rig_of(catalogue, options, Budget::default());
        let facts =
            |number: usize| rig.erp.customer(Some(&CustomerId::new(&format!("C-{number:05}")).unwrap())).unwrap();
        let alike = |number: &usize| {
            let (one, first) = (facts(*number), facts(1));
            one.price_list == first.price_list && one.currency == first.currency && !one.blocked
        };
        let neighbour = format!("C-{:05}", (2..5000).find(alike).unwrap());
        rig.one("C-00001", S).await;
        rig.know(&neighbour).await;
        let told = explain(&rig, rig.query(Some(&neighbour), [S])).await;
        let list = facts(1).price_list.unwrap();
        says(steps(&told, "key")[0], &[("shared_list", list.as_str()), ("customer", &neighbour)]);
        step(&told, "price", "place", "own");
        says(step(&told, "price", "place", "list"), &[("outcome", "hit")]);
        assert_eq!(rig.erp.stats().calls, 0, "{shares:?}");
        is_told_nowhere(&told, "C-00001");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_prices_of_their_own_is_told_to_take_no_part_in_the_lists() {
    let catalogue = CatalogueConfig { list_priced: true, ..CatalogueConfig::default() };
    let options = SimulatedOptions { shares_by_list: Some(SharesByList::Question), ..SimulatedOptions::default() };
    let rig = rig_of(catalogue, options, Budget::default());
    let first = CustomerId::new("C-00001").unwrap();
    rig.erp.set_price(Some(first), Sku::new(S).unwrap(), Some("7.7777".parse().unwrap())).unwrap();
    let told = explain(&rig, rig.query(Some("C-00001"), [S])).await;
    says(step(&told, "party", "outcome", "asked"), &[("own_prices", "true")]);
    assert_eq!(steps(&told, "key")[0].get("shared_list"), None);
    says(step(&told, "flight", "of", "price"), &[("asked_for", "customer")]);
    assert_eq!(net(&told.answer.lines[0]).as_deref(), Some("7.7777"));
    // Another on the list is asked for by the list.
    let told = explain(&rig, rig.query(Some("C-00002"), [S])).await;
    says(step(&told, "flight", "of", "price"), &[("asked_for", "list")]);
    is_told_nowhere(&told, "C-00001");
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_early_is_told_why_and_by_how_much_stands_in_front() {
    let behaviour = Behaviour { concurrency: 1, ..Behaviour::measured() };
    let budget = Budget { concurrency: 1, ..Budget::default() };
    let rig = rig_behaving(behaviour, SimulatedOptions { max_items: 10, ..SimulatedOptions::default() }, budget);
    for customer in ["C-00001", "C-00002", C] {
        rig.know(customer).await;
    }
    let mut crowd = Vec::new();
    for (customer, from) in [("C-00001", 1000), ("C-00002", 2000)] {
        let mut query = rig.query(Some(customer), (from..from + 300).map(|n| format!("SKU-{n:06}")));
        query.deadline = query.arrival.mono.plus(Duration::from_secs(60));
        let service = rig.service.clone();
        crowd.push(tokio::spawn(async move { service.answer(query).await }));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut query = rig.query(Some(C), [S]);
    query.purpose = Purpose::List;
    query.deadline = query.arrival.mono.plus(Duration::from_millis(20));
    let told = explain(&rig, query).await;
    let flight = step(&told, "flight", "of", "price");
    says(flight, &[("outcome", "refused_early"), ("refusal", "too_late"), ("lane", "LIST"), ("background", "true")]);
    says(flight, &[("calls_in_flight", "1"), ("calls_limit", "1"), ("keys_before", "0")]);
    assert!(flight.get("lines_waiting").unwrap().parse::<usize>().unwrap() > 100, "{flight:?}");
    says(steps(&told, "answer")[0], &[("reason", "refused_early")]);
    for other in ["C-00001", "C-00002"] {
        is_told_nowhere(&told, other);
    }
    crowd.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_and_a_maintenance_window_are_told() {
    let rig = rig_with(SimulatedOptions { offers: false, ..SimulatedOptions::default() }, Budget::default());
    rig.know(C).await;
    rig.faults(Faults { down: true, only: vec![Only::Prices], ..Faults::default() });
    for number in 0..10 {
        rig.ask(rig.query(Some(C), [format!("SKU-{:06}", number + 100)])).await;
    }
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    says(
        step(&told, "flight", "of", "price"),
        &[("outcome", "refused_early"), ("refusal", "breaker_open"), ("breaker", "open")],
    );
    says(step(&told, "flight", "of", "stock"), &[("outcome", "left"), ("breaker", "closed")]);
    says(steps(&told, "answer")[0], &[("price_reason", "erp_breaker_open"), ("stock_source", "ERP")]);

    let paris = TimeZone::get("Europe/Paris").unwrap();
    let maintenance = Maintenance::new(&["Sun 12:00-13:00"], paris).unwrap();
    let rig = rig_with(SimulatedOptions::default(), Budget { maintenance, ..Budget::default() });
    rig.know(C).await;
    tokio::time::sleep(Duration::from_secs(3600 + 60)).await;
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    let flight = step(&told, "flight", "of", "price");
    says(flight, &[("refusal", "maintenance"), ("maintenance", "true"), ("maintenance_until", "2026-11-22T12:00:00Z")]);
}

#[tokio::test(start_paused = true)]
async fn boxes_breaks_and_what_can_be_ordered_are_worked_out_in_words() {
    let rig = rig();
    let mut query = rig.query(Some(C), ["BOLT-8"]);
    query.lines = vec![LineQuery::new("BOLT-8".into(), Some("9".into()), Some("BOX".into()), None)];
    let told = explain(&rig, query).await;
    let units = steps(&told, "units")[0];
    says(
        units,
        &[("quantity", "9"), ("unit", "BOX"), ("unit_factor", "12"), ("base_unit", "EA"), ("base_quantity", "108")],
    );
    says(units, &[("breaks", "2"), ("break_min_quantity", "100"), ("break_net_price", "21.90")]);
    let mut query = rig.query(Some(C), ["BOLT-8"]);
    query.lines = vec![LineQuery::new("BOLT-8".into(), Some("5".into()), None, None)];
    let told = explain(&rig, query).await;
    let units = steps(&told, "units")[0];
    says(
        units,
        &[("base_quantity", "5"), ("order_multiple", "12"), ("order_quantity", "12"), ("break_min_quantity", "1")],
    );
}

#[tokio::test(start_paused = true)]
async fn stock_figures_are_told_by_location_and_less_than_nothing_counts_as_nothing() {
    let rig = rig();
    let paris = LocationId::new("PARIS").unwrap();
    rig.erp.set_on_hand(Sku::new("BOLT-8").unwrap(), paris.clone(), Some("10".parse().unwrap())).unwrap();
    let mut query = rig.query(Some(C), ["BOLT-8"]);
    query.locations = vec![paris];
    let told = explain(&rig, query).await;
    let stock = step(&told, "stock", "PARIS.on_hand", "10");
    says(stock, &[("PARIS.reserved", "80"), ("PARIS.available", "-70"), ("sum", "-70"), ("available", "0")]);
    assert!(stock.text.contains("nothing"), "{}", stock.text);
}

#[tokio::test(start_paused = true)]
async fn what_the_erp_says_about_its_errors_is_not_told() {
    let rig = rig();
    rig.know(C).await;
    rig.faults(Faults { down: true, ..Faults::default() });
    let told = explain(&rig, rig.query(Some(C), [S])).await;
    let call = step(&told, "call", "outcome", "failed");
    let names: Vec<_> = call.facts.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["operation", "lines", "started_at", "outcome", "took", "reason"]);
    assert!(call.text.ends_with("erp_unreachable."), "{}", call.text);
}

/// One question of a random sequence.
#[derive(Clone, Debug)]
struct Question {
    customer: Option<usize>,
    sku: usize,
    quantity: u32,
    boxes: bool,
    purpose: usize,
    max_age: Option<u64>,
    timeout: u64,
    pause: u64,
    down: bool,
    invalidate: bool,
}

fn question() -> impl Strategy<Value = Question> {
    (
        (prop_oneof![1 => Just(None), 4 => (1usize..4).prop_map(Some)], 0usize..6, 1u32..200, any::<bool>()),
        (0usize..Purpose::ALL.len(), prop_oneof![3 => Just(None), 1 => (0u64..400).prop_map(Some)]),
        (prop_oneof![Just(0), Just(40), Just(2000)], prop_oneof![Just(0u64), 0u64..400_000, Just(7_200_000)]),
        (prop::bool::weighted(0.15), prop::bool::weighted(0.15)),
    )
        .prop_map(
            |((customer, sku, quantity, boxes), (purpose, max_age), (timeout, pause), (down, invalidate))| Question {
                customer,
                sku,
                quantity,
                boxes,
                purpose,
                max_age,
                timeout,
                pause,
                down,
                invalidate,
            },
        )
}

/// Asks everything in turn, with a gateway of its own, and gives every offer, letter by letter.
fn answers(questions: &[Question], shares: Option<SharesByList>, explaining: bool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let catalogue = CatalogueConfig { list_priced: shares.is_some(), ..CatalogueConfig::default() };
        let options = SimulatedOptions { shares_by_list: shares, ..SimulatedOptions::default() };
        let rig = rig_of(catalogue, options, Budget::default());
        let mut told = Vec::new();
        for asked in questions {
            tokio::time::sleep(Duration::from_millis(asked.pause)).await;
            rig.faults(Faults { down: asked.down, ..Faults::default() });
            let sku = ["BOLT-8", "NO-SUCH", S, "SKU-000002", "SKU-000013", "SKU-000097"][asked.sku];
            if asked.invalidate {
                let named = Named { skus: vec![Sku::new(sku).unwrap()], ..Named::default() };
                let invalidation = Invalidation { named, at: None, settle: None, request_id: "test".into() };
                rig.service.invalidate(invalidation).await.unwrap();
            }
            let customer = asked.customer.map(|number| format!("C-{number:05}"));
            let mut query = rig.query(customer.as_deref(), [sku]);
            let unit = asked.boxes.then(|| "BOX".to_owned());
            query.lines = vec![LineQuery::new(sku.into(), Some(asked.quantity.to_string()), unit, None)];
            query.purpose = Purpose::ALL[asked.purpose];
            query.max_age = asked.max_age.map(Duration::from_secs);
            query.deadline = query.arrival.mono.plus(Duration::from_millis(asked.timeout));
            let answer = match explaining {
                false => rig.service.answer(query).await,
                true => rig.service.explain(query).await.map(|explanation| {
                    assert_eq!(explanation.steps.last().unwrap().about, "answer");
                    explanation.answer
                }),
            };
            told.push(format!("{answer:?}"));
        }
        told.push(format!("{}", rig.erp.stats().calls));
        told
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn explaining_and_asking_are_the_same_walk(
        questions in proptest::collection::vec(question(), 1..12),
        shares in prop_oneof![Just(None), Just(Some(SharesByList::Question)), Just(Some(SharesByList::Answer))],
    ) {
        prop_assert_eq!(answers(&questions, shares, true), answers(&questions, shares, false));
    }
}

#[tokio::test(start_paused = true)]
async fn the_steps_speak_of_the_offer_beside_them() {
    let rig = rig();
    for pause in [0, 30, 400, 1000] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let told = explain(&rig, rig.query(Some(C), [S])).await;
        let freshness = price_freshness(&told.answer.lines[0]).unwrap();
        let answer = steps(&told, "answer")[0];
        says(answer, &[("price_expires_at", &freshness.expires_at.to_string()), ("status", "OK")]);
        assert_eq!(answer.get("price_stale"), freshness.stale);
    }
}
