//! Prices as decimal text: USD per million units, and USD per unit as OpenRouter writes it.

use pointsman_core::Price;

/// Femto-dollars per token in one dollar per million tokens.
const FEMTO_PER_USD_PER_MILLION: u64 = 1_000_000_000;
/// Femto-dollars in a dollar.
const FEMTO_PER_USD: u64 = 1_000_000_000_000_000;
/// Decimals that USD per million tokens can have: 10⁻⁹ of it is one femto-dollar per token.
const DECIMALS: usize = 9;

/// Why a decimal is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceError {
    /// Not digits with at most one point.
    NotDecimal,
    /// More than nine decimals: finer than a femto-dollar per token.
    TooFine,
    /// Beyond what 64 bits hold.
    TooLarge,
}

impl std::fmt::Display for PriceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "not a decimal number of USD per million tokens",
            Self::TooFine => "more than 9 decimals in USD per million tokens",
            Self::TooLarge => "too large for a price",
        })
    }
}

impl std::error::Error for PriceError {}

/// Reads USD per million units as exact decimal text: `.15`, `0.15`, `3`.
///
/// # Errors
/// Where the text is not a decimal, or not exactly a price.
pub fn usd_per_million(text: &str) -> Result<Price, PriceError> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) {
        return Err(PriceError::NotDecimal);
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > DECIMALS {
        return Err(PriceError::TooFine);
    }
    let number = |part: &str| match part {
        "" => Ok(0),
        _ => part.parse::<u64>().map_err(|_| PriceError::TooLarge),
    };
    let scale = 10_u64.pow(u32::try_from(DECIMALS - decimals.len()).unwrap_or(0));
    number(whole)?
        .checked_mul(FEMTO_PER_USD_PER_MILLION)
        .and_then(|femto| femto.checked_add(number(decimals).ok()? * scale))
        .map(Price)
        .ok_or(PriceError::TooLarge)
}

/// USD per million units, exactly: `0.15`, `3`.
#[must_use]
pub fn write_usd_per_million(price: Price) -> String {
    decimal(price, FEMTO_PER_USD_PER_MILLION)
}

/// USD per unit, exactly: `0.00000015`, `0.000003`.
///
/// ```
/// use pointsman_providers::price::{usd_per_million, write_usd};
/// assert_eq!(usd_per_million("0.15").map(write_usd).as_deref(), Ok("0.00000015"));
/// ```
#[must_use]
pub fn write_usd(price: Price) -> String {
    decimal(price, FEMTO_PER_USD)
}

/// The price in units of `one`, a power of ten.
fn decimal(price: Price, one: u64) -> String {
    let places = one.ilog10() as usize;
    let text = format!("{}.{:0places$}", price.0 / one, price.0 % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
