//! From the answer to one line to what the channel knows of one row. Pure.

use crate::channel::fact::{Asked, PriceFact};
use crate::clock::Timestamp;
use crate::domain::Quantity;
use crate::offer::{LineAnswer, LineStatus, PriceAnswer};

/// What was answered to one row's question. `pack`: the quantity in base units whose price counts; `asked_at`: when the
/// question was put, for an answer that does not say how old it is.
pub fn of(line: &LineAnswer, pack: Quantity, asked_at: Timestamp) -> Asked {
    let reason = line.reason.unwrap_or("erp_error");
    match (line.status, &line.price) {
        (LineStatus::Ok, PriceAnswer::Told { row, freshness, .. }) => {
            if let Some(stale) = freshness.stale {
                return Asked::Failed(stale);
            }
            let shape = row.shape();
            // They were written by the types they are read as.
            let (Ok(net_price), Ok(base_quantity)) = (row.net_price_at(pack).parse(), shape.base_quantity.parse())
            else {
                return Asked::Failed("erp_error");
            };
            Asked::Price(PriceFact::Told {
                net_price,
                base_quantity,
                currency: shape.currency,
                tax_basis: shape.tax_basis,
                tax_rate: shape.tax_rate.as_deref().and_then(|rate| rate.parse().ok()),
                lead_time_days: shape.terms.as_ref().and_then(|terms| terms.lead_time_days),
                ends: shape.ends,
                observed_at: freshness.observed_at,
            })
        }
        (LineStatus::UnknownSku | LineStatus::NotForSale, _) => {
            Asked::Price(PriceFact::No { reason, observed_at: asked_at })
        }
        (LineStatus::OnRequest, PriceAnswer::OnRequest { freshness, .. }) => {
            Asked::Price(PriceFact::No { reason, observed_at: freshness.observed_at })
        }
        _ => Asked::Failed(reason),
    }
}
