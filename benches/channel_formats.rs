//! How many rows a second does each file format write, and how much does it hold meanwhile?
//!
//! Budget: 300,000 rows a second for CSV, so that a million SKUs are a file within seconds; none below 100,000. A million rows
//! in chunks of 1,000 go into one buffer that is emptied after each chunk, as a slow reader's socket would. `weighed` is the
//! guard's look before the first byte. `held` is the most that stood in the buffer at once: a part of a file that comes in
//! parts. Run: `cargo bench --bench channel_formats`.

use std::sync::Arc;
use std::time::Instant;

use comptoir::channel::config::{AmazonSettings, GoogleSettings};
use comptoir::channel::formats::{self, FileStamp, Format};
use comptoir::channel::{ChannelConfig, ChannelPrice, ChannelRow, Reasons, RowKey, RowState};
use comptoir::domain::{Quantity, Sku, TaxBasis};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: u64 = 1_000_000;
const CHUNK: usize = 1_000;
const ROUNDS: usize = 3;

fn main() {
    let config = config();
    let rows: Vec<Arc<ChannelRow>> = (0..ROWS).map(row).collect();
    println!("{ROWS} rows, best of {ROUNDS}");
    for format in formats::ALL {
        let written = (0..ROUNDS).map(|_| write(format, &config, &rows)).min_by_key(|outcome| outcome.micros);
        let written = written.expect("at least one round");
        let weighed = (0..ROUNDS).map(|_| weigh(format, &config, &rows)).min().expect("at least one round");
        println!(
            "{:24} {:>9} rows/s written, {:>9} weighed, {:>4} MB, {:>5} KB held",
            format.name,
            per_second(written.micros),
            per_second(weighed),
            written.bytes / 1_000_000,
            written.held / 1_000,
        );
    }
}

struct Outcome {
    micros: u128,
    bytes: usize,
    held: usize,
}

fn write(format: &'static Format, config: &ChannelConfig, rows: &[Arc<ChannelRow>]) -> Outcome {
    let mut out = Vec::new();
    let (mut bytes, mut held) = (0, 0);
    let begun = Instant::now();
    let mut file = format.open(config).expect("it is configured");
    file.begin(&FileStamp { channel: "bench", cursor: "cursor", watermark: 1 }, &mut out);
    for chunk in rows.chunks(CHUNK) {
        file.rows(chunk, &mut out);
        held = held.max(out.len());
        bytes += out.len();
        out.clear();
    }
    file.end(&mut out);
    let micros = begun.elapsed().as_micros();
    assert_eq!(file.tally().rows, ROWS, "{}: {:?}", format.name, file.tally().left_out);
    Outcome { micros, bytes: bytes + out.len(), held: held.max(out.len()) }
}

fn weigh(format: &'static Format, config: &ChannelConfig, rows: &[Arc<ChannelRow>]) -> u128 {
    let mut file = format.open(config).expect("it is configured");
    let begun = Instant::now();
    rows.chunks(CHUNK).for_each(|chunk| file.weigh(chunk));
    let micros = begun.elapsed().as_micros();
    assert_eq!(file.tally().rows, ROWS);
    micros
}

fn per_second(micros: u128) -> u128 {
    u128::from(ROWS) * 1_000_000 / micros.max(1)
}

fn row(number: u64) -> Arc<ChannelRow> {
    let sku = Sku::new(&format!("BOLT-{number:07}")).expect("a SKU");
    let price: String = format!("{}.{:02}", 1 + number % 900, number % 100);
    Arc::new(ChannelRow {
        key: Arc::new(RowKey { sku: sku.clone(), channel_sku: sku }),
        version: 1_764_079_200_000_000 + number,
        state: if number.is_multiple_of(50) { RowState::Zeroed } else { RowState::Listed },
        quantity: Quantity::new((number % 500).into()),
        quantity_version: 1_764_079_200_000_000 + number,
        price: Some(ChannelPrice {
            amount: price.parse().expect("a price"),
            currency: "EUR".parse().expect("a currency"),
            tax_basis: TaxBasis::Gross,
        }),
        price_version: 1_764_079_200_000_000,
        lead_time_days: number.is_multiple_of(3).then_some(2),
        reasons: Reasons::default(),
    })
}

fn config() -> ChannelConfig {
    let mut config = ChannelConfig::named("bench");
    config.formats.amazon = Some(AmazonSettings {
        seller_id: "A1SELLER".into(),
        marketplace_id: "A13V1IB3VIYZZH".into(),
        product_type: "PRODUCT".into(),
        issue_locale: None,
        messages_max: 10_000,
        bytes_max: 10 * 1024 * 1024,
    });
    config.formats.google = Some(GoogleSettings {
        account: 1,
        content_language: "fr".into(),
        feed_label: "FR".into(),
        store_code: "LYON".into(),
    });
    config
}
