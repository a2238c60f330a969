//! What is known of one source: where its numbers are, what was said to them, and what of it is missing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::names::Names;
use super::ring::{Judged, Ring};
use crate::clock::Timestamp;
use crate::domain::LocationId;
use crate::domain::change::{Epoch, Measure, RowKey};
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

/// One (location, measure) of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Plane {
    spoken: bool,
    /// The number at which all of it was stated.
    stated: Option<u64>,
}

/// One source, as the fold of its events.
#[derive(Debug)]
pub(super) struct Source {
    pub limits: SourceConfig,
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
    /// What it ever spoke of.
    planes: HashMap<LocationId, [Plane; Measure::ALL.len()]>,
    last_heard: Option<Timestamp>,
    /// The last time that is in the journal too.
    told: Option<Timestamp>,
    /// Rows that a snapshot which was refused would have emptied.
    pub refused: Option<u64>,
    rate: Rate,
    rejects: VecDeque<Reject>,
}

impl Source {
    pub fn new(limits: SourceConfig) -> Self {
        Self {
            limits,
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
                let planes = match self.planes.get_mut(&key.location) {
                    Some(planes) => planes,
                    None => self.planes.entry(key.location.clone()).or_default(),
                };
                planes[key.measure as usize - 1].spoken = true;
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
                self.numbers |= *sequence > 0;
                self.last = self.last.max(*sequence);
            }
            Event::Epoch { epoch, sequence } => {
                self.left.extend(self.epoch.take());
                self.left.remove(epoch);
                self.epoch = Some(epoch.clone());
                self.last = *sequence;
                self.numbers |= *sequence > 0;
                self.ring = Ring::from(*sequence);
                self.gap = None;
                self.unbegun = None;
                self.uncovered = None;
                self.planes.values_mut().flatten().for_each(|plane| plane.stated = None);
            }
            Event::Unbegun { epoch } => {
                let is_current = self.epoch.as_ref() == Some(epoch);
                self.unbegun = (!is_current).then(|| (epoch.clone(), at));
            }
            Event::Gap { after, seen } => {
                let since = self.open_gap().map_or(at, |gap| gap.since);
                self.gap = Some(Gap { after: *after, seen: *seen, since });
            }
            Event::Missed { before } => self.ring.forget(*before),
            Event::Uncovered { up_to } => self.uncovered = Some((*up_to, at)),
            Event::Complete { location, measure, sequence } => {
                let planes = self.planes.entry(location.clone()).or_default();
                let plane = &mut planes[*measure as usize - 1];
                plane.spoken = true;
                plane.stated = plane.stated.max(Some(*sequence));
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

    /// The number at which all of the row's (location, measure) was stated.
    pub fn stated(&self, key: &RowKey) -> u64 {
        self.planes.get(&key.location).and_then(|planes| planes[key.measure as usize - 1].stated).unwrap_or(0)
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

    /// What it ever spoke of, and the number at which all of it was stated.
    pub fn planes(&self) -> impl Iterator<Item = (&LocationId, Measure, Option<u64>)> {
        self.planes.iter().flat_map(|(location, planes)| {
            let spoken = Measure::ALL.into_iter().zip(planes).filter(|(_, plane)| plane.spoken);
            spoken.map(move |(measure, plane)| (location, measure, plane.stated))
        })
    }

    pub fn standing(&self) -> Standing {
        let since = [
            self.open_gap().map(|gap| gap.since),
            self.unbegun.as_ref().map(|(_, since)| *since),
            self.uncovered().map(|(_, since)| since),
        ];
        Standing { last_heard: self.last_heard, gap_since: since.into_iter().flatten().min() }
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
