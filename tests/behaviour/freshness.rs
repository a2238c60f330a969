//! Every figure says how old it is, and is never older than was agreed.

use std::time::Duration;

use comptoir::domain::{CustomerId, Purpose, Sku};
use comptoir::erp::connectors::simulated::Faults;
use comptoir::offer::{LineStatus, OfferError, Parts, Source};

use crate::rig::{Rig, net, price_freshness, rig, skus, stock_freshness};

fn set_price(rig: &Rig, price: &str) {
    let customer = CustomerId::new("C-00042").unwrap();
    let sku = Sku::new("SKU-000001").unwrap();
    rig.erp.set_price(Some(customer), sku, Some(price.parse().unwrap())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn age_counts_from_the_start_of_the_erp_call() {
    let rig = rig();
    rig.know("C-00042").await;
    let asked = rig.clock.read().wall;
    let line = rig.one("C-00042", "SKU-000001").await;
    let freshness = price_freshness(&line).unwrap();
    assert_eq!(freshness.observed_at, asked);
    assert_eq!(freshness.expires_at, asked.plus(Duration::from_secs(300)), "DETAIL");
    assert_eq!(stock_freshness(&line).unwrap().expires_at, asked.plus(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_stale_price_is_served_while_one_refresh_runs() {
    let rig = rig();
    rig.one("C-00042", "SKU-000001").await;
    rig.erp.reset_stats();
    set_price(&rig, "1.2300");
    tokio::time::sleep(Duration::from_secs(301)).await;
    // The price alone: stock is too old by now to be served before it was asked again.
    let price = || {
        let mut query = rig.query(Some("C-00042"), ["SKU-000001"]);
        query.parts = Parts { price: true, availability: false };
        query
    };
    for _ in 0..10 {
        let line = rig.ask(price()).await.lines.remove(0);
        let freshness = price_freshness(&line).unwrap();
        assert_eq!((freshness.source, freshness.stale), (Source::Memory, Some("pending")));
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(rig.erp.stats().calls, 1);
    let line = rig.ask(price()).await.lines.remove(0);
    assert_eq!(price_freshness(&line).unwrap().stale, None);
    assert_eq!(net(&line).as_deref(), Some("1.2300"));
}

#[tokio::test(start_paused = true)]
async fn checkout_never_takes_a_price_from_before_it_asked() {
    let rig = rig();
    rig.one("C-00042", "SKU-000001").await;
    // A call that left before the price changed is in the air when checkout asks.
    let service = rig.service.clone();
    let mut early = rig.query(Some("C-00042"), ["SKU-000001"]);
    early.max_age = Some(Duration::ZERO);
    let early = tokio::spawn(async move { service.answer(early).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(10)).await;
    set_price(&rig, "9.9900");
    let mut checkout = rig.query(Some("C-00042"), ["SKU-000001"]);
    checkout.purpose = Purpose::Checkout;
    let answer = rig.ask(checkout).await;
    assert_eq!(net(&answer.lines[0]).as_deref(), Some("9.9900"));
    assert_ne!(net(&early.await.unwrap().lines[0]).as_deref(), Some("9.9900"));
}

#[tokio::test(start_paused = true)]
async fn with_the_erp_down_a_list_is_served_marked_and_checkout_is_refused() {
    let rig = rig();
    rig.ask(rig.query(Some("C-00042"), skus(5))).await;
    rig.faults(Faults { down: true, ..Faults::default() });
    tokio::time::sleep(Duration::from_secs(3600)).await;

    let mut list = rig.query(Some("C-00042"), skus(5));
    list.purpose = Purpose::List;
    let answer = rig.ask(list).await;
    for line in &answer.lines {
        assert_eq!(line.status, LineStatus::Ok);
        assert_eq!(price_freshness(line).unwrap().stale, Some("erp_unreachable"));
        assert_eq!(stock_freshness(line).unwrap().stale, Some("erp_unreachable"));
    }

    let mut checkout = rig.query(Some("C-00042"), skus(5));
    checkout.purpose = Purpose::Checkout;
    let answer = rig.ask(checkout).await;
    for line in &answer.lines {
        assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("erp_unreachable")));
        assert_eq!(net(line), None);
    }

    // Back again: fresh, with no restart.
    rig.faults(Faults::default());
    let answer = rig.ask(rig.query(Some("C-00042"), skus(5))).await;
    assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().stale.is_none()));
}

#[tokio::test(start_paused = true)]
async fn beyond_its_policy_nothing_is_served() {
    let rig = rig();
    rig.ask(rig.query(Some("C-00042"), skus(1))).await;
    rig.faults(Faults { down: true, ..Faults::default() });
    let list = || {
        let mut list = rig.query(Some("C-00042"), skus(1));
        list.purpose = Purpose::List;
        rig.ask(list)
    };
    // 10 minutes fresh and 72 hours beyond. The day has changed meanwhile, three times: that is said.
    tokio::time::sleep(Duration::from_secs(72 * 3600 + 590)).await;
    let line = list().await.lines.remove(0);
    assert_eq!((line.status, price_freshness(&line).unwrap().stale), (LineStatus::Ok, Some("day_changed")));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(list().await.lines[0].status, LineStatus::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_price_is_gone_even_with_the_erp_down() {
    use comptoir::cache::epochs::Word;
    let rig = rig();
    rig.one("C-00042", "SKU-000001").await;
    rig.one("C-00043", "SKU-000001").await;
    rig.faults(Faults { down: true, ..Faults::default() });
    rig.service.knowledge().epochs.invalidate([Word::CustomerSku("C-00042", "SKU-000001")]);
    let mut query = rig.query(Some("C-00042"), ["SKU-000001"]);
    query.purpose = Purpose::List;
    let line = rig.ask(query).await.lines.remove(0);
    assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("invalidated")));
    assert_eq!(rig.one("C-00043", "SKU-000001").await.status, LineStatus::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_customer_is_unknown_and_remembered_briefly() {
    let rig = rig();
    for _ in 0..3 {
        let error = rig.service.answer(rig.query(Some("NOBODY"), skus(1))).await.unwrap_err();
        assert_eq!(error, OfferError::CustomerUnknown);
    }
    assert_eq!(rig.erp.stats().calls, 1);
    tokio::time::sleep(Duration::from_secs(31)).await;
    let _ = rig.service.answer(rig.query(Some("NOBODY"), skus(1))).await;
    assert_eq!(rig.erp.stats().calls, 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_sku_is_remembered_briefly() {
    let rig = rig();
    rig.know("C-00042").await;
    for _ in 0..3 {
        assert_eq!(rig.one("C-00042", "NO-SUCH").await.status, LineStatus::UnknownSku);
    }
    assert_eq!(rig.erp.stats().calls, 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    rig.one("C-00042", "NO-SUCH").await;
    assert_eq!(rig.erp.stats().calls, 2);
}

#[tokio::test(start_paused = true)]
async fn each_no_has_its_own_lifetime_and_says_it() {
    use comptoir::offer::{NoAges, OfferConfig};
    let seconds = Duration::from_secs;
    let no = NoAges { unknown_sku: seconds(10), no_price: seconds(20), not_for_sale: seconds(30), ..NoAges::default() };
    let rig = crate::rig::rig_configured(OfferConfig { no, ..OfferConfig::default() });
    rig.know("C-00042").await;
    // By their numbers: on request, not for sale.
    let page = ["NO-SUCH", "SKU-000101", "SKU-000150"];
    let price = |max_age: Option<u64>| {
        let mut query = rig.query(Some("C-00042"), page);
        query.max_age = max_age.map(Duration::from_secs);
        query.parts = Parts { price: true, availability: false };
        rig.ask(query)
    };
    let asked = rig.clock.read().wall;
    let answer = price(None).await;
    let statuses: Vec<_> = answer.lines.iter().map(|line| line.status).collect();
    assert_eq!(statuses, [LineStatus::UnknownSku, LineStatus::OnRequest, LineStatus::NotForSale]);
    assert_eq!(price_freshness(&answer.lines[1]).unwrap().expires_at, asked.plus(seconds(20)));
    for (wait, lines) in [(9, 0), (2, 1), (10, 2), (10, 3)] {
        rig.erp.reset_stats();
        tokio::time::sleep(seconds(wait)).await;
        price(None).await;
        // What was asked again is remembered anew, so at most one more comes due each time.
        assert!(rig.erp.stats().lines >= u64::from(lines > 0) && rig.erp.stats().lines <= lines, "after {wait} s");
    }
    // Who accepts nothing that was read before they asked takes no remembered no either.
    rig.erp.reset_stats();
    let answer = price(Some(0)).await;
    assert_eq!(rig.erp.stats().lines, 3);
    assert!(price_freshness(&answer.lines[1]).unwrap().source == Source::Erp);
}

#[tokio::test(start_paused = true)]
async fn who_accepts_nothing_old_takes_no_remembered_unknown_customer() {
    let rig = rig();
    let ask = |purpose| {
        let mut query = rig.query(Some("NOBODY"), skus(1));
        query.purpose = purpose;
        rig.service.answer(query)
    };
    for (purpose, calls) in [(Purpose::List, 1), (Purpose::List, 1), (Purpose::Checkout, 2), (Purpose::List, 2)] {
        assert_eq!(ask(purpose).await.unwrap_err(), OfferError::CustomerUnknown);
        assert_eq!(rig.erp.stats().calls, calls);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
