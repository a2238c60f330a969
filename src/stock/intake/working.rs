//! Figures as the judge works on them: those that are visible, and over them what the round did that is not yet durable.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::domain::change::{Measure, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::stock::event::{Event, Row};
use crate::stock::levels::{Levels, Net, Told};

/// Locations there may be: a page looks at each of them.
pub const PLACES_MAX: usize = 10_000;

/// Of one SKU at one location: the rows the round changed, in order.
type Changed = Vec<(Measure, RowId, Option<Row>)>;

#[derive(Debug)]
pub struct Working<'a> {
    levels: &'a Levels,
    room: Room,
    /// Levels nobody had ever heard of.
    new_levels: usize,
    next_id: u64,
}

/// The tables of a round, to be used again by the next.
#[derive(Debug, Default)]
pub struct Room {
    changed: HashMap<(Sku, LocationId), Changed, foldhash::fast::RandomState>,
    /// What the request that is judged moved.
    moved: HashMap<Sku, Moved, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Moved {
    /// Its place in the change log from now on.
    id: u64,
    locations: Vec<LocationId>,
}

impl<'a> Working<'a> {
    pub fn new(levels: &'a Levels, next_id: u64) -> Self {
        Self::within(Room::default(), levels, next_id)
    }

    pub fn within(room: Room, levels: &'a Levels, next_id: u64) -> Self {
        Self { levels, room, new_levels: 0, next_id }
    }

    /// Empty again.
    pub fn into_room(self) -> Room {
        let mut room = self.room;
        room.changed.clear();
        room.moved.clear();
        room
    }

    /// The row as it stands. `None`: there is none.
    pub fn row(&self, key: &RowKey) -> Option<Row> {
        match self.changed_row(key) {
            Some(row) => row.clone(),
            None => self.levels.row(key),
        }
    }

    /// Whether anything was ever said of the level the row is part of.
    pub fn has_level(&self, key: &RowKey) -> bool {
        let changed = self.changed_of(&key.sku, &key.location);
        changed.is_some_and(|rows| rows.iter().any(|(measure, ..)| *measure == key.measure))
            || self.levels.has_level(key)
    }

    pub fn is_complete(&self, location: &LocationId, measure: Measure) -> bool {
        self.levels.is_complete(location, measure)
    }

    /// Goes through all rows that readers see: without what the round did.
    pub fn for_each_visible(&self, each: impl FnMut(&Told, &SourceId)) {
        self.levels.for_each(each);
    }

    /// Whether a level there would not make one location too many.
    pub fn has_room_for(&self, location: &LocationId) -> bool {
        self.levels.has_room_for(location, PLACES_MAX)
    }

    /// How many named rows the row's level has, about: those that the round took away count too.
    pub fn rows_of(&self, key: &RowKey) -> usize {
        let changed = self.changed_of(&key.sku, &key.location).map_or(&[][..], Vec::as_slice);
        self.levels.named_rows(key) + changed.iter().filter(|(measure, ..)| *measure == key.measure).count()
    }

    /// How many levels there are.
    pub fn levels(&self) -> usize {
        self.levels.len() + self.new_levels
    }

    /// The row is this from now on; `None`: it is gone.
    pub fn put(&mut self, key: &RowKey, row: Option<Row>) {
        if !self.has_level(key) {
            self.new_levels += 1;
        }
        let rows = self.room.changed.entry((key.sku.clone(), key.location.clone())).or_default();
        match find(rows, key) {
            Ok(at) => rows[at].2 = row,
            Err(at) => {
                // Mostly there is one.
                if rows.len() == rows.capacity() {
                    rows.reserve_exact(rows.len() / 2 + 1);
                }
                rows.insert(at, (key.measure, key.row.clone(), row));
            }
        }
    }

    /// A figure moved. Gives the change's id: the SKU's place in the change log, one for all that a request does to it.
    pub fn moved(&mut self, key: &RowKey) -> u64 {
        if let Some(moved) = self.room.moved.get_mut(&key.sku) {
            if !moved.locations.contains(&key.location) {
                moved.locations.push(key.location.clone());
            }
            return moved.id;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.room.moved.insert(key.sku.clone(), Moved { id, locations: vec![key.location.clone()] });
        id
    }

    /// Appends the places of what the request moved, and begins with the next. Urgent is a SKU of which nothing is left
    /// where something moved, also if nothing was left before: what overtook once must not fall back by moving again.
    pub fn log(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let mut moved: Vec<(Sku, Moved)> = self.room.moved.drain().collect();
        // As the change log wants them.
        moved.sort_unstable_by_key(|(_, moved)| moved.id);
        for (sku, Moved { id, locations }) in moved {
            let is_empty = |net| matches!(net, Net::Known(left) if !left.is_positive());
            let urgent = locations.iter().any(|location| is_empty(self.net(&sku, location, now)));
            events.push(Event::Logged { sku, id, version: id, urgent });
        }
    }

    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// What may be sold of it there.
    fn net(&self, sku: &Sku, location: &LocationId, now: Timestamp) -> Net {
        let changed = self.changed_of(sku, location).map_or(&[][..], Vec::as_slice);
        let changed = changed.iter().map(|(measure, name, row)| (*measure, name, row.as_ref()));
        self.levels.view(now).net_with(sku.as_str(), location, changed)
    }

    fn changed_row(&self, key: &RowKey) -> Option<&Option<Row>> {
        let rows = self.changed_of(&key.sku, &key.location)?;
        find(rows, key).ok().map(|at| &rows[at].2)
    }

    fn changed_of(&self, sku: &Sku, location: &LocationId) -> Option<&Changed> {
        if self.room.changed.is_empty() {
            return None;
        }
        self.room.changed.get(&(sku.clone(), location.clone()))
    }
}

fn find(rows: &Changed, key: &RowKey) -> Result<usize, usize> {
    rows.binary_search_by(|(measure, name, _)| (measure, name).cmp(&(&key.measure, &key.row)))
}
