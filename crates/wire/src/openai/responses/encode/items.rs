//! The conversation. Where other dialects have one turn with many blocks, this one has many items: what is
//! said between thoughts, calls and results becomes a message each time.

use std::borrow::Cow;

use super::super::write::write_texts;
use super::super::{item, words};
use super::Encoder;
use crate::json::{Text, Writer};
use crate::neutral::terms;
use crate::neutral::{
    Arguments, Block, Content, Given, Message, Path, Reasoning, Role, Seal, SealKind, ToolCall, ToolResult,
    ids,
};

/// The longest id of a call that the vendor takes.
const MAX_CALL_ID: usize = 64;

impl Encoder<'_> {
    /// `instructions` and `input`.
    pub(super) fn conversation(&mut self, w: &mut Writer, messages: &[Message<'_>], held: bool) {
        let mut left = messages;
        if let [first, after @ ..] = messages
            && let Some(text) = self.instructions(first, after)
        {
            self.put(w, "instructions", &first.path.to_string(), |w| {
                w.text(text);
            });
            left = after;
        }
        if left.is_empty() && self.own && held {
            return;
        }
        w.key("input");
        match left {
            [Message { path: Path::Field("input"), blocks, .. }] if self.own => {
                if let [Block { content: Content::Text { text, .. }, .. }] = blocks.as_slice() {
                    w.text(text);
                }
            }
            left => {
                w.array(|w| left.iter().for_each(|message| self.message(w, message)));
            }
        }
    }

    /// The text of the first message, if it is one that stands apart: here it did, or in a dialect where
    /// instructions are a field. A conversation of nothing else stays an `input`, which the vendor wants.
    fn instructions<'m>(&self, first: &'m Message<'_>, after: &[Message<'_>]) -> Option<&'m Text<'m>> {
        let apart = matches!(first.path, Path::Field(name) if name != "input");
        let [Block { content: Content::Text { text, citations }, cache: None, path: _, rest }] =
            first.blocks.as_slice()
        else {
            return None;
        };
        let plain = citations.is_empty() && rest.is_empty() && first.rest.is_empty();
        let wanted = first.role == Role::System && apart && plain && (self.own || !after.is_empty());
        wanted.then_some(text)
    }

    fn message(&mut self, w: &mut Writer, message: &Message<'_>) {
        let Message { role: _, name, id, blocks, path, rest } = message;
        if name.is_some() {
            self.losses.member(*path, "name");
        }
        if id.is_some() && !self.own {
            self.losses.member(*path, "id");
        }
        let mut said: Vec<&Block<'_>> = Vec::new();
        let mut told = false;
        for block in blocks {
            if !is_item(block) {
                said.push(block);
                continue;
            }
            self.said(w, message, &std::mem::take(&mut said));
            told = true;
            self.item(w, block, message);
        }
        told |= self.said(w, message, &said);
        if !told && self.own {
            self.say(w, message, &[]);
        }
        if !self.own {
            self.losses.extensions(rest);
        }
    }

    /// A message of what was said, if anything was. Returns whether.
    fn said(&mut self, w: &mut Writer, message: &Message<'_>, said: &[&Block<'_>]) -> bool {
        let assistant = message.role == Role::Assistant;
        let mut placed = Vec::with_capacity(said.len());
        for block in said {
            if self.own || self.has_place(block, assistant) {
                placed.push(*block);
            } else {
                self.losses.at(block.path);
            }
        }
        if !placed.is_empty() {
            self.say(w, message, &placed);
        }
        !placed.is_empty()
    }

    fn say(&mut self, w: &mut Writer, message: &Message<'_>, placed: &[&Block<'_>]) {
        let role = match message.role {
            Role::System => "system",
            Role::Developer if self.target.quirks.no_developer_role => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        w.object(|w| {
            w.key("type").string("message").key("role").string(role).key("content");
            if message.role == Role::Assistant && !self.own {
                self.joined(w, placed);
            } else {
                self.content(w, placed, message.role == Role::Assistant);
            }
            if self.own {
                self.written_back(w, message);
            }
        });
    }

    /// An item's own id, its status and what else it had. Whatever has an id has been whole, unless it says
    /// otherwise.
    fn written_back(&mut self, w: &mut Writer, message: &Message<'_>) {
        if let Some(id) = &message.id {
            w.key("id").text(id);
            if message.rest.iter().all(|own| own.name != "status") {
                w.key("status").string("completed");
            }
        }
        self.rest(w, &message.rest);
    }

    fn item(&mut self, w: &mut Writer, block: &Block<'_>, message: &Message<'_>) {
        match &block.content {
            Content::ToolCall(call) => self.call(w, block, call),
            Content::ToolResult(result) => self.result(w, block, result, message),
            Content::Reasoning(reasoning) => self.thought(w, block, reasoning),
            Content::Opaque(raw) if self.own => {
                w.raw(raw);
            }
            _ => self.losses.at(block.path),
        }
    }

    fn call(&mut self, w: &mut Writer, block: &Block<'_>, call: &ToolCall<'_>) {
        let ToolCall { id, item, name, arguments, seal } = call;
        let (kind, argument) = match arguments {
            Arguments::Free(_) => ("custom_tool_call", "input"),
            Arguments::Object(_) | Arguments::Quoted(_) => ("function_call", "arguments"),
        };
        w.object(|w| {
            w.key("type").string(kind).key("call_id").string(&self.call_id(id));
            w.key("name").text(name).key(argument);
            arguments.write_string(w);
            if let Some(item) = item.as_ref().filter(|_| self.own) {
                w.key("id").text(item);
                if kind == "function_call" && block.rest.iter().all(|own| own.name != "status") {
                    w.key("status").string("completed");
                }
            }
            self.rest(w, &block.rest);
        });
        if item.is_some() && !self.own {
            self.losses.member(block.path, "item_id");
        }
        if let Some(seal) = seal {
            self.lose_seal(block.path, seal);
        }
        if block.cache.is_some() {
            self.losses.member(block.path, "cache_control");
        }
    }

    fn result(&mut self, w: &mut Writer, block: &Block<'_>, result: &ToolResult<'_>, message: &Message<'_>) {
        let ToolResult { id, name: _, content, object, failed, custom, own_name: _ } = result;
        if !self.own && result.lone_name().is_some() {
            self.losses.member(block.path, terms::result_name(self.client));
        }
        let mut placed = Vec::with_capacity(content.len());
        for part in content {
            if self.own || self.has_place(part, false) {
                placed.push(part);
            } else {
                self.losses.at(part.path);
            }
        }
        w.object(|w| {
            w.key("type").string(if *custom { "custom_tool_call_output" } else { "function_call_output" });
            let stands_for_id = result.name_for_id().filter(|_| self.own);
            if stands_for_id.is_none() {
                w.key("call_id").string(&self.call_id(id));
            }
            if let Some(name) = stands_for_id.or(result.lone_name().filter(|_| self.own)) {
                w.key("name").text(name);
            }
            w.key("output");
            match object {
                Some(object) => {
                    w.quoted(object);
                }
                None => self.content(w, &placed, false),
            }
            if self.own {
                self.written_back(w, message);
            }
        });
        if *failed {
            self.losses.member(block.path, "is_error");
        }
        if block.cache.is_some() {
            self.losses.member(block.path, "cache_control");
        }
        if !self.own {
            self.losses.extensions(&block.rest);
        }
    }

    /// A thought, for who made it. The vendor refuses ciphers of others, ids that it did not give, and, of
    /// clients, plain thoughts.
    fn thought(&mut self, w: &mut Writer, block: &Block<'_>, reasoning: &Reasoning<'_>) {
        let Reasoning { id, text, summary, seal } = reasoning;
        let plain = self.takes("reasoning_content") && id.as_ref().is_none_or(|id| !words::is_made(id));
        let wanted = match seal {
            Some(seal) => seal.is_for(self.target) && seal.kind == SealKind::Encrypted,
            None => plain,
        };
        if !wanted {
            self.losses.at(block.path);
            return;
        }
        let sealed = seal.as_ref().map(|seal| seal.data.value());
        let (bound, cipher) = sealed.as_deref().map(item::unbind).unzip();
        // A client of another dialect hands a summary back as the thought itself.
        let (summary, text) = match (self.own, summary.is_empty(), seal) {
            (false, true, Some(_)) => (text.as_slice(), [].as_slice()),
            (false, false, Some(_)) => {
                if !text.is_empty() {
                    self.losses.member(block.path, "text");
                }
                (summary.as_slice(), [].as_slice())
            }
            _ => (summary.as_slice(), text.as_slice()),
        };
        w.object(|w| {
            w.key("type").string("reasoning");
            match (bound.flatten(), id) {
                (Some(id), _) => {
                    w.key("id").string(id);
                }
                (None, Some(id)) => {
                    w.key("id").text(id);
                }
                (None, None) => {}
            }
            w.key("summary").array(|w| write_texts(w, "summary_text", summary));
            if !text.is_empty() {
                w.key("content").array(|w| write_texts(w, "reasoning_text", text));
            }
            if let Some(cipher) = cipher {
                w.key("encrypted_content").string(cipher);
            }
            self.rest(w, &block.rest);
        });
    }

    fn lose_seal(&mut self, path: Path, seal: &Seal<'_>) {
        self.losses.member(path, terms::seal(self.client, seal.kind));
    }

    /// Any characters are taken, but not any number of them.
    fn call_id<'i>(&self, id: &'i Text<'_>) -> Cow<'i, str> {
        let value = id.value();
        if self.own || value.chars().count() <= MAX_CALL_ID {
            value
        } else {
            ids::fit(&value).into_owned().into()
        }
    }

    /// `previous_response_id`; the other ways to name what the provider holds stand where they stood.
    pub(super) fn held(&mut self, w: &mut Writer, previous: Option<&Given<Text<'_>>>) {
        const FIELD: &str = "previous_response_id";
        let Some(previous) = previous else { return };
        if !self.own {
            self.losses.field(previous.field);
        } else if previous.field == FIELD {
            self.put(w, FIELD, FIELD, |w| {
                w.text(&previous.value);
            });
        }
    }
}

/// Whether the block is an item of its own, not part of a message.
fn is_item(block: &Block<'_>) -> bool {
    match &block.content {
        Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => true,
        Content::Opaque(_) => !matches!(block.path, Path::Part(..)),
        _ => false,
    }
}
