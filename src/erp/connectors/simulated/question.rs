//! What the simulator is asked and answers, before any wire: shared by the connector in process and the HTTP face.

use jiff::civil::Date;

use super::faults::Garbage;
use crate::domain::{Currency, CustomerFacts, CustomerId, PriceListId, PricedLine, Sku, Stock};
use crate::erp::Operation;

/// One call.
#[derive(Clone, Debug)]
pub enum Question {
    /// Prices, with the stock of the SKUs. `operation` is what the caller calls it: offers, or prices.
    Offers {
        operation: Operation,
        /// Absent: the public, or whoever buys from `price_list`.
        customer: Option<CustomerId>,
        /// Asked for a list instead of for somebody.
        price_list: Option<PriceListId>,
        currency: Currency,
        price_date: Date,
        skus: Vec<Sku>,
    },
    Stock(Vec<Sku>),
    /// `None` is the public.
    Customers(Vec<Option<CustomerId>>),
}

impl Question {
    pub fn operation(&self) -> Operation {
        match self {
            Question::Offers { operation, .. } => *operation,
            Question::Stock(_) => Operation::Stock,
            Question::Customers(_) => Operation::Customers,
        }
    }

    pub fn skus(&self) -> &[Sku] {
        match self {
            Question::Offers { skus, .. } | Question::Stock(skus) => skus,
            Question::Customers(_) => &[],
        }
    }
}

/// What came of a call that was served.
#[derive(Clone, Debug)]
pub struct Answer {
    pub rows: Rows,
    /// Set where the bytes themselves are to be spoilt, which only a face with a wire can do. Other garbage is already
    /// in the rows.
    pub unreadable: Option<Garbage>,
}

#[derive(Clone, Debug)]
pub enum Rows {
    Offers { currency: Currency, rows: Vec<OfferRow> },
    Stock(Vec<StockLine>),
    Customers(Vec<CustomerRow>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Unknown,
    NotForSale,
    OnRequest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// As written in the answer, which under faults is not what was asked.
    pub sku: String,
    pub status: Status,
    /// Present exactly if the status is OK.
    pub line: Option<PricedLine>,
    /// The net price is to be left null although the status is OK.
    pub price_is_null: bool,
    /// Absent for an unknown SKU.
    pub stock: Option<Stock>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLine {
    pub sku: String,
    /// Absent: the SKU is unknown.
    pub stock: Option<Stock>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerRow {
    /// `None` is the public.
    pub customer: Option<CustomerId>,
    /// Absent: the customer is unknown.
    pub facts: Option<CustomerFacts>,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no connection to be had, or it was cut.
    #[error("the simulated ERP is down")]
    Down,
    #[error("busy: {0}")]
    Busy(&'static str),
    /// The call was served and failed.
    #[error("{0}")]
    Failed(String),
    /// The call asks for what cannot be: an unknown customer, a currency without prices.
    #[error("{0}")]
    Invalid(String),
}
