//! kill -9 of an engine with many running streams: another engine goes on with them, or each ends with an error,
//! as their routes say.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::engine::{CHAT_MODEL, Engine};
use crate::support::gateway::{Gateway, provider};
use crate::support::http::Events;

/// Streams of each route.
const STREAMS: usize = 20;
/// Tokens of each answer.
const TOKENS: u64 = 64;
/// Prompt, answer, and what it takes to go on with it.
const CONTEXT: usize = 384;

/// A stream of the route, up to its end; the semaphore learns of its first text.
async fn tell(
    gateway: Arc<Gateway>,
    route: &'static str,
    number: usize,
    begun: Arc<Semaphore>,
) -> (String, Events) {
    let request = json!({
        "model": route, "stream": true, "max_tokens": TOKENS, "ignore_eos": true, "temperature": 0,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": format!("Tell a very long story about {number} cats.")}],
    });
    let mut answer = gateway.chat(&request).await;
    assert_eq!(answer.status, 200, "{route} {number}");
    let first = answer.first_text().await;
    begun.add_permits(1);
    (first, answer.events().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_under_many_streams_costs_none_of_them() {
    let (mut first, second) = (Engine::chat_for(2 * STREAMS, CONTEXT), Engine::chat_for(STREAMS, CONTEXT));
    let candidates = format!("first: [first/{CHAT_MODEL}, second/{CHAT_MODEL}]");
    let gateway = Arc::new(Gateway::start(&format!(
        "providers:\n{}{}    prefill: message\nroutes:\n  safe: {{ {candidates} }}\n  \
         strict: {{ {candidates}, on_interrupt: error }}\n",
        provider("first", &first.base_url(), &[CHAT_MODEL]),
        provider("second", &second.base_url(), &[CHAT_MODEL]),
    )));
    let begun = Arc::new(Semaphore::new(0));
    let mut streams = [JoinSet::new(), JoinSet::new()];
    for number in 0..STREAMS {
        for (route, streams) in ["safe", "strict"].into_iter().zip(&mut streams) {
            streams.spawn(tell(Arc::clone(&gateway), route, number, Arc::clone(&begun)));
        }
    }
    let all = u32::try_from(2 * STREAMS).unwrap();
    begun.acquire_many(all).await.unwrap().forget();
    assert!(first.busy_slots().await >= STREAMS, "most were over before the kill");
    first.kill();

    let [safe, strict] = streams;
    let (mut whole, mut told) = (0, 0);
    for (begin, events) in safe.join_all().await {
        let one_id = events.data.windows(2).all(|pair| pair[0]["id"] == pair[1]["id"]);
        assert!(events.done && !events.broken && events.error().is_none() && one_id, "{begin:?} {events:?}");
        assert_eq!(events.finish_reason(), Some("length"), "{events:?}");
        assert!(!events.text().is_empty());
        whole += 1;
    }
    for (_, events) in strict.join_all().await {
        let error = events.error().unwrap_or_else(|| panic!("no error event: {events:?}"));
        assert_eq!(error["code"], "stream_interrupted", "{error}");
        assert!(!events.done && events.finish_reason().is_none(), "false success: {events:?}");
        told += 1;
    }
    assert_eq!((whole, told), (STREAMS, STREAMS));

    // Every one of them has a record: with both attempts, or with its error.
    let records = gateway.records();
    // They are written in the order in which they end, and counted in that in which they began.
    records.nth(all - 1);
    let mut rescued = 0;
    for n in 0..all {
        let record = records.nth(n);
        let attempts = records.attempts_of_nth(n);
        let by = |n: usize| (&*attempts[n].provider, &*attempts[n].outcome);
        if record.route.as_deref() == Some("safe") {
            assert_eq!((attempts.len(), record.outcome.as_str()), (2, "success"), "{attempts:?}");
            assert_eq!((by(0), by(1)), (("first", "reset"), ("second", "success")));
            rescued += 1;
        } else {
            assert_eq!((attempts.len(), record.error.as_deref()), (1, Some("stream_interrupted")));
        }
    }
    assert_eq!(rescued, STREAMS);
    println!("note-for-summary: kill -9 of an engine: {whole} streams gone on with, {told} told");
}
