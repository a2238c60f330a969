//! The simulated ERP's HTTP face: its own small API, and the controls at `/sim/`.
//!
//! Owns: the JSON of both ([`wire`], [`faults`]) and the connections, which it can also refuse to answer ([`server`]).
//! Never decides a figure: everything said here is the simulator's. `/sim/` itself costs nothing, is never counted and
//! works while the ERP is down. Tests: `tests.rs`.

mod calls;
mod control;
mod faults;
mod server;
mod wire;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::de::DeserializeOwned;

pub use server::serve;

use crate::erp::connectors::simulated::Simulator;

#[cfg(test)]
mod tests;

/// All endpoints over one simulator.
pub fn router(simulator: Arc<Simulator>) -> Router {
    Router::new()
        .route("/api/offers", post(calls::offers).get(calls::one_offer))
        .route("/api/stock", post(calls::stock))
        .route("/api/customers", post(calls::customers))
        .route("/sim/stats", get(control::stats).delete(control::reset_stats))
        .route("/sim/stats/reset", post(control::reset_stats))
        .route("/sim/faults", get(control::faults).post(control::set_faults).delete(control::clear_faults))
        .route("/sim/prices", put(control::set_price))
        .route("/sim/stock", put(control::set_stock))
        .route("/sim/truth", get(control::truth))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .with_state(simulator)
}

/// A refusal: a status and one sentence.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    text: String,
}

impl Problem {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.text }))).into_response()
    }
}

/// Reads a JSON body, whatever its content type; a refusal names the field.
fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would read a list as the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::bad("expected a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| Problem::bad(at_path(e)))?;
    json.end().map_err(|e| Problem::bad(format!("after the JSON value: {e}")))?;
    Ok(value)
}

/// Reads the query string; a refusal names the field.
fn read_query<T: DeserializeOwned>(query: Option<String>) -> Result<T, Problem> {
    let pairs: serde_json::Map<_, _> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), serde_json::Value::String(value.into_owned())))
        .collect();
    serde_path_to_error::deserialize(serde_json::Value::Object(pairs)).map_err(|e| Problem::bad(at_path(e)))
}

fn at_path(error: serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    }
}

/// Reads a field that the domain checks.
fn read_field<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|why| Problem::bad(format!("{name}: {text:?} {why}")))
}

/// Reads an identity; `make` is its constructor.
fn read_id<T>(name: &str, text: &str, make: fn(&str) -> Result<T, crate::domain::IdError>) -> Result<T, Problem> {
    make(text).map_err(|why| Problem::bad(format!("{name}: {text:?} {why}")))
}
