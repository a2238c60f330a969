//! Load for `redis_page`: random pages of cached lines, over gRPC or as Redis `MGET`, from the same seed.
//!
//! Spends as little as it can on each answer (it counts bytes and reads the status, nothing is decoded), because it has one
//! core and so has the server. Prints one JSON object at the end.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use clap::Parser as _;
use comptoir::api::proto::{GetOffersRequest, GetOffersResponse, OfferLine, offer_status, purpose, source};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Clone, clap::Parser)]
struct Args {
    wire: Wire,
    server: SocketAddr,
    /// Connections at the same time.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Pages under way on each gRPC connection. Redis has one: it answers in order.
    #[arg(long, default_value_t = 1)]
    streams: usize,
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    #[arg(long, default_value_t = 48)]
    lines: usize,
    /// SKUs to choose from, numbered from 1.
    #[arg(long, default_value_t = 100_000)]
    skus: u32,
    #[arg(long, default_value = "C-00042")]
    customer: String,
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Bytes of each Redis value.
    #[arg(long, default_value_t = 0)]
    value_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wire {
    Grpc,
    Redis,
}

/// Pages prepared before the clock starts; asked over and over.
const PAGES: usize = 5_000;

const PATH: &str = "/comptoir.v1.OfferService/GetOffers";

/// A flag byte and four of length before every gRPC message.
const PREFIX_BYTES: usize = 5;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(args))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let pages: Rc<Vec<Bytes>> = Rc::new(pages(&args));
    let (begin, mut users) = (Instant::now(), Vec::new());
    let end = begin + Duration::from_secs(args.seconds);
    for connection in 0..args.connections {
        match args.wire {
            Wire::Redis => {
                let stream = connect(args.server).await?;
                let user = redis_user(stream, pages.clone(), connection, args.lines, args.value_bytes, end);
                users.push(tokio::task::spawn_local(user));
            }
            Wire::Grpc => {
                let sender = grpc_connection(args.server).await?;
                if connection == 0 {
                    check(&args, sender.clone(), &pages[0]).await?;
                }
                for stream in 0..args.streams {
                    let first = connection * args.streams + stream;
                    let user = grpc_user(args.server, sender.clone(), pages.clone(), first, end);
                    users.push(tokio::task::spawn_local(user));
                }
            }
        }
    }
    let mut latencies = Vec::new();
    let mut bytes = 0;
    for user in users {
        let (own, read) = user.await??;
        latencies.extend(own);
        bytes += read;
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default().as_micros();
    let (pages, p50, p99) = (latencies.len(), at(50), at(99));
    println!(r#"{{"pages": {pages}, "bytes": {bytes}, "seconds": {seconds}, "p50_us": {p50}, "p99_us": {p99}}}"#);
    Ok(())
}

fn pages(args: &Args) -> Vec<Bytes> {
    // Marsaglia's xorshift64: the same pages from the same seed, for both wires.
    let mut state = args.seed.max(1);
    let mut sku = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("SKU-{:06}", 1 + state % u64::from(args.skus))
    };
    (0..PAGES)
        .map(|_| {
            let skus = (0..args.lines).map(|_| sku());
            match args.wire {
                Wire::Grpc => grpc_question(args, skus),
                Wire::Redis => mget(args, skus),
            }
        })
        .collect()
}

fn grpc_question(args: &Args, skus: impl Iterator<Item = String>) -> Bytes {
    let question = GetOffersRequest {
        customer: Some(args.customer.clone()),
        purpose: purpose::Value::List.into(),
        lines: skus.map(|sku| OfferLine { sku, ..OfferLine::default() }).collect(),
        ..GetOffersRequest::default()
    };
    let length = question.encoded_len();
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).expect("a page is small"));
    question.encode(&mut message).expect("there is room");
    message.freeze()
}

fn mget(args: &Args, skus: impl Iterator<Item = String>) -> Bytes {
    let mut command = format!("*{}\r\n$4\r\nMGET\r\n", args.lines + 1);
    for sku in skus {
        let key = format!("offer:{}:{sku}", args.customer);
        command.push_str(&format!("${}\r\n{key}\r\n", key.len()));
    }
    command.into()
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn grpc_connection(server: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        // Room for many answers, so that the wire is not measured by its window.
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .handshake(TokioIo::new(connect(server).await?))
        .await?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            eprintln!("connection: {error}");
        }
    });
    Ok(sender)
}

/// One answer, and the status that followed it.
async fn ask(
    server: SocketAddr,
    sender: &mut SendRequest<Full<Bytes>>,
    message: &Bytes,
) -> anyhow::Result<(Vec<Bytes>, HeaderMap)> {
    let request = Request::post(format!("http://{server}{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message.clone()))?;
    sender.ready().await?;
    let (head, mut body) = sender.send_request(request).await?.into_parts();
    // A refusal is all trailers: its status comes in the head.
    let mut status = head.headers;
    let mut data = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(bytes) => data.push(bytes),
            Err(frame) => status = frame.into_trailers().unwrap_or_default(),
        }
    }
    anyhow::ensure!(status.get("grpc-status").is_some_and(|code| code == "0"), "{status:?}");
    Ok((data, status))
}

async fn grpc_user(
    server: SocketAddr,
    mut sender: SendRequest<Full<Bytes>>,
    pages: Rc<Vec<Bytes>>,
    first: usize,
    end: Instant,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let (mut latencies, mut read) = (Vec::new(), 0);
    // Each user starts elsewhere in the same pages.
    for page in pages.iter().cycle().skip(first * 997) {
        let start = Instant::now();
        if start >= end {
            break;
        }
        let (data, _) = ask(server, &mut sender, page).await?;
        read += data.iter().map(Bytes::len).sum::<usize>();
        latencies.push(start.elapsed());
    }
    Ok((latencies, read))
}

/// One page decoded in full: what is measured must be hits.
async fn check(args: &Args, mut sender: SendRequest<Full<Bytes>>, message: &Bytes) -> anyhow::Result<()> {
    let (data, _) = ask(args.server, &mut sender, message).await?;
    let answer = GetOffersResponse::decode(Bytes::from(data.concat()).slice(PREFIX_BYTES..))?;
    anyhow::ensure!(answer.offers.len() == args.lines, "{} offers", answer.offers.len());
    for offer in &answer.offers {
        let unavailable = offer.status() == offer_status::Value::Unavailable;
        let price = offer.price.as_ref().and_then(|price| price.freshness.as_ref());
        let from_erp = price.is_some_and(|freshness| freshness.source() == source::Value::Erp);
        anyhow::ensure!(!unavailable && !from_erp, "this is no hit: {offer:?}");
    }
    Ok(())
}

async fn redis_user(
    mut stream: TcpStream,
    pages: Rc<Vec<Bytes>>,
    first: usize,
    lines: usize,
    value_bytes: usize,
    end: Instant,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    // All values have one size, so an answer's length is known beforehand.
    let length =
        format!("*{lines}\r\n").len() + lines * (format!("${value_bytes}\r\n").len() + value_bytes + "\r\n".len());
    let mut buffer = vec![0; length];
    let (mut latencies, mut read) = (Vec::new(), 0);
    for page in pages.iter().cycle().skip(first * 997) {
        let start = Instant::now();
        if start >= end {
            break;
        }
        stream.write_all(page).await?;
        stream.read_exact(&mut buffer).await?;
        anyhow::ensure!(buffer[0] == b'*' && buffer.ends_with(b"\r\n"), "an answer of another length");
        read += length;
        latencies.push(start.elapsed());
    }
    Ok((latencies, read))
}
