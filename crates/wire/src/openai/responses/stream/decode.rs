//! The provider's events.
//!
//! Items are known by their place, not by their id: some servers give another one with each event. What a
//! server tells only in the end (of a part, an item, the answer) is taken from there. What the provider's own
//! tools do is told when their item is whole; the events in between add nothing.

mod whole;

use super::super::answer::{Logprobs, OUTPUT};
use super::super::error;
use super::super::parts::read_citation;
use crate::json::{Document, Node, Text};
use crate::neutral::{BlockId, DecodeError, Event, Head, Sink};

/// Reads the events of `POST /v1/responses` with `stream: true`.
#[derive(Debug)]
pub struct StreamDecoder {
    provider: String,
    /// The request's id, for calls without one.
    id: String,
    next: BlockId,
    items: Vec<Item>,
    started: bool,
    ended: bool,
    called: bool,
    refused: bool,
    /// Names of events and members that were told to be lost.
    lost: Vec<String>,
}

/// Items of one answer; one more is refused.
const MAX_ITEMS: usize = 4_096;
/// Parts of one message.
const MAX_PARTS: usize = 4_096;
/// Names that are told to be lost; a hostile stream must not grow this.
const MAX_LOST: usize = 64;

/// An item of the answer.
#[derive(Debug)]
struct Item {
    /// The provider's number.
    index: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Message(Vec<Part>),
    /// Its summary and its text: the block of each, and the number of the part that is told.
    Thought {
        id: String,
        summary: Option<(BlockId, u64)>,
        text: Option<(BlockId, u64)>,
    },
    Call {
        block: BlockId,
        said: bool,
    },
    /// The provider's own; told when it is whole.
    Opaque,
    /// Told.
    Done,
}

/// A part of a message.
#[derive(Clone, Copy, Debug)]
struct Part {
    index: u64,
    block: BlockId,
    said: bool,
    /// Its log probabilities were told.
    weighed: bool,
    cited: usize,
    open: bool,
}

impl StreamDecoder {
    /// `provider`: its configured name; `id`: unique for the request.
    #[must_use]
    pub fn new(provider: &str, id: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            next: 0,
            items: Vec::new(),
            started: false,
            ended: false,
            called: false,
            refused: false,
            lost: Vec::new(),
        }
    }

    /// Reads one event. Its `type` counts, not the frame's name: the two are the same.
    ///
    /// # Errors
    /// It is no event of this dialect.
    pub fn frame(&mut self, name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let data = data.trim_ascii();
        // Some servers end their streams as those of OpenAI chat end.
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let document = Document::read(data)?;
        let root = document.root();
        let Some(kind) = root.get("type").and_then(Node::text) else {
            if root.get("error").is_some() {
                self.fail(data, sink);
                return Ok(());
            }
            return Err(DecodeError::wrong("type", "a string"));
        };
        let _ = name;
        match &*kind.value() {
            "response.output_text.delta" => self.text_delta(root, Head::Text, sink),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.call_delta(root, "delta", false, sink)
            }
            "response.reasoning_summary_text.delta" => self.thought(root, true, "delta", false, sink),
            "response.reasoning_text.delta" => self.thought(root, false, "delta", false, sink),
            "response.refusal.delta" => self.text_delta(root, Head::Refusal, sink),
            "response.output_text.done" => self.text_done(root, "text", Head::Text, sink),
            "response.refusal.done" => self.text_done(root, "refusal", Head::Refusal, sink),
            "response.function_call_arguments.done" => self.call_delta(root, "arguments", true, sink),
            "response.custom_tool_call_input.done" => self.call_delta(root, "input", true, sink),
            "response.reasoning_summary_text.done" => self.thought(root, true, "text", true, sink),
            "response.reasoning_text.done" => self.thought(root, false, "text", true, sink),
            "response.output_text.annotation.added" => self.annotation(root, sink),
            "response.content_part.added" => self.part_added(root, sink),
            "response.content_part.done" => self.part_done(root, sink),
            "response.output_item.added" => self.item_added(root, sink),
            "response.output_item.done" => self.item_done(root, sink),
            "response.created" | "response.queued" | "response.in_progress" => {
                self.start(root.get("response"), sink);
                Ok(())
            }
            "response.completed" | "response.incomplete" | "response.cancelled" => self.complete(root, sink),
            "response.failed" | "error" => {
                self.fail(data, sink);
                Ok(())
            }
            "keepalive" | "ping" => {
                sink(Event::Ping);
                Ok(())
            }
            // A thought's parts are told apart by their numbers.
            "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done" => Ok(()),
            other => {
                if !is_progress(other) {
                    self.lose(other, sink);
                }
                Ok(())
            }
        }
    }

    /// The upstream ended.
    ///
    /// # Errors
    /// None: a stream without its end is told by the missing [`Event::End`].
    pub fn finish(&mut self, _sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn fail(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        self.ended = true;
        self.start(None, sink);
        sink(Event::Error(error::parse_error(data)));
    }

    fn lose(&mut self, name: &str, sink: &mut Sink<'_>) {
        if self.lost.len() < MAX_LOST && !self.lost.iter().any(|lost| lost == name) {
            self.lost.push(name.to_owned());
            sink(Event::Lost(Text::from(name)));
        }
    }

    fn start(&mut self, response: Option<Node<'_, '_>>, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text = |name: &str| response.and_then(|node| node.get(name)?.text()).unwrap_or_default();
        let created = response.and_then(|node| node.get("created_at")?.count());
        sink(Event::Start { id: text("id"), model: text("model"), created });
    }

    fn opened(&mut self, head: Head<'_>, sink: &mut Sink<'_>) -> BlockId {
        self.start(None, sink);
        let block = self.next;
        self.next += 1;
        sink(Event::Open { block, choice: 0, head });
        block
    }

    /// The place of an item in [`Self::items`].
    fn item(&mut self, index: u64, new: Kind) -> Result<usize, DecodeError> {
        if let Some(at) = self.items.iter().rposition(|item| item.index == index) {
            return Ok(at);
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(DecodeError::wrong(INDEX, "one of a few"));
        }
        self.items.push(Item { index, kind: new });
        Ok(self.items.len() - 1)
    }

    fn kind(&self, at: usize) -> Option<&Kind> {
        self.items.get(at).map(|item| &item.kind)
    }

    fn kind_mut(&mut self, at: usize) -> Option<&mut Kind> {
        self.items.get_mut(at).map(|item| &mut item.kind)
    }

    /// The part that the event is about, opened if it is new; `None` where the item is no message.
    fn part(
        &mut self,
        root: Node<'_, '_>,
        head: Head<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<&mut Part>, DecodeError> {
        let at = self.item(index(root)?, Kind::Message(Vec::new()))?;
        let index = root.get("content_index").and_then(Node::count).unwrap_or(0);
        self.part_of(at, index, head, sink)
    }

    fn part_of(
        &mut self,
        at: usize,
        index: u64,
        head: Head<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<&mut Part>, DecodeError> {
        let Some(Kind::Message(parts)) = self.kind(at) else { return Ok(None) };
        let known = parts.iter().rposition(|part| part.index == index);
        if known.is_none() && parts.len() >= MAX_PARTS {
            return Err(DecodeError::wrong("content_index", "one of a few"));
        }
        let new = known.is_none().then(|| {
            self.refused |= matches!(head, Head::Refusal);
            let block = self.opened(head, sink);
            Part { index, block, said: false, weighed: false, cited: 0, open: true }
        });
        let Some(Kind::Message(parts)) = self.kind_mut(at) else { return Ok(None) };
        parts.extend(new);
        let last = parts.len() - 1;
        Ok(parts.get_mut(known.unwrap_or(last)))
    }

    fn text_delta(
        &mut self,
        root: Node<'_, '_>,
        head: Head<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let text = string(root, "delta")?;
        let Some(part) = self.part(root, head, sink)? else { return Ok(()) };
        if !part.open {
            return Err(DecodeError::wrong("content_index", "the number of an open part"));
        }
        part.said |= !text.is_empty();
        say(part.block, text, sink);
        part.weighed |= tell_logprobs(root.get("logprobs"), sink);
        Ok(())
    }

    fn text_done(
        &mut self,
        root: Node<'_, '_>,
        name: &'static str,
        head: Head<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let text = string(root, name)?;
        let Some(part) = self.part(root, head, sink)? else { return Ok(()) };
        // Whatever a part that is closed had was told when it was.
        if part.open && !std::mem::replace(&mut part.said, true) {
            say(part.block, text, sink);
            part.weighed |= tell_logprobs(root.get("logprobs"), sink);
        }
        Ok(())
    }

    fn annotation(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let annotation = root.get("annotation");
        let annotation = annotation.ok_or_else(|| DecodeError::Missing { field: "annotation".into() })?;
        let Some(part) = self.part(root, Head::Text, sink)? else { return Ok(()) };
        if part.open {
            part.cited += 1;
            sink(Event::Cite { block: part.block, citation: read_citation(annotation) });
        } else {
            self.lose("response.output_text.annotation.added", sink);
        }
        Ok(())
    }

    fn part_added(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let part = root.get("part").ok_or_else(|| DecodeError::Missing { field: "part".into() })?;
        match part_head(part)? {
            Some(head) => self.part(root, head, sink).map(|_| ()),
            None => Ok(()),
        }
    }

    fn part_done(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let whole = root.get("part").ok_or_else(|| DecodeError::Missing { field: "part".into() })?;
        let Some(head) = part_head(whole)? else {
            let kind = whole.get("type").and_then(Node::text).unwrap_or_default();
            if kind != "reasoning_text" {
                self.lose(&format!("{OUTPUT}[].content.{}", kind.value()), sink);
            }
            return Ok(());
        };
        if let Some(part) = self.part(root, head, sink)? {
            part.settle(whole, sink);
        }
        Ok(())
    }

    fn call_delta(
        &mut self,
        root: Node<'_, '_>,
        name: &'static str,
        whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let text = string(root, name)?;
        let at = self.item(index(root)?, Kind::Opaque)?;
        match self.kind_mut(at) {
            Some(Kind::Call { block, said }) => {
                if !(whole && *said) {
                    *said |= !text.is_empty();
                    say(*block, text, sink);
                }
                Ok(())
            }
            Some(Kind::Done) if whole => Ok(()),
            _ => Err(DecodeError::wrong("output_index", "the number of an open call")),
        }
    }

    fn thought(
        &mut self,
        root: Node<'_, '_>,
        summary: bool,
        name: &'static str,
        whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let said = string(root, name)?;
        let id = root.get("item_id").and_then(Node::text).unwrap_or_default();
        let at = self.item(index(root)?, new_thought(&id))?;
        let part = root.get(if summary { "summary_index" } else { "content_index" }).and_then(Node::count);
        self.think(at, (summary, part.unwrap_or(0)), said, whole, sink);
        Ok(())
    }

    /// A piece of a thought's part, or (`whole`) all of it, if it had no pieces.
    fn think(
        &mut self,
        at: usize,
        (summary, part): (bool, u64),
        said: Text<'_>,
        whole: bool,
        sink: &mut Sink<'_>,
    ) {
        let Some(Kind::Thought { id, summary: summaries, text }) = self.kind(at) else { return };
        let known = if summary { *summaries } else { *text };
        if said.is_empty() || (whole && known.is_some_and(|(_, last)| last >= part)) {
            return;
        }
        let id = (!id.is_empty()).then(|| Text::from(id.clone()));
        let (block, last) =
            known.unwrap_or_else(|| (self.opened(Head::Reasoning { id, summary }, sink), part));
        if last != part {
            sink(Event::Delta { block, text: Event::BREAK });
        }
        say(block, said, sink);
        if let Some(Kind::Thought { summary: summaries, text, .. }) = self.kind_mut(at) {
            *(if summary { summaries } else { text }) = Some((block, part));
        }
    }

    fn item_added(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let node = root.get("item").ok_or_else(|| DecodeError::Missing { field: "item".into() })?;
        let index = index(root)?;
        let kind = node.get("type").and_then(Node::text);
        let kind = kind.ok_or_else(|| DecodeError::wrong("item.type", "a string"))?;
        match &*kind.value() {
            "message" => self.item(index, Kind::Message(Vec::new()))?,
            "reasoning" => self.item(index, new_thought(&id(node)))?,
            kind @ ("function_call" | "custom_tool_call") => {
                self.open_call(index, node, kind == "custom_tool_call", sink)?
            }
            _ => self.item(index, Kind::Opaque)?,
        };
        Ok(())
    }

    /// Opens a call, if it is not open yet. What it begins with says nothing of its input: that comes in
    /// pieces, or with the end of the item.
    fn open_call(
        &mut self,
        index: u64,
        node: Node<'_, '_>,
        custom: bool,
        sink: &mut Sink<'_>,
    ) -> Result<usize, DecodeError> {
        let at = self.item(index, Kind::Opaque)?;
        if !matches!(self.kind(at), Some(Kind::Opaque)) {
            return Ok(at);
        }
        let text = |name: &str| node.get(name).and_then(Node::text);
        let name = text("name").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| DecodeError::Missing { field: "item.name".into() })?;
        let item = text("id");
        let id = text("call_id").or_else(|| item.clone()).filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| Text::from(format!("call_{}_{at}", self.id)));
        self.called = true;
        let block = self.opened(Head::ToolCall { id, item, name, custom }, sink);
        if let Some(kind) = self.kind_mut(at) {
            *kind = Kind::Call { block, said: false };
        }
        Ok(at)
    }
}

/// The member that tells an item's place.
const INDEX: &str = "output_index";

fn index(root: Node<'_, '_>) -> Result<u64, DecodeError> {
    root.get(INDEX).and_then(Node::count).ok_or_else(|| DecodeError::wrong(INDEX, "a whole number"))
}

fn id<'a>(node: Node<'_, 'a>) -> Text<'a> {
    node.get("id").and_then(Node::text).unwrap_or_default()
}

fn new_thought(id: &Text<'_>) -> Kind {
    Kind::Thought { id: id.value().into_owned(), summary: None, text: None }
}

/// What a part of a message is; `None` for one of a thought, or unknown.
fn part_head(part: Node<'_, '_>) -> Result<Option<Head<'static>>, DecodeError> {
    let kind = part.get("type").and_then(Node::text);
    Ok(match &*kind.ok_or_else(|| DecodeError::wrong("part.type", "a string"))?.value() {
        "output_text" => Some(Head::Text),
        "refusal" => Some(Head::Refusal),
        _ => None,
    })
}

/// Whether an event only says how far an item of the provider's own is: `response.web_search_call.searching`.
fn is_progress(name: &str) -> bool {
    let item = name.strip_prefix("response.").and_then(|name| name.split('.').next()).unwrap_or_default();
    item.contains("_call") || item.starts_with("mcp_") || item == "compaction"
}

fn string<'a>(root: Node<'_, 'a>, name: &'static str) -> Result<Text<'a>, DecodeError> {
    root.get(name).and_then(Node::text).ok_or_else(|| DecodeError::wrong(name, "a string"))
}

fn say(block: BlockId, text: Text<'_>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        sink(Event::Delta { block, text });
    }
}

/// Tells log probabilities, if there are any: returns whether.
fn tell_logprobs(list: Option<Node<'_, '_>>, sink: &mut Sink<'_>) -> bool {
    let Some(list) = list.filter(|list| list.elements().next().is_some()) else { return false };
    let mut logprobs = Logprobs::default();
    logprobs.push(list.raw());
    sink(Event::Logprobs { choice: 0, raw: &logprobs.finish() });
    true
}
