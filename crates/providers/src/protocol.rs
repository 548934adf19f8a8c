//! The protocols of providers, as data: which dialects one understands, where its operations are, and
//! how it wants to be shown a key.

use std::borrow::Cow;

use pointsman_core::{Dialect, Operation};

use crate::AuthStyle;

/// A provider's protocol: `kind` in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI's API, as spoken by most vendors and engines. Base URL: `https://host/v1`.
    #[default]
    OpenAi,
    /// The same, but chats go to `/responses`.
    OpenAiResponses,
    /// Azure OpenAI. Base URL: `https://resource.openai.azure.com`.
    Azure,
    /// Anthropic's API. Base URL: `https://host/v1`.
    Anthropic,
    /// Google's Gemini API. Base URL: `https://host/v1beta`; OpenAI's operations are below `/openai` of it.
    Gemini,
    /// Ollama's own API. Base URL: `http://host:11434`; OpenAI's operations are below `/v1` of it.
    Ollama,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 6] =
        [Self::OpenAi, Self::OpenAiResponses, Self::Azure, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// The word used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The dialects of chat that it understands, unless configured otherwise; the first is the one to
    /// convert to.
    #[must_use]
    pub const fn dialects(self) -> &'static [Dialect] {
        match self {
            Self::OpenAi => &[Dialect::OpenAiChat],
            Self::OpenAiResponses => &[Dialect::OpenAiResponses],
            Self::Azure => &[Dialect::OpenAiChat, Dialect::OpenAiResponses],
            Self::Anthropic => &[Dialect::Anthropic],
            Self::Gemini => &[Dialect::Gemini],
            Self::Ollama => &[Dialect::Ollama],
        }
    }

    /// How it is shown a key, where the vendor's row says nothing else.
    #[must_use]
    pub const fn auth(self) -> AuthStyle {
        match self {
            Self::OpenAi | Self::OpenAiResponses | Self::Ollama => AuthStyle::Bearer,
            Self::Azure => AuthStyle::Header("api-key"),
            Self::Anthropic => AuthStyle::Header("x-api-key"),
            Self::Gemini => AuthStyle::Header("x-goog-api-key"),
        }
    }

    /// Headers that every request needs.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
            _ => &[],
        }
    }

    /// Whether the model's name stands in the path.
    #[must_use]
    pub const fn model_in_path(self) -> bool {
        matches!(self, Self::Azure | Self::Gemini)
    }

    /// Where OpenAI's operations are, below the base URL: some vendors have them beside their own.
    #[must_use]
    pub const fn openai_side(self) -> &'static str {
        match self {
            Self::OpenAi | Self::OpenAiResponses | Self::Anthropic => "",
            Self::Azure => "/openai/v1",
            Self::Gemini => "/openai",
            Self::Ollama => "/v1",
        }
    }

    /// Where its list of models is, below the base URL.
    #[must_use]
    pub const fn list_path(self) -> &'static str {
        match self {
            Self::Azure => "/openai/v1/models",
            Self::Ollama => "/api/tags",
            _ => "/models",
        }
    }

    /// Whether chats in this dialect have a path at all.
    #[must_use]
    pub fn speaks(self, dialect: Dialect) -> bool {
        let operation = Operation::Chat;
        self.path(&Call { dialect, operation, model: "m", streamed: false, api_version: None }).is_some()
    }

    /// Path and query below the base URL of one call. `api_version` is Azure's: without one its `/v1`
    /// paths are used, where the model stands in the body. `None`: there is no such call.
    #[must_use]
    pub fn path(self, call: &Call<'_>) -> Option<Cow<'static, str>> {
        let Call { dialect, operation, model, streamed, api_version: _ } = *call;
        if self == Self::Azure {
            return azure(call);
        }
        let own = match dialect {
            Dialect::Gemini if self == Self::Gemini => {
                let method = match (operation, streamed) {
                    (Operation::Chat, true) => "streamGenerateContent?alt=sse",
                    (Operation::Chat, false) => "generateContent",
                    (Operation::TokenCount, _) => "countTokens",
                    (Operation::Embeddings, _) => "batchEmbedContents",
                    _ => return None,
                };
                return Some(format!("/models/{}:{method}", segment(model)).into());
            }
            Dialect::Ollama if self == Self::Ollama => {
                return Some(Cow::Borrowed(match operation {
                    Operation::Chat => "/api/chat",
                    Operation::TextCompletion => "/api/generate",
                    Operation::Embeddings => "/api/embed",
                    _ => return None,
                }));
            }
            Dialect::Gemini | Dialect::Ollama => return None,
            Dialect::OpenAiChat => operation.openai_path(),
            // Both are beside OpenAI's chats, where a server has more than its own dialect; counting is not.
            Dialect::OpenAiResponses => match (self, operation) {
                (Self::Anthropic | Self::Gemini, _) | (Self::Ollama, Operation::TokenCount) => return None,
                (_, Operation::Chat) => "/responses",
                (_, Operation::TokenCount) => "/responses/input_tokens",
                _ => return None,
            },
            Dialect::Anthropic => match (self, operation) {
                (Self::Gemini, _) | (Self::Ollama, Operation::TokenCount) => return None,
                (_, Operation::Chat) => "/messages",
                (_, Operation::TokenCount) => "/messages/count_tokens",
                _ => return None,
            },
        };
        Some(match self.openai_side() {
            "" => own.into(),
            side => format!("{side}{own}").into(),
        })
    }
}

/// Whether a model's name can stand in a path without leading out of it.
#[must_use]
pub fn fits_path(model: &str) -> bool {
    model.split('/').all(|segment| segment.bytes().any(|byte| byte != b'.'))
}

/// What is to be called.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// What is spoken.
    pub dialect: Dialect,
    /// What is asked.
    pub operation: Operation,
    /// The model, as the provider names it.
    pub model: &'c str,
    /// Whether a stream is asked for.
    pub streamed: bool,
    /// Azure's.
    pub api_version: Option<&'c str>,
}

fn azure(call: &Call<'_>) -> Option<Cow<'static, str>> {
    let path = match (call.dialect, call.operation) {
        (Dialect::OpenAiResponses, Operation::Chat) => return Some("/openai/v1/responses".into()),
        (Dialect::OpenAiChat, operation) => operation.openai_path(),
        _ => return None,
    };
    Some(match call.api_version {
        Some(version) => {
            let model = segment(call.model);
            format!("/openai/deployments/{model}{path}?api-version={version}").into()
        }
        None => format!("{}{path}", Protocol::Azure.openai_side()).into(),
    })
}

/// A model's name as one segment of a path. Slashes stay: Gemini's tuned models have them.
fn segment(model: &str) -> String {
    const KEEP: &[u8] = b"-._~/:@";
    let mut out = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || KEEP.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut out, format_args!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(protocol: Protocol, dialect: Dialect, operation: Operation, streamed: bool) -> Option<String> {
        let call = Call { dialect, operation, model: "m/1 x", streamed, api_version: None };
        protocol.path(&call).map(Cow::into_owned)
    }

    #[test]
    fn no_name_leads_out_of_its_path() {
        for sound in ["gpt-4.1", "tunedModels/my-model", "publishers/google/models/gemini-2.5-pro", "a..b"] {
            assert!(fits_path(sound), "{sound}");
        }
        for odd in ["", "..", "a/..", "../a", "a/./b", "a//b", "/a", "a/", "..."] {
            assert!(!fits_path(odd), "{odd}");
        }
    }

    #[test]
    fn every_protocol_has_its_paths() {
        use Dialect::{Anthropic, Gemini, Ollama, OpenAiChat, OpenAiResponses};
        use Operation::{Chat, Embeddings, ImageGeneration, TextCompletion, TokenCount};
        let rows = [
            (Protocol::OpenAi, OpenAiChat, Chat, true, "/chat/completions"),
            (Protocol::OpenAi, OpenAiResponses, Chat, true, "/responses"),
            (Protocol::OpenAi, OpenAiResponses, TokenCount, false, "/responses/input_tokens"),
            (Protocol::OpenAi, Anthropic, Chat, false, "/messages"),
            (Protocol::Anthropic, Anthropic, Chat, false, "/messages"),
            (Protocol::Anthropic, Anthropic, TokenCount, false, "/messages/count_tokens"),
            (Protocol::Anthropic, OpenAiChat, Chat, false, "/chat/completions"),
            (Protocol::Gemini, Gemini, Chat, true, "/models/m/1%20x:streamGenerateContent?alt=sse"),
            (Protocol::Gemini, Gemini, Chat, false, "/models/m/1%20x:generateContent"),
            (Protocol::Gemini, Gemini, TokenCount, false, "/models/m/1%20x:countTokens"),
            (Protocol::Gemini, Gemini, Embeddings, false, "/models/m/1%20x:batchEmbedContents"),
            (Protocol::Gemini, OpenAiChat, Embeddings, false, "/openai/embeddings"),
            (Protocol::Gemini, OpenAiChat, ImageGeneration, false, "/openai/images/generations"),
            (Protocol::Ollama, Ollama, Chat, true, "/api/chat"),
            (Protocol::Ollama, Ollama, TextCompletion, true, "/api/generate"),
            (Protocol::Ollama, Ollama, Embeddings, false, "/api/embed"),
            (Protocol::Ollama, OpenAiChat, Embeddings, false, "/v1/embeddings"),
            (Protocol::Ollama, OpenAiResponses, Chat, false, "/v1/responses"),
            (Protocol::Ollama, Anthropic, Chat, true, "/v1/messages"),
            (Protocol::Azure, OpenAiChat, Chat, false, "/openai/v1/chat/completions"),
            (Protocol::Azure, OpenAiResponses, Chat, false, "/openai/v1/responses"),
        ];
        for (protocol, dialect, operation, streamed, expected) in rows {
            assert_eq!(path(protocol, dialect, operation, streamed).as_deref(), Some(expected));
        }
        let call = Call {
            dialect: OpenAiChat,
            operation: Chat,
            model: "gpt 4",
            streamed: false,
            api_version: Some("2024-10-21"),
        };
        let expected = "/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21";
        assert_eq!(Protocol::Azure.path(&call).as_deref(), Some(expected));
    }

    /// A request must never arrive at the path of another dialect or operation.
    #[test]
    fn what_a_protocol_does_not_have_has_no_path() {
        use Dialect::{Anthropic, Gemini, Ollama, OpenAiChat, OpenAiResponses};
        use Operation::{Chat, Embeddings, Rerank, TextCompletion, TokenCount};
        for (protocol, dialect, operation) in [
            (Protocol::Gemini, Anthropic, Chat),
            (Protocol::Gemini, OpenAiResponses, Chat),
            (Protocol::Gemini, Ollama, Chat),
            (Protocol::Gemini, Gemini, Rerank),
            (Protocol::Ollama, Gemini, Chat),
            (Protocol::Ollama, Ollama, TokenCount),
            (Protocol::Ollama, Anthropic, TokenCount),
            (Protocol::Anthropic, OpenAiResponses, Chat),
            (Protocol::Anthropic, Anthropic, Embeddings),
            (Protocol::OpenAi, Gemini, Chat),
            (Protocol::OpenAi, Ollama, Chat),
            (Protocol::OpenAi, OpenAiResponses, TextCompletion),
            (Protocol::Azure, OpenAiResponses, TokenCount),
            (Protocol::Azure, Anthropic, Chat),
        ] {
            assert_eq!(
                path(protocol, dialect, operation, false),
                None,
                "{protocol:?} {dialect} {operation:?}"
            );
        }
        for protocol in Protocol::ALL {
            assert!(protocol.dialects().iter().all(|&dialect| protocol.speaks(dialect)), "{protocol:?}");
            let all = Operation::ALL.into_iter();
            assert!(all.clone().all(|operation| path(protocol, OpenAiChat, operation, false).is_some()));
        }
    }
}
