//! What goes wrong between real processes: clients that hang up, engines that die, fallback.

use std::time::Duration;

use pointsman_testkit::process;
use serde_json::{Value, json};

use crate::support::engine::{CHAT_MODEL, Engine};
use crate::support::gateway::{Gateway, provider};
use crate::support::records::Attempt;

/// How soon after a hang-up the engine must be free again.
const FREED_WITHIN: Duration = Duration::from_secs(2);

/// The same for a plain answer. The engine looks for a closed connection only after a second in which
/// nobody asked it for anything, its slot list included: so it is looked at once, after this long.
const FREED_WITHOUT_STREAM_WITHIN: Duration = Duration::from_secs(4);

/// A story of 1,500 tokens: some 15 seconds of work.
fn long_story(model: &str, stream: bool) -> Value {
    json!({
        "model": model, "stream": stream, "max_tokens": 1500, "ignore_eos": true,
        "messages": [{"role": "user", "content": "Tell a very long story."}],
    })
}

fn single(engine: &Engine) -> Gateway {
    Gateway::start(&format!("providers:\n{}", provider("local", &engine.base_url(), &[CHAT_MODEL])))
}

/// Two providers, and a route that tries `first` before `second`.
fn pair(first: &str, second: &str) -> Gateway {
    Gateway::start(&format!(
        "providers:\n{}{}routes:\n  safe:\n    first: [first/{CHAT_MODEL}, second/{CHAT_MODEL}]\n",
        provider("first", first, &[CHAT_MODEL]),
        provider("second", second, &[CHAT_MODEL]),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_frees_the_engine() {
    let engine = Engine::chat();
    let gateway = single(&engine);
    let mut answer = gateway.chat(&long_story("local/smollm2", true)).await;
    assert!(!answer.first_text().await.is_empty());
    assert_eq!(engine.busy_slots().await, 1);
    drop(answer);
    let freed = engine.wait_busy_slots(0).await;
    assert!(freed <= FREED_WITHIN, "freed only after {freed:?}");

    let record = gateway.records().nth(0);
    assert_eq!(record.outcome, "cancelled", "{record:?}");
    // Counted from the chunks that had come by.
    assert!(record.output_tokens >= 1 && record.output_tokens < 1500, "{record:?}");
    assert_eq!(record.usage_source, "counted", "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_before_the_first_byte_frees_the_engine() {
    let engine = Engine::chat();
    let gateway = single(&engine);
    let request = long_story("local/smollm2", false);
    let waiting = async { gateway.chat(&request).await.status };
    tokio::select! {
        status = waiting => panic!("answered {status} at once"),
        _ = engine.wait_busy_slots(1) => {}
    }
    // The select has dropped the request.
    tokio::time::sleep(FREED_WITHOUT_STREAM_WITHIN).await;
    assert_eq!(engine.busy_slots().await, 0);
    let record = gateway.records().nth(0);
    assert_eq!((record.status, record.outcome.as_str()), (0, "cancelled"), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_in_mid_stream_is_an_error_and_no_success() {
    let mut engine = Engine::chat();
    let gateway = single(&engine);
    let mut answer = gateway.chat(&long_story("local/smollm2", true)).await;
    answer.first_text().await;
    engine.kill();
    let events = answer.events().await;
    let error = events.error().unwrap_or_else(|| panic!("no error event: {events:?}"));
    assert_eq!(error["code"], "stream_interrupted", "{error}");
    assert!(events.finish_reason().is_none() && !events.done, "false success: {events:?}");

    let record = gateway.records().nth(0);
    assert_ne!(record.outcome, "success");
    assert_eq!(record.error.as_deref(), Some("stream_interrupted"), "{record:?}");
    assert!(record.output_tokens >= 1, "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_in_mid_answer_is_an_error() {
    let mut engine = Engine::chat();
    let gateway = single(&engine);
    let request = long_story("local/smollm2", false);
    let asking = gateway.chat(&request);
    let killing = async {
        engine.wait_busy_slots(1).await;
        engine.kill();
    };
    let (answer, ()) = tokio::join!(asking, killing);
    assert_eq!(answer.status, 502);
    let body = answer.json().await;
    assert!(body["error"]["code"].is_string() && body["choices"].is_null(), "{body}");
    let record = gateway.records().nth(0);
    assert_eq!((record.status, record.outcome == "success"), (502, false), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_engine_is_stepped_over() {
    let nobody = format!("http://127.0.0.1:{}/v1", process::free_port().unwrap());
    let engine = Engine::chat();
    let gateway = pair(&nobody, &engine.base_url());
    for (n, stream) in (0..).zip([false, true]) {
        let request = json!({
            "model": "safe", "stream": stream, "max_tokens": 8,
            "messages": [{"role": "user", "content": "Hi"}],
        });
        let answer = gateway.chat(&request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pointsman-provider"), "second");
        if stream {
            let events = answer.events().await;
            assert!(events.done && !events.text().is_empty(), "{events:?}");
        } else {
            assert!(answer.json().await["choices"][0]["message"]["content"].is_string());
        }
        let record = gateway.records().nth(n);
        assert_eq!((record.outcome.as_str(), record.route.as_deref()), ("success", Some("safe")));
        let attempts = gateway.records().attempts_of_nth(n);
        assert!(attempts.len() as u32 == record.attempts && attempts.len() >= 2, "{attempts:?}");
        assert_eq!(attempts.last(), Some(&Attempt { provider: "second".into(), outcome: "success".into() }));
        assert!(
            attempts[..attempts.len() - 1].iter().all(|attempt| attempt.provider == "first"),
            "{attempts:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_between_requests_is_stepped_over() {
    let (mut first, second) = (Engine::chat(), Engine::chat());
    let gateway = pair(&first.base_url(), &second.base_url());
    let request = json!({"model": "safe", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(gateway.chat(&request).await.header("x-pointsman-provider"), "first");
    // The pooled connection to it is dead as well.
    first.kill();
    let answer = gateway.chat(&request).await;
    assert_eq!((answer.status, answer.header("x-pointsman-provider")), (200, "second"));
    assert_eq!(gateway.records().nth(1).outcome, "success");
}
