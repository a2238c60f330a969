//! Which rows of an answer are believed, for which asked line.
//!
//! Rows are matched by SKU (and by unit and quantity, where the answer says them), never by position. A doubled row that
//! says the same is one row; one that contradicts itself fails its line. A row in another currency than was asked fails its
//! line: nothing is ever converted. Foreign rows are counted and dropped. Pure.

use std::collections::HashMap;

use super::connector::{AbsentLine, AskedLine, PriceRow, Said, StockRow};
use crate::domain::{Currency, PricedLine, Sku, Stock};

/// The believed outcome of each asked line, in the order asked, and how many rows answered nothing.
#[derive(Debug)]
pub struct Matched<T> {
    pub lines: Vec<Said<T>>,
    pub foreign_rows: usize,
}

/// Sorts price rows to the lines they answer.
pub fn match_prices(
    asked: &[AskedLine],
    currency: Currency,
    rows: Vec<PriceRow>,
    absent: AbsentLine,
) -> Matched<PricedLine> {
    // A SKU may be asked in several units and quantities in one call.
    let mut by_sku: HashMap<&str, Vec<usize>> = HashMap::with_capacity(asked.len());
    for (index, line) in asked.iter().enumerate() {
        by_sku.entry(line.sku.as_str()).or_default().push(index);
    }
    let mut lines: Vec<Option<Said<PricedLine>>> = vec![None; asked.len()];
    let mut foreign_rows = 0;
    for row in rows {
        let candidates = by_sku.get(row.sku.as_str()).map_or(&[][..], Vec::as_slice);
        let said = check_price(row.said, currency);
        let is_answered = |line: &AskedLine| {
            let same_unit = match (&row.unit, &line.unit) {
                (Some(told), Some(asked)) => told == asked.as_str(),
                _ => true,
            };
            let same_quantity = match (row.quantity, line.quantity) {
                (Some(told), Some(asked)) => told == asked,
                _ => true,
            };
            // An answer that does not say what it is for is ambiguous where the SKU was asked more than once.
            let says_enough = candidates.len() == 1
                || ((row.unit.is_some() || line.unit.is_none()) && (row.quantity.is_some() || line.quantity.is_none()));
            same_unit && same_quantity && says_enough
        };
        let mut answered = candidates.iter().copied().filter(|&index| is_answered(&asked[index])).peekable();
        foreign_rows += usize::from(answered.peek().is_none());
        while let Some(index) = answered.next() {
            if answered.peek().is_none() {
                merge(&mut lines[index], said);
                break;
            }
            merge(&mut lines[index], said.clone());
        }
    }
    Matched { lines: lines.into_iter().map(|line| line.unwrap_or_else(|| when_absent(absent))).collect(), foreign_rows }
}

/// Sorts stock rows to the SKUs they answer.
pub fn match_stock(asked: &[Sku], rows: Vec<StockRow>, absent: AbsentLine) -> Matched<Stock> {
    let by_sku: HashMap<&str, usize> = asked.iter().enumerate().map(|(index, sku)| (sku.as_str(), index)).collect();
    let mut lines: Vec<Option<Said<Stock>>> = vec![None; asked.len()];
    let mut foreign_rows = 0;
    for row in rows {
        match by_sku.get(row.sku.as_str()) {
            Some(&index) => merge(&mut lines[index], row.said),
            None => foreign_rows += 1,
        }
    }
    let absent = match absent {
        // Having no price says nothing about stock.
        AbsentLine::OnRequest => AbsentLine::Failed,
        other => other,
    };
    Matched { lines: lines.into_iter().map(|line| line.unwrap_or_else(|| when_absent(absent))).collect(), foreign_rows }
}

fn check_price(said: Said<PricedLine>, currency: Currency) -> Said<PricedLine> {
    match said {
        Said::Told(line) if line.currency != currency => {
            Said::Failed(format!("priced in {} although {currency} was asked", line.currency))
        }
        other => other,
    }
}

fn merge<T: PartialEq>(slot: &mut Option<Said<T>>, said: Said<T>) {
    match slot {
        None => *slot = Some(said),
        Some(earlier) if *earlier == said => {}
        Some(earlier) => *earlier = Said::Failed("two rows of the answer contradict each other".into()),
    }
}

fn when_absent<T>(absent: AbsentLine) -> Said<T> {
    match absent {
        AbsentLine::UnknownSku => Said::UnknownSku,
        AbsentLine::OnRequest => Said::OnRequest("no_price"),
        AbsentLine::Failed => Said::Failed("the answer leaves this line out".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Quantity;

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    fn asked(sku: &str, quantity: Option<&str>) -> AskedLine {
        AskedLine { sku: Sku::new(sku).unwrap(), unit: None, quantity: quantity.map(|q| q.parse().unwrap()) }
    }

    fn row(sku: &str, quantity: Option<&str>, price: &str) -> PriceRow {
        PriceRow {
            sku: sku.into(),
            unit: None,
            quantity: quantity.map(|q| q.parse::<Quantity>().unwrap()),
            said: Said::Told(PricedLine::plain(eur(), price.parse().unwrap())),
        }
    }

    fn price(said: &Said<PricedLine>) -> Option<String> {
        match said {
            Said::Told(line) => Some(line.net_price.to_string()),
            _ => None,
        }
    }

    #[test]
    fn shuffled_rows_find_their_lines() {
        let matched = match_prices(
            &[asked("A", None), asked("B", None), asked("C", None)],
            eur(),
            vec![row("C", None, "3"), row("A", None, "1"), row("B", None, "2")],
            AbsentLine::Failed,
        );
        assert_eq!(
            matched.lines.iter().map(price).collect::<Vec<_>>(),
            [Some("1".into()), Some("2".into()), Some("3".into())]
        );
        assert_eq!(matched.foreign_rows, 0);
    }

    #[test]
    fn foreign_rows_are_dropped_and_counted() {
        let matched = match_prices(
            &[asked("A", None)],
            eur(),
            vec![row("Z", None, "9"), row("A", None, "1")],
            AbsentLine::Failed,
        );
        assert_eq!(price(&matched.lines[0]), Some("1".into()));
        assert_eq!(matched.foreign_rows, 1);
    }

    #[test]
    fn a_doubled_row_is_believed_only_if_it_agrees_with_itself() {
        let lines = [asked("A", None)];
        let same = match_prices(&lines, eur(), vec![row("A", None, "1"), row("A", None, "1.0")], AbsentLine::Failed);
        assert_eq!(price(&same.lines[0]), Some("1".into()));
        let other = match_prices(&lines, eur(), vec![row("A", None, "1"), row("A", None, "2")], AbsentLine::Failed);
        assert!(matches!(other.lines[0], Said::Failed(_)));
    }

    #[test]
    fn another_currency_fails_the_line_only() {
        let mut foreign = row("A", None, "1");
        foreign.said = Said::Told(PricedLine::plain("USD".parse().unwrap(), "1".parse().unwrap()));
        let matched = match_prices(
            &[asked("A", None), asked("B", None)],
            eur(),
            vec![foreign, row("B", None, "2")],
            AbsentLine::UnknownSku,
        );
        assert!(matches!(matched.lines[0], Said::Failed(_)));
        assert_eq!(price(&matched.lines[1]), Some("2".into()));
    }

    #[test]
    fn quantities_tell_rows_of_one_sku_apart() {
        let lines = [asked("A", Some("1")), asked("A", Some("10.0"))];
        let matched =
            match_prices(&lines, eur(), vec![row("A", Some("10"), "9"), row("A", Some("1"), "10")], AbsentLine::Failed);
        assert_eq!(matched.lines.iter().map(price).collect::<Vec<_>>(), [Some("10".into()), Some("9".into())]);
        // Rows that do not say their quantity could belong to either: neither is believed.
        let silent = match_prices(&lines, eur(), vec![row("A", None, "9")], AbsentLine::Failed);
        assert!(silent.lines.iter().all(|said| matches!(said, Said::Failed(_))));
        assert_eq!(silent.foreign_rows, 1);
    }

    #[test]
    fn what_an_absent_line_means_is_declared() {
        let lines = [asked("A", None)];
        let absent = |policy| match_prices(&lines, eur(), vec![], policy).lines.remove(0);
        assert_eq!(absent(AbsentLine::UnknownSku), Said::UnknownSku);
        assert_eq!(absent(AbsentLine::OnRequest), Said::OnRequest("no_price"));
        assert!(matches!(absent(AbsentLine::Failed), Said::Failed(_)));
    }
}
