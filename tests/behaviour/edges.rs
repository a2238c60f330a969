//! Where a price ends: at a told end always, at midnight unless nothing better can be had.

use std::time::Duration;

use comptoir::cache::key::BookScope;
use comptoir::domain::{Purpose, Scope};
use comptoir::erp::connectors::simulated::{CatalogueConfig, Faults, SimulatedOptions};
use comptoir::erp::dispatch::{Budget, Maintenance};
use comptoir::offer::freshness::{soft_time, spread};
use comptoir::offer::{LineAnswer, LineStatus, OfferConfig, Parts, Source};
use jiff::tz::TimeZone;

use crate::rig::{Rig, net, price_freshness, rig, rig_configured, rig_of, rig_with, skus, stock_freshness};

const CUSTOMER: &str = "C-00042";

/// Sleeps until this instant.
async fn at(rig: &Rig, instant: &str) {
    let instant = instant.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let now = rig.clock.read().wall.0;
    assert!(now <= instant, "{instant} has passed");
    tokio::time::sleep(Duration::from_millis((instant - now) as u64)).await;
}

async fn price(rig: &Rig, purpose: Purpose, sku: &str) -> LineAnswer {
    let mut query = rig.query(Some(CUSTOMER), [sku]);
    query.purpose = purpose;
    query.parts = Parts { price: true, availability: false };
    rig.ask(query).await.lines.remove(0)
}

fn down(rig: &Rig, down: bool) {
    rig.faults(Faults { down, ..Faults::default() });
}

// Midnight in Paris is 23:00Z; these tests begin at 10:00Z on 2026-11-22.

#[tokio::test(start_paused = true)]
async fn at_midnight_a_list_shows_yesterdays_price_marked_while_todays_is_asked() {
    let rig = rig();
    at(&rig, "2026-11-22T22:59:50Z").await;
    price(&rig, Purpose::List, "SKU-000001").await;
    rig.erp.reset_stats();
    at(&rig, "2026-11-22T22:59:59.999Z").await;
    assert_eq!(price_freshness(&price(&rig, Purpose::List, "SKU-000001").await).unwrap().stale, None);
    at(&rig, "2026-11-22T23:00:00Z").await;
    for _ in 0..3 {
        let line = price(&rig, Purpose::List, "SKU-000001").await;
        assert_eq!(price_freshness(&line).unwrap().stale, Some("day_changed"));
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    let line = price(&rig, Purpose::List, "SKU-000001").await;
    assert_eq!(price_freshness(&line).unwrap().stale, None);
    assert_eq!(rig.erp.stats().calls, 1, "one refresh");
}

#[tokio::test(start_paused = true)]
async fn checkout_and_callers_who_name_the_day_are_never_given_yesterdays_price() {
    let rig = rig();
    at(&rig, "2026-11-22T22:59:50Z").await;
    price(&rig, Purpose::List, "SKU-000001").await;
    down(&rig, true);
    at(&rig, "2026-11-23T08:00:00Z").await;
    let line = price(&rig, Purpose::List, "SKU-000001").await;
    assert_eq!(price_freshness(&line).unwrap().stale, Some("day_changed"));
    let line = price(&rig, Purpose::Checkout, "SKU-000001").await;
    assert_eq!((line.status, net(&line)), (LineStatus::Unavailable, None));
    let mut today = rig.query(Some(CUSTOMER), ["SKU-000001"]);
    today.purpose = Purpose::List;
    today.price_date = Some(jiff::civil::date(2026, 11, 23));
    assert_eq!(rig.ask(today).await.lines[0].status, LineStatus::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn even_with_patience_of_its_own_checkout_does_not_cross_the_day() {
    let mut config = OfferConfig::default();
    config.patience_mut(Purpose::Checkout).price = config.patience(Purpose::List).price;
    let rig = rig_configured(config);
    at(&rig, "2026-11-22T22:59:50Z").await;
    price(&rig, Purpose::Checkout, "SKU-000001").await;
    down(&rig, true);
    at(&rig, "2026-11-22T22:59:55Z").await;
    assert_eq!(price(&rig, Purpose::Checkout, "SKU-000001").await.status, LineStatus::Ok);
    at(&rig, "2026-11-22T23:00:00Z").await;
    assert_eq!(price(&rig, Purpose::Checkout, "SKU-000001").await.status, LineStatus::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_erp_that_prices_for_now_has_no_midnight() {
    let options = SimulatedOptions { dated: false, ..SimulatedOptions::default() };
    let rig = rig_with(options, Budget::default());
    at(&rig, "2026-11-22T22:59:50Z").await;
    price(&rig, Purpose::List, "SKU-000001").await;
    rig.erp.reset_stats();
    at(&rig, "2026-11-22T23:01:00Z").await;
    let line = price(&rig, Purpose::List, "SKU-000001").await;
    assert_eq!(price_freshness(&line).unwrap().stale, None);
    assert_eq!(rig.erp.stats().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_told_to_end_is_shown_after_its_end_erp_down_included() {
    let rig = rig();
    // Every fifth SKU's price is told to hold until the last day of the year.
    at(&rig, "2026-12-31T22:59:50Z").await;
    for sku in ["SKU-000005", "SKU-000006"] {
        price(&rig, Purpose::List, sku).await;
    }
    down(&rig, true);
    at(&rig, "2026-12-31T22:59:59.999Z").await;
    let line = price(&rig, Purpose::List, "SKU-000005").await;
    let freshness = price_freshness(&line).unwrap();
    assert_eq!(freshness.stale, None);
    assert_eq!(freshness.expires_at.to_string(), "2026-12-31T23:00:00Z", "cut at the end");
    at(&rig, "2026-12-31T23:00:00Z").await;
    assert_eq!(price(&rig, Purpose::List, "SKU-000005").await.status, LineStatus::Unavailable);
    assert_eq!(price(&rig, Purpose::List, "SKU-000006").await.status, LineStatus::Ok, "this one was told no end");
}

#[tokio::test(start_paused = true)]
async fn who_waits_past_the_end_is_not_given_what_has_ended() {
    let rig = rig();
    at(&rig, "2026-12-31T22:55:00Z").await;
    price(&rig, Purpose::Cart, "SKU-000005").await;
    price(&rig, Purpose::Cart, "SKU-000006").await;
    rig.faults(Faults { hang: true, ..Faults::default() });
    // Too old for a cart, and servable if the ERP fails: by the time that is clear, one of them has ended.
    at(&rig, "2026-12-31T22:59:59Z").await;
    let mut query = rig.query(Some(CUSTOMER), ["SKU-000005", "SKU-000006"]);
    query.purpose = Purpose::Cart;
    query.parts = Parts { price: true, availability: false };
    let lines = rig.ask(query).await.lines;
    assert_eq!((lines[0].status, lines[0].reason), (LineStatus::Unavailable, Some("validity_ended")));
    assert_eq!((lines[1].status, price_freshness(&lines[1]).unwrap().stale), (LineStatus::Ok, Some("pending")));
}

#[tokio::test(start_paused = true)]
async fn who_waits_past_the_end_for_their_own_facts_is_not_given_what_has_ended() {
    let mut config = OfferConfig::default();
    config.patience_mut(Purpose::List).price.max_age = Duration::from_secs(24 * 3600);
    config.customers.stale_while_revalidate = Duration::ZERO;
    let rig = rig_configured(config);
    at(&rig, "2026-12-31T22:00:00Z").await;
    price(&rig, Purpose::List, "SKU-000005").await;
    // The price is fresh, the facts are too old: the ERP is asked who the customer is, until after the end.
    at(&rig, "2026-12-31T22:59:59.980Z").await;
    let line = price(&rig, Purpose::List, "SKU-000005").await;
    assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("validity_ended")));
}

#[tokio::test(start_paused = true)]
async fn days_end_where_the_erps_clock_says_summer_time_included() {
    let rig = rig();
    // The night summer time begins: midnight is 23:00Z before it and 22:00Z after it.
    for (before, midnight) in
        [("2027-03-27T22:59:59Z", "2027-03-27T23:00:00Z"), ("2027-03-28T21:59:59Z", "2027-03-28T22:00:00Z")]
    {
        at(&rig, before).await;
        price(&rig, Purpose::List, "SKU-000001").await;
        assert_eq!(price_freshness(&price(&rig, Purpose::List, "SKU-000001").await).unwrap().stale, None);
        at(&rig, midnight).await;
        let line = price(&rig, Purpose::List, "SKU-000001").await;
        assert_eq!(price_freshness(&line).unwrap().stale, Some("day_changed"), "{midnight}");
    }
}

#[tokio::test(start_paused = true)]
async fn before_its_soft_time_a_hit_costs_no_call_and_from_then_on_one() {
    // P10, to the millisecond. DETAIL: five minutes fresh, five more stale, 24 hours if the ERP fails.
    let max_age = Duration::from_secs(300);
    let scope = BookScope {
        scope: Scope::Customer(CUSTOMER),
        company: None,
        ship_to: None,
        currency: "EUR".parse().unwrap(),
        price_date: Some(jiff::civil::date(2026, 11, 22)),
    };
    let mut key = Vec::new();
    scope.write(&mut key);
    for sku in ["SKU-000001", "SKU-000002", "SKU-000003"] {
        let soft = soft_time(max_age, spread(&key, sku.as_bytes()));
        let soft_ms = u64::try_from(soft.as_millis()).unwrap();
        assert!((270_000..=300_000).contains(&soft_ms), "{sku} {soft:?}");
        for (age, calls, stale, waits) in [
            (269_999, 0, None, false),
            (270_000, 0, None, false),
            (soft_ms - 1, 0, None, false),
            (soft_ms.max(270_001), 1, None, false),
            (300_000, 1, None, false),
            (300_001, 1, Some("pending"), false),
            (600_000, 1, Some("pending"), false),
            (600_001, 1, None, true),
        ] {
            let rig = rig();
            rig.know(CUSTOMER).await;
            let asked = rig.clock.mono();
            price(&rig, Purpose::Detail, sku).await;
            rig.erp.reset_stats();
            tokio::time::sleep(Duration::from_millis(age) - rig.clock.mono().since(asked)).await;
            let before = rig.clock.mono();
            // However many ask, there is one refresh.
            let lines = futures_util::future::join_all((0..5).map(|_| price(&rig, Purpose::Detail, sku))).await;
            assert_eq!(rig.clock.mono().since(before).is_zero(), !waits, "{sku} at {age} ms");
            for line in &lines {
                let freshness = price_freshness(line).unwrap();
                let source = if waits { Source::Erp } else { Source::Memory };
                assert_eq!((freshness.stale, freshness.source), (stale, source), "{sku} at {age} ms");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let offers = rig.erp.stats().recent.iter().filter(|call| call.operation.as_str() != "customers").count();
            assert_eq!(offers, calls, "{sku} at {age} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_figure_never_falls_without_a_refresh() {
    let rig = rig();
    price(&rig, Purpose::List, "SKU-000001").await;
    let mut last = None;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(7_919)).await;
        let calls = rig.erp.stats().calls;
        let line = price(&rig, Purpose::List, "SKU-000001").await;
        let observed = price_freshness(&line).unwrap().observed_at;
        if let Some((earlier, before)) = last
            && calls == before
        {
            assert_eq!(observed, earlier);
        }
        last = Some((observed, calls));
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_stale_if_error_stands_during_maintenance() {
    // CART: a minute fresh, ten more if the ERP cannot be asked. The window is from 12:00 to 14:00 in Paris.
    let maintenance = Maintenance::new(&["Sun 12:00-Sun 14:00"], TimeZone::get("Europe/Paris").unwrap()).unwrap();
    for (maintenance, at_13, at_14_20) in [
        (maintenance, LineStatus::Ok, LineStatus::Unavailable),
        (Maintenance::default(), LineStatus::Unavailable, LineStatus::Unavailable),
    ] {
        let rig = rig_of(
            CatalogueConfig::default(),
            SimulatedOptions::default(),
            Budget { maintenance, ..Budget::default() },
        );
        at(&rig, "2026-11-22T10:59:00Z").await;
        price(&rig, Purpose::Cart, "SKU-000001").await;
        down(&rig, true);
        at(&rig, "2026-11-22T12:00:00Z").await;
        assert_eq!(price(&rig, Purpose::Cart, "SKU-000001").await.status, at_13);
        at(&rig, "2026-11-22T13:20:00Z").await;
        assert_eq!(price(&rig, Purpose::Cart, "SKU-000001").await.status, at_14_20);
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_is_fresh_again_as_soon_as_the_budget_allows() {
    let rig = rig();
    let pages: Vec<Vec<String>> = skus(2_000).chunks(100).map(<[String]>::to_vec).collect();
    let ask = |page: &Vec<String>| {
        let mut query = rig.query(Some(CUSTOMER), page.clone());
        query.purpose = Purpose::List;
        rig.ask(query)
    };
    for page in &pages {
        ask(page).await;
    }
    down(&rig, true);
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    let answers = futures_util::future::join_all(pages.iter().map(ask)).await;
    let told = |answer: &comptoir::offer::OfferAnswer| answer.lines.iter().filter(|line| net(line).is_some()).count();
    assert!(answers.iter().map(told).sum::<usize>() > 1_800, "a list is not empty while the ERP is down");
    assert!(
        answers.iter().flat_map(|answer| &answer.lines).filter_map(price_freshness).all(|told| told.stale.is_some()),
        "and says so"
    );
    down(&rig, false);
    tokio::time::sleep(Duration::from_secs(120)).await;
    rig.erp.reset_stats();
    let before = rig.clock.mono();
    let answers = futures_util::future::join_all(pages.iter().map(ask)).await;
    for line in answers.iter().flat_map(|answer| &answer.lines) {
        assert!(price_freshness(line).is_none_or(|told| told.stale.is_none()), "{line:?}");
        assert!(stock_freshness(line).is_none_or(|told| told.stale.is_none()), "{line:?}");
    }
    // 20 calls of 100 lines, four at a time, 50 ms each.
    assert!(rig.clock.mono().since(before) <= Duration::from_millis(400));
    assert!(rig.erp.stats().in_flight_peak <= 4);
}

fn asks_ahead(rig: &Rig) {
    tokio::spawn(rig.service.ask_ahead());
}

#[tokio::test(start_paused = true)]
async fn what_was_read_today_is_there_for_tomorrow_before_midnight() {
    let rig = rig();
    asks_ahead(&rig);
    at(&rig, "2026-11-22T22:50:00Z").await;
    let page = |count: usize| {
        let mut query = rig.query(Some(CUSTOMER), skus(count));
        query.purpose = Purpose::List;
        query.parts = Parts { price: true, availability: false };
        rig.ask(query)
    };
    // Fetched for ten, read again for eight.
    page(10).await;
    page(8).await;
    rig.erp.reset_stats();
    at(&rig, "2026-11-22T22:58:00Z").await;
    assert_eq!(rig.erp.stats().calls, 0, "as late as it can be");
    at(&rig, "2026-11-22T23:00:00Z").await;
    let stats = rig.erp.stats();
    assert_eq!((stats.calls, stats.lines), (1, 8), "once, and only what is read");
    let answer = page(8).await;
    for line in &answer.lines {
        let freshness = price_freshness(line).unwrap();
        assert_eq!((freshness.stale, freshness.source), (None, Source::Memory));
        assert!(freshness.observed_at < rig.clock.read().wall, "with its own age");
    }
    assert_eq!(answer.party.price_date, Some(jiff::civil::date(2026, 11, 23)));
    assert_eq!(rig.erp.stats().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lists_prices_are_asked_ahead_in_either_way_of_sharing() {
    use comptoir::erp::SharesByList;
    for shares in [SharesByList::Question, SharesByList::Answer] {
        let catalogue = CatalogueConfig { list_priced: true, ..CatalogueConfig::default() };
        let options = SimulatedOptions { shares_by_list: Some(shares), ..SimulatedOptions::default() };
        let rig = rig_of(catalogue, options, Budget::default());
        asks_ahead(&rig);
        at(&rig, "2026-11-22T22:55:00Z").await;
        let list = || price(&rig, Purpose::List, "SKU-000001");
        let today = net(&list().await);
        list().await;
        at(&rig, "2026-11-22T23:00:00Z").await;
        rig.erp.reset_stats();
        let line = list().await;
        assert_eq!((price_freshness(&line).unwrap().stale, net(&line)), (None, today), "{shares:?}");
        assert_eq!(rig.erp.stats().calls, 0, "{shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_price_asked_ahead_that_the_erp_then_cannot_confirm_is_no_younger_than_it_is() {
    let rig = rig();
    asks_ahead(&rig);
    at(&rig, "2026-11-22T22:55:00Z").await;
    price(&rig, Purpose::List, "SKU-000001").await;
    price(&rig, Purpose::List, "SKU-000001").await;
    at(&rig, "2026-11-22T23:00:00Z").await;
    down(&rig, true);
    at(&rig, "2026-11-22T23:30:00Z").await;
    let line = price(&rig, Purpose::List, "SKU-000001").await;
    let freshness = price_freshness(&line).unwrap();
    assert_eq!(freshness.stale, Some("erp_unreachable"), "today's price, asked ahead, too old by now");
    assert!(freshness.expires_at < rig.clock.read().wall);
}
