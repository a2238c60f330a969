//! The whole library below the socket over the simulated ERP, in tokio's paused time on one thread: the same promises, seen
//! from a caller. Everything a caller can check is in its answer: every price says whose it is and of which version.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use comptoir::cache::CacheConfig;
use comptoir::clock::{Clock, Reading, Timestamp};
use comptoir::domain::{CustomerId, Purpose, Sku};
use comptoir::erp::connectors::simulated::{
    Behaviour, CatalogueConfig, Faults, Garbage, SimulatedConnector, SimulatedOptions, Simulator, SimulatorConfig,
};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::{Calendar, LineQuery, OfferAnswer, OfferConfig, OfferQuery, OfferService, Parts, PriceAnswer};
use jiff::tz::TimeZone;
use tokio::task::LocalSet;

use crate::prng::Prng;

/// 2026-11-22T10:00:00Z.
const START: Timestamp = Timestamp(1_795_341_600_000);
const CUSTOMERS: u64 = 4;
const SKUS: u64 = 8;
/// The latest a caller may be answered after the deadline: the timers of the runtime are exact to the millisecond.
const GRACE: Duration = Duration::from_millis(1);

/// One run.
struct Shop {
    service: Arc<OfferService>,
    erp: Arc<Simulator>,
    clock: Clock,
    calls_per_minute: Option<u64>,
    /// Counts what happens, so that it has an order within an instant.
    tick: RefCell<u64>,
    /// Price changes the gateway has been told of: customer, SKU, version, and when it had been told.
    told: RefCell<Vec<(u64, u64, u64, u64)>>,
    versions: RefCell<Vec<u64>>,
    answered: RefCell<u64>,
    priced: RefCell<u64>,
    wrong: RefCell<Vec<String>>,
}

fn customer(number: u64) -> CustomerId {
    CustomerId::new(&format!("C-{number:05}")).expect("a customer")
}

fn sku(number: u64) -> Sku {
    Sku::new(&sku_text(number)).expect("a SKU")
}

fn sku_text(number: u64) -> String {
    format!("SKU-{number:06}")
}

fn cell(customer: u64, sku: u64) -> usize {
    ((customer - 1) * SKUS + sku - 1) as usize
}

/// Runs one seed. The first promise found broken is the error.
pub fn run(seed: u64) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    LocalSet::new().block_on(&runtime, async move {
        let shop = Rc::new(Shop::open(seed));
        shop.live(seed).await;
        shop.close().await;
        let wrong = shop.wrong.borrow();
        let answered = *shop.answered.borrow();
        wrong.first().map_or(Ok(answered), |first| Err(format!("{first} ({} in all)", wrong.len())))
    })
}

impl Shop {
    fn open(seed: u64) -> Self {
        let mut prng = Prng::of(seed, 10, 0);
        let clock = Clock::starting_at(START);
        let concurrency = prng.within(1, 4) as usize;
        let latency = *prng.pick(&[5, 50, 200]);
        let behaviour = Behaviour::fixed(Duration::from_millis(latency), concurrency);
        let catalogue = CatalogueConfig { skus: 200, customers: 10, ..CatalogueConfig::default() };
        let erp = Simulator::new(SimulatorConfig { catalogue, behaviour }, clock);
        let options = SimulatedOptions {
            max_items: *prng.pick(&[1, 4, 100]),
            breaks: prng.chance(700),
            offers: prng.chance(500),
            ..SimulatedOptions::default()
        };
        let connector = Arc::new(SimulatedConnector::with(erp.clone(), options));
        let calls_per_minute = prng.chance(400).then(|| *prng.pick(&[30, 120]));
        let budget = Budget {
            concurrency,
            calls_per_minute: calls_per_minute.map(|calls| calls as usize),
            timeout: Duration::from_secs(2),
            queue_lines_max: *prng.pick(&[20, 20_000]),
            ..Budget::default()
        };
        let calendar = Calendar(TimeZone::get("Europe/Paris").expect("a time zone"));
        let config = OfferConfig::default();
        let service = OfferService::new(connector, config, &CacheConfig::default(), budget, calendar, clock);
        let shop = Self {
            service,
            erp,
            clock,
            calls_per_minute,
            tick: RefCell::new(0),
            told: RefCell::default(),
            versions: RefCell::new(vec![0; (CUSTOMERS * SKUS) as usize]),
            answered: RefCell::new(0),
            priced: RefCell::new(0),
            wrong: RefCell::default(),
        };
        for customer in 1..=CUSTOMERS {
            (1..=SKUS).for_each(|sku| shop.reprice(customer, sku));
        }
        shop
    }

    fn tick(&self) -> u64 {
        *self.tick.borrow_mut() += 1;
        *self.tick.borrow()
    }

    fn found_wrong(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    /// The next version of a price: it says whose it is and of what.
    fn reprice(&self, of: u64, number: u64) {
        let version = {
            let mut versions = self.versions.borrow_mut();
            versions[cell(of, number)] += 1;
            versions[cell(of, number)]
        };
        let price = (version * 10_000 + of * 100 + number).to_string().parse().expect("money");
        self.erp.set_price(Some(customer(of)), sku(number), Some(price)).expect("it is in the catalogue");
    }

    async fn live(self: &Rc<Self>, seed: u64) {
        let length = Prng::of(seed, 11, 0).within(2_000, 90_000);
        let mut tasks = Vec::new();
        for number in 0..Prng::of(seed, 12, 0).within(20, 120) {
            let mut prng = Prng::of(seed, 13, number);
            let shop = self.clone();
            let after = Duration::from_millis(prng.below(length));
            tasks.push(tokio::task::spawn_local(async move {
                tokio::time::sleep(after).await;
                shop.visit(prng).await;
            }));
        }
        for number in 0..Prng::of(seed, 14, 0).below(30) {
            let mut prng = Prng::of(seed, 15, number);
            let shop = self.clone();
            let after = Duration::from_millis(prng.below(length));
            tasks.push(tokio::task::spawn_local(async move {
                tokio::time::sleep(after).await;
                shop.change(prng).await;
            }));
        }
        for number in 0..Prng::of(seed, 16, 0).below(4) {
            let mut prng = Prng::of(seed, 17, number);
            let shop = self.clone();
            let (after, lasts) = (prng.below(length), *prng.pick(&[300, 3_000, 20_000]));
            let faults = faults(&mut prng);
            tasks.push(tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                shop.erp.set_faults(faults);
                tokio::time::sleep(Duration::from_millis(lasts)).await;
                shop.erp.set_faults(Faults::default());
            }));
        }
        for task in tasks {
            if let Err(panic) = task.await {
                self.found_wrong(format!("P5: a task panicked: {panic}"));
            }
        }
    }

    /// A caller comes, and some hang up before they are answered.
    async fn visit(self: Rc<Self>, mut prng: Prng) {
        let query = self.query(&mut prng);
        let leaves = prng.chance(150).then(|| Duration::from_millis(prng.below(300)));
        let tick = self.tick();
        let (arrival, deadline, of) = (query.arrival, query.deadline, query.customer.clone());
        let max_age = query.max_age;
        let answer = match leaves {
            None => self.service.answer(query).await,
            Some(after) => match tokio::time::timeout(after, self.service.answer(query)).await {
                Ok(answer) => answer,
                Err(_) => return,
            },
        };
        // P6: whoever waits is answered by their deadline.
        let late = self.clock.mono().since(deadline.plus(GRACE));
        if !late.is_zero() {
            self.found_wrong(format!("P6: answered {late:?} after the deadline"));
        }
        *self.answered.borrow_mut() += 1;
        match answer {
            Ok(answer) => self.check(&answer, of.as_ref(), (tick, arrival), max_age),
            Err(error) => self.found_wrong(format!("P5: a known customer was answered {error:?}")),
        }
    }

    fn query(&self, prng: &mut Prng) -> OfferQuery {
        let arrival = self.clock.read();
        let mut line = || LineQuery::new(sku_text(prng.within(1, SKUS)), None, None, None);
        let lines: Vec<LineQuery> = (0..6).map(|_| line()).collect();
        let count = prng.within(1, 6) as usize;
        OfferQuery {
            customer: Some(customer(prng.within(1, CUSTOMERS))),
            company: None,
            ship_to: None,
            contract: None,
            currency: Some("EUR".parse().expect("a currency")),
            visitor: None,
            price_date: None,
            purpose: Purpose::ALL[prng.below(Purpose::ALL.len() as u64) as usize],
            max_age: prng.chance(400).then(|| Duration::from_millis(*prng.pick(&[0, 0, 1_000]))),
            stale_if_error: None,
            parts: Parts { price: true, availability: prng.chance(700) },
            locations: Vec::new(),
            lines: lines.into_iter().take(count).collect(),
            request_id: "simulation".into(),
            arrival,
            deadline: arrival.mono.plus(Duration::from_millis(*prng.pick(&[0, 20, 500, 2_000, 10_000]))),
        }
    }

    fn check(
        &self,
        answer: &OfferAnswer,
        of: Option<&CustomerId>,
        (tick, arrival): (u64, Reading),
        wish: Option<Duration>,
    ) {
        if answer.lines.len() != answer.query.lines.len() {
            self.found_wrong(format!("P8: {} lines for {} asked", answer.lines.len(), answer.query.lines.len()));
        }
        let of: u64 = of.map_or(0, |of| of.as_str()[2..].parse().expect("a number"));
        for (asked, line) in answer.query.lines.iter().zip(&answer.lines) {
            let number: u64 = asked.sku[4..].parse().expect("a number");
            let PriceAnswer::Told { row, quantity, freshness } = &line.price else { continue };
            *self.priced.borrow_mut() += 1;
            let price: u64 = row.net_price_at(*quantity).to_string().parse().expect("a whole number");
            // P8, P13: each its own.
            if price % 10_000 != of * 100 + number {
                self.found_wrong(format!("P13: customer {of} got the price {price} for SKU {number}"));
                continue;
            }
            let version = price / 10_000;
            // P1: nothing older than what the gateway had been told before the caller came.
            let known = self
                .told
                .borrow()
                .iter()
                .filter(|(who, what, ..)| (*who, *what) == (of, number))
                .filter(|(.., told)| *told < tick)
                .map(|(_, _, version, _)| *version)
                .max()
                .unwrap_or(0);
            if version < known {
                self.found_wrong(format!("P1: version {version} of SKU {number} for customer {of}, {known} was told"));
            }
            // P7: fresh is no older than accepted, from the start of the call (told to the millisecond).
            let age = arrival.wall.0 - freshness.observed_at.0;
            let allowed = answer.policy.max_age.as_millis() as i64;
            if freshness.stale.is_none() && age > allowed {
                self.found_wrong(format!("P7: {age} ms old and not marked, {allowed} ms allowed, {wish:?} wished"));
            }
        }
    }

    /// The ERP changes a price and, mostly, says so.
    async fn change(self: Rc<Self>, mut prng: Prng) {
        let (of, number) = (prng.within(1, CUSTOMERS), prng.within(1, SKUS));
        self.reprice(of, number);
        let tells = prng.chance(800);
        tokio::time::sleep(Duration::from_millis(prng.below(50))).await;
        if tells {
            let version = self.versions.borrow()[cell(of, number)];
            let words = prng.below(4);
            self.invalidate(words, of, number);
            let told = self.tick();
            self.told.borrow_mut().push((of, number, version, told));
        }
    }

    /// P17, P5: when all is over nothing waits, nothing is in the air, and everything can be had again.
    async fn close(&self) {
        self.erp.set_faults(Faults::default());
        let mut bad = Vec::new();
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(100)).await;
            bad.clear();
            for of in 1..=CUSTOMERS {
                let mut prng = Prng::new(of);
                let mut query = self.query(&mut prng);
                query.customer = Some(customer(of));
                query.purpose = Purpose::Cart;
                query.max_age = Some(Duration::ZERO);
                query.lines = (1..=SKUS).map(|number| LineQuery::new(sku_text(number), None, None, None)).collect();
                query.deadline = query.arrival.mono.plus(Duration::from_secs(120));
                let (arrival, tick) = (query.arrival, self.tick());
                let Ok(answer) = self.service.answer(query).await else { continue };
                self.check(&answer, Some(&customer(of)), (tick, arrival), Some(Duration::ZERO));
                for (number, line) in (1..).zip(&answer.lines) {
                    let current = self.versions.borrow()[cell(of, number)] * 10_000 + of * 100 + number;
                    let is_current = match &line.price {
                        PriceAnswer::Told { row, quantity, .. } => {
                            row.net_price_at(*quantity).to_string() == current.to_string()
                        }
                        _ => false,
                    };
                    if !is_current {
                        bad.push((of, number, line.reason));
                    }
                }
            }
            if bad.is_empty() {
                break;
            }
        }
        if !bad.is_empty() {
            self.found_wrong(format!("P5: the ERP works, and there is no getting {bad:?}"));
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
        let load = self.service.erp_load();
        if load.waiting > 0 || load.in_flight > 0 {
            self.found_wrong(format!("P17: {load:?} is left behind"));
        }
        let stats = self.erp.stats();
        if self.calls_per_minute.is_some_and(|calls| stats.calls_per_minute_peak > calls) {
            let allowed = self.calls_per_minute;
            self.found_wrong(format!("P17: {} calls in 60 s, {allowed:?} are allowed", stats.calls_per_minute_peak));
        }
    }

    fn invalidate(&self, words: u64, of: u64, number: u64) {
        use comptoir::cache::epochs::Word;
        let (of, number) = (customer(of), sku(number));
        let word = match words {
            0 => Word::All,
            1 => Word::Customer(of.as_str()),
            2 => Word::Sku(number.as_str()),
            _ => Word::CustomerSku(of.as_str(), number.as_str()),
        };
        self.service.knowledge().epochs.invalidate([word]);
    }
}

fn faults(prng: &mut Prng) -> Faults {
    let none = Faults::default();
    match prng.below(8) {
        0 => Faults { latency: Some(Duration::from_millis(*prng.pick(&[500, 1_900, 3_000]))), ..none },
        1 => Faults { hang: true, ..none },
        2 | 3 => Faults { down: true, ..none },
        4 => Faults { failure_permille: 500, ..none },
        5 => Faults { calls_per_minute: Some(0), ..none },
        6 => Faults { poison: vec![sku(prng.within(1, SKUS))], ..none },
        _ => Faults { garbage: Some(*prng.pick(&Garbage::ALL)), ..none },
    }
}
