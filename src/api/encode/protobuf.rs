//! The protobuf wire. Lengths are canonical: one byte is reserved, and the message moves when it turned out longer.

use std::time::Duration;

use super::digits::in_range;
use super::sink::{Field, Name, Sink, put_short};
use crate::clock::Timestamp;

/// Writes protobuf into a buffer.
#[derive(Debug)]
pub struct Protobuf {
    pub buffer: Vec<u8>,
}

const VARINT: u8 = 0;
const LENGTH: u8 = 2;

impl Protobuf {
    #[inline]
    fn tag(field: Field, wire_type: u8) -> u8 {
        field.number << 3 | wire_type
    }

    #[inline]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    /// Seconds and nanoseconds, as both durations and instants are.
    #[inline]
    fn seconds(&mut self, field: Field, seconds: i64, nanos: u32) {
        const SECONDS: u8 = 1 << 3;
        const NANOS: u8 = 2 << 3;
        self.message(field, |sink| {
            if seconds != 0 {
                sink.buffer.push(SECONDS);
                sink.varint(seconds as u64);
            }
            if nanos != 0 {
                sink.buffer.push(NANOS);
                sink.varint(u64::from(nanos));
            }
        });
    }

    /// Puts the length of what was written since the reserved byte before `start`.
    #[inline]
    fn close(&mut self, start: usize) {
        let length = self.buffer.len() - start;
        if length < 0x80 {
            self.buffer[start - 1] = length as u8;
        } else {
            self.close_long(start, length);
        }
    }

    fn close_long(&mut self, start: usize, length: usize) {
        let mut varint = [0u8; 10];
        let mut count = 0;
        let mut rest = length;
        while rest >= 0x80 {
            varint[count] = rest as u8 | 0x80;
            rest >>= 7;
            count += 1;
        }
        varint[count] = rest as u8;
        let extra = count;
        self.buffer.extend_from_slice(&[0; 10][..extra]);
        self.buffer.copy_within(start..start + length, start + extra);
        self.buffer[start - 1..start + extra].copy_from_slice(&varint[..=extra]);
    }
}

impl Sink for Protobuf {
    #[inline]
    fn text(&mut self, field: Field, text: &str) {
        self.plain(field, text.as_bytes());
    }

    #[inline]
    fn plain(&mut self, field: Field, text: &[u8]) {
        if text.len() < 0x80 {
            put_short(&mut self.buffer, [Self::tag(field, LENGTH), text.len() as u8], text, []);
        } else {
            self.buffer.push(Self::tag(field, LENGTH));
            self.varint(text.len() as u64);
            self.buffer.extend_from_slice(text);
        }
    }

    #[inline]
    fn int32(&mut self, field: Field, value: i32) {
        self.buffer.push(Self::tag(field, VARINT));
        self.varint(i64::from(value) as u64);
    }

    #[inline]
    fn boolean(&mut self, field: Field, value: bool) {
        self.buffer.extend_from_slice(&[Self::tag(field, VARINT), u8::from(value)]);
    }

    #[inline]
    fn name(&mut self, field: Field, name: Name) {
        self.buffer.extend_from_slice(&[Self::tag(field, VARINT), name.number]);
    }

    #[inline]
    fn instant(&mut self, field: Field, at: Timestamp) {
        let at = in_range(at);
        self.seconds(field, at.0.div_euclid(1000), at.0.rem_euclid(1000) as u32 * 1_000_000);
    }

    #[inline]
    fn duration(&mut self, field: Field, duration: Duration) {
        self.seconds(field, seconds_in_range(duration), duration.subsec_nanos());
    }

    #[inline]
    fn message(&mut self, field: Field, fill: impl FnOnce(&mut Self)) {
        self.buffer.extend_from_slice(&[Self::tag(field, LENGTH), 0]);
        let start = self.buffer.len();
        fill(self);
        self.close(start);
    }

    #[inline]
    fn list<T>(&mut self, field: Field, items: impl Iterator<Item = T>, mut fill: impl FnMut(&mut Self, T)) {
        for item in items {
            self.message(field, |sink| fill(sink, item));
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

/// The longest duration protobuf allows is about 10,000 years.
pub fn seconds_in_range(duration: Duration) -> i64 {
    const SECONDS_MAX: u64 = 315_576_000_000;
    duration.as_secs().min(SECONDS_MAX - 1) as i64
}
