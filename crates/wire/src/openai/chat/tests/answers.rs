//! Whole answers.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use crate::json::Document;
use crate::neutral::{Answer, AnswerContext, Content, Origin, Reason, Seal, SealKind};
use crate::openai::chat::{decode_answer, encode_answer};

const ORIGIN: Origin<'static> = Origin { provider: "vendor", id: "r1" };

fn read<T>(body: &str, look: impl FnOnce(Answer<'_>) -> T) -> T {
    let document = Document::read(body.as_bytes()).unwrap();
    look(decode_answer(&document, &ORIGIN).unwrap())
}

fn context() -> AnswerContext {
    AnswerContext { id: "r1".to_owned(), model: "asked".to_owned(), created: 7, ..AnswerContext::default() }
}

fn again(body: &str) -> (Value, Vec<String>) {
    read(body, |answer| {
        let encoded = encode_answer(&answer, &context());
        let losses = encoded.losses.iter().map(str::to_owned).collect();
        (serde_json::from_slice(&encoded.body).unwrap(), losses)
    })
}

#[test]
fn an_answer_with_everything_comes_back() {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": "m-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Here.", "refusal": null,
                "annotations": [{"type": "url_citation", "url_citation":
                    {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}}],
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
                    {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
                "logprobs": {"content": [{"token": "Here", "logprob": -0.5, "bytes": null, "top_logprobs": []}], "refusal": null},
                "finish_reason": "tool_calls"},
            {"index": 1, "message": {"role": "assistant", "content": null, "refusal": "No."},
                "logprobs": null, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2}},
        "service_tier": "flex"
    });
    assert_eq!(again(&body.to_string()), (body, Vec::new()));
}

#[test]
fn thoughts_of_all_vendors_are_thoughts() {
    let bodies = [
        r#""reasoning_content":"why","content":"x""#,
        r#""reasoning":"why","reasoning_content":"why","content":"x""#,
        r#""reasoning":"why","reasoning_details":[{"type":"reasoning.text","text":"why","index":0}],"content":"x""#,
        r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"why"}]},{"type":"text","text":"x"}]"#,
    ];
    for message in bodies {
        let body = format!(r#"{{"choices":[{{"message":{{{message}}},"finish_reason":"stop"}}]}}"#);
        let (answer, losses) = again(&body);
        let message = &answer["choices"][0]["message"];
        assert_eq!(
            (&message["reasoning_content"], &message["content"]),
            (&json!("why"), &json!("x")),
            "{body}"
        );
        assert_eq!(losses, Vec::<String>::new(), "{body}");
        assert_eq!((&answer["id"], &answer["model"]), (&json!("chatcmpl-r1"), &json!("asked")));
    }
}

#[test]
fn proofs_are_tagged_on_their_way_to_the_client_and_read_back() {
    let body = r#"{"choices":[{"message":{"reasoning_details":[
        {"type":"reasoning.text","text":"why","signature":"EqQB","index":0},
        {"type":"reasoning.encrypted","data":"gAAA","index":1},
        {"type":"reasoning.encrypted","data":"c2ln","id":"c1","index":2}],
        "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#;
    let (answer, _) = again(body);
    let message = &answer["choices"][0]["message"];
    let details = message["reasoning_details"].as_array().unwrap();
    assert_eq!(details[0]["text"], "why");
    assert_eq!(details[0]["signature"], "pm1.openai-chat.vendor.s.EqQB");
    assert_eq!(details[1]["data"], "pm1.openai-chat.vendor.e.gAAA");
    assert_eq!(details.len(), 2);
    let proof = &message["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert_eq!(proof, "pm1.openai-chat.vendor.e.c2ln");

    // The client hands the message back.
    let request = json!({"model": "m", "messages": [message_of(message)]}).to_string();
    let (sent, losses) = super::encoded(&request, &super::target(), |_| {});
    assert_eq!(losses, Vec::<String>::new());
    let sent = &sent["messages"][0];
    assert_eq!(sent["reasoning_details"][0]["signature"], "EqQB");
    assert_eq!(sent["reasoning_details"][1]["data"], "gAAA");
    assert_eq!(sent["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln");
}

fn message_of(message: &Value) -> Value {
    let mut message = message.clone();
    message["role"] = json!("assistant");
    message
}

#[test]
fn ends_of_all_vendors_have_one_meaning() {
    let cases = [
        (r#""stop""#, Some(Reason::Stop)),
        (r#""eos""#, Some(Reason::Stop)),
        (r#""STOP""#, Some(Reason::Stop)),
        (r#""length""#, Some(Reason::Length)),
        (r#""MAX_TOKENS""#, Some(Reason::Length)),
        (r#""model_length""#, Some(Reason::ContextLength)),
        (r#""tool_calls""#, Some(Reason::ToolCalls)),
        (r#""function_call""#, Some(Reason::ToolCalls)),
        (r#""content_filter""#, Some(Reason::ContentFilter)),
        (r#""sensitive""#, Some(Reason::ContentFilter)),
        (r#""insufficient_system_resource""#, Some(Reason::Other)),
        (r#""""#, None),
        ("null", None),
    ];
    for (word, reason) in cases {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":{word}}}]}}"#);
        let seen = read(&body, |answer| answer.choices[0].finish.as_ref().map(|finish| finish.reason));
        assert_eq!(seen, reason, "{word}");
    }
    let called = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"finish_reason":"stop"}]}"#;
    let (answer, _) = again(called);
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["tool_calls"][0]["id"], "call_r1_0");
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], r#"{"a":1}"#);
    let stopped = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop","stop_reason":"END"}]}"#;
    read(stopped, |answer| {
        let finish = answer.choices[0].finish.as_ref().unwrap();
        assert_eq!(
            (finish.reason, finish.stop_sequence.as_ref().unwrap()),
            (Reason::StopSequence, &"END".into())
        );
    });
}

#[test]
fn hostile_answers_are_refused() {
    let cases = [
        ("[]", "body"),
        ("{}", "choices"),
        (r#"{"choices":[]}"#, "choices"),
        (r#"{"choices":{}}"#, "choices"),
        (r#"{"choices":[1]}"#, "choices[0]"),
        (r#"{"choices":[{"index":0}]}"#, "choices[0].message"),
        (r#"{"choices":[{"message":"x"}]}"#, "choices[0].message"),
        (r#"{"choices":[{"message":{"content":{}}}]}"#, "choices[0].content"),
        (
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":7}}]}}]}"#,
            "choices[0].tool_calls[0].function.arguments",
        ),
        (r#"{"choices":[{"error":{"message":"x"},"message":{"content":""}}]}"#, "choices[0].error"),
    ];
    for (body, field) in cases {
        let document = Document::read(body.as_bytes()).unwrap();
        assert_eq!(decode_answer(&document, &ORIGIN).unwrap_err().field(), Some(field), "{body}");
    }
}

#[test]
fn what_has_no_place_in_an_answer_is_told() {
    let body = r#"{"choices":[{"message":{"content":"x","mood":"fine"},"finish_reason":"error","content_filter_results":{}}],"system_fingerprint":"fp"}"#;
    let (answer, losses) = again(body);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let expected = [
        "finish_reason",
        "choices[0].message.mood",
        "choices[0].content_filter_results",
        "system_fingerprint",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn a_client_of_functions_gets_a_function_call() {
    let body = r#"{"choices":[{"message":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let context = AnswerContext { request: r#"{"functions":[{"name":"f"}]}"#.into(), ..context() };
    let answer = read(body, |answer| encode_answer(&answer, &context).body);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(
        (&choice["finish_reason"], choice["message"].get("tool_calls")),
        (&json!("function_call"), None)
    );
}

#[test]
fn usage_of_all_vendors_has_one_meaning() {
    let usage = |usage: &str| {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}}}}],{usage}}}"#);
        read(&body, |answer| answer.usage.unwrap())
    };
    let plain = usage(r#""usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4}"#);
    assert_eq!((plain.input, plain.cached_input, plain.output), (10, 4, 5));
    let groq = usage(r#""x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":2}}"#);
    assert_eq!((groq.input, groq.output), (3, 2));
    let llama = usage(r#""timings":{"prompt_n":3,"cache_n":4,"predicted_n":5}"#);
    assert_eq!((llama.input, llama.cached_input, llama.output), (7, 4, 5));
}

#[test]
fn pictures_and_sounds_have_places() {
    let body = r#"{"choices":[{"message":{"content":"x","images":[{"type":"image_url","image_url":{"url":"data:image/webp;base64,UklG"}}],
        "audio":{"id":"a","data":"SUQz","transcript":"said","expires_at":9}},"finish_reason":"stop"}]}"#;
    let (answer, losses) = again(body);
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/webp;base64,UklG");
    assert_eq!((&message["audio"]["data"], &message["content"]), (&json!("SUQz"), &json!("xsaid")));
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn sources_are_counted_in_all_of_the_text() {
    let part = |text: &str, annotations: Value| json!({"type": "output_text", "text": text, "annotations": annotations});
    let source = json!({"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 4, "end_index": 5});
    let body = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [part("Grüße. ", json!([])), part("See X.", json!([source]))]}]});
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = crate::openai::responses::decode_answer(&document, &ORIGIN).unwrap();
    let told: Value = serde_json::from_slice(&encode_answer(&answer, &context()).body).unwrap();
    let cited = &told["choices"][0]["message"]["annotations"][0]["url_citation"];
    assert_eq!((&cited["start_index"], &cited["end_index"]), (&json!(11), &json!(12)));
}

#[test]
fn a_proof_of_another_dialect_is_kept_for_it() {
    let body =
        r#"{"choices":[{"message":{"reasoning_content":"why","content":"x"},"finish_reason":"stop"}]}"#;
    let encoded = read(body, |mut answer| {
        let Content::Reasoning(thought) = &mut answer.choices[0].blocks[0].content else { panic!() };
        thought.seal =
            Some(Seal::from_provider("Eq".into(), SealKind::Signature, Dialect::Anthropic, "anthropic"));
        encode_answer(&answer, &context()).body
    });
    let answer: Value = serde_json::from_slice(&encoded).unwrap();
    let message = &answer["choices"][0]["message"];
    let expected = json!([{"type": "reasoning.text", "text": "why", "signature": "pm1.anthropic.anthropic.s.Eq", "index": 0}]);
    assert_eq!((&message["reasoning_content"], &message["reasoning_details"]), (&json!("why"), &expected));
}
