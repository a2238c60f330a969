//! Reading one value out of a row.
//!
//! A field never fails a whole answer: what it cannot read is a text that says why, and the row it belongs to fails.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use minijinja::Value as TemplateValue;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::config::RestConfigError;
use super::document::Content;
use super::number::{Notation, NumberError, divide_exactly, read_decimal};
use super::selector::{Row, Selector};
use super::template::{Place, Template, Templates};
use crate::domain::{Money, Quantity};

/// A field as the preset writes it: a selector, a table, or several of which the first that finds something counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a selector, a table {at, asked, divide_by, map, lookup, default}, or a list of these")]
pub enum FieldConfig {
    Selector(String),
    // Before the table, which serde would also read from a list.
    FirstOf(Vec<FieldItem>),
    Table(FieldTable),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a selector or a table {at, asked, divide_by, map, lookup, default}")]
pub enum FieldItem {
    Selector(String),
    Table(FieldTable),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldTable {
    /// A selector.
    pub at: Option<String>,
    /// What the request asked for: `unit`, `quantity`, `currency`, `location`.
    pub asked: Option<Asked>,
    /// A selector: the figure at `at` is divided by this one; a division that does not end finds nothing.
    pub divide_by: Option<String>,
    /// Told text to what is meant. A text not listed fails the row.
    pub map: BTreeMap<String, String>,
    /// A lookup that translates what was told.
    pub lookup: Option<String>,
    /// A template, where nothing is found.
    pub default: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    Unit,
    Quantity,
    Currency,
    Location,
}

/// Tables read from the ERP, by name.
pub type LookupTables = HashMap<String, Arc<Table>>;

/// A table read from the ERP, for rows and for templates.
#[derive(Debug)]
pub struct Table {
    pub entries: HashMap<String, String>,
    pub value: TemplateValue,
}

/// What fields are read with besides the row.
pub struct Scope<'a> {
    pub templates: &'a Templates,
    pub context: &'a TemplateValue,
    pub lookups: &'a LookupTables,
    pub prices: Notation,
    pub quantities: Notation,
    pub unit: Option<&'a str>,
    pub quantity: Option<String>,
    pub currency: Option<&'a str>,
    pub location: Option<&'a str>,
}

/// The text of a single value, numbers digit for digit.
pub fn scalar(content: Content<'_>) -> Option<Cow<'_, str>> {
    match content {
        Content::Null => Some("null".into()),
        Content::Bool(flag) => Some(if flag { "true" } else { "false" }.into()),
        Content::Number(digits) => Some(digits.into()),
        Content::Text(text) => Some(text),
        Content::Array(_) | Content::Object { .. } => None,
    }
}

#[derive(Clone, Debug)]
struct Way {
    at: Option<Selector>,
    asked: Option<Asked>,
    divide_by: Option<Selector>,
    map: BTreeMap<String, String>,
    lookup: Option<String>,
    default: Option<Template>,
}

/// A compiled field.
#[derive(Clone, Debug)]
pub struct Field {
    /// For messages: `net_price`.
    name: String,
    ways: Vec<Way>,
}

impl Field {
    pub fn compile(key: &str, config: &FieldConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let ways = match config {
            FieldConfig::Selector(text) => vec![FieldTable { at: Some(text.clone()), ..FieldTable::default() }],
            FieldConfig::Table(table) => vec![table.clone()],
            FieldConfig::FirstOf(items) => items
                .iter()
                .map(|item| match item {
                    FieldItem::Selector(text) => FieldTable { at: Some(text.clone()), ..FieldTable::default() },
                    FieldItem::Table(table) => table.clone(),
                })
                .collect(),
        };
        if ways.is_empty() {
            return Err(RestConfigError::new(key, "is empty"));
        }
        let ways = ways
            .into_iter()
            .enumerate()
            .map(|(index, table)| {
                if table.at.is_some() && table.asked.is_some() {
                    return Err(RestConfigError::new(key, "`at` and `asked` exclude each other"));
                }
                if table.divide_by.is_some() && table.at.is_none() {
                    return Err(RestConfigError::new(key, "`divide_by` needs `at`"));
                }
                let selector =
                    |text: &Option<String>| text.as_ref().map(|text| Selector::compile(key, text)).transpose();
                Ok(Way {
                    at: selector(&table.at)?,
                    asked: table.asked,
                    divide_by: selector(&table.divide_by)?,
                    map: table.map,
                    lookup: table.lookup,
                    default: table
                        .default
                        .map(|source| templates.add(&format!("{key}.default.{index}"), Place::Text, &source))
                        .transpose()?,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name: key.rsplit('.').next().unwrap_or(key).to_owned(), ways })
    }

    pub fn compile_optional(
        key: &str,
        config: Option<&FieldConfig>,
        templates: &mut Templates,
    ) -> Result<Option<Self>, RestConfigError> {
        config.map(|config| Self::compile(key, config, templates)).transpose()
    }

    /// The lookups it reads.
    pub fn lookups(&self) -> impl Iterator<Item = &String> {
        self.ways.iter().flat_map(|way| way.lookup.iter().chain(way.default.iter().flat_map(|t| &t.lookups)))
    }

    /// What the row says here; `None` is nothing.
    pub fn text<'t>(&'t self, row: Row<'t>, scope: &'t Scope<'_>) -> Result<Option<Cow<'t, str>>, String> {
        for way in &self.ways {
            if let Some(text) = way.text(row, scope).map_err(|why| format!("{}: {why}", self.name))? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn decimal(&self, row: Row<'_>, scope: &Scope<'_>, notation: Notation) -> Result<Option<Decimal>, String> {
        let Some(text) = self.text(row, scope)? else { return Ok(None) };
        read_decimal(&text, notation).map(Some).map_err(|why| format!("{}: {:?} {why}", self.name, clip(&text)))
    }

    /// A price, with the scale it was told with.
    pub fn money(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<Money>, String> {
        let value = self.decimal(row, scope, scope.prices)?;
        value.map(|value| Money::new(value).ok_or_else(|| format!("{}: too large", self.name))).transpose()
    }

    /// A quantity, without trailing zeros.
    pub fn quantity(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<Quantity>, String> {
        let value = self.decimal(row, scope, scope.quantities)?;
        value
            .map(|value| {
                Quantity::new(value).map(Quantity::normalized).ok_or_else(|| format!("{}: too large", self.name))
            })
            .transpose()
    }

    pub fn date(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<Date>, String> {
        let Some(text) = self.text(row, scope)? else { return Ok(None) };
        // A moment's day is the day it names.
        let day = text.get(..10).filter(|_| text[10..].starts_with(['T', ' '])).unwrap_or(&text);
        day.parse().map(Some).map_err(|_| format!("{}: {:?} is not a date", self.name, clip(&text)))
    }

    pub fn flag(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<bool>, String> {
        match self.text(row, scope)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => Err(format!("{}: {:?} is neither true nor false", self.name, clip(text))),
        }
    }

    /// Any value whose constructor checks it.
    pub fn parse<T, E: std::fmt::Display>(
        &self,
        row: Row<'_>,
        scope: &Scope<'_>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.text(row, scope)? else { return Ok(None) };
        read(&text).map(Some).map_err(|why| format!("{}: {:?} {why}", self.name, clip(&text)))
    }
}

impl Way {
    fn text<'t>(&'t self, row: Row<'t>, scope: &'t Scope<'_>) -> Result<Option<Cow<'t, str>>, String> {
        let Some(told) = self.told(row, scope)? else {
            let Some(default) = &self.default else { return Ok(None) };
            let text = scope.templates.render(default, scope.context).map_err(|error| error.to_string())?;
            return Ok((!text.is_empty()).then_some(text.into()));
        };
        let meant = match self.map.get(&*told) {
            Some(meant) => meant.into(),
            None if self.map.is_empty() => told,
            None => return Err(format!("{told:?} is not among the declared texts")),
        };
        match &self.lookup {
            Some(lookup) => match scope.lookups.get(lookup).and_then(|table| table.entries.get(&*meant)) {
                Some(translated) => Ok(Some(translated.into())),
                None => Err(format!("the lookup {lookup} does not know {meant:?}")),
            },
            None => Ok(Some(meant)),
        }
    }

    /// Before it is translated.
    fn told<'t>(&'t self, row: Row<'t>, scope: &'t Scope<'_>) -> Result<Option<Cow<'t, str>>, String> {
        let told = match (&self.at, self.asked) {
            (Some(at), _) => match at.one(row)? {
                // JSON's own numbers have a point, whatever the texts have.
                Some(Content::Number(digits)) => Some(in_notation(digits.into(), scope.quantities)),
                Some(content) => Some(scalar(content).ok_or("is not a single value")?),
                None => None,
            },
            (None, Some(Asked::Unit)) => scope.unit.map(Cow::from),
            (None, Some(Asked::Quantity)) => scope.quantity.as_deref().map(Cow::from),
            (None, Some(Asked::Currency)) => scope.currency.map(Cow::from),
            (None, Some(Asked::Location)) => scope.location.map(Cow::from),
            (None, None) => None,
        };
        let (Some(told), Some(divisor)) = (&told, &self.divide_by) else { return Ok(told) };
        let Some(divisor) = divisor.one(row)?.and_then(scalar) else { return Ok(None) };
        let figure = |text: &str| {
            let text = if scope.quantities.decimal_comma { text.replace(',', ".").into() } else { Cow::from(text) };
            wide_decimal(&text).map_err(|why| format!("{:?} {why}", clip(&text)))
        };
        Ok(divide_exactly(figure(told)?, figure(&divisor)?)
            .map(|quotient| in_notation(quotient.to_string().into(), scope.quantities)))
    }
}

/// A figure that only takes part in a division may be finer than what can be carried.
fn wide_decimal(text: &str) -> Result<Decimal, NumberError> {
    read_decimal(text, Notation::default()).or_else(|why| match why {
        NumberError::TooFine => Decimal::from_str_exact(text).map_err(|_| why),
        other => Err(other),
    })
}

/// A number of ours as the ERP would write it.
fn in_notation(text: Cow<'_, str>, notation: Notation) -> Cow<'_, str> {
    if notation.decimal_comma { text.replace('.', ",").into() } else { text }
}

/// ERP text for a log line.
pub fn clip(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
