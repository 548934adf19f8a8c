//! Streams of JSON lines, both ways.

use super::answer::call_id;
use super::lines::{Reader, Speech, Told};
use super::{decode, turns};
use crate::json::{Fields, Text, Writer};
use crate::neutral::read::text;
use crate::neutral::{
    AnswerContext, Arguments, BlockId, Content, DecodeError, Event, Extension, Head, Losses, Path, Sink,
    ToolCall, fields,
};

/// Reads a stream of `POST /api/chat`.
#[derive(Debug)]
pub struct StreamDecoder {
    /// The request's id, for calls without one.
    id: String,
    reader: Reader,
}

impl StreamDecoder {
    /// A reader of a new stream.
    #[must_use]
    pub fn new(_provider: &str, id: &str) -> Self {
        Self { id: id.to_owned(), reader: Reader::default() }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// It is no line of such a stream.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.reader.line(data, sink, |reader, line, sink| match line.take("message") {
            Some(message) => read_message(fields(message, "message")?, &self.id, reader, sink),
            None => Ok(()),
        })
    }

    /// The stream has ended. A last line says that it is whole, so there is nothing to add.
    ///
    /// # Errors
    /// Never.
    pub const fn finish(&mut self, _sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        Ok(())
    }
}

fn read_message(
    mut message: Fields<'_, '_>,
    request_id: &str,
    reader: &mut Reader,
    sink: &mut Sink<'_>,
) -> Result<(), DecodeError> {
    let path = Path::Field("message");
    message.take("role");
    if let Some(thoughts) = text(&mut message, "thinking", path)? {
        reader.say(Speech::Thoughts, thoughts, sink);
    }
    if let Some(content) = text(&mut message, "content", path)? {
        reader.say(Speech::Text, content, sink);
    }
    if let Some(calls) = message.take("tool_calls") {
        let mut rest = Vec::new();
        for node in calls.elements() {
            let block = decode::call(node, path, reader.calls as u32, &mut rest)?;
            let Content::ToolCall(call) = block.content else { continue };
            reader.close(sink);
            tell_call(call, request_id, reader, sink);
        }
        rest.into_iter().for_each(|extension: Extension<'_>| sink(Event::Lost(extension.name)));
    }
    message.rest().for_each(|(name, _)| sink(Event::Lost(name)));
    Ok(())
}

fn tell_call(call: ToolCall<'_>, request_id: &str, reader: &mut Reader, sink: &mut Sink<'_>) {
    let id = if call.id.is_empty() { Text::from(call_id(request_id, reader.calls)) } else { call.id };
    let block = reader.opened();
    let head = Head::ToolCall { id, item: None, name: call.name, custom: false };
    sink(Event::Open { block, choice: 0, head });
    let text = match call.arguments {
        Arguments::Object(raw) => Text::from(raw),
        Arguments::Quoted(text) | Arguments::Free(text) => text,
    };
    sink(Event::Delta { block, text });
    sink(Event::Close { block });
    reader.calls += 1;
}

/// Writes a stream of `POST /api/chat`. Its calls are whole: deltas of their arguments are gathered.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    told: Told,
    /// What is open, by its number: texts go out at once.
    blocks: Vec<(BlockId, Kind)>,
    /// Calls so far.
    calls: u64,
    /// Those whose arguments do not end, with their numbers: why, the end of the answer tells.
    cut: Vec<(u64, ToolCall<'static>)>,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Thoughts,
    Call {
        number: u64,
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
        Self { told: Told::new(context), blocks: Vec::new(), calls: 0, cut: Vec::new() }
    }

    /// What could not be carried so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.told.losses
    }

    /// Writes the lines that an event makes.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        match event {
            Event::Open { block, choice, head } => self.open(block, choice, head),
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Close { block } => self.close(block, out),
            Event::End => {
                self.call_held(None, out);
                self.told.end(out, |w| {
                    w.key("message").object(|w| {
                        w.key("role").string("assistant").key("content").string("");
                    });
                });
            }
            event => {
                if let Event::Finish { choice: 0, finish } = &event {
                    // No tool is run with arguments that nobody gave.
                    self.call_held(finish.reason.cuts().then_some(self.calls), out);
                }
                self.told.note(event);
            }
        }
    }

    fn open(&mut self, block: BlockId, choice: u64, head: Head<'_>) {
        let losses = &mut self.told.losses;
        let kind = match head {
            _ if choice > 0 => {
                losses.field(format!("choices[{choice}]"));
                Kind::Silent
            }
            Head::Text | Head::Refusal => Kind::Text,
            Head::Reasoning { .. } => Kind::Thoughts,
            Head::ToolCall { id, item: _, name, custom } => {
                self.calls += 1;
                Kind::Call {
                    number: self.calls,
                    id: id.into_value().into_owned(),
                    name: name.into_value().into_owned(),
                    custom,
                    arguments: String::new(),
                }
            }
            Head::Media(_) => {
                losses.field("media");
                Kind::Silent
            }
            Head::Opaque(_) => {
                losses.field("content");
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
        self.told.line(out, |w| {
            w.key("message").object(|w| {
                w.key("role").string("assistant");
                if member == "thinking" {
                    w.key("content").string("");
                }
                w.key(member).text(text);
            });
            w.key("done").bool(false);
        });
    }

    fn close(&mut self, block: BlockId, out: &mut Writer) {
        let Some(at) = self.blocks.iter().position(|(open, _)| *open == block) else { return };
        let (_, Kind::Call { number, id, name, custom, arguments }) = self.blocks.remove(at) else { return };
        let arguments = Text::from(arguments);
        let call = ToolCall {
            id: Text::from(id),
            item: None,
            name: Text::from(name),
            arguments: if custom { Arguments::Free(arguments) } else { Arguments::Quoted(arguments) },
            seal: None,
        };
        if call.arguments.is_cut() {
            self.cut.push((number, call));
        } else {
            self.call(&call, out);
        }
    }

    /// Tells the calls that were held, but for the one with this number.
    fn call_held(&mut self, but: Option<u64>, out: &mut Writer) {
        for (number, call) in std::mem::take(&mut self.cut) {
            if but == Some(number) {
                self.told.losses.field("message.tool_calls");
            } else {
                self.call(&call, out);
            }
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, out: &mut Writer) {
        let mut losses = Losses::default();
        self.told.line(out, |w| {
            w.key("message").object(|w| {
                w.key("role").string("assistant").key("content").string("");
                w.key("tool_calls").array(|w| {
                    turns::write_call(w, call, Path::Field("message.tool_calls"), &mut losses);
                });
            });
            w.key("done").bool(false);
        });
        losses.iter().for_each(|field| self.told.losses.field(field.to_owned()));
    }
}
