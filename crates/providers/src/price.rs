//! What usage costs under a price list, exactly.
//!
//! Prices are femto-dollars per token and charges are summed as integers; the one rounding, to
//! nano-dollars, happens in [`Cost::from_femto`].

use pointsman_core::{Cost, Price, Usage};

/// Femto-dollars per token in one dollar per million tokens.
const FEMTO_PER_USD_PER_MILLION: u64 = 1_000_000_000;
/// Decimals that USD per million tokens can have: 10⁻⁹ of it is one femto-dollar per token.
const DECIMALS: usize = 9;

/// Prices by kind of token. Where a kind has no price of its own, the broader kind's price counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Prompt tokens.
    pub input: Price,
    /// Completion tokens.
    pub output: Price,
    /// Prompt tokens read from the provider's cache; else as `input`.
    pub cached_input: Option<Price>,
    /// Prompt tokens written to the provider's cache; else as `input`.
    pub cache_write: Option<Price>,
    /// Completion tokens spent on reasoning; else as `output`.
    pub reasoning: Option<Price>,
    /// Prompt tokens of audio; else as `input`.
    pub input_audio: Option<Price>,
    /// Completion tokens of audio; else as `output`.
    pub output_audio: Option<Price>,
}

impl Prices {
    /// Prices for input and output, nothing else known.
    #[must_use]
    pub const fn new(input: Price, output: Price) -> Self {
        Self {
            input,
            output,
            cached_input: None,
            cache_write: None,
            reasoning: None,
            input_audio: None,
            output_audio: None,
        }
    }

    /// Charges in femto-dollars, in the order of [`Cost`]'s fields.
    fn charges(&self, usage: &Usage) -> [u128; 6] {
        // Each kind takes its tokens out of what is left of the whole, so that nothing is billed
        // twice even where a provider's numbers contradict each other.
        let mut input = usage.input;
        let cached = take(&mut input, usage.cached_input);
        let written = take(&mut input, usage.cache_write);
        let mut output = usage.output;
        let reasoning = take(&mut output, usage.reasoning);
        let mut audio = 0;
        if let Some(price) = self.input_audio {
            audio += price.times(take(&mut input, usage.input_audio));
        }
        if let Some(price) = self.output_audio {
            audio += price.times(take(&mut output, usage.output_audio));
        }
        [
            self.input.times(input),
            self.cached_input.unwrap_or(self.input).times(cached),
            self.cache_write.unwrap_or(self.input).times(written),
            self.output.times(output),
            self.reasoning.unwrap_or(self.output).times(reasoning),
            audio,
        ]
    }
}

/// Other prices for the whole request once its input is longer than a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Counts where the prompt has more tokens than this.
    pub above_input: u64,
    /// The prices of every token of such a request.
    pub prices: Prices,
}

/// The prices of one model. A model without a known price has no list: `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    base: Prices,
    tiers: Vec<Tier>,
}

impl PriceList {
    /// What an engine of one's own costs.
    pub const FREE: Self = Self::flat(Prices::new(Price::FREE, Price::FREE));

    /// The same prices for requests of every length.
    #[must_use]
    pub const fn flat(base: Prices) -> Self {
        Self { base, tiers: Vec::new() }
    }

    /// Prices that change with the length of the prompt. The order of `tiers` does not matter.
    #[must_use]
    pub fn tiered(base: Prices, mut tiers: Vec<Tier>) -> Self {
        tiers.sort_by_key(|tier| tier.above_input);
        Self { base, tiers }
    }

    /// The prices of a short request.
    #[must_use]
    pub const fn base(&self) -> &Prices {
        &self.base
    }

    /// The prices of longer requests, by rising threshold.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Whether nothing is ever charged.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// What `usage` costs: cached and written input are taken out of the input, reasoning out of the
    /// output, audio (where it has its own price) out of either; charges are summed exactly and rounded
    /// once, half to even.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Cost {
        let tier = self.tiers.iter().rev().find(|tier| usage.input > tier.above_input);
        Cost::from_femto(tier.map_or(&self.base, |tier| &tier.prices).charges(usage))
    }
}

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

/// Moves up to `wanted` out of `rest`.
fn take(rest: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*rest);
    *rest -= taken;
    taken
}

#[cfg(test)]
mod tests;
