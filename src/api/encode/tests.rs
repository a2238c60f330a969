//! Random answers on both wires, read back by implementations that are not ours: prost's generated messages, and
//! prost-reflect's canonical JSON.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use super::*;
use crate::api::proto;
use crate::api::tests::samples;
use crate::cache::price_row::Shapes;
use crate::cache::stock_row::StockShapes;
use crate::cache::{PriceRow, StockRow};
use crate::clock::{Reading, Stamp};
use crate::domain::{
    CompanyId, Currency, CustomerId, Factor, Incoming, LocationId, LocationLevel, Money, PriceBreak, PriceComponent,
    PricedLine, Stock, Terms, Unit,
};
use crate::offer::{Band, Step};

fn descriptor(name: &str) -> MessageDescriptor {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    pool.get_message_by_name(name).unwrap()
}

/// Encodes with both sinks; gives back what each says, as the same generated message, and holds the JSON against the other
/// implementation's, letter by letter.
fn both<M: prost::Message + Default>(
    name: &str,
    protobuf: impl FnOnce(&mut Protobuf),
    json: impl FnOnce(&mut Json),
) -> (M, M) {
    let mut wire = Protobuf { buffer: Vec::new() };
    protobuf(&mut wire);
    let from_wire = M::decode(wire.buffer.as_slice()).unwrap();
    // Canonical: what we write is what prost writes.
    assert_eq!(from_wire.encode_to_vec(), wire.buffer);

    let mut text = Json { buffer: Vec::new() };
    text.object(json);
    let text = String::from_utf8(text.buffer).unwrap();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let message = DynamicMessage::deserialize(descriptor(name), &mut reader).unwrap();
    reader.end().unwrap();
    let mut printed = Vec::new();
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut printed), &SerializeOptions::new()).unwrap();
    let (ours, theirs): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&text).unwrap(), serde_json::from_slice(&printed).unwrap());
    assert_eq!(ours, theirs);
    (from_wire, message.transcode_to().unwrap())
}

fn decimal() -> impl Strategy<Value = String> {
    prop_oneof![Just("0".to_owned()), "[1-9][0-9]{0,3}", "-?[1-9][0-9]{0,17}\\.[0-9]{1,9}", "[0-9]{1,3}\\.[0-9]{2,4}"]
}

fn written() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z]{1,4}-[0-9]{1,3}", "\\PC{1,12}", "[\\x00-\\x7f]{0,8}", "é\"\\\\\u{1F600}[a-z]{0,200}"]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z]{1,6}", "[a-z\"\\\\é]{1,12}"]
}

prop_compose! {
    fn instant()(ms in prop_oneof![0i64..4_000_000_000_000, Just(0), -62_135_596_800_000i64..253_402_300_799_999],
                 whole: bool) -> Timestamp {
        Timestamp(if whole { ms.div_euclid(1000) * 1000 } else { ms })
    }
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0u64..1_000_000).prop_map(Duration::from_secs),
        (0u64..1_000_000).prop_map(Duration::from_millis),
        (0u64..1_000_000_000).prop_map(Duration::from_micros),
        (0u64..10_000_000_000).prop_map(Duration::from_nanos),
    ]
}

prop_compose! {
    fn freshness()(
        source in proptest::sample::select(vec![Source::Erp, Source::Memory, Source::Shared, Source::Ledger]),
        observed_at in instant(), expires_at in instant(), stale: bool, changed_at in proptest::option::of(instant()),
    ) -> Freshness {
        Freshness { source, observed_at, expires_at, stale: stale.then_some("erp_unreachable"), changed_at }
    }
}

prop_compose! {
    fn row()(
        net in decimal(), list in proptest::option::of(decimal()), base in decimal(),
        breaks in proptest::collection::vec((decimal(), decimal()), 0..8),
        parts in proptest::collection::vec((id(), written(), written(), decimal(), any::<bool>()), 0..3),
        gross in proptest::option::of(any::<bool>()), rate in proptest::option::of(decimal()),
        terms in (proptest::option::of(decimal()), proptest::option::of(decimal()), proptest::option::of(any::<bool>()),
            proptest::option::of(0u16..400)),
        amount in proptest::option::of(decimal()), dated: bool,
    ) -> PriceRow {
        let number = |text: &String| text.parse::<Quantity>().unwrap();
        let money = |text: &String| text.parse::<Money>().unwrap();
        let date = dated.then(|| jiff::civil::date(2026, 12, 31));
        let line = PricedLine {
            list_price: list.as_ref().map(money),
            base_quantity: number(&base),
            breaks: breaks.iter()
                .map(|(min, net)| PriceBreak { min_quantity: number(min), net_price: money(net) }).collect(),
            tax_basis: gross.map(|gross| if gross { TaxBasis::Gross } else { TaxBasis::Net }),
            tax_rate: rate.as_ref().map(number),
            components: parts.iter().map(|(kind, code, label, amount, included)| PriceComponent {
                kind: kind.clone(), code: code.clone(), label: label.clone(), amount: money(amount), included: *included,
            }).collect(),
            net_amount: amount.as_ref().map(money),
            valid_from: date,
            valid_until: date,
            terms: Terms {
                min_order_quantity: terms.0.as_ref().map(number), order_multiple: terms.1.as_ref().map(number),
                backorder_allowed: terms.2, lead_time_days: terms.3,
            },
            ..PricedLine::plain("EUR".parse().unwrap(), money(&net))
        };
        PriceRow::new(b"KEY", &line, None, Stamp(0), Reading::default(), &Shapes::default())
    }
}

prop_compose! {
    fn stock()(
        levels in proptest::collection::btree_map(id(),
            (proptest::option::of(-999i64..999), proptest::option::of(-999i64..999), -999i64..999), 0..4),
        coming in proptest::collection::vec((id(), 0i64..999, any::<bool>()), 0..3),
    ) -> StockRow {
        let number = |n: i64| n.to_string().parse::<Quantity>().unwrap();
        let stock = Stock::Levels {
            base_unit: None,
            locations: levels.iter().map(|(name, (on_hand, reserved, available))| LocationLevel {
                location: LocationId::new(name).unwrap(), on_hand: on_hand.map(number),
                reserved: reserved.map(number), available: number(*available),
            }).collect(),
            incoming: coming.iter().map(|(name, quantity, dated)| Incoming {
                location: LocationId::new(name).unwrap(), quantity: number(*quantity),
                expected_on: dated.then(|| jiff::civil::date(2027, 1, 2)),
            }).collect(),
        };
        StockRow::new("SKU", &stock, Stamp(0), Reading::default(), &StockShapes::default()).unwrap()
    }
}

fn price() -> impl Strategy<Value = PriceAnswer> {
    prop_oneof![
        1 => Just(PriceAnswer::NotAsked),
        4 => (row().boxed(), decimal(), freshness()).prop_map(|(row, quantity, freshness)| PriceAnswer::Told {
            row, quantity: quantity.parse().unwrap(), freshness,
        }),
        1 => freshness().prop_map(|freshness| PriceAnswer::OnRequest { reason: "no_price", freshness }),
        1 => Just(PriceAnswer::Unavailable { reason: "pending" }),
    ]
}

fn availability() -> impl Strategy<Value = AvailabilityAnswer> {
    let band = prop_oneof![Just(Band::InStock), Just(Band::Low), Just(Band::Out), Just(Band::OnOrder)];
    prop_oneof![
        1 => Just(AvailabilityAnswer::NotAsked),
        4 => (stock().boxed(), band, proptest::option::of(decimal()), any::<bool>(), freshness(),
            proptest::option::of(proptest::collection::vec(freshness(), 4))).prop_map(
            |(row, band, available, dated, freshness, by_location)| AvailabilityAnswer::Told {
                by_location: by_location.map(|each| each[..row.levels().count()].into()),
                row, band, available: available.map(|text| text.parse().unwrap()),
                available_on: dated.then(|| jiff::civil::date(2026, 11, 22)), freshness,
            }),
        1 => freshness().prop_map(|freshness| AvailabilityAnswer::Untracked { freshness }),
        1 => Just(AvailabilityAnswer::Unavailable { reason: "erp_timeout" }),
    ]
}

prop_compose! {
    fn line()(
        sku in written(), quantity in proptest::option::of(written()), asked_unit in proptest::option::of(written()),
        reference in proptest::option::of(written()),
        unit in proptest::option::of(id()), base_unit in proptest::option::of(id()),
        factor in proptest::option::of(decimal()), order in proptest::option::of(decimal()),
        status in 0..6, price in price().boxed(), availability in availability().boxed(),
    ) -> (LineQuery, LineAnswer) {
        let status = [LineStatus::Ok, LineStatus::OnRequest, LineStatus::Unavailable, LineStatus::UnknownSku,
            LineStatus::NotForSale, LineStatus::Invalid][status as usize];
        let answer = LineAnswer {
            status,
            reason: (status != LineStatus::Ok).then_some("some_reason"),
            price,
            availability,
            unit: unit.map(|unit| Unit::new(&unit).unwrap()),
            base_unit: base_unit.map(|unit| Unit::new(&unit).unwrap()),
            unit_factor: factor.map(|factor| factor.parse::<Factor>().unwrap()),
            order_quantity: order.map(|order| order.parse().unwrap()),
        };
        (LineQuery::new(sku, quantity, asked_unit, reference), answer)
    }
}

prop_compose! {
    fn page()(
        lines in proptest::collection::vec(line().boxed(), 1..6),
        repeated in 0usize..3,
        customer in proptest::option::of(id()), company in proptest::option::of(id()),
        locations in proptest::collection::btree_set(id(), 0..3),
        currency: bool, dated: bool, blocked in proptest::option::of(any::<bool>()),
        max_age in duration(), stale_if_error in duration(), answered_at in instant(),
    ) -> OfferAnswer {
        let (mut asked, mut lines): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        // The same line again, so that what is remembered between lines is used.
        for _ in 0..repeated {
            asked.push(asked[0].clone());
            lines.push(lines[0].clone());
        }
        let euro: Currency = "EUR".parse().unwrap();
        let query = OfferQuery {
            customer: customer.map(|id| CustomerId::new(&id).unwrap()),
            company: company.map(|id| CompanyId::new(&id).unwrap()),
            currency: Some(euro),
            locations: locations.iter().map(|name| LocationId::new(name).unwrap()).collect(),
            lines: asked,
            ..samples::query(0)
        };
        OfferAnswer {
            query: Arc::new(query),
            party: PartyAnswer {
                currency: currency.then(|| "USD".parse().unwrap()),
                price_date: dated.then(|| jiff::civil::date(2026, 11, 22)),
                blocked,
            },
            policy: PolicyAnswer { max_age, stale_if_error },
            answered_at,
            lines,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn both_wires_say_the_same(page in page().boxed()) {
        let (wire, json) = both::<proto::GetOffersResponse>(
            "comptoir.v1.GetOffersResponse",
            |sink| { answer(sink, &page); },
            |sink| { answer(sink, &page); },
        );
        prop_assert_eq!(&wire, &json);
        prop_assert_eq!(wire.offers.len(), page.lines.len());
        for (told, (asked, line)) in wire.offers.iter().zip(page.query.lines.iter().zip(&page.lines)) {
            prop_assert_eq!(&told.sku, &asked.sku);
            prop_assert_eq!(told.quantity.as_deref(), Some(asked.quantity.as_deref().unwrap_or("1")));
            prop_assert_eq!(&told.reference, &asked.reference);
            prop_assert_eq!(told.reason.as_deref(), line.reason);
            if let PriceAnswer::Told { row, quantity, .. } = &line.price {
                let price = told.price.as_ref().unwrap();
                prop_assert_eq!(price.net_price.as_deref(), Some(row.net_price_at(*quantity).as_str()));
                prop_assert_eq!(price.breaks.len(), row.breaks().count());
            }
        }
        let party = wire.party.unwrap();
        prop_assert_eq!(party.customer.as_deref(), page.query.customer.as_ref().map(|id| id.as_str()));
    }

    #[test]
    fn records_say_the_same(page in page().boxed(), with_head: bool) {
        let head = with_head.then(|| Head { party: page.party.clone(), policy: page.policy });
        for (index, line) in page.lines.iter().enumerate() {
            let (wire, json) = both::<proto::StreamOffersResponse>(
                "comptoir.v1.StreamOffersResponse",
                |sink| record(sink, &page.query, index, line, head.as_ref()),
                |sink| record(sink, &page.query, index, line, head.as_ref()),
            );
            prop_assert_eq!(&wire, &json);
            prop_assert_eq!(wire.index, Some(index as i32));
            prop_assert_eq!(wire.party.is_some(), with_head);
        }
        let (wire, json) = both::<proto::StreamOffersResponse>(
            "comptoir.v1.StreamOffersResponse",
            |sink| last_record(sink, &page.query, None, page.lines.len(), page.answered_at),
            |sink| last_record(sink, &page.query, None, page.lines.len(), page.answered_at),
        );
        prop_assert_eq!(&wire, &json);
        prop_assert_eq!((wire.done, wire.answered), (Some(true), Some(page.lines.len() as i32)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_explained_offer_is_the_one_get_offers_encodes(
        page in page().boxed(),
        told in proptest::collection::vec(
            (written(), proptest::collection::vec((id(), written()), 0..4)), 0..5,
        ),
    ) {
        let steps = told.into_iter().map(|(text, facts)| {
            facts.into_iter().fold(Step::new("price", text), |step, (name, value)| step.fact(name, value))
        });
        let whole = both::<proto::GetOffersResponse>(
            "comptoir.v1.GetOffersResponse",
            |sink| { answer(sink, &page); },
            |sink| { answer(sink, &page); },
        ).0;
        let explained = Explanation { answer: page, steps: steps.collect() };
        let (wire, json) = both::<proto::ExplainOfferResponse>(
            "comptoir.v1.ExplainOfferResponse",
            |sink| explanation(sink, &explained),
            |sink| explanation(sink, &explained),
        );
        prop_assert_eq!(&wire, &json);
        prop_assert_eq!(wire.offer.as_ref(), whole.offers.first());
        prop_assert_eq!((&wire.party, &wire.policy, &wire.answered_at), (&whole.party, &whole.policy, &whole.answered_at));
        prop_assert_eq!(wire.steps.len(), explained.steps.len());
        for (told, step) in wire.steps.iter().zip(&explained.steps) {
            prop_assert_eq!((told.about.as_str(), &told.text), (step.about, &step.text));
            let facts = told.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str()));
            prop_assert!(facts.eq(step.facts.iter().map(|(name, value)| (name.as_ref(), value.as_str()))));
        }
    }
}

#[test]
fn a_location_asked_for_but_unknown_is_said_to_be_so() {
    let mut page = samples::page(1);
    let names = ["LYON", "MARS"].map(|name| LocationId::new(name).unwrap());
    page.query = Arc::new(OfferQuery { locations: names.to_vec(), ..(*page.query).clone() });
    let mut sink = Protobuf { buffer: Vec::new() };
    answer(&mut sink, &page);
    let told = proto::GetOffersResponse::decode(sink.buffer.as_slice()).unwrap();
    let availability = told.offers[0].availability.as_ref().unwrap();
    let [lyon, mars] = availability.locations.as_slice() else { panic!("two locations") };
    assert_eq!((lyon.location.as_str(), lyon.on_hand.as_deref(), lyon.status), ("LYON", Some("3"), 0));
    assert_eq!((mars.location.as_str(), mars.on_hand.as_deref(), mars.status), ("MARS", None, 1));
    assert!(availability.incoming.is_empty(), "PARIS was not asked for");
}

#[test]
fn a_zero_and_a_false_are_written() {
    let mut sink = Json { buffer: Vec::new() };
    let page = samples::page(1);
    sink.object(|sink| {
        answer(sink, &page);
    });
    let text = String::from_utf8(sink.buffer).unwrap();
    assert!(text.contains("\"reserved\":\"0\"") && text.contains("\"stale\":false"), "{text}");
}
