//! The `eventId`s of a source without numbers that were judged, for the stated time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::mutants::mutant;
use crate::stock::config::SourceConfig;
use crate::stock::event::Original;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub hash: u64,
    pub original: Original,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    by_id: HashMap<Arc<str>, Named, foldhash::fast::RandomState>,
    /// In the order they came.
    order: VecDeque<(Timestamp, Arc<str>)>,
}

impl Names {
    pub fn get(&self, event_id: &str) -> Option<&Named> {
        if mutant!(EventIdForgotten) {
            return None;
        }
        self.by_id.get(event_id)
    }

    /// One that is there already stays as it is.
    pub fn put(&mut self, event_id: &str, at: Timestamp, hash: u64, original: Original, limits: &SourceConfig) {
        if self.by_id.contains_key(event_id) {
            return;
        }
        // What may come again within the window can be as old as the window and as far ahead as clocks may be apart.
        let oldest = at.minus(limits.dedupe_window).minus(limits.skew_max);
        while self.order.front().is_some_and(|(first, _)| *first < oldest || self.order.len() >= limits.dedupe_max) {
            if let Some((_, gone)) = self.order.pop_front() {
                self.by_id.remove(&gone);
            }
        }
        let event_id: Arc<str> = event_id.into();
        self.order.push_back((at, event_id.clone()));
        self.by_id.insert(event_id, Named { hash, original });
    }

    /// Of a change as old as this, nobody can say any more whether it came before.
    pub fn horizon(&self, now: Timestamp, limits: &SourceConfig) -> Timestamp {
        let window = now.minus(limits.dedupe_window);
        match self.order.front() {
            // Some had to go early; they came before the oldest that is left.
            Some((oldest, _)) if self.order.len() >= limits.dedupe_max => window.max(oldest.plus(limits.skew_max)),
            _ => window,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::ids::SourceId;
    use crate::stock::event::Verdict;

    const APPLIED: Original = Original { verdict: Verdict::Applied, reason: None, change_id: None };

    #[test]
    fn event_ids_are_kept_for_the_window_and_as_many_as_are_allowed() {
        let limits = SourceConfig {
            dedupe_window: Duration::from_millis(1000),
            skew_max: Duration::from_millis(100),
            dedupe_max: 3,
            ..SourceConfig::named(SourceId::new("shop").unwrap())
        };
        let mut names = Names::default();
        names.put("a", Timestamp(10_000), 1, APPLIED, &limits);
        names.put("a", Timestamp(10_500), 2, APPLIED, &limits);
        assert_eq!(names.get("a").map(|named| named.hash), Some(1));
        names.put("b", Timestamp(11_100), 1, APPLIED, &limits);
        assert!(names.get("a").is_some(), "the window, and as far as clocks may be apart");
        assert_eq!(names.horizon(Timestamp(11_100), &limits), Timestamp(10_100));
        names.put("c", Timestamp(11_101), 1, APPLIED, &limits);
        assert!(names.get("a").is_none());
        names.put("d", Timestamp(11_102), 1, APPLIED, &limits);
        names.put("e", Timestamp(11_103), 1, APPLIED, &limits);
        assert!(names.get("b").is_none(), "the oldest makes room");
        assert_eq!(
            names.horizon(Timestamp(11_103), &limits),
            Timestamp(11_201),
            "what went early is not known to be new"
        );
        assert_eq!(names.order.iter().map(|(_, event_id)| &**event_id).collect::<Vec<_>>(), ["c", "d", "e"]);
    }
}
