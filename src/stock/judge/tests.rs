use std::time::Duration;

use jiff::civil::date;

use super::*;
use crate::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey, Unreadable};
use crate::domain::{LocationId, Quantity, Sku};
use crate::stock::config::SourceConfig;
use crate::stock::event::{Original, Row};
use crate::stock::levels::{Levels, Net};
use crate::stock::report::SourceState;
use crate::stock::request::{SnapshotAnswer, SnapshotError, SnapshotHead, SnapshotLine, SnapshotRow};

mod model;
mod numbers;
mod snapshots;
mod unnumbered;

use Measure::{OnHand, Pending};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// The judge with figures as readers see them, without disk or threads.
struct Court {
    config: StockConfig,
    judge: Judge,
    levels: Levels,
    next_id: u64,
    now: Timestamp,
    /// All that happened.
    history: Vec<Batch>,
}

fn wms() -> SourceId {
    SourceId::new("wms").unwrap()
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn key(text: &str) -> RowKey {
    // SKU, then what differs from the usual: "BOLT", "BOLT LYON", "BOLT PARIS RESERVED", "BOLT PARIS PENDING order-1".
    let mut parts = text.split(' ');
    RowKey {
        sku: Sku::new(parts.next().unwrap()).unwrap(),
        location: LocationId::new(parts.next().unwrap_or("PARIS")).unwrap(),
        measure: parts.next().map_or(OnHand, |name| Measure::named(name).unwrap()),
        row: RowId::new(parts.next().unwrap_or("")).unwrap(),
    }
}

fn movement(kind: ChangeKind, at: &str, quantity: &str) -> Movement {
    Movement { kind, key: key(at), quantity: q(quantity), expected_on: None, expires_at: None }
}

fn change(sequence: u64, movement: Movement) -> Change {
    let hash = crc(&format!("{sequence} {movement:?}"));
    let (after, event_id, effective_at) = (None, None, None);
    Change { sequence: Some(sequence), after, event_id, effective_at, movement: Ok(movement), hash }
}

fn crc(text: &str) -> u64 {
    text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(1_099_511_628_211) ^ u64::from(byte))
}

fn set(sequence: u64, at: &str, quantity: &str) -> Change {
    change(sequence, movement(ChangeKind::Set, at, quantity))
}

fn add(sequence: u64, at: &str, quantity: &str) -> Change {
    change(sequence, movement(ChangeKind::Add, at, quantity))
}

fn broken(sequence: u64, at: Option<&str>) -> Change {
    let unreadable = Unreadable { reason: "malformed_decimal", detail: "\"1,5\"".into(), key: at.map(key) };
    Change { movement: Err(unreadable), ..set(sequence, "X", "0") }
}

fn after(after: u64, change: Change) -> Change {
    Change { after: Some(after), ..change }
}

fn source(name: &str) -> SourceConfig {
    SourceConfig::named(SourceId::new(name).unwrap())
}

fn court(sources: Vec<SourceConfig>) -> Court {
    Court::new(StockConfig { sources, ..StockConfig::default() })
}

impl Court {
    fn new(config: StockConfig) -> Self {
        let judge = Judge::new(&config);
        let levels = Levels::new(&config, NOW);
        Self { config, judge, levels, next_id: 1, now: NOW, history: Vec::new() }
    }

    fn happened(&mut self, source: &SourceId, events: Vec<Event>, next_id: u64) {
        self.next_id = next_id;
        let batch = Batch { source: source.clone(), at: self.now, events };
        self.levels.apply_with(&batch, self.judge.standing(source));
        self.history.push(batch);
    }

    fn request(&mut self, request: &Request) -> Decision {
        let mut working = Working::new(&self.levels, self.next_id);
        let mut decision = self.judge.decide(&mut working, request, self.now);
        assert_eq!(decision.outcomes.len(), request.changes.len());
        working.log(self.now, &mut decision.events);
        let next_id = working.next_id();
        drop(working);
        self.happened(&request.source, decision.events.clone(), next_id);
        decision
    }

    fn push(&mut self, changes: Vec<Change>) -> Decision {
        self.request(&Request { source: wms(), epoch: Epoch::default(), changes, heartbeat: None })
    }

    fn verdicts(&mut self, changes: Vec<Change>) -> Vec<(&'static str, &'static str)> {
        said(&self.push(changes))
    }

    fn heartbeat(&mut self, at: u64) -> Decision {
        self.request(&Request { source: wms(), epoch: Epoch::default(), changes: Vec::new(), heartbeat: Some(at) })
    }

    fn skip(&mut self, to: Option<u64>) -> Result<u64, IntakeError> {
        let mut working = Working::new(&self.levels, self.next_id);
        let decision = self.judge.skip_gap(&mut working, &wms(), to, self.now)?;
        let next_id = working.next_id();
        drop(working);
        self.happened(&wms(), decision.events, next_id);
        Ok(decision.last_sequence)
    }

    fn tick(&mut self) {
        let mut working = Working::new(&self.levels, self.next_id);
        for (source, mut events) in self.judge.expire(&mut working, self.now, 100) {
            working.log(self.now, &mut events);
            let next_id = working.next_id();
            // As the writer does: all of a round is judged before any of it is shown.
            let batch = Batch { source, at: self.now, events };
            self.next_id = next_id;
            self.history.push(batch.clone());
            self.levels.apply_with(&batch, self.judge.standing(&batch.source));
            working = Working::new(&self.levels, self.next_id);
        }
    }

    fn snapshot(&mut self, head: SnapshotHead, rows: &[(&str, &str)]) -> Result<SnapshotAnswer, SnapshotError> {
        let rows = rows.iter().map(|(at, quantity)| {
            Ok(SnapshotRow { key: key(at), quantity: q(quantity), expected_on: None, expires_at: None })
        });
        self.lines(head, rows.collect())
    }

    fn lines(
        &mut self,
        head: SnapshotHead,
        rows: Vec<Result<SnapshotRow, Unreadable>>,
    ) -> Result<SnapshotAnswer, SnapshotError> {
        let name = head.source.clone();
        let mut staged = Staged::new(head, self.config.levels_max);
        let count = rows.len() as u64;
        let lines = rows.into_iter().zip(1..).map(|(row, line)| SnapshotLine { line, row });
        staged.take(lines.collect())?;
        staged.end(Some(count))?;
        let mut working = Working::new(&self.levels, self.next_id);
        let Restated { answer, mut events, planes } = self.judge.put_snapshot(&mut working, staged, self.now)?;
        working.log(self.now, &mut events);
        self.next_id = working.next_id();
        drop(working);
        let batch = Batch { source: name, at: self.now, events };
        self.levels.restate(&batch, &planes, self.judge.standing(&batch.source));
        self.history.push(batch);
        Ok(answer)
    }

    /// As after a start: all of it is read again.
    fn restart(&mut self) {
        let mut judge = Judge::new(&self.config);
        let levels = Levels::new(&self.config, self.now);
        for batch in &self.history {
            judge.apply(batch);
            levels.apply(batch);
        }
        for source in judge.sources() {
            levels.note(&source, judge.standing(&source));
            let (now, then) = (judge.report(&source, self.now).unwrap(), self.judge.report(&source, self.now).unwrap());
            // That nothing was new is not written each time.
            let heard = |report: &SourceReport| report.last_heard.unwrap_or(NOW);
            assert!(heard(&now).until(heard(&then)) < Duration::from_secs(1));
            let lasting = |report| SourceReport { rate: 0, rejects: Vec::new(), last_heard: None, ..report };
            assert_eq!(lasting(now), lasting(then));
        }
        assert_eq!(judge.next_expiry(), self.judge.next_expiry());
        (self.judge, self.levels) = (judge, levels);
    }

    fn row(&self, at: &str) -> Option<Row> {
        let key = key(at);
        self.levels.row(&key).filter(|row| !row.is_over(&key, self.now))
    }

    fn figure(&self, at: &str) -> Option<String> {
        self.row(at).map(|row| row.quantity.to_string())
    }

    /// Whether the row is marked, as readers see it.
    fn is_suspect(&self, at: &str) -> bool {
        let (key, mut suspect) = (key(at), None);
        let view = self.levels.view(self.now);
        view.rows(key.sku.as_str(), |told, _| {
            if told.key == key {
                suspect = Some(told.suspect);
            }
        });
        suspect.unwrap_or_else(|| panic!("there is no row {at}"))
    }

    fn net(&self, sku: &str) -> Net {
        let mut net = Net::Unknown;
        let paris = LocationId::new("PARIS").unwrap();
        let view = self.levels.view(self.now);
        view.figures(
            sku,
            |figures| {
                if figures.location == paris {
                    net = figures.net
                }
            },
            &mut Vec::new(),
        );
        net
    }

    fn report(&self) -> SourceReport {
        self.judge.report(&wms(), self.now).unwrap()
    }

    fn state(&self) -> SourceState {
        self.report().state
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = self.now.plus(Duration::from_millis(milliseconds));
    }
}

fn said(decision: &Decision) -> Vec<(&'static str, &'static str)> {
    let said = |outcome: &Outcome| (outcome.verdict.as_str(), outcome.reason.unwrap_or_default());
    decision.outcomes.iter().map(said).collect()
}

const APPLIED: (&str, &str) = ("APPLIED", "");
const DUPLICATE: (&str, &str) = ("DUPLICATE", "");
const OUT_OF_DATE: (&str, &str) = ("OUT_OF_DATE", "");
const GAP: (&str, &str) = ("GAP", "");
