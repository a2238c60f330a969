//! What a preset says about the rows of answers: where each figure stands, and what a row means that has none.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::condition::ConditionsConfig;
use super::field::FieldConfig;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerRowConfig {
    /// Absent in a request for the public only.
    pub customer: Option<FieldConfig>,
    #[serde(default)]
    pub unknown: ConditionsConfig,
    #[serde(default)]
    pub failed: ConditionsConfig,
    #[serde(default)]
    pub blocked: ConditionsConfig,
    pub currency: Option<FieldConfig>,
    pub price_list: Option<FieldConfig>,
    /// Has prices of their own besides the list's. Needed where customers share prices by list.
    pub own_prices: Option<ConditionsConfig>,
    /// `facts.attributes.NAME` in templates.
    #[serde(default)]
    pub attributes: BTreeMap<String, FieldConfig>,
}

/// What a row says other than a price. Tested in this order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutcomeConfig {
    pub unknown: ConditionsConfig,
    pub not_for_sale: ConditionsConfig,
    pub unknown_unit: ConditionsConfig,
    pub on_request: ConditionsConfig,
    /// Last, so that it may test for "anything but fine".
    pub failed: ConditionsConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRowConfig {
    pub sku: FieldConfig,
    #[serde(default)]
    pub outcome: OutcomeConfig,
    /// The asked unit and quantity the row answers.
    pub unit: Option<FieldConfig>,
    pub quantity: Option<FieldConfig>,
    /// Absent: the asked currency.
    pub currency: Option<FieldConfig>,
    pub net_price: FieldConfig,
    pub list_price: Option<FieldConfig>,
    /// Base units the price is for. Absent: those of `price_unit`, or one.
    pub base_quantity: Option<FieldConfig>,
    /// The unit the price is for; its factor is looked up among `units`.
    pub price_unit: Option<FieldConfig>,
    pub base_unit: Option<FieldConfig>,
    pub sales_unit: Option<FieldConfig>,
    pub units: Option<UnitsConfig>,
    pub breaks: Option<BreaksConfig>,
    pub components: Option<ComponentsConfig>,
    /// `NET` or `GROSS`, after `map`.
    pub tax_basis: Option<FieldConfig>,
    pub tax_rate: Option<FieldConfig>,
    pub net_amount: Option<FieldConfig>,
    pub valid_from: Option<FieldConfig>,
    /// The last day the price holds.
    pub valid_until: Option<FieldConfig>,
    /// The first day it no longer does, for ERPs that say that.
    pub valid_before: Option<FieldConfig>,
    pub min_order_quantity: Option<FieldConfig>,
    pub order_multiple: Option<FieldConfig>,
    pub backorder_allowed: Option<FieldConfig>,
    pub lead_time_days: Option<FieldConfig>,
    /// The list it is the price of: whoever buys from it may share the price, where customers do.
    pub price_list: Option<FieldConfig>,
    /// It is the asked customer's own price, whatever `price_list` says.
    #[serde(default)]
    pub own_price: ConditionsConfig,
}

/// Rows within a row. Their selectors start at the inner row; `^$` starts at the outer one (for a row: at the answer).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitsConfig {
    pub rows: String,
    pub unit: FieldConfig,
    /// Base units in one. A unit whose factor is not an exact decimal is left out.
    pub factor: FieldConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreaksConfig {
    pub rows: String,
    /// In base units.
    pub min_quantity: FieldConfig,
    pub net_price: FieldConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentsConfig {
    pub rows: String,
    pub kind: FieldConfig,
    pub code: Option<FieldConfig>,
    pub label: Option<FieldConfig>,
    pub amount: FieldConfig,
    /// Absent: it is included.
    #[serde(default)]
    pub not_included: ConditionsConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockRowConfig {
    pub sku: FieldConfig,
    #[serde(default)]
    pub outcome: OutcomeConfig,
    /// The SKU is not held in stock.
    #[serde(default)]
    pub untracked: ConditionsConfig,
    pub base_unit: Option<FieldConfig>,
    pub locations: LocationsConfig,
    pub incoming: Option<IncomingConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationsConfig {
    /// Default `$`: the row itself is one location.
    #[serde(default = "the_row_itself")]
    pub rows: String,
    /// Absent: the location the request was for.
    pub location: Option<FieldConfig>,
    pub on_hand: Option<FieldConfig>,
    pub reserved: Option<FieldConfig>,
    /// Absent: on hand less reserved.
    pub available: Option<FieldConfig>,
    /// What is expected at this location; its rows stand within this row.
    pub incoming: Option<IncomingConfig>,
    /// `available` is never more than `on_hand`. Default false.
    #[serde(default)]
    pub available_is_on_hand_at_most: bool,
}

fn the_row_itself() -> String {
    "$".into()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncomingConfig {
    pub rows: String,
    /// Absent: the location of the row it stands in, or that the request was for.
    pub location: Option<FieldConfig>,
    pub quantity: FieldConfig,
    pub expected_on: Option<FieldConfig>,
}
