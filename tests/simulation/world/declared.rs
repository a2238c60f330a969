//! The ERP declares figures wrong: now, announced for later, settling.

use std::sync::Arc;
use std::time::Duration;

use comptoir::domain::{CompanyId, ContractId, PriceListId, Sku};
use comptoir::offer::Named;
use comptoir::offer::invalidation::Reach;
use comptoir::offer::invalidation::due::{Due, Effect, Moment};

use super::World;
use crate::coverage::Path;
use crate::key::{company_text, contract_text, customer_id, list_text, sku_text};
use crate::scenario::{When, Words};

/// What was declared, and what of it is still to come by our own book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    words: Words,
    /// Milliseconds of the wall clock.
    effect_at: Option<i64>,
    /// Milliseconds from the effect.
    settle: Option<u64>,
    /// Microseconds.
    settles_at: Option<u64>,
}

impl World<'_> {
    pub(super) fn declare(&mut self, words: Words, when: When) -> Result<(), String> {
        let now = self.reading();
        let number = self.declared.len();
        let named = Arc::new(named(words));
        let reach = Reach::of(&named, &super::capabilities(&self.scenario.setup)).map_err(|why| why.to_string())?;
        let settle = when.settle.map(Duration::from_millis);
        let request_id = number.to_string().into();
        let due = |moment, effect| Due { moment, effect, named: named.clone(), reach, request_id };
        let mut declared = Declared { words, effect_at: None, settle: when.settle, settles_at: None };
        let added = if let Some(ahead) = when.ahead {
            self.coverage.saw(Path::Announced);
            let at = now.wall.plus(Duration::from_millis(ahead));
            declared.effect_at = Some(at.0);
            self.due.add(due(Moment::Wall(at), Effect::Invalidate { settle }))
        } else {
            self.epochs.invalidate(reach.words(&named));
            self.takes_effect(words);
            match settle {
                None => Ok(()),
                Some(settle) => {
                    let at = now.mono.plus(settle);
                    declared.settles_at = Some(at.0);
                    self.due.add(due(Moment::Mono(at), Effect::Expire))
                }
            }
        };
        self.declared.push(declared);
        added.map_err(|waiting| format!("no room beside {waiting}"))
    }

    fn takes_effect(&mut self, words: Words) {
        self.coverage.saw(Path::Invalidated);
        self.coverage.saw_if(Path::InvalidatedInAir, !self.calls.is_empty());
        self.invalidations.note(words, self.tick);
    }

    /// As every request does before it reads memory; then our own book must have nothing left that is due.
    pub(super) fn come_due(&mut self) -> Result<(), String> {
        let now = self.reading();
        let mut happened = Vec::new();
        if self.due.is_due(now) {
            let epochs = self.epochs;
            self.due.run(now, |due| {
                let number: usize = due.request_id.parse().expect("a number of ours");
                match due.effect {
                    Effect::Expire => {
                        epochs.expire(due.reach.words(&due.named));
                        happened.push((number, None));
                        None
                    }
                    Effect::Invalidate { settle } => {
                        epochs.invalidate(due.reach.words(&due.named));
                        let settles_at = settle.map(|settle| now.mono.plus(settle));
                        happened.push((number, Some(settles_at)));
                        Some(Due { moment: Moment::Mono(settles_at?), effect: Effect::Expire, ..due.clone() })
                    }
                }
            });
        }
        for (number, effect) in happened {
            let before = self.declared[number];
            let words = before.words;
            match effect {
                Some(settles_at) => {
                    self.coverage.saw(Path::AnnouncedTookEffect);
                    self.takes_effect(words);
                    if settles_at.is_some() != before.settle.is_some() {
                        return Err(format!("P1: {words:?} forgot whether it settles"));
                    }
                    // What was said twice is kept once.
                    for declared in self.declared.iter_mut().filter(|declared| **declared == before) {
                        declared.effect_at = None;
                        declared.settles_at = settles_at.map(|at| at.0);
                    }
                }
                None => {
                    self.coverage.saw(Path::Settled);
                    self.settled.note(words, self.tick);
                    let same = |held: &&mut Declared| (held.words, held.settles_at) == (words, before.settles_at);
                    self.declared.iter_mut().filter(same).for_each(|held| held.settles_at = None);
                }
            }
        }
        let late = |declared: &&Declared| {
            declared.effect_at.is_some_and(|at| at <= now.wall.0)
                || declared.settles_at.is_some_and(|at| at <= now.mono.0)
        };
        match self.declared.iter().find(late) {
            Some(declared) => Err(format!("P1: {declared:?} is due and took no effect")),
            None => Ok(()),
        }
    }
}

fn named(words: Words) -> Named {
    let sku = |sku: u8| vec![Sku::new(&sku_text(sku)).expect("a SKU")];
    let list = |list: u8| vec![PriceListId::new(&list_text(list)).expect("a list")];
    let contract = |contract: u8| vec![ContractId::new(&contract_text(contract)).expect("a contract")];
    let nothing = Named::default();
    match words {
        Words::All => Named { all: true, ..nothing },
        Words::Customer(customer) => Named { customers: vec![customer_id(customer)], ..nothing },
        Words::List(l) => Named { price_lists: list(l), ..nothing },
        Words::Sku(s) => Named { skus: sku(s), ..nothing },
        Words::CustomerSku(customer, s) => Named { customers: vec![customer_id(customer)], skus: sku(s), ..nothing },
        Words::ListSku(l, s) => Named { price_lists: list(l), skus: sku(s), ..nothing },
        Words::Contract(b) => Named { contracts: contract(b), ..nothing },
        Words::ContractSku(b, s) => Named { contracts: contract(b), skus: sku(s), ..nothing },
        Words::Company(f) => Named { company: CompanyId::new(&company_text(f)).ok(), ..nothing },
    }
}
