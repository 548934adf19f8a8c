//! The items of a stream that is written: what was said of each so far.
//!
//! Each has two forms of events, its pieces and the whole; and the whole of all is told once more at the end.

use super::super::write::{
    Called, write_all, write_call, write_message_head, write_reasoning, write_text_part,
};
use crate::json::{Halves, Text, Writer};

/// An item that is not whole yet, or its JSON text.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Message(Message),
    Thought(Thought),
    Call(Call),
    Whole(String),
}

/// A message: parts that were opened, in order.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) parts: Vec<Part>,
    /// Parts that are open.
    pub(super) open: usize,
}

/// A part of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) refusal: bool,
    pub(super) text: String,
    pub(super) halves: Halves,
    /// JSON texts.
    pub(super) annotations: Vec<String>,
    /// JSON texts.
    pub(super) logprobs: Vec<String>,
}

/// A reasoning item: its one summary, its one text, its cipher.
#[derive(Clone, Debug)]
pub(super) struct Thought {
    pub(super) id: String,
    pub(super) summary: Option<String>,
    pub(super) text: Option<String>,
    pub(super) cipher: Option<String>,
    /// Blocks that are open.
    pub(super) open: usize,
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) item: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) custom: bool,
    /// Its input comes inside an object.
    pub(super) wrapped: bool,
    pub(super) input: String,
    /// The proof, told in an item behind it.
    pub(super) proof: Option<String>,
}

/// How far an item is, when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is announced: empty.
    Added,
    /// As it is told in the end.
    Done,
    /// As it is told where the answer broke off.
    Cut,
}

impl Form {
    const fn status(self) -> &'static str {
        match self {
            Self::Added => "in_progress",
            Self::Done => "completed",
            Self::Cut => "incomplete",
        }
    }
}

impl Item {
    pub(super) fn write(&self, w: &mut Writer, form: Form) {
        match self {
            Self::Message(message) => {
                w.object(|w| {
                    write_message_head(w, &Text::from(message.id.as_str()), form.status());
                    w.array(|w| message.parts.iter().for_each(|part| part.write(w, form)));
                });
            }
            Self::Thought(thought) => {
                let texts = |text: &'_ Option<String>| {
                    let text = text.as_deref().filter(|_| form != Form::Added);
                    text.map(|text| Text::from(text.to_owned())).into_iter().collect::<Vec<Text<'static>>>()
                };
                let cipher = thought.cipher.as_deref().map(Text::from);
                w.object(|w| {
                    let (summary, text) = (texts(&thought.summary), texts(&thought.text));
                    let id = Text::from(thought.id.as_str());
                    write_reasoning(w, &id, &summary, &text, cipher.as_ref());
                });
            }
            Self::Call(call) => {
                w.object(|w| {
                    let (item, id) = (Text::from(call.item.as_str()), Text::from(call.id.as_str()));
                    let name = Text::from(call.name.as_str());
                    let called = Called { item: &item, id: &id, name: &name, custom: call.custom };
                    write_call(w, called, form.status(), |w| {
                        w.string(if form != Form::Added { &call.input } else { "" });
                    });
                });
            }
            Self::Whole(raw) => {
                w.raw(raw);
            }
        }
    }
}

impl Part {
    pub(super) fn write(&self, w: &mut Writer, form: Form) {
        let text = if form != Form::Added { &self.text } else { "" };
        if self.refusal {
            w.object(|w| {
                w.key("type").string("refusal").key("refusal").string(text);
            });
        } else if form != Form::Added {
            write_text_part(w, &Text::from(text), &self.annotations, &self.logprobs, |_| {});
        } else {
            write_text_part::<String>(w, &Text::default(), &[], &[], |_| {});
        }
    }

    /// More of it.
    pub(super) fn push(&mut self, text: &Text<'_>) {
        self.text.push_str(&self.halves.take(text));
    }

    /// Writes the list of its log probabilities.
    pub(super) fn write_logprobs(&self, w: &mut Writer) {
        w.array(|w| write_all(w, &self.logprobs));
    }
}
