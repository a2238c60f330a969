//! From one row of an answer to the facts of one customer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::condition::Conditions;
use super::config::{CustomerRowConfig, RestConfigError};
use super::field::{Field, Scope};
use super::price_row::id;
use super::selector::Row;
use super::template::Templates;
use crate::domain::{Currency, CustomerFacts, PriceListId};

/// Compiled fields of a customer's row.
#[derive(Debug)]
pub struct CustomerFields {
    customer: Option<Field>,
    unknown: Conditions,
    failed: Conditions,
    blocked: Conditions,
    own_prices: Conditions,
    currency: Option<Field>,
    price_list: Option<Field>,
    attributes: BTreeMap<String, Field>,
}

impl CustomerFields {
    pub fn compile(key: &str, config: &CustomerRowConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let path = |name: &str| format!("{key}.{name}");
        Ok(Self {
            customer: Field::compile_optional(&path("customer"), config.customer.as_ref(), templates)?,
            unknown: Conditions::compile(&path("unknown"), &config.unknown)?,
            failed: Conditions::compile(&path("failed"), &config.failed)?,
            blocked: Conditions::compile(&path("blocked"), &config.blocked)?,
            own_prices: match &config.own_prices {
                Some(conditions) => Conditions::compile(&path("own_prices"), conditions)?,
                None => Conditions::default(),
            },
            currency: Field::compile_optional(&path("currency"), config.currency.as_ref(), templates)?,
            price_list: Field::compile_optional(&path("price_list"), config.price_list.as_ref(), templates)?,
            attributes: config
                .attributes
                .iter()
                .map(|(name, config)| {
                    Ok((name.clone(), Field::compile(&path(&format!("attributes.{name}")), config, templates)?))
                })
                .collect::<Result<_, RestConfigError>>()?,
        })
    }

    pub fn names_customers(&self) -> bool {
        self.customer.is_some()
    }

    pub fn tells_price_lists(&self) -> bool {
        self.price_list.is_some()
    }

    /// The lookups its fields read.
    pub fn lookups(&self) -> impl Iterator<Item = &String> {
        let own = [&self.customer, &self.currency, &self.price_list];
        own.into_iter().flatten().chain(self.attributes.values()).flat_map(Field::lookups)
    }

    /// Whose row it is; `None` is the public.
    pub fn customer<'t>(&'t self, row: Row<'t>, scope: &'t Scope<'_>) -> Result<Option<Cow<'t, str>>, String> {
        self.customer.as_ref().map_or(Ok(None), |field| field.text(row, scope))
    }

    /// `None`: the ERP does not know the customer.
    pub fn facts(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<CustomerFacts>, String> {
        if self.failed.hold(row) {
            return Err("the ERP says that it failed on this customer".into());
        }
        if self.unknown.hold(row) {
            return Ok(None);
        }
        let mut attributes = BTreeMap::new();
        for (name, field) in &self.attributes {
            if let Some(text) = field.text(row, scope)? {
                attributes.insert(name.clone(), text.into_owned());
            }
        }
        Ok(Some(CustomerFacts {
            currency: id(&self.currency, row, scope, str::parse::<Currency>)?,
            price_list: id(&self.price_list, row, scope, PriceListId::new)?,
            own_prices: self.own_prices.hold(row),
            blocked: self.blocked.hold(row),
            attributes,
        }))
    }
}
