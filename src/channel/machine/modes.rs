//! What somebody wants a channel to do, and what it forgets.

use super::Machine;
use crate::channel::ack::{Ack, AckResult, Acknowledged, UNKNOWN_NAMED_MAX};
use crate::channel::event::{Event, Heard, Own, ZerosUpTo};
use crate::channel::formats::FileFacts;
use crate::channel::log::Purged;
use crate::channel::page::Mode;
use crate::channel::policy::assortment::Place;
use crate::channel::report::Delivery;
use crate::channel::row::RowKey;
use crate::clock::Timestamp;
use crate::mutants::mutant;

/// The marketplace's own words that are kept of a refusal. Characters.
const REASON_LENGTH_MAX: usize = 500;

/// Formats whose last file is remembered.
const FILES_MAX: usize = 64;

impl Machine {
    /// `force`: what the guard holds back is let through.
    pub fn set_mode(&mut self, mode: Mode, force: bool, events: &mut Vec<Event>) {
        if mode != self.own.mode {
            // What happened while it was held, and what is at zero only for that: all is worked out, as soon as it may be.
            let anew = mode != Mode::Held || self.own.anew || self.own.mode == Mode::Zeroed;
            self.own_changed(Own { mode, anew, ..self.own.clone() }, events);
            if anew {
                self.work_out_anew(events);
            }
        }
        if force {
            let zeros = ZerosUpTo { stock: self.own.zeros.stock.max(self.scans.over), ..self.own.zeros };
            if zeros != self.own.zeros {
                self.own_changed(Own { zeros, ..self.own.clone() }, events);
                self.look_at_doubts();
            }
            self.guard.stock = None;
            let blocked = std::mem::take(&mut self.blocked);
            let since = |number: &u32| self.entry(*number).and_then(|entry| entry.kept.invalidated_at);
            let up_to = blocked.iter().filter_map(since).max();
            self.let_prices(up_to, blocked, events);
        }
    }

    pub fn acknowledge(&mut self, acks: Vec<Ack>, now: Timestamp, events: &mut Vec<Event>) -> Acknowledged {
        let mut acknowledged = Acknowledged::default();
        let mut heard = self.own.heard;
        for (place, ack) in acks.into_iter().enumerate() {
            let channel_sku = ack.channel_sku.unwrap_or_else(|| ack.sku.clone());
            let number = self.find(&RowKey { sku: ack.sku, channel_sku });
            let entry = number.and_then(|number| self.entry(number));
            let had = |version| ack.version > 0 && ack.version <= version;
            let Some(entry) = entry.filter(|entry| entry.kept.row.as_ref().is_some_and(|row| had(row.version))) else {
                if acknowledged.unknown.len() < UNKNOWN_NAMED_MAX {
                    acknowledged.unknown.push(place);
                }
                continue;
            };
            acknowledged.taken += 1;
            heard = heard.max(if ack.result == AckResult::Sent { Heard::Sent } else { Heard::Results });
            // A sender that is late does not undo what is known of a later version.
            let known = entry.deliveries.iter().find(|known| known.result == ack.result);
            if known.is_some_and(|known| known.version > ack.version) {
                continue;
            }
            let reason = ack.reason.map(|reason| reason.chars().take(REASON_LENGTH_MAX).collect::<String>().into());
            let at = ack.at.unwrap_or(now);
            let delivery = Delivery { result: ack.result, version: ack.version, at, reason };
            if known != Some(&delivery) {
                let key = entry.kept.key.clone();
                self.emit(Event::Said(key, delivery), events);
            }
        }
        self.own_changed(Own { heard, ..self.own.clone() }, events);
        acknowledged
    }

    pub fn last_file(&self, format: &str) -> Option<FileFacts> {
        self.own.files.get(format).copied()
    }

    pub fn file_taken(&mut self, format: &str, file: FileFacts, events: &mut Vec<Event>) {
        let mut files = self.own.files.clone();
        if files.len() < FILES_MAX || files.contains_key(format) {
            files.insert(format.to_owned(), file);
        }
        self.own_changed(Own { files, ..self.own.clone() }, events);
    }

    /// Forgets rows that were removed long ago, and says so to readers who may have them still.
    pub fn purge(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let before = now.minus(self.policy.config().tombstone_retention);
        let (mut numbers, mut end, mut last) = (Vec::new(), before, None);
        for &(at, number) in self.removed.range(..(before, 0)) {
            // Those of one time go together.
            if numbers.len() >= PURGED_AT_ONCE && last != Some(at) {
                end = at;
                break;
            }
            numbers.push(number);
            last = Some(at);
        }
        let version = |number: &u32| Some(self.entry(*number)?.kept.row.as_ref()?.version);
        let Some(through) = numbers.iter().filter_map(version).max() else { return };
        let through = if mutant!(PurgeForgets) { 0 } else { through };
        let (before, at) = (end, self.highest + 1);
        let purged = Purged { through: through.max(self.purged.through), at };
        self.emit(Event::Purged { purged, before }, events);
        for number in numbers {
            let Some(entry) = self.entry(number).filter(|entry| entry.kept.row.is_none()) else { continue };
            if let Place::Not(_) = self.policy.place(&entry.kept.key) {
                let key = entry.kept.key.clone();
                self.emit(Event::Gone(key), events);
            }
        }
    }
}

/// Rows that are forgotten in one round.
const PURGED_AT_ONCE: usize = 4096;
