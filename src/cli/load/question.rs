//! A page on the wire, made before it is due so that its making is in nobody's latency.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use super::plan::{Page, customer_id, sku};
use crate::api::proto::{GetOffersRequest, OfferLine};

/// The body of `POST /v1/offers`.
pub fn json(page: &Page, timeout: Duration) -> Bytes {
    let mut body = String::with_capacity(100 + page.skus.len() * 22);
    let (customer, purpose) = (customer_id(page.customer), page.purpose);
    let (seconds, nanos) = (timeout.as_secs(), timeout.subsec_nanos());
    // Writing into a String cannot fail.
    let _ =
        write!(body, r#"{{"customer":"{customer}","purpose":"{purpose}","timeout":"{seconds}.{nanos:09}s","lines":["#);
    for (index, &number) in page.skus.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(body, r#"{comma}{{"sku":"{}"}}"#, sku(number));
    }
    body.push_str("]}");
    body.into()
}

/// The message of `GetOffers`, framed: a flag byte and four of length before it.
pub fn grpc(page: &Page, timeout: Duration) -> Bytes {
    let question = GetOffersRequest {
        customer: Some(customer_id(page.customer)),
        purpose: crate::api::proto::purpose::Value::from_str_name(page.purpose.as_str()).unwrap_or_default().into(),
        timeout: prost_types::Duration::try_from(timeout).ok(),
        lines: page.skus.iter().map(|&number| OfferLine { sku: sku(number), ..OfferLine::default() }).collect(),
        ..GetOffersRequest::default()
    };
    let length = question.encoded_len();
    let mut message = BytesMut::with_capacity(5 + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).expect("a page is small"));
    question.encode(&mut message).expect("there is room");
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::purpose;
    use crate::domain::Purpose;

    fn page() -> Page {
        Page { at: Duration::ZERO, purpose: Purpose::Checkout, customer: 42, skus: vec![7, 100_000] }
    }

    #[test]
    fn json_says_it_all() {
        assert_eq!(
            json(&page(), Duration::from_millis(1_500)),
            r#"{"customer":"C-00042","purpose":"CHECKOUT","timeout":"1.500000000s","lines":[{"sku":"SKU-000007"},{"sku":"SKU-100000"}]}"#
        );
    }

    #[test]
    fn grpc_says_the_same() {
        let mut message = grpc(&page(), Duration::from_millis(1_500));
        let frame = message.split_to(5);
        assert_eq!((frame[0], frame[4] as usize), (0, message.len()));
        let question = GetOffersRequest::decode(message).unwrap();
        assert_eq!(question.customer(), "C-00042");
        assert_eq!(question.purpose(), purpose::Value::Checkout);
        assert_eq!(question.timeout, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
        let skus: Vec<_> = question.lines.iter().map(|line| line.sku.as_str()).collect();
        assert_eq!(skus, ["SKU-000007", "SKU-100000"]);
    }
}
