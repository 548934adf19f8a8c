//! Usage in answers that are relayed and never held: a scanner over bytes of any length.

use pointsman_core::Usage;

use super::usage;
use crate::json::Scanner;

const USAGE: &[u8] = b"usage";
const MODEL: &[u8] = b"model";
/// Longest model name that is read, in bytes.
const MAX_MODEL_BYTES: usize = 256;
/// Longest usage object that is read, in bytes.
const MAX_USAGE_BYTES: usize = 4 * 1024;
/// `{"usage": …}` and `{"response": {"usage": …}}`; `model` likewise.
const MAX_DEPTH: u32 = 2;

/// Finds the last `usage` object and the last `model` in a JSON document, or in the events of a stream,
/// however they are cut.
#[derive(Debug, Default)]
pub struct UsageScanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The first bytes of the string that stands here or stood last.
    word: Vec<u8>,
    /// The last string was the key `usage`, and its value comes next.
    awaited: bool,
    /// The same for the key `model`.
    names: bool,
    /// The string that stands here is the value of `model`.
    naming: bool,
    model: Option<String>,
    /// The object under construction, and the depth outside it.
    object: Option<(Vec<u8>, u32)>,
    usage: Option<Usage>,
}

impl UsageScanner {
    /// What was found last.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The model that was named last.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Looks at the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if let Some((object, _)) = &mut self.object {
                if object.len() < MAX_USAGE_BYTES {
                    object.push(byte);
                } else {
                    self.object = None;
                }
            }
            if self.in_string {
                self.inside(byte);
            } else {
                self.outside(byte);
            }
        }
    }

    fn inside(&mut self, byte: u8) {
        match byte {
            // No JSON: the next line begins anew.
            b'\n' => *self = Self { usage: self.usage, model: self.model.take(), ..Self::default() },
            _ if self.escaped => self.escaped = false,
            b'\\' => {
                self.escaped = true;
                self.word.push(byte);
            }
            b'"' => {
                self.in_string = false;
                if std::mem::take(&mut self.naming) {
                    self.model = name(&self.word).or(self.model.take());
                }
            }
            _ if self.word.len() <= self.longest() => self.word.push(byte),
            _ => {}
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'"' if self.depth > 0 => {
                self.in_string = true;
                self.awaited = false;
                self.naming = std::mem::take(&mut self.names);
                self.word.clear();
            }
            b':' => {
                let here = (1..=MAX_DEPTH).contains(&self.depth) && self.object.is_none();
                self.awaited = here && self.word == USAGE;
                self.names = here && self.word == MODEL;
                self.word.clear();
            }
            b'{' | b'[' => {
                if byte == b'{' && std::mem::take(&mut self.awaited) {
                    self.object = Some((vec![byte], self.depth));
                }
                self.depth += 1;
                self.names = false;
                self.word.clear();
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.object.as_ref().is_some_and(|(_, outside)| self.depth == *outside)
                    && let Some((object, _)) = self.object.take()
                {
                    self.usage = read(&object).or(self.usage);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => (self.awaited, self.names) = (false, false),
        }
    }

    /// How much of the string that stands here matters.
    const fn longest(&self) -> usize {
        if self.naming { MAX_MODEL_BYTES } else { USAGE.len() }
    }
}

/// A name that needs no escape and is not too long.
fn name(word: &[u8]) -> Option<String> {
    let plain = !word.is_empty() && word.len() <= MAX_MODEL_BYTES && !word.contains(&b'\\');
    plain.then(|| String::from_utf8(word.to_vec()).ok())?
}

fn read(object: &[u8]) -> Option<Usage> {
    usage::read(&mut Scanner::new(object).ok()?).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(parts: &[&[u8]]) -> Option<(u64, u64)> {
        let mut scanner = UsageScanner::default();
        parts.iter().for_each(|part| scanner.push(part));
        scanner.usage().map(|usage| (usage.input, usage.output))
    }

    #[test]
    fn usage_is_found_however_the_bytes_are_cut() {
        let stream =
            b"event: image_generation.partial_image\ndata: {\"b64\":\"AA\\\"==\",\"usage\":null}\n\n\
data: {\"x\":{\"y\":{\"usage\":{\"input_tokens\":9}}},\"usage\" : {\"input_tokens\":3,\"output_tokens\":4,\
\"input_tokens_details\":{\"image_tokens\":1}},\"t\":\"usage\"}\n\n";
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(found(&[a, b]), Some((3, 4)), "cut at {at}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(found(&single), Some((3, 4)));
    }

    #[test]
    fn the_model_is_the_one_that_is_named_last() {
        let named = |parts: &[&[u8]]| {
            let mut scanner = UsageScanner::default();
            parts.iter().for_each(|part| scanner.push(part));
            scanner.model().map(str::to_owned)
        };
        let stream = b"data: {\"model\":\"a\",\"text\":\"model\"}\n\n\
data: {\"response\":{\"model\" : \"gpt-4o-2024\",\"x\":{\"model\":\"no\"},\"usage\":{\"input_tokens\":1}}}\n\n";
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(named(&[a, b]).as_deref(), Some("gpt-4o-2024"), "cut at {at}");
        }
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(MAX_MODEL_BYTES + 1));
        for none in [r#"{"model":{"a":"b"}}"#, r#"{"model":["b"]}"#, r#"{"model":null,"b":"c"}"#, &long] {
            assert_eq!(named(&[none.as_bytes()]), None, "{none}");
        }
        assert_eq!(named(&[br#"{"model":"a\u0062"}"#]), None);
        assert_eq!(named(&[br#"{"x":"\"model\":\"y\""}"#]), None);
    }

    #[test]
    fn what_only_looks_like_usage() {
        assert_eq!(found(&[br#"{"text":"\"usage\":{\"input_tokens\":3}"}"#]), None);
        assert_eq!(found(&[br#"{"a":{"b":{"usage":{"input_tokens":3}}}}"#]), None);
        assert_eq!(found(&[br#"{"us\u0061ge":{"input_tokens":3}}"#]), None);
        assert_eq!(found(&[b"data: {\"broken\n\ndata: {\"usage\":{\"input_tokens\":5}}\n\n"]), Some((5, 0)));
        let long = format!("{{\"usage\":{{\"x\":\"{}\",\"input_tokens\":3}}}}", "y".repeat(MAX_USAGE_BYTES));
        assert_eq!(found(&[long.as_bytes()]), None);
    }
}
