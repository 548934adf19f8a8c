//! The provider's events. Each is an answer of its own with more of the parts: texts and thoughts come in
//! pieces, calls as a whole. There is no last event: the end of the stream is that of the answer, if all
//! candidates have a reason to end.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::answer::{FEEDBACK, call_id};
use super::super::grounding::{self, Found};
use super::super::part::{self, Side};
use super::super::{logprobs, read, usage, words};
use crate::json::{Document, Kind, Node, Text};
use crate::neutral::{
    Arguments, Block, BlockId, Content, DecodeError, Event, Head, Path, Reasoning, Seal, Sink, ToolCall,
};

/// Candidates of one stream; an event that names a further one is refused.
const MAX_CANDIDATES: usize = 256;

/// Reads the events of `:streamGenerateContent` with `alt=sse`.
#[derive(Debug)]
pub struct StreamDecoder {
    names: Names,
    started: bool,
    ended: bool,
    candidates: SmallVec<[Candidate; 1]>,
}

/// What blocks are called, and what was told to be lost.
#[derive(Debug)]
struct Names {
    provider: Arc<str>,
    /// The request's id, for calls that have none.
    id: String,
    next: BlockId,
    calls: usize,
    lost: Vec<Box<str>>,
}

/// Members that are told to be lost by name; a hostile stream must not grow this.
const MAX_LOST: usize = 64;

/// What has come of one candidate.
#[derive(Debug)]
struct Candidate {
    index: u64,
    /// The text or thought that is being written.
    open: Option<(BlockId, Speech)>,
    called: bool,
    /// A call whose arguments come in pieces (Vertex AI): they are not read.
    partial: bool,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Text,
    Thought,
}

impl Names {
    fn block(&mut self) -> BlockId {
        self.next += 1;
        self.next - 1
    }

    /// Tells once of a member that has no place.
    fn lose(&mut self, name: &str, sink: &mut Sink<'_>) {
        if self.lost.len() < MAX_LOST && !self.lost.iter().any(|lost| **lost == *name) {
            sink(Event::Lost(Text::from(name)));
            self.lost.push(name.into());
        }
    }
}

impl StreamDecoder {
    /// `provider`: its configured name; `id`: unique for the request.
    #[must_use]
    pub fn new(provider: &str, id: &str) -> Self {
        let names =
            Names { provider: provider.into(), id: id.to_owned(), next: 0, calls: 0, lost: Vec::new() };
        Self { names, started: false, ended: false, candidates: SmallVec::new() }
    }

    /// Reads one event.
    ///
    /// # Errors
    /// It is no answer.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.ended || data.trim_ascii().is_empty() {
            return Ok(());
        }
        let document = Document::read(data)?;
        let root = document.root();
        // Outside of events, Google may report an error in a list.
        let first = if root.kind() == Kind::Array { root.elements().next() } else { Some(root) };
        if first.is_some_and(|first| first.get("error").is_some()) {
            self.ended = true;
            sink(Event::Error(super::super::parse_error(data)));
            return Ok(());
        }
        self.answer(root, sink)
    }

    /// The upstream ended: an answer is whole if all its candidates have ended.
    ///
    /// # Errors
    /// None: a stream that broke off is told by the missing [`Event::End`].
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let whole = !self.candidates.is_empty() && self.candidates.iter().all(|one| one.finished);
        if whole && !self.ended {
            self.ended = true;
            sink(Event::End);
        }
        Ok(())
    }

    fn answer(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let members = read::members(root, Path::Root)?;
        if !self.started {
            self.started = true;
            let text = |name| read::get(root, name).and_then(Node::text).unwrap_or_default();
            sink(Event::Start { id: text("responseId"), model: text("modelVersion"), created: None });
        }
        let mut counts = usage::Counts::default();
        for member in members {
            let node = member.node;
            match &*member.name() {
                "candidates" => {
                    for (_, node) in read::items(node, "candidates")? {
                        self.candidate(node, sink)?;
                    }
                }
                usage::MEMBER => {
                    let mut rest = Vec::new();
                    counts = usage::read(node, &mut rest);
                    rest.iter().for_each(|extension| self.names.lose(&extension.place(), sink));
                }
                FEEDBACK => self.feedback(node, sink),
                // Known since the start.
                "responseId" | "modelVersion" => {}
                name => self.names.lose(name, sink),
            }
        }
        if let Some(usage) = counts.usage {
            sink(Event::Usage(usage));
        }
        if let Some(tier) = counts.tier {
            sink(Event::ServiceTier(Text::from(tier)));
        }
        Ok(())
    }

    /// A prompt that was blocked has no candidates.
    fn feedback(&mut self, node: Node<'_, '_>, sink: &mut Sink<'_>) {
        self.names.lose(FEEDBACK, sink);
        let Some(reason) = read::get(node, "blockReason").and_then(Node::text) else { return };
        if self.candidates.is_empty() {
            let candidate = Candidate { finished: true, ..Candidate::new(0) };
            self.candidates.push(candidate);
            sink(Event::Finish { choice: 0, finish: words::blocked(reason) });
        }
    }

    fn candidate(&mut self, node: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let index = node.get("index").and_then(Node::count).unwrap_or(0);
        let at = self.candidates.iter().position(|known| known.index == index);
        let at = at.unwrap_or_else(|| {
            self.candidates.push(Candidate::new(index));
            self.candidates.len() - 1
        });
        if at >= MAX_CANDIDATES {
            return Err(DecodeError::wrong("candidates[].index", "one of a few"));
        }
        let Some(state) = self.candidates.get_mut(at) else { return Ok(()) };
        state.read(node, &mut self.names, sink)
    }
}

impl Candidate {
    const fn new(index: u64) -> Self {
        Self { index, open: None, called: false, partial: false, finished: false }
    }

    fn read(
        &mut self,
        node: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let path = Path::Field("candidates[]");
        let (mut reason, mut found): (_, Vec<Found<'_>>) = (None, Vec::new());
        let mut probabilities = None;
        for member in read::members(node, path)? {
            let node = member.node;
            match &*member.name() {
                "index" => {}
                "content" => self.content(node, names, sink)?,
                "finishReason" => reason = Some(read::string(node, path.member("finishReason"))?),
                "logprobsResult" => probabilities = logprobs::read(node),
                name => {
                    match name {
                        "groundingMetadata" => found.extend(grounding::read(node)),
                        "citationMetadata" => found.extend(grounding::read_recited(node)),
                        _ => {}
                    }
                    names.lose(&path.member(name), sink);
                }
            }
        }
        if let Some(raw) = probabilities {
            sink(Event::Logprobs { choice: self.index, raw: &raw });
        }
        if !self.finished {
            self.cite(found, sink);
        }
        if let Some(reason) = reason.filter(|_| !self.finished) {
            self.close(sink);
            self.finished = true;
            sink(Event::Finish { choice: self.index, finish: words::finish(reason, self.called) });
        }
        Ok(())
    }

    /// Sources of what was said so far; where no text is open, they are told to be lost with what names them.
    fn cite(&self, found: Vec<Found<'_>>, sink: &mut Sink<'_>) {
        if let Some((block, Speech::Text)) = self.open {
            for Found { citation, .. } in found {
                sink(Event::Cite { block, citation });
            }
        }
    }

    fn content(
        &mut self,
        node: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let Some(parts) =
            read::members(node, "candidates[].content")?.find(|member| member.name() == "parts")
        else {
            return Ok(());
        };
        if self.finished {
            return Ok(());
        }
        for (at, node) in read::items(parts.node, "candidates[].content.parts")? {
            if self.is_piece(node, names, sink) {
                continue;
            }
            let mut blocks = Vec::with_capacity(2);
            let path = Path::Part("candidates[]", 0, "parts", at);
            let provider = Arc::clone(&names.provider);
            part::read(node, path, Side::Provider(&provider), &mut blocks)?;
            for block in blocks {
                self.block(block, names, sink);
            }
        }
        Ok(())
    }

    /// Whether the part is more of a call that has begun.
    fn is_piece(&mut self, node: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) -> bool {
        let Some(call) = read::get(node, "functionCall") else { return false };
        let more = read::get(call, "willContinue").and_then(Node::bool) == Some(true);
        let named = call.get("name").is_some();
        let piece = self.partial && !named;
        self.partial = more || (self.partial && read::get(call, "partialArgs").is_some());
        if piece {
            names.lose("candidates[].functionCall.partialArgs", sink);
        }
        piece
    }

    fn block(&mut self, block: Block<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        block.rest.iter().for_each(|extension| names.lose(&extension.name.value(), sink));
        match block.content {
            Content::Text { text, .. } => self.say(Speech::Text, text, names, sink),
            Content::Reasoning(reasoning) => self.think(reasoning, names, sink),
            Content::ToolCall(call) => self.call(call, names, sink),
            Content::Opaque(raw) => self.whole(Head::Opaque(raw), names, sink),
            media => self.whole(Head::Media(media), names, sink),
        }
    }

    fn say(&mut self, speech: Speech, text: Text<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        if !text.is_empty() {
            let block = self.speak(speech, names, sink);
            sink(Event::Delta { block, text });
        }
    }

    /// The block of this kind that is open, or a new one.
    fn speak(&mut self, speech: Speech, names: &mut Names, sink: &mut Sink<'_>) -> BlockId {
        if let Some((block, same)) = self.open
            && same == speech
        {
            return block;
        }
        let head = match speech {
            Speech::Text => Head::Text,
            Speech::Thought => Head::Reasoning { id: None, summary: true },
        };
        let block = self.opened(head, names, sink);
        self.open = Some((block, speech));
        block
    }

    /// More of a thought. A signature ends it; one that comes behind something else stands alone.
    fn think(&mut self, reasoning: Reasoning<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        for text in reasoning.summary {
            self.say(Speech::Thought, text, names, sink);
        }
        if let Some(seal) = reasoning.seal {
            let block = self.speak(Speech::Thought, names, sink);
            sink(Event::Sealed { block, seal });
            self.close(sink);
        }
    }

    fn call(&mut self, call: ToolCall<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        let ToolCall { id, item: _, name, arguments, seal } = call;
        let id = if id.is_empty() { Text::from(call_id(&names.id, names.calls)) } else { id };
        names.calls += 1;
        self.called = true;
        let head = Head::ToolCall { id, item: None, name, custom: false };
        let block = self.opened(head, names, sink);
        if let Arguments::Object(raw) = arguments {
            sink(Event::Delta { block, text: Text::from(raw) });
        }
        self.end(block, seal, sink);
    }

    fn whole(&mut self, head: Head<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        let block = self.opened(head, names, sink);
        self.end(block, None, sink);
    }

    fn end(&self, block: BlockId, seal: Option<Seal<'_>>, sink: &mut Sink<'_>) {
        if let Some(seal) = seal {
            sink(Event::Sealed { block, seal });
        }
        sink(Event::Close { block });
    }

    fn opened(&mut self, head: Head<'_>, names: &mut Names, sink: &mut Sink<'_>) -> BlockId {
        self.close(sink);
        let block = names.block();
        sink(Event::Open { block, choice: self.index, head });
        block
    }

    fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::Close { block });
        }
    }
}
