//! What a file holds, counted row by row, and what it had to leave out.

use super::super::row::ChannelRow;
use super::guard::FileFacts;
use crate::domain::Sku;

/// What one row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Line {
        /// Nothing of it can be bought.
        is_zero: bool,
        /// It went without its price or lead time, for this reason.
        without: Option<&'static str>,
    },
    LeftOut(&'static str),
}

/// The sum of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub zeros: u64,
    /// Not in the file at all.
    pub left_out: LeftOut,
    /// In the file, but not all of them.
    pub incomplete: LeftOut,
}

/// How many, and the first of them by the channel's name for it, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub count: u64,
    pub first: Vec<(Sku, &'static str)>,
}

impl LeftOut {
    /// Enough to see what is wrong.
    pub const NAMED_MAX: usize = 20;

    fn add(&mut self, row: &ChannelRow, reason: &'static str) {
        self.count += 1;
        if self.first.len() < Self::NAMED_MAX {
            self.first.push((row.key.channel_sku.clone(), reason));
        }
    }
}

impl Tally {
    pub fn add(&mut self, row: &ChannelRow, weight: Weight) {
        match weight {
            Weight::Line { is_zero, without } => {
                self.rows += 1;
                self.zeros += u64::from(is_zero);
                if let Some(reason) = without {
                    self.incomplete.add(row, reason);
                }
            }
            Weight::LeftOut(reason) => self.left_out.add(row, reason),
        }
    }

    /// For the guard.
    pub fn facts(&self, watermark: u64) -> FileFacts {
        FileFacts { rows: self.rows, zeros: self.zeros, watermark }
    }
}
