//! Goodput: what callers get in time when more is asked than the ERP can do, and only the ERP itself is the limit.

use std::time::Duration;

use comptoir::domain::Purpose;
use comptoir::erp::connectors::simulated::catalogue::dice;
use comptoir::erp::connectors::simulated::{Behaviour, CatalogueConfig, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use futures_util::future::join_all;

use crate::rig::{is_answered, rig_of_all};

const LINES: u64 = 36;

/// Pages of customers and SKUs nobody asked for before, `per_second` of them at irregular times, for `seconds`; each caller
/// gives 900 ms. How many lines were answered in time.
async fn goodput(per_second: u64, seconds: u64) -> usize {
    let behaviour = Behaviour { concurrency: 4, ..Behaviour::measured() };
    let catalogue = CatalogueConfig { skus: 1_000_000, customers: 5_000, ..CatalogueConfig::default() };
    let rig = rig_of_all(catalogue, behaviour, SimulatedOptions::default(), Budget::default());
    let (start, end) = (rig.clock.mono(), Duration::from_secs(seconds));
    let mut pages = Vec::new();
    for number in 0.. {
        let throw = |of: u64| dice(1, &[of, number]);
        tokio::time::sleep(Duration::from_micros(throw(0) % (2_000_000 / per_second))).await;
        if rig.clock.mono().since(start) >= end {
            break;
        }
        let skus = (0..LINES).map(|line| format!("SKU-{:06}", dice(2, &[number, line]) % 1_000_000 + 1));
        let mut query = rig.query(Some(&format!("C-{:05}", throw(1) % 5_000 + 1)), skus);
        query.purpose = match throw(2) % 100 {
            0..80 => Purpose::List,
            80..90 => Purpose::Detail,
            90..98 => Purpose::Cart,
            _ => Purpose::Checkout,
        };
        query.deadline = query.arrival.mono.plus(Duration::from_millis(900));
        let service = rig.service.clone();
        pages.push(tokio::spawn(async move {
            let answer = service.answer(query).await.unwrap();
            answer.lines.iter().filter(|line| is_answered(line)).count()
        }));
    }
    join_all(pages).await.into_iter().map(Result::unwrap).sum()
}

#[tokio::test(start_paused = true)]
async fn beyond_what_the_erp_can_do_as_much_is_answered_in_time() {
    // Four at a time bring 25 pages a second, less what the customers' facts take. In twelve seconds the queue is full.
    let mut good = Vec::new();
    for rate in [25, 50, 125, 250] {
        good.push((rate, goodput(rate, 12).await));
    }
    let peak = good.iter().map(|(_, lines)| *lines).max().unwrap();
    assert!(peak >= 12 * 700, "the ERP is used: {good:?}");
    for (rate, lines) in &good[1..] {
        assert!(lines * 100 >= peak * 90, "at {rate} pages a second {} % of the peak: {good:?}", lines * 100 / peak);
    }
}
