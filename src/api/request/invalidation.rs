//! An invalidation: its JSON body, and the checks that both wires share.

use std::time::Duration;

use serde::Deserialize;

use super::json::{explain, text};
use super::loose::{Loose, Object};
use super::{malformed_duration, malformed_id, scalar, within};
use crate::api::context::Call;
use crate::api::proto::InvalidatePricesRequest;
use crate::api::status::{Fault, Refusal};
use crate::clock::Timestamp;
use crate::domain::{CompanyId, ContractId, CustomerId, IdError, PriceListId, Sku};
use crate::offer::{Invalidation, Named};

/// Ids in one list.
const IDS_MAX: usize = 10_000;

/// How far ahead a change may be announced.
const AHEAD_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// How long an ERP may take to commit what it told.
const SETTLE_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Body {
    company: Option<Loose>,
    customers: Option<Vec<Loose>>,
    #[serde(alias = "price_lists")]
    price_lists: Option<Vec<Loose>>,
    contracts: Option<Vec<Loose>>,
    skus: Option<Vec<Loose>>,
    all: Option<Loose>,
    at: Option<Loose>,
    settle: Option<Loose>,
}

/// Reads a body.
pub fn decode(body: &[u8]) -> Result<InvalidatePricesRequest, Refusal> {
    let Object(read) = serde_json::from_slice::<Object<Body>>(body).map_err(|_| explain::<Body>(body))?;
    Ok(InvalidatePricesRequest {
        company: text(read.company, || "company".into())?,
        customers: list(read.customers, "customers")?,
        price_lists: list(read.price_lists, "priceLists")?,
        contracts: list(read.contracts, "contracts")?,
        skus: list(read.skus, "skus")?,
        all: match read.all {
            None => false,
            Some(Loose::Bool(all)) => all,
            Some(_) => return Err(Refusal::at(Fault::WrongType, "all", "true or false is due")),
        },
        at: match read.at {
            None => None,
            Some(Loose::Text(at)) => Some(scalar::instant(&at).ok_or_else(malformed_instant)?),
            Some(_) => return Err(malformed_instant()),
        },
        settle: match read.settle {
            None => None,
            Some(Loose::Text(settle)) => Some(scalar::duration(&settle).ok_or_else(|| malformed_duration("settle"))?),
            Some(_) => return Err(malformed_duration("settle")),
        },
    })
}

fn list(told: Option<Vec<Loose>>, path: &str) -> Result<Vec<String>, Refusal> {
    let ids = told.unwrap_or_default().into_iter().enumerate();
    ids.map(|(index, id)| Ok(text(Some(id), || format!("{path}[{index}]"))?.unwrap_or_default())).collect()
}

/// Turns a decoded request into an invalidation.
pub fn check(request: InvalidatePricesRequest, call: &Call) -> Result<Invalidation, Refusal> {
    let named = Named {
        all: request.all,
        company: super::id(request.company, "company", CompanyId::new)?,
        customers: ids(&request.customers, "customers", CustomerId::new)?,
        price_lists: ids(&request.price_lists, "priceLists", PriceListId::new)?,
        contracts: ids(&request.contracts, "contracts", ContractId::new)?,
        skus: ids(&request.skus, "skus", Sku::new)?,
    };
    let at = request.at.map(|told| instant(told).ok_or_else(malformed_instant)).transpose()?;
    if at.is_some_and(|at| at > call.arrival.wall.plus(AHEAD_MAX)) {
        return Err(over("at", "at most 400 days ahead", AHEAD_MAX));
    }
    let settle = super::duration(request.settle, "settle")?.filter(|settle| !settle.is_zero());
    if settle.is_some_and(|settle| settle > SETTLE_MAX) {
        return Err(over("settle", "at most an hour", SETTLE_MAX));
    }
    Ok(Invalidation { named, at, settle, request_id: call.id.as_str().into() })
}

fn ids<T>(told: &[String], path: &str, new: impl Fn(&str) -> Result<T, IdError>) -> Result<Vec<T>, Refusal> {
    within(told.len(), IDS_MAX, path)?;
    let ids = told.iter().enumerate();
    ids.map(|(index, id)| new(id).map_err(|error| malformed_id(&format!("{path}[{index}]"), error))).collect()
}

/// Rounded up to the clock's milliseconds: never earlier than was said.
fn instant(told: prost_types::Timestamp) -> Option<Timestamp> {
    let nanos = u32::try_from(told.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let milliseconds = told.seconds.checked_mul(1000)?.checked_add(i64::from(nanos.div_ceil(1_000_000)))?;
    Some(Timestamp(milliseconds))
}

fn malformed_instant() -> Refusal {
    Refusal::at(Fault::MalformedInstant, "at", "is not an instant such as \"2026-11-22T10:04:32Z\"")
}

fn over(path: &str, what: &str, limit: Duration) -> Refusal {
    Refusal::at(Fault::OverLimit, path, what).limited(usize::try_from(limit.as_secs()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::context::RequestIds;
    use crate::clock::{Mono, Reading};

    const NOW: Timestamp = Timestamp(1_795_341_872_120);

    fn read(body: &str) -> Result<Invalidation, Refusal> {
        let id = RequestIds::default().take(&::http::HeaderMap::new());
        let call = Call { id, arrival: Reading { mono: Mono(1_000_000), wall: NOW } };
        check(decode(body.as_bytes())?, &call)
    }

    #[test]
    fn a_body_with_everything_is_understood() {
        let asked = read(
            r#"{"company":"FR01","customers":["C-1","C-2"],"priceLists":["L"],"contracts":["K"],"skus":["S"],"all":false,
                "at":"2026-11-23T00:00:00+01:00","settle":"5s"}"#,
        )
        .unwrap();
        assert_eq!(asked.named.company.unwrap().as_str(), "FR01");
        assert_eq!(asked.named.customers.len(), 2);
        assert_eq!(asked.named.price_lists[0].as_str(), "L");
        assert_eq!((asked.named.contracts.len(), asked.named.skus.len(), asked.named.all), (1, 1, false));
        assert_eq!(asked.at.unwrap().to_string(), "2026-11-22T23:00:00Z");
        assert_eq!(asked.settle, Some(Duration::from_secs(5)));
        let asked = read(r#"{"price_lists":null,"all":true,"at":"2026-11-22T10:04:32.1204Z","settle":"0s"}"#).unwrap();
        assert!(asked.named.all);
        assert_eq!((asked.at, asked.settle), (Some(Timestamp(NOW.0 + 1)), None), "rounded up; no time to settle");
    }

    #[test]
    fn bad_bodies_say_where_and_why() {
        let many = format!("{{\"skus\":[{}]}}", vec!["\"S\""; IDS_MAX + 1].join(","));
        for (body, fault, path) in [
            ("[]", Fault::WrongType, ""),
            ("{", Fault::MalformedJson, ""),
            (r#"{"customer":"C"}"#, Fault::UnknownField, "customer"),
            (r#"{"skus":["S"],"skus":["T"]}"#, Fault::DuplicateKey, "skus"),
            (r#"{"skus":"S"}"#, Fault::WrongType, "skus"),
            (r#"{"skus":["S",7]}"#, Fault::WrongType, "skus[1]"),
            (r#"{"skus":["S",""]}"#, Fault::MalformedId, "skus[1]"),
            (r#"{"customers":[null]}"#, Fault::WrongType, "customers[0]"),
            (r#"{"company":""}"#, Fault::MalformedId, "company"),
            (r#"{"all":"true"}"#, Fault::WrongType, "all"),
            (r#"{"all":true,"at":"tomorrow"}"#, Fault::MalformedInstant, "at"),
            (r#"{"all":true,"at":"2026-11-23"}"#, Fault::MalformedInstant, "at"),
            (r#"{"all":true,"at":"2026-11-23T00:00:00"}"#, Fault::MalformedInstant, "at"),
            (r#"{"all":true,"at":1795341872}"#, Fault::MalformedInstant, "at"),
            (r#"{"all":true,"at":"2029-11-23T00:00:00Z"}"#, Fault::OverLimit, "at"),
            (r#"{"all":true,"settle":"-1s"}"#, Fault::MalformedDuration, "settle"),
            (r#"{"all":true,"settle":"3601s"}"#, Fault::OverLimit, "settle"),
            (&many, Fault::OverLimit, "skus"),
        ] {
            let refusal = read(body).unwrap_err();
            let shown = &body[..body.len().min(60)];
            assert_eq!((refusal.fault, refusal.path.as_deref().unwrap_or_default()), (fault, path), "{shown}");
        }
    }
}
