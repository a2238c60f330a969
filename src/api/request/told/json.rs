//! Changes and rows in JSON: an object each, in a list or on a line of its own.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{At, Lost, Names, Told, hash_of, instant, kind, measure};
use crate::api::request::json::{explain, text};
use crate::api::request::loose::{Loose, Object};
use crate::api::request::scalar;
use crate::api::status::{Fault, Refusal};
use crate::domain::change::{Change, ChangeKind, Measure, Unreadable};

/// Which fields there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Change,
    Row,
}

/// One object. What is not JSON is an error; everything else is noted.
fn object(json: &[u8], at: At, of: Of) -> Result<Told<'static>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let told = reader.deserialize_map(Fields { at, of })?;
    reader.end()?;
    Ok(told)
}

struct Fields {
    at: At,
    of: Of,
}

const NAMES: [(&str, &str); 14] = [
    ("sku", "sku"),
    ("location", "location"),
    ("measure", "measure"),
    ("row", "row"),
    ("quantity", "quantity"),
    ("expectedOn", "expected_on"),
    ("expiresAt", "expires_at"),
    ("sequence", "sequence"),
    ("after", "after"),
    ("kind", "kind"),
    ("effectiveAt", "effective_at"),
    ("eventId", "event_id"),
    ("reference", "reference"),
    ("rows", "rows"),
];
/// Those of a row, and where those of a change end.
const OF_ROW: usize = 7;
const OF_CHANGE: usize = 13;

impl<'de> Visitor<'de> for Fields {
    type Value = Told<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut told = Told::new(self.at);
        let mut seen = 0_u16;
        while let Some(name) = entries.next_key::<Cow<'_, str>>()? {
            let value = entries.next_value::<Loose>()?;
            let nth = NAMES.iter().position(|(camel, snake)| name == *camel || name == *snake);
            let nth = nth.filter(|nth| match self.of {
                Of::Change => *nth < OF_CHANGE,
                Of::Row => *nth < OF_ROW || *nth >= OF_CHANGE,
            });
            let Some(nth) = nth else {
                let shown: String = name.chars().take(64).collect();
                told.wrong(Fault::UnknownField, &shown, "there is no such field");
                // The other wire has no names for them.
                told.unread("", "");
                continue;
            };
            if seen & (1 << nth) != 0 {
                told.wrong(Fault::DuplicateKey, NAMES[nth].0, "is given twice");
                told.unread(NAMES[nth].0, written(&value));
                continue;
            }
            seen |= 1 << nth;
            told.put(NAMES[nth].0, value);
        }
        Ok(told)
    }
}

impl Told<'_> {
    fn put(&mut self, field: &'static str, value: Loose) {
        match field {
            // JSON's way to leave something out.
            _ if value == Loose::Null => {}
            "sequence" => {
                self.sequence = self.number(field, value);
                self.lost.sequence = self.sequence.is_none();
            }
            "after" => {
                self.after = self.number(field, value);
                self.lost.after = self.after.is_none();
            }
            "rows" => self.rows = self.number(field, value),
            "kind" => self.kind = self.value(field, value, by_name, kind),
            "measure" => self.measure = self.value(field, value, Measure::named, measure),
            "effectiveAt" => self.effective_at = self.time(field, value),
            "expiresAt" => self.expires_at = self.time(field, value),
            "quantity" => self.quantity = self.decimal(value),
            _ => {
                let text = self.text(field, value);
                match field {
                    "sku" => self.sku = text,
                    "location" => self.location = text,
                    "row" => self.row = text,
                    "expectedOn" => self.expected_on = text,
                    "eventId" => self.event_id = text,
                    _ => self.reference = text,
                }
            }
        }
    }

    fn text<'a>(&mut self, field: &str, value: Loose) -> Option<Cow<'a, str>> {
        match value {
            Loose::Text(text) => Some(text.into()),
            Loose::Number(number) => {
                self.unread(field, &number);
                self.wrong(Fault::WrongType, field, format_args!("write \"{number}\""));
                None
            }
            _ => {
                self.unread(field, written(&value));
                self.wrong(Fault::WrongType, field, "a string is due");
                None
            }
        }
    }

    fn decimal<'a>(&mut self, value: Loose) -> Option<Cow<'a, str>> {
        if let Loose::Text(text) = value {
            return Some(text.into());
        }
        self.unread("quantity", written(&value));
        // Whoever sends a number has had it in a float, and what was lost there cannot be told from what was meant.
        let what = match value {
            Loose::Number(number) if !number.contains(['e', 'E']) => format!("write \"{number}\""),
            _ => "write a decimal string such as \"12\"".to_owned(),
        };
        self.wrong(Fault::MalformedDecimal, "quantity", what);
        None
    }

    fn number(&mut self, field: &str, value: Loose) -> Option<u64> {
        // Beyond, a float that was meant to be this number may be another.
        const EXACT_MAX: u64 = (1 << 53) - 1;
        let (read, text) = match &value {
            Loose::Text(text) => (digits(text), text),
            Loose::Number(number) => (digits(number).filter(|number| *number <= EXACT_MAX), number),
            _ => {
                self.unread(field, written(&value));
                self.wrong(Fault::WrongType, field, "a string of digits is due");
                return None;
            }
        };
        if read.is_none() {
            self.unread(field, text);
            let shown: String = text.chars().take(64).collect();
            match value {
                Loose::Number(_) => self.wrong(Fault::OutOfRange, field, format_args!("write \"{shown}\"")),
                _ => self.wrong(Fault::OutOfRange, field, "is not a number from 0 to 18446744073709551615"),
            }
        }
        read
    }

    fn value<T>(
        &mut self,
        field: &str,
        value: Loose,
        by_name: impl Fn(&str) -> Option<T>,
        by_number: impl Fn(i32) -> Option<T>,
    ) -> Option<T> {
        let (read, text) = match value {
            Loose::Text(name) => (by_name(&name), name),
            Loose::Number(number) => (number.parse().ok().and_then(by_number), number),
            _ => {
                self.unread(field, written(&value));
                self.wrong(Fault::WrongType, field, "a name is due");
                return None;
            }
        };
        if read.is_none() {
            self.unread(field, &text);
            let shown: String = text.chars().take(64).collect();
            self.wrong(Fault::UnknownValue, field, format_args!("there is no value {shown:?}"));
        }
        read
    }

    fn time(&mut self, field: &str, value: Loose) -> Option<crate::clock::Timestamp> {
        let read = match &value {
            Loose::Text(text) => scalar::instant(text).and_then(instant),
            _ => None,
        };
        if read.is_none() {
            let what = "is not an instant with its offset, such as \"2026-11-22T10:00:00+01:00\"";
            self.unread(field, written(&value));
            self.wrong(Fault::MalformedInstant, field, what);
        }
        read
    }
}

/// What stands there, of what is a value in itself.
fn written(value: &Loose) -> &str {
    match value {
        Loose::Text(text) | Loose::Number(text) => text,
        Loose::Bool(true) => "true",
        Loose::Bool(false) => "false",
        Loose::Null | Loose::Other => "",
    }
}

fn by_name(name: &str) -> Option<ChangeKind> {
    match name {
        "SET" => Some(ChangeKind::Set),
        "ADD" => Some(ChangeKind::Add),
        _ => None,
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A request as one object.
#[derive(Debug)]
pub struct Envelope {
    pub source: Option<String>,
    pub epoch: Option<String>,
    pub changes: Vec<Change>,
    pub sequence: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body<'a> {
    source: Option<Loose>,
    epoch: Option<Loose>,
    #[serde(borrow)]
    changes: Option<Vec<&'a RawValue>>,
    sequence: Option<Loose>,
}

/// Reads a request that is one object.
pub fn envelope(body: &[u8], changes_max: usize) -> Result<Envelope, Refusal> {
    let Object(read) = serde_json::from_slice::<Object<Body<'_>>>(body).map_err(|_| explain::<Body<'_>>(body))?;
    let changes = read.changes.unwrap_or_default();
    super::super::within(changes.len(), changes_max, "changes")?;
    let mut names = Names::default();
    let mut placed = Placed::default();
    placed.changes.reserve(changes.len());
    for (index, json) in changes.into_iter().enumerate() {
        let at = At::Item("changes", index);
        match object(json.get().as_bytes(), at, Of::Change) {
            Ok(told) => placed.push_told(told, &mut names),
            // It is JSON, so it is of another type.
            Err(_) => {
                let what = format!("changes[{index}]: an object is due");
                let change = unreadable(json.get().as_bytes(), Fault::WrongType, what);
                placed.push(change, Lost { sequence: true, after: true });
            }
        }
    }
    let changes = placed.finish();
    let mut told = Told::new(At::Nowhere);
    let sequence = read.sequence.and_then(|value| told.number("sequence", value));
    if let Some((_, detail)) = told.wrong {
        return Err(Refusal { path: Some("sequence".into()), ..Refusal::new(Fault::OutOfRange, String::from(detail)) });
    }
    Ok(Envelope {
        source: text(read.source, || "source".into())?,
        epoch: text(read.epoch, || "epoch".into())?,
        changes,
        sequence,
    })
}

fn unreadable(bytes: &[u8], fault: Fault, detail: String) -> Change {
    let movement = Err(Unreadable { reason: fault.facts().2, detail: detail.into(), key: None });
    let hash = hash_of(bytes);
    Change { sequence: None, after: None, event_id: None, effective_at: None, movement, hash }
}

/// Changes, one a line, and the line each was on.
#[derive(Debug, Default)]
pub struct Lines {
    pub changes: Vec<Change>,
    pub lines: Vec<u64>,
}

/// Reads changes, one a line. One that cannot be read takes its number all the same, where that can be seen: on the line
/// itself, or from its neighbours.
pub fn lines(body: &[u8], changes_max: usize) -> Result<Lines, Refusal> {
    let mut placed = Placed::default();
    let mut numbers = Vec::new();
    let mut names = Names::default();
    let ended = body.is_empty() || body.ends_with(b"\n");
    let mut rest = body.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = rest.next() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let number = index as u64 + 1;
        super::super::within(numbers.len() + 1, changes_max, "changes")?;
        let at = At::Line(number);
        match object(line, at, Of::Change) {
            Ok(told) => placed.push_told(told, &mut names),
            Err(_) if !ended && rest.peek().is_none() => {
                let what = format!("line {number}, the last, is cut off: nothing of the body was taken");
                return Err(Refusal::new(Fault::CutOff, what));
            }
            Err(error) => {
                let fault = if error.is_data() { Fault::WrongType } else { Fault::MalformedJson };
                let mut change = unreadable(line, fault, format!("{at}{error}"));
                change.sequence = seen(line, b"\"sequence\"");
                let after = seen(line, b"\"after\"");
                change.after = after.filter(|after| change.sequence.is_none_or(|sequence| *after < sequence));
                let sequence = change.sequence.is_none();
                // A line that says nothing of `after` has none, unless nothing can be said of the line at all.
                let after = after.is_none() && (sequence || stands(line, b"\"after\"").next().is_some());
                placed.push(change, Lost { sequence, after });
            }
        }
        numbers.push(number);
    }
    Ok(Lines { changes: placed.finish(), lines: numbers })
}

/// Changes in their order, and of which of them the place could not be read.
#[derive(Default)]
struct Placed {
    changes: Vec<Change>,
    lost: Vec<(usize, Lost)>,
}

impl Placed {
    fn push_told(&mut self, told: Told<'_>, names: &mut Names) {
        let (lost, after) = (told.lost, told.after);
        let mut change = told.into_change(names);
        if lost.sequence {
            // Of use once there is a number.
            change.after = after;
        }
        self.push(change, lost);
    }

    fn push(&mut self, change: Change, lost: Lost) {
        if lost != Lost::default() {
            self.lost.push((self.changes.len(), lost));
        }
        self.changes.push(change);
    }

    /// Fills in what was lost, as far as the neighbours leave no choice. What was not said stays so: whoever leaves `after`
    /// out says that nothing is missing before, and that is not to be covered up.
    fn finish(self) -> Vec<Change> {
        let Placed { mut changes, lost } = self;
        let mut lost = lost.into_iter().peekable();
        let mut before = None;
        let mut end = 0;
        for index in 0..changes.len() {
            let Some((_, here)) = lost.next_if(|(place, _)| *place == index) else {
                before = changes[index].sequence.or(before);
                continue;
            };
            if here.sequence {
                if index >= end {
                    // The end of those that have no number, one after the other. Sought once for all of them.
                    let mut others = lost.clone().filter(|(_, lost)| lost.sequence).map(|(place, _)| place);
                    end = index + 1;
                    while others.next() == Some(end) {
                        end += 1;
                    }
                }
                changes[index].sequence = number_between(&changes, before, index, end);
            }
            let change = &mut changes[index];
            if here.after && change.after.is_none() {
                change.after = before;
            }
            // Which also is so where there is no number.
            if change.after >= change.sequence {
                change.after = None;
            }
            before = change.sequence.or(before);
        }
        changes
    }
}

/// The number of a change whose own cannot be read: what the next one says to come after; or, where as many numbers are left
/// out as there are changes without one, up to `end`, the next of them.
fn number_between(changes: &[Change], before: Option<u64>, index: usize, end: usize) -> Option<u64> {
    let said = changes.get(index + 1).and_then(|next| next.after);
    if let Some(said) = said {
        return Some(said).filter(|said| *said > before.unwrap_or(0));
    }
    let next = changes.get(end)?;
    // Whoever stands right before it.
    let number = changes[..index].last()?.sequence?.checked_add(1)?;
    let last = next.sequence?.checked_sub(1)?;
    let is_next = next.after.is_none_or(|after| after == last);
    (is_next && last.checked_sub(number) == Some((end - index - 1) as u64)).then_some(number)
}

/// Where a name stands on the line.
fn stands(line: &[u8], name: &[u8]) -> impl Iterator<Item = usize> {
    line.windows(name.len()).enumerate().filter(move |(_, window)| *window == name).map(|(at, _)| at)
}

/// The number of a name that stands on the line exactly once.
fn seen(line: &[u8], name: &[u8]) -> Option<u64> {
    let mut places = stands(line, name);
    let at = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let rest = line[at + name.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let (rest, quoted) = rest.strip_prefix(b"\"").map_or((rest, false), |rest| (rest, true));
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // What the line broke off in is not all of it.
    let ends = rest.get(length).is_some_and(|byte| if quoted { *byte == b'"' } else { b" ,}\t".contains(byte) });
    let number: u64 = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
    (ends && number > 0).then_some(number)
}

/// One line of a snapshot: a row, or (`rows`) its end.
pub fn row(line: &[u8], number: u64) -> Told<'static> {
    let at = At::Line(number);
    object(line, at, Of::Row).unwrap_or_else(|error| {
        let mut told = Told::new(at);
        told.wrong(if error.is_data() { Fault::WrongType } else { Fault::MalformedJson }, "", error);
        told
    })
}
