//! The load for `stock`: changes of stock, over one gRPC stream or from many HTTP callers.
//!
//! Prints one JSON object at the end: changes, seconds, and how long acknowledgements took, in microseconds.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser as _;
use comptoir::api::proto::stock_service_client::StockServiceClient;
use comptoir::api::proto::{PushChangesRequest, StockChange, change_kind, measure};
use hdrhistogram::Histogram;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[derive(Clone, clap::Parser)]
struct Args {
    #[command(subcommand)]
    load: Load,
}

#[derive(Clone, clap::Subcommand)]
enum Load {
    /// One stream, SETs of one SKU after the other.
    Grpc {
        server: SocketAddr,
        /// Changes of a request.
        #[arg(long, default_value_t = 256)]
        size: u64,
        /// Requests under way.
        #[arg(long, default_value_t = 32)]
        open: usize,
        #[arg(long, default_value_t = 200_000)]
        changes: u64,
        /// Each SKU is a level: with as many changes every one of them is new.
        #[arg(long, default_value_t = 100_000)]
        skus: u64,
        #[arg(long, default_value = "stream")]
        source: String,
        /// The number before the first.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Callers of one change at a time, each with a source and a connection of its own.
    Http {
        server: SocketAddr,
        #[arg(long, default_value_t = 64)]
        callers: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let (changes, times) = runtime.block_on(async {
        match args.load {
            Load::Grpc { .. } => over_grpc(args.load).await,
            Load::Http { server, callers, seconds } => over_http(server, callers, Duration::from_secs(seconds)).await,
        }
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let report = serde_json::json!({
        "changes": changes,
        "seconds": seconds,
        "p50_us": times.value_at_quantile(0.5),
        "p99_us": times.value_at_quantile(0.99),
    });
    println!("{report}");
    Ok(())
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order")
}

async fn over_grpc(load: Load) -> anyhow::Result<(u64, Histogram<u64>)> {
    let Load::Grpc { server, size, open, changes, skus, source, after } = load else {
        anyhow::bail!("this is the load over gRPC");
    };
    let mut client = StockServiceClient::connect(format!("http://{server}")).await?;
    let (requests, stream) = tokio::sync::mpsc::channel(open);
    let stream = futures_util::stream::unfold(stream, async |mut stream: tokio::sync::mpsc::Receiver<_>| {
        stream.recv().await.map(|request| (request, stream))
    });
    let sent = tokio::spawn(async move { client.push_changes(stream).await.map(|answer| answer.into_inner()) });
    let request = |first: u64| PushChangesRequest {
        source: source.clone(),
        changes: (first..(first + size).min(changes)).map(|number| change(after + number + 1, number % skus)).collect(),
        ..Default::default()
    };
    let mut times = histogram();
    let mut under_way = VecDeque::new();
    let mut next = 0;
    let mut answers = None;
    let mut sent = Some(sent);
    let mut taken = 0;
    while taken < changes {
        while next < changes && under_way.len() < open {
            under_way.push_back(Instant::now());
            requests.send(request(next)).await?;
            next += size;
        }
        let answers = match &mut answers {
            Some(answers) => answers,
            None => answers.insert(sent.take().expect("it is awaited once").await??),
        };
        let answer = answers.message().await?.ok_or_else(|| anyhow::anyhow!("the stream ended"))?;
        let count = answer.results.len() as u64;
        anyhow::ensure!(answer.applied == Some(count), "not all were applied: {:?}", answer.results.first());
        taken += count;
        if let Some(begun) = under_way.pop_front() {
            times.saturating_record(begun.elapsed().as_micros() as u64);
        }
    }
    Ok((taken, times))
}

fn change(sequence: u64, sku: u64) -> StockChange {
    StockChange {
        sequence: Some(sequence),
        kind: change_kind::Value::Set.into(),
        sku: format!("BOLT-{sku:06}"),
        location: "PARIS".into(),
        measure: measure::Value::OnHand.into(),
        quantity: (1 + sequence % 997).to_string(),
        ..Default::default()
    }
}

async fn over_http(server: SocketAddr, callers: usize, time: Duration) -> anyhow::Result<(u64, Histogram<u64>)> {
    let mut pushing = JoinSet::new();
    for caller in 0..callers {
        pushing.spawn(one_caller(server, caller, time));
    }
    let (mut changes, mut times) = (0, histogram());
    while let Some(caller) = pushing.join_next().await {
        let (count, taken) = caller??;
        changes += count;
        times.add(taken)?;
    }
    Ok((changes, times))
}

async fn one_caller(server: SocketAddr, caller: usize, time: Duration) -> anyhow::Result<(u64, Histogram<u64>)> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (begun, mut times, mut sequence) = (Instant::now(), histogram(), 0);
    while begun.elapsed() < time {
        sequence += 1;
        let body = format!(
            r#"{{"source":"caller-{caller}","changes":[{{"sequence":"{sequence}","kind":"SET","sku":"C{caller}-{}","location":"LYON","measure":"ON_HAND","quantity":"{}"}}]}}"#,
            sequence % 100,
            1 + sequence % 997,
        );
        let request = Request::post("/v1/stock/changes")
            .header("host", "comptoir")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let sent = Instant::now();
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        times.saturating_record(sent.elapsed().as_micros() as u64);
        let text = String::from_utf8_lossy(&body);
        anyhow::ensure!(status.is_success() && text.contains("APPLIED"), "{status}: {text}");
    }
    driver.abort();
    Ok((sequence, times))
}
