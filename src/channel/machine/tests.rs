//! What each rule is for, on figures that are made up.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::channel::ack::{Ack, AckResult};
use crate::channel::config::{ChannelConfig, PricePolicy};
use crate::channel::event::Reach;
use crate::channel::fact::{Asked, PriceFact};
use crate::channel::row::{ChannelRow, RowState};
use crate::domain::ids::SourceId;
use crate::domain::{CustomerId, Quantity, TaxBasis};
use crate::stock::changes::Cursor;

const START: Timestamp = Timestamp(1_795_600_000_000);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

fn quantity(value: i64) -> Quantity {
    value.to_string().parse().unwrap()
}

/// Quantities only.
fn config() -> ChannelConfig {
    ChannelConfig { price: None, ..ChannelConfig::named("shop") }
}

fn priced() -> ChannelConfig {
    ChannelConfig { price: Some(PricePolicy::default()), ..ChannelConfig::named("shop") }
}

fn seat(location: &str, available: i64) -> Seat {
    Seat {
        location: LocationId::new(location).unwrap(),
        available: Some(quantity(available)),
        on_hand: None,
        reserved: None,
        pending: Quantity::ZERO,
        doubt: None,
        heard_at: Some(START),
    }
}

fn doubted(location: &str, available: i64, since: u64) -> Seat {
    Seat { doubt: Some(("source_gap", after(since))), ..seat(location, available) }
}

fn price(amount: &str, observed_at: Timestamp) -> Asked {
    Asked::Price(PriceFact::Told {
        net_price: amount.parse().unwrap(),
        base_quantity: Quantity::ONE,
        currency: "EUR".parse().unwrap(),
        tax_basis: Some(TaxBasis::Net),
        tax_rate: None,
        lead_time_days: None,
        ends: None,
        observed_at,
    })
}

/// The ledger knows no more than the machine.
fn nothing_more(_: Option<&Cursor>, _: usize) -> Option<Part> {
    let mut history = History::default();
    history.start(1, 0);
    let cursor = Rebuild::<u32>::default().start(history).head();
    Some(Part { skus: Vec::new(), cursor, ends: true })
}

/// A machine, and all that happened to it.
struct World {
    machine: Machine,
    events: Vec<Event>,
    source: SourceId,
}

impl World {
    fn new(config: ChannelConfig) -> Self {
        Self::replayed(config, &[], START)
    }

    fn replayed(config: ChannelConfig, events: &[Event], now: Timestamp) -> Self {
        let mut machine = Machine::new(Policy::new(config));
        events.iter().for_each(|event| machine.apply(event));
        let mut events = events.to_vec();
        machine.start(1, now, &mut events);
        Self { machine, events, source: SourceId::new("wms").unwrap() }
    }

    /// From the journal, as it is so far.
    fn restarted(&self, config: ChannelConfig, now: Timestamp) -> Self {
        Self::replayed(config, &self.events, now)
    }

    fn derive(&mut self, name: &str, seats: &[Seat], now: Timestamp) {
        self.machine.derive(&sku(name), seats, now, &mut self.events);
    }

    /// All that time and news have for it, on these figures.
    fn work(&mut self, seats: &[Seat], now: Timestamp) {
        loop {
            let mut skus = Vec::new();
            self.machine.take_due(now, 100, &mut skus);
            let mut scanned = Vec::new();
            match self.machine.scan(100, nothing_more, &mut scanned, &mut self.events) {
                Scanned::Derive => skus.append(&mut scanned),
                Scanned::Count => scanned.iter().for_each(|sku| self.machine.count_zeros(sku, seats, now)),
                Scanned::Nothing => {}
            }
            skus.iter().for_each(|sku| self.machine.derive(sku, seats, now, &mut self.events));
            if !self.machine.has_work(now) {
                let before = self.events.len();
                self.machine.judge_blocked(&mut self.events);
                if before == self.events.len() {
                    break;
                }
            }
        }
    }

    fn watch(&mut self, since: Option<u64>, now: Timestamp) {
        let source = self.source.clone();
        self.machine.watch(since.iter().map(|since| (&source, after(*since))), now);
    }

    fn number(&self, name: &str) -> u32 {
        self.machine.first(&sku(name)).expect("it is known")
    }

    fn kept(&self, name: &str) -> &Kept {
        &self.machine.entry(self.number(name)).expect("it is there").kept
    }

    fn row(&self, name: &str) -> Arc<ChannelRow> {
        self.kept(name).row.clone().expect("it is published")
    }

    fn shows(&self, name: &str) -> (RowState, String) {
        let row = self.row(name);
        (row.state, row.quantity.map_or("-".to_owned(), |quantity| quantity.normalized().to_string()))
    }

    fn listed(&self, name: &str, quantity: i64) {
        assert_eq!(self.shows(name), (RowState::Listed, quantity.to_string()));
    }

    fn tell(&mut self, name: &str, asked: Asked, now: Timestamp) {
        let number = self.number(name);
        self.machine.told(number, asked, now, &mut self.events);
    }
}

#[test]
fn only_what_the_channel_sees_is_a_change() {
    let mut config = config();
    config.quantity.cap = Some(quantity(5));
    let mut world = World::new(config);
    world.derive("A", &[seat("PARIS", 9)], START);
    world.listed("A", 5);
    let version = world.row("A").version;
    world.machine.take_changes();
    let before = world.events.len();
    for available in [8, 7, 6, 5, 100] {
        world.derive("A", &[seat("PARIS", available)], after(1));
    }
    assert_eq!((world.events.len(), world.row("A").version), (before, version));
    assert!(world.machine.take_changes().is_empty());
    world.derive("A", &[seat("PARIS", 4)], after(2));
    let row = world.row("A");
    assert_eq!((row.quantity, row.version), (Some(quantity(4)), version + 1));
    assert_eq!(row.quantity_version, row.version);
    assert!(matches!(&world.machine.take_changes()[..], [Change::Row(_, shown)] if *shown == row));
}

#[test]
fn quantity_and_price_have_versions_of_their_own() {
    let mut world = World::new(priced());
    world.derive("A", &[seat("PARIS", 9)], START);
    assert_eq!(world.kept("A").row, None, "nothing is sold without a price");
    world.tell("A", price("10", START), START);
    world.work(&[seat("PARIS", 9)], START);
    let first = world.row("A");
    world.derive("A", &[seat("PARIS", 8)], after(1));
    let second = world.row("A");
    assert_eq!((second.quantity_version, second.price_version), (second.version, first.version));
    world.tell("A", price("11", after(2)), after(2));
    world.work(&[seat("PARIS", 8)], after(2));
    let third = world.row("A");
    assert_eq!((third.quantity_version, third.price_version), (second.version, third.version));
}

#[test]
fn versions_grow_also_over_a_log_that_was_lost() {
    let mut world = World::new(config());
    for available in 1..50 {
        world.derive("A", &[seat("PARIS", available)], after(0));
    }
    let version = world.row("A").version;
    let mut lost = World::replayed(config(), &[], after(60));
    lost.derive("A", &[seat("PARIS", 1)], after(60));
    assert!(lost.row("A").version > version);
    // Nor does a log that was put back from a copy give anything out twice.
    let mut restored = World::replayed(config(), &world.events[..5], after(60));
    restored.derive("A", &[seat("PARIS", 77)], after(60));
    assert!(restored.row("A").version > version);
}

#[test]
fn a_location_in_doubt_for_too_long_is_held_and_may_only_fall() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 9), seat("LYON", 1)], after(400));
    world.derive("A", &[doubted("PARIS", 8, 400), seat("LYON", 1)], after(500));
    world.listed("A", 9);
    // Longer than `hold_after`: what the figure does now is not believed, unless it is less.
    world.derive("A", &[doubted("PARIS", 8, 400), seat("LYON", 1)], after(701));
    world.listed("A", 9);
    assert_eq!(world.row("A").reasons.iter().collect::<Vec<_>>(), ["source_gap"]);
    world.derive("A", &[doubted("PARIS", 50, 400), seat("LYON", 2)], after(702));
    world.listed("A", 10);
    world.derive("A", &[doubted("PARIS", 3, 400), seat("LYON", 2)], after(703));
    world.listed("A", 5);
    let report = world.machine.report(0, 0);
    assert_eq!(report.held_locations.len(), 1);
    assert_eq!((report.held_locations[0].reason, report.held_locations[0].is_zero), ("source_gap", false));
    // A start forgets nothing of it, and judges nobody before they can have been heard.
    let mut world = world.restarted(config(), after(800));
    world.derive("A", &[seat("PARIS", 50), seat("LYON", 2)], after(801));
    world.listed("A", 10);
    world.derive("A", &[Seat { heard_at: Some(after(802)), ..seat("PARIS", 50) }, seat("LYON", 2)], after(803));
    world.listed("A", 52);
    assert!(world.machine.report(0, 0).held_locations.is_empty());
}

#[test]
fn a_start_judges_no_doubt_before_sources_can_have_been_heard() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 9)], after(10));
    let mut world = world.restarted(config(), after(100_000));
    world.derive("A", &[doubted("PARIS", 20, 0)], after(100_001));
    world.listed("A", 20);
    world.watch(Some(0), after(100_001));
    assert!(!world.machine.has_work(after(100_001)) || world.machine.own.anew);
    world.derive("A", &[doubted("PARIS", 30, 0)], after(100_400));
    world.listed("A", 30);
    world.derive("A", &[doubted("PARIS", 40, 0)], after(100_401));
    world.listed("A", 30);
}

fn zeroing() -> ChannelConfig {
    ChannelConfig { zero_after: Some(Duration::from_secs(3600)), ..config() }
}

#[test]
fn few_rows_of_a_doubted_location_go_to_zero_and_many_wait_for_somebody() {
    for (many, percent) in [(false, 60), (true, 20)] {
        let mut config = zeroing();
        config.guard.zeroed_percent_max = percent;
        let mut world = World::new(config);
        for number in 0..40 {
            let location = if number % 2 == 0 { "PARIS" } else { "LYON" };
            world.derive(&format!("S{number}"), &[seat(location, 9)], after(400));
        }
        run_good(&mut world, after(400));
        let at = after(400 + 3601);
        // Half of them are in Paris.
        world.watch(Some(400), at);
        let name = "S0";
        run(&mut world, at);
        match many {
            false => assert_eq!(world.shows(name).1, "0"),
            true => {
                world.listed(name, 9);
                assert_eq!(world.machine.report(0, 0).guard, Some("too_many_zeros"));
                // It is not counted again and again.
                world.watch(Some(400), at.plus(Duration::from_secs(1)));
                assert!(!world.machine.has_work(at));
                world.machine.set_mode(Mode::Live, true, &mut world.events);
                run(&mut world, at);
                assert_eq!(world.shows(name).1, "0");
                assert_eq!(world.machine.report(0, 0).guard, None);
            }
        }
        world.listed("S1", 9);
        assert!(world.machine.report(0, 0).held_locations[0].is_zero);
        // The source is back.
        world.watch(None, at);
        run_good(&mut world, at);
        world.listed(name, 9);
    }

    fn run(world: &mut World, now: Timestamp) {
        go(world, now, Some(400));
    }

    fn run_good(world: &mut World, now: Timestamp) {
        go(world, now, None);
    }

    /// Each SKU has a location of its own.
    fn go(world: &mut World, now: Timestamp, doubt: Option<u64>) {
        while world.machine.has_work(now) {
            let mut skus = Vec::new();
            world.machine.take_due(now, 7, &mut skus);
            let mut scanned = Vec::new();
            let seats = |sku: &Sku| {
                let number: u32 = sku.as_str()[1..].parse().unwrap();
                let seat = seat(if number.is_multiple_of(2) { "PARIS" } else { "LYON" }, 9);
                let doubt = doubt.filter(|_| number.is_multiple_of(2)).map(|since| ("source_gap", after(since)));
                [Seat { doubt, ..seat }]
            };
            match world.machine.scan(7, nothing_more, &mut scanned, &mut world.events) {
                Scanned::Derive => skus.append(&mut scanned),
                Scanned::Count => {
                    scanned.iter().for_each(|sku| world.machine.count_zeros(sku, &seats(sku), now));
                }
                Scanned::Nothing => {}
            }
            for sku in &skus {
                world.machine.derive(sku, &seats(sku), now, &mut world.events);
            }
        }
    }
}

#[test]
fn a_channel_that_is_held_publishes_nothing_and_then_all_of_it() {
    let mut world = World::new(config());
    world.work(&[], START);
    world.derive("A", &[seat("PARIS", 9)], START);
    world.machine.set_mode(Mode::Held, false, &mut world.events);
    assert_eq!(world.machine.condition().state, ChannelState::Held);
    let before = world.events.len();
    world.derive("A", &[seat("PARIS", 0)], after(1));
    world.derive("B", &[seat("PARIS", 5)], after(1));
    assert_eq!(world.events.len(), before);
    let mut world = world.restarted(config(), after(2));
    assert_eq!(world.machine.condition().state, ChannelState::Held, "it is remembered");
    world.work(&[seat("PARIS", 0)], after(2));
    world.listed("A", 9);
    world.machine.set_mode(Mode::Live, false, &mut world.events);
    assert_eq!(world.machine.condition().state, ChannelState::Recomputing);
    world.work(&[seat("PARIS", 0)], after(3));
    world.listed("A", 0);
    assert_eq!(world.machine.condition().state, ChannelState::Live);
}

#[test]
fn a_channel_that_is_zeroed_shows_everything_at_zero_new_rows_too() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 9)], START);
    world.work(&[seat("PARIS", 9)], START);
    world.machine.set_mode(Mode::Zeroed, false, &mut world.events);
    let condition = world.machine.condition();
    assert_eq!((condition.state, condition.recomputing), (ChannelState::Zeroed, true));
    world.work(&[seat("PARIS", 9)], after(1));
    assert_eq!(world.shows("A"), (RowState::Zeroed, "0".to_owned()));
    assert_eq!(world.row("A").reasons.iter().collect::<Vec<_>>(), ["channel_zeroed"]);
    assert!(!world.machine.condition().recomputing);
    world.derive("B", &[seat("PARIS", 5)], after(2));
    assert_eq!(world.shows("B"), (RowState::Zeroed, "0".to_owned()));
    let version = world.row("A").version;
    world.derive("A", &[seat("PARIS", 8)], after(3));
    assert_eq!(world.row("A").version, version, "zero it stays");
    world.machine.set_mode(Mode::Live, false, &mut world.events);
    world.work(&[seat("PARIS", 8)], after(4));
    world.listed("A", 8);
    world.listed("B", 8);
}

#[test]
fn another_policy_is_a_batch_of_ordinary_changes() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 9)], START);
    world.work(&[seat("PARIS", 9)], START);
    assert_eq!(world.machine.condition().state, ChannelState::Live);
    let same = world.restarted(config(), after(1));
    assert!(!same.machine.own.anew, "the same is the same");
    let mut capped = config();
    capped.quantity.cap = Some(quantity(3));
    let world = world.restarted(capped.clone(), after(1));
    assert_eq!(world.machine.condition().state, ChannelState::Recomputing);
    // Cut short, it is done again.
    let mut world = world.restarted(capped, after(2));
    world.work(&[seat("PARIS", 9)], after(2));
    world.listed("A", 3);
    assert_eq!(world.machine.condition().state, ChannelState::Live);
    // What is no longer sold here stands at zero, and goes.
    let mut without = config();
    without.assortment.exclude = vec!["A".to_owned()];
    let mut world = world.restarted(without, after(3));
    world.work(&[seat("PARIS", 9)], after(3));
    assert_eq!(world.shows("A"), (RowState::Zeroed, "0".to_owned()));
    world.work(&[seat("PARIS", 9)], after(3 + 3599));
    assert_eq!(world.shows("A").0, RowState::Zeroed);
    world.work(&[seat("PARIS", 9)], after(3 + 3600));
    assert_eq!(world.shows("A").0, RowState::Removed);
}

#[test]
fn what_was_removed_long_ago_is_forgotten_and_so_it_is_after_a_start() {
    let mut config = config();
    config.tombstone_retention = Duration::from_secs(10_000);
    config.assortment.exclude = vec!["A".to_owned()];
    let mut world = World::new(ChannelConfig { assortment: Default::default(), ..config.clone() });
    world.derive("A", &[seat("PARIS", 9)], START);
    world.derive("B", &[seat("PARIS", 9)], START);
    let mut world = world.restarted(config.clone(), START);
    world.work(&[seat("PARIS", 9)], START);
    world.work(&[seat("PARIS", 9)], after(3600));
    let removed = world.row("A");
    assert_eq!(removed.state, RowState::Removed);
    world.machine.purge(after(13_600), &mut world.events);
    assert_eq!(world.row("A"), removed, "not yet");
    world.machine.take_changes();
    world.machine.purge(after(13_601), &mut world.events);
    assert_eq!(world.machine.first(&sku("A")), None);
    let changes = world.machine.take_changes();
    let purged = Purged { through: removed.version, at: removed.version + 1 };
    assert!(matches!(changes[..], [Change::Forgotten(_), Change::Purged(told)] if told == purged), "{changes:?}");
    let before = world.events.len();
    world.machine.purge(after(13_601), &mut world.events);
    assert_eq!(world.events.len(), before, "once");
    let world = world.restarted(config, after(13_602));
    assert_eq!((world.machine.first(&sku("A")), world.machine.purged()), (None, purged));
    world.listed("B", 9);
}

fn ack(name: &str, version: u64, result: AckResult) -> Ack {
    Ack { sku: sku(name), channel_sku: None, version, result, reason: None, at: None }
}

#[test]
fn acknowledgements_are_kept_and_the_oldest_change_without_is_known() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 1)], after(0));
    world.derive("B", &[seat("PARIS", 1)], after(10));
    assert_eq!(world.machine.report(0, 0).oldest_unacknowledged, None, "nobody acknowledges here");
    let (a, b) = (world.row("A").version, world.row("B").version);
    let acks = vec![
        ack("A", a, AckResult::Sent),
        ack("C", 1, AckResult::Sent),
        ack("B", b + 100, AckResult::Accepted),
        ack("B", 0, AckResult::Accepted),
    ];
    let told = world.machine.acknowledge(acks, after(20), &mut world.events);
    assert_eq!((told.taken, told.unknown), (1, vec![1, 2, 3]));
    assert_eq!(world.machine.report(0, 0).oldest_unacknowledged, Some(after(10)));
    // Once results are told, what was only sent is not heard of.
    let acks = vec![ack("B", b, AckResult::Refused)];
    world.machine.acknowledge(acks, after(30), &mut world.events);
    assert_eq!(world.machine.report(0, 0).oldest_unacknowledged, Some(after(0)));
    world.derive("A", &[seat("PARIS", 2)], after(40));
    world.machine.acknowledge(vec![ack("A", a, AckResult::Accepted)], after(50), &mut world.events);
    let world = world.restarted(config(), after(60));
    assert!(world.machine.report(0, 0).oldest_unacknowledged.is_some());
    let explained = world.machine.explain(&sku("B"), |_| vec![seat("PARIS", 1)], after(60));
    assert_eq!(explained[0].deliveries.len(), 1);
    assert_eq!((explained[0].deliveries[0].result, explained[0].deliveries[0].version), (AckResult::Refused, b));
    assert_eq!(explained[0].published_at, Some(after(10)));
}

#[test]
fn a_late_acknowledgement_does_not_undo_a_later_one() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 1)], after(0));
    let first = world.row("A").version;
    world.derive("A", &[seat("PARIS", 2)], after(1));
    let second = world.row("A").version;
    for version in [second, first] {
        world.machine.acknowledge(vec![ack("A", version, AckResult::Accepted)], after(2), &mut world.events);
    }
    let explained = world.machine.explain(&sku("A"), |_| Vec::new(), after(3));
    assert_eq!(explained[0].deliveries[0].version, second);
    assert_eq!(world.machine.report(0, 0).oldest_unacknowledged, None);
}

#[test]
fn a_price_declared_wrong_stays_published_until_it_is_told_anew() {
    let mut world = World::new(priced());
    let seats = [seat("PARIS", 9)];
    world.derive("A", &seats, START);
    assert_eq!(world.machine.take_prices(START, 10).len(), 1);
    world.tell("A", price("10", START), START);
    world.work(&seats, START);
    let row = world.row("A");
    world.machine.invalidate(Reach::Skus(vec![sku("A"), sku("UNKNOWN")]), after(60), &mut world.events);
    world.work(&seats, after(60));
    assert_eq!(world.row("A"), row);
    // Also after a start it is asked before all else.
    let mut world = world.restarted(priced(), after(61));
    world.derive("NEW", &seats, after(61));
    let due = world.machine.take_prices(after(61), 1);
    assert_eq!((due.len(), due[0].key.sku.as_str()), (1, "A"));
    // Declared wrong once more while it is asked: that answer is none.
    world.machine.invalidate(Reach::All, after(62), &mut world.events);
    world.tell("A", price("11", after(62)), after(62));
    world.work(&seats, after(62));
    assert_eq!(world.row("A").price, row.price);
    assert!(world.kept("A").invalidated_at.is_some());
    assert_eq!(world.machine.take_prices(after(62), 1).len(), 1);
    world.tell("A", price("12", after(63)), after(63));
    world.work(&seats, after(63));
    assert_eq!(world.row("A").price.unwrap().amount, "12".parse().unwrap());
    assert_eq!(world.kept("A").invalidated_at, None);
}

#[test]
fn a_mass_of_invalidated_prices_goes_to_zero_only_when_somebody_insists() {
    let mut config = priced();
    config.price.as_mut().unwrap().zero_after = Some(Duration::from_secs(3600));
    let mut world = World::new(config);
    let seats = [seat("PARIS", 9)];
    for number in 0..100 {
        let name = format!("S{number}");
        world.derive(&name, &seats, START);
        world.tell(&name, price("10", START), START);
    }
    world.work(&seats, START);
    let few: Vec<Sku> = (0..10).map(|number| sku(&format!("S{number}"))).collect();
    world.machine.invalidate(Reach::Skus(few), after(60), &mut world.events);
    world.work(&seats, after(60));
    world.work(&seats, after(3660));
    assert_eq!(world.shows("S0"), (RowState::Zeroed, "0".to_owned()), "few of them go");
    world.machine.invalidate(Reach::All, after(5000), &mut world.events);
    world.work(&seats, after(5000));
    world.work(&seats, after(8600));
    world.listed("S50", 9);
    assert_eq!(world.machine.report(0, 0).guard, Some("too_many_zeros"));
    world.machine.set_mode(Mode::Live, true, &mut world.events);
    world.work(&seats, after(8601));
    assert_eq!(world.shows("S50"), (RowState::Zeroed, "0".to_owned()));
    assert_eq!(world.machine.report(0, 0).guard, None);
}

#[test]
fn prices_of_another_customer_are_forgotten() {
    let mut world = World::new(priced());
    let seats = [seat("PARIS", 9)];
    world.derive("A", &seats, START);
    world.tell("A", price("10", START), START);
    world.work(&seats, START);
    let other = ChannelConfig { customer: Some(CustomerId::new("C-2").unwrap()), ..priced() };
    let mut world = world.restarted(other, after(1));
    assert_eq!(world.kept("A").price, PriceFact::Unknown);
    world.work(&seats, after(1));
    assert_eq!(world.shows("A").0, RowState::Zeroed);
    assert_eq!(world.machine.take_prices(after(1), 10).len(), 1);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let mut world = World::new(config());
    world.derive("A", &[seat("PARIS", 9)], START);
    world.work(&[seat("PARIS", 9)], START);
    let before = world.events.len();
    let mut capped = config();
    capped.quantity.cap = Some(quantity(3));
    let mut rows = Vec::new();
    world.machine.compare(&Policy::new(capped), &sku("A"), &[seat("PARIS", 9)], after(1), &mut rows);
    world.machine.compare(&Policy::new(config()), &sku("A"), &[seat("PARIS", 9)], after(1), &mut rows);
    world.machine.compare(&Policy::new(config()), &sku("B"), &[seat("PARIS", 9)], after(1), &mut rows);
    let quantities: Vec<_> =
        rows.iter().map(|row| (row.is.and_then(|is| is.quantity), row.would_be.and_then(|is| is.quantity))).collect();
    let [nine, three] = [Some(quantity(9)), Some(quantity(3))];
    assert_eq!(quantities, [(nine, three), (nine, nine), (None, nine)]);
    assert_eq!(world.events.len(), before);
}
