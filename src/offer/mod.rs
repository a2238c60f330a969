//! Answers "what does this party pay, and is it there?".
//!
//! Owns: the question as the gateway understands it ([`query`]), the whole read path ([`service`]), the decision what may be
//! served ([`freshness`]), who the party is ([`party`]), what a landed ERP call means for the cache ([`landing`]) and the
//! answer ([`answer`]). Never knows a wire: requests come checked, answers leave as text slices to be encoded.

pub mod answer;
pub mod query;

pub use answer::{AvailabilityAnswer, Band, Freshness, LineAnswer, LineStatus, OfferAnswer, PriceAnswer, Source};
pub use query::{LineFault, LineQuery, OfferQuery, Parts};
