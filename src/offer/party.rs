//! Who the party is: a customer's price list, currency and block, as the ERP told them. Part of every price, with a cache,
//! flights and stamps of their own.

use std::collections::HashMap;
use std::sync::Arc;

use moka::sync::Cache;

use crate::clock::{Reading, Stamp};
use crate::domain::{CustomerFacts, CustomerId, PriceListId};
use crate::erp::connector::KnownFacts;

/// A customer's facts as they were read.
#[derive(Clone, Debug)]
pub struct KnownParty {
    pub facts: Arc<CustomerFacts>,
    pub stamp: Stamp,
    pub observed: Reading,
}

impl KnownParty {
    pub fn known_facts(&self) -> KnownFacts {
        KnownFacts { facts: self.facts.clone(), observed: self.observed, stamp: self.stamp }
    }
}

/// Facts remembered, by customer.
#[derive(Debug)]
pub struct Parties {
    entries: Cache<Box<str>, Arc<KnownParty>, foldhash::fast::RandomState>,
}

/// The public's place: no identity is empty.
const PUBLIC: &str = "";

impl Parties {
    /// Room for this many customers.
    pub fn new(customers_max: u64) -> Self {
        Self {
            entries: Cache::builder()
                .max_capacity(customers_max)
                .build_with_hasher(foldhash::fast::RandomState::default()),
        }
    }

    pub fn get(&self, customer: Option<&CustomerId>) -> Option<Arc<KnownParty>> {
        self.entries.get(key(customer))
    }

    /// For each list, somebody who buys from it and has no prices of their own.
    pub fn one_of_each_list(&self) -> HashMap<PriceListId, CustomerId> {
        let mut found = HashMap::new();
        for (name, party) in &self.entries {
            if let (Some(list), Ok(customer)) = (&party.facts.price_list, CustomerId::new(&name))
                && !party.facts.own_prices
            {
                found.entry(list.clone()).or_insert(customer);
            }
        }
        found
    }

    /// Everybody's, by the customer's id; the public's is empty.
    pub fn all(&self) -> impl Iterator<Item = (Arc<Box<str>>, Arc<KnownParty>)> {
        self.entries.iter()
    }

    /// Remembers unless something newer is remembered.
    pub fn insert(&self, customer: Option<&CustomerId>, party: KnownParty) -> Arc<KnownParty> {
        let party = Arc::new(party);
        let newer = |held: &KnownParty| (held.stamp, held.observed.mono) > (party.stamp, party.observed.mono);
        if !self.entries.get(key(customer)).is_some_and(|held| newer(&held)) {
            self.entries.insert(key(customer).into(), party.clone());
        }
        party
    }
}

fn key(customer: Option<&CustomerId>) -> &str {
    customer.map_or(PUBLIC, CustomerId::as_str)
}
