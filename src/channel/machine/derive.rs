//! From figures to the rows of a SKU.

use std::sync::Arc;

use super::Machine;
use crate::channel::config::ChannelConfig;
use crate::channel::event::{Event, Held, Kept};
use crate::channel::fact::{Facts, LocationFact, PriceFact, Standing};
use crate::channel::page::Mode;
use crate::channel::policy::assortment::Place;
use crate::channel::policy::{Next, Shown, Waiting};
use crate::channel::row::{ChannelRow, RowKey, RowState};
use crate::clock::Timestamp;
use crate::domain::{LocationId, Quantity, Sku};
use crate::mutants::mutant;
use crate::offer::explain::{Reasons as Why, Unkept};

/// What the ledger says of a SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub location: LocationId,
    pub available: Option<Quantity>,
    pub on_hand: Option<Quantity>,
    pub reserved: Option<Quantity>,
    pub pending: Quantity,
    /// Why its source is in doubt, and since when.
    pub doubt: Option<(&'static str, Timestamp)>,
    pub heard_at: Option<Timestamp>,
}

/// What a row comes to.
pub(super) struct Come {
    pub held: Vec<Held>,
    pub next: Next,
    pub again_at: Option<Timestamp>,
    /// The guard has to say whether it may go to zero.
    pub is_blocked: bool,
}

impl Machine {
    /// Works out the rows of a SKU from what the ledger says of it now.
    pub fn derive(&mut self, sku: &Sku, seats: &[Seat], now: Timestamp, events: &mut Vec<Event>) {
        // All of it is worked out when that ends.
        if self.own.mode == Mode::Held {
            return;
        }
        let known = self.first(sku);
        if known.is_none() || self.own.anew {
            for (key, _) in self.policy.rows(sku) {
                if self.find(&key).is_none() {
                    self.emit(Event::Row(Box::new(Kept::new(key))), events);
                }
            }
        }
        let mut next = self.first(sku);
        while let Some(number) = next {
            next = self.entry(number).and_then(|entry| entry.next);
            self.derive_row(number, seats, now, events);
        }
    }

    fn derive_row(&mut self, number: u32, seats: &[Seat], now: Timestamp, events: &mut Vec<Event>) {
        let Some(entry) = self.entry(number) else { return };
        let kept = &entry.kept;
        let place = self.policy.place(&kept.key);
        let pack = match place {
            Place::Sold(pack) => Some(pack),
            Place::Not(_) if kept.row.is_none() => {
                let key = kept.key.clone();
                return self.emit(Event::Gone(key), events);
            }
            Place::Not(_) => None,
        };
        let mut new = kept.clone();
        if pack.is_some_and(|pack| pack != kept.priced_for) && kept.price != PriceFact::Unknown {
            // It was asked for another quantity.
            (new.price, new.invalidated_at) = (PriceFact::Unknown, None);
        }
        let come = self.work_out(&new, place, seats, now, Unkept);
        new.waiting = come.next.waiting;
        new.held = come.held.into();
        let is_lost = |row: &&Arc<ChannelRow>| row.version <= self.own.renumber && !mutant!(LostVersionsStay);
        let lost = new.row.as_ref().filter(is_lost).map(|row| Shown::from(&**row));
        if let Some(shown) = come.next.publish.or(lost) {
            let version = self.highest + 1;
            let was = new.row.as_deref().filter(|_| lost.is_none());
            new.row = Some(Arc::new(numbered(was, new.key.clone(), shown, version)));
            new.published_at = now;
            new.unsaid_since = new.unsaid_since.or(Some(now));
        }
        let differs = new != *kept;
        if differs {
            self.emit(Event::Row(Box::new(new)), events);
        }
        self.wake(number, come.again_at);
        if come.is_blocked {
            self.blocked.push(number);
        }
        match pack {
            Some(_) => self.want_price(number, now),
            None => self.pricing.forgotten(number),
        }
    }

    pub(super) fn work_out(&self, kept: &Kept, place: Place, seats: &[Seat], now: Timestamp, why: impl Why) -> Come {
        let (locations, held) =
            stand(self.policy.config(), self.opened_at, &kept.held, seats, now, self.own.zeros.stock);
        let facts = Facts {
            locations: &locations,
            price: &kept.price,
            invalidated_at: kept.invalidated_at,
            is_unreachable: kept.is_unreachable,
        };
        let allowed = self.invalidated_at(kept, now);
        let is_blocked = allowed != kept.invalidated_at;
        let listing = self.policy.listing(place, &Facts { invalidated_at: allowed, ..facts }, now, why);
        let shown = kept.row.as_deref().map(Shown::from);
        let mut next = self.policy.next(shown.as_ref(), &listing, kept.waiting, now, why);
        if self.own.mode == Mode::Zeroed {
            self.zero(shown.as_ref(), &mut next);
        }
        let again_at = [next.again_at, self.policy.edge(&facts, now)].into_iter().flatten().min();
        Come { held, next, again_at, is_blocked }
    }

    /// Whatever it came to, it is published at zero; what is removed goes on to be.
    fn zero(&self, published: Option<&Shown>, next: &mut Next) {
        let Some(base) = next.publish.as_ref().or(published) else { return };
        if base.state == RowState::Removed {
            return;
        }
        let zeroed = self.policy.zeroed(base, "channel_zeroed");
        next.publish = (published != Some(&zeroed)).then_some(zeroed);
        if next.waiting.rising.is_some() {
            *next = Next { publish: next.publish, waiting: Waiting::default(), again_at: None };
        }
    }

    /// When doubts begin to be judged.
    pub(super) fn judges_from(&self) -> Timestamp {
        judges_from(self.policy.config(), self.opened_at)
    }
}

fn judges_from(config: &ChannelConfig, opened_at: Timestamp) -> Timestamp {
    opened_at.plus(config.hold_after)
}

/// What each location of the channel counts. Doubts that began up to `zeros` may count zero.
pub(super) fn stand(
    config: &ChannelConfig,
    opened_at: Timestamp,
    held_before: &[Held],
    seats: &[Seat],
    now: Timestamp,
    zeros: Option<Timestamp>,
) -> (Vec<LocationFact>, Vec<Held>) {
    let judges = now >= judges_from(config, opened_at);
    let (mut facts, mut held) = (Vec::with_capacity(seats.len()), Vec::new());
    for seat in seats {
        if !config.locations.is_empty() && !config.locations.contains(&seat.location) {
            continue;
        }
        let before = held_before.iter().find(|held| held.location == seat.location);
        // Shortly after a start nobody had the time to be heard: what was held stays so, and nothing else is.
        let was_heard = seat.doubt.is_none() && seat.heard_at.is_some_and(|heard| heard >= opened_at);
        let now_held = match (judges, seat.doubt, before) {
            (false, _, Some(before)) if !was_heard => Some(before.clone()),
            (true, Some((reason, since)), _) if since.until(now) > config.hold_after => Some(Held {
                location: seat.location.clone(),
                available: before.map_or(seat.available, |before| before.available),
                reason,
                since,
                is_zero: config.zero_after.is_some_and(|after| since.until(now) > after) && zeros >= Some(since),
            }),
            _ => None,
        };
        let now_held = now_held.filter(|_| !mutant!(DoubtIsNotHeld));
        let standing = match &now_held {
            None => Standing::Good,
            Some(held) if held.is_zero => Standing::Zero(held.reason),
            Some(held) => Standing::Held(held.reason),
        };
        // It may still fall: orders of the shop are known while the warehouse is silent.
        let available = match &now_held {
            Some(held) => held.available.zip(seat.available).map(|(one, other)| one.min(other)),
            None => seat.available,
        };
        facts.push(LocationFact {
            location: seat.location.clone(),
            available,
            on_hand: seat.on_hand,
            reserved: seat.reserved,
            pending: seat.pending,
            standing,
        });
        held.extend(now_held);
    }
    (facts, held)
}

/// The row as it is published under this version.
fn numbered(was: Option<&ChannelRow>, key: Arc<RowKey>, shown: Shown, version: u64) -> ChannelRow {
    let Shown { state, quantity, price, lead_time_days, reasons } = shown;
    let as_before = |same: fn(&ChannelRow, &Shown) -> bool, number: fn(&ChannelRow) -> u64| {
        was.filter(|was| same(was, &shown)).map_or(version, number)
    };
    ChannelRow {
        key,
        version,
        state,
        quantity,
        quantity_version: as_before(
            |was, shown| was.quantity == shown.quantity && was.state == shown.state,
            |was| was.quantity_version,
        ),
        price,
        price_version: as_before(|was, shown| was.price == shown.price, |was| was.price_version),
        lead_time_days,
        reasons,
    }
}
