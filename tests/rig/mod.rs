//! Real processes to test from outside: the gateway and the simulated ERP as users start them, and a Python peer that
//! reads every answer with protobuf's own JSON. `tests/run` provides what they need; without it these tests fail.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod answer;
mod erp;
mod gateway;
mod peer;
mod process;

pub use erp::Erp;
pub use gateway::{Gateway, http_client};
pub use process::{PROGRAM, environment};

use std::time::{Duration, Instant};

use serde_json::Value;

/// What takes so long does not come: the machine may be busy with other things, and a test that hangs is ended anyway.
pub const LONG: Duration = Duration::from_secs(150);

/// Lines of a request, one for each SKU.
pub fn lines<S: AsRef<str>>(skus: impl IntoIterator<Item = S>) -> Value {
    skus.into_iter().map(|sku| serde_json::json!({ "sku": sku.as_ref() })).collect()
}

/// `SKU-000001` to `count`: ordinary articles of the simulated ERP.
pub fn skus(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("SKU-{number:06}")).collect()
}

/// Asks until the answer is yes; fails when that does not happen for [`LONG`].
pub async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < LONG, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The text at a JSON pointer; what is not there is empty.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
