//! Whole answers.

use pointsman_core::Usage;

use super::*;

const ORIGIN: Origin<'static> = Origin { provider: "google", id: "req1" };

fn context() -> AnswerContext {
    AnswerContext { id: "abc".into(), model: "asked".into(), ..AnswerContext::default() }
}

fn written(answer: &Answer<'_>) -> (Value, Vec<String>) {
    let encoded = encode_answer(answer, &context());
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

pub(super) fn full() -> Value {
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": [
                { "text": "Hm.", "thought": true },
                { "text": "Æ: it rains.", "partMetadata": { "a": 1 } },
                { "executableCode": { "language": "PYTHON", "code": "1" } },
                { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } },
                { "functionCall": { "id": "f1", "name": "weather", "args": { "city": "Bergen" } } },
            ] },
            "finishReason": "STOP",
            "index": 0,
            "avgLogprobs": -0.5,
            "safetyRatings": [{ "category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE" }],
            "groundingMetadata": {
                "webSearchQueries": ["q"],
                "groundingChunks": [{ "web": { "uri": "https://a.example", "title": "A" } }, { "web": {} }],
                "groundingSupports": [
                    { "segment": { "partIndex": 1, "startIndex": 4, "endIndex": 13, "text": "it rains." },
                      "groundingChunkIndices": [0, 7] },
                ],
            },
            "logprobsResult": {
                "topCandidates": [{ "candidates": [{ "token": "a", "logProbability": -1 }] }],
                "chosenCandidates": [{ "token": "a", "logProbability": -1 }],
            },
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15, "serviceTier": "flex",
            "trafficType": "ON_DEMAND",
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
        "createTime": "2026-01-01T00:00:00Z",
    })
}

#[test]
fn an_answer_comes_back() {
    let text = full().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    assert_eq!(written(&answer), (full(), Vec::new()));
    assert_eq!((&answer.id, &answer.model), (&Text::from("r1"), &Text::from("gemini-2.5-flash")));
    let choice = &answer.choices[0];
    assert_eq!(choice.finish.as_ref().unwrap().reason, Reason::ToolCalls);
    let Content::Text { citations, .. } = &choice.blocks[1].content else { panic!("{choice:?}") };
    let [citation] = &citations[..] else { panic!("{citations:?}") };
    assert_eq!(citation.url.as_ref().unwrap(), "https://a.example");
    // Google counts bytes, others characters.
    assert_eq!((citation.span, citation.quote.as_ref().unwrap().chars()), (Some((3, 12)), 9));
    let logprobs: Value = serde_json::from_str(choice.logprobs.as_ref().unwrap()).unwrap();
    assert_eq!(logprobs["content"][0]["top_logprobs"][0]["logprob"], -1);
}

#[test]
fn calls_without_an_id_are_given_one() {
    let body = json!({ "candidates": [
        { "content": { "parts": [{ "functionCall": { "name": "a" } }, { "functionCall": { "name": "b" } }] },
          "finishReason": "STOP" },
        { "content": { "parts": [{ "functionCall": { "name": "c" } }] }, "finishReason": "STOP" },
    ] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let blocks = answer.choices.iter().flat_map(|choice| &choice.blocks);
    let ids: Vec<_> = blocks
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(call.id.value().into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_req1_0", "call_req1_1", "call_req1_2"]);
    assert_eq!(answer.choices[1].index, 1);
}

#[test]
fn signatures_are_sealed_by_their_provider_and_come_back() {
    let body = json!({ "candidates": [{
        "content": { "role": "model", "parts": [
            { "text": "Hm.", "thought": true, "thoughtSignature": "CikA" },
            { "text": "So.", "thoughtSignature": "CikB" },
            { "text": "", "thoughtSignature": "CikC" },
            { "functionCall": { "id": "1", "name": "f", "args": {} }, "thoughtSignature": "CikD" },
        ] },
        "finishReason": "STOP",
        "index": 0,
    }], "modelVersion": "m", "responseId": "r" });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let seals: Vec<String> = answer.choices[0]
        .blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::Reasoning(reasoning) => reasoning.seal.as_ref(),
            Content::ToolCall(call) => call.seal.as_ref(),
            _ => None,
        })
        .map(|seal| seal.for_client(Dialect::OpenAiChat).value().into_owned())
        .collect();
    assert_eq!(seals, ["A", "B", "C", "D"].map(|end| format!("pm1.gemini.google.s.Cik{end}")));
    // A Gemini client gets them tagged, and gives them back for who made them.
    let (told, losses) = written(&answer);
    assert_eq!(losses, Vec::<String>::new());
    let history = json!({ "contents": [told["candidates"][0]["content"]] }).to_string();
    assert!(crate::neutral::may_hold_tag(history.as_bytes()));
    let document = Document::read(history.as_bytes()).unwrap();
    let request = decode_request(&document, "m", false).unwrap();
    let (back, losses) = encoded(&request, &target());
    assert_eq!((&back["contents"][0], losses.len()), (&body["candidates"][0]["content"], 0));
}

#[test]
fn a_prompt_that_was_blocked_is_an_answer() {
    let body = json!({
        "promptFeedback": { "blockReason": "PROHIBITED_CONTENT", "safetyRatings": [] },
        "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 0, "totalTokenCount": 7 },
        "modelVersion": "m", "responseId": "r",
    });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let finish = answer.choices[0].finish.as_ref().unwrap();
    assert_eq!(
        (finish.reason, finish.raw.as_ref().unwrap()),
        (Reason::ContentFilter, &Text::from("PROHIBITED_CONTENT"))
    );
    assert_eq!(answer.usage.map(|usage| usage.input), Some(7));
    assert_eq!(written(&answer), (body, Vec::new()));
}

#[test]
fn an_answer_may_be_empty_if_it_says_why() {
    for (word, reason) in [("MAX_TOKENS", Reason::Length), ("SAFETY", Reason::ContentFilter)] {
        for content in [json!({}), json!({ "role": "model" }), json!({ "parts": [] })] {
            let body = json!({ "candidates": [{ "content": content, "finishReason": word }] });
            let text = body.to_string();
            let document = Document::read(text.as_bytes()).unwrap();
            let answer = decode_answer(&document, &ORIGIN).unwrap();
            assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, reason);
            assert!(answer.choices[0].blocks.is_empty());
        }
    }
}

#[test]
fn an_answer_of_another_dialect_is_written_whole() {
    let seal = Seal::from_provider(Text::from("EqQB"), SealKind::Signature, Dialect::Anthropic, "claude");
    let thought = Reasoning {
        summary: vec![Text::from("A"), Text::from("B")],
        seal: Some(seal.clone()),
        ..Reasoning::default()
    };
    let mut cited = text("Æ rain");
    if let Content::Text { citations, .. } = &mut cited.content {
        let found = |url: Option<&'static str>, span| Citation {
            url: url.map(Text::from),
            title: Some(Text::from("T")),
            quote: None,
            span,
            raw: "{}",
        };
        citations.push(found(Some("https://a.example"), Some((2, 6))));
        citations.push(found(None, None));
        citations.push(found(Some("https://b.example"), Some((2, 99))));
    }
    let blocks = vec![
        block(Content::Reasoning(thought)),
        block(Content::Reasoning(Reasoning { seal: Some(seal), ..Reasoning::default() })),
        cited,
        block(Content::Refusal(Text::from("No."))),
        picture(Source::Url(Text::from("https://a.example/x.png"))),
        call("call.1", Arguments::Quoted(Text::Escaped(r#"{\"a\":1}"#))),
        block(Content::Opaque(r#"{"type":"web_search_call"}"#)),
    ];
    let finish = Some(Finish::new(Reason::Stop));
    let logprobs = Some(r#"{"content":[{"token":"x","logprob":-1,"top_logprobs":[]}]}"#.into());
    let other = Choice { index: 1, finish: Some(Finish::new(Reason::Length)), ..Choice::default() };
    let answer = Answer {
        choices: vec![Choice { blocks, finish, logprobs, ..Choice::default() }, other],
        usage: Some(Usage { input: 100, cached_input: 60, output: 50, reasoning: 20, ..Usage::default() }),
        service_tier: Some(Text::from("scale")),
        ..Answer::default()
    };
    let (written, losses) = written(&answer);
    // `pm1.anthropic.claude.s.EqQB` as bytes.
    let tag = "cG0xLmFudGhyb3BpYy5jbGF1ZGUucy5FcVFC";
    assert_eq!(
        written,
        json!({
            "candidates": [
                {
                    "content": { "parts": [
                        { "text": "A\n\nB", "thought": true, "thoughtSignature": tag },
                        { "text": "", "thought": true, "thoughtSignature": tag },
                        { "text": "Æ rain" },
                        { "text": "No." },
                        { "fileData": { "fileUri": "https://a.example/x.png" } },
                        { "functionCall": { "id": "call.1", "name": "weather", "args": { "a": 1 } } },
                    ], "role": "model" },
                    "finishReason": "STOP",
                    "index": 0,
                    "logprobsResult": {
                        "topCandidates": [{ "candidates": [] }],
                        "chosenCandidates": [{ "token": "x", "logProbability": -1 }],
                    },
                    "groundingMetadata": {
                        "groundingChunks": [
                            { "web": { "uri": "https://a.example", "title": "T" } },
                            { "web": { "uri": "https://b.example", "title": "T" } },
                        ],
                        "groundingSupports": [
                            { "segment": { "partIndex": 2, "startIndex": 3, "endIndex": 7 },
                              "groundingChunkIndices": [0] },
                        ],
                    },
                },
                { "content": { "parts": [], "role": "model" }, "finishReason": "MAX_TOKENS", "index": 1 },
            ],
            "usageMetadata": {
                "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 30,
                "thoughtsTokenCount": 20, "totalTokenCount": 150,
            },
            "modelVersion": "asked",
            "responseId": "abc",
        })
    );
    assert_eq!(losses, ["messages[0].citations", "messages[1].content[0]", "service_tier"]);
}

#[test]
fn recited_sources_are_citations() {
    for list in ["citationSources", "citations"] {
        let body = json!({ "candidates": [{
            "content": { "parts": [{ "text": "abc" }] },
            "finishReason": "RECITATION",
            "citationMetadata": { list: [{ "startIndex": 1, "endIndex": 3, "uri": "https://a.example" }, {}] },
        }] });
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let answer = decode_answer(&document, &ORIGIN).unwrap();
        let Content::Text { citations, .. } = &answer.choices[0].blocks[0].content else {
            panic!("{answer:?}")
        };
        assert_eq!(citations.iter().map(|found| found.span).collect::<Vec<_>>(), [Some((1, 3)), None]);
        assert_eq!(citations[0].url.as_ref().unwrap(), "https://a.example");
    }
}

#[test]
fn hostile_answers_are_refused() {
    let refused = |body: Value| {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        decode_answer(&document, &ORIGIN).unwrap_err()
    };
    let missing = |field: &str| DecodeError::Missing { field: field.into() };
    assert_eq!(refused(json!([])), DecodeError::wrong("body", "an object"));
    assert_eq!(refused(json!({})), missing("candidates"));
    assert_eq!(refused(json!({ "candidates": [] })), missing("candidates"));
    assert_eq!(refused(json!({ "candidates": [], "promptFeedback": {} })), missing("candidates"));
    assert_eq!(refused(json!({ "candidates": "x" })), DecodeError::wrong("candidates", "a list of objects"));
    assert_eq!(refused(json!({ "candidates": [3] })), DecodeError::wrong("candidates[0]", "an object"));
    assert_eq!(refused(json!({ "candidates": [{}] })), missing("candidates[0].finishReason"));
    let candidate = |value: Value| refused(json!({ "candidates": [value] }));
    assert_eq!(candidate(json!({ "content": 1 })), DecodeError::wrong("candidates[0].content", "an object"));
    assert_eq!(
        candidate(json!({ "content": { "parts": "x" } })),
        DecodeError::wrong("candidates[0].parts", "a list of objects")
    );
    assert_eq!(
        candidate(json!({ "content": { "parts": [{ "text": 1 }] } })),
        DecodeError::wrong("candidates[0].parts[0].text", "a string")
    );
    assert_eq!(
        candidate(json!({ "finishReason": 1 })),
        DecodeError::wrong("candidates[0].finishReason", "a string")
    );
    assert_eq!(
        candidate(json!({ "content": { "parts": [{ "functionCall": {} }] } })),
        missing("candidates[0].parts[0].functionCall.name")
    );
    // What is new is kept, whatever it is.
    let odd = json!({
        "candidates": [{
            "content": { "parts": [{ "hologram": { "x": 1 } }, {}, { "inlineData": { "mimeType": "image/png" } }] },
            "finishReason": "SURPRISE",
            "groundingMetadata": { "groundingSupports": 3, "groundingChunks": [1, null] },
            "citationMetadata": [],
            "logprobsResult": "x",
        }],
        "usageMetadata": [1],
    });
    let text = odd.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let blocks = &answer.choices[0].blocks;
    assert!(blocks.iter().all(|block| matches!(block.content, Content::Opaque(_))) && blocks.len() == 2);
    assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, Reason::Other);
    assert_eq!((answer.usage, answer.choices[0].logprobs.is_none()), (None, true));
}
