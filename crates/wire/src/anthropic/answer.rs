//! A whole answer, from the provider and to the client.

use pointsman_core::Dialect;

use super::block::{self, Side};
use super::usage::{self, Counts};
use super::words;
use super::write::{self, is_own, write_id, write_reasoning};
use crate::json::{Document, Kind, Node, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Citation, Content, DecodeError, Encoded, Extension,
    Finish, Losses, Origin, Path, Reason, fields, read,
};

/// Reads the answer of `POST /v1/messages`.
///
/// # Errors
/// It is no message: a member that matters is missing or of another type.
pub fn decode_answer<'a>(document: &Document<'a>, origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut members = fields(document.root(), Path::Root)?;
    if read::needed(&mut members, "type", Path::Root)? != "message" {
        return Err(DecodeError::wrong("type", "`message`"));
    }
    // It is always the assistant's.
    members.take("role");
    let content = members.take("content").ok_or_else(|| DecodeError::Missing { field: "content".into() })?;
    if content.kind() != Kind::Array {
        return Err(DecodeError::wrong("content", "an array of blocks"));
    }
    let side = Side::Provider(origin.provider);
    let mut blocks = Vec::new();
    for (at, node) in (0u32..).zip(content.elements()) {
        let mut block = block::block(node, Path::Item("content", at), side)?;
        if let Content::ToolCall(call) = &mut block.content
            && call.id.is_empty()
        {
            call.id = Text::from(format!("call_{}_{at}", origin.id));
        }
        blocks.push(block);
    }
    let finish = finish(members.take("stop_reason"), members.take("stop_sequence"))?;
    if finish.is_none() && blocks.is_empty() {
        return Err(DecodeError::Missing { field: "stop_reason".into() });
    }
    let mut rest = Vec::new();
    if finish.as_ref().is_some_and(|finish| finish.reason.cuts()) {
        rest.extend(cut_call(&mut blocks));
    }
    let mut counts = Counts::default();
    let service_tier = members.take("usage").and_then(|node| counts.merge(node, &mut rest));
    let answer = Answer {
        id: read::text(&mut members, "id", Path::Root)?.unwrap_or_default(),
        model: read::text(&mut members, "model", Path::Root)?.unwrap_or_default(),
        created: None,
        choices: vec![Choice { index: 0, blocks, finish, logprobs: None, rest: Vec::new() }],
        usage: counts.usage(),
        service_tier,
        ..Answer::default()
    };
    Extension::collect(members, Path::Root, &mut rest);
    Ok(Answer { rest, ..answer })
}

/// Takes away a call that the model could not write to its end: its input looks whole and is not.
fn cut_call<'a>(blocks: &mut Vec<Block<'a>>) -> Option<Extension<'a>> {
    let Some(Block { content: Content::ToolCall(call), path, .. }) = blocks.last() else { return None };
    let raw = if let Arguments::Object(raw) = call.arguments { raw } else { "{}" };
    let lost = Extension { path: *path, name: Text::from("input"), raw };
    blocks.pop();
    Some(lost)
}

/// `stop_reason` and `stop_sequence`.
pub(super) fn finish<'a>(
    reason: Option<Node<'_, 'a>>,
    sequence: Option<Node<'_, 'a>>,
) -> Result<Option<Finish<'a>>, DecodeError> {
    let Some(reason) = reason else { return Ok(None) };
    let raw = reason.text().ok_or_else(|| DecodeError::wrong("stop_reason", "a string"))?;
    let reason = words::reason(&raw.value());
    Ok(Some(Finish { reason, raw: Some(raw), stop_sequence: sequence.and_then(Node::text) }))
}

/// Members of an answer that only this dialect has: known by name, as an answer does not say its dialect.
const OWN_MEMBERS: [&str; 4] = ["container", "context_management", "diagnostics", "stop_details"];

/// Members of `usage` that only this dialect has.
const OWN_USAGE: [&str; 5] = [
    "usage.server_tool_use",
    "usage.inference_geo",
    "usage.speed",
    "usage.iterations",
    "usage.fallback_credit",
];

/// Writes the answer of `POST /v1/messages`.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let Answer { id, model, created: _, choices, usage, service_tier, own: _, rest } = answer;
    let mut losses = Losses::default();
    let mut w = Writer::with_capacity(1_024);
    let mut choices = choices.iter();
    let first = choices.next();
    for further in choices {
        losses.at(Path::Item("choices", u32::try_from(further.index).unwrap_or(u32::MAX)));
    }
    w.object(|w| {
        write_head(w, id, model, context);
        let mut calls = false;
        w.key("content").array(|w| {
            let blocks = first.map(|choice| choice.without_cut_call(&mut losses));
            for block in blocks.into_iter().flatten() {
                calls |= matches!(block.content, Content::ToolCall(_));
                write_block(w, block, &mut losses);
            }
        });
        if let Some(choice) = first {
            let Choice { index: _, blocks: _, finish, logprobs, rest } = choice;
            if logprobs.is_some() {
                losses.field("logprobs");
            }
            losses.extensions(rest);
            write_finish(w, finish.as_ref(), calls, &mut losses);
        } else {
            write_finish(w, None, false, &mut losses);
        }
        let tier = service_tier.as_ref().and_then(|tier| tier_word(tier, &mut losses));
        w.key("usage");
        usage::write(w, &usage.unwrap_or_default(), tier, |w| {
            for extension in rest.iter().filter(|extension| is_named(extension, &OWN_USAGE)) {
                if let Some(name) = write::under(extension, "usage") {
                    w.key(&name).raw(extension.raw);
                }
            }
        });
        for extension in rest {
            if is_named(extension, &OWN_MEMBERS) {
                w.key(&extension.name.value()).raw(extension.raw);
            } else if !is_named(extension, &OWN_USAGE) {
                losses.field(extension.place());
            }
        }
    });
    Encoded { body: w.finish(), losses }
}

/// Writes what comes first in a message: `id`, `type`, `role` and `model`.
pub(super) fn write_head(w: &mut Writer, id: &Text<'_>, model: &Text<'_>, context: &AnswerContext) {
    w.key("id");
    if id.is_empty() {
        w.joined(&[Text::from("msg_"), Text::from(context.id.as_str())]);
    } else {
        w.text(id);
    }
    w.key("type").string("message").key("role").string("assistant").key("model");
    if model.is_empty() {
        w.string(&context.model);
    } else {
        w.text(model);
    }
}

/// Writes `stop_reason` and `stop_sequence`.
pub(super) fn write_finish(w: &mut Writer, finish: Option<&Finish<'_>>, calls: bool, losses: &mut Losses) {
    let reason = finish.map(|finish| finish.reason);
    if reason.is_some_and(words::is_blurred) {
        losses.field("stop_reason");
    }
    w.key("stop_reason").string(words::stop_reason(reason.unwrap_or(Reason::Stop), calls));
    w.key("stop_sequence");
    match finish.and_then(|finish| finish.stop_sequence.as_ref()) {
        Some(sequence) => w.text(sequence),
        None => w.null(),
    };
}

/// Anthropic's word for a tier; others are declared.
pub(super) fn tier_word(tier: &Text<'_>, losses: &mut Losses) -> Option<&'static str> {
    let word = words::answer_tier(&tier.value());
    if word.is_none() {
        losses.field("service_tier");
    }
    word
}

/// Whether a block of some dialect's own kind is one of Anthropic's.
pub(super) fn is_own_opaque(raw: &str) -> bool {
    let Ok(document) = Document::read(raw.as_bytes()) else { return false };
    let kind = document.root().get("type").and_then(Node::text);
    kind.is_some_and(|kind| words::is_own_block(&kind.value()))
}

/// Writes a citation in Anthropic's form. A page that another provider cites is a search result without
/// the index that only Anthropic could read. Returns whether it could.
pub(super) fn write_citation(w: &mut Writer, citation: &Citation<'_>) -> bool {
    if is_own(citation) {
        w.raw(citation.raw);
        return true;
    }
    let Citation { url: Some(url), title, quote, span: _, raw: _ } = citation else { return false };
    w.object(|w| {
        w.key("type").string("web_search_result_location").key("url").text(url).key("title");
        match title {
            Some(title) => w.text(title),
            None => w.null(),
        };
        w.key("cited_text").text(quote.as_ref().unwrap_or(&Text::default()));
        w.key("encrypted_index").string("");
    });
    true
}

fn write_block(w: &mut Writer, block: &Block<'_>, losses: &mut Losses) {
    // An answer marks nothing for the cache.
    let Block { content, cache: _, path, rest } = block;
    if !matches!(content, Content::Opaque(_)) {
        losses.extensions(rest);
    }
    match content {
        Content::Text { text, citations } => {
            if text.is_empty() && citations.is_empty() {
                return;
            }
            w.object(|w| {
                w.key("type").string("text").key("text").text(text);
                if !citations.is_empty() {
                    w.key("citations").array(|w| {
                        for citation in citations {
                            if !write_citation(w, citation) {
                                losses.member(*path, "citations");
                            }
                        }
                    });
                }
            });
        }
        Content::Refusal(text) => {
            w.object(|w| {
                w.key("type").string("text").key("text").text(text);
            });
        }
        Content::Reasoning(reasoning) => {
            if reasoning.id.is_some() {
                losses.member(*path, "id");
            }
            w.object(|w| write_reasoning(w, reasoning, |seal| seal.for_client(Dialect::Anthropic)));
        }
        Content::ToolCall(call) => {
            w.object(|w| {
                w.key("type").string("tool_use").key("id");
                write_id(w, &call.id);
                w.key("name").text(&call.name).key("input");
                if call.arguments.write_object(w).is_err() {
                    losses.member(*path, "arguments");
                }
            });
            if let Some(seal) = &call.seal {
                // A call has no place for a proof: clients keep this block, and hand it back after the call.
                w.object(|w| {
                    w.key("type").string("redacted_thinking").key("data");
                    w.text(&seal.for_client(Dialect::Anthropic));
                });
            }
        }
        Content::Opaque(raw) if is_own_opaque(raw) => {
            w.raw(raw);
        }
        Content::Opaque(_)
        | Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::Video(_)
        | Content::ToolResult(_) => losses.at(*path),
    }
}

fn is_named(extension: &Extension<'_>, names: &[&str]) -> bool {
    extension.path == Path::Root && names.contains(&&*extension.name.value())
}
