//! Tokens of one request, with one meaning for every provider.

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The provider said so.
    Reported,
    /// Counted from the running stream (one content delta is taken as one token).
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
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
