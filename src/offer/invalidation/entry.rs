//! What the journal keeps of invalidations, as bytes.

use std::sync::Arc;
use std::time::Duration;

use super::Named;
use super::due::Effect;
use crate::clock::Timestamp;
use crate::domain::{CompanyId, ContractId, CustomerId, PriceListId, Sku};
use crate::journal::pack::{Packer, Unpacker};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Took effect.
    Done { named: Arc<Named> },
    /// Takes effect at this moment of the wall clock; ends of settling too, for no other clock outlives a process.
    Waits { at: Timestamp, effect: Effect, named: Arc<Named>, request_id: Arc<str> },
}

const DONE: u8 = 3;
const WAITS: u8 = 2;
const INVALIDATE: u8 = 1;
const EXPIRE: u8 = 2;

impl Entry {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Packer::default();
        match self {
            Entry::Done { named } => {
                to.byte(DONE);
                pack_named(&mut to, named);
            }
            Entry::Waits { at, effect, named, request_id } => {
                to.byte(WAITS);
                to.signed(at.0);
                match effect {
                    Effect::Expire => to.byte(EXPIRE),
                    Effect::Invalidate { settle } => {
                        to.byte(INVALIDATE);
                        let millis = |settle: Duration| u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
                        to.optional(settle.map(millis), Packer::number);
                    }
                }
                to.text(request_id);
                pack_named(&mut to, named);
            }
        }
        to.0
    }

    /// `None`: not written by this version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut from = Unpacker(bytes);
        let entry = match from.byte()? {
            DONE => Entry::Done { named: Arc::new(unpack_named(&mut from)?) },
            WAITS => {
                let at = Timestamp(from.signed()?);
                let effect = match from.byte()? {
                    EXPIRE => Effect::Expire,
                    INVALIDATE => {
                        let settle = from.optional(Unpacker::number)?.map(Duration::from_millis);
                        Effect::Invalidate { settle }
                    }
                    _ => return None,
                };
                let request_id = from.text()?.into();
                Entry::Waits { at, effect, request_id, named: Arc::new(unpack_named(&mut from)?) }
            }
            _ => return None,
        };
        from.is_empty().then_some(entry)
    }
}

fn pack_named(to: &mut Packer, named: &Named) {
    let Named { all, company, customers, price_lists, contracts, skus } = named;
    to.byte(u8::from(*all));
    to.optional(company.as_ref(), |to, id| to.text(id.as_str()));
    to.list(customers.iter(), |to, id| to.text(id.as_str()));
    to.list(price_lists.iter(), |to, id| to.text(id.as_str()));
    to.list(contracts.iter(), |to, id| to.text(id.as_str()));
    to.list(skus.iter(), |to, id| to.text(id.as_str()));
}

fn unpack_named(from: &mut Unpacker<'_>) -> Option<Named> {
    Some(Named {
        all: from.flag()?,
        company: from.optional(|from| CompanyId::new(from.text()?).ok())?,
        customers: from.list(|from| CustomerId::new(from.text()?).ok())?,
        price_lists: from.list(|from| PriceListId::new(from.text()?).ok())?,
        contracts: from.list(|from| ContractId::new(from.text()?).ok())?,
        skus: from.list(|from| Sku::new(from.text()?).ok())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_half_of_one_does_not() {
        let named = Arc::new(Named {
            company: Some(CompanyId::new("F").unwrap()),
            customers: vec![CustomerId::new("C").unwrap(), CustomerId::new("D").unwrap()],
            skus: vec![Sku::new("S").unwrap()],
            ..Named::default()
        });
        let waits = |effect| Entry::Waits { at: Timestamp(7), effect, named: named.clone(), request_id: "id".into() };
        for entry in [
            Entry::Done { named: named.clone() },
            Entry::Done { named: Arc::new(Named { all: true, ..Named::default() }) },
            waits(Effect::Expire),
            waits(Effect::Invalidate { settle: None }),
            waits(Effect::Invalidate { settle: Some(Duration::from_millis(1500)) }),
        ] {
            let bytes = entry.to_bytes();
            assert_eq!(Entry::from_bytes(&bytes), Some(entry));
            for cut in 0..bytes.len() {
                assert_eq!(Entry::from_bytes(&bytes[..cut]), None, "cut at {cut}");
            }
        }
    }
}
