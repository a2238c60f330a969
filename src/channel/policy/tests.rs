mod assortments;
mod changes;
mod hashes;
mod prices;
mod quantities;

use super::*;
use crate::channel::config::PricePolicy;
use crate::channel::fact::{LocationFact, Standing};
use crate::domain::{LocationId, Money, TaxBasis};
use crate::offer::explain::{Step, Trace, Unkept};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

fn key(name: &str) -> RowKey {
    RowKey { sku: sku(name), channel_sku: sku(name) }
}

/// A location with so much available, and nothing told of how.
fn available(signed: &str, standing: Standing) -> LocationFact {
    LocationFact {
        location: LocationId::new("PARIS").unwrap(),
        available: Some(q(signed)),
        on_hand: None,
        reserved: None,
        pending: Quantity::ZERO,
        standing,
    }
}

/// A net price of 10.00 EUR for one, told just now.
fn told() -> PriceFact {
    PriceFact::Told {
        net_price: money("10.00"),
        base_quantity: Quantity::ONE,
        currency: "EUR".parse().unwrap(),
        tax_basis: Some(TaxBasis::Net),
        tax_rate: None,
        lead_time_days: None,
        ends: None,
        observed_at: NOW,
    }
}

fn facts<'a>(locations: &'a [LocationFact], price: &'a PriceFact) -> Facts<'a> {
    Facts { locations, price, invalidated_at: None, is_unreachable: false }
}

/// The reasons as one text.
fn said(listing: &Listing) -> String {
    listing.reasons.iter().collect::<Vec<_>>().join(" ")
}

fn explained(policy: &Policy, pack: &str, facts: &Facts<'_>) -> (Listing, Vec<Step>) {
    let trace = Trace::default();
    let listing = policy.listing(Place::Sold(q(pack)), facts, NOW, &trace);
    assert_eq!(listing, policy.listing(Place::Sold(q(pack)), facts, NOW, Unkept), "what is explained is what happens");
    (listing, trace.into_steps())
}

fn policy(change: impl FnOnce(&mut ChannelConfig)) -> Policy {
    let mut config = ChannelConfig::named("shop");
    change(&mut config);
    Policy::new(config)
}

fn price_policy(change: impl FnOnce(&mut PricePolicy)) -> Policy {
    policy(|config| change(config.price.as_mut().unwrap()))
}
