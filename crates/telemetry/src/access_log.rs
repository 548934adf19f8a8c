//! The access log: one JSON object a line, one line a request, written once a batch.
//!
//! The line itself is in [`line`]; docs/records.md lists its fields. Never a body, never a secret.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordSink, StoreError};

mod line;

pub(crate) use line::timestamp;

/// A buffer that one large batch made larger than this is given back afterwards.
const BUFFER_KEPT: usize = 256 << 10;

/// Writes finished requests as JSON lines.
///
/// A file that was moved away or deleted, by logrotate say, is opened anew before the next batch.
pub struct AccessLog {
    out: Box<dyn Write + Send>,
    /// `None` for standard output.
    file: Option<Target>,
    buffer: Vec<u8>,
    stamp: line::Stamp,
    /// The last write failed, perhaps in the middle of a line.
    broken_off: bool,
}

impl AccessLog {
    /// Appends to a file, created with mode 0600.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let (file, identity) = open(&path).map_err(|source| failed("open", &path, source))?;
        let target = Target { path, identity, unreachable: false };
        Ok(Self { file: Some(target), ..Self::writer(file) })
    }

    /// Writes to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::writer(io::stdout())
    }

    /// Writes to anything.
    #[must_use]
    pub fn writer(out: impl Write + Send + 'static) -> Self {
        Self {
            out: Box::new(out),
            file: None,
            buffer: Vec::new(),
            stamp: line::Stamp::default(),
            broken_off: false,
        }
    }

    /// Follows the path to a new file. The error is told once; the old file is still written to.
    fn follow(&mut self) -> Result<(), StoreError> {
        let Some(target) = &mut self.file else { return Ok(()) };
        if fs::metadata(&target.path).is_ok_and(|found| identity(&found) == target.identity) {
            return Ok(());
        }
        match open(&target.path) {
            Ok((file, identity)) => {
                (target.identity, target.unreachable) = (identity, false);
                self.out = Box::new(file);
                self.broken_off = false;
                Ok(())
            }
            Err(source) if !target.unreachable => {
                target.unreachable = true;
                Err(failed("reopen", &target.path, source))
            }
            Err(_) => Ok(()),
        }
    }

    /// Where the lines go, for errors.
    fn place(&self) -> &Path {
        self.file.as_ref().map_or(Path::new("standard output"), |target| &target.path)
    }
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl RecordSink for AccessLog {
    fn name(&self) -> &'static str {
        "access_log"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        let followed = self.follow();
        if self.broken_off {
            self.buffer.push(b'\n');
        }
        for record in batch {
            line::push(&mut self.buffer, &mut self.stamp, record);
        }
        let written = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.broken_off = written.is_err();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT);
        written.map_err(|source| failed("write", self.place(), source))?;
        followed
    }
}

/// A log file and what tells it apart from another one at its path.
struct Target {
    path: PathBuf,
    identity: Identity,
    /// The last attempt to open it anew failed.
    unreachable: bool,
}

/// Device and inode.
type Identity = (u64, u64);

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

fn open(path: &Path) -> io::Result<(File, Identity)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let identity = identity(&file.metadata()?);
    Ok((file, identity))
}

fn failed(action: &str, path: &Path, source: io::Error) -> StoreError {
    StoreError {
        context: format!("cannot {action} the access log at {}", path.display()),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests;
