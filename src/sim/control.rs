//! `/sim/`: looking at the simulated ERP and steering it. Costs nothing and is never counted.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::calls::{currency_for, read_customer};
use super::faults::FaultsJson;
use super::wire::{Break, Expected, status};
use super::{Problem, read_field, read_id, read_json, read_query};
use crate::domain::{Factor, LocationId, PricedLine, Quantity, Sku, Stock};
use crate::erp::connectors::simulated::connector::break_at;
use crate::erp::connectors::simulated::{ControlError, Faults, Simulator, Stats};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsJson {
    calls: u64,
    refused: u64,
    lines: u64,
    in_flight: u64,
    in_flight_peak: u64,
    calls_per_minute_peak: u64,
    recent: Vec<RecentJson>,
}

/// Milliseconds since the simulator started; `end` is null while the call runs.
#[derive(Serialize)]
struct RecentJson {
    operation: &'static str,
    lines: u64,
    start: u64,
    end: Option<u64>,
}

pub async fn stats(State(simulator): State<Arc<Simulator>>) -> Json<StatsJson> {
    Json(simulator.stats().into())
}

pub async fn reset_stats(State(simulator): State<Arc<Simulator>>) -> Json<StatsJson> {
    simulator.reset_stats();
    Json(simulator.stats().into())
}

impl From<Stats> for StatsJson {
    fn from(stats: Stats) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let recent = stats.recent.into_iter().map(|call| RecentJson {
            operation: call.operation.as_str(),
            lines: call.lines,
            start: millis(call.start),
            end: call.end.map(millis),
        });
        Self {
            calls: stats.calls,
            refused: stats.refused,
            lines: stats.lines,
            in_flight: stats.in_flight,
            in_flight_peak: stats.in_flight_peak,
            calls_per_minute_peak: stats.calls_per_minute_peak,
            recent: recent.collect(),
        }
    }
}

pub async fn faults(State(simulator): State<Arc<Simulator>>) -> Json<FaultsJson> {
    Json(simulator.faults().into())
}

pub async fn set_faults(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<Json<FaultsJson>, Problem> {
    let faults = read_json::<FaultsJson>(&body)?.read()?;
    simulator.set_faults(faults);
    Ok(Json(simulator.faults().into()))
}

pub async fn clear_faults(State(simulator): State<Arc<Simulator>>) -> Json<FaultsJson> {
    simulator.set_faults(Faults::default());
    Json(simulator.faults().into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PriceJson {
    /// Absent or null: the public.
    customer: Option<String>,
    sku: String,
    /// null: what the catalogue says, again.
    #[serde(deserialize_with = "Option::deserialize")]
    net_price: Option<String>,
}

pub async fn set_price(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<StatusCode, Problem> {
    let price: PriceJson = read_json(&body)?;
    let customer = read_customer(price.customer.as_deref())?;
    let sku = read_id("sku", &price.sku, Sku::new)?;
    let net_price = price.net_price.map(|text| read_field("netPrice", &text)).transpose()?;
    simulator.set_price(customer, sku, net_price)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StockJson {
    sku: String,
    location: String,
    /// null: what the catalogue says, again.
    #[serde(deserialize_with = "Option::deserialize")]
    on_hand: Option<String>,
}

pub async fn set_stock(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<StatusCode, Problem> {
    let stock: StockJson = read_json(&body)?;
    let sku = read_id("sku", &stock.sku, Sku::new)?;
    let location = read_id("location", &stock.location, LocationId::new)?;
    let on_hand = stock.on_hand.map(|text| read_field("onHand", &text)).transpose()?;
    simulator.set_on_hand(sku, location, on_hand)?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        Problem::bad(error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TruthQuery {
    customer: Option<String>,
    sku: String,
    /// In `unit`. Default 1.
    quantity: Option<String>,
    /// Default: the unit the SKU is sold in.
    unit: Option<String>,
    /// Default: the customer's.
    currency: Option<String>,
    /// Default: today in UTC.
    price_date: Option<String>,
}

/// What a gateway should answer. Fields that do not apply are null.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    customer: Option<String>,
    sku: String,
    status: &'static str,
    currency: String,
    price_date: String,
    /// Of the chosen break.
    net_price: Option<String>,
    list_price: Option<String>,
    base_quantity: Option<String>,
    base_unit: Option<String>,
    quantity: String,
    unit: Option<String>,
    unit_factor: Option<String>,
    #[serde(rename = "break")]
    chosen: Option<Break>,
    breaks: Vec<Break>,
    tracked: Option<bool>,
    /// The sum over locations, not below 0.
    available: Option<String>,
    locations: Vec<TruthLocation>,
    incoming: Vec<Expected>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TruthLocation {
    location: String,
    on_hand: Option<String>,
    reserved: Option<String>,
    available: String,
}

pub async fn truth(State(simulator): State<Arc<Simulator>>, RawQuery(query): RawQuery) -> Result<Json<Truth>, Problem> {
    let query: TruthQuery = read_query(query)?;
    let customer = read_customer(query.customer.as_deref())?;
    let currency = currency_for(&simulator, customer.as_ref(), query.currency.as_deref())?;
    if !crate::erp::connectors::simulated::catalogue::CURRENCIES.contains(&currency.as_str()) {
        return Err(Problem::bad(format!("currency: {currency} has no prices")));
    }
    if simulator.customer(customer.as_ref()).is_none() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "customer: is not known"));
    }
    let sku = read_id("sku", &query.sku, Sku::new)?;
    let day = query.price_date.map_or_else(|| Ok(simulator.today()), |text| read_field("priceDate", &text))?;
    let quantity: Quantity = read_field("quantity", query.quantity.as_deref().unwrap_or("1"))?;
    let row = simulator.offer(customer.as_ref(), currency, day, &sku);
    let mut truth = Truth {
        customer: query.customer,
        sku: row.sku,
        status: status(row.status),
        currency: currency.to_string(),
        price_date: day.to_string(),
        quantity: quantity.to_string(),
        ..Truth::default()
    };
    if let Some(line) = &row.line {
        truth.price(line, quantity, query.unit)?;
    }
    if let Some(stock) = &row.stock {
        truth.stock(stock);
    }
    Ok(Json(truth))
}

impl Truth {
    fn price(&mut self, line: &PricedLine, quantity: Quantity, unit: Option<String>) -> Result<(), Problem> {
        let unit = unit.or_else(|| line.sales_unit.as_ref().or(line.base_unit.as_ref()).map(ToString::to_string));
        let base_unit = line.base_unit.as_ref().map(|unit| unit.as_str());
        let factor = match unit.as_deref() {
            asked if asked == base_unit => Factor::ONE,
            asked => line
                .units
                .iter()
                .find(|(unit, _)| Some(unit.as_str()) == asked)
                .map(|(_, factor)| *factor)
                .ok_or_else(|| Problem::bad(format!("unit: the SKU is not sold in {unit:?}")))?,
        };
        let in_base = quantity.in_base_units(factor).ok_or_else(|| Problem::bad("quantity: is out of range"))?;
        let chosen = break_at(line, in_base);
        self.net_price = Some(chosen.map_or(line.net_price, |step| step.net_price).to_string());
        self.list_price = line.list_price.map(|price| price.to_string());
        self.base_quantity = Some(line.base_quantity.to_string());
        self.base_unit = base_unit.map(str::to_owned);
        self.unit = unit;
        self.unit_factor = Some(factor.to_string());
        self.chosen = chosen.map(Break::from);
        self.breaks = line.breaks.iter().map(Break::from).collect();
        Ok(())
    }

    fn stock(&mut self, stock: &Stock) {
        let Stock::Levels { base_unit, locations, incoming } = stock else {
            self.tracked = Some(false);
            return;
        };
        self.tracked = Some(true);
        self.base_unit = base_unit.as_ref().map(ToString::to_string);
        let sum = locations.iter().try_fold(Quantity::ZERO, |sum, level| sum.plus(level.available));
        self.available = sum.map(|sum| sum.max(Quantity::ZERO).to_string());
        self.locations = locations
            .iter()
            .map(|level| TruthLocation {
                location: level.location.to_string(),
                on_hand: level.on_hand.map(|quantity| quantity.to_string()),
                reserved: level.reserved.map(|quantity| quantity.to_string()),
                available: level.available.to_string(),
            })
            .collect();
        self.incoming = incoming.iter().map(Expected::from).collect();
    }
}
