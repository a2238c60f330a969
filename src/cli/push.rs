//! `comptoir push`: a file of stock, sent to a running gateway.
//!
//! Owns: reading the file ([`file`]), talking to the gateway ([`gateway`]), telling how it goes ([`progress`]). The gateway's rules
//! stay in the gateway: what can be sent is sent, and what it says of each change is passed on.

mod changes;
mod file;
mod gateway;
mod progress;
mod snapshot;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use self::file::Format;
use self::gateway::Gateway;
use crate::domain::change::Measure;
use crate::domain::ids::SourceId;
use crate::human;

const HELP: &str = "\
COLUMNS (CSV, named in the first line; `;`, tab or `,` between them) AND FIELDS (NDJSON, an object a line):
  sku          the article; required
  quantity     in its base unit, a decimal such as 12 or -0.5 (in NDJSON a string); required
  location     the warehouse; may be left out with one --location
  measure      ON_HAND, RESERVED, INCOMING, AVAILABLE or PENDING; may be left out with one --measure
  row          the order, or its line, that is meant; default: the unnamed row
  expectedOn   INCOMING: the day it is due, 2026-12-01
  expiresAt    PENDING: when it counts no more, 2026-12-01T10:00:00+01:00
 and of changes alone:
  kind         SET (it is now this) or ADD (it is now so much more); default: --kind
  sequence     the source's number of the change
  after        the number before it, where numbers have holes; default: sequence - 1
  effectiveAt  when it was true, for changes without numbers; default: --effective-at
  eventId      the change's own name, for changes without numbers; default: made from the file and the line
  reference    the source's own words

Sending a file again does no harm: what was taken before is known. Changes without numbers are known again for a day, as long as
the file is the same and was not written since.

EXAMPLES:
  comptoir push stock.csv --source erp --location PARIS --measure ON_HAND
  comptoir push moves.ndjson --source wms
  comptoir push all.csv --source wms --snapshot --sequence 1001

EXIT CODE: 0, all of it is taken or was known; 1, it could not be sent, or was refused as a whole; 2, wrong arguments; 3, some changes
or rows were not taken, each named on standard error.";

/// Pushes a file of stock to a running gateway: changes, or (--snapshot) everything that a source owns.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct PushArgs {
    /// CSV or NDJSON, in UTF-8.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whose figures these are: a source of the gateway's [stock].
    #[arg(long, value_name = "NAME", value_parser = source)]
    pub source: SourceId,
    /// The gateway.
    #[arg(long, default_value = "http://127.0.0.1:7070", value_name = "URL")]
    pub target: String,
    /// How the file is written. Default: by its name, .csv, or .ndjson and .jsonl.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Which counting of the source its numbers belong to.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub epoch: String,
    /// Of rows that name no location. Of a snapshot: what it restates, several if need be; default: all the source owns.
    #[arg(long = "location", value_name = "NAME")]
    pub locations: Vec<String>,
    /// Of rows that name no measure. Of a snapshot: likewise.
    #[arg(long = "measure", value_name = "MEASURE", value_parser = measure)]
    pub measures: Vec<Measure>,
    /// Of changes that do not say.
    #[arg(long, value_enum, default_value = "SET", conflicts_with = "snapshot")]
    pub kind: Kind,
    /// When changes without numbers were true, as 2026-11-25T10:00:00+01:00. Default: when the file was written.
    #[arg(long, value_name = "INSTANT", conflicts_with = "snapshot")]
    pub effective_at: Option<jiff::Timestamp>,
    /// Changes in a request; they become visible together.
    #[arg(long, default_value_t = 1000, value_name = "COUNT", conflicts_with = "snapshot", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,
    /// Give up when the gateway has taken nothing for so long.
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = human::duration)]
    pub patience: Duration,
    /// The file is everything: what it does not name is zero from then on.
    #[arg(long)]
    pub snapshot: bool,
    /// The source's last number that is in the snapshot, if the source numbers its changes.
    #[arg(long, value_name = "NUMBER", requires = "snapshot")]
    pub sequence: Option<u64>,
    /// Take the snapshot however much it empties.
    #[arg(long, requires = "snapshot")]
    pub force: bool,
    /// Say what the snapshot would do, and do nothing.
    #[arg(long, requires = "snapshot")]
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Kind {
    Set,
    Add,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Set => "SET",
            Kind::Add => "ADD",
        }
    }
}

fn source(text: &str) -> Result<SourceId, String> {
    SourceId::new(text).map_err(|error| error.to_string())
}

fn measure(text: &str) -> Result<Measure, String> {
    Measure::named(text).ok_or_else(|| format!("is none of {}", Measure::ALL.map(Measure::as_str).join(", ")))
}

/// Some of it was not taken.
const PARTLY: u8 = 3;

pub async fn run(args: PushArgs) -> anyhow::Result<ExitCode> {
    let gateway = Gateway::new(&args.target)?;
    let file = file::File::open(&args.file, args.format).with_context(|| args.file.display().to_string())?;
    let all_taken = match args.snapshot {
        true => snapshot::push(&args, &gateway, &file).await?,
        false => changes::push(&args, &gateway, &file).await?,
    };
    Ok(if all_taken { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) })
}
