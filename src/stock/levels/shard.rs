//! A part of all SKUs with their levels. Small, so that making it grow never keeps readers waiting for long.

use std::collections::HashSet;

use hashbrown::{HashMap, HashTable};

use super::cell::{Cell, Plane};
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::domain::change::RowId;
use crate::stock::event::Row;

/// A row that does not fit a cell, and who said it last.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    pub name: RowId,
    pub row: Row,
    pub source: u16,
}

#[derive(Debug)]
struct Shelf {
    sku: Sku,
    cells: Cells,
}

/// By place and plane. Most SKUs of a small merchant have one level: it needs no memory of its own.
#[derive(Debug)]
enum Cells {
    One(Cell),
    Many(Vec<Cell>),
}

const _: () = assert!(size_of::<Shelf>() == 48);

impl Cells {
    fn as_slice(&self) -> &[Cell] {
        match self {
            Cells::One(cell) => std::slice::from_ref(cell),
            Cells::Many(cells) => cells,
        }
    }

    fn get_mut(&mut self, index: usize) -> &mut Cell {
        match self {
            Cells::One(cell) => cell,
            Cells::Many(cells) => &mut cells[index],
        }
    }

    fn find(&self, place: u32, plane: Plane) -> Result<usize, usize> {
        self.as_slice().binary_search_by_key(&(place, plane), Cell::position)
    }

    fn insert(&mut self, index: usize, cell: Cell) {
        match self {
            Cells::Many(cells) if cells.is_empty() => *self = Cells::One(cell),
            Cells::Many(cells) => {
                grow(cells, cells.len() / 4 + 1);
                cells.insert(index, cell);
            }
            Cells::One(first) => {
                let both = if index == 0 { [cell, *first] } else { [*first, cell] };
                *self = Cells::Many(both.to_vec());
            }
        }
    }

    fn remove(&mut self, index: usize) {
        match self {
            Cells::One(_) => *self = Cells::Many(Vec::new()),
            Cells::Many(cells) => {
                cells.remove(index);
                cells.shrink_to_fit();
            }
        }
    }
}

/// In pieces that never move: a list that is copied as it grows leaves holes of all sizes behind.
#[derive(Debug, Default)]
struct Shelves(Vec<Vec<Shelf>>);

const PIECE: usize = 32;

impl Shelves {
    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    fn get(&self, shelf: u32) -> &Shelf {
        &self.0[shelf as usize / PIECE][shelf as usize % PIECE]
    }

    fn get_mut(&mut self, shelf: u32) -> &mut Shelf {
        &mut self.0[shelf as usize / PIECE][shelf as usize % PIECE]
    }

    fn push(&mut self, shelf: Shelf) {
        match self.0.last_mut() {
            Some(last) if last.len() < PIECE => last.push(shelf),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(shelf);
                self.0.push(piece);
            }
        }
    }
}

/// Which level rows are kept apart for.
type Level = (u32, u32, Plane);

#[derive(Debug, Default)]
pub(super) struct Shard {
    shelves: Shelves,
    index: HashTable<u32>,
    /// By name.
    apart: HashMap<Level, Vec<Apart>, foldhash::fast::FixedState>,
}

/// One SKU's cells, and the rows kept apart for them.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    shard: &'a Shard,
    shelf: u32,
    pub sku: &'a Sku,
    pub cells: &'a [Cell],
}

impl<'a> Found<'a> {
    pub fn apart(&self, cell: &Cell) -> &'a [Apart] {
        if !cell.has_apart() {
            return &[];
        }
        self.shard.apart.get(&(self.shelf, cell.place(), cell.plane)).map_or(&[], Vec::as_slice)
    }

    /// One of a level's rows.
    pub fn row(&self, cell: &Cell, name: &RowId) -> Option<Row> {
        let apart = self.apart(cell);
        match apart.binary_search_by(|apart| apart.name.cmp(name)) {
            Ok(at) => Some(apart[at].row.clone()),
            Err(_) if name.is_empty() => cell.row(),
            Err(_) => None,
        }
    }

    pub fn cell(&self, place: u32, plane: Plane) -> Option<&'a Cell> {
        let at = self.cells.binary_search_by_key(&(place, plane), Cell::position).ok()?;
        Some(&self.cells[at])
    }
}

impl Shard {
    pub fn find(&self, hash: u64, sku: &str) -> Option<Found<'_>> {
        let &shelf = self.index.find(hash, |&shelf| self.shelves.get(shelf).sku.as_str() == sku)?;
        Some(self.found(shelf))
    }

    pub fn all(&self) -> impl Iterator<Item = Found<'_>> {
        (0..self.shelves.len()).map(|shelf| self.found(shelf as u32))
    }

    fn found(&self, shelf: u32) -> Found<'_> {
        let Shelf { sku, cells } = self.shelves.get(shelf);
        Found { shard: self, shelf, sku, cells: cells.as_slice() }
    }

    fn shelf(&mut self, hash: u64, sku: &Sku, rehash: impl Fn(&str) -> u64) -> u32 {
        let Self { shelves, index, .. } = self;
        if let Some(&shelf) = index.find(hash, |&shelf| shelves.get(shelf).sku == *sku) {
            return shelf;
        }
        let shelf = u32::try_from(shelves.len()).expect("a shard holds fewer SKUs than there may be levels");
        shelves.push(Shelf { sku: sku.clone(), cells: Cells::Many(Vec::new()) });
        index.insert_unique(hash, shelf, |&shelf| rehash(shelves.get(shelf).sku.as_str()));
        shelf
    }

    /// Puts a row in, or takes it away. Returns how many levels there are more.
    pub fn put(&mut self, at: &Put<'_>, rehash: impl Fn(&str) -> u64) -> usize {
        let shelf = self.shelf(at.hash, at.sku, rehash);
        // A figure that is stated again as it was has not moved.
        let moved_at = at.row.map_or(at.at, |row| row.changed_at);
        let cells = &mut self.shelves.get_mut(shelf).cells;
        let (index, more) = match cells.find(at.place, at.plane) {
            Ok(index) => (index, 0),
            Err(index) => {
                cells.insert(index, Cell::empty(at.place, at.plane, at.source, moved_at));
                (index, 1)
            }
        };
        let cell = cells.get_mut(index);
        let level = (shelf, at.place, at.plane);
        let in_cell = at.name.is_empty() && at.row.is_some_and(|row| cell.put(row, at.source));
        if at.name.is_empty() && !in_cell {
            cell.take();
        }
        if cell.has_apart() || !(in_cell || at.row.is_none()) {
            let kept = self.apart.entry(level).or_default();
            match (kept.binary_search_by(|apart| apart.name.cmp(at.name)), at.row.filter(|_| !in_cell)) {
                (Ok(found), Some(row)) => {
                    kept[found] = Apart { name: at.name.clone(), row: row.clone(), source: at.source }
                }
                (Ok(found), None) => {
                    kept.remove(found);
                }
                (Err(found), Some(row)) => {
                    grow(kept, kept.len() / 4 + 1);
                    kept.insert(found, Apart { name: at.name.clone(), row: row.clone(), source: at.source });
                }
                (Err(_), None) => {}
            }
            cell.set_apart(!kept.is_empty());
            if kept.is_empty() {
                self.apart.remove(&level);
            }
        }
        if !in_cell {
            cell.moved(moved_at, at.source);
        }
        more
    }

    /// Takes away all cells of these planes. Returns how many.
    pub fn clear(&mut self, planes: &HashSet<(u32, Plane)>) -> usize {
        let mut gone = 0;
        for shelf in self.shelves.0.iter_mut().flatten() {
            let is_gone = |cell: &Cell| planes.contains(&cell.position());
            while let Some(index) = shelf.cells.as_slice().iter().position(is_gone) {
                shelf.cells.remove(index);
                gone += 1;
            }
        }
        self.apart.retain(|(_, place, plane), _| !planes.contains(&(*place, *plane)));
        gone
    }
}

/// Where a row goes.
pub(super) struct Put<'a> {
    pub hash: u64,
    pub sku: &'a Sku,
    pub place: u32,
    pub plane: Plane,
    pub name: &'a RowId,
    /// `None`: it goes.
    pub row: Option<&'a Row>,
    pub source: u16,
    pub at: Timestamp,
}

/// Room for at least one more, and no more than `by`: doubling would leave up to half of all memory unused.
fn grow<T>(items: &mut Vec<T>, by: usize) {
    if items.len() == items.capacity() {
        items.reserve_exact(by);
    }
}
