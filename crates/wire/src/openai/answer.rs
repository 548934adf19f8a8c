//! Whole answers: what accounting needs from them, read from the bytes that are forwarded.

use pointsman_core::{Operation, Usage, UsageSource};

use super::error::{self, UpstreamError};
use super::payload::{self, Payload};
use super::usage;
use crate::json::{JsonError, Scanner};

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
    let mut payload = payload::read(body)?;
    let usage = pieces(operation, &mut payload);
    let text = |raw: crate::json::RawStr<'_>| raw.value().map(|value| Box::from(&*value));
    let answer = Answer {
        usage,
        model: payload.model.and_then(text),
        finish_reason: payload.finish_reason.and_then(text),
        error: payload.failed.then(|| error::parse(body)),
        output_chars: payload.choices.iter().map(|choice| choice.chars).sum(),
        choices: payload.choices.len() as u64,
    };
    let (member, present) = match operation {
        Operation::Chat | Operation::TextCompletion => ("choices", payload.has_choices),
        Operation::Embeddings => ("data", payload.data.is_some()),
        // Vendors differ too much: any JSON object will do.
        _ => ("", true),
    };
    if present || answer.error.is_some() { Ok(answer) } else { Err(Malformed::Missing(member)) }
}

/// The reported usage, with what an answer shows of pieces that may have a price: pictures, time.
fn pieces(operation: Operation, payload: &mut Payload<'_>) -> Option<Usage> {
    let reported = payload.usage.take();
    match operation {
        Operation::ImageGeneration | Operation::ImageEdit | Operation::ImageVariation => {
            let pictures = payload.data.unwrap_or(0);
            if reported.is_none() && pictures == 0 {
                return None;
            }
            let source = UsageSource::Counted;
            let usage = reported.unwrap_or(Usage { source, ..Usage::default() });
            Some(drawn(usage, pictures))
        }
        Operation::Transcription | Operation::Translation => {
            reported.or_else(|| payload.heard_ms.map(usage::heard))
        }
        _ => reported,
    }
}

/// The usage of an answer that consists of pictures: what does not say otherwise is tokens of pictures.
#[must_use]
pub fn drawn(mut usage: Usage, pictures: u64) -> Usage {
    let detail = &mut usage.detail;
    detail.pictures = pictures;
    if detail.output_image == 0 {
        detail.output_image = usage.output;
    }
    usage
}

/// Characters of the text in a request for speech: what some vendors charge for. `None`: there is no text.
#[must_use]
pub fn spoken(request: &[u8]) -> Option<u64> {
    let mut scanner = Scanner::new(request).ok()?;
    let mut characters = None;
    let read = scanner.object(|scanner, key| match &*key.name() {
        "input" => {
            characters = scanner.string_or_skip()?.map(|text| text.chars());
            Ok::<_, JsonError>(())
        }
        _ => scanner.skip(),
    });
    read.ok().and(characters)
}

#[cfg(test)]
mod tests;
