use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::change::RowId;
use crate::domain::{Quantity, Sku};
use crate::stock::config::SourceConfig;

const NOW: Timestamp = Timestamp(1_000_000);

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn key(sku: &str, location: &str, measure: Measure, row: &str) -> RowKey {
    RowKey {
        sku: Sku::new(sku).unwrap(),
        location: LocationId::new(location).unwrap(),
        measure,
        row: RowId::new(row).unwrap(),
    }
}

fn row(quantity: &str) -> Row {
    Row {
        quantity: q(quantity),
        expected_on: None,
        expires_at: None,
        changed_at: NOW,
        effective_at: None,
        sequence: 1,
        stated: 1,
        suspect: false,
    }
}

fn told(key: RowKey, row: Row) -> Event {
    Event::Row { key, row: Some(row) }
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn batch(events: impl Into<Vec<Event>>) -> Batch {
    Batch { source: source("wms"), at: NOW, events: events.into() }
}

fn levels(sources: &[SourceConfig]) -> Levels {
    Levels::new(&StockConfig { sources: sources.to_vec(), any_source: true, ..StockConfig::default() }, NOW)
}

fn figures(levels: &Levels, sku: &str, now: Timestamp) -> Vec<Figures> {
    let mut all = Vec::new();
    levels.view(now).figures(sku, |figures| all.push(figures), &mut Vec::new());
    all
}

fn only(levels: &Levels, sku: &str, now: Timestamp) -> Figures {
    let found = figures(levels, sku, now);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

use Measure::{Available, Incoming, OnHand, Pending, Reserved};

#[test]
fn what_may_be_sold_is_on_hand_less_reserved_less_orders_that_still_count() {
    let levels = levels(&[]);
    levels.apply(&batch([
        told(key("A", "PARIS", OnHand, ""), row("10")),
        told(key("A", "PARIS", Reserved, "o1"), row("2")),
        told(key("A", "PARIS", Reserved, "o2"), row("1.5")),
        told(key("A", "PARIS", Pending, "o3"), Row { expires_at: Some(Timestamp(NOW.0 + 5000)), ..row("4") }),
        told(key("A", "PARIS", Pending, "o4"), row("1")),
    ]));
    let before = only(&levels, "A", Timestamp(NOW.0 + 4999));
    assert_eq!((before.on_hand, before.reserved, before.pending), (Some(q("10")), Some(q("3.5")), Some(q("5"))));
    assert_eq!(before.net, Net::Known(q("1.5")));
    let after = only(&levels, "A", Timestamp(NOW.0 + 5000));
    assert_eq!((after.pending, after.net), (Some(q("1")), Net::Known(q("5.5"))), "an order counts until it expires");

    levels.apply(&batch([told(key("A", "PARIS", Available, ""), row("100"))]));
    assert_eq!(only(&levels, "A", Timestamp(NOW.0 + 5000)).net, Net::Known(q("99")), "a net figure stands for both");
    levels.apply(&batch([Event::Row { key: key("A", "PARIS", Pending, "o4"), row: None }]));
    assert_eq!(only(&levels, "A", Timestamp(NOW.0 + 5000)).net, Net::Known(q("100")));
    assert!(figures(&levels, "B", NOW).is_empty());
}

#[test]
fn absent_is_unknown_until_all_was_stated_and_zero_from_then_on() {
    let owner =
        SourceConfig { locations: vec![LocationId::new("PARIS").unwrap()], ..SourceConfig::named(source("wms")) };
    let levels = levels(&[owner]);
    assert_eq!(only(&levels, "A", NOW).net, Net::Unknown);
    let complete = |measure| Event::Complete { location: LocationId::new("PARIS").unwrap(), measure, sequence: 7 };
    levels.apply(&batch([complete(OnHand), told(key("B", "PARIS", OnHand, ""), row("3"))]));
    let zero = only(&levels, "A", NOW);
    assert_eq!((zero.net, zero.on_hand, zero.changed_at), (Net::Known(q("0")), Some(q("0")), None));
    assert_eq!(zero.heard_at, Some(NOW));
    assert_eq!(only(&levels, "B", NOW).net, Net::Known(q("3")));
    // From the first reservation on, an article of which none was said may have some.
    levels.apply(&batch([told(key("B", "PARIS", Reserved, ""), row("1"))]));
    assert_eq!(only(&levels, "A", NOW).net, Net::Unknown);
    assert_eq!(only(&levels, "B", NOW).net, Net::Known(q("2")));
    levels.apply(&batch([complete(Reserved)]));
    assert_eq!(only(&levels, "A", NOW).net, Net::Known(q("0")));
    assert!(levels.is_complete(&LocationId::new("PARIS").unwrap(), Reserved));
    assert!(!levels.is_complete(&LocationId::new("LYON").unwrap(), Reserved));
}

#[test]
fn a_row_gone_leaves_its_level_known() {
    let levels = levels(&[]);
    levels.apply(&batch([told(key("A", "PARIS", OnHand, "lot"), row("3"))]));
    levels.apply(&batch([Event::Row { key: key("A", "PARIS", OnHand, "lot"), row: None }]));
    assert_eq!(only(&levels, "A", NOW).net, Net::Known(q("0")));
    assert!(
        levels.has_level(&key("A", "PARIS", OnHand, "other"))
            && levels.row(&key("A", "PARIS", OnHand, "lot")).is_none()
    );
}

#[test]
fn a_named_row_that_moves_leaves_the_unnamed_one_as_it_was() {
    let levels = levels(&[]);
    let later = Row { changed_at: Timestamp(NOW.0 + 9), ..row("2") };
    levels.apply(&batch([told(key("A", "PARIS", OnHand, ""), row("1"))]));
    levels.apply(&batch([told(key("A", "PARIS", OnHand, "lot"), later)]));
    assert_eq!(levels.row(&key("A", "PARIS", OnHand, "")), Some(row("1")));
    assert_eq!(only(&levels, "A", NOW).changed_at, Some(Timestamp(NOW.0 + 9)));
}

#[test]
fn a_row_comes_back_as_it_was_however_large_its_figures_are() {
    let at = |ms: i64| Some(Timestamp(ms));
    let numbered = |sequence, stated| Row { sequence, stated, ..row("1") };
    let timed = |stated: u64, effective_at| Row { sequence: 0, stated, effective_at, ..row("1") };
    let figures = ["0", "0.00", "-0", "-7.5", "12.0", "999999999999999999", "-999999999999999999.999999999"];
    let rows = figures.map(row).into_iter().chain([
        numbered(u64::MAX, u64::MAX),
        numbered(u64::MAX, 0),
        numbered(0, u64::MAX),
        numbered(1 << 31, 0),
        numbered((1 << 31) - 1, 0),
        timed(NOW.0 as u64, at(NOW.0 + 5)),
        timed(NOW.0 as u64, at(0)),
        timed(0, at(i64::MIN)),
        Row { changed_at: Timestamp(i64::MAX), suspect: true, ..row("1") },
        Row { changed_at: Timestamp(-1), ..row("1") },
        Row { changed_at: Timestamp(-(1 << 47)), ..row("1") },
        Row { changed_at: Timestamp(1 << 47), ..row("1") },
    ]);
    let levels = levels(&[]);
    // One after the other: also a row that has to move.
    for row in rows {
        levels.apply(&batch([told(key("A", "PARIS", OnHand, ""), row.clone())]));
        let found = levels.row(&key("A", "PARIS", OnHand, "")).unwrap();
        assert_eq!(format!("{found:?}"), format!("{row:?}"));
        assert_eq!((levels.len(), only(&levels, "A", NOW).on_hand), (1, Some(row.quantity)));
    }
}

#[test]
fn what_is_on_its_way_is_listed_with_its_day() {
    let levels = levels(&[]);
    let due = Row { expected_on: Some(date(2026, 12, 1)), ..row("7") };
    levels.apply(&batch([
        told(key("A", "PARIS", Incoming, "p1"), due),
        told(key("A", "PARIS", Incoming, "p2"), row("2")),
        told(key("A", "PARIS", Incoming, ""), row("0")),
        told(key("A", "PARIS", OnHand, ""), row("1")),
    ]));
    let mut coming = Vec::new();
    let mut net = None;
    levels.view(NOW).figures("A", |figures| net = Some(figures.net), &mut coming);
    assert_eq!(net, Some(Net::Known(q("1"))), "what is not there yet is not sold");
    let coming: Vec<_> = coming.iter().map(|c| (c.location.as_str(), c.quantity, c.expected_on)).collect();
    assert_eq!(coming, [("PARIS", q("7"), Some(date(2026, 12, 1))), ("PARIS", q("2"), None)]);
}

#[test]
fn a_sum_that_does_not_fit_is_refused() {
    let levels = levels(&[]);
    levels.apply(&batch([
        told(key("A", "PARIS", OnHand, "1"), row("999999999999999999")),
        told(key("A", "PARIS", OnHand, "2"), row("999999999999999999")),
    ]));
    assert_eq!(only(&levels, "A", NOW).net, Net::TooLarge);
    levels.apply(&batch([
        told(key("B", "PARIS", Pending, "1"), row("999999999999999999")),
        told(key("B", "PARIS", Pending, "2"), row("999999999999999999")),
    ]));
    assert_eq!(only(&levels, "B", NOW).pending, None, "they are not none");
}

#[test]
fn that_there_are_no_orders_is_as_doubtful_as_who_tells_of_them() {
    let levels = levels(&[]);
    let shop = |events: Vec<Event>| levels.apply(&Batch { source: source("shop"), at: NOW, events });
    let doubts = |sku| {
        let found = figures(&levels, sku, NOW.plus(Duration::from_secs(60)));
        found.into_iter().map(|figures| (figures.doubt, figures.pending_doubt)).collect::<Vec<_>>()
    };
    levels
        .apply(&batch([told(key("A", "PARIS", OnHand, ""), row("3")), told(key("B", "PARIS", OnHand, ""), row("3"))]));
    shop(vec![told(key("A", "PARIS", Pending, "o1"), row("1"))]);
    shop(vec![Event::Row { key: key("A", "PARIS", Pending, "o1"), row: None }]);
    assert_eq!([doubts("A"), doubts("B"), doubts("C")], [vec![(None, None)], vec![(None, None)], vec![]]);
    levels.note(&source("shop"), Standing { last_heard: Some(NOW), gap_since: Some(NOW) });
    // An order that was missed may be of any article there.
    let gap = (Some(Doubt::SourceGap), Some(Doubt::SourceGap));
    assert_eq!([doubts("A"), doubts("B"), doubts("C")], [vec![gap], vec![gap], vec![gap]]);
    levels.note(&source("shop"), Standing { last_heard: Some(NOW), gap_since: None });
    levels.note(&source("wms"), Standing { last_heard: Some(NOW), gap_since: Some(NOW) });
    assert_eq!(doubts("A"), [(Some(Doubt::SourceGap), None)], "what is there is another's to tell");
    let suspect = Row { suspect: true, ..row("0") };
    shop(vec![told(key("A", "PARIS", Pending, "o2"), suspect)]);
    assert_eq!(doubts("A"), [(Some(Doubt::SourceGap), Some(Doubt::RowRejected))]);
}

#[test]
fn figures_are_in_doubt_while_their_source_is_or_their_row_was() {
    let quiet = SourceConfig { silent_after: Some(Duration::from_secs(60)), ..SourceConfig::named(source("wms")) };
    let levels = levels(&[quiet]);
    let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
    levels.apply(&batch([told(key("A", "PARIS", OnHand, ""), Row { stated: 5, sequence: 5, ..row("3") })]));
    let doubt = |now| only(&levels, "A", now).doubt;
    assert_eq!(doubt(at(60)), None);
    assert_eq!(doubt(Timestamp(at(60).0 + 1)), Some(Doubt::SourceSilent));
    let since = |now| only(&levels, "A", now).doubted_since;
    let doubts = |now| levels.view(now).doubts().map(|(_, doubt, since)| (doubt, since)).collect::<Vec<_>>();
    assert_eq!((since(at(60)), doubts(at(60))), (None, Vec::new()));
    // Since it was heard last.
    let heard = since(at(61)).unwrap();
    assert!(heard <= at(0) && doubts(at(61)) == [(Doubt::SourceSilent, heard)]);
    levels.note(&source("wms"), Standing { last_heard: Some(at(60)), gap_since: None });
    assert_eq!(doubt(at(61)), None);
    assert_eq!(only(&levels, "A", at(61)).heard_at, Some(at(60)));
    levels.note(&source("wms"), Standing { last_heard: Some(at(60)), gap_since: Some(at(60)) });
    assert_eq!(doubt(at(61)), None, "the missing may be on its way");
    assert_eq!(doubt(at(62)), Some(Doubt::SourceGap));
    assert_eq!((since(at(62)), doubts(at(62))), (Some(at(60)), vec![(Doubt::SourceGap, at(60))]));
    levels.note(&source("wms"), Standing { last_heard: Some(at(60)), gap_since: None });

    levels.apply(&batch([Event::Missed { before: 6 }]));
    assert_eq!(doubt(at(61)), Some(Doubt::RowRejected), "what was missed may have moved it");
    levels.apply(&batch([told(key("A", "PARIS", OnHand, ""), Row { stated: 6, ..row("3") })]));
    assert_eq!(doubt(at(61)), None, "it was stated since");
    levels.apply(&batch([Event::Missed { before: 9 }]));
    let location = LocationId::new("PARIS").unwrap();
    levels.apply(&batch([Event::Complete { location, measure: OnHand, sequence: 9 }]));
    assert_eq!(doubt(at(61)), None, "all of it was stated since");
    levels.apply(&batch([told(key("A", "PARIS", OnHand, ""), Row { suspect: true, ..row("3") })]));
    assert_eq!(doubt(at(61)), Some(Doubt::RowRejected));
    let mut rows = Vec::new();
    levels.view(at(61)).rows("A", |told, _| rows.push((told.row.quantity, told.suspect)));
    assert_eq!(rows, [(q("3"), true)]);
}

#[test]
fn a_large_snapshot_is_seen_at_once_and_leaves_nothing_behind() {
    let levels = levels(&[]);
    let paris = LocationId::new("PARIS").unwrap();
    let skus: Vec<String> = (0..6000).map(|n| format!("S{n}")).collect();
    let all = |quantity: &str, some: &[String]| {
        let rows = some.iter().map(|sku| told(key(sku, "PARIS", OnHand, ""), row(quantity)));
        batch(rows.collect::<Vec<_>>())
    };
    levels.apply(&all("5", &skus));
    levels.apply(&batch([told(key("S0", "LYON", OnHand, ""), row("7"))]));
    let standing = Standing { last_heard: Some(NOW), gap_since: None };
    let planes = [(paris.clone(), OnHand)];
    for quantity in ["9", "3"] {
        let mut restated = all(quantity, &skus[..5000]);
        restated.events.push(told(key("S1", "LYON", OnHand, ""), row(quantity)));
        restated.events.push(Event::Complete { location: paris.clone(), measure: OnHand, sequence: 3 });
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                loop {
                    let view = levels.view(NOW);
                    let mut seen = Vec::new();
                    for sku in ["S0", "S2500", "S4999"] {
                        view.figures(
                            sku,
                            |figures| {
                                if figures.location == paris {
                                    seen.push(figures.net)
                                }
                            },
                            &mut Vec::new(),
                        );
                    }
                    assert!(seen.iter().all(|net| *net == seen[0]), "{seen:?}");
                    if seen[0] == Net::Known(q(quantity)) {
                        return;
                    }
                }
            });
            levels.restate(&restated, &planes, standing);
            reader.join().unwrap();
        });
        assert_eq!(levels.row(&key("S5500", "PARIS", OnHand, "")), Some(row("5")), "it was not said to be otherwise");
        assert_eq!(levels.row(&key("S1", "LYON", OnHand, "")), Some(row(quantity)), "what it did elsewhere");
        assert_eq!(levels.len(), 6002, "no second table stays");
    }
    assert_eq!(only(&levels, "NEVER", NOW).net, Net::Known(q("0")), "what is not there is zero");
    // Changes go to the table that is read now.
    levels.apply(&batch([told(key("S3", "PARIS", OnHand, ""), row("1"))]));
    assert_eq!(levels.row(&key("S3", "PARIS", OnHand, "")), Some(row("1")));
}

#[test]
fn a_page_never_sees_half_of_a_request() {
    let levels = levels(&[]);
    let skus: Vec<String> = (0..40).map(|n| format!("S{n}")).collect();
    let write = |n: u64| {
        let events: Vec<Event> =
            skus.iter().map(|sku| told(key(sku, "PARIS", OnHand, ""), row(&n.to_string()))).collect();
        levels.apply(&batch(events));
    };
    write(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut pages, mut states) = (0u64, std::collections::HashSet::new());
                    while !done.load(Ordering::Relaxed) || pages < 100 {
                        let view = levels.view(NOW);
                        let mut nets = Vec::new();
                        skus.iter()
                            .for_each(|sku| view.figures(sku, |figures| nets.push(figures.net), &mut Vec::new()));
                        assert_eq!(nets.len(), skus.len());
                        assert!(nets.iter().all(|net| *net == nets[0]), "{nets:?}");
                        states.insert(format!("{:?}", nets[0]));
                        pages += 1;
                    }
                    states.len()
                })
            })
            .collect();
        (1..3000).for_each(write);
        done.store(true, Ordering::Relaxed);
        let states: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(states > 3, "the readers read beside the writer");
    });
}

type Level = (usize, usize, Measure);

/// The same, as simply as can be.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Level, BTreeMap<String, Row>>,
    complete: BTreeMap<(usize, Measure), u64>,
    missed: u64,
}

impl Model {
    fn sum(&self, sku: usize, location: usize, measure: Measure, now: Timestamp) -> Option<Quantity> {
        let rows = self.rows.get(&(sku, location, measure));
        let total = |rows: &BTreeMap<String, Row>| {
            let counted = rows.values().filter(|row| row.expires_at.is_none_or(|end| now < end));
            counted.fold(Quantity::ZERO, |sum, row| sum.plus(row.quantity).unwrap())
        };
        rows.map(total).or_else(|| self.complete.contains_key(&(location, measure)).then_some(Quantity::ZERO))
    }

    fn net(&self, sku: usize, location: usize, now: Timestamp) -> Option<Quantity> {
        let of = |measure| self.sum(sku, location, measure, now);
        let pending = of(Pending).unwrap_or(Quantity::ZERO);
        let heard = self.complete.contains_key(&(location, Reserved))
            || self.rows.keys().any(|level| (level.1, level.2) == (location, Reserved));
        let reserved = if heard { of(Reserved) } else { Some(Quantity::ZERO) };
        let base = of(Available).or_else(|| of(OnHand)?.minus(reserved?));
        base?.minus(pending)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Rows(Vec<(usize, usize, Measure, &'static str, Option<Row>)>),
    Complete(usize, Measure, u64),
    Missed(u64),
}

fn any_row() -> impl Strategy<Value = Row> {
    let quantity = (-99_999i64..99_999, 0u32..3);
    let dates = (proptest::option::weighted(0.2, 0i64..4), proptest::option::weighted(0.2, 0i64..9), 0u8..4);
    (quantity, dates, 0u64..20, 0u64..20, any::<bool>()).prop_map(
        |((mantissa, scale), dates, sequence, stated, suspect)| {
            let (expires, effective, day) = dates;
            Row {
                quantity: Quantity::new(rust_decimal::Decimal::new(mantissa, scale)).unwrap(),
                expected_on: (day == 3).then(|| date(2026, 12, 1)),
                expires_at: expires.map(|more| Timestamp(NOW.0 - 1 + more)),
                changed_at: Timestamp(NOW.0 + sequence as i64),
                effective_at: effective.map(|less| Timestamp(NOW.0 - less)),
                sequence: if effective.is_some_and(|less| less > 3) { 0 } else { sequence },
                stated,
                suspect,
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let measure = || proptest::sample::select(Measure::ALL.to_vec());
    let name = proptest::sample::select(vec!["", "", "a", "b", "c"]);
    let row = proptest::option::weighted(0.8, any_row());
    let change = (0usize..6, 0usize..3, measure(), name, row);
    prop_oneof![
        8 => proptest::collection::vec(change, 1..8).prop_map(Step::Rows),
        1 => (0usize..3, measure(), 0u64..20).prop_map(|(place, measure, n)| Step::Complete(place, measure, n)),
        1 => (0u64..20).prop_map(Step::Missed),
    ]
}

const SKUS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];
const LOCATIONS: [&str; 3] = ["PARIS", "LYON", "LILLE"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn levels_are_what_a_naive_map_says(steps in proptest::collection::vec(any_step(), 1..30)) {
        let levels = levels(&[]);
        let mut model = Model::default();
        for step in &steps {
            let mut events = Vec::new();
            match step {
                Step::Rows(rows) => for (sku, place, measure, name, row) in rows {
                    let key = key(SKUS[*sku], LOCATIONS[*place], *measure, name);
                    events.push(Event::Row { key, row: row.clone() });
                    let level = model.rows.entry((*sku, *place, *measure)).or_default();
                    match row {
                        Some(row) => { level.insert((*name).into(), row.clone()); }
                        None => { level.remove(*name); }
                    }
                },
                Step::Complete(place, measure, sequence) => {
                    let location = LocationId::new(LOCATIONS[*place]).unwrap();
                    events.push(Event::Complete { location, measure: *measure, sequence: *sequence });
                    model.complete.insert((*place, *measure), *sequence);
                }
                Step::Missed(before) => {
                    events.push(Event::Missed { before: *before });
                    model.missed = model.missed.max(*before);
                }
            }
            levels.apply(&batch(events));
        }
        prop_assert_eq!(levels.len(), model.rows.len());
        let mut walked = 0;
        levels.for_each(|_, _| walked += 1);
        prop_assert_eq!(walked, model.rows.values().map(BTreeMap::len).sum::<usize>());
        for (n, sku) in SKUS.iter().enumerate() {
            let found = figures(&levels, sku, NOW);
            for (place, location) in LOCATIONS.iter().enumerate() {
                let here = found.iter().find(|figures| figures.location.as_str() == *location);
                let net = here.map_or(Net::Unknown, |figures| figures.net);
                prop_assert_eq!(net, model.net(n, place, NOW).map_or(Net::Unknown, Net::Known), "{} at {}", sku, location);
                let on_hand = here.and_then(|figures| figures.on_hand);
                prop_assert_eq!(on_hand.filter(|_| net != Net::Unknown), model.sum(n, place, OnHand, NOW).filter(|_| net != Net::Unknown));
                for measure in Measure::ALL {
                    for name in ["", "a", "b", "c"] {
                        let kept = model.rows.get(&(n, place, measure)).and_then(|rows| rows.get(name));
                        prop_assert_eq!(levels.row(&key(sku, location, measure, name)), kept.cloned());
                    }
                }
            }
            let mut listed = Vec::new();
            levels.view(NOW).rows(sku, |told, _| listed.push(told));
            for told in listed {
                let place = LOCATIONS.iter().position(|at| *at == told.key.location.as_str()).unwrap();
                let stated = if told.row.effective_at.is_some() { 0 } else { told.row.stated };
                let stated = stated.max(model.complete.get(&(place, told.key.measure)).copied().unwrap_or(0));
                prop_assert_eq!(told.suspect, told.row.suspect || stated < model.missed);
            }
        }
    }
}
