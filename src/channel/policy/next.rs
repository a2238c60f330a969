//! What of a row is published now. A fall is, and zero is, at once. A rise is when it has lasted: a channel counts down by itself
//! what it sells, and a figure from before such an order would put the unit back. Nothing is published that changes nothing.

use super::{Policy, Why, explain};
use crate::channel::row::{ChannelPrice, ChannelRow, Listing, Presence, Reasons, RowState};
use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::mutants::mutant;

/// What a row says, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub state: RowState,
    pub quantity: Option<Quantity>,
    pub price: Option<ChannelPrice>,
    pub lead_time_days: Option<u16>,
    pub reasons: Reasons,
}

/// What is known of a row beside what it shows. A row's own, kept as long as the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// There is more than is shown.
    pub rising: Option<Rising>,
    /// It is no longer the channel's.
    pub leaving_since: Option<Timestamp>,
}

/// Since when there is at least so much more than is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rising {
    pub since: Timestamp,
    /// The least there was meanwhile. `None`: the channel keeps the count.
    pub quantity: Option<Quantity>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// `None`: the row stays as it is.
    pub publish: Option<Shown>,
    /// To be kept for the next time.
    pub waiting: Waiting,
    /// When to look again although no fact has changed.
    pub again_at: Option<Timestamp>,
}

impl From<&ChannelRow> for Shown {
    fn from(row: &ChannelRow) -> Self {
        let ChannelRow { state, quantity, price, lead_time_days, reasons, .. } = *row;
        Self { state, quantity, price, lead_time_days, reasons }
    }
}

impl Policy {
    /// What becomes of a row that shows `published` (nothing, if it never was) when policy comes to `computed`.
    pub fn next(
        &self,
        published: Option<&Shown>,
        computed: &Listing,
        waiting: Waiting,
        now: Timestamp,
        why: impl Why,
    ) -> Next {
        let Listing { presence, quantity, price, lead_time_days, reasons } = *computed;
        let zeroed = Shown { state: RowState::Zeroed, quantity, price, lead_time_days, reasons };
        let Some(published) = published else {
            let listed = (presence == Presence::Listed).then_some(Shown { state: RowState::Listed, ..zeroed });
            why.keep(|steps| steps.push(explain::first(listed.as_ref())));
            return Next { publish: listed, waiting: Waiting::default(), again_at: None };
        };
        match presence {
            Presence::Listed => self.on_sale(published, computed, waiting, now, why),
            // What is gone comes back only to be sold.
            Presence::Zeroed | Presence::Leaving if published.state == RowState::Removed => {
                Next { publish: None, waiting: Waiting::default(), again_at: None }
            }
            Presence::Zeroed => {
                Next { publish: differs(zeroed, published), waiting: Waiting::default(), again_at: None }
            }
            Presence::Leaving => self.leaving(published, zeroed, waiting.leaving_since, now, why),
        }
    }

    /// The same row at zero for a reason that is not its own: the channel is told to stop.
    pub fn zeroed(&self, published: &Shown, reason: &'static str) -> Shown {
        let quantity = self.zero();
        Shown { state: RowState::Zeroed, quantity, reasons: [reason].into_iter().collect(), ..*published }
    }

    fn leaving(
        &self,
        published: &Shown,
        zeroed: Shown,
        since: Option<Timestamp>,
        now: Timestamp,
        why: impl Why,
    ) -> Next {
        let since = since.unwrap_or(now);
        let removed_at = since.plus(self.config.remove_after);
        // Never at one stroke: who reads changes is to see the zero.
        let goes = now >= removed_at && published.state == RowState::Zeroed || mutant!(RemovedAtOnce);
        why.keep(|steps| steps.push(explain::leaving(goes, removed_at)));
        if goes {
            let removed = Shown { state: RowState::Removed, price: None, lead_time_days: None, ..zeroed };
            return Next { publish: Some(removed), waiting: Waiting::default(), again_at: None };
        }
        let waiting = Waiting { leaving_since: Some(since), rising: None };
        Next { publish: differs(zeroed, published), waiting, again_at: Some(removed_at) }
    }

    fn on_sale(&self, published: &Shown, computed: &Listing, waiting: Waiting, now: Timestamp, why: impl Why) -> Next {
        let price = self.moved(published.price, computed.price, why);
        let Listing { quantity, lead_time_days, reasons, .. } = *computed;
        let all = Shown { state: RowState::Listed, quantity, price, lead_time_days, reasons };
        let is_rise = match (published.state == RowState::Listed, published.quantity, quantity) {
            (true, Some(was), Some(is)) => is > was,
            (true, _, _) => false,
            (false, _, quantity) => quantity.is_none_or(Quantity::is_positive),
        };
        let settle = self.config.settle;
        let is_fall = !is_rise && mutant!(FallWaits) && quantity < published.quantity;
        if !(is_rise || is_fall) || settle.is_zero() || mutant!(RiseAtOnce) {
            let publish = differs(all, published);
            return Next { publish, waiting: Waiting::default(), again_at: None };
        }
        let rising = match waiting.rising {
            Some(rising) => {
                let least = rising.quantity.zip(quantity).map(|(least, is)| least.min(is));
                let least = if mutant!(LatestRiseIsShown) { quantity } else { least.or(quantity) };
                Rising { since: rising.since, quantity: least }
            }
            None => Rising { since: now, quantity },
        };
        let shown_at = rising.since.plus(settle);
        if now < shown_at {
            why.keep(|steps| steps.push(explain::rising(published, &rising, shown_at)));
            let shown = Shown { quantity: published.quantity, ..all };
            let publish = if published.state == RowState::Listed { differs(shown, published) } else { None };
            let waiting = Waiting { rising: Some(rising), leaving_since: None };
            return Next { publish, waiting, again_at: Some(shown_at) };
        }
        // What came on top of it has to last in its turn.
        let more = (rising.quantity < quantity).then_some(Rising { since: now, quantity });
        let publish = differs(Shown { quantity: rising.quantity, ..all }, published);
        let waiting = Waiting { rising: more, leaving_since: None };
        Next { publish, waiting, again_at: more.map(|more| more.since.plus(settle)) }
    }

    /// The price to show: the published one stays while the new one is nearly the same.
    fn moved(
        &self,
        published: Option<ChannelPrice>,
        computed: Option<ChannelPrice>,
        why: impl Why,
    ) -> Option<ChannelPrice> {
        let (Some(was), Some(is)) = (published, computed) else { return computed };
        let Some(policy) = &self.config.price else { return computed };
        let Some(change_min) = policy.change_min else { return computed };
        let is_comparable = (was.currency, was.tax_basis) == (is.currency, is.tax_basis);
        let by = (is.amount.get() - was.amount.get()).abs();
        let may_stay = policy.floor.is_none_or(|floor| was.amount >= floor) || mutant!(SmallMoveBelowFloor);
        if !is_comparable || !may_stay || by >= change_min.get() || mutant!(EverySmallMoveIsShown) {
            return computed;
        }
        if by != rust_decimal::Decimal::ZERO {
            why.keep(|steps| steps.push(explain::small_move(was, is, change_min)));
        }
        published
    }
}

/// A row is published for what the channel sees of it.
fn differs(shown: Shown, published: &Shown) -> Option<Shown> {
    (shown != *published || mutant!(SamePublishedAgain)).then_some(shown)
}
