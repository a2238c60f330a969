//! Which prices of one channel are asked next. Pure: it is given the time, and row numbers for names.
//!
//! What was declared wrong comes first, then what was never asked, then what is about to end or has, then what is older than
//! the channel accepts, each in the order it came due; one place in eight is for the least urgent that wait, so that a
//! stream of invalidations keeps nobody from ever being asked. What was taken is in flight until its answer is told, or for
//! ten minutes. What failed waits longer each time, and nobody waits for it. A "no" is asked again too, ever more seldom.
//!
//! Nothing here is durable: it is made anew from the rows at a start. About 20 bytes a row; every operation but those on all
//! rows costs the logarithm of how many there are.

mod heap;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::heap::{Key, Slots};
use super::fact::PriceFact;
use crate::clock::Timestamp;
use crate::mutants::mutant;

/// A told end is asked about this long before, in case it has moved.
pub const AHEAD_OF_END: Duration = Duration::from_secs(10 * 60);

/// What was told is not asked again sooner, whatever it says of itself.
pub const PAUSE_MIN: Duration = Duration::from_secs(30);

/// After a failure, doubled with each one up to [`FAILURE_PAUSE_MAX`].
pub const FAILURE_PAUSE: Duration = Duration::from_secs(1);
pub const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(300);

/// After a "no", doubled with each one up to a day, or up to the channel's own pace if that is slower.
pub const NO_PAUSE: Duration = Duration::from_secs(10 * 60);
pub const NO_PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Who has not answered after so long is asked again; longer than any deadline.
pub const LOST_AFTER: Duration = Duration::from_secs(600);

/// Of so many places, one is for the least urgent.
const PLACES_FOR_ONE_OF_THE_LEAST: usize = 8;

/// Why a row is asked, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Why {
    /// Its price was declared wrong.
    Invalidated,
    Unasked,
    /// What was told of it ends.
    Ending,
    /// It is older than the channel accepts, or a "no".
    Old,
}

impl Why {
    pub const ALL: [Why; 4] = [Why::Invalidated, Why::Unasked, Why::Ending, Why::Old];
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Not a row of this channel.
    #[default]
    Nowhere,
    /// Due: in its reason's heap.
    Due,
    /// In the heap of those that wait for their time.
    Waiting,
    /// Taken: waits there too, for the time it counts as lost.
    InFlight,
}

/// 16 bytes, and four in a heap.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// When it is due, or since when.
    at: Timestamp,
    /// Where in its heap.
    slot: u32,
    place: Place,
    why: Why,
    /// It was declared wrong while in flight: what comes is no answer to that. The top bit of `noes`.
    noes: u8,
    failures: u8,
}

const OVERTAKEN: u8 = 0x80;

impl Default for Row {
    fn default() -> Self {
        Self { at: Timestamp(0), slot: 0, place: Place::Nowhere, why: Why::Unasked, noes: 0, failures: 0 }
    }
}

impl Row {
    fn is_overtaken(&self) -> bool {
        self.noes & OVERTAKEN != 0
    }

    fn times_no(&self) -> u8 {
        self.noes & !OVERTAKEN
    }
}

/// What waits, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Could be asked at once.
    pub due: usize,
    pub in_flight: usize,
    /// Declared wrong and not answered since.
    pub invalidated: usize,
    /// Could not be asked the last time.
    pub failed: usize,
}

/// One channel's.
#[derive(Debug)]
pub struct Pricing {
    refresh_after: Duration,
    rows: Vec<Row>,
    /// By [`Why`].
    due: [Slots; Why::ALL.len()],
    waiting: Slots,
    in_flight: usize,
    invalidated: usize,
    failed: usize,
}

impl Pricing {
    /// `refresh_after`: a price that is older is asked again.
    pub fn new(refresh_after: Duration) -> Self {
        Self {
            refresh_after,
            rows: Vec::new(),
            due: Default::default(),
            waiting: Slots::default(),
            in_flight: 0,
            invalidated: 0,
            failed: 0,
        }
    }

    /// A row that was never asked. One that is known already stays as it is.
    pub fn wanted(&mut self, row: u32, now: Timestamp) {
        if self.row(row).place == Place::Nowhere {
            self.put(row, Row { at: now, place: Place::Due, ..Row::default() });
        }
    }

    /// Whether what was asked of it may count as an answer to its last invalidation. It may not if the invalidation came
    /// after the question had left; what is asked later gets nothing older than the invalidation.
    pub fn is_answered(&self, row: u32) -> bool {
        !self.row(row).is_overtaken() || mutant!(AnswerFromBeforeTaken)
    }

    /// What is known of a wanted row now, from an answer or (at a start) from before. `is_invalidated`: it is declared wrong
    /// still.
    pub fn told(&mut self, row: u32, fact: &PriceFact, is_invalidated: bool, now: Timestamp) {
        let was = self.row(row);
        if was.place == Place::Nowhere {
            return;
        }
        let fresh = Row { failures: 0, noes: 0, ..was };
        let next = if is_invalidated || !self.is_answered(row) {
            // The first such answer was overtaken, and asking again costs nothing but a question. More of them are a failure.
            let pause =
                if was.is_overtaken() { Duration::ZERO } else { pause(FAILURE_PAUSE, was.failures, FAILURE_PAUSE_MAX) };
            let why = if was.why == Why::Unasked { Why::Unasked } else { Why::Invalidated };
            let failures = if was.is_overtaken() { 0 } else { was.failures.saturating_add(1) };
            Row { at: now.plus(pause), why, failures, ..fresh }
        } else {
            match fact {
                PriceFact::Unknown => Row { at: now, why: Why::Unasked, ..fresh },
                PriceFact::Told { ends, observed_at, .. } => {
                    self.after_price(Row { failures: was.failures, ..fresh }, *ends, *observed_at, now)
                }
                PriceFact::No { observed_at, .. } => {
                    let times = was.times_no();
                    let pause = pause(NO_PAUSE, times, NO_PAUSE_MAX.max(self.refresh_after));
                    let at = observed_at.plus(pause).max(now.plus(PAUSE_MIN));
                    Row { at, why: Why::Old, noes: times.saturating_add(1).min(!OVERTAKEN), ..fresh }
                }
            }
        };
        self.put(row, Row { place: Place::Waiting, ..next });
    }

    fn after_price(&self, row: Row, ends: Option<Timestamp>, observed_at: Timestamp, now: Timestamp) -> Row {
        let soonest = now.plus(PAUSE_MIN.min(self.refresh_after));
        let old = observed_at.plus(self.refresh_after).max(soonest);
        let ends = ends.filter(|_| !mutant!(PriceEndForgotten));
        let ending = match ends {
            None => Timestamp(i64::MAX),
            Some(end) if now < end.minus(AHEAD_OF_END) => end.minus(AHEAD_OF_END),
            Some(end) if now < end => end,
            // It has ended already, says the ERP: to be asked as one that failed.
            Some(_) => {
                let at = now.plus(pause(FAILURE_PAUSE, row.failures, FAILURE_PAUSE_MAX));
                return Row { at, why: Why::Ending, failures: row.failures.saturating_add(1), ..row };
            }
        };
        let (at, why) = if ending <= old { (ending, Why::Ending) } else { (old, Why::Old) };
        Row { at, why, failures: 0, ..row }
    }

    /// It could not be asked.
    pub fn failed(&mut self, row: u32, now: Timestamp) {
        let was = self.row(row);
        if was.place == Place::Nowhere {
            return;
        }
        let pause = pause(FAILURE_PAUSE, was.failures, FAILURE_PAUSE_MAX);
        let at = if mutant!(FailedPriceAskedAtOnce) { now } else { now.plus(pause) };
        let (noes, failures) = (was.times_no(), was.failures.saturating_add(1));
        self.put(row, Row { at, place: Place::Waiting, noes, failures, ..was });
    }

    /// Its price was declared wrong: it is asked again before all others. One that is known to be wrong keeps its place among
    /// those, and its pause if it failed.
    pub fn invalidated(&mut self, row: u32, now: Timestamp) {
        let was = self.row(row);
        let why = if was.why == Why::Unasked { Why::Unasked } else { Why::Invalidated };
        match was.place {
            Place::Nowhere => {}
            Place::InFlight => self.put(row, Row { why, noes: was.noes | OVERTAKEN, ..was }),
            Place::Due | Place::Waiting if was.why == why => {}
            Place::Due | Place::Waiting => self.put(row, Row { at: now, place: Place::Due, why, failures: 0, ..was }),
        }
    }

    /// All of them. Costs a look at every row.
    pub fn invalidated_all(&mut self, now: Timestamp) {
        for row in 0..self.rows.len() {
            self.invalidated(row as u32, now);
        }
    }

    /// Not a row any more. What is told of it later is ignored.
    pub fn forgotten(&mut self, row: u32) {
        if self.row(row).place != Place::Nowhere {
            self.put(row, Row::default());
        }
    }

    /// Up to `n` rows to be asked now, the most urgent first. They are in flight from here on.
    pub fn take(&mut self, now: Timestamp, n: usize, taken: &mut Vec<u32>) {
        self.come_due(now);
        let begun = taken.len();
        let least = if mutant!(LeastUrgentNever) { 0 } else { n / PLACES_FOR_ONE_OF_THE_LEAST };
        let mut down = Why::ALL;
        if mutant!(InvalidatedNotFirst) {
            down.reverse();
        }
        let mut up = down;
        up.reverse();
        // What the least urgent leave free is for the others again.
        for (order, places) in [(down, n - least), (up, n)] {
            for why in order {
                while taken.len() - begun < places
                    && let Some(number) = self.due[why as usize].first()
                {
                    let row = Row { at: now.plus(LOST_AFTER), place: Place::InFlight, ..self.row(number) };
                    self.put(number, row);
                    taken.push(number);
                }
            }
        }
    }

    /// When there is something to take: a time that has passed if there is already.
    pub fn next_due(&self) -> Option<Timestamp> {
        let firsts = self.due.iter().chain([&self.waiting]).filter_map(Slots::first);
        firsts.map(|row| self.row(row).at).min()
    }

    /// As of the last time something was taken.
    pub fn counts(&self) -> Counts {
        Counts {
            due: self.due.iter().map(Slots::len).sum(),
            in_flight: self.in_flight,
            invalidated: self.invalidated,
            failed: self.failed,
        }
    }

    /// Whose time has come is due.
    fn come_due(&mut self, now: Timestamp) {
        while let Some(row) = self.waiting.first()
            && self.row(row).at <= now
        {
            let waited = self.row(row);
            // What was in flight is lost.
            self.put(row, Row { place: Place::Due, noes: waited.times_no(), ..waited });
        }
    }

    fn row(&self, row: u32) -> Row {
        self.rows.get(row as usize).copied().unwrap_or_default()
    }

    /// The one place where a row changes: heaps and counts follow.
    fn put(&mut self, number: u32, row: Row) {
        let index = number as usize;
        if index >= self.rows.len() {
            self.rows.resize(index + 1, Row::default());
        }
        let was = self.rows[index];
        self.count(&was, false);
        match was.place {
            Place::Nowhere => {}
            Place::Due => self.due[was.why as usize].remove(was.slot, &mut self.rows),
            Place::Waiting | Place::InFlight => self.waiting.remove(was.slot, &mut self.rows),
        }
        self.rows[index] = row;
        self.count(&row, true);
        match row.place {
            Place::Nowhere => {}
            Place::Due => self.due[row.why as usize].insert(number, &mut self.rows),
            Place::Waiting | Place::InFlight => self.waiting.insert(number, &mut self.rows),
        }
    }

    fn count(&mut self, row: &Row, there: bool) {
        if row.place == Place::Nowhere {
            return;
        }
        let add = |count: &mut usize, counts: bool| {
            if counts {
                *count = if there { *count + 1 } else { *count - 1 };
            }
        };
        add(&mut self.in_flight, row.place == Place::InFlight);
        add(&mut self.invalidated, row.why == Why::Invalidated);
        add(&mut self.failed, row.failures > 0);
    }
}

impl Key for Row {
    fn key(&self, number: u32) -> (Timestamp, u32) {
        (self.at, number)
    }

    fn slot(&mut self) -> &mut u32 {
        &mut self.slot
    }
}

/// `first`, doubled `times` times, at most `most`.
fn pause(first: Duration, times: u8, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(30)).min(most)
}
