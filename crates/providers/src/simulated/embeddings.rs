//! Embeddings of the simulated provider: unit vectors drawn from a hash of the text, so that equal
//! texts have equal vectors on every machine.

use bytes::Bytes;
use pointsman_core::{PublicError, Rng};
use serde_json::{Value, json};

use super::Answer;
use super::request::{field, invalid, model, tokens};

/// As many as OpenAI's small model has.
const DIMENSIONS: usize = 1536;
/// More than any model has; bounds what one request can make us build.
const MOST_DIMENSIONS: u64 = 8192;
/// As OpenAI bounds a request.
const MOST_INPUTS: usize = 2048;
/// Bounds what one request can make us build: inputs times dimensions.
const MOST_NUMBERS: usize = 4 << 20;

/// `POST /v1/embeddings`
pub(super) fn answer(request: &Value) -> Result<Answer, PublicError> {
    let inputs = inputs(request)?;
    let dimensions = match field(request, "dimensions") {
        None => DIMENSIONS,
        Some(value) => value
            .as_u64()
            .filter(|n| (1..=MOST_DIMENSIONS).contains(n))
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| invalid("dimensions", "must be between 1 and 8192"))?,
    };
    if inputs.len() * dimensions > MOST_NUMBERS {
        return Err(invalid("input", "is too long for a simulated model"));
    }
    let base64 = match field(request, "encoding_format").map(|format| format.as_str()) {
        None | Some(Some("float")) => false,
        Some(Some("base64")) => true,
        Some(_) => return Err(invalid("encoding_format", "must be float or base64")),
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, (text, _))| {
            let vector = vector(text, dimensions);
            let embedding = if base64 { json!(encode(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let total: u64 = inputs.iter().map(|(_, tokens)| tokens).sum();
    let body = json!({
        "object": "list", "data": data, "model": model(request),
        "usage": {"prompt_tokens": total, "total_tokens": total},
    });
    Ok(Answer::Plain(Bytes::from(body.to_string())))
}

/// Each input as text with its number of tokens: a string, token ids, or an array of either.
fn inputs(request: &Value) -> Result<Vec<(String, u64)>, PublicError> {
    let wrong = || invalid("input", "must be a string, an array of strings or an array of token ids");
    let one = |value: &Value| match value {
        Value::String(text) => Some((text.clone(), tokens(text.chars().count()))),
        Value::Array(ids) if !ids.is_empty() && ids.iter().all(Value::is_u64) => {
            Some((value.to_string(), ids.len() as u64))
        }
        _ => None,
    };
    let input = field(request, "input").ok_or_else(wrong)?;
    let list = match (one(input), input) {
        (Some(single), _) => vec![single],
        (None, Value::Array(many)) => many.iter().map(one).collect::<Option<_>>().ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    if list.is_empty() || list.len() > MOST_INPUTS {
        return Err(wrong());
    }
    Ok(list)
}

/// A vector of length one whose direction depends on the text alone.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut rng = Rng::new(fnv1a(text.as_bytes()));
    // 24 bits fit a f32 exactly; the range is [-1, 1).
    let raw: Vec<f32> = (0..dimensions).map(|_| (rng.next_u64() >> 40) as f32 / 8_388_608.0 - 1.0).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length == 0.0 { raw } else { raw.into_iter().map(|x| x / length).collect() }
}

/// FNV-1a, 64 bit (Fowler, Noll, Vo): small, stable, not for secrets.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Little-endian f32s in base64 with padding (RFC 4648 §4), as OpenAI's clients ask for them.
fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for place in 0..4 {
            let digit = ALPHABET[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_little_endian_and_padded() {
        // 1.0 is 00 00 80 3f, and -2.0 is 00 00 00 c0.
        assert_eq!(encode(&[1.0]), "AACAPw==");
        assert_eq!(encode(&[1.0, -2.0]), "AACAPwAAAMA=");
    }

    #[test]
    fn vectors_have_length_one_and_depend_on_the_text() {
        let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
        let (a, b) = (vector("a", 256), vector("b", 256));
        assert!((length(&a) - 1.0).abs() < 1e-4 && (length(&b) - 1.0).abs() < 1e-4);
        assert_eq!(a, vector("a", 256));
        assert_ne!(a, b);
    }
}
