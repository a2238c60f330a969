//! No answer is better than another customer's price.

use std::sync::Arc;
use std::time::Duration;

use comptoir::cache::CacheConfig;
use comptoir::clock::Clock;
use comptoir::domain::{
    CompanyId, ContractId, CustomerFacts, CustomerId, Money, PriceListId, PricedLine, ShipToId, Sku, ToldScope,
};
use comptoir::erp::connectors::simulated::Simulator;
use comptoir::erp::dispatch::Budget;
use comptoir::erp::{
    AskedLine, BatchRules, Call, Capabilities, Connector, ErpError, Header, PriceRow, Reply, Said, SharesByList,
};
use comptoir::offer::{Calendar, LineQuery, LineStatus, OfferConfig, OfferQuery, OfferService, Parts, PriceAnswer};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use jiff::tz::TimeZone;

use crate::rig::{START, net, rig, skus};

#[tokio::test(start_paused = true)]
async fn everybody_gets_their_own_price_whoever_asks_with_them() {
    let rig = rig();
    let customers: Vec<String> = (1..=40).map(|n| format!("C-{n:05}")).collect();
    let pages = customers.iter().map(|customer| rig.ask(rig.query(Some(customer), skus(20))));
    let answers = join_all(pages).await;
    let mut distinct = std::collections::HashSet::new();
    for (customer, answer) in customers.iter().zip(&answers) {
        for (line, sku) in answer.lines.iter().zip(skus(20)) {
            let PriceAnswer::Told { row, .. } = &line.price else { panic!("{line:?}") };
            let truth = truth(&rig.erp, customer, row.shape().currency, &sku);
            assert_eq!(net(line), Some(truth.clone()), "{customer} {sku}");
            distinct.insert(truth);
        }
    }
    assert!(distinct.len() > 400, "prices differ, or this shows nothing: {}", distinct.len());
}

fn truth(erp: &std::sync::Arc<Simulator>, customer: &str, currency: comptoir::domain::Currency, sku: &str) -> String {
    let customer = comptoir::domain::CustomerId::new(customer).unwrap();
    let line = erp.catalogue().price_if_sold(Some(&customer), currency, erp.today(), &Sku::new(sku).unwrap());
    let quantity = "1".parse().unwrap();
    let reached = line.breaks.iter().rfind(|step| step.min_quantity <= quantity);
    reached.map_or(line.net_price, |step| step.net_price).to_string()
}

#[tokio::test(start_paused = true)]
async fn the_public_is_nobodys_customer() {
    let rig = rig();
    let public = rig.ask(rig.query(None, ["SKU-000001"])).await;
    let customer = rig.ask(rig.query(Some("C-00042"), ["SKU-000001"])).await;
    assert_ne!(net(&public.lines[0]), net(&customer.lines[0]));
    assert_eq!(public.lines[0].status, LineStatus::Ok);
}

/// An ERP whose every price says everything it was asked with: the digits are a hash of it. Who has special prices is
/// whoever's name ends in 3; everybody else pays the list's price.
struct Telling {
    capabilities: Capabilities,
}

fn hash(parts: &[&str]) -> Money {
    // FNV-1a over length-prefixed parts.
    let bytes = parts.iter().flat_map(|part| std::iter::once(part.len() as u8).chain(part.bytes()));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}.{:09}", hash >> 40, hash % 1_000_000_000).parse().unwrap()
}

fn is_special(customer: &str) -> bool {
    customer.ends_with('3')
}

fn list_of(customer: &str) -> &'static str {
    if customer.len().is_multiple_of(2) { "12" } else { "1" }
}

/// What somebody pays.
fn told(customer: Option<&str>, asked: &Asked, sku: &str, unit: Option<&str>, quantity: &str) -> Money {
    let [company, ship_to, contract] = [&asked.company, &asked.ship_to, &asked.contract].map(|id| id.unwrap_or(""));
    match customer {
        Some(customer) if is_special(customer) || !ship_to.is_empty() || !contract.is_empty() => {
            hash(&["customer", customer, company, ship_to, contract, asked.currency, sku, unit.unwrap_or(""), quantity])
        }
        Some(customer) => {
            hash(&["list", list_of(customer), company, asked.currency, sku, unit.unwrap_or(""), quantity])
        }
        None => hash(&["public", company, ship_to, contract, asked.currency, sku, unit.unwrap_or(""), quantity]),
    }
}

/// What a page is asked with besides its customer.
struct Asked<'a> {
    company: Option<&'a str>,
    ship_to: Option<&'a str>,
    contract: Option<&'a str>,
    currency: &'a str,
}

impl Telling {
    fn new(shares_by_list: Option<SharesByList>) -> Arc<Self> {
        let public = CustomerFacts { currency: Some("EUR".parse().unwrap()), ..CustomerFacts::default() };
        Arc::new(Self {
            capabilities: Capabilities {
                breaks: false,
                unit_matters: true,
                company_matters: true,
                ship_to_matters: true,
                contract_matters: true,
                shares_by_list,
                tells_price_lists: false,
                public: Some(Arc::new(public)),
                stock: false,
                prices_batch: BatchRules::up_to(100),
                ..Capabilities::plain()
            },
        })
    }

    fn row(&self, header: &Header, line: &AskedLine) -> PriceRow {
        let (sku, unit) = (line.sku.as_str(), line.unit.as_ref().map(|unit| unit.as_str()));
        let quantity = line.quantity.unwrap().normalized().to_string();
        let asked = Asked {
            company: header.company.as_ref().map(|id| id.as_str()),
            ship_to: header.ship_to.as_ref().map(|id| id.as_str()),
            contract: header.contract.as_ref().map(|id| id.as_str()),
            currency: header.currency.as_str(),
        };
        let customer = header.customer.as_ref().map(|id| id.as_str());
        let (net_price, scope) = match (&header.for_list, customer) {
            (Some(list), _) => {
                let company = asked.company.unwrap_or("");
                let parts = ["list", list.as_str(), company, asked.currency, sku, unit.unwrap_or(""), &quantity];
                (hash(&parts), Some(ToldScope::PriceList(list.clone())))
            }
            (None, Some(customer)) => {
                let is_own = is_special(customer) || asked.ship_to.is_some() || asked.contract.is_some();
                let list = ToldScope::PriceList(PriceListId::new(list_of(customer)).unwrap());
                (told(Some(customer), &asked, sku, unit, &quantity), Some(if is_own { ToldScope::Own } else { list }))
            }
            (None, None) => (told(None, &asked, sku, unit, &quantity), None),
        };
        let mut price = PricedLine::plain(header.currency, net_price);
        price.scope = scope;
        price.units = line.unit.iter().map(|unit| (unit.clone(), "1".parse().unwrap())).collect();
        PriceRow {
            sku: sku.to_owned(),
            unit: line.unit.as_ref().map(ToString::to_string),
            quantity: line.quantity,
            said: Said::Told(price),
        }
    }
}

impl Connector for Telling {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Reply, ErpError>> {
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut reply = Reply::default();
            match call {
                Call::Customers(customers) => {
                    for customer in customers.iter().flatten() {
                        let facts = CustomerFacts {
                            currency: Some("EUR".parse().unwrap()),
                            price_list: Some(PriceListId::new(list_of(customer.as_str())).unwrap()),
                            own_prices: is_special(customer.as_str()),
                            ..CustomerFacts::default()
                        };
                        reply.customers.push((Some(customer.clone()), Some(facts)));
                    }
                }
                Call::Prices(header, lines) => reply.prices.extend(lines.iter().map(|line| self.row(header, line))),
                Call::Stock(..) | Call::Offers(..) => return Err(ErpError::Unprepared("not asked for".into())),
            }
            Ok(reply)
        }
        .boxed()
    }
}

/// A number that is different every time, and the same in every run.
struct Dice(u64);

impl Dice {
    fn of(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count as u64) as usize
    }

    fn id<'a>(&mut self, ids: &[&'a str]) -> Option<&'a str> {
        let at = self.of(ids.len() + 1);
        ids.get(at).copied()
    }
}

/// Names that run into each other wherever somebody forgets where one ends.
const IDS: [&str; 12] = ["1", "12", "123", "2", "23", "3", "1 23", "12 3", "L1", "1L", "33", "13"];
const REQUESTS: usize = 50_000;
const LINES: usize = 10;

#[tokio::test(start_paused = true)]
async fn fifty_thousand_requests_over_names_that_collide_each_get_their_own_price() {
    for shares in [None, Some(SharesByList::Question), Some(SharesByList::Answer)] {
        let clock = Clock::starting_at(START);
        let calendar = Calendar(TimeZone::UTC);
        let config = OfferConfig::default();
        let service = OfferService::new(
            Telling::new(shares),
            config,
            &CacheConfig::default(),
            Budget::default(),
            calendar,
            clock,
        );
        let mut dice = Dice(20_261_125);
        for _ in 0..REQUESTS.div_ceil(LINES * 10 * 3) {
            let pages: Vec<OfferQuery> = (0..10).map(|_| colliding(&mut dice, clock)).collect();
            let answers = join_all(pages.iter().map(|page| service.answer(page.clone()))).await;
            for (page, answer) in pages.iter().zip(answers) {
                let answer = answer.unwrap();
                let asked = Asked {
                    company: page.company.as_ref().map(|id| id.as_str()),
                    ship_to: page.ship_to.as_ref().map(|id| id.as_str()),
                    contract: page.contract.as_ref().map(|id| id.as_str()),
                    currency: page.currency.as_ref().map_or("EUR", |currency| currency.as_str()),
                };
                let customer = page.customer.as_ref().map(|id| id.as_str());
                for (line, offer) in page.lines.iter().zip(&answer.lines) {
                    let quantity = line.amount.0.normalized().to_string();
                    let expected = told(customer, &asked, &line.sku, line.unit.as_deref(), &quantity);
                    assert_eq!(net(offer), Some(expected.to_string()), "{shares:?} {page:?} {line:?}");
                }
            }
            tokio::time::advance(Duration::from_secs(7)).await;
        }
    }
}

fn colliding(dice: &mut Dice, clock: Clock) -> OfferQuery {
    let arrival = clock.read();
    let company = dice.id(&["1", "12"]);
    let lines = (0..LINES).map(|_| {
        // Either all lines of a call name a unit or none does: a row for one would answer the other.
        let (sku, unit) = (IDS[dice.of(IDS.len())], company.map(|_| ["1", "2", "12"][dice.of(3)]));
        let quantity = ["1", "2", "12", "23", "1.2", "0.3"][dice.of(6)];
        LineQuery::new(sku.into(), Some(quantity.into()), unit.map(Into::into), None)
    });
    let lines = lines.collect();
    OfferQuery {
        customer: dice.id(&IDS).map(|id| CustomerId::new(id).unwrap()),
        company: company.map(|id| CompanyId::new(id).unwrap()),
        ship_to: dice.id(&["3", "23"]).filter(|_| dice.of(2) == 0).map(|id| ShipToId::new(id).unwrap()),
        contract: dice.id(&["3", "23"]).filter(|_| dice.of(2) == 0).map(|id| ContractId::new(id).unwrap()),
        currency: dice.id(&["EUR", "USD"]).map(|code| code.parse().unwrap()),
        visitor: None,
        price_date: None,
        purpose: comptoir::domain::Purpose::ALL[dice.of(5)],
        max_age: None,
        stale_if_error: None,
        parts: Parts { price: true, availability: false },
        locations: Vec::new(),
        lines,
        request_id: "test".into(),
        arrival,
        deadline: arrival.mono.plus(Duration::from_secs(30)),
    }
}
