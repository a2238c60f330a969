//! Cdiscount (Octopia): StockAndPrice packages.
//!
//! A package is a zip in the layout of the Open Packaging Conventions with one XML file in it. It takes 40,000 offers
//! (configured): more make more packages, in one archive. The offers of a package are held until it is whole, because their
//! number stands before them; so a package is what the memory holds at most. `PurgeAndReplace` is always false: what is not
//! in the file stays as it is.

use super::super::config::ChannelConfig;
use super::offer::{Offer, Rules, Writer, market};
use super::parts::Parts;
use super::text;
use super::zip::{Method, Zip};
use super::{Coverage, Encoder, FileStamp, Format, FormatError, Removed, ZIP};

pub const FORMAT: Format = Format {
    name: "cdiscount-stock-price",
    media: ZIP,
    coverage: Coverage::Partial,
    removed: Removed::AsZero,
    encoder,
};

const RULES: Rules = Rules { sku_chars_max: 50, sku_takes: text::is_xml, ..Rules::USUAL };

/// Whatever is configured, a package is held in memory.
const OFFERS_MAX: usize = 1_000_000;

const CONTENT_TYPES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
    <Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
    <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
    <Default Extension=\"xml\" ContentType=\"text/xml\"/></Types>\n";
const RELATIONSHIPS: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
    <Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
    <Relationship Id=\"offers\" Type=\"http://cdiscount.com/uri/document\" Target=\"/Content/offers.xml\"/>\
    </Relationships>\n";
const NAMESPACE: &str =
    "clr-namespace:Cdiscount.Service.OfferIntegration.Pivot;assembly=Cdiscount.Service.OfferIntegration";

struct Packages {
    offers_max: usize,
    /// Where the packages come from: their names begin so.
    cut: String,
    cursor: String,
    /// Of the package that is being filled.
    offers: Vec<u8>,
    count: usize,
    number: usize,
    package: Vec<u8>,
    parts: Parts,
}

fn encoder(config: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    let writer = Packages {
        offers_max: config.formats.cdiscount.offers_max.clamp(1, OFFERS_MAX),
        cut: String::new(),
        cursor: String::new(),
        offers: Vec::new(),
        count: 0,
        number: 0,
        package: Vec::new(),
        // Packed already.
        parts: Parts::new("package", "zip", Method::Stored),
    };
    Ok(market(RULES, config, writer))
}

impl Packages {
    /// Makes a package of the offers that were gathered.
    fn pack(&mut self) {
        self.number += 1;
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<OfferPackage xmlns=\"{NAMESPACE}\" \
             xmlns:x=\"http://schemas.microsoft.com/winfx/2006/xaml\" Name=\"{}-{}\" PackageType=\"StockAndPrice\" \
             PurgeAndReplace=\"false\">\n<OfferPackage.Offers>\n<OfferCollection Capacity=\"{}\">\n",
            self.cut, self.number, self.count
        )
        .into_bytes();
        xml.append(&mut self.offers);
        xml.extend_from_slice(b"</OfferCollection>\n</OfferPackage.Offers>\n</OfferPackage>\n");
        self.count = 0;
        self.package.clear();
        let mut zip = Zip::default();
        zip.add("[Content_Types].xml", Method::Deflated, CONTENT_TYPES.as_bytes(), &mut self.package);
        zip.add("_rels/.rels", Method::Deflated, RELATIONSHIPS.as_bytes(), &mut self.package);
        zip.add("Content/offers.xml", Method::Deflated, &xml, &mut self.package);
        zip.finish(&self.cursor, &mut self.package);
    }
}

impl Writer for Packages {
    fn begin(&mut self, stamp: &FileStamp, _: &mut Vec<u8>) {
        // A channel's name needs no escaping.
        self.cut = format!("{}-{}", stamp.channel, stamp.watermark);
        self.cursor = stamp.cursor.to_owned();
    }

    fn offer(&mut self, offer: &Offer, out: &mut Vec<u8>) {
        if self.count == self.offers_max {
            self.pack();
            self.parts.add(&self.package, out);
        }
        self.count += 1;
        self.offers.extend_from_slice(b"<Offer SellerProductId=\"");
        text::xml(offer.sku, &mut self.offers);
        if let Some(price) = offer.price {
            self.offers.extend_from_slice(b"\" Price=\"");
            price.write(&mut self.offers);
        }
        if let Some(quantity) = offer.quantity {
            self.offers.extend_from_slice(b"\" Stock=\"");
            text::number(quantity, &mut self.offers);
        }
        self.offers.extend_from_slice(b"\"/>\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.pack();
        self.parts.end(&self.package, &self.cursor, out);
        self.package = Vec::new();
    }
}
