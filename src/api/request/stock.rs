//! Requests to the ledger, checked: pushes, snapshots, and what is asked about sources and levels.

use serde::Deserialize;

use super::json::{explain, text};
use super::loose::{Loose, Object};
use super::protobuf::Value;
use super::told::json::Envelope;
use super::told::message::{Push, fields, utf8};
use super::told::{measure, message};
use super::{form, malformed_id, unknown_value, within};
use crate::api::status::{Fault, Refusal};
use crate::domain::change::{Change, Epoch, Measure};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Sku};
use crate::stock::Request;
use crate::stock::request::SnapshotHead;

/// Locations a snapshot may name.
const LOCATIONS_MAX: usize = 10_000;

pub fn source(text: &str) -> Result<SourceId, Refusal> {
    SourceId::new(text).map_err(|error| malformed_id("source", error))
}

pub fn epoch(text: &str) -> Result<Epoch, Refusal> {
    Epoch::new(text).map_err(|error| malformed_id("epoch", error))
}

/// A request that was one JSON object.
pub fn push_of(envelope: Envelope) -> Result<Request, Refusal> {
    let Envelope { source: name, epoch: counting, changes, sequence } = envelope;
    let source = source(&name.unwrap_or_default())?;
    request(source, epoch(&counting.unwrap_or_default())?, changes, sequence)
}

/// A request of a stream. One that names no source means the one before it.
pub fn push_in(push: Push<'_>, before: Option<&(SourceId, Epoch)>) -> Result<Request, Refusal> {
    let (source, epoch) = match before {
        Some(before) if push.source.is_empty() && push.epoch.is_empty() => before.clone(),
        _ => (source(push.source)?, epoch(push.epoch)?),
    };
    request(source, epoch, push.changes, push.sequence)
}

/// One whose source stands elsewhere.
pub fn request(
    source: SourceId,
    epoch: Epoch,
    changes: Vec<Change>,
    heartbeat: Option<u64>,
) -> Result<Request, Refusal> {
    if heartbeat.is_some() && !changes.is_empty() {
        let what = "is a heartbeat's, which has no changes; each change has its own";
        return Err(Refusal::at(Fault::Contradictory, "sequence", what));
    }
    Ok(Request { source, epoch, changes, heartbeat })
}

/// What stands in a query string.
#[derive(Debug, Default)]
pub struct Query {
    pub source: Option<String>,
    pub epoch: Option<String>,
    pub sequence: Option<u64>,
    pub rows: Option<u64>,
    pub force: bool,
    pub dry_run: bool,
    pub skus: Vec<String>,
    pub locations: Vec<String>,
    pub measures: Vec<String>,
}

/// Reads a query string; `known`: the parameters there are.
pub fn query(query: &str, known: &[&str]) -> Result<Query, Refusal> {
    let mut read = Query::default();
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (form::text(name)?, form::text(value)?.into_owned());
        let (base, _) = form::split(&name);
        let base = match base {
            "skus" => "sku",
            "locations" => "location",
            "measures" => "measure",
            "dry_run" => "dryRun",
            other => other,
        };
        if !known.contains(&base) {
            return Err(Refusal::at(Fault::UnknownField, name, "there is no such parameter"));
        }
        let list = match base {
            "sku" => Some(&mut read.skus),
            "location" => Some(&mut read.locations),
            "measure" => Some(&mut read.measures),
            _ => None,
        };
        if let Some(list) = list {
            list.push(value);
            continue;
        }
        if seen.contains(&base.to_owned()) {
            return Err(Refusal::at(Fault::DuplicateKey, name, "is given twice"));
        }
        seen.push(base.to_owned());
        match base {
            "source" => read.source = Some(value),
            "epoch" => read.epoch = Some(value),
            "sequence" => read.sequence = Some(number("sequence", &value)?),
            "rows" => read.rows = Some(number("rows", &value)?),
            "force" => read.force = flag("force", &value)?,
            _ => read.dry_run = flag("dryRun", &value)?,
        }
    }
    Ok(read)
}

fn number(name: &str, text: &str) -> Result<u64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| digits);
    read.ok_or_else(|| Refusal::at(Fault::OutOfRange, name, "is not a number from 0 to 18446744073709551615"))
}

fn flag(name: &str, text: &str) -> Result<bool, Refusal> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::at(Fault::WrongType, name, "true or false is due")),
    }
}

impl Query {
    pub fn source(&self) -> Result<SourceId, Refusal> {
        source(self.source.as_deref().unwrap_or_default())
    }

    pub fn epoch(&self) -> Result<Epoch, Refusal> {
        epoch(self.epoch.as_deref().unwrap_or_default())
    }

    pub fn skus(&self, skus_max: usize) -> Result<Vec<Sku>, Refusal> {
        if self.skus.is_empty() {
            return Err(Refusal::at(Fault::NothingNamed, "sku", "name at least one"));
        }
        within(self.skus.len(), skus_max, "sku")?;
        skus(&self.skus, "sku")
    }

    /// The head of a snapshot.
    pub fn head(self) -> Result<SnapshotHead, Refusal> {
        let measures = self.measures.iter().enumerate().map(|(index, name)| {
            let unknown = || unknown_value(format!("measure[{index}]"), &format_args!("{name:?}"));
            Measure::named(name).ok_or_else(unknown)
        });
        Ok(SnapshotHead {
            source: self.source()?,
            epoch: self.epoch()?,
            sequence: self.sequence,
            locations: locations(&self.locations)?,
            measures: once(measures.collect::<Result<_, Refusal>>()?),
            rows: self.rows,
            force: self.force,
            dry_run: self.dry_run,
        })
    }
}

pub fn skus(names: &[impl AsRef<str>], path: &str) -> Result<Vec<Sku>, Refusal> {
    let checked = names
        .iter()
        .enumerate()
        .map(|(index, name)| Sku::new(name.as_ref()).map_err(|error| malformed_id(&format!("{path}[{index}]"), error)));
    checked.collect()
}

fn locations(names: &[impl AsRef<str>]) -> Result<Vec<LocationId>, Refusal> {
    within(names.len(), LOCATIONS_MAX, "locations")?;
    let checked = names.iter().enumerate().map(|(index, name)| {
        LocationId::new(name.as_ref()).map_err(|error| malformed_id(&format!("locations[{index}]"), error))
    });
    Ok(once(checked.collect::<Result<_, Refusal>>()?))
}

fn once<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// Reads a `SnapshotHead`.
pub fn head_in(bytes: &[u8]) -> Result<SnapshotHead, Refusal> {
    let (mut name, mut counting, mut places, mut measures) = ("", "", Vec::new(), Vec::new());
    let (mut sequence, mut rows, mut force, mut dry_run) = (None, None, false, false);
    let mut add = |number: u64| {
        let unknown = || unknown_value(format!("head.measures[{}]", measures.len()), &(number as i32));
        measures.push(measure(number as i32).ok_or_else(unknown)?);
        Ok(())
    };
    fields(bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => name = utf8(text)?,
            (2, Value::Bytes(text)) => counting = utf8(text)?,
            (3, Value::Number(number)) => sequence = Some(number),
            (4, Value::Bytes(text)) => places.push(utf8(text)?),
            (5, Value::Number(number)) => add(number)?,
            // Packed, as most write it.
            (5, Value::Bytes(numbers)) => message::numbers(numbers, &mut add)?,
            (6, Value::Number(number)) => rows = Some(number),
            (7, Value::Number(told)) => force = told != 0,
            (8, Value::Number(told)) => dry_run = told != 0,
            (1..=8, _) => return Err(Refusal::new(Fault::MalformedProtobuf, "the head is not the one that is due")),
            _ => return Err(Refusal::at(Fault::UnknownField, format!("head.#{number}"), "there is no such field")),
        }
        Ok(())
    })?;
    Ok(SnapshotHead {
        source: source(name)?,
        epoch: epoch(counting)?,
        sequence,
        locations: locations(&places)?,
        measures: once(measures),
        rows,
        force,
        dry_run,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Skip {
    source: Option<Loose>,
    to: Option<Loose>,
}

/// Reads the body of a skip.
pub fn skip(body: &[u8]) -> Result<(SourceId, Option<u64>), Refusal> {
    let Object(read) = serde_json::from_slice::<Object<Skip>>(body).map_err(|_| explain::<Skip>(body))?;
    let named = source(&text(read.source, || "source".into())?.unwrap_or_default())?;
    let to = match read.to {
        None => None,
        Some(Loose::Text(text) | Loose::Number(text)) => Some(number("to", &text)?),
        Some(_) => return Err(Refusal::at(Fault::WrongType, "to", "a string of digits is due")),
    };
    Ok((named, to))
}

/// Reads a `SkipGapRequest`, which a `GetSourceRequest` is the beginning of.
pub fn skip_in(bytes: &[u8], with_number: bool) -> Result<(SourceId, Option<u64>), Refusal> {
    let (mut name, mut to) = ("", None);
    fields(bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => name = utf8(text)?,
            (2, Value::Number(number)) if with_number => to = Some(number),
            _ => return Err(Refusal::at(Fault::UnknownField, format!("#{number}"), "there is no such field")),
        }
        Ok(())
    })?;
    Ok((source(name)?, to))
}

/// Reads a `GetLevelsRequest`.
pub fn levels_in(bytes: &[u8], skus_max: usize) -> Result<Vec<Sku>, Refusal> {
    let mut names = Vec::new();
    fields(bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => names.push(utf8(text)?),
            _ => return Err(Refusal::at(Fault::UnknownField, format!("#{number}"), "there is no such field")),
        }
        Ok(())
    })?;
    if names.is_empty() {
        return Err(Refusal::at(Fault::NothingNamed, "skus", "name at least one"));
    }
    within(names.len(), skus_max, "skus")?;
    skus(&names, "skus")
}
