//! Writes the conversation of a request.

use pointsman_core::Dialect;

use crate::json::{Text, Writer};
use crate::neutral::{
    Block, Content, EncodeError, Extension, Losses, Media, Message, Need, Path, Resolved, Role, Source,
    Target, ToolResult, terms, type_of,
};

/// The type of a picture in base64, by its first bytes; most are PNG.
pub(super) fn image_type(base64: &str) -> &'static str {
    type_of(base64).filter(|mime| mime.starts_with("image/")).unwrap_or("image/png")
}

/// Pictures that are not here.
pub(super) fn needs(messages: &[Message<'_>]) -> Vec<Need> {
    let mut needs = Vec::new();
    for block in messages.iter().flat_map(|message| &message.blocks) {
        add_need(block, &mut needs);
    }
    needs
}

fn add_need(block: &Block<'_>, needs: &mut Vec<Need>) {
    match &block.content {
        Content::Image(Media { source: Source::Url(url), .. }) => {
            needs.push(Need { url: url.value().into_owned(), path: block.path });
        }
        Content::ToolResult(result) => result.content.iter().for_each(|inner| add_need(inner, needs)),
        _ => {}
    }
}

/// What a turn is made of: Ollama has one text, then pictures, then calls.
#[derive(Default)]
struct Parts<'p> {
    text: Vec<Text<'p>>,
    images: Vec<Text<'p>>,
    thoughts: Vec<Text<'p>>,
}

/// Between two pieces of text that were apart.
const BREAK: &str = "\n\n";

impl<'p> Parts<'p> {
    fn say(&mut self, text: &'p Text<'_>) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(Text::from(BREAK));
        }
        self.text.push(text.borrowed());
    }

    fn image(&mut self, media: &'p Media<'_>, path: Path, known: &'p Resolved) -> Result<(), EncodeError> {
        let Some((_, data)) = known.bytes(&media.source) else {
            let problem = match media.source {
                Source::Url(_) => "is an address, and Ollama takes pictures in base64 only",
                _ => "has no counterpart in Ollama's API",
            };
            return Err(EncodeError { field: path.to_string(), problem });
        };
        self.images.push(data);
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        w.key("content").joined(&self.text);
        if !self.thoughts.is_empty() {
            w.key("thinking").joined(&self.thoughts);
        }
        if !self.images.is_empty() {
            w.key("images").array(|w| {
                for image in &self.images {
                    w.text(image);
                }
            });
        }
    }
}

/// The turns of a conversation. Where what the model said stands in pieces (OpenAI's responses have an item
/// for each thought, text and call), they are one turn: its calls are answered together.
pub(super) fn joined<'m, 'a>(
    messages: &'m [Message<'a>],
    own: bool,
) -> impl Iterator<Item = &'m [Message<'a>]> {
    let thought = |block: &Block<'_>| matches!(block.content, Content::Reasoning(_));
    let call = |block: &Block<'_>| matches!(block.content, Content::ToolCall(_));
    messages.chunk_by(move |before, after| {
        let both = before.role == Role::Assistant && after.role == Role::Assistant;
        let goes_on = after.blocks.iter().all(|block| thought(block) || call(block));
        !own && both && (goes_on || before.blocks.iter().all(thought))
    })
}

/// Writes one turn: as several messages, where results of tools are in it.
pub(super) fn write(
    w: &mut Writer,
    turn: &[Message<'_>],
    target: &Target<'_>,
    client: Dialect,
    losses: &mut Losses,
) -> Result<(), EncodeError> {
    let own = client == Dialect::Ollama;
    for Message { role: _, name, id, blocks: _, path, rest } in turn {
        for (member, given) in [("name", name), ("id", id)] {
            if given.is_some() {
                losses.member(*path, member);
            }
        }
        // Which of the calls had it is not known.
        let lost = |extension: &&Extension<'_>| !own || extension.name.value().contains('.');
        rest.iter().filter(lost).for_each(|extension| losses.field(extension.place()));
    }
    let word = match turn.first().map(|message| message.role) {
        Some(Role::System | Role::Developer) => "system",
        Some(Role::Assistant) => "assistant",
        Some(Role::User) | None => "user",
    };
    let mut parts = Parts::default();
    let mut calls = Vec::new();
    let mut results = false;
    for block in turn.iter().flat_map(|message| &message.blocks) {
        if block.cache.is_some() {
            losses.member(block.path, "cache_control");
        }
        if !own {
            losses.extensions(&block.rest);
        }
        match &block.content {
            Content::ToolResult(result) => {
                results = true;
                write_result(w, result, block.path, (target, client), losses)?;
            }
            Content::ToolCall(call) => calls.push((call, block.path)),
            other => add(&mut parts, other, block.path, (target, client), losses)?,
        }
    }
    let silent = parts.text.is_empty() && parts.images.is_empty() && parts.thoughts.is_empty();
    if results && silent && calls.is_empty() {
        return Ok(());
    }
    w.object(|w| {
        w.key("role").string(word);
        parts.write(w);
        if !calls.is_empty() {
            w.key("tool_calls").array(|w| {
                for (call, path) in &calls {
                    if call.item.is_some() {
                        losses.member(*path, "item_id");
                    }
                    write_call(w, call, *path, losses);
                }
            });
        }
        if own {
            turn.iter().for_each(|message| write_rest(w, &message.rest));
        }
    });
    Ok(())
}

/// Extensions go back where they were, except those from inside a member that is written anew.
pub(super) fn write_rest(w: &mut Writer, rest: &[Extension<'_>]) {
    for extension in rest.iter().filter(|extension| !extension.name.value().contains('.')) {
        w.key(&extension.name.value()).raw(extension.raw);
    }
}

fn add<'p>(
    parts: &mut Parts<'p>,
    content: &'p Content<'_>,
    path: Path,
    (target, client): (&Target<'p>, Dialect),
    losses: &mut Losses,
) -> Result<(), EncodeError> {
    match content {
        Content::Text { text, citations } => {
            if !citations.is_empty() {
                losses.member(path, "citations");
            }
            parts.say(text);
        }
        Content::Refusal(text) => parts.say(text),
        Content::Image(media) => {
            lose_beside(media, path, (target, client), losses);
            parts.image(media, path, target.media)?;
        }
        Content::Document(media @ Media { source: Source::PlainText(text), .. }) => {
            lose_beside(media, path, (target, client), losses);
            parts.say(text);
        }
        Content::Document(_) | Content::Audio(_) | Content::Video(_) => {
            let problem = "has no counterpart in Ollama's API, which takes text and pictures";
            return Err(EncodeError { field: path.to_string(), problem });
        }
        Content::Reasoning(reasoning) => {
            let told = [!reasoning.text.is_empty(), !reasoning.summary.is_empty()];
            match &reasoning.seal {
                // A cipher and nothing else: all of it is lost.
                Some(_) if told == [false, false] => losses.at(path),
                Some(seal) => losses.member(path, terms::seal(client, seal.kind)),
                None => {}
            }
            if reasoning.id.is_some() {
                losses.member(path, "id");
            }
            if told == [true, true] {
                losses.member(path, "summary");
            }
            let shown = if reasoning.text.is_empty() { &reasoning.summary } else { &reasoning.text };
            parts.thoughts.extend(shown.iter().map(Text::borrowed));
        }
        Content::Opaque(_) => losses.at(path),
        Content::ToolCall(_) | Content::ToolResult(_) => {}
    }
    Ok(())
}

/// What stands beside a picture or text, and has no place here. The type is told by the bytes.
fn lose_beside(media: &Media<'_>, path: Path, (target, client): (&Target<'_>, Dialect), losses: &mut Losses) {
    let Media { source, mime, name, detail } = media;
    if detail.is_some() {
        losses.member(path, terms::detail(client));
    }
    if name.is_some() {
        losses.member(path, terms::file_name(client));
    }
    let told = match (source, target.media.bytes(source)) {
        (Source::Base64(_), Some((_, data))) => image_type(&data.value()),
        (Source::PlainText(_), _) => "text/plain",
        _ => return,
    };
    let same = |mime: &str| mime == told || (mime, told) == ("image/jpg", "image/jpeg");
    if mime.as_ref().is_some_and(|mime| !same(&mime.value())) {
        losses.member(path, terms::media_type(client));
    }
}

fn write_result(
    w: &mut Writer,
    result: &ToolResult<'_>,
    path: Path,
    (target, client): (&Target<'_>, Dialect),
    losses: &mut Losses,
) -> Result<(), EncodeError> {
    let ToolResult { id, name, content, object, failed, custom: _, own_name: _ } = result;
    if *failed {
        losses.member(path, "is_error");
    }
    let mut parts = Parts::default();
    let whole = object.map(Text::from);
    if let Some(whole) = &whole {
        parts.say(whole);
    }
    for block in content {
        if block.cache.is_some() {
            losses.member(block.path, "cache_control");
        }
        losses.extensions(&block.rest);
        add(&mut parts, &block.content, block.path, (target, client), losses)?;
    }
    // A client that gave a name in place of an id is not given one.
    let stands_for_id = client == Dialect::Ollama && result.name_for_id().is_some();
    w.object(|w| {
        w.key("role").string("tool");
        parts.write(w);
        if let Some(name) = name {
            w.key("tool_name").text(name);
        }
        if !id.is_empty() && !stands_for_id {
            w.key("tool_call_id").text(id);
        }
    });
    Ok(())
}

/// Writes a call, of a request's history or of an answer.
pub(super) fn write_call(
    w: &mut Writer,
    call: &crate::neutral::ToolCall<'_>,
    path: Path,
    losses: &mut Losses,
) {
    let crate::neutral::ToolCall { id, item: _, name, arguments, seal } = call;
    let own = seal.as_ref().is_some_and(|seal| seal.dialect == Dialect::Ollama);
    if seal.is_some() && !own {
        losses.member(path, "signature");
    }
    w.object(|w| {
        if !id.is_empty() {
            w.key("id").text(id);
        }
        w.key("function").object(|w| {
            w.key("name").text(name).key("arguments");
            if arguments.write_object(w).is_err() {
                losses.member(path, "arguments");
            }
        });
    });
}
