//! The last numbers of a source that were judged, so that a repetition is told from another change of the same number, and
//! a snapshot of an earlier number can have them laid over.

use std::collections::VecDeque;

use crate::mutants::mutant;
use crate::stock::event::{Original, Trace};

/// Numbers remembered of each source.
pub const NUMBERS_KEPT: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub sequence: u64,
    pub hash: u64,
    pub original: Original,
    pub trace: Option<Trace>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ring {
    /// By number, ascending.
    judged: VecDeque<Judged>,
    /// The numbers after this one that were judged are all in here.
    floor: u64,
}

impl Ring {
    /// Empty, as if all up to here was forgotten.
    pub fn from(floor: u64) -> Self {
        Self { judged: VecDeque::new(), floor }
    }

    /// One that is there already stays where it is.
    pub fn put(&mut self, judged: Judged) {
        if self.judged.back().is_none_or(|last| last.sequence < judged.sequence) {
            if self.judged.len() == NUMBERS_KEPT {
                let forgotten = self.judged.pop_front().map_or(0, |first| first.sequence);
                self.floor = self.floor.max(forgotten);
            }
            self.judged.push_back(judged);
        } else if let Ok(at) = self.judged.binary_search_by_key(&judged.sequence, |judged| judged.sequence) {
            self.judged[at] = judged;
        }
    }

    pub fn get(&self, sequence: u64) -> Option<&Judged> {
        if mutant!(NumbersForgotten) {
            return None;
        }
        let at = self.judged.binary_search_by_key(&sequence, |judged| judged.sequence).ok()?;
        Some(&self.judged[at])
    }

    /// What came up to here does not all lie in it, or never came at all.
    pub fn forget(&mut self, up_to: u64) {
        self.floor = self.floor.max(up_to);
    }

    /// The lowest number of a snapshot that can be brought up to now.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Those that a snapshot of this number does not hold yet.
    pub fn after(&self, sequence: u64) -> impl Iterator<Item = &Judged> {
        let from = if mutant!(SnapshotReplaysAll) { 0 } else { sequence };
        let at = self.judged.partition_point(|judged| judged.sequence <= from);
        self.judged.iter().skip(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock::event::Verdict;

    fn judged(sequence: u64) -> Judged {
        let original = Original { verdict: Verdict::Applied, reason: None, change_id: Some(sequence) };
        Judged { sequence, hash: sequence * 7, original, trace: None }
    }

    #[test]
    fn the_last_ten_thousand_are_kept_and_it_is_known_from_where_on() {
        let mut ring = Ring::default();
        (1..=NUMBERS_KEPT as u64).for_each(|number| ring.put(judged(3 * number)));
        assert_eq!((ring.floor(), ring.get(3).map(|judged| judged.hash), ring.get(4)), (0, Some(21), None));
        ring.put(judged(40_000));
        assert_eq!((ring.floor(), ring.get(3)), (3, None));
        ring.put(judged(3));
        assert_eq!((ring.floor(), ring.get(3)), (3, None), "what was forgotten stays forgotten");
        ring.put(judged(6));
        assert_eq!(ring.judged.len(), NUMBERS_KEPT);
        assert_eq!(ring.after(29_995).map(|judged| judged.sequence).collect::<Vec<_>>(), [29_997, 30_000, 40_000]);
        ring.forget(50_000);
        ring.put(judged(60_000));
        assert_eq!(ring.floor(), 50_000, "what was missed stays missed");
    }
}
