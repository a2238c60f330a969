//! What a changed configuration would change.

use std::collections::HashSet;

use super::Channels;
use crate::channel::config::ChannelConfig;
use crate::channel::deriver::read;
use crate::channel::error::ChannelError;
use crate::channel::machine::{Compared, Machine};
use crate::channel::policy::{Policy, Shown};
use crate::channel::row::RowState;
use crate::domain::{Quantity, Sku};
use crate::stock::changes::Cursor;

/// Rows that are compared at a time, while the writer waits.
const COMPARED_AT_ONCE: usize = 256;

/// Rows that are named.
pub const FIRST_MAX: usize = 20;

/// Rows by what would become of them. One that changes in several ways is in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRun {
    /// All that are or would be.
    pub rows: u64,
    pub changed: u64,
    /// That are not there now.
    pub added: u64,
    /// That would leave.
    pub gone: u64,
    /// From something to nothing.
    pub to_zero: u64,
    pub from_zero: u64,
    pub quantity: u64,
    pub price: u64,
    /// The first [`FIRST_MAX`] that change.
    pub first: Vec<Compared>,
}

impl Channels {
    /// What the changed configuration of a channel would publish of what is known now. Goes through all of it.
    pub fn dry_run(&self, changed: ChannelConfig) -> Result<DryRun, ChannelError> {
        let number = self.number(&changed.name)?;
        let policy = Policy::new(changed);
        let mut dry = DryRun::default();
        let mut next = Some(0);
        while let Some(from) = next {
            let mut skus = Vec::new();
            next = self.behind()?.channels[number].machine.skus_from(from, COMPARED_AT_ONCE, &mut skus);
            self.compare(number, &policy, &skus, |_, _| true, &mut dry)?;
        }
        // SKUs the channel has no rows of.
        let unknown = |machine: &Machine, sku: &Sku| !machine.has_sku(sku);
        let mut cursor: Option<Cursor> = None;
        while let Ok(page) = self.0.ledger.changes(cursor.as_ref(), COMPARED_AT_ONCE) {
            let skus: Vec<Sku> = page.rows.into_iter().map(|row| row.key).collect();
            self.compare(number, &policy, &skus, unknown, &mut dry)?;
            if !page.more {
                break;
            }
            cursor = Some(page.cursor);
        }
        Ok(dry)
    }

    fn compare(
        &self,
        number: usize,
        policy: &Policy,
        skus: &[Sku],
        of: impl Fn(&Machine, &Sku) -> bool,
        dry: &mut DryRun,
    ) -> Result<(), ChannelError> {
        let working = self.behind()?;
        let machine = &working.channels[number].machine;
        let now = self.now();
        let view = self.0.ledger.levels().view(now);
        let (mut seats, mut rows, mut done) = (Vec::new(), Vec::new(), HashSet::new());
        for sku in skus.iter().filter(|sku| of(machine, sku)) {
            if done.insert(sku) {
                seats.clear();
                read(&view, sku, &mut seats);
                machine.compare(policy, sku, &seats, now, &mut rows);
            }
        }
        rows.into_iter().for_each(|row| dry.count(row));
        Ok(())
    }
}

impl DryRun {
    fn count(&mut self, row: Compared) {
        self.rows += 1;
        if row.is == row.would_be {
            return;
        }
        self.changed += 1;
        let sells = |shown: &Option<Shown>| {
            shown.is_some_and(|shown| {
                shown.state == RowState::Listed && shown.quantity.is_none_or(Quantity::is_positive)
            })
        };
        let add = |count: &mut u64, counts: bool| *count += u64::from(counts);
        add(&mut self.added, row.is.is_none());
        let leaves = row.would_be.is_none_or(|shown| shown.state != RowState::Listed);
        add(&mut self.gone, leaves && row.is.is_some_and(|shown| shown.state == RowState::Listed));
        add(&mut self.to_zero, sells(&row.is) && !sells(&row.would_be));
        add(&mut self.from_zero, !sells(&row.is) && sells(&row.would_be));
        if let (Some(is), Some(would_be)) = (&row.is, &row.would_be) {
            add(&mut self.quantity, is.quantity != would_be.quantity);
            add(&mut self.price, is.price != would_be.price);
        }
        if self.first.len() < FIRST_MAX {
            self.first.push(row);
        }
    }
}
