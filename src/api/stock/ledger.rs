//! The ledger behind the wires.

use tokio::sync::mpsc;

use super::{Later, Stock};
use crate::clock::Timestamp;
use crate::domain::Sku;
use crate::domain::ids::SourceId;
use crate::stock::Ledger;
use crate::stock::levels::Told;
use crate::stock::report::SourceReport;
use crate::stock::request::{Answer, IntakeError, Request, SnapshotAnswer, SnapshotError, SnapshotHead, SnapshotPart};

impl Stock for Ledger {
    fn push(&self, request: Request) -> Later<Result<Answer, IntakeError>> {
        Box::pin(Ledger::push(self, request))
    }

    fn put_snapshot(
        &self,
        head: SnapshotHead,
        parts: mpsc::Receiver<SnapshotPart>,
    ) -> Later<Result<SnapshotAnswer, SnapshotError>> {
        Box::pin(Ledger::put_snapshot(self, head, parts))
    }

    fn skip_gap(&self, source: SourceId, to: Option<u64>) -> Later<Result<SourceReport, IntakeError>> {
        Box::pin(Ledger::skip_gap(self, source, to))
    }

    fn source(&self, source: &SourceId) -> Option<SourceReport> {
        Ledger::source(self, source)
    }

    fn sources(&self) -> Vec<SourceReport> {
        Ledger::sources(self)
    }

    fn rows(&self, skus: &[Sku], now: Timestamp) -> Vec<(Told, SourceId)> {
        let mut rows: Vec<(Told, SourceId)> = Vec::new();
        // Held for the probes alone: the writer waits meanwhile.
        let view = self.levels().view(now);
        let mut ends = Vec::with_capacity(skus.len());
        for sku in skus {
            view.rows(sku.as_str(), |told, source| {
                // Kept for the rules, and counted by nobody.
                if !told.row.is_over(&told.key, now) {
                    rows.push((told, source.clone()));
                }
            });
            ends.push(rows.len());
        }
        drop(view);
        let mut from = 0;
        for end in ends {
            rows[from..end].sort_unstable_by(|(one, _), (other, _)| one.key.cmp(&other.key));
            from = end;
        }
        rows
    }
}
