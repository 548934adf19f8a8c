//! Hostile clients against the real binary: the table of [`pointsman_testkit::hostile`] over sockets. Every
//! input has its exact result, a friendly request passes after each, and memory comes back.

#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_testkit::hostile::{self, Case, World};
use pointsman_testkit::mock::{Answer, Mock};
use pointsman_testkit::openai::Tokens;
use pointsman_testkit::process::{self, Running};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Inputs that are played at one time: most of their time is waiting for a limit of a second or three.
const AT_ONCE: usize = 24;
/// No input may take longer, whatever the machine is doing.
const PATIENCE: Duration = Duration::from_secs(60);
/// What may be kept after the table, above what was resident before it: what an allocator holds back.
const KEPT_KIB: u64 = 32 * 1024;
/// Time for idle connections, connection tasks and the allocator to let go.
const SETTLES_WITHIN: Duration = Duration::from_secs(40);

/// A process with a world of its own.
struct Server {
    process: Running,
    address: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
}

impl Server {
    fn start(world: World, base_url: &str) -> Self {
        let [address, admin] =
            [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], process::free_port().unwrap())));
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("listen: \"{address}\", admin: \"{admin}\", ");
        let mut config = hostile::config(world, base_url, &listen);
        config += "data: { dir: data }\ndiscovery: { env: false, engines: false }\n";
        let file = folder.path().join("pointsman.yaml");
        fs::write(&file, config).unwrap();
        let args = ["serve", "--config", file.to_str().unwrap()];
        let process = process::start(env!("CARGO_BIN_EXE_pointsman"), args, &[]).unwrap();
        process.wait_for_http(address, "/livez", PATIENCE).unwrap();
        Self { process, address, admin, folder }
    }

    /// Resident memory, in KiB (proc(5)).
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn metrics(&self) -> String {
        let token = fs::read_to_string(self.folder.path().join("data/admin.token")).unwrap();
        let mut stream = BlockingStream::connect(self.admin).unwrap();
        let token = token.trim();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
            self.admin
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

/// Plays `case`; what is wrong, if anything.
async fn play(case: &Case, address: SocketAddr) -> Option<String> {
    let io = TcpStream::connect(address).await.unwrap();
    match timeout(PATIENCE, case.run(io)).await {
        Ok(Ok(replies)) => case.verdict(&replies),
        Ok(Err(error)) => Some(format!("{}: no HTTP came back: {error}", case.name)),
        Err(_) => Some(format!("{}: the connection was held for {PATIENCE:?}", case.name)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_holds_over_sockets_and_memory_comes_back() {
    let mock = Mock::new();
    mock.otherwise(|_| Answer::chat("m", "x", Tokens { input: 1, output: 1 }));
    let upstream = mock.serve_tcp().await.unwrap();
    let servers = [World::Open, World::Keyed].map(|world| {
        let base_url = upstream.base_url();
        tokio::task::block_in_place(|| Server::start(world, &base_url))
    });
    let addresses = [servers[0].address, servers[1].address];
    let friendly = Arc::new(hostile::friendly());
    for _ in 0..50 {
        for address in addresses {
            assert_eq!(play(&friendly, address).await, None);
        }
    }
    let before = [servers[0].resident(), servers[1].resident()];
    let earlier = mock.received().len();

    let cases = hostile::cases();
    let mut expected: Vec<_> = cases.iter().flat_map(|case| case.forwarded().cloned()).collect();
    expected.extend(cases.iter().flat_map(|_| friendly.forwarded().cloned()));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    let count = cases.len();
    for case in cases {
        let (room, friendly) = (room.clone(), friendly.clone());
        let address = addresses[usize::from(case.world == World::Keyed)];
        playing.spawn(async move {
            let _permit = room.acquire().await.unwrap();
            let wrong = play(&case, address).await;
            let after = play(&friendly, address).await.map(|text| format!("after {}: {text}", case.name));
            wrong.into_iter().chain(after).collect::<Vec<_>>()
        });
    }
    let wrong: Vec<String> = playing.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));

    let mut received: Vec<_> = mock.received()[earlier..].iter().map(|sent| sent.body.clone()).collect();
    received.sort();
    expected.sort();
    assert_eq!(received.len(), expected.len(), "as many requests upstream as were to be forwarded");
    assert!(received == expected, "every body upstream is one that was to be forwarded, byte for byte");

    for (server, before) in servers.iter().zip(before) {
        let settling = Instant::now();
        let kept = loop {
            let kept = server.resident().saturating_sub(before);
            let metrics = tokio::task::block_in_place(|| server.metrics());
            let at_rest = ["pointsman_requests_in_flight 0", "pointsman_request_body_bytes_in_flight 0"];
            let at_rest = at_rest.iter().all(|line| metrics.lines().any(|have| have == *line));
            if (kept <= KEPT_KIB && at_rest) || settling.elapsed() > SETTLES_WITHIN {
                assert!(at_rest, "something is still in flight:\n{metrics}");
                break kept;
            }
            sleep(Duration::from_millis(500)).await;
        };
        assert!(kept <= KEPT_KIB, "{kept} KiB more than the {before} KiB before");
        println!("note: resident {before} KiB before, {kept} KiB more after {:?}", settling.elapsed());
    }
}
