//! Embeddings between dialects, through one small neutral form.
//!
//! Clients call OpenAI's `/v1/embeddings`, Gemini's `:embedContent` and `:batchEmbedContents`, Ollama's
//! `/api/embed` and its older `/api/embeddings`; providers are asked in OpenAI's, Gemini's (in batches) or
//! Ollama's (`/api/embed`) way. Members as in the vendors' SDKs (openai-python 3.54, google-genai 3.4,
//! ollama-python 0.6). Vectors are moved as the texts that their numbers are.

mod gemini;
mod ollama;
mod openai;
#[cfg(test)]
mod tests;
mod vector;

use pointsman_core::{Dialect, Usage};

use crate::json::{Document, Text, Writer};
use crate::neutral::{
    CHARS_PER_TOKEN, DecodeError, EncodeError, Encoded, Extension, Given, Losses, Path, Target,
};

pub use vector::Vector;

/// One way to ask for embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `POST /v1/embeddings`
    OpenAi,
    /// `POST /v1beta/models/{model}:embedContent`
    GeminiOne,
    /// `POST /v1beta/models/{model}:batchEmbedContents`
    GeminiBatch,
    /// `POST /api/embed`
    Ollama,
    /// `POST /api/embeddings`
    OllamaOne,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OpenAi, Self::GeminiOne, Self::GeminiBatch, Self::Ollama, Self::OllamaOne];

    /// Whose clients ask so.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi => Dialect::OpenAiChat,
            Self::GeminiOne | Self::GeminiBatch => Dialect::Gemini,
            Self::Ollama | Self::OllamaOne => Dialect::Ollama,
        }
    }

    /// How a provider of this dialect is asked; `None`: its dialect has no embeddings.
    #[must_use]
    pub const fn of_provider(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => Some(Self::OpenAi),
            Dialect::Gemini => Some(Self::GeminiBatch),
            Dialect::Ollama => Some(Self::Ollama),
            Dialect::Anthropic => None,
        }
    }
}

/// What is to be embedded, and how.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// How it was asked.
    pub shape: Shape,
    /// One vector is made of each.
    pub inputs: Vec<Input<'a>>,
    /// OpenAI: vectors as little-endian `f32`s in base64.
    pub base64: bool,
    /// OpenAI: who the end user is.
    pub user: Option<Given<Text<'a>>>,
    /// Ollama: whether what is too long is cut instead of refused.
    pub truncate: Option<Given<bool>>,
    /// What has no place here.
    pub rest: Vec<Extension<'a>>,
}

/// One thing to be embedded.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Itself.
    pub said: Said<'a>,
    /// Where it stands.
    pub path: Path,
    /// Gemini: what the vector is for (`RETRIEVAL_DOCUMENT`).
    pub task: Option<Text<'a>>,
    /// Gemini: the document's title.
    pub title: Option<Text<'a>>,
    /// The vector's length.
    pub dimensions: Option<u64>,
    /// What has no place here.
    pub rest: Vec<Extension<'a>>,
}

/// What is embedded.
#[derive(Clone, Debug)]
pub enum Said<'a> {
    /// A text, in pieces.
    Text(Vec<Text<'a>>),
    /// OpenAI: a list of tokens, as it stands.
    Tokens(&'a str),
    /// Gemini: a content, as it stands; its pieces, or the place of one that is no text.
    Content(&'a str, Result<Vec<Text<'a>>, Path>),
}

impl Request<'_> {
    /// Tokens of all inputs, about.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        self.inputs.iter().map(Input::estimated_tokens).sum()
    }
}

impl<'a> Input<'a> {
    fn new(said: Said<'a>, path: Path) -> Self {
        Self { said, path, task: None, title: None, dimensions: None, rest: Vec::new() }
    }

    /// Its tokens, about: four characters each, where they are not counted already.
    fn estimated_tokens(&self) -> u64 {
        match &self.said {
            Said::Text(texts) | Said::Content(_, Ok(texts)) => {
                let chars = |text: &Text<'_>| text.value().chars().count() as u64;
                texts.iter().map(chars).sum::<u64>().div_ceil(CHARS_PER_TOKEN)
            }
            Said::Tokens(list) => list.split(',').count() as u64,
            Said::Content(raw, Err(_)) => (raw.len() as u64).div_ceil(CHARS_PER_TOKEN),
        }
    }

    /// Its text.
    fn texts(&self) -> Result<&[Text<'a>], EncodeError> {
        let problem = "has no counterpart in the provider's API, which embeds text";
        match &self.said {
            Said::Text(texts) | Said::Content(_, Ok(texts)) => Ok(texts),
            Said::Content(_, Err(place)) => Err(EncodeError { field: place.to_string(), problem }),
            Said::Tokens(_) => Err(EncodeError {
                field: self.path.to_string(),
                problem: "is a list of tokens, and the provider takes text only",
            }),
        }
    }
}

impl Request<'_> {
    /// The one length of all vectors.
    fn dimensions(&self) -> Result<Option<u64>, EncodeError> {
        let first = self.inputs.first().and_then(|input| input.dimensions);
        match self.inputs.iter().find(|input| input.dimensions != first) {
            None => Ok(first),
            Some(other) => Err(EncodeError {
                field: other.path.member(gemini::DIMENSIONS),
                problem: "differs from the first, and the provider has one length for all",
            }),
        }
    }

    /// Notes what only Gemini has a place for.
    fn lose_purposes(&self, losses: &mut Losses) {
        for input in &self.inputs {
            for (name, given) in [(gemini::TASK, &input.task), (gemini::TITLE, &input.title)] {
                if given.is_some() {
                    losses.member(input.path, name);
                }
            }
            losses.extensions(&input.rest);
        }
    }
}

/// Reads a client's request.
///
/// # Errors
/// A member that matters is missing or of another type.
pub fn decode_request<'a>(shape: Shape, document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    match shape {
        Shape::OpenAi => openai::decode_request(document),
        Shape::GeminiOne => gemini::decode_one(document),
        Shape::GeminiBatch => gemini::decode_batch(document),
        Shape::Ollama | Shape::OllamaOne => ollama::decode_request(shape, document),
    }
}

/// Writes a provider's request, in the shape that [`Shape::of_provider`] says.
///
/// # Errors
/// Something that cannot be left out has no counterpart.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    match Shape::of_provider(target.dialect) {
        Some(Shape::OpenAi) => openai::encode_request(request, target),
        Some(Shape::GeminiOne | Shape::GeminiBatch) => gemini::encode_request(request, target),
        Some(Shape::Ollama | Shape::OllamaOne) => ollama::encode_request(request, target),
        None => Err(EncodeError {
            field: "model".to_owned(),
            problem: "is of a provider whose API has no embeddings",
        }),
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// One for each input, in the same order.
    pub vectors: Vec<Vector<'a>>,
    /// Who says to have made them.
    pub model: Option<Text<'a>>,
    /// `None`: not told.
    pub usage: Option<Usage>,
    /// What has no place here.
    pub rest: Vec<Extension<'a>>,
}

/// Reads a provider's answer to a request with `expected` inputs.
///
/// # Errors
/// It is none, or has not one vector for each input.
pub fn decode_answer<'a>(
    shape: Shape,
    document: &Document<'a>,
    expected: usize,
) -> Result<Answer<'a>, DecodeError> {
    let (list, answer) = match shape {
        Shape::OpenAi => ("data", openai::decode_answer(document)),
        Shape::GeminiOne | Shape::GeminiBatch => ("embeddings", gemini::decode_answer(shape, document)),
        Shape::Ollama | Shape::OllamaOne => ("embeddings", ollama::decode_answer(shape, document)),
    };
    answer.and_then(|answer| match answer.vectors.len() == expected {
        true => Ok(answer),
        false => Err(DecodeError::wrong(list, "one embedding for each input")),
    })
}

/// What an answer needs besides the answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// How it was asked.
    pub shape: Shape,
    /// As [`Request::base64`].
    pub base64: bool,
    /// Who made the vectors, where the provider does not say.
    pub model: &'r str,
    /// What was used, whoever counted.
    pub usage: Usage,
}

/// Writes a client's answer.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, reply: &Reply<'_>) -> Encoded {
    let numbers: usize = answer.vectors.iter().map(Vector::text_len).sum();
    let mut writer = Writer::with_capacity(numbers + 256);
    match reply.shape {
        Shape::OpenAi => openai::write_answer(&mut writer, answer, reply),
        Shape::GeminiOne | Shape::GeminiBatch => gemini::write_answer(&mut writer, answer, reply),
        Shape::Ollama | Shape::OllamaOne => ollama::write_answer(&mut writer, answer, reply),
    }
    let mut losses = Losses::default();
    losses.extensions(&answer.rest);
    Encoded { body: writer.finish(), losses }
}
