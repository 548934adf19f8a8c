//! What becomes of the events of the one who goes on: what the client has is not told again, and what is new
//! gets the place that it would have had.

use std::collections::VecDeque;

use pointsman_core::Usage;

use super::Plan;
use super::usage::{Before, as_one};
use crate::convert::Between;
use crate::json::{Halves, Text};
use crate::neutral::{BlockId, Event, Finish, Head, Reason, Seal, Sink};
use crate::openai::stream::Observed;
use crate::rescue::call::Call;
use crate::rescue::check;
use crate::rescue::joint::{Dropped, Joint};
use crate::rescue::said::Said;
use crate::rescue::stops::Stops;
use crate::rescue::surrogate::{leading_low, second_half};

/// Why what comes cannot follow what the client has.
const OTHER_CALL: &str = "the continuation calls another tool than the answer had called";
const REFUSED: &str = "the continuation was refused";
const AGAINST_SCHEMA: &str = "the answer that was put together does not obey its schema";

/// The most that a call may have before it is compared with those that were shown.
const MAX_CALL_BYTES: usize = 1024 * 1024;

/// The joint of two streams.
pub struct Graft {
    /// The client knows id and model.
    started: bool,
    /// `None` where the answer begins anew.
    joint: Option<Joint>,
    halves: Halves,
    /// The first half of a character that the client has.
    half: Option<u16>,
    stops: Stops,
    /// What the whole answer must obey, and the answer so far.
    schema: Option<(String, String)>,
    /// Blocks that the client has open, and that do not go on.
    to_close: Vec<BlockId>,
    /// The client's text block that goes on, or is being written.
    text: Option<BlockId>,
    /// The next number for a block of the client's.
    next: BlockId,
    places: Vec<(BlockId, Place)>,
    /// Calls that the client has, and that will come again.
    expected: VecDeque<Call>,
    called: bool,
    before: Before,
    /// Pieces of text that came, less those that were told.
    pieces: i64,
    told: bool,
    fault: Option<&'static str>,
}

/// Where a block of the stream goes.
enum Place {
    /// To the text.
    Text,
    /// Nowhere: thoughts behind what was said.
    Hidden,
    /// To a block of its own.
    Own(BlockId),
    /// A call that may be one of those that the client has.
    Call(Box<Held>),
}

struct Held {
    call: Call,
    id: String,
    item: Option<String>,
    seals: Vec<Seal<'static>>,
}

impl Between for Graft {
    const LENIENT_AT_THE_END: bool = true;

    fn take(&mut self, event: Event<'_>, observed: &Observed, mut emit: impl FnMut(Event<'_>)) {
        let emit: &mut Sink<'_> = &mut emit;
        if self.fault.is_some() {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                if !self.started {
                    emit(Event::Start { id, model, created });
                }
                for block in std::mem::take(&mut self.to_close) {
                    emit(Event::Close { block });
                }
            }
            Event::Open { block, choice: 0, head } => self.open(block, head, emit),
            Event::Delta { block, text } => self.delta(block, &text, emit),
            Event::Cite { block, citation } => {
                if let Some(block) = self.cited(block, emit) {
                    emit(Event::Cite { block, citation });
                }
            }
            Event::Sealed { block, seal } => match self.place(block) {
                Some(Place::Own(block)) => emit(Event::Sealed { block: *block, seal }),
                Some(Place::Call(held)) => held.seals.push(seal.into_owned()),
                Some(Place::Text | Place::Hidden) | None => {}
            },
            Event::Close { block } => self.close(block, emit),
            Event::Finish { choice: 0, finish } => self.finish(finish, emit),
            Event::Usage(_) => self.tell_usage(observed, emit),
            Event::End => {
                if !self.told {
                    self.tell_usage(observed, emit);
                }
                emit(Event::End);
            }
            Event::Logprobs { raw, .. } if self.joint.is_none() => emit(Event::Logprobs { choice: 0, raw }),
            // What other choices say was not asked for.
            Event::Open { .. } | Event::Finish { .. } | Event::Logprobs { .. } => {}
            event @ (Event::ServiceTier(_) | Event::Lost(_) | Event::Ping | Event::Error(_)) => emit(event),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        self.fault
    }
}

impl Graft {
    pub(super) fn new(said: &Said, plan: &Plan<'_>) -> Self {
        let terms = plan.terms;
        let joint = plan.manner.map(|manner| Joint::new(said.text(), manner));
        let goes_on = joint.is_some();
        let stops = if goes_on { terms.stops.clone() } else { Vec::new() };
        let schema = terms.schema.as_ref().filter(|_| goes_on);
        Self {
            started: said.started(),
            joint,
            halves: Halves::default(),
            half: said.half().filter(|_| goes_on),
            stops: Stops::new(stops, said.text()),
            schema: schema.map(|schema| (schema.clone(), said.text().to_owned())),
            to_close: said.to_close().collect(),
            text: said.open_text(),
            next: said.next(),
            places: Vec::new(),
            expected: said.calls().iter().cloned().collect(),
            called: !said.calls().is_empty(),
            before: plan.before,
            pieces: 0,
            told: false,
            fault: None,
        }
    }

    pub(super) const fn dropped(&self) -> Dropped {
        match &self.joint {
            Some(joint) => joint.dropped(),
            None => Dropped { chars: 0, pieces: 0 },
        }
    }

    /// By how many pieces of text the client got fewer than were shown of the provider's own: some are told as
    /// one, and some in two.
    pub(super) fn merged(&self) -> i64 {
        let held = self.joint.as_ref().map_or(0, Joint::held);
        let gone = self.dropped().pieces + held + u64::from(self.halves.waiting().is_some());
        self.pieces.saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX))
    }

    /// Tokens of the whole answer.
    pub(super) fn usage(&self, observed: &Observed) -> Usage {
        as_one(&self.before, observed, self.dropped(), self.joint.is_some())
    }

    fn tell_usage(&mut self, observed: &Observed, emit: &mut Sink<'_>) {
        self.told = true;
        emit(Event::Usage(self.usage(observed)));
    }

    fn place(&mut self, block: BlockId) -> Option<&mut Place> {
        self.places.iter_mut().rev().find(|(id, _)| *id == block).map(|(_, place)| place)
    }

    /// The client's block of a text that cites: all that it says so far is told before.
    fn cited(&mut self, block: BlockId, emit: &mut Sink<'_>) -> Option<BlockId> {
        match self.place(block)? {
            Place::Text => {
                self.settle(emit);
                self.text
            }
            Place::Own(own) => Some(*own),
            Place::Hidden | Place::Call(_) => None,
        }
    }

    fn fresh(&mut self) -> BlockId {
        self.next = self.next.saturating_add(1);
        self.next - 1
    }

    fn open(&mut self, block: BlockId, head: Head<'_>, emit: &mut Sink<'_>) {
        let goes_on = self.joint.is_some();
        let place = match head {
            Head::Text => Place::Text,
            Head::Reasoning { .. } if goes_on => Place::Hidden,
            Head::Refusal if goes_on => {
                self.fault = Some(REFUSED);
                return;
            }
            Head::ToolCall { id, item, name, custom } if !self.expected.is_empty() => {
                let call = Call::new(block, &name.value(), custom);
                let item = item.map(|item| item.value().into_owned());
                Place::Call(Box::new(Held { call, id: id.value().into_owned(), item, seals: Vec::new() }))
            }
            head => {
                self.called |= matches!(head, Head::ToolCall { .. });
                self.end_text(emit);
                let own = self.fresh();
                emit(Event::Open { block: own, choice: 0, head });
                Place::Own(own)
            }
        };
        self.places.push((block, place));
    }

    fn delta(&mut self, block: BlockId, text: &Text<'_>, emit: &mut Sink<'_>) {
        match self.place(block) {
            Some(Place::Text) => self.text(text, emit),
            Some(Place::Own(own)) => emit(Event::Delta { block: *own, text: text.borrowed() }),
            Some(Place::Call(held)) => {
                held.call.arguments.push(&text.value());
                if held.call.arguments.text().len() > MAX_CALL_BYTES {
                    self.fault = Some(OTHER_CALL);
                }
            }
            Some(Place::Hidden) | None => {}
        }
    }

    fn text(&mut self, text: &Text<'_>, emit: &mut Sink<'_>) {
        let mut text = text.borrowed();
        self.pieces += i64::from(!text.is_empty());
        // A provider that goes on unit by unit says the second half alone.
        let low = leading_low(&text).filter(|_| self.half.is_some() && self.halves.waiting().is_none());
        if let (Some(length), Text::Escaped(raw)) = (low, &text) {
            let (low, rest) = raw.split_at(length);
            self.half = None;
            if let Some(joint) = &mut self.joint {
                joint.give_up();
            }
            let block = self.text_block(emit);
            self.pieces -= 1;
            emit(Event::Delta { block, text: Text::Escaped(low) });
            text = Text::Escaped(rest);
        }
        if text.is_empty() {
            return;
        }
        // A half that waits here was not shown: what follows must be joined with it.
        let between = self.half.is_some() || self.halves.waiting().is_some();
        let literal = self.joint.as_ref().is_none_or(Joint::is_joined) && !between;
        if literal && self.schema.is_none() && self.stops.are_over() {
            let block = self.text_block(emit);
            self.pieces -= 1;
            emit(Event::Delta { block, text });
            return;
        }
        let value = self.halves.take(&text);
        match &mut self.joint {
            Some(joint) => {
                let mut out = String::new();
                joint.push(&value, &mut out);
                self.say(&out, emit);
            }
            None => self.say(&value, emit),
        }
    }

    /// Writes text for the client.
    fn say(&mut self, text: &str, emit: &mut Sink<'_>) {
        let mut text = self.stops.take(text);
        if text.is_empty() {
            return;
        }
        let block = self.text_block(emit);
        if let Some((_, whole)) = &mut self.schema {
            whole.push_str(text);
        }
        if let Some((low, rest)) = self.half.take().and_then(|high| second_half(high, text)) {
            self.pieces -= 1;
            emit(Event::Delta { block, text: Text::Escaped(&low) });
            text = rest;
        }
        if !text.is_empty() {
            self.pieces -= 1;
            emit(Event::Delta { block, text: Text::from(text) });
        }
    }

    fn text_block(&mut self, emit: &mut Sink<'_>) -> BlockId {
        if let Some(block) = self.text {
            return block;
        }
        let block = self.fresh();
        emit(Event::Open { block, choice: 0, head: Head::Text });
        self.text = Some(block);
        block
    }

    /// Nothing more of the text comes for now: what is held is decided.
    fn settle(&mut self, emit: &mut Sink<'_>) {
        let mut out = String::new();
        let half = self.halves.finish();
        if let Some(joint) = &mut self.joint {
            joint.push(half, &mut out);
            joint.finish(&mut out);
        } else {
            out.push_str(half);
        }
        self.say(&out, emit);
    }

    fn end_text(&mut self, emit: &mut Sink<'_>) {
        self.settle(emit);
        if let Some(block) = self.text.take() {
            emit(Event::Close { block });
        }
    }

    fn close(&mut self, block: BlockId, emit: &mut Sink<'_>) {
        let Some(at) = self.places.iter().rposition(|(id, _)| *id == block) else { return };
        match self.places.remove(at).1 {
            Place::Text => self.end_text(emit),
            Place::Own(block) => emit(Event::Close { block }),
            Place::Call(held) => self.called_again(*held, emit),
            Place::Hidden => {}
        }
    }

    /// A call is whole: the client has it, or (once it has seen all of those again) it is a further one.
    fn called_again(&mut self, held: Held, emit: &mut Sink<'_>) {
        let known = self.expected.iter().position(|call| call.equals(&held.call));
        match known {
            Some(at) => {
                self.expected.remove(at);
            }
            None if self.expected.is_empty() => self.tell_call(held, emit),
            None => self.fault = Some(OTHER_CALL),
        }
    }

    fn tell_call(&mut self, held: Held, emit: &mut Sink<'_>) {
        let Held { call, id, item, seals } = held;
        self.called = true;
        self.end_text(emit);
        let block = self.fresh();
        let (id, item, name) = (Text::from(id), item.map(Text::from), Text::from(call.name.as_str()));
        emit(Event::Open { block, choice: 0, head: Head::ToolCall { id, item, name, custom: call.custom } });
        let text = call.arguments.text();
        if !text.is_empty() {
            emit(Event::Delta { block, text: Text::from(text) });
        }
        for seal in seals {
            emit(Event::Sealed { block, seal });
        }
        emit(Event::Close { block });
    }

    fn finish(&mut self, finish: Finish<'_>, emit: &mut Sink<'_>) {
        self.end_text(emit);
        if finish.reason == Reason::Stop
            && let Some((schema, whole)) = &self.schema
            && !check::obeys(schema, whole)
        {
            self.fault = Some(AGAINST_SCHEMA);
            return;
        }
        let reason = match finish.reason {
            Reason::Stop if self.called => Reason::ToolCalls,
            reason => reason,
        };
        let met = self.stops.met().map(|stop| Text::from(stop.to_owned()));
        let finish = match met {
            Some(stop) => Finish { stop_sequence: Some(stop), ..Finish::new(Reason::StopSequence) },
            None => Finish { reason, ..finish },
        };
        emit(Event::Finish { choice: 0, finish });
    }
}
