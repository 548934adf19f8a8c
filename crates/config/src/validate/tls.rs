//! The data plane's certificate: read and checked here, so that a bad one keeps the old world.

use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_transport::Http2;
use pointsman_transport::tls::server::{ServerFiles, ServerIdentity, ServerTlsError};
use pointsman_transport::tls::validity::Moment;

use super::Checker;
use crate::raw;
use crate::snapshot::Snapshot;

/// From so many seconds before its end on, a certificate is warned of: those that renew themselves are
/// replaced earlier.
const WARN_BEFORE: i64 = 7 * 24 * 60 * 60;

impl Checker<'_> {
    pub(super) fn server_files(&self, raw: &raw::Tls) -> ServerFiles {
        ServerFiles {
            cert: self.path(&raw.cert.value),
            key: self.path(&raw.key.value),
            client_ca: raw.client_ca.as_ref().map(|file| self.path(&file.value)),
        }
    }

    /// What `server.tls` leads to, if it is there. A certificate that ran out is refused, unless it is the
    /// one that is served anyway: then the rest of a reload must not wait for its renewal.
    pub(crate) fn identity(
        &mut self,
        server: &raw::Server,
        previous: Option<&Snapshot>,
        warnings: &mut Vec<String>,
    ) -> Option<ServerIdentity> {
        let written = server.tls.as_ref()?;
        let alpn = server.http2.is_none_or(|written| http2(written) != Http2::Off);
        let identity = match ServerIdentity::load(&self.server_files(written), alpn) {
            Ok(identity) => identity,
            Err(error) => {
                let file = match &error {
                    ServerTlsError::Key(_) => &written.key,
                    ServerTlsError::ClientCa(_) => written.client_ca.as_ref().unwrap_or(&written.cert),
                    ServerTlsError::Cert(_) | ServerTlsError::Setup(_) => &written.cert,
                };
                return self.cx.fail(file.place, error.to_string());
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let name = written.cert.value.as_str();
        if let Some(problem) = identity.problem(now) {
            let served = previous.and_then(|previous| previous.tls.as_ref());
            if !served.is_some_and(|served| served.same_certificate(&identity)) {
                let hint = "renew it, or correct the clock of this machine";
                return self.cx.fail_hint(written.cert.place, format!("{name}: {problem}"), hint);
            }
            warnings.push(format!("{name}: {problem}, and clients refuse it"));
        } else if identity.validity().not_after.saturating_sub(now) < WARN_BEFORE {
            warnings.push(format!(
                "{name}: the certificate runs out on {}",
                Moment(identity.validity().not_after)
            ));
        }
        Some(identity)
    }
}

pub(super) const fn http2(written: raw::Http2) -> Http2 {
    match written {
        raw::Http2::Off => Http2::Off,
        raw::Http2::Tls => Http2::Tls,
        raw::Http2::Always => Http2::Always,
    }
}
