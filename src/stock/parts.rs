//! Which part of a table a key belongs to, where a large one is kept as many small ones.

/// Of so many parts, at most 65,536. The largest get twice as many keys as the smallest, and all sizes between are there: equal
/// ones would all double at the same time, and all be half empty then.
pub fn part_of(hash: u64, parts: usize) -> usize {
    const ONE: u64 = 1 << 24;
    // Neither the lowest bits nor the highest: those the parts' own tables take.
    let x = hash >> 32 & (ONE - 1);
    // From 0 to 1 as x is, and half as steep at the end as at the beginning.
    let y = x * (4 * ONE - x) / (3 * ONE);
    (y * parts as u64 / ONE) as usize
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::*;

    #[test]
    fn parts_are_of_all_sizes_between_one_and_two() {
        let hasher = foldhash::fast::FixedState::with_seed(7);
        let mut parts = [0u32; 64];
        (0..640_000).for_each(|key| parts[part_of(hasher.hash_one(key), 64)] += 1);
        let (first, last) = (parts[0], parts[63]);
        assert!((7000..8000).contains(&first) && (14_000..16_000).contains(&last), "{parts:?}");
        assert!(parts.windows(2).all(|pair| pair[1] + 600 > pair[0]), "{parts:?}");
        assert!([0, u64::MAX].map(|hash| part_of(hash, 64)) == [0, 63]);
    }
}
