//! Who leaves first, and with whom.

use super::*;
use crate::domain::VisitorId;

fn busy(permits: usize, max_items: usize) -> (Machine<usize>, Departure) {
    let mut machine = Machine::new(capabilities(max_items), &budget(permits), Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0);
    let first = pump(&mut machine, 0).remove(0);
    (machine, first)
}

#[test]
fn the_higher_lane_leaves_first() {
    let (mut machine, first) = busy(1, 10);
    for (number, which) in
        [Lane::Audit, Lane::List, Lane::Checkout, Lane::Feed, Lane::Cart, Lane::Detail].into_iter().enumerate()
    {
        ask_how(&mut machine, price(which.as_str(), 1), lane(which), number);
    }
    let mut order = Vec::new();
    let mut last = first;
    for _ in 0..6 {
        land(&mut machine, &last, 1);
        last = pump(&mut machine, 1).remove(0);
        order.push(of(&last).0);
    }
    assert_eq!(order, ["CHECKOUT", "CART", "DETAIL", "LIST", "FEED", "AUDIT"]);
}

#[test]
fn whoever_joins_from_a_higher_lane_lifts_the_key_and_nobody_lowers_it() {
    let (mut machine, first) = busy(1, 1);
    for sku in 0..5 {
        ask_how(&mut machine, price("C", sku), lane(Lane::List), sku);
    }
    ask_how(&mut machine, price("D", 0), lane(Lane::Cart), 100);
    assert_eq!(ask_how(&mut machine, price("C", 4), lane(Lane::Checkout), 101), Asked::JoinedQueue);
    assert_eq!(ask_how(&mut machine, price("C", 4), lane(Lane::Audit), 102), Asked::JoinedQueue);
    land(&mut machine, &first, 1);
    let lifted = pump(&mut machine, 1).remove(0);
    assert_eq!(lifted.lane, Lane::Checkout);
    assert_eq!(land(&mut machine, &lifted, 2), [4, 101, 102]);
    assert_eq!(of(&pump(&mut machine, 2)[0]).0, "D");
}

#[test]
fn low_lanes_leave_one_permit_to_the_others() {
    let mut machine = Machine::new(capabilities(1), &budget(4), Mono(0));
    for sku in 0..10 {
        ask_how(&mut machine, price("C", sku), lane(Lane::List), sku);
    }
    assert_eq!(pump(&mut machine, 0).len(), 3);
    ask_how(&mut machine, price("D", 0), lane(Lane::Checkout), 100);
    assert_eq!(of(&pump(&mut machine, 0)[0]).0, "D");
}

#[test]
fn one_departure_in_sixteen_goes_to_the_lowest_lane() {
    let (mut machine, mut last) = busy(1, 1);
    ask_how(&mut machine, price("low", 0), lane(Lane::Warmup), 0);
    let mut waited = 0;
    for sku in 0..40 {
        ask_how(&mut machine, price("high", sku), lane(Lane::Checkout), 1);
        land(&mut machine, &last, 1);
        last = pump(&mut machine, 1).remove(0);
        if of(&last).0 == "low" {
            break;
        }
        waited += 1;
    }
    assert!((1..16).contains(&waited), "{waited}");
}

#[test]
fn accounts_take_turns_by_lines() {
    let (mut machine, mut last) = busy(1, 10);
    let visitor = |name: &str| Account::Visitor(VisitorId::new(name).unwrap());
    for sku in 0..100 {
        ask_as(&mut machine, price("many", sku), HOW, &visitor("many"), sku);
    }
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        ask_as(&mut machine, price(name, 0), HOW, &visitor(name), 1000 + number);
    }
    let mut order = Vec::new();
    for _ in 0..5 {
        land(&mut machine, &last, 1);
        last = pump(&mut machine, 1).remove(0);
        order.push(of(&last));
    }
    let order: Vec<(&str, usize)> = order.iter().map(|(name, lines)| (name.as_str(), *lines)).collect();
    assert_eq!(order, [("many", 10), ("a", 1), ("b", 1), ("many", 10), ("many", 10)]);
}

#[test]
fn an_account_of_many_small_questions_has_no_more_turns_than_its_lines() {
    // One line a call: ten calls are ten lines, and a turn is worth eight calls at most.
    let rules = BatchRules { max_items: 16, one_quantity: true, one_unit: false };
    let mut machine = Machine::new(Capabilities { prices_batch: rules, ..capabilities(16) }, &budget(1), Mono(0));
    let asked = |customer: &str, sku: usize| {
        let Ask::Price(header, mut line) = price(customer, sku) else { unreachable!() };
        line.quantity = Some(format!("{}", sku + 1).parse().unwrap());
        Ask::Price(header, line)
    };
    for sku in 0..30 {
        ask_how(&mut machine, asked("A", sku), HOW, sku);
    }
    ask_how(&mut machine, asked("B", 0), HOW, 99);
    let mut before = 0;
    loop {
        let call = pump(&mut machine, 0).remove(0);
        if of(&call).0 == "B" {
            break;
        }
        before += 1;
        land(&mut machine, &call, 0);
    }
    assert_eq!(before, 8);
}

#[test]
fn a_call_takes_along_what_may_leave_together() {
    let (mut machine, first) = busy(1, 10);
    let other = Account::Visitor(VisitorId::new("other").unwrap());
    ask_how(&mut machine, price("C", 1), lane(Lane::Detail), 1);
    ask_as(&mut machine, price("C", 2), lane(Lane::Detail), &other, 2);
    ask_how(&mut machine, price("C", 3), lane(Lane::Feed), 3);
    ask_how(&mut machine, price("C", 4), How { need: Need::Refresh, ..HOW }, 4);
    ask_how(&mut machine, price("C", 5), How { need: Need::Rider, ..HOW }, 5);
    land(&mut machine, &first, 1);
    let call = pump(&mut machine, 1).remove(0);
    assert_eq!(of(&call), ("C".into(), 5));
    assert_eq!(machine.load(Mono(0)).tally.riders_taken, 1);
}

#[test]
fn the_last_permit_is_not_spent_on_the_background_while_others_wait() {
    let (mut machine, first) = busy(1, 10);
    ask_how(&mut machine, price("C", 1), HOW, 1);
    ask_how(&mut machine, price("C", 2), lane(Lane::Feed), 2);
    ask_how(&mut machine, price("C", 3), How { need: Need::Refresh, ..HOW }, 3);
    ask_how(&mut machine, price("C", 4), How { need: Need::Rider, ..HOW }, 4);
    ask_how(&mut machine, price("D", 5), HOW, 5);
    land(&mut machine, &first, 1);
    let call = pump(&mut machine, 1).remove(0);
    assert_eq!(of(&call), ("C".into(), 2));
}

#[test]
fn an_urgent_call_stays_small() {
    let (mut machine, first) = busy(1, 10);
    ask_how(&mut machine, price("C", 1), lane(Lane::Checkout), 1);
    ask_how(&mut machine, price("C", 2), lane(Lane::List), 2);
    ask_how(&mut machine, price("C", 3), How { need: Need::Rider, ..HOW }, 3);
    land(&mut machine, &first, 1);
    assert_eq!(of(&pump(&mut machine, 1)[0]), ("C".into(), 1));
}

#[test]
fn a_rider_never_causes_a_call_and_is_forgotten() {
    let mut machine: Machine<usize> = Machine::new(capabilities(10), &budget(4), Mono(0));
    ask_how(&mut machine, price("C", 1), How { need: Need::Rider, ..HOW }, 1);
    assert!(pump(&mut machine, 0).is_empty());
    assert_eq!((machine.waiting(), machine.next_wake(at(0)), machine.load(Mono(0)).riders), (0, None, 1));
    pump(&mut machine, 61_000);
    assert_eq!((machine.load(Mono(0)).riders, machine.flights.len()), (0, 0));
    // Whoever waits for one makes it a question like any other.
    ask_how(&mut machine, price("C", 1), How { need: Need::Rider, ..HOW }, 1);
    ask_how(&mut machine, price("C", 1), HOW, 2);
    let call = pump(&mut machine, 61_000).remove(0);
    assert_eq!(land(&mut machine, &call, 61_001), [2]);
    assert_eq!(machine.flights.len(), 0);
}

#[test]
fn foreground_leaves_before_background() {
    let (mut machine, first) = busy(1, 10);
    ask_how(&mut machine, price("refresh", 1), How { need: Need::Refresh, lane: Lane::Checkout, ..HOW }, 1);
    ask_how(&mut machine, price("waits", 2), lane(Lane::Detail), 2);
    land(&mut machine, &first, 1);
    assert_eq!(of(&pump(&mut machine, 1)[0]).0, "waits");
}

#[test]
fn stock_that_is_waited_for_lifts_the_refresh_it_rides_with() {
    let capabilities = Capabilities { offers: true, ..capabilities(10) };
    let mut machine = Machine::new(capabilities, &budget(1), Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0);
    let first = pump(&mut machine, 0).remove(0);
    ask_how(&mut machine, price("C", 1), How { need: Need::Refresh, ..HOW }, 1);
    ask_how(&mut machine, stock(1), How { rides: true, ..HOW }, 2);
    ask_how(&mut machine, price("D", 2), lane(Lane::List), 3);
    land(&mut machine, &first, 1);
    let call = pump(&mut machine, 1).remove(0);
    assert_eq!(of(&call).0, "C");
    assert_eq!(land(&mut machine, &call, 2), [2]);
}

#[test]
fn where_a_key_is_can_be_told() {
    let (mut machine, _) = busy(1, 10);
    ask_how(&mut machine, price("A", 1), HOW, 1);
    ask_how(&mut machine, price("C", 1), HOW, 1);
    ask_how(&mut machine, price("C", 2), HOW, 2);
    let there = machine.whereabouts(&price("C", 2), Mono(0)).waiting.unwrap();
    assert_eq!((there.lane, there.keys_before, there.accounts_before, there.standing), (Lane::Detail, 1, 1, "queued"));
    assert_eq!(machine.whereabouts(&price("first", 0), Mono(0)).air.len(), 1);
    assert_eq!(machine.whereabouts(&price("none", 0), Mono(0)), Whereabouts::default());
}

#[test]
fn stock_rides_with_no_price_that_only_comes_along() {
    let capabilities = Capabilities { offers: true, ..capabilities(10) };
    for need in [Need::Awaited, Need::Refresh] {
        let mut machine = Machine::new(capabilities.clone(), &budget(1), Mono(0));
        let rider = How { need: Need::Rider, ..HOW };
        ask_how(&mut machine, price("C", 1), rider, 0);
        ask_how(&mut machine, price("C", 1), rider, 0);
        ask_how(&mut machine, stock(1), How { need, rides: true, ..HOW }, 2);
        let call = pump(&mut machine, 0).remove(0);
        assert_eq!(of(&call), ("C".into(), 1), "one call for both");
        assert_eq!(land(&mut machine, &call, 1), if need == Need::Awaited { vec![2] } else { vec![] });
        assert_eq!((machine.waiting(), machine.flights.len()), (0, 0));
    }
}

#[test]
fn stock_that_stops_riding_makes_no_third_call() {
    let capabilities = Capabilities { offers: true, ..capabilities(10) };
    let mut machine = Machine::new(capabilities, &budget(3), Mono(0));
    for second in 0..2u64 {
        let demand = Demand { not_before: at(second).mono, min_stamp: Stamp(0) };
        ask(&mut machine, stock(1), demand, second as usize, false);
        assert_eq!(pump(&mut machine, second).len(), 1);
    }
    let demand = Demand { not_before: at(2).mono, min_stamp: Stamp(0) };
    // It rides with a price that nobody waits for; then somebody asks for it alone.
    ask_how(&mut machine, price("C", 1), How { need: Need::Refresh, lane: Lane::Audit, ..HOW }, 10);
    let account = Account::Public;
    let by: Arc<str> = "r1".into();
    let background = Terms { lane: Lane::Audit, account: &account, deadline: Mono(0), asked_by: &by, now: at(2) };
    let want = Want { ask: stock(1), demand, need: Need::Refresh, with_price: true };
    machine.ask(&background, want, None::<usize>);
    ask(&mut machine, stock(1), demand, 11, false);
    let there = machine.whereabouts(&stock(1), at(2).mono);
    assert_eq!((there.air.len(), there.waiting.map(|waiting| waiting.standing)), (2, Some("parked")));
}

#[test]
fn whoever_has_waited_longest_is_next_whatever_is_asked() {
    let facts = |id: &str| Ask::Customer(Some(CustomerId::new(id).unwrap()));
    let (mut machine, mut last) = busy(1, 10);
    for sku in 0..25 {
        ask_how(&mut machine, price("A", sku), HOW, sku);
    }
    ask_how(&mut machine, price("B", 0), HOW, 0);
    ask_as(&mut machine, facts("D"), HOW, &account(&price("D", 0)), 0);
    ask_how(&mut machine, price("C", 0), HOW, 0);
    ask_as(&mut machine, facts("E"), HOW, &account(&price("E", 0)), 0);
    let mut order = Vec::new();
    while machine.waiting() > 0 {
        land(&mut machine, &last, 1);
        last = pump(&mut machine, 1).remove(0);
        order.push(match &last.call {
            Call::Customers(customers) => ("facts".to_owned(), customers.len()),
            _ => of(&last),
        });
    }
    // The facts wait their turn, the others' go along; who asks for much does not come before them again.
    let order: Vec<(&str, usize)> = order.iter().map(|(whose, lines)| (whose.as_str(), *lines)).collect();
    assert_eq!(order, [("A", 10), ("B", 1), ("facts", 2), ("C", 1), ("A", 10), ("A", 5)]);
}
