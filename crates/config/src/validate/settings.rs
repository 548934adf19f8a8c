//! Settings of the process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pointsman_core::responses::ResponseLimits;
use pointsman_resilience::FailurePolicy;
use pointsman_transport::egress::Egress;

use super::Checker;
use super::tls::http2;
use crate::domain::{
    AccessLog, DataSettings, DiscoverySettings, LogFormat, LogSettings, ServerSettings, Settings,
};
use crate::raw;
use crate::yaml::{Place, Spanned, shorten};

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

impl Checker<'_> {
    /// `keys`: whether there are client keys, without which only this machine may be served.
    pub(crate) fn settings(
        &mut self,
        server: raw::Server,
        data: &raw::Data,
        log: &raw::Log,
        discovery: &raw::Discovery,
        keys: bool,
    ) -> Settings {
        let defaults = DiscoverySettings::default();
        Settings {
            server: self.server(server, keys),
            data: self.data(data),
            log: self.log(log),
            exporters: Vec::new(),
            egress: Egress::default(),
            discovery: DiscoverySettings {
                env: discovery.env.unwrap_or(defaults.env),
                engines: discovery.engines.unwrap_or(defaults.engines),
            },
        }
    }

    fn server(&mut self, raw: raw::Server, keys: bool) -> ServerSettings {
        let defaults = ServerSettings::default();
        let listen_place = raw.listen.as_ref().and_then(|written| written.0.first()).map(|first| first.place);
        let listen = match raw.listen {
            Some(written) => self.listen(&written.0, keys),
            None => defaults.listen,
        };
        let admin_place = raw.admin.as_ref().map(|written| written.place);
        let admin = raw.admin.and_then(|written| self.address(&written)).unwrap_or(defaults.admin);
        if let (Some(place), Some(taken)) =
            (admin_place.or(listen_place), listen.iter().find(|address| collide(**address, admin)))
        {
            let message =
                format!("the data plane ({taken}) and the control plane ({admin}) cannot share an address");
            self.cx.fail_hint::<()>(place, message, "give one of them another port");
        }
        let max_body = raw.max_body.as_ref().map_or(defaults.max_body_bytes, |size| size.value.0);
        let max_in_flight = match &raw.max_in_flight {
            Some(size) => size.value.0,
            None => defaults.max_bytes_in_flight.max(max_body),
        };
        for written in [&raw.max_body, &raw.max_upload].into_iter().flatten().filter(|size| size.value.0 == 0)
        {
            self.cx.fail::<()>(written.place, "a limit of 0 would let nothing pass");
        }
        if let Some(written) = raw.max_in_flight.as_ref().filter(|_| max_in_flight < max_body) {
            let message =
                format!("less than `max_body` ({max_body} bytes), so that no such body is ever accepted");
            self.cx.fail::<()>(written.place, message);
        }
        let max_connections = self.positive(raw.max_connections.as_ref(), u32::MAX);
        ServerSettings {
            zone: raw.zone.map(Arc::from),
            listen,
            admin,
            max_body_bytes: max_body,
            max_upload_bytes: raw.max_upload.as_ref().map_or(defaults.max_upload_bytes, |size| size.value.0),
            max_bytes_in_flight: max_in_flight,
            // Needs what comes later: see `Checker::data_plane`.
            tls: None,
            admin_tls: None,
            http2: raw.http2.map_or(defaults.http2, http2),
            header_timeout: self.duration(raw.header_timeout, defaults.header_timeout),
            body_timeout: self.duration(raw.body_timeout, defaults.body_timeout),
            max_connections: match raw.max_connections {
                Some(_) => max_connections as usize,
                None => defaults.max_connections,
            },
            auth_failures: self.auth_failures(raw.auth_failures, defaults.auth_failures),
            drain_timeout: raw.drain_timeout.map_or(defaults.drain_timeout, |span| span.0),
            realtime_idle_timeout: self.duration(raw.realtime_idle_timeout, defaults.realtime_idle_timeout),
            max_realtime_session: self.duration(raw.max_realtime_session, defaults.max_realtime_session),
        }
    }

    fn auth_failures(&mut self, raw: Option<raw::AuthFailures>, defaults: FailurePolicy) -> FailurePolicy {
        let raw = raw.unwrap_or_default();
        FailurePolicy {
            max: raw.max.unwrap_or(defaults.max),
            window: self.duration(raw.window, defaults.window),
        }
    }

    fn listen(&mut self, written: &[Spanned<String>], keys: bool) -> Vec<SocketAddr> {
        let mut listen: Vec<SocketAddr> = Vec::new();
        for address in written {
            let Some(parsed) = self.address(address) else { continue };
            if !keys && !parsed.ip().to_canonical().is_loopback() {
                self.refuse_open(parsed, address.place);
            }
            // Port 0 asks for any free one, so it may stand there twice.
            if listen.contains(&parsed) && parsed.port() != 0 {
                self.cx.fail::<()>(address.place, format!("{parsed} is there twice"));
            }
            listen.push(parsed);
        }
        listen
    }

    fn refuse_open(&mut self, address: SocketAddr, place: Place) {
        let message = format!("listening on {address} without keys would let everyone spend your money");
        let local = match address.is_ipv6() {
            true => format!("[::1]:{}", address.port()),
            false => format!("127.0.0.1:{}", address.port()),
        };
        let hint = format!(
            "run `pointsman keys new` and add the key it prints, or stay on this machine: `pointsman serve --listen {local}`"
        );
        self.cx.fail_hint::<()>(place, message, hint);
    }

    /// A reload without keys while a socket is open to others.
    pub(crate) fn refuse_running_open(&mut self, address: SocketAddr) {
        let message =
            format!("this server listens on {address}: without keys everyone could spend your money");
        let hint = "add a key (`pointsman keys new`), or restart with a loopback address in `server.listen`";
        // No place in the file says it: it is the running server that does.
        let nowhere = Place { source: u32::MAX, line: 0, column: 0 };
        self.cx.fail_hint::<()>(nowhere, message, hint);
    }

    fn address(&mut self, written: &Spanned<String>) -> Option<SocketAddr> {
        let text = &written.value;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let message = format!("`{}` is no address and port", shorten(text));
                let hint = match text.trim_start_matches(':').parse::<u16>() {
                    Ok(port) => format!("write `127.0.0.1:{port}`"),
                    Err(_) => "write `127.0.0.1:4180`, or `\"[::1]:4180\"` in quotes".to_owned(),
                };
                self.cx.fail_hint(written.place, message, hint)
            }
        }
    }

    fn data(&mut self, raw: &raw::Data) -> DataSettings {
        let defaults = DataSettings::default();
        DataSettings {
            dir: raw.dir.as_ref().map_or_else(|| self.default_data_dir(), |dir| self.path(&dir.value)),
            records: raw.records.unwrap_or(defaults.records),
            retention_days: self.positive(raw.retention_days.as_ref(), defaults.retention_days),
            max_rows: self.positive(raw.max_rows.as_ref(), defaults.max_rows),
            keep_responses: raw
                .responses
                .as_ref()
                .and_then(|raw| raw.keep)
                .unwrap_or(defaults.keep_responses),
            responses: raw.responses.as_ref().map_or(defaults.responses, |raw| self.responses(raw)),
        }
    }

    fn responses(&mut self, raw: &raw::Responses) -> ResponseLimits {
        let defaults = ResponseLimits::default();
        if let Some(written) = raw.max_size.as_ref().filter(|size| size.value.0 == 0) {
            self.cx.fail_hint::<()>(written.place, "a limit of 0 would keep nothing", "write `keep: false`");
        }
        ResponseLimits {
            count: self.positive(raw.max_count.as_ref(), defaults.count),
            bytes: raw.max_size.as_ref().map_or(defaults.bytes, |size| size.value.0),
            age: self.duration(raw.max_age.clone(), defaults.age),
        }
    }

    /// `$XDG_DATA_HOME/pointsman` (XDG Base Directory Specification), or beside the file where there is
    /// no home.
    fn default_data_dir(&self) -> PathBuf {
        if let Some(data) = self.environment.get("XDG_DATA_HOME") {
            return PathBuf::from(data).join("pointsman");
        }
        match self.environment.get("HOME") {
            Some(home) => PathBuf::from(home).join(".local/share/pointsman"),
            None => self.path("pointsman-data"),
        }
    }

    fn log(&mut self, raw: &raw::Log) -> LogSettings {
        let defaults = LogSettings::default();
        if let Some(level) = &raw.level
            && !level.value.split(',').all(is_directive)
        {
            let message = format!("`{}` is no log level", shorten(&level.value));
            let hint = "write error, warn, info, debug or trace, or `info,pointsman_gateway=debug`";
            self.cx.fail_hint::<()>(level.place, message, hint);
        }
        LogSettings {
            level: raw.level.as_ref().map_or(defaults.level, |level| level.value.clone()),
            format: match raw.format {
                Some(raw::Format::Json) => LogFormat::Json,
                Some(raw::Format::Text) | None => LogFormat::Text,
            },
            access: match raw.access.as_ref().map(|access| access.value.as_str()) {
                None | Some("off") => AccessLog::Off,
                Some("stdout") => AccessLog::Stdout,
                Some(path) => AccessLog::File(self.path(path)),
            },
        }
    }
}

/// Whether two listeners would want the same socket. Port 0 is any free one.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let (one, other) = (a.ip(), b.ip());
    let all = one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified());
    a.port() == b.port() && a.port() != 0 && (one == other || all)
}

/// `info` or `module::path=debug`.
fn is_directive(text: &str) -> bool {
    let (module, level) = text.split_once('=').unwrap_or(("a", text));
    let in_module = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    LEVELS.contains(&level.trim()) && !module.is_empty() && module.trim().chars().all(in_module)
}
