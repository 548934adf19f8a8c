//! Cuts edits into a body without copying or touching any other byte of it.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::probe::{ObjectPlace, Probe, StreamOptions};

/// The pieces of an edited body, in order: slices of the original and the edits between them.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// What to replace in a body: ordered, not overlapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(SmallVec<[(Range<usize>, Bytes); 2]>);

impl Edits {
    /// Whether the body stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length of the edited body, from that of the original.
    #[must_use]
    pub fn edited_len(&self, original: usize) -> usize {
        let added: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        let removed: usize = self.0.iter().map(|(range, _)| range.len()).sum();
        (original + added).saturating_sub(removed)
    }

    /// The edited body made the slow way: the referee in tests and fuzzing.
    pub(crate) fn applied_naively(&self, body: &[u8]) -> Vec<u8> {
        let mut text = body.to_vec();
        for (range, replacement) in self.0.iter().rev() {
            text.splice(range.clone(), replacement.iter().copied());
        }
        text
    }
}

impl Probe<'_> {
    /// The edits that set `model` to `model_json` (a JSON string, quotes included) and, with
    /// `include_usage`, `stream_options.include_usage` to true. Members that are absent are added at
    /// the start of their object.
    #[must_use]
    pub fn edits(&self, model_json: &Bytes, include_usage: bool) -> Edits {
        let mut edits = Edits::default();
        let add_options = include_usage && self.stream_options.is_none();
        match &self.model {
            Some(model) => {
                if add_options {
                    edits.0.push(insert(self.body, OPTIONS_MEMBER, OPTIONS_MEMBER_COMMA));
                }
                edits.0.push((model.range.clone(), model_json.clone()));
            }
            None => edits.0.push(self.add_model(model_json, add_options)),
        }
        if include_usage && let Some(edit) = self.options_edit() {
            edits.0.push(edit);
        }
        edits.0.sort_unstable_by_key(|(range, _)| range.start);
        edits
    }

    /// `None`: there are no options to edit, or they say it already.
    fn options_edit(&self) -> Option<(Range<usize>, Bytes)> {
        match self.stream_options.as_ref()? {
            _ if self.include_usage == Some(true) => None,
            StreamOptions::Null(range) => Some((range.clone(), Bytes::from_static(OPTIONS_VALUE))),
            StreamOptions::Object(_, Some(range)) => Some((range.clone(), Bytes::from_static(b"true"))),
            StreamOptions::Object(place, None) => Some(insert(*place, USAGE_MEMBER, USAGE_MEMBER_COMMA)),
        }
    }

    #[cold]
    fn add_model(&self, model_json: &Bytes, add_options: bool) -> (Range<usize>, Bytes) {
        let options = if add_options { OPTIONS_MEMBER } else { b"" };
        let between: &[u8] = if add_options { b"," } else { b"" };
        let after: &[u8] = if self.body.empty { b"" } else { b"," };
        let text = [options, between, b"\"model\":", model_json, after].concat();
        (self.body.start..self.body.start, text.into())
    }
}

/// Applies `edits`, which must have been made for this very body.
#[must_use]
pub fn splice(body: &Bytes, edits: &Edits) -> Pieces {
    let mut pieces = Pieces::new();
    let mut from = 0;
    for (range, text) in &edits.0 {
        if range.start > from {
            pieces.push(body.slice(from..range.start));
        }
        pieces.push(text.clone());
        from = range.end;
    }
    if from < body.len() {
        pieces.push(body.slice(from..));
    }
    pieces
}

const OPTIONS_VALUE: &[u8] = br#"{"include_usage":true}"#;
const OPTIONS_MEMBER: &[u8] = br#""stream_options":{"include_usage":true}"#;
const OPTIONS_MEMBER_COMMA: &[u8] = br#""stream_options":{"include_usage":true},"#;
const USAGE_MEMBER: &[u8] = br#""include_usage":true"#;
const USAGE_MEMBER_COMMA: &[u8] = br#""include_usage":true,"#;

fn insert(place: ObjectPlace, alone: &'static [u8], comma: &'static [u8]) -> (Range<usize>, Bytes) {
    let text = if place.empty { alone } else { comma };
    (place.start..place.start, Bytes::from_static(text))
}

#[cfg(test)]
mod tests;
