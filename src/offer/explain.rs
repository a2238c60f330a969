//! Why an offer says what it says.
//!
//! Owns: the steps that lead to one offer, each with what it was decided from, and their English. The read path is generic
//! over [`Reasons`]: explaining walks it with a [`Trace`] that keeps what is said at each decision, answering walks the same
//! code with [`Unkept`], where nothing is said at all. So what is explained is what happened, and nothing is decided here.
//!
//! A step never tells anything of another party than the one asked for: no identity, no price, and of queues only how many
//! stand in front. Prices that may not be served are not told either. Tested in `tests/behaviour/explain.rs`, among others by
//! asking and explaining the same random questions.

mod call;
mod offer;
mod party;
mod price;
mod stamp;
mod stock;

use std::borrow::Cow;
use std::fmt::Display;

use parking_lot::Mutex;

pub(super) use self::call::{calls, flights};
pub(super) use self::offer::{answered, units};
pub(super) use self::party::{Facts, facts, policy};
pub(super) use self::price::{Edges, Remembered, Row, edges, key, no, no_row, row};
pub(super) use self::stamp::stamp;
pub(super) use self::stock::{ledger, levels, stock_row};
use super::answer::OfferAnswer;
use super::freshness::{Decision, WhyGone};
use crate::clock::Reading;
use crate::human::Seconds;

/// An offer and how it came about.
#[derive(Debug)]
pub struct Explanation {
    /// Of one line.
    pub answer: OfferAnswer,
    /// In the order they were taken.
    pub steps: Vec<Step>,
}

/// One thing that was found or decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// A stable word.
    pub about: &'static str,
    /// For people.
    pub text: String,
    pub facts: Vec<(Cow<'static, str>, String)>,
}

/// Whether the reasons of decisions are kept.
pub trait Reasons: Copy + Send + Sync {
    const KEPT: bool;

    /// `tell` is called only where they are.
    fn keep(self, tell: impl FnOnce(&mut Vec<Step>));
}

/// Nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct Unkept;

impl Reasons for Unkept {
    const KEPT: bool = false;

    #[inline(always)]
    fn keep(self, _: impl FnOnce(&mut Vec<Step>)) {}
}

/// Keeps what is said on the way to one offer.
#[derive(Debug, Default)]
pub struct Trace {
    /// A mutex, because the walk waits for the ERP in between; nobody else ever holds it.
    steps: Mutex<Vec<Step>>,
}

impl Trace {
    pub fn into_steps(self) -> Vec<Step> {
        self.steps.into_inner()
    }
}

impl Reasons for &Trace {
    const KEPT: bool = true;

    fn keep(self, tell: impl FnOnce(&mut Vec<Step>)) {
        tell(&mut self.steps.lock());
    }
}

impl Step {
    pub fn new(about: &'static str, text: impl Into<String>) -> Self {
        Self { about, text: text.into(), facts: Vec::new() }
    }

    #[must_use]
    pub fn fact(mut self, name: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        self.facts.push((name.into(), value.to_string()));
        self
    }

    #[must_use]
    pub fn fact_if(self, name: impl Into<Cow<'static, str>>, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// The value of a fact.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|(told, _)| told == name).map(|(_, value)| value.as_str())
    }
}

/// How old something is to whoever arrived then.
fn age(observed: Reading, arrival: Reading) -> Seconds {
    Seconds(arrival.mono.since(observed.mono))
}

/// A decision as a stable word, as what it makes of the look-up, and as the end of a sentence.
fn decided(decision: Decision) -> (&'static str, &'static str, &'static str) {
    match decision {
        Decision::Fresh => ("fresh", "hit", "it is fresh and served as it is"),
        Decision::FreshRide => ("fresh_ride", "hit", "it is fresh, and rides along in a call that leaves anyway"),
        Decision::FreshRefresh => {
            ("fresh_refresh", "hit", "it is fresh, past its soft time, and asked again while it is served")
        }
        Decision::ServeAndRefresh => {
            ("serve_and_refresh", "stale", "it is stale, and served marked so while it is asked again")
        }
        Decision::FetchOrServe => {
            ("fetch_or_serve", "stale", "it is stale: the ERP is asked first, and only if that fails it is served")
        }
        Decision::Fetch(WhyGone::TooOld) => ("too_old", "miss", "it is too old to be served, and the ERP is asked"),
        Decision::Fetch(WhyGone::Invalidated) => {
            ("invalidated", "miss", "it was declared wrong, so it is gone, and the ERP is asked")
        }
        Decision::Fetch(WhyGone::ValidityEnded) => {
            ("validity_ended", "miss", "its told validity has ended, so it is gone, and the ERP is asked")
        }
    }
}
