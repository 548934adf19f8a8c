//! The frames of a stream that is written.

use crate::json::{Document, Node, Text, Writer};

/// The types of what a thought consists of.
pub(super) const SUMMARY: &str = "summary_text";
pub(super) const THOUGHT: &str = "reasoning_text";

pub(super) fn write_thought_part(w: &mut Writer, kind: &str, text: &str) {
    w.key("part").object(|w| {
        w.key("type").string(kind).key("text").string(text);
    });
}

pub(super) const fn delta_name(custom: bool) -> &'static str {
    if custom { "response.custom_tool_call_input.delta" } else { "response.function_call_arguments.delta" }
}
/// What an event is about.
pub(super) struct Place<'p> {
    pub(super) item: usize,
    pub(super) id: &'p str,
    /// The part, under the name that it has there.
    pub(super) index: Option<(&'static str, usize)>,
}

impl Place<'_> {
    pub(super) fn frame(
        &self,
        out: &mut Writer,
        sequence: &mut u64,
        name: &str,
        members: impl FnOnce(&mut Writer),
    ) {
        frame(out, sequence, name, |w| {
            w.key("item_id").string(self.id).key("output_index").count(self.item as u64);
            if let Some((name, at)) = self.index {
                w.key(name).count(at as u64);
            }
            members(w);
        });
    }

    /// An event with a piece of text, as [`Place::frame`] does it, but without a look at each of the names: this
    /// is what a stream is made of. `more`: members behind the text, with a comma in front.
    pub(super) fn delta(
        &self,
        out: &mut Writer,
        sequence: &mut u64,
        name: &str,
        text: &Text<'_>,
        more: &[u8],
    ) {
        out.frame(b"event: ").frame(name.as_bytes()).frame(b"\ndata: {\"type\":\"").frame(name.as_bytes());
        out.frame(b"\",\"sequence_number\":").count(*sequence).frame(b",\"item_id\":").string(self.id);
        out.frame(b",\"output_index\":").count(self.item as u64);
        if let Some((name, at)) = self.index {
            out.frame(b",\"").frame(name.as_bytes()).frame(b"\":").count(at as u64);
        }
        out.frame(b",\"delta\":").text(text).frame(more).frame(b"}\n\n");
        *sequence += 1;
    }
}

/// One event: its name is also its `type`.
pub(super) fn frame(out: &mut Writer, sequence: &mut u64, name: &str, members: impl FnOnce(&mut Writer)) {
    out.frame(b"event: ").frame(name.as_bytes()).frame(b"\ndata: ");
    out.object(|w| {
        w.key("type").string(name).key("sequence_number").count(*sequence);
        members(w);
    });
    out.frame(b"\n\n");
    *sequence += 1;
}

/// The JSON text that is written.
pub(super) fn written(write: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::with_capacity(256);
    write(&mut writer);
    String::from_utf8(writer.finish()).unwrap_or_default()
}

/// The entries of log probabilities, as JSON texts.
pub(super) fn entries(raw: &str) -> Vec<String> {
    let document = Document::read(raw.as_bytes()).ok();
    let list = document.as_ref().and_then(|document| document.root().get("content"));
    list.into_iter().flat_map(Node::elements).map(|entry| entry.raw().to_owned()).collect()
}
