//! Prices of a day that is over, where today's book has none.

use super::{EARLIER_DAYS_MAX, Earlier, Found, Page, Place, Reader};
use crate::cache::key::BookScope;
use crate::domain::Purpose;
use crate::mutants::mutant;
use crate::offer::explain;
use crate::offer::explain::Reasons;
use crate::offer::freshness::{Decision, Held, Limits, WhyGone};
use crate::offer::query::LineQuery;

impl<R: Reasons> Reader<'_, R> {
    /// The price of a day that is over, for a caller who asked for today's without naming the day.
    pub(super) fn earlier_price(&mut self, line: &LineQuery, limits: &Limits) -> Option<Found> {
        let Page { query, knowledge, moment, .. } = self.page;
        if !knowledge.capabilities.dated
            || query.price_date.is_some()
            || (query.purpose == Purpose::Checkout && !mutant!(CheckoutCrossesDay))
        {
            return None;
        }
        let earlier = match self.earlier.take() {
            Some(earlier) => earlier,
            None => self.earlier_days(limits),
        };
        let found = earlier.iter().find_map(|day| {
            let own = day.own.as_ref().and_then(|book| self.probe(book, line));
            let (row, observed) = match own {
                Some(row) => (row.clone(), row.observed()),
                None => {
                    let row = day.shared.as_ref().and_then(|book| self.probe(book, line))?;
                    let observed = self.with_facts(row.observed());
                    (row, observed)
                }
            };
            let held = Held { observed, stamp: row.stamp(), ends: row.shape().ends };
            let needed = self.needed_for(&row, line);
            let decision = limits.decide_day_over(&held, day.end, needed, &moment);
            self.reasons.keep(|steps| {
                let (place, arrival) = (Place::EarlierDay, moment.arrival);
                let told = explain::Row { row: &row, observed, place, decision, limits, arrival, soft_time: None };
                steps.push(explain::row(&told));
                steps.push(self.stamp("price", row.stamp(), needed, self.words.of_price(&line.sku)));
            });
            Some(Found { row, observed, decision, place: Place::EarlierDay, day_end: Some(day.end) })
        });
        self.earlier = Some(earlier);
        // A row that may not be served says nothing about why today's is missing, unless it was invalidated.
        found.filter(|found| !matches!(found.decision, Decision::Fetch(WhyGone::TooOld | WhyGone::ValidityEnded)))
    }

    /// Days whose prices may still be served, as far as there are books of them.
    fn earlier_days(&self, limits: &Limits) -> Vec<Earlier> {
        let Page { knowledge, moment, currency, .. } = self.page;
        let now = moment.arrival.wall;
        let mut days = Vec::new();
        let mut date = self.page.price_date;
        for _ in 0..EARLIER_DAYS_MAX {
            let Some((day, end)) = date.yesterday().ok().and_then(|day| Some((day, knowledge.calendar.end_of(day)?)))
            else {
                break;
            };
            date = day;
            if end.until(now).saturating_sub(moment.maintenance.paused_between(end, now)) > limits.longest_stale() {
                break;
            }
            let book = |scope: BookScope<'_>| knowledge.memory.book_of(&scope.key());
            let own = book(self.asker.own_book(currency, day, true));
            let shared =
                self.shared.as_ref().and_then(|shared| book(self.asker.list_book(shared.list, currency, day, true)));
            if own.is_some() || shared.is_some() {
                days.push(Earlier { end, own, shared });
            }
        }
        days
    }
}
