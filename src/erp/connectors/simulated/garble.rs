//! Makes a right answer wrong, in the ways real ERPs and their proxies do. Pure; which way is [`Garbage`].

use rust_decimal::Decimal;

use super::faults::Garbage;
use super::question::{CustomerRow, OfferRow, Rows, StockLine};
use crate::domain::{CustomerId, LocationLevel, Money, PricedLine, Quantity, Sku, Stock};

/// A row of any kind of answer, as far as garbage is concerned.
trait Row: Clone {
    /// The name it answers under.
    fn name(&self) -> &str;
    /// The same for somebody nobody asked about.
    fn renamed(self) -> Self;
    /// The same with another figure.
    fn contradicted(self) -> Self;
    /// The same without its price.
    fn without_price(self) -> Self;
}

/// Spoils the rows `garbage` concerns: those of `skus`, or all if there are none.
pub fn spoil(rows: &mut Rows, garbage: Garbage, skus: &[Sku]) {
    match rows {
        Rows::Offers { currency, rows } => {
            if garbage == Garbage::WrongCurrency {
                let other = if currency.as_str() == "EUR" { "USD" } else { "EUR" };
                *currency = other.parse().expect("a constant of this file");
                for line in rows.iter_mut().filter_map(|row| row.line.as_mut()) {
                    line.currency = *currency;
                }
            }
            spoil_rows(rows, garbage, skus);
        }
        Rows::Stock(rows) => spoil_rows(rows, garbage, skus),
        Rows::Customers(rows) => spoil_rows(rows, garbage, &[]),
    }
}

fn spoil_rows<R: Row>(rows: &mut Vec<R>, garbage: Garbage, skus: &[Sku]) {
    if garbage == Garbage::Shuffled {
        // Reversed and turned: no row of two or more stays in its place, except the middle of three and such.
        rows.reverse();
        let by = rows.len() / 3;
        rows.rotate_left(by);
        return;
    }
    let concerned = |row: &R| skus.is_empty() || skus.iter().any(|sku| sku.as_str() == row.name());
    let mut seen = 0_usize;
    *rows = std::mem::take(rows)
        .into_iter()
        .flat_map(|row| {
            if !concerned(&row) {
                return vec![row];
            }
            seen += 1;
            match garbage {
                Garbage::Duplicated => vec![row.clone(), row],
                Garbage::Contradictory => vec![row.clone(), row.contradicted()],
                Garbage::WrongSku => vec![row.renamed()],
                Garbage::NullPrice => vec![row.without_price()],
                Garbage::Missing if seen % 2 == 1 => vec![],
                _ => vec![row],
            }
        })
        .collect();
}

impl Row for OfferRow {
    fn name(&self) -> &str {
        &self.sku
    }

    fn renamed(self) -> Self {
        Self { sku: foreign(&self.sku), ..self }
    }

    fn contradicted(self) -> Self {
        Self { line: self.line.map(dearer), stock: self.stock.map(fuller), ..self }
    }

    fn without_price(self) -> Self {
        Self { price_is_null: self.line.is_some(), ..self }
    }
}

impl Row for StockLine {
    fn name(&self) -> &str {
        &self.sku
    }

    fn renamed(self) -> Self {
        Self { sku: foreign(&self.sku), ..self }
    }

    fn contradicted(self) -> Self {
        Self { stock: self.stock.map(fuller), ..self }
    }

    fn without_price(self) -> Self {
        self
    }
}

impl Row for CustomerRow {
    fn name(&self) -> &str {
        self.customer.as_ref().map_or("", CustomerId::as_str)
    }

    fn renamed(self) -> Self {
        let other = CustomerId::new(&foreign(self.name())).ok();
        Self { customer: other.or(self.customer), ..self }
    }

    fn contradicted(mut self) -> Self {
        if let Some(facts) = &mut self.facts {
            facts.blocked = !facts.blocked;
        }
        self
    }

    fn without_price(self) -> Self {
        self
    }
}

fn foreign(name: &str) -> String {
    format!("OTHER-{name}")
}

fn dearer(mut line: PricedLine) -> PricedLine {
    line.net_price = line.net_price.get().checked_add(Decimal::ONE).and_then(Money::new).unwrap_or(line.net_price);
    line
}

fn fuller(stock: Stock) -> Stock {
    let one_more = |quantity: Quantity| quantity.plus(Quantity::ONE).unwrap_or(quantity);
    match stock {
        Stock::Untracked => Stock::Untracked,
        Stock::Levels { base_unit, locations, incoming } => Stock::Levels {
            base_unit,
            locations: locations
                .into_iter()
                .map(|level| LocationLevel {
                    on_hand: level.on_hand.map(one_more),
                    available: one_more(level.available),
                    ..level
                })
                .collect(),
            incoming,
        },
    }
}
