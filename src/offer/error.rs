//! What makes a whole page unanswerable. Whatever concerns a line is in the line.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The ERP does not know the customer. Never answered with the public's offers instead.
    #[error("the ERP does not know this customer")]
    CustomerUnknown,
}

impl OfferError {
    pub fn reason(&self) -> &'static str {
        match self {
            OfferError::CustomerUnknown => "customer_unknown",
        }
    }

    pub fn is_retryable(&self) -> bool {
        false
    }
}
