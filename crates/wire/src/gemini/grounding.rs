//! Sources: `groundingMetadata` and `citationMetadata` of a candidate, which cite its parts by number and
//! byte, and from other dialects the sources of each text.

use super::read;
use crate::json::{Node, Text, Writer};
use crate::neutral::{Block, Citation, Content, Path};

/// Citations of one answer; what a hostile one has more is not looked at.
const MAX_CITATIONS: usize = 256;

/// A source, and what of the answer it is one of.
pub(super) struct Found<'a> {
    /// The part, where it is told.
    part: Option<u32>,
    /// First byte of the citing text, and the one after its last.
    bytes: Option<(usize, usize)>,
    pub(super) citation: Citation<'a>,
}

/// The sources in `groundingMetadata`.
pub(super) fn read<'a>(node: Node<'_, 'a>) -> Vec<Found<'a>> {
    let list = |name| read::get(node, name).into_iter().flat_map(Node::elements);
    let chunks: Vec<Node<'_, 'a>> = list("groundingChunks").collect();
    let mut found = Vec::new();
    for support in list("groundingSupports") {
        let segment = read::get(support, "segment");
        let index = |name: &str| segment.and_then(|node| read::get(node, name)).and_then(Node::count);
        let bytes = index("endIndex").map(|end| (position(index("startIndex").unwrap_or(0)), position(end)));
        let part = index("partIndex").unwrap_or(0);
        let quote = segment.and_then(|node| node.get("text")).and_then(Node::text);
        let indices = read::get(support, "groundingChunkIndices").into_iter().flat_map(Node::elements);
        for at in indices.filter_map(Node::count) {
            let Some(chunk) = chunks.get(position(at)) else { continue };
            let citation = Citation { quote: quote.clone(), ..source(*chunk) };
            found.push(Found { part: u32::try_from(part).ok(), bytes, citation });
            if found.len() >= MAX_CITATIONS {
                return found;
            }
        }
    }
    if found.is_empty() {
        let alone = |chunk: Node<'_, 'a>| Found { part: None, bytes: None, citation: source(chunk) };
        found.extend(chunks.into_iter().take(MAX_CITATIONS).map(alone));
    }
    found
}

/// The sources in `citationMetadata`.
pub(super) fn read_recited<'a>(node: Node<'_, 'a>) -> Vec<Found<'a>> {
    // The Gemini API and Vertex AI have different names for the list.
    let list = read::get(node, "citationSources").or_else(|| node.get("citations"));
    let one = |node: Node<'_, 'a>| {
        let index = |name: &str| read::get(node, name).and_then(Node::count).map(position);
        let bytes = index("endIndex").map(|end| (index("startIndex").unwrap_or(0), end));
        let text = |name: &str| node.get(name).and_then(Node::text);
        let citation =
            Citation { url: text("uri"), title: text("title"), quote: None, span: None, raw: node.raw() };
        Found { part: None, bytes, citation }
    };
    list.into_iter().flat_map(Node::elements).take(MAX_CITATIONS).map(one).collect()
}

fn source<'a>(chunk: Node<'_, 'a>) -> Citation<'a> {
    let inner = ["web", "retrievedContext", "maps", "image"].iter().find_map(|name| read::get(chunk, name));
    let text = |name: &str| inner.and_then(|inner| read::get(inner, name)).and_then(Node::text);
    Citation {
        url: text("uri").or_else(|| text("sourceUri")),
        title: text("title"),
        quote: None,
        span: None,
        raw: chunk.raw(),
    }
}

fn position(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Gives each text its sources; those of no text are left out.
pub(super) fn attach<'a>(blocks: &mut [Block<'a>], found: Vec<Found<'a>>) {
    for Found { part, bytes, mut citation } in found {
        let cited = |block: &&mut Block<'a>| match block.path {
            Path::Part(_, _, _, at) => Some(at) == part,
            _ => false,
        };
        let is_text = |block: &&mut Block<'a>| matches!(block.content, Content::Text { .. });
        let place = blocks.iter_mut().filter(is_text).find(cited);
        let place = match place {
            Some(block) => Some(block),
            None => blocks.iter_mut().rev().find(is_text),
        };
        if let Some(Block { content: Content::Text { text, citations }, .. }) = place {
            citation.span = bytes.and_then(|(start, end)| {
                let value = text.value();
                let start_chars = value.get(..start)?.chars().count();
                let chars = value.get(start..end)?.chars().count();
                Some((start_chars as u64, (start_chars + chars) as u64))
            });
            citations.push(citation);
        }
    }
}

/// A source as it is told to a client.
#[derive(Clone, Debug)]
pub(super) struct Cited {
    url: String,
    title: Option<String>,
    quote: Option<String>,
    bytes: Option<(usize, usize)>,
    part: u32,
}

impl Cited {
    /// `None` where there is no address. `text` is what cites it, and `part` the number of its part.
    pub(super) fn new(citation: &Citation<'_>, text: Option<&str>, part: u32) -> Option<Self> {
        let Citation { url, title, quote, span, raw: _ } = citation;
        let bytes = span.zip(text).and_then(|((start, end), text)| {
            let (start, end) = (byte_at(text, start)?, byte_at(text, end)?);
            (start < end).then_some((start, end))
        });
        let owned = |text: &Text<'_>| text.value().into_owned();
        Some(Self {
            url: owned(url.as_ref()?),
            title: title.as_ref().map(owned),
            quote: quote.as_ref().map(owned),
            bytes,
            part,
        })
    }
}

/// Where the character stands, or the end.
fn byte_at(text: &str, chars: u64) -> Option<usize> {
    let chars = position(chars);
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(chars)
}

/// Writes `groundingMetadata`.
pub(super) fn write(w: &mut Writer, cited: &[Cited]) {
    w.object(|w| {
        w.key("groundingChunks").array(|w| {
            for Cited { url, title, .. } in cited {
                w.object(|w| {
                    w.key("web").object(|w| {
                        w.key("uri").string(url);
                        if let Some(title) = title {
                            w.key("title").string(title);
                        }
                    });
                });
            }
        });
        if cited.iter().all(|cited| cited.bytes.is_none() && cited.quote.is_none()) {
            return;
        }
        w.key("groundingSupports").array(|w| {
            for (at, cited) in (0u64..).zip(cited) {
                write_support(w, at, cited);
            }
        });
    });
}

fn write_support(w: &mut Writer, at: u64, cited: &Cited) {
    let Cited { quote, bytes, part, .. } = cited;
    if quote.is_none() && bytes.is_none() {
        return;
    }
    w.object(|w| {
        w.key("segment").object(|w| {
            if *part > 0 {
                w.key("partIndex").count(u64::from(*part));
            }
            if let Some((start, end)) = bytes {
                w.key("startIndex").count(*start as u64).key("endIndex").count(*end as u64);
            }
            if let Some(quote) = quote {
                w.key("text").string(quote);
            }
        });
        w.key("groundingChunkIndices").array(|w| {
            w.count(at);
        });
    });
}
