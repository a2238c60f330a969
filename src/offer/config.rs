//! How old an answer may be, by purpose and fact; how long a "no" is remembered; when stock is low.

use std::time::Duration;

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferConfig {
    /// By purpose, in the order of [`Purpose::ALL`].
    pub patience: [Patience; Purpose::ALL.len()],
    /// For customers' facts (price list, currency, blocked).
    pub customers: Ages,
    /// How long "unknown SKU", "no price" and "not for sale" are believed. Default 60 s.
    pub no_max_age: Duration,
    /// How long "unknown customer" is believed. Default 30 s.
    pub unknown_customer_max_age: Duration,
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
            no_max_age: Duration::from_secs(60),
            unknown_customer_max_age: Duration::from_secs(30),
            low_stock: "5".parse().expect("a decimal"),
        }
    }
}
