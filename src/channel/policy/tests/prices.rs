use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::channel::config::{Direction, LeadTime, Rounding};

const HOUR: Duration = Duration::from_secs(3600);

fn here() -> [LocationFact; 1] {
    [available("10", Standing::Good)]
}

/// Amount or presence, basis, and the reasons.
fn outcome(listing: &Listing) -> String {
    let head = match (&listing.price, listing.presence) {
        (Some(price), Presence::Listed) => format!("{} {:?}", price.amount, price.tax_basis),
        (price, presence) => {
            assert!(price.is_none(), "what is not sold has no price");
            assert_eq!(listing.quantity, Some(Quantity::ZERO), "and no quantity");
            format!("{presence:?}")
        }
    };
    format!("{head} {}", said(listing)).trim_end().to_owned()
}

fn price(policy: &Policy, pack: &str, fact: &PriceFact) -> String {
    outcome(&explained(policy, pack, &facts(&here(), fact)).0)
}

fn told_so(net: &str, per: &str, basis: Option<TaxBasis>, rate: Option<&str>) -> PriceFact {
    let mut fact = told();
    if let PriceFact::Told { net_price, base_quantity, tax_basis, tax_rate, .. } = &mut fact {
        (*net_price, *base_quantity, *tax_basis, *tax_rate) = (money(net), q(per), basis, rate.map(q));
    }
    fact
}

fn net(amount: &str) -> PriceFact {
    told_so(amount, "1", Some(TaxBasis::Net), None)
}

#[test]
fn a_pack_costs_its_base_units() {
    let plain = price_policy(|_| {});
    for (amount, per, pack, want) in [
        ("12.3456", "1", "1", "12.35 Net"),
        ("12.3456", "1", "6", "74.07 Net"),
        ("12.3456", "100", "1", "0.12 Net"),
        ("12.3456", "100", "250", "30.86 Net"),
        ("12.30", "1", "0.25", "3.08 Net"),
        ("12", "1", "1", "12.00 Net"),
        ("0.004", "1", "1", "Zeroed zero_price"),
        ("0.004", "1", "100", "0.40 Net"),
        ("0", "1", "1", "Zeroed zero_price"),
        ("-1", "1", "1", "Zeroed zero_price"),
        ("1", "0", "1", "Zeroed out_of_range"),
        ("999999999999999999", "1", "999999999999999999", "Zeroed out_of_range"),
    ] {
        let fact = told_so(amount, per, Some(TaxBasis::Net), None);
        assert_eq!(price(&plain, pack, &fact), want, "{amount} per {per}, packs of {pack}");
    }
}

#[test]
fn the_tax_basis_is_changed_with_a_rate_that_is_known() {
    use TaxBasis::{Gross, Net};
    for (want_basis, own_rate, told_basis, told_rate, want) in [
        (None, None, Some(Net), None, "10.00 Net"),
        (None, None, Some(Gross), None, "10.00 Gross"),
        (Some(Net), None, Some(Net), None, "10.00 Net"),
        (Some(Gross), None, Some(Net), Some("0.20"), "12.00 Gross"),
        (Some(Gross), Some("0.055"), Some(Net), None, "10.55 Gross"),
        // The ERP knows better.
        (Some(Gross), Some("0.055"), Some(Net), Some("0.20"), "12.00 Gross"),
        (Some(Gross), None, Some(Net), None, "Zeroed tax_rate_missing"),
        (Some(Net), None, Some(Gross), None, "Zeroed tax_rate_missing"),
        (Some(Net), None, Some(Gross), Some("0.20"), "8.33 Net"),
        (Some(Gross), Some("0.20"), None, None, "Zeroed tax_basis_missing"),
        (None, None, None, None, "Zeroed tax_basis_missing"),
        (Some(Gross), None, Some(Net), Some("0"), "10.00 Gross"),
    ] {
        let policy = price_policy(|price| {
            price.tax_basis = want_basis;
            price.tax_rate = own_rate.map(q);
        });
        let fact = told_so("10.00", "1", told_basis, told_rate);
        assert_eq!(price(&policy, "1", &fact), want, "{want_basis:?} {own_rate:?} from {told_basis:?} {told_rate:?}");
    }
}

#[test]
fn one_rounding_at_the_end() {
    let rounded = |step: &str, direction, ending: Option<&str>, amount: &str| {
        let policy = price_policy(|price| {
            price.rounding = Rounding { step: money(step), direction, ending: ending.map(money) };
        });
        price(&policy, "1", &net(amount))
    };
    use Direction::{Down, Nearest, Up};
    for (step, direction, ending, amount, want) in [
        ("0.01", Nearest, None, "12.345", "12.35"),
        ("0.01", Nearest, None, "12.3449", "12.34"),
        ("0.01", Up, None, "12.3401", "12.35"),
        ("0.01", Up, None, "12.34", "12.34"),
        ("0.01", Down, None, "12.3499", "12.34"),
        ("0.05", Nearest, None, "12.32", "12.30"),
        ("0.05", Nearest, None, "12.325", "12.35"),
        ("10", Up, None, "121", "130"),
        ("0.25", Down, None, "12.74", "12.50"),
        ("0.0001", Nearest, None, "12.34565", "12.3457"),
        ("0.01", Nearest, Some("0.99"), "12.31", "12.99"),
        ("0.01", Nearest, Some("0.99"), "12.994", "12.99"),
        ("0.01", Nearest, Some("0.99"), "12.995", "13.99"),
        ("0.01", Nearest, Some("0.90"), "12.95", "13.90"),
        ("0.01", Nearest, Some("0.90"), "12.90", "12.90"),
        ("0.01", Nearest, Some("0.05"), "12.10", "13.05"),
        ("1", Nearest, Some("0.9"), "12.1", "12.9"),
        ("0.01", Nearest, Some("5"), "12", "15.00"),
        ("0.01", Nearest, Some("9.99"), "12", "19.99"),
        ("0.01", Nearest, Some("95"), "312", "395.00"),
        ("0.01", Nearest, Some("0"), "12.10", "13.00"),
    ] {
        let got = rounded(step, direction, ending, amount);
        assert_eq!(got, format!("{want} Net"), "{amount} to {step} {direction:?} {ending:?}");
    }
}

/// 0.3745 and 20 % are 0.4494: rounded to cents first it would come to 0.45 and be 0.40 + 0.05.
#[test]
fn nothing_is_rounded_on_the_way() {
    let policy = price_policy(|price| {
        price.tax_basis = Some(TaxBasis::Gross);
        price.markup_percent = "5".parse().unwrap();
        price.rounding = Rounding { step: money("0.10"), ..Rounding::default() };
    });
    // 1.0714 × 1.05 × 1.20 = 1.34996…: to cents it is 1.35, and from there 1.40.
    let fact = told_so("1.0714", "1", Some(TaxBasis::Net), Some("0.20"));
    assert_eq!(price(&policy, "1", &fact), "1.30 Gross");
    // 100 / 3 exactly: 33.33…, three of which are 100 again.
    let thirds = price_policy(|_| {});
    assert_eq!(price(&thirds, "3", &told_so("100", "3", Some(TaxBasis::Net), None)), "100.00 Net");
}

#[test]
fn a_markup_and_a_floor_price() {
    let policy = |markup: &str, floor: &str, ending: Option<&str>| {
        price_policy(|price| {
            price.markup_percent = markup.parse().unwrap();
            price.floor = Some(money(floor));
            price.rounding.ending = ending.map(money);
        })
    };
    assert_eq!(price(&policy("5", "1", None), "1", &net("100.00")), "105.00 Net");
    assert_eq!(price(&policy("-10", "1", None), "1", &net("100.00")), "90.00 Net");
    assert_eq!(price(&policy("0", "100.01", None), "1", &net("100.00")), "100.01 Net");
    assert_eq!(price(&policy("0", "100.00", None), "1", &net("100.00")), "100.00 Net");
    assert_eq!(
        price(&policy("0", "14.50", Some("0.99")), "1", &net("12.00")),
        "14.50 Net",
        "the floor has the last word"
    );
    assert_eq!(price(&policy("0", "5", None), "1", &net("0")), "Zeroed zero_price", "nothing told is raised to it");
}

#[test]
fn another_currency_is_not_sold() {
    let francs = price_policy(|price| price.currency = Some("CHF".parse().unwrap()));
    assert_eq!(price(&francs, "1", &net("10")), "Zeroed currency_not_supported");
    let euros = price_policy(|price| price.currency = Some("EUR".parse().unwrap()));
    assert_eq!(price(&euros, "1", &net("10")), "10.00 Net");
}

#[test]
fn only_a_definite_no_makes_it_leave() {
    let policy = price_policy(|_| {});
    let locations = here();
    let judge = |price: &PriceFact, invalidated_at, is_unreachable, now| {
        let facts = Facts { locations: &locations, price, invalidated_at, is_unreachable };
        outcome(&policy.listing(Place::Sold(Quantity::ONE), &facts, now, Unkept))
    };
    let later = |hours: u32| NOW.plus(HOUR * hours);
    let mut ends_in_two = net("10");
    if let PriceFact::Told { ends, .. } = &mut ends_in_two {
        *ends = Some(later(2));
    }
    let no = PriceFact::No { reason: "not_for_sale", observed_at: NOW };
    let soon = NOW.plus(Duration::from_secs(10));
    for (fact, invalidated_at, is_unreachable, now, want) in [
        (&no, None, false, NOW, "Leaving not_for_sale"),
        (&no, Some(NOW), true, later(99), "Leaving not_for_sale"),
        (&PriceFact::Unknown, None, false, NOW, "Zeroed pending"),
        (&PriceFact::Unknown, None, true, NOW, "Zeroed erp_unreachable"),
        (&net("10"), None, true, later(1), "10.00 Net"),
        (&net("10"), None, false, later(99), "10.00 Net"),
        (&net("10"), None, true, later(6), "10.00 Net price_held"),
        (&net("10"), None, true, later(999), "10.00 Net price_held"),
        // Declared wrong: for a moment it is only asked again.
        (&net("10"), Some(NOW), false, soon, "10.00 Net"),
        (&net("10"), Some(NOW), true, soon, "10.00 Net price_held"),
        (&net("10"), Some(NOW), false, later(1), "10.00 Net price_held"),
        (&net("10"), Some(NOW), true, later(999), "10.00 Net price_held"),
        (&ends_in_two, None, true, Timestamp(later(2).0 - 1), "10.00 Net"),
        (&ends_in_two, None, false, later(2), "Zeroed validity_ended"),
        (&ends_in_two, Some(NOW), true, later(3), "Zeroed validity_ended"),
    ] {
        assert_eq!(
            judge(fact, invalidated_at, is_unreachable, now),
            want,
            "{fact:?} {invalidated_at:?} {is_unreachable}"
        );
    }
}

#[test]
fn an_invalidated_price_zeroes_after_a_while_if_it_is_told_to() {
    let policy = price_policy(|price| price.zero_after = Some(HOUR * 4));
    let (locations, fact) = (here(), net("10"));
    let facts = Facts { invalidated_at: Some(NOW), is_unreachable: true, ..facts(&locations, &fact) };
    let at = |hours| outcome(&policy.listing(Place::Sold(Quantity::ONE), &facts, NOW.plus(HOUR * hours), Unkept));
    assert_eq!((at(3), at(4)), ("10.00 Net price_held".into(), "Zeroed invalidated".into()));
}

/// Between two edges nothing changes by itself, and at each something may.
#[test]
fn edges_are_all_there_is_to_wait_for() {
    let policy = price_policy(|price| price.zero_after = Some(HOUR * 4));
    let locations = here();
    let mut fact = net("10");
    if let PriceFact::Told { ends, .. } = &mut fact {
        *ends = Some(NOW.plus(HOUR * 9));
    }
    for (invalidated_at, is_unreachable, edges) in [
        (None, false, &[9 * 60][..]),
        (None, true, &[6 * 60, 9 * 60]),
        (Some(NOW), false, &[5, 4 * 60, 9 * 60]),
        (Some(NOW), true, &[5, 4 * 60, 9 * 60]),
    ] {
        let facts = Facts { locations: &locations, price: &fact, invalidated_at, is_unreachable };
        let listing = |now| policy.listing(Place::Sold(Quantity::ONE), &facts, now, Unkept);
        let (mut now, mut found) = (NOW, Vec::new());
        while let Some(edge) = policy.edge(&facts, now) {
            assert_eq!(listing(now), listing(Timestamp(edge.0 - 1)), "nothing happens before {edge}");
            found.push(NOW.until(edge).as_secs() / 60);
            now = edge;
        }
        assert_eq!(listing(now), listing(now.plus(HOUR * 24 * 365)), "nor after the last");
        assert_eq!(found, edges, "{invalidated_at:?} {is_unreachable}");
    }
}

#[test]
fn lead_times_add_up() {
    for (told_days, default_days, extra_days, want) in [
        (Some(3), None, 0, Some(3)),
        (Some(3), Some(9), 2, Some(5)),
        (None, Some(9), 2, Some(11)),
        (None, None, 2, None),
        (Some(u16::MAX), None, 2, Some(u16::MAX)),
    ] {
        let policy = policy(|config| config.lead_time = LeadTime { default_days, extra_days });
        let mut fact = net("10");
        if let PriceFact::Told { lead_time_days, .. } = &mut fact {
            *lead_time_days = told_days;
        }
        assert_eq!(explained(&policy, "1", &facts(&here(), &fact)).0.lead_time_days, want);
    }
}

#[test]
fn a_channel_without_prices_asks_for_none() {
    let policy = policy(|config| config.price = None);
    for fact in [PriceFact::Unknown, told(), PriceFact::No { reason: "no_price", observed_at: NOW }] {
        let listing = explained(&policy, "1", &facts(&here(), &fact)).0;
        assert_eq!((listing.presence, listing.price, listing.quantity), (Presence::Listed, None, Some(q("10"))));
    }
}

#[test]
fn the_way_of_a_price_is_told_in_one_line() {
    let policy = price_policy(|price| {
        price.tax_basis = Some(TaxBasis::Gross);
        price.markup_percent = "5".parse().unwrap();
        price.rounding.ending = Some(money("0.99"));
        price.floor = Some(money("20"));
    });
    let fact = told_so("12.3456", "10", Some(TaxBasis::Net), Some("0.20"));
    let (_, steps) = explained(&policy, "6", &facts(&here(), &fact));
    let text = &steps.iter().find(|step| step.about == "amount").unwrap().text;
    assert_eq!(
        text,
        "12.3456 per 10, pack of 6, markup 5 %, with tax of 0.20, rounded to 0.01 ending in 0.99 is 9.99, floor price 20 -> 20."
    );
}

proptest! {
    #[test]
    fn a_rounded_price_is_the_nearest_and_never_below_the_floor(
        cents in 1_i64..10_000_000, per in 1_i64..1000, pack in 1_i64..100, step in 1_i64..500, direction in 0_usize..3, floor in 0_i64..100_000,
        rate in proptest::option::of(0_i64..300), is_gross: bool,
    ) {
        let direction = [Direction::Nearest, Direction::Up, Direction::Down][direction];
        let decimal = |digits, scale| Decimal::new(digits, scale);
        let policy = |floor| price_policy(|price| {
            price.rounding = Rounding { step: Money::new(decimal(step, 2)).unwrap(), direction, ending: None };
            price.floor = floor;
            price.tax_basis = rate.map(|_| if is_gross { TaxBasis::Net } else { TaxBasis::Gross });
        });
        let basis = if is_gross { TaxBasis::Gross } else { TaxBasis::Net };
        let rate_text = rate.map(|rate| decimal(rate, 3).to_string());
        let fact = told_so(&decimal(cents, 4).to_string(), &per.to_string(), Some(basis), rate_text.as_deref());
        let amount = |policy: &Policy| {
            let place = Place::Sold(Quantity::new(Decimal::from(pack)).unwrap());
            policy.listing(place, &facts(&here(), &fact), NOW, Unkept).price.map(|price| price.amount.get())
        };
        // In millionths of a step, as whole numbers: over / under steps exactly.
        let (with_tax, without) = (1000 + i128::from(rate.unwrap_or(0)), 1000);
        let (over, under) = if is_gross { (without, with_tax) } else { (with_tax, without) };
        let over = i128::from(cents) * i128::from(pack) * over;
        let under = i128::from(per) * under * 100 * i128::from(step);
        let rounded = amount(&policy(None));
        let steps = rounded.unwrap_or(Decimal::ZERO) / decimal(step, 2);
        prop_assert!(steps.fract().is_zero(), "{steps} steps");
        let steps = steps.normalize().mantissa();
        match direction {
            Direction::Nearest => prop_assert!(2 * (steps * under - over).abs() <= under),
            Direction::Up => prop_assert!(steps * under >= over && (steps - 1) * under < over),
            Direction::Down => prop_assert!(steps * under <= over && (steps + 1) * under > over),
        }
        let floor = decimal(floor, 2);
        let raised = amount(&policy(Money::new(floor)));
        prop_assert_eq!(raised.unwrap_or(Decimal::ZERO), rounded.unwrap_or(Decimal::ZERO).max(floor));
    }
}
