//! Google: a supplemental source as TSV, and local inventory as requests of the Merchant API.
//!
//! A supplemental source changes availability and price of products that exist, and does not keep them alive: the merchant's
//! primary source does that. Local inventory is one `InsertLocalInventoryRequest` of `google.shopping.merchant.inventories.v1`
//! a line, in protobuf's JSON; an insert replaces all that was known of the product in that shop.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::config::ChannelConfig;
use super::offer::{Needs, Offer, Pricing, Rules, Writer, market};
use super::text;
use super::{Coverage, Encoder, FileStamp, Format, FormatError, Media, Removed};

pub const SUPPLEMENTAL: Format = Format {
    name: "google-supplemental",
    media: Media { content_type: "text/tab-separated-values; charset=utf-8", extension: "tsv" },
    coverage: Coverage::Partial,
    removed: Removed::AsZero,
    encoder: supplemental,
};

pub const LOCAL_INVENTORY: Format = Format {
    name: "google-local-inventory",
    media: Media { content_type: "application/x-ndjson", extension: "jsonl" },
    coverage: Coverage::Partial,
    removed: Removed::AsZero,
    encoder: local_inventory,
};

/// Neither says anything of a product without its availability.
const RULES: Rules = Rules { sku_chars_max: 50, price: Pricing::AsShownThere, needs: Needs::Quantity, ..Rules::USUAL };

struct Supplemental {
    /// A channel of quantities only has no column for prices: an empty one might be taken for none.
    has_prices: bool,
}

fn supplemental(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    Ok(market(RULES, config, Supplemental { has_prices: config.price.is_some() }))
}

impl Writer for Supplemental {
    fn begin(&mut self, _: &FileStamp, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_prices { b"id\tavailability\tprice\n" } else { b"id\tavailability\n" });
    }

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        text::cell(offer.sku, b'\t', out);
        out.extend_from_slice(if offer.quantity == Some(0) { b"\tout_of_stock" } else { b"\tin_stock" });
        if self.has_prices {
            out.push(b'\t');
            if let Some(price) = offer.price {
                price.write(out);
                out.push(b' ');
                out.extend_from_slice(price.currency.as_str().as_bytes());
            }
        }
        out.push(b'\n');
    }
}

struct LocalInventory {
    /// `accounts/…/products/`, within quotes that are open.
    parent: Vec<u8>,
    /// Language and label, before the product's own name.
    product: String,
    store_code: Vec<u8>,
    /// A product's whole name, put together.
    name: String,
    encoded: String,
}

fn local_inventory(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    let Some(settings) = &config.formats.google else {
        return Err(FormatError::NotConfigured { format: LOCAL_INVENTORY.name, setting: "formats.google" });
    };
    let mut store_code = Vec::new();
    text::json(&settings.store_code, &mut store_code);
    let writer = LocalInventory {
        parent: format!("{{\"parent\":\"accounts/{}/products/", settings.account).into_bytes(),
        product: format!("{}~{}~", settings.content_language, settings.feed_label),
        store_code,
        name: String::new(),
        encoded: String::new(),
    };
    Ok(market(RULES, config, writer))
}

impl Writer for LocalInventory {
    fn begin(&mut self, _: &FileStamp, _: &mut Vec<u8>) {}

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        self.name.clone_from(&self.product);
        self.name.push_str(offer.sku);
        // Encoded, because a SKU may hold what an address cannot.
        self.encoded.clear();
        URL_SAFE_NO_PAD.encode_string(&self.name, &mut self.encoded);
        out.extend_from_slice(&self.parent);
        out.extend_from_slice(self.encoded.as_bytes());
        out.extend_from_slice(b"\",\"localInventory\":{\"storeCode\":");
        out.extend_from_slice(&self.store_code);
        out.extend_from_slice(b",\"localInventoryAttributes\":{\"availability\":\"");
        let quantity = offer.quantity.unwrap_or(0);
        out.extend_from_slice(if quantity == 0 { b"OUT_OF_STOCK" } else { b"IN_STOCK" });
        out.extend_from_slice(b"\",\"quantity\":\"");
        text::number(quantity, out);
        out.push(b'"');
        if let Some(price) = offer.price {
            out.extend_from_slice(b",\"price\":{\"amountMicros\":\"");
            text::number(price.micros(), out);
            out.extend_from_slice(b"\",\"currencyCode\":\"");
            out.extend_from_slice(price.currency.as_str().as_bytes());
            out.extend_from_slice(b"\"}");
        }
        out.extend_from_slice(b"}}}\n");
    }
}
