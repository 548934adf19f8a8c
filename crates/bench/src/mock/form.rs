//! The dialects in which the mock answers chats: whole bodies, and what a stream is made of.
//!
//! Texts come back as they are: the caller knows that they need no escapes. Every stream says the same:
//! one text of as many tokens as it has chunks.

use memchr::memmem;

use super::totals::INPUT_TOKENS;

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenAI's chat completions.
    Chat,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Generate,
}

impl Form {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 3] = [Self::Chat, Self::Messages, Self::Generate];

    /// The dialect of a request line, and whether the line itself asks for a stream.
    pub(super) fn of(line: &[u8]) -> Option<(Self, bool)> {
        let has = |text: &str| memmem::find(line, text.as_bytes()).is_some();
        if has("/chat/completions") {
            Some((Self::Chat, false))
        } else if has("/messages") {
            Some((Self::Messages, false))
        } else if has(":generateContent") {
            Some((Self::Generate, false))
        } else {
            has(":streamGenerateContent").then_some((Self::Generate, true))
        }
    }

    /// A whole answer.
    pub(super) fn body(self, text: &str, output: u64) -> String {
        let total = INPUT_TOKENS + output;
        match self {
            Self::Chat => format!(
                r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{INPUT_TOKENS},"completion_tokens":{output},"total_tokens":{total}}}}}"#
            ),
            Self::Messages => format!(
                r#"{{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":{INPUT_TOKENS},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output},"service_tier":"standard"}}}}"#
            ),
            Self::Generate => format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":{INPUT_TOKENS},"candidatesTokenCount":{output},"totalTokenCount":{total}}},"modelVersion":"bench","responseId":"bench"}}"#
            ),
        }
    }

    /// The events before the first text.
    pub(super) fn opening(self) -> Vec<String> {
        match self {
            Self::Chat => vec![chat_chunk(r#"{"role":"assistant","content":""}"#, "null")],
            Self::Messages => vec![
                named(
                    "message_start",
                    &format!(
                        r#"{{"type":"message_start","message":{{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":{INPUT_TOKENS},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}}}}"#
                    ),
                ),
                named(
                    "content_block_start",
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                ),
                named("ping", r#"{"type": "ping"}"#),
            ],
            Self::Generate => Vec::new(),
        }
    }

    /// The event with one text.
    pub(super) fn chunk(self, text: &str) -> String {
        match self {
            Self::Chat => chat_chunk(&format!(r#"{{"content":"{text}"}}"#), "null"),
            Self::Messages => named(
                "content_block_delta",
                &format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
                ),
            ),
            Self::Generate => generate_chunk(text, "", &format!(r#""totalTokenCount":{INPUT_TOKENS}"#)),
        }
    }

    /// The events after the last text. Only OpenAI's tell the usage on demand.
    pub(super) fn closing(self, output: u64, include_usage: bool) -> Vec<String> {
        let total = INPUT_TOKENS + output;
        match self {
            Self::Chat => {
                let mut events = vec![chat_chunk("{}", "\"stop\"")];
                if include_usage {
                    events.push(format!(
                        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
                         \"model\":\"bench\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{INPUT_TOKENS},\
                         \"completion_tokens\":{output},\"total_tokens\":{total}}}}}\n\n"
                    ));
                }
                events.push("data: [DONE]\n\n".to_owned());
                events
            }
            Self::Messages => vec![
                named("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
                named(
                    "message_delta",
                    &format!(
                        r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{{"output_tokens":{output}}}}}"#
                    ),
                ),
                named("message_stop", r#"{"type":"message_stop"}"#),
            ],
            Self::Generate => {
                let counts = format!(r#""candidatesTokenCount":{output},"totalTokenCount":{total}"#);
                vec![generate_chunk("", r#""finishReason":"STOP","#, &counts)]
            }
        }
    }
}

fn chat_chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn named(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Gemini's events end in `\r\n`, and each repeats what was counted so far.
fn generate_chunk(text: &str, finish: &str, counts: &str) -> String {
    format!(
        "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\":\"{text}\"}}],\"role\": \"model\"}},{finish}\
         \"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": {INPUT_TOKENS},{counts}}},\
         \"modelVersion\": \"bench\",\"responseId\": \"bench\"}}\r\n\r\n"
    )
}
