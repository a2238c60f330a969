use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::channel::config::{Allocation, QuantityPolicy, Reserve};

const GOOD: Standing = Standing::Good;

fn shown(quantity: QuantityPolicy, pack: &str, locations: &[LocationFact]) -> (String, String) {
    let policy = policy(|config| (config.quantity, config.price) = (quantity, None));
    let listing = policy.listing(Place::Sold(q(pack)), &facts(locations, &told()), NOW, Unkept);
    (listing.quantity.map_or("none".to_owned(), |quantity| quantity.to_string()), said(&listing))
}

fn from(quantity: QuantityPolicy, pack: &str, signed: &[&str]) -> String {
    let locations: Vec<_> = signed.iter().map(|signed| available(signed, GOOD)).collect();
    shown(quantity, pack, &locations).0
}

fn all() -> QuantityPolicy {
    QuantityPolicy::default()
}

fn safety(kept: &str) -> QuantityPolicy {
    QuantityPolicy { reserve: Reserve::SafetyStock(q(kept)), ..all() }
}

fn threshold(up_to: &str) -> QuantityPolicy {
    QuantityPolicy { reserve: Reserve::Threshold(q(up_to)), ..all() }
}

fn percent(percent: &str) -> Allocation {
    Allocation::Percent(percent.parse().unwrap())
}

#[test]
fn each_rule_alone() {
    let allocated = |allocation| QuantityPolicy { allocation, ..all() };
    let capped = |cap| QuantityPolicy { cap: Some(q(cap)), ..all() };
    for (policy, pack, signed, want) in [
        (all(), "1", &["12"][..], "12"),
        (all(), "1", &["12", "7"], "19"),
        (all(), "1", &[], "0"),
        // Floored last: what one location owes is not sold from another.
        (all(), "1", &["12", "-7"], "5"),
        (all(), "1", &["5", "-7"], "0"),
        // Whole always, and never rounded up.
        (all(), "1", &["2.999999999"], "2"),
        (safety("2"), "1", &["12"], "10"),
        (safety("2"), "1", &["1"], "0"),
        (threshold("2"), "1", &["2"], "0"),
        (threshold("2"), "1", &["3"], "3"),
        (threshold("2"), "1", &["-3"], "0"),
        (allocated(percent("50")), "1", &["7"], "3"),
        (allocated(percent("33.3")), "1", &["10"], "3"),
        (allocated(percent("100")), "1", &["10"], "10"),
        (allocated(percent("0")), "1", &["10"], "0"),
        (allocated(percent("50")), "1", &["-10"], "0"),
        (allocated(Allocation::Fixed(q("4"))), "1", &["10"], "4"),
        (allocated(Allocation::Fixed(q("4"))), "1", &["3"], "3"),
        (all(), "6", &["17"], "2"),
        (all(), "6", &["18"], "3"),
        (all(), "6", &["5"], "0"),
        // A quarter of a metre is a pack too.
        (all(), "0.25", &["1.9"], "7"),
        (capped("5"), "1", &["12"], "5"),
        (capped("5"), "1", &["3"], "3"),
        (capped("0"), "1", &["3"], "0"),
    ] {
        assert_eq!(from(policy.clone(), pack, signed), want, "{policy:?}, packs of {pack}, {signed:?}");
    }
}

/// Each pair would come out differently the other way round.
#[test]
fn rules_come_in_their_order() {
    let policy = QuantityPolicy { allocation: percent("50"), ..safety("4") };
    assert_eq!(from(policy, "1", &["20"]), "8", "kept back before the share: (20 - 4) / 2");
    let policy = QuantityPolicy { allocation: percent("50"), ..all() };
    assert_eq!(from(policy, "6", &["22"]), "1", "the share before the packs: 11 is one six");
    let policy = QuantityPolicy { cap: Some(q("5")), ..all() };
    assert_eq!(from(policy.clone(), "6", &["60"]), "5", "packs before the cap: it counts packs");
    assert_eq!(from(policy, "6", &["17"]), "2");
    let policy = QuantityPolicy { cap: Some(q("5")), allocation: Allocation::Fixed(q("30")), ..safety("2") };
    assert_eq!(from(policy, "6", &["100", "-60"]), "5");
}

#[test]
fn a_location_in_doubt() {
    let told = |standing, signed| shown(all(), "1", &[available("10", GOOD), available(signed, standing)]);
    let words = |quantity: &str, reasons: &str| (quantity.to_owned(), reasons.to_owned());
    assert_eq!(told(Standing::Held("source_gap"), "5"), words("15", "source_gap"));
    assert_eq!(told(Standing::Zero("source_silent"), "5"), words("10", "source_silent"));
    assert_eq!(told(Standing::Zero("source_silent"), "-4"), words("6", "source_silent"), "what it owes, it owes");
    let unknown = LocationFact { available: None, ..available("5", GOOD) };
    assert_eq!(shown(all(), "1", &[available("10", GOOD), unknown]), words("10", "not_complete"));
}

#[test]
fn the_channels_own_stock_is_never_counted() {
    let policy = QuantityPolicy { fulfilled_by_channel: true, ..all() };
    assert_eq!(
        shown(policy.clone(), "1", &[available("10", Standing::Held("source_gap"))]),
        ("none".into(), "".into())
    );
    let policy = self::policy(|config| config.quantity = policy);
    let gone = policy.listing(Place::Not("not_in_assortment"), &facts(&[], &told()), NOW, Unkept);
    assert_eq!((gone.presence, gone.quantity), (Presence::Leaving, None), "nor is a zero sent");
}

#[test]
fn too_much_to_calculate_is_nothing() {
    let most = "999999999999999999";
    let policy = QuantityPolicy { allocation: Allocation::Percent(Decimal::MAX), ..all() };
    assert_eq!(shown(policy, "1", &[available(most, GOOD)]), ("0".into(), "out_of_range".into()));
    assert_eq!(shown(all(), "0.000000001", &[available(most, GOOD)]), ("0".into(), "out_of_range".into()));
}

#[test]
fn the_way_is_told_in_one_line() {
    let quantity = QuantityPolicy { cap: Some(q("5")), ..safety("2") };
    let policy = policy(|config| config.quantity = quantity);
    let location =
        LocationFact { on_hand: Some(q("12")), reserved: Some(q("3")), pending: q("1"), ..available("8", GOOD) };
    let price = told();
    let tell = |locations: &[LocationFact]| {
        let (_, steps) = explained(&policy, "1", &facts(locations, &price));
        steps.into_iter().find(|step| step.about == "quantity").unwrap().text
    };
    assert_eq!(tell(std::slice::from_ref(&location)), "ERP 12, reserved 3, orders not in ERP 1, buffer 2, cap 5 -> 5.");
    let held = LocationFact { standing: Standing::Zero("source_gap"), ..location.clone() };
    assert_eq!(tell(&[location, held]), "available 8, buffer 2, cap 5 -> 5.", "not everything counts");
    assert_eq!(tell(&[available("-1", GOOD)]), "available -1, buffer 2, cap 5 -> 0, as less than nothing is nothing.");
}

fn figure() -> impl Strategy<Value = Quantity> {
    (-50_000_i64..50_000, 0_u32..4).prop_map(|(digits, scale)| Quantity::new(Decimal::new(digits, scale)).unwrap())
}

fn positive() -> impl Strategy<Value = Quantity> {
    (1_i64..2_000, 0_u32..4).prop_map(|(digits, scale)| Quantity::new(Decimal::new(digits, scale)).unwrap())
}

fn any_policy() -> impl Strategy<Value = QuantityPolicy> {
    let reserve = prop_oneof![
        Just(Reserve::None),
        positive().prop_map(Reserve::SafetyStock),
        positive().prop_map(Reserve::Threshold)
    ];
    let allocation = prop_oneof![
        Just(Allocation::All),
        (0_i64..=1000).prop_map(|tenths| Allocation::Percent(Decimal::new(tenths, 1))),
        positive().prop_map(Allocation::Fixed)
    ];
    (reserve, allocation, proptest::option::of(0_i64..100)).prop_map(|(reserve, allocation, cap)| QuantityPolicy {
        reserve,
        allocation,
        cap: cap.map(|cap| Quantity::new(Decimal::from(cap)).unwrap()),
        fulfilled_by_channel: false,
    })
}

proptest! {
    #[test]
    fn never_negative_never_more_than_there_is_and_more_is_never_less(
        quantity in any_policy(), pack in positive(), mut signed in proptest::collection::vec(figure(), 0..5), more in positive(),
    ) {
        let show = |signed: &[Quantity]| {
            let locations: Vec<_> = signed.iter().map(|signed| available(&signed.to_string(), GOOD)).collect();
            let policy = policy(|config| config.quantity = quantity.clone());
            policy.listing(Place::Sold(pack), &facts(&locations, &told()), NOW, Unkept).quantity.unwrap().get()
        };
        let shown = show(&signed);
        let sum: Decimal = signed.iter().map(|signed| signed.get()).sum();
        prop_assert!(shown >= Decimal::ZERO && shown.fract().is_zero());
        prop_assert!(shown * pack.get() <= sum.max(Decimal::ZERO), "{shown} packs of {pack} from {sum}");
        prop_assert!(quantity.cap.is_none_or(|cap| shown <= cap.get()));
        signed.reverse();
        prop_assert_eq!(shown, show(&signed), "the order of locations says nothing");
        signed.push(more);
        prop_assert!(show(&signed) >= shown);
    }
}
