//! Changes and rows in protobuf, read where they lie: nothing is copied that is not kept.

use std::borrow::Cow;

use super::{At, Names, Told, instant, kind, measure};
use crate::api::request::protobuf::{Value, next_value, varint};
use crate::api::status::{Fault, Refusal};
use crate::clock::Timestamp;
use crate::domain::change::Change;

/// `PushChangesRequest`.
#[derive(Debug, Default)]
pub struct Push<'a> {
    pub source: &'a str,
    pub epoch: &'a str,
    pub changes: Vec<Change>,
    pub sequence: Option<u64>,
}

/// Reads a `PushChangesRequest`.
pub fn push(message: &[u8], changes_max: usize) -> Result<Push<'_>, Refusal> {
    let mut read = Push::default();
    let mut names = Names::default();
    fields(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => read.source = utf8(text)?,
            (2, Value::Bytes(text)) => read.epoch = utf8(text)?,
            (3, Value::Bytes(change)) => {
                super::super::within(read.changes.len() + 1, changes_max, "changes")?;
                let told = change_of(change, read.changes.len())?;
                read.changes.push(told.into_change(&mut names));
            }
            (4, Value::Number(number)) => read.sequence = Some(number),
            (1..=4, _) => return Err(malformed()),
            _ => return Err(Refusal::at(Fault::UnknownField, format!("#{number}"), "there is no such field")),
        }
        Ok(())
    })?;
    Ok(read)
}

fn change_of(message: &[u8], index: usize) -> Result<Told<'_>, Refusal> {
    let mut told = Told::new(At::Item("changes", index));
    fields(message, |number, value| {
        match (number, value) {
            (1, Value::Number(sequence)) => told.sequence = Some(sequence),
            (2, Value::Number(after)) => told.after = Some(after),
            (3, Value::Number(number)) => {
                told.kind = kind(number as i32);
                unknown_unless(&mut told, number, kind(number as i32).is_some(), "kind");
            }
            (4, Value::Bytes(text)) => told.sku = some(text)?,
            (5, Value::Bytes(text)) => told.location = some(text)?,
            (6, Value::Number(number)) => {
                told.measure = measure(number as i32);
                unknown_unless(&mut told, number, measure(number as i32).is_some(), "measure");
            }
            (7, Value::Bytes(text)) => told.row = some(text)?,
            (8, Value::Bytes(text)) => told.quantity = some(text)?,
            (9, Value::Bytes(text)) => told.expected_on = some(text)?,
            (10, Value::Bytes(at)) => told.effective_at = time(&mut told, at, "effectiveAt")?,
            (11, Value::Bytes(text)) => told.event_id = some(text)?,
            (12, Value::Bytes(text)) => told.reference = some(text)?,
            (13, Value::Bytes(at)) => told.expires_at = time(&mut told, at, "expiresAt")?,
            (1..=13, _) => return Err(malformed()),
            _ => {
                told.unread("", "");
                told.wrong(Fault::UnknownField, &format!("#{number}"), "there is no such field");
            }
        }
        Ok(())
    })?;
    Ok(told)
}

/// `PutSnapshotRequest`: its head and end, as bytes and number; its rows are handed on as they are read.
pub struct Snapshot<'a> {
    pub head: Option<&'a [u8]>,
    pub end: Option<Option<u64>>,
}

/// Reads a `PutSnapshotRequest`. `row` is given each row's message.
pub fn snapshot<'a>(
    message: &'a [u8],
    mut row: impl FnMut(&'a [u8]) -> Result<(), Refusal>,
) -> Result<Snapshot<'a>, Refusal> {
    let mut read = Snapshot { head: None, end: None };
    fields(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(head)) => read.head = Some(head),
            (2, Value::Bytes(message)) => row(message)?,
            (3, Value::Bytes(end)) => {
                let rows = read.end.get_or_insert(None);
                fields(end, |number, value| match (number, value) {
                    (1, Value::Number(number)) => {
                        *rows = Some(number);
                        Ok(())
                    }
                    (1, _) => Err(malformed()),
                    _ => Err(Refusal::at(Fault::UnknownField, format!("end.#{number}"), "there is no such field")),
                })?;
            }
            (1..=3, _) => return Err(malformed()),
            _ => return Err(Refusal::at(Fault::UnknownField, format!("#{number}"), "there is no such field")),
        }
        Ok(())
    })?;
    Ok(read)
}

/// Reads a `SnapshotRow`, the so-manieth of its snapshot.
pub fn row(message: &[u8], line: u64) -> Result<Told<'_>, Refusal> {
    let mut told = Told::new(At::Line(line));
    fields(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => told.sku = some(text)?,
            (2, Value::Bytes(text)) => told.location = some(text)?,
            (3, Value::Number(number)) => {
                told.measure = measure(number as i32);
                unknown_unless(&mut told, number, measure(number as i32).is_some(), "measure");
            }
            (4, Value::Bytes(text)) => told.row = some(text)?,
            (5, Value::Bytes(text)) => told.quantity = some(text)?,
            (6, Value::Bytes(text)) => told.expected_on = some(text)?,
            (7, Value::Bytes(at)) => told.expires_at = time(&mut told, at, "expiresAt")?,
            (1..=7, _) => return Err(malformed()),
            _ => told.wrong(Fault::UnknownField, &format!("#{number}"), "there is no such field"),
        }
        Ok(())
    })?;
    Ok(told)
}

/// Each field of a message, in its order.
pub fn fields<'a>(
    mut message: &'a [u8],
    mut each: impl FnMut(u64, Value<'a>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    while !message.is_empty() {
        let (number, value, rest) = next_value(message).ok_or_else(malformed)?;
        message = rest;
        each(number, value)?;
    }
    Ok(())
}

/// The numbers of a packed list.
pub fn numbers(mut bytes: &[u8], mut each: impl FnMut(u64) -> Result<(), Refusal>) -> Result<(), Refusal> {
    while !bytes.is_empty() {
        let (number, rest) = varint(bytes).ok_or_else(malformed)?;
        bytes = rest;
        each(number)?;
    }
    Ok(())
}

pub fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(Fault::MalformedProtobuf, "a text is not UTF-8"))
}

fn some(bytes: &[u8]) -> Result<Option<Cow<'_, str>>, Refusal> {
    utf8(bytes).map(|text| Some(text.into()))
}

fn time(told: &mut Told<'_>, message: &[u8], field: &str) -> Result<Option<Timestamp>, Refusal> {
    let mut at = prost_types::Timestamp::default();
    fields(message, |number, value| match (number, value) {
        (1, Value::Number(seconds)) => {
            at.seconds = seconds as i64;
            Ok(())
        }
        (2, Value::Number(nanos)) => {
            at.nanos = nanos as i32;
            Ok(())
        }
        _ => Err(malformed()),
    })?;
    let read = instant(at);
    if read.is_none() {
        told.unread(field, &format!("{}.{:09}", at.seconds, at.nanos));
        told.wrong(Fault::MalformedInstant, field, "is not an instant");
    }
    Ok(read)
}

fn unknown_unless(told: &mut Told<'_>, number: u64, known: bool, field: &str) {
    // Zero is how protobuf leaves it out.
    if !known && number != 0 {
        told.unread(field, &(number as i32).to_string());
        told.wrong(Fault::UnknownValue, field, format_args!("there is no value {}", number as i32));
    }
}

fn malformed() -> Refusal {
    Refusal::new(Fault::MalformedProtobuf, "the message is not the one that is due")
}
