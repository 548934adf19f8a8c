//! The SQLite sink against real files: conformance, every column, failures and recovery.

use std::path::PathBuf;

use pointsman_core::store::{CostBy, RecordFilter, RecordReader};
use rusqlite::types::Value;

use super::*;
use crate::SqliteReader;
use crate::conformance::{self, record};

fn store() -> (tempfile::TempDir, PathBuf, SqliteSink) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let options =
        StoreOptions { busy_timeout: std::time::Duration::ZERO, backlog: 5, ..StoreOptions::default() };
    let sink = SqliteSink::open(&path, options).unwrap();
    (folder, path, sink)
}

fn batch(numbers: impl IntoIterator<Item = u64>) -> Box<[Box<RequestRecord>]> {
    numbers.into_iter().map(|n| Box::new(record(n))).collect()
}

fn count(path: &PathBuf) -> u64 {
    let rows = SqliteReader::open(path).unwrap().cost(CostBy::Total, None, None).unwrap();
    rows.first().map_or(0, |row| row.requests)
}

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let cases = conformance::run(|| {
        number += 1;
        let path = folder.path().join(format!("{number}.db"));
        let sink = SqliteSink::open(&path, StoreOptions::default()).unwrap();
        (sink, SqliteReader::open(&path).unwrap())
    });
    assert!(cases.unwrap() > 5);
}

#[test]
fn every_column_holds_its_own_field() {
    use pointsman_core::record::{Bodies, Joined, Joint};
    use pointsman_core::{Cost, ErrorCode, Money, Outcome, Phase, Usage, UsageSource};

    let (_folder, path, mut sink) = store();
    let usage = Usage {
        input: 11,
        cached_input: 12,
        cache_write: 13,
        output: 14,
        reasoning: 15,
        input_audio: 16,
        output_audio: 17,
        source: UsageSource::Counted,
        ..Usage::default()
    };
    let cost = Cost {
        input: Money(21),
        cached_input: Money(22),
        cache_write: Money(23),
        output: Money(24),
        reasoning: Money(25),
        other: Money(26),
    };
    let mut full = record(1);
    full.usage = usage;
    full.cost = Some(cost);
    full.streamed = true;
    full.outcome = Outcome::Timeout(Phase::Total);
    full.error = Some(ErrorCode::UpstreamTimeout);
    full.simulated = true;
    full.request_bytes = u64::MAX;
    full.bodies = Some(Box::new(Bodies { request: "ask".into(), response: "answer".into() }));
    let attempt = &mut full.attempts[0];
    attempt.outcome = Outcome::RateLimited { retry_after: Some(std::time::Duration::from_millis(2_500)) };
    attempt.usage = usage;
    attempt.cost = Some(cost);
    attempt.detail = Some("why".into());
    attempt.joint = Some(Joint { at_chars: 31, dropped_chars: 32, how: Joined::Instructed });
    sink.write(&[Box::new(full.clone())]).unwrap();

    let conn = Connection::open(&path).unwrap();
    let row = |table: &str| -> Vec<Value> {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        statement.query_row([], |row| (0..columns).map(|i| row.get(i)).collect()).unwrap()
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let int = Value::Integer;
    let tokens = (11..=17).map(int).chain([text("counted")]);
    let nanos = (21..=26).chain([141]).map(int);
    let mut expected = vec![
        int(full.id.as_i64()),
        int(full.started_unix_us),
        text("org"),
        text("project"),
        text("team"),
        text("ana"),
        text("key-1"),
        text("agent"),
        text("session"),
        Value::Blob(full.trace.trace_id.to_be_bytes().to_vec()),
        Value::Blob(vec![0xff; 8]),
        int(1),
        text("team=core,stage=test"),
        text("chat"),
        int(1),
        text("smart"),
        text("smart"),
        int(1),
    ];
    expected.extend(tokens.clone().chain(nanos.clone()));
    expected.extend([int(3), int(12), int(200), text("timeout"), text("total"), text("upstream_timeout")]);
    expected.extend([int(1_500), int(900), int(40), int(i64::MAX), int(800), int(1)]);
    expected.push(text("seed,answer.logprobs"));
    assert_eq!(row("requests"), expected);

    let mut expected = vec![int(full.id.as_i64()), int(0), text("openai"), text("gpt-4o-mini")];
    expected.extend([
        text("rate_limited"),
        Value::Null,
        int(2_500),
        int(200),
        int(20),
        int(1_200),
        int(1_450),
    ]);
    expected.extend(tokens.chain(nanos).chain([text("why"), text("instructed"), int(31), int(32)]));
    assert_eq!(row("attempts"), expected);

    let blob = |bytes: &[u8]| Value::Blob(bytes.to_vec());
    assert_eq!(row("bodies"), [int(full.id.as_i64()), blob(b"ask"), blob(b"answer")]);
}

#[test]
fn a_refused_row_costs_no_other() {
    let (_folder, path, mut sink) = store();
    // Refuses the attempt of one record, after its request row went in.
    let trigger = format!(
        "CREATE TRIGGER broken BEFORE INSERT ON attempts WHEN new.request_id = {}
         BEGIN SELECT raise(ABORT, 'this one is broken'); END",
        record(2).id.as_i64()
    );
    sink.conn.execute_batch(&trigger).unwrap();
    let error = sink.write(&batch(1..=4)).unwrap_err();
    let expected = format!("1 of 4 request records refused, {} first: this one is broken", record(2).id);
    assert_eq!(error.to_string(), expected);
    let filter = RecordFilter { limit: 10, ..RecordFilter::default() };
    let kept: Vec<_> =
        SqliteReader::open(&path).unwrap().list(&filter).unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(kept, [4, 3, 1].map(|n| record(n).id));
    let total: i64 = sink.conn.query_row("SELECT rows FROM totals", [], |row| row.get(0)).unwrap();
    assert_eq!(total, 3);
}

#[test]
fn a_locked_file_holds_records_until_it_is_free() {
    let (_folder, path, mut sink) = store();
    let stats = sink.stats();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = sink.write(&batch(1..=2)).unwrap_err().to_string();
    assert_eq!(error, "cannot write request records (2 held for the next try, 0 lost): database is locked");
    let error = sink.write(&batch(3..=8)).unwrap_err().to_string();
    assert!(error.contains("(5 held for the next try, 3 lost)"), "{error}");
    assert_eq!(count(&path), 0);
    assert_eq!(sink.tally(), Some(Tally { held: 5, failed: 3 }));
    other.execute_batch("ROLLBACK").unwrap();
    sink.write(&batch([9])).unwrap();
    assert_eq!(count(&path), 6);
    assert_eq!(sink.tally(), Some(Tally { held: 0, failed: 3 }));
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((read(&stats.written), read(&stats.held), read(&stats.lost)), (6, 0, 3));
}

#[test]
fn what_is_held_goes_in_at_shutdown() {
    let (_folder, path, mut sink) = store();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    sink.write(&batch(1..=2)).unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    drop(sink);
    assert_eq!(count(&path), 2);
}

#[test]
fn a_full_disk_is_an_error_and_then_forgotten() {
    let (_folder, path, mut sink) = store();
    sink.write(&batch(1..=1)).unwrap();
    let pages: i64 = sink.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |sink: &SqliteSink, pages: i64| {
        sink.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&sink, pages);
    sink.backlog_limit = 1_000;
    let error = sink.write(&batch(2..=500)).unwrap_err().to_string();
    assert!(error.contains("(499 held for the next try, 0 lost)") && error.contains("full"), "{error}");
    assert_eq!(count(&path), 1);
    sink.write(&[]).unwrap_err();
    assert_eq!(sink.tally(), Some(Tally { held: 499, failed: 0 }));
    limit(&sink, 1_000_000);
    // Nothing else comes.
    sink.write(&[]).unwrap();
    assert_eq!(count(&path), 500);
    assert_eq!(sink.tally(), Some(Tally::default()));
}

#[test]
fn readers_see_each_batch_while_the_sink_lives() {
    let (_folder, path, mut sink) = store();
    let mut reader = SqliteReader::open(&path).unwrap();
    let filter = RecordFilter { limit: 100, ..RecordFilter::default() };
    for n in 1..=20 {
        sink.write(&batch([n])).unwrap();
        assert_eq!(reader.list(&filter).unwrap().len() as u64, n);
    }
    drop(sink);
    assert_eq!(reader.list(&filter).unwrap().len(), 20);
    // The last writer took the log with it: a reader can still come.
    drop(reader);
    assert_eq!(count(&path), 20);
}

#[test]
fn two_servers_and_a_reader_share_a_file() {
    let (_folder, path, sink) = store();
    drop(sink);
    let path_of = &path;
    let server = |parity: u64| {
        let mut sink = SqliteSink::open(path_of, StoreOptions::default()).unwrap();
        for n in 0..50 {
            sink.write(&batch([n * 4 + parity, n * 4 + 2 + parity])).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let servers = [1, 2].map(|parity| scope.spawn(move || server(parity)));
        let mut reader = SqliteReader::open(&path).unwrap();
        let mut last = 0;
        while servers.iter().any(|server| !server.is_finished()) {
            let rows = reader.cost(CostBy::Total, None, None).unwrap();
            let now = rows.first().map_or(0, |row| row.requests);
            // Batches are seen whole.
            assert!(now >= last && now % 2 == 0, "{last} then {now}");
            last = now;
        }
    });
    assert_eq!(count(&path), 200);
}
