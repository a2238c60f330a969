//! Whoever asks much waits behind themselves.

use std::sync::Arc;
use std::time::Duration;

use comptoir::domain::{Purpose, VisitorId};
use comptoir::erp::connectors::simulated::{Behaviour, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::OfferQuery;

use crate::rig::{Rig, is_answered, rig_behaving};

fn fair_rig() -> Rig {
    let budget = Budget { concurrency: 2, calls_per_minute: Some(600), ..Budget::default() };
    rig_behaving(Behaviour::measured(), SimulatedOptions { max_items: 50, ..SimulatedOptions::default() }, budget)
}

fn page(rig: &Rig, customer: Option<&str>, from: usize, lines: usize) -> OfferQuery {
    let mut query = rig.query(customer, (from..from + lines).map(|n| format!("SKU-{:06}", n % 90_000 + 1)));
    query.purpose = Purpose::Detail;
    query.max_age = Some(Duration::ZERO);
    query.deadline = query.arrival.mono.plus(Duration::from_secs(5));
    query
}

/// Asks one page of ten lines every half second, alone or beside others, and gives the longest wait.
async fn victim(rig: &Rig, ask: impl Fn(usize) -> OfferQuery) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0..60 {
        let query = ask(number);
        let arrival = query.arrival.mono;
        let answer = rig.ask(query).await;
        assert!(answer.lines.iter().all(is_answered), "{:?}", answer.lines[0].reason);
        longest = longest.max(rig.clock.mono().since(arrival));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    longest
}

/// One turn of each of the others: a full call may be under way, and one of theirs goes first.
const TURN: Duration = Duration::from_millis(45 + 160);

#[tokio::test(start_paused = true)]
async fn a_customer_at_ten_times_its_share_delays_others_by_its_turn_only() {
    let rig = Arc::new(fair_rig());
    rig.know("C-00001").await;
    rig.know("C-00002").await;
    let alone = victim(&rig, |n| page(&rig, Some("C-00001"), n * 10, 10)).await;
    let attack = tokio::spawn({
        let rig = rig.clone();
        async move {
            for number in 0.. {
                let query = page(&rig, Some("C-00002"), number * 200, 200);
                let service = rig.service.clone();
                tokio::spawn(async move { service.answer(query).await });
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let beside = victim(&rig, |n| page(&rig, Some("C-00001"), 20_000 + n * 10, 10)).await;
    attack.abort();
    assert!(beside <= alone + TURN * 2, "{alone:?} alone, {beside:?} beside the other");
}

#[tokio::test(start_paused = true)]
async fn visitors_of_the_public_are_accounts_where_the_shop_tells_them_apart() {
    let rig = Arc::new(fair_rig());
    let visitor = |query: OfferQuery, name: &str| OfferQuery { visitor: VisitorId::new(name).ok(), ..query };
    let scraper = tokio::spawn({
        let rig = rig.clone();
        async move {
            for number in 0.. {
                let query = visitor(page(&rig, None, number * 200, 200), "scraper");
                let service = rig.service.clone();
                tokio::spawn(async move { service.answer(query).await });
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let longest = victim(&rig, |n| visitor(page(&rig, None, 50_000 + n * 10, 10), "reader")).await;
    scraper.abort();
    assert!(longest <= TURN * 4, "{longest:?}");
}
