//! Streams of providers, chunk by chunk.
//!
//! Vendors differ most here: calls without an index or all with the same one, ids and names that come
//! again with every chunk, or late, or never; thoughts under three names and twice; usage of its own, in
//! the last chunk, or in all. [`choice`] sorts that out for one choice.

mod choice;

use smallvec::SmallVec;

use super::super::error;
use super::super::usage;
use super::answer::{read_timings, read_usage};
use crate::json::{Document, Kind, Node, Text};
use crate::neutral::{BlockId, DecodeError, Event, Path, Sink};
use choice::ChoiceState;

const DONE: &[u8] = b"[DONE]";

/// Choices of one stream; a chunk that names a further one is refused.
const MAX_CHOICES: usize = 256;

/// Reads one stream.
#[derive(Debug)]
pub struct StreamDecoder {
    names: Names,
    started: bool,
    ended: bool,
    choices: SmallVec<[ChoiceState; 1]>,
}

/// What blocks are called, and what was told to be lost.
#[derive(Debug)]
struct Names {
    provider: String,
    /// The request's id, for calls that have none.
    id: String,
    next: BlockId,
    calls: u32,
    lost: Vec<Box<str>>,
}

/// Members that are told to be lost by name; a hostile stream must not grow this.
const MAX_LOST: usize = 64;

impl Names {
    fn block(&mut self) -> BlockId {
        self.next += 1;
        self.next - 1
    }

    fn call(&mut self) -> String {
        self.calls += 1;
        format!("call_{}_{}", self.id, self.calls - 1)
    }

    /// Tells once of a member that has no place.
    fn lose(&mut self, under: &str, name: &Text<'_>, sink: &mut Sink<'_>) {
        let name = name.value();
        let known = |known: &str| known.strip_prefix(under).is_some_and(|tail| tail == name);
        if self.lost.len() >= MAX_LOST || self.lost.iter().any(|lost| known(lost)) {
            return;
        }
        let full = format!("{under}{name}");
        sink(Event::Lost(Text::from(full.as_str())));
        self.lost.push(full.into());
    }
}

impl StreamDecoder {
    /// A decoder of a new stream of this provider; `id` is unique for the request.
    #[must_use]
    pub fn new(provider: &str, id: &str) -> Self {
        let names =
            Names { provider: provider.to_owned(), id: id.to_owned(), next: 0, calls: 0, lost: Vec::new() };
        Self { names, started: false, ended: false, choices: SmallVec::new() }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// It is no chunk, or `[DONE]` came before anything was said.
    pub fn frame(&mut self, name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let data = data.trim_ascii();
        if self.ended {
            return Ok(());
        }
        if data.is_empty() || matches!(name, b"ping" | b"keepalive" | b"keep-alive" | b"heartbeat") {
            if self.started {
                sink(Event::Ping);
            }
            return Ok(());
        }
        if data == DONE {
            return self.done(sink);
        }
        if name == b"error" {
            self.fail(data, sink);
            return Ok(());
        }
        let document = Document::read(data)?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(DecodeError::wrong(Path::Root, "an object"));
        }
        if is_failure(root) {
            self.fail(data, sink);
            return Ok(());
        }
        self.chunk(root, sink)
    }

    /// The upstream has ended: without `[DONE]` an answer is whole if all its choices have ended.
    ///
    /// # Errors
    /// None in this dialect.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if !self.ended && !self.choices.is_empty() && self.choices.iter().all(ChoiceState::is_finished) {
            self.ended = true;
            sink(Event::End);
        }
        Ok(())
    }

    fn fail(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        self.ended = true;
        sink(Event::Error(error::parse(data)));
    }

    fn done(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.choices.is_empty() {
            return Err(DecodeError::Missing { field: "choices".to_owned() });
        }
        for choice in &mut self.choices {
            choice.finish_silently(&mut self.names, sink)?;
        }
        self.ended = true;
        sink(Event::End);
        Ok(())
    }

    fn chunk<'a>(&mut self, root: Node<'_, 'a>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if !self.start(root, sink) {
            return Ok(());
        }
        let (mut said, mut timings) = (None, None);
        for (key, node) in root.members().filter(|(_, node)| !node.is_null()) {
            match &*key.value() {
                "choices" => self.choices(node, sink)?,
                "usage" => said = read_usage(node).or(said),
                "timings" => timings = read_timings(node),
                "x_groq" => said = said.or_else(|| node.get("usage").and_then(read_usage)),
                "service_tier" => {
                    if let Some(tier) = node.text() {
                        sink(Event::ServiceTier(tier));
                    }
                }
                // Known to all, and padding.
                "id" | "object" | "created" | "model" | "obfuscation" => {}
                _ => self.names.lose("", &key, sink),
            }
        }
        if let Some(usage) = usage::merge(said, timings) {
            sink(Event::Usage(usage));
        }
        Ok(())
    }

    /// Whether the answer has begun. Azure's first chunk is about the prompt and names nothing.
    fn start<'a>(&mut self, root: Node<'_, 'a>, sink: &mut Sink<'_>) -> bool {
        if self.started {
            return true;
        }
        let text = |name: &str| root.get(name).and_then(Node::text).unwrap_or_default();
        let (id, model) = (text("id"), text("model"));
        let says = root.get("choices").is_some_and(|choices| choices.elements().next().is_some());
        self.started = says || !id.is_empty() || !model.is_empty();
        if self.started {
            let created = root.get("created").and_then(Node::count).filter(|at| *at > 0);
            sink(Event::Start { id, model, created });
        }
        self.started
    }

    fn choices(&mut self, node: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        for choice in node.elements() {
            let index = choice.get("index").and_then(Node::count).unwrap_or(0);
            let at = self.choices.iter().position(|known| known.index() == index);
            let at = at.unwrap_or_else(|| {
                self.choices.push(ChoiceState::new(index));
                self.choices.len() - 1
            });
            if at >= MAX_CHOICES {
                return Err(DecodeError::wrong("choices[].index", "one of a few"));
            }
            if let Some(state) = self.choices.get_mut(at) {
                state.read(choice, &mut self.names, sink)?;
            }
        }
        Ok(())
    }
}

/// Whether a chunk reports an error: of its own, as a document (older vLLM), or inside a choice
/// (OpenRouter) or a vendor's member (Groq).
fn is_failure(root: Node<'_, '_>) -> bool {
    let fails = |node: Node<'_, '_>| node.get("error").is_some_and(says_something);
    root.members().any(|(key, node)| match &*key.value() {
        "error" => says_something(node),
        "object" => node.text().is_some_and(|object| object == "error"),
        "x_groq" => fails(node),
        "choices" => node.elements().any(fails),
        _ => false,
    })
}

fn says_something(node: Node<'_, '_>) -> bool {
    match node.kind() {
        Kind::Object => node.members().next().is_some(),
        Kind::Array => node.elements().next().is_some(),
        Kind::String => node.text().is_some_and(|text| !text.is_empty()),
        Kind::Number | Kind::True => true,
        Kind::False | Kind::Null => false,
    }
}
