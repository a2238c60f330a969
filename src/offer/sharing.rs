//! Who shares a price with whom. Pure, and the only place that says so.
//!
//! Two things let customers on one list share a price: a question that named nobody, or an answer that names their list.
//! What the integrator declares permits it and causes nothing. A customer with prices of their own takes no part.

use crate::cache::key::BookScope;
use crate::domain::{
    CompanyId, ContractId, Currency, CustomerFacts, CustomerId, PriceListId, Scope, ShipToId, ToldScope,
};
use crate::erp::connector::{Capabilities, Header, SharesByList};
use crate::mutants::mutant;

/// Whom a question is for: what of a request, or of an ERP call's header, tells parties apart. Fields that do not matter to
/// the ERP are left out by [`Asker::new`].
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub customer: Option<&'a CustomerId>,
    pub company: Option<&'a CompanyId>,
    pub ship_to: Option<&'a ShipToId>,
    pub contract: Option<&'a ContractId>,
    pub facts: &'a CustomerFacts,
}

/// Where a price that was asked for belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// With the party it was asked for.
    Own,
    /// With the list.
    List,
    /// Nowhere: a question that named nobody was answered with somebody's own price.
    Conflict,
}

impl<'a> Asker<'a> {
    pub fn new(
        customer: Option<&'a CustomerId>,
        company: Option<&'a CompanyId>,
        ship_to: Option<&'a ShipToId>,
        contract: Option<&'a ContractId>,
        facts: &'a CustomerFacts,
        matters: &Capabilities,
    ) -> Self {
        Self {
            customer,
            company: company.filter(|_| matters.company_matters),
            ship_to: ship_to.filter(|_| matters.ship_to_matters),
            contract: contract.filter(|_| matters.contract_matters),
            facts,
        }
    }

    pub fn of_header(header: &'a Header, matters: &Capabilities) -> Self {
        let Header { customer, company, ship_to, contract, facts, .. } = header;
        let (company, ship_to, contract) = (company.as_ref(), ship_to.as_ref(), contract.as_ref());
        Self::new(customer.as_ref(), company, ship_to, contract, &facts.facts, matters)
    }

    /// The list whose prices this party may share. Nobody does who has prices of their own, or asks by what is theirs alone:
    /// an address, a contract.
    pub fn list(&self, shares: Option<SharesByList>) -> Option<&'a PriceListId> {
        shares?;
        self.customer?;
        if (self.facts.own_prices && !mutant!(ShareDespiteOwnPrices))
            || self.ship_to.is_some()
            || self.contract.is_some()
        {
            return None;
        }
        self.facts.price_list.as_ref()
    }

    /// What the key of the party's own book is made of. `price_date`: of the question.
    pub fn own_book(&self, currency: Currency, price_date: jiff::civil::Date, dated: bool) -> BookScope<'a> {
        let customer = self.customer.map(CustomerId::as_str);
        let scope = match (self.contract, customer) {
            (Some(contract), customer) => Scope::Contract { customer, contract: contract.as_str() },
            (None, Some(customer)) => Scope::Customer(customer),
            (None, None) => Scope::Public,
        };
        self.book(scope, self.ship_to, currency, price_date, dated)
    }

    /// The same for a list's book.
    pub fn list_book(
        &self,
        list: &'a PriceListId,
        currency: Currency,
        price_date: jiff::civil::Date,
        dated: bool,
    ) -> BookScope<'a> {
        self.book(Scope::PriceList(list.as_str()), None, currency, price_date, dated)
    }

    fn book(
        &self,
        scope: Scope<'a>,
        ship_to: Option<&'a ShipToId>,
        currency: Currency,
        price_date: jiff::civil::Date,
        dated: bool,
    ) -> BookScope<'a> {
        BookScope {
            scope,
            company: self.company.map(CompanyId::as_str),
            ship_to: ship_to.map(ShipToId::as_str),
            currency,
            // An ERP that prices for now alone is told no day: its answers age, and no day ends them.
            price_date: dated.then_some(price_date),
        }
    }
}

/// Where a price belongs that was asked with `header`, by what the ERP's line says.
pub fn filed(header: &Header, told: Option<&ToldScope>, matters: &Capabilities) -> Filed {
    if header.for_list.is_some() {
        return if told == Some(&ToldScope::Own) && !mutant!(ShareSomebodysOwn) {
            Filed::Conflict
        } else {
            Filed::List
        };
    }
    let list = Asker::of_header(header, matters).list(matters.shares_by_list);
    match (told, list) {
        (Some(ToldScope::PriceList(told)), Some(list)) if told == list || mutant!(ShareOtherList) => Filed::List,
        (Some(ToldScope::Own), Some(_)) if mutant!(ShareSomebodysOwn) => Filed::List,
        _ => Filed::Own,
    }
}

/// The facts of a question that is for a whole list: what its customers have in common, and nothing of any of them.
pub fn facts_of_list(list: &PriceListId, currency: Currency) -> CustomerFacts {
    CustomerFacts { currency: Some(currency), price_list: Some(list.clone()), ..CustomerFacts::default() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Reading;
    use crate::erp::connector::KnownFacts;

    fn capabilities(shares_by_list: Option<SharesByList>) -> Capabilities {
        Capabilities {
            ship_to_matters: true,
            contract_matters: true,
            shares_by_list,
            stock: false,
            ..Capabilities::plain()
        }
    }

    fn list(name: &str) -> PriceListId {
        PriceListId::new(name).unwrap()
    }

    fn facts(own_prices: bool) -> CustomerFacts {
        CustomerFacts { price_list: Some(list("L-01")), own_prices, ..CustomerFacts::default() }
    }

    fn header(customer: Option<&str>, for_list: Option<&str>, facts: CustomerFacts) -> Header {
        Header {
            customer: customer.map(|id| CustomerId::new(id).unwrap()),
            for_list: for_list.map(list),
            company: None,
            ship_to: None,
            contract: None,
            currency: "EUR".parse().unwrap(),
            price_date: jiff::civil::date(2026, 11, 22),
            facts: KnownFacts::given(Arc::new(facts), Reading::default()),
        }
    }

    #[test]
    fn an_answer_can_only_narrow_who_shares_a_price() {
        let of = |name| Some(ToldScope::PriceList(list(name)));
        let own = Some(ToldScope::Own);
        let by_list = header(None, Some("L-01"), facts(false));
        let by_name = header(Some("C-1"), None, facts(false));
        let special = header(Some("C-1"), None, facts(true));
        let public = header(None, None, facts(false));
        let at_address =
            Header { ship_to: Some(ShipToId::new("S1").unwrap()), ..header(Some("C-1"), None, facts(false)) };
        let by_contract =
            Header { contract: Some(ContractId::new("B").unwrap()), ..header(Some("C-1"), None, facts(false)) };
        for (header, told, expected) in [
            (&by_list, None, Filed::List),
            (&by_list, of("L-01"), Filed::List),
            (&by_list, own.clone(), Filed::Conflict),
            (&by_name, None, Filed::Own),
            (&by_name, of("L-01"), Filed::List),
            (&by_name, of("L-02"), Filed::Own),
            (&by_name, own.clone(), Filed::Own),
            (&special, of("L-01"), Filed::Own),
            (&public, of("L-01"), Filed::Own),
            (&at_address, of("L-01"), Filed::Own),
            (&by_contract, of("L-01"), Filed::Own),
        ] {
            for shares in [SharesByList::Question, SharesByList::Answer] {
                assert_eq!(filed(header, told.as_ref(), &capabilities(Some(shares))), expected, "{header:?} {told:?}");
            }
            if header.for_list.is_none() {
                assert_eq!(filed(header, told.as_ref(), &capabilities(None)), Filed::Own, "undeclared");
            }
        }
    }

    #[test]
    fn who_has_prices_of_their_own_takes_no_part() {
        let customer = CustomerId::new("C-1").unwrap();
        let matters = capabilities(Some(SharesByList::Answer));
        let (shared, special) = (facts(false), facts(true));
        let of = |customer, facts| Asker::new(customer, None, None, None, facts, &matters);
        assert_eq!(of(Some(&customer), &shared).list(matters.shares_by_list), shared.price_list.as_ref());
        assert_eq!(of(Some(&customer), &special).list(matters.shares_by_list), None);
        assert_eq!(of(None, &shared).list(matters.shares_by_list), None, "the public");
        assert_eq!(of(Some(&customer), &shared).list(None), None, "undeclared");
    }
}
