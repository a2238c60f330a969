//! `comptoir serve`: the gateway, until Ctrl-C or SIGTERM.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::app::{Config, Gateway};

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The configuration file; `examples/gateway.toml` lists every key.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let end = super::end_signal()?;
    let config = Config::load(&args.config)?;
    let gateway = Gateway::start(config).await.context("the gateway cannot start")?;
    println!("ready gateway=http://{} admin=http://{}", gateway.listen, gateway.admin);
    let failed = tokio::select! {
        () = end => None,
        error = gateway.broken() => Some(error),
    };
    tracing::info!("stopping: requests in flight are finished first");
    let stopped = gateway.stop().await;
    failed.map_or(stopped, Err)
}
