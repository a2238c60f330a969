//! The model ERP's rows: every figure says which key it is of and which version, so that one that reaches the wrong caller
//! is known for what it is.

use comptoir::domain::{CustomerFacts, CustomerId, LocationId, LocationLevel, PricedLine, Stock, Unit};
use comptoir::erp::connector::{PriceRow, Said, StockRow};

use crate::key::{Key, currency, customer_id, customer_text, sku_text};

/// A figure as the gateway received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    pub key: Key,
    pub version: u64,
    /// The told end of its validity. Milliseconds of the wall clock.
    pub ends: Option<i64>,
}

const VERSIONS: u64 = 10_000_000;

fn written(key: Key, version: u64) -> String {
    (version * VERSIONS + key.number()).to_string()
}

/// `(key number, version)` of a figure.
fn read(text: &str) -> (u64, u64) {
    let number: u64 = text.parse().expect("a whole number");
    (number % VERSIONS, number / VERSIONS)
}

pub fn price(key: Key, version: u64, ends: Option<i64>) -> PriceRow {
    let Key::Price(_, sku, quantity) = key else { unreachable!("a price row is of a price") };
    let mut line = PricedLine::plain(currency(), written(key, version).parse().expect("money"));
    // The instant travels in a text; how dates become instants is not what is tried here.
    line.base_unit = ends.map(|end| Unit::new(&format!("E{end}")).expect("a unit"));
    let quantity = (quantity > 0).then(|| quantity.to_string().parse().expect("a quantity"));
    PriceRow { sku: sku_text(sku), unit: None, quantity, said: Said::Told(line) }
}

/// The same row with another figure.
pub fn other_price(row: &PriceRow) -> PriceRow {
    let mut other = row.clone();
    if let Said::Told(line) = &mut other.said {
        line.net_price = "1".parse().expect("money");
    }
    other
}

pub fn stock(key: Key, version: u64) -> StockRow {
    let Key::Stock(sku) = key else { unreachable!("a stock row is of a stock") };
    let level = LocationLevel {
        location: LocationId::new("PARIS").expect("a location"),
        on_hand: None,
        reserved: None,
        available: written(key, version).parse().expect("a quantity"),
    };
    let stock = Stock::Levels { base_unit: None, locations: vec![level], incoming: Vec::new() };
    StockRow { sku: sku_text(sku), said: Said::Told(stock) }
}

pub fn facts(key: Key, version: u64) -> (Option<CustomerId>, Option<CustomerFacts>) {
    let Key::Customer(customer) = key else { unreachable!("facts are a customer's") };
    let mut facts = CustomerFacts::default();
    facts.attributes.insert("version".into(), written(key, version));
    (Some(customer_id(customer)), Some(facts))
}

/// What a believed price says, if it says it of this key.
pub fn price_figure(asked: Key, line: &PricedLine) -> Result<Figure, String> {
    let (number, version) = read(&line.net_price.to_string());
    let ends = line.base_unit.as_ref().map(|unit| unit.as_str()[1..].parse().expect("an instant"));
    figure(asked, number, version, ends)
}

pub fn stock_figure(asked: Key, stock: &Stock) -> Result<Figure, String> {
    let Stock::Levels { locations, .. } = stock else { return Err(format!("P8: {asked:?} got {stock:?}")) };
    let (number, version) = read(&locations[0].available.to_string());
    figure(asked, number, version, None)
}

pub fn facts_figure(asked: Key, facts: &CustomerFacts) -> Result<Figure, String> {
    let (number, version) = read(&facts.attributes["version"]);
    figure(asked, number, version, None)
}

fn figure(asked: Key, number: u64, version: u64, ends: Option<i64>) -> Result<Figure, String> {
    if number != asked.number() {
        return Err(format!("P8, P13: {asked:?} was answered with a figure of key {number}"));
    }
    Ok(Figure { key: asked, version, ends })
}

/// The customer of a row.
pub fn is_of(id: &Option<CustomerId>, customer: u8) -> bool {
    id.as_ref().is_some_and(|id| id.as_str() == customer_text(customer))
}
