//! Starting, watching and ending real programs.

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Running {
    start("/bin/sh", ["-c", script], &[("MARK", "x1")]).unwrap()
}

#[test]
fn finds_a_line_and_stops_on_sigterm() {
    let mut running = shell("trap 'echo bye; exit 3' TERM; echo port=77; while :; do sleep 0.01; done");
    let port = running.wait_for_line(LIMIT, |line| line.strip_prefix("port=")?.parse::<u16>().ok()).unwrap();
    assert_eq!(port, 77);
    assert_eq!(running.stop(LIMIT).unwrap().code(), Some(3));
    running.wait_for_line(LIMIT, |line| (line == "bye").then_some(())).unwrap();
}

#[test]
fn says_what_was_printed_when_the_program_ends_first() {
    let running = shell("echo $MARK; echo oops >&2");
    let error = running.wait_for_line(LIMIT, |_| None::<()>).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("oops") && error.to_string().contains("x1"), "{error}");
}

#[test]
fn does_not_hand_down_the_environment() {
    // Cargo sets this one for every test it runs.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let running = shell("echo [$CARGO_MANIFEST_DIR]");
    running.wait_for_line(LIMIT, |line| (line == "[]").then_some(())).unwrap();
}

#[test]
fn is_killed_on_drop() {
    let running = shell("echo up; exec sleep 600");
    running.wait_for_line(LIMIT, |line| (line == "up").then_some(())).unwrap();
    let path = format!("/proc/{}", running.id());
    drop(running);
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn waits_for_http() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let serving = thread::spawn(move || {
        // Not ready for the first look, ready for the second.
        for status in ["503 No", "200 OK"] {
            let (mut stream, _) = server.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            assert_eq!(head[0], "GET /readyz HTTP/1.1");
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    shell("exec sleep 600").wait_for_http(address, "/readyz", LIMIT).unwrap();
    serving.join().unwrap();
}

#[test]
fn free_ports_can_be_bound() {
    TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
}
