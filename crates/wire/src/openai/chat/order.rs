//! The order of what the model thinks, says and calls.
//!
//! This dialect has the three in three members. Claude refuses a turn whose thoughts have moved, so that what
//! came before each is told with its seal ([`Behind`]), which clients hand back, and the turn is put together again.

use std::collections::VecDeque;

use crate::json::Text;
use crate::neutral::{Behind, Block, Citation, Content};

/// The blocks of one message, with each thought behind as much text and as many calls as its seal says.
pub(super) fn restored(blocks: Vec<Block<'_>>) -> Vec<Block<'_>> {
    if blocks.iter().all(|block| behind(block) == Behind::NOTHING) {
        return blocks;
    }
    let mut cuts: Vec<u64> = blocks.iter().map(|block| behind(block).chars).collect();
    cuts.sort_unstable();
    let mut restored = Vec::with_capacity(blocks.len());
    let (thoughts, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| matches!(block.content, Content::Reasoning(_)));
    let (calls, said): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|block| matches!(block.content, Content::ToolCall(_)));
    let (mut calls, mut said) = (VecDeque::from(calls), cut(said, &cuts));
    let (mut chars, mut called) = (0, 0);
    for thought in thoughts {
        let behind = behind(&thought);
        while chars < behind.chars
            && let Some((length, block)) = said.pop_front()
        {
            chars += length;
            restored.push(block);
        }
        while called < behind.calls
            && let Some(call) = calls.pop_front()
        {
            called += 1;
            restored.push(call);
        }
        restored.push(thought);
    }
    restored.extend(said.into_iter().map(|(_, block)| block));
    restored.extend(calls);
    restored
}

fn behind(block: &Block<'_>) -> Behind {
    match &block.content {
        Content::Reasoning(thought) => thought.seal.as_ref().map_or(Behind::NOTHING, |seal| seal.behind),
        _ => Behind::NOTHING,
    }
}

/// Texts cut at these characters of all of them (in order), each piece with its length; other blocks have none.
fn cut<'a>(blocks: Vec<Block<'a>>, cuts: &[u64]) -> VecDeque<(u64, Block<'a>)> {
    let mut cuts = cuts.iter().copied().peekable();
    let mut pieces = VecDeque::with_capacity(blocks.len());
    let mut chars = 0;
    for mut block in blocks {
        let Content::Text { text, citations } = &mut block.content else {
            pieces.push_back((0, block));
            continue;
        };
        let (value, began) = (text.value(), chars);
        let (mut from, mut since) = (0, chars);
        let mut front = Vec::new();
        for (at, _) in value.char_indices() {
            while cuts.next_if(|cut| *cut < chars).is_some() {}
            if cuts.peek() == Some(&chars) && chars > since {
                let piece = value.get(from..at).unwrap_or_default().to_owned();
                front.push((chars - since, Block::new(Content::text(Text::from(piece)), block.path)));
                (from, since) = (at, chars);
            }
            chars += 1;
        }
        if !front.is_empty() {
            // Sources and whatever else is said of the text stay with its end.
            let last = Text::from(value.get(from..).unwrap_or_default().to_owned());
            citations.iter_mut().for_each(|citation| shift(citation, since - began));
            *text = last;
        }
        pieces.extend(front);
        pieces.push_back((chars - since, block));
    }
    pieces
}

/// Counts from `by` characters later on.
fn shift(citation: &mut Citation<'_>, by: u64) {
    citation.span = citation.span.map(|(start, end)| (start.saturating_sub(by), end.saturating_sub(by)));
}

#[cfg(test)]
mod tests {
    use pointsman_core::Dialect;

    use super::*;
    use crate::neutral::{Arguments, Path, Reasoning, Seal, SealKind, ToolCall};

    const PATH: Path = Path::Item("messages", 1);

    fn thought(name: &'static str, chars: u64, calls: u64) -> Block<'static> {
        let mut seal = Seal::from_provider(Text::from(name), SealKind::Signature, Dialect::Anthropic, "a");
        seal.behind = Behind { chars, calls };
        let thought = Reasoning { text: vec![Text::from(name)], seal: Some(seal), ..Reasoning::default() };
        Block::new(Content::Reasoning(thought), PATH)
    }

    fn said(text: &'static str) -> Block<'static> {
        Block::new(Content::text(Text::from(text)), PATH)
    }

    fn call(name: &'static str) -> Block<'static> {
        let (id, name) = (Text::from(name), Text::from(name));
        let call = ToolCall { id, item: None, name, arguments: Arguments::Object("{}"), seal: None };
        Block::new(Content::ToolCall(call), PATH)
    }

    fn told(blocks: &[Block<'_>]) -> String {
        let words = blocks.iter().map(|block| match &block.content {
            Content::Text { text, .. } => format!("'{}'", text.value()),
            Content::Reasoning(thought) => format!("({})", thought.text[0].value()),
            Content::ToolCall(call) => format!("{}()", call.name.value()),
            Content::Refusal(text) => format!("!{}", text.value()),
            other => format!("{other:?}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn thoughts_go_back_to_where_they_stood() {
        let blocks = vec![
            thought("A", 0, 0),
            thought("B", 5, 0),
            thought("C", 5, 1),
            thought("D", 8, 2),
            said("größe two"),
            call("x"),
            call("y"),
        ];
        assert_eq!(told(&restored(blocks)), "(A) 'größe' (B) x() (C) ' tw' y() (D) 'o'");
    }

    #[test]
    fn what_a_client_changed_is_taken_as_far_as_it_goes() {
        // Shorter text, fewer calls, another order, and thoughts that nobody placed.
        let blocks =
            vec![thought("A", 90, 7), thought("B", 2, 0), thought("C", 0, 0), said("abc"), call("x")];
        assert_eq!(told(&restored(blocks)), "'ab' 'c' x() (A) (B) (C)");
        let blocks = vec![thought("A", 1, 0), said(""), said("a"), said("b")];
        assert_eq!(told(&restored(blocks)), "'' 'a' (A) 'b'");
        let refusal = Block::new(Content::Refusal(Text::from("no")), PATH);
        assert_eq!(
            told(&restored(vec![thought("A", 3, 0), said("ab"), refusal, said("c")])),
            "'ab' !no 'c' (A)"
        );
    }

    #[test]
    fn without_places_nothing_moves() {
        let blocks = vec![call("x"), said("a"), thought("A", 0, 0), said("b")];
        assert_eq!(told(&restored(blocks)), "x() 'a' (A) 'b'");
    }

    #[test]
    fn sources_stay_with_the_end_of_the_text() {
        let mut text = said("one two");
        let source = Citation { url: None, title: None, quote: None, span: Some((4, 7)), raw: "{}" };
        if let Content::Text { citations, .. } = &mut text.content {
            citations.push(source);
        }
        let blocks = restored(vec![thought("A", 4, 0), text]);
        let spans = blocks.iter().filter_map(|block| match &block.content {
            Content::Text { citations, .. } => Some(citations.iter().map(|own| own.span).collect::<Vec<_>>()),
            _ => None,
        });
        assert_eq!(spans.collect::<Vec<_>>(), [vec![], vec![Some((0, 3))]]);
    }

    #[test]
    fn tens_of_thousands_of_thoughts_are_placed_in_one_pass() {
        const MANY: u64 = 60_000;
        let text = "ä".repeat(MANY as usize * 2);
        let mut blocks: Vec<_> = (0..MANY).map(|at| thought("A", at * 2, 0)).collect();
        blocks.push(Block::new(Content::text(Text::from(text)), PATH));
        assert_eq!(restored(blocks).len() as u64, MANY * 2);
    }
}
