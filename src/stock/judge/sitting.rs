//! One request before the judge: the rules for a change, in the order in which they are asked.

use super::expiry::Expiries;
use super::owners::Owners;
use super::source::Source;
use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowKey, Unreadable};
use crate::mutants::mutant;
use crate::stock::config::OnGap;
use crate::stock::event::{Event, Original, Row, Trace, Verdict};
use crate::stock::intake::Working;
use crate::stock::request::{IntakeError, Outcome};

/// Named rows of one level: a page adds all of them up.
const ROWS_OF_LEVEL_MAX: usize = 10_000;

pub(super) struct Sitting<'j, 'r, 'l> {
    pub owners: &'j Owners,
    pub expiries: &'j mut Expiries,
    pub source: &'j mut Source,
    pub rows: &'r mut Working<'l>,
    pub now: Timestamp,
    pub levels_max: usize,
    /// What was done.
    pub events: Vec<Event>,
}

/// What orders a change among those of its source.
#[derive(Clone, Copy, Debug)]
enum Place {
    Number(u64),
    /// When it was true there.
    Time(Timestamp),
}

/// Why a change is not taken.
#[derive(Debug)]
struct Refused {
    verdict: Verdict,
    reason: &'static str,
    detail: String,
}

fn refused(reason: &'static str, detail: impl Into<String>) -> Refused {
    Refused { verdict: Verdict::Rejected, reason, detail: detail.into() }
}

/// A change that was taken: the place of its SKU in the change log, where a figure moved.
type Taken = Result<Option<u64>, Refused>;

impl Sitting<'_, '_, '_> {
    /// It happened: from here on everybody who judges knows.
    pub fn event(&mut self, event: Event) {
        self.source.apply(&event, self.now);
        self.expiries.take(&self.source.limits.name, &event);
        if let Event::Row { key, row } = &event {
            self.rows.put(key, row.clone());
        }
        self.events.push(event);
    }

    pub fn change(&mut self, change: &Change) -> Outcome {
        match change.sequence {
            Some(sequence) => self.numbered(change, sequence),
            None => self.unnumbered(change),
        }
    }

    /// The number of what says nothing at all, where exactly one is missing and the next says to follow it: or one line that
    /// cannot be read would stop its source for ever, coming first each time. Whoever waited for the number had their time.
    pub fn left_for(&self, change: &Change, next: Option<&Change>) -> Option<u64> {
        let is_noise = change.sequence.is_none() && change.event_id.is_none();
        if !is_noise || !matches!(&change.movement, Err(unreadable) if unreadable.says_nothing()) {
            return None;
        }
        let next = next?;
        let after = next.after.or(next.sequence?.checked_sub(1))?;
        (after == self.source.last() + 1 && !mutant!(NoiseLeavesAHole)).then_some(after)
    }

    pub fn numbered(&mut self, change: &Change, sequence: u64) -> Outcome {
        let last = self.source.last();
        if sequence <= last {
            return self.again(change, sequence);
        }
        let after = change.after.unwrap_or(sequence - 1);
        if after > last {
            if after - last > self.source.limits.gap_max {
                if let Some(key) = key_of(change) {
                    self.suspect(key);
                }
                let detail = format!("its source is at {last}, and it says to follow {after}");
                return Outcome::not_taken(Verdict::Rejected, "out_of_range", detail);
            }
            match self.source.limits.on_gap {
                OnGap::Stop if !mutant!(GapTaken) => {
                    self.early(after, sequence);
                    return Outcome { expected_sequence: Some(last + 1), ..Outcome::of(Verdict::Gap) };
                }
                OnGap::Stop => {}
                OnGap::Continue if mutant!(MissedUnmarked) => {}
                OnGap::Continue => self.event(Event::Missed { before: after }),
            }
        }
        let taken = self.taken(change, Place::Number(sequence));
        let trace = match (&taken, &change.movement) {
            (Ok(_), Ok(movement)) => Some(Trace::Applied(movement.clone())),
            (Err(refused), _) if refused.reason == "not_owner" => None,
            _ => key_of(change).cloned().map(Trace::Rejected),
        };
        let (outcome, original) = said(taken);
        if outcome.verdict == Verdict::Applied || !mutant!(RejectedKeepsItsNumber) {
            self.event(Event::Numbered { sequence, hash: change.hash, original, trace });
        }
        outcome
    }

    /// A number that was judged already, or passed over.
    fn again(&mut self, change: &Change, sequence: u64) -> Outcome {
        match self.source.ring.get(sequence) {
            Some(judged) if judged.hash == change.hash || mutant!(ReusedNumberUnseen) => {
                Outcome { original: Some(judged.original), ..Outcome::of(Verdict::Duplicate) }
            }
            Some(_) => {
                let name = &self.source.limits.name;
                tracing::error!(source = %name, sequence, reason = "sequence_reused", "a source counts anew under its old epoch: was it restored?");
                if let Some(key) = key_of(change) {
                    self.suspect(key);
                }
                let detail =
                    format!("another change came under {sequence}: after a restore, a source begins a new epoch");
                Outcome::not_taken(Verdict::Conflict, "sequence_reused", detail)
            }
            None => Outcome::of(Verdict::Duplicate),
        }
    }

    /// What comes before it is missing.
    fn early(&mut self, after: u64, sequence: u64) {
        let known = self.source.missing();
        let (lowest, seen) = known.unwrap_or((None, sequence));
        let (lowest, seen) = (lowest.map_or(after, |lowest| lowest.min(after)), seen.max(sequence));
        if known != Some((Some(lowest), seen)) {
            let since = self.source.since().gap.unwrap_or(self.now);
            self.event(Event::Gap { after: lowest, seen, since });
        }
    }

    fn unnumbered(&mut self, change: &Change) -> Outcome {
        if let Some(event_id) = &change.event_id
            && let Some(named) = self.source.names.get(event_id)
        {
            if named.hash == change.hash {
                return Outcome { original: Some(named.original), ..Outcome::of(Verdict::Duplicate) };
            }
            let detail = format!("another change came under the eventId {event_id}");
            return Outcome::not_taken(Verdict::Conflict, "event_id_reused", detail);
        }
        let taken = self.timed(change);
        let (outcome, original) = said(taken);
        if let Some(event_id) = &change.event_id {
            self.event(Event::Named { event_id: event_id.clone(), hash: change.hash, original });
        }
        outcome
    }

    /// A change that is ordered by when it was true.
    fn timed(&mut self, change: &Change) -> Taken {
        let Ok(movement) = &change.movement else { return self.taken(change, Place::Time(self.now)) };
        if self.source.numbers && !mutant!(NumberingForgotten) {
            return Err(refused("sequence_missing", "its source numbers its changes, and this one has no number"));
        }
        let Some(at) = change.effective_at else {
            return Err(refused("effective_at_missing", "a change without a number needs effectiveAt"));
        };
        let limits = &self.source.limits;
        if at > self.now.plus(limits.skew_max) && !mutant!(ClockAheadBelieved) {
            let detail = format!("effectiveAt is more than {:?} ahead of the gateway's clock", limits.skew_max);
            return self.spoiled(&movement.key, refused("clock_ahead", detail));
        }
        if movement.kind == ChangeKind::Add {
            if change.event_id.is_none() {
                return Err(refused("event_id_missing", "an ADD without a number needs an eventId"));
            }
            if at < self.source.names.horizon(self.now, limits) && !mutant!(OldAddTaken) {
                let detail = "it is older than what eventIds are remembered of: it may have been taken already";
                return self.spoiled(&movement.key, refused("too_old_to_deduplicate", detail));
            }
        }
        self.taken(change, Place::Time(at))
    }

    fn taken(&mut self, change: &Change, place: Place) -> Taken {
        match &change.movement {
            Ok(movement) => self.movement(movement, place),
            Err(Unreadable { reason, detail, key }) => {
                let refused = refused(reason, detail.clone());
                match key {
                    Some(key) => self.spoiled(key, refused),
                    None => Err(refused),
                }
            }
        }
    }

    fn movement(&mut self, movement: &Movement, place: Place) -> Taken {
        let key = &movement.key;
        if !self.owners.owns(&self.source.limits.name, &key.location, key.measure) {
            let detail = format!("{} at {} is told by another source", key.measure.as_str(), key.location);
            return Err(refused("not_owner", detail));
        }
        let kept = self.rows.row(key);
        if let Place::Time(at) = place {
            // An ADD from before the last SET is in its figure; a SET from before it is no news.
            let stated = kept.as_ref().map(|row| Timestamp(row.stated.cast_signed())).max(self.source.stated_at(key));
            if stated > Some(at) && !mutant!(LateSetTaken) {
                return Err(Refused { verdict: Verdict::OutOfDate, reason: "", detail: String::new() });
            }
        }
        let old = kept.filter(|row| !row.is_over(key, self.now));
        let is_known = old.is_some() || self.rows.has_level(key);
        if !is_known && self.rows.levels() >= self.levels_max && !mutant!(LedgerUnbounded) {
            let detail = format!("there are {} levels already", self.levels_max);
            return Err(refused("ledger_full", detail));
        }
        if !is_known && !self.rows.has_room_for(&key.location) {
            return Err(refused("ledger_full", "there are as many locations as may be"));
        }
        if old.is_none() && !key.row.is_empty() && self.rows.rows_of(key) >= ROWS_OF_LEVEL_MAX {
            let detail = format!("the level has {ROWS_OF_LEVEL_MAX} rows already");
            return Err(refused("ledger_full", detail));
        }
        let is_known = is_known || self.rows.is_complete(&key.location, key.measure);
        let row = match self.figure(movement, place, old.as_ref()) {
            Ok(row) => row,
            Err(refused) => return self.spoiled(key, refused),
        };
        // An order whose reservation is there is not pending any more, however late it is told.
        let ends = key.measure == Measure::Pending
            && reserved_as(key).is_some_and(|key| self.stands(&key))
            && !mutant!(PendingOutlivesReservation);
        let row = if ends { None } else { row };
        let counts = |row: Option<&Row>| {
            row.filter(|row| !row.is_over(key, self.now))
                .map_or((Quantity::ZERO, None, None), |row| (row.quantity, row.expected_on, row.expires_at))
        };
        let moved = counts(old.as_ref()) != counts(row.as_ref()) || !is_known;
        let mut row = row;
        if let (Some(row), Some(old), false) = (&mut row, &old, moved) {
            row.changed_at = old.changed_at;
        }
        let is_there = row.as_ref().is_some_and(|row| !row.is_over(key, self.now));
        self.event(Event::Row { key: key.clone(), row });
        let id = moved.then(|| self.rows.moved(key));
        if is_there
            && let Some(pending) = pending_as(key)
            && self.stands(&pending)
            && !mutant!(PendingOutlivesReservation)
        {
            self.event(Event::Row { key: pending.clone(), row: None });
            return Ok(Some(self.rows.moved(&pending)));
        }
        Ok(id)
    }

    /// The row as it will be. `None`: there will be none.
    fn figure(&self, movement: &Movement, place: Place, old: Option<&Row>) -> Result<Option<Row>, Refused> {
        let Movement { kind, key, quantity, expected_on, expires_at } = movement;
        let (sequence, number, at) = match place {
            Place::Number(number) => (number, number, None),
            Place::Time(at) => (0, at.0.cast_unsigned(), Some(at)),
        };
        let row = Row {
            quantity: *quantity,
            expected_on: *expected_on,
            expires_at: *expires_at,
            changed_at: self.now,
            effective_at: at,
            sequence,
            stated: number,
            suspect: false,
        };
        match kind {
            ChangeKind::Set if *quantity == Quantity::ZERO && !key.row.is_empty() => {
                // Without numbers only the row itself knows that what comes late is older: it stays to say so, for as long as
                // something may come late.
                let until = self.now.plus(self.source.limits.dedupe_window);
                Ok(at.filter(|_| !mutant!(RemovedRowComesBack)).map(|_| Row {
                    expected_on: None,
                    expires_at: Some(until),
                    ..row
                }))
            }
            ChangeKind::Set => {
                // Told late, between the last figure and what was added to it since: what of that is in it nobody knows.
                let added_since = at.is_some_and(|at| old.is_some_and(|old| old.effective_at > Some(at)));
                let effective_at = at.and_then(|at| old.and_then(|old| old.effective_at).max(Some(at)));
                Ok(Some(Row { suspect: added_since, effective_at, ..row }))
            }
            ChangeKind::Add => {
                let zero = Row { quantity: Quantity::ZERO, stated: 0, ..row.clone() };
                let is_zero = self.rows.is_complete(&key.location, key.measure) || mutant!(AddNeedsNoBase);
                let Some(base) = old.or(is_zero.then_some(&zero)) else {
                    return Err(refused(
                        "no_base_figure",
                        "nothing is known that it could be added to: SET comes first",
                    ));
                };
                let Some(sum) = base.quantity.plus(*quantity) else {
                    return Err(refused("out_of_range", "the sum is more than a quantity can hold"));
                };
                let effective_at = at.and_then(|at| base.effective_at.max(Some(at)));
                // Stated by its time, that says nothing of numbers.
                let stated = if at.is_none() && base.effective_at.is_some() { 0 } else { base.stated };
                let suspect = base.suspect;
                let (expected_on, expires_at) = (expected_on.or(base.expected_on), expires_at.or(base.expires_at));
                Ok(Some(Row { quantity: sum, expected_on, expires_at, effective_at, stated, suspect, ..row }))
            }
        }
    }

    /// A row that counts.
    pub fn stands(&self, key: &RowKey) -> bool {
        self.rows.row(key).is_some_and(|row| !row.is_over(key, self.now))
    }

    /// What was said of the row could not be taken, so that its figure may be wrong.
    fn spoiled(&mut self, key: &RowKey, refused: Refused) -> Taken {
        self.suspect(key);
        Err(refused)
    }

    fn suspect(&mut self, key: &RowKey) {
        if !self.owners.owns(&self.source.limits.name, &key.location, key.measure) || mutant!(RejectedUnmarked) {
            return;
        }
        let row = match self.rows.row(key).filter(|row| !row.is_over(key, self.now)) {
            Some(row) if row.suspect => return,
            Some(row) => Row { suspect: true, ..row },
            // That it is zero follows from a snapshot, and may be wrong from now on.
            None if self.rows.is_complete(&key.location, key.measure)
                && self.rows.levels() < self.levels_max
                && self.rows.rows_of(key) < ROWS_OF_LEVEL_MAX =>
            {
                Row::doubtful_zero(self.now)
            }
            None => return,
        };
        self.event(Event::Row { key: key.clone(), row: Some(row) });
    }

    /// "I am at this number." Returns what is expected where that is further than what is known.
    pub fn heartbeat(&mut self, at: u64) -> Option<u64> {
        let last = self.source.last();
        if at <= last || mutant!(HeartbeatIgnored) {
            return None;
        }
        let gap_max = self.source.limits.gap_max;
        let is_believed = at - last <= gap_max;
        if is_believed && self.source.limits.on_gap == OnGap::Continue {
            self.event(Event::Missed { before: at });
            self.event(Event::Position { sequence: at });
            return None;
        }
        // Something is missing, whatever the number. Of one that is too far to be believed it is as much as can be: or one
        // wrong number would mark the source for ever.
        let at = if is_believed { at } else { last.saturating_add(gap_max) };
        if is_believed || !mutant!(FarHeartbeatUnmarked) {
            self.early(at, at);
        }
        Some(last + 1)
    }

    /// It was heard, whether or not it said something.
    pub fn heard(&mut self) {
        let is_kept = self.events.iter().any(Event::is_heard);
        if self.source.hear(self.now, is_kept) {
            self.event(Event::Heard);
        }
    }

    pub fn unbegun(&mut self, epoch: &Epoch) {
        if self.source.unbegun() != Some(epoch) {
            let since = self.source.since().unbegun.unwrap_or(self.now);
            self.event(Event::Unbegun { epoch: epoch.clone(), since });
        }
    }

    /// What is missing is given up, up to `to`.
    pub fn skip(&mut self, to: Option<u64>) -> Result<(), IntakeError> {
        let last = self.source.last();
        if let Some((after, seen)) = self.source.missing() {
            // Further, and what is still to come would be taken for a repetition. Where the lowest that came too early was
            // judged since, only the highest is known to have come.
            let to = to.or(after).or((seen - 1 > last).then_some(seen - 1)).ok_or(IntakeError::NoGap)?;
            if !(last + 1..=seen).contains(&to) && !mutant!(SkipLosesWhatComes) {
                return Err(IntakeError::OutOfGap { from: last + 1, to: seen });
            }
            self.event(Event::Missed { before: to });
            self.event(Event::Position { sequence: to });
            return Ok(());
        }
        if self.source.uncovered().is_some() && to.is_none() {
            self.event(Event::Uncovered { up_to: 0, since: self.now });
            return Ok(());
        }
        Err(IntakeError::NoGap)
    }

    /// A row's time is over.
    pub fn end(&mut self, key: &RowKey) {
        let old = self.rows.row(key);
        // The unnamed row stays, so that it is known to be zero.
        let row = old.clone().filter(|_| key.row.is_empty());
        let row = row.map(|row| Row { quantity: Quantity::ZERO, expires_at: None, changed_at: self.now, ..row });
        self.event(Event::Row { key: key.clone(), row });
        if old.is_some_and(|old| old.quantity != Quantity::ZERO) {
            self.rows.moved(key);
        }
    }
}

fn said(taken: Taken) -> (Outcome, Original) {
    let outcome = match taken {
        Ok(change_id) => Outcome { change_id, ..Outcome::of(Verdict::Applied) },
        Err(Refused { verdict: Verdict::OutOfDate, .. }) => Outcome::of(Verdict::OutOfDate),
        Err(Refused { verdict, reason, detail }) => Outcome::not_taken(verdict, reason, detail),
    };
    let original = Original { verdict: outcome.verdict, reason: outcome.reason, change_id: outcome.change_id };
    (outcome, original)
}

fn key_of(change: &Change) -> Option<&RowKey> {
    match &change.movement {
        Ok(movement) => Some(&movement.key),
        Err(unreadable) => unreadable.key.as_ref(),
    }
}

/// The pending order that this reservation ends.
pub(super) fn pending_as(key: &RowKey) -> Option<RowKey> {
    let pairs = key.measure == Measure::Reserved && !key.row.is_empty();
    pairs.then(|| RowKey { measure: Measure::Pending, ..key.clone() })
}

/// The reservation that ends this pending order.
pub(super) fn reserved_as(key: &RowKey) -> Option<RowKey> {
    let pairs = key.measure == Measure::Pending && !key.row.is_empty();
    pairs.then(|| RowKey { measure: Measure::Reserved, ..key.clone() })
}
