//! What a marketplace takes of a row: whole quantities, prices as its buyers see them, SKUs it accepts.
//!
//! Three rules hold for all of them:
//!
//! - What is not on sale is said at zero, without asking what else is known of it: nothing may keep a zero from its channel.
//! - A SKU or a quantity that the channel cannot take leaves the row out: a price alone would sell from a count that is no
//!   longer true.
//! - A price or lead time that it cannot take is left out and named, and the quantity goes: an old price with the right
//!   quantity does less harm than an old price with the wrong one.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::super::config::ChannelConfig;
use super::super::row::{ChannelPrice, ChannelRow, RowState};
use super::tally::Weight;
use super::{Encoder, FileStamp, Media, text};
use crate::domain::{Currency, Quantity, TaxBasis};

/// What one format takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub sku_chars_max: usize,
    pub sku_takes: fn(char) -> bool,
    pub quantity_max: u64,
    pub price: Pricing,
    /// `None`: lead times are not said.
    pub lead_days_max: Option<u16>,
    /// What a line is nothing without.
    pub needs: Needs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pricing {
    /// No price is in the file.
    Unsaid,
    /// The operator's affair: the channel's policy says which.
    AsPublished,
    /// As private buyers pay it: with tax.
    WithTax,
    /// As shop windows show it: with tax, but not in North America.
    AsShownThere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Quantity,
    QuantityOrPrice,
}

/// What goes into a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    pub sku: &'a str,
    /// Absent: the channel keeps the count itself.
    pub quantity: Option<u64>,
    pub price: Option<Price>,
    pub lead_days: Option<u16>,
    /// Why there is less than the row has.
    pub without: Option<&'static str>,
}

/// Above zero, and no finer than its currency's coins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Price {
    amount: Decimal,
    pub currency: Currency,
}

/// No price is as high, in any currency.
const PRICE_MAX: i64 = 1_000_000_000_000;

impl Rules {
    /// Takes what is whole, and prices with tax.
    pub const USUAL: Rules = Rules {
        sku_chars_max: usize::MAX,
        sku_takes: |_| true,
        // What every reader of integers can hold.
        quantity_max: i32::MAX as u64,
        price: Pricing::WithTax,
        lead_days_max: None,
        needs: Needs::QuantityOrPrice,
    };

    /// `is_counted`: the gateway counts what the channel sells, not the channel itself. `Err`: why the row cannot be in the
    /// file.
    fn offer<'a>(&self, row: &'a ChannelRow, is_counted: bool) -> Result<Offer<'a>, &'static str> {
        let sku = row.key.channel_sku.as_str();
        self.check_sku(sku)?;
        let quantity = if is_counted { self.quantity(row)? } else { None };
        let mut offer = Offer { sku, quantity, price: None, lead_days: None, without: None };
        let price = row.price.as_ref().filter(|_| self.price != Pricing::Unsaid);
        match price.map(|price| self.price(price)) {
            Some(Ok(price)) => offer.price = Some(price),
            // What cannot be bought has no wrong price.
            Some(Err(_)) if quantity == Some(0) => {}
            Some(Err(reason)) => offer.without = Some(reason),
            None => {}
        }
        match (row.lead_time_days, self.lead_days_max) {
            (Some(days), Some(most)) if days <= most => offer.lead_days = Some(days),
            (Some(_), Some(_)) if quantity != Some(0) => offer.without = offer.without.or(Some("lead_time_too_long")),
            _ => {}
        }
        match (self.needs, offer.quantity, offer.price) {
            (Needs::Quantity, None, _) => Err("no_quantity"),
            (Needs::QuantityOrPrice, None, None) => Err(offer.without.unwrap_or("nothing_to_say")),
            _ => Ok(offer),
        }
    }

    fn check_sku(&self, sku: &str) -> Result<(), &'static str> {
        // No text has more characters than bytes.
        if sku.len() > self.sku_chars_max && sku.chars().count() > self.sku_chars_max {
            return Err("sku_too_long");
        }
        if sku.chars().all(self.sku_takes) { Ok(()) } else { Err("sku_character") }
    }

    fn quantity(&self, row: &ChannelRow) -> Result<Option<u64>, &'static str> {
        if row.state != RowState::Listed {
            return Ok(Some(0));
        }
        let Some(quantity) = row.quantity.map(Quantity::get) else { return Ok(None) };
        if !quantity.fract().is_zero() {
            return Err("quantity_not_whole");
        }
        match quantity.to_u64().filter(|quantity| *quantity <= self.quantity_max) {
            Some(quantity) => Ok(Some(quantity)),
            None => Err("quantity_out_of_range"),
        }
    }

    fn price(&self, price: &ChannelPrice) -> Result<Price, &'static str> {
        let takes_net = match self.price {
            Pricing::AsPublished => true,
            Pricing::Unsaid | Pricing::WithTax => false,
            Pricing::AsShownThere => matches!(price.currency.as_str(), "USD" | "CAD"),
        };
        if price.tax_basis == TaxBasis::Net && !takes_net {
            return Err("price_without_tax");
        }
        let amount = price.amount.get();
        if amount <= Decimal::ZERO {
            return Err("price_not_positive");
        }
        // Beyond it no reader's cents or millionths fit in 64 bits.
        if amount > Decimal::from(PRICE_MAX) {
            return Err("price_out_of_range");
        }
        if amount.scale() > coin_digits(price.currency) && amount.normalize().scale() > coin_digits(price.currency) {
            return Err("price_too_precise");
        }
        Ok(Price { amount, currency: price.currency })
    }
}

impl Offer<'_> {
    fn weight(&self) -> Weight {
        Weight::Line { is_zero: self.quantity == Some(0), without: self.without }
    }
}

impl Price {
    /// With as many decimals as its currency has: `15.00`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let digits = coin_digits(self.currency);
        let mut amount = self.amount;
        if amount.scale() != digits {
            amount.rescale(digits);
        }
        text::decimal(amount, out);
    }

    /// In millionths: exact, for no coin is as small.
    pub fn micros(&self) -> u64 {
        let mut amount = self.amount;
        amount.rescale(6);
        u64::try_from(amount.mantissa()).expect("positive, and at most PRICE_MAX")
    }
}

/// Writes offers; what of a row is one is the rules' affair.
pub(super) trait Writer: Send + 'static {
    /// Before the first.
    fn begin(&mut self, stamp: &FileStamp, out: &mut Vec<u8>);

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>);

    /// After the last.
    fn end(&mut self, _: &mut Vec<u8>) {}

    fn media(&self) -> Option<Media> {
        None
    }
}

/// A format of a marketplace: its rules before its writer.
struct Market<W> {
    rules: Rules,
    is_counted: bool,
    writer: W,
}

pub(super) fn market<W: Writer>(rules: Rules, config: &ChannelConfig, writer: W) -> Box<dyn Encoder> {
    Box::new(Market { rules, is_counted: !config.quantity.fulfilled_by_channel, writer })
}

impl<W: Writer> Encoder for Market<W> {
    fn weigh(&self, row: &ChannelRow) -> Weight {
        match self.rules.offer(row, self.is_counted) {
            Ok(offer) => offer.weight(),
            Err(reason) => Weight::LeftOut(reason),
        }
    }

    fn begin(&mut self, stamp: &FileStamp, out: &mut Vec<u8>) {
        self.writer.begin(stamp, out);
    }

    fn row(&mut self, row: &ChannelRow, out: &mut Vec<u8>) -> Weight {
        match self.rules.offer(row, self.is_counted) {
            Ok(offer) => {
                self.writer.offer(&offer, out);
                offer.weight()
            }
            Err(reason) => Weight::LeftOut(reason),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.writer.end(out);
    }

    fn media(&self) -> Option<Media> {
        self.writer.media()
    }
}

/// Decimals of a currency, by ISO 4217.
fn coin_digits(currency: Currency) -> u32 {
    match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}
