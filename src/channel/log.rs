//! What readers see of one channel: its rows as they are published, and the order in which they changed.
//!
//! A row has a number for as long as the process lives; the change log is one of numbers, and a page reads the rows they stand
//! for under the same lock: so a row in a page is as new as the page's cursor. A snapshot is a cursor taken before, and then
//! all rows, some at a time: what changes meanwhile comes by the cursor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use super::error::ChannelError;
use super::page::{ChannelPage, ChannelState, From, PolicyHash};
use super::report::ChannelReport;
use super::row::{ChannelRow, RowState};
use crate::clock::Timestamp;
use crate::mutants::mutant;
use crate::stock::changes::{ChangeLog, Cursor, ResyncRequired};

/// Rows of a snapshot that are read at a time, while the writer waits.
pub const CHUNK_ROWS: usize = 1000;

/// Changed rows that are shown at a time, while readers wait.
const SHOWN_AT_ONCE: usize = 1000;

/// One channel, as far as it is durable.
#[derive(Debug)]
pub struct Shown {
    pub name: String,
    /// Held by the writer for some rows, and by readers for one page.
    log: RwLock<Log>,
    watermark: watch::Sender<u64>,
    report: RwLock<ChannelReport>,
    prices: Prices,
    /// The furthest that a cursor of another log had come.
    another: AtomicU64,
}

/// Tells whoever asks for prices that there may be some to ask.
#[derive(Debug, Default)]
struct Prices {
    news: Notify,
    next: Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
struct Log {
    log: ChangeLog<u32>,
    rows: Vec<Option<Arc<ChannelRow>>>,
    purged: Purged,
    state: ChannelState,
    /// Some rows are still to be worked out by the policy that is in force.
    recomputing: bool,
    policy: PolicyHash,
}

/// Which removed rows are no longer remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// None whose last change was later.
    pub through: u64,
    /// The id this happened under: whoever was told a later one began after.
    pub at: u64,
}

/// How a channel stands, beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub state: ChannelState,
    pub recomputing: bool,
    pub policy: PolicyHash,
}

/// What becomes of a row's number.
#[derive(Clone, Debug)]
pub enum Change {
    Row(u32, Arc<ChannelRow>),
    /// It was removed long ago, and is not remembered any more.
    Forgotten(u32),
    Purged(Purged),
}

/// Whether it has to overtake: whoever sells it must stop.
pub fn is_urgent(row: &ChannelRow) -> bool {
    if mutant!(ZeroWaitsItsTurn) {
        return false;
    }
    row.state != RowState::Listed || row.quantity.is_some_and(|quantity| !quantity.is_positive())
}

impl Shown {
    /// `rows` by number, as `log` has them.
    pub fn new(
        log: ChangeLog<u32>,
        rows: Vec<Option<Arc<ChannelRow>>>,
        purged: Purged,
        condition: Condition,
        report: ChannelReport,
    ) -> Self {
        let Condition { state, recomputing, policy } = condition;
        Self {
            name: report.name.clone(),
            watermark: watch::Sender::new(log.watermark()),
            log: RwLock::new(Log { log, rows, purged, state, recomputing, policy }),
            report: RwLock::new(report),
            prices: Prices::default(),
            another: AtomicU64::new(0),
        }
    }

    /// In the order of their versions. Only the writer calls this, with what is durable.
    pub fn take(&self, changes: &[Change], condition: Condition) {
        let mut changes = changes.chunks(SHOWN_AT_ONCE).peekable();
        loop {
            let mut log = self.log.write();
            for change in changes.next().unwrap_or_default() {
                log.take(change);
            }
            log.log.publish();
            let watermark = log.log.watermark();
            // Before the first of such rows is seen, or after the last.
            if condition.recomputing || changes.peek().is_none() {
                log.state = condition.state;
                log.recomputing = condition.recomputing;
                log.policy = condition.policy;
            }
            drop(log);
            if *self.watermark.borrow() != watermark {
                self.watermark.send_replace(watermark);
            }
            if changes.peek().is_none() {
                break;
            }
        }
    }

    pub fn page(&self, from: From<'_>, limit: usize, now: Timestamp) -> Result<ChannelPage, ChannelError> {
        let log = self.log.read();
        let (rows, cursor, more, watermark) = match from {
            From::Now => (Vec::new(), log.log.head(), false, log.log.watermark()),
            From::Beginning => log.page(None, limit)?,
            From::Cursor(cursor) => {
                if log.has_forgotten(cursor) {
                    return Err(ResyncRequired.into());
                }
                let page = log.page(Some(cursor), limit);
                page.inspect_err(|_| {
                    self.another.fetch_max(cursor.seen(), Ordering::Relaxed);
                })?
            }
        };
        Ok(ChannelPage { rows, cursor, more, watermark, as_of: now, policy: log.policy, state: log.state })
    }

    /// The highest version that readers may see, whenever it grows.
    pub fn watermark(&self) -> watch::Receiver<u64> {
        self.watermark.subscribe()
    }

    pub fn report(&self) -> ChannelReport {
        self.report.read().clone()
    }

    pub fn set_report(&self, report: ChannelReport) {
        *self.report.write() = report;
    }

    /// How far cursors of another log had come that somebody brought since the last time; 0: nobody did.
    pub fn take_another(&self) -> u64 {
        self.another.swap(0, Ordering::Relaxed)
    }

    /// When the next price is to be asked: told where that is sooner than was known.
    pub fn set_next_price(&self, at: Option<Timestamp>) {
        let before = std::mem::replace(&mut *self.prices.next.lock(), at);
        if let Some(at) = at
            && before.is_none_or(|before| at < before)
        {
            self.prices.news.notify_one();
        }
    }

    /// Until the next price is to be asked sooner than was known.
    pub async fn wait_for_prices(&self) {
        self.prices.news.notified().await;
    }

    /// Rows that there may be, removed ones too: numbers end here.
    pub fn numbers(&self) -> usize {
        self.log.read().rows.len()
    }

    #[cfg(test)]
    pub fn row(&self, number: u32) -> Option<Arc<ChannelRow>> {
        self.log.read().rows.get(number as usize).cloned().flatten()
    }
}

type Rows = (Vec<Arc<ChannelRow>>, Cursor, bool, u64);

impl Log {
    fn take(&mut self, change: &Change) {
        match change {
            Change::Row(number, row) => {
                let index = *number as usize;
                if self.rows.len() <= index {
                    self.rows.resize(index + 1, None);
                }
                self.log.apply(number, row.version, is_urgent(row));
                self.rows[index] = Some(row.clone());
            }
            Change::Forgotten(number) => {
                self.log.forget(number);
                if let Some(row) = self.rows.get_mut(*number as usize) {
                    *row = None;
                }
            }
            Change::Purged(purged) => {
                self.log.pass(purged.at);
                self.purged = *purged;
            }
        }
    }

    /// Who stands before a row that is forgotten may have had it, and would never hear that it was removed.
    fn has_forgotten(&self, cursor: &Cursor) -> bool {
        cursor.position() < self.purged.through && cursor.seen() < self.purged.at && !mutant!(PurgedUnsaid)
    }

    fn page(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Rows, ResyncRequired> {
        let page = self.log.page(cursor, limit)?;
        let row = |number: u32| self.rows.get(number as usize).cloned().flatten();
        let rows = page.rows.iter().filter_map(|entry| row(entry.key)).collect();
        Ok((rows, page.cursor, page.more, page.watermark))
    }
}

/// All rows of a channel but removed ones, some at a time.
#[derive(Debug)]
pub struct Snapshot {
    /// What changes from when its reading began.
    pub cursor: Cursor,
    pub state: ChannelState,
    pub policy: PolicyHash,
    pub as_of: Timestamp,
    shown: Arc<Shown>,
    next: usize,
}

impl Snapshot {
    pub fn begin(shown: Arc<Shown>, now: Timestamp) -> Result<Self, ChannelError> {
        let log = shown.log.read();
        if log.recomputing {
            return Err(ChannelError::Recomputing);
        }
        let (cursor, state, policy) = (log.log.head(), log.state, log.policy);
        drop(log);
        Ok(Self { cursor, state, policy, as_of: now, shown, next: 0 })
    }

    /// Appends some more to `out`. `false`: there are none.
    pub fn next_chunk(&mut self, out: &mut Vec<Arc<ChannelRow>>) -> bool {
        let log = self.shown.log.read();
        let Some(rest) = log.rows.get(self.next..).filter(|rest| !rest.is_empty()) else { return false };
        let chunk = &rest[..rest.len().min(CHUNK_ROWS)];
        self.next += chunk.len();
        out.extend(chunk.iter().flatten().filter(|row| row.state != RowState::Removed).cloned());
        true
    }
}

#[cfg(test)]
mod tests;
