//! From one row of an answer to one price.
//!
//! A row is believed whole or not at all: whatever of it cannot be read fails the line, with a text for the log. A
//! price that is null is "no price", never zero.

use std::borrow::Cow;

use super::condition::Conditions;
use super::config::{OutcomeConfig, PriceRowConfig, RestConfigError, ZeroPrice};
use super::field::{Field, Scope};
use super::selector::{Row, Selector};
use super::template::Templates;
use crate::domain::{
    Currency, Factor, Money, PriceBreak, PriceComponent, PriceListId, PricedLine, Quantity, TaxBasis, Terms, ToldScope,
    Unit,
};
use crate::erp::connector::{PriceRow, Said};

/// Compiled tests for what a row says other than figures.
#[derive(Debug, Default)]
pub struct Outcome {
    failed: Conditions,
    unknown: Conditions,
    not_for_sale: Conditions,
    unknown_unit: Conditions,
    on_request: Conditions,
}

impl Outcome {
    pub fn compile(key: &str, config: &OutcomeConfig) -> Result<Self, RestConfigError> {
        let conditions = |name: &str, config| Conditions::compile(&format!("{key}.{name}"), config);
        Ok(Self {
            failed: conditions("failed", &config.failed)?,
            unknown: conditions("unknown", &config.unknown)?,
            not_for_sale: conditions("not_for_sale", &config.not_for_sale)?,
            unknown_unit: conditions("unknown_unit", &config.unknown_unit)?,
            on_request: conditions("on_request", &config.on_request)?,
        })
    }

    /// `None`: the row has figures.
    pub fn of<T>(&self, row: Row<'_>) -> Option<Said<T>> {
        if self.unknown.hold(row) {
            Some(Said::UnknownSku)
        } else if self.not_for_sale.hold(row) {
            Some(Said::NotForSale("not_for_sale"))
        } else if self.unknown_unit.hold(row) {
            Some(Said::UnknownUnit)
        } else if self.on_request.hold(row) {
            Some(Said::OnRequest("no_price"))
        } else if self.failed.hold(row) {
            Some(Said::Failed("the ERP says that it failed on this line".into()))
        } else {
            None
        }
    }
}

/// Compiled fields of a price row.
#[derive(Debug)]
pub struct PriceFields {
    sku: Field,
    outcome: Outcome,
    unit: Option<Field>,
    quantity: Option<Field>,
    currency: Option<Field>,
    net_price: Field,
    list_price: Option<Field>,
    base_quantity: Option<Field>,
    price_unit: Option<Field>,
    base_unit: Option<Field>,
    sales_unit: Option<Field>,
    units: Option<(Selector, Field, Field)>,
    breaks: Option<(Selector, Field, Field)>,
    components: Option<Components>,
    tax_basis: Option<Field>,
    tax_rate: Option<Field>,
    net_amount: Option<Field>,
    valid_from: Option<Field>,
    valid_until: Option<Field>,
    valid_before: Option<Field>,
    min_order_quantity: Option<Field>,
    order_multiple: Option<Field>,
    backorder_allowed: Option<Field>,
    lead_time_days: Option<Field>,
    price_list: Option<Field>,
    own_price: Conditions,
    zero_price: ZeroPrice,
}

#[derive(Debug)]
struct Components {
    rows: Selector,
    kind: Field,
    code: Option<Field>,
    label: Option<Field>,
    amount: Field,
    not_included: Conditions,
}

impl PriceFields {
    pub fn compile(
        key: &str,
        config: &PriceRowConfig,
        zero_price: ZeroPrice,
        templates: &mut Templates,
    ) -> Result<Self, RestConfigError> {
        let path = |name: &str| format!("{key}.{name}");
        let mut optional =
            |name: &str, config: &Option<_>| Field::compile_optional(&path(name), config.as_ref(), templates);
        let unit = optional("unit", &config.unit)?;
        let quantity = optional("quantity", &config.quantity)?;
        let currency = optional("currency", &config.currency)?;
        let list_price = optional("list_price", &config.list_price)?;
        let base_quantity = optional("base_quantity", &config.base_quantity)?;
        let price_unit = optional("price_unit", &config.price_unit)?;
        let base_unit = optional("base_unit", &config.base_unit)?;
        let sales_unit = optional("sales_unit", &config.sales_unit)?;
        let tax_basis = optional("tax_basis", &config.tax_basis)?;
        let tax_rate = optional("tax_rate", &config.tax_rate)?;
        let net_amount = optional("net_amount", &config.net_amount)?;
        let valid_from = optional("valid_from", &config.valid_from)?;
        let valid_until = optional("valid_until", &config.valid_until)?;
        let valid_before = optional("valid_before", &config.valid_before)?;
        let min_order_quantity = optional("min_order_quantity", &config.min_order_quantity)?;
        let order_multiple = optional("order_multiple", &config.order_multiple)?;
        let backorder_allowed = optional("backorder_allowed", &config.backorder_allowed)?;
        let lead_time_days = optional("lead_time_days", &config.lead_time_days)?;
        let price_list = optional("price_list", &config.price_list)?;
        let units = match &config.units {
            Some(units) => Some((
                Selector::compile(&path("units.rows"), &units.rows)?,
                Field::compile(&path("units.unit"), &units.unit, templates)?,
                Field::compile(&path("units.factor"), &units.factor, templates)?,
            )),
            None => None,
        };
        let breaks = match &config.breaks {
            Some(breaks) => Some((
                Selector::compile(&path("breaks.rows"), &breaks.rows)?,
                Field::compile(&path("breaks.min_quantity"), &breaks.min_quantity, templates)?,
                Field::compile(&path("breaks.net_price"), &breaks.net_price, templates)?,
            )),
            None => None,
        };
        let components = match &config.components {
            Some(parts) => Some(Components {
                rows: Selector::compile(&path("components.rows"), &parts.rows)?,
                kind: Field::compile(&path("components.kind"), &parts.kind, templates)?,
                code: Field::compile_optional(&path("components.code"), parts.code.as_ref(), templates)?,
                label: Field::compile_optional(&path("components.label"), parts.label.as_ref(), templates)?,
                amount: Field::compile(&path("components.amount"), &parts.amount, templates)?,
                not_included: Conditions::compile(&path("components.not_included"), &parts.not_included)?,
            }),
            None => None,
        };
        if price_unit.is_some() && base_quantity.is_some() {
            return Err(RestConfigError::new(path("price_unit"), "excludes base_quantity"));
        }
        if price_unit.is_some() && base_unit.is_none() {
            return Err(RestConfigError::new(path("price_unit"), "needs base_unit"));
        }
        Ok(Self {
            sku: Field::compile(&path("sku"), &config.sku, templates)?,
            outcome: Outcome::compile(&path("outcome"), &config.outcome)?,
            net_price: Field::compile(&path("net_price"), &config.net_price, templates)?,
            unit,
            quantity,
            currency,
            list_price,
            base_quantity,
            price_unit,
            base_unit,
            sales_unit,
            units,
            breaks,
            components,
            tax_basis,
            tax_rate,
            net_amount,
            valid_from,
            valid_until,
            valid_before,
            min_order_quantity,
            order_multiple,
            backorder_allowed,
            lead_time_days,
            price_list,
            own_price: Conditions::compile(&path("own_price"), &config.own_price)?,
            zero_price,
        })
    }

    /// The lookups its fields read.
    pub fn lookups(&self) -> impl Iterator<Item = &String> {
        let optional = [
            &self.unit,
            &self.quantity,
            &self.currency,
            &self.list_price,
            &self.base_quantity,
            &self.price_unit,
            &self.base_unit,
            &self.sales_unit,
            &self.tax_basis,
            &self.tax_rate,
            &self.net_amount,
            &self.valid_from,
            &self.valid_until,
            &self.valid_before,
            &self.min_order_quantity,
            &self.order_multiple,
            &self.backorder_allowed,
            &self.lead_time_days,
            &self.price_list,
        ];
        let pairs = self.units.iter().chain(&self.breaks).flat_map(|(_, first, second)| [first, second]);
        let components = self.components.iter().flat_map(|parts| {
            [Some(&parts.kind), parts.code.as_ref(), parts.label.as_ref(), Some(&parts.amount)].into_iter().flatten()
        });
        [&self.sku, &self.net_price]
            .into_iter()
            .chain(optional.into_iter().flatten())
            .chain(pairs)
            .chain(components)
            .flat_map(Field::lookups)
    }

    /// `None`: not even the SKU can be read.
    pub fn read(&self, row: Row<'_>, scope: &Scope<'_>, asked: Currency) -> Option<PriceRow> {
        let sku = self.sku.text(row, scope).ok()??;
        let echo =
            || -> Result<_, String> { Ok((text(&self.unit, row, scope)?, quantity(&self.quantity, row, scope)?)) };
        let ((unit, quantity), said) = match echo() {
            Ok(echo) => match self.outcome.of(row) {
                Some(said) => (echo, said),
                None => (echo, self.read_line(row, scope, asked).unwrap_or_else(Said::Failed)),
            },
            Err(why) => ((None, None), Said::Failed(why)),
        };
        Some(PriceRow { sku: sku.into_owned(), unit, quantity, said })
    }

    fn read_line(&self, row: Row<'_>, scope: &Scope<'_>, asked: Currency) -> Result<Said<PricedLine>, String> {
        let Some(net_price) = self.net_price.money(row, scope)? else { return Ok(Said::OnRequest("no_price")) };
        if net_price.is_zero() && self.zero_price == ZeroPrice::OnRequest {
            return Ok(Said::OnRequest("zero_price"));
        }
        not_negative("net_price", net_price)?;
        let currency = match &self.currency {
            Some(field) => field.parse(row, scope, str::parse::<Currency>)?.unwrap_or(asked),
            None => asked,
        };
        let mut line = PricedLine::plain(currency, net_price);
        line.list_price = money(&self.list_price, row, scope)?;
        line.base_unit = id(&self.base_unit, row, scope, Unit::new)?;
        line.sales_unit = id(&self.sales_unit, row, scope, Unit::new)?;
        line.units = self.read_units(row, scope, line.base_unit.as_ref())?;
        line.base_quantity = self.read_base_quantity(row, scope, &line)?;
        line.breaks = self.read_breaks(row, scope)?;
        line.components = self.read_components(row, scope)?;
        line.tax_basis = match &self.tax_basis {
            Some(field) => field.parse(row, scope, |text| match text {
                "NET" => Ok(TaxBasis::Net),
                "GROSS" => Ok(TaxBasis::Gross),
                _ => Err("is neither NET nor GROSS"),
            })?,
            None => None,
        };
        // As told, like a price: "0.20" stays "0.20".
        line.tax_rate = money(&self.tax_rate, row, scope)?.and_then(|rate| Quantity::new(rate.get()));
        line.net_amount = money(&self.net_amount, row, scope)?;
        line.valid_from = self.valid_from.as_ref().map_or(Ok(None), |field| field.date(row, scope))?;
        line.valid_until = self.valid_until.as_ref().map_or(Ok(None), |field| field.date(row, scope))?;
        let before = self.valid_before.as_ref().map_or(Ok(None), |field| field.date(row, scope))?;
        let last = before.map(|day| day.yesterday().map_err(|_| "valid_before: out of range")).transpose()?;
        line.valid_until = [line.valid_until, last].into_iter().flatten().min();
        line.terms = Terms {
            min_order_quantity: quantity(&self.min_order_quantity, row, scope)?,
            order_multiple: quantity(&self.order_multiple, row, scope)?,
            backorder_allowed: self.backorder_allowed.as_ref().map_or(Ok(None), |field| field.flag(row, scope))?,
            lead_time_days: match &self.lead_time_days {
                Some(field) => field.parse(row, scope, str::parse::<u16>)?,
                None => None,
            },
        };
        let list = id(&self.price_list, row, scope, PriceListId::new)?;
        line.scope = if self.own_price.hold(row) { Some(ToldScope::Own) } else { list.map(ToldScope::PriceList) };
        if let (Some(base), Some(sales)) = (&line.base_unit, &line.sales_unit)
            && base != sales
            && !line.units.iter().any(|(unit, _)| unit == sales)
        {
            return Err(format!("the sales unit {sales} has no exact factor"));
        }
        Ok(Said::Told(line))
    }

    /// Without the base unit, and without units whose factor cannot be carried exactly.
    fn read_units(&self, row: Row<'_>, scope: &Scope<'_>, base: Option<&Unit>) -> Result<Vec<(Unit, Factor)>, String> {
        let mut units: Vec<(Unit, Factor)> = Vec::new();
        let Some((rows, unit, factor)) = &self.units else { return Ok(units) };
        for inner in rows.list(row)?.into_iter().flatten() {
            let inner = row.inner(inner);
            let Some(name) = unit.parse(inner, scope, Unit::new)? else { continue };
            let value = match factor.quantity(inner, scope) {
                Ok(Some(value)) if value.is_positive() => Factor::new(value.get()),
                _ => None,
            };
            let Some(value) = value.filter(|_| Some(&name) != base) else { continue };
            match units.iter().find(|(known, _)| *known == name) {
                Some((_, known)) if *known == value => {}
                Some(_) => return Err(format!("the unit {name} has two factors")),
                None => units.push((name, value)),
            }
        }
        Ok(units)
    }

    fn read_base_quantity(&self, row: Row<'_>, scope: &Scope<'_>, line: &PricedLine) -> Result<Quantity, String> {
        if let Some(unit) = id(&self.price_unit, row, scope, Unit::new)? {
            if Some(&unit) == line.base_unit.as_ref() {
                return Ok(Quantity::ONE);
            }
            let factor = line.units.iter().find(|(known, _)| *known == unit).map(|(_, factor)| *factor);
            return factor
                .and_then(|factor| Quantity::ONE.in_base_units(factor))
                .map(Quantity::normalized)
                .ok_or_else(|| format!("the price is per {unit}, which has no exact factor"));
        }
        let told = quantity(&self.base_quantity, row, scope)?.unwrap_or(Quantity::ONE);
        if told.is_positive() { Ok(told) } else { Err(format!("the price is for {told} base units")) }
    }

    fn read_breaks(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Vec<PriceBreak>, String> {
        let mut breaks: Vec<PriceBreak> = Vec::new();
        let Some((rows, minimum, price)) = &self.breaks else { return Ok(breaks) };
        for inner in rows.list(row)?.into_iter().flatten() {
            let inner = row.inner(inner);
            let (Some(min_quantity), Some(net_price)) = (minimum.quantity(inner, scope)?, price.money(inner, scope)?)
            else {
                return Err("a break lacks its minimum or its price".into());
            };
            if min_quantity < Quantity::ZERO {
                return Err("a break has a negative minimum".into());
            }
            not_negative("a break's price", net_price)?;
            breaks.push(PriceBreak { min_quantity, net_price });
        }
        breaks.sort_by_key(|one| one.min_quantity);
        breaks.dedup();
        match breaks.windows(2).find(|pair| pair[0].min_quantity == pair[1].min_quantity) {
            Some(pair) => Err(format!("two breaks from {} on contradict each other", pair[0].min_quantity)),
            None => Ok(breaks),
        }
    }

    fn read_components(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Vec<PriceComponent>, String> {
        let mut components = Vec::new();
        let Some(parts) = &self.components else { return Ok(components) };
        for inner in parts.rows.list(row)?.into_iter().flatten() {
            let inner = row.inner(inner);
            let (Some(kind), Some(amount)) = (parts.kind.text(inner, scope)?, parts.amount.money(inner, scope)?) else {
                return Err("a component lacks its kind or its amount".into());
            };
            components.push(PriceComponent {
                kind: kind.into_owned(),
                code: text(&parts.code, inner, scope)?.unwrap_or_default(),
                label: text(&parts.label, inner, scope)?.unwrap_or_default(),
                amount,
                included: !parts.not_included.hold(inner),
            });
        }
        Ok(components)
    }
}

fn not_negative(what: &str, price: Money) -> Result<(), String> {
    if price.get().is_sign_negative() && !price.is_zero() { Err(format!("{what} is negative")) } else { Ok(()) }
}

fn text(field: &Option<Field>, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<String>, String> {
    field.as_ref().map_or(Ok(None), |field| field.text(row, scope).map(|text| text.map(Cow::into_owned)))
}

fn money(field: &Option<Field>, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<Money>, String> {
    field.as_ref().map_or(Ok(None), |field| field.money(row, scope))
}

pub(super) fn quantity(field: &Option<Field>, row: Row<'_>, scope: &Scope<'_>) -> Result<Option<Quantity>, String> {
    field.as_ref().map_or(Ok(None), |field| field.quantity(row, scope))
}

pub(super) fn id<T, E: std::fmt::Display>(
    field: &Option<Field>,
    row: Row<'_>,
    scope: &Scope<'_>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, String> {
    field.as_ref().map_or(Ok(None), |field| field.parse(row, scope, read))
}
