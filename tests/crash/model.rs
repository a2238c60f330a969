//! What a source sends, and what its levels are after so many changes.

use std::collections::{BTreeMap, BTreeSet};

/// Pseudo-random, from a seed (splitmix64).
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub const SKUS: u64 = 4;

/// A change of a source: the same for the same number, whenever it is sent.
#[derive(Clone, Debug)]
pub struct Told {
    pub sequence: u64,
    pub is_set: bool,
    pub sku: String,
    pub measure: &'static str,
    pub row: String,
    pub quantity: i64,
}

pub fn told(source: usize, sequence: u64) -> Told {
    let mut draw = Draw(sequence * 1009 + source as u64);
    let sku = format!("S{}", 1 + draw.below(SKUS));
    let (measure, row) = ("ON_HAND", String::new());
    match draw.below(10) {
        // What is added to is there first.
        _ if sequence <= SKUS => {
            Told { sequence, is_set: true, sku: format!("S{sequence}"), measure, row, quantity: 1000 }
        }
        0..6 => Told { sequence, is_set: false, sku, measure, row, quantity: draw.below(7) as i64 - 3 },
        6..8 => Told { sequence, is_set: true, sku, measure, row, quantity: draw.below(2000) as i64 },
        _ => {
            let row = format!("order-{}", draw.below(4));
            Told { sequence, is_set: true, sku, measure: "RESERVED", row, quantity: draw.below(4) as i64 }
        }
    }
}

pub type Levels = BTreeMap<(String, String, String), String>;

/// What the gateway says of a source.
#[derive(Debug)]
pub struct Held {
    pub last: u64,
    /// By SKU, measure and row.
    pub levels: Levels,
}

/// A source, and what it knows of what became of its changes.
pub struct Source {
    pub number: usize,
    /// Up to here it was told that they are durable.
    pub acknowledged: u64,
    /// The last numbers of requests it ever sent: a request is taken whole.
    pub ends: BTreeSet<u64>,
    /// After so many changes.
    figures: BTreeMap<(String, String, String), i64>,
    folded: u64,
}

impl Source {
    pub fn new(number: usize) -> Self {
        Self { number, acknowledged: 0, ends: BTreeSet::from([0]), figures: BTreeMap::new(), folded: 0 }
    }

    pub fn check(&mut self, held: &Held) -> Result<(), String> {
        let acknowledged = self.acknowledged;
        if held.last < acknowledged {
            return Err(format!("{acknowledged} was acknowledged, and it is at {}", held.last));
        }
        if !self.ends.contains(&held.last) {
            return Err(format!("it is at {}, in the middle of a request", held.last));
        }
        let expected = self.levels(held.last);
        if held.levels != expected {
            return Err(format!("at {} it holds {:?}, and should hold {expected:?}", held.last, held.levels));
        }
        self.acknowledged = held.last;
        // What was not taken is sent again, cut otherwise.
        self.ends = BTreeSet::from([held.last]);
        Ok(())
    }

    /// After all changes up to this one.
    pub fn levels(&mut self, last: u64) -> Levels {
        if last < self.folded {
            (self.figures, self.folded) = (BTreeMap::new(), 0);
        }
        for sequence in self.folded + 1..=last {
            let Told { is_set, sku, measure, row, quantity, .. } = told(self.number, sequence);
            let key = (sku, measure.to_owned(), row);
            let figure = self.figures.entry(key.clone()).or_insert(0);
            *figure = if is_set { quantity } else { *figure + quantity };
            if is_set && quantity == 0 && !key.2.is_empty() {
                self.figures.remove(&key);
            }
        }
        self.folded = last;
        self.figures.iter().map(|(key, quantity)| (key.clone(), quantity.to_string())).collect()
    }
}
