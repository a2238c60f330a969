//! What a landed ERP call means: which rows are believed and remembered, and what each waiting page gets.
//!
//! Everything the call brought is remembered, whether or not somebody still waits for it, stamped with the moment before
//! it left; whether a row counts is decided by each reader.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::calendar::Calendar;
use super::party::{KnownParty, Parties};
use super::query::OfferQuery;
use crate::cache::key::{BookScope, write_row_key};
use crate::cache::negatives::No;
use crate::cache::stock_row::StockShapes;
use crate::cache::{BookKey, Epochs, Memory, Negative, Negatives, PriceRow, StockRow};
use crate::clock::{Reading, Stamp};
use crate::domain::{CompanyId, ContractId, Currency, CustomerFacts, CustomerId, ShipToId, Sku};
use crate::erp::connector::{
    AskedLine, Call, Capabilities, Header, PriceRow as ErpPriceRow, Reply, Said, StockRow as ErpStockRow,
};
use crate::erp::dispatch::{Ask, Landed, Landing, Refusal};
use crate::erp::matching;

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
    Failed(&'static str),
}

impl Knowledge {
    /// What the key of the book is made of that a request reads.
    pub fn scope_of<'a>(&self, query: &'a OfferQuery, currency: Currency, price_date: Date) -> BookScope<'a> {
        let OfferQuery { customer, company, ship_to, contract, .. } = query;
        self.scope(customer.as_ref(), company.as_ref(), ship_to.as_ref(), contract.as_ref(), currency, price_date)
    }

    /// The same for the book an ERP answer is filed in.
    pub fn scope_of_header<'a>(&self, header: &'a Header) -> BookScope<'a> {
        let Header { customer, company, ship_to, contract, currency, price_date, .. } = header;
        self.scope(customer.as_ref(), company.as_ref(), ship_to.as_ref(), contract.as_ref(), *currency, *price_date)
    }

    /// Fields this ERP does not care about are left out.
    fn scope<'a>(
        &self,
        customer: Option<&'a CustomerId>,
        company: Option<&'a CompanyId>,
        ship_to: Option<&'a ShipToId>,
        contract: Option<&'a ContractId>,
        currency: Currency,
        price_date: Date,
    ) -> BookScope<'a> {
        let matters = &self.capabilities;
        BookScope {
            customer: customer.map(CustomerId::as_str),
            company: company.filter(|_| matters.company_matters).map(CompanyId::as_str),
            ship_to: ship_to.filter(|_| matters.ship_to_matters).map(ShipToId::as_str),
            contract: contract.filter(|_| matters.contract_matters).map(ContractId::as_str),
            currency,
            price_date,
        }
    }
}

/// Keys of remembered "no"s. Books' keys begin with a length of at most 64, so these cannot be mistaken for them.
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
}

impl OfferLanding {
    pub fn new(knowledge: Arc<Knowledge>) -> Self {
        metrics::describe_counter!("comptoir_erp_disbelieved_lines_total", "Lines whose ERP answer was not believed");
        metrics::describe_counter!(
            "comptoir_erp_foreign_rows_total",
            "Rows of ERP answers that answered nothing asked"
        );
        Self {
            knowledge,
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
        // A price asked with the customer's facts is no newer than they are.
        let observed = if knowledge.capabilities.priced_by_facts { start.older(header.facts.observed) } else { start };
        let matched = matching::match_prices(lines, header.currency, rows, knowledge.capabilities.absent_line);
        self.foreign.increment(matched.foreign_rows as u64);
        let book_key: BookKey = knowledge.scope_of_header(header).key();
        let mut row_key = Vec::new();
        let mut key = Vec::new();
        let mut rows = Vec::with_capacity(lines.len());
        let outcomes = lines
            .iter()
            .zip(matched.lines)
            .map(|(line, said)| {
                write_row_key(&mut row_key, line.sku.as_str(), line.unit.as_ref().map(|u| u.as_str()), line.quantity);
                let no = match said {
                    Said::Told(told) => {
                        let ends = told.valid_until.and_then(|day| knowledge.calendar.end_of(day));
                        let row = PriceRow::new(&row_key, &told, ends, stamp, observed, &knowledge.memory.price_shapes);
                        rows.push(row.clone());
                        return Outcome::Price(row);
                    }
                    Said::Failed(why) => return self.disbelieve(line.sku.as_str(), &why),
                    Said::UnknownSku => No::UnknownSku,
                    Said::OnRequest(reason) => No::OnRequest(reason),
                    Said::NotForSale(reason) => No::NotForSale(reason),
                    Said::UnknownUnit => No::UnknownUnit,
                };
                no_key::price(&mut key, std::borrow::Borrow::<[u8]>::borrow(&book_key), &row_key);
                self.no(&key, no, stamp, observed)
            })
            .collect();
        knowledge.memory.insert_prices(&book_key, rows);
        outcomes
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
