//! The gateway at the other end: three requests, and what its answers mean for whoever waits.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Body, Response};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::domain::ids::SourceId;

pub struct Gateway {
    client: reqwest::Client,
    /// Without a trailing slash.
    base: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It may pass.
    #[error("{why}")]
    Later { why: String, after: Option<Duration> },
    #[error("{0}")]
    Refused(String),
}

/// How a source stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub epoch: String,
    #[serde(deserialize_with = "number")]
    pub last_sequence: u64,
}

#[derive(Debug, Deserialize)]
struct Sources {
    sources: Vec<Source>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pushed {
    pub results: Vec<Verdict>,
    #[serde(deserialize_with = "number")]
    pub last_sequence: u64,
}

/// What became of one change.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Verdict {
    pub verdict: String,
    pub reason: String,
    pub detail: String,
    pub expected_sequence: Option<String>,
    /// What was said the first time.
    pub original: Original,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Original {
    pub verdict: String,
    pub reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Restated {
    #[serde(deserialize_with = "number")]
    pub rows: u64,
    #[serde(deserialize_with = "number")]
    pub rejected: u64,
    #[serde(deserialize_with = "number")]
    pub changed: u64,
    #[serde(deserialize_with = "number")]
    pub zeroed: u64,
    #[serde(deserialize_with = "number")]
    pub last_sequence: u64,
    pub rejects: Vec<RejectedRow>,
}

#[derive(Debug, Deserialize)]
pub struct RejectedRow {
    pub line: String,
    pub reason: String,
    #[serde(default)]
    pub detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    reason: String,
    detail: String,
}

/// 64-bit integers are strings in canonical JSON.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// One request of changes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

impl Gateway {
    pub fn new(target: &str) -> anyhow::Result<Self> {
        let url = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
        let parsed = reqwest::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = parsed.with_context(|| format!("{target} is no address: write http://127.0.0.1:7070"))?;
        ensure!(parsed.query().is_none() && parsed.fragment().is_none(), "{target}: name the server alone");
        // The first one stays; there is only this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("comptoir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()?;
        Ok(Self { client, base: url.trim_end_matches('/').to_owned() })
    }

    /// How far the source is known.
    pub async fn source(&self, source: &SourceId) -> Result<Source, Trouble> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("source", source.as_str()).finish();
        let request = self.client.get(format!("{}/v1/stock/sources?{query}", self.base)).timeout(ANSWERED_WITHIN);
        let body = self.answer(request.send().await).await?;
        let read: Sources = self.read(&body)?;
        read.sources.into_iter().next().ok_or_else(|| self.stranger())
    }

    /// Changes, one a line.
    pub async fn push(&self, source: &SourceId, epoch: &str, lines: String) -> Result<Pushed, Trouble> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("source", source.as_str()).append_pair("epoch", epoch);
        let url = format!("{}/v1/stock/changes?{}", self.base, query.finish());
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-ndjson").body(lines);
        let body = self.answer(request.timeout(ANSWERED_WITHIN).send().await).await?;
        self.read(&body)
    }

    /// A snapshot; `query`: its head.
    pub async fn restate(&self, query: &str, kind: &'static str, body: Body) -> Result<Restated, Trouble> {
        let url = format!("{}/v1/stock/snapshots?{query}", self.base);
        let answer = self.client.put(url).header(CONTENT_TYPE, kind).body(body).send().await;
        let body = self.answer(answer).await?;
        self.read(&body)
    }

    async fn answer(&self, sent: reqwest::Result<Response>) -> Result<Bytes, Trouble> {
        let broken = |error: reqwest::Error| Trouble::Later {
            why: format!("{} does not answer: {}", self.base, cause(&error)),
            after: None,
        };
        let response = sent.map_err(broken)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let after = after.map(Duration::from_secs);
        let body = response.bytes().await.map_err(broken)?;
        if status.is_success() {
            return Ok(body);
        }
        let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        if problem.reason.is_empty() {
            let what = format!("{} answers HTTP {}: is it a gateway?", self.base, status.as_u16());
            return Err(if status.is_server_error() {
                Trouble::Later { why: what, after }
            } else {
                Trouble::Refused(what)
            });
        }
        let what = format!("{} ({})", problem.detail, problem.reason);
        match status.as_u16() {
            408 | 429 | 502..=504 => Err(Trouble::Later { why: what, after }),
            _ => Err(Trouble::Refused(what)),
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, Trouble> {
        serde_json::from_slice(body).map_err(|_| self.stranger())
    }

    fn stranger(&self) -> Trouble {
        Trouble::Refused(format!("what {} answers cannot be read: is it a gateway?", self.base))
    }
}

/// The last of the causes: the one that says something.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
