//! Who waits for what, kept apart from the dispatcher's own books: every waiter is answered exactly once, by a call that was
//! good enough for it, and nothing is asked that nobody wanted.

use std::collections::BTreeMap;

use comptoir::clock::{Mono, Stamp};
use comptoir::erp::dispatch::machine::{Demand, Ended};
use comptoir::erp::dispatch::{Account, Lane};

use crate::coverage::{Coverage, Path};
use crate::key::Key;

/// A waiter. `None` in `call`: its key waits.
#[derive(Clone, Debug)]
pub struct Token {
    pub page: usize,
    pub line: usize,
    pub key: Key,
    pub demand: Demand,
    pub is_answered: bool,
}

/// One call a key is in.
#[derive(Clone, Debug)]
pub struct Air {
    pub call: u64,
    pub start: Mono,
    pub stamp: Stamp,
    /// It asks for the key; else the key comes along.
    leads: bool,
    tokens: Vec<u32>,
    wanted: Vec<Demand>,
}

/// How urgently a key waits: the background after all foreground.
pub type Rank = (bool, Lane);

#[derive(Clone, Debug, Default)]
pub struct KeyState {
    pub airs: Vec<Air>,
    pub waiting: Vec<u32>,
    /// What those who had it queued demanded, the background's included.
    wanted: Vec<Demand>,
    pub rank: Option<Rank>,
    pub account: Option<Account>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub tokens: Vec<Token>,
    pub keys: BTreeMap<Key, KeyState>,
    first_calls: u64,
    retries: u64,
}

fn is_good(air: &Air, demand: &Demand) -> bool {
    air.start >= demand.not_before && air.stamp >= demand.min_stamp
}

impl Ledger {
    pub fn token(&mut self, page: usize, line: usize, key: Key, demand: Demand) -> u32 {
        self.tokens.push(Token { page, line, key, demand, is_answered: false });
        self.tokens.len() as u32 - 1
    }

    /// A key was found in the air. P7: nobody joins a call that left too early for them.
    pub fn joined_air(&mut self, key: Key, demand: Demand, token: Option<u32>) -> Result<(), String> {
        let state = self.keys.entry(key).or_default();
        let Some(air) = state.airs.iter_mut().rev().find(|air| is_good(air, &demand)) else {
            return Err(format!("P7, P1: {demand:?} joined a call for {key:?} that left too early: {:?}", state.airs));
        };
        air.tokens.extend(token);
        Ok(())
    }

    /// A key waits for a call to leave. `held`: how it waited before, if it did; it may have sunk since the ledger knew.
    pub fn waits(
        &mut self,
        key: Key,
        demand: Demand,
        token: Option<u32>,
        held: Option<Option<Rank>>,
        rank: Rank,
        account: &Account,
    ) {
        let state = self.keys.entry(key).or_default();
        if held.is_none() {
            state.wanted.clear();
        }
        state.rank = held.flatten();
        state.wanted.push(demand);
        state.waiting.extend(token);
        if state.rank.is_none_or(|held| rank < held) {
            state.rank = Some(rank);
            state.account = Some(account.clone());
        }
    }

    /// A call takes its keys. `again`: it repeats one that failed, or part of it. `boards`: of a key that comes along, whether
    /// those who wait for it wait for this call now.
    pub fn departs(
        &mut self,
        call: u64,
        (start, stamp): (Mono, Stamp),
        (keys, lines): (&[Key], usize),
        again: Option<Ended>,
        boards: impl Fn(Key) -> bool,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        match again {
            None => self.first_calls += 1,
            Some(Ended::Unreached) => self.retries += 1,
            // P17: a call that timed out may still run and is never asked again on its own account.
            Some(Ended::TimedOut) => return Err(format!("P17: call {call} repeats one that timed out")),
            Some(_) => {}
        }
        // P17: repetitions stay within a tenth.
        if self.retries * 10 > self.first_calls {
            return Err(format!("P17: {} repetitions of {} calls", self.retries, self.first_calls));
        }
        for (at, &key) in keys.iter().enumerate() {
            let leads = at < lines;
            let state = self.keys.entry(key).or_default();
            let (mut tokens, mut wanted) = (Vec::new(), Vec::new());
            if leads || boards(key) {
                std::mem::swap(&mut tokens, &mut state.waiting);
                std::mem::swap(&mut wanted, &mut state.wanted);
                state.rank = None;
            }
            if leads {
                // P3: nobody wanted it, or a call in the air was good enough for all who did.
                if wanted.is_empty() {
                    return Err(format!("P3: call {call} asks for {key:?}, which nobody wants"));
                }
                let enough = |air: &Air| wanted.iter().all(|demand| is_good(air, demand));
                if again.is_none() && state.airs.iter().any(enough) {
                    return Err(format!("P3: call {call} asks for {key:?}, which a call in the air brings"));
                }
                let led = state.airs.iter().filter(|air| air.leads).count() + 1;
                coverage.saw_if(Path::SecondAir, led == 2);
                if led > 2 {
                    return Err(format!("P3: {led} calls at once for {key:?}"));
                }
            }
            coverage.saw_if(Path::StockRode, !leads && !tokens.is_empty());
            if let Some(early) = tokens.iter().find(|token| {
                let demand = self.tokens[**token as usize].demand;
                start < demand.not_before || stamp < demand.min_stamp
            }) {
                return Err(format!("P1, P7: call {call} left too early for waiter {early}"));
            }
            state.airs.push(Air { call, start, stamp, leads, tokens, wanted });
        }
        Ok(())
    }

    /// A waiter is answered. P5, P6: exactly once.
    pub fn answer(&mut self, token: u32) -> Result<&Token, String> {
        let held = &mut self.tokens[token as usize];
        if std::mem::replace(&mut held.is_answered, true) {
            return Err(format!("P5: waiter {token} of {:?} is answered twice", held.key));
        }
        Ok(held)
    }

    /// A waiter whose key waits, or never came to wait, is told that nothing comes.
    pub fn refused(&mut self, token: u32) -> Result<Token, String> {
        let key = self.tokens[token as usize].key;
        if let Some(state) = self.keys.get_mut(&key) {
            state.waiting.retain(|waiting| *waiting != token);
        }
        self.answer(token).cloned()
    }

    /// A call is over for one key; `given` are the waiters it gave back. The others wait again.
    pub fn lands(&mut self, call: u64, key: Key, given: &[u32], waits: bool, ended: Ended) -> Result<(), String> {
        let state = self.keys.entry(key).or_default();
        let Some(at) = state.airs.iter().position(|air| air.call == call) else {
            return Err(format!("P8: call {call} lands {key:?}, which it did not carry"));
        };
        let air = state.airs.remove(at);
        if let Some(stranger) = given.iter().find(|token| !air.tokens.contains(token)) {
            return Err(format!("P8: waiter {stranger} got the answer of a call for {key:?} it did not wait for"));
        }
        let left: Vec<u32> = air.tokens.into_iter().filter(|token| !given.contains(token)).collect();
        // P17: who waited for a call that timed out is told; P5: and who waited for one that was answered.
        if !left.is_empty() && matches!(ended, Ended::TimedOut | Ended::Answered) {
            return Err(format!("P5: waiters {left:?} of {key:?} go on waiting after {ended:?}"));
        }
        state.waiting.extend(left);
        if waits {
            state.wanted.extend(air.wanted);
        }
        Ok(())
    }

    /// Who still waits, by the ledger.
    pub fn unanswered(&self) -> Vec<u32> {
        (0..self.tokens.len() as u32).filter(|token| !self.tokens[*token as usize].is_answered).collect()
    }
}
