//! Makes invalidations take effect: now, at an announced moment, and once more when a settling time is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Counter;

use super::due::{Due, DueList, Effect, Moment};
use super::entry::Entry;
use super::listener::{Listener, Wrong};
use super::{Invalidated, Invalidation, InvalidationError, Named, Reach};
use crate::cache::epochs::Word;
use crate::clock::{Clock, Reading, Timestamp};
use crate::journal::Record;
use crate::mutants::mutant;
use crate::offer::landing::Knowledge;
use crate::offer::store::Store;

/// What will make figures unusable, or no longer fresh, at a known moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToCome {
    /// A change the ERP announced.
    pub invalidated_at: Option<Timestamp>,
    /// The end of settling.
    pub expires_in: Option<Duration>,
}

/// How long a listener that could not keep it is left alone.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(1);

const NOT_WRITTEN: InvalidationError = InvalidationError::NotDurable { why: "it could not be written down" };

pub struct Invalidator {
    knowledge: Arc<Knowledge>,
    due: Arc<DueList>,
    store: Option<Arc<Store>>,
    clock: Clock,
    announced: AtomicU64,
    /// Set once, before anything is asked.
    listener: OnceLock<Arc<dyn Listener>>,
    metrics: Metrics,
}

struct Metrics {
    now: Counter,
    announced: Counter,
    settled: Counter,
    marked: Counter,
}

impl Invalidator {
    /// Without a store, changes announced for later are refused: they would be forgotten with the process.
    pub fn new(knowledge: Arc<Knowledge>, store: Option<Arc<Store>>, clock: Clock) -> Self {
        let (announced, listener, metrics) = (AtomicU64::new(0), OnceLock::new(), Metrics::new());
        Self { knowledge, due: Arc::default(), store, clock, announced, listener, metrics }
    }

    /// From now on the listener is told what takes effect. Once.
    pub fn tell(&self, listener: Arc<dyn Listener>) {
        assert!(self.listener.set(listener).is_ok(), "there is one listener");
    }

    /// In effect, or kept until its moment, when it returns.
    pub async fn invalidate(&self, invalidation: Invalidation) -> Result<Invalidated, InvalidationError> {
        let Invalidation { named, at, settle, request_id } = invalidation;
        let reach = Reach::of(&named, &self.knowledge.capabilities)?;
        let named = Arc::new(named);
        let (marked, widened) = (reach.count(&named), reach.widened);
        let now = self.clock.read();
        let due = |moment, effect| Due { moment, effect, named: named.clone(), reach, request_id: request_id.clone() };
        if let Some(at) = at.filter(|at| *at > now.wall) {
            if self.store.is_none() {
                return Err(InvalidationError::NotDurable {
                    why: "announced changes need a data folder (server.data)",
                });
            }
            let effect = Effect::Invalidate { settle };
            let waits = due(Moment::Wall(at), effect);
            self.keep(vec![entry_of(&waits, now)], Some(waits)).await?;
            tracing::info!(request_id = &*request_id, marked, widened, %at, "prices will be invalidated");
            let settled_at = settle.map(|settle| at.plus(settle));
            return Ok(Invalidated { effective_at: at, settled_at, marked, widened });
        }
        self.mark(&named, reach);
        self.metrics.now.increment(1);
        tracing::info!(request_id = &*request_id, marked, widened, ?settle, "prices invalidated");
        if !self.tell_of(&named, reach).await {
            return Err(NOT_WRITTEN);
        }
        // Counted from when the marks were made: what is asked from then on is what settles.
        let done = self.clock.read();
        let settles = settle.map(|settle| due(Moment::Mono(done.mono.plus(settle)), Effect::Expire));
        let mut entries = vec![Entry::Done { named: named.clone() }];
        entries.extend(settles.iter().map(|settles| entry_of(settles, done)));
        self.keep(entries, settles).await?;
        let settled_at = settle.map(|settle| done.wall.plus(settle));
        Ok(Invalidated { effective_at: done.wall, settled_at, marked, widened })
    }

    /// What the journal says happened since the marks were saved, and what still waits.
    pub fn replay(&self, records: Vec<Record>, saved_from: Option<u64>, now: Reading) {
        for Record { segment, bytes } in records {
            match Entry::from_bytes(&bytes) {
                // Where nothing was saved there is nothing it could concern.
                // With a stamp of now: another process may have counted its own from nothing, and then the saved figures'
                // would be the newer.
                Some(Entry::Done { named }) => {
                    if saved_from.is_some_and(|from| segment >= from) && !mutant!(ReplaySkipped) {
                        let reach = self.reach(&named);
                        self.knowledge.epochs.invalidate(reach.words(&named));
                    }
                }
                Some(Entry::Waits { at, effect, named, request_id }) => {
                    let moment = match effect {
                        Effect::Invalidate { .. } => Moment::Wall(at),
                        Effect::Expire => Moment::Mono(now.mono.plus(now.wall.until(at))),
                    };
                    let due = Due { moment, effect, reach: self.reach(&named), named, request_id };
                    if let Err(waiting) = self.due.add(due) {
                        tracing::error!(waiting, "an announced change is lost: too many wait");
                    }
                }
                None => {
                    tracing::error!("an invalidation of another version: everything saved counts as invalidated");
                    self.knowledge.epochs.invalidate([Word::All]);
                }
            }
        }
        self.come_due(now);
    }

    /// Everything that waits, for a new segment of the journal.
    /// And what the listener may not know yet: it takes effect once more, and is told again.
    pub fn waiting_entries(due: &DueList, now: Reading) -> Vec<Entry> {
        due.waiting().iter().chain(&due.untold()).map(|due| entry_of(due, now)).collect()
    }

    pub fn due(&self) -> &DueList {
        &self.due
    }

    /// Lets what is due take effect. Every request calls it with its arrival before it reads memory.
    #[inline]
    pub fn come_due(&self, now: Reading) {
        if self.due.is_due(now) {
            self.run_due(now);
        }
    }

    /// How many announced invalidations have taken effect. Whoever waited looks whether there was one meanwhile.
    pub fn announced(&self) -> u64 {
        self.announced.load(Ordering::Acquire)
    }

    /// Does the same while nobody asks, and tells the listener what has come due. Runs for ever.
    pub async fn keep_time(&self) {
        loop {
            self.come_due(self.clock.read());
            if self.tell_of_due().await {
                self.due.wait(self.clock.read()).await;
            } else {
                tokio::time::sleep(TELL_AGAIN_AFTER).await;
            }
        }
    }

    /// Where nobody listens nobody is to be told, in this process or the next.
    pub fn forget_untold_if_nobody_listens(&self) {
        if self.listener.get().is_none() {
            self.due.told(self.due.untold().len());
        }
    }

    /// Whether the listener knows all that has taken effect.
    async fn tell_of_due(&self) -> bool {
        for due in self.due.untold() {
            if !self.tell_of(&due.named, due.reach).await {
                return false;
            }
            self.due.told(1);
        }
        true
    }

    /// Whether the listener, where there is one, will not forget it.
    async fn tell_of(&self, named: &Named, reach: Reach) -> bool {
        let Some(listener) = self.listener.get() else { return true };
        let kept = listener.hear(&Wrong { named, reach, knowledge: &self.knowledge });
        let kept = if mutant!(ListenerNotAwaited) { Ok(()) } else { kept.await };
        if let Err(why) = &kept {
            tracing::error!(%why, "not everybody could be told that prices were invalidated");
        }
        kept.is_ok()
    }

    /// The soonest of what waits and concerns one of these words, for explanations.
    pub fn to_come(&self, words: &[Word<'_>], now: Reading) -> ToCome {
        let mut to_come = ToCome::default();
        for due in self.due.waiting() {
            if !due.reach.words(&due.named).any(|word| words.contains(&word)) {
                continue;
            }
            match due.moment {
                Moment::Wall(at) => {
                    to_come.invalidated_at = Some(to_come.invalidated_at.map_or(at, |sooner| sooner.min(at)));
                }
                Moment::Mono(at) => {
                    let pause = at.since(now.mono);
                    to_come.expires_in = Some(to_come.expires_in.map_or(pause, |sooner| sooner.min(pause)));
                }
            }
        }
        to_come
    }

    /// How many wait for their moment.
    pub fn waiting(&self) -> usize {
        self.due.len()
    }

    #[cold]
    fn run_due(&self, now: Reading) {
        self.due.run(now, |due| {
            let (marked, request_id) = (due.reach.count(&due.named), &*due.request_id);
            match due.effect {
                Effect::Expire => {
                    self.knowledge.epochs.expire(due.reach.words(&due.named));
                    self.metrics.settled.increment(1);
                    tracing::info!(request_id, marked, "prices have settled: what was asked meanwhile is asked again");
                    None
                }
                Effect::Invalidate { settle } => {
                    self.mark(&due.named, due.reach);
                    self.announced.fetch_add(1, Ordering::Release);
                    self.metrics.announced.increment(1);
                    tracing::info!(request_id, marked, "prices invalidated, as announced");
                    let moment = Moment::Mono(now.mono.plus(settle?));
                    Some(Due { moment, effect: Effect::Expire, ..due.clone() })
                }
            }
        });
    }

    fn mark(&self, named: &Named, reach: Reach) {
        self.metrics.marked.increment(reach.count(named) as u64);
        self.knowledge.epochs.invalidate(reach.words(named));
    }

    /// What this ERP was told under another configuration may reach more than it did.
    fn reach(&self, named: &Named) -> Reach {
        Reach::of(named, &self.knowledge.capabilities).unwrap_or(Reach::ALL)
    }

    /// Writes it down, where there is a store, and keeps what waits.
    async fn keep(&self, entries: Vec<Entry>, waits: Option<Due>) -> Result<(), InvalidationError> {
        let due = self.due.clone();
        let kept = match self.store.clone() {
            None => waits.map_or(Ok(()), |waits| due.add(waits)),
            Some(store) => {
                // A sync takes its time, and goes on if the caller leaves.
                let written = tokio::task::spawn_blocking(move || store.keep(&entries, waits, &due)).await;
                let written = written.map_err(|_| NOT_WRITTEN)?;
                written.map_err(|error| {
                    tracing::error!(%error, "an invalidation could not be written down");
                    NOT_WRITTEN
                })?
            }
        };
        kept.map_err(|waiting| InvalidationError::TooManyWaiting { waiting })
    }
}

pub(in crate::offer) fn entry_of(due: &Due, now: Reading) -> Entry {
    let at = match due.moment {
        Moment::Wall(at) => at,
        Moment::Mono(at) => now.wall.plus(at.since(now.mono)),
    };
    Entry::Waits { at, effect: due.effect.clone(), named: due.named.clone(), request_id: due.request_id.clone() }
}

impl Metrics {
    fn new() -> Self {
        metrics::describe_counter!("comptoir_invalidations_total", "Invalidations that took effect");
        metrics::describe_counter!(
            "comptoir_invalidated_words_total",
            "Customers, lists, contracts, SKUs or pairs marked"
        );
        let kind = |kind: &'static str| metrics::counter!("comptoir_invalidations_total", "kind" => kind);
        Self {
            now: kind("now"),
            announced: kind("announced"),
            settled: kind("settled"),
            marked: metrics::counter!("comptoir_invalidated_words_total"),
        }
    }
}
