//! Customers on one list share its prices, and nobody ever sees what is another's.

use std::time::Duration;

use comptoir::cache::epochs::Word;
use comptoir::clock::{Clock, Timestamp};
use comptoir::domain::{CustomerId, Purpose, Sku};
use comptoir::erp::SharesByList;
use comptoir::erp::connectors::simulated::{CatalogueConfig, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{LineStatus, OfferAnswer, Source, StreamItem};
use futures_util::future::join_all;
use proptest::prelude::*;

use crate::rig::{Rig, net, price_freshness, rig_of, skus};

const WAYS: [SharesByList; 2] = [SharesByList::Question, SharesByList::Answer];

/// Over an ERP whose customers have the prices of their lists.
fn list_priced(shares: SharesByList) -> Rig {
    rig_sharing(shares, true)
}

fn rig_sharing(shares: SharesByList, list_priced: bool) -> Rig {
    let catalogue = CatalogueConfig { list_priced, ..CatalogueConfig::default() };
    let options = SimulatedOptions { shares_by_list: Some(shares), ..SimulatedOptions::default() };
    rig_of(catalogue, options, Budget::default())
}

fn id(customer: &str) -> CustomerId {
    CustomerId::new(customer).unwrap()
}

/// Customers who buy from the same list, in euros.
fn neighbours(rig: &Rig, count: usize) -> Vec<String> {
    let facts = |number: usize| rig.erp.customer(Some(&id(&format!("C-{number:05}")))).unwrap();
    let first = facts(1);
    (1..5000)
        .filter(|&number| {
            let one = facts(number);
            one.price_list == first.price_list && one.currency == first.currency && !one.blocked
        })
        .map(|number| format!("C-{number:05}"))
        .take(count)
        .collect()
}

fn set_price(rig: &Rig, customer: &str, sku: &str, price: Option<&str>) {
    let price = price.map(|text| text.parse().unwrap());
    rig.erp.set_price(Some(id(customer)), Sku::new(sku).unwrap(), price).unwrap();
}

fn truth(rig: &Rig, customer: &str, sku: &str) -> String {
    let currency = rig.erp.customer(Some(&id(customer))).unwrap().currency.unwrap();
    let row = rig.erp.offer(Some(&id(customer)), currency, rig.erp.today(), &Sku::new(sku).unwrap());
    row.line.unwrap().net_price.to_string()
}

fn check(rig: &Rig, customer: &str, skus: &[String], answer: &OfferAnswer) {
    for (sku, line) in skus.iter().zip(&answer.lines) {
        assert_eq!(net(line), Some(truth(rig, customer, sku)), "{customer} {sku} {line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_asked_is_there_for_the_others_on_the_list() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 3);
        for customer in &customers {
            rig.know(customer).await;
        }
        for customer in &customers {
            let answer = rig.ask(rig.query(Some(customer), skus(48))).await;
            check(&rig, customer, &skus(48), &answer);
        }
        assert_eq!(rig.erp.stats().calls, 1, "{shares:?}");
        // Another list's customer shares none of it.
        let list = rig.erp.customer(Some(&id(&customers[0]))).unwrap().price_list;
        let stranger = (1..100).map(|n| format!("C-{n:05}"));
        let stranger =
            stranger.into_iter().find(|one| rig.erp.customer(Some(&id(one))).unwrap().price_list != list).unwrap();
        let answer = rig.ask(rig.query(Some(&stranger), skus(48))).await;
        check(&rig, &stranger, &skus(48), &answer);
        assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().source == Source::Erp));
    }
}

#[tokio::test(start_paused = true)]
async fn customers_of_a_list_who_ask_at_once_are_one_call_where_the_question_names_nobody() {
    for (shares, calls) in [(SharesByList::Question, 1), (SharesByList::Answer, 20)] {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 20);
        for customer in &customers {
            rig.know(customer).await;
        }
        let answers = join_all(customers.iter().map(|customer| rig.ask(rig.query(Some(customer), skus(24))))).await;
        for (customer, answer) in customers.iter().zip(&answers) {
            check(&rig, customer, &skus(24), answer);
        }
        assert_eq!(rig.erp.stats().calls, calls, "{shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_customer_first_seen_costs_two_round_trips_a_known_one_one_and_a_shared_page_none() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 2);
        let mut took = Vec::new();
        for (customer, first) in [(&customers[0], 0), (&customers[0], 50), (&customers[1], 0), (&customers[1], 50)] {
            let before = rig.clock.mono();
            let page: Vec<String> = skus(90)[first..first + 40].to_vec();
            let answer = rig.ask(rig.query(Some(customer), page.clone())).await;
            assert!(answer.lines.iter().all(|line| line.status != LineStatus::Unavailable));
            took.push(rig.clock.mono().since(before).as_millis());
        }
        // The second customer's first page needs nothing but who they are.
        assert_eq!(took, [100, 50, 50, 0], "{shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn checkout_takes_no_price_that_rests_on_old_facts() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customer = &neighbours(&rig, 1)[0];
        rig.ask(rig.query(Some(customer), skus(3))).await;
        // By now they have a price of their own, which the facts in memory do not say.
        set_price(&rig, customer, "SKU-000001", Some("1.2300"));
        tokio::time::sleep(Duration::from_secs(30)).await;
        let before = rig.clock.mono();
        let mut checkout = rig.query(Some(customer), skus(3));
        checkout.purpose = Purpose::Checkout;
        let asked = checkout.arrival.wall;
        let answer = rig.ask(checkout).await;
        check(&rig, customer, &skus(3), &answer);
        assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().observed_at >= asked), "{shares:?}");
        assert_eq!(rig.clock.mono().since(before).as_millis(), 50, "asked by name, in one round trip");
        // What was said then stays theirs alone, also for a list page before their facts are read again.
        let answer = rig.ask(rig.query(Some(customer), skus(3))).await;
        check(&rig, customer, &skus(3), &answer);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_price_is_no_younger_than_its_readers_facts() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 2);
        let list = |customer: &str| {
            let mut query = rig.query(Some(customer), ["SKU-000001"]);
            query.purpose = Purpose::List;
            rig.ask(query)
        };
        let known_at = rig.clock.read().wall;
        rig.know(&customers[0]).await;
        list(&customers[0]).await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        // The list's price is read anew for somebody else.
        rig.service.knowledge().epochs.invalidate([Word::Sku("SKU-000001")]);
        let renewed = rig.clock.read().wall;
        list(&customers[1]).await;
        let calls = rig.erp.stats().calls;
        let freshness = price_freshness(&list(&customers[0]).await.lines[0]).unwrap();
        assert_eq!(rig.erp.stats().calls, calls, "{shares:?}: shared");
        assert!(known_at < renewed);
        assert_eq!(freshness.observed_at, known_at);
        assert_eq!(freshness.expires_at, freshness.observed_at.plus(Duration::from_secs(600)));
        assert_eq!(freshness.stale, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_customer_asks_again_and_the_others_on_the_list_do_not() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 2);
        for customer in &customers {
            rig.ask(rig.query(Some(customer), skus(5))).await;
        }
        rig.service.knowledge().epochs.invalidate([Word::Customer(&customers[0])]);
        rig.erp.reset_stats();
        rig.ask(rig.query(Some(&customers[1]), skus(5))).await;
        assert_eq!(rig.erp.stats().calls, 0);
        let answer = rig.ask(rig.query(Some(&customers[0]), skus(5))).await;
        check(&rig, &customers[0], &skus(5), &answer);
        assert_eq!(rig.erp.stats().lines, 5);
        // One refetch serves both.
        rig.ask(rig.query(Some(&customers[1]), skus(5))).await;
        assert_eq!(rig.erp.stats().lines, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_question_answered_with_somebodys_own_price_is_asked_again_by_name() {
    // Prices of one's own for nearly everything: the list's question cannot be answered for them.
    let rig = rig_sharing(SharesByList::Question, false);
    let customers = neighbours(&rig, 3);
    for customer in &customers {
        rig.know(customer).await;
    }
    for (n, customer) in customers.iter().enumerate() {
        let answer = rig.ask(rig.query(Some(customer), skus(10))).await;
        check(&rig, customer, &skus(10), &answer);
        // The first finds out; from then on the line is asked by name at once.
        assert_eq!(rig.erp.stats().calls as usize, n + 2, "{customer}");
    }
    let answer = rig.ask(rig.query(Some(&customers[0]), skus(10))).await;
    assert!(answer.lines.iter().all(|line| price_freshness(line).unwrap().source == Source::Memory));

    // The same for a caller who takes the lines as they come.
    let page: Vec<String> = skus(40)[20..].to_vec();
    let (send, mut receive) = tokio::sync::mpsc::channel(16);
    let streamed = rig.service.stream(rig.query(Some(&customers[1]), page.clone()), send);
    let received = async {
        let mut lines = vec![None; page.len()];
        while let Some(item) = receive.recv().await {
            if let StreamItem::Offers(offers) = item {
                for (index, line) in offers {
                    assert!(lines[index].replace(line).is_none(), "each line once");
                }
            }
        }
        lines
    };
    let (result, lines) = tokio::join!(streamed, received);
    result.unwrap();
    for (sku, line) in page.iter().zip(lines) {
        assert_eq!(net(&line.unwrap()), Some(truth(&rig, &customers[1], sku)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_special_price_that_ends_gives_way_to_the_lists() {
    for shares in WAYS {
        let rig = list_priced(shares);
        let customers = neighbours(&rig, 2);
        set_price(&rig, &customers[0], "SKU-000001", Some("1.2300"));
        for customer in &customers {
            let answer = rig.ask(rig.query(Some(customer), skus(2))).await;
            check(&rig, customer, &skus(2), &answer);
        }
        set_price(&rig, &customers[0], "SKU-000001", None);
        rig.service.knowledge().epochs.invalidate([Word::Customer(&customers[0])]);
        for _ in 0..2 {
            let answer = rig.ask(rig.query(Some(&customers[0]), skus(2))).await;
            check(&rig, &customers[0], &skus(2), &answer);
        }
        // Long after, every read is shared again: nothing of his own is in the way.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        rig.ask(rig.query(Some(&customers[1]), skus(2))).await;
        rig.ask(rig.query(Some(&customers[0]), skus(2))).await;
        let calls = rig.erp.stats().calls;
        let answer = rig.ask(rig.query(Some(&customers[0]), skus(2))).await;
        check(&rig, &customers[0], &skus(2), &answer);
        assert_eq!(rig.erp.stats().calls, calls, "{shares:?}");
    }
}

/// One page of somebody on the list, some time after the one before was asked.
#[derive(Clone, Debug)]
struct Step {
    customer: usize,
    first_sku: usize,
    skus: usize,
    wait_ms: u64,
    purpose: Purpose,
    max_age: Option<u64>,
}

fn step() -> impl Strategy<Value = Step> {
    let purpose = prop_oneof![4 => Just(Purpose::List), 3 => Just(Purpose::Detail), 1 => Just(Purpose::Checkout)];
    let wait = prop_oneof![3 => Just(0u64), 3 => 1u64..60, 2 => 60u64..5_000, 2 => 60_000u64..1_200_000];
    let max_age = prop_oneof![5 => Just(None), 1 => Just(Some(0)), 1 => (0u64..400).prop_map(Some)];
    (0usize..4, 0usize..3, 1usize..4, wait, purpose, max_age).prop_map(
        |(customer, first_sku, skus, wait_ms, purpose, max_age)| Step {
            customer,
            first_sku,
            skus,
            wait_ms,
            purpose,
            max_age,
        },
    )
}

/// Asks in this order, each without waiting for the ones before, and checks every price.
async fn run(rig: &Rig, customers: &[String], steps: &[Step]) {
    let all = skus(6);
    let mut under_way = Vec::new();
    for step in steps {
        tokio::time::sleep(Duration::from_millis(step.wait_ms)).await;
        let customer = customers[step.customer].clone();
        let page = all[step.first_sku..step.first_sku + step.skus].to_vec();
        let mut query = rig.query(Some(&customer), page.clone());
        query.purpose = step.purpose;
        query.max_age = step.max_age.map(Duration::from_secs);
        let service = rig.service.clone();
        under_way.push((customer, page, tokio::spawn(async move { service.answer(query).await.unwrap() })));
    }
    for (customer, page, answer) in under_way {
        check(rig, &customer, &page, &answer.await.unwrap());
    }
}

fn interleavings(shares: SharesByList, list_priced: bool, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let rig = rig_sharing(shares, list_priced);
        let customers = neighbours(&rig, 4);
        for (n, sku) in ["SKU-000001", "SKU-000003"].into_iter().enumerate() {
            set_price(&rig, &customers[0], sku, Some(["0.0100", "0.0300"][n]));
        }
        run(&rig, &customers, steps).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// One of four on a list has special prices: in every order and coalescing, by both ways of sharing, nobody else ever
    /// gets them, and he always does.
    #[test]
    fn nobody_gets_another_ones_special_price_and_he_always_gets_it(steps in prop::collection::vec(step(), 1..24)) {
        for shares in WAYS {
            interleavings(shares, true, &steps);
        }
    }

    /// The same where the declaration is wrong: nearly every price is somebody's own.
    #[test]
    fn a_wrong_declaration_costs_calls_and_shows_no_wrong_price(steps in prop::collection::vec(step(), 1..16)) {
        for shares in WAYS {
            interleavings(shares, false, &steps);
        }
    }
}

#[test]
fn the_clock_of_these_tests_is_virtual() {
    // The runtimes above are paused by hand; a real one would take hours.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at(Timestamp(0));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(clock.read().wall >= Timestamp(3_600_000));
    });
}
