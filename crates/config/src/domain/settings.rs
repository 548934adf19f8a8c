//! Settings of the process: listeners, limits, data, logs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::responses::ResponseLimits;
use pointsman_resilience::FailurePolicy;
use pointsman_telemetry::export::ExporterOptions;
use pointsman_transport::Http2;
use pointsman_transport::acme::AcmeOptions;
use pointsman_transport::egress::Egress;
use pointsman_transport::tls::server::ServerFiles;

/// The port of the data plane.
const PORT: u16 = 4180;
/// The port of the control plane.
const ADMIN_PORT: u16 = 4181;
const MIB: u64 = 1 << 20;

/// Everything that is not about providers, routes or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Listeners and limits.
    pub server: ServerSettings,
    /// Request records.
    pub data: DataSettings,
    /// Logs.
    pub log: LogSettings,
    /// Where finished requests are sent.
    pub exporters: Vec<ExporterOptions>,
    /// The way out of exporters. Providers have theirs with them.
    pub egress: Egress,
    /// What to look for.
    pub discovery: DiscoverySettings,
}

/// Listeners and limits of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where this process is.
    pub zone: Option<Arc<str>>,
    /// Addresses of the data plane.
    pub listen: Vec<SocketAddr>,
    /// The address of the control plane.
    pub admin: SocketAddr,
    /// Longest request body, in bytes.
    pub max_body_bytes: u64,
    /// Longest request body that is streamed and never held, in bytes.
    pub max_upload_bytes: u64,
    /// Bytes of request bodies in flight at one time, in all.
    pub max_bytes_in_flight: u64,
    /// What encrypts the data plane's connections.
    pub tls: Option<Certificate>,
    /// What encrypts the control plane's connections. The snapshot holds what the files say.
    pub admin_tls: Option<ServerFiles>,
    /// Where HTTP/2 is spoken.
    pub http2: Http2,
    /// From an idle or new connection to a complete request head.
    pub header_timeout: Duration,
    /// From the head to the end of the request body.
    pub body_timeout: Duration,
    /// Connections at one time.
    pub max_connections: usize,
    /// Wrong keys that one address may send.
    pub auth_failures: FailurePolicy,
    /// How long requests may still run once the process was told to end.
    pub drain_timeout: Duration,
    /// A realtime session without any message for so long ends.
    pub realtime_idle_timeout: Duration,
    /// Longest realtime session.
    pub max_realtime_session: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        let port = |ip: IpAddr| SocketAddr::new(ip, PORT);
        Self {
            zone: None,
            listen: vec![port(Ipv4Addr::LOCALHOST.into()), port(Ipv6Addr::LOCALHOST.into())],
            admin: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ADMIN_PORT),
            max_body_bytes: 32 * MIB,
            // The largest file that OpenAI takes.
            max_upload_bytes: 512 * MIB,
            max_bytes_in_flight: 256 * MIB,
            tls: None,
            admin_tls: None,
            http2: Http2::Tls,
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            max_connections: 10_000,
            auth_failures: FailurePolicy { max: 20, window: Duration::from_secs(60) },
            drain_timeout: Duration::from_secs(30),
            // People who talk also listen and think.
            realtime_idle_timeout: Duration::from_secs(600),
            // OpenAI ends its own sessions after an hour.
            max_realtime_session: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// Where a listener's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// These files. The snapshot holds what they say.
    Files(ServerFiles),
    /// An authority.
    Acme(AcmeOptions),
}

/// Where and how long request records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSettings {
    /// The folder of the database and of the admin credential.
    pub dir: PathBuf,
    /// Whether requests are recorded.
    pub records: bool,
    /// Older records are deleted.
    pub retention_days: u32,
    /// Beyond so many, the oldest records are deleted.
    pub max_rows: u64,
    /// Whether answers of the responses API are kept here.
    pub keep_responses: bool,
    /// How many, and for how long; also how long it is known who keeps an answer elsewhere.
    pub responses: ResponseLimits,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
            records: true,
            retention_days: 30,
            max_rows: 2_000_000,
            keep_responses: true,
            responses: ResponseLimits::default(),
        }
    }
}

/// What the process says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,pointsman_gateway=debug`.
    pub level: String,
    /// The form of log lines.
    pub format: LogFormat,
    /// One JSON line for every request.
    pub access: AccessLog,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, access: AccessLog::Off }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Where the access log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    #[default]
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

/// What to look for besides the configured providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// Vendors whose key is in the environment or in `.env`.
    pub env: bool,
    /// Engines on this machine.
    pub engines: bool,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self { env: true, engines: true }
    }
}
