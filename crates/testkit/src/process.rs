//! A real program under test: started with its output captured, watched until it is ready, killed on
//! drop. Blocking, so that it serves plain tests as well as asynchronous ones.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition that cannot be waited for is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A running program. It is killed on drop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Output {
    state: Mutex<Captured>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Captured {
    lines: Vec<String>,
    open_pipes: usize,
}

/// Starts `program` with `args` and the variables `env` in place of the inherited environment, except for
/// `PATH`, `HOME` and `TMPDIR`: keys in the developer's environment must not leak into a test.
///
/// # Errors
/// Where it cannot be started.
pub fn start<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = A>,
    env: &[(&str, &str)],
) -> io::Result<Running> {
    let mut command = Command::new(program);
    command.args(args).env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    Running::spawn(command.envs(env.iter().copied()))
}

/// A port of 127.0.0.1 that was free a moment ago, for programs that cannot report the port they got.
/// Prefer port 0 wherever the program can say what it bound.
///
/// # Errors
/// Where none can be bound.
pub fn free_port() -> io::Result<u16> {
    // Below those that the kernel takes for connections on their way out, so that none of them comes in between;
    // each process begins elsewhere and hands out each port once.
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = std::process::id().wrapping_mul(211);
    for _ in 0..COUNT {
        let number = base.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + number).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

impl Running {
    /// Starts `command` with stdin closed and both outputs captured.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = Arc::new(Output::default());
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as _),
            child.stderr.take().map(|pipe| Box::new(pipe) as _),
        ];
        for pipe in pipes.into_iter().flatten() {
            output.lock().open_pipes += 1;
            let output = Arc::clone(&output);
            // Ends with the pipe, at the latest when the child is killed.
            thread::spawn(move || output.copy_from(pipe));
        }
        Ok(Self { child, output })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All lines of stdout and stderr so far, in order of arrival.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().lines.join("\n")
    }

    /// Waits for the first line of output in which `find` finds something.
    ///
    /// # Errors
    /// `TimedOut` after `limit`, `UnexpectedEof` where the program ended first; the text holds the output.
    pub fn wait_for_line<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> io::Result<T> {
        let deadline = Instant::now() + limit;
        let mut seen = 0;
        let mut state = self.output.lock();
        loop {
            let found = state.lines[seen..].iter().find_map(|line| find(line));
            seen = state.lines.len();
            if let Some(found) = found {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let (kind, what) = match (state.open_pipes, left.is_zero()) {
                (0, _) => (io::ErrorKind::UnexpectedEof, "the program ended"),
                (_, true) => (io::ErrorKind::TimedOut, "the line did not come"),
                _ => {
                    let waited = self.output.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            return Err(io::Error::new(kind, format!("{what}; its output:\n{}", state.lines.join("\n"))));
        }
    }

    /// Waits until `GET path` at `address` answers 200.
    ///
    /// # Errors
    /// `TimedOut` after `limit`; the text holds the output.
    pub fn wait_for_http(&self, address: SocketAddr, path: &str, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if get_status(address, path).is_ok_and(|status| status == 200) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        let text = format!("{path} at {address} is not ready; its output:\n{}", self.output());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// Asks the program to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// `TimedOut` after `limit`; it is still running then.
    pub fn stop(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait(limit)
    }

    /// Sends a signal by its name: `HUP`, `TERM`, `INT`.
    ///
    /// # Errors
    /// Where `kill` cannot be run or the process is gone.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{name}: {status}"))) }
    }

    /// Kills it (SIGKILL) and waits.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// `TimedOut` after `limit`; it is still running then.
    pub fn wait(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let text = format!("still running; its output:\n{}", self.output());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn lock(&self) -> std::sync::MutexGuard<'_, Captured> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn copy_from(&self, pipe: impl Read) {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            self.lock().lines.push(text);
            self.changed.notify_all();
            line.clear();
        }
        self.lock().open_pipes -= 1;
        self.changed.notify_all();
    }
}

fn get_status(address: SocketAddr, path: &str) -> io::Result<u16> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no status line"))
}

#[cfg(test)]
mod tests;
