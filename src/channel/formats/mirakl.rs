//! Mirakl: offers (OF01, mode PARTIAL_UPDATE) and stock (STO01) as CSV.
//!
//! Semicolons, every cell in quotes, UTF-8. In OF01 a blank cell leaves a field as it is, so a row says only what it has, and
//! `update-delete` stays blank: this mode knows no other. A SKU the operator does not know fails its line there, no other.

use super::super::config::ChannelConfig;
use super::offer::{Needs, Offer, Pricing, Rules, Writer, market};
use super::text;
use super::{Coverage, Encoder, FileStamp, Format, FormatError, Media, Removed};

const CSV: Media = Media { content_type: "text/csv; charset=utf-8; header=present", extension: "csv" };

pub const OFFERS: Format =
    Format { name: "mirakl-of01", media: CSV, coverage: Coverage::Partial, removed: Removed::AsZero, encoder: offers };

pub const STOCK: Format =
    Format { name: "mirakl-sto01", media: CSV, coverage: Coverage::Partial, removed: Removed::AsZero, encoder: stock };

const RULES: Rules = Rules {
    sku_chars_max: 40,
    sku_takes: |character| character != '/',
    quantity_max: 1_000_000_000,
    price: Pricing::AsPublished,
    lead_days_max: Some(u16::MAX),
    needs: Needs::QuantityOrPrice,
};

struct Offers;

fn offers(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    Ok(market(RULES, config, Offers))
}

impl Writer for Offers {
    fn begin(&mut self, _: &FileStamp, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"sku\";\"price\";\"quantity\";\"leadtime-to-ship\";\"update-delete\"\r\n");
    }

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        text::quoted_cell(offer.sku, out);
        out.extend_from_slice(b";\"");
        if let Some(price) = offer.price {
            price.write(out);
        }
        out.extend_from_slice(b"\";\"");
        if let Some(quantity) = offer.quantity {
            text::number(quantity, out);
        }
        out.extend_from_slice(b"\";\"");
        if let Some(days) = offer.lead_days {
            text::number(days.into(), out);
        }
        out.extend_from_slice(b"\";\"\"\r\n");
    }
}

/// Absolute quantities. Every line names the warehouse, or none does and it is all the offer has.
struct Stock {
    warehouse_code: String,
}

fn stock(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    let warehouse_code = config.formats.mirakl.warehouse_code.clone().unwrap_or_default();
    let rules = Rules { price: Pricing::Unsaid, lead_days_max: None, needs: Needs::Quantity, ..RULES };
    Ok(market(rules, config, Stock { warehouse_code }))
}

impl Writer for Stock {
    fn begin(&mut self, _: &FileStamp, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"offer-sku\";\"quantity\";\"warehouse-code\";\"update-delete\"\r\n");
    }

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        text::quoted_cell(offer.sku, out);
        out.extend_from_slice(b";\"");
        text::number(offer.quantity.unwrap_or(0), out);
        out.extend_from_slice(b"\";");
        text::quoted_cell(&self.warehouse_code, out);
        out.extend_from_slice(b";\"\"\r\n");
    }
}
