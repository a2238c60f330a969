//! The JSON of the simulated ERP's own API. Decimals are strings; what is not known is null.

use serde::{Deserialize, Serialize};

use crate::domain::{CustomerId, Incoming, LocationLevel, PriceBreak, PricedLine, Stock, TaxBasis, ToldScope, Unit};
use crate::erp::connectors::simulated::{CustomerRow, OfferRow, Rows, Status, StockLine};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OffersRequest {
    pub customer: Option<String>,
    /// Instead of a customer: what whoever buys from this list pays.
    pub price_list: Option<String>,
    /// This ERP has one company, one way to ship and no contracts; it takes and ignores them, as ERPs do.
    #[serde(rename = "company")]
    pub _company: Option<String>,
    #[serde(rename = "shipTo")]
    pub _ship_to: Option<String>,
    #[serde(rename = "contract")]
    pub _contract: Option<String>,
    pub currency: Option<String>,
    pub price_date: Option<String>,
    pub lines: Vec<LineRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineRequest {
    pub sku: String,
    /// The answer has all units and breaks, so neither of these changes it.
    #[serde(rename = "unit")]
    pub _unit: Option<String>,
    #[serde(rename = "quantity")]
    pub _quantity: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockRequest {
    pub skus: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomersRequest {
    /// null is the public.
    pub customers: Vec<Option<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OneOfferQuery {
    pub customer: Option<String>,
    pub sku: String,
    pub currency: Option<String>,
    pub price_date: Option<String>,
}

/// The answer of any of the three endpoints.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    Offers { currency: String, lines: Vec<OfferLine> },
    Stock { lines: Vec<StockOnly> },
    Customers { customers: Vec<Customer> },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferLine {
    sku: String,
    status: &'static str,
    #[serde(flatten)]
    price: Option<Price>,
    stock: Option<StockPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Price {
    list_price: Option<String>,
    net_price: Option<String>,
    base_quantity: String,
    base_unit: Option<String>,
    sales_unit: Option<String>,
    units: Vec<OtherUnit>,
    tax_basis: Option<&'static str>,
    tax_rate: Option<String>,
    breaks: Vec<Break>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    min_order_quantity: Option<String>,
    order_multiple: Option<String>,
    backorder_allowed: Option<bool>,
    lead_time_days: Option<u16>,
    /// The list it is the price of.
    price_list: Option<String>,
    /// It is this customer's own.
    own_price: bool,
}

#[derive(Debug, Serialize)]
struct OtherUnit {
    unit: String,
    factor: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    min_quantity: String,
    net_price: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StockPart {
    tracked: bool,
    locations: Vec<Location>,
    incoming: Vec<Expected>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockOnly {
    sku: String,
    /// OK or UNKNOWN; with UNKNOWN the rest is null.
    status: &'static str,
    tracked: Option<bool>,
    base_unit: Option<String>,
    locations: Option<Vec<Location>>,
    incoming: Option<Vec<Expected>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    location: String,
    on_hand: Option<String>,
    reserved: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    location: String,
    quantity: String,
    expected_on: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    customer: Option<String>,
    found: bool,
    currency: Option<String>,
    price_list: Option<String>,
    own_prices: bool,
    blocked: bool,
}

impl From<Rows> for Reply {
    fn from(rows: Rows) -> Self {
        match rows {
            Rows::Offers { currency, rows } => {
                Reply::Offers { currency: currency.to_string(), lines: rows.into_iter().map(OfferLine::from).collect() }
            }
            Rows::Stock(rows) => Reply::Stock { lines: rows.into_iter().map(StockOnly::from).collect() },
            Rows::Customers(rows) => Reply::Customers { customers: rows.into_iter().map(Customer::from).collect() },
        }
    }
}

impl From<OfferRow> for OfferLine {
    fn from(row: OfferRow) -> Self {
        let price = row.line.as_ref().map(|line| Price::new(line, row.price_is_null));
        let stock = row.stock.map(|stock| {
            let (tracked, _, locations, incoming) = stock_parts(stock);
            StockPart { tracked, locations, incoming }
        });
        Self { sku: row.sku, status: status(row.status), price, stock }
    }
}

impl Price {
    fn new(line: &PricedLine, is_null: bool) -> Self {
        Self {
            list_price: line.list_price.as_ref().map(text),
            net_price: (!is_null).then(|| text(&line.net_price)),
            base_quantity: text(&line.base_quantity),
            base_unit: line.base_unit.as_ref().map(text),
            sales_unit: line.sales_unit.as_ref().map(text),
            units: line
                .units
                .iter()
                .map(|(unit, factor)| OtherUnit { unit: text(unit), factor: text(factor) })
                .collect(),
            tax_basis: line.tax_basis.map(|basis| match basis {
                TaxBasis::Net => "NET",
                TaxBasis::Gross => "GROSS",
            }),
            tax_rate: line.tax_rate.as_ref().map(text),
            // A price that is missing is missing throughout.
            breaks: line.breaks.iter().filter(|_| !is_null).map(Break::from).collect(),
            valid_from: line.valid_from.as_ref().map(text),
            valid_until: line.valid_until.as_ref().map(text),
            min_order_quantity: line.terms.min_order_quantity.as_ref().map(text),
            order_multiple: line.terms.order_multiple.as_ref().map(text),
            backorder_allowed: line.terms.backorder_allowed,
            lead_time_days: line.terms.lead_time_days,
            price_list: match &line.scope {
                Some(ToldScope::PriceList(list)) => Some(text(list)),
                Some(ToldScope::Own) | None => None,
            },
            own_price: line.scope == Some(ToldScope::Own),
        }
    }
}

impl From<&PriceBreak> for Break {
    fn from(step: &PriceBreak) -> Self {
        Self { min_quantity: text(&step.min_quantity), net_price: text(&step.net_price) }
    }
}

impl From<StockLine> for StockOnly {
    fn from(row: StockLine) -> Self {
        let known = row.stock.is_some();
        let mut line = Self {
            sku: row.sku,
            status: status(if known { Status::Ok } else { Status::Unknown }),
            tracked: None,
            base_unit: None,
            locations: None,
            incoming: None,
        };
        if let Some(stock) = row.stock {
            let (tracked, base_unit, locations, incoming) = stock_parts(stock);
            line.tracked = Some(tracked);
            line.base_unit = base_unit.as_ref().map(text);
            line.locations = Some(locations);
            line.incoming = Some(incoming);
        }
        line
    }
}

impl From<CustomerRow> for Customer {
    fn from(row: CustomerRow) -> Self {
        let facts = row.facts.as_ref();
        Self {
            customer: row.customer.as_ref().map(|customer: &CustomerId| text(customer)),
            found: facts.is_some(),
            currency: facts.and_then(|facts| facts.currency.as_ref()).map(text),
            price_list: facts.and_then(|facts| facts.price_list.as_ref()).map(text),
            own_prices: facts.is_some_and(|facts| facts.own_prices),
            blocked: facts.is_some_and(|facts| facts.blocked),
        }
    }
}

impl From<&LocationLevel> for Location {
    fn from(level: &LocationLevel) -> Self {
        Self {
            location: text(&level.location),
            on_hand: level.on_hand.as_ref().map(text),
            reserved: level.reserved.as_ref().map(text),
        }
    }
}

impl From<&Incoming> for Expected {
    fn from(incoming: &Incoming) -> Self {
        Self {
            location: text(&incoming.location),
            quantity: text(&incoming.quantity),
            expected_on: incoming.expected_on.as_ref().map(text),
        }
    }
}

pub fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "OK",
        Status::Unknown => "UNKNOWN",
        Status::NotForSale => "NOT_FOR_SALE",
        Status::OnRequest => "ON_REQUEST",
    }
}

fn stock_parts(stock: Stock) -> (bool, Option<Unit>, Vec<Location>, Vec<Expected>) {
    match stock {
        Stock::Untracked => (false, None, Vec::new(), Vec::new()),
        Stock::Levels { base_unit, locations, incoming } => (
            true,
            base_unit,
            locations.iter().map(Location::from).collect(),
            incoming.iter().map(Expected::from).collect(),
        ),
    }
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}
