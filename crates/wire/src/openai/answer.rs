//! Whole answers: what accounting needs from them, read from the bytes that are forwarded.

use pointsman_core::{Operation, Usage};

use super::error::{self, UpstreamError};
use super::payload;
use crate::json::JsonError;

/// What an answer says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// As the provider reported it.
    pub usage: Option<Usage>,
    /// The model that answered, as the provider names it.
    pub model: Option<Box<str>>,
    /// Why the last choice ended.
    pub finish_reason: Option<Box<str>>,
    /// Some servers answer 200 and put the error in the body.
    pub error: Option<UpstreamError>,
    /// Characters of text, reasoning and tool arguments over all choices: for estimates.
    pub output_chars: u64,
    /// The number of choices.
    pub choices: u64,
}

/// The body is no answer to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Broken off, or something else altogether.
    #[error("the answer is not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// A member that the answer must have.
    #[error("the answer has no `{0}`")]
    Missing(&'static str),
}

/// Validates an answer and reads it.
///
/// # Errors
/// It is not one JSON object, or has neither an error nor what `operation` asks for.
pub fn observe(operation: Operation, body: &[u8]) -> Result<Answer, Malformed> {
    let payload = payload::read(body)?;
    let text = |raw: crate::json::RawStr<'_>| raw.value().map(|value| Box::from(&*value));
    let answer = Answer {
        usage: payload.usage,
        model: payload.model.and_then(text),
        finish_reason: payload.finish_reason.and_then(text),
        error: payload.failed.then(|| error::parse(body)),
        output_chars: payload.choices.iter().map(|choice| choice.chars).sum(),
        choices: payload.choices.len() as u64,
    };
    let (member, present) = match operation {
        Operation::Chat | Operation::TextCompletion => ("choices", payload.has_choices),
        Operation::Embeddings => ("data", payload.has_data),
        // Vendors differ too much: any JSON object will do.
        _ => ("", true),
    };
    if present || answer.error.is_some() { Ok(answer) } else { Err(Malformed::Missing(member)) }
}

#[cfg(test)]
mod tests;
