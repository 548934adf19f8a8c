//! What usage costs under a price list, exactly.
//!
//! Prices are femto-dollars per unit and charges are summed as integers; the one rounding, to
//! nano-dollars, happens in [`Cost::from_femto`]. `price/text.rs` reads and writes prices as people
//! write them: USD per million units.

use pointsman_core::{Cost, Price, Service, Usage};

mod text;

pub use text::{PriceError, usd_per_million, write_usd, write_usd_per_million};

/// Prices by kind of token. Where a kind has no price of its own, the broader kind's price counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Prompt tokens.
    pub input: Price,
    /// Completion tokens.
    pub output: Price,
    /// Prompt tokens read from the provider's cache; else as `input`.
    pub cached_input: Option<Price>,
    /// Prompt tokens written to the provider's cache (for five minutes, where it offers a choice); else
    /// as `input`.
    pub cache_write: Option<Price>,
    /// Prompt tokens written to the provider's cache for an hour; else as `cache_write`.
    pub cache_write_1h: Option<Price>,
    /// Completion tokens spent on reasoning; else as `output`.
    pub reasoning: Option<Price>,
    /// Prompt tokens of audio; else as `input`.
    pub input_audio: Option<Price>,
    /// Completion tokens of audio; else as `output`.
    pub output_audio: Option<Price>,
    /// Prompt tokens of audio, read from the provider's cache; else as `cached_input`.
    pub cached_audio: Option<Price>,
    /// Prompt tokens of pictures; else as `input`.
    pub input_image: Option<Price>,
    /// Completion tokens of pictures; else as `output`.
    pub output_image: Option<Price>,
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
            cache_write_1h: None,
            reasoning: None,
            input_audio: None,
            output_audio: None,
            cached_audio: None,
            input_image: None,
            output_image: None,
        }
    }

    /// Charges in femto-dollars, in the order of [`Cost`]'s fields.
    fn charges(&self, usage: &Usage) -> [u128; 6] {
        // Each kind takes its tokens out of what is left of the whole, so that nothing is billed
        // twice even where a provider's numbers contradict each other.
        let detail = &usage.detail;
        let mut input = usage.input;
        let mut cached = take(&mut input, usage.cached_input);
        let mut written = take(&mut input, usage.cache_write);
        let mut output = usage.output;
        let reasoning = take(&mut output, usage.reasoning);
        let mut other = 0;
        let mut apart = |price: Option<Price>, whole: &mut u64, count: u64| {
            if let Some(price) = price {
                other += price.times(take(whole, count));
            }
        };
        // What was read from the cache is among the audio, and was taken out already.
        apart(self.input_audio, &mut input, usage.input_audio.saturating_sub(detail.cached_audio));
        apart(self.output_audio, &mut output, usage.output_audio);
        apart(self.input_image, &mut input, detail.input_image);
        apart(self.output_image, &mut output, detail.output_image);
        let cached_price = self.cached_input.unwrap_or(self.input);
        let cached_audio = take(&mut cached, detail.cached_audio);
        let written_price = self.cache_write.unwrap_or(self.input);
        let written_1h = take(&mut written, detail.cache_write_1h);
        [
            self.input.times(input),
            cached_price.times(cached) + self.cached_audio.unwrap_or(cached_price).times(cached_audio),
            written_price.times(written) + self.cache_write_1h.unwrap_or(written_price).times(written_1h),
            self.output.times(output),
            self.reasoning.unwrap_or(self.output).times(reasoning),
            other,
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

/// Prices of tokens, by the length of the prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// The prices of a short request.
    pub base: Prices,
    /// The prices of longer requests, by rising threshold.
    pub tiers: Vec<Tier>,
}

impl Scale {
    /// The prices of every token of a request with so many input tokens.
    fn at(&self, input: u64) -> &Prices {
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above_input);
        tier.map_or(&self.base, |tier| &tier.prices)
    }
}

/// Prices of what is no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Each request.
    pub request: Option<Price>,
    /// Each picture in the prompt; of some makers of pictures, each one made.
    pub input_picture: Option<Price>,
    /// Each picture made.
    pub picture: Option<Price>,
    /// Each second of audio heard.
    pub input_second: Option<Price>,
    /// Each second of audio spoken.
    pub output_second: Option<Price>,
    /// Each character read.
    pub input_character: Option<Price>,
    /// Each character written.
    pub output_character: Option<Price>,
}

impl Units {
    /// Whether anything but the request itself has a price.
    #[must_use]
    pub fn by_the_piece(&self) -> bool {
        Self { request: None, ..*self } != Self::default()
    }

    /// The charge for the pieces of `usage`, in femto-dollars. `None`: it tells of none that has a price.
    fn charge(&self, usage: &Usage) -> Option<u128> {
        let detail = &usage.detail;
        // One price under two names: some vendors of pictures and of transcriptions count what goes in,
        // others what comes out.
        let picture = self.picture.or(self.input_picture);
        let second = self.input_second.or(self.output_second);
        let charge =
            |price: Option<Price>, count: u64| price.filter(|_| count > 0).map(|price| price.times(count));
        let heard = charge(second, detail.heard_ms).map(|femto| femto / MILLIS);
        let charges =
            [charge(picture, detail.pictures), heard, charge(self.input_character, detail.characters)];
        charges.into_iter().flatten().reduce(|sum, charge| sum + charge)
    }
}

/// Milliseconds in a second. What is left of a femto-dollar is dropped.
const MILLIS: u128 = 1000;

/// What only some lists have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    units: Units,
    /// Batch, flex and priority service, in the order of [`Service::ALL`] without the first.
    services: [Option<Scale>; 3],
}

/// The prices of one model. A model without a known price has no list: `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    standard: Scale,
    more: Option<Box<More>>,
}

impl PriceList {
    /// What an engine of one's own costs.
    pub const FREE: Self = Self::flat(Prices::new(Price::FREE, Price::FREE));

    /// The same prices for requests of every length.
    #[must_use]
    pub const fn flat(base: Prices) -> Self {
        Self { standard: Scale { base, tiers: Vec::new() }, more: None }
    }

    /// Prices that change with the length of the prompt. The order of `tiers` does not matter.
    #[must_use]
    pub fn tiered(base: Prices, mut tiers: Vec<Tier>) -> Self {
        tiers.sort_by_key(|tier| tier.above_input);
        Self { standard: Scale { base, tiers }, more: None }
    }

    /// With prices of what is no token.
    #[must_use]
    pub fn with_units(mut self, units: Units) -> Self {
        if units != Units::default() {
            self.more.get_or_insert_default().units = units;
        }
        self
    }

    /// With the prices of another service.
    #[must_use]
    pub fn with_service(mut self, service: Service, mut scale: Scale) -> Self {
        scale.tiers.sort_by_key(|tier| tier.above_input);
        match slot(service) {
            None => self.standard = scale,
            Some(slot) => self.more.get_or_insert_default().services[slot] = Some(scale),
        }
        self
    }

    /// The prices of a short request.
    #[must_use]
    pub const fn base(&self) -> &Prices {
        &self.standard.base
    }

    /// The prices of longer requests, by rising threshold.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.standard.tiers
    }

    /// Prices of what is no token.
    #[must_use]
    pub fn units(&self) -> Units {
        self.more.as_ref().map(|more| more.units).unwrap_or_default()
    }

    /// The prices of a service of its own price; `None` where it costs what the usual one costs.
    #[must_use]
    pub fn service(&self, service: Service) -> Option<&Scale> {
        match slot(service) {
            None => Some(&self.standard),
            Some(slot) => self.more.as_ref()?.services[slot].as_ref(),
        }
    }

    /// Whether tokens have a price. Where only pieces have one (seconds, characters), what a request costs cannot be
    /// told from its tokens.
    #[must_use]
    pub fn prices_tokens(&self) -> bool {
        *self.base() != Prices::default() || self.units() == Units::default()
    }

    /// Whether nothing is ever charged.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// What `usage` costs: cached and written input are taken out of the input, reasoning out of the
    /// output, audio and pictures (where they have their own price) out of either; charges are summed
    /// exactly and rounded once, half to even. Pieces are charged where no tokens are told: lists that price both
    /// say the same thing twice. Where neither is told ([`PriceList::tells`]) it is no more than the fee of a request.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Cost {
        let mut charges = [0; 6];
        match self.charged(usage) {
            Charged::Tokens => {
                let scale = self.service(usage.detail.service).unwrap_or(&self.standard);
                charges = scale.at(usage.input).charges(usage);
            }
            Charged::Pieces(pieces) => charges[5] = pieces,
            Charged::Request | Charged::Unknown => {}
        }
        charges[5] += self.units().request.map_or(0, |price| price.times(1));
        Cost::from_femto(charges)
    }

    /// Whether `usage` tells what this list charges for. Where it does not, what a request costs is not known.
    #[must_use]
    pub fn tells(&self, usage: &Usage) -> bool {
        !matches!(self.charged(usage), Charged::Unknown)
    }

    fn charged(&self, usage: &Usage) -> Charged {
        let units = self.units();
        // A price of single kinds alone (pictures of tokens, say) is no price of a request.
        let tokens = self.base().input != Price::FREE || self.base().output != Price::FREE;
        if tokens && (usage.total() > 0 || !units.by_the_piece()) {
            return Charged::Tokens;
        }
        match units.charge(usage) {
            Some(pieces) => Charged::Pieces(pieces),
            None if units.by_the_piece() => Charged::Unknown,
            None if units.request.is_some() => Charged::Request,
            None => Charged::Tokens,
        }
    }
}

/// What a list charges for some usage.
enum Charged {
    Tokens,
    /// So many femto-dollars.
    Pieces(u128),
    /// The fee of a request alone.
    Request,
    /// It is not told.
    Unknown,
}

const fn slot(service: Service) -> Option<usize> {
    match service {
        Service::Standard => None,
        Service::Batch => Some(0),
        Service::Flex => Some(1),
        Service::Priority => Some(2),
    }
}

/// Moves up to `wanted` out of `rest`.
fn take(rest: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*rest);
    *rest -= taken;
    taken
}

#[cfg(test)]
mod tests;
