//! The provider's events.

use pointsman_core::Dialect;
use smallvec::SmallVec;

use super::super::answer;
use super::super::block;
use super::super::usage::Counts;
use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{BlockId, DecodeError, Event, Extension, Head, Path, Seal, SealKind, Sink, fields};

/// Reads the events of `POST /v1/messages` with `stream: true`.
#[derive(Debug)]
pub struct StreamDecoder {
    provider: String,
    id: String,
    next: BlockId,
    open: SmallVec<[Open; 2]>,
    counts: Counts,
    started: bool,
    finished: bool,
    ended: bool,
}

/// A block that has not stopped.
#[derive(Debug)]
struct Open {
    /// The provider's number.
    index: u64,
    kind: OpenKind,
}

#[derive(Debug)]
enum OpenKind {
    Text(BlockId),
    Reasoning(BlockId),
    /// `input`: what the start said of it; it counts where no deltas follow.
    Call {
        block: BlockId,
        input: Option<String>,
    },
    /// A block of the vendor's own, told when it is whole: its tools' input comes in pieces too.
    Opaque {
        raw: String,
        input: String,
        members: Vec<(String, String)>,
    },
}

impl StreamDecoder {
    /// `provider`: its configured name; `id`: unique for the request.
    #[must_use]
    pub fn new(provider: &str, id: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            next: 0,
            open: SmallVec::new(),
            counts: Counts::default(),
            started: false,
            finished: false,
            ended: false,
        }
    }

    /// Reads one event. Its `type` counts, not the frame's name: the two are the same.
    ///
    /// # Errors
    /// It is no event of this dialect.
    pub fn frame(&mut self, name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let _ = name;
        if self.ended || data.trim_ascii().is_empty() {
            return Ok(());
        }
        let document = Document::read(data)?;
        let root = document.root();
        let kind = root.get("type").and_then(Node::text);
        let kind = kind.ok_or_else(|| DecodeError::wrong("type", "a string"))?;
        match &*kind.value() {
            // Whatever comes behind the end of the answer is none of it.
            late if self.finished && late.starts_with("content_block_") => {
                sink(Event::Lost(Text::from(late)));
                Ok(())
            }
            "content_block_delta" => self.delta(root, sink),
            "content_block_start" => self.start_block(root, sink),
            "content_block_stop" => self.stop_block(root, sink),
            "message_start" => self.start(root, sink),
            "message_delta" => self.finish_message(root, sink),
            "message_stop" => self.stop(sink),
            "ping" => {
                sink(Event::Ping);
                Ok(())
            }
            "error" => {
                self.ended = true;
                self.start_unsaid(sink);
                sink(Event::Error(crate::openai::error::parse(data)));
                Ok(())
            }
            other => {
                self.start_unsaid(sink);
                sink(Event::Lost(Text::from(other)));
                Ok(())
            }
        }
    }

    /// The upstream ended.
    ///
    /// # Errors
    /// None: a stream without its end is told by the missing [`Event::End`].
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.finished && !self.ended {
            self.ended = true;
            sink(Event::End);
        }
        Ok(())
    }

    /// Some vendors that speak this dialect leave `message_start` out.
    fn start_unsaid(&mut self, sink: &mut Sink<'_>) {
        if !self.started {
            self.started = true;
            sink(Event::Start { id: Text::default(), model: Text::default(), created: None });
        }
    }

    fn start(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.started {
            return Err(DecodeError::wrong("type", "something else than a second `message_start`"));
        }
        self.started = true;
        let message = root.get("message").ok_or_else(|| DecodeError::Missing { field: "message".into() })?;
        let mut members = fields(message, "message")?;
        let mut text = |name: &str| members.take(name).and_then(Node::text).unwrap_or_default();
        sink(Event::Start { id: text("id"), model: text("model"), created: None });
        for known in ["type", "role", "content", "stop_reason", "stop_sequence"] {
            members.take(known);
        }
        let mut rest = Vec::new();
        let usage = members.take("usage");
        Extension::collect(members, Path::Root, &mut rest);
        self.usage(usage, &mut rest, sink);
        tell(rest, sink);
        Ok(())
    }

    fn usage<'a>(&mut self, usage: Option<Node<'_, 'a>>, rest: &mut Vec<Extension<'a>>, sink: &mut Sink<'_>) {
        let Some(node) = usage else { return };
        let tier = self.counts.merge(node, rest);
        if let Some(usage) = self.counts.usage() {
            sink(Event::Usage(usage));
        }
        if let Some(tier) = tier {
            sink(Event::ServiceTier(tier));
        }
    }

    fn start_block(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.start_unsaid(sink);
        let index = index(root)?;
        if self.open.iter().any(|open| open.index == index) {
            return Err(DecodeError::wrong("index", "the number of no open block"));
        }
        let missing = || DecodeError::Missing { field: "content_block".into() };
        let node = root.get("content_block").ok_or_else(missing)?;
        let kind = node.get("type").and_then(Node::text);
        let kind = kind.ok_or_else(|| DecodeError::wrong("content_block.type", "a string"))?;
        let text = |name: &str| node.get(name).and_then(Node::text).unwrap_or_default();
        let reasoning = || Head::Reasoning { id: None, summary: false };
        let kind = match &*kind.value() {
            "text" => {
                let block = self.opened(Head::Text, sink);
                say(block, text("text"), sink);
                for citation in node.get("citations").into_iter().flat_map(Node::elements) {
                    sink(Event::Cite { block, citation: block::citation(citation) });
                }
                OpenKind::Text(block)
            }
            "thinking" => {
                let block = self.opened(reasoning(), sink);
                say(block, text("thinking"), sink);
                self.seal(block, text("signature"), SealKind::Signature, sink);
                OpenKind::Reasoning(block)
            }
            "redacted_thinking" => {
                let block = self.opened(reasoning(), sink);
                self.seal(block, text("data"), SealKind::Encrypted, sink);
                OpenKind::Reasoning(block)
            }
            "tool_use" => {
                let mut id = text("id");
                if id.is_empty() {
                    id = Text::from(format!("call_{}_{index}", self.id));
                }
                let name = text("name");
                if name.is_empty() {
                    return Err(DecodeError::Missing { field: "content_block.name".into() });
                }
                for known in ["caller", "toolset_name"] {
                    if node.get(known).is_some() {
                        sink(Event::Lost(Text::from(format!("content_block.{known}"))));
                    }
                }
                let head = Head::ToolCall { id, item: None, name, custom: false };
                let input = node.get("input").filter(|input| input.members().next().is_some());
                let input = input.map(|input| input.raw().to_owned());
                OpenKind::Call { block: self.opened(head, sink), input }
            }
            _ => OpenKind::Opaque { raw: node.raw().to_owned(), input: String::new(), members: Vec::new() },
        };
        self.open.push(Open { index, kind });
        Ok(())
    }

    fn opened(&mut self, head: Head<'_>, sink: &mut Sink<'_>) -> BlockId {
        let block = self.next;
        self.next += 1;
        sink(Event::Open { block, choice: 0, head });
        block
    }

    fn seal(&self, block: BlockId, data: Text<'_>, kind: SealKind, sink: &mut Sink<'_>) {
        if !data.is_empty() {
            let seal = Seal::from_provider(data, kind, Dialect::Anthropic, &self.provider);
            sink(Event::Sealed { block, seal });
        }
    }

    fn delta(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let index = index(root)?;
        let delta = root.get("delta").ok_or_else(|| DecodeError::Missing { field: "delta".into() })?;
        let kind = delta.get("type").and_then(Node::text);
        let kind = kind.ok_or_else(|| DecodeError::wrong("delta.type", "a string"))?;
        let text = |name: &'static str| {
            let text = delta.get(name).and_then(Node::text);
            text.ok_or_else(|| DecodeError::wrong(format_args!("delta.{name}"), "a string"))
        };
        let open = self.open.iter_mut().find(|open| open.index == index);
        let open = open.ok_or_else(|| DecodeError::wrong("index", "the number of an open block"))?;
        match (&*kind.value(), &mut open.kind) {
            ("text_delta", OpenKind::Text(block)) => say(*block, text("text")?, sink),
            ("thinking_delta", OpenKind::Reasoning(block)) => say(*block, text("thinking")?, sink),
            ("signature_delta", OpenKind::Reasoning(block)) => {
                let block = *block;
                self.seal(block, text("signature")?, SealKind::Signature, sink);
            }
            ("input_json_delta", OpenKind::Call { block, input }) => {
                let piece = text("partial_json")?;
                if !piece.is_empty() {
                    *input = None;
                }
                say(*block, piece, sink);
            }
            ("input_json_delta", OpenKind::Opaque { input, .. }) => {
                input.push_str(&text("partial_json")?.value());
            }
            ("citations_delta", OpenKind::Text(block)) => {
                let missing = || DecodeError::Missing { field: "delta.citation".into() };
                let citation = delta.get("citation").ok_or_else(missing)?;
                sink(Event::Cite { block: *block, citation: block::citation(citation) });
            }
            // What else a block of the vendor's own is told in pieces (`compaction_delta`).
            (_, OpenKind::Opaque { members, .. }) => {
                let news = delta.members().filter(|(key, value)| *key != "type" && !value.is_null());
                for (key, value) in news {
                    let key = key.value().into_owned();
                    members.retain(|(known, _)| *known != key);
                    members.push((key, value.raw().to_owned()));
                }
            }
            (other, _) => sink(Event::Lost(Text::from(format!("delta.{other}")))),
        }
        Ok(())
    }

    fn stop_block(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let index = index(root)?;
        let at = self.open.iter().position(|open| open.index == index);
        let at = at.ok_or_else(|| DecodeError::wrong("index", "the number of an open block"))?;
        let open = self.open.remove(at);
        self.close(open.kind, sink);
        Ok(())
    }

    fn close(&mut self, kind: OpenKind, sink: &mut Sink<'_>) {
        let block = match kind {
            OpenKind::Text(block) | OpenKind::Reasoning(block) => block,
            OpenKind::Call { block, input } => {
                if let Some(input) = input {
                    sink(Event::Delta { block, text: Text::from(input) });
                }
                block
            }
            OpenKind::Opaque { raw, input, members } => {
                let whole = whole(raw, &input, &members);
                self.opened(Head::Opaque(&whole), sink)
            }
        };
        sink(Event::Close { block });
    }

    fn finish_message(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.start_unsaid(sink);
        let mut members = fields(root, "body")?;
        members.take("type");
        let mut rest = Vec::new();
        let usage = members.take("usage");
        if let Some(delta) = members.take("delta") {
            let mut delta = fields(delta, "delta")?;
            let finish = answer::finish(delta.take("stop_reason"), delta.take("stop_sequence"))?;
            if let Some(finish) = finish.filter(|_| !self.finished) {
                for open in std::mem::take(&mut self.open) {
                    self.close(open.kind, sink);
                }
                self.finished = true;
                sink(Event::Finish { choice: 0, finish });
            }
            Extension::collect(delta, Path::Root, &mut rest);
        }
        Extension::collect(members, Path::Root, &mut rest);
        self.usage(usage, &mut rest, sink);
        tell(rest, sink);
        Ok(())
    }

    fn stop(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if !self.finished {
            // An end without a reason is no answer: something on the way cut it.
            return Err(DecodeError::Missing { field: "stop_reason".into() });
        }
        self.ended = true;
        sink(Event::End);
        Ok(())
    }
}

fn index(root: Node<'_, '_>) -> Result<u64, DecodeError> {
    let index = root.get("index").and_then(Node::count);
    index.ok_or_else(|| DecodeError::wrong("index", "a whole number"))
}

fn say(block: BlockId, text: Text<'_>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        sink(Event::Delta { block, text });
    }
}

fn tell(rest: Vec<Extension<'_>>, sink: &mut Sink<'_>) {
    for extension in rest {
        sink(Event::Lost(extension.name));
    }
}

/// A block of the vendor's own, with what came in pieces.
fn whole(raw: String, input: &str, members: &[(String, String)]) -> String {
    if input.is_empty() && members.is_empty() {
        return raw;
    }
    let Ok(document) = Document::read(raw.as_bytes()) else { return raw };
    let replaced = |key: &Text<'_>| {
        (!input.is_empty() && *key == "input") || members.iter().any(|(known, _)| *key == known.as_str())
    };
    let mut writer = Writer::with_capacity(raw.len() + input.len());
    writer.object(|w| {
        for (key, value) in document.root().members().filter(|(key, _)| !replaced(key)) {
            w.text(&key).frame(b":").raw(value.raw());
        }
        if !input.is_empty() {
            w.key("input");
            // Pieces that make no JSON text are kept as the text that they are.
            if crate::json::validate(input.as_bytes()).is_ok() {
                w.raw(input)
            } else {
                w.string(input)
            };
        }
        for (key, value) in members {
            w.key(key).raw(value);
        }
    });
    String::from_utf8(writer.finish()).unwrap_or_default()
}
