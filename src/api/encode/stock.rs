//! The availability part of an offer.

use super::fields::{availability, availability_status, band, incoming, location, location_status, offer};
use super::memo::{Memo, Slot};
use super::put_freshness;
use super::sink::{Field, Sink};
use crate::cache::stock_row::{IncomingText, LevelText};
use crate::cache::{StockRow, Text};
use crate::domain::LocationId;
use crate::offer::{AvailabilityAnswer, Band, Freshness, OfferQuery};

/// Why stock that nobody counts has no figures.
const UNTRACKED: &[u8] = b"untracked";

pub(super) fn put_availability<S: Sink>(
    sink: &mut S,
    memo: &mut Memo<'_>,
    query: &OfferQuery,
    answer: &AvailabilityAnswer,
) {
    sink.message(offer::AVAILABILITY, |sink| match answer {
        AvailabilityAnswer::NotAsked => {}
        AvailabilityAnswer::Told { row, band, available, available_on, freshness, by_location } => {
            sink.name(availability::STATUS, availability_status::OK);
            sink.name(
                availability::BAND,
                match band {
                    Band::InStock => band::IN_STOCK,
                    Band::Low => band::LOW,
                    Band::Out => band::OUT,
                    Band::OnOrder => band::ON_ORDER,
                },
            );
            match available {
                Some(available) => sink.decimal(availability::AVAILABLE, available.get()),
                None => sink.plain(availability::AVAILABLE, row.available().1.as_bytes()),
            }
            if let Some(date) = available_on {
                sink.date(availability::AVAILABLE_ON, *date);
            }
            let each = EachFreshness { whole: freshness, by_location: by_location.as_deref() };
            put_locations(sink, &mut memo.location_freshness, row, &query.locations, each);
            let asked =
                |coming: &IncomingText<'_>| query.locations.is_empty() || query.locations.contains(coming.location);
            sink.list(availability::INCOMING, row.incoming().filter(asked), |sink, coming| {
                sink.text(incoming::LOCATION, coming.location.as_str());
                sink.plain(incoming::QUANTITY, coming.quantity.as_bytes());
                told_if(sink, incoming::EXPECTED_ON, coming.expected_on);
            });
            again(sink, &mut memo.availability_freshness, availability::FRESHNESS, freshness);
        }
        AvailabilityAnswer::Untracked { freshness } => {
            sink.name(availability::STATUS, availability_status::UNTRACKED);
            sink.plain(availability::REASON, UNTRACKED);
            again(sink, &mut memo.availability_freshness, availability::FRESHNESS, freshness);
        }
        AvailabilityAnswer::Unavailable { reason } => {
            sink.name(availability::STATUS, availability_status::UNAVAILABLE);
            sink.plain(availability::REASON, reason.as_bytes());
        }
    });
}

/// How old each location's figures are.
#[derive(Clone, Copy)]
struct EachFreshness<'a> {
    whole: &'a Freshness,
    by_location: Option<&'a [Freshness]>,
}

impl<'a> EachFreshness<'a> {
    fn of(self, index: usize) -> &'a Freshness {
        self.by_location.and_then(|each| each.get(index)).unwrap_or(self.whole)
    }
}

/// All locations as the row has them, or those asked for in the order asked, the unknown ones said to be so.
fn put_locations<S: Sink>(
    sink: &mut S,
    memo: &mut Slot<Freshness>,
    row: &StockRow,
    asked: &[LocationId],
    freshness: EachFreshness<'_>,
) {
    let mut known = |sink: &mut S, (index, level): (usize, LevelText<'_>)| {
        sink.text(location::LOCATION, level.location.as_str());
        told_if(sink, location::ON_HAND, level.on_hand);
        told_if(sink, location::RESERVED, level.reserved);
        sink.plain(location::AVAILABLE, level.available.as_bytes());
        again(sink, memo, location::FRESHNESS, freshness.of(index));
    };
    if asked.is_empty() {
        sink.list(availability::LOCATIONS, row.levels().enumerate(), known);
        return;
    }
    sink.list(availability::LOCATIONS, asked.iter(), |sink, name| {
        match row.levels().enumerate().find(|(_, level)| level.location == name) {
            Some(level) => known(sink, level),
            None => {
                sink.text(location::LOCATION, name.as_str());
                sink.name(location::STATUS, location_status::UNKNOWN);
            }
        }
    });
}

#[inline]
fn again<S: Sink>(sink: &mut S, memo: &mut Slot<Freshness>, field: Field, freshness: &Freshness) {
    memo.put(sink, *freshness, |sink| put_freshness(sink, field, freshness));
}

#[inline]
fn told_if<S: Sink>(sink: &mut S, field: Field, text: Option<Text<'_>>) {
    if let Some(text) = text {
        sink.plain(field, text.as_bytes());
    }
}
