//! A file that is renamed when it is large or old, and of which a bounded number is kept:
//! `NAME`, `NAME.1` (the youngest), `NAME.2` …

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use pointsman_core::Clock;

use super::{Answer, Deliver, Delivering, Delivery, RotateOptions};

/// Appends every delivery. Made for one exporter: it writes, and may block, on that one's thread.
#[derive(Debug)]
pub struct RotatingFile(Mutex<State>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    rotate: RotateOptions,
    clock: Clock,
    file: File,
    bytes: u64,
    /// The multiple of `rotate.every` in which it was last written.
    period: u128,
}

impl RotatingFile {
    /// Opens the file, or creates it with mode 0600.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: PathBuf, rotate: RotateOptions, clock: Clock) -> io::Result<Self> {
        let file = open(&path)?;
        let metadata = file.metadata()?;
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = written.as_micros() / rotate.every.as_micros().max(1);
        let mut state = State { path, rotate, clock, file, bytes: metadata.len(), period };
        if state.bytes == 0 {
            state.period = state.now();
        }
        Ok(Self(Mutex::new(state)))
    }
}

impl Deliver for RotatingFile {
    fn deliver(&self, delivery: Delivery) -> Delivering<'_> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = state.append(&delivery.body);
        let place = state.path.display();
        let answer = match written {
            Ok(()) => Ok(Answer { status: 200, retry_after: None, body: Bytes::new() }),
            Err(error) => Err(format!("cannot write to {place}: {error}")),
        };
        drop(state);
        Box::pin(std::future::ready(answer))
    }
}

impl State {
    fn now(&self) -> u128 {
        let now = u128::try_from(self.clock.unix_us(self.clock.now())).unwrap_or_default();
        now / self.rotate.every.as_micros().max(1)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let period = self.now();
        let full = self.bytes + lines.len() as u64 > self.rotate.bytes;
        if self.bytes > 0 && (full || period != self.period) {
            self.rotate()?;
        }
        self.period = period;
        let written = self.file.write_all(lines);
        if written.is_err() {
            // The whole batch is written again: what got through of it must go.
            let _ = self.file.set_len(self.bytes);
        } else {
            self.bytes += lines.len() as u64;
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.rotate.keep).rev() {
            rename(&numbered(number), &numbered(number + 1))?;
        }
        match self.rotate.keep {
            0 => fs::remove_file(&self.path)?,
            _ => rename(&self.path, &numbered(1))?,
        }
        self.file = open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// What is not there need not move.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;

    async fn write(file: &RotatingFile, text: &str) {
        let body = Bytes::copy_from_slice(text.as_bytes());
        file.deliver(Delivery { headers: HeaderMap::new(), body, records: 1 }).await.unwrap();
    }

    fn read(folder: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_by_size_and_by_time_and_keeps_a_bounded_number() {
        let folder = tempfile::tempdir().unwrap();
        let rotate = RotateOptions { bytes: 10, every: Duration::from_secs(3600), keep: 2 };
        let clock = Clock::starting_at(Duration::from_secs(3600 * 1000));
        let path = folder.path().join("r.jsonl");
        let file = RotatingFile::open(path.clone(), rotate, clock).unwrap();
        write(&file, "aaaa\n").await;
        write(&file, "bbbb\n").await;
        assert_eq!(read(folder.path()), owned(&[("r.jsonl", "aaaa\nbbbb\n")]));
        write(&file, "c\n").await;
        assert_eq!(read(folder.path()), owned(&[("r.jsonl", "c\n"), ("r.jsonl.1", "aaaa\nbbbb\n")]));
        tokio::time::advance(Duration::from_secs(3600)).await;
        write(&file, "d\n").await;
        tokio::time::advance(Duration::from_secs(3600)).await;
        write(&file, "longer than the limit\n").await;
        let expected = [("r.jsonl", "longer than the limit\n"), ("r.jsonl.1", "d\n"), ("r.jsonl.2", "c\n")];
        assert_eq!(read(folder.path()), owned(&expected));
        drop(file);
        let file = RotatingFile::open(path, RotateOptions { keep: 0, ..rotate }, clock).unwrap();
        write(&file, "e\n").await;
        assert_eq!(read(folder.path())[0], ("r.jsonl".to_owned(), "e\n".to_owned()));
    }
}
