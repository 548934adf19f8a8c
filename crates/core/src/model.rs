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

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $word:literal at $path:literal;)+) => {
        /// What the client asks for, whatever the dialect (OpenTelemetry's `gen_ai.operation.name`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)+ }

        impl Operation {
            /// All operations, for building tables.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$name),+];

            /// OpenTelemetry's word where it has one.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// The path below an OpenAI-compatible base URL (which ends in `/v1` or the like). Of
            /// operations with many paths, what all of them begin with.
            #[must_use]
            pub const fn openai_path(self) -> &'static str {
                match self { $(Self::$name => $path),+ }
            }
        }
    };
}

operations! {
    /// `POST /v1/chat/completions`
    Chat = "chat" at "/chat/completions";
    /// `POST /v1/messages/count_tokens` and its like
    TokenCount = "token_count" at "/chat/completions";
    /// `POST /v1/completions`
    TextCompletion = "text_completion" at "/completions";
    /// `POST /v1/embeddings`
    Embeddings = "embeddings" at "/embeddings";
    /// `POST /v1/moderations`
    Moderation = "moderation" at "/moderations";
    /// `POST /v1/rerank`
    Rerank = "rerank" at "/rerank";
    /// `POST /v1/images/generations`
    ImageGeneration = "image_generation" at "/images/generations";
    /// `POST /v1/images/edits`
    ImageEdit = "image_edit" at "/images/edits";
    /// `POST /v1/images/variations`
    ImageVariation = "image_variation" at "/images/variations";
    /// `POST /v1/audio/speech`
    Speech = "speech" at "/audio/speech";
    /// `POST /v1/audio/transcriptions`
    Transcription = "transcription" at "/audio/transcriptions";
    /// `POST /v1/audio/translations`
    Translation = "translation" at "/audio/translations";
    /// `/v1/files` and below
    Files = "files" at "/files";
    /// `/v1/batches` and below
    Batches = "batches" at "/batches";
    /// `/v1/responses/{id}` and below
    Responses = "responses" at "/responses";
    /// Any other path that the configuration lets through.
    PassThrough = "pass_through" at "/";
    /// `GET /v1/realtime`, a WebSocket
    Realtime = "realtime" at "/realtime";
}

impl Operation {
    /// The position in [`Operation::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether its answers are tokens of text, whose number can be estimated where none is reported.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Chat | Self::TextCompletion | Self::Embeddings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_list() {
        for (position, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation.index(), position);
            assert!(operation.openai_path().starts_with('/'));
        }
    }
}
