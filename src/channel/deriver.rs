//! The writer of all channels: one thread that works out rows, makes them durable, shows and answers, in this order.
//!
//! A round takes what waits: what was asked of channels, changes of the ledger behind the cursor that is kept, rows whose time
//! has come, some of those that are gone through. What it did is one record a channel and, after them, how far the ledger is
//! worked in; one sync for all. Only what is durable is shown, and only what is shown is answered. Cut anywhere, the journal
//! has rows that are ahead of the cursor, never behind: they are worked out once more, and come to the same.
//!
//! Figures are read after the page that says they changed, so they are as new or newer. Where storage fails, what is worked
//! out is ahead of the disk: nothing more is taken until a start reads the disk again. What is shown stays to be read.

mod checkpoint;
mod gauges;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::checkpoint::Progress;
use self::gauges::Gauges;
pub use self::queue::{Job, Queue, Reply};
use super::error::ChannelError;
use super::event::Event;
use super::log::Shown;
use super::machine::{Machine, Part, Scanned, Seat};
use super::pack::{pack_events, pack_stock};
use super::store::{Store, StoreError};
use crate::clock::{Clock, Timestamp};
use crate::domain::{Quantity, Sku};
use crate::journal::pack::Packer;
use crate::mutants::mutant;
use crate::stock::Ledger;
use crate::stock::changes::Cursor;
use crate::stock::levels::{Figures, Net, View};

/// All that is behind what readers see.
#[derive(Debug)]
pub struct Working {
    pub channels: Vec<Channel>,
    store: Store,
    /// The ledger is worked in up to here.
    stock: Option<Cursor>,
    /// And that is kept.
    stock_kept: Option<Cursor>,
    kept_at: Timestamp,
    checkpoint: Option<Progress>,
}

#[derive(Debug)]
pub struct Channel {
    pub machine: Machine,
    pub shown: Arc<Shown>,
    gauges: Gauges,
}

/// SKUs of one kind that are worked out in one round.
const ROUND_SKUS: usize = 4096;

/// SKUs that are read from the ledger while its writer waits.
const READ_AT_ONCE: usize = 64;

/// How far the ledger is worked in is kept at least so often, where no row has changed: a start does that much again.
const KEPT_EVERY: Duration = Duration::from_secs(5);

/// What one round is about.
#[derive(Default)]
struct Round {
    /// For all channels, or for one.
    skus: Vec<(Sku, Option<usize>)>,
    counted: Vec<(Sku, usize)>,
    events: Vec<Vec<Event>>,
    replies: Vec<Reply>,
    /// There is more at once.
    more: bool,
}

impl Working {
    pub fn new(store: Store, channels: Vec<(Machine, Arc<Shown>)>, stock: Option<Cursor>, now: Timestamp) -> Self {
        let channels = channels.into_iter().map(|(machine, shown)| {
            let gauges = Gauges::of(&shown.name);
            Channel { machine, shown, gauges }
        });
        let channels = channels.collect();
        Self { channels, store, stock_kept: stock, stock, kept_at: now, checkpoint: None }
    }

    /// The next commit is written, and said to have failed.
    #[cfg(test)]
    pub fn break_disk(&mut self) {
        self.store.break_disk();
    }

    /// How many of the ledger's changes are not worked in.
    fn lag(&self, ledger: &Ledger) -> u64 {
        let seen = self.stock.as_ref().map_or(0, Cursor::position);
        ledger.watermark().saturating_sub(seen)
    }
}

/// The thread's own.
pub struct Deriver {
    pub working: Arc<Mutex<Working>>,
    pub queue: Arc<Queue>,
    pub ledger: Ledger,
    pub clock: Clock,
}

/// Whoever still waits when the thread ends, however it ends, is told so.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        // Where it ended by itself the queue is closed already.
        self.0.close(ChannelError::NotDurable);
        let why = self.0.closed().unwrap_or(ChannelError::NotDurable);
        self.0.take().into_iter().for_each(|job| job.refuse(why));
    }
}

impl Deriver {
    /// Until the queue is closed, or storage fails.
    pub fn run(self) {
        let ending = Ending(Arc::clone(&self.queue));
        let mut more = true;
        loop {
            if !more {
                self.queue.bell().wait();
            }
            if self.queue.closed().is_some() {
                break;
            }
            match self.round() {
                Ok(again) => more = again,
                Err(error) => {
                    tracing::error!(%error, reason = "channels_read_only", "channels take nothing more");
                    break;
                }
            }
        }
        drop(ending);
    }

    /// Whether there is more to do at once.
    pub fn round(&self) -> Result<bool, StoreError> {
        let mut working = self.working.lock();
        let working = &mut *working;
        let now = self.clock.read().wall;
        let mut round = Round { events: vec![Vec::new(); working.channels.len()], ..Round::default() };
        for job in self.queue.take() {
            let machine = &mut working.channels[job.channel].machine;
            round.replies.push((job.act)(machine, now, &mut round.events[job.channel]));
        }
        self.gather(working, now, &mut round);
        self.derive(working, now, &mut round);
        for (channel, events) in working.channels.iter_mut().zip(&mut round.events) {
            if !channel.machine.has_work(now) {
                channel.machine.judge_blocked(events);
            }
            channel.machine.purge(now, events);
            round.more |= channel.machine.has_work(now);
        }
        let Round { events, replies, mut more, .. } = round;
        if mutant!(PublishedBeforeDurable) {
            self.show(working);
        }
        if let Err(error) = working.keep(&events, now) {
            self.queue.close(ChannelError::NotDurable);
            replies.into_iter().for_each(|reply| reply(Err(ChannelError::NotDurable)));
            return Err(error);
        }
        self.show(working);
        // Whoever does not wait any more comes back for it.
        replies.into_iter().for_each(|reply| reply(Ok(())));
        more |= working.write_checkpoint()?;
        Ok(more)
    }

    /// What is to be worked out.
    fn gather(&self, working: &mut Working, now: Timestamp, round: &mut Round) {
        let page = working.stock.as_ref().map(|cursor| self.ledger.changes(Some(cursor), ROUND_SKUS));
        match page {
            Some(Ok(page)) => {
                round.skus.extend(page.rows.into_iter().map(|row| (row.key, None)));
                round.more |= page.more;
                working.stock = Some(page.cursor);
            }
            // The ledger is not the one that was read, or was never read.
            Some(Err(_)) | None => {
                working.stock = Some(self.ledger.head());
                for (channel, events) in working.channels.iter_mut().zip(&mut round.events) {
                    channel.machine.work_out_anew(events);
                }
                round.more = true;
            }
        }
        for (number, Channel { machine, shown, .. }) in working.channels.iter_mut().enumerate() {
            machine.another_log_gave(shown.take_another(), &mut round.events[number]);
            let view = self.ledger.levels().view(now);
            machine.watch(view.doubts().map(|(source, _, since)| (source, since)), now);
            drop(view);
            let mut skus = Vec::new();
            machine.take_due(now, ROUND_SKUS, &mut skus);
            if skus.len() + round.skus.len() < ROUND_SKUS {
                let mut some = Vec::new();
                let part = |cursor: Option<&Cursor>, most| self.part(cursor, most);
                match machine.scan(ROUND_SKUS, part, &mut some, &mut round.events[number]) {
                    Scanned::Derive => skus.append(&mut some),
                    Scanned::Count => round.counted.extend(some.into_iter().map(|sku| (sku, number))),
                    Scanned::Nothing => {}
                }
            }
            round.skus.extend(skus.into_iter().map(|sku| (sku, Some(number))));
        }
    }

    fn part(&self, cursor: Option<&Cursor>, most: usize) -> Option<Part> {
        let page = self.ledger.changes(cursor, most).ok()?;
        let ends = !page.more;
        Some(Part { skus: page.rows.into_iter().map(|row| row.key).collect(), cursor: page.cursor, ends })
    }

    fn derive(&self, working: &mut Working, now: Timestamp, round: &mut Round) {
        let mut seats = Vec::new();
        for some in round.skus.chunks(READ_AT_ONCE) {
            let view = self.ledger.levels().view(now);
            let read: Vec<_> = some.iter().map(|(sku, _)| read(&view, sku, &mut seats)).collect();
            drop(view);
            for ((sku, only), range) in some.iter().zip(read) {
                for (number, channel) in working.channels.iter_mut().enumerate() {
                    if only.is_none_or(|only| only == number) {
                        channel.machine.derive(sku, &seats[range.clone()], now, &mut round.events[number]);
                    }
                }
            }
            seats.clear();
        }
        for some in round.counted.chunks(READ_AT_ONCE) {
            let view = self.ledger.levels().view(now);
            let read: Vec<_> = some.iter().map(|(sku, _)| read(&view, sku, &mut seats)).collect();
            drop(view);
            for ((sku, number), range) in some.iter().zip(read) {
                working.channels[*number].machine.count_zeros(sku, &seats[range], now);
            }
            seats.clear();
        }
    }

    fn show(&self, working: &mut Working) {
        let lag = working.lag(&self.ledger);
        for Channel { machine, shown, gauges } in &mut working.channels {
            let changes = machine.take_changes();
            gauges.changed(&changes);
            shown.take(&changes, machine.condition());
            let report = machine.report(*shown.watermark().borrow(), lag);
            gauges.set(&report, self.clock.read().wall);
            shown.set_report(report);
            shown.set_next_price(machine.next_price());
        }
    }
}

impl Working {
    fn keep(&mut self, events: &[Vec<Event>], now: Timestamp) -> Result<(), StoreError> {
        let is_moved = self.stock != self.stock_kept;
        let is_due = is_moved && self.kept_at.until(now) >= KEPT_EVERY;
        if events.iter().all(Vec::is_empty) && !is_due {
            return Ok(());
        }
        let cursor = self.stock.filter(|_| is_moved);
        let mut out = Packer::default();
        let put_cursor = |store: &mut Store| match cursor {
            Some(cursor) => {
                let mut out = Packer::default();
                pack_stock(&cursor, &mut out);
                store.put(&out.0)
            }
            None => Ok(()),
        };
        if mutant!(ConsumedBeforeRows) {
            put_cursor(&mut self.store)?;
        }
        for (channel, events) in self.channels.iter().zip(events).filter(|(_, events)| !events.is_empty()) {
            out.0.clear();
            pack_events(&channel.shown.name, events.iter(), &mut out);
            self.store.put(&out.0)?;
        }
        if !mutant!(ConsumedBeforeRows) {
            put_cursor(&mut self.store)?;
        }
        self.store.commit()?;
        self.stock_kept = self.stock;
        self.kept_at = now;
        Ok(())
    }
}

/// What the ledger says of a SKU, appended to `seats`.
pub fn read(view: &View<'_>, sku: &Sku, seats: &mut Vec<Seat>) -> std::ops::Range<usize> {
    let from = seats.len();
    // What is on its way is not sold by channels.
    view.figures(sku.as_str(), |figures| seats.push(Seat::from(figures)), &mut Vec::new());
    from..seats.len()
}

impl From<Figures> for Seat {
    fn from(figures: Figures) -> Self {
        let Figures { location, on_hand, reserved, pending, net, doubt, doubted_since, heard_at, .. } = figures;
        let pending = pending.unwrap_or(Quantity::ZERO);
        let available = match net {
            Net::Known(net) => Some(net),
            Net::Unknown | Net::TooLarge => None,
        };
        let doubt = doubt.zip(doubted_since).map(|(doubt, since)| (doubt.reason(), since));
        Self { location, available, on_hand, reserved, pending, doubt, heard_at }
    }
}
