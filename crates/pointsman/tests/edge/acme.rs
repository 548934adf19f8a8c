//! Certificates from an authority, and the control plane's own: the real binary against a strict directory
//! on a socket, and Node as a client.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

use pointsman_core::Clock;
use pointsman_testkit::acme::{Dial, Directory, Faults};
use pointsman_transport::BoxedIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::certs::Authority;
use super::{PATIENCE, client, start};

/// A directory on a port of its own, served until it is dropped.
struct Served {
    directory: Arc<Directory>,
    /// Where the domain leads; the directory waits until that is known.
    domain: watch::Sender<Option<SocketAddr>>,
    _runtime: Runtime,
}

fn serve() -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let domain = watch::Sender::new(None::<SocketAddr>);
    let known = domain.subscribe();
    let dial: Dial = Arc::new(move |_| {
        let mut known = known.clone();
        Box::pin(async move {
            let address = known.wait_for(Option::is_some).await.ok().and_then(|address| *address);
            let stream = TcpStream::connect(address.ok_or(std::io::ErrorKind::NotFound)?).await?;
            Ok(Box::new(stream) as BoxedIo)
        })
    });
    let directory = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let directory = Directory::new(&base, Clock::system(), dial).unwrap();
        let serving = directory.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(Box::new(stream)));
            }
        });
        directory
    });
    Served { directory, domain, _runtime: runtime }
}

fn yaml(directory: &Directory) -> String {
    format!(
        "  tls:\n    acme:\n      domains: localhost\n      email: ops@localhost.test\n      agree_to_terms: true\n      \
         directory: {}\n      ca: {{ file: '{{dir}}/directory.pem' }}\n",
        directory.url(),
    )
}

#[test]
fn a_certificate_is_obtained_while_the_server_runs_and_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve();
    fs::write(folder.path().join("directory.pem"), served.directory.https_authority()).unwrap();
    fs::write(folder.path().join("ca.pem"), served.directory.issuing_authority()).unwrap();
    let (address, mut running) = start(&folder, &yaml(&served.directory));
    assert!(
        running.output().contains(&format!("https://localhost:{}/v1", address.port())),
        "{}",
        running.output()
    );
    running
        .wait_for_line(PATIENCE, |line| line.contains("there is no certificate yet").then_some(()))
        .unwrap();
    served.domain.send_replace(Some(address));
    running.wait_for_line(PATIENCE, |line| line.contains("get the new certificate").then_some(())).unwrap();
    let all = "http/1.1 200, h2 200, none 200, h2-refuses-strangers true";
    assert_eq!(client("versions", address, folder.path()).trim(), all);
    let log = ["account", "order localhost", "valid localhost", "issued localhost"];
    assert_eq!(served.directory.log(), log);
    for file in fs::read_dir(folder.path().join("data/acme")).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "keys are for one user");
    }
    running.stop(PATIENCE).unwrap();

    let (address, mut running) = start(&folder, &yaml(&served.directory));
    running.wait_for_line(PATIENCE, |line| line.contains("in the cache is served").then_some(())).unwrap();
    assert_eq!(client("versions", address, folder.path()).trim(), all);
    running.stop(PATIENCE).unwrap();
    assert_eq!(served.directory.log(), log);
}

#[test]
fn a_directory_that_refuses_keeps_nobody_from_starting_or_ending() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve();
    let refuse_orders = Some(("rejectedIdentifier", "localhost is not public", None));
    served.directory.break_down(Faults { refuse_orders, ..Faults::default() });
    fs::write(folder.path().join("directory.pem"), served.directory.https_authority()).unwrap();
    let (_, mut running) = start(&folder, &yaml(&served.directory));
    let line = running.wait_for_line(PATIENCE, |line| {
        line.contains("no certificate: connections").then(|| line.to_owned())
    });
    let line = line.unwrap();
    for wanted in [
        "ERROR",
        "localhost is not public (rejectedIdentifier)",
        "correct `server.tls.acme.domains`",
        "retry_s",
    ] {
        assert!(line.contains(wanted), "{wanted}: {line}");
    }
    // Operators see it where they look, and an alert has something to watch.
    let banner = |line: &str| line.split_once("admin    http://")?.1.split_once(' ')?.0.parse().ok();
    let admin = running.wait_for_line(PATIENCE, banner).unwrap();
    let status = ask(admin, "/admin/v1/status", &folder);
    assert!(status.contains("localhost is not public (rejectedIdentifier); hint: correct"), "{status}");
    let metrics = ask(admin, "/metrics", &folder);
    let none = "pointsman_certificate_expiry_timestamp_seconds{listener=\"api\"} 0\n";
    assert!(metrics.contains(none), "{metrics}");
    assert!(running.stop(PATIENCE).unwrap().success());
}

/// What the plain control plane answers.
fn ask(admin: SocketAddr, path: &str, folder: &TempDir) -> String {
    let token = fs::read_to_string(folder.path().join("data/admin.token")).unwrap();
    let mut stream = std::net::TcpStream::connect(admin).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n");
    write!(stream, "{head}authorization: Bearer {}\r\n\r\n", token.trim()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_control_plane_is_encrypted_and_asks_for_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.sign("cert.pem", "key.pem", "localhost");
    authority.sign("client.pem", "client.key", "scraper.test");
    let tls = "  admin_tls: { cert: '{dir}/cert.pem', key: '{dir}/key.pem', client_ca: '{dir}/ca.pem' }\n";
    let (address, mut running) = start(&folder, tls);
    let admin = running.wait_for_line(PATIENCE, |line| {
        line.split_once("admin    https://")?.1.split_once(' ')?.0.parse::<SocketAddr>().ok()
    });
    let admin = admin.unwrap();
    let health = || {
        let config = folder.path().join("pointsman.yaml");
        let asked = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["health", "--config", config.to_str().unwrap()])
            .output()
            .unwrap();
        String::from_utf8_lossy(&asked.stdout).into_owned() + &String::from_utf8_lossy(&asked.stderr)
    };
    assert_eq!(client("mutual", admin, folder.path()).trim(), "with 401, without refused");
    assert_eq!(health(), "ready\n");
    authority.sign("cert.new", "key.new", "localhost");
    for name in ["key", "cert"] {
        fs::rename(folder.path().join(format!("{name}.new")), folder.path().join(format!("{name}.pem")))
            .unwrap();
    }
    running.wait_for_line(PATIENCE, |line| line.contains("listener=\"admin\"").then_some(())).unwrap();
    assert_eq!(client("mutual", admin, folder.path()).trim(), "with 401, without refused");
    assert_eq!(health(), "ready\n");
    // The API stays as it is.
    assert!(super::chat(address, "sim/hello").contains("HTTP/1.1 200"));
    running.stop(PATIENCE).unwrap();
}
