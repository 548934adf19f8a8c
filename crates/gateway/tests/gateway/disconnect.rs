//! Clients that leave: the provider's call ends at once, unless the route says otherwise.

use bytes::Bytes;
use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Ending, Gate};
use pointsman_testkit::openai::{Tokens, chat_events, chat_request};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 5, output: 2 };

const FINISH: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m], include_usage: true }
routes:
  finished: { model: alpha/m, on_disconnect: finish, store_bodies: true }
";

async fn post_and_leave(world: &World, alpha: &pointsman_testkit::mock::Mock, model: &str) {
    let body = chat_request(model, false).to_string();
    let mut io = world.raw().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    io.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    alpha.wait_received(1).await;
    drop(io);
}

#[tokio::test(start_paused = true)]
async fn leaving_while_a_plain_answer_is_awaited_cancels_the_call() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::nothing(Cut::Hang)]);
    let started = Instant::now();
    post_and_leave(&world, &alpha, "both").await;
    let entry = alpha.wait_entry(0, |entry| entry.ended.is_some()).await;
    assert_eq!(entry.ending(), Some(Ending::ClientGone));
    assert_elapsed(started, secs(0));
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.error), (Outcome::Cancelled, 0, None));
    let [attempt] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
    assert_eq!((attempt.outcome, &*attempt.provider), (Outcome::Cancelled, "alpha"));
    assert_eq!(beta.received().len(), 0, "nobody is left to fall back for");
    assert!(world.has_metric(
        "pointsman_requests_total{gen_ai_operation_name=\"chat\",outcome=\"cancelled\",status_class=\"none\",stream=\"false\"} 1"
    ));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn leaving_during_a_pause_between_attempts_ends_it() {
    let world = start(TWO);
    let beta = world.upstream("beta");
    beta.script([Answer::rate_limited(Some(30))]);
    post_and_leave(&world, &beta, "beta/m").await;
    let record = world.record().await;
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Cancelled, 1));
    tokio::time::sleep(secs(40)).await;
    assert_eq!(beta.received().len(), 1, "the retry never comes");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn leaving_before_the_body_is_whole_leaves_a_record_without_attempts() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let mut io = world.raw().await;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 100\r\n\r\n{{");
    io.write_all(head.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    drop(io);
    let record = world.record().await;
    assert!(record.attempts.is_empty());
    assert_ne!(record.outcome, Outcome::Success);
    assert_eq!(alpha.connections().accepted, 0);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn leaving_mid_stream_cancels_the_call_and_counts_what_came() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    let events = chat_events("m", &["a", "b", "c", "d"], Some(TOKENS));
    alpha.script([Answer::sse(events.clone()).gate(4, &gate)]);
    let mut stream = world.stream("both").await;
    let mut seen = 0;
    while seen < events[..4].iter().map(Bytes::len).sum() {
        seen += stream.next().await.unwrap().len();
    }
    let left = Instant::now();
    stream.hang_up();
    let entry = alpha.wait_entry(0, |entry| entry.ended.is_some()).await;
    assert_eq!((entry.ending(), entry.parts_sent), (Some(Ending::ClientGone), 4));
    assert_eq!(entry.ended.unwrap().1, left, "within no time at all");
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.error), (Outcome::Cancelled, 200, None));
    assert_eq!((record.usage.output, record.usage.source), (3, UsageSource::Counted));
    assert!(record.usage.input > 0);
    assert_eq!(record.attempts[0].outcome, Outcome::Cancelled);
    assert_eq!(record.attempts[0].usage, record.usage);
    assert_eq!(record.response_bytes, seen as u64);
    assert!(record.first_token_us.is_some());
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn leaving_before_the_first_token_cancels_too() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let role = chat_events("m", &[], None)[0].clone();
    alpha.script([Answer::sse([role]).cut_after_parts(1, Cut::Hang)]);
    let body = chat_request("alpha/m", true).to_string();
    let mut io = world.raw().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    io.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    alpha.wait_entry(0, |entry| entry.parts_sent == 1).await;
    drop(io);
    assert_eq!(alpha.wait_ended(1).await[0].ending(), Some(Ending::ClientGone));
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.streamed), (Outcome::Cancelled, 0, true));
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_given_up() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let token = chat_events("m", &["x".repeat(4_000).as_str()], None)[1].clone();
    alpha.otherwise(move |_| Answer::sse(std::iter::repeat_n(token.clone(), 200)));
    let body = chat_request("alpha/m", true).to_string();
    let mut io = world.raw().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let started = Instant::now();
    io.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    // It stays connected and takes nothing.
    let entry = alpha.wait_entry(0, |entry| entry.ended.is_some()).await;
    assert_eq!(entry.ending(), Some(Ending::ClientGone));
    assert_elapsed(started, secs(60));
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Cancelled);
    assert!((1..200).contains(&record.usage.output), "{:?}", record.usage);
    world.assert_at_rest();
    drop(io);
}

#[tokio::test(start_paused = true)]
async fn a_route_may_have_its_streams_read_to_the_end() {
    let world = start(FINISH);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a", "b", "c"], Some(TOKENS));
    alpha.script([Answer::sse(events.clone()).pace(secs(1))]);
    let mut stream = world.stream("finished").await;
    let shown = stream.next().await.unwrap();
    stream.hang_up();
    let entry = alpha.wait_entry(0, |entry| entry.ended.is_some()).await;
    assert!(entry.is_complete(), "{entry:?}");
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Cancelled, "its client left all the same");
    assert_eq!((record.usage.input, record.usage.output), (5, 2));
    assert_eq!(record.usage.source, UsageSource::Reported);
    assert_eq!(record.attempts[0].outcome, Outcome::Success, "the provider did all its work");
    let kept = record.bodies.unwrap().response;
    assert!(
        kept.len() >= shown.len() && record.response_bytes < events.concat().len() as u64,
        "what the client got is what counts as sent: {} of {}",
        record.response_bytes,
        kept.len()
    );
    // Drain waits for it; there is nothing left.
    world.gateway.finish().await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_finished_leftover_still_knows_its_limits() {
    let world = start(FINISH);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a", "b", "c"], Some(TOKENS));
    alpha.script([Answer::sse(events).cut_after_parts(2, Cut::Hang)]);
    let mut stream = world.stream("finished").await;
    stream.next().await.unwrap();
    let started = Instant::now();
    stream.hang_up();
    tokio::task::yield_now().await;
    world.gateway.finish().await;
    // The default limit between chunks.
    assert_elapsed(started, secs(120));
    let record = world.record().await;
    assert_eq!(record.usage.source, UsageSource::Counted);
    assert_eq!(record.attempts[0].outcome.as_str(), "timeout");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn plain_answers_of_such_routes_are_read_to_the_end_too() {
    let world = start(FINISH);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::error(500, "x"), Answer::chat("m", "x", TOKENS).delay_head(secs(5))]);
    post_and_leave(&world, &alpha, "finished").await;
    let log = alpha.wait_ended(2).await;
    assert!(log[1].is_complete(), "{:?}", log[1]);
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.error), (Outcome::Cancelled, 0, None));
    assert_eq!((record.usage.output, record.usage.source), (2, UsageSource::Reported));
    let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::UpstreamFault, Outcome::Success]);
    world.gateway.finish().await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn streams_of_such_routes_are_read_also_from_before_their_first_token() {
    let world = start(FINISH);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a", "b", "c"], Some(TOKENS));
    alpha.script([Answer::sse(events).pace(secs(1)).delay_head(secs(2))]);
    let body = chat_request("finished", true).to_string();
    let mut io = world.raw().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    io.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    alpha.wait_received(1).await;
    drop(io);
    assert!(alpha.wait_ended(1).await[0].is_complete());
    let record = world.record().await;
    assert_eq!((record.outcome, record.response_bytes), (Outcome::Cancelled, 0));
    assert_eq!((record.usage.output, record.usage.source), (2, UsageSource::Reported));
    assert_eq!(record.attempts[0].outcome, Outcome::Success);
    world.gateway.finish().await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn clients_of_such_routes_who_stay_are_served_as_others_are() {
    let world = start(FINISH);
    let alpha = world.upstream("alpha");
    let reply = world.chat("finished").await;
    assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("1")));
    alpha.script([Answer::error(400, "no")]);
    assert_eq!(world.chat("finished").await.status, 400);
    alpha.script(std::iter::repeat_n(Answer::error(500, "x"), 2));
    world.chat("finished").await.assert_error(502, "upstream_unavailable", None);
    let records = world.records(3).await;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::ClientFault, Outcome::UpstreamFault]);
    assert!(records.iter().all(|record| record.overhead_us == 0));
    world.assert_at_rest();
}
