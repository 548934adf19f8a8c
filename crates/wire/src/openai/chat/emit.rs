//! Streams to clients: one `chat.completion.chunk` per delta, `[DONE]` at the end.

use pointsman_core::{Dialect, Usage};

use super::details::{write_call_proof, write_citation, write_thought};
use super::render::{
    asked_with_functions, finish_word, tier_word, write_audio, write_id, write_image, write_model,
    write_usage,
};
use crate::UpstreamError;
use crate::convert::Moment;
use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{
    AnswerContext, Behind, BlockId, Content, Event, Finish, Head, Losses, Media, Reasoning, Seal, Source,
};

/// Writes one stream.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    context: AnswerContext,
    /// The client knows only the older `functions`.
    old: bool,
    /// All chunks begin with this.
    head: Vec<u8>,
    choices: Vec<Choice>,
    /// The blocks that are open.
    blocks: Vec<(BlockId, Block)>,
    usage: Option<Usage>,
    tier: Option<&'static str>,
    tier_told: bool,
    losses: Losses,
}

#[derive(Clone, Debug)]
struct Choice {
    index: u64,
    /// Characters of text so far.
    chars: u64,
    calls: u64,
    thoughts: u64,
    refused: bool,
}

impl Choice {
    const fn new(index: u64) -> Self {
        Self { index, chars: 0, calls: 0, thoughts: 0, refused: false }
    }

    const fn behind(&self) -> Behind {
        Behind { chars: self.chars, calls: self.calls }
    }
}

#[derive(Clone, Debug)]
struct Block {
    choice: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text {
        /// Characters of the texts before it.
        before: u64,
    },
    Refusal,
    /// What was thought is kept: with its proof it is told again as a whole.
    Thought {
        id: Option<String>,
        summary: bool,
        said: String,
        sealed: bool,
        behind: Behind,
    },
    Call {
        slot: u64,
        custom: bool,
    },
    /// Has no deltas, or no place.
    Other,
}

impl StreamEncoder {
    /// An encoder for this client.
    #[must_use]
    pub fn new(context: AnswerContext) -> Self {
        let old = asked_with_functions(&context);
        Self {
            context,
            old,
            head: Vec::new(),
            choices: Vec::new(),
            blocks: Vec::new(),
            usage: None,
            tier: None,
            tier_told: false,
            losses: Losses::default(),
        }
    }

    /// Writes what an event is for this client.
    pub fn event(&mut self, event: Event<'_>, out: &mut Writer) {
        match event {
            Event::Start { id, model, created } => self.start(&id, &model, created),
            Event::Open { block, choice, head } => self.open(block, choice, head, out),
            Event::Delta { block, text } => self.delta(block, &text, out),
            Event::Cite { block, citation } => {
                let Some((choice, before)) = self.place_of(block) else { return };
                let mut told = true;
                self.chunk(out, choice, |w| {
                    w.key("annotations").array(|w| told = write_citation(w, &citation, before));
                });
                if !told {
                    self.losses.field("citations");
                }
            }
            Event::Sealed { block, seal } => self.sealed(block, &seal, out),
            Event::Close { block } => self.blocks.retain(|(id, _)| *id != block),
            Event::Logprobs { choice, raw } => {
                self.begin(choice, out);
                self.write(out, choice, |_| {}, Some(raw), None);
            }
            Event::Finish { choice, finish } => self.finish(choice, &finish, out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::ServiceTier(tier) => {
                self.tier = tier_word(&tier);
                if self.tier.is_none() {
                    self.losses.field("service_tier");
                }
            }
            Event::Lost(name) => self.losses.field(name.into_value().into_owned()),
            Event::Ping => {
                out.frame(b": ping\n\n");
            }
            Event::Error(error) => write_error(&error, out),
            Event::End => self.end(out),
        }
    }

    /// What could not be told so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The client has this chunk: the choices whose role it names have begun.
    pub(crate) fn shown(&mut self, data: &[u8], moment: Moment) {
        let document = Document::read(data).ok().filter(|_| moment == Moment::After);
        let choices = document.as_ref().and_then(|document| document.root().get("choices"));
        for choice in choices.into_iter().flat_map(Node::elements) {
            let index = choice.get("index").and_then(Node::count).unwrap_or(0);
            let begins = choice.get("delta").is_some_and(|delta| delta.get("role").is_some());
            if begins && self.choices.iter().all(|known| known.index != index) {
                self.choices.push(Choice::new(index));
            }
        }
    }

    fn start(&mut self, id: &Text<'_>, model: &Text<'_>, created: Option<u64>) {
        let mut w = Writer::onto(std::mem::take(&mut self.head));
        w.frame(b"data: {").key("id");
        write_id(&mut w, id, &self.context);
        w.key("object").string("chat.completion.chunk");
        w.key("created").count(created.unwrap_or(self.context.created));
        w.key("model");
        write_model(&mut w, model, &self.context);
        w.frame(b",");
        self.head = w.finish();
    }

    /// The first chunk of a choice names the role.
    fn begin(&mut self, choice: u64, out: &mut Writer) -> usize {
        if let Some(at) = self.choices.iter().position(|known| known.index == choice) {
            return at;
        }
        self.chunk(out, choice, |w| {
            w.key("role").string("assistant").key("content").string("");
        });
        self.choices.push(Choice::new(choice));
        self.choices.len() - 1
    }

    fn open(&mut self, block: BlockId, choice: u64, head: Head<'_>, out: &mut Writer) {
        let at = self.begin(choice, out);
        let kind = match head {
            Head::Text => Kind::Text { before: self.choices.get(at).map_or(0, |state| state.chars) },
            Head::Refusal => {
                if let Some(state) = self.choices.get_mut(at) {
                    state.refused = true;
                }
                Kind::Refusal
            }
            Head::Reasoning { id, summary } => {
                let id = id.map(|id| id.into_value().into_owned());
                let behind = self.choices.get(at).map_or(Behind::NOTHING, Choice::behind);
                Kind::Thought { id, summary, said: String::new(), sealed: false, behind }
            }
            Head::ToolCall { id, item: _, name, custom } => {
                let slot = self.choices.get_mut(at).map_or(0, |state| {
                    state.calls += 1;
                    state.calls - 1
                });
                if self.old && slot > 0 {
                    self.losses.field("tool_calls");
                    Kind::Other
                } else {
                    self.open_call(out, choice, slot, (&id, &name, custom));
                    Kind::Call { slot, custom }
                }
            }
            Head::Media(content) => {
                self.medium(&content, choice, out);
                Kind::Other
            }
            Head::Opaque(_) => {
                self.losses.field("content");
                Kind::Other
            }
        };
        self.blocks.push((block, Block { choice, kind }));
    }

    fn open_call(&self, out: &mut Writer, choice: u64, slot: u64, call: (&Text<'_>, &Text<'_>, bool)) {
        let (id, name, custom) = call;
        let (kind, argument) = if custom { ("custom", "input") } else { ("function", "arguments") };
        self.chunk(out, choice, |w| {
            if self.old {
                w.key("function_call").object(|w| {
                    w.key("name").text(name).key("arguments").string("");
                });
                return;
            }
            w.key("tool_calls").array(|w| {
                w.object(|w| {
                    w.key("index").count(slot).key("id").text(id).key("type").string(kind);
                    w.key(kind).object(|w| {
                        w.key("name").text(name).key(argument).string("");
                    });
                });
            });
        });
    }

    fn medium(&mut self, content: &Content<'_>, choice: u64, out: &mut Writer) {
        match content {
            Content::Image(media @ Media { source: Source::Base64(_) | Source::Url(_), .. }) => {
                self.chunk(out, choice, |w| {
                    w.key("images").array(|w| write_image(w, media));
                });
            }
            Content::Audio(Media { source: Source::Base64(data), .. }) => {
                self.chunk(out, choice, |w| {
                    w.key("audio");
                    write_audio(w, data, &self.context);
                });
            }
            _ => self.losses.field("content"),
        }
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, out: &mut Writer) {
        let Some((_, Block { choice, kind })) = self.blocks.iter_mut().rev().find(|(id, _)| *id == block)
        else {
            return;
        };
        let choice = *choice;
        let (slot, custom) = match kind {
            Kind::Text { .. } => {
                if let Some(state) = self.choices.iter_mut().find(|state| state.index == choice) {
                    state.chars += text.value().chars().count() as u64;
                }
                return self.say(out, choice, "content", text);
            }
            Kind::Refusal => return self.say(out, choice, "refusal", text),
            Kind::Thought { said, .. } => {
                said.push_str(&text.value());
                return self.say(out, choice, "reasoning_content", text);
            }
            Kind::Call { slot, custom } => (*slot, *custom),
            Kind::Other => return,
        };
        let (kind, argument) = if custom { ("custom", "input") } else { ("function", "arguments") };
        self.chunk(out, choice, |w| {
            if self.old {
                w.key("function_call").object(|w| {
                    w.key("arguments").text(text);
                });
                return;
            }
            w.key("tool_calls").array(|w| {
                w.object(|w| {
                    w.key("index").count(slot);
                    w.key(kind).object(|w| {
                        w.key(argument).text(text);
                    });
                });
            });
        });
    }

    fn say(&self, out: &mut Writer, choice: u64, name: &str, text: &Text<'_>) {
        // As `write` does it, without a look at each of the names: this is what a stream is made of.
        out.frame(&self.head).frame(b"\"choices\":[{\"index\":").count(choice);
        out.frame(b",\"delta\":{\"").frame(name.as_bytes()).frame(b"\":").text(text);
        out.frame(b"},\"finish_reason\":null}]}\n\n");
    }

    /// A thought with its proof or cipher, whole: clients collect these entries as they come.
    fn sealed(&mut self, block: BlockId, seal: &Seal<'_>, out: &mut Writer) {
        let Some((_, Block { choice, kind })) = self.blocks.iter_mut().rev().find(|(id, _)| *id == block)
        else {
            return;
        };
        let choice = *choice;
        let text = match kind {
            Kind::Thought { behind, .. } => seal.placed_for_client(Dialect::OpenAiChat, *behind),
            _ => seal.for_client(Dialect::OpenAiChat),
        };
        match kind {
            Kind::Thought { id, summary, said, sealed, behind: _ } => {
                let told = if *sealed { Vec::new() } else { vec![Text::from(std::mem::take(said))] };
                *sealed = true;
                let told: Vec<Text<'_>> = told.into_iter().filter(|text| !text.is_empty()).collect();
                let (text_said, summary_said) =
                    if *summary { (Vec::new(), told) } else { (told, Vec::new()) };
                let id = id.take().map(Text::from);
                let thought = Reasoning { id, text: text_said, summary: summary_said, seal: None };
                let state = self.choices.iter_mut().find(|state| state.index == choice);
                let index = state.map_or(0, |state| {
                    state.thoughts += 1;
                    state.thoughts - 1
                });
                self.chunk(out, choice, |w| {
                    w.key("reasoning_details").array(|w| {
                        write_thought(w, index, &thought, Some((seal.kind, text.borrowed())), |_| {});
                    });
                });
            }
            Kind::Call { slot, custom } if !self.old => {
                let (slot, custom) = (*slot, *custom);
                let (kind, argument) = if custom { ("custom", "input") } else { ("function", "arguments") };
                self.chunk(out, choice, |w| {
                    w.key("tool_calls").array(|w| {
                        w.object(|w| {
                            w.key("index").count(slot);
                            // Clients look for arguments in every piece of a call.
                            w.key(kind).object(|w| {
                                w.key(argument).string("");
                            });
                            write_call_proof(w, &text);
                        });
                    });
                });
            }
            Kind::Call { .. } | Kind::Text { .. } | Kind::Refusal | Kind::Other => {
                self.losses.field("signature");
            }
        }
    }

    fn finish(&mut self, choice: u64, finish: &Finish<'_>, out: &mut Writer) {
        let at = self.begin(choice, out);
        let refused = self.choices.get(at).is_some_and(|state| state.refused);
        let (word, whole) = finish_word(finish, self.old, refused);
        if !whole {
            self.losses.field("finish_reason");
        }
        self.write(out, choice, |_| {}, None, Some((word, finish.stop_sequence.as_ref())));
        self.tier_told |= self.tier.is_some();
    }

    fn end(&mut self, out: &mut Writer) {
        if self.context.stream_usage
            && let Some(usage) = &self.usage
        {
            out.frame(&self.head).key("choices").array(|_| {});
            out.key("usage");
            write_usage(out, usage);
            self.write_tier(out);
            self.tier_told |= self.tier.is_some();
            out.frame(b"}\n\n");
        }
        if self.tier.is_some() && !self.tier_told {
            self.losses.field("service_tier");
        }
        out.frame(b"data: [DONE]\n\n");
    }

    fn write_tier(&self, out: &mut Writer) {
        if let Some(tier) = self.tier {
            out.key("service_tier").string(tier);
        }
    }

    /// The choice that a block belongs to, and characters of text before it.
    fn place_of(&self, block: BlockId) -> Option<(u64, u64)> {
        let (_, Block { choice, kind }) = self.blocks.iter().rev().find(|(id, _)| *id == block)?;
        Some((*choice, if let Kind::Text { before } = kind { *before } else { 0 }))
    }

    fn chunk(&self, out: &mut Writer, choice: u64, delta: impl FnOnce(&mut Writer)) {
        self.write(out, choice, delta, None, None);
    }

    /// One chunk of one choice.
    fn write(
        &self,
        out: &mut Writer,
        choice: u64,
        delta: impl FnOnce(&mut Writer),
        logprobs: Option<&str>,
        finish: Option<(&str, Option<&Text<'_>>)>,
    ) {
        out.frame(&self.head).key("choices").array(|w| {
            w.object(|w| {
                w.key("index").count(choice).key("delta").object(delta);
                if let Some(raw) = logprobs {
                    w.key("logprobs").raw(raw);
                }
                w.key("finish_reason");
                match finish {
                    None => {
                        w.null();
                    }
                    Some((word, stop)) => {
                        w.string(word);
                        if let Some(stop) = stop {
                            w.key("stop_reason").text(stop);
                        }
                    }
                }
            });
        });
        if finish.is_some() {
            self.write_tier(out);
        }
        out.frame(b"}\n\n");
    }
}

/// What the provider said, in this dialect's form.
fn write_error(error: &UpstreamError, out: &mut Writer) {
    let UpstreamError { message, type_, code, param, .. } = error;
    out.frame(b"data: ").object(|w| {
        w.key("error").object(|w| {
            w.key("message").string(message);
            for (name, value) in [("type", type_), ("param", param), ("code", code)] {
                w.key(name);
                match value {
                    Some(value) => w.string(value),
                    None => w.null(),
                };
            }
        });
    });
    out.frame(b"\n\n");
}
