//! What each word reaches, as tables.

use super::epochs::{Epochs, Needed, PartyNames, Word};
use crate::clock::Stamp;

/// Customer, price list, contract, company, SKU.
type Request = (Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>, &'static str);

const REQUESTS: [Request; 5] = [
    (Some("C"), Some("L"), Some("K"), Some("F"), "S"),
    (Some("C"), Some("L"), None, Some("F"), "T"),
    (Some("D"), Some("L"), Some("K"), None, "S"),
    (Some("D"), Some("M"), None, Some("G"), "T"),
    (None, None, None, None, "S"),
];

fn needed(epochs: &Epochs, (customer, price_list, contract, company, sku): Request) -> Needed {
    epochs.needed_for_price(&epochs.party(PartyNames { customer, price_list, contract, company }), sku)
}

const CASES: [(Word, [bool; 5]); 10] = [
    (Word::All, [true, true, true, true, true]),
    (Word::Customer("C"), [true, true, false, false, false]),
    (Word::PriceList("L"), [true, true, true, false, false]),
    (Word::Contract("K"), [true, false, true, false, false]),
    (Word::Company(Some("F")), [true, true, false, false, false]),
    (Word::Company(None), [false, false, true, false, true]),
    (Word::Sku("S"), [true, false, true, false, true]),
    (Word::CustomerSku("C", "S"), [true, false, false, false, false]),
    (Word::PriceListSku("L", "S"), [true, false, true, false, false]),
    (Word::ContractSku("K", "S"), [true, false, true, false, false]),
];

#[test]
fn an_invalidation_reaches_exactly_the_requests_it_names() {
    for (word, reached) in CASES {
        let epochs = Epochs::with_cells(1 << 16, 1 << 10, 7);
        let before = epochs.stamp();
        epochs.invalidate([word]);
        for (request, reached) in REQUESTS.into_iter().zip(reached) {
            let needed = needed(&epochs, request);
            assert_eq!(before < needed.gone_below, reached, "{word:?} and {request:?}");
            assert_eq!(needed.expired_below, Stamp(0));
            // A call that leaves now is always good enough.
            assert!(epochs.stamp() >= needed.fresh());
        }
    }
}

#[test]
fn an_expiry_reaches_the_same_and_takes_nothing_away() {
    for (word, reached) in CASES {
        let epochs = Epochs::with_cells(1 << 16, 1 << 16, 7);
        let before = epochs.stamp();
        epochs.expire([word]);
        for (request, reached) in REQUESTS.into_iter().zip(reached) {
            let needed = needed(&epochs, request);
            assert_eq!(needed.gone_below, Stamp(0), "{word:?}");
            assert_eq!(before < needed.expired_below, reached, "{word:?} and {request:?}");
            assert!(epochs.stamp() >= needed.fresh());
        }
    }
}

#[test]
fn one_invalidation_is_one_stamp_however_many_words() {
    let epochs = Epochs::with_cells(1 << 16, 1, 7);
    let now = epochs.invalidate([Word::Sku("S"), Word::Sku("T"), Word::Customer("C")]);
    assert_eq!(now, Stamp(1));
    for sku in ["S", "T"] {
        assert_eq!(epochs.needed_for_stock(sku).gone_below, now);
    }
    assert_eq!(epochs.needed_for_facts(Some("C")).gone_below, now);
    assert_eq!(epochs.needed_for_facts(Some("D")).gone_below, Stamp(0));
}

#[test]
fn words_do_not_run_into_each_other() {
    let epochs = Epochs::new();
    let before = epochs.stamp();
    epochs.invalidate([Word::CustomerSku("1", "23")]);
    let twelve = epochs.party(PartyNames { customer: Some("12"), ..PartyNames::default() });
    assert!(epochs.needed_for_price(&twelve, "3").gone_below <= before);
}

#[test]
fn marks_put_back_reach_what_they_reached() {
    let before = Epochs::with_cells(1 << 16, 1 << 16, 99);
    before.invalidate([Word::Sku("old")]);
    let oldest = before.stamp();
    before.invalidate([Word::CustomerSku("C", "S")]);
    before.expire([Word::Customer("D")]);
    let after = Epochs::with_cells(1 << 16, 1 << 16, before.key());
    let marks = before.marks_above(oldest);
    assert_eq!((marks[0].len(), marks[1].len()), (1, 1), "what is older than every figure is left out");
    after.restore(marks, before.stamp());
    assert_eq!(after.stamp(), before.stamp());
    for request in REQUESTS {
        assert_eq!(needed(&after, request), needed(&before, request), "{request:?}");
    }
    let late = after.invalidate([Word::All]);
    assert!(late > before.stamp());
}
