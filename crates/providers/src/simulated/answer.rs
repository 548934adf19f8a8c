//! Chat and text completions of the simulated provider, plain and streamed.

use std::fmt::Write as _;

use bytes::Bytes;
use pointsman_core::PublicError;
use serde_json::{Value, json};

use super::request::{
    field, include_usage, invalid, max_tokens, messages, model, one_choice, streams, text_of, tokens,
};
use super::{Answer, Context, schema};

/// How to get a real answer: part of every text, because it is the first thing that a new user wants.
const HOW_TO_GET_REAL: &str = "Set a provider key (for example OPENAI_API_KEY) or start a local engine \
     (for example Ollama), and Pointsman routes to it.";
/// Characters of the prompt that the answer repeats, so that a user sees that it arrived.
const QUOTED_CHARS: usize = 80;
/// Characters of one token when an answer is cut to `max_tokens` or into chunks.
const CHARS_PER_TOKEN: usize = 4;
/// Tokens in one chunk of a stream.
const TOKENS_PER_CHUNK: usize = 4;

/// What the model "said".
struct Said {
    content: Content,
    finish_reason: &'static str,
}

enum Content {
    Text(String),
    ToolCall { name: String, arguments: String },
}

impl Content {
    fn chars(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::ToolCall { name, arguments } => name.len() + arguments.chars().count(),
        }
    }
}

/// What every object of one answer has in common.
struct Envelope<'a> {
    id: String,
    model: &'a str,
    created: u64,
    usage: Value,
}

impl Envelope<'_> {
    fn object(&self, kind: &str, choices: &Value) -> Value {
        json!({
            "id": self.id, "object": kind, "created": self.created, "model": self.model,
            "choices": choices, "system_fingerprint": "fp_simulated",
        })
    }

    fn plain(&self, kind: &str, choices: &Value) -> Answer {
        let mut body = self.object(kind, choices);
        body["usage"] = self.usage.clone();
        Answer::Plain(Bytes::from(body.to_string()))
    }

    /// The events of these chunks' choices; with usage on request, and the end.
    fn events(&self, kind: &str, chunks: Vec<Value>, with_usage: bool) -> Answer {
        let mut events: Vec<Bytes> = Vec::with_capacity(chunks.len() + 2);
        for choices in chunks {
            let mut chunk = self.object(kind, &choices);
            if with_usage {
                chunk["usage"] = Value::Null;
            }
            events.push(event(&chunk));
        }
        if with_usage {
            let mut last = self.object(kind, &json!([]));
            last["usage"] = self.usage.clone();
            events.push(event(&last));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        Answer::Events(events)
    }
}

/// `POST /v1/chat/completions`
pub(super) fn chat(request: &Value, context: Context) -> Result<Answer, PublicError> {
    one_choice(request)?;
    let messages = messages(request)?;
    let prompt = messages.iter().rev().find(|message| message["role"] == "user").map(text_of);
    let said = match required_tool(request)? {
        Some(tool) => call(tool),
        None if wants_json(request) => finish(json_text(request), max_tokens(request)?),
        None => finish(text(model(request), &prompt.unwrap_or_default()), max_tokens(request)?),
    };
    let input: u64 = messages.iter().map(|message| tokens(text_of(message).chars().count())).sum();
    let envelope = envelope("chatcmpl-sim", request, context, (input, tokens(said.content.chars())));
    if !streams(request) {
        let message = match &said.content {
            Content::Text(text) => json!({"role": "assistant", "content": text, "refusal": null}),
            Content::ToolCall { name, arguments } => json!({
                "role": "assistant", "content": null, "refusal": null,
                "tool_calls": [{
                    "id": call_id(context), "type": "function",
                    "function": {"name": name, "arguments": arguments},
                }],
            }),
        };
        let choices = json!([{
            "index": 0, "message": message, "logprobs": null, "finish_reason": said.finish_reason,
        }]);
        return Ok(envelope.plain("chat.completion", &choices));
    }
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    match &said.content {
        Content::Text(text) => deltas.extend(pieces(text).map(|piece| json!({"content": piece}))),
        Content::ToolCall { name, arguments } => {
            deltas[0]["content"] = Value::Null;
            deltas.push(json!({"tool_calls": [{
                "index": 0, "id": call_id(context), "type": "function",
                "function": {"name": name, "arguments": ""},
            }]}));
            deltas.extend(
                pieces(arguments)
                    .map(|piece| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})),
            );
        }
    }
    let choice = |delta: Value, finish: Option<&str>| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let mut chunks: Vec<Value> = deltas.into_iter().map(|delta| choice(delta, None)).collect();
    chunks.push(choice(json!({}), Some(said.finish_reason)));
    Ok(envelope.events("chat.completion.chunk", chunks, include_usage(request)))
}

/// `POST /v1/completions`
pub(super) fn completion(request: &Value, context: Context) -> Result<Answer, PublicError> {
    one_choice(request)?;
    let prompt = match field(request, "prompt") {
        Some(Value::String(prompt)) => prompt.clone(),
        Some(Value::Array(prompts)) if prompts.len() == 1 && prompts[0].is_string() => {
            prompts[0].as_str().unwrap_or_default().to_owned()
        }
        _ => return Err(invalid("prompt", "must be one string for a simulated model")),
    };
    let said = finish(text(model(request), &prompt), max_tokens(request)?);
    let Content::Text(text) = &said.content else { return Err(invalid("prompt", "cannot call tools")) };
    let counts = (tokens(prompt.chars().count()), tokens(said.content.chars()));
    let envelope = envelope("cmpl-sim", request, context, counts);
    let choice = |text: &str, finish: Option<&str>| json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]);
    if !streams(request) {
        return Ok(envelope.plain("text_completion", &choice(text, Some(said.finish_reason))));
    }
    let mut chunks: Vec<Value> = pieces(text).map(|piece| choice(&piece, None)).collect();
    chunks.push(choice("", Some(said.finish_reason)));
    Ok(envelope.events("text_completion", chunks, include_usage(request)))
}

fn envelope<'a>(prefix: &str, request: &'a Value, context: Context, counts: (u64, u64)) -> Envelope<'a> {
    let (input, output) = counts;
    Envelope {
        id: format!("{prefix}-{:016x}", context.seed),
        model: model(request),
        created: context.now_unix,
        usage: json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }),
    }
}

fn text(model: &str, prompt: &str) -> String {
    let mut text = format!("This is a simulated answer in place of the model {model}. ");
    let quoted: String = prompt.chars().take(QUOTED_CHARS).collect();
    if !quoted.is_empty() {
        let dots = if quoted.len() < prompt.len() { "…" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "You said: “{quoted}{dots}”. ");
    }
    text + HOW_TO_GET_REAL
}

/// The text, cut where it has more tokens than allowed.
fn finish(text: String, max_tokens: Option<usize>) -> Said {
    let most = max_tokens.unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
    match text.char_indices().nth(most) {
        Some((end, _)) => Said { content: Content::Text(text[..end].to_owned()), finish_reason: "length" },
        None => Said { content: Content::Text(text), finish_reason: "stop" },
    }
}

fn call(tool: &Value) -> Said {
    let function = &tool["function"];
    let arguments = function.get("parameters").map_or_else(|| json!({}), schema::example);
    let name = function["name"].as_str().unwrap_or_default().to_owned();
    Said {
        content: Content::ToolCall { name, arguments: arguments.to_string() },
        finish_reason: "tool_calls",
    }
}

/// The tool that `tool_choice` demands: a named function, or the first tool where any will do.
fn required_tool(request: &Value) -> Result<Option<&Value>, PublicError> {
    let Some(choice) = field(request, "tool_choice") else { return Ok(None) };
    let tools = field(request, "tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let found = match choice {
        Value::String(word) if word == "required" => tools.first(),
        Value::Object(named) if named.contains_key("function") => {
            let name = named.get("function").map(|function| &function["name"]);
            tools.iter().find(|tool| Some(&tool["function"]["name"]) == name)
        }
        _ => return Ok(None),
    };
    found.map(Some).ok_or_else(|| invalid("tool_choice", "names no tool of this request"))
}

fn wants_json(request: &Value) -> bool {
    let format = field(request, "response_format").and_then(|format| format.get("type"));
    format.and_then(Value::as_str).is_some_and(|format| format != "text")
}

/// JSON that fits the schema of `response_format`, or an object that says what it is.
fn json_text(request: &Value) -> String {
    match request.pointer("/response_format/json_schema/schema") {
        Some(wanted) => schema::example(wanted).to_string(),
        None => json!({"simulated": true, "model": model(request), "hint": HOW_TO_GET_REAL}).to_string(),
    }
}

fn call_id(context: Context) -> String {
    format!("call_sim_{:016x}", context.seed)
}

/// The text in chunks of a few tokens.
fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        rest.peek()?;
        Some(rest.by_ref().take(CHARS_PER_TOKEN * TOKENS_PER_CHUNK).collect())
    })
}

fn event(chunk: &Value) -> Bytes {
    Bytes::from(format!("data: {chunk}\n\n"))
}
