//! What memory holds of a line's stock, and what is asked.

use super::{Reader, known_sku, price_ask};
use crate::cache::StockRow;
use crate::cache::epochs::{Needed, words_of_stock};
use crate::erp::dispatch::{Ask, Need, StockAsk};
use crate::offer::answer::Source;
use crate::offer::explain;
use crate::offer::explain::Reasons;
use crate::offer::freshness::{Decision, Held, spread};
use crate::offer::landing::no_key;
use crate::offer::lookup::{Fact, Fallback, Kind, Lookup, PENDING};
use crate::offer::query::LineQuery;

impl<R: Reasons> Reader<'_, R> {
    pub(super) fn stock(&mut self, index: usize, line: &LineQuery, lookup: &mut Lookup) -> Fact<StockRow> {
        let capabilities = &self.page.knowledge.capabilities;
        let can_ask = capabilities.stock || capabilities.offers;
        if let Some(ledger) = lookup.ledger(index) {
            let enough = ledger.is_enough(&self.page.query.locations);
            self.reasons.keep(|steps| steps.push(explain::ledger(&ledger, enough, can_ask)));
            if enough || !can_ask {
                return Fact::NotAsked;
            }
        }
        if !can_ask {
            return Fact::Failed("stock_not_told");
        }
        let doubted_from = lookup.ledger(index).and_then(|ledger| ledger.doubted_from(&self.page.query.locations));
        let arrival = self.page.query.arrival;
        let limits = lookup.stocks;
        let epochs = &self.page.knowledge.epochs;
        let mut fallback = None;
        let mut gone = None;
        let mut need = Need::Awaited;
        let mut fact = None;
        let held = self.page.knowledge.memory.stock.get(line.sku.as_bytes());
        if let Some(row) = held.filter(|row| doubted_from.is_none_or(|from| row.observed().wall > from)) {
            let needed =
                if row.stamp() >= self.newest { Needed::default() } else { epochs.needed_for_stock(&line.sku) };
            let observed = row.observed();
            let source = if row.is_saved() { Source::Shared } else { Source::Memory };
            let held = Held { observed, stamp: row.stamp(), ends: None };
            let key = || spread(b"", line.sku.as_bytes());
            let decision = limits.decide(&held, needed, &self.page.moment, key);
            self.reasons.keep(|steps| {
                steps.push(explain::stock_row(Some((&row, decision)), &limits, limits.soft_time(key()), arrival));
                steps.push(self.stamp("stock", row.stamp(), needed, words_of_stock(&line.sku)));
            });
            let stale = match decision {
                Decision::Fresh => return Fact::Held { row, observed, source, stale: None },
                Decision::FreshRide => Some((Need::Rider, None)),
                Decision::FreshRefresh => Some((Need::Refresh, None)),
                Decision::ServeAndRefresh => Some((Need::Refresh, Some(PENDING))),
                Decision::FetchOrServe => {
                    fallback = Some(Fallback { row: row.clone(), observed, source, day_over: false });
                    None
                }
                Decision::Fetch(why) => {
                    gone = Some(why);
                    None
                }
            };
            if let Some((told, stale)) = stale {
                need = told;
                fact = Some(Fact::Held { row, observed, source, stale });
            }
        } else {
            self.reasons.keep(|steps| steps.push(explain::stock_row(None, &limits, None, arrival)));
        }
        let needed = epochs.needed_for_stock(&line.sku);
        if fact.is_none() {
            no_key::stock(&mut self.no_key, &line.sku);
            if let Some(no) = self.remembered_no("stock", needed, limits, true) {
                return Fact::No(no, Source::Memory);
            }
        }
        let demand = limits.demand(arrival.mono, needed);
        if !self.page.knowledge.capabilities.stock {
            // This ERP tells stock only together with prices.
            let ask = price_ask(line, self.header_by_name(), &self.page.knowledge.capabilities);
            let without_waiting = if need == Need::Rider { Need::Rider } else { Need::Refresh };
            lookup.want(ask, demand, without_waiting, (index, Kind::Price), false);
        }
        let ask = Ask::Stock(StockAsk { sku: known_sku(line), header: self.header_by_name() });
        let with_price = lookup.asks_price_of(index);
        lookup.want(ask, demand, need, (index, Kind::Stock), with_price);
        fact.unwrap_or(Fact::Waiting { fallback, gone })
    }
}
