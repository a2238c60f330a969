//! Requests that came too early: numbers before theirs are missing, and may be on their way by another connection.
//!
//! They wait whole, because a request is seen whole, in the order of their first numbers, and not for ever. Pure, on given
//! time.

use std::collections::BTreeMap;

use super::queue::Ticket;
use crate::clock::Mono;
use crate::domain::ids::SourceId;
use crate::stock::config::{OnGap, SourceConfig, StockConfig};
use crate::stock::request::Request;

#[derive(Debug)]
pub struct Waiting {
    /// By source, first number and arrival.
    held: BTreeMap<(SourceId, u64, Ticket), Held>,
    /// By when their wait is over.
    ends: BTreeMap<(Mono, Ticket), (SourceId, u64)>,
    /// Changes of each source that wait.
    changes: BTreeMap<SourceId, usize>,
    config: StockConfig,
}

#[derive(Debug)]
struct Held {
    request: Request,
    until: Mono,
}

impl Waiting {
    pub fn new(config: &StockConfig) -> Self {
        Self { held: BTreeMap::new(), ends: BTreeMap::new(), changes: BTreeMap::new(), config: config.clone() }
    }

    /// Holds a request, and says until when. `Err`: its source has too many waiting already, or does not wait at all.
    pub fn hold(&mut self, request: Request, ticket: Ticket, now: Mono) -> Result<Mono, Request> {
        let default;
        let source = match self.config.sources.iter().find(|source| source.name == request.source) {
            Some(source) => source,
            None => {
                default = SourceConfig::named(request.source.clone());
                &default
            }
        };
        let waiting = self.changes.get(&request.source).copied().unwrap_or(0) + size(&request);
        if waiting > source.reorder_changes_max || source.reorder_wait.is_zero() {
            return Err(request);
        }
        let until = now.plus(source.reorder_wait);
        self.changes.insert(request.source.clone(), waiting);
        let first = first(&request);
        self.ends.insert((until, ticket), (request.source.clone(), first));
        self.held.insert((request.source.clone(), first, ticket), Held { request, until });
        Ok(until)
    }

    /// The first of the source's that need not wait any more.
    pub fn ready(&mut self, source: &SourceId, must_wait: impl Fn(&Request) -> bool) -> Option<(Ticket, Request)> {
        if self.held.is_empty() {
            return None;
        }
        let of_source = self.held.range((source.clone(), 0, 0)..=(source.clone(), u64::MAX, Ticket::MAX));
        let mut ready = of_source.filter(|(_, held)| !must_wait(&held.request));
        let key = ready.next()?.0.clone();
        self.remove(&key).map(|request| (key.2, request))
    }

    /// One whose wait is over, of those that began to wait first. Where a source goes on over a gap, its lower numbers go with
    /// it: after it they would count as judged.
    pub fn expired(&mut self, now: Mono) -> Option<(Ticket, Request)> {
        let (&(until, ticket), (source, first)) = self.ends.first_key_value()?;
        if until > now {
            return None;
        }
        let mut key = (source.clone(), *first, ticket);
        let goes_on =
            self.config.sources.iter().any(|config| config.name == *source && config.on_gap == OnGap::Continue);
        if goes_on && let Some((lowest, _)) = self.held.range((source.clone(), 0, 0)..).next() {
            key = lowest.clone();
        }
        self.remove(&key).map(|request| (key.2, request))
    }

    /// Nobody waits for it any more: it was not taken.
    pub fn withdraw(&mut self, ticket: Ticket) {
        let of_ticket = self.held.keys().find(|(_, _, held)| *held == ticket).cloned();
        if let Some(key) = of_ticket {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &(SourceId, u64, Ticket)) -> Option<Request> {
        let Held { request, until } = self.held.remove(key)?;
        self.ends.remove(&(until, key.2));
        if let Some(changes) = self.changes.get_mut(&key.0) {
            *changes -= size(&request);
            if *changes == 0 {
                self.changes.remove(&key.0);
            }
        }
        Some(request)
    }
}

fn size(request: &Request) -> usize {
    request.changes.len().max(1)
}

fn first(request: &Request) -> u64 {
    request.changes.iter().filter_map(|change| change.sequence).min().or(request.heartbeat).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::change::{Change, Epoch, Unreadable};

    fn request(source: &str, numbers: &[u64]) -> Request {
        let change = |&sequence: &u64| Change {
            sequence: Some(sequence),
            after: None,
            event_id: None,
            effective_at: None,
            movement: Err(Unreadable { reason: "unknown_field", detail: "".into(), key: None }),
            hash: 0,
        };
        let source = SourceId::new(source).unwrap();
        Request { source, epoch: Epoch::default(), changes: numbers.iter().map(change).collect(), heartbeat: None }
    }

    fn waiting(max: usize) -> Waiting {
        let mut wms = SourceConfig::named(SourceId::new("wms").unwrap());
        wms.reorder_changes_max = max;
        let now = SourceConfig { reorder_wait: Duration::ZERO, ..SourceConfig::named(SourceId::new("now").unwrap()) };
        Waiting::new(&StockConfig { sources: vec![wms, now], ..StockConfig::default() })
    }

    #[test]
    fn what_waits_goes_on_in_the_order_of_its_numbers_when_it_can() {
        let mut waiting = waiting(10);
        let wms = SourceId::new("wms").unwrap();
        for (ticket, numbers) in [(1, [8, 9]), (2, [4, 5]), (3, [6, 7])] {
            assert!(waiting.hold(request("wms", &numbers), ticket, Mono(5)).is_ok());
        }
        let after = |last: u64| move |request: &Request| first(request) > last + 1;
        assert_eq!(waiting.ready(&wms, after(2)), None);
        assert_eq!(waiting.ready(&SourceId::new("other").unwrap(), after(99)), None);
        assert_eq!(waiting.ready(&wms, after(3)).map(|(ticket, _)| ticket), Some(2));
        assert_eq!(waiting.ready(&wms, after(5)).map(|(ticket, _)| ticket), Some(3));
        assert_eq!(waiting.ready(&wms, after(5)), None);
        assert_eq!(waiting.ready(&wms, after(7)).map(|(ticket, _)| ticket), Some(1));
        assert!(waiting.ends.is_empty() && waiting.changes.is_empty());
    }

    #[test]
    fn nobody_waits_for_ever_and_not_too_many_do() {
        let mut waiting = waiting(3);
        let second = Duration::from_secs(1);
        let end = Mono(5).plus(second);
        assert_eq!(waiting.hold(request("wms", &[8, 9]), 1, Mono(5)), Ok(end));
        assert!(waiting.hold(request("wms", &[10, 11]), 2, Mono(6)).is_err(), "four would be too many");
        assert_eq!(waiting.hold(request("wms", &[4]), 3, Mono(7)), Ok(Mono(7).plus(second)));
        assert!(waiting.hold(request("now", &[4]), 4, Mono(7)).is_err(), "this one does not wait");
        assert_eq!(waiting.expired(Mono(end.0 - 1)), None);
        assert_eq!(waiting.expired(end).map(|(ticket, _)| ticket), Some(1));
        assert_eq!(waiting.expired(end), None);
        waiting.withdraw(3);
        assert_eq!(waiting.expired(Mono::FAR_FUTURE), None);
        assert!(waiting.held.is_empty() && waiting.changes.is_empty());
    }
}
