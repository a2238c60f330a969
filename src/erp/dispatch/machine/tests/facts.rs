//! Prices that are asked with a customer's facts are as old as those.

use super::*;

fn price_knowing(observed: u64, sku: usize) -> Ask {
    let mut header = Header::clone(&header("C"));
    header.facts = KnownFacts { facts: Arc::default(), observed: at(observed), stamp: Stamp(observed) };
    Ask::Price(Arc::new(header), AskedLine { sku: Sku::new(&format!("S{sku}")).unwrap(), unit: None, quantity: None })
}

fn observed(departure: &Departure) -> Reading {
    let Call::Prices(header, _) = &departure.call else { panic!("{departure:?}") };
    header.facts.observed
}

fn machine() -> Machine<usize> {
    Machine::new(Capabilities { priced_by_facts: true, ..capabilities(10) }, &budget(1), at(0).mono)
}

#[test]
fn the_newest_facts_of_all_who_wait_are_asked_with() {
    let mut machine = machine();
    let account = Account::Public;
    ask_as(&mut machine, price("other", 9), HOW, &account, 0);
    let busy = pump(&mut machine, 0).remove(0);
    ask_as(&mut machine, price_knowing(100, 1), How { now: 200, ..HOW }, &account, 1);
    ask_as(&mut machine, price_knowing(100, 2), How { now: 200, ..HOW }, &account, 2);
    // Somebody who accepts nothing so old joins one of them.
    ask_as(&mut machine, price_knowing(300, 2), How { now: 300, ..HOW }, &account, 3);
    land(&mut machine, &busy, 400);
    let departure = pump(&mut machine, 400).remove(0);
    assert_eq!(departure.asks.len(), 2);
    assert_eq!(observed(&departure), at(300));
}

#[test]
fn who_demands_newer_facts_does_not_join_a_call_that_left_with_older_ones() {
    let mut machine = machine();
    let account = Account::Public;
    ask_as(&mut machine, price_knowing(100, 1), How { now: 200, ..HOW }, &account, 1);
    assert_eq!(machine.pump(at(200), Stamp(500)).len(), 1);
    let by: Arc<str> = "r1".into();
    let now = at(210);
    let terms = Terms { lane: Lane::Checkout, account: &account, deadline: at(9_000).mono, asked_by: &by, now };
    let mut ask = |not_before, min_stamp| {
        let demand = Demand { not_before: at(not_before).mono, min_stamp: Stamp(min_stamp) };
        let want = Want { ask: price_knowing(150, 1), demand, need: Need::Awaited, with_price: false };
        machine.ask(&terms, want, Some(2))
    };
    assert_eq!(ask(100, 100), Asked::JoinedAir);
    assert_eq!(ask(150, 0), Asked::Queued, "the call left later than that, its facts were read before");
    assert_eq!(ask(0, 150), Asked::JoinedQueue, "nor may its facts be older than what was declared wrong");
}

#[test]
fn the_call_after_one_in_the_air_is_asked_with_the_facts_of_who_waits_for_it() {
    let mut machine = machine();
    let account = Account::Public;
    ask_as(&mut machine, price_knowing(100, 1), How { now: 200, ..HOW }, &account, 1);
    let first = pump(&mut machine, 200).remove(0);
    let by: Arc<str> = "r2".into();
    let terms =
        Terms { lane: Lane::Checkout, account: &account, deadline: at(9_000).mono, asked_by: &by, now: at(210) };
    let demand = Demand { not_before: at(150).mono, min_stamp: Stamp(150) };
    let want = Want { ask: price_knowing(150, 1), demand, need: Need::Awaited, with_price: false };
    assert_eq!(machine.ask(&terms, want, Some(2)), Asked::Queued);
    assert_eq!(land(&mut machine, &first, 220), [1]);
    let next = machine.pump(at(220), Stamp(500)).remove(0);
    assert_eq!(observed(&next), at(150), "not with those the call in the air left with");
}
