//! Writing what both requests and answers have: `reasoning_details`, calls and sources.

use crate::json::{Text, Writer};
use crate::neutral::{Citation, Reasoning, SealKind};

/// Writes a thought as OpenRouter does: one entry each for its text, its summary and its cipher, joined
/// by `index`. `more` adds members to each entry.
pub(super) fn write_thought(
    w: &mut Writer,
    index: u64,
    thought: &Reasoning<'_>,
    seal: Option<(SealKind, Text<'_>)>,
    more: impl Fn(&mut Writer),
) {
    let (signature, cipher) = match seal {
        Some((SealKind::Signature, text)) => (Some(text), None),
        Some((SealKind::Encrypted, text)) => (None, Some(text)),
        None => (None, None),
    };
    let entry = |w: &mut Writer, kind: &str, members: &dyn Fn(&mut Writer)| {
        w.object(|w| {
            w.key("type").string(kind);
            members(w);
            if let Some(id) = &thought.id {
                w.key("id").text(id);
            }
            w.key("index").count(index);
            more(w);
        });
    };
    if !thought.text.is_empty() || signature.is_some() {
        entry(w, "reasoning.text", &|w| {
            if !thought.text.is_empty() {
                w.key("text").joined(&thought.text);
            }
            if let Some(signature) = &signature {
                w.key("signature").text(signature);
            }
        });
    }
    if !thought.summary.is_empty() {
        entry(w, "reasoning.summary", &|w| {
            w.key("summary").joined(&thought.summary);
        });
    }
    if let Some(cipher) = &cipher {
        entry(w, "reasoning.encrypted", &|w| {
            w.key("data").text(cipher);
        });
    }
}

/// Google's place for the proof of a call.
pub(super) fn write_call_proof(w: &mut Writer, proof: &Text<'_>) {
    w.key("extra_content").object(|w| {
        w.key("google").object(|w| {
            w.key("thought_signature").text(proof);
        });
    });
}

/// A source; one without an address has no place here (false).
///
/// `before`: characters of text before the one that cites.
pub(super) fn write_citation(w: &mut Writer, citation: &Citation<'_>, before: u64) -> bool {
    let Citation { url, title, quote, span, raw: _ } = citation;
    let Some(url) = url else { return false };
    // Clients read both ends as numbers that are always there.
    let (start, end) =
        span.map_or((0, 0), |(start, end)| (start.saturating_add(before), end.saturating_add(before)));
    w.object(|w| {
        w.key("type").string("url_citation").key("url_citation").object(|w| {
            w.key("url").text(url).key("title").text(title.as_ref().unwrap_or(&Text::default()));
            w.key("start_index").count(start).key("end_index").count(end);
            if let Some(quote) = quote {
                w.key("content").text(quote);
            }
        });
    });
    true
}
