//! What a whole answer and a stream chunk have in common: model, choices, usage, error.

use smallvec::SmallVec;

use pointsman_core::Usage;

use super::usage;
use crate::json::{JsonError, Kind, RawStr, Scanner};

/// What was read from one JSON document. Validated to its last byte.
#[derive(Debug, Default)]
pub(super) struct Payload<'a> {
    pub model: Option<RawStr<'a>>,
    /// `choices` is an array.
    pub has_choices: bool,
    pub choices: SmallVec<[Choice; 2]>,
    pub finish_reason: Option<RawStr<'a>>,
    /// The elements of `data`, if that is an array: embeddings, pictures.
    pub data: Option<u64>,
    /// `duration` in milliseconds: of a sound that was transcribed.
    pub heard_ms: Option<u64>,
    pub usage: Option<Usage>,
    /// There is an error in it: [`super::error::parse`] reads which.
    pub failed: bool,
}

/// One choice of an answer or chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    pub index: u64,
    pub finished: bool,
    /// It has text, reasoning, a refusal, a tool call, audio or an image.
    pub speaks: bool,
    /// Characters of text, reasoning, refusal and tool arguments.
    pub chars: u64,
}

/// Reads one document.
pub(super) fn read(body: &[u8]) -> Result<Payload<'_>, JsonError> {
    let mut scanner = Scanner::new(body)?;
    let mut payload = Payload::default();
    let mut timings = None;
    scanner.object(|scanner, key| {
        match &*key.name() {
            "model" => payload.model = scanner.string_or_skip()?,
            "choices" => read_choices(scanner, &mut payload)?,
            "usage" => payload.usage = usage::read(scanner)?.or(payload.usage),
            "error" => payload.failed |= is_something(scanner)?,
            "data" => payload.data = count_elements(scanner)?,
            "duration" => payload.heard_ms = usage::milliseconds(scanner)?,
            // Older vLLM: the document itself is the error.
            "object" => {
                payload.failed |= scanner.string_or_skip()?.is_some_and(|object| object.name() == "error");
            }
            "timings" => timings = usage::read_timings(scanner)?,
            "x_groq" => read_groq(scanner, &mut payload)?,
            _ => scanner.skip()?,
        }
        Ok::<_, JsonError>(())
    })?;
    scanner.end()?;
    payload.usage = usage::merge(payload.usage, timings);
    Ok(payload)
}

fn count_elements(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    if scanner.kind()? != Kind::Array {
        return scanner.skip().map(|()| None);
    }
    let mut count = 0;
    scanner.array(|scanner| {
        count += 1;
        scanner.skip()
    })?;
    Ok(Some(count))
}

/// Groq's own member has the usage of a stream, and an error that ended it early.
fn read_groq(scanner: &mut Scanner<'_>, payload: &mut Payload<'_>) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| {
        match &*key.name() {
            "usage" => payload.usage = payload.usage.or(usage::read(scanner)?),
            "error" => payload.failed |= is_something(scanner)?,
            _ => scanner.skip()?,
        }
        Ok(())
    })
}

fn read_choices<'a>(scanner: &mut Scanner<'a>, payload: &mut Payload<'a>) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Array {
        return scanner.skip();
    }
    payload.has_choices = true;
    scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return scanner.skip();
        }
        let mut choice = Choice::default();
        scanner.object(|scanner, key| {
            match &*key.name() {
                "index" => choice.index = scanner.count_or_skip()?.unwrap_or(0),
                "delta" | "message" => read_message(scanner, &mut choice)?,
                "text" => read_text(scanner, &mut choice)?,
                "finish_reason" => {
                    if let Some(reason) = scanner.string_or_skip()?.filter(|reason| !reason.is_empty()) {
                        choice.finished = true;
                        payload.finish_reason = Some(reason);
                    }
                }
                "error" => payload.failed |= is_something(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, JsonError>(())
        })?;
        payload.choices.push(choice);
        Ok(())
    })
}

fn read_message(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| match &*key.name() {
        "content" | "reasoning_content" | "reasoning" | "refusal" | "reasoning_text" => {
            read_text(scanner, choice)
        }
        "tool_calls" | "function_call" => read_calls(scanner, choice),
        "audio" | "images" | "reasoning_details" => {
            choice.speaks |= is_something(scanner)?;
            Ok(())
        }
        _ => scanner.skip(),
    })
}

/// A string, or Mistral's list of parts.
fn read_text(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if scanner.kind()? == Kind::Array {
        return scanner.array(|scanner| {
            if scanner.kind()? != Kind::Object {
                return scanner.skip();
            }
            scanner.object(|scanner, key| match &*key.name() {
                "text" => count_string(scanner, choice),
                "thinking" => read_thinking(scanner, choice),
                _ => scanner.skip(),
            })
        });
    }
    count_string(scanner, choice)
}

/// `"thinking": [{"type": "text", "text": "…"}]`, or a plain string.
fn read_thinking(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Array {
        return count_string(scanner, choice);
    }
    scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return scanner.skip();
        }
        scanner.object(|scanner, key| match &*key.name() {
            "text" => count_string(scanner, choice),
            _ => scanner.skip(),
        })
    })
}

/// `tool_calls` (a list) or the older `function_call` (an object): names and arguments count.
fn read_calls(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    match scanner.kind()? {
        Kind::Array => scanner.array(|scanner| {
            choice.speaks = true;
            if scanner.kind()? != Kind::Object {
                return scanner.skip();
            }
            scanner.object(|scanner, key| match &*key.name() {
                "function" | "custom" => read_function(scanner, choice),
                _ => scanner.skip(),
            })
        }),
        _ => read_function(scanner, choice),
    }
}

fn read_function(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| match &*key.name() {
        "name" | "arguments" | "input" => count_string(scanner, choice),
        _ => scanner.skip(),
    })
}

fn count_string(scanner: &mut Scanner<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if let Some(text) = scanner.string_or_skip()?.filter(|text| !text.is_empty()) {
        choice.speaks = true;
        choice.chars += text.chars();
    }
    Ok(())
}

/// Takes any value; whether it says anything: not `null`, `false`, `""`, `[]` or `{}`.
fn is_something(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let mut any = false;
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, _| {
            any = true;
            scanner.skip()
        })?,
        Kind::Array => scanner.array(|scanner| {
            any = true;
            scanner.skip()
        })?,
        Kind::String => any = !scanner.string()?.is_empty(),
        Kind::Number | Kind::True => {
            any = true;
            scanner.skip()?;
        }
        Kind::False | Kind::Null => scanner.skip()?,
    }
    Ok(any)
}
