//! The measures of one SKU at one place added up, and what may be sold of them: the one place with that arithmetic.

use super::view::Net;
use crate::domain::Quantity;
use crate::domain::change::Measure;
use crate::mutants::mutant;

/// What there is of each measure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// `None`: nothing was ever said. `Some(None)`: too large.
    pub totals: [Option<Option<Quantity>>; Measure::ALL.len()],
    /// Of some SKU there. Where nobody ever spoke of reservations there are none; where they are spoken of, those of this
    /// SKU must be known.
    pub reservations_heard: bool,
}

impl Sums {
    pub fn of(&self, measure: Measure) -> Option<Option<Quantity>> {
        self.totals[measure as usize - 1]
    }

    /// Something was said of it, be it nothing.
    pub fn know(&mut self, measure: Measure) {
        self.totals[measure as usize - 1].get_or_insert(Some(Quantity::ZERO));
    }

    pub fn add(&mut self, measure: Measure, quantity: Quantity) {
        let total = &mut self.totals[measure as usize - 1];
        *total = total.map(|total| total?.plus(quantity));
    }

    pub fn take(&mut self, measure: Measure, quantity: Quantity) {
        let total = &mut self.totals[measure as usize - 1];
        *total = total.map(|total| total?.minus(quantity));
    }

    /// What may be sold: (AVAILABLE, or ON_HAND less RESERVED) less PENDING.
    pub fn net(&self) -> Net {
        let reserved = match self.of(Measure::Reserved) {
            None if !self.reservations_heard => Some(Some(Quantity::ZERO)),
            told => told,
        };
        let base = match (self.of(Measure::Available), self.of(Measure::OnHand), reserved) {
            (Some(available), _, _) => available,
            (None, Some(on_hand), Some(reserved)) => less(on_hand, reserved),
            _ => return Net::Unknown,
        };
        let pending = self.of(Measure::Pending).unwrap_or(Some(Quantity::ZERO));
        let net = if mutant!(PendingIgnored) { base } else { less(base, pending) };
        net.map_or(Net::TooLarge, Net::Known)
    }
}

fn less(one: Option<Quantity>, other: Option<Quantity>) -> Option<Quantity> {
    one?.minus(other?)
}
