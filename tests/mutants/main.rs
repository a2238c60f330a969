//! The tests' own test: every switch of `src/mutants.rs` breaks one rule, and something must notice.
//!
//! Each switch is turned on in programs of its own, so that they do not mix: the unit tests named here, tests of behaviour,
//! or seeds of the simulation. If all of them stay green, or never come to the broken place, that is a failure. Runs only
//! with the feature `mutants`, from `tests/run`, which says where the programs are.

use comptoir::mutants::Mutant;

/// What is meant to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "mutants"), allow(dead_code))]
enum By {
    /// Unit tests whose path holds this.
    Unit(&'static str),
    /// Tests in `tests/behaviour` whose path holds this.
    Behaviour(&'static str),
    /// So many seeds of the pure machines.
    Seeds(u64),
}

use By::{Behaviour, Seeds, Unit};

const MACHINE: By = Unit("erp::dispatch::machine");
const BUDGET: By = Unit("erp::dispatch::budget");
const BREAKER: By = Unit("erp::breaker");
const LIMIT: By = Unit("erp::limit");
const EPOCHS: By = Unit("cache::epochs");
const FRESHNESS: By = Unit("offer::freshness");
const CHANGES: By = Unit("stock::changes");
const LEVELS: By = Unit("stock::levels");
const NUMBERS: By = Unit("stock::judge::tests::numbers");
const UNNUMBERED: By = Unit("stock::judge::tests::unnumbered");
const SNAPSHOTS: By = Unit("stock::judge::tests::snapshots");
const LEDGER: By = Unit("stock::ledger");
const CHANNEL_LOG: By = Unit("channel::log");
const CHANNEL_MACHINE: By = Unit("channel::machine");
const CHANNEL_MODEL: By = Unit("channel::reader");
const SHARING: By = Unit("offer::sharing");
const FILE_GUARD: By = Unit("channel::formats::guard");
const PRICING: By = Unit("channel::pricing");

const QUANTITY: By = Unit("channel::policy::tests::quantities");
const PRICE: By = Unit("channel::policy::tests::prices");
const NEXT: By = Unit("channel::policy::tests::changes");
const ASSORTMENT: By = Unit("channel::policy::tests::assortments");

const TABLE: &[(Mutant, &[By])] = &[
    (Mutant::JoinOlderAir, &[MACHINE, Seeds(50)]),
    (Mutant::JoinBeforeInvalidation, &[MACHINE, Seeds(200)]),
    (Mutant::NoInheritance, &[MACHINE, Seeds(200)]),
    (Mutant::FirstFactsStay, &[MACHINE]),
    (Mutant::RefuseJoiners, &[MACHINE, Seeds(50)]),
    (Mutant::RoundRobinOff, &[MACHINE, Seeds(400)]),
    (Mutant::LanesOff, &[MACHINE, Seeds(50)]),
    (Mutant::CeilingOff, &[MACHINE, BUDGET, Seeds(50)]),
    (Mutant::LowestLaneNever, &[MACHINE]),
    (Mutant::BackgroundFirst, &[MACHINE, Seeds(50)]),
    (Mutant::RiderCausesCall, &[MACHINE]),
    (Mutant::RefusedKeyForgotten, &[MACHINE, Seeds(50)]),
    (Mutant::ShedHighestFirst, &[MACHINE, Seeds(50)]),
    (Mutant::LongestWaitIgnored, &[MACHINE]),
    (Mutant::LatePageTrimmed, &[MACHINE]),
    (Mutant::SunkPriceLeavesStock, &[MACHINE]),
    (Mutant::StockOutlastsPrice, &[MACHINE]),
    (Mutant::SlotBackAtEnd, &[BUDGET, Seeds(200)]),
    (Mutant::BurstOff, &[BUDGET, Seeds(50)]),
    (Mutant::LowLanesTakeEachToken, &[BUDGET, Behaviour("overload")]),
    (Mutant::PermitsOff, &[BUDGET, Seeds(50)]),
    (Mutant::MaintenanceOff, &[MACHINE, BUDGET, Seeds(200)]),
    (Mutant::UncleanStartOff, &[BUDGET, Seeds(200)]),
    (Mutant::RetryTimedOut, &[MACHINE, Seeds(200)]),
    (Mutant::RetryWithoutBudget, &[MACHINE, Seeds(200)]),
    (Mutant::PoisonOpensBreaker, &[MACHINE]),
    (Mutant::NoBisection, &[MACHINE, Seeds(200)]),
    (Mutant::BreakerNeverOpens, &[BREAKER]),
    (Mutant::ProbesWithoutEnd, &[BREAKER]),
    (Mutant::LimitFedByRefusals, &[LIMIT]),
    (Mutant::LimitOnRawLatency, &[LIMIT]),
    (Mutant::BaselineUnderLoad, &[LIMIT]),
    (Mutant::ServeInvalidated, &[FRESHNESS, Seeds(200)]),
    (Mutant::CrossToldEnd, &[FRESHNESS, Seeds(400)]),
    (Mutant::AnnouncedWhileWaiting, &[Behaviour("invalidation")]),
    (Mutant::EndWhileWaiting, &[Behaviour("edges"), Behaviour("freshness")]),
    (Mutant::SoftTimePastMaxAge, &[FRESHNESS]),
    (Mutant::NoSoftTime, &[FRESHNESS]),
    (Mutant::MaintenanceCounts, &[FRESHNESS]),
    (Mutant::AgeFromLanding, &[Behaviour("freshness")]),
    (Mutant::CheckoutCrossesDay, &[Behaviour("edges"), Behaviour("freshness")]),
    (Mutant::NoWithoutMaxAge, &[Behaviour("freshness"), Behaviour("sharing"), Behaviour("edges")]),
    (Mutant::ShareSomebodysOwn, &[SHARING, Behaviour("sharing")]),
    (Mutant::ShareOtherList, &[SHARING, Behaviour("sharing")]),
    (Mutant::ShareDespiteOwnPrices, &[SHARING, Behaviour("sharing")]),
    (Mutant::FactsHaveNoStamp, &[Behaviour("invalidation")]),
    (Mutant::FactsHaveNoAge, &[Behaviour("sharing"), Behaviour("freshness")]),
    (Mutant::MarkWithOldStamp, &[EPOCHS, Seeds(200)]),
    (Mutant::PairWordsIgnored, &[EPOCHS, Seeds(400)]),
    (Mutant::StampAtLanding, &[Behaviour("invalidation")]),
    (Mutant::SettleNeverExpires, &[Unit("offer::"), Behaviour("invalidation")]),
    (Mutant::AnnouncementIgnored, &[Unit("offer::invalidation"), Behaviour("invalidation")]),
    (Mutant::WidenToTooLittle, &[Unit("offer::invalidation"), Behaviour("invalidation")]),
    (Mutant::ReplaySkipped, &[Behaviour("restart"), Behaviour("invalidation")]),
    (Mutant::SavedCellsForgotten, &[Behaviour("restart"), Behaviour("invalidation")]),
    (Mutant::JournalNotMissed, &[Unit("offer::warm"), Behaviour("restart")]),
    (Mutant::PendingNeverExpires, &[LEVELS]),
    (Mutant::PendingUndoubted, &[LEVELS]),
    (Mutant::PendingIgnored, &[LEVELS]),
    (Mutant::MissedForgotten, &[LEVELS]),
    (Mutant::HalfARequestIsSeen, &[LEVELS]),
    (Mutant::ZeroKeepsItsPlace, &[CHANGES]),
    (Mutant::IssuedRowKeepsItsPlace, &[CHANGES]),
    (Mutant::OneNumberZerosFirst, &[CHANGES]),
    (Mutant::HotRowsMoveToTheEnd, &[CHANGES]),
    (Mutant::NothingFromAhead, &[CHANGES]),
    (Mutant::RestartForgetsWhatWasIssued, &[CHANGES]),
    (Mutant::AnyCursorIsOurs, &[CHANGES]),
    (Mutant::LeftEpochTaken, &[NUMBERS]),
    (Mutant::GapTaken, &[NUMBERS]),
    (Mutant::RejectedKeepsItsNumber, &[NUMBERS]),
    (Mutant::ReusedNumberUnseen, &[NUMBERS]),
    (Mutant::OldAddTaken, &[UNNUMBERED]),
    (Mutant::LateSetTaken, &[UNNUMBERED]),
    (Mutant::PendingOutlivesReservation, &[NUMBERS]),
    (Mutant::AddNeedsNoBase, &[NUMBERS]),
    (Mutant::RejectedUnmarked, &[NUMBERS]),
    (Mutant::NotOwnerTaken, &[NUMBERS]),
    (Mutant::NumbersForgotten, &[NUMBERS]),
    (Mutant::EventIdForgotten, &[UNNUMBERED]),
    (Mutant::SnapshotReplaysAll, &[SNAPSHOTS]),
    (Mutant::OldSnapshotTaken, &[SNAPSHOTS]),
    (Mutant::EmptiedUnguarded, &[SNAPSHOTS]),
    (Mutant::PartCoversAll, &[SNAPSHOTS]),
    (Mutant::SnapshotForgetsLater, &[SNAPSHOTS]),
    (Mutant::NewEpochTaken, &[NUMBERS]),
    (Mutant::HeartbeatIgnored, &[NUMBERS]),
    (Mutant::FarHeartbeatUnmarked, &[NUMBERS]),
    (Mutant::NoiseLeavesAHole, &[NUMBERS]),
    (Mutant::SkipLosesWhatComes, &[NUMBERS]),
    (Mutant::ClockAheadBelieved, &[UNNUMBERED]),
    (Mutant::MissedUnmarked, &[NUMBERS]),
    (Mutant::LedgerUnbounded, &[NUMBERS]),
    (Mutant::NumberingForgotten, &[UNNUMBERED]),
    (Mutant::RemovedRowComesBack, &[UNNUMBERED]),
    (Mutant::UngivenNetIsZero, &[SNAPSHOTS]),
    (Mutant::VisibleBeforeDurable, &[LEDGER]),
    (Mutant::AcknowledgedBeforeDurable, &[LEDGER]),
    (Mutant::EarlyIsNotHeld, &[LEDGER]),
    (Mutant::ZeroWaitsItsTurn, &[CHANNEL_LOG]),
    (Mutant::PurgedUnsaid, &[CHANNEL_LOG]),
    (Mutant::VersionsBeginAnew, &[CHANNEL_MACHINE]),
    (Mutant::DoubtIsNotHeld, &[CHANNEL_MACHINE]),
    (Mutant::MassZeroUnguarded, &[CHANNEL_MACHINE]),
    (Mutant::PurgeForgets, &[CHANNEL_MACHINE]),
    (Mutant::PublishedBeforeDurable, &[CHANNEL_MODEL]),
    (Mutant::ConsumedBeforeRows, &[CHANNEL_MODEL]),
    (Mutant::LostVersionsStay, &[CHANNEL_MODEL]),
    (Mutant::BasketTrustsDoubt, &[Behaviour("ledger_in_offers")]),
    (Mutant::DoubtAnsweredFromBefore, &[Behaviour("ledger_in_offers")]),
    (Mutant::DoubtUnsaid, &[Behaviour("ledger_in_offers")]),
    (Mutant::OlderFileTaken, &[FILE_GUARD]),
    (Mutant::SmallFileGuarded, &[FILE_GUARD]),
    (Mutant::ForcedFileGuarded, &[FILE_GUARD]),
    (Mutant::ShrunkFileTaken, &[FILE_GUARD]),
    (Mutant::ZeroedFileTaken, &[FILE_GUARD]),
    (Mutant::AnswerFromBeforeTaken, &[PRICING]),
    (Mutant::InvalidatedNotFirst, &[PRICING]),
    (Mutant::FailedPriceAskedAtOnce, &[PRICING]),
    (Mutant::LeastUrgentNever, &[PRICING]),
    (Mutant::PriceEndForgotten, &[PRICING]),
    (Mutant::ListenerNotAwaited, &[Behaviour("invalidation")]),
    (Mutant::UnknownListSpared, &[Unit("offer::invalidation::listener")]),
    (Mutant::UnfitIsSold, &[ASSORTMENT]),
    (Mutant::ExcludedIsSold, &[ASSORTMENT]),
    (Mutant::ChannelsStockIsCounted, &[QUANTITY]),
    (Mutant::EachLocationAtLeastZero, &[QUANTITY]),
    (Mutant::ReserveIgnored, &[QUANTITY]),
    (Mutant::ThresholdIsSafetyStock, &[QUANTITY]),
    (Mutant::ShareBeforeReserve, &[QUANTITY]),
    (Mutant::CapBeforePack, &[QUANTITY]),
    (Mutant::PackRoundedUp, &[QUANTITY]),
    (Mutant::LessThanNothingIsShown, &[QUANTITY]),
    (Mutant::ZeroLocationIsSold, &[QUANTITY]),
    (Mutant::HeldLocationIsZero, &[QUANTITY]),
    (Mutant::NoOnlyZeroes, &[PRICE]),
    (Mutant::EndedPriceIsAsked, &[PRICE]),
    (Mutant::InvalidatedForEver, &[PRICE]),
    (Mutant::HeldUnsaid, &[PRICE]),
    (Mutant::AnyCurrencyIsAsked, &[PRICE]),
    (Mutant::TaxRateIsInvented, &[PRICE]),
    (Mutant::BelowTheFloorPrice, &[PRICE]),
    (Mutant::PackCostsOneUnit, &[PRICE]),
    (Mutant::BaseQuantityIgnored, &[PRICE]),
    (Mutant::RoundedTwice, &[PRICE]),
    (Mutant::EndingBelowThePrice, &[PRICE]),
    (Mutant::RemovedAtOnce, &[NEXT]),
    (Mutant::RiseAtOnce, &[NEXT]),
    (Mutant::FallWaits, &[NEXT]),
    (Mutant::LatestRiseIsShown, &[NEXT]),
    (Mutant::SmallMoveBelowFloor, &[NEXT]),
    (Mutant::EverySmallMoveIsShown, &[NEXT]),
    (Mutant::SamePublishedAgain, &[NEXT]),
];

#[test]
fn every_switch_has_one_entry() {
    for mutant in Mutant::ALL {
        let entries = TABLE.iter().filter(|(listed, _)| listed == mutant).count();
        assert_eq!(entries, 1, "say in tests/mutants/main.rs which tests notice {mutant:?}");
    }
    assert!(TABLE.iter().all(|(_, by)| !by.is_empty()));
}

#[cfg(feature = "mutants")]
mod hunt {
    use std::io::{BufRead as _, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{By, Mutant, TABLE};

    /// What one program made of a switch.
    enum Verdict {
        Killed(Proof),
        Green,
        NeverReached,
    }

    /// What failed.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Proof {
        Test(By, String),
        /// The program went round in circles, or crashed.
        Program(By),
    }

    /// How a program ended.
    enum Ended {
        Well,
        /// With this test's failure, if it was one.
        Badly(Option<String>),
    }

    struct Programs {
        unit: PathBuf,
        behaviour: PathBuf,
        simulation: PathBuf,
        /// For the word that a switch was reached.
        folder: tempfile::TempDir,
    }

    impl Programs {
        fn from_environment() -> Self {
            let program = |variable: &str| {
                let path = std::env::var_os(variable).unwrap_or_else(|| panic!("tests/run sets {variable}"));
                PathBuf::from(path)
            };
            Self {
                unit: program("COMPTOIR_UNIT_TESTS"),
                behaviour: program("COMPTOIR_BEHAVIOUR_TESTS"),
                simulation: program("COMPTOIR_SIMULATION"),
                folder: tempfile::tempdir().expect("a folder"),
            }
        }

        /// A test program, as it is told what to run.
        fn command(&self, by: By) -> Command {
            let (program, filter) = match by {
                By::Unit(filter) => (&self.unit, filter),
                By::Behaviour(filter) => (&self.behaviour, filter),
                By::Seeds(_) => (&self.simulation, "promises_hold_whatever_happens"),
            };
            let mut command = Command::new(program);
            command.arg(filter).env("RUST_BACKTRACE", "0").stdout(Stdio::piped()).stderr(Stdio::null());
            if let By::Seeds(seeds) = by {
                command.env("SIM_SEEDS", seeds.to_string()).env("SIM_SHORTEN", "0");
            }
            command
        }

        fn try_out(&self, mutant: Mutant, by: By, number: usize) -> Verdict {
            let reached: &Path = &self.folder.path().join(format!("{}-{number}", mutant.name()));
            let mut command = self.command(by);
            // What fails by a switch is no case to remember, or to make smaller.
            command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true").env("PROPTEST_MAX_SHRINK_ITERS", "0");
            command.env("COMPTOIR_MUTANT", mutant.name()).env("COMPTOIR_MUTANT_REACHED", reached);
            let ended = run(command);
            match (reached.exists(), ended) {
                (false, _) => Verdict::NeverReached,
                (true, Ended::Well) => Verdict::Green,
                (true, Ended::Badly(Some(test))) => Verdict::Killed(Proof::Test(by, test)),
                (true, Ended::Badly(None)) => Verdict::Killed(Proof::Program(by)),
            }
        }

        /// Whether there are any tests of this name.
        fn exist(&self, by: By) -> bool {
            let output = self.command(by).arg("--list").output().expect("the program runs");
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains(": test\n")
        }

        /// Whether it succeeds without a switch: what fails anyway notices nothing.
        fn is_green(&self, proof: &Proof) -> bool {
            let output = match proof {
                Proof::Test(by, test) => self.command(*by).args([test, "--exact"]).output(),
                Proof::Program(by) => self.command(*by).output(),
            };
            let output = output.expect("the program runs");
            output.status.success() && !String::from_utf8_lossy(&output.stdout).contains(" 0 passed")
        }
    }

    /// Runs a program until the first of its tests fails, or for so long that it must be going round in circles.
    fn run(mut command: Command) -> Ended {
        const LONGEST: Duration = Duration::from_secs(60);
        let mut child = command.spawn().expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, said) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let end = Instant::now() + LONGEST;
        let failed = loop {
            match said.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let failed = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"));
                    if let Some(failed) = failed {
                        break Some(failed.to_owned());
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break None,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let ended_well = child.wait().expect("it is our child").success();
                    return if ended_well { Ended::Well } else { Ended::Badly(None) };
                }
            }
        };
        child.kill().and_then(|()| child.wait()).expect("it is our child");
        Ended::Badly(failed)
    }

    /// Does this with each, as many at a time as there are processors; what came of it, in no order.
    fn each<T: Sync, R: Send>(all: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(job(one));
            }
            done
        };
        thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(1, usize::from);
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker comes back")).collect()
        })
    }

    #[test]
    fn every_switch_is_noticed() {
        let programs = Programs::from_environment();
        let missing: Vec<&By> = TABLE.iter().flat_map(|(_, by)| *by).filter(|by| !programs.exist(**by)).collect();
        assert!(missing.is_empty(), "there are no such tests: {missing:?}");

        let hunted = each(TABLE, |(mutant, by)| hunt(&programs, *mutant, by));
        let survivors: Vec<&String> = hunted.iter().filter_map(|hunted| hunted.as_ref().err()).collect();
        let mut proofs: Vec<&Proof> = hunted.iter().filter_map(|hunted| hunted.as_ref().ok()).collect();
        proofs.sort();
        proofs.dedup();
        let not_green: Vec<&Proof> =
            each(&proofs, |proof| (!programs.is_green(proof)).then_some(*proof)).into_iter().flatten().collect();
        assert!(not_green.is_empty(), "without any switch these fail too: {not_green:?}");
        println!("{} of {} switches were noticed", TABLE.len() - survivors.len(), TABLE.len());
        assert!(survivors.is_empty(), "{survivors:#?}");
    }

    /// What noticed it.
    fn hunt(programs: &Programs, mutant: Mutant, by: &[By]) -> Result<Proof, String> {
        let (mut reached, started) = (false, Instant::now());
        for (number, by) in by.iter().enumerate() {
            match programs.try_out(mutant, *by, number) {
                Verdict::Killed(proof) => {
                    println!("{mutant:?}: noticed by {proof:?} after {} ms", started.elapsed().as_millis());
                    return Ok(proof);
                }
                Verdict::Green => reached = true,
                Verdict::NeverReached => {}
            }
        }
        Err(format!("{mutant:?}: {}", if reached { "stays unnoticed" } else { "is never reached" }))
    }
}
