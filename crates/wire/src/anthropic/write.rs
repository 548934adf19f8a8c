//! Writes the blocks of a request.

use std::borrow::Cow;

use pointsman_core::Dialect;

use super::media::{self, Sayable};
use crate::json::{Text, Writer};
use crate::neutral::{
    Block, Citation, Content, Extension, Losses, Media, Path, Reasoning, Seal, SealKind, Source, Target,
    ToolCall, ToolResult, ids, terms,
};

/// For whom blocks are written, and from whom they are.
#[derive(Clone, Copy)]
pub(super) struct Between<'t> {
    pub(super) target: &'t Target<'t>,
    pub(super) client: Dialect,
    /// The client speaks Anthropic's dialect too: ids, extensions and blocks of its own kind mean the same.
    pub(super) own: bool,
}

impl Between<'_> {
    /// Whether the block can be said; what it loses (or that all of it is lost) is declared.
    pub(super) fn sayable(&self, block: &Block<'_>, losses: &mut Losses) -> bool {
        let Block { content, cache, path, rest } = block;
        let said = match content {
            Content::Text { text, citations } => {
                if citations.iter().any(|citation| !is_own(citation)) {
                    losses.member(*path, "citations");
                }
                self.own || is_worded(text, *path, losses)
            }
            Content::Refusal(text) => is_worded(text, *path, losses),
            Content::Image(media) => {
                self.medium_losses(media, *path, losses);
                if media.name.is_some() {
                    losses.member(*path, terms::file_name(self.client));
                }
                let found = media::image_source(media, self.own, self.target.media).is_some();
                or_lost(found, *path, losses)
            }
            Content::Document(media) => {
                self.medium_losses(media, *path, losses);
                let found = media::document_source(media, self.own, self.target.media).is_some();
                or_lost(found, *path, losses)
            }
            Content::Audio(_) | Content::Video(_) => or_lost(false, *path, losses),
            Content::Opaque(_) => or_lost(self.own, *path, losses),
            Content::ToolCall(call) => {
                self.call_losses(call, *path, losses);
                true
            }
            Content::ToolResult(result) => {
                if result.lone_name().is_some() {
                    losses.member(*path, terms::result_name(self.client));
                }
                true
            }
            Content::Reasoning(reasoning) => {
                if reasoning.id.is_some() {
                    losses.member(*path, "id");
                }
                let seal = reasoning.seal.as_ref();
                if seal.is_some() && !reasoning.text.is_empty() && !reasoning.summary.is_empty() {
                    losses.member(*path, "summary");
                }
                or_lost(seal.is_some_and(|seal| seal.is_for(self.target)), *path, losses)
            }
        };
        if said && cache.is_some() && matches!(content, Content::Reasoning(_)) {
            losses.member(*path, "cache_control");
        }
        if said && !self.own {
            losses.extensions(rest);
        }
        said
    }

    /// What another dialect says of a picture or document and this one has no place for. Documents at addresses
    /// are PDF here, and need not say so.
    fn medium_losses(&self, media: &Media<'_>, path: Path, losses: &mut Losses) {
        if media.detail.is_some() {
            losses.member(path, terms::detail(self.client));
        }
        let at_address =
            matches!(media.source, Source::Url(_)) && self.target.media.bytes(&media.source).is_none();
        if at_address && media.mime.as_ref().is_some_and(|mime| *mime != media::PDF) {
            losses.member(path, terms::ADDRESS_TYPE);
        }
    }

    fn call_losses(&self, call: &ToolCall<'_>, path: Path, losses: &mut Losses) {
        let ToolCall { id: _, item, name: _, arguments: _, seal } = call;
        if item.is_some() {
            losses.member(path, "item_id");
        }
        if let Some(seal) = seal {
            losses.member(path, terms::seal(self.client, seal.kind));
        }
    }

    /// Writes a block that is [`Between::sayable`]. `last`: it ends the conversation, where white space at
    /// the end of the model's own words is refused.
    pub(super) fn block(&self, w: &mut Writer, block: &Block<'_>, last: bool, losses: &mut Losses) {
        let Block { content, cache, path, rest } = block;
        let cache = cache.filter(|_| !matches!(content, Content::Reasoning(_)));
        if let Content::Opaque(raw) = content {
            w.raw(raw);
            return;
        }
        w.object(|w| {
            match content {
                Content::Text { text, citations } => {
                    w.key("type").string("text").key("text");
                    write_words(w, text, last);
                    let own: Vec<_> = citations.iter().filter(|citation| is_own(citation)).collect();
                    if !own.is_empty() {
                        w.key("citations").array(|w| {
                            own.iter().for_each(|citation| {
                                w.raw(citation.raw);
                            });
                        });
                    }
                }
                Content::Refusal(text) => {
                    w.key("type").string("text").key("text");
                    write_words(w, text, last);
                }
                Content::Image(media) => {
                    w.key("type").string("image");
                    let source = media::image_source(media, self.own, self.target.media);
                    self.source(w, source.as_ref(), rest);
                }
                Content::Document(media) => {
                    w.key("type").string("document");
                    let source = media::document_source(media, self.own, self.target.media);
                    self.source(w, source.as_ref(), rest);
                    if let Some(name) = &media.name {
                        w.key("title").text(name);
                    }
                }
                Content::ToolCall(call) => {
                    let ToolCall { id, item: _, name, arguments, seal: _ } = call;
                    w.key("type").string("tool_use").key("id");
                    write_id(w, id);
                    w.key("name").text(name).key("input");
                    if arguments.write_object(w).is_err() {
                        losses.member(*path, "arguments");
                    }
                }
                Content::ToolResult(result) => self.result(w, result, losses),
                Content::Reasoning(reasoning) => write_reasoning(w, reasoning, |seal| seal.data.borrowed()),
                Content::Audio(_) | Content::Video(_) | Content::Opaque(_) => {}
            }
            if let Some(cache) = cache {
                w.key("cache_control").raw(cache);
            }
            if self.own {
                let outside =
                    |rest: &&Extension<'_>| rest.name != "source" && under(rest, "source").is_none();
                rest.iter().filter(outside).for_each(|rest| write_extension(w, &rest.name.value(), rest.raw));
            }
        });
    }

    fn source(&self, w: &mut Writer, source: Option<&Sayable<'_>>, rest: &[Extension<'_>]) {
        w.key("source");
        let whole = rest.iter().find(|rest| self.own && rest.name == "source");
        match (whole, source) {
            (Some(whole), _) => {
                w.raw(whole.raw);
            }
            (None, Some(source)) => media::write_source(w, source, |w| {
                if self.own {
                    write_under(w, rest, "source");
                }
            }),
            // Only blocks that can be said are written.
            (None, None) => {
                w.null();
            }
        }
    }

    fn result(&self, w: &mut Writer, result: &ToolResult<'_>, losses: &mut Losses) {
        // The name is that of the call; a custom tool's result is a text like any other.
        let ToolResult { id, name: _, content, object, failed, custom: _, own_name: _ } = result;
        w.key("type").string("tool_result").key("tool_use_id");
        write_id(w, id);
        let inner: Vec<_> = content.iter().filter(|block| self.sayable(block, losses)).collect();
        if let Some(object) = object {
            w.key("content").quoted(object);
        } else if let Some(text) = lone_text(inner.as_slice()) {
            w.key("content").text(text);
        } else if !inner.is_empty() {
            w.key("content").array(|w| inner.iter().for_each(|block| self.block(w, block, false, losses)));
        }
        if *failed {
            w.key("is_error").bool(true);
        }
    }
}

/// The text, where the blocks are nothing but one.
pub(super) fn lone_text<'b>(blocks: &[&'b Block<'_>]) -> Option<&'b Text<'b>> {
    let [Block { content, cache: None, path: _, rest }] = blocks else { return None };
    match content {
        Content::Text { text, citations } if citations.is_empty() && rest.is_empty() => Some(text),
        Content::Refusal(text) if rest.is_empty() => Some(text),
        _ => None,
    }
}

/// Writes thoughts with their proof, or their cipher where there is nothing else.
pub(super) fn write_reasoning<'s>(
    w: &mut Writer,
    reasoning: &'s Reasoning<'_>,
    seal_text: impl FnOnce(&'s Seal<'s>) -> Text<'s>,
) {
    let Reasoning { id: _, text, summary, seal } = reasoning;
    let parts = if text.is_empty() { summary } else { text };
    if let Some(seal) = seal.as_ref().filter(|seal| seal.kind == SealKind::Encrypted && parts.is_empty()) {
        w.key("type").string("redacted_thinking").key("data").text(&seal_text(seal));
        return;
    }
    let gaps = parts.iter().enumerate().flat_map(|(at, part)| [(at > 0).then_some(&BREAK), Some(part)]);
    w.key("type").string("thinking").key("thinking").joined(gaps.flatten().map(shorten));
    let signature = seal.as_ref().map(seal_text).unwrap_or_default();
    w.key("signature").text(&signature);
}

/// Between the parts of thoughts that another dialect tells in several.
static BREAK: Text<'static> = Text::Escaped("\\n\\n");

fn shorten<'s>(text: &'s Text<'_>) -> &'s Text<'s> {
    text
}

/// Writes an id within the vendor's alphabet and length.
pub(super) fn write_id(w: &mut Writer, id: &Text<'_>) {
    match ids::fit(&id.value()) {
        Cow::Borrowed(_) => w.text(id),
        Cow::Owned(fitted) => w.string(&fitted),
    };
}

/// Writes the extensions that stood inside the member `object`.
pub(super) fn write_under(w: &mut Writer, rest: &[Extension<'_>], object: &str) {
    for extension in rest {
        if let Some(name) = under(extension, object) {
            write_extension(w, &name, extension.raw);
        }
    }
}

/// The name inside the member `object`, if the extension stood there.
pub(super) fn under(extension: &Extension<'_>, object: &str) -> Option<String> {
    let name = extension.name.value();
    Some(name.strip_prefix(object)?.strip_prefix('.')?.to_owned())
}

fn write_extension(w: &mut Writer, name: &str, raw: &str) {
    w.key(name).raw(raw);
}

/// Whether a citation is in Anthropic's form, and can be sent back.
pub(super) fn is_own(citation: &Citation<'_>) -> bool {
    let Ok(document) = crate::json::Document::read(citation.raw.as_bytes()) else { return false };
    let root = document.root();
    let text = |name: &str| root.get(name).and_then(crate::json::Node::text);
    // An empty index is what a client was given for a citation of another provider's.
    text("type").is_some_and(|kind| kind.value().ends_with("_location"))
        && text("encrypted_index").is_none_or(|index| !index.is_empty())
}

fn or_lost(said: bool, path: Path, losses: &mut Losses) -> bool {
    if !said {
        losses.at(path);
    }
    said
}

/// Whether the text says something: the vendor refuses those of nothing but white space.
fn is_worded(text: &Text<'_>, path: Path, losses: &mut Losses) -> bool {
    let blank = is_blank(text);
    if blank && !text.is_empty() {
        losses.at(path);
    }
    !blank
}

/// Whether the text is nothing but white space.
fn is_blank(text: &Text<'_>) -> bool {
    match text {
        Text::Plain(value) => value.trim_start().is_empty(),
        Text::Escaped(raw) => {
            let mut left = raw.trim_start();
            // Only a text that begins with another escape has to be read.
            while let Some(after) = ["\\n", "\\r", "\\t"].iter().find_map(|e| left.strip_prefix(e)) {
                left = after.trim_start();
            }
            left.is_empty() || (left.starts_with('\\') && text.value().trim_start().is_empty())
        }
    }
}

fn write_words(w: &mut Writer, text: &Text<'_>, last: bool) {
    if last {
        w.string(text.value().trim_end());
    } else {
        w.text(text);
    }
}
