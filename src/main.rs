//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use comptoir::cli::{self, Cli};

/// Many small short-lived allocations: this one is faster at them than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    comptoir::app::telemetry::start_logging();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("comptoir: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(cli));
    // Calls to the ERP that are still in the air have nobody left to tell.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("comptoir: {error:#}");
            ExitCode::FAILURE
        }
    }
}
