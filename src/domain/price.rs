//! What an ERP says about the price of one SKU.

use jiff::civil::Date;

use super::{Currency, Factor, Money, PriceListId, Quantity, Unit};

/// Who shares a price. It is made from a request's own identity, so that no two parties can share by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope<'a> {
    /// Everybody who is nobody in particular.
    Public,
    /// All customers whose facts name this list.
    PriceList(&'a str),
    Customer(&'a str),
    /// A party under a framework agreement.
    Contract {
        customer: Option<&'a str>,
        contract: &'a str,
    },
}

/// Whose price a line of an answer is, as the ERP says. It can only narrow who shares the price: the key under which the
/// price was asked stands before the answer does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToldScope {
    /// Of everybody who buys from this list.
    PriceList(PriceListId),
    /// Of the party that was asked for, and of nobody else.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaxBasis {
    /// Without tax.
    Net,
    /// Tax included.
    Gross,
}

/// From `min_quantity` base units on, the whole quantity costs `net_price` per `base_quantity`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceBreak {
    pub min_quantity: Quantity,
    pub net_price: Money,
}

/// A part of, or an addition to, the net price, as the ERP named it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceComponent {
    pub kind: String,
    pub code: String,
    pub label: String,
    pub amount: Money,
    pub included: bool,
}

/// Under what terms the SKU is sold. Quantities in base units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Terms {
    pub min_order_quantity: Option<Quantity>,
    pub order_multiple: Option<Quantity>,
    pub backorder_allowed: Option<bool>,
    /// Calendar days.
    pub lead_time_days: Option<u16>,
}

/// The price of one SKU for one party, as the ERP told it. Every price is per `base_quantity` base units, every quantity in
/// `base_unit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    pub currency: Currency,
    pub list_price: Option<Money>,
    /// The price at the asked quantity; where there are breaks, the price below the first of them.
    pub net_price: Money,
    pub base_quantity: Quantity,
    pub base_unit: Option<Unit>,
    /// The unit a quantity without one is taken in. The base unit if absent.
    pub sales_unit: Option<Unit>,
    /// Every other unit the SKU may be asked in.
    pub units: Vec<(Unit, Factor)>,
    /// Ascending by `min_quantity`, without duplicates.
    pub breaks: Vec<PriceBreak>,
    pub tax_basis: Option<TaxBasis>,
    /// A share: 0.20 is 20 %.
    pub tax_rate: Option<Quantity>,
    pub components: Vec<PriceComponent>,
    /// The line's amount at the asked quantity, only where the ERP said it.
    pub net_amount: Option<Money>,
    pub valid_from: Option<Date>,
    /// The last day the price holds.
    pub valid_until: Option<Date>,
    pub terms: Terms,
    /// Whose price it is, where the ERP says so.
    pub scope: Option<ToldScope>,
}

impl PricedLine {
    /// A net price and nothing else known.
    pub fn plain(currency: Currency, net_price: Money) -> Self {
        Self {
            currency,
            list_price: None,
            net_price,
            base_quantity: Quantity::ONE,
            base_unit: None,
            sales_unit: None,
            units: Vec::new(),
            breaks: Vec::new(),
            tax_basis: None,
            tax_rate: None,
            components: Vec::new(),
            net_amount: None,
            valid_from: None,
            valid_until: None,
            terms: Terms::default(),
            scope: None,
        }
    }
}
