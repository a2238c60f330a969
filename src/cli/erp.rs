//! `comptoir erp`: the simulated ERP alone, for trials of a gateway somewhere else.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::erp::connectors::simulated::{Behaviour, CatalogueConfig, Simulator, SimulatorConfig};
use crate::{human, sim};

/// Runs the simulated ERP: a catalogue from a seed, with the cost and the limits of a real one.
#[derive(Debug, clap::Args)]
pub struct ErpArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Another seed is another catalogue.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many numbered SKUs: SKU-000001 to this.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT")]
    pub skus: u32,
    /// How many customers: C-00001 to this.
    #[arg(long, default_value_t = 5_000, value_name = "COUNT")]
    pub customers: u32,
    /// How many price lists: L-01 to this.
    #[arg(long, default_value_t = 40, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub price_lists: u32,
    /// Customers have the prices of their list and none of their own.
    #[arg(long)]
    pub list_priced: bool,
    /// What every call takes.
    #[arg(long, default_value = "45ms", value_name = "DURATION", value_parser = human::duration)]
    pub latency: Duration,
    /// What each line takes on top.
    #[arg(long, default_value = "3.2ms", value_name = "DURATION", value_parser = human::duration)]
    pub per_line: Duration,
    /// Calls served at once; the others wait their turn.
    #[arg(long, default_value_t = 2, value_name = "CALLS", value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Calls accepted in any minute; without, no limit.
    #[arg(long, value_name = "CALLS")]
    pub calls_per_minute: Option<u32>,
}

impl ErpArgs {
    fn config(&self) -> SimulatorConfig {
        SimulatorConfig {
            catalogue: CatalogueConfig {
                seed: self.seed,
                skus: self.skus,
                customers: self.customers,
                price_lists: self.price_lists,
                list_priced: self.list_priced,
                ..CatalogueConfig::default()
            },
            behaviour: Behaviour {
                latency: self.latency,
                per_line: self.per_line,
                concurrency: self.concurrency.into(),
                calls_per_minute: self.calls_per_minute,
            },
        }
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub async fn run(args: ErpArgs) -> anyhow::Result<()> {
    let simulator = Simulator::new(args.config(), Clock::system());
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let end = super::end_signal()?;
    println!("ready erp=http://{}", listener.local_addr()?);
    sim::serve(simulator, listener, end).await.context("the simulated ERP's server failed")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ErpArgs,
    }

    #[test]
    fn without_arguments_it_costs_what_a_real_one_was_measured_to() {
        let config = Line::parse_from(["erp"]).args.config();
        assert_eq!(config.behaviour, Behaviour::measured());
        assert_eq!(config.catalogue, CatalogueConfig::default());
        assert!(Line::parse_from(["erp", "--list-priced"]).args.config().catalogue.list_priced);
    }

    #[test]
    fn durations_are_text_and_nothing_is_served_nowhere() {
        let args = ["erp", "--latency", "1s 500ms", "--per-line", "0ms", "--calls-per-minute", "0"];
        assert_eq!(Line::parse_from(args).args.latency, Duration::from_millis(1_500));
        for bad in [["--latency", "50"], ["--latency", "-1s"], ["--concurrency", "0"], ["--price-lists", "0"]] {
            assert!(Line::try_parse_from(["erp"].iter().chain(&bad)).is_err(), "{bad:?}");
        }
    }
}
