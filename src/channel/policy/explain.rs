//! The steps of a row's computation, for people. Nothing is decided here.

use rust_decimal::Decimal;

use super::next::{Rising, Shown};
use super::{price, quantity};
use crate::channel::config::{Allocation, Direction, PricePolicy, QuantityPolicy, Reserve};
use crate::channel::fact::{LocationFact, Standing};
use crate::channel::row::{ChannelPrice, Listing, Presence, RowState};
use crate::clock::Timestamp;
use crate::domain::{Money, Quantity, TaxBasis};
use crate::offer::explain::Step;

pub(super) fn not_here(reason: &'static str) -> Step {
    let text = match reason {
        "sku_not_fit" => "The channel would refuse this name: it is too long, or has a character that is not taken.",
        "channel_sku_taken" => "The name is another SKU's alias.",
        _ => "The channel does not sell this SKU under this name.",
    };
    Step::new("assortment", text).fact("reason", reason)
}

pub(super) fn location(fact: &LocationFact) -> Step {
    let LocationFact { location, available, on_hand, reserved, pending, standing } = fact;
    let mut text = format!("{location}: {}", figures(*on_hand, *reserved, *pending));
    match available {
        Some(available) => text.push_str(&format!(" -> {available} available")),
        None => text.push_str(", and not all of it was said: nothing is sold from here"),
    }
    let (word, reason) = match standing {
        Standing::Good => ("good", None),
        Standing::Held(reason) => {
            text.push_str("; its source is in doubt, and this is what it said before");
            ("held", Some(*reason))
        }
        Standing::Zero(reason) => {
            text.push_str("; its source is in doubt for too long, and nothing is sold from here");
            ("zero", Some(*reason))
        }
    };
    Step::new("location", text + ".")
        .fact("location", location)
        .fact_if("on_hand", *on_hand)
        .fact_if("reserved", *reserved)
        .fact("pending", pending)
        .fact_if("available", *available)
        .fact("counts", quantity::contribution(fact))
        .fact("standing", word)
        .fact_if("reason", reason)
}

/// "ERP 12, reserved 3, orders not in ERP 1".
fn figures(on_hand: Option<Quantity>, reserved: Option<Quantity>, pending: Quantity) -> String {
    let mut text = match on_hand {
        Some(on_hand) => format!("ERP {on_hand}"),
        None => "ERP figure unknown".to_owned(),
    };
    if let Some(reserved) = reserved.filter(|reserved| !reserved.is_zero()) {
        text.push_str(&format!(", reserved {reserved}"));
    }
    if !pending.is_zero() {
        text.push_str(&format!(", orders not in ERP {pending}"));
    }
    text
}

pub(super) fn fulfilled_by_channel() -> Step {
    Step::new("quantity", "The channel ships from its own stock: no quantity is published.")
}

/// One line of the whole way: "ERP 12, reserved 3, orders not in ERP 1, buffer 2, cap 5 -> 5".
pub(super) fn quantity(
    policy: &QuantityPolicy,
    pack: Quantity,
    locations: &[LocationFact],
    way: Option<&quantity::Way>,
) -> Step {
    let Some(way) = way else {
        return Step::new("quantity", "The figures are larger than can be calculated with: nothing is shown.");
    };
    let mut text = sums(locations, way.sum);
    match policy.reserve {
        Reserve::None => {}
        Reserve::SafetyStock(kept) => text.push_str(&format!(", buffer {kept}")),
        Reserve::Threshold(up_to) => text.push_str(&format!(", up to {up_to} counts as nothing")),
    }
    match policy.allocation {
        Allocation::All => {}
        Allocation::Percent(percent) => text.push_str(&format!(", share {percent} %")),
        Allocation::Fixed(most) => text.push_str(&format!(", share at most {most}")),
    }
    if pack != Quantity::ONE {
        text.push_str(&format!(", packs of {pack}"));
    }
    if let Some(cap) = policy.cap {
        text.push_str(&format!(", cap {cap}"));
    }
    text.push_str(&format!(" -> {}", way.shown));
    if way.capped < Decimal::ZERO {
        text.push_str(", as less than nothing is nothing");
    }
    Step::new("quantity", text + ".")
        .fact("sum", way.sum)
        .fact("after_reserve", way.left)
        .fact("share", way.share.normalize())
        .fact("pack", pack)
        .fact("packs", way.packs)
        .fact_if("cap", policy.cap)
        .fact("quantity", way.shown)
}

/// What all locations say together, if they say it in the same terms.
fn sums(locations: &[LocationFact], sum: Decimal) -> String {
    let all = |of: fn(&LocationFact) -> Option<Quantity>| {
        let mut total = Quantity::ZERO;
        for location in locations {
            total = total.plus(of(location)?)?;
        }
        Some(total)
    };
    let pending = all(|location| Some(location.pending)).unwrap_or(Quantity::ZERO);
    let reserved = all(|location| Some(location.reserved.unwrap_or(Quantity::ZERO)));
    let is_plain = |on_hand: Quantity| {
        let reserved = reserved.unwrap_or(Quantity::ZERO).get();
        on_hand.get().checked_sub(reserved).and_then(|rest| rest.checked_sub(pending.get())) == Some(sum)
    };
    match all(|location| location.on_hand) {
        Some(on_hand) if !locations.is_empty() && is_plain(on_hand) => figures(Some(on_hand), reserved, pending),
        _ if locations.is_empty() => "no location says anything".to_owned(),
        _ => format!("available {sum}"),
    }
}

pub(super) fn no(reason: &'static str, observed_at: Timestamp) -> Step {
    let text =
        format!("The ERP said at {observed_at} that it is not for this party ({reason}): it leaves the channel.");
    Step::new("price", text).fact("reason", reason).fact("observed_at", observed_at)
}

pub(super) fn no_price(reason: &'static str) -> Step {
    Step::new("price", "No price was told yet: it is not sold.").fact("reason", reason)
}

pub(super) fn told(told: &price::Told, ends: Option<Timestamp>, observed_at: Timestamp) -> Step {
    let price::Told { net_price, base_quantity, currency, tax_basis, tax_rate } = *told;
    let mut text =
        format!("The party pays {net_price} {} per {base_quantity}, told at {observed_at}", currency.as_str());
    if let Some(ends) = ends {
        text.push_str(&format!(", until {ends}"));
    }
    Step::new("price", text + ".")
        .fact("price", net_price)
        .fact("base_quantity", base_quantity)
        .fact("currency", currency.as_str())
        .fact_if("tax_basis", tax_basis.map(basis))
        .fact_if("tax_rate", tax_rate)
        .fact("observed_at", observed_at)
        .fact_if("ends_at", ends)
}

fn basis(basis: TaxBasis) -> &'static str {
    match basis {
        TaxBasis::Net => "NET",
        TaxBasis::Gross => "GROSS",
    }
}

pub(super) fn amount(
    policy: &PricePolicy,
    pack: Quantity,
    told: &price::Told,
    way: Option<&price::Way>,
) -> Option<Step> {
    let way = way?;
    let mut text = format!("{}", told.net_price);
    if told.base_quantity != Quantity::ONE {
        text.push_str(&format!(" per {}", told.base_quantity));
    }
    if pack != Quantity::ONE {
        text.push_str(&format!(", pack of {pack}"));
    }
    if !policy.markup_percent.is_zero() {
        text.push_str(&format!(", markup {} %", policy.markup_percent));
    }
    if let Some(rate) = way.rate {
        let words = if way.basis == TaxBasis::Gross { "with tax" } else { "without tax" };
        text.push_str(&format!(", {words} of {rate}"));
    }
    text.push_str(match policy.rounding.direction {
        Direction::Nearest => ", rounded to ",
        Direction::Up => ", rounded up to ",
        Direction::Down => ", rounded down to ",
    });
    text.push_str(&policy.rounding.step.to_string());
    if let Some(ending) = policy.rounding.ending {
        text.push_str(&format!(" ending in {ending}"));
    }
    if way.amount.get() != way.rounded {
        text.push_str(&format!(" is {}, floor price {}", way.rounded, way.amount));
    }
    text.push_str(&format!(" -> {}.", way.amount));
    Some(
        Step::new("amount", text)
            .fact("pack", pack)
            .fact("basis", basis(way.basis))
            .fact_if("tax_rate", way.rate)
            .fact("rounded", way.rounded)
            .fact_if("floor_price", policy.floor)
            .fact("amount", way.amount),
    )
}

pub(super) fn listing(listing: &Listing) -> Step {
    let Listing { presence, quantity, price, lead_time_days, reasons } = listing;
    let (word, text) = match presence {
        Presence::Listed => ("listed", "It is on sale"),
        Presence::Zeroed => ("zeroed", "It is not to be sold as long as this lasts"),
        Presence::Leaving => ("leaving", "It leaves the channel"),
    };
    let why: Vec<&str> = reasons.iter().collect();
    let text = if why.is_empty() { format!("{text}.") } else { format!("{text}: {}.", why.join(", ")) };
    Step::new("listing", text)
        .fact("presence", word)
        .fact_if("quantity", *quantity)
        .fact_if("amount", price.map(|price| price.amount))
        .fact_if("lead_time_days", *lead_time_days)
}

pub(super) fn first(listed: Option<&Shown>) -> Step {
    let text = match listed {
        Some(_) => "It was never published, and is now.",
        None => "It was never published, and is not.",
    };
    Step::new("change", text)
}

pub(super) fn leaving(goes: bool, removed_at: Timestamp) -> Step {
    let text = match goes {
        true => format!("It stood at zero until {removed_at}, and is removed."),
        false => format!("It stands at zero until {removed_at}, then it is removed."),
    };
    Step::new("change", text).fact("removed_at", removed_at)
}

pub(super) fn rising(published: &Shown, rising: &Rising, shown_at: Timestamp) -> Step {
    let from = match (published.state, published.quantity) {
        (RowState::Listed, Some(quantity)) => quantity.to_string(),
        _ => "nothing".to_owned(),
    };
    let to = rising.quantity.map_or("on sale".to_owned(), |quantity| quantity.to_string());
    let text = format!("A rise from {from} to {to} since {}: it is published at {shown_at} if it lasts.", rising.since);
    Step::new("change", text).fact("since", rising.since).fact("shown_at", shown_at)
}

pub(super) fn small_move(was: ChannelPrice, is: ChannelPrice, change_min: Money) -> Step {
    let text =
        format!("The price would be {}: {} stays, for less than {change_min} is no change.", is.amount, was.amount);
    Step::new("change", text).fact("published", was.amount).fact("computed", is.amount)
}
