//! What does a page cost that is all in memory, from the checked question to the bytes of the answer?
//!
//! Budget: a page of 48 lines in at most 29 µs as protobuf (what Redis takes for `MGET` of 48), and JSON in at most two and
//! a half times that.
//!
//! 100,000 SKUs of one customer are in memory. Pages of random SKUs, a few asked far more often than the rest, as
//! storefronts do. The rivals hold finished offers in a hash map per (customer, SKU): one copies them into a message that
//! prost encodes, one has serde write JSON. They decide nothing: no age, no break, no invalidation.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use comptoir::api::encode::{self, Json, Protobuf};
use comptoir::api::proto;
use comptoir::app::telemetry;
use comptoir::cache::CacheConfig;
use comptoir::clock::Clock;
use comptoir::domain::{CustomerId, Purpose};
use comptoir::erp::connectors::simulated::{
    Behaviour, CatalogueConfig, SimulatedConnector, SimulatedOptions, Simulator, SimulatorConfig,
};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::config::{Ages, NoAges, Patience};
use comptoir::offer::{Calendar, LineQuery, OfferAnswer, OfferConfig, OfferQuery, OfferService, Parts};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use jiff::tz::TimeZone;
use prost::Message as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SKUS: u64 = 100_000;
const CUSTOMER: &str = "C-00042";
const PAGE: usize = 48;
/// Pages prepared beforehand; enough that the processor does not learn them.
const PAGES: usize = 4_096;

fn offer_hit(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Counters count here as they do in a gateway that serves.
    let _metrics = telemetry::start_metrics().unwrap();
    let rig = runtime.block_on(Rig::warm());
    let _context = runtime.enter();

    for lines in [1, PAGE] {
        let mut group = criterion.benchmark_group(format!("hit of {lines}"));
        let queries = rig.queries(lines);
        let mut turn = queries.iter().cycle();
        let mut next = || rig.arrived(turn.next().unwrap());
        group.bench_function("look up", |bencher| {
            bencher.iter_batched(&mut next, |query| rig.answer(query), BatchSize::SmallInput);
        });
        group.bench_function("to protobuf", |bencher| {
            bencher.iter_batched(&mut next, |query| protobuf(&rig.answer(query)), BatchSize::SmallInput);
        });
        group.bench_function("to JSON", |bencher| {
            bencher.iter_batched(&mut next, |query| json(&rig.answer(query)), BatchSize::SmallInput);
        });
        group.finish();
    }

    let rival = Rival::holding_what(&rig);
    for lines in [1, PAGE] {
        let mut group = criterion.benchmark_group(format!("rival hit of {lines}"));
        let queries = rig.queries(lines);
        let mut turn = queries.iter().cycle();
        let mut next = || turn.next().unwrap();
        group.bench_function("hash map, prost", |bencher| {
            bencher.iter_batched(&mut next, |query| rival.protobuf(query), BatchSize::SmallInput);
        });
        group.bench_function("hash map, serde_json", |bencher| {
            bencher.iter_batched(&mut next, |query| rival.json(query), BatchSize::SmallInput);
        });
        group.finish();
    }
}

struct Rig {
    service: Arc<OfferService>,
    clock: Clock,
}

impl Rig {
    async fn warm() -> Self {
        let clock = Clock::system();
        let behaviour = Behaviour::fixed(Duration::ZERO, 4);
        let erp = Simulator::new(SimulatorConfig { catalogue: CatalogueConfig::default(), behaviour }, clock);
        let options = SimulatedOptions { max_items: 500, ..SimulatedOptions::default() };
        let connector = Arc::new(SimulatedConnector::with(erp, options));
        // Long enough that nothing is asked again while it is measured.
        let ages = Ages {
            max_age: Duration::from_secs(4 * 3600),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let mut config = OfferConfig { customers: ages, ..OfferConfig::default() };
        let long = ages.max_age;
        config.no = NoAges { unknown_sku: long, no_price: long, not_for_sale: long, unknown_unit: long, ..config.no };
        *config.patience_mut(Purpose::List) = Patience { price: ages, stock: ages };
        let calendar = Calendar(TimeZone::UTC);
        let service = OfferService::new(connector, config, &CacheConfig::default(), Budget::default(), calendar, clock);
        let rig = Self { service, clock };
        for first in (1..=SKUS).step_by(500) {
            let page = (first..first + 500).map(sku);
            rig.service.answer(rig.query(page)).await.unwrap();
        }
        rig
    }

    fn query(&self, skus: impl Iterator<Item = String>) -> OfferQuery {
        let arrival = self.clock.read();
        OfferQuery {
            customer: Some(CustomerId::new(CUSTOMER).unwrap()),
            company: None,
            ship_to: None,
            contract: None,
            currency: None,
            visitor: None,
            price_date: None,
            purpose: Purpose::List,
            max_age: None,
            stale_if_error: None,
            parts: Parts::BOTH,
            locations: Vec::new(),
            lines: skus.map(|sku| LineQuery::new(sku, None, None, None)).collect(),
            request_id: "bench".into(),
            arrival,
            deadline: arrival.mono.plus(Duration::from_secs(30)),
        }
    }

    fn queries(&self, lines: usize) -> Vec<OfferQuery> {
        let mut dice = Dice(48);
        (0..PAGES).map(|_| self.query((0..lines).map(|_| sku(dice.skewed())))).collect()
    }

    /// The same question, asked now.
    fn arrived(&self, query: &OfferQuery) -> OfferQuery {
        let arrival = self.clock.read();
        OfferQuery { arrival, deadline: arrival.mono.plus(Duration::from_secs(30)), ..query.clone() }
    }

    /// A hit never waits; what waits here is no hit.
    fn answer(&self, query: OfferQuery) -> OfferAnswer {
        self.service.answer(query).now_or_never().expect("a hit").unwrap()
    }
}

fn protobuf(answer: &OfferAnswer) -> Vec<u8> {
    let mut sink = Protobuf { buffer: Vec::with_capacity(512 + answer.lines.len() * 640) };
    encode::answer(&mut sink, answer);
    sink.buffer
}

fn json(answer: &OfferAnswer) -> Vec<u8> {
    let mut sink = Json { buffer: Vec::with_capacity(512 + answer.lines.len() * 1024) };
    sink.object(|sink| {
        encode::answer(sink, answer);
    });
    sink.buffer
}

/// What one would write in an afternoon.
struct Rival {
    messages: RwLock<HashMap<(String, String), proto::Offer>>,
    documents: RwLock<HashMap<(String, String), naive::Offer>>,
}

impl Rival {
    fn holding_what(rig: &Rig) -> Self {
        let (mut messages, mut documents) = (HashMap::new(), HashMap::new());
        for first in (1..=SKUS).step_by(500) {
            let answer = rig.answer(rig.query((first..first + 500).map(sku)));
            let message = proto::GetOffersResponse::decode(&*protobuf(&answer)).unwrap();
            let document: naive::Answer = serde_json::from_slice(&json(&answer)).unwrap();
            for (message, document) in message.offers.into_iter().zip(document.offers) {
                let key = || (CUSTOMER.to_owned(), message.sku.clone());
                documents.insert(key(), document);
                messages.insert(key(), message);
            }
        }
        Self { messages: RwLock::new(messages), documents: RwLock::new(documents) }
    }

    fn protobuf(&self, query: &OfferQuery) -> Vec<u8> {
        let held = self.messages.read().unwrap();
        let customer = query.customer.as_ref().unwrap();
        let offers = query.lines.iter().map(|line| held[&(customer.to_string(), line.sku.clone())].clone());
        proto::GetOffersResponse { offers: offers.collect(), ..proto::GetOffersResponse::default() }.encode_to_vec()
    }

    fn json(&self, query: &OfferQuery) -> Vec<u8> {
        let held = self.documents.read().unwrap();
        let customer = query.customer.as_ref().unwrap();
        let offers: Vec<_> = query.lines.iter().map(|line| &held[&(customer.to_string(), line.sku.clone())]).collect();
        serde_json::to_vec(black_box(&offers)).unwrap()
    }
}

/// An offer as plain structs of texts.
mod naive {
    use serde::{Deserialize, Serialize};

    #[derive(Deserialize)]
    pub struct Answer {
        pub offers: Vec<Offer>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Offer {
        sku: String,
        quantity: Option<String>,
        unit: Option<String>,
        base_unit: Option<String>,
        unit_factor: Option<String>,
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Price>,
        #[serde(skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        #[serde(skip_serializing_if = "Option::is_none")]
        availability: Option<Availability>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Price {
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        currency: Option<String>,
        list_price: Option<String>,
        net_price: Option<String>,
        base_quantity: Option<String>,
        tax_basis: Option<String>,
        tax_rate: Option<String>,
        #[serde(default)]
        breaks: Vec<Break>,
        #[serde(skip_serializing_if = "Option::is_none")]
        valid_from: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        valid_until: Option<String>,
        freshness: Freshness,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Break {
        min_quantity: String,
        net_price: String,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Terms {
        #[serde(skip_serializing_if = "Option::is_none")]
        min_order_quantity: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        order_multiple: Option<String>,
        order_quantity: Option<String>,
        backorder_allowed: Option<bool>,
        lead_time_days: Option<u32>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Availability {
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        band: Option<String>,
        available: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        available_on: Option<String>,
        #[serde(default)]
        locations: Vec<Location>,
        #[serde(default)]
        incoming: Vec<Incoming>,
        freshness: Option<Freshness>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Location {
        location: String,
        on_hand: Option<String>,
        reserved: Option<String>,
        available: Option<String>,
        freshness: Option<Freshness>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Incoming {
        location: String,
        quantity: Option<String>,
        expected_on: Option<String>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Freshness {
        source: String,
        observed_at: String,
        expires_at: String,
        stale: Option<bool>,
    }
}

fn sku(number: u64) -> String {
    format!("SKU-{number:06}")
}

/// Repeatable pseudo-random numbers (Marsaglia's xorshift64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A SKU's number; the n-th most popular comes about 1/n as often as the first (Zipf). Each octave of ranks is as
    /// likely as any other, and within one all are.
    fn skewed(&mut self) -> u64 {
        loop {
            let octave = self.next() % 17;
            let rank = (1 << octave) + self.next() % (1 << octave);
            if rank <= SKUS {
                // Popular SKUs are no neighbours; 77,773 shares no factor with the count.
                return 1 + rank * 77_773 % SKUS;
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = offer_hit
}
criterion_main!(benches);
