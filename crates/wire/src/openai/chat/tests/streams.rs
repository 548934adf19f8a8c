//! Streams: what vendors send, told block by block; and what clients get.

use std::collections::BTreeMap;

use pointsman_core::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::{Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Citation, Content, DecodeError, Event, Finish, Head,
    Media, Path, Reason, Reasoning, Seal, SealKind, Source, ToolCall,
};
use crate::openai::chat::{StreamDecoder, StreamEncoder};
use crate::sse::Framer;

/// What a stream says, one line a block, in the order in which blocks open; checks the order of events.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    open: BTreeMap<u32, usize>,
    next: u32,
    started: bool,
    ended: bool,
}

impl Told {
    fn event(&mut self, event: &Event<'_>) {
        assert!(!self.ended, "{event:?} behind the end");
        assert!(
            self.started || matches!(event, Event::Start { .. } | Event::Error(_)),
            "{event:?} before the start"
        );
        let mut add = |block: &u32, text: &str| {
            let at = self.open[block];
            self.lines[at].push_str(text);
        };
        match event {
            Event::Start { id, model, .. } => {
                assert!(!self.started);
                self.started = true;
                self.lines.push(format!("start {} {}", id.value(), model.value()));
            }
            Event::Open { block, choice, head } => {
                assert_eq!(*block, self.next);
                self.next += 1;
                self.open.insert(*block, self.lines.len());
                let head = match head {
                    Head::Text => "text ".to_owned(),
                    Head::Refusal => "refusal ".to_owned(),
                    Head::Reasoning { summary: false, .. } => "thought ".to_owned(),
                    Head::Reasoning { summary: true, .. } => "summary ".to_owned(),
                    Head::ToolCall { id, name, custom, .. } => {
                        let kind = if *custom { "custom" } else { "call" };
                        format!("{kind} {} {} ", id.value(), name.value())
                    }
                    Head::Media(Content::Image(Media { source: Source::Url(url), .. })) => {
                        format!("image {}", url.value())
                    }
                    Head::Media(content) => format!("{content:?}"),
                    Head::Opaque(raw) => format!("opaque {raw}"),
                };
                self.lines.push(format!("{choice} {head}"));
            }
            Event::Delta { block, text } => add(block, &text.value()),
            Event::Cite { block, citation } => {
                add(block, &format!(" [{}]", citation.url.as_ref().unwrap().value()));
            }
            Event::Sealed { block, seal } => {
                add(block, &format!(" <{:?} {} {:?}>", seal.kind, seal.data.value(), seal.dialect));
            }
            Event::Close { block } => drop(self.open.remove(block).unwrap()),
            Event::Logprobs { choice, raw } => self.lines.push(format!("{choice} logprobs {raw}")),
            Event::Finish { choice, finish } => {
                assert!(self.open.values().all(|at| !self.lines[*at].starts_with(&format!("{choice} "))));
                self.lines.push(format!("{choice} finish {:?}", finish.reason));
            }
            Event::Usage(usage) => self.lines.push(format!("usage {} {}", usage.input, usage.output)),
            Event::ServiceTier(tier) => self.lines.push(format!("tier {}", tier.value())),
            Event::Lost(name) => self.lines.push(format!("lost {}", name.value())),
            Event::Ping => self.lines.push("ping".to_owned()),
            Event::Error(error) => {
                self.ended = true;
                self.lines.push(format!("error {}", error.message));
            }
            Event::End => {
                self.ended = true;
                self.lines.push("end".to_owned());
            }
        }
    }
}

fn try_tell(stream: &str) -> Result<Vec<String>, DecodeError> {
    let mut decoder = StreamDecoder::new("vendor", "r1");
    let mut told = Told::default();
    let mut framer = Framer::default();
    for event in framer.events(stream.as_bytes()).unwrap() {
        decoder.frame(&event.name, &event.data, &mut |event| told.event(&event))?;
    }
    decoder.finish(&mut |event| told.event(&event))?;
    Ok(told.lines)
}

fn tell(stream: &str) -> Vec<String> {
    try_tell(stream).unwrap()
}

/// Chunks with these deltas (of choice 0), the last with a reason to end, and `[DONE]`.
fn stream(deltas: &[&str], reason: &str) -> String {
    let chunk = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let mut text: String = deltas.iter().map(|delta| chunk(delta, "null")).collect();
    text.push_str(&chunk("{}", &format!("\"{reason}\"")));
    text + "data: [DONE]\n\n"
}

fn blocks(deltas: &[&str]) -> Vec<String> {
    let mut lines = tell(&stream(deltas, "stop"));
    assert_eq!(lines.remove(0), "start c m");
    assert_eq!(lines.pop().unwrap(), "end");
    lines
}

#[test]
fn text_thoughts_and_refusals_follow_each_other() {
    let lines = blocks(&[
        r#"{"role":"assistant","content":""}"#,
        r#"{"reasoning_content":"wh"}"#,
        r#"{"reasoning_content":"y"}"#,
        r#"{"content":"a\n"}"#,
        r#"{"content":"\u00e9"}"#,
        r#"{"refusal":"no"}"#,
    ]);
    assert_eq!(lines, ["0 thought why", "0 text a\né", "0 refusal no", "0 finish Refusal"]);
}

#[test]
fn parallel_calls_may_be_interleaved() {
    let lines = blocks(&[
        r#"{"content":"I look."}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}},{"index":1,"function":{"arguments":"}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
    ]);
    assert_eq!(lines, ["0 text I look.", r#"0 call a f {"x":1}"#, "0 call b g {}", "0 finish ToolCalls"]);
}

#[test]
fn calls_are_told_apart_however_vendors_number_them() {
    let expected = [r#"0 call a f {"x":1}"#, "0 call b g {}", "0 finish ToolCalls"];
    // All calls have the index 0.
    let zeros = [
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
    ];
    assert_eq!(blocks(&zeros), expected);
    // None has an index.
    let none = zeros.map(|delta| delta.replace("\"index\":0,", ""));
    assert_eq!(blocks(&none.each_ref().map(String::as_str)), expected);
    // Id and name come again with every piece.
    let again = [
        zeros[0],
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1}"}}]}"#,
        zeros[2],
    ];
    assert_eq!(blocks(&again), expected);
    // Without an index too.
    let again = again.map(|delta| delta.replace("\"index\":0,", ""));
    assert_eq!(blocks(&again.each_ref().map(String::as_str)), expected);
    // Both at once, as objects.
    let whole = r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"g","arguments":{}}}]}"#;
    assert_eq!(blocks(&[whole]), expected);
}

#[test]
fn ids_and_names_may_come_late_or_never() {
    let late = [
        r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a"}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
    ];
    assert_eq!(blocks(&late), ["0 call a f {}", "0 finish ToolCalls"]);
    let name_last = [
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{\"x\""}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}","name":"f"}}]}"#,
    ];
    assert_eq!(blocks(&name_last), [r#"0 call a f {"x":1}"#, "0 finish ToolCalls"]);
    let never = [
        r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":""}}]}"#,
    ];
    assert_eq!(blocks(&never), ["0 call call_r1_0 f {}", "0 call call_r1_1 g ", "0 finish ToolCalls"]);
    let older =
        [r#"{"function_call":{"name":"f","arguments":"{"}}"#, r#"{"function_call":{"arguments":"}"}}"#];
    assert_eq!(blocks(&older), ["0 call call_r1_0 f {}", "0 finish ToolCalls"]);
    let custom = [
        r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"sh","input":"l"}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"s"}}]}"#,
    ];
    assert_eq!(blocks(&custom), ["0 custom a sh ls", "0 finish ToolCalls"]);
}

#[test]
fn thoughts_told_twice_are_told_once() {
    let lines = blocks(&[
        r#"{"reasoning":"a","reasoning_content":"a"}"#,
        r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","index":0}]}"#,
        r#"{"reasoning":"c","reasoning_details":[{"type":"reasoning.text","text":"c","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","signature":"Eq","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"s","index":1}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"gA","index":1}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"gB","index":2}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"d"}]},{"type":"text","text":"x"}]}"#,
    ]);
    let expected = [
        "0 thought a",
        "0 thought bc <Signature Eq OpenAiChat>",
        "0 summary s <Encrypted gA OpenAiChat>",
        "0 thought  <Encrypted gB OpenAiChat>",
        "0 thought d",
        "0 text x",
        "0 finish Stop",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn proofs_of_calls_are_theirs() {
    let lines = blocks(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2"}}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}],"reasoning_details":[{"type":"reasoning.encrypted","id":"b","data":"d2"}]}"#,
    ]);
    let expected = [
        "0 call a f {} <Signature c2 OpenAiChat>",
        "0 call b g {} <Encrypted d2 OpenAiChat>",
        "0 finish ToolCalls",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn several_choices_sources_and_probabilities() {
    let text = r#"data: {"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}}]}

data: {"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example"}}]},"finish_reason":"stop"}],"system_fingerprint":"fp"}

data: {"choices":[{"index":1,"delta":{},"finish_reason":"length","content_filter_results":{}}],"system_fingerprint":"fp","service_tier":"flex"}

data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}

"#;
    let expected = [
        "start c m",
        "1 text b",
        "0 text a [https://a.example]",
        r#"0 logprobs {"content":[]}"#,
        "0 finish Stop",
        "lost system_fingerprint",
        "lost choices.content_filter_results",
        "1 finish Length",
        "tier flex",
        "usage 3 2",
        "end",
    ];
    assert_eq!(tell(text), expected);
}

#[test]
fn azure_begins_with_the_prompt_and_groq_ends_with_its_own_usage() {
    let azure = r#"data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}

data: {"id":"c","model":"m","choices":[{"delta":{"content":"x"}}]}

data: {"id":"c","model":"m","choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}

data: [DONE]

"#;
    assert_eq!(tell(azure), ["start c m", "0 text x", "0 finish Stop", "usage 1 2", "end"]);
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let whole = stream(&[r#"{"content":"x"}"#], "stop");
    let cut = whole.split("data: ").take(2).collect::<Vec<_>>().join("data: ");
    assert_eq!(tell(&cut), ["start c m", "0 text x"]);
    let no_done = whole.replace("data: [DONE]\n\n", "");
    assert_eq!(tell(&no_done).pop().unwrap(), "end");
    let done_alone = cut + "data: [DONE]\n\n";
    assert_eq!(tell(&done_alone), ["start c m", "0 text x", "0 finish Stop", "end"]);
    let silent = "data: {\"id\":\"c\",\"choices\":[]}\n\ndata: [DONE]\n\n";
    assert_eq!(try_tell(silent).unwrap_err().field(), Some("choices"));
}

#[test]
fn errors_of_all_vendors_end_the_stream() {
    let errors = [
        "data: {\"error\":{\"message\":\"gone\"}}\n\n",
        "data: {\"object\":\"error\",\"message\":\"gone\"}\n\n",
        "event: error\ndata: {\"message\":\"gone\"}\n\n",
        "error: {\"message\":\"gone\"}\n\n",
        "data: {\"choices\":[{\"error\":{\"message\":\"gone\"},\"delta\":{}}]}\n\n",
        "data: {\"choices\":[],\"x_groq\":{\"error\":\"gone\"}}\n\n",
    ];
    for error in errors {
        let text = stream(&[r#"{"content":"x"}"#], "stop").replace("data: [DONE]\n\n", "");
        let text = text.split_inclusive("\n\n").next().unwrap().to_owned() + error + "data: [DONE]\n\n";
        assert_eq!(tell(&text), ["start c m", "0 text x", "error gone"], "{error}");
    }
}

#[test]
fn hostile_chunks_are_refused() {
    let named =
        stream(&[r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}"#], "tool_calls");
    let cases = [
        ("data: {\"choices\":\n\n", None),
        ("data: 7\n\n", Some("body")),
        ("data: {\"choices\":[{\"delta\":7}]}\n\n", Some("choices[].delta")),
        ("data: {\"choices\":[{\"delta\":{\"content\":{}}}]}\n\n", Some("choices[].delta.content")),
        (named.as_str(), Some("choices[].delta.tool_calls[].function.name")),
    ];
    for (text, field) in cases {
        assert_eq!(try_tell(text).unwrap_err().field(), field, "{text}");
    }
}

fn context() -> AnswerContext {
    AnswerContext {
        id: "r1".to_owned(),
        model: "asked".to_owned(),
        created: 7,
        stream_usage: true,
        ..AnswerContext::default()
    }
}

fn told_to_client(answer: Answer<'_>, context: AnswerContext) -> (String, Vec<String>) {
    let mut encoder = StreamEncoder::new(context);
    let mut out = Writer::default();
    answer.into_events(|event| encoder.event(event, &mut out));
    let losses = encoder.losses().iter().map(str::to_owned).collect();
    (String::from_utf8(out.finish()).unwrap(), losses)
}

fn chunks(text: &str) -> Vec<Value> {
    let data = text.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap());
    let mut chunks: Vec<&str> = data.collect();
    assert_eq!(chunks.pop(), Some("[DONE]"));
    chunks.into_iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

fn block(content: Content<'static>) -> Block<'static> {
    Block::new(content, Path::Root)
}

fn thought(text: &'static str, seal: Option<Seal<'static>>) -> Content<'static> {
    Content::Reasoning(Reasoning { text: vec![Text::from(text)], seal, ..Reasoning::default() })
}

fn call(id: &'static str, arguments: Arguments<'static>) -> Content<'static> {
    Content::ToolCall(ToolCall { id: id.into(), item: None, name: "f".into(), arguments, seal: None })
}

#[test]
fn a_client_gets_one_chunk_for_each_delta() {
    let cited = Citation {
        url: Some("https://a.example".into()),
        title: None,
        quote: None,
        span: Some((0, 2)),
        raw: "{}",
    };
    let proof = Seal::from_provider("Eq".into(), SealKind::Signature, Dialect::Anthropic, "anthropic");
    let answer = Answer {
        choices: vec![Choice {
            blocks: vec![
                block(thought("why", Some(proof))),
                block(Content::text("ä".into())),
                block(Content::Text { text: "so".into(), citations: vec![cited] }),
                block(call("a", Arguments::Object("{\"x\":1}"))),
                block(call("b", Arguments::Free("ls".into()))),
            ],
            finish: Some(Finish::new(Reason::ToolCalls)),
            ..Choice::default()
        }],
        usage: Some(pointsman_core::Usage { input: 3, output: 2, ..Default::default() }),
        service_tier: Some("standard".into()),
        ..Answer::default()
    };
    let (text, losses) = told_to_client(answer, context());
    let chunks = chunks(&text);
    for chunk in &chunks {
        let head = (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]);
        assert_eq!(
            head,
            (&json!("chatcmpl-r1"), &json!("chat.completion.chunk"), &json!(7), &json!("asked"))
        );
    }
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"].get(0).map(|choice| &choice["delta"])).collect();
    let detail = json!({"type": "reasoning.text", "text": "why", "signature": "pm1.anthropic.anthropic.s.Eq", "index": 0});
    let expected = [
        json!({"role": "assistant", "content": ""}),
        json!({"reasoning_content": "why"}),
        json!({"reasoning_details": [detail]}),
        json!({"content": "ä"}),
        json!({"content": "so"}),
        json!({"annotations": [{"type": "url_citation", "url_citation":
            {"url": "https://a.example", "title": "", "start_index": 1, "end_index": 3}}]}),
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"x\":1}"}}]}),
        json!({"tool_calls": [{"index": 1, "id": "b", "type": "custom", "custom": {"name": "f", "input": ""}}]}),
        json!({"tool_calls": [{"index": 1, "custom": {"input": "ls"}}]}),
        json!({}),
    ];
    assert_eq!(deltas, expected.iter().collect::<Vec<_>>());
    let finish = &chunks[chunks.len() - 2];
    assert_eq!(finish["choices"][0]["finish_reason"], "tool_calls");
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(5)));
    assert_eq!(last["service_tier"], "default");
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn usage_comes_only_where_it_was_asked_for() {
    let answer = || Answer {
        choices: vec![Choice { finish: Some(Finish::new(Reason::Length)), ..Choice::default() }],
        usage: Some(pointsman_core::Usage::default()),
        ..Answer::default()
    };
    let (text, _) = told_to_client(answer(), AnswerContext { stream_usage: false, ..context() });
    let chunks = chunks(&text);
    assert_eq!(chunks.len(), 2);
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_piece_with_the_proof_of_a_call_has_arguments_too() {
    let seal = Seal::from_provider(Text::from("c2ln"), SealKind::Signature, Dialect::Gemini, "google");
    let Content::ToolCall(mut made) = call("a", Arguments::Object("{}")) else { unreachable!() };
    made.seal = Some(seal);
    let choice = Choice { blocks: vec![block(Content::ToolCall(made))], ..Choice::default() };
    let (text, _) = told_to_client(Answer { choices: vec![choice], ..Answer::default() }, context());
    let pieces: Vec<Value> =
        chunks(&text).iter().map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].clone()).collect();
    let proof = pieces.iter().find(|piece| piece.get("extra_content").is_some()).unwrap();
    assert_eq!(proof["extra_content"]["google"]["thought_signature"], "pm1.gemini.google.s.c2ln");
    assert!(
        pieces.iter().filter(|piece| piece.is_object()).all(|piece| piece["function"].is_object()),
        "{text}"
    );
}

#[test]
fn a_client_of_functions_gets_its_call() {
    let answer = Answer {
        choices: vec![Choice {
            blocks: vec![
                block(call("a", Arguments::Quoted(Text::Escaped(r#"{\"x\":1}"#)))),
                block(call("b", Arguments::Object("{}"))),
            ],
            finish: Some(Finish::new(Reason::ToolCalls)),
            ..Choice::default()
        }],
        ..Answer::default()
    };
    let context = AnswerContext { request: r#"{"functions":[]}"#.into(), ..context() };
    let (text, losses) = told_to_client(answer, context);
    let chunks = chunks(&text);
    assert_eq!(chunks[1]["choices"][0]["delta"], json!({"function_call": {"name": "f", "arguments": ""}}));
    assert_eq!(chunks[2]["choices"][0]["delta"], json!({"function_call": {"arguments": "{\"x\":1}"}}));
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "function_call");
    assert_eq!((chunks.len(), losses), (4, vec!["tool_calls".to_owned()]));
}

#[test]
fn pings_errors_and_losses_have_their_form() {
    let mut encoder = StreamEncoder::new(context());
    let mut out = Writer::default();
    encoder.event(Event::Ping, &mut out);
    encoder.event(Event::Lost("mood".into()), &mut out);
    let error = crate::UpstreamError { message: "gone".to_owned(), ..Default::default() };
    encoder.event(Event::Error(error), &mut out);
    let text = String::from_utf8(out.finish()).unwrap();
    assert_eq!(
        text,
        ": ping\n\ndata: {\"error\":{\"message\":\"gone\",\"type\":null,\"param\":null,\"code\":null}}\n\n"
    );
    assert_eq!(encoder.losses().iter().collect::<Vec<_>>(), ["mood"]);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,8}", ".{1,6}", Just("é😀\u{0}".to_owned())]
}

/// One block of an answer: what it says, and which kind.
fn any_blocks() -> impl Strategy<Value = Vec<(u8, String)>> {
    prop::collection::vec((0u8..7, any_text()), 0..6)
}

fn content_of(kind: u8, text: &str, number: usize) -> Content<'_> {
    let seal = |kind| Some(Seal::from_provider("data".into(), kind, Dialect::Gemini, "g"));
    let call = |arguments, seal| {
        let id = Text::from(format!("id{number}"));
        Content::ToolCall(ToolCall { id, item: None, name: "f".into(), arguments, seal })
    };
    match kind {
        0 => Content::text(text.into()),
        1 => Content::Refusal(text.into()),
        2 => Content::Reasoning(Reasoning { text: vec![text.into()], ..Reasoning::default() }),
        3 => call(Arguments::Quoted(text.into()), None),
        4 => call(Arguments::Free(text.into()), None),
        5 => call(Arguments::Object("{\"a\":[1]}"), seal(SealKind::Signature)),
        _ => {
            let source = Source::Url(Text::from("https://a.example/x.png"));
            Content::Image(Media { source, mime: None, name: None, detail: None })
        }
    }
}

proptest! {
    /// What a client is streamed says the same as the answer.
    #[test]
    fn what_is_streamed_reads_back(said in prop::collection::vec(any_blocks(), 1..3)) {
        let choices = (0u64..).zip(&said).map(|(index, blocks)| Choice {
            index,
            blocks: blocks
                .iter()
                .enumerate()
                .map(|(number, (kind, text))| Block::new(content_of(*kind, text, number), Path::Root))
                .collect(),
            finish: Some(Finish::new(Reason::Length)),
            ..Choice::default()
        });
        let answer = Answer { id: "c".into(), model: "m".into(), choices: choices.collect(), ..Answer::default() };
        let mut expected = Told::default();
        answer.clone().into_events(|event| expected.event(&event));
        let (text, losses) = told_to_client(answer, AnswerContext { stream_usage: false, ..context() });
        prop_assert_eq!(losses, Vec::<String>::new());
        let seen = tell(&text);
        prop_assert_eq!(joined(&seen), joined(&expected.lines));
    }

    /// Nothing that a provider sends makes the decoder panic.
    #[test]
    fn any_chunk_is_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut source = crate::testing::Source::new(&bytes);
        let mut body = crate::testing::Body::default();
        let delta = crate::testing::value(&mut source, &mut body, 3);
        let other = crate::testing::value(&mut source, &mut body, 3);
        let text = format!("{{\"choices\":[{{\"delta\":{{\"content\":{delta},\"tool_calls\":[{other},{{\"function\":{other}}}],\"reasoning_details\":[{delta}]}}}},{delta}],\"usage\":{other}}}");
        let mut decoder = StreamDecoder::new("vendor", "r1");
        let _ = decoder.frame(b"", text.as_bytes(), &mut |_| {});
        let _ = decoder.frame(b"", b"[DONE]", &mut |_| {});
        let _ = decoder.finish(&mut |_| {});
    }
}

/// Blocks of one choice that follow each other and are of one kind are one block in this dialect; and a
/// proof comes back tagged, from this dialect's own side.
fn joined(lines: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines {
        let line = line.replace("<Signature data Gemini>", "<Signature pm1.gemini.g.s.data OpenAiChat>");
        let kind = ["text ", "thought ", "refusal "]
            .into_iter()
            .find(|kind| line.get(2..).is_some_and(|l| l.starts_with(kind)));
        match (kind, joined.last_mut()) {
            (Some(kind), Some(last)) if last.starts_with(&format!("{}{kind}", &line[..2])) => {
                last.push_str(&line[2 + kind.len()..]);
            }
            _ => joined.push(line),
        }
    }
    joined
}
