//! The conversation. Where other dialects have one turn this one has several messages, and the other
//! way round: results of tools are messages of their own, right behind the calls; calls made at once are
//! in one message.

use std::borrow::Cow;

use super::super::assistant::THOUGHTS;
use super::super::details::{write_call_proof, write_thought};
use super::Encoder;
use crate::json::{Text, Writer};
use crate::neutral::{
    Arguments, Block, Content, Message, Path, Reasoning, Role, Seal, ToolCall, ToolResult, ids, terms,
};

/// Where vendors that want plain thoughts back look for them.
const THOUGHTS_BACK: &str = "reasoning_content";

/// The messages in the order in which OpenAI takes them: nothing stands between calls and their results.
fn results_first<'m, 'a>(messages: &'m [Message<'a>]) -> Vec<&'m Message<'a>> {
    let mut ordered = Vec::with_capacity(messages.len());
    let mut called = false;
    let turns =
        messages.chunk_by(|one, next| (one.role == Role::Assistant) == (next.role == Role::Assistant));
    for turn in turns {
        let before = called;
        called = turn.iter().flat_map(|message| &message.blocks).any(|block| is_call(block, false));
        if !before {
            ordered.extend(turn);
            continue;
        }
        let (results, others): (Vec<_>, Vec<_>) =
            turn.iter().partition(|message| message.blocks.iter().any(is_result));
        ordered.extend(results);
        ordered.extend(others);
    }
    ordered
}

impl Encoder<'_> {
    pub(super) fn messages(&mut self, w: &mut Writer, messages: &[Message<'_>]) {
        let ordered = if self.own { messages.iter().collect() } else { results_first(messages) };
        let mut left = &ordered[..];
        while let Some(first) = left.first() {
            let alike = match first.role {
                Role::User | Role::Assistant if !self.own => {
                    left.iter().take_while(|message| message.role == first.role).count()
                }
                _ => 1,
            };
            let (turn, after) = left.split_at(alike);
            match first.role {
                Role::System | Role::Developer => self.instructions(w, first),
                Role::User => self.user(w, turn),
                Role::Assistant => self.assistant(w, turn),
            }
            left = after;
        }
    }

    fn instructions(&mut self, w: &mut Writer, message: &Message<'_>) {
        let role = match message.role {
            Role::Developer if !self.target.quirks.no_developer_role => "developer",
            _ => "system",
        };
        let blocks = self.placed(message.blocks.iter());
        w.object(|w| {
            w.key("role").string(role).key("content");
            self.content(w, &blocks);
            self.speaker(w, message);
        });
    }

    fn speaker(&mut self, w: &mut Writer, message: &Message<'_>) {
        let Message { role: _, name, id, blocks: _, path, rest } = message;
        if let Some(name) = name {
            w.key("name").text(name);
        }
        if id.is_some() {
            self.losses.member(*path, "id");
        }
        self.rest(w, rest, "");
    }

    /// What stands beside the content of a turn of another dialect that has no message of its own here.
    fn lose_speaker(&mut self, message: &Message<'_>) {
        let Message { role: _, name, id, blocks: _, path, rest } = message;
        for (member, given) in [("name", name), ("id", id)] {
            if given.is_some() {
                self.losses.member(*path, member);
            }
        }
        self.losses.extensions(rest);
    }

    fn user(&mut self, w: &mut Writer, turn: &[&Message<'_>]) {
        let mut attached: Vec<(&ToolResult<'_>, &Block<'_>)> = Vec::new();
        for message in turn {
            for block in &message.blocks {
                if let Content::ToolResult(result) = &block.content {
                    self.result(w, block, result, message);
                    let media = self.attachments(result).map(|block| (result, block));
                    attached.extend(media.filter(|(_, block)| self.is_placed(block)));
                }
            }
        }
        self.attached(w, &attached);
        for message in turn {
            let said = message.blocks.iter().filter(|block| !is_result(block));
            let blocks = self.placed(said);
            if blocks.is_empty() && !message.blocks.is_empty() {
                if !self.own {
                    self.lose_speaker(message);
                }
                continue;
            }
            w.object(|w| {
                w.key("role").string("user").key("content");
                self.content(w, &blocks);
                self.speaker(w, message);
            });
        }
    }

    fn result(&mut self, w: &mut Writer, block: &Block<'_>, result: &ToolResult<'_>, message: &Message<'_>) {
        let ToolResult { id, name, content, object, failed, custom: _, own_name } = result;
        let old = self.own && matches!(block.path, Path::Part(_, _, "function", _));
        let carried = |block: &&Block<'_>| self.own || matches!(block.content, Content::Text { .. });
        let mut blocks: Vec<&Block<'_>> = content.iter().filter(carried).collect();
        for lost in content.iter().filter(|block| !self.own && !is_said(block)) {
            self.losses.at(lost.path);
        }
        // The marker stands on the whole result, and here only on its parts.
        let marked = blocks.last().filter(|_| block.cache.is_some() && self.takes("cache_control"));
        let marked = marked.map(|last| Block { cache: last.cache.or(block.cache), ..(*last).clone() });
        if let (Some(marked), Some(last)) = (&marked, blocks.last_mut()) {
            *last = marked;
        } else if block.cache.is_some() {
            self.losses.member(block.path, "cache_control");
        }
        if *failed {
            self.losses.member(block.path, "is_error");
        }
        if !self.own && result.lone_name().is_some() {
            self.losses.member(block.path, terms::result_name(self.client));
        }
        let stands_for_id = self.own && result.name_for_id().is_some();
        w.object(|w| {
            w.key("role").string(if old { "function" } else { "tool" });
            if !old && !stands_for_id {
                w.key("tool_call_id").string(&self.call_id(id));
            }
            if let Some(name) = name.as_ref().filter(|_| old || self.own && *own_name) {
                w.key("name").text(name);
            }
            w.key("content");
            match object {
                Some(object) => {
                    w.quoted(object);
                }
                None => self.content(w, &blocks),
            }
            if self.own {
                self.rest(w, &message.rest, "");
            }
        });
        if !self.own {
            self.losses.extensions(&block.rest);
        }
    }

    /// Media of a result: a tool's message holds text alone.
    fn attachments<'b, 'a>(
        &self,
        result: &'b ToolResult<'a>,
    ) -> impl Iterator<Item = &'b Block<'a>> + use<'b, 'a> {
        let own = self.own;
        result.content.iter().filter(move |block| !own && is_medium(block))
    }

    /// One message of the user with all of them, behind the results: nothing may stand between those.
    fn attached(&mut self, w: &mut Writer, attached: &[(&ToolResult<'_>, &Block<'_>)]) {
        if attached.is_empty() {
            return;
        }
        w.object(|w| {
            w.key("role").string("user").key("content").array(|w| {
                let mut before = None;
                for (result, block) in attached {
                    if before != Some(&result.id) {
                        before = Some(&result.id);
                        let note = format!("Result of tool call {}:", self.call_id(&result.id));
                        w.object(|w| {
                            w.key("type").string("text").key("text").string(&note);
                        });
                    }
                    self.part(w, block);
                }
            });
        });
    }

    fn assistant(&mut self, w: &mut Writer, turn: &[&Message<'_>]) {
        let own = self.own;
        let blocks = || turn.iter().flat_map(|message| &message.blocks);
        let thoughts: Vec<&Block<'_>> = blocks().filter(|block| is_thought(block, own)).collect();
        let calls: Vec<&Block<'_>> = blocks().filter(|block| is_call(block, own)).collect();
        let said = blocks().filter(|block| !is_thought(block, own) && !is_call(block, own));
        let (refusals, said): (Vec<_>, Vec<_>) = said.partition(|block| is_refusal(block, own));
        let (pictures, said): (Vec<_>, Vec<_>) = said.into_iter().partition(|block| inner(block) == "images");
        let said: Vec<&Block<'_>> = said.into_iter().filter(|block| self.is_spoken(block)).collect();
        if !own && said.is_empty() && calls.is_empty() && refusals.is_empty() {
            self.lose_thoughts(&thoughts);
            return;
        }
        let Some(first) = turn.first() else { return };
        w.object(|w| {
            w.key("role").string("assistant").key("content");
            if said.is_empty() && !(calls.is_empty() && refusals.is_empty()) {
                w.null();
            } else if own && !is_one_text(&said) {
                self.content(w, &said);
            } else {
                self.joined(w, &said);
            }
            let refusals = refusals.iter().filter_map(|block| match &block.content {
                Content::Refusal(text) => Some(text),
                _ => None,
            });
            let refusals: Vec<_> = refusals.map(Text::borrowed).collect();
            if !refusals.is_empty() {
                w.key("refusal").joined(&refusals);
            }
            self.own_extras(w, &said, &pictures);
            let thought = self.thoughts(w, &thoughts);
            if !own && !thought && !calls.is_empty() && self.takes(THOUGHTS_BACK) {
                // While they think, these vendors refuse a call whose thoughts are not there, whoever made it.
                w.key(THOUGHTS_BACK).string(" ");
            }
            self.calls(w, &calls);
            self.speaker(w, first);
            turn.iter().skip(1).for_each(|message| self.lose_speaker(message));
        });
    }

    /// Only text has a place in what the model said.
    fn is_spoken(&mut self, block: &Block<'_>) -> bool {
        let spoken = self.own || matches!(block.content, Content::Text { .. });
        if !spoken {
            self.losses.at(block.path);
        }
        spoken
    }

    /// Several texts as one: other dialects cut an answer where a source is cited, and no space is lost.
    fn joined(&mut self, w: &mut Writer, said: &[&Block<'_>]) {
        let mut texts = Vec::with_capacity(said.len());
        for block in said {
            let Block { content: Content::Text { text, citations }, cache, path, rest } = block else {
                continue;
            };
            texts.push(text.borrowed());
            if !citations.is_empty() && !self.own {
                self.losses.member(*path, "citations");
            }
            if cache.is_some() {
                self.losses.member(*path, "cache_control");
            }
            self.losses.extensions(rest);
        }
        w.joined(&texts);
    }

    /// `annotations` and `images`, as an answer of this dialect had them.
    fn own_extras(&mut self, w: &mut Writer, said: &[&Block<'_>], pictures: &[&Block<'_>]) {
        if !pictures.is_empty() {
            w.key("images").array(|w| pictures.iter().for_each(|block| self.part(w, block)));
        }
        let citations = said.iter().flat_map(|block| match &block.content {
            Content::Text { citations, .. } => citations.as_slice(),
            _ => &[],
        });
        let citations: Vec<_> = citations.filter(|_| self.own).collect();
        if !citations.is_empty() {
            w.key("annotations").array(|w| {
                for citation in citations {
                    w.raw(citation.raw);
                }
            });
        }
    }

    /// Writes them; whether any stands where plain ones do.
    fn thoughts(&mut self, w: &mut Writer, thoughts: &[&Block<'_>]) -> bool {
        let detailed = |this: &Self, block: &Block<'_>| match &block.content {
            Content::Reasoning(thought) if this.own => {
                let foreign = thought.seal.as_ref().is_some_and(|seal| !seal.is_for(this.target));
                // What another sealed is worth its words, to vendors that want those back.
                let plainly = foreign && this.target.quirks.takes(THOUGHTS_BACK);
                !plainly && (inner(block) == "reasoning_details" || thought.seal.is_some())
            }
            Content::Reasoning(thought) => thought.seal.as_ref().is_some_and(|seal| seal.is_for(this.target)),
            _ => this.own,
        };
        let (details, plain): (Vec<&Block<'_>>, Vec<&Block<'_>>) =
            thoughts.iter().partition(|block| detailed(self, block));
        let plainly = !plain.is_empty() && self.plain_thoughts(w, &plain);
        if details.is_empty() {
            return plainly;
        }
        w.key("reasoning_details").array(|w| {
            for (index, block) in (0u64..).zip(details) {
                let Content::Reasoning(thought) = &block.content else {
                    if let Content::Opaque(raw) = block.content {
                        w.raw(raw);
                    }
                    continue;
                };
                let seal = thought.seal.as_ref().filter(|seal| seal.is_for(self.target));
                if let (Some(seal), None) = (&thought.seal, seal) {
                    self.lose_seal(block.path, seal);
                }
                let seal = seal.map(|seal| (seal.kind, seal.data.borrowed()));
                let rest = if self.own { block.rest.as_slice() } else { &[] };
                write_thought(w, index, thought, seal, |w| {
                    for extension in rest {
                        w.key(&extension.name.value()).raw(extension.raw);
                    }
                });
            }
        });
        plainly
    }

    fn plain_thoughts(&mut self, w: &mut Writer, plain: &[&Block<'_>]) -> bool {
        if !self.takes(THOUGHTS_BACK) {
            self.lose_thoughts(plain);
            return false;
        }
        let mut texts = Vec::new();
        for block in plain {
            let Content::Reasoning(Reasoning { id, text, summary, seal }) = &block.content else {
                continue;
            };
            if id.is_some() {
                self.losses.member(block.path, "id");
            }
            if !text.is_empty() && !summary.is_empty() {
                self.losses.member(block.path, "summary");
            }
            texts.extend(if text.is_empty() { summary } else { text }.iter().map(Text::borrowed));
            if let Some(seal) = seal {
                self.lose_seal(block.path, seal);
            }
        }
        if !texts.is_empty() {
            let first = plain.first().map_or("", |block| inner(block));
            let name = THOUGHTS.into_iter().find(|name| self.own && *name == first);
            w.key(name.unwrap_or(THOUGHTS_BACK)).joined(&texts);
        }
        !texts.is_empty()
    }

    fn lose_thoughts(&mut self, thoughts: &[&Block<'_>]) {
        for block in thoughts {
            self.losses.at(block.path);
        }
    }

    fn lose_seal(&mut self, path: Path, seal: &Seal<'_>) {
        self.losses.member(path, terms::seal(self.client, seal.kind));
    }

    fn calls(&mut self, w: &mut Writer, calls: &[&Block<'_>]) {
        let (old, calls): (Vec<&Block<'_>>, Vec<&Block<'_>>) =
            calls.iter().partition(|block| self.own && inner(block) == "function_call");
        if let Some(Block { content: Content::ToolCall(call), .. }) = old.first() {
            w.key("function_call").object(|w| {
                w.key("name").text(&call.name).key("arguments");
                call.arguments.write_string(w);
            });
        }
        if !calls.is_empty() {
            w.key("tool_calls").array(|w| calls.iter().for_each(|block| self.call(w, block)));
        }
    }

    fn call(&mut self, w: &mut Writer, block: &Block<'_>) {
        let call = match &block.content {
            Content::ToolCall(call) => call,
            Content::Opaque(raw) => {
                w.raw(raw);
                return;
            }
            _ => return,
        };
        let ToolCall { id, item, name, arguments, seal } = call;
        if item.is_some() {
            self.losses.member(block.path, "item_id");
        }
        let (kind, argument) = match arguments {
            Arguments::Free(_) => ("custom", "input"),
            Arguments::Object(_) | Arguments::Quoted(_) => ("function", "arguments"),
        };
        w.object(|w| {
            w.key("id").string(&self.call_id(id)).key("type").string(kind).key(kind).object(|w| {
                w.key("name").text(name).key(argument);
                arguments.write_string(w);
                if self.own {
                    self.rest(w, &block.rest, kind);
                }
            });
            match seal {
                Some(seal) if seal.is_for(self.target) => write_call_proof(w, &seal.data),
                Some(seal) => self.lose_seal(block.path, seal),
                None => {}
            }
            if block.cache.is_some() {
                self.losses.member(block.path, "cache_control");
            }
            self.rest(w, &block.rest, "");
        });
    }

    /// OpenAI takes any characters, but not any number of them.
    fn call_id<'i>(&self, id: &'i Text<'_>) -> Cow<'i, str> {
        let value = id.value();
        if self.target.quirks.short_call_ids {
            return ids::nine(&value).into_owned().into();
        }
        if self.own || value.len() <= ids::MAX_CALL_ID { value } else { ids::fit(&value).into_owned().into() }
    }
}

/// The list inside the message that it stood in.
fn inner(block: &Block<'_>) -> &'static str {
    match block.path {
        Path::Part(_, _, inner, _) => inner,
        Path::Root | Path::Field(_) | Path::Item(..) => "",
    }
}

fn is_result(block: &Block<'_>) -> bool {
    matches!(block.content, Content::ToolResult(_))
}

/// Whether they are pieces of what was one text, cut where a thought stands between them.
fn is_one_text(said: &[&Block<'_>]) -> bool {
    let alike = |pair: &[&Block<'_>]| matches!(pair, [a, b] if a.path == b.path);
    let plain = |block: &&Block<'_>| {
        matches!(block.content, Content::Text { .. }) && block.cache.is_none() && block.rest.is_empty()
    };
    said.len() > 1 && said.windows(2).all(alike) && said.iter().all(plain)
}

fn is_medium(block: &Block<'_>) -> bool {
    use Content::{Audio, Document, Image, Video};
    matches!(block.content, Image(_) | Document(_) | Audio(_) | Video(_))
}

/// Whether a block of a result is carried in one way or another.
fn is_said(block: &Block<'_>) -> bool {
    matches!(block.content, Content::Text { .. }) || is_medium(block)
}

fn is_thought(block: &Block<'_>, own: bool) -> bool {
    match block.content {
        // Mistral's stay among the parts.
        Content::Reasoning(_) => !own || inner(block) != "content",
        Content::Opaque(_) => own && inner(block) == "reasoning_details",
        _ => false,
    }
}

fn is_call(block: &Block<'_>, own: bool) -> bool {
    match block.content {
        Content::ToolCall(_) => true,
        Content::Opaque(_) => own && inner(block) == "tool_calls",
        _ => false,
    }
}

fn is_refusal(block: &Block<'_>, own: bool) -> bool {
    matches!(block.content, Content::Refusal(_)) && !(own && inner(block) == "content")
}
