//! A request, once decoded, checked: the same checks whatever the wire. What is wrong with one line is not refused here; it
//! becomes that line's fault.

pub mod form;
pub mod invalidation;
pub mod json;
mod loose;
pub mod protobuf;
mod scalar;
pub mod stock;
#[cfg(test)]
mod tests;
pub mod told;

use std::time::Duration;

use super::config::ApiConfig;
use super::context::Call;
use super::proto::{self, GetOffersRequest};
use super::status::{Fault, Refusal};
use crate::domain::{IdError, LocationId, Purpose};
use crate::offer::{LineQuery, OfferQuery, Parts};

/// Turns a decoded request into a question. `wire_timeout` is what the transport itself allows, where it does.
pub fn check(
    request: GetOffersRequest,
    config: &ApiConfig,
    call: &Call,
    wire_timeout: Option<Duration>,
) -> Result<OfferQuery, Refusal> {
    if request.customer.as_deref() == Some("") {
        return Err(customer_empty());
    }
    if request.lines.is_empty() {
        return Err(Refusal::at(Fault::LinesEmpty, "lines", "name at least one SKU"));
    }
    within(request.lines.len(), config.lines_max, "lines")?;
    within(request.locations.len(), config.locations_max, "locations")?;
    let asked = duration(request.timeout, "timeout")?.unwrap_or(config.timeout_default).min(config.timeout_max);
    let timeout = wire_timeout.map_or(asked, |wire| wire.min(asked));
    Ok(OfferQuery {
        customer: id(request.customer, "customer", crate::domain::CustomerId::new)?,
        company: id(request.company, "company", crate::domain::CompanyId::new)?,
        ship_to: id(request.ship_to, "shipTo", crate::domain::ShipToId::new)?,
        contract: id(request.contract, "contract", crate::domain::ContractId::new)?,
        visitor: id(request.visitor.filter(|text| !text.is_empty()), "visitor", crate::domain::VisitorId::new)?,
        currency: request
            .currency
            .map(|text| text.parse().map_err(|error| Refusal::at(Fault::MalformedCurrency, "currency", error)))
            .transpose()?,
        price_date: request
            .price_date
            .map(|text| scalar::date(&text).ok_or_else(|| malformed_date("priceDate")))
            .transpose()?,
        purpose: purpose(request.purpose)?,
        max_age: duration(request.max_age, "maxAge")?,
        stale_if_error: duration(request.stale_if_error, "staleIfError")?,
        parts: parts(&request.parts)?,
        locations: locations(&request.locations)?,
        lines: request
            .lines
            .into_iter()
            .map(|line| LineQuery::new(line.sku, line.quantity, line.unit, line.reference))
            .collect(),
        request_id: call.id.as_str().into(),
        arrival: call.arrival,
        deadline: call.arrival.mono.plus(timeout),
    })
}

/// Refuses a page where one line is due.
pub fn one_line(query: OfferQuery) -> Result<OfferQuery, Refusal> {
    within(query.lines.len(), 1, "lines")?;
    Ok(query)
}

pub fn customer_empty() -> Refusal {
    Refusal::at(Fault::CustomerEmpty, "customer", "leave it out for the public offer")
}

fn within(count: usize, limit: usize, path: &str) -> Result<(), Refusal> {
    if count > limit {
        return Err(Refusal::at(Fault::OverLimit, path, format_args!("{count}, the most is {limit}")).limited(limit));
    }
    Ok(())
}

fn id<T>(text: Option<String>, path: &str, new: impl Fn(&str) -> Result<T, IdError>) -> Result<Option<T>, Refusal> {
    text.map(|text| new(&text).map_err(|error| malformed_id(path, error))).transpose()
}

fn malformed_id(path: &str, error: IdError) -> Refusal {
    Refusal::at(Fault::MalformedId, path, error)
}

fn malformed_date(path: &str) -> Refusal {
    Refusal::at(Fault::MalformedDate, path, "is not a day written YYYY-MM-DD")
}

fn duration(told: Option<prost_types::Duration>, path: &str) -> Result<Option<Duration>, Refusal> {
    let Some(told) = told else { return Ok(None) };
    scalar::checked(told).map(Some).ok_or_else(|| malformed_duration(path))
}

fn malformed_duration(path: &str) -> Refusal {
    Refusal::at(Fault::MalformedDuration, path, "is not a duration of zero or more seconds such as \"1.5s\"")
}

fn purpose(number: i32) -> Result<Purpose, Refusal> {
    use proto::purpose::Value;
    Ok(match Value::try_from(number) {
        Ok(Value::Unspecified) => Purpose::default(),
        Ok(Value::List) => Purpose::List,
        Ok(Value::Detail) => Purpose::Detail,
        Ok(Value::Cart) => Purpose::Cart,
        Ok(Value::Checkout) => Purpose::Checkout,
        Ok(Value::Feed) => Purpose::Feed,
        Ok(Value::Warmup) => Purpose::Warmup,
        Ok(Value::Audit) => Purpose::Audit,
        Err(_) => return Err(unknown_value("purpose", &number)),
    })
}

fn parts(numbers: &[i32]) -> Result<Parts, Refusal> {
    use proto::part::Value;
    if numbers.is_empty() {
        return Ok(Parts::BOTH);
    }
    let mut parts = Parts { price: false, availability: false };
    for (index, number) in numbers.iter().enumerate() {
        match Value::try_from(*number) {
            Ok(Value::Price) => parts.price = true,
            Ok(Value::Availability) => parts.availability = true,
            Ok(Value::Unspecified) | Err(_) => return Err(unknown_value(format!("parts[{index}]"), number)),
        }
    }
    Ok(parts)
}

fn unknown_value(path: impl Into<String>, value: &dyn std::fmt::Display) -> Refusal {
    Refusal::at(Fault::UnknownValue, path, format_args!("there is no value {value}"))
}

/// Each location once, in the order asked.
fn locations(names: &[String]) -> Result<Vec<LocationId>, Refusal> {
    let mut seen = std::collections::HashSet::with_capacity(names.len());
    let mut found = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let location = LocationId::new(name).map_err(|error| malformed_id(&format!("locations[{index}]"), error))?;
        if seen.insert(name.as_str()) {
            found.push(location);
        }
    }
    Ok(found)
}
