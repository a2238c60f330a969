//! The connector: from a call to requests, from answers to rows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use minijinja::value::{Enumerator, Object, Value};

use super::config::{RestConfig, RestConfigError};
use super::field::Scope;
use super::operations::{Absent, Customers, Locations, Operations, Prices, Public, StockOperation};
use super::stock_row::join;
use super::template::{FromIterMap, Templates};
use super::wire::{Context, Wire, date_value, rows};
use crate::domain::{CustomerFacts, CustomerId, Sku};
use crate::erp::ErpError;
use crate::erp::connector::{AskedLine, Call, Capabilities, Connector, Header, PriceRow, Reply, StockRow};

/// An ERP described by a preset.
#[derive(Debug)]
pub struct RestConnector {
    wire: Wire,
    operations: Operations,
    capabilities: Capabilities,
}

impl Connector for RestConnector {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Reply, ErpError>> {
        async move {
            match call {
                Call::Customers(customers) => self.ask_customers(customers).await,
                Call::Prices(header, lines) => match (&self.operations.prices, &self.operations.offers) {
                    (Some(prices), _) => self.ask_prices(prices, header, lines).await,
                    (None, Some(offers)) => {
                        let reply = self.ask_prices(offers, header, lines).await?;
                        Ok(Reply { stock: Vec::new(), ..reply })
                    }
                    (None, None) => Err(not_described("prices")),
                },
                Call::Offers(header, lines) => match &self.operations.offers {
                    Some(offers) => self.ask_prices(offers, header, lines).await,
                    None => Err(not_described("offers")),
                },
                Call::Stock(header, skus) => match &self.operations.stock {
                    Some(stock) => self.ask_stock(stock, header, skus).await,
                    None => Err(not_described("stock")),
                },
            }
        }
        .boxed()
    }
}

fn not_described(operation: &str) -> ErpError {
    ErpError::Unprepared(format!("the preset does not describe how to ask for {operation}"))
}

impl RestConnector {
    /// Compiles a preset. Whatever is wrong with it is found here, with the key at fault.
    pub fn new(config: RestConfig) -> Result<Self, RestConfigError> {
        let mut templates = Templates::default();
        let operations = Operations::compile(&config, &mut templates)?;
        let capabilities = operations.capabilities(&config)?;
        let wire = Wire::compile(&config, templates)?;
        operations.check(&wire)?;
        Ok(Self { wire, operations, capabilities })
    }

    /// Opens a session, where the ERP has such. For a check of the configuration; calls do it themselves.
    pub async fn log_in(&self) -> Result<(), ErpError> {
        self.wire.log_in().await
    }

    /// Reads every lookup and says how many entries each has. For a check of the configuration.
    pub async fn read_lookups(&self) -> Vec<(String, Result<usize, ErpError>)> {
        let mut read = Vec::new();
        for name in self.wire.lookup_names() {
            let result = self.wire.tables(&BTreeSet::from([name.clone()])).await;
            read.push((name.clone(), result.map(|tables| tables.values().map(|table| table.entries.len()).sum())));
        }
        read
    }

    async fn ask_customers(&self, customers: &[Option<CustomerId>]) -> Result<Reply, ErpError> {
        let mut reply = Reply::default();
        let with_public = customers.contains(&None);
        let mut named: Vec<Option<CustomerId>> = customers.iter().filter(|one| one.is_some()).cloned().collect();
        if with_public {
            match &self.operations.public {
                Public::Facts(facts) => reply.customers.push((None, Some(facts.as_ref().clone()))),
                Public::Customers => named.push(None),
                Public::Question(question, fields) => {
                    let tables = self.wire.tables(&question.needs).await?;
                    let context = self.wire.context(Context::new(), &tables);
                    let documents = self.wire.ask(&question.request, &question.rows, &context).await?;
                    let scope = self.wire.scope(&context, &tables);
                    let first = rows(&documents, &question.rows)?.into_iter().next();
                    let row = first.ok_or_else(|| ErpError::Garbled("it says nothing about the public".into()))?;
                    let facts = fields.facts(row, &scope).map_err(ErpError::Garbled)?;
                    reply.customers.push((None, facts));
                }
            }
        }
        if named.is_empty() {
            return Ok(reply);
        }
        match &self.operations.customers {
            Some(operation) => self.ask_named(operation, &named, &mut reply).await?,
            // Every customer is taken to exist, with the public's facts.
            None => {
                let facts = self.capabilities.public.as_deref().cloned().unwrap_or_default();
                reply.customers.extend(named.into_iter().map(|customer| (customer, Some(facts.clone()))));
            }
        }
        Ok(reply)
    }

    async fn ask_named(
        &self,
        operation: &Customers,
        asked: &[Option<CustomerId>],
        reply: &mut Reply,
    ) -> Result<(), ErpError> {
        let question = &operation.question;
        let tables = self.wire.tables(&question.needs).await?;
        let codes: Vec<Value> = asked.iter().map(|one| optional(one.as_ref().map(CustomerId::as_str))).collect();
        let mut own = Context::from([("customers", Value::from(codes))]);
        if let [only] = asked {
            own.insert("customer", optional(only.as_ref().map(CustomerId::as_str)));
        }
        let context = self.wire.context(own, &tables);
        let documents = self.wire.ask(&question.request, &question.rows, &context).await?;
        let scope = self.wire.scope(&context, &tables);
        let mut told: HashMap<Option<&str>, Result<Option<CustomerFacts>, String>> = HashMap::new();
        for row in rows(&documents, &question.rows)? {
            let Ok(customer) = operation.fields.customer(row, &scope) else {
                reply.unreadable += 1;
                continue;
            };
            let Some(asked) = asked.iter().find(|one| one.as_ref().map(CustomerId::as_str) == customer.as_deref())
            else {
                continue;
            };
            let facts = operation.fields.facts(row, &scope);
            told.entry(asked.as_ref().map(CustomerId::as_str))
                .and_modify(|known| {
                    if *known != facts {
                        *known = Err("two rows of the answer contradict each other".into());
                    }
                })
                .or_insert(facts);
        }
        for customer in asked {
            match told.remove(&customer.as_ref().map(CustomerId::as_str)) {
                Some(Ok(facts)) => reply.customers.push((customer.clone(), facts)),
                None if operation.absent_is_unknown => reply.customers.push((customer.clone(), None)),
                // Without a row the customer is an error of its own.
                Some(Err(why)) => tracing::warn!(why, "a customer's row cannot be read"),
                None => tracing::warn!("the answer leaves a customer out"),
            }
        }
        Ok(())
    }

    async fn ask_prices(&self, operation: &Prices, header: &Header, lines: &[AskedLine]) -> Result<Reply, ErpError> {
        let question = match (&header.for_list, &operation.list_question) {
            (None, _) => &operation.question,
            (Some(_), Some(question)) => question,
            (Some(_), None) => return Err(not_described("a list's prices")),
        };
        let mut own = header_context(header, &self.capabilities);
        let asked = insert_lines(operation, lines, &mut own)?;
        let tables = self.wire.tables(&question.needs).await?;
        let kept = operation.absent.as_ref().map(|_| own.clone());
        let context = self.wire.context(own, &tables);
        let documents = self.wire.ask(&question.request, &question.rows, &context).await?;
        let mut reply = Reply::default();
        {
            let scope = Scope {
                unit: asked.unit.as_deref(),
                quantity: asked.quantity.clone(),
                currency: Some(header.currency.as_str()),
                ..self.wire.scope(&context, &tables)
            };
            let rows = rows(&documents, &question.rows)?;
            reply.prices.reserve(rows.len());
            for row in rows {
                match operation.fields.read(row, &scope, header.currency) {
                    Some(price) => reply.prices.push(price),
                    None => reply.unreadable += 1,
                }
                reply.stock.extend(operation.stock.as_ref().and_then(|fields| fields.read(row, &scope)));
            }
            reply.stock = join(reply.stock);
        }
        if let (Some(absent), Some(mut own)) = (&operation.absent, kept) {
            let told: HashSet<&str> = reply.prices.iter().map(|row| row.sku.as_str()).collect();
            let missing: Vec<AskedLine> =
                lines.iter().filter(|line| !told.contains(line.sku.as_str())).cloned().collect();
            if !missing.is_empty() {
                insert_lines(operation, &missing, &mut own)?;
                let rows = self.ask_absent(absent, own).await?;
                reply.prices.extend(rows);
            }
        }
        Ok(reply)
    }

    async fn ask_absent(&self, absent: &Absent, own: Context) -> Result<Vec<PriceRow>, ErpError> {
        let question = &absent.question;
        let tables = self.wire.tables(&question.needs).await?;
        let context = self.wire.context(own, &tables);
        let documents = self.wire.ask(&question.request, &question.rows, &context).await?;
        let scope = self.wire.scope(&context, &tables);
        let mut outcomes = Vec::new();
        for row in rows(&documents, &question.rows)? {
            if let (Ok(Some(sku)), Some(said)) = (absent.sku.text(row, &scope), absent.outcome.of(row)) {
                outcomes.push(PriceRow { sku: sku.into_owned(), unit: None, quantity: None, said });
            }
        }
        Ok(outcomes)
    }

    async fn ask_stock(&self, operation: &StockOperation, header: &Header, skus: &[Sku]) -> Result<Reply, ErpError> {
        let tables = self.wire.tables(&operation.question.needs).await?;
        let locations: Vec<Option<&str>> = match &operation.locations {
            Locations::InTheAnswer => vec![None],
            Locations::OneByOne(codes) => codes.iter().map(|code| Some(code.as_str())).collect(),
            Locations::EachOf(lookup) => {
                let codes = tables.get(lookup).into_iter().flat_map(|table| table.entries.keys());
                let mut codes: Vec<Option<&str>> = codes.map(|code| Some(code.as_str())).collect();
                codes.sort_unstable();
                codes
            }
        };
        let mut own = header_context(header, &self.capabilities);
        own.insert("skus", Value::from(skus.iter().map(|sku| Value::from(sku.as_str())).collect::<Vec<_>>()));
        let mut reply = Reply::default();
        let mut stock: Vec<StockRow> = Vec::new();
        // One after the other: the permit of this call stands for one request at a time.
        for location in locations {
            let mut own = own.clone();
            if let Some(location) = location {
                own.insert("location", Value::from(location));
            }
            let context = self.wire.context(own, &tables);
            let documents = self.wire.ask(&operation.question.request, &operation.question.rows, &context).await?;
            let scope =
                Scope { currency: Some(header.currency.as_str()), location, ..self.wire.scope(&context, &tables) };
            for row in rows(&documents, &operation.question.rows)? {
                match operation.fields.read(row, &scope) {
                    Some(row) => stock.push(row),
                    None => reply.unreadable += 1,
                }
            }
        }
        reply.stock = join(stock);
        Ok(reply)
    }
}

/// One of `lines` in templates: a map of these three. A map of its own for each would be most of what a request costs.
#[derive(Debug)]
struct LineValue {
    sku: Value,
    unit: Value,
    quantity: Value,
}

impl Object for LineValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = match key.as_str()? {
            "sku" => &self.sku,
            "unit" => &self.unit,
            "quantity" => &self.quantity,
            _ => return None,
        };
        Some(value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["quantity", "sku", "unit"])
    }
}

/// What all lines of a call share.
struct Shared {
    unit: Option<String>,
    quantity: Option<String>,
}

/// `lines`, `skus` and, where the preset says that a call has only one of each, `unit` and `quantity`.
fn insert_lines(operation: &Prices, lines: &[AskedLine], context: &mut Context) -> Result<Shared, ErpError> {
    let text = |line: &AskedLine| {
        (line.unit.as_ref().map(|unit| unit.as_str().to_owned()), line.quantity.map(|quantity| quantity.to_string()))
    };
    let Some((unit, quantity)) = lines.first().map(text) else {
        return Err(ErpError::Unprepared("a call without lines".into()));
    };
    let mut seen = HashSet::new();
    let skus: Vec<Value> =
        lines.iter().filter(|line| seen.insert(line.sku.as_str())).map(|line| Value::from(line.sku.as_str())).collect();
    let rows: Vec<Value> = lines
        .iter()
        .map(|line| {
            let (unit, quantity) = text(line);
            Value::from_object(LineValue {
                sku: line.sku.as_str().into(),
                unit: optional(unit.as_deref()),
                quantity: optional(quantity.as_deref()),
            })
        })
        .collect();
    context.insert("skus", Value::from(skus));
    context.insert("lines", Value::from(rows));
    let mut shared = Shared { unit: None, quantity: None };
    if operation.batch.one_unit {
        if lines.iter().any(|line| line.unit != lines[0].unit) {
            return Err(ErpError::Unprepared("lines with different units in one call".into()));
        }
        context.insert("unit", optional(unit.as_deref()));
        shared.unit = unit;
    }
    if operation.batch.one_quantity {
        if lines.iter().any(|line| line.quantity != lines[0].quantity) {
            return Err(ErpError::Unprepared("lines with different quantities in one call".into()));
        }
        context.insert("quantity", optional(quantity.as_deref()));
        shared.quantity = quantity;
    }
    Ok(shared)
}

/// What a template may know of the header. The facts only where the preset says that it asks by them: a price asked with
/// facts is no newer than they are, which somebody has to know.
fn header_context(header: &Header, capabilities: &Capabilities) -> Context {
    let mut context = Context::from([
        ("company", optional(header.company.as_ref().map(|id| id.as_str()))),
        ("currency", Value::from(header.currency.as_str())),
        ("price_date", date_value(header.price_date)),
    ]);
    if let Some(list) = &header.for_list {
        // Whom it is for is not even null: a template that reads it fails.
        context.insert("price_list", Value::from(list.as_str()));
        return context;
    }
    context.extend([
        ("customer", optional(header.customer.as_ref().map(|id| id.as_str()))),
        ("ship_to", optional(header.ship_to.as_ref().map(|id| id.as_str()))),
        ("contract", optional(header.contract.as_ref().map(|id| id.as_str()))),
    ]);
    if capabilities.priced_by_facts {
        context.insert("facts", facts_context(&header.facts.facts));
    }
    context
}

fn facts_context(facts: &CustomerFacts) -> Value {
    let attributes: BTreeMap<String, Value> =
        facts.attributes.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    Value::from_iter_map(vec![
        ("currency".into(), optional(facts.currency.as_ref().map(|currency| currency.as_str()))),
        ("price_list".into(), optional(facts.price_list.as_ref().map(|list| list.as_str()))),
        ("blocked".into(), Value::from(facts.blocked)),
        ("attributes".into(), Value::from(attributes)),
    ])
}

/// Absent is null.
fn optional(text: Option<&str>) -> Value {
    text.map_or_else(|| Value::from(()), Value::from)
}
