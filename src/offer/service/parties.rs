//! Who a page is for, before anything is looked up.

use super::*;

impl OfferService {
    /// Who the party is. What the ERP says of the customer is remembered, with patience of its own.
    pub(super) async fn resolve<R: Reasons>(
        self: &Arc<Self>,
        query: &OfferQuery,
        prices: Limits,
        until: Mono,
        reasons: R,
    ) -> Result<Resolved, OfferError> {
        let knowledge = &*self.knowledge;
        let capabilities = &knowledge.capabilities;
        let customer = query.customer.as_ref();
        if (customer.is_none() || !capabilities.resolves_customers)
            && let Some(public) = &capabilities.public
        {
            let known = KnownParty { facts: public.clone(), stamp: Stamp(u64::MAX), observed: query.arrival };
            reasons.keep(|steps| explain::facts(steps, customer, &prices, query.arrival, &Facts::Configured(&known)));
            return Ok(with_currency(query, Arc::new(known), false));
        }
        let needed = knowledge.epochs.needed_for_facts(customer.map(|id| id.as_str()));
        // Where prices are asked with the facts, a price is no newer than they are.
        let mut limits = {
            let mut own = self.config.customers;
            if capabilities.priced_by_facts {
                if prices.max_age < own.max_age {
                    own.stale_while_revalidate = Duration::ZERO;
                }
                own.max_age = own.max_age.min(prices.max_age);
            } else if capabilities.shares_by_list.is_some() {
                // A price that a list shares is no newer than the knowledge whose list it is, and each reader decides by
                // the older of both. So facts are asked again when the purpose's prices would be; a reader who wants
                // something younger than that is asked for by name.
                let policy = self.config.patience(query.purpose).price;
                if !policy.max_age.is_zero() {
                    own.max_age = own.max_age.min(policy.max_age);
                    own.stale_while_revalidate = own.stale_while_revalidate.min(policy.stale_while_revalidate);
                }
            }
            Limits::new(&own, None, query.stale_if_error.filter(|_| capabilities.priced_by_facts))
        };
        let moment = self.moment(query);
        let tell = |limits: &Limits, how: Facts<'_>| {
            reasons.keep(|steps| explain::facts(steps, customer, limits, query.arrival, &how));
        };
        let mut need = Need::Awaited;
        let mut invalidated = false;
        let mut fallback = None;
        let mut served = None;
        if let Some(known) = knowledge.parties.get(customer) {
            let held = Held { observed: known.observed, stamp: known.stamp, ends: None };
            let key = || spread(b"", customer.map_or("", |id| id.as_str()).as_bytes());
            let decision = limits.decide(&held, needed, &moment, key);
            tell(&limits, Facts::Held(&known, decision));
            reasons.keep(|steps| {
                let words = words_of_facts(customer.map(|id| id.as_str()));
                steps.push(explain::stamp("party", known.stamp, needed, &knowledge.epochs.by_word(words)));
            });
            match decision {
                Decision::Fresh => return Ok(with_currency(query, known, false)),
                Decision::FreshRide => {
                    need = Need::Rider;
                    served = Some(known);
                }
                Decision::FreshRefresh | Decision::ServeAndRefresh => {
                    need = Need::Refresh;
                    served = Some(known);
                }
                Decision::FetchOrServe => fallback = Some(known),
                Decision::Fetch(why) => invalidated = why == WhyGone::Invalidated,
            }
        } else {
            // Nothing is known, or a "no": that is believed no longer than the reader's prices may be old.
            limits.max_age = limits.max_age.min(prices.max_age);
            if self.remembered_unknown(query, needed, limits) {
                return Err(OfferError::CustomerUnknown);
            }
            tell(&limits, Facts::Missing);
        }
        let demand = limits.demand(query.arrival.mono, needed);
        let want = Want { ask: Ask::Customer(customer.cloned()), demand, need, with_price: false };
        let page = self.dispatcher.ask(page_ask(query, vec![want], false, until, reasons));
        reasons.keep(|steps| explain::flights(steps, page.watch(), &self.maintenance, query));
        if let Some(known) = served {
            return Ok(with_currency(query, known, false));
        }
        page.wait(&self.clock, query.deadline).await;
        reasons.keep(|steps| explain::calls(steps, page.watch(), self.clock.read()));
        // Memory is read only now.
        self.invalidator.come_due(self.clock.read());
        let reason = match page.take().pop() {
            Some((_, Outcome::Party(known))) => {
                tell(&limits, Facts::Asked(&known));
                return Ok(with_currency(query, known, true));
            }
            Some((_, Outcome::No(_))) => return Err(OfferError::CustomerUnknown),
            // Nothing else stands in the way of what is known.
            Some((_, Outcome::Failed(_))) if invalidated => "invalidated",
            Some((_, Outcome::Failed(reason))) => reason,
            _ => PENDING,
        };
        tell(&limits, Facts::Failed(reason, fallback.as_deref()));
        Ok(fallback.map_or(Resolved::Unavailable(reason), |known| with_currency(query, known, true)))
    }

    fn remembered_unknown(&self, query: &OfferQuery, needed: Needed, limits: Limits) -> bool {
        let Some(customer) = &query.customer else { return false };
        let mut key = Vec::new();
        no_key::customer(&mut key, customer.as_str());
        let max_age = self.config.no.unknown_customer.min(limits.max_age);
        self.knowledge
            .negatives
            .get(&key)
            .is_some_and(|no| no.stamp >= needed.fresh() && no.observed.mono >= query.arrival.mono.minus(max_age))
    }
}

fn with_currency(query: &OfferQuery, known: Arc<KnownParty>, waited: bool) -> Resolved {
    match query.currency.or(known.facts.currency) {
        Some(currency) => Resolved::Party(Party { known, currency, waited }),
        // Neither the caller nor the ERP says one, and none is invented.
        None => Resolved::Unavailable("currency_not_told"),
    }
}
