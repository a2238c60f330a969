//! What Tryton says when it is asked directly (`oracle.py`), and gateways in front of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::rig::{Gateway, environment, text};

/// The untouched ERP, and the one with the module of `examples/erp/tryton_gateway`.
pub const PRESETS: [&str; 2] = ["tryton.toml", "tryton-glue.toml"];

pub struct Truth(Value);

impl Truth {
    /// `tests/run` has the oracle write it down each time.
    pub fn read() -> Self {
        let file = Path::new(&environment("TRYTON_DIR")).join("oracle.json");
        Self(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
    }

    /// The day it was asked on and for.
    pub fn date(&self) -> &str {
        text(&self.0, "/date")
    }

    /// Codes of customers; the public is the empty one.
    pub fn customers(&self) -> Vec<&str> {
        self.0["prices"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    pub fn skus_for_sale(&self) -> Vec<&str> {
        self.0["prices"][""].as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Per sales unit, at a quantity of sales units.
    pub fn price(&self, customer: &str, sku: &str, quantity: &str) -> &str {
        text(&self.0["prices"][customer][sku], &format!("/{quantity}"))
    }

    /// `default`, `sales`, `factor`.
    pub fn unit(&self, sku: &str, name: &str) -> &str {
        text(&self.0["units"][sku], &format!("/{name}"))
    }

    /// By warehouse: `onHand`, `forecast`.
    pub fn stock(&self, sku: &str) -> &serde_json::Map<String, Value> {
        self.0["stock"][sku].as_object().unwrap()
    }

    /// A question as the oracle put it.
    pub fn request(&self, customer: &str, quantity: &str, skus: &[&str]) -> Value {
        let lines: Vec<_> = skus.iter().map(|sku| json!({ "sku": sku, "quantity": quantity })).collect();
        let mut request = json!({
            "currency": "EUR", "priceDate": self.date(), "purpose": "LIST", "timeout": "100s", "lines": lines,
        });
        if !customer.is_empty() {
            request["customer"] = json!(customer);
        }
        request
    }
}

pub fn tryton_url() -> String {
    format!("http://127.0.0.1:{}/tryton", environment("TRYTON_PORT"))
}

/// Patient, because the tests ask for more at once than a storefront does.
pub const PATIENT: &str = "server.timeout_max = \"2m\"\nerp.budget.timeout = \"60s\"\n";

pub fn gateway(preset: &str) -> Gateway {
    Gateway::serve(preset, &tryton_url(), PATIENT)
}

/// In front of `url` with the untouched ERP's preset, in which each of these texts is exchanged for the other.
pub fn gateway_with(url: &str, exchanges: &[(&str, &str)], more: &str) -> Gateway {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/erp/tryton.toml");
    let mut preset = std::fs::read_to_string(file).unwrap();
    for (from, to) in exchanges {
        assert!(preset.contains(from), "{from}");
        preset = preset.replace(from, to);
    }
    Gateway::serve_preset(&preset, url, more)
}
