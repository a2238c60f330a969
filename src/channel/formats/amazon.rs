//! Amazon: JSON_LISTINGS_FEED, version 2.0, PATCH messages for quantity and price.
//!
//! A feed takes 10,000 messages and 10 MiB (both configured): more make more feeds, in one archive, each with messages from 1
//! on, because the report names them by number within their feed.
//!
//! - **Quantity**: `merge`, which leaves alone what else is known of the fulfilment; with a lead time `replace`, for merging
//!   is made for quantities only. Never for what Amazon fulfils: a quantity would turn the offer into one the merchant ships.
//! - **Price**: `replace` of the consumer offer (audience ALL), with tax. What else stood in that offer (a sale price, a least
//!   price for a repricer) is gone: Amazon offers no way to change the price and keep the rest.

use super::super::config::{AmazonSettings, ChannelConfig};
use super::offer::{Offer, Rules, Writer, market};
use super::parts::Parts;
use super::text;
use super::zip::Method;
use super::{Coverage, Encoder, FileStamp, Format, FormatError, Media, Removed};

pub const FORMAT: Format = Format {
    name: "amazon-listings",
    media: Media { content_type: "application/json; charset=utf-8", extension: "json" },
    coverage: Coverage::Partial,
    removed: Removed::AsZero,
    encoder,
};

const RULES: Rules = Rules { lead_days_max: Some(30), ..Rules::USUAL };

/// Whatever is configured, a part is held in memory.
const BYTES_MAX: usize = 256 * 1024 * 1024;
const CLOSING: &[u8] = b"]}";

struct Feeds {
    messages_max: usize,
    bytes_max: usize,
    /// What every feed begins with.
    header: Vec<u8>,
    /// Between a message's SKU and its patches: the product type.
    product_type: Vec<u8>,
    marketplace: Vec<u8>,
    cursor: String,
    /// The feed that is being filled, still open.
    feed: Vec<u8>,
    messages: usize,
    parts: Parts,
}

fn encoder(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    let Some(settings) = &config.formats.amazon else {
        return Err(FormatError::NotConfigured { format: FORMAT.name, setting: "formats.amazon" });
    };
    let mut product_type = Vec::new();
    text::json(&settings.product_type, &mut product_type);
    let mut marketplace = Vec::new();
    text::json(&settings.marketplace_id, &mut marketplace);
    let writer = Feeds {
        messages_max: settings.messages_max.max(1),
        bytes_max: settings.bytes_max.min(BYTES_MAX),
        header: header(settings),
        product_type,
        marketplace,
        cursor: String::new(),
        feed: Vec::new(),
        messages: 0,
        parts: Parts::new("feed", "json", Method::Deflated),
    };
    Ok(market(RULES, config, writer))
}

fn header(settings: &AmazonSettings) -> Vec<u8> {
    let mut out = b"{\"header\":{\"sellerId\":".to_vec();
    text::json(&settings.seller_id, &mut out);
    out.extend_from_slice(b",\"version\":\"2.0\"");
    if let Some(locale) = &settings.issue_locale {
        out.extend_from_slice(b",\"issueLocale\":");
        text::json(locale, &mut out);
    }
    out.extend_from_slice(b"},\"messages\":[");
    out
}

impl Feeds {
    fn message(&mut self, offer: &Offer) {
        let out = &mut self.feed;
        if self.messages > 0 {
            out.push(b',');
        }
        self.messages += 1;
        out.extend_from_slice(b"\n{\"messageId\":");
        text::number(self.messages as u64, out);
        out.extend_from_slice(b",\"sku\":");
        text::json(offer.sku, out);
        out.extend_from_slice(b",\"operationType\":\"PATCH\",\"productType\":");
        out.extend_from_slice(&self.product_type);
        out.extend_from_slice(b",\"patches\":[");
        if let Some(quantity) = offer.quantity {
            let op: &[u8] = if offer.lead_days.is_some() { b"replace" } else { b"merge" };
            out.extend_from_slice(b"{\"op\":\"");
            out.extend_from_slice(op);
            out.extend_from_slice(
                b"\",\"path\":\"/attributes/fulfillment_availability\",\"value\":[{\"fulfillment_channel_code\":\"DEFAULT\",\"quantity\":",
            );
            text::number(quantity, out);
            if let Some(days) = offer.lead_days {
                out.extend_from_slice(b",\"lead_time_to_ship_max_days\":");
                text::number(days.into(), out);
            }
            out.extend_from_slice(b"}]}");
        }
        if let Some(price) = offer.price {
            if offer.quantity.is_some() {
                out.push(b',');
            }
            out.extend_from_slice(
                b"{\"op\":\"replace\",\"path\":\"/attributes/purchasable_offer\",\"value\":[{\"marketplace_id\":",
            );
            out.extend_from_slice(&self.marketplace);
            out.extend_from_slice(b",\"currency\":\"");
            out.extend_from_slice(price.currency.as_str().as_bytes());
            out.extend_from_slice(b"\",\"audience\":\"ALL\",\"our_price\":[{\"schedule\":[{\"value_with_tax\":");
            price.write(out);
            out.extend_from_slice(b"}]}]}]}");
        }
        out.extend_from_slice(b"]}");
    }

    fn fits(&self) -> bool {
        self.messages <= self.messages_max && self.feed.len() + CLOSING.len() <= self.bytes_max
    }

    /// Takes the feed back to where it was before its last message, and begins another one.
    fn turn_over(&mut self, end: usize, out: &mut Vec<u8>) {
        self.feed.truncate(end);
        self.feed.extend_from_slice(CLOSING);
        self.parts.add(&self.feed, out);
        self.open();
    }

    fn open(&mut self) {
        self.feed.clear();
        self.feed.extend_from_slice(&self.header);
        self.messages = 0;
    }
}

impl Writer for Feeds {
    fn begin(&mut self, stamp: &FileStamp, _: &mut Vec<u8>) {
        self.cursor = stamp.cursor.to_owned();
        self.open();
    }

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        let end = self.feed.len();
        self.message(offer);
        // A message that is larger than a feed may be stands alone in one: what is configured is the mistake, not the row.
        if !self.fits() && self.messages > 1 {
            self.turn_over(end, out);
            self.message(offer);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.feed.extend_from_slice(CLOSING);
        self.parts.end(&self.feed, &self.cursor, out);
        self.feed = Vec::new();
    }

    fn media(&self) -> Option<Media> {
        self.parts.media()
    }
}
