//! Which SKUs a channel sells, under which names, and whether it can take these names.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::channel::config::{Assortment, ChannelConfig, Fitness};
use crate::channel::row::RowKey;
use crate::domain::{Quantity, Sku};
use crate::mutants::mutant;

/// Where a row stands in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many base units in one of what it sells.
    Sold(Quantity),
    /// Why not.
    Not(&'static str),
}

/// Why a channel cannot take a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Characters it has, and may have.
    TooLong {
        length: usize,
        length_max: usize,
    },
    Forbidden(char),
    /// It is another SKU's alias.
    Taken,
}

/// A name the channel would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub sku: Sku,
    pub channel_sku: Sku,
    pub fault: Fault,
}

impl Fault {
    /// In the words of rows.
    pub fn reason(self) -> &'static str {
        match self {
            Fault::TooLong { .. } | Fault::Forbidden(_) => "sku_not_fit",
            Fault::Taken => "channel_sku_taken",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLong { length, length_max } => {
                write!(f, "has {length} characters, at most {length_max} are taken")
            }
            Fault::Forbidden(character) => write!(f, "contains {character:?}, which is not taken"),
            Fault::Taken => write!(f, "is another SKU's alias"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sku == self.channel_sku {
            true => write!(f, "{}: {}", self.sku, self.fault),
            false => write!(f, "{}, as {}: {}", self.sku, self.channel_sku, self.fault),
        }
    }
}

impl Fitness {
    /// What is wrong with a name, if anything.
    pub fn fault(&self, channel_sku: &str) -> Option<Fault> {
        if mutant!(UnfitIsSold) {
            return None;
        }
        if let Some(length_max) = self.length_max
            // No more characters than bytes.
            && channel_sku.len() > length_max
        {
            let length = channel_sku.chars().count();
            if length > length_max {
                return Some(Fault::TooLong { length, length_max });
            }
        }
        if self.forbidden.is_empty() {
            return None;
        }
        channel_sku.chars().find(|character| self.forbidden.contains(character)).map(Fault::Forbidden)
    }
}

/// The aliases of a channel, by SKU. Patterns and lists stay in its configuration.
#[derive(Debug)]
pub(super) struct Selection {
    aliases: HashMap<Sku, Vec<(Sku, Quantity)>>,
    taken: HashSet<Sku>,
}

impl Selection {
    pub fn new(config: &ChannelConfig) -> Self {
        let mut aliases: HashMap<Sku, Vec<(Sku, Quantity)>> = HashMap::new();
        for alias in &config.aliases {
            aliases.entry(alias.sku.clone()).or_default().push((alias.channel_sku.clone(), alias.pack));
        }
        let taken = config.aliases.iter().map(|alias| alias.channel_sku.clone()).collect();
        Self { aliases, taken }
    }

    pub fn includes(&self, assortment: &Assortment, sku: &Sku) -> bool {
        let Assortment { include, exclude, include_skus, exclude_skus } = assortment;
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| is_match(pattern, sku.as_str()));
        let everything = include.is_empty() && include_skus.is_empty();
        let included = everything || include_skus.binary_search(sku).is_ok() || matches(include);
        let excluded = || exclude_skus.binary_search(sku).is_ok() || matches(exclude);
        included && (mutant!(ExcludedIsSold) || !excluded())
    }

    /// Every name of a SKU, if it is sold here: with its pack, and what is wrong with it.
    pub fn each(&self, config: &ChannelConfig, sku: &Sku, mut name: impl FnMut(&Sku, Quantity, Option<Fault>)) {
        if !self.includes(&config.assortment, sku) {
            return;
        }
        match self.aliases.get(sku) {
            Some(aliases) => {
                for (channel_sku, pack) in aliases {
                    name(channel_sku, *pack, config.fitness.fault(channel_sku.as_str()));
                }
            }
            None if self.taken.contains(sku) => name(sku, Quantity::ONE, Some(Fault::Taken)),
            None => name(sku, Quantity::ONE, config.fitness.fault(sku.as_str())),
        }
    }

    pub fn place(&self, config: &ChannelConfig, key: &RowKey) -> Place {
        let mut place = Place::Not("not_in_assortment");
        self.each(config, &key.sku, |channel_sku, pack, fault| {
            if *channel_sku == key.channel_sku {
                place = fault.map_or(Place::Sold(pack), |fault| Place::Not(fault.reason()));
            }
        });
        place
    }
}

/// `*` is any text, also none; `?` is one character; everything else is itself. Upper and lower case differ.
pub fn is_match(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last `*`, and where its text begins: if it does not fit there, the star takes one character more.
    let mut star = None;
    loop {
        let from = text.clone();
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                star = Some((pattern.clone(), from.clone()));
                text = from;
            }
            (Some('?'), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            (None, None) => return true,
            _ => {
                let Some((rest_of_pattern, start)) = &mut star else { return false };
                if start.next().is_none() {
                    return false;
                }
                (pattern, text) = (rest_of_pattern.clone(), start.clone());
            }
        }
    }
}
