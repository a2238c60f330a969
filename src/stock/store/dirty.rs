//! What changed since the store was last written: the newest of each row, however often it changed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::clock::Timestamp;
use crate::domain::change::{Epoch, Measure, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::journal::Position;
use crate::stock::event::{Batch, Event, Original, Row, Trace};

/// Numbers of a source that are kept with what was said to them: one more than are remembered, so that whoever reads them
/// sees that there were others before.
pub const NUMBERS_KEPT: usize = 10_001;

type Fast<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
pub struct Dirty {
    /// Who said it when, and what. `None`: it is gone.
    pub rows: Fast<RowKey, (SourceId, Timestamp, Option<Row>)>,
    /// The SKU's place in the change log.
    pub log: Fast<Sku, (u64, bool)>,
    pub sources: Fast<SourceId, DirtySource>,
    /// All that the journal says up to here is in it, or was written before.
    pub position: Position,
}

#[derive(Debug, Default)]
pub struct DirtySource {
    /// When it last said something.
    pub heard: Option<Timestamp>,
    /// When anything last happened to it.
    pub at: Timestamp,
    /// It counts anew: what was written of its numbers before goes.
    pub anew: bool,
    pub epochs: Vec<(Epoch, u64)>,
    pub position: Option<u64>,
    pub missed: Option<u64>,
    /// With since when each is so.
    pub gap: Option<(Timestamp, u64, u64)>,
    pub unbegun: Option<(Timestamp, Epoch)>,
    pub uncovered: Option<(Timestamp, u64)>,
    /// With when each was said.
    pub complete: BTreeMap<(LocationId, Measure), (Timestamp, u64)>,
    pub numbers: VecDeque<Numbered>,
    pub names: Vec<NamedAt>,
}

/// When an `eventId` was judged, and what was said.
pub type NamedAt = (Timestamp, Box<str>, u64, Original);

#[derive(Debug)]
pub struct Numbered {
    pub sequence: u64,
    pub hash: u64,
    pub original: Original,
    pub trace: Option<Trace>,
}

impl Dirty {
    /// Takes in what is durable by now. In the order of the journal.
    pub fn take(&mut self, batch: Batch, end: Position) {
        self.position = end;
        let Batch { source, at, events } = batch;
        if !self.sources.contains_key(&source) {
            self.sources.insert(source.clone(), DirtySource::default());
        }
        let Some(of_source) = self.sources.get_mut(&source) else { return };
        if events.iter().any(Event::is_heard) {
            of_source.heard = of_source.heard.max(Some(at));
        }
        of_source.at = of_source.at.max(at);
        for event in events {
            match event {
                Event::Row { key, row } => {
                    self.rows.insert(key, (source.clone(), at, row));
                }
                Event::Logged { sku, id, urgent, .. } => {
                    self.log.insert(sku, (id, urgent));
                }
                Event::Numbered { sequence, hash, original, trace } => {
                    of_source.position = Some(sequence);
                    of_source.numbers.push_back(Numbered { sequence, hash, original, trace });
                    if of_source.numbers.len() > NUMBERS_KEPT {
                        of_source.numbers.pop_front();
                    }
                }
                Event::Named { event_id, hash, original } => of_source.names.push((at, event_id, hash, original)),
                Event::Position { sequence } => of_source.position = Some(sequence),
                Event::Epoch { epoch, sequence } => {
                    of_source.anew = true;
                    of_source.epochs.push((epoch, sequence));
                    of_source.position = None;
                    of_source.missed = None;
                    of_source.gap = None;
                    of_source.unbegun = None;
                    of_source.uncovered = None;
                    of_source.numbers.clear();
                }
                Event::Unbegun { epoch, since } => of_source.unbegun = Some((since, epoch)),
                Event::Gap { after, seen, since } => of_source.gap = Some((since, after, seen)),
                Event::Uncovered { up_to, since } => of_source.uncovered = Some((since, up_to)),
                Event::Heard => {}
                Event::Missed { before } => of_source.missed = of_source.missed.max(Some(before)),
                Event::Complete { location, measure, sequence } => {
                    of_source.complete.insert((location, measure), (at, sequence));
                }
            }
        }
    }

    /// How much there is to write, in rows of some kind.
    pub fn len(&self) -> usize {
        let of_sources = self.sources.values().map(|source| source.names.len() + 1);
        self.rows.len() + self.log.len() + of_sources.sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Room for no more than so many of each is kept.
    pub fn shrink_to(&mut self, rows: usize) {
        self.rows.shrink_to(rows);
        self.log.shrink_to(rows);
    }
}
