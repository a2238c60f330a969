//! What a snapshot states all of.

use std::collections::{BTreeSet, HashMap};

use crate::domain::LocationId;
use crate::domain::change::{Measure, RowKey};
use crate::mutants::mutant;
use crate::stock::judge::owners::Owners;
use crate::stock::judge::source::Source;
use crate::stock::request::{SnapshotError, SnapshotHead};

/// Measures, by location.
#[derive(Debug)]
pub(super) struct Scope(HashMap<LocationId, [bool; Measure::ALL.len()]>);

impl Scope {
    /// The given locations and measures; by default all that the source owns, of which it ever spoke or speaks now.
    pub fn of<'k>(
        head: &SnapshotHead,
        owners: &Owners,
        source: &Source,
        told: impl Iterator<Item = &'k RowKey> + Clone,
    ) -> Result<Self, SnapshotError> {
        let name = &head.source;
        let spoken = source.planes().map(|(location, measure, _)| (location, measure));
        let said: BTreeSet<(&LocationId, Measure)> =
            spoken.chain(told.clone().map(|key| (&key.location, key.measure))).collect();
        let locations: BTreeSet<&LocationId> = if !head.locations.is_empty() {
            head.locations.iter().collect()
        } else if !source.limits.locations.is_empty() {
            source.limits.locations.iter().collect()
        } else {
            said.iter().map(|(location, _)| *location).collect()
        };
        let mut scope = HashMap::new();
        for location in locations {
            let owns = |measure| owners.owns(name, location, measure);
            let says_available = said.contains(&(location, Measure::Available));
            let measures = Measure::ALL.map(|measure| match head.measures.is_empty() {
                false => head.measures.contains(&measure),
                // A net figure stands for others. Who never gave one does not say that all of them are zero.
                true => {
                    let is_given = measure != Measure::Available || says_available || mutant!(UngivenNetIsZero);
                    owns(measure) && (is_given || !owns(Measure::OnHand))
                }
            });
            let foreign = Measure::ALL.into_iter().zip(measures).find(|(measure, is_in)| *is_in && !owns(*measure));
            if let Some((measure, _)) = foreign {
                let what = format!("{} at {location}", measure.as_str()).into();
                return Err(SnapshotError::NotOwner { what });
            }
            if measures == [false; Measure::ALL.len()] && !head.locations.is_empty() {
                return Err(SnapshotError::NotOwner { what: format!("anything at {location}").into() });
            }
            scope.insert(location.clone(), measures);
        }
        Ok(Self(scope))
    }

    pub fn has(&self, key: &RowKey) -> bool {
        self.0.get(&key.location).is_some_and(|measures| measures[key.measure as usize - 1])
    }

    /// Nothing its source ever spoke of is outside.
    pub fn holds_all(&self, source: &Source) -> bool {
        source
            .planes()
            .all(|(location, measure, _)| self.0.get(location).is_some_and(|measures| measures[measure as usize - 1]))
    }

    /// The last number at which any of it was stated.
    pub fn stated(&self, source: &Source) -> Option<u64> {
        let within = source.planes().filter(|(location, measure, _)| {
            self.0.get(*location).is_some_and(|measures| measures[*measure as usize - 1])
        });
        within.filter_map(|(_, _, stated)| stated).max()
    }

    pub fn planes(&self) -> Vec<(LocationId, Measure)> {
        let mut planes: Vec<_> = self
            .0
            .iter()
            .flat_map(|(location, measures)| {
                let within = Measure::ALL.into_iter().zip(measures).filter(|(_, is_in)| **is_in);
                within.map(|(measure, _)| (location.clone(), measure))
            })
            .collect();
        planes.sort_unstable();
        planes
    }
}
