//! The access log: one JSON object a line, one line a request, written once a batch.
//!
//! The line itself is in [`line`]; docs/records.md lists its fields. Never a body, never a secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordSink, StoreError};

mod line;

/// A buffer that one large batch made larger than this is given back afterwards.
const BUFFER_KEPT: usize = 256 << 10;

/// Asks an [`AccessLog`] to open its file anew before its next batch, after the old one was moved.
#[derive(Clone, Debug)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Takes effect with the next batch.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Writes finished requests as JSON lines.
pub struct AccessLog {
    out: Box<dyn Write + Send>,
    /// What to open again; `None` for standard output.
    path: Option<PathBuf>,
    reopen: Reopen,
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
        let file = open(&path).map_err(|source| failed("open", &path, source))?;
        Ok(Self { path: Some(path), ..Self::writer(file) })
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
            path: None,
            reopen: Reopen(Arc::default()),
            buffer: Vec::new(),
            stamp: line::Stamp::default(),
            broken_off: false,
        }
    }

    /// The handle for rotation; of no effect on standard output.
    #[must_use]
    pub fn reopen(&self) -> Reopen {
        self.reopen.clone()
    }

    /// Where the lines go, for errors.
    fn place(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("standard output"))
    }
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl RecordSink for AccessLog {
    fn name(&self) -> &'static str {
        "access_log"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        let mut reopened = Ok(());
        if self.reopen.0.swap(false, Ordering::Acquire)
            && let Some(path) = &self.path
        {
            match open(path) {
                Ok(file) => {
                    self.out = Box::new(file);
                    self.broken_off = false;
                }
                // The old file is still there to be written to.
                Err(source) => reopened = Err(failed("reopen", path, source)),
            }
        }
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
        reopened
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(action: &str, path: &Path, source: io::Error) -> StoreError {
    StoreError {
        context: format!("cannot {action} the access log at {}", path.display()),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests;
