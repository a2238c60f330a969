//! Draws a scenario from a seed. Each run has a temper of its own: most faults are off in most runs, so that a quiet ERP, a
//! single fault and everything at once are all common.

use std::time::Duration;

use comptoir::erp::dispatch::Lane;

use crate::policy;
use crate::prng::Prng;
use crate::scenario::*;

pub fn scenario(seed: u64) -> Scenario {
    let mut prng = Prng::new(seed);
    let setup = setup(&mut prng);
    let length = *prng.pick(&[3_000, 20_000, 90_000, 200_000]);
    let mut steps = Vec::new();
    pages(&mut prng, &setup, length, &mut steps);
    echoes(&mut prng, &setup, &mut steps);
    attacks(&mut prng, &setup, length, &mut steps);
    changes(&mut prng, &setup, length, &mut steps);
    faults(&mut prng, &setup, length, &mut steps);
    if prng.chance(150) {
        for _ in 0..prng.within(1, 3) {
            let far = *prng.pick(&[50, 5_000, 3_600_000]);
            let by = prng.below(2 * far) as i64 - far as i64;
            steps.push(Step { at: prng.below(length), what: What::ClockStep(by) });
        }
    }
    steps.sort_by_key(|step| step.at);
    Scenario { seed, setup, steps }
}

fn setup(prng: &mut Prng) -> Setup {
    let concurrency = *prng.pick(&[1, 2, 2, 3, 4, 6]);
    let calls_per_minute = prng.chance(500).then(|| *prng.pick(&[6, 12, 30, 60, 240]));
    let from = prng.within(1, 4) * 60_000;
    let skus = *prng.pick(&[2, 6, 14]);
    Setup {
        concurrency,
        calls_per_minute,
        burst: prng.chance(300).then(|| prng.within(1, 6) as usize),
        timeout: Duration::from_millis(*prng.pick(&[800, 2_000, 5_000])),
        queue_lines_max: *prng.pick(&[4, 30, 200, 20_000]),
        unclean_start: prng.chance(100),
        maintenance: prng.chance(120).then(|| (from, from + 60_000 * prng.within(1, 2))),
        max_items: *prng.pick(&[1, 3, 8, 20]),
        offers: prng.chance(500),
        quantities: prng.chance(200),
        slots: *prng.pick(&[1, 2, 4, 8]),
        call_cost: *prng.pick(&[2_000, 45_000, 200_000]),
        line_cost: *prng.pick(&[0, 3_200, 10_000]),
        way: *prng.pick(&[0, 1_000, 30_000]),
        ends_soon: if prng.chance(200) { 300 } else { 0 },
        customers: prng.within(1, 5) as u8,
        poisoned_end: prng.chance(250).then(|| prng.below(u64::from(skus)) as u8),
        skus,
    }
}

fn pages(prng: &mut Prng, setup: &Setup, length: u64, steps: &mut Vec<Step>) {
    let bursty = prng.chance(300);
    let impatient = prng.chance(300);
    let fresh = *prng.pick(&[50, 300, 800]);
    let mut at = 0;
    for _ in 0..prng.within(10, 70) {
        let stays = bursty && prng.chance(700);
        at = if stays { at + prng.below(3) } else { prng.below(length) };
        let page = page(prng, setup, impatient, fresh);
        steps.push(Step { at, what: What::Page(page) });
    }
}

fn page(prng: &mut Prng, setup: &Setup, impatient: bool, fresh: u64) -> PageStep {
    let customer = prng.below(u64::from(setup.customers) + 1) as u8;
    let lines = prng.within(1, 1 + prng.clone().skewed(7));
    let facts = customer > 0 && prng.chance(120);
    let tiny = impatient && prng.chance(500);
    PageStep {
        lane: Lane::ALL[prng.below(Lane::COUNT as u64) as usize],
        customer,
        visitor: (customer == 0 && prng.chance(500)).then(|| prng.below(3) as u8),
        lines: (0..lines).map(|_| line(prng, setup)).collect(),
        facts,
        max_age: prng.chance(fresh).then(|| *prng.pick(&[0, 0, 50, 2_000])),
        patience: if tiny { prng.below(60) } else { *prng.pick(&[300, 2_000, 8_000, 30_000]) },
        leaves: prng.chance(150).then(|| prng.below(400)),
    }
}

fn line(prng: &mut Prng, setup: &Setup) -> LineStep {
    let (price, stock) = *prng.pick(&[(true, true), (true, true), (true, false), (false, true)]);
    let quantity = if setup.quantities { prng.within(1, 2) as u8 } else { 0 };
    LineStep { sku: prng.skewed(u64::from(setup.skus)) as u8, quantity, price, stock }
}

/// Pages asked again about when their figures reach their max age: what happens just before and after is told apart by little.
fn echoes(prng: &mut Prng, setup: &Setup, steps: &mut Vec<Step>) {
    let first = steps.clone();
    for step in first {
        let What::Page(mut page) = step.what else { continue };
        if !prng.chance(300) {
            continue;
        }
        page.lane = *prng.pick(&[Lane::Cart, Lane::Detail, Lane::List]);
        page.max_age = None;
        page.leaves = None;
        for line in &mut page.lines {
            (line.price, line.stock) = (true, prng.chance(700));
        }
        let max_age = policy::of(page.lane).max_age.as_millis() as u64;
        let mut at = step.at;
        steps.push(Step { at, what: What::Page(page.clone()) });
        for _ in 0..prng.within(1, 4) {
            let about = [max_age * 9 / 10, max_age, max_age * prng.within(880, 1_010) / 1_000];
            at = step.at + prng.pick(&about) + prng.below(400);
            page.lines.push(line(prng, setup));
            steps.push(Step { at, what: What::Page(page.clone()) });
        }
    }
}

/// One account asks for far more than its share, at once.
fn attacks(prng: &mut Prng, setup: &Setup, length: u64, steps: &mut Vec<Step>) {
    if !prng.chance(200) {
        return;
    }
    let at = prng.below(length);
    let lane = *prng.pick(&[Lane::Detail, Lane::List, Lane::Warmup]);
    for _ in 0..prng.within(3, 12) {
        let lines = (0..setup.skus).map(|sku| LineStep { sku, quantity: 0, price: true, stock: false });
        let quantity = if setup.quantities { prng.within(1, 2) as u8 } else { 0 };
        let page = PageStep {
            lane,
            customer: 1,
            visitor: None,
            lines: lines.map(|line| LineStep { quantity, ..line }).collect(),
            facts: false,
            max_age: Some(0),
            patience: 30_000,
            leaves: None,
        };
        steps.push(Step { at: at + prng.below(2_000), what: What::Page(page) });
    }
}

fn changes(prng: &mut Prng, setup: &Setup, length: u64, steps: &mut Vec<Step>) {
    let sku = |prng: &mut Prng| prng.skewed(u64::from(setup.skus)) as u8;
    let customer = |prng: &mut Prng| prng.within(1, u64::from(setup.customers)) as u8;
    let most = *prng.pick(&[0, 5, 25]);
    for _ in 0..prng.below(most + 1) {
        let at = prng.below(length);
        let (change, words) = match prng.below(9) {
            0 => (Change::All, Words::All),
            1 => {
                let customer = customer(prng);
                (Change::Customer(customer), Words::Customer(customer))
            }
            2 => (Change::All, Words::List(prng.below(2) as u8)),
            3 => {
                let (customer, sku) = (customer(prng), sku(prng));
                (Change::Sku(sku), Words::CustomerSku(customer, sku))
            }
            4 => {
                let sku = sku(prng);
                (Change::Sku(sku), Words::ListSku(prng.below(2) as u8, sku))
            }
            5 => (Change::All, Words::Contract(0)),
            6 => {
                let sku = sku(prng);
                (Change::Sku(sku), Words::ContractSku(0, sku))
            }
            7 => (Change::All, Words::Company(prng.below(2) as u8)),
            _ => {
                let sku = sku(prng);
                (Change::Sku(sku), Words::Sku(sku))
            }
        };
        steps.push(Step { at, what: What::Change(change) });
        if prng.chance(800) {
            let later = if prng.chance(500) { 0 } else { prng.below(500) };
            let when = When {
                ahead: prng.chance(250).then(|| prng.within(1, 8_000)),
                settle: prng.chance(300).then(|| prng.within(100, 6_000)),
            };
            steps.push(Step { at: at + later, what: What::Invalidate(words, when) });
        }
    }
}

fn faults(prng: &mut Prng, setup: &Setup, length: u64, steps: &mut Vec<Step>) {
    if prng.chance(300) {
        return;
    }
    for _ in 0..prng.within(1, 4) {
        let at = prng.below(length);
        let kind = match prng.below(12) {
            0 | 1 => FaultKind::Slow(*prng.pick(&[3, 20, 100])),
            2 => FaultKind::Hang,
            3 => FaultKind::Refuses,
            4 => FaultKind::Busy,
            5 | 6 => FaultKind::Down,
            7 => FaultKind::Unreadable,
            8 | 9 => FaultKind::Rows(*prng.pick(&[
                Rows::Reordered,
                Rows::Duplicated,
                Rows::Partial,
                Rows::Contradictory,
                Rows::Foreign,
            ])),
            _ => FaultKind::Poison(prng.below(u64::from(setup.skus)) as u8),
        };
        let fault = Fault {
            kind,
            only: prng.chance(300).then(|| *prng.pick(&[Kind::Customers, Kind::Prices, Kind::Stock])),
            permille: *prng.pick(&[100, 500, 1000, 1000]),
            lasts: *prng.pick(&[500, 5_000, 60_000]),
        };
        steps.push(Step { at, what: What::Fault(fault) });
    }
}
