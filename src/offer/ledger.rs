//! What the stock ledger says of a page's lines, and how that and what the ERP says come together.
//!
//! Location by location: what a source tells is not asked; what it does not tell, or only in part, is asked as if there were
//! no ledger; what is in doubt is told marked, and in a basket asked if it can be. What was asked stays an asked figure: it
//! never enters the ledger.

use super::answer::{AvailabilityAnswer, Freshness, Source};
use super::assemble::{Common, counted};
use super::freshness::Held;
use super::lookup::{Fact, PENDING};
use super::query::OfferQuery;
use crate::cache::StockRow;
use crate::cache::stock_row::LevelText;
use crate::clock::{Stamp, Timestamp};
use crate::domain::{Incoming, LocationId, LocationLevel, Purpose, Quantity, Stock};
use crate::mutants::mutant;
use crate::stock::Levels;
use crate::stock::levels::{Coming, Figures, Net};

/// Part of what is owned was never said, and the ERP did not say it either.
const NOT_COMPLETE: &str = "not_complete";
/// The figures add up to more than a quantity can hold.
const OUT_OF_RANGE: &str = "out_of_range";

/// What the ledger says of all lines of a page, at one instant.
#[derive(Debug)]
pub struct LedgerPage {
    figures: Vec<Figures>,
    coming: Vec<Coming>,
    /// Where each line's figures, and what is on its way, end.
    ends: Vec<(usize, usize)>,
    owns_the_rest: bool,
    /// What is in doubt is asked.
    doubts: bool,
}

/// What it says of one line.
#[derive(Clone, Copy, Debug)]
pub struct LedgerLine<'a> {
    pub figures: &'a [Figures],
    coming: &'a [Coming],
    owns_the_rest: bool,
    doubts: bool,
}

/// Figures put together: a row, how old each of its locations is, and how old the whole.
pub(super) struct Together {
    pub row: StockRow,
    pub freshness: Freshness,
    pub by_location: Option<Box<[Freshness]>>,
}

impl LedgerPage {
    /// `can_ask`: the ERP tells stock.
    pub fn read(levels: &Levels, query: &OfferQuery, can_ask: bool) -> Self {
        let lines = query.lines.len();
        let mut page = Self {
            figures: Vec::with_capacity(lines),
            coming: Vec::new(),
            ends: Vec::with_capacity(lines),
            owns_the_rest: false,
            doubts: can_ask
                && matches!(query.purpose, Purpose::Cart | Purpose::Checkout)
                && !mutant!(BasketTrustsDoubt),
        };
        // Held for the probes alone: the writer waits meanwhile.
        let view = levels.view(query.arrival.wall);
        page.owns_the_rest = view.owns_the_rest();
        for line in &query.lines {
            if line.fault.is_none() {
                view.figures(&line.sku, |figures| page.figures.push(figures), &mut page.coming);
            }
            page.ends.push((page.figures.len(), page.coming.len()));
        }
        page
    }

    pub fn line(&self, index: usize) -> LedgerLine<'_> {
        let (from, first) = index.checked_sub(1).map_or((0, 0), |before| self.ends[before]);
        let (to, last) = self.ends[index];
        LedgerLine {
            figures: &self.figures[from..to],
            coming: &self.coming[first..last],
            owns_the_rest: self.owns_the_rest,
            doubts: self.doubts,
        }
    }
}

impl<'a> LedgerLine<'a> {
    /// Whether nothing need be asked for these locations (none: all).
    pub fn is_enough(&self, asked: &[LocationId]) -> bool {
        if asked.is_empty() {
            return self.owns_the_rest && !self.figures.is_empty() && self.figures.iter().all(|of| self.stands(of));
        }
        asked.iter().all(|location| self.at(location).is_some_and(|of| self.stands(of)))
    }

    /// For who asks because the ledger is in doubt: what was asked before this is older than what they doubt.
    pub fn doubted_from(&self, asked: &[LocationId]) -> Option<Timestamp> {
        let doubted = self
            .figures
            .iter()
            .filter(|of| counted(asked, &of.location) && matches!(of.net, Net::Known(_)) && !self.stands(of));
        doubted.filter_map(|of| of.changed_at).max().filter(|_| !mutant!(DoubtAnsweredFromBefore))
    }

    /// Whether a source ever told anything of this SKU.
    pub fn knows_the_sku(&self) -> bool {
        self.figures.iter().any(|figures| figures.changed_at.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// The figures are told without asking.
    fn stands(&self, figures: &Figures) -> bool {
        matches!(figures.net, Net::Known(_)) && !(self.doubts && figures.doubt.is_some())
    }

    fn at(&self, location: &LocationId) -> Option<&'a Figures> {
        self.figures.iter().find(|figures| figures.location == *location)
    }

    /// Both together, or what is to be answered where there is nothing to put together.
    pub(super) fn with(
        self,
        common: &Common<'_>,
        sku: &str,
        fact: &Fact<StockRow>,
    ) -> Result<Together, AvailabilityAnswer> {
        let erp = match fact {
            Fact::Held { row, observed, source, stale } => {
                let held = Held { observed: *observed, stamp: row.stamp(), ends: None };
                Some((row, common.stocks.describe(&held, *source, *stale)))
            }
            _ => None,
        };
        if let Some((row, freshness)) = erp
            && !row.is_tracked()
            && !self.knows_the_sku()
        {
            return Err(AvailabilityAnswer::Untracked { freshness });
        }
        let failed = match fact {
            Fact::Failed(reason) => Some(*reason),
            Fact::Waiting { .. } => Some(PENDING),
            _ => None,
        };
        let mut found = Found { levels: Vec::with_capacity(self.figures.len()), each: Vec::new(), missing: None };
        for figures in self.figures.iter().filter(|figures| counted(&common.query.locations, &figures.location)) {
            self.put(common, &mut found, figures, erp, failed)?;
        }
        for level in erp.iter().flat_map(|(row, _)| row.levels()) {
            if let Some((_, freshness)) = erp
                && counted(&common.query.locations, level.location)
                && self.at(level.location).is_none()
            {
                found.put(told_level(&level), freshness);
            }
        }
        if erp.is_none() && !self.covers(&common.query.locations) {
            found.missing = found.missing.or(failed);
        }
        if found.levels.is_empty() && (erp.is_none() || found.missing.is_some()) {
            let reason = match fact {
                Fact::No(..) => "erp_error",
                _ => failed.or(found.missing).unwrap_or(NOT_COMPLETE),
            };
            return Err(AvailabilityAnswer::Unavailable { reason });
        }
        let incoming = self.incoming(common, erp.map(|(row, _)| row));
        let freshness = found.worst().or(erp.map(|(_, freshness)| freshness));
        let Some(freshness) = freshness else { return Err(AvailabilityAnswer::Unavailable { reason: NOT_COMPLETE }) };
        let stock = Stock::Levels {
            base_unit: erp.and_then(|(row, _)| row.base_unit().cloned()),
            locations: found.levels,
            incoming,
        };
        let stamp = erp.map_or(Stamp(0), |(row, _)| row.stamp());
        let row = StockRow::new(sku, &stock, stamp, common.query.arrival, common.shapes)
            .ok_or(AvailabilityAnswer::Unavailable { reason: OUT_OF_RANGE })?;
        Ok(Together { row, freshness, by_location: Some(found.each.into_boxed_slice()) })
    }

    /// Whether every location asked for is one the ledger speaks of.
    fn covers(&self, asked: &[LocationId]) -> bool {
        if asked.is_empty() { self.owns_the_rest } else { asked.iter().all(|location| self.at(location).is_some()) }
    }

    /// One location's figures: the ledger's, or the ERP's in its stead.
    fn put(
        &self,
        common: &Common<'_>,
        found: &mut Found,
        figures: &Figures,
        erp: Option<(&StockRow, Freshness)>,
        failed: Option<&'static str>,
    ) -> Result<(), AvailabilityAnswer> {
        let told = |available| LocationLevel {
            location: figures.location.clone(),
            on_hand: figures.on_hand,
            reserved: figures.reserved,
            available,
        };
        if let (Net::Known(available), true) = (figures.net, self.stands(figures)) {
            found.put(told(available), described(common, figures));
            return Ok(());
        }
        let asked = erp.and_then(|(row, freshness)| Some((level_at(row, &figures.location)?, freshness)));
        match (asked, figures.net) {
            // Orders the owner of the stock has not seen are not in its figure.
            (Some((level, freshness)), _) => match figures.pending.and_then(|orders| level.available.minus(orders)) {
                Some(available) => {
                    let stale = freshness.stale.or(doubt_of_pending(figures));
                    found.put(LocationLevel { available, ..level }, Freshness { stale, ..freshness });
                }
                None => found.missing = Some(OUT_OF_RANGE),
            },
            // In doubt, asked, and not told: who accepts nothing old accepts no doubt either.
            (None, Net::Known(_)) if failed.is_some() && common.stocks.stale_if_error.is_zero() => {
                return Err(AvailabilityAnswer::Unavailable { reason: failed.unwrap_or(PENDING) });
            }
            (None, Net::Known(available)) => found.put(told(available), described(common, figures)),
            (None, Net::TooLarge) => found.missing = Some(OUT_OF_RANGE),
            (None, Net::Unknown) => {
                // An ERP that answered, and does not name the location, has nothing there.
                if erp.is_none() && (figures.owned || figures.on_hand.is_some()) {
                    found.missing = found.missing.or(Some(NOT_COMPLETE));
                }
            }
        }
        Ok(())
    }

    /// By date, the undated last. Of each location either the ledger's or the ERP's.
    fn incoming(&self, common: &Common<'_>, erp: Option<&StockRow>) -> Vec<Incoming> {
        let of_ledger = |location: &LocationId| {
            let is_doubted = |of: &Figures| self.doubts && of.doubt.is_some() && erp.is_some();
            self.at(location).is_some_and(|of| of.incoming && !is_doubted(of))
        };
        let counts = |location: &LocationId| counted(&common.query.locations, location);
        let mut incoming: Vec<Incoming> = (self.coming.iter())
            .filter(|coming| counts(&coming.location) && of_ledger(&coming.location))
            .map(|coming| Incoming {
                location: coming.location.clone(),
                quantity: coming.quantity,
                expected_on: coming.expected_on,
            })
            .collect();
        for text in erp.iter().flat_map(|row| row.incoming()) {
            if counts(text.location) && !of_ledger(text.location) {
                let Ok(quantity) = text.quantity.parse() else { continue };
                let expected_on = text.expected_on.and_then(|day| day.parse().ok());
                incoming.push(Incoming { location: text.location.clone(), quantity, expected_on });
            }
        }
        incoming.sort_by_key(|coming| (coming.expected_on.is_none(), coming.expected_on));
        incoming
    }
}

/// What was put together so far.
struct Found {
    levels: Vec<LocationLevel>,
    /// As many.
    each: Vec<Freshness>,
    /// Why the whole is less than all.
    missing: Option<&'static str>,
}

impl Found {
    fn put(&mut self, level: LocationLevel, freshness: Freshness) {
        self.levels.push(level);
        self.each.push(freshness);
    }

    /// The whole is as old as its oldest part, and as doubtful as any.
    fn worst(&self) -> Option<Freshness> {
        let worst = self.each.iter().min_by_key(|each| (each.stale.is_none(), each.observed_at))?;
        let first_to_end = self.each.iter().map(|each| each.expires_at).min()?;
        Some(Freshness { expires_at: first_to_end, stale: worst.stale.or(self.missing), changed_at: None, ..*worst })
    }
}

fn described(common: &Common<'_>, figures: &Figures) -> Freshness {
    let arrival = common.query.arrival.wall;
    Freshness {
        source: Source::Ledger,
        observed_at: figures.heard_at.or(figures.changed_at).unwrap_or(arrival),
        expires_at: arrival.plus(common.stocks.max_age),
        stale: reason_of_doubt(figures),
        changed_at: figures.changed_at,
    }
}

fn reason_of_doubt(figures: &Figures) -> Option<&'static str> {
    figures.doubt.filter(|_| !mutant!(DoubtUnsaid)).map(|doubt| doubt.reason())
}

/// Why what is taken off the ERP's figure may be wrong, be it nothing: orders may be missing.
fn doubt_of_pending(figures: &Figures) -> Option<&'static str> {
    figures.pending_doubt.filter(|_| !mutant!(DoubtUnsaid)).map(|doubt| doubt.reason())
}

fn level_at(row: &StockRow, location: &LocationId) -> Option<LocationLevel> {
    row.levels().find(|level| level.location == location).map(|level| told_level(&level))
}

fn told_level(level: &LevelText<'_>) -> LocationLevel {
    LocationLevel {
        location: level.location.clone(),
        on_hand: level.on_hand.and_then(|text| text.parse().ok()),
        reserved: level.reserved.and_then(|text| text.parse().ok()),
        available: level.available.parse().unwrap_or(Quantity::ZERO),
    }
}
