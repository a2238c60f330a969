//! The ERP was away, and everything held has expired: it comes back to a budget, not to a stampede.

use std::collections::HashSet;
use std::time::Duration;

use comptoir::domain::Purpose;
use comptoir::erp::connectors::simulated::{Behaviour, Faults, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{LineStatus, OfferQuery, Parts};

use crate::rig::{Rig, is_answered, price_freshness, rig_behaving};

/// At least so many are held.
const ENTRIES: usize = 50_000;
const CUSTOMERS: usize = 27;
const PAGES_EACH: usize = 20;
const PAGE: usize = 100;
const CALLS_PER_MINUTE: usize = 600;
const BURST: usize = 8;
/// How often the shop shows every page.
const LOOKS: Duration = Duration::from_secs(8);

/// Without articles that are not sold: there is no price of theirs to be held.
fn page(rig: &Rig, number: usize, unsold: &HashSet<String>) -> OfferQuery {
    let first = number % PAGES_EACH * PAGE;
    let names = (first..first + PAGE).map(|n| format!("SKU-{:06}", n + 1));
    let names = names.filter(|name| !unsold.contains(name));
    let mut query = rig.query(Some(&format!("C-{:05}", number / PAGES_EACH + 1)), names);
    query.purpose = Purpose::List;
    query.parts = Parts { price: true, availability: false };
    query
}

#[tokio::test(start_paused = true)]
async fn fifty_thousand_expired_prices_are_fresh_again_within_what_the_budget_allows() {
    let budget = Budget { calls_per_minute: Some(CALLS_PER_MINUTE), burst: Some(BURST), ..Budget::default() };
    let rig = rig_behaving(Behaviour::measured(), SimulatedOptions::default(), budget);
    let pages = CUSTOMERS * PAGES_EACH;
    let (mut held, mut unsold) = (0, HashSet::new());
    for number in 0..pages {
        let mut query = page(&rig, number, &unsold);
        query.deadline = query.arrival.mono.plus(Duration::from_secs(60));
        let answer = rig.ask(query).await;
        assert!(answer.lines.iter().all(is_answered));
        for (asked, line) in answer.query.lines.iter().zip(&answer.lines) {
            if line.status == LineStatus::Ok {
                held += 1;
            } else {
                unsold.insert(asked.sku.to_string());
            }
        }
    }
    assert!(held >= ENTRIES, "{held} are held");
    rig.faults(Faults { down: true, ..Faults::default() });
    // Ten minutes longer than anything held may be shown without saying that it is old.
    tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    let mut query = page(&rig, 7, &unsold);
    query.deadline = query.arrival.mono.plus(Duration::from_millis(100));
    let stale = rig.ask(query).await;
    assert!(stale.lines.iter().all(|line| price_freshness(line).unwrap().stale.is_some()), "shown, and marked");

    rig.faults(Faults::default());
    rig.erp.reset_stats();
    let back = rig.clock.mono();
    let mut waiting: Vec<usize> = (0..pages).collect();
    while !waiting.is_empty() {
        let mut still = Vec::new();
        for number in waiting {
            let mut query = page(&rig, number, &unsold);
            // Nobody waits: shown is what there is, and the rest goes on.
            query.deadline = query.arrival.mono;
            let answer = rig.ask(query).await;
            assert!(answer.lines.iter().all(|line| line.status == LineStatus::Ok), "the shop is never empty");
            if answer.lines.iter().any(|line| price_freshness(line).unwrap().stale.is_some()) {
                still.push(number);
            }
        }
        waiting = still;
        tokio::time::sleep(LOOKS).await;
        assert!(rig.clock.mono().since(back) < Duration::from_secs(600), "{} pages are still old", waiting.len());
    }
    let (took, stats) = (rig.clock.mono().since(back), rig.erp.stats());
    let needed = pages + 1;
    // Lists leave a fifth of the minute to the more urgent.
    let allowed = Duration::from_secs((needed * 60 * 5 / (CALLS_PER_MINUTE * 4)) as u64);
    println!("{held} prices fresh again after {took:?}, {} calls; the budget alone takes {allowed:?}", stats.calls);
    assert!(stats.calls <= (needed + needed / 10) as u64, "{} calls for {needed}", stats.calls);
    assert!(stats.calls_per_minute_peak <= CALLS_PER_MINUTE as u64);
    // A breaker that opened in the outage looks again within half a minute; the shop notices at its next look.
    assert!(took <= allowed + LOOKS * 2 + Duration::from_secs(30), "{took:?} where {allowed:?} are needed");
    let starts: Vec<Duration> = stats.recent.iter().map(|call| call.start).collect();
    assert_eq!(starts.len() as u64, stats.calls, "all of them were seen");
    for (index, start) in starts.iter().enumerate() {
        let soon = |later: &&Duration| **later - *start < Duration::from_millis(100);
        let within = starts[index..].iter().take_while(soon).count();
        assert!(within <= BURST + 1, "{within} calls in 0.1 s");
    }
}
