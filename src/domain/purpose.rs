//! What an answer is for. It sets how old the answer may be and how urgently the ERP is asked.

use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    List,
    #[default]
    Detail,
    Cart,
    Checkout,
    Feed,
    Warmup,
    Audit,
}

impl Purpose {
    pub const ALL: [Purpose; 7] = [
        Purpose::List,
        Purpose::Detail,
        Purpose::Cart,
        Purpose::Checkout,
        Purpose::Feed,
        Purpose::Warmup,
        Purpose::Audit,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::List => "LIST",
            Purpose::Detail => "DETAIL",
            Purpose::Cart => "CART",
            Purpose::Checkout => "CHECKOUT",
            Purpose::Feed => "FEED",
            Purpose::Warmup => "WARMUP",
            Purpose::Audit => "AUDIT",
        }
    }

    pub fn from_name(name: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|p| p.as_str() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
