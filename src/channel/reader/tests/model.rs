//! Random stock, prices, policies, modes and restarts, also with journals that are cut; readers that die and resume at any
//! cursor they ever had. For every channel: who folds pages up to where there are no more has what a snapshot has; versions
//! only grow, over everything; and once nothing happens any more, what is published is what policy makes of the ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::channel::config::{ChannelConfig, PricePolicy, Reserve};
use crate::channel::deriver::Deriver;
use crate::channel::event::Reach;
use crate::channel::fact::{Asked, PriceFact};
use crate::channel::page::{From, Mode};
use crate::channel::reader::{Channels, Storage};
use crate::channel::row::{ChannelRow, RowState};
use crate::channel::store::journal_folder;
use crate::clock::{Clock, Timestamp};
use crate::domain::change::{Change, ChangeKind, Epoch, Measure, Movement, RowId, RowKey};
use crate::domain::ids::SourceId;
use crate::domain::{LocationId, Quantity, Sku, TaxBasis};
use crate::stock::changes::Cursor;
use crate::stock::{Ledger, Request, StockConfig};

const NOW: Timestamp = Timestamp(1_795_600_000_000);
const NAMES: [&str; 3] = ["plain", "capped", "priced"];

/// splitmix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

type Known = BTreeMap<String, Arc<ChannelRow>>;

/// One who follows one channel.
struct Reader {
    channel: &'static str,
    limit: usize,
    cursor: Option<Cursor>,
    known: Known,
    /// The highest it ever had, also of a log that was lost.
    versions: BTreeMap<String, u64>,
    /// Places it once had, with what it knew there: it may die, and come back to one.
    saved: Vec<(Option<Cursor>, Known)>,
}

impl Reader {
    fn new(channel: &'static str, limit: usize) -> Self {
        Self { channel, limit, cursor: None, known: Known::new(), versions: BTreeMap::new(), saved: Vec::new() }
    }

    /// Whether there is no more.
    fn read(&mut self, channels: &Channels) -> bool {
        let told: Option<Cursor> = self.cursor.map(|cursor| cursor.to_string().parse().unwrap());
        let from = told.as_ref().map_or(From::Beginning, From::Cursor);
        let page = match channels.changes(self.channel, from, self.limit) {
            Ok(page) => page,
            Err(error) => {
                assert_eq!(error.reason(), "resync_required");
                (self.cursor, self.known) = (None, Known::new());
                return false;
            }
        };
        for row in page.rows {
            let name = row.key.channel_sku.to_string();
            let before = self.known.get(&name).map_or(0, |known| known.version);
            assert!(row.version >= before, "{name} went back from {before} to {}", row.version);
            let highest = self.versions.entry(name.clone()).or_default();
            *highest = row.version.max(*highest);
            self.known.insert(name, row);
        }
        self.cursor = Some(page.cursor);
        !page.more
    }

    fn check(&self, channels: &Channels) {
        let known = self.known.iter().filter(|(_, row)| row.state != RowState::Removed);
        let folded: Known = known.map(|(name, row)| (name.clone(), row.clone())).collect();
        let published = published(channels, self.channel);
        assert!(folded == published, "{} is folded otherwise: {}", self.channel, difference(&folded, &published));
    }
}

fn difference(one: &Known, other: &Known) -> String {
    let differs = |name: &&String| one.get(*name) != other.get(*name);
    let name = one.keys().chain(other.keys()).find(differs);
    name.map(|name| format!("{:?} is {:?}", one.get(name), other.get(name))).unwrap_or_default()
}

/// What a snapshot would have, also where there is none just now.
fn published(channels: &Channels, channel: &str) -> Known {
    let shown = channels.shown(channel).unwrap();
    let named = |row: Arc<ChannelRow>| (row.key.channel_sku.to_string(), row);
    let rows = (0..shown.numbers() as u32).filter_map(|number| shown.row(number));
    let rows: Known = rows.filter(|row| row.state != RowState::Removed).map(named).collect();
    if let Ok(mut snapshot) = channels.snapshot(channel) {
        let mut chunk = Vec::new();
        while snapshot.next_chunk(&mut chunk) {}
        let snapshot: Known = chunk.into_iter().map(named).collect();
        assert!(snapshot == rows, "a snapshot has something else");
    }
    rows
}

struct World {
    draw: Draw,
    clock: Clock,
    folder: tempfile::TempDir,
    ledgers: u64,
    ledger: Ledger,
    channels: Channels,
    deriver: Deriver,
    readers: Vec<Reader>,
    skus: u64,
    sequence: u64,
    /// What the source holds.
    stock: BTreeMap<u64, i64>,
    caps: u64,
    copied: bool,
}

fn sku(number: u64) -> Sku {
    Sku::new(&format!("S{number:07}")).unwrap()
}

fn configs(caps: u64) -> Vec<ChannelConfig> {
    let plain = ChannelConfig {
        price: None,
        settle: Duration::from_secs(20),
        remove_after: Duration::from_secs(30),
        tombstone_retention: Duration::from_secs(100),
        ..ChannelConfig::named("plain")
    };
    let mut capped = ChannelConfig { price: None, ..ChannelConfig::named("capped") };
    capped.quantity.cap = Some((caps + 1).to_string().parse().unwrap());
    capped.remove_after = Duration::from_secs(30);
    capped.tombstone_retention = Duration::from_secs(60);
    if caps % 2 == 1 {
        capped.assortment.exclude = vec!["*3".to_owned()];
    }
    let priced = ChannelConfig { price: Some(PricePolicy::default()), ..ChannelConfig::named("priced") };
    vec![plain, capped, priced]
}

fn open_ledger(folder: &Path, number: u64, clock: Clock) -> Ledger {
    let config = StockConfig { any_source: true, ..StockConfig::default() };
    let folder = folder.join(format!("stock-{number}"));
    Ledger::open(config, &folder, clock, crate::stock::ledger::Storage::default()).unwrap()
}

fn open(folder: &Path, caps: u64, ledger: &Ledger, clock: Clock, draw: &mut Draw) -> (Channels, Deriver) {
    // Small, so that there are checkpoints.
    let storage = Storage { checkpoint_bytes_min: 2_000 + draw.below(200_000), witness: None };
    Channels::open_parts(configs(caps), &folder.join("channels"), ledger.clone(), clock, storage).unwrap()
}

impl World {
    fn new(seed: u64, skus: u64) -> Self {
        let mut draw = Draw(seed);
        let clock = Clock::starting_at(NOW);
        let folder = tempfile::tempdir().unwrap();
        let ledger = open_ledger(folder.path(), 0, clock);
        let caps = draw.below(6);
        let (channels, deriver) = open(folder.path(), caps, &ledger, clock, &mut draw);
        let readers = (0..6).map(|n| Reader::new(NAMES[n % 3], 1 + draw.below(2 + skus / 4) as usize)).collect();
        let stock = BTreeMap::new();
        let (ledgers, sequence, copied) = (0, 0, false);
        Self { draw, clock, folder, ledgers, ledger, channels, deriver, readers, skus, sequence, stock, caps, copied }
    }

    async fn push(&mut self, changes: Vec<(u64, i64)>) {
        let mut told = Vec::with_capacity(changes.len());
        for (number, quantity) in changes {
            self.sequence += 1;
            self.stock.insert(number, quantity);
            told.push(change(self.sequence, number, quantity));
        }
        for some in told.chunks(1000) {
            let source = SourceId::new("wms").unwrap();
            let request = Request { source, epoch: Epoch::default(), changes: some.to_vec(), heartbeat: None };
            let answer = self.ledger.push(request).await.unwrap();
            assert_eq!(answer.applied, some.len() as u64);
        }
    }

    async fn some_stock(&mut self) {
        let count = 1 + self.draw.below(1 + self.skus / 8);
        let mut changes = BTreeMap::new();
        for _ in 0..count {
            // Some of them most of the time.
            let end = if self.draw.chance(60) { 1 + self.skus / 8 } else { self.skus };
            let number = self.draw.below(end);
            let quantity = if self.draw.chance(30) { 0 } else { self.draw.below(12) as i64 };
            changes.insert(number, quantity);
        }
        self.push(changes.into_iter().collect()).await;
    }

    fn round(&mut self) {
        let more = self.deriver.round().unwrap();
        if more && self.draw.chance(50) {
            self.deriver.round().unwrap();
        }
    }

    fn quiet(&mut self) {
        while self.deriver.round().unwrap() {}
    }

    /// Some prices are asked and told; some cannot be.
    fn some_prices(&mut self) {
        let most = 1 + self.draw.below(self.skus) as usize;
        let asked = self.channels.take_prices("priced", most);
        self.deriver.round().unwrap();
        let (due, _) = asked.now_or_never().expect("it was in the round").unwrap();
        let now = self.clock.read().wall;
        let mut answers = Vec::new();
        for due in due {
            let asked = match self.draw.below(10) {
                0 => Asked::Failed("erp_unreachable"),
                1 => Asked::Price(PriceFact::No { reason: "unknown_sku", observed_at: now }),
                _ => Asked::Price(price(1 + self.draw.below(5), now)),
            };
            answers.push((due.number, asked));
        }
        let told = self.channels.told("priced", answers);
        self.deriver.round().unwrap();
        told.now_or_never().expect("it was in the round").unwrap();
    }

    fn invalidate(&mut self) {
        let reach = if self.draw.chance(20) {
            Reach::All
        } else {
            Reach::Skus((0..self.draw.below(5)).map(|_| sku(self.draw.below(self.skus))).collect())
        };
        let marked = self.channels.invalidate("priced", reach);
        self.deriver.round().unwrap();
        marked.now_or_never().expect("it was in the round").unwrap();
    }

    fn set_mode(&mut self, channel: &str, mode: Mode, force: bool) {
        let set = self.channels.set_mode(channel, mode, force);
        self.deriver.round().unwrap();
        set.now_or_never().expect("it was in the round").unwrap();
    }

    fn some_mode(&mut self) {
        let channel = NAMES[self.draw.below(3) as usize];
        let mode = [Mode::Live, Mode::Held, Mode::Zeroed][self.draw.below(3) as usize];
        let force = self.draw.chance(20);
        self.set_mode(channel, mode, force);
    }

    fn read(&mut self) {
        let reader = self.draw.below(self.readers.len() as u64) as usize;
        let reader = &mut self.readers[reader];
        if self.draw.chance(20) {
            reader.saved.push((reader.cursor, reader.known.clone()));
        }
        if self.draw.chance(10)
            && let Some((cursor, known)) = reader.saved.pop()
        {
            reader.versions = known.iter().map(|(name, row)| (name.clone(), row.version)).collect();
            (reader.cursor, reader.known) = (cursor, known);
        }
        if reader.read(&self.channels) {
            reader.check(&self.channels);
        }
    }

    /// Everybody up to the end.
    fn read_all(&mut self) {
        for reader in &mut self.readers {
            while !reader.read(&self.channels) {}
            reader.check(&self.channels);
        }
    }

    /// Nobody has anything under a higher version than it is published under.
    fn no_version_went_back(&self) {
        for reader in &self.readers {
            for (name, row) in &reader.known {
                let highest = reader.versions[name];
                assert!(row.version >= highest, "{name} went back from {highest} to {}", row.version);
            }
        }
    }

    fn reopen(&mut self) {
        let (channels, deriver) = open(self.folder.path(), self.caps, &self.ledger, self.clock, &mut self.draw);
        (self.channels, self.deriver) = (channels, deriver);
    }

    fn restart(&mut self) {
        if self.draw.chance(40) {
            self.caps = self.draw.below(6);
        }
        self.reopen();
    }

    /// The process ends while a round is written: it may be there, or a part of its bytes.
    async fn crash(&mut self) {
        self.some_stock().await;
        let path = newest_segment(&journal_folder(&self.folder.path().join("channels")));
        let before = fs::metadata(&path).unwrap().len();
        self.deriver.working.lock().break_disk();
        if self.deriver.round().is_err() {
            // Readers go on meanwhile.
            for _ in 0..6 {
                self.read();
            }
            // As it was, perhaps: what was worked out then is what was published before.
            if self.draw.chance(50) {
                self.some_stock().await;
            }
            let end = fs::metadata(&path).unwrap().len();
            let cut = before + self.draw.below(end - before + 1);
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        }
        self.reopen();
    }

    /// The ledger's folder is gone: its source says everything again.
    async fn lose_ledger(&mut self) {
        self.ledgers += 1;
        self.ledger = open_ledger(self.folder.path(), self.ledgers, self.clock);
        self.sequence = 0;
        self.reopen();
        let stock = std::mem::take(&mut self.stock).into_iter().collect();
        self.push(stock).await;
    }

    /// The channels' folder is put back as it was once, or is gone.
    async fn lose_channels(&mut self) {
        let (folder, copy) = (self.folder.path().join("channels"), self.folder.path().join("copy"));
        if !self.copied {
            copy_all(&folder, &copy);
            self.copied = true;
            return;
        }
        // Nobody does that in no time.
        tokio::time::advance(Duration::from_secs(60)).await;
        fs::remove_dir_all(&folder).unwrap();
        let restored = self.draw.chance(60);
        if restored {
            copy_all(&copy, &folder);
        }
        self.reopen();
        if restored {
            for reader in &mut self.readers {
                // Who has nothing compares with nothing.
                if reader.cursor.is_none() {
                    reader.versions.clear();
                }
                reader.saved.clear();
                reader.read(&self.channels);
            }
            self.deriver.round().unwrap();
        }
    }

    async fn step(&mut self) {
        match self.draw.below(1000) {
            0..300 => self.some_stock().await,
            300..550 => self.round(),
            550..800 => self.read(),
            800..860 => self.some_prices(),
            860..880 => self.invalidate(),
            880..900 => self.some_mode(),
            900..940 => tokio::time::advance(Duration::from_secs(1 + self.draw.below(40))).await,
            940..965 => self.restart(),
            965..990 => self.crash().await,
            990..994 => self.lose_channels().await,
            994..997 => self.lose_ledger().await,
            _ => {
                self.quiet();
                self.read_all();
            }
        }
    }

    /// Nothing happens any more.
    async fn end(&mut self, waits: usize) {
        for channel in NAMES {
            self.set_mode(channel, Mode::Live, false);
        }
        for _ in 0..waits {
            self.some_prices();
            self.quiet();
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        self.quiet();
        self.read_all();
        // Somebody may have come from a log that was lost.
        self.quiet();
        self.read_all();
        self.no_version_went_back();
        self.is_true();
        self.reopen();
        self.quiet();
        self.read_all();
        self.is_true();
    }

    /// What is published is what policy makes of what the source holds.
    fn is_true(&self) {
        let expected =
            |(number, quantity): (&u64, &i64), cap: i64| (sku(*number).to_string(), (*quantity).min(cap).to_string());
        let shows = |channel| -> BTreeMap<String, String> {
            let rows = published(&self.channels, channel).into_iter();
            let on_sale = rows.filter(|(_, row)| row.state == RowState::Listed);
            on_sale.map(|(name, row)| (name, row.quantity.unwrap().normalized().to_string())).collect()
        };
        let plain: BTreeMap<_, _> = self.stock.iter().map(|level| expected(level, i64::MAX)).collect();
        assert!(shows("plain") == plain);
        let sells = |number: u64| self.caps.is_multiple_of(2) || number % 10 != 3;
        let capped = self.stock.iter().filter(|(number, _)| sells(**number));
        let capped: BTreeMap<_, _> = capped.map(|level| expected(level, self.caps as i64 + 1)).collect();
        assert!(shows("capped") == capped);
        let priced = shows("priced");
        assert!(!priced.is_empty());
        for (name, quantity) in priced {
            assert_eq!(plain[&name], quantity);
        }
    }
}

fn change(sequence: u64, number: u64, quantity: i64) -> Change {
    let location = LocationId::new("PARIS").unwrap();
    let key = RowKey { sku: sku(number), location, measure: Measure::OnHand, row: RowId::default() };
    let quantity = quantity.to_string().parse().unwrap();
    let movement = Movement { kind: ChangeKind::Set, key, quantity, expected_on: None, expires_at: None };
    Change {
        sequence: Some(sequence),
        after: None,
        event_id: None,
        effective_at: None,
        movement: Ok(movement),
        hash: sequence,
    }
}

fn price(amount: u64, observed_at: Timestamp) -> PriceFact {
    PriceFact::Told {
        net_price: amount.to_string().parse().unwrap(),
        base_quantity: Quantity::ONE,
        currency: "EUR".parse().unwrap(),
        tax_basis: Some(TaxBasis::Net),
        tax_rate: None,
        lead_time_days: None,
        ends: None,
        observed_at,
    }
}

fn newest_segment(folder: &Path) -> PathBuf {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths.pop().expect("a journal")
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_folds_pages_has_what_a_snapshot_has_whatever_happens() {
    for seed in 0..12 {
        let mut world = World::new(seed, 5 + seed * 9);
        for _ in 0..400 {
            world.step().await;
        }
        world.end(20).await;
    }
}

/// `COMPTOIR_CHANNEL_ROWS` is how many SKUs there are; 50,000 where it is not set.
#[tokio::test(start_paused = true)]
async fn and_so_it_is_with_a_whole_catalogue() {
    let rows: u64 = std::env::var("COMPTOIR_CHANNEL_ROWS").map_or(50_000, |text| text.parse().expect("a number"));
    let mut world = World::new(99, rows);
    world.push((0..rows).map(|number| (number, (number % 12) as i64)).collect()).await;
    // One of each channel.
    world.readers.truncate(NAMES.len());
    for reader in &mut world.readers {
        reader.limit = 2_000;
    }
    for _ in 0..4 {
        world.some_stock().await;
        world.round();
        world.read();
    }
    world.some_prices();
    world.crash().await;
    world.restart();
    world.end(2).await;
}

/// `COMPTOIR_CHANNEL_CHANGES` is how many changes of stock there are; 50,000 where it is not set.
#[tokio::test(start_paused = true)]
async fn only_what_caps_and_buffers_let_through_becomes_a_change() {
    let all: u64 = std::env::var("COMPTOIR_CHANNEL_CHANGES").map_or(50_000, |text| text.parse().expect("a number"));
    let (clock, folder) = (Clock::starting_at(NOW), tempfile::tempdir().unwrap());
    let ledger = open_ledger(folder.path(), 0, clock);
    let mut config = ChannelConfig { price: None, ..ChannelConfig::named("capped") };
    config.quantity.cap = Some("5".parse().unwrap());
    config.quantity.reserve = Reserve::SafetyStock("2".parse().unwrap());
    let path = folder.path().join("channels");
    let (channels, deriver) =
        Channels::open_parts(vec![config], &path, ledger.clone(), clock, Storage::default()).unwrap();
    while deriver.round().unwrap() {}
    let (mut draw, mut sequence, mut expected) = (Draw(1), 0, 0);
    let mut shown: BTreeMap<u64, u64> = BTreeMap::new();
    let mut versions = 0;
    let mut cursor = channels.changes("capped", From::Now, 1).unwrap().cursor;
    while sequence < all {
        let mut told = BTreeMap::new();
        for _ in 0..256 {
            told.insert(draw.below(2_000), draw.below(40));
        }
        let changes = told.iter().map(|(number, quantity)| {
            sequence += 1;
            change(sequence, *number, *quantity as i64)
        });
        let changes = changes.collect();
        let source = SourceId::new("wms").unwrap();
        ledger.push(Request { source, epoch: Epoch::default(), changes, heartbeat: None }).await.unwrap();
        for (number, quantity) in told {
            let policy = quantity.saturating_sub(2).min(5);
            expected += u64::from(shown.insert(number, policy) != Some(policy));
        }
        while deriver.round().unwrap() {}
        let page = channels.changes("capped", From::Cursor(&cursor), 10_000).unwrap();
        assert!(!page.more);
        versions += page.rows.len() as u64;
        cursor = page.cursor;
    }
    println!(
        "{sequence} changes of stock: {versions} of the channel, {} %; the model says {expected}",
        versions * 100 / sequence
    );
    assert_eq!(versions, expected);
}
