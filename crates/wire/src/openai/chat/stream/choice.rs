//! One choice of a stream: which blocks are open, and which call a piece of arguments belongs to.

use super::super::answer::read_finish;
use super::super::assistant::{THOUGHTS, read_citation, read_image, thought_signature};
use super::Names;
use crate::json::{Kind, Node, Text};
use crate::neutral::{
    BlockId, Content, DecodeError, Event, Finish, Head, Path, Reason, Seal, SealKind, Sink,
};
use pointsman_core::Dialect;

/// Calls of one choice; what is beyond is refused.
const MAX_CALLS: usize = 1024;

/// What has come of one choice.
#[derive(Debug)]
pub(super) struct ChoiceState {
    index: u64,
    /// The text, refusal or thought that is being written.
    open: Option<Open>,
    calls: Vec<Call>,
    refused: bool,
    finished: bool,
}

#[derive(Debug)]
struct Open {
    kind: Kinds,
    block: BlockId,
    /// OpenRouter's `index` of the thought.
    detail: Option<Box<str>>,
    /// What was told of a thought without one: some say it again as a whole, with its proof.
    plain: String,
    sealed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinds {
    Text,
    Refusal,
    Thought,
    Summary,
}

#[derive(Debug, Default)]
struct Call {
    slot: Option<u64>,
    id: String,
    name: String,
    custom: bool,
    block: Option<BlockId>,
    /// Arguments and proof that came before the call could be opened.
    pending: String,
    proof: String,
}

impl ChoiceState {
    pub(super) const fn new(index: u64) -> Self {
        Self { index, open: None, calls: Vec::new(), refused: false, finished: false }
    }

    pub(super) const fn index(&self) -> u64 {
        self.index
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes one element of `choices`.
    pub(super) fn read(
        &mut self,
        node: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let (mut reason, mut stop, mut logprobs) = (None, None, None);
        for (key, node) in node.members().filter(|(_, node)| !node.is_null()) {
            match &*key.value() {
                "index" => {}
                "delta" => {
                    if node.kind() != Kind::Object {
                        return Err(DecodeError::wrong("choices[].delta", "an object"));
                    }
                    self.delta(node, names, sink)?;
                }
                "finish_reason" => reason = node.text().filter(|reason| !reason.is_empty()),
                "stop_reason" | "matched_stop" => stop = node.text(),
                "logprobs" => logprobs = Some(node).filter(|node| node.kind() == Kind::Object),
                // Says again what `finish_reason` says.
                "native_finish_reason" => {}
                _ => names.lose("choices.", &key, sink),
            }
        }
        if let Some(logprobs) = logprobs {
            sink(Event::Logprobs { choice: self.index, raw: logprobs.raw() });
        }
        if let Some(reason) = reason.filter(|_| !self.finished) {
            let mut finish = read_finish(reason, !self.calls.is_empty(), stop);
            if self.refused && finish.reason == Reason::Stop {
                finish.reason = Reason::Refusal;
            }
            self.end(finish, names, sink)?;
        }
        Ok(())
    }

    /// The stream was declared whole although this choice gave no reason to end.
    pub(super) fn finish_silently(
        &mut self,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        if self.finished {
            return Ok(());
        }
        let reason = if self.calls.is_empty() { Reason::Stop } else { Reason::ToolCalls };
        self.end(Finish::new(reason), names, sink)
    }

    fn end(&mut self, finish: Finish<'_>, names: &mut Names, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.close(sink);
        for call in &mut self.calls {
            if call.name.is_empty() {
                let field = "choices[].delta.tool_calls[].function.name".to_owned();
                return Err(DecodeError::Missing { field });
            }
            if call.block.is_none() {
                call.open(self.index, names, sink);
            }
            if let Some(block) = call.block {
                sink(Event::Close { block });
            }
        }
        self.finished = true;
        sink(Event::Finish { choice: self.index, finish });
        Ok(())
    }

    fn delta(
        &mut self,
        delta: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        if self.finished {
            return Ok(());
        }
        let detailed = delta.get("reasoning_details").is_some_and(|list| self.details(list, names, sink));
        let mut thought = detailed;
        let mut late = SmallParts::default();
        for (key, node) in delta.members().filter(|(_, node)| !node.is_null()) {
            match &*key.value() {
                "role" | "reasoning_details" => {}
                name if THOUGHTS.contains(&name) => {
                    // The same thought under a second name is the same thought.
                    if let Some(text) = node.text().filter(|text| !thought && !text.is_empty()) {
                        thought = true;
                        self.say(Kinds::Thought, text, names, sink);
                    }
                }
                "content" => self.content(node, names, sink)?,
                "refusal" => {
                    if let Some(text) = node.text().filter(|text| !text.is_empty()) {
                        self.refused = true;
                        self.say(Kinds::Refusal, text, names, sink);
                    }
                }
                "tool_calls" => late.calls = Some(node),
                "function_call" => late.function = Some(node),
                "annotations" => late.annotations = Some(node),
                "images" => self.images(node, names, sink),
                "audio" => self.audio(node, names, sink),
                _ => names.lose("delta.", &key, sink),
            }
        }
        if let Some(list) = late.annotations {
            let block = self.block(Kinds::Text, None, names, sink);
            for citation in list.elements().map(read_citation) {
                sink(Event::Cite { block, citation });
            }
        }
        for call in late.calls.into_iter().flat_map(Node::elements) {
            self.call(call, names, sink)?;
        }
        if let Some(call) = late.function {
            self.function_call(call, names, sink);
        }
        if let Some(list) = delta.get("reasoning_details") {
            self.ciphers(list, names, sink);
        }
        Ok(())
    }

    /// A string, or Mistral's list of parts.
    fn content(
        &mut self,
        node: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        if let Some(text) = node.text() {
            if !text.is_empty() {
                self.say(Kinds::Text, text, names, sink);
            }
            return Ok(());
        }
        if node.kind() != Kind::Array {
            return Err(DecodeError::wrong("choices[].delta.content", "a string"));
        }
        for part in node.elements() {
            let text = part.text().or_else(|| part.get("text")?.text());
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                self.say(Kinds::Text, text, names, sink);
            } else if let Some(thinking) = part.get("thinking") {
                let whole = thinking.text().into_iter();
                let pieces = whole.chain(thinking.elements().filter_map(|piece| piece.get("text")?.text()));
                for text in pieces.filter(|text| !text.is_empty()) {
                    self.say(Kinds::Thought, text, names, sink);
                }
            } else if let Some(kind) = part.get("type").and_then(Node::text).filter(|kind| kind != "text") {
                names.lose("delta.content.", &kind, sink);
            }
        }
        Ok(())
    }

    /// OpenRouter's thoughts; whether they say anything that plain ones would say again.
    fn details(&mut self, list: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) -> bool {
        let mut said = false;
        for detail in list.elements() {
            let index = detail.get("index").and_then(Node::number);
            let text = |name: &str| detail.get(name).and_then(Node::text).filter(|text| !text.is_empty());
            let piece = match text("text") {
                Some(text) => Some((Kinds::Thought, text)),
                None => text("summary").map(|text| (Kinds::Summary, text)),
            };
            said |= piece.is_some();
            if let Some((kind, text)) = piece.filter(|(_, text)| !self.is_told(text, index)) {
                let block = self.block(kind, index, names, sink);
                sink(Event::Delta { block, text });
            }
            if let Some(signature) = text("signature") {
                let kind = match &self.open {
                    Some(open) if open.kind == Kinds::Summary => Kinds::Summary,
                    _ => Kinds::Thought,
                };
                // It proves what was told without an index.
                if let Some(open) = self.open.as_mut().filter(|open| !open.plain.is_empty()) {
                    open.detail = index.map(Box::from);
                }
                let block = self.block(kind, index, names, sink);
                sink(Event::Sealed { block, seal: seal(signature, SealKind::Signature, names) });
                if let Some(open) = &mut self.open {
                    open.sealed = true;
                }
            }
        }
        said
    }

    /// Encrypted thoughts: of a call that has the same id, of the thought that is open, or their own.
    fn ciphers(&mut self, list: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) {
        for detail in list.elements() {
            let Some(data) = detail.get("data").and_then(Node::text).filter(|data| !data.is_empty()) else {
                continue;
            };
            let id = detail.get("id").and_then(Node::text).unwrap_or_default();
            let its_call = self.calls.iter_mut().find(|call| !id.is_empty() && id == call.id.as_str());
            if let Some(call) = its_call {
                match call.block {
                    Some(block) => {
                        sink(Event::Sealed { block, seal: seal(data, SealKind::Encrypted, names) });
                    }
                    None => call.proof = data.into_value().into_owned(),
                }
                continue;
            }
            let index = detail.get("index").and_then(Node::number);
            let kind = match &self.open {
                Some(open) if open.kind == Kinds::Summary => Kinds::Summary,
                _ => Kinds::Thought,
            };
            let block = self.block(kind, index, names, sink);
            sink(Event::Sealed { block, seal: seal(data, SealKind::Encrypted, names) });
            self.close(sink);
        }
    }

    fn images(&mut self, list: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) {
        for image in list.elements() {
            self.close(sink);
            let head = read_image(image)
                .map_or(Head::Opaque(image.raw()), |media| Head::Media(Content::Image(media)));
            let block = names.block();
            sink(Event::Open { block, choice: self.index, head });
            sink(Event::Close { block });
        }
    }

    /// What is said is text too; the sound comes in pieces that are no whole medium.
    fn audio(&mut self, node: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) {
        if let Some(text) = node.get("transcript").and_then(Node::text).filter(|text| !text.is_empty()) {
            self.say(Kinds::Text, text, names, sink);
        }
        if node.get("data").is_some() {
            names.lose("delta.", &Text::Escaped("audio"), sink);
        }
    }

    fn say(&mut self, kind: Kinds, text: Text<'_>, names: &mut Names, sink: &mut Sink<'_>) {
        let block = self.block(kind, None, names, sink);
        if let Some(open) = self.open.as_mut().filter(|open| kind == Kinds::Thought && open.detail.is_none())
        {
            open.plain.push_str(&text.value());
        }
        sink(Event::Delta { block, text });
    }

    /// Whether the text is that of the open thought, told again: then it has this index.
    fn is_told(&mut self, text: &Text<'_>, index: Option<&str>) -> bool {
        let told = |open: &&mut Open| !open.plain.is_empty() && *text == open.plain.as_str();
        let Some(open) = self.open.as_mut().filter(told) else { return false };
        open.detail = index.map(Box::from);
        open.plain.clear();
        true
    }

    /// The block that is open, if it is of this kind (and the same thought); or else a new one.
    fn block(
        &mut self,
        kind: Kinds,
        detail: Option<&str>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> BlockId {
        if let Some(open) = &self.open
            && open.kind == kind
            && !open.sealed
            && (detail.is_none() || open.detail.as_deref() == detail)
        {
            return open.block;
        }
        self.close(sink);
        let block = names.block();
        let head = match kind {
            Kinds::Text => Head::Text,
            Kinds::Refusal => Head::Refusal,
            Kinds::Thought => Head::Reasoning { id: None, summary: false },
            Kinds::Summary => Head::Reasoning { id: None, summary: true },
        };
        sink(Event::Open { block, choice: self.index, head });
        let detail = detail.map(Box::from);
        self.open = Some(Open { kind, block, detail, plain: String::new(), sealed: false });
        block
    }

    fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some(open) = self.open.take() {
            sink(Event::Close { block: open.block });
        }
    }

    fn call(
        &mut self,
        node: Node<'_, '_>,
        names: &mut Names,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let index = node.get("index").and_then(Node::count);
        let id = node.get("id").and_then(Node::text).map(Text::into_value).unwrap_or_default();
        let function = node.get("function");
        let custom = node.get("custom");
        let inner = function.or(custom);
        let name =
            inner.and_then(|inner| inner.get("name")?.text()).map(Text::into_value).unwrap_or_default();
        let Some(at) = self.find(index, &id, &name) else {
            return Err(DecodeError::wrong(
                Path::Root.member("choices[].delta.tool_calls"),
                "at most 1024 calls",
            ));
        };
        let arguments = inner.and_then(|inner| inner.get("arguments").or_else(|| inner.get("input")));
        let choice = self.index;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            call.id = id.into_owned();
        }
        if call.name.is_empty() {
            call.name = name.into_owned();
        }
        call.custom |= function.is_none() && custom.is_some();
        if let Some(proof) = node.get("extra_content").and_then(thought_signature) {
            call.proof = proof.into_value().into_owned();
        }
        // Some servers send the object itself.
        let piece = arguments.and_then(|node| match node.kind() {
            Kind::Object => Some(Text::from(node.raw())),
            _ => node.text(),
        });
        let piece = piece.filter(|piece| !piece.is_empty());
        if call.block.is_none() {
            if let Some(piece) = piece {
                call.pending.push_str(&piece.value());
            }
            // A call is opened as late as with its first argument: an id that comes later is not missed.
            if call.name.is_empty() || (call.id.is_empty() && call.pending.is_empty()) {
                return Ok(());
            }
            if let Some(open) = self.open.take() {
                sink(Event::Close { block: open.block });
            }
            call.open(choice, names, sink);
        } else if let (Some(block), Some(text)) = (call.block, piece) {
            sink(Event::Delta { block, text });
        }
        call.tell_proof(names, sink);
        Ok(())
    }

    /// The call that a piece belongs to, new if it is the first; `None` if there are too many.
    fn find(&mut self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let by_id = || self.calls.iter().position(|call| !id.is_empty() && call.id == id);
        let found = match index {
            Some(_) => match self.calls.iter().rposition(|call| call.slot == index) {
                // Some servers give every call the index 0: another id and a name begin another call.
                Some(at) => {
                    let known = self.calls.get(at)?;
                    let other = !id.is_empty() && !known.id.is_empty() && known.id != id;
                    if other && !name.is_empty() { by_id() } else { Some(at) }
                }
                None => by_id(),
            },
            None => by_id().or_else(|| {
                let last = self.calls.len().checked_sub(1)?;
                let known = self.calls.get(last)?;
                let new_name = !name.is_empty() && !known.name.is_empty();
                let new_id = !id.is_empty() && !known.id.is_empty();
                (!new_name && !new_id).then_some(last)
            }),
        };
        if found.is_some() {
            return found;
        }
        if self.calls.len() >= MAX_CALLS {
            return None;
        }
        self.calls.push(Call { slot: index, ..Call::default() });
        Some(self.calls.len() - 1)
    }

    /// The older form: one call, without an id.
    fn function_call(&mut self, node: Node<'_, '_>, names: &mut Names, sink: &mut Sink<'_>) {
        let choice = self.index;
        if self.calls.is_empty() {
            self.calls.push(Call::default());
        }
        let text = |name: &str| node.get(name).and_then(Node::text).filter(|text| !text.is_empty());
        let Some(call) = self.calls.first_mut() else { return };
        if let Some(name) = text("name").filter(|_| call.name.is_empty()) {
            call.name = name.into_value().into_owned();
        }
        if call.block.is_none() && !call.name.is_empty() {
            if let Some(open) = self.open.take() {
                sink(Event::Close { block: open.block });
            }
            call.open(choice, names, sink);
        }
        if let (Some(block), Some(text)) = (call.block, text("arguments")) {
            sink(Event::Delta { block, text });
        }
    }
}

impl Call {
    fn open(&mut self, choice: u64, names: &mut Names, sink: &mut Sink<'_>) {
        if self.id.is_empty() {
            self.id = names.call();
        }
        let block = names.block();
        self.block = Some(block);
        let (id, name) = (Text::from(self.id.as_str()), Text::from(self.name.as_str()));
        sink(Event::Open {
            block,
            choice,
            head: Head::ToolCall { id, item: None, name, custom: self.custom },
        });
        if !self.pending.is_empty() {
            sink(Event::Delta { block, text: Text::from(std::mem::take(&mut self.pending)) });
        }
        self.tell_proof(names, sink);
    }

    fn tell_proof(&mut self, names: &Names, sink: &mut Sink<'_>) {
        if let Some(block) = self.block.filter(|_| !self.proof.is_empty()) {
            let proof = Text::from(std::mem::take(&mut self.proof));
            sink(Event::Sealed { block, seal: seal(proof, SealKind::Signature, names) });
        }
    }
}

/// Members of a delta that are read behind what is said.
#[derive(Default)]
struct SmallParts<'d, 'a> {
    calls: Option<Node<'d, 'a>>,
    function: Option<Node<'d, 'a>>,
    annotations: Option<Node<'d, 'a>>,
}

fn seal<'s>(text: Text<'s>, kind: SealKind, names: &'s Names) -> Seal<'s> {
    Seal::from_provider(text, kind, Dialect::OpenAiChat, &names.provider)
}
