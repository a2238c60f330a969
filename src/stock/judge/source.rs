//! What is known of one source: where its numbers are, what was said to them, and what of it is missing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::names::Names;
use super::owners::Owners;
use super::ring::{Judged, Ring};
use crate::clock::Timestamp;
use crate::domain::LocationId;
use crate::domain::change::{Epoch, Measure, RowKey};
use crate::domain::ids::SourceId;
use crate::stock::config::SourceConfig;
use crate::stock::event::{Event, Verdict};
use crate::stock::levels::Standing;
use crate::stock::report::{REJECTS_KEPT_MAX, Reject, SourceReport, SourceState};
use crate::stock::request::{Outcome, Request};

/// What an epoch is to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// It counts under it; or it was never heard, and may begin with it.
    Current,
    /// It did once.
    Left,
    Unseen,
}

/// Numbers up to `seen` exist, and those up to `after` are what the lowest that came too early waits for.
#[derive(Clone, Copy, Debug)]
struct Gap {
    after: u64,
    seen: u64,
    since: Timestamp,
}

/// Since when a source is behind, in each of the ways it can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub gap: Option<Timestamp>,
    pub unbegun: Option<Timestamp>,
    pub uncovered: Option<Timestamp>,
}

/// One (location, measure) of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Plane {
    spoken: bool,
    /// The number at which all of it was stated; 0 where its source did not number.
    stated: Option<u64>,
    /// And when.
    stated_at: Option<Timestamp>,
}

/// One source, as the fold of its events.
#[derive(Debug)]
pub(super) struct Source {
    pub limits: SourceConfig,
    owners: Arc<Owners>,
    epoch: Option<Epoch>,
    left: HashSet<Epoch>,
    last: u64,
    /// It numbers its changes, and must go on to.
    pub numbers: bool,
    pub ring: Ring,
    pub names: Names,
    gap: Option<Gap>,
    unbegun: Option<(Epoch, Timestamp)>,
    /// A snapshot of a part moved the position up to here.
    uncovered: Option<(u64, Timestamp)>,
    /// What it ever spoke of, of what it owns.
    planes: HashMap<LocationId, [Plane; Measure::ALL.len()]>,
    last_heard: Option<Timestamp>,
    /// The last time that is in the journal too.
    told: Option<Timestamp>,
    /// A snapshot that was refused because it would empty too much.
    pub refused: Option<TooEmpty>,
    rate: Rate,
    rejects: VecDeque<Reject>,
}

impl Source {
    pub fn new(name: &SourceId, owners: &Arc<Owners>) -> Self {
        Self {
            limits: owners.limits(name),
            owners: owners.clone(),
            epoch: None,
            left: HashSet::new(),
            last: 0,
            numbers: false,
            ring: Ring::default(),
            names: Names::default(),
            gap: None,
            unbegun: None,
            uncovered: None,
            planes: HashMap::new(),
            last_heard: None,
            told: None,
            refused: None,
            rate: Rate::default(),
            rejects: VecDeque::new(),
        }
    }

    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn has_begun(&self) -> bool {
        self.epoch.is_some()
    }

    pub fn under(&self, epoch: &Epoch) -> Under {
        match &self.epoch {
            None => Under::Current,
            Some(current) if current == epoch => Under::Current,
            Some(_) if self.left.contains(epoch) => Under::Left,
            Some(_) => Under::Unseen,
        }
    }

    /// The only way anything of this changes that a start must find again.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        if event.is_heard() {
            self.last_heard = self.last_heard.max(Some(at));
            self.told = self.told.max(Some(at));
        }
        match event {
            Event::Row { key, .. } => {
                self.speak_of(&key.location, key.measure);
            }
            Event::Logged { .. } | Event::Heard => {}
            Event::Numbered { sequence, hash, original, trace } => {
                self.numbers = true;
                let judged = Judged { sequence: *sequence, hash: *hash, original: *original, trace: trace.clone() };
                self.ring.put(judged);
                self.last = self.last.max(*sequence);
            }
            Event::Named { event_id, hash, original } => {
                self.names.put(event_id, at, *hash, *original, &self.limits);
            }
            Event::Position { sequence } => {
                self.numbers = true;
                self.last = self.last.max(*sequence);
            }
            Event::Epoch { epoch, sequence } => {
                self.left.extend(self.epoch.take());
                self.left.remove(epoch);
                self.epoch = Some(epoch.clone());
                self.last = *sequence;
                self.ring = Ring::from(*sequence);
                self.gap = None;
                self.unbegun = None;
                self.uncovered = None;
                self.planes.values_mut().flatten().for_each(|plane| (plane.stated, plane.stated_at) = (None, None));
            }
            Event::Unbegun { epoch, since } => {
                let is_current = self.epoch.as_ref() == Some(epoch);
                self.unbegun = (!is_current).then(|| (epoch.clone(), *since));
            }
            Event::Gap { after, seen, since } => {
                self.gap = Some(Gap { after: *after, seen: *seen, since: *since });
            }
            Event::Missed { before } => self.ring.forget(*before),
            Event::Uncovered { up_to, since } => self.uncovered = Some((*up_to, *since)),
            Event::Complete { location, measure, sequence } => {
                if let Some(plane) = self.speak_of(location, *measure) {
                    plane.stated = plane.stated.max(Some(*sequence));
                    plane.stated_at = plane.stated_at.max(Some(at));
                }
            }
        }
    }

    /// It was there. Returns whether that should be kept, for a start to know: nothing else was, for a while.
    pub fn hear(&mut self, now: Timestamp, is_kept: bool) -> bool {
        const KEPT_EVERY: Duration = Duration::from_secs(1);
        self.last_heard = self.last_heard.max(Some(now));
        !is_kept && self.told.is_none_or(|told| told.until(now) >= KEPT_EVERY)
    }

    /// While numbers are missing: what the lowest that came too early follows, unless that was judged since; and the highest.
    pub fn missing(&self) -> Option<(Option<u64>, u64)> {
        self.open_gap().map(|gap| (Some(gap.after).filter(|after| *after > self.last), gap.seen))
    }

    /// When all of the row's (location, measure) was stated.
    pub fn stated_at(&self, key: &RowKey) -> Option<Timestamp> {
        self.planes.get(&key.location)?[key.measure as usize - 1].stated_at
    }

    /// Ending somebody else's pending order is not speaking of it.
    fn speak_of(&mut self, location: &LocationId, measure: Measure) -> Option<&mut Plane> {
        let index = measure as usize - 1;
        let is_known = self.planes.get(location).is_some_and(|planes| planes[index].spoken);
        if !is_known && !self.owners.owns(&self.limits.name, location, measure) {
            return None;
        }
        if !self.planes.contains_key(location) {
            self.planes.insert(location.clone(), Default::default());
        }
        let plane = &mut self.planes.get_mut(location)?[index];
        plane.spoken = true;
        Some(plane)
    }

    fn open_gap(&self) -> Option<Gap> {
        self.gap.filter(|gap| gap.seen > self.last)
    }

    /// Since when, and up to which number, a part of what it owns is behind its position.
    pub fn uncovered(&self) -> Option<(u64, Timestamp)> {
        let (up_to, since) = self.uncovered?;
        let behind = self.planes().any(|(_, _, stated)| stated.unwrap_or(0) < up_to);
        behind.then_some((up_to, since))
    }

    pub fn unbegun(&self) -> Option<&Epoch> {
        self.unbegun.as_ref().map(|(epoch, _)| epoch)
    }

    /// Since when numbers are missing, a snapshot is, or a part is behind, where that is so already.
    pub fn since(&self) -> Since {
        Since {
            gap: self.open_gap().map(|gap| gap.since),
            unbegun: self.unbegun.as_ref().map(|(_, since)| *since),
            uncovered: self.uncovered().map(|(_, since)| since),
        }
    }

    /// What it ever spoke of, and the number at which all of it was stated.
    pub fn planes(&self) -> impl Iterator<Item = (&LocationId, Measure, Option<u64>)> {
        self.planes.iter().flat_map(|(location, planes)| {
            let spoken = Measure::ALL.into_iter().zip(planes).filter(|(_, plane)| plane.spoken);
            spoken.map(move |(measure, plane)| (location, measure, plane.stated))
        })
    }

    pub fn standing(&self) -> Standing {
        let Since { gap, unbegun, uncovered } = self.since();
        Standing { last_heard: self.last_heard, gap_since: [gap, unbegun, uncovered].into_iter().flatten().min() }
    }

    pub fn report(&self, now: Timestamp) -> SourceReport {
        let Standing { last_heard, gap_since } = self.standing();
        let state = match (self.unbegun.is_some(), gap_since) {
            (true, _) => SourceState::SnapshotRequired,
            (false, Some(_)) => SourceState::Gap,
            (false, None) => SourceState::InSequence,
        };
        SourceReport {
            source: self.limits.name.clone(),
            epoch: self.epoch.clone().unwrap_or_default(),
            last_sequence: self.last,
            state,
            last_heard,
            gap_since,
            rate: self.rate.in_last_minute(now),
            rejects: self.rejects.iter().cloned().collect(),
        }
    }

    /// For people to look at; a start forgets it.
    pub fn remember(&mut self, request: &Request, outcomes: &[Outcome], now: Timestamp) {
        self.rate.count(now, outcomes.len() as u64);
        for (change, outcome) in request.changes.iter().zip(outcomes) {
            let (Verdict::Rejected | Verdict::Conflict, Some(reason)) = (outcome.verdict, outcome.reason) else {
                continue;
            };
            let key = change.movement.as_ref().map_or_else(|error| error.key.as_ref(), |movement| Some(&movement.key));
            self.rejects.truncate(REJECTS_KEPT_MAX - 1);
            self.rejects.push_front(Reject {
                at: now,
                verdict: outcome.verdict,
                reason,
                detail: outcome.detail.clone().unwrap_or_default(),
                sequence: change.sequence,
                event_id: change.event_id.clone(),
                sku: key.map(|key| key.sku.clone()),
                location: key.map(|key| key.location.clone()),
            });
        }
    }
}

/// What a snapshot that was refused would have emptied.
#[derive(Debug)]
pub(super) struct TooEmpty {
    pub zeroed: u64,
    pub planes: Vec<(LocationId, Measure)>,
    pub at: Timestamp,
}

impl TooEmpty {
    /// Said again by another: of the same, soon enough, and within a tenth.
    pub fn is_said_again(&self, other: &TooEmpty) -> bool {
        const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
        self.planes == other.planes
            && self.at.until(other.at) <= REMEMBERED
            && self.zeroed.abs_diff(other.zeroed) * 10 <= self.zeroed
    }
}

/// Changes of the last minute, second by second.
#[derive(Debug)]
struct Rate {
    seconds: [(i64, u64); 60],
}

impl Default for Rate {
    fn default() -> Self {
        Self { seconds: [(i64::MIN, 0); 60] }
    }
}

impl Rate {
    fn count(&mut self, now: Timestamp, changes: u64) {
        let second = now.0.div_euclid(1000);
        let slot = &mut self.seconds[second.rem_euclid(60) as usize];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += changes;
    }

    fn in_last_minute(&self, now: Timestamp) -> u64 {
        let second = now.0.div_euclid(1000);
        let recent = self.seconds.iter().filter(|(at, _)| (0..60).contains(&second.saturating_sub(*at)));
        recent.map(|(_, changes)| changes).sum()
    }
}
