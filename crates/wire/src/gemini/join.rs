//! What clients keep of a stream, put together again.
//!
//! Google's SDKs keep each chunk of a streamed answer as a turn of the model: so texts and thoughts come back
//! in pieces. Texts are joined where two turns of the model meet. Thoughts of another provider are joined
//! with the signature that ended them, for whom they must be whole; Google's own must stay in their parts.

use super::{part, signature};
use crate::json::Text;
use crate::neutral::{Block, Content, Message, Reasoning, Role};

/// Joins the turns of a conversation.
pub(super) fn join(messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut joined: Vec<Message<'_>> = Vec::with_capacity(messages.len());
    // The pieces of the last text, where it came in several.
    let mut pieces: Vec<String> = Vec::new();
    for mut message in messages {
        let before = joined.last_mut().filter(|before| {
            before.role == Role::Assistant && message.role == Role::Assistant && message.rest.is_empty()
        });
        let Some(before) = before else {
            settle(&mut joined, &mut pieces);
            joined.push(message);
            continue;
        };
        let signed = message.blocks.first().and_then(|first| part::proof_of(first, message.blocks.get(1)));
        if let (Some(last), Some(first), None) =
            (plain(before.blocks.last()), plain(message.blocks.first()), signed)
        {
            if pieces.is_empty() {
                pieces.push(last.value().into_owned());
            }
            pieces.push(first.value().into_owned());
            message.blocks.remove(0);
        }
        if !message.blocks.is_empty() {
            settle(&mut joined, &mut pieces);
            if let Some(before) = joined.last_mut() {
                before.blocks.append(&mut message.blocks);
            }
        }
    }
    settle(&mut joined, &mut pieces);
    for message in joined.iter_mut().filter(|message| message.role == Role::Assistant) {
        message.blocks = gather(std::mem::take(&mut message.blocks));
    }
    joined
}

/// The text of a block that is nothing but text.
fn plain<'b, 'a>(block: Option<&'b Block<'a>>) -> Option<&'b Text<'a>> {
    match block? {
        Block { content: Content::Text { text, citations }, cache: None, path: _, rest }
            if citations.is_empty() && rest.is_empty() =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Puts the pieces where the first of them stands.
fn settle(joined: &mut [Message<'_>], pieces: &mut Vec<String>) {
    if pieces.is_empty() {
        return;
    }
    let whole = pieces.concat();
    pieces.clear();
    if let Some(Block { content: Content::Text { text, .. }, .. }) =
        joined.last_mut().and_then(|message| message.blocks.last_mut())
    {
        *text = Text::from(whole);
    }
}

/// Joins thoughts with the tagged seal that ends them.
fn gather(blocks: Vec<Block<'_>>) -> Vec<Block<'_>> {
    let mut gathered: Vec<Block<'_>> = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        if let Content::Reasoning(Reasoning { summary, seal: Some(seal), .. }) = &mut block.content
            && signature::is_tagged(seal)
        {
            let run = gathered.iter().rev().take_while(|before| is_bare_thought(before)).count();
            let thoughts = gathered.split_off(gathered.len() - run);
            let mut whole = String::new();
            for thought in &thoughts {
                if let Content::Reasoning(Reasoning { summary, .. }) = &thought.content {
                    summary.iter().for_each(|text| whole.push_str(&text.value()));
                }
            }
            if !thoughts.is_empty() {
                summary.iter().for_each(|text| whole.push_str(&text.value()));
                *summary = vec![Text::from(whole)];
            }
        }
        gathered.push(block);
    }
    gathered
}

fn is_bare_thought(block: &Block<'_>) -> bool {
    matches!(&block.content, Content::Reasoning(Reasoning { summary, seal: None, .. }) if !summary.is_empty())
}
