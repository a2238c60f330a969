//! Model callers, and the gateway's read path in as few words as possible: real decisions about what may be served, over a
//! memory that is a plain map. What is tried here is that the parts together keep what is promised to a caller.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use comptoir::clock::{Mono, Reading, Stamp};
use comptoir::erp::dispatch::machine::Waiter;
use comptoir::erp::dispatch::{Account, Lane};
use comptoir::offer::freshness::Decision;

use crate::key::{Key, customer_id};
use crate::policy::Patience;
use crate::rows::Figure;
use crate::scenario::{PageStep, Words, company_of, contract_of, list_of};

/// A figure in memory, or on its way to a caller.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub figure: Figure,
    pub start: Reading,
    pub stamp: Stamp,
    /// When the call left, in events.
    pub tick: u64,
    pub call: u64,
}

impl Entry {
    /// What replaces what: the later of two calls.
    pub fn is_newer_than(&self, other: &Entry) -> bool {
        (self.stamp, self.start.mono) > (other.stamp, other.start.mono)
    }
}

/// Somebody's place in a page.
#[derive(Clone, Debug)]
pub struct Place {
    pub token: u32,
    pub deadline: Mono,
    pub left: Rc<Cell<bool>>,
}

impl Waiter for Place {
    fn waits_at(&self, at: Mono) -> bool {
        at <= self.deadline && !self.left.get()
    }
}

#[derive(Clone, Debug)]
pub enum Line {
    Served(Entry),
    Waits { fallback: Option<Entry> },
    Failed,
}

#[derive(Clone, Debug)]
pub struct Page {
    pub lane: Lane,
    pub account: Account,
    pub patience: Patience,
    pub arrival: Reading,
    pub tick: u64,
    pub deadline: Mono,
    pub lines: Vec<(Key, Line)>,
    pub missing: usize,
    pub is_answered: bool,
    pub left: Rc<Cell<bool>>,
}

pub fn account(page: &PageStep) -> Account {
    use comptoir::domain::VisitorId;
    let visitor = page.visitor.map(|visitor| VisitorId::new(&format!("V{visitor}")).expect("a visitor"));
    let customer = (page.customer > 0).then(|| customer_id(page.customer));
    Account::of(customer.as_ref(), visitor.as_ref())
}

/// The facts a page asks for, in the order it does; whether each is the stock of the line before it.
pub fn keys(page: &PageStep) -> Vec<(Key, bool)> {
    if page.facts {
        return vec![(Key::Customer(page.customer), false)];
    }
    let mut keys = Vec::new();
    for line in &page.lines {
        if line.price {
            keys.push((Key::Price(page.customer, line.sku, line.quantity), false));
        }
        if line.stock {
            keys.push((Key::Stock(line.sku), line.price));
        }
    }
    keys
}

/// When what was last declared wrong, in events.
#[derive(Debug, Default)]
pub struct Invalidations {
    all: u64,
    named: BTreeMap<(u8, u8, u8), u64>,
}

const CUSTOMER: u8 = 0;
const LIST: u8 = 1;
const SKU: u8 = 2;
const CUSTOMER_SKU: u8 = 3;
const LIST_SKU: u8 = 4;
const CONTRACT: u8 = 5;
const CONTRACT_SKU: u8 = 6;
const COMPANY: u8 = 7;
/// Whoever names no company.
const ANY_COMPANY: u8 = 8;

impl Invalidations {
    pub fn note(&mut self, words: Words, tick: u64) {
        let name = match words {
            Words::All => {
                self.all = tick;
                return;
            }
            Words::Customer(customer) => (CUSTOMER, customer, 0),
            Words::List(list) => (LIST, list, 0),
            Words::Sku(sku) => (SKU, sku, 0),
            Words::CustomerSku(customer, sku) => (CUSTOMER_SKU, customer, sku),
            Words::ListSku(list, sku) => (LIST_SKU, list, sku),
            Words::Contract(contract) => (CONTRACT, contract, 0),
            Words::ContractSku(contract, sku) => (CONTRACT_SKU, contract, sku),
            Words::Company(company) => {
                self.named.insert((ANY_COMPANY, 0, 0), tick);
                (COMPANY, company, 0)
            }
        };
        self.named.insert(name, tick);
    }

    /// The last one that concerns whoever reads this key.
    pub fn newest(&self, key: Key) -> u64 {
        let mut names = Vec::with_capacity(5);
        match key {
            Key::Customer(customer) => names.push((CUSTOMER, customer, 0)),
            Key::Stock(sku) => names.push((SKU, sku, 0)),
            Key::Price(customer, sku, _) => {
                names.push((SKU, sku, 0));
                if customer > 0 {
                    names.extend([(CUSTOMER, customer, 0), (CUSTOMER_SKU, customer, sku)]);
                }
                if let Some(list) = list_of(customer) {
                    names.extend([(LIST, list, 0), (LIST_SKU, list, sku)]);
                }
                if let Some(contract) = contract_of(customer) {
                    names.extend([(CONTRACT, contract, 0), (CONTRACT_SKU, contract, sku)]);
                }
                names.push(company_of(customer).map_or((ANY_COMPANY, 0, 0), |company| (COMPANY, company, 0)));
            }
        }
        names.iter().filter_map(|name| self.named.get(name)).copied().fold(self.all, u64::max)
    }
}

/// What was fetched while the ERP settled is fresh until the end of that, and no longer.
pub fn check_settled(page: &Page, entry: &Entry, how: Decision, last_settled: u64) -> Result<(), String> {
    let is_fresh = matches!(how, Decision::Fresh | Decision::FreshRide | Decision::FreshRefresh);
    if is_fresh && last_settled < page.tick && entry.tick < last_settled {
        let key = entry.figure.key;
        return Err(format!("P1: {key:?} of call {} is served as fresh after settling has ended", entry.call));
    }
    Ok(())
}

/// May this page be given this figure? `how`: by which decision it was held, or `None` for one that was just fetched for it.
/// `paused`: how long the clock of what is served for lack of better may have stood, because the ERP could not be asked.
pub fn check(
    page: &Page,
    entry: &Entry,
    how: Option<Decision>,
    last_invalidation: u64,
    paused: Duration,
) -> Result<(), String> {
    let Page { arrival, patience, .. } = page;
    let key = entry.figure.key;
    // P1: nothing that a call brought which left before an invalidation that had returned before the request began.
    if last_invalidation < page.tick && entry.tick < last_invalidation {
        return Err(format!("P1: {key:?} of call {} was invalidated before the caller came", entry.call));
    }
    let age = arrival.mono.since(entry.start.mono);
    // P7, P10, P11: no older than the caller accepts; later than that only where the policy says so.
    let allowed = match how {
        None | Some(Decision::Fresh | Decision::FreshRide | Decision::FreshRefresh) => patience.max_age,
        Some(Decision::ServeAndRefresh) => patience.max_age + patience.stale_while_revalidate,
        Some(Decision::FetchOrServe) => patience.max_age + patience.stale_if_error + paused,
        Some(Decision::Fetch(_)) => return Err(format!("P10: {key:?} was served although it may not be")),
    };
    if age > allowed {
        return Err(format!("P7: {key:?} is {age:?} old, allowed {allowed:?} ({how:?}, call {})", entry.call));
    }
    // P10: what was told to end is not served from then on. A call that was made for the caller says what it says.
    if how.is_some() && entry.figure.ends.is_some_and(|end| arrival.wall.0 >= end) {
        return Err(format!("P10: {key:?} is served past its told end"));
    }
    Ok(())
}
