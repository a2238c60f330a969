use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use tokio::time::Instant;

use super::catalogue::{BOLT_8, Buyer, Priced};
use super::connector::break_at;
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::domain::{Currency, CustomerFacts, CustomerId, LocationId, PricedLine, Sku, Stock};
use crate::erp::connector::{Header, KnownFacts};
use crate::erp::matching::match_prices;
use crate::erp::{AbsentLine, AskedLine, Call, Connector, ErpError, Operation, Reply, Said};

const DAY: Date = date(2026, 11, 22);

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn sku(number: u32) -> Sku {
    Sku::new(&format!("SKU-{number:06}")).unwrap()
}

fn customer(number: u32) -> CustomerId {
    CustomerId::new(&format!("C-{number:05}")).unwrap()
}

fn simulator(behaviour: Behaviour) -> Arc<Simulator> {
    let clock = Clock::starting_at(Timestamp(1_795_341_872_000));
    Simulator::new(SimulatorConfig { behaviour, ..SimulatorConfig::default() }, clock)
}

fn quick() -> Arc<Simulator> {
    simulator(Behaviour::fixed(Duration::from_millis(50), 4))
}

fn header(customer: Option<CustomerId>) -> Arc<Header> {
    let facts = Arc::new(CustomerFacts::default());
    Arc::new(Header {
        customer,
        for_list: None,
        company: None,
        ship_to: None,
        contract: None,
        currency: eur(),
        price_date: DAY,
        facts: KnownFacts::given(facts, Clock::system().read()),
    })
}

fn asked(sku: Sku, quantity: Option<&str>) -> AskedLine {
    AskedLine { sku, unit: None, quantity: quantity.map(|text| text.parse().unwrap()) }
}

fn offers(customer: Option<CustomerId>, numbers: std::ops::RangeInclusive<u32>) -> Call {
    Call::Offers(header(customer), numbers.map(|number| asked(sku(number), None)).collect())
}

fn question(lines: u32) -> Question {
    Question::Stock((1..=lines).map(sku).collect())
}

/// Makes a call at once, in a task of its own, and tells when it was answered.
fn launch(
    simulator: &Arc<Simulator>,
    question: Question,
) -> tokio::task::JoinHandle<(Result<Answer, Refusal>, Duration)> {
    let simulator = Arc::clone(simulator);
    let start = Instant::now();
    tokio::spawn(async move { (simulator.ask(question).await, start.elapsed()) })
}

fn told(said: &Said<PricedLine>) -> &PricedLine {
    match said {
        Said::Told(line) => line,
        other => panic!("no price but {other:?}"),
    }
}

async fn reply(simulator: &Arc<Simulator>, call: &Call) -> Result<Reply, ErpError> {
    SimulatedConnector::new(Arc::clone(simulator)).call(call).await
}

#[test]
fn one_seed_is_one_catalogue() {
    let make = |seed| Catalogue::new(CatalogueConfig { seed, ..CatalogueConfig::default() });
    let (one, same, other) = (make(7), make(7), make(8));
    let mut differing = 0;
    for number in 1..=500 {
        let (sku, customer) = (sku(number), customer(number));
        let price = |catalogue: &Catalogue| catalogue.price(catalogue.buyer(Some(&customer)), eur(), DAY, &sku);
        assert_eq!(price(&one), price(&same));
        assert_eq!(one.stock(&sku), same.stock(&sku));
        assert_eq!(one.customer(&customer), same.customer(&customer));
        differing += usize::from(price(&one) != price(&other));
    }
    assert!(differing > 400, "another seed is another catalogue: {differing}");
}

#[test]
fn the_contracts_example_is_in_the_catalogue() {
    let catalogue = Catalogue::new(CatalogueConfig::default());
    let bolt = Sku::new(BOLT_8).unwrap();
    for party in [None, Some(customer(42)), Some(customer(1))] {
        let Priced::Told(line) = catalogue.price(catalogue.buyer(party.as_ref()), eur(), DAY, &bolt) else {
            panic!("BOLT-8 has a price")
        };
        let figures = [line.list_price.unwrap(), line.net_price, line.breaks[0].net_price, line.breaks[1].net_price];
        assert_eq!(figures.map(|figure| figure.to_string()), ["26.00", "23.40", "23.40", "21.90"]);
        assert_eq!(line.breaks.iter().map(|b| b.min_quantity.to_string()).collect::<Vec<_>>(), ["1", "100"]);
        assert_eq!((line.base_quantity.to_string(), line.units[0].1.to_string()), ("100".into(), "12".into()));
        assert_eq!((line.valid_from, line.valid_until), (Some(date(2026, 1, 1)), Some(date(2026, 12, 31))));
        // Three boxes are 36 pieces: below the break.
        assert_eq!(break_at(&line, "36".parse().unwrap()).unwrap().net_price.to_string(), "23.40");
    }
    let Some(Stock::Levels { locations, incoming, .. }) = catalogue.stock(&bolt) else { panic!("BOLT-8 is held") };
    assert_eq!((locations.len(), locations[0].available.to_string()), (1, "420".into()));
    assert_eq!((incoming[0].quantity.to_string(), incoming[0].expected_on), ("1000".into(), Some(date(2026, 12, 1))));
}

#[test]
fn no_two_customers_pay_the_same_for_an_ordinary_sku() {
    let catalogue = Catalogue::new(CatalogueConfig::default());
    for number in [1, 2, 3, 100, 107] {
        let mut seen = std::collections::HashSet::new();
        for party in 1..=5_000 {
            let Priced::Told(line) = catalogue.price(catalogue.buyer(Some(&customer(party))), eur(), DAY, &sku(number))
            else {
                panic!("SKU {number} is sold")
            };
            assert!(seen.insert(line.net_price), "{number} for {party}: {}", line.net_price);
            let steps: Vec<_> = line.breaks.iter().map(|step| (step.min_quantity, step.net_price)).collect();
            assert!(steps.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1), "{steps:?}");
        }
    }
}

#[test]
fn ordinary_skus_are_ordinary_and_the_others_of_every_kind() {
    let catalogue = Catalogue::new(CatalogueConfig::default());
    for number in 1..=100 {
        let Priced::Told(line) = catalogue.price(Buyer::Public, eur(), DAY, &sku(number)) else {
            panic!("{number} is sold")
        };
        assert_eq!((line.base_quantity.to_string().as_str(), line.base_unit.unwrap().as_str()), ("1", "EA"));
        assert!(matches!(catalogue.stock(&sku(number)), Some(Stock::Levels { locations, .. }) if locations.len() == 2));
    }
    let price = |number| catalogue.price(Buyer::Public, eur(), DAY, &sku(number));
    assert_eq!((price(150), price(151), price(100_001)), (Priced::NotForSale, Priced::OnRequest, Priced::Unknown));
    assert_eq!(catalogue.stock(&sku(152)), Some(Stock::Untracked));
    for foreign in ["SKU-1", "SKU-0000001", "SKU-000000", "sku-000001", "SKU-00000١", "SKU-+00001", "SKU-"] {
        assert!(!catalogue.knows(&Sku::new(foreign).unwrap()), "{foreign}");
    }
    assert!(catalogue.customer(&customer(97)).unwrap().blocked);
    assert_eq!(catalogue.customer(&customer(13)).unwrap().currency, "USD".parse().ok());
    assert_eq!(catalogue.customer(&customer(5_001)), None);
}

#[tokio::test(start_paused = true)]
async fn what_the_connector_tells_is_the_truth() {
    let simulator = quick();
    simulator.set_price(Some(customer(1)), sku(2), Some("0.4242".parse().unwrap())).unwrap();
    simulator.set_on_hand(sku(2), LocationId::new("LYON").unwrap(), Some("0".parse().unwrap())).unwrap();
    for party in [None, Some(customer(1)), Some(customer(2))] {
        let reply = reply(&simulator, &offers(party.clone(), 1..=100)).await.unwrap();
        assert_eq!((reply.prices.len(), reply.stock.len()), (100, 100));
        for (row, stock) in reply.prices.iter().zip(&reply.stock) {
            let truth = simulator.offer(party.as_ref(), eur(), DAY, &Sku::new(&row.sku).unwrap());
            assert_eq!(Some(told(&row.said)), truth.line.as_ref());
            assert_eq!(stock.said, Said::Told(truth.stock.unwrap()));
            let is_special = party == Some(customer(1)) && row.sku == "SKU-000002";
            assert_eq!(told(&row.said).net_price.to_string() == "0.4242", is_special);
        }
    }
    assert_eq!(
        simulator.set_price(Some(customer(9_999)), sku(1), None),
        Err(ControlError::UnknownCustomer(customer(9_999)))
    );
    assert_eq!(
        simulator.set_on_hand(sku(152), LocationId::new("LYON").unwrap(), None),
        Err(ControlError::Untracked(sku(152)))
    );
}

#[tokio::test(start_paused = true)]
async fn without_breaks_each_asked_quantity_has_its_own_row() {
    let options = SimulatedOptions { breaks: false, ..SimulatedOptions::default() };
    let connector = SimulatedConnector::with(quick(), options);
    let lines = vec![asked(sku(1), Some("1")), asked(sku(1), Some("100"))];
    let reply = connector.call(&Call::Prices(header(Some(customer(1))), lines.clone())).await.unwrap();
    assert!(reply.stock.is_empty());
    let matched = match_prices(&lines, eur(), reply.prices, AbsentLine::Failed);
    assert_eq!(matched.foreign_rows, 0);
    assert!(told(&matched.lines[0]).net_price > told(&matched.lines[1]).net_price);
    assert!(told(&matched.lines[0]).breaks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_costs_its_latency_and_its_lines() {
    let simulator = simulator(Behaviour::measured());
    let start = Instant::now();
    simulator.ask(question(10)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(45 + 32));
    let start = Instant::now();
    simulator.ask(Question::Customers(vec![Some(customer(1)), None])).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(45));
    let stats = simulator.stats();
    assert_eq!((stats.calls, stats.lines), (2, 10));
    assert_eq!(stats.recent[1].operation, Operation::Customers);
    assert_eq!(stats.recent[1].start, Duration::from_millis(77));
}

#[tokio::test(start_paused = true)]
async fn past_the_cap_calls_wait_in_the_order_they_came() {
    let simulator = simulator(Behaviour::fixed(Duration::from_millis(50), 2));
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(launch(&simulator, question(1)));
        tokio::task::yield_now().await;
    }
    let mut answered = Vec::new();
    for call in calls {
        answered.push(call.await.unwrap().1.as_millis());
    }
    assert_eq!(answered, [50, 50, 100, 100, 150]);
    let stats = simulator.stats();
    assert_eq!((stats.in_flight, stats.in_flight_peak), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_call_keeps_its_place_for_its_time() {
    let simulator = simulator(Behaviour::fixed(Duration::from_millis(100), 1));
    let abandoned = tokio::time::timeout(Duration::from_millis(10), simulator.ask(question(1))).await;
    assert!(abandoned.is_err());
    assert_eq!(simulator.stats().in_flight, 1);
    let (answer, after) = launch(&simulator, question(1)).await.unwrap();
    assert!(answer.is_ok());
    assert_eq!(after, Duration::from_millis(90 + 100));
    assert!(simulator.stats().recent.iter().all(|call| call.end.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_holds_its_place_until_the_faults_change() {
    let simulator = simulator(Behaviour::fixed(Duration::from_millis(50), 1));
    simulator.set_faults(Faults { hang: true, times: Some(1), ..Faults::default() });
    let hanging = launch(&simulator, question(1));
    tokio::task::yield_now().await;
    let waiting = launch(&simulator, question(1));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!hanging.is_finished() && !waiting.is_finished());
    simulator.set_faults(Faults::default());
    assert!(hanging.await.unwrap().0.is_ok());
    let (answer, after) = waiting.await.unwrap();
    assert!(answer.is_ok());
    assert_eq!(after, Duration::from_secs(3600) + Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn over_the_calls_of_a_minute_it_is_busy() {
    let behaviour = Behaviour { calls_per_minute: Some(3), ..Behaviour::fixed(Duration::ZERO, 4) };
    let simulator = simulator(behaviour);
    for _ in 0..3 {
        simulator.ask(question(1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let refused = reply(&simulator, &offers(None, 1..=1)).await.unwrap_err();
    assert_eq!((refused.reason(), refused.is_retryable()), ("erp_busy", true));
    // The first call leaves the minute, and a refused one was never in it.
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(simulator.ask(question(1)).await.is_ok());
    assert!(simulator.ask(question(1)).await.is_err());
    let stats = simulator.stats();
    assert_eq!((stats.calls, stats.refused, stats.in_flight, stats.calls_per_minute_peak), (6, 2, 0, 5));
}

#[tokio::test(start_paused = true)]
async fn the_same_calls_fail_with_the_same_seed() {
    let failed = async || {
        let simulator = quick();
        simulator.set_faults(Faults { failure_permille: 100, ..Faults::default() });
        let mut failed = Vec::new();
        for number in 0..1_000 {
            if simulator.ask(question(1)).await.is_err() {
                failed.push(number);
            }
        }
        failed
    };
    let once = failed().await;
    assert!((60..140).contains(&once.len()), "{} of 1,000", once.len());
    assert_eq!(once, failed().await);
}

#[tokio::test(start_paused = true)]
async fn faults_can_concern_some_calls_and_some_times_only() {
    let simulator = quick();
    let all = Faults { failure_permille: 1_000, only: vec![Only::Prices], times: Some(2), ..Faults::default() };
    simulator.set_faults(all);
    assert!(simulator.ask(question(1)).await.is_ok());
    for expected in [false, false, true] {
        assert_eq!(reply(&simulator, &offers(None, 1..=1)).await.is_ok(), expected);
    }
    assert_eq!(simulator.faults().times, Some(0));
    simulator.set_faults(Faults { poison: vec![sku(3)], ..Faults::default() });
    assert!(
        matches!(reply(&simulator, &offers(None, 1..=5)).await, Err(ErpError::Refused(why)) if why.contains("000003"))
    );
    assert!(reply(&simulator, &offers(None, 4..=5)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn down_refuses_new_calls_and_cuts_those_under_way() {
    let simulator = quick();
    let under_way = launch(&simulator, question(1));
    tokio::time::sleep(Duration::from_millis(10)).await;
    simulator.set_faults(Faults { down: true, ..Faults::default() });
    let (answer, after) = under_way.await.unwrap();
    assert_eq!((answer.unwrap_err(), after), (Refusal::Down, Duration::from_millis(10)));
    assert!(matches!(reply(&simulator, &offers(None, 1..=1)).await, Err(ErpError::Unreachable(_))));
    // What never arrived is not counted; what was cut off goes on inside.
    assert_eq!((simulator.stats().calls, simulator.stats().in_flight), (1, 1));
    simulator.set_faults(Faults::default());
    assert!(reply(&simulator, &offers(None, 1..=1)).await.is_ok());
    assert_eq!(simulator.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_garbage_is_told_from_the_truth() {
    let simulator = quick();
    let call = offers(Some(customer(1)), 1..=9);
    let right = reply(&simulator, &call).await.unwrap();
    let Call::Offers(_, asked) = &call else { unreachable!() };
    for garbage in Garbage::ALL {
        simulator.set_faults(Faults { garbage: Some(garbage), ..Faults::default() });
        let spoilt = reply(&simulator, &call).await;
        if garbage.is_unreadable() {
            assert!(matches!(spoilt, Err(ErpError::Garbled(_))), "{garbage:?}");
            continue;
        }
        let spoilt = spoilt.unwrap();
        let in_order = spoilt.prices.iter().zip(&right.prices).all(|(a, b)| a.sku == b.sku);
        assert_eq!(in_order, matches!(garbage, Garbage::WrongCurrency | Garbage::NullPrice), "{garbage:?}");
        let matched = match_prices(asked, eur(), spoilt.prices, AbsentLine::Failed);
        // Whatever is believed is right; nothing is invented.
        let mut believed = 0;
        for (said, right) in matched.lines.iter().zip(&right.prices) {
            if matches!(said, Said::Told(_)) {
                assert_eq!(said, &right.said, "{garbage:?}");
                believed += 1;
            }
        }
        let expected = match garbage {
            Garbage::Shuffled | Garbage::Duplicated => 9,
            Garbage::Missing => 4,
            _ => 0,
        };
        assert_eq!(believed, expected, "{garbage:?}");
    }
    // Confined to one SKU, the others are untouched.
    let one = Faults { garbage: Some(Garbage::NullPrice), skus: vec![sku(4)], ..Faults::default() };
    simulator.set_faults(one);
    let spoilt = reply(&simulator, &call).await.unwrap();
    let without: Vec<_> = spoilt.prices.iter().filter(|row| !matches!(row.said, Said::Told(_))).collect();
    assert_eq!((without.len(), without[0].sku.as_str()), (1, "SKU-000004"));
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_call_is_not_in_its_answer() {
    let simulator = quick();
    let before = simulator.offer(None, eur(), DAY, &sku(1)).line.unwrap().net_price;
    let under_way = SimulatedConnector::new(Arc::clone(&simulator));
    let call = offers(None, 1..=1);
    let (reply, ()) = tokio::join!(under_way.call(&call), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        simulator.set_price(None, sku(1), Some("1.23".parse().unwrap())).unwrap();
    });
    assert_eq!(told(&reply.unwrap().prices[0].said).net_price, before);
    assert_eq!(simulator.offer(None, eur(), DAY, &sku(1)).line.unwrap().net_price.to_string(), "1.23");
    // Nobody else's price moved.
    assert_ne!(simulator.offer(Some(&customer(1)), eur(), DAY, &sku(1)).line.unwrap().net_price.to_string(), "1.23");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_customer_or_currency_refuses_the_call() {
    let simulator = quick();
    assert!(matches!(reply(&simulator, &offers(Some(customer(9_999)), 1..=1)).await, Err(ErpError::Refused(_))));
    let mut foreign = (*header(None)).clone();
    foreign.currency = "GBP".parse().unwrap();
    let call = Call::Offers(Arc::new(foreign), vec![asked(sku(1), None)]);
    assert!(matches!(reply(&simulator, &call).await, Err(ErpError::Refused(_))));
    let customers = Call::Customers(vec![None, Some(customer(97)), Some(customer(9_999))]);
    let told = reply(&simulator, &customers).await.unwrap().customers;
    assert_eq!(
        told.iter().map(|(_, facts)| facts.as_ref().map(|facts| facts.blocked)).collect::<Vec<_>>(),
        [Some(false), Some(true), None]
    );
}
