//! An answer like those a shop gets, and a service that gives it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::api::Offers;
use crate::cache::price_row::Shapes;
use crate::cache::stock_row::StockShapes;
use crate::cache::{PriceRow, StockRow};
use crate::clock::{Mono, Reading, Stamp, Timestamp};
use crate::domain::{
    Incoming, LocationId, LocationLevel, PriceBreak, PricedLine, Purpose, Stock, TaxBasis, Terms, Unit,
};
use crate::offer::{
    AvailabilityAnswer, Band, Explanation, Freshness, Invalidated, Invalidation, InvalidationError, LineAnswer,
    LineQuery, LineStatus, Named, OfferAnswer, OfferError, OfferQuery, Parts, PartyAnswer, PolicyAnswer, PriceAnswer,
    Source, Step, StreamItem,
};

/// 2026-11-22T10:04:32.120Z
pub const NOW: Timestamp = Timestamp(1_795_341_872_120);

pub fn query(lines: usize) -> OfferQuery {
    OfferQuery {
        customer: None,
        company: None,
        ship_to: None,
        contract: None,
        currency: None,
        visitor: None,
        price_date: None,
        purpose: Purpose::List,
        max_age: None,
        stale_if_error: None,
        parts: Parts::BOTH,
        locations: Vec::new(),
        lines: (0..lines).map(|n| LineQuery::new(format!("SKU-{n:06}"), Some("3".into()), None, None)).collect(),
        request_id: "test".into(),
        arrival: Reading::default(),
        deadline: Mono::FAR_FUTURE,
    }
}

/// As the ERP tells a box of screws: two breaks, terms, two locations, one delivery to come.
pub fn page(lines: usize) -> OfferAnswer {
    answer(Arc::new(query(lines)), NOW)
}

pub fn answer(query: Arc<OfferQuery>, now: Timestamp) -> OfferAnswer {
    let (shapes, stock_shapes) = (Shapes::default(), StockShapes::default());
    let step =
        |min: &str, net: &str| PriceBreak { min_quantity: min.parse().unwrap(), net_price: net.parse().unwrap() };
    let told = PricedLine {
        list_price: Some("26.00".parse().unwrap()),
        base_quantity: "100".parse().unwrap(),
        base_unit: Some(Unit::new("EA").unwrap()),
        breaks: vec![step("1", "23.40"), step("100", "21.90")],
        tax_basis: Some(TaxBasis::Net),
        tax_rate: Some("0.20".parse().unwrap()),
        terms: Terms { order_multiple: Some("12".parse().unwrap()), lead_time_days: Some(5), ..Terms::default() },
        ..PricedLine::plain("EUR".parse().unwrap(), "23.40".parse().unwrap())
    };
    let level = |name: &str, on_hand: &str, reserved: &str, available: &str| LocationLevel {
        location: LocationId::new(name).unwrap(),
        on_hand: Some(on_hand.parse().unwrap()),
        reserved: Some(reserved.parse().unwrap()),
        available: available.parse().unwrap(),
    };
    let stock = Stock::Levels {
        base_unit: Some(Unit::new("EA").unwrap()),
        locations: vec![level("PARIS", "500", "80", "420"), level("LYON", "3", "0", "3")],
        incoming: vec![Incoming {
            location: LocationId::new("PARIS").unwrap(),
            quantity: "1000".parse().unwrap(),
            expected_on: Some(jiff::civil::date(2026, 12, 1)),
        }],
    };
    let freshness = Freshness {
        source: Source::Memory,
        observed_at: now,
        expires_at: now.plus(Duration::from_secs(60)),
        stale: None,
        changed_at: None,
    };
    let lines = (query.lines.iter())
        .map(|line| {
            if let Some(fault) = line.fault {
                return LineAnswer::whole(LineStatus::Invalid, fault.reason());
            }
            LineAnswer {
                status: LineStatus::Ok,
                reason: None,
                price: PriceAnswer::Told {
                    row: PriceRow::new(line.sku.as_bytes(), &told, None, Stamp(0), Reading::default(), &shapes),
                    quantity: line.amount.0,
                    freshness,
                },
                availability: AvailabilityAnswer::Told {
                    row: StockRow::new(&line.sku, &stock, Stamp(0), Reading::default(), &stock_shapes).unwrap(),
                    band: Band::InStock,
                    available: None,
                    available_on: Some(jiff::civil::date(2026, 11, 22)),
                    freshness,
                    by_location: None,
                },
                unit: None,
                base_unit: Some(Unit::new("EA").unwrap()),
                unit_factor: Some("1".parse().unwrap()),
                order_quantity: Some("12".parse().unwrap()),
            }
        })
        .collect();
    OfferAnswer {
        party: PartyAnswer {
            currency: Some("EUR".parse().unwrap()),
            price_date: Some(jiff::civil::date(2026, 11, 22)),
            blocked: Some(false),
        },
        policy: PolicyAnswer { max_age: Duration::from_secs(60), stale_if_error: Duration::from_secs(3600) },
        answered_at: now,
        lines,
        query,
    }
}

/// Answers every question at once with the same sample. Some customers have it do otherwise.
#[derive(Debug, Default)]
pub struct SampleOffers;

impl Offers for SampleOffers {
    async fn answer(self: &Arc<Self>, query: OfferQuery) -> Result<OfferAnswer, OfferError> {
        match query.customer.as_ref().map(|id| id.as_str()) {
            Some("NOBODY") => return Err(OfferError::CustomerUnknown),
            Some("PANIC") => panic!("asked to"),
            // Answers at the deadline, as with an ERP that hangs.
            Some("SLOW") => tokio::time::sleep(query.deadline.since(query.arrival.mono)).await,
            _ => {}
        }
        Ok(answer(Arc::new(query), NOW))
    }

    async fn stream(self: &Arc<Self>, query: OfferQuery, out: mpsc::Sender<StreamItem>) -> Result<(), OfferError> {
        let cut = query.customer.as_ref().is_some_and(|id| id.as_str() == "CUT");
        let OfferAnswer { query, party, policy, answered_at, lines } = self.answer(query).await?;
        let answered = lines.len();
        let _ = out.send(StreamItem::Head { query, party, policy }).await;
        // Backwards: records come as they are known, not as they were asked.
        for (index, line) in lines.into_iter().enumerate().rev() {
            if out.send(StreamItem::Offers(vec![(index, line)])).await.is_err() {
                return Ok(());
            }
        }
        if !cut {
            let _ = out.send(StreamItem::Done { answered, answered_at }).await;
        }
        Ok(())
    }

    async fn explain(self: &Arc<Self>, query: OfferQuery) -> Result<Explanation, OfferError> {
        let step = Step::new("price", "It is \"held\".").fact("age", "1.5s").fact("fresh", true);
        Ok(Explanation { answer: self.answer(query).await?, steps: vec![step, Step::new("key", "Nothing to add.")] })
    }

    async fn invalidate(&self, invalidation: Invalidation) -> Result<Invalidated, InvalidationError> {
        let Invalidation { named, settle, .. } = invalidation;
        match named.customers.first().map(|id| id.as_str()) {
            Some("UNWRITTEN") => Err(InvalidationError::NotDurable { why: "it could not be written down" }),
            Some("MANY") => Err(InvalidationError::TooManyWaiting { waiting: 7 }),
            _ if !named.contracts.is_empty() => Err(InvalidationError::NotResolvable { field: "contracts", why: "no" }),
            _ if named == Named::default() => Err(InvalidationError::NothingNamed),
            _ => Ok(Invalidated {
                effective_at: NOW,
                settled_at: settle.map(|settle| NOW.plus(settle)),
                marked: named.ids(),
                widened: false,
            }),
        }
    }
}
