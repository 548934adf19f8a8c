//! Whole answers to clients.

use pointsman_core::Dialect;

use super::answer::OUTPUT;
use super::echo;
use super::words::{self, Kind};
use super::write::{
    Asked, Called, Status, free_input, is_cut, tier_word, write_annotation, write_call, write_message_head,
    write_picture, write_reasoning, write_text_part, write_usage,
};
use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Content, Encoded, Extension, Losses, Media, Path,
    Reasoning, Source, ToolCall,
};

/// Writes the answer of `POST /v1/responses`.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let Answer { id, model, created, choices, usage, service_tier, own, rest } = answer;
    let mut losses = Losses::default();
    let mut choices = choices.iter();
    let none = Choice::default();
    let first = choices.next().unwrap_or(&none);
    for further in choices {
        losses.at(Path::Item("choices", u32::try_from(further.index).unwrap_or(u32::MAX)));
    }
    let Choice { index: _, blocks, finish, logprobs, rest: beside } = first;
    let native = blocks.iter().any(|block| is_native(block.path));
    let refused = blocks.iter().any(|block| matches!(block.content, Content::Refusal(_)));
    let cut = !native && finish.as_ref().is_some_and(|finish| is_cut(finish.reason));
    let tier = service_tier.as_ref().and_then(|tier| {
        let word = if native { Some(tier.borrowed()) } else { tier_word(tier).map(Text::from) };
        if word.is_none() {
            losses.field("service_tier");
        }
        word
    });
    let mut w = Writer::with_capacity(2_048 + context.request.len() / 2);
    w.object(|w| {
        write_head(w, id, context, created.unwrap_or(context.created));
        // An answer that goes on in the background says so itself.
        match rest.iter().find(|own| native && own.name == "status") {
            Some(status) => {
                w.key("status").raw(status.raw).key("incomplete_details").null();
            }
            None => Status::of(finish.as_ref(), refused, &mut losses).write(w),
        }
        w.key("error").null().key("model");
        write_model(w, model, context);
        let asked = Asked::read(&context.request);
        let mut items =
            Items { context, asked, own, native, cut, losses: &mut losses, number: 0, tokens: Vec::new() };
        w.key(OUTPUT).array(|w| items.write(w, blocks, logprobs.as_deref()));
        echo::write(w, &context.request, own, tier.as_ref());
        w.key("usage");
        write_usage(w, usage.as_ref());
        if native {
            for extension in rest.iter().filter(|own| own.path == Path::Root && own.name != "status") {
                w.text(&extension.name).frame(b":").raw(extension.raw);
            }
        } else {
            losses.extensions(rest);
        }
    });
    losses.extensions(beside);
    Encoded { body: w.finish(), losses }
}

/// Writes what an answer begins with: `id`, `object` and `created_at`. Only ids of this dialect's form can be
/// asked for later.
pub(super) fn write_head(w: &mut Writer, id: &Text<'_>, context: &AnswerContext, created: u64) {
    const PREFIX: &str = "resp_";
    w.key("id");
    if id.value().starts_with(PREFIX) {
        w.text(id);
    } else {
        w.joined(&[Text::from(PREFIX), Text::from(context.id.as_str())]);
    }
    w.key("object").string("response").key("created_at").count(created);
}

pub(super) fn write_model(w: &mut Writer, model: &Text<'_>, context: &AnswerContext) {
    if model.is_empty() {
        w.string(&context.model)
    } else {
        w.text(model)
    };
}

/// Whether it stood in an answer of this dialect.
fn is_native(path: Path) -> bool {
    matches!(path, Path::Item(OUTPUT, _) | Path::Part(OUTPUT, ..))
}

/// The items of an answer, as they are written.
struct Items<'i, 'a> {
    context: &'i AnswerContext,
    asked: Asked,
    own: &'i [Extension<'a>],
    /// The provider speaks this dialect too.
    native: bool,
    losses: &'i mut Losses,
    number: usize,
    /// The answer broke off.
    cut: bool,
    /// Log probabilities that no text has taken yet: bytes of the token and the entry.
    tokens: Vec<(usize, String)>,
}

impl Items<'_, '_> {
    fn write(&mut self, w: &mut Writer, blocks: &[Block<'_>], logprobs: Option<&str>) {
        if let Some(logprobs) = logprobs {
            self.tokens = tokens(logprobs);
            let speaks = blocks.iter().any(|block| matches!(block.content, Content::Text { .. }));
            if self.tokens.is_empty() || !speaks {
                self.losses.field("logprobs");
            }
        }
        let mut left = blocks;
        while let Some(first) = left.first() {
            let parts = left.iter().take_while(|block| is_part(block) && item(block) == item(first)).count();
            let (these, after) = left.split_at(parts.max(1));
            if parts > 0 {
                let last = !after.iter().any(|block| matches!(block.content, Content::Text { .. }));
                self.message(w, these, last, after.is_empty());
            } else {
                self.item(w, first);
            }
            left = after;
        }
    }

    fn made(&mut self, kind: Kind) -> String {
        let id = kind.made(&self.context.id, self.number);
        self.number += 1;
        id
    }

    /// `last`: no text follows; `ends`: nothing does.
    fn message(&mut self, w: &mut Writer, parts: &[Block<'_>], last: bool, ends: bool) {
        let made = self.made(Kind::Message);
        let place = parts.first().and_then(item).map(|at| Path::Item(OUTPUT, at));
        let told = self.own.iter().find(|own| Some(own.path) == place && own.name == "id");
        let own = parts.first().map_or(&[][..], |block| &block.rest);
        let beside = |own: &&Extension<'_>| Some(own.path) == place;
        let status = own.iter().find(|own| beside(own) && own.name == "status");
        let whole = if self.cut && ends { "incomplete" } else { "completed" };
        w.object(|w| {
            let id = told.map_or_else(|| Text::from(made), |told| text(told.raw));
            let status = status.map(|status| text(status.raw).into_value());
            write_message_head(w, &id, status.as_deref().unwrap_or(whole));
            w.array(|w| {
                for (at, part) in parts.iter().enumerate() {
                    self.part(w, part, last && at + 1 == parts.len());
                }
            });
            for extension in own.iter().filter(beside).filter(|own| own.name != "status") {
                w.text(&extension.name).frame(b":").raw(extension.raw);
            }
        });
    }

    fn part(&mut self, w: &mut Writer, block: &Block<'_>, last: bool) {
        let native = self.native;
        let beside: Vec<_> = block.rest.iter().filter(|own| native && own.path == block.path).collect();
        let more = |w: &mut Writer| {
            for extension in beside {
                w.text(&extension.name).frame(b":").raw(extension.raw);
            }
        };
        match &block.content {
            Content::Text { text, citations } => {
                let mut annotations = Vec::with_capacity(citations.len());
                for citation in citations {
                    let mut form = Writer::with_capacity(citation.raw.len());
                    if write_annotation(&mut form, citation, text.chars()) {
                        annotations.push(String::from_utf8(form.finish()).unwrap_or_default());
                    } else {
                        self.losses.member(block.path, "citations");
                    }
                }
                let logprobs = self.take_tokens(text, last);
                write_text_part(w, text, &annotations, &logprobs, more);
            }
            Content::Refusal(text) => {
                w.object(|w| {
                    w.key("type").string("refusal").key("refusal").text(text);
                    more(w);
                });
            }
            Content::Opaque(raw) => {
                w.raw(raw);
            }
            _ => {}
        }
        if !native {
            self.losses.extensions(&block.rest);
        }
    }

    /// The entries of the tokens that make up the text; of the last text, all that are left.
    fn take_tokens(&mut self, text: &Text<'_>, last: bool) -> Vec<String> {
        let whole = if last { usize::MAX } else { text.value().len() };
        let mut length = 0;
        let count = self.tokens.iter().take_while(|(bytes, _)| {
            let before = length;
            length += bytes;
            before < whole
        });
        let count = count.count();
        self.tokens.drain(..count).map(|(_, entry)| entry).collect()
    }

    fn item(&mut self, w: &mut Writer, block: &Block<'_>) {
        match &block.content {
            Content::Reasoning(reasoning) => self.reasoning(w, block, reasoning),
            Content::ToolCall(call) => self.call(w, block, call),
            Content::Image(Media { source: Source::Base64(data), .. }) => {
                let id = self.made(Kind::Image);
                write_picture(w, &id, Some(data));
                self.losses.extensions(&block.rest);
            }
            Content::Opaque(raw) if self.native || words::is_own_item(raw) => {
                w.raw(raw);
                self.number += 1;
            }
            _ => self.losses.at(block.path),
        }
    }

    fn reasoning(&mut self, w: &mut Writer, block: &Block<'_>, reasoning: &Reasoning<'_>) {
        let Reasoning { id, text, summary, seal } = reasoning;
        let made = self.made(Kind::Reasoning);
        let (summary, text) = match self.asked.summary && !self.native && summary.is_empty() {
            true => (text, summary),
            false => (summary, text),
        };
        let cipher = seal.as_ref().map(|seal| seal.for_client(Dialect::OpenAiResponses));
        let made = Text::from(made);
        w.object(|w| {
            write_reasoning(w, id.as_ref().unwrap_or(&made), summary, text, cipher.as_ref());
            self.beside(w, block, "");
        });
    }

    fn call(&mut self, w: &mut Writer, block: &Block<'_>, call: &ToolCall<'_>) {
        let ToolCall { id, item, name, arguments, seal } = call;
        let free = matches!(arguments, Arguments::Free(_));
        let custom = free || self.asked.is_custom(name);
        let made = Text::from(self.made(if custom { Kind::Custom } else { Kind::Function }));
        let called = Called { item: item.as_ref().unwrap_or(&made), id, name, custom };
        let status = block.rest.iter().find(|own| self.native && own.name == "status");
        let status = status.map(|status| text(status.raw).into_value());
        w.object(|w| {
            write_call(w, called, status.as_deref().unwrap_or("completed"), |w| match arguments {
                Arguments::Object(raw) if custom => {
                    w.string(&free_input(raw));
                }
                Arguments::Quoted(text) if custom => {
                    w.string(&free_input(&text.value()));
                }
                Arguments::Quoted(text) if text.is_empty() => {
                    w.string("{}");
                }
                arguments => arguments.write_string(w),
            });
            self.beside(w, block, "status");
        });
        if let Some(seal) = seal {
            // A call has no place for a proof: clients keep this item, and hand it back behind the call.
            let proof = seal.for_client(Dialect::OpenAiResponses);
            w.object(|w| write_reasoning(w, &Text::from(words::proof_id(id)), &[], &[], Some(&proof)));
            self.number += 1;
        }
    }

    /// What else an item had, but for the member that was written.
    fn beside(&mut self, w: &mut Writer, block: &Block<'_>, written: &str) {
        if !self.native {
            self.losses.extensions(&block.rest);
            return;
        }
        for extension in block.rest.iter().filter(|own| own.name != *written) {
            w.text(&extension.name).frame(b":").raw(extension.raw);
        }
    }
}

/// Whether the block is part of a message.
fn is_part(block: &Block<'_>) -> bool {
    match block.content {
        Content::Text { .. } | Content::Refusal(_) => true,
        Content::Opaque(_) => matches!(block.path, Path::Part(OUTPUT, ..)),
        _ => false,
    }
}

/// The number of the item in the provider's own answer.
fn item(block: &Block<'_>) -> Option<u32> {
    match block.path {
        Path::Part(OUTPUT, at, ..) | Path::Item(OUTPUT, at) => Some(at),
        _ => None,
    }
}

/// The value of a JSON string, as it stands.
fn text(raw: &str) -> Text<'_> {
    Text::Escaped(raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or_default())
}

/// The entries of log probabilities, and how many bytes each token has.
fn tokens(logprobs: &str) -> Vec<(usize, String)> {
    let Ok(document) = Document::read(logprobs.as_bytes()) else { return Vec::new() };
    let list = document.root().get("content");
    let entries = list.into_iter().flat_map(Node::elements).map(|entry| {
        let bytes = entry.get("bytes").map(|bytes| bytes.elements().count());
        let token = entry.get("token").and_then(Node::text);
        let length = bytes.or_else(|| token.map(|token| token.value().len())).unwrap_or_default();
        (length, entry.raw().to_owned())
    });
    entries.collect()
}
