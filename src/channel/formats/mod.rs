//! Files as marketplaces and feed managers read them, made of rows.
//!
//! Owns: what of a row a channel's format can carry, and how it is written. A format is one file here and one line of
//! [`ALL`]. Everything streams: rows come in chunks, bytes go into a buffer of the caller's, and what is kept meanwhile does
//! not grow with their number (at most one part of a file that comes in parts). What a format cannot carry is left out and
//! named, never bent until it fits. Never decides whether a file may be given out at all: that is [`guard`], on what
//! [`File::weigh`] counted before the first byte.
//!
//! Rows come each once, as they do in a snapshot: channels refuse a file that says a SKU twice.

pub mod guard;
pub mod tally;

mod amazon;
mod cdiscount;
mod google;
mod mirakl;
mod offer;
mod parts;
mod separated;
mod text;
mod zip;

use std::sync::Arc;

pub use self::guard::{FileFacts, FileRefused};
pub use self::tally::{LeftOut, Tally, Weight};
use super::config::ChannelConfig;
use super::row::ChannelRow;

/// One way of writing rows.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What readers ask for it by.
    pub name: &'static str,
    pub media: Media,
    pub coverage: Coverage,
    pub removed: Removed,
    pub encoder: fn(&ChannelConfig) -> Result<Box<dyn Encoder>, FormatError>,
}

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    pub content_type: &'static str,
    /// Of a file's name, without the dot.
    pub extension: &'static str,
}

pub const ZIP: Media = Media { content_type: "application/zip", extension: "zip" };

/// What becomes of a SKU that a file does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// It may be taken for gone: the file is all there is.
    Full,
    /// It stays as it was.
    Partial,
}

/// How a row is written that left the channel. A snapshot has none, changes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// As what it is.
    Said,
    /// At zero: deleting an offer is the merchant's decision.
    AsZero,
}

/// The format is not for this channel as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("{format} needs the channel's `{setting}`")]
    NotConfigured { format: &'static str, setting: &'static str },
}

impl FormatError {
    pub fn reason(&self) -> &'static str {
        match self {
            FormatError::NotConfigured { .. } => "format_not_configured",
        }
    }

    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// What a file is cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp<'a> {
    pub channel: &'a str,
    /// To read on from after it, as readers get it.
    pub cursor: &'a str,
    pub watermark: u64,
}

/// Writes one file.
pub trait Encoder: Send {
    /// What [`row`](Self::row) would do.
    fn weigh(&self, row: &ChannelRow) -> Weight;

    /// Before the first row.
    fn begin(&mut self, stamp: &FileStamp, out: &mut Vec<u8>);

    fn row(&mut self, row: &ChannelRow, out: &mut Vec<u8>) -> Weight;

    /// After the last.
    fn end(&mut self, out: &mut Vec<u8>);

    /// What the bytes turned out to be, where that depends on the rows. Settled once there are any.
    fn media(&self) -> Option<Media> {
        None
    }
}

/// One file as it is written, or only weighed.
pub struct File {
    format: &'static Format,
    encoder: Box<dyn Encoder>,
    tally: Tally,
}

impl Format {
    pub fn open(&'static self, config: &ChannelConfig) -> Result<File, FormatError> {
        Ok(File { format: self, encoder: (self.encoder)(config)?, tally: Tally::default() })
    }
}

impl File {
    /// Counts what writing these would come to, and writes nothing: a file that the guard refuses has no first byte.
    pub fn weigh(&mut self, rows: &[Arc<ChannelRow>]) {
        for row in rows {
            self.tally.add(row, self.encoder.weigh(row));
        }
    }

    pub fn begin(&mut self, stamp: &FileStamp, out: &mut Vec<u8>) {
        self.encoder.begin(stamp, out);
    }

    /// Appends to `out`; sometimes nothing for a while, then a whole part.
    pub fn rows(&mut self, rows: &[Arc<ChannelRow>], out: &mut Vec<u8>) {
        for row in rows {
            let weight = self.encoder.row(row, out);
            self.tally.add(row, weight);
        }
    }

    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.encoder.end(out);
    }

    /// What was weighed or written so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Only known once there are bytes: several parts come as an archive.
    pub fn media(&self) -> Media {
        self.encoder.media().unwrap_or(self.format.media)
    }

    /// For whoever keeps it: names the cut, so that the newest sorts last.
    pub fn name(&self, stamp: &FileStamp) -> String {
        format!("{}-{}-{:020}.{}", stamp.channel, self.format.name, stamp.watermark, self.media().extension)
    }
}

/// Every format, by name.
pub static ALL: &[Format] = &[
    separated::CSV,
    separated::TSV,
    mirakl::OFFERS,
    mirakl::STOCK,
    amazon::FORMAT,
    google::SUPPLEMENTAL,
    google::LOCAL_INVENTORY,
    cdiscount::FORMAT,
];

pub fn by_name(name: &str) -> Option<&'static Format> {
    ALL.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests;
