//! From what is there to what is shown, in this order: the sum of the locations, less what is reserved and what is ordered but
//! not in the ERP yet (both are in a location's figure), less what is kept back, the channel's share of the rest, whole packs of
//! it, at most the cap; and only at the end is less than nothing nothing.

use rust_decimal::Decimal;

use super::{Why, explain};
use crate::channel::config::{Allocation, QuantityPolicy, Reserve};
use crate::channel::fact::{LocationFact, Standing};
use crate::channel::row::Reasons;
use crate::domain::Quantity;
use crate::mutants::mutant;

/// What is shown of the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// In the channel's units, whole. `None`: the channel keeps the count.
    pub quantity: Option<Quantity>,
    /// What is to be known of the figures it was made from.
    pub reasons: Reasons,
}

/// How it came about. Base units, but for the last three.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub sum: Decimal,
    /// After what is kept back.
    pub left: Decimal,
    pub share: Decimal,
    pub packs: Decimal,
    pub capped: Decimal,
    pub shown: Decimal,
}

pub(super) fn count(policy: &QuantityPolicy, pack: Quantity, locations: &[LocationFact], why: impl Why) -> Counted {
    let mut reasons = locations.iter().filter_map(doubt).collect::<Reasons>();
    why.keep(|steps| steps.extend(locations.iter().map(explain::location)));
    if policy.fulfilled_by_channel && !mutant!(ChannelsStockIsCounted) {
        why.keep(|steps| steps.push(explain::fulfilled_by_channel()));
        return Counted { quantity: None, reasons: Reasons::default() };
    }
    let way = way(policy, pack, locations);
    why.keep(|steps| steps.push(explain::quantity(policy, pack, locations, way.as_ref())));
    let shown = way.and_then(|way| Quantity::new(way.shown));
    if shown.is_none() {
        reasons.add("out_of_range");
    }
    Counted { quantity: Some(shown.unwrap_or(Quantity::ZERO)), reasons }
}

/// `None`: figures larger than can be calculated with.
fn way(policy: &QuantityPolicy, pack: Quantity, locations: &[LocationFact]) -> Option<Way> {
    let mut sum = Decimal::ZERO;
    for location in locations {
        sum = sum.checked_add(contribution(location))?;
    }
    let left = match policy.reserve {
        _ if mutant!(ReserveIgnored) => sum,
        Reserve::None => sum,
        Reserve::SafetyStock(kept) => sum.checked_sub(kept.get())?,
        Reserve::Threshold(up_to) if mutant!(ThresholdIsSafetyStock) => sum.checked_sub(up_to.get())?,
        // What is owed is owed, whatever counts as nothing.
        Reserve::Threshold(up_to) if sum <= up_to.get() => sum.min(Decimal::ZERO),
        Reserve::Threshold(_) => sum,
    };
    // Nobody has a share of what is owed.
    let share = match policy.allocation {
        Allocation::Percent(percent) if left > Decimal::ZERO => {
            let whole = if mutant!(ShareBeforeReserve) { sum } else { left };
            whole.checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?
        }
        Allocation::Fixed(most) => left.min(most.get()),
        Allocation::All | Allocation::Percent(_) => left,
    };
    let cap = policy.cap.map(|cap| cap.get().floor());
    let share = if mutant!(CapBeforePack) { cap.map_or(share, |cap| share.min(cap)) } else { share };
    let packs = whole_packs(share, pack)?;
    let capped = if mutant!(CapBeforePack) { packs } else { cap.map_or(packs, |cap| packs.min(cap)) };
    let shown = if mutant!(LessThanNothingIsShown) { capped } else { capped.max(Decimal::ZERO) };
    Some(Way { sum, left, share, packs, capped, shown })
}

/// What a location adds to the sum; signed, so that what one of them owes is not sold from another.
pub(super) fn contribution(location: &LocationFact) -> Decimal {
    let signed = location.available.map_or(Decimal::ZERO, Quantity::get);
    let signed = if mutant!(EachLocationAtLeastZero) { signed.max(Decimal::ZERO) } else { signed };
    match location.standing {
        Standing::Zero(_) if !mutant!(ZeroLocationIsSold) => signed.min(Decimal::ZERO),
        Standing::Held(_) if mutant!(HeldLocationIsZero) => Decimal::ZERO,
        Standing::Good | Standing::Held(_) | Standing::Zero(_) => signed,
    }
}

fn doubt(location: &LocationFact) -> Option<&'static str> {
    match location.standing {
        Standing::Held(reason) | Standing::Zero(reason) => Some(reason),
        Standing::Good => location.available.is_none().then_some("not_complete"),
    }
}

/// Rounded down; exact, for a division alone could round up to the next whole.
fn whole_packs(base_units: Decimal, pack: Quantity) -> Option<Decimal> {
    if !pack.is_positive() {
        return None;
    }
    let rest = base_units.checked_rem(pack.get())?;
    let whole = base_units.checked_sub(rest)?.checked_div(pack.get())?.normalize();
    Some(if mutant!(PackRoundedUp) && !rest.is_zero() { whole + Decimal::ONE } else { whole })
}
