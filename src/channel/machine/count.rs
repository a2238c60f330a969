//! The guard before a mass of zeros that nobody asked for: rows that a rule would zero are counted first, and where they are
//! too many they stay as they are until somebody insists.

use super::Machine;
use super::derive::{Seat, stand};
use crate::channel::event::{Event, Own, ZerosUpTo};
use crate::channel::fact::Facts;
use crate::channel::row::RowState;
use crate::clock::Timestamp;
use crate::domain::{Quantity, Sku};
use crate::mutants::mutant;
use crate::offer::explain::Unkept;

use super::scan::Counted;

/// Why the guard stands in the way.
pub const TOO_MANY_ZEROS: &str = "too_many_zeros";

impl Machine {
    /// Whether so many of so many rows may go to zero by a rule.
    fn lets(&self, zeroed: u64, rows: u64) -> bool {
        let guard = &self.policy.config().guard;
        let share = u128::from(zeroed) * 100;
        rows < guard.rows_min
            || share <= u128::from(rows) * u128::from(guard.zeroed_percent_max)
            || mutant!(MassZeroUnguarded)
    }

    /// What the doubts that are counted just now would do to the rows of a SKU.
    pub fn count_zeros(&mut self, sku: &Sku, seats: &[Seat], now: Timestamp) {
        let Some(up_to) = self.scans.counting() else { return };
        let (mut rows, mut zeroed) = (0, 0);
        for number in self.of_sku(sku) {
            let Some(entry) = self.entry(number) else { continue };
            let kept = &entry.kept;
            let Some(row) = kept.row.as_ref().filter(|row| row.state != RowState::Removed) else { continue };
            rows += 1;
            if row.state != RowState::Listed || !row.quantity.is_some_and(Quantity::is_positive) {
                continue;
            }
            let (locations, _) = stand(self.policy.config(), self.opened_at, &kept.held, seats, now, Some(up_to));
            let facts = Facts {
                locations: &locations,
                price: &kept.price,
                invalidated_at: self.invalidated_at(kept, now),
                is_unreachable: kept.is_unreachable,
            };
            let listing = self.policy.listing(self.policy.place(&kept.key), &facts, now, Unkept);
            zeroed += u64::from(listing.quantity.is_some_and(|quantity| !quantity.is_positive()));
        }
        if let Some(counted) = self.scans.counted() {
            counted.rows += rows;
            counted.zeroed += zeroed;
        }
    }

    pub(super) fn judge_doubts(&mut self, up_to: Timestamp, counted: Counted, events: &mut Vec<Event>) {
        let Counted { rows, zeroed } = counted;
        if !self.lets(zeroed, rows) {
            tracing::warn!(channel = self.policy.config().name, zeroed, rows, reason = TOO_MANY_ZEROS, "held");
            self.guard.stock = Some(up_to);
            return;
        }
        self.guard.stock = None;
        let zeros = ZerosUpTo { stock: self.own.zeros.stock.max(Some(up_to)), ..self.own.zeros };
        self.own_changed(Own { zeros, ..self.own.clone() }, events);
        self.look_at_doubts();
    }

    /// Rows whose prices were declared wrong for too long: decided once all of those whose time has come are known.
    pub fn judge_blocked(&mut self, events: &mut Vec<Event>) {
        if self.blocked.is_empty() || self.blocked.len() == self.blocked_judged {
            return;
        }
        let mut blocked = std::mem::take(&mut self.blocked);
        blocked.sort_unstable();
        blocked.dedup();
        let since = |number: &u32| self.entry(*number).and_then(|entry| entry.kept.invalidated_at);
        blocked.retain(|number| since(number).is_some());
        let is_on_sale = |number: &&u32| {
            let row = self.entry(**number).and_then(|entry| entry.kept.row.as_ref());
            row.is_some_and(|row| row.state == RowState::Listed && row.quantity.is_none_or(Quantity::is_positive))
        };
        let zeroed = blocked.iter().filter(is_on_sale).count() as u64 + self.tally.invalidated;
        let rows = self.tally.listed + self.tally.zeroed;
        let up_to = blocked.iter().filter_map(since).max();
        self.guard.price = !self.lets(zeroed, rows);
        if self.guard.price {
            tracing::warn!(channel = self.policy.config().name, zeroed, rows, reason = TOO_MANY_ZEROS, "held");
            self.blocked_judged = blocked.len();
            self.blocked = blocked;
            return;
        }
        self.let_prices(up_to, blocked, events);
    }

    pub(super) fn let_prices(&mut self, up_to: Option<Timestamp>, blocked: Vec<u32>, events: &mut Vec<Event>) {
        self.guard.price = false;
        self.blocked_judged = 0;
        let zeros = ZerosUpTo { price: self.own.zeros.price.max(up_to), ..self.own.zeros };
        self.own_changed(Own { zeros, ..self.own.clone() }, events);
        blocked.into_iter().for_each(|number| self.look_again(number));
    }
}
