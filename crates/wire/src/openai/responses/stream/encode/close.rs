//! The ends of blocks, items and answers: each is told as a whole once more.

use super::super::super::write::{Status, free_input, write_reasoning};
use super::super::super::{error, words};
use super::super::frames::{Place, SUMMARY, THOUGHT, delta_name, frame, write_thought_part, written};
use super::super::items::{Form, Item};
use super::{Slot, StreamEncoder};
use crate::UpstreamError;
use crate::json::{Text, Writer};
use crate::neutral::BlockId;

impl StreamEncoder {
    pub(super) fn close(&mut self, block: BlockId, out: &mut Writer) {
        let Some(at) = self.blocks.iter().rposition(|(id, _)| *id == block) else { return };
        match self.blocks.remove(at).1 {
            Slot::Part { item, part } => self.close_part(item, part, out),
            Slot::Thought { item, summary } => self.close_thought(item, summary, out),
            Slot::Call { item } => self.close_call(item, out),
            Slot::Unsaid { .. } | Slot::Unthought { .. } | Slot::Lost => {}
        }
    }

    fn close_part(&mut self, item: usize, part: usize, out: &mut Writer) {
        let Some(Item::Message(message)) = self.items.get_mut(item) else { return };
        let Some(said) = message.parts.get(part) else { return };
        let at = Place { item, id: &message.id, index: Some(("content_index", part)) };
        let sequence = &mut self.sequence;
        if said.refusal {
            at.frame(out, sequence, "response.refusal.done", |w| {
                w.key("refusal").string(&said.text);
            });
        } else {
            at.frame(out, sequence, "response.output_text.done", |w| {
                w.key("text").string(&said.text).key("logprobs");
                said.write_logprobs(w);
            });
        }
        at.frame(out, sequence, "response.content_part.done", |w| {
            w.key("part");
            said.write(w, Form::Done);
        });
        message.open -= 1;
        if message.open == 0 && self.going != Some(item) {
            self.done(item, out);
        }
    }

    fn close_thought(&mut self, item: usize, summary: bool, out: &mut Writer) {
        let Some(Item::Thought(thought)) = self.items.get_mut(item) else { return };
        thought.open -= 1;
        let sequence = &mut self.sequence;
        if let Some(text) = thought.summary.as_deref().filter(|_| summary) {
            let at = Place { item, id: &thought.id, index: Some(("summary_index", 0)) };
            at.frame(out, sequence, "response.reasoning_summary_text.done", |w| {
                w.key("text").string(text);
            });
            let name = "response.reasoning_summary_part.done";
            at.frame(out, sequence, name, |w| write_thought_part(w, SUMMARY, text));
        } else if let Some(text) = thought.text.as_deref().filter(|_| !summary) {
            let at = Place { item, id: &thought.id, index: Some(("content_index", 0)) };
            at.frame(out, sequence, "response.reasoning_text.done", |w| {
                w.key("text").string(text);
            });
            let name = "response.content_part.done";
            at.frame(out, sequence, name, |w| write_thought_part(w, THOUGHT, text));
        }
        if thought.open == 0 && self.going != Some(item) {
            self.done(item, out);
        }
    }

    fn close_call(&mut self, item: usize, out: &mut Writer) {
        let Some(Item::Call(call)) = self.items.get_mut(item) else { return };
        let proof = call.proof.take().map(|proof| (words::proof_id(&Text::from(call.id.as_str())), proof));
        // Input that could only be told now: out of its object, or the object of a call without arguments.
        let late = if call.wrapped {
            call.input = free_input(&call.input);
            true
        } else if call.input.is_empty() && !call.custom {
            call.input.push_str("{}");
            true
        } else {
            false
        };
        let at = Place { item, id: &call.item, index: None };
        if late && !call.input.is_empty() {
            at.frame(out, &mut self.sequence, delta_name(call.custom), |w| {
                w.key("delta").string(&call.input);
            });
        }
        let (name, member) = if call.custom {
            ("response.custom_tool_call_input.done", "input")
        } else {
            ("response.function_call_arguments.done", "arguments")
        };
        at.frame(out, &mut self.sequence, name, |w| {
            w.key("name").string(&call.name).key(member).string(&call.input);
        });
        self.done(item, out);
        if let Some((id, proof)) = proof {
            let (id, proof) = (Text::from(id), Text::from(proof));
            let whole = written(|w| {
                w.object(|w| write_reasoning(w, &id, &[], &[], Some(&proof)));
            });
            self.add_whole(None, whole, out);
        }
    }

    /// Closes what a decoder left open; this one does not count on it.
    fn close_all(&mut self, out: &mut Writer) {
        while let Some((block, _)) = self.blocks.first() {
            let block = *block;
            self.close(block, out);
        }
        self.settle(out);
    }

    pub(super) fn end(&mut self, out: &mut Writer) {
        self.ended = true;
        self.start_unsaid(out);
        self.close_all(out);
        let status = Status::of(self.finish.as_ref(), self.refused, &mut self.losses);
        let name = if status == Status::Completed { "response.completed" } else { "response.incomplete" };
        self.response(out, name, status, None);
    }

    pub(super) fn fail(&mut self, told: &UpstreamError, out: &mut Writer) {
        self.ended = true;
        self.start_unsaid(out);
        frame(out, &mut self.sequence, "error", |w| error::write_members(w, told));
        self.response(out, "response.failed", Status::Failed, Some(told));
    }
}
