//! The atomics of [`super::epochs`]. A file of their own, so that a test can put a scheduler's in their place.

pub use std::sync::atomic::AtomicU64;
