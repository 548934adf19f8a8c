//! The random generator behind every draw on the request path: seeded by the request id, so that
//! decisions replay exactly.

use crate::ids::RequestId;

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, good enough for jitter and weighted splits.
/// Never for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one request.
    #[must_use]
    pub const fn for_request(id: RequestId) -> Self {
        Self(id.as_i64() as u64)
    }

    /// 64 uniform bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform number below `bound`; 0 where `bound` is 0. (Multiply-shift: the bias of at most
    /// `bound`/2⁶⁴ does not matter for balancing.)
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }
}
