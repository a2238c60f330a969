//! CSV and TSV for whoever maps columns: feed managers, spreadsheets, scripts.
//!
//! RFC 4180, UTF-8 without a mark, a header, decimals with a point; lines end in CRLF with commas and in LF with tabs. Every
//! row is written with all it has. Absent figures are empty cells. The reasons are one cell, with spaces between.
//!
//! **Formulas.** A spreadsheet runs what begins with `=`, `+`, `-`, `@` (some also with their full-width forms, a tab or a
//! carriage return), and a SKU may begin so.
//! Such a text, and one that begins so after apostrophes, is written with one more apostrophe before it. Nothing else is
//! touched, so a reader gets the SKU back by one rule: *where apostrophes are followed by one of those characters, take one
//! apostrophe off*. `=1+1` is written `'=1+1`, `'=1+1` is written `''=1+1`, and `'90s` stays `'90s`. Formats of marketplaces
//! do not do this: there a SKU that is written differently is another SKU.

use super::super::config::ChannelConfig;
use super::super::row::{ChannelRow, RowState};
use super::tally::Weight;
use super::text;
use super::{Coverage, Encoder, FileStamp, Format, FormatError, Media, Removed};
use crate::domain::TaxBasis;

pub const CSV: Format = Format {
    name: "csv",
    media: Media { content_type: "text/csv; charset=utf-8; header=present", extension: "csv" },
    coverage: Coverage::Full,
    removed: Removed::Said,
    encoder: csv,
};

pub const TSV: Format = Format {
    name: "tsv",
    media: Media { content_type: "text/tab-separated-values; charset=utf-8", extension: "tsv" },
    coverage: Coverage::Full,
    removed: Removed::Said,
    encoder: tsv,
};

fn csv(_: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    Ok(Box::new(Separated { separator: b',', line_end: b"\r\n" }))
}

fn tsv(_: &ChannelConfig) -> Result<Box<dyn Encoder>, FormatError> {
    Ok(Box::new(Separated { separator: b'\t', line_end: b"\n" }))
}

const COLUMNS: [&str; 10] =
    ["sku", "channelSku", "state", "quantity", "price", "currency", "taxBasis", "leadTimeDays", "version", "reasons"];

struct Separated {
    separator: u8,
    line_end: &'static [u8],
}

impl Separated {
    /// A text from outside.
    fn foreign(&self, text: &str, out: &mut Vec<u8>) {
        if is_formula(text) {
            // The apostrophe goes inside the quotes, if there are any.
            text::cell(&format!("'{text}"), self.separator, out);
        } else {
            text::cell(text, self.separator, out);
        }
    }
}

impl Encoder for Separated {
    fn weigh(&self, row: &ChannelRow) -> Weight {
        let is_zero = row.state != RowState::Listed || row.quantity.is_some_and(|quantity| quantity.is_zero());
        Weight::Line { is_zero, without: None }
    }

    fn begin(&mut self, _: &FileStamp, out: &mut Vec<u8>) {
        for (index, column) in COLUMNS.iter().enumerate() {
            if index > 0 {
                out.push(self.separator);
            }
            out.extend_from_slice(column.as_bytes());
        }
        out.extend_from_slice(self.line_end);
    }

    fn row(&mut self, row: &ChannelRow, out: &mut Vec<u8>) -> Weight {
        let separator = self.separator;
        self.foreign(row.key.sku.as_str(), out);
        out.push(separator);
        self.foreign(row.key.channel_sku.as_str(), out);
        out.push(separator);
        out.extend_from_slice(row.state.as_str().as_bytes());
        out.push(separator);
        if let Some(quantity) = row.quantity {
            text::decimal(quantity.get(), out);
        }
        out.push(separator);
        if let Some(price) = &row.price {
            text::decimal(price.amount.get(), out);
            out.push(separator);
            out.extend_from_slice(price.currency.as_str().as_bytes());
            out.push(separator);
            out.extend_from_slice(match price.tax_basis {
                TaxBasis::Net => b"NET",
                TaxBasis::Gross => b"GROSS",
            });
        } else {
            out.extend_from_slice(&[separator; 2]);
        }
        out.push(separator);
        if let Some(days) = row.lead_time_days {
            text::number(days.into(), out);
        }
        out.push(separator);
        text::number(row.version, out);
        out.push(separator);
        for (index, reason) in row.reasons.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(reason.as_bytes());
        }
        out.extend_from_slice(self.line_end);
        self.weigh(row)
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

/// The first characters of what is run.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r'];

/// What a spreadsheet would run, or what was made of such a text by this rule.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}
