//! Limits by rows, age and bytes, and what they do to the file.

use std::time::Duration;

use pointsman_core::RequestRecord;
use pointsman_core::store::RecordSink;

use super::*;
use crate::conformance::record;
use crate::{SqliteSink, StoreOptions};

const TABLES: [&str; 2] = ["requests", "attempts"];

struct Store {
    _folder: tempfile::TempDir,
    sink: SqliteSink,
    conn: Connection,
}

impl Store {
    fn new(retention: Retention) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let sink = SqliteSink::open(&path, StoreOptions { retention, ..StoreOptions::default() }).unwrap();
        Self { sink, conn: Connection::open(path).unwrap(), _folder: folder }
    }

    fn write(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let batch: Vec<Box<RequestRecord>> = numbers.into_iter().map(|n| Box::new(record(n))).collect();
        self.sink.write(&batch).unwrap();
    }

    fn number(&self, sql: &str) -> u64 {
        self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
    }

    fn rows(&self) -> [u64; 3] {
        let [requests, attempts] = TABLES.map(|table| self.number(&format!("SELECT count(*) FROM {table}")));
        [requests, attempts, self.number("SELECT rows FROM totals")]
    }
}

#[test]
fn rows_beyond_the_limit_go_oldest_first() {
    let mut store = Store::new(Retention { max_rows: Some(100), ..Retention::UNLIMITED });
    for start in (1..=1_000).step_by(50) {
        store.write(start..start + 50);
        assert!(store.rows()[0] <= 100);
    }
    assert_eq!(store.rows(), [100; 3]);
    assert_eq!(store.number("SELECT min(id) FROM requests"), record(901).id.as_i64() as u64);
}

#[test]
fn rows_beyond_the_age_go() {
    // Records are a minute apart.
    let mut store =
        Store::new(Retention { max_age: Some(Duration::from_secs(60 * 60)), ..Retention::UNLIMITED });
    store.write(1..=60);
    assert_eq!(store.rows(), [60; 3]);
    store.write([90]);
    assert_eq!(store.rows(), [32; 3]);
    store.write([1_000]);
    assert_eq!(store.rows(), [1; 3]);
}

#[test]
fn a_lowered_limit_is_reached_in_steps() {
    let mut store = Store::new(Retention::UNLIMITED);
    store.write(1..=STEP * 2 + 1_000);
    store.sink.set_retention(Retention { max_rows: Some(10), ..Retention::UNLIMITED });
    for (n, left) in [(1, STEP + 1_001), (2, 1_002), (3, 10)] {
        store.write([STEP * 3 + n]);
        assert_eq!(store.rows(), [left; 3]);
    }
    let mut aged = Store::new(Retention::UNLIMITED);
    aged.write(1..=STEP + 500);
    aged.sink.set_retention(Retention { max_age: Some(Duration::ZERO), ..Retention::UNLIMITED });
    for (n, left) in [(1, 501), (2, 1)] {
        aged.write([STEP + 500 + n]);
        assert_eq!(aged.rows(), [left; 3]);
    }
}

#[test]
fn batches_larger_than_a_step_do_not_outrun_it() {
    let mut store = Store::new(Retention { max_rows: Some(100), ..Retention::UNLIMITED });
    for start in (1..=STEP * 6).step_by(STEP as usize * 2) {
        store.write(start..start + STEP * 2);
        assert_eq!(store.rows(), [100; 3]);
    }
}

#[test]
fn the_file_stays_within_its_bytes_and_gives_pages_back() {
    let limit = 1 << 20;
    let mut store = Store::new(Retention { max_bytes: Some(limit), ..Retention::UNLIMITED });
    let mut most = 0;
    for start in (1..40_000).step_by(1_000) {
        store.write(start..start + 1_000);
        most = most.max(store.number("PRAGMA page_count") * 4_096);
    }
    // A batch, and the free pages that are kept, come on top.
    assert!(most < 2 * limit + FREE_PAGES_KEPT * 4_096, "{most}");
    assert!(store.rows()[0] > 1_000, "{:?}", store.rows());

    let mut shrunk = Store::new(Retention::UNLIMITED);
    for start in (1..40_000).step_by(2_000) {
        shrunk.write(start..start + 2_000);
    }
    let before = shrunk.number("PRAGMA page_count");
    shrunk.sink.write(&[]).unwrap();
    shrunk.sink.set_retention(Retention { max_rows: Some(100), ..Retention::UNLIMITED });
    for n in 50_000..50_040 {
        shrunk.write([n]);
    }
    let after = shrunk.number("PRAGMA page_count");
    assert!(before > 2_000 && after < FREE_PAGES_KEPT + 100, "{before} pages, then {after}");
}
