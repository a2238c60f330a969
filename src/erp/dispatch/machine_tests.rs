use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::domain::CustomerId;
use crate::erp::connector::{AbsentLine, AskedLine, BatchRules, Header, KnownFacts};

fn capabilities(max_items: usize) -> Capabilities {
    Capabilities {
        kind: "test",
        breaks: true,
        unit_matters: false,
        company_matters: false,
        ship_to_matters: false,
        contract_matters: false,
        dated: true,
        currencies: Vec::new(),
        priced_by_facts: false,
        shares_by_list: None,
        resolves_customers: true,
        public: None,
        offers: false,
        stock: true,
        absent_line: AbsentLine::Failed,
        customers_batch: BatchRules::up_to(10),
        prices_batch: BatchRules::up_to(max_items),
        stock_batch: BatchRules::up_to(max_items),
    }
}

fn budget(concurrency: usize) -> Budget {
    Budget { concurrency, ..Budget::default() }
}

fn header(customer: &str) -> Arc<Header> {
    Arc::new(Header {
        customer: Some(CustomerId::new(customer).unwrap()),
        for_list: None,
        company: None,
        ship_to: None,
        contract: None,
        currency: "EUR".parse().unwrap(),
        price_date: jiff::civil::date(2026, 11, 22),
        facts: KnownFacts { facts: Arc::default(), observed: Reading::default() },
    })
}

fn price(customer: &str, sku: usize) -> Ask {
    let sku = Sku::new(&format!("S{sku}")).unwrap();
    Ask::Price(header(customer), AskedLine { sku, unit: None, quantity: None })
}

fn stock(sku: usize) -> Ask {
    Ask::Stock(StockAsk { sku: Sku::new(&format!("S{sku}")).unwrap(), header: header("any") })
}

fn at(milliseconds: u64) -> Reading {
    Reading { mono: Mono(milliseconds * 1000), wall: Timestamp(milliseconds as i64) }
}

fn by() -> Arc<str> {
    "r1".into()
}

const ANY: Demand = Demand { not_before: Mono(0), min_stamp: Stamp(0) };

#[test]
fn a_thousand_misses_of_one_key_are_one_line() {
    let mut machine = Machine::new(capabilities(50), &budget(4));
    for waiter in 0..1000 {
        machine.ask(price("C", 1), ANY, waiter, &by(), false).unwrap();
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.len(), 1);
    assert_eq!(departures[0].call.lines(), 1);
    let landed = machine.land(departures[0].id, Mono(50_000));
    assert_eq!(landed, [Vec::from_iter(0..1000)]);
    assert_eq!((machine.waiting(), machine.in_flight(), machine.flights.len()), (0, 0, 0));
}

#[test]
fn an_idle_gateway_sends_a_page_at_once_and_whole() {
    let mut machine = Machine::new(capabilities(100), &budget(1));
    for sku in 0..48 {
        machine.ask(price("C", sku), ANY, sku, &by(), false).unwrap();
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.iter().map(|d| d.call.lines()).collect::<Vec<_>>(), [48]);
}

#[test]
fn what_gathers_while_no_permit_is_free_leaves_together() {
    let mut machine = Machine::new(capabilities(100), &budget(1));
    machine.ask(price("C", 0), ANY, 0, &by(), false).unwrap();
    let first = machine.pump(at(0), Stamp(0)).remove(0);
    for page in 0..5 {
        for sku in 0..20 {
            machine.ask(price("C", 1 + page * 20 + sku), ANY, page, &by(), false).unwrap();
        }
        assert!(machine.pump(at(1), Stamp(0)).is_empty());
    }
    machine.land(first.id, Mono(50_000));
    let next = machine.pump(at(50), Stamp(0));
    assert_eq!(next.iter().map(|d| d.call.lines()).collect::<Vec<_>>(), [100]);
}

#[test]
fn customers_never_share_a_call_and_take_turns() {
    let mut machine = Machine::new(capabilities(10), &budget(1));
    for sku in 0..25 {
        machine.ask(price("A", sku), ANY, 0, &by(), false).unwrap();
    }
    machine.ask(price("B", 0), ANY, 0, &by(), false).unwrap();
    let mut sent = Vec::new();
    let mut departures = machine.pump(at(0), Stamp(0));
    while let Some(departure) = departures.pop() {
        let Call::Prices(header, lines) = &departure.call else { panic!("{departure:?}") };
        sent.push((header.customer.as_ref().unwrap().to_string(), lines.len()));
        machine.land(departure.id, Mono(1));
        departures = machine.pump(at(1), Stamp(0));
    }
    let sent: Vec<(&str, usize)> = sent.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    assert_eq!(sent, [("A", 10), ("B", 1), ("A", 10), ("A", 5)]);
}

#[test]
fn a_caller_who_demands_freshness_does_not_join_a_call_that_left_before() {
    let mut machine = Machine::new(capabilities(10), &budget(4));
    machine.ask(price("C", 1), ANY, "early", &by(), false).unwrap();
    let first = machine.pump(at(10), Stamp(0)).remove(0);
    let fresh = |ms| Demand { not_before: at(ms).mono, min_stamp: Stamp(0) };
    assert_eq!(machine.ask(price("C", 1), fresh(10), "joins", &by(), false), Ok(Asked::JoinedAir));
    assert_eq!(machine.ask(price("C", 1), fresh(20), "demands", &by(), false), Ok(Asked::Queued));
    assert_eq!(machine.ask(price("C", 1), fresh(21), "joins the waiting", &by(), false), Ok(Asked::JoinedQueue));
    let second = machine.pump(at(22), Stamp(0)).remove(0);
    // A third call of one key waits until one of two is back.
    assert_eq!(machine.ask(price("C", 1), fresh(30), "waits", &by(), false), Ok(Asked::Queued));
    assert!(machine.pump(at(31), Stamp(0)).is_empty());
    // The younger call lands first; each wakes its own.
    assert_eq!(machine.land(second.id, Mono(40_000)), [vec!["demands", "joins the waiting"]]);
    let third = machine.pump(at(40), Stamp(0)).remove(0);
    assert_eq!(machine.land(first.id, Mono(50_000)), [vec!["early", "joins"]]);
    assert_eq!(machine.land(third.id, Mono(60_000)), [vec!["waits"]]);
    assert!(machine.flights.is_empty());
}

#[test]
fn a_caller_after_an_invalidation_does_not_join_a_call_from_before() {
    let mut machine = Machine::new(capabilities(10), &budget(4));
    machine.ask(price("C", 1), ANY, "before", &by(), false).unwrap();
    machine.pump(at(10), Stamp(5));
    let after = Demand { not_before: Mono(0), min_stamp: Stamp(6) };
    assert_eq!(machine.ask(price("C", 1), after, "after", &by(), false), Ok(Asked::Queued));
    let next = machine.pump(at(11), Stamp(6));
    assert_eq!(next.len(), 1);
    assert_eq!(machine.ask(price("C", 1), after, "too", &by(), false), Ok(Asked::JoinedAir));
}

#[test]
fn stock_comes_along_with_an_offers_call() {
    let capabilities = Capabilities { offers: true, ..capabilities(50) };
    let mut machine = Machine::new(capabilities, &budget(4));
    for sku in 0..3 {
        machine.ask(price("C", sku), ANY, ("price", sku), &by(), false).unwrap();
        machine.ask(stock(sku), ANY, ("stock", sku), &by(), true).unwrap();
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.len(), 1, "one call for both facts");
    assert_eq!(departures[0].call.lines(), 3);
    assert_eq!(departures[0].asks.len(), 6);
    // Another customer's page finds the stock in the air.
    assert_eq!(machine.ask(stock(1), ANY, ("joined", 1), &by(), false), Ok(Asked::JoinedAir));
    let landed: Vec<_> = machine.land(departures[0].id, Mono(1)).into_iter().flatten().collect();
    assert_eq!(landed.len(), 7);
    assert_eq!((machine.waiting(), machine.flights.len(), machine.groups.len()), (0, 0, 0));
}

#[test]
fn stock_waits_for_its_price_rather_than_lead_a_call_of_its_own() {
    let capabilities = Capabilities { offers: true, ..capabilities(10) };
    let mut machine = Machine::new(capabilities, &budget(4));
    for sku in 0..48 {
        machine.ask(price("C", sku), ANY, sku, &by(), false).unwrap();
        machine.ask(stock(sku), ANY, sku, &by(), true).unwrap();
    }
    let sent: Vec<_> = machine.pump(at(0), Stamp(0)).into_iter().map(|d| (d.id, d.call.operation())).collect();
    assert_eq!(sent.iter().map(|(_, operation)| operation.as_str()).collect::<Vec<_>>(), ["offers"; 4]);
    machine.land(sent[0].0, Mono(1));
    let last = machine.pump(at(1), Stamp(0));
    assert_eq!((last.len(), last[0].call.lines(), machine.waiting()), (1, 8, 0));
}

#[test]
fn one_quantity_per_call_where_the_erp_wants_it() {
    let rules = BatchRules { max_items: 50, one_quantity: true, one_unit: true };
    let mut machine = Machine::new(Capabilities { prices_batch: rules, ..capabilities(50) }, &budget(9));
    for (sku, quantity, unit) in [(1, "1", None), (2, "10", None), (3, "1.0", None), (4, "1", Some("BOX"))] {
        let Ask::Price(header, mut line) = price("C", sku) else { unreachable!() };
        line.quantity = Some(quantity.parse().unwrap());
        line.unit = unit.map(|unit| crate::domain::Unit::new(unit).unwrap());
        machine.ask(Ask::Price(header, line), ANY, sku, &by(), false).unwrap();
    }
    let sent: Vec<usize> = machine.pump(at(0), Stamp(0)).iter().map(|d| d.call.lines()).collect();
    assert_eq!(sent, [2, 1, 1]);
}

#[test]
fn the_queue_is_bounded_but_joining_is_never_refused() {
    let budget = Budget { queue_lines_max: 2, ..budget(1) };
    let mut machine = Machine::new(capabilities(1), &budget);
    machine.ask(price("C", 0), ANY, 0, &by(), false).unwrap();
    machine.pump(at(0), Stamp(0));
    assert!(machine.ask(price("C", 1), ANY, 1, &by(), false).is_ok());
    assert!(machine.ask(price("C", 2), ANY, 2, &by(), false).is_ok());
    assert_eq!(machine.ask(price("C", 3), ANY, 3, &by(), false), Err(3));
    assert_eq!(machine.ask(price("C", 2), ANY, 4, &by(), false), Ok(Asked::JoinedQueue));
    assert_eq!(machine.ask(price("C", 0), ANY, 5, &by(), false), Ok(Asked::JoinedAir));
}

#[test]
fn a_used_up_minute_says_when_it_goes_on() {
    let budget = Budget { calls_per_minute: Some(1), ..budget(4) };
    let mut machine = Machine::new(capabilities(1), &budget);
    machine.ask(price("C", 0), ANY, 0, &by(), false).unwrap();
    let first = machine.pump(at(0), Stamp(0)).remove(0);
    machine.ask(price("C", 1), ANY, 1, &by(), false).unwrap();
    assert!(machine.pump(at(1), Stamp(0)).is_empty());
    machine.land(first.id, at(2000).mono);
    assert!(machine.pump(at(2001), Stamp(0)).is_empty());
    assert_eq!(machine.next_wake(), Some(at(2000).mono.plus(Duration::from_secs(60))));
    assert_eq!(machine.pump(at(62_000), Stamp(0)).len(), 1);
    assert_eq!(machine.next_wake(), None);
}
