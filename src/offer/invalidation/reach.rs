//! From what is named to the words that are marked. Pure.
//!
//! Requests are told apart by few words, so a combination is marked by the narrowest one that covers it: reaching more than
//! was named costs a question to the ERP, reaching less would show a wrong price.

use super::{InvalidationError, Named};
use crate::cache::epochs::Word;
use crate::domain::Sku;
use crate::erp::connector::Capabilities;
use crate::mutants::mutant;

/// Pairs one invalidation marks; beyond, all articles of the customers (lists, contracts) are.
pub const PAIRS_MAX: usize = 100_000;

/// Which words cover what was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    axis: Axis,
    with_skus: bool,
    /// More is reached than was named.
    pub widened: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    All,
    Contracts,
    Customers,
    PriceLists,
    Company,
    /// SKUs alone.
    Skus,
}

impl Reach {
    /// Everything: for what is not understood any more.
    pub const ALL: Reach = Reach { axis: Axis::All, with_skus: false, widened: true };

    pub fn of(named: &Named, erp: &Capabilities) -> Result<Self, InvalidationError> {
        let given = |axis| match axis {
            Axis::All => named.all,
            Axis::Contracts => !named.contracts.is_empty(),
            Axis::Customers => !named.customers.is_empty(),
            Axis::PriceLists => !named.price_lists.is_empty(),
            Axis::Company => named.company.is_some(),
            Axis::Skus => !named.skus.is_empty(),
        };
        // A contract is mostly one customer's, a customer has one list, a company has them all.
        const NARROWEST_FIRST: [Axis; 5] =
            [Axis::Contracts, Axis::Customers, Axis::PriceLists, Axis::Skus, Axis::Company];
        let fields = NARROWEST_FIRST.into_iter().filter(|axis| given(*axis)).count();
        if named.all {
            let all = Self { axis: Axis::All, with_skus: false, widened: false };
            return if fields == 0 { Ok(all) } else { Err(InvalidationError::Contradictory) };
        }
        let named_axes = || NARROWEST_FIRST.into_iter().filter(|axis| given(*axis));
        let Some(axis) = named_axes().find(|axis| unresolvable(*axis, erp).is_none()) else {
            return Err(named_axes()
                .find_map(|axis| unresolvable(axis, erp))
                .unwrap_or(InvalidationError::NothingNamed));
        };
        let pairs = match axis {
            Axis::Contracts => named.contracts.len() * named.skus.len(),
            Axis::Customers => named.customers.len() * named.skus.len(),
            Axis::PriceLists => named.price_lists.len() * named.skus.len(),
            Axis::All | Axis::Company | Axis::Skus => 0,
        };
        let with_skus = (1..=PAIRS_MAX).contains(&pairs);
        let covered = 1 + usize::from(with_skus);
        Ok(Self { axis, with_skus, widened: covered < fields })
    }

    /// How many things are marked.
    pub fn count(&self, named: &Named) -> usize {
        let things = match self.axis {
            Axis::All | Axis::Company => 1,
            Axis::Contracts => named.contracts.len(),
            Axis::Customers => named.customers.len(),
            Axis::PriceLists => named.price_lists.len(),
            Axis::Skus => named.skus.len(),
        };
        if self.with_skus { things * named.skus.len() } else { things }
    }

    /// The words to mark.
    pub fn words<'a>(&self, named: &'a Named) -> Box<dyn Iterator<Item = Word<'a>> + 'a> {
        let skus: &[Sku] = if self.with_skus { &named.skus } else { &[] };
        match self.axis {
            Axis::All => Box::new(std::iter::once(Word::All)),
            Axis::Contracts => {
                words(named.contracts.iter().map(|id| id.as_str()), skus, Word::Contract, Word::ContractSku)
            }
            Axis::Customers => {
                words(named.customers.iter().map(|id| id.as_str()), skus, Word::Customer, Word::CustomerSku)
            }
            Axis::PriceLists => {
                words(named.price_lists.iter().map(|id| id.as_str()), skus, Word::PriceList, Word::PriceListSku)
            }
            // Who names no company is answered for the default one, which may be this.
            Axis::Company => {
                let company = named.company.as_ref().map(|id| id.as_str());
                let default = if mutant!(WidenToTooLittle) { company } else { None };
                Box::new([company, default].map(Word::Company).into_iter())
            }
            Axis::Skus => Box::new(named.skus.iter().map(|sku| Word::Sku(sku.as_str()))),
        }
    }
}

fn words<'a>(
    things: impl Iterator<Item = &'a str> + 'a,
    skus: &'a [Sku],
    alone: fn(&'a str) -> Word<'a>,
    pair: fn(&'a str, &'a str) -> Word<'a>,
) -> Box<dyn Iterator<Item = Word<'a>> + 'a> {
    if skus.is_empty() {
        return Box::new(things.map(alone));
    }
    Box::new(things.flat_map(move |thing| skus.iter().map(move |sku| pair(thing, sku.as_str()))))
}

/// Why nothing that is remembered could be found by it.
fn unresolvable(axis: Axis, erp: &Capabilities) -> Option<InvalidationError> {
    let (field, why) = match axis {
        Axis::Contracts if !erp.contract_matters => ("contracts", "this ERP's prices do not depend on the contract"),
        Axis::PriceLists if !erp.tells_price_lists => ("priceLists", "this ERP does not tell who buys by which list"),
        Axis::Company if !erp.company_matters => ("company", "this ERP's prices do not depend on the company"),
        _ => return None,
    };
    Some(InvalidationError::NotResolvable { field, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CompanyId, ContractId, CustomerId, PriceListId};

    fn erp(company: bool, contract: bool, lists: bool) -> Capabilities {
        let plain = Capabilities::plain();
        Capabilities { company_matters: company, contract_matters: contract, tells_price_lists: lists, ..plain }
    }

    fn named(company: &str, customers: &[&str], lists: &[&str], contracts: &[&str], skus: &[&str]) -> Named {
        Named {
            all: false,
            company: (!company.is_empty()).then(|| CompanyId::new(company).unwrap()),
            customers: customers.iter().map(|id| CustomerId::new(id).unwrap()).collect(),
            price_lists: lists.iter().map(|id| PriceListId::new(id).unwrap()).collect(),
            contracts: contracts.iter().map(|id| ContractId::new(id).unwrap()).collect(),
            skus: skus.iter().map(|id| Sku::new(id).unwrap()).collect(),
        }
    }

    #[test]
    fn the_narrowest_word_that_covers_it() {
        let all = Named { all: true, ..Named::default() };
        let cases: [(Named, &[Word], bool); 13] = [
            (all, &[Word::All], false),
            (named("", &["C", "D"], &[], &[], &[]), &[Word::Customer("C"), Word::Customer("D")], false),
            (named("", &[], &["L"], &[], &[]), &[Word::PriceList("L")], false),
            (named("", &[], &[], &["K"], &[]), &[Word::Contract("K")], false),
            (named("F", &[], &[], &[], &[]), &[Word::Company(Some("F")), Word::Company(None)], false),
            (named("", &[], &[], &[], &["S"]), &[Word::Sku("S")], false),
            (
                named("", &["C"], &[], &[], &["S", "T"]),
                &[Word::CustomerSku("C", "S"), Word::CustomerSku("C", "T")],
                false,
            ),
            (named("", &[], &["L"], &[], &["S"]), &[Word::PriceListSku("L", "S")], false),
            (named("", &[], &[], &["K"], &["S"]), &[Word::ContractSku("K", "S")], false),
            (named("", &["C"], &["L"], &[], &[]), &[Word::Customer("C")], true),
            (named("F", &["C"], &[], &[], &[]), &[Word::Customer("C")], true),
            (named("F", &[], &[], &[], &["S"]), &[Word::Sku("S")], true),
            (named("F", &["C"], &["L"], &["K"], &["S"]), &[Word::ContractSku("K", "S")], true),
        ];
        for (named, words, widened) in cases {
            let reach = Reach::of(&named, &erp(true, true, true)).unwrap();
            assert_eq!(reach.words(&named).collect::<Vec<_>>(), words, "{named:?}");
            assert_eq!(reach.widened, widened, "{named:?}");
            let counted = words.iter().filter(|word| **word != Word::Company(None)).count();
            assert_eq!(reach.count(&named), counted, "{named:?}");
        }
    }

    #[test]
    fn too_many_pairs_are_the_customers_alone() {
        let ids: Vec<String> = (0..400).map(|n| format!("X{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let few = named("", &ids[..250], &[], &[], &ids);
        let reach = Reach::of(&few, &erp(true, true, true)).unwrap();
        assert_eq!((reach.count(&few), reach.widened), (PAIRS_MAX, false));
        let many = named("", &ids[..251], &[], &[], &ids);
        let reach = Reach::of(&many, &erp(true, true, true)).unwrap();
        assert_eq!((reach.count(&many), reach.widened), (251, true));
        assert_eq!(reach.words(&many).next(), Some(Word::Customer("X0")));
    }

    #[test]
    fn what_cannot_be_told_apart_is_widened_or_refused_never_ignored() {
        let field = |named: Named| match Reach::of(&named, &erp(false, false, false)) {
            Err(InvalidationError::NotResolvable { field, .. }) => Err(field),
            other => Ok(other.unwrap().words(&named).map(|word| format!("{word:?}")).collect::<Vec<_>>()),
        };
        assert_eq!(field(named("F", &[], &[], &[], &[])), Err("company"));
        assert_eq!(field(named("", &[], &["L"], &[], &[])), Err("priceLists"));
        assert_eq!(field(named("F", &[], &[], &["K"], &[])), Err("contracts"));
        assert_eq!(field(named("F", &["C"], &[], &[], &[])), Ok(vec!["Customer(\"C\")".to_owned()]));
        assert_eq!(field(named("", &[], &["L"], &[], &["S"])), Ok(vec!["Sku(\"S\")".to_owned()]));
    }

    #[test]
    fn nothing_and_everything_have_to_be_said() {
        let of = |named: &Named| Reach::of(named, &erp(true, true, true));
        assert_eq!(of(&Named::default()), Err(InvalidationError::NothingNamed));
        let both = Named { all: true, ..named("", &["C"], &[], &[], &[]) };
        assert_eq!(of(&both), Err(InvalidationError::Contradictory));
    }
}
