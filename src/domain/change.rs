//! What a source says about stock: changes, the rows they are about, and the numbers they come in.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;

use super::ids::{IdError, LocationId, Sku, check_id};
use super::quantity::Quantity;
use crate::clock::Timestamp;

/// What a figure counts. A location's available stock is (AVAILABLE, or ON_HAND less RESERVED) less PENDING.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Measure {
    /// There.
    OnHand = 1,
    /// Spoken for.
    Reserved = 2,
    /// Expected; each row is a line of an order.
    Incoming = 3,
    /// A net figure that stands for ON_HAND less RESERVED.
    Available = 4,
    /// Orders the owner of the stock has not seen yet; each row is one of them.
    Pending = 5,
}

impl Measure {
    pub const ALL: [Measure; 5] =
        [Measure::OnHand, Measure::Reserved, Measure::Incoming, Measure::Available, Measure::Pending];

    pub fn as_str(self) -> &'static str {
        match self {
            Measure::OnHand => "ON_HAND",
            Measure::Reserved => "RESERVED",
            Measure::Incoming => "INCOMING",
            Measure::Available => "AVAILABLE",
            Measure::Pending => "PENDING",
        }
    }

    pub fn named(text: &str) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| measure.as_str() == text)
    }
}

/// Restated, or moved by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    Set,
    Add,
}

macro_rules! text_or_nothing {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Option<Arc<str>>);

        impl $name {
            /// The empty text is one of them.
            pub fn new(text: &str) -> Result<Self, IdError> {
                if text.is_empty() { Ok(Self(None)) } else { check_id(text).map(|text| Self(Some(text.into()))) }
            }

            pub fn as_str(&self) -> &str {
                self.0.as_deref().unwrap_or_default()
            }

            pub fn is_empty(&self) -> bool {
                self.0.is_none()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_or_nothing!(/** Which counting of a source its numbers belong to; opaque. Empty until the source says another. */ Epoch);
text_or_nothing!(/** One row of a level, as its source calls it: an order line, an order. Empty: the unnamed one. */ RowId);

/// What a figure is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub sku: Sku,
    pub location: LocationId,
    pub measure: Measure,
    pub row: RowId,
}

/// A row restated or moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Movement {
    pub kind: ChangeKind,
    pub key: RowKey,
    /// In the SKU's base unit; signed.
    pub quantity: Quantity,
    /// INCOMING: when it is due.
    pub expected_on: Option<Date>,
    /// PENDING: when it counts no more.
    pub expires_at: Option<Timestamp>,
}

/// One change as its source sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Absent: the source does not number.
    pub sequence: Option<u64>,
    /// The source's number before this one. Absent: `sequence` − 1.
    pub after: Option<u64>,
    pub event_id: Option<Box<str>>,
    pub effective_at: Option<Timestamp>,
    /// What is asked for; or why it cannot be read, and the row it is about where that much can be.
    pub movement: Result<Movement, Unreadable>,
    /// Of all that was sent, as it was sent: two of one number and another hash are two changes.
    pub hash: u64,
}

/// A change that says nothing we may believe. It takes its number all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Of the contract's reasons: `malformed_decimal`, `out_of_range`, `unknown_field`…
    pub reason: &'static str,
    /// For people: the field and what is wrong with it.
    pub detail: Box<str>,
    pub key: Option<RowKey>,
}

impl Unreadable {
    /// It is not even known which fields it has.
    pub fn says_nothing(&self) -> bool {
        self.reason == "malformed_json" && self.key.is_none()
    }
}
