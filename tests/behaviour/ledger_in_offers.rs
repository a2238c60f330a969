//! What sources told the stock ledger is told from there; the rest is asked; what is in doubt says so.

use std::sync::Arc;
use std::time::Duration;

use Measure::{Incoming, OnHand, Pending, Reserved};
use comptoir::cache::CacheConfig;
use comptoir::clock::Timestamp;
use comptoir::domain::change::{Measure, RowId, RowKey};
use comptoir::domain::ids::SourceId;
use comptoir::domain::{LocationId, Purpose, Sku};
use comptoir::erp::ErpError;
use comptoir::erp::connector::{Call, Capabilities, Connector, Reply};
use comptoir::erp::connectors::simulated::{Faults, Only, SimulatedConnector, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{
    AvailabilityAnswer, Band, Calendar, Freshness, LineAnswer, LineQuery, LineStatus, OfferConfig, OfferQuery,
    OfferService, Parts, Source,
};
use comptoir::stock::event::Batch;
use comptoir::stock::levels::{Figures, Standing};
use comptoir::stock::{Event, Levels, Row, SourceConfig, StockConfig};
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;

use crate::rig::{Rig, START, rig, rig_with};

const BOLT: &str = "BOLT-8";

fn place(name: &str) -> LocationId {
    LocationId::new(name).unwrap()
}

fn wms() -> SourceId {
    SourceId::new("wms").unwrap()
}

/// A ledger of one source that answers for these locations; none: for all.
fn ledger(locations: &[&str]) -> Arc<Levels> {
    let source = SourceConfig {
        locations: locations.iter().map(|name| place(name)).collect(),
        silent_after: Some(Duration::from_secs(3600)),
        ..SourceConfig::named(wms())
    };
    Arc::new(Levels::new(&StockConfig { sources: vec![source], ..StockConfig::default() }, START))
}

fn row(quantity: &str) -> Row {
    Row {
        quantity: quantity.parse().unwrap(),
        expected_on: None,
        expires_at: None,
        changed_at: Timestamp(START.0 - 60_000),
        effective_at: None,
        sequence: 1,
        stated: 1,
        suspect: false,
    }
}

fn told(location: &str, measure: Measure, name: &str, row: Row) -> Event {
    let (sku, name) = (Sku::new(BOLT).unwrap(), RowId::new(name).unwrap());
    Event::Row { key: RowKey { sku, location: place(location), measure, row: name }, row: Some(row) }
}

fn push(levels: &Levels, at: Timestamp, events: impl Into<Vec<Event>>) {
    levels.apply(&Batch { source: wms(), at, events: events.into() });
}

/// A ledger beside an ERP that says 420 of the bolt in PARIS, in calls of their own; the party is known.
async fn rig_beside(levels: &Arc<Levels>) -> Rig {
    let options = SimulatedOptions { offers: false, ..SimulatedOptions::default() };
    let rig = rig_with(options, Budget::default());
    rig.service.use_ledger(levels.clone());
    rig.know("C-00042").await;
    rig
}

fn bolts(rig: &Rig, purpose: Purpose, quantity: &str) -> OfferQuery {
    let mut query = rig.query(Some("C-00042"), Vec::<String>::new());
    query.purpose = purpose;
    query.lines = vec![LineQuery::new(BOLT.into(), Some(quantity.into()), None, None)];
    query
}

async fn bolt(rig: &Rig, purpose: Purpose) -> LineAnswer {
    rig.ask(bolts(rig, purpose, "1")).await.lines.remove(0)
}

/// Available in all, how old that is, and location by location.
struct Told {
    available: String,
    on: Option<String>,
    band: Band,
    whole: Freshness,
    each: Vec<(String, String, Freshness)>,
    incoming: Vec<(String, String)>,
}

fn read(line: &LineAnswer) -> Told {
    let AvailabilityAnswer::Told { row, band, available, available_on, freshness, by_location } = &line.availability
    else {
        panic!("{line:?}")
    };
    let of = |index: usize| by_location.as_ref().map_or(*freshness, |each| each[index]);
    if let Some(each) = by_location {
        assert_eq!(each.len(), row.levels().count());
    }
    Told {
        available: available.map_or_else(|| row.available().1.to_string(), |sum| sum.to_string()),
        on: available_on.map(|day| day.to_string()),
        band: *band,
        whole: *freshness,
        each: row
            .levels()
            .enumerate()
            .map(|(index, level)| (level.location.to_string(), level.available.to_string(), of(index)))
            .collect(),
        incoming: row.incoming().map(|coming| (coming.location.to_string(), coming.quantity.to_string())).collect(),
    }
}

fn operations(rig: &Rig) -> Vec<&'static str> {
    rig.erp.stats().recent.iter().map(|call| call.operation.as_str()).collect()
}

fn stock_is_down(rig: &Rig) {
    rig.faults(Faults { down: true, only: vec![Only::Stock], ..Faults::default() });
}

#[tokio::test(start_paused = true)]
async fn what_a_source_tells_is_not_asked_and_says_when_it_was_heard_and_when_it_moved() {
    let levels = ledger(&[]);
    push(
        &levels,
        Timestamp(START.0 - 1000),
        [
            told("PARIS", OnHand, "", row("10")),
            told("PARIS", Reserved, "", row("3")),
            told("PARIS", Pending, "o1", Row { expires_at: Some(START.plus(Duration::from_secs(60))), ..row("2") }),
        ],
    );
    let rig = rig_beside(&levels).await;
    let line = bolt(&rig, Purpose::Detail).await;
    assert_eq!(line.status, LineStatus::Ok);
    assert_eq!(operations(&rig), ["prices"], "the price alone");
    let answer = read(&line);
    assert_eq!((answer.available.as_str(), answer.band), ("5", Band::Low));
    let Freshness { source, observed_at, stale, changed_at, .. } = answer.each[0].2;
    assert_eq!((source, stale), (Source::Ledger, None));
    assert_eq!((observed_at, changed_at), (Timestamp(START.0 - 1000), Some(Timestamp(START.0 - 60_000))));
    assert_eq!((answer.whole.source, answer.whole.changed_at), (Source::Ledger, None));
    // An order counts until it expires; nothing is fetched for that.
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "7");
    // Visible is what was applied, with the next question.
    push(&levels, rig.clock.read().wall, [told("PARIS", OnHand, "", row("100"))]);
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "97");
    assert_eq!(operations(&rig), ["prices"]);
}

#[tokio::test(start_paused = true)]
async fn locations_that_nobody_owns_are_asked_and_keep_their_own_age() {
    let levels = ledger(&["DEPOT"]);
    push(&levels, START, [told("DEPOT", OnHand, "", row("7"))]);
    let rig = rig_beside(&levels).await;
    let line = bolt(&rig, Purpose::Detail).await;
    let answer = read(&line);
    assert_eq!(answer.available, "427");
    let each: Vec<_> = answer.each.iter().map(|(at, net, of)| (at.as_str(), net.as_str(), of.source)).collect();
    assert_eq!(each, [("DEPOT", "7", Source::Ledger), ("PARIS", "420", Source::Erp)]);
    assert_eq!(answer.incoming, [("PARIS".to_owned(), "1000".to_owned())]);
    // Asked for what the ledger has, the ERP is left alone.
    rig.erp.reset_stats();
    tokio::time::advance(Duration::from_secs(90)).await;
    let mut query = bolts(&rig, Purpose::Detail, "1");
    query.locations = vec![place("DEPOT")];
    assert_eq!(read(&rig.ask(query).await.lines[0]).available, "7");
    assert_eq!(operations(&rig), [""; 0]);
    // What was asked has not become the ledger's.
    let each = |of: Figures| assert_eq!(of.location.as_str(), "DEPOT");
    levels.view(rig.clock.read().wall).figures(BOLT, each, &mut Vec::new());
}

#[tokio::test(start_paused = true)]
async fn a_level_that_was_never_said_is_asked_and_without_an_answer_the_rest_says_so() {
    let levels = ledger(&["PARIS", "DEPOT"]);
    push(&levels, START, [told("DEPOT", OnHand, "", row("7"))]);
    let rig = rig_beside(&levels).await;
    stock_is_down(&rig);
    let answer = read(&bolt(&rig, Purpose::Detail).await);
    assert_eq!((answer.available.as_str(), answer.whole.stale), ("7", Some("not_complete")));
    assert_eq!(answer.each[0].2.stale, None, "what was told is not in doubt");
    rig.faults(Faults::default());
    tokio::time::advance(Duration::from_secs(60)).await;
    let answer = read(&bolt(&rig, Purpose::Detail).await);
    assert_eq!((answer.available.as_str(), answer.whole.stale), ("427", None), "PARIS is the ERP's until it is told");
    // Once all of it was stated, absent is zero.
    let complete = Event::Complete { location: place("PARIS"), measure: OnHand, sequence: 9 };
    push(&levels, rig.clock.read().wall, [complete]);
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "7");
}

#[tokio::test(start_paused = true)]
async fn figures_in_doubt_are_marked_and_in_a_basket_asked() {
    let levels = ledger(&[]);
    push(&levels, START, [told("PARIS", OnHand, "", row("10"))]);
    let rig = rig_beside(&levels).await;
    let standing = |last_heard, gap_since| levels.note(&wms(), Standing { last_heard: Some(last_heard), gap_since });
    let suspect = [told("PARIS", OnHand, "", Row { suspect: true, ..row("10") })];
    for reason in ["source_gap", "source_silent", "row_rejected"] {
        match reason {
            "source_gap" => standing(START, Some(Timestamp(START.0 - 10_000))),
            "source_silent" => {
                standing(START, None);
                tokio::time::advance(Duration::from_secs(3700)).await;
            }
            _ => push(&levels, rig.clock.read().wall, suspect.clone()),
        }
        let answer = read(&bolt(&rig, Purpose::List).await);
        assert_eq!((answer.available.as_str(), answer.whole.stale), ("10", Some(reason)));
        assert_eq!(answer.each[0].2.stale, Some(reason));
        for purpose in [Purpose::Cart, Purpose::Checkout] {
            let answer = read(&bolt(&rig, purpose).await);
            assert_eq!((answer.available.as_str(), answer.whole.stale), ("420", None), "{reason} {purpose:?}");
            assert_ne!(answer.whole.source, Source::Ledger);
        }
        assert_eq!(read(&bolt(&rig, Purpose::List).await).available, "10", "an asked figure is not the ledger's");
    }
    // Once it is sure again, a basket takes its word.
    push(&levels, rig.clock.read().wall, [told("PARIS", OnHand, "", row("11"))]);
    assert_eq!(read(&bolt(&rig, Purpose::Checkout).await).available, "11");
}

#[tokio::test(start_paused = true)]
async fn a_basket_over_a_ledger_in_doubt_and_an_erp_that_is_down_gets_what_it_accepts() {
    let levels = ledger(&[]);
    push(&levels, START, [told("PARIS", OnHand, "", Row { suspect: true, ..row("10") })]);
    let rig = rig_beside(&levels).await;
    stock_is_down(&rig);
    let answer = read(&bolt(&rig, Purpose::Cart).await);
    assert_eq!((answer.available.as_str(), answer.whole.stale), ("10", Some("row_rejected")));
    let line = bolt(&rig, Purpose::Checkout).await;
    assert!(matches!(line.availability, AvailabilityAnswer::Unavailable { reason: "erp_unreachable" }), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_dates_what_is_not_there() {
    let levels = ledger(&[]);
    let due = |day: i8| Row { expected_on: Some(jiff::civil::date(2026, 11, day)), ..row("10") };
    push(
        &levels,
        START,
        [
            told("PARIS", OnHand, "", row("5")),
            told("PARIS", Incoming, "p2", due(30)),
            told("PARIS", Incoming, "p1", due(24)),
            told("PARIS", Incoming, "p3", row("1000")),
        ],
    );
    let rig = rig_beside(&levels).await;
    for (quantity, day) in
        [("5", "2026-11-22"), ("6", "2026-11-24"), ("15", "2026-11-24"), ("25", "2026-11-30"), ("26", "2026-11-27")]
    {
        let answer = read(&rig.ask(bolts(&rig, Purpose::Detail, quantity)).await.lines[0]);
        assert_eq!(answer.on.as_deref(), Some(day), "{quantity}; beyond all of them, the lead time");
    }
}

#[tokio::test(start_paused = true)]
async fn an_owners_sum_that_does_not_fit_is_not_told() {
    let levels = ledger(&[]);
    let huge = "999999999999999999";
    push(&levels, START, [told("PARIS", OnHand, "a", row(huge)), told("PARIS", OnHand, "b", row(huge))]);
    let rig = rig_beside(&levels).await;
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "420", "it is asked instead");
    let rig = rig_beside(&levels).await;
    stock_is_down(&rig);
    let line = bolt(&rig, Purpose::Detail).await;
    assert!(matches!(line.availability, AvailabilityAnswer::Unavailable { .. }), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn orders_the_erp_has_not_seen_are_taken_off_what_it_says() {
    let levels = ledger(&["DEPOT"]);
    push(&levels, START, [told("PARIS", Pending, "o1", row("20"))]);
    let rig = rig_beside(&levels).await;
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "400");
}

#[tokio::test(start_paused = true)]
async fn orders_that_do_not_fit_a_quantity_are_not_none() {
    let levels = ledger(&["DEPOT"]);
    let most = || row("999999999999999999");
    push(&levels, START, [told("PARIS", Pending, "o1", most()), told("PARIS", Pending, "o2", most())]);
    let rig = rig_beside(&levels).await;
    let line = bolt(&rig, Purpose::Detail).await;
    assert!(matches!(line.availability, AvailabilityAnswer::Unavailable { reason: "out_of_range" }), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn that_there_are_no_orders_is_as_doubtful_as_who_tells_of_them() {
    let levels = ledger(&["DEPOT"]);
    // The last of them is over.
    let location = place("PARIS");
    push(&levels, START, [Event::Complete { location, measure: Pending, sequence: 1 }]);
    let rig = rig_beside(&levels).await;
    let sure = read(&bolt(&rig, Purpose::Detail).await);
    assert_eq!((sure.available.as_str(), sure.whole.stale), ("420", None));
    levels.note(&wms(), Standing { last_heard: Some(START), gap_since: Some(Timestamp(START.0 - 10_000)) });
    let unsure = read(&bolt(&rig, Purpose::Detail).await);
    assert_eq!((unsure.available.as_str(), unsure.whole.stale), ("420", Some("source_gap")));
}

#[tokio::test(start_paused = true)]
async fn orders_in_doubt_make_the_erps_figure_doubtful() {
    // There may be others: of them nobody knows, however sure the ERP is.
    for (locations, quantity) in [(&["DEPOT"][..], "20"), (&[], "20"), (&[], "0")] {
        let levels = ledger(locations);
        push(&levels, START, [told("PARIS", Pending, "o1", row(quantity))]);
        let rig = rig_beside(&levels).await;
        let sure = read(&bolt(&rig, Purpose::Detail).await);
        assert_eq!((sure.whole.source, sure.whole.stale), (Source::Erp, None));
        let gap_since = Some(Timestamp(START.0 - 10_000));
        levels.note(&wms(), Standing { last_heard: Some(START), gap_since });
        let unsure = read(&bolt(&rig, Purpose::Detail).await);
        assert_eq!((unsure.available, unsure.whole.stale), (sure.available, Some("source_gap")));
        assert_eq!(unsure.each[0].2.stale, Some("source_gap"));
        assert_ne!(unsure.whole.source, Source::Ledger);
    }
    // In a basket the ERP is asked about what is there, and cannot say anything about orders it has not seen.
    let levels = ledger(&[]);
    let suspect = Row { suspect: true, ..row("20") };
    push(&levels, START, [told("PARIS", OnHand, "", row("10")), told("PARIS", Pending, "o1", suspect)]);
    let rig = rig_beside(&levels).await;
    let answer = read(&bolt(&rig, Purpose::Cart).await);
    assert_eq!((answer.available.as_str(), answer.whole.stale), ("400", Some("row_rejected")));
}

#[tokio::test(start_paused = true)]
async fn stock_alone_of_what_the_ledger_has_reaches_no_erp() {
    let levels = ledger(&[]);
    push(&levels, START, [told("PARIS", OnHand, "", row("10"))]);
    let rig = rig_beside(&levels).await;
    let mut query = bolts(&rig, Purpose::Checkout, "1");
    query.parts = Parts { price: false, availability: true };
    let line = rig.ask(query).await.lines.remove(0);
    assert_eq!((line.status, read(&line).available.as_str()), (LineStatus::Ok, "10"));
    assert_eq!(operations(&rig), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_the_doubtful_figure_does_not_settle_the_doubt() {
    let levels = ledger(&["PARIS"]);
    let rig = rig_beside(&levels).await;
    assert_eq!(read(&bolt(&rig, Purpose::Detail).await).available, "420", "asked, and held");
    let asked = operations(&rig).len();
    tokio::time::advance(Duration::from_secs(10)).await;
    let moved = |seconds: u64| Row { suspect: true, changed_at: START.plus(Duration::from_secs(seconds)), ..row("7") };
    push(&levels, START, [told("PARIS", OnHand, "", Row { changed_at: Timestamp(START.0 - 1), ..moved(0) })]);
    assert_eq!(read(&bolt(&rig, Purpose::Cart).await).available, "420");
    assert_eq!(operations(&rig).len(), asked, "what is held is newer than what is doubted");
    push(&levels, START, [told("PARIS", OnHand, "", moved(5))]);
    let answer = read(&bolt(&rig, Purpose::Cart).await);
    assert_eq!((answer.available.as_str(), answer.whole.source), ("420", Source::Erp));
    assert_eq!(operations(&rig)[asked..], ["stock"]);
}

#[tokio::test(start_paused = true)]
async fn explaining_says_what_the_ledger_said() {
    let levels = ledger(&["DEPOT"]);
    push(&levels, START, [told("DEPOT", OnHand, "", Row { suspect: true, ..row("7") })]);
    let rig = rig_beside(&levels).await;
    let told = rig.service.explain(bolts(&rig, Purpose::Detail, "1")).await.unwrap();
    let step = told.steps.iter().find(|step| step.about == "ledger").unwrap();
    assert_eq!(step.get("DEPOT.ledger"), Some("7"));
    assert_eq!(step.get("DEPOT.in_doubt"), Some("row_rejected"));
    assert!(step.text.ends_with("for the rest the ERP is asked."), "{}", step.text);
}

/// An ERP that knows prices and no stock.
struct NoStock(SimulatedConnector, Capabilities);

impl Connector for NoStock {
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Reply, ErpError>> {
        assert!(!matches!(call, Call::Stock(..) | Call::Offers(..)), "it cannot be asked for stock");
        self.0.call(call)
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_erp_tells_no_stock_the_ledger_is_all_there_is() {
    let mut rig = rig();
    let connector = SimulatedConnector::new(rig.erp.clone());
    let capabilities = Capabilities { stock: false, offers: false, ..connector.capabilities().clone() };
    let service = OfferService::new(
        Arc::new(NoStock(connector, capabilities)),
        OfferConfig::default(),
        &CacheConfig::default(),
        Budget::default(),
        Calendar(TimeZone::UTC),
        rig.clock,
    );
    rig.service = service;
    let levels = ledger(&["DEPOT", "PARIS"]);
    rig.service.use_ledger(levels.clone());
    let line = bolt(&rig, Purpose::Detail).await;
    assert!(matches!(line.availability, AvailabilityAnswer::Unavailable { reason: "not_complete" }), "{line:?}");
    push(&levels, START, [told("DEPOT", OnHand, "", Row { suspect: true, ..row("7") })]);
    let answer = read(&bolt(&rig, Purpose::Checkout).await);
    assert_eq!(
        (answer.available.as_str(), answer.whole.stale),
        ("7", Some("row_rejected")),
        "marked, for who else knows"
    );
}
