//! Ollama's `POST /api/generate`: one prompt instead of a conversation, `response` instead of a message.
//!
//! A client's request is a system text and a user turn; `template`, `context`, `raw` and `suffix`, which
//! only Ollama can honour, are kept as they stand. Shapes as in Ollama's `api/types.go` and ollama-python 0.6.

mod answer;
mod stream;
#[cfg(test)]
mod tests;

use pointsman_core::Dialect;

pub use self::answer::{decode_answer, encode_answer};
pub use self::stream::{StreamDecoder, StreamEncoder};
use super::{decode, encode, turns};
pub use super::{needs, parse_error, render_error, render_stream_error};
use crate::json::{Document, Text, Writer};
use crate::neutral::read::{flag, needed, text};
use crate::neutral::{
    Block, Content, DecodeError, EncodeError, Encoded, Format, Losses, Media, Message, Path, Request, Role,
    Source, Target, fields,
};

const PROMPT: &str = "prompt";
const SYSTEM: &str = "system";
const IMAGES: &str = "images";

/// Reads the body of `POST /api/generate`.
///
/// # Errors
/// A field that matters is missing or has the wrong type.
pub fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut body = fields(document.root(), "body")?;
    let model = needed(&mut body, "model", Path::Root)?;
    let mut request = Request::new(Dialect::Ollama, model);
    // Ollama streams unless told otherwise.
    request.stream = flag(&mut body, "stream", "stream")?.is_none_or(|stream| stream.value);
    let said = |text: Text<'a>, path| Block::new(Content::text(text), path);
    if let Some(system) = text(&mut body, SYSTEM, Path::Root)?.filter(|system| !system.is_empty()) {
        let place = Path::Field(SYSTEM);
        request.messages.push(Message::new(Role::System, place, vec![said(system, place)]));
    }
    let place = Path::Field(PROMPT);
    let mut turn = Message::new(Role::User, place, Vec::new());
    if let Some(prompt) = text(&mut body, PROMPT, Path::Root)?.filter(|prompt| !prompt.is_empty()) {
        turn.blocks.push(said(prompt, place));
    }
    if let Some(images) = body.take(IMAGES) {
        let images = decode::read_images(images, Path::Root)?;
        turn.blocks.extend(images.into_iter().map(|block| Block { path: Path::Field(IMAGES), ..block }));
    }
    if !turn.blocks.is_empty() {
        request.messages.push(turn);
    }
    decode::read_settings(body, &mut request)?;
    Ok(request)
}

/// Writes the body of `POST /api/generate` for a request that came as one.
///
/// # Errors
/// It is another: a conversation, or with tools.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let parts = Parts::of(request)?;
    let mut losses = Losses::default();
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key("model").string(target.model).key("stream").bool(target.stream);
        for (name, texts) in [(SYSTEM, &parts.system), (PROMPT, &parts.prompt)] {
            if !texts.is_empty() {
                w.key(name).joined(texts.iter());
            }
        }
        if !parts.images.is_empty() {
            w.key(IMAGES).array(|w| {
                for image in &parts.images {
                    w.text(image);
                }
            });
        }
        match request.format.as_ref().map(|format| &format.value) {
            Some(Format::Json) => {
                w.key("format").string("json");
            }
            Some(Format::Schema { schema, .. }) => {
                w.key("format").raw(schema);
            }
            Some(Format::Other(raw)) => {
                w.key("format").raw(raw);
            }
            Some(Format::Text) | None => {}
        }
        encode::write_thinking(w, &request.thinking, target, true, &mut losses);
        if let Some(logprobs) = &request.logprobs {
            w.key("logprobs").bool(true);
            if let Some(top) = logprobs.value.top {
                w.key("top_logprobs").count(top);
            }
        }
        let max_output = request.max_output.as_ref().map(|max| max.value);
        let stop = request.stop.as_ref().map(|stop| &stop.value[..]);
        encode::write_options(w, &request.sampling, max_output, stop, request, true);
        turns::write_rest(w, &request.rest);
    });
    Ok(Encoded { body: writer.finish(), losses })
}

/// What is said in one prompt.
#[derive(Default)]
struct Parts<'p> {
    system: Vec<Text<'p>>,
    prompt: Vec<Text<'p>>,
    images: Vec<Text<'p>>,
}

impl<'p> Parts<'p> {
    fn of(request: &'p Request<'_>) -> Result<Self, EncodeError> {
        let mut parts = Self::default();
        let no_place = |field: String| EncodeError { field, problem: "has no place in one prompt" };
        if let Some(tool) = request.tools.first() {
            return Err(no_place(tool.path.to_string()));
        }
        for message in &request.messages {
            for block in &message.blocks {
                match (message.role, &block.content) {
                    (Role::System, Content::Text { text, .. }) => parts.system.push(text.borrowed()),
                    (Role::User, Content::Text { text, .. }) => parts.prompt.push(text.borrowed()),
                    (Role::User, Content::Image(Media { source: Source::Base64(data), .. })) => {
                        parts.images.push(data.borrowed());
                    }
                    _ => return Err(no_place(block.path.to_string())),
                }
            }
        }
        Ok(parts)
    }
}
