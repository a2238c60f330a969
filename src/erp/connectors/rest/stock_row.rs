//! From one row of an answer to the stock of one SKU, and several such rows of one SKU to one.

use std::collections::HashMap;

use super::condition::Conditions;
use super::config::{IncomingConfig, OutcomeConfig, RestConfigError, StockRowConfig};
use super::field::{Field, Scope};
use super::price_row::{Outcome, id, quantity};
use super::selector::{Row, Selector};
use super::template::Templates;
use crate::domain::{Incoming, LocationId, LocationLevel, Quantity, Stock, Unit};
use crate::erp::connector::{Said, StockRow};

/// Compiled fields of a stock row.
#[derive(Debug)]
pub struct StockFields {
    sku: Field,
    outcome: Outcome,
    untracked: Conditions,
    base_unit: Option<Field>,
    rows: Selector,
    location: Option<Field>,
    on_hand: Option<Field>,
    reserved: Option<Field>,
    available: Option<Field>,
    at_most_on_hand: bool,
    incoming_here: Option<IncomingFields>,
    incoming: Option<IncomingFields>,
}

#[derive(Debug)]
struct IncomingFields {
    rows: Selector,
    location: Option<Field>,
    quantity: Field,
    expected_on: Option<Field>,
}

impl StockFields {
    pub fn compile(key: &str, config: &StockRowConfig, templates: &mut Templates) -> Result<Self, RestConfigError> {
        let path = |name: &str| format!("{key}.{name}");
        let levels = &config.locations;
        if levels.on_hand.is_none() && levels.available.is_none() {
            return Err(RestConfigError::new(path("locations"), "says neither `on_hand` nor `available`"));
        }
        let mut optional =
            |name: &str, config: &Option<_>| Field::compile_optional(&path(name), config.as_ref(), templates);
        Ok(Self {
            base_unit: optional("base_unit", &config.base_unit)?,
            location: optional("locations.location", &levels.location)?,
            on_hand: optional("locations.on_hand", &levels.on_hand)?,
            reserved: optional("locations.reserved", &levels.reserved)?,
            available: optional("locations.available", &levels.available)?,
            sku: Field::compile(&path("sku"), &config.sku, templates)?,
            outcome: Outcome::compile(&path("outcome"), &config.outcome)?,
            untracked: Conditions::compile(&path("untracked"), &config.untracked)?,
            rows: Selector::compile(&path("locations.rows"), &levels.rows)?,
            at_most_on_hand: levels.available_is_on_hand_at_most,
            incoming_here: IncomingFields::compile(&path("locations.incoming"), levels.incoming.as_ref(), templates)?,
            incoming: IncomingFields::compile(&path("incoming"), config.incoming.as_ref(), templates)?,
        })
    }

    /// Where stock stands in the rows of prices, an SKU unknown there is unknown here.
    pub fn inherit(config: &StockRowConfig, prices: &OutcomeConfig) -> StockRowConfig {
        let mut config = config.clone();
        if let super::condition::ConditionsConfig::AnyOf(tests) = &config.outcome.unknown
            && tests.is_empty()
        {
            config.outcome.unknown = prices.unknown.clone();
        }
        config
    }

    /// Without a field for it, the location is the one the request was for.
    pub fn names_locations(&self) -> bool {
        self.location.is_some()
    }

    /// The lookups its fields read.
    pub fn lookups(&self) -> impl Iterator<Item = &String> {
        let own = [&self.base_unit, &self.location, &self.on_hand, &self.reserved, &self.available];
        let incoming = self
            .incoming
            .iter()
            .chain(&self.incoming_here)
            .flat_map(|more| more.location.iter().chain(&more.expected_on).chain([&more.quantity]));
        own.into_iter().flatten().chain([&self.sku]).chain(incoming).flat_map(Field::lookups)
    }

    /// `None`: not even the SKU can be read.
    pub fn read(&self, row: Row<'_>, scope: &Scope<'_>) -> Option<StockRow> {
        let sku = self.sku.text(row, scope).ok()??;
        let said = match self.outcome.of(row) {
            Some(said) => said,
            None if self.untracked.hold(row) => Said::Told(Stock::Untracked),
            None => self.read_levels(row, scope).map_or_else(Said::Failed, Said::Told),
        };
        Some(StockRow { sku: sku.into_owned(), said })
    }

    fn read_levels(&self, row: Row<'_>, scope: &Scope<'_>) -> Result<Stock, String> {
        let base_unit = id(&self.base_unit, row, scope, Unit::new)?;
        let rows = self.rows.list(row)?.ok_or("the row tells no stock")?;
        let mut locations: Vec<LocationLevel> = Vec::with_capacity(rows.clone().count());
        let mut incoming = Vec::new();
        for inner in rows {
            // A row that is itself the location has no outer row.
            let inner = if inner == row.here { row } else { row.inner(inner) };
            let location = match id(&self.location, inner, scope, LocationId::new)? {
                Some(location) => location,
                None => asked_location(scope)?,
            };
            let on_hand = quantity(&self.on_hand, inner, scope)?;
            let reserved = quantity(&self.reserved, inner, scope)?;
            let available = match (quantity(&self.available, inner, scope)?, on_hand) {
                (Some(available), Some(on_hand)) if self.at_most_on_hand => available.min(on_hand),
                (Some(available), _) => available,
                (None, Some(on_hand)) => {
                    on_hand.minus(reserved.unwrap_or(Quantity::ZERO)).ok_or("a level is too large")?.normalized()
                }
                (None, None) => return Err(format!("{location} has no figure")),
            };
            if let Some(more) = &self.incoming_here {
                more.read(inner, scope, Some(&location), &mut incoming)?;
            }
            add_level(&mut locations, LocationLevel { location, on_hand, reserved, available })?;
        }
        if let Some(more) = &self.incoming {
            more.read(row, scope, None, &mut incoming)?;
        }
        sort_incoming(&mut incoming);
        Ok(Stock::Levels { base_unit, locations, incoming })
    }
}

impl IncomingFields {
    fn compile(
        key: &str,
        config: Option<&IncomingConfig>,
        templates: &mut Templates,
    ) -> Result<Option<Self>, RestConfigError> {
        let Some(config) = config else { return Ok(None) };
        let path = |name: &str| format!("{key}.{name}");
        Ok(Some(Self {
            rows: Selector::compile(&path("rows"), &config.rows)?,
            location: Field::compile_optional(&path("location"), config.location.as_ref(), templates)?,
            quantity: Field::compile(&path("quantity"), &config.quantity, templates)?,
            expected_on: Field::compile_optional(&path("expected_on"), config.expected_on.as_ref(), templates)?,
        }))
    }

    fn read(
        &self,
        row: Row<'_>,
        scope: &Scope<'_>,
        at: Option<&LocationId>,
        into: &mut Vec<Incoming>,
    ) -> Result<(), String> {
        for inner in self.rows.list(row)?.into_iter().flatten() {
            let inner = row.inner(inner);
            let location = match (id(&self.location, inner, scope, LocationId::new)?, at) {
                (Some(location), _) => location,
                (None, Some(at)) => at.clone(),
                (None, None) => asked_location(scope)?,
            };
            let quantity = self.quantity.quantity(inner, scope)?.ok_or("what is expected has no quantity")?;
            let expected_on = self.expected_on.as_ref().map_or(Ok(None), |field| field.date(inner, scope))?;
            into.push(Incoming { location, quantity, expected_on });
        }
        Ok(())
    }
}

fn asked_location(scope: &Scope<'_>) -> Result<LocationId, String> {
    let code = scope.location.ok_or("a level does not say its location")?;
    LocationId::new(code).map_err(|why| format!("the location {code:?} {why}"))
}

fn add_level(levels: &mut Vec<LocationLevel>, level: LocationLevel) -> Result<(), String> {
    match levels.iter().find(|known| known.location == level.location) {
        None => levels.push(level),
        Some(known) if *known == level => {}
        Some(_) => return Err(format!("{} has two levels that contradict each other", level.location)),
    }
    Ok(())
}

fn sort_incoming(incoming: &mut [Incoming]) {
    incoming.sort_by_key(|one| (one.expected_on.is_none(), one.expected_on));
}

/// One row per SKU, in the order in which they first appear: rows that each know some locations are joined.
pub fn join(rows: Vec<StockRow>) -> Vec<StockRow> {
    let mut joined: Vec<StockRow> = Vec::with_capacity(rows.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    for row in rows {
        match places.get(&row.sku) {
            None => {
                places.insert(row.sku.clone(), joined.len());
                joined.push(row);
            }
            Some(&place) => {
                let earlier = std::mem::replace(&mut joined[place].said, Said::UnknownSku);
                joined[place].said = join_said(earlier, row.said);
            }
        }
    }
    joined
}

fn join_said(earlier: Said<Stock>, later: Said<Stock>) -> Said<Stock> {
    match (earlier, later) {
        (earlier, later) if earlier == later => earlier,
        (
            Said::Told(Stock::Levels { base_unit, mut locations, mut incoming }),
            Said::Told(Stock::Levels { base_unit: other_unit, locations: more, incoming: more_incoming }),
        ) if base_unit == other_unit => {
            let known: Vec<LocationId> = locations.iter().map(|level| level.location.clone()).collect();
            for level in more {
                if let Err(why) = add_level(&mut locations, level) {
                    return Said::Failed(why);
                }
            }
            // A location told twice told its expectations twice.
            incoming.extend(more_incoming.into_iter().filter(|one| !known.contains(&one.location)));
            sort_incoming(&mut incoming);
            Said::Told(Stock::Levels { base_unit, locations, incoming })
        }
        (Said::Failed(why), _) | (_, Said::Failed(why)) => Said::Failed(why),
        _ => Said::Failed("two rows of the answer contradict each other".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sku: &str, levels: &[(&str, &str)]) -> StockRow {
        let locations = levels
            .iter()
            .map(|(location, available)| LocationLevel {
                location: LocationId::new(location).unwrap(),
                on_hand: None,
                reserved: None,
                available: available.parse().unwrap(),
            })
            .collect();
        StockRow {
            sku: sku.into(),
            said: Said::Told(Stock::Levels { base_unit: None, locations, incoming: Vec::new() }),
        }
    }

    fn joined(rows: Vec<StockRow>) -> Vec<(String, Option<usize>)> {
        join(rows)
            .into_iter()
            .map(|row| match row.said {
                Said::Told(Stock::Levels { locations, .. }) => (row.sku, Some(locations.len())),
                _ => (row.sku, None),
            })
            .collect()
    }

    #[test]
    fn rows_of_one_sku_are_joined_unless_they_contradict_each_other() {
        assert_eq!(
            joined(vec![row("A", &[("N", "1")]), row("B", &[("N", "2")]), row("A", &[("S", "3")])]),
            [("A".into(), Some(2)), ("B".into(), Some(1))]
        );
        assert_eq!(joined(vec![row("A", &[("N", "1")]), row("A", &[("N", "1.0")])]), [("A".into(), Some(1))]);
        assert_eq!(joined(vec![row("A", &[("N", "1")]), row("A", &[("N", "2")])]), [("A".into(), None)]);
        let failed = StockRow { sku: "A".into(), said: Said::Failed("unreadable".into()) };
        assert_eq!(joined(vec![row("A", &[("N", "1")]), failed]), [("A".into(), None)]);
    }
}
