//! Answers "what does this party pay, and is it there?".
//!
//! Owns: the question as the gateway understands it ([`query`]), the whole read path ([`service`]), the decision what may be
//! served ([`freshness`]), who the party is ([`party`]), who shares a price with whom ([`sharing`]),
//! what a landed ERP call means for the cache ([`landing`]), what is asked before its day begins
//! ([`ahead`]), the answer ([`answer`]) and why it is so ([`explain`]). Never knows a wire: requests come checked, answers
//! leave as text slices to be encoded.

pub mod ahead;
pub mod answer;
pub mod assemble;
pub mod calendar;
pub mod config;
pub mod error;
pub mod explain;
pub mod freshness;
pub mod invalidation;
pub mod landing;
pub mod ledger;
pub mod lookup;
pub mod metrics;
pub mod party;
pub mod query;
pub mod reader;
pub mod service;
pub mod sharing;
pub mod store;
pub mod warm;

pub use answer::{
    AvailabilityAnswer, Band, Freshness, LineAnswer, LineStatus, OfferAnswer, PartyAnswer, PolicyAnswer, PriceAnswer,
    Source,
};
pub use calendar::Calendar;
pub use config::{NoAges, OfferConfig};
pub use error::OfferError;
pub use explain::{Explanation, Step};
pub use invalidation::{Invalidated, Invalidation, InvalidationError, Named};
pub use query::{LineFault, LineQuery, OfferQuery, Parts};
pub use service::{OfferService, StreamItem};
pub use store::Store;
