//! What answers and streams say, apart from how they say it; and the rules of a stream's events.

use serde_json::Value;

use crate::convert::{Codec, Frames};
use crate::json::{Text, Writer};
use crate::neutral::{Answer, Arguments, BlockId, Content, DecodeError, Event, Head, Losses};

/// What the first choice says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Text and refusals, one after the other.
    pub(super) text: String,
    /// Names and arguments of calls, in alphabetical order: calls that are made at once have none.
    pub(super) calls: Vec<(String, String)>,
    /// The calls' ids, in their own order.
    ids: Vec<String>,
    /// There are other choices than the one that has number 0.
    pub(super) further: bool,
    /// Texts were told at the same time: some clients have but one place for all.
    pub(super) mixed: bool,
}

impl Told {
    pub(super) fn of(answer: &Answer<'_>) -> Self {
        let further = answer.choices.len() > 1 || answer.choices.iter().any(|choice| choice.index > 0);
        let mut told = Self { further, ..Self::default() };
        // Not everybody is told a call that was cut.
        let blocks =
            answer.choices.first().map(|choice| choice.without_cut_call(&mut Losses::default()).collect());
        for block in blocks.into_iter().flat_map(|blocks: Vec<_>| blocks) {
            match &block.content {
                Content::Text { text, .. } | Content::Refusal(text) => told.text.push_str(&text.value()),
                Content::ToolCall(call) => {
                    told.ids.push(call.id.value().into_owned());
                    told.call(&call.name.value(), &call.arguments);
                }
                _ => {}
            }
        }
        told.calls.sort();
        told
    }

    fn call(&mut self, name: &str, arguments: &Arguments<'_>) {
        let mut w = Writer::default();
        // What is no object is put into one, whoever asks.
        let _ = arguments.write_object(&mut w);
        let text = String::from_utf8(w.finish()).unwrap_or_default();
        let plain = serde_json::from_str::<Value>(&text).map_or(text, |value| value.to_string());
        self.calls.push((name.to_owned(), plain));
    }

    /// Whether it says nothing that every dialect has a place for.
    pub(super) fn is_silent(&self) -> bool {
        self.text.is_empty() && self.calls.is_empty()
    }

    /// Whether a call has no name, or two have one id: some dialects take that for no call, or for one.
    pub(super) fn is_strange(&self) -> bool {
        let twins = |(at, id): (usize, &String)| self.ids.iter().skip(at + 1).any(|other| other == id);
        self.calls.iter().any(|(name, _)| name.is_empty()) || self.ids.iter().enumerate().any(twins)
    }

    /// Whether the texts are the same, in the same order if that is known.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let letters = |text: &str| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters
        };
        self.text == other.text || (self.mixed || other.mixed) && letters(&self.text) == letters(&other.text)
    }
}

/// A stream, as its decoder told it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) told: Told,
    pub(super) fault: Option<DecodeError>,
    /// The end came.
    pub(super) ended: bool,
}

/// Reads a stream that is there as a whole. Fails where its decoder breaks the rules of [`Event`].
pub(super) fn read(codec: &dyn Codec, body: &[u8]) -> Read {
    let mut decoder = codec.decoder("provider", "r1");
    let mut frames = Frames::new(codec.streams_lines());
    let mut rules = Rules::default();
    let mut fault = None;
    while let Ok(Some(piece)) = frames.next(body) {
        if let Some((name, data)) = frames.read(body, &piece)
            && fault.is_none()
            && !rules.over
        {
            fault = decoder.frame(name, data, &mut |event| rules.take(&event)).err();
        }
    }
    if fault.is_none()
        && !rules.over
        && let Some(piece) = frames.finish()
        && let Some((name, data)) = frames.read(&[], &piece)
    {
        fault = decoder.frame(name, data, &mut |event| rules.take(&event)).err();
    }
    if fault.is_none() && !rules.over {
        fault = decoder.finish(&mut |event| rules.take(&event)).err();
    }
    let (told, ended) = rules.told();
    Read { told, fault, ended }
}

/// Holds the events of a stream to what a decoder guarantees.
#[derive(Debug, Default)]
struct Rules {
    started: bool,
    /// Nothing may follow.
    over: bool,
    ended: bool,
    blocks: Vec<Block>,
    ids: Vec<String>,
    finished: Vec<u64>,
    /// The first choice ended where the model had no more room.
    cuts: bool,
}

#[derive(Debug)]
struct Block {
    choice: u64,
    kind: Kind,
    said: String,
    open: bool,
    /// Another text was open at the same time.
    mixed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Call { name: String, custom: bool },
    Other,
}

impl Block {
    fn is_cut(&self) -> bool {
        matches!(self.kind, Kind::Call { custom: false, .. })
            && Arguments::Quoted(Text::from(self.said.as_str())).is_cut()
    }
}

impl Rules {
    fn take(&mut self, event: &Event<'_>) {
        assert!(!self.over, "{event:?} behind the end");
        match event {
            Event::Start { .. } => {
                assert!(!self.started, "a second start");
                self.started = true;
            }
            Event::Ping | Event::Lost(_) | Event::Error(_) => {}
            _ => assert!(self.started, "{event:?} before the start"),
        }
        match event {
            Event::Open { block, choice, head } => self.open(*block, *choice, head),
            Event::Delta { block, text } => self.say(*block, text),
            Event::Cite { block, .. } | Event::Sealed { block, .. } => self.say(*block, &Text::default()),
            Event::Close { block } => {
                self.say(*block, &Text::default());
                if let Some(block) = self.blocks.get_mut(*block as usize) {
                    block.open = false;
                }
            }
            Event::Finish { choice, finish } => {
                self.cuts |= *choice == 0 && finish.reason.cuts();
                let open = self.blocks.iter().any(|block| block.open && block.choice == *choice);
                assert!(!open, "a block is open behind its choice");
                assert!(!self.finished.contains(choice), "a choice ends twice");
                self.finished.push(*choice);
            }
            Event::Error(_) => self.over = true,
            Event::End => {
                (self.over, self.ended) = (true, true);
                assert!(self.blocks.iter().all(|block| !block.open), "a block is open behind the end");
            }
            Event::Start { .. }
            | Event::Logprobs { .. }
            | Event::Usage(_)
            | Event::ServiceTier(_)
            | Event::Lost(_)
            | Event::Ping => {}
        }
    }

    fn open(&mut self, block: BlockId, choice: u64, head: &Head<'_>) {
        assert_eq!(block as usize, self.blocks.len(), "blocks are counted in the order in which they open");
        assert!(!self.finished.contains(&choice), "a block behind the end of its choice");
        let kind = match head {
            Head::Text | Head::Refusal => Kind::Text,
            Head::ToolCall { id, name, custom, .. } => {
                if choice == 0 {
                    self.ids.push(id.value().into_owned());
                }
                Kind::Call { name: name.value().into_owned(), custom: *custom }
            }
            _ => Kind::Other,
        };
        let mixed = self.blocks.iter().any(|block| block.open && block.kind == Kind::Text);
        self.blocks.push(Block { choice, kind, said: String::new(), open: true, mixed });
    }

    fn say(&mut self, block: BlockId, text: &Text<'_>) {
        let found = self.blocks.get_mut(block as usize).filter(|block| block.open);
        assert!(found.is_some(), "block {block} is not open");
        if let Some(found) = found {
            found.said.push_str(&text.value());
        }
    }

    fn told(mut self) -> (Told, bool) {
        let mut told = Told { ids: self.ids, ..Told::default() };
        let is_call = |block: &Block| block.choice == 0 && matches!(block.kind, Kind::Call { .. });
        let last = self.blocks.iter().rposition(is_call).filter(|_| self.cuts);
        let cut = last.filter(|at| self.blocks.get(*at).is_some_and(Block::is_cut));
        if let Some(at) = cut {
            self.blocks.remove(at);
        }
        for Block { choice, kind, said, mixed, .. } in self.blocks {
            told.further |= choice > 0;
            match kind {
                _ if choice > 0 => {}
                Kind::Text => {
                    told.mixed |= mixed;
                    told.text.push_str(&said);
                }
                Kind::Call { name, custom: false } => told.call(&name, &Arguments::Quoted(Text::from(said))),
                Kind::Call { name, custom: true } => told.call(&name, &Arguments::Free(Text::from(said))),
                Kind::Other => {}
            }
        }
        told.calls.sort();
        (told, self.ended)
    }
}
