//! Every way in which an attempt can fail, plain and streamed: the next candidate answers.

use bytes::Bytes;
use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Cut, Mock};
use pointsman_testkit::openai::{Tokens, chat_answer, chat_events};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 5, output: 2 };

/// How alpha fails, and the word for it.
struct Case {
    name: &'static str,
    outcome: &'static str,
    status: Option<u16>,
    fail: fn(&World) -> Option<Mock>,
}

fn answering(world: &World, answer: Answer) -> Option<Mock> {
    let alpha = world.upstream("alpha");
    alpha.script([answer]);
    Some(alpha)
}

macro_rules! case {
    ($name:literal, $outcome:literal, $status:expr, $answer:expr) => {
        Case { name: $name, outcome: $outcome, status: $status, fail: |world| answering(world, $answer) }
    };
}

/// Failures that a plain and a streamed request see alike.
fn common() -> Vec<Case> {
    vec![
        case!("429", "rate_limited", Some(429), Answer::rate_limited(None)),
        case!("429 with time", "rate_limited", Some(429), Answer::rate_limited(Some(30))),
        case!("500", "upstream_fault", Some(500), Answer::error(500, "boom")),
        case!("502 html", "upstream_fault", Some(502), Answer::new(502, "text/html", "<h1>bad</h1>")),
        case!("503", "overloaded", Some(503), Answer::error(503, "busy")),
        case!("529", "overloaded", Some(529), Answer::error(529, "overloaded")),
        case!("500 empty", "upstream_fault", Some(500), Answer::new(500, "text/plain", "")),
        case!("401", "unauthorized", Some(401), Answer::error(401, "bad key alpha-secret")),
        case!("408", "timeout", Some(408), Answer::error(408, "slow")),
        case!("redirect", "upstream_fault", Some(302), Answer::error(302, "elsewhere")),
        case!("closed before the head", "reset", None, Answer::nothing(Cut::Close)),
        case!("reset before the head", "reset", None, Answer::nothing(Cut::Reset)),
        case!("closed in the head", "reset", None, Answer::json(&json!({})).cut_head(20, Cut::Close)),
        case!("reset in the head", "reset", None, Answer::json(&json!({})).cut_head(20, Cut::Reset)),
        case!("not HTTP", "malformed", None, Answer::raw("SSH-2.0-OpenSSH_9.7\r\n\r\n")),
        case!("no length", "malformed", None, Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}")),
        case!("html", "malformed", Some(200), Answer::new(200, "text/html", "<html></html>")),
        case!("empty", "malformed", Some(200), Answer::new(200, "application/json", "")),
        Case { name: "refused", outcome: "refused", status: None, fail: |_| None },
    ]
}

async fn fails_over(case: &Case, stream: bool) {
    let name = case.name;
    let world = start(TWO);
    let alpha = (case.fail)(&world);
    let beta = world.upstream("beta");
    let started = Instant::now();
    let reply = if stream {
        beta.script([Answer::chat_stream("m", &["b"], None)]);
        let reply = world.send(streamed("both")).await;
        assert_eq!(reply.body, chat_events("m", &["b"], None).concat(), "{name}");
        reply
    } else {
        beta.script([Answer::chat("m", "b", TOKENS)]);
        let reply = world.chat("both").await;
        assert_eq!(reply.json(), chat_answer("m", "b", TOKENS), "{name}");
        reply
    };
    assert_eq!(reply.status, 200, "{name}");
    assert_eq!(reply.header("x-pointsman-attempts"), Some("2"), "{name}");
    assert_eq!(reply.header("x-pointsman-provider"), Some("beta"), "{name}");
    // Another candidate is there, so nothing is waited for.
    assert_elapsed(started, secs(0));
    let record = world.record().await;
    let [first, second] = record.attempts.as_slice() else { panic!("{name}: {:?}", record.attempts) };
    assert_eq!((first.outcome.as_str(), first.status), (case.outcome, case.status), "{name}");
    assert_eq!((&*second.provider, second.outcome), ("beta", Outcome::Success), "{name}");
    assert_eq!(record.route.as_deref(), Some("both"));
    assert_eq!(record.outcome, Outcome::Success, "{name}");
    assert_eq!(record.overhead_us, 0, "{name}");
    if let Some(alpha) = alpha {
        assert_eq!(alpha.received().len(), 1, "{name}: no retry while another candidate is left");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn plain_requests_fall_back() {
    for case in common() {
        fails_over(&case, false).await;
    }
    for case in [
        case!("cut in the body", "reset", Some(200), Answer::chat("m", "x", TOKENS).cut_body(30, Cut::Close)),
        case!(
            "reset in the body",
            "reset",
            Some(200),
            Answer::chat("m", "x", TOKENS).cut_body(30, Cut::Reset)
        ),
        case!("half a JSON", "malformed", Some(200), Answer::new(200, "application/json", "{\"choices\":[")),
        case!("not an object", "malformed", Some(200), Answer::json(&json!(["no"]))),
        case!(
            "an error inside",
            "overloaded",
            Some(200),
            Answer::json(&json!({"error": {"message": "x", "type": "overloaded_error"}}))
        ),
        case!("damaged gzip", "malformed", Some(200), {
            Answer::new(200, "application/json", "{}").header("content-encoding", "gzip")
        }),
    ] {
        fails_over(&case, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn streamed_requests_fall_back() {
    for case in common() {
        fails_over(&case, true).await;
    }
    let events = || chat_events("m", &["x"], None);
    assert!(events().len() > 2);
    fails_over(&case!("plain JSON", "malformed", Some(200), Answer::chat("m", "x", TOKENS)), true).await;
    fails_over(
        &case!("no event stream", "malformed", Some(200), {
            Answer::sse(chat_events("m", &["x"], None)).content_type("application/octet-stream")
        }),
        true,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_json_error_in_the_place_of_a_stream_tells_its_reason() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| {
        Answer::json(&json!({"error": {"message": "slow down, alpha-secret", "type": "rate_limit_error"}}))
    });
    let reply = world.send(streamed("alpha/m")).await;
    reply.assert_error(429, "upstream_rate_limited", None);
    let message = reply.message();
    assert!(message.contains("slow down") && !message.contains("alpha-secret"), "{message}");
    let record = world.record().await;
    let attempt = &record.attempts[0];
    assert_eq!((attempt.outcome.as_str(), attempt.status), ("rate_limited", Some(200)));
    assert_eq!(
        attempt.detail.as_deref(),
        Some("error rate_limit_error"),
        "no words of the provider are kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_left_after_the_connect_limit() {
    for stream in [false, true] {
        let world = start(TWO);
        world.net.black_hole("alpha.test:80");
        world.upstream("beta");
        let started = Instant::now();
        let reply = world.send(if stream { streamed("both") } else { chat("both") }).await;
        assert_eq!(reply.status, 200);
        assert_elapsed(started, secs(2));
        let record = world.record().await;
        assert_eq!(record.attempts[0].outcome, Outcome::Timeout(pointsman_core::Phase::Connect));
        assert_eq!((record.attempts[0].status, record.attempts[0].first_byte_us), (None, None));
        assert!((2_000_000..2_005_000).contains(&record.attempts[1].started_us));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_left_after_the_first_byte_limit_where_another_can_answer() {
    for request in [streamed("both"), chat("both")] {
        let world = start(TWO);
        let alpha = world.upstream("alpha");
        alpha.script([Answer::nothing(Cut::Hang)]);
        world.upstream("beta");
        let started = Instant::now();
        let reply = world.send(request).await;
        assert_eq!(reply.status, 200);
        assert_elapsed(started, secs(20));
        let record = world.record().await;
        assert_eq!(record.attempts[0].outcome, Outcome::Timeout(pointsman_core::Phase::FirstByte));
        alpha.wait_connections(|connections| connections.open == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_nobody_else_can_give_may_take_all_the_time() {
    let world = start(TWO);
    world.upstream("alpha").script([Answer::nothing(Cut::Hang)]);
    let started = Instant::now();
    let reply = world.send(chat("alpha/m")).await;
    assert_eq!(reply.status, 504);
    assert_elapsed(started, secs(60));
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_never_comes_is_still_that_error() {
    for stream in [false, true] {
        let world = start(TWO);
        let alpha = world.upstream("alpha");
        alpha.script([Answer::error(500, "boom").cut_body(5, Cut::Hang)]);
        world.upstream("beta");
        let started = Instant::now();
        let reply = world.send(if stream { streamed("both") } else { chat("both") }).await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
        assert!(started.elapsed() <= secs(10), "{:?}", started.elapsed());
        assert_eq!(world.record().await.attempts[0].outcome, Outcome::UpstreamFault);
    }
}

#[tokio::test(start_paused = true)]
async fn interim_heads_are_no_answers() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let body = chat_answer("m", "x", TOKENS).to_string();
    let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let answer = format!("{head}HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    alpha.script([Answer::raw(answer)]);
    let reply = world.chat("alpha/m").await;
    assert_eq!((reply.status, &reply.body[..]), (200, body.as_bytes()));
    assert_eq!(reply.header("link"), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_larger_than_memory_allows_is_refused() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let megabyte = Bytes::from(vec![b' '; 1 << 20]);
    alpha.script([Answer::sse(std::iter::repeat_n(megabyte, 70)).content_type("application/json")]);
    world.upstream("beta");
    let reply = world.chat("both").await;
    assert_eq!(reply.status, 200);
    assert_eq!(world.record().await.attempts[0].outcome, Outcome::Malformed);
}
