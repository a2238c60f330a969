//! What was told of a row, or of a change to one, as far as it could be read. Every wire fills a [`Told`]; the checks are
//! the same for all. What is wrong with one is not a refusal: it becomes that change's, or that row's, own fault.

pub mod csv;
pub mod json;
pub mod message;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use super::scalar;
use crate::api::status::Fault;
use crate::clock::Timestamp;
use crate::domain::change::{Change, ChangeKind, Measure, Movement, RowId, RowKey, Unreadable};
use crate::domain::ids::check_id;
use crate::domain::{IdError, LocationId, Quantity, Sku};
use crate::hash::Hash;
use crate::stock::request::{SnapshotLine, SnapshotRow};

/// Where it stands, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    #[default]
    Nowhere,
    /// In a list of this name.
    Item(&'static str, usize),
    /// From 1.
    Line(u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Nowhere => Ok(()),
            At::Item(list, index) => write!(f, "{list}[{index}]."),
            At::Line(line) => write!(f, "line {line}: "),
        }
    }
}

/// Of where a change stands among the others: what was said, and cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    pub sequence: bool,
    pub after: bool,
}

#[derive(Debug, Default)]
pub struct Told<'a> {
    pub at: At,
    pub sequence: Option<u64>,
    pub after: Option<u64>,
    pub kind: Option<ChangeKind>,
    pub sku: Option<Cow<'a, str>>,
    pub location: Option<Cow<'a, str>>,
    pub measure: Option<Measure>,
    pub row: Option<Cow<'a, str>>,
    pub quantity: Option<Cow<'a, str>>,
    pub expected_on: Option<Cow<'a, str>>,
    pub effective_at: Option<Timestamp>,
    pub event_id: Option<Cow<'a, str>>,
    pub reference: Option<Cow<'a, str>>,
    pub expires_at: Option<Timestamp>,
    /// The last line of a snapshot: how many rows there were.
    pub rows: Option<u64>,
    pub lost: Lost,
    /// A hash of what stands in fields that cannot be read, whatever their order; never of what we say about it.
    pub unread: u64,
    /// The first thing that was wrong: reason and detail.
    pub wrong: Option<(&'static str, Box<str>)>,
}

/// A source's own words about a change. Bytes.
const REFERENCE_BYTES_MAX: usize = 256;

/// Names that were just read: most changes of a request are about one place.
#[derive(Debug, Default)]
pub struct Names {
    location: Option<LocationId>,
}

impl Names {
    fn location(&mut self, text: &str) -> Result<LocationId, IdError> {
        match &self.location {
            Some(last) if last.as_str() == text => Ok(last.clone()),
            _ => Ok(self.location.insert(LocationId::new(text)?).clone()),
        }
    }
}

impl Told<'_> {
    pub fn new(at: At) -> Self {
        Told { at, ..Told::default() }
    }

    /// Notes what is wrong with a field. The first fault is the one that is told.
    pub fn wrong(&mut self, fault: Fault, field: &str, what: impl fmt::Display) {
        if self.wrong.is_none() {
            let between = if field.is_empty() { "" } else { ": " };
            let detail = format!("{}{field}{between}{what}", self.at);
            self.wrong = Some((fault.facts().2, detail.into()));
        }
    }

    /// Notes what stands in a field that cannot be read.
    pub fn unread(&mut self, field: &str, written: &str) {
        let mut hash = Hash::default();
        hash.text(field.as_bytes());
        hash.text(written.as_bytes());
        self.unread = self.unread.wrapping_add(hash.get());
    }

    fn key(&mut self, names: &mut Names) -> Option<RowKey> {
        let mut faults = [None; 3];
        let mut checked = |nth: usize, error: IdError| faults[nth] = Some(error);
        let sku = Sku::new(self.sku.as_deref().unwrap_or_default()).map_err(|error| checked(0, error));
        let location = names.location(self.location.as_deref().unwrap_or_default()).map_err(|error| checked(1, error));
        let row = RowId::new(self.row.as_deref().unwrap_or_default()).map_err(|error| checked(2, error));
        for (field, error) in ["sku", "location", "row"].into_iter().zip(faults) {
            if let Some(error) = error {
                self.wrong(Fault::MalformedId, field, error);
            }
        }
        if self.measure.is_none() {
            self.wrong(Fault::UnknownValue, "measure", "is missing");
        }
        Some(RowKey { sku: sku.ok()?, location: location.ok()?, measure: self.measure?, row: row.ok()? })
    }

    fn row(&mut self, names: &mut Names) -> Result<SnapshotRow, Unreadable> {
        let key = self.key(names);
        let quantity = match self.quantity.take() {
            None => {
                self.wrong(Fault::MalformedDecimal, "quantity", "is missing");
                None
            }
            Some(text) => text.parse().map_err(|error| self.wrong(Fault::MalformedDecimal, "quantity", error)).ok(),
        };
        let expected_on = self.expected_on.take().and_then(|text| {
            let date = scalar::date(&text);
            if date.is_none() {
                self.wrong(Fault::MalformedDate, "expectedOn", "is not a day written YYYY-MM-DD");
            }
            date
        });
        match (key, quantity, self.wrong.take()) {
            (Some(key), Some(quantity), None) => {
                Ok(SnapshotRow { key, quantity, expected_on, expires_at: self.expires_at })
            }
            (key, _, wrong) => {
                // Whatever is missing above was noted.
                let (reason, detail) = wrong.unwrap_or((Fault::Internal.facts().2, "".into()));
                Err(Unreadable { reason, detail, key })
            }
        }
    }

    /// As a row of a snapshot.
    pub fn into_line(mut self, line: u64, names: &mut Names) -> SnapshotLine {
        SnapshotLine { line, row: self.row(names) }
    }

    /// As a change.
    pub fn into_change(mut self, names: &mut Names) -> Change {
        let hash = self.hash();
        let numbers = match (self.sequence, self.after) {
            (Some(0), _) => {
                self.wrong(Fault::OutOfRange, "sequence", "numbers begin at 1");
                (None, None)
            }
            (Some(sequence), Some(after)) if after >= sequence => {
                self.wrong(Fault::OutOfRange, "after", format_args!("{after} is not before {sequence}"));
                // It has its number all the same, and takes it.
                (Some(sequence), None)
            }
            (None, Some(_)) => {
                self.wrong(Fault::Contradictory, "after", "there is no sequence");
                (None, None)
            }
            numbers => numbers,
        };
        let event_id = self.event_id.take().and_then(|text| match check_id(&text) {
            Ok(text) => Some(text.into()),
            Err(error) => {
                self.wrong(Fault::MalformedId, "eventId", error);
                None
            }
        });
        if self.reference.as_ref().is_some_and(|text| text.len() > REFERENCE_BYTES_MAX) {
            self.wrong(Fault::OutOfRange, "reference", format_args!("is longer than {REFERENCE_BYTES_MAX} bytes"));
        }
        if self.kind.is_none() {
            self.wrong(Fault::UnknownValue, "kind", "is missing");
        }
        let movement = self.row(names);
        let movement = movement.and_then(|row| match self.kind {
            Some(kind) => {
                let SnapshotRow { key, quantity, expected_on, expires_at } = row;
                Ok(Movement { kind, key, quantity, expected_on, expires_at })
            }
            // Noted above, so there is no such row.
            None => Err(Unreadable { reason: Fault::Internal.facts().2, detail: "".into(), key: Some(row.key) }),
        });
        Change { sequence: numbers.0, after: numbers.1, event_id, effective_at: self.effective_at, movement, hash }
    }

    /// Of all that was told: the same over every wire and in every process, for it is kept. Not of `after`, which says where it
    /// stands and not what it is: whoever sends it again may not know any more what was before it.
    fn hash(&self) -> u64 {
        let mut hash = Hash::default();
        hash.number(self.sequence);
        hash.number(self.kind.map(|kind| kind as u64));
        hash.number(self.measure.map(|measure| measure as u64));
        hash.number(self.effective_at.map(|at| at.0 as u64));
        hash.number(self.expires_at.map(|at| at.0 as u64));
        let quantity = self.quantity.as_deref().unwrap_or_default();
        match quantity.parse::<Quantity>() {
            Ok(quantity) => hash.decimal(quantity.get()),
            Err(_) => hash.text(quantity.as_bytes()),
        }
        let texts = [&self.sku, &self.location, &self.row, &self.expected_on, &self.event_id, &self.reference];
        // An empty text is as good as none.
        texts.into_iter().for_each(|text| hash.text(text.as_deref().unwrap_or_default().as_bytes()));
        if self.wrong.is_some() {
            hash.word(self.unread);
        }
        hash.get()
    }
}

/// Of something that could not be read at all.
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash = Hash::default();
    hash.text(bytes);
    hash.get()
}

pub fn measure(number: i32) -> Option<Measure> {
    Measure::ALL.into_iter().find(|measure| *measure as i32 == number)
}

pub fn kind(number: i32) -> Option<ChangeKind> {
    match number {
        1 => Some(ChangeKind::Set),
        2 => Some(ChangeKind::Add),
        _ => None,
    }
}

/// The clock counts milliseconds; what is finer is cut.
pub fn instant(told: prost_types::Timestamp) -> Option<Timestamp> {
    let nanos = u32::try_from(told.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Timestamp(told.seconds.checked_mul(1000)?.checked_add(i64::from(nanos / 1_000_000))?))
}
