//! Sources that push until the gateway is gone, over either wire.

use std::collections::VecDeque;
use std::sync::Arc;

use comptoir::api::proto::stock_service_client::StockServiceClient;
use comptoir::api::proto::{GetSourceRequest, PushChangesRequest, StockChange, change_kind, measure, verdict};
use serde_json::{Value, json};

use super::model::{Draw, Held, Levels, SKUS, Source, Told, told};

#[derive(Clone, Copy)]
pub enum Wire {
    Grpc,
    Http,
}

/// Why a pusher ends: the gateway does not answer any more.
struct Gone;

impl<E: std::error::Error> From<E> for Gone {
    fn from(_: E) -> Self {
        Gone
    }
}

fn name(source: usize) -> String {
    format!("source-{source}")
}

fn location(source: usize) -> String {
    format!("L{source}")
}

fn client() -> reqwest::Client {
    // The first one stays; there is only this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// What the gateway holds of a source, as it says over HTTP.
pub async fn held(address: &str, source: usize) -> Held {
    let get = async |path: String| -> Value {
        let text = client().get(format!("http://{address}{path}")).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    };
    let answer = get(format!("/v1/stock/sources?source={}", name(source))).await;
    let last = answer["sources"][0]["lastSequence"].as_str().unwrap().parse().unwrap();
    let skus: Vec<String> = (1..=SKUS).map(|sku| format!("sku=S{sku}")).collect();
    let answer = get(format!("/v1/stock/levels?{}", skus.join("&"))).await;
    let mut levels = Levels::new();
    for level in answer["levels"].as_array().map(Vec::as_slice).unwrap_or_default() {
        if level["location"] == location(source).as_str() {
            assert!(!level["suspect"].as_bool().unwrap_or_default(), "{level}");
            let text = |field: &str| level[field].as_str().unwrap_or_default().to_owned();
            levels.insert((text("sku"), text("measure"), text("row")), text("quantity"));
        }
    }
    Held { last, levels }
}

/// Pushes until nobody answers; what it then knows.
pub async fn push(wire: Wire, address: Arc<str>, mut source: Source, seed: u64) -> Source {
    let mut draw = Draw(seed);
    let gone = match wire {
        Wire::Grpc => over_grpc(&address, &mut source, &mut draw).await,
        Wire::Http => over_http(&address, &mut source, &mut draw).await,
    };
    let Err(Gone) = gone;
    source
}

enum Never {}

/// Several requests under way at a time.
async fn over_grpc(address: &str, source: &mut Source, draw: &mut Draw) -> Result<Never, Gone> {
    const OPEN: usize = 6;
    let mut client = StockServiceClient::connect(format!("http://{address}")).await?;
    let known = client.get_source(GetSourceRequest { source: name(source.number) }).await?.into_inner();
    let mut next = known.last_sequence.unwrap_or(0) + 1;
    assert!(next > source.acknowledged, "{} were acknowledged, and it is at {next}", source.acknowledged);
    let (requests, stream) = tokio::sync::mpsc::channel(OPEN);
    let stream = futures_util::stream::unfold(stream, async |mut stream| stream.recv().await.map(|one| (one, stream)));
    let mut ends = VecDeque::new();
    let send = |next: &mut u64, source: &mut Source, draw: &mut Draw| {
        let changes: Vec<Told> = (0..1 + draw.below(6)).map(|more| told(source.number, *next + more)).collect();
        *next += changes.len() as u64;
        source.ends.insert(*next - 1);
        let request = PushChangesRequest {
            source: name(source.number),
            changes: changes.iter().map(|told| message(source.number, told)).collect(),
            ..Default::default()
        };
        (*next - 1, request)
    };
    let (end, first) = send(&mut next, source, draw);
    ends.push_back(end);
    requests.send(first).await?;
    let mut answers = client.push_changes(stream).await?.into_inner();
    loop {
        while ends.len() < OPEN {
            let (end, request) = send(&mut next, source, draw);
            ends.push_back(end);
            requests.send(request).await?;
        }
        let answer = answers.message().await?.ok_or(std::fmt::Error)?;
        let end = ends.pop_front().unwrap();
        assert!(answer.results.iter().all(|result| result.verdict() == verdict::Value::Applied), "{answer:?}");
        assert_eq!(answer.last_sequence, Some(end));
        source.acknowledged = end;
    }
}

fn message(source: usize, told: &Told) -> StockChange {
    let kind = if told.is_set { change_kind::Value::Set } else { change_kind::Value::Add };
    let measure = if told.measure == "ON_HAND" { measure::Value::OnHand } else { measure::Value::Reserved };
    StockChange {
        sequence: Some(told.sequence),
        kind: kind.into(),
        sku: told.sku.clone(),
        location: location(source),
        measure: measure.into(),
        row: (!told.row.is_empty()).then(|| told.row.clone()),
        quantity: told.quantity.to_string(),
        ..Default::default()
    }
}

/// One request at a time; now and then one twice, or all that it has as a snapshot.
async fn over_http(address: &str, source: &mut Source, draw: &mut Draw) -> Result<Never, Gone> {
    let client = client();
    let mut next = held_sequence(&client, address, source.number).await? + 1;
    assert!(next > source.acknowledged, "{} were acknowledged, and it is at {next}", source.acknowledged);
    loop {
        if draw.chance(5) && next > 1 {
            snapshot(&client, address, source, next - 1).await?;
        }
        let changes: Vec<Value> =
            (0..1 + draw.below(6)).map(|more| json(source.number, &told(source.number, next + more))).collect();
        next += changes.len() as u64;
        source.ends.insert(next - 1);
        let body = json!({ "source": name(source.number), "changes": changes }).to_string();
        for verdict in ["APPLIED", "DUPLICATE"] {
            let url = format!("http://{address}/v1/stock/changes");
            let request = client.post(url).header("content-type", "application/json").body(body.clone());
            let response = request.send().await?;
            let status = response.status();
            let answer: Value = serde_json::from_str(&response.text().await?)?;
            assert!(status.is_success(), "{status}: {answer}");
            let results = answer["results"].as_array().unwrap();
            assert!(results.iter().all(|result| result["verdict"] == verdict), "{answer}");
            assert_eq!(answer["lastSequence"], (next - 1).to_string());
            source.acknowledged = next - 1;
            if draw.chance(90) {
                break;
            }
        }
    }
}

async fn held_sequence(client: &reqwest::Client, address: &str, source: usize) -> Result<u64, Gone> {
    let url = format!("http://{address}/v1/stock/sources?source={}", name(source));
    let answer: Value = serde_json::from_str(&client.get(url).send().await?.text().await?)?;
    Ok(answer["sources"][0]["lastSequence"].as_str().unwrap().parse()?)
}

async fn snapshot(client: &reqwest::Client, address: &str, source: &mut Source, at: u64) -> Result<(), Gone> {
    let location = location(source.number);
    let rows = source.levels(at).into_iter().map(|((sku, measure, row), quantity)| {
        json!({ "sku": sku, "location": location, "measure": measure, "row": row, "quantity": quantity }).to_string()
    });
    let rows: Vec<String> = rows.collect();
    let url =
        format!("http://{address}/v1/stock/snapshots?source={}&sequence={at}&rows={}", name(source.number), rows.len());
    let request = client.put(url).header("content-type", "application/x-ndjson").body(rows.join("\n") + "\n");
    let response = request.send().await?;
    let status = response.status();
    let answer: Value = serde_json::from_str(&response.text().await?)?;
    // The last one was of this number too.
    let is_old = answer["reason"] == "out_of_date" || answer.to_string().contains("out_of_date");
    assert!(status.is_success() || is_old, "{status}: {answer}");
    Ok(())
}

fn json(source: usize, told: &Told) -> Value {
    json!({
        "sequence": told.sequence.to_string(),
        "kind": if told.is_set { "SET" } else { "ADD" },
        "sku": told.sku,
        "location": location(source),
        "measure": told.measure,
        "row": told.row,
        "quantity": told.quantity.to_string(),
    })
}
