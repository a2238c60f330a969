//! What marketplaces take of a row, and what becomes of the rest.

use super::rows::{at_price, at_quantity, price, row, zeroed};
use super::*;
use crate::channel::config::{AmazonSettings, GoogleSettings};
use crate::domain::{Sku, TaxBasis};

pub fn config() -> ChannelConfig {
    let mut config = ChannelConfig::named("shop");
    config.formats.amazon = Some(AmazonSettings {
        seller_id: "A1SELLER".into(),
        marketplace_id: "A13V1IB3VIYZZH".into(),
        product_type: "PRODUCT".into(),
        issue_locale: Some("fr_FR".into()),
        messages_max: 10_000,
        bytes_max: 10 * 1024 * 1024,
    });
    config.formats.google = Some(GoogleSettings {
        account: 123,
        content_language: "fr".into(),
        feed_label: "FR".into(),
        store_code: "LYON-1".into(),
    });
    config
}

const MARKETS: [&str; 6] = [
    "mirakl-of01",
    "mirakl-sto01",
    "amazon-listings",
    "google-supplemental",
    "google-local-inventory",
    "cdiscount-stock-price",
];

/// What each format makes of one row, weighed and written.
fn weights(row: &ChannelRow, config: &ChannelConfig) -> Vec<(&'static str, Weight)> {
    let weigh = |name: &&'static str| {
        let mut encoder = (by_name(name).unwrap().encoder)(config).unwrap();
        encoder.begin(&STAMP, &mut Vec::new());
        let weighed = encoder.weigh(row);
        assert_eq!(encoder.row(row, &mut Vec::new()), weighed, "{name}");
        (*name, weighed)
    };
    MARKETS.iter().map(weigh).collect()
}

fn reasons(row: &ChannelRow) -> Vec<Option<&'static str>> {
    let reason = |(_, weight)| match weight {
        Weight::LeftOut(reason) => Some(reason),
        Weight::Line { .. } => None,
    };
    weights(row, &config()).into_iter().map(reason).collect()
}

fn withouts(row: &ChannelRow) -> Vec<Option<&'static str>> {
    let without = |(name, weight)| match weight {
        Weight::LeftOut(reason) => panic!("{name}: {reason}"),
        Weight::Line { without, .. } => without,
    };
    weights(row, &config()).into_iter().map(without).collect()
}

#[test]
fn skus_that_a_channel_cannot_take_are_left_out() {
    let (long, longer) = ("é".repeat(32), "x".repeat(64));
    let no = |reason| Some(reason);
    for (sku, want) in [
        ("BOLT-8", [None; 6]),
        (long.as_str(), [None; 6]),
        (&longer[..40], [None; 6]),
        (&longer[..41], [no("sku_too_long"), no("sku_too_long"), None, None, None, None]),
        (&longer[..50], [no("sku_too_long"), no("sku_too_long"), None, None, None, None]),
        (
            &longer[..51],
            [no("sku_too_long"), no("sku_too_long"), None, no("sku_too_long"), no("sku_too_long"), no("sku_too_long")],
        ),
        ("A/B", [no("sku_character"), no("sku_character"), None, None, None, None]),
        ("A\u{ffff}B", [None, None, None, None, None, no("sku_character")]),
    ] {
        assert_eq!(reasons(&row(sku)), want, "{sku}");
    }
}

#[test]
fn the_channels_name_is_what_counts() {
    let mut aliased = row("A/B");
    Arc::get_mut(&mut aliased.key).unwrap().channel_sku = Sku::new("A-B").unwrap();
    assert_eq!(reasons(&aliased), [None; 6]);
    assert!(text(by_name("mirakl-of01").unwrap(), &config(), &[aliased]).contains("\"A-B\""));
}

#[test]
fn quantities_are_whole_and_in_range() {
    let cases: [(&str, Option<&str>); 8] = [
        ("0", None),
        ("5.000", None),
        ("2.5", Some("quantity_not_whole")),
        ("-1", Some("quantity_out_of_range")),
        ("1000000000", None),
        ("1000000001", Some("quantity_out_of_range")),
        ("2147483648", Some("quantity_out_of_range")),
        ("999999999999999999", Some("quantity_out_of_range")),
    ];
    for (quantity, want) in cases {
        let told = reasons(&at_quantity("A", quantity));
        // Mirakl's most is stated; the others take what fits in 31 bits.
        assert_eq!(told[..2], [want; 2], "{quantity}");
        let others = if quantity == "1000000001" { None } else { want };
        assert_eq!(told[2..], [others; 4], "{quantity}");
    }
    assert!(
        text(by_name("mirakl-of01").unwrap(), &config(), &[at_quantity("A", "5.000")])
            .contains("\"A\";\"12.30\";\"5\"")
    );
}

#[test]
fn a_price_that_cannot_go_leaves_the_quantity_go() {
    let net = ChannelRow { price: price("12.30", "EUR", TaxBasis::Net), ..row("A") };
    // Mirakl's operators say whether prices are net; its stock file has none.
    let (none, untaxed) = (None, Some("price_without_tax"));
    assert_eq!(withouts(&net), [none, none, untaxed, untaxed, untaxed, untaxed]);
    let american = ChannelRow { price: price("12.30", "USD", TaxBasis::Net), ..row("A") };
    assert_eq!(withouts(&american), [none, none, untaxed, none, none, untaxed]);
    for (amount, currency, reason) in [
        ("12.300", "EUR", None),
        ("12.305", "EUR", Some("price_too_precise")),
        ("12.305", "TND", None),
        ("1230.0", "JPY", None),
        ("12.30", "JPY", Some("price_too_precise")),
        ("0", "EUR", Some("price_not_positive")),
        ("-1", "EUR", Some("price_not_positive")),
        ("1000000000000", "EUR", None),
        ("1000000000001", "EUR", Some("price_out_of_range")),
    ] {
        let told = withouts(&at_price("A", amount, currency));
        assert_eq!(told, [reason, None, reason, reason, reason, reason], "{amount} {currency}");
    }
}

#[test]
fn prices_have_their_currencys_decimals() {
    let of01 = by_name("mirakl-of01").unwrap();
    for (amount, currency, want) in [
        ("15", "EUR", "15.00"),
        ("15.5", "EUR", "15.50"),
        ("0.1", "EUR", "0.10"),
        ("1230.00", "JPY", "1230"),
        ("1.5", "TND", "1.500"),
    ] {
        let file = text(of01, &config(), &[at_price("A", amount, currency)]);
        assert!(file.contains(&format!("\"A\";\"{want}\";")), "{amount} {currency}: {file}");
    }
    let local = text(by_name("google-local-inventory").unwrap(), &config(), &[at_price("A", "12.3", "EUR")]);
    assert!(local.contains("\"amountMicros\":\"12300000\""), "{local}");
}

#[test]
fn nothing_keeps_a_zero_from_its_channel() {
    let wrong_price = ChannelRow { price: price("0.001", "EUR", TaxBasis::Net), ..zeroed("A", "no_price") };
    let no_price = ChannelRow { price: None, ..zeroed("A", "no_price") };
    let odd_quantity = ChannelRow { quantity: Some("2.5".parse().unwrap()), ..zeroed("A", "channel_zeroed") };
    let late = ChannelRow { lead_time_days: Some(90), ..zeroed("A", "source_silent") };
    let removed = ChannelRow { state: RowState::Removed, quantity: None, price: None, ..row("A") };
    for row in [wrong_price, no_price, odd_quantity, late, removed] {
        for (name, weight) in weights(&row, &config()) {
            assert_eq!(weight, Weight::Line { is_zero: true, without: None }, "{name}: {row:?}");
        }
        let file = text(by_name("amazon-listings").unwrap(), &config(), &[row]);
        assert!(file.contains("\"quantity\":0}"), "{file}");
    }
}

#[test]
fn lead_times_go_where_they_are_asked_for() {
    let in_days = |days| ChannelRow { lead_time_days: Some(days), ..row("A") };
    let late = Some("lead_time_too_long");
    assert_eq!(withouts(&in_days(31)), [None, None, late, None, None, None]);
    assert_eq!(withouts(&in_days(30)), [None; 6]);
    let amazon = by_name("amazon-listings").unwrap();
    assert!(text(amazon, &config(), &[in_days(30)]).contains(
        r#"{"op":"replace","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":5,"lead_time_to_ship_max_days":30}]}"#
    ));
    let merged = r#"{"op":"merge","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":5}]}"#;
    assert!(text(amazon, &config(), &[in_days(31)]).contains(merged), "merged, or the one it has would be dropped");
    assert!(text(by_name("mirakl-of01").unwrap(), &config(), &[in_days(3)]).contains("\"5\";\"3\";\"\""));
}

#[test]
fn what_the_channel_itself_ships_has_no_quantity() {
    let mut config = config();
    config.quantity.fulfilled_by_channel = true;
    let (line, none) = (Weight::Line { is_zero: false, without: None }, Weight::LeftOut("no_quantity"));
    let silent = Weight::LeftOut("nothing_to_say");
    let told = |row: &ChannelRow| weights(row, &config).into_iter().map(|(_, weight)| weight).collect::<Vec<_>>();
    for row in [row("A"), zeroed("A", "no_price")] {
        assert_eq!(told(&row), [line, none, line, none, none, line]);
        let file = text(by_name("amazon-listings").unwrap(), &config, &[row]);
        assert!(!file.contains("fulfillment") && file.contains("\"value_with_tax\":12.30"), "{file}");
    }
    let bare = ChannelRow { price: None, ..row("A") };
    assert_eq!(told(&bare), [silent, none, silent, none, none, silent]);
    let net = ChannelRow { price: price("12.30", "EUR", TaxBasis::Net), ..row("A") };
    assert_eq!(told(&net)[2], Weight::LeftOut("price_without_tax"), "the reason, not that nothing is left");
}

#[test]
fn a_channel_of_quantities_has_no_price_in_its_files() {
    let mut config = config();
    config.price = None;
    let bare = ChannelRow { price: None, ..row("A") };
    assert_eq!(
        text(by_name("google-supplemental").unwrap(), &config, std::slice::from_ref(&bare)),
        "id\tavailability\nA\tin_stock\n"
    );
    assert!(!text(by_name("amazon-listings").unwrap(), &config, &[bare]).contains("purchasable_offer"));
}

#[test]
fn what_is_left_out_is_counted_and_the_first_are_named() {
    let rows: Vec<ChannelRow> = (0..50).map(|n| row(&format!("A/{n}"))).chain([row("B")]).collect();
    let (file, _) = written(by_name("mirakl-of01").unwrap(), &config(), &rows);
    let left_out = &file.tally().left_out;
    assert_eq!((file.tally().rows, left_out.count, left_out.first.len()), (1, 50, 20));
    assert_eq!(left_out.first[19], (Sku::new("A/19").unwrap(), "sku_character"));
    assert_eq!(file.tally().incomplete, LeftOut::default());
    let mut weighed = by_name("mirakl-of01").unwrap().open(&config()).unwrap();
    weighed.weigh(&rows.into_iter().map(Arc::new).collect::<Vec<_>>());
    assert_eq!(weighed.tally(), file.tally());
}

#[test]
fn what_is_not_configured_is_said() {
    let bare = ChannelConfig::named("shop");
    for name in ["amazon-listings", "google-local-inventory"] {
        let error = by_name(name).unwrap().open(&bare).err().unwrap();
        assert_eq!(error.reason(), "format_not_configured");
        assert!(error.to_string().contains(name), "{error}");
    }
}
