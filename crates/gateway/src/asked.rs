//! What a client asks for, as far as its path says: operation, dialect, and what some dialects have in
//! the path instead of the body.

use pointsman_core::{Dialect, Operation};
use pointsman_wire::embeddings::Shape;
use pointsman_wire::probe::Probe;

use crate::percent;

/// A call of the data plane.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) dialect: Dialect,
    /// The model, where the path has it (Gemini).
    pub(crate) model: Option<Box<str>>,
    /// Whether the path asks for a stream, where it says so (Gemini).
    streamed: Option<bool>,
    /// Gemini: a stream is a JSON array unless the query says `alt=sse`.
    pub(crate) json_array: bool,
    /// How embeddings are asked for.
    pub(crate) shape: Shape,
}

impl Asked {
    /// An operation of OpenAI's API.
    pub(crate) const fn openai(operation: Operation) -> Self {
        Self::in_body(operation, Dialect::OpenAiChat)
    }

    /// An operation whose body says the rest.
    pub(crate) const fn in_body(operation: Operation, dialect: Dialect) -> Self {
        let shape = Shape::OpenAi;
        Self { operation, dialect, model: None, streamed: None, json_array: false, shape }
    }

    /// Embeddings; the body says the rest.
    pub(crate) fn embeddings(shape: Shape) -> Self {
        Self { shape, ..Self::in_body(Operation::Embeddings, shape.dialect()) }
    }

    /// A method of a Gemini model: `path` follows `/models/`.
    pub(crate) fn gemini(path: &str, query: Option<&str>) -> Option<Self> {
        let GeminiMethod { model, operation, streamed, shape } = gemini_method(path)?;
        let sse = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        Some(Self {
            operation,
            dialect: Dialect::Gemini,
            model: Some(percent::decode(model)?.into()),
            streamed: Some(streamed),
            json_array: streamed && !sse,
            shape,
        })
    }

    /// Whether the answer is to be streamed.
    pub(crate) fn streams(&self, probe: &Probe<'_>) -> bool {
        // Other operations know `stream` too, but their events are not those of completions.
        if !matches!(self.operation, Operation::Chat | Operation::TextCompletion) {
            return false;
        }
        match (self.streamed, self.dialect) {
            (Some(streamed), _) => streamed,
            // Ollama streams unless told otherwise.
            (None, Dialect::Ollama) => probe.stream != Some(false),
            (None, _) => probe.streams(),
        }
    }
}

/// A method of a model, in a path of Gemini's API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeminiMethod<'p> {
    /// Still escaped.
    model: &'p str,
    operation: Operation,
    streamed: bool,
    shape: Shape,
}

/// What follows `/models/` in a path of Gemini's API. `None`: no method that is served.
pub(crate) fn gemini_method(path: &str) -> Option<GeminiMethod<'_>> {
    let (model, method) = path.rsplit_once(':')?;
    let (operation, streamed, shape) = match method {
        "generateContent" => (Operation::Chat, false, Shape::OpenAi),
        "streamGenerateContent" => (Operation::Chat, true, Shape::OpenAi),
        "countTokens" => (Operation::TokenCount, false, Shape::OpenAi),
        "embedContent" => (Operation::Embeddings, false, Shape::GeminiOne),
        "batchEmbedContents" => (Operation::Embeddings, false, Shape::GeminiBatch),
        _ => return None,
    };
    (!model.is_empty()).then_some(GeminiMethod { model, operation, streamed, shape })
}

#[cfg(test)]
mod tests {
    use pointsman_wire::probe::probe;

    use super::*;

    #[test]
    fn a_gemini_path_names_model_and_method() {
        let asked = Asked::gemini("gemini-2.5-flash:streamGenerateContent", Some("key=x&alt=sse")).unwrap();
        assert_eq!((asked.model.as_deref(), asked.streamed), (Some("gemini-2.5-flash"), Some(true)));
        assert!(!asked.json_array);
        let asked = Asked::gemini("openai%2Fgpt%3A1:streamGenerateContent", None).unwrap();
        assert_eq!(asked.model.as_deref(), Some("openai/gpt:1"));
        assert!(asked.json_array);
        let asked = Asked::gemini("llama3:8b:generateContent", Some("alt=sse")).unwrap();
        assert_eq!((asked.model.as_deref(), asked.streamed), (Some("llama3:8b"), Some(false)));
        assert_eq!(Asked::gemini("openai/gpt:countTokens", None).unwrap().operation, Operation::TokenCount);
        let asked = Asked::gemini("e:batchEmbedContents", None).unwrap();
        assert_eq!((asked.operation, asked.shape), (Operation::Embeddings, Shape::GeminiBatch));
        for wrong in ["x:deleteEverything", "x", "%ff:generateContent", ":generateContent", ""] {
            assert!(Asked::gemini(wrong, None).is_none(), "{wrong}");
        }
    }

    #[test]
    fn ollama_streams_by_itself() {
        let streams =
            |dialect, body: &[u8]| Asked::in_body(Operation::Chat, dialect).streams(&probe(body).unwrap());
        assert!(streams(Dialect::Ollama, b"{}"));
        assert!(!streams(Dialect::Ollama, br#"{"stream": false}"#));
        assert!(!streams(Dialect::Anthropic, b"{}"));
        assert!(streams(Dialect::Anthropic, br#"{"stream": true}"#));
        let embeddings = Asked::openai(Operation::Embeddings);
        assert!(!embeddings.streams(&probe(br#"{"stream": true}"#).unwrap()));
        let gemini = Asked::gemini("m:generateContent", None).unwrap();
        assert!(!gemini.streams(&probe(br#"{"stream": true}"#).unwrap()), "the path says it");
    }
}
