//! Exact money: prices in femto-dollars per unit, amounts in nano-dollars. Never floats.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Femto-dollars in one nano-dollar.
const FEMTO_PER_NANO: u128 = 1_000_000;

/// An amount in nano-dollars (10⁻⁹ USD).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// Dollars with all nine decimals: `0.000004200`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

/// The price of one unit (a token, an image, a second) in femto-dollars (10⁻¹⁵ USD).
///
/// Fine enough for every published price: $0.0375 per million tokens is 37,500,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

impl Price {
    /// Free of charge, as a local engine is. Not the same as an unknown price.
    pub const FREE: Self = Self(0);

    /// The exact charge for `units`, in femto-dollars.
    #[must_use]
    pub const fn times(self, units: u64) -> u128 {
        self.0 as u128 * units as u128
    }
}

/// What one request or attempt cost, by kind of token. The parts add up to [`Cost::total`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Input tokens that were not read from or written to the provider's cache.
    pub input: Money,
    /// Input tokens read from the provider's prompt cache.
    pub cached_input: Money,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: Money,
    /// Output tokens that are not reasoning tokens.
    pub output: Money,
    /// Reasoning tokens.
    pub reasoning: Money,
    /// Everything else: audio, images, per-request fees.
    pub other: Money,
}

impl Cost {
    /// Rounds exact charges once. `femto` is in the order of the fields.
    ///
    /// The total is the exact sum rounded half to even to nano-dollars; each part is rounded down and
    /// the nano-dollars that are missing then go to the parts with the largest remainders (the
    /// largest-remainder method), so that the parts add up to the total.
    ///
    /// ```
    /// use pointsman_core::Cost;
    /// // 0.4 and 0.45 nano-dollars: neither would count alone, together they are one.
    /// let cost = Cost::from_femto([400_000, 0, 0, 450_000, 0, 0]);
    /// assert_eq!((cost.input.nanos(), cost.output.nanos()), (0, 1));
    /// assert_eq!(cost.total().to_string(), "0.000000001");
    /// ```
    #[must_use]
    pub fn from_femto(femto: [u128; 6]) -> Self {
        let exact: u128 = femto.iter().sum();
        let total = half_even(exact);
        let mut nanos = femto.map(|part| part / FEMTO_PER_NANO);
        let mut missing = total - nanos.iter().sum::<u128>();
        let mut order = [0, 1, 2, 3, 4, 5];
        order.sort_by_key(|&i: &usize| std::cmp::Reverse(femto[i] % FEMTO_PER_NANO));
        for index in order {
            if missing == 0 {
                break;
            }
            nanos[index] += 1;
            missing -= 1;
        }
        let [input, cached_input, cache_write, output, reasoning, other] =
            nanos.map(|n| Money(i64::try_from(n).unwrap_or(i64::MAX)));
        Self { input, cached_input, cache_write, output, reasoning, other }
    }

    /// The sum of the parts.
    #[must_use]
    pub fn total(&self) -> Money {
        self.input + self.cached_input + self.cache_write + self.output + self.reasoning + self.other
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cached_input += other.cached_input;
        self.cache_write += other.cache_write;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.other += other.other;
    }
}

const fn half_even(femto: u128) -> u128 {
    let (whole, rest) = (femto / FEMTO_PER_NANO, femto % FEMTO_PER_NANO);
    let up = rest * 2 > FEMTO_PER_NANO || (rest * 2 == FEMTO_PER_NANO && whole % 2 == 1);
    whole + up as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_the_sum_once_and_half_to_even() {
        // 0.5 + 0 nano rounds to 0, 1.5 to 2, and 0.4 + 0.4 to 1 where each alone would be 0.
        assert_eq!(Cost::from_femto([500_000, 0, 0, 0, 0, 0]).total(), Money(0));
        assert_eq!(Cost::from_femto([1_500_000, 0, 0, 0, 0, 0]).total(), Money(2));
        assert_eq!(Cost::from_femto([2_500_000, 0, 0, 0, 0, 0]).total(), Money(2));
        let shared = Cost::from_femto([400_000, 0, 0, 450_000, 0, 0]);
        assert_eq!((shared.input, shared.output), (Money(0), Money(1)));
    }

    #[test]
    fn parts_add_up_to_the_rounded_sum() {
        let mut rng = crate::Rng::new(9);
        for _ in 0..10_000 {
            let femto = [0; 6].map(|_: u128| u128::from(rng.next_u64() % 5_000_000));
            let cost = Cost::from_femto(femto);
            assert_eq!(cost.total().nanos() as u128, half_even(femto.iter().sum()));
        }
    }

    #[test]
    fn shows_dollars() {
        assert_eq!(Money(4_200).to_string(), "0.000004200");
        assert_eq!(Money(-1_000_000_001).to_string(), "-1.000000001");
    }
}
