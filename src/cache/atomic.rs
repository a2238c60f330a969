//! The atomics of [`super::epochs`]. A file of their own, so that a test can put a scheduler's in their place.

pub use std::sync::atomic::AtomicU64;

use zerocopy::FromZeros as _;

/// So many, as the operating system hands out memory: one that nobody marks costs nothing, not even at the start.
pub fn zeros(count: usize) -> Box<[AtomicU64]> {
    <[AtomicU64]>::new_box_zeroed_with_elems(count).expect("there is memory for them")
}
