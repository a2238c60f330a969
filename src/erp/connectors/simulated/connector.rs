//! The simulator as a kind of ERP, in this process: no wire, the same rows.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::catalogue::{CURRENCIES, Catalogue};
use super::question::{Answer, OfferRow, Question, Refusal, Rows, Status};
use super::simulator::Simulator;
use crate::domain::{PriceBreak, PricedLine, Quantity, Stock};
use crate::erp::connector::Header;
use crate::erp::{
    AskedLine, BatchRules, Call, Capabilities, Connector, ErpError, Operation, PriceRow, Reply, Said, SharesByList,
    StockRow,
};

/// How the simulated ERP presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedOptions {
    /// Lines in one call. Default 100.
    pub max_items: usize,
    /// Tells prices with their breaks. Default true; without, it prices the asked quantity only.
    pub breaks: bool,
    /// One call brings prices and stock. Default true.
    pub offers: bool,
    /// Whether customers on one list share its prices, and how that is known. Default: they do not.
    pub shares_by_list: Option<SharesByList>,
    /// Prices are asked with the customer's facts, as where the question names a price list. Default false.
    pub priced_by_facts: bool,
    /// Prices for the day that is asked. Default true; without, it prices for now.
    pub dated: bool,
}

impl Default for SimulatedOptions {
    fn default() -> Self {
        Self { max_items: 100, breaks: true, offers: true, shares_by_list: None, priced_by_facts: false, dated: true }
    }
}

pub struct SimulatedConnector {
    simulator: Arc<Simulator>,
    capabilities: Capabilities,
}

impl SimulatedConnector {
    pub fn new(simulator: Arc<Simulator>) -> Self {
        Self::with(simulator, SimulatedOptions::default())
    }

    pub fn with(simulator: Arc<Simulator>, options: SimulatedOptions) -> Self {
        let batch = BatchRules::up_to(options.max_items);
        let capabilities = Capabilities {
            kind: "simulated",
            breaks: options.breaks,
            dated: options.dated,
            currencies: CURRENCIES.iter().filter_map(|code| code.parse().ok()).collect(),
            priced_by_facts: options.priced_by_facts,
            shares_by_list: options.shares_by_list,
            public: Some(Arc::new(Catalogue::public())),
            offers: options.offers,
            customers_batch: batch,
            prices_batch: batch,
            stock_batch: batch,
            ..Capabilities::plain()
        };
        Self { simulator, capabilities }
    }

    pub fn simulator(&self) -> &Arc<Simulator> {
        &self.simulator
    }

    async fn ask(&self, call: &Call) -> Result<Reply, ErpError> {
        let answer = self.simulator.ask(question(call)).await?;
        if let Some(garbage) = answer.unreadable {
            return Err(ErpError::Garbled(format!("the answer is {}", garbage.as_str())));
        }
        Ok(self.reply(call, answer))
    }

    fn reply(&self, call: &Call, answer: Answer) -> Reply {
        let mut reply = Reply::default();
        match answer.rows {
            Rows::Offers { rows, .. } => {
                for row in rows {
                    self.offer(call, row, &mut reply);
                }
            }
            Rows::Stock(rows) => {
                reply.stock.extend(rows.into_iter().map(|row| stock_row(row.sku, row.stock)));
            }
            Rows::Customers(rows) => {
                reply.customers.extend(rows.into_iter().map(|row| (row.customer, row.facts)));
            }
        }
        reply
    }

    fn offer(&self, call: &Call, row: OfferRow, reply: &mut Reply) {
        let OfferRow { sku, status, line, price_is_null, stock } = row;
        let said = match (status, line) {
            (Status::Unknown, _) => Said::UnknownSku,
            (Status::NotForSale, _) => Said::NotForSale("not_in_assortment"),
            (Status::OnRequest, _) | (Status::Ok, None) => Said::OnRequest("no_price"),
            (Status::Ok, Some(_)) if price_is_null => Said::OnRequest("no_price"),
            (Status::Ok, Some(line)) => Said::Told(line),
        };
        if let Call::Offers(..) = call {
            reply.stock.push(stock_row(sku.clone(), stock));
        }
        if self.capabilities.breaks {
            reply.prices.push(PriceRow { sku, unit: None, quantity: None, said });
            return;
        }
        // One row for each quantity the SKU was asked in, each saying which it answers.
        let (Call::Prices(_, lines) | Call::Offers(_, lines)) = call else { return };
        let mut quantities: Vec<_> =
            lines.iter().filter(|line| line.sku.as_str() == sku).map(|line| line.quantity).collect();
        quantities.sort_unstable();
        quantities.dedup();
        if quantities.is_empty() {
            quantities.push(None);
        }
        for quantity in quantities {
            let said = match said.clone() {
                Said::Told(line) => Said::Told(at_quantity(line, quantity.unwrap_or(Quantity::ONE))),
                other => other,
            };
            reply.prices.push(PriceRow { sku: sku.clone(), unit: None, quantity, said });
        }
    }
}

impl Connector for SimulatedConnector {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Reply, ErpError>> {
        self.ask(call).boxed()
    }
}

impl From<Refusal> for ErpError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Down => ErpError::Unreachable(refusal.to_string()),
            Refusal::Busy(why) => ErpError::Busy(why.into()),
            Refusal::Failed(why) | Refusal::Invalid(why) => ErpError::Refused(why),
        }
    }
}

/// The break whose price a quantity of base units has, if any.
pub fn break_at(line: &PricedLine, quantity: Quantity) -> Option<&PriceBreak> {
    line.breaks.iter().rev().find(|step| step.min_quantity <= quantity)
}

fn at_quantity(mut line: PricedLine, quantity: Quantity) -> PricedLine {
    if let Some(step) = break_at(&line, quantity) {
        line.net_price = step.net_price;
    }
    line.breaks.clear();
    line
}

fn question(call: &Call) -> Question {
    let offers = |operation, header: &Header, lines: &[AskedLine]| Question::Offers {
        operation,
        customer: header.customer.clone(),
        price_list: header.for_list.clone(),
        currency: header.currency,
        price_date: header.price_date,
        skus: lines.iter().map(|line| line.sku.clone()).collect(),
    };
    match call {
        Call::Customers(customers) => Question::Customers(customers.clone()),
        Call::Stock(_, skus) => Question::Stock(skus.clone()),
        Call::Prices(header, lines) => offers(Operation::Prices, header, lines),
        Call::Offers(header, lines) => offers(Operation::Offers, header, lines),
    }
}

fn stock_row(sku: String, stock: Option<Stock>) -> StockRow {
    StockRow { sku, said: stock.map_or(Said::UnknownSku, Said::Told) }
}
