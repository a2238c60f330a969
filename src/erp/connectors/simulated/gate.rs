//! Which calls are served now, which wait, which are turned away.
//!
//! So many calls at a time, the rest in the order they came; so many a minute, the rest refused. It never cancels:
//! whoever stops waiting for an answer frees nothing. Pure but for the channels that wake those who wait.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Mono;

/// Calls that may wait to be served. Past that an ERP turns callers away.
pub const WAITING_MAX: usize = 10_000;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Gate {
    serving: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
    /// When the calls of the last minute were accepted.
    accepted: VecDeque<Mono>,
}

/// What became of a call at the gate.
pub enum Entry {
    Served,
    /// Served when this says so.
    Waits(oneshot::Receiver<()>),
    TurnedAway(&'static str),
}

impl Gate {
    /// One more call. Calls that were refused do not count against the minute: an ERP that is asked again and again
    /// still serves its share.
    pub fn enter(&mut self, now: Mono, concurrency: usize, calls_per_minute: Option<u32>) -> Entry {
        while self.accepted.front().is_some_and(|&at| now.since(at) >= MINUTE) {
            self.accepted.pop_front();
        }
        if calls_per_minute.is_some_and(|limit| self.accepted.len() >= limit as usize) {
            return Entry::TurnedAway("too many calls in a minute");
        }
        if self.waiting.len() >= WAITING_MAX {
            return Entry::TurnedAway("too many calls waiting");
        }
        self.accepted.push_back(now);
        let (wake, woken) = oneshot::channel();
        self.waiting.push_back(wake);
        self.let_in(concurrency);
        let mut woken = woken;
        match woken.try_recv() {
            Ok(()) => Entry::Served,
            Err(_) => Entry::Waits(woken),
        }
    }

    /// A call that was served has ended.
    pub fn leave(&mut self, concurrency: usize) {
        debug_assert!(self.serving > 0, "every call leaves once");
        self.serving = self.serving.saturating_sub(1);
        self.let_in(concurrency);
    }

    /// Serves those who wait, as far as `concurrency` allows; also after it was raised.
    pub fn let_in(&mut self, concurrency: usize) {
        while self.serving < concurrency.max(1) {
            let Some(wake) = self.waiting.pop_front() else { return };
            // A task that no longer listens died with its runtime; nobody would ever leave for it.
            if wake.send(()).is_ok() {
                self.serving += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    #[tokio::test]
    async fn calls_are_served_in_the_order_they_came() {
        let mut gate = Gate::default();
        assert!(matches!(gate.enter(at(0), 1, None), Entry::Served));
        let mut waiting: Vec<_> = (0..2)
            .map(|_| match gate.enter(at(0), 1, None) {
                Entry::Waits(woken) => woken,
                _ => panic!("only one is served"),
            })
            .collect();
        gate.leave(1);
        assert!(waiting[0].try_recv().is_ok());
        assert!(waiting[1].try_recv().is_err());
        // More room lets the next one in without anybody leaving.
        gate.let_in(2);
        assert!(waiting[1].try_recv().is_ok());
    }

    #[test]
    fn a_minute_is_any_sixty_seconds() {
        let mut gate = Gate::default();
        let mut served = |seconds| matches!(gate.enter(at(seconds), 9, Some(2)), Entry::Served);
        assert_eq!(
            [served(0), served(30), served(59), served(60), served(89), served(90)],
            [true, true, false, true, false, true]
        );
    }
}
