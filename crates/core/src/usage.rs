//! Tokens of one request, with one meaning for every provider.

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The provider said so.
    Reported,
    /// Counted here: tokens of a running stream (one content delta is taken as one token), pictures of an
    /// answer, characters of a text to be spoken.
    Counted,
    /// Estimated from lengths in characters.
    Estimated,
    /// Nothing is known: no answer, or an answer without usage.
    #[default]
    Unknown,
}

impl UsageSource {
    /// All sources.
    pub const ALL: [Self; 4] = [Self::Reported, Self::Counted, Self::Estimated, Self::Unknown];

    /// Whether the provider did not say so itself, but there are numbers.
    #[must_use]
    pub const fn is_estimate(self) -> bool {
        matches!(self, Self::Counted | Self::Estimated)
    }

    /// The word used in records, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Counted => "counted",
            Self::Estimated => "estimated",
            Self::Unknown => "unknown",
        }
    }
}

/// How a provider serves a request, where it offers several ways at several prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Service {
    /// As usual.
    #[default]
    Standard,
    /// Within a day, as part of a batch.
    Batch,
    /// When there is room (OpenAI's and Google's `flex`).
    Flex,
    /// Before others.
    Priority,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// The word used in records and in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// What an answer's `service_tier` says. Words that no price list knows (`default`, `scale`, …) count as
    /// the usual service.
    #[must_use]
    pub fn from_tier(tier: &str) -> Self {
        Self::ALL.into_iter().find(|service| service.as_str() == tier).unwrap_or_default()
    }
}

/// Counts that few answers have: parts of the counts in [`Usage`] with prices of their own, and what is paid by the
/// piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageDetail {
    /// Of [`Usage::cache_write`], what is to be kept for an hour instead of five minutes.
    pub cache_write_1h: u64,
    /// Of [`Usage::cached_input`], audio.
    pub cached_audio: u64,
    /// Of [`Usage::input`], pictures.
    pub input_image: u64,
    /// Of [`Usage::output`], pictures.
    pub output_image: u64,
    /// Pictures made.
    pub pictures: u64,
    /// Audio heard, in milliseconds, where it is not told in tokens.
    pub heard_ms: u64,
    /// Characters of a text that was spoken.
    pub characters: u64,
    /// How the request was served.
    pub service: Service,
}

/// Token counts. `input` includes `cached_input` and `cache_write`; `output` includes `reasoning`
/// (OpenAI's meaning; other providers are normalised to it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens.
    pub input: u64,
    /// Prompt tokens that the provider read from its cache.
    pub cached_input: u64,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// All completion tokens.
    pub output: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning: u64,
    /// Prompt tokens of audio.
    pub input_audio: u64,
    /// Completion tokens of audio.
    pub output_audio: u64,
    /// Where the counts come from.
    pub source: UsageSource,
    /// What only some answers tell.
    pub detail: UsageDetail,
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
