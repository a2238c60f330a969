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
            $(pub const $name: Field = Field { number: $number, key: concat!("\"", $json, "\":") };)*

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

    #[inline]
    fn decimal(&mut self, field: Field, value: Decimal) {
        self.plain(field, Digits::decimal(value).as_bytes());
    }

    #[inline]
    fn date(&mut self, field: Field, date: Date) {
        self.plain(field, Digits::date(date).as_bytes());
    }
}
