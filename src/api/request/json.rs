//! The JSON body of a request: the canonical mapping of `GetOffersRequest`, by either spelling of a name. Unknown and
//! doubled fields are refused.

use serde::Deserialize;

use super::{customer_empty, malformed_duration, scalar, unknown_value};
use crate::api::proto::{GetOffersRequest, OfferLine};
use crate::api::status::{Fault, Refusal};

use super::loose::{self, Loose, Object};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Body {
    /// `null` is not absence here: somebody meant to say who asks, and failed.
    #[serde(deserialize_with = "loose::even_null")]
    customer: Option<Loose>,
    company: Option<Loose>,
    #[serde(alias = "ship_to")]
    ship_to: Option<Loose>,
    contract: Option<Loose>,
    currency: Option<Loose>,
    #[serde(alias = "price_date")]
    price_date: Option<Loose>,
    purpose: Option<Loose>,
    #[serde(alias = "max_age")]
    max_age: Option<Loose>,
    #[serde(alias = "stale_if_error")]
    stale_if_error: Option<Loose>,
    timeout: Option<Loose>,
    parts: Option<Vec<Loose>>,
    locations: Option<Vec<Loose>>,
    lines: Option<Vec<Object<Line>>>,
    visitor: Option<Loose>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    sku: Option<Loose>,
    quantity: Option<Loose>,
    unit: Option<Loose>,
    reference: Option<Loose>,
}

/// Reads a body.
pub fn decode(body: &[u8]) -> Result<GetOffersRequest, Refusal> {
    let Object(read) = serde_json::from_slice::<Object<Body>>(body).map_err(|_| explain::<Body>(body))?;
    if matches!(read.customer, Some(Loose::Null)) {
        return Err(customer_empty());
    }
    Ok(GetOffersRequest {
        customer: text(read.customer, || "customer".into())?,
        company: text(read.company, || "company".into())?,
        ship_to: text(read.ship_to, || "shipTo".into())?,
        contract: text(read.contract, || "contract".into())?,
        currency: text(read.currency, || "currency".into())?,
        price_date: text(read.price_date, || "priceDate".into())?,
        purpose: read.purpose.map(|told| value(told, || "purpose".into(), scalar::purpose)).transpose()?.unwrap_or(0),
        max_age: duration(read.max_age, "maxAge")?,
        stale_if_error: duration(read.stale_if_error, "staleIfError")?,
        timeout: duration(read.timeout, "timeout")?,
        parts: (read.parts.unwrap_or_default().into_iter().enumerate())
            .map(|(index, told)| value(told, || format!("parts[{index}]"), scalar::part))
            .collect::<Result<_, _>>()?,
        locations: (read.locations.unwrap_or_default().into_iter().enumerate())
            .map(|(index, told)| Ok(text(Some(told), || format!("locations[{index}]"))?.unwrap_or_default()))
            .collect::<Result<_, Refusal>>()?,
        lines: (read.lines.unwrap_or_default().into_iter().enumerate())
            .map(|(index, Object(line))| {
                Ok(OfferLine {
                    sku: text(line.sku, || format!("lines[{index}].sku"))?.unwrap_or_default(),
                    quantity: decimal(line.quantity, || format!("lines[{index}].quantity"))?,
                    unit: text(line.unit, || format!("lines[{index}].unit"))?,
                    reference: text(line.reference, || format!("lines[{index}].reference"))?,
                })
            })
            .collect::<Result<_, Refusal>>()?,
        visitor: text(read.visitor, || "visitor".into())?,
    })
}

pub(super) fn text(told: Option<Loose>, path: impl Fn() -> String) -> Result<Option<String>, Refusal> {
    match told {
        None => Ok(None),
        Some(Loose::Text(text)) => Ok(Some(text)),
        Some(Loose::Number(number)) => Err(Refusal::at(Fault::WrongType, path(), format_args!("write \"{number}\""))),
        Some(_) => Err(Refusal::at(Fault::WrongType, path(), "a string is due")),
    }
}

fn decimal(told: Option<Loose>, path: impl Fn() -> String) -> Result<Option<String>, Refusal> {
    match told {
        // Whoever sends a number has had it in a float, and what was lost there cannot be told from what was meant.
        Some(Loose::Number(number)) if number.contains(['e', 'E']) => {
            Err(Refusal::at(Fault::MalformedDecimal, path(), "write a decimal string such as \"12\""))
        }
        Some(Loose::Number(number)) => {
            Err(Refusal::at(Fault::MalformedDecimal, path(), format_args!("write \"{number}\"")))
        }
        other => text(other, path),
    }
}

fn duration(told: Option<Loose>, path: &str) -> Result<Option<prost_types::Duration>, Refusal> {
    match told {
        None => Ok(None),
        Some(Loose::Text(text)) => scalar::duration(&text).map(Some).ok_or_else(|| malformed_duration(path)),
        Some(_) => Err(malformed_duration(path)),
    }
}

/// An enum by its name, or its number.
fn value(told: Loose, path: impl Fn() -> String, by_name: impl Fn(&str) -> Option<i32>) -> Result<i32, Refusal> {
    match told {
        Loose::Text(name) => by_name(&name).ok_or_else(|| unknown_value(path(), &format_args!("{name:?}"))),
        Loose::Number(number) => number.parse().map_err(|_| unknown_value(path(), &number)),
        _ => Err(Refusal::at(Fault::WrongType, path(), "a name is due")),
    }
}

/// Reads a body that could not be read once more, slowly, to say where and why.
#[cold]
pub(super) fn explain<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Refusal {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let (path, error) = match serde_path_to_error::deserialize::<_, Object<T>>(&mut reader) {
        Ok(_) => match reader.end() {
            Err(error) => (String::new(), error),
            Ok(()) => return Refusal::new(Fault::Internal, "the body was read once and refused once"),
        },
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    let path = if path == "." { String::new() } else { path };
    let message = error.to_string();
    let (fault, quoted) = match message.split('`').next() {
        _ if !error.is_data() => (Fault::MalformedJson, None),
        Some("unknown field ") => (Fault::UnknownField, message.split('`').nth(1)),
        Some("duplicate field ") => (Fault::DuplicateKey, message.split('`').nth(1)),
        _ => (Fault::WrongType, None),
    };
    if fault == Fault::MalformedJson {
        return Refusal::new(fault, message);
    }
    let path = match quoted {
        Some(name) if path.rsplit('.').next() != Some(name) && path.is_empty() => name.to_owned(),
        Some(name) if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        _ => path,
    };
    let what = match fault {
        Fault::UnknownField => "there is no such field".to_owned(),
        Fault::DuplicateKey => "is given twice".to_owned(),
        _ => message,
    };
    if path.is_empty() { Refusal::new(fault, what) } else { Refusal::at(fault, path, what) }
}
