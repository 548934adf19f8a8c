//! Answers in SQLite.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pointsman_core::responses::{Chain, Kept, KeptResponse, ResponseLimits, ResponseStore};
use pointsman_core::store::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{fits, follow, oldest};
use crate::{failed, schema};

/// How long another process that has the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most answers that one call deletes because of their age: the rest goes with the next ones.
const EXPIRED_AT_ONCE: i64 = 1_000;
/// Pages that are given back to the file system after each call that deletes.
const PAGES_PER_CALL: u32 = 256;
/// Free pages that stay where more is written: a full store gives back what it takes again at once.
const SPARE_PAGES: u32 = 1_024;

const DELETE: &str = "DELETE FROM responses WHERE owner = ? AND id = ?";
const INSERT: &str = "
    INSERT INTO responses (owner, id, previous, provider, model, key, input, response, bytes, used)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const SELECT: &str = "
    SELECT previous, provider, model, key, input, response FROM responses
    WHERE owner = ? AND id = ? AND used >= ?";
const USE: &str = "UPDATE responses SET used = ? WHERE owner = ? AND id = ?";
const EXPIRE: &str = "
    DELETE FROM responses WHERE seq IN
        (SELECT seq FROM responses WHERE used < ? ORDER BY used, seq LIMIT ?)";
const OLDEST: &str = "SELECT seq, bytes FROM responses ORDER BY used, seq";

/// Kept answers, in a file.
#[derive(Debug)]
pub struct SqliteResponses {
    conn: Mutex<Connection>,
    limits: ResponseLimits,
}

impl SqliteResponses {
    /// Opens the file, creates it (mode 0600) or brings it to the newest schema.
    ///
    /// # Errors
    /// Where it cannot be opened, is no such file, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>, limits: ResponseLimits) -> Result<Self, StoreError> {
        let conn = schema::open_responses(path.as_ref(), BUSY_TIMEOUT)?;
        Ok(Self { conn: Mutex::new(conn), limits })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        &self,
        conn: &Connection,
        owner: &str,
        id: &str,
        now: u64,
    ) -> rusqlite::Result<Option<KeptResponse>> {
        let values = params![owner, id, seconds(oldest(&self.limits, now))];
        conn.prepare_cached(SELECT)?.query_row(values, |row| response(row, owner, id)).optional()
    }
}

impl ResponseStore for SqliteResponses {
    fn keep_all(&self, responses: &[KeptResponse], now: u64) -> Result<Vec<bool>, StoreError> {
        let kept = put(&mut self.lock(), &self.limits, responses, now);
        kept.map_err(failed("cannot keep an answer"))
    }

    fn get(&self, owner: &str, id: &str, now: u64) -> Result<Option<KeptResponse>, StoreError> {
        self.read(&self.lock(), owner, id, now).map_err(failed("cannot read a kept answer"))
    }

    fn chain(&self, owner: &str, id: &str, now: u64, max_bytes: u64) -> Result<Chain, StoreError> {
        let mut conn = self.lock();
        let chain = follow(id, max_bytes, |id| {
            self.read(&conn, owner, id, now).map_err(failed("cannot read a kept answer"))
        })?;
        if let Chain::Whole(chain) = &chain {
            touch(&mut conn, owner, chain, now).map_err(failed("cannot note that an answer was used"))?;
        }
        Ok(chain)
    }

    fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let conn = self.lock();
        let deleted = conn.prepare_cached(DELETE).and_then(|mut delete| delete.execute([owner, id]));
        let deleted = deleted.and_then(|deleted| give_back(&conn, 0).map(|()| deleted));
        deleted.map(|deleted| deleted > 0).map_err(failed("cannot forget an answer"))
    }
}

fn response(row: &Row<'_>, owner: &str, id: &str) -> rusqlite::Result<KeptResponse> {
    let key: Option<u32> = row.get(3)?;
    let blob = |at| row.get::<_, Option<Vec<u8>>>(at).map(|blob| Bytes::from(blob.unwrap_or_default()));
    Ok(KeptResponse {
        owner: owner.to_owned(),
        id: id.to_owned(),
        previous: row.get(0)?,
        provider: row.get(1)?,
        model: row.get(2)?,
        kept: match key {
            Some(key) => Kept::Upstream { key },
            None => Kept::Here { input: blob(4)?, response: blob(5)? },
        },
    })
}

fn put(
    conn: &mut Connection,
    limits: &ResponseLimits,
    responses: &[KeptResponse],
    now: u64,
) -> rusqlite::Result<Vec<bool>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let kept = responses.iter().map(|response| insert(&tx, limits, response, now));
    let kept = kept.collect::<rusqlite::Result<_>>()?;
    let expired = params![seconds(oldest(limits, now)), EXPIRED_AT_ONCE];
    tx.prepare_cached(EXPIRE)?.execute(expired)?;
    make_room(&tx, limits)?;
    tx.commit()?;
    give_back(conn, SPARE_PAGES)?;
    Ok(kept)
}

fn insert(
    tx: &Transaction<'_>,
    limits: &ResponseLimits,
    response: &KeptResponse,
    now: u64,
) -> rusqlite::Result<bool> {
    let KeptResponse { owner, id, previous, provider, model, kept } = response;
    let (size, fits) = (response.size(), fits(limits, response));
    let (key, input, answer) = match kept {
        Kept::Upstream { key } => (Some(key), None, None),
        Kept::Here { input, response } => (None, Some(&input[..]), Some(&response[..])),
    };
    tx.prepare_cached(DELETE)?.execute([owner, id])?;
    if fits {
        let values =
            params![owner, id, previous, provider, model, key, input, answer, seconds(size), seconds(now)];
        tx.prepare_cached(INSERT)?.execute(values)?;
    }
    Ok(fits)
}

/// Deletes what was used longest ago until the limits are kept.
fn make_room(tx: &Transaction<'_>, limits: &ResponseLimits) -> rusqlite::Result<()> {
    let (rows, bytes): (i64, i64) = tx
        .prepare_cached("SELECT rows, bytes FROM totals")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut rows, mut bytes) = (rows - seconds(limits.count), bytes - seconds(limits.bytes));
    if rows <= 0 && bytes <= 0 {
        return Ok(());
    }
    let mut surplus = Vec::new();
    let mut statement = tx.prepare_cached(OLDEST)?;
    let mut oldest = statement.query([])?;
    while let Some(row) = oldest.next()?
        && (rows > 0 || bytes > 0)
    {
        surplus.push(row.get::<_, i64>(0)?);
        rows -= 1;
        bytes -= row.get::<_, i64>(1)?;
    }
    let mut delete = tx.prepare_cached("DELETE FROM responses WHERE seq = ?")?;
    surplus.into_iter().try_for_each(|seq| delete.execute([seq]).map(drop))
}

fn touch(conn: &mut Connection, owner: &str, chain: &[KeptResponse], now: u64) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut update = tx.prepare_cached(USE)?;
        for response in chain {
            update.execute(params![seconds(now), owner, response.id])?;
        }
    }
    tx.commit()
}

/// Freed pages, back to the file system, but for `spare` that the next answers will take.
fn give_back(conn: &Connection, spare: u32) -> rusqlite::Result<()> {
    let free: u32 = conn.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
    if free <= spare {
        return Ok(());
    }
    let mut statement = conn.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_PER_CALL})"))?;
    let mut rows = statement.query([])?;
    // Each row frees one page.
    while rows.next()?.is_some() {}
    Ok(())
}

/// SQLite's integers are signed.
fn seconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::conformance::{self, here};

    #[test]
    fn it_does_what_every_store_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = 0;
        let cases = conformance::run(|limits| {
            files += 1;
            SqliteResponses::open(folder.path().join(format!("{files}.db")), limits)
        });
        assert_eq!(cases.unwrap(), conformance::CASES);
    }

    #[test]
    fn answers_outlive_the_process_and_files_of_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("responses.db");
        let limits = ResponseLimits::default();
        let kept = here("a", "resp_1", None, "x");
        SqliteResponses::open(&path, limits).unwrap().keep(&kept, 100).unwrap();
        assert_eq!(
            SqliteResponses::open(&path, limits).unwrap().get("a", "resp_1", 101).unwrap(),
            Some(kept)
        );
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = SqliteResponses::open(&path, limits).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("newer version"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_and_deleted_text_is_gone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("responses.db");
        {
            let store = SqliteResponses::open(&path, ResponseLimits::default()).unwrap();
            store.keep(&here("a", "resp_1", None, "a-secret-text"), 100).unwrap();
            assert!(store.forget("a", "resp_1").unwrap());
            let conn = store.lock();
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"a-secret-text"));
    }

    #[test]
    fn a_full_store_keeps_few_pages_free_and_gives_the_others_back() {
        let folder = tempfile::tempdir().unwrap();
        let limits = ResponseLimits { count: 2, bytes: 64 << 20, ..ResponseLimits::default() };
        let store = SqliteResponses::open(folder.path().join("r.db"), limits).unwrap();
        let free = |store: &SqliteResponses| -> u32 {
            store.lock().query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap()
        };
        // Each takes two megabytes, five hundred pages.
        let long = "x".repeat(2 << 20);
        for number in 0..6 {
            store.keep(&here("a", &format!("resp_{number}"), None, &long), number).unwrap();
        }
        assert!(free(&store) <= 2 * SPARE_PAGES, "{}", free(&store));
        let small: Vec<_> = (10..40).map(|at| here("a", &format!("resp_{at}"), None, "x")).collect();
        small.iter().for_each(|response| assert!(store.keep(response, 50).unwrap()));
        assert!(free(&store) <= SPARE_PAGES, "{}", free(&store));
        (0..60).for_each(|_| assert!(!store.forget("a", "nobody").unwrap()));
        assert_eq!(free(&store), 0, "what was deleted on purpose leaves nothing");
    }

    #[test]
    fn totals_are_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let limits = ResponseLimits { count: 3, ..ResponseLimits::default() };
        let store = SqliteResponses::open(folder.path().join("r.db"), limits).unwrap();
        for number in 0..10 {
            // Some replace others.
            store.keep(&here("a", &format!("resp_{}", number % 7), None, "some text"), number).unwrap();
        }
        store.forget("a", "resp_2").unwrap();
        let conn = store.lock();
        let totals = |sql: &str| -> (i64, i64) {
            conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        let counted = totals("SELECT count(*), sum(bytes) FROM responses");
        assert_eq!(totals("SELECT rows, bytes FROM totals"), counted);
        assert_eq!(counted.0, 2);
    }
}
