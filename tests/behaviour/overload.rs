//! More is asked than the ERP can bear: the urgent go first, nobody waits in vain, and what gets done stays as much.

use std::sync::Arc;
use std::time::Duration;

use comptoir::domain::Purpose;
use comptoir::erp::connectors::simulated::catalogue::dice;
use comptoir::erp::connectors::simulated::{Behaviour, Faults, SimulatedOptions};
use comptoir::erp::dispatch::{Budget, Load};
use comptoir::offer::OfferQuery;
use futures_util::future::join_all;

use crate::rig::{Rig, is_answered, rig_behaving, skus};

/// An ERP as measured, and a budget of 600 calls a minute.
fn measured(concurrency: usize) -> Rig {
    let behaviour = Behaviour { concurrency, ..Behaviour::measured() };
    let budget = Budget { concurrency, calls_per_minute: Some(600), ..Budget::default() };
    rig_behaving(behaviour, SimulatedOptions::default(), budget)
}

fn known(rig: &Rig, number: usize, purpose: Purpose, from: usize, lines: usize, time: Duration) -> OfferQuery {
    let names = (from..from + lines).map(|n| format!("SKU-{:06}", n % 90_000 + 1));
    let mut query = rig.query(Some(&format!("C-{:05}", number % 40 + 1)), names);
    query.purpose = purpose;
    query.max_age = Some(Duration::ZERO);
    query.deadline = query.arrival.mono.plus(time);
    query
}

async fn customers(rig: &Rig) {
    join_all((1..=40).map(|n| async move { rig.know(&format!("C-{n:05}")).await })).await;
    // Let the first calls' slots and tokens come back.
    tokio::time::sleep(Duration::from_secs(70)).await;
    rig.erp.reset_stats();
}

/// The worst of a hundred, leaving one out.
fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[(took.len() * 99).div_ceil(100) - 1]
}

async fn checkouts(rig: &Rig, count: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for number in 0..count {
        let query = known(rig, number, Purpose::Checkout, 50_000 + number * 10, 5, Duration::from_secs(10));
        let arrival = query.arrival.mono;
        let answer = rig.ask(query).await;
        assert!(answer.lines.iter().all(is_answered), "{:?}", answer.lines[0].reason);
        took.push(rig.clock.mono().since(arrival));
        // In step with nothing else; not more often than the low lanes leave calls to them.
        tokio::time::sleep(Duration::from_millis(400 + dice(1, &[number as u64]) % 100)).await;
    }
    took
}

#[tokio::test(start_paused = true)]
async fn checkouts_overtake_a_saturating_list() {
    let rig = measured(4);
    customers(&rig).await;
    let unloaded = p99(checkouts(&rig, 100).await);
    tokio::time::sleep(Duration::from_secs(70)).await;

    let rig = Arc::new(rig);
    let load = tokio::spawn({
        let rig = rig.clone();
        async move {
            for number in 0.. {
                let query = known(&rig, number, Purpose::List, number * 48, 48, Duration::from_secs(2));
                let service = rig.service.clone();
                tokio::spawn(async move { service.answer(query).await });
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let loaded = p99(checkouts(&rig, 100).await);
    load.abort();
    assert!(loaded <= unloaded * 2, "{loaded:?} under load, {unloaded:?} without");
    let stats = rig.erp.stats();
    assert!(stats.in_flight_peak <= 4 && stats.calls_per_minute_peak <= 600, "{stats:?}");
    assert!(stats.calls > 300, "the list lane was at work: {}", stats.calls);
}

struct Outcome {
    good_lines: usize,
    late: Duration,
    load: Load,
}

/// Pages of 24 lines, `every` apart, for fifteen seconds; each caller gives two seconds.
async fn offered(every: Duration) -> Outcome {
    let rig = measured(4);
    customers(&rig).await;
    let start = rig.clock.mono();
    let mut pages = Vec::new();
    let mut number = 0;
    while rig.clock.mono().since(start) < Duration::from_secs(15) {
        let query = known(&rig, number, Purpose::Detail, number * 24, 24, Duration::from_secs(2));
        let (service, clock) = (rig.service.clone(), rig.clock);
        pages.push(tokio::spawn(async move {
            let deadline = query.deadline;
            let answer = service.answer(query).await.unwrap();
            let good = answer.lines.iter().filter(|line| is_answered(line)).count();
            (good, clock.mono().since(deadline))
        }));
        number += 1;
        tokio::time::sleep(every).await;
    }
    let load = rig.service.erp_load();
    let done: Vec<(usize, Duration)> = join_all(pages).await.into_iter().map(Result::unwrap).collect();
    Outcome {
        good_lines: done.iter().map(|(good, _)| good).sum(),
        late: done.iter().map(|(_, late)| *late).max().unwrap(),
        load,
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_capacity_as_much_is_answered_in_time_and_the_rest_is_told() {
    // Ten calls a second may leave, a page each.
    let peak = offered(Duration::from_millis(100)).await.good_lines;
    assert!(peak >= 140 * 24, "the budget is used: {peak}");
    for times in [2, 5, 10] {
        let outcome = offered(Duration::from_millis(100) / times).await;
        let share = outcome.good_lines * 100 / peak;
        assert!(share >= 90, "at {times} times the capacity {share} % of the peak");
        assert!(outcome.late <= Duration::from_millis(10), "{:?} after a deadline", outcome.late);
        assert!(outcome.load.waiting <= Budget::default().queue_lines_max, "{:?}", outcome.load);
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_erp_is_not_stampeded() {
    let rig = measured(4);
    customers(&rig).await;
    rig.faults(Faults { down: true, ..Faults::default() });
    let asked = async |rig: &Rig, rounds: usize| {
        for round in 0..rounds {
            let pages = (0..25).map(|page| {
                let mut query =
                    known(rig, page, Purpose::List, (round * 25 + page) * 100, 100, Duration::from_millis(500));
                query.max_age = None;
                rig.ask(query)
            });
            join_all(pages).await;
        }
    };
    asked(&rig, 20).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    rig.erp.reset_stats();
    rig.faults(Faults::default());
    let start = rig.clock.mono();
    // Everybody comes back at once, for 50,000 keys, and again and again.
    for _ in 0..2 {
        asked(&rig, 20).await;
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    let stats = rig.erp.stats();
    assert!(stats.calls_per_minute_peak <= 600 && stats.in_flight_peak <= 4, "{stats:?}");
    let starts: Vec<Duration> = stats.recent.iter().map(|call| call.start).collect();
    let tenth = Duration::from_millis(100);
    let worst =
        starts.iter().map(|from| starts.iter().filter(|at| **at >= *from && **at < *from + tenth).count()).max();
    // 600 a minute is one a tenth of a second; the burst is twice the four calls at a time.
    assert!(worst.unwrap() <= 1 + 8, "{worst:?}");
    assert!(stats.calls > 250, "it is used all the same: {}", stats.calls);
    assert!(rig.clock.mono().since(start) < Duration::from_secs(200));
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_too_little_time_is_told_at_once_and_finds_the_figure_later() {
    let slow = Behaviour::fixed(Duration::from_secs(2), 4);
    let rig = rig_behaving(slow, SimulatedOptions::default(), Budget::default());
    let mut first = rig.query(Some("C-00002"), skus(1));
    first.deadline = first.arrival.mono.plus(Duration::from_secs(20));
    rig.ask(first).await;
    let mut query = known(&rig, 1, Purpose::Detail, 70_000, 3, Duration::from_millis(300));
    query.max_age = None;
    let before = rig.clock.mono();
    let answer = rig.ask(query).await;
    assert_eq!(rig.clock.mono(), before, "at once");
    assert!(answer.lines.iter().all(|line| line.reason == Some("refused_early")), "{:?}", answer.lines[0].reason);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut query = known(&rig, 1, Purpose::Detail, 70_000, 3, Duration::from_millis(300));
    query.max_age = None;
    let answer = rig.ask(query).await;
    assert!(answer.lines.iter().all(is_answered));
}

#[tokio::test(start_paused = true)]
async fn in_maintenance_callers_are_told_and_nothing_is_asked() {
    // The rig's clock begins on Sunday 2026-11-22 at 10:00 UTC.
    let zone = jiff::tz::TimeZone::UTC;
    let maintenance = comptoir::erp::dispatch::Maintenance::new(&["Sun 10:05-Sun 10:30"], zone).unwrap();
    let budget = Budget { maintenance, ..Budget::default() };
    let rig = rig_behaving(Behaviour::demo(), SimulatedOptions::default(), budget);
    let start = rig.clock.mono();
    rig.know("C-00042").await;
    tokio::time::sleep(Duration::from_secs(295)).await;
    let at = rig.clock.mono();
    let answer = rig.ask(rig.query(Some("C-00042"), skus(3))).await;
    assert!(answer.lines.iter().all(|line| line.reason == Some("erp_maintenance")), "{:?}", answer.lines[0]);
    assert_eq!((rig.clock.mono(), rig.erp.stats().calls), (at, 0));
    tokio::time::sleep_until(rig.clock.instant(start.plus(Duration::from_secs(1801)))).await;
    assert_eq!(rig.erp.stats().calls, 1, "what was asked meanwhile is fetched when it is over");
    let answer = rig.ask(rig.query(Some("C-00042"), skus(3))).await;
    assert!(answer.lines.iter().all(is_answered));
}

#[tokio::test(start_paused = true)]
async fn after_an_unclean_end_there_is_one_call_at_a_time_for_a_while() {
    let budget = Budget { unclean_start: true, ..Budget::default() };
    let rig = rig_behaving(Behaviour::demo(), SimulatedOptions::default(), budget);
    let pages = |rig: &Rig, from: usize| {
        let queries: Vec<OfferQuery> =
            (from..from + 8).map(|n| rig.query(Some(&format!("C-{n:05}")), skus(3))).collect();
        queries
    };
    join_all(pages(&rig, 1).into_iter().map(|query| rig.ask(query))).await;
    assert_eq!(rig.erp.stats().in_flight_peak, 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    join_all(pages(&rig, 11).into_iter().map(|query| rig.ask(query))).await;
    assert_eq!(rig.erp.stats().in_flight_peak, 4);
}
