//! Snapshots on both wires. Rows are read and handed on as they arrive, so what is held here is bounded; the ledger holds all
//! of a snapshot's rows until its end decides whether they count.

use std::sync::Arc;

use bytes::BytesMut;
use http::header::EXPECT;
use http::{Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::mpsc;

use super::changes::NDJSON;
use super::{Stock, answered, answers, json};
use crate::api::body::{self, Body};
use crate::api::messages::Messages;
use crate::api::request::stock;
use crate::api::request::told::{Names, Told, csv, json as told_json, message};
use crate::api::server::Api;
use crate::api::status::{Fault, Refusal};
use crate::api::{grpc, http as json_http};
use crate::stock::request::{SnapshotHead, SnapshotLine, SnapshotPart};

const PARAMETERS: &[&str] = &["source", "epoch", "sequence", "location", "measure", "rows", "force", "dryRun"];

/// Rows handed on together.
const PART_ROWS: usize = 1000;
/// Parts that wait to be taken.
const PARTS_MAX: usize = 4;
/// The longest line. Bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// `PUT /v1/stock/snapshots`.
pub async fn over_http<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    if request.method() != Method::PUT {
        return Err(json_http::wrong_method("PUT"));
    }
    let said = request.headers().contains_key(http::header::CONTENT_TYPE);
    let is_csv = said && json_http::is_of(request.headers(), &["text/csv"]);
    if !said || !(is_csv || json_http::is_of(request.headers(), NDJSON)) {
        return Err(Refusal::new(Fault::UnsupportedMediaType, "send application/x-ndjson or text/csv in UTF-8"));
    }
    let head = stock::query(request.uri().query().unwrap_or_default(), PARAMETERS)?.head()?;
    let drain = request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
    let (sender, parts) = mpsc::channel(PARTS_MAX);
    let rows = Rows::new(&head, sender);
    let put = ledger.put_snapshot(head, parts);
    let mut body = request.into_body();
    let feed = async {
        let fed = feed(api, rows, &mut body, is_csv).await;
        if matches!(fed, Err(Stop::Unheard)) && drain {
            body::throw_away(body, api.config.body_drain_bytes_max).await;
        }
        fed
    };
    let (fed, put) = tokio::join!(feed, put);
    if let Err(Stop::Refused(refusal)) = fed {
        return Err(refusal);
    }
    Ok(answered(json::snapshot(&answers::snapshot(put?))))
}

/// `PutSnapshot`.
pub async fn over_grpc<O>(
    api: &Api<O>,
    ledger: &Arc<dyn Stock>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let (limit, patience) = (api.config.changes_bytes_max, api.config.body_read_timeout);
    let mut messages = Messages::new(request.into_body(), limit, patience);
    let no_head = || Refusal::at(Fault::NothingNamed, "head", "the first message has none");
    let mut message = messages.next().await?.ok_or_else(no_head)?;
    let head = message::snapshot(&message, |_| Ok(()))?.head.ok_or_else(no_head)?;
    let head = stock::head_in(head)?;
    let (sender, parts) = mpsc::channel(PARTS_MAX);
    let mut rows = Rows::new(&head, sender);
    let counted = head.rows.is_some();
    let put = ledger.put_snapshot(head, parts);
    // What it owns goes when it ends: the ledger then knows that no more comes.
    let feed = async move {
        let mut first = true;
        loop {
            let read = message::snapshot(&message, |row| {
                rows.line += 1;
                let told = message::row(row, rows.line)?;
                rows.add(told);
                Ok(())
            })?;
            if read.head.is_some() && !first {
                return Err(Refusal::at(Fault::Contradictory, "head", "there is a second").into());
            }
            first = false;
            rows.flush(PART_ROWS).await?;
            match (messages.next().await?, read.end) {
                (None, Some(said)) => return rows.end(said).await,
                (None, None) if counted => return rows.end(None).await,
                (None, None) => return Err(Refusal::new(Fault::CutOff, "there is no end").into()),
                (Some(_), Some(_)) => {
                    return Err(Refusal::at(Fault::Contradictory, "end", "something follows it").into());
                }
                (Some(next), None) => message = next,
            }
        }
    };
    let (fed, put): (Result<(), Stop>, _) = tokio::join!(feed, put);
    if let Err(Stop::Refused(refusal)) = fed {
        return Err(refusal);
    }
    let answer = answers::snapshot(put?).encode_to_vec();
    Ok(grpc::respond(Body::message(grpc::message_of(Vec::new(), |sink| sink.buffer.extend_from_slice(&answer)))))
}

/// Why no more rows are handed on.
enum Stop {
    Refused(Refusal),
    /// The ledger has answered already.
    Unheard,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

/// Rows on their way to the ledger.
struct Rows {
    parts: mpsc::Sender<SnapshotPart>,
    gathered: Vec<SnapshotLine>,
    names: Names,
    /// What a row that does not say is about.
    location: Option<String>,
    measure: Option<crate::domain::change::Measure>,
    /// Where the last one stood, from 1: in a message its place among the rows, in a body its line, as an editor shows it.
    line: u64,
}

impl Rows {
    fn new(head: &SnapshotHead, parts: mpsc::Sender<SnapshotPart>) -> Self {
        let location = match &head.locations[..] {
            [one] => Some(one.as_str().to_owned()),
            _ => None,
        };
        let measure = match head.measures[..] {
            [one] => Some(one),
            _ => None,
        };
        Self { parts, gathered: Vec::new(), names: Names::default(), location, measure, line: 0 }
    }

    fn add(&mut self, mut told: Told<'_>) {
        if told.location.is_none() {
            told.location = self.location.as_deref().map(|text| text.to_owned().into());
        }
        told.measure = told.measure.or(self.measure);
        self.gathered.push(told.into_line(self.line, &mut self.names));
    }

    async fn flush(&mut self, from: usize) -> Result<(), Stop> {
        if self.gathered.len() < from {
            return Ok(());
        }
        while !self.gathered.is_empty() {
            let rest = self.gathered.split_off(self.gathered.len().min(PART_ROWS));
            let part = std::mem::replace(&mut self.gathered, rest);
            self.parts.send(SnapshotPart::Rows(part)).await.map_err(|_| Stop::Unheard)?;
        }
        Ok(())
    }

    async fn end(&mut self, rows: Option<u64>) -> Result<(), Stop> {
        self.flush(0).await?;
        self.parts.send(SnapshotPart::End { rows }).await.map_err(|_| Stop::Unheard)
    }
}

/// Reads lines as they arrive.
async fn feed<O>(api: &Api<O>, mut rows: Rows, body: &mut Incoming, is_csv: bool) -> Result<(), Stop> {
    let mut lines = Lines { rows: &mut rows, columns: None, is_csv, end: None };
    let mut rest = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(api.config.body_read_timeout, body.frame()).await;
        let Some(frame) = frame.map_err(|_| Refusal::new(Fault::BodyTimeout, "the body did not arrive in time"))?
        else {
            break;
        };
        let frame = frame.map_err(|error| Refusal::new(Fault::CutOff, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        rest.extend_from_slice(&data);
        let Some(last) = rest.iter().rposition(|byte| *byte == b'\n') else {
            if rest.len() > LINE_BYTES_MAX {
                return Err(too_long().into());
            }
            continue;
        };
        let whole = rest.split_to(last + 1);
        // What follows its end comes with the next part.
        for line in whole[..last].split(|byte| *byte == b'\n') {
            lines.take(line)?;
        }
        lines.rows.flush(PART_ROWS).await?;
    }
    lines.take(&rest)?;
    let end = lines.end;
    rows.end(end).await
}

struct Lines<'a> {
    rows: &'a mut Rows,
    columns: Option<csv::Columns>,
    is_csv: bool,
    /// How many rows the last line says there were.
    end: Option<u64>,
}

impl Lines<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.rows.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LINE_BYTES_MAX {
            return Err(too_long());
        }
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        if self.end.is_some() {
            return Err(Refusal::at(
                Fault::Contradictory,
                "rows",
                "a line follows the one that says how many there were",
            ));
        }
        match (&self.columns, self.is_csv) {
            (None, true) => self.columns = Some(csv::Columns::read(line)?),
            (Some(columns), _) => {
                let told = columns.row(line, self.rows.line);
                self.rows.add(told);
            }
            (None, false) => {
                let told = told_json::row(line, self.rows.line);
                match told.rows {
                    Some(_) if told.wrong.is_none() && told.sku.is_none() => self.end = told.rows,
                    _ => self.rows.add(told),
                }
            }
        }
        Ok(())
    }
}

fn too_long() -> Refusal {
    let what = format!("a line is longer than {LINE_BYTES_MAX} bytes");
    Refusal::new(Fault::BodyTooLong, what).limited(LINE_BYTES_MAX)
}
