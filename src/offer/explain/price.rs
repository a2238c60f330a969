//! Where a price is kept, what is held of it, and what ends it.

use std::time::Duration;

use jiff::civil::Date;

use super::{Step, age, decided};
use crate::cache::negatives::No;
use crate::cache::{Negative, PriceRow};
use crate::clock::{Reading, Timestamp};
use crate::domain::{Currency, Purpose, ToldScope};
use crate::erp::connector::Capabilities;
use crate::human::Seconds;
use crate::offer::answer::Source;
use crate::offer::freshness::{Decision, Held, Limits};
use crate::offer::invalidation::ToCome;
use crate::offer::query::{LineQuery, OfferQuery};
use crate::offer::reader::Place;
use crate::offer::sharing::Asker;

/// Everything that can change this price, and what of the request cannot.
pub fn key(
    asker: &Asker<'_>,
    shares: bool,
    currency: Currency,
    price_date: Date,
    line: &LineQuery,
    matters: &Capabilities,
) -> Step {
    let quantity_matters = !matters.breaks;
    let left_out: Vec<&str> = [
        ("company", matters.company_matters),
        ("ship_to", matters.ship_to_matters),
        ("contract", matters.contract_matters),
        ("price_date", matters.dated),
        ("unit", matters.unit_matters),
        ("quantity", quantity_matters),
    ]
    .into_iter()
    .filter_map(|(name, matters)| (!matters).then_some(name))
    .collect();
    let scope = match (asker.contract, asker.customer) {
        (Some(_), _) => "contract",
        (None, Some(_)) => "customer",
        (None, None) => "public",
    };
    let list = asker.facts.price_list.as_ref().filter(|_| shares);
    let mut text = match scope {
        "public" => "The price is kept for the public".to_owned(),
        scope => format!("The price is kept for this {scope}"),
    };
    if list.is_some() {
        text.push_str(", or shared by everybody who buys from the same list");
    }
    text.push_str(match left_out.as_slice() {
        [] => "; every field of the request matters to this ERP.",
        _ => "; fields that do not matter to this ERP are left out.",
    });
    Step::new("key", text)
        .fact("scope", scope)
        .fact_if("shared_list", list)
        .fact_if("customer", asker.customer)
        .fact_if("company", asker.company)
        .fact_if("ship_to", asker.ship_to)
        .fact_if("contract", asker.contract)
        .fact("currency", currency.as_str())
        .fact_if("price_date", matters.dated.then_some(price_date))
        .fact("sku", &line.sku)
        .fact_if("unit", line.unit.as_ref().filter(|_| matters.unit_matters))
        .fact_if("quantity", quantity_matters.then(|| line.amount.0.to_string()))
        .fact("left_out", left_out.join(", "))
}

fn place_name(place: Place) -> &'static str {
    match place {
        Place::Own => "own",
        Place::List => "list",
        Place::EarlierDay => "earlier_day",
    }
}

fn place_in_words(place: Place) -> &'static str {
    match place {
        Place::Own => "for the party itself",
        Place::List => "for the party's price list",
        Place::EarlierDay => "for a day that is over",
    }
}

/// Nothing is held there.
pub fn no_row(place: Place) -> Step {
    Step::new("price", format!("No price is held {}.", place_in_words(place)))
        .fact("place", place_name(place))
        .fact("outcome", "miss")
}

/// A row that was found, and what was decided of it.
pub struct Row<'a> {
    pub row: &'a PriceRow,
    /// For this reader.
    pub observed: Reading,
    pub place: Place,
    pub decision: Decision,
    pub limits: &'a Limits,
    pub arrival: Reading,
    /// The age from which it is asked again although it is fresh; not where the caller named a max age.
    pub soft_time: Option<Duration>,
}

pub fn row(told: &Row<'_>) -> Step {
    let Row { row, observed, place, decision, limits, arrival, soft_time } = *told;
    let (word, outcome, end) = decided(decision);
    let text = format!("A price is held {}, {} old: {end}.", place_in_words(place), age(observed, arrival));
    let held = Held { observed, stamp: row.stamp(), ends: row.shape().ends };
    let described = limits.describe(&held, Source::Memory, None);
    let facts_count = observed != row.observed();
    Step::new("price", text)
        .fact("place", place_name(place))
        .fact("outcome", outcome)
        .fact("decision", word)
        .fact("observed_at", observed.wall)
        .fact("age", age(observed, arrival))
        // Of a shared price the reader's own facts are a part.
        .fact_if("asked_at", facts_count.then(|| row.observed().wall))
        .fact("max_age", Seconds(limits.max_age))
        .fact_if("soft_time", soft_time.map(Seconds))
        .fact("expires_at", described.expires_at)
        .fact("held_from", if row.is_saved() { "disk" } else { "erp" })
        .fact_if(
            "told_scope",
            row.shape().scope.as_ref().map(|scope| match scope {
                ToldScope::Own => "own",
                ToldScope::PriceList(_) => "list",
            }),
        )
        .fact_if("valid_until", row.shape().valid_until.as_deref())
        .fact_if("ends_at", row.shape().ends)
}

/// What else ends a price's freshness.
pub struct Edges {
    /// The end of the day that was priced for, where the ERP prices by day and the caller named none.
    pub day_ends_at: Option<Timestamp>,
    pub told_end: Option<Timestamp>,
    pub to_come: ToCome,
}

pub fn edges(query: &OfferQuery, edges: &Edges) -> Step {
    let Edges { day_ends_at, told_end, to_come: ToCome { invalidated_at, expires_in } } = *edges;
    let mut parts = Vec::new();
    if let Some(end) = told_end {
        parts.push(format!("the ERP told that the held price ends at {end}, which nothing crosses"));
    }
    if let Some(end) = day_ends_at {
        let crossing = if query.purpose == Purpose::Checkout {
            "CHECKOUT does not cross"
        } else {
            "stale answers may cross, marked"
        };
        parts.push(format!("the day changes at {end}, which {crossing}"));
    }
    if let Some(at) = invalidated_at {
        parts.push(format!("a change is announced for {at}, which nothing crosses"));
    }
    if let Some(pause) = expires_in {
        parts.push(format!("something that was declared wrong settles until {} from now", Seconds(pause)));
    }
    let text = if parts.is_empty() {
        "Nothing is known that ends the price at a moment.".to_owned()
    } else {
        let mut text = parts.join("; ");
        text[..1].make_ascii_uppercase();
        text + "."
    };
    Step::new("edges", text)
        .fact_if("told_end", told_end)
        .fact_if("day_ends_at", day_ends_at)
        .fact_if("invalidated_at", invalidated_at)
        .fact_if("expires_in", expires_in.map(Seconds))
}

/// A remembered "no", and what is made of it.
#[derive(Clone, Copy)]
pub struct Remembered<'a> {
    pub of: &'static str,
    pub negative: &'a Negative,
    pub lifetime: Duration,
    /// Nothing was declared wrong since.
    pub is_new_enough: bool,
    pub is_young: bool,
    /// Whether it would be the answer; not where the reader's own facts are too old for it, or a figure is served.
    pub would_answer: bool,
}

pub fn no(told: &Remembered<'_>, arrival: Reading) -> Step {
    let Remembered { of, negative, lifetime, is_new_enough, is_young, would_answer } = *told;
    let what = match negative.no {
        No::UnknownSku => "that it does not know the SKU",
        No::OnRequest(_) => "that there is no price",
        No::NotForSale(_) => "that this party may not buy it",
        No::UnknownUnit => "that it does not sell it in this unit",
        No::UnknownCustomer => "that it does not know the customer",
        No::NotShared => "that this SKU's price is not the list's for everybody",
    };
    let (outcome, end) = match (is_new_enough && is_young, negative.no) {
        (true, No::NotShared) => ("ask_by_name", "so it is asked by name"),
        (true, _) if would_answer => ("hit", "that is the answer"),
        (true, _) => ("unused", "but that is not enough to answer this reader"),
        (false, _) if !is_new_enough => {
            ("invalidated", "but something has been declared wrong since: it is asked again")
        }
        (false, _) => ("too_old", "but that is too long ago: it is asked again"),
    };
    let text = format!("The ERP said {} ago {what}; {end}.", age(negative.observed, arrival));
    let reason = match negative.no {
        No::OnRequest(reason) | No::NotForSale(reason) => Some(reason),
        _ => None,
    };
    let kind = match negative.no {
        No::UnknownSku => "unknown_sku",
        No::OnRequest(_) => "no_price",
        No::NotForSale(_) => "not_for_sale",
        No::UnknownUnit => "unknown_unit",
        No::UnknownCustomer => "unknown_customer",
        No::NotShared => "not_shared",
    };
    Step::new("no", text)
        .fact("of", of)
        .fact("kind", kind)
        .fact_if("reason", reason)
        .fact("outcome", outcome)
        .fact("observed_at", negative.observed.wall)
        .fact("age", age(negative.observed, arrival))
        .fact("lifetime", Seconds(lifetime))
}
