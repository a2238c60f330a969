//! The merchant's words: identities, money, quantities, offers' parts. Pure: nothing here reads a clock, waits or knows of a
//! wire. Every value is checked once, where it is made.

pub mod availability;
pub mod change;
pub mod ids;
pub mod money;
pub mod party;
pub mod price;
pub mod purpose;
pub mod quantity;

pub use availability::{Incoming, LocationLevel, Stock};
pub use ids::{
    CompanyId, ContractId, CustomerId, IdError, LocationId, PriceListId, ShipToId, Sku, SourceId, Unit, VisitorId,
};
pub use money::{Currency, MalformedDecimal, Money};
pub use party::CustomerFacts;
pub use price::{PriceBreak, PriceComponent, PricedLine, Scope, TaxBasis, Terms, ToldScope};
pub use purpose::Purpose;
pub use quantity::{Factor, Quantity};
