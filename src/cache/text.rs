//! Text that lies in a row's bytes.

use std::fmt;
use std::io::Write as _;
use std::ops::Deref;

/// A slice of a row that was written from text. Whoever copies it on takes the bytes; whoever reads it pays for looking at
/// every character again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub(super) &'a [u8]);

/// Writes a decimal or a date behind a row's bytes and returns its length.
pub(super) fn write_text(bytes: &mut Vec<u8>, value: impl fmt::Display) -> u8 {
    let start = bytes.len();
    write!(bytes, "{value}").expect("memory takes all");
    u8::try_from(bytes.len() - start).expect("decimals and dates are short")
}

impl<'a> Text<'a> {
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    pub fn as_str(self) -> &'a str {
        std::str::from_utf8(self.0).expect("written from text")
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
