//! Streamed answers: passed on as they are, observed on the side.

use bytes::Bytes;
use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Gate};
use pointsman_testkit::openai::{Tokens, chat_events};
use serde_json::json;

use crate::harness::*;

const USAGE: Option<Tokens> = Some(Tokens { input: 21, output: 9 });

fn text(events: &[Bytes]) -> String {
    events.iter().map(|event| std::str::from_utf8(event).unwrap()).collect()
}

fn ask(model: &str, options: serde_json::Value) -> http::Request<http_body_util::Full<Bytes>> {
    let mut body = pointsman_testkit::openai::chat_request(model, true);
    if !options.is_null() {
        body["stream_options"] = options;
    }
    post("/v1/chat/completions", body.to_string())
}

#[tokio::test(start_paused = true)]
async fn bytes_come_back_as_they_were_sent_however_they_are_cut() {
    let odd = "\u{feff}: comment\r\n\r\nevent: message\r\nid: 7\r\nretry: 10\r\ndata: {\"choices\":[{\"index\":0,\"delta\":\
{\"content\":\"h\u{e9} \\ud83d\\ude00\"},\"x\":1e400}],\"unknown\":[1,{}]}\r\n\r\n:ping\n\n\
data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for size in [1, 2, 3, 7, 50, 10_000] {
        let world = start(TWO);
        let alpha = world.upstream("alpha");
        alpha.script([Answer::sse(odd.as_bytes().chunks(size).map(Bytes::copy_from_slice))]);
        let mut stream = world.stream("alpha/m").await;
        assert_eq!(stream.status, 200);
        assert_eq!(stream.rest().await, odd, "in chunks of {size}");
        assert_eq!(world.record().await.outcome, Outcome::Success);
    }
}

#[tokio::test(start_paused = true)]
async fn each_event_arrives_when_it_is_sent() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a", "b", "c"], None);
    alpha.script([Answer::sse(events.clone()).pace(secs(2))]);
    let start = tokio::time::Instant::now();
    let mut stream = world.stream("alpha/m").await;
    // The role is held until the first token, two seconds later.
    assert_elapsed(start, secs(2));
    assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(stream.header("x-pointsman-attempts"), Some("1"));
    assert_eq!(stream.header("x-pointsman-model"), Some("m"));
    assert_eq!(stream.header("x-pointsman-provider"), Some("alpha"));
    let id = stream.header("x-pointsman-request-id").unwrap().to_owned();
    let mut first = stream.next().await.unwrap().to_vec();
    while first.len() < events[0].len() + events[1].len() {
        first.extend_from_slice(&stream.next().await.unwrap());
    }
    assert_eq!(first, [&events[0][..], &events[1][..]].concat());
    for (position, event) in events.iter().enumerate().skip(2) {
        assert_eq!(stream.next().await.unwrap(), event);
        assert_elapsed(start, secs(2) * u32::try_from(position).unwrap());
    }
    assert_eq!(stream.next().await, None);

    let record = world.record().await;
    assert_eq!(record.id.to_string(), id);
    assert!(record.streamed);
    assert_eq!((record.outcome, record.status), (Outcome::Success, 200));
    assert_eq!(record.overhead_us, 0, "all of the time was the provider's");
    assert!((2_000_000..2_005_000).contains(&record.first_token_us.unwrap()));
    assert!((10_000_000..10_020_000).contains(&record.duration_us), "{}", record.duration_us);
    assert_eq!(record.response_bytes, text(&events).len() as u64);
    let [attempt] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
    assert_eq!((attempt.outcome, attempt.status), (Outcome::Success, Some(200)));
    assert!((10_000_000..10_020_000).contains(&attempt.duration_us));
    assert_eq!(attempt.first_byte_us, Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_usage_chunk_is_asked_for_and_taken_out_again() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for options in [json!(null), json!({}), json!({"include_usage": false}), json!({"x": 1})] {
        alpha.script([Answer::chat_stream("m", &["a", "b"], USAGE)]);
        let before = alpha.received().len();
        let mut stream = world.client().await.open(ask("alpha/m", options.clone())).await;
        assert_eq!(stream.rest().await, text(&chat_events("m", &["a", "b"], None)), "{options}");
        let sent = alpha.received()[before].json();
        assert_eq!(sent["stream_options"]["include_usage"], true, "{options}");
        assert_eq!(sent["stream_options"]["x"], options["x"]);
        let record = world.records(before + 1).await.remove(before);
        assert_eq!((record.usage.input, record.usage.output), (21, 9));
        assert_eq!(record.usage.source, UsageSource::Reported);
    }
    assert_eq!(alpha.violations(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_usage_chunk_stays_where_the_client_asked_for_it() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for (model, mock) in [("alpha/m", &alpha), ("beta/m", &beta)] {
        mock.script([Answer::chat_stream("m", &["a"], USAGE)]);
        let mut stream = world.client().await.open(ask(model, json!({"include_usage": true}))).await;
        assert_eq!(stream.rest().await, text(&chat_events("m", &["a"], USAGE)), "{model}");
        assert_eq!(mock.received()[0].json()["stream_options"], json!({"include_usage": true}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_take_the_option_never_gets_it() {
    let world = start(TWO);
    let beta = world.upstream("beta");
    beta.script([Answer::chat_stream("m", &["a", "b", "c"], None)]);
    let body = pointsman_testkit::openai::chat_request("beta/m", true).to_string();
    let mut stream = world.client().await.open(post("/v1/chat/completions", body.clone())).await;
    assert_eq!(stream.rest().await, text(&chat_events("m", &["a", "b", "c"], None)));
    assert_eq!(beta.received()[0].body, body.replace("beta/m", "m"));
    let record = world.record().await;
    assert_eq!((record.usage.output, record.usage.source), (3, UsageSource::Counted));
    assert_eq!(record.usage.input, (beta.received()[0].body.len() as u64).div_ceil(4));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_to_a_provider_without_the_option_leaves_it_out() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::error(500, "no")]);
    beta.script([Answer::chat_stream("m", &["a"], USAGE)]);
    let mut stream = world.stream("both").await;
    // It sends usage all the same: nobody asked for it on our account, so nothing is taken out.
    assert_eq!(stream.rest().await, text(&chat_events("m", &["a"], USAGE)));
    assert_eq!(alpha.received()[0].json()["stream_options"]["include_usage"], true);
    assert_eq!(beta.received()[0].json().get("stream_options"), None);
    assert_eq!(world.record().await.usage.source, UsageSource::Reported);
}

#[tokio::test(start_paused = true)]
async fn text_completions_stream_too() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n\
data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":2}}\n\n";
    let done = "data: [DONE]\n\n";
    alpha.script([Answer::sse([events, usage, done].map(Bytes::from))]);
    let body = json!({"model": "alpha/m", "prompt": "x", "stream": true}).to_string();
    let mut stream = world.client().await.open(post("/v1/completions", body)).await;
    assert_eq!(stream.rest().await, format!("{events}{done}"));
    assert_eq!(world.record().await.usage.output, 2);
}

#[tokio::test(start_paused = true)]
async fn two_choices_are_finished_when_both_are() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let chunk = |index: u32, finish: serde_json::Value| {
        let choice = json!({"index": index, "delta": {"content": "x"}, "finish_reason": finish});
        Bytes::from(format!("data: {}\n\n", json!({"choices": [choice]})))
    };
    // Cut after the first choice: what is there of the second is no whole answer.
    alpha.script([Answer::sse([chunk(0, json!("stop"))])]);
    let mut body = pointsman_testkit::openai::chat_request("alpha/m", true);
    body["n"] = json!(2);
    let mut stream = world.client().await.open(post("/v1/chat/completions", body.to_string())).await;
    let rest = stream.rest().await;
    assert!(rest.contains("stream_interrupted") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(world.record().await.outcome, Outcome::Reset);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_stays_after_done_does_not_hold_the_client() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a"], None);
    let count = events.len();
    alpha.script([Answer::sse(events.clone()).cut_after_parts(count, Cut::Hang)]);
    let start = tokio::time::Instant::now();
    let mut stream = world.stream("alpha/m").await;
    assert_eq!(stream.rest().await, text(&events));
    assert!(start.elapsed() <= secs(1), "{:?}", start.elapsed());
    let record = world.record().await;
    assert_eq!((record.outcome, record.error), (Outcome::Success, None));
    alpha.wait_connections(|connections| connections.open == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_after_done_has_its_answer() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a"], USAGE);
    let gate = Gate::new();
    let mut chunks = events.clone();
    chunks.push(Bytes::from_static(b": the end\n\n"));
    alpha.script([Answer::sse(chunks).gate(events.len(), &gate)]);
    let mut stream = world.stream("alpha/m").await;
    let mut seen = String::new();
    while !seen.ends_with("data: [DONE]\n\n") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap()).unwrap());
    }
    stream.hang_up();
    let record = world.record().await;
    assert_eq!((record.outcome, record.usage.source), (Outcome::Success, UsageSource::Reported));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_no_stall_of_the_provider() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    // More than all buffers on the way hold, so that the provider has to wait for the client.
    let long = "x".repeat(20_000);
    let deltas: Vec<&str> = std::iter::repeat_n(long.as_str(), 40).collect();
    let events = chat_events("m", &deltas, None);
    alpha.script([Answer::sse(events.clone())]);
    let mut stream = world.stream("alpha/m").await;
    let first = stream.next().await.unwrap();
    tokio::time::sleep(secs(30)).await;
    let rest = stream.rest().await;
    let all = format!("{}{rest}", std::str::from_utf8(&first).unwrap());
    assert!(all == text(&events), "{} of {} bytes", all.len(), text(&events).len());
    let record = world.record().await;
    assert_eq!((record.outcome, record.overhead_us), (Outcome::Success, 0));
    assert!(record.duration_us >= 30_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_the_client_read_past_is_not_held_against_the_provider() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let long = "x".repeat(20_000);
    let deltas: Vec<&str> = std::iter::repeat_n(long.as_str(), 40).collect();
    alpha.script([Answer::sse(chat_events("m", &deltas, None)).cut_after_parts(30, Cut::Hang)]);
    let mut stream = world.stream("alpha/m").await;
    stream.next().await.unwrap();
    tokio::time::sleep(secs(57)).await;
    let rest = stream.rest().await;
    assert!(
        rest.contains("stream_interrupted") && rest.contains("while its client was reading"),
        "a cut is told"
    );
    let record = world.record().await;
    assert_eq!(record.attempts[0].outcome, Outcome::Cancelled);
}
