//! What was answered, counted per page.

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
            Freshness { source: Source::Memory, .. } => self.hit += 1,
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
        }
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
