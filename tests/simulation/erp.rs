//! The model ERP: serves so many calls at a time, the rest in the order they come; its figures have versions that only
//! grow; and it goes wrong on request. It knows no cancellation.

use std::collections::{BTreeMap, VecDeque};

use comptoir::erp::connector::{Call, PriceRow, Reply, Said, StockRow};
use comptoir::erp::dispatch::Ask;
use comptoir::erp::{ErpError, Operation};

use crate::coverage::{Coverage, Path};
use crate::key::{Key, key_of, sku_text};
use crate::prng::Prng;
use crate::rows;
use crate::scenario::{Change, Fault, FaultKind, Kind, Rows, Setup};

/// The ERP's figures: each is a version number.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    changes: u64,
    all: u64,
    skus: BTreeMap<u8, u64>,
    customers: BTreeMap<u8, u64>,
}

impl Truth {
    pub fn change(&mut self, change: Change) {
        self.changes += 1;
        match change {
            Change::All => self.all = self.changes,
            Change::Sku(sku) => drop(self.skus.insert(sku, self.changes)),
            Change::Customer(customer) => drop(self.customers.insert(customer, self.changes)),
        }
    }

    pub fn version(&self, key: Key) -> u64 {
        let sku = key.sku().and_then(|sku| self.skus.get(&sku)).copied().unwrap_or(0);
        let customer = match key {
            Key::Customer(customer) | Key::Price(customer, ..) => self.customers.get(&customer).copied().unwrap_or(0),
            Key::Stock(_) => 0,
        };
        self.all.max(sku).max(customer)
    }
}

/// A call the ERP has taken.
struct Running {
    kind: Kind,
    keys: Vec<Key>,
    prng: Prng,
    /// Microseconds of work.
    cost: u64,
    /// Its figures, once read.
    read: Option<Vec<u64>>,
    reads_early: bool,
    serving: bool,
    /// Until the fault with this number ends.
    hangs: Option<usize>,
    ending: Result<Option<Rows>, FaultKind>,
}

pub struct Erp {
    slots: usize,
    serving: usize,
    queue: VecDeque<u64>,
    running: BTreeMap<u64, Running>,
    /// By number; `true` while it lasts.
    faults: Vec<(Fault, bool)>,
    pub truth: Truth,
    call_cost: u64,
    line_cost: u64,
    ends_soon: u64,
    seed: u64,
}

/// What the event loop is to do next about a call.
#[derive(Debug)]
pub enum Then {
    /// It is done in so many microseconds.
    Finish(u64, u64),
    /// It is answered now.
    Answer(u64, Result<Reply, ErpError>),
}

impl Erp {
    pub fn new(seed: u64, setup: &Setup) -> Self {
        Self {
            slots: setup.slots,
            serving: 0,
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            faults: Vec::new(),
            truth: Truth::default(),
            call_cost: setup.call_cost,
            line_cost: setup.line_cost,
            ends_soon: setup.ends_soon,
            seed,
        }
    }

    /// A call arrives.
    pub fn arrive(&mut self, number: u64, call: &Call, asks: &[Ask], coverage: &mut Coverage) -> Vec<Then> {
        let mut prng = Prng::of(self.seed, 2, number);
        let kind = match call.operation() {
            Operation::Customers => Kind::Customers,
            Operation::Prices | Operation::Offers => Kind::Prices,
            Operation::Stock => Kind::Stock,
        };
        let keys: Vec<Key> = asks.iter().map(key_of).collect();
        let mut cost = self.call_cost + self.line_cost * call.lines() as u64 + prng.below(self.call_cost + 1);
        let mut hangs = None;
        let mut ending = Ok(None);
        for (fault_number, (fault, lasts)) in self.faults.iter().enumerate() {
            let hit = prng.chance(fault.permille);
            if !lasts || !hit || fault.only.is_some_and(|only| only != kind) {
                continue;
            }
            match fault.kind {
                FaultKind::Slow(times) => cost *= times,
                FaultKind::Hang => hangs = Some(fault_number),
                FaultKind::Down => {
                    coverage.saw(Path::Down);
                    return vec![Then::Answer(number, Err(ErpError::Unreachable("down".into())))];
                }
                FaultKind::Busy => {
                    coverage.saw(Path::Busy);
                    return vec![Then::Answer(number, Err(ErpError::Busy("busy".into())))];
                }
                FaultKind::Poison(sku) if !keys.iter().any(|key| key.sku() == Some(sku)) => {}
                FaultKind::Rows(rows) => ending = ending.map(|_| Some(rows)),
                kind => ending = Err(kind),
            }
            coverage.saw(Path::of(fault.kind));
        }
        let reads_early = prng.chance(700);
        let read = None;
        let running = Running { kind, keys, prng, cost, read, reads_early, serving: false, hangs, ending };
        self.running.insert(number, running);
        self.queue.push_back(number);
        self.serve()
    }

    fn serve(&mut self) -> Vec<Then> {
        let mut then = Vec::new();
        while self.serving < self.slots
            && let Some(number) = self.queue.pop_front()
        {
            self.serving += 1;
            let running = self.running.get_mut(&number).expect("what waits is running");
            running.serving = true;
            if running.reads_early {
                running.read = Some(running.keys.iter().map(|key| self.truth.version(*key)).collect());
            }
            if running.hangs.is_none() {
                then.push(Then::Finish(number, running.cost));
            }
        }
        then
    }

    /// The work on a call is done.
    pub fn finish(&mut self, number: u64, wall: i64) -> Vec<Then> {
        // One that was cut off is not there any more.
        let Some(running) = self.running.remove(&number) else { return Vec::new() };
        self.serving -= 1;
        let reply = self.reply(running, wall);
        let mut then = vec![Then::Answer(number, reply)];
        then.extend(self.serve());
        then
    }

    fn reply(&self, mut running: Running, wall: i64) -> Result<Reply, ErpError> {
        let garbled = match running.ending {
            Ok(rows) => rows,
            Err(FaultKind::Unreadable) => return Err(ErpError::Garbled("half of an answer".into())),
            Err(_) => return Err(ErpError::Refused("internal error".into())),
        };
        let keys = &running.keys;
        let versions = running.read.take();
        let versions = versions.unwrap_or_else(|| keys.iter().map(|key| self.truth.version(*key)).collect());
        let mut reply = Reply::default();
        for (&key, version) in keys.iter().zip(versions) {
            match key {
                Key::Customer(_) => reply.customers.push(rows::facts(key, version)),
                Key::Price(..) => {
                    let ends = running.prng.chance(self.ends_soon).then(|| wall + running.prng.within(1, 5_000) as i64);
                    reply.prices.push(rows::price(key, version, ends));
                }
                Key::Stock(_) => reply.stock.push(rows::stock(key, version)),
            }
        }
        if let Some(how) = garbled {
            garble(&mut reply, how, &mut running.prng);
        }
        Ok(reply)
    }

    /// Something goes wrong from now on. Calls under way may be cut off by it.
    pub fn fault_begins(&mut self, fault: Fault) -> (usize, Vec<Then>) {
        self.faults.push((fault, true));
        let mut then = Vec::new();
        if fault.kind == FaultKind::Down && fault.permille == 1000 {
            let cut: Vec<u64> = self
                .running
                .iter()
                .filter(|(_, running)| fault.only.is_none_or(|only| only == running.kind))
                .map(|(number, _)| *number)
                .collect();
            for number in cut {
                let running = self.running.remove(&number).expect("it was there");
                self.serving -= usize::from(running.serving);
                self.queue.retain(|waiting| *waiting != number);
                then.push(Then::Answer(number, Err(ErpError::Unreachable("cut off".into()))));
            }
            then.extend(self.serve());
        }
        (self.faults.len() - 1, then)
    }

    /// What hung because of it is answered at last, to whoever is still there.
    pub fn fault_ends(&mut self, number: usize) -> Vec<Then> {
        self.faults[number].1 = false;
        let hung = self.running.iter_mut().filter(|(_, running)| running.hangs == Some(number));
        let mut then = Vec::new();
        for (call, running) in hung {
            running.hangs = None;
            if running.serving {
                then.push(Then::Finish(*call, running.cost));
            }
        }
        then
    }

    /// Whether anything was ever wrong with it.
    pub fn was_ever_ill(&self) -> bool {
        !self.faults.is_empty()
    }
}

fn garble(reply: &mut Reply, how: Rows, prng: &mut Prng) {
    match how {
        Rows::Reordered => {
            prng.shuffle(&mut reply.prices);
            prng.shuffle(&mut reply.stock);
        }
        Rows::Duplicated => {
            reply.prices.extend(reply.prices.clone());
            reply.stock.extend(reply.stock.clone());
        }
        Rows::Partial => {
            reply.prices.retain(|_| prng.chance(500));
            reply.stock.retain(|_| prng.chance(500));
            reply.customers.retain(|_| prng.chance(500));
        }
        Rows::Contradictory => {
            let twice: Vec<PriceRow> = reply.prices.iter().map(rows::other_price).collect();
            reply.prices.extend(twice);
        }
        Rows::Foreign => {
            let said = Said::UnknownSku;
            reply.stock.insert(0, StockRow { sku: sku_text(200), said });
            if let Some(first) = reply.prices.first() {
                let foreign = PriceRow { sku: sku_text(200), ..first.clone() };
                reply.prices.insert(0, foreign);
            }
        }
    }
}
