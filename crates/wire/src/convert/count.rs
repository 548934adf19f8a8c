//! Counting the tokens of a prompt, in the dialects that have a call for it.
//!
//! The body of such a call is that of a chat without what is about the answer: [`count_request`] cuts it
//! down, [`read_count`] and [`render_count`] are the answer. A client's body is read as that of a chat.
//! Members as in the vendors' SDKs (anthropic-python 2.12, openai-python 2.46, google-genai 2.25).

use pointsman_core::Dialect;

use crate::json::{Document, JsonError, Node, Writer};
use crate::neutral::DecodeError;

/// What `POST /v1/messages/count_tokens` takes.
const ANTHROPIC: [&str; 11] = [
    "messages",
    "model",
    "cache_control",
    "context_management",
    "mcp_servers",
    "output_config",
    "output_format",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];
/// What `POST /v1/responses/input_tokens` takes.
const RESPONSES: [&str; 11] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];
/// Gemini's whole request inside the one for a count.
const WHOLE: &str = "generateContentRequest";

/// Whether a dialect has a call that counts tokens.
#[must_use]
pub const fn counts_tokens(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Anthropic | Dialect::OpenAiResponses | Dialect::Gemini)
}

/// The body for a provider's count, from that of a chat with it.
///
/// # Errors
/// The chat is not JSON.
pub fn count_request(dialect: Dialect, chat: &[u8], model: &str) -> Result<Vec<u8>, JsonError> {
    let document = Document::read(chat)?;
    let root = document.root();
    let mut writer = Writer::with_capacity(chat.len() + 64);
    writer.object(|w| match dialect {
        Dialect::Gemini => {
            w.key(WHOLE).object(|w| {
                w.key("model").string(&format!("models/{model}"));
                root.members().filter(|(name, _)| name != "model").for_each(|(name, node)| {
                    w.key(&name.value()).raw(node.raw());
                });
            });
        }
        _ => {
            let known: &[&str] = if dialect == Dialect::Anthropic { &ANTHROPIC } else { &RESPONSES };
            for (name, node) in root.members() {
                if known.iter().any(|known| name == *known) {
                    w.key(&name.value()).raw(node.raw());
                }
            }
        }
    });
    Ok(writer.finish())
}

/// The number in a provider's answer.
///
/// # Errors
/// There is none.
pub fn read_count(dialect: Dialect, body: &[u8]) -> Result<u64, DecodeError> {
    let name = member(dialect);
    let document = Document::read(body)?;
    let found = document.root().get(name).ok_or_else(|| DecodeError::Missing { field: name.to_owned() })?;
    Node::count(found).ok_or_else(|| DecodeError::wrong(name, "a whole number"))
}

/// The answer for a client.
#[must_use]
pub fn render_count(dialect: Dialect, tokens: u64) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    writer.object(|w| {
        if dialect == Dialect::OpenAiResponses {
            w.key("object").string("response.input_tokens");
        }
        w.key(member(dialect)).count(tokens);
    });
    writer.finish()
}

const fn member(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Gemini => "totalTokens",
        _ => "input_tokens",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_about_the_answer_is_cut_off() {
        let value = |bytes: Vec<u8>| -> Value { serde_json::from_slice(&bytes).unwrap() };
        let chat = br#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user"}],"system":"s"}"#;
        let cut = value(count_request(Dialect::Anthropic, chat, "m").unwrap());
        assert_eq!(cut, json!({"model": "m", "messages": [{"role": "user"}], "system": "s"}));
        let chat = br#"{"model":"m","max_output_tokens":9,"input":"x","store":false,"reasoning":{}}"#;
        let cut = value(count_request(Dialect::OpenAiResponses, chat, "m").unwrap());
        assert_eq!(cut, json!({"model": "m", "input": "x", "reasoning": {}}));
        let chat = br#"{"contents":[1],"generationConfig":{"topK":1}}"#;
        let whole = value(count_request(Dialect::Gemini, chat, "m-1").unwrap());
        let inside = json!({"model": "models/m-1", "contents": [1], "generationConfig": {"topK": 1}});
        assert_eq!(whole, json!({"generateContentRequest": inside}));
        assert!(count_request(Dialect::Anthropic, b"{", "m").is_err());
    }

    #[test]
    fn every_count_reads_back() {
        for dialect in Dialect::ALL.into_iter().filter(|dialect| counts_tokens(*dialect)) {
            assert_eq!(read_count(dialect, &render_count(dialect, 42)), Ok(42), "{dialect}");
        }
        assert_eq!(render_count(Dialect::Gemini, 7), br#"{"totalTokens":7}"#);
        assert_eq!(
            render_count(Dialect::OpenAiResponses, 7),
            br#"{"object":"response.input_tokens","input_tokens":7}"#
        );
        for wrong in [&b"{}"[..], b"[]", br#"{"input_tokens":"3"}"#, br#"{"input_tokens":-3}"#, b""] {
            assert!(read_count(Dialect::Anthropic, wrong).is_err());
        }
    }
}
