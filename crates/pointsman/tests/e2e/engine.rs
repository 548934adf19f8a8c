//! A real engine behind the gateway: plain, streamed, tools, JSON mode, embeddings.

use serde_json::{Value, json};

use crate::support::engine::{CHAT_MODEL, EMBEDDING_MODEL, Engine};
use crate::support::gateway::{Gateway, provider};

fn gateway_for(engine: &Engine) -> Gateway {
    Gateway::start(&format!("providers:\n{}", provider("local", &engine.base_url(), &[CHAT_MODEL])))
}

fn chat(fields: &Value) -> Value {
    let mut body = json!({
        "model": "local/smollm2", "max_tokens": 24, "temperature": 0,
        "messages": [{"role": "user", "content": "Say hello."}],
    });
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_plainly() {
    let engine = Engine::chat();
    let gateway = gateway_for(&engine);
    let answer = gateway.chat(&chat(&json!({}))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-pointsman-provider"), "local");
    assert_eq!(answer.header("x-pointsman-attempts"), "1");
    let answer = answer.json().await;
    assert!(!answer["choices"][0]["message"]["content"].as_str().unwrap().is_empty(), "{answer}");
    // The engine's own fields come through.
    assert!(answer["timings"]["predicted_n"].is_number(), "{answer}");

    let record = gateway.records().nth(0);
    assert_eq!((record.status, record.outcome.as_str(), record.attempts), (200, "success", 1));
    assert_eq!((record.usage_source.as_str(), record.cost_nanos), ("reported", Some(0)));
    assert_eq!(Some(record.input_tokens), answer["usage"]["prompt_tokens"].as_u64());
    assert_eq!(Some(record.output_tokens), answer["usage"]["completion_tokens"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_counts_without_showing_the_count() {
    let engine = Engine::chat();
    let gateway = gateway_for(&engine);
    let answer = gateway.chat(&chat(&json!({"stream": true}))).await;
    assert_eq!(answer.status, 200);
    let events = answer.events().await;
    assert!(events.done && !events.broken, "{events:?}");
    assert!(!events.text().is_empty() && events.finish_reason().is_some(), "{events:?}");
    let unasked = events.data.iter().find(|event| event["choices"].as_array().is_none_or(Vec::is_empty));
    assert!(unasked.is_none(), "nobody asked for usage: {unasked:?}");

    let record = gateway.records().nth(0);
    assert!(record.streamed);
    assert_eq!((record.outcome.as_str(), record.usage_source.as_str()), ("success", "reported"));
    assert!(record.input_tokens > 0 && (1..=24).contains(&record.output_tokens), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_tools() {
    let engine = Engine::chat();
    let gateway = gateway_for(&engine);
    let call = |city: &str| {
        let arguments = json!({"city": city}).to_string();
        json!({"role": "assistant", "content": null, "tool_calls": [{
            "id": format!("call_{city}"), "type": "function",
            "function": {"name": "get_weather", "arguments": arguments},
        }]})
    };
    let ask = |city: &str| json!({"role": "user", "content": format!("Weather in {city}?")});
    let request = json!({
        // Earlier calls give a small model the habit of calling at once.
        "messages": [ask("Rome"), call("Rome"), ask("Oslo"), call("Oslo"), ask("Paris")],
        "tools": [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
                           "required": ["city"], "additionalProperties": false},
        }}],
        "tool_choice": "required", "max_tokens": 60,
    });
    let answer = gateway.chat(&chat(&request)).await.json().await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Paris"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_to_json_mode_and_to_a_schema() {
    let engine = Engine::chat();
    let gateway = gateway_for(&engine);
    let schema = json!({
        "type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}}, "required": ["kind"],
        "additionalProperties": false,
    });
    for format in [
        json!({"type": "json_object", "schema": schema}),
        json!({"type": "json_schema", "json_schema": {"name": "pet", "strict": true, "schema": schema}}),
    ] {
        let answer = gateway.chat(&chat(&json!({"response_format": format}))).await.json().await;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
        let pet: Value = serde_json::from_str(content).unwrap();
        assert!(pet["kind"] == "cat" || pet["kind"] == "dog", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeds() {
    let engine = Engine::embeddings();
    let providers = format!("providers:\n{}", provider("local", &engine.base_url(), &[EMBEDDING_MODEL]));
    let gateway = Gateway::start(&providers);
    let body = json!({"model": "local/smollm2-embed", "input": ["a small cat", "taxes"]});
    let answer = gateway.post("/v1/embeddings", &body).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json().await;
    let vectors = answer["data"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    assert!(vectors.iter().all(|vector| vector["embedding"].as_array().unwrap().len() > 100));
    let record = gateway.records().nth(0);
    assert_eq!(Some(record.input_tokens), answer["usage"]["prompt_tokens"].as_u64());
}
