//! A snapshot: all of a part of what a source owns, as it was at one of its numbers.
//!
//! It is staged beside live changes and judged in one piece: its rows, what is not in it at zero, and laid over them the
//! changes after its number that were taken already. What differs then from what is known are its changes.

mod scope;
mod staged;

use std::collections::HashSet;

use self::scope::Scope;
pub use self::staged::Staged;
use self::staged::{Fast, Figure};
use super::Judge;
use super::sitting::{Sitting, pending_as, reserved_as};
use super::source::{TooEmpty, Under};
use crate::clock::Timestamp;
use crate::domain::change::{ChangeKind, Measure, RowKey};
use crate::domain::{LocationId, Quantity};
use crate::mutants::mutant;
use crate::stock::event::{Event, Row, Trace};
use crate::stock::intake::{PLACES_MAX, Working};
use crate::stock::request::{IntakeError, LINES_NAMED_MAX, SnapshotAnswer, SnapshotError};

/// A snapshot that was taken.
#[derive(Debug)]
pub struct Restated {
    pub answer: SnapshotAnswer,
    /// All it did; nothing where it was only tried.
    pub events: Vec<Event>,
    /// Each (location, measure) it states all of.
    pub planes: Vec<(LocationId, Measure)>,
}

type Table = Fast<Target>;

/// A row as it will be. Named rows that are removed are not there.
#[derive(Clone, Copy, Debug)]
struct Target {
    figure: Figure,
    suspect: bool,
}

impl Judge {
    /// What was decided it knows from then on, and `rows` too. `rows` holds nothing that is not visible.
    pub fn put_snapshot(
        &mut self,
        rows: &mut Working<'_>,
        staged: Staged,
        now: Timestamp,
    ) -> Result<Restated, SnapshotError> {
        let name = staged.head.source.clone();
        if !self.knows(&name) {
            return Err(IntakeError::UnknownSource.into());
        }
        let mut sitting = self.sitting(&name, rows, now);
        let restated = sitting.snapshot(staged)?;
        Ok(Restated { events: sitting.events, ..restated })
    }
}

impl Sitting<'_, '_, '_> {
    fn snapshot(&mut self, staged: Staged) -> Result<Restated, SnapshotError> {
        let Staged { head, rows: told, spoiled, read, rejected, rejects, .. } = staged;
        let under = self.source.under(&head.epoch);
        let begins = under == Under::Unseen || !self.source.has_begun();
        let last = self.source.last();
        let sequence = match head.sequence {
            None if self.source.numbers => return Err(SnapshotError::Unnumbered),
            sequence => sequence,
        };
        // Where nothing is numbered, its figures are ordered by time, and these are of now.
        let number = sequence.unwrap_or(self.now.0.cast_unsigned());
        if under == Under::Left {
            return Err(SnapshotError::OutOfDate);
        }
        let scope = Scope::of(&head, self.owners, self.source, told.keys())?;
        let lines = |is_bad: &dyn Fn(&RowKey) -> bool| {
            let mut lines: Vec<u64> = told.iter().filter(|(key, _)| is_bad(key)).map(|(_, (line, _))| *line).collect();
            lines.sort_unstable();
            lines.truncate(LINES_NAMED_MAX);
            lines
        };
        let owns = |key: &RowKey| self.owners.owns(&head.source, &key.location, key.measure);
        let foreign = lines(&|key| !owns(key));
        let outside = lines(&|key| !scope.has(key));
        for (reason, what, lines) in [
            ("not_owner", "a row of what its source does not own", foreign),
            ("out_of_scope", "a row of what it does not say to hold", outside),
        ] {
            if !lines.is_empty() {
                return Err(SnapshotError::Lines { reason, what, lines });
            }
        }
        if under == Under::Unseen && !scope.holds_all(self.source) {
            return Err(SnapshotError::ScopeTooSmall);
        }
        if !begins && sequence.is_some() {
            if scope.stated(self.source) >= Some(number) {
                return Err(SnapshotError::OutOfDate);
            }
            if number < last && number < self.source.ring.floor() && !mutant!(OldSnapshotTaken) {
                return Err(SnapshotError::TooOld { remembered: self.source.ring.floor() });
            }
        }
        if scope.planes().iter().any(|(location, _)| !self.rows.has_room_for(location)) {
            return Err(SnapshotError::LedgerFull { limit: PLACES_MAX });
        }
        let table = self.table(told, spoiled, number, begins, &scope);
        let restating = self.differences(table, number, sequence.is_none(), begins, &scope)?;
        let Restating { rows: changed, moved, zeroed, had } = restating;
        let limits = &self.source.limits;
        let guarded = zeroed > limits.zeroed_rows_min
            && zeroed * 100 > had * u64::from(limits.zeroed_percent_max)
            && !mutant!(EmptiedUnguarded);
        if guarded && !head.force && !head.dry_run {
            let refused = TooEmpty { zeroed, planes: scope.planes(), at: self.now };
            let before = self.source.refused.take();
            let is_said_again = before.is_some_and(|before| before.is_said_again(&refused));
            self.source.refused = Some(refused);
            if !is_said_again {
                return Err(SnapshotError::TooManyZeros { zeroed, rows: had });
            }
        }
        let last_sequence = sequence.map_or(last, |sequence| if begins { sequence } else { last.max(sequence) });
        let answer = SnapshotAnswer {
            rows: read,
            rejected,
            changed: moved,
            zeroed,
            last_sequence,
            dry_run: head.dry_run,
            rejects,
        };
        let planes = scope.planes();
        if head.dry_run {
            return Ok(Restated { answer, events: Vec::new(), planes: Vec::new() });
        }
        self.source.refused = None;
        let epoch = head.epoch;
        let whole = scope.holds_all(self.source);
        self.events.reserve(changed.len() + planes.len() + 4);
        if begins {
            self.event(Event::Epoch { epoch: epoch.clone(), sequence: sequence.unwrap_or(0) });
            if let Some(sequence) = sequence {
                // It numbers, also from 0.
                self.event(Event::Position { sequence });
            }
        }
        for Changed { key, row, moved } in changed {
            if moved {
                self.rows.moved(&key);
            }
            self.event(Event::Row { key, row });
        }
        for (location, measure) in &planes {
            let (location, measure) = (location.clone(), *measure);
            self.event(Event::Complete { location, measure, sequence: sequence.unwrap_or(0) });
        }
        if let Some(sequence) = sequence.filter(|sequence| *sequence > last && !begins) {
            // What came between may have been about the rest of what it owns.
            if !mutant!(PartCoversAll) {
                self.event(Event::Missed { before: sequence });
            }
            self.event(Event::Position { sequence });
            if !whole && !mutant!(PartCoversAll) {
                let since = self.source.since().uncovered.unwrap_or(self.now);
                self.event(Event::Uncovered { up_to: sequence, since });
            }
        }
        if whole && !begins && self.source.unbegun().is_some() {
            // The other one was old, not new: all is known under this one.
            self.event(Event::Unbegun { epoch, since: self.now });
        }
        Ok(Restated { answer, events: Vec::new(), planes })
    }

    /// Its rows as they are by now: with those that could not be read as they were, and what was taken since laid over.
    fn table(
        &self,
        told: Fast<(u64, Figure)>,
        spoiled: Vec<RowKey>,
        number: u64,
        begins: bool,
        scope: &Scope,
    ) -> Table {
        let mut table: Table = told
            .into_iter()
            .filter(|(key, (_, row))| key.row.is_empty() || row.quantity != Quantity::ZERO)
            .map(|(key, (_, figure))| (key, Target { figure, suspect: false }))
            .collect();
        for key in &spoiled {
            let figure = self.rows.row(key).filter(|row| !row.is_over(key, self.now));
            let figure = figure.map_or(Figure::ZERO, |row| figure_of(&row));
            table.insert(key.clone(), Target { figure, suspect: true });
        }
        // Their figures have all that came since.
        let spoiled: HashSet<RowKey> = spoiled.into_iter().collect();
        if !begins && !mutant!(SnapshotForgetsLater) {
            for judged in self.source.ring.after(number) {
                match &judged.trace {
                    Some(trace) if scope.has(trace.key()) && !spoiled.contains(trace.key()) => {
                        lay_over(&mut table, trace);
                    }
                    _ => {}
                }
            }
        }
        // An order that is reserved is not pending any more.
        let ended: Vec<RowKey> = table.keys().filter(|key| self.is_reserved(key, &table, scope)).cloned().collect();
        for key in ended {
            table.remove(&key);
        }
        table
    }

    fn is_reserved(&self, key: &RowKey, table: &Table, scope: &Scope) -> bool {
        let Some(reserved) = reserved_as(key) else { return false };
        if scope.has(&reserved) { table.contains_key(&reserved) } else { self.stands(&reserved) }
    }

    fn differences(
        &self,
        table: Table,
        number: u64,
        by_time: bool,
        begins: bool,
        scope: &Scope,
    ) -> Result<Restating, SnapshotError> {
        let mut restating = Restating::default();
        let mut new_levels = HashSet::new();
        let row_of = |target: &Target, old: Option<&Row>| Row {
            quantity: target.figure.quantity,
            expected_on: target.figure.expected_on,
            expires_at: target.figure.expires_at,
            changed_at: old.map_or(self.now, |old| old.changed_at),
            effective_at: by_time.then_some(self.now),
            sequence: if by_time { 0 } else { number },
            stated: number,
            suspect: target.suspect,
        };
        // Told by another source, which owned it before.
        let mut foreign = HashSet::new();
        // What is known and not in it is zero, or gone.
        self.rows.for_each_visible(|told, source| {
            let key = &told.key;
            if !scope.has(key) {
                return;
            }
            let is_foreign = *source != self.source.limits.name;
            if is_foreign {
                foreign.insert(key.clone());
            }
            let counts = !told.row.is_over(key, self.now) && told.row.quantity != Quantity::ZERO;
            let is_guarded = matches!(key.measure, Measure::OnHand | Measure::Available);
            restating.had += u64::from(counts && is_guarded);
            if table.contains_key(key) {
                return;
            }
            restating.zeroed += u64::from(counts && is_guarded);
            if !key.row.is_empty() {
                restating.rows.push(Changed { key: key.clone(), row: None, moved: counts });
            } else if counts || told.row.suspect || begins || is_foreign {
                let target = Target { figure: Figure::ZERO, suspect: false };
                let changed_at = if counts { self.now } else { told.row.changed_at };
                let row = Row { changed_at, ..row_of(&target, None) };
                restating.rows.push(Changed { key: key.clone(), row: Some(row), moved: counts });
            }
        });
        for (key, target) in table {
            let kept = self.rows.row(&key);
            let old = kept.as_ref().filter(|row| !row.is_over(&key, self.now));
            let is_known = old.is_some() || self.rows.has_level(&key);
            if !is_known {
                new_levels.insert((key.sku.clone(), key.location.clone(), key.measure));
                if self.rows.levels() + new_levels.len() > self.levels_max {
                    return Err(SnapshotError::LedgerFull { limit: self.levels_max });
                }
            }
            let was = old.map_or((Quantity::ZERO, None, None), |old| (old.quantity, old.expected_on, old.expires_at));
            let is = (target.figure.quantity, target.figure.expected_on, target.figure.expires_at);
            let is_known = is_known || self.rows.is_complete(&key.location, key.measure);
            let moved = was != is || !is_known;
            let is_guarded = matches!(key.measure, Measure::OnHand | Measure::Available);
            restating.zeroed += u64::from(is_guarded && was.0 != Quantity::ZERO && is.0 == Quantity::ZERO);
            if let Some(pending) = pending_as(&key).filter(|pending| !scope.has(pending) && self.stands(pending)) {
                restating.rows.push(Changed { key: pending, row: None, moved: true });
            }
            // A row as it was needs no word: that all is stated says it.
            let is_same = old.is_some_and(|old| old.suspect == target.suspect) && !begins && !foreign.contains(&key);
            if moved || !is_same {
                let row = row_of(&target, old.filter(|_| !moved));
                restating.rows.push(Changed { key, row: Some(row), moved });
            }
        }
        restating.moved = restating.rows.iter().filter(|row| row.moved).count() as u64;
        // The same snapshot gets the same places, whatever order its rows were put into.
        restating.rows.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(restating)
    }
}

#[derive(Debug, Default)]
struct Restating {
    rows: Vec<Changed>,
    moved: u64,
    /// Of ON_HAND and AVAILABLE.
    zeroed: u64,
    had: u64,
}

#[derive(Debug)]
struct Changed {
    key: RowKey,
    row: Option<Row>,
    moved: bool,
}

/// One change more, after a snapshot that did not have it.
fn lay_over(table: &mut Table, trace: &Trace) {
    match trace {
        Trace::Applied(movement) => {
            let key = &movement.key;
            let (quantity, expected_on, expires_at) = (movement.quantity, movement.expected_on, movement.expires_at);
            let figure = Figure { quantity, expected_on, expires_at };
            match movement.kind {
                ChangeKind::Set if movement.quantity == Quantity::ZERO && !key.row.is_empty() => {
                    table.remove(key);
                }
                ChangeKind::Set => {
                    table.insert(key.clone(), Target { figure, suspect: false });
                }
                ChangeKind::Add => {
                    let target =
                        table.entry(key.clone()).or_insert_with(|| Target { figure: Figure::ZERO, suspect: false });
                    match target.figure.quantity.plus(movement.quantity) {
                        Some(sum) => target.figure.quantity = sum,
                        None => target.suspect = true,
                    }
                    target.figure.expected_on = movement.expected_on.or(target.figure.expected_on);
                    target.figure.expires_at = movement.expires_at.or(target.figure.expires_at);
                }
            }
            if let Some(pending) = pending_as(key).filter(|_| table.contains_key(key)) {
                table.remove(&pending);
            }
            if reserved_as(key).is_some_and(|reserved| table.contains_key(&reserved)) {
                table.remove(key);
            }
        }
        Trace::Rejected(key) => {
            table.entry(key.clone()).or_insert_with(|| Target { figure: Figure::ZERO, suspect: false }).suspect = true;
        }
    }
}

fn figure_of(row: &Row) -> Figure {
    Figure { quantity: row.quantity, expected_on: row.expected_on, expires_at: row.expires_at }
}
