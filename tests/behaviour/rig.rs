//! A gateway over a simulated ERP, and questions to ask it.

use std::sync::Arc;
use std::time::Duration;

use comptoir::cache::CacheConfig;
use comptoir::clock::{Clock, Timestamp};
use comptoir::domain::{CustomerId, Purpose};
use comptoir::erp::connectors::simulated::{
    Behaviour, CatalogueConfig, Faults, SimulatedConnector, SimulatedOptions, Simulator, SimulatorConfig,
};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{
    AvailabilityAnswer, Calendar, Freshness, LineAnswer, LineQuery, LineStatus, OfferAnswer, OfferConfig, OfferQuery,
    OfferService, Parts, PriceAnswer, Store,
};
use jiff::tz::TimeZone;
use tempfile::TempDir;

/// 2026-11-22T10:00:00Z.
pub const START: Timestamp = Timestamp(1_795_341_600_000);

pub struct Rig {
    pub service: Arc<OfferService>,
    pub erp: Arc<Simulator>,
    pub clock: Clock,
    /// Its data folder, where it has one of its own.
    _data: Option<TempDir>,
}

pub fn rig() -> Rig {
    rig_with(SimulatedOptions::default(), Budget::default())
}

pub fn rig_with(options: SimulatedOptions, budget: Budget) -> Rig {
    rig_of(CatalogueConfig::default(), options, budget)
}

/// With a data folder: changes can be announced.
pub fn rig_with_data() -> Rig {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), "this ERP".into()).unwrap();
    Rig { _data: Some(data), ..rig_keeping(store, START) }
}

/// Over an ERP that is not always 50 ms a call, four at a time.
pub fn rig_behaving(behaviour: Behaviour, options: SimulatedOptions, budget: Budget) -> Rig {
    build(CatalogueConfig::default(), behaviour, options, budget, OfferConfig::default())
}

/// With other patience than the default.
pub fn rig_configured(config: OfferConfig) -> Rig {
    build(CatalogueConfig::default(), quick(), SimulatedOptions::default(), Budget::default(), config)
}

pub fn rig_of(catalogue: CatalogueConfig, options: SimulatedOptions, budget: Budget) -> Rig {
    build(catalogue, quick(), options, budget, OfferConfig::default())
}

/// Selling this, and behaving like this.
pub fn rig_of_all(catalogue: CatalogueConfig, behaviour: Behaviour, options: SimulatedOptions, budget: Budget) -> Rig {
    build(catalogue, behaviour, options, budget, OfferConfig::default())
}

fn quick() -> Behaviour {
    Behaviour::fixed(Duration::from_millis(50), 4)
}

/// One that begins at `wall` with what a process before it left in the store.
pub fn rig_keeping(store: Store, wall: Timestamp) -> Rig {
    let (catalogue, options) = (CatalogueConfig::default(), SimulatedOptions::default());
    build_with(quick(), catalogue, options, Budget::default(), OfferConfig::default(), Some(store), wall)
}

fn build(
    catalogue: CatalogueConfig,
    behaviour: Behaviour,
    options: SimulatedOptions,
    budget: Budget,
    offer: OfferConfig,
) -> Rig {
    build_with(behaviour, catalogue, options, budget, offer, None, START)
}

fn build_with(
    behaviour: Behaviour,
    catalogue: CatalogueConfig,
    options: SimulatedOptions,
    budget: Budget,
    offer: OfferConfig,
    store: Option<Store>,
    wall: Timestamp,
) -> Rig {
    let clock = Clock::starting_at(wall);
    let config = SimulatorConfig { catalogue, behaviour };
    let erp = Simulator::new(config, clock);
    let connector = Arc::new(SimulatedConnector::with(erp.clone(), options));
    let calendar = Calendar(TimeZone::get("Europe/Paris").unwrap());
    let cache = CacheConfig::default();
    let service = match store {
        None => OfferService::new(connector, offer, &cache, budget, calendar, clock),
        Some(store) => OfferService::with_store(connector, offer, &cache, budget, calendar, clock, store),
    };
    Rig { service, erp, clock, _data: None }
}

impl Rig {
    /// A question of this customer (or the public) for these SKUs, with two seconds' time.
    pub fn query(&self, customer: Option<&str>, skus: impl IntoIterator<Item = impl Into<String>>) -> OfferQuery {
        let arrival = self.clock.read();
        OfferQuery {
            customer: customer.map(|id| CustomerId::new(id).unwrap()),
            company: None,
            ship_to: None,
            contract: None,
            currency: None,
            visitor: None,
            price_date: None,
            purpose: Purpose::default(),
            max_age: None,
            stale_if_error: None,
            parts: Parts::BOTH,
            locations: Vec::new(),
            lines: skus.into_iter().map(|sku| LineQuery::new(sku.into(), None, None, None)).collect(),
            request_id: "test".into(),
            arrival,
            deadline: arrival.mono.plus(Duration::from_secs(2)),
        }
    }

    pub async fn ask(&self, query: OfferQuery) -> OfferAnswer {
        self.service.answer(query).await.unwrap()
    }

    /// One SKU for one customer.
    pub async fn one(&self, customer: &str, sku: &str) -> LineAnswer {
        self.ask(self.query(Some(customer), [sku])).await.lines.remove(0)
    }

    /// Brings the customer's facts into memory.
    pub async fn know(&self, customer: &str) {
        self.one(customer, "SKU-099999").await;
        self.erp.reset_stats();
    }

    pub fn faults(&self, faults: Faults) {
        self.erp.set_faults(faults);
    }
}

pub fn skus(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("SKU-{n:06}")).collect()
}

/// Whether the ERP said something about it, be it "no".
pub fn is_answered(line: &LineAnswer) -> bool {
    line.status != LineStatus::Unavailable
}

/// The net price as it will be answered.
pub fn net(line: &LineAnswer) -> Option<String> {
    match &line.price {
        PriceAnswer::Told { row, quantity, .. } => Some(row.net_price_at(*quantity).to_string()),
        _ => None,
    }
}

pub fn price_freshness(line: &LineAnswer) -> Option<Freshness> {
    match &line.price {
        PriceAnswer::Told { freshness, .. } | PriceAnswer::OnRequest { freshness, .. } => Some(*freshness),
        _ => None,
    }
}

pub fn stock_freshness(line: &LineAnswer) -> Option<Freshness> {
    match &line.availability {
        AvailabilityAnswer::Told { freshness, .. } | AvailabilityAnswer::Untracked { freshness } => Some(*freshness),
        _ => None,
    }
}
