//! The epoch table, compiled once more with a scheduler's atomics: thousands of interleavings of fetches, invalidations and
//! readers, each chosen by the scheduler and printed when it fails.

#[path = "../src/cache/epochs.rs"]
#[allow(dead_code, reason = "the library's own file, of which this uses a part")]
mod epochs;

mod atomic {
    pub use shuttle::sync::atomic::AtomicU64;

    pub fn zeros(count: usize) -> Box<[AtomicU64]> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }
}

mod clock {
    pub use comptoir::clock::Stamp;
}

/// Nothing is broken here.
mod mutants {
    macro_rules! mutant {
        ($name:ident) => {
            false
        };
    }
    pub(crate) use mutant;
}

use clock::Stamp;
use epochs::{Epochs, PartyNames, Word};
use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

const SCHEDULES: usize = 2_000;

/// What the ERP would say now, what is remembered of it, and which of its versions readers may still be shown.
struct World {
    epochs: Epochs,
    erp: AtomicU64,
    remembered: Mutex<Option<(Stamp, u64)>>,
    /// The version from which on every reader must be: moved when an invalidation has returned.
    promised: AtomicU64,
}

const PARTY: PartyNames<'static> =
    PartyNames { customer: Some("C"), price_list: Some("L"), contract: None, company: None };

impl World {
    fn new() -> Arc<Self> {
        // Few cells, so that words share some: that may only invalidate too much.
        Arc::new(Self {
            epochs: Epochs::with_cells(8, 2, 7),
            erp: AtomicU64::new(0),
            remembered: Mutex::new(None),
            promised: AtomicU64::new(0),
        })
    }

    /// One ERP call: stamped before it leaves, remembered unless something newer is.
    fn fetch(&self) {
        let stamp = self.epochs.stamp();
        let version = self.erp.load(Ordering::SeqCst);
        let mut remembered = self.remembered.lock().unwrap();
        if !remembered.is_some_and(|(held, _)| held > stamp) {
            *remembered = Some((stamp, version));
        }
    }

    /// The ERP changes, and says so.
    fn change(&self, word: Word<'_>) {
        let version = self.erp.fetch_add(1, Ordering::SeqCst) + 1;
        self.epochs.invalidate([word]);
        self.promised.fetch_max(version, Ordering::SeqCst);
    }

    /// One request, as the read path decides it.
    fn read(&self) {
        let promised = self.promised.load(Ordering::SeqCst);
        let newest = self.epochs.stamp();
        let party = self.epochs.party(PARTY);
        let Some((stamp, version)) = *self.remembered.lock().unwrap() else { return };
        let usable = stamp >= newest || stamp >= self.epochs.needed_for_price(&party, "S").gone_below;
        assert!(!usable || version >= promised, "version {version} was shown after {promised} was promised");
    }
}

fn readers_and_fetches_against(words: &'static [Word<'static>]) {
    let world = World::new();
    let mut threads = Vec::new();
    for word in words {
        let world = world.clone();
        threads.push(thread::spawn(move || world.change(*word)));
    }
    for _ in 0..2 {
        let world = world.clone();
        threads.push(thread::spawn(move || world.fetch()));
    }
    for _ in 0..2 {
        let world = world.clone();
        threads.push(thread::spawn(move || world.read()));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Whatever happened, what is asked now can be shown.
    world.fetch();
    let (stamp, version) = world.remembered.lock().unwrap().unwrap();
    assert_eq!(version, words.len() as u64);
    assert!(stamp >= world.epochs.needed_for_price(&world.epochs.party(PARTY), "S").fresh());
}

#[test]
fn what_left_before_an_invalidation_is_never_usable_after_it_returned() {
    for words in [&[Word::Sku("S")][..], &[Word::CustomerSku("C", "S"), Word::PriceList("L")], &[Word::All, Word::All]]
    {
        shuttle::check_random(move || readers_and_fetches_against(words), SCHEDULES);
        shuttle::check_pct(move || readers_and_fetches_against(words), SCHEDULES, 3);
    }
}

#[test]
fn what_was_fetched_before_an_expiry_is_not_fresh_once_it_returned() {
    let run = || {
        let world = World::new();
        let expired = Arc::new(AtomicBool::new(false));
        let (fetching, expiring, done) = (world.clone(), world.clone(), expired.clone());
        world.fetch();
        let fetch = thread::spawn(move || fetching.fetch());
        let expire = thread::spawn(move || {
            expiring.epochs.expire([Word::Customer("C")]);
            done.store(true, Ordering::SeqCst);
        });
        let over = expired.load(Ordering::SeqCst);
        let newest = world.epochs.stamp();
        let (stamp, _) = world.remembered.lock().unwrap().unwrap();
        let needed = world.epochs.needed_for_price(&world.epochs.party(PARTY), "S");
        assert!(stamp >= needed.gone_below, "it takes nothing away");
        let fresh = stamp >= newest || stamp >= needed.expired_below;
        assert!(!(over && fresh) || stamp >= Stamp(1), "fetched before, and fresh after");
        fetch.join().unwrap();
        expire.join().unwrap();
    };
    shuttle::check_random(run, SCHEDULES);
}
