//! The pitfalls of `tests/erp/tryton/README.md`, by its numbers: against the real ERP where it can be made to show them,
//! otherwise with the reply that was recorded there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::relay::{Act, Relay, is_for_prices, json_reply};
use crate::rig::{Gateway, lines, text, until};
use crate::truth::{PATIENT, PRESETS, Truth, gateway, gateway_with, tryton_url};

fn page<S: AsRef<str>>(skus: impl IntoIterator<Item = S>) -> Value {
    json!({ "customer": "C10001", "timeout": "60s", "lines": lines(skus) })
}

/// Whether every line has this status and reason, and no price.
fn all_are(offers: &[Value], status: &str, reason: &str) {
    assert!(!offers.is_empty());
    for offer in offers {
        assert_eq!((text(offer, "/status"), text(offer, "/reason")), (status, reason), "{offer}");
        assert!(offer["price"]["netPrice"].is_null(), "{offer}");
    }
}

/// Compares the first quantity's prices with the ERP's own.
fn all_are_right(truth: &Truth, offers: &[Value]) {
    for offer in offers {
        let sku = text(offer, "/sku");
        assert_eq!(text(offer, "/price/netPrice"), truth.price("C10001", sku, "1"), "{offer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_1_a_null_price_without_company_is_on_request_and_never_free() {
    let exchange = ("{\"company\": {{ vars.company }},\n   \"currency\": {{ lookup", "{\"currency\": {{ lookup");
    let gateway = gateway_with(&tryton_url(), &[exchange], PATIENT);
    let answer = gateway.post(page(["M-0001", "M-0002"])).await;
    all_are(answer.offers(), "ON_REQUEST", "no_price");
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_2_an_error_with_http_200_is_an_error() {
    for exchange in [
        ("\"sale_price_uom\", ", "\"nofield\", "),
        ("{{ facts.price_list | number }}", "999"),
        (
            "search_read\", \"params\": [\n  [[\"code\", \"in\", {{ skus }}], [\"sale_uom\"",
            "nope\", \"params\": [\n  [[\"code\", \"in\", {{ skus }}], [\"sale_uom\"",
        ),
    ] {
        let gateway = gateway_with(&tryton_url(), &[exchange], PATIENT);
        let answer = gateway.post(page(["M-0001", "M-0002"])).await;
        all_are(answer.offers(), "UNAVAILABLE", "erp_error");
        assert_eq!(text(&answer.offers()[0], "/availability/status"), "OK", "stock is asked apart: {}", answer.json);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_3_an_unknown_or_doubled_article_does_not_fail_the_page() {
    let truth = Truth::read();
    for preset in PRESETS {
        let answer = gateway(preset).post(page(["M-0001", "NOPE", "M-0001", "M-0002"])).await;
        let [first, nope, second, third] = answer.offers() else { panic!("{}", answer.json) };
        all_are_right(&truth, &[first.clone(), second.clone(), third.clone()]);
        assert_eq!(text(nope, "/status"), "UNKNOWN_SKU", "{nope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_4_the_bytes_tell_what_is_compressed_and_not_the_header() {
    let truth = Truth::read();
    let relay = Relay::start(|_| Act::PassPlain).await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    let answer = gateway.post(page(&truth.skus_for_sale()[..100])).await;
    assert_eq!(answer.offers().len(), 100);
    all_are_right(&truth, answer.offers());
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_5_quantities_are_sent_as_numbers_and_dates_as_dates() {
    let relay = Relay::start(|_| Act::Pass).await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    let quantities = ["1", "10", "2.5", "0.001"];
    // C10004's list has date windows, C10001's has breaks, and M-0019 is sold in a unit that is converted.
    for customer in ["C10001", "C10004"] {
        let lines: Vec<_> =
            quantities.iter().map(|quantity| json!({ "sku": "M-0019", "quantity": quantity })).collect();
        let answer = gateway.post(json!({ "customer": customer, "timeout": "60s", "lines": lines })).await;
        assert!(answer.offers().iter().all(|offer| offer["status"] == "OK"), "{}", answer.json);
    }
    let calls = relay.price_calls();
    assert_eq!(calls.len(), 2 * quantities.len(), "one quantity a call");
    for call in calls {
        let context = &call["params"][5];
        assert!(context["quantity"].is_number(), "{context}");
        for date in ["date", "sale_date"] {
            assert_eq!(context[date]["__class__"], "date", "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_6_a_server_without_its_database_is_an_outage_and_not_a_missing_article() {
    let relay = Relay::start(|_| json_reply(r#"{"id":1,"error":["'res.user'",""]}"#)).await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    let answer = gateway.post(page(["M-0001"])).await;
    all_are(answer.offers(), "UNAVAILABLE", "erp_error");
    let public = gateway.post(json!({ "timeout": "60s", "lines": lines(["M-0001"]) })).await;
    all_are(public.offers(), "UNAVAILABLE", "erp_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_7_rows_in_the_erps_order_are_given_to_their_own_lines() {
    let truth = Truth::read();
    let asked = ["M-0030", "M-0002", "M-0100", "M-0001"];
    for preset in PRESETS {
        let answer = gateway(preset).post(page(asked)).await;
        let told: Vec<_> = answer.offers().iter().map(|offer| text(offer, "/sku")).collect();
        assert_eq!(told, asked);
        all_are_right(&truth, answer.offers());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_8_a_call_that_nobody_waits_for_keeps_its_place_and_is_not_made_again() {
    let truth = Truth::read();
    let relay = Relay::start(|call| if is_for_prices(call) { Act::Hold } else { Act::Pass }).await;
    let gateway = gateway_with(&relay.url, &[], &format!("{PATIENT}erp.budget.concurrency = 1\n"));
    let asked = |sku: &str, timeout: &str| json!({ "customer": "C10001", "parts": ["PRICE"], "timeout": timeout, "lines": lines([sku]) });
    // Who the customer is, so that the next question is the price itself.
    gateway
        .post(json!({ "customer": "C10001", "parts": ["AVAILABILITY"], "timeout": "60s", "lines": lines(["M-0001"]) }))
        .await;

    let hurried = gateway.post(asked("M-0001", "0.2s")).await;
    all_are(hurried.offers(), "UNAVAILABLE", "pending");
    let again = gateway.post(asked("M-0001", "0.2s")).await;
    all_are(again.offers(), "UNAVAILABLE", "pending");
    let other = gateway.post(asked("M-0002", "0.2s")).await;
    all_are(other.offers(), "UNAVAILABLE", "pending");
    assert_eq!(relay.price_calls().len(), 1, "the ERP still works on the first");

    relay.release();
    for sku in ["M-0001", "M-0002"] {
        let answer = gateway.post(asked(sku, "60s")).await;
        all_are_right(&truth, answer.offers());
    }
    assert_eq!(relay.price_calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_9_a_refused_login_is_not_tried_again_and_again() {
    const LOGIN: &str = "common.db.login";
    let page_for_people = "<!doctype html><title>401 Unauthorized</title>";
    let relay = Relay::start(move |_| Act::Answer(401, "text/html", "", page_for_people.into())).await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    for turn in 0..20 {
        let answer = gateway.post(page([format!("M-{:04}", turn + 1)])).await;
        assert_eq!(text(&answer.offers()[0], "/status"), "UNAVAILABLE", "{}", answer.json);
    }
    // The seventh wrong one locks the user.
    let logins = relay.calls(LOGIN).len();
    assert!((1..=3).contains(&logins), "{logins}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_10_no_call_names_more_articles_than_the_erp_was_tried_with() {
    let truth = Truth::read();
    let relay = Relay::start(|_| Act::Pass).await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    let skus = truth.skus_for_sale();
    let answer = gateway.post(page(&skus)).await;
    all_are_right(&truth, answer.offers());
    let calls = relay.price_calls();
    let named: Vec<_> = calls.iter().map(|call| call["params"][0][0][2].as_array().unwrap().len()).collect();
    assert_eq!((named.iter().sum::<usize>(), named.iter().max()), (skus.len(), Some(&100)), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_11_articles_that_are_not_sold_are_left_out_of_the_batch() {
    let truth = Truth::read();
    for preset in PRESETS {
        let answer = gateway(preset).post(page(["M-0001", "M-9001", "M-9002", "M-0002"])).await;
        let [first, not_salable, no_unit, second] = answer.offers() else { panic!("{}", answer.json) };
        all_are_right(&truth, &[first.clone(), second.clone()]);
        for offer in [not_salable, no_unit] {
            assert_eq!(text(offer, "/status"), "NOT_FOR_SALE", "{preset}: {offer}");
            assert!(offer["price"]["netPrice"].is_null(), "{offer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_a_day_without_an_exchange_rate_has_no_price_and_others_do() {
    // The untouched ERP fails the whole call; our module says of the line that it has no price.
    for (preset, status, reason) in [(PRESETS[0], "UNAVAILABLE", "erp_error"), (PRESETS[1], "ON_REQUEST", "no_price")] {
        let gateway = gateway(preset);
        let on = |date: &str| {
            let line = lines(["M-0001"]);
            json!({ "customer": "C10003", "parts": ["PRICE"], "priceDate": date, "timeout": "60s", "lines": line })
        };
        let before = gateway.post(on("2019-01-01")).await;
        all_are(before.offers(), status, reason);
        let today = gateway.post(on(Truth::read().date())).await;
        assert_eq!(text(&today.offers()[0], "/price/currency"), "USD", "{preset}: {}", today.json);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_is_renewed_once_and_the_call_is_made_again() {
    let truth = Truth::read();
    let ended = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicUsize::new(0));
    let relay = Relay::start({
        let (ended, refused) = (ended.clone(), refused.clone());
        move |call| match text(call, "/method") {
            "common.db.login" => {
                ended.store(false, Ordering::SeqCst);
                Act::Pass
            }
            _ if ended.load(Ordering::SeqCst) => {
                refused.fetch_add(1, Ordering::SeqCst);
                Act::Answer(401, "", "", Vec::new())
            }
            _ => Act::Pass,
        }
    })
    .await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    all_are_right(&truth, gateway.post(page(["M-0001"])).await.offers());
    ended.store(true, Ordering::SeqCst);
    all_are_right(&truth, gateway.post(page(["M-0002"])).await.offers());
    assert!(refused.load(Ordering::SeqCst) > 0);
    assert_eq!(relay.calls("common.db.login").len(), 2, "once for both of the page's calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_erp_going_away_and_coming_back_needs_no_restart() {
    let truth = Truth::read();
    let down = Arc::new(AtomicBool::new(false));
    let relay = Relay::start({
        let down = down.clone();
        move |_| match down.load(Ordering::SeqCst) {
            true => Act::Answer(503, "text/html", "", b"<h1>maintenance</h1>".to_vec()),
            false => Act::Pass,
        }
    })
    .await;
    let gateway = gateway_with(&relay.url, &[], PATIENT);
    all_are_right(&truth, gateway.post(page(["M-0001"])).await.offers());
    down.store(true, Ordering::SeqCst);
    let checkout =
        |sku: &str| json!({ "customer": "C10001", "purpose": "CHECKOUT", "timeout": "10s", "lines": lines([sku]) });
    all_are(gateway.post(checkout("M-0001")).await.offers(), "UNAVAILABLE", "erp_busy");
    down.store(false, Ordering::SeqCst);
    let ask = async |gateway: &Gateway| gateway.post(checkout("M-0001")).await.offers()[0].clone();
    until("a price after the ERP is back", async || ask(&gateway).await["status"] == "OK").await;
}
