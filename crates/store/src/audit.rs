//! The audit trail in a file of its own: it is kept for good, whatever becomes of request records.

use std::path::Path;
use std::time::Duration;

use pointsman_core::store::{AuditEntry, AuditTrail, Change, ChangeState, StoreError};
use rusqlite::{Connection, Row, params};

use crate::{failed, schema};

/// Only another process could hold the file, and only for one small transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const INSERT: &str = "
    INSERT INTO changes (at_us, actor, address, action, target, before_hash, after_hash, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const FINISH: &str = "UPDATE changes SET state = ?2, detail = ?3 WHERE id = ?1";
const LIST: &str = "
    SELECT id, at_us, actor, address, action, target, before_hash, after_hash, state, detail
    FROM changes WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

/// The audit trail in SQLite.
#[derive(Debug)]
pub struct SqliteAudit {
    conn: Connection,
}

impl SqliteAudit {
    /// Opens the file or creates it (mode 0600).
    ///
    /// # Errors
    /// Where the file cannot be opened, is not a database, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self { conn: schema::open_audit(path.as_ref(), BUSY_TIMEOUT)? })
    }
}

impl AuditTrail for SqliteAudit {
    fn begin(&mut self, change: &Change) -> Result<i64, StoreError> {
        let Change { at_unix_us, actor, address, action, target, before, after } = change;
        let begun = ChangeState::Begun.as_str();
        let values = params![at_unix_us, actor, address, action, target, before, after, begun];
        let inserted = self.conn.prepare_cached(INSERT).and_then(|mut insert| insert.insert(values));
        inserted.map_err(failed("cannot write the audit trail"))
    }

    fn finish(&mut self, id: i64, state: ChangeState, detail: Option<&str>) -> Result<(), StoreError> {
        let values = params![id, state.as_str(), detail];
        let updated = self.conn.prepare_cached(FINISH).and_then(|mut update| update.execute(values));
        updated.map(drop).map_err(failed("cannot write the audit trail"))
    }

    fn list(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        entries(&self.conn, before, limit).map_err(failed("cannot read the audit trail"))
    }
}

fn entries(conn: &Connection, before: Option<i64>, limit: u32) -> rusqlite::Result<Vec<AuditEntry>> {
    let values = params![before.unwrap_or(i64::MAX), limit];
    conn.prepare_cached(LIST)?.query_map(values, entry)?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        change: Change {
            at_unix_us: row.get(1)?,
            actor: row.get(2)?,
            address: row.get(3)?,
            action: row.get(4)?,
            target: row.get(5)?,
            before: row.get(6)?,
            after: row.get(7)?,
        },
        state: row.get(8)?,
        detail: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: i64) -> Change {
        Change {
            at_unix_us: n,
            actor: "admin".into(),
            address: (n > 1).then(|| "127.0.0.1:9".into()),
            action: "config.apply".into(),
            target: None,
            before: Some("aa".into()),
            after: Some("bb".into()),
        }
    }

    #[test]
    fn changes_are_kept_in_order_with_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let mut trail = SqliteAudit::open(&path).unwrap();
        assert_eq!(trail.list(None, 10).unwrap(), []);
        for n in 1..=3 {
            assert_eq!(trail.begin(&change(n)).unwrap(), n);
        }
        trail.finish(1, ChangeState::Done, None).unwrap();
        trail.finish(2, ChangeState::Failed, Some("no room")).unwrap();
        drop(trail);
        let mut trail = SqliteAudit::open(&path).unwrap();
        let all = trail.list(None, 10).unwrap();
        let told: Vec<_> = all.iter().map(|e| (e.id, &*e.state, e.detail.as_deref())).collect();
        assert_eq!(told, [(3, "begun", None), (2, "failed", Some("no room")), (1, "done", None)]);
        assert_eq!(all[0].change, change(3));
        assert_eq!(trail.list(Some(3), 1).unwrap()[0].id, 2);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        drop(SqliteAudit::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        assert!(SqliteAudit::open(&path).unwrap_err().to_string().contains("newer version"));
    }
}
