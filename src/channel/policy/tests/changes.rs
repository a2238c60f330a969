use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::channel::row::{ChannelPrice, Reasons, RowState};

const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn euros(amount: &str) -> ChannelPrice {
    ChannelPrice { amount: money(amount), currency: "EUR".parse().unwrap(), tax_basis: TaxBasis::Gross }
}

fn listed(quantity: &str, price: &str) -> Listing {
    Listing {
        presence: Presence::Listed,
        quantity: Some(q(quantity)),
        price: Some(euros(price)),
        lead_time_days: None,
        reasons: Reasons::default(),
    }
}

fn not(presence: Presence, reason: &'static str) -> Listing {
    let reasons = [reason].into_iter().collect();
    Listing { presence, quantity: Some(Quantity::ZERO), price: None, lead_time_days: None, reasons }
}

/// A row of a channel under `policy`, as its log would keep it.
struct Row {
    policy: Policy,
    shown: Option<Shown>,
    waiting: Waiting,
    again_at: Option<Timestamp>,
}

impl Row {
    fn new(policy: Policy) -> Self {
        Self { policy, shown: None, waiting: Waiting::default(), again_at: None }
    }

    /// What is published, in a word: `=` where the row stays as it is.
    fn see(&mut self, seconds: u64, computed: &Listing) -> String {
        let trace = Trace::default();
        let next = self.policy.next(self.shown.as_ref(), computed, self.waiting, at(seconds), &trace);
        let unkept = self.policy.next(self.shown.as_ref(), computed, self.waiting, at(seconds), Unkept);
        assert_eq!(next, unkept, "what is explained is what happens");
        (self.waiting, self.again_at) = (next.waiting, next.again_at);
        let Some(shown) = next.publish else { return "=".to_owned() };
        assert_ne!(Some(shown), self.shown, "what changes nothing is not published");
        self.shown = Some(shown);
        let quantity = shown.quantity.map_or("none".to_owned(), |quantity| quantity.to_string());
        let price = shown.price.map_or("-".to_owned(), |price| price.amount.to_string());
        let reasons: String = shown.reasons.iter().map(|reason| format!(" {reason}")).collect();
        format!("{} {quantity} {price}{reasons}", shown.state.as_str())
    }
}

fn settling() -> Row {
    Row::new(policy(|config| config.settle = MINUTE))
}

#[test]
fn what_was_never_sold_is_not_published() {
    let mut row = settling();
    assert_eq!(row.see(0, &not(Presence::Zeroed, "pending")), "=");
    assert_eq!(row.see(1, &not(Presence::Leaving, "not_for_sale")), "=");
    assert_eq!(row.see(2, &listed("5", "9.99")), "LISTED 5 9.99", "at once: it rises above nothing");
}

#[test]
fn a_fall_is_published_at_once_and_a_rise_when_it_has_lasted() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(1, &listed("3", "9.99")), "LISTED 3 9.99");
    assert_eq!(row.see(2, &listed("0", "9.99")), "LISTED 0 9.99");
    assert_eq!(row.see(10, &listed("4", "9.99")), "=");
    assert_eq!(row.again_at, Some(at(70)));
    assert_eq!(row.see(69, &listed("4", "9.99")), "=");
    assert_eq!(row.see(70, &listed("4", "9.99")), "LISTED 4 9.99");
    assert_eq!((row.waiting, row.again_at), (Waiting::default(), None));
}

#[test]
fn a_rise_that_does_not_last_is_never_seen() {
    let mut row = settling();
    row.see(0, &listed("0", "9.99"));
    assert_eq!(row.see(10, &listed("1", "9.99")), "=");
    assert_eq!(row.see(50, &listed("0", "9.99")), "=");
    assert_eq!(row.see(60, &listed("1", "9.99")), "=", "it begins anew");
    assert_eq!(row.see(119, &listed("1", "9.99")), "=");
    assert_eq!(row.see(120, &listed("1", "9.99")), "LISTED 1 9.99");
}

#[test]
fn only_as_much_as_has_lasted_is_shown() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(10, &listed("8", "9.99")), "=");
    assert_eq!(row.see(30, &listed("7", "9.99")), "=");
    assert_eq!(row.see(69, &listed("90", "9.99")), "=");
    assert_eq!(row.see(70, &listed("90", "9.99")), "LISTED 7 9.99");
    assert_eq!(row.again_at, Some(at(130)), "the rest in its turn");
    assert_eq!(row.see(130, &listed("90", "9.99")), "LISTED 90 9.99");
}

#[test]
fn a_price_does_not_wait_for_a_quantity() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(10, &listed("8", "8.99")), "LISTED 5 8.99");
    assert_eq!(row.see(70, &listed("8", "8.99")), "LISTED 8 8.99");
}

#[test]
fn what_was_zeroed_comes_back_whole() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(1, &not(Presence::Zeroed, "validity_ended")), "ZEROED 0 - validity_ended");
    assert_eq!(row.see(2, &listed("5", "8.99")), "=");
    assert_eq!(row.see(62, &listed("5", "8.99")), "LISTED 5 8.99");
    row.see(63, &not(Presence::Zeroed, "validity_ended"));
    assert_eq!(row.see(64, &listed("0", "8.99")), "LISTED 0 8.99", "nothing rises here");
}

#[test]
fn without_settling_everything_is_at_once() {
    let mut row = Row::new(policy(|_| {}));
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(0, &listed("6", "9.99")), "LISTED 6 9.99");
    assert_eq!(row.see(0, &listed("6", "9.99")), "=");
}

#[test]
fn what_leaves_stands_at_zero_before_it_is_removed() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(10, &not(Presence::Leaving, "not_for_sale")), "ZEROED 0 - not_for_sale");
    assert_eq!(row.again_at, Some(at(3610)));
    assert_eq!(row.see(100, &not(Presence::Leaving, "not_in_assortment")), "ZEROED 0 - not_in_assortment");
    assert_eq!(row.see(3609, &not(Presence::Leaving, "not_in_assortment")), "=");
    assert_eq!(row.see(3610, &not(Presence::Leaving, "not_in_assortment")), "REMOVED 0 - not_in_assortment");
    assert_eq!(row.see(9999, &not(Presence::Leaving, "not_for_sale")), "=", "gone is gone");
    assert_eq!(row.see(9999, &not(Presence::Zeroed, "pending")), "=");
    assert_eq!(row.see(10_000, &listed("5", "9.99")), "=");
    assert_eq!(row.see(10_060, &listed("5", "9.99")), "LISTED 5 9.99");
}

#[test]
fn who_comes_back_in_time_is_not_removed() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    row.see(10, &not(Presence::Leaving, "not_for_sale"));
    row.see(3000, &listed("5", "9.99"));
    assert_eq!(row.see(3059, &not(Presence::Leaving, "not_for_sale")), "=");
    assert_eq!(row.again_at, Some(at(3059 + 3600)), "the hour begins anew");
    let mut at_once = Row::new(policy(|config| config.remove_after = Duration::ZERO));
    at_once.see(0, &listed("5", "9.99"));
    assert_eq!(at_once.see(1, &not(Presence::Leaving, "no_price")), "ZEROED 0 - no_price", "a zero is seen first");
    assert_eq!(at_once.again_at, Some(at(1)));
    assert_eq!(at_once.see(1, &not(Presence::Leaving, "no_price")), "REMOVED 0 - no_price");
}

#[test]
fn a_small_move_of_the_price_is_not_sent() {
    let least = |floor: Option<&str>| {
        Row::new(price_policy(|price| {
            price.change_min = Some(money("0.10"));
            price.floor = floor.map(money);
        }))
    };
    let mut row = least(None);
    row.see(0, &listed("5", "9.99"));
    assert_eq!(row.see(1, &listed("5", "9.90")), "=");
    assert_eq!(row.see(2, &listed("5", "10.08")), "=");
    assert_eq!(row.see(3, &listed("4", "10.08")), "LISTED 4 9.99", "the rest is");
    assert_eq!(row.see(4, &listed("4", "10.09")), "LISTED 4 10.09", "small moves add up");
    assert_eq!(row.see(5, &listed("4", "9.99")), "LISTED 4 9.99");
    let mut floored = least(Some("9.95"));
    floored.shown = Some(Shown { price: Some(euros("9.90")), ..Shown::of("5") });
    assert_eq!(floored.see(1, &listed("5", "9.95")), "LISTED 5 9.95", "nothing below the floor stays");
    let mut other = least(None);
    other.see(0, &listed("5", "9.99"));
    let net = Listing { price: Some(ChannelPrice { tax_basis: TaxBasis::Net, ..euros("10.00") }), ..listed("5", "1") };
    assert_eq!(other.see(1, &net), "LISTED 5 10.00", "figures of two kinds have no distance");
}

#[test]
fn a_channel_that_stops_keeps_everything_but_the_quantity() {
    let (row, counted) = (Shown { price: Some(euros("9.90")), ..Shown::of("5") }, policy(|_| {}));
    let zeroed = counted.zeroed(&row, "channel_zeroed");
    assert_eq!((zeroed.state, zeroed.quantity, zeroed.price), (RowState::Zeroed, Some(Quantity::ZERO), row.price));
    assert_eq!(zeroed.reasons.iter().collect::<Vec<_>>(), ["channel_zeroed"]);
    let own = policy(|config| config.quantity.fulfilled_by_channel = true);
    assert_eq!(own.zeroed(&row, "channel_zeroed").quantity, None);
}

#[test]
fn a_quantity_that_is_no_longer_counted_goes_at_once() {
    let mut row = settling();
    row.see(0, &listed("5", "9.99"));
    let uncounted = Listing { quantity: None, ..listed("5", "9.99") };
    assert_eq!(row.see(1, &uncounted), "LISTED none 9.99");
    assert_eq!(row.see(2, &not(Presence::Zeroed, "pending")), "ZEROED 0 - pending");
    assert_eq!(row.see(3, &uncounted), "=");
    assert_eq!(row.see(63, &uncounted), "LISTED none 9.99");
}

impl Shown {
    fn of(quantity: &str) -> Self {
        let reasons = Reasons::default();
        Self { state: RowState::Listed, quantity: Some(q(quantity)), price: None, lead_time_days: None, reasons }
    }
}

proptest! {
    /// Whatever comes when: never more than there is, never more than there was all the time since it was first not shown, and
    /// everything once it is quiet.
    #[test]
    fn shown_is_at_most_what_is_there_and_in_the_end_all_of_it(
        figures in proptest::collection::vec((0_u64..40, 0_i64..4, 0_u8..12), 1..60),
    ) {
        let mut row = settling();
        let (mut now, mut last) = (0, listed("0", "9.99"));
        // (since, figure): what is there, for as long as it settles.
        let mut history: Vec<(u64, Decimal)> = Vec::new();
        for (pause, figure, kind) in figures {
            now += pause;
            last = match kind {
                0 => not(Presence::Zeroed, "validity_ended"),
                _ => listed(&figure.to_string(), "9.99"),
            };
            let before = row.shown;
            row.see(now, &last);
            let there = last.quantity.unwrap().get();
            history.push((now, there));
            let Some(shown) = row.shown else { continue };
            let shown = shown.quantity.unwrap().get();
            prop_assert!(shown <= there, "{shown} of {there}");
            let rose = before.and_then(|before| before.quantity).is_some_and(|before| shown > before.get());
            // All figures that held at some time within the last minute.
            let begin = now.saturating_sub(60);
            let in_force = history.iter().rposition(|(since, _)| *since <= begin).unwrap_or(0);
            let least = history[in_force..].iter().map(|(_, figure)| *figure).min().unwrap();
            prop_assert!(!rose || shown <= least, "{shown} is shown, and there was {least}");
        }
        for _ in 0..3 {
            let Some(again_at) = row.again_at else { break };
            row.see(NOW.until(again_at).as_secs(), &last);
        }
        if let Some(shown) = row.shown {
            prop_assert_eq!((shown.quantity, shown.price), (last.quantity, last.price));
        }
    }
}
