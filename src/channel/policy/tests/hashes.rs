use std::time::Duration;

use super::*;
use crate::channel::config::{Alias, Allocation, Direction, Guard, Reserve};
use crate::domain::CustomerId;

fn hash(change: impl FnOnce(&mut ChannelConfig)) -> PolicyHash {
    policy(change).hash()
}

/// Written down: a release that changes it has every channel of everybody computed anew.
#[test]
fn hashes_are_the_same_in_every_release() {
    assert_eq!(hash(|_| {}).to_string(), "9e3779b97f4a7c15");
    let full = hash(|config| {
        config.customer = Some(CustomerId::new("C-1").unwrap());
        config.locations = vec![LocationId::new("PARIS").unwrap()];
        config.assortment.include = vec!["A*".to_owned()];
        config.quantity.reserve = Reserve::SafetyStock(q("2"));
        config.quantity.cap = Some(q("5"));
        config.settle = Duration::from_secs(60);
        config.price.as_mut().unwrap().tax_basis = Some(TaxBasis::Gross);
    });
    assert_eq!(full.to_string(), "3f045bda15c54233");
}

#[test]
fn how_it_is_written_does_not_count() {
    let locations = |names: &[&str]| names.iter().map(|name| LocationId::new(name).unwrap()).collect::<Vec<_>>();
    let alias = |own: &str, pack: &str| Alias { sku: sku(own), channel_sku: sku(own), pack: q(pack) };
    let one = hash(|config| {
        config.locations = locations(&["PARIS", "LYON"]);
        config.assortment.include_skus = vec![sku("B"), sku("A"), sku("B")];
        config.aliases = vec![alias("A", "6"), alias("B", "1")];
        config.quantity.cap = Some(q("5"));
        config.fitness.forbidden = vec!['/', ' '];
    });
    let other = hash(|config| {
        config.locations = locations(&["LYON", "PARIS", "LYON"]);
        config.assortment.include_skus = vec![sku("A"), sku("B")];
        config.aliases = vec![alias("B", "1.0"), alias("A", "6")];
        config.quantity.cap = Some(q("5.000"));
        config.fitness.forbidden = vec![' ', '/', '/'];
        config.name = "other".to_owned();
        config.guard = Guard { rows_min: 7, ..Guard::default() };
        config.tombstone_retention = Duration::from_secs(1);
    });
    assert_eq!(one, other);
}

#[test]
fn whatever_changes_a_row_changes_the_hash() {
    type Change = fn(&mut ChannelConfig);
    let changes: &[Change] = &[
        |_| {},
        |config| config.customer = Some(CustomerId::new("C").unwrap()),
        |config| config.locations = vec![LocationId::new("C").unwrap()],
        |config| config.assortment.include = vec!["C".to_owned()],
        |config| config.assortment.exclude = vec!["C".to_owned()],
        |config| config.assortment.include_skus = vec![sku("C")],
        |config| config.assortment.exclude_skus = vec![sku("C")],
        |config| config.aliases = vec![Alias { sku: sku("C"), channel_sku: sku("D"), pack: q("1") }],
        |config| config.aliases = vec![Alias { sku: sku("C"), channel_sku: sku("D"), pack: q("2") }],
        |config| config.fitness.length_max = Some(40),
        |config| config.fitness.forbidden = vec!['('],
        |config| config.quantity.reserve = Reserve::SafetyStock(q("1")),
        |config| config.quantity.reserve = Reserve::Threshold(q("1")),
        |config| config.quantity.allocation = Allocation::Percent("1".parse().unwrap()),
        |config| config.quantity.allocation = Allocation::Fixed(q("1")),
        |config| config.quantity.cap = Some(q("1")),
        |config| config.quantity.fulfilled_by_channel = true,
        |config| config.price = None,
        |config| config.price.as_mut().unwrap().currency = Some("EUR".parse().unwrap()),
        |config| config.price.as_mut().unwrap().tax_basis = Some(TaxBasis::Net),
        |config| config.price.as_mut().unwrap().tax_basis = Some(TaxBasis::Gross),
        |config| config.price.as_mut().unwrap().tax_rate = Some(q("1")),
        |config| config.price.as_mut().unwrap().markup_percent = "1".parse().unwrap(),
        |config| config.price.as_mut().unwrap().rounding.step = money("1"),
        |config| config.price.as_mut().unwrap().rounding.direction = Direction::Up,
        |config| config.price.as_mut().unwrap().rounding.direction = Direction::Down,
        |config| config.price.as_mut().unwrap().rounding.ending = Some(money("1")),
        |config| config.price.as_mut().unwrap().floor = Some(money("1")),
        |config| config.price.as_mut().unwrap().change_min = Some(money("1")),
        |config| config.price.as_mut().unwrap().refresh_after = Duration::from_secs(1),
        |config| config.price.as_mut().unwrap().zero_after = Some(Duration::from_secs(1)),
        |config| config.lead_time.default_days = Some(1),
        |config| config.lead_time.extra_days = 1,
        |config| config.settle = Duration::from_secs(1),
        |config| config.hold_after = Duration::from_secs(1),
        |config| config.zero_after = Some(Duration::from_secs(1)),
        |config| config.remove_after = Duration::from_secs(1),
    ];
    let mut hashes: Vec<_> = changes.iter().map(hash).collect();
    hashes.sort_unstable_by_key(|hash| hash.0);
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len());
}
