//! In what a provider differs from the inventor of its dialect, as written.

use std::borrow::Cow;

use crate::decode::{Named, OneOrMany, section};
use crate::raw::node::words;

section! {
    /// In what the server differs from the inventor of OpenAI's chat dialect. What is not said is as with the
    /// vendor.
    pub(crate) struct Quirks {
        /// Whether the limit of an answer is called `max_tokens`, not `max_completion_tokens`.
        old_max_tokens: Option<bool>,
        /// Whether `system` stands for the `developer` role.
        no_developer_role: Option<bool>,
        /// Whether ids of tool calls must have nine letters and digits, as Mistral's.
        short_call_ids: Option<bool>,
        /// Top-level fields that it refuses.
        drops: Option<OneOrMany<String>>,
        /// Top-level fields that it calls otherwise.
        renames: Option<Named<String>>,
        /// What it understands beyond the dialect.
        extras: Option<OneOrMany<Extra>>,
    }
}

words! {
    /// Something that some servers add to OpenAI's chat dialect.
    pub(crate) enum Extra {
        /// Sampling among so many tokens.
        TopK = "top_k",
        /// Sampling above a share of the best token's probability.
        MinP = "min_p",
        /// A factor against repetition.
        RepetitionPenalty = "repetition_penalty",
        /// OpenRouter's object of effort and budget.
        Reasoning = "reasoning",
        /// An object with a `type`.
        Thinking = "thinking",
        /// A switch.
        EnableThinking = "enable_thinking",
        /// How many tokens to think at most, beside the switch.
        ThinkingBudget = "thinking_budget",
        /// Thoughts of earlier turns.
        ReasoningContent = "reasoning_content",
        /// Anthropic's marks of what to cache.
        CacheControl = "cache_control",
        /// Films as parts of a message.
        VideoUrl = "video_url",
    }
}

impl Extra {
    /// The word, as it is written here and sent.
    pub(crate) const fn word(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::TopK => "top_k",
            Self::MinP => "min_p",
            Self::RepetitionPenalty => "repetition_penalty",
            Self::Reasoning => "reasoning",
            Self::Thinking => "thinking",
            Self::EnableThinking => "enable_thinking",
            Self::ThinkingBudget => "thinking_budget",
            Self::ReasoningContent => "reasoning_content",
            Self::CacheControl => "cache_control",
            Self::VideoUrl => "video_url",
        })
    }
}
