//! The client's events.
//!
//! Items may be open side by side, so that blocks which interleave need not wait for each other. Text and
//! thoughts are announced with their first piece. A message or thought that is whole so far stays open until
//! something else begins: the provider may go on with it.

use std::borrow::Cow;

use pointsman_core::{Dialect, Usage};

mod close;
mod shown;

use super::super::words::{self, Kind};
use super::super::write::{Asked, Status, is_cut, tier_word, write_annotation, write_picture, write_usage};
use super::super::{answer, echo, error, render};
use super::frames::{Place, SUMMARY, THOUGHT, delta_name, entries, frame, write_thought_part, written};
use super::items::{Call, Form, Item, Message, Part, Thought};
use crate::UpstreamError;
use crate::json::{Text, Writer};
use crate::neutral::{
    AnswerContext, BlockId, Citation, Content, Event, Finish, Head, Losses, Media, Path, Seal, Source,
};

/// Writes the events of `POST /v1/responses` with `stream: true`.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    asked: Asked,
    losses: Losses,
    /// The number of the next event.
    sequence: u64,
    /// What all forms of the answer begin with; empty before it has begun.
    head: Vec<u8>,
    ended: bool,
    /// In the order in which they are announced: an item's place is its `output_index`.
    items: Vec<Item>,
    /// Items that the client was told of by somebody else, as JSON, by their place.
    announced: Vec<Option<String>>,
    /// The blocks that are open.
    blocks: Vec<(BlockId, Slot)>,
    /// The message or thought that may go on.
    going: Option<usize>,
    /// A piece of text that waits for its log probabilities.
    held: Option<(usize, usize, String)>,
    /// The text that was written last.
    last_text: Option<(usize, usize)>,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Option<Usage>,
    tier: Option<&'static str>,
    /// Bytes that are kept for the end.
    kept: usize,
}

/// The most that is kept: far above any answer.
const MAX_KEPT: usize = 64 * 1024 * 1024;
/// What an event takes beside its text.
const EVENT_BYTES: usize = 64;

/// Where a block's pieces go.
#[derive(Clone, Debug)]
enum Slot {
    /// To a part that its first piece will open.
    Unsaid {
        refusal: bool,
    },
    /// To a thought that its first piece will open.
    Unthought {
        id: Option<String>,
        summary: bool,
    },
    Part {
        item: usize,
        part: usize,
    },
    Thought {
        item: usize,
        summary: bool,
    },
    Call {
        item: usize,
    },
    /// Nowhere.
    Lost,
}

impl StreamEncoder {
    /// An encoder for this client.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        Self {
            asked: Asked::read(&context.request),
            context,
            losses: Losses::default(),
            sequence: 0,
            head: Vec::new(),
            ended: false,
            items: Vec::new(),
            announced: Vec::new(),
            blocks: Vec::new(),
            going: None,
            held: None,
            last_text: None,
            refused: false,
            finish: None,
            usage: None,
            tier: None,
            kept: 0,
        }
    }

    /// Writes what the event means for the client.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        if self.ended {
            return;
        }
        self.kept += EVENT_BYTES + size(&event);
        if self.kept > MAX_KEPT {
            let message = "the answer is too long to be told again as a whole".to_owned();
            return self.fail(&UpstreamError { message, ..UpstreamError::default() }, out);
        }
        if let Some((item, part, text)) = self.held.take() {
            let logprobs = match &event {
                Event::Logprobs { choice: 0, raw } => entries(raw),
                _ => Vec::new(),
            };
            self.say_text(item, part, (&Text::from(text), logprobs), out);
            if matches!(event, Event::Logprobs { .. }) {
                return;
            }
        }
        match event {
            Event::Start { id, model, created } => self.start(&id, &model, created, out),
            Event::Open { block, choice, head } => {
                self.start_unsaid(out);
                self.open(block, choice, head, out);
            }
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Cite { block, citation } => self.cite(block, &citation, out),
            Event::Sealed { block, seal } => self.sealed(block, &seal, out),
            Event::Close { block } => self.close(block, out),
            Event::Logprobs { choice: 0, raw } => self.late_logprobs(raw),
            Event::Logprobs { choice, .. } => self.lose_choice(choice),
            Event::Finish { choice: 0, finish } => {
                let stop_sequence = finish.stop_sequence.map(Text::into_owned);
                self.finish = Some(Finish { reason: finish.reason, raw: None, stop_sequence });
            }
            Event::Finish { choice, .. } => self.lose_choice(choice),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::ServiceTier(tier) => {
                self.tier = tier_word(&tier);
                if self.tier.is_none() {
                    self.losses.field("service_tier");
                }
            }
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::Ping => {
                out.frame(b": ping\n\n");
            }
            Event::Error(told) => self.fail(&told, out),
            Event::End => self.end(out),
        }
    }

    /// What could not be said so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    fn lose_choice(&mut self, choice: u64) {
        self.losses.at(Path::Item("choices", u32::try_from(choice).unwrap_or(u32::MAX)));
    }

    fn start_unsaid(&mut self, out: &mut Writer) {
        if self.head.is_empty() {
            self.start(&Text::default(), &Text::default(), None, out);
        }
    }

    fn start(&mut self, id: &Text<'_>, model: &Text<'_>, created: Option<u64>, out: &mut Writer) {
        if !self.head.is_empty() {
            return;
        }
        let mut w = Writer::with_capacity(1_024);
        w.frame(b"{");
        render::write_head(&mut w, id, &self.context, created.unwrap_or(self.context.created));
        w.key("model");
        render::write_model(&mut w, model, &self.context);
        self.head = w.finish();
        for name in ["response.created", "response.in_progress"] {
            self.response(out, name, Status::InProgress, None);
        }
    }

    /// An event that tells the whole answer.
    fn response(&mut self, out: &mut Writer, name: &str, status: Status, error: Option<&UpstreamError>) {
        let Self { context, head, items, usage, tier, sequence, .. } = self;
        let over = status != Status::InProgress;
        let form = if status == Status::Failed { Form::Cut } else { Form::Done };
        frame(out, sequence, name, |w| {
            w.key("response").frame(head);
            status.write(w);
            w.key("error");
            match error {
                Some(error) => error::write_error(w, error),
                None => {
                    w.null();
                }
            }
            w.key(answer::OUTPUT).array(|w| items.iter().for_each(|item| item.write(w, form)));
            let tier = tier.map(Text::from);
            echo::write(w, &context.request, &[], tier.as_ref());
            w.key("usage");
            write_usage(w, usage.as_ref().filter(|_| over));
            w.frame(b"}");
        });
    }

    fn open(&mut self, block: BlockId, choice: u64, head: Head<'_>, out: &mut Writer) {
        if choice != 0 {
            self.lose_choice(choice);
            return;
        }
        let slot = match head {
            Head::Text => Slot::Unsaid { refusal: false },
            Head::Refusal => Slot::Unsaid { refusal: true },
            Head::Reasoning { id, summary } => {
                let id = id.map(|id| id.into_value().into_owned());
                // What this dialect itself calls a thought is one.
                let native = id.as_ref().is_some_and(|id| id.starts_with("rs_"));
                Slot::Unthought { id, summary: summary || (self.asked.summary && !native) }
            }
            Head::ToolCall { id, item, name, custom } => {
                self.settle(out);
                let waits = custom || self.asked.is_custom(&name);
                let made = || self.made(if waits { Kind::Custom } else { Kind::Function });
                let call = Call {
                    item: item.map_or_else(made, |item| item.into_value().into_owned()),
                    id: id.into_value().into_owned(),
                    name: name.into_value().into_owned(),
                    custom: waits,
                    wrapped: waits && !custom,
                    input: String::new(),
                    proof: None,
                };
                Slot::Call { item: self.add(Item::Call(call), out) }
            }
            Head::Media(content) => self.medium(&content, out),
            Head::Opaque(raw) => self.opaque(raw, out),
        };
        self.blocks.push((block, slot));
    }

    fn made(&self, kind: Kind) -> String {
        self.announced_id().unwrap_or_else(|| kind.made(&self.context.id, self.items.len()))
    }

    /// Announces an item.
    fn add(&mut self, item: Item, out: &mut Writer) -> usize {
        if self.is_announced(&item, out) {
            self.items.push(item);
            return self.items.len() - 1;
        }
        let at = self.items.len();
        frame(out, &mut self.sequence, "response.output_item.added", |w| {
            w.key("output_index").count(at as u64).key("item");
            item.write(w, Form::Added);
        });
        self.items.push(item);
        at
    }

    /// An item that is whole at once.
    fn add_whole(&mut self, added: Option<String>, done: String, out: &mut Writer) {
        self.settle(out);
        let at = self.add(Item::Whole(added.unwrap_or_else(|| done.clone())), out);
        if let Some(item) = self.items.get_mut(at) {
            *item = Item::Whole(done);
        }
        self.done(at, out);
    }

    fn medium(&mut self, content: &Content<'_>, out: &mut Writer) -> Slot {
        let Content::Image(Media { source: Source::Base64(data), .. }) = content else {
            self.losses.field("content");
            return Slot::Lost;
        };
        let id = self.made(Kind::Image);
        let form = |data| written(|w| write_picture(w, &id, data));
        self.add_whole(Some(form(None)), form(Some(data)), out);
        Slot::Lost
    }

    fn opaque(&mut self, raw: &str, out: &mut Writer) -> Slot {
        if words::is_own_item(raw) {
            self.add_whole(None, raw.to_owned(), out);
        } else {
            self.losses.field("content");
        }
        Slot::Lost
    }

    /// Tells that the message or thought which might have gone on is whole.
    fn settle(&mut self, out: &mut Writer) {
        let Some(at) = self.going.take() else { return };
        let open = match self.items.get(at) {
            Some(Item::Message(message)) => message.open,
            Some(Item::Thought(thought)) => thought.open,
            _ => 0,
        };
        if open == 0 {
            self.done(at, out);
        }
    }

    /// Tells an item as a whole.
    fn done(&mut self, at: usize, out: &mut Writer) {
        let cut = self.finish.as_ref().is_some_and(|finish| is_cut(finish.reason));
        let form = if cut { Form::Cut } else { Form::Done };
        let Some(item) = self.items.get_mut(at) else { return };
        let whole = match &mut *item {
            Item::Whole(raw) => std::mem::take(raw),
            item => written(|w| item.write(w, form)),
        };
        frame(out, &mut self.sequence, "response.output_item.done", |w| {
            w.key("output_index").count(at as u64).key("item").raw(&whole);
        });
        *item = Item::Whole(whole);
    }

    fn slot(&self, block: BlockId) -> Option<Slot> {
        self.blocks.iter().rev().find(|(id, _)| *id == block).map(|(_, slot)| slot.clone())
    }

    /// The block's place, announced if it has not been.
    fn begun(&mut self, block: BlockId, out: &mut Writer) -> Option<Slot> {
        let slot = match self.slot(block)? {
            Slot::Unsaid { refusal } => self.begin_part(refusal, out),
            Slot::Unthought { id, summary } => self.begin_thought(id, summary, out),
            begun => return Some(begun),
        };
        let known = self.blocks.iter_mut().rev().find(|(id, _)| *id == block)?;
        known.1 = slot.clone();
        Some(slot)
    }

    fn begin_part(&mut self, refusal: bool, out: &mut Writer) -> Slot {
        let going = self.going.filter(|at| matches!(self.items.get(*at), Some(Item::Message(_))));
        let item = going.unwrap_or_else(|| {
            self.settle(out);
            let id = self.made(Kind::Message);
            self.add(Item::Message(Message { id, parts: Vec::new(), open: 0 }), out)
        });
        self.going = Some(item);
        self.refused |= refusal;
        let Some(Item::Message(message)) = self.items.get_mut(item) else { return Slot::Lost };
        let part = message.parts.len();
        message.open += 1;
        let new = Part { refusal, ..Part::default() };
        let at = Place { item, id: &message.id, index: Some(("content_index", part)) };
        at.frame(out, &mut self.sequence, "response.content_part.added", |w| {
            w.key("part");
            new.write(w, Form::Added);
        });
        message.parts.push(new);
        Slot::Part { item, part }
    }

    fn begin_thought(&mut self, id: Option<String>, summary: bool, out: &mut Writer) -> Slot {
        let same = |item: Option<&Item>| match item {
            Some(Item::Thought(thought)) => {
                let free = if summary { &thought.summary } else { &thought.text };
                id.as_ref() == Some(&thought.id) && free.is_none()
            }
            _ => false,
        };
        let going = self.going.filter(|at| same(self.items.get(*at)));
        let item = going.unwrap_or_else(|| {
            self.settle(out);
            let id = id.unwrap_or_else(|| self.made(Kind::Reasoning));
            self.add(Item::Thought(Thought { id, summary: None, text: None, cipher: None, open: 0 }), out)
        });
        self.going = Some(item);
        if let Some(Item::Thought(thought)) = self.items.get_mut(item) {
            thought.open += 1;
        }
        Slot::Thought { item, summary }
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        if text.is_empty() {
            return;
        }
        match self.begun(block, out) {
            Some(Slot::Part { item, part }) => self.say(item, part, text, out),
            Some(Slot::Thought { item, summary }) => self.think(item, summary, text, out),
            Some(Slot::Call { item }) => self.call(item, text, out),
            _ => {}
        }
    }

    fn say(&mut self, item: usize, part: usize, text: &Text<'_>, out: &mut Writer) {
        let Some(Item::Message(message)) = self.items.get_mut(item) else { return };
        let Some(said) = message.parts.get_mut(part) else { return };
        if !said.refusal && self.asked.logprobs {
            self.held = Some((item, part, text.value().into_owned()));
        } else if said.refusal {
            said.push(text);
            let at = Place { item, id: &message.id, index: Some(("content_index", part)) };
            at.delta(out, &mut self.sequence, "response.refusal.delta", text, b"");
        } else {
            self.say_text(item, part, (text, Vec::new()), out);
        }
    }

    fn say_text(&mut self, item: usize, part: usize, piece: (&Text<'_>, Vec<String>), out: &mut Writer) {
        let (text, logprobs) = piece;
        let Some(Item::Message(message)) = self.items.get_mut(item) else { return };
        let Some(said) = message.parts.get_mut(part) else { return };
        said.push(text);
        let at = Place { item, id: &message.id, index: Some(("content_index", part)) };
        let more = match logprobs.as_slice() {
            [] => Cow::Borrowed(",\"logprobs\":[]"),
            entries => Cow::Owned(format!(",\"logprobs\":[{}]", entries.join(","))),
        };
        at.delta(out, &mut self.sequence, "response.output_text.delta", text, more.as_bytes());
        said.logprobs.extend(logprobs);
        self.last_text = Some((item, part));
    }

    /// Log probabilities that belong to no piece in particular are told with the whole.
    fn late_logprobs(&mut self, raw: &str) {
        let place = self.last_text.and_then(|(item, part)| match self.items.get_mut(item)? {
            Item::Message(message) => message.parts.get_mut(part),
            _ => None,
        });
        match place {
            Some(part) => part.logprobs.extend(entries(raw)),
            None => self.losses.field("logprobs"),
        }
    }

    fn think(&mut self, item: usize, summary: bool, text: &Text<'_>, out: &mut Writer) {
        let Some(Item::Thought(thought)) = self.items.get_mut(item) else { return };
        let Thought { id, summary: told, text: shown, .. } = thought;
        let (slot, index, name) = if summary {
            (told, "summary_index", "response.reasoning_summary_text.delta")
        } else {
            (shown, "content_index", "response.reasoning_text.delta")
        };
        let at = Place { item, id, index: Some((index, 0)) };
        if slot.is_none() {
            let (name, part) = if summary {
                ("response.reasoning_summary_part.added", SUMMARY)
            } else {
                ("response.content_part.added", THOUGHT)
            };
            at.frame(out, &mut self.sequence, name, |w| write_thought_part(w, part, ""));
        }
        slot.get_or_insert_default().push_str(&text.value());
        at.delta(out, &mut self.sequence, name, text, b"");
    }

    fn call(&mut self, item: usize, text: &Text<'_>, out: &mut Writer) {
        let Some(Item::Call(call)) = self.items.get_mut(item) else { return };
        call.input.push_str(&text.value());
        if !call.wrapped {
            let at = Place { item, id: &call.item, index: None };
            at.delta(out, &mut self.sequence, delta_name(call.custom), text, b"");
        }
    }

    fn cite(&mut self, block: BlockId, citation: &Citation<'_>, out: &mut Writer) {
        let Some(Slot::Part { item, part }) = self.begun(block, out) else { return };
        let Some(Item::Message(message)) = self.items.get_mut(item) else { return };
        let Some(said) = message.parts.get_mut(part) else { return };
        let mut form = Writer::with_capacity(citation.raw.len());
        if !write_annotation(&mut form, citation, said.text.chars().count() as u64) {
            self.losses.field("citations");
            return;
        }
        let raw = String::from_utf8(form.finish()).unwrap_or_default();
        let at = Place { item, id: &message.id, index: Some(("content_index", part)) };
        at.frame(out, &mut self.sequence, "response.output_text.annotation.added", |w| {
            w.key("annotation_index").count(said.annotations.len() as u64).key("annotation").raw(&raw);
        });
        said.annotations.push(raw);
    }

    fn sealed(&mut self, block: BlockId, seal: &Seal<'_>, out: &mut Writer) {
        let text = seal.for_client(Dialect::OpenAiResponses).into_value().into_owned();
        let item = match self.begun(block, out) {
            Some(Slot::Thought { item, .. } | Slot::Call { item }) => self.items.get_mut(item),
            _ => None,
        };
        match item {
            Some(Item::Thought(thought)) => thought.cipher = Some(text),
            // A call has no place for a proof: clients keep the item that follows it.
            Some(Item::Call(call)) => call.proof = Some(text),
            _ => self.losses.field("signature"),
        }
    }
}

/// Bytes of an event that are kept.
fn size(event: &Event<'_>) -> usize {
    match event {
        Event::Delta { text, .. } => text.byte_len(),
        Event::Cite { citation, .. } => citation.raw.len(),
        Event::Sealed { seal, .. } => seal.data.byte_len(),
        Event::Open { head: Head::Opaque(raw), .. } | Event::Logprobs { raw, .. } => raw.len(),
        Event::Open {
            head: Head::Media(Content::Image(Media { source: Source::Base64(data), .. })), ..
        } => data.byte_len(),
        _ => 0,
    }
}
