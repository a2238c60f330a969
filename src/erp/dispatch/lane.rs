//! How urgent a question is, and whose turn it is.
//!
//! The purpose of a request sets its [`Lane`]; a higher lane departs before a lower one. Within a lane it is the turn of one
//! [`Account`] after another, so that whoever asks much waits behind themselves and not in front of everybody else.

use crate::domain::{CustomerId, Purpose, VisitorId};

/// From the most urgent to the least: the order of the variants is the order of departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    Checkout,
    Cart,
    Detail,
    List,
    Feed,
    Warmup,
    Audit,
}

impl Lane {
    pub const COUNT: usize = 7;
    pub const ALL: [Lane; Lane::COUNT] =
        [Lane::Checkout, Lane::Cart, Lane::Detail, Lane::List, Lane::Feed, Lane::Warmup, Lane::Audit];

    /// The stable word for metrics and the operator.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Checkout => "CHECKOUT",
            Lane::Cart => "CART",
            Lane::Detail => "DETAIL",
            Lane::List => "LIST",
            Lane::Feed => "FEED",
            Lane::Warmup => "WARMUP",
            Lane::Audit => "AUDIT",
        }
    }

    /// Whether `self` departs before `other`.
    pub fn is_above(self, other: Lane) -> bool {
        self < other
    }

    /// Lanes under a ceiling: they never take all permits, nor the whole minute.
    pub fn has_ceiling(self) -> bool {
        self >= Lane::List
    }

    /// Whether a call of this lane takes along what others would like to know; the urgent ones stay small.
    pub fn takes_others_along(self) -> bool {
        self >= Lane::Detail
    }
}

impl From<Purpose> for Lane {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Checkout => Lane::Checkout,
            Purpose::Cart => Lane::Cart,
            Purpose::Detail => Lane::Detail,
            Purpose::List => Lane::List,
            Purpose::Feed => Lane::Feed,
            Purpose::Warmup => Lane::Warmup,
            Purpose::Audit => Lane::Audit,
        }
    }
}

/// Who is charged for a line: accounts of a lane take turns. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    Customer(CustomerId),
    /// One visitor among the public, where the shop tells them apart.
    Visitor(VisitorId),
    /// All the rest of the public.
    Public,
    /// What the gateway asks of its own accord.
    Gateway,
}

impl Account {
    /// A visitor counts for the public only: a customer is one account whoever sits at the screen.
    pub fn of(customer: Option<&CustomerId>, visitor: Option<&VisitorId>) -> Self {
        match (customer, visitor) {
            (Some(customer), _) => Account::Customer(customer.clone()),
            (None, Some(visitor)) => Account::Visitor(visitor.clone()),
            (None, None) => Account::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_listed_from_the_most_urgent_down() {
        assert!(Lane::ALL.is_sorted());
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane as usize, index);
        }
        for purpose in Purpose::ALL {
            assert_eq!(Lane::from(purpose).as_str(), purpose.as_str());
        }
    }
}
