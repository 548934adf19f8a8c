//! Whole answers, both ways.

use crate::json::{Document, Writer};
use crate::neutral::read::text;
use crate::neutral::{
    Answer, AnswerContext, Block, Choice, Content, DecodeError, Encoded, Extension, Losses, Origin, Path,
    Reasoning, fields,
};
use crate::ollama::answer::{DURATIONS, finish, head, speech, tail, usage};

/// Reads an answer of `POST /api/generate`.
///
/// # Errors
/// It is none: no response, or an error.
pub fn decode_answer<'a>(document: &Document<'a>, _origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut body = fields(document.root(), "body")?;
    let Some(said) = text(&mut body, "response", Path::Root)? else {
        return Err(DecodeError::Missing { field: "response".to_owned() });
    };
    let mut choice = Choice::default();
    if let Some(thoughts) = text(&mut body, "thinking", Path::Root)?.filter(|thoughts| !thoughts.is_empty()) {
        let reasoning = Reasoning { text: vec![thoughts], ..Reasoning::default() };
        choice.blocks.push(Block::new(Content::Reasoning(reasoning), Path::Field("thinking")));
    }
    if !said.is_empty() {
        choice.blocks.push(Block::new(Content::text(said), Path::Field("response")));
    }
    choice.finish = Some(finish(text(&mut body, "done_reason", Path::Root)?, false));
    let usage = usage(&mut body);
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

/// Writes an answer of `POST /api/generate`.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let mut losses = Losses::default();
    for other in answer.choices.iter().skip(1) {
        losses.field(format!("choices[{}]", other.index));
    }
    if answer.service_tier.is_some() {
        losses.field("service_tier");
    }
    losses.extensions(&answer.rest);
    let first = answer.choices.first();
    let mut writer = Writer::with_capacity(512);
    writer.object(|w| {
        head(w, &answer.model, answer.created.unwrap_or(context.created), context);
        if let Some(choice) = first {
            write_said(w, choice, &mut losses);
        } else {
            w.key("response").string("");
        }
        tail(w, first.and_then(|choice| choice.finish.as_ref()), answer.usage.as_ref(), &mut losses);
    });
    Encoded { body: writer.finish(), losses }
}

fn write_said(w: &mut Writer, choice: &Choice<'_>, losses: &mut Losses) {
    let [said, thoughts] = speech(choice, losses, |block, losses| losses.at(block.path));
    w.key("response").joined(&said);
    if !thoughts.is_empty() {
        w.key("thinking").joined(&thoughts);
    }
}
