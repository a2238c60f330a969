//! What is counted of channels. Labels are channels' names.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::channel::log::{Change, is_urgent};
use crate::channel::report::ChannelReport;
use crate::clock::Timestamp;

/// Of one channel; handles are made once.
pub struct Gauges {
    changes: Counter,
    urgent: Counter,
    listed: Gauge,
    zeroed: Gauge,
    removed: Gauge,
    lag: Gauge,
    unacknowledged: Gauge,
    held: Gauge,
    guard: Gauge,
    due: Gauge,
}

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

impl Gauges {
    pub fn of(channel: &str) -> Self {
        describe_counter!("comptoir_channel_changes_total", "Rows published by channel and urgency");
        describe_gauge!("comptoir_channel_rows", "Rows by channel and state");
        describe_gauge!("comptoir_channel_lag_changes", "Changes of stock that are not worked in yet");
        describe_gauge!(
            "comptoir_channel_oldest_unacknowledged_seconds",
            "How long ago the oldest change was published that nobody said anything of; 0: there is none"
        );
        describe_gauge!("comptoir_channel_held_locations", "Locations whose figures are held");
        describe_gauge!("comptoir_channel_guard", "1: zeros wait until somebody insists");
        describe_gauge!("comptoir_channel_prices_due", "Prices that are to be asked");
        let rows =
            |state: &'static str| gauge!("comptoir_channel_rows", "channel" => channel.to_owned(), "state" => state);
        let changes = |urgent: &'static str| counter!("comptoir_channel_changes_total", "channel" => channel.to_owned(), "urgent" => urgent);
        Self {
            changes: changes("false"),
            urgent: changes("true"),
            listed: rows("LISTED"),
            zeroed: rows("ZEROED"),
            removed: rows("REMOVED"),
            lag: gauge!("comptoir_channel_lag_changes", "channel" => channel.to_owned()),
            unacknowledged: gauge!("comptoir_channel_oldest_unacknowledged_seconds", "channel" => channel.to_owned()),
            held: gauge!("comptoir_channel_held_locations", "channel" => channel.to_owned()),
            guard: gauge!("comptoir_channel_guard", "channel" => channel.to_owned()),
            due: gauge!("comptoir_channel_prices_due", "channel" => channel.to_owned()),
        }
    }

    pub fn changed(&self, changes: &[Change]) {
        let (mut all, mut urgent) = (0, 0);
        for change in changes {
            if let Change::Row(_, row) = change {
                all += 1;
                urgent += u64::from(is_urgent(row));
            }
        }
        self.changes.increment(all - urgent);
        self.urgent.increment(urgent);
    }

    pub fn set(&self, report: &ChannelReport, now: Timestamp) {
        self.listed.set(report.listed as f64);
        self.zeroed.set(report.zeroed as f64);
        self.removed.set(report.removed as f64);
        self.lag.set(report.lag as f64);
        let oldest = report.oldest_unacknowledged.map_or(0, |since| since.until(now).as_secs());
        self.unacknowledged.set(oldest as f64);
        self.held.set(report.held_locations.len() as f64);
        self.guard.set(f64::from(u8::from(report.guard.is_some())));
        self.due.set(report.prices.due as f64);
    }
}
