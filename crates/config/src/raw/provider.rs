//! A provider as written.

use std::borrow::Cow;

use pointsman_core::Dialect;
use pointsman_providers::Protocol;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode, Named, OneOrMany, Span, section};
use crate::raw::node::words;
use crate::raw::{
    Breaker, CaFile, Limits, OffOr, PrefillWord, Probe, ProviderHttp2, Proxy, Quirks, ReasoningTimeouts,
    Secret,
};
use crate::yaml::{Node, Place, Spanned, Value};

section! {
    /// A vendor account or a server. A provider named after a known vendor or engine needs nothing
    /// else: base URL and the variable of the key are known.
    pub(crate) struct Provider {
        /// The protocol; by default what a known vendor or engine speaks at home, else `openai`, which every
        /// OpenAI-compatible server speaks.
        kind: Option<Kind>,
        /// The dialects of chat that the server understands, where it has more than its protocol's; the
        /// first is the one to convert to.
        dialects: Option<OneOrMany<Spanned<DialectWord>>>,
        /// Azure's `api-version`; without one, its `/openai/v1` paths are used.
        api_version: Option<Spanned<String>>,
        /// The vendor or engine whose presets and prices apply, where the name does not say so.
        vendor: Option<Spanned<String>>,
        /// Where the API is: `https://host/v1`, without `/chat/completions`.
        base_url: Option<Spanned<String>>,
        /// Keys, which take turns.
        keys: Option<OneOrMany<Secret>>,
        /// Where the data is processed.
        region: Option<String>,
        /// Further headers of every request; a value is a text or a secret.
        headers: Option<Named<Header>>,
        /// Certificate authorities that alone may vouch for the server.
        ca: Option<CaFile>,
        /// The proxy on the way.
        proxy: Option<Proxy>,
        /// Whether HTTP/2 is spoken.
        http2: Option<Spanned<ProviderHttp2>>,
        /// Limits.
        timeouts: Option<Timeouts>,
        /// When a deployment is left in peace, or `off`.
        breaker: Option<OffOr<Breaker>>,
        /// What each deployment can take.
        limits: Option<Limits>,
        /// Where it is: balancing prefers the zone of `server.zone`.
        zone: Option<String>,
        /// How long a deployment that was not in use takes to get its whole share.
        ease_in: Option<Span>,
        /// Calls that find out whether a deployment is well again; `off` by default, as they are paid for.
        probe: Option<OffOr<Probe>>,
        /// How its models go on from an answer that has begun, where the catalogue does not know.
        prefill: Option<PrefillWord>,
        /// Whether its models reason, where the catalogue does not know.
        reasoning: Option<bool>,
        /// Free labels.
        tags: Option<OneOrMany<String>>,
        /// The models: `any`, or a list of upstream ids, each alone or with what holds for it.
        models: Option<Models>,
        /// Whether `stream_options.include_usage` is accepted.
        include_usage: Option<bool>,
        /// In what it differs from others of its dialect.
        quirks: Option<Quirks>,
        /// Whether it runs on one's own machines and costs nothing.
        local: Option<bool>,
    }
}

section! {
    /// Limits for each phase of a call.
    #[derive(Default)]
    pub(crate) struct Timeouts {
        /// Name resolution, TCP and TLS.
        connect: Option<Spanned<Span>>,
        /// From the sent request to the response head.
        first_byte: Option<Spanned<Span>>,
        /// From the response head to the first token, of a stream.
        first_token: Option<Spanned<Span>>,
        /// Between two chunks of a stream.
        between_chunks: Option<Spanned<Span>>,
        /// The whole request, with all attempts.
        total: Option<Spanned<Span>>,
        /// In place of these, for models that reason.
        reasoning: Option<ReasoningTimeouts>,
    }
}

section! {
    /// Limits of one model in place of its provider's.
    pub(crate) struct ModelTimeouts {
        /// Name resolution, TCP and TLS.
        connect: Option<Spanned<Span>>,
        /// From the sent request to the response head.
        first_byte: Option<Spanned<Span>>,
        /// From the response head to the first token, of a stream.
        first_token: Option<Spanned<Span>>,
        /// Between two chunks of a stream.
        between_chunks: Option<Spanned<Span>>,
        /// The whole request, with all attempts.
        total: Option<Spanned<Span>>,
    }
}

section! {
    /// A model with what holds for it in place of what its provider says.
    pub(crate) struct Model {
        /// The upstream id.
        id: Spanned<String>,
        /// The longest prompt, in tokens, where the catalogue does not know it.
        context_length: Option<Spanned<u32>>,
        /// Limits.
        timeouts: Option<ModelTimeouts>,
        /// When it is left in peace, or `off`.
        breaker: Option<OffOr<Breaker>>,
        /// What it can take.
        limits: Option<Limits>,
        /// Where it is.
        zone: Option<String>,
        /// How long it takes to get its whole share after it was not in use.
        ease_in: Option<Span>,
        /// Calls that find out whether it is well again, or `off`.
        probe: Option<OffOr<Probe>>,
        /// How it goes on from an answer that has begun.
        prefill: Option<PrefillWord>,
        /// Whether it reasons.
        reasoning: Option<bool>,
    }
}

words! {
    /// The protocol that a provider speaks.
    pub(crate) enum Kind {
        /// OpenAI's API.
        Openai = "openai",
        /// OpenAI's API, chats through `/responses`.
        OpenaiResponses = "openai-responses",
        /// Azure OpenAI.
        Azure = "azure",
        /// Anthropic's API.
        Anthropic = "anthropic",
        /// Google's Gemini API.
        Gemini = "gemini",
        /// Ollama's own API.
        Ollama = "ollama",
        /// Built in: made-up answers, for trying things out.
        Simulated = "simulated",
    }
}

words! {
    /// A dialect of chat.
    pub(crate) enum DialectWord {
        /// `POST /v1/chat/completions`
        OpenaiChat = "openai-chat",
        /// `POST /v1/responses`
        OpenaiResponses = "openai-responses",
        /// `POST /v1/messages`
        Anthropic = "anthropic",
        /// `POST /v1beta/models/{model}:generateContent`
        Gemini = "gemini",
        /// `POST /api/chat`
        Ollama = "ollama",
    }
}

impl From<DialectWord> for Dialect {
    fn from(word: DialectWord) -> Self {
        match word {
            DialectWord::OpenaiChat => Self::OpenAiChat,
            DialectWord::OpenaiResponses => Self::OpenAiResponses,
            DialectWord::Anthropic => Self::Anthropic,
            DialectWord::Gemini => Self::Gemini,
            DialectWord::Ollama => Self::Ollama,
        }
    }
}

impl Kind {
    /// The protocol; `None` where answers are made up.
    pub(crate) const fn protocol(self) -> Option<Protocol> {
        Some(match self {
            Self::Openai => Protocol::OpenAi,
            Self::OpenaiResponses => Protocol::OpenAiResponses,
            Self::Azure => Protocol::Azure,
            Self::Anthropic => Protocol::Anthropic,
            Self::Gemini => Protocol::Gemini,
            Self::Ollama => Protocol::Ollama,
            Self::Simulated => return None,
        })
    }
}

/// A header's value.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Text(Spanned<String>),
    Secret(Secret),
}

impl Decode for Header {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => Secret::decode(node, cx).map(Self::Secret),
            _ => Spanned::decode(node, cx).map(Self::Text),
        }
    }
}

impl JsonSchema for Header {
    fn schema_name() -> Cow<'static, str> {
        "Header".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        json_schema!({ "anyOf": [{ "type": "string" }, secret] })
    }
}

/// The models of a provider.
#[derive(Debug)]
pub(crate) enum Models {
    Any,
    /// Those of the list; where `any` is one of them, others are taken as well.
    Listed(Vec<ModelEntry>),
}

/// One model of a list.
#[derive(Debug)]
pub(crate) enum ModelEntry {
    Id(Spanned<String>),
    Model(Box<Model>),
}

impl Decode for Models {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::List(list) if list.is_empty() => {
                let hint = "list at least one model, or write `models: any`";
                cx.fail_hint(node.place, "a provider without models is never used", hint)
            }
            Value::List(_) => Vec::decode(node, cx).map(Self::Listed),
            Value::Scalar { text, .. } if text == "any" => Some(Self::Any),
            _ => cx.mismatch(node, "`any` or a list of models"),
        }
    }
}

impl Decode for ModelEntry {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => Model::decode(node, cx).map(|model| Self::Model(Box::new(model))),
            _ => Spanned::decode(node, cx).map(Self::Id),
        }
    }
}

impl JsonSchema for Models {
    fn schema_name() -> Cow<'static, str> {
        "Models".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let model = generator.subschema_for::<Model>();
        json_schema!({
            "anyOf": [
                { "const": "any" },
                { "type": "array", "items": { "anyOf": [{ "type": "string" }, model] }, "minItems": 1 },
            ],
        })
    }
}

impl Secret {
    pub(crate) const fn place(&self) -> Place {
        match self {
            Self::Env { place, .. } | Self::File { place, .. } => *place,
        }
    }
}
