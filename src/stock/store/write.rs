//! Rows written: the newest of each, and the place in the journal they correspond to, in one step.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fjall::{OwnedWriteBatch, PersistMode};

use super::dirty::{DirtySource, NamedAt, Numbered};
use super::keys::*;
use super::{Dirty, Kept, NUMBERS_KEPT, Store, StoreError};
use crate::clock::Timestamp;
use crate::domain::ids::SourceId;
use crate::journal::pack::Packer;
use crate::stock::config::SourceConfig;
use crate::stock::pack;

/// Numbers in one row: those that differ in these bits only.
const CHUNK_BITS: u32 = 8;

/// Left epochs of a source that are remembered.
const EPOCHS_KEPT_MAX: u64 = 1000;

/// Room made for what sources have besides rows: their positions, and their numbers by the chunk.
const SOURCES_ROOM: usize = 256;

impl Store {
    /// Writes all of it, and up to where in the journal that is, in one step. Durable when it returns; what is left is empty,
    /// with room for as much again.
    pub fn write(&mut self, dirty: &mut Dirty) -> Result<(), StoreError> {
        // Nothing is put twice: the engine does not say which of two would stay.
        let batch = OwnedWriteBatch::with_capacity(self.database.clone(), dirty.len() + SOURCES_ROOM);
        let mut batch = batch.durability(Some(PersistMode::SyncAll));
        let mut levels: HashMap<Vec<u8>, (Timestamp, Vec<u8>)> = HashMap::new();
        for (key, (source, at, row)) in dirty.rows.drain() {
            let mut value = Packer::default();
            value.name(source.as_str());
            value.signed(at.0);
            match row {
                Some(row) => {
                    pack::pack_row(&mut value, &row, at);
                    batch.insert(&self.rows, row_key(&key), value.0);
                }
                None => {
                    batch.remove(&self.rows, row_key(&key));
                    let newest = levels.entry(level_key(&key)).or_default();
                    if newest.1.is_empty() || newest.0 <= at {
                        *newest = (at, value.0);
                    }
                }
            }
        }
        for (key, (_, value)) in levels {
            batch.insert(&self.rows, key, value);
        }
        for (sku, (id, urgent)) in dirty.log.drain() {
            let mut value = Packer::default();
            value.number(id);
            value.byte(u8::from(urgent));
            batch.insert(&self.log, sku.as_str(), value.0);
        }
        for (source, changed) in dirty.sources.drain() {
            self.write_source(&mut batch, &source, changed)?;
        }
        let mut position = Packer::default();
        position.number(dirty.position.segment);
        position.number(dirty.position.at);
        batch.insert(&self.meta, "position", position.0);
        Ok(batch.commit()?)
    }

    fn write_source(
        &mut self,
        batch: &mut OwnedWriteBatch,
        source: &SourceId,
        changed: DirtySource,
    ) -> Result<(), StoreError> {
        let prefix = prefix(source);
        let mut kept = self.kept.remove(source).unwrap_or_default();
        let key = |kind: u8, rest: &[u8]| [&prefix, &[kind][..], rest].concat();
        if let Some(heard) = changed.heard {
            batch.insert(&self.sources, key(HEARD, b""), heard.0.to_le_bytes());
        }
        let mut chunks: BTreeMap<u64, Option<Vec<u8>>> = BTreeMap::new();
        if changed.anew {
            chunks.extend(kept.chunks.drain(..).map(|(chunk, _)| (chunk, None)));
            kept.newest.clear();
            kept.numbers = 0;
            kept.missed = 0;
        }
        for (epoch, sequence) in changed.epochs {
            let mut value = Packer::default();
            value.name(epoch.as_str());
            value.number(sequence);
            batch.insert(&self.sources, key(EPOCH, &kept.epochs.to_be_bytes()), value.0);
            if let Some(oldest) = kept.epochs.checked_sub(EPOCHS_KEPT_MAX) {
                batch.remove(&self.sources, key(EPOCH, &oldest.to_be_bytes()));
            }
            kept.epochs += 1;
        }
        kept.missed = kept.missed.max(changed.missed.unwrap_or(0));
        let missed = changed.missed.map(|_| kept.missed);
        for (kind, value) in [(SEQUENCE, changed.position), (MISSED, missed)] {
            match value {
                Some(value) => batch.insert(&self.sources, key(kind, b""), value.to_le_bytes()),
                None if changed.anew => batch.remove(&self.sources, key(kind, b"")),
                None => {}
            }
        }
        let mark = |at: Timestamp, pack: &dyn Fn(&mut Packer)| {
            let mut value = Packer::default();
            value.signed(at.0);
            pack(&mut value);
            value.0
        };
        let gap = changed.gap.map(|(at, after, seen)| {
            mark(at, &|value| {
                value.number(after);
                value.number(seen);
            })
        });
        let unbegun = changed.unbegun.map(|(at, epoch)| mark(at, &|value| value.name(epoch.as_str())));
        let uncovered = changed.uncovered.map(|(at, up_to)| mark(at, &|value| value.number(up_to)));
        for (kind, value) in [(GAP, gap), (UNBEGUN, unbegun), (UNCOVERED, uncovered)] {
            match value {
                Some(value) => batch.insert(&self.sources, key(kind, b""), value),
                None if changed.anew => batch.remove(&self.sources, key(kind, b"")),
                None => {}
            }
        }
        for ((location, measure), (at, sequence)) in changed.complete {
            let of = [location.as_str().as_bytes(), &[0, measure as u8]].concat();
            batch.insert(&self.sources, key(COMPLETE, &of), mark(at, &|value| value.number(sequence)));
        }
        kept.number(&changed.numbers, &mut chunks);
        for (chunk, value) in chunks {
            let key = [&prefix, &chunk.to_be_bytes()[..]].concat();
            match value {
                Some(value) => batch.insert(&self.numbers, key, value),
                None => batch.remove(&self.numbers, key),
            }
        }
        self.write_names(batch, source, &prefix, &mut kept, changed.names, changed.at)?;
        self.kept.insert(source.clone(), kept);
        Ok(())
    }

    fn write_names(
        &self,
        batch: &mut OwnedWriteBatch,
        source: &SourceId,
        prefix: &[u8],
        kept: &mut Kept,
        names: Vec<NamedAt>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let config = self.config.sources.iter().find(|config| config.name == *source);
        let default = SourceConfig::named(source.clone());
        let SourceConfig { dedupe_window, dedupe_max, skew_max, .. } = config.unwrap_or(&default);
        for (at, event_id, hash, original) in names {
            let mut value = Packer::default();
            value.number(hash);
            pack::pack_original(&mut value, &original);
            batch.insert(&self.names, [prefix, &sortable(at), event_id.as_bytes()].concat(), value.0);
            kept.names += 1;
        }
        if kept.names == 0 {
            return Ok(());
        }
        // What may come again within the window can be as old as that, and as far ahead as clocks may be apart.
        let forgotten = now.minus(*dedupe_window).minus(*skew_max);
        // Those that were just put are not seen here yet: they go the next time, if there are more of them than may be.
        for row in self.names.prefix(prefix) {
            let key = row.key()?;
            let at = split(&key).and_then(|(_, rest)| rest.first_chunk()).map(|at| Timestamp(sortable_time(*at)));
            if kept.names <= *dedupe_max && at.is_none_or(|at| at >= forgotten) {
                break;
            }
            batch.remove(&self.names, key);
            kept.names -= 1;
        }
        Ok(())
    }
}

impl Kept {
    /// Appends numbers to the newest chunk and begins others; the oldest go (`None`). What is written is put into `chunks`.
    fn number(&mut self, numbers: &VecDeque<Numbered>, chunks: &mut BTreeMap<u64, Option<Vec<u8>>>) {
        let mut numbers = numbers.iter().peekable();
        while let Some(first) = numbers.peek() {
            let chunk = first.sequence >> CHUNK_BITS;
            if self.chunks.back().is_none_or(|(newest, _)| *newest != chunk) {
                self.chunks.push_back((chunk, 0));
                self.newest.clear();
            }
            let mut value = Packer(std::mem::take(&mut self.newest));
            let mut count = 0;
            while let Some(number) = numbers.next_if(|number| number.sequence >> CHUNK_BITS == chunk) {
                pack_numbered(&mut value, number);
                count += 1;
            }
            chunks.insert(chunk, Some(value.0.clone()));
            self.newest = value.0;
            self.numbers += count;
            if let Some((_, held)) = self.chunks.back_mut() {
                *held += count;
            }
        }
        while let Some(&(chunk, held)) = self.chunks.front()
            && self.numbers - held >= NUMBERS_KEPT
        {
            chunks.insert(chunk, None);
            self.numbers -= held;
            self.chunks.pop_front();
        }
    }
}

fn pack_numbered(out: &mut Packer, number: &Numbered) {
    out.short(u128::from(number.sequence));
    out.number(number.hash);
    pack::pack_original(out, &number.original);
    pack::pack_trace(out, number.trace.as_ref(), None);
}
