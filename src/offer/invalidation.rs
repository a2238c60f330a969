//! "These prices are wrong": what may be named, what it reaches, and when it takes effect.
//!
//! Owns: the words a named set comes to ([`reach`]), what takes effect later ([`due`]), the order of effects
//! ([`invalidator`]) and who else is told ([`listener`]). Never looks at a remembered figure: an invalidation moves marks, whatever they apply to.

pub mod due;
pub mod entry;
pub mod invalidator;
pub mod listener;
pub mod reach;

use std::sync::Arc;
use std::time::Duration;

pub use self::invalidator::{Invalidator, ToCome};
pub use self::listener::{Listener, NotKept, Touched, Wrong};
pub use self::reach::Reach;
use crate::clock::Timestamp;
use crate::domain::{CompanyId, ContractId, CustomerId, PriceListId, Sku};

/// What is declared wrong: fields with AND, what is listed in one with OR.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub all: bool,
    pub company: Option<CompanyId>,
    pub customers: Vec<CustomerId>,
    pub price_lists: Vec<PriceListId>,
    pub contracts: Vec<ContractId>,
    pub skus: Vec<Sku>,
}

impl Named {
    /// How many ids are kept while it waits.
    pub fn ids(&self) -> usize {
        let lists = self.customers.len() + self.price_lists.len() + self.contracts.len() + self.skus.len();
        lists + usize::from(self.company.is_some())
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Invalidation {
    pub named: Named,
    /// Absent or past: now.
    pub at: Option<Timestamp>,
    /// What is fetched within it after the invalidation expires at its end.
    pub settle: Option<Duration>,
    pub request_id: Arc<str>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidated {
    pub effective_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    /// Customers, lists, contracts, SKUs, or pairs.
    pub marked: usize,
    /// More was reached than was named.
    pub widened: bool,
}

/// Why it cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidationError {
    #[error("name what changed, or say \"all\": true")]
    NothingNamed,
    #[error("all is everything already: leave the rest out")]
    Contradictory,
    #[error("{field}: {why}")]
    NotResolvable { field: &'static str, why: &'static str },
    /// What takes effect later is kept, within bounds.
    #[error("{waiting} invalidations wait to take effect; more are taken when some have")]
    TooManyWaiting { waiting: usize },
    /// A restart might forget it. What was to take effect at once did: to be repeated.
    #[error("{why}")]
    NotDurable { why: &'static str },
}

impl InvalidationError {
    pub fn reason(&self) -> &'static str {
        match self {
            InvalidationError::NothingNamed => "nothing_named",
            InvalidationError::Contradictory => "contradictory",
            InvalidationError::NotResolvable { .. } => "not_resolvable",
            InvalidationError::TooManyWaiting { .. } => "over_limit",
            InvalidationError::NotDurable { .. } => "not_durable",
        }
    }

    pub fn is_retryable(&self) -> bool {
        matches!(self, InvalidationError::TooManyWaiting { .. } | InvalidationError::NotDurable { .. })
    }
}
