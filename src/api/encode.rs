//! Offers onto a wire.
//!
//! Owns: the one walk over an answer that names each field once and writes it through a [`Sink`]; the sinks for protobuf
//! and for its canonical JSON. No message is built in between and nothing is allocated per line. Never decides what an
//! answer says. Tested field by field against the generated messages, and against another implementation of the JSON
//! mapping, on random answers.

mod digits;
mod fields;
mod json;
mod memo;
mod protobuf;
mod sink;
mod stock;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::fields::{
    component, explanation as explained, freshness, offer, offer_status, order_block, party, policy, price,
    price_break, price_status, record, response, source, step, step_fact, tax_basis, terms,
};
pub use self::json::{Json, put_text};
use self::memo::{Memo, Same};
pub use self::protobuf::Protobuf;
use self::sink::Field;
pub use self::sink::Sink;
use crate::cache::PriceRow;
use crate::cache::price_row::ShapeTerms;
use crate::clock::Timestamp;
use crate::domain::{Quantity, TaxBasis};
use crate::offer::answer::{Freshness, LineAnswer, LineStatus, OfferAnswer, PartyAnswer, PolicyAnswer, Source};
use crate::offer::{AvailabilityAnswer, Explanation, LineQuery, OfferQuery, PriceAnswer};

/// Writes the fields of a whole answer. Gives back where `answeredAt` stands: the only part that differs between two
/// answers that say the same.
pub fn answer<S: Sink>(sink: &mut S, answer: &OfferAnswer) -> Range<usize> {
    let query = &*answer.query;
    put_party(sink, response::PARTY, query, &answer.party);
    put_policy(sink, response::POLICY, answer.policy);
    let start = sink.bytes().len();
    sink.instant(response::ANSWERED_AT, answer.answered_at);
    let end = sink.bytes().len();
    let mut memo = Memo::default();
    sink.list(response::OFFERS, query.lines.iter().zip(&answer.lines), |sink, (line, answer)| {
        put_offer(sink, &mut memo, query, line, answer);
    });
    start..end
}

/// Writes the fields of an explained offer.
pub fn explanation<S: Sink>(sink: &mut S, explanation: &Explanation) {
    let Explanation { answer, steps } = explanation;
    let query = &*answer.query;
    put_party(sink, explained::PARTY, query, &answer.party);
    put_policy(sink, explained::POLICY, answer.policy);
    sink.instant(explained::ANSWERED_AT, answer.answered_at);
    if let (Some(line), Some(told)) = (query.lines.first(), answer.lines.first()) {
        sink.message(explained::OFFER, |sink| put_offer(sink, &mut Memo::default(), query, line, told));
    }
    sink.list(explained::STEPS, steps.iter(), |sink, told| {
        implicit(sink, step::ABOUT, told.about);
        implicit(sink, step::TEXT, &told.text);
        sink.list(step::FACTS, told.facts.iter(), |sink, (name, value)| {
            implicit(sink, step_fact::NAME, name);
            implicit(sink, step_fact::VALUE, value);
        });
    });
}

/// Who asked and by what policy: on the first record of a stream.
#[derive(Debug)]
pub struct Head {
    pub party: PartyAnswer,
    pub policy: PolicyAnswer,
}

/// Writes the fields of one record of a stream.
pub fn record<S: Sink>(sink: &mut S, query: &OfferQuery, index: usize, answer: &LineAnswer, head: Option<&Head>) {
    let Some(line) = query.lines.get(index) else { return };
    sink.int32(record::INDEX, i32::try_from(index).unwrap_or(i32::MAX));
    sink.message(record::OFFER, |sink| put_offer(sink, &mut Memo::default(), query, line, answer));
    if let Some(head) = head {
        put_head(sink, query, head);
    }
}

/// Writes the fields of the last record of a stream. A stream without offers has its head here.
pub fn last_record<S: Sink>(
    sink: &mut S,
    query: &OfferQuery,
    head: Option<&Head>,
    answered: usize,
    answered_at: Timestamp,
) {
    if let Some(head) = head {
        put_head(sink, query, head);
    }
    sink.boolean(record::DONE, true);
    sink.int32(record::ANSWERED, i32::try_from(answered).unwrap_or(i32::MAX));
    sink.instant(record::ANSWERED_AT, answered_at);
}

fn put_head<S: Sink>(sink: &mut S, query: &OfferQuery, head: &Head) {
    put_party(sink, record::PARTY, query, &head.party);
    put_policy(sink, record::POLICY, head.policy);
}

fn put_party<S: Sink>(sink: &mut S, field: Field, query: &OfferQuery, answer: &PartyAnswer) {
    sink.message(field, |sink| {
        text_if(sink, party::CUSTOMER, query.customer.as_ref().map(|id| id.as_str()));
        text_if(sink, party::COMPANY, query.company.as_ref().map(|id| id.as_str()));
        text_if(sink, party::SHIP_TO, query.ship_to.as_ref().map(|id| id.as_str()));
        text_if(sink, party::CONTRACT, query.contract.as_ref().map(|id| id.as_str()));
        if let Some(currency) = answer.currency.or(query.currency) {
            sink.plain(party::CURRENCY, currency.as_str().as_bytes());
        }
        if let Some(date) = answer.price_date.or(query.price_date) {
            sink.date(party::PRICE_DATE, date);
        }
        if let Some(blocked) = answer.blocked {
            sink.name(party::ORDER_BLOCK, if blocked { order_block::BLOCKED } else { order_block::NONE });
        }
    });
}

fn put_policy<S: Sink>(sink: &mut S, field: Field, answer: PolicyAnswer) {
    sink.message(field, |sink| {
        sink.duration(policy::MAX_AGE, answer.max_age);
        sink.duration(policy::STALE_IF_ERROR, answer.stale_if_error);
    });
}

fn put_offer<'a, S: Sink>(
    sink: &mut S,
    memo: &mut Memo<'a>,
    query: &OfferQuery,
    line: &LineQuery,
    answer: &'a LineAnswer,
) {
    implicit(sink, offer::SKU, &line.sku);
    text_if(sink, offer::REFERENCE, line.reference.as_deref());
    match &line.quantity {
        Some(written) => sink.text(offer::QUANTITY, written),
        None => sink.plain(offer::QUANTITY, b"1"),
    }
    text_if(sink, offer::UNIT, answer.unit.as_ref().map(|unit| unit.as_str()).or(line.unit.as_deref()));
    text_if(sink, offer::BASE_UNIT, answer.base_unit.as_ref().map(|unit| unit.as_str()));
    if let Some(factor) = answer.unit_factor {
        sink.decimal(offer::UNIT_FACTOR, factor.get());
    }
    sink.name(
        offer::STATUS,
        match answer.status {
            LineStatus::Ok => offer_status::OK,
            LineStatus::OnRequest => offer_status::ON_REQUEST,
            LineStatus::Unavailable => offer_status::UNAVAILABLE,
            LineStatus::UnknownSku => offer_status::UNKNOWN_SKU,
            LineStatus::NotForSale => offer_status::NOT_FOR_SALE,
            LineStatus::Invalid => offer_status::INVALID,
        },
    );
    reason_if(sink, offer::REASON, answer.reason);
    put_price(sink, memo, &answer.price);
    put_terms(sink, memo, answer);
    if !matches!(answer.availability, AvailabilityAnswer::NotAsked) {
        stock::put_availability(sink, memo, query, &answer.availability);
    }
}

fn put_price<'a, S: Sink>(sink: &mut S, memo: &mut Memo<'a>, answer: &'a PriceAnswer) {
    match answer {
        PriceAnswer::NotAsked => {}
        PriceAnswer::Told { row, quantity, freshness } => sink.message(offer::PRICE, |sink| {
            put_told(sink, memo, row, *quantity);
            memo.price_freshness.put(sink, *freshness, |sink| put_freshness(sink, price::FRESHNESS, freshness));
        }),
        PriceAnswer::OnRequest { reason, freshness } => sink.message(offer::PRICE, |sink| {
            sink.name(price::STATUS, price_status::ON_REQUEST);
            sink.plain(price::REASON, reason.as_bytes());
            memo.price_freshness.put(sink, *freshness, |sink| put_freshness(sink, price::FRESHNESS, freshness));
        }),
        PriceAnswer::Unavailable { reason } => sink.message(offer::PRICE, |sink| {
            sink.name(price::STATUS, price_status::UNAVAILABLE);
            sink.plain(price::REASON, reason.as_bytes());
        }),
    }
}

fn put_told<'a, S: Sink>(sink: &mut S, memo: &mut Memo<'a>, row: &'a PriceRow, quantity: Quantity) {
    let shape = row.shape();
    sink.name(price::STATUS, price_status::OK);
    sink.plain(price::CURRENCY, shape.currency.as_str().as_bytes());
    if let Some(list_price) = row.list_price() {
        sink.plain(price::LIST_PRICE, list_price.as_bytes());
    }
    sink.plain(price::NET_PRICE, row.net_price_at(quantity).as_bytes());
    memo.price_basis.put(sink, Same(shape), |sink| {
        sink.plain(price::BASE_QUANTITY, shape.base_quantity.as_bytes());
        match shape.tax_basis {
            Some(TaxBasis::Net) => sink.name(price::TAX_BASIS, tax_basis::NET),
            Some(TaxBasis::Gross) => sink.name(price::TAX_BASIS, tax_basis::GROSS),
            None => {}
        }
        plain_if(sink, price::TAX_RATE, shape.tax_rate.as_deref());
    });
    sink.list(price::BREAKS, row.breaks(), |sink, step| {
        sink.plain(price_break::MIN_QUANTITY, step.min_quantity.as_bytes());
        sink.plain(price_break::NET_PRICE, step.net_price.as_bytes());
    });
    memo.price_tail.put(sink, Same(shape), |sink| {
        sink.list(price::COMPONENTS, shape.components.iter(), |sink, (part, amount)| {
            implicit(sink, component::KIND, &part.kind);
            implicit(sink, component::CODE, &part.code);
            implicit(sink, component::LABEL, &part.label);
            sink.plain(component::AMOUNT, amount.as_bytes());
            sink.boolean(component::INCLUDED, part.included);
        });
        plain_if(sink, price::VALID_FROM, shape.valid_from.as_deref());
        plain_if(sink, price::VALID_UNTIL, shape.valid_until.as_deref());
        plain_if(sink, price::NET_AMOUNT, shape.net_amount.as_deref());
    });
}

fn put_terms<'a, S: Sink>(sink: &mut S, memo: &mut Memo<'a>, answer: &'a LineAnswer) {
    let shape = match &answer.price {
        PriceAnswer::Told { row, .. } => Some(row.shape()),
        _ => None,
    };
    let told = shape.and_then(|shape| shape.terms.as_ref().map(|terms| (shape, terms)));
    if told.is_none() && answer.order_quantity.is_none() {
        return;
    }
    sink.message(offer::TERMS, |sink| {
        if let Some((shape, told)) = told {
            memo.terms_before.put(sink, Same(shape), |sink| put_minimum(sink, told));
        }
        if let Some(quantity) = answer.order_quantity {
            sink.decimal(terms::ORDER_QUANTITY, quantity.get());
        }
        if let Some((shape, told)) = told {
            memo.terms_after.put(sink, Same(shape), |sink| {
                if let Some(allowed) = told.backorder_allowed {
                    sink.boolean(terms::BACKORDER_ALLOWED, allowed);
                }
                if let Some(days) = told.lead_time_days {
                    sink.int32(terms::LEAD_TIME_DAYS, i32::from(days));
                }
            });
        }
    });
}

fn put_minimum<S: Sink>(sink: &mut S, told: &ShapeTerms) {
    plain_if(sink, terms::MIN_ORDER_QUANTITY, told.min_order_quantity.as_ref().map(|(_, text)| &**text));
    plain_if(sink, terms::ORDER_MULTIPLE, told.order_multiple.as_ref().map(|(_, text)| &**text));
}

fn put_freshness<S: Sink>(sink: &mut S, field: Field, told: &Freshness) {
    sink.message(field, |sink| {
        sink.name(
            freshness::SOURCE,
            match told.source {
                Source::Erp => source::ERP,
                Source::Memory => source::MEMORY,
                Source::Shared => source::SHARED,
                Source::Ledger => source::LEDGER,
            },
        );
        sink.instant(freshness::OBSERVED_AT, told.observed_at);
        if told.source != Source::Ledger {
            sink.instant(freshness::EXPIRES_AT, told.expires_at);
        }
        sink.boolean(freshness::STALE, told.stale.is_some());
        reason_if(sink, freshness::REASON, told.stale);
        if let Some(at) = told.changed_at {
            sink.instant(freshness::CHANGED_AT, at);
        }
    });
}

#[inline]
fn text_if<S: Sink>(sink: &mut S, field: Field, text: Option<&str>) {
    if let Some(text) = text {
        sink.text(field, text);
    }
}

#[inline]
fn plain_if<S: Sink>(sink: &mut S, field: Field, text: Option<&str>) {
    if let Some(text) = text {
        sink.plain(field, text.as_bytes());
    }
}

/// Reasons are words of ours.
#[inline]
fn reason_if<S: Sink>(sink: &mut S, field: Field, reason: Option<&'static str>) {
    plain_if(sink, field, reason);
}

/// A field without presence: an empty text is the same as none.
#[inline]
fn implicit<S: Sink>(sink: &mut S, field: Field, text: &str) {
    if !text.is_empty() {
        sink.text(field, text);
    }
}
