//! The ledger's answers as messages.

use crate::api::proto;
use crate::clock::Timestamp;
use crate::domain::ids::SourceId;
use crate::stock::event::{Original, Verdict};
use crate::stock::levels::Told;
use crate::stock::report::{Reject, SourceReport, SourceState};
use crate::stock::request::{Answer, Outcome, SnapshotAnswer};

/// `lines`: where each change stood, in NDJSON.
pub fn pushed(answer: Answer, lines: Option<&[u64]>, credits: Option<u64>) -> proto::PushChangesResponse {
    let results = answer.outcomes.into_iter().enumerate().map(|(index, outcome)| {
        let not_taken = matches!(outcome.verdict, Verdict::Rejected | Verdict::Conflict);
        let line = lines.and_then(|lines| lines.get(index)).copied().filter(|_| not_taken);
        result(outcome, line)
    });
    proto::PushChangesResponse {
        results: results.collect(),
        last_sequence: Some(answer.last_sequence),
        applied: Some(answer.applied),
        rejected: Some(answer.rejected),
        expected_sequence: answer.expected_sequence,
        credits,
    }
}

fn result(outcome: Outcome, line: Option<u64>) -> proto::ChangeResult {
    proto::ChangeResult {
        verdict: verdict(outcome.verdict),
        reason: outcome.reason.map(Into::into),
        detail: outcome.detail.map(Into::into),
        change_id: outcome.change_id,
        original: outcome.original.map(original),
        expected_sequence: outcome.expected_sequence,
        line,
    }
}

fn original(original: Original) -> proto::OriginalResult {
    proto::OriginalResult {
        verdict: verdict(original.verdict),
        reason: original.reason.map(Into::into),
        change_id: original.change_id,
    }
}

fn verdict(verdict: Verdict) -> i32 {
    use proto::verdict::Value;
    let value = match verdict {
        Verdict::Applied => Value::Applied,
        Verdict::Duplicate => Value::Duplicate,
        Verdict::OutOfDate => Value::OutOfDate,
        Verdict::Gap => Value::Gap,
        Verdict::Conflict => Value::Conflict,
        Verdict::Rejected => Value::Rejected,
    };
    value.into()
}

pub fn snapshot(answer: SnapshotAnswer) -> proto::PutSnapshotResponse {
    let rejects = answer.rejects.into_iter().map(|(line, fault)| proto::RejectedRow {
        line,
        reason: fault.reason.into(),
        detail: fault.detail.into(),
    });
    proto::PutSnapshotResponse {
        rows: Some(answer.rows),
        rejected: Some(answer.rejected),
        changed: Some(answer.changed),
        zeroed: Some(answer.zeroed),
        last_sequence: Some(answer.last_sequence),
        dry_run: Some(answer.dry_run),
        rejects: rejects.collect(),
    }
}

pub fn source(report: SourceReport) -> proto::StockSource {
    use proto::source_state::Value;
    let state = match report.state {
        SourceState::InSequence => Value::InSequence,
        SourceState::Gap => Value::Gap,
        SourceState::Silent => Value::Silent,
        SourceState::SnapshotRequired => Value::SnapshotRequired,
    };
    proto::StockSource {
        source: report.source.as_str().into(),
        epoch: Some(report.epoch.as_str().into()),
        last_sequence: Some(report.last_sequence),
        state: state.into(),
        last_heard_at: report.last_heard.map(instant),
        gap_since: report.gap_since.map(instant),
        rate: Some(report.rate),
        rejects: report.rejects.into_iter().map(reject).collect(),
    }
}

fn reject(reject: Reject) -> proto::RecentReject {
    proto::RecentReject {
        at: Some(instant(reject.at)),
        verdict: verdict(reject.verdict),
        reason: reject.reason.into(),
        detail: reject.detail.into(),
        sequence: reject.sequence,
        event_id: reject.event_id.map(Into::into),
        sku: reject.sku.map(|sku| sku.as_str().into()),
        location: reject.location.map(|location| location.as_str().into()),
    }
}

pub fn sources(reports: Vec<SourceReport>) -> proto::ListSourcesResponse {
    proto::ListSourcesResponse { sources: reports.into_iter().map(source).collect() }
}

pub fn levels(rows: Vec<(Told, SourceId)>) -> proto::GetLevelsResponse {
    proto::GetLevelsResponse { levels: rows.into_iter().map(level).collect() }
}

fn level((told, source): (Told, SourceId)) -> proto::StockLevel {
    let Told { key, row, suspect } = told;
    proto::StockLevel {
        sku: key.sku.as_str().into(),
        location: key.location.as_str().into(),
        measure: key.measure as i32,
        row: Some(key.row.as_str().into()),
        quantity: row.quantity.to_string(),
        expected_on: row.expected_on.map(|date| date.to_string()),
        changed_at: Some(instant(row.changed_at)),
        suspect: Some(suspect),
        expires_at: row.expires_at.map(instant),
        source: source.as_str().into(),
    }
}

fn instant(at: Timestamp) -> prost_types::Timestamp {
    let nanos = at.0.rem_euclid(1000) * 1_000_000;
    prost_types::Timestamp { seconds: at.0.div_euclid(1000), nanos: nanos as i32 }
}
