//! The gateway's one configuration file.
//!
//! Every module has its own settings with its own defaults; here the file's words are read into them. Unknown keys are
//! refused with the nearest known name. Any value may come from an environment variable instead: `COMPTOIR_`, the key's path
//! in capitals with two underscores between its parts (`COMPTOIR_ERP__URL`), the value as TOML or as plain text.

pub mod channel;
mod stock;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use serde::Deserialize;

use self::stock::StockFile;
use super::unknown_key;
use crate::api::ApiConfig;
use crate::cache::CacheConfig;
use crate::channel::ChannelConfig;
use crate::domain::{Purpose, Quantity};
use crate::erp::connectors::rest::{RestConfig, RestSite};
use crate::erp::dispatch::{Budget, Maintenance};
use crate::human::{deserialize_optional_duration, deserialize_optional_size, deserialize_size};
use crate::offer::config::Ages;
use crate::offer::{Calendar, NoAges, OfferConfig};
use crate::stock::StockConfig;
use crate::stock::ledger::Storage;

/// Everything, checked.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    /// What survives a restart is kept here. Absent: nothing does.
    pub data: Option<PathBuf>,
    /// Tells ERPs, and ways to ask them, apart.
    pub fingerprint: String,
    pub api: ApiConfig,
    pub erp: RestConfig,
    pub calendar: Calendar,
    pub budget: Budget,
    pub cache: CacheConfig,
    pub offer: OfferConfig,
    /// `None`: no stock is kept.
    pub stock: Option<StockConfig>,
    /// How the ledger lies on the disk. Nothing a configuration file says.
    pub stock_storage: Storage,
    /// In the order of the file.
    pub channels: Vec<ChannelConfig>,
    pub probe: Probe,
}

/// What `comptoir check` asks for when it is told nothing else.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// Absent: the public.
    pub customer: Option<String>,
    pub sku: Option<String>,
}

/// Default address of both wires.
pub const LISTEN: &str = "127.0.0.1:7070";
/// Default address of the operator's port.
pub const ADMIN: &str = "127.0.0.1:7071";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    server: Server,
    erp: Erp,
    #[serde(default)]
    cache: Cache,
    #[serde(default)]
    freshness: Freshness,
    #[serde(default)]
    availability: Availability,
    stock: Option<StockFile>,
    /// Read before the rest, with the files it names; here for the list of known keys.
    #[serde(default)]
    #[expect(dead_code, reason = "a key that is always gone by now")]
    channels: (),
    #[serde(default)]
    check: Probe,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    listen: SocketAddr,
    admin: SocketAddr,
    data: Option<PathBuf>,
    lines_max: Option<usize>,
    #[serde(deserialize_with = "deserialize_optional_size")]
    body_max: Option<u64>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    timeout: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    timeout_max: Option<Duration>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: LISTEN.parse().expect("an address"),
            admin: ADMIN.parse().expect("an address"),
            data: None,
            lines_max: None,
            body_max: None,
            timeout: None,
            timeout_max: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erp {
    /// A preset's file, relative to this one.
    preset: PathBuf,
    url: Option<String>,
    #[serde(default)]
    vars: BTreeMap<String, toml::Value>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default)]
    budget: BudgetFile,
}

fn utc() -> String {
    "UTC".into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BudgetFile {
    concurrency: Option<usize>,
    calls_per_minute: Option<usize>,
    burst: Option<usize>,
    maintenance: Vec<String>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    timeout: Option<Duration>,
    queue_lines_max: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cache {
    #[serde(deserialize_with = "deserialize_size")]
    memory: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory: CacheConfig::default().memory_bytes }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Freshness {
    #[serde(rename = "LIST")]
    list: PatienceFile,
    #[serde(rename = "DETAIL")]
    detail: PatienceFile,
    #[serde(rename = "CART")]
    cart: PatienceFile,
    #[serde(rename = "CHECKOUT")]
    checkout: PatienceFile,
    #[serde(rename = "FEED")]
    feed: PatienceFile,
    #[serde(rename = "WARMUP")]
    warmup: PatienceFile,
    #[serde(rename = "AUDIT")]
    audit: PatienceFile,
    customers: AgesFile,
    no: NoFile,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    ahead: Option<Duration>,
}

/// How long each kind of "no" is believed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NoFile {
    #[serde(deserialize_with = "deserialize_optional_duration")]
    unknown_sku: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    no_price: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    not_for_sale: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    unknown_unit: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    unknown_customer: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PatienceFile {
    #[serde(deserialize_with = "deserialize_optional_duration")]
    max_age: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stale_while_revalidate: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stale_if_error: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stock_max_age: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stock_stale_while_revalidate: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stock_stale_if_error: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AgesFile {
    #[serde(deserialize_with = "deserialize_optional_duration")]
    max_age: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stale_while_revalidate: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    stale_if_error: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Availability {
    low_stock: Option<String>,
}

/// `over` where it says something.
fn apply(ages: &mut Ages, over: [Option<Duration>; 3]) {
    let [max_age, stale_while_revalidate, stale_if_error] = over;
    ages.max_age = max_age.unwrap_or(ages.max_age);
    ages.stale_while_revalidate = stale_while_revalidate.unwrap_or(ages.stale_while_revalidate);
    ages.stale_if_error = stale_if_error.unwrap_or(ages.stale_if_error);
}

impl Config {
    /// Reads the file, the preset it names, and the environment.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::from_toml(&text, folder, std::env::vars()).with_context(|| path.display().to_string())
    }

    /// Everything at its default, in front of the ERP at `url` that `preset` describes.
    pub fn for_demo(preset: &str, url: &str, listen: SocketAddr, admin: SocketAddr) -> anyhow::Result<Self> {
        let mut table = toml::Table::new();
        let erp = [("preset", ""), ("url", url)].map(|(key, value)| (key.into(), toml::Value::String(value.into())));
        table.insert("erp".into(), toml::Value::Table(toml::Table::from_iter(erp)));
        let file: File = unknown_key::deserialize(table)?;
        Ok(Config { listen, admin, ..file.check(preset)? })
    }

    /// The same from text; `folder` is what the preset's path is relative to.
    pub fn from_toml(
        text: &str,
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table: toml::Table = text.parse()?;
        for (name, value) in environment {
            overlay(&mut table, &name, value)?;
        }
        let channels = table.remove("channels").map(|tables| channel::channels(tables, folder)).transpose()?;
        let file: File = unknown_key::deserialize(table)?;
        let preset = folder.join(&file.erp.preset);
        let preset_text =
            std::fs::read_to_string(&preset).with_context(|| format!("cannot read the preset {}", preset.display()))?;
        let mut config = file.check(&preset_text)?;
        config.data = config.data.map(|data| folder.join(data));
        config.channels = channels.unwrap_or_default();
        if !config.channels.is_empty() && (config.stock.is_none() || config.data.is_none()) {
            bail!(
                "channels need [stock], for they publish what is in its ledger, and server.data, where their own log is kept"
            );
        }
        Ok(config)
    }
}

impl File {
    fn check(self, preset: &str) -> anyhow::Result<Config> {
        // Everything an answer depends on, secrets left out. Kept as text: equality is on all of it.
        let (url, vars) = (self.erp.url.as_deref().unwrap_or_default(), toml::Value::try_from(&self.erp.vars)?);
        let fingerprint = format!("{preset}\n{url}\n{vars}\n{}", self.erp.time_zone);
        let site = RestSite {
            url: self.erp.url,
            time_zone: Some(self.erp.time_zone.clone()),
            vars: self.erp.vars,
            secrets: self.erp.secrets,
        };
        let zone = &self.erp.time_zone;
        let time_zone =
            TimeZone::get(zone).with_context(|| format!("erp.time_zone: {zone:?} is not an IANA time zone"))?;
        let mut budget = Budget::default();
        let limits = self.erp.budget;
        budget.concurrency = limits.concurrency.unwrap_or(budget.concurrency);
        budget.calls_per_minute = limits.calls_per_minute.or(budget.calls_per_minute);
        budget.timeout = limits.timeout.unwrap_or(budget.timeout);
        budget.queue_lines_max = limits.queue_lines_max.unwrap_or(budget.queue_lines_max);
        budget.burst = limits.burst.or(budget.burst);
        budget.maintenance =
            Maintenance::new(&limits.maintenance, time_zone.clone()).context("erp.budget.maintenance")?;
        if budget.concurrency == 0 || budget.calls_per_minute == Some(0) || budget.burst == Some(0) {
            bail!("erp.budget: concurrency, calls_per_minute and burst are at least 1");
        }
        let mut api = ApiConfig::default();
        api.lines_max = self.server.lines_max.unwrap_or(api.lines_max);
        api.body_bytes_max =
            self.server.body_max.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(api.body_bytes_max);
        api.timeout_default = self.server.timeout.unwrap_or(api.timeout_default);
        api.timeout_max = self.server.timeout_max.unwrap_or(api.timeout_max);
        let stock = self.stock.map(StockFile::check).transpose().context("stock")?;
        if let Some(stock) = &stock {
            api.changes_max = stock.changes_max;
        }
        Ok(Config {
            listen: self.server.listen,
            admin: self.server.admin,
            data: self.server.data,
            fingerprint,
            api,
            erp: RestConfig::from_toml(preset).context("erp.preset")?.with(site),
            calendar: Calendar(time_zone),
            budget,
            cache: CacheConfig { memory_bytes: self.cache.memory },
            offer: self.freshness.over(OfferConfig::default(), self.availability)?,
            stock,
            stock_storage: Storage::default(),
            channels: Vec::new(),
            probe: self.check,
        })
    }
}

impl Freshness {
    fn over(self, mut config: OfferConfig, availability: Availability) -> anyhow::Result<OfferConfig> {
        let purposes = [
            (Purpose::List, self.list),
            (Purpose::Detail, self.detail),
            (Purpose::Cart, self.cart),
            (Purpose::Checkout, self.checkout),
            (Purpose::Feed, self.feed),
            (Purpose::Warmup, self.warmup),
            (Purpose::Audit, self.audit),
        ];
        for (purpose, file) in purposes {
            let patience = config.patience_mut(purpose);
            apply(&mut patience.price, [file.max_age, file.stale_while_revalidate, file.stale_if_error]);
            let stock = [file.stock_max_age, file.stock_stale_while_revalidate, file.stock_stale_if_error];
            apply(&mut patience.stock, stock);
        }
        let customers = self.customers;
        let ages = [customers.max_age, customers.stale_while_revalidate, customers.stale_if_error];
        apply(&mut config.customers, ages);
        config.ahead = self.ahead.unwrap_or(config.ahead);
        let no = config.no;
        config.no = NoAges {
            unknown_sku: self.no.unknown_sku.unwrap_or(no.unknown_sku),
            no_price: self.no.no_price.unwrap_or(no.no_price),
            not_for_sale: self.no.not_for_sale.unwrap_or(no.not_for_sale),
            unknown_unit: self.no.unknown_unit.unwrap_or(no.unknown_unit),
            unknown_customer: self.no.unknown_customer.unwrap_or(no.unknown_customer),
        };
        if let Some(low) = availability.low_stock {
            config.low_stock = low.parse::<Quantity>().context("availability.low_stock: write \"5\"")?;
        }
        Ok(config)
    }
}

/// Puts one environment variable in its place, if it is one of ours.
fn overlay(table: &mut toml::Table, name: &str, value: String) -> anyhow::Result<()> {
    let Some(path) = name.strip_prefix("COMPTOIR_") else { return Ok(()) };
    let parts: Vec<&str> = path.split("__").collect();
    // Variables with one part are for other uses, such as COMPTOIR_LOG.
    let [folders @ .., last] = &parts[..] else { return Ok(()) };
    if folders.is_empty() {
        return Ok(());
    }
    let mut at = table;
    for folder in folders {
        let next = at.entry(key_name(at, folder)).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = next.as_table_mut().with_context(|| format!("{name}: {folder} is not a table"))?;
    }
    let key = key_name(at, last);
    // As TOML where it is TOML (numbers, lists), else as text.
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    let keeps_text = at.get(&key).is_some_and(toml::Value::is_str);
    let value = parsed.filter(|v| v.is_str() || !keeps_text).unwrap_or(toml::Value::String(value));
    at.insert(key, value);
    Ok(())
}

/// Purposes are written in capitals in the file, everything else in small letters.
fn key_name(table: &toml::Table, part: &str) -> String {
    if Purpose::from_name(part).is_some() || table.contains_key(part) { part.to_owned() } else { part.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_toml(text, &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), environment)
    }

    const SMALL: &str = "[erp]\npreset = \"erp/simulated.toml\"\n";

    #[test]
    fn the_example_is_a_good_file() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateway.toml");
        let config = Config::load(&path).unwrap();
        assert_eq!(config.listen, LISTEN.parse().unwrap());
    }

    #[test]
    fn defaults_are_the_modules_own() {
        let config = load(SMALL, &[]).unwrap();
        assert_eq!(config.offer, OfferConfig::default());
        assert_eq!(config.budget, Budget::default());
        assert_eq!(config.cache, CacheConfig::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_name() {
        let text = format!("{SMALL}[freshness.LIST]\nmax_ago = \"1m\"\n");
        let error = format!("{:#}", load(&text, &[]).unwrap_err());
        assert!(error.contains("freshness.LIST.max_ago") && error.contains("max_age"), "{error}");
    }

    #[test]
    fn the_environment_wins() {
        let config = load(
            SMALL,
            &[
                ("COMPTOIR_ERP__URL", "http://127.0.0.1:9"),
                ("COMPTOIR_ERP__BUDGET__CONCURRENCY", "2"),
                ("COMPTOIR_FRESHNESS__LIST__MAX_AGE", "90s"),
                ("COMPTOIR_LOG", "debug"),
            ],
        )
        .unwrap();
        assert_eq!(config.erp.url, "http://127.0.0.1:9");
        assert_eq!(config.budget.concurrency, 2);
        assert_eq!(config.offer.patience(Purpose::List).price.max_age, Duration::from_secs(90));
    }

    #[test]
    fn channels_need_a_ledger_and_a_folder() {
        let channel = "[[channels]]\nname = \"market\"\nassortment = { include_file = \"none.txt\" }\n";
        let error = format!("{:#}", load(&format!("{SMALL}{channel}"), &[]).unwrap_err());
        assert!(error.contains("examples/none.txt"), "relative to the configuration file: {error}");
        let channel = "[[channels]]\nname = \"market\"\n";
        let stock = "[stock]\nany_source = true\n";
        let data = "[server]\ndata = \"d\"\n";
        for text in [format!("{SMALL}{channel}"), format!("{SMALL}{stock}{channel}"), format!("{data}{SMALL}{channel}")]
        {
            let error = format!("{:#}", load(&text, &[]).unwrap_err());
            assert!(error.contains("[stock]") && error.contains("server.data"), "{text}: {error}");
        }
        let config = load(&format!("{data}{SMALL}{stock}{channel}"), &[]).unwrap();
        assert_eq!(config.channels[0].name, "market");
        let error = format!("{:#}", load(&format!("{SMALL}[chanels]\n"), &[]).unwrap_err());
        assert!(error.contains("did you mean `channels`"), "{error}");
    }

    #[test]
    fn bad_values_name_their_key() {
        for (text, names) in [
            ("[erp]\npreset = \"erp/simulated.toml\"\ntime_zone = \"Europe/Paname\"\n", "erp.time_zone"),
            ("[erp]\npreset = \"erp/none.toml\"\n", "none.toml"),
            ("[erp]\npreset = \"erp/simulated.toml\"\n[cache]\nmemory = \"lots\"\n", "cache.memory"),
            ("[erp]\npreset = \"erp/simulated.toml\"\n[erp.budget]\nconcurrency = 0\n", "erp.budget"),
            (
                "[erp]\npreset = \"erp/simulated.toml\"\n[erp.budget]\nmaintenance = [\"Sat 22\"]\n",
                "erp.budget.maintenance",
            ),
        ] {
            let error = format!("{:#}", load(text, &[]).unwrap_err());
            assert!(error.contains(names), "{error}");
        }
    }
}
