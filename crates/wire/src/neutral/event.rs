//! A streamed answer, event by event.

use pointsman_core::Usage;

use super::{Answer, Citation, Finish, Seal};
use crate::UpstreamError;
use crate::json::Text;

/// Names a block within one stream: counted from 0 in the order in which blocks open, over all choices.
pub type BlockId = u32;

/// A step of a streamed answer. A decoder guarantees: [`Event::Start`] is first (but for pings, losses and errors)
/// and comes once; a block
/// opens before its deltas and closes once, before its choice finishes; [`Event::End`] or
/// [`Event::Error`] is last. Blocks of one choice may be open at the same time (parallel calls).
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The answer begins.
    Start {
        /// The provider's id; empty where it gives none.
        id: Text<'a>,
        /// The model, as the provider names it; empty where it does not.
        model: Text<'a>,
        /// Seconds since 1970, where the provider says.
        created: Option<u64>,
    },
    /// A block begins.
    Open {
        /// Its name.
        block: BlockId,
        /// The choice that it belongs to.
        choice: u64,
        /// What it is.
        head: Head<'a>,
    },
    /// More of a block: text, thoughts, refusal, or arguments (as pieces of a JSON text; of a custom
    /// tool, of its input).
    Delta {
        /// Which.
        block: BlockId,
        /// The piece.
        text: Text<'a>,
    },
    /// A source of a text block.
    Cite {
        /// Which.
        block: BlockId,
        /// The source.
        citation: Citation<'a>,
    },
    /// The proof or cipher of a reasoning block or call.
    Sealed {
        /// Which.
        block: BlockId,
        /// What it is.
        seal: Seal<'a>,
    },
    /// A block ends.
    Close {
        /// Which.
        block: BlockId,
    },
    /// Log probabilities of what was said last, in OpenAI chat's form (`{"content": […]}`), as JSON.
    Logprobs {
        /// Of which choice.
        choice: u64,
        /// The JSON text.
        raw: &'a str,
    },
    /// A choice ends.
    Finish {
        /// Which.
        choice: u64,
        /// Why.
        finish: Finish<'a>,
    },
    /// Tokens so far: the last one counts.
    Usage(Usage),
    /// The price class that was used.
    ServiceTier(Text<'a>),
    /// Something that the neutral form has no place for (its name).
    Lost(Text<'a>),
    /// The provider says that it is still there.
    Ping,
    /// The provider gave up. Nothing follows.
    Error(UpstreamError),
    /// The answer is complete. Nothing follows.
    End,
}

/// What a block of a stream is.
#[derive(Clone, Debug)]
pub enum Head<'a> {
    /// Text.
    Text,
    /// Thoughts, shown as they are.
    Reasoning {
        /// The dialect's own id of the item (OpenAI responses).
        id: Option<Text<'a>>,
        /// The deltas are a summary of them.
        summary: bool,
    },
    /// A call; its deltas are the arguments.
    ToolCall {
        /// Joins it with its result.
        id: Text<'a>,
        /// The dialect's own id of the item.
        item: Option<Text<'a>>,
        /// The tool.
        name: Text<'a>,
        /// Its input is free text.
        custom: bool,
    },
    /// A refusal.
    Refusal,
    /// A whole picture, sound or other medium at once; no deltas follow.
    Media(super::Content<'a>),
    /// A block of the dialect's own kind, as JSON; no deltas follow.
    Opaque(&'a str),
}

impl Event<'_> {
    /// Stands between the parts of a summary where there is but one place for all.
    pub(crate) const BREAK: Text<'static> = Text::Escaped("\\n\\n");
}

impl<'a> Answer<'a> {
    /// A whole answer as a stream would tell it: for clients that asked for a stream where the provider
    /// gave a whole.
    pub fn into_events(self, mut sink: impl FnMut(Event<'_>)) {
        use super::Content;
        let Answer { id, model, created, choices, usage, service_tier, own: _, rest } = self;
        sink(Event::Start { id, model, created });
        let mut next: BlockId = 0;
        for choice in choices {
            for block in choice.blocks {
                let id = next;
                next += 1;
                let mut open = |head| sink(Event::Open { block: id, choice: choice.index, head });
                let mut deltas: Vec<Text<'a>> = Vec::new();
                let mut seal = None;
                let mut cited = Vec::new();
                let mut lost = None;
                match block.content {
                    Content::Text { text, citations } => {
                        open(Head::Text);
                        deltas.push(text);
                        cited = citations;
                    }
                    Content::Refusal(text) => {
                        open(Head::Refusal);
                        deltas.push(text);
                    }
                    Content::Reasoning(reasoning) => {
                        let super::Reasoning { id, text, summary, seal: own } = reasoning;
                        open(Head::Reasoning { id, summary: text.is_empty() });
                        if text.is_empty() {
                            deltas = apart(summary);
                        } else {
                            deltas = text;
                            lost = (!summary.is_empty()).then_some("summary");
                        }
                        seal = own;
                    }
                    Content::ToolCall(call) => {
                        let custom = matches!(call.arguments, super::Arguments::Free(_));
                        open(Head::ToolCall { id: call.id, item: call.item, name: call.name, custom });
                        deltas.push(match call.arguments {
                            super::Arguments::Object(raw) => Text::from(raw),
                            super::Arguments::Quoted(text) | super::Arguments::Free(text) => text,
                        });
                        seal = call.seal;
                    }
                    Content::Opaque(raw) => open(Head::Opaque(raw)),
                    media => open(Head::Media(media)),
                }
                for text in deltas.into_iter().filter(|text| !text.is_empty()) {
                    sink(Event::Delta { block: id, text });
                }
                for citation in cited {
                    sink(Event::Cite { block: id, citation });
                }
                if let Some(seal) = seal {
                    sink(Event::Sealed { block: id, seal });
                }
                sink(Event::Close { block: id });
                if let Some(lost) = lost {
                    sink(Event::Lost(Text::from(lost)));
                }
            }
            if let Some(raw) = choice.logprobs {
                sink(Event::Logprobs { choice: choice.index, raw: &raw });
            }
            if let Some(finish) = choice.finish {
                sink(Event::Finish { choice: choice.index, finish });
            }
        }
        if let Some(usage) = usage {
            sink(Event::Usage(usage));
        }
        if let Some(tier) = service_tier {
            sink(Event::ServiceTier(tier));
        }
        for extension in rest {
            sink(Event::Lost(extension.name));
        }
        sink(Event::End);
    }
}

/// The parts with breaks between them.
fn apart(parts: Vec<Text<'_>>) -> Vec<Text<'_>> {
    let mut with_breaks = Vec::with_capacity(parts.len() * 2);
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !with_breaks.is_empty() {
            with_breaks.push(Event::BREAK);
        }
        with_breaks.push(part);
    }
    with_breaks
}
