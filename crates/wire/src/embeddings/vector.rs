//! One vector: the numbers as they stand in the answer, or decoded from base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::{Kind, Node, Writer};
use crate::neutral::DecodeError;

/// A vector of numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Vector<'a> {
    /// A JSON array of numbers, as it stands.
    Raw(&'a str),
    /// Its numbers.
    Floats(Vec<f32>),
}

impl<'a> Vector<'a> {
    /// Reads an array of numbers, or OpenAI's base64 of little-endian `f32`s.
    pub(super) fn read(node: Node<'_, 'a>, field: &str) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::wrong(field, "a list of numbers");
        match node.kind() {
            Kind::Array if node.elements().all(|number| number.kind() == Kind::Number) => {
                Ok(Self::Raw(node.raw()))
            }
            Kind::String => {
                let text = node.text().unwrap_or_default();
                let bytes = STANDARD.decode(text.value().as_bytes()).map_err(|_| wrong())?;
                let (chunks, rest) = bytes.as_chunks::<4>();
                let floats: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
                // What is no number cannot be written as one.
                let sound = rest.is_empty() && floats.iter().all(|float| float.is_finite());
                sound.then_some(Self::Floats(floats)).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    /// About how long it is as a text.
    pub(super) const fn text_len(&self) -> usize {
        match self {
            Self::Raw(raw) => raw.len(),
            Self::Floats(floats) => floats.len() * 14,
        }
    }

    /// Writes it as a list of numbers.
    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::Raw(raw) => {
                w.raw(raw);
            }
            Self::Floats(floats) => {
                w.array(|w| {
                    for float in floats {
                        // The shortest text that reads back as the same number.
                        w.raw(&float.to_string());
                    }
                });
            }
        }
    }

    /// Writes it as base64 of little-endian `f32`s.
    pub(super) fn write_base64(&self, w: &mut Writer) {
        let bytes: Vec<u8> = match self {
            Self::Floats(floats) => floats.iter().flat_map(|float| float.to_le_bytes()).collect(),
            Self::Raw(raw) => numbers(raw).flat_map(f32::to_le_bytes).collect(),
        };
        w.string(&STANDARD.encode(bytes));
    }
}

/// The numbers of a JSON array that holds nothing else.
fn numbers(raw: &str) -> impl Iterator<Item = f32> {
    let inner = raw.trim_matches(|c: char| c == '[' || c == ']' || c.is_ascii_whitespace());
    // What is beyond an `f32` is as far as one reaches.
    let read = |number: &str| Some(number.trim_ascii().parse::<f32>().ok()?.clamp(f32::MIN, f32::MAX));
    inner.split(',').filter_map(read)
}
