//! Which policy a row was computed by.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::channel::config::{
    Allocation, Assortment, ChannelConfig, Direction, Fitness, LeadTime, PricePolicy, QuantityPolicy, Reserve, Rounding,
};
use crate::channel::page::PolicyHash;
use crate::domain::{Quantity, TaxBasis};
use crate::hash::Hash;

impl PolicyHash {
    /// Of everything in a channel's configuration that a row depends on. Equal over restarts and releases where the meaning is, however
    /// it is written: order, repetition and trailing zeros do not count, nor does what is at its default. Not of the name, the guard,
    /// what formats need, nor how long removed rows are remembered.
    pub fn of(config: &ChannelConfig) -> Self {
        let ChannelConfig {
            name: _,
            customer,
            locations,
            assortment,
            aliases,
            fitness,
            quantity,
            price,
            lead_time,
            settle,
            hold_after,
            zero_after,
            remove_after,
            tombstone_retention: _,
            guard: _,
            formats: _,
        } = config;
        let default = ChannelConfig::named("");
        let mut policy = Writer::default();
        policy.text_if("customer", customer.as_ref().map(|customer| customer.as_str()));
        policy.set("locations", locations.iter().map(|location| location.as_str()));
        self::assortment(&mut policy, assortment);
        let mut aliases: Vec<_> =
            aliases.iter().map(|alias| (alias.sku.as_str(), alias.channel_sku.as_str(), alias.pack)).collect();
        aliases.sort_unstable();
        for (sku, channel_sku, pack) in aliases {
            policy.text("alias", sku);
            policy.text("as", channel_sku);
            policy.decimal("pack", pack.get());
        }
        self::fitness(&mut policy, fitness);
        self::quantity(&mut policy, quantity);
        match price {
            Some(price) => self::price(&mut policy, price),
            None => policy.word("no price"),
        }
        let LeadTime { default_days, extra_days } = lead_time;
        policy.number_if("lead time default", default_days.map(u64::from));
        policy.number_if("lead time extra", Some(u64::from(*extra_days)).filter(|days| *days > 0));
        policy.duration("settle", *settle, default.settle);
        policy.duration("hold_after", *hold_after, default.hold_after);
        policy.duration_if("zero_after", *zero_after);
        policy.duration("remove_after", *remove_after, default.remove_after);
        Self(policy.0.get())
    }
}

fn assortment(policy: &mut Writer, assortment: &Assortment) {
    let Assortment { include, exclude, include_skus, exclude_skus } = assortment;
    policy.set("include", include.iter().map(String::as_str));
    policy.set("exclude", exclude.iter().map(String::as_str));
    policy.set("include skus", include_skus.iter().map(|sku| sku.as_str()));
    policy.set("exclude skus", exclude_skus.iter().map(|sku| sku.as_str()));
}

fn fitness(policy: &mut Writer, fitness: &Fitness) {
    let Fitness { length_max, forbidden } = fitness;
    policy.number_if("length max", length_max.map(|length| length as u64));
    let mut forbidden = forbidden.clone();
    forbidden.sort_unstable();
    forbidden.dedup();
    for character in forbidden {
        policy.number_if("forbidden", Some(u64::from(u32::from(character))));
    }
}

fn quantity(policy: &mut Writer, quantity: &QuantityPolicy) {
    let QuantityPolicy { reserve, allocation, cap, fulfilled_by_channel } = quantity;
    match reserve {
        Reserve::None => {}
        Reserve::SafetyStock(kept) => policy.decimal("safety stock", kept.get()),
        Reserve::Threshold(up_to) => policy.decimal("threshold", up_to.get()),
    }
    match allocation {
        Allocation::All => {}
        Allocation::Percent(percent) => policy.decimal("percent", *percent),
        Allocation::Fixed(most) => policy.decimal("fixed", most.get()),
    }
    policy.decimal_if("cap", cap.map(Quantity::get));
    if *fulfilled_by_channel {
        policy.word("fulfilled by channel");
    }
}

fn price(policy: &mut Writer, price: &PricePolicy) {
    let PricePolicy {
        currency,
        tax_basis,
        tax_rate,
        markup_percent,
        rounding,
        floor,
        change_min,
        refresh_after,
        zero_after,
    } = price;
    policy.text_if("currency", currency.as_ref().map(|currency| currency.as_str()));
    policy.text_if(
        "tax basis",
        tax_basis.map(|basis| match basis {
            TaxBasis::Net => "NET",
            TaxBasis::Gross => "GROSS",
        }),
    );
    policy.decimal_if("tax rate", tax_rate.map(Quantity::get));
    policy.decimal_if("markup", Some(*markup_percent).filter(|markup| !markup.is_zero()));
    let Rounding { step, direction, ending } = rounding;
    policy.decimal_if("step", Some(step.get()).filter(|step| *step != Rounding::default().step.get()));
    match direction {
        Direction::Nearest => {}
        Direction::Up => policy.word("up"),
        Direction::Down => policy.word("down"),
    }
    policy.decimal_if("ending", ending.map(|ending| ending.get()));
    policy.decimal_if("floor", floor.map(|floor| floor.get()));
    policy.decimal_if("change min", change_min.map(|least| least.get()));
    policy.duration("refresh_after", *refresh_after, PricePolicy::default().refresh_after);
    policy.duration_if("price zero_after", *zero_after);
}

/// Names with their values; what is not said is not written.
#[derive(Default)]
struct Writer(Hash);

impl Writer {
    fn word(&mut self, name: &str) {
        self.0.text(name.as_bytes());
    }

    fn text(&mut self, name: &str, text: &str) {
        self.word(name);
        self.0.text(text.as_bytes());
    }

    fn text_if(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn decimal(&mut self, name: &str, decimal: Decimal) {
        self.word(name);
        self.0.decimal(decimal);
    }

    fn decimal_if(&mut self, name: &str, decimal: Option<Decimal>) {
        if let Some(decimal) = decimal {
            self.decimal(name, decimal);
        }
    }

    fn number_if(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.word(name);
            self.0.word(number);
        }
    }

    fn duration(&mut self, name: &str, duration: Duration, default: Duration) {
        self.duration_if(name, Some(duration).filter(|duration| *duration != default));
    }

    fn duration_if(&mut self, name: &str, duration: Option<Duration>) {
        self.number_if(name, duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)));
    }

    /// Without order or repetition.
    fn set<'a>(&mut self, name: &str, texts: impl Iterator<Item = &'a str>) {
        let mut texts: Vec<&str> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        for text in texts {
            self.text(name, text);
        }
    }
}
