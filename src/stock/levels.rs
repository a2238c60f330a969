//! Current figures, as readers see them: one writer, many readers who never wait for the disk.
//!
//! Levels lie by SKU, a page's line is one probe: all its locations and measures stand side by side, 32 bytes each. One
//! lock over all of it is held for the memory writes of one request, and by a page while it reads its lines: so a request
//! is seen whole or not at all, and a page sees one state. What a snapshot restates is prepared in a second table of its
//! (location, measure), in small steps, and shown by turning a bit.
//!
//! Owns nothing durable: it is the fold of events. Tested against a map that does the same naively, and by readers
//! beside a writer.

mod cell;
mod places;
mod shard;
mod sums;
mod view;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

use parking_lot::RwLock;

use self::cell::Plane;
use self::places::{Complete, Places};
pub use self::places::{Doubt, Standing};
use self::shard::{Found, Put, Shard};
pub use self::view::{Coming, Figures, Net, Told, View};
use super::config::StockConfig;
use super::event::{Batch, Event, Row};
use super::parts::part_of;
use crate::clock::Timestamp;
use crate::domain::change::{Measure, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::mutants::mutant;

/// The ledger's figures.
#[derive(Debug)]
pub struct Levels {
    /// Not a lock per shard: a page must see one state, and a request is written in microseconds.
    root: RwLock<Root>,
}

#[derive(Debug)]
struct Root {
    places: Places,
    shards: Box<[Shard]>,
    levels: usize,
    hasher: foldhash::fast::RandomState,
}

/// Many small ones: what grows is at most this part of all, so nobody waits for it long.
const SHARDS: usize = 1024;

impl Root {
    fn find(&self, sku: &str) -> Option<Found<'_>> {
        let hash = self.hasher.hash_one(sku);
        self.shards[shard_of(hash)].find(hash, sku)
    }

    fn put(&mut self, key: &RowKey, row: Option<&Row>, source: u16, at: Timestamp, staged: bool) {
        let place = self.places.place(&key.location);
        let plane = self.places.places[place as usize].plane_mut(key.measure);
        if !staged {
            plane.heard = true;
            plane.told_by = Some(source);
        }
        let plane = Plane::new(key.measure, plane.second != staged);
        let hash = self.hasher.hash_one(key.sku.as_str());
        let put = Put { hash, sku: &key.sku, place, plane, name: &key.row, row, source, at };
        let hasher = &self.hasher;
        self.levels += self.shards[shard_of(hash)].put(&put, |sku| hasher.hash_one(sku));
    }

    fn apply(&mut self, source: u16, at: Timestamp, event: &Event) {
        match event {
            Event::Row { key, row } => self.put(key, row.as_ref(), source, at, false),
            Event::Complete { location, measure, sequence } => {
                let place = self.places.place(location);
                let plane = self.places.places[place as usize].plane_mut(*measure);
                plane.complete = Some(Complete { source, sequence: *sequence });
            }
            Event::Missed { before } => {
                let state = &mut self.places.sources[usize::from(source)];
                state.missed_before = state.missed_before.max(*before);
            }
            // All the source owns is stated anew under these numbers.
            Event::Epoch { .. } => self.places.sources[usize::from(source)].missed_before = 0,
            Event::Logged { .. }
            | Event::Numbered { .. }
            | Event::Named { .. }
            | Event::Position { .. }
            | Event::Unbegun { .. }
            | Event::Gap { .. }
            | Event::Uncovered { .. }
            | Event::Heard => {}
        }
    }
}

fn shard_of(hash: u64) -> usize {
    part_of(hash, SHARDS)
}

impl AsRef<Levels> for Levels {
    fn as_ref(&self) -> &Levels {
        self
    }
}

impl Levels {
    /// `started`: nobody counts as silent for a time they could not be heard in.
    pub fn new(config: &StockConfig, started: Timestamp) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let places = Places::new(config, started);
        Self { root: RwLock::new(Root { places, shards, levels: 0, hasher: foldhash::fast::RandomState::default() }) }
    }

    /// Takes in all that one request did: seen whole or not at all.
    pub fn apply(&self, batch: &Batch) {
        self.take(&batch.source, batch.at, &batch.events, None);
    }

    /// The same, with how the source stands from then on.
    pub fn apply_with(&self, batch: &Batch, standing: Standing) {
        self.take(&batch.source, batch.at, &batch.events, Some(standing));
    }

    fn take(&self, source: &SourceId, at: Timestamp, events: &[Event], standing: Option<Standing>) {
        let mut root = self.root.write();
        let number = root.places.source(source);
        for event in events {
            if mutant!(HalfARequestIsSeen) {
                parking_lot::RwLockWriteGuard::unlocked(&mut root, std::thread::yield_now);
            }
            root.apply(number, at, event);
        }
        let state = &mut root.places.sources[usize::from(number)].standing;
        *state = standing.unwrap_or(Standing { last_heard: state.last_heard.max(Some(at)), ..*state });
    }

    /// How the source stands, where no figure moved.
    pub fn note(&self, source: &SourceId, standing: Standing) {
        self.root.write().places.state(source).standing = standing;
    }

    /// One state of all of it. To be held for the reading of one page.
    pub fn view(&self, now: Timestamp) -> View<'_> {
        View { root: self.root.read(), now }
    }

    /// How many levels there are.
    pub fn len(&self) -> usize {
        self.root.read().levels
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row as it was last said.
    pub fn row(&self, key: &RowKey) -> Option<Row> {
        let root = self.root.read();
        let place = root.places.find(&key.location)?;
        let found = root.find(key.sku.as_str())?;
        let cell = found.cell(place, root.places.places[place as usize].current(key.measure))?;
        found.row(cell, &key.row)
    }

    /// The SKU as it is kept here, if it is: one text for all who name it.
    pub fn sku(&self, sku: &str) -> Option<Sku> {
        self.root.read().find(sku).map(|found| found.sku.clone())
    }

    /// Whether anything was ever said of the level the row is part of.
    pub fn has_level(&self, key: &RowKey) -> bool {
        let root = self.root.read();
        let level = || {
            let place = root.places.find(&key.location)?;
            root.find(key.sku.as_str())?.cell(place, root.places.places[place as usize].current(key.measure))
        };
        level().is_some()
    }

    /// Whether the location is known, or there are fewer than so many.
    pub fn has_room_for(&self, location: &LocationId, most: usize) -> bool {
        let places = &self.root.read().places;
        places.places.len() < most || places.find(location).is_some()
    }

    /// How many rows of the row's level are kept apart.
    pub fn named_rows(&self, key: &RowKey) -> usize {
        let root = self.root.read();
        let rows = || {
            let place = root.places.find(&key.location)?;
            let found = root.find(key.sku.as_str())?;
            let cell = found.cell(place, root.places.places[place as usize].current(key.measure))?;
            Some(found.apart(cell).len())
        };
        rows().unwrap_or(0)
    }

    /// Whether an absent row of it is zero.
    pub fn is_complete(&self, location: &LocationId, measure: Measure) -> bool {
        self.view(Timestamp::default()).is_complete(location, measure)
    }

    /// Goes through all rows, a small part at a time: each part is one state, all of them together are not.
    pub fn for_each(&self, mut each: impl FnMut(&Told, &SourceId)) {
        for shard in 0..SHARDS {
            let view = self.view(Timestamp::default());
            for found in view.root.shards[shard].all() {
                view.rows_of(found, &mut |told, source| {
                    each(&told, &view.root.places.sources[usize::from(source)].name)
                });
            }
        }
    }

    /// Takes in a snapshot that states all of these: seen whole or not at all. Only the writer calls this.
    ///
    /// Few rows are written while readers wait, as those of a request are. For many a second table of each (location, measure)
    /// is prepared in small steps, and then they change places.
    pub fn restate(&self, batch: &Batch, planes: &[(LocationId, Measure)], standing: Standing) {
        if batch.events.len() <= RESTATED_AT_ONCE {
            return self.apply_with(batch, standing);
        }
        let mut measures: HashMap<&LocationId, [bool; Measure::ALL.len()]> = HashMap::new();
        for (location, measure) in planes {
            measures.entry(location).or_default()[*measure as usize - 1] = true;
        }
        let is_staged = |key: &RowKey| measures.get(&key.location).is_some_and(|of| of[key.measure as usize - 1]);
        self.sweep(planes);
        let mut rows = Vec::new();
        for shard in 0..SHARDS {
            let view = self.view(Timestamp::default());
            for found in view.root.shards[shard].all() {
                view.rows_of(found, &mut |told, _| {
                    if is_staged(&told.key) {
                        rows.push((told.key, Some(told.row)));
                    }
                });
            }
            drop(view);
            self.stage(batch, &mut rows);
        }
        for event in &batch.events {
            if let Event::Row { key, row } = event
                && is_staged(key)
            {
                rows.push((key.clone(), row.clone()));
                if rows.len() == STAGED_AT_ONCE {
                    self.stage(batch, &mut rows);
                }
            }
        }
        self.stage(batch, &mut rows);
        let others: Vec<&Event> = batch
            .events
            .iter()
            .filter(|event| match event {
                Event::Row { key, .. } => !is_staged(key),
                Event::Logged { .. } => false,
                _ => true,
            })
            .collect();
        let mut root = self.root.write();
        let source = root.places.source(&batch.source);
        for (location, measure) in planes {
            let place = root.places.place(location);
            let plane = root.places.places[place as usize].plane_mut(*measure);
            plane.second = !plane.second;
            plane.heard = true;
            plane.told_by = Some(source);
        }
        others.into_iter().for_each(|event| root.apply(source, batch.at, event));
        root.places.sources[usize::from(source)].standing = standing;
        drop(root);
        self.sweep(planes);
    }

    /// Nobody reads these yet.
    fn stage(&self, batch: &Batch, rows: &mut Vec<(RowKey, Option<Row>)>) {
        let mut rows = rows.drain(..).peekable();
        while rows.peek().is_some() {
            let mut root = self.root.write();
            let source = root.places.source(&batch.source);
            rows.by_ref()
                .take(STAGED_AT_ONCE)
                .for_each(|(key, row)| root.put(&key, row.as_ref(), source, batch.at, true));
        }
    }

    /// Frees what is not read of these: the tables a snapshot replaced.
    fn sweep(&self, planes: &[(LocationId, Measure)]) {
        let unread: HashSet<(u32, Plane)> = {
            let places = &self.root.read().places;
            let find = |(location, measure): &(LocationId, Measure)| {
                let place = places.find(location)?;
                Some((place, places.places[place as usize].current(*measure).other()))
            };
            planes.iter().filter_map(find).collect()
        };
        for shard in 0..SHARDS {
            let mut root = self.root.write();
            let gone = root.shards[shard].clear(&unread);
            root.levels -= gone;
        }
    }
}

/// Rows prepared while readers wait: some 50 µs.
const STAGED_AT_ONCE: usize = 64;

/// What a snapshot did that is written while readers wait, in events: a few milliseconds.
const RESTATED_AT_ONCE: usize = 4096;

#[cfg(test)]
mod tests;
