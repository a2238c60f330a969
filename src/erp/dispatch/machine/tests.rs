mod facts;
mod failures;
mod lanes;
mod overload;
mod random;

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::domain::CustomerId;
use crate::erp::connector::{AskedLine, BatchRules, Header, KnownFacts};
use crate::erp::dispatch::driver::{Need, Want};

fn capabilities(max_items: usize) -> Capabilities {
    let batch = BatchRules::up_to(max_items);
    Capabilities { prices_batch: batch, stock_batch: batch, ..Capabilities::plain() }
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
        facts: KnownFacts::given(Arc::default(), Reading::default()),
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

/// Somebody who waits as long as it takes.
macro_rules! patient {
    ($($who:ty),*) => { $(impl Waiter for $who {
        fn waits_at(&self, _: Mono) -> bool {
            true
        }
    })* };
}
patient!(i32, usize, &'static str, (&'static str, usize));

/// Somebody who waits until then, and is known by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Until(u64, usize);

impl Waiter for Until {
    fn waits_at(&self, moment: Mono) -> bool {
        moment <= at(self.0).mono
    }
}

/// Who asks for a page's line and how.
#[derive(Clone, Copy)]
struct How {
    lane: Lane,
    need: Need,
    now: u64,
    /// Milliseconds from now.
    time: u64,
    rides: bool,
}

const HOW: How = How { lane: Lane::Detail, need: Need::Awaited, now: 0, time: 1_000_000, rides: false };

fn lane(lane: Lane) -> How {
    How { lane, ..HOW }
}

fn account(ask: &Ask) -> Account {
    match ask {
        Ask::Price(header, _) => Account::of(header.customer.as_ref(), None),
        _ => Account::Public,
    }
}

fn ask_as<W: Waiter>(machine: &mut Machine<W>, ask: Ask, how: How, account: &Account, waiter: W) -> Asked {
    let How { lane, need, now, time, rides } = how;
    let now = at(now);
    let deadline = now.mono.plus(Duration::from_millis(time));
    let by: Arc<str> = "r1".into();
    let terms = Terms { lane, account, deadline, asked_by: &by, now };
    let want = Want { ask, demand: ANY, need, with_price: rides };
    machine.ask(&terms, want, (need == Need::Awaited).then_some(waiter))
}

fn ask_how<W: Waiter>(machine: &mut Machine<W>, ask: Ask, how: How, waiter: W) -> Asked {
    let account = account(&ask);
    ask_as(machine, ask, how, &account, waiter)
}

fn ask<W: Waiter>(machine: &mut Machine<W>, ask: Ask, demand: Demand, waiter: W, rides: bool) -> Asked {
    let account = account(&ask);
    let by: Arc<str> = "r1".into();
    let terms = Terms {
        lane: Lane::Detail,
        account: &account,
        deadline: Mono::FAR_FUTURE,
        asked_by: &by,
        now: Reading::default(),
    };
    machine.ask(&terms, Want { ask, demand, need: Need::Awaited, with_price: rides }, Some(waiter))
}

/// The customer and the lines of a call for prices.
fn of(departure: &Departure) -> (String, usize) {
    let (Call::Prices(header, lines) | Call::Offers(header, lines)) = &departure.call else { panic!("{departure:?}") };
    (header.customer.as_ref().map_or("", |customer| customer.as_str()).to_owned(), lines.len())
}

fn pump<W: Waiter>(machine: &mut Machine<W>, now: u64) -> Vec<Departure> {
    machine.pump(at(now), Stamp(0))
}

fn land<W: Waiter>(machine: &mut Machine<W>, departure: &Departure, now: u64) -> Vec<W> {
    machine.land(departure.id, Ended::Answered, at(now).mono).into_iter().flatten().collect()
}

const ANY: Demand = Demand { not_before: Mono(0), min_stamp: Stamp(0) };

#[test]
fn a_thousand_misses_of_one_key_are_one_line() {
    let mut machine = Machine::new(capabilities(50), &budget(4), Mono(0));
    for waiter in 0..1000 {
        ask(&mut machine, price("C", 1), ANY, waiter, false);
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.len(), 1);
    assert_eq!(departures[0].call.lines(), 1);
    let landed = machine.land(departures[0].id, Ended::Answered, Mono(50_000));
    assert_eq!(landed, [Vec::from_iter(0..1000)]);
    assert_eq!((machine.waiting(), machine.in_flight(), machine.flights.len()), (0, 0, 0));
}

#[test]
fn an_idle_gateway_sends_a_page_at_once_and_whole() {
    let mut machine = Machine::new(capabilities(100), &budget(1), Mono(0));
    for sku in 0..48 {
        ask(&mut machine, price("C", sku), ANY, sku, false);
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.iter().map(|d| d.call.lines()).collect::<Vec<_>>(), [48]);
}

#[test]
fn what_gathers_while_no_permit_is_free_leaves_together() {
    let mut machine = Machine::new(capabilities(100), &budget(1), Mono(0));
    ask(&mut machine, price("C", 0), ANY, 0, false);
    let first = machine.pump(at(0), Stamp(0)).remove(0);
    for page in 0..5 {
        for sku in 0..20 {
            ask(&mut machine, price("C", 1 + page * 20 + sku), ANY, page, false);
        }
        assert!(machine.pump(at(1), Stamp(0)).is_empty());
    }
    machine.land(first.id, Ended::Answered, Mono(50_000));
    let next = machine.pump(at(50), Stamp(0));
    assert_eq!(next.iter().map(|d| d.call.lines()).collect::<Vec<_>>(), [100]);
}

#[test]
fn customers_never_share_a_call_and_take_turns() {
    let mut machine = Machine::new(capabilities(10), &budget(1), Mono(0));
    for sku in 0..25 {
        ask(&mut machine, price("A", sku), ANY, 0, false);
    }
    ask(&mut machine, price("B", 0), ANY, 0, false);
    let mut sent = Vec::new();
    let mut departures = machine.pump(at(0), Stamp(0));
    while let Some(departure) = departures.pop() {
        let Call::Prices(header, lines) = &departure.call else { panic!("{departure:?}") };
        sent.push((header.customer.as_ref().unwrap().to_string(), lines.len()));
        machine.land(departure.id, Ended::Answered, Mono(1));
        departures = machine.pump(at(1), Stamp(0));
    }
    let sent: Vec<(&str, usize)> = sent.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    assert_eq!(sent, [("A", 10), ("B", 1), ("A", 10), ("A", 5)]);
}

#[test]
fn a_caller_who_demands_freshness_does_not_join_a_call_that_left_before() {
    let mut machine = Machine::new(capabilities(10), &budget(4), Mono(0));
    ask(&mut machine, price("C", 1), ANY, "early", false);
    let first = machine.pump(at(10), Stamp(0)).remove(0);
    let fresh = |ms| Demand { not_before: at(ms).mono, min_stamp: Stamp(0) };
    assert_eq!(ask(&mut machine, price("C", 1), fresh(10), "joins", false), Asked::JoinedAir);
    assert_eq!(ask(&mut machine, price("C", 1), fresh(20), "demands", false), Asked::Queued);
    assert_eq!(ask(&mut machine, price("C", 1), fresh(21), "joins the waiting", false), Asked::JoinedQueue);
    let second = machine.pump(at(22), Stamp(0)).remove(0);
    // A third call of one key waits until one of two is back.
    assert_eq!(ask(&mut machine, price("C", 1), fresh(30), "waits", false), Asked::Queued);
    assert!(machine.pump(at(31), Stamp(0)).is_empty());
    // The younger call lands first; each wakes its own.
    assert_eq!(machine.land(second.id, Ended::Answered, Mono(40_000)), [vec!["demands", "joins the waiting"]]);
    let third = machine.pump(at(40), Stamp(0)).remove(0);
    assert_eq!(machine.land(first.id, Ended::Answered, Mono(50_000)), [vec!["early", "joins"]]);
    assert_eq!(machine.land(third.id, Ended::Answered, Mono(60_000)), [vec!["waits"]]);
    assert_eq!(machine.flights.len(), 0);
}

#[test]
fn a_caller_after_an_invalidation_does_not_join_a_call_from_before() {
    let mut machine = Machine::new(capabilities(10), &budget(4), Mono(0));
    ask(&mut machine, price("C", 1), ANY, "before", false);
    machine.pump(at(10), Stamp(5));
    let after = Demand { not_before: Mono(0), min_stamp: Stamp(6) };
    assert_eq!(ask(&mut machine, price("C", 1), after, "after", false), Asked::Queued);
    let next = machine.pump(at(11), Stamp(6));
    assert_eq!(next.len(), 1);
    assert_eq!(ask(&mut machine, price("C", 1), after, "too", false), Asked::JoinedAir);
}

#[test]
fn stock_comes_along_with_an_offers_call() {
    let capabilities = Capabilities { offers: true, ..capabilities(50) };
    let mut machine = Machine::new(capabilities, &budget(4), Mono(0));
    for sku in 0..3 {
        ask(&mut machine, price("C", sku), ANY, ("price", sku), false);
        ask(&mut machine, stock(sku), ANY, ("stock", sku), true);
    }
    let departures = machine.pump(at(0), Stamp(0));
    assert_eq!(departures.len(), 1, "one call for both facts");
    assert_eq!(departures[0].call.lines(), 3);
    assert_eq!(departures[0].asks.len(), 6);
    // Another customer's page finds the stock in the air.
    assert_eq!(ask(&mut machine, stock(1), ANY, ("joined", 1), false), Asked::JoinedAir);
    let landed: Vec<_> = machine.land(departures[0].id, Ended::Answered, Mono(1)).into_iter().flatten().collect();
    assert_eq!(landed.len(), 7);
    assert_eq!((machine.waiting(), machine.flights.len()), (0, 0));
}

#[test]
fn stock_waits_for_its_price_rather_than_lead_a_call_of_its_own() {
    let capabilities = Capabilities { offers: true, ..capabilities(10) };
    let mut machine = Machine::new(capabilities, &budget(4), Mono(0));
    for sku in 0..48 {
        ask(&mut machine, price("C", sku), ANY, sku, false);
        ask(&mut machine, stock(sku), ANY, sku, true);
    }
    let sent: Vec<_> = machine.pump(at(0), Stamp(0)).into_iter().map(|d| (d.id, d.call.operation())).collect();
    assert_eq!(sent.iter().map(|(_, operation)| operation.as_str()).collect::<Vec<_>>(), ["offers"; 4]);
    machine.land(sent[0].0, Ended::Answered, Mono(1));
    let last = machine.pump(at(1), Stamp(0));
    assert_eq!((last.len(), last[0].call.lines(), machine.waiting()), (1, 8, 0));
}

#[test]
fn one_quantity_per_call_where_the_erp_wants_it() {
    let rules = BatchRules { max_items: 50, one_quantity: true, one_unit: true };
    let mut machine = Machine::new(Capabilities { prices_batch: rules, ..capabilities(50) }, &budget(9), Mono(0));
    for (sku, quantity, unit) in [(1, "1", None), (2, "10", None), (3, "1.0", None), (4, "1", Some("BOX"))] {
        let Ask::Price(header, mut line) = price("C", sku) else { unreachable!() };
        line.quantity = Some(quantity.parse().unwrap());
        line.unit = unit.map(|unit| crate::domain::Unit::new(unit).unwrap());
        ask(&mut machine, Ask::Price(header, line), ANY, sku, false);
    }
    let sent: Vec<usize> = machine.pump(at(0), Stamp(0)).iter().map(|d| d.call.lines()).collect();
    assert_eq!(sent, [2, 1, 1]);
}

#[test]
fn the_queue_is_bounded_but_joining_is_never_refused() {
    let budget = Budget { queue_lines_max: 2, ..budget(1) };
    let mut machine = Machine::new(capabilities(1), &budget, Mono(0));
    ask(&mut machine, price("C", 0), ANY, 0, false);
    machine.pump(at(0), Stamp(0));
    assert_eq!(ask(&mut machine, price("C", 1), ANY, 1, false), Asked::Queued);
    assert_eq!(ask(&mut machine, price("C", 2), ANY, 2, false), Asked::Queued);
    assert_eq!(ask(&mut machine, price("C", 3), ANY, 3, false), Asked::Refused(Refusal::QueueFull));
    assert_eq!(machine.take_refused(), [(3, Refusal::QueueFull)]);
    assert_eq!(ask(&mut machine, price("C", 2), ANY, 4, false), Asked::JoinedQueue);
    assert_eq!(ask(&mut machine, price("C", 0), ANY, 5, false), Asked::JoinedAir);
}

#[test]
fn a_used_up_minute_says_when_it_goes_on() {
    let budget = Budget { calls_per_minute: Some(1), ..budget(4) };
    let mut machine = Machine::new(capabilities(1), &budget, Mono(0));
    ask(&mut machine, price("C", 0), ANY, 0, false);
    let first = machine.pump(at(0), Stamp(0)).remove(0);
    ask(&mut machine, price("C", 1), ANY, 1, false);
    assert!(machine.pump(at(1), Stamp(0)).is_empty());
    machine.land(first.id, Ended::Answered, at(2000).mono);
    assert!(machine.pump(at(2001), Stamp(0)).is_empty());
    assert_eq!(machine.next_wake(at(2001)), Some(at(2000).mono.plus(Duration::from_secs(60))));
    assert_eq!(machine.pump(at(62_000), Stamp(0)).len(), 1);
    assert_eq!(machine.next_wake(at(62_000)), None);
}
