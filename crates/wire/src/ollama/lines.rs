//! What the streams of both calls have in common: lines, of which the last one says that they are whole.

use memchr::memmem;
use pointsman_core::Usage;

use super::answer;
use crate::json::{Document, Fields, Text, Writer};
use crate::neutral::read::{flag, text};
use crate::neutral::{
    AnswerContext, BlockId, DecodeError, Event, Finish, Head, Losses, Path, Reason, Sink, fields,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    Text,
    Thoughts,
}

/// Reads the lines.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    ended: bool,
    /// The text or reasoning block that is open, and which of both it is.
    open: Option<(BlockId, Speech)>,
    next: BlockId,
    /// Calls so far.
    pub(super) calls: usize,
}

impl Reader {
    /// Reads one line; what the answer says in it is taken by `said`.
    pub(super) fn line(
        &mut self,
        data: &[u8],
        sink: &mut Sink<'_>,
        said: impl FnOnce(&mut Self, &mut Fields<'_, '_>, &mut Sink<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
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
        said(self, &mut line, sink)?;
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

    pub(super) fn say(&mut self, speech: Speech, text: Text<'_>, sink: &mut Sink<'_>) {
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

    /// The number of a new block.
    pub(super) fn opened(&mut self) -> BlockId {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::Close { block });
        }
    }
}

/// What a writer of lines knows of the answer besides its blocks.
#[derive(Clone, Debug)]
pub(super) struct Told {
    context: AnswerContext,
    model: Option<String>,
    finish: Option<(Reason, bool)>,
    usage: Option<Usage>,
    pub(super) losses: Losses,
}

impl Told {
    pub(super) fn new(context: AnswerContext) -> Self {
        Self { context, model: None, finish: None, usage: None, losses: Losses::default() }
    }

    /// Takes an event that writes nothing.
    pub(super) fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Start { model, created, .. } => {
                self.context.created = created.unwrap_or(self.context.created);
                self.model = (!model.is_empty()).then(|| model.into_value().into_owned());
            }
            Event::Finish { choice: 0, finish } => {
                self.finish = Some((finish.reason, finish.stop_sequence.is_some()));
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Cite { .. } => self.losses.field("citations"),
            Event::Sealed { .. } => self.losses.field("signature"),
            Event::Logprobs { .. } => self.losses.field("logprobs"),
            Event::ServiceTier(_) => self.losses.field("service_tier"),
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::Finish { .. }
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::End
            | Event::Ping
            | Event::Error(_) => {}
        }
    }

    /// Writes a line with these members behind those that each has.
    pub(super) fn line(&self, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        let model = Text::from(self.model.as_deref().unwrap_or_default());
        write_line(out, |w| {
            answer::head(w, &model, self.context.created, &self.context);
            members(w);
        });
    }

    /// Writes the last line.
    pub(super) fn end(&mut self, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        let finish = self.finish.map(|(reason, sequence)| Finish {
            stop_sequence: sequence.then(Text::default),
            ..Finish::new(reason)
        });
        let mut losses = std::mem::take(&mut self.losses);
        self.line(out, |w| {
            members(w);
            answer::tail(w, finish.as_ref(), self.usage.as_ref(), &mut losses);
        });
        self.losses = losses;
    }
}

/// Writes one line. Libraries of Ollama's clients (Python's among them) end lines at U+2028, U+2029 and
/// U+0085 as well, which Ollama itself, being written in Go, escapes; so they are escaped here.
fn write_line(out: &mut Writer, members: impl FnOnce(&mut Writer)) {
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
