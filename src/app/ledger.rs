//! The stock ledger in a gateway: opened, looked at every second, and what operators see of it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use metrics::{describe_gauge, gauge};
use tokio::task;
use tokio_util::sync::CancellationToken;

use super::data::DataFolder;
use crate::clock::{Clock, Timestamp};
use crate::stock::intake::tally::OTHERS_NAMED_MAX;
use crate::stock::ledger::{Intaking, Ledger, Storage};
use crate::stock::{SourceReport, SourceState, StockConfig};

/// The ledger's folder in the gateway's.
const FOLDER: &str = "stock";

/// How often rows are looked at whose time may be over.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// Opens what is configured. It reads all that is there, so not on this thread.
pub async fn open(
    config: Option<StockConfig>,
    storage: Storage,
    data: Option<&DataFolder>,
    clock: Clock,
) -> anyhow::Result<Option<Ledger>> {
    let Some(config) = config else { return Ok(None) };
    let Some(data) = data else {
        bail!("[stock] needs server.data: a folder for what is pushed, for nobody can be asked for it again");
    };
    let folder = data.path.join(FOLDER);
    let named = folder.display().to_string();
    let opened = task::spawn_blocking(move || Ledger::open(config, &folder, clock, storage)).await?;
    let ledger = opened.with_context(|| format!("the stock ledger in {named} cannot be opened"))?;
    describe();
    Ok(Some(ledger))
}

/// Until it stops: ends rows whose time is over.
pub async fn tick(ledger: Ledger, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TICK_EVERY)).await.is_some() {
        ledger.tick();
    }
}

/// Returns where the ledger's writer panicked, when no more traffic is wanted: what it left behind is not to be believed, and
/// the next process starts from what is durable.
pub async fn watch(intaking: impl Fn() -> Intaking, ready: &AtomicBool) {
    while intaking() != Intaking::Broken {
        tokio::time::sleep(TICK_EVERY).await;
    }
    ready.store(false, Ordering::Release);
    tracing::error!("the stock ledger's writer has failed: the gateway drains and ends");
}

/// Waits for the disk, elsewhere.
pub async fn close(ledger: Ledger) -> anyhow::Result<()> {
    task::spawn_blocking(move || ledger.close()).await.context("the stock ledger could not be closed")
}

fn describe() {
    describe_gauge!(
        "comptoir_stock_intake_open",
        "1 while changes are taken; 0: storage failed, and only a restart helps"
    );
    describe_gauge!("comptoir_stock_waiting_changes", "Changes that wait for the disk");
    describe_gauge!("comptoir_stock_levels", "SKUs by location by measure that are held");
    describe_gauge!("comptoir_stock_source_state", "1 for the state a source is in, 0 for the others");
    describe_gauge!("comptoir_stock_source_sequence", "The number up to which a source is known without a gap");
    describe_gauge!("comptoir_stock_source_heard_seconds", "Since a source was last heard");
    describe_gauge!("comptoir_stock_source_gap_seconds", "Since when changes of a source, or a snapshot, are missing");
    describe_gauge!(
        "comptoir_stock_source_lag_seconds",
        "How late a source's newest change became visible, where it says when it was true"
    );
    describe_gauge!("comptoir_stock_source_rate", "Changes of a source in the last minute it was heard in");
}

const STATES: [SourceState; 4] =
    [SourceState::InSequence, SourceState::Gap, SourceState::Silent, SourceState::SnapshotRequired];

pub fn set_gauges(ledger: &Ledger, now: Timestamp) {
    let is_open = ledger.intaking() == Intaking::Open;
    gauge!("comptoir_stock_intake_open").set(f64::from(u8::from(is_open)));
    gauge!("comptoir_stock_waiting_changes").set(ledger.waiting() as f64);
    gauge!("comptoir_stock_levels").set(ledger.levels().len() as f64);
    for report in shown(ledger).0 {
        let source = report.source.as_str();
        let since = |at: Option<Timestamp>| at.map(|at| at.until(now).as_secs_f64());
        for state in STATES {
            let is_in = f64::from(u8::from(state == report.state));
            gauge!("comptoir_stock_source_state", "source" => source.to_owned(), "state" => state.as_str()).set(is_in);
        }
        let gauges = [
            ("comptoir_stock_source_sequence", Some(report.last_sequence as f64)),
            ("comptoir_stock_source_heard_seconds", since(report.last_heard)),
            ("comptoir_stock_source_gap_seconds", Some(since(report.gap_since).unwrap_or(0.0))),
            ("comptoir_stock_source_lag_seconds", ledger.lag(&report.source).map(|lag| lag.as_secs_f64())),
            ("comptoir_stock_source_rate", Some(report.rate as f64)),
        ];
        for (name, value) in gauges {
            if let Some(value) = value {
                gauge!(name, "source" => source.to_owned()).set(value);
            }
        }
    }
}

/// Lines for people, below readiness.
pub fn detail(ledger: &Ledger, now: Timestamp) -> String {
    let mut text = String::new();
    let intake = match ledger.intaking() {
        Intaking::Open => "taken",
        Intaking::ReadOnly => {
            "NOT TAKEN, storage failed (intake_read_only): see to the disk and restart; what is there is read on"
        }
        Intaking::Broken => "NOT TAKEN, the ledger's writer has failed (intake_read_only): the gateway ends",
        Intaking::Closed => "not taken any more, the gateway stops",
    };
    let (waiting, levels) = (ledger.waiting(), ledger.levels().len());
    // Into a text nothing fails.
    let _ = writeln!(text, "stock: changes are {intake}; {waiting} wait; {levels} levels");
    let (reports, more) = shown(ledger);
    for report in reports {
        let _ = writeln!(text, "stock source {}", source(ledger, &report, now));
    }
    if more > 0 {
        let _ = writeln!(text, "and {more} more sources");
    }
    text
}

fn source(ledger: &Ledger, report: &SourceReport, now: Timestamp) -> String {
    let ago = |at: Timestamp| format!("{} s", at.until(now).as_secs());
    let mut text = format!("{}: {} at {}", report.source, report.state.as_str(), report.last_sequence);
    match report.last_heard {
        Some(at) => text.push_str(&format!(", heard {} ago", ago(at))),
        None => text.push_str(", never heard"),
    }
    if let Some(since) = report.gap_since {
        text.push_str(&format!(", incomplete for {}", ago(since)));
    }
    if let Some(lag) = ledger.lag(&report.source) {
        text.push_str(&format!(", lag {}.{:03} s", lag.as_secs(), lag.subsec_millis()));
    }
    text.push_str(&format!(", {} changes in a minute", report.rate));
    if let Some(last) = report.rejects.first() {
        let (count, kind) = (report.rejects.len(), last.verdict.as_str());
        text.push_str(&format!(", {count} not taken lately, the last {} ago: {kind} {}", ago(last.at), last.reason));
    }
    text
}

/// Declared sources, and so many of the others; and how many more there are.
fn shown(ledger: &Ledger) -> (Vec<SourceReport>, usize) {
    let (mut shown, others): (Vec<_>, Vec<_>) =
        ledger.sources().into_iter().partition(|report| ledger.is_declared(&report.source));
    let more = others.len().saturating_sub(OTHERS_NAMED_MAX);
    shown.extend(others.into_iter().take(OTHERS_NAMED_MAX));
    (shown, more)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_panicked_ends_readiness_and_a_full_disk_does_not() {
        let (ready, looks) = (AtomicBool::new(true), AtomicUsize::new(0));
        let intaking = || match looks.fetch_add(1, Ordering::Relaxed) {
            0..5 => Intaking::ReadOnly,
            _ => Intaking::Broken,
        };
        let early = tokio::time::timeout(TICK_EVERY * 4, watch(intaking, &ready)).await;
        assert!(early.is_err() && ready.load(Ordering::Relaxed), "what is there is read on");
        watch(intaking, &ready).await;
        assert!(!ready.load(Ordering::Relaxed));
    }
}
