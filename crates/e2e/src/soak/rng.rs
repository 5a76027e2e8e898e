//! A random number generator, `Rng`: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators").

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) struct Rng(u64);

impl Rng {
    /// Seeded by the clock.
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.as_secs() << 32 | u64::from(now.subsec_nanos()) | 1)
    }

    /// A number below `sides`, which is not 0.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % sides.max(1)
    }

    /// One of these, if there is one.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}
