//! The calls an integrator would make: offers, stock, customers. Each is one call of the simulator, with its cost and
//! faults.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::server::Cut;
use super::wire::{CustomersRequest, OffersRequest, OneOfferQuery, Reply, StockRequest};
use super::{Problem, read_field, read_id, read_json, read_query};
use crate::domain::{Currency, CustomerId, PriceListId, Sku};
use crate::erp::Operation;
use crate::erp::connectors::simulated::{Answer, Garbage, Question, Refusal, Simulator};

/// Lines or customers in one call. Past it the whole call is refused, as ERPs do.
pub const ITEMS_MAX: usize = 1_000;

/// How long the answer of [`Garbage::Huge`] is.
const HUGE_BYTES: usize = 100 * 1024 * 1024;

pub async fn offers(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<Response, Problem> {
    let request: OffersRequest = read_json(&body)?;
    let skus: Vec<String> = request.lines.into_iter().map(|line| line.sku).collect();
    let question =
        offers_question(&simulator, request.customer, request.price_list, request.currency, request.price_date, &skus)?;
    Ok(answer(simulator.ask(question).await))
}

/// One SKU, in a form that a plain HTTP cache can keep.
pub async fn one_offer(
    State(simulator): State<Arc<Simulator>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query: OneOfferQuery = read_query(query)?;
    let question = offers_question(&simulator, query.customer, None, query.currency, query.price_date, &[query.sku])?;
    let mut response = answer(simulator.ask(question).await);
    if response.status() == StatusCode::OK {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=600"));
    }
    Ok(response)
}

pub async fn stock(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<Response, Problem> {
    let request: StockRequest = read_json(&body)?;
    let question = Question::Stock(read_skus("skus", &request.skus)?);
    Ok(answer(simulator.ask(question).await))
}

pub async fn customers(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Result<Response, Problem> {
    let request: CustomersRequest = read_json(&body)?;
    check_count("customers", request.customers.len())?;
    let customers =
        request.customers.iter().map(|customer| read_customer(customer.as_deref())).collect::<Result<_, _>>()?;
    Ok(answer(simulator.ask(Question::Customers(customers)).await))
}

fn offers_question(
    simulator: &Simulator,
    customer: Option<String>,
    price_list: Option<String>,
    currency: Option<String>,
    price_date: Option<String>,
    skus: &[String],
) -> Result<Question, Problem> {
    let customer = read_customer(customer.as_deref())?;
    let price_list = price_list.map(|text| read_id("priceList", &text, PriceListId::new)).transpose()?;
    Ok(Question::Offers {
        operation: Operation::Offers,
        currency: currency_for(simulator, customer.as_ref(), currency.as_deref())?,
        customer,
        price_list,
        price_date: match price_date {
            Some(text) => read_field("priceDate", &text)?,
            None => simulator.today(),
        },
        skus: read_skus("lines", skus)?,
    })
}

/// The asked currency, or the customer's own.
pub fn currency_for(
    simulator: &Simulator,
    customer: Option<&CustomerId>,
    asked: Option<&str>,
) -> Result<Currency, Problem> {
    match asked {
        Some(text) => read_field("currency", text),
        None => simulator
            .customer(customer)
            .and_then(|facts| facts.currency)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "customer: is not known")),
    }
}

pub fn read_customer(text: Option<&str>) -> Result<Option<CustomerId>, Problem> {
    text.map(|text| read_id("customer", text, CustomerId::new)).transpose()
}

fn read_skus(field: &str, skus: &[String]) -> Result<Vec<Sku>, Problem> {
    check_count(field, skus.len())?;
    skus.iter().enumerate().map(|(index, sku)| read_id(&format!("{field}[{index}]"), sku, Sku::new)).collect()
}

fn check_count(field: &str, count: usize) -> Result<(), Problem> {
    match count {
        0 => Err(Problem::bad(format!("{field}: is empty"))),
        1..=ITEMS_MAX => Ok(()),
        _ => Err(Problem::bad(format!("{field}: {count} is more than {ITEMS_MAX}"))),
    }
}

fn answer(answer: Result<Answer, Refusal>) -> Response {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Refusal::Down) => return Cut::response(),
        Err(Refusal::Busy(_)) => return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy").into_response(),
        Err(Refusal::Failed(why)) => return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
        Err(Refusal::Invalid(why)) => return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    };
    match answer.unreadable {
        None => Json(Reply::from(answer.rows)).into_response(),
        Some(Garbage::Html) => {
            let page = "<!DOCTYPE html>\n<html><body><h1>Welcome</h1><p>Please log in.</p></body></html>\n";
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Some(Garbage::Huge) => huge(),
        Some(_) => truncated(&Reply::from(answer.rows)),
    }
}

/// The first half of the answer, as if that were all of it.
fn truncated(reply: &Reply) -> Response {
    match serde_json::to_vec(reply) {
        Ok(mut json) => {
            json.truncate(json.len() / 2);
            ([(header::CONTENT_TYPE, "application/json")], json).into_response()
        }
        Err(why) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

/// JSON that is well formed as far as anybody reads it, made as it is sent.
fn huge() -> Response {
    const CHUNK: usize = 64 * 1024;
    let spaces = Bytes::from_static(&[b' '; CHUNK]);
    let chunks = std::iter::once(Bytes::from_static(b"{\"lines\":["))
        .chain(std::iter::repeat_n(spaces, HUGE_BYTES / CHUNK))
        .chain(std::iter::once(Bytes::from_static(b"]}")))
        .map(Ok::<_, std::convert::Infallible>);
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
