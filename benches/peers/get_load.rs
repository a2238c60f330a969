//! Load for `erp_load`: the pages of `comptoir load`, asked line by line as GETs in parallel, as a cache in front of an ERP
//! has to be asked that knows nothing beyond single SKUs. Same seed, same pages, same instants.
//!
//! Spends as little as it can on each answer, because it shares two cores with what it measures: raw sockets, and of an
//! answer the status and the length. Prints one JSON object at the end.

#![allow(clippy::float_arithmetic, reason = "milliseconds of a report")]

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser as _;
use comptoir::cli::load::Shape;
use comptoir::cli::load::plan::{Plan, customer_id, sku};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

#[derive(clap::Parser)]
struct Args {
    server: SocketAddr,
    #[command(flatten)]
    shape: Shape,
    /// Connections at once; a line that finds none free waits for one, on its own time.
    #[arg(long, default_value_t = 4_000)]
    connections_max: usize,
}

/// A line that comes later is of no use to its page, and its client hangs up.
const PATIENCE: Duration = Duration::from_secs(1);

/// So that the first pages are made before the first is due.
const RUN_UP: Duration = Duration::from_millis(100);

struct Client {
    server: SocketAddr,
    idle: RefCell<Vec<Connection>>,
    places: Semaphore,
    seen: RefCell<Seen>,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Seen {
    pages: u64,
    lines: u64,
    lines_in_time: u64,
    /// Pages whose every line came in time.
    pages_whole: u64,
    /// By status; 0 is none within the patience, 1 a broken connection.
    statuses: std::collections::BTreeMap<u16, u64>,
    /// Microseconds from when the page was due, of lines that came in time.
    latencies: Histogram<u64>,
    lateness: Histogram<u64>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(args))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let histogram = || Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order");
    let client = Rc::new(Client {
        server: args.server,
        idle: RefCell::default(),
        places: Semaphore::new(args.connections_max),
        seen: RefCell::new(Seen {
            pages: 0,
            lines: 0,
            lines_in_time: 0,
            pages_whole: 0,
            statuses: Default::default(),
            latencies: histogram(),
            lateness: histogram(),
        }),
    });
    let plan = Plan::new(args.shape.traffic()?);
    let (made, mut pages) = mpsc::channel(10_000);
    let start = Instant::now() + RUN_UP;
    std::thread::spawn(move || {
        for page in plan {
            let customer = customer_id(page.customer);
            let ask = |number: &u32| {
                format!("GET /api/offers?customer={customer}&sku={} HTTP/1.1\r\nHost: erp\r\n\r\n", sku(*number))
            };
            let questions: Vec<String> = page.skus.iter().map(ask).collect();
            let due = start + page.at;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if made.blocking_send((due, questions)).is_err() {
                return;
            }
        }
    });
    let mut under_way = JoinSet::new();
    while let Some((due, questions)) = pages.recv().await {
        under_way.spawn_local(page(client.clone(), due, questions));
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    let seen = client.seen.borrow();
    let ms = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let report = serde_json::json!({
        "pages": seen.pages,
        "lines": seen.lines,
        "linesWithinASecond": seen.lines_in_time,
        "pagesWholeWithinASecond": seen.pages_whole,
        "statuses": seen.statuses,
        "latency": { "p50": ms(&seen.latencies, 0.5), "p99": ms(&seen.latencies, 0.99), "p999": ms(&seen.latencies, 0.999) },
        "lateness": { "p50": ms(&seen.lateness, 0.5), "p99": ms(&seen.lateness, 0.99), "p999": ms(&seen.lateness, 0.999) },
    });
    println!("{report}");
    Ok(())
}

async fn page(client: Rc<Client>, due: Instant, questions: Vec<String>) {
    {
        let mut seen = client.seen.borrow_mut();
        seen.pages += 1;
        seen.lines += questions.len() as u64;
        seen.lateness.saturating_record(due.elapsed().as_micros() as u64);
    }
    let mut lines = JoinSet::new();
    for question in questions {
        let client = client.clone();
        lines.spawn_local(async move {
            let asked = tokio::time::timeout_at(due + PATIENCE, client.ask(question)).await;
            let mut seen = client.seen.borrow_mut();
            let status = match asked {
                Ok(answer) => answer.unwrap_or(1),
                Err(_) => 0,
            };
            *seen.statuses.entry(status).or_default() += 1;
            let in_time = status == 200 && due.elapsed() <= PATIENCE;
            if in_time {
                seen.lines_in_time += 1;
                seen.latencies.saturating_record(due.elapsed().as_micros() as u64);
            }
            in_time
        });
    }
    let mut whole = true;
    while let Some(line) = lines.join_next().await {
        whole &= line.unwrap_or(false);
    }
    client.seen.borrow_mut().pages_whole += u64::from(whole);
}

impl Client {
    /// The status of one answer, read to its end.
    async fn ask(&self, question: String) -> io::Result<u16> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(idle) => idle,
            None => {
                let stream = TcpStream::connect(self.server).await?;
                stream.set_nodelay(true)?;
                Connection { stream, buffer: Vec::with_capacity(4096) }
            }
        };
        connection.stream.write_all(question.as_bytes()).await?;
        let status = connection.answer().await?;
        self.idle.borrow_mut().push(connection);
        Ok(status)
    }
}

impl Connection {
    async fn answer(&mut self) -> io::Result<u16> {
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end]).map_err(io::Error::other)?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            let (Some(status), Some(length)) = (status, length) else {
                return Err(io::Error::other("an answer without status or length"));
            };
            let whole = end + 4 + length;
            while self.buffer.len() < whole {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(status);
        }
    }
}
