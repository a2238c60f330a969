//! The JSON of `/sim/faults`. Durations are text (`"50ms"`, `"3.2ms"`, `"5s"`), the failure rate a decimal string.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Problem, read_id};
use crate::domain::{Quantity, Sku};
use crate::erp::connectors::simulated::{Faults, Garbage, Only};
use crate::human;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultsJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_rate: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hang: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    down: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    garbage: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    poison: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skus: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected \"prices\", \"stock\", \"customers\", or a list of them")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl FaultsJson {
    pub fn read(self) -> Result<Faults, Problem> {
        if self.concurrency == Some(0) {
            return Err(Problem::bad("concurrency: must be at least 1 (hang or down stop everything)"));
        }
        let only = match self.only {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        let skus = |field: &str, skus: &[String]| -> Result<Vec<Sku>, Problem> {
            skus.iter().enumerate().map(|(index, sku)| read_id(&format!("{field}[{index}]"), sku, Sku::new)).collect()
        };
        Ok(Faults {
            latency: self.latency.map(|text| read_duration("latency", &text)).transpose()?,
            per_line: self.per_line.map(|text| read_duration("perLine", &text)).transpose()?,
            concurrency: self.concurrency,
            calls_per_minute: self.calls_per_minute,
            failure_permille: self.failure_rate.map_or(Ok(0), |text| read_permille(&text))?,
            hang: self.hang,
            down: self.down,
            garbage: self.garbage.map(|name| read_garbage(&name)).transpose()?,
            poison: skus("poison", &self.poison)?,
            only: only.iter().map(|name| read_only(name)).collect::<Result<_, _>>()?,
            skus: skus("skus", &self.skus)?,
            times: self.times,
        })
    }
}

impl From<Faults> for FaultsJson {
    fn from(faults: Faults) -> Self {
        let names = |skus: &[Sku]| skus.iter().map(Sku::to_string).collect();
        let rate = Decimal::new(i64::from(faults.failure_permille), 3).normalize();
        let only: Vec<String> = faults.only.iter().map(|&only| only_name(only).to_owned()).collect();
        Self {
            latency: faults.latency.map(write_duration),
            per_line: faults.per_line.map(write_duration),
            concurrency: faults.concurrency,
            calls_per_minute: faults.calls_per_minute,
            failure_rate: (faults.failure_permille > 0).then(|| rate.to_string()),
            hang: faults.hang,
            down: faults.down,
            garbage: faults.garbage.map(|garbage| garbage.as_str().to_owned()),
            poison: names(&faults.poison),
            only: (!only.is_empty()).then_some(OneOrMany::Many(only)),
            skus: names(&faults.skus),
            times: faults.times,
        }
    }
}

fn read_duration(field: &str, text: &str) -> Result<Duration, Problem> {
    human::duration(text).map_err(|why| Problem::bad(format!("{field}: {why}")))
}

fn write_duration(duration: Duration) -> String {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    format!("{}ms", Decimal::new(micros, 3).normalize())
}

fn read_permille(text: &str) -> Result<u16, Problem> {
    let rate = text.parse::<Quantity>().ok();
    let permille =
        rate.and_then(|rate| rate.get().checked_mul(Decimal::ONE_THOUSAND)).map(|permille| permille.normalize());
    permille
        .filter(|permille| permille.scale() == 0)
        .and_then(|permille| u16::try_from(permille).ok())
        .filter(|permille| *permille <= 1000)
        .ok_or_else(|| {
            Problem::bad(format!("failureRate: {text:?} is not between \"0\" and \"1\" with 3 decimals at most"))
        })
}

fn read_garbage(name: &str) -> Result<Garbage, Problem> {
    Garbage::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Garbage::ALL.iter().map(|kind| kind.as_str()).collect();
        Problem::bad(format!("garbage: {name:?} is not one of {}", names.join(", ")))
    })
}

fn read_only(name: &str) -> Result<Only, Problem> {
    match name {
        "prices" | "offers" => Ok(Only::Prices),
        "stock" => Ok(Only::Stock),
        "customers" => Ok(Only::Customers),
        _ => Err(Problem::bad(format!("only: {name:?} is not one of prices, stock, customers"))),
    }
}

fn only_name(only: Only) -> &'static str {
    match only {
        Only::Prices => "prices",
        Only::Stock => "stock",
        Only::Customers => "customers",
    }
}
