//! The locations and sources the ledger has heard of: what is known completely, what is owned, who was heard when.

use std::collections::HashMap;
use std::time::Duration;

use super::cell::Plane;
use crate::clock::Timestamp;
use crate::domain::LocationId;
use crate::domain::change::Measure;
use crate::domain::ids::SourceId;
use crate::stock::config::StockConfig;

/// How a source stands, as its judge knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Anything of it: changes, a snapshot, a heartbeat.
    pub last_heard: Option<Timestamp>,
    /// Since when changes of it are missing, or a snapshot is.
    pub gap_since: Option<Timestamp>,
}

/// Why a figure may be wrong, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// A change of the row was rejected, or missed for good, since it was last stated.
    RowRejected,
    /// Its source was not heard for too long.
    SourceSilent,
    /// Changes of its source are missing.
    SourceGap,
}

impl Doubt {
    pub fn reason(self) -> &'static str {
        match self {
            Doubt::RowRejected => "row_rejected",
            Doubt::SourceSilent => "source_silent",
            Doubt::SourceGap => "source_gap",
        }
    }
}

#[derive(Debug)]
pub(super) struct SourceState {
    pub name: SourceId,
    pub standing: Standing,
    /// Rows stated before this number are suspect.
    pub missed_before: u64,
    gap_grace: Duration,
    silent_after: Option<Duration>,
}

impl SourceState {
    /// With since when. Nobody is silent sooner than that long after this process began to listen; then they are since they were
    /// heard last.
    pub fn doubt(&self, started: Timestamp, now: Timestamp) -> Option<(Doubt, Timestamp)> {
        if let Some(since) = self.standing.gap_since
            && since.until(now) >= self.gap_grace
        {
            return Some((Doubt::SourceGap, since));
        }
        let heard = self.standing.last_heard.unwrap_or(started);
        let is_silent = self.silent_after.is_some_and(|after| heard.max(started).until(now) > after);
        is_silent.then_some((Doubt::SourceSilent, heard))
    }
}

/// One measure of one location.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlaneState {
    /// All of it was stated: by whom, at which of their numbers. An absent row is zero.
    pub complete: Option<Complete>,
    /// Some row of it was told.
    pub heard: bool,
    /// Who told one last.
    pub told_by: Option<u16>,
    /// A configured source answers for it.
    pub owned: bool,
    /// Which of the two tables is read.
    pub second: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Complete {
    pub source: u16,
    pub sequence: u64,
}

#[derive(Debug)]
pub(super) struct Place {
    pub id: LocationId,
    planes: [PlaneState; Measure::ALL.len()],
}

impl Place {
    pub fn plane(&self, measure: Measure) -> &PlaneState {
        &self.planes[measure as usize - 1]
    }

    pub fn plane_mut(&mut self, measure: Measure) -> &mut PlaneState {
        &mut self.planes[measure as usize - 1]
    }

    /// What is read of a measure.
    pub fn current(&self, measure: Measure) -> Plane {
        Plane::new(measure, self.plane(measure).second)
    }

    /// A configured source answers for what is there.
    pub fn is_owned(&self) -> bool {
        self.plane(Measure::OnHand).owned || self.plane(Measure::Available).owned
    }
}

#[derive(Debug)]
pub(super) struct Places {
    pub places: Vec<Place>,
    by_id: HashMap<LocationId, u32, foldhash::fast::RandomState>,
    pub sources: Vec<SourceState>,
    sources_by_name: HashMap<SourceId, u16, foldhash::fast::RandomState>,
    config: StockConfig,
    /// Some configured source answers for what is there at every location that no other names.
    pub owns_the_rest: bool,
    pub started: Timestamp,
}

impl Places {
    pub fn new(config: &StockConfig, started: Timestamp) -> Self {
        let counts = |measures: &[Measure]| {
            measures.is_empty() || measures.contains(&Measure::OnHand) || measures.contains(&Measure::Available)
        };
        let mut places = Self {
            places: Vec::new(),
            by_id: HashMap::default(),
            sources: Vec::new(),
            sources_by_name: HashMap::default(),
            config: config.clone(),
            owns_the_rest: config.sources.iter().any(|source| source.locations.is_empty() && counts(&source.measures)),
            started,
        };
        for source in &config.sources {
            places.source(&source.name);
            for location in &source.locations {
                places.place(location);
            }
        }
        places
    }

    pub fn find(&self, location: &LocationId) -> Option<u32> {
        self.by_id.get(location).copied()
    }

    pub fn place(&mut self, location: &LocationId) -> u32 {
        if let Some(&place) = self.by_id.get(location) {
            return place;
        }
        let place = u32::try_from(self.places.len()).expect("fewer locations than levels");
        let planes = Measure::ALL.map(|measure| {
            let owned = self.config.sources.iter().any(|source| {
                (source.locations.is_empty() || source.locations.contains(location))
                    && (source.measures.is_empty() || source.measures.contains(&measure))
            });
            PlaneState { owned, ..PlaneState::default() }
        });
        self.places.push(Place { id: location.clone(), planes });
        self.by_id.insert(location.clone(), place);
        place
    }

    pub fn source(&mut self, name: &SourceId) -> u16 {
        if let Some(&source) = self.sources_by_name.get(name) {
            return source;
        }
        // Where any source may push, the last number stands for all beyond it.
        let Some(source) = u16::try_from(self.sources.len()).ok() else { return u16::MAX };
        let configured = self.config.sources.iter().find(|source| source.name == *name);
        self.sources.push(SourceState {
            name: name.clone(),
            standing: Standing::default(),
            missed_before: 0,
            gap_grace: configured.map_or(Duration::from_secs(2), |source| source.gap_grace),
            silent_after: configured.and_then(|source| source.silent_after),
        });
        self.sources_by_name.insert(name.clone(), source);
        source
    }

    pub fn state(&mut self, name: &SourceId) -> &mut SourceState {
        let source = self.source(name);
        &mut self.sources[usize::from(source)]
    }
}
