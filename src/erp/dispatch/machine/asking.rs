//! Somebody asks: join, move up, be refused in time, or queue.

use std::time::Duration;

use super::{AIR_MAX, Asked, Machine, PRICES, RIDERS_MAX, Terms, Waiter, operation_of};
use crate::clock::Mono;
use crate::erp::breaker::State;
use crate::erp::dispatch::ask::Ask;
use crate::erp::dispatch::driver::{Need, Want};
use crate::erp::dispatch::flights::{Air, Standing, Wait};
use crate::erp::dispatch::queue::{Class, Spot};
use crate::erp::dispatch::{Account, Lane, Refusal};
use crate::mutants::mutant;

impl<W: Waiter> Machine<W> {
    /// Asks for one key. Every key of a page is asked before [`Machine::pump`] is called, or the first would leave alone; the
    /// stock of a SKU right after its price. A waiter is given where the page waits for it.
    pub fn ask(&mut self, terms: &Terms<'_>, want: Want, waiter: Option<W>) -> Asked {
        let price = self.price_before.take().filter(|_| want.with_price && self.capabilities.offers);
        let is_price = matches!(want.ask, Ask::Price(..));
        let decided = self.decide(terms, want, waiter, price);
        self.price_before = is_price.then_some(decided);
        decided.0
    }

    /// `price`: what came of the price asked just before, where the want is the stock of its SKU.
    fn decide(
        &mut self,
        terms: &Terms<'_>,
        want: Want,
        waiter: Option<W>,
        price: Option<(Asked, Option<u32>)>,
    ) -> (Asked, Option<u32>) {
        // Where there is no time for the price there is none for its stock: a call for that alone would take the place of one
        // that brings both.
        let is_too_late = |asked: &Asked| match asked {
            Asked::Background(refusal) | Asked::Refused(refusal) => {
                *refusal == Refusal::TooLate && !mutant!(StockOutlastsPrice)
            }
            Asked::JoinedAir | Asked::JoinedQueue | Asked::Queued => false,
        };
        let too_late = price.map(|(asked, _)| asked).filter(is_too_late);
        let price = price.and_then(|(asked, key)| key.filter(|_| asked.waits()));
        let Want { ask, demand, mut need, .. } = want;
        let mut waiter = waiter;
        let now = terms.now.mono;
        let (hash, found) = self.flights.find(&ask);
        if let Some(key) = found {
            let good = |air: &&mut Air<W>| {
                let late_enough = air.as_of >= demand.not_before || mutant!(JoinOlderAir);
                late_enough && (air.stamp >= demand.min_stamp || mutant!(JoinBeforeInvalidation))
            };
            if let Some(air) = self.flights.get_mut(key).air.iter_mut().rev().find(good) {
                if let Some(waiter) = waiter {
                    air.was.waiters.push(waiter);
                    // Should it fail, it is asked once more as whoever needs it most would ask.
                    let rank = (Class::Foreground, terms.lane);
                    if now < terms.deadline && rank < (air.was.class, air.was.lane) && !mutant!(NoInheritance) {
                        (air.was.class, air.was.lane) = rank;
                        air.was.account = terms.account.clone();
                    }
                }
                return (Asked::JoinedAir, Some(key));
            }
        }
        // What holds for everybody who asks for this now. The key goes on in the background all the same, unless it is bad.
        let mut told = None;
        if let Some(refusal) = self.no_use(&ask, terms).or(too_late.map(|_| Refusal::TooLate)) {
            self.refused.extend(waiter.take().map(|waiter| (waiter, refusal)));
            let dropped = matches!(too_late, Some(Asked::Refused(_)));
            if refusal == Refusal::Denied || dropped || mutant!(RefusedKeyForgotten) {
                return (Asked::Refused(refusal), None);
            }
            told = Some(refusal);
            if need == Need::Awaited {
                need = Need::Refresh;
            }
        }
        let answer = |asked| told.map_or(asked, Asked::Background);
        if let Some(key) = found
            && self.flights.get(key).wait.is_some()
        {
            if mutant!(RefuseJoiners) && waiter.is_some() {
                self.refused.extend(waiter.map(|waiter| (waiter, Refusal::TooLate)));
                return (Asked::Refused(Refusal::TooLate), Some(key));
            }
            let price = price.filter(|price| self.is_price_of(*price, &ask));
            let key = self.flight_for(hash, Some(key), ask);
            self.join(key, terms, need, waiter, price);
            return (answer(Asked::JoinedQueue), Some(key));
        }
        if need == Need::Rider {
            return (Asked::JoinedQueue, self.ride_along(hash, found, ask, terms));
        }
        let operation = operation_of(&ask);
        let waits = need == Need::Awaited && now < terms.deadline;
        let mut class = if waits { Class::Foreground } else { Class::Background };
        // Stock that rides with its price comes with the call for that.
        let called = if price.is_some() { PRICES } else { operation };
        if waits && self.is_too_late(&ask, called, terms) {
            told = Some(Refusal::TooLate);
            self.refused.extend(waiter.take().map(|waiter| (waiter, Refusal::TooLate)));
            class = Class::Background;
            if mutant!(RefusedKeyForgotten) {
                return (Asked::Refused(Refusal::TooLate), None);
            }
        }
        if self.waiting >= self.queue_lines_max && !self.make_room(terms, class) {
            self.refused.extend(waiter.map(|waiter| (waiter, Refusal::QueueFull)));
            return (Asked::Refused(told.unwrap_or(Refusal::QueueFull)), None);
        }
        // The price may have been dropped to make room.
        let price = price.filter(|price| self.is_price_of(*price, &ask));
        let key = self.flight_for(hash, found, ask);
        let flight = self.flights.get_mut(key);
        let standing = match (price.is_some(), flight.air.len() >= AIR_MAX) {
            (true, _) => Standing::Rides,
            (false, true) => Standing::Parked,
            (false, false) => Standing::Queued,
        };
        flight.wait = Some(Wait {
            waiters: Vec::from_iter(waiter),
            standing,
            lane: terms.lane,
            class,
            account: terms.account.clone(),
            asked_by: terms.asked_by.clone(),
            since: now,
            retried: false,
        });
        self.waiting += 1;
        if standing == Standing::Queued {
            self.enqueue(key);
        }
        self.call_price(price, terms, class);
        (told.map_or(Asked::Queued, Asked::Background), Some(key))
    }

    /// The key's flight, whose next call is asked with the newest facts anybody brought. What is in the air left with its own.
    fn flight_for(&mut self, hash: u64, found: Option<u32>, ask: Ask) -> u32 {
        let Some(key) = found else { return self.flights.insert(hash, ask) };
        let flight = self.flights.get_mut(key);
        if ask.knows_more_than(&flight.ask) && !mutant!(FirstFactsStay) {
            flight.ask = ask;
        }
        key
    }

    /// Whether this is the waiting price of the stock's SKU.
    fn is_price_of(&self, price: u32, stock: &Ask) -> bool {
        let Some(flight) = self.flights.known(price).filter(|flight| flight.wait.is_some()) else { return false };
        matches!((&flight.ask, stock), (Ask::Price(_, line), Ask::Stock(stock)) if line.sku == stock.sku)
    }

    /// Why nobody need wait for this now, whoever they are.
    fn no_use(&mut self, ask: &Ask, terms: &Terms<'_>) -> Option<Refusal> {
        let now = terms.now;
        if self.denied.is_denied(ask, now.mono) {
            return Some(Refusal::Denied);
        }
        if self.usage.is_closed(now.wall) {
            return Some(Refusal::Maintenance);
        }
        self.breakers[operation_of(ask)].is_open(now.mono).then_some(Refusal::BreakerOpen)
    }

    /// Stock rides with this price: the call for it is wanted as much as the stock is. It may have been a refresh that nobody
    /// waits for, or one that would only come along.
    fn call_price(&mut self, price: Option<u32>, terms: &Terms<'_>, class: Class) {
        if let Some(price) = price {
            self.raise(price, (class, terms.lane), terms.account, false);
        }
    }

    /// Joins a key that waits. `price`: it is stock, and may ride with this.
    fn join(&mut self, key: u32, terms: &Terms<'_>, need: Need, waiter: Option<W>, price: Option<u32>) {
        if need == Need::Rider {
            return;
        }
        if let Some(wait) = &mut self.flights.get_mut(key).wait {
            wait.waiters.extend(waiter);
        }
        let waits = need == Need::Awaited && terms.now.mono < terms.deadline;
        let class = if waits { Class::Foreground } else { Class::Background };
        self.raise(key, (class, terms.lane), terms.account, price.is_some());
        let rides = self.flights.get(key).wait.as_ref().is_some_and(|wait| wait.standing == Standing::Rides);
        self.call_price(price.filter(|_| rides), terms, class);
    }

    /// Moves a waiting key into the lane of whoever needs it more urgently, and into their account. Never back.
    pub(super) fn raise(&mut self, key: u32, (class, lane): (Class, Lane), account: &Account, rides: bool) {
        let flight = self.flights.get_mut(key);
        let Some(wait) = &mut flight.wait else { return };
        let standing = wait.standing;
        let higher = (class, lane) < (wait.class, wait.lane) && !mutant!(NoInheritance);
        if !higher && standing != Standing::Rider {
            return;
        }
        if matches!(standing, Standing::Queued | Standing::Rider) {
            self.queue.remove(key);
        }
        (wait.class, wait.lane, wait.account) = (class, lane, account.clone());
        match standing {
            Standing::Queued => self.enqueue(key),
            Standing::Rider => {
                self.waiting += 1;
                if rides {
                    wait.standing = Standing::Rides;
                } else {
                    self.enqueue(key);
                }
            }
            // The stock is wanted sooner than its price: it goes by itself, if it can.
            Standing::Rides if !rides && self.capabilities.stock => self.enqueue(key),
            Standing::Rides | Standing::Parked | Standing::Again => {}
        }
    }

    /// A key that would only come along.
    fn ride_along(&mut self, hash: u64, found: Option<u32>, ask: Ask, terms: &Terms<'_>) -> Option<u32> {
        if self.queue.riders() >= RIDERS_MAX {
            self.forget_oldest_rider();
        }
        let group = ask.group(&self.capabilities);
        let key = self.flight_for(hash, found, ask);
        self.flights.get_mut(key).wait = Some(Wait {
            waiters: Vec::new(),
            standing: Standing::Rider,
            lane: terms.lane,
            class: Class::Background,
            account: terms.account.clone(),
            asked_by: terms.asked_by.clone(),
            since: terms.now.mono,
            retried: false,
        });
        if mutant!(RiderCausesCall) {
            self.waiting += 1;
            self.enqueue(key);
        } else {
            self.queue.insert_rider(key, group);
        }
        None
    }

    pub(super) fn forget_oldest_rider(&mut self) {
        let Some(key) = self.queue.oldest_rider() else { return };
        self.queue.remove(key);
        self.flights.get_mut(key).wait = None;
        self.flights.tidy(key);
        self.tally.riders_forgotten += 1;
    }

    pub(super) fn rider_since(&self) -> Option<Mono> {
        let key = self.queue.oldest_rider()?;
        self.flights.get(key).wait.as_ref().map(|wait| wait.since)
    }

    /// Whether even in the best case the answer comes after the caller's time is up.
    fn is_too_late(&mut self, ask: &Ask, operation: usize, terms: &Terms<'_>) -> bool {
        let left = terms.deadline.since(terms.now.mono);
        if self.soonest_answer(ask, operation, terms) <= left {
            return false;
        }
        // Some who stand before may be gone by now.
        !self.sink_gone(terms) || self.soonest_answer(ask, operation, terms) > left
    }

    /// How long an answer takes at least: the calls that are certain to leave before, at the rate at which they may leave, and
    /// half of what the call itself takes when nothing else is going on.
    fn soonest_answer(&mut self, ask: &Ask, operation: usize, terms: &Terms<'_>) -> Duration {
        let quickest = self.limit.expected(operation, 1) / 2;
        let limit = self.limit.current();
        let ahead = if self.waiting == 0 {
            0
        } else {
            let spot = Spot { lane: terms.lane, class: Class::Foreground, operation };
            let group = ask.group(&self.capabilities);
            self.queue.calls_before(spot, terms.account, &group, self.call_sizes()[operation])
        };
        let rounds = u32::try_from(ahead / limit).unwrap_or(u32::MAX);
        quickest.saturating_mul(rounds).max(self.usage.soonest(ahead, limit, terms.now.mono)) + quickest
    }

    /// Lets the heads of this lane and those above sink for whom nobody waits any more. Whether there were any.
    fn sink_gone(&mut self, terms: &Terms<'_>) -> bool {
        let sizes = self.call_sizes();
        let may_leave =
            self.breakers.each_mut().map(|breaker| !matches!(breaker.state(terms.now.mono), State::Open(_)));
        let mut sank = false;
        for lane in crate::erp::dispatch::Lane::ALL.into_iter().filter(|lane| !terms.lane.is_above(*lane)) {
            while let Some(head) = self.queue.head(lane, Class::Foreground, may_leave, sizes) {
                if self.is_awaited(head, terms.now.mono) {
                    break;
                }
                self.sink(head);
                sank = true;
            }
        }
        sank
    }

    /// Nobody waits for this any more, nor for the stock that rides with it: it goes on in the background of its lane.
    pub(super) fn sink(&mut self, key: u32) {
        self.queue.remove(key);
        let stock = self.riding_stock(key).filter(|_| !mutant!(SunkPriceLeavesStock));
        for key in std::iter::once(key).chain(stock) {
            if let Some(wait) = &mut self.flights.get_mut(key).wait {
                wait.class = Class::Background;
            }
        }
        self.enqueue(key);
        self.tally.sunk += 1;
    }

    /// Drops somebody less urgent.
    fn make_room(&mut self, terms: &Terms<'_>, class: Class) -> bool {
        let Some(victim) = self.queue.victim(terms.lane, class, terms.account) else { return false };
        let rank = |key: u32| self.flights.get(key).wait.as_ref().map(|wait| (wait.class, wait.lane));
        let stock = self.riding_stock(victim);
        if let Some(stock) = stock.filter(|stock| rank(*stock) > rank(victim)) {
            // What rides with it is less urgent still.
            self.tell(stock, Refusal::QueueFull);
            self.forget(stock);
            self.tally.shed += 1;
            return true;
        }
        self.queue.remove(victim);
        if let Some(stock) = stock.filter(|stock| self.capabilities.stock && rank(*stock) < rank(victim)) {
            // It is wanted more than its price, and there is a call for stock alone. Otherwise it goes with its price, or a
            // flood that was dropped would come back as calls for stock.
            self.enqueue(stock);
        }
        self.tell(victim, Refusal::QueueFull);
        self.forget(victim);
        self.tally.shed += 1;
        true
    }
}
