//! Who may speak of what.

use crate::domain::LocationId;
use crate::domain::change::Measure;
use crate::domain::ids::SourceId;
use crate::mutants::mutant;
use crate::stock::config::{SourceConfig, StockConfig};

/// What configured sources own.
#[derive(Debug)]
pub(super) struct Owners {
    sources: Vec<SourceConfig>,
    any_source: bool,
}

impl Owners {
    pub fn new(config: &StockConfig) -> Self {
        Self { sources: config.sources.clone(), any_source: config.any_source }
    }

    pub fn any_source(&self) -> bool {
        self.any_source
    }

    /// What is agreed with a source: where nothing is, the defaults.
    pub fn limits(&self, name: &SourceId) -> SourceConfig {
        self.declared(name).cloned().unwrap_or_else(|| SourceConfig::named(name.clone()))
    }

    fn declared(&self, name: &SourceId) -> Option<&SourceConfig> {
        self.sources.iter().find(|source| source.name == *name)
    }

    /// Whether the source may speak of this. Who names the location goes before who owns the rest, and who names the measure
    /// too before who owns all of them: a shop that owns PENDING in a warehouse leaves the rest of it to its owner.
    pub fn owns(&self, name: &SourceId, location: &LocationId, measure: Measure) -> bool {
        if mutant!(NotOwnerTaken) {
            return true;
        }
        let closest = self.sources.iter().filter_map(|source| closeness(source, location, measure)).max();
        match (self.declared(name), closest) {
            (Some(source), closest) => {
                let own = closeness(source, location, measure);
                own.is_some() && own == closest
            }
            (None, closest) => self.any_source && closest.is_none(),
        }
    }
}

/// `None`: it owns no such thing.
fn closeness(source: &SourceConfig, location: &LocationId, measure: Measure) -> Option<u8> {
    let named = |is_empty: bool, is_in: bool| match (is_empty, is_in) {
        (true, _) => Some(0),
        (false, true) => Some(1),
        (false, false) => None,
    };
    let location = named(source.locations.is_empty(), source.locations.contains(location))?;
    let measure = named(source.measures.is_empty(), source.measures.contains(&measure))?;
    Some(2 * location + measure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, locations: &[&str], measures: &[Measure]) -> SourceConfig {
        SourceConfig {
            locations: locations.iter().map(|text| LocationId::new(text).unwrap()).collect(),
            measures: measures.to_vec(),
            ..SourceConfig::named(SourceId::new(name).unwrap())
        }
    }

    #[test]
    fn the_closest_declaration_owns() {
        use Measure::{OnHand, Pending};
        let sources = vec![
            source("erp", &[], &[]),
            source("wms", &["PARIS"], &[]),
            source("shop", &["PARIS"], &[Pending]),
            source("orders", &[], &[Pending]),
        ];
        let owners =
            |any_source| Owners::new(&StockConfig { sources: sources.clone(), any_source, ..Default::default() });
        for (name, location, measure, owns) in [
            ("wms", "PARIS", OnHand, true),
            ("erp", "PARIS", OnHand, false),
            ("shop", "PARIS", OnHand, false),
            ("shop", "PARIS", Pending, true),
            ("wms", "PARIS", Pending, false),
            ("erp", "LYON", OnHand, true),
            ("wms", "LYON", OnHand, false),
            ("orders", "LYON", Pending, true),
            ("erp", "LYON", Pending, false),
            ("nobody", "LYON", OnHand, false),
        ] {
            let (name, location) = (SourceId::new(name).unwrap(), LocationId::new(location).unwrap());
            for any_source in [false, true] {
                assert_eq!(owners(any_source).owns(&name, &location, measure), owns, "{name} {location} {measure:?}");
            }
        }
    }

    #[test]
    fn anybody_may_speak_of_what_nobody_declared_where_that_is_allowed() {
        let name = SourceId::new("somebody").unwrap();
        let (paris, lyon) = (LocationId::new("PARIS").unwrap(), LocationId::new("LYON").unwrap());
        for any_source in [false, true] {
            let sources = vec![source("wms", &["PARIS"], &[])];
            let owners = Owners::new(&StockConfig { sources, any_source, ..Default::default() });
            assert!(!owners.owns(&name, &paris, Measure::OnHand));
            assert_eq!(owners.owns(&name, &lyon, Measure::OnHand), any_source);
        }
    }
}
