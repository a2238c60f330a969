//! An answer: one offer per line, in the order asked, each figure with its source and age. Rows are held, not copied; the
//! encoders read their texts.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::query::OfferQuery;
use crate::cache::{PriceRow, StockRow};
use crate::clock::Timestamp;
use crate::domain::{Currency, Factor, Quantity, Unit};

/// The whole answer to a page.
#[derive(Debug)]
pub struct OfferAnswer {
    /// What was asked, for what is echoed.
    pub query: Arc<OfferQuery>,
    pub party: PartyAnswer,
    pub policy: PolicyAnswer,
    pub answered_at: Timestamp,
    /// As many as `query.lines`, in their order.
    pub lines: Vec<LineAnswer>,
}

/// What was resolved about the party. What stays unresolved when the time is up is absent.
#[derive(Clone, Debug, Default)]
pub struct PartyAnswer {
    pub currency: Option<Currency>,
    pub price_date: Option<Date>,
    pub blocked: Option<bool>,
}

/// The freshness that applied to prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyAnswer {
    pub max_age: Duration,
    pub stale_if_error: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    Ok,
    OnRequest,
    Unavailable,
    UnknownSku,
    NotForSale,
    Invalid,
}

/// One offer.
#[derive(Clone, Debug)]
pub struct LineAnswer {
    pub status: LineStatus,
    /// Present unless `status` is `Ok`.
    pub reason: Option<&'static str>,
    /// `NotAsked` too where the line's status stands for the whole line.
    pub price: PriceAnswer,
    pub availability: AvailabilityAnswer,
    /// The unit the quantity was taken in, where it differs from what the line says or the line says none.
    pub unit: Option<Unit>,
    pub base_unit: Option<Unit>,
    pub unit_factor: Option<Factor>,
    /// The asked quantity in base units, raised to minimum and multiple; where terms are known.
    pub order_quantity: Option<Quantity>,
}

#[derive(Clone, Debug)]
pub enum PriceAnswer {
    NotAsked,
    Told {
        row: PriceRow,
        /// The asked quantity in base units: chooses the break.
        quantity: Quantity,
        freshness: Freshness,
    },
    /// The ERP gives no price: an answer with an age of its own.
    OnRequest {
        reason: &'static str,
        freshness: Freshness,
    },
    Unavailable {
        reason: &'static str,
    },
}

#[derive(Clone, Debug)]
pub enum AvailabilityAnswer {
    NotAsked,
    Told {
        row: StockRow,
        band: Band,
        /// Over the asked locations, floored at 0. Absent: over all, as the row has it.
        available: Option<Quantity>,
        available_on: Option<Date>,
        freshness: Freshness,
        /// As many as the row has levels, in their order. Absent: each is as old as the whole.
        by_location: Option<Box<[Freshness]>>,
    },
    Untracked {
        freshness: Freshness,
    },
    Unavailable {
        reason: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    InStock,
    Low,
    Out,
    OnOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Asked by this call.
    Erp,
    Memory,
    /// In memory from where it was saved, not from this process's own asking.
    Shared,
    /// Told by a source of the stock ledger, which tells every change.
    Ledger,
}

/// Where a figure came from and how old it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    pub source: Source,
    /// The start of the ERP call; for the ledger, when its source was last heard.
    pub observed_at: Timestamp,
    /// A figure of the ledger does not expire: for it, until when somebody who was answered may keep the answer.
    pub expires_at: Timestamp,
    /// Why a figure is served although it is past `expires_at`, or may be wrong; `None`: it is fresh.
    pub stale: Option<&'static str>,
    /// When it last moved; the ledger knows.
    pub changed_at: Option<Timestamp>,
}

impl LineAnswer {
    /// A line whose status stands for the whole of it.
    pub fn whole(status: LineStatus, reason: &'static str) -> Self {
        Self {
            status,
            reason: Some(reason),
            price: PriceAnswer::NotAsked,
            availability: AvailabilityAnswer::NotAsked,
            unit: None,
            base_unit: None,
            unit_factor: None,
            order_quantity: None,
        }
    }
}
