//! Identities. Each is a newtype over text that was checked once: not empty, not over-long, no control characters.

use std::fmt;
use std::sync::Arc;

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    #[error("contains a control character")]
    ControlCharacter,
    #[error("begins or ends with a space")]
    OuterSpace,
}

/// The longest identity. Bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Checks what every identity must be, and hands the text back.
pub fn check_id(text: &str) -> Result<&str, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(ID_BYTES_MAX));
    }
    // ASCII control characters are single bytes in UTF-8; the C1 ones are U+0080 to U+009F.
    if text.bytes().any(|b| b < 0x20 || b == 0x7f) || (!text.is_ascii() && text.chars().any(char::is_control)) {
        return Err(IdError::ControlCharacter);
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(IdError::OuterSpace);
    }
    Ok(text)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Result<Self, IdError> {
                check_id(text).map(|text| Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

id!(/** An article: exact and case-sensitive. */ Sku);
id!(/** A customer of the merchant, as the ERP calls them. */ CustomerId);
id!(/** A selling company of the merchant. */ CompanyId);
id!(/** A delivery address of a customer. */ ShipToId);
id!(/** A framework agreement. */ ContractId);
id!(/** A list of prices that several customers may share. */ PriceListId);
id!(/** A warehouse or shop that holds stock. */ LocationId);
id!(/** One visitor of a shop among the public, as the shop calls them: serves fairness only. */ VisitorId);
id!(/** A named stream of stock changes: one company of the ERP, a warehouse system, a file drop. */ SourceId);
id!(/** A unit of measure, as the ERP calls it. */ Unit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_identity_may_be() {
        for good in ["A", "BOLT-8", "é", "a b", &"x".repeat(64), "vis à tête"] {
            assert!(Sku::new(good).is_ok(), "{good:?}");
        }
        for (bad, why) in [
            ("", IdError::Empty),
            (&"x".repeat(65), IdError::TooLong(64)),
            ("a\nb", IdError::ControlCharacter),
            ("a\u{85}b", IdError::ControlCharacter),
            ("a\u{0}", IdError::ControlCharacter),
            (" a", IdError::OuterSpace),
            ("a ", IdError::OuterSpace),
            ("a\u{a0}", IdError::OuterSpace),
        ] {
            assert_eq!(Sku::new(bad), Err(why), "{bad:?}");
        }
    }
}
