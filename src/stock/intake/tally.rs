//! What is counted of changes: how many, and what was said to them. Labels are bounded, however many sources there are.

use std::collections::{HashMap, HashSet};

use metrics::{Counter, counter, describe_counter};

use crate::domain::ids::SourceId;
use crate::stock::config::StockConfig;
use crate::stock::event::Verdict;
use crate::stock::request::Outcome;

/// Sources that are counted by name, beyond those that are declared.
pub const OTHERS_NAMED_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Label {
    Named(SourceId),
    /// More than are counted by name.
    Others,
    /// Of sources that may not push.
    Unknown,
}

impl Label {
    fn text(&self) -> String {
        match self {
            Label::Named(source) => source.as_str().to_owned(),
            Label::Others => "(others)".to_owned(),
            Label::Unknown => "(unknown)".to_owned(),
        }
    }
}

/// Handles are made once for each source and what was said.
#[derive(Default)]
pub struct Tally {
    named: HashSet<SourceId>,
    named_max: usize,
    counters: HashMap<(Label, Verdict, &'static str), Counter>,
}

impl Tally {
    pub fn new(config: &StockConfig) -> Self {
        describe_counter!("comptoir_stock_changes_total", "Changes by source, verdict and reason");
        let named: HashSet<SourceId> = config.sources.iter().map(|source| source.name.clone()).collect();
        Self { named_max: named.len() + OTHERS_NAMED_MAX, named, counters: HashMap::new() }
    }

    pub fn count(&mut self, source: &SourceId, outcomes: &[Outcome]) {
        let said = |outcome: &Outcome| (outcome.verdict, outcome.reason.unwrap_or_default());
        // Neighbours mostly have the same fate.
        for run in outcomes.chunk_by(|one, other| said(one) == said(other)) {
            let (verdict, reason) = said(&run[0]);
            let label = self.label(source, reason);
            let counter = self.counters.entry((label.clone(), verdict, reason)).or_insert_with(|| {
                let (source, verdict) = (label.text(), verdict.as_str());
                counter!("comptoir_stock_changes_total", "source" => source, "verdict" => verdict, "reason" => reason)
            });
            counter.increment(run.len() as u64);
        }
    }

    fn label(&mut self, source: &SourceId, reason: &str) -> Label {
        if self.named.contains(source) {
            return Label::Named(source.clone());
        }
        if reason == "unknown_source" {
            return Label::Unknown;
        }
        if self.named.len() >= self.named_max {
            return Label::Others;
        }
        self.named.insert(source.clone());
        Label::Named(source.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded() {
        let source = |name: &str| SourceId::new(name).unwrap();
        let declared = crate::stock::SourceConfig::named(source("wms"));
        let config = StockConfig { sources: vec![declared], any_source: true, ..StockConfig::default() };
        let mut tally = Tally::new(&config);
        let applied = Outcome::of(Verdict::Applied);
        let unknown = Outcome::not_taken(Verdict::Rejected, "unknown_source", "");
        for number in 0..1000 {
            tally.count(&source(&format!("a{number}")), std::slice::from_ref(&unknown));
            tally.count(&source(&format!("b{number}")), &[applied.clone(), applied.clone(), unknown.clone()]);
        }
        tally.count(&source("wms"), &[applied]);
        assert_eq!(tally.counters.len(), OTHERS_NAMED_MAX * 2 + 3, "each of the named ones, others, unknown, and wms");
    }
}
