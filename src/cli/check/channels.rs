//! What each channel of a configuration would do, in words.

use std::time::Duration;

use crate::channel::Policy;
use crate::channel::config::{Allocation, Assortment, ChannelConfig, Direction, PricePolicy, QuantityPolicy, Reserve};
use crate::domain::{LocationId, Sku, TaxBasis};
use crate::human::Seconds;
use crate::stock::StockConfig;

/// Names that are printed of a longer list.
const FIRST: usize = 10;

/// What is to be said of one channel.
pub struct Description {
    pub lines: Vec<String>,
    /// What cannot be meant so.
    pub faults: Vec<String>,
}

pub fn describe(config: &ChannelConfig, stock: Option<&StockConfig>) -> Description {
    let policy = Policy::new(config.clone());
    let mut lines = vec![
        format!("{}: policy {}", config.name, policy.hash()),
        format!("sells {}", assortment(config)),
        format!("quantity: {}", quantity(&config.quantity, &config.locations)),
        format!("price: {}", price(config)),
        format!("time: {}", times(config)),
    ];
    let mut unfit = policy.unfit_named();
    // A pattern without wildcards is a SKU, too.
    let plain = config.assortment.include.iter().filter(|pattern| !pattern.contains(['*', '?']));
    unfit.extend(plain.filter_map(|name| Sku::new(name).ok()).flat_map(|sku| policy.unfit(&sku)));
    let more = unfit.len().saturating_sub(FIRST);
    lines.extend(unfit.iter().take(FIRST).map(|unfit| format!("never sold: {unfit}")));
    if more > 0 {
        lines.push(format!("never sold: {more} more whose names the channel does not take"));
    }
    let nobodys = config.locations.iter().filter(|location| stock.is_some_and(|stock| !has_source(stock, location)));
    let faults = nobodys.map(|location| format!("no source of [stock] may speak of {location}")).collect();
    Description { lines, faults }
}

fn has_source(stock: &StockConfig, location: &LocationId) -> bool {
    stock.any_source
        || stock.sources.iter().any(|source| source.locations.is_empty() || source.locations.contains(location))
}

fn assortment(config: &ChannelConfig) -> String {
    let Assortment { include, exclude, include_skus, exclude_skus } = &config.assortment;
    let listed = |patterns: &[String], count: usize| {
        let mut parts: Vec<String> = patterns.iter().map(|pattern| format!("{pattern:?}")).collect();
        match count {
            0 => {}
            1 => parts.push("1 SKU by name".to_owned()),
            count => parts.push(format!("{count} SKUs by name")),
        }
        parts.join(", ")
    };
    let mut text = listed(include, include_skus.len());
    if text.is_empty() {
        text.push_str("everything");
    }
    let not = listed(exclude, exclude_skus.len());
    if !not.is_empty() {
        text.push_str(&format!(", but not {not}"));
    }
    match config.aliases.len() {
        0 => {}
        1 => text.push_str("; 1 alias"),
        count => text.push_str(&format!("; {count} aliases")),
    }
    text
}

fn quantity(policy: &QuantityPolicy, locations: &[LocationId]) -> String {
    if policy.fulfilled_by_channel {
        return "none, the channel ships from its own stock".to_owned();
    }
    let mut parts = match locations {
        [] => vec!["all locations".to_owned()],
        named => vec![named.iter().map(LocationId::as_str).collect::<Vec<_>>().join(" + ")],
    };
    parts.push("less reservations and orders not in the ERP".to_owned());
    match policy.reserve {
        Reserve::None => {}
        Reserve::SafetyStock(kept) => parts.push(format!("buffer {kept}")),
        Reserve::Threshold(up_to) => parts.push(format!("up to {up_to} counts as nothing")),
    }
    match policy.allocation {
        Allocation::All => {}
        Allocation::Percent(percent) => parts.push(format!("{percent} % of it")),
        Allocation::Fixed(most) => parts.push(format!("at most {most} of it")),
    }
    parts.push("whole packs".to_owned());
    if let Some(cap) = policy.cap {
        parts.push(format!("cap {cap}"));
    }
    parts.join(", ")
}

fn price(config: &ChannelConfig) -> String {
    let Some(policy) = &config.price else { return "none".to_owned() };
    let PricePolicy { currency, tax_basis, tax_rate, markup_percent, rounding, floor, change_min, .. } = policy;
    let mut parts = vec![match &config.customer {
        Some(customer) => format!("what customer {customer} pays"),
        None => "what the public pays".to_owned(),
    }];
    if let Some(currency) = currency {
        parts.push(format!("in {} only", currency.as_str()));
    }
    let basis = tax_basis.map(|basis| match basis {
        TaxBasis::Net => "without tax",
        TaxBasis::Gross => "with tax",
    });
    parts.extend(basis.map(str::to_owned));
    parts.extend(tax_rate.map(|rate| format!("at {rate} where the ERP says no rate")));
    if !markup_percent.is_zero() {
        parts.push(format!("markup {markup_percent} %"));
    }
    let rounded = match rounding.direction {
        Direction::Nearest => "rounded to",
        Direction::Up => "rounded up to",
        Direction::Down => "rounded down to",
    };
    parts.push(format!("{rounded} {}", rounding.step));
    parts.extend(rounding.ending.map(|ending| format!("ending in {ending}")));
    parts.extend(floor.map(|floor| format!("never below {floor}")));
    parts.extend(change_min.map(|least| format!("sent again when it moved by {least}")));
    parts.join(", ")
}

fn times(config: &ChannelConfig) -> String {
    let mut parts = Vec::new();
    if config.settle != Duration::ZERO {
        parts.push(format!("a rise is shown when it lasted {}", Seconds(config.settle)));
    }
    parts.push(format!("figures in doubt are held from {} on", Seconds(config.hold_after)));
    parts.push(match config.zero_after {
        Some(zero_after) => format!("and count nothing from {} on", Seconds(zero_after)),
        None => "and never dropped".to_owned(),
    });
    parts.push(format!("what leaves is removed after {}", Seconds(config.remove_after)));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SourceId;
    use crate::domain::{Money, Quantity};
    use crate::stock::SourceConfig;

    #[test]
    fn a_channel_in_words() {
        let quantity = |text: &str| text.parse::<Quantity>().unwrap();
        let mut config = ChannelConfig::named("market");
        let plain = describe(&config, None);
        assert_eq!(
            plain.lines[1..],
            [
                "sells everything",
                "quantity: all locations, less reservations and orders not in the ERP, whole packs",
                "price: what the public pays, rounded to 0.01",
                "time: figures in doubt are held from 300s on, and never dropped, what leaves is removed after 3600s",
            ]
        );
        config.locations = ["PARIS", "LYON"].map(|name| LocationId::new(name).unwrap()).to_vec();
        config.assortment.include = vec!["BOLT-*".to_owned(), "SO/SO".to_owned()];
        config.assortment.exclude = vec!["*-OLD".to_owned()];
        config.assortment.include_skus = (0..12).map(|n| Sku::new(&format!("A/{n}")).unwrap()).collect();
        config.fitness.forbidden = vec!['/'];
        config.quantity.reserve = Reserve::SafetyStock(quantity("2"));
        config.quantity.allocation = Allocation::Percent("50".parse().unwrap());
        config.quantity.cap = Some(quantity("5"));
        config.settle = Duration::from_secs(60);
        config.zero_after = Some(Duration::from_secs(7200));
        let price = config.price.as_mut().unwrap();
        price.tax_basis = Some(TaxBasis::Gross);
        price.tax_rate = Some(quantity("0.20"));
        price.rounding.ending = Some("0.90".parse::<Money>().unwrap());
        let source = |locations: &[&str]| SourceConfig {
            locations: locations.iter().map(|name| LocationId::new(name).unwrap()).collect(),
            ..SourceConfig::named(SourceId::new("wms").unwrap())
        };
        let stock = StockConfig { sources: vec![source(&["PARIS"])], ..StockConfig::default() };
        let told = describe(&config, Some(&stock));
        assert_eq!(
            told.lines[1..5],
            [
                "sells \"BOLT-*\", \"SO/SO\", 12 SKUs by name, but not \"*-OLD\"",
                "quantity: PARIS + LYON, less reservations and orders not in the ERP, buffer 2, 50 % of it, whole packs, cap 5",
                "price: what the public pays, with tax, at 0.20 where the ERP says no rate, rounded to 0.01, ending in 0.90",
                "time: a rise is shown when it lasted 60s, figures in doubt are held from 300s on, and count nothing from 7200s on, \
                 what leaves is removed after 3600s",
            ]
        );
        assert_eq!(told.lines[5], "never sold: A/0: contains '/', which is not taken");
        assert_eq!(told.lines[15..], ["never sold: 3 more whose names the channel does not take"]);
        assert_eq!(told.faults, ["no source of [stock] may speak of LYON"]);
        let anybody = StockConfig { any_source: true, ..stock };
        assert!(describe(&config, Some(&anybody)).faults.is_empty());
    }
}
