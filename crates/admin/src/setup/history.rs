//! Versions of the configuration: one private file each in the data folder, a bounded number.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;

use super::file;
use crate::reply::Refusal;

/// The folder in the data folder.
const FOLDER: &str = "config-history";

/// Versions that are kept.
const KEPT: usize = 50;

const ENDING: &str = ".yaml";

/// How the name of a version looks: microseconds since the Unix epoch, and the begin of its SHA-256.
pub(super) const PATTERN: &str = "^[0-9]{20}-[0-9a-f]{16}$";

/// The versions on disk.
#[derive(Debug)]
pub(super) struct History {
    folder: PathBuf,
}

/// One version.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) unix_us: i64,
    pub(super) text: String,
}

impl History {
    pub(super) fn new(data: &Path) -> Self {
        Self { folder: data.join(FOLDER) }
    }

    /// Adds a version, unless it is the latest already; the oldest beyond [`KEPT`] go.
    pub(super) fn keep(&self, unix_us: i64, text: &str) -> Result<(), Refusal> {
        self.try_keep(unix_us, text).map_err(|error| failed(&error))
    }

    /// All versions, newest first.
    pub(super) fn all(&self) -> Result<Vec<Version>, Refusal> {
        let read = |name: String| {
            let text = fs::read_to_string(self.path(&name))?;
            let unix_us = name.get(..20).and_then(|digits| digits.parse().ok()).unwrap_or(0);
            Ok(Version { name, unix_us, text })
        };
        let versions = self.names().and_then(|names| names.into_iter().rev().map(read).collect());
        versions.map_err(|error: io::Error| failed(&error))
    }

    /// The text of one version.
    pub(super) fn text(&self, name: &str) -> Result<String, Refusal> {
        let known = self.names().map_err(|error| failed(&error))?;
        if !known.iter().any(|known| known == name) {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "unknown_version",
                "there is no such version",
                "GET /admin/v1/config/history lists them",
            ));
        }
        fs::read_to_string(self.path(name)).map_err(|error| failed(&error))
    }

    fn try_keep(&self, unix_us: i64, text: &str) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut names = self.names()?;
        let hash: String = file::hash(text).chars().take(16).collect();
        if names.last().is_some_and(|last| last.ends_with(&hash)) {
            return Ok(());
        }
        let name = format!("{:020}-{hash}", unix_us.max(0));
        file::write(&self.path(&name), text, 0o600)?;
        names.push(name);
        let surplus = names.len().saturating_sub(KEPT);
        names.iter().take(surplus).try_for_each(|name| fs::remove_file(self.path(name)))
    }

    /// Oldest first. Other files are none of ours.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().into_string().unwrap_or_default();
            names.extend(name.strip_suffix(ENDING).filter(|name| is_name(name)).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}"))
    }
}

fn is_name(name: &str) -> bool {
    name.split_once('-').is_some_and(|(time, hash)| {
        time.len() == 20
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && hash.len() == 16
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn failed(error: &io::Error) -> Refusal {
    tracing::error!(%error, "the history of the configuration does not work");
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "history_failed",
        "the history of the configuration cannot be used",
        "the server's log says why",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_versions_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::new(folder.path());
        assert!(history.all().unwrap().is_empty());
        for n in 0..KEPT as i64 + 5 {
            history.keep(n, &format!("v{n}")).unwrap();
            history.keep(n, &format!("v{n}")).unwrap();
        }
        fs::write(folder.path().join(FOLDER).join("notes.yaml"), "mine").unwrap();
        let all = history.all().unwrap();
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0].text.as_str(), all[0].unix_us), ("v54", 54));
        assert_eq!(history.text(&all[KEPT - 1].name).unwrap(), "v5");
        for odd in ["notes", "../../etc/passwd", ""] {
            assert_eq!(history.text(odd).unwrap_err().code, "unknown_version");
        }
    }
}
