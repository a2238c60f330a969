//! What was answered, counted per page.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Counter;

use super::answer::{AvailabilityAnswer, Freshness, LineAnswer, PriceAnswer, Source};

/// Handles are kept, so that a page costs a few additions and no look-ups.
pub struct Metrics {
    price_hit: Counter,
    price_stale: Counter,
    price_fetched: Counter,
    price_unavailable: Counter,
    stock_hit: Counter,
    stock_stale: Counter,
    stock_fetched: Counter,
    stock_unavailable: Counter,
    pages: AtomicU64,
    facts: AtomicU64,
    facts_held: AtomicU64,
}

/// Since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub pages: u64,
    /// Prices and availabilities answered.
    pub facts: u64,
    /// Those of them that needed no ERP call.
    pub facts_held: u64,
}

/// Facts of one kind by outcome, counted before they are added.
#[derive(Default)]
struct Counts {
    hit: u64,
    stale: u64,
    fetched: u64,
    unavailable: u64,
}

impl Counts {
    fn add(&mut self, freshness: &Freshness) {
        match freshness {
            Freshness { stale: Some(_), .. } => self.stale += 1,
            Freshness { source: Source::Memory | Source::Shared | Source::Ledger, .. } => self.hit += 1,
            Freshness { source: Source::Erp, .. } => self.fetched += 1,
        }
    }
}

impl Metrics {
    pub fn new() -> Self {
        metrics::describe_counter!("comptoir_facts_total", "Facts answered, by fact and outcome");
        let handle = |fact: &'static str, outcome: &'static str| metrics::counter!("comptoir_facts_total", "fact" => fact, "outcome" => outcome);
        Self {
            price_hit: handle("price", "hit"),
            price_stale: handle("price", "stale"),
            price_fetched: handle("price", "fetched"),
            price_unavailable: handle("price", "unavailable"),
            stock_hit: handle("stock", "hit"),
            stock_stale: handle("stock", "stale"),
            stock_fetched: handle("stock", "fetched"),
            stock_unavailable: handle("stock", "unavailable"),
            pages: AtomicU64::new(0),
            facts: AtomicU64::new(0),
            facts_held: AtomicU64::new(0),
        }
    }

    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals { pages: read(&self.pages), facts: read(&self.facts), facts_held: read(&self.facts_held) }
    }

    /// A page was answered; its lines are counted on their own.
    pub fn page(&self) {
        self.pages.fetch_add(1, Ordering::Relaxed);
    }

    pub fn answered(&self, lines: &[LineAnswer]) {
        let (mut price, mut stock) = (Counts::default(), Counts::default());
        for line in lines {
            match &line.price {
                PriceAnswer::NotAsked => {}
                PriceAnswer::Told { freshness, .. } | PriceAnswer::OnRequest { freshness, .. } => price.add(freshness),
                PriceAnswer::Unavailable { .. } => price.unavailable += 1,
            }
            match &line.availability {
                AvailabilityAnswer::NotAsked => {}
                AvailabilityAnswer::Told { freshness, .. } | AvailabilityAnswer::Untracked { freshness } => {
                    stock.add(freshness);
                }
                AvailabilityAnswer::Unavailable { .. } => stock.unavailable += 1,
            }
        }
        let held = price.hit + price.stale + stock.hit + stock.stale;
        let asked = price.fetched + price.unavailable + stock.fetched + stock.unavailable;
        self.facts.fetch_add(held + asked, Ordering::Relaxed);
        self.facts_held.fetch_add(held, Ordering::Relaxed);
        let add = |counter: &Counter, count: u64| {
            if count > 0 {
                counter.increment(count);
            }
        };
        add(&self.price_hit, price.hit);
        add(&self.price_stale, price.stale);
        add(&self.price_fetched, price.fetched);
        add(&self.price_unavailable, price.unavailable);
        add(&self.stock_hit, stock.hit);
        add(&self.stock_stale, stock.stale);
        add(&self.stock_fetched, stock.fetched);
        add(&self.stock_unavailable, stock.unavailable);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
