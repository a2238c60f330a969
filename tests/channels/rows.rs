//! The channel and the rows that files are made of.

use std::sync::Arc;

use comptoir::channel::config::{AmazonSettings, GoogleSettings};
use comptoir::channel::{ChannelConfig, ChannelPrice, ChannelRow, Reasons, RowKey, RowState};
use comptoir::domain::{Sku, TaxBasis};

pub fn config() -> ChannelConfig {
    let mut config = ChannelConfig::named("marche");
    config.formats.amazon = Some(AmazonSettings {
        seller_id: "A1SELLER".into(),
        marketplace_id: "A13V1IB3VIYZZH".into(),
        product_type: "PRODUCT".into(),
        issue_locale: Some("fr_FR".into()),
        messages_max: 10_000,
        bytes_max: 10 * 1024 * 1024,
    });
    config.formats.google = Some(GoogleSettings {
        account: 4_200_000,
        content_language: "fr".into(),
        feed_label: "FR".into(),
        store_code: "LYON-1".into(),
    });
    config.formats.mirakl.warehouse_code = Some("LYON".into());
    config
}

pub fn row(sku: &str, version: u64) -> ChannelRow {
    ChannelRow {
        key: Arc::new(RowKey { sku: Sku::new(sku).unwrap(), channel_sku: Sku::new(sku).unwrap() }),
        version,
        state: RowState::Listed,
        quantity: Some("5".parse().unwrap()),
        quantity_version: version,
        price: price("12.30", TaxBasis::Gross),
        price_version: version,
        lead_time_days: None,
        reasons: Reasons::default(),
    }
}

pub fn price(amount: &str, tax_basis: TaxBasis) -> Option<ChannelPrice> {
    Some(ChannelPrice { amount: amount.parse().unwrap(), currency: "EUR".parse().unwrap(), tax_basis })
}

/// One of each: on sale, by the pack, with a lead time, without a price, net, without a count, at zero, gone, and what some
/// channel cannot take.
pub fn one_of_each() -> Vec<ChannelRow> {
    let quantity = |text: &str| Some(text.parse().unwrap());
    let mut pack = row("BOLT-8", 102);
    pack.key = Arc::new(RowKey { sku: Sku::new("BOLT-8").unwrap(), channel_sku: Sku::new("BOLT-8-BOX").unwrap() });
    pack.price = price("129", TaxBasis::Gross);
    vec![
        ChannelRow { quantity: quantity("420"), ..row("BOLT-8", 101) },
        pack,
        ChannelRow { lead_time_days: Some(4), reasons: Reasons::from_iter(["price_held"]), ..row("GLUE 50ml", 103) },
        ChannelRow { price: None, ..row("NO-PRICE", 104) },
        ChannelRow { price: price("10.25", TaxBasis::Net), ..row("NET", 105) },
        ChannelRow { quantity: quantity("0"), ..row("SOLD-OUT", 106) },
        ChannelRow {
            state: RowState::Zeroed,
            quantity: quantity("0"),
            price: None,
            reasons: Reasons::from_iter(["unknown_sku", "source_gap"]),
            ..row("LEAVING", 107)
        },
        ChannelRow { state: RowState::Removed, quantity: None, price: None, ..row("GONE", 108) },
        ChannelRow { quantity: quantity("2.500"), price: price("3.4050", TaxBasis::Gross), ..row("WIRE-M", 109) },
        ChannelRow { lead_time_days: Some(45), ..row("SLOW", 110) },
        row("A/B", 111),
        row("a-name-of-more-than-forty-characters-which-is-many", 112),
    ]
}
