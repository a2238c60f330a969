//! Asking the ERP one thing: lookups, session, request, verdict, pages.
//!
//! Every request of a preset goes this way, the login and the lookups too. A request that finds its session expired is
//! repeated once with a new one; nothing else is ever repeated here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::{Value, context};
use tokio::sync::Mutex;

use super::auth::Auth;
use super::config::{ErrorKind, LookupConfig, NumbersConfig, RestConfig, RestConfigError};
use super::document::{Document, Nodes};
use super::field::{Field, LookupTables, Scope, Table};
use super::http::{Answer, Body, Http};
use super::number::Notation;
use super::request::{Request, compile_headers, render_headers};
use super::selector::{Row, Selector};
use super::template::{FromIterMap, Template, Templates, from_toml};
use super::verdict::{Rules, Verdict};
use crate::clock::{Clock, Mono};
use crate::erp::ErpError;

/// What templates see of one call.
pub type Context = BTreeMap<&'static str, Value>;

/// The way to one ERP.
pub struct Wire {
    http: Http,
    pub templates: Templates,
    auth: Auth,
    headers: Vec<(HeaderName, Template)>,
    rules: Rules,
    lookups: BTreeMap<String, Lookup>,
    numbers: NumbersConfig,
    /// `vars` and `secret`.
    base: Context,
    answer_max: usize,
    time_zone: TimeZone,
    clock: Clock,
}

#[derive(Debug)]
struct Lookup {
    request: Request,
    rows: Selector,
    key: Field,
    value: Field,
    max_age: Duration,
    needs: BTreeSet<String>,
    /// Asynchronous because it is held while asking, so that one call asks for all.
    known: Mutex<Option<(Arc<Table>, Mono)>>,
}

/// Without the secrets it holds.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("http", &self.http).finish_non_exhaustive()
    }
}

impl Wire {
    pub fn compile(config: &RestConfig, mut templates: Templates) -> Result<Self, RestConfigError> {
        let vars = config
            .vars
            .iter()
            .map(|(name, value)| Ok((name.clone(), from_toml(&format!("vars.{name}"), value)?)))
            .collect::<Result<Vec<_>, RestConfigError>>()?;
        let secrets = config
            .secrets
            .iter()
            .map(|(name, value)| match name.strip_suffix("_file") {
                Some(bare) => match std::fs::read_to_string(value) {
                    Ok(text) => Ok((bare.to_owned(), Value::from(text.trim()))),
                    Err(error) => Err(RestConfigError::new(format!("secrets.{name}"), format!("{value}: {error}"))),
                },
                None => Ok((name.clone(), Value::from(value.as_str()))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let zone = config.time_zone.as_deref().unwrap_or("UTC");
        let time_zone = TimeZone::get(zone).map_err(|error| RestConfigError::new("time_zone", error))?;
        let base = Context::from([("vars", Value::from_iter_map(vars)), ("secret", Value::from_iter_map(secrets))]);
        let lookups = config
            .lookups
            .iter()
            .map(|(name, lookup)| Ok((name.clone(), Lookup::compile(name, lookup, &mut templates)?)))
            .collect::<Result<BTreeMap<_, _>, RestConfigError>>()?;
        let wire = Self {
            http: Http::new(&config.url, &config.http)?,
            auth: Auth::compile(&config.auth, &mut templates)?,
            headers: compile_headers("headers", &config.headers, &mut templates)?,
            rules: Rules::compile(&config.errors)?,
            lookups,
            numbers: config.numbers.clone(),
            base,
            answer_max: config.http.answer_max,
            time_zone,
            clock: Clock::system(),
            templates,
        };
        for name in wire.lookups.keys() {
            wire.check_needs(&format!("lookups.{name}"), [name].into_iter(), &mut Vec::new())?;
        }
        if let Some(session) = wire.auth.session()
            && !session.login.lookups.is_empty()
        {
            return Err(RestConfigError::new("auth.login", "cannot use lookups, which need the session"));
        }
        let header_lookups = wire.headers.iter().any(|(_, template)| !template.lookups.is_empty());
        if header_lookups {
            return Err(RestConfigError::new("headers", "cannot use lookups, which are asked with them"));
        }
        Ok(wire)
    }

    /// Every lookup named exists, and none needs itself.
    pub fn check_needs<'a>(
        &'a self,
        key: &str,
        names: impl Iterator<Item = &'a String>,
        above: &mut Vec<&'a str>,
    ) -> Result<(), RestConfigError> {
        for name in names {
            let Some(lookup) = self.lookups.get(name) else {
                return Err(RestConfigError::new(key, format!("there is no lookup {name:?}")));
            };
            if above.contains(&name.as_str()) {
                return Err(RestConfigError::new(key, format!("the lookup {name:?} needs itself")));
            }
            above.push(name);
            self.check_needs(key, lookup.needs.iter(), above)?;
            above.pop();
        }
        Ok(())
    }

    pub fn lookup_names(&self) -> impl Iterator<Item = &String> {
        self.lookups.keys()
    }

    /// How rows are read that answer a call with this context.
    pub fn scope<'a>(&'a self, context: &'a Value, lookups: &'a LookupTables) -> Scope<'a> {
        let notation = |decimals| Notation { decimal_comma: self.numbers.decimal_comma, decimals };
        Scope {
            templates: &self.templates,
            context,
            lookups,
            prices: notation(self.numbers.price_decimals),
            quantities: notation(self.numbers.quantity_decimals),
            unit: None,
            quantity: None,
            currency: None,
            location: None,
        }
    }

    /// Opens the session, where the ERP has such.
    pub async fn log_in(&self) -> Result<(), ErpError> {
        match self.auth.session() {
            Some(session) => session.get(&self.clock, self.ask_login(&session.login)).await.map(drop),
            None => Ok(()),
        }
    }

    /// The named tables, asked where they are missing or too old.
    pub fn tables<'a>(&'a self, names: &'a BTreeSet<String>) -> BoxFuture<'a, Result<LookupTables, ErpError>> {
        async move {
            let mut tables = LookupTables::with_capacity(names.len());
            for name in names {
                let lookup = self
                    .lookups
                    .get(name)
                    .ok_or_else(|| ErpError::Unprepared(format!("there is no lookup {name:?}")))?;
                let mut known = lookup.known.lock().await;
                let table = match &*known {
                    Some((table, at)) if self.clock.mono().since(*at) < lookup.max_age => table.clone(),
                    _ => {
                        let asked_at = self.clock.mono();
                        let table = Arc::new(self.ask_table(lookup).await?);
                        *known = Some((table.clone(), asked_at));
                        table
                    }
                };
                tables.insert(name.clone(), table);
            }
            Ok(tables)
        }
        .boxed()
    }

    async fn ask_table(&self, lookup: &Lookup) -> Result<Table, ErpError> {
        let needed = self.tables(&lookup.needs).await?;
        let context = self.context(Context::new(), &needed);
        let documents = self.ask(&lookup.request, &lookup.rows, &context).await?;
        let scope = self.scope(&context, &needed);
        let mut entries: HashMap<String, Option<String>> = HashMap::new();
        for row in rows(&documents, &lookup.rows)? {
            let wrong = |why| ErpError::Garbled(format!("{}: {why}", lookup.request.key));
            let pair = (lookup.key.text(row, &scope).map_err(wrong)?, lookup.value.text(row, &scope).map_err(wrong)?);
            if let (Some(key), Some(value)) = pair {
                // Two meanings are none.
                let told = Some(value.into_owned());
                entries
                    .entry(key.into_owned())
                    .and_modify(|known| {
                        if *known != told {
                            *known = None
                        }
                    })
                    .or_insert(told.clone());
            }
        }
        let entries: HashMap<String, String> =
            entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        tracing::debug!(request = lookup.request.key, entries = entries.len(), "lookup read");
        let value = Value::from(entries.clone().into_iter().collect::<BTreeMap<String, String>>());
        Ok(Table { entries, value })
    }

    /// A call's own values with the preset's and the lookups'.
    pub fn context(&self, own: Context, lookups: &LookupTables) -> Value {
        let mut context = self.base.clone();
        let today = self.clock.read().wall.to_jiff().to_zoned(self.time_zone.clone()).date();
        context.insert("today", date_value(today));
        let tables = lookups.iter().map(|(name, table)| (name.clone(), table.value.clone())).collect();
        context.insert("lookup", Value::from_iter_map(tables));
        context.extend(own);
        Value::from_object(context)
    }

    /// Asks, page by page. At least one document; together they are no larger than one answer may be.
    pub async fn ask(&self, request: &Request, list: &Selector, context: &Value) -> Result<Vec<Document>, ErpError> {
        let Some(pages) = &request.pages else { return Ok(vec![self.ask_page(request, context).await?]) };
        let mut documents = Vec::new();
        let (mut next, mut offset, mut bytes) = (Value::from(()), 0usize, 0usize);
        for number in 1..=pages.max {
            let page = Value::from_iter_map(vec![
                ("number".into(), Value::from(number as u64)),
                ("offset".into(), Value::from(offset as u64)),
                ("next".into(), next.clone()),
            ]);
            let context = context! { page, ..context.clone() };
            let document = self.ask_page(request, &context).await?;
            bytes += document.bytes().len();
            if bytes > self.answer_max {
                return Err(ErpError::Garbled(format!("its pages are larger than {} bytes", self.answer_max)));
            }
            let count = list_of(&document, list)?.count();
            offset += count;
            let more = match &pages.next {
                Some(selector) => match selector.one(Row::new(document.root())).map_err(ErpError::Garbled)? {
                    Some(content) => {
                        let text = super::field::scalar(content)
                            .ok_or_else(|| ErpError::Garbled("the next page is not a single value".into()))?;
                        next = Value::from(text);
                        true
                    }
                    None => false,
                },
                None => true,
            } && pages.size.is_none_or(|size| count >= size);
            documents.push(document);
            if !more {
                return Ok(documents);
            }
        }
        Err(ErpError::Garbled(format!("it has more than {} pages", pages.max)))
    }

    async fn ask_page(&self, request: &Request, context: &Value) -> Result<Document, ErpError> {
        let Some(session) = self.auth.session() else {
            let answer = self.exchange(request, context, true).await?;
            return match self.judge(&answer) {
                Verdict::Good => self.read(request, answer),
                Verdict::Bad(kind, said) => Err(error(kind, said)),
            };
        };
        let mut repeated = false;
        loop {
            let opened = session.get(&self.clock, self.ask_login(&session.login)).await?;
            let context = context! { session => opened.values.clone(), ..context.clone() };
            let answer = self.exchange(request, &context, true).await?;
            match self.judge(&answer) {
                Verdict::Good => return self.read(request, answer),
                Verdict::Bad(ErrorKind::Expired, said) => {
                    session.expired(&opened).await;
                    if std::mem::replace(&mut repeated, true) {
                        return Err(ErpError::Refused(format!("a new session did not help: {said}")));
                    }
                }
                Verdict::Bad(kind, said) => return Err(error(kind, said)),
            }
        }
    }

    async fn ask_login(&self, login: &Request) -> Result<Document, ErpError> {
        let answer = self.exchange(login, &Value::from_object(self.base.clone()), false).await?;
        match self.judge(&answer) {
            Verdict::Good => self.read(login, answer),
            // Not what it said: a login's answer may repeat the password.
            Verdict::Bad(kind, _) => Err(error(kind, format!("at login: HTTP {}", answer.status))),
        }
    }

    async fn exchange(&self, request: &Request, context: &Value, prove: bool) -> Result<Answer, ErpError> {
        let mut prepared = request.render(&self.templates, context)?;
        let mut headers = HeaderMap::new();
        render_headers(&self.headers, &self.templates, context, &mut headers)?;
        if prove {
            self.auth.apply(&self.templates, context, &mut headers)?;
        }
        headers.extend(std::mem::take(&mut prepared.headers));
        prepared.headers = headers;
        let before = self.clock.mono();
        let result = self.http.exchange(prepared).await;
        let took_ms = self.clock.mono().since(before).as_millis() as u64;
        match &result {
            Ok(answer) => tracing::debug!(
                request = request.key,
                status = answer.status,
                bytes = answer.body.bytes().len(),
                took_ms,
                "ERP answered"
            ),
            Err(error) => tracing::debug!(request = request.key, %error, took_ms, "ERP did not answer"),
        }
        result
    }

    fn judge(&self, answer: &Answer) -> Verdict {
        self.rules.judge(answer.status, &answer.body)
    }

    fn read(&self, request: &Request, answer: Answer) -> Result<Document, ErpError> {
        match answer.body {
            Body::Json(document) => Ok(document),
            Body::Other { why, .. } => {
                Err(ErpError::Garbled(format!("{}: HTTP {}, not JSON: {why}", request.key, answer.status)))
            }
        }
    }
}

/// A day for templates: its parts, and `iso`.
pub fn date_value(date: Date) -> Value {
    Value::from_iter_map(vec![
        ("iso".into(), Value::from(date.to_string())),
        ("year".into(), Value::from(i64::from(date.year()))),
        ("month".into(), Value::from(i64::from(date.month()))),
        ("day".into(), Value::from(i64::from(date.day()))),
    ])
}

fn error(kind: ErrorKind, said: String) -> ErpError {
    match kind {
        ErrorKind::Busy => ErpError::Busy(said),
        ErrorKind::Unreachable => ErpError::Unreachable(said),
        ErrorKind::Refused | ErrorKind::Expired | ErrorKind::Fine => ErpError::Refused(said),
    }
}

/// The rows of all pages; `^$` in their selectors is the page. A document without the list is not an empty answer but a
/// damaged one.
pub fn rows<'a>(documents: &'a [Document], list: &Selector) -> Result<Vec<Row<'a>>, ErpError> {
    let mut rows = Vec::new();
    for document in documents {
        rows.extend(list_of(document, list)?.map(|row| Row::new(document.root()).inner(row)));
    }
    Ok(rows)
}

fn list_of<'a>(document: &'a Document, list: &Selector) -> Result<Nodes<'a>, ErpError> {
    list.list(Row::new(document.root()))
        .map_err(ErpError::Garbled)?
        .ok_or_else(|| ErpError::Garbled("the rows' selector finds nothing in it".into()))
}

impl Lookup {
    fn compile(name: &str, config: &LookupConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let key = |part: &str| format!("lookups.{name}.{part}");
        let request = Request::compile(&key("request"), &config.request, templates)?;
        let (key_field, value) = (
            Field::compile(&key("key"), &config.key, templates)?,
            Field::compile(&key("value"), &config.value, templates)?,
        );
        let needs = request.lookups.iter().chain(key_field.lookups()).chain(value.lookups()).cloned().collect();
        Ok(Self {
            request,
            rows: Selector::compile(&key("rows"), &config.rows)?,
            key: key_field,
            value,
            max_age: config.max_age,
            needs,
            known: Mutex::default(),
        })
    }
}
