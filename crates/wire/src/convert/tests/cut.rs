//! A call whose arguments end where the model had no more room is nobody's: some tool would be run with what is
//! left of them.

use bytes::Bytes;
use pointsman_core::Dialect::{self, Anthropic, Gemini, Ollama, OpenAiChat};
use serde_json::{Value, json};

use super::{PROVIDER, codec_of};
use crate::convert::Translator;
use crate::json::Document;
use crate::neutral::{AnswerContext, Origin};

fn calls(arguments: &[&str]) -> Value {
    let call = |(at, arguments): (usize, &&str)| {
        json!({ "index": at, "id": format!("c{at}"), "type": "function",
                "function": { "name": format!("f{at}"), "arguments": arguments } })
    };
    arguments.iter().enumerate().map(call).collect()
}

/// The whole answer as a client of `to` gets it, and what is told to be lost.
fn whole(to: Dialect, arguments: &[&str], reason: &str) -> (String, Vec<String>) {
    let message = json!({ "role": "assistant", "content": "Hm.", "tool_calls": calls(arguments) });
    let body = json!({ "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer =
        codec_of(OpenAiChat).decode_answer(&document, &Origin { provider: PROVIDER, id: "r" }).unwrap();
    let encoded = codec_of(to).encode_answer(&answer, &AnswerContext::default());
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    (String::from_utf8(encoded.body).unwrap(), losses)
}

/// The same streamed.
fn streamed(to: Dialect, arguments: &[&str], reason: &str) -> (String, Vec<String>) {
    let chunk = json!({ "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        { "index": 0, "delta": { "role": "assistant", "content": "Hm.", "tool_calls": calls(arguments) },
          "finish_reason": reason }] });
    let context = (codec_of(to), AnswerContext::default());
    let mut translator = Translator::new((codec_of(OpenAiChat), PROVIDER), context, 1);
    let mut out = Vec::new();
    translator.push(&Bytes::from(format!("data: {chunk}\n\ndata: [DONE]\n\n")), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let losses = translator.losses().iter().map(str::to_owned).collect();
    (String::from_utf8(out.concat()).unwrap(), losses)
}

#[test]
fn a_cut_call_is_left_out_and_told() {
    for cut in ["{\"a\": ", "", "{\"a\":\"x"] {
        for to in [Anthropic, Gemini, Ollama] {
            let (said, losses) = whole(to, &["{\"n\":1}", cut], "length");
            assert!(
                said.contains("Hm.") && said.contains("\"f0\"") && !said.contains("\"f1\""),
                "{to}: {said}"
            );
            assert_eq!(losses, ["choices[0].tool_calls[1]"], "{to}");
        }
        for (to, lost) in [(Gemini, "content"), (Ollama, "message.tool_calls")] {
            let (said, losses) = streamed(to, &["{\"n\":1}", cut], "length");
            assert!(said.contains("\"f0\"") && !said.contains("\"f1\""), "{to}: {said}");
            assert!(said.contains("Hm.") && losses == [lost], "{to}: {losses:?}");
        }
    }
}

#[test]
fn an_input_that_claude_could_not_finish_looks_whole_and_is_not() {
    let call = |at: usize| json!({ "type": "tool_use", "id": format!("c{at}"), "name": format!("f{at}"), "input": { "a": 1 } });
    for (content, reason, last) in [
        (json!([call(0), call(1)]), "max_tokens", false),
        (json!([call(0), call(1)]), "tool_use", true),
        (json!([call(0), call(1), { "type": "text", "text": "x" }]), "max_tokens", true),
    ] {
        let body = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 } });
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let answer =
            codec_of(Anthropic).decode_answer(&document, &Origin { provider: PROVIDER, id: "r" }).unwrap();
        for to in [OpenAiChat, Gemini, Ollama] {
            let encoded = codec_of(to).encode_answer(&answer, &AnswerContext::default());
            let said = String::from_utf8(encoded.body).unwrap();
            assert!(said.contains("\"f0\"") && said.contains("\"f1\"") == last, "{to} {reason}: {said}");
            assert_eq!(encoded.losses.iter().any(|lost| lost == "content[1].input"), !last, "{to} {reason}");
        }
    }
}

#[test]
fn what_the_model_meant_so_stays() {
    for to in [Anthropic, Gemini, Ollama] {
        // It ended by itself, or another call came after: the arguments are what it wrote.
        for (arguments, reason) in [
            (["{\"n\":1}", "{\"a\": "], "tool_calls"),
            (["{\"n\":1}", ""], "tool_calls"),
            (["", "{\"n\":1}"], "length"),
            (["{\"a\": ", "{\"n\":1}"], "length"),
        ] {
            let mut told = vec![whole(to, &arguments, reason)];
            if to != Anthropic {
                told.push(streamed(to, &arguments, reason));
            }
            for (said, losses) in told {
                assert!(said.contains("\"f0\"") && said.contains("\"f1\""), "{to} {arguments:?}: {said}");
                let broken = arguments.iter().any(|own| own.ends_with(": "));
                assert_eq!(losses.len(), usize::from(broken), "{to} {arguments:?}: {losses:?}");
            }
        }
    }
    // A stream of Anthropic's has the pieces as they are, as the vendor's own has.
    let (said, losses) = streamed(Anthropic, &["{\"a\": "], "length");
    assert!(said.contains(r#""partial_json":"{\"a\": ""#) && losses.is_empty(), "{said} {losses:?}");
}
