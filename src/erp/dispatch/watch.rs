//! What becomes of a page's asks, for explanations: how each was taken, where it stood then, and the calls it was part of.
//!
//! Only who asks to be watched is: a call that lands looks whether somebody watches, and that is all it costs the others.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::ask::Ask;
use super::driver::{Need, Want};
use super::machine::{Asked, CallId, Demand, Load, Machine, Waiter, Whereabouts};
use crate::clock::Reading;
use crate::erp::connector::{Call, Operation};

/// What was seen of one page's asks so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// A mutex, held to note or to copy: landing calls and the page meet here.
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub asks: Vec<SeenAsk>,
    /// The dispatcher when everything had been asked.
    pub load: Option<Load>,
    /// In the order they were seen.
    pub calls: Vec<SeenCall>,
}

/// One ask, and how it was taken.
#[derive(Clone, Debug)]
pub struct SeenAsk {
    pub ask: Ask,
    pub need: Need,
    pub demand: Demand,
    pub asked: Asked,
    /// When the whole page had been asked and what could leave had left.
    pub then: Whereabouts,
}

/// One call that an ask was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenCall {
    pub id: CallId,
    pub operation: Operation,
    pub lines: usize,
    pub start: Reading,
    pub ended: Option<SeenEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenEnd {
    pub took: Duration,
    /// Why it failed.
    pub failed: Option<&'static str>,
}

impl Watch {
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub(super) fn asked(&self, want: Want, asked: Asked) {
        let Want { ask, need, demand, .. } = want;
        let then = Whereabouts::default();
        self.seen.lock().asks.push(SeenAsk { ask, need, demand, asked, then });
    }

    /// Everything was asked, and what could leave has left.
    pub(super) fn settled<W: Waiter>(&self, machine: &mut Machine<W>, now: Reading) {
        let mut seen = self.seen.lock();
        let Seen { asks, load, calls } = &mut *seen;
        *load = Some(machine.load(now.mono));
        for seen in asks {
            seen.then = machine.whereabouts(&seen.ask, now.mono);
            for (id, start) in &seen.then.air {
                if calls.iter().all(|call| call.id != *id)
                    && let Some((operation, lines)) = machine.call_of(*id)
                {
                    let start = Reading { mono: *start, wall: now.wall.minus(now.mono.since(*start)) };
                    calls.push(SeenCall { id: *id, operation, lines, start, ended: None });
                }
            }
        }
    }

    fn saw(&self, call: SeenCall, asks: &[Ask]) {
        let mut seen = self.seen.lock();
        if let Some(known) = seen.calls.iter_mut().find(|known| known.id == call.id) {
            *known = call;
        } else if seen.asks.iter().any(|seen| asks.contains(&seen.ask)) {
            seen.calls.push(call);
        }
    }
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub struct Watches {
    /// A mutex, held for a glance once a call.
    watches: Mutex<Vec<Weak<Watch>>>,
}

impl Watches {
    pub fn begin(&self) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        let mut watches = self.watches.lock();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&watch));
        watch
    }

    /// A call left, or is over.
    pub fn saw(&self, id: CallId, call: &Call, asks: &[Ask], start: Reading, ended: Option<SeenEnd>) {
        let mut watches = self.watches.lock();
        if watches.is_empty() {
            return;
        }
        watches.retain(|watch| watch.strong_count() > 0);
        let seen = SeenCall { id, operation: call.operation(), lines: call.lines(), start, ended };
        watches.iter().filter_map(Weak::upgrade).for_each(|watch| watch.saw(seen, asks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CustomerId;

    fn customer(id: &str) -> Ask {
        Ask::Customer(Some(CustomerId::new(id).unwrap()))
    }

    fn want(id: &str) -> Want {
        Want { ask: customer(id), demand: Demand::default(), need: Need::Awaited, with_price: false }
    }

    #[test]
    fn a_watch_sees_its_own_calls_and_no_others() {
        let watches = Watches::default();
        let watch = watches.begin();
        watch.asked(want("C-1"), Asked::Queued);
        let call = Call::Customers(vec![None, None]);
        watches.saw(CallId(1), &call, &[customer("C-2")], Reading::default(), None);
        watches.saw(CallId(2), &call, &[customer("C-2"), customer("C-1")], Reading::default(), None);
        let end = SeenEnd { took: Duration::from_millis(50), failed: Some("erp_error") };
        watches.saw(CallId(2), &call, &[customer("C-2"), customer("C-1")], Reading::default(), Some(end));
        let calls = watch.seen().calls;
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!((calls[0].id, calls[0].lines, calls[0].ended), (CallId(2), 2, Some(end)));
        drop(watch);
        watches.saw(CallId(3), &call, &[customer("C-1")], Reading::default(), None);
        assert!(watches.watches.lock().is_empty());
    }
}
