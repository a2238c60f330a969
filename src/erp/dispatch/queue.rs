//! Who is next: lanes, accounts that take turns, and what may leave together. Pure.
//!
//! Every waiting key stands in two orders. In its account's, so that it has a turn: per lane and class, and for each kind of
//! operation apart (so that one whose breaker is open holds up no other), accounts take turns by deficit round robin, where
//! a turn is worth a full call and a call costs its lines; of the operations' first turns the one that has waited longest is
//! next. And in its group's, by lane and class, so that a call that leaves finds who else could come along.
//!
//! Somebody waits for what is in the foreground, nobody for what is in the background. All foreground goes before all
//! background, whatever the lanes: a lane says how urgent a caller is, and the background has none.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::ask::Group;
use super::lane::{Account, Lane};
use super::links::{Links, List};
use crate::mutants::mutant;

/// Whether somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Foreground,
    Background,
}

/// Who comes along in the free places of a call, besides its lane's own; with how many lines it may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    None,
    /// What somebody waits for in other lanes.
    Awaited(usize),
    /// The background and riders too.
    All(usize),
}

/// Kinds of operations, told apart where one failing must not hold up another.
pub const OPERATIONS: usize = 3;
const CLASSES: usize = 2;
const RINGS: usize = Lane::COUNT * CLASSES * OPERATIONS;
/// A group's lists: one per lane and class, and its riders.
const LISTS: usize = Lane::COUNT * CLASSES + 1;
const RIDERS: usize = LISTS - 1;

/// Where a key stands. A key is a number the machine gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub lane: Lane,
    pub class: Class,
    pub operation: usize,
}

impl Spot {
    fn ring(self) -> usize {
        (self.class as usize * Lane::COUNT + self.lane as usize) * OPERATIONS + self.operation
    }

    fn list(self) -> usize {
        self.class as usize * Lane::COUNT + self.lane as usize
    }
}

/// One account's keys in one ring.
#[derive(Debug)]
struct Turn {
    keys: List,
    account: Account,
    ring: usize,
    /// Lines it may still send this turn.
    credit: i64,
    /// Which of all turns it was to begin to wait.
    since: u64,
}

#[derive(Debug)]
struct Together {
    group: Group,
    hash: u64,
    lists: [List; LISTS],
    members: usize,
}

/// Where a number stands, for taking it out.
#[derive(Clone, Copy, Debug)]
struct Place {
    turn: u32,
    group: u32,
    list: u8,
}

const NO_TURN: u32 = u32::MAX;

#[derive(Debug)]
pub struct Queue {
    rings: [List; RINGS],
    /// The turns of each ring by how many keys they have: who makes room is found without looking at all of them.
    by_length: [BTreeSet<(usize, u32)>; RINGS],
    ring_links: Links,
    turns: Vec<Turn>,
    free_turns: Vec<u32>,
    turn_of: HashMap<(usize, Account), u32, FixedState>,
    groups: Vec<Together>,
    free_groups: Vec<u32>,
    group_of: HashTable<u32>,
    /// Riders of all groups, oldest first.
    riders: List,
    /// By account; riders, that have no turn, in the order of their coming.
    turn_links: Links,
    group_links: Links,
    places: Vec<Place>,
    hasher: FixedState,
    lines: [[usize; Lane::COUNT]; CLASSES],
    /// Groups with somebody in that lane and class.
    occupied: [[usize; Lane::COUNT]; CLASSES],
    /// Turns that began to wait so far.
    turns_begun: u64,
    /// What was looked up last: a page's lines share their account and group.
    recent_turn: u32,
    recent_group: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            rings: [List::default(); RINGS],
            by_length: std::array::from_fn(|_| BTreeSet::new()),
            ring_links: Links::default(),
            turns: Vec::new(),
            free_turns: Vec::new(),
            turn_of: HashMap::default(),
            groups: Vec::new(),
            free_groups: Vec::new(),
            group_of: HashTable::new(),
            riders: List::default(),
            turn_links: Links::default(),
            group_links: Links::default(),
            places: Vec::new(),
            hasher: FixedState::default(),
            lines: [[0; Lane::COUNT]; CLASSES],
            occupied: [[0; Lane::COUNT]; CLASSES],
            turns_begun: 0,
            recent_turn: 0,
            recent_group: 0,
        }
    }
}

impl Queue {
    /// Puts a key behind its account's others.
    pub fn insert(&mut self, key: u32, spot: Spot, account: &Account, group: Group) {
        let turn = self.turn(spot.ring(), account);
        let held = &mut self.turns[turn as usize];
        let before = held.keys.len();
        held.keys.push_back(&mut self.turn_links, key);
        self.by_length[held.ring].remove(&(before, turn));
        self.by_length[held.ring].insert((before + 1, turn));
        self.lines[spot.class as usize][spot.lane as usize] += 1;
        self.join_group(key, group, spot.list(), turn);
    }

    /// A key that only comes along: it has no turn.
    pub fn insert_rider(&mut self, key: u32, group: Group) {
        self.riders.push_back(&mut self.turn_links, key);
        self.join_group(key, group, RIDERS, NO_TURN);
    }

    /// Takes a key out, wherever it stands.
    pub fn remove(&mut self, key: u32) {
        let Place { turn, group, list } = self.places[key as usize];
        let together = &mut self.groups[group as usize];
        together.lists[list as usize].remove(&mut self.group_links, key);
        together.members -= 1;
        let emptied = together.lists[list as usize].is_empty();
        if together.members == 0 {
            let hash = together.hash;
            if let Ok(entry) = self.group_of.find_entry(hash, |held| *held == group) {
                entry.remove();
            }
            self.free_groups.push(group);
        }
        if turn == NO_TURN {
            self.riders.remove(&mut self.turn_links, key);
            return;
        }
        let (class, lane) = (list as usize / Lane::COUNT, list as usize % Lane::COUNT);
        self.occupied[class][lane] -= usize::from(emptied);
        self.lines[class][lane] -= 1;
        let held = &mut self.turns[turn as usize];
        let (ring, before) = (held.ring, held.keys.len());
        held.keys.remove(&mut self.turn_links, key);
        self.by_length[ring].remove(&(before, turn));
        if before > 1 {
            self.by_length[ring].insert((before - 1, turn));
        } else {
            self.rings[ring].remove(&mut self.ring_links, turn);
            let account = std::mem::replace(&mut self.turns[turn as usize].account, Account::Gateway);
            self.turn_of.remove(&(ring, account));
            self.free_turns.push(turn);
        }
    }

    /// The key whose turn it is at this lane and class, among operations that may leave: of their first turns the one that has
    /// waited longest. Were they to alternate, a short queue would send a call of a few lines for each full one of the long
    /// queue. A turn is worth `quantum` lines.
    pub fn head(
        &mut self,
        lane: Lane,
        class: Class,
        may_leave: [bool; OPERATIONS],
        quantum: [usize; OPERATIONS],
    ) -> Option<u32> {
        let waiting = |operation: usize| {
            let turn = self.rings[Spot { lane, class, operation }.ring()].first()?;
            let since = if mutant!(LongestWaitIgnored) { 0 } else { self.turns[turn as usize].since };
            Some((since, operation))
        };
        let (_, operation) = (0..OPERATIONS).filter(|operation| may_leave[*operation]).filter_map(waiting).min()?;
        let ring = Spot { lane, class, operation }.ring();
        loop {
            let turn = self.rings[ring].first()?;
            let held = &mut self.turns[turn as usize];
            if held.credit <= 0 {
                held.credit += quantum[operation].max(1) as i64;
            }
            if held.credit > 0 || mutant!(RoundRobinOff) {
                return held.keys.first();
            }
            self.rotate(ring, turn);
        }
    }

    /// The key at the head departed with so many lines of its account's: they are charged. To be told before it is removed.
    pub fn charge(&mut self, head: u32, lines: usize, quantum: usize) {
        let turn = self.places[head as usize].turn;
        let held = &mut self.turns[turn as usize];
        let ring = held.ring;
        // A call of one line is not much cheaper than one of a few: at least an eighth of a turn.
        held.credit -= lines.max(quantum / 8).max(1) as i64;
        if held.credit <= 0 && !mutant!(RoundRobinOff) {
            self.rotate(ring, turn);
        }
    }

    fn rotate(&mut self, ring: usize, turn: u32) {
        self.rings[ring].remove(&mut self.ring_links, turn);
        self.rings[ring].push_back(&mut self.ring_links, turn);
        self.turns_begun += 1;
        self.turns[turn as usize].since = self.turns_begun;
    }

    /// Puts into `batch` who leaves with `head`, itself first: its account's own keys of its group, then the others' of its
    /// lane, at most `max`; then guests. `fits` says who may come. How many are the account's own.
    pub fn fill(
        &self,
        head: u32,
        max: usize,
        guests: Guests,
        mut fits: impl FnMut(u32) -> bool,
        batch: &mut Vec<u32>,
    ) -> usize {
        let Place { turn, group, list: home } = self.places[head as usize];
        batch.push(head);
        // Its own may be many and of many groups: looking a few calls ahead is enough.
        let mut next = self.turn_links.after(head);
        let mut looked = max * 4;
        while let Some(key) = next.filter(|_| batch.len() < max && looked > 0) {
            if self.places[key as usize].group == group && fits(key) {
                batch.push(key);
            }
            next = self.turn_links.after(key);
            looked -= 1;
        }
        let own = batch.len();
        let (lists, room) = match guests {
            Guests::None => (0, 0),
            Guests::Awaited(room) => (Lane::COUNT, room),
            Guests::All(room) => (LISTS, room),
        };
        let together = &self.groups[group as usize];
        let home = home as usize;
        for (list, max) in
            std::iter::once((home, max)).chain((0..lists).filter(|list| *list != home).map(|list| (list, room)))
        {
            let mut next = together.lists[list].first();
            while let Some(key) = next.filter(|_| batch.len() < max) {
                // The account's own of this lane are in already.
                let is_in = self.places[key as usize].turn == turn && batch[..own].contains(&key);
                if !is_in && fits(key) {
                    batch.push(key);
                }
                next = self.group_links.after(key);
            }
        }
        own
    }

    /// How many lines a call led by this key would have of its lane and class.
    pub fn company(&self, key: u32, max: usize) -> usize {
        let Place { group, list, .. } = self.places[key as usize];
        self.groups[group as usize].lists[list as usize].len().min(max)
    }

    /// How many of its group somebody waits for, whatever the lane.
    pub fn awaited_company(&self, key: u32) -> usize {
        let group = self.places[key as usize].group;
        self.groups[group as usize].lists[..Lane::COUNT].iter().map(List::len).sum()
    }

    /// Keys waiting in a lane and class.
    pub fn lines(&self, lane: Lane, class: Class) -> usize {
        self.lines[class as usize][lane as usize]
    }

    /// Calls that must leave before somebody who comes now at this lane with a key of this group: one for each group that waits
    /// above; and at their own lane as many as there are groups or accounts before them, unless they find company there.
    pub fn calls_before(&self, spot: Spot, account: &Account, group: &Group, max: usize) -> usize {
        let foreground = &self.occupied[Class::Foreground as usize];
        let above: usize = foreground[..spot.lane as usize].iter().sum();
        let ring = spot.ring();
        let beside = match self.find_turn(ring, account) {
            Some(turn) => self.turns[turn as usize].keys.len() / max.max(1),
            None if self
                .find_group(group)
                .is_some_and(|held| !self.groups[held as usize].lists[spot.list()].is_empty()) =>
            {
                0
            }
            None => foreground[spot.lane as usize].min(self.rings[ring].len()),
        };
        above + beside
    }

    /// Somebody less urgent than who comes now at this lane and class, to make room for them: the background from the lowest
    /// lane up, then the lowest lane below; at their own lane, an account that has more waiting than theirs.
    pub fn victim(&self, lane: Lane, class: Class, account: &Account) -> Option<u32> {
        const SPOTS: usize = CLASSES * Lane::COUNT;
        let lowest_first = |at: usize| {
            let at = if mutant!(ShedHighestFirst) { SPOTS - 1 - at } else { at };
            let class = if at < Lane::COUNT { Class::Background } else { Class::Foreground };
            (Lane::ALL[Lane::COUNT - 1 - at % Lane::COUNT], class)
        };
        for (low, low_class) in (0..SPOTS).map(lowest_first) {
            if self.lines(low, low_class) == 0 {
                continue;
            }
            if (low_class, low) <= (class, lane) && !mutant!(ShedHighestFirst) {
                return if (low_class, low) == (class, lane) { self.victim_beside(lane, class, account) } else { None };
            }
            let longest = self.longest(low, low_class);
            return longest.and_then(|turn| self.turns[turn as usize].keys.last());
        }
        None
    }

    fn victim_beside(&self, lane: Lane, class: Class, account: &Account) -> Option<u32> {
        let turn = self.longest(lane, class)?;
        let held = &self.turns[turn as usize];
        let own: usize = (0..OPERATIONS)
            .filter_map(|operation| self.turn_of.get(&(Spot { lane, class, operation }.ring(), account.clone())))
            .map(|&turn| self.turns[turn as usize].keys.len())
            .max()
            .unwrap_or(0);
        (held.account != *account && held.keys.len() > own + 1).then(|| held.keys.last()).flatten()
    }

    /// The account with most waiting in a lane and class.
    fn longest(&self, lane: Lane, class: Class) -> Option<u32> {
        let of = |operation| self.by_length[Spot { lane, class, operation }.ring()].last().copied();
        (0..OPERATIONS).filter_map(of).max().map(|(_, turn)| turn)
    }

    /// Every key of an operation that waits in the foreground, in the order of lanes and turns.
    pub fn foreground(&self, operation: usize) -> Vec<u32> {
        let mut keys = Vec::new();
        for lane in Lane::ALL {
            let mut next = self.rings[Spot { lane, class: Class::Foreground, operation }.ring()].first();
            while let Some(turn) = next {
                keys.extend(std::iter::successors(self.turns[turn as usize].keys.first(), |key| {
                    self.turn_links.after(*key)
                }));
                next = self.ring_links.after(turn);
            }
        }
        keys
    }

    /// The rider that came first.
    pub fn oldest_rider(&self) -> Option<u32> {
        self.riders.first()
    }

    pub fn riders(&self) -> usize {
        self.riders.len()
    }

    /// How many of its account's keys stand before it, and how many accounts' turns come before its account's.
    pub fn place(&self, key: u32) -> (usize, usize) {
        let Place { turn, .. } = self.places[key as usize];
        if turn == NO_TURN {
            return (0, 0);
        }
        let keys = std::iter::successors(self.turn_links.before(key), |key| self.turn_links.before(*key)).count();
        let turns = std::iter::successors(self.ring_links.before(turn), |turn| self.ring_links.before(*turn)).count();
        (keys, turns)
    }

    fn find_turn(&self, ring: usize, account: &Account) -> Option<u32> {
        let is_it = |held: &&Turn| held.ring == ring && !held.keys.is_empty() && held.account == *account;
        match self.turns.get(self.recent_turn as usize).filter(is_it) {
            Some(_) => Some(self.recent_turn),
            None => self.turn_of.get(&(ring, account.clone())).copied(),
        }
    }

    fn turn(&mut self, ring: usize, account: &Account) -> u32 {
        let turn = match self.find_turn(ring, account) {
            Some(turn) => turn,
            None => {
                self.turns_begun += 1;
                let since = self.turns_begun;
                let held = Turn { keys: List::default(), account: account.clone(), ring, credit: 0, since };
                let turn = match self.free_turns.pop() {
                    Some(turn) => {
                        self.turns[turn as usize] = held;
                        turn
                    }
                    None => {
                        self.turns.push(held);
                        (self.turns.len() - 1) as u32
                    }
                };
                self.turn_of.insert((ring, account.clone()), turn);
                self.rings[ring].push_back(&mut self.ring_links, turn);
                turn
            }
        };
        self.recent_turn = turn;
        turn
    }

    fn find_group(&self, group: &Group) -> Option<u32> {
        if self.groups.get(self.recent_group as usize).is_some_and(|held| held.members > 0 && held.group == *group) {
            return Some(self.recent_group);
        }
        let hash = self.hasher.hash_one(group);
        self.group_of.find(hash, |held| self.groups[*held as usize].group == *group).copied()
    }

    fn join_group(&mut self, key: u32, group: Group, list: usize, turn: u32) {
        let number = match self.find_group(&group) {
            Some(number) => number,
            None => {
                let hash = self.hasher.hash_one(&group);
                let together = Together { group, hash, lists: [List::default(); LISTS], members: 0 };
                let number = match self.free_groups.pop() {
                    Some(number) => {
                        self.groups[number as usize] = together;
                        number
                    }
                    None => {
                        self.groups.push(together);
                        (self.groups.len() - 1) as u32
                    }
                };
                self.group_of.insert_unique(hash, number, |held| self.groups[*held as usize].hash);
                number
            }
        };
        self.recent_group = number;
        let together = &mut self.groups[number as usize];
        if together.lists[list].is_empty() && list != RIDERS {
            self.occupied[list / Lane::COUNT][list % Lane::COUNT] += 1;
        }
        together.lists[list].push_back(&mut self.group_links, key);
        together.members += 1;
        let at = key as usize;
        let place = Place { turn, group: number, list: list as u8 };
        if self.places.len() <= at {
            self.places.resize(at + 1, place);
        }
        self.places[at] = place;
    }
}
