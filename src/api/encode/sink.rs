//! What the walk writes into: one wire's way to put a field.

use std::time::Duration;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::digits::Digits;
use crate::clock::Timestamp;

/// A field's name on both wires.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Below 16, so that a protobuf tag is one byte.
    pub number: u8,
    /// With quotes and colon.
    pub key: &'static str,
    /// The key, and what opens a text.
    pub text: &'static str,
    /// The key, and what opens an object.
    pub object: &'static str,
}

/// An enum value's name on both wires.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub number: u8,
    /// With quotes.
    pub quoted: &'static str,
}

macro_rules! fields {
    ($($message:ident { $($name:ident = $number:literal $json:literal),* $(,)? })*) => {
        $(pub mod $message {
            use super::super::sink::Field;
            $(pub const $name: Field = Field {
                number: $number,
                key: concat!("\"", $json, "\":"),
                text: concat!("\"", $json, "\":\""),
                object: concat!("\"", $json, "\":{"),
            };)*

            /// For the test against the descriptors.
            #[cfg(test)]
            pub const ALL: &[Field] = &[$($name),*];
        })*
    };
}
pub(super) use fields;

macro_rules! names {
    ($($enumeration:ident { $($name:ident = $number:literal),* $(,)? })*) => {
        $(pub mod $enumeration {
            use super::super::sink::Name;
            $(pub const $name: Name = Name { number: $number, quoted: concat!("\"", stringify!($name), "\"") };)*

            /// For the test against the descriptors.
            #[cfg(test)]
            pub const ALL: &[Name] = &[$($name),*];
        })*
    };
}
pub(super) use names;

/// One wire. Every `put` writes a field whether or not its value is a default; leaving one out is the walk's decision.
pub trait Sink {
    /// Text that came from outside.
    fn text(&mut self, field: Field, text: &str);
    /// Text of our own making, in which nothing needs escaping: digits, dates, reasons.
    fn plain(&mut self, field: Field, text: &[u8]);
    fn int32(&mut self, field: Field, value: i32);
    fn boolean(&mut self, field: Field, value: bool);
    fn name(&mut self, field: Field, name: Name);
    fn instant(&mut self, field: Field, at: Timestamp);
    fn duration(&mut self, field: Field, duration: Duration);
    /// A message within; its fields are put by `fill`.
    fn message(&mut self, field: Field, fill: impl FnOnce(&mut Self));
    /// Messages within; nothing at all where there are none.
    fn list<T>(&mut self, field: Field, items: impl Iterator<Item = T>, fill: impl FnMut(&mut Self, T));

    /// Everything written so far.
    fn bytes(&self) -> &[u8];
    /// Whole fields that this wire wrote before.
    fn again(&mut self, fields: &[u8]);

    #[inline(always)]
    fn decimal(&mut self, field: Field, value: Decimal) {
        self.plain(field, Digits::decimal(value).as_bytes());
    }

    #[inline(always)]
    fn date(&mut self, field: Field, date: Date) {
        self.plain(field, Digits::date(date).as_bytes());
    }
}

/// Appends `before`, a few bytes and `after`. Most texts of an offer have less than sixteen bytes, and calling a general
/// copy for each costs more than the copying: they are put as two words that overlap.
#[inline]
pub fn put_short<const B: usize, const A: usize>(buffer: &mut Vec<u8>, before: [u8; B], text: &[u8], after: [u8; A]) {
    let length = text.len();
    if length > 16 {
        buffer.extend_from_slice(&before);
        buffer.extend_from_slice(text);
        buffer.extend_from_slice(&after);
        return;
    }
    let mut room = [0; 24];
    room[..B].copy_from_slice(&before);
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        room[B..B + 8].copy_from_slice(first);
        room[B + length - 8..B + length].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        room[B..B + 4].copy_from_slice(first);
        room[B + length - 4..B + length].copy_from_slice(last);
    } else {
        for (place, byte) in room[B..].iter_mut().zip(text) {
            *place = *byte;
        }
    }
    room[B + length..B + length + A].copy_from_slice(&after);
    let end = buffer.len() + B + length + A;
    buffer.extend_from_slice(&room);
    buffer.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_of_every_length_arrive_whole() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        for length in 0..text.len() {
            let mut buffer = b"already".to_vec();
            put_short(&mut buffer, *b"<<", &text[..length], *b">");
            assert_eq!(buffer, [b"already<<", &text[..length], b">"].concat());
        }
    }
}
