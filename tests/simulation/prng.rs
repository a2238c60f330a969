//! Random numbers that are the same everywhere: SplitMix64, and hashes made of the same mixing.

#[derive(Clone, Debug)]
pub struct Prng(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Prng {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(STEP)))
    }

    /// A generator of its own for one thing of a run, so that dropping another thing leaves it as it is.
    pub fn of(seed: u64, what: u64, number: u64) -> Self {
        Self::new(mix(seed ^ mix(what.wrapping_mul(STEP) ^ mix(number))))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Below `end`, which is at least 1. (The bias of the remainder is far below what matters here.)
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times of a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// Small numbers often, large ones sometimes.
    pub fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end);
        if self.chance(500) { self.below(first + 1) } else { first }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers_on_every_machine() {
    let mut prng = Prng::new(1);
    let first: Vec<u64> = (0..3).map(|_| prng.next() % 1000).collect();
    let mut again = Prng::new(1);
    assert_eq!(first, (0..3).map(|_| again.next() % 1000).collect::<Vec<_>>());
    let mut seen: Vec<u64> = (0..1000).map(|seed| Prng::new(seed).below(10)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10, "neighbouring seeds differ");
}
