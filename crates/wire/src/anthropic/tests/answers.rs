//! Whole answers.

use pointsman_core::{Service, Usage, UsageDetail, UsageSource};

use super::*;

const ORIGIN: Origin<'static> = Origin { provider: "anthropic", id: "req1" };

fn context() -> AnswerContext {
    AnswerContext { id: "abc".into(), model: "asked".into(), ..AnswerContext::default() }
}

fn written(answer: &Answer<'_>) -> (Value, Vec<String>) {
    let encoded = encode_answer(answer, &context());
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

fn full() -> Value {
    json!({
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [
            { "type": "text", "text": "It rains.", "citations": [
                { "type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "rain",
                  "encrypted_index": "E" },
            ] },
            { "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": { "query": "q" } },
            { "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [] },
            { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Bergen" } },
        ],
        "stop_reason": "tool_use",
        "stop_sequence": null,
        "container": { "id": "c", "expires_at": "2026-01-01T00:00:00Z" },
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 2000,
            "cache_creation": { "ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200 },
            "output_tokens": 50,
            "output_tokens_details": { "thinking_tokens": 20 },
            "service_tier": "priority",
            "server_tool_use": { "web_search_requests": 1 },
        },
    })
}

#[test]
fn an_answer_comes_back() {
    let text = full().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    assert_eq!(written(&answer), (full(), Vec::new()));
}

#[test]
fn input_includes_the_cache_here_and_not_there() {
    let text = full().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let usage = Usage {
        input: 2310,
        cached_input: 2000,
        cache_write: 300,
        output: 50,
        reasoning: 20,
        source: UsageSource::Reported,
        detail: UsageDetail { cache_write_1h: 200, service: Service::Priority, ..UsageDetail::default() },
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
}

#[test]
fn thoughts_are_sealed_by_their_provider() {
    let body = json!({
        "type": "message", "stop_reason": "end_turn",
        "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "sig" },
            { "type": "redacted_thinking", "data": "enc" },
        ],
    });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let seals: Vec<_> = answer.choices[0]
        .blocks
        .iter()
        .map(|block| match &block.content {
            Content::Reasoning(Reasoning { text, seal: Some(seal), .. }) => {
                (text.len(), seal.kind, seal.for_client(Dialect::OpenAiChat).value().into_owned())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let tagged = |kind, data| format!("pm1.anthropic.anthropic.{kind}.{data}");
    let expected =
        [(1, SealKind::Signature, tagged("s", "sig")), (0, SealKind::Encrypted, tagged("e", "enc"))];
    assert_eq!(seals, expected);
}

#[test]
fn every_stop_reason_has_its_meaning_and_comes_back() {
    for (word, reason) in [
        ("end_turn", Reason::Stop),
        ("stop_sequence", Reason::StopSequence),
        ("max_tokens", Reason::Length),
        ("model_context_window_exceeded", Reason::ContextLength),
        ("tool_use", Reason::ToolCalls),
        ("refusal", Reason::Refusal),
        ("pause_turn", Reason::Pause),
    ] {
        let body = json!({
            "type": "message", "content": [], "stop_reason": word, "stop_sequence": "END",
            "stop_details": { "type": "refusal" },
        });
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let answer = decode_answer(&document, &ORIGIN).unwrap();
        assert_eq!(answer.choices[0].finish.as_ref().map(|finish| finish.reason), Some(reason));
        let (back, _) = written(&answer);
        assert_eq!((&back["stop_reason"], &back["stop_sequence"]), (&json!(word), &json!("END")));
        assert_eq!(back["stop_details"], json!({ "type": "refusal" }));
    }
}

#[test]
fn an_answer_of_another_dialect_is_written_whole() {
    let seal =
        Seal::from_provider(Text::from("enc"), SealKind::Encrypted, Dialect::OpenAiResponses, "openai");
    let thought = Reasoning {
        summary: vec![Text::from("A"), Text::from("B")],
        seal: Some(seal.clone()),
        ..Reasoning::default()
    };
    let blocks = vec![
        block(Content::Reasoning(thought)),
        block(Content::Reasoning(Reasoning { seal: Some(seal), ..Reasoning::default() })),
        block(Content::text(Text::Escaped(r"a\n"))),
        block(Content::Refusal(Text::from("No."))),
        call("call.1", Arguments::Quoted(Text::Escaped(r#"{\"a\":1}"#))),
        block(Content::Opaque(r#"{"type":"web_search_call"}"#)),
    ];
    let finish = Some(Finish::new(Reason::Stop));
    let other = Choice { index: 1, ..Choice::default() };
    let answer = Answer {
        choices: vec![Choice { blocks, finish, logprobs: Some("{}".into()), ..Choice::default() }, other],
        usage: Some(Usage { input: 100, cached_input: 60, output: 5, ..Usage::default() }),
        service_tier: Some(Text::from("flex")),
        ..Answer::default()
    };
    let (written, losses) = written(&answer);
    let tag = "pm1.openai-responses.openai.e.enc";
    assert_eq!(
        written,
        json!({
            "id": "msg_abc",
            "type": "message",
            "role": "assistant",
            "model": "asked",
            "content": [
                { "type": "thinking", "thinking": "A\n\nB", "signature": tag },
                { "type": "redacted_thinking", "data": tag },
                { "type": "text", "text": "a\n" },
                { "type": "text", "text": "No." },
                { "type": "tool_use", "id": "call_x2e1", "name": "weather", "input": { "a": 1 } },
            ],
            // The provider said "stop": Anthropic's clients run tools only for this.
            "stop_reason": "tool_use",
            "stop_sequence": null,
            "usage": {
                "input_tokens": 40,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 60,
                "output_tokens": 5,
            },
        })
    );
    assert_eq!(losses, ["choices[1]", "messages[1].content[0]", "logprobs", "service_tier"]);
}

#[test]
fn hostile_answers_are_refused() {
    let refused = |body: Value| {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        decode_answer(&document, &ORIGIN).unwrap_err()
    };
    let missing = |field: &str| DecodeError::Missing { field: field.into() };
    assert_eq!(refused(json!({})), missing("type"));
    assert_eq!(refused(json!({ "type": "error", "error": {} })), DecodeError::wrong("type", "`message`"));
    assert_eq!(refused(json!({ "type": "message" })), missing("content"));
    assert_eq!(refused(json!({ "type": "message", "content": [] })), missing("stop_reason"));
    let wrong = json!({ "type": "message", "content": "x", "stop_reason": "end_turn" });
    assert_eq!(refused(wrong), DecodeError::wrong("content", "an array of blocks"));
    let odd = json!({ "type": "message", "content": [{ "type": "tool_use", "id": "i" }] });
    assert_eq!(refused(odd), missing("content[0].name"));
    let unknown = json!({
        "type": "message", "content": [{ "type": "hologram", "x": 1 }], "stop_reason": "surprise",
        "usage": { "input_tokens": -1, "output_tokens": "many" },
    });
    let text = unknown.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    assert!(matches!(answer.choices[0].blocks[0].content, Content::Opaque(_)));
    assert_eq!(answer.usage, None);
    assert_eq!(answer.choices[0].finish.as_ref().map(|finish| finish.reason), Some(Reason::Other));
}
