//! What fails is left alone for a while, and only that.

use std::time::Duration;

use comptoir::domain::{Purpose, Sku};
use comptoir::erp::connectors::simulated::{Faults, Only, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{LineStatus, OfferQuery};

use crate::rig::{Rig, is_answered, rig, rig_with, skus};

fn poison(sku: &str) -> Faults {
    Faults { poison: vec![Sku::new(sku).unwrap()], ..Faults::default() }
}

fn patient(rig: &Rig, customer: &str, skus: Vec<String>) -> OfferQuery {
    let mut query = rig.query(Some(customer), skus);
    query.deadline = query.arrival.mono.plus(Duration::from_secs(20));
    query
}

#[tokio::test(start_paused = true)]
async fn one_bad_sku_fails_alone_and_is_not_asked_again_for_a_while() {
    let rig = rig();
    rig.know("C-00042").await;
    rig.know("C-00043").await;
    rig.faults(poison("SKU-000007"));
    let answer = rig.ask(patient(&rig, "C-00042", skus(50))).await;
    for (index, line) in answer.lines.iter().enumerate() {
        let expected = if index == 6 { (LineStatus::Unavailable, Some("erp_error")) } else { (LineStatus::Ok, None) };
        assert_eq!((line.status, line.reason), expected, "{index}");
    }
    let calls = rig.erp.stats().calls;
    assert!(calls <= 13, "{calls}");
    // Its stock, not known yet either, costs one call more; then there is nothing to ask.
    rig.ask(patient(&rig, "C-00042", skus(50))).await;
    assert!(rig.erp.stats().calls <= calls + 1);
    let (before, calls) = (rig.clock.mono(), rig.erp.stats().calls);
    let again = rig.ask(patient(&rig, "C-00042", skus(50))).await;
    assert_eq!((again.lines[6].reason, rig.clock.mono(), rig.erp.stats().calls), (Some("erp_error"), before, calls));
    // Another customer's page is two calls: the bad one goes alone.
    rig.erp.reset_stats();
    let other = rig.ask(patient(&rig, "C-00043", skus(50))).await;
    assert_eq!(other.lines.iter().filter(|line| line.status == LineStatus::Ok).count(), 49);
    assert_eq!(rig.erp.stats().calls, 2);
    // The ERP is mended, and after a minute it is asked again.
    rig.faults(Faults::default());
    tokio::time::sleep(Duration::from_secs(61)).await;
    let mended = rig.ask(patient(&rig, "C-00042", skus(50))).await;
    assert!(mended.lines.iter().all(|line| line.status == LineStatus::Ok));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_holds_up_no_other_and_comes_back() {
    let options = SimulatedOptions { offers: false, ..SimulatedOptions::default() };
    let rig = rig_with(options, Budget::default());
    rig.know("C-00042").await;
    rig.faults(Faults { down: true, only: vec![Only::Prices], ..Faults::default() });
    for number in 0..10 {
        rig.ask(rig.query(Some("C-00042"), [format!("SKU-{:06}", number + 100)])).await;
    }
    let before = rig.clock.mono();
    let answer = rig.ask(rig.query(Some("C-00042"), ["SKU-000200"])).await;
    assert_eq!(answer.lines[0].reason, Some("erp_breaker_open"));
    assert!(rig.clock.mono().since(before) < Duration::from_millis(100), "stock is asked, the price is not waited for");
    rig.faults(Faults::default());
    tokio::time::sleep(Duration::from_secs(40)).await;
    let answer = rig.ask(rig.query(Some("C-00042"), ["SKU-000200"])).await;
    assert!(is_answered(&answer.lines[0]), "{:?}", answer.lines[0]);
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_a_tenth_and_what_timed_out_is_not_repeated() {
    let budget = Budget { timeout: Duration::from_secs(1), ..Budget::default() };
    let rig = rig_with(SimulatedOptions::default(), budget);
    rig.know("C-00042").await;
    let page = |rig: &Rig, number: usize| {
        let mut query = patient(rig, "C-00042", vec![format!("SKU-{number:06}")]);
        query.purpose = Purpose::Checkout;
        query
    };
    // Every fourth call finds nobody there.
    for number in 1..=200 {
        let down = number % 4 == 0;
        rig.faults(Faults { down, times: Some(1), ..Faults::default() });
        rig.ask(page(&rig, number)).await;
    }
    let tally = rig.service.erp_load().tally;
    assert!(tally.retries > 0 && tally.retries * 10 <= 200 + tally.retries, "{tally:?}");
    rig.faults(Faults::default());
    tokio::time::sleep(Duration::from_secs(60)).await;
    rig.ask(page(&rig, 1)).await;
    rig.erp.reset_stats();
    rig.faults(Faults { hang: true, times: Some(1), ..Faults::default() });
    let answer = rig.ask(page(&rig, 300)).await;
    assert_eq!((answer.lines[0].reason, rig.erp.stats().calls), (Some("erp_timeout"), 1));
}
