//! Which sources there are, what they own, and how long is waited for whom.

use std::time::Duration;

use crate::domain::LocationId;
use crate::domain::change::Measure;
use crate::domain::ids::SourceId;

/// The ledger's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockConfig {
    pub sources: Vec<SourceConfig>,
    /// Any source may push any location and measure that no declared one owns. The demo's setting; default off.
    pub any_source: bool,
    /// Most levels (SKU × location × measure) ever seen; beyond, changes of new ones are REJECTED `ledger_full`. Default
    /// 5,000,000.
    pub levels_max: usize,
    /// Most changes of one request. Default 10,000.
    pub changes_max: usize,
    /// Most changes in the queue to the writer, over all requests. Default 100,000.
    pub queue_changes_max: usize,
}

impl Default for StockConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            any_source: false,
            levels_max: 5_000_000,
            changes_max: 10_000,
            queue_changes_max: 100_000,
        }
    }
}

/// A change whose number is beyond the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGap {
    /// It is not taken: GAP, until what is missing is sent, skipped or covered by a snapshot.
    #[default]
    Stop,
    /// It is taken; rows not restated since count as suspect.
    Continue,
}

/// One source and what it owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    pub name: SourceId,
    /// Empty: all that no other source owns.
    pub locations: Vec<LocationId>,
    /// Empty: all.
    pub measures: Vec<Measure>,
    /// Longest wait for the numbers before an early one. Default 1 s.
    pub reorder_wait: Duration,
    /// Most changes of one source that wait for numbers before theirs. Default 10,000.
    pub reorder_changes_max: usize,
    pub on_gap: OnGap,
    /// How long a GAP may last before the source's figures are marked. Default 2 s.
    pub gap_grace: Duration,
    /// Most numbers that may be missing before one, up to what it says to follow; more is REJECTED `out_of_range`. Default
    /// 1,000,000.
    pub gap_max: u64,
    /// Not heard for so long, a source's figures are marked `source_silent`. Absent: never.
    pub silent_after: Option<Duration>,
    /// Furthest `effectiveAt` may be ahead of our clock. Default 5 min.
    pub skew_max: Duration,
    /// How long the `eventId`s of a source without numbers are remembered. Default 24 h.
    pub dedupe_window: Duration,
    /// Most `eventId`s remembered. Default 1,000,000.
    pub dedupe_max: usize,
    /// A snapshot that empties more than this share of ON_HAND and AVAILABLE rows, in percent, and more than
    /// `zeroed_rows_min` of them, is refused unless forced or said twice. Default 20.
    pub zeroed_percent_max: u32,
    /// Default 50.
    pub zeroed_rows_min: u64,
}

impl SourceConfig {
    pub fn named(name: SourceId) -> Self {
        Self {
            name,
            locations: Vec::new(),
            measures: Vec::new(),
            reorder_wait: Duration::from_secs(1),
            reorder_changes_max: 10_000,
            on_gap: OnGap::Stop,
            gap_grace: Duration::from_secs(2),
            gap_max: 1_000_000,
            silent_after: None,
            skew_max: Duration::from_secs(300),
            dedupe_window: Duration::from_secs(24 * 3600),
            dedupe_max: 1_000_000,
            zeroed_percent_max: 20,
            zeroed_rows_min: 50,
        }
    }
}
