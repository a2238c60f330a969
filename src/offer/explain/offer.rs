//! From figures to the offer: units, the break, the terms, and what is answered.

use super::Step;
use crate::offer::answer::{AvailabilityAnswer, Freshness, LineAnswer, LineStatus, PriceAnswer, Source};
use crate::offer::assemble::understand;
use crate::offer::lookup::Line;
use crate::offer::query::LineQuery;

/// What the asked quantity is in base units, which break it reaches and what may be ordered.
pub fn units(steps: &mut Vec<Step>, asked: &LineQuery, line: &Line, answer: &LineAnswer) {
    if asked.fault.is_some() || answer.base_unit.is_none() && answer.unit_factor.is_none() {
        return;
    }
    let Ok(amount) = understand(asked, line) else { return };
    let written = asked.quantity.as_deref().unwrap_or("1");
    let unit = answer.unit.as_ref().map(|unit| unit.as_str()).or(asked.unit.as_deref());
    let base = answer.base_unit.as_ref().map_or("base units", |unit| unit.as_str());
    let mut text = match (unit, answer.unit_factor, amount.quantity) {
        (Some(unit), Some(factor), Some(quantity)) => {
            format!("{written} {unit} times {factor} are {quantity} {base}")
        }
        (None, _, Some(quantity)) => format!("The quantity is {quantity} {base}"),
        _ => "The unit's factor is not known".to_owned(),
    };
    let mut step = Step::new("units", "")
        .fact("quantity", written)
        .fact_if("unit", unit)
        .fact_if("unit_factor", answer.unit_factor)
        .fact_if("base_unit", answer.base_unit.as_ref())
        .fact_if("base_quantity", amount.quantity);
    if let PriceAnswer::Told { row, quantity, .. } = &answer.price {
        step = step.fact("breaks", row.breaks().count());
        match row.break_at(*quantity) {
            Some(reached) => {
                text += &format!("; the price from {} on applies to all of it", reached.min_quantity.as_str());
                step = step
                    .fact("break_min_quantity", reached.min_quantity.as_str())
                    .fact("break_net_price", reached.net_price.as_str());
            }
            None if row.breaks().next().is_some() => text += "; it reaches no break",
            None => {}
        }
        if let Some(terms) = &row.shape().terms {
            let shown =
                |field: &Option<(crate::domain::Quantity, Box<str>)>| field.as_ref().map(|(_, text)| text.clone());
            step = step
                .fact_if("min_order_quantity", shown(&terms.min_order_quantity))
                .fact_if("order_multiple", shown(&terms.order_multiple))
                .fact_if("order_quantity", answer.order_quantity);
            if let (Some(raised), Some(quantity)) = (answer.order_quantity, amount.quantity)
                && raised != quantity
            {
                text += &format!("; the least that can be ordered for it is {raised}");
            }
        }
    }
    step.text = text + ".";
    steps.push(step);
}

/// What is answered in the end.
pub fn answered(steps: &mut Vec<Step>, answer: &LineAnswer) {
    let status = match answer.status {
        LineStatus::Ok => "OK",
        LineStatus::OnRequest => "ON_REQUEST",
        LineStatus::Unavailable => "UNAVAILABLE",
        LineStatus::UnknownSku => "UNKNOWN_SKU",
        LineStatus::NotForSale => "NOT_FOR_SALE",
        LineStatus::Invalid => "INVALID",
    };
    let (price, price_reason) = match &answer.price {
        PriceAnswer::Told { freshness, .. } | PriceAnswer::OnRequest { freshness, .. } => (Some(freshness), None),
        PriceAnswer::Unavailable { reason } => (None, Some(*reason)),
        PriceAnswer::NotAsked => (None, None),
    };
    let (stock, stock_reason) = match &answer.availability {
        AvailabilityAnswer::Told { freshness, .. } | AvailabilityAnswer::Untracked { freshness } => {
            (Some(freshness), None)
        }
        AvailabilityAnswer::Unavailable { reason } => (None, Some(*reason)),
        AvailabilityAnswer::NotAsked => (None, None),
    };
    let mut text = match answer.reason {
        None => "The line is answered OK".to_owned(),
        Some(reason) => format!("The line is answered {status}: {reason}"),
    };
    for (name, freshness) in [("price", price), ("stock", stock)] {
        if let Some(freshness) = freshness {
            text += &format!("; the {name} is {}", in_words(freshness));
        }
    }
    let mut step = Step::new("answer", text + ".").fact("status", status).fact_if("reason", answer.reason);
    let names: [[&'static str; 5]; 2] = [
        ["price_reason", "price_source", "price_observed_at", "price_expires_at", "price_stale"],
        ["stock_reason", "stock_source", "stock_observed_at", "stock_expires_at", "stock_stale"],
    ];
    for ([reason, source, observed_at, expires_at, stale], freshness, why) in
        [(names[0], price, price_reason), (names[1], stock, stock_reason)]
    {
        step = step.fact_if(reason, why);
        if let Some(freshness) = freshness {
            step = step
                .fact(source, source_name(freshness.source))
                .fact(observed_at, freshness.observed_at)
                .fact(expires_at, freshness.expires_at)
                .fact_if(stale, freshness.stale);
        }
    }
    steps.push(step);
}

fn in_words(freshness: &Freshness) -> String {
    let from = match freshness.source {
        Source::Erp => "what the ERP just said",
        Source::Memory => "what was remembered",
        Source::Shared => "what was remembered and saved",
        Source::Ledger => "what its source told the ledger",
    };
    match freshness.stale {
        None => from.to_owned(),
        Some(reason) => format!("{from}, stale ({reason})"),
    }
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Erp => "ERP",
        Source::Memory => "MEMORY",
        Source::Shared => "SHARED",
        Source::Ledger => "LEDGER",
    }
}
