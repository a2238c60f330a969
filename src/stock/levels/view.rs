//! What a page reads of the ledger: one state of it, SKU by SKU.

use super::Root;
use super::cell::Cell;
use super::places::{Doubt, Place, Places};
use super::shard::Found;
use super::sums::Sums;
use crate::clock::Timestamp;
use crate::domain::change::{Measure, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Quantity, Sku};
use crate::mutants::mutant;
use crate::stock::event::Row;
use jiff::civil::Date;

/// One state of the ledger, for as long as it is held: the writer waits. Nothing else is waited for while holding it.
pub struct View<'a> {
    pub(super) root: parking_lot::RwLockReadGuard<'a, Root>,
    pub(super) now: Timestamp,
}

/// What the ledger says of one SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub location: LocationId,
    pub on_hand: Option<Quantity>,
    pub reserved: Option<Quantity>,
    /// Orders the owner of the stock has not seen, that still count. `None`: more than a quantity can hold.
    pub pending: Option<Quantity>,
    pub net: Net,
    /// When any of the figures last moved. `None`: they are zero because nothing was ever said.
    pub changed_at: Option<Timestamp>,
    /// When the source of the figures was last heard; of several, the one that was not for longest.
    pub heard_at: Option<Timestamp>,
    /// Why they may be wrong.
    pub doubt: Option<Doubt>,
    /// Why the orders may be, be there none: some may be missing.
    pub pending_doubt: Option<Doubt>,
    /// Since when a source of them is in doubt; of several, the one that is for longest.
    pub doubted_since: Option<Timestamp>,
    /// A configured source answers for what is there.
    pub owned: bool,
    /// What is on its way there is told here, if anything is.
    pub incoming: bool,
}

impl Figures {
    fn doubtful(&mut self, measure: Measure, doubt: Option<Doubt>) {
        self.doubt = self.doubt.max(doubt);
        if measure == Measure::Pending {
            self.pending_doubt = self.pending_doubt.max(doubt);
        }
    }
}

/// What may be sold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// Signed.
    Known(Quantity),
    /// Not all of it was said.
    Unknown,
    /// It is more than a quantity can hold. It is never wrapped, and never cut.
    TooLarge,
}

/// Goods on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    pub location: LocationId,
    pub quantity: Quantity,
    pub expected_on: Option<Date>,
}

/// A row as it stands, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub key: RowKey,
    pub row: Row,
    /// It may be wrong: a change of it was rejected, or may have been missed.
    pub suspect: bool,
}

impl View<'_> {
    /// The location answers nothing but zero for what it has not named.
    pub fn is_complete(&self, location: &LocationId, measure: Measure) -> bool {
        self.root.places.find(location).is_some_and(|place| self.place(place).plane(measure).complete.is_some())
    }

    /// Whether all that no source is named for has a source all the same.
    pub fn owns_the_rest(&self) -> bool {
        self.root.places.owns_the_rest
    }

    /// What is known of the SKU, location by location: those that were told, that are complete, and that a configured
    /// source answers for. What is on its way is added to `coming`.
    pub fn figures(&self, sku: &str, mut each: impl FnMut(Figures), coming: &mut Vec<Coming>) {
        let found = self.root.find(sku);
        let mut cells = found.map_or(&[][..], |found| found.cells);
        for (number, place) in self.root.places.places.iter().enumerate() {
            let here = cells.iter().take_while(|cell| cell.place() as usize == number).count();
            let (of_place, rest) = cells.split_at(here);
            cells = rest;
            if let Some(figures) = self.at(place, found, of_place, coming) {
                each(figures);
            }
        }
    }

    fn place(&self, place: u32) -> &Place {
        &self.root.places.places[place as usize]
    }

    fn at(&self, place: &Place, found: Option<Found<'_>>, cells: &[Cell], coming: &mut Vec<Coming>) -> Option<Figures> {
        let reservations_heard = place.plane(Measure::Reserved).heard;
        let mut sums = Sums { reservations_heard, ..Sums::default() };
        let mut figures = Figures {
            location: place.id.clone(),
            on_hand: None,
            reserved: None,
            pending: Some(Quantity::ZERO),
            net: Net::Unknown,
            changed_at: None,
            heard_at: None,
            doubt: None,
            pending_doubt: None,
            doubted_since: None,
            owned: place.is_owned(),
            incoming: place.plane(Measure::Incoming).heard || place.plane(Measure::Incoming).complete.is_some(),
        };
        let has_net = cells.iter().any(|cell| cell.plane == place.current(Measure::Available))
            || place.plane(Measure::Available).complete.is_some();
        let counts = |measure| match measure {
            Measure::OnHand | Measure::Reserved => !has_net,
            Measure::Available | Measure::Pending => true,
            Measure::Incoming => false,
        };
        let sources = &self.root.places.sources;
        for measure in Measure::ALL {
            let Some(complete) = place.plane(measure).complete else { continue };
            sums.know(measure);
            if counts(measure) {
                self.lean_on(&mut figures, measure, complete.source);
            }
        }
        // That there are no orders of a SKU is no more certain than who tells of those there are.
        if let Some(source) = place.plane(Measure::Pending).told_by
            && !mutant!(PendingUndoubted)
        {
            self.lean_on(&mut figures, Measure::Pending, source);
        }
        for cell in cells {
            let measure = cell.plane.measure();
            if cell.plane != place.current(measure) {
                continue;
            }
            sums.know(measure);
            if counts(measure) {
                figures.changed_at = figures.changed_at.max(Some(cell.changed_at()));
                self.lean_on(&mut figures, measure, cell.source);
            }
            let apart = found.map_or(&[][..], |found| found.apart(cell));
            let rows = apart.iter().map(|apart| (&apart.row, apart.source));
            let plain = cell.row();
            for (row, source) in plain.iter().map(|row| (row, cell.source)).chain(rows) {
                if row.expires_at.is_some_and(|end| end <= self.now) && !mutant!(PendingNeverExpires) {
                    continue;
                }
                if measure == Measure::Incoming {
                    if row.quantity.is_positive() {
                        let (location, quantity) = (place.id.clone(), row.quantity);
                        coming.push(Coming { location, quantity, expected_on: row.expected_on });
                    }
                    continue;
                }
                sums.add(measure, row.quantity);
                if !counts(measure) {
                    continue;
                }
                figures.changed_at = figures.changed_at.max(Some(row.changed_at));
                if apart.len() > 1 || source != cell.source {
                    self.lean_on(&mut figures, measure, source);
                }
                let state = &sources[usize::from(source)];
                if is_suspect(row, place, measure, source, state.missed_before) {
                    figures.doubtful(measure, Some(Doubt::RowRejected));
                }
            }
        }
        figures.on_hand = sums.of(Measure::OnHand).flatten();
        figures.reserved = sums.of(Measure::Reserved).flatten();
        figures.pending = sums.of(Measure::Pending).unwrap_or(Some(Quantity::ZERO));
        figures.net = sums.net();
        let has_orders = figures.pending != Some(Quantity::ZERO) || figures.pending_doubt.is_some();
        let told = figures.owned || figures.incoming || figures.on_hand.is_some() || has_orders;
        (told || figures.net != Net::Unknown).then_some(figures)
    }

    /// What may be sold of the SKU at the location once these rows of it are as is said here. `None`: the row is gone.
    pub fn net_with<'r>(
        &self,
        sku: &str,
        location: &LocationId,
        changed: impl Iterator<Item = (Measure, &'r RowId, Option<&'r Row>)>,
    ) -> Net {
        let counts = |row: &Row| row.expires_at.is_none_or(|end| end > self.now);
        let number = self.root.places.find(location);
        let place = number.map(|place| self.place(place));
        let found = self.root.find(sku);
        let cell = |measure| found?.cell(number?, place?.current(measure));
        let mut sums = Sums::default();
        if let Some(place) = place {
            sums.reservations_heard = place.plane(Measure::Reserved).heard;
        }
        for measure in Measure::ALL {
            if place.is_some_and(|place| place.plane(measure).complete.is_some()) {
                sums.know(measure);
            }
            let Some(cell) = cell(measure) else { continue };
            sums.know(measure);
            let apart = found.map_or(&[][..], |found| found.apart(cell));
            let plain = cell.row();
            for row in plain.iter().chain(apart.iter().map(|apart| &apart.row)).filter(|row| counts(row)) {
                sums.add(measure, row.quantity);
            }
        }
        for (measure, name, row) in changed {
            sums.know(measure);
            sums.reservations_heard |= measure == Measure::Reserved;
            let old = cell(measure).and_then(|cell| found?.row(cell, name));
            if let Some(old) = old.filter(|row| counts(row)) {
                sums.take(measure, old.quantity);
            }
            if let Some(row) = row.filter(|row| counts(row)) {
                sums.add(measure, row.quantity);
            }
        }
        sums.net()
    }

    /// The figures are no better than this source stands.
    fn lean_on(&self, figures: &mut Figures, measure: Measure, source: u16) {
        let places = &self.root.places;
        let state = &places.sources[usize::from(source)];
        figures.heard_at = match (figures.heard_at, state.standing.last_heard) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let Some((doubt, since)) = state.doubt(places.started, self.now) else { return };
        figures.doubtful(measure, Some(doubt));
        figures.doubted_since = Some(figures.doubted_since.map_or(since, |earlier| earlier.min(since)));
    }

    /// The sources that are in doubt, why and since when.
    pub fn doubts(&self) -> impl Iterator<Item = (&SourceId, Doubt, Timestamp)> {
        let Places { sources, started, .. } = &self.root.places;
        sources.iter().filter_map(|source| {
            let (doubt, since) = source.doubt(*started, self.now)?;
            Some((&source.name, doubt, since))
        })
    }

    /// All rows of the SKU, as they stand, with who said so.
    pub fn rows(&self, sku: &str, mut each: impl FnMut(Told, &SourceId)) {
        let Some(found) = self.root.find(sku) else { return };
        let sources = &self.root.places.sources;
        self.rows_of(found, &mut |told, source| each(told, &sources[usize::from(source)].name));
    }

    pub(super) fn rows_of(&self, found: Found<'_>, each: &mut impl FnMut(Told, u16)) {
        for cell in found.cells {
            let place = self.place(cell.place());
            let measure = cell.plane.measure();
            if cell.plane != place.current(measure) {
                continue;
            }
            let plain = cell.row().map(|row| (Default::default(), row, cell.source));
            let apart = found.apart(cell).iter().map(|apart| (apart.name.clone(), apart.row.clone(), apart.source));
            for (name, row, source) in plain.into_iter().chain(apart) {
                let missed_before = self.root.places.sources[usize::from(source)].missed_before;
                let suspect = is_suspect(&row, place, measure, source, missed_before);
                let sku: Sku = found.sku.clone();
                each(
                    Told { key: RowKey { sku, location: place.id.clone(), measure, row: name }, row, suspect },
                    source,
                );
            }
        }
    }
}

fn is_suspect(row: &Row, place: &Place, measure: Measure, source: u16, missed_before: u64) -> bool {
    let complete = place.plane(measure).complete.filter(|complete| complete.source == source);
    // Where it was stated by its time, that says nothing of numbers.
    let stated = if row.effective_at.is_some() { 0 } else { row.stated };
    let stated = complete.map_or(stated, |complete| stated.max(complete.sequence));
    row.suspect || (stated < missed_before && !mutant!(MissedForgotten))
}
