//! What the operator's graphs show of the dispatcher. Labels are closed sets: lanes, operations, reasons.

use std::time::Duration;

use super::lane::Lane;
use super::machine::{Departure, Load};
use super::refusal::Refusal;
use crate::erp::ErpError;
use crate::erp::breaker::State;
use crate::erp::connector::Operation;

#[derive(Debug)]
pub struct Metrics(());

impl Metrics {
    pub fn new() -> Self {
        use metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_counter!("comptoir_erp_calls_total", "ERP calls by operation and outcome");
        describe_counter!("comptoir_erp_lines_total", "Lines asked of the ERP by operation");
        describe_histogram!("comptoir_erp_call_seconds", metrics::Unit::Seconds, "Duration of ERP calls");
        describe_counter!("comptoir_erp_departures_total", "ERP calls by the lane whose turn it was");
        describe_counter!("comptoir_erp_refused_lines_total", "Awaited lines that were refused, by cause");
        describe_gauge!("comptoir_erp_lane_lines", "Lines waiting by lane and class");
        describe_gauge!("comptoir_erp_waiting_lines", "Lines waiting for a call");
        describe_gauge!("comptoir_erp_riders", "Lines that will come along with others");
        describe_gauge!("comptoir_erp_calls_in_flight", "ERP calls in the air");
        describe_gauge!("comptoir_erp_call_limit", "ERP calls at a time that the ERP bears just now");
        describe_gauge!("comptoir_erp_minute_used", "Slots of the minute in use");
        describe_gauge!("comptoir_erp_breaker_state", "0 closed, 1 half open, 2 open, by operation");
        describe_gauge!("comptoir_erp_denied_keys", "Keys not asked because the ERP fails for them");
        describe_counter!("comptoir_erp_dispatch_events_total", "Retries, bisections and the like, by kind");
        Self(())
    }

    pub fn departed(&self, departure: &Departure) {
        let class = if departure.background { "background" } else { "foreground" };
        let lane = departure.lane.as_str();
        metrics::counter!("comptoir_erp_departures_total", "lane" => lane, "class" => class).increment(1);
    }

    pub fn landed(&self, operation: Operation, lines: usize, took: Duration, error: Option<&ErpError>) {
        let operation = operation.as_str();
        let outcome = error.map_or("ok", ErpError::reason);
        metrics::counter!("comptoir_erp_calls_total", "operation" => operation, "outcome" => outcome).increment(1);
        metrics::counter!("comptoir_erp_lines_total", "operation" => operation).increment(lines as u64);
        metrics::histogram!("comptoir_erp_call_seconds", "operation" => operation).record(took);
    }

    pub fn refused(&self, refusal: Refusal) {
        metrics::counter!("comptoir_erp_refused_lines_total", "cause" => refusal.cause()).increment(1);
    }

    pub fn set_gauges(&self, load: &Load) {
        for (lane, lines) in Lane::ALL.into_iter().zip(load.lanes) {
            for (class, lines) in [("foreground", lines.foreground), ("background", lines.background)] {
                let labels = [("lane", lane.as_str()), ("class", class)];
                metrics::gauge!("comptoir_erp_lane_lines", &labels).set(lines as f64);
            }
        }
        let gauges = [
            ("comptoir_erp_waiting_lines", load.waiting),
            ("comptoir_erp_riders", load.riders),
            ("comptoir_erp_calls_in_flight", load.in_flight),
            ("comptoir_erp_call_limit", load.limit),
            ("comptoir_erp_minute_used", load.window_used),
            ("comptoir_erp_denied_keys", load.denied),
        ];
        for (name, value) in gauges {
            metrics::gauge!(name).set(value as f64);
        }
        for (operation, state) in &load.breakers {
            let value = match state {
                State::Closed => 0,
                State::HalfOpen { .. } => 1,
                State::Open(_) => 2,
            };
            metrics::gauge!("comptoir_erp_breaker_state", "operation" => operation.as_str()).set(value);
        }
        let tally = load.tally;
        let events = [
            ("retry", tally.retries),
            ("bisection", tally.bisections),
            ("half", tally.halves),
            ("denied", tally.denied),
            ("breaker_opened", tally.breaker_openings),
            ("sunk", tally.sunk),
            ("shed", tally.shed),
            ("rider_taken", tally.riders_taken),
            ("rider_forgotten", tally.riders_forgotten),
        ];
        for (kind, count) in events {
            metrics::counter!("comptoir_erp_dispatch_events_total", "kind" => kind).absolute(count);
        }
    }
}
