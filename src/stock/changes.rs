//! The change log: every row once, in the order readers get them, however often it changed.
//!
//! A row stands at a *place*, an id. A reader's cursor holds two: all rows up to the first were handed out, and the urgent
//! ones (what is available came to zero) up to the second, because zeros overtake. A row that changes takes a new place at
//! the end, except where nobody was given it since it took the one it has: there it keeps its place, or what changes without
//! end would always stand behind what a slow reader gets to. Two more rules make that enough:
//!
//! - Ids in the journal are always new ones; that a row kept its place is known in memory only, decided under the same lock
//!   that hands out pages. After a restart rows stand in the order of their last change, and count as handed out.
//! - A reader behind others (whom every change was handed out to) also gets a few rows of those ahead of it, chosen so that
//!   each has its turn; its cursor says nothing of them, and they come again.
//!
//! Owns the order, in memory; the truth is a row per key on disk, with the id of its last change. Pure; given ids, never
//! the time. Fuzzed with readers that lose answers, copy cursors and restart.

mod cursor;
mod index;
mod order;

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

pub use self::cursor::{Cursor, History, MalformedCursor};
use self::index::{Entry, Index};
use self::order::Order;
use crate::mutants::mutant;

/// The cursor is not of this log: it was lost, or put back from a copy. Read everything again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor was not issued by this log: read again from the beginning")]
pub struct ResyncRequired;

impl ResyncRequired {
    pub fn reason(&self) -> &'static str {
        "resync_required"
    }
}

/// One part of what changed since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Their newest figures are to be read now, not earlier.
    pub rows: Vec<PageRow<K>>,
    /// To read on from, once these rows are taken in.
    pub cursor: Cursor,
    /// There is more already.
    pub more: bool,
    /// What is durable and visible. Who wants all of it stops when [`Page::reaches`] the first page's: later ones grow on.
    pub watermark: u64,
}

impl<K> Page<K> {
    pub fn reaches(&self, watermark: u64) -> bool {
        self.cursor.reaches(watermark)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRow<K> {
    pub key: K,
    /// The id of its last change: only grows.
    pub version: u64,
    pub urgent: bool,
}

/// The rows of a log that starts, in any order.
#[derive(Debug)]
pub struct Rebuild<K> {
    index: Index<K>,
    highest: u64,
}

impl<K: Clone + Eq + Hash> Default for Rebuild<K> {
    fn default() -> Self {
        Self { index: Index::new(), highest: 0 }
    }
}

impl<K: Clone + Eq + Hash> Rebuild<K> {
    /// A row as it was kept, or a change from the journal: twice, and in any order, is harmless.
    pub fn take(&mut self, key: &K, id: u64, urgent: bool) {
        self.highest = self.highest.max(id);
        let entry = Entry::new(id, id, urgent);
        match self.index.find(key) {
            Some(row) if id > self.index.entry(row).version() => self.index.set(row, entry),
            Some(_) => {}
            None => {
                self.index.insert(key.clone(), entry);
            }
        }
    }

    /// An id that was given out, if to no row that is still there.
    pub fn pass(&mut self, id: u64) {
        self.highest = self.highest.max(id);
    }

    /// The watermark to start with.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// `history` has this start as its last, and is kept by now.
    pub fn start(self, history: History) -> ChangeLog<K> {
        let index = self.index;
        let mut rows: Vec<u32> = (0..index.len() as u32).collect();
        rows.sort_unstable_by_key(|row| index.entry(*row).place());
        let (mut all, mut urgent) = (Order::default(), Order::default());
        for row in rows {
            let id = index.entry(row).place();
            all.push(id, row);
            if index.entry(row).is_urgent() {
                urgent.push(id, row);
            }
        }
        let issued = if mutant!(RestartForgetsWhatWasIssued) { 0 } else { self.highest };
        ChangeLog {
            index,
            all,
            urgent,
            highest: self.highest,
            watermark: self.highest,
            began: self.highest,
            issued: AtomicU64::new(issued),
            issued_urgent: AtomicU64::new(issued),
            history,
        }
    }
}

/// The order of changes. To be kept behind one lock: readers share it, the writer has it alone for one request.
#[derive(Debug)]
pub struct ChangeLog<K> {
    index: Index<K>,
    all: Order,
    urgent: Order,
    /// The last id that was taken in.
    highest: u64,
    /// The last id that readers may see.
    watermark: u64,
    /// The watermark it started with.
    began: u64,
    /// The furthest that any cursor ever said. Atomic because readers, who share the log, move it.
    issued: AtomicU64,
    issued_urgent: AtomicU64,
    history: History,
}

impl<K: Clone + Eq + Hash> ChangeLog<K> {
    /// The next free id. Ids are given out by the writer, before they are durable: this is where it begins.
    pub fn next_id(&self) -> u64 {
        self.highest + 1
    }

    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row changed. Its figures are visible when the lock is given back, together with the watermark.
    pub fn apply(&mut self, key: &K, id: u64, urgent: bool) {
        self.take(key, id, urgent, true);
    }

    /// A row is about to change, together with more than can be taken in at once: the lock may be given back in between.
    /// Until the watermark follows, readers are told that there is more.
    pub fn stage(&mut self, key: &K, id: u64, urgent: bool) {
        // Its old figures may be handed out meanwhile, so it keeps no place.
        self.take(key, id, urgent, false);
    }

    /// An id that is no row's: cursors that are issued once it is visible are told from those before.
    pub fn pass(&mut self, id: u64) {
        debug_assert!(id > self.highest, "ids only grow: {id} after {}", self.highest);
        self.highest = id;
    }

    /// What was taken in is visible.
    pub fn publish(&mut self) {
        self.watermark = self.highest;
    }

    fn take(&mut self, key: &K, id: u64, urgent: bool, may_stay: bool) {
        debug_assert!(id > self.highest, "ids only grow: {id} after {}", self.highest);
        self.highest = id;
        let Some(row) = self.index.find(key) else {
            let row = self.index.insert(key.clone(), Entry::new(id, id, urgent));
            self.all.push(id, row);
            if urgent {
                self.urgent.push(id, row);
            }
            return;
        };
        let old = self.index.entry(row);
        let stays = may_stay && self.keeps_its_place(old, urgent);
        let place = if stays { old.place() } else { id };
        self.index.set(row, Entry::new(place, id, urgent));
        let index = &self.index;
        if !stays {
            self.all.push(id, row);
            self.all.leave(old.place(), |id, row| index.entry(row).place() == id);
        }
        let is_live = |id, row| index.entry(row).place() == id && index.entry(row).is_urgent();
        // Only the mutant makes a row urgent where it stands, and then it overtakes nobody.
        if urgent && (!stays || !old.is_urgent()) && place == id {
            self.urgent.push(id, row);
        }
        if old.is_urgent() && (!stays || !urgent) {
            self.urgent.leave(old.place(), is_live);
        }
    }

    /// The row is gone for good: no page has it any more. Readers who may have had it are the log's owner's affair. Its number
    /// stays, in case it comes again.
    pub fn forget(&mut self, key: &K) {
        let Some(row) = self.index.find(key) else { return };
        let old = self.index.entry(row);
        self.index.set(row, Entry::new(0, old.version(), false));
        let index = &self.index;
        self.all.leave(old.place(), |id, row| index.entry(row).place() == id);
        if old.is_urgent() {
            self.urgent.leave(old.place(), |id, row| index.entry(row).place() == id && index.entry(row).is_urgent());
        }
    }

    fn keeps_its_place(&self, old: Entry, urgent: bool) -> bool {
        if mutant!(HotRowsMoveToTheEnd) {
            return false;
        }
        if mutant!(IssuedRowKeepsItsPlace) {
            return !urgent || old.is_urgent();
        }
        let issued = old.place() <= self.issued.load(Ordering::Relaxed)
            || (old.is_urgent() && old.place() <= self.issued_urgent.load(Ordering::Relaxed));
        // What just came to zero overtakes.
        !issued && (!urgent || old.is_urgent() || mutant!(ZeroKeepsItsPlace))
    }

    /// From here on: everything before is known, from a snapshot whose reading begins now.
    pub fn head(&self) -> Cursor {
        self.issue(self.watermark, self.watermark)
    }

    fn issue(&self, all: u64, urgent: u64) -> Cursor {
        // The writer reads these under the lock that this reader shares, hence no stronger ordering.
        self.issued.fetch_max(all, Ordering::Relaxed);
        self.issued_urgent.fetch_max(urgent, Ordering::Relaxed);
        Cursor { incarnation: self.history.current(), all, urgent, seen: self.watermark }
    }

    /// What changed since; without a cursor, everything.
    pub fn page(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<K>, ResyncRequired> {
        let (after, after_urgent) = match cursor {
            None => (0, 0),
            Some(cursor) => self.position(cursor)?,
        };
        let limit = limit.max(1);
        let mut page = Gathering { log: self, rows: Vec::with_capacity(limit.min(ROWS_AT_FIRST)), limit };
        let ahead = page.share_ahead(after);
        let urgent = page.overtaking(after.max(after_urgent)).max(after_urgent);
        let all = page.in_order(after, urgent, ahead);
        if let Some(all) = all {
            page.of_those_ahead(all, urgent, ahead);
        }
        let rows = page.rows;
        let (all, urgent) = all.map_or((self.watermark, self.watermark), |all| (all, urgent));
        let more = all < self.highest;
        Ok(Page { rows, cursor: self.issue(all, urgent), more, watermark: self.watermark })
    }

    fn position(&self, cursor: &Cursor) -> Result<(u64, u64), ResyncRequired> {
        let end = self.history.end_of(cursor.incarnation, self.watermark);
        let end = if mutant!(AnyCursorIsOurs) { Some(u64::MAX) } else { end };
        let end = end.ok_or(ResyncRequired)?;
        // Figures are newer than places: what counts is how far the log had come when they were read.
        if cursor.seen > end {
            return Err(ResyncRequired);
        }
        Ok((cursor.all, if mutant!(OneNumberZerosFirst) { cursor.all } else { cursor.urgent }))
    }

    fn row(&self, row: u32) -> PageRow<K> {
        let entry = self.index.entry(row);
        PageRow { key: self.index.key(row).clone(), version: entry.version(), urgent: entry.is_urgent() }
    }

    /// Without the keys themselves.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.index.bytes() + self.all.bytes() + self.urgent.bytes()
    }
}

/// Room that is made before it is known how much is needed. Rows.
const ROWS_AT_FIRST: usize = 256;

/// Entries looked at for one row of a page: dead ones, and urgent ones that were handed out before. Beyond, the page ends
/// short.
const LOOKED_AT_PER_ROW: usize = 8;
const LOOKED_AT_MIN: usize = 4096;

/// One row in so many is from ahead.
const SHARE_AHEAD: usize = 8;

struct Gathering<'a, K> {
    log: &'a ChangeLog<K>,
    rows: Vec<PageRow<K>>,
    limit: usize,
}

impl<K: Clone + Eq + Hash> Gathering<'_, K> {
    /// Urgent rows, half a page at most: the others go on as well. Returns how far.
    fn overtaking(&mut self, from: u64) -> u64 {
        let log = self.log;
        let most = if mutant!(OneNumberZerosFirst) { self.limit } else { self.limit / 2 };
        let mut reached = 0;
        for (id, row) in log.urgent.after(from).take_while(|(id, _)| *id <= log.watermark) {
            if self.rows.len() == most {
                break;
            }
            let entry = log.index.entry(row);
            if entry.place() == id && entry.is_urgent() {
                self.rows.push(log.row(row));
                reached = id;
            }
        }
        reached
    }

    /// How many rows of a page are from ahead: none, unless somebody else was given more than this reader.
    fn share_ahead(&self, from: u64) -> usize {
        let issued = self.log.issued.load(Ordering::Relaxed);
        // A log that started counts everything as given.
        if from >= issued || issued <= self.log.began || mutant!(NothingFromAhead) {
            return 0;
        }
        // Short pages have one now and then.
        let rest = scrambled(from ^ self.log.highest) as usize % SHARE_AHEAD;
        let share = self.limit / SHARE_AHEAD + usize::from(rest < self.limit % SHARE_AHEAD);
        // At least one in order, also where zeros take their half.
        share.min((self.limit - self.limit / 2).saturating_sub(1))
    }

    /// Rows in their order, without those that overtook. Returns how far, or `None`: to the end.
    fn in_order(&mut self, from: u64, urgent: u64, ahead: usize) -> Option<u64> {
        let log = self.log;
        let mut reached = from;
        let mut left = LOOKED_AT_MIN.max(self.limit * LOOKED_AT_PER_ROW);
        for (id, row) in log.all.after(from).take_while(|(id, _)| *id <= log.watermark) {
            let entry = log.index.entry(row);
            let due = entry.place() == id && !(entry.is_urgent() && id <= urgent);
            if left == 0 || (due && self.rows.len() + ahead >= self.limit) {
                return Some(reached);
            }
            if due {
                self.rows.push(log.row(row));
            }
            reached = id;
            left -= 1;
        }
        None
    }

    /// A few rows that this reader would not get to while they change faster than it reads: near the end as often as far
    /// from it, by powers of two.
    fn of_those_ahead(&mut self, from: u64, urgent: u64, ahead: usize) {
        let log = self.log;
        let most = ahead.min(self.limit.saturating_sub(self.rows.len()));
        let scales = u64::from(log.all.count_after(from).max(1).ilog2()) + 1;
        let mut seen = HashSet::new();
        let mut draw = from ^ log.highest.rotate_left(32);
        for _ in 0..most * 2 {
            draw = scrambled(draw.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let scale = draw % scales;
            let distance = (1 << scale) - 1 + (draw >> 32) % (1 << scale);
            let Some((id, row)) = log.all.back_from_end(distance as usize, from) else { continue };
            let entry = log.index.entry(row);
            let due = entry.place() == id && id <= log.watermark && !(entry.is_urgent() && id <= urgent);
            if due && seen.len() < most && seen.insert(row) {
                self.rows.push(log.row(row));
            }
        }
    }
}

/// The finish of splitmix64.
fn scrambled(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests;
