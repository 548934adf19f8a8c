//! Tells when the configuration or its `.env` changes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Editors write in several steps: the last one must be this long ago.
const QUIET: Duration = Duration::from_millis(150);
/// A file that never rests is read all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a file cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {folder}: {source}")]
pub struct WatchError {
    folder: String,
    source: notify::Error,
}

/// A running watch. Ends, with its thread, when dropped.
#[derive(Debug)]
pub struct Watch {
    changes: Changes,
    /// Kept for its thread.
    _watcher: RecommendedWatcher,
}

/// Signals, put together into one per edit.
#[derive(Debug)]
struct Changes(mpsc::Receiver<()>);

/// Watches the file at `path` and the `.env` beside it.
///
/// # Errors
/// Where the folder does not exist or the system has no watches left.
pub fn watch(path: &Path) -> Result<Watch, WatchError> {
    watch_files([path, &path.with_file_name(".env")])
}

/// Watches all of these files.
///
/// The folder is watched, not the file: editors and orchestrators replace files by renaming, which
/// leaves a watch on the file with the old one.
///
/// # Errors
/// Where a folder does not exist or the system has no watches left.
pub fn watch_files<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Watch, WatchError> {
    let (mut folders, mut names) = (BTreeSet::new(), Vec::<OsString>::new());
    for path in paths {
        folders.insert(match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        names.extend(path.file_name().map(OsString::from));
    }
    let (sender, receiver) = mpsc::channel(1);
    let handler = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| concerns(&event, &names)) {
            // A full channel holds a signal already.
            let _ = sender.try_send(());
        }
    };
    let error = |folder: &Path, source| WatchError { folder: folder.display().to_string(), source };
    let mut watcher =
        notify::recommended_watcher(handler).map_err(|source| error(Path::new("files"), source))?;
    for folder in &folders {
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|source| error(folder, source))?;
    }
    Ok(Watch { changes: Changes(receiver), _watcher: watcher })
}

impl Watch {
    /// Resolves when something has changed and has been left alone for a moment. Safe to cancel: a
    /// change that was seen is not lost, at worst it is told again.
    pub async fn changed(&mut self) {
        if !self.changes.next().await {
            // The watcher is gone, which only happens while the process ends.
            std::future::pending::<()>().await;
        }
    }
}

impl Changes {
    /// `false`: there will be no more.
    async fn next(&mut self) -> bool {
        if self.0.recv().await.is_none() {
            return false;
        }
        let latest = Instant::now() + PATIENCE;
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            match timeout_at(quiet, self.0.recv()).await {
                Ok(Some(())) if Instant::now() < latest => {}
                Ok(_) | Err(_) => return true,
            }
        }
    }
}

/// Kubernetes swaps a folder named `..data`, to whose files the names link.
fn concerns(event: &notify::Event, names: &[OsString]) -> bool {
    let changes = !matches!(event.kind, EventKind::Access(_));
    changes
        && event
            .paths
            .iter()
            .filter_map(|path| path.file_name())
            .any(|name| names.iter().any(|known| known == name) || name == "..data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signals_of_one_edit_become_one() {
        let (sender, receiver) = mpsc::channel(1);
        let mut changes = Changes(receiver);
        let edit = tokio::spawn(async move {
            for _ in 0..5 {
                sender.send(()).await.unwrap();
                tokio::time::sleep(QUIET / 2).await;
            }
            tokio::time::sleep(QUIET * 10).await;
            sender.send(()).await.unwrap();
        });
        let start = Instant::now();
        assert!(changes.next().await);
        assert!((QUIET * 3..QUIET * 4).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert!(changes.next().await);
        edit.await.unwrap();
        assert!(!changes.next().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_never_rests_is_read_all_the_same() {
        let (sender, receiver) = mpsc::channel(1);
        let mut changes = Changes(receiver);
        let noise = tokio::spawn(async move {
            while sender.send(()).await.is_ok() {
                tokio::time::sleep(QUIET / 3).await;
            }
        });
        let start = Instant::now();
        assert!(changes.next().await);
        assert!(start.elapsed() <= PATIENCE + QUIET);
        drop(changes);
        noise.await.unwrap();
    }

    /// The kernel's own events, on real time: waits for what must come, never for a length of time.
    #[tokio::test]
    async fn writes_and_renames_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pointsman.yaml");
        std::fs::write(&path, "a: 1").unwrap();
        let mut watch = watch(&path).unwrap();
        std::fs::write(&path, "a: 2").unwrap();
        watch.changed().await;
        let other = dir.path().join("new");
        std::fs::write(&other, "a: 3").unwrap();
        std::fs::rename(&other, &path).unwrap();
        watch.changed().await;
        std::fs::write(dir.path().join(".env"), "A=1").unwrap();
        watch.changed().await;
    }
}
