//! What the simulated ERP counted while the load ran.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::client::{Failure, Http, Target};

/// The figures of `/sim/stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// That reached it, refused ones included.
    pub calls: u64,
    /// Of them, turned away.
    pub refused: u64,
    pub lines: u64,
    pub in_flight_peak: u64,
    /// The most that came within any 60 s.
    pub calls_per_minute_peak: u64,
}

/// The simulated ERP's controls.
pub struct Erp(Http);

impl Erp {
    /// Its counters begin again, so that peaks are this run's.
    pub async fn begin(target: Target) -> anyhow::Result<Self> {
        let erp = Self(Http::new(target));
        erp.0.post("/sim/stats/reset").await.context("--erp: no simulated ERP answers there")?;
        Ok(erp)
    }

    pub async fn counters(&self) -> Result<Counters, Failure> {
        serde_json::from_slice(&self.0.get("/sim/stats").await?).map_err(|_| Failure::Unreadable)
    }
}
