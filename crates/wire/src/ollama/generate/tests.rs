//! One prompt: kept whole at home, carried as a turn elsewhere.

use serde_json::{Value, json};

use super::*;
use crate::neutral::{Answer, AnswerContext, Event, Origin, Reason};
use crate::testing::with_anything;

const FULL: &str = r#"{
  "model": "qwen3:8b", "prompt": "What is \"this\"?\n", "suffix": "}", "system": "Be brief.", "template": "{{ .Prompt }}",
  "context": [1, 2, 3], "raw": false, "images": ["/9j/4AAQSkZJRg=="], "stream": false, "think": "high", "keep_alive": "5m",
  "format": {"type": "object", "properties": {"n": {"type": "integer"}}}, "logprobs": true, "top_logprobs": 3,
  "options": {"temperature": 0.20, "num_predict": 128, "stop": ["END"], "num_ctx": 8192}, "width": 512
}"#;

fn decoded(text: &str) -> Document<'_> {
    Document::read(text.as_bytes()).unwrap()
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn context() -> AnswerContext {
    AnswerContext { model: "m".into(), created: 1_795_305_600, ..AnswerContext::default() }
}

#[test]
fn a_full_request_comes_back_as_it_was() {
    let document = decoded(FULL);
    let request = decode_request(&document).unwrap();
    let target = Target::new(Dialect::Ollama, "local", "qwen3:8b");
    let encoded = encode_request(&request, &target).unwrap();
    assert!(encoded.losses.is_empty(), "{:?}", encoded.losses);
    assert_eq!(value(&encoded.body), value(FULL.as_bytes()));
}

#[test]
fn elsewhere_it_is_a_chat_and_what_only_ollama_has_is_named() {
    let document = decoded(FULL);
    let request = decode_request(&document).unwrap();
    let target = Target::new(Dialect::OpenAiChat, "p", "gpt-x");
    let encoded = crate::openai::chat::encode_request(&request, &target).unwrap();
    let sent = value(&encoded.body);
    assert_eq!(sent["messages"][0]["role"], "system");
    assert_eq!(sent["messages"][1]["role"], "user");
    let parts = &sent["messages"][1]["content"];
    assert_eq!(parts[0], json!({ "type": "text", "text": "What is \"this\"?\n" }));
    assert_eq!(parts[1]["image_url"]["url"], "data:image/jpeg;base64,/9j/4AAQSkZJRg==");
    assert_eq!((&sent["stop"], &sent["top_logprobs"]), (&json!(["END"]), &json!(3)));
    let lost: Vec<_> = encoded.losses.iter().collect();
    for name in ["suffix", "template", "context", "raw", "keep_alive", "options.num_ctx", "width"] {
        assert!(lost.contains(&name), "{name}: {lost:?}");
    }
}

#[test]
fn an_empty_prompt_says_nothing() {
    let document = decoded(r#"{"model": "m", "prompt": "", "system": ""}"#);
    let request = decode_request(&document).unwrap();
    assert!(request.messages.is_empty() && request.stream);
}

#[test]
fn a_conversation_is_no_prompt() {
    let chat = decoded(
        r#"{"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}"#,
    );
    let request = crate::ollama::decode_request(&chat).unwrap();
    let target = Target::new(Dialect::Ollama, "p", "m");
    assert_eq!(encode_request(&request, &target).unwrap_err().field, "messages[1]");
    let tools = decoded(
        r#"{"model": "m", "messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}"#,
    );
    let request = crate::ollama::decode_request(&tools).unwrap();
    assert_eq!(encode_request(&request, &target).unwrap_err().field, "tools[0]");
}

#[test]
fn fields_of_the_wrong_type_are_named() {
    for (body, field) in [
        ("{}", "model"),
        (r#"{"model": "m", "prompt": 3}"#, "prompt"),
        (r#"{"model": "m", "images": [3]}"#, "images"),
        (r#"{"model": "m", "system": {}}"#, "system"),
        (r#"{"model": "m", "stream": 1}"#, "stream"),
        (r#"{"model": "m", "options": 1}"#, "options"),
    ] {
        let error = decode_request(&decoded(body)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{body}: {error}");
    }
}

const ANSWER: &str = r#"{"model": "m", "created_at": "2026-11-22T00:00:00Z", "response": "yes \"it\" is", "thinking": "hm",
  "done": true, "done_reason": "length", "prompt_eval_count": 5, "eval_count": 9, "context": [1], "total_duration": 3}"#;

#[test]
fn a_whole_answer_both_ways() {
    let document = decoded(ANSWER);
    let answer = decode_answer(&document, &Origin { provider: "p", id: "r" }).unwrap();
    let finish = answer.choices[0].finish.as_ref().unwrap();
    assert_eq!((finish.reason, answer.usage.unwrap().output), (Reason::Length, 9));
    let encoded = encode_answer(&answer, &context());
    let mut expected = value(ANSWER.as_bytes());
    for gone in ["context", "total_duration"] {
        expected.as_object_mut().unwrap().remove(gone);
    }
    assert_eq!(value(&encoded.body), expected);
    assert_eq!(encoded.losses.iter().collect::<Vec<_>>(), ["context"]);
    for wrong in [r#"{"message": {}}"#, "[]", r#"{"response": 3}"#] {
        assert!(decode_answer(&decoded(wrong), &Origin { provider: "p", id: "r" }).is_err(), "{wrong}");
    }
}

#[test]
fn an_answer_of_another_dialect() {
    let chat = decoded(
        r#"{"id": "c", "model": "gpt", "created": 1795305600, "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello", "tool_calls": [
              {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}"#,
    );
    let answer = crate::openai::chat::decode_answer(&chat, &Origin { provider: "p", id: "r" }).unwrap();
    let encoded = encode_answer(&answer, &context());
    let told = value(&encoded.body);
    let expected = json!({
        "model": "gpt", "created_at": "2026-11-22T00:00:00Z", "response": "hello", "done": true,
        "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 2,
    });
    assert_eq!(told, expected);
    assert!(!encoded.losses.is_empty(), "the call has no place");
    let nothing = value(&encode_answer(&Answer::default(), &context()).body);
    assert_eq!((&nothing["response"], &nothing["model"]), (&json!(""), &json!("m")));
}

const LINES: [&str; 4] = [
    r#"{"model":"m","created_at":"2026-11-22T00:00:00Z","response":"","thinking":"hm\n","done":false}"#,
    r#"{"model":"m","created_at":"2026-11-22T00:00:00Z","response":"yes ","done":false}"#,
    r#"{"model":"m","created_at":"2026-11-22T00:00:00Z","response":"\u00e9","done":false}"#,
    r#"{"model":"m","created_at":"2026-11-22T00:00:00Z","response":"","done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":9}"#,
];

#[test]
fn a_stream_comes_back_as_it_was() {
    let mut decoder = StreamDecoder::new("p", "r");
    let mut encoder = StreamEncoder::new(context());
    let mut writer = Writer::default();
    for line in LINES {
        decoder.frame(b"", line.as_bytes(), &mut |event| encoder.event(event, &mut writer)).unwrap();
    }
    let text = String::from_utf8(writer.finish()).unwrap();
    assert_eq!(text, LINES.map(|line| format!("{line}\n")).concat());
    assert!(encoder.losses().is_empty());
}

#[test]
fn a_stream_that_fails_says_so() {
    let mut events = Vec::new();
    let mut note = |event: Event<'_>| events.push(format!("{event:?}"));
    let mut decoder = StreamDecoder::new("p", "r");
    decoder.frame(b"", br#"{"error":"model not found"}"#, &mut note).unwrap();
    // What follows is nobody's.
    decoder.frame(b"", b"{", &mut note).unwrap();
    for line in [&b"[]"[..], br#"{"response":3}"#] {
        assert!(StreamDecoder::new("p", "r").frame(b"", line, &mut note).is_err());
    }
    assert!(events[0].contains("Error") && events[0].contains("model not found"), "{events:?}");
    let mut lost = Vec::new();
    let mut decoder = StreamDecoder::new("p", "r");
    let mut note = |event: Event<'_>| {
        if let Event::Lost(name) = event {
            lost.push(name.into_value().into_owned());
        }
    };
    decoder.frame(b"", br#"{"response":"","done":true,"context":[1],"eval_duration":4}"#, &mut note).unwrap();
    assert_eq!(lost, ["context"]);
}

#[test]
fn it_is_the_codec_of_prompts() {
    use pointsman_core::Operation;

    use crate::convert::{Relay, Translator, codec, codec_for};

    let generate = codec_for(Dialect::Ollama, Operation::TextCompletion).unwrap();
    let chat = codec_for(Dialect::OpenAiChat, Operation::TextCompletion).unwrap();
    assert!(generate.streams_lines() && !chat.streams_lines());
    let mut relay = Relay::Translate(Box::new(Translator::new((chat, "p"), (generate, context()), 1)));
    let events = b"data: {\"id\":\"c\",\"model\":\"g\",\"created\":1795305600,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n\
data: {\"id\":\"c\",\"model\":\"g\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let mut out = Vec::new();
    relay.push(bytes::Bytes::from_static(events), &mut out).unwrap();
    let text = String::from_utf8(out.concat()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["response"], &lines[0]["done"]), (&json!("hi"), &json!(false)));
    let last = lines.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert!(relay.observed().done);
    // What chats are read with does not read it.
    let answer = decoded(ANSWER);
    let origin = Origin { provider: "p", id: "r" };
    assert!(codec(Dialect::Ollama).unwrap().decode_answer(&answer, &origin).is_err());
    assert!(generate.decode_answer(&answer, &origin).is_ok());
}

#[test]
fn anything_in_the_place_of_anything_is_read_or_refused() {
    let mut read = 0;
    with_anything(&value(FULL.as_bytes()), &mut |body, place| {
        let text = body.to_string();
        let document = decoded(&text);
        let Ok(request) = decode_request(&document) else { return };
        read += 1;
        let own = encode_request(&request, &Target::new(Dialect::Ollama, "p", "m"));
        let other =
            crate::openai::chat::encode_request(&request, &Target::new(Dialect::OpenAiChat, "p", "m"));
        for encoded in [own, other].into_iter().flatten() {
            assert!(Document::read(&encoded.body).is_ok(), "{place}");
        }
    });
    with_anything(&value(ANSWER.as_bytes()), &mut |answer, place| {
        let text = answer.to_string();
        let document = decoded(&text);
        if let Ok(answer) = decode_answer(&document, &Origin { provider: "p", id: "r" }) {
            read += 1;
            assert!(Document::read(&encode_answer(&answer, &context()).body).is_ok(), "{place}");
        }
        let mut encoder = StreamEncoder::new(context());
        let mut writer = Writer::default();
        let mut sink = |event: Event<'_>| encoder.event(event, &mut writer);
        let _ = StreamDecoder::new("p", "r").frame(b"", text.as_bytes(), &mut sink);
        for line in writer.finish().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            assert!(Document::read(line).is_ok(), "{place}");
        }
    });
    assert!(read > 100, "{read}");
}
