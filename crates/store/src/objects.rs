//! Who owns which object at which provider, in a small file of its own: it is written while a request
//! waits, which the file of the request records must never be.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pointsman_core::objects::{ObjectKind, ObjectOwners, OwnedObject};
use pointsman_core::store::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::failed;

/// Objects of all owners; beyond, the oldest are forgotten.
const MAX_OBJECTS: i64 = 100_000;
/// How long another process that has the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    UNIQUE (owner, kind, id)
) STRICT;";

/// The owners of objects, in SQLite.
#[derive(Debug)]
pub struct SqliteObjects {
    conn: Mutex<Connection>,
    limit: i64,
}

impl SqliteObjects {
    /// Opens the file or creates it (mode 0600).
    ///
    /// # Errors
    /// Where it cannot be opened or is no such file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let context = || format!("cannot open the owners of files and batches at {}", path.display());
        crate::schema::create_private(path).map_err(failed(context()))?;
        let conn = Connection::open(path).map_err(failed(context()))?;
        conn.pragma_update(None, "journal_mode", "WAL").map_err(failed(context()))?;
        Self::with(conn, MAX_OBJECTS).map_err(failed(context()))
    }

    /// Owners that are forgotten with the process.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let conn = Connection::open_in_memory().and_then(|conn| Self::with(conn, MAX_OBJECTS));
        conn.map_err(failed("cannot keep the owners of files and batches"))
    }

    fn with(conn: Connection, limit: i64) -> rusqlite::Result<Self> {
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.execute_batch(SCHEMA)?;
        Ok(Self { conn: Mutex::new(conn), limit })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectOwners for SqliteObjects {
    fn keep(&self, object: &OwnedObject) -> Result<(), StoreError> {
        let conn = self.lock();
        let kept = conn
            .execute(
                "INSERT INTO objects (owner, kind, id, provider) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET provider = excluded.provider",
                params![object.owner, object.kind.as_str(), object.id, object.provider],
            )
            .and_then(|_| {
                conn.execute(
                    "DELETE FROM objects WHERE seq <= (SELECT max(seq) FROM objects) - ?",
                    [self.limit],
                )
            });
        kept.map(|_| ()).map_err(failed("cannot keep the owner of an object"))
    }

    fn provider(&self, owner: &str, kind: ObjectKind, id: &str) -> Result<Option<String>, StoreError> {
        self.lock()
            .query_row(
                "SELECT provider FROM objects WHERE owner = ? AND kind = ? AND id = ?",
                params![owner, kind.as_str(), id],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed("cannot read the owner of an object"))
    }

    fn list(&self, owner: &str, kind: ObjectKind) -> Result<Vec<OwnedObject>, StoreError> {
        let conn = self.lock();
        let read = || -> rusqlite::Result<Vec<OwnedObject>> {
            conn.prepare_cached(
                "SELECT id, provider FROM objects WHERE owner = ? AND kind = ? ORDER BY seq DESC",
            )?
            .query_map(params![owner, kind.as_str()], |row| {
                Ok(OwnedObject { owner: owner.to_owned(), kind, id: row.get(0)?, provider: row.get(1)? })
            })?
            .collect()
        };
        read().map_err(failed("cannot read the objects of an owner"))
    }

    fn forget(&self, owner: &str, kind: ObjectKind, id: &str) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "DELETE FROM objects WHERE owner = ? AND kind = ? AND id = ?",
                params![owner, kind.as_str(), id],
            )
            .map(|_| ())
            .map_err(failed("cannot forget an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(owner: &str, id: &str) -> OwnedObject {
        OwnedObject { owner: owner.into(), kind: ObjectKind::File, id: id.into(), provider: "p".into() }
    }

    #[test]
    fn objects_belong_to_their_owner_and_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.sqlite3");
        {
            let store = SqliteObjects::open(&path).unwrap();
            for (owner, id) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "1")] {
                store.keep(&object(owner, id)).unwrap();
            }
        }
        let store = SqliteObjects::open(&path).unwrap();
        assert_eq!(store.list("a", ObjectKind::File).unwrap(), [object("a", "2"), object("a", "1")]);
        assert_eq!(store.list("a", ObjectKind::Batch).unwrap(), []);
        let provider = |owner: &str, id: &str| store.provider(owner, ObjectKind::File, id).unwrap();
        assert_eq!(provider("a", "1").as_deref(), Some("p"));
        assert_eq!((provider("b", "1"), provider("", "1")), (None, None));
        store.forget("b", ObjectKind::File, "1").unwrap();
        assert!(provider("a", "1").is_some());
        store.forget("a", ObjectKind::File, "1").unwrap();
        assert_eq!(provider("a", "1"), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let store = SqliteObjects::with(Connection::open_in_memory().unwrap(), 3).unwrap();
        for id in 0..10 {
            store.keep(&object("a", &id.to_string())).unwrap();
        }
        let ids: Vec<_> =
            store.list("a", ObjectKind::File).unwrap().into_iter().map(|object| object.id).collect();
        assert_eq!(ids, ["9", "8", "7"]);
    }
}
