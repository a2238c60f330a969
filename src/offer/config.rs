//! How old an answer may be, by purpose and fact; how long a "no" is remembered; when stock is low.

use std::time::Duration;

use crate::cache::negatives::No;
use crate::domain::{Purpose, Quantity};

/// The ages one fact may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Served as fresh up to this age.
    pub max_age: Duration,
    /// Beyond that, for this long: served marked stale while it is asked again.
    pub stale_while_revalidate: Duration,
    /// Beyond `max_age`, for this long: served marked stale when the ERP cannot be asked in time.
    pub stale_if_error: Duration,
}

/// What one purpose accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub price: Ages,
    pub stock: Ages,
}

/// How long each kind of "no" is believed; never longer than the reader's own max age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAges {
    /// Default 60 s.
    pub unknown_sku: Duration,
    /// No price, or one of zero where that means the same. Default 60 s.
    pub no_price: Duration,
    /// Default 60 s.
    pub not_for_sale: Duration,
    /// Default 60 s.
    pub unknown_unit: Duration,
    /// Default 30 s.
    pub unknown_customer: Duration,
}

impl NoAges {
    pub fn of(&self, no: &No) -> Duration {
        match no {
            No::UnknownSku => self.unknown_sku,
            No::OnRequest(_) => self.no_price,
            No::NotForSale(_) => self.not_for_sale,
            No::UnknownUnit => self.unknown_unit,
            No::UnknownCustomer => self.unknown_customer,
            No::NotShared => NOT_SHARED_MAX_AGE,
        }
    }
}

/// How long a line is asked by name because the list's answer was somebody's own. It costs nothing to believe it: what is
/// asked by name is right for whoever is named.
const NOT_SHARED_MAX_AGE: Duration = Duration::from_secs(HOUR);

impl Default for NoAges {
    fn default() -> Self {
        let minute = Duration::from_secs(MINUTE);
        Self {
            unknown_sku: minute,
            no_price: minute,
            not_for_sale: minute,
            unknown_unit: minute,
            unknown_customer: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferConfig {
    /// By purpose, in the order of [`Purpose::ALL`].
    pub patience: [Patience; Purpose::ALL.len()],
    /// For customers' facts (price list, currency, blocked).
    pub customers: Ages,
    /// How long each "no" is believed.
    pub no: NoAges,
    /// How long before midnight tomorrow's prices may be asked, from spare budget; zero: never. Default 2 h.
    pub ahead: Duration,
    /// Stock up to this, in base units, is LOW. Default 5.
    pub low_stock: Quantity,
}

const fn ages(max_age: u64, stale_while_revalidate: u64, stale_if_error: u64) -> Ages {
    Ages {
        max_age: Duration::from_secs(max_age),
        stale_while_revalidate: Duration::from_secs(stale_while_revalidate),
        stale_if_error: Duration::from_secs(stale_if_error),
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

impl OfferConfig {
    pub fn patience(&self, purpose: Purpose) -> &Patience {
        &self.patience[purpose as usize]
    }

    pub fn patience_mut(&mut self, purpose: Purpose) -> &mut Patience {
        &mut self.patience[purpose as usize]
    }
}

impl Default for OfferConfig {
    /// A list may show yesterday's price while the ERP is down; a checkout shows nothing the ERP has not just said.
    fn default() -> Self {
        let of = |purpose| match purpose {
            Purpose::List => Patience {
                price: ages(10 * MINUTE, 10 * MINUTE, 72 * HOUR),
                stock: ages(2 * MINUTE, 5 * MINUTE, 24 * HOUR),
            },
            Purpose::Detail => {
                Patience { price: ages(5 * MINUTE, 5 * MINUTE, 24 * HOUR), stock: ages(MINUTE, MINUTE, 4 * HOUR) }
            }
            Purpose::Cart => Patience { price: ages(MINUTE, 0, 10 * MINUTE), stock: ages(30, 0, 5 * MINUTE) },
            Purpose::Checkout | Purpose::Audit => Patience { price: ages(0, 0, 0), stock: ages(0, 0, 0) },
            Purpose::Feed | Purpose::Warmup => Patience {
                price: ages(15 * MINUTE, 15 * MINUTE, 72 * HOUR),
                stock: ages(5 * MINUTE, 5 * MINUTE, 24 * HOUR),
            },
        };
        Self {
            patience: Purpose::ALL.map(of),
            customers: ages(10 * MINUTE, 10 * MINUTE, 72 * HOUR),
            no: NoAges::default(),
            ahead: Duration::from_secs(2 * HOUR),
            low_stock: "5".parse().expect("a decimal"),
        }
    }
}
