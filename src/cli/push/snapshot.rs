//! A snapshot: the file as it is, in one request. The gateway takes all of it or nothing.

use std::fs;
use std::io::{self, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task;
use tokio_stream::wrappers::ReceiverStream;

use super::PushArgs;
use super::file::{File, Format};
use super::gateway::{Gateway, Restated, Trouble};
use super::progress::Progress;
use crate::cli::load::grouped;
use crate::clock::Clock;

/// Read and sent at once. Bytes.
const PART_BYTES: usize = 64 << 10;

/// Whether all of its rows are taken.
pub async fn push(args: &PushArgs, gateway: &Gateway, file: &File) -> anyhow::Result<bool> {
    let query = query(args, file);
    let kind = match file.format {
        Format::Csv => "text/csv",
        Format::Ndjson => "application/x-ndjson",
    };
    // Before the file is sent: whether anybody is there who wants it.
    gateway.source(&args.source).await.map_err(|trouble| anyhow!("{trouble}"))?;
    let progress = Arc::new(Mutex::new(Progress::new()));
    let clock = Clock::system();
    let begun = clock.mono();
    let answer = loop {
        let trouble = match gateway.restate(&query, kind, body(file, progress.clone())?).await {
            Ok(answer) => break answer,
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::Refused(why) if why.contains("too_many_zeros") => {
                bail!("{why}. Look at the file first: was it cut, or filtered?")
            }
            Trouble::Refused(why) => bail!("{why}"),
            Trouble::Later { why, after } => {
                let waited = clock.mono().since(begun);
                if waited >= args.patience {
                    bail!("given up after {} s: {why}", waited.as_secs());
                }
                let pause = after.unwrap_or(super::changes::WAIT_MAX).min(super::changes::WAIT_MAX);
                progress.lock().say(format_args!("{why}; all of it again in {} s", pause.as_secs()));
                tokio::time::sleep(pause).await;
            }
        }
    };
    told(args, file, &answer, &mut progress.lock());
    Ok(answer.rejected == 0)
}

fn told(args: &PushArgs, file: &File, answer: &Restated, progress: &mut Progress) {
    for row in &answer.rejects {
        progress.name(format_args!(
            "line {}: {}: {}",
            row.line,
            row.reason,
            super::changes::without_place(&row.detail)
        ));
    }
    let more = answer.rejected.saturating_sub(answer.rejects.len() as u64);
    if more > 0 {
        progress.say(format_args!("and {} more rows that were not taken", grouped(more)));
    }
    let (would, done) = if args.dry_run { ("would move", "; nothing was done") } else { ("moved", "") };
    let at = if answer.last_sequence > 0 {
        format!("; {} is at {}", args.source, answer.last_sequence)
    } else {
        String::new()
    };
    let not_taken =
        if answer.rejected > 0 { format!(", {} not taken", grouped(answer.rejected)) } else { String::new() };
    let s = if answer.rows == 1 { "" } else { "s" };
    println!(
        "{} row{s} of {}: {} figures {would}, {} of them to zero{not_taken}{at}{done}",
        grouped(answer.rows),
        file.path.display(),
        grouped(answer.changed),
        grouped(answer.zeroed),
    );
}

fn query(args: &PushArgs, file: &File) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("source", args.source.as_str()).append_pair("epoch", &args.epoch);
    if let Some(sequence) = args.sequence {
        query.append_pair("sequence", &sequence.to_string());
    }
    query.extend_pairs(args.locations.iter().map(|name| ("location", name)));
    query.extend_pairs(args.measures.iter().map(|measure| ("measure", measure.as_str())));
    query.append_pair("rows", &file.rows.to_string());
    for (name, is_set) in [("force", args.force), ("dryRun", args.dry_run)] {
        if is_set {
            query.append_pair(name, "true");
        }
    }
    query.finish()
}

/// The file, read on its own thread as the gateway takes it.
fn body(file: &File, progress: Arc<Mutex<Progress>>) -> anyhow::Result<reqwest::Body> {
    let mut reader = fs::File::open(&file.path).with_context(|| file.path.display().to_string())?;
    let (sender, parts) = mpsc::channel::<io::Result<Frame<Bytes>>>(4);
    let (all, mut done) = (file.bytes, 0);
    task::spawn_blocking(move || {
        loop {
            let mut part = vec![0; PART_BYTES];
            let read = reader.read(&mut part).map(|length| {
                part.truncate(length);
                part
            });
            let ends = !matches!(&read, Ok(part) if !part.is_empty());
            if matches!(&read, Ok(part) if part.is_empty()) {
                return;
            }
            done += read.as_ref().map_or(0, |part| part.len() as u64);
            // Whoever does not take it any more has answered.
            if sender.blocking_send(read.map(|part| Frame::data(part.into()))).is_err() || ends {
                return;
            }
            progress.lock().show(done, all, &format!("{} of {} kB", grouped(done / 1000), grouped(all / 1000)));
        }
    });
    Ok(reqwest::Body::wrap(StreamBody::new(ReceiverStream::new(parts))))
}
