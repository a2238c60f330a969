//! The judge beside a naive model of the same rules, which remembers everything: whatever is shuffled, repeated, overtaken,
//! burned, halved, restored or begun anew, both say the same and hold the same.

use std::collections::{BTreeMap, BTreeSet};

use super::numbers::head;
use super::*;

struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// Some seconds' worth.
const SEEDS: u64 = 200;

type Figures = BTreeMap<RowKey, Quantity>;

/// The ERP: everything that ever happened in it, in its order.
struct Erp {
    epoch: Epoch,
    epochs: u64,
    changes: Vec<Change>,
    /// What it held when its epoch began.
    base: Figures,
    begun_at: u64,
    /// Of all its changes so far: numbers reused after a restore say something else.
    salt: u64,
}

impl Erp {
    fn last(&self) -> u64 {
        self.changes.last().map_or(self.begun_at, |change| change.sequence.unwrap())
    }

    fn work(&mut self, draw: &mut Draw, breaks: bool) {
        let last = self.last();
        // Numbers that belong to others, or were burned.
        let sequence = last + if draw.chance(20) { 1 + draw.below(4) } else { 1 };
        let at = *draw.of(&[
            "A PARIS",
            "B PARIS",
            "A LYON",
            "B LYON",
            "A PARIS RESERVED o1",
            "A PARIS RESERVED o2",
            "B PARIS RESERVED o1",
            "A PARIS PENDING o1",
            "A PARIS PENDING o2",
            "B LYON INCOMING p1",
        ]);
        let kind =
            if draw.chance(60) || !self.at(last).contains_key(&key(at)) { ChangeKind::Set } else { ChangeKind::Add };
        let quantity = draw.below(6).to_string();
        self.salt += 1;
        let told = change(sequence, movement(kind, at, &quantity));
        let mut told = Change { hash: crc(&format!("{} {}", told.hash, self.salt)), ..told };
        if sequence > last + 1 {
            told.after = Some(last);
        }
        if breaks && draw.chance(5) {
            let error =
                Unreadable { reason: "malformed_decimal", detail: "".into(), key: draw.chance(70).then(|| key(at)) };
            told.movement = Err(error);
        }
        self.changes.push(told);
    }

    /// What it held at a number.
    fn at(&self, sequence: u64) -> Figures {
        let mut figures = self.base.clone();
        for change in self.changes.iter().filter(|change| change.sequence.unwrap() <= sequence) {
            if let Ok(movement) = &change.movement {
                fold(&mut figures, movement);
            }
        }
        figures
    }
}

fn fold(figures: &mut Figures, movement: &Movement) {
    let key = &movement.key;
    match movement.kind {
        ChangeKind::Set => {
            figures.insert(key.clone(), movement.quantity);
        }
        ChangeKind::Add => {
            let figure = figures.entry(key.clone()).or_insert(Quantity::ZERO);
            *figure = figure.plus(movement.quantity).unwrap();
        }
    }
    if movement.kind == ChangeKind::Set && movement.quantity == Quantity::ZERO && !key.row.is_empty() {
        figures.remove(key);
    }
    let is_there = figures.contains_key(key);
    let twin = |measure| RowKey { measure, ..key.clone() };
    if key.measure == Measure::Reserved && is_there {
        figures.remove(&twin(Pending));
    }
    if key.measure == Pending && figures.contains_key(&twin(Measure::Reserved)) {
        figures.remove(key);
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Level {
    quantity: Quantity,
    stated: u64,
    suspect: bool,
}

const NOTHING: Level = Level { quantity: Quantity::ZERO, stated: 0, suspect: false };

/// What the ledger should hold, kept the naive way.
#[derive(Default)]
struct Model {
    goes_on: bool,
    epoch: Option<Epoch>,
    left: BTreeSet<Epoch>,
    last: u64,
    floor: u64,
    missed: u64,
    seen: u64,
    uncovered: u64,
    judged: BTreeMap<u64, (Change, &'static str)>,
    rows: BTreeMap<RowKey, Level>,
    /// (location, measure) ever spoken of, and the number at which all of it was stated.
    planes: BTreeMap<(LocationId, Measure), Option<u64>>,
    requires: bool,
}

impl Model {
    fn push(&mut self, epoch: &Epoch, changes: &[Change]) -> Vec<(&'static str, &'static str)> {
        if self.epoch.is_none() {
            self.epoch = Some(epoch.clone());
        }
        if self.epoch.as_ref() != Some(epoch) {
            let is_left = self.left.contains(epoch);
            self.requires |= !is_left;
            let said = if is_left { OUT_OF_DATE } else { ("CONFLICT", "snapshot_required") };
            return vec![said; changes.len()];
        }
        changes.iter().map(|change| self.change(change)).collect()
    }

    fn change(&mut self, change: &Change) -> (&'static str, &'static str) {
        let sequence = change.sequence.unwrap();
        let key =
            change.movement.as_ref().map_or_else(|error| error.key.clone(), |movement| Some(movement.key.clone()));
        if sequence <= self.last {
            let same = self.judged.get(&sequence).is_none_or(|(judged, _)| judged.hash == change.hash);
            if same {
                return DUPLICATE;
            }
            self.spoil(key);
            return ("CONFLICT", "sequence_reused");
        }
        let after = change.after.unwrap_or(sequence - 1);
        if after > self.last {
            if !self.goes_on {
                self.seen = self.seen.max(sequence);
                return GAP;
            }
            self.missed = self.missed.max(after);
            self.floor = self.floor.max(after);
        }
        self.last = sequence;
        let verdict = match &change.movement {
            Err(error) => Some(error.reason),
            Ok(Movement { kind: ChangeKind::Add, key, .. })
                if !self.rows.contains_key(key) && !self.is_complete(key) =>
            {
                Some("no_base_figure")
            }
            Ok(_) => None,
        };
        self.judged.insert(sequence, (change.clone(), verdict.unwrap_or("")));
        if let Some(reason) = verdict {
            self.spoil(key);
            return ("REJECTED", reason);
        }
        self.take(sequence, change.movement.as_ref().unwrap());
        APPLIED
    }

    fn is_complete(&self, key: &RowKey) -> bool {
        self.planes.get(&(key.location.clone(), key.measure)).is_some_and(Option::is_some)
    }

    fn spoil(&mut self, key: Option<RowKey>) {
        let Some(key) = key else { return };
        if self.is_complete(&key) || self.rows.contains_key(&key) {
            self.rows.entry(key).or_insert(NOTHING).suspect = true;
        }
    }

    fn take(&mut self, sequence: u64, movement: &Movement) {
        let key = &movement.key;
        self.planes.entry((key.location.clone(), key.measure)).or_default();
        let old = self.rows.get(key).cloned().unwrap_or(NOTHING);
        let mut figures = self.figures();
        fold(&mut figures, movement);
        self.rows.retain(|key, _| figures.contains_key(key));
        if let Some(quantity) = figures.get(key) {
            let level = match movement.kind {
                ChangeKind::Set => Level { quantity: *quantity, stated: sequence, suspect: false },
                ChangeKind::Add => Level { quantity: *quantity, ..old },
            };
            self.rows.insert(key.clone(), level);
        }
    }

    fn figures(&self) -> Figures {
        self.rows.iter().map(|(key, level)| (key.clone(), level.quantity)).collect()
    }

    fn heartbeat(&mut self, at: u64) -> Option<u64> {
        if at <= self.last {
            return None;
        }
        if self.goes_on {
            (self.missed, self.floor, self.last) = (self.missed.max(at), self.floor.max(at), at);
            return None;
        }
        self.seen = self.seen.max(at);
        Some(self.last + 1)
    }

    fn skip(&mut self, to: u64) -> bool {
        if self.seen <= self.last || !(self.last + 1..=self.seen).contains(&to) {
            return false;
        }
        (self.missed, self.floor, self.last) = (self.missed.max(to), self.floor.max(to), to);
        true
    }

    fn snapshot(
        &mut self,
        epoch: &Epoch,
        number: u64,
        location: Option<&str>,
        told: &Figures,
    ) -> Result<(), &'static str> {
        if self.left.contains(epoch) {
            return Err("out_of_date");
        }
        let location = location.map(|text| LocationId::new(text).unwrap());
        let spoken: BTreeSet<LocationId> =
            self.planes.keys().map(|(at, _)| at.clone()).chain(told.keys().map(|key| key.location.clone())).collect();
        let locations = location.map_or(spoken, |location| BTreeSet::from([location]));
        let measures = Measure::ALL.into_iter().filter(|measure| *measure != Measure::Available);
        let scope: BTreeSet<(LocationId, Measure)> =
            measures.flat_map(|measure| locations.iter().map(move |at| (at.clone(), measure))).collect();
        let whole = self.planes.keys().all(|plane| scope.contains(plane));
        let begins = self.epoch.as_ref() != Some(epoch);
        if begins && self.epoch.is_some() && !whole {
            return Err("snapshot_required");
        }
        if !begins {
            if scope.iter().filter_map(|plane| self.planes.get(plane).copied().flatten()).any(|stated| stated >= number)
            {
                return Err("out_of_date");
            }
            if number < self.last && number < self.floor {
                return Err("snapshot_too_old");
            }
        }
        let within = |key: &RowKey| scope.contains(&(key.location.clone(), key.measure));
        let mut next = told.clone();
        let mut suspects = BTreeSet::new();
        if begins {
            self.left.extend(self.epoch.replace(epoch.clone()));
            self.judged.clear();
            (self.missed, self.seen, self.uncovered, self.requires) = (0, 0, 0, false);
            (self.last, self.floor) = (number, number);
            self.planes.values_mut().for_each(|plane| *plane = None);
        } else {
            for (change, reason) in self.judged.range(number + 1..).map(|(_, judged)| judged) {
                match (&change.movement, *reason) {
                    (Ok(movement), "") if within(&movement.key) => {
                        fold(&mut next, movement);
                        if movement.kind == ChangeKind::Set {
                            suspects.remove(&movement.key);
                        }
                    }
                    (Ok(Movement { key, .. }), _) | (Err(Unreadable { key: Some(key), .. }), _) if within(key) => {
                        next.entry(key.clone()).or_insert(Quantity::ZERO);
                        suspects.insert(key.clone());
                    }
                    _ => {}
                }
            }
        }
        let orders: Vec<RowKey> = {
            let twin = |key: &RowKey| RowKey { measure: Measure::Reserved, ..key.clone() };
            next.keys().filter(|key| key.measure == Pending && next.contains_key(&twin(key))).cloned().collect()
        };
        next.retain(|key, _| !orders.contains(key));
        let old = std::mem::take(&mut self.rows);
        for (key, level) in old {
            if !within(&key) {
                self.rows.insert(key, level);
            } else if key.row.is_empty() {
                next.entry(key).or_insert(Quantity::ZERO);
            }
        }
        for (key, quantity) in next {
            let suspect = suspects.contains(&key);
            self.rows.insert(key, Level { quantity, stated: number, suspect });
        }
        for plane in scope {
            self.planes.insert(plane, Some(number));
        }
        self.requires &= !whole;
        if number > self.last {
            (self.missed, self.floor, self.last) = (number, number, number);
            self.uncovered = if whole { self.uncovered } else { number };
        }
        Ok(())
    }

    /// What readers see of each row.
    fn seen(&self) -> BTreeMap<RowKey, (Quantity, bool)> {
        let seen = self.rows.iter().map(|(key, level)| {
            let plane = self.planes.get(&(key.location.clone(), key.measure)).copied().flatten();
            let stated = level.stated.max(plane.unwrap_or(0));
            (key.clone(), (level.quantity, level.suspect || stated < self.missed))
        });
        seen.collect()
    }

    fn state(&self) -> SourceState {
        let behind = self.planes.values().any(|stated| stated.unwrap_or(0) < self.uncovered);
        match (self.requires, self.seen > self.last || behind) {
            (true, _) => SourceState::SnapshotRequired,
            (_, true) => SourceState::Gap,
            _ => SourceState::InSequence,
        }
    }
}

/// As the writer does: what comes too early is held while it may, and goes on when it can.
struct World {
    court: Court,
    model: Model,
    erp: Erp,
    sent: usize,
    draw: Draw,
}

impl World {
    fn new(seed: u64, goes_on: bool) -> Self {
        let on_gap = if goes_on { OnGap::Continue } else { OnGap::Stop };
        let wms = SourceConfig { on_gap, zeroed_rows_min: 1_000, ..source("wms") };
        let erp =
            Erp { epoch: Epoch::default(), epochs: 0, changes: Vec::new(), base: Figures::new(), begun_at: 0, salt: 0 };
        let model = Model { goes_on, ..Model::default() };
        Self { court: court(vec![wms]), model, erp, sent: 0, draw: Draw(seed) }
    }

    fn send(&mut self, from: usize, to: usize) {
        let changes = self.erp.changes[from.min(to)..to].to_vec();
        let epoch = self.erp.epoch.clone();
        self.push(epoch, changes);
    }

    fn push(&mut self, epoch: Epoch, changes: Vec<Change>) {
        let expected = self.model.push(&epoch, &changes);
        let request = Request { source: wms(), epoch, changes, heartbeat: None };
        let decision = self.court.request(&request);
        assert_eq!(said(&decision), expected, "{request:?}");
        assert_eq!(decision.last_sequence, self.model.last);
    }

    fn snapshot(&mut self, number: u64, location: Option<&str>) {
        let mut told = self.erp.at(number);
        if let Some(location) = location {
            told.retain(|key, _| key.location.as_str() == location);
        }
        let expected = self.model.snapshot(&self.erp.epoch, number, location, &told);
        let locations = location.map(|text| LocationId::new(text).unwrap()).into_iter().collect();
        let head = SnapshotHead { epoch: self.erp.epoch.clone(), sequence: Some(number), locations, ..head() };
        let rows = told
            .into_iter()
            .map(|(key, quantity)| Ok(SnapshotRow { key, quantity, expected_on: None, expires_at: None }));
        let answer = self.court.lines(head, rows.collect());
        assert_eq!(answer.map(|_| ()).map_err(|error| error.reason()), expected, "at {number} of {location:?}");
    }

    fn step(&mut self, restores: bool) {
        let ready = self.erp.changes.len();
        match self.draw.below(20) {
            0..8 => {
                self.erp.work(&mut self.draw, restores);
            }
            // The next ones; or half of them now, and all of them later.
            8..12 => {
                let to = (self.sent + 1 + self.draw.below(4) as usize).min(ready);
                self.send(self.sent, to);
                self.sent = if self.draw.chance(80) { to } else { self.sent };
            }
            12 => {
                let from = self.draw.below(self.sent as u64 + 1) as usize;
                self.send(from, (from + 3).min(ready));
            }
            // Overtaken.
            13 => {
                let from = (self.sent + 1 + self.draw.below(3) as usize).min(ready);
                self.send(from, (from + 2).min(ready));
            }
            14 => self.court.restart(),
            15 => {
                let at = self.erp.last();
                let location = [None, None, Some("PARIS"), Some("LYON")][self.draw.below(4) as usize];
                let at =
                    if self.draw.chance(50) { at } else { at - self.draw.below(6).min(at - self.erp.begun_at.min(at)) };
                self.snapshot(at, location);
            }
            16 => {
                let at = self.erp.last();
                let epoch = self.erp.epoch.clone();
                if self.model.epoch.as_ref().is_none_or(|known| *known == epoch) {
                    let expected = self.model.heartbeat(at);
                    self.model.epoch = Some(epoch.clone());
                    let request = Request { source: wms(), epoch, changes: Vec::new(), heartbeat: Some(at) };
                    assert_eq!(self.court.request(&request).expected_sequence, expected);
                }
            }
            17 if self.draw.chance(30) => {
                let to = self.model.last + 1 + self.draw.below(4);
                if self.model.epoch.is_some() && self.model.seen > self.model.last {
                    let skipped = self.model.skip(to);
                    assert_eq!(self.court.skip(Some(to)).is_ok(), skipped);
                }
            }
            // Restored from a copy of before: the same numbers, other changes.
            18 if restores && self.draw.chance(30) => {
                let lost = self.draw.below(5) as usize;
                self.erp.changes.truncate(ready.saturating_sub(lost));
                self.sent = self.sent.min(self.erp.changes.len());
            }
            // A new epoch, which begins with what is there.
            19 if self.draw.chance(20) => {
                let base = self.erp.at(self.erp.last());
                self.erp.epochs += 1;
                let epoch = Epoch::new(&format!("e{}", self.erp.epochs)).unwrap();
                let old = std::mem::replace(&mut self.erp.epoch, epoch);
                let late: Vec<_> = self.erp.changes.last().cloned().into_iter().collect();
                (self.erp.base, self.erp.begun_at) = (base, self.draw.below(3) * 100);
                self.erp.changes.clear();
                self.sent = 0;
                if self.draw.chance(50) {
                    self.erp.work(&mut self.draw, false);
                    self.send(0, 1);
                }
                if self.draw.chance(70) {
                    self.snapshot(self.erp.begun_at, None);
                }
                self.push(old, late);
            }
            _ => {}
        }
        self.court.pass(1);
    }

    fn check(&self) {
        let mut held = BTreeMap::new();
        self.court.levels.for_each(|told, _| {
            held.insert(told.key.clone(), (told.row.quantity, told.suspect));
        });
        assert_eq!(held, self.model.seen());
        if self.model.epoch.is_some() {
            let report = self.court.report();
            assert_eq!((report.last_sequence, report.state), (self.model.last, self.model.state()));
        }
    }
}

#[test]
fn the_judge_says_and_holds_what_a_naive_model_does() {
    for seed in 0..SEEDS {
        for goes_on in [false, true] {
            let mut world = World::new(seed, goes_on);
            for step in 0..120 {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    world.step(true);
                    world.check();
                }));
                assert!(caught.is_ok(), "seed {seed}, goes on {goes_on}, step {step}");
            }
        }
    }
}

/// Without a restore and without changes nobody can read, all that was sent in the end is what the source holds.
#[test]
fn in_the_end_the_ledger_holds_what_its_source_does() {
    for seed in 0..200 {
        let mut world = World::new(seed, false);
        for _ in 0..100 {
            world.step(false);
        }
        if world.model.epoch.as_ref().is_some_and(|epoch| *epoch != world.erp.epoch) || world.draw.chance(30) {
            world.erp.work(&mut world.draw, false);
            world.snapshot(world.erp.last(), None);
        }
        let ready = world.erp.changes.len();
        world.send(0, ready);
        world.check();
        // What was skipped is marked, and is right again once it is stated.
        world.erp.work(&mut world.draw, false);
        world.snapshot(world.erp.last(), None);
        let mut held = Figures::new();
        world.court.levels.for_each(|told, _| {
            assert!(!told.suspect, "seed {seed}: {told:?}");
            if told.row.quantity != Quantity::ZERO {
                held.insert(told.key.clone(), told.row.quantity);
            }
        });
        let mut truth = world.erp.at(world.erp.last());
        truth.retain(|_, quantity| *quantity != Quantity::ZERO);
        assert_eq!(held, truth, "seed {seed}");
        assert_eq!(world.court.state(), SourceState::InSequence);
    }
}

#[test]
fn sets_without_numbers_end_in_the_newest_whatever_their_order() {
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let mut court = court(vec![source("wms")]);
        let changes: Vec<Change> = (0..20)
            .map(|n| {
                let quantity = if draw.chance(30) { "0".into() } else { draw.below(50).to_string() };
                let row = *draw.of(&["BOLT", "BOLT PARIS RESERVED o1"]);
                let told = movement(ChangeKind::Set, row, &quantity);
                let at = Timestamp(NOW.0 - 1000 * draw.below(20) as i64);
                Change {
                    sequence: None,
                    after: None,
                    event_id: draw.chance(70).then(|| format!("{n}").into()),
                    effective_at: Some(at),
                    hash: n,
                    movement: Ok(told),
                }
            })
            .collect();
        let mut newest: BTreeMap<RowKey, (Timestamp, Quantity)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for _ in 0..60 {
            let change = draw.of(&changes).clone();
            let Ok(told) = &change.movement else { unreachable!() };
            let at = change.effective_at.unwrap();
            let is_new = change.event_id.is_none() || seen.insert(change.hash);
            let entry = newest.entry(told.key.clone()).or_insert((at, told.quantity));
            let taken = is_new && at >= entry.0;
            if taken {
                *entry = (at, told.quantity);
            }
            let verdict = match (is_new, taken) {
                (false, _) => DUPLICATE,
                (true, true) => APPLIED,
                (true, false) => OUT_OF_DATE,
            };
            assert_eq!(court.verdicts(vec![change]), [verdict], "seed {seed}");
            if draw.chance(10) {
                court.restart();
            }
        }
        for (key, (_, quantity)) in newest {
            let held = court.levels.row(&key).filter(|row| !row.is_over(&key, court.now));
            let expected = (quantity != Quantity::ZERO || key.row.is_empty()).then_some(quantity);
            assert_eq!(held.map(|row| row.quantity), expected, "seed {seed}: {key:?}");
        }
    }
}
