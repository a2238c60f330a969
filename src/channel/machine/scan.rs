//! Going through all rows, some at a time: because the policy is another, because the channel is to do something else, because
//! a source came into doubt or out of it, or to count what a doubt would zero.

use std::collections::VecDeque;

use super::Machine;
use crate::channel::event::{Event, Own};
use crate::channel::page::Mode;
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::domain::ids::SourceId;
use crate::stock::changes::Cursor;

/// A part of the ledger's change log.
#[derive(Clone, Debug)]
pub struct Part {
    pub skus: Vec<Sku>,
    pub cursor: Cursor,
    /// All of it, as it was when it was begun.
    pub ends: bool,
}

/// What is to be done with the SKUs that were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    Nothing,
    Derive,
    Count,
}

#[derive(Debug, Default)]
pub(super) struct Scans {
    current: Option<Scan>,
    waiting: VecDeque<Purpose>,
    /// Whose doubts were judged how, the last time. `None`: not yet.
    judged: Option<Vec<(SourceId, Phase)>>,
    /// The last doubt that is old enough to zero, and is not let.
    pub over: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Anew,
    Doubts,
    /// What doubts that began up to then would zero.
    Count(Timestamp),
}

#[derive(Debug)]
struct Scan {
    purpose: Purpose,
    stage: Stage,
    counted: Counted,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub rows: u64,
    pub zeroed: u64,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Rows there are, from this number on.
    Known(usize),
    /// SKUs the ledger has.
    Ledger(Option<Cursor>),
    /// SKUs the configuration names.
    Named(usize),
}

/// What a doubt does to a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    Zero,
}

impl Scans {
    pub fn is_on(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    fn wait(&mut self, purpose: Purpose) {
        if !self.waiting.contains(&purpose) {
            self.waiting.push_back(purpose);
        }
    }

    /// What is counted just now: doubts that began up to then.
    pub fn counting(&self) -> Option<Timestamp> {
        match self.current.as_ref()?.purpose {
            Purpose::Count(up_to) => Some(up_to),
            Purpose::Anew | Purpose::Doubts => None,
        }
    }

    pub fn counted(&mut self) -> Option<&mut Counted> {
        self.current.as_mut().map(|scan| &mut scan.counted)
    }
}

impl Machine {
    /// All rows are to be worked out, and those that are missing found.
    pub fn work_out_anew(&mut self, events: &mut Vec<Event>) {
        self.own_changed(Own { anew: true, ..self.own.clone() }, events);
        let scans = &mut self.scans;
        scans.waiting.retain(|purpose| *purpose != Purpose::Anew);
        if scans.current.as_ref().is_some_and(|scan| scan.purpose == Purpose::Anew) {
            scans.current = None;
        }
        scans.waiting.push_front(Purpose::Anew);
    }

    /// Somebody came with a cursor of a log that was lost, or of what came after the copy that this one was put back from: they
    /// may have rows under versions up to `seen` that this log does not know of.
    pub fn another_log_gave(&mut self, seen: u64, events: &mut Vec<Event>) {
        if seen > self.own.renumber && seen <= self.began {
            self.own_changed(Own { renumber: seen, ..self.own.clone() }, events);
            self.work_out_anew(events);
        }
    }

    pub(super) fn look_at_doubts(&mut self) {
        self.scans.wait(Purpose::Doubts);
    }

    /// Which sources are in doubt, why and since when.
    pub fn watch<'s>(&mut self, doubts: impl Iterator<Item = (&'s SourceId, Timestamp)>, now: Timestamp) {
        if now < self.judges_from() {
            return;
        }
        let config = self.policy.config();
        let (mut judged, mut over) = (Vec::new(), None);
        for (source, since) in doubts {
            let age = since.until(now);
            if age <= config.hold_after {
                continue;
            }
            let is_old = config.zero_after.is_some_and(|after| age > after);
            judged.push((source.clone(), if is_old { Phase::Zero } else { Phase::Held }));
            if is_old && self.own.zeros.stock < Some(since) {
                over = over.max(Some(since));
            }
        }
        self.scans.over = over;
        if over.is_none() {
            self.guard.stock = None;
        }
        let begins = self.scans.judged.is_none() && judged.is_empty() && self.held.is_empty();
        if begins || self.scans.judged.as_ref() == Some(&judged) {
            self.scans.judged.get_or_insert_default();
            return;
        }
        self.scans.judged = Some(judged);
        // Held first: that waits for nobody.
        self.scans.wait(Purpose::Doubts);
        if let Some(over) = over {
            self.scans.wait(Purpose::Count(over));
        }
    }

    /// The next SKUs of what is gone through. `part` reads the ledger's change log from a cursor on.
    pub fn scan(
        &mut self,
        most: usize,
        part: impl FnOnce(Option<&Cursor>, usize) -> Option<Part>,
        skus: &mut Vec<Sku>,
        events: &mut Vec<Event>,
    ) -> Scanned {
        if self.own.mode == Mode::Held {
            return Scanned::Nothing;
        }
        if self.scans.current.is_none() {
            let Some(purpose) = self.scans.waiting.pop_front() else { return Scanned::Nothing };
            self.scans.current = Some(Scan { purpose, stage: Stage::Known(0), counted: Counted::default() });
        }
        let Some(mut scan) = self.scans.current.take() else { return Scanned::Nothing };
        let next = match &scan.stage {
            Stage::Known(from) => {
                let from = (*from).min(self.entries.len());
                let to = (from + most).min(self.entries.len());
                let is_first = |number: &u32| self.sku(*number).and_then(|sku| self.first(&sku)) == Some(*number);
                skus.extend((from as u32..to as u32).filter(is_first).filter_map(|number| self.sku(number)));
                match scan.purpose {
                    _ if to < self.entries.len() => Some(Stage::Known(to)),
                    Purpose::Anew => Some(Stage::Ledger(None)),
                    Purpose::Doubts | Purpose::Count(_) => None,
                }
            }
            Stage::Ledger(cursor) => match part(cursor.as_ref(), most) {
                Some(part) => {
                    skus.extend(part.skus.into_iter().filter(|sku| self.first(sku).is_none()));
                    Some(if part.ends { Stage::Named(0) } else { Stage::Ledger(Some(part.cursor)) })
                }
                None => Some(Stage::Ledger(None)),
            },
            Stage::Named(from) => {
                let named = &self.policy.config().assortment.include_skus;
                let from = (*from).min(named.len());
                let to = (from + most).min(named.len());
                skus.extend(named[from..to].iter().filter(|sku| self.first(sku).is_none()).cloned());
                (to < named.len()).then_some(Stage::Named(to))
            }
        };
        let is_count = matches!(scan.purpose, Purpose::Count(_));
        match next {
            Some(stage) => {
                scan.stage = stage;
                self.scans.current = Some(scan);
            }
            // These are the last, and nothing to be done waits but them.
            None if !skus.is_empty() => {
                scan.stage =
                    if scan.purpose == Purpose::Anew { Stage::Named(usize::MAX) } else { Stage::Known(usize::MAX) };
                self.scans.current = Some(scan);
            }
            None => self.scanned(&scan, events),
        }
        match (skus.is_empty(), is_count) {
            (true, _) => Scanned::Nothing,
            (false, true) => Scanned::Count,
            (false, false) => Scanned::Derive,
        }
    }

    fn scanned(&mut self, scan: &Scan, events: &mut Vec<Event>) {
        match scan.purpose {
            Purpose::Anew => {
                let policy = Some(self.policy.hash());
                self.own_changed(Own { anew: false, policy, ..self.own.clone() }, events);
            }
            Purpose::Doubts => {}
            Purpose::Count(up_to) => self.judge_doubts(up_to, scan.counted, events),
        }
    }
}
