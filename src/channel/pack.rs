//! Events as bytes, for the journal and for checkpoints.
//!
//! A record is what one round did to one channel, or how far all channels have read the ledger. Most of it are rows, so those
//! are kept short: a version is told as what it is more than the one before.

mod fields;

use std::sync::Arc;

use self::fields::{
    basis, basis_byte, currency, days, decimal, list, money, quantity, sku, time, told_list, told_time,
};
use super::ack::AckResult;
use super::event::{Event, Heard, Held, Kept, Own, Reach, ZerosUpTo};
use super::fact::PriceFact;
use super::formats::FileFacts;
use super::log::Purged;
use super::page::{Mode, PolicyHash};
use super::policy::{Rising, Waiting};
use super::report::Delivery;
use super::row::{ChannelPrice, ChannelRow, Reasons, RowKey, RowState};
use super::words::word;
use crate::clock::Timestamp;
use crate::domain::{CustomerId, LocationId};
use crate::journal::pack::{Packer, Unpacker};
use crate::stock::changes::Cursor;

/// Another way of packing would begin otherwise.
const FORMAT: u8 = 1;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What happened to the channel of this name.
    Channel(Box<str>, Vec<Event>),
    /// All channels have worked in the ledger's changes up to here.
    Stock(Cursor),
}

const OF_CHANNEL: u8 = 1;
const OF_STOCK: u8 = 2;

const ROW: u8 = 1;
const GONE: u8 = 2;
const SAID: u8 = 3;
const INVALIDATED_ALL: u8 = 4;
const INVALIDATED_SKUS: u8 = 5;
const OWN: u8 = 6;
const PURGED: u8 = 7;
const STARTED: u8 = 8;
const DROPPED: u8 = 9;

/// The record of what happened to a channel.
pub fn pack_events<'e>(channel: &str, events: impl ExactSizeIterator<Item = &'e Event>, out: &mut Packer) {
    out.byte(FORMAT);
    out.byte(OF_CHANNEL);
    out.name(channel);
    out.short(events.len() as u128);
    events.for_each(|event| pack_event(out, event));
}

pub fn pack_stock(cursor: &Cursor, out: &mut Packer) {
    out.byte(FORMAT);
    out.byte(OF_STOCK);
    out.name(&cursor.to_string());
}

/// `None`: these bytes are not a record.
pub fn unpack(record: &[u8]) -> Option<Record> {
    let mut from = Unpacker(record);
    if from.byte()? != FORMAT {
        return None;
    }
    let unpacked = match from.byte()? {
        OF_CHANNEL => {
            let name = from.name()?.into();
            let count = usize::try_from(from.short()?).ok()?;
            // At least a byte each, whatever the count says.
            let mut events = Vec::with_capacity(count.min(record.len()));
            for _ in 0..count {
                events.push(event(&mut from)?);
            }
            Record::Channel(name, events)
        }
        OF_STOCK => Record::Stock(from.name()?.parse().ok()?),
        _ => return None,
    };
    from.is_empty().then_some(unpacked)
}

fn pack_event(out: &mut Packer, event: &Event) {
    match event {
        Event::Row(kept) => {
            out.byte(ROW);
            pack_kept(out, kept);
        }
        Event::Gone(key) => {
            out.byte(GONE);
            pack_key(out, key);
        }
        Event::Said(key, delivery) => {
            out.byte(SAID);
            pack_key(out, key);
            out.byte(match delivery.result {
                AckResult::Sent => 0,
                AckResult::Accepted => 1,
                AckResult::Refused => 2,
            });
            out.number(delivery.version);
            time(out, delivery.at);
            out.optional(delivery.reason.as_deref(), Packer::name);
        }
        Event::Invalidated { reach: Reach::All, at } => {
            out.byte(INVALIDATED_ALL);
            time(out, *at);
        }
        Event::Invalidated { reach: Reach::Skus(skus), at } => {
            out.byte(INVALIDATED_SKUS);
            time(out, *at);
            list(out, skus.iter(), |out, sku| out.name(sku.as_str()));
        }
        Event::Own(own) => {
            out.byte(OWN);
            pack_own(out, own);
        }
        Event::Purged { purged, before } => {
            out.byte(PURGED);
            out.number(purged.through);
            out.number(purged.at);
            time(out, *before);
        }
        Event::Started { random, watermark } => {
            out.byte(STARTED);
            out.number(*random);
            out.number(*watermark);
        }
        Event::Dropped => out.byte(DROPPED),
    }
}

fn event(from: &mut Unpacker<'_>) -> Option<Event> {
    Some(match from.byte()? {
        ROW => Event::Row(Box::new(kept(from)?)),
        GONE => Event::Gone(Arc::new(key(from)?)),
        SAID => {
            let key = Arc::new(key(from)?);
            let result = match from.byte()? {
                0 => AckResult::Sent,
                1 => AckResult::Accepted,
                2 => AckResult::Refused,
                _ => return None,
            };
            let (version, at) = (from.number()?, told_time(from)?);
            let reason = from.optional(|from| from.name().map(Box::from))?;
            Event::Said(key, Delivery { result, version, at, reason })
        }
        INVALIDATED_ALL => Event::Invalidated { at: told_time(from)?, reach: Reach::All },
        INVALIDATED_SKUS => {
            let at = told_time(from)?;
            Event::Invalidated { at, reach: Reach::Skus(told_list(from, sku)?) }
        }
        OWN => Event::Own(Box::new(own(from)?)),
        PURGED => {
            let purged = Purged { through: from.number()?, at: from.number()? };
            Event::Purged { purged, before: told_time(from)? }
        }
        STARTED => Event::Started { random: from.number()?, watermark: from.number()? },
        DROPPED => Event::Dropped,
        _ => return None,
    })
}

fn pack_kept(out: &mut Packer, kept: &Kept) {
    let Kept { key, row, published_at, unsaid_since, waiting, price, priced_for, invalidated_at, is_unreachable, held } =
        kept;
    pack_key(out, key);
    out.optional(row.as_deref(), |out, row| {
        time(out, *published_at);
        pack_row(out, row);
    });
    out.optional(*unsaid_since, time);
    out.optional(waiting.rising, |out, rising| {
        time(out, rising.since);
        out.optional(rising.quantity, |out, quantity| decimal(out, quantity.get()));
    });
    out.optional(waiting.leaving_since, time);
    pack_price(out, price);
    decimal(out, priced_for.get());
    out.optional(*invalidated_at, time);
    out.byte(u8::from(*is_unreachable));
    list(out, held.iter(), |out, held| {
        out.name(held.location.as_str());
        out.optional(held.available, |out, quantity| decimal(out, quantity.get()));
        out.name(held.reason);
        time(out, held.since);
        out.byte(u8::from(held.is_zero));
    });
}

fn kept(from: &mut Unpacker<'_>) -> Option<Kept> {
    let key = Arc::new(key(from)?);
    let row = from.optional(|from| Some((told_time(from)?, Arc::new(row(from, &key)?))))?;
    Some(Kept {
        published_at: row.as_ref().map_or(Timestamp(0), |(at, _)| *at),
        row: row.map(|(_, row)| row),
        unsaid_since: from.optional(told_time)?,
        waiting: Waiting {
            rising: from
                .optional(|from| Some(Rising { since: told_time(from)?, quantity: from.optional(quantity)? }))?,
            leaving_since: from.optional(told_time)?,
        },
        price: price(from)?,
        priced_for: quantity(from)?,
        invalidated_at: from.optional(told_time)?,
        is_unreachable: from.flag()?,
        held: told_list(from, held)?.into(),
        key,
    })
}

fn held(from: &mut Unpacker<'_>) -> Option<Held> {
    Some(Held {
        location: LocationId::new(from.name()?).ok()?,
        available: from.optional(quantity)?,
        reason: word(from.name()?),
        since: told_time(from)?,
        is_zero: from.flag()?,
    })
}

fn pack_key(out: &mut Packer, key: &RowKey) {
    out.name(key.sku.as_str());
    out.optional(Some(&key.channel_sku).filter(|name| **name != key.sku), |out, name| out.name(name.as_str()));
}

fn key(from: &mut Unpacker<'_>) -> Option<RowKey> {
    let own = sku(from)?;
    // One text for both where it is one name.
    let channel_sku = from.optional(sku)?.unwrap_or_else(|| own.clone());
    Some(RowKey { sku: own, channel_sku })
}

fn pack_row(out: &mut Packer, row: &ChannelRow) {
    let ChannelRow {
        key: _,
        version,
        state,
        quantity,
        quantity_version,
        price,
        price_version,
        lead_time_days,
        reasons,
    } = row;
    out.number(*version);
    out.short(u128::from(version.saturating_sub(*quantity_version)));
    out.short(u128::from(version.saturating_sub(*price_version)));
    out.byte(match state {
        RowState::Listed => 0,
        RowState::Zeroed => 1,
        RowState::Removed => 2,
    });
    out.optional(*quantity, |out, quantity| decimal(out, quantity.get()));
    out.optional(*price, |out, price| {
        decimal(out, price.amount.get());
        out.name(price.currency.as_str());
        out.byte(basis_byte(price.tax_basis));
    });
    out.optional(*lead_time_days, |out, days| out.short(u128::from(days)));
    list(out, reasons.iter().collect::<Vec<_>>().into_iter(), Packer::name);
}

fn row(from: &mut Unpacker<'_>, key: &Arc<RowKey>) -> Option<ChannelRow> {
    let version = from.number()?;
    let before = |from: &mut Unpacker<'_>| version.checked_sub(u64::try_from(from.short()?).ok()?);
    Some(ChannelRow {
        key: key.clone(),
        version,
        quantity_version: before(from)?,
        price_version: before(from)?,
        state: match from.byte()? {
            0 => RowState::Listed,
            1 => RowState::Zeroed,
            2 => RowState::Removed,
            _ => return None,
        },
        quantity: from.optional(quantity)?,
        price: from.optional(|from| {
            Some(ChannelPrice { amount: money(from)?, currency: currency(from)?, tax_basis: basis(from)? })
        })?,
        lead_time_days: from.optional(days)?,
        reasons: told_list(from, |from| from.name().map(word))?.into_iter().collect::<Reasons>(),
    })
}

const PRICE_UNKNOWN: u8 = 0;
const PRICE_TOLD: u8 = 1;
const PRICE_NO: u8 = 2;

fn pack_price(out: &mut Packer, price: &PriceFact) {
    match price {
        PriceFact::Unknown => out.byte(PRICE_UNKNOWN),
        PriceFact::Told {
            net_price,
            base_quantity,
            currency,
            tax_basis,
            tax_rate,
            lead_time_days,
            ends,
            observed_at,
        } => {
            out.byte(PRICE_TOLD);
            decimal(out, net_price.get());
            decimal(out, base_quantity.get());
            out.name(currency.as_str());
            out.optional(*tax_basis, |out, basis| out.byte(basis_byte(basis)));
            out.optional(*tax_rate, |out, rate| decimal(out, rate.get()));
            out.optional(*lead_time_days, |out, days| out.short(u128::from(days)));
            out.optional(*ends, time);
            time(out, *observed_at);
        }
        PriceFact::No { reason, observed_at } => {
            out.byte(PRICE_NO);
            out.name(reason);
            time(out, *observed_at);
        }
    }
}

fn price(from: &mut Unpacker<'_>) -> Option<PriceFact> {
    Some(match from.byte()? {
        PRICE_UNKNOWN => PriceFact::Unknown,
        PRICE_TOLD => PriceFact::Told {
            net_price: money(from)?,
            base_quantity: quantity(from)?,
            currency: currency(from)?,
            tax_basis: from.optional(basis)?,
            tax_rate: from.optional(quantity)?,
            lead_time_days: from.optional(days)?,
            ends: from.optional(told_time)?,
            observed_at: told_time(from)?,
        },
        PRICE_NO => PriceFact::No { reason: word(from.name()?), observed_at: told_time(from)? },
        _ => return None,
    })
}

fn pack_own(out: &mut Packer, own: &Own) {
    let Own { mode, customer, policy, anew, renumber, zeros, heard, files } = own;
    out.byte(match mode {
        Mode::Live => 0,
        Mode::Held => 1,
        Mode::Zeroed => 2,
    });
    out.optional(customer.as_ref(), |out, customer| out.name(customer.as_str()));
    out.optional(*policy, |out, policy| out.number(policy.0));
    out.byte(u8::from(*anew));
    out.number(*renumber);
    out.optional(zeros.stock, time);
    out.optional(zeros.price, time);
    out.byte(match heard {
        Heard::Nothing => 0,
        Heard::Sent => 1,
        Heard::Results => 2,
    });
    list(out, files.iter(), |out, (format, file)| {
        out.name(format);
        out.number(file.rows);
        out.number(file.zeros);
        out.number(file.watermark);
    });
}

fn own(from: &mut Unpacker<'_>) -> Option<Own> {
    Some(Own {
        mode: match from.byte()? {
            0 => Mode::Live,
            1 => Mode::Held,
            2 => Mode::Zeroed,
            _ => return None,
        },
        customer: from.optional(|from| CustomerId::new(from.name()?).ok())?,
        policy: from.optional(|from| from.number().map(PolicyHash))?,
        anew: from.flag()?,
        renumber: from.number()?,
        zeros: ZerosUpTo { stock: from.optional(told_time)?, price: from.optional(told_time)? },
        heard: match from.byte()? {
            0 => Heard::Nothing,
            1 => Heard::Sent,
            2 => Heard::Results,
            _ => return None,
        },
        files: told_list(from, file)?.into_iter().collect(),
    })
}

fn file(from: &mut Unpacker<'_>) -> Option<(String, FileFacts)> {
    let format = from.name()?.to_owned();
    let (rows, zeros, watermark) = (from.number()?, from.number()?, from.number()?);
    Some((format, FileFacts { rows, zeros, watermark }))
}

#[cfg(test)]
mod tests;
