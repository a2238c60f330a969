//! From what the channel's party pays to what is asked of the channel's buyers: the price of one pack, on the channel's tax
//! basis, with its markup, rounded once. Calculated in fractions of whole numbers, so that nothing is rounded on the way.

use std::time::Duration;

use rust_decimal::Decimal;

use super::{Why, explain};
use crate::channel::config::{Direction, PricePolicy, Rounding};
use crate::channel::fact::{Facts, PriceFact};
use crate::channel::row::{ChannelPrice, Presence, Reasons};
use crate::clock::Timestamp;
use crate::domain::{Currency, Money, Quantity, TaxBasis};
use crate::mutants::mutant;

/// Whether a row may be sold as far as its price goes.
pub(super) enum Verdict {
    Sold {
        price: ChannelPrice,
        /// It may be out of date, in a word.
        held: Option<&'static str>,
    },
    /// Why not.
    Not(Presence, Reasons),
}

/// A price that was told, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub net_price: Money,
    pub base_quantity: Quantity,
    pub currency: Currency,
    pub tax_basis: Option<TaxBasis>,
    pub tax_rate: Option<Quantity>,
}

/// How an amount came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Of the amount.
    pub basis: TaxBasis,
    /// The rate the basis was changed with.
    pub rate: Option<Quantity>,
    pub rounded: Decimal,
    pub amount: Money,
}

pub(super) fn judge(
    policy: &PricePolicy,
    hold_after: Duration,
    pack: Quantity,
    facts: &Facts<'_>,
    now: Timestamp,
    why: impl Why,
) -> Verdict {
    let zeroed = |reason: &'static str| Verdict::Not(Presence::Zeroed, [reason].into_iter().collect());
    match *facts.price {
        PriceFact::No { reason, observed_at } => {
            why.keep(|steps| steps.push(explain::no(reason, observed_at)));
            Verdict::Not(
                if mutant!(NoOnlyZeroes) { Presence::Zeroed } else { Presence::Leaving },
                [reason].into_iter().collect(),
            )
        }
        PriceFact::Unknown => {
            let reason = if facts.is_unreachable { "erp_unreachable" } else { "pending" };
            why.keep(|steps| steps.push(explain::no_price(reason)));
            zeroed(reason)
        }
        PriceFact::Told { net_price, base_quantity, currency, tax_basis, tax_rate, ends, observed_at, .. } => {
            let told = Told { net_price, base_quantity, currency, tax_basis, tax_rate };
            why.keep(|steps| steps.push(explain::told(&told, ends, observed_at)));
            if ends.is_some_and(|ends| now >= ends) && !mutant!(EndedPriceIsAsked) {
                return zeroed("validity_ended");
            }
            let invalid_for = facts.invalidated_at.map(|at| at.until(now));
            if let (Some(invalid), Some(longest)) = (invalid_for, policy.zero_after)
                && invalid >= longest
                && !mutant!(InvalidatedForEver)
            {
                return zeroed("invalidated");
            }
            let held = match invalid_for {
                _ if mutant!(HeldUnsaid) => false,
                Some(invalid) => facts.is_unreachable || invalid >= hold_after,
                None => facts.is_unreachable && observed_at.until(now) >= policy.refresh_after,
            };
            let way = amount(policy, pack, &told);
            why.keep(|steps| steps.extend(explain::amount(policy, pack, &told, way.as_ref().ok())));
            match way {
                Ok(way) => Verdict::Sold {
                    price: ChannelPrice { amount: way.amount, currency, tax_basis: way.basis },
                    held: held.then_some("price_held"),
                },
                Err(reason) => zeroed(reason),
            }
        }
    }
}

/// When time alone may change the verdict.
pub(super) fn edge(policy: &PricePolicy, hold_after: Duration, facts: &Facts<'_>, now: Timestamp) -> Option<Timestamp> {
    let PriceFact::Told { ends, observed_at, .. } = *facts.price else { return None };
    let held = match facts.invalidated_at {
        Some(at) => Some(at.plus(hold_after)),
        None => facts.is_unreachable.then(|| observed_at.plus(policy.refresh_after)),
    };
    let zeroed = facts.invalidated_at.zip(policy.zero_after).map(|(at, after)| at.plus(after));
    [ends, held, zeroed].into_iter().flatten().filter(|edge| *edge > now).min()
}

/// What one pack costs here, or why that cannot be said.
pub(super) fn amount(policy: &PricePolicy, pack: Quantity, told: &Told) -> Result<Way, &'static str> {
    if policy.currency.is_some_and(|currency| currency != told.currency) && !mutant!(AnyCurrencyIsAsked) {
        return Err("currency_not_supported");
    }
    // Nothing is given away because the ERP says 0.
    if told.net_price.get() <= Decimal::ZERO {
        return Err("zero_price");
    }
    let told_basis = told.tax_basis.ok_or("tax_basis_missing")?;
    let basis = policy.tax_basis.unwrap_or(told_basis);
    let rate = match basis == told_basis {
        true => None,
        false if mutant!(TaxRateIsInvented) => Some(told.tax_rate.or(policy.tax_rate).unwrap_or(Quantity::ZERO)),
        false => Some(told.tax_rate.or(policy.tax_rate).ok_or("tax_rate_missing")?),
    };
    let way = fraction(policy, pack, told, basis, rate).and_then(|price| {
        let rounded = round(price, &policy.rounding)?;
        let amount = match policy.floor {
            Some(floor) if rounded < floor.get() && !mutant!(BelowTheFloorPrice) => floor.get(),
            _ => rounded,
        };
        Some(Way { basis, rate, rounded, amount: Money::new(amount)? })
    });
    match way {
        Some(way) if way.amount.get() > Decimal::ZERO => Ok(way),
        Some(_) => Err("zero_price"),
        None => Err("out_of_range"),
    }
}

/// A price not yet rounded: `over / (under * 10^scale)`, nothing of it negative.
#[derive(Clone, Copy)]
struct Fraction {
    over: i128,
    under: i128,
    scale: i32,
}

impl Fraction {
    fn times(self, factor: Decimal) -> Option<Self> {
        let factor = factor.normalize();
        let (mantissa, scale) = (factor.mantissa(), i32::try_from(factor.scale()).ok()?);
        (mantissa >= 0).then_some(())?;
        Some(Self { over: self.over.checked_mul(mantissa)?, scale: self.scale + scale, ..self })
    }

    fn divided_by(self, divisor: Decimal) -> Option<Self> {
        let divisor = divisor.normalize();
        let (mantissa, scale) = (divisor.mantissa(), i32::try_from(divisor.scale()).ok()?);
        (mantissa > 0).then_some(())?;
        Some(Self { under: self.under.checked_mul(mantissa)?, scale: self.scale - scale, ..self })
    }
}

fn fraction(
    policy: &PricePolicy,
    pack: Quantity,
    told: &Told,
    basis: TaxBasis,
    rate: Option<Quantity>,
) -> Option<Fraction> {
    let one = Fraction { over: 1, under: 1, scale: 0 };
    let price = one.times(told.net_price.get())?;
    let price = if mutant!(PackCostsOneUnit) { price } else { price.times(pack.get())? };
    let price = if mutant!(BaseQuantityIgnored) { price } else { price.divided_by(told.base_quantity.get())? };
    let markup = Decimal::ONE_HUNDRED.checked_add(policy.markup_percent)?;
    let price = price.times(markup)?.divided_by(Decimal::ONE_HUNDRED)?;
    match (rate, basis) {
        (None, _) => Some(price),
        (Some(rate), TaxBasis::Gross) => price.times(Decimal::ONE.checked_add(rate.get())?),
        (Some(rate), TaxBasis::Net) => price.divided_by(Decimal::ONE.checked_add(rate.get())?),
    }
}

/// The one rounding.
fn round(price: Fraction, rounding: &Rounding) -> Option<Decimal> {
    if mutant!(RoundedTwice) {
        let cents = to_step(price, &Rounding::default())?;
        return to_step(Fraction { over: 1, under: 1, scale: 0 }.times(cents)?, rounding);
    }
    to_step(price, rounding)
}

fn to_step(price: Fraction, rounding: &Rounding) -> Option<Decimal> {
    let Fraction { over, under, scale } = price;
    let step = rounding.step.get().normalize();
    // How often the step is in the price.
    let under = under.checked_mul(step.mantissa())?;
    (under > 0).then_some(())?;
    let shift = i32::try_from(step.scale()).ok()?.checked_sub(scale)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let (over, under) = if shift >= 0 { (over.checked_mul(power)?, under) } else { (over, under.checked_mul(power)?) };
    let (whole, rest) = (over / under, over % under);
    let up = match rounding.direction {
        Direction::Nearest => rest >= under - rest,
        Direction::Up => rest > 0,
        Direction::Down => false,
    };
    let steps = if up { whole.checked_add(1)? } else { whole };
    let rounded = Decimal::try_from_i128_with_scale(steps.checked_mul(step.mantissa())?, step.scale()).ok()?;
    let mut amount = match rounding.ending {
        Some(ending) => ending_so(rounded, ending.get())?,
        None => rounded,
    };
    // As many digits as the step and the ending are written with, so that 12.3 is shown as 12.30.
    let digits = rounding.step.get().scale().max(rounding.ending.map_or(0, |ending| ending.get().scale()));
    amount.rescale(digits);
    Some(amount)
}

/// The least that is not less than `amount` and has these last digits: those after the point, and as many before it as are written.
fn ending_so(amount: Decimal, ending: Decimal) -> Option<Decimal> {
    let mut every = Decimal::ONE;
    while every <= ending {
        every = every.checked_mul(Decimal::TEN)?;
    }
    let candidate = amount.checked_sub(amount.checked_rem(every)?)?.checked_add(ending)?;
    if candidate >= amount || mutant!(EndingBelowThePrice) { Some(candidate) } else { candidate.checked_add(every) }
}
