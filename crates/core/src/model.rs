//! What is routed to, and which operation is asked of it.

use std::fmt;
use std::sync::Arc;

/// A provider's model, as the provider names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// The configured provider's name: the first segment of `provider/model`.
    pub provider: Arc<str>,
    /// The upstream model id, which may itself hold slashes and colons.
    pub model: Arc<str>,
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// Names a deployment across config generations: its live state is kept under this key.
pub type DeploymentKey = ModelRef;

/// What the client asks for, whatever the dialect (OpenTelemetry's `gen_ai.operation.name`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    TextCompletion,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Operation {
    /// All operations, for building tables.
    pub const ALL: [Self; 3] = [Self::Chat, Self::TextCompletion, Self::Embeddings];

    /// OpenTelemetry's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
        }
    }

    /// The path below an OpenAI-compatible base URL (which ends in `/v1` or the like).
    #[must_use]
    pub const fn openai_path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::TextCompletion => "/completions",
            Self::Embeddings => "/embeddings",
        }
    }
}
