//! Whole answers of providers.

use super::super::usage;
use super::assistant::{self, Author};
use super::parts::Place;
use crate::json::{Document, Kind, Node, Scanner, Text};
use crate::neutral::{
    Answer, Block, Choice, Content, DecodeError, Extension, Finish, Media, Origin, Path, Reason, Source,
    fields,
};
use pointsman_core::Usage;

/// Reads an answer.
///
/// # Errors
/// It has no choice, or one that cannot be read.
pub fn decode_answer<'a>(document: &Document<'a>, origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut members = fields(document.root(), Path::Root)?;
    let text = |node: Option<Node<'_, 'a>>| node.and_then(Node::text);
    let mut answer = Answer {
        id: text(members.take("id")).unwrap_or_default(),
        model: text(members.take("model")).unwrap_or_default(),
        created: members.take("created").and_then(Node::count),
        service_tier: text(members.take("service_tier")),
        ..Answer::default()
    };
    members.take("object");
    let choices =
        members.take("choices").ok_or_else(|| DecodeError::Missing { field: "choices".to_owned() })?;
    for (at, choice) in (0u32..).zip(choices.elements()) {
        answer.choices.push(read_choice(choice, Place { list: "choices", at }, origin)?);
    }
    if answer.choices.is_empty() {
        return Err(DecodeError::wrong("choices", "a list of at least one answer"));
    }
    let groq = members.peek("x_groq").and_then(|groq| groq.get("usage"));
    let said = members.take("usage").and_then(read_usage).or_else(|| groq.and_then(read_usage));
    answer.usage = usage::merge(said, members.take("timings").and_then(read_timings));
    name_calls(&mut answer, origin);
    Extension::collect(members, Path::Root, &mut answer.rest);
    Ok(answer)
}

pub(super) fn read_usage(node: Node<'_, '_>) -> Option<Usage> {
    usage::read(&mut Scanner::new(node.raw().as_bytes()).ok()?).ok()?
}

pub(super) fn read_timings(node: Node<'_, '_>) -> Option<Usage> {
    usage::read_timings(&mut Scanner::new(node.raw().as_bytes()).ok()?).ok()?
}

fn read_choice<'a>(node: Node<'_, 'a>, place: Place, origin: &Origin<'a>) -> Result<Choice<'a>, DecodeError> {
    let path = place.item();
    let mut members = fields(node, path)?;
    if members.take("error").is_some() {
        return Err(DecodeError::wrong(path.member("error"), "absent"));
    }
    let mut choice = Choice { index: u64::from(place.at), ..Choice::default() };
    if let Some(index) = members.take("index").and_then(Node::count) {
        choice.index = index;
    }
    let message =
        members.take("message").ok_or_else(|| DecodeError::Missing { field: path.member("message") })?;
    let mut message = fields(message, path.member("message"))?;
    choice.blocks =
        assistant::read(&mut message, place, Author::Provider(origin.provider), &mut choice.rest)?;
    if let Some(audio) = message.take("audio") {
        read_audio(audio, place, &mut choice.blocks);
    }
    message.take("role");
    Extension::collect_under(message, path, "message", &mut choice.rest);
    let called = choice.blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let stop = members.take("stop_reason").or(members.take("matched_stop")).and_then(Node::text);
    let reason = members.take("finish_reason").and_then(Node::text).filter(|reason| !reason.is_empty());
    choice.finish = reason.map(|reason| read_finish(reason, called, stop));
    let refused = choice.blocks.iter().any(|block| matches!(block.content, Content::Refusal(_)));
    // The word for it is that of an answer: only its text stands at another place.
    if let Some(finish) = choice.finish.as_mut().filter(|finish| refused && finish.reason == Reason::Stop) {
        finish.reason = Reason::Refusal;
    }
    let logprobs = members.take("logprobs").filter(|node| node.kind() == Kind::Object);
    choice.logprobs = logprobs.map(|node| node.raw().into());
    Extension::collect(members, path, &mut choice.rest);
    Ok(choice)
}

/// `{"id", "data", "transcript", "expires_at"}`: what is said is text too.
fn read_audio<'a>(node: Node<'_, 'a>, place: Place, blocks: &mut Vec<Block<'a>>) {
    let path = place.part("audio", 0);
    if let Some(transcript) = node.get("transcript").and_then(Node::text).filter(|text| !text.is_empty()) {
        blocks.push(Block::new(Content::text(transcript), path));
    }
    if let Some(data) = node.get("data").and_then(Node::text) {
        let media = Media { source: Source::Base64(data), mime: None, name: None, detail: None };
        blocks.push(Block::new(Content::Audio(media), path));
    }
}

/// Calls that came without an id are given one: their results will name it.
fn name_calls(answer: &mut Answer<'_>, origin: &Origin<'_>) {
    let blocks = answer.choices.iter_mut().flat_map(|choice| &mut choice.blocks);
    let calls = blocks.filter_map(|block| match &mut block.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    });
    for (number, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = Text::from(format!("call_{}_{number}", origin.id));
    }
}

/// Why it ended. Some servers, and OpenAI where a call was forced, say `stop` where there are calls.
pub(super) fn read_finish<'a>(raw: Text<'a>, called: bool, stop_sequence: Option<Text<'a>>) -> Finish<'a> {
    let word = raw.value().to_ascii_lowercase();
    let reason = match &*word {
        "stop" if called => Reason::ToolCalls,
        "stop" if stop_sequence.is_some() => Reason::StopSequence,
        "stop" | "eos" | "eos_token" | "end_turn" | "complete" | "completed" | "done" => Reason::Stop,
        "stop_sequence" => Reason::StopSequence,
        "length" | "max_tokens" | "max_output_tokens" => Reason::Length,
        "model_length" | "context_length" | "model_context_window_exceeded" => Reason::ContextLength,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => Reason::ToolCalls,
        "content_filter" | "content-filter" | "sensitive" | "safety" => Reason::ContentFilter,
        "refusal" => Reason::Refusal,
        "malformed_function_call" => Reason::Malformed,
        _ => Reason::Other,
    };
    Finish { reason, raw: Some(raw), stop_sequence }
}
