//! The rules of the ledger, all of them, and nothing else: what becomes of a change, given what was said before.
//!
//! Pure: figures, time and requests are given; what comes out is what was said and the events that did it. The judge's own
//! state is the fold of the same events, so that a start is a replay. Owns no figure: those are the levels'.
//!
//! A number is judged once. Whatever was said to it, it is said again: also a rejection takes its number, or one bad change
//! would stop its source for ever.

mod expiry;
mod names;
mod owners;
mod ring;
mod sitting;
mod snapshot;
mod source;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::snapshot::{Restated, Staged};

use self::expiry::Expiries;
use self::owners::Owners;
use self::sitting::Sitting;
use self::source::{Source, Under};
use super::config::{OnGap, StockConfig};
use super::event::{Batch, Event, Verdict};
use super::intake::Working;
use super::levels::Standing;
use super::report::SourceReport;
use super::request::{IntakeError, Outcome, Request};
use crate::clock::Timestamp;
use crate::domain::ids::SourceId;
use crate::mutants::mutant;

/// Sources there may be where any may push: a name is quickly made up.
const ANY_SOURCES_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Judge {
    owners: Arc<Owners>,
    sources: HashMap<SourceId, Source>,
    expiries: Expiries,
    levels_max: usize,
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per change, in their order.
    pub outcomes: Vec<Outcome>,
    pub last_sequence: u64,
    /// A heartbeat was beyond what is known.
    pub expected_sequence: Option<u64>,
    /// All it did, without [`Event::Logged`]: that follows from [`Working::moved`].
    pub events: Vec<Event>,
}

impl Judge {
    pub fn new(config: &StockConfig) -> Self {
        let owners = Arc::new(Owners::new(config));
        let of = |source: &super::SourceConfig| (source.name.clone(), Source::new(&source.name, &owners));
        let sources = config.sources.iter().map(of).collect();
        Self { owners, sources, expiries: Expiries::default(), levels_max: config.levels_max }
    }

    /// Whether the source may push at all.
    pub fn knows(&self, source: &SourceId) -> bool {
        self.sources.contains_key(source) || (self.owners.any_source() && self.sources.len() < ANY_SOURCES_MAX)
    }

    /// Numbers before the request's own are missing, so that it is too early.
    pub fn must_wait(&self, request: &Request) -> bool {
        let never_heard;
        let source = match self.sources.get(&request.source) {
            Some(source) => source,
            None => {
                never_heard = Source::new(&request.source, &self.owners);
                &never_heard
            }
        };
        if !self.knows(&request.source) || source.under(&request.epoch) != Under::Current {
            return false;
        }
        let mut last = source.last();
        for change in &request.changes {
            let Some(sequence) = change.sequence.filter(|sequence| *sequence > last) else { continue };
            let after = change.after.unwrap_or(sequence - 1);
            if after > last {
                return after - last <= source.limits.gap_max;
            }
            last = sequence;
        }
        let beyond = request.heartbeat.filter(|at| *at > last && *at - last <= source.limits.gap_max);
        // Who stops at a gap is told at once that there is one; who goes on would lose what is on its way.
        source.limits.on_gap == OnGap::Continue && beyond.is_some()
    }

    /// What was decided it knows from then on, and `rows` too.
    pub fn decide(&mut self, rows: &mut Working<'_>, request: &Request, now: Timestamp) -> Decision {
        if !self.knows(&request.source) {
            let detail = match self.owners.any_source() {
                true => format!("{ANY_SOURCES_MAX} sources have pushed already"),
                false => format!("no source {} is configured", request.source),
            };
            let outcome = Outcome::not_taken(Verdict::Rejected, "unknown_source", detail);
            return Decision { outcomes: vec![outcome; request.changes.len()], ..Decision::default() };
        }
        let mut sitting = self.sitting(&request.source, rows, now);
        // Mostly a row, its number and its place in the change log: growing to that would take twice as much.
        sitting.events.reserve_exact(3 * request.changes.len());
        let outcomes = match sitting.source.under(&request.epoch) {
            Under::Current => {
                if !sitting.source.has_begun() {
                    sitting.event(Event::Epoch { epoch: request.epoch.clone(), sequence: 0 });
                }
                let nexts = request.changes.iter().skip(1).map(Some).chain([None]);
                let changes = request.changes.iter().zip(nexts);
                let outcomes = changes.map(|(change, next)| match sitting.left_for(change, next) {
                    Some(sequence) => sitting.numbered(change, sequence),
                    None => sitting.change(change),
                });
                outcomes.collect()
            }
            Under::Left if !mutant!(LeftEpochTaken) => {
                vec![Outcome::of(Verdict::OutOfDate); request.changes.len()]
            }
            Under::Unseen if mutant!(NewEpochTaken) => {
                request.changes.iter().map(|change| sitting.change(change)).collect()
            }
            Under::Unseen | Under::Left => {
                sitting.unbegun(&request.epoch);
                let detail =
                    format!("epoch {:?} begins with a snapshot of all the source owns", request.epoch.as_str());
                vec![Outcome::not_taken(Verdict::Conflict, "snapshot_required", detail); request.changes.len()]
            }
        };
        let heartbeat = request.heartbeat.filter(|_| sitting.source.under(&request.epoch) == Under::Current);
        let expected_sequence = heartbeat.and_then(|at| sitting.heartbeat(at));
        sitting.heard();
        let Sitting { source, events, .. } = sitting;
        source.remember(request, &outcomes, now);
        Decision { outcomes, last_sequence: source.last(), expected_sequence, events }
    }

    /// What is missing will not come: up to `to`, or up to the first number that did come.
    pub fn skip_gap(
        &mut self,
        rows: &mut Working<'_>,
        source: &SourceId,
        to: Option<u64>,
        now: Timestamp,
    ) -> Result<Decision, IntakeError> {
        if !self.sources.contains_key(source) {
            return Err(IntakeError::UnknownSource);
        }
        let mut sitting = self.sitting(source, rows, now);
        sitting.skip(to)?;
        let Sitting { source, events, .. } = sitting;
        Ok(Decision { last_sequence: source.last(), events, ..Decision::default() })
    }

    /// Ends rows whose time is over, at most so many; whose they were, and what happened.
    pub fn expire(&mut self, rows: &mut Working<'_>, now: Timestamp, most: usize) -> Vec<(SourceId, Vec<Event>)> {
        let mut done: Vec<(SourceId, Vec<Event>)> = Vec::new();
        for _ in 0..most {
            let Some((key, name)) = self.expiries.ended(now) else { break };
            let mut sitting = self.sitting(&name, rows, now);
            sitting.end(&key);
            let mut events = sitting.events;
            match done.iter_mut().find(|(source, _)| *source == name) {
                Some((_, before)) => before.append(&mut events),
                None => done.push((name, events)),
            }
        }
        done
    }

    /// When the next row ends.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.next()
    }

    /// What was decided before this start.
    pub fn apply(&mut self, batch: &Batch) {
        let Self { owners, sources, expiries, .. } = self;
        let source = source_of(sources, owners, &batch.source);
        for event in &batch.events {
            source.apply(event, batch.at);
            expiries.take(&batch.source, event);
        }
    }

    pub fn standing(&self, source: &SourceId) -> Standing {
        self.sources.get(source).map(Source::standing).unwrap_or_default()
    }

    pub fn report(&self, source: &SourceId, now: Timestamp) -> Option<SourceReport> {
        self.sources.get(source).map(|known| known.report(now))
    }

    /// Those that were heard, and those that are declared.
    pub fn sources(&self) -> Vec<SourceId> {
        self.sources.keys().cloned().collect()
    }

    fn sitting<'j, 'r, 'l>(
        &'j mut self,
        name: &SourceId,
        rows: &'r mut Working<'l>,
        now: Timestamp,
    ) -> Sitting<'j, 'r, 'l> {
        let Self { owners, sources, expiries, levels_max } = self;
        let source = source_of(sources, owners, name);
        Sitting { owners, expiries, source, rows, now, events: Vec::new(), levels_max: *levels_max }
    }
}

fn source_of<'s>(sources: &'s mut HashMap<SourceId, Source>, owners: &Arc<Owners>, name: &SourceId) -> &'s mut Source {
    if !sources.contains_key(name) {
        sources.insert(name.clone(), Source::new(name, owners));
    }
    sources.get_mut(name).expect("it was put there")
}

#[cfg(test)]
mod tests;
