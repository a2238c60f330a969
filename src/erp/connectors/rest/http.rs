//! The wire: sends one prepared request and reads one bounded answer.
//!
//! Never follows redirects, never uses a proxy, never trusts `Content-Encoding` (some ERPs declare gzip and send plain
//! text, or the reverse): the first two bytes decide. Both the answer as sent and the answer unpacked are bounded, and
//! are read in pieces so that an endless one costs no more than the bound.

use std::error::Error as _;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};

use super::config::{HttpConfig, RestConfigError};
use super::document::Document;
use super::request::Prepared;
use crate::erp::ErpError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A client for one ERP.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    /// Without a trailing slash.
    base: String,
    answer_max: usize,
}

/// An answer that arrived whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Unpacked.
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    Json(Document),
    Other { bytes: Vec<u8>, why: String },
}

impl Body {
    pub fn read(bytes: Vec<u8>) -> Self {
        Document::read(bytes).map_or_else(|(bytes, why)| Body::Other { bytes, why }, Body::Json)
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Json(document) => document.bytes(),
            Body::Other { bytes, .. } => bytes,
        }
    }

    pub fn document(&self) -> Option<&Document> {
        match self {
            Body::Json(document) => Some(document),
            Body::Other { .. } => None,
        }
    }
}

impl Http {
    pub fn new(url: &str, config: &HttpConfig) -> Result<Self, RestConfigError> {
        let wrong = |why: &str| Err(RestConfigError::new("url", why));
        let Ok(parsed) = reqwest::Url::parse(url) else { return wrong("is not an address") };
        if !matches!(parsed.scheme(), "http" | "https") {
            return wrong("is neither http nor https");
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return wrong("ends with its path");
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return wrong("holds a password; that belongs into auth");
        }
        // Main installs it too; whoever is first wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("comptoir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .pool_max_idle_per_host(config.connections_idle_max)
            .pool_idle_timeout(config.idle_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy();
        if let Some(path) = &config.ca_file {
            let wrong = |why: String| RestConfigError::new("http.ca_file", format!("{}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| RestConfigError::new("http", causes(&error)))?;
        Ok(Self { client, base: url.trim_end_matches('/').to_owned(), answer_max: config.answer_max })
    }

    /// Sends a request and reads its answer. Says nothing about what the answer means.
    pub async fn exchange(&self, prepared: Prepared) -> Result<Answer, ErpError> {
        let url = reqwest::Url::parse(&format!("{}{}", self.base, prepared.path))
            .map_err(|_| ErpError::Unprepared("the address of the request is none".into()))?;
        // A client library that tidies the path would ask for something else than was written.
        if !url.as_str().ends_with(prepared.path.as_str()) {
            return Err(ErpError::Unprepared("the path of the request is not in its plain form".into()));
        }
        let mut request = self
            .client
            .request(prepared.method, url)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .headers(prepared.headers);
        if let Some(body) = prepared.body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(|error| ErpError::Unreachable(causes(&error.without_url())))?;
        let status = response.status().as_u16();
        let packed = self.read(response).await?;
        let body = if packed.starts_with(&GZIP_MAGIC) { unpack(&packed, self.answer_max)? } else { packed };
        Ok(Answer { status, body: Body::read(body) })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ErpError> {
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |announced| announced > self.answer_max) {
            return Err(too_large(self.answer_max));
        }
        let mut body = Vec::with_capacity(announced as usize);
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > self.answer_max => {
                    return Err(too_large(self.answer_max));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return Ok(body),
                Err(error) => {
                    return Err(ErpError::Garbled(format!("it broke off: {}", causes(&error.without_url()))));
                }
            }
        }
    }
}

fn too_large(limit: usize) -> ErpError {
    ErpError::Garbled(format!("it is larger than {limit} bytes"))
}

fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, ErpError> {
    let mut body = Vec::new();
    MultiGzDecoder::new(packed)
        .take(limit as u64 + 1)
        .read_to_end(&mut body)
        .map_err(|error| ErpError::Garbled(format!("it cannot be unpacked: {error}")))?;
    if body.len() > limit { Err(too_large(limit)) } else { Ok(body) }
}

/// An error with its causes: the outermost alone says little.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_small_packed_answer_may_not_become_a_large_one() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(packed.len() < 4096);
        assert!(matches!(unpack(&packed, 4096), Err(ErpError::Garbled(_))));
        assert_eq!(unpack(&packed, 1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(unpack(&packed[..packed.len() / 2], 1 << 20), Err(ErpError::Garbled(_))));
    }

    #[test]
    fn addresses_that_hold_more_than_an_address_are_refused() {
        for bad in ["", "erp.example", "ftp://erp.example", "http://user:pw@erp.example", "http://erp.example/?a=1"] {
            assert_eq!(Http::new(bad, &HttpConfig::default()).unwrap_err().key, "url", "{bad}");
        }
    }
}
