//! Answers in the shapes that clients parse, with the fields that were asked for.

use pointsman_core::Operation;
use serde_json::{Value, json};

use super::*;

const CONTEXT: Context = Context { seed: 0xabc, now_unix: 1_700_000_000 };

fn plain(operation: Operation, request: &Value) -> Value {
    match answer(operation, request.to_string().as_bytes(), CONTEXT).unwrap() {
        Answer::Plain(body) => serde_json::from_slice(&body).unwrap(),
        Answer::Events(_) => panic!("no stream was asked for"),
    }
}

fn chunks(operation: Operation, request: &Value) -> Vec<Value> {
    let Answer::Events(events) = answer(operation, request.to_string().as_bytes(), CONTEXT).unwrap() else {
        panic!("a stream was asked for")
    };
    let (last, events) = events.split_last().unwrap();
    assert_eq!(last, "data: [DONE]\n\n");
    let payload = |event: &Bytes| {
        let text = std::str::from_utf8(event).unwrap();
        let text = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!text.contains('\n'));
        serde_json::from_str(text).unwrap()
    };
    events.iter().map(payload).collect()
}

fn refused(operation: Operation, request: &str) -> PublicError {
    answer(operation, request.as_bytes(), CONTEXT).unwrap_err()
}

fn chat() -> Value {
    json!({"model": "any/model:7b", "messages": [{"role": "user", "content": "hello there"}]})
}

fn with(mut request: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

#[test]
fn a_plain_answer_says_that_it_is_simulated_and_how_to_get_another() {
    let body = plain(Operation::Chat, &chat());
    assert_eq!(body["id"], "chatcmpl-sim-0000000000000abc");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["created"], 1_700_000_000);
    assert_eq!(body["model"], "any/model:7b");
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    for part in ["simulated", "any/model:7b", "hello there", "OPENAI_API_KEY", "engine"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    // 11 characters are 3 tokens.
    assert_eq!(body["usage"]["prompt_tokens"], 3);
    let said = text.chars().count().div_ceil(4);
    assert_eq!(body["usage"]["completion_tokens"], said);
    assert_eq!(body["usage"]["total_tokens"], said + 3);
}

#[test]
fn a_stream_adds_up_to_the_plain_answer() {
    let whole = plain(Operation::Chat, &chat());
    let chunks = chunks(Operation::Chat, &with(chat(), &json!({"stream": true})));
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(whole["choices"][0]["message"]["content"], text);
    assert!(chunks.len() > 5, "it streams");
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "nobody asked for usage");
}

#[test]
fn usage_is_streamed_on_request() {
    let fields = json!({"stream": true, "stream_options": {"include_usage": true}});
    let chunks = chunks(Operation::Chat, &with(chat(), &fields));
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], plain(Operation::Chat, &chat())["usage"]);
    assert!(before.iter().all(|chunk| chunk["usage"].is_null()));
}

#[test]
fn max_tokens_cuts_the_answer() {
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = plain(Operation::Chat, &with(chat(), &json!({name: 2})));
        assert_eq!(body["choices"][0]["message"]["content"], "This is ");
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        assert_eq!(body["usage"]["completion_tokens"], 2);
    }
    let zero = refused(Operation::Chat, &with(chat(), &json!({"max_tokens": 0})).to_string());
    assert_eq!(zero.param.as_deref(), Some("max_tokens"));
}

fn tools() -> Value {
    json!({"tools": [
        {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "weather", "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
                "places": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["city"],
        }}},
    ]})
}

#[test]
fn a_demanded_tool_is_called_with_arguments_that_fit() {
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "weather"}}});
    let request = with(with(chat(), &tools()), &named);
    let body = plain(Operation::Chat, &request);
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "weather");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    let expected = json!({"city": "simulated", "unit": "celsius", "days": 3, "places": [1]});
    assert_eq!(arguments, expected);

    let chunks = chunks(Operation::Chat, &with(request, &json!({"stream": true})));
    let calls = || chunks.iter().filter_map(|c| c["choices"][0]["delta"]["tool_calls"].get(0));
    let streamed: String = calls().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(function["arguments"], streamed);
    assert_eq!(calls().next().unwrap()["function"]["name"], "weather");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn tools_are_called_only_where_they_must_be() {
    let body = plain(Operation::Chat, &with(with(chat(), &tools()), &json!({"tool_choice": "required"})));
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "other");
    let allowed = json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}});
    for choice in [json!({"tool_choice": "auto"}), json!({"tool_choice": "none"}), json!({}), allowed] {
        let body = plain(Operation::Chat, &with(with(chat(), &tools()), &choice));
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
    }
    let unknown = json!({"tool_choice": {"type": "function", "function": {"name": "nope"}}});
    let error = refused(Operation::Chat, &with(with(chat(), &tools()), &unknown).to_string());
    assert_eq!(error.param.as_deref(), Some("tool_choice"));
}

#[test]
fn json_answers_are_json_and_fit_their_schema() {
    let text = |fields: &Value| -> Value {
        let body = plain(Operation::Chat, &with(chat(), fields));
        serde_json::from_str(body["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()
    };
    assert_eq!(text(&json!({"response_format": {"type": "json_object"}}))["simulated"], true);
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "kind": {"const": "fixed"},
            "maybe": {"type": ["null", "boolean"]},
            "either": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "many": {"type": "array", "items": {"type": "integer", "maximum": 0}, "minItems": 2},
            "code": {"type": "string", "maxLength": 3},
            "self": {"$ref": "#"},
        },
        "$defs": {"name": {"type": "string", "minLength": 12}},
    });
    let format = json!({"response_format": {
        "type": "json_schema", "json_schema": {"name": "thing", "strict": true, "schema": schema},
    }});
    let answer = text(&format);
    assert_eq!(answer["name"].as_str().unwrap().len(), 12);
    assert_eq!(answer["kind"], "fixed");
    assert_eq!(answer["maybe"], true);
    assert_eq!(answer["either"], "2026-01-01");
    assert_eq!(answer["many"], json!([0, 0]));
    assert_eq!(answer["code"], "sim");
    assert!(answer["self"]["self"].is_object(), "recursion is followed to a bounded depth");
}

#[test]
fn text_completions() {
    let request = json!({"model": "m", "prompt": "once upon a time"});
    let body = plain(Operation::TextCompletion, &request);
    assert_eq!(
        (&body["object"], &body["id"]),
        (&json!("text_completion"), &json!("cmpl-sim-0000000000000abc"))
    );
    let text = body["choices"][0]["text"].as_str().unwrap();
    assert!(text.contains("simulated") && text.contains("once upon a time"));
    let chunks = chunks(Operation::TextCompletion, &with(request, &json!({"stream": true})));
    let streamed: String = chunks.iter().filter_map(|c| c["choices"][0]["text"].as_str()).collect();
    assert_eq!(streamed, text);
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert_eq!(refused(Operation::TextCompletion, "{}").param.as_deref(), Some("prompt"));
}

#[test]
fn embeddings_honour_dimensions_and_encoding() {
    let request = json!({"model": "m", "input": ["abcd", "abcde"], "dimensions": 8});
    let body = plain(Operation::Embeddings, &request);
    assert_eq!(body["object"], "list");
    assert_eq!(body["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    let vectors: Vec<&Vec<Value>> =
        body["data"].as_array().unwrap().iter().map(|d| d["embedding"].as_array().unwrap()).collect();
    assert_eq!((vectors[0].len(), vectors[1].len()), (8, 8));
    assert_ne!(vectors[0], vectors[1]);
    assert_eq!(body["data"][1]["index"], 1);
    // Bytes in base64: 8 × 4 = 32 bytes are 44 characters; equal texts have equal vectors.
    let packed = plain(Operation::Embeddings, &with(request, &json!({"encoding_format": "base64"})));
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44);
    let again = plain(Operation::Embeddings, &json!({"model": "m", "input": "abcd", "dimensions": 8}));
    assert_eq!(again["data"][0]["embedding"], body["data"][0]["embedding"]);
    let ids = plain(Operation::Embeddings, &json!({"model": "m", "input": [1, 2, 3]}));
    assert_eq!(ids["usage"]["prompt_tokens"], 3);
    assert_eq!(ids["data"][0]["embedding"].as_array().unwrap().len(), 1536);
}

#[test]
fn wrong_requests_name_the_field() {
    for (operation, request, param) in [
        (Operation::Chat, "{}", Some("messages")),
        (Operation::Chat, r#"{"messages":[]}"#, Some("messages")),
        (Operation::Chat, r#"{"messages":[{"role":"user","content":"x"}],"n":2}"#, Some("n")),
        (Operation::Embeddings, "{}", Some("input")),
        (Operation::Embeddings, r#"{"input":[]}"#, Some("input")),
        (Operation::Embeddings, r#"{"input":"x","dimensions":0}"#, Some("dimensions")),
        (Operation::Embeddings, r#"{"input":"x","dimensions":9999999999}"#, Some("dimensions")),
        (Operation::Embeddings, r#"{"input":"x","encoding_format":"hex"}"#, Some("encoding_format")),
        (Operation::Chat, "[]", None),
        (Operation::Chat, "{", None),
    ] {
        let error = refused(operation, request);
        assert_eq!((error.code, error.param.as_deref()), (ErrorCode::InvalidRequest, param), "{request}");
    }
}

#[test]
fn parts_and_missing_content_are_read() {
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "tool_calls": []},
    ]);
    let body = plain(Operation::Chat, &json!({"messages": messages}));
    assert!(body["choices"][0]["message"]["content"].as_str().unwrap().contains("“look”"));
    assert_eq!(body["model"], "sim");
}
