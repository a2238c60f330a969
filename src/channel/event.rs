//! What happens to a channel, as its journal keeps it. All that is known of a channel is the fold of these, live and at
//! replay by the same code. They are absolute: applying one twice changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::PriceFact;
use super::formats::FileFacts;
use super::log::Purged;
use super::page::{Mode, PolicyHash};
use super::policy::Waiting;
use super::report::Delivery;
use super::row::{ChannelRow, RowKey};
use crate::clock::Timestamp;
use crate::domain::{CustomerId, LocationId, Quantity, Sku};

/// All that is kept of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub key: Arc<RowKey>,
    /// `None`: it was never published, or is not remembered.
    pub row: Option<Arc<ChannelRow>>,
    /// When its version was.
    pub published_at: Timestamp,
    /// When the oldest version was that nobody said anything of.
    pub unsaid_since: Option<Timestamp>,
    pub waiting: Waiting,
    pub price: PriceFact,
    /// The pack the price was asked for.
    pub priced_for: Quantity,
    /// The price was declared wrong, and not told anew since.
    pub invalidated_at: Option<Timestamp>,
    /// Asking again failed since.
    pub is_unreachable: bool,
    pub held: Box<[Held]>,
}

/// A location whose figure is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub location: LocationId,
    /// As it was when its source had been in doubt for long enough.
    pub available: Option<Quantity>,
    pub reason: &'static str,
    pub since: Timestamp,
    /// It counts zero by now.
    pub is_zero: bool,
}

impl Kept {
    pub fn new(key: RowKey) -> Self {
        Self {
            key: Arc::new(key),
            row: None,
            published_at: Timestamp(0),
            unsaid_since: None,
            waiting: Waiting::default(),
            price: PriceFact::Unknown,
            priced_for: Quantity::ONE,
            invalidated_at: None,
            is_unreachable: false,
            held: Box::default(),
        }
    }
}

/// What is kept of a channel beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub mode: Mode,
    /// Whose prices rows have. Those of another are forgotten.
    pub customer: Option<CustomerId>,
    /// What all rows were last worked out by. `None`: they never were.
    pub policy: Option<PolicyHash>,
    /// They are being worked out anew, and are to be once more if that is cut short.
    pub anew: bool,
    /// Rows of versions up to here get new ones: readers may have had others under these, from a log that was lost.
    pub renumber: u64,
    pub zeros: ZerosUpTo,
    pub heard: Heard,
    /// The last good file of each format.
    pub files: BTreeMap<String, FileFacts>,
}

/// What the guard let count zero: doubts, and invalidations, that began up to then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZerosUpTo {
    pub stock: Option<Timestamp>,
    pub price: Option<Timestamp>,
}

/// What the channel's senders tell of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    #[default]
    Nothing,
    /// That they were sent.
    Sent,
    /// What the marketplace did with them.
    Results,
}

/// Whose prices were declared wrong, of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    All,
    Skus(Vec<Sku>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The row is now this.
    Row(Box<Kept>),
    /// It is none of the channel's, and never was published or is not remembered.
    Gone(Arc<RowKey>),
    /// What was said of a version of a row.
    Said(Arc<RowKey>, Delivery),
    Invalidated {
        reach: Reach,
        at: Timestamp,
    },
    Own(Box<Own>),
    /// Rows removed before then are not remembered.
    Purged {
        purged: Purged,
        before: Timestamp,
    },
    /// A process began to hand out cursors under this id.
    Started {
        random: u64,
        watermark: u64,
    },
    /// The channel is not configured any more.
    Dropped,
}
