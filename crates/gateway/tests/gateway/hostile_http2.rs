//! Hostile upstreams that speak HTTP/2: as for HTTP/1.1, each kind of bad answer has its exact error, within
//! its time, and spoils nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pointsman_testkit::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Raw, field, head,
};
use pointsman_testkit::net::{MemoryIo, MemoryListener};
use pointsman_testkit::openai::{Tokens, chat_answer, chat_events};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::harness::*;

const ONE: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    http2: prior_knowledge
    models: [m]
    timeouts: { connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }
";
const TOKENS: Tokens = Tokens { input: 5, output: 2 };
/// No single answer may hold a request for longer than the total limit.
const LONGEST: Duration = Duration::from_secs(61);
const WHOLE: u8 = END_HEADERS | END_STREAM;

/// What the server does to a request.
#[derive(Clone)]
enum Act {
    /// Begins a whole answer, or a stream, as it was asked for.
    Open,
    /// Sends a frame: kind, flags, payload.
    Frame(u8, u8, Vec<u8>),
    /// Sends a frame again and again, with this time between, until the client has had enough.
    Forever(u8, u8, Vec<u8>, Duration),
    /// Hangs up.
    Close,
    /// Is silent, and after a second deaf as well.
    Die,
}

use Act::{Close, Die, Forever, Frame, Open};

/// What it does, how, what a plain request sees, what a streamed one sees.
type Case = (&'static str, Vec<Act>, &'static str, &'static str);

const MALFORMED: &str = "502 upstream_malformed";
const UNAVAILABLE: &str = "502 upstream_unavailable";
const TIMEOUT: &str = "504 upstream_timeout";

fn opening(content_type: &str) -> Act {
    Frame(HEADERS, END_HEADERS, head(&[field("content-type", content_type)]))
}

fn data(text: &str) -> Act {
    Frame(DATA, 0, text.as_bytes().to_vec())
}

fn reset(code: u8) -> Act {
    Frame(RST_STREAM, 0, vec![0, 0, 0, code])
}

fn cases() -> Vec<Case> {
    let many: Vec<_> = (0..129).map(|number| field(&format!("x-{number}"), "y")).collect();
    let long = head(&[field("x", &"y".repeat(12 * 1024)), field("z", &"y".repeat(60 * 1024))]);
    let mut long: Vec<_> =
        long.chunks(15 * 1024).map(|piece| Frame(CONTINUATION, 0, piece.to_vec())).collect();
    if let Some(Frame(kind, ..)) = long.first_mut() {
        *kind = HEADERS;
    }
    if let Some(Frame(_, flags, _)) = long.last_mut() {
        *flags = END_HEADERS;
    }
    let short = Frame(HEADERS, END_HEADERS, head(&[field("content-length", "9")]));
    let goodbye = Frame(GOAWAY, 0, vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let at_once = Duration::ZERO;
    let slowly = Duration::from_secs(1);
    let hint = vec![0x08, 3, b'1', b'0', b'3'];
    vec![
        ("a reset before the head", vec![reset(2)], UNAVAILABLE, UNAVAILABLE),
        ("a reset after the head", vec![Open, reset(2)], UNAVAILABLE, UNAVAILABLE),
        ("a reset in the body", vec![Open, data("{"), reset(8)], UNAVAILABLE, UNAVAILABLE),
        ("streams refused for ever", vec![reset(7)], UNAVAILABLE, UNAVAILABLE),
        ("it hangs up", vec![Close], UNAVAILABLE, UNAVAILABLE),
        ("it hangs up in the body", vec![Open, data("{"), Close], UNAVAILABLE, UNAVAILABLE),
        ("it says goodbye and hangs up", vec![goodbye, Close], UNAVAILABLE, UNAVAILABLE),
        ("a long head", long, MALFORMED, MALFORMED),
        ("129 fields", vec![Frame(HEADERS, WHOLE, head(&many))], MALFORMED, MALFORMED),
        (
            "a head without an end",
            vec![Frame(HEADERS, 0, head(&[])), Forever(CONTINUATION, 0, Vec::new(), at_once)],
            MALFORMED,
            MALFORMED,
        ),
        ("hints for ever", vec![Forever(HEADERS, END_HEADERS, hint, at_once)], MALFORMED, MALFORMED),
        ("empty frames for ever", vec![Open, Forever(DATA, 0, Vec::new(), at_once)], MALFORMED, MALFORMED),
        ("no status", vec![Frame(HEADERS, WHOLE, field("x", "y"))], MALFORMED, MALFORMED),
        (
            "a field of HTTP/1.1",
            vec![Frame(HEADERS, WHOLE, head(&[field("connection", "close")]))],
            MALFORMED,
            MALFORMED,
        ),
        ("a capital letter", vec![Frame(HEADERS, WHOLE, head(&[field("X", "y")]))], MALFORMED, MALFORMED),
        ("broken compression", vec![Frame(HEADERS, WHOLE, vec![0xff; 8])], MALFORMED, MALFORMED),
        (
            "a body that is too short",
            vec![short, Frame(DATA, END_STREAM, b"{}".to_vec())],
            MALFORMED,
            MALFORMED,
        ),
        ("a frame that is too long", vec![Open, Frame(DATA, 0, vec![b' '; 17 * 1024])], MALFORMED, MALFORMED),
        ("a promise", vec![Frame(5, END_HEADERS, vec![0, 0, 0, 2, 0x82])], MALFORMED, MALFORMED),
        (
            "a redirect",
            vec![Frame(HEADERS, WHOLE, [vec![0x08, 3, b'3', b'0', b'2'], field("location", "/x")].concat())],
            UNAVAILABLE,
            UNAVAILABLE,
        ),
        (
            "an endless answer",
            vec![Open, Forever(DATA, 0, vec![b' '; 16 * 1024], at_once)],
            MALFORMED,
            MALFORMED,
        ),
        (
            "one endless event",
            vec![Open, Forever(DATA, 0, vec![b'x'; 16 * 1024], at_once)],
            MALFORMED,
            MALFORMED,
        ),
        ("no head", vec![], TIMEOUT, TIMEOUT),
        ("no body", vec![Open], TIMEOUT, TIMEOUT),
        ("spaces for ever", vec![Open, Forever(DATA, 0, b" ".to_vec(), slowly)], TIMEOUT, TIMEOUT),
        ("comments for ever", vec![Open, Forever(DATA, 0, b": ping\n\n".to_vec(), slowly)], TIMEOUT, TIMEOUT),
        ("half dead before the head", vec![Die], TIMEOUT, TIMEOUT),
        ("half dead in the body", vec![Open, data("{"), Die], TIMEOUT, TIMEOUT),
    ]
}

/// What the server does to requests; `None`: it answers as it should.
type Script = Arc<Mutex<Option<Vec<Act>>>>;

async fn server(mut listener: MemoryListener, script: Script) {
    let mut connections = JoinSet::new();
    while let Ok(io) = listener.accept().await {
        connections.spawn(connection(io, script.clone()));
    }
}

async fn connection(io: MemoryIo, script: Script) {
    let Ok(mut raw) = Raw::open(io).await else { return };
    while let Some(stream) = raw.request().await {
        let acts = script.lock().unwrap().clone();
        match acts {
            None => raw.answer(stream, chat_answer("m", "good", TOKENS).to_string().as_bytes()).await,
            Some(acts) => {
                for act in acts {
                    if !act.play(&mut raw, stream).await {
                        return;
                    }
                }
            }
        }
    }
}

impl Act {
    /// Whether the connection goes on.
    async fn play(self, raw: &mut Raw<MemoryIo>, stream: u32) -> bool {
        match self {
            // Of a script that was not made for a request.
            Open => false,
            Frame(GOAWAY, flags, payload) => raw.send(GOAWAY, flags, 0, &payload).await,
            Frame(kind, flags, payload) => raw.send(kind, flags, stream, &payload).await,
            Forever(kind, flags, payload, pause) => loop {
                if !raw.send(kind, flags, stream, &payload).await {
                    return false;
                }
                // The client's own frames are heard all the while.
                match timeout(pause, raw.next()).await {
                    Ok(None) => return false,
                    Ok(Some(sent)) if sent.kind == RST_STREAM => return true,
                    Ok(Some(_)) | Err(_) => {}
                }
            },
            Close => false,
            Die => {
                let _ = timeout(Duration::from_secs(1), raw.next()).await;
                std::future::pending().await
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_over_http2_has_its_exact_error() {
    let world = start(ONE);
    let script = Script::default();
    let serving = tokio::spawn(server(world.net.listen("alpha.test:80"), script.clone()));
    let mut wrong = Vec::new();
    for (name, acts, plain, streaming) in cases() {
        for (request, content_type, wanted) in [
            (chat("alpha/m"), "application/json", plain),
            (streamed("alpha/m"), "text/event-stream", streaming),
        ] {
            let open = |act: &Act| if let Open = act { opening(content_type) } else { act.clone() };
            *script.lock().unwrap() = Some(acts.iter().map(open).collect());
            let started = Instant::now();
            let reply = world.send(request).await;
            let elapsed = started.elapsed();
            *script.lock().unwrap() = None;
            let normal = world.chat("alpha/m").await;
            world.assert_at_rest();
            let code = reply.error()["code"].as_str().unwrap_or_default().to_owned();
            let seen = format!("{} {code}", reply.status);
            if seen != wanted || normal.status != 200 || elapsed > LONGEST {
                wrong.push(format!(
                    "{name} ({content_type}): {seen} after {elapsed:?}, not {wanted}; then {}",
                    normal.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_or_breaks_is_said_to_have_been_interrupted() {
    for acts in [vec![reset(2)], vec![Close], vec![]] {
        let world = start(ONE);
        let mut begun = vec![opening("text/event-stream")];
        begun.extend(
            chat_events("m", &["one", "two"], None)
                .iter()
                .take(2)
                .map(|event| Frame(DATA, 0, event.to_vec())),
        );
        let script = Script::new(Mutex::new(Some([begun, acts].concat())));
        let serving = tokio::spawn(server(world.net.listen("alpha.test:80"), script.clone()));
        let started = Instant::now();
        let reply = world.send(streamed("alpha/m")).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains("stream_interrupted") && !text.contains("[DONE]"), "{text}");
        assert!(started.elapsed() <= Duration::from_secs(6), "{:?}", started.elapsed());
        world.assert_at_rest();
        serving.abort();
    }
}
