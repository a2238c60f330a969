//! Rows read back, as the events that made them.

use std::collections::HashMap;

use super::keys::*;
use super::{Store, StoreError};
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::domain::change::{Epoch, Measure, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::journal::pack::Unpacker;
use crate::stock::event::{Batch, Event};
use crate::stock::pack::{self, Unpacking};

impl Store {
    /// Everything that is kept, as events: sources first, then their rows, then the places of the change log.
    pub fn load(&mut self, mut each: impl FnMut(&Batch)) -> Result<(), StoreError> {
        let mut names = Unpacking::default();
        self.load_sources(&mut names, &mut each)?;
        let mut batch = None;
        for row in self.rows.iter() {
            let (key, value) = row.into_inner()?;
            let (source, at, event) = read_row(&key, &value, &mut names).ok_or(StoreError::Damaged("a row"))?;
            one(&mut batch, source, at, event, &mut each);
        }
        // The change log is everybody's: whose the batch is does not matter.
        let anybody = batch.as_ref().map(|batch: &Batch| batch.source.clone());
        for row in self.log.iter() {
            let (key, value) = row.into_inner()?;
            let (source, event) = anybody
                .clone()
                .zip(read_logged(&key, &value))
                .ok_or(StoreError::Damaged("a place in the change log"))?;
            one(&mut batch, source, Timestamp::default(), event, &mut each);
        }
        Ok(())
    }

    fn load_sources(&mut self, unpacking: &mut Unpacking, each: &mut impl FnMut(&Batch)) -> Result<(), StoreError> {
        let mut batches: HashMap<SourceId, Batch> = HashMap::new();
        // What was said last of their numbers, with its own time.
        let mut marks = Vec::new();
        for row in self.sources.iter() {
            let (key, value) = row.into_inner()?;
            let mut read = || {
                let (source, rest) = split(&key)?;
                let source = unpacking.source(source)?;
                let at = Timestamp::default();
                let batch = batches.entry(source.clone()).or_insert(Batch { source, at, events: Vec::new() });
                let (&kind, rest) = rest.split_first()?;
                let mut from = Unpacker(&value);
                if kind == EPOCH {
                    let kept = self.kept.entry(batch.source.clone()).or_default();
                    kept.epochs = u64::from_be_bytes(rest.try_into().ok()?) + 1;
                }
                if kind == MISSED {
                    self.kept.entry(batch.source.clone()).or_default().missed = Unpacker(&value).number()?;
                }
                batch.events.push(match kind {
                    EPOCH => Event::Epoch { epoch: Epoch::new(from.name()?).ok()?, sequence: from.number()? },
                    MISSED => Event::Missed { before: from.number()? },
                    SEQUENCE => Event::Position { sequence: from.number()? },
                    COMPLETE => {
                        let (location, measure) = split(rest)?;
                        let location = unpacking.location(location)?;
                        let measure = *Measure::ALL.get(usize::from(*measure.first()?).checked_sub(1)?)?;
                        let at = Timestamp(from.signed()?);
                        let event = Event::Complete { location, measure, sequence: from.number()? };
                        marks.push(Batch { source: batch.source.clone(), at, events: vec![event] });
                        return Some(());
                    }
                    HEARD => {
                        batch.at = Timestamp(from.signed()?);
                        return Some(());
                    }
                    GAP | UNBEGUN | UNCOVERED => {
                        let since = Timestamp(from.signed()?);
                        let event = match kind {
                            GAP => Event::Gap { after: from.number()?, seen: from.number()?, since },
                            UNBEGUN => Event::Unbegun { epoch: Epoch::new(from.name()?).ok()?, since },
                            _ => Event::Uncovered { up_to: from.number()?, since },
                        };
                        marks.push(Batch { source: batch.source.clone(), at: since, events: vec![event] });
                        return Some(());
                    }
                    _ => return None,
                });
                Some(())
            };
            read().ok_or(StoreError::Damaged("a source"))?;
        }
        for (source, mut batch) in batches {
            let mut numbers = Vec::new();
            self.load_numbers(&source, unpacking, &mut numbers)?;
            batch.events.append(&mut numbers);
            // Its epochs first: each begins with nothing. Where it is last: a number is beyond those before it.
            batch.events.sort_by_key(|event| match event {
                Event::Epoch { .. } => 0,
                Event::Position { .. } => 2,
                _ => 1,
            });
            each(&batch);
            self.load_names(&source, each)?;
        }
        marks.iter().for_each(each);
        Ok(())
    }

    fn load_numbers(
        &mut self,
        source: &SourceId,
        unpacking: &mut Unpacking,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        let kept = self.kept.entry(source.clone()).or_default();
        for row in self.numbers.prefix(prefix(source)) {
            let (key, value) = row.into_inner()?;
            let before = events.len();
            let mut from = Unpacker(&value);
            let mut read = || {
                let chunk = u64::from_be_bytes(split(&key)?.1.try_into().ok()?);
                while !from.is_empty() {
                    events.push(read_numbered(&mut from, unpacking)?);
                }
                kept.chunks.push_back((chunk, events.len() - before));
                Some(())
            };
            read().ok_or(StoreError::Damaged("a source's numbers"))?;
            kept.numbers += events.len() - before;
            kept.newest = value.to_vec();
        }
        Ok(())
    }

    fn load_names(&mut self, source: &SourceId, each: &mut impl FnMut(&Batch)) -> Result<(), StoreError> {
        let kept = self.kept.entry(source.clone()).or_default();
        let mut batch = None;
        for row in self.names.prefix(prefix(source)) {
            let (key, value) = row.into_inner()?;
            let read = || {
                let (at, event_id) = split(&key)?.1.split_first_chunk()?;
                let mut from = Unpacker(&value);
                let event_id = std::str::from_utf8(event_id).ok()?.into();
                let event = Event::Named { event_id, hash: from.number()?, original: pack::original(&mut from)? };
                Some((Timestamp(sortable_time(*at)), event))
            };
            let (at, event) = read().ok_or(StoreError::Damaged("an eventId"))?;
            kept.names += 1;
            one(&mut batch, source.clone(), at, event, each);
        }
        Ok(())
    }
}

/// Gives an event away in the batch of its source and time, which is used again.
fn one(batch: &mut Option<Batch>, source: SourceId, at: Timestamp, event: Event, each: &mut impl FnMut(&Batch)) {
    let batch = match batch {
        Some(batch) => batch,
        None => batch.insert(Batch { source: source.clone(), at, events: Vec::new() }),
    };
    batch.source = source;
    batch.at = at;
    batch.events.clear();
    batch.events.push(event);
    each(batch);
}

fn read_row(key: &[u8], value: &[u8], names: &mut Unpacking) -> Option<(SourceId, Timestamp, Event)> {
    let (sku, rest) = split(key)?;
    let (location, rest) = split(rest)?;
    let ([measure, kind], name) = rest.split_first_chunk()?;
    let measure = *Measure::ALL.get(usize::from(*measure).checked_sub(1)?)?;
    let row = RowId::new(std::str::from_utf8(name).ok()?).ok()?;
    let key = RowKey { sku: Sku::new(sku).ok()?, location: names.location(location)?, measure, row };
    let mut from = Unpacker(value);
    let source = names.source(from.name()?)?;
    let at = Timestamp(from.signed()?);
    let row = match *kind {
        LEVEL => None,
        ROW => Some(pack::row(&mut from, at)?),
        _ => return None,
    };
    from.is_empty().then_some((source, at, Event::Row { key, row }))
}

fn read_logged(key: &[u8], value: &[u8]) -> Option<Event> {
    let mut from = Unpacker(value);
    let sku = Sku::new(std::str::from_utf8(key).ok()?).ok()?;
    let id = from.number()?;
    Some(Event::Logged { sku, id, version: id, urgent: from.flag()? })
}

fn read_numbered(from: &mut Unpacker<'_>, unpacking: &mut Unpacking) -> Option<Event> {
    let (sequence, hash, original) = (pack::number(from)?, from.number()?, pack::original(from)?);
    Some(Event::Numbered { sequence, hash, original, trace: unpacking.trace(from, None)? })
}
