//! Lines are read back by a JSON parser; files by what is in them.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use pointsman_core::record::Bodies;
use pointsman_core::{ErrorCode, Outcome, Principal};
use serde_json::Value;

use super::*;
use crate::fixture::record;

/// A writer that can be told to fail, and counts its writes.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    writes: usize,
    /// How much still goes in; `None` is endless.
    room: Option<usize>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.lock().bytes.clone()).unwrap()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.lock();
        inner.writes += 1;
        match inner.room {
            Some(0) => Err(io::Error::other("no room")),
            Some(room) => {
                let taken = room.min(bytes.len());
                inner.bytes.extend_from_slice(&bytes[..taken]);
                inner.room = Some(room - taken);
                Ok(taken)
            }
            None => {
                inner.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line_of(record: RequestRecord) -> String {
    let pipe = Pipe::default();
    AccessLog::writer(pipe.clone()).write(&[Box::new(record)]).unwrap();
    pipe.text()
}

#[test]
fn a_plain_line_is_exactly_this() {
    let expected = concat!(
        r#"{"ts":"2026-11-22T08:55:48.123456Z","request_id":"req_"#,
        "@ID",
        r#"","operation":"chat","stream":false,"requested_model":"smart","route":"smart","#,
        r#""provider":"openai","model":"gpt-4o-mini","key":"key-1","status":200,"outcome":"success","#,
        r#""attempts":1,"input_tokens":1200,"cached_input_tokens":200,"output_tokens":50,"#,
        r#""reasoning_tokens":0,"usage":"reported","cost_usd":0.000150001,"duration_us":1500000,"#,
        r#""first_token_us":900000,"overhead_us":40,"request_bytes":1024,"response_bytes":800,"#,
        r#""trace_id":"0af7651916cd43dd8448eb211c80319c"}"#,
        "\n"
    );
    let id = record().id.to_string();
    assert_eq!(line_of(record()), expected.replace("@ID", &id["req_".len()..]));
}

#[test]
fn absent_and_failed_are_told_apart() {
    let mut refused = record();
    refused.principal = Arc::new(Principal::default());
    refused.attempts.clear();
    refused.route = None;
    refused.cost = None;
    refused.status = 504;
    refused.outcome = Outcome::Timeout(pointsman_core::Phase::Total);
    refused.error = Some(ErrorCode::UpstreamTimeout);
    refused.first_token_us = None;
    refused.trace.trace_id = 0;
    refused.streamed = true;
    refused.simulated = true;
    let line: Value = serde_json::from_str(&line_of(refused)).unwrap();
    for absent in ["route", "provider", "model", "key", "first_token_us", "trace_id", "agent", "dropped"] {
        assert_eq!(line.get(absent), None, "{absent}");
    }
    assert_eq!(line["cost_usd"], Value::Null);
    assert!(line.get("cost_usd").is_some());
    assert_eq!(
        (line["outcome"].as_str(), line["error"].as_str()),
        (Some("timeout"), Some("upstream_timeout"))
    );
    assert_eq!((line["stream"].as_bool(), line["simulated"].as_bool()), (Some(true), Some(true)));
}

#[test]
fn hostile_names_stay_one_json_line() {
    let names = ["a\"b", "back\\slash", "two\nlines\r", "\u{0}\u{1f}\u{7f}", "日本語 🚀", "{\"x\":1}"];
    for name in names {
        let line = line_of(RequestRecord { requested_model: name.into(), ..record() });
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["requested_model"], name);
    }
    let long = line_of(RequestRecord { session: Some("é".repeat(10_000).into()), ..record() });
    let parsed: Value = serde_json::from_str(&long).unwrap();
    assert_eq!(parsed["session"], "é".repeat(256));
}

#[test]
fn bodies_stay_out() {
    let secret = "sk-live-of-someone";
    let bodies = Bodies { request: secret.into(), response: secret.into() };
    let line =
        line_of(RequestRecord { bodies: Some(Box::new(bodies)), tags: Some(secret.into()), ..record() });
    assert!(!line.contains(secret));
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (unix_us, expected) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
        (951_868_800_000_001, "2000-03-01T00:00:00.000001Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ] {
        let line: Value =
            serde_json::from_str(&line_of(RequestRecord { started_unix_us: unix_us, ..record() })).unwrap();
        assert_eq!(line["ts"], expected);
    }
}

#[test]
fn a_batch_is_one_write() {
    let pipe = Pipe::default();
    let mut log = AccessLog::writer(pipe.clone());
    let batch: Vec<_> = (0..1_000).map(|_| Box::new(record())).collect();
    log.write(&batch).unwrap();
    assert_eq!(pipe.lock().writes, 1);
    assert_eq!(pipe.text().lines().count(), 1_000);
    assert!(log.buffer.capacity() <= BUFFER_KEPT);
}

#[test]
fn a_line_that_broke_off_does_not_spoil_the_next() {
    let pipe = Pipe::default();
    let mut log = AccessLog::writer(pipe.clone());
    pipe.lock().room = Some(100);
    let error = log.write(&[Box::new(record())]).unwrap_err().to_string();
    assert_eq!(error, "cannot write the access log at standard output: no room");
    pipe.lock().room = None;
    log.write(&[Box::new(record())]).unwrap();
    log.write(&[Box::new(record())]).unwrap();
    let text = pipe.text();
    let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    assert_eq!((text.lines().count(), whole), (3, 2));
}

#[test]
fn rotation_goes_on_in_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let mut log = AccessLog::file(&path).unwrap();
    let mut write = || log.write(&[Box::new(record())]).unwrap();
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    write();
    write();
    let moved = folder.path().join("access.log.1");
    fs::rename(&path, &moved).unwrap();
    write();
    assert_eq!((lines(&moved), lines(&path)), (2, 1));
    fs::remove_file(&path).unwrap();
    write();
    assert_eq!(lines(&path), 1);
    // Another one has taken its place: append to that.
    fs::write(folder.path().join("new"), "{}\n").unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    write();
    assert_eq!(lines(&path), 2);
    drop(log);
    AccessLog::file(&path).unwrap().write(&[Box::new(record())]).unwrap();
    assert_eq!(lines(&path), 3);
}

#[test]
fn a_lost_folder_is_told_once_and_costs_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, moved) = (folder.path().join("logs"), folder.path().join("moved"));
    fs::create_dir(&logs).unwrap();
    let path = logs.join("access.log");
    let mut log = AccessLog::file(&path).unwrap();
    fs::rename(&logs, &moved).unwrap();
    let error = log.write(&[Box::new(record())]).unwrap_err().to_string();
    assert!(error.starts_with("cannot reopen the access log at "), "{error}");
    log.write(&[Box::new(record())]).unwrap();
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(&moved.join("access.log")), 2);
    fs::create_dir(&logs).unwrap();
    log.write(&[Box::new(record())]).unwrap();
    assert_eq!(lines(&path), 1);
}

#[test]
fn every_field_is_on_its_page() {
    let page = include_str!("../../../../docs/records.md");
    let full = RequestRecord {
        agent: Some("a".into()),
        session: Some("s".into()),
        error: Some(ErrorCode::Internal),
        simulated: true,
        dropped: Some("seed".into()),
        ..record()
    };
    let line: Value = serde_json::from_str(&line_of(full)).unwrap();
    let (_, fields) = page.split_once("## The access log").unwrap();
    for name in line.as_object().unwrap().keys() {
        assert!(fields.contains(&format!("`{name}`")), "{name}");
    }
}
