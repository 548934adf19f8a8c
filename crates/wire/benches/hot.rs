//! Nanoseconds of what every request or chunk passes through: `cargo bench -p pointsman-wire`.
//!
//! Medians of 15 rounds on one thread; no harness, so that nothing but the code is measured.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use pointsman_core::{Dialect, Operation};
use pointsman_wire::convert::{Called, Translator, codec};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::{AnswerContext, Origin, Target};
use pointsman_wire::openai::answer;
use pointsman_wire::openai::stream::{StreamObserver, StreamRules};
use pointsman_wire::probe::probe;
use pointsman_wire::splice::splice;

const ROUNDS: usize = 15;
const ROUND_CALLS: u32 = 20_000;

fn main() {
    let request = request_body(1024);
    let long = request_body(150 * 1024);
    let answer = answer_body();
    let embeddings = embeddings_body();
    let name = Bytes::from_static(b"\"gpt-4.1-mini\"");
    report("probe", request.len(), || probe(black_box(&request)).is_ok());
    report("probe, 150 KiB", long.len(), || probe(black_box(&long)).is_ok());
    report("probe, edits and splice", request.len(), || {
        probe(black_box(&request)).is_ok_and(|p| splice(&request, &p.edits(&name, true)).len() == 5)
    });
    report("answer", answer.len(), || answer::observe(Operation::Chat, black_box(&answer)).is_ok());
    report("answer, embeddings", embeddings.len(), || {
        answer::observe(Operation::Embeddings, black_box(&embeddings)).is_ok()
    });
    stream();
    for dialect in Dialect::ALL {
        convert(dialect, &request, &answer);
    }
}

/// From OpenAI chat to this dialect, and for the answer back from it.
fn convert(dialect: Dialect, request: &Bytes, answer: &[u8]) {
    let Some((chat, other)) = codec(Dialect::OpenAiChat).zip(codec(dialect)) else { return };
    let target = Target { stream: true, ..Target::new(dialect, "p", "m") };
    report(&format!("request, openai-chat to {dialect}"), request.len(), || {
        Document::read(black_box(request)).is_ok_and(|document| {
            let request = chat.decode_request(&document, Called::default());
            request.is_ok_and(|request| other.encode_request(&request, &target).is_ok())
        })
    });
    let origin = Origin { provider: "p", id: "1" };
    let convert_answer =
        |from: &dyn pointsman_wire::convert::Codec, to: &dyn pointsman_wire::convert::Codec, body: &[u8]| {
            let document = Document::read(body).ok()?;
            let answer = from.decode_answer(&document, &origin).ok()?;
            Some(to.encode_answer(&answer, &AnswerContext::default()).body)
        };
    let Some(foreign) = convert_answer(chat, other, answer) else { return };
    report(&format!("answer, {dialect} to openai-chat"), foreign.len(), || {
        convert_answer(other, chat, black_box(&foreign)).is_some()
    });
    let streamed = |from, to| Translator::new((from, "p"), (to, AnswerContext::default()), 1);
    let mut out = Vec::with_capacity(4);
    let mut there = streamed(chat, other);
    let chunk = Bytes::from(chunk());
    report(&format!("chunk, openai-chat to {dialect}"), chunk.len(), || {
        out.clear();
        there.push(black_box(&chunk), &mut out).is_ok()
    });
    let Some(foreign) = out.first().cloned() else { return };
    let mut back = streamed(other, chat);
    let mut opening = Vec::new();
    if streamed(chat, other).push(&chunk, &mut opening).is_err() {
        return;
    }
    out.clear();
    let opened = opening.iter().all(|piece| back.push(piece, &mut out).is_ok());
    report(&format!("chunk, {dialect} to openai-chat"), foreign.len(), || {
        out.clear();
        opened && back.push(black_box(&foreign), &mut out).is_ok()
    });
}

fn stream() {
    let rules = StreamRules { operation: Operation::Chat, strip_usage: true };
    let mut out = Vec::with_capacity(4);
    let mut observer = StreamObserver::new(rules);
    let chunk = Bytes::from(chunk());
    report("stream chunk", chunk.len(), || {
        out.clear();
        observer.push(black_box(&chunk).clone(), &mut out).is_ok()
    });
    let (head, tail) = (chunk.slice(..90), chunk.slice(90..));
    report("stream chunk in two pieces", chunk.len(), || {
        out.clear();
        observer.push(head.clone(), &mut out).is_ok() && observer.push(tail.clone(), &mut out).is_ok()
    });
    let eight = Bytes::from(chunk.repeat(8));
    report("eight stream chunks at once", eight.len(), || {
        out.clear();
        observer.push(black_box(&eight).clone(), &mut out).is_ok()
    });
}

fn report(what: &str, bytes: usize, mut call: impl FnMut() -> bool) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let calls = (ROUND_CALLS as usize * 1024 / bytes.max(256)).max(20);
            let start = Instant::now();
            for _ in 0..calls {
                assert!(black_box(call()), "{what} failed");
            }
            start.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let (low, median, high) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    let per_kb = median * 1024.0 / bytes as f64;
    show(&format!(
        "{what:<42} {bytes:>7} B  {median:>9.0} ns  ({low:.0} to {high:.0})  {per_kb:.0} ns per KiB"
    ));
}

#[expect(clippy::print_stdout, reason = "a report for people is what a benchmark is for")]
fn show(line: &str) {
    println!("{line}");
}

fn request_body(bytes: usize) -> Bytes {
    let head = r#"{"model": "openai/gpt-4.1-mini", "messages": [{"role": "system", "content": "You are terse."}, {"role": "user", "content": ""#;
    let tail = r#""}], "temperature": 0.7, "max_tokens": 256, "stream": true, "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}]}"#;
    let text = "The quick brown fox jumps over the lazy dog and goes home.\\n".repeat(bytes / 59 + 1);
    format!("{head}{}{tail}", &text[..(bytes - head.len() - tail.len()) / 60 * 60]).into()
}

fn chunk() -> String {
    r#"data: {"id":"chatcmpl-BfGq2kM0xVb7","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}"#
        .to_owned()
        + "\n\n"
}

fn answer_body() -> Vec<u8> {
    let text = "Words that a model might say, with some \\\"quotes\\\" in them. ".repeat(7);
    format!(
        r#"{{"id":"chatcmpl-BfGq2kM0xVb7","object":"chat.completion","created":1750000000,"model":"gpt-4.1-mini-2025-04-14","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":110,"total_tokens":129,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_0"}}"#
    )
    .into()
}

fn embeddings_body() -> Vec<u8> {
    let numbers = vec!["-0.023064255"; 1536].join(",");
    format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{numbers}]}}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    )
    .into()
}
