//! Reproducible irregularity: the same seed and position give the same number, in any call order.

/// A well-mixed number for a lattice point (the finalizer of `SplitMix64`).
pub(crate) fn hash(seed: u64, a: u64, b: u64) -> u64 {
    let mut x = seed
        .wrapping_add(a.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in -1..1 for a lattice point.
#[expect(clippy::cast_precision_loss, reason = "24 bits are exact in an f64")]
pub(crate) fn jitter(seed: u64, a: u64, b: u64) -> f64 {
    (hash(seed, a, b) >> 40) as f64 / f64::from(1 << 23) - 1.0
}
