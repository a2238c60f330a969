//! `[[channels]]`: what each marketplace may see.
//!
//! Lists of SKUs and of aliases may stand in files of their own, named in the configuration. They are put in its place before
//! anything is checked ([`with_files`]), so that a channel's table means the same wherever it is read.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::unknown_key;
use crate::channel::config::{
    Alias, Allocation, AmazonSettings, CdiscountSettings, ChannelConfig, Direction, FormatSettings, GoogleSettings,
    MiraklSettings, PricePolicy, QuantityPolicy, Reserve, Rounding,
};
use crate::domain::{Currency, CustomerId, LocationId, Money, Quantity, Sku, TaxBasis};
use crate::human::{csv, deserialize_optional_duration, deserialize_optional_size};

/// Most channels of one gateway.
pub const CHANNELS_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelFile {
    name: String,
    customer: Option<String>,
    #[serde(default)]
    locations: Vec<String>,
    #[serde(default)]
    assortment: AssortmentFile,
    #[serde(default)]
    aliases: Vec<AliasFile>,
    aliases_file: Option<String>,
    #[serde(default)]
    fitness: FitnessFile,
    #[serde(default)]
    quantity: QuantityFile,
    prices: Option<bool>,
    price: Option<PriceFile>,
    #[serde(default)]
    lead_time: LeadTimeFile,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    settle: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    hold_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    zero_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    remove_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    tombstone_retention: Option<Duration>,
    #[serde(default)]
    guard: GuardFile,
    amazon: Option<AmazonFile>,
    google: Option<GoogleFile>,
    #[serde(default)]
    mirakl: MiraklFile,
    #[serde(default)]
    cdiscount: CdiscountFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AssortmentFile {
    include: Vec<String>,
    exclude: Vec<String>,
    include_skus: Vec<String>,
    exclude_skus: Vec<String>,
    include_file: Option<String>,
    exclude_file: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    sku: String,
    channel_sku: String,
    pack: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FitnessFile {
    length_max: Option<usize>,
    forbidden: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QuantityFile {
    safety_stock: Option<String>,
    threshold: Option<String>,
    share_percent: Option<String>,
    share_fixed: Option<String>,
    cap: Option<String>,
    fulfilled_by: Option<FulfilledBy>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum FulfilledBy {
    Merchant,
    Channel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PriceFile {
    currency: Option<String>,
    tax_basis: Option<TaxBasisFile>,
    tax_rate: Option<String>,
    markup_percent: Option<String>,
    round_to: Option<String>,
    round: Option<RoundFile>,
    ending: Option<String>,
    floor: Option<String>,
    change_min: Option<String>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    refresh_after: Option<Duration>,
    #[serde(deserialize_with = "deserialize_optional_duration")]
    zero_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TaxBasisFile {
    Net,
    Gross,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoundFile {
    Nearest,
    Up,
    Down,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LeadTimeFile {
    default_days: Option<u16>,
    extra_days: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GuardFile {
    shrunk_percent_max: Option<u32>,
    zeroed_percent_max: Option<u32>,
    rows_min: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AmazonFile {
    seller_id: String,
    marketplace_id: String,
    product_type: Option<String>,
    issue_locale: Option<String>,
    messages_max: Option<usize>,
    #[serde(default, deserialize_with = "deserialize_optional_size")]
    bytes_max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoogleFile {
    account: u64,
    content_language: String,
    feed_label: String,
    store_code: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MiraklFile {
    warehouse_code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CdiscountFile {
    offers_max: Option<usize>,
}

/// All of a file's channels: `channels` as it stands there.
pub fn channels(tables: toml::Value, folder: &Path) -> anyhow::Result<Vec<ChannelConfig>> {
    let toml::Value::Array(tables) = tables else { bail!("write each channel as [[channels]]") };
    if tables.len() > CHANNELS_MAX {
        bail!("there are {} channels, and a gateway keeps at most {CHANNELS_MAX}", tables.len());
    }
    let mut channels: Vec<ChannelConfig> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let toml::Value::Table(table) = table else { bail!("write each channel as [[channels]]") };
        let name = table.get("name").map_or_else(|| format!("number {}", index + 1), ToString::to_string);
        let read = with_files(table, folder).and_then(channel).with_context(|| format!("channels, {name}"))?;
        if channels.iter().any(|other| other.name == read.name) {
            bail!("channels, {name}: is there twice");
        }
        channels.push(read);
    }
    Ok(channels)
}

/// The names and tables of a file's channels, with what they name files for in its place: as somebody elsewhere can read them.
pub fn tables(path: &Path) -> anyhow::Result<Vec<(String, toml::Table)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut file: toml::Table = text.parse()?;
    let Some(toml::Value::Array(channels)) = file.remove("channels") else { return Ok(Vec::new()) };
    let folder = path.parent().unwrap_or(Path::new("."));
    let tables = channels.into_iter().filter_map(|channel| match channel {
        toml::Value::Table(table) => Some(table),
        _ => None,
    });
    let named = |table: toml::Table| {
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        Ok((name, with_files(table, folder)?))
    };
    tables.map(named).collect()
}

/// A channel's table with what it names files for in their place. They are relative to `folder`.
pub fn with_files(mut table: toml::Table, folder: &Path) -> anyhow::Result<toml::Table> {
    if let Some(toml::Value::Table(assortment)) = table.get_mut("assortment") {
        for (file, list) in [("include_file", "include_skus"), ("exclude_file", "exclude_skus")] {
            let Some(path) = assortment.remove(file) else { continue };
            let path = path.as_str().with_context(|| format!("assortment.{file}: write a path"))?.to_owned();
            let text = read(folder, &path).with_context(|| format!("assortment.{file}"))?;
            extend(assortment, list, sku_list(&text)).with_context(|| format!("assortment.{list}"))?;
        }
    }
    if let Some(path) = table.remove("aliases_file") {
        let path = path.as_str().context("aliases_file: write a path")?.to_owned();
        let text = read(folder, &path).context("aliases_file")?;
        let aliases = alias_list(&text).with_context(|| format!("aliases_file, {path}"))?;
        extend(&mut table, "aliases", aliases).context("aliases")?;
    }
    Ok(table)
}

fn read(folder: &Path, path: &str) -> anyhow::Result<String> {
    let path = folder.join(path);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(csv::without_mark(&bytes).to_vec());
    text.with_context(|| format!("{} is not UTF-8", path.display()))
}

fn extend(table: &mut toml::Table, key: &str, more: Vec<toml::Value>) -> anyhow::Result<()> {
    let list = table.entry(key).or_insert_with(|| toml::Value::Array(Vec::new()));
    list.as_array_mut().context("write a list")?.extend(more);
    Ok(())
}

/// A SKU a line; empty lines are left out.
fn sku_list(text: &str) -> Vec<toml::Value> {
    let skus = text.lines().map(str::trim).filter(|line| !line.is_empty());
    skus.map(|sku| toml::Value::String(sku.to_owned())).collect()
}

/// CSV whose first line names `sku`, `channel_sku` and, if packs differ from 1, `pack`.
fn alias_list(text: &str) -> anyhow::Result<Vec<toml::Value>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, head) = lines.next().context("is empty: its first line names the columns")?;
    let separator = csv::separator(head);
    let columns = csv::cells(head, separator).context("line 1: a quote is left open")?;
    let columns: Vec<&str> = columns.iter().map(|name| name.trim()).collect();
    if let Some(unknown) = columns.iter().find(|name| !["sku", "channel_sku", "pack"].contains(name)) {
        bail!("line 1: there is no column {unknown:?}; there are sku, channel_sku and pack");
    }
    let mut aliases = Vec::new();
    for (index, line) in lines {
        let cells = csv::cells(line, separator).with_context(|| format!("line {}: a quote is left open", index + 1))?;
        if cells.len() != columns.len() {
            bail!("line {}: has {} cells, the first line {}", index + 1, cells.len(), columns.len());
        }
        let cells = columns.iter().zip(&cells).filter(|(_, cell)| !cell.trim().is_empty());
        let alias = cells.map(|(name, cell)| ((*name).to_owned(), toml::Value::String(cell.trim().to_owned())));
        aliases.push(toml::Value::Table(alias.collect()));
    }
    Ok(aliases)
}

/// One channel, its files in their place.
pub fn channel(table: toml::Table) -> anyhow::Result<ChannelConfig> {
    unknown_key::deserialize::<ChannelFile>(table)?.check()
}

impl ChannelFile {
    fn check(self) -> anyhow::Result<ChannelConfig> {
        let mut config = ChannelConfig::named(named(&self.name)?);
        if self.aliases_file.is_some()
            || self.assortment.include_file.is_some()
            || self.assortment.exclude_file.is_some()
        {
            bail!("a file is of no use here: what it says has to be in its place");
        }
        config.customer = self.customer.as_deref().map(CustomerId::new).transpose().context("customer")?;
        for name in &self.locations {
            config.locations.push(LocationId::new(name).with_context(|| format!("locations, {name:?}"))?);
        }
        let AssortmentFile { include, exclude, include_skus, exclude_skus, .. } = self.assortment;
        (config.assortment.include, config.assortment.exclude) = (include, exclude);
        config.assortment.include_skus = skus(include_skus).context("assortment.include_skus")?;
        config.assortment.exclude_skus = skus(exclude_skus).context("assortment.exclude_skus")?;
        config.aliases = aliases(self.aliases).context("aliases")?;
        config.fitness.length_max = self.fitness.length_max;
        config.fitness.forbidden = self.fitness.forbidden.chars().collect();
        config.quantity = self.quantity.check().context("quantity")?;
        config.price = match (self.prices.unwrap_or(true), self.price) {
            (true, price) => Some(price.unwrap_or_default().check().context("price")?),
            (false, None) => None,
            (false, Some(_)) => bail!("price: there are none with prices = false"),
        };
        config.lead_time.default_days = self.lead_time.default_days;
        config.lead_time.extra_days = self.lead_time.extra_days;
        config.settle = self.settle.unwrap_or(config.settle);
        config.hold_after = self.hold_after.unwrap_or(config.hold_after);
        config.zero_after = self.zero_after;
        config.remove_after = self.remove_after.unwrap_or(config.remove_after);
        config.tombstone_retention = self.tombstone_retention.unwrap_or(config.tombstone_retention);
        if config.zero_after.is_some_and(|zero_after| zero_after < config.hold_after) {
            bail!("zero_after is at least hold_after: figures are held before they count for nothing");
        }
        let guard = &mut config.guard;
        guard.shrunk_percent_max = self.guard.shrunk_percent_max.unwrap_or(guard.shrunk_percent_max);
        guard.zeroed_percent_max = self.guard.zeroed_percent_max.unwrap_or(guard.zeroed_percent_max);
        guard.rows_min = self.guard.rows_min.unwrap_or(guard.rows_min);
        if guard.shrunk_percent_max > 100 || guard.zeroed_percent_max > 100 {
            bail!("guard: shrunk_percent_max and zeroed_percent_max are at most 100");
        }
        config.formats = FormatSettings {
            amazon: self.amazon.map(AmazonFile::check).transpose().context("amazon")?,
            google: self.google.map(|file| GoogleSettings {
                account: file.account,
                content_language: file.content_language,
                feed_label: file.feed_label,
                store_code: file.store_code,
            }),
            mirakl: MiraklSettings { warehouse_code: self.mirakl.warehouse_code },
            cdiscount: self.cdiscount.check().context("cdiscount")?,
        };
        Ok(config)
    }
}

/// A channel's name is a part of its address.
fn named(name: &str) -> anyhow::Result<&str> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_good) {
        bail!("name: {name:?} is not 1 to 64 of a-z, A-Z, 0-9, - and _");
    }
    Ok(name)
}

/// Sorted, each once.
fn skus(texts: Vec<String>) -> anyhow::Result<Vec<Sku>> {
    let mut skus = Vec::with_capacity(texts.len());
    for text in &texts {
        skus.push(Sku::new(text).with_context(|| format!("{text:?}"))?);
    }
    skus.sort_unstable();
    skus.dedup();
    Ok(skus)
}

fn aliases(files: Vec<AliasFile>) -> anyhow::Result<Vec<Alias>> {
    let mut aliases = Vec::with_capacity(files.len());
    let mut owners: HashMap<Sku, Sku> = HashMap::with_capacity(files.len());
    for file in files {
        let AliasFile { sku, channel_sku, pack } = file;
        let sku = Sku::new(&sku).with_context(|| format!("sku, {sku:?}"))?;
        let channel_sku = Sku::new(&channel_sku).with_context(|| format!("channel_sku, {channel_sku:?}"))?;
        let pack = positive("pack", pack.as_deref())?.unwrap_or(Quantity::ONE);
        if let Some(owner) = owners.insert(channel_sku.clone(), sku.clone()) {
            bail!("{channel_sku} is there twice: for {owner} and for {sku}");
        }
        aliases.push(Alias { sku, channel_sku, pack });
    }
    Ok(aliases)
}

impl QuantityFile {
    fn check(self) -> anyhow::Result<QuantityPolicy> {
        let kept = not_negative("safety_stock", self.safety_stock.as_deref())?;
        let threshold = not_negative("threshold", self.threshold.as_deref())?;
        let reserve = match (kept, threshold) {
            (Some(_), Some(_)) => bail!("there is a safety_stock or a threshold, not both"),
            (Some(kept), None) => Reserve::SafetyStock(kept),
            (None, Some(up_to)) => Reserve::Threshold(up_to),
            (None, None) => Reserve::None,
        };
        let percent: Option<Decimal> = not_negative("share_percent", self.share_percent.as_deref())?.map(Quantity::get);
        let fixed = not_negative("share_fixed", self.share_fixed.as_deref())?;
        let allocation = match (percent, fixed) {
            (Some(_), Some(_)) => bail!("there is a share_percent or a share_fixed, not both"),
            (Some(percent), None) if percent > Decimal::ONE_HUNDRED => bail!("share_percent is at most \"100\""),
            (Some(percent), None) => Allocation::Percent(percent),
            (None, Some(fixed)) => Allocation::Fixed(fixed),
            (None, None) => Allocation::All,
        };
        let cap = not_negative("cap", self.cap.as_deref())?;
        if cap.is_some_and(|cap| !cap.get().fract().is_zero()) {
            bail!("cap is a whole number: it counts what the channel sells");
        }
        let fulfilled_by_channel = self.fulfilled_by == Some(FulfilledBy::Channel);
        Ok(QuantityPolicy { reserve, allocation, cap, fulfilled_by_channel })
    }
}

impl PriceFile {
    fn check(self) -> anyhow::Result<PricePolicy> {
        let default = PricePolicy::default();
        let currency =
            self.currency.map(|text| text.parse::<Currency>().with_context(|| format!("currency: {text:?}")));
        let markup_percent: Option<Quantity> = decimal("markup_percent", self.markup_percent.as_deref())?;
        let markup_percent = markup_percent.map_or(default.markup_percent, Quantity::get);
        if markup_percent <= -Decimal::ONE_HUNDRED {
            bail!("markup_percent: \"-100\" and less leaves nothing of a price");
        }
        let money = |name, text: Option<&str>| -> anyhow::Result<_> {
            let amount = not_negative(name, text)?;
            Ok(amount.and_then(|amount| Money::new(amount.get())))
        };
        let rounding = Rounding {
            step: money("round_to", self.round_to.as_deref())?.unwrap_or(default.rounding.step),
            direction: match self.round {
                None | Some(RoundFile::Nearest) => Direction::Nearest,
                Some(RoundFile::Up) => Direction::Up,
                Some(RoundFile::Down) => Direction::Down,
            },
            ending: money("ending", self.ending.as_deref())?,
        };
        if rounding.step.is_zero() {
            bail!("round_to is more than zero");
        }
        Ok(PricePolicy {
            currency: currency.transpose()?,
            tax_basis: self.tax_basis.map(|basis| match basis {
                TaxBasisFile::Net => TaxBasis::Net,
                TaxBasisFile::Gross => TaxBasis::Gross,
            }),
            tax_rate: not_negative("tax_rate", self.tax_rate.as_deref())?,
            markup_percent,
            rounding,
            floor: money("floor", self.floor.as_deref())?,
            change_min: money("change_min", self.change_min.as_deref())?,
            refresh_after: self.refresh_after.unwrap_or(default.refresh_after),
            zero_after: self.zero_after,
        })
    }
}

impl AmazonFile {
    fn check(self) -> anyhow::Result<AmazonSettings> {
        let messages_max = self.messages_max.unwrap_or(10_000);
        let bytes_max = self.bytes_max.map(usize::try_from).transpose()?.unwrap_or(10 << 20);
        if messages_max == 0 || bytes_max < 64 << 10 {
            bail!("messages_max is at least 1, bytes_max at least 64KiB");
        }
        Ok(AmazonSettings {
            seller_id: self.seller_id,
            marketplace_id: self.marketplace_id,
            product_type: self.product_type.unwrap_or_else(|| "PRODUCT".to_owned()),
            issue_locale: self.issue_locale,
            messages_max,
            bytes_max,
        })
    }
}

impl CdiscountFile {
    fn check(self) -> anyhow::Result<CdiscountSettings> {
        let offers_max = self.offers_max.unwrap_or(CdiscountSettings::default().offers_max);
        if offers_max == 0 {
            bail!("offers_max is at least 1");
        }
        Ok(CdiscountSettings { offers_max })
    }
}

fn decimal<T: FromStr<Err: Display>>(name: &str, text: Option<&str>) -> anyhow::Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(error) => bail!("{name}: {text:?} {error}"),
    }
}

fn not_negative(name: &str, text: Option<&str>) -> anyhow::Result<Option<Quantity>> {
    let value: Option<Quantity> = decimal(name, text)?;
    if value.is_some_and(|value| value < Quantity::ZERO) {
        bail!("{name} is not less than zero");
    }
    Ok(value)
}

fn positive(name: &str, text: Option<&str>) -> anyhow::Result<Option<Quantity>> {
    let value: Option<Quantity> = decimal(name, text)?;
    if value.is_some_and(|value| !value.is_positive()) {
        bail!("{name} is more than zero");
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
