//! What one channel publishes, checked. How it is written in a file is `app`'s affair.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{Currency, CustomerId, LocationId, Money, Quantity, Sku, TaxBasis};

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Part of its address: 1 to 64 of a-z, A-Z, 0-9, `-` and `_`.
    pub name: String,
    /// Whom it prices as. `None`: the public.
    pub customer: Option<CustomerId>,
    /// What it sells from. Empty: every location of the ledger.
    pub locations: Vec<LocationId>,
    pub assortment: Assortment,
    /// Other names, and packs. A SKU that has any is sold under these only.
    pub aliases: Vec<Alias>,
    pub fitness: Fitness,
    pub quantity: QuantityPolicy,
    /// `None`: quantities only.
    pub price: Option<PricePolicy>,
    pub lead_time: LeadTime,
    /// A rise of the quantity is published when it has lasted so long; a fall at once. Default 0.
    pub settle: Duration,
    /// A location whose source is in GAP or silent for longer is held at its last figure. Default 5 min.
    pub hold_after: Duration,
    /// And for longer than this counts zero. Default never.
    pub zero_after: Option<Duration>,
    /// How long what leaves stands at zero before it is removed. Default 1 h.
    pub remove_after: Duration,
    /// How long a removed row is remembered for readers. Default 400 days.
    pub tombstone_retention: Duration,
    pub guard: Guard,
    pub formats: FormatSettings,
}

/// Which SKUs: those included by any and excluded by none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assortment {
    /// Patterns with `*` (any text) and `?` (one character). Empty: all, unless `include_skus` names some.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// From list files: sorted, each once. They are in the channel also before the ledger has heard of them.
    pub include_skus: Vec<Sku>,
    pub exclude_skus: Vec<Sku>,
}

/// A SKU under the channel's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub sku: Sku,
    pub channel_sku: Sku,
    /// Base units in one of what the channel sells. Default 1.
    pub pack: Quantity,
}

/// What the channel accepts as a SKU of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitness {
    /// Most characters.
    pub length_max: Option<usize>,
    /// Characters it refuses.
    pub forbidden: Vec<char>,
}

/// From what is there to what is published, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuantityPolicy {
    pub reserve: Reserve,
    pub allocation: Allocation,
    /// Most that is shown, in the channel's units.
    pub cap: Option<Quantity>,
    /// The channel ships from its own stock: no quantity is ever published.
    pub fulfilled_by_channel: bool,
}

/// What is kept back, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reserve {
    #[default]
    None,
    /// So much less.
    SafetyStock(Quantity),
    /// Up to so much counts as nothing; beyond, all of it counts.
    Threshold(Quantity),
}

/// The channel's part of what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    #[default]
    All,
    /// Of a hundred.
    Percent(Decimal),
    /// At most so much, in base units.
    Fixed(Quantity),
}

/// From the party's price to what is published. Exact decimals; one rounding, at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricePolicy {
    /// `None`: the party's own. A price in another currency is not published.
    pub currency: Option<Currency>,
    /// `None`: as told.
    pub tax_basis: Option<TaxBasis>,
    /// Where the ERP says none. A share: 0.20.
    pub tax_rate: Option<Quantity>,
    /// Added to the price before rounding: 5 makes 100.00 105.00.
    pub markup_percent: Decimal,
    pub rounding: Rounding,
    /// Never less than this: a lower price is raised to it.
    pub floor: Option<Money>,
    /// A price that moved by less is not sent again.
    pub change_min: Option<Money>,
    /// Asked again when older. Default 6 h.
    pub refresh_after: Duration,
    /// A price declared wrong that could not be asked again for longer zeroes its row. Default never.
    pub zero_after: Option<Duration>,
}

/// To a multiple of `step` (half away from zero, or up, or down), then the nearest not below that ends so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounding {
    /// Default 0.01.
    pub step: Money,
    pub direction: Direction,
    /// The last digits: 0.99 makes 12.31 12.99, 0.90 makes 12.95 13.90.
    pub ending: Option<Money>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Nearest,
    Up,
    Down,
}

/// Working days until it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeadTime {
    /// Where the ERP says none.
    pub default_days: Option<u16>,
    /// On top of what the ERP says.
    pub extra_days: u16,
}

/// When a file, or a mass of zeros that a rule would publish, is refused until somebody insists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Rows fewer than in the last good one, of a hundred. Default 20.
    pub shrunk_percent_max: u32,
    /// More of the rows at zero, of a hundred of all. Default 20.
    pub zeroed_percent_max: u32,
    /// Smaller ones are not looked at. Default 20.
    pub rows_min: u64,
}

/// What a format needs to know beyond the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatSettings {
    pub amazon: Option<AmazonSettings>,
    pub google: Option<GoogleSettings>,
    pub mirakl: MiraklSettings,
    pub cdiscount: CdiscountSettings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmazonSettings {
    pub seller_id: String,
    pub marketplace_id: String,
    /// Default `PRODUCT`, which does for price and quantity.
    pub product_type: String,
    /// Of the report, like `fr_FR`.
    pub issue_locale: Option<String>,
    /// Default 10,000.
    pub messages_max: usize,
    /// Default 10 MiB.
    pub bytes_max: usize,
}

/// Local inventory: which shop's, and how the products it belongs to are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleSettings {
    /// The number of the merchant's account.
    pub account: u64,
    /// Of the products, like `fr`.
    pub content_language: String,
    /// Of the products, like `FR`.
    pub feed_label: String,
    pub store_code: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MiraklSettings {
    /// STO01: whose stock it is; absent: of all.
    pub warehouse_code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdiscountSettings {
    /// More make a second package. Default 40,000.
    pub offers_max: usize,
}

impl ChannelConfig {
    /// Sells everything from everywhere at its party's price.
    pub fn named(name: &str) -> Self {
        const HOUR: u64 = 3600;
        Self {
            name: name.to_owned(),
            customer: None,
            locations: Vec::new(),
            assortment: Assortment::default(),
            aliases: Vec::new(),
            fitness: Fitness::default(),
            quantity: QuantityPolicy::default(),
            price: Some(PricePolicy::default()),
            lead_time: LeadTime::default(),
            settle: Duration::ZERO,
            hold_after: Duration::from_secs(300),
            zero_after: None,
            remove_after: Duration::from_secs(HOUR),
            tombstone_retention: Duration::from_secs(400 * 24 * HOUR),
            guard: Guard::default(),
            formats: FormatSettings::default(),
        }
    }
}

impl Default for PricePolicy {
    fn default() -> Self {
        Self {
            currency: None,
            tax_basis: None,
            tax_rate: None,
            markup_percent: Decimal::ZERO,
            rounding: Rounding::default(),
            floor: None,
            change_min: None,
            refresh_after: Duration::from_secs(6 * 3600),
            zero_after: None,
        }
    }
}

impl Default for Rounding {
    fn default() -> Self {
        Self { step: "0.01".parse().expect("a decimal"), direction: Direction::Nearest, ending: None }
    }
}

impl Default for CdiscountSettings {
    fn default() -> Self {
        Self { offers_max: 40_000 }
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self { shrunk_percent_max: 20, zeroed_percent_max: 20, rows_min: 20 }
    }
}
