//! What a preset file says. Plain data: [`super::RestConnector::new`] compiles it and finds what is wrong with it.
//!
//! Texts called *template* may print the values listed in [`super::template`]; texts called *selector* are JSONPath
//! (RFC 9535). Unknown keys are refused, so a typing error is never a silent default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::field::FieldConfig;
pub use super::row_config::{
    BreaksConfig, ComponentsConfig, CustomerRowConfig, IncomingConfig, LocationsConfig, OutcomeConfig, PriceRowConfig,
    StockRowConfig, UnitsConfig,
};
use crate::domain::Currency;
use crate::human::{deserialize_duration, deserialize_optional_duration, deserialize_size};

/// Why a preset cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct RestConfigError {
    /// The key at fault, from the top of the preset: `prices.row.net_price`.
    pub key: String,
    pub why: String,
}

impl RestConfigError {
    pub(super) fn new(key: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { key: key.into(), why: why.to_string() }
    }
}

/// A whole preset.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestConfig {
    /// Always `rest`.
    pub kind: Kind,
    /// Where the ERP is: scheme, host, port and the path all requests share.
    pub url: String,
    /// See [`RestSite::time_zone`]; not of the preset.
    #[serde(skip)]
    pub time_zone: Option<String>,
    /// Values for templates. The gateway's file may replace each.
    #[serde(default)]
    pub vars: BTreeMap<String, toml::Value>,
    /// Secrets for templates. A key that ends in `_file` names a file whose trimmed text is the secret.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    #[serde(default)]
    pub http: HttpConfig,
    #[serde(default)]
    pub auth: AuthConfig,
    /// Templates, sent with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Tried in order against every answer; the first that fits decides.
    #[serde(default)]
    pub errors: Vec<ErrorRuleConfig>,
    #[serde(default)]
    pub numbers: NumbersConfig,
    #[serde(default)]
    pub capabilities: CapabilitiesConfig,
    #[serde(default)]
    pub lookups: BTreeMap<String, LookupConfig>,
    pub customers: Option<CustomersConfig>,
    pub public: Option<PublicConfig>,
    pub prices: Option<PricesConfig>,
    pub stock: Option<StockConfig>,
    pub offers: Option<OffersConfig>,
}

impl RestConfig {
    /// Reads a preset.
    pub fn from_toml(text: &str) -> Result<Self, RestConfigError> {
        let table: toml::Table = text.parse().map_err(|error| RestConfigError::new("preset", error))?;
        serde_path_to_error::deserialize(table).map_err(|error| {
            let key = error.path().to_string();
            RestConfigError::new(if key == "." { "preset".into() } else { key }, error.into_inner())
        })
    }

    /// The preset with what a site changes: the address, and single values and secrets.
    pub fn with(mut self, site: RestSite) -> Self {
        if let Some(url) = site.url {
            self.url = url;
        }
        self.time_zone = site.time_zone.or(self.time_zone);
        self.vars.extend(site.vars);
        for (name, value) in site.secrets {
            // A secret replaces itself in whichever of its two forms the preset gave it.
            let bare = name.strip_suffix("_file").unwrap_or(&name).to_owned();
            self.secrets.remove(&bare);
            self.secrets.remove(&format!("{bare}_file"));
            self.secrets.insert(name, value);
        }
        self
    }
}

/// What the gateway's own file may change of a preset.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestSite {
    pub url: Option<String>,
    /// The ERP's time zone, by its IANA name: decides which day `today` is in templates. Default `UTC`.
    pub time_zone: Option<String>,
    #[serde(default)]
    pub vars: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// Neither shows the secrets it may hold.
impl fmt::Debug for RestConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for RestSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestSite").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Rest,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Default `2s`.
    #[serde(deserialize_with = "deserialize_duration")]
    pub connect_timeout: Duration,
    /// Idle connections kept open. Default 8. Calls at once are the dispatcher's to bound.
    pub connections_idle_max: usize,
    /// How long an idle connection is kept. Default `30s`.
    #[serde(deserialize_with = "deserialize_duration")]
    pub idle_timeout: Duration,
    /// Largest answer, as sent and after decompression. Default `16MiB`.
    #[serde(deserialize_with = "size")]
    pub answer_max: usize,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            connections_idle_max: 8,
            idle_timeout: Duration::from_secs(30),
            answer_max: 16 << 20,
            ca_file: None,
        }
    }
}

/// How requests prove who we are. All texts are templates.
#[derive(Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum AuthConfig {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer {
        token: String,
    },
    Header {
        name: String,
        value: String,
    },
    Session(Box<SessionConfig>),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// The request that opens a session.
    pub login: RequestConfig,
    /// Selectors into the login's answer; what they find is `session.NAME` in templates.
    pub capture: BTreeMap<String, String>,
    /// Templates, sent with every other request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Log in again after this long, whether or not the ERP minds. Absent: when it minds.
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    pub max_age: Option<Duration>,
    /// How long a refused login is not tried again, so that a wrong password does not lock the account. Default `30s`.
    #[serde(default = "default_refused_wait", deserialize_with = "deserialize_duration")]
    pub refused_wait: Duration,
}

fn default_refused_wait() -> Duration {
    Duration::from_secs(30)
}

/// One request. All texts but selectors are templates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// Default `POST` with a body, `GET` without.
    pub method: Option<String>,
    /// Appended to `url`. Printed values are percent-encoded.
    pub path: String,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Printed values become JSON where `content_type` is JSON.
    pub body: Option<String>,
    /// Default `application/json`.
    pub content_type: Option<String>,
    pub pages: Option<PagesConfig>,
}

/// How the next page of an answer is asked for. Templates see `page.number` (from 1), `page.offset` and `page.next`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagesConfig {
    /// A selector: what it finds is `page.next` of the next request; the last page has none.
    pub next: Option<String>,
    /// Rows on a full page; a shorter one is the last.
    pub size: Option<usize>,
    /// Most pages of one answer. Default 20.
    #[serde(default = "default_pages_max")]
    pub max: usize,
}

fn default_pages_max() -> usize {
    20
}

/// What an answer means, apart from its HTTP status. All given tests must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRuleConfig {
    pub kind: ErrorKind,
    /// Statuses and classes: `["401", "5xx"]`.
    #[serde(default)]
    pub status: Vec<String>,
    /// A selector. Alone: it finds something other than null, false and the empty text.
    pub at: Option<String>,
    /// What `at` finds is one of these texts.
    pub is: Option<Vec<String>>,
    /// What `at` finds contains one of these texts.
    pub contains: Option<Vec<String>>,
    /// The body's text contains this.
    pub body_contains: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    Busy,
    Refused,
    /// The session ended: log in again and repeat the request once.
    Expired,
    Unreachable,
    /// Not an error, whatever the status.
    Fine,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumbersConfig {
    /// Texts write `12,50`.
    pub decimal_comma: bool,
    /// Prices with more decimals are rounded to this many, half away from zero. Absent: none
    /// is, and more than nine decimals fail.
    pub price_decimals: Option<u8>,
    /// Likewise for quantities, factors and rates.
    pub quantity_decimals: Option<u8>,
}

/// How prices may be asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapabilitiesConfig {
    /// Prices come with all their breaks. Default false.
    pub breaks: bool,
    /// What besides customer, currency and SKU changes a price: `unit`, `company`, `ship_to`, `contract`.
    pub matters: Vec<Matter>,
    /// Prices can be asked for another day. Default false.
    pub dated: bool,
    /// The currencies prices can be asked in (ISO 4217). Default: whatever is asked is tried.
    pub currencies: Vec<String>,
    /// Templates use the customer's facts. Default false.
    pub by_facts: bool,
    /// Customers on one price list share its prices, and how it is known that a price is the list's. Default: they do not.
    pub shares_by_list: Option<SharesByListConfig>,
    /// A price of zero. Default `free`.
    pub zero_price: ZeroPrice,
    /// A line that an otherwise good answer leaves out. Default `failed`.
    pub absent_line: AbsentLineConfig,
}

impl CapabilitiesConfig {
    pub(super) fn currencies(&self) -> Result<Vec<Currency>, RestConfigError> {
        let bad = |why| RestConfigError::new("capabilities.currencies", why);
        self.currencies.iter().map(|code| code.parse().map_err(bad)).collect()
    }
}

impl Default for CapabilitiesConfig {
    fn default() -> Self {
        Self {
            breaks: false,
            matters: Vec::new(),
            dated: false,
            currencies: Vec::new(),
            by_facts: false,
            shares_by_list: None,
            zero_price: ZeroPrice::Free,
            absent_line: AbsentLineConfig::Failed,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    Unit,
    Company,
    ShipTo,
    Contract,
}

/// Either way `customers.row` says each customer's list, and who has prices of their own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SharesByListConfig {
    /// The question says it: `list_request` asks for a list and names nobody.
    Question,
    /// The answer says it: a row names the list it is the price of.
    Answer,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ZeroPrice {
    Free,
    OnRequest,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AbsentLineConfig {
    UnknownSku,
    OnRequest,
    Failed,
}

/// A table the ERP keeps and templates need: a warehouse's code to its id.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupConfig {
    pub request: RequestConfig,
    /// A selector for the rows.
    pub rows: String,
    pub key: FieldConfig,
    pub value: FieldConfig,
    /// Asked again after this long. Default `1h`.
    #[serde(default = "default_lookup_age", deserialize_with = "deserialize_duration")]
    pub max_age: Duration,
}

fn default_lookup_age() -> Duration {
    Duration::from_secs(3600)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomersConfig {
    pub request: RequestConfig,
    pub rows: String,
    pub row: CustomerRowConfig,
    /// Customers in one call. Default 100.
    #[serde(default = "default_items_max")]
    pub max_items: usize,
    /// A customer the answer leaves out is unknown, rather than an error. Default false.
    #[serde(default)]
    pub absent_is_unknown: bool,
}

fn default_items_max() -> usize {
    100
}

/// Where the public's facts come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum PublicConfig {
    /// From here.
    Facts {
        currency: Option<String>,
        price_list: Option<String>,
        #[serde(default)]
        attributes: BTreeMap<String, String>,
    },
    /// The customers' request, with null among the customers.
    Customers,
    /// A request of its own; its first row counts.
    Request { request: Box<RequestConfig>, rows: String, row: Box<CustomerRowConfig> },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesConfig {
    pub request: RequestConfig,
    /// Asks for whoever buys from `price_list`. Its templates know no customer. Only with `shares_by_list = "question"`.
    pub list_request: Option<RequestConfig>,
    pub rows: String,
    pub row: PriceRowConfig,
    #[serde(default)]
    pub batch: BatchConfig,
    /// Asked about lines the answer leaves out: why?
    pub absent: Option<AbsentRequestConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffersConfig {
    pub request: RequestConfig,
    /// See [`PricesConfig::list_request`].
    pub list_request: Option<RequestConfig>,
    pub rows: String,
    pub row: PriceRowConfig,
    /// Selectors relative to the same rows.
    pub stock: StockRowConfig,
    #[serde(default)]
    pub batch: BatchConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockConfig {
    pub request: RequestConfig,
    pub rows: String,
    pub row: StockRowConfig,
    #[serde(default)]
    pub batch: BatchConfig,
    /// One request per location, `location` in its templates, for ERPs that answer one at a time.
    pub per_location: Option<PerLocationConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerLocationConfig {
    /// The locations' codes. Absent: every key of `lookup`.
    pub locations: Option<Vec<String>>,
    pub lookup: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Lines in one call. Default 100.
    pub max_items: usize,
    /// All lines of a call have the same quantity: `quantity` in templates. Default false.
    pub one_quantity: bool,
    /// All lines of a call have the same unit: `unit` in templates. Default false.
    pub one_unit: bool,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_items: default_items_max(), one_quantity: false, one_unit: false }
    }
}

/// A request about lines that the prices' answer left out. A line it leaves out as well follows `absent_line`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentRequestConfig {
    pub request: RequestConfig,
    pub rows: String,
    pub sku: FieldConfig,
    #[serde(default)]
    pub outcome: OutcomeConfig,
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    usize::try_from(deserialize_size(from)?).map_err(D::Error::custom)
}
