//! Whole answers, both ways.

use pointsman_core::{Usage, UsageSource};

use super::{decode, done_reason, reason, timestamp, turns};
use crate::json::{Document, Fields, Text, Writer};
use crate::neutral::read::text;
use crate::neutral::{
    Answer, AnswerContext, Block, Choice, Content, DecodeError, Encoded, Extension, Finish, Losses, Origin,
    Path, Reasoning, fields, ids,
};

/// Reads an answer of `POST /api/chat`.
///
/// # Errors
/// It is none: no message, or an error.
pub fn decode_answer<'a>(document: &Document<'a>, origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut body = fields(document.root(), "body")?;
    let Some(message) = body.take("message") else {
        return Err(DecodeError::Missing { field: "message".to_owned() });
    };
    let mut choice = Choice::default();
    read_message(fields(message, "message")?, origin.id, &mut choice)?;
    let calls = choice.blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    choice.finish = Some(finish(text(&mut body, "done_reason", Path::Root)?, calls));
    let usage = usage(&mut body);
    // A date, where other dialects count seconds; and lengths of time that no other dialect tells.
    for name in ["created_at", "done"].into_iter().chain(DURATIONS) {
        body.take(name);
    }
    let mut answer = Answer {
        model: text(&mut body, "model", Path::Root)?.unwrap_or_default(),
        choices: vec![choice],
        usage,
        ..Answer::default()
    };
    Extension::collect(body, Path::Root, &mut answer.rest);
    Ok(answer)
}

/// How long Ollama took: nobody's answer but its own.
pub(super) const DURATIONS: [&str; 4] =
    ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"];

pub(super) fn finish(word: Option<Text<'_>>, calls: bool) -> Finish<'_> {
    let raw = word.unwrap_or_else(|| Text::from("stop"));
    Finish { reason: reason(&raw.value(), calls), raw: Some(raw), stop_sequence: None }
}

/// Nobody counts more: what is above it is no count.
const MAX_TOKENS: u64 = 1_000_000_000;

pub(super) fn usage(body: &mut Fields<'_, '_>) -> Option<Usage> {
    let mut count = |name| body.take(name).and_then(crate::json::Node::count).filter(|n| *n <= MAX_TOKENS);
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    // What came from its cache is left out of the count: nothing at all is told then.
    (input.is_some() || output.is_some()).then(|| Usage {
        input: input.unwrap_or_default(),
        output: output.unwrap_or_default(),
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

fn read_message<'a>(
    mut message: Fields<'_, 'a>,
    id: &str,
    choice: &mut Choice<'a>,
) -> Result<(), DecodeError> {
    let path = Path::Field("message");
    message.take("role");
    if let Some(thoughts) = text(&mut message, "thinking", path)?.filter(|text| !text.is_empty()) {
        let reasoning = Reasoning { text: vec![thoughts], ..Reasoning::default() };
        choice.blocks.push(Block::new(Content::Reasoning(reasoning), path));
    }
    if let Some(content) = text(&mut message, "content", path)?.filter(|text| !text.is_empty()) {
        choice.blocks.push(Block::new(Content::text(content), path));
    }
    if let Some(calls) = message.take("tool_calls") {
        for (at, node) in calls.elements().enumerate() {
            let mut block = decode::call(node, path, at as u32, &mut choice.rest)?;
            if let Content::ToolCall(call) = &mut block.content
                && call.id.is_empty()
            {
                call.id = Text::from(call_id(id, at));
            }
            choice.blocks.push(block);
        }
    }
    Extension::collect(message, path, &mut choice.rest);
    Ok(())
}

/// The id of a call that came without one.
pub(super) fn call_id(request: &str, at: usize) -> String {
    ids::fit(&format!("call_{request}_{at}")).into_owned()
}

/// Writes an answer of `POST /api/chat`.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let Answer { id: _, model, created, choices, usage, service_tier, own: _, rest } = answer;
    let mut losses = Losses::default();
    for other in choices.iter().skip(1) {
        losses.field(format!("choices[{}]", other.index));
    }
    if service_tier.is_some() {
        losses.field("service_tier");
    }
    losses.extensions(rest);
    let mut writer = Writer::with_capacity(512);
    writer.object(|w| {
        head(w, model, created.unwrap_or(context.created), context);
        let finish = choices.first().and_then(|choice| choice.finish.as_ref());
        w.key("message").object(|w| {
            w.key("role").string("assistant");
            write_blocks(w, choices.first(), &mut losses);
        });
        tail(w, finish, usage.as_ref(), &mut losses);
    });
    Encoded { body: writer.finish(), losses }
}

pub(super) fn head(w: &mut Writer, model: &Text<'_>, created: u64, context: &AnswerContext) {
    w.key("model");
    if model.is_empty() {
        w.string(&context.model)
    } else {
        w.text(model)
    };
    w.key("created_at").string(&timestamp(created));
}

/// What only the last line has.
pub(super) fn tail(w: &mut Writer, finish: Option<&Finish<'_>>, usage: Option<&Usage>, losses: &mut Losses) {
    let (word, blurred) = done_reason(finish);
    if blurred {
        losses.field("finish_reason");
    }
    if finish.is_some_and(|finish| finish.stop_sequence.is_some()) {
        losses.field("stop_sequence");
    }
    w.key("done").bool(true).key("done_reason").string(word);
    if let Some(usage) = usage {
        w.key("prompt_eval_count").count(usage.input).key("eval_count").count(usage.output);
    }
}

/// What an answer says and thinks; `other` takes blocks of other kinds.
pub(super) fn speech<'c, 'a>(
    choice: &'c Choice<'a>,
    losses: &mut Losses,
    mut other: impl FnMut(&'c Block<'a>, &mut Losses),
) -> [Vec<Text<'c>>; 2] {
    losses.extensions(&choice.rest);
    if choice.logprobs.is_some() {
        losses.field("logprobs");
    }
    let (mut said, mut thoughts) = (Vec::new(), Vec::new());
    for block in choice.without_cut_call(losses) {
        losses.extensions(&block.rest);
        match &block.content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    losses.field("citations");
                }
                said.push(text.borrowed());
            }
            Content::Refusal(text) => said.push(text.borrowed()),
            Content::Reasoning(reasoning) => {
                if reasoning.seal.is_some() {
                    losses.field("signature");
                }
                let shown = if reasoning.text.is_empty() { &reasoning.summary } else { &reasoning.text };
                thoughts.extend(shown.iter().map(Text::borrowed));
            }
            _ => other(block, losses),
        }
    }
    [said, thoughts]
}

fn write_blocks(w: &mut Writer, choice: Option<&Choice<'_>>, losses: &mut Losses) {
    let mut calls = Vec::new();
    let [said, thoughts] = choice.map_or_else(Default::default, |choice| {
        speech(choice, losses, |block, losses| match &block.content {
            Content::ToolCall(call) => calls.push((call, block.path)),
            _ => losses.at(block.path),
        })
    });
    w.key("content").joined(&said);
    if !thoughts.is_empty() {
        w.key("thinking").joined(&thoughts);
    }
    if !calls.is_empty() {
        w.key("tool_calls").array(|w| {
            for (call, path) in calls {
                turns::write_call(w, call, path, losses);
            }
        });
    }
}
