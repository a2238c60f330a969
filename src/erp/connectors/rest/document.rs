//! An answer as it was read: its text, and an index of the values in it.
//!
//! An answer of a page has thousands of values and each is looked at once or never, so none is copied out of the text: a
//! value is a place in it, a number is its digits. Only a string with escapes becomes a text of its own, when it is asked
//! for. What is JSON and what is not, and which of two members of one name counts (the last), is as `serde_json` has it;
//! the tests compare the two on random texts.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

mod read;
#[cfg(test)]
pub(super) mod tests;

/// Bytes of text per value, about: what room is made for before the values are counted.
const BYTES_PER_VALUE: usize = 16;

/// A JSON text with an index of its values.
#[derive(Debug)]
pub struct Document {
    text: String,
    /// In the order of the text: what is within a value stands between it and its `next`.
    values: Vec<Entry>,
    /// What was asked for as a tree, by index. The text does not change, so nothing here is ever wrong.
    trees: RefCell<HashMap<u32, Arc<Json>>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The member's name, without its quotes; meaningless in an array.
    name: Span,
    /// The value; a string without its quotes.
    value: Span,
    /// The index of the first value behind this one and all that is within it.
    next: u32,
    kind: Kind,
    name_has_escapes: bool,
}

/// From one byte of the text to before another.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    TextWithEscapes,
    Array,
    Object,
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    document: &'d Document,
    index: u32,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content<'d> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'d str),
    Text(Cow<'d, str>),
    Array(Nodes<'d>),
    Object {
        is_empty: bool,
    },
}

/// Values that follow each other.
#[derive(Clone, Debug)]
pub struct Nodes<'d> {
    document: &'d Document,
    index: u32,
    end: u32,
}

impl Document {
    /// Reads a text. If it is not JSON it comes back, with what is wrong about it.
    pub fn read(bytes: Vec<u8>) -> Result<Self, (Vec<u8>, String)> {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let why = format!("byte {} is not UTF-8", error.utf8_error().valid_up_to());
                return Err((error.into_bytes(), why));
            }
        };
        let mut reader = read::Reader {
            text: text.as_bytes(),
            // A byte order mark is not JSON, but is sent.
            at: if text.starts_with('\u{feff}') { 3 } else { 0 },
            values: Vec::with_capacity(text.len() / BYTES_PER_VALUE + 1),
        };
        match reader.document() {
            Ok(()) => {
                let values = reader.values;
                Ok(Self { text, values, trees: RefCell::default() })
            }
            Err(why) => {
                let why = format!("{why} at byte {}", reader.at);
                Err((text.into_bytes(), why))
            }
        }
    }

    pub fn root(&self) -> Node<'_> {
        Node { document: self, index: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn slice(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }
}

impl<'d> Node<'d> {
    fn entry(self) -> &'d Entry {
        &self.document.values[self.index as usize]
    }

    pub fn content(self) -> Content<'d> {
        let entry = self.entry();
        match entry.kind {
            Kind::Null => Content::Null,
            Kind::False => Content::Bool(false),
            Kind::True => Content::Bool(true),
            Kind::Number => Content::Number(self.document.slice(entry.value)),
            Kind::Text => Content::Text(self.document.slice(entry.value).into()),
            Kind::TextWithEscapes => Content::Text(without_escapes(self.document.slice(entry.value)).into()),
            Kind::Array => Content::Array(self.within()),
            Kind::Object => Content::Object { is_empty: self.within().next().is_none() },
        }
    }

    /// The value as a list of one.
    pub fn alone(self) -> Nodes<'d> {
        Nodes { document: self.document, index: self.index, end: self.entry().next }
    }

    /// The values right within this one.
    fn within(self) -> Nodes<'d> {
        Nodes { document: self.document, index: self.index + 1, end: self.entry().next }
    }

    /// The member of an object.
    pub fn member(self, name: &str) -> Option<Node<'d>> {
        if self.entry().kind != Kind::Object {
            return None;
        }
        let mut found = None;
        for member in self.within() {
            let entry = member.entry();
            let same = match entry.name_has_escapes {
                false => {
                    let length = (entry.name.end - entry.name.start) as usize;
                    length == name.len() && self.document.slice(entry.name) == name
                }
                true => without_escapes(self.document.slice(entry.name)) == name,
            };
            if same {
                found = Some(member);
            }
        }
        found
    }

    /// The element of an array.
    pub fn element(self, index: usize) -> Option<Node<'d>> {
        match self.entry().kind {
            Kind::Array => self.within().nth(index),
            _ => None,
        }
    }

    /// As a tree, for what works on trees. Made once. The few objects that `serde_json` keeps for its own use and would
    /// take for something else are null.
    pub fn tree(self) -> Arc<Json> {
        let mut trees = self.document.trees.borrow_mut();
        let made = || {
            let Span { mut start, mut end } = self.entry().value;
            if matches!(self.entry().kind, Kind::Text | Kind::TextWithEscapes) {
                (start, end) = (start - 1, end + 1);
            }
            Arc::new(serde_json::from_str(self.document.slice(Span { start, end })).unwrap_or_default())
        };
        trees.entry(self.index).or_insert_with(made).clone()
    }
}

/// The same value of the same document.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.index == other.index
    }
}

impl<'d> Iterator for Nodes<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        if self.index >= self.end {
            return None;
        }
        let node = Node { document: self.document, index: self.index };
        self.index = node.entry().next;
        Some(node)
    }
}

/// The text of a string whose escapes were checked when it was read.
fn without_escapes(inner: &str) -> String {
    serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_default()
}
