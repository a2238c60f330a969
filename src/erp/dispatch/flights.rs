//! One fetch per key, whoever asks: who waits for what, in the air and on the ground.
//!
//! A flight has a number as long as somebody may need it; queues and calls know it by that.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::ask::Ask;
use super::lane::{Account, Lane};
use super::machine::CallId;
use super::queue::Class;
use crate::clock::{Mono, Stamp};

#[derive(Debug)]
pub struct Flight<W> {
    pub ask: Ask,
    hash: u64,
    /// Oldest first.
    pub air: Vec<Air<W>>,
    pub wait: Option<Wait<W>>,
}

#[derive(Debug)]
pub struct Air<W> {
    pub call: CallId,
    pub start: Mono,
    /// How old what it brings may be: when it left, or when the facts were read it was asked with.
    pub as_of: Mono,
    pub stamp: Stamp,
    /// How it waited, and who for it: it may have to wait again.
    pub was: Wait<W>,
}

#[derive(Debug)]
pub struct Wait<W> {
    pub waiters: Vec<W>,
    pub standing: Standing,
    pub lane: Lane,
    pub class: Class,
    pub account: Account,
    pub asked_by: Arc<str>,
    pub since: Mono,
    /// It was asked before and is asked again after a failure.
    pub retried: bool,
}

/// Where a waiting key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the queue.
    Queued,
    /// In its group only, to come along with others.
    Rider,
    /// Nowhere: two calls are in the air, and it queues when one lands.
    Parked,
    /// Nowhere: the price of its SKU waits, and the call for that brings the stock too.
    Rides,
    /// In a part of a failed call that is asked again.
    Again,
}

/// All flights, by number and by key.
#[derive(Debug)]
pub struct Flights<W> {
    slots: Vec<Option<Flight<W>>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// Nothing is decided by the order of this table, so its seed may be random.
    hasher: foldhash::fast::RandomState,
}

impl<W> Default for Flights<W> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), index: HashTable::new(), hasher: Default::default() }
    }
}

impl<W> Flights<W> {
    /// The number of the key's flight, if there is one, and its hash for [`Flights::insert`].
    pub fn find(&self, ask: &Ask) -> (u64, Option<u32>) {
        let hash = self.hasher.hash_one(ask);
        let is_it = |number: &u32| self.slots[*number as usize].as_ref().is_some_and(|flight| flight.ask == *ask);
        (hash, self.index.find(hash, is_it).copied())
    }

    /// A flight of a key that has none.
    pub fn insert(&mut self, hash: u64, ask: Ask) -> u32 {
        let flight = Some(Flight { ask, hash, air: Vec::new(), wait: None });
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = flight;
                number
            }
            None => {
                self.slots.push(flight);
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, number, |held| slots[*held as usize].as_ref().map_or(0, |flight| flight.hash));
        number
    }

    pub fn get(&self, number: u32) -> &Flight<W> {
        self.slots[number as usize].as_ref().expect("a flight keeps its number while it is known by it")
    }

    /// The flight of a number that may be over.
    pub fn known(&self, number: u32) -> Option<&Flight<W>> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, number: u32) -> &mut Flight<W> {
        self.slots[number as usize].as_mut().expect("a flight keeps its number while it is known by it")
    }

    /// Those somebody waits for that stand in no queue.
    pub fn waiting_elsewhere(&self) -> Vec<u32> {
        let awaited = |flight: &Flight<W>| {
            flight.wait.as_ref().is_some_and(|wait| {
                wait.class == Class::Foreground && matches!(wait.standing, Standing::Parked | Standing::Again)
            })
        };
        let numbers = 0..self.slots.len() as u32;
        numbers.filter(|number| self.known(*number).is_some_and(awaited)).collect()
    }

    /// Forgets a flight that nobody waits for and no call brings.
    pub fn tidy(&mut self, number: u32) {
        let Some(flight) = &self.slots[number as usize] else { return };
        if flight.wait.is_some() || !flight.air.is_empty() {
            return;
        }
        if let Ok(entry) = self.index.find_entry(flight.hash, |held| *held == number) {
            entry.remove();
        }
        self.slots[number as usize] = None;
        self.free.push(number);
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }
}
