//! Every price and every stock level, compared with the ERP's own.

use std::process::Command;

use serde_json::{Value, json};

use crate::rig::{Gateway, environment, lines, text};
use crate::truth::{PRESETS, Truth, gateway};

/// Compares each offer's price with the ERP's; how many there were.
fn compare_prices(truth: &Truth, customer: &str, quantity: &str, offers: &[Value]) -> usize {
    for (sku, offer) in truth.skus_for_sale().iter().zip(offers) {
        let due = [
            ("/sku", *sku),
            ("/status", "OK"),
            ("/price/netPrice", truth.price(customer, sku, quantity)),
            ("/price/currency", "EUR"),
            // The ERP's price is for one sales unit.
            ("/price/baseQuantity", truth.unit(sku, "factor")),
            ("/unit", truth.unit(sku, "sales")),
            ("/unitFactor", truth.unit(sku, "factor")),
            ("/baseUnit", truth.unit(sku, "default")),
        ];
        for (pointer, due) in due {
            assert_eq!(text(offer, pointer), due, "{customer} × {quantity}, {pointer}: {offer}");
        }
    }
    offers.len()
}

/// All customers and the public, all articles, three quantities: over HTTP, which asks the ERP, and over gRPC.
async fn compare_all_prices(preset: &str) {
    let (truth, gateway) = (Truth::read(), gateway(preset));
    let skus = truth.skus_for_sale();
    let mut compared = 0;
    for customer in truth.customers() {
        for quantity in ["1", "10", "100"] {
            let request = truth.request(customer, quantity, &skus);
            let http = gateway.post(request.clone()).await;
            compared += compare_prices(&truth, customer, quantity, http.offers());
            compared += compare_prices(&truth, customer, quantity, &gateway.grpc_offers(&request));
        }
    }
    assert_eq!(compared, 2 * 6 * 3 * 220);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_price_is_the_untouched_erps_own() {
    compare_all_prices(PRESETS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_price_is_the_erps_own_by_way_of_our_module() {
    compare_all_prices(PRESETS[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stock_level_is_the_erps_own() {
    let truth = Truth::read();
    let skus = truth.skus_for_sale();
    for preset in PRESETS {
        let gateway = gateway(preset);
        let request = truth.request("C10001", "1", &skus);
        let answer = gateway.post(request.clone()).await;
        for offers in [answer.offers(), &gateway.grpc_offers(&request)] {
            for (sku, offer) in skus.iter().zip(offers) {
                compare_stock(&truth, sku, offer);
            }
        }
    }
}

fn compare_stock(truth: &Truth, sku: &str, offer: &Value) {
    assert_eq!(text(offer, "/availability/status"), "OK", "{offer}");
    let told = offer["availability"]["locations"].as_array().unwrap();
    let warehouses = truth.stock(sku);
    assert_eq!(told.len(), warehouses.len(), "{offer}");
    for (warehouse, level) in warehouses {
        let told = told.iter().find(|location| location["location"] == **warehouse).unwrap();
        assert_eq!(text(told, "/onHand"), text(level, "/onHand"), "{warehouse}: {offer}");
        assert_eq!(text(told, "/available"), text(level, "/forecast"), "{warehouse}: {offer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buf_is_told_the_same() {
    let truth = Truth::read();
    let sample = &truth.skus_for_sale()[..40];
    for preset in PRESETS {
        let gateway = gateway(preset);
        let output = Command::new(environment("COMPTOIR_TEST_BUF"))
            .args(["curl", "--http2-prior-knowledge", "--protocol", "grpc"])
            .args(["--data", &truth.request("C10001", "10", sample).to_string()])
            .arg(gateway.url("/comptoir.v1.OfferService/GetOffers"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(compare_prices(&truth, "C10001", "10", told["offers"].as_array().unwrap()), 40);
    }
}

/// One line with its own unit.
async fn one(gateway: &Gateway, sku: &str, quantity: &str, unit: &str) -> Value {
    let line = json!({ "sku": sku, "quantity": quantity, "unit": unit });
    let request = json!({ "customer": "C10001", "currency": "EUR", "timeout": "60s", "lines": [line] });
    gateway.post(request).await.offers()[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_rounded_in_the_unit_that_was_asked() {
    for preset in PRESETS {
        let gateway = gateway(preset);
        // Literal in the ERP's README: 12 pieces, one box, and a unit of another category.
        for (unit, quantity, net_price, base_quantity) in
            [("u", "12", "438.0028", "1"), ("box", "1", "5256.0336", "12")]
        {
            let offer = one(&gateway, "M-0006", quantity, unit).await;
            let told = (text(&offer, "/price/netPrice"), text(&offer, "/price/baseQuantity"));
            assert_eq!(told, (net_price, base_quantity), "{preset}: {offer}");
        }
        let offer = one(&gateway, "M-0001", "1", "kg").await;
        assert_eq!(
            (text(&offer, "/status"), text(&offer, "/reason")),
            ("INVALID", "unit_unknown"),
            "{preset}: {offer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_with_a_currency_of_its_own_is_answered_in_it() {
    for preset in PRESETS {
        let gateway = gateway(preset);
        // Literal in the ERP's README: 89.7450 × 1.45 = 130.13025, rounded half to even; then exchanged at 1.0875.
        for (asked, currency, net_price) in [(None, "USD", "141.5166"), (Some("EUR"), "EUR", "130.1302")] {
            let mut request = json!({ "customer": "C10003", "timeout": "60s", "lines": lines(["M-0020"]) });
            if let Some(asked) = asked {
                request["currency"] = json!(asked);
            }
            let answer = gateway.post(request).await;
            assert_eq!(answer.json["party"]["currency"], currency);
            let told = &answer.offers()[0]["price"];
            assert_eq!((text(told, "/currency"), text(told, "/netPrice")), (currency, net_price), "{preset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_and_unknown_customers_are_told_apart() {
    for preset in PRESETS {
        let gateway = gateway(preset);
        let page = |customer: &str, purpose: &str| json!({ "customer": customer, "purpose": purpose, "timeout": "60s", "lines": lines(["M-0001"]) });
        let shown = gateway.post(page("C10099", "LIST")).await;
        assert_eq!(
            (&shown.json["party"]["orderBlock"], &shown.offers()[0]["status"]),
            (&json!("BLOCKED"), &json!("OK"))
        );
        let checkout = gateway.post(page("C10099", "CHECKOUT")).await;
        assert_eq!(text(&checkout.offers()[0], "/reason"), "customer_blocked");
        let nobody = gateway.post(page("C99999", "LIST")).await;
        assert_eq!((nobody.status, nobody.reason()), (404, "customer_unknown"), "{preset}");
    }
}
