//! What is paid by the piece: pictures, seconds heard, characters spoken. Costs by hand, from the catalogue's prices.

use std::collections::HashMap;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::UsageSource::{Counted, Reported, Unknown};
use pointsman_testkit::mock::Answer;
use serde_json::{Value, json};

use crate::harness::*;

const VENDORS: &str = r"
providers:
  openai: { base_url: http://openai.test/v1, keys: { env: ALPHA_KEY } }
  gemini: { base_url: http://gem.test/v1beta, keys: { env: ALPHA_KEY } }
  xai: { base_url: http://xai.test/v1, keys: { env: ALPHA_KEY } }
  box: { base_url: http://box.test/v1, local: true }
";

fn ask(path: &str, body: &Value) -> Request<Full<Bytes>> {
    post(path, body.to_string())
}

fn recording(model: &str) -> Request<Full<Bytes>> {
    let body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nsound\r\n--B--\r\n"
    );
    let request = Request::post("/v1/audio/transcriptions").header("host", HOST);
    let request = request.header("content-type", "multipart/form-data; boundary=B");
    request.body(Full::new(body.into())).unwrap()
}

fn sound() -> Answer {
    Answer::sse([Bytes::from_static(b"\x00sound")]).content_type("audio/mpeg")
}

#[tokio::test(start_paused = true)]
async fn pieces_have_their_price_where_they_are_told() {
    let world = start(VENDORS);
    let mocks: HashMap<_, _> =
        ["openai", "gem", "xai", "box"].into_iter().map(|host| (host, world.upstream(host))).collect();
    let draw = |model: &str| ask("/v1/images/generations", &json!({"model": model, "prompt": "a fox"}));
    let say = |model: &str| {
        ask("/v1/audio/speech", &json!({"model": model, "input": "h\u{e9} \u{1f98a}!", "voice": "v"}))
    };
    let pictures = json!({"created": 1, "data": [{"b64_json": "AA=="}, {"b64_json": "AA=="}]});
    let tokens = json!({"data": [{"b64_json": "AA=="}], "usage": {"input_tokens": 50, "output_tokens": 4160,
        "total_tokens": 4210, "input_tokens_details": {"text_tokens": 30, "image_tokens": 20}}});
    let timed = json!({"text": "hi", "usage": {"type": "duration", "seconds": 9}});
    let verbose = json!({"text": "hi", "duration": 8.5, "segments": []});
    let events = "event: image_generation.completed\ndata: {\"usage\":{\"input_tokens\":50,\
        \"output_tokens\":100,\"total_tokens\":150}}\n\n";
    for (request, host, answer, source, cost) in [
        // Two pictures of $0.04, and two of $0.06.
        (draw("gemini/imagen-3.0-generate-001"), "gem", Answer::json(&pictures), Counted, Some(80_000_000)),
        (draw("xai/grok-imagine-image-2.0"), "xai", Answer::json(&pictures), Counted, Some(120_000_000)),
        // 30 × 5,000 + 20 × 10,000 + 4,160 × 40,000 nano-dollars: what comes out is picture.
        (draw("openai/gpt-image-1"), "openai", Answer::json(&tokens), Reported, Some(166_750_000)),
        // 50 × 5,000 + 100 × 40,000, from the events that pass.
        (
            draw("openai/gpt-image-1"),
            "openai",
            Answer::sse([Bytes::from_static(events.as_bytes())]),
            Reported,
            Some(4_250_000),
        ),
        // Five characters of $15 a million.
        (say("openai/tts-1"), "openai", sound(), Counted, Some(75_000)),
        // 9 seconds of $0.0001, and 8.5.
        (recording("openai/whisper-1"), "openai", Answer::json(&timed), Reported, Some(900_000)),
        (recording("openai/whisper-1"), "openai", Answer::json(&verbose), Reported, Some(850_000)),
        // Nobody says how long it was; no price is for what is known; no price is known.
        (recording("openai/whisper-1"), "openai", Answer::json(&json!({"text": "hi"})), Unknown, None),
        (draw("openai/whisper-1"), "openai", Answer::json(&pictures), Counted, None),
        (say("openai/gpt-4o-mini-tts"), "openai", sound(), Unknown, None),
        (draw("openai/unheard-of"), "openai", Answer::json(&pictures), Counted, None),
        (draw("box/any"), "box", Answer::json(&pictures), Counted, Some(0)),
    ] {
        let count = world.sink.records().len();
        mocks[host].script([answer]);
        let reply = world.send(request).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        let record = world.records(count + 1).await.pop().unwrap();
        let named = (&*record.requested_model, record.operation.as_str());
        assert_eq!(record.cost.map(|cost| cost.total().nanos()), cost, "{named:?}");
        assert_eq!(record.usage.source, source, "{named:?}");
        if let Some(told) = reply.header("x-pointsman-cost-usd") {
            assert_eq!(Some(told), cost.map(|cost| format!("0.{cost:09}")).as_deref(), "{named:?}");
        }
    }
    world.assert_at_rest();
}
