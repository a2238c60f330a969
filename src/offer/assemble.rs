//! From two facts to one offer: units, breaks, terms, bands, dates. Pure.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::answer::{AvailabilityAnswer, Band, LineAnswer, LineStatus, PriceAnswer, Source};
use super::calendar::Calendar;
use super::config::NoAges;
use super::freshness::{Held, Limits};
use super::ledger::{LedgerLine, Together};
use super::lookup::{DAY_CHANGED, Fact, Line};
use super::query::{LineQuery, OfferQuery};
use crate::cache::negatives::No;
use crate::cache::stock_row::{StockShapes, sum_available};
use crate::cache::{Negative, PriceRow, PriceShape, StockRow};
use crate::domain::{Factor, LocationId, Quantity, Unit};

/// What lines of one page have in common.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    pub query: &'a OfferQuery,
    pub prices: Limits,
    pub stocks: Limits,
    /// In the ERP's time zone.
    pub today: Date,
    pub low_stock: Quantity,
    pub no: NoAges,
    pub calendar: &'a Calendar,
    pub shapes: &'a StockShapes,
}

/// The asked quantity and what it comes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    unit: Option<Unit>,
    base_unit: Option<Unit>,
    factor: Option<Factor>,
    /// In base units.
    pub quantity: Option<Quantity>,
}

/// Puts one line's offer together.
pub fn assemble(common: &Common<'_>, asked: &LineQuery, line: &Line, ledger: Option<LedgerLine<'_>>) -> LineAnswer {
    if let Some(fault) = asked.fault {
        return LineAnswer::whole(LineStatus::Invalid, fault.reason());
    }
    if let Some(whole) = whole_line(&line.price).or_else(|| {
        // Without a price asked for, the stock's "no" is the line's.
        let stock_alone = matches!(line.price, Fact::NotAsked) && !ledger.is_some_and(|ledger| ledger.knows_the_sku());
        stock_alone.then(|| whole_line(&line.stock)).flatten()
    }) {
        return whole;
    }
    let amount = match understand(asked, line) {
        Ok(amount) => amount,
        Err(reason) => return LineAnswer::whole(LineStatus::Invalid, reason),
    };
    let (price, price_status) = price(common, &line.price, &amount);
    let lead_time = held(&line.price).and_then(|row| row.shape().terms.as_ref()).and_then(|terms| terms.lead_time_days);
    let availability = availability(common, asked, (&line.stock, ledger), amount.quantity, lead_time);
    let (status, reason) = match (price_status, &availability) {
        (Some((status, reason)), _) => (status, reason),
        (None, AvailabilityAnswer::Unavailable { reason }) => (LineStatus::Unavailable, Some(*reason)),
        (None, _) => (LineStatus::Ok, None),
    };
    let order_quantity = held(&line.price).and_then(|row| row.shape().terms.as_ref()).and_then(|terms| {
        let part = |field: &Option<(Quantity, Box<str>)>| field.as_ref().map(|(quantity, _)| *quantity);
        amount.quantity?.raised(part(&terms.min_order_quantity), part(&terms.order_multiple))
    });
    LineAnswer {
        status,
        reason,
        price,
        availability,
        unit: amount.unit,
        base_unit: amount.base_unit,
        unit_factor: amount.factor,
        order_quantity,
    }
}

/// A "no" that stands for the whole line.
fn whole_line<R>(fact: &Fact<R>) -> Option<LineAnswer> {
    let Fact::No(negative, _) = fact else { return None };
    match negative.no {
        No::UnknownSku | No::UnknownCustomer => Some(LineAnswer::whole(LineStatus::UnknownSku, "unknown_sku")),
        No::NotForSale(reason) => Some(LineAnswer::whole(LineStatus::NotForSale, reason)),
        No::UnknownUnit => Some(LineAnswer::whole(LineStatus::Invalid, "unit_unknown")),
        // Never an answer: the line is asked by name instead.
        No::OnRequest(_) | No::NotShared => None,
    }
}

fn held(fact: &Fact<PriceRow>) -> Option<&PriceRow> {
    match fact {
        Fact::Held { row, .. } => Some(row),
        _ => None,
    }
}

/// In which unit the quantity was asked, and how much that is in base units.
pub(super) fn understand(asked: &LineQuery, line: &Line) -> Result<Asked, &'static str> {
    let stock_unit = match &line.stock {
        Fact::Held { row, .. } => row.base_unit(),
        _ => None,
    };
    let Some(row) = held(&line.price).or(line.units.as_ref()) else {
        // No price, so the SKU's units are not known: only the base unit can be understood.
        let unit = asked.unit.as_deref();
        return match (unit, stock_unit) {
            (Some(unit), Some(base)) if unit == base.as_str() => Ok(Asked {
                unit: None,
                base_unit: Some(base.clone()),
                factor: Some(Factor::ONE),
                quantity: Some(asked.amount.0),
            }),
            (Some(_), Some(_)) if matches!(line.price, Fact::NotAsked) => Err("unit_unknown"),
            _ => Ok(Asked { base_unit: stock_unit.cloned(), ..Asked::default() }),
        };
    };
    let shape: &PriceShape = row.shape();
    let (unit, factor) = shape.unit(asked.unit.as_deref()).ok_or("unit_unknown")?;
    let quantity = if factor == Factor::ONE {
        asked.amount.0
    } else {
        asked.amount.0.in_base_units(factor).ok_or("out_of_range")?
    };
    // A unit the caller wrote is echoed as written.
    let unit = match (&asked.unit, unit) {
        (None, Some(name)) => {
            [&shape.base_unit, &shape.sales_unit].into_iter().flatten().find(|u| u.as_str() == name).cloned()
        }
        _ => None,
    };
    Ok(Asked {
        unit,
        base_unit: shape.base_unit.clone().or_else(|| stock_unit.cloned()),
        factor: Some(factor),
        quantity: Some(quantity),
    })
}

type Status = (LineStatus, Option<&'static str>);

fn price(common: &Common<'_>, fact: &Fact<PriceRow>, amount: &Asked) -> (PriceAnswer, Option<Status>) {
    match fact {
        Fact::NotAsked => (PriceAnswer::NotAsked, None),
        Fact::Held { row, observed, source, stale } => {
            let held = Held { observed: *observed, stamp: row.stamp(), ends: row.shape().ends };
            let mut freshness = common.prices.describe(&held, *source, *stale);
            if *stale == Some(DAY_CHANGED) {
                // It expired with its day, however young it is.
                let end = common.calendar.end_of(common.calendar.day(observed.wall));
                freshness.expires_at = end.map_or(freshness.expires_at, |end| end.min(freshness.expires_at));
            }
            let quantity = amount.quantity.unwrap_or(Quantity::ONE);
            (PriceAnswer::Told { row: row.clone(), quantity, freshness }, Some((LineStatus::Ok, None)))
        }
        Fact::No(negative, source) => {
            let No::OnRequest(reason) = negative.no else { return (PriceAnswer::NotAsked, None) };
            let freshness = describe_no(common, negative, *source);
            (PriceAnswer::OnRequest { reason, freshness }, Some((LineStatus::OnRequest, Some(reason))))
        }
        Fact::Waiting { .. } => unavailable(super::lookup::PENDING),
        Fact::Failed(reason) => unavailable(reason),
    }
}

fn unavailable(reason: &'static str) -> (PriceAnswer, Option<Status>) {
    (PriceAnswer::Unavailable { reason }, Some((LineStatus::Unavailable, Some(reason))))
}

fn describe_no(common: &Common<'_>, negative: &Negative, source: Source) -> super::answer::Freshness {
    let observed = negative.observed;
    super::answer::Freshness {
        source,
        observed_at: observed.wall,
        expires_at: observed.wall.plus(common.no.of(&negative.no).min(common.prices.max_age)),
        stale: None,
        changed_at: None,
    }
}

fn availability(
    common: &Common<'_>,
    asked: &LineQuery,
    (fact, ledger): (&Fact<StockRow>, Option<LedgerLine<'_>>),
    quantity: Option<Quantity>,
    lead_time_days: Option<u16>,
) -> AvailabilityAnswer {
    let together = match ledger {
        Some(ledger) => ledger.with(common, &asked.sku, fact),
        None => asked_alone(common, fact),
    };
    let Together { row, freshness, by_location } = match together {
        Ok(together) => together,
        Err(answer) => return answer,
    };
    let locations = &common.query.locations;
    let counts = |location: &LocationId| counted(locations, location);
    let filtered = (!locations.is_empty()).then(|| {
        let figures = row.levels().filter(|level| counts(level.location));
        // A sum of part of the row cannot exceed what the row's own sum could hold by more than its sign.
        sum_available(figures.filter_map(|level| level.available.parse().ok())).unwrap_or(Quantity::ZERO)
    });
    let available = filtered.unwrap_or(row.available().0);
    let coming = row.has_incoming() && row.incoming().any(|incoming| counts(incoming.location));
    let band = if available.is_positive() {
        if available <= common.low_stock { Band::Low } else { Band::InStock }
    } else if coming {
        Band::OnOrder
    } else {
        Band::Out
    };
    let available_on = quantity.and_then(|quantity| {
        if quantity <= available {
            return Some(common.today);
        }
        covered_on(common.today, &row, quantity, available, counts).or_else(|| {
            let days = i64::from(lead_time_days?);
            common.today.checked_add(days.days()).ok()
        })
    });
    AvailabilityAnswer::Told { row, band, available: filtered, available_on, freshness, by_location }
}

/// What the ERP said, without a ledger.
fn asked_alone(common: &Common<'_>, fact: &Fact<StockRow>) -> Result<Together, AvailabilityAnswer> {
    let (row, observed, source, stale) = match fact {
        Fact::NotAsked => return Err(AvailabilityAnswer::NotAsked),
        Fact::Held { row, observed, source, stale } => (row, *observed, *source, *stale),
        // The price exists but its stock does not: the ERP contradicts itself.
        Fact::No(..) => return Err(AvailabilityAnswer::Unavailable { reason: "erp_error" }),
        Fact::Waiting { .. } => return Err(AvailabilityAnswer::Unavailable { reason: super::lookup::PENDING }),
        Fact::Failed(reason) => return Err(AvailabilityAnswer::Unavailable { reason }),
    };
    let held = Held { observed, stamp: row.stamp(), ends: None };
    let freshness = common.stocks.describe(&held, source, stale);
    if !row.is_tracked() {
        return Err(AvailabilityAnswer::Untracked { freshness });
    }
    Ok(Together { row: row.clone(), freshness, by_location: None })
}

/// Whether a location's figures count.
pub(super) fn counted(asked: &[LocationId], location: &LocationId) -> bool {
    asked.is_empty() || asked.contains(location)
}

/// The day the stock and what comes until then cover the quantity.
fn covered_on(
    today: Date,
    row: &StockRow,
    quantity: Quantity,
    available: Quantity,
    counts: impl Fn(&LocationId) -> bool,
) -> Option<Date> {
    let mut covered = available;
    let mut coming: Vec<(Date, Quantity)> = row
        .incoming()
        .filter(|incoming| counts(incoming.location))
        .filter_map(|incoming| Some((incoming.expected_on?.parse().ok()?, incoming.quantity.parse().ok()?)))
        .collect();
    coming.sort();
    for (day, more) in coming {
        covered = covered.plus(more)?;
        if covered >= quantity {
            // What was due already and is not there leaves today at the earliest.
            return Some(day.max(today));
        }
    }
    None
}
