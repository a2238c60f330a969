//! What HTTP caches are told about an answer: `Cache-Control`, `Cache-Status` (RFC 9211) and the entity tag.

use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Range;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::offer::answer::{Freshness, LineStatus, OfferAnswer, Source};
use crate::offer::lookup::{DAY_CHANGED, PENDING};
use crate::offer::{AvailabilityAnswer, PriceAnswer};

/// What the lines of an answer have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// This call asked the ERP, with or without success.
    forwarded: bool,
    /// Something is served past its age.
    stale: bool,
    /// It is because the ERP was asked and did not answer: why.
    failed: Option<&'static str>,
    /// Something has no age, so that nobody may keep the answer.
    ageless: bool,
    /// The first to expire. `None`: nothing does.
    expires_at: Option<Timestamp>,
}

impl Kept {
    pub fn of(answer: &OfferAnswer) -> Self {
        let mut kept = Kept::default();
        for line in &answer.lines {
            match line.status {
                LineStatus::Ok | LineStatus::OnRequest => {}
                // What is wrong with a line stays wrong.
                LineStatus::Invalid => {}
                // Remembered, but the answer does not say for how long.
                LineStatus::UnknownSku | LineStatus::NotForSale => kept.ageless = true,
                LineStatus::Unavailable => kept.forwarded = true,
            }
            match &line.price {
                PriceAnswer::Told { freshness, .. } | PriceAnswer::OnRequest { freshness, .. } => kept.see(freshness),
                PriceAnswer::Unavailable { .. } => kept.forwarded = true,
                PriceAnswer::NotAsked => {}
            }
            match &line.availability {
                AvailabilityAnswer::Told { freshness, .. } | AvailabilityAnswer::Untracked { freshness } => {
                    kept.see(freshness);
                }
                AvailabilityAnswer::Unavailable { .. } => {
                    kept.forwarded = true;
                    kept.ageless = true;
                }
                AvailabilityAnswer::NotAsked => {}
            }
            kept.ageless |= line.status == LineStatus::Unavailable;
        }
        kept
    }

    fn see(&mut self, freshness: &Freshness) {
        self.forwarded |= freshness.source == Source::Erp;
        self.stale |= freshness.stale.is_some();
        self.failed = self.failed.or(freshness.stale.filter(|reason| !matches!(*reason, PENDING | DAY_CHANGED)));
        self.expires_at = Some(self.expires_at.map_or(freshness.expires_at, |at| at.min(freshness.expires_at)));
    }

    /// Whole seconds until the first figure expires; 0 if nobody may keep the answer.
    fn seconds_left(&self, now: Timestamp) -> i64 {
        match self.expires_at {
            Some(at) if !self.stale && !self.ageless => (at.0.saturating_sub(now.0) / 1000).max(0),
            _ => 0,
        }
    }

    /// A customer's offers are theirs alone and asked again each time; the public's may be kept until the first expires.
    pub fn cache_control(&self, is_public: bool, now: Timestamp) -> HeaderValue {
        if !is_public {
            return HeaderValue::from_static("private, no-cache");
        }
        match self.seconds_left(now) {
            0 => HeaderValue::from_static("public, no-cache"),
            seconds => text(format!("public, max-age={seconds}")),
        }
    }

    pub fn cache_status(&self, now: Timestamp) -> HeaderValue {
        if self.forwarded {
            HeaderValue::from_static("comptoir; fwd=miss")
        } else if let Some(reason) = self.failed {
            text(format!("comptoir; fwd=stale; detail={reason}"))
        } else {
            // A stale hit has a negative time to live.
            match self.expires_at {
                Some(at) => text(format!("comptoir; hit; ttl={}", at.0.saturating_sub(now.0).div_euclid(1000))),
                None => HeaderValue::from_static("comptoir; hit"),
            }
        }
    }
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("comptoir"))
}

/// The weak entity tag of an encoded answer, leaving out when it was answered. A fixed seed, so that a restart changes
/// nothing; another version of the hash function costs one needless answer.
pub fn entity_tag(body: &[u8], answered_at: Range<usize>) -> HeaderValue {
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    hasher.write(&body[..answered_at.start]);
    hasher.write(&body[answered_at.end..]);
    text(format!("W/\"{:016x}\"", hasher.finish()))
}

/// Whether an `If-None-Match` names the tag, compared weakly.
pub fn matches(if_none_match: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let (Ok(asked), Ok(tag)) = (if_none_match.to_str(), tag.to_str()) else { return false };
    asked.split(',').any(|asked| asked.trim() == "*" || opaque(asked) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn kept(forwarded: bool, stale: bool, ageless: bool, left_ms: i64) -> Kept {
        Kept { forwarded, stale, failed: None, ageless, expires_at: Some(Timestamp(NOW.0 + left_ms)) }
    }

    #[test]
    fn what_caches_are_told() {
        for (kept, public, status) in [
            (kept(false, false, false, 59_999), "public, max-age=59", "comptoir; hit; ttl=59"),
            (kept(true, false, false, 60_000), "public, max-age=60", "comptoir; fwd=miss"),
            (kept(false, true, false, -1_000), "public, no-cache", "comptoir; hit; ttl=-1"),
            (
                Kept { failed: Some("erp_unreachable"), ..kept(false, true, false, -1_000) },
                "public, no-cache",
                "comptoir; fwd=stale; detail=erp_unreachable",
            ),
            (kept(true, true, false, -1), "public, no-cache", "comptoir; fwd=miss"),
            (kept(false, false, true, 60_000), "public, no-cache", "comptoir; hit; ttl=60"),
            (kept(false, false, false, 999), "public, no-cache", "comptoir; hit; ttl=0"),
            (Kept::default(), "public, no-cache", "comptoir; hit"),
        ] {
            assert_eq!(kept.cache_control(true, NOW), public, "{kept:?}");
            assert_eq!(kept.cache_control(false, NOW), "private, no-cache", "{kept:?}");
            assert_eq!(kept.cache_status(NOW), status, "{kept:?}");
        }
    }

    #[test]
    fn tags_leave_out_the_instant_and_compare_weakly() {
        let tag = entity_tag(b"before123after", 6..9);
        assert_eq!(tag, entity_tag(b"before4567after", 6..10));
        assert_ne!(tag, entity_tag(b"before123AFTER", 6..9));
        let told = tag.to_str().unwrap();
        for (asked, expected) in [
            (told.to_owned(), true),
            (told.trim_start_matches("W/").to_owned(), true),
            (format!("\"x\", {told}"), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
        ] {
            assert_eq!(matches(&HeaderValue::try_from(asked.clone()).unwrap(), &tag), expected, "{asked}");
        }
    }
}
