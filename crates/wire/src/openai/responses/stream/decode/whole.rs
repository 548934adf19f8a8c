//! What is told in the end: of a part, of an item, of the answer. Whatever came in pieces is not told again.

use super::super::super::answer::{self, End, OUTPUT};
use super::super::super::item::{self, Author};
use super::super::super::parts::read_citation;
use super::{Kind, Part, StreamDecoder, id, index, new_thought, part_head, say, tell_logprobs};
use crate::json::{Node, Text};
use crate::neutral::{
    Arguments, BlockId, DecodeError, Event, Extension, Head, Path, Reasoning, Sink, fields,
};

impl StreamDecoder {
    pub(super) fn item_done(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let node = root.get("item").ok_or_else(|| DecodeError::Missing { field: "item".into() })?;
        self.whole_item(index(root)?, node, sink)
    }

    /// Tells what an item has that was not told of it, and closes it.
    fn whole_item(&mut self, index: u64, node: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        const PLACE: Path = Path::Field("item");
        let mut members = fields(node, PLACE)?;
        let kind = members.take("type").and_then(Node::text);
        let kind = kind.ok_or_else(|| DecodeError::wrong("item.type", "a string"))?;
        item::take_completed(&mut members);
        let at = match &*kind.value() {
            "message" => self.whole_message(index, node, sink)?,
            "reasoning" => {
                let at = self.item(index, new_thought(&id(node)))?;
                match item::reasoning(&mut members, PLACE)? {
                    Some((thought, cipher)) => self.whole_thought(at, thought, cipher, sink),
                    None => self.lose("output[].reasoning", sink),
                }
                at
            }
            kind @ ("function_call" | "custom_tool_call") => {
                let custom = kind == "custom_tool_call";
                let at = self.open_call(index, node, custom, sink)?;
                let call = item::call(&mut members, PLACE, custom)?;
                self.whole_call(at, &call.arguments, sink);
                at
            }
            _ => {
                let at = self.item(index, Kind::Opaque)?;
                if matches!(self.kind(at), Some(Kind::Opaque)) {
                    let block = self.opened(Head::Opaque(node.raw()), sink);
                    sink(Event::Close { block });
                }
                self.close(at, sink);
                self.done(at);
                return Ok(());
            }
        };
        if !matches!(self.kind(at), Some(Kind::Done)) {
            for known in ["role", "content", "id"] {
                members.take(known);
            }
            let mut rest = Vec::new();
            Extension::collect(members, PLACE, &mut rest);
            for extension in rest {
                self.lose(&format!("{OUTPUT}[].{}", extension.name.value()), sink);
            }
        }
        self.close(at, sink);
        self.done(at);
        Ok(())
    }

    fn done(&mut self, at: usize) {
        if let Some(kind) = self.kind_mut(at) {
            *kind = Kind::Done;
        }
    }

    fn whole_message(
        &mut self,
        index: u64,
        node: Node<'_, '_>,
        sink: &mut Sink<'_>,
    ) -> Result<usize, DecodeError> {
        let at = self.item(index, Kind::Message(Vec::new()))?;
        let parts = node.get("content").into_iter().flat_map(Node::elements);
        for (index, whole) in (0u64..).zip(parts) {
            let Some(head) = part_head(whole)? else { continue };
            if let Some(part) = self.part_of(at, index, head, sink)? {
                part.settle(whole, sink);
            }
        }
        Ok(at)
    }

    fn whole_thought(&mut self, at: usize, thought: Reasoning<'_>, cipher: Text<'_>, sink: &mut Sink<'_>) {
        let Some(Kind::Thought { summary: summaries, text: texts, .. }) = self.kind(at) else { return };
        let told = (summaries.is_some(), texts.is_some());
        let Reasoning { id: own, text, summary, seal: _ } = thought;
        for (is_summary, told, texts) in [(true, told.0, summary), (false, told.1, text)] {
            for (part, said) in (0u64..).zip(texts).filter(|_| !told) {
                self.think(at, (is_summary, part), said, false, sink);
            }
        }
        if !cipher.is_empty() {
            let block = self.thought_block(at, sink);
            let seal = Author::Provider(&self.provider).seal(cipher, own.as_ref());
            if let (Some(block), Some(seal)) = (block, seal) {
                sink(Event::Sealed { block, seal });
            }
        }
    }

    /// The block of a thought; one of which nothing was told is opened for its cipher.
    fn thought_block(&mut self, at: usize, sink: &mut Sink<'_>) -> Option<BlockId> {
        let Some(Kind::Thought { id, summary, text }) = self.kind(at) else { return None };
        if let Some((block, _)) = summary.or(*text) {
            return Some(block);
        }
        let id = (!id.is_empty()).then(|| Text::from(id.clone()));
        let block = self.opened(Head::Reasoning { id, summary: true }, sink);
        if let Some(Kind::Thought { summary, .. }) = self.kind_mut(at) {
            *summary = Some((block, 0));
        }
        Some(block)
    }

    fn whole_call(&mut self, at: usize, arguments: &Arguments<'_>, sink: &mut Sink<'_>) {
        if let Some(Kind::Call { block, said: false }) = self.kind(at) {
            let text = match arguments {
                Arguments::Object(raw) => Text::from(*raw),
                Arguments::Quoted(text) | Arguments::Free(text) => text.borrowed(),
            };
            say(*block, text, sink);
        }
    }

    /// Closes the blocks of an item.
    fn close(&mut self, at: usize, sink: &mut Sink<'_>) {
        let mut close = |block| sink(Event::Close { block });
        match self.kind_mut(at) {
            Some(Kind::Message(parts)) => {
                for part in parts.iter_mut().filter(|part| part.open) {
                    part.open = false;
                    close(part.block);
                }
            }
            Some(Kind::Thought { summary, text, .. }) => {
                [*summary, *text].into_iter().flatten().for_each(|(block, _)| close(block));
            }
            Some(Kind::Call { block, .. }) => close(*block),
            Some(Kind::Opaque | Kind::Done) | None => {}
        }
    }

    pub(super) fn complete(&mut self, root: Node<'_, '_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        const RESPONSE: &str = "response";
        let response = root.get(RESPONSE).ok_or_else(|| DecodeError::Missing { field: RESPONSE.into() })?;
        self.start(Some(response), sink);
        let mut members = fields(response, RESPONSE)?;
        let end = End::take(&mut members)?;
        let usage = members.take("usage").and_then(answer::read_usage);
        let tier = members.take("service_tier").and_then(Node::text);
        let output = members.take(OUTPUT);
        // Servers that told nothing before tell it all now.
        if self.items.is_empty() {
            for (index, node) in (0u64..).zip(output.into_iter().flat_map(Node::elements)) {
                self.whole_item(index, node, sink)?;
            }
        }
        for at in 0..self.items.len() {
            self.close(at, sink);
            self.done(at);
        }
        if let Some(finish) = end.reason(self.called, self.refused) {
            sink(Event::Finish { choice: 0, finish });
        }
        if let Some(usage) = usage {
            sink(Event::Usage(usage));
        }
        if let Some(tier) = tier {
            sink(Event::ServiceTier(tier));
        }
        self.ended = true;
        sink(Event::End);
        Ok(())
    }
}

impl Part {
    /// Tells what the whole part has that was not told of it, and closes it.
    pub(super) fn settle(&mut self, whole: Node<'_, '_>, sink: &mut Sink<'_>) {
        if self.open && !self.said {
            let text = whole.get("text").or_else(|| whole.get("refusal")).and_then(Node::text);
            say(self.block, text.unwrap_or_default(), sink);
        }
        if !self.weighed {
            self.weighed = tell_logprobs(whole.get("logprobs"), sink);
        }
        if !self.open {
            return;
        }
        let annotations = whole.get("annotations").into_iter().flat_map(Node::elements);
        for citation in annotations.skip(self.cited).map(read_citation) {
            sink(Event::Cite { block: self.block, citation });
        }
        self.open = false;
        sink(Event::Close { block: self.block });
    }
}
