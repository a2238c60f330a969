//! The JSON wire: the canonical mapping of the same messages. Every field is written with a comma behind it, and what closes
//! an object or a list takes the place of the last one.

use std::io::Write as _;
use std::time::Duration;

use super::digits::Digits;
use super::protobuf::seconds_in_range;
use super::sink::{Field, Name, Sink, put_short};
use crate::clock::Timestamp;
use crate::human::Seconds;

/// Writes JSON into a buffer.
#[derive(Debug)]
pub struct Json {
    pub buffer: Vec<u8>,
}

impl Json {
    /// An object that is not a field: the whole answer, or one record of a stream.
    #[inline]
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.buffer.push(b'{');
        fill(self);
        self.close(b'}');
        self.buffer.pop();
    }

    #[inline]
    fn close(&mut self, bracket: u8) {
        match self.buffer.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.buffer.push(bracket),
        }
        self.buffer.push(b',');
    }

    #[inline(always)]
    fn key(&mut self, field: Field) {
        self.buffer.extend_from_slice(field.key.as_bytes());
    }
}

impl Sink for Json {
    #[inline(always)]
    fn text(&mut self, field: Field, text: &str) {
        if text.bytes().any(needs_escape) {
            self.key(field);
            put_text(&mut self.buffer, text);
            self.buffer.push(b',');
        } else {
            self.plain(field, text.as_bytes());
        }
    }

    #[inline(always)]
    fn plain(&mut self, field: Field, text: &[u8]) {
        // Of a length known where it is called, and so a few moves.
        self.buffer.extend_from_slice(field.text.as_bytes());
        put_short(&mut self.buffer, [], text, *b"\",");
    }

    #[inline]
    fn int32(&mut self, field: Field, value: i32) {
        self.key(field);
        self.buffer.extend_from_slice(Digits::decimal(value.into()).as_bytes());
        self.buffer.push(b',');
    }

    #[inline(always)]
    fn boolean(&mut self, field: Field, value: bool) {
        self.key(field);
        self.buffer.extend_from_slice(if value { b"true," } else { b"false," });
    }

    #[inline(always)]
    fn name(&mut self, field: Field, name: Name) {
        self.key(field);
        self.buffer.extend_from_slice(name.quoted.as_bytes());
        self.buffer.push(b',');
    }

    #[inline]
    fn instant(&mut self, field: Field, at: Timestamp) {
        self.plain(field, Digits::instant(at).as_bytes());
    }

    fn duration(&mut self, field: Field, duration: Duration) {
        let seconds = seconds_in_range(duration).unsigned_abs();
        self.key(field);
        // Writing to a Vec cannot fail.
        let _ = write!(self.buffer, "\"{}\",", Seconds(Duration::new(seconds, duration.subsec_nanos())));
    }

    #[inline(always)]
    fn message(&mut self, field: Field, fill: impl FnOnce(&mut Self)) {
        self.buffer.extend_from_slice(field.object.as_bytes());
        fill(self);
        self.close(b'}');
    }

    #[inline]
    fn list<T>(&mut self, field: Field, items: impl Iterator<Item = T>, mut fill: impl FnMut(&mut Self, T)) {
        let mut open = false;
        for item in items {
            if !open {
                self.key(field);
                self.buffer.push(b'[');
                open = true;
            }
            self.buffer.push(b'{');
            fill(self, item);
            self.close(b'}');
        }
        if open {
            self.close(b']');
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    #[inline]
    fn again(&mut self, fields: &[u8]) {
        self.buffer.extend_from_slice(fields);
    }
}

/// A JSON string with its quotes.
#[inline]
pub fn put_text(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    if text.bytes().any(needs_escape) {
        put_escaped(buffer, text);
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
    buffer.push(b'"');
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cold]
fn put_escaped(buffer: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            control if control < 0x20 => {
                let _ = write!(buffer, "\\u{control:04x}");
            }
            other => buffer.push(other),
        }
    }
}
