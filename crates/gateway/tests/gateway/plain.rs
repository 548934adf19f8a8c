//! Whole answers: what goes upstream, what comes back, what is written down.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::{Money, Operation, Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Received};
use pointsman_testkit::openai::{Tokens, chat_answer};
use serde_json::json;

use crate::harness::*;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TOKENS: Tokens = Tokens { input: 1_000, output: 7 };

/// Whitespace, escapes, keys beside and below `model`, numbers that no double holds.
const ODD: &str = "\n{ \"unknown\" : {\"model\":\"inner\", \"stream\": \"no\"},\t\"\\u006dodel\":  \"alpha\\/m\" ,\
\"seed\":123456789012345678901234567890, \"huge\":1e400,\"tiny\": -0.10e-4000,\"text\":\"\\ud83d\\ude00 \u{e9}\",\
\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"model\":\"x\"}] , \"n\":1 }\r\n";

#[tokio::test(start_paused = true)]
async fn upstream_gets_the_clients_bytes_with_another_name() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let reply = world.send(post("/v1/chat/completions", ODD)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let sent = &alpha.received()[0];
    let expected = ODD.replace("\"alpha\\/m\"", "\"m\"");
    assert_ne!(expected, ODD);
    assert_eq!(sent.body, expected);
    assert_eq!(sent.header("content-length"), Some(expected.len().to_string().as_str()));
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(alpha.violations(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn all_operations_reach_their_paths() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let bodies = [
        ("/v1/chat/completions", json!({"model": "alpha/m", "messages": [{"role": "user", "content": "x"}]})),
        ("/v1/completions", json!({"model": "alpha/m", "prompt": "x"})),
        ("/v1/embeddings", json!({"model": "alpha/m", "input": "x"})),
    ];
    for (path, body) in &bodies {
        let reply = world.send(post(path, body.to_string())).await;
        assert_eq!(reply.status, 200, "{path}: {:?}", reply.body);
    }
    let received = alpha.received();
    let paths: Vec<_> = received.iter().map(Received::path).collect();
    assert_eq!(paths, bodies.each_ref().map(|(path, _)| *path));
    let operations: Vec<_> = world.records(3).await.iter().map(|record| record.operation).collect();
    assert_eq!(operations, [Operation::Chat, Operation::TextCompletion, Operation::Embeddings]);
    let embedded = &world.records(3).await[2];
    assert_eq!((embedded.usage.input, embedded.usage.output), (12, 0));
    assert_eq!(embedded.usage.source, UsageSource::Reported);
}

#[tokio::test(start_paused = true)]
async fn headers_go_upstream_by_allow_list_only() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let private = [
        ("authorization", "Bearer callers-own"),
        ("x-api-key", "callers-own-2"),
        ("api-key", "callers-own-3"),
        ("cookie", "session=1"),
        ("openai-organization", "org-1"),
        ("x-stainless-os", "Linux"),
        ("user-agent", "SomeClient/1.0"),
        ("accept-encoding", "gzip, br"),
        ("x-pointsman-tags", "a=b"),
    ];
    let passed = [
        ("openai-beta", "assistants=v2"),
        ("anthropic-beta", "x-1"),
        ("anthropic-version", "2023-06-01"),
        ("idempotency-key", "once"),
        ("tracestate", "a=1"),
        ("traceparent", TRACE),
    ];
    let request =
        private.iter().chain(&passed).fold(chat("alpha/m"), |r, (name, value)| with(r, name, value));
    let reply = world.send(request).await;
    assert_eq!(reply.status, 200);
    // Another account than the key's own was not asked for, which the caller may want to know.
    assert_eq!(reply.header("x-pointsman-dropped"), Some("openai-organization"));

    let sent = &alpha.received()[0];
    assert_eq!(sent.header_all("authorization"), ["Bearer alpha-secret"]);
    for (name, value) in &passed[..5] {
        assert_eq!(sent.header_all(name), [*value], "{name}");
    }
    let names: Vec<_> = sent.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let mut known = vec![
        "host",
        "content-type",
        "content-length",
        "accept",
        "user-agent",
        "authorization",
        "traceparent",
    ];
    known.extend(passed[..5].iter().map(|(name, _)| *name));
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(sent.header("host"), Some("alpha.test"));
    assert!(sent.header("user-agent").unwrap().starts_with("pointsman/"));
    for (name, value) in &private {
        assert!(!sent.headers.iter().any(|(_, sent)| sent == value), "{name} leaked");
    }
}

#[tokio::test(start_paused = true)]
async fn the_trace_goes_on_with_a_span_of_our_own() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    world.send(with(chat("alpha/m"), "traceparent", TRACE)).await;
    world.chat("alpha/m").await;
    world.send(with(chat("alpha/m"), "traceparent", "00-zz-zz-01")).await;

    let received = alpha.received();
    let parts = |index: usize| -> Vec<String> {
        received[index].header("traceparent").unwrap().split('-').map(str::to_owned).collect()
    };
    let sent = parts(0);
    assert_eq!((sent[0].as_str(), sent[1].as_str(), sent[3].as_str()), ("00", &TRACE[3..35], "01"));
    assert_ne!(sent[2], TRACE[36..52], "the span is ours");
    let records = world.records(3).await;
    assert_eq!(records[0].trace.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!(records[0].trace.parent_id, Some(0xb7ad_6b71_6920_3331));
    for index in [1, 2] {
        let trace = records[index].trace;
        assert_eq!(parts(index)[1], format!("{:032x}", trace.trace_id), "what is sent is what is recorded");
        assert!(trace.trace_id != 0 && trace.parent_id.is_none());
    }
    assert_ne!(records[1].trace.trace_id, records[2].trace.trace_id);
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_back_to_the_byte_with_our_headers() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let openai = world.upstream("openai");
    let body = format!("\n  {} \n", chat_answer("gpt-4o-mini-2024-07-18", "h\u{e9}", TOKENS));
    openai.script([Answer::new(200, "application/json; charset=utf-8", body.clone())
        .header("x-request-id", "up-1")
        .header("x-ratelimit-remaining-requests", "99")
        .header("openai-processing-ms", "12")
        .header("set-cookie", "up=1")
        .header("server", "mock")
        .header("access-control-allow-origin", "*")
        .delay_head(secs(3))]);
    let request = with(chat("openai/gpt-4o-mini"), "x-pointsman-tags", "team=a,run=7");
    let request = with(with(request, "x-pointsman-agent", "tester"), "x-pointsman-session", "s-1");
    let reply = world.send(request).await;

    assert_eq!((reply.status, &reply.body), (200, &Bytes::from(body.clone())));
    let record = world.record().await;
    let id = record.id.to_string();
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("x-request-id", "up-1"),
        ("x-ratelimit-remaining-requests", "99"),
        ("openai-processing-ms", "12"),
        ("x-pointsman-request-id", id.as_str()),
        ("x-pointsman-model", "gpt-4o-mini"),
        ("x-pointsman-provider", "openai"),
        ("x-pointsman-attempts", "1"),
        // 1,000 tokens at $0.15 and 7 at $0.60 a million.
        ("x-pointsman-cost-usd", "0.000154200"),
        ("x-pointsman-overhead-us", "0"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    for name in ["set-cookie", "access-control-allow-origin", "x-pointsman-simulated"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_ne!(reply.header("server"), Some("mock"));

    assert_eq!((record.outcome, record.status, record.error), (Outcome::Success, 200, None));
    assert_eq!(record.cost.unwrap().total(), Money(154_200));
    assert_eq!((record.cost.unwrap().input, record.cost.unwrap().output), (Money(150_000), Money(4_200)));
    assert_eq!((record.usage.input, record.usage.output), (1_000, 7));
    assert_eq!(record.usage.source, UsageSource::Reported);
    assert_eq!(&*record.requested_model, "openai/gpt-4o-mini");
    assert_eq!((record.route.as_deref(), record.streamed, record.simulated), (None, false, false));
    assert_eq!(record.tags.as_deref(), Some("team=a,run=7"));
    assert_eq!((record.agent.as_deref(), record.session.as_deref()), (Some("tester"), Some("s-1")));
    assert_eq!(record.response_bytes, body.len() as u64);
    assert!(record.request_bytes > 0 && record.price_version > 0 && record.config_generation == 1);
    assert_eq!(record.started_unix_us, i64::try_from(START_UNIX.as_micros()).unwrap());
    // All of the time was the provider's.
    assert!((3_000_000..3_010_000).contains(&record.duration_us), "{}", record.duration_us);
    assert_eq!((record.overhead_us, record.first_token_us), (0, Some(record.duration_us)));
    let [attempt] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
    assert_eq!((&*attempt.provider, &*attempt.model), ("openai", "gpt-4o-mini"));
    assert_eq!((attempt.outcome, attempt.status), (Outcome::Success, Some(200)));
    assert_eq!((attempt.usage, attempt.cost), (record.usage, record.cost));
    assert_eq!(attempt.first_byte_us, Some(attempt.duration_us));
    assert!(world.has_metric(
        "pointsman_cost_usd_total{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o-mini\"} 0.0001542"
    ));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_costs_nobody_knows_what() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let openai = world.upstream("openai");
    openai.script([Answer::chat("x", "hi", TOKENS), Answer::chat("x", "hi", TOKENS)]);
    for model in ["openai/gpt-99-secret", "openai/gpt-4o-mini"] {
        let reply = world.chat(model).await;
        assert_eq!(reply.status, 200);
        let priced = model.ends_with("mini");
        assert_eq!(reply.header("x-pointsman-cost-usd").is_some(), priced, "{model}");
    }
    let records = world.records(2).await;
    assert_eq!((records[0].cost, records[0].attempts[0].cost), (None, None));
    assert_eq!(records[0].usage.input, 1_000);
    assert_eq!(records[1].cost.unwrap().total(), Money(154_200));
    assert!(world.has_metric(
        "pointsman_unpriced_attempts_total{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"other\"} 1"
    ));
    assert!(!world.has_metric("gpt-99-secret"), "what callers make up is no label");
}

#[tokio::test(start_paused = true)]
async fn local_models_are_free_which_is_known() {
    let world = start("providers:\n  alpha: { base_url: 'http://alpha.test/v1', local: true }\n");
    world.upstream("alpha");
    let reply = world.chat("alpha/any").await;
    assert_eq!(reply.header("x-pointsman-cost-usd"), Some("0.000000000"));
    assert_eq!(world.record().await.cost.map(|cost| cost.total()), Some(Money::ZERO));
}

#[tokio::test(start_paused = true)]
async fn usage_that_is_not_reported_is_estimated_and_says_so() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let mut answer = chat_answer("m", "12345678", TOKENS);
    answer.as_object_mut().unwrap().remove("usage");
    alpha.script([Answer::json(&answer)]);
    let body = pointsman_testkit::openai::chat_request("alpha/m", false).to_string();
    world.send(post("/v1/chat/completions", body)).await;
    let record = world.record().await;
    let sent = alpha.received()[0].body.len();
    assert_eq!(record.usage.source, UsageSource::Estimated);
    assert_eq!((record.usage.output, record.usage.input), (2, (sent as u64).div_ceil(4)));
    assert!(world.has_metric("pointsman_usage_total{source=\"estimated\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_and_a_slow_provider_are_no_overhead() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::chat("m", "hi", TOKENS).delay_head(secs(2)).delay_body(secs(4))]);
    let body = pointsman_testkit::openai::chat_request("alpha/m", false).to_string();
    let length = body.len();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {length}\r\n\r\n");
    let mut io = world.raw().await;
    io.write_all(head.as_bytes()).await.unwrap();
    for half in body.as_bytes().chunks(length / 2 + 1) {
        tokio::time::sleep(secs(1)).await;
        io.write_all(half).await.unwrap();
    }
    let mut answer = [0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let record = world.record().await;
    assert!((8_000_000..8_020_000).contains(&record.duration_us), "{}", record.duration_us);
    assert_eq!(record.overhead_us, 0);
}

#[tokio::test(start_paused = true)]
async fn compressed_answers_are_decoded_although_not_asked_for() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::chat("m", "hi", TOKENS).gzip()]);
    let reply = world.chat("alpha/m").await;
    assert_eq!(reply.json(), chat_answer("m", "hi", TOKENS));
    assert_eq!(reply.header("content-encoding"), None);
    assert_eq!(world.record().await.usage.input, 1_000);
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_provider_take_turns_and_its_own_headers_win() {
    let yaml = r"
providers:
  alpha:
    base_url: http://alpha.test/v1/
    keys: [{ env: ALPHA_KEY }, { env: BETA_KEY }]
    headers: { openai-beta: ours, x-tenant: t1 }
";
    let world = start(yaml);
    let alpha = world.upstream("alpha");
    for _ in 0..30 {
        let request: Request<Full<Bytes>> = with(chat("alpha/a/b:c"), "openai-beta", "callers");
        assert_eq!(world.send(request).await.status, 200);
    }
    let received = alpha.received();
    for key in ["Bearer alpha-secret", "Bearer beta-secret"] {
        let uses = received.iter().filter(|request| request.header("authorization") == Some(key)).count();
        assert!((5..=25).contains(&uses), "{key}: {uses}");
    }
    assert_eq!(received[0].header_all("openai-beta"), ["ours"]);
    assert_eq!(received[0].header("x-tenant"), Some("t1"));
    assert_eq!(received[0].model(), "a/b:c");
    assert_eq!(received[0].path(), "/v1/chat/completions");
}
