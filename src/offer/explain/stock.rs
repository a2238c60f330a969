//! What is held of a SKU's stock, and what its figures come to.

use std::time::Duration;

use super::{Step, age, decided};
use crate::cache::StockRow;
use crate::cache::text::Text;
use crate::clock::Reading;
use crate::human::Seconds;
use crate::offer::answer::{AvailabilityAnswer, Band};
use crate::offer::assemble::{Common, counted};
use crate::offer::freshness::{Decision, Limits};
use crate::offer::ledger::LedgerLine;
use crate::stock::levels::Net;

/// What the ledger says, and whether the ERP is asked for the rest.
pub fn ledger(line: &LedgerLine<'_>, enough: bool, can_ask: bool) -> Step {
    let end = match (enough, can_ask) {
        (true, _) => "the ERP is not asked",
        (false, true) => "for the rest the ERP is asked",
        (false, false) => "the ERP cannot be asked for the rest",
    };
    let count = line.figures.len();
    let locations = if count == 1 { "location" } else { "locations" };
    let mut step = Step::new("ledger", format!("The stock ledger speaks of {count} {locations}: {end}."));
    for figures in line.figures {
        let name = |figure: &str| format!("{}.{figure}", figures.location);
        let net = match figures.net {
            Net::Known(available) => available.to_string(),
            Net::Unknown => "unknown".to_owned(),
            Net::TooLarge => "too large".to_owned(),
        };
        let pending = match figures.pending {
            Some(orders) => Some(orders.to_string()).filter(|_| !orders.is_zero()),
            None => Some("too large".to_owned()),
        };
        step = step
            .fact(name("ledger"), net)
            .fact_if(name("pending"), pending)
            .fact_if(name("heard_at"), figures.heard_at)
            .fact_if(name("in_doubt"), figures.doubt.map(|doubt| doubt.reason()));
    }
    step
}

/// The held row, if there is one, and what was decided of it.
pub fn stock_row(
    held: Option<(&StockRow, Decision)>,
    limits: &Limits,
    soft_time: Option<Duration>,
    arrival: Reading,
) -> Step {
    let Some((row, decision)) = held else {
        return Step::new("stock", "No stock is held of this SKU.").fact("outcome", "miss");
    };
    let (word, outcome, end) = decided(decision);
    let observed = row.observed();
    Step::new("stock", format!("The stock is held, {} old: {end}.", age(observed, arrival)))
        .fact("outcome", outcome)
        .fact("decision", word)
        .fact("observed_at", observed.wall)
        .fact("age", age(observed, arrival))
        .fact("max_age", Seconds(limits.max_age))
        .fact_if("soft_time", soft_time.map(Seconds))
        .fact("expires_at", observed.wall.plus(limits.max_age))
        .fact("held_from", if row.is_saved() { "disk" } else { "erp" })
}

/// The figures that count, and their sum.
pub fn levels(steps: &mut Vec<Step>, common: &Common<'_>, answer: &AvailabilityAnswer) {
    let AvailabilityAnswer::Told { row, band, available, available_on, .. } = answer else { return };
    let locations = &common.query.locations;
    let (mut count, mut left_out) = (0, 0);
    let mut step = Step::new("stock", "");
    for level in row.levels() {
        if !counted(locations, level.location) {
            left_out += 1;
            continue;
        }
        count += 1;
        let name = |figure: &str| format!("{}.{figure}", level.location);
        step = step
            .fact_if(name("on_hand"), level.on_hand.map(Text::as_str))
            .fact_if(name("reserved"), level.reserved.map(Text::as_str))
            .fact(name("available"), level.available.as_str());
    }
    let signed = crate::cache::stock_row::sum(counted_figures(row, locations));
    let available = available.unwrap_or(row.available().0);
    let floored = signed.is_some_and(|sum| sum != available);
    step.text = format!(
        "What is available at {count} {} adds up to {available}{}.",
        if count == 1 { "location" } else { "locations" },
        if floored { ", as less than nothing counts as nothing" } else { "" },
    );
    let band = match band {
        Band::InStock => "IN_STOCK",
        Band::Low => "LOW",
        Band::Out => "OUT",
        Band::OnOrder => "ON_ORDER",
    };
    steps.push(
        step.fact_if("sum", signed)
            .fact("available", available)
            .fact("low_up_to", common.low_stock)
            .fact("band", band)
            .fact_if("available_on", *available_on)
            .fact_if("locations_left_out", (left_out > 0).then_some(left_out)),
    );
}

fn counted_figures<'a>(
    row: &'a StockRow,
    locations: &'a [crate::domain::LocationId],
) -> impl Iterator<Item = crate::domain::Quantity> + 'a {
    row.levels().filter(|level| counted(locations, level.location)).filter_map(|level| level.available.parse().ok())
}
