//! Who keeps prices of their own, asked earlier, and has to hear when they are declared wrong.

use std::collections::HashSet;

use futures_util::future::BoxFuture;

use super::{Named, Reach};
use crate::cache::epochs::Word;
use crate::domain::{CustomerId, PriceListId, Sku};
use crate::mutants::mutant;
use crate::offer::landing::Knowledge;

/// Told of each invalidation when it takes effect: whatever is asked from then on is newer. At once after its marks were
/// made; also of the end of settling, when what was asked meanwhile is to be asked again.
pub trait Listener: Send + Sync {
    /// Completes when it is kept. Until then whoever declared the prices wrong waits; if it cannot be kept, they are told
    /// so, and say it again.
    fn hear(&self, wrong: &Wrong<'_>) -> BoxFuture<'static, Result<(), NotKept>>;
}

/// It may be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(pub String);

/// What was declared wrong.
#[derive(Clone, Copy)]
pub struct Wrong<'a> {
    pub(super) named: &'a Named,
    pub(super) reach: Reach,
    pub(super) knowledge: &'a Knowledge,
}

/// Which of one party's prices are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Nothing,
    /// Each once.
    Skus(Vec<Sku>),
    All,
}

/// The list a party buys by, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum List {
    /// It may be any.
    Unknown,
    Known(Option<PriceListId>),
}

impl Wrong<'_> {
    /// For somebody who asks as this customer (or as the public), and names neither company nor contract: what their
    /// requests are reached by, they are told of. Where it is not known by which list they buy, it may be the one that was
    /// named.
    pub fn touches(&self, customer: Option<&CustomerId>) -> Touched {
        let capabilities = &self.knowledge.capabilities;
        let configured =
            capabilities.public.as_ref().filter(|_| customer.is_none() || !capabilities.resolves_customers);
        let list = match configured {
            Some(facts) => List::Known(facts.price_list.clone()),
            None => match self.knowledge.parties.get(customer) {
                Some(known) => List::Known(known.facts.price_list.clone()),
                None => List::Unknown,
            },
        };
        touched(self.reach.words(self.named), customer, &list)
    }
}

fn touched<'a>(words: impl Iterator<Item = Word<'a>>, customer: Option<&CustomerId>, list: &List) -> Touched {
    let is_customer = |id: &str| customer.is_some_and(|customer| customer.as_str() == id);
    let may_be_list = |id: &str| match list {
        List::Unknown => !mutant!(UnknownListSpared),
        List::Known(list) => list.as_ref().is_some_and(|list| list.as_str() == id),
    };
    let mut skus = HashSet::new();
    for word in words {
        let sku = match word {
            // Who names no company may be answered for this one.
            Word::All | Word::Company(_) => return Touched::All,
            Word::Customer(id) if is_customer(id) => return Touched::All,
            Word::PriceList(id) if may_be_list(id) => return Touched::All,
            Word::Sku(sku) => sku,
            Word::CustomerSku(id, sku) if is_customer(id) => sku,
            Word::PriceListSku(id, sku) if may_be_list(id) => sku,
            Word::Customer(_) | Word::PriceList(_) | Word::CustomerSku(..) | Word::PriceListSku(..) => continue,
            Word::Contract(_) | Word::ContractSku(..) => continue,
        };
        skus.insert(sku);
    }
    if skus.is_empty() {
        return Touched::Nothing;
    }
    let mut skus: Vec<Sku> = skus.into_iter().filter_map(|sku| Sku::new(sku).ok()).collect();
    skus.sort();
    Touched::Skus(skus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skus(names: &[&str]) -> Touched {
        Touched::Skus(names.iter().map(|sku| Sku::new(sku).unwrap()).collect())
    }

    #[test]
    fn a_party_hears_of_what_its_own_requests_are_reached_by() {
        let customer = CustomerId::new("C").unwrap();
        let known = List::Known(Some(PriceListId::new("L").unwrap()));
        let none = List::Known(None);
        for (words, list, for_customer, for_public) in [
            (vec![Word::All], &known, Touched::All, Touched::All),
            (vec![Word::Company(Some("F")), Word::Company(None)], &known, Touched::All, Touched::All),
            (vec![Word::Customer("D"), Word::Customer("C")], &known, Touched::All, Touched::Nothing),
            (vec![Word::Customer("D")], &known, Touched::Nothing, Touched::Nothing),
            (vec![Word::CustomerSku("D", "S"), Word::CustomerSku("C", "T")], &known, skus(&["T"]), Touched::Nothing),
            (vec![Word::PriceList("L")], &known, Touched::All, Touched::All),
            (vec![Word::PriceList("M")], &known, Touched::Nothing, Touched::Nothing),
            (vec![Word::PriceList("L")], &none, Touched::Nothing, Touched::Nothing),
            (vec![Word::PriceList("M")], &List::Unknown, Touched::All, Touched::All),
            (vec![Word::PriceListSku("L", "S"), Word::PriceListSku("M", "T")], &known, skus(&["S"]), skus(&["S"])),
            (vec![Word::PriceListSku("M", "T")], &List::Unknown, skus(&["T"]), skus(&["T"])),
            (vec![Word::Sku("T"), Word::Sku("S"), Word::Sku("T")], &none, skus(&["S", "T"]), skus(&["S", "T"])),
            (vec![Word::Contract("K"), Word::ContractSku("K", "S")], &known, Touched::Nothing, Touched::Nothing),
        ] {
            assert_eq!(touched(words.iter().copied(), Some(&customer), list), for_customer, "{words:?}");
            assert_eq!(touched(words.iter().copied(), None, list), for_public, "{words:?}");
        }
    }
}
