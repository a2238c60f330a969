//! Stock that a real Tryton pushes by our module: what moves there is in the offers of a gateway that is not asked to look.

use serde_json::{Value, json};

use crate::rig::{Gateway, lines, text, until};
use crate::truth::{PATIENT, Truth};
use crate::warehouse::{WAREHOUSES, Warehouse};
use crate::wire::{Sent, Wire};

const STOCK: &str = r#"server.data = "data"
stock.sources = [{ name = "tryton", locations = ["WH", "WH2"], measures = ["ON_HAND", "RESERVED", "INCOMING"] }]
"#;

/// In units, not kilograms; so that figures can be written down here.
const ARTICLES: [&str; 6] = ["M-0002", "M-0004", "M-0006", "M-0007", "M-0010", "M-0012"];

async fn opened() -> (Wire, Warehouse, Gateway) {
    let wire = Wire::start().await;
    let warehouse = Warehouse::open(&wire.url).await;
    let gateway = Gateway::serve("tryton-glue.toml", &warehouse.url(), &format!("{PATIENT}{STOCK}"));
    wire.leads_to(&gateway.address);
    (wire, warehouse, gateway)
}

async fn offers(gateway: &Gateway, skus: &[&str]) -> Vec<Value> {
    let request = json!({ "customer": "C10001", "currency": "EUR", "timeout": "60s", "lines": lines(skus) });
    gateway.post(request).await.offers().to_vec()
}

/// Of one location of an offer: on hand, available.
fn told(offer: &Value, warehouse: &str) -> (String, String) {
    let locations = offer["availability"]["locations"].as_array().unwrap_or_else(|| panic!("{offer}"));
    let location = locations.iter().find(|location| location["location"] == warehouse);
    let location = location.unwrap_or_else(|| panic!("no {warehouse}: {offer}"));
    assert_eq!(text(location, "/freshness/source"), "LEDGER", "{offer}");
    (text(location, "/onHand").to_owned(), text(location, "/available").to_owned())
}

/// Whether the offers say what Tryton says at this moment, of every article and warehouse.
async fn agree(gateway: &Gateway, warehouse: &Warehouse, skus: &[&str]) -> bool {
    let offers = offers(gateway, skus).await;
    for place in WAREHOUSES {
        let figures = warehouse.figures(place, skus).await;
        if offers.iter().zip(figures).any(|(offer, figures)| told(offer, place) != figures) {
            return false;
        }
    }
    true
}

async fn soon_agree(gateway: &Gateway, warehouse: &Warehouse, skus: &[&str]) {
    until("offers that say what Tryton says", || agree(gateway, warehouse, skus)).await;
}

async fn source(gateway: &Gateway) -> Value {
    let path = "/v1/stock/sources?source=tryton";
    gateway.send(reqwest::Method::GET, path, "", "").await.json["sources"][0].clone()
}

async fn soon_heard(gateway: &Gateway) {
    until("a first snapshot", async || text(&source(gateway).await, "/lastSequence") != "0").await;
}

/// Each number once, and none left out.
fn in_order(pushes: &[Sent], after: u64) -> u64 {
    let numbers: Vec<u64> = pushes.iter().flat_map(Sent::numbers).collect();
    assert!(!numbers.is_empty());
    for (number, due) in numbers.iter().zip(after + 1..) {
        assert_eq!(*number, due, "{numbers:?}");
    }
    after + numbers.len() as u64
}

fn last_sequence(source: &Value) -> u64 {
    text(source, "/lastSequence").parse().unwrap()
}

fn verdicts(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| text(result, "/verdict")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_in_the_erp_is_in_the_next_offer() {
    let (wire, warehouse, gateway) = opened().await;
    let _pushing = warehouse.pushing();
    soon_heard(&gateway).await;
    // To begin with, everything: as the oracle wrote it down.
    let truth = Truth::read();
    let skus = truth.skus_for_sale();
    for (sku, offer) in skus.iter().zip(&offers(&gateway, &skus).await) {
        for place in WAREHOUSES {
            let due = &truth.stock(sku)[place];
            let due = (text(due, "/onHand").to_owned(), text(due, "/forecast").to_owned());
            assert_eq!(told(offer, place), due, "{place}: {offer}");
        }
    }
    assert_eq!(wire.snapshots().len(), 1);

    let free = |figures: &[(String, String)]| figures[0].1.parse::<i64>().unwrap();
    let at = async |place: &str, sku: &'static str| warehouse.figures(place, &[sku]).await;

    // Set aside for an order: still there, not free any more. Then shipped.
    let before = free(&at("WH", "M-0004").await);
    let order = warehouse.plan("M-0004", 5, "u", ["WH", "CUS"], 30).await;
    warehouse.assign(&order).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    let offer = &offers(&gateway, &["M-0004"]).await[0];
    assert_eq!(told(offer, "WH"), ("47".to_owned(), "42".to_owned()), "{offer}");
    warehouse.carry_out(&order).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    let offer = &offers(&gateway, &["M-0004"]).await[0];
    assert_eq!(told(offer, "WH"), ("42".to_owned(), "42".to_owned()), "{offer}");
    assert_eq!(free(&at("WH", "M-0004").await), before - 5);

    // A box of twelve, stocked by the piece.
    let before = free(&at("WH", "M-0012").await);
    let order = warehouse.plan("M-0012", 1, "box", ["WH", "CUS"], 0).await;
    warehouse.carry_out(&order).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    assert_eq!(told(&offers(&gateway, &["M-0012"]).await[0], "WH").1, (before - 12).to_string());

    // Between two warehouses: both change.
    warehouse.moved("M-0007", 3, ["WH", "WH2"]).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;

    // Ordered from a supplier, put off, received: expected until it is there, never both.
    let expected = async || {
        let offer = offers(&gateway, &["M-0002"]).await[0].clone();
        let incoming = offer["availability"]["incoming"].as_array().cloned().unwrap_or_default();
        let of = |row: &Value| format!("{} at {}", text(row, "/quantity"), text(row, "/location"));
        incoming.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(expected().await, [""; 0]);
    let receipt = warehouse.plan("M-0002", 25, "u", ["SUP", "WH2"], 5).await;
    let given_up = warehouse.plan("M-0002", 7, "u", ["SUP", "WH"], 6).await;
    until("both receipts", async || expected().await == ["25 at WH2", "7 at WH"]).await;
    warehouse.call("model.stock.move.delete", json!([[given_up], { "company": 1 }])).await;
    until("one of them", async || expected().await == ["25 at WH2"]).await;
    warehouse.carry_out(&receipt).await;
    until("none of them", async || expected().await.is_empty()).await;
    assert!(agree(&gateway, &warehouse, &ARTICLES).await, "what is not expected any more is there");
    let arrived = wire.pushes().into_iter().rfind(|push| push.body.to_string().contains("INCOMING")).unwrap();
    let arrived: Vec<_> =
        arrived.changes().iter().map(|change| (text(change, "/measure"), text(change, "/quantity"))).collect();
    assert!(arrived.contains(&("INCOMING", "0")), "{arrived:?}");
    assert!(arrived.iter().any(|(measure, _)| *measure == "ON_HAND"), "in one request: {arrived:?}");

    assert_eq!(in_order(&wire.pushes(), 1), last_sequence(&source(&gateway).await));
    for push in wire.pushes() {
        assert!(verdicts(&push.answer).iter().all(|verdict| *verdict == "APPLIED"), "{push:?}");
    }
    assert_eq!(wire.snapshots().len(), 1, "changes were told as changes");
    // "I am at this number", though nothing moves.
    let heartbeats = || {
        let is_one = |sent: &&Sent| sent.method == "POST" && sent.changes().is_empty();
        wire.sent().iter().filter(is_one).count()
    };
    let before = heartbeats();
    until("a heartbeat", async || heartbeats() > before).await;
    assert_eq!(text(&source(&gateway).await, "/state"), "IN_SEQUENCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_while_the_gateway_was_down_arrives_in_order_and_once() {
    let (wire, warehouse, mut gateway) = opened().await;
    let _pushing = warehouse.pushing();
    soon_heard(&gateway).await;
    warehouse.moved("M-0007", 1, ["WH", "CUS"]).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    let heard = last_sequence(&source(&gateway).await);
    assert_eq!(in_order(&wire.pushes(), 1), heard);
    let before = wire.pushes().len();

    gateway.process.kill();
    for turn in 1..=4 {
        warehouse.moved("M-0007", turn, ["WH", "CUS"]).await;
        warehouse.moved("M-0010", turn, ["WH", "WH2"]).await;
        // So that it is numbered in several turns of the pusher's.
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
    warehouse.moved("M-0002", 9, ["SUP", "WH2"]).await;
    assert_eq!(wire.pushes().len(), before, "nobody was there");
    let gateway = gateway.restart(true);
    wire.leads_to(&gateway.address);
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    // First the last one once more: it might have become another by a restore.
    let pushes = wire.pushes()[before..].to_vec();
    assert_eq!((pushes[0].numbers(), verdicts(&pushes[0].answer)), (vec![heard], vec!["DUPLICATE"]));
    let reached = in_order(&pushes[1..], heard);
    assert_eq!(reached, last_sequence(&source(&gateway).await));
    assert_eq!(wire.snapshots().len(), 1, "changes were told as changes");

    // An answer gets lost: all was told, and it is not known that it was.
    let before = wire.pushes().len();
    wire.loses_an_answer();
    warehouse.moved("M-0004", 8, ["WH", "CUS"]).await;
    until("it telling that again", async || wire.pushes().len() > before + 1).await;
    soon_agree(&gateway, &warehouse, &ARTICLES).await;
    let (lost, again) = (&wire.pushes()[before], &wire.pushes()[before + 1]);
    assert!(verdicts(&lost.answer).iter().all(|verdict| *verdict == "APPLIED"), "{lost:?}");
    assert_eq!((again.numbers().first(), verdicts(&again.answer)), (lost.numbers().last(), vec!["DUPLICATE"]));
    let (levels, last) = (gateway.levels("M-0004").await, source(&gateway).await);
    // And everything it ever told, told once more.
    for push in wire.pushes() {
        let again = gateway.push(push.body.clone()).await;
        assert!(verdicts(&again.json).iter().all(|verdict| *verdict == "DUPLICATE"), "{}", again.json);
        assert_eq!(again.json["applied"], "0");
    }
    assert_eq!(gateway.levels("M-0004").await, levels);
    assert_eq!(source(&gateway).await["lastSequence"], last["lastSequence"]);
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_rolled_back_pushes_nothing() {
    let (wire, warehouse, gateway) = opened().await;
    let orders = [
        warehouse.plan("M-0007", 2, "u", ["WH", "CUS"], 0).await,
        warehouse.plan("M-0010", 2, "u", ["WH", "CUS"], 0).await,
    ];
    warehouse.push_once();
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
    let heard = last_sequence(&source(&gateway).await);
    let before = warehouse.figures("WH", &ARTICLES).await;

    // The second half cannot be: kilograms of what is counted.
    let (good, bad) = (json!({ "quantity": 30 }), json!({ "unit": 2 }));
    let halves = |second: &Value| json!([[orders[0]], good, [orders[1]], second, { "company": 1 }]);
    let error = warehouse.ask("model.stock.move.write", halves(&bad)).await.unwrap_err();
    assert!(error.to_string().contains("Unit"), "{error}");
    assert_eq!(warehouse.figures("WH", &ARTICLES).await, before);
    warehouse.push_once();
    assert_eq!(wire.pushes().len(), 0, "{:?}", wire.pushes());
    assert_eq!(last_sequence(&source(&gateway).await), heard, "not even a number was used");

    // With a second half that can be, the same is told.
    warehouse.call("model.stock.move.write", halves(&json!({ "quantity": 31 }))).await;
    warehouse.push_once();
    let reached = in_order(&wire.pushes(), heard);
    assert_eq!(reached, last_sequence(&source(&gateway).await));
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
    assert_ne!(warehouse.figures("WH", &ARTICLES).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_by_hand_tells_what_no_move_does() {
    let (wire, warehouse, gateway) = opened().await;
    warehouse.push_once();
    let on_hand = warehouse.figures("WH", &["M-0007"]).await[0].0.clone();
    let held = async |sku: &str| {
        let is_there = |row: &&Value| row["measure"] == "ON_HAND" && row["location"] == "WH";
        gateway.levels(sku).await.iter().find(is_there).map(|row| text(row, "/quantity").to_owned())
    };
    assert_eq!(held("M-0007").await, Some(on_hand.clone()));

    // No move changes what an article is called.
    let renamed = json!([[warehouse.product("M-0007")], { "suffix_code": "M-0007B" }, { "company": 1 }]);
    let template = warehouse
        .call("model.product.product.read", json!([[warehouse.product("M-0007")], ["template"], { "company": 1 }]))
        .await;
    let unnamed = json!([[template[0]["template"]], { "code": null }, { "company": 1 }]);
    warehouse.call("model.product.template.write", unnamed).await;
    warehouse.call("model.product.product.write", renamed).await;
    warehouse.push_once();
    assert_eq!(held("M-0007B").await, None);
    warehouse.push(&["--snapshot"]);
    assert_eq!(held("M-0007B").await, Some(on_hand));
    assert_eq!(held("M-0007").await.unwrap_or("0".to_owned()), "0");
    // And changes go on after it.
    let skus = ["M-0002", "M-0004"];
    warehouse.moved("M-0004", 4, ["WH", "WH2"]).await;
    warehouse.push_once();
    assert!(agree(&gateway, &warehouse, &skus).await);
    assert_eq!(in_order(&wire.pushes(), 2), last_sequence(&source(&gateway).await));

    // A gateway that lost everything is told everything.
    drop(gateway);
    let empty = Gateway::serve("tryton-glue.toml", &warehouse.url(), &format!("{PATIENT}{STOCK}"));
    wire.leads_to(&empty.address);
    warehouse.push_once();
    assert!(agree(&empty, &warehouse, &skus).await);
    assert_eq!(wire.snapshots().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_erp_counts_anew() {
    let (wire, mut warehouse, gateway) = opened().await;
    warehouse.push_once();
    warehouse.back_up();
    warehouse.moved("M-0007", 2, ["WH", "CUS"]).await;
    warehouse.push_once();
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
    let (first, heard) = (source(&gateway).await["epoch"].clone(), last_sequence(&source(&gateway).await));

    // It knows less than the gateway.
    warehouse.restore().await;
    assert!(!agree(&gateway, &warehouse, &ARTICLES).await, "what was shipped is back");
    warehouse.push_once();
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
    let second = source(&gateway).await["epoch"].clone();
    assert_ne!(first, second);

    // It has gone on since, beyond what the gateway heard: other changes under the same numbers.
    warehouse.back_up();
    warehouse.moved("M-0010", 2, ["WH", "CUS"]).await;
    warehouse.push_once();
    let reached = last_sequence(&source(&gateway).await);
    warehouse.restore().await;
    for sku in ["M-0002", "M-0004", "M-0006", "M-0012"] {
        warehouse.moved(sku, 1, ["SUP", "WH"]).await;
    }
    let before = wire.pushes().len();
    warehouse.push_once();
    let pushes = wire.pushes();
    assert_eq!(pushes[before].numbers(), [reached]);
    assert_eq!(text(&pushes[before].answer, "/results/0/reason"), "sequence_reused", "{:?}", pushes[before]);
    assert!(agree(&gateway, &warehouse, &ARTICLES).await);
    assert_ne!(source(&gateway).await["epoch"], second);
    assert!(heard > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_empties_a_warehouse_is_not_believed_for_being_repeated() {
    let (wire, mut warehouse, gateway) = opened().await;
    warehouse.back_up();
    warehouse.moved("M-0007", 2, ["WH", "CUS"]).await;
    warehouse.push_once();
    let before = gateway.levels("M-0004").await;

    // A slip in the configuration, and a restore, which needs everything to be told anew.
    warehouse.restore().await;
    warehouse.configure("push_warehouses = WH2");
    let pushing = warehouse.pushing();
    let refused = || wire.snapshots().iter().filter(|sent| sent.answer["reason"] == "too_many_zeros").count();
    until("a refusal", async || refused() == 1).await;
    let asked = wire.sent().len();
    // It looks again whether somebody helped, and says nothing.
    until("it asking again", async || wire.sent().len() > asked + 2).await;
    drop(pushing);
    assert_eq!((refused(), wire.snapshots().len()), (1, 2));
    assert_eq!(gateway.levels("M-0004").await, before);

    // Somebody means it.
    warehouse.push(&["--snapshot", "--force"]);
    let at = gateway.levels("M-0004").await;
    let is_there = |row: &Value| row["location"] == "WH" && row["quantity"] != "0";
    assert!(!at.iter().any(is_there), "{at:?}");
    warehouse.push_once();
    assert_eq!(text(&source(&gateway).await, "/state"), "IN_SEQUENCE");
}
