//! Whose turn it was: lanes before lanes, callers before the background, accounts in turns.

use std::collections::BTreeMap;

use comptoir::erp::dispatch::{Account, Lane};

use crate::key::Key;
use crate::ledger::{KeyState, Rank};
use crate::scenario::Kind;

/// A departure, as far as turns go.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub call: u64,
    pub kind: Kind,
    pub rank: Rank,
    /// It repeats a call or part of one.
    pub again: bool,
}

/// One departure in so many goes to the lowest lane that waits.
const LOWEST_EVERY: u64 = 16;

impl Turn {
    pub fn is_lowest(&self) -> bool {
        self.call % LOWEST_EVERY == LOWEST_EVERY - 1
    }
}

/// Keys still waiting after `turn` left that should have gone before it, as the ledger knows it: to be looked at closely.
pub fn overtaken<'a>(keys: &'a BTreeMap<Key, KeyState>, turn: &Turn) -> impl Iterator<Item = (Key, Rank)> + 'a {
    let turn = *turn;
    keys.iter()
        .filter(move |(key, _)| !turn.is_lowest() && key.kind() == turn.kind)
        .filter(|(_, state)| !state.waiting.is_empty())
        .filter_map(|(key, state)| Some((*key, state.rank?)))
        .filter(move |(_, rank)| *rank < turn.rank)
}

/// Lines of others that left one lane between two turns of each account that waits there.
#[derive(Debug, Default)]
pub struct Fairness {
    /// By lane, kind and account (as text, for its order).
    passed: BTreeMap<(Lane, u8, String), Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    lines: usize,
    /// The most accounts that waited there meanwhile.
    accounts: usize,
}

impl Fairness {
    /// A call of `own` lines of its account's left. Gives an account that waited longer than its turn, if any. `is_queued`: keys
    /// sink to the background without a word, so the ledger alone does not tell.
    pub fn departed(
        &mut self,
        keys: &BTreeMap<Key, KeyState>,
        turn: &Turn,
        (account, own): (&Account, usize),
        max_items: usize,
        is_queued: impl Fn(Key) -> bool,
    ) -> Option<(Account, Key, usize)> {
        let (background, lane) = turn.rank;
        if background || turn.is_lowest() || turn.again {
            return None;
        }
        let kind = turn.kind as u8;
        let mut waiting: BTreeMap<String, (Account, Key)> = BTreeMap::new();
        for (key, state) in keys {
            if key.kind() != turn.kind || state.rank != Some((false, lane)) || state.waiting.is_empty() {
                continue;
            }
            if let Some(account) = &state.account {
                let name = format!("{account:?}");
                if !waiting.contains_key(&name) && is_queued(*key) {
                    waiting.insert(name, (account.clone(), *key));
                }
            }
        }
        let accounts = waiting.len() + 1;
        let whose = format!("{account:?}");
        self.passed.retain(|(of_lane, of_kind, of), _| {
            (*of_lane, *of_kind) != (lane, kind) || (waiting.contains_key(of) && *of != whose)
        });
        let mut late = None;
        for (name, (account, key)) in waiting {
            if name == whose {
                continue;
            }
            let passed = self.passed.entry((lane, kind, name)).or_default();
            passed.lines += own;
            passed.accounts = passed.accounts.max(accounts);
            // Each other account has a turn of at most a call's lines, and may have just begun one.
            let bound = 2 * passed.accounts * max_items;
            if passed.lines > bound {
                late = Some((account, key, passed.lines));
            }
        }
        late
    }
}
