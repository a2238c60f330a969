//! How the simulated ERP behaves: what a call costs, and what goes wrong on request. Plain values; [`super::simulator`]
//! acts on them.

use std::time::Duration;

use crate::domain::Sku;
use crate::erp::Operation;

/// What every call costs, when nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Of every call, whatever it asks.
    pub latency: Duration,
    /// On top, for each price or stock line asked.
    pub per_line: Duration,
    /// Calls served at once; the rest wait in the order they came. At least 1.
    pub concurrency: usize,
    /// Calls accepted in any 60 s; more are refused as busy. Absent: no limit.
    pub calls_per_minute: Option<u32>,
}

impl Behaviour {
    /// A real ERP, as measured: 45 ms and 3.2 ms a line, two served at a time.
    pub fn measured() -> Self {
        Self {
            latency: Duration::from_millis(45),
            per_line: Duration::from_micros(3_200),
            concurrency: 2,
            calls_per_minute: None,
        }
    }

    /// The demo's: 50 ms a call, four at a time.
    pub fn demo() -> Self {
        Self::fixed(Duration::from_millis(50), 4)
    }

    pub fn fixed(latency: Duration, concurrency: usize) -> Self {
        Self { latency, per_line: Duration::ZERO, concurrency, calls_per_minute: None }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::measured()
    }
}

/// What is wrong, laid over the [`Behaviour`]. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub latency: Option<Duration>,
    pub per_line: Option<Duration>,
    pub concurrency: Option<usize>,
    /// 0 refuses every call as busy.
    pub calls_per_minute: Option<u32>,
    /// Of a thousand calls, how many fail after their time. Which ones follows from the seed and the call's number.
    pub failure_permille: u16,
    /// Calls are served but not answered, and keep their place, until the faults are next changed.
    pub hang: bool,
    /// Nothing answers; calls under way are cut off.
    pub down: bool,
    pub garbage: Option<Garbage>,
    /// A call that asks for one of these fails as a whole, as an ERP does that trips over one bad line.
    pub poison: Vec<Sku>,
    /// Which calls are concerned; empty is all. Concurrency and calls per minute are everybody's regardless.
    pub only: Vec<Only>,
    /// Which rows garbage touches, where it touches single rows; empty is all of them.
    pub skus: Vec<Sku>,
    /// How many calls are concerned before the faults end by themselves. Absent: until changed.
    pub times: Option<u64>,
}

impl Faults {
    pub fn concerns(&self, operation: Operation) -> bool {
        self.times != Some(0) && (self.only.is_empty() || self.only.iter().any(|only| only.covers(operation)))
    }
}

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Every call that brings prices, with stock or without.
    Prices,
    /// Calls for stock alone.
    Stock,
    Customers,
}

impl Only {
    pub fn covers(self, operation: Operation) -> bool {
        match self {
            Only::Prices => matches!(operation, Operation::Prices | Operation::Offers),
            Only::Stock => operation == Operation::Stock,
            Only::Customers => operation == Operation::Customers,
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// Cut in the middle.
    Truncated,
    /// Right rows in another order.
    Shuffled,
    /// Every row twice.
    Duplicated,
    /// Rows for SKUs (or customers) nobody asked for.
    WrongSku,
    /// Priced in another currency than asked; always the whole answer.
    WrongCurrency,
    /// A page for people, with status 200.
    Html,
    /// 100 MB.
    Huge,
    /// Every other row, the first included, is left out.
    Missing,
    /// The row is there, its price is null.
    NullPrice,
    /// Every row twice, with two figures.
    Contradictory,
}

impl Garbage {
    pub const ALL: [Garbage; 10] = [
        Garbage::Truncated,
        Garbage::Shuffled,
        Garbage::Duplicated,
        Garbage::WrongSku,
        Garbage::WrongCurrency,
        Garbage::Html,
        Garbage::Huge,
        Garbage::Missing,
        Garbage::NullPrice,
        Garbage::Contradictory,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Garbage::Truncated => "truncated",
            Garbage::Shuffled => "shuffled",
            Garbage::Duplicated => "duplicated",
            Garbage::WrongSku => "wrong_sku",
            Garbage::WrongCurrency => "wrong_currency",
            Garbage::Html => "html",
            Garbage::Huge => "huge",
            Garbage::Missing => "missing",
            Garbage::NullPrice => "null_price",
            Garbage::Contradictory => "contradictory",
        }
    }

    pub fn from_name(name: &str) -> Option<Garbage> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the answer cannot even be read, rather than read and disbelieved.
    pub fn is_unreadable(self) -> bool {
        matches!(self, Garbage::Truncated | Garbage::Html | Garbage::Huge)
    }
}
