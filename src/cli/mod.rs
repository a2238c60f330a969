//! The command line: one file per command.

pub mod check;
pub mod demo;
pub mod erp;
pub mod load;
pub mod push;
pub mod serve;

use std::process::ExitCode;

use anyhow::Context as _;

/// A real-time price and stock gateway for B2B commerce.
#[derive(Debug, clap::Parser)]
#[command(name = "comptoir", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A simulated ERP, a gateway in front of it, and a little traffic: no configuration, try it at once.
    Demo(demo::DemoArgs),
    /// Run the gateway.
    Serve(serve::ServeArgs),
    /// Try a configuration against the ERP, step by step, and print what answered, how fast, and one real offer.
    Check(check::CheckArgs),
    /// The simulated ERP alone.
    Erp(erp::ErpArgs),
    /// A storefront's traffic against a running gateway: what it bears, and what the ERP is spared.
    Load(load::LoadArgs),
    /// A file of stock, as changes or as a snapshot, to a running gateway.
    Push(push::PushArgs),
}

/// Runs one command to its end.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Demo(args) => demo::run(args).await?,
        Command::Serve(args) => serve::run(args).await?,
        Command::Check(args) => check::run(args).await?,
        Command::Erp(args) => erp::run(args).await?,
        Command::Load(args) => load::run(args).await?,
        Command::Push(args) => return push::run(args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Completes on the first Ctrl-C or SIGTERM from now on.
fn end_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
