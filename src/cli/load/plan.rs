//! What is asked, by whom and when: all of it decided by the seed before anything is sent.
//!
//! A page is a function of the seed and its number alone; its time is the sum of the gaps before it. So two runs of one
//! seed ask the same pages in the same order at the same times, however differently they are answered.

#![allow(clippy::float_arithmetic, reason = "gaps between arrivals; a plan knows no money")]

use std::ops::RangeInclusive;
use std::time::Duration;

use super::zipf::{Zipf, unit};
use crate::domain::Purpose;
use crate::erp::connectors::simulated::catalogue::dice;

/// The shape of the traffic.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub seed: u64,
    /// Pages a second, on average.
    pub rate: f64,
    /// When the last page may be due.
    pub duration: Duration,
    /// `SKU-000001` to this number, as the simulated ERP has them.
    pub skus: u32,
    /// `C-00001` to this number.
    pub customers: u32,
    /// Of Zipf's law, for both.
    pub exponent: f64,
    pub mix: Mix,
    /// Lines of a page, each with a SKU of its own.
    pub lines: RangeInclusive<u32>,
}

/// One page view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// When it is due, from the start.
    pub at: Duration,
    pub purpose: Purpose,
    /// The number in the customer's id.
    pub customer: u32,
    /// The numbers in the SKUs.
    pub skus: Vec<u32>,
}

pub fn customer_id(number: u32) -> String {
    format!("C-{number:05}")
}

pub fn sku(number: u32) -> String {
    format!("SKU-{number:06}")
}

/// How often each purpose is asked for: weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix([u32; Purpose::ALL.len()]);

impl Mix {
    pub fn new(weights: [u32; Purpose::ALL.len()]) -> Option<Self> {
        let total = weights.iter().try_fold(0_u32, |sum, &weight| sum.checked_add(weight))?;
        (total > 0).then_some(Self(weights))
    }

    fn purpose(&self, throw: u64) -> Purpose {
        let total: u64 = self.0.iter().map(|&weight| u64::from(weight)).sum();
        let mut left = throw % total;
        for (purpose, &weight) in Purpose::ALL.into_iter().zip(&self.0) {
            match left.checked_sub(u64::from(weight)) {
                Some(rest) => left = rest,
                None => return purpose,
            }
        }
        unreachable!("the weights make up their total")
    }
}

/// A well-mixed number that is always the same for the same words.
pub fn throw(seed: u64, of: &[u64]) -> u64 {
    dice(seed, of)
}

// What a throw is for, so that no two questions of one page share one.
const GAP: u64 = 101;
const PURPOSE: u64 = 102;
const CUSTOMER: u64 = 103;
const LINES: u64 = 104;
const SKU: u64 = 105;
const PLACES: u64 = 106;

/// All pages in the order they are due.
pub struct Plan {
    traffic: Traffic,
    skus: Zipf,
    sku_places: Places,
    customers: Zipf,
    customer_places: Places,
    number: u64,
    at: Duration,
}

impl Plan {
    /// There must be as many SKUs as the longest page has lines, and a rate above 0.
    pub fn new(traffic: Traffic) -> Self {
        Self {
            skus: Zipf::new(traffic.skus, traffic.exponent),
            sku_places: Places::new(traffic.skus, throw(traffic.seed, &[PLACES, 1])),
            customers: Zipf::new(traffic.customers, traffic.exponent),
            customer_places: Places::new(traffic.customers, throw(traffic.seed, &[PLACES, 2])),
            number: 0,
            at: Duration::ZERO,
            traffic,
        }
    }

    fn page(&self, number: u64, at: Duration) -> Page {
        let seed = self.traffic.seed;
        let (least, most) = (*self.traffic.lines.start(), *self.traffic.lines.end());
        let lines = least + (throw(seed, &[LINES, number]) % u64::from(most - least + 1)) as u32;
        let mut skus = Vec::with_capacity(lines as usize);
        for try_number in 0.. {
            if skus.len() == lines as usize {
                break;
            }
            let sku = self.sku_places.of(self.skus.rank(throw(seed, &[SKU, number, try_number])));
            // A page shows an article once.
            if !skus.contains(&sku) {
                skus.push(sku);
            }
        }
        Page {
            at,
            purpose: self.traffic.mix.purpose(throw(seed, &[PURPOSE, number])),
            customer: self.customer_places.of(self.customers.rank(throw(seed, &[CUSTOMER, number]))),
            skus,
        }
    }
}

impl Iterator for Plan {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        // People come when they like, whoever came before: the gaps are exponential.
        let gap = -(1.0 - unit(throw(self.traffic.seed, &[GAP, self.number]))).ln() / self.traffic.rate;
        self.at = self.at.saturating_add(Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX));
        if self.at >= self.traffic.duration {
            return None;
        }
        let page = self.page(self.number, self.at);
        self.number += 1;
        Some(page)
    }
}

/// Which number holds which rank, so that what is popular is not what was numbered first. Every number holds one.
struct Places {
    items: u64,
    step: u64,
    first: u64,
}

impl Places {
    fn new(items: u32, throw: u64) -> Self {
        let items = u64::from(items.max(1));
        // Near the golden section, so that neighbours in rank are far apart; no common divisor, so that all are reached.
        let step = (items * 618 / 1000..).find(|&step| divisor(step, items) == 1).unwrap_or(1);
        Self { items, step, first: throw % items }
    }

    fn of(&self, rank: u32) -> u32 {
        1 + ((self.first + u64::from(rank) * self.step) % self.items) as u32
    }
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn traffic() -> Traffic {
        Traffic {
            seed: 3,
            rate: 100.0,
            duration: Duration::from_secs(100),
            skus: 1_000,
            customers: 50,
            exponent: 1.0,
            mix: Mix::new([80, 10, 7, 3, 0, 0, 0]).unwrap(),
            lines: 24..=48,
        }
    }

    #[test]
    fn the_seed_is_the_whole_plan() {
        let pages: Vec<_> = Plan::new(traffic()).collect();
        assert!(Plan::new(traffic()).eq(pages.iter().cloned()));
        let other: Vec<_> = Plan::new(Traffic { seed: 4, ..traffic() }).take(100).collect();
        assert!(other.iter().zip(&pages).all(|(one, two)| one != two));
        // A longer run begins as the shorter does.
        let longer = Traffic { duration: Duration::from_secs(200), ..traffic() };
        assert!(Plan::new(longer).take(pages.len()).eq(pages));
    }

    #[test]
    fn pages_come_at_the_rate_on_average_and_at_no_fixed_gap() {
        let pages: Vec<_> = Plan::new(traffic()).collect();
        // 10,000 expected; the deviation of a count is its root.
        assert!((9_600..=10_400).contains(&pages.len()), "{}", pages.len());
        assert!(pages.is_sorted_by_key(|page| page.at));
        assert!(pages.iter().all(|page| page.at < Duration::from_secs(100)));
        let gaps: Vec<_> = pages.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        // Of exponential gaps 1 - 1/e are shorter than the mean.
        let shorter = gaps.iter().filter(|gap| **gap < Duration::from_millis(10)).count() * 1000 / gaps.len();
        assert!((615..=650).contains(&shorter), "{shorter} of 1,000");
    }

    #[test]
    fn a_page_has_its_lines_each_once_and_all_sizes_come() {
        let mut sizes = HashSet::new();
        for page in Plan::new(traffic()) {
            assert_eq!(page.skus.iter().collect::<HashSet<_>>().len(), page.skus.len());
            assert!(page.skus.iter().all(|sku| (1..=1_000).contains(sku)));
            assert!((1..=50).contains(&page.customer));
            sizes.insert(page.skus.len());
        }
        assert_eq!(sizes, (24..=48).collect());
    }

    #[test]
    fn as_many_skus_as_lines_are_enough() {
        let all = Traffic { skus: 48, ..traffic() };
        assert_eq!(Plan::new(all).take(500).map(|page| page.skus.len()).max(), Some(48));
    }

    #[test]
    fn purposes_come_as_the_mix_says() {
        let mut counts = [0_u32; Purpose::ALL.len()];
        let pages = Plan::new(traffic()).map(|page| counts[page.purpose as usize] += 1).count();
        let permille = counts.map(|count| count as usize * 1000 / pages);
        for (seen, expected) in permille.into_iter().zip([800, 100, 70, 30, 0, 0, 0]) {
            assert!(seen.abs_diff(expected) <= 15 && (seen == 0) == (expected == 0), "{permille:?}");
        }
        assert_eq!((Mix::new([0; 7]), Mix::new([u32::MAX; 7])), (None, None));
    }

    #[test]
    fn every_number_holds_one_rank() {
        for items in [1, 2, 7, 40, 1_000, 99_991] {
            let places = Places::new(items, 12_345);
            let held: HashSet<_> = (0..items).map(|rank| places.of(rank)).collect();
            assert_eq!(held, (1..=items).collect(), "{items}");
        }
    }
}
