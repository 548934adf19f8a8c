//! Plain answers, rendered once.

use std::sync::Arc;

use super::form::Form;
use super::totals::INPUT_TOKENS;

/// The model list that a prober gets.
pub(super) const MODELS: &str =
    r#"{"object":"list","data":[{"id":"bench","object":"model","created":0,"owned_by":"bench"}]}"#;
/// Plain answers differ in their tokens, so that sums are worth comparing.
const VARIANTS: u64 = 64;
/// Completion tokens of the first variant; two digits in all, so that sizes are equal.
pub(super) const FIRST_TOKENS: u64 = 20;
/// Length of an embedding, as small models have it.
const DIMENSIONS: usize = 384;

#[derive(Debug)]
pub(super) struct Answers {
    /// To chats, by dialect.
    variants: [Vec<Vec<u8>>; Form::ALL.len()],
    /// To `/embeddings`, of [`INPUT_TOKENS`] tokens.
    pub(super) embedding: Vec<u8>,
    /// To `/completions`, of [`FIRST_TOKENS`] tokens.
    pub(super) completion: Vec<u8>,
    pub(super) status_500: Vec<u8>,
    pub(super) status_429: Vec<u8>,
}

impl Answers {
    /// Answers whose body has `bytes` bytes, or a little more where that is too few.
    pub(super) fn render(bytes: usize) -> Arc<Self> {
        let variants = Form::ALL.map(|form| {
            let body = |n| with_head("200 OK", padded(form, bytes, FIRST_TOKENS + n).as_bytes());
            (0..VARIANTS).map(body).collect()
        });
        let error = |status: &str, extra: &str| {
            let body = r#"{"error":{"message":"scripted fault","type":"mock","param":null,"code":null}}"#;
            with_head(&format!("{status}{extra}"), body.as_bytes())
        };
        let total = INPUT_TOKENS + FIRST_TOKENS;
        let completion = format!(
            r#"{{"id":"cmpl-bench","object":"text_completion","created":1700000000,"model":"bench","choices":[{{"index":0,"text":"The quick brown fox","logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{INPUT_TOKENS},"completion_tokens":{FIRST_TOKENS},"total_tokens":{total}}}}}"#
        );
        let embedding = format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{}0.5]}}],"model":"bench","usage":{{"prompt_tokens":{INPUT_TOKENS},"total_tokens":{INPUT_TOKENS}}}}}"#,
            "-0.0123456,".repeat(DIMENSIONS - 1),
        );
        Arc::new(Self {
            variants,
            embedding: with_head("200 OK", embedding.as_bytes()),
            completion: with_head("200 OK", completion.as_bytes()),
            status_500: error("500 Internal Server Error", ""),
            status_429: error("429 Too Many Requests", "\r\nretry-after: 0"),
        })
    }

    /// The answer to the chat `number`, and its completion tokens.
    pub(super) fn plain(&self, form: Form, number: u64) -> (&[u8], u64) {
        let variant = number % VARIANTS;
        (&self.variants[form as usize][variant as usize], FIRST_TOKENS + variant)
    }
}

/// An HTTP answer with a JSON body.
pub(super) fn with_head(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// An answer whose text fills it up to `bytes`.
fn padded(form: Form, bytes: usize, output: u64) -> String {
    let text = "The quick brown fox jumps over the lazy dog. ";
    let missing = bytes.saturating_sub(form.body("", output).len());
    form.body(&text.repeat(missing / text.len() + 1)[..missing], output)
}
