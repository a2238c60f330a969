//! Rows to write.

use std::sync::Arc;

use crate::channel::row::{ChannelPrice, ChannelRow, Reasons, RowKey, RowState};
use crate::domain::{Sku, TaxBasis};

/// On sale: 5 of them at 12.30 EUR with tax.
pub fn row(sku: &str) -> ChannelRow {
    ChannelRow {
        key: Arc::new(RowKey { sku: Sku::new(sku).unwrap(), channel_sku: Sku::new(sku).unwrap() }),
        version: 1_700_000_000_000_001,
        state: RowState::Listed,
        quantity: Some("5".parse().unwrap()),
        quantity_version: 1_700_000_000_000_001,
        price: price("12.30", "EUR", TaxBasis::Gross),
        price_version: 1_700_000_000_000_000,
        lead_time_days: None,
        reasons: Reasons::default(),
    }
}

pub fn price(amount: &str, currency: &str, tax_basis: TaxBasis) -> Option<ChannelPrice> {
    Some(ChannelPrice { amount: amount.parse().unwrap(), currency: currency.parse().unwrap(), tax_basis })
}

pub fn at_quantity(sku: &str, quantity: &str) -> ChannelRow {
    ChannelRow { quantity: Some(quantity.parse().unwrap()), ..row(sku) }
}

pub fn zeroed(sku: &str, reason: &'static str) -> ChannelRow {
    ChannelRow {
        state: RowState::Zeroed,
        quantity: Some("0".parse().unwrap()),
        reasons: Reasons::from_iter([reason]),
        ..row(sku)
    }
}
pub fn at_price(sku: &str, amount: &str, currency: &str) -> ChannelRow {
    ChannelRow { price: price(amount, currency, TaxBasis::Gross), ..row(sku) }
}
