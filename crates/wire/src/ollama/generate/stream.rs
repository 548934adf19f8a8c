//! Streams of JSON lines, both ways.

use pointsman_core::Usage;

use crate::json::{Document, Text, Writer};
use crate::neutral::read::{flag, text};
use crate::neutral::{
    AnswerContext, BlockId, DecodeError, Event, Finish, Head, Losses, Path, Reason, Sink, fields,
};
use crate::ollama::answer;
use crate::ollama::stream::write_line;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Text,
    Thoughts,
}

/// Reads a stream of `POST /api/generate`.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    started: bool,
    ended: bool,
    /// The block that is open, and what it holds.
    open: Option<(BlockId, Speech)>,
    next: BlockId,
}

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
        for (name, speech) in [("thinking", Speech::Thoughts), ("response", Speech::Text)] {
            if let Some(said) = text(&mut line, name, Path::Root)? {
                self.say(speech, said, sink);
            }
        }
        self.ended = flag(&mut line, "done", "done")?.is_some_and(|done| done.value);
        if self.ended {
            self.close(sink);
            let word = text(&mut line, "done_reason", Path::Root)?;
            sink(Event::Finish { choice: 0, finish: answer::finish(word, false) });
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

    fn say(&mut self, speech: Speech, text: Text<'_>, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some((block, same)) if same == speech => block,
            _ => {
                self.close(sink);
                let block = self.next;
                self.next += 1;
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

    fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::Close { block });
        }
    }
}

/// Writes a stream of `POST /api/generate`.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    model: Option<String>,
    /// What is open and can be told.
    blocks: Vec<(BlockId, Speech)>,
    finish: Option<(Reason, bool)>,
    usage: Option<Usage>,
    losses: Losses,
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

    /// Writes the line that an event makes.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        match event {
            Event::Start { model, created, .. } => {
                self.context.created = created.unwrap_or(self.context.created);
                self.model = (!model.is_empty()).then(|| model.into_value().into_owned());
            }
            Event::Open { block, choice, head } => self.open(block, choice, &head),
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Close { block } => self.blocks.retain(|(open, _)| *open != block),
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

    fn open(&mut self, block: BlockId, choice: u64, head: &Head<'_>) {
        let lost = match head {
            _ if choice > 0 => return self.losses.field(format!("choices[{choice}]")),
            Head::Text | Head::Refusal => return self.blocks.push((block, Speech::Text)),
            Head::Reasoning { .. } => return self.blocks.push((block, Speech::Thoughts)),
            Head::ToolCall { .. } => "tool_calls",
            Head::Media(_) => "media",
            Head::Opaque(_) => "content",
        };
        self.losses.field(lost);
    }

    fn delta(&self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        let Some((_, speech)) = self.blocks.iter().find(|(open, _)| *open == block) else { return };
        self.line(out, |w| {
            match speech {
                Speech::Text => w.key("response").text(text),
                Speech::Thoughts => w.key("response").string("").key("thinking").text(text),
            };
            w.key("done").bool(false);
        });
    }

    fn end(&mut self, out: &mut Writer) {
        let finish = self.finish.map(|(reason, sequence)| Finish {
            stop_sequence: sequence.then(Text::default),
            ..Finish::new(reason)
        });
        let mut losses = std::mem::take(&mut self.losses);
        self.line(out, |w| {
            w.key("response").string("");
            answer::tail(w, finish.as_ref(), self.usage.as_ref(), &mut losses);
        });
        self.losses = losses;
    }

    fn line(&self, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        let model = Text::from(self.model.as_deref().unwrap_or_default());
        write_line(out, |w| {
            answer::head(w, &model, self.context.created, &self.context);
            members(w);
        });
    }
}
