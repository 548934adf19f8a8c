//! Realtime sessions: opened like any request, relayed frame by frame, billed once. Both ends are played by
//! another implementation of WebSockets.

use pointsman_core::{ErrorCode, Operation, Outcome, RequestRecord, UsageSource};
use pointsman_testkit::net::{MemoryIo, MemoryListener};
use pointsman_testkit::realtime::{
    self, Bytes, CloseCode, CloseFrame, Error, Message, Provider, WebSocketStream, answer, hear, say, usage,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::harness::*;

type Socket = WebSocketStream<MemoryIo>;

const PATH: &str = "/v1/realtime?model=alpha/m";

/// Opens a session at the gateway while `provider` takes it.
async fn open(
    world: &World,
    provider: &mut MemoryListener,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (Socket, Provider<MemoryIo>) {
    let request = realtime::request(path, headers);
    let client = async { realtime::connect(world.raw().await, request).await.unwrap() };
    let taken = async { realtime::accept(provider.accept().await.unwrap(), None).await.unwrap() };
    let ((client, response), provider) = tokio::join!(client, taken);
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("x-pointsman-request-id"));
    (client, provider)
}

/// The answer to a request that opens nothing.
async fn refused(world: &World, path: &str, headers: &[(&'static str, &str)]) -> (u16, Value) {
    let opened = realtime::connect(world.raw().await, realtime::request(path, headers)).await;
    let Err(Error::Http(response)) = opened else { panic!("no refusal, but {opened:?}") };
    let body = response.body().as_deref().unwrap_or_default();
    (response.status().as_u16(), serde_json::from_slice(body).unwrap())
}

async fn text(socket: &mut Socket) -> String {
    match hear(socket).await {
        Some(Ok(Message::Text(text))) => text.to_string(),
        other => panic!("no text, but {other:?}"),
    }
}

/// The code at the end of a session.
async fn closed(socket: &mut Socket) -> Option<u16> {
    loop {
        match hear(socket).await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("no close frame, but {other:?}"),
        }
    }
}

/// Both ends say goodbye, the client first.
async fn close(mut client: Socket, provider: &mut Provider<MemoryIo>) {
    client.close(None).await.unwrap();
    assert!(matches!(hear(&mut provider.socket).await, Some(Ok(Message::Close(None)))));
    assert!(hear(&mut provider.socket).await.is_none_or(|end| end.is_err()));
    assert!(matches!(hear(&mut client).await, Some(Ok(Message::Close(None)))));
    assert!(hear(&mut client).await.is_none(), "the server closes");
}

async fn answers(provider: &mut Provider<MemoryIo>, client: &mut Socket, used: &Value) {
    for event in answer("hello", used) {
        say(&mut provider.socket, &event).await.unwrap();
        assert_eq!(text(client).await, event.to_string());
    }
}

fn outcome(record: &RequestRecord) -> (Outcome, Outcome, Option<ErrorCode>) {
    (record.outcome, record.attempts.last().unwrap().outcome, record.error)
}

#[tokio::test(start_paused = true)]
async fn a_session_is_relayed_and_leaves_one_record() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let mut openai = world.net.listen("openai.test:80");
    let headers = [
        ("authorization", "Bearer mine"),
        ("openai-beta", "realtime=v1"),
        ("cookie", "a=b"),
        ("origin", "http://localhost:3000"),
    ];
    let path = "/v1/realtime?x=1&model=openai%2Fgpt-audio&intent=chat";
    let (mut client, mut provider) = open(&world, &mut openai, path, &headers).await;
    assert_eq!(provider.head.uri(), "/v1/realtime?model=gpt-audio&x=1&intent=chat");
    let head = provider.head.headers();
    assert_eq!(head["authorization"], "Bearer sk-real");
    assert_eq!(
        (&head["openai-beta"], &head["host"]),
        (&"realtime=v1".parse().unwrap(), &"openai.test".parse().unwrap())
    );
    for absent in ["cookie", "origin", "sec-websocket-extensions", "sec-websocket-protocol", "accept"] {
        assert!(!head.contains_key(absent), "{absent}");
    }

    say(&mut client, &json!({"type": "response.create"})).await.unwrap();
    assert_eq!(text(&mut provider.socket).await, r#"{"type":"response.create"}"#);
    answers(&mut provider, &mut client, &usage(1000, 400, 60)).await;
    // In any order and kind, and never mixed up.
    for number in 0..20_u8 {
        let payload = Bytes::from(vec![number; usize::from(number) * 1000]);
        let messages = [Message::Ping(Bytes::from(vec![number])), Message::Binary(payload)];
        for message in messages {
            futures_util::SinkExt::send(&mut client, message.clone()).await.unwrap();
            assert_eq!(hear(&mut provider.socket).await.unwrap().unwrap(), message);
        }
        // The provider's implementation answers pings by itself.
        assert_eq!(hear(&mut client).await.unwrap().unwrap(), Message::Pong(Bytes::from(vec![number])));
    }
    answers(&mut provider, &mut client, &usage(2000, 0, 40)).await;
    assert!(
        world.has_metric("pointsman_requests_in_flight 1")
            && world.has_metric("pointsman_realtime_sessions 1")
    );
    close(client, &mut provider).await;

    let record = world.record().await;
    assert_eq!((record.operation, record.status, record.streamed), (Operation::Realtime, 101, true));
    assert_eq!(outcome(&record), (Outcome::Success, Outcome::Success, None));
    assert_eq!(&*record.requested_model, "openai/gpt-audio");
    let used = record.usage;
    assert_eq!(
        (used.input, used.input_audio, used.output, used.source),
        (3000, 400, 100, UsageSource::Reported)
    );
    // USD per million: 2.5 text in, 32 audio in, 10 text out.
    assert_eq!(record.cost.unwrap().total().nanos(), 2600 * 2500 + 400 * 32_000 + 100 * 10_000);
    assert_eq!(record.attempts.len(), 1);
    assert_eq!((record.attempts[0].usage, record.attempts[0].status), (used, Some(101)));
    assert!(record.request_bytes > 190_000 && record.response_bytes > 500, "{record:?}");
    assert!(world.has_metric("pointsman_realtime_sessions 0"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_browser_is_a_subprotocol_that_goes_no_further() {
    let hash: String = Sha256::digest("pm-all").iter().map(|byte| format!("{byte:02x}")).collect();
    let some: String = Sha256::digest("pm-some").iter().map(|byte| format!("{byte:02x}")).collect();
    let world = start(&format!(
        "{TWO}keys:\n  - {{ id: all, sha256: {hash} }}\n  - {{ id: some, sha256: {some}, models: [beta/m] }}\n"
    ));
    let mut alpha = world.net.listen("alpha.test:80");
    let browser = |key: &str| format!("realtime, openai-insecure-api-key.{key}, openai-beta.realtime-v1");
    let offered = browser("pm-all");
    // With keys, pages of other origins may call.
    let headers = [("sec-websocket-protocol", &*offered), ("origin", "https://app.example")];
    let request = realtime::request(PATH, &headers);
    let client = async { realtime::connect(world.raw().await, request).await.unwrap() };
    let taken = async { realtime::accept(alpha.accept().await.unwrap(), Some("realtime")).await.unwrap() };
    let ((client, response), mut provider) = tokio::join!(client, taken);
    assert_eq!(response.headers()["sec-websocket-protocol"], "realtime");
    assert_eq!(provider.head.headers()["sec-websocket-protocol"], "realtime, openai-beta.realtime-v1");
    assert_eq!(provider.head.headers()["authorization"], "Bearer alpha-secret");
    close(client, &mut provider).await;
    assert_eq!(world.record().await.principal.key.as_deref(), Some("all"));

    for (offered, status, code) in [
        (browser("wrong"), 401, "invalid_api_key"),
        ("realtime".to_owned(), 401, "invalid_api_key"),
        (browser("pm-some"), 403, "model_not_allowed"),
        (browser("a, openai-insecure-api-key.b"), 400, "invalid_request"),
    ] {
        let (seen, body) = refused(&world, PATH, &[("sec-websocket-protocol", &offered)]).await;
        assert_eq!((seen, body["error"]["code"].as_str()), (status, Some(code)), "{offered}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_opens_no_session_is_an_ordinary_error() {
    let world = start(TWO);
    for (path, headers, status, code) in [
        (PATH, &[("origin", "https://evil.example")][..], 403, "forbidden_origin"),
        (PATH, &[("sec-fetch-site", "cross-site")], 403, "forbidden_origin"),
        ("/v1/realtime", &[], 400, "invalid_request"),
        ("/v1/realtime?intent=transcription", &[], 400, "invalid_request"),
        ("/v1/realtime?model=alpha/m&model=beta/m", &[], 400, "duplicate_key"),
        ("/v1/realtime?model=alpha/m&call_id=rtc_1", &[], 400, "unsupported_operation"),
        ("/v1/realtime?model=none/such", &[], 404, "model_not_found"),
        (PATH, &[("content-length", "2")], 400, "invalid_request"),
    ] {
        let (seen, body) = refused(&world, path, headers).await;
        assert_eq!((seen, body["error"]["code"].as_str()), (status, Some(code)), "{path}: {body}");
    }
    let plain = world.send(get(PATH)).await;
    plain.assert_error(426, "upgrade_required", None);
    assert_eq!(
        (plain.header("upgrade"), plain.header("sec-websocket-version")),
        (Some("websocket"), Some("13"))
    );
    let posted = world.send(post(PATH, "{}")).await;
    posted.assert_error(405, "method_not_allowed", None);
    assert_eq!(posted.header("allow"), Some("GET"));
    let mut old = realtime::request(PATH, &[]);
    old.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let lines: String = old
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
        .collect();
    let reply = world.exchange(format!("GET {PATH} HTTP/1.1\r\n{lines}connection: close\r\n\r\n")).await;
    assert!(reply.starts_with("HTTP/1.1 426 "), "{reply}");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn until_a_provider_switches_another_may() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let mut beta = world.net.listen("beta.test:80");
    for broken in [
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "",
    ] {
        let fails = async {
            for _ in 0..16 {
                let mut io = alpha.accept().await.unwrap();
                let _ = io.read(&mut [0; 4096]).await.unwrap();
                io.write_all(broken.as_bytes()).await.unwrap();
            }
        };
        let opening = open(&world, &mut beta, "/v1/realtime?model=both", &[]);
        let (client, mut provider) = tokio::select! {
            opened = opening => opened,
            () = fails => panic!("{broken}: it is tried again and again"),
        };
        assert_eq!(provider.head.uri(), "/v1/realtime?model=m");
        close(client, &mut provider).await;
    }
    let records = world.records(4).await;
    for record in &records {
        assert_eq!(record.outcome, Outcome::Success, "{record:?}");
        let first = record.attempts.first().unwrap();
        assert_eq!((&*first.provider, &*record.attempts.last().unwrap().provider), ("alpha", "beta"));
        assert_ne!(first.outcome, Outcome::Success);
    }
    assert_eq!(records[2].attempts[0].outcome, Outcome::Malformed);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_provider_is_passed_on() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let says = async |status: &str, body: &str, alpha: &mut MemoryListener| {
        let mut io = alpha.accept().await.unwrap();
        let _ = io.read(&mut [0; 4096]).await.unwrap();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        io.write_all(head.as_bytes()).await.unwrap();
        let _ = io.read(&mut [0; 16]).await;
    };
    let words = r#"{"error":{"message":"no such voice","type":"invalid_request_error","code":"bad_voice"}}"#;
    let ((status, body), ()) =
        tokio::join!(refused(&world, PATH, &[]), says("400 Bad Request", words, &mut alpha));
    assert_eq!((status, body["error"]["code"].as_str()), (400, Some("bad_voice")));
    let ((status, body), ()) =
        tokio::join!(refused(&world, PATH, &[]), says("401 Unauthorized", words, &mut alpha));
    assert_eq!((status, body["error"]["code"].as_str()), (502, Some("upstream_unauthorized")), "{body}");
    drop(alpha);
    let (status, body) = refused(&world, PATH, &[]).await;
    assert_eq!((status, body["error"]["code"].as_str()), (502, Some("upstream_unavailable")), "{body}");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn transcriptions_are_billed_at_their_own_model() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let mut openai = world.net.listen("openai.test:80");
    let transcribed = |used: &Value| json!({"type": "conversation.item.input_audio_transcription.completed", "transcript": "hi", "usage": used});
    let used = json!({"type": "tokens", "total_tokens": 22, "input_tokens": 13, "output_tokens": 9,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 13}});
    let session = |model: &str| json!({"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": model}}}}});
    let intent = "/v1/realtime?intent=transcription&model=openai/gpt-4o-transcribe";
    for (path, events, cost) in [
        // The model is not for OpenAI's eyes there; 13 audio tokens at 2.5, 9 at 10.
        (intent, vec![transcribed(&used)], Some(13 * 2500 + 9 * 10_000)),
        (intent, vec![session("gpt-4o-mini-transcribe"), transcribed(&used)], Some(13 * 1250 + 9 * 5000)),
        (
            "/v1/realtime?model=openai/gpt-audio",
            vec![session("gpt-4o-transcribe"), transcribed(&used)],
            Some(13 * 2500 + 9 * 10_000),
        ),
        ("/v1/realtime?intent=transcription", vec![transcribed(&used)], Some(13 * 2500 + 9 * 10_000)),
        // Three seconds at $0.0001.
        (
            intent,
            vec![session("whisper-1"), transcribed(&json!({"type": "duration", "seconds": 3}))],
            Some(300_000),
        ),
        // Nobody said who transcribes, or its price is for something else.
        ("/v1/realtime?model=openai/gpt-audio", vec![transcribed(&used)], None),
        (intent, vec![session("whisper-1"), transcribed(&used)], None),
    ] {
        let named = [("x-pointsman-model", "openai/gpt-4o-transcribe")];
        let headers = if path.contains("model=") { &[][..] } else { &named };
        let (mut client, mut provider) = open(&world, &mut openai, path, headers).await;
        if path.contains("intent") {
            assert_eq!(provider.head.uri(), "/v1/realtime?intent=transcription");
        }
        let count = world.sink.records().len();
        for event in events {
            say(&mut provider.socket, &event).await.unwrap();
            assert_eq!(text(&mut client).await, event.to_string());
        }
        close(client, &mut provider).await;
        let record = world.records(count + 1).await.pop().unwrap();
        assert_eq!(record.cost.map(|cost| cost.total().nanos()), cost, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transcription_of_which_nobody_saw_the_end_is_not_free() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let mut openai = world.net.listen("openai.test:80");
    let session = json!({"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}});
    let committed = json!({"type": "input_audio_buffer.committed", "item_id": "i"});
    let failed = json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": "i"});
    for (events, known) in [
        (vec![&committed], true),
        (vec![&session, &committed], false),
        (vec![&session, &committed, &failed], true),
    ] {
        let count = world.sink.records().len();
        let path = "/v1/realtime?model=openai/gpt-audio";
        let (mut client, mut provider) = open(&world, &mut openai, path, &[]).await;
        for event in &events {
            say(&mut provider.socket, event).await.unwrap();
            text(&mut client).await;
        }
        close(client, &mut provider).await;
        let record = world.records(count + 1).await.pop().unwrap();
        assert_eq!(record.cost.is_some(), known, "{events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_half_here_makes_the_cost_unknown() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let mut openai = world.net.listen("openai.test:80");
    let (client, mut provider) = open(&world, &mut openai, "/v1/realtime?model=openai/gpt-audio", &[]).await;
    let half = br#"{"type":"response.done","response":{"usage":{"input_tok"#;
    let frame = [&[0x81, 126, 1, 0][..], half].concat();
    provider.socket.get_mut().write_all(&frame).await.unwrap();
    sleep(secs(1)).await;
    drop(provider);
    sleep(secs(1)).await;
    drop(client);
    let record = world.record().await;
    assert_eq!((record.outcome, record.cost), (Outcome::Reset, None));
    world.assert_at_rest();
}

/// A frame with this first byte; of a client with a mask of zeros.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    match u8::try_from(payload.len()) {
        Ok(length @ 0..=125) => bytes.push(mask | length),
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Frames that end a session, each with the code that its sender is told.
fn hostile(masked: bool) -> Vec<(&'static str, Vec<u8>, u16)> {
    let frame = |first, payload: &[u8]| frame(first, payload, masked);
    let mut huge = frame(0x82, &[]);
    huge[1] = (huge[1] & 0x80) | 127;
    huge.splice(2..2, (1_u64 << 40).to_be_bytes());
    vec![
        ("a length of a terabyte", huge, 1009),
        ("reserved bits", frame(0xF1, b"x"), 1002),
        ("an unknown opcode", frame(0x83, b"x"), 1002),
        ("a wrong mask", self::frame(0x81, b"x", !masked), 1002),
        ("a long ping", frame(0x89, &[b'x'; 126]), 1002),
        ("a ping in fragments", frame(0x09, b"x"), 1002),
        ("text that is none", frame(0x81, b"abc\xff"), 1007),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a close of one byte", frame(0x88, b"x"), 1002),
        ("code 1005", frame(0x88, &[3, 0xED]), 1002),
        ("code 999", frame(0x88, &[3, 0xE7]), 1002),
        ("a reason that is no text", frame(0x88, &[3, 0xE8, 0xFF]), 1007),
    ]
}

#[tokio::test(start_paused = true)]
async fn hostile_frames_of_a_client_end_its_session_and_go_no_further() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    for (number, (name, bytes, code)) in hostile(true).into_iter().enumerate() {
        let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
        say(&mut client, &json!({"type": "fine"})).await.unwrap();
        client.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(closed(&mut client).await, Some(code), "{name}");
        assert_eq!(text(&mut provider.socket).await, r#"{"type":"fine"}"#);
        if name == "text that is none" {
            // Its head had passed, and a close frame within a frame would be taken for text.
            assert!(hear(&mut provider.socket).await.is_none_or(|end| end.is_err()), "{name}");
        } else {
            assert_eq!(closed(&mut provider.socket).await, Some(1001), "{name}");
        }
        drop((client, provider));
        let record = world.records(number + 1).await.pop().unwrap();
        let expected = (Outcome::ClientFault, Outcome::Cancelled, Some(ErrorCode::InvalidRequest));
        assert_eq!(outcome(&record), expected, "{name}");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn hostile_frames_of_a_provider_end_the_session_and_go_no_further() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    for (number, (name, bytes, code)) in hostile(false).into_iter().enumerate() {
        let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
        provider.socket.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(closed(&mut provider.socket).await, Some(code), "{name}");
        if name == "text that is none" {
            assert!(hear(&mut client).await.is_none_or(|end| end.is_err()), "{name}");
        } else {
            assert_eq!(closed(&mut client).await, Some(1011), "{name}");
        }
        drop((client, provider));
        let record = world.records(number + 1).await.pop().unwrap();
        let expected = (Outcome::Malformed, Outcome::Malformed, Some(ErrorCode::StreamInterrupted));
        assert_eq!(outcome(&record), expected, "{name}");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_within_an_answer_is_billed_for_it() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "sk-real").start();
    let mut openai = world.net.listen("openai.test:80");
    for reports in [true, false] {
        let count = world.sink.records().len();
        let path = "/v1/realtime?model=openai/gpt-audio";
        let (mut client, mut provider) = open(&world, &mut openai, path, &[]).await;
        answers(&mut provider, &mut client, &usage(100, 0, 10)).await;
        let [begun, delta, done] = answer("a long story", &usage(200, 0, 20));
        say(&mut provider.socket, &begun).await.unwrap();
        say(&mut provider.socket, &delta).await.unwrap();
        text(&mut client).await;
        drop(client);
        assert_eq!(text(&mut provider.socket).await, r#"{"type":"response.cancel"}"#);
        let started = Instant::now();
        if reports {
            say(&mut provider.socket, &done).await.unwrap();
        }
        assert_eq!(closed(&mut provider.socket).await, Some(1001));
        assert_elapsed(started, secs(if reports { 0 } else { 3 }));
        drop(provider);
        let record = world.records(count + 1).await.pop().unwrap();
        assert_eq!(outcome(&record), (Outcome::Cancelled, Outcome::Cancelled, None));
        let used = if reports { (300, 30) } else { (100, 10) };
        assert_eq!((record.usage.input, record.usage.output), used);
        let cost = reports.then_some(300 * 2500 + 30 * 10_000);
        assert_eq!(record.cost.map(|cost| cost.total().nanos()), cost, "unknown rather than too little");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_off_is_told_and_what_it_used_is_kept() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    answers(&mut provider, &mut client, &usage(100, 0, 10)).await;
    drop(provider);
    assert_eq!(closed(&mut client).await, Some(1011));
    drop(client);
    let record = world.record().await;
    assert_eq!(outcome(&record), (Outcome::Reset, Outcome::Reset, Some(ErrorCode::StreamInterrupted)));
    assert_eq!((record.usage.input, record.status), (100, 101));

    // A provider's own end is passed on, and means what its code says.
    for (number, (code, expected)) in [
        (1000_u16, Outcome::Success),
        (1001, Outcome::Success),
        (1013, Outcome::UpstreamFault),
        (4000, Outcome::UpstreamFault),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
        let frame = CloseFrame { code: CloseCode::from(code), reason: "enough".into() };
        provider.socket.close(Some(frame.clone())).await.unwrap();
        assert_eq!(hear(&mut client).await.unwrap().unwrap(), Message::Close(Some(frame)));
        assert_eq!(closed(&mut provider.socket).await, Some(code));
        drop((client, provider));
        assert_eq!(world.records(number + 2).await.pop().unwrap().outcome, expected, "{code}");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn silence_and_length_have_limits() {
    let world =
        start(&format!("{TWO}server: {{ realtime_idle_timeout: 60s, max_realtime_session: 200s }}\n"));
    let mut alpha = world.net.listen("alpha.test:80");
    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    let started = Instant::now();
    for _ in 0..3 {
        sleep(secs(10)).await;
        // Pings keep the connection, not the session.
        futures_util::SinkExt::send(&mut client, Message::Ping(Bytes::new())).await.unwrap();
        hear(&mut provider.socket).await.unwrap().unwrap();
    }
    let (first, second) = tokio::join!(closed(&mut client), closed(&mut provider.socket));
    assert_eq!((first, second), (Some(1001), Some(1001)));
    assert_elapsed(started, secs(60));
    drop((client, provider));
    assert_eq!(world.record().await.outcome, Outcome::Success);

    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    let started = Instant::now();
    let talk = async {
        loop {
            sleep(secs(7)).await;
            say(&mut provider.socket, &json!({"type": "x"})).await.unwrap();
        }
    };
    tokio::select! {
        code = closed(&mut client) => assert_eq!(code, Some(1001)),
        () = talk => {}
    }
    assert_elapsed(started, secs(200));
    drop((client, provider));
    assert_eq!(world.records(2).await.len(), 2);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_sessions_talk_on_and_then_says_goodbye() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    world.drain.start();
    let started = Instant::now();
    answers(&mut provider, &mut client, &usage(1, 0, 1)).await;
    let (first, second) = tokio::join!(closed(&mut client), closed(&mut provider.socket));
    assert_eq!((first, second), (Some(1001), Some(1001)));
    // Of 30 seconds, the last six are for the goodbye.
    assert_elapsed(started, secs(24));
    timeout(secs(6), world.gateway.finish()).await.unwrap();
    world.server.await.unwrap();
    let world = world.sink;
    assert!(world.wait_for(1).await[0].outcome == Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn a_reload_disturbs_no_session() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    world.reload("providers: { beta: { base_url: 'http://beta.test/v1', models: [m] } }");
    answers(&mut provider, &mut client, &usage(1, 0, 1)).await;
    close(client, &mut provider).await;
    assert_eq!(refused(&world, PATH, &[]).await.0, 404);
    let record = world.records(1).await.remove(0);
    assert_eq!((&*record.attempts[0].provider, record.usage.input), ("alpha", 1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_slows_its_sender_down_and_loses_nothing() {
    let world = start(TWO);
    let mut alpha = world.net.listen("alpha.test:80");
    let (mut client, mut provider) = open(&world, &mut alpha, PATH, &[]).await;
    let message = |number: usize| format!("{number:06}{}", "ä".repeat(100_000));
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = sent.clone();
    let sending = tokio::spawn(async move {
        for number in 0..40 {
            futures_util::SinkExt::send(&mut provider.socket, Message::text(message(number))).await.unwrap();
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        provider
    });
    sleep(secs(1)).await;
    assert!(sent.load(std::sync::atomic::Ordering::SeqCst) < 3, "nothing piles up in between");
    for number in 0..40 {
        assert_eq!(text(&mut client).await, message(number));
    }
    let mut provider = sending.await.unwrap();
    // The other way, and as long as a message may be.
    let longest = "x".repeat(15 * 1024 * 1024);
    let (said, heard) = tokio::join!(
        futures_util::SinkExt::send(&mut client, Message::text(longest.clone())),
        text(&mut provider.socket)
    );
    said.unwrap();
    assert!(heard == longest);
    close(client, &mut provider).await;
    assert_eq!(world.record().await.outcome, Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn the_simulated_provider_has_no_sessions() {
    let world = start("providers: { pretend: { kind: simulated, models: [m] } }");
    let (status, body) = refused(&world, "/v1/realtime?model=pretend/m", &[]).await;
    assert_eq!((status, body["error"]["code"].as_str()), (400, Some("unsupported_operation")), "{body}");
}
