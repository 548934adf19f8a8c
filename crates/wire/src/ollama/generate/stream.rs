//! Streams of JSON lines, both ways.

use crate::json::{Text, Writer};
use crate::neutral::read::text;
use crate::neutral::{AnswerContext, BlockId, DecodeError, Event, Head, Losses, Path, Sink};
use crate::ollama::lines::{Reader, Speech, Told};

/// Reads a stream of `POST /api/generate`.
#[derive(Debug, Default)]
pub struct StreamDecoder(Reader);

impl StreamDecoder {
    /// A reader of a new stream.
    #[must_use]
    pub fn new(_provider: &str, _id: &str) -> Self {
        Self::default()
    }

    /// Reads one line.
    ///
    /// # Errors
    /// It is no line of such a stream.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.0.line(data, sink, |reader, line, sink| {
            for (name, speech) in [("thinking", Speech::Thoughts), ("response", Speech::Text)] {
                if let Some(said) = text(line, name, Path::Root)? {
                    reader.say(speech, said, sink);
                }
            }
            Ok(())
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

/// Writes a stream of `POST /api/generate`.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    told: Told,
    /// What is open and can be told.
    blocks: Vec<(BlockId, Speech)>,
}

impl StreamEncoder {
    /// A writer of a new stream.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        Self { told: Told::new(context), blocks: Vec::new() }
    }

    /// What could not be carried so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.told.losses
    }

    /// Writes the line that an event makes.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        match event {
            Event::Open { block, choice, head } => self.open(block, choice, &head),
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Close { block } => self.blocks.retain(|(open, _)| *open != block),
            Event::End => self.told.end(out, |w| {
                w.key("response").string("");
            }),
            event => self.told.note(event),
        }
    }

    fn open(&mut self, block: BlockId, choice: u64, head: &Head<'_>) {
        let lost = match head {
            _ if choice > 0 => return self.told.losses.field(format!("choices[{choice}]")),
            Head::Text | Head::Refusal => return self.blocks.push((block, Speech::Text)),
            Head::Reasoning { .. } => return self.blocks.push((block, Speech::Thoughts)),
            Head::ToolCall { .. } => "tool_calls",
            Head::Media(_) => "media",
            Head::Opaque(_) => "content",
        };
        self.told.losses.field(lost);
    }

    fn delta(&self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        let Some((_, speech)) = self.blocks.iter().find(|(open, _)| *open == block) else { return };
        self.told.line(out, |w| {
            match speech {
                Speech::Text => w.key("response").text(text),
                Speech::Thoughts => w.key("response").string("").key("thinking").text(text),
            };
            w.key("done").bool(false);
        });
    }
}
