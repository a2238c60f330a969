//! Lines the ERP trips over: not asked again for a while, so that they cost no further calls.
//!
//! What is denied is the key that failed twice, the second time alone: one customer's line, and nobody else's. (A single
//! failure may be the ERP's passing trouble.) Its SKU, or the customer where facts are asked, becomes a suspect for longer:
//! whoever else asks for it has it asked in a call of its own, so that it can spoil no batch.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::ask::Ask;
use crate::clock::Mono;
use crate::domain::{CustomerId, Sku};

/// How long a key is not asked again.
pub const DENIED_FOR: Duration = Duration::from_secs(60);
/// How long a SKU is asked alone.
pub const SUSPECT_FOR: Duration = Duration::from_secs(600);
/// The most of either; the oldest is forgotten first.
pub const DENIED_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub struct Denied {
    keys: Listed<Ask>,
    suspects: Listed<Sku>,
    customers: Listed<Option<CustomerId>>,
}

/// Things listed until a moment, the oldest first to go.
#[derive(Debug)]
struct Listed<K> {
    until: HashMap<K, Mono, RandomState>,
    order: VecDeque<(Mono, K)>,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { until: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash> Listed<K> {
    fn add(&mut self, key: K, until: Mono, now: Mono) {
        while let Some((end, held)) = self.order.front()
            && (*end <= now || self.order.len() >= DENIED_MAX)
        {
            // Listed again later, it stays.
            if self.until.get(held) == Some(end) {
                self.until.remove(held);
            }
            self.order.pop_front();
        }
        self.until.insert(key.clone(), until);
        self.order.push_back((until, key));
    }

    fn has(&self, key: &K, now: Mono) -> bool {
        !self.until.is_empty() && self.until.get(key).is_some_and(|until| now < *until)
    }
}

impl Denied {
    /// Its SKU, or the customer, is asked alone from now on.
    pub fn suspect(&mut self, ask: &Ask, now: Mono) {
        let until = now.plus(SUSPECT_FOR);
        match suspect_of(ask) {
            Suspect::Sku(sku) => self.suspects.add(sku.clone(), until, now),
            Suspect::Customer(customer) => self.customers.add(customer.clone(), until, now),
        }
    }

    pub fn deny(&mut self, ask: Ask, now: Mono) {
        self.suspect(&ask, now);
        self.keys.add(ask, now.plus(DENIED_FOR), now);
    }

    pub fn is_denied(&self, ask: &Ask, now: Mono) -> bool {
        self.keys.has(ask, now)
    }

    /// Whether it is to be asked in a call of its own.
    pub fn is_suspect(&self, ask: &Ask, now: Mono) -> bool {
        match suspect_of(ask) {
            Suspect::Sku(sku) => self.suspects.has(sku, now),
            Suspect::Customer(customer) => self.customers.has(customer, now),
        }
    }

    /// Keys listed, those whose time is over and that were not looked at since included.
    pub fn len(&self) -> usize {
        self.keys.until.len()
    }
}

/// What of a line that failed may be to blame for it.
enum Suspect<'a> {
    Sku(&'a Sku),
    Customer(&'a Option<CustomerId>),
}

fn suspect_of(ask: &Ask) -> Suspect<'_> {
    match ask {
        Ask::Customer(customer) => Suspect::Customer(customer),
        Ask::Price(_, line) => Suspect::Sku(&line.sku),
        Ask::Stock(stock) => Suspect::Sku(&stock.sku),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(number: usize) -> Ask {
        Ask::Customer(Some(CustomerId::new(&format!("C{number}")).unwrap()))
    }

    #[test]
    fn it_ends_by_itself_and_is_bounded() {
        let mut denied = Denied::default();
        denied.deny(customer(0), Mono(0));
        assert!(denied.is_denied(&customer(0), Mono(59_999_999)));
        assert!(!denied.is_denied(&customer(0), Mono(60_000_000)));
        assert!(!denied.is_denied(&customer(1), Mono(0)));
        for number in 0..DENIED_MAX * 2 {
            denied.deny(customer(number), Mono(1));
        }
        assert_eq!(denied.len(), DENIED_MAX);
        assert!(denied.is_denied(&customer(DENIED_MAX * 2 - 1), Mono(2)));
    }

    #[test]
    fn listed_again_it_stays_as_long_as_the_last_time() {
        let mut denied = Denied::default();
        denied.deny(customer(0), Mono(0));
        denied.deny(customer(0), Mono(30_000_000));
        denied.deny(customer(1), Mono(70_000_000));
        assert!(denied.is_denied(&customer(0), Mono(80_000_000)));
    }
}
