use parking_lot::Mutex;

use super::*;
use crate::cache::CacheConfig;
use crate::channel::config::PricePolicy;
use crate::channel::fact::PriceFact;
use crate::channel::pricing::Pricing;
use crate::erp::connectors::simulated::{
    Behaviour, CatalogueConfig, Faults, SimulatedConnector, SimulatedOptions, Simulator, SimulatorConfig,
};
use crate::erp::dispatch::{Budget, Maintenance};
use crate::offer::{Calendar, Invalidation, Named, OfferConfig};

/// 2026-11-22T10:00:00Z.
const START: Timestamp = Timestamp(1_795_341_600_000);

/// A channel that only keeps what it is told.
#[derive(Clone)]
struct Told(Arc<Mutex<Rows>>);

struct Rows {
    clock: Clock,
    pricing: Pricing,
    skus: Vec<(Sku, Quantity)>,
    told: Vec<Option<Asked>>,
    party: Option<&'static str>,
}

impl PriceRows for Told {
    async fn take(&self, most: usize) -> Result<Taken, ChannelError> {
        let rows = &mut *self.0.lock();
        let mut taken = Vec::new();
        rows.pricing.take(rows.clock.read().wall, most, &mut taken);
        let to_ask = |row: u32| {
            let (sku, pack) = rows.skus[row as usize].clone();
            ToAsk { row, sku, pack }
        };
        Ok(Taken { rows: taken.into_iter().map(to_ask).collect(), next: rows.pricing.next_due() })
    }

    async fn told(&self, answers: Vec<(u32, Asked)>) -> Result<(), ChannelError> {
        let rows = &mut *self.0.lock();
        let now = rows.clock.read().wall;
        for (row, asked) in answers {
            match &asked {
                Asked::Price(fact) => {
                    let is_answered = rows.pricing.is_answered(row);
                    rows.pricing.told(row, fact, !is_answered, now);
                }
                Asked::Failed(_) => rows.pricing.failed(row, now),
            }
            rows.told[row as usize] = Some(asked);
        }
        Ok(())
    }

    async fn more(&self) {
        std::future::pending().await
    }

    fn party(&self, wrong: Option<&'static str>) {
        self.0.lock().party = wrong;
    }
}

struct Rig {
    erp: Arc<Simulator>,
    service: Arc<OfferService>,
    rows: Told,
}

impl Rig {
    fn new(customer: Option<&str>, skus: &[(&str, &str)], options: SimulatedOptions, budget: Budget) -> Self {
        let clock = Clock::starting_at(START);
        let behaviour = Behaviour::fixed(Duration::from_millis(50), 4);
        let erp = Simulator::new(SimulatorConfig { catalogue: CatalogueConfig::default(), behaviour }, clock);
        let connector = Arc::new(SimulatedConnector::with(erp.clone(), options));
        let calendar = Calendar(jiff::tz::TimeZone::get("Europe/Paris").unwrap());
        let (offer, cache) = (OfferConfig::default(), CacheConfig::default());
        let service = OfferService::new(connector, offer, &cache, budget, calendar, clock);
        let mut pricing = Pricing::new(Duration::from_secs(6 * 3600));
        let skus: Vec<_> = skus.iter().map(|(sku, pack)| (Sku::new(sku).unwrap(), pack.parse().unwrap())).collect();
        for row in 0..skus.len() {
            pricing.wanted(row as u32, START);
        }
        let told = vec![None; skus.len()];
        let rows = Told(Arc::new(Mutex::new(Rows { clock, pricing, skus, told, party: None })));
        let config = ChannelConfig {
            customer: customer.map(|id| CustomerId::new(id).unwrap()),
            price: Some(PricePolicy::default()),
            ..ChannelConfig::named("shop")
        };
        let asking = Asking::new(service.clone(), &config, rows.clone()).unwrap();
        tokio::spawn(asking.run());
        Self { erp, service, rows }
    }

    fn told(&self, row: usize) -> Option<Asked> {
        self.rows.0.lock().told[row].clone()
    }

    fn net(&self, row: usize) -> Option<String> {
        match self.told(row)? {
            Asked::Price(PriceFact::Told { net_price, .. }) => Some(net_price.to_string()),
            _ => None,
        }
    }

    fn counts(&self) -> crate::channel::pricing::Counts {
        self.rows.0.lock().pricing.counts()
    }

    async fn invalidate(&self, named: Named) {
        let invalidation = Invalidation { named, at: None, settle: None, request_id: "test".into() };
        self.service.invalidate(invalidation).await.unwrap();
    }

    fn down(&self, down: bool) {
        self.erp.set_faults(Faults { down, ..Faults::default() });
    }
}

fn simple(customer: Option<&str>, skus: &[(&str, &str)]) -> Rig {
    Rig::new(customer, skus, SimulatedOptions::default(), Budget::default())
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn many(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("SKU-{n:06}")).collect()
}

fn ones(skus: &[String]) -> Vec<(&str, &str)> {
    skus.iter().map(|sku| (sku.as_str(), "1")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_told_in_the_channels_words() {
    // Above 100, by number modulo 50: 0 is not for sale, 1 on request, 4 sold in boxes; BOLT-8 has breaks at 100.
    let skus = ["BOLT-8", "BOLT-8", "SKU-000150", "SKU-000151", "NONE", "SKU-000104"];
    let packs = ["1", "100", "1", "1", "1", "1"];
    let rig = simple(Some("C-00001"), &std::iter::zip(skus, packs).collect::<Vec<_>>());
    pass(1).await;
    let Some(Asked::Price(fact)) = rig.told(0) else { panic!("{:?}", rig.told(0)) };
    let PriceFact::Told { base_quantity, currency, tax_rate, observed_at, ends, .. } = fact else { panic!("{fact:?}") };
    assert_eq!((base_quantity.to_string(), currency.as_str()), ("100".to_owned(), "EUR"));
    assert_eq!(tax_rate.map(|rate| rate.to_string()).as_deref(), Some("0.20"));
    assert!(observed_at >= START && ends.is_none_or(|ends| ends > observed_at));
    assert_eq!((rig.net(0).as_deref(), rig.net(1).as_deref()), (Some("23.40"), Some("21.90")), "by the pack's break");
    for (row, reason) in [(2, "not_in_assortment"), (3, "no_price"), (4, "unknown_sku")] {
        match rig.told(row) {
            Some(Asked::Price(PriceFact::No { reason: told, .. })) => assert_eq!(told, reason),
            other => panic!("{row}: {other:?}"),
        }
    }
    assert!(rig.net(5).is_some());
    assert_eq!(rig.erp.stats().calls, 2, "the customer, and one page");
}

#[tokio::test(start_paused = true)]
async fn what_is_sold_by_the_box_is_asked_by_the_piece_where_the_price_depends_on_it() {
    let options = SimulatedOptions { breaks: false, ..SimulatedOptions::default() };
    // 154 modulo 50 is 4: sold in boxes. Without breaks only the asked quantity is priced.
    let rig = Rig::new(Some("C-00001"), &[("SKU-000154", "1"), ("SKU-000154", "500")], options, Budget::default());
    pass(1).await;
    let told = simple(Some("C-00001"), &[("SKU-000154", "1"), ("SKU-000154", "500")]);
    pass(1).await;
    assert!(rig.net(0).is_some());
    assert_eq!((rig.net(0), rig.net(1)), (told.net(0), told.net(1)));
}

#[tokio::test(start_paused = true)]
async fn an_erp_that_is_down_is_tried_gently_and_the_rows_say_so_after_a_while() {
    let skus = many(100);
    let rig = simple(None, &ones(&skus));
    pass(1).await;
    assert!((0..100).all(|row| rig.net(row).is_some()));
    rig.down(true);
    rig.invalidate(Named { all: true, ..Named::default() }).await;
    rig.rows.0.lock().pricing.invalidated_all(START);
    pass(200).await;
    let failed = rig.counts().failed;
    assert!((1..80).contains(&failed), "{failed}: only those it was tried with");
    let calls = rig.erp.stats().calls;
    pass(7200).await;
    assert_eq!(rig.counts().failed, 100);
    assert!(matches!(rig.told(99), Some(Asked::Failed(_))), "{:?}", rig.told(99));
    let tried = rig.erp.stats().calls - calls;
    assert!(tried < 300, "{tried} calls in two hours");
    rig.down(false);
    // The longest pause between two tries, and then the longest of a row.
    pass(60 + 300 + 60).await;
    assert_eq!(rig.counts().failed, 0);
    assert!((0..100).all(|row| rig.net(row).is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_planned_maintenance_is_no_news() {
    let skus = many(400);
    let zone = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
    let windows = ["Sun 12:00-18:00".to_owned()];
    let budget = Budget { maintenance: Maintenance::new(&windows, zone).unwrap(), ..Budget::default() };
    let rig = Rig::new(None, &ones(&skus), SimulatedOptions::default(), budget);
    pass(1).await;
    // From 12:00 to 18:00 in Paris: everything grows old at five.
    pass(7 * 3600 - 600).await;
    let failed = rig.counts().failed;
    assert!((1..120).contains(&failed), "{failed}: the first page, and one by one");
    pass(1200).await;
    assert_eq!(rig.counts().failed, 0);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_customer_is_said_and_a_blocked_one_is_priced_on() {
    let rig = simple(Some("NOBODY"), &[("SKU-000001", "1")]);
    pass(1).await;
    assert_eq!(rig.told(0), Some(Asked::Failed("customer_unknown")));
    assert_eq!(rig.rows.0.lock().party, Some("customer_unknown"));
    let rig = simple(Some("C-00097"), &[("SKU-000001", "1")]);
    pass(1).await;
    assert!(rig.net(0).is_some());
    assert_eq!(rig.rows.0.lock().party, Some("customer_blocked"));
}

#[tokio::test(start_paused = true)]
async fn what_was_declared_wrong_is_asked_anew() {
    let rig = simple(None, &[("SKU-000001", "1"), ("SKU-000002", "1")]);
    pass(1).await;
    let sku = Sku::new("SKU-000001").unwrap();
    rig.erp.set_price(None, sku.clone(), Some("77.70".parse().unwrap())).unwrap();
    rig.invalidate(Named { skus: vec![sku], ..Named::default() }).await;
    rig.rows.0.lock().pricing.invalidated(0, START);
    pass(10).await;
    assert_eq!(rig.net(0).as_deref(), Some("77.70"));
    assert_eq!(rig.counts().invalidated, 0);
}
