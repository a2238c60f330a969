//! A gateway as `comptoir serve` runs it, except that it says in a file how far its journal is synced, and writes its rows
//! and begins segments of its journal far more often: so that it is killed in the middle of that, too.

use std::path::PathBuf;
use std::time::Duration;

use comptoir::app::{Config, Gateway};
use comptoir::stock::ledger::Storage;
use comptoir::stock::store::Pace;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(file), Some(witness)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("crash_child CONFIG WITNESS");
    };
    let mut config = Config::load(&file)?;
    let pace = Pace { rows_due: 500, interval: Duration::from_millis(20), ..Pace::default() };
    config.stock_storage = Storage { pace, segment_bytes: 64 << 10, witness: Some(witness) };
    let gateway = Gateway::start(config).await?;
    println!("ready gateway=http://{} admin=http://{}", gateway.listen, gateway.admin);
    std::future::pending().await
}
