//! The servers under test: floor, nginx and Pointsman, each started on its core in a folder of its own.

mod config;

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::config::{Fleet, PRICED_MODEL, RIVAL_KEY, RIVAL_MODEL};
use crate::machine::{self, Cores};

/// From start to the first answer, and from the signal to the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// A Python server imports for a long time.
const RIVAL_PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// What is started.
#[derive(Clone, Debug)]
pub enum Program {
    /// This very binary's `floor`.
    Floor,
    /// `nginx` with one worker and `proxy_pass`.
    Nginx,
    /// Pointsman.
    Pointsman {
        /// The binary.
        binary: PathBuf,
        /// Whether requests are recorded.
        records: bool,
        /// Whether there is a file with a line for every request.
        access_log: bool,
        /// Its models, keys and routes.
        fleet: Fleet,
        /// Where it sends records by webhook, if anywhere.
        webhook: Option<SocketAddr>,
    },
    /// Pointsman with a configuration of the caller's.
    Configured {
        /// The binary.
        binary: PathBuf,
        /// What follows its listeners and data folder, as YAML.
        yaml: String,
        /// Variables that the configuration names.
        environment: Vec<(&'static str, &'static str)>,
    },
    /// The LiteLLM proxy with one worker.
    LiteLlm {
        /// Its `litellm` program.
        binary: PathBuf,
    },
    /// The Portkey gateway under Node.
    Portkey {
        /// Its `start-server.js`.
        script: PathBuf,
    },
}

/// A running server. It is killed on drop.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
}

/// What a Pointsman left behind.
#[derive(Debug)]
pub struct Remains {
    folder: TempDir,
}

impl Server {
    /// Starts `program` on the gateway's core, in front of `upstream`, and waits until it answers.
    ///
    /// # Errors
    /// Where it cannot be started or does not get ready; the text holds what it printed.
    pub fn start(program: &Program, upstream: SocketAddr, cores: Cores) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("pointsman-bench-").tempdir()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = command(program, folder.path(), address, upstream)?;
        let log = fs::File::create(folder.path().join("output"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Affinity is inherited: a program that counts its cores must find one from the start.
        machine::pin(cores.gateway)?;
        let child = command.spawn();
        machine::pin(cores.load)?;
        let mut server = Self { child: child?, address, folder };
        server.wait_ready(program)?;
        Ok(server)
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The control plane of a Pointsman: its address and credential.
    ///
    /// # Errors
    /// Where the files that say so cannot be read.
    pub fn control(&self) -> io::Result<(SocketAddr, String)> {
        let folder = self.folder.path();
        let admin = fs::read_to_string(folder.join("admin"))?.parse().map_err(io::Error::other)?;
        let (path, deadline) = (data_path(folder).join("admin.token"), Instant::now() + PATIENCE);
        // The control plane comes after the data plane, and its credential before it.
        while !answers(admin, true) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        Ok((admin, fs::read_to_string(path)?.trim().to_owned()))
    }

    /// Writes a new configuration and sends SIGHUP.
    ///
    /// # Errors
    /// Where the file cannot be written or the process is gone.
    pub fn reload(&self, fleet: &Fleet, upstream: SocketAddr) -> io::Result<()> {
        let path = config_path(self.folder.path());
        let admin = fs::read_to_string(self.folder.path().join("admin"))?;
        let next = path.with_extension("next");
        fs::write(&next, fleet.yaml(self.address, &admin, upstream, true, true))?;
        fs::rename(next, path)?;
        self.signal("HUP")
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// Where it does not end in time or with a failure.
    pub fn stop(mut self) -> io::Result<Remains> {
        self.signal("TERM")?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err(self.complaint("does not end")),
                None => thread::sleep(POLL),
            }
        };
        if !status.success() {
            return Err(self.complaint(&format!("ended with {status}")));
        }
        // Drop would kill a process that is gone.
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Ok(Remains { folder })
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }

    /// Waits until it accepts connections; Pointsman, until `/livez` says so. Nothing here may need the
    /// mock: it runs on this very thread.
    fn wait_ready(&mut self, program: &Program) -> io::Result<()> {
        let live = matches!(program, Program::Pointsman { .. } | Program::Configured { .. });
        let rival = matches!(program, Program::LiteLlm { .. } | Program::Portkey { .. });
        let deadline = Instant::now() + if rival { RIVAL_PATIENCE } else { PATIENCE };
        while !answers(self.address, live) {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.complaint(&format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.complaint("does not get ready"));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn complaint(&self, what: &str) -> io::Error {
        let output = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
        io::Error::other(format!("the server under test {what}; its output:\n{output}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Remains {
    /// Lines of the access log.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn access_log_lines(&self) -> io::Result<u64> {
        let reader = BufReader::with_capacity(1 << 20, fs::File::open(access_log_path(self.folder.path()))?);
        Ok(reader.split(b'\n').count() as u64)
    }

    /// The record file, if there is one.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn database(&self) -> io::Result<Option<PathBuf>> {
        let mut entries = fs::read_dir(data_path(self.folder.path()))?.map_while(Result::ok);
        let is_database = |path: &Path| path.extension().is_some_and(|ext| ext == "db" || ext == "sqlite");
        Ok(entries.find_map(|entry| Some(entry.path()).filter(|path| is_database(path))))
    }
}

/// Whether `nginx` can be run here, and which.
#[must_use]
pub fn nginx_version() -> Option<String> {
    let output = Command::new("nginx").arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.trim().strip_prefix("nginx version: ").map(str::to_owned)
}

fn command(
    program: &Program,
    folder: &Path,
    address: SocketAddr,
    upstream: SocketAddr,
) -> io::Result<Command> {
    match program {
        Program::Floor => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["floor", "--listen", &address.to_string(), "--upstream", &upstream.to_string()]);
            Ok(command)
        }
        Program::Nginx => {
            let path = folder.join("nginx.conf");
            fs::write(&path, config::nginx(folder, address, upstream))?;
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(path).arg("-e").arg(folder.join("error.log"));
            Ok(command)
        }
        Program::Pointsman { binary, records, access_log, fleet, webhook } => {
            let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)).to_string();
            fs::write(folder.join("admin"), &admin)?;
            let path = config_path(folder);
            let mut yaml = fleet.yaml(address, &admin, upstream, *records, *access_log);
            yaml.extend(webhook.map(config::webhook));
            fs::write(&path, yaml)?;
            let mut command = Command::new(binary);
            // The preset that knows the price wants a key; the mock takes any.
            command.env_clear().env("OPENAI_API_KEY", "sk-bench");
            command.current_dir(folder).arg("serve").arg("--config").arg(path);
            Ok(command)
        }
        Program::Configured { binary, yaml, environment } => {
            let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)).to_string();
            fs::write(folder.join("admin"), &admin)?;
            let path = config_path(folder);
            fs::write(&path, config::around(yaml, address, &admin))?;
            let mut command = Command::new(binary);
            command.env_clear().envs(environment.iter().copied());
            command.current_dir(folder).arg("serve").arg("--config").arg(path);
            Ok(command)
        }
        Program::LiteLlm { binary } => {
            let path = folder.join("litellm.yaml");
            fs::write(&path, config::litellm(upstream))?;
            let mut command = Command::new(binary);
            // Prices from the package, not from the internet; no telemetry; errors only.
            command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_LOG", "ERROR");
            command.current_dir(folder).arg("--config").arg(path).args(["--num_workers", "1"]);
            command.args([
                "--telemetry",
                "False",
                "--host",
                "127.0.0.1",
                "--port",
                &address.port().to_string(),
            ]);
            Ok(command)
        }
        Program::Portkey { script } => {
            let mut command = Command::new("node");
            command.current_dir(folder).env("NODE_ENV", "production").arg(script);
            command.args([&format!("--port={}", address.port()), "--headless"]);
            Ok(command)
        }
    }
}

fn config_path(folder: &Path) -> PathBuf {
    folder.join("pointsman.yaml")
}

fn data_path(folder: &Path) -> PathBuf {
    folder.join(config::DATA)
}

fn access_log_path(folder: &Path) -> PathBuf {
    folder.join(config::ACCESS_LOG)
}

/// A port that was free a moment ago: not every program can say which port it got.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn answers(address: SocketAddr, live: bool) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        if !live {
            return Ok(true);
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
