//! Streams of JSON lines, both ways.

use memchr::memmem;
use pointsman_core::Usage;

use super::answer::{self, call_id};
use super::{decode, turns};
use crate::json::{Document, Fields, Text, Writer};
use crate::neutral::read::{flag, text};
use crate::neutral::{
    AnswerContext, Arguments, BlockId, Content, DecodeError, Event, Extension, Finish, Head, Losses, Path,
    Reason, Sink, ToolCall, fields,
};

/// Reads a stream of `POST /api/chat`.
#[derive(Debug)]
pub struct StreamDecoder {
    /// The request's id, for calls without one.
    id: String,
    started: bool,
    ended: bool,
    /// The text or reasoning block that is open, and which of both it is.
    open: Option<(BlockId, Speech)>,
    next: BlockId,
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Text,
    Thoughts,
}

impl StreamDecoder {
    /// A reader of a new stream.
    #[must_use]
    pub fn new(_provider: &str, id: &str) -> Self {
        Self { id: id.to_owned(), started: false, ended: false, open: None, next: 0, calls: 0 }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// It is no line of such a stream.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.ended {
            return Ok(());
        }
        let document = Document::read(data)?;
        let mut line = fields(document.root(), "line")?;
        if line.peek("error").is_some() {
            self.ended = true;
            sink(Event::Error(super::parse_error(data)));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            let model = text(&mut line, "model", Path::Root)?.unwrap_or_default();
            sink(Event::Start { id: Text::default(), model, created: None });
        }
        if let Some(message) = line.take("message") {
            self.message(fields(message, "message")?, sink)?;
        }
        self.ended = flag(&mut line, "done", "done")?.is_some_and(|done| done.value);
        if self.ended {
            self.close(sink);
            let word = text(&mut line, "done_reason", Path::Root)?;
            sink(Event::Finish { choice: 0, finish: answer::finish(word, self.calls > 0) });
            if let Some(usage) = answer::usage(&mut line) {
                sink(Event::Usage(usage));
            }
        }
        for name in ["model", "created_at"].into_iter().chain(answer::DURATIONS) {
            line.take(name);
        }
        line.rest().for_each(|(name, _)| sink(Event::Lost(name)));
        if self.ended {
            sink(Event::End);
        }
        Ok(())
    }

    /// The stream has ended. A last line says that it is whole, so there is nothing to add.
    ///
    /// # Errors
    /// Never.
    pub const fn finish(&mut self, _sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn message(&mut self, mut message: Fields<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let path = Path::Field("message");
        message.take("role");
        if let Some(thoughts) = text(&mut message, "thinking", path)? {
            self.say(Speech::Thoughts, thoughts, sink);
        }
        if let Some(content) = text(&mut message, "content", path)? {
            self.say(Speech::Text, content, sink);
        }
        if let Some(calls) = message.take("tool_calls") {
            let mut rest = Vec::new();
            for node in calls.elements() {
                let block = decode::call(node, path, self.calls as u32, &mut rest)?;
                let Content::ToolCall(call) = block.content else { continue };
                self.close(sink);
                self.call(call, sink);
            }
            rest.into_iter().for_each(|extension: Extension<'_>| sink(Event::Lost(extension.name)));
        }
        message.rest().for_each(|(name, _)| sink(Event::Lost(name)));
        Ok(())
    }

    fn call(&mut self, call: ToolCall<'_>, sink: &mut Sink<'_>) {
        let id = if call.id.is_empty() { Text::from(call_id(&self.id, self.calls)) } else { call.id };
        let block = self.opened();
        let head = Head::ToolCall { id, item: None, name: call.name, custom: false };
        sink(Event::Open { block, choice: 0, head });
        let text = match call.arguments {
            Arguments::Object(raw) => Text::from(raw),
            Arguments::Quoted(text) | Arguments::Free(text) => text,
        };
        sink(Event::Delta { block, text });
        sink(Event::Close { block });
        self.calls += 1;
    }

    fn say(&mut self, speech: Speech, text: Text<'_>, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some((block, same)) if same == speech => block,
            _ => {
                self.close(sink);
                let block = self.opened();
                self.open = Some((block, speech));
                let head = match speech {
                    Speech::Text => Head::Text,
                    Speech::Thoughts => Head::Reasoning { id: None, summary: false },
                };
                sink(Event::Open { block, choice: 0, head });
                block
            }
        };
        sink(Event::Delta { block, text });
    }

    fn opened(&mut self) -> BlockId {
        self.next += 1;
        self.next - 1
    }

    fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::Close { block });
        }
    }
}

/// Writes a stream of `POST /api/chat`. Its calls are whole: deltas of their arguments are gathered.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    model: Option<String>,
    /// What is open, by its number: texts go out at once.
    blocks: Vec<(BlockId, Kind)>,
    finish: Option<(Reason, bool)>,
    usage: Option<Usage>,
    losses: Losses,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Thoughts,
    Call {
        id: String,
        name: String,
        custom: bool,
        arguments: String,
    },
    /// Of another choice than the first, or of a kind that cannot be told.
    Silent,
}

impl StreamEncoder {
    /// A writer of a new stream.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        Self {
            context,
            model: None,
            blocks: Vec::new(),
            finish: None,
            usage: None,
            losses: Losses::default(),
        }
    }

    /// What could not be carried so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Writes the lines that an event makes.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        match event {
            Event::Start { model, created, .. } => {
                self.context.created = created.unwrap_or(self.context.created);
                self.model = (!model.is_empty()).then(|| model.into_value().into_owned());
            }
            Event::Open { block, choice, head } => self.open(block, choice, head),
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Close { block } => self.close(block, out),
            Event::Finish { choice: 0, finish } => {
                self.finish = Some((finish.reason, finish.stop_sequence.is_some()));
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(out),
            Event::Cite { .. } => self.losses.field("citations"),
            Event::Sealed { .. } => self.losses.field("signature"),
            Event::Logprobs { .. } => self.losses.field("logprobs"),
            Event::ServiceTier(_) => self.losses.field("service_tier"),
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::Finish { .. } | Event::Ping | Event::Error(_) => {}
        }
    }

    fn open(&mut self, block: BlockId, choice: u64, head: Head<'_>) {
        let kind = match head {
            _ if choice > 0 => {
                self.losses.field(format!("choices[{choice}]"));
                Kind::Silent
            }
            Head::Text | Head::Refusal => Kind::Text,
            Head::Reasoning { .. } => Kind::Thoughts,
            Head::ToolCall { id, item: _, name, custom } => Kind::Call {
                id: id.into_value().into_owned(),
                name: name.into_value().into_owned(),
                custom,
                arguments: String::new(),
            },
            Head::Media(_) => {
                self.losses.field("media");
                Kind::Silent
            }
            Head::Opaque(_) => {
                self.losses.field("content");
                Kind::Silent
            }
        };
        self.blocks.push((block, kind));
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        let Some((_, kind)) = self.blocks.iter_mut().find(|(open, _)| *open == block) else { return };
        let member = match kind {
            Kind::Text => "content",
            Kind::Thoughts => "thinking",
            Kind::Call { arguments, .. } => return arguments.push_str(&text.value()),
            Kind::Silent => return,
        };
        self.line(out, |w| {
            w.key("message").object(|w| {
                w.key("role").string("assistant");
                if member == "thinking" {
                    w.key("content").string("");
                }
                w.key(member).text(text);
            });
        });
    }

    fn close(&mut self, block: BlockId, out: &mut Writer) {
        let Some(at) = self.blocks.iter().position(|(open, _)| *open == block) else { return };
        let (_, Kind::Call { id, name, custom, arguments }) = self.blocks.remove(at) else { return };
        let arguments = Text::from(arguments);
        let call = ToolCall {
            id: Text::from(id),
            item: None,
            name: Text::from(name),
            arguments: if custom { Arguments::Free(arguments) } else { Arguments::Quoted(arguments) },
            seal: None,
        };
        let mut losses = Losses::default();
        self.line(out, |w| {
            w.key("message").object(|w| {
                w.key("role").string("assistant").key("content").string("");
                w.key("tool_calls").array(|w| {
                    turns::write_call(w, &call, Path::Field("message.tool_calls"), &mut losses);
                });
            });
        });
        losses.iter().for_each(|field| self.losses.field(field.to_owned()));
    }

    fn line(&self, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        let model = Text::from(self.model.as_deref().unwrap_or_default());
        write_line(out, |w| {
            answer::head(w, &model, self.context.created, &self.context);
            members(w);
            w.key("done").bool(false);
        });
    }

    fn end(&mut self, out: &mut Writer) {
        let model = Text::from(self.model.as_deref().unwrap_or_default());
        let finish = self.finish.map(|(reason, sequence)| Finish {
            stop_sequence: sequence.then(Text::default),
            ..Finish::new(reason)
        });
        write_line(out, |w| {
            answer::head(w, &model, self.context.created, &self.context);
            w.key("message").object(|w| {
                w.key("role").string("assistant").key("content").string("");
            });
            answer::tail(w, finish.as_ref(), self.usage.as_ref(), &mut self.losses);
        });
    }
}

/// Writes one line. Libraries of Ollama's clients (Python's among them) end lines at U+2028, U+2029 and
/// U+0085 as well, which Ollama itself, being written in Go, escapes; so they are escaped here.
pub(super) fn write_line(out: &mut Writer, members: impl FnOnce(&mut Writer)) {
    const ENDS: [(&str, &[u8]); 3] =
        [("\u{2028}", br"\u2028"), ("\u{2029}", br"\u2029"), ("\u{85}", br"\u0085")];
    let mut line = Writer::for_lines(256);
    line.object(members);
    let mut line = line.finish();
    for (end, escape) in ENDS {
        // They can only stand inside of strings.
        if memmem::find(&line, end.as_bytes()).is_some() {
            line = replaced(&line, end.as_bytes(), escape);
        }
    }
    out.frame(&line).frame(b"\n");
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut start = 0;
    for at in memmem::find_iter(text, from) {
        out.extend_from_slice(text.get(start..at).unwrap_or_default());
        out.extend_from_slice(to);
        start = at + from.len();
    }
    out.extend_from_slice(text.get(start..).unwrap_or_default());
    out
}
