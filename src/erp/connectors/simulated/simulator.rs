//! The simulated ERP itself: takes a question through the gate, lets it cost its time, and answers from the catalogue.
//!
//! A call is a task of the ERP's own. Whoever asked may go away; the call runs on and keeps its place, as in ERPs that
//! know no cancellation. The figures are read when serving begins, so a change made while a call runs is not in its
//! answer: the case a gateway has to get right. Time passes only by tokio's `sleep`.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use super::catalogue::{Buyer, CURRENCIES, Catalogue, CatalogueConfig, LOCATIONS, Priced, dice};
use super::faults::{Behaviour, Faults, Garbage};
use super::garble;
use super::gate::{Entry, Gate};
use super::overrides::{ControlError, Overrides};
use super::question::{Answer, CustomerRow, OfferRow, Question, Refusal, Rows, Status, StockLine};
use super::stats::{Ledger, Stats};
use crate::clock::{Clock, Mono};
use crate::domain::{Currency, CustomerFacts, CustomerId, LocationId, Money, Quantity, Sku, Stock, ToldScope};

#[derive(Clone, Debug, Default)]
pub struct SimulatorConfig {
    pub catalogue: CatalogueConfig,
    pub behaviour: Behaviour,
}

/// One ERP, shared by all who ask it.
pub struct Simulator {
    catalogue: Catalogue,
    behaviour: Behaviour,
    clock: Clock,
    /// Held for moments, never while waiting.
    state: Mutex<State>,
    /// Read for every line, written by hand.
    overrides: RwLock<Overrides>,
    /// Tells waiting calls that the faults were changed.
    changes: watch::Sender<Change>,
}

struct State {
    faults: Faults,
    gate: Gate,
    ledger: Ledger,
}

#[derive(Clone, Copy, Default)]
struct Change {
    number: u64,
    down: bool,
}

/// What holds for one call, fixed when it arrives.
struct Plan {
    cost: Duration,
    hang: bool,
    garbage: Option<Garbage>,
    garbage_skus: Vec<Sku>,
    failure: Option<String>,
    change: u64,
}

impl Simulator {
    pub fn new(config: SimulatorConfig, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            catalogue: Catalogue::new(config.catalogue),
            behaviour: config.behaviour,
            clock,
            state: Mutex::new(State {
                faults: Faults::default(),
                gate: Gate::default(),
                ledger: Ledger::starting_at(clock.mono()),
            }),
            overrides: RwLock::default(),
            changes: watch::Sender::new(Change::default()),
        })
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Today in UTC, for questions that name no date.
    pub fn today(&self) -> Date {
        self.clock.read().wall.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// Makes one call. It begins when this is first polled and then runs to its end, whatever becomes of the future.
    pub async fn ask(self: &Arc<Self>, question: Question) -> Result<Answer, Refusal> {
        let mut changes = self.changes.subscribe();
        let (plan, running, woken) = self.arrive(&question)?;
        let seen = plan.change;
        let simulator = Arc::clone(self);
        let call = tokio::spawn(async move {
            // Taken whole, so that it is dropped when this task ends.
            let mut running = running;
            if let Some(woken) = woken {
                // The gate lives as long as this task holds the simulator, so the wake comes.
                let _ = woken.await;
            }
            running.is_served = true;
            simulator.serve(question, plan).await
        });
        tokio::select! {
            biased;
            answer = call => answer.unwrap_or_else(|_| Err(Refusal::Failed("the call broke off".into()))),
            // Going down cuts whoever is connected; what was under way goes on inside.
            Ok(_) = changes.wait_for(|change| change.down && change.number > seen) => Err(Refusal::Down),
        }
    }

    pub fn stats(&self) -> Stats {
        self.state.lock().ledger.read()
    }

    pub fn reset_stats(&self) {
        self.state.lock().ledger.reset();
    }

    pub fn faults(&self) -> Faults {
        self.state.lock().faults.clone()
    }

    /// Replaces all faults; the default is none. Calls that hang go on, and those that wait find the new concurrency.
    pub fn set_faults(&self, faults: Faults) {
        let down = faults.down && faults.only.is_empty() && faults.times.is_none();
        let mut state = self.state.lock();
        state.faults = faults;
        let concurrency = state.concurrency(&self.behaviour);
        state.gate.let_in(concurrency);
        self.changes.send_modify(|change| *change = Change { number: change.number + 1, down });
    }

    /// Sets what one customer (`None`: the public, and nobody else) pays for one SKU, in whatever currency is asked and
    /// without breaks; `None` goes back to the catalogue.
    pub fn set_price(
        &self,
        customer: Option<CustomerId>,
        sku: Sku,
        net_price: Option<Money>,
    ) -> Result<(), ControlError> {
        if let Some(unknown) = customer.iter().find(|customer| self.catalogue.customer(customer).is_none()) {
            return Err(ControlError::UnknownCustomer(unknown.clone()));
        }
        if !self.catalogue.knows(&sku) {
            return Err(ControlError::UnknownSku(sku));
        }
        if net_price.is_some_and(|price| price.get().is_sign_negative() && !price.is_zero()) {
            return Err(ControlError::NegativePrice);
        }
        self.overrides.write().prices.set(sku, customer, net_price)
    }

    /// Sets what lies at one location; `None` goes back to the catalogue. What is reserved stays.
    pub fn set_on_hand(&self, sku: Sku, location: LocationId, on_hand: Option<Quantity>) -> Result<(), ControlError> {
        if !LOCATIONS.contains(&location.as_str()) {
            return Err(ControlError::UnknownLocation(location));
        }
        match self.catalogue.stock(&sku) {
            None => return Err(ControlError::UnknownSku(sku)),
            Some(Stock::Untracked) => return Err(ControlError::Untracked(sku)),
            Some(Stock::Levels { .. }) => {}
        }
        self.overrides.write().on_hand.set(sku, location, on_hand)
    }

    /// The facts about a customer, without a call.
    pub fn customer(&self, customer: Option<&CustomerId>) -> Option<CustomerFacts> {
        self.facts(&self.overrides.read(), customer)
    }

    fn facts(&self, overrides: &Overrides, customer: Option<&CustomerId>) -> Option<CustomerFacts> {
        let Some(customer) = customer else { return Some(Catalogue::public()) };
        let facts = self.catalogue.customer(customer)?;
        Some(CustomerFacts { own_prices: overrides.prices.has(&Some(customer.clone())), ..facts })
    }

    /// The truth about one SKU, without a call, a cost or a fault.
    pub fn offer(&self, customer: Option<&CustomerId>, currency: Currency, day: Date, sku: &Sku) -> OfferRow {
        let buyer = self.catalogue.buyer(customer);
        self.row(&self.overrides.read(), buyer, customer, currency, day, sku)
    }

    /// Counts the call in, decides what will go wrong with it, and sends it to the gate; a receiver if it must wait
    /// there.
    fn arrive(
        self: &Arc<Self>,
        question: &Question,
    ) -> Result<(Plan, Running, Option<oneshot::Receiver<()>>), Refusal> {
        let operation = question.operation();
        let lines = question.skus().len();
        let mut state = self.state.lock();
        let state = &mut *state;
        let none = Faults::default();
        let concerned = state.faults.concerns(operation);
        if let Some(times) = state.faults.times.as_mut().filter(|_| concerned) {
            *times -= 1;
        }
        let faults = if concerned { &state.faults } else { &none };
        if faults.down {
            return Err(Refusal::Down);
        }
        let now = self.clock.mono();
        let number = state.ledger.begin(now, operation, lines);
        let latency = faults.latency.unwrap_or(self.behaviour.latency);
        let per_line = faults.per_line.unwrap_or(self.behaviour.per_line);
        let fails = dice(self.catalogue.config().seed, &[7, number]) % 1000 < u64::from(faults.failure_permille);
        let poisoned = question.skus().iter().find(|sku| faults.poison.contains(sku));
        let plan = Plan {
            cost: per_line.saturating_mul(u32::try_from(lines).unwrap_or(u32::MAX)).saturating_add(latency),
            hang: faults.hang,
            garbage: faults.garbage,
            garbage_skus: faults.skus.clone(),
            failure: match poisoned {
                Some(sku) => Some(format!("the call fails for {sku}")),
                None => fails.then(|| "internal error".to_owned()),
            },
            change: self.changes.borrow().number,
        };
        let concurrency = state.concurrency(&self.behaviour);
        let woken = match state.gate.enter(now, concurrency, state.calls_per_minute(&self.behaviour)) {
            Entry::Served => None,
            Entry::Waits(woken) => Some(woken),
            Entry::TurnedAway(why) => {
                state.ledger.refuse(now, number);
                return Err(Refusal::Busy(why));
            }
        };
        let running = Running { simulator: Arc::clone(self), number, is_served: woken.is_none() };
        Ok((plan, running, woken))
    }

    /// Serves a call that has its place.
    async fn serve(&self, question: Question, plan: Plan) -> Result<Answer, Refusal> {
        let rows = self.rows(question);
        if !plan.cost.is_zero() {
            tokio::time::sleep(plan.cost).await;
        }
        if plan.hang {
            // Ends with the faults that made it; the sender lives as long as `self`.
            let _ = self.changes.subscribe().wait_for(|change| change.number > plan.change).await;
        }
        if let Some(why) = plan.failure {
            return Err(Refusal::Failed(why));
        }
        let mut rows = rows?;
        if let Some(garbage) = plan.garbage {
            garble::spoil(&mut rows, garbage, &plan.garbage_skus);
        }
        Ok(Answer { rows, unreadable: plan.garbage.filter(|garbage| garbage.is_unreadable()) })
    }

    fn rows(&self, question: Question) -> Result<Rows, Refusal> {
        let overrides = self.overrides.read();
        Ok(match question {
            Question::Offers { customer, price_list, currency, price_date, skus, .. } => {
                if let Some(unknown) = customer.iter().find(|customer| self.catalogue.customer(customer).is_none()) {
                    return Err(Refusal::Invalid(format!("customer: {unknown} is not known")));
                }
                if !CURRENCIES.contains(&currency.as_str()) {
                    return Err(Refusal::Invalid(format!("currency: {currency} has no prices")));
                }
                let buyer = match (&customer, &price_list) {
                    (None, Some(list)) => self.catalogue.buyer_from(list),
                    (customer, None) => Some(self.catalogue.buyer(customer.as_ref())),
                    (Some(_), Some(_)) => None,
                };
                let Some(buyer) = buyer else {
                    return Err(Refusal::Invalid("priceList: is not known, or stands beside a customer".into()));
                };
                let row = |sku| self.row(&overrides, buyer, customer.as_ref(), currency, price_date, sku);
                Rows::Offers { currency, rows: skus.iter().map(row).collect() }
            }
            Question::Stock(skus) => Rows::Stock(
                skus.iter()
                    .map(|sku| StockLine { sku: sku.as_str().to_owned(), stock: self.stock(&overrides, sku) })
                    .collect(),
            ),
            Question::Customers(customers) => Rows::Customers(
                customers
                    .into_iter()
                    .map(|customer| CustomerRow { facts: self.facts(&overrides, customer.as_ref()), customer })
                    .collect(),
            ),
        })
    }

    fn row(
        &self,
        overrides: &Overrides,
        buyer: Buyer,
        customer: Option<&CustomerId>,
        currency: Currency,
        day: Date,
        sku: &Sku,
    ) -> OfferRow {
        // A list has no overrides: it is nobody.
        let special = match buyer {
            Buyer::List(_) => None,
            Buyer::Public | Buyer::Customer(_) => overrides.prices.get(sku, &customer.cloned()),
        };
        let (status, line) = match (self.catalogue.price(buyer, currency, day, sku), special) {
            (Priced::Unknown, _) => (Status::Unknown, None),
            (Priced::NotForSale, _) => (Status::NotForSale, None),
            (Priced::OnRequest, None) => (Status::OnRequest, None),
            (Priced::Told(line), None) => (Status::Ok, Some(*line)),
            (priced, Some(net_price)) => {
                let mut line = match priced {
                    Priced::Told(line) => *line,
                    _ => self.catalogue.price_if_sold(customer, currency, day, sku),
                };
                line.net_price = net_price;
                line.breaks.clear();
                // It is this customer's own now, even where the list's was theirs before.
                line.scope = customer.map(|_| ToldScope::Own);
                (Status::Ok, Some(line))
            }
        };
        let sku_text = sku.as_str().to_owned();
        OfferRow { sku: sku_text, status, line, price_is_null: false, stock: self.stock(overrides, sku) }
    }

    fn stock(&self, overrides: &Overrides, sku: &Sku) -> Option<Stock> {
        let mut stock = self.catalogue.stock(sku)?;
        overrides.lay_over(sku, &mut stock);
        Some(stock)
    }
}

impl State {
    fn concurrency(&self, behaviour: &Behaviour) -> usize {
        self.faults.concurrency.unwrap_or(behaviour.concurrency).max(1)
    }

    fn calls_per_minute(&self, behaviour: &Behaviour) -> Option<u32> {
        self.faults.calls_per_minute.or(behaviour.calls_per_minute)
    }
}

/// A call under way. Dropped when its task ends, also by a panic, so that no place is ever lost.
struct Running {
    simulator: Arc<Simulator>,
    number: u64,
    is_served: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now: Mono = self.simulator.clock.mono();
        let mut state = self.simulator.state.lock();
        state.ledger.end(now, self.number);
        if self.is_served {
            let concurrency = state.concurrency(&self.simulator.behaviour);
            state.gate.leave(concurrency);
        }
    }
}
