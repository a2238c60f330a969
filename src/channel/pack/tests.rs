//! What is packed is what is unpacked, and what is not a record is none.

use super::*;
use crate::domain::{Sku, TaxBasis};

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp(1_795_600_000_000 + ms)
}

fn told() -> PriceFact {
    PriceFact::Told {
        net_price: "12.3450".parse().unwrap(),
        base_quantity: "100".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        tax_basis: Some(TaxBasis::Gross),
        tax_rate: Some("0.2".parse().unwrap()),
        lead_time_days: Some(3),
        ends: Some(at(9)),
        observed_at: at(1),
    }
}

fn whole(key: RowKey) -> Kept {
    let key = Arc::new(key);
    let row = ChannelRow {
        key: key.clone(),
        version: 1_795_600_000_000_123,
        state: RowState::Zeroed,
        quantity: Some("0".parse().unwrap()),
        quantity_version: 1_795_600_000_000_123,
        price: Some(ChannelPrice {
            amount: "14.99".parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            tax_basis: TaxBasis::Net,
        }),
        price_version: 17,
        lead_time_days: Some(2),
        reasons: ["source_gap", "price_held"].into_iter().collect(),
    };
    Kept {
        row: Some(Arc::new(row)),
        published_at: at(4),
        unsaid_since: Some(at(3)),
        waiting: Waiting {
            rising: Some(Rising { since: at(2), quantity: Some("5.5".parse().unwrap()) }),
            leaving_since: Some(at(5)),
        },
        price: told(),
        priced_for: "12".parse().unwrap(),
        invalidated_at: Some(at(6)),
        is_unreachable: true,
        held: Box::new([Held {
            location: LocationId::new("PARIS").unwrap(),
            available: Some("-3".parse().unwrap()),
            reason: "source_gap",
            since: at(7),
            is_zero: true,
        }]),
        key,
    }
}

fn all_events() -> Vec<Event> {
    let key = RowKey { sku: sku("BOLT-8"), channel_sku: sku("MKT 8") };
    let plain = RowKey { sku: sku("é"), channel_sku: sku("é") };
    let files = [("amazon".to_owned(), FileFacts { rows: 10, zeros: 1, watermark: 5 })];
    let own = Own {
        mode: Mode::Zeroed,
        customer: Some(CustomerId::new("C-1").unwrap()),
        policy: Some(PolicyHash(99)),
        anew: true,
        renumber: 77,
        zeros: ZerosUpTo { stock: Some(at(1)), price: None },
        heard: Heard::Results,
        files: files.into(),
    };
    let refused = Delivery { result: AckResult::Refused, version: 9, at: at(2), reason: Some("EAN missing".into()) };
    vec![
        Event::Row(Box::new(whole(key.clone()))),
        Event::Row(Box::new(Kept::new(plain.clone()))),
        Event::Row(Box::new(Kept {
            price: PriceFact::No { reason: "not_for_sale", observed_at: at(0) },
            ..Kept::new(plain.clone())
        })),
        Event::Gone(Arc::new(plain)),
        Event::Said(Arc::new(key), refused),
        Event::Invalidated { reach: Reach::All, at: at(1) },
        Event::Invalidated { reach: Reach::Skus(vec![sku("A"), sku("B")]), at: at(2) },
        Event::Own(Box::new(own)),
        Event::Own(Box::default()),
        Event::Purged { purged: Purged { through: 3, at: 4 }, before: at(-5) },
        Event::Started { random: u64::MAX, watermark: 8 },
        Event::Dropped,
    ]
}

#[test]
fn every_event_comes_back() {
    let events = all_events();
    let mut out = Packer::default();
    pack_events("shop", events.iter(), &mut out);
    assert_eq!(unpack(&out.0), Some(Record::Channel("shop".into(), events)));
}

#[test]
fn a_record_that_is_cut_or_followed_by_more_is_none() {
    let mut out = Packer::default();
    pack_events("shop", all_events().iter(), &mut out);
    for end in 0..out.0.len() {
        assert_eq!(unpack(&out.0[..end]), None, "cut at {end}");
    }
    out.byte(0);
    assert_eq!(unpack(&out.0), None);
}

#[test]
fn the_name_of_a_row_is_one_text_where_it_is_one_name() {
    let event = Event::Gone(Arc::new(RowKey { sku: sku("A"), channel_sku: sku("A") }));
    let mut out = Packer::default();
    pack_events("shop", [&event].into_iter(), &mut out);
    let Some(Record::Channel(_, events)) = unpack(&out.0) else { panic!("a record") };
    let [Event::Gone(key)] = &events[..] else { panic!("{events:?}") };
    assert!(std::ptr::eq(key.sku.as_str(), key.channel_sku.as_str()));
}

#[test]
fn a_row_of_a_catalogue_is_kept_in_some_hundred_bytes() {
    let mut kept = whole(RowKey { sku: sku("SKU-00000001"), channel_sku: sku("SKU-00000001") });
    (kept.waiting, kept.held, kept.invalidated_at, kept.unsaid_since) = Default::default();
    let mut out = Packer::default();
    pack_events("shop", [&Event::Row(Box::new(kept))].into_iter(), &mut out);
    assert!(out.0.len() < 160, "{}", out.0.len());
}
