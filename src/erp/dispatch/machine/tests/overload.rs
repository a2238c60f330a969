//! More is asked than can be answered.

use super::*;

/// A machine that knows what a call takes: so long, whatever its size.
fn learned(permits: usize, max_items: usize, millis: u64) -> (Machine<Until>, u64) {
    let mut machine = Machine::new(capabilities(max_items), &budget(permits), Mono(0));
    let now = teach(&mut machine, &[(1, millis); 4]);
    (machine, now)
}

/// Calls of so many lines take so long. What time it is then.
fn teach(machine: &mut Machine<Until>, calls: &[(usize, u64)]) -> u64 {
    let mut now = 0;
    for &(lines, millis) in calls {
        for sku in 0..lines {
            ask_how(machine, price("teacher", sku), How { now, ..HOW }, Until(u64::MAX / 2000, 0));
        }
        let call = pump(machine, now).remove(0);
        now += millis;
        land(machine, &call, now);
    }
    now
}

/// The same, of an ERP whose calls for prices bring stock.
fn offers(max_items: usize, queue_lines_max: usize) -> Machine<Until> {
    let capabilities = Capabilities { offers: true, ..capabilities(max_items) };
    Machine::new(capabilities, &Budget { queue_lines_max, ..budget(1) }, Mono(0))
}

#[test]
fn whoever_cannot_be_answered_in_time_is_told_at_once_and_their_key_still_fetched() {
    let (mut machine, now) = learned(1, 10, 1000);
    let how = How { now, time: 300, ..HOW };
    let asked = ask_how(&mut machine, price("C", 1), how, Until(now + 300, 1));
    assert_eq!(asked, Asked::Background(Refusal::TooLate));
    assert_eq!(machine.take_refused(), [(Until(now + 300, 1), Refusal::TooLate)]);
    let call = pump(&mut machine, now).remove(0);
    assert!(call.background);
    assert_eq!(of(&call), ("C".into(), 1));
    // Joining what flies or waits is never refused.
    assert_eq!(ask_how(&mut machine, price("C", 1), how, Until(now + 300, 2)), Asked::JoinedAir);
    ask_how(&mut machine, price("C", 2), How { time: 5000, ..how }, Until(now + 5000, 3));
    assert_eq!(ask_how(&mut machine, price("C", 2), how, Until(now + 300, 4)), Asked::JoinedQueue);
    assert!(machine.take_refused().is_empty());
}

#[test]
fn a_queue_too_long_is_too_late() {
    let (mut machine, now) = learned(1, 10, 1000);
    let how = How { now, time: 3000, lane: Lane::List, ..HOW };
    let asked: Vec<Asked> =
        (0..20).map(|n| ask_how(&mut machine, price(&format!("C{n}"), 1), how, Until(now + 3000, n))).collect();
    let queued = asked.iter().filter(|asked| **asked == Asked::Queued).count();
    assert!((3..=6).contains(&queued), "a second each, three seconds' time: {queued}");
    // A higher lane does not stand behind them.
    let higher = ask_how(&mut machine, price("D", 1), How { lane: Lane::Checkout, ..how }, Until(now + 3000, 99));
    assert_eq!(higher, Asked::Queued);
}

#[test]
fn a_page_without_time_refuses_nothing_and_waits_in_the_background() {
    let (mut machine, now) = learned(1, 10, 1000);
    let asked = ask_how(&mut machine, price("C", 1), How { now, time: 0, ..HOW }, Until(now, 1));
    assert_eq!(asked, Asked::Queued);
    assert!(machine.take_refused().is_empty());
    let call = pump(&mut machine, now).remove(0);
    assert!(call.background);
    assert_eq!(land(&mut machine, &call, now + 1000), [Until(now, 1)], "it is told all the same");
}

#[test]
fn what_nobody_waits_for_any_more_makes_way() {
    let (mut machine, now) = learned(1, 10, 100);
    ask_how(&mut machine, price("first", 0), How { now, ..HOW }, Until(now + 9000, 0));
    let first = pump(&mut machine, now).remove(0);
    ask_how(&mut machine, price("gone", 1), How { now, time: 500, lane: Lane::Checkout, ..HOW }, Until(now + 500, 1));
    ask_how(&mut machine, price("there", 2), How { now, time: 9000, ..HOW }, Until(now + 9000, 2));
    land(&mut machine, &first, now + 1000);
    let next = pump(&mut machine, now + 1000).remove(0);
    assert_eq!(of(&next).0, "there");
    land(&mut machine, &next, now + 1100);
    let last = pump(&mut machine, now + 1100).remove(0);
    assert_eq!((of(&last).0, last.background), ("gone".into(), true));
    assert_eq!(land(&mut machine, &last, now + 1200), [Until(now + 500, 1)]);
}

#[test]
fn when_the_queue_is_full_the_least_urgent_make_room() {
    let mut machine = Machine::new(capabilities(1), &Budget { queue_lines_max: 3, ..budget(1) }, Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0usize);
    pump(&mut machine, 0);
    ask_how(&mut machine, price("A", 1), lane(Lane::List), 1);
    ask_how(&mut machine, price("A", 2), How { need: Need::Refresh, lane: Lane::Checkout, ..HOW }, 2);
    ask_how(&mut machine, price("A", 3), lane(Lane::Detail), 3);
    // The background goes first, whatever its lane; nobody waited for it.
    assert_eq!(ask_how(&mut machine, price("B", 4), lane(Lane::Cart), 4), Asked::Queued);
    assert!(machine.take_refused().is_empty());
    // Then the lowest lane.
    assert_eq!(ask_how(&mut machine, price("B", 5), lane(Lane::Cart), 5), Asked::Queued);
    assert_eq!(machine.take_refused(), [(1, Refusal::QueueFull)]);
    // There is nobody below.
    assert_eq!(ask_how(&mut machine, price("B", 6), lane(Lane::List), 6), Asked::Refused(Refusal::QueueFull));
    assert_eq!(machine.take_refused(), [(6, Refusal::QueueFull)]);
    assert_eq!(machine.waiting(), 3);
}

#[test]
fn a_full_queue_is_shared_among_accounts() {
    let mut machine = Machine::new(capabilities(1), &Budget { queue_lines_max: 10, ..budget(1) }, Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0usize);
    pump(&mut machine, 0);
    for sku in 0..10 {
        ask_how(&mut machine, price("flood", sku), HOW, sku);
    }
    let queued = (0..10).filter(|sku| ask_how(&mut machine, price("C", *sku), HOW, 100 + sku) == Asked::Queued).count();
    assert_eq!(queued, 5);
    assert!(machine.take_refused()[..5].iter().all(|(who, _)| *who < 10), "the flood makes room");
}

#[test]
fn stock_somebody_waits_for_does_not_go_with_a_price_that_makes_room() {
    let capabilities = Capabilities { offers: true, ..capabilities(1) };
    let mut machine = Machine::new(capabilities, &Budget { queue_lines_max: 3, ..budget(1) }, Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0usize);
    let first = pump(&mut machine, 0).remove(0);
    // A refresh, and its stock rides with it; then somebody waits for that stock.
    let refresh = How { need: Need::Refresh, ..HOW };
    ask_how(&mut machine, price("A", 1), refresh, 1);
    ask_how(&mut machine, stock(1), How { rides: true, ..refresh }, 2);
    ask_how(&mut machine, price("B", 1), refresh, 3);
    assert_eq!(ask_how(&mut machine, stock(1), How { rides: true, ..HOW }, 4), Asked::JoinedQueue);
    // The price of A makes room, as nobody waits for it.
    assert_eq!(ask_how(&mut machine, price("C", 9), lane(Lane::Audit), 5), Asked::Queued);
    assert!(machine.take_refused().is_empty());
    let mut told = land(&mut machine, &first, 1);
    for call in 1..4 {
        for departure in pump(&mut machine, call) {
            told.extend(land(&mut machine, &departure, call));
        }
    }
    told.sort_unstable();
    assert_eq!((told, machine.waiting()), (vec![0, 4, 5], 0));
}

#[test]
fn stock_no_more_urgent_than_its_price_makes_room_with_it() {
    let capabilities = Capabilities { offers: true, ..capabilities(1) };
    let mut machine = Machine::new(capabilities, &Budget { queue_lines_max: 2, ..budget(1) }, Mono(0));
    ask_how(&mut machine, price("first", 0), HOW, 0usize);
    pump(&mut machine, 0);
    ask_how(&mut machine, price("flood", 1), lane(Lane::List), 1);
    ask_how(&mut machine, stock(1), How { rides: true, ..lane(Lane::List) }, 2);
    ask_how(&mut machine, price("C", 2), lane(Lane::Cart), 3);
    assert_eq!(machine.take_refused(), [(1, Refusal::QueueFull), (2, Refusal::QueueFull)]);
    assert_eq!(machine.waiting(), 1, "and does not come back as a call for stock");
}

#[test]
fn a_page_that_comes_too_late_makes_way_whole_if_others_wait() {
    let late = |others: bool| {
        let mut machine = Machine::new(capabilities(10), &budget(1), Mono(0));
        // 100 ms a line and 100 more.
        let now = teach(&mut machine, &[(1, 200), (10, 1100), (1, 200), (10, 1100)]);
        ask_how(&mut machine, price("first", 0), How { now, ..HOW }, Until(now + 9000, 0));
        let first = pump(&mut machine, now).remove(0);
        for sku in 0..10 {
            ask_how(&mut machine, price("late", sku), How { now, time: 2000, ..HOW }, Until(now + 2000, sku));
        }
        if others {
            ask_how(&mut machine, price("there", 0), How { now, time: 9000, ..HOW }, Until(now + 9000, 0));
        }
        // 1,000 ms are left: too few for ten lines, and enough for some.
        land(&mut machine, &first, now + 1000);
        let next = pump(&mut machine, now + 1000).remove(0);
        (of(&next), next.background)
    };
    assert_eq!(late(true), (("there".into(), 1), false));
    let ((whose, lines), background) = late(false);
    assert!(whose == "late" && !background && (4..10).contains(&lines), "{whose} {lines}");
}

#[test]
fn stock_sinks_with_its_price_and_does_not_come_back_alone() {
    let mut machine = offers(10, 3);
    let now = teach(&mut machine, &[(1, 100); 4]);
    ask_how(&mut machine, price("first", 0), How { now, ..HOW }, Until(now + 9000, 0));
    let first = pump(&mut machine, now).remove(0);
    let gone = How { now, time: 500, ..HOW };
    ask_how(&mut machine, price("gone", 1), gone, Until(now + 500, 1));
    ask_how(&mut machine, stock(1), How { rides: true, ..gone }, Until(now + 500, 2));
    ask_how(&mut machine, price("there", 2), How { now, ..HOW }, Until(now + 9000, 3));
    land(&mut machine, &first, now + 1000);
    assert_eq!(of(&pump(&mut machine, now + 1000)[0]).0, "there");
    // The price has sunk, and makes room; nobody waits for its stock either.
    let how = How { now: now + 1000, ..HOW };
    ask_how(&mut machine, price("C", 3), how, Until(now + 9000, 4));
    ask_how(&mut machine, price("D", 4), how, Until(now + 9000, 5));
    assert_eq!(machine.waiting(), 2);
    assert_eq!(machine.take_refused().len(), 2);
}

#[test]
fn stock_of_a_price_that_comes_too_late_is_refused_with_it() {
    // Room for all, or for what waits already.
    for room in [100, 2] {
        let mut machine = offers(10, room);
        let now = teach(&mut machine, &[(1, 1000); 4]);
        let how = How { now, time: 1200, lane: Lane::List, ..HOW };
        ask_how(&mut machine, price("first", 0), how, Until(now + 1200, 0));
        pump(&mut machine, now);
        // There is a call for stock to go along with.
        ask_how(&mut machine, stock(98), how, Until(now + 1200, 1));
        ask_how(&mut machine, price("before", 1), how, Until(now + 1200, 2));
        let price = ask_how(&mut machine, price("C", 2), How { time: 700, ..how }, Until(now + 700, 3));
        let stock = ask_how(&mut machine, stock(2), How { time: 700, rides: true, ..how }, Until(now + 700, 4));
        assert_eq!(
            price,
            if room > 2 { Asked::Background(Refusal::TooLate) } else { Asked::Refused(Refusal::TooLate) }
        );
        assert_eq!(stock, price);
        assert_eq!(machine.take_refused().len(), 2);
    }
}
