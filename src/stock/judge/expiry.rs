//! Which rows end by themselves, and when: orders that count for a time only, and what is remembered of removed rows.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Timestamp;
use crate::domain::change::RowKey;
use crate::domain::ids::SourceId;
use crate::stock::event::Event;

#[derive(Debug, Default)]
pub(super) struct Expiries {
    ends: HashMap<RowKey, (Timestamp, SourceId), foldhash::fast::RandomState>,
    order: BTreeSet<(Timestamp, RowKey)>,
}

impl Expiries {
    pub fn take(&mut self, source: &SourceId, event: &Event) {
        let Event::Row { key, row } = event else { return };
        let end = row.as_ref().and_then(|row| row.expires_at);
        if end.is_none() && self.ends.is_empty() {
            return;
        }
        if let Some((end, _)) = self.ends.remove(key) {
            self.order.remove(&(end, key.clone()));
        }
        if let Some(end) = end {
            self.ends.insert(key.clone(), (end, source.clone()));
            self.order.insert((end, key.clone()));
        }
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(end, _)| *end)
    }

    /// The first row that has ended, and who said it.
    pub fn ended(&self, now: Timestamp) -> Option<(RowKey, SourceId)> {
        let (end, key) = self.order.first()?;
        let (_, source) = self.ends.get(key)?;
        (*end <= now).then(|| (key.clone(), source.clone()))
    }
}
