//! A call leaves: whose turn it is, who comes along.

use std::sync::Arc;

use super::{CallId, Departure, InAir, LOWEST_EVERY, Machine, RIDER_LIFE, Waiter, operation_of, stock_ask};
use crate::clock::{Mono, Reading, Stamp};
use crate::erp::connector::{AskedLine, Call, Header};
use crate::erp::dispatch::Refusal;
use crate::erp::dispatch::ask::Ask;
use crate::erp::dispatch::budget::Weight;
use crate::erp::dispatch::flights::{Air, Standing, Wait};
use crate::erp::dispatch::lane::{Account, Lane};
use crate::erp::dispatch::queue::{Class, Guests, OPERATIONS};
use crate::mutants::mutant;

/// What leaves next.
enum Next {
    /// The key at the head of a lane, with who comes along.
    Head(u32, Lane, Class),
    /// Keys of a failed call, once more.
    Again(usize, Lane, Class),
}

/// How urgent: a smaller one leaves first.
type Rank = (Class, Lane);

/// The call whose keys are being put together.
struct Boarding {
    id: CallId,
    start: Mono,
    stamp: Stamp,
}

impl<W: Waiter> Machine<W> {
    /// Sends what may leave: one call after another while permits, slots and tokens last.
    pub fn pump(&mut self, now: Reading, stamp: Stamp) -> Vec<Departure> {
        while self.rider_since().is_some_and(|since| since.plus(RIDER_LIFE) <= now.mono) {
            self.forget_oldest_rider();
        }
        let mut departures = Vec::new();
        if self.waiting == 0 || self.closed {
            return departures;
        }
        if self.usage.is_closed(now.wall) {
            if !self.told_closed {
                self.told_closed = true;
                (0..OPERATIONS).for_each(|operation| self.answer_all(operation, Refusal::Maintenance));
                for key in self.flights.waiting_elsewhere() {
                    self.tell(key, Refusal::Maintenance);
                    if let Some(wait) = &mut self.flights.get_mut(key).wait {
                        wait.class = Class::Background;
                    }
                }
            }
            return departures;
        }
        self.told_closed = false;
        while let Some(next) = self.next(now.mono) {
            departures.push(match next {
                Next::Head(key, lane, class) => self.depart(key, lane, class, now, stamp),
                Next::Again(operation, lane, class) => self.depart_again(operation, lane, class, now, stamp),
            });
        }
        departures
    }

    /// Everybody who waits in the foreground for this operation is told; their keys go on in the background.
    pub(super) fn answer_all(&mut self, operation: usize, refusal: Refusal) {
        for key in self.queue.foreground(operation) {
            self.tell(key, refusal);
            self.sink(key);
        }
    }

    fn next(&mut self, now: Mono) -> Option<Next> {
        let limit = self.limit.current();
        if !self.usage.may_depart(Weight { low: false, paced: false }, limit, now) {
            return None;
        }
        let sizes = self.call_sizes();
        let may_leave = self.breakers.each_mut().map(|breaker| breaker.may_depart(now));
        let again = self.again_due(may_leave, now);
        let lowest = self.next_call % LOWEST_EVERY == LOWEST_EVERY - 1 && !mutant!(LowestLaneNever);
        for (lane, class) in order(lowest) {
            if let Some((operation, rank)) = again
                && !lowest
                && rank <= (class, lane)
                && self.usage.may_depart(weight(rank.1, rank.0), limit, now)
            {
                return Some(Next::Again(operation, rank.1, rank.0));
            }
            if self.queue.lines(lane, class) == 0 || !self.usage.may_depart(weight(lane, class), limit, now) {
                continue;
            }
            while let Some(key) = self.queue.head(lane, class, may_leave, sizes) {
                if class == Class::Foreground {
                    // Who cannot be answered in time any more would only take the place of those who can.
                    let operation = operation_of(&self.flights.get(key).ask);
                    let lines = self.queue.company(key, sizes[operation]);
                    let lands = self.lands(operation, lines, now);
                    if !self.is_awaited(key, lands) {
                        // Fewer lines would land sooner. But a few cost nearly as much as a whole page, and others wait.
                        let others = self.queue.lines(lane, class) > lines && !mutant!(LatePageTrimmed);
                        self.make_way(key, if others { lines } else { 1 }, lands);
                        continue;
                    }
                }
                return Some(Next::Head(key, lane, class));
            }
        }
        let (operation, (class, lane)) = again?;
        self.usage.may_depart(weight(lane, class), limit, now).then_some(Next::Again(operation, lane, class))
    }

    /// Of so many lines that would leave with this head, those sink that land too late for whoever waits for them.
    fn make_way(&mut self, head: u32, lines: usize, lands: Mono) {
        let mut together = Vec::new();
        self.queue.fill(head, lines, Guests::None, |_| true, &mut together);
        together.retain(|key| !self.is_awaited(*key, lands));
        together.into_iter().for_each(|key| self.sink(key));
    }

    /// The most urgent of what is to be asked once more.
    fn again_due(&self, may_leave: [bool; OPERATIONS], now: Mono) -> Option<(usize, Rank)> {
        let rank = |operation: usize| -> Option<(usize, Rank)> {
            let part = self.again.due(operation, now)?;
            let ranks = part.keys.iter().filter_map(|key| self.flights.get(*key).wait.as_ref());
            Some((operation, ranks.map(|wait| (wait.class, wait.lane)).min()?))
        };
        (0..OPERATIONS).filter(|operation| may_leave[*operation]).filter_map(rank).min_by_key(|(_, rank)| *rank)
    }

    fn depart(&mut self, head: u32, lane: Lane, class: Class, now: Reading, stamp: Stamp) -> Departure {
        let operation = operation_of(&self.flights.get(head).ask);
        let quantum = self.call_sizes()[operation];
        let (flights, denied) = (&self.flights, &self.denied);
        let suspect = |key: u32| denied.is_suspect(&flights.get(key).ask, now.mono);
        let max = if suspect(head) { 1 } else { quantum };
        let guests = match lane.takes_others_along() || class == Class::Background {
            true if self.is_pressed(head, quantum) => Guests::Awaited(self.in_time(head, max, class, now.mono)),
            true => Guests::All(self.in_time(head, max, class, now.mono)),
            false => Guests::None,
        };
        let mut keys = Vec::with_capacity(max.min(64));
        let own = self.queue.fill(head, max, guests, |key| !suspect(key), &mut keys);
        self.queue.charge(head, own, quantum);
        for &key in &keys {
            self.queue.remove(key);
        }
        self.again.first_call();
        self.launch(keys, (lane, class), false, now, stamp)
    }

    /// Whether the last permit goes to this key although others wait: then its call is not made longer for nobody's sake.
    fn is_pressed(&self, head: u32, quantum: usize) -> bool {
        let waiting: usize = Lane::ALL.into_iter().map(|lane| self.queue.lines(lane, Class::Foreground)).sum();
        self.usage.in_flight() + 1 >= self.limit.current() && waiting > self.queue.awaited_company(head).min(quantum)
    }

    /// How many lines the call may have so that whoever waits for its head is still there when it lands.
    fn in_time(&self, head: u32, max: usize, class: Class, now: Mono) -> usize {
        let operation = operation_of(&self.flights.get(head).ask);
        let mut lines = max;
        while class == Class::Foreground && lines > 1 && !self.is_awaited(head, self.lands(operation, lines, now)) {
            lines /= 2;
        }
        lines
    }

    /// When a call that leaves now will have landed, with some allowance.
    fn lands(&self, operation: usize, lines: usize, now: Mono) -> Mono {
        let expected = self.limit.expected(operation, lines);
        now.plus(expected + expected / 4)
    }

    fn depart_again(&mut self, operation: usize, lane: Lane, class: Class, now: Reading, stamp: Stamp) -> Departure {
        let mut part = self.again.take_due(operation, now.mono).expect("it was due");
        if part.half && part.keys.len() > 1 {
            // Another search may have found the line meanwhile.
            let suspect = |key: &u32| self.denied.is_suspect(&self.flights.get(*key).ask, now.mono);
            let (mut suspects, rest): (Vec<u32>, Vec<u32>) = part.keys.iter().partition(|key| suspect(key));
            part.keys = if rest.is_empty() { suspects.split_off(suspects.len() - 1) } else { rest };
            self.again.part_alone(operation, suspects);
        }
        if part.half {
            self.tally.halves += 1;
        } else {
            self.tally.retries += 1;
        }
        self.launch(part.keys, (lane, class), part.half, now, stamp)
    }

    /// Puts keys that have left the queue into the air.
    fn launch(
        &mut self,
        mut keys: Vec<u32>,
        (lane, class): (Lane, Class),
        half: bool,
        now: Reading,
        stamp: Stamp,
    ) -> Departure {
        let boarding = Boarding { id: CallId(self.next_call), start: now.mono, stamp };
        self.next_call += 1;
        let operation = operation_of(&self.flights.get(keys[0]).ask);
        let asked_with = self.newest_header(&keys);
        // What is asked with a customer's facts brings nothing newer than those: who demands more does not join.
        let (as_of, as_of_stamp) = match &asked_with {
            Some(header) => header.no_newer_than(&self.capabilities, now, stamp),
            None => (now, stamp),
        };
        let mut asked_by = None;
        let mut asks = Vec::with_capacity(keys.len() * if self.capabilities.offers && operation == 1 { 2 } else { 1 });
        for &key in &keys {
            let flight = self.flights.get_mut(key);
            let wait = flight.wait.take().expect("who boards has waited");
            if wait.standing == Standing::Rider {
                self.tally.riders_taken += 1;
            } else {
                self.waiting -= 1;
            }
            asked_by.get_or_insert_with(|| wait.asked_by.clone());
            flight.air.push(Air {
                call: boarding.id,
                start: boarding.start,
                as_of: as_of.mono,
                stamp: as_of_stamp,
                was: wait,
            });
            asks.push(flight.ask.clone());
        }
        let lines = keys.len();
        let call = self.call(asked_with, &asks);
        if let Call::Offers(header, lines) = &call {
            self.take_stock_along(&boarding, header, lines, &mut keys, &mut asks);
        }
        let weight = weight(lane, class);
        self.usage.depart(weight.low);
        self.breakers[operation].departed();
        let alone = self.usage.in_flight() == 1;
        self.calls.insert(boarding.id, InAir { keys, lines, operation, start: now.mono, low: weight.low, half, alone });
        let background = class == Class::Background;
        let asked_by = asked_by.unwrap_or_else(|| "".into());
        Departure { id: boarding.id, call, asks, start: now, stamp, lane, background, asked_by }
    }

    /// An offers call brings the stock of its SKUs: whoever waits for that waits for this call now, and whoever asks for it
    /// from here on may join.
    fn take_stock_along(
        &mut self,
        boarding: &Boarding,
        header: &Arc<Header>,
        lines: &[AskedLine],
        keys: &mut Vec<u32>,
        asks: &mut Vec<Ask>,
    ) {
        for line in lines {
            let ask = stock_ask(&line.sku, header);
            let (hash, found) = self.flights.find(&ask);
            let key = found.unwrap_or_else(|| self.flights.insert(hash, ask.clone()));
            if self.flights.get(key).air.last().is_some_and(|air| air.call == boarding.id) {
                // The same SKU in another quantity.
                continue;
            }
            // What is asked once more already goes with its own part.
            let boards = |wait: &mut Wait<W>| wait.standing != Standing::Again;
            let was = match self.flights.get_mut(key).wait.take_if(boards) {
                Some(wait) => {
                    if matches!(wait.standing, Standing::Queued | Standing::Rider) {
                        self.queue.remove(key);
                    }
                    if wait.standing == Standing::Rider {
                        self.tally.riders_taken += 1;
                    } else {
                        self.waiting -= 1;
                    }
                    wait
                }
                None => Wait {
                    waiters: Vec::new(),
                    standing: Standing::Rides,
                    lane: Lane::Audit,
                    class: Class::Background,
                    account: Account::Gateway,
                    asked_by: "".into(),
                    since: boarding.start,
                    retried: false,
                },
            };
            // More than two at a time is no harm here: these cost no call of their own.
            let Boarding { id: call, start, stamp } = *boarding;
            self.flights.get_mut(key).air.push(Air { call, start, as_of: start, stamp, was });
            keys.push(key);
            asks.push(ask);
        }
    }

    /// Of the equal headers of these keys the one with the newest facts; `None` where none is asked with.
    fn newest_header(&self, keys: &[u32]) -> Option<Arc<Header>> {
        let headers = keys.iter().filter_map(|key| match &self.flights.get(*key).ask {
            Ask::Price(header, _) => Some(header),
            Ask::Customer(_) | Ask::Stock(_) => None,
        });
        headers.max_by_key(|header| (header.facts.observed.mono, header.facts.stamp)).cloned()
    }

    /// Asks that leave together are of one kind.
    fn call(&self, prices_with: Option<Arc<Header>>, asks: &[Ask]) -> Call {
        let (mut lines, mut skus, mut customers) = (Vec::new(), Vec::new(), Vec::new());
        let mut stock_with = None;
        for ask in asks {
            match ask {
                Ask::Price(_, line) => lines.push(line.clone()),
                Ask::Stock(stock) => {
                    stock_with.get_or_insert_with(|| stock.header.clone());
                    skus.push(stock.sku.clone());
                }
                Ask::Customer(customer) => customers.push(customer.clone()),
            }
        }
        match (prices_with, stock_with) {
            (Some(header), _) if self.capabilities.offers => Call::Offers(header, lines),
            (Some(header), _) => Call::Prices(header, lines),
            (None, Some(header)) => Call::Stock(header, skus),
            (None, None) => Call::Customers(customers),
        }
    }
}

/// The order in which lanes are looked at: all that somebody waits for from the top, then the background; now and then from
/// the bottom, each lane with its background.
fn order(lowest_first: bool) -> impl Iterator<Item = (Lane, Class)> {
    const CLASSES: [Class; 2] = [Class::Foreground, Class::Background];
    let (outer, inner) = (Lane::COUNT, CLASSES.len());
    (0..outer * inner).map(move |at| {
        if lowest_first {
            (Lane::ALL[outer - 1 - at / inner], CLASSES[at % inner])
        } else {
            let lane = if mutant!(LanesOff) { outer - 1 - at % outer } else { at % outer };
            let class = if mutant!(BackgroundFirst) { inner - 1 - at / outer } else { at / outer };
            (Lane::ALL[lane], CLASSES[class])
        }
    })
}

fn weight(lane: Lane, class: Class) -> Weight {
    let background = class == Class::Background;
    Weight { low: lane.has_ceiling() || background, paced: background }
}
