//! What prices are asked with, by name or for a list.

use std::sync::Arc;

use super::{Reader, known_sku};
use crate::domain::Unit;
use crate::erp::connector::{AskedLine, Capabilities, Header, KnownFacts};
use crate::erp::dispatch::Ask;
use crate::offer::explain::Reasons;
use crate::offer::query::LineQuery;
use crate::offer::sharing::facts_of_list;

impl<R: Reasons> Reader<'_, R> {
    /// The header of questions that name the party.
    pub(in crate::offer) fn header_by_name(&mut self) -> Arc<Header> {
        let (asker, page) = (&self.asker, &self.page);
        let make = || {
            Arc::new(Header {
                customer: asker.customer.cloned(),
                for_list: None,
                company: asker.company.cloned(),
                ship_to: asker.ship_to.cloned(),
                contract: asker.contract.cloned(),
                currency: page.currency,
                price_date: page.price_date,
                facts: page.party.known_facts(),
            })
        };
        self.by_name.get_or_insert_with(make).clone()
    }

    /// The header of questions for everybody on the party's list, the same whoever of them asks.
    pub(super) fn header_for_list(&mut self) -> Arc<Header> {
        let (asker, page) = (&self.asker, &self.page);
        let Some(shared) = &self.shared else { return self.header_by_name() };
        let make = || {
            let facts = Arc::new(facts_of_list(shared.list, page.currency));
            Arc::new(Header {
                customer: None,
                for_list: Some(shared.list.clone()),
                company: asker.company.cloned(),
                ship_to: None,
                contract: None,
                currency: page.currency,
                price_date: page.price_date,
                facts: KnownFacts::given(facts, page.query.arrival),
            })
        };
        self.for_list.get_or_insert_with(make).clone()
    }
}

/// The question for one line's price, with whatever header.
pub(in crate::offer) fn price_ask(line: &LineQuery, header: Arc<Header>, capabilities: &Capabilities) -> Ask {
    let unit = line.unit.as_deref().filter(|_| capabilities.unit_matters);
    let asked = AskedLine {
        sku: known_sku(line),
        unit: unit.map(|unit| Unit::new(unit).expect("checked with the line")),
        quantity: (!capabilities.breaks).then_some(line.amount.0),
    };
    Ask::Price(header, asked)
}
