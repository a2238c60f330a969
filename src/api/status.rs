//! Every error that is not one line's: its HTTP status, gRPC code, stable reason and title, and how both wires say it.

use std::borrow::Cow;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::context::RequestId;
use super::encode::put_text;
use crate::offer::OfferError;

/// What can be wrong with a request as a whole, and with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BodyTimeout,
    BodyTooLong,
    Contradictory,
    CompressedMessage,
    CustomerEmpty,
    CustomerUnknown,
    DuplicateKey,
    Http2Required,
    Internal,
    LinesEmpty,
    MalformedCurrency,
    MalformedDate,
    MalformedDecimal,
    MalformedDuration,
    MalformedId,
    MalformedInstant,
    MalformedJson,
    MalformedProtobuf,
    MalformedQuery,
    MethodNotAllowed,
    NoSuchResource,
    NotDurable,
    NothingNamed,
    NotResolvable,
    OverLimit,
    QuantityCount,
    TooManyWaiting,
    UnknownField,
    UnknownValue,
    UnsupportedMediaType,
    WrongType,
}

impl Fault {
    /// HTTP status, gRPC code, reason, title.
    #[rustfmt::skip]
    pub fn facts(self) -> (u16, Code, &'static str, &'static str) {
        use Code::{DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound, ResourceExhausted, Unavailable, Unimplemented};
        match self {
            Fault::BodyTimeout => (408, DeadlineExceeded, "body_timeout", "The request's body did not arrive in time"),
            Fault::BodyTooLong => (413, ResourceExhausted, "over_limit", "The request is over a limit"),
            Fault::Contradictory => (400, InvalidArgument, "contradictory", "Two fields contradict each other"),
            Fault::CompressedMessage => (415, Unimplemented, "compression_unsupported", "Compressed messages are not read"),
            Fault::CustomerEmpty => (400, InvalidArgument, "customer_empty", "The customer is empty"),
            Fault::CustomerUnknown => (404, NotFound, "customer_unknown", "The ERP does not know this customer"),
            Fault::DuplicateKey => (400, InvalidArgument, "duplicate_key", "A field is given twice"),
            Fault::Http2Required => (400, InvalidArgument, "http2_required", "gRPC needs HTTP/2"),
            Fault::Internal => (500, Internal, "internal", "The gateway failed"),
            Fault::LinesEmpty => (400, InvalidArgument, "lines_empty", "No line is asked for"),
            Fault::MalformedCurrency => (400, InvalidArgument, "malformed_currency", "The currency is malformed"),
            Fault::MalformedDate => (400, InvalidArgument, "malformed_date", "A date is malformed"),
            Fault::MalformedDecimal => (400, InvalidArgument, "malformed_decimal", "A decimal is malformed"),
            Fault::MalformedDuration => (400, InvalidArgument, "malformed_duration", "A duration is malformed"),
            Fault::MalformedId => (400, InvalidArgument, "malformed_id", "An id is malformed"),
            Fault::MalformedInstant => (400, InvalidArgument, "malformed_instant", "An instant is malformed"),
            Fault::MalformedJson => (400, InvalidArgument, "malformed_json", "The body is not JSON"),
            Fault::MalformedProtobuf => (400, InvalidArgument, "malformed_protobuf", "The message is not protobuf"),
            Fault::MalformedQuery => (400, InvalidArgument, "malformed_query", "The query string is malformed"),
            Fault::MethodNotAllowed => (405, Unimplemented, "method_not_allowed", "The resource has no such method"),
            Fault::NoSuchResource => (404, Unimplemented, "no_such_resource", "There is no such resource"),
            Fault::NotDurable => (503, Unavailable, "not_durable", "What was asked could not be made durable"),
            Fault::NothingNamed => (400, InvalidArgument, "nothing_named", "Nothing is named"),
            Fault::NotResolvable =>
                (400, FailedPrecondition, "not_resolvable", "What is named cannot be told apart with this ERP"),
            Fault::OverLimit => (400, InvalidArgument, "over_limit", "The request is over a limit"),
            Fault::QuantityCount =>
                (400, InvalidArgument, "count_mismatch", "There must be one for all SKUs, or as many as SKUs"),
            Fault::TooManyWaiting => (429, ResourceExhausted, "over_limit", "A limit is reached"),
            Fault::UnknownField => (400, InvalidArgument, "unknown_field", "The request has no such field"),
            Fault::UnknownValue => (400, InvalidArgument, "unknown_value", "The field has no such value"),
            Fault::UnsupportedMediaType => (415, InvalidArgument, "unsupported_media_type", "The body's type is not read"),
            Fault::WrongType => (400, InvalidArgument, "wrong_type", "A field is of the wrong type"),
        }
    }

    pub fn http_status(self) -> u16 {
        self.facts().0
    }
}

/// A fault, and what was wrong this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub fault: Fault,
    pub detail: Cow<'static, str>,
    /// The offending field.
    pub path: Option<String>,
    /// The limit that was hit.
    pub limit: Option<u64>,
    /// The methods there are, where the one used is not.
    pub allow: Option<&'static str>,
}

impl Refusal {
    pub fn new(fault: Fault, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { fault, detail: detail.into(), path: None, limit: None, allow: None }
    }

    /// A fault of one field; the detail begins with its path.
    pub fn at(fault: Fault, path: impl Into<String>, what: impl std::fmt::Display) -> Self {
        let path = path.into();
        Self { path: Some(path.clone()), ..Self::new(fault, format!("{path}: {what}")) }
    }

    pub fn limited(mut self, limit: usize) -> Self {
        self.limit = Some(limit as u64);
        self
    }

    /// The body of the problem: canonical JSON of the `Problem` message.
    pub fn problem(&self, request_id: &RequestId) -> Vec<u8> {
        let (status, _, reason, title) = self.fault.facts();
        let mut json = Vec::with_capacity(256 + self.detail.len());
        json.extend_from_slice(b"{\"type\":\"about:blank#");
        json.extend_from_slice(reason.as_bytes());
        json.extend_from_slice(b"\",\"title\":");
        put_text(&mut json, title);
        json.extend_from_slice(format!(",\"status\":{status},\"detail\":").as_bytes());
        put_text(&mut json, &self.detail);
        json.extend_from_slice(b",\"reason\":");
        put_text(&mut json, reason);
        if let Some(path) = &self.path {
            json.extend_from_slice(b",\"path\":");
            put_text(&mut json, path);
        }
        if let Some(limit) = self.limit {
            // 64-bit integers are strings in canonical JSON.
            json.extend_from_slice(format!(",\"limit\":\"{limit}\"").as_bytes());
        }
        json.extend_from_slice(b",\"requestId\":");
        put_text(&mut json, request_id.as_str());
        json.push(b'}');
        json
    }

    /// The same as a gRPC status, with its reason in the details.
    pub fn to_status(&self, request_id: &RequestId) -> Status {
        let (_, code, reason, _) = self.fault.facts();
        let mut details = ErrorDetails::new();
        let mut metadata = std::collections::HashMap::new();
        if let Some(limit) = self.limit {
            metadata.insert("limit".to_owned(), limit.to_string());
        }
        details.set_error_info(reason, "comptoir", metadata);
        details.set_request_info(request_id.as_str(), "");
        if let Some(path) = &self.path {
            details.add_bad_request_violation(path, &*self.detail);
        }
        Status::with_error_details(code, &*self.detail, details)
    }
}

impl From<OfferError> for Refusal {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::CustomerUnknown => Refusal::at(Fault::CustomerUnknown, "customer", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::context::RequestIds;

    #[test]
    fn a_problem_is_canonical_json() {
        let id = RequestIds::default().take(&::http::HeaderMap::new());
        let refusal = Refusal::at(Fault::OverLimit, "lines", "501 lines \"too\" many").limited(500);
        let read: serde_json::Value = serde_json::from_slice(&refusal.problem(&id)).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "type": "about:blank#over_limit", "title": "The request is over a limit", "status": 400,
                "detail": "lines: 501 lines \"too\" many", "reason": "over_limit", "path": "lines", "limit": "500",
                "requestId": id.as_str(),
            })
        );
    }

    #[test]
    fn a_status_carries_reason_and_path() {
        let id = RequestIds::default().take(&::http::HeaderMap::new());
        let status = Refusal::at(Fault::CustomerUnknown, "customer", "nobody").to_status(&id);
        assert_eq!(status.code(), Code::NotFound);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "customer_unknown");
        assert_eq!(details.error_info().unwrap().domain, "comptoir");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "customer");
    }
}
