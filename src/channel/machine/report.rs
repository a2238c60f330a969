//! How the channel stands.

use super::Machine;
use super::count::TOO_MANY_ZEROS;
use crate::channel::event::Heard;
use crate::channel::report::{ChannelReport, PriceReport};

impl Machine {
    /// `lag`: changes of stock that are not worked in yet.
    pub fn report(&self, watermark: u64, lag: u64) -> ChannelReport {
        let condition = self.condition();
        let counts = self.pricing.counts();
        let guards = self.guard.stock.is_some() || self.guard.price;
        ChannelReport {
            name: self.policy.config().name.clone(),
            state: condition.state,
            policy: condition.policy,
            watermark,
            rows: self.tally.listed + self.tally.zeroed + self.tally.removed,
            listed: self.tally.listed,
            zeroed: self.tally.zeroed,
            removed: self.tally.removed,
            oldest_unacknowledged: match self.own.heard {
                Heard::Nothing => None,
                Heard::Sent | Heard::Results => self.unsaid.first().map(|(since, _)| *since),
            },
            held_locations: self.held.values().map(|(held, _)| held.clone()).collect(),
            guard: guards.then_some(TOO_MANY_ZEROS),
            prices: PriceReport {
                due: counts.due as u64,
                invalidated: counts.invalidated as u64,
                failed: counts.failed as u64,
                party: None,
            },
            lag,
        }
    }
}
