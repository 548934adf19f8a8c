//! The client's events.
//!
//! The dialect has one open block at a time, in numbers without gaps. Where the provider's blocks
//! interleave (parallel calls of OpenAI chat), one is live and the others wait until it closes, so that no
//! argument lands in another call. Text does not hold the others up: it is closed for them, and goes on
//! in a block of its own.

use std::collections::VecDeque;

use pointsman_core::{Dialect, Usage};

use super::super::{answer, error, usage, write};
use super::queue::{self, Piece, Start, Waiting};
use crate::convert::Moment;
use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{AnswerContext, BlockId, Citation, Event, Finish, Head, Losses, Seal, SealKind};

/// Writes the events of `POST /v1/messages` with `stream: true`.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    losses: Losses,
    started: bool,
    ended: bool,
    /// The number of the live block, or of the next.
    index: u64,
    live: Option<Live>,
    /// The client has a block open that somebody else began, and that no event told of.
    foreign: bool,
    waiting: VecDeque<Waiting>,
    /// Texts that were closed for another block, and may go on.
    paused: Vec<BlockId>,
    finish: Option<Finish<'static>>,
    calls: bool,
    usage: Usage,
    tier: Option<&'static str>,
}

/// The block whose events are written as they come.
#[derive(Clone, Debug)]
struct Live {
    block: BlockId,
    shape: Shape,
    /// Its `content_block_start` was written. Text and thoughts wait for their first piece: the dialect has
    /// no empty texts, and ciphers are another type of block.
    begun: bool,
    /// A proof that this block has no place for, told in a block after it.
    seal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Reasoning,
    Call {
        custom: bool,
    },
    /// It was whole with its start.
    Whole,
}

impl StreamEncoder {
    /// An encoder for this client.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        Self {
            context,
            losses: Losses::default(),
            started: false,
            ended: false,
            index: 0,
            live: None,
            foreign: false,
            waiting: VecDeque::new(),
            paused: Vec::new(),
            finish: None,
            calls: false,
            usage: Usage::default(),
            tier: None,
        }
    }

    /// Writes what the event means for the client.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        if self.ended {
            return;
        }
        match event {
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Start { id, model, created: _ } => self.start(&id, &model, out),
            Event::Open { block, choice, head } => {
                self.start_unsaid(out);
                self.open(block, choice, &head, out);
            }
            Event::Cite { block, citation } => self.cite(block, &citation, out),
            Event::Sealed { block, seal } => self.sealed(block, &seal, out),
            Event::Close { block } => self.close(block, out),
            Event::Logprobs { .. } => self.losses.field("logprobs"),
            Event::Finish { choice: 0, finish } => {
                self.finish = Some(Finish {
                    reason: finish.reason,
                    raw: None,
                    stop_sequence: finish.stop_sequence.map(Text::into_owned),
                });
            }
            Event::Finish { choice, .. } => self.losses.field(queue::choice(choice)),
            Event::Usage(usage) => self.usage = usage,
            Event::ServiceTier(tier) => {
                self.tier = answer::tier_word(&tier, &mut self.losses).or(self.tier);
            }
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::Ping => {
                self.start_unsaid(out);
                frame(out, "ping", |_| {});
            }
            Event::Error(told) => {
                self.ended = true;
                error::write_upstream(out, &told);
            }
            Event::End => self.end(out),
        }
    }

    /// What could not be said so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The client has this event: its blocks are numbered from there on.
    pub(crate) fn shown(&mut self, data: &[u8], moment: Moment) {
        let Ok(document) = Document::read(data) else { return };
        let root = document.root();
        let kind = root.get("type").and_then(Node::text).unwrap_or_default();
        let Some(index) = root.get("index").and_then(Node::count) else { return };
        match (&*kind.value(), moment) {
            ("content_block_start", Moment::After) => {
                self.index = index;
                match &mut self.live {
                    Some(live) => live.begun = true,
                    None => self.foreign = true,
                }
            }
            ("content_block_stop", Moment::Before) => self.foreign = false,
            ("content_block_stop", Moment::After) => self.index = index.saturating_add(1),
            _ => {}
        }
    }

    fn start_unsaid(&mut self, out: &mut Writer) {
        if !self.started {
            self.start(&Text::default(), &Text::default(), out);
        }
    }

    fn start(&mut self, id: &Text<'_>, model: &Text<'_>, out: &mut Writer) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let context = &self.context;
        frame(out, "message_start", |w| {
            w.key("message").object(|w| {
                answer::write_head(w, id, model, context);
                w.key("content").raw("[]").key("stop_reason").null().key("stop_sequence").null();
                // Nothing is known yet; `message_delta` repeats it all.
                w.key("usage");
                usage::write(w, &Usage::default(), None, |_| {});
            });
        });
    }

    fn open(&mut self, block: BlockId, choice: u64, head: &Head<'_>, out: &mut Writer) {
        if choice != 0 {
            self.losses.field(queue::choice(choice));
            return;
        }
        let Some(start) = Start::of(head) else {
            if let Head::Media(content) = head {
                self.losses.field(queue::place(content));
            }
            return;
        };
        if let Start::Opaque(raw) = &start
            && !answer::is_own_opaque(raw)
        {
            self.losses.field("content");
            return;
        }
        self.queue(Waiting { block, start, pieces: Vec::new(), closed: false }, out);
    }

    /// Makes the block live, or has it wait.
    fn queue(&mut self, waiting: Waiting, out: &mut Writer) {
        self.waiting.push_back(waiting);
        self.pause(out);
        if self.live.is_none() {
            self.advance(out);
        }
    }

    /// Closes a live text for those that wait.
    fn pause(&mut self, out: &mut Writer) {
        if self.waiting.is_empty() {
            return;
        }
        if let Some(live) = self.live.take_if(|live| live.shape == Shape::Text) {
            self.paused.push(live.block);
            self.stop(live, out);
        }
    }

    /// Lets those that wait have their turn, until one stays open.
    fn advance(&mut self, out: &mut Writer) {
        while self.live.is_none()
            && let Some(Waiting { block, start, pieces, closed }) = self.waiting.pop_front()
        {
            self.begin(block, &start, out);
            for piece in pieces {
                match piece {
                    Piece::Text(text) => self.say(&text, out),
                    Piece::Cite(raw) => self.say_citation(&raw, out),
                    Piece::Seal(seal) => self.say_seal(&seal, out),
                }
            }
            if closed {
                if let Some(live) = self.live.take() {
                    self.stop(live, out);
                }
            } else {
                self.pause(out);
            }
        }
    }

    fn begin(&mut self, block: BlockId, start: &Start, out: &mut Writer) {
        self.stop_foreign(out);
        let index = self.index;
        let (shape, begun) = match start {
            Start::Text => (Shape::Text, false),
            Start::Reasoning => (Shape::Reasoning, false),
            Start::Opaque(raw) => {
                start_frame(out, index, |w| {
                    w.raw(raw);
                });
                (Shape::Whole, true)
            }
            Start::Call { id, name, custom } => {
                self.calls = true;
                start_frame(out, index, |w| {
                    w.object(|w| {
                        w.key("type").string("tool_use").key("id");
                        write::write_id(w, &Text::from(id.as_str()));
                        w.key("name").string(name).key("input").raw("{}");
                    });
                });
                if *custom {
                    delta_frame(out, index, "input_json_delta", "partial_json", |w| {
                        w.string(r#"{"input":""#);
                    });
                }
                (Shape::Call { custom: *custom }, true)
            }
        };
        self.live = Some(Live { block, shape, begun, seal: None });
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        if text.is_empty() {
            return;
        }
        if self.live.as_ref().is_some_and(|live| live.block == block) {
            self.say(text, out);
            return;
        }
        if let Some(waiting) = self.waiting(block, out) {
            waiting.pieces.push(Piece::Text(text.clone().into_owned()));
        } else if self.live.as_ref().is_some_and(|live| live.block == block) {
            self.say(text, out);
        }
    }

    /// The block among those that wait; a text that was closed for another goes on, now or later.
    fn waiting(&mut self, block: BlockId, out: &mut Writer) -> Option<&mut Waiting> {
        if let Some(at) = self.paused.iter().position(|paused| *paused == block) {
            self.paused.swap_remove(at);
            self.queue(Waiting { block, start: Start::Text, pieces: Vec::new(), closed: false }, out);
        }
        self.waiting.iter_mut().find(|waiting| waiting.block == block)
    }

    fn cite(&mut self, block: BlockId, citation: &Citation<'_>, out: &mut Writer) {
        let mut form = Writer::with_capacity(citation.raw.len());
        if !answer::write_citation(&mut form, citation) {
            self.losses.field("citations");
            return;
        }
        let raw = String::from_utf8(form.finish()).unwrap_or_default();
        let is_live = |live: &Option<Live>| live.as_ref().is_some_and(|live| live.block == block);
        if is_live(&self.live) {
            self.say_citation(&raw, out);
        } else if let Some(waiting) = self.waiting(block, out) {
            waiting.pieces.push(Piece::Cite(raw));
        } else if is_live(&self.live) {
            self.say_citation(&raw, out);
        }
    }

    fn sealed(&mut self, block: BlockId, seal: &Seal<'_>, out: &mut Writer) {
        let is_live = |live: &Option<Live>| live.as_ref().is_some_and(|live| live.block == block);
        if is_live(&self.live) {
            self.say_seal(seal, out);
        } else if let Some(waiting) = self.waiting(block, out) {
            waiting.pieces.push(Piece::Seal(seal.clone().into_owned()));
        } else if is_live(&self.live) {
            self.say_seal(seal, out);
        }
    }

    fn close(&mut self, block: BlockId, out: &mut Writer) {
        if let Some(live) = self.live.take_if(|live| live.block == block) {
            self.stop(live, out);
            self.advance(out);
            return;
        }
        self.paused.retain(|paused| *paused != block);
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block == block) {
            waiting.closed = true;
        }
    }

    fn say(&mut self, text: &Text<'_>, out: &mut Writer) {
        let index = self.index;
        let Some(live) = &mut self.live else { return };
        live.start_late(index, out);
        match live.shape {
            Shape::Text => delta_frame(out, index, "text_delta", "text", |w| {
                w.text(text);
            }),
            Shape::Reasoning => delta_frame(out, index, "thinking_delta", "thinking", |w| {
                w.text(text);
            }),
            Shape::Call { custom: false } => {
                delta_frame(out, index, "input_json_delta", "partial_json", |w| {
                    w.text(text);
                });
            }
            Shape::Call { custom: true } => {
                delta_frame(out, index, "input_json_delta", "partial_json", |w| {
                    w.string(&escaped(text));
                });
            }
            Shape::Whole => {}
        }
    }

    fn say_citation(&mut self, raw: &str, out: &mut Writer) {
        let index = self.index;
        let Some(live) = self.live.as_mut().filter(|live| live.shape == Shape::Text) else { return };
        live.start_late(index, out);
        delta_frame(out, index, "citations_delta", "citation", |w| {
            w.raw(raw);
        });
    }

    fn say_seal(&mut self, seal: &Seal<'_>, out: &mut Writer) {
        let index = self.index;
        let Some(live) = &mut self.live else { return };
        let text = seal.for_client(Dialect::Anthropic);
        match live.shape {
            Shape::Reasoning if !live.begun && seal.kind == SealKind::Encrypted => {
                start_frame(out, index, |w| {
                    w.object(|w| {
                        w.key("type").string("redacted_thinking").key("data").text(&text);
                    });
                });
                (live.begun, live.shape) = (true, Shape::Whole);
            }
            Shape::Reasoning => {
                live.start_late(index, out);
                delta_frame(out, index, "signature_delta", "signature", |w| {
                    w.text(&text);
                });
            }
            // A call has no place for a proof: clients keep the block that follows it.
            Shape::Text | Shape::Call { .. } | Shape::Whole => live.seal = Some(text.value().into_owned()),
        }
    }

    fn stop(&mut self, live: Live, out: &mut Writer) {
        if live.begun {
            if live.shape == (Shape::Call { custom: true }) {
                delta_frame(out, self.index, "input_json_delta", "partial_json", |w| {
                    w.string(r#""}"#);
                });
            }
            self.stop_frame(out);
        }
        if let Some(seal) = live.seal {
            start_frame(out, self.index, |w| {
                w.object(|w| {
                    w.key("type").string("redacted_thinking").key("data").string(&seal);
                });
            });
            self.stop_frame(out);
        }
    }

    fn stop_foreign(&mut self, out: &mut Writer) {
        if std::mem::take(&mut self.foreign) {
            self.stop_frame(out);
        }
    }

    fn stop_frame(&mut self, out: &mut Writer) {
        let index = self.index;
        frame(out, "content_block_stop", |w| {
            w.key("index").count(index);
        });
        self.index += 1;
    }

    fn end(&mut self, out: &mut Writer) {
        self.ended = true;
        self.start_unsaid(out);
        self.stop_foreign(out);
        // A decoder closes its blocks; this one does not count on it.
        while let Some(live) = self.live.take() {
            self.stop(live, out);
            self.advance(out);
        }
        let Self { finish, calls, losses, usage, tier, .. } = self;
        frame(out, "message_delta", |w| {
            w.key("delta").object(|w| answer::write_finish(w, finish.as_ref(), *calls, losses));
            w.key("usage");
            usage::write(w, usage, *tier, |_| {});
        });
        frame(out, "message_stop", |_| {});
    }
}

impl Live {
    /// Writes the `content_block_start` of text or thoughts that has waited for the first piece.
    fn start_late(&mut self, index: u64, out: &mut Writer) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        start_frame(out, index, |w| {
            w.raw(match self.shape {
                Shape::Reasoning => r#"{"type":"thinking","thinking":"","signature":""}"#,
                _ => r#"{"type":"text","text":""}"#,
            });
        });
    }
}

/// One event: its name is also its `type`.
fn frame(out: &mut Writer, name: &str, members: impl FnOnce(&mut Writer)) {
    out.frame(b"event: ").frame(name.as_bytes()).frame(b"\ndata: ");
    out.object(|w| {
        w.key("type").string(name);
        members(w);
    });
    out.frame(b"\n\n");
}

fn start_frame(out: &mut Writer, index: u64, block: impl FnOnce(&mut Writer)) {
    frame(out, "content_block_start", |w| {
        w.key("index").count(index).key("content_block");
        block(w);
    });
}

fn delta_frame(out: &mut Writer, index: u64, kind: &str, member: &str, value: impl FnOnce(&mut Writer)) {
    // As `frame` does it, without a look at each of the names: this is what a stream is made of.
    out.frame(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":").count(index);
    out.frame(b",\"delta\":{\"type\":\"").frame(kind.as_bytes()).frame(b"\",\"").frame(member.as_bytes());
    out.frame(b"\":");
    value(out);
    out.frame(b"}}\n\n");
}

/// The text as it stands inside a JSON string.
fn escaped<'t>(text: &'t Text<'_>) -> std::borrow::Cow<'t, str> {
    match text {
        Text::Escaped(raw) => (*raw).into(),
        Text::Plain(value) => {
            let mut quoted = Writer::with_capacity(value.len() + 2);
            quoted.string(value);
            let quoted = String::from_utf8(quoted.finish()).unwrap_or_default();
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned().into()
        }
    }
}
