//! A figure's stamp against the cells of the words that concern it.

use super::Step;
use crate::cache::epochs::{Needed, Word};
use crate::clock::Stamp;

/// `needed`: what it was decided by. `cells`: what each word asks for by itself.
pub fn stamp(of: &str, stamp: Stamp, needed: Needed, cells: &[(Word<'_>, Needed)]) -> Step {
    let below = |limit: fn(&Needed) -> Stamp| {
        let names: Vec<&str> =
            cells.iter().filter(|(_, cell)| stamp < limit(cell)).map(|(word, _)| name(word)).collect();
        names.join(", ")
    };
    let (gone, expired) = (below(|cell| cell.gone_below), below(|cell| cell.expired_below));
    let text = if stamp < needed.gone_below {
        format!("The {of} was asked before something was declared wrong that concerns it ({gone}).")
    } else if stamp < needed.expired_below {
        format!("The {of} was asked while something settled that concerns it ({expired}): it has expired.")
    } else {
        format!("The {of} was asked after everything that was ever declared wrong and concerns it.")
    };
    let mut step = Step::new("stamp", text).fact("of", of).fact("row", stamp.0);
    if stamp < needed.gone_below {
        step = step.fact("loses_to", gone);
    } else if stamp < needed.expired_below {
        step = step.fact("expired_by", expired);
    }
    for (word, cell) in cells {
        step = step.fact(name(word), cell.gone_below.0);
        if cell.expired_below > Stamp(0) {
            step = step.fact(format!("{}.expired", name(word)), cell.expired_below.0);
        }
    }
    step
}

/// The word's kind: what it names is in the key.
fn name(word: &Word<'_>) -> &'static str {
    match word {
        Word::All => "all",
        Word::Customer(_) => "customer",
        Word::PriceList(_) => "price_list",
        Word::Contract(_) => "contract",
        Word::Company(_) => "company",
        Word::Sku(_) => "sku",
        Word::CustomerSku(..) => "customer_sku",
        Word::PriceListSku(..) => "price_list_sku",
        Word::ContractSku(..) => "contract_sku",
    }
}
