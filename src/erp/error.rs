//! What may go wrong with a whole ERP call.

use std::time::Duration;

/// A call that brought nothing. The text is for the log and the operator, never for a caller of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErpError {
    /// No connection, or it broke before an answer.
    #[error("the ERP cannot be reached: {0}")]
    Unreachable(String),
    /// No answer within the hard limit of one call. The ERP may still be working on it.
    #[error("the ERP did not answer within {0:?}")]
    Timeout(Duration),
    /// The ERP said it has too much to do.
    #[error("the ERP is busy: {0}")]
    Busy(String),
    /// The ERP answered that the call failed.
    #[error("the ERP refused the call: {0}")]
    Refused(String),
    /// The answer could not be read: not the format, cut, too large.
    #[error("the ERP's answer is not usable: {0}")]
    Garbled(String),
    /// The call could not even be written: a template that fails, a missing lookup.
    #[error("the ERP call could not be prepared: {0}")]
    Unprepared(String),
}

impl ErpError {
    /// The stable word for answers and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            ErpError::Unreachable(_) => "erp_unreachable",
            ErpError::Timeout(_) => "erp_timeout",
            ErpError::Busy(_) => "erp_busy",
            ErpError::Refused(_) | ErpError::Garbled(_) | ErpError::Unprepared(_) => "erp_error",
        }
    }

    /// Whether the same call may well succeed later. One that timed out may still be running, so it is not repeated.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ErpError::Unreachable(_) | ErpError::Busy(_))
    }
}
