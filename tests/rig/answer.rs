//! One HTTP answer, read and judged.

use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where there is none.
    pub json: Value,
}

impl Answer {
    /// The offers; fails on a problem.
    pub fn offers(&self) -> &[Value] {
        assert_eq!(self.status, 200, "{}", self.json);
        self.json["offers"].as_array().unwrap()
    }

    pub fn reason(&self) -> &str {
        self.json["reason"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
