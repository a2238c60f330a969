//! What the simulated ERP sells, to whom, for how much: a pure function of a seed.
//!
//! Nothing is stored per SKU or customer. The rules, for tests that want a case of a kind:
//!
//! - `SKU-000001` to `SKU-000100` are ordinary: sellable, tracked, base unit EA, priced per piece. Above them, by
//!   number modulo 50: 0 not for sale, 1 on request, 2 untracked, 3 sold by the metre, 4 sold in boxes; multiples of 10
//!   are priced by list only; multiples of 7 per 100; multiples of 9 out of stock. Odd numbers have price breaks,
//!   multiples of 3 a BOX of 12, multiples of 4 something incoming.
//! - With [`CatalogueConfig::list_priced`] every numbered SKU is priced by list only, as where prices are kept in lists.
//! - Customer `C-00097` and every 97th is blocked; every 13th has USD.
//! - In EUR, a customer's price in ten-thousandths, modulo 5,000, is the customer's number modulo 5,000 (list-only SKUs
//!   apart), so that a price that crossed customers is seen. Prices rise with the year of the price date.
//! - [`BOLT_8`] is the example of the wire contract, the same for everybody.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use crate::domain::{
    Currency, CustomerFacts, CustomerId, Factor, Incoming, LocationId, LocationLevel, Money, PriceBreak, PriceListId,
    PricedLine, Quantity, Sku, Stock, TaxBasis, Terms, ToldScope, Unit,
};

/// The SKU that answers as the contract's example does.
pub const BOLT_8: &str = "BOLT-8";
/// Where stock is held.
pub const LOCATIONS: [&str; 2] = ["PARIS", "LYON"];
/// What prices can be asked in.
pub const CURRENCIES: [&str; 2] = ["EUR", "USD"];
/// The last of the ordinary SKUs.
const ORDINARY_LAST: u32 = 100;
/// Half a euro in ten-thousandths: the room for a customer's own digits.
const OWN_DIGITS: u64 = 5_000;

/// How large the catalogue is, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueConfig {
    pub seed: u64,
    /// `SKU-000001` to this number. Default 100,000.
    pub skus: u32,
    /// `C-00001` to this number. Default 5,000.
    pub customers: u32,
    /// `L-01` to this number. Default 40; at least 1.
    pub price_lists: u32,
    /// Customers have the prices of their list and none of their own. Default false.
    pub list_priced: bool,
    /// Goods arrive 3 to 47 days after this day. A fixed default, so that one seed is one catalogue.
    pub first_day: Date,
}

impl Default for CatalogueConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            skus: 100_000,
            customers: 5_000,
            price_lists: 40,
            list_priced: false,
            first_day: date(2026, 11, 22),
        }
    }
}

/// What the catalogue says of the price of one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Priced {
    Told(Box<PricedLine>),
    Unknown,
    NotForSale,
    OnRequest,
}

#[derive(Clone, Debug)]
pub struct Catalogue {
    config: CatalogueConfig,
}

/// Who a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buyer {
    Public,
    /// By number.
    Customer(u32),
    /// Whoever buys from this list, by number.
    List(u32),
}

/// One SKU the catalogue knows.
#[derive(Clone, Copy)]
enum Article {
    Bolt8,
    Numbered(u32),
}

impl Catalogue {
    pub fn new(config: CatalogueConfig) -> Self {
        Self { config }
    }

    pub fn config(&self) -> &CatalogueConfig {
        &self.config
    }

    /// Prices for everybody who is nobody in particular.
    pub fn public() -> CustomerFacts {
        CustomerFacts { currency: Some(known("EUR")), ..CustomerFacts::default() }
    }

    /// What is known about a customer; absent for one this ERP does not have.
    pub fn customer(&self, customer: &CustomerId) -> Option<CustomerFacts> {
        let number = self.customer_number(customer)?;
        Some(CustomerFacts {
            currency: Some(known(if number.is_multiple_of(13) { "USD" } else { "EUR" })),
            price_list: Some(self.price_list(number)),
            own_prices: false,
            blocked: number.is_multiple_of(97),
            attributes: Default::default(),
        })
    }

    pub fn knows(&self, sku: &Sku) -> bool {
        self.article(sku).is_some()
    }

    /// The customer, or the public.
    pub fn buyer(&self, customer: Option<&CustomerId>) -> Buyer {
        customer.and_then(|customer| self.customer_number(customer)).map_or(Buyer::Public, Buyer::Customer)
    }

    /// Whoever buys from a list. `None`: there is no such list.
    pub fn buyer_from(&self, list: &PriceListId) -> Option<Buyer> {
        numbered("L-", 2, self.config.price_lists.max(1), list.as_str()).map(Buyer::List)
    }

    /// The price before overrides. The currency must be one of [`CURRENCIES`].
    pub fn price(&self, buyer: Buyer, currency: Currency, day: Date, sku: &Sku) -> Priced {
        let Some(article) = self.article(sku) else { return Priced::Unknown };
        match article {
            Article::Bolt8 => Priced::Told(Box::new(bolt_8(currency, day))),
            Article::Numbered(number) => match special(number) {
                Some(0) => Priced::NotForSale,
                Some(1) => Priced::OnRequest,
                _ => Priced::Told(Box::new(self.numbered(buyer, currency, day, number))),
            },
        }
    }

    /// The line of an on-request SKU as it would be with a price: for an override that gives it one.
    pub fn price_if_sold(&self, customer: Option<&CustomerId>, currency: Currency, day: Date, sku: &Sku) -> PricedLine {
        match self.article(sku) {
            Some(Article::Numbered(number)) => self.numbered(self.buyer(customer), currency, day, number),
            _ => bolt_8(currency, day),
        }
    }

    /// The stock before overrides; absent for an unknown SKU.
    pub fn stock(&self, sku: &Sku) -> Option<Stock> {
        let number = match self.article(sku)? {
            Article::Bolt8 => return Some(bolt_8_stock()),
            Article::Numbered(number) => number,
        };
        if special(number) == Some(2) {
            return Some(Stock::Untracked);
        }
        let by_the_metre = special(number) == Some(3);
        let scale = u32::from(by_the_metre);
        let locations = LOCATIONS
            .iter()
            .enumerate()
            .map(|(index, location)| {
                let dice = self.dice(&[4, u64::from(number), index as u64]);
                let on_hand = match number {
                    1..=ORDINARY_LAST => 50 + (dice % 450) as i64,
                    _ if number.is_multiple_of(9) => 0,
                    // Booked out before it was booked in: real ERPs tell negative stock.
                    _ if number.is_multiple_of(101) && index == 1 => -3,
                    _ => (dice % 500) as i64,
                };
                let reserved = (dice >> 32) as i64 % (on_hand.max(0) / 4 + 1);
                level(location, Decimal::new(on_hand, scale), Decimal::new(reserved, scale))
            })
            .collect();
        let dice = self.dice(&[5, u64::from(number)]);
        let incoming = number.is_multiple_of(4).then(|| Incoming {
            location: place("LYON"),
            quantity: quantity(Decimal::new(100 + (dice % 900) as i64, scale)),
            expected_on: self.config.first_day.checked_add((3 + (dice >> 32) as i64 % 45).days()).ok(),
        });
        Some(Stock::Levels { base_unit: Some(base_unit(number)), locations, incoming: incoming.into_iter().collect() })
    }

    fn numbered(&self, buyer: Buyer, currency: Currency, day: Date, number: u32) -> PricedLine {
        let list_price = self.list_price(number, day);
        let by_list = self.config.list_priced || (number > ORDINARY_LAST && number.is_multiple_of(10));
        let (list, own) = match buyer {
            Buyer::Public => (None, 0),
            Buyer::List(list) => (Some(list), 0),
            Buyer::Customer(customer) => {
                let own = if by_list { 0 } else { u64::from(customer) % OWN_DIGITS };
                (Some(self.list_number(customer)), own)
            }
        };
        let (net, scale) = match list {
            None => (list_price, 2),
            Some(list) => {
                // 5 % to 40 % off, different for every list and SKU.
                let off = 50 + self.dice(&[3, u64::from(list), u64::from(number)]) % 351;
                (to_half_euro(list_price * (1000 - off) / 1000), 4)
            }
        };
        let price = |value: u64| money(value, currency, scale);
        let breaks = if number.is_multiple_of(2) {
            Vec::new()
        } else {
            let ten = to_half_euro(net * 95 / 100).min(net - OWN_DIGITS);
            let hundred = to_half_euro(net * 90 / 100).min(ten - OWN_DIGITS);
            [("1", net), ("10", ten), ("100", hundred)]
                .map(|(min, value)| PriceBreak { min_quantity: known(min), net_price: price(value + own) })
                .to_vec()
        };
        let ordinary = number <= ORDINARY_LAST;
        let boxed = number.is_multiple_of(3) || special(number) == Some(4);
        PricedLine {
            list_price: Some(money(list_price, currency, 2)),
            base_quantity: known(if !ordinary && number.is_multiple_of(7) { "100" } else { "1" }),
            base_unit: Some(base_unit(number)),
            sales_unit: Some(if special(number) == Some(4) { unit("BOX") } else { base_unit(number) }),
            units: match special(number) {
                Some(3) => vec![(unit("ROLL"), known::<Factor>("25"))],
                _ if boxed => vec![(unit("BOX"), known("12"))],
                _ => Vec::new(),
            },
            breaks,
            tax_basis: Some(TaxBasis::Net),
            tax_rate: Some(known(if !ordinary && number.is_multiple_of(11) { "0.055" } else { "0.20" })),
            valid_from: number.is_multiple_of(5).then(|| day.first_of_year()),
            valid_until: number.is_multiple_of(5).then(|| day.last_of_year()),
            terms: Terms {
                min_order_quantity: (!ordinary && boxed).then(|| known("12")),
                order_multiple: (!ordinary && boxed).then(|| known("12")),
                backorder_allowed: Some(!number.is_multiple_of(6)),
                lead_time_days: Some(1 + (self.dice(&[6, u64::from(number)]) % 20) as u16),
            },
            // Asked for a list, this ERP names a price all the same where each customer has one of their own.
            scope: list.map(|list| if by_list { ToldScope::PriceList(list_id(list)) } else { ToldScope::Own }),
            ..PricedLine::plain(currency, price(net + own))
        }
    }

    /// Whole cents, in ten-thousandths: 10.00 to 499.99 in 2026, 2 % of that more every year.
    fn list_price(&self, number: u32, day: Date) -> u64 {
        let cents = 1_000 + self.dice(&[2, u64::from(number)]) % 49_000;
        let years = u64::try_from((day.year() - 2026).clamp(0, 50)).unwrap_or(0);
        cents * (100 + 2 * years) / 100 * 100
    }

    fn list_number(&self, customer: u32) -> u32 {
        let lists = u64::from(self.config.price_lists.max(1));
        1 + (self.dice(&[1, u64::from(customer)]) % lists) as u32
    }

    fn price_list(&self, customer: u32) -> PriceListId {
        list_id(self.list_number(customer))
    }

    fn customer_number(&self, customer: &CustomerId) -> Option<u32> {
        numbered("C-", 5, self.config.customers, customer.as_str())
    }

    fn article(&self, sku: &Sku) -> Option<Article> {
        if sku.as_str() == BOLT_8 {
            return Some(Article::Bolt8);
        }
        numbered("SKU-", 6, self.config.skus, sku.as_str()).map(Article::Numbered)
    }

    fn dice(&self, of: &[u64]) -> u64 {
        dice(self.config.seed, of)
    }
}

/// A well-mixed number that is always the same for the same words (SplitMix64's finaliser over each).
pub fn dice(seed: u64, of: &[u64]) -> u64 {
    of.iter().fold(seed, |state, word| {
        let mut z = (state ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The number in a name such as `SKU-000012`, if that is exactly how the catalogue writes it.
fn numbered(prefix: &str, digits: usize, last: u32, text: &str) -> Option<u32> {
    let tail = text.strip_prefix(prefix)?;
    let well_written = tail.len() == digits || (tail.len() > digits && !tail.starts_with('0'));
    if !well_written || !tail.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    tail.parse().ok().filter(|number| (1..=last).contains(number))
}

fn list_id(number: u32) -> PriceListId {
    PriceListId::new(&format!("L-{number:02}")).expect("a short name")
}

/// Which rule of the kind "number modulo 50" applies; none to ordinary SKUs.
fn special(number: u32) -> Option<u32> {
    (number > ORDINARY_LAST).then_some(number % 50)
}

fn base_unit(number: u32) -> Unit {
    unit(if special(number) == Some(3) { "M" } else { "EA" })
}

fn to_half_euro(value: u64) -> u64 {
    value / OWN_DIGITS * OWN_DIGITS
}

/// `value` is in ten-thousandths of a euro; a dollar is taken at 1.08 to the euro, always.
fn money(value: u64, currency: Currency, scale: u32) -> Money {
    let value = if currency.as_str() == "USD" { value * 108 / 100 } else { value };
    let value = if scale == 2 { value / 100 } else { value };
    Money::new(Decimal::new(value as i64, scale)).expect("small enough for the wire")
}

/// The example of the wire contract, whose validity is the year of the price date.
fn bolt_8(currency: Currency, day: Date) -> PricedLine {
    let price = |value| money(value, currency, 2);
    PricedLine {
        list_price: Some(price(260_000)),
        base_quantity: known("100"),
        base_unit: Some(unit("EA")),
        sales_unit: Some(unit("EA")),
        units: vec![(unit("BOX"), known("12"))],
        breaks: vec![
            PriceBreak { min_quantity: known("1"), net_price: price(234_000) },
            PriceBreak { min_quantity: known("100"), net_price: price(219_000) },
        ],
        tax_basis: Some(TaxBasis::Net),
        tax_rate: Some(known("0.20")),
        valid_from: Some(day.first_of_year()),
        valid_until: Some(day.last_of_year()),
        terms: Terms {
            min_order_quantity: Some(known("12")),
            order_multiple: Some(known("12")),
            backorder_allowed: Some(true),
            lead_time_days: Some(5),
        },
        ..PricedLine::plain(currency, price(234_000))
    }
}

fn bolt_8_stock() -> Stock {
    Stock::Levels {
        base_unit: Some(unit("EA")),
        locations: vec![level("PARIS", Decimal::from(500), Decimal::from(80))],
        incoming: vec![Incoming {
            location: place("PARIS"),
            quantity: known("1000"),
            expected_on: Some(date(2026, 12, 1)),
        }],
    }
}

fn level(location: &str, on_hand: Decimal, reserved: Decimal) -> LocationLevel {
    LocationLevel {
        location: place(location),
        on_hand: Some(quantity(on_hand)),
        reserved: Some(quantity(reserved)),
        available: quantity(on_hand - reserved),
    }
}

fn quantity(value: Decimal) -> Quantity {
    Quantity::new(value).expect("small enough for the wire")
}

fn place(name: &str) -> LocationId {
    LocationId::new(name).expect("a constant of this file")
}

fn unit(name: &str) -> Unit {
    Unit::new(name).expect("a constant of this file")
}

/// Reads a constant of this file.
fn known<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("the constant {text} is well written"))
}
