//! The whole connector against a small server in the process that answers what a test tells it to.

use std::io::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{RestConfig, RestConnector, RestSite};
use crate::clock::Reading;
use crate::domain::{CustomerFacts, CustomerId, Sku, Stock, Unit};
use crate::erp::ErpError;
use crate::erp::connector::{AskedLine, Call, Connector, Header, KnownFacts, PriceRow, Reply, Said};

mod answers;
mod presets;
mod sessions;

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Asked {
    /// `POST /path?query`
    line: String,
    /// Lower-case names.
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What to answer: a status, extra header lines, a body, and how many bytes of it are announced.
#[derive(Clone, Debug)]
struct Told {
    status: u16,
    headers: &'static str,
    body: Vec<u8>,
    announced: Option<usize>,
}

impl Told {
    fn json(value: Json) -> Self {
        Self::text(200, value.to_string())
    }

    fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: "", body: body.into(), announced: None }
    }
}

/// A server for one test.
struct Erp {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Erp {
    async fn start(answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, log) = (answer.clone(), log.clone());
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    log.lock().push(request.clone());
                    let told = answer(&request);
                    let length = told.announced.unwrap_or(told.body.len());
                    let head = format!(
                        "HTTP/1.1 {} X\r\nConnection: close\r\n{}Content-Length: {length}\r\n\r\n",
                        told.status, told.headers
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&told.body).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, asked }
    }

    /// A connector by a preset, at this server.
    fn connect(&self, preset: &str) -> RestConnector {
        let site = RestSite {
            url: Some(self.url.clone()),
            time_zone: Some("Pacific/Kiritimati".into()),
            ..RestSite::default()
        };
        RestConnector::new(RestConfig::from_toml(preset).unwrap().with(site)).unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// How many requests had this in their first line or body.
    fn count(&self, part: &str) -> usize {
        self.asked.lock().iter().filter(|asked| asked.line.contains(part) || asked.body.contains(part)).count()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|&read| read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.lines();
        let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
        while bytes.len() < end + 4 + length {
            let read = stream.read(&mut piece).await.ok().filter(|&read| read > 0)?;
            bytes.extend_from_slice(&piece[..read]);
        }
        let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
        return Some(Asked { line, headers, body });
    }
}

/// Prices by SKU, and nothing else.
const PLAIN: &str = r#"
    kind = "rest"
    url = "http://erp.invalid"
    [prices]
    rows = "$.lines"
    row = { sku = "$.sku", net_price = "$.price", base_quantity = "$.per", currency = "$.currency" }
    [prices.request]
    path = "/prices"
    body = '{"skus": {{ skus }}}'
"#;

fn header(customer: Option<&str>, facts: CustomerFacts) -> Arc<Header> {
    Arc::new(Header {
        customer: customer.map(|id| CustomerId::new(id).unwrap()),
        for_list: None,
        company: None,
        ship_to: None,
        contract: None,
        currency: "EUR".parse().unwrap(),
        price_date: "2026-11-22".parse().unwrap(),
        facts: KnownFacts::given(Arc::new(facts), Reading::default()),
    })
}

fn line(sku: &str, unit: Option<&str>, quantity: Option<&str>) -> AskedLine {
    AskedLine {
        sku: Sku::new(sku).unwrap(),
        unit: unit.map(|unit| Unit::new(unit).unwrap()),
        quantity: quantity.map(|quantity| quantity.parse().unwrap()),
    }
}

fn prices(skus: &[&str]) -> Call {
    Call::Prices(header(None, CustomerFacts::default()), skus.iter().map(|sku| line(sku, None, None)).collect())
}

/// A price row in short: its price, or what else it says.
fn short(row: &PriceRow) -> (String, String) {
    let said = match &row.said {
        Said::Told(line) => line.net_price.to_string(),
        Said::OnRequest(why) => format!("on request: {why}"),
        Said::UnknownSku => "unknown".into(),
        Said::NotForSale(_) => "not for sale".into(),
        Said::UnknownUnit => "unknown unit".into(),
        Said::Failed(why) => format!("failed: {why}"),
    };
    (row.sku.clone(), said)
}

fn shorts(reply: &Reply) -> Vec<(String, String)> {
    reply.prices.iter().map(short).collect()
}

fn said(reply: &Reply, index: usize) -> String {
    short(&reply.prices[index]).1
}
