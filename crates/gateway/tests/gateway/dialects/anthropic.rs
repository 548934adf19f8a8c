//! OpenAI chat and Anthropic, both ways.

use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Ending, Gate};
use pointsman_testkit::openai::{Tokens, chat_events};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::harness::*;

#[tokio::test(start_paused = true)]
async fn an_openai_client_gets_a_whole_answer_of_anthropics() {
    // Its name says what it speaks.
    let yaml = "providers: { anthropic: { base_url: 'http://claude.test/v1' } }\n";
    let world = Setup::new(yaml).env("ANTHROPIC_API_KEY", "sk-ant-real").start();
    let claude = world.upstream("claude");
    claude.script([Answer::json(&message("tool_use")).header("anthropic-ratelimit-tokens-remaining", "9")]);
    let mut request = ask("/v1/chat/completions", &tool_chat("anthropic/claude-sonnet-4-5"));
    request = with(with(request, "openai-beta", "x=1"), "authorization", "Bearer mine");
    let reply = world.send(request).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);

    let received = claude.received().remove(0);
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/messages"));
    assert_eq!(received.header_all("x-api-key"), ["sk-ant-real"]);
    assert_eq!(received.header_all("anthropic-version"), ["2023-06-01"]);
    for name in ["authorization", "openai-beta"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    let body = sent(&received);
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("claude-sonnet-4-5"), &json!(200)));
    assert_eq!((&body["temperature"], &body["stream"]), (&json!(0.5), &Value::Null));
    assert!(body["system"].to_string().contains("Be brief."), "{body}");
    assert_eq!(body["tools"][0]["name"], "weather");
    assert_eq!(body["tools"][0]["input_schema"]["properties"]["city"]["type"], "string");
    let turns = body["messages"].as_array().unwrap();
    assert_eq!(turns.len(), 3, "{body}");
    assert_eq!(turns[1]["content"][0]["input"], json!({"city": "Bern"}));
    assert_eq!(turns[2]["content"][0]["tool_use_id"], turns[1]["content"][0]["id"]);

    let answer = reply.json();
    assert_eq!(
        (answer["object"].as_str(), answer["model"].as_str()),
        (Some("chat.completion"), Some("claude-x"))
    );
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "Let me see.");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["name"]), (&json!("toolu_1"), &json!("weather")));
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Z\u{fc}rich", "days": 2}));
    assert_eq!(answer["usage"]["prompt_tokens"], 14);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-pointsman-provider"), Some("anthropic"));
    assert_eq!(reply.header("anthropic-ratelimit-tokens-remaining"), Some("9"));
    assert_eq!(reply.header("x-pointsman-dropped"), Some("openai-beta"));

    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.streamed), (Outcome::Success, 200, false));
    assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (14, 4, 7));
    assert_eq!(record.usage.source, UsageSource::Reported);
    assert_eq!(record.response_bytes, reply.body.len() as u64);
    // 10 tokens at $3, 4 from the cache at $0.30 and 7 at $15 a million.
    assert_eq!(record.cost.unwrap().total().nanos(), 30_000 + 1_200 + 105_000);
    assert_eq!(reply.header("x-pointsman-cost-usd"), Some("0.000136200"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_openai_client_gets_a_stream_of_anthropics() {
    for (asks, size) in [(false, 10_000), (true, 7), (true, 1)] {
        let world = start(FIVE);
        let claude = world.upstream("claude");
        let bytes = message_events().concat();
        let chunks = bytes.chunks(size).map(bytes::Bytes::copy_from_slice);
        claude.script([Answer::sse(chunks)]);
        let mut body = tool_chat("claude/c");
        body["stream"] = json!(true);
        if asks {
            body["stream_options"] = json!({"include_usage": true});
        }
        let mut stream = world.client().await.open(ask("/v1/chat/completions", &body)).await;
        assert_eq!(stream.status, 200);
        assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
        let text = stream.rest().await;
        assert!(text.ends_with("data: [DONE]\n\n") && text.matches("[DONE]").count() == 1, "{text}");
        let chunks = data(&text);
        let said: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(said, "Let me see.");
        let calls = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]);
        let arguments: String = calls.filter_map(|call| call["function"]["arguments"].as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"city": "Z\u{fc}rich"}));
        let finish = chunks.iter().find_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
        assert_eq!(finish, Some("tool_calls"));
        let usage = chunks.iter().find(|chunk| chunk["usage"].is_object());
        assert_eq!(usage.map(|chunk| chunk["usage"]["completion_tokens"].as_u64()), asks.then_some(Some(9)));
        assert_eq!(sent(&claude.received()[0])["stream"], true);
        assert_eq!(claude.received()[0].header("accept"), Some("text/event-stream"));
        let record = world.record().await;
        assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (14, 4, 9));
        assert_eq!((record.outcome, record.usage.source), (Outcome::Success, UsageSource::Reported));
        assert_eq!(record.response_bytes, text.len() as u64);
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn an_anthropic_client_gets_a_whole_answer_of_openais() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    gpt.script([Answer::json(&completion())]);
    let body = json!({
        "model": "gpt/g", "max_tokens": 300, "system": "Be brief.", "stop_sequences": ["END"],
        "tools": [{"name": "weather", "description": "The weather.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "weather"},
        "messages": [
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_9", "name": "weather", "input": {"city": "Bern"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_9", "content": "sunny"},
                {"type": "text", "text": "And in Z\u{fc}rich?"}]},
        ],
    });
    let request =
        with(with(ask("/v1/messages", &body), "x-api-key", "any"), "anthropic-version", "2023-06-01");
    let reply = world.send(with(request, "anthropic-beta", "tools-2024")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);

    let received = gpt.received().remove(0);
    assert_eq!(received.target, "/v1/chat/completions");
    assert_eq!(received.header_all("authorization"), ["Bearer beta-secret"]);
    for name in ["x-api-key", "anthropic-version", "anthropic-beta"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    let dropped = reply.header("x-pointsman-dropped").unwrap_or_default();
    assert!(dropped.split(',').any(|name| name == "anthropic-beta"), "{dropped}");
    assert_eq!(gpt.violations(), [""; 0]);
    let body = received.json();
    assert_eq!(body["model"], "g");
    assert_eq!(body["stop"], json!(["END"]));
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": "weather"}}));
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|turn| &turn["role"]).collect();
    assert!(matches!(roles[0].as_str(), Some("system" | "developer")), "{body}");
    assert_eq!(roles[1..], ["user", "assistant", "tool", "user"]);
    assert_eq!(body["messages"][3]["tool_call_id"], body["messages"][2]["tool_calls"][0]["id"]);

    let answer = reply.json();
    assert_eq!((answer["type"].as_str(), answer["role"].as_str()), (Some("message"), Some("assistant")));
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(answer["content"][0], json!({"type": "text", "text": "Let me see."}));
    assert_eq!(answer["content"][1]["input"], json!({"city": "Z\u{fc}rich"}));
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["cache_read_input_tokens"]),
        (&json!(10), &json!(4))
    );
    let record = world.record().await;
    assert_eq!((record.usage.input, record.usage.output), (14, 9));
    assert_eq!((&*record.requested_model, record.operation.as_str()), ("gpt/g", "chat"));
}

#[tokio::test(start_paused = true)]
async fn an_anthropic_client_gets_a_stream_of_openais() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    let tokens = Tokens { input: 12, output: 3 };
    gpt.script([Answer::chat_stream("gpt-x", &["hi", " you"], Some(tokens))]);
    let mut body = messages("gpt/g");
    body["stream"] = json!(true);
    let mut stream = world.client().await.open(ask("/v1/messages", &body)).await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let text = stream.rest().await;
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"message_start"), Some(&"message_stop")), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    let events = data(&text);
    let said: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(said, "hi you");
    let last = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(
        (&last["delta"]["stop_reason"], &last["usage"]["output_tokens"]),
        (&json!("end_turn"), &json!(3))
    );
    // Asked for on the client's account: its dialect always tells.
    assert_eq!(gpt.received()[0].json()["stream_options"], json!({"include_usage": true}));
    assert_eq!(gpt.violations(), [""; 0]);
    let record = world.record().await;
    assert_eq!((record.usage.input, record.usage.output, record.streamed), (12, 3, true));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_tell_usage_in_streams_is_not_asked_to() {
    let world = start(&FIVE.replace("include_usage: true", "include_usage: false"));
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat_stream("gpt-x", &["hi", " you"], None)]);
    let mut body = messages("gpt/g");
    body["stream"] = json!(true);
    let mut stream = world.client().await.open(ask("/v1/messages", &body)).await;
    assert!(stream.rest().await.contains("message_stop"));
    assert_eq!(gpt.received()[0].json().get("stream_options"), None);
    let record = world.record().await;
    assert_eq!((record.usage.output, record.usage.source), (2, UsageSource::Counted));
    assert_eq!(record.dropped, None);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_of_another_dialect_takes_over() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.script([failed(529, "overloaded_error", "busy"), failed(529, "overloaded_error", "busy")]);
    for streams in [false, true] {
        let tokens = Tokens { input: 1, output: 1 };
        gpt.script([match streams {
            true => Answer::chat_stream("gpt-x", &["hi"], Some(tokens)),
            false => Answer::chat("gpt-x", "hi", tokens),
        }]);
        let mut body = messages("both");
        body["stream"] = json!(streams);
        let mut stream = world.client().await.open(ask("/v1/messages", &body)).await;
        assert_eq!((stream.status, stream.header("x-pointsman-provider")), (200, Some("gpt")));
        assert_eq!(stream.header("x-pointsman-attempts"), Some("2"));
        assert!(stream.rest().await.contains("\"hi\""));
    }
    // Untouched for the first, converted for the second.
    let expected = messages("c").as_object().unwrap().len() + 1;
    assert_eq!(sent(&claude.received()[0]).as_object().unwrap().len(), expected);
    let records = world.records(2).await;
    for record in &records {
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::Overloaded { retry_after: None }, Outcome::Success]);
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_a_converted_stream() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    let gate = Gate::new();
    claude.script([Answer::sse(message_events()).gate(5, &gate)]);
    let mut stream = world.client().await.open(streamed("claude/c")).await;
    let mut seen = String::new();
    while !seen.contains("see.") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap()).unwrap());
    }
    stream.hang_up();
    assert_eq!(claude.wait_ended(1).await[0].ending(), Some(Ending::ClientGone));
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.error), (Outcome::Cancelled, 200, None));
    // What was said before the end counts its prompt, not what was written by then.
    let (usage, source) = (record.usage, UsageSource::Counted);
    assert_eq!((usage.input, usage.output, usage.source), (14, 2, source), "{usage:?}");
    assert_eq!(record.response_bytes, seen.len() as u64);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_converted_answer_is_kept_as_the_client_got_it() {
    let yaml = FIVE.replace("  both:", "  kept: { model: claude/c, store_bodies: true }\n  both:");
    let world = start(&yaml);
    let claude = world.upstream("claude");
    claude.script([Answer::json(&message("end_turn")), Answer::sse(message_events())]);
    let reply = world.chat("kept").await;
    let streamed = world.stream("kept").await.rest().await;
    let records = world.records(2).await;
    let kept: Vec<_> = records.iter().map(|record| record.bodies.as_ref().unwrap()).collect();
    assert_eq!((&kept[0].response, &kept[1].response[..]), (&reply.body, streamed.as_bytes()));
    assert!(kept[0].request.starts_with(b"{"));
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_is_none_is_tried_elsewhere() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    gpt.otherwise(|_| Answer::chat("gpt-x", "hi", Tokens { input: 1, output: 1 }));
    let answers = [
        Answer::new(200, "application/json", "{\"type\":\"mess"),
        Answer::json(&json!({"type": "message", "role": "assistant"})),
        Answer::json(&json!([])),
        Answer::new(200, "text/html", "<html>"),
        failed(200, "api_error", "inside"),
        Answer::json(&message("end_turn")).cut_body(20, Cut::Reset),
    ];
    let count = answers.len();
    claude.script(answers);
    for number in 0..count {
        let reply = world.chat("both").await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gpt")), "{number}");
        // Never often enough for its breaker.
        tokio::time::sleep(secs(30)).await;
    }
    let records = world.records(count).await;
    let outcomes: Vec<_> = records.iter().map(|record| record.attempts[0].outcome).collect();
    let expected = [Outcome::Malformed, Outcome::Malformed, Outcome::Malformed, Outcome::Malformed];
    assert_eq!(outcomes[..4], expected);
    assert_eq!(outcomes[4..], [Outcome::UpstreamFault, Outcome::Reset]);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_shows_nothing_is_tried_elsewhere() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    let tokens = Some(Tokens { input: 1, output: 1 });
    gpt.otherwise(move |_| Answer::chat_stream("gpt-x", &["hi"], tokens));
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    claude.script([
        Answer::sse(message_events()[..3].to_vec()),
        Answer::sse([message_events()[0].clone(), overloaded.into()]),
        Answer::sse(["data: nonsense\n\n".into()]),
        Answer::json(&message("end_turn")),
    ]);
    let plain = chat_events("gpt-x", &["hi"], None).concat();
    for number in 0..4 {
        let mut stream = world.stream("both").await;
        assert_eq!(stream.rest().await.as_bytes(), plain, "{number}");
    }
    let records = world.records(4).await;
    let outcomes: Vec<_> = records.iter().map(|record| record.attempts[0].outcome).collect();
    let overloaded = Outcome::Overloaded { retry_after: None };
    assert_eq!(outcomes, [Outcome::Reset, overloaded, Outcome::Malformed, Outcome::Malformed]);
}
