//! What every ERP is asked, whatever its kind.
//!
//! There is one shape of question: a header (who, in which currency, on which day) and lines, each a SKU with its own unit
//! and quantity. An ERP that can do less (one quantity per call, one item per call) says so in its [`Capabilities`], and the
//! dispatcher groups and splits for it; a connector stays dumb. It answers with rows that carry their SKU; rows may be
//! missing, doubled, foreign or in any order, and [`super::matching`] sorts that out for all kinds alike.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::civil::Date;

use super::ErpError;
use crate::clock::{Reading, Stamp};
use crate::domain::{
    CompanyId, ContractId, Currency, CustomerFacts, CustomerId, PriceListId, PricedLine, Quantity, ShipToId, Sku,
    Stock, Unit,
};

/// Reaches one ERP. Implementations know its wire and nothing of caches, budgets or callers.
pub trait Connector: Send + Sync + 'static {
    fn capabilities(&self) -> &Capabilities;

    /// Makes one call. The dispatcher holds the permit and enforces the hard time limit by dropping the future.
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Reply, ErpError>>;
}

/// Who asks and for when: all that prices of one page have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Absent: the public.
    pub customer: Option<CustomerId>,
    /// The question is for everybody who buys from this list and names nobody: no customer, no address, no contract, and
    /// facts that are the list's. Asked only of an ERP that declares [`SharesByList::Question`].
    pub for_list: Option<PriceListId>,
    pub company: Option<CompanyId>,
    pub ship_to: Option<ShipToId>,
    pub contract: Option<ContractId>,
    pub currency: Currency,
    /// In the ERP's time zone; concrete, never "today".
    pub price_date: Date,
    /// What the ERP said about the customer, and when: part of what the prices are asked with.
    pub facts: KnownFacts,
}

impl Header {
    /// How old a price is at least that is asked with this header in a call that leaves at `start`. Where prices are asked
    /// with the customer's facts they are no newer than those; a list's facts are its name.
    pub fn no_newer_than(&self, capabilities: &Capabilities, start: Reading, stamp: Stamp) -> (Reading, Stamp) {
        if capabilities.priced_by_facts && self.for_list.is_none() {
            (start.older(self.facts.observed), stamp.min(self.facts.stamp))
        } else {
            (start, stamp)
        }
    }
}

/// A customer's facts with the moment they were read. Two of them are equal when the facts are.
#[derive(Clone, Debug)]
pub struct KnownFacts {
    pub facts: Arc<CustomerFacts>,
    pub observed: Reading,
    /// What was invalidated before they were asked for: a price asked with them is no newer.
    pub stamp: Stamp,
}

impl KnownFacts {
    /// Facts that are not asked for, and so never older than what is asked with them: configured, or a list's own name.
    pub fn given(facts: Arc<CustomerFacts>, now: Reading) -> Self {
        Self { facts, observed: now, stamp: Stamp(u64::MAX) }
    }
}

impl PartialEq for KnownFacts {
    fn eq(&self, other: &Self) -> bool {
        self.facts == other.facts
    }
}

impl Eq for KnownFacts {}

impl std::hash::Hash for KnownFacts {
    /// The customer beside it already tells headers apart.
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// One line of a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskedLine {
    pub sku: Sku,
    /// Absent: the unit the ERP sells the SKU in, or that the unit does not matter to this ERP.
    pub unit: Option<Unit>,
    /// In `unit`. Absent when the ERP gives breaks, so that the quantity does not matter.
    pub quantity: Option<Quantity>,
}

/// One ERP call.
#[derive(Clone, Debug)]
pub enum Call {
    /// Facts of customers; `None` is the public.
    Customers(Vec<Option<CustomerId>>),
    /// Prices of lines.
    Prices(Arc<Header>, Vec<AskedLine>),
    /// Stock of SKUs at every location. The header is the first asker's, for ERPs that want one.
    Stock(Arc<Header>, Vec<Sku>),
    /// Prices of lines and the stock of their SKUs, in one.
    Offers(Arc<Header>, Vec<AskedLine>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Customers,
    Prices,
    Stock,
    Offers,
}

impl Operation {
    /// The stable word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Customers => "customers",
            Operation::Prices => "prices",
            Operation::Stock => "stock",
            Operation::Offers => "offers",
        }
    }
}

impl Call {
    pub fn operation(&self) -> Operation {
        match self {
            Call::Customers(_) => Operation::Customers,
            Call::Prices(..) => Operation::Prices,
            Call::Stock(..) => Operation::Stock,
            Call::Offers(..) => Operation::Offers,
        }
    }

    /// How many lines (or customers) it asks for.
    pub fn lines(&self) -> usize {
        match self {
            Call::Customers(customers) => customers.len(),
            Call::Prices(_, lines) | Call::Offers(_, lines) => lines.len(),
            Call::Stock(_, skus) => skus.len(),
        }
    }
}

/// What a connector made of an answer: rows in the ERP's order.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// `None` facts: the ERP does not know the customer. A customer without a row is an error of that customer's.
    pub customers: Vec<(Option<CustomerId>, Option<CustomerFacts>)>,
    pub prices: Vec<PriceRow>,
    pub stock: Vec<StockRow>,
    /// Rows whose SKU could not even be read.
    pub unreadable: usize,
}

/// What the ERP said of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<T> {
    Told(T),
    /// It gives no figure: `no_price`, `zero_price`. An answer, not an error.
    OnRequest(&'static str),
    UnknownSku,
    /// With a stable reason, such as `not_in_assortment`.
    NotForSale(&'static str),
    /// It does not know the asked unit for this SKU.
    UnknownUnit,
    /// The row could not be believed or read; the text is for the log.
    Failed(String),
}

/// One price row of an answer.
#[derive(Clone, Debug)]
pub struct PriceRow {
    /// As the ERP wrote it, after the connector's own decoding.
    pub sku: String,
    /// The asked unit and quantity it answers, where the answer says so.
    pub unit: Option<String>,
    pub quantity: Option<Quantity>,
    pub said: Said<PricedLine>,
}

/// One stock row of an answer: all locations of one SKU.
#[derive(Clone, Debug)]
pub struct StockRow {
    pub sku: String,
    pub said: Said<Stock>,
}

/// What an ERP can do and how it wants to be asked.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// For logs and the operator: `rest`, `simulated`.
    pub kind: &'static str,
    /// Prices come with all their breaks. Without, the quantity is part of the question.
    pub breaks: bool,
    /// The asked unit changes the answer. Without, rows carry their units and the gateway converts.
    pub unit_matters: bool,
    pub company_matters: bool,
    pub ship_to_matters: bool,
    pub contract_matters: bool,
    /// Can price for another day than today.
    pub dated: bool,
    /// The currencies it can price in. Empty: not known, whatever is asked is tried.
    pub currencies: Vec<Currency>,
    /// Prices are asked with the customer's facts (their list), so that a price is never newer than the facts.
    pub priced_by_facts: bool,
    /// Customers on one price list may share its prices.
    pub shares_by_list: Option<SharesByList>,
    /// Customers' facts say which price list they buy by, so that a price list can be named in an invalidation.
    pub tells_price_lists: bool,
    /// Customers can be looked up. Without, every customer is taken to exist, with `public` facts.
    pub resolves_customers: bool,
    /// The public's facts, where they need no call.
    pub public: Option<Arc<CustomerFacts>>,
    /// One call brings prices and stock.
    pub offers: bool,
    /// Stock can be asked without prices. With neither this nor `offers`, the ERP tells no stock.
    pub stock: bool,
    /// What a line that is missing from an otherwise good answer means.
    pub absent_line: AbsentLine,
    pub customers_batch: BatchRules,
    /// For prices, and for offers.
    pub prices_batch: BatchRules,
    pub stock_batch: BatchRules,
}

impl Capabilities {
    /// An ERP that can do most of it, and for which none of the rarer fields matters: what a model of one begins with.
    pub fn plain() -> Self {
        Self {
            kind: "plain",
            breaks: true,
            unit_matters: false,
            company_matters: false,
            ship_to_matters: false,
            contract_matters: false,
            dated: true,
            currencies: Vec::new(),
            priced_by_facts: false,
            shares_by_list: None,
            tells_price_lists: true,
            resolves_customers: true,
            public: None,
            offers: false,
            stock: true,
            absent_line: AbsentLine::Failed,
            customers_batch: BatchRules::up_to(10),
            prices_batch: BatchRules::up_to(10),
            stock_batch: BatchRules::up_to(10),
        }
    }

    pub fn batch(&self, operation: Operation) -> &BatchRules {
        match operation {
            Operation::Customers => &self.customers_batch,
            Operation::Prices | Operation::Offers => &self.prices_batch,
            Operation::Stock => &self.stock_batch,
        }
    }
}

/// How it is known that a price is a whole list's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharesByList {
    /// Prices can be asked for a list, in a question that names nobody.
    Question,
    /// Prices are asked for a customer, and the answer says of which list each of them is.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsentLine {
    /// The ERP leaves out SKUs it does not know.
    UnknownSku,
    /// The ERP leaves out SKUs it has no price for.
    OnRequest,
    /// The ERP always answers every line, so the answer is damaged.
    Failed,
}

/// How many lines go into one call, and which may go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRules {
    /// Lines in one call.
    pub max_items: usize,
    /// All lines of a call must have the same quantity.
    pub one_quantity: bool,
    /// All lines of a call must have the same unit.
    pub one_unit: bool,
}

impl BatchRules {
    pub fn up_to(max_items: usize) -> Self {
        Self { max_items, one_quantity: false, one_unit: false }
    }
}
