//! What takes effect later: announced changes at a wall-clock time, ends of settling at a monotonic one.
//!
//! Every request looks here once, with the reading of its own arrival, before it reads memory; so nothing depends on a timer
//! being on time. While nothing is due that is two loads. The list is bounded in entries and in ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Named, Reach};
use crate::clock::{Mono, Reading, Timestamp};
use crate::mutants::mutant;

/// Entries that wait at the same time.
pub const WAITING_MAX: usize = 10_000;

/// Ids they name, all together.
pub const IDS_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Said by the ERP: moves with the wall clock.
    Wall(Timestamp),
    /// Counted from when it began.
    Mono(Mono),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Then as if it were invalidated at that moment.
    Invalidate {
        settle: Option<Duration>,
    },
    Expire,
}

#[derive(Clone, Debug)]
pub struct Due {
    pub moment: Moment,
    pub effect: Effect,
    pub named: Arc<Named>,
    pub reach: Reach,
    /// Who asked for it, for the log.
    pub request_id: Arc<str>,
}

#[derive(Debug)]
pub struct DueList {
    /// The soonest of each clock. Written under the lock, after the effects of what was due.
    soonest_mono: AtomicU64,
    soonest_wall: AtomicI64,
    /// A mutex, held to add one and, when something is due, to make it take effect: who comes meanwhile waits for that.
    waiting: Mutex<Vec<Due>>,
    /// Took effect, and listeners are still to be told. A mutex, held for moments; taken within that of `waiting`, never around.
    untold: Mutex<Vec<Due>>,
    added: Notify,
}

impl Default for DueList {
    fn default() -> Self {
        Self {
            soonest_mono: AtomicU64::new(u64::MAX),
            soonest_wall: AtomicI64::new(i64::MAX),
            waiting: Mutex::new(Vec::new()),
            untold: Mutex::default(),
            added: Notify::new(),
        }
    }
}

impl Moment {
    fn has_come(self, now: Reading) -> bool {
        match self {
            Moment::Wall(_) if mutant!(AnnouncementIgnored) => false,
            Moment::Wall(at) => at <= now.wall,
            Moment::Mono(at) => at <= now.mono,
        }
    }

    fn in_how_long(self, now: Reading) -> Duration {
        match self {
            Moment::Wall(at) => Duration::from_millis(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0)),
            Moment::Mono(at) => at.since(now.mono),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Enough,
    /// Said again, because the first answer did not arrive.
    ThereAlready,
}

fn room_for(waiting: &[Due], due: &Due) -> Result<Room, usize> {
    let same = |held: &Due| (held.moment, &held.effect, &held.named) == (due.moment, &due.effect, &due.named);
    if waiting.iter().any(same) {
        return Ok(Room::ThereAlready);
    }
    let ids: usize = waiting.iter().map(|held| held.named.ids()).sum();
    if waiting.len() >= WAITING_MAX || ids + due.named.ids() > IDS_MAX {
        return Err(waiting.len());
    }
    Ok(Room::Enough)
}

impl DueList {
    /// Whether something is due. For the hot path.
    pub fn is_due(&self, now: Reading) -> bool {
        now.mono.0 >= self.soonest_mono.load(Ordering::Acquire)
            || now.wall.0 >= self.soonest_wall.load(Ordering::Acquire)
    }

    /// Whether it could be added; else how many wait.
    pub fn has_room(&self, due: &Due) -> Result<(), usize> {
        room_for(&self.waiting.lock(), due).map(|_| ())
    }

    /// Fails, with how many wait, when there is no room.
    pub fn add(&self, due: Due) -> Result<(), usize> {
        let mut waiting = self.waiting.lock();
        if room_for(&waiting, &due)? == Room::ThereAlready {
            return Ok(());
        }
        waiting.push(due);
        self.set_soonest(&waiting);
        drop(waiting);
        self.added.notify_one();
        Ok(())
    }

    /// Takes out what is due and lets each take effect, the soonest first. What an effect leads to is added.
    pub fn run(&self, now: Reading, mut effect: impl FnMut(&Due) -> Option<Due>) {
        let mut waiting = self.waiting.lock();
        let mut due: Vec<Due> = waiting.extract_if(.., |held| held.moment.has_come(now)).collect();
        due.sort_by_key(|due| match due.moment {
            Moment::Wall(at) => at.0.saturating_sub(now.wall.0).saturating_mul(1000),
            Moment::Mono(at) => -i64::try_from(now.mono.0.saturating_sub(at.0)).unwrap_or(i64::MAX),
        });
        // It takes the place of what was just taken out.
        waiting.extend(due.iter().filter_map(&mut effect));
        self.untold.lock().extend(due.iter().cloned());
        // Only now: who sees that nothing is due sees the effects.
        self.set_soonest(&waiting);
        drop(waiting);
        if !due.is_empty() {
            self.added.notify_one();
        }
    }

    /// Completes when something may be due by `now`'s clocks, or something was added. Wall clocks are set now and then, so
    /// this looks again after a while.
    pub async fn wait(&self, now: Reading) {
        const LOOK_AGAIN: Duration = Duration::from_secs(30);
        let soonest = self.waiting.lock().iter().map(|due| due.moment.in_how_long(now)).min();
        match soonest {
            None => self.added.notified().await,
            Some(pause) => {
                let _ = tokio::time::timeout(pause.min(LOOK_AGAIN), self.added.notified()).await;
            }
        }
    }

    /// Everything that waits.
    pub fn waiting(&self) -> Vec<Due> {
        self.waiting.lock().clone()
    }

    /// What took effect and listeners do not know yet, the first to take effect first.
    pub fn untold(&self) -> Vec<Due> {
        self.untold.lock().clone()
    }

    /// They know of the first so many.
    pub fn told(&self, count: usize) {
        let mut untold = self.untold.lock();
        let count = count.min(untold.len());
        untold.drain(..count);
    }

    pub fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn set_soonest(&self, waiting: &[Due]) {
        let (mut mono, mut wall) = (u64::MAX, i64::MAX);
        for due in waiting {
            match due.moment {
                Moment::Mono(at) => mono = mono.min(at.0),
                Moment::Wall(at) => wall = wall.min(at.0),
            }
        }
        self.soonest_mono.store(mono, Ordering::Release);
        self.soonest_wall.store(wall, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sku;

    fn at(mono: u64, wall: i64) -> Reading {
        Reading { mono: Mono(mono), wall: Timestamp(wall) }
    }

    fn due(moment: Moment, sku: &str) -> Due {
        let named = Named { skus: vec![Sku::new(sku).unwrap()], ..Named::default() };
        let reach =
            Reach::of(&Named { all: true, ..Named::default() }, &crate::erp::connector::Capabilities::plain()).unwrap();
        Due { moment, effect: Effect::Expire, named: Arc::new(named), reach, request_id: "test".into() }
    }

    fn skus(list: &DueList, now: Reading) -> Vec<String> {
        let mut ran = Vec::new();
        list.run(now, |due| {
            ran.push(due.named.skus[0].to_string());
            None
        });
        ran
    }

    #[test]
    fn each_comes_due_by_its_own_clock_to_the_tick() {
        let list = DueList::default();
        assert!(!list.is_due(at(u64::MAX - 1, i64::MAX - 1)));
        list.add(due(Moment::Mono(Mono(1000)), "mono")).unwrap();
        list.add(due(Moment::Wall(Timestamp(5000)), "wall")).unwrap();
        assert!(!list.is_due(at(999, 4999)));
        assert!(list.is_due(at(1000, 0)));
        assert!(list.is_due(at(0, 5000)));
        assert!(skus(&list, at(999, 4999)).is_empty());
        assert_eq!(skus(&list, at(1000, 0)), ["mono"]);
        // The wall clock was set back: what has happened has happened.
        assert!(!list.is_due(at(2000, 100)));
        assert_eq!(skus(&list, at(2000, 6000)), ["wall"]);
        assert!(list.is_empty());
    }

    #[test]
    fn what_is_due_together_runs_in_order_and_may_lead_to_more() {
        let list = DueList::default();
        list.add(due(Moment::Wall(Timestamp(20)), "second")).unwrap();
        list.add(due(Moment::Wall(Timestamp(10)), "first")).unwrap();
        let mut ran = Vec::new();
        list.run(at(0, 30), |entry| {
            ran.push(entry.named.skus[0].to_string());
            Some(due(Moment::Mono(Mono(100)), "next"))
        });
        assert_eq!(ran, ["first", "second"]);
        assert!(!list.is_due(at(99, 30)));
        assert!(list.is_due(at(100, 30)));
    }

    #[test]
    fn the_list_is_bounded_and_forgives_repetition() {
        let list = DueList::default();
        for n in 0..WAITING_MAX {
            list.add(due(Moment::Mono(Mono(n as u64)), "S")).unwrap();
        }
        assert_eq!(list.add(due(Moment::Mono(Mono(5)), "S")), Ok(()), "said again");
        assert_eq!(list.add(due(Moment::Mono(Mono(5)), "T")), Err(WAITING_MAX));
        assert_eq!(list.len(), WAITING_MAX);
    }
}
