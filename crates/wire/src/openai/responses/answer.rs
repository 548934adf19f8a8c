//! Whole answers of providers.
//!
//! What repeats the request, and the ids of messages, are of use to this dialect alone and go to
//! [`Answer::own`]; other members that the neutral form has no place for are extensions.

use std::borrow::Cow;

use pointsman_core::Usage;

use super::echo;
use super::item::{self, Author};
use super::parts::{self, Place};
use crate::json::{Document, Fields, Kind, Node, Scanner, Text, Writer};
use crate::neutral::read::{needed, text};
use crate::neutral::{
    Answer, Block, Choice, Content, DecodeError, Extension, Finish, Origin, Path, Reason, fields,
};

/// Reads the answer of `POST /v1/responses`.
///
/// # Errors
/// It is no answer, it failed, or it says nothing.
pub fn decode_answer<'a>(document: &Document<'a>, origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut members = fields(document.root(), Path::Root)?;
    if text(&mut members, "object", Path::Root)?.is_some_and(|object| object != "response") {
        return Err(DecodeError::wrong("object", "`response`"));
    }
    if members.take("error").is_some() {
        return Err(DecodeError::wrong("error", "absent"));
    }
    let end = End::take(&mut members)?;
    let output = members.take(OUTPUT).ok_or_else(|| DecodeError::Missing { field: OUTPUT.into() })?;
    if output.kind() != Kind::Array {
        return Err(DecodeError::wrong(OUTPUT, "a list of items"));
    }
    let mut answer = Answer {
        id: text(&mut members, "id", Path::Root)?.unwrap_or_default(),
        model: text(&mut members, "model", Path::Root)?.unwrap_or_default(),
        created: members.take("created_at").and_then(Node::count),
        usage: members.take("usage").and_then(read_usage),
        service_tier: text(&mut members, "service_tier", Path::Root)?,
        ..Answer::default()
    };
    let mut reader = Reader { author: Author::Provider(origin.provider), own: Vec::new(), logprobs: None };
    let mut blocks = Vec::new();
    for (at, node) in (0u32..).zip(output.elements()) {
        reader.item(node, at, &mut blocks)?;
    }
    name_calls(&mut blocks, origin);
    let finish = end.finish(&blocks);
    if blocks.is_empty() && finish.as_ref().is_some_and(|finish| finish.reason == Reason::Stop) {
        return Err(DecodeError::wrong(OUTPUT, "a list of at least one item"));
    }
    let Reader { own, logprobs, .. } = reader;
    let logprobs = logprobs.map(|logprobs| Cow::Owned(logprobs.finish()));
    answer.choices.push(Choice { index: 0, blocks, finish, logprobs, rest: Vec::new() });
    answer.own = own;
    for (name, node) in members.rest() {
        let list = if echo::repeats(&name.value()) { &mut answer.own } else { &mut answer.rest };
        list.push(Extension { path: Path::Root, name, raw: node.raw() });
    }
    Ok(answer)
}

/// The list of items.
pub(super) const OUTPUT: &str = "output";

/// Reads token counts.
pub(super) fn read_usage(node: Node<'_, '_>) -> Option<Usage> {
    super::super::usage::read(&mut Scanner::new(node.raw().as_bytes()).ok()?).ok()?
}

/// `status` and `incomplete_details`.
pub(super) struct End<'a> {
    status: Text<'a>,
    reason: Option<Text<'a>>,
}

impl<'a> End<'a> {
    /// Takes them from an answer.
    pub(super) fn take(members: &mut Fields<'_, 'a>) -> Result<Self, DecodeError> {
        let status = text(members, "status", Path::Root)?.unwrap_or(Text::Escaped("completed"));
        if status == "failed" {
            return Err(DecodeError::wrong("status", "`completed` or `incomplete`"));
        }
        let details = members.take("incomplete_details");
        Ok(Self { status, reason: details.and_then(|details| details.get("reason")?.text()) })
    }

    /// Why an answer with these blocks ended; `None` if it has not.
    pub(super) fn finish(self, blocks: &[Block<'_>]) -> Option<Finish<'a>> {
        let called = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
        let refused = matches!(blocks.last(), Some(Block { content: Content::Refusal(_), .. }));
        self.reason(called, refused)
    }

    /// The same of a stream that called tools or ended in a refusal.
    pub(super) fn reason(self, called: bool, refused: bool) -> Option<Finish<'a>> {
        let Self { status, reason: why } = self;
        let reason = match (&*status.value(), why.as_ref().map(Text::value).as_deref()) {
            ("completed", _) if called => Reason::ToolCalls,
            ("completed", _) if refused => Reason::Refusal,
            ("completed", _) => Reason::Stop,
            // It runs in the background.
            ("queued" | "in_progress", _) => return None,
            ("incomplete", Some("max_output_tokens") | None) => Reason::Length,
            ("incomplete", Some("content_filter")) => Reason::ContentFilter,
            _ => Reason::Other,
        };
        Some(Finish { reason, raw: Some(why.unwrap_or(status)), stop_sequence: None })
    }
}

struct Reader<'a> {
    author: Author<'a>,
    own: Vec<Extension<'a>>,
    logprobs: Option<Logprobs>,
}

impl<'a> Reader<'a> {
    fn item(&mut self, node: Node<'_, 'a>, at: u32, blocks: &mut Vec<Block<'a>>) -> Result<(), DecodeError> {
        let place = Place { list: OUTPUT, at };
        let path = place.item();
        let mut members = fields(node, path)?;
        let kind = needed(&mut members, "type", path)?;
        let kind = kind.value();
        item::take_completed(&mut members);
        let content = match &*kind {
            "message" => return self.message(members, place, blocks),
            "reasoning" => item::reasoning(&mut members, path)?.map(|(mut reasoning, cipher)| {
                reasoning.seal = self.author.seal(cipher, reasoning.id.as_ref());
                Content::Reasoning(reasoning)
            }),
            "function_call" | "custom_tool_call" => {
                let call = item::call(&mut members, path, kind == "custom_tool_call")?;
                Some(Content::ToolCall(call))
            }
            _ => None,
        };
        blocks.push(match content {
            Some(content) => item::block(content, members, place),
            None => Block::new(Content::Opaque(node.raw()), path),
        });
        Ok(())
    }

    /// The parts of a message. Its own members stand beside the first of them.
    fn message(
        &mut self,
        mut members: Fields<'_, 'a>,
        place: Place,
        blocks: &mut Vec<Block<'a>>,
    ) -> Result<(), DecodeError> {
        const CONTENT: &str = "content";
        let path = place.item();
        // It is always the assistant's.
        members.take("role");
        let content = members.take(CONTENT);
        let content = content.ok_or_else(|| DecodeError::Missing { field: path.member(CONTENT) })?;
        let mut parts = parts::read(content, place, CONTENT)?;
        for block in &mut parts {
            if let Some(at) = block.rest.iter().position(|own| own.name == "logprobs") {
                let list = block.rest.remove(at);
                self.logprobs.get_or_insert_with(Logprobs::default).push(list.raw);
            }
        }
        if let Some(id) = members.take("id") {
            self.own.push(Extension { path, name: Text::Escaped("id"), raw: id.raw() });
        }
        if let Some(first) = parts.first_mut() {
            Extension::collect(members, path, &mut first.rest);
        }
        blocks.append(&mut parts);
        Ok(())
    }
}

/// Log probabilities of several texts in OpenAI chat's form: `{"content": […]}`, with the same entries.
#[derive(Default)]
pub(super) struct Logprobs(Writer);

impl Logprobs {
    /// Adds a list of entries.
    pub(super) fn push(&mut self, list: &str) {
        let inner = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default().trim();
        if !inner.is_empty() {
            self.0.raw(inner);
        }
    }

    /// The whole.
    pub(super) fn finish(self) -> String {
        let entries = String::from_utf8(self.0.finish()).unwrap_or_default();
        format!("{{\"content\":[{entries}]}}")
    }
}

/// Calls that came without an id are given one: their results will name it.
fn name_calls(blocks: &mut [Block<'_>], origin: &Origin<'_>) {
    let calls = blocks.iter_mut().filter_map(|block| match &mut block.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    });
    for (number, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = Text::from(format!("call_{}_{number}", origin.id));
    }
}
