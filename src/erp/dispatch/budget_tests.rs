use super::*;

const HIGH: Weight = Weight { low: false, paced: false };
const LOW: Weight = Weight { low: true, paced: false };
const PACED: Weight = Weight { low: true, paced: true };
const MANY: usize = 1_000_000;

fn budget(concurrency: usize, calls_per_minute: Option<usize>) -> Budget {
    Budget { concurrency, calls_per_minute, ..Budget::default() }
}

fn usage(concurrency: usize, calls_per_minute: Option<usize>) -> Usage {
    Usage::new(&budget(concurrency, calls_per_minute), Mono(0))
}

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000)
}

fn millis_at(milliseconds: u64) -> Mono {
    Mono(milliseconds * 1000)
}

fn take(usage: &mut Usage, weight: Weight, now: Mono) -> bool {
    let free = usage.may_depart(weight, MANY, now);
    if free {
        usage.depart(weight.low);
    }
    free
}

fn reading(mono: Mono, wall: &str) -> Reading {
    Reading { mono, wall: wall_at(wall) }
}

fn wall_at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

#[test]
fn never_more_than_concurrency_nor_than_the_limit() {
    let mut usage = usage(3, None);
    assert!(take(&mut usage, HIGH, at(0)) && take(&mut usage, HIGH, at(0)));
    assert!(!usage.may_depart(HIGH, 2, at(0)), "the limit is lower for now");
    assert!(take(&mut usage, HIGH, at(0)));
    assert!(!take(&mut usage, HIGH, at(0)));
    let now = Reading { mono: at(0), ..Reading::default() };
    assert_eq!(usage.next_change(MANY, now), None, "waiting for a permit, not for time");
    usage.give_back(false, at(1));
    assert!(take(&mut usage, HIGH, at(1)));
}

#[test]
fn a_slot_is_back_sixty_seconds_after_the_end_of_its_call() {
    let mut usage = usage(4, Some(2));
    assert!(take(&mut usage, HIGH, at(0)) && take(&mut usage, HIGH, at(0)));
    assert!(!take(&mut usage, HIGH, at(1)));
    usage.give_back(false, at(5));
    usage.give_back(false, at(7));
    assert!(!take(&mut usage, HIGH, at(64)));
    let now = Reading { mono: at(64), ..Reading::default() };
    assert_eq!(usage.next_change(MANY, now), Some(at(65)));
    assert!(take(&mut usage, HIGH, at(65)));
    assert!(!take(&mut usage, HIGH, at(66)));
    assert!(take(&mut usage, HIGH, at(67)));
}

#[test]
fn no_minute_at_the_erp_sees_more_than_the_limit_whatever_the_jitter() {
    // Calls reach the ERP anywhere between their start and their end.
    let mut usage = usage(3, Some(10));
    let mut running: Vec<(Mono, Mono)> = Vec::new();
    let mut seen: Vec<Mono> = Vec::new();
    let mut random = 12345u64;
    for tick in 0..4_000u64 {
        let now = Mono(tick * 100_000);
        running.retain(|&(end, arrival)| {
            if end <= now {
                usage.give_back(false, end);
                seen.push(arrival);
            }
            end > now
        });
        while take(&mut usage, HIGH, now) {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let length = random >> 44;
            running.push((Mono(now.0 + length), Mono(now.0 + (random >> 20) % (length + 1))));
        }
    }
    seen.sort();
    let worst = seen.iter().map(|&from| seen.iter().filter(|&&t| t >= from && t < from.plus(MINUTE)).count()).max();
    assert!(worst.unwrap() <= 10, "{worst:?}");
    assert!(seen.len() > 50, "the budget is used: {}", seen.len());
}

#[test]
fn no_tenth_of_a_second_sees_more_than_its_share_and_the_burst() {
    let mut usage = Usage::new(&Budget { burst: Some(3), ..budget(100, Some(600)) }, Mono(0));
    let mut left: Vec<u64> = Vec::new();
    for tick in 0..100_000u64 {
        let now = Mono(tick * 1_000);
        // Long idle spells in between, after which everything wants to leave at once.
        let weight = if tick % 3 == 0 { PACED } else { HIGH };
        if tick % 7_000 > 3_000 && take(&mut usage, weight, now) {
            left.push(now.0);
            usage.give_back(weight.low, now);
        }
    }
    let worst = left.iter().map(|&from| left.iter().filter(|&&t| t >= from && t < from + 100_000).count()).max();
    // A tenth of a second is worth one call at 600 a minute.
    assert!(worst <= Some(3 + 1) && worst >= Some(3), "{worst:?}");
}

#[test]
fn the_low_lanes_leave_a_permit_and_a_fifth_of_the_minute() {
    let mut permits = usage(4, None);
    assert_eq!((0..4).filter(|_| take(&mut permits, LOW, at(0))).count(), 3);
    assert!(take(&mut permits, HIGH, at(0)), "the last one is for the urgent");
    let mut single = usage(1, None);
    assert!(take(&mut single, LOW, at(0)), "with one permit there is nothing to hold back");
    let mut minute = usage(4, Some(10));
    let mut low = 0;
    for second in 0..50 {
        if take(&mut minute, LOW, at(second)) {
            minute.give_back(true, at(second));
            low += 1;
        }
    }
    assert_eq!(low, 8);
    assert!(take(&mut minute, HIGH, at(50)) && take(&mut minute, HIGH, at(50)));
    assert!(!take(&mut minute, HIGH, at(50)));
}

#[test]
fn the_low_lanes_leave_a_fifth_of_the_tokens_as_they_flow() {
    let three = Budget { burst: Some(3), ..budget(100, Some(600)) };
    let mut usage = Usage::new(&three, Mono(0));
    assert_eq!((0..9).filter(|_| take(&mut usage, LOW, at(0))).count(), 2, "and one of the burst");
    // A token flows back in a tenth of a second, one for the low lanes in an eighth.
    let now = Reading { mono: at(0), ..Reading::default() };
    assert_eq!(usage.next_change(MANY, now), Some(millis_at(125)));
    let mut left = [0, 0];
    for tick in 0..10_000u64 {
        let now = millis_at(tick);
        left[0] += u64::from(take(&mut usage, LOW, now));
        // Who is urgent comes at odd times, and need not wait.
        if tick % 700 == 699 {
            assert!(take(&mut usage, HIGH, now));
            left[1] += 1;
        }
    }
    assert_eq!(left, [79, 14]);
    let mut single = Usage::new(&Budget { burst: Some(1), ..three }, Mono(0));
    assert!(take(&mut single, LOW, at(0)), "of one token there is nothing to leave");
}

#[test]
fn the_background_leaves_the_burst_to_those_who_wait() {
    let mut usage = usage(8, Some(600));
    assert!(take(&mut usage, PACED, at(0)));
    assert!(!take(&mut usage, PACED, at(0)), "one, and the next a tenth of a second later");
    let now = Reading { mono: at(0), ..Reading::default() };
    assert_eq!(usage.next_change(MANY, now), Some(millis_at(100)));
    assert!(take(&mut usage, HIGH, at(0)) && take(&mut usage, HIGH, at(0)), "a caller need not wait for that");
    assert!(!take(&mut usage, PACED, millis_at(200)));
    assert!(take(&mut usage, PACED, millis_at(300)));
}

#[test]
fn after_an_unclean_end_there_is_one_call_at_a_time_until_the_hard_limit_has_passed() {
    let budget = Budget { unclean_start: true, ..budget(4, Some(6_000)) };
    let mut usage = Usage::new(&budget, at(100));
    assert!(take(&mut usage, HIGH, at(100)));
    assert!(!take(&mut usage, HIGH, at(109)), "one permit");
    let now = Reading { mono: at(109), ..Reading::default() };
    assert_eq!(usage.next_change(MANY, now), Some(at(110)), "then there are more, without a call ending");
    usage.give_back(false, at(109));
    assert!(take(&mut usage, HIGH, at(109)));
    usage.give_back(false, at(109));
    assert!(!take(&mut usage, HIGH, at(109)), "no burst either");
    assert_eq!((0..9).filter(|_| take(&mut usage, HIGH, at(120))).count(), 4);
}

#[test]
fn nothing_leaves_in_a_window_nor_so_late_before_that_it_would_run_into_it() {
    let zone = jiff::tz::TimeZone::UTC;
    let maintenance = Maintenance::new(&["Sat 22:00-Sun 04:00"], zone).unwrap();
    let mut usage = Usage::new(&Budget { maintenance, ..budget(4, None) }, Mono(0));
    for (wall, closed) in [
        ("2026-11-21T21:59:49.999Z", false),
        ("2026-11-21T21:59:50Z", true),
        ("2026-11-22T03:59:59.999Z", true),
        ("2026-11-22T04:00:00Z", false),
        // The wall clock is set back.
        ("2026-11-21T23:00:00Z", true),
        ("2026-11-21T12:00:00Z", false),
        ("2026-11-28T22:30:00Z", true),
    ] {
        assert_eq!(usage.is_closed(wall_at(wall)), closed, "{wall}");
    }
    let wake = usage.next_change(MANY, reading(at(1000), "2026-11-22T03:59:30Z"));
    assert_eq!(wake, Some(at(1030)));
}
