//! `[stock]`: the ledger, and the sources that feed it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::domain::LocationId;
use crate::domain::change::Measure;
use crate::domain::ids::SourceId;
use crate::human::deserialize_optional_duration;
use crate::stock::config::OnGap;
use crate::stock::{SourceConfig, StockConfig};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StockFile {
    any_source: Option<bool>,
    levels_max: Option<usize>,
    changes_max: Option<usize>,
    queue_changes_max: Option<usize>,
    sources: Vec<SourceFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    name: String,
    #[serde(default)]
    locations: Vec<String>,
    #[serde(default)]
    measures: Vec<String>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    reorder_wait: Option<Duration>,
    reorder_changes_max: Option<usize>,
    on_gap: Option<OnGapFile>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    gap_grace: Option<Duration>,
    gap_max: Option<u64>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    silent_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    skew_max: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_optional_duration")]
    dedupe_window: Option<Duration>,
    dedupe_max: Option<usize>,
    zeroed_percent_max: Option<u32>,
    zeroed_rows_min: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnGapFile {
    Stop,
    Continue,
}

impl StockFile {
    pub fn check(self) -> anyhow::Result<StockConfig> {
        let mut config = StockConfig::default();
        config.any_source = self.any_source.unwrap_or(config.any_source);
        config.levels_max = self.levels_max.unwrap_or(config.levels_max);
        config.changes_max = self.changes_max.unwrap_or(config.changes_max);
        config.queue_changes_max = self.queue_changes_max.unwrap_or(config.queue_changes_max);
        if config.levels_max == 0 || config.changes_max == 0 || config.queue_changes_max < config.changes_max {
            bail!("levels_max and changes_max are at least 1, queue_changes_max at least changes_max");
        }
        for file in self.sources {
            let name = file.name.clone();
            let source = file.check().with_context(|| format!("sources, {name:?}"))?;
            for other in &config.sources {
                apart(other, &source)?;
            }
            config.sources.push(source);
        }
        if config.sources.is_empty() && !config.any_source {
            bail!("there are no sources, and any_source is false: nothing would ever be taken");
        }
        Ok(config)
    }
}

impl SourceFile {
    fn check(self) -> anyhow::Result<SourceConfig> {
        let mut source = SourceConfig::named(SourceId::new(&self.name).context("name")?);
        for name in &self.locations {
            source.locations.push(LocationId::new(name).with_context(|| format!("locations, {name:?}"))?);
        }
        for name in &self.measures {
            let known = Measure::ALL.map(Measure::as_str).join(", ");
            source
                .measures
                .push(Measure::named(name).with_context(|| format!("measures: {name:?} is none of {known}"))?);
        }
        source.reorder_wait = self.reorder_wait.unwrap_or(source.reorder_wait);
        source.reorder_changes_max = self.reorder_changes_max.unwrap_or(source.reorder_changes_max);
        source.on_gap = match self.on_gap {
            Some(OnGapFile::Continue) => OnGap::Continue,
            Some(OnGapFile::Stop) => OnGap::Stop,
            None => source.on_gap,
        };
        source.gap_grace = self.gap_grace.unwrap_or(source.gap_grace);
        source.gap_max = self.gap_max.unwrap_or(source.gap_max);
        source.silent_after = self.silent_after.or(source.silent_after);
        source.skew_max = self.skew_max.unwrap_or(source.skew_max);
        source.dedupe_window = self.dedupe_window.unwrap_or(source.dedupe_window);
        source.dedupe_max = self.dedupe_max.unwrap_or(source.dedupe_max);
        source.zeroed_percent_max = self.zeroed_percent_max.unwrap_or(source.zeroed_percent_max);
        source.zeroed_rows_min = self.zeroed_rows_min.unwrap_or(source.zeroed_rows_min);
        if source.zeroed_percent_max > 100 {
            bail!("zeroed_percent_max is at most 100");
        }
        Ok(source)
    }
}

/// Each (location, measure) has one owner: whoever names its location, and of those whoever names the measure. Who names
/// neither has what the others leave.
fn apart(one: &SourceConfig, other: &SourceConfig) -> anyhow::Result<()> {
    if one.name == other.name {
        bail!("sources: {} is there twice", one.name);
    }
    if one.measures.is_empty() != other.measures.is_empty() {
        return Ok(());
    }
    let shared = Measure::ALL.into_iter().find(|measure| owns(one, *measure) && owns(other, *measure));
    let Some(measure) = shared.map(Measure::as_str) else { return Ok(()) };
    if let Some(location) = one.locations.iter().find(|location| other.locations.contains(location)) {
        bail!("sources: {} and {} both own {measure} at {location}", one.name, other.name);
    }
    if one.locations.is_empty() && other.locations.is_empty() {
        bail!("sources: {} and {} both own {measure} wherever nobody is named", one.name, other.name);
    }
    Ok(())
}

fn owns(source: &SourceConfig, measure: Measure) -> bool {
    source.measures.is_empty() || source.measures.contains(&measure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<StockConfig> {
        toml::from_str::<StockFile>(text)?.check()
    }

    #[test]
    fn a_source_and_its_defaults() {
        let text = "[[sources]]\nname = \"wms\"\nlocations = [\"PARIS\"]\nmeasures = [\"ON_HAND\"]\non_gap = \"continue\"\n\
                    silent_after = \"15m\"\n";
        let config = read(text).unwrap();
        let source = &config.sources[0];
        assert_eq!((source.locations.len(), source.measures[0], source.on_gap), (1, Measure::OnHand, OnGap::Continue));
        assert_eq!(source.silent_after, Some(Duration::from_secs(900)));
        let defaults = SourceConfig::named(source.name.clone());
        assert_eq!((source.reorder_wait, source.dedupe_max), (defaults.reorder_wait, defaults.dedupe_max));
        assert_eq!(StockConfig { sources: Vec::new(), ..config }, StockConfig::default());
    }

    #[test]
    fn what_cannot_be_is_said() {
        let source = |name: &str, more: &str| format!("[[sources]]\nname = \"{name}\"\n{more}\n");
        for (text, names) in [
            (String::new(), "any_source"),
            ("levels_max = 0".into(), "levels_max"),
            ("changes_max = 10\nqueue_changes_max = 9".into(), "queue_changes_max"),
            (source("", ""), "name"),
            (source("a", "measures = [\"STOCK\"]"), "PENDING"),
            (source("a", "locations = [\"\"]"), "locations"),
            (source("a", "on_gap = \"go\""), "continue"),
            (source("a", "zeroed_percent_max = 101"), "zeroed_percent_max"),
            (source("a", "colour = 1"), "colour"),
            (source("a", "") + &source("a", ""), "twice"),
            (source("a", "") + &source("b", ""), "wherever"),
            (source("a", "locations = [\"P\"]") + &source("b", "locations = [\"P\"]"), "both own ON_HAND at P"),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(names), "{text}: {error}");
        }
        let apart = source("a", "locations = [\"P\"]\nmeasures = [\"ON_HAND\"]")
            + &source("b", "locations = [\"P\"]\nmeasures = [\"RESERVED\"]")
            + &source("c", "")
            + &source("d", "locations = [\"L\"]")
            + &source("shop", "locations = [\"L\"]\nmeasures = [\"PENDING\"]")
            + &source("orders", "measures = [\"PENDING\"]");
        assert_eq!(read(&apart).unwrap().sources.len(), 6, "the closest has it");
    }
}
