//! A provider that speaks HTTP/2: Node's own server, which says goodbye to each session at its fourth request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use pointsman_testkit::process::{self, Running};
use tempfile::TempDir;

use crate::certs::Authority;
use crate::{CLIENT, PATIENCE, chat, start};

fn provider(folder: &TempDir) -> (u16, Running) {
    Authority::new(folder.path()).sign("cert.pem", "key.pem", "localhost");
    let node = process::start("node", [CLIENT, "provider", "0", folder.path().to_str().unwrap()], &[]);
    let node = node.unwrap();
    let port = node.wait_for_line(PATIENCE, |line| line.strip_prefix("listening ")?.parse().ok()).unwrap();
    (port, node)
}

fn pointsman(folder: &TempDir, port: u16) -> (SocketAddr, Running) {
    let yaml = format!(
        "upstreams: {{ ca: {{ file: '{{dir}}/ca.pem' }} }}\nproviders:\n  \
         new: {{ base_url: 'https://localhost:{port}/v1', models: [m] }}\n  \
         old: {{ base_url: 'https://localhost:{port}/v1', models: [m], http2: never }}\n"
    );
    start(folder, &yaml)
}

#[test]
fn a_provider_is_called_with_http2_and_its_goodbyes_cost_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let (port, node) = provider(&folder);
    let (address, mut running) = pointsman(&folder, port);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                for _ in 0..10 {
                    let answer = chat(address, "new/m");
                    assert!(answer.contains("HTTP/1.1 200") && answer.contains("over 2.0"), "{answer}");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let sessions = node.output().lines().filter(|line| *line == "session").count();
    assert!((10..=20).contains(&sessions), "{sessions} sessions for 40 requests");
    let answer = chat(address, "old/m");
    assert!(answer.contains("over 1.1"), "{answer}");
    assert!(running.stop(PATIENCE).unwrap().success());
}

#[test]
fn a_client_that_hangs_up_makes_the_provider_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (port, node) = provider(&folder);
    let (address, _running) = pointsman(&folder, port);
    let body = r#"{"model":"new/m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    )
    .unwrap();
    let mut begun = Vec::new();
    while !String::from_utf8_lossy(&begun).contains("over 2.0") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&begun));
        begun.extend(&piece[..read]);
    }
    drop(stream);
    let code = node.wait_for_line(PATIENCE, |line| line.strip_prefix("given up: ").map(str::to_owned));
    assert_eq!(code.unwrap(), "8", "CANCEL");
}
