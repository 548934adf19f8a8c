//! The mock's own doors: totals, model list, log, sizes.

use std::io::Read;
use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::*;

const POST: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
    content-length: 2\r\nconnection: close\r\n\r\n{}";

async fn exchange(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = Buffer::default();
    let head = buffer.head(&mut stream, false).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&buffer.bytes()[..head.length]).into_owned();
    buffer.consume(head.length);
    let Framing::Length(length) = head.framing else { panic!("not plain: {text}") };
    buffer.need(&mut stream, length).await.unwrap();
    (text, buffer.bytes().to_vec())
}

#[tokio::test]
async fn answers_have_the_size_asked_for_and_are_logged() {
    let mut log = tempfile::NamedTempFile::new().unwrap();
    let mock = Mock::new(Behaviour::default(), Some(log.reopen().unwrap()));
    let (listener, address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::spawn(Arc::clone(&mock).serve(listener));
    for size in [800, 4000] {
        mock.behave(Behaviour { answer_bytes: size, ..Behaviour::default() });
        let (head, body) = exchange(address, POST).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body.len(), size);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["usage"]["prompt_tokens"], totals::INPUT_TOKENS);
    }
    let (_, totals) = exchange(address, "GET /bench/totals HTTP/1.1\r\nhost: m\r\n\r\n").await;
    let totals: Value = serde_json::from_slice(&totals).unwrap();
    assert_eq!((&totals["requests"], &totals["output_tokens"]), (&2.into(), &41.into()));
    let (_, models) = exchange(address, "GET /v1/models HTTP/1.1\r\nhost: m\r\n\r\n").await;
    assert_eq!(serde_json::from_slice::<Value>(&models).unwrap()["data"][0]["id"], "bench");
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(words.len(), 2);
    assert!(words[0][0].parse::<u64>().unwrap() <= words[1][0].parse().unwrap());
    assert_eq!(words[1][1..], ["0af7651916cd43dd8448eb211c80319c", "chatcmpl-1"]);
}

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/v1beta/models/m:generateContent"];

#[tokio::test]
async fn answers_say_the_same_in_every_dialect() {
    let mock = Mock::new(Behaviour::default(), None);
    let (listener, address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::spawn(Arc::clone(&mock).serve(listener));
    let places = [
        ["/choices/0/message/content", "/usage/prompt_tokens", "/usage/completion_tokens"],
        ["/content/0/text", "/usage/input_tokens", "/usage/output_tokens"],
        [
            "/candidates/0/content/parts/0/text",
            "/usageMetadata/promptTokenCount",
            "/usageMetadata/candidatesTokenCount",
        ],
    ];
    for (number, (path, [text, input, output])) in (0..).zip(PATHS.into_iter().zip(places)) {
        let (_, body) = exchange(address, &POST.replace(PATHS[0], path)).await;
        assert_eq!(body.len(), 800);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let at = |place| body.pointer(place).unwrap_or_else(|| panic!("{place} in {body}"));
        assert!(at(text).as_str().unwrap().starts_with("The quick brown fox"));
        assert_eq!((at(input).as_u64(), at(output).as_u64()), (Some(200), Some(20 + number)));
    }
    assert_eq!(mock.totals.sums().output, 20 + 21 + 22);
}

#[tokio::test]
async fn streams_are_whole_in_every_dialect() {
    let behaviour = Behaviour { chunks: 3, interval: Duration::from_millis(1), ..Behaviour::default() };
    let mock = Mock::new(behaviour, None);
    let (listener, address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::spawn(Arc::clone(&mock).serve(listener));
    for (path, body, last, usage) in [
        (PATHS[0], r#"{"stream":true,"include_usage":true}"#, "[DONE]", r#""completion_tokens":3"#),
        (PATHS[1], r#"{"stream":true}"#, r#"{"type":"message_stop"}"#, r#""output_tokens":3"#),
        (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            "{}",
            r#""finishReason":"STOP""#,
            r#""candidatesTokenCount":3"#,
        ),
    ] {
        let events = events(address, path, body).await;
        let stamps = events.iter().filter(|event| stream::stamp(event.as_bytes()).is_some());
        assert_eq!(stamps.count(), 3, "{events:?}");
        assert!(events.last().unwrap().contains(last), "{events:?}");
        assert!(events.iter().any(|event| event.contains(usage)), "{events:?}");
        for event in events.iter().filter(|event| !event.ends_with("[DONE]")) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            serde_json::from_str::<Value>(data).unwrap();
        }
    }
    assert_eq!((mock.totals.sums().answered, mock.totals.sums().output), (3, 9));
}

async fn events(address: SocketAddr, path: &str, body: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: m\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut buffer = Buffer::default();
    let head = buffer.head(&mut stream, false).await.unwrap().unwrap();
    assert_eq!(head.framing, Framing::Chunked);
    buffer.consume(head.length);
    let mut text = String::new();
    while let Some((size, all)) = buffer.chunk(&mut stream).await.unwrap() {
        text.push_str(std::str::from_utf8(&buffer.bytes()[..size]).unwrap());
        buffer.consume(all);
    }
    text.replace("\r\n", "\n").split_terminator("\n\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_stream_that_is_broken_off_is_not_counted_as_answered() {
    let mock = Mock::new(Behaviour { interval: Duration::from_millis(1), ..Behaviour::default() }, None);
    let (listener, address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::spawn(Arc::clone(&mock).serve(listener));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = POST.replace("length: 2", "length: 15").replace("{}", "{\"stream\":true}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 64]).await.unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    while mock.totals.sums().cancelled == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((mock.totals.sums().answered, mock.totals.sums().output), (0, 0));
}
