//! What the ERP knows about a customer that prices depend on.

use std::collections::BTreeMap;

use super::{Currency, PriceListId};

/// Facts about one customer, or about the public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFacts {
    /// The currency prices are in when the caller names none.
    pub currency: Option<Currency>,
    /// The list the customer prices from, where the ERP has such lists.
    pub price_list: Option<PriceListId>,
    /// Has prices of their own besides the list's: never takes, and never makes, a price that others share.
    pub own_prices: bool,
    /// May see prices, may not check out.
    pub blocked: bool,
    /// Whatever else the connector's templates need to ask for this customer's prices (an internal id, a tax class). Part of
    /// what a price was asked with, never shown to callers.
    pub attributes: BTreeMap<String, String>,
}
