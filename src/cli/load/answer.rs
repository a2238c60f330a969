//! An answer, read for what is counted and no more: nothing else of a page of 50 kB is decoded or kept.

use prost::Message as _;
use serde::Deserialize;

use crate::api::proto::{availability_status, offer_status, source};

/// One line, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub status: &'a str,
    /// Empty where there is none.
    pub reason: &'a str,
    pub price: Option<Figure<'a>>,
    /// Absent too where the line has none for its status.
    pub stock: Option<Figure<'a>>,
    /// The stock's own status; empty where the line has no such part.
    pub stock_status: &'a str,
}

/// Where a figure came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure<'a> {
    pub source: &'a str,
    pub stale: bool,
}

/// Not an answer of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be read")]
pub struct Unreadable;

/// Hands each line of a JSON answer to `line`.
pub fn read_json(body: &[u8], mut line: impl FnMut(Line<'_>)) -> Result<(), Unreadable> {
    let page: JsonPage<'_> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    for offer in page.offers {
        line(Line {
            status: offer.status,
            reason: offer.reason.unwrap_or_default(),
            price: offer.price.and_then(|price| price.freshness).map(Figure::from),
            stock_status: offer.availability.as_ref().map(|stock| stock.status).unwrap_or_default(),
            stock: offer.availability.and_then(|stock| stock.freshness).map(Figure::from),
        });
    }
    Ok(())
}

/// The same for a framed gRPC message.
pub fn read_grpc(message: &[u8], mut line: impl FnMut(Line<'_>)) -> Result<(), Unreadable> {
    let page = WirePage::decode(message.get(5..).ok_or(Unreadable)?).map_err(|_| Unreadable)?;
    for offer in &page.offers {
        let stock = offer.availability.as_ref();
        line(Line {
            status: offer.status().as_str_name(),
            reason: offer.reason(),
            price: offer.price.as_ref().and_then(|price| price.freshness.as_ref()).map(Figure::from),
            stock_status: stock.map(|stock| stock.status().as_str_name()).unwrap_or_default(),
            stock: stock.and_then(|stock| stock.freshness.as_ref()).map(Figure::from),
        });
    }
    Ok(())
}

/// The reason in a problem's body, if that is what it is.
pub fn problem_reason(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        reason: String,
    }
    serde_json::from_slice::<Problem>(body).ok().map(|problem| problem.reason)
}

// Statuses, reasons and sources are plain words, so they are borrowed from the body as they stand.

#[derive(Deserialize)]
struct JsonPage<'a> {
    #[serde(borrow)]
    offers: Vec<JsonOffer<'a>>,
}

#[derive(Deserialize)]
struct JsonOffer<'a> {
    status: &'a str,
    #[serde(borrow)]
    reason: Option<&'a str>,
    #[serde(borrow)]
    price: Option<JsonPrice<'a>>,
    #[serde(borrow)]
    availability: Option<JsonStock<'a>>,
}

#[derive(Deserialize)]
struct JsonPrice<'a> {
    #[serde(borrow)]
    freshness: Option<JsonFreshness<'a>>,
}

#[derive(Deserialize)]
struct JsonStock<'a> {
    status: &'a str,
    #[serde(borrow)]
    freshness: Option<JsonFreshness<'a>>,
}

#[derive(Deserialize)]
struct JsonFreshness<'a> {
    source: &'a str,
    #[serde(default)]
    stale: bool,
}

impl<'a> From<JsonFreshness<'a>> for Figure<'a> {
    fn from(freshness: JsonFreshness<'a>) -> Self {
        Self { source: freshness.source, stale: freshness.stale }
    }
}

// The same few fields of `proto/comptoir/v1/offers.proto`; a test compares them with the generated messages.

#[derive(Clone, PartialEq, prost::Message)]
struct WirePage {
    #[prost(message, repeated, tag = "4")]
    offers: Vec<WireOffer>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireOffer {
    #[prost(enumeration = "offer_status::Value", tag = "7")]
    status: i32,
    #[prost(string, optional, tag = "8")]
    reason: Option<String>,
    #[prost(message, optional, tag = "9")]
    price: Option<WirePrice>,
    #[prost(message, optional, tag = "11")]
    availability: Option<WireStock>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WirePrice {
    #[prost(message, optional, tag = "14")]
    freshness: Option<WireFreshness>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireStock {
    #[prost(enumeration = "availability_status::Value", tag = "1")]
    status: i32,
    #[prost(message, optional, tag = "8")]
    freshness: Option<WireFreshness>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireFreshness {
    #[prost(enumeration = "source::Value", tag = "1")]
    source: i32,
    #[prost(bool, optional, tag = "4")]
    stale: Option<bool>,
}

impl From<&WireFreshness> for Figure<'static> {
    fn from(freshness: &WireFreshness) -> Self {
        Self { source: freshness.source().as_str_name(), stale: freshness.stale() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::{Availability, Freshness, GetOffersResponse, Offer, Price};

    fn freshness(source: source::Value, stale: bool) -> Option<Freshness> {
        Some(Freshness { source: source.into(), stale: Some(stale), ..Freshness::default() })
    }

    const SEEN: [Line<'static>; 2] = [
        Line {
            status: "OK",
            reason: "",
            price: Some(Figure { source: "MEMORY", stale: true }),
            stock: Some(Figure { source: "ERP", stale: false }),
            stock_status: "OK",
        },
        Line { status: "UNAVAILABLE", reason: "pending", price: None, stock: None, stock_status: "UNAVAILABLE" },
    ];

    #[test]
    fn grpc_lines_are_read_as_the_generated_messages_write_them() {
        let answer = GetOffersResponse {
            offers: vec![
                Offer {
                    sku: "A".into(),
                    status: offer_status::Value::Ok.into(),
                    price: Some(Price { freshness: freshness(source::Value::Memory, true), ..Price::default() }),
                    availability: Some(Availability {
                        status: availability_status::Value::Ok.into(),
                        freshness: freshness(source::Value::Erp, false),
                        ..Availability::default()
                    }),
                    ..Offer::default()
                },
                Offer {
                    status: offer_status::Value::Unavailable.into(),
                    reason: Some("pending".into()),
                    availability: Some(Availability {
                        status: availability_status::Value::Unavailable.into(),
                        ..Availability::default()
                    }),
                    ..Offer::default()
                },
            ],
            ..GetOffersResponse::default()
        };
        let message = [vec![0; 5], answer.encode_to_vec()].concat();
        let mut lines = 0;
        read_grpc(&message, |line| {
            assert_eq!(line, SEEN[lines]);
            lines += 1;
        })
        .unwrap();
        assert_eq!(lines, 2);
        assert_eq!(read_grpc(&message[..4], |_| {}), Err(Unreadable));
        assert_eq!(read_grpc(&message[..message.len() - 1], |_| {}), Err(Unreadable));
    }

    #[test]
    fn json_lines_are_read_and_the_rest_is_passed_over() {
        let body = br#"{"party": {"customer": "C"}, "offers": [
            {"sku": "A \"b\" ]", "status": "OK", "price": {"status": "OK", "breaks": [{"netPrice": "1"}],
             "freshness": {"source": "MEMORY", "observedAt": "x", "stale": true}},
             "availability": {"status": "OK", "locations": [{"freshness": {}}], "freshness": {"source": "ERP"}}},
            {"sku": "B", "status": "UNAVAILABLE", "reason": "pending", "availability": {"status": "UNAVAILABLE"}}]}"#;
        let mut lines = 0;
        read_json(body, |line| {
            assert_eq!(line, SEEN[lines]);
            lines += 1;
        })
        .unwrap();
        assert_eq!(lines, 2);
        assert_eq!(read_json(&body[..100], |_| {}), Err(Unreadable));
        assert_eq!(problem_reason(br#"{"reason": "over_limit", "status": 503}"#).as_deref(), Some("over_limit"));
        assert_eq!(problem_reason(b"<html>"), None);
    }
}
