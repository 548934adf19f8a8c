//! Goes on with a stream that somebody else began: with its numbers, its items and their ids.

use super::super::frames::frame;
use super::super::items::Item;
use super::{Slot, StreamEncoder};
use crate::convert::Moment;
use crate::json::{Document, Node, Text, Writer};

/// Items of one answer; what is beyond keeps no place.
const MAX_ITEMS: usize = 4_096;

impl StreamEncoder {
    /// The client has this event.
    pub(crate) fn shown(&mut self, data: &[u8], moment: Moment) {
        let Ok(document) = Document::read(data) else { return };
        let root = document.root();
        let kind = root.get("type").and_then(Node::text).unwrap_or_default();
        match (&*kind.value(), moment) {
            ("response.output_item.added", Moment::Before) => {
                if let Some(at) = self.announce(root) {
                    self.pad(at);
                }
            }
            ("response.output_item.done", Moment::After) => self.completed(root),
            ("response.content_part.added", Moment::After) => self.begin_last(),
            _ => {}
        }
        let number = root.get("sequence_number").and_then(Node::count).filter(|_| moment == Moment::After);
        if let Some(number) = number {
            self.sequence = number.saturating_add(1);
        }
    }

    /// Keeps what the client was told of an item; returns its place.
    fn announce(&mut self, root: Node<'_, '_>) -> Option<usize> {
        let at = root.get("output_index").and_then(Node::count)?;
        let at = usize::try_from(at).ok().filter(|at| *at < MAX_ITEMS)?;
        let item = root.get("item")?;
        if self.announced.len() <= at {
            self.announced.resize(at + 1, None);
        }
        *self.announced.get_mut(at)? = Some(item.raw().to_owned());
        Some(at)
    }

    /// Items that no event told of have their place all the same.
    fn pad(&mut self, until: usize) {
        while self.items.len() < until {
            let told = self.announced.get(self.items.len()).cloned().flatten();
            self.items.push(Item::Whole(told.unwrap_or_else(|| "{}".to_owned())));
        }
    }

    /// An item was told as a whole: so it is.
    fn completed(&mut self, root: Node<'_, '_>) {
        let Some(at) = self.announce(root) else { return };
        self.pad(at + 1);
        let whole = self.announced.get(at).cloned().flatten();
        if let (Some(item), Some(whole)) = (self.items.get_mut(at), whole) {
            *item = Item::Whole(whole);
        }
        self.going = self.going.filter(|going| *going != at);
    }

    /// A part was announced before its first piece.
    fn begin_last(&mut self) {
        if let Some((block, Slot::Unsaid { .. })) = self.blocks.last() {
            let block = *block;
            self.begun(block, &mut Writer::default());
        }
    }

    /// The id of the item that the client knows at the next place.
    pub(super) fn announced_id(&self) -> Option<String> {
        let told = self.announced.get(self.items.len())?.as_ref()?;
        let document = Document::read(told.as_bytes()).ok()?;
        Some(document.root().get("id")?.text()?.into_value().into_owned())
    }

    /// Whether the client knows the item at the next place already. An item of another kind that stands there
    /// is over.
    pub(super) fn is_announced(&mut self, item: &Item, out: &mut Writer) -> bool {
        while let Some(told) = self.announced.get(self.items.len()).cloned().flatten() {
            if kind_of(&told) == item.kind() {
                return true;
            }
            let at = self.items.len();
            frame(out, &mut self.sequence, "response.output_item.done", |w| {
                w.key("output_index").count(at as u64).key("item").raw(&told);
            });
            self.items.push(Item::Whole(told));
        }
        false
    }
}

impl Item {
    /// Its `type`.
    fn kind(&self) -> String {
        match self {
            Self::Message(_) => "message".to_owned(),
            Self::Thought(_) => "reasoning".to_owned(),
            Self::Call(call) if call.custom => "custom_tool_call".to_owned(),
            Self::Call(_) => "function_call".to_owned(),
            Self::Whole(raw) => kind_of(raw),
        }
    }
}

fn kind_of(item: &str) -> String {
    let document = Document::read(item.as_bytes()).ok();
    let kind = document.as_ref().and_then(|document| document.root().get("type")?.text());
    kind.map(Text::into_value).unwrap_or_default().into_owned()
}
