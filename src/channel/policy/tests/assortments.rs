use super::super::assortment::is_match;
use super::*;
use crate::channel::config::{Alias, Assortment, Fitness};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn skus(texts: &[&str]) -> Vec<Sku> {
    texts.iter().map(|text| sku(text)).collect()
}

fn alias(own: &str, channels: &str, pack: &str) -> Alias {
    Alias { sku: sku(own), channel_sku: sku(channels), pack: q(pack) }
}

/// The rows of a SKU: names and packs.
fn rows(policy: &Policy, name: &str) -> String {
    let rows = policy.rows(&sku(name));
    rows.iter().map(|(key, pack)| format!("{} {pack}", key.channel_sku)).collect::<Vec<_>>().join(", ")
}

#[test]
fn patterns() {
    for (pattern, text, want) in [
        ("BOLT-8", "BOLT-8", true),
        ("BOLT-8", "BOLT-80", false),
        ("BOLT-8", "bolt-8", false),
        ("*", "anything", true),
        ("BOLT-*", "BOLT-", true),
        ("BOLT-*", "NUT-BOLT-8", false),
        ("*-8", "BOLT-8-8", true),
        ("*-8", "BOLT-8-9", false),
        ("*OL*-?", "BOOOLT-8", true),
        ("*OL*-?", "BOOOLT-88", false),
        ("?", "é", true),
        ("?", "ee", false),
        ("vis à *", "vis à tête", true),
        ("a*b*c", "aXbXbXc", true),
        ("a*b*c", "aXcXb", false),
        ("**", "", true),
        ("", "", true),
        ("", "a", false),
        ("[ab].c", "a.c", false),
        ("*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        assert_eq!(is_match(pattern, text), want, "{pattern} {text}");
    }
}

#[test]
fn included_by_any_and_excluded_by_none() {
    let sold = |include: &[&str], include_skus: &[&str], exclude: &[&str], exclude_skus: &[&str]| {
        let policy = policy(|config| {
            config.assortment = Assortment {
                include: texts(include),
                exclude: texts(exclude),
                include_skus: skus(include_skus),
                exclude_skus: skus(exclude_skus),
            };
        });
        let all = ["A-1", "A-2", "B-1", "C-1"];
        all.into_iter().filter(|name| !policy.rows(&sku(name)).is_empty()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sold(&[], &[], &[], &[]), "A-1 A-2 B-1 C-1", "everything unless somebody says otherwise");
    assert_eq!(sold(&["A-*"], &[], &[], &[]), "A-1 A-2");
    assert_eq!(sold(&["A-*", "C-?"], &[], &[], &[]), "A-1 A-2 C-1");
    assert_eq!(sold(&[], &["C-1", "A-1"], &[], &[]), "A-1 C-1", "a list is a list, in any order");
    assert_eq!(sold(&["A-*"], &["C-1"], &[], &[]), "A-1 A-2 C-1");
    assert_eq!(sold(&[], &[], &["*-1"], &[]), "A-2");
    assert_eq!(sold(&["A-*"], &["C-1"], &[], &["C-1", "A-2"]), "A-1");
    assert_eq!(sold(&[], &["A-1"], &["A-*"], &[]), "", "no has the last word");
}

#[test]
fn lists_are_in_the_channel_before_the_ledger_knows_them() {
    let policy = policy(|config| {
        config.assortment.include_skus = skus(&["B", "A", "B", "C"]);
        config.assortment.exclude = texts(&["C*"]);
    });
    assert_eq!(policy.listed_skus().map(Sku::as_str).collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn a_sku_with_aliases_is_sold_under_them_alone() {
    let policy = policy(|config| {
        config.aliases = vec![alias("BOLT", "B-1", "1"), alias("BOLT", "B-100", "100"), alias("X", "Y", "1")];
        config.assortment.exclude = texts(&["X"]);
    });
    assert_eq!(rows(&policy, "BOLT"), "B-1 1, B-100 100");
    assert_eq!(rows(&policy, "NUT"), "NUT 1");
    assert_eq!(rows(&policy, "X"), "", "an alias sells nothing that is not in the assortment");
    let under = |own: &str, channels: &str| policy.place(&RowKey { sku: sku(own), channel_sku: sku(channels) });
    assert_eq!(under("BOLT", "B-100"), Place::Sold(q("100")));
    assert_eq!(under("BOLT", "BOLT"), Place::Not("not_in_assortment"));
    assert_eq!(under("X", "Y"), Place::Not("not_in_assortment"));
    assert_eq!(under("NUT", "NUT"), Place::Sold(Quantity::ONE));
    // Two SKUs under one name would be one offer with two stocks.
    assert_eq!((rows(&policy, "B-1"), policy.place(&key("B-1"))), (String::new(), Place::Not("channel_sku_taken")));
    assert_eq!(policy.unfit(&sku("B-1"))[0].to_string(), "B-1: is another SKU's alias");
}

#[test]
fn names_the_channel_would_refuse_are_known_before() {
    let policy = policy(|config| {
        config.fitness = Fitness { length_max: Some(5), forbidden: vec!['/', ' '] };
        config.assortment.include_skus = skus(&["GOOD", "TOO-LONG", "A/B", "LONG-ONE", "ééééé"]);
        config.aliases = vec![alias("LONG-ONE", "SHORT", "1"), alias("GOOD", "A B", "1"), alias("GOOD", "FINE", "2")];
    });
    let told: Vec<_> = policy.unfit_named().iter().map(Unfit::to_string).collect();
    assert_eq!(
        told,
        [
            "A/B: contains '/', which is not taken",
            "GOOD, as A B: contains ' ', which is not taken",
            "TOO-LONG: has 8 characters, at most 5 are taken",
        ]
    );
    assert_eq!(rows(&policy, "GOOD"), "FINE 2", "the rest is sold");
    assert_eq!(rows(&policy, "LONG-ONE"), "SHORT 1");
    assert_eq!(rows(&policy, "ééééé"), "ééééé 1", "characters, not bytes");
    assert_eq!(policy.place(&key("A/B")), Place::Not("sku_not_fit"));
    let listing = policy.listing(policy.place(&key("A/B")), &facts(&[], &super::told()), NOW, Unkept);
    assert_eq!((listing.presence, said(&listing)), (Presence::Leaving, "sku_not_fit".to_owned()));
}
