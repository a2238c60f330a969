//! Events as bytes, for the journal and for the rows beside it.
//!
//! A record is one [`Batch`]: what one request did. Most of it are rows and the numbers they came under, so those are kept
//! short: a row's times and numbers are often those of its batch, a number's key is often that of the row before it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::event::{Batch, Event, Original, Row, Trace, Verdict};
use crate::clock::Timestamp;
use crate::domain::change::{ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Quantity, Sku};
use crate::journal::pack::{Packer, Unpacker, unzigzag, zigzag};

/// Another way of packing would begin otherwise.
const FORMAT: u8 = 2;

/// The record of a batch, appended to `bytes`.
pub fn pack(batch: &Batch, bytes: &mut Vec<u8>) {
    let mut to = Packing { out: Packer(std::mem::take(bytes)), at: batch.at, last: None };
    to.out.byte(FORMAT);
    to.out.name(batch.source.as_str());
    to.out.signed(batch.at.0);
    to.out.short(batch.events.len() as u128);
    batch.events.iter().for_each(|event| to.event(event));
    *bytes = to.out.0;
}

/// Takes records apart. Names that were just read are used again: most rows of a batch are of one place.
#[derive(Debug, Default)]
pub struct Unpacking {
    source: Option<SourceId>,
    location: Option<LocationId>,
}

impl Unpacking {
    /// `None`: these bytes are not a record.
    pub fn batch(&mut self, record: &[u8]) -> Option<Batch> {
        let mut from = Unpacker(record);
        if from.byte()? != FORMAT {
            return None;
        }
        let source = self.source(from.name()?)?;
        let at = Timestamp(from.signed()?);
        let count = usize::try_from(from.short()?).ok()?;
        // At least a byte each, whatever the count says.
        let mut events = Vec::with_capacity(count.min(record.len()));
        let mut last = None;
        for _ in 0..count {
            events.push(self.event(&mut from, at, &mut last)?);
        }
        from.is_empty().then_some(Batch { source, at, events })
    }

    pub fn source(&mut self, text: &str) -> Option<SourceId> {
        match &self.source {
            Some(last) if last.as_str() == text => Some(last.clone()),
            _ => Some(self.source.insert(SourceId::new(text).ok()?).clone()),
        }
    }

    pub fn location(&mut self, text: &str) -> Option<LocationId> {
        match &self.location {
            Some(last) if last.as_str() == text => Some(last.clone()),
            _ => Some(self.location.insert(LocationId::new(text).ok()?).clone()),
        }
    }

    fn event(&mut self, from: &mut Unpacker<'_>, at: Timestamp, last: &mut Option<RowKey>) -> Option<Event> {
        Some(match from.byte()? {
            ROW => {
                let key = last.insert(self.key(from)?).clone();
                Event::Row { key, row: Some(row(from, at)?) }
            }
            ROW_GONE => Event::Row { key: last.insert(self.key(from)?).clone(), row: None },
            LOGGED => Event::Logged {
                sku: Sku::new(from.name()?).ok()?,
                id: number(from)?,
                version: number(from)?,
                urgent: from.flag()?,
            },
            NUMBERED => {
                let (sequence, hash, original) = (number(from)?, from.number()?, original(from)?);
                Event::Numbered { sequence, hash, original, trace: self.trace(from, last.as_ref())? }
            }
            NAMED => Event::Named { event_id: from.name()?.into(), hash: from.number()?, original: original(from)? },
            POSITION => Event::Position { sequence: number(from)? },
            EPOCH => Event::Epoch { epoch: Epoch::new(from.name()?).ok()?, sequence: number(from)? },
            UNBEGUN => Event::Unbegun { epoch: Epoch::new(from.name()?).ok()?, since: Timestamp(from.signed()?) },
            GAP => Event::Gap { after: number(from)?, seen: number(from)?, since: Timestamp(from.signed()?) },
            MISSED => Event::Missed { before: number(from)? },
            UNCOVERED => Event::Uncovered { up_to: number(from)?, since: Timestamp(from.signed()?) },
            HEARD => Event::Heard,
            COMPLETE => Event::Complete {
                location: self.location(from.name()?)?,
                measure: measure(from)?,
                sequence: number(from)?,
            },
            _ => return None,
        })
    }

    /// As [`pack_trace`] wrote it, after a row of this key.
    pub fn trace(&mut self, from: &mut Unpacker<'_>, last: Option<&RowKey>) -> Option<Option<Trace>> {
        let what = from.byte()?;
        if what == 0 {
            return Some(None);
        }
        let key = if what & TRACE_OF_ROW != 0 { last?.clone() } else { self.key(from)? };
        Some(Some(match what & !TRACE_OF_ROW {
            TRACE_REJECTED => Trace::Rejected(key),
            kind @ (TRACE_SET | TRACE_ADD) => {
                let kind = if kind == TRACE_SET { ChangeKind::Set } else { ChangeKind::Add };
                let quantity = quantity(from)?;
                let (expected_on, expires_at) = (from.optional(date)?, from.optional(time)?);
                Trace::Applied(Movement { kind, key, quantity, expected_on, expires_at })
            }
            _ => return None,
        }))
    }

    /// As [`pack_key`] wrote it.
    pub fn key(&mut self, from: &mut Unpacker<'_>) -> Option<RowKey> {
        Some(RowKey {
            sku: Sku::new(from.name()?).ok()?,
            location: self.location(from.name()?)?,
            measure: measure(from)?,
            row: RowId::new(from.name()?).ok()?,
        })
    }
}

const ROW: u8 = 1;
const ROW_GONE: u8 = 2;
const LOGGED: u8 = 3;
const NUMBERED: u8 = 4;
const NAMED: u8 = 5;
const POSITION: u8 = 6;
const EPOCH: u8 = 7;
const MISSED: u8 = 8;
const COMPLETE: u8 = 9;
const UNBEGUN: u8 = 10;
const GAP: u8 = 11;
const UNCOVERED: u8 = 12;
const HEARD: u8 = 13;

const TRACE_SET: u8 = 1;
const TRACE_ADD: u8 = 2;
const TRACE_REJECTED: u8 = 3;
const TRACE_OF_ROW: u8 = 4;

struct Packing<'a> {
    out: Packer,
    at: Timestamp,
    /// Of the last row.
    last: Option<&'a RowKey>,
}

impl<'a> Packing<'a> {
    fn event(&mut self, event: &'a Event) {
        let out = &mut self.out;
        match event {
            Event::Row { key, row } => {
                out.byte(if row.is_some() { ROW } else { ROW_GONE });
                pack_key(out, key);
                if let Some(row) = row {
                    pack_row(out, row, self.at);
                }
                self.last = Some(key);
            }
            Event::Logged { sku, id, version, urgent } => {
                out.byte(LOGGED);
                out.name(sku.as_str());
                out.short(u128::from(*id));
                out.short(u128::from(*version));
                out.byte(u8::from(*urgent));
            }
            Event::Numbered { sequence, hash, original, trace } => {
                out.byte(NUMBERED);
                out.short(u128::from(*sequence));
                out.number(*hash);
                pack_original(out, original);
                pack_trace(out, trace.as_ref(), self.last);
            }
            Event::Named { event_id, hash, original } => {
                out.byte(NAMED);
                out.name(event_id);
                out.number(*hash);
                pack_original(out, original);
            }
            Event::Position { sequence } => {
                out.byte(POSITION);
                out.short(u128::from(*sequence));
            }
            Event::Epoch { epoch, sequence } => {
                out.byte(EPOCH);
                out.name(epoch.as_str());
                out.short(u128::from(*sequence));
            }
            Event::Unbegun { epoch, since } => {
                out.byte(UNBEGUN);
                out.name(epoch.as_str());
                out.signed(since.0);
            }
            Event::Gap { after, seen, since } => {
                out.byte(GAP);
                out.short(u128::from(*after));
                out.short(u128::from(*seen));
                out.signed(since.0);
            }
            Event::Missed { before } => {
                out.byte(MISSED);
                out.short(u128::from(*before));
            }
            Event::Uncovered { up_to, since } => {
                out.byte(UNCOVERED);
                out.short(u128::from(*up_to));
                out.signed(since.0);
            }
            Event::Heard => out.byte(HEARD),
            Event::Complete { location, measure, sequence } => {
                out.byte(COMPLETE);
                out.name(location.as_str());
                out.byte(*measure as u8);
                out.short(u128::from(*sequence));
            }
        }
    }
}

/// `last`: the key of the row before it, which is not written again.
pub fn pack_trace(out: &mut Packer, trace: Option<&Trace>, last: Option<&RowKey>) {
    let (what, key) = match trace {
        None => return out.byte(0),
        Some(Trace::Rejected(key)) => (TRACE_REJECTED, key),
        Some(Trace::Applied(movement)) => {
            (if movement.kind == ChangeKind::Set { TRACE_SET } else { TRACE_ADD }, &movement.key)
        }
    };
    if last == Some(key) {
        out.byte(what | TRACE_OF_ROW);
    } else {
        out.byte(what);
        pack_key(out, key);
    }
    if let Some(Trace::Applied(movement)) = trace {
        pack_quantity(out, movement.quantity);
        out.optional(movement.expected_on, pack_date);
        out.optional(movement.expires_at, |out, at| out.signed(at.0));
    }
}

fn pack_quantity(out: &mut Packer, quantity: Quantity) {
    out.byte(quantity.get().scale() as u8);
    out.short(zigzag(quantity.get().mantissa()));
}

fn quantity(from: &mut Unpacker<'_>) -> Option<Quantity> {
    let scale = u32::from(from.byte()?);
    Quantity::new(Decimal::try_from_i128_with_scale(unzigzag(from.short()?), scale).ok()?)
}

fn pack_date(out: &mut Packer, date: Date) {
    out.short(zigzag(i128::from(date.year())));
    out.byte(date.month() as u8);
    out.byte(date.day() as u8);
}

fn date(from: &mut Unpacker<'_>) -> Option<Date> {
    let year = i16::try_from(unzigzag(from.short()?)).ok()?;
    let (month, day) = (i8::try_from(from.byte()?).ok()?, i8::try_from(from.byte()?).ok()?);
    Date::new(year, month, day).ok()
}

fn time(from: &mut Unpacker<'_>) -> Option<Timestamp> {
    from.signed().map(Timestamp)
}

pub fn pack_key(out: &mut Packer, key: &RowKey) {
    out.name(key.sku.as_str());
    out.name(key.location.as_str());
    out.byte(key.measure as u8);
    out.name(key.row.as_str());
}

const EXPECTED: u8 = 1;
const EXPIRES: u8 = 2;
const EFFECTIVE: u8 = 4;
const SUSPECT: u8 = 8;
/// It moved at another time than the batch's.
const MOVED: u8 = 16;
/// It was last stated under another number than its last.
const STATED: u8 = 32;

/// `at`: the batch's, which is not written again.
pub fn pack_row(out: &mut Packer, row: &Row, at: Timestamp) {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    out.byte(
        bit(row.expected_on.is_some(), EXPECTED)
            | bit(row.expires_at.is_some(), EXPIRES)
            | bit(row.effective_at.is_some(), EFFECTIVE)
            | bit(row.suspect, SUSPECT)
            | bit(row.changed_at != at, MOVED)
            | bit(row.stated != row.sequence, STATED),
    );
    pack_quantity(out, row.quantity);
    out.short(u128::from(row.sequence));
    if row.stated != row.sequence {
        out.short(u128::from(row.stated));
    }
    let moved = (row.changed_at != at).then_some(row.changed_at);
    for time in [row.effective_at, row.expires_at, moved].into_iter().flatten() {
        out.signed(time.0);
    }
    if let Some(date) = row.expected_on {
        pack_date(out, date);
    }
}

pub fn row(from: &mut Unpacker<'_>, at: Timestamp) -> Option<Row> {
    let flags = from.byte()?;
    let quantity = quantity(from)?;
    let sequence = number(from)?;
    let stated = if flags & STATED != 0 { number(from)? } else { sequence };
    let mut at_of = |bit| if flags & bit != 0 { time(from).map(Some) } else { Some(None) };
    let (effective_at, expires_at) = (at_of(EFFECTIVE)?, at_of(EXPIRES)?);
    let changed_at = at_of(MOVED)?.unwrap_or(at);
    let expected_on = if flags & EXPECTED != 0 { Some(date(from)?) } else { None };
    let suspect = flags & SUSPECT != 0;
    Some(Row { quantity, expected_on, expires_at, changed_at, effective_at, sequence, stated, suspect })
}

const VERDICTS: [Verdict; 6] =
    [Verdict::Applied, Verdict::Duplicate, Verdict::OutOfDate, Verdict::Gap, Verdict::Conflict, Verdict::Rejected];
const REASON: u8 = 8;
const CHANGE_ID: u8 = 16;

pub fn pack_original(out: &mut Packer, original: &Original) {
    let verdict = VERDICTS.iter().position(|verdict| *verdict == original.verdict).unwrap_or_default() as u8;
    let reason = if original.reason.is_some() { REASON } else { 0 };
    let change_id = if original.change_id.is_some() { CHANGE_ID } else { 0 };
    out.byte(verdict | reason | change_id);
    if let Some(reason) = original.reason {
        out.name(reason);
    }
    if let Some(id) = original.change_id {
        out.short(u128::from(id));
    }
}

pub fn original(from: &mut Unpacker<'_>) -> Option<Original> {
    let byte = from.byte()?;
    if byte & !(REASON | CHANGE_ID | 7) != 0 {
        return None;
    }
    let verdict = *VERDICTS.get(usize::from(byte & 7))?;
    let reason = if byte & REASON != 0 { Some(known_reason(from.name()?)?) } else { None };
    let change_id = if byte & CHANGE_ID != 0 { Some(number(from)?) } else { None };
    Some(Original { verdict, reason, change_id })
}

pub fn number(from: &mut Unpacker<'_>) -> Option<u64> {
    u64::try_from(from.short()?).ok()
}

fn measure(from: &mut Unpacker<'_>) -> Option<Measure> {
    Measure::ALL.get(usize::from(from.byte()?).checked_sub(1)?).copied()
}

/// More reasons than there will ever be: what is kept for good is bounded whatever a record says.
const REASONS_MAX: usize = 1000;

/// Reasons are words of the program's own; those of another version are made lasting once.
fn known_reason(text: &str) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(reason) = known.get(text) {
        return Some(*reason);
    }
    if known.len() >= REASONS_MAX || text.len() > 64 {
        return None;
    }
    let reason: &'static str = Box::leak(text.into());
    known.insert(reason);
    Some(reason)
}

#[cfg(test)]
mod tests;
