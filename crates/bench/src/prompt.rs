//! A long prompt as agents send it: instructions, tools with schemas, and many turns of text with escapes,
//! calls and results, the same in each dialect.

use pointsman_core::Dialect;
use serde_json::{Value, json};

const TOOLS: usize = 24;
const MODEL: &str = "bench";
const SYSTEM: &str = "You are a careful assistant.\nUse \"tools\" where they help; say so where they do not.";

/// What is said in one round, whatever the dialect.
struct Round {
    question: String,
    thought: String,
    call: String,
    arguments: Value,
    result: String,
    answer: String,
}

/// The body of a request in `dialect`: at least `bytes` long, and at most one round longer.
#[must_use]
pub fn prompt(dialect: Dialect, bytes: usize) -> Vec<u8> {
    let size = |rounds| render(dialect, rounds).len();
    // Rounds differ by the digits of their numbers only.
    let one = size(1);
    let each = size(2) - one;
    let mut rounds = 1 + bytes.saturating_sub(one) / (each + 32);
    let mut body = render(dialect, rounds);
    while body.len() < bytes {
        rounds += 1;
        body = render(dialect, rounds);
    }
    body
}

fn render(dialect: Dialect, rounds: usize) -> Vec<u8> {
    let rounds = (0..rounds).map(round);
    let body = match dialect {
        Dialect::Anthropic => messages(rounds),
        Dialect::OpenAiResponses => responses(rounds),
        _ => chat(rounds),
    };
    // Many clients escape whatever is not ASCII.
    body.to_string().replace('é', "\\u00e9").into_bytes()
}

fn round(at: usize) -> Round {
    let line = "\tlet café = \"naïve\";\n\tprintln!(\"{café}\\n\");\n";
    Round {
        question: format!("Question {at}: why does this print \"naïve\" twice?\n\n{}\n", line.repeat(8)),
        thought: format!("Let me look at file {at} first: \"src/main.rs\"."),
        call: format!("call_{at:024}"),
        arguments: json!({
            "path": format!("src/module_{at}/main.rs"), "pattern": "caf\u{e9}\\s*=\\s*\"[^\"]+\"",
            "lines": [1, 80], "context": {"before": 3, "after": 3}, "whole": false,
        }),
        result: format!(
            "{{\"matches\":[{}],\"truncated\":false}}",
            "{\"line\":12,\"text\":\"let caf\u{e9} = \\\"na\u{ef}ve\\\";\"},"
                .repeat(12)
                .trim_end_matches(',')
        ),
        answer: format!(
            "It prints twice because of line {at}.\n\n```rust\n{}```\n\nRemove one of them. \u{1f600}",
            line.repeat(6)
        ),
    }
}

fn tools() -> impl Iterator<Item = (String, &'static str, Value)> {
    (0..TOOLS).map(|at| {
        let schema = json!({
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "A path below the project's folder."},
                "pattern": {"type": "string", "description": "A regular expression."},
                "lines": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                "context": {"type": "object", "properties": {"before": {"type": "integer"}, "after": {"type": "integer"}}},
                "whole": {"type": "boolean"},
            },
            "required": ["path"],
        });
        (format!("search_{at}"), "Searches a file for a pattern.\nReturns \"matches\" with their lines.", schema)
    })
}

fn chat(rounds: impl Iterator<Item = Round>) -> Value {
    let mut messages = vec![json!({"role": "system", "content": SYSTEM})];
    for Round { question, thought, call, arguments, result, answer } in rounds {
        let function = json!({"name": "search_0", "arguments": arguments.to_string()});
        messages.push(json!({"role": "user", "content": question}));
        messages.push(json!({
            "role": "assistant", "content": thought,
            "tool_calls": [{"id": call, "type": "function", "function": function}],
        }));
        messages.push(json!({"role": "tool", "tool_call_id": call, "content": result}));
        messages.push(json!({"role": "assistant", "content": answer}));
    }
    messages.push(json!({"role": "user", "content": "And now?"}));
    let tools = tools().map(|(name, description, schema)| {
        json!({"type": "function", "function": {"name": name, "description": description, "parameters": schema}})
    });
    json!({
        "model": MODEL, "messages": messages, "tools": tools.collect::<Vec<_>>(), "tool_choice": "auto",
        "temperature": 0.2, "max_completion_tokens": 1024, "stream": true,
    })
}

fn messages(rounds: impl Iterator<Item = Round>) -> Value {
    let text = |text: String| json!({"type": "text", "text": text});
    let mut messages = Vec::new();
    for Round { question, thought, call, arguments, result, answer } in rounds {
        messages.push(json!({"role": "user", "content": question}));
        let asked = json!({"type": "tool_use", "id": call, "name": "search_0", "input": arguments});
        messages.push(json!({"role": "assistant", "content": [text(thought), asked]}));
        let told = json!({"type": "tool_result", "tool_use_id": call, "content": result});
        messages.push(json!({"role": "user", "content": [told]}));
        messages.push(json!({"role": "assistant", "content": [text(answer)]}));
    }
    messages.push(json!({"role": "user", "content": "And now?"}));
    let tools = tools().map(|(name, description, schema)| {
        json!({"name": name, "description": description, "input_schema": schema})
    });
    json!({
        "model": MODEL, "max_tokens": 1024, "system": SYSTEM, "messages": messages,
        "tools": tools.collect::<Vec<_>>(), "tool_choice": {"type": "auto"}, "temperature": 0.2, "stream": true,
    })
}

fn responses(rounds: impl Iterator<Item = Round>) -> Value {
    let mut input = Vec::new();
    for Round { question, thought, call, arguments, result, answer } in rounds {
        let said = |text: String| json!({"type": "output_text", "text": text, "annotations": []});
        input.push(json!({"role": "user", "content": [{"type": "input_text", "text": question}]}));
        input.push(json!({"type": "message", "role": "assistant", "content": [said(thought)]}));
        let arguments = arguments.to_string();
        input.push(json!({
            "type": "function_call", "call_id": call, "name": "search_0", "arguments": arguments,
        }));
        input.push(json!({"type": "function_call_output", "call_id": call, "output": result}));
        input.push(json!({"type": "message", "role": "assistant", "content": [said(answer)]}));
    }
    input.push(json!({"role": "user", "content": "And now?"}));
    let tools = tools().map(|(name, description, schema)| {
        json!({"type": "function", "name": name, "description": description, "parameters": schema, "strict": false})
    });
    json!({
        "model": MODEL, "instructions": SYSTEM, "input": input, "tools": tools.collect::<Vec<_>>(),
        "tool_choice": "auto", "temperature": 0.2, "max_output_tokens": 1024, "stream": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_have_their_size_and_all_their_parts() {
        for dialect in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::OpenAiResponses] {
            let body = prompt(dialect, 100_000);
            assert!((100_000..105_000).contains(&body.len()), "{dialect}: {}", body.len());
            let text = String::from_utf8(body).unwrap();
            assert!(text.contains("caf\\u00e9") && text.contains("\u{1f600}") && text.contains("\\\"na"));
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["tools"].as_array().unwrap().len(), TOOLS);
            let turns = value.get("messages").or(value.get("input")).unwrap().as_array().unwrap();
            assert!(turns.len() > 100, "{dialect}: {}", turns.len());
        }
    }
}
