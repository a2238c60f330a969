//! What a landed ERP call means: which rows are believed and remembered, and what each waiting page gets.
//!
//! Everything the call brought is remembered, whether or not somebody still waits for it, stamped with the moment before
//! it left; whether a row counts is decided by each reader.

use std::borrow::Borrow as _;
use std::collections::HashMap;
use std::sync::Arc;

use super::calendar::Calendar;
use super::party::{KnownParty, Parties};
use super::sharing::{Asker, Filed, filed};
use crate::cache::key::write_row_key;
use crate::cache::negatives::No;
use crate::cache::stock_row::StockShapes;
use crate::cache::{BookKey, Epochs, Memory, Negative, Negatives, PriceRow, StockRow};
use crate::clock::{Reading, Stamp};
use crate::domain::{CustomerFacts, CustomerId, PriceListId, Sku};
use crate::erp::connector::{
    AskedLine, Call, Capabilities, Header, PriceRow as ErpPriceRow, Reply, Said, StockRow as ErpStockRow,
};
use crate::erp::dispatch::{Ask, Landed, Landing, Refusal};
use crate::erp::matching;
use crate::mutants::mutant;

/// All that is remembered, and how it is told apart.
pub struct Knowledge {
    pub memory: Memory,
    pub negatives: Negatives,
    pub parties: Parties,
    pub epochs: Epochs,
    pub calendar: Calendar,
    pub capabilities: Capabilities,
}

/// What one ask came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    Party(Arc<KnownParty>),
    Price(PriceRow),
    Stock(StockRow),
    No(Arc<Negative>),
    /// The list's answer was somebody's own price. The line is to be asked by name.
    NotShared,
    Failed(&'static str),
}

impl Knowledge {
    /// The book an ERP answer is filed in: the list's, or that of the party who was asked for.
    fn book_of(&self, header: &Header, list: Option<&PriceListId>) -> BookKey {
        let asker = Asker::of_header(header, &self.capabilities);
        let (currency, date, dated) = (header.currency, header.price_date, self.capabilities.dated);
        match list {
            Some(list) => asker.list_book(list, currency, date, dated),
            None => asker.own_book(currency, date, dated),
        }
        .key()
    }
}

/// Keys of remembered "no"s. Books' keys begin with the small number of their scope, so these cannot be mistaken for them.
pub mod no_key {
    const STOCK: u8 = 255;
    const CUSTOMER: u8 = 254;

    pub fn price(buffer: &mut Vec<u8>, book: &[u8], row: &[u8]) {
        buffer.clear();
        buffer.extend_from_slice(book);
        buffer.extend_from_slice(row);
    }

    pub fn stock(buffer: &mut Vec<u8>, sku: &str) {
        buffer.clear();
        buffer.push(STOCK);
        buffer.extend_from_slice(sku.as_bytes());
    }

    pub fn customer(buffer: &mut Vec<u8>, customer: &str) {
        buffer.clear();
        buffer.push(CUSTOMER);
        buffer.extend_from_slice(customer.as_bytes());
    }
}

/// Lands calls into the knowledge.
pub struct OfferLanding {
    pub knowledge: Arc<Knowledge>,
    disbelieved: metrics::Counter,
    foreign: metrics::Counter,
    conflicts: metrics::Counter,
}

impl OfferLanding {
    pub fn new(knowledge: Arc<Knowledge>) -> Self {
        metrics::describe_counter!("comptoir_erp_disbelieved_lines_total", "Lines whose ERP answer was not believed");
        metrics::describe_counter!(
            "comptoir_erp_foreign_rows_total",
            "Rows of ERP answers that answered nothing asked"
        );
        metrics::describe_counter!(
            "comptoir_erp_scope_conflicts_total",
            "Lines asked for a list and answered with somebody's own price"
        );
        Self {
            knowledge,
            conflicts: metrics::counter!("comptoir_erp_scope_conflicts_total"),
            disbelieved: metrics::counter!("comptoir_erp_disbelieved_lines_total"),
            foreign: metrics::counter!("comptoir_erp_foreign_rows_total"),
        }
    }

    fn land_customers(
        &self,
        customers: &[Option<CustomerId>],
        reply: Reply,
        stamp: Stamp,
        observed: Reading,
    ) -> Vec<Outcome> {
        let mut told: HashMap<Option<CustomerId>, Option<CustomerFacts>> = reply.customers.into_iter().collect();
        customers
            .iter()
            .map(|customer| match told.remove(customer) {
                Some(Some(facts)) => {
                    let party = KnownParty { facts: Arc::new(facts), stamp, observed };
                    Outcome::Party(self.knowledge.parties.insert(customer.as_ref(), party))
                }
                Some(None) => {
                    let mut key = Vec::new();
                    no_key::customer(&mut key, customer.as_ref().map_or("", |id| id.as_str()));
                    self.no(&key, No::UnknownCustomer, stamp, observed)
                }
                None => {
                    self.disbelieve(customer.as_ref().map_or("public", |id| id.as_str()), "the answer leaves it out")
                }
            })
            .collect()
    }

    fn land_prices(
        &self,
        header: &Header,
        lines: &[AskedLine],
        rows: Vec<ErpPriceRow>,
        stamp: Stamp,
        start: Reading,
    ) -> Vec<Outcome> {
        let knowledge = &*self.knowledge;
        // A price asked with the customer's facts is no newer than they are. A list's facts are its name: the reader's own
        // count when it is read.
        let (observed, as_new) = header.no_newer_than(&knowledge.capabilities, start, stamp);
        let stamp = if mutant!(FactsHaveNoStamp) { stamp } else { as_new };
        let matched = matching::match_prices(lines, header.currency, rows, knowledge.capabilities.absent_line);
        self.foreign.increment(matched.foreign_rows as u64);
        let list = header.for_list.as_ref();
        // Whom the question was for; what a row says of a list may file that row elsewhere.
        let book_key = knowledge.book_of(header, list);
        let shared_key = match (list, &header.facts.facts.price_list) {
            (None, Some(list)) if knowledge.capabilities.shares_by_list.is_some() => {
                Some(knowledge.book_of(header, Some(list)))
            }
            _ => None,
        };
        let mut row_key = Vec::new();
        let mut key = Vec::new();
        let (mut rows, mut shared) = (Vec::with_capacity(lines.len()), Vec::new());
        let outcomes = lines
            .iter()
            .zip(matched.lines)
            .map(|(line, said)| {
                write_row_key(&mut row_key, line.sku.as_str(), line.unit.as_ref().map(|u| u.as_str()), line.quantity);
                let no = match said {
                    Said::Told(told) => match filed(header, told.scope.as_ref(), &knowledge.capabilities) {
                        Filed::Conflict => {
                            self.conflict(line, list);
                            No::NotShared
                        }
                        filed => {
                            let ends = told.valid_until.and_then(|day| knowledge.calendar.end_of(day));
                            let shapes = &knowledge.memory.price_shapes;
                            let row = PriceRow::new(&row_key, &told, ends, stamp, observed, shapes);
                            let of_list = filed == Filed::List && shared_key.is_some();
                            if of_list { &mut shared } else { &mut rows }.push(row.clone());
                            return Outcome::Price(row);
                        }
                    },
                    Said::Failed(why) => return self.disbelieve(line.sku.as_str(), &why),
                    Said::UnknownSku => No::UnknownSku,
                    Said::OnRequest(reason) => No::OnRequest(reason),
                    Said::NotForSale(reason) => No::NotForSale(reason),
                    Said::UnknownUnit => No::UnknownUnit,
                };
                no_key::price(&mut key, book_key.borrow(), &row_key);
                match no {
                    No::NotShared => {
                        self.no(&key, no, stamp, observed);
                        Outcome::NotShared
                    }
                    no => self.no(&key, no, stamp, observed),
                }
            })
            .collect();
        knowledge.memory.insert_prices(&book_key, rows);
        if let (Some(shared_key), false) = (shared_key, shared.is_empty()) {
            // What the party's own book has of these rows is not their own any more.
            knowledge.memory.replace_prices(&book_key, shared.iter().cloned());
            knowledge.memory.insert_prices(&shared_key, shared);
        }
        outcomes
    }

    /// The span around a landing names the request.
    fn conflict(&self, line: &AskedLine, list: Option<&PriceListId>) {
        self.conflicts.increment(1);
        let list = list.map_or("", PriceListId::as_str);
        tracing::warn!(sku = line.sku.as_str(), list, "asked for a list, the ERP answered with somebody's own price");
    }

    fn land_stock(
        &self,
        skus: &[Sku],
        rows: Vec<ErpStockRow>,
        stamp: Stamp,
        observed: Reading,
        known_missing: &[&str],
    ) -> Vec<Outcome> {
        let knowledge = &*self.knowledge;
        let matched = matching::match_stock(skus, rows, knowledge.capabilities.absent_line);
        self.foreign.increment(matched.foreign_rows as u64);
        let shapes: &StockShapes = &knowledge.memory.stock_shapes;
        let mut key = Vec::new();
        let mut land = |sku: &Sku, said| {
            let no = match said {
                Said::Told(stock) => match StockRow::new(sku.as_str(), &stock, stamp, observed, shapes) {
                    Some(row) => {
                        knowledge.memory.stock.insert(row.clone());
                        return Outcome::Stock(row);
                    }
                    None => return self.disbelieve(sku.as_str(), "its stock figures are too large"),
                },
                // The price part of the same answer already said there is no such article.
                Said::Failed(_) if known_missing.contains(&sku.as_str()) => No::UnknownSku,
                Said::Failed(why) => return self.disbelieve(sku.as_str(), &why),
                Said::UnknownSku => No::UnknownSku,
                Said::OnRequest(reason) => No::OnRequest(reason),
                Said::NotForSale(reason) => No::NotForSale(reason),
                Said::UnknownUnit => No::UnknownUnit,
            };
            no_key::stock(&mut key, sku.as_str());
            self.no(&key, no, stamp, observed)
        };
        skus.iter().zip(matched.lines).map(|(sku, said)| land(sku, said)).collect()
    }

    fn no(&self, key: &[u8], no: No, stamp: Stamp, observed: Reading) -> Outcome {
        let negative = Negative { no, stamp, observed };
        self.knowledge.negatives.insert(key, negative.clone());
        Outcome::No(Arc::new(negative))
    }

    fn disbelieve(&self, what: &str, why: &str) -> Outcome {
        self.disbelieved.increment(1);
        tracing::warn!(line = what, why, "part of an ERP answer is not believed");
        Outcome::Failed("erp_error")
    }
}

impl Landing for OfferLanding {
    type Outcome = Outcome;

    fn stamp(&self) -> Stamp {
        self.knowledge.epochs.stamp()
    }

    fn land(&self, landed: Landed<'_>) -> Vec<Outcome> {
        let Landed { call, asks, reply, start, stamp } = landed;
        // Ages count from before the call left: what the ERP says may be as old as that.
        let start = if mutant!(AgeFromLanding) { start.plus(std::time::Duration::from_millis(50)) } else { start };
        let stamp = if mutant!(StampAtLanding) { self.knowledge.epochs.stamp() } else { stamp };
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return vec![Outcome::Failed(error.reason()); asks.len()],
        };
        self.foreign.increment(reply.unreadable as u64);
        match call {
            Call::Customers(customers) => self.land_customers(customers, reply, stamp, start),
            Call::Prices(header, lines) => self.land_prices(header, lines, reply.prices, stamp, start),
            Call::Stock(_, skus) => self.land_stock(skus, reply.stock, stamp, start, &[]),
            Call::Offers(header, lines) => {
                let mut outcomes = self.land_prices(header, lines, reply.prices, stamp, start);
                // No stock for an article there is none of, or that is not sold, is no damage.
                let missing: Vec<&str> = lines
                    .iter()
                    .zip(&outcomes)
                    .filter(|(_, outcome)| matches!(outcome, Outcome::No(_)))
                    .map(|(line, _)| line.sku.as_str())
                    .collect();
                let skus: Vec<Sku> = asks
                    .iter()
                    .filter_map(|ask| match ask {
                        Ask::Stock(stock) => Some(stock.sku.clone()),
                        _ => None,
                    })
                    .collect();
                outcomes.extend(self.land_stock(&skus, reply.stock, stamp, start, &missing));
                outcomes
            }
        }
    }

    fn refused(&self, refusal: Refusal) -> Outcome {
        Outcome::Failed(refusal.reason())
    }
}
