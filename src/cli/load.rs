//! `comptoir load`: a storefront's traffic against a running gateway, to see what it bears and what the ERP is spared.
//!
//! Owns: what is asked and when ([`plan`], [`zipf`]), sending it on time over both wires ([`runner`], [`client`]), counting
//! ([`answer`], [`tally`]) and telling ([`report`], [`progress`]). Its customers and SKUs are the simulated ERP's. It shares
//! the machine with what it measures, so it keeps to one thread and reads of an answer only what it counts.

mod answer;
mod client;
mod erp;
pub mod plan;
mod progress;
mod question;
mod report;
mod runner;
mod tally;
pub mod zipf;

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::LocalSet;

use self::client::Target;
use self::plan::{Mix, Traffic};
use self::report::Report;
pub use self::report::grouped;
use self::runner::{Load, Wire};
use crate::clock::Clock;
use crate::domain::Purpose;
use crate::human;

/// Sends a storefront's traffic to a running gateway, at times fixed in advance, and tells what came of it.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// The gateway.
    #[arg(long, default_value = "http://127.0.0.1:7070", value_name = "URL")]
    pub target: String,
    /// Permit a target that is not this machine.
    #[arg(long)]
    pub allow_remote: bool,
    /// Over which wire pages are asked.
    #[arg(long, value_enum, default_value = "both")]
    pub wire: Wire,
    /// Connections of each wire; of HTTP more are opened while all are busy.
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub connections: u16,
    #[command(flatten)]
    pub shape: Shape,
    /// What each purpose gives the gateway: one duration, or LIST=500ms,CHECKOUT=2s
    #[arg(long, default_value = "LIST=500ms,DETAIL=800ms,CART=900ms,CHECKOUT=2s", value_name = "DURATIONS")]
    pub timeout: Timeouts,
    /// The simulated ERP behind the gateway, to count its calls. Its counters begin again.
    #[arg(long, value_name = "URL")]
    pub erp: Option<String>,
    /// Print one JSON object instead of a report.
    #[arg(long)]
    pub json: bool,
}

/// What is asked, and when.
#[derive(Debug, clap::Args)]
pub struct Shape {
    /// Pages a second, on average.
    #[arg(long, default_value = "50", value_name = "PAGES", value_parser = positive)]
    pub rate: f64,
    /// For how long pages are sent.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = human::duration)]
    pub duration: Duration,
    /// The same seed asks the same pages at the same times.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// SKUs to choose from, as the simulated ERP numbers them.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub skus: u32,
    /// Customers to choose from, likewise.
    #[arg(long, default_value_t = 5_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub customers: u32,
    /// Of Zipf's law, for SKUs and customers: 0 is all alike, more is fewer favourites.
    #[arg(long, default_value = "1.0", value_name = "EXPONENT", value_parser = not_negative)]
    pub zipf: f64,
    /// How often each purpose is asked for, as weights.
    #[arg(long, default_value = "LIST=85,DETAIL=8,CART=5,CHECKOUT=2", value_name = "WEIGHTS", value_parser = mix)]
    pub mix: Mix,
    /// Lines of a page.
    #[arg(long, default_value = "24..48", value_name = "LEAST..MOST", value_parser = lines)]
    pub lines: RangeInclusive<u32>,
}

impl Shape {
    pub fn traffic(&self) -> anyhow::Result<Traffic> {
        ensure!(*self.lines.end() <= self.skus, "--lines: a page shows an article once, and there are {}", self.skus);
        Ok(Traffic {
            seed: self.seed,
            rate: self.rate,
            duration: self.duration,
            skus: self.skus,
            customers: self.customers,
            exponent: self.zipf,
            mix: self.mix.clone(),
            lines: self.lines.clone(),
        })
    }
}

/// When the gateway is to answer with what it knows, by purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts([Duration; Purpose::ALL.len()]);

impl Timeouts {
    fn of(&self, purpose: Purpose) -> Duration {
        self.0[purpose as usize]
    }
}

impl FromStr for Timeouts {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        // What is not named is left at the gateway's own default.
        const OTHERS: Duration = Duration::from_secs(2);
        if let Ok(all) = human::duration(text) {
            return Ok(Self([all; Purpose::ALL.len()]));
        }
        let mut timeouts = [OTHERS; Purpose::ALL.len()];
        for (purpose, value) in by_purpose(text)? {
            timeouts[purpose as usize] = human::duration(value)?;
        }
        Ok(Self(timeouts))
    }
}

fn mix(text: &str) -> anyhow::Result<Mix> {
    let mut weights = [0; Purpose::ALL.len()];
    for (purpose, value) in by_purpose(text)? {
        weights[purpose as usize] = value.parse().with_context(|| format!("{value:?} is no weight"))?;
    }
    Mix::new(weights).context("the weights must add up to more than nothing")
}

/// Reads `LIST=…,CART=…`.
fn by_purpose(text: &str) -> anyhow::Result<Vec<(Purpose, &str)>> {
    text.split(',')
        .map(|part| {
            let (name, value) = part.split_once('=').with_context(|| format!("{part:?}: write LIST=…"))?;
            let purpose = Purpose::from_name(name.trim()).with_context(|| format!("{name:?} is no purpose"))?;
            Ok((purpose, value.trim()))
        })
        .collect()
}

fn lines(text: &str) -> anyhow::Result<RangeInclusive<u32>> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most): (u32, u32) = (least.parse()?, most.parse()?);
    ensure!((1..=most).contains(&least) && most <= 500, "a page has 1 to 500 lines: write 24..48");
    Ok(least..=most)
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).ok().filter(|&value| value > 0.0).ok_or_else(|| "must be a number above 0".into())
}

fn not_negative(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0).ok_or_else(|| "must be a number".into())
}

/// Runs to the plan's end, or to Ctrl-C, and prints what was counted until then.
pub async fn run(args: LoadArgs) -> anyhow::Result<()> {
    let load = Load {
        traffic: args.shape.traffic()?,
        wire: args.wire,
        target: Target::find(&args.target, args.allow_remote).await.context("--target")?,
        connections: args.connections.into(),
        timeouts: args.timeout,
        erp: match &args.erp {
            Some(url) => Some(Target::find(url, args.allow_remote).await.context("--erp")?),
            None => None,
        },
    };
    let (rate, seed, planned) = (load.traffic.rate, load.traffic.seed, load.traffic.duration);
    // One thread, with a runtime of its own: workers that wake each other would cost more than the work is.
    let running = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let stop = super::end_signal()?;
            runner::run(load, Clock::system(), stop).await
        })
    });
    let outcome = running.await.context("the load broke off")?.with_context(|| format!("against {}", args.target))?;
    let report = Report::new(&outcome, rate, seed, planned);
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    ensure!(outcome.tally.pages_answered > 0 || outcome.tally.pages_sent == 0, "no page was answered");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: LoadArgs,
    }

    fn parse(arguments: &[&str]) -> Result<LoadArgs, clap::Error> {
        Line::try_parse_from(["load"].iter().chain(arguments)).map(|line| line.args)
    }

    #[test]
    fn without_arguments_it_is_a_storefront_in_front_of_the_demo() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.target.as_str(), args.wire, args.allow_remote), ("http://127.0.0.1:7070", Wire::Both, false));
        assert_eq!((args.shape.lines, args.shape.skus, args.shape.customers), (24..=48, 100_000, 5_000));
        assert_eq!(args.timeout.of(Purpose::List), Duration::from_millis(500));
        assert_eq!(args.shape.mix, mix("LIST=85,DETAIL=8,CART=5,CHECKOUT=2").unwrap());
    }

    #[test]
    fn timeouts_are_one_or_by_purpose() {
        let timeout = |text| parse(&["--timeout", text]).unwrap().timeout;
        assert!(Purpose::ALL.iter().all(|&purpose| timeout("900ms").of(purpose) == Duration::from_millis(900)));
        let by_purpose = timeout("LIST=300ms, CART=1.5s");
        assert_eq!(by_purpose.of(Purpose::Cart), Duration::from_millis(1_500));
        assert_eq!(by_purpose.of(Purpose::Checkout), Duration::from_secs(2));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            ["--rate", "0"],
            ["--rate", "nan"],
            ["--zipf", "-1"],
            ["--zipf", "inf"],
            ["--mix", "LIST"],
            ["--mix", "BROWSE=3"],
            ["--mix", "LIST=0"],
            ["--mix", "LIST=-1"],
            ["--timeout", "LIST=soon"],
            ["--lines", "48..24"],
            ["--lines", "0"],
            ["--lines", "1..501"],
            ["--connections", "0"],
            ["--skus", "0"],
            ["--wire", "carrier-pigeon"],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
        assert!(parse(&["--lines", "48", "--skus", "47"]).unwrap().shape.traffic().is_err());
    }
}
