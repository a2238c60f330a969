//! Calls leave, arrive, come back, and what they bring is remembered and handed out.

use comptoir::erp::connector::{Call, Reply, Said};
use comptoir::erp::dispatch::Lane;
use comptoir::erp::dispatch::machine::{Departure, Ended};
use comptoir::erp::{AbsentLine, ErpError, matching};

use super::{Aloft, Event, World};
use crate::budget::Books;
use crate::callers::Entry;
use crate::coverage::Path;
use crate::key::{Key, currency, key_of};
use crate::prng::Prng;
use crate::rows::{self, Figure};
use crate::scenario::Kind;
use crate::turns::{Turn, overtaken};

impl World<'_> {
    /// Lets the machine send what may leave, and does what it decided.
    pub(super) fn decide(&mut self) -> Result<(), String> {
        let now = self.reading();
        // Who was told by what just happened waits for nothing that leaves now.
        self.refusals()?;
        let limit = self.machine.load(now.mono).limit;
        let departures = self.machine.pump(now, self.epochs.stamp());
        let mut turns = Vec::with_capacity(departures.len());
        for departure in departures {
            turns.push(self.departs(departure, limit)?);
        }
        self.refusals()?;
        self.observe()?;
        for turn in turns {
            self.had_its_turn(&turn)?;
        }
        if let Some(at) = self.machine.next_wake(now)
            && at.0 < self.wakes_at
        {
            self.wakes_at = at.0;
            self.schedule(at.0, Event::Wake);
        }
        Ok(())
    }

    fn departs(&mut self, departure: Departure, limit: usize) -> Result<Turn, String> {
        let Departure { id, call, asks, start, stamp, lane, background, .. } = departure;
        let keys: Vec<Key> = asks.iter().map(key_of).collect();
        let lines = call.lines();
        self.trace.note(
            self.now,
            "departs",
            &[id.0, lines as u64, lane as u64, u64::from(background), self.plain(stamp)],
        );
        for key in &keys {
            self.trace.note(self.now, "  asks", &[key.number()]);
        }
        if start != self.reading() || stamp != self.epochs.stamp() {
            return Err("P9: a call's start and stamp are those of its departure".into());
        }
        if self.may_not_leave() {
            return Err("a call leaves although it could run into maintenance".into());
        }
        let low = Books::is_low(lane, background);
        self.books.depart(self.now, low, limit, &mut self.coverage)?;
        let again = keys.first().and_then(|key| self.failed.get(key)).copied();
        for key in &keys[..lines] {
            self.failed.remove(key);
        }
        let turn = Turn { call: id.0, kind: kind_of(&call), rank: (background, lane), again: again.is_some() };
        self.coverage.saw_if(Path::BackgroundLeft, background);
        self.coverage.saw_if(Path::LowestLaneLeft, turn.is_lowest() && self.load.waiting > 1);
        self.coverage.saw_if(Path::Retried, again == Some(Ended::Unreached));
        self.is_fair(&turn, &keys[..lines])?;
        // What is asked once more already goes with its own part of the failed call.
        let boards = |key| !self.failed.contains_key(&key);
        self.ledger.departs(id.0, (start.mono, stamp), (&keys, lines), again, boards, &mut self.coverage)?;
        let aloft = Aloft { call, asks, keys, start, stamp, tick: self.tick, low };
        self.calls.insert(id.0, aloft);
        let way = self.way(id.0, 3);
        self.schedule(self.now + way, Event::Arrive(id.0));
        let limit = self.scenario.setup.timeout.as_micros() as u64;
        self.schedule(self.now + limit, Event::HardLimit(id.0));
        Ok(turn)
    }

    /// How long a call or its answer is on its way. Microseconds.
    pub(super) fn way(&self, call: u64, direction: u64) -> u64 {
        Prng::of(self.scenario.seed, direction, call).below(self.scenario.setup.way + 1)
    }

    fn is_fair(&mut self, turn: &Turn, keys: &[Key]) -> Result<(), String> {
        let Some(account) = keys.first().and_then(|key| self.ledger.keys.get(key)?.account.clone()) else {
            return Ok(());
        };
        let of = |key: &&Key| self.ledger.keys.get(key).is_some_and(|state| state.account.as_ref() == Some(&account));
        let own = keys.iter().filter(of).count();
        let max = self.scenario.setup.max_items;
        let mut fairness = std::mem::take(&mut self.fairness);
        let is_queued = |key: Key| self.queued_at(key) == Some(turn.rank);
        let late = fairness.departed(&self.ledger.keys, turn, (&account, own), max, is_queued);
        self.fairness = fairness;
        self.coverage.saw_if(
            Path::TurnsTaken,
            late.is_some()
                || self.ledger.keys.values().any(|state| {
                    state.account.as_ref().is_some_and(|other| *other != account) && state.rank == Some(turn.rank)
                }),
        );
        // P14: nobody waits longer than it takes the others to have their turn.
        if let Some((other, key, lines)) = late {
            return Err(format!("P14: {lines} lines of others left while {other:?} waited with {key:?}"));
        }
        Ok(())
    }

    /// The rank of a key that stands in the queue, as the machine has it.
    fn queued_at(&self, key: Key) -> Option<(bool, Lane)> {
        let waiting = self.machine.whereabouts(&self.asks.ask(key, 0), self.reading().mono).waiting?;
        (waiting.standing == "queued").then_some((waiting.background, waiting.lane))
    }

    /// P15: whoever is more urgent, and asks for the same kind of thing, does not go on waiting while a call leaves.
    fn had_its_turn(&mut self, turn: &Turn) -> Result<(), String> {
        let waits =
            overtaken(&self.ledger.keys, turn).find(|(key, _)| self.queued_at(*key).is_some_and(|at| at < turn.rank));
        match waits {
            Some((key, rank)) => Err(format!("P15: {turn:?} left before {key:?} at {rank:?}")),
            None => Ok(()),
        }
    }

    pub(super) fn arrives(&mut self, number: u64) -> Result<(), String> {
        self.books.arrive(self.now, &mut self.coverage)?;
        let Some(aloft) = self.calls.get(&number) else { return Ok(()) };
        let then = self.erp.arrive(number, &aloft.call, &aloft.asks, &mut self.coverage);
        self.follow(then);
        Ok(())
    }

    /// A call is over: as the driver does it, what it brought is remembered before anybody can ask again.
    pub(super) fn land(&mut self, number: u64, reply: Result<Reply, ErpError>) -> Result<(), String> {
        // One that ran into its hard limit is answered to nobody.
        let Some(aloft) = self.calls.remove(&number) else { return Ok(()) };
        let ended = reply.as_ref().map_or_else(Ended::from, |_| Ended::Answered);
        self.trace.note(self.now, "lands", &[number, ended as u64]);
        self.books.end(self.now, aloft.low);
        let outcomes = self.outcomes(&aloft, number, reply)?;
        let now = self.reading();
        let id = comptoir::erp::dispatch::machine::CallId(number);
        let given = self.machine.land(id, ended, now.mono);
        if given.len() != aloft.keys.len() {
            return Err(format!("P8: call {number} asked for {} keys and lands {}", aloft.keys.len(), given.len()));
        }
        let mut fills = Vec::new();
        for ((&key, places), outcome) in aloft.keys.iter().zip(given).zip(outcomes) {
            let tokens: Vec<u32> = places.iter().map(|place| place.token).collect();
            let waits = self.machine.whereabouts(&self.asks.ask(key, 0), now.mono).waiting;
            if waits.is_some_and(|waiting| waiting.standing == "again") {
                // One that merely rode in this call may wait for another that failed before.
                self.failed.entry(key).or_insert(ended);
            }
            self.ledger.lands(number, key, &tokens, waits.is_some(), ended)?;
            for token in tokens {
                let held = self.ledger.answer(token)?;
                fills.push((held.page, held.line, outcome));
            }
        }
        self.decide()?;
        for (page, line, outcome) in fills {
            self.fill(page, line, outcome)?;
        }
        Ok(())
    }

    /// What a call came to for each key it carried.
    fn outcomes(
        &mut self,
        aloft: &Aloft,
        number: u64,
        reply: Result<Reply, ErpError>,
    ) -> Result<Vec<Option<Entry>>, String> {
        let Ok(reply) = reply else { return Ok(vec![None; aloft.keys.len()]) };
        let figures = believed(aloft, reply)?;
        if figures.len() != aloft.keys.len() {
            return Err(format!("P8: {} outcomes for {} keys", figures.len(), aloft.keys.len()));
        }
        let mut outcomes = Vec::with_capacity(figures.len());
        for (figure, &key) in figures.into_iter().zip(&aloft.keys) {
            let entry = figure.map(|figure| Entry {
                figure,
                start: aloft.start,
                stamp: aloft.stamp,
                tick: aloft.tick,
                call: number,
            });
            outcomes.push(entry);
            let Some(entry) = entry else { continue };
            self.coverage.saw_if(Path::LandedTooOldToStay, aloft.stamp < self.needed(key).fresh());
            // P2: an older call never overwrites a newer one.
            if self.memory.get(&key).is_none_or(|held| entry.is_newer_than(held)) {
                self.memory.insert(key, entry);
            }
        }
        Ok(outcomes)
    }

    /// What holds after everything that happens.
    fn observe(&mut self) -> Result<(), String> {
        let now = self.reading();
        let before = std::mem::replace(&mut self.load, self.machine.load(now.mono));
        let load = &self.load;
        if load.in_flight != self.books.in_flight() || load.in_flight != self.calls.len() {
            return Err(format!("P17: {} calls in flight, the gateway counts {}", self.calls.len(), load.in_flight));
        }
        // P16: what waits is bounded; keys of failed calls may come on top.
        let setup = &self.scenario.setup;
        let most = setup.queue_lines_max + 64 * setup.max_items * 2;
        if load.waiting > most {
            return Err(format!("P16: {} lines wait", load.waiting));
        }
        if self.tick.is_multiple_of(16) {
            let waits = |key: &&Key| {
                let there = self.machine.whereabouts(&self.asks.ask(**key, 0), now.mono);
                there.waiting.is_some_and(|waiting| waiting.standing != "rider")
            };
            let waiting = self.ledger.keys.keys().filter(waits).count();
            if waiting != load.waiting {
                return Err(format!("P17: {waiting} lines wait, the gateway counts {}", load.waiting));
            }
        }
        let (tally, earlier) = (load.tally, before.tally);
        self.coverage.saw_if(Path::Bisected, tally.bisections > earlier.bisections);
        self.coverage.saw_if(Path::Denied, tally.denied > earlier.denied);
        self.coverage.saw_if(Path::BreakerOpened, tally.breaker_openings > earlier.breaker_openings);
        self.coverage.saw_if(Path::Sunk, tally.sunk > earlier.sunk);
        self.coverage.saw_if(Path::BackgroundShed, tally.shed > earlier.shed);
        self.coverage.saw_if(Path::RiderTaken, tally.riders_taken > earlier.riders_taken);
        self.coverage.saw_if(Path::RiderForgotten, tally.riders_forgotten > earlier.riders_forgotten);
        self.coverage.saw_if(Path::LimitLowered, load.limit < before.limit);
        self.coverage.saw_if(Path::LimitRaised, load.limit > before.limit);
        use comptoir::erp::breaker::State;
        for ((_, state), (_, was)) in load.breakers.iter().zip(&before.breakers) {
            let half_open = matches!(was, State::HalfOpen { .. });
            self.coverage.saw_if(Path::HalfOpen, matches!(state, State::HalfOpen { .. }) && !half_open);
            self.coverage.saw_if(Path::BreakerClosedAgain, *state == State::Closed && half_open);
        }
        Ok(())
    }
}

fn kind_of(call: &Call) -> Kind {
    match call {
        Call::Customers(_) => Kind::Customers,
        Call::Prices(..) | Call::Offers(..) => Kind::Prices,
        Call::Stock(..) => Kind::Stock,
    }
}

/// The rows sorted to what was asked, by the code that does it for every ERP.
fn believed(aloft: &Aloft, reply: Reply) -> Result<Vec<Option<Figure>>, String> {
    let told = |said: Said<_>| match said {
        Said::Told(line) => Some(line),
        _ => None,
    };
    match &aloft.call {
        Call::Customers(_) => {
            let facts = |key: &Key| {
                let Key::Customer(customer) = *key else { return Err(format!("P8: {key:?} in a call for customers")) };
                let row = reply.customers.iter().find(|(id, _)| rows::is_of(id, customer));
                row.and_then(|(_, facts)| facts.as_ref()).map(|facts| rows::facts_figure(*key, facts)).transpose()
            };
            aloft.keys.iter().map(facts).collect()
        }
        Call::Prices(_, lines) | Call::Offers(_, lines) => {
            let (priced, along) = aloft.keys.split_at(lines.len());
            let matched = matching::match_prices(lines, currency(), reply.prices, AbsentLine::Failed);
            let mut figures = Vec::with_capacity(aloft.keys.len());
            for (key, said) in priced.iter().zip(matched.lines) {
                figures.push(told(said).map(|line| rows::price_figure(*key, &line)).transpose()?);
            }
            figures.extend(stocks(along, aloft, reply.stock)?);
            Ok(figures)
        }
        Call::Stock(..) => stocks(&aloft.keys, aloft, reply.stock),
    }
}

fn stocks(keys: &[Key], aloft: &Aloft, rows: Vec<comptoir::erp::StockRow>) -> Result<Vec<Option<Figure>>, String> {
    use comptoir::erp::dispatch::Ask;
    let skus: Vec<_> = aloft.asks[aloft.asks.len() - keys.len()..]
        .iter()
        .filter_map(|ask| match ask {
            Ask::Stock(stock) => Some(stock.sku.clone()),
            _ => None,
        })
        .collect();
    let matched = matching::match_stock(&skus, rows, AbsentLine::Failed);
    let figure = |(key, said): (&Key, Said<_>)| match said {
        Said::Told(stock) => rows::stock_figure(*key, &stock).map(Some),
        _ => Ok(None),
    };
    keys.iter().zip(matched.lines).map(figure).collect()
}
