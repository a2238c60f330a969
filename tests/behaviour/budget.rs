//! The ERP never sees more than it was promised.

use std::time::Duration;

use comptoir::erp::connectors::simulated::{Faults, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::LineStatus;
use futures_util::future::join_all;

use crate::rig::{rig, rig_with, skus};

#[tokio::test(start_paused = true)]
async fn neither_calls_at_once_nor_calls_a_minute_are_ever_exceeded() {
    let budget = Budget { concurrency: 2, calls_per_minute: Some(30), ..Budget::default() };
    let rig = rig_with(SimulatedOptions::default(), budget);
    let start = rig.clock.mono();
    let pages = (1..=60).map(|n| {
        let mut query = rig.query(Some(&format!("C-{n:05}")), skus(10));
        query.deadline = query.arrival.mono.plus(Duration::from_secs(600));
        rig.ask(query)
    });
    let answers = join_all(pages).await;
    assert!(answers.iter().flat_map(|answer| &answer.lines).all(|line| line.status == LineStatus::Ok));
    let stats = rig.erp.stats();
    assert!(stats.in_flight_peak <= 2, "{}", stats.in_flight_peak);
    assert!(stats.calls_per_minute_peak <= 30, "{}", stats.calls_per_minute_peak);
    // 6 calls for 60 customers at most ten a call, 60 for their pages: three minutes' worth, no more.
    let took = rig.clock.mono().since(start);
    assert!(took < Duration::from_secs(190), "the budget is used: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_nobody_waits_for_keeps_its_permit() {
    let budget = Budget { concurrency: 1, ..Budget::default() };
    let rig = rig_with(SimulatedOptions::default(), budget);
    rig.know("C-00042").await;
    let start = rig.clock.mono();
    rig.faults(Faults { latency: Some(Duration::from_secs(4)), ..Faults::default() });
    let mut impatient = rig.query(Some("C-00042"), skus(1));
    impatient.deadline = impatient.arrival.mono.plus(Duration::from_millis(100));
    rig.ask(impatient).await;
    let mut patient = rig.query(Some("C-00042"), ["SKU-000077"]);
    patient.deadline = patient.arrival.mono.plus(Duration::from_secs(30));
    rig.ask(patient).await;
    assert_eq!(rig.erp.stats().in_flight_peak, 1);
    assert!(rig.clock.mono().since(start) >= Duration::from_secs(8), "one after the other");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_queue_there_is_an_answer_at_once() {
    let budget = Budget { concurrency: 1, queue_lines_max: 20, ..Budget::default() };
    let rig = rig_with(SimulatedOptions::default(), budget);
    rig.know("C-00042").await;
    rig.faults(Faults { latency: Some(Duration::from_secs(1)), ..Faults::default() });
    let first = rig.ask(rig.query(Some("C-00042"), skus(1)));
    let rest = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        rig.ask(rig.query(Some("C-00042"), skus(40))).await
    };
    let (_, answer) = tokio::join!(first, rest);
    let busy = answer.lines.iter().filter(|line| line.reason == Some("erp_busy")).count();
    assert!(busy > 0 && busy < 40, "{busy}");
}

#[tokio::test(start_paused = true)]
async fn hits_cost_the_erp_nothing() {
    let rig = rig();
    rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    rig.erp.reset_stats();
    for _ in 0..100 {
        rig.ask(rig.query(Some("C-00042"), skus(48))).await;
    }
    assert_eq!(rig.erp.stats().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_waits_for_its_calls_and_makes_no_more() {
    let rig = rig_with(SimulatedOptions::default(), Budget { concurrency: 1, ..Budget::default() });
    rig.know("C-00042").await;
    // Callers leave at once: one call is in the air for them, another question waits.
    for customer in ["C-00042", "C-00043"] {
        let mut query = rig.query(Some(customer), ["SKU-000001"]);
        query.deadline = query.arrival.mono;
        rig.ask(query).await;
    }
    let before = rig.clock.mono();
    assert!(rig.service.leave_the_erp().await);
    let waited = rig.clock.mono().since(before);
    assert!((40..=80).contains(&waited.as_millis()), "one call takes 50 ms: {waited:?}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_waits_no_longer_than_a_call_may_take() {
    let rig = rig();
    rig.know("C-00042").await;
    rig.faults(Faults { hang: true, ..Faults::default() });
    let mut query = rig.query(Some("C-00042"), ["SKU-000001"]);
    query.deadline = query.arrival.mono;
    rig.ask(query).await;
    let before = rig.clock.mono();
    rig.service.leave_the_erp().await;
    let (waited, limit) = (rig.clock.mono().since(before), rig.service.call_limit());
    assert!(waited > limit / 2 && waited <= limit + Duration::from_millis(50), "{waited:?} of {limit:?}");
}
