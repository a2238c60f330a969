//! What a flight is for: one fact of one key.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::domain::{CustomerId, Quantity, Sku, Unit};
use crate::erp::connector::{AskedLine, Capabilities, Header};

/// One thing to be asked. Equal asks share one flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Facts about a customer; `None` is the public.
    Customer(Option<CustomerId>),
    Price(Arc<Header>, AskedLine),
    Stock(StockAsk),
}

/// Stock is the same for everybody: the header goes along for ERPs that want one, and is no part of the key.
#[derive(Clone, Debug)]
pub struct StockAsk {
    pub sku: Sku,
    pub header: Arc<Header>,
}

impl PartialEq for StockAsk {
    fn eq(&self, other: &Self) -> bool {
        self.sku == other.sku
    }
}

impl Eq for StockAsk {}

impl Hash for StockAsk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sku.hash(state);
    }
}

/// Asks that may leave in one call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    Customers,
    Prices {
        header: Arc<Header>,
        /// Where all lines of a call must have the same.
        quantity: Option<Quantity>,
        unit: Option<Unit>,
    },
    Stock,
}

impl Ask {
    /// Whether it is asked with facts read later than those of an equal one.
    pub fn knows_more_than(&self, other: &Ask) -> bool {
        let facts = |ask: &Ask| match ask {
            Ask::Price(header, _) => Some((header.facts.observed.mono, header.facts.stamp)),
            Ask::Customer(_) | Ask::Stock(_) => None,
        };
        facts(self) > facts(other)
    }

    pub fn group(&self, capabilities: &Capabilities) -> Group {
        match self {
            Ask::Customer(_) => Group::Customers,
            Ask::Stock(_) => Group::Stock,
            Ask::Price(header, line) => {
                let rules = &capabilities.prices_batch;
                Group::Prices {
                    header: header.clone(),
                    quantity: line.quantity.filter(|_| rules.one_quantity),
                    unit: line.unit.clone().filter(|_| rules.one_unit),
                }
            }
        }
    }
}
