use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::clock::Timestamp;
use crate::domain::change::{Epoch, Measure, RowId, RowKey};
use crate::domain::{LocationId, Sku};
use crate::stock::config::SourceConfig;
use crate::stock::event::{Batch, Event, Original, Row, Trace, Verdict};

/// What a fold of events amounts to, naively.
#[derive(Debug, Default, PartialEq)]
struct Folded {
    rows: BTreeMap<RowKey, (SourceId, Row)>,
    /// Something was said of them once.
    levels: BTreeSet<(Sku, LocationId, Measure)>,
    log: BTreeMap<Sku, (u64, bool)>,
    sources: BTreeMap<SourceId, FoldedSource>,
}

#[derive(Debug, Default, PartialEq)]
struct FoldedSource {
    heard: Timestamp,
    epochs: Vec<(Epoch, u64)>,
    sequence: u64,
    missed: u64,
    complete: BTreeMap<(LocationId, Measure), u64>,
    numbers: Vec<(u64, u64, Original, Option<Trace>)>,
    gap: Option<(Timestamp, u64, u64)>,
    unbegun: Option<(Timestamp, Epoch)>,
    uncovered: Option<(Timestamp, u64)>,
    names: Vec<(Box<str>, u64, Original)>,
}

impl Folded {
    fn apply(&mut self, batch: &Batch) {
        let is_logged = |event: &Event| matches!(event, Event::Logged { .. });
        if batch.events.is_empty() || !batch.events.iter().all(is_logged) {
            let source = self.sources.entry(batch.source.clone()).or_default();
            if batch.events.iter().any(Event::is_heard) {
                source.heard = source.heard.max(batch.at);
            }
        }
        for event in &batch.events {
            if let Event::Logged { sku, id, urgent, .. } = event {
                self.log.insert(sku.clone(), (*id, *urgent));
                continue;
            }
            let source = self.sources.entry(batch.source.clone()).or_default();
            match event.clone() {
                Event::Row { key, row } => {
                    self.levels.insert((key.sku.clone(), key.location.clone(), key.measure));
                    match row {
                        Some(row) => self.rows.insert(key, (batch.source.clone(), row)),
                        None => self.rows.remove(&key),
                    };
                }
                Event::Logged { .. } => {}
                Event::Numbered { sequence, hash, original, trace } => {
                    source.sequence = sequence;
                    source.numbers.push((sequence, hash, original, trace));
                }
                Event::Unbegun { epoch, since } => source.unbegun = Some((since, epoch)),
                Event::Gap { after, seen, since } => source.gap = Some((since, after, seen)),
                Event::Uncovered { up_to, since } => source.uncovered = Some((since, up_to)),
                Event::Heard => {}
                Event::Named { event_id, hash, original } => source.names.push((event_id, hash, original)),
                Event::Position { sequence } => source.sequence = sequence,
                Event::Epoch { epoch, sequence } => {
                    source.epochs.push((epoch, sequence));
                    source.sequence = sequence;
                    source.missed = 0;
                    source.gap = None;
                    source.unbegun = None;
                    source.uncovered = None;
                    source.numbers.clear();
                }
                Event::Missed { before } => source.missed = source.missed.max(before),
                Event::Complete { location, measure, sequence } => {
                    source.complete.insert((location, measure), sequence);
                }
            }
        }
    }
}

fn loaded(folder: &Path, config: &StockConfig) -> (Store, Folded) {
    let mut store = Store::open(folder, config).unwrap();
    let mut folded = Folded::default();
    store.load(|batch| folded.apply(batch)).unwrap();
    (store, folded)
}

/// splitmix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % limit
    }
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn batch(draw: &mut Draw, next: &mut [u64; 2], id: &mut u64, at: Timestamp) -> Batch {
    let number = draw.below(2) as usize;
    let mut events = Vec::new();
    for _ in 0..draw.below(5) {
        let key = RowKey {
            sku: Sku::new(&format!("S{}", draw.below(4))).unwrap(),
            location: LocationId::new(["PARIS", "LYON"][draw.below(2) as usize]).unwrap(),
            measure: Measure::ALL[draw.below(5) as usize],
            row: RowId::new(["", "order 1", "order 2"][draw.below(3) as usize]).unwrap(),
        };
        next[number] += 1 + draw.below(300);
        let sequence = next[number];
        let row = (key.row.is_empty() || draw.below(2) == 0).then(|| Row {
            quantity: draw.below(100).to_string().parse().unwrap(),
            expected_on: None,
            expires_at: None,
            changed_at: at,
            effective_at: None,
            sequence,
            stated: sequence,
            suspect: draw.below(3) == 0,
        });
        *id += 1;
        let original = Original { verdict: Verdict::Applied, reason: None, change_id: Some(*id) };
        events.push(Event::Row { key: key.clone(), row });
        let sku = key.sku.clone();
        events.push(Event::Numbered {
            sequence,
            hash: draw.below(u64::MAX),
            original,
            trace: Some(Trace::Rejected(key)),
        });
        events.push(Event::Logged { sku, id: *id, version: *id, urgent: draw.below(2) == 0 });
    }
    let original = Original { verdict: Verdict::Rejected, reason: Some("not_owner"), change_id: None };
    match draw.below(14) {
        0 => {
            next[number] = draw.below(3);
            let epoch = Epoch::new(&format!("e{}", draw.below(9))).unwrap();
            events.push(Event::Epoch { epoch, sequence: next[number] });
        }
        1 => events.push(Event::Missed { before: draw.below(99) }),
        2 => events.push(Event::Complete {
            location: LocationId::new("LYON").unwrap(),
            measure: Measure::OnHand,
            sequence: draw.below(99),
        }),
        4 => {
            next[number] += 500;
            events.push(Event::Position { sequence: next[number] });
        }
        5 => events.push(Event::Gap {
            after: draw.below(9),
            seen: draw.below(99),
            since: Timestamp(draw.below(99) as i64),
        }),
        6 => events.push(Event::Unbegun { epoch: Epoch::new("new").unwrap(), since: Timestamp(draw.below(99) as i64) }),
        7 => events.push(Event::Uncovered { up_to: draw.below(9), since: Timestamp(draw.below(99) as i64) }),
        8 => events.push(Event::Heard),
        3 => events.push(Event::Named { event_id: format!("id {}", at.0).into(), hash: draw.below(9), original }),
        _ => {}
    }
    Batch { source: source(["wms", "shop"][number]), at, events }
}

#[test]
fn a_start_from_the_rows_is_the_fold_of_all_that_happened() {
    for seed in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let config = StockConfig::default();
        let mut draw = Draw(seed);
        let (mut next, mut id) = ([0, 0], 0);
        let mut model = Folded::default();
        let mut dirty = Dirty::default();
        let (mut store, _) = loaded(folder.path(), &config);
        for step in 1..150 {
            let batch = batch(&mut draw, &mut next, &mut id, Timestamp(step * 1000));
            model.apply(&batch);
            dirty.take(batch, Position { segment: 1, at: step.cast_unsigned() });
            if draw.below(8) == 0 {
                let position = dirty.position;
                store.write(&mut dirty).unwrap();
                if draw.below(3) == 0 {
                    drop(store);
                    let folded;
                    (store, folded) = loaded(folder.path(), &config);
                    for (name, told) in &model.sources {
                        assert_eq!(folded.sources.get(name), Some(told), "seed {seed}, step {step}");
                    }
                    assert!(folded == model, "seed {seed}, step {step}");
                    assert_eq!(store.position().unwrap(), Some(position));
                }
            }
        }
    }
}

#[test]
fn the_last_ten_thousand_numbers_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = StockConfig::default();
    let (mut store, _) = loaded(folder.path(), &config);
    let original = Original { verdict: Verdict::Applied, reason: None, change_id: None };
    let mut sequence = 0;
    for write in 0..6 {
        let mut dirty = Dirty::default();
        for _ in 0..5_000 {
            sequence += 1 + u64::from(write % 2 == 0) * (sequence % 7);
            let events = vec![Event::Numbered { sequence, hash: sequence, original, trace: None }];
            dirty
                .take(Batch { source: source("wms"), at: Timestamp(1), events }, Position { segment: 1, at: sequence });
        }
        store.write(&mut dirty).unwrap();
    }
    drop(store);
    let (_, folded) = loaded(folder.path(), &config);
    let numbers = &folded.sources[&source("wms")].numbers;
    let (first, last) = (numbers[0].0, numbers[numbers.len() - 1].0);
    assert_eq!(last, sequence);
    assert!((NUMBERS_KEPT..NUMBERS_KEPT + 256).contains(&numbers.len()), "{} from {first}", numbers.len());
    assert!(numbers.is_sorted_by_key(|number| number.0));
}

#[test]
fn event_ids_are_forgotten_when_their_time_is_over_or_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut wms = SourceConfig::named(source("wms"));
    wms.dedupe_max = 10;
    let config = StockConfig { sources: vec![wms], ..StockConfig::default() };
    let (mut store, _) = loaded(folder.path(), &config);
    let original = Original { verdict: Verdict::Applied, reason: None, change_id: None };
    let day = 24 * 3600 * 1000;
    for step in 0..40 {
        let mut dirty = Dirty::default();
        for name in ["wms", "other"] {
            let at = Timestamp(step * day / 10);
            let events = vec![Event::Named { event_id: format!("{step}").into(), hash: 1, original }];
            dirty.take(Batch { source: source(name), at, events }, Position { segment: 1, at: 1 });
        }
        store.write(&mut dirty).unwrap();
    }
    drop(store);
    let (_, folded) = loaded(folder.path(), &config);
    let names = |name: &str| folded.sources[&source(name)].names.iter().map(|name| &*name.0).collect::<Vec<_>>();
    let all: Vec<String> = (0..40).map(|step| step.to_string()).collect();
    // One more each: what is just put is seen the next time.
    assert_eq!(names("wms"), all[30..], "at most ten");
    assert_eq!(names("other"), all[29..], "a day");
}

#[test]
fn rows_of_another_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StockConfig::default()).unwrap();
    store.put_meta("format", b"2").unwrap();
    drop(store);
    let again = Store::open(folder.path(), &StockConfig::default());
    assert!(matches!(again.err(), Some(StoreError::Format { .. })));
}
