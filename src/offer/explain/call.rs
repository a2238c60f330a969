//! What was asked of the ERP: how it was taken, where it stands, and the calls it was part of. Of what others ask only
//! counts are told.

use super::Step;
use crate::clock::Reading;
use crate::erp::breaker::State;
use crate::erp::connector::Operation;
use crate::erp::dispatch::{Ask, Asked, Lane, Maintenance, Need, Refusal, Seen, SeenAsk, Watch};
use crate::human::Seconds;
use crate::offer::query::OfferQuery;

/// Each ask of a page, once everything that could leave had left.
pub fn flights(steps: &mut Vec<Step>, watch: Option<&Watch>, maintenance: &Maintenance, query: &OfferQuery) {
    let Some(seen) = watch.map(Watch::seen) else {
        let text = "Nothing is asked of the ERP: everything that is needed is held.";
        return steps.push(Step::new("flight", text).fact("outcome", "nothing_asked"));
    };
    steps.extend(seen.asks.iter().map(|ask| flight(ask, &seen, maintenance, query)));
}

fn flight(told: &SeenAsk, seen: &Seen, maintenance: &Maintenance, query: &OfferQuery) -> Step {
    let SeenAsk { ask, need, demand, asked, then } = told;
    let (of, by) = match ask {
        Ask::Customer(_) => ("party", None),
        Ask::Price(header, _) if header.for_list.is_some() => ("price", Some("list")),
        Ask::Price(header, _) => ("price", Some(if header.customer.is_some() { "customer" } else { "public" })),
        Ask::Stock(_) => ("stock", None),
    };
    let what = match by {
        Some("list") => "The price of the whole list is asked".to_owned(),
        _ => format!("The {of} is asked"),
    };
    let why = match need {
        Need::Awaited => "",
        Need::Refresh => " again, for whoever comes next",
        Need::Rider => " again only if a call leaves anyway that has room",
    };
    let waiting = then.waiting.as_ref();
    let (outcome, how) = match asked {
        Asked::JoinedAir => ("joined_air", "a call that was in the air already brings it".to_owned()),
        Asked::Refused(refusal) => ("refused", format!("it is refused at once: {}", in_words(*refusal))),
        Asked::Background(refusal) => {
            let how = format!("nobody waits for it: {}; it is fetched in the background", in_words(*refusal));
            ("refused_early", how)
        }
        Asked::JoinedQueue | Asked::Queued => match waiting {
            None => ("left", "its call left at once".to_owned()),
            Some(place) if *asked == Asked::JoinedQueue && *need != Need::Rider => {
                ("joined_queue", format!("it waited already, and stands {}", standing(place.standing)))
            }
            Some(place) => ("queued", format!("it waits {}", standing(place.standing))),
        },
    };
    let lane = waiting.map_or(Lane::from(query.purpose), |waiting| waiting.lane);
    let refusal = match asked {
        Asked::Refused(refusal) | Asked::Background(refusal) => Some(refusal.cause()),
        _ => None,
    };
    let now = query.arrival.wall;
    let mut step = Step::new("flight", format!("{what}{why}: {how}."))
        .fact("of", of)
        .fact_if("asked_for", by)
        .fact("outcome", outcome)
        .fact_if("refusal", refusal)
        .fact("lane", lane.as_str())
        .fact("age_accepted", Seconds(query.arrival.mono.since(demand.not_before)))
        .fact("stamp_accepted", demand.min_stamp.0)
        .fact("denied", then.denied);
    if let Some(place) = waiting {
        step = step
            .fact("standing", place.standing)
            .fact("background", place.background)
            .fact("keys_before", place.keys_before)
            .fact("accounts_before", place.accounts_before);
    }
    if let Some(load) = &seen.load {
        let operation = match ask {
            Ask::Customer(_) => Operation::Customers,
            Ask::Price(..) => Operation::Prices,
            Ask::Stock(_) => Operation::Stock,
        };
        let is_it = |told: Operation| told == operation || (operation, told) == (Operation::Prices, Operation::Offers);
        let breaker = load.breakers.iter().find(|(told, _)| is_it(*told)).map(|(_, state)| state);
        step = step
            .fact_if("breaker", breaker.map(breaker_name))
            .fact("calls_in_flight", load.in_flight)
            .fact("calls_limit", load.limit)
            .fact("minute_used", load.window_used)
            .fact("lines_waiting", load.waiting);
    }
    step.fact("maintenance", maintenance.is_open(now)).fact_if("maintenance_until", maintenance.end_after(now))
}

fn standing(name: &str) -> &'static str {
    match name {
        "queued" => "in the queue",
        "rider" => "beside the queue, for a call with room",
        "parked" => "until one of the two calls lands that are in the air for it",
        "rides" => "for the call of its price, which brings it too",
        _ => "to be asked once more, after a failure",
    }
}

fn in_words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::QueueFull => "more waits already than may",
        Refusal::TooLate => "it cannot be answered before the caller's time is up",
        Refusal::Maintenance => "the ERP is in a maintenance window",
        Refusal::BreakerOpen => "calls of this kind have been failing, and are tried again in a while",
        Refusal::Denied => "the ERP fails whenever it is asked for this",
    }
}

fn breaker_name(state: &State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open(_) => "open",
        State::HalfOpen { .. } => "half_open",
    }
}

/// The calls, when the page waits no more.
pub fn calls(steps: &mut Vec<Step>, watch: Option<&Watch>, now: Reading) {
    let Some(seen) = watch.map(Watch::seen) else { return };
    for call in seen.calls {
        let operation = call.operation.as_str();
        let lines = if call.lines == 1 { "1 line".to_owned() } else { format!("{} lines", call.lines) };
        let asked = format!("A call for {operation} of {lines} left at {}", call.start.wall);
        let (outcome, text) = match call.ended {
            None => {
                let since = Seconds(now.mono.since(call.start.mono));
                ("in_the_air", format!("{asked} and is in the air since {since}."))
            }
            Some(end) => match end.failed {
                None => ("answered", format!("{asked} and was answered after {}.", Seconds(end.took))),
                Some(reason) => ("failed", format!("{asked} and failed after {}: {reason}.", Seconds(end.took))),
            },
        };
        steps.push(
            Step::new("call", text)
                .fact("operation", operation)
                .fact("lines", call.lines)
                .fact("started_at", call.start.wall)
                .fact("outcome", outcome)
                .fact_if("took", call.ended.map(|end| Seconds(end.took)))
                .fact_if("reason", call.ended.and_then(|end| end.failed)),
        );
    }
}
