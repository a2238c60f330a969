//! Who is popular: Zipf's law over ranks.
//!
//! The share of rank k among n is k^-s / (1^-s + ... + n^-s). The sums are made once; a draw is a binary search in them.
//! Floats are right here: these are chances, not figures of anybody's.

#![allow(clippy::float_arithmetic, reason = "chances of a draw")]

/// Ranks 0 to n - 1, the first the most popular.
pub struct Zipf {
    /// Sums of the weights up to and with each rank.
    sums: Vec<f64>,
}

impl Zipf {
    /// `items` is at least 1. Exponent 0 makes all alike.
    pub fn new(items: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=items.max(1)).map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// The rank that a throw of 64 even bits falls on.
    pub fn rank(&self, throw: u64) -> u32 {
        let total = self.sums[self.sums.len() - 1];
        let point = unit(throw) * total;
        let rank = self.sums.partition_point(|&sum| sum <= point);
        // Rounding may put the point on the total itself.
        rank.min(self.sums.len() - 1) as u32
    }
}

/// 0 to below 1, from the upper 53 bits: as many as a double holds.
pub fn unit(throw: u64) -> f64 {
    (throw >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::plan::throw;
    use super::*;

    /// How often each rank came, of `throws`.
    fn counts(items: u32, exponent: f64, throws: u64) -> Vec<f64> {
        let zipf = Zipf::new(items, exponent);
        let mut counts = vec![0.0; items as usize];
        for number in 0..throws {
            counts[zipf.rank(throw(7, &[number])) as usize] += 1.0;
        }
        counts
    }

    #[test]
    fn ranks_come_as_often_as_the_formula_says() {
        const THROWS: u64 = 400_000;
        for exponent in [0.0, 0.8, 1.0, 1.3] {
            let counts = counts(1_000, exponent, THROWS);
            let all: f64 = (1..=1_000).map(|rank| f64::from(rank).powf(-exponent)).sum();
            // Single ranks where they are many, a tail where they are few.
            for ranks in [1..2_u32, 2..3, 3..4, 10..20, 100..200, 500..1_001] {
                let expected: f64 = ranks.clone().map(|rank| f64::from(rank).powf(-exponent) / all).sum();
                let seen: f64 = ranks.clone().map(|rank| counts[rank as usize - 1]).sum::<f64>() / THROWS as f64;
                let deviation = (expected * (1.0 - expected) / THROWS as f64).sqrt();
                assert!(
                    (seen - expected).abs() < 4.0 * deviation,
                    "s = {exponent}, ranks {ranks:?}: {seen} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn the_ends_of_a_throw_are_the_ends_of_the_ranks() {
        let zipf = Zipf::new(100_000, 1.0);
        assert_eq!((zipf.rank(0), zipf.rank(u64::MAX)), (0, 99_999));
        assert_eq!(Zipf::new(1, 1.0).rank(u64::MAX / 2), 0);
    }
}
