//! The client's events, or the elements of its JSON array. Texts and thoughts go out as they come; calls are
//! whole, so that their arguments are gathered. The last one has the reason, the sources and the usage.
//!
//! Nothing but answers may be written: the SDKs take every line for JSON, comments too.

use pointsman_core::Usage;

use super::super::grounding::{self, Cited};
use super::super::{answer, media, signature, usage};
use crate::json::{Text, Writer};
use crate::neutral::{
    AnswerContext, Arguments, BlockId, Citation, Content, Event, Finish, Head, Losses, Resolved, Seal,
};

/// Writes the stream of `:streamGenerateContent`.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    id: String,
    model: String,
    /// What all events end with, once one has been written.
    tail: Vec<u8>,
    /// Something was written.
    begun: bool,
    ended: bool,
    blocks: Vec<(BlockId, Open)>,
    candidates: Vec<Candidate>,
    usage: Option<Usage>,
    tier: Option<&'static str>,
    losses: Losses,
}

#[derive(Clone, Debug)]
struct Open {
    candidate: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Thought,
    Call(Call),
    /// It was whole at once, or has no place.
    Other,
}

#[derive(Clone, Debug)]
struct Call {
    /// Which of its candidate's.
    number: u64,
    id: String,
    name: String,
    custom: bool,
    arguments: String,
    seal: Option<String>,
}

#[derive(Clone, Debug)]
struct Candidate {
    index: u64,
    /// Calls so far.
    calls: u64,
    /// Those whose arguments do not end: why, the end of the answer tells.
    cut: Vec<Call>,
    finish: Option<Finish<'static>>,
    cited: Vec<Cited>,
}

impl StreamEncoder {
    /// A writer of a new stream.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        Self {
            context,
            id: String::new(),
            model: String::new(),
            tail: Vec::new(),
            begun: false,
            ended: false,
            blocks: Vec::new(),
            candidates: Vec::new(),
            usage: None,
            tier: None,
            losses: Losses::default(),
        }
    }

    /// What could not be carried so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Writes what the event means for the client.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        if self.ended {
            return;
        }
        match event {
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Start { id, model, created: _ } => {
                self.id = id.into_value().into_owned();
                self.model = model.into_value().into_owned();
                self.tail.clear();
            }
            Event::Open { block, choice, head } => self.open(block, choice, head, out),
            Event::Cite { block, citation } => self.cite(block, &citation),
            Event::Sealed { block, seal } => self.sealed(block, &seal, out),
            Event::Close { block } => self.close(block, out),
            Event::Logprobs { choice, raw } => self.logprobs(choice, raw, out),
            Event::Finish { choice, finish } => {
                let finish = Finish {
                    reason: finish.reason,
                    raw: finish.raw.map(Text::into_owned),
                    stop_sequence: finish.stop_sequence.map(Text::into_owned),
                };
                let candidate = self.candidate(choice);
                let cut = std::mem::take(&mut candidate.cut);
                let last = candidate.calls;
                let cuts = finish.reason.cuts();
                candidate.finish = Some(finish);
                for call in cut {
                    if cuts && call.number == last {
                        // No tool is run with arguments that nobody gave.
                        self.losses.field("content");
                    } else {
                        self.call(choice, call, out);
                    }
                }
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::ServiceTier(tier) => {
                self.tier = answer::tier_word(&tier, &mut self.losses).or(self.tier);
            }
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::End => self.end(out),
            // Whoever drives the stream writes errors.
            Event::Ping | Event::Error(_) => {}
        }
    }

    fn candidate(&mut self, index: u64) -> &mut Candidate {
        let at = self.candidates.iter().position(|known| known.index == index);
        let at = at.unwrap_or_else(|| {
            self.candidates.push(Candidate {
                index,
                calls: 0,
                cut: Vec::new(),
                finish: None,
                cited: Vec::new(),
            });
            self.candidates.len() - 1
        });
        // It was found or added.
        #[expect(clippy::indexing_slicing, reason = "the place of an element that was found or pushed")]
        &mut self.candidates[at]
    }

    fn open(&mut self, block: BlockId, choice: u64, head: Head<'_>, out: &mut Writer) {
        let candidate = self.candidate(choice);
        let kind = match head {
            Head::Text | Head::Refusal => Kind::Text,
            Head::Reasoning { id, summary: _ } => {
                if id.is_some() {
                    self.losses.field("content.id");
                }
                Kind::Thought
            }
            Head::ToolCall { id, item, name, custom } => {
                candidate.calls += 1;
                let number = candidate.calls;
                if item.is_some() {
                    self.losses.field("content.item_id");
                }
                Kind::Call(Call {
                    number,
                    id: id.into_value().into_owned(),
                    name: name.into_value().into_owned(),
                    custom,
                    arguments: String::new(),
                    seal: None,
                })
            }
            Head::Media(content) => {
                self.medium(&content, choice, out);
                Kind::Other
            }
            Head::Opaque(raw) => {
                if answer::is_own_opaque(raw) {
                    self.parts(choice, out, |w| {
                        w.raw(raw);
                    });
                } else {
                    self.losses.field("content");
                }
                Kind::Other
            }
        };
        self.blocks.push((block, Open { candidate: choice, kind }));
    }

    fn medium(&mut self, content: &Content<'_>, choice: u64, out: &mut Writer) {
        let none = Resolved::default();
        match media::sayable(content, true, &none) {
            Some(sayable) => self.part(choice, out, |w| media::write(w, &sayable, None, |_, _| {})),
            None => self.losses.field("content"),
        }
    }

    fn find(&mut self, block: BlockId) -> Option<&mut Open> {
        self.blocks.iter_mut().rev().find(|(id, _)| *id == block).map(|(_, open)| open)
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        let Some(Open { candidate, kind }) = self.find(block) else { return };
        let candidate = *candidate;
        let thought = match kind {
            Kind::Text => false,
            Kind::Thought => true,
            Kind::Call(Call { arguments, .. }) => {
                arguments.push_str(&text.value());
                return;
            }
            Kind::Other => return,
        };
        if text.is_empty() {
            return;
        }
        // As `part` does it, without a look at each of the names: this is what a stream is made of.
        self.begin(out);
        out.frame(b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":").text(text);
        if thought {
            out.frame(b",\"thought\":true");
        }
        out.frame(b"}],\"role\":\"model\"},\"index\":").count(candidate).frame(b"}]");
        self.finish(out);
    }

    fn cite(&mut self, block: BlockId, citation: &Citation<'_>) {
        let Some(Open { candidate, .. }) = self.find(block) else { return };
        let candidate = *candidate;
        // Clients count parts of the whole answer, not of the stream.
        match Cited::new(citation, None, 0) {
            Some(cited) => self.candidate(candidate).cited.push(cited),
            None => self.losses.field("citations"),
        }
    }

    fn sealed(&mut self, block: BlockId, seal: &Seal<'_>, out: &mut Writer) {
        let text = signature::for_client(seal);
        let Some(Open { candidate, kind }) = self.find(block) else { return };
        let candidate = *candidate;
        match kind {
            Kind::Call(Call { seal, .. }) => *seal = Some(text.value().into_owned()),
            // A proof of its own, as Google tells one that comes late.
            Kind::Text | Kind::Thought => self.part(candidate, out, |w| {
                w.key("text").string("").key("thought").bool(true).key("thoughtSignature").text(&text);
            }),
            Kind::Other => self.losses.field("content.signature"),
        }
    }

    fn close(&mut self, block: BlockId, out: &mut Writer) {
        let Some(at) = self.blocks.iter().position(|(id, _)| *id == block) else { return };
        let (_, Open { candidate, kind }) = self.blocks.remove(at);
        let Kind::Call(call) = kind else { return };
        if Arguments::Quoted(Text::from(call.arguments.as_str())).is_cut() && !call.custom {
            self.candidate(candidate).cut.push(call);
        } else {
            self.call(candidate, call, out);
        }
    }

    fn call(&mut self, candidate: u64, call: Call, out: &mut Writer) {
        let Call { number: _, id, name, custom, arguments, seal } = call;
        let arguments = Text::from(arguments);
        let arguments = if custom { Arguments::Free(arguments) } else { Arguments::Quoted(arguments) };
        let mut whole = true;
        self.part(candidate, out, |w| {
            w.key("functionCall").object(|w| {
                w.key("id").string(&id).key("name").string(&name).key("args");
                whole = arguments.write_object(w).is_ok();
            });
            if let Some(seal) = &seal {
                w.key("thoughtSignature").string(seal);
            }
        });
        if !whole {
            self.losses.field("content.arguments");
        }
    }

    fn logprobs(&mut self, choice: u64, raw: &str, out: &mut Writer) {
        self.candidate(choice);
        let mut losses = std::mem::take(&mut self.losses);
        self.chunk(out, |w| {
            w.key("candidates").array(|w| {
                w.object(|w| {
                    write_content(w, |w| {
                        w.object(|w| {
                            w.key("text").string("");
                        });
                    });
                    w.key("index").count(choice);
                    answer::write_logprobs(w, raw, &mut losses);
                });
            });
        });
        self.losses = losses;
    }

    fn end(&mut self, out: &mut Writer) {
        self.ended = true;
        // A decoder closes its blocks; this one does not count on it.
        while let Some((block, _)) = self.blocks.first() {
            let block = *block;
            self.close(block, out);
        }
        let held: Vec<_> = self
            .candidates
            .iter_mut()
            .flat_map(|own| std::mem::take(&mut own.cut).into_iter().map(|call| (own.index, call)))
            .collect();
        for (candidate, call) in held {
            self.call(candidate, call, out);
        }
        if self.candidates.is_empty() {
            self.candidate(0);
        }
        let candidates = std::mem::take(&mut self.candidates);
        let mut losses = std::mem::take(&mut self.losses);
        let (usage, tier) = (self.usage, self.tier);
        self.chunk(out, |w| {
            w.key("candidates").array(|w| {
                for candidate in &candidates {
                    w.object(|w| write_end(w, candidate, &mut losses));
                }
            });
            if let Some(usage) = &usage {
                w.key(usage::MEMBER);
                usage::write(w, usage, tier, |_| {});
            } else if tier.is_some() {
                losses.field("service_tier");
            }
        });
        self.losses = losses;
        if self.context.json_array {
            out.frame(b"]");
        }
    }

    fn part(&mut self, choice: u64, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        self.parts(choice, out, |w| {
            w.object(members);
        });
    }

    /// One event with parts of one candidate.
    fn parts(&mut self, choice: u64, out: &mut Writer, parts: impl FnOnce(&mut Writer)) {
        self.chunk(out, |w| {
            w.key("candidates").array(|w| {
                w.object(|w| {
                    write_content(w, parts);
                    w.key("index").count(choice);
                });
            });
        });
    }

    fn chunk(&mut self, out: &mut Writer, members: impl FnOnce(&mut Writer)) {
        self.begin(out);
        out.frame(b"{");
        members(out);
        self.finish(out);
    }

    fn begin(&mut self, out: &mut Writer) {
        let begun = std::mem::replace(&mut self.begun, true);
        out.frame(match (self.context.json_array, begun) {
            (false, _) => b"data: ",
            (true, false) => b"[",
            (true, true) => b",\r\n",
        });
    }

    /// The end of an event that has other members.
    fn finish(&mut self, out: &mut Writer) {
        if self.tail.is_empty() {
            let mut tail = Writer::with_capacity(128);
            tail.frame(b",");
            let (id, model) = (Text::from(self.id.as_str()), Text::from(self.model.as_str()));
            answer::write_tail(&mut tail, &id, &model, &self.context);
            tail.frame(if self.context.json_array { b"}" } else { b"}\r\n\r\n" });
            self.tail = tail.finish();
        }
        out.frame(&self.tail);
    }
}

fn write_content(w: &mut Writer, parts: impl FnOnce(&mut Writer)) {
    w.key("content").object(|w| {
        w.key("parts").array(parts);
        w.key("role").string("model");
    });
}

/// What the last event says of a candidate. Its empty text is Google's own habit.
fn write_end(w: &mut Writer, candidate: &Candidate, losses: &mut Losses) {
    let Candidate { index, calls: _, cut: _, finish, cited } = candidate;
    write_content(w, |w| {
        w.object(|w| {
            w.key("text").string("");
        });
    });
    answer::write_finish(w, finish.as_ref(), losses);
    w.key("index").count(*index);
    if !cited.is_empty() {
        w.key("groundingMetadata");
        grounding::write(w, cited);
    }
}
