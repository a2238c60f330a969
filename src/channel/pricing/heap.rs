//! A heap of row numbers that knows where each row is in it, so that any row can be taken out. The order and the places are
//! the rows' own.

use crate::clock::Timestamp;

/// What a row says to the heap it is in.
pub trait Key {
    /// The smallest is first.
    fn key(&self, number: u32) -> (Timestamp, u32);
    /// Where it is, as the heap says.
    fn slot(&mut self) -> &mut u32;
}

#[derive(Debug, Default)]
pub struct Slots(Vec<u32>);

impl Slots {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn first(&self) -> Option<u32> {
        self.0.first().copied()
    }

    pub fn insert<R: Key>(&mut self, number: u32, rows: &mut [R]) {
        self.0.push(number);
        self.rise(self.0.len() - 1, rows);
    }

    pub fn remove<R: Key>(&mut self, slot: u32, rows: &mut [R]) {
        let slot = slot as usize;
        self.0.swap_remove(slot);
        if slot < self.0.len() {
            // What came from the end may belong above or below.
            let slot = self.rise(slot, rows);
            self.sink(slot, rows);
        }
    }

    fn rise<R: Key>(&mut self, mut slot: usize, rows: &mut [R]) -> usize {
        let number = self.0[slot];
        while slot > 0 {
            let above = (slot - 1) / 2;
            if key(rows, self.0[above]) <= key(rows, number) {
                break;
            }
            self.set(slot, self.0[above], rows);
            slot = above;
        }
        self.set(slot, number, rows);
        slot
    }

    fn sink<R: Key>(&mut self, mut slot: usize, rows: &mut [R]) {
        let number = self.0[slot];
        loop {
            let below = [2 * slot + 1, 2 * slot + 2].into_iter().filter(|below| *below < self.0.len());
            let Some(smaller) = below.min_by_key(|below| key(rows, self.0[*below])) else { break };
            if key(rows, number) <= key(rows, self.0[smaller]) {
                break;
            }
            self.set(slot, self.0[smaller], rows);
            slot = smaller;
        }
        self.set(slot, number, rows);
    }

    fn set<R: Key>(&mut self, slot: usize, number: u32, rows: &mut [R]) {
        self.0[slot] = number;
        *rows[number as usize].slot() = slot as u32;
    }
}

fn key<R: Key>(rows: &[R], number: u32) -> (Timestamp, u32) {
    rows[number as usize].key(number)
}
