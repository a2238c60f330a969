use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + seconds * 1000)
}

fn told(observed_at: Timestamp, ends: Option<Timestamp>) -> PriceFact {
    PriceFact::Told {
        net_price: "1.00".parse().unwrap(),
        base_quantity: "1".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        tax_basis: None,
        tax_rate: None,
        lead_time_days: None,
        ends,
        observed_at,
    }
}

fn no(observed_at: Timestamp) -> PriceFact {
    PriceFact::No { reason: "unknown_sku", observed_at }
}

fn take(pricing: &mut Pricing, now: Timestamp, n: usize) -> Vec<u32> {
    let mut taken = Vec::new();
    pricing.take(now, n, &mut taken);
    taken
}

/// Rows 0 to `rows` - 1, each told at its number of seconds.
fn priced(rows: u32) -> Pricing {
    let mut pricing = Pricing::new(HOUR);
    for row in 0..rows {
        pricing.wanted(row, at(0));
        pricing.told(row, &told(at(i64::from(row)), None), false, at(i64::from(row)));
    }
    pricing
}

#[test]
fn a_row_is_small() {
    assert_eq!(size_of::<Row>(), 16);
}

#[test]
fn the_most_urgent_come_first_each_in_the_order_they_came_due() {
    let mut pricing = priced(6);
    // 0 and 1 are old, 2 ends, 3 and 4 are declared wrong, 5 is told and rests; 6 and 7 were never asked.
    pricing.told(2, &told(at(3000), Some(at(4200))), false, at(3000));
    pricing.told(5, &told(at(3500), None), false, at(3500));
    pricing.invalidated(4, at(3590));
    pricing.invalidated(3, at(3591));
    pricing.wanted(7, at(3592));
    pricing.wanted(6, at(3593));
    assert_eq!(take(&mut pricing, at(3601), 20), [4, 3, 7, 6, 2, 0, 1]);
}

#[test]
fn one_place_in_eight_is_for_the_least_urgent() {
    let mut pricing = priced(40);
    for row in 20..40 {
        pricing.invalidated(row, at(3700));
    }
    let taken = take(&mut pricing, at(3700), 16);
    assert_eq!(taken[..14], (20..34).collect::<Vec<_>>());
    assert_eq!(taken[14..], [0, 1]);
    // Where few are left, all places are anybody's.
    assert_eq!(take(&mut pricing, at(3700), 16).len(), 16);
}

#[test]
fn what_was_asked_before_an_invalidation_is_no_answer_to_it() {
    let mut pricing = priced(1);
    assert_eq!(take(&mut pricing, at(3600), 10), [0]);
    pricing.invalidated(0, at(3601));
    assert!(!pricing.is_answered(0));
    assert!(take(&mut pricing, at(3601), 10).is_empty(), "it is in flight");
    pricing.told(0, &told(at(3602), None), true, at(3602));
    assert_eq!(pricing.counts().invalidated, 1);
    assert_eq!(take(&mut pricing, at(3602), 10), [0], "at once");
    assert!(pricing.is_answered(0));
    pricing.told(0, &told(at(3602), None), false, at(3603));
    assert_eq!(pricing.counts(), Counts::default());
    assert!(take(&mut pricing, at(3700), 10).is_empty());
}

#[test]
fn the_same_holds_for_a_row_that_was_never_asked() {
    let mut pricing = Pricing::new(HOUR);
    pricing.wanted(0, at(0));
    assert_eq!(take(&mut pricing, at(0), 1), [0]);
    pricing.invalidated(0, at(1));
    pricing.told(0, &told(at(1), None), false, at(1));
    assert_eq!(take(&mut pricing, at(1), 1), [0]);
}

#[test]
fn what_fails_waits_longer_each_time_and_nobody_waits_for_it() {
    let mut pricing = priced(2);
    pricing.invalidated(0, at(3600));
    let mut now = at(3600);
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(take(&mut pricing, now, 1), [0]);
        pricing.failed(0, now);
        assert_eq!(pricing.counts().failed, 1);
        let next = now.plus(SECOND * pause);
        assert_ne!(take(&mut pricing, next.minus(Duration::from_millis(1)), 1), [0], "{pause}");
        assert_eq!(pricing.counts().invalidated, 1, "it is wrong still");
        now = next;
    }
    assert_eq!(take(&mut pricing, now, 1), [0]);
    pricing.told(0, &told(now, None), false, now);
    assert_eq!(pricing.counts().failed, 0);
}

#[test]
fn an_invalidation_does_not_shorten_the_pause_of_who_fails_nor_lose_a_place() {
    let mut pricing = priced(3);
    for row in [1, 0] {
        pricing.invalidated(row, at(10 - i64::from(row)));
    }
    pricing.invalidated(1, at(100));
    assert_eq!(take(&mut pricing, at(100), 1), [1], "it was first and stays so");
    pricing.failed(1, at(100));
    pricing.invalidated(1, at(100));
    assert_eq!(take(&mut pricing, at(100), 5), [0]);
    assert_eq!(take(&mut pricing, at(101), 5), [1]);
}

#[test]
fn a_told_end_is_asked_about_before_and_once_more_when_it_has_come() {
    let mut pricing = priced(1);
    let end = at(3000);
    pricing.told(0, &told(at(0), Some(end)), false, at(0));
    assert_eq!(pricing.next_due(), Some(end.minus(AHEAD_OF_END)));
    let early = end.minus(AHEAD_OF_END);
    assert_eq!(take(&mut pricing, early, 1), [0]);
    // It ends all the same, says the ERP, or the same answer from memory.
    pricing.told(0, &told(at(2000), Some(end)), false, early);
    assert_eq!(pricing.next_due(), Some(end));
    assert_eq!(take(&mut pricing, end, 1), [0]);
    // The ERP's clock is a little behind: asked again soon, but not in a circle.
    pricing.told(0, &told(end, Some(end)), false, end);
    assert_eq!(pricing.next_due(), Some(end.plus(SECOND)));
    assert_eq!(take(&mut pricing, end.plus(SECOND), 1), [0]);
    pricing.told(0, &told(end, Some(end)), false, end.plus(SECOND));
    assert_eq!(pricing.next_due(), Some(end.plus(SECOND * 3)));
    assert_eq!(take(&mut pricing, end.plus(SECOND * 3), 1), [0]);
    pricing.told(0, &told(end, None), false, end.plus(SECOND * 3));
    assert_eq!(pricing.next_due(), Some(end.plus(HOUR)));
}

#[test]
fn an_old_answer_is_not_asked_again_at_once() {
    let mut pricing = priced(1);
    pricing.told(0, &told(at(0), None), false, at(9000));
    assert_eq!(pricing.next_due(), Some(at(9000).plus(PAUSE_MIN)));
}

#[test]
fn a_no_is_asked_again_ever_more_seldom_until_there_is_a_price() {
    let mut pricing = priced(1);
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        pricing.told(0, &no(now), false, now);
        let next = pricing.next_due().unwrap();
        pauses.push(now.until(next).as_secs() / 60);
        now = next;
        assert_eq!(take(&mut pricing, now, 1), [0]);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
    pricing.told(0, &told(now, None), false, now);
    pricing.told(0, &no(now), false, now);
    assert_eq!(pricing.next_due(), Some(now.plus(NO_PAUSE)));
}

#[test]
fn who_never_answers_is_asked_again_after_a_while() {
    let mut pricing = priced(1);
    pricing.invalidated(0, at(0));
    assert_eq!(take(&mut pricing, at(0), 1), [0]);
    assert!(take(&mut pricing, at(599), 1).is_empty());
    assert_eq!(take(&mut pricing, at(600), 1), [0]);
}

#[test]
fn what_was_forgotten_is_not_asked_and_what_comes_of_it_is_ignored() {
    let mut pricing = priced(3);
    assert_eq!(take(&mut pricing, at(3600), 1), [0]);
    pricing.forgotten(0);
    pricing.forgotten(1);
    pricing.forgotten(9);
    pricing.told(0, &told(at(3600), None), false, at(3600));
    pricing.failed(0, at(3600));
    pricing.invalidated(0, at(3600));
    assert_eq!(take(&mut pricing, at(9000), 9), [2]);
    assert_eq!(pricing.counts().in_flight, 1);
    pricing.wanted(0, at(9000));
    assert_eq!(take(&mut pricing, at(9000), 9), [0]);
}

#[test]
fn everything_can_be_declared_wrong() {
    let mut pricing = priced(100);
    pricing.forgotten(7);
    pricing.wanted(100, at(200));
    pricing.invalidated_all(at(200));
    assert_eq!(pricing.counts().invalidated, 99);
    assert_eq!(take(&mut pricing, at(200), 200).len(), 100);
}

/// The rules again, looked up in a list.
#[derive(Clone, Copy, Debug)]
struct Known {
    why: Why,
    at: Timestamp,
    flies: bool,
    overtaken: bool,
    failures: u32,
    noes: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wanted(u32),
    Price { row: u32, age: u32, ends_in: Option<i32> },
    No { row: u32 },
    StillWrong(u32),
    Failed(u32),
    Invalidated(u32),
    All,
    Forgotten(u32),
    Take(usize),
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let row = || 0..24u32;
    prop_oneof![
        4 => row().prop_map(Step::Wanted),
        6 => (row(), 0..5000u32, proptest::option::of(-100..3000i32))
            .prop_map(|(row, age, ends_in)| Step::Price { row, age, ends_in }),
        2 => row().prop_map(|row| Step::No { row }),
        1 => row().prop_map(Step::StillWrong),
        4 => row().prop_map(Step::Failed),
        4 => row().prop_map(Step::Invalidated),
        1 => Just(Step::All),
        1 => row().prop_map(Step::Forgotten),
        8 => (0..20usize).prop_map(Step::Take),
        6 => (1..1500u32).prop_map(Step::Pass),
    ]
}

fn doubled(first: u64, times: u32, most: u64) -> i64 {
    (0..times).fold(first, |pause, _| (pause * 2).min(most)) as i64
}

fn invalidate(known: &mut Known, now: Timestamp) {
    let why = if known.why == Why::Unasked { Why::Unasked } else { Why::Invalidated };
    if known.flies {
        known.overtaken = true;
    } else if known.why != why {
        (known.at, known.failures) = (now, 0);
    }
    known.why = why;
}

fn expected(rows: &mut BTreeMap<u32, Known>, now: Timestamp, n: usize) -> Vec<u32> {
    for known in rows.values_mut().filter(|known| known.at <= now) {
        (known.flies, known.overtaken) = (false, false);
    }
    let mut due: Vec<(Why, Timestamp, u32)> =
        rows.iter().filter(|(_, known)| known.at <= now).map(|(row, known)| (known.why, known.at, *row)).collect();
    due.sort();
    let mut taken: Vec<u32> = due.drain(..due.len().min(n - n / 8)).map(|(.., row)| row).collect();
    due.sort_by_key(|(why, at, row)| (std::cmp::Reverse(*why), *at, *row));
    taken.extend(due.into_iter().map(|(.., row)| row).take(n - taken.len()));
    for row in &taken {
        let known = rows.get_mut(row).unwrap();
        (known.flies, known.at) = (true, now.plus(LOST_AFTER));
    }
    taken
}

proptest! {
    #[test]
    fn it_takes_what_a_list_would(steps in proptest::collection::vec(step(), 1..300)) {
        let mut pricing = Pricing::new(HOUR);
        let mut rows: BTreeMap<u32, Known> = BTreeMap::new();
        let mut now = at(0);
        let seconds = |from: Timestamp, seconds: i64| Timestamp(from.0 + seconds * 1000);
        for step in steps {
            match step {
                Step::Wanted(row) => {
                    pricing.wanted(row, now);
                    let unasked =
                        Known { why: Why::Unasked, at: now, flies: false, overtaken: false, failures: 0, noes: 0 };
                    rows.entry(row).or_insert(unasked);
                }
                Step::Price { row, age, ends_in } => {
                    let observed_at = seconds(now, -i64::from(age));
                    let ends = ends_in.map(|ends| seconds(now, i64::from(ends)));
                    let overtaken = rows.get(&row).is_some_and(|known| known.overtaken);
                    prop_assert_eq!(pricing.is_answered(row), !overtaken);
                    pricing.told(row, &told(observed_at, ends), overtaken, now);
                    let Some(known) = rows.get_mut(&row) else { continue };
                    if overtaken {
                        if known.why != Why::Unasked {
                            known.why = Why::Invalidated;
                        }
                        *known = Known { at: now, flies: false, overtaken: false, failures: 0, noes: 0, ..*known };
                        continue;
                    }
                    let old = seconds(observed_at, 3600).max(seconds(now, 30));
                    let (end, failures) = match ends_in {
                        None => (None, 0),
                        Some(ends) if ends <= 0 => {
                            (Some(seconds(now, doubled(1, known.failures, 300))), known.failures + 1)
                        }
                        Some(ends) if ends <= 600 => (Some(seconds(now, i64::from(ends))), 0),
                        Some(ends) => (Some(seconds(now, i64::from(ends) - 600)), 0),
                    };
                    let ending = end.filter(|end| failures > 0 || *end <= old);
                    let why = if ending.is_some() { Why::Ending } else { Why::Old };
                    *known = Known { why, at: ending.unwrap_or(old), flies: false, overtaken: false, failures, noes: 0 };
                }
                Step::No { row } => {
                    let overtaken = rows.get(&row).is_some_and(|known| known.overtaken);
                    if overtaken {
                        continue;
                    }
                    pricing.told(row, &no(now), false, now);
                    let Some(known) = rows.get_mut(&row) else { continue };
                    let at = seconds(now, doubled(600, known.noes, 86_400));
                    let noes = known.noes + 1;
                    *known = Known { why: Why::Old, at, flies: false, overtaken: false, failures: 0, noes };
                }
                Step::StillWrong(row) => {
                    let Some(known) = rows.get_mut(&row) else { continue };
                    if known.overtaken || known.why == Why::Unasked {
                        continue;
                    }
                    pricing.told(row, &told(now, None), true, now);
                    let at = seconds(now, doubled(1, known.failures, 300));
                    let failures = known.failures + 1;
                    *known = Known { why: Why::Invalidated, at, flies: false, failures, noes: 0, ..*known };
                }
                Step::Failed(row) => {
                    pricing.failed(row, now);
                    let Some(known) = rows.get_mut(&row) else { continue };
                    known.at = seconds(now, doubled(1, known.failures, 300));
                    known.failures += 1;
                    (known.flies, known.overtaken) = (false, false);
                }
                Step::Invalidated(row) => {
                    pricing.invalidated(row, now);
                    if let Some(known) = rows.get_mut(&row) {
                        invalidate(known, now);
                    }
                }
                Step::All => {
                    pricing.invalidated_all(now);
                    rows.values_mut().for_each(|known| invalidate(known, now));
                }
                Step::Forgotten(row) => {
                    pricing.forgotten(row);
                    rows.remove(&row);
                }
                Step::Take(n) => {
                    prop_assert_eq!(take(&mut pricing, now, n), expected(&mut rows, now, n));
                    let counts = pricing.counts();
                    let count = |which: fn(&Known) -> bool| rows.values().filter(|known| which(known)).count();
                    prop_assert_eq!(counts.in_flight, count(|known| known.flies));
                    prop_assert_eq!(counts.invalidated, count(|known| known.why == Why::Invalidated));
                    prop_assert_eq!(counts.failed, count(|known| known.failures > 0));
                    prop_assert_eq!(counts.due, rows.values().filter(|known| known.at <= now).count());
                }
                Step::Pass(pause) => now = seconds(now, i64::from(pause)),
            }
            prop_assert_eq!(pricing.next_due(), rows.values().map(|known| known.at).min());
        }
    }
}
