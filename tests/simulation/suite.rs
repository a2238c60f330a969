//! Runs seeds, on as many threads as there are cores, and reports the first that fails, made short.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use comptoir::cache::Epochs;

use crate::coverage::Coverage;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::world::World;
use crate::{draw, shrink};

/// What came of one run.
pub struct Run {
    pub verdict: Result<(), String>,
    pub trace: Trace,
    pub coverage: Coverage,
    pub events: u64,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// One table of cells for all runs of a thread: it is large, and stamps only ever grow.
    static EPOCHS: OnceCell<Epochs> = const { OnceCell::new() };
}

/// A panic of the code under test is a verdict like any other, and not printed a thousand times while a run is made short.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
}

pub fn run(scenario: &Scenario, record: bool) -> Run {
    hush();
    EPOCHS.with(|epochs| {
        let epochs = epochs.get_or_init(|| Epochs::with_cells(1 << 22, 1 << 10, 1));
        let mut world = World::new(scenario, epochs, record);
        QUIET.set(true);
        let verdict = catch_unwind(AssertUnwindSafe(|| world.run()));
        QUIET.set(false);
        let verdict = verdict.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        });
        let events = world.events_seen();
        // The machine of a run that panicked may be in any state: it is not dropped with care, only forgotten.
        let (trace, coverage) = (std::mem::take(&mut world.trace), std::mem::take(&mut world.coverage));
        Run { verdict, trace, coverage, events }
    })
}

/// Runs seeds from 0 up to `seeds`. Gives what was covered, or the report of the lowest seed that failed.
pub fn run_all(seeds: u64) -> Result<Coverage, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(seeds.max(1) as usize);
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(u64::MAX);
    // With all kinds of failures at hand it is easier to see which to look at first.
    let keep_going = std::env::var_os("SIM_KEEP_GOING").is_some();
    let kinds: Mutex<BTreeMap<String, (u64, u64)>> = Mutex::default();
    let coverage = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut coverage = Coverage::default();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds || (failed.load(Ordering::Relaxed) < seed && !keep_going) {
                            return coverage;
                        }
                        let run = run(&draw::scenario(seed), false);
                        coverage.add(&run.coverage);
                        if let Err(verdict) = run.verdict {
                            failed.fetch_min(seed, Ordering::Relaxed);
                            let mut kinds = kinds.lock().expect("no worker panics with it");
                            let (count, lowest) = kinds.entry(kind(&verdict)).or_insert((0, seed));
                            *count += 1;
                            *lowest = seed.min(*lowest);
                        }
                    }
                })
            })
            .collect();
        let mut all = Coverage::default();
        for worker in workers {
            all.add(&worker.join().expect("a worker catches panics"));
        }
        all
    });
    for (kind, (count, lowest)) in kinds.into_inner().expect("no worker panics with it") {
        println!("{count} seeds, the lowest {lowest}: {kind}");
    }
    match failed.into_inner() {
        u64::MAX => Ok(coverage),
        seed => Err(report(seed)),
    }
}

/// What kind of failure it is: its text without the numbers.
fn kind(verdict: &str) -> String {
    verdict.chars().filter(|letter| !letter.is_ascii_digit()).take(90).collect()
}

/// What failed with this seed, as short as it can be made.
pub fn report(seed: u64) -> String {
    let scenario = draw::scenario(seed);
    let first = run(&scenario, false).verdict.expect_err("the seed failed");
    if std::env::var_os("SIM_SHORTEN").is_some_and(|value| value == "0") {
        return format!("seed {seed}: {first}");
    }
    // A failure of another kind is another failure: what is looked for begins with the same property.
    let property = |verdict: &str| verdict.split([':', ',']).next().unwrap_or_default().to_owned();
    let wanted = property(&first);
    let fails = |candidate: &Scenario| run(candidate, false).verdict.is_err_and(|verdict| property(&verdict) == wanted);
    let shortest = shrink::shrink(&scenario, 3_000, fails);
    let last = run(&shortest, true);
    let steps: Vec<String> =
        shortest.steps.iter().map(|step| format!("  {:>8} ms  {:?}", step.at, step.what)).collect();
    let trace = last.trace.lines.unwrap_or_default();
    let tail = &trace[trace.len().saturating_sub(60)..];
    format!(
        "seed {seed}: {first}\n\nmade short: {}\n{:#?}\nsteps ({} of {}):\n{}\n\nthe last of what happened (seconds):\n  {}\n\n\
         to run it again: SIM_SEED={seed} cargo test --test simulation promises -- --nocapture\n",
        last.verdict.expect_err("the short one fails too"),
        shortest.setup,
        shortest.steps.len(),
        scenario.steps.len(),
        steps.join("\n"),
        tail.join("\n  "),
    )
}
