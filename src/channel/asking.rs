//! Asks for the prices one channel needs, as any reader of offers would: for its customer, in the lane of feeds, within
//! what the ERP bears. Which rows those are is the channel's own affair ([`PriceRows`]); one page of them is in flight at a
//! time.
//!
//! An ERP that cannot be asked is tried with one row after ever longer pauses. When that has gone on for some minutes, the
//! rows that are due are told so, although they were not asked themselves: each says why it is not newer. A planned
//! maintenance is no such news.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::ChannelError;
use super::config::ChannelConfig;
use super::fact::Asked;
use crate::clock::{Clock, Mono, Timestamp};
use crate::domain::{Currency, CustomerId, Factor, Purpose, Quantity, Sku, Unit};
use crate::offer::{LineAnswer, LineQuery, OfferAnswer, OfferError, OfferQuery, OfferService, Parts};

/// Lines in one page.
const PAGE_LINES: usize = 50;

/// How long a page may wait for its turn: whatever the shop asks goes before it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between tries while nothing is answered: doubled from the first to the last.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Looked at again after so long, whatever was said.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// After so long without an answer, rows that are due say so.
const SAID_AFTER: Duration = Duration::from_secs(300);

/// And so many of them between two tries.
const SAID_AT_ONCE: usize = 5_000;

/// One row to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToAsk {
    pub row: u32,
    pub sku: Sku,
    /// Base units in one of what the channel sells: the price at this quantity counts.
    pub pack: Quantity,
}

/// What there was to ask.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub rows: Vec<ToAsk>,
    /// When there is more, as far as is known.
    pub next: Option<Timestamp>,
}

/// One channel's rows, as far as their prices go.
pub trait PriceRows: Send + Sync + 'static {
    /// Up to `most` rows that are due. They are in flight until something is told of them.
    fn take(&self, most: usize) -> impl Future<Output = Result<Taken, ChannelError>> + Send;

    /// What came of them. Durable when it returns.
    fn told(&self, answers: Vec<(u32, Asked)>) -> impl Future<Output = Result<(), ChannelError>> + Send;

    /// Completes when rows may have come due before their time was to come.
    fn more(&self) -> impl Future<Output = ()> + Send;

    /// Something is wrong with the customer the channel prices as (`customer_unknown`, `customer_blocked`), or no more.
    fn party(&self, wrong: Option<&'static str>);
}

/// Asks for one channel.
pub struct Asking<R> {
    service: Arc<OfferService>,
    clock: Clock,
    rows: R,
    customer: Option<CustomerId>,
    currency: Option<Currency>,
    /// What is remembered may be half as old as the channel's prices may.
    max_age: Duration,
    request_id: Arc<str>,
    silence: Option<Silence>,
}

/// Nothing was answered of late.
#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Mono,
    pause: Duration,
}

impl<R: PriceRows> Asking<R> {
    /// `None`: the channel publishes no prices.
    pub fn new(service: Arc<OfferService>, config: &ChannelConfig, rows: R) -> Option<Self> {
        let price = config.price.as_ref()?;
        Some(Self {
            clock: service.clock(),
            service,
            rows,
            customer: config.customer.clone(),
            currency: price.currency,
            max_age: price.refresh_after / 2,
            request_id: format!("channel {}", config.name).into(),
            silence: None,
        })
    }

    /// Until it is dropped, or the channel takes no answers any more.
    pub async fn run(mut self) -> ChannelError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    async fn step(&mut self) -> Result<(), ChannelError> {
        let most = if self.silence.is_some() { 1 } else { PAGE_LINES };
        let Taken { rows, next } = self.rows.take(most).await?;
        if rows.is_empty() {
            let pause = next.map_or(LOOK_AGAIN, |next| self.clock.read().wall.until(next).min(LOOK_AGAIN));
            let _ = tokio::time::timeout(pause, self.rows.more()).await;
            return Ok(());
        }
        let answers = self.ask(&rows).await;
        let failed = answers.iter().find_map(|(_, asked)| match asked {
            Asked::Failed(reason) => Some(*reason),
            Asked::Price(_) => None,
        });
        let silent = failed.filter(|_| answers.iter().all(|(_, asked)| matches!(asked, Asked::Failed(_))));
        self.rows.told(answers).await?;
        match silent {
            None => self.silence = None,
            Some(reason) => self.wait_for_better(reason).await?,
        }
        Ok(())
    }

    async fn wait_for_better(&mut self, reason: &'static str) -> Result<(), ChannelError> {
        let now = self.clock.mono();
        let Silence { since, pause } = self.silence.unwrap_or(Silence { since: now, pause: PAUSE });
        self.silence = Some(Silence { since, pause: (pause * 2).min(PAUSE_MAX) });
        if is_outage(reason) && now.since(since) >= SAID_AFTER {
            let due = self.rows.take(SAID_AT_ONCE).await?.rows;
            if !due.is_empty() {
                self.rows.told(due.iter().map(|asked| (asked.row, Asked::Failed(reason))).collect()).await?;
            }
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// One answer for each row.
    async fn ask(&self, rows: &[ToAsk]) -> Vec<(u32, Asked)> {
        let asked_at = self.clock.read().wall;
        let line = |asked: &ToAsk, unit: Option<&Unit>| {
            let unit = unit.map(|unit| unit.as_str().to_owned());
            LineQuery::new(asked.sku.as_str().to_owned(), Some(asked.pack.to_string()), unit, None)
        };
        let mut lines = match self.page(rows.iter().map(|asked| line(asked, None)).collect()).await {
            Ok(answer) => answer.lines,
            Err(error) => return rows.iter().map(|asked| (asked.row, Asked::Failed(error.reason()))).collect(),
        };
        // What is sold by the box was asked by the box. Where the price depends on that, it is asked by base units instead.
        if !self.service.knowledge().capabilities.breaks {
            let by_box = |line: &LineAnswer| line.unit_factor.is_some_and(|factor| factor != Factor::ONE);
            let again: Vec<usize> = (0..lines.len()).filter(|index| by_box(&lines[*index])).collect();
            let queries = again.iter().map(|index| line(&rows[*index], lines[*index].base_unit.as_ref())).collect();
            let answers =
                if again.is_empty() { Ok(Vec::new()) } else { self.page(queries).await.map(|page| page.lines) };
            // It cannot have become unknown in between, or it will be the next time too.
            for (index, line) in again.into_iter().zip(answers.unwrap_or_default()) {
                lines[index] = line;
            }
        }
        rows.iter().zip(&lines).map(|(asked, line)| (asked.row, answer::of(line, asked.pack, asked_at))).collect()
    }

    async fn page(&self, lines: Vec<LineQuery>) -> Result<OfferAnswer, OfferError> {
        let arrival = self.clock.read();
        let query = OfferQuery {
            customer: self.customer.clone(),
            company: None,
            ship_to: None,
            contract: None,
            currency: self.currency,
            visitor: None,
            price_date: None,
            purpose: Purpose::Feed,
            max_age: Some(self.max_age),
            // An old price is in the channel already.
            stale_if_error: Some(Duration::ZERO),
            parts: Parts { price: true, availability: false },
            locations: Vec::new(),
            lines,
            request_id: self.request_id.clone(),
            arrival,
            deadline: arrival.mono.plus(PATIENCE.max(self.service.call_limit() * 2)),
        };
        let answer = self.service.answer(query).await;
        match &answer {
            Err(OfferError::CustomerUnknown) => self.rows.party(Some("customer_unknown")),
            Ok(answer) => match answer.party.blocked {
                Some(true) => self.rows.party(Some("customer_blocked")),
                Some(false) => self.rows.party(None),
                None => {}
            },
        }
        answer
    }
}

/// Whether a page without any answer means that the ERP cannot be asked: neither a queue nor a plan is news.
fn is_outage(reason: &'static str) -> bool {
    !matches!(reason, "pending" | "refused_early" | "erp_busy" | "erp_maintenance")
}
