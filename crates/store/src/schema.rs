//! Opening the file and bringing it to the newest schema, counted in `PRAGMA user_version`.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use pointsman_core::store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::failed;

/// Each entry brings the schema from its index to the next version. Never edit one: append.
const MIGRATIONS: &[&str] = &[
    include_str!("sql/001_requests.sql"),
    include_str!("sql/002_dropped.sql"),
    include_str!("sql/003_joints.sql"),
];

/// The same for the audit trail's file.
const AUDIT_MIGRATIONS: &[&str] = &[include_str!("sql/audit_001.sql")];

/// The same for the file of kept answers.
const RESPONSES_MIGRATIONS: &[&str] = &[include_str!("sql/responses_001.sql")];

/// The version that this program reads and writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// Page cache in KiB. A writer that appends needs a handful of pages; retention a few more.
const CACHE_KIB: i64 = 1024;

/// A write-ahead log that a long reader let grow is cut back to this after the next checkpoint.
const WAL_LIMIT_BYTES: i64 = 8 << 20;

/// `PRAGMA auto_vacuum = INCREMENTAL`: freed pages can be given back in small steps.
const AUTO_VACUUM_INCREMENTAL: i64 = 2;

/// Opens or creates the file for writing, at the newest schema.
pub(crate) fn open_writer(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let context = || format!("cannot open the request records at {}", path.display());
    create_private(path).map_err(failed(context()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed(context()))?;
    configure(&conn, busy_timeout).map_err(failed(context()))?;
    migrate(&mut conn, path, MIGRATIONS)?;
    Ok(conn)
}

/// Opens or creates the audit trail. Every change is on the disk before it is made.
pub(crate) fn open_audit(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let context = || format!("cannot open the audit trail at {}", path.display());
    create_private(path).map_err(failed(context()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed(context()))?;
    configure(&conn, busy_timeout).map_err(failed(context()))?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed(context()))?;
    migrate(&mut conn, path, AUDIT_MIGRATIONS)?;
    Ok(conn)
}

/// Opens or creates the file of kept answers. What is deleted is overwritten.
pub(crate) fn open_responses(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let context = || format!("cannot open the kept answers at {}", path.display());
    create_private(path).map_err(failed(context()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed(context()))?;
    configure(&conn, busy_timeout).map_err(failed(context()))?;
    conn.pragma_update(None, "secure_delete", true).map_err(failed(context()))?;
    migrate(&mut conn, path, RESPONSES_MIGRATIONS)?;
    Ok(conn)
}

/// Opens the file for reading, also while a server writes it.
pub(crate) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let context = || format!("cannot read the request records at {}", path.display());
    if !path.exists() {
        return Err(refused(context(), "there are none yet: they appear with the first request"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(failed(context()))?;
    conn.busy_timeout(busy_timeout).map_err(failed(context()))?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed(context()))?;
    let version = user_version(&conn).map_err(failed(context()))?;
    match version.cmp(&VERSION) {
        std::cmp::Ordering::Equal => Ok(conn),
        std::cmp::Ordering::Less => Err(refused(
            context(),
            format!(
                "schema {version} is older than {VERSION}: start the server once, it brings it up to date"
            ),
        )),
        std::cmp::Ordering::Greater => Err(newer(context(), version)),
    }
}

fn configure(conn: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    conn.busy_timeout(busy_timeout)?;
    // Takes effect only on an empty file, before its first page is written.
    conn.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // A crash of the machine may lose the last batches, a crash of the process none.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "journal_size_limit", WAL_LIMIT_BYTES)
}

fn migrate(conn: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let newest = migrations.len();
    let context = || format!("cannot bring {} to schema {newest}", path.display());
    // Immediate, so that of two servers that start together one waits and then finds it done.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(context()))?;
    let version = user_version(&tx).map_err(failed(context()))?;
    if version > newest {
        return Err(newer(context(), version));
    }
    for sql in &migrations[version..] {
        tx.execute_batch(sql).map_err(failed(context()))?;
    }
    if version < newest {
        tx.pragma_update(None, "user_version", newest as i64).map_err(failed(context()))?;
    }
    tx.commit().map_err(failed(context()))
}

fn user_version(conn: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn newer(context: String, version: usize) -> StoreError {
    refused(context, format!("schema {version} was written by a newer version of this program"))
}

fn refused(context: String, reason: impl Into<String>) -> StoreError {
    StoreError { context, source: reason.into().into() }
}

/// Records tell who asked what: the file is for its owner. SQLite gives its side files the same mode.
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_current() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/records.db");
        let conn = open_writer(&path, Duration::ZERO).unwrap();
        assert_eq!(user_version(&conn).unwrap(), VERSION);
        for name in ["records.db", "records.db-wal"] {
            let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(pragma("auto_vacuum"), AUTO_VACUUM_INCREMENTAL);
        assert_eq!(pragma("synchronous"), 1);
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let conn = open_writer(&path, Duration::ZERO).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        for error in
            [open_writer(&path, Duration::ZERO).unwrap_err(), open_reader(&path, Duration::ZERO).unwrap_err()]
        {
            assert!(error.to_string().contains("schema 99 was written by a newer version"), "{error}");
        }
        assert_eq!(user_version(&conn).unwrap(), 99);
    }

    #[test]
    fn an_older_schema_is_migrated_by_the_writer_and_refused_by_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 0; VACUUM").unwrap();
        let error = open_reader(&path, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("start the server once"), "{error}");
        open_writer(&path, Duration::ZERO).unwrap();
        open_writer(&path, Duration::ZERO).unwrap();
        open_reader(&path, Duration::ZERO).unwrap();
    }

    #[test]
    fn what_is_not_a_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        std::fs::write(&path, "not a database, though long enough to be looked at as one".repeat(40))
            .unwrap();
        let error = open_writer(&path, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("file is not a database"), "{error}");
        let missing = open_reader(&folder.path().join("none.db"), Duration::ZERO).unwrap_err();
        assert!(missing.to_string().contains("there are none yet"), "{missing}");
    }

    #[test]
    fn every_column_is_on_its_page() {
        let page = include_str!("../../../docs/records.md");
        let folder = tempfile::tempdir().unwrap();
        let conn = open_writer(&folder.path().join("records.db"), Duration::ZERO).unwrap();
        let sql =
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'";
        let mut statement = conn.prepare(sql).unwrap();
        let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
        assert!(columns.len() > 60, "{}", columns.len());
        for (table, column) in columns {
            assert!(
                page.contains(&format!("`{table}`")) && page.contains(&format!("`{column}`")),
                "{table}.{column}"
            );
        }
    }
}
