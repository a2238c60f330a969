//! What may be asked of the model ERP, and how the gateway writes it.

use std::sync::Arc;

use comptoir::clock::Reading;
use comptoir::domain::{Currency, CustomerId, Sku};
use comptoir::erp::connector::{AskedLine, Header, KnownFacts};
use comptoir::erp::dispatch::{Ask, StockAsk};

use crate::scenario::Kind;

/// One fact. Small and ordered, so that nothing is ever decided by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Customer(u8),
    /// Customer (0 is the public), SKU, quantity (0 where it does not matter).
    Price(u8, u8, u8),
    Stock(u8),
}

impl Key {
    pub fn kind(self) -> Kind {
        match self {
            Key::Customer(_) => Kind::Customers,
            Key::Price(..) => Kind::Prices,
            Key::Stock(_) => Kind::Stock,
        }
    }

    pub fn sku(self) -> Option<u8> {
        match self {
            Key::Customer(_) => None,
            Key::Price(_, sku, _) | Key::Stock(sku) => Some(sku),
        }
    }

    /// A number of its own.
    pub fn number(self) -> u64 {
        match self {
            Key::Customer(customer) => u64::from(customer),
            Key::Price(customer, sku, quantity) => {
                1_000_000 + u64::from(customer) * 10_000 + u64::from(sku) * 10 + u64::from(quantity)
            }
            Key::Stock(sku) => 2_000_000 + u64::from(sku),
        }
    }
}

pub fn sku_text(sku: u8) -> String {
    format!("S{sku}")
}

pub fn customer_text(customer: u8) -> String {
    format!("C{customer}")
}

pub fn list_text(list: u8) -> String {
    format!("L{list}")
}

pub fn contract_text(contract: u8) -> String {
    format!("B{contract}")
}

pub fn company_text(company: u8) -> String {
    format!("F{company}")
}

pub fn currency() -> Currency {
    "EUR".parse().expect("a currency")
}

/// The gateway's words for keys, made once a run.
pub struct Asks {
    headers: Vec<Arc<Header>>,
    skus: Vec<Sku>,
}

impl Asks {
    pub fn new(customers: u8, skus: u8) -> Self {
        let header = |customer: u8| {
            Arc::new(Header {
                customer: (customer > 0).then(|| customer_id(customer)),
                for_list: None,
                company: None,
                ship_to: None,
                contract: None,
                currency: currency(),
                price_date: jiff::civil::date(2026, 11, 21),
                facts: KnownFacts::given(Arc::default(), Reading::default()),
            })
        };
        Self {
            headers: (0..=customers).map(header).collect(),
            skus: (0..skus).map(|sku| Sku::new(&sku_text(sku)).expect("a SKU")).collect(),
        }
    }

    pub fn ask(&self, key: Key, asker: u8) -> Ask {
        let header = |customer: u8| self.headers[customer as usize].clone();
        match key {
            Key::Customer(customer) => Ask::Customer(Some(customer_id(customer))),
            Key::Price(customer, sku, quantity) => {
                let quantity = (quantity > 0).then(|| quantity.to_string().parse().expect("a quantity"));
                Ask::Price(header(customer), AskedLine { sku: self.skus[sku as usize].clone(), unit: None, quantity })
            }
            Key::Stock(sku) => Ask::Stock(StockAsk { sku: self.skus[sku as usize].clone(), header: header(asker) }),
        }
    }
}

pub fn customer_id(customer: u8) -> CustomerId {
    CustomerId::new(&customer_text(customer)).expect("a customer")
}

/// What an ask is about.
pub fn key_of(ask: &Ask) -> Key {
    match ask {
        Ask::Customer(customer) => Key::Customer(customer.as_ref().map_or(0, |id| number(id.as_str()))),
        Ask::Price(header, line) => {
            let customer = header.customer.as_ref().map_or(0, |id| number(id.as_str()));
            let quantity = line.quantity.map_or(0, |quantity| quantity.to_string().parse().expect("a small number"));
            Key::Price(customer, number(line.sku.as_str()), quantity)
        }
        Ask::Stock(stock) => Key::Stock(number(stock.sku.as_str())),
    }
}

fn number(text: &str) -> u8 {
    text[1..].parse().expect("a letter and a number")
}
