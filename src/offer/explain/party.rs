//! Whose patience applies, and who the party is.

use super::{Step, age, decided};
use crate::clock::Reading;
use crate::domain::CustomerId;
use crate::human::Seconds;
use crate::offer::config::Patience;
use crate::offer::freshness::{Decision, Limits};
use crate::offer::party::KnownParty;
use crate::offer::query::OfferQuery;

/// What the purpose allows, what the caller wished and what came of it.
pub fn policy(steps: &mut Vec<Step>, query: &OfferQuery, patience: &Patience, limits: &(Limits, Limits)) {
    let wish = match (query.max_age, query.stale_if_error) {
        (None, None) => "the caller wished nothing else",
        _ if query.max_age.is_some_and(|wish| wish > limits.0.max_age)
            || query.stale_if_error.is_some_and(|wish| wish > limits.0.stale_if_error) =>
        {
            "the caller wished for more than that, which is clamped"
        }
        _ => "the caller's tighter wish is honoured",
    };
    let text = format!("The purpose {} says how old figures may be; {wish}.", query.purpose);
    let mut step = Step::new("policy", text)
        .fact("purpose", query.purpose)
        .fact("timeout", Seconds(query.deadline.since(query.arrival.mono)))
        .fact_if("asked_max_age", query.max_age.map(Seconds))
        .fact_if("asked_stale_if_error", query.stale_if_error.map(Seconds));
    for (ages, applied, names) in [
        (
            &patience.price,
            &limits.0,
            ["purpose_max_age", "max_age", "stale_while_revalidate", "purpose_stale_if_error", "stale_if_error"],
        ),
        (
            &patience.stock,
            &limits.1,
            [
                "purpose_stock_max_age",
                "stock_max_age",
                "stock_stale_while_revalidate",
                "purpose_stock_stale_if_error",
                "stock_stale_if_error",
            ],
        ),
    ] {
        let values = [
            ages.max_age,
            applied.max_age,
            applied.stale_while_revalidate,
            ages.stale_if_error,
            applied.stale_if_error,
        ];
        for (name, value) in names.into_iter().zip(values) {
            step = step.fact(name, Seconds(value));
        }
    }
    steps.push(step);
}

/// How the party's facts came to be known.
pub enum Facts<'a> {
    /// They need no call.
    Configured(&'a KnownParty),
    Held(&'a KnownParty, Decision),
    /// None are held.
    Missing,
    Asked(&'a KnownParty),
    /// Asked in vain; what is served instead, if anything.
    Failed(&'static str, Option<&'a KnownParty>),
}

pub fn facts(steps: &mut Vec<Step>, customer: Option<&CustomerId>, limits: &Limits, arrival: Reading, how: &Facts<'_>) {
    let who = if customer.is_some() { "the customer" } else { "the public" };
    let text = match how {
        Facts::Configured(_) => format!("What prices depend on of {who} is configured and needs no call."),
        Facts::Held(_, decision) => {
            format!("What the ERP says of {who} is held: {}.", decided(*decision).2)
        }
        Facts::Missing => format!("Nothing is held of what the ERP says of {who}: it is asked first."),
        Facts::Asked(_) => format!("The ERP said who {who} is."),
        Facts::Failed(reason, Some(_)) => {
            format!("The ERP could not be asked about {who} ({reason}): what was known is used.")
        }
        Facts::Failed(reason, None) => format!("The ERP could not be asked about {who} ({reason})."),
    };
    let known = match how {
        Facts::Configured(known) | Facts::Held(known, _) | Facts::Asked(known) | Facts::Failed(_, Some(known)) => {
            Some(known)
        }
        Facts::Missing | Facts::Failed(_, None) => None,
    };
    let mut step = Step::new("party", text).fact_if("customer", customer);
    match how {
        Facts::Configured(_) => step = step.fact("outcome", "configured"),
        Facts::Held(_, decision) => {
            let (word, outcome, _) = decided(*decision);
            step = step.fact("outcome", outcome).fact("decision", word);
        }
        Facts::Missing => step = step.fact("outcome", "miss"),
        Facts::Asked(_) => step = step.fact("outcome", "asked"),
        Facts::Failed(reason, _) => step = step.fact("outcome", "failed").fact("reason", reason),
    }
    if let Some(known) = known {
        let fresh = limits.is_young(known.observed, arrival);
        step = step
            .fact("observed_at", known.observed.wall)
            .fact("age", age(known.observed, arrival))
            .fact("max_age", Seconds(limits.max_age))
            .fact("fresh", fresh)
            .fact("own_prices", known.facts.own_prices)
            .fact("blocked", known.facts.blocked)
            .fact_if("price_list", known.facts.price_list.as_ref())
            .fact_if("currency", known.facts.currency.as_ref().map(|currency| currency.as_str()));
    }
    steps.push(step);
}
