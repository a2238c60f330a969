//! When all is over: nothing is lost, nothing is kept, and whatever was wrong, everything can be asked again.

use std::time::Duration;

use comptoir::erp::dispatch::Lane;

use super::{START, START_WALL, World};
use crate::callers::Line;
use crate::key::Key;
use crate::scenario::{Fault, FaultKind, LineStep, PageStep};

/// How often everything is asked at the end until it must be well: breakers and deny-lists take their time.
const ROUNDS: usize = 6;

impl World<'_> {
    pub(super) fn ended(&mut self) -> Result<(), String> {
        self.nothing_is_left()?;
        // The clock is put right and what was closed is open again.
        self.wall_step = 0;
        let closed_until = self.scenario.setup.maintenance.map_or(0, |(_, to)| START + to * 1000);
        self.now = self.now.max(closed_until);
        let poison = self.scenario.setup.poisoned_end;
        if let Some(sku) = poison {
            let fault = Fault { kind: FaultKind::Poison(sku), only: None, permille: 1000, lasts: 0 };
            let _ = self.erp.fault_begins(fault);
        }
        let mut bad = Vec::new();
        for _ in 0..ROUNDS {
            self.now += 100_000_000;
            self.trace.note(self.now, "is all well?", &[]);
            bad = self.audit()?;
            self.nothing_is_left()?;
            if bad.is_empty() {
                return Ok(());
            }
        }
        // P5, P19: whatever was wrong with it, an ERP that works is asked again; a bad line fails nobody else for good.
        Err(format!("P5, P19: the ERP works, and there is no getting {bad:?}"))
    }

    fn nothing_is_left(&mut self) -> Result<(), String> {
        let left = self.ledger.unanswered();
        if !left.is_empty() {
            return Err(format!(
                "P5: {} waiters were never answered, such as {:?}",
                left.len(),
                self.ledger.tokens[left[0] as usize]
            ));
        }
        if let Some(page) = self.pages.iter().position(|page| !page.is_answered && !page.left.get()) {
            return Err(format!("P6: page {page} was never answered"));
        }
        let load = self.machine.load(self.reading().mono);
        // Riders cause no call, so they may still be there.
        if load.waiting > 0 || load.in_flight > 0 || load.flights > load.riders {
            return Err(format!("P17: something is left behind: {load:?}"));
        }
        if self.books.in_flight() > 0 || !self.calls.is_empty() {
            return Err("P17: not every permit came back".into());
        }
        Ok(())
    }

    /// Asks for everything, fresh, in small pages. Gives what could not be had.
    fn audit(&mut self) -> Result<Vec<Key>, String> {
        let setup = &self.scenario.setup;
        let poison = setup.poisoned_end;
        let skus: Vec<u8> = (0..setup.skus).filter(|sku| sku % 3 == 0 || Some(*sku) == poison).collect();
        // As many calls at once as the ERP gets done within the hard limit.
        let slowest = 2 * setup.call_cost + setup.line_cost * 4 + 2 * setup.way;
        let fits = setup.timeout.as_micros() as u64 / slowest.max(1) * setup.slots as u64;
        let chunk = setup.queue_lines_max.min(4).min(fits as usize);
        let customers = setup.customers;
        let quantity = u8::from(setup.quantities);
        let mut bad = Vec::new();
        for customer in 0..=customers {
            let lines = |part: &[u8]| {
                let line = |sku: &u8| LineStep { sku: *sku, quantity, price: true, stock: customer == 0 };
                part.iter().map(line).collect::<Vec<_>>()
            };
            let mut pages: Vec<(Vec<LineStep>, bool)> =
                skus.chunks((chunk / 2).max(1)).map(|part| (lines(part), false)).collect();
            if customer > 0 {
                pages.push((Vec::new(), true));
            }
            for (lines, facts) in pages {
                let number = self.pages.len();
                let page = PageStep {
                    lane: Lane::Cart,
                    customer,
                    visitor: None,
                    lines,
                    facts,
                    max_age: Some(0),
                    patience: 120_000,
                    leaves: None,
                };
                self.tick += 1;
                self.page(&page)?;
                self.run_until_quiet()?;
                for (key, line) in &self.pages[number].lines {
                    let is_poison = poison.is_some() && key.sku() == poison;
                    let good = match line {
                        Line::Served(entry) => entry.figure.version == self.erp.truth.version(*key),
                        _ => false,
                    };
                    if !good && !is_poison {
                        bad.push(*key);
                    }
                }
            }
        }
        Ok(bad)
    }

    fn window(&self) -> Option<(i64, i64)> {
        let (from, to) = self.scenario.setup.maintenance?;
        Some((START_WALL + from as i64, START_WALL + to as i64))
    }

    /// A call that left now would run in the maintenance window, or could.
    pub(super) fn may_not_leave(&self) -> bool {
        let now = self.reading().wall.0;
        let timeout = self.scenario.setup.timeout.as_millis() as i64;
        self.window().is_some_and(|(from, to)| now >= from - timeout && now < to)
    }

    /// The longest the ERP was closed.
    pub(super) fn paused(&self) -> Duration {
        self.window().map_or(Duration::ZERO, |(from, to)| Duration::from_millis((to - from) as u64))
    }
}
