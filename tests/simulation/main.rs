//! The gateway's pure machines under an event loop of their own: the dispatcher's flights, lanes, accounts, budget, breaker,
//! limit, repetitions and searches, the invalidation stamps and the decision what may be served, against a model ERP that goes
//! wrong in every way and model callers that come, wait and vanish. Thousands of seeds in seconds.
//!
//! A seed draws a [`scenario`] ([`draw`]); a [`world`] runs it, event by event, with books of its own about what was promised
//! ([`ledger`], [`budget`], [`turns`], [`callers`]). The first promise that is broken ends the run; the scenario is then made
//! short ([`shrink`]) and printed. What never happened over all seeds was not tried, so that is a failure too ([`coverage`]).
//!
//! `SIM_SEEDS=100000` runs so many, `SIM_SEED=7` that one, printing all that happens. `library` has the whole library below the
//! socket, under tokio's paused time: `SIM_LIBRARY_SEEDS`, `SIM_LIBRARY_SEED`.

mod budget;
mod callers;
mod coverage;
mod draw;
mod erp;
mod key;
mod ledger;
mod library;
mod policy;
mod prng;
mod rows;
mod scenario;
mod shrink;
mod suite;
mod trace;
mod turns;
mod world;

use std::sync::Arc;

/// Seeds in the suite.
const SEEDS: u64 = 2_000;
/// So many must reach everything there is to reach.
const SEEDS_THAT_REACH_ALL: u64 = 2_000;

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}

#[test]
fn promises_hold_whatever_happens() {
    if let Some(seed) = number_from("SIM_SEED") {
        let run = suite::run(&draw::scenario(seed), true);
        for line in run.trace.lines.unwrap_or_default() {
            println!("{line}");
        }
        if run.verdict.is_err() {
            panic!("{}", suite::report(seed));
        }
        return;
    }
    let seeds = number_from("SIM_SEEDS").unwrap_or(SEEDS);
    let coverage = suite::run_all(seeds).unwrap_or_else(|report| panic!("{report}"));
    coverage.print();
    if seeds >= SEEDS_THAT_REACH_ALL {
        let never = coverage.never();
        assert!(never.is_empty(), "never happened in {seeds} seeds: {never:?}");
    }
}

/// The whole library below the socket; fewer seeds, because each is a runtime with a cache of its own.
#[test]
fn promises_hold_for_the_whole_library() {
    const SEEDS: u64 = 50;
    let one = number_from("SIM_LIBRARY_SEED");
    let seeds = one.map_or(0..number_from("SIM_LIBRARY_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut answered = 0;
    for seed in seeds {
        match library::run(seed) {
            Ok(answers) => answered += answers,
            Err(wrong) => panic!(
                "seed {seed}: {wrong}\nto run it again: SIM_LIBRARY_SEED={seed} cargo test --test simulation library"
            ),
        }
    }
    assert!(answered > 0, "nobody was answered");
}

/// P35: a simulation that does not repeat itself finds nothing anybody could find again.
#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..40 {
        let scenario = draw::scenario(seed);
        let (first, second) = (suite::run(&scenario, true), suite::run(&scenario, true));
        assert_eq!(first.events, second.events, "seed {seed}");
        assert_eq!(first.trace.lines, second.trace.lines, "seed {seed}");
        assert_eq!(first.trace.folded, second.trace.folded, "seed {seed}");
    }
    let runs: Vec<u64> = (0..40).map(|seed| suite::run(&draw::scenario(seed), false).trace.folded).collect();
    let mut differing = runs.clone();
    differing.sort_unstable();
    differing.dedup();
    assert_eq!(differing.len(), runs.len(), "another seed is another run");
}

fn asked_by() -> Arc<str> {
    "simulation".into()
}
