//! ERPs that can do less: no breaks, no one call for both facts, few lines a call.

use comptoir::domain::ShipToId;
use comptoir::erp::connectors::simulated::SimulatedOptions;
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{LineQuery, LineStatus, Parts};

use crate::rig::{net, rig, rig_with, skus};

#[tokio::test(start_paused = true)]
async fn without_breaks_every_quantity_is_a_question_of_its_own() {
    let rig = rig_with(SimulatedOptions { breaks: false, ..SimulatedOptions::default() }, Budget::default());
    rig.know("C-00042").await;
    let mut query = rig.query(Some("C-00042"), ["BOLT-8"]);
    query.parts = Parts { price: true, availability: false };
    query.lines = ["1", "99", "100", "100.0", "250"]
        .map(|quantity| LineQuery::new("BOLT-8".into(), Some(quantity.into()), None, None))
        .to_vec();
    let answer = rig.ask(query).await;
    let prices: Vec<_> = answer.lines.iter().map(|line| net(line).unwrap()).collect();
    assert_eq!(prices, ["23.40", "23.40", "21.90", "21.90", "21.90"]);
    assert_eq!(rig.erp.stats().lines, 4, "100 and 100.0 are one quantity");
}

#[tokio::test(start_paused = true)]
async fn with_and_without_breaks_the_prices_are_the_same() {
    let quantities = ["1", "9", "10", "99", "100", "1000"];
    let mut told = Vec::new();
    for breaks in [true, false] {
        let rig = rig_with(SimulatedOptions { breaks, ..SimulatedOptions::default() }, Budget::default());
        let mut query = rig.query(Some("C-00042"), skus(0));
        query.lines = skus(40)
            .into_iter()
            .flat_map(|sku| quantities.map(|quantity| LineQuery::new(sku.clone(), Some(quantity.into()), None, None)))
            .collect();
        let answer = rig.ask(query).await;
        told.push(answer.lines.iter().map(|line| net(line).unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test(start_paused = true)]
async fn where_stock_is_a_call_of_its_own_both_leave_together() {
    let rig = rig_with(SimulatedOptions { offers: false, ..SimulatedOptions::default() }, Budget::default());
    rig.know("C-00042").await;
    let before = rig.clock.mono();
    let answer = rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok));
    assert_eq!(rig.erp.stats().calls, 2);
    assert!(rig.clock.mono().since(before).as_millis() <= 51, "side by side");
}

#[tokio::test(start_paused = true)]
async fn a_page_larger_than_a_call_is_split_and_put_together() {
    let rig = rig_with(SimulatedOptions { max_items: 10, ..SimulatedOptions::default() }, Budget::default());
    rig.know("C-00042").await;
    let answer = rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok));
    let stats = rig.erp.stats();
    assert_eq!((stats.calls, stats.lines, stats.in_flight_peak), (5, 48, 4));
}

#[tokio::test(start_paused = true)]
async fn stock_alone_asks_for_no_price() {
    let rig = rig();
    rig.know("C-00042").await;
    let mut query = rig.query(Some("C-00042"), skus(3));
    query.parts = Parts { price: false, availability: true };
    let answer = rig.ask(query).await;
    assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok && net(line).is_none()));
    let calls: Vec<_> = rig.erp.stats().recent.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, ["stock"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_matter_to_the_erp_is_not_asked_twice() {
    let rig = rig();
    rig.know("C-00042").await;
    for address in ["S1", "S2"] {
        let mut query = rig.query(Some("C-00042"), skus(3));
        query.ship_to = Some(ShipToId::new(address).unwrap());
        assert!(rig.ask(query).await.lines.iter().all(|line| line.status == LineStatus::Ok));
    }
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_currency_the_erp_cannot_price_in_is_refused_without_asking() {
    let rig = rig();
    let mut query = rig.query(Some("C-00042"), skus(2));
    query.currency = Some("ZZZ".parse().unwrap());
    let answer = rig.ask(query).await;
    assert!(answer.lines.iter().all(|line| line.reason == Some("currency_not_supported")));
    assert!(rig.erp.stats().recent.iter().all(|call| call.operation.as_str() == "customers"));
}
