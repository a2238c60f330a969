//! Every error that is not one line's: its HTTP status, gRPC code, stable reason and title, and how both wires say it.

use std::borrow::Cow;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::context::RequestId;
use super::encode::put_text;
use crate::offer::OfferError;
use crate::stock::{IntakeError, SnapshotError};

/// What can be wrong with a request as a whole, and with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BodyTimeout,
    BodyTooLong,
    Contradictory,
    CompressedMessage,
    CustomerEmpty,
    CustomerUnknown,
    CutOff,
    DuplicateKey,
    Http2Required,
    IntakeFull,
    IntakeReadOnly,
    Internal,
    LinesEmpty,
    LedgerFull,
    MalformedCsv,
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
    NoGap,
    NoSuchResource,
    NotDurable,
    NotOwner,
    NothingNamed,
    NotResolvable,
    OutOfRange,
    OverLimit,
    QuantityCount,
    RowsDiffer,
    RowsRefused,
    SequenceMissing,
    SnapshotOutOfDate,
    SnapshotRequired,
    SnapshotTooOld,
    Stopping,
    TooManyWaiting,
    TooManyZeros,
    UnknownField,
    UnknownSource,
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
            Fault::CutOff => (400, InvalidArgument, "cut_off", "The body was cut off"),
            Fault::DuplicateKey => (400, InvalidArgument, "duplicate_key", "A field is given twice"),
            Fault::Http2Required => (400, InvalidArgument, "http2_required", "gRPC needs HTTP/2"),
            Fault::IntakeFull => (503, Unavailable, "over_limit", "Too much is waiting to be taken"),
            Fault::IntakeReadOnly => (503, Unavailable, "intake_read_only", "The ledger takes nothing just now"),
            Fault::Internal => (500, Internal, "internal", "The gateway failed"),
            Fault::LedgerFull => (409, ResourceExhausted, "ledger_full", "The ledger is full"),
            Fault::LinesEmpty => (400, InvalidArgument, "lines_empty", "No line is asked for"),
            Fault::MalformedCsv => (400, InvalidArgument, "malformed_csv", "The body is not CSV"),
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
            Fault::NoGap => (409, FailedPrecondition, "no_gap", "The source has no gap"),
            Fault::NoSuchResource => (404, Unimplemented, "no_such_resource", "There is no such resource"),
            Fault::NotDurable => (503, Unavailable, "not_durable", "What was asked could not be made durable"),
            Fault::NotOwner => (409, FailedPrecondition, "not_owner", "The source does not own this"),
            Fault::NothingNamed => (400, InvalidArgument, "nothing_named", "Nothing is named"),
            Fault::NotResolvable =>
                (400, FailedPrecondition, "not_resolvable", "What is named cannot be told apart with this ERP"),
            Fault::OutOfRange => (400, InvalidArgument, "out_of_range", "A number is out of range"),
            Fault::OverLimit => (400, InvalidArgument, "over_limit", "The request is over a limit"),
            Fault::QuantityCount =>
                (400, InvalidArgument, "count_mismatch", "There must be one for all SKUs, or as many as SKUs"),
            Fault::RowsDiffer => (400, InvalidArgument, "count_mismatch", "The snapshot has another number of rows"),
            Fault::RowsRefused => (400, InvalidArgument, "rows_refused", "Rows of the snapshot cannot be taken"),
            Fault::SequenceMissing =>
                (400, InvalidArgument, "sequence_missing", "The source numbers its changes, and no number is given"),
            Fault::SnapshotOutOfDate => (409, FailedPrecondition, "out_of_date", "A later snapshot was taken"),
            Fault::SnapshotRequired =>
                (409, FailedPrecondition, "snapshot_required", "A snapshot of all the source owns is due"),
            Fault::SnapshotTooOld => (409, FailedPrecondition, "snapshot_too_old", "The snapshot is too old"),
            Fault::Stopping => (503, Unavailable, "stopping", "The gateway stops"),
            Fault::TooManyWaiting => (429, ResourceExhausted, "over_limit", "A limit is reached"),
            Fault::TooManyZeros => (409, FailedPrecondition, "too_many_zeros", "The snapshot empties too much"),
            Fault::UnknownField => (400, InvalidArgument, "unknown_field", "The request has no such field"),
            Fault::UnknownSource => (404, NotFound, "unknown_source", "There is no such source"),
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
    /// A more exact reason than the fault's.
    pub because: Option<&'static str>,
}

impl Refusal {
    pub fn new(fault: Fault, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { fault, detail: detail.into(), path: None, limit: None, allow: None, because: None }
    }

    /// A fault of one field; the detail begins with its path.
    pub fn at(fault: Fault, path: impl Into<String>, what: impl std::fmt::Display) -> Self {
        let path = path.into();
        Self { path: Some(path.clone()), ..Self::new(fault, format!("{path}: {what}")) }
    }

    /// The stable word that callers go by.
    pub fn reason(&self) -> &'static str {
        self.because.unwrap_or(self.fault.facts().2)
    }

    pub fn limited(mut self, limit: usize) -> Self {
        self.limit = Some(limit as u64);
        self
    }

    /// The body of the problem: canonical JSON of the `Problem` message.
    pub fn problem(&self, request_id: &RequestId) -> Vec<u8> {
        let (status, _, _, title) = self.fault.facts();
        let reason = self.reason();
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
        let (_, code, _, _) = self.fault.facts();
        let reason = self.reason();
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

impl From<IntakeError> for Refusal {
    fn from(error: IntakeError) -> Self {
        let refusal = |fault| Refusal::new(fault, error.to_string());
        match error {
            IntakeError::ReadOnly | IntakeError::Broken => refusal(Fault::IntakeReadOnly),
            IntakeError::Full { limit } | IntakeError::Snapshots { limit } => refusal(Fault::IntakeFull).limited(limit),
            IntakeError::Stopped => refusal(Fault::Stopping),
            IntakeError::UnknownSource => Refusal::at(Fault::UnknownSource, "source", error),
            IntakeError::NoGap => refusal(Fault::NoGap),
            IntakeError::OutOfGap { .. } => Refusal::at(Fault::OutOfRange, "to", error),
        }
    }
}

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        let refusal = |fault| Refusal::new(fault, error.to_string());
        match &error {
            SnapshotError::Intake(error) => (*error).into(),
            SnapshotError::Cut { .. } => refusal(Fault::CutOff),
            SnapshotError::RowsDiffer { .. } | SnapshotError::RowsUnsaid => {
                Refusal::at(Fault::RowsDiffer, "rows", &error)
            }
            SnapshotError::Unnumbered => Refusal::at(Fault::SequenceMissing, "sequence", &error),
            SnapshotError::OutOfDate => refusal(Fault::SnapshotOutOfDate),
            SnapshotError::TooOld { .. } => Refusal::at(Fault::SnapshotTooOld, "sequence", &error),
            SnapshotError::Lines { reason, .. } => Refusal { because: Some(reason), ..refusal(Fault::RowsRefused) },
            SnapshotError::NotOwner { .. } => refusal(Fault::NotOwner),
            SnapshotError::ScopeTooSmall => refusal(Fault::SnapshotRequired),
            SnapshotError::TooManyZeros { .. } => refusal(Fault::TooManyZeros),
            SnapshotError::LedgerFull { limit } => refusal(Fault::LedgerFull).limited(*limit),
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
