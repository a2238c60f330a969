//! Rows of a snapshot as people and old systems write them: a first line with the columns' names, then a row a line.

use super::{At, Told};
use crate::api::request::scalar;
use crate::api::status::{Fault, Refusal};
use crate::domain::change::Measure;
use crate::human::csv;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Sku,
    Location,
    Measure,
    Row,
    Quantity,
    ExpectedOn,
    ExpiresAt,
}

/// The columns of a file, and what is between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    separator: char,
    columns: Vec<Column>,
}

impl Columns {
    /// Reads the first line.
    pub fn read(line: &[u8]) -> Result<Self, Refusal> {
        let line = csv::without_mark(line);
        let bad = |what: String| Refusal::at(Fault::MalformedCsv, "line 1", what);
        let text = std::str::from_utf8(line).map_err(|_| bad("is not UTF-8".into()))?;
        let separator = csv::separator(text);
        let names = csv::cells(text, separator).ok_or_else(|| bad("a quote is not closed".into()))?;
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let column = match &*name {
                "sku" => Column::Sku,
                "location" => Column::Location,
                "measure" => Column::Measure,
                "row" => Column::Row,
                "quantity" => Column::Quantity,
                "expectedOn" | "expected_on" => Column::ExpectedOn,
                "expiresAt" | "expires_at" => Column::ExpiresAt,
                _ => {
                    let shown: String = name.chars().take(64).collect();
                    return Err(Refusal::at(
                        Fault::UnknownField,
                        format!("line 1: {shown}"),
                        "there is no such column",
                    ));
                }
            };
            if columns.contains(&column) {
                return Err(Refusal::at(Fault::DuplicateKey, format!("line 1: {name}"), "is there twice"));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::Sku) || !columns.contains(&Column::Quantity) {
            return Err(bad("the columns sku and quantity are due".into()));
        }
        Ok(Self { separator, columns })
    }

    /// Reads one row.
    pub fn row<'a>(&self, line: &'a [u8], number: u64) -> Told<'a> {
        let mut told = Told::new(At::Line(number));
        let Ok(text) = std::str::from_utf8(line) else {
            told.wrong(Fault::MalformedCsv, "", "is not UTF-8");
            return told;
        };
        let Some(cells) = csv::cells(text, self.separator) else {
            told.wrong(Fault::MalformedCsv, "", "a quote is not closed, or something follows it");
            return told;
        };
        if cells.len() != self.columns.len() {
            let (here, due) = (cells.len(), self.columns.len());
            told.wrong(Fault::MalformedCsv, "", format_args!("it has {here} cells, and there are {due} columns"));
            return told;
        }
        for (column, cell) in self.columns.iter().zip(cells) {
            if cell.is_empty() {
                continue;
            }
            match column {
                Column::Sku => told.sku = Some(cell),
                Column::Location => told.location = Some(cell),
                Column::Row => told.row = Some(cell),
                Column::Quantity => told.quantity = Some(cell),
                Column::ExpectedOn => told.expected_on = Some(cell),
                Column::Measure => {
                    told.measure = Measure::named(&cell);
                    if told.measure.is_none() {
                        let shown: String = cell.chars().take(64).collect();
                        told.wrong(Fault::UnknownValue, "measure", format_args!("there is no value {shown:?}"));
                    }
                }
                Column::ExpiresAt => {
                    told.expires_at = scalar::instant(&cell).and_then(super::instant);
                    if told.expires_at.is_none() {
                        told.wrong(Fault::MalformedInstant, "expiresAt", "is not an instant with its offset");
                    }
                }
            }
        }
        told
    }
}
