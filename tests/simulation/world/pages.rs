//! Callers come, wait, are answered and go.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use comptoir::cache::epochs::{Needed, PartyNames};
use comptoir::erp::breaker::State;
use comptoir::erp::dispatch::machine::{Asked, Demand, Terms};
use comptoir::erp::dispatch::{Lane, Need, Refusal, Want};
use comptoir::offer::freshness::{Decision, WhyGone};

use super::{Event, World, operation};
use crate::callers::{self, Entry, Line, Page, Place};
use crate::coverage::Path;
use crate::key::{Key, company_text, contract_text, customer_text, list_text, sku_text};
use crate::ledger::Rank;
use crate::policy::Patience;
use crate::scenario::{PageStep, company_of, contract_of, list_of};

impl World<'_> {
    pub(super) fn page(&mut self, step: &PageStep) -> Result<(), String> {
        let arrival = self.reading();
        let number = self.pages.len();
        let deadline = arrival.mono.plus(Duration::from_millis(step.patience));
        let patience = Patience::new(step.lane, step.max_age);
        self.coverage.saw_if(Path::DemandedFresh, patience.max_age.is_zero());
        self.trace.note(self.now, "page", &[number as u64, step.lane as u64, u64::from(step.customer)]);
        let mut page = Page {
            lane: step.lane,
            account: callers::account(step),
            patience,
            arrival,
            tick: self.tick,
            deadline,
            lines: Vec::new(),
            missing: 0,
            is_answered: false,
            left: Rc::new(Cell::new(false)),
        };
        self.come_due()?;
        let mut wants: Vec<(Want, Option<usize>)> = Vec::new();
        for (key, after_price) in callers::keys(step) {
            let needed = self.needed(key);
            let held = self.memory.get(&key).copied();
            let decision = held.map_or(Decision::Fetch(WhyGone::TooOld), |entry| {
                let of = (entry.start, entry.stamp, entry.figure.ends);
                patience.decide(of, needed, arrival, &self.maintenance, key.number())
            });
            let (line, need) = self.decided(&page, held, decision, key)?;
            let index = page.lines.len();
            if let Some(need) = need {
                let demand = patience.limits.demand(arrival.mono, needed);
                let follows = wants.last().is_some_and(|(_, price)| *price == index.checked_sub(1));
                let ask = self.asks.ask(key, step.customer);
                let want = Want { ask, demand, need, with_price: after_price && follows };
                wants.push((want, Some(index)));
            }
            page.missing += usize::from(matches!(line, Line::Waits { .. }));
            page.lines.push((key, line));
        }
        self.pages.push(page);
        self.ask(number, wants)?;
        if self.pages[number].missing > 0 {
            self.schedule(deadline.0, Event::Deadline(number));
            if let Some(after) = step.leaves {
                self.schedule(self.now + after * 1000, Event::Leave(number));
            }
        } else {
            self.answered(number);
        }
        self.decide()
    }

    /// What a decision means for a line: what it shows now, and what is asked.
    fn decided(
        &mut self,
        page: &Page,
        held: Option<Entry>,
        decision: Decision,
        key: Key,
    ) -> Result<(Line, Option<Need>), String> {
        let held = held.filter(|_| !matches!(decision, Decision::Fetch(_)));
        if let Some(entry) = &held {
            callers::check(page, entry, Some(decision), self.invalidations.newest(key), self.paused())?;
            callers::check_settled(page, entry, decision, self.settled.newest(key))?;
            self.coverage.saw_if(Path::SettledWhileHeld, entry.tick < self.settled.newest(key));
        }
        self.coverage.saw_if(Path::EndOfValidityHeld, decision == Decision::Fetch(WhyGone::ValidityEnded));
        let served = |held: Option<Entry>| held.map_or(Line::Failed, Line::Served);
        Ok(match decision {
            Decision::Fresh => {
                self.coverage.saw(Path::ServedFresh);
                (served(held), None)
            }
            Decision::FreshRide => {
                self.coverage.saw(Path::RodeAlong);
                (served(held), Some(Need::Rider))
            }
            Decision::FreshRefresh => {
                self.coverage.saw(Path::RefreshedAhead);
                (served(held), Some(Need::Refresh))
            }
            Decision::ServeAndRefresh => {
                self.coverage.saw(Path::ServedAndRefreshed);
                (served(held), Some(Need::Refresh))
            }
            Decision::FetchOrServe => (Line::Waits { fallback: held }, Some(Need::Awaited)),
            Decision::Fetch(_) => (Line::Waits { fallback: None }, Some(Need::Awaited)),
        })
    }

    /// Puts a page's wants to the machine, as the driver does.
    fn ask(&mut self, number: usize, wants: Vec<(Want, Option<usize>)>) -> Result<(), String> {
        let page = self.pages[number].clone();
        let now = self.reading();
        for (want, line) in wants {
            let line = line.expect("every want is a line's");
            let (key, demand, need) = (page.lines[line].0, want.demand, want.need);
            let ask = want.ask.clone();
            let token = (need == Need::Awaited).then(|| self.ledger.token(number, line, key, demand));
            let place = token.map(|token| Place { token, deadline: page.deadline, left: page.left.clone() });
            let waited = self.machine.whereabouts(&ask, now.mono).waiting;
            let terms = Terms {
                lane: page.lane,
                account: &page.account,
                deadline: page.deadline,
                asked_by: &crate::asked_by(),
                now,
            };
            let asked = self.machine.ask(&terms, want, place);
            self.trace.note(self.now, "asked", &[key.number(), asked_number(asked), need as u64]);
            let foreground = need == Need::Awaited && now.mono < page.deadline;
            let held = waited.map(|was| (was.standing != "rider").then_some((was.background, was.lane)));
            self.asked(&page, key, demand, token, (asked, need), (held, foreground))?;
            self.refusals()?;
            let there = self.machine.whereabouts(&ask, now.mono);
            if let Some(waiting) = there.waiting {
                self.coverage.saw_if(Path::Parked, waiting.standing == "parked");
                self.coverage.saw_if(Path::Lifted, waited.is_some_and(|was| waiting.lane.is_above(was.lane)));
            }
            // P16, rule 8: who is refused has the key asked all the same, unless it is bad or there is no room.
            let goes_on = matches!(asked, Asked::Background(_));
            if goes_on && there.waiting.is_none() && there.air.is_empty() {
                return Err(format!("P16: {key:?} was refused and forgotten"));
            }
            if need != Need::Rider && token.is_none() && there.waiting.is_none() && there.air.is_empty() {
                let full = self.machine.waiting() >= self.scenario.setup.queue_lines_max;
                if !full && !there.denied {
                    return Err(format!("P10: a refresh of {key:?} was forgotten: {asked:?}"));
                }
            }
        }
        Ok(())
    }

    fn asked(
        &mut self,
        page: &Page,
        key: Key,
        demand: Demand,
        token: Option<u32>,
        (asked, need): (Asked, Need),
        (held, foreground): (Option<Option<Rank>>, bool),
    ) -> Result<(), String> {
        let rank = (!foreground, page.lane);
        if held.is_none() {
            self.failed.remove(&key);
        }
        match asked {
            Asked::JoinedAir => {
                self.coverage.saw(Path::JoinedAir);
                self.ledger.joined_air(key, demand, token)?;
            }
            Asked::JoinedQueue | Asked::Queued => {
                self.coverage.saw_if(Path::JoinedWait, asked == Asked::JoinedQueue && need != Need::Rider);
                self.ledger.waits(key, demand, token, held, rank, &page.account);
            }
            Asked::Background(refusal) => {
                self.coverage.saw_if(Path::RefusedKeyFetched, refusal == Refusal::TooLate);
                self.ledger.waits(key, demand, None, held, (true, page.lane), &page.account);
            }
            Asked::Refused(refusal) => {
                let full = self.machine.waiting() >= self.scenario.setup.queue_lines_max;
                // P16, rule 8: only what is bad, or what there is no room for, is not asked at all.
                if refusal != Refusal::Denied && !full {
                    return Err(format!("P16: {key:?} was refused with {refusal:?} and is not asked"));
                }
            }
        }
        Ok(())
    }

    /// Those who were told that nothing comes, and whether that was right.
    pub(super) fn refusals(&mut self) -> Result<(), String> {
        for (place, refusal) in self.machine.take_refused() {
            let token = self.ledger.refused(place.token)?;
            self.trace.note(self.now, "refused", &[u64::from(place.token), refusal as u64]);
            let page = self.pages[token.page].clone();
            self.is_refusal_right(&page, token.key, refusal)?;
            self.fill(token.page, token.line, None)?;
        }
        Ok(())
    }

    fn is_refusal_right(&mut self, page: &Page, key: Key, refusal: Refusal) -> Result<(), String> {
        let now = self.reading();
        self.load = self.machine.load(now.mono);
        match refusal {
            Refusal::QueueFull => {
                self.coverage.saw(Path::QueueFull);
                // P15: nobody is refused for want of room while somebody less urgent stands in the queue.
                let below = Lane::ALL.into_iter().filter(|lane| page.lane.is_above(*lane));
                let less: usize = below.map(|lane| self.load.lanes[lane as usize].foreground).sum();
                let nobody: usize = self.load.lanes.iter().map(|lane| lane.background).sum();
                // Whoever cannot be answered in time any more waits behind everybody else.
                let left = page.deadline.since(now.mono);
                let is_there = !page.is_answered && !page.left.get() && left > self.scenario.setup.timeout * 2;
                if is_there && less + nobody > 0 {
                    return Err(format!(
                        "P15: {:?} was refused while {less} lines of lower lanes and {nobody} of the background wait",
                        page.lane
                    ));
                }
            }
            Refusal::TooLate => {
                self.coverage.saw(Path::RefusedEarly);
                // An idle gateway refuses nobody who has time enough for a call of the longest kind it saw.
                let patient = page.deadline.since(now.mono) > self.scenario.setup.timeout * 2;
                let idle = self.load.in_flight == 0 && self.load.waiting <= 1;
                if patient && idle && self.scenario.setup.calls_per_minute.is_none() {
                    return Err(format!("P6: {key:?} was refused as too late by an idle gateway"));
                }
            }
            Refusal::Maintenance => {
                self.coverage.saw(Path::MaintenanceWaited);
                if !self.may_not_leave() {
                    return Err("there is no maintenance".into());
                }
            }
            Refusal::BreakerOpen => {
                let (_, state) = self.load.breakers[operation(key.kind())];
                let rides = self.scenario.setup.offers && matches!(key, Key::Stock(_));
                let prices = self.load.breakers[operation(crate::scenario::Kind::Prices)].1;
                // P19: only the operation that fails is closed.
                let is_open = matches!(state, State::Open(_)) || (rides && matches!(prices, State::Open(_)));
                if !is_open {
                    return Err(format!("P19: {key:?} was refused by a breaker that is {state:?}"));
                }
            }
            Refusal::Denied => {
                self.coverage.saw(Path::DeniedAnswered);
                if !self.erp.was_ever_ill() {
                    return Err(format!("P19: {key:?} is denied although nothing ever failed"));
                }
            }
        }
        Ok(())
    }

    /// A line of a page gets what it came to.
    pub(super) fn fill(&mut self, number: usize, line: usize, entry: Option<Entry>) -> Result<(), String> {
        let paused = self.paused();
        let page = &mut self.pages[number];
        if page.left.get() || page.is_answered {
            return Ok(());
        }
        // P6: nobody is filled in after their deadline.
        if self.now > page.deadline.0 {
            return Err(format!("P6: page {number} was not answered by its deadline"));
        }
        let (key, held) = &mut page.lines[line];
        let Line::Waits { fallback } = held else {
            return Err(format!("P5: line {line} of page {number} is filled twice"));
        };
        let key = *key;
        *held = match (entry, *fallback) {
            (Some(entry), _) => Line::Served(entry),
            (None, Some(entry)) => {
                self.coverage.saw(Path::ServedForLackOfBetter);
                Line::Served(entry)
            }
            (None, None) => Line::Failed,
        };
        page.missing -= 1;
        if let Some(entry) = &entry {
            callers::check(page, entry, None, self.invalidations.newest(key), paused)?;
        }
        if page.missing == 0 {
            self.answered(number);
        }
        Ok(())
    }

    fn answered(&mut self, number: usize) {
        let page = &mut self.pages[number];
        page.is_answered = true;
        let served = page.lines.iter().filter(|(_, line)| matches!(line, Line::Served(_))).count();
        self.trace.note(self.now, "answered", &[number as u64, served as u64]);
    }

    pub(super) fn deadline(&mut self, number: usize) -> Result<(), String> {
        if self.pages[number].is_answered || self.pages[number].left.get() {
            return Ok(());
        }
        self.coverage.saw(Path::AnsweredAtDeadline);
        for (_, line) in &mut self.pages[number].lines {
            if let Line::Waits { fallback } = line {
                self.coverage.saw_if(Path::ServedForLackOfBetter, fallback.is_some());
                *line = fallback.map_or(Line::Failed, Line::Served);
            }
        }
        self.answered(number);
        Ok(())
    }

    pub(super) fn leave(&mut self, number: usize) {
        if !self.pages[number].is_answered {
            self.coverage.saw(Path::CallerLeft);
            self.trace.note(self.now, "leaves", &[number as u64]);
            self.pages[number].left.set(true);
        }
    }

    /// The newest invalidation that concerns whoever reads this key.
    pub(super) fn needed(&self, key: Key) -> Needed {
        match key {
            Key::Customer(customer) => self.epochs.needed_for_facts(Some(&customer_text(customer))),
            Key::Stock(sku) => self.epochs.needed_for_stock(&sku_text(sku)),
            Key::Price(customer, sku, _) => {
                let name = (customer > 0).then(|| customer_text(customer));
                let list = list_of(customer).map(list_text);
                let (contract, company) =
                    (contract_of(customer).map(contract_text), company_of(customer).map(company_text));
                let names = PartyNames {
                    customer: name.as_deref(),
                    price_list: list.as_deref(),
                    contract: contract.as_deref(),
                    company: company.as_deref(),
                };
                let party = self.epochs.party(names);
                self.epochs.needed_for_price(&party, &sku_text(sku))
            }
        }
    }
}

fn asked_number(asked: Asked) -> u64 {
    match asked {
        Asked::JoinedAir => 0,
        Asked::JoinedQueue => 1,
        Asked::Queued => 2,
        Asked::Background(refusal) => 10 + refusal as u64,
        Asked::Refused(refusal) => 20 + refusal as u64,
    }
}
