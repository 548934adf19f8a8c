//! The network edge of the real binary: encrypted listeners under Node's own HTTP/1.1 and HTTP/2 clients
//! (OpenSSL), certificates that change, and upstreams behind a proxy with an authority of their own.

#![cfg(test)]

mod acme;
mod certs;
mod http2;
mod proxy;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pointsman_testkit::process::{self, Running};
use tempfile::TempDir;

use self::certs::Authority;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge/client.mjs");

/// Pointsman with this configuration; `{dir}` in it is the folder.
fn start(folder: &TempDir, yaml: &str) -> (SocketAddr, Running) {
    let dir = folder.path();
    let port = || SocketAddr::from(([127, 0, 0, 1], process::free_port().unwrap()));
    let (address, admin) = (port(), port());
    let yaml = yaml.replace("{dir}", &dir.display().to_string());
    let text = format!(
        "discovery: {{ env: false, engines: false }}\ndata: {{ dir: {}/data }}\n\
         server:\n  listen: '{address}'\n  admin: '{admin}'\n{yaml}",
        dir.display(),
    );
    fs::write(dir.join("pointsman.yaml"), text).unwrap();
    let config = dir.join("pointsman.yaml");
    let binary = env!("CARGO_BIN_EXE_pointsman");
    let running = process::start(binary, ["serve", "--config", config.to_str().unwrap()], &[]).unwrap();
    running.wait_for_line(PATIENCE, |line| line.contains("admin    http").then_some(())).unwrap();
    (address, running)
}

/// Runs Node's client; what it printed.
fn client(mode: &str, address: SocketAddr, dir: &Path) -> String {
    let output = Command::new("node")
        .args([CLIENT, mode, &address.port().to_string(), dir.to_str().unwrap()])
        .output()
        .expect("node is a prerequisite");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{mode}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

const TLS: &str = "  tls: { cert: '{dir}/cert.pem', key: '{dir}/key.pem' }\n";

#[test]
fn node_speaks_both_versions_over_tls_and_a_renewal_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.sign("cert.pem", "key.pem", "localhost");
    authority.sign("next.pem", "next.key", "localhost");
    let (address, mut running) = start(&folder, TLS);
    let said = client("versions", address, folder.path());
    assert_eq!(said.trim(), "http/1.1 200, h2 200, none 200, h2-refuses-strangers true");
    // A session that stays open while the pair is renewed, and then spoilt.
    assert_eq!(client("renewal", address, folder.path()).trim(), "renewed, same session 200");
    fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    running.wait_for_line(PATIENCE, |line| line.contains("holds no private key").then_some(())).unwrap();
    assert_eq!(
        client("versions", address, folder.path()).trim(),
        said.trim(),
        "the old pair is still served"
    );
    assert!(running.output().contains("https://127.0.0.1"), "the banner tells the right address");
    running.stop(PATIENCE).unwrap();
}

#[test]
fn without_a_client_certificate_nobody_gets_in_where_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.sign("cert.pem", "key.pem", "localhost");
    authority.sign("client.pem", "client.key", "client.test");
    let tls = TLS.replace(" }", ", client_ca: '{dir}/ca.pem' }");
    let (address, _running) = start(&folder, &tls);
    assert_eq!(client("mutual", address, folder.path()).trim(), "with 200, without refused");
}

#[test]
fn draining_ends_open_http2_sessions() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new(folder.path()).sign("cert.pem", "key.pem", "localhost");
    let (address, mut running) = start(&folder, TLS);
    let node = process::start(
        "node",
        [CLIENT, "stay", &address.port().to_string(), folder.path().to_str().unwrap()],
        &[],
    )
    .unwrap();
    node.wait_for_line(PATIENCE, |line| line.contains("200").then_some(())).unwrap();
    let status = running.stop(Duration::from_secs(20)).unwrap();
    assert!(status.success(), "{}", running.output());
    node.wait_for_line(PATIENCE, |line| line.contains("goodbye").then_some(())).unwrap();
}

#[test]
fn plain_http2_only_where_configured() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _running) = start(&folder, "  http2: always\n");
    assert_eq!(client("prior-knowledge", address, folder.path()).trim(), "h2c 200, http/1.1 200");
    let folder = tempfile::tempdir().unwrap();
    let (address, _running) = start(&folder, "");
    assert_eq!(client("prior-knowledge", address, folder.path()).trim(), "h2c failed, http/1.1 200");
}

#[test]
fn an_upstream_behind_a_proxy_with_an_authority_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.sign("cert.pem", "key.pem", "upstream.test");
    let upstream = process::start("node", [CLIENT, "upstream", "0", folder.path().to_str().unwrap()], &[]);
    let upstream = upstream.unwrap();
    let port: u16 =
        upstream.wait_for_line(PATIENCE, |line| line.strip_prefix("listening ")?.parse().ok()).unwrap();
    let proxy = proxy::start(port);
    let provider = "    base_url: https://upstream.test/v1\n    local: true\n    models: [m]\n";
    let yaml = format!(
        "upstreams: {{ proxy: 'http://{}' }}\nproviders:\n  trusted:\n{provider}    ca: {{ file: '{{dir}}/ca.pem' }}\n  \
         untrusted:\n{provider}  direct:\n{provider}    proxy: none\n",
        proxy.address,
    );
    let (address, running) = start(&folder, &yaml);
    let answer = chat(address, "trusted/m");
    assert!(answer.contains("HTTP/1.1 200") && answer.contains("from behind the proxy"), "{answer}");
    assert_eq!(proxy.asked(), ["CONNECT upstream.test:443 HTTP/1.1"]);
    let answer = chat(address, "untrusted/m");
    assert!(answer.contains("HTTP/1.1 502") && answer.contains("the TLS handshake failed"), "{answer}");
    let answer = chat(address, "direct/m");
    assert!(answer.contains("HTTP/1.1 502") && answer.contains("host name is not known"), "{answer}");
    drop(running);
}

#[test]
fn exporters_take_the_same_way_out_and_trust_the_same_authorities() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new(folder.path()).sign("cert.pem", "key.pem", "collector.test");
    let collector = process::start("node", [CLIENT, "upstream", "0", folder.path().to_str().unwrap()], &[]);
    let collector = collector.unwrap();
    let port: u16 =
        collector.wait_for_line(PATIENCE, |line| line.strip_prefix("listening ")?.parse().ok()).unwrap();
    let proxy = proxy::start(port);
    let exporter = "exporters:\n  out: { kind: webhook, endpoint: 'https://collector.test/hook' }\n";
    // Nobody vouches for it: the record does not leave.
    let yaml = format!("upstreams: {{ proxy: 'http://{}' }}\n{exporter}", proxy.address);
    let (address, stranger) = start(&folder, &yaml);
    assert!(chat(address, "sim/m").contains("HTTP/1.1 200"));
    let refused =
        |line: &str| (line.contains("not delivered") && line.contains("UnknownIssuer")).then_some(());
    stranger.wait_for_line(PATIENCE, refused).unwrap();
    drop(stranger);
    assert!(!collector.output().contains("POST"), "{}", collector.output());

    let ca = "upstreams: { ca: { file: '{dir}/ca.pem' }, ";
    let (address, running) = start(&folder, &yaml.replace("upstreams: { ", ca));
    assert!(chat(address, "sim/m").contains("HTTP/1.1 200"));
    collector.wait_for_line(PATIENCE, |line| (line == "POST /hook").then_some(())).unwrap();
    drop(running);
    let asked = proxy.asked();
    assert!(
        asked.len() >= 2 && asked.iter().all(|line| line == "CONNECT collector.test:443 HTTP/1.1"),
        "{asked:?}"
    );
}

/// One chat request on a connection of its own; head and body of the answer.
fn chat(address: SocketAddr, model: &str) -> String {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
