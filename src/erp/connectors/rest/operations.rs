//! The operations of a preset, compiled, and what a connector can do by them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::{
    AbsentLineConfig, AbsentRequestConfig, BatchConfig, CustomersConfig, Matter, OffersConfig, PricesConfig,
    PublicConfig, RequestConfig, RestConfig, RestConfigError, SharesByListConfig, StockConfig, ZeroPrice,
};
use super::customer_row::CustomerFields;
use super::field::Field;
use super::price_row::{Outcome, PriceFields};
use super::request::Request;
use super::selector::Selector;
use super::stock_row::StockFields;
use super::template::Templates;
use super::wire::Wire;
use crate::domain::{Currency, CustomerFacts, PriceListId};
use crate::erp::connector::{AbsentLine, BatchRules, Capabilities, SharesByList};

/// A request, where its rows are, and every lookup that asking and reading needs.
#[derive(Debug)]
pub struct Question {
    pub request: Request,
    pub rows: Selector,
    pub needs: BTreeSet<String>,
}

impl Question {
    fn new<'a>(
        key: &str,
        request: Request,
        rows: &str,
        read: impl Iterator<Item = &'a String>,
    ) -> Result<Self, RestConfigError> {
        let needs = request.lookups.iter().cloned().chain(read.cloned()).collect();
        Ok(Self { request, rows: Selector::compile(&format!("{key}.rows"), rows)?, needs })
    }
}

#[derive(Debug)]
pub struct Customers {
    pub question: Question,
    pub fields: CustomerFields,
    pub absent_is_unknown: bool,
}

#[derive(Debug)]
pub enum Public {
    Facts(Arc<CustomerFacts>),
    Customers,
    Question(Box<Question>, Box<CustomerFields>),
}

#[derive(Debug)]
pub struct Prices {
    pub question: Question,
    /// Asks for everybody on a list; answered by the same rows.
    pub list_question: Option<Question>,
    pub fields: PriceFields,
    /// Where one call brings both.
    pub stock: Option<StockFields>,
    pub batch: BatchConfig,
    pub absent: Option<Absent>,
}

/// Why is this line missing?
#[derive(Debug)]
pub struct Absent {
    pub question: Question,
    pub sku: Field,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub struct StockOperation {
    pub question: Question,
    pub fields: StockFields,
    pub locations: Locations,
}

#[derive(Debug)]
pub enum Locations {
    InTheAnswer,
    OneByOne(Vec<String>),
    /// Every key of this lookup.
    EachOf(String),
}

/// Everything a preset can ask.
#[derive(Debug)]
pub struct Operations {
    pub customers: Option<Customers>,
    pub public: Public,
    pub prices: Option<Prices>,
    pub offers: Option<Prices>,
    pub stock: Option<StockOperation>,
}

impl Operations {
    pub fn compile(config: &RestConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let zero = config.capabilities.zero_price;
        let operations = Self {
            customers: config.customers.as_ref().map(|one| Customers::compile(one, templates)).transpose()?,
            public: Public::compile(config.public.as_ref(), config.customers.is_some(), templates)?,
            prices: config.prices.as_ref().map(|one| Prices::compile(one, zero, templates)).transpose()?,
            offers: config.offers.as_ref().map(|one| Prices::compile_offers(one, zero, templates)).transpose()?,
            stock: config.stock.as_ref().map(|one| StockOperation::compile(one, templates)).transpose()?,
        };
        if operations.prices.is_none() && operations.offers.is_none() {
            return Err(RestConfigError::new("prices", "neither prices nor offers can be asked"));
        }
        operations.check_sharing(config)?;
        Ok(operations)
    }

    /// What sharing by list rests on is there: a list for each customer, who has prices of their own, and a question that
    /// names nobody or an answer that names the list.
    fn check_sharing(&self, config: &RestConfig) -> Result<(), RestConfigError> {
        let shares = config.capabilities.shares_by_list;
        let rows = config.prices.iter().map(|one| ("prices", &one.row));
        let rows = rows.chain(config.offers.iter().map(|one| ("offers", &one.row)));
        for ((key, row), prices) in rows.zip(self.prices.iter().chain(&self.offers)) {
            match (shares, &prices.list_question) {
                (Some(SharesByListConfig::Question), Some(question)) => {
                    question.request.names_nobody()?;
                    prices.absent.iter().try_for_each(|absent| absent.question.request.names_nobody())?;
                }
                (Some(SharesByListConfig::Question), None) => {
                    return Err(RestConfigError::new(
                        format!("{key}.list_request"),
                        "is needed to ask for a list without naming a customer",
                    ));
                }
                (_, Some(_)) => {
                    let why = "is asked only where capabilities.shares_by_list is \"question\"";
                    return Err(RestConfigError::new(format!("{key}.list_request"), why));
                }
                (Some(SharesByListConfig::Answer), None) if row.price_list.is_none() => {
                    let why = "is needed to know of which list a price is";
                    return Err(RestConfigError::new(format!("{key}.row.price_list"), why));
                }
                (_, None) => {}
            }
        }
        if shares.is_none() {
            return Ok(());
        }
        let wrong = |key: &str, why: &str| Err(RestConfigError::new(key, why));
        match &config.customers {
            None => wrong("customers", "are needed to know each customer's list"),
            Some(customers) if customers.row.price_list.is_none() => {
                wrong("customers.row.price_list", "is needed to share prices by list")
            }
            Some(customers) if customers.row.own_prices.is_none() => wrong(
                "customers.row.own_prices",
                "is needed to share prices by list: a customer with prices of their own would be given the list's",
            ),
            Some(_) => Ok(()),
        }
    }

    /// Every lookup that is used exists.
    pub fn check(&self, wire: &Wire) -> Result<(), RestConfigError> {
        let mut questions = Vec::new();
        questions.extend(self.customers.iter().map(|one| &one.question));
        if let Public::Question(question, _) = &self.public {
            questions.push(question);
        }
        for prices in self.prices.iter().chain(&self.offers) {
            questions.push(&prices.question);
            questions.extend(&prices.list_question);
            questions.extend(prices.absent.iter().map(|absent| &absent.question));
        }
        questions.extend(self.stock.iter().map(|one| &one.question));
        for question in questions {
            wire.check_needs(&question.request.key, question.needs.iter(), &mut Vec::new())?;
        }
        Ok(())
    }

    pub fn capabilities(&self, config: &RestConfig) -> Result<Capabilities, RestConfigError> {
        let can = &config.capabilities;
        let matters = |what| can.matters.contains(&what);
        let batch = |key: &str, batch: &BatchConfig| {
            if batch.max_items == 0 {
                return Err(RestConfigError::new(format!("{key}.max_items"), "is at least one"));
            }
            Ok(BatchRules { max_items: batch.max_items, one_quantity: batch.one_quantity, one_unit: batch.one_unit })
        };
        let mut prices_batch: Option<BatchRules> = None;
        for (key, operation) in [("prices.batch", &self.prices), ("offers.batch", &self.offers)] {
            let Some(operation) = operation else { continue };
            let rules = batch(key, &operation.batch)?;
            // The dispatcher knows one set of rules for both: the stricter of each.
            prices_batch = Some(prices_batch.map_or(rules, |other| BatchRules {
                max_items: rules.max_items.min(other.max_items),
                one_quantity: rules.one_quantity || other.one_quantity,
                one_unit: rules.one_unit || other.one_unit,
            }));
        }
        let customers_max = config.customers.as_ref().map_or(1, |customers| customers.max_items);
        Ok(Capabilities {
            kind: "rest",
            breaks: can.breaks,
            unit_matters: matters(Matter::Unit),
            company_matters: matters(Matter::Company),
            ship_to_matters: matters(Matter::ShipTo),
            contract_matters: matters(Matter::Contract),
            dated: can.dated,
            currencies: can.currencies()?,
            priced_by_facts: can.by_facts,
            shares_by_list: can.shares_by_list.map(|how| match how {
                SharesByListConfig::Question => SharesByList::Question,
                SharesByListConfig::Answer => SharesByList::Answer,
            }),
            tells_price_lists: self.customers.as_ref().is_some_and(|one| one.fields.tells_price_lists())
                || self.public.tells_price_lists(),
            resolves_customers: self.customers.is_some(),
            public: match &self.public {
                Public::Facts(facts) => Some(facts.clone()),
                Public::Customers | Public::Question(..) => None,
            },
            offers: self.offers.is_some(),
            stock: self.stock.is_some(),
            absent_line: match can.absent_line {
                AbsentLineConfig::UnknownSku => AbsentLine::UnknownSku,
                AbsentLineConfig::OnRequest => AbsentLine::OnRequest,
                AbsentLineConfig::Failed => AbsentLine::Failed,
            },
            customers_batch: batch("customers", &BatchConfig { max_items: customers_max, ..BatchConfig::default() })?,
            prices_batch: prices_batch.unwrap_or(BatchRules::up_to(1)),
            stock_batch: match &config.stock {
                Some(stock) => batch("stock.batch", &stock.batch)?,
                None => BatchRules::up_to(1),
            },
        })
    }
}

impl Customers {
    fn compile(config: &CustomersConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let fields = CustomerFields::compile("customers.row", &config.row, templates)?;
        if !fields.names_customers() {
            return Err(RestConfigError::new("customers.row.customer", "is needed to tell the rows apart"));
        }
        let request = Request::compile("customers.request", &config.request, templates)?;
        let question = Question::new("customers", request, &config.rows, fields.lookups())?;
        Ok(Self { question, fields, absent_is_unknown: config.absent_is_unknown })
    }
}

impl Public {
    fn tells_price_lists(&self) -> bool {
        match self {
            Public::Facts(facts) => facts.price_list.is_some(),
            Public::Customers => false,
            Public::Question(_, fields) => fields.tells_price_lists(),
        }
    }

    fn compile(
        config: Option<&PublicConfig>,
        customers: bool,
        templates: &mut Templates,
    ) -> Result<Self, RestConfigError> {
        match config {
            None => Ok(Public::Facts(Arc::default())),
            Some(PublicConfig::Facts { currency, price_list, attributes }) => {
                let currency = currency.as_deref().map(str::parse::<Currency>).transpose();
                let price_list = price_list.as_deref().map(PriceListId::new).transpose();
                Ok(Public::Facts(Arc::new(CustomerFacts {
                    currency: currency.map_err(|why| RestConfigError::new("public.currency", why))?,
                    price_list: price_list.map_err(|why| RestConfigError::new("public.price_list", why))?,
                    own_prices: false,
                    blocked: false,
                    attributes: attributes.clone(),
                })))
            }
            Some(PublicConfig::Customers) if customers => Ok(Public::Customers),
            Some(PublicConfig::Customers) => Err(RestConfigError::new("public.from", "there is no customers' request")),
            Some(PublicConfig::Request { request, rows, row }) => {
                let fields = CustomerFields::compile("public.row", row, templates)?;
                let request = Request::compile("public.request", request, templates)?;
                let question = Question::new("public", request, rows, fields.lookups())?;
                Ok(Public::Question(Box::new(question), Box::new(fields)))
            }
        }
    }
}

impl Prices {
    fn compile(config: &PricesConfig, zero: ZeroPrice, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let fields = PriceFields::compile("prices.row", &config.row, zero, templates)?;
        let question = |request| Question::new("prices", request, &config.rows, fields.lookups());
        let list = compile_optional("prices.list_request", config.list_request.as_ref(), templates)?;
        Ok(Self {
            question: question(Request::compile("prices.request", &config.request, templates)?)?,
            list_question: list.map(question).transpose()?,
            fields,
            stock: None,
            batch: config.batch.clone(),
            absent: config.absent.as_ref().map(|one| Absent::compile(one, templates)).transpose()?,
        })
    }

    fn compile_offers(
        config: &OffersConfig,
        zero: ZeroPrice,
        templates: &mut Templates,
    ) -> Result<Self, RestConfigError> {
        let fields = PriceFields::compile("offers.row", &config.row, zero, templates)?;
        let stock = StockFields::inherit(&config.stock, &config.row.outcome);
        let stock = StockFields::compile("offers.stock", &stock, templates)?;
        if !stock.names_locations() {
            return Err(RestConfigError::new("offers.stock.locations.location", "is needed to tell locations apart"));
        }
        let question =
            |request| Question::new("offers", request, &config.rows, fields.lookups().chain(stock.lookups()));
        let list = compile_optional("offers.list_request", config.list_request.as_ref(), templates)?;
        Ok(Self {
            question: question(Request::compile("offers.request", &config.request, templates)?)?,
            list_question: list.map(question).transpose()?,
            fields,
            stock: Some(stock),
            batch: config.batch.clone(),
            absent: None,
        })
    }
}

fn compile_optional(
    key: &str,
    config: Option<&RequestConfig>,
    templates: &mut Templates,
) -> Result<Option<Request>, RestConfigError> {
    config.map(|config| Request::compile(key, config, templates)).transpose()
}

impl Absent {
    fn compile(config: &AbsentRequestConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let sku = Field::compile("prices.absent.sku", &config.sku, templates)?;
        let request = Request::compile("prices.absent.request", &config.request, templates)?;
        Ok(Self {
            question: Question::new("prices.absent", request, &config.rows, sku.lookups())?,
            sku,
            outcome: Outcome::compile("prices.absent.outcome", &config.outcome)?,
        })
    }
}

impl StockOperation {
    fn compile(config: &StockConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let fields = StockFields::compile("stock.row", &config.row, templates)?;
        let request = Request::compile("stock.request", &config.request, templates)?;
        let mut question = Question::new("stock", request, &config.rows, fields.lookups())?;
        let wrong = |why: &str| Err(RestConfigError::new("stock.per_location", why));
        let locations = match &config.per_location {
            None if !fields.names_locations() => return wrong("is needed, for rows do not say their location"),
            None => Locations::InTheAnswer,
            Some(each) => match (&each.locations, &each.lookup) {
                (Some(locations), None) if !locations.is_empty() => Locations::OneByOne(locations.clone()),
                (None, Some(lookup)) => {
                    question.needs.insert(lookup.clone());
                    Locations::EachOf(lookup.clone())
                }
                _ => return wrong("says either `locations` or `lookup`"),
            },
        };
        Ok(Self { question, fields, locations })
    }
}
