//! The query string of a `GET`: repeated parameters, in the forms shops write them (`sku=A&sku=B`, `sku[]=A`, `sku[3]=A`).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{malformed_duration, scalar, unknown_value};
use crate::api::proto::{GetOffersRequest, OfferLine};
use crate::api::status::{Fault, Refusal};

/// Reads a query string.
pub fn decode(query: &str) -> Result<GetOffersRequest, Refusal> {
    let mut request = GetOffersRequest::default();
    let (mut skus, mut quantities, mut units, mut references) =
        (List::new("sku"), List::new("quantity"), List::new("unit"), List::new("reference"));
    let (mut parts, mut locations) = (List::new("part"), List::new("location"));
    let (mut purpose, mut max_age, mut stale_if_error, mut timeout) = (None, None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (text(name)?, text(value)?);
        let (base, subscript) = split(&name);
        let list = match base {
            "sku" | "skus" => Some(&mut skus),
            "quantity" | "quantities" => Some(&mut quantities),
            "unit" => Some(&mut units),
            "reference" => Some(&mut references),
            "part" | "parts" => Some(&mut parts),
            "location" | "locations" => Some(&mut locations),
            _ => None,
        };
        if let Some(list) = list {
            list.values.push((number(&name, subscript)?, value.into_owned()));
            continue;
        }
        let single = match &*name {
            "customer" => &mut request.customer,
            "company" => &mut request.company,
            "shipTo" | "ship_to" => &mut request.ship_to,
            "contract" => &mut request.contract,
            "currency" => &mut request.currency,
            "priceDate" | "price_date" => &mut request.price_date,
            "visitor" => &mut request.visitor,
            "purpose" => &mut purpose,
            "maxAge" | "max_age" => &mut max_age,
            "staleIfError" | "stale_if_error" => &mut stale_if_error,
            "timeout" => &mut timeout,
            _ => return Err(Refusal::at(Fault::UnknownField, name, "there is no such parameter")),
        };
        if single.replace(value.into_owned()).is_some() {
            return Err(Refusal::at(Fault::DuplicateKey, name, "is given twice"));
        }
    }
    if let Some(name) = purpose {
        request.purpose = scalar::purpose(&name).ok_or_else(|| unknown_value("purpose", &format_args!("{name:?}")))?;
    }
    request.max_age = duration(max_age, "maxAge")?;
    request.stale_if_error = duration(stale_if_error, "staleIfError")?;
    request.timeout = duration(timeout, "timeout")?;
    for (_, name) in parts.ordered()? {
        let part = scalar::part(&name).ok_or_else(|| unknown_value("part", &format_args!("{name:?}")))?;
        request.parts.push(part);
    }
    request.locations = locations.ordered()?.into_iter().map(|(_, name)| name).collect();
    let skus = skus.ordered()?;
    let mut quantities = quantities.beside(&skus)?;
    let mut units = units.beside(&skus)?;
    let mut references = references.beside(&skus)?;
    request.lines = (skus.into_iter())
        .map(|(_, sku)| OfferLine { sku, quantity: quantities(), unit: units(), reference: references() })
        .collect();
    Ok(request)
}

/// One repeated parameter.
struct List {
    name: &'static str,
    values: Vec<(Option<u32>, String)>,
}

impl List {
    fn new(name: &'static str) -> Self {
        Self { name, values: Vec::new() }
    }

    /// By subscript where there are any, else as written.
    fn ordered(mut self) -> Result<Vec<(Option<u32>, String)>, Refusal> {
        let indexed = self.values.iter().filter(|(index, _)| index.is_some()).count();
        if indexed == 0 {
            return Ok(self.values);
        }
        if indexed < self.values.len() {
            return Err(Refusal::at(Fault::MalformedQuery, self.name, "number all of them or none"));
        }
        self.values.sort_by_key(|(index, _)| *index);
        match self.values.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(_) => Err(Refusal::at(Fault::DuplicateKey, self.name, "a number is given twice")),
            None => Ok(self.values),
        }
    }

    /// One value for every SKU, in their order: the same for all, or as many as there are.
    fn beside(self, skus: &[(Option<u32>, String)]) -> Result<impl FnMut() -> Option<String> + use<>, Refusal> {
        let name = self.name;
        let values = self.ordered()?;
        let shared = match values.as_slice() {
            [] => Some(None),
            [(None, one)] => Some(Some(one.clone())),
            _ => None,
        };
        if shared.is_none() {
            if values.len() != skus.len() {
                let counts = format!("{} for {} SKUs", values.len(), skus.len());
                return Err(Refusal::at(Fault::QuantityCount, name, counts));
            }
            // Numbered values belong to the SKU of their number, so the numbers must be the same.
            let numbered = values[0].0.is_some() && skus[0].0.is_some();
            if numbered && values.iter().zip(skus).any(|(value, sku)| value.0 != sku.0) {
                return Err(Refusal::at(Fault::QuantityCount, name, "its numbers are not those of the SKUs"));
            }
        }
        let mut values = values.into_iter();
        Ok(move || match &shared {
            Some(shared) => shared.clone(),
            None => values.next().map(|(_, value)| value),
        })
    }
}

/// `sku`, `sku[]` or `sku[3]`: the name, and what is between the brackets.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.strip_suffix(']').and_then(|open| open.split_once('[')).unwrap_or((name, ""))
}

fn number(name: &str, subscript: &str) -> Result<Option<u32>, Refusal> {
    if subscript.is_empty() {
        return Ok(None);
    }
    let digits = subscript.bytes().all(|b| b.is_ascii_digit());
    match subscript.parse().ok().filter(|_| digits) {
        Some(index) => Ok(Some(index)),
        None => Err(Refusal::at(Fault::MalformedQuery, name, "a number is due between the brackets")),
    }
}

pub(super) fn text(encoded: &str) -> Result<Cow<'_, str>, Refusal> {
    let spaced = if encoded.contains('+') { Cow::Owned(encoded.replace('+', " ")) } else { Cow::Borrowed(encoded) };
    let malformed = |_| Refusal::new(Fault::MalformedQuery, "a parameter is not UTF-8");
    match spaced {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8().map_err(malformed),
        Cow::Owned(text) => {
            percent_decode_str(&text).decode_utf8().map(|text| Cow::Owned(text.into_owned())).map_err(malformed)
        }
    }
}

fn duration(told: Option<String>, path: &str) -> Result<Option<prost_types::Duration>, Refusal> {
    told.map(|text| scalar::duration(&text).ok_or_else(|| malformed_duration(path))).transpose()
}
